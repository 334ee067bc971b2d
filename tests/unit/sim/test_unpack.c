/* SPDX-License-Identifier: MIT */
/* The pack's unpacker against blocks written down by hand. */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "unpack.h"

static bool unpack(struct bf_unpacker *u, const char *hex, const uint8_t **ret, size_t *ret_len)
{
	uint8_t block[256];
	size_t n;

	assert_true(bf_unhex(hex, block, sizeof(block), &n));
	return bf_unpack(u, block, n, ret, ret_len);
}

static void the_example_of_the_manual_page(void **state)
{
	static struct bf_unpacker u;
	static const uint8_t want[20] = { [15] = 1, 2, 3, 4, 5 };
	const uint8_t *p;
	size_t n;

	(void)state;
	u.len = 0;
	assert_true(unpack(&u, "1a000100500102030405", &p, &n));
	assert_int_equal(n, sizeof(want));
	assert_memory_equal(p, want, n);
}

static void a_match_reaches_into_the_block_before(void **state)
{
	static struct bf_unpacker u;
	const uint8_t *p;
	size_t n;

	(void)state;
	u.len = 0;
	assert_true(unpack(&u, "804142434445464748", &p, &n));
	assert_true(unpack(&u, "0408001058", &p, &n));
	assert_int_equal(n, 9);
	assert_memory_equal(p, "ABCDEFGHX", 9);
}

static void long_lengths_are_summed_up(void **state)
{
	static struct bf_unpacker u;
	const uint8_t *p;
	size_t n;

	(void)state;
	u.len = 0;
	/* one literal, then 4 + 15 + 255 + 0 from one back, no literals */
	assert_true(unpack(&u, "1f5a0100ff0000", &p, &n));
	assert_int_equal(n, 1 + 274);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i], 0x5A);
}

static void what_is_not_a_block_changes_nothing(void **state)
{
	static struct bf_unpacker u;
	static const char *const bad[] = {
		"",
		"20aa",     /* a literal is missing */
		"1aaa0000", /* offset 0 */
		"1aaa0200", /* back before the first byte */
		"1aaa01",   /* half an offset */
		"1faa0100", /* length goes on, block does not */
		"1aaa0100", /* ends in a match */
		"f0ff",     /* literal length goes on */
		"1faa0100ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ff"
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff0000", /* too long */
	};
	const uint8_t *p;
	size_t n;

	(void)state;
	u.len = 0;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		assert_false(unpack(&u, bad[i], &p, &n));
		assert_int_equal(u.len, 0);
	}
}

static void the_window_slides(void **state)
{
	static struct bf_unpacker u;
	uint8_t block[10] = { 0x80 };
	const uint8_t *p;
	size_t n;

	(void)state;
	u.len = 0;
	for (unsigned i = 0; i < 20000; i++) {
		bf_put_be32(block + 1, i);
		bf_put_be32(block + 5, ~i);
		assert_true(bf_unpack(&u, block, 9, &p, &n));
		assert_int_equal(n, 8);
		assert_int_equal(bf_get_be32(p), i);
	}
	/* 65528 back lies block 20000 - 8191 */
	assert_true(unpack(&u, "04f8ff00", &p, &n));
	assert_int_equal(n, 8);
	assert_int_equal(bf_get_be32(p), 20000 - 8191);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_manual_page),
		cmocka_unit_test(a_match_reaches_into_the_block_before),
		cmocka_unit_test(long_lengths_are_summed_up),
		cmocka_unit_test(what_is_not_a_block_changes_nothing),
		cmocka_unit_test(the_window_slides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
