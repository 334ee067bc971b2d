/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "link/isotp_codec.h"

static const struct bf_isotp_shape classic = { .tx_dl = 8, .pad = -1 };
static const struct bf_isotp_shape padded = { .tx_dl = 8, .pad = 0xCC };
static const struct bf_isotp_shape fd = { .tx_dl = 64, .pad = -1 };

static void counting(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)i;
}

static void assert_frame(const uint8_t *p, size_t len, const char *hex)
{
	char text[2 * 64 + 1];

	assert_string_equal(bf_hex(text, sizeof(text), p, len), hex);
}

/* Frames as scapy 2.5.0 makes them: ISOTP(bytes(range(20))).fragment() and 4100 bytes. */
static void frames_are_those_of_an_independent_encoder(void **state)
{
	uint8_t msg[4100], f[64];
	size_t taken;

	(void)state;
	counting(msg, sizeof(msg));
	assert_frame(f, bf_isotp_put_first(&classic, f, msg, 20, &taken), "1014000102030405");
	assert_int_equal(taken, 6);
	assert_frame(f, bf_isotp_put_next(&classic, f, 1, msg + 6, 14, &taken), "21060708090a0b0c");
	assert_frame(f, bf_isotp_put_next(&classic, f, 2, msg + 13, 7, &taken), "220d0e0f10111213");
	assert_frame(f, bf_isotp_put_first(&classic, f, msg, 4100, &taken), "1000000010040001");
	assert_int_equal(taken, 2);
	assert_frame(f, bf_isotp_put_next(&classic, f, 586 & 15, msg + 4097, 3, &taken),
		     "2a010203");
}

static void padding_fills_a_classic_frame(void **state)
{
	uint8_t f[64];
	size_t taken;

	(void)state;
	assert_frame(f, bf_isotp_put_first(&padded, f, (const uint8_t *)"\x3E\x00", 2, &taken),
		     "023e00cccccccccc");
	assert_frame(f, bf_isotp_put_flow(&padded, f, BF_ISOTP_CTS, 8, 0xF1), "3008f1cccccccccc");
	assert_frame(f, bf_isotp_put_flow(&classic, f, BF_ISOTP_OVERFLOW, 0, 0), "320000");
}

static void an_fd_frame_is_filled_to_a_length_that_exists(void **state)
{
	uint8_t msg[80], f[64];
	size_t taken;

	(void)state;
	counting(msg, sizeof(msg));
	assert_int_equal(bf_isotp_put_first(&fd, f, msg, 7, &taken), 8);
	assert_int_equal(bf_isotp_put_first(&fd, f, msg, 8, &taken), 12);
	assert_memory_equal(f, "\x00\x08\x00\x01", 4);
	assert_int_equal(f[11], 0xCC);
	assert_int_equal(bf_isotp_put_first(&fd, f, msg, 62, &taken), 64);
	assert_int_equal(taken, 62);
	assert_int_equal(bf_isotp_put_first(&fd, f, msg, 63, &taken), 64);
	assert_memory_equal(f, "\x10\x3F", 2);
	assert_int_equal(taken, 62);
	assert_int_equal(bf_isotp_put_next(&fd, f, 1, msg, 17, &taken), 20);
}

/* Every length around each boundary goes through encoder and receiver unchanged. */
static void round_trip(const struct bf_isotp_shape *shape, size_t total, uint8_t bs)
{
	BF_AUTO_MEM uint8_t *msg = malloc(total);
	BF_AUTO_MEM uint8_t *got = malloc(total);
	struct bf_isotp_rx rx = { .buf = got, .cap = total, .block_size = bs };
	enum bf_isotp_event ev;
	struct bf_isotp_pdu pdu;
	uint8_t f[64], sn = 1;
	size_t at, taken, len;
	unsigned in_block = 0;
	bool abandoned;

	counting(msg, total);
	len = bf_isotp_put_first(shape, f, msg, total, &at);
	bf_isotp_decode(f, len, &pdu);
	ev = bf_isotp_feed(&rx, &pdu, &abandoned);
	while (at < total) {
		bool ask = in_block == 0;

		assert_int_equal(ev, ask ? BF_ISOTP_ASK : BF_ISOTP_MORE);
		len = bf_isotp_put_next(shape, f, sn++, msg + at, total - at, &taken);
		at += taken;
		in_block = bs ? (in_block + 1) % bs : 1;
		bf_isotp_decode(f, len, &pdu);
		ev = bf_isotp_feed(&rx, &pdu, &abandoned);
	}
	assert_int_equal(ev, BF_ISOTP_DONE);
	assert_int_equal(rx.total, total);
	assert_memory_equal(got, msg, total);
}

static void every_length_around_a_frame_boundary_survives(void **state)
{
	static const size_t long_ones[] = { 4094, 4095, 4096, 4097, 4100, 65535, 65536, 70000 };

	(void)state;
	for (size_t n = 1; n <= 300; n++) {
		round_trip(&classic, n, 0);
		round_trip(&padded, n, (uint8_t)(n % 5));
		round_trip(&fd, n, (uint8_t)(n % 3));
		for (size_t i = 0; i < 6; i++) {
			static const size_t dls[] = { 12, 16, 20, 24, 32, 48 };
			struct bf_isotp_shape s = { .tx_dl = dls[i], .pad = 0xAA };

			round_trip(&s, n, 2);
		}
	}
	for (size_t i = 0; i < BF_COUNT(long_ones); i++) {
		round_trip(&classic, long_ones[i], 0);
		round_trip(&padded, long_ones[i], 255);
		round_trip(&fd, long_ones[i], 16);
	}
}

static enum bf_isotp_type type_of(const char *hex)
{
	uint8_t f[64];
	size_t len;
	struct bf_isotp_pdu pdu;

	assert_true(bf_unhex(hex, f, sizeof(f), &len));
	bf_isotp_decode(f, len, &pdu);
	return pdu.type;
}

static void frames_that_the_standard_ignores_are_ignored(void **state)
{
	static const char *const bad[] = {
		"",
		"00",               /* single frame of no bytes */
		"0011223344556677", /* escape in a classic frame */
		"0711",             /* says more than it holds */
		"0F11223344556677",
		"01112233445566778899aabb", /* long frame without escape */
		"000011223344556677889900", /* escape with length 0 */
		"000b11223344556677889900", /* escape with more than is there */
		"1007112233445566",         /* would fit a single frame */
		"1000000000ff1122",         /* long form for a short message */
		"100000001004",             /* long form cut short */
		"10",
		"10141122",
		"20", /* consecutive without data */
		"33000000",
		"3000",
		"4011",
		"ff",
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++)
		assert_int_equal(type_of(bad[i]), BF_ISOTP_BAD);
	assert_int_equal(type_of("0711223344556677"), BF_ISOTP_SINGLE);
	assert_int_equal(type_of("000a11223344556677889900"), BF_ISOTP_SINGLE);
	assert_int_equal(type_of("1008112233445566"), BF_ISOTP_FIRST);
	assert_int_equal(type_of("2f00"), BF_ISOTP_CONSECUTIVE);
	assert_int_equal(type_of("320000"), BF_ISOTP_FLOW);
}

static void separation_times_decode_as_the_table_says(void **state)
{
	(void)state;
	assert_int_equal(bf_isotp_st_us(0), 0);
	assert_int_equal(bf_isotp_st_us(1), 1000);
	assert_int_equal(bf_isotp_st_us(0x7F), 127000);
	assert_int_equal(bf_isotp_st_us(0xF1), 100);
	assert_int_equal(bf_isotp_st_us(0xF9), 900);
	assert_int_equal(bf_isotp_st_us(0x80), 127000);
	assert_int_equal(bf_isotp_st_us(0xF0), 127000);
	assert_int_equal(bf_isotp_st_us(0xFA), 127000);
}

static enum bf_isotp_event feed(struct bf_isotp_rx *rx, const char *hex, bool *ret_abandoned)
{
	uint8_t f[64];
	size_t len;
	struct bf_isotp_pdu pdu;

	assert_true(bf_unhex(hex, f, sizeof(f), &len));
	bf_isotp_decode(f, len, &pdu);
	return bf_isotp_feed(rx, &pdu, ret_abandoned);
}

static void a_frame_out_of_sequence_breaks_the_message(void **state)
{
	uint8_t buf[32];
	struct bf_isotp_rx rx = { .buf = buf, .cap = sizeof(buf) };
	bool abandoned;

	(void)state;
	assert_int_equal(feed(&rx, "1014000102030405", &abandoned), BF_ISOTP_ASK);
	assert_int_equal(feed(&rx, "22060708090a0b0c", &abandoned), BF_ISOTP_BROKEN);
	assert_int_equal(feed(&rx, "21060708090a0b0c", &abandoned), BF_ISOTP_NOTHING);
	assert_int_equal(feed(&rx, "1014000102030405", &abandoned), BF_ISOTP_ASK);
	assert_int_equal(feed(&rx, "21060708090a0b0c", &abandoned), BF_ISOTP_MORE);
	/* repeated frame */
	assert_int_equal(feed(&rx, "21060708090a0b0c", &abandoned), BF_ISOTP_BROKEN);
}

static void a_short_frame_in_the_middle_breaks_the_message(void **state)
{
	uint8_t buf[32];
	struct bf_isotp_rx rx = { .buf = buf, .cap = sizeof(buf) };
	bool abandoned;

	(void)state;
	assert_int_equal(feed(&rx, "1014000102030405", &abandoned), BF_ISOTP_ASK);
	assert_int_equal(feed(&rx, "210607", &abandoned), BF_ISOTP_BROKEN);
}

static void a_new_message_abandons_the_old(void **state)
{
	uint8_t buf[32];
	struct bf_isotp_rx rx = { .buf = buf, .cap = sizeof(buf) };
	bool abandoned;

	(void)state;
	assert_int_equal(feed(&rx, "1014000102030405", &abandoned), BF_ISOTP_ASK);
	assert_false(abandoned);
	assert_int_equal(feed(&rx, "027e00", &abandoned), BF_ISOTP_DONE);
	assert_true(abandoned);
	assert_int_equal(rx.total, 2);
	assert_int_equal(feed(&rx, "21060708090a0b0c", &abandoned), BF_ISOTP_NOTHING);
}

static void a_message_longer_than_the_buffer_is_an_overflow(void **state)
{
	uint8_t buf[10];
	struct bf_isotp_rx rx = { .buf = buf, .cap = sizeof(buf) };
	bool abandoned;

	(void)state;
	assert_int_equal(feed(&rx, "100b000102030405", &abandoned), BF_ISOTP_TOO_LONG);
	assert_int_equal(feed(&rx, "1000ffffffff0001", &abandoned), BF_ISOTP_TOO_LONG);
	assert_int_equal(feed(&rx, "100a000102030405", &abandoned), BF_ISOTP_ASK);
	assert_int_equal(feed(&rx, "2106070809aaaaaa", &abandoned), BF_ISOTP_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_those_of_an_independent_encoder),
		cmocka_unit_test(padding_fills_a_classic_frame),
		cmocka_unit_test(an_fd_frame_is_filled_to_a_length_that_exists),
		cmocka_unit_test(every_length_around_a_frame_boundary_survives),
		cmocka_unit_test(frames_that_the_standard_ignores_are_ignored),
		cmocka_unit_test(separation_times_decode_as_the_table_says),
		cmocka_unit_test(a_frame_out_of_sequence_breaks_the_message),
		cmocka_unit_test(a_short_frame_in_the_middle_breaks_the_message),
		cmocka_unit_test(a_new_message_abandons_the_old),
		cmocka_unit_test(a_message_longer_than_the_buffer_is_an_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
