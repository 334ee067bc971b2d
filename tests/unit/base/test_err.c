/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <errno.h>

#include "bmsflash/err.h"

static void every_code_has_a_row_and_a_frozen_exit_status(void **state)
{
	static const struct {
		const char *name;
		int status;
	} frozen[] = {
		{ "ok", 0 },
		{ "internal", 1 },
		{ "usage", 2 },
		{ "interface", 10 },
		{ "busy", 11 },
		{ "no-device", 12 },
		{ "link", 13 },
		{ "image", 20 },
		{ "signature", 21 },
		{ "incompatible", 22 },
		{ "rollback-refused", 23 },
		{ "preflight", 30 },
		{ "auth", 31 },
		{ "refused", 32 },
		{ "unsupported", 33 },
		{ "mismatch", 40 },
		{ "restored", 41 },
		{ "needs-recovery", 42 },
		{ "not-recorded", 43 },
		{ "unproven", 44 },
		{ "interrupted", 50 },
	};
	size_t seen = 0;

	(void)state;
	for (size_t f = 0; f < BF_COUNT(frozen); f++) {
		for (int rc = 0; rc < BF_RC_COUNT; rc++) {
			const struct bf_rc_info *row = bf_rc_info((enum bf_rc)rc);

			if (strcmp(row->exit_name, frozen[f].name) != 0)
				continue;
			assert_int_equal(row->exit_status, frozen[f].status);
			seen++;
		}
	}
	assert_int_equal(seen, BF_RC_COUNT);
}

static void a_long_trail_does_not_push_the_cause_out(void **state)
{
	struct bf_err err;

	(void)state;
	bf_fail(&err, BF_E_TIMEOUT, "no answer to %s", "erase");
	for (int i = 0; i < 100; i++)
		bf_while(&err, "step %d", i);
	assert_string_equal(err.cause, "no answer to erase");
	assert_int_equal(err.n_trail, BF_ERR_STEPS);
	assert_string_equal(err.trail[0], "step 0");
	assert_int_equal(bf_while(&err, "one more"), BF_E_TIMEOUT);
}

static void the_three_kinds_keep_their_own_numbers(void **state)
{
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_fail_os(&err, BF_E_IFACE, ENOENT, "cannot open 'x'"), BF_E_IFACE);
	assert_int_equal(err.os, ENOENT);
	assert_false(err.dev_refused);
	assert_non_null(strstr(err.cause, "No such file"));
	bf_fail_dev(&err, BF_E_NAK, 0x22, "conditionsNotCorrect", "refused");
	assert_int_equal(err.os, 0);
	assert_true(err.dev_refused);
	assert_int_equal(err.dev_code, 0x22);
	assert_string_equal(err.dev_name, "conditionsNotCorrect");
}

static void texts_too_long_are_cut_not_overrun(void **state)
{
	struct bf_err err;
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	bf_fail_os(&err, BF_E_IFACE, ENOENT, "%s", text);
	bf_while(&err, "%s", text);
	for (int i = 0; i < 20; i++)
		bf_likely(&err, "%s", text);
	bf_next(&err, "%s", text);
	assert_int_equal(strlen(err.cause), BF_ERR_TEXT - 1);
	assert_int_equal(err.n_likely, BF_ERR_LIKELY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_row_and_a_frozen_exit_status),
		cmocka_unit_test(a_long_trail_does_not_push_the_cause_out),
		cmocka_unit_test(the_three_kinds_keep_their_own_numbers),
		cmocka_unit_test(texts_too_long_are_cut_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
