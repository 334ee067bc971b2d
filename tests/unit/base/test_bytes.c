/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/bytes.h"

static void cursor_reads_both_orders(void **state)
{
	const uint8_t b[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	struct bf_cur c = bf_cur(b, sizeof(b));

	(void)state;
	assert_int_equal(bf_cur_le16(&c), 0x0201);
	assert_int_equal(bf_cur_be16(&c), 0x0304);
	assert_int_equal(bf_cur_le32(&c), 0x08070605);
	assert_int_equal(bf_cur_be(&c, 3), 0x090A0B);
	assert_int_equal(bf_cur_left(&c), 1);
	assert_false(c.failed);
}

static void reading_past_the_end_gives_zero_and_sticks(void **state)
{
	const uint8_t b[] = { 0xFF, 0xFF, 0xFF };
	struct bf_cur c = bf_cur(b, sizeof(b));

	(void)state;
	assert_int_equal(bf_cur_le32(&c), 0);
	assert_true(c.failed);
	assert_int_equal(bf_cur_u8(&c), 0);
	assert_int_equal(bf_cur_left(&c), 0);
}

static void huge_lengths_do_not_wrap(void **state)
{
	const uint8_t b[4] = { 0 };
	struct bf_cur c = bf_cur(b, sizeof(b));

	(void)state;
	bf_cur_u8(&c);
	assert_null(bf_cur_bytes(&c, SIZE_MAX));
	assert_true(c.failed);
}

static void a_sub_cursor_ends_where_it_should(void **state)
{
	const uint8_t b[] = { 1, 2, 3, 4 };
	struct bf_cur c = bf_cur(b, sizeof(b));
	struct bf_cur s = bf_cur_sub(&c, 2);

	(void)state;
	bf_cur_be32(&s);
	assert_true(s.failed);
	assert_int_equal(bf_cur_be16(&c), 0x0304);
	s = bf_cur_sub(&c, 1);
	assert_true(s.failed);
}

static void writer_refuses_what_does_not_fit(void **state)
{
	uint8_t b[5] = { 0 };
	struct bf_out o = bf_out(b, sizeof(b));

	(void)state;
	bf_out_be32(&o, 0x01020304);
	bf_out_be16(&o, 0x0506);
	assert_true(o.failed);
	assert_int_equal(o.len, 4);
	assert_memory_equal(b, "\1\2\3\4\0", 5);
}

static void hex_goes_both_ways_and_refuses_rubbish(void **state)
{
	uint8_t b[4];
	size_t n = 0;
	char text[9];

	(void)state;
	assert_true(bf_unhex("00fFA5", b, sizeof(b), &n));
	assert_int_equal(n, 3);
	assert_string_equal(bf_hex(text, sizeof(text), b, n), "00ffa5");
	assert_false(bf_unhex("0", b, sizeof(b), &n));
	assert_false(bf_unhex("0g", b, sizeof(b), &n));
	assert_false(bf_unhex("0011223344", b, sizeof(b), &n));
}

static void trailing_counts_from_the_end(void **state)
{
	const uint8_t b[] = { 0xFF, 1, 0xFF, 0xFF };

	(void)state;
	assert_int_equal(bf_trailing(b, 4, 0xFF), 2);
	assert_int_equal(bf_trailing(b, 1, 0xFF), 1);
	assert_int_equal(bf_trailing(b, 0, 0xFF), 0);
}

static void an_absent_buffer_of_no_bytes_is_read_and_written_without_arithmetic(void **state)
{
	struct bf_cur c = bf_cur(NULL, 0), sub;
	struct bf_out o = bf_out(NULL, 0);

	(void)state;
	assert_non_null(bf_cur_bytes(&c, 0));
	sub = bf_cur_sub(&c, 0);
	assert_false(c.failed || sub.failed);
	bf_out_bytes(&o, NULL, 0);
	assert_false(o.failed);
	assert_int_equal(bf_cur_u8(&c), 0);
	assert_true(c.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_absent_buffer_of_no_bytes_is_read_and_written_without_arithmetic),
		cmocka_unit_test(cursor_reads_both_orders),
		cmocka_unit_test(reading_past_the_end_gives_zero_and_sticks),
		cmocka_unit_test(huge_lengths_do_not_wrap),
		cmocka_unit_test(a_sub_cursor_ends_where_it_should),
		cmocka_unit_test(writer_refuses_what_does_not_fit),
		cmocka_unit_test(hex_goes_both_ways_and_refuses_rubbish),
		cmocka_unit_test(trailing_counts_from_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
