/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/rng.h"
#include "link/kline_codec.h"

static struct bf_kline_rx receiver(void)
{
	return (struct bf_kline_rx){ .me = 0xF1, .peer = 0x11 };
}

/* Feeds bytes; returns the last event that was not MORE, and counts messages. */
static enum bf_deframed feed(struct bf_kline_rx *rx, const uint8_t *p, size_t n, unsigned *messages)
{
	enum bf_deframed last = BF_DEFRAME_MORE;

	while (n--) {
		enum bf_deframed ev;

		bf_kline_put(rx, *p++);
		while ((ev = bf_kline_next(rx)) != BF_DEFRAME_MORE) {
			last = ev;
			*messages += ev == BF_DEFRAME_MESSAGE;
		}
	}
	return last;
}

static enum bf_deframed feed_hex(struct bf_kline_rx *rx, const char *hex, unsigned *messages)
{
	uint8_t buf[600];
	size_t len;

	assert_true(bf_unhex(hex, buf, sizeof(buf), &len));
	return feed(rx, buf, len, messages);
}

/* The message of ISO 14230-2 with addresses: 82 tgt src 3E 00 and the sum. */
static void a_short_message_has_its_length_in_the_format_byte(void **state)
{
	uint8_t f[BF_KLINE_MAX_FRAME];

	(void)state;
	assert_int_equal(bf_kline_encode(f, 0x11, 0xF1, (const uint8_t *)"\x3E\x00", 2), 6);
	assert_memory_equal(f, "\x82\x11\xF1\x3E\x00\xC2", 6);
}

static void a_long_message_has_a_length_byte(void **state)
{
	uint8_t msg[255] = { 0x36 }, f[BF_KLINE_MAX_FRAME];

	(void)state;
	assert_int_equal(bf_kline_encode(f, 0x11, 0xF1, msg, 63), 3 + 63 + 1);
	assert_int_equal(f[0], 0xBF);
	assert_int_equal(bf_kline_encode(f, 0x11, 0xF1, msg, 64), 4 + 64 + 1);
	assert_memory_equal(f, "\x80\x11\xF1\x40", 4);
	assert_int_equal(bf_kline_encode(f, 0x11, 0xF1, msg, 255), BF_KLINE_MAX_FRAME);
}

static void every_length_survives(void **state)
{
	uint8_t msg[255], f[BF_KLINE_MAX_FRAME];
	struct bf_kline_rx rx = receiver();

	(void)state;
	for (size_t n = 1; n <= 255; n++) {
		unsigned messages = 0;

		memset(msg, (int)(0x80 + n), n);
		feed(&rx, f, bf_kline_encode(f, 0xF1, 0x11, msg, n), &messages);
		assert_int_equal(messages, 1);
		assert_int_equal(rx.msg_len, n);
		assert_memory_equal(rx.msg, msg, n);
		assert_int_equal(rx.n, 0);
	}
}

static void messages_of_others_are_foreign(void **state)
{
	struct bf_kline_rx rx = receiver();
	unsigned messages = 0;

	(void)state;
	assert_int_equal(feed_hex(&rx, "8211f13e00c2", &messages), BF_DEFRAME_FOREIGN); /* ours */
	assert_int_equal(feed_hex(&rx, "82f1127e0003", &messages),
			 BF_DEFRAME_FOREIGN); /* node 12 */
	assert_int_equal(feed_hex(&rx, "c2f1117e0042", &messages), BF_DEFRAME_FOREIGN);
	assert_int_equal(messages, 0);
	assert_int_equal(feed_hex(&rx, "82f1117e0002", &messages), BF_DEFRAME_MESSAGE);
}

static void noise_in_front_does_not_hide_a_message(void **state)
{
	static const char *const noise[] = { "00", "7f", "ff00", "0000000000" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(noise); i++) {
		struct bf_kline_rx rx = receiver();
		unsigned messages = 0;

		feed_hex(&rx, noise[i], &messages);
		feed_hex(&rx, "82f1117e0002", &messages);
		for (size_t gaps = 0; gaps < 8 && !messages; gaps++) {
			bf_kline_gap(&rx);
			messages += bf_kline_next(&rx) == BF_DEFRAME_MESSAGE;
		}
		assert_int_equal(messages, 1);
		assert_memory_equal(rx.msg, "\x7E\x00", 2);
	}
}

static void damage_is_told_once_and_the_next_message_is_found(void **state)
{
	struct bf_kline_rx rx = receiver();
	unsigned messages = 0;

	(void)state;
	assert_int_equal(feed_hex(&rx, "82f1117e0003", &messages), BF_DEFRAME_DAMAGED);
	assert_int_equal(messages, 0);
	while (rx.n) {
		bf_kline_gap(&rx);
		assert_int_not_equal(bf_kline_next(&rx), BF_DEFRAME_MESSAGE);
	}
	feed_hex(&rx, "82f1117e0002", &messages);
	assert_int_equal(messages, 1);
}

static void a_length_byte_of_zero_is_no_message(void **state)
{
	struct bf_kline_rx rx = receiver();
	unsigned messages = 0;

	(void)state;
	feed_hex(&rx, "80f1110082", &messages);
	assert_int_equal(messages, 0);
}

static void any_bytes_leave_the_deframer_inside_its_buffer(void **state)
{
	struct bf_kline_rx rx = receiver();
	struct bf_rng rng = { 7 };
	unsigned messages = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		uint8_t b = (uint8_t)bf_rng_next(&rng);

		feed(&rx, &b, 1, &messages);
		if (bf_rng_below(&rng, 400) == 0)
			bf_kline_gap(&rx);
		assert_true(rx.n < sizeof(rx.buf));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_message_has_its_length_in_the_format_byte),
		cmocka_unit_test(a_long_message_has_a_length_byte),
		cmocka_unit_test(every_length_survives),
		cmocka_unit_test(messages_of_others_are_foreign),
		cmocka_unit_test(noise_in_front_does_not_hide_a_message),
		cmocka_unit_test(damage_is_told_once_and_the_next_message_is_found),
		cmocka_unit_test(a_length_byte_of_zero_is_no_message),
		cmocka_unit_test(any_bytes_leave_the_deframer_inside_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
