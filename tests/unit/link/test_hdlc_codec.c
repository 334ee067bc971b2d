/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/rng.h"
#include "link/hdlc_codec.h"

struct fixture {
	struct bf_hdlc_rx rx;
	uint8_t buf[4095 + BF_HDLC_OVERHEAD];
	unsigned messages, foreign, damaged;
};

static void start(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->rx = (struct bf_hdlc_rx){
		.me = 0xF1, .peer = 0x11, .buf = f->buf, .cap = sizeof(f->buf)
	};
}

static void feed(struct fixture *f, const uint8_t *p, size_t n)
{
	while (n--) {
		switch (bf_hdlc_put(&f->rx, *p++)) {
		case BF_DEFRAME_MORE:
			break;
		case BF_DEFRAME_MESSAGE:
			f->messages++;
			break;
		case BF_DEFRAME_FOREIGN:
			f->foreign++;
			break;
		case BF_DEFRAME_DAMAGED:
			f->damaged++;
			break;
		}
	}
}

static void feed_hex(struct fixture *f, const char *hex)
{
	uint8_t buf[128];
	size_t len;

	assert_true(bf_unhex(hex, buf, sizeof(buf), &len));
	feed(f, buf, len);
}

/* FCS by Python's zlib.crc32, least significant byte first. */
static void frames_are_those_of_an_independent_encoder(void **state)
{
	uint8_t f[BF_HDLC_WIRE_MAX(16)];
	char hex[2 * sizeof(f) + 1];
	size_t n;

	(void)state;
	n = bf_hdlc_encode(f, 0x11, 0xF1, (const uint8_t *)"\x3E\x00", 2);
	assert_string_equal(bf_hex(hex, sizeof(hex), f, n), "7e1103f13e005be4d47c7e");
	n = bf_hdlc_encode(f, 0x11, 0xF1, (const uint8_t *)"\x36\x01\x7E\x7D\x5E\x11\x13", 7);
	assert_string_equal(bf_hex(hex, sizeof(hex), f, n), "7e1103f136017d5e7d5d5e1113e7aeb74f7e");
}

static void every_length_and_every_byte_survives(void **state)
{
	static const size_t lengths[] = { 1, 2, 3, 63, 64, 255, 256, 4094, 4095 };
	uint8_t *msg = malloc(4095);
	uint8_t *wire = malloc(BF_HDLC_WIRE_MAX(4095));
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(lengths); i++) {
		size_t n = lengths[i];

		start(&f);
		for (size_t k = 0; k < n; k++)
			msg[k] = (uint8_t)(k + 0x7C);
		feed(&f, wire, bf_hdlc_encode(wire, 0xF1, 0x11, msg, n));
		assert_int_equal(f.messages, 1);
		assert_int_equal(f.rx.msg_len, n);
		assert_memory_equal(f.buf + BF_HDLC_MSG_AT, msg, n);
	}
	/* all bytes stuffed: the longest that a frame can be */
	memset(msg, 0x7E, 4095);
	assert_true(bf_hdlc_encode(wire, 0x7E, 0x7D, msg, 4095) <= BF_HDLC_WIRE_MAX(4095));
	free(msg);
	free(wire);
}

static void one_flag_may_end_a_frame_and_begin_the_next(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	feed_hex(&f, "7ef103117d5e0021bc9b0d7ef103117d5e0021bc9b0d7e");
	assert_int_equal(f.messages, 2);
	assert_int_equal(f.damaged, 0);
}

static void what_comes_before_the_first_flag_is_nothing(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	feed_hex(&f, "00ff7d55aa7e7e7ef103117d5e0021bc9b0d7e");
	assert_int_equal(f.messages, 1);
	assert_int_equal(f.damaged, 0);
}

static void damage_is_found(void **state)
{
	static const char *const bad[] = {
		"7ef103117d5e0021bc9b0c7e", /* FCS */
		"7ef10311215e0021bc9b0d7e",
		"7ef10311000000007e",       /* no message */
		"7ef17e",                   /* too short */
		"7ef103117d5e0021bc9b7d7e", /* aborted */
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		start(&f);
		feed_hex(&f, bad[i]);
		assert_int_equal(f.messages, 0);
		assert_int_equal(f.damaged, 1);
		feed_hex(&f, "f103117d5e0021bc9b0d7e");
		assert_int_equal(f.messages, 1);
	}
}

static void frames_of_others_are_foreign(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	feed_hex(&f, "7e1103f13e005be4d47c7e");
	assert_int_equal(f.foreign, 1);
	assert_int_equal(f.messages, 0);
}

static void a_frame_too_long_is_damaged_and_the_next_one_is_read(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	f.rx.cap = 16;
	feed_hex(&f, "7ef103110000000000000000000000000000000000000000007e");
	assert_int_equal(f.damaged, 1);
	feed_hex(&f, "f103117d5e0021bc9b0d7e");
	assert_int_equal(f.messages, 1);
}

static void any_bytes_leave_the_deframer_inside_its_buffer(void **state)
{
	struct fixture f;
	struct bf_rng rng = { 11 };

	(void)state;
	start(&f);
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t b = (uint8_t)bf_rng_next(&rng);

		if (bf_rng_below(&rng, 16) == 0)
			b = 0x7E;
		feed(&f, &b, 1);
		assert_true(f.rx.n <= f.rx.cap);
	}
	assert_int_equal(f.messages, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_those_of_an_independent_encoder),
		cmocka_unit_test(every_length_and_every_byte_survives),
		cmocka_unit_test(one_flag_may_end_a_frame_and_begin_the_next),
		cmocka_unit_test(what_comes_before_the_first_flag_is_nothing),
		cmocka_unit_test(damage_is_found),
		cmocka_unit_test(frames_of_others_are_foreign),
		cmocka_unit_test(a_frame_too_long_is_damaged_and_the_next_one_is_read),
		cmocka_unit_test(any_bytes_leave_the_deframer_inside_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
