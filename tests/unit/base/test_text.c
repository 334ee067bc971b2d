/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/err.h"
#include "bmsflash/text.h"

static void assert_escaped(const char *src, const char *want)
{
	char got[128], again[128];

	assert_string_equal(bf_text_escape(got, sizeof(got), src), want);
	assert_string_equal(bf_text_escape(again, sizeof(again), got), want);
}

static void ordinary_text_stays_as_it_is(void **state)
{
	(void)state;
	assert_escaped("", "");
	assert_escaped("BMS-16S-R3 \\ ' \" 25 %", "BMS-16S-R3 \\ ' \" 25 %");
	assert_escaped("Grüße, 電池, 🔋", "Grüße, 電池, 🔋");
}

static void what_a_terminal_obeys_becomes_visible(void **state)
{
	(void)state;
	assert_escaped("a\nb\rc\td\a", "a\\nb\\rc\\td\\a");
	assert_escaped("\x1b[2J\x7f", "\\x1b[2J\\x7f");
	assert_escaped("\xc2\x9b"
		       "2J\xc2\x85",
		       "\\u009b2J\\u0085");
	assert_escaped("\xe2\x80\xae"
		       "gpj\xe2\x81\xa6",
		       "\\u202egpj\\u2066");
	assert_escaped("\xe2\x80\xa8", "\\u2028");
}

static void what_is_not_utf8_becomes_visible(void **state)
{
	(void)state;
	assert_escaped("\xff\x9b\xc0\xaf", "\\xff\\x9b\\xc0\\xaf"); /* overlong */
	assert_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
	assert_escaped("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
	assert_escaped("cut \xe2\x82", "cut \\xe2\\x82");
}

static void a_nul_inside_a_counted_text_becomes_visible(void **state)
{
	char got[32];

	(void)state;
	assert_string_equal(bf_text_escape_n(got, sizeof(got), "a\0b", 3), "a\\x00b");
}

static void it_is_cut_at_a_whole_character_or_escape(void **state)
{
	char got[8];

	(void)state;
	assert_string_equal(bf_text_escape(got, 4, "ab\x1b"), "ab");
	assert_string_equal(bf_text_escape(got, 4, "ab\xc3\xbc"), "ab");
	assert_string_equal(bf_text_escape(got, 5, "ab\xc3\xbc"), "ab\xc3\xbc");
	assert_string_equal(bf_text_escape(got, 1, "x"), "");
}

static void no_text_in_an_error_forges_a_line(void **state)
{
	static const char evil[] = "x\nNew firmware 9.9.9 is verified by the pack.\x1b[A";
	struct bf_err err;

	(void)state;
	bf_fail_dev(&err, BF_E_NAK, 0x31, "out\nof range", "cannot read '%s'", evil);
	bf_while(&err, "reading '%s'", evil);
	bf_likely(&err, "%s", evil);
	bf_next(&err, "rm '%s'", evil);
	assert_null(strpbrk(err.cause, "\n\x1b"));
	assert_null(strpbrk(err.trail[0], "\n\x1b"));
	assert_null(strpbrk(err.likely[0], "\n\x1b"));
	assert_null(strpbrk(err.next, "\n\x1b"));
	assert_string_equal(err.dev_name, "out\\nof range");
	assert_string_equal(err.trail[0], "reading 'x\\nNew firmware 9.9.9 is verified by the "
					  "pack.\\x1b[A'");
	bf_fail_os(&err, BF_E_IFACE, 2, "no '%s'", evil);
	assert_non_null(strstr(err.cause, "\\x1b[A': No such file or directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_text_stays_as_it_is),
		cmocka_unit_test(what_a_terminal_obeys_becomes_visible),
		cmocka_unit_test(what_is_not_utf8_becomes_visible),
		cmocka_unit_test(a_nul_inside_a_counted_text_becomes_visible),
		cmocka_unit_test(it_is_cut_at_a_whole_character_or_escape),
		cmocka_unit_test(no_text_in_an_error_forges_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
