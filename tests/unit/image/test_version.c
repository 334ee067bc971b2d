/* SPDX-License-Identifier: MIT */
#include "helpers.h"

static void text_and_number_agree(void **state)
{
	static const char *const good[] = { "0.0.0", "1.5.0", "2.1.0+42",
					    "255.255.65535+4294967295" };
	char text[BF_VERSION_TEXT];
	struct bf_version v;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(good); i++) {
		assert_true(bf_version_parse(good[i], &v));
		assert_string_equal(bf_version_text(&v, text), good[i]);
	}
}

static void loose_text_is_refused(void **state)
{
	static const char *const bad[] = { "",          "1",         "1.5",
					   "1.5.",      "1.5.0.",    "v1.5.0",
					   "1.5.0 ",    " 1.5.0",    "01.5.0",
					   "1.05.0",    "256.0.0",   "1.256.0",
					   "1.0.65536", "1.5.0+",    "1.5.0+x",
					   "-1.0.0",    "1.5.0-rc1", "1.5.0+4294967296",
					   "1.5.0+1+2", "1..0",      "99999999999999999999.0.0" };
	struct bf_version v = { 9, 9, 9, 9 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++)
		if (bf_version_parse(bad[i], &v))
			fail_msg("taken: '%s'", bad[i]);
	assert_int_equal(v.build, 9);
}

static void order_goes_from_major_to_build(void **state)
{
	static const struct bf_version rising[] = {
		{ 0, 9, 9, 9 }, { 1, 0, 0, 0 }, { 1, 0, 0, 1 },  { 1, 0, 1, 0 },
		{ 1, 2, 0, 0 }, { 1, 2, 3, 0 }, { 1, 10, 0, 0 }, { 2, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rising); i++)
		for (size_t k = 0; k < BF_COUNT(rising); k++) {
			int by = bf_version_cmp(&rising[i], &rising[k]);

			assert_int_equal((by > 0) - (by < 0), (i > k) - (i < k));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_number_agree),
		cmocka_unit_test(loose_text_is_refused),
		cmocka_unit_test(order_goes_from_major_to_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
