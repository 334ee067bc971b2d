/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "image/image_priv.h"

static struct bf_claim *taken(const char *text)
{
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };

	if (parse_text(text, &claim, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(bf_claim_meta(claim)->format, BF_FORMAT_SREC);
	return claim;
}

static void each_address_width_is_read(void **state)
{
	static const struct {
		const char *text;
		uint32_t addr;
	} rows[] = {
		{ "S1050010616227\nS9030000FC\n", 0x10 },
		{ "S20612345661629A\nS804000000FB\n", 0x123456 },
		{ "S3070801020061622A\nS70508010201EE\n", 0x08010200 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		BF_AUTO(bf_claim) *c = taken(rows[i].text);

		assert_int_equal(c->n_segs, 1);
		assert_int_equal(c->segs[0].addr, rows[i].addr);
		assert_memory_equal(c->segs[0].data, "ab", 2);
	}
}

static void header_and_count_are_passed_over(void **state)
{
	BF_AUTO(bf_claim) *c = taken("S0060000617070B8\nS1050000616237\nS1050002636431\n"
				     "S5030002FA\nS9030000FC\n");

	(void)state;
	assert_int_equal(c->n_segs, 1);
	assert_memory_equal(c->segs[0].data, "abcd", 4);
}

static void a_right_count_at_the_end_is_an_end(void **state)
{
	BF_AUTO(bf_claim) *c = taken("S1050000616237\nS1050002636431\nS5030002FA\n");

	(void)state;
	assert_memory_equal(c->segs[0].data, "abcd", 4);
	refused("S1050000616237\nS5030001FB\nS1050002636431\n",
		"no end record (S7, S8 or S9) up to line 3");
}

static void malformed_lines_are_named_to_the_column(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "S10500006162AA\n",
		  "line 1, column 13: checksum AA, but the record adds up to 37" },
		{ "S1060000616237\n",
		  "line 1, column 3: the record says 6 bytes follow, the line has 5" },
		{ "S1\n", "line 1, column 3: the record says 0 bytes follow" },
		{ "S101FE\n", "line 1, column 3: 1 bytes are too few for a record of type S1" },
		{ "S10500006!6237\n", "line 1, column 10: '!' is no hex digit" },
		{ "S1050000616237\nS5030003F9\n",
		  "line 2, column 5: counts 3 data records, but 1 came" },
		{ "S1050000616237\n", "no end record (S7, S8 or S9) up to line 1" },
		{ "S9030000FC\n", "holds no data" },
		{ "S9030000FC\nS1050000616237\n",
		  "line 2: a second part begins behind the end record in line 1" },
		{ "S4030000FC\n", "line 1, column 2: no such record type" },
		{ "S1050000616237\nQ\n", "line 2, column 1: a record begins with 'S'" },
		{ "S1050000616237\nS1050001616236\nS9030000FC\n", "address 0x00000001 twice" },
		{ "S307FFFFFFFF616239\n", "line 1, column 5: 2 bytes at 0xffffffff go past" },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++)
		refused(rows[i].text, rows[i].words);
}

static void empty_data_records_do_no_harm(void **state)
{
	BF_AUTO(bf_claim) *c = taken("S1030000FC\nS1050000616237\nS5030002FA\nS9030000FC\n");

	(void)state;
	assert_int_equal(c->segs[0].len, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_width_is_read),
		cmocka_unit_test(header_and_count_are_passed_over),
		cmocka_unit_test(a_right_count_at_the_end_is_an_end),
		cmocka_unit_test(malformed_lines_are_named_to_the_column),
		cmocka_unit_test(empty_data_records_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
