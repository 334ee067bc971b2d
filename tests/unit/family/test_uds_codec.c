/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "family/uds/uds_codec.h"

static struct bf_cur cursor(const char *hex, uint8_t *buf, size_t cap)
{
	size_t len = 0;

	assert_true(bf_unhex(hex, buf, cap, &len));
	return bf_cur(buf, len);
}

static void answers_are_told_apart(void **state)
{
	static const struct {
		const char *answer;
		enum uds_answer want;
	} rows[] = {
		/* beside the request 31 01 F0 B4, positive ones of at least 5 bytes */
		{ "7101f0b400", UDS_ANSWER_POSITIVE },
		{ "7101f0b4", UDS_ANSWER_DAMAGED },
		{ "7101f0", UDS_ANSWER_DAMAGED },
		{ "71", UDS_ANSWER_DAMAGED },
		{ "7101f0b300", UDS_ANSWER_OTHER },
		{ "7102f0b400", UDS_ANSWER_OTHER },
		{ "7f3178", UDS_ANSWER_NEGATIVE },
		{ "7f31", UDS_ANSWER_DAMAGED },
		{ "7f317800", UDS_ANSWER_DAMAGED },
		{ "7f3678", UDS_ANSWER_OTHER },
		{ "7f36", UDS_ANSWER_OTHER },
		{ "7f", UDS_ANSWER_DAMAGED },
		{ "", UDS_ANSWER_DAMAGED },
		{ "77", UDS_ANSWER_OTHER },
		{ "3101f0b400", UDS_ANSWER_OTHER },
	};
	static const uint8_t req[] = { 0x31, 0x01, 0xF0, 0xB4 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		uint8_t buf[8], nrc = 0;
		struct bf_cur c = cursor(rows[i].answer, buf, sizeof(buf));

		assert_int_equal(bf_uds_classify(buf, c.len, req, 3, 5, &nrc), rows[i].want);
		assert_int_equal(nrc, rows[i].want == UDS_ANSWER_NEGATIVE ? 0x78 : 0);
	}
}

static void transfer_exit_is_answered_by_one_byte(void **state)
{
	static const uint8_t req[] = { 0x37 };
	uint8_t nrc;

	(void)state;
	assert_int_equal(bf_uds_classify((const uint8_t *)"\x77", 1, req, 0, 1, &nrc),
			 UDS_ANSWER_POSITIVE);
}

static void session_times_have_two_units(void **state)
{
	uint8_t buf[8];
	struct bf_cur c = cursor("003201f4", buf, sizeof(buf));
	struct bf_cur cut = cursor("003201", buf + 4, 4);
	bf_time p2 = 0, p2_star = 0;

	(void)state;
	assert_true(bf_uds_read_times(&c, &p2, &p2_star));
	assert_int_equal(p2, BF_MS(50));
	assert_int_equal(p2_star, BF_SEC(5));
	assert_false(bf_uds_read_times(&cut, &p2, &p2_star));
}

static void block_lengths_come_in_one_to_eight_bytes(void **state)
{
	static const struct {
		const char *hex;
		bool good;
		uint32_t want;
	} rows[] = {
		{ "10ff", true, 255 },
		{ "200fff", true, 4095 },
		{ "4000010000", true, 65536 },
		{ "80ffffffffffffffff", true, UINT32_MAX },
		{ "00", true, 0 },
		{ "", false, 0 },
		{ "20ff", false, 0 },
		{ "90112233445566778899", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		uint8_t buf[16];
		struct bf_cur c = cursor(rows[i].hex, buf, sizeof(buf));
		uint32_t got = 0;

		assert_int_equal(bf_uds_read_block_len(&c, &got), rows[i].good);
		assert_int_equal(got, rows[i].want);
	}
}

static void a_region_beyond_the_address_space_is_not_believed(void **state)
{
	static const char *const bad[] = {
		/* kind slot access address size erase write name */
		"01000007fffff0000000200000001000000841",               /* cut short */
		"01000007ffffff00000002000000100000084141414141414141", /* wraps */
		"0100000700000000000000000000100000084141414141414141", /* empty */
	};
	static const char last[] = "01000007ffffff00000001000000100000084141414141414141";
	struct bf_region r[1];
	uint8_t buf[64];
	struct bf_cur c;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		c = cursor(bad[i], buf, sizeof(buf));
		assert_false(bf_uds_read_map(&c, r, 1, &n));
	}
	c = cursor(last, buf, sizeof(buf));
	assert_true(bf_uds_read_map(&c, r, 1, &n));
	assert_int_equal(n, 1);
	c = cursor(last, buf, sizeof(buf));
	assert_false(bf_uds_read_map(&c, r, 0, &n));
}

static void a_digest_longer_than_any_is_not_believed(void **state)
{
	uint8_t msg[128] = { [0] = 1, [14] = 65 };
	struct bf_cur c = bf_cur(msg, sizeof(msg));
	struct bf_slot slots[4];
	size_t n;

	(void)state;
	assert_false(bf_uds_read_banks(&c, slots, 4, &n));
	msg[14] = 64;
	c = bf_cur(msg, sizeof(msg));
	assert_true(bf_uds_read_banks(&c, slots, 4, &n));
	assert_int_equal(slots[0].digest_len, 64);
}

static void text_is_made_safe_for_a_terminal(void **state)
{
	static const uint8_t bytes[] = "A\x1B[31m\xC3\xA9 B \0\xFF ";
	struct bf_cur c = bf_cur(bytes, sizeof(bytes) - 1);
	char text[32], small[4];

	(void)state;
	bf_uds_read_text(&c, text, sizeof(text));
	assert_string_equal(text, "A?[31m?? B");
	c = bf_cur("abcdef", 6);
	bf_uds_read_text(&c, small, sizeof(small));
	assert_string_equal(small, "abc");
	c = bf_cur(NULL, 0);
	bf_uds_read_text(&c, text, sizeof(text));
	assert_string_equal(text, "");
}

static void numbers_of_every_width_and_sign_are_scaled(void **state)
{
	static const uint8_t ff[] = { 0xFF, 0xFE, 0xFF, 0xFE };
	static const struct {
		uint8_t width;
		bool is_signed;
		double want;
	} rows[] = {
		{ 1, false, 255 },        { 1, true, -1 },        { 2, false, 65534 },
		{ 2, true, -2 },          { 3, false, 16776959 }, { 3, true, -257 },
		{ 4, false, 4294901758 }, { 4, true, -65538 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct bf_quantity_map q = { .width = rows[i].width,
						   .is_signed = rows[i].is_signed,
						   .count = 1,
						   .scale = 0.5,
						   .add = 10 };
		double got = 0;

		assert_int_equal(bf_quantity_read(&q, ff, sizeof(ff), &got, 1), 1);
		assert_true(got == rows[i].want * 0.5 + 10);
	}
}

static void arrays_hold_what_is_there_and_no_more(void **state)
{
	static const uint8_t bytes[7] = { 9, 0, 1, 0, 2, 0, 3 };
	struct bf_quantity_map q = { .offset = 1, .width = 2, .scale = 1 };
	double got[4];

	(void)state;
	assert_int_equal(bf_quantity_read(&q, bytes, 7, got, 4), 3);
	assert_int_equal(bf_quantity_read(&q, bytes, 6, got, 4), 2);
	assert_int_equal(bf_quantity_read(&q, bytes, 7, got, 2), 2);
	assert_int_equal(bf_quantity_read(&q, bytes, 0, got, 4), 0);
	q.count = 1;
	assert_int_equal(bf_quantity_read(&q, bytes, 7, got, 4), 1);
	q.width = 0;
	assert_int_equal(bf_quantity_read(&q, bytes, 7, got, 4), 0);
}

static void rates_have_the_numbers_of_the_standard(void **state)
{
	(void)state;
	assert_int_equal(bf_uds_rate_id(115200, false), 0x05);
	assert_int_equal(bf_uds_rate_id(115200, true), 0);
	assert_int_equal(bf_uds_rate_id(1000000, true), 0x13);
	assert_int_equal(bf_uds_rate_id(1000000, false), 0);
}

static void versions_come_as_digits_bytes_or_one_number(void **state)
{
	static const struct {
		enum bf_version_format format;
		uint8_t bytes[5];
		size_t len;
		bool good;
		const char *text;
	} rows[] = {
		{ BF_VERSION_FORMAT_BCD, { 0x01, 0x15, 0x09 }, 3, true, "1.15.9" },
		{ BF_VERSION_FORMAT_BCD, { 0x01, 0x1A }, 2, false, NULL },
		{ BF_VERSION_FORMAT_BINARY, { 1, 0x1A }, 2, true, "1.26.0" },
		{ BF_VERSION_FORMAT_BINARY, { 1, 2, 3, 4 }, 4, true, "1.2.3+4" },
		{ BF_VERSION_FORMAT_BINARY, { 1, 2, 3, 4, 5 }, 5, false, NULL },
		{ BF_VERSION_FORMAT_BINARY, { 0 }, 0, false, NULL },
		{ BF_VERSION_FORMAT_U16, { 0x01, 0x05 }, 2, true, "1.5.0" },
		{ BF_VERSION_FORMAT_U16, { 0x01 }, 1, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_cur c = bf_cur(rows[i].bytes, rows[i].len);
		char text[BF_VERSION_TEXT];
		struct bf_version v;

		assert_int_equal(bf_uds_read_version(rows[i].format, &c, &v), rows[i].good);
		if (rows[i].good)
			assert_string_equal(bf_version_text(&v, text), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_told_apart),
		cmocka_unit_test(transfer_exit_is_answered_by_one_byte),
		cmocka_unit_test(session_times_have_two_units),
		cmocka_unit_test(block_lengths_come_in_one_to_eight_bytes),
		cmocka_unit_test(a_region_beyond_the_address_space_is_not_believed),
		cmocka_unit_test(a_digest_longer_than_any_is_not_believed),
		cmocka_unit_test(text_is_made_safe_for_a_terminal),
		cmocka_unit_test(numbers_of_every_width_and_sign_are_scaled),
		cmocka_unit_test(arrays_hold_what_is_there_and_no_more),
		cmocka_unit_test(rates_have_the_numbers_of_the_standard),
		cmocka_unit_test(versions_come_as_digits_bytes_or_one_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
