/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "image/image_priv.h"

static struct bf_claim *taken(const char *text)
{
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };

	if (parse_text(text, &claim, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(bf_claim_meta(claim)->format, BF_FORMAT_IHEX);
	return claim;
}

static void records_join_across_their_lines(void **state)
{
	BF_AUTO(bf_claim) *c = taken(":020000040801F1\n"
				     ":02020000616239\n"
				     ":02020200636433\n"
				     ":0400000508010201EB\n"
				     ":00000001FF\n");

	(void)state;
	assert_int_equal(c->n_segs, 1);
	assert_int_equal(c->segs[0].addr, 0x08010200);
	assert_int_equal(c->segs[0].len, 4);
	assert_memory_equal(c->segs[0].data, "abcd", 4);
}

static void segment_base_counts_in_paragraphs(void **state)
{
	BF_AUTO(bf_claim) *c = taken(":020000021000EC\n:0200100061622B\n:00000001FF\n");

	(void)state;
	assert_int_equal(c->segs[0].addr, 0x10010);
}

static void records_in_any_order_become_one_segment(void **state)
{
	BF_AUTO(bf_claim) *c = taken(":02000200636435\n:0200000061623B\n:00000001FF\n");

	(void)state;
	assert_int_equal(c->n_segs, 1);
	assert_memory_equal(c->segs[0].data, "abcd", 4);
}

static void holes_are_never_filled(void **state)
{
	BF_AUTO(bf_claim) *c = taken(":0200000061623B\n:02000300636434\n:00000001FF\n");

	(void)state;
	assert_int_equal(c->n_segs, 2);
	assert_int_equal(c->segs[0].len, 2);
	assert_int_equal(c->segs[1].addr, 3);
}

static void line_ends_case_and_blank_lines_do_not_matter(void **state)
{
	BF_AUTO(bf_claim) *c = taken("\r\n:02000000abcd86\r\n\r\n:00000001ff");

	(void)state;
	assert_memory_equal(c->segs[0].data, "\xAB\xCD", 2);
}

static void overlap_names_both_places(void **state)
{
	(void)state;
	refused(":0200000061623B\n:0200010061623A\n:00000001FF\n",
		"address 0x00000001 twice: in lines 1 to 1, and again in lines 2 to 2");
	refused(":0200010061623A\n:0200000061623B\n:00000001FF\n",
		"address 0x00000001 twice: in lines 1 to 1, and again in lines 2 to 2");
}

static void malformed_lines_are_named_to_the_column(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ ":02000000616G3B\n", "line 1, column 13: 'G' is no hex digit" },
		{ ":0200000061\x01\x31"
		  "3B\n",
		  "line 1, column 12: byte 0x01 is no hex digit" },
		{ ":0200000061623B\n:0200020063643\n",
		  "line 2, column 14: the line ends in the middle" },
		{ ":0200000061623C\n",
		  "line 1, column 14: checksum 3C, but the record adds up to 3B" },
		{ ":0300000061623A\n",
		  "line 1, column 2: the record says 3 bytes of data, the line has 2" },
		{ ":0000\n", "line 1: record of 2 bytes, the shortest has 5" },
		{ ":00000006FA\n", "line 1, column 8: record type 06" },
		{ ":0100000400FB\n",
		  "line 1, column 2: a record of type 04 has 2 bytes of data, this one 1" },
		{ ":0100000100FE\n", "a record of type 01 has 0 bytes of data" },
		{ ":0200000061623B\nhello\n", "line 2, column 1: a record begins with ':'" },
		{ ":0200000061623B\n", "no end record (type 01) up to line 1" },
		{ ":00000001FF\n:0200000061623B\n",
		  "line 2: a second part begins behind the end record in line 1" },
		{ ":00000001FF\n", "holds no data" },
		{ ":020000021000EC\n:02FFFF0061623D\n",
		  "line 2, column 4: 2 bytes at offset 0xffff cross" },
		{ ":02000004FFFFFC\n:02FFFF0061623D\n",
		  "past the end of the 32-bit address space" },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++)
		refused(rows[i].text, rows[i].words);
}

static void a_line_longer_than_any_record_is_refused(void **state)
{
	char text[700];

	(void)state;
	memset(text, '0', sizeof(text));
	text[0] = ':';
	text[sizeof(text) - 1] = '\0';
	refused(text, "longer than any record");
}

/* 255 bytes is the longest that a record can carry. */
static void the_longest_record_is_taken(void **state)
{
	char text[600] = ":FF000000";
	size_t at = 9;
	uint8_t sum = 0xFF;

	(void)state;
	for (size_t i = 0; i < 255; i++, at += 2) {
		snprintf(text + at, 3, "%02X", (unsigned)i);
		sum = (uint8_t)(sum + i);
	}
	snprintf(text + at, sizeof(text) - at, "%02X\n:00000001FF\n", (uint8_t)-sum);
	bf_claim_free(taken(text));
}

static void the_last_byte_of_the_address_space_is_usable(void **state)
{
	BF_AUTO(bf_claim) *c = taken(":02000004FFFFFC\n:02FFFE0061623E\n:00000001FF\n");

	(void)state;
	assert_int_equal(c->segs[0].addr, 0xFFFFFFFE);
	assert_int_equal(c->segs[0].len, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_join_across_their_lines),
		cmocka_unit_test(segment_base_counts_in_paragraphs),
		cmocka_unit_test(records_in_any_order_become_one_segment),
		cmocka_unit_test(holes_are_never_filled),
		cmocka_unit_test(line_ends_case_and_blank_lines_do_not_matter),
		cmocka_unit_test(overlap_names_both_places),
		cmocka_unit_test(malformed_lines_are_named_to_the_column),
		cmocka_unit_test(a_line_longer_than_any_record_is_refused),
		cmocka_unit_test(the_longest_record_is_taken),
		cmocka_unit_test(the_last_byte_of_the_address_space_is_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
