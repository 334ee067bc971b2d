/* SPDX-License-Identifier: MIT */
/* What a version without its build number proves, as USB's bcdDevice tells one. */
#include "pack.h"

static const struct bf_version image = { .major = 2, .minor = 1, .build = 42 };
static const struct bf_version before = { .major = 2 };
static const struct bf_version same = { .major = 2, .minor = 1 };

static struct bf_run run_of(const struct bf_version *old, bool seen, unsigned caps)
{
	struct bf_run run = { .wanted.has_version = true,
			      .wanted.version = image,
			      .model = { .survives.image = caps & BF_CAP_DUAL_BANK ? BF_KNOWN_YES
										   : BF_KNOWN_NO,
					 .verified = seen ? BF_VERIFIED_READ : 0 } };

	run.session.ident.caps = caps;
	run.session.ident.has_version = old != NULL;
	if (old)
		run.session.ident.version = *old;
	return run;
}

static struct bf_ident tells(const struct bf_version *version, bool without_build)
{
	return (struct bf_ident){ .has_version = true,
				  .version = *version,
				  .version_short = without_build };
}

static void another_number_than_before_is_the_new_firmware(void **state)
{
	const struct bf_run run = run_of(&before, false, 0);
	const struct bf_ident now = tells(&same, true), old = tells(&before, true);

	(void)state;
	assert_true(bf_version_proves(&run, &now));
	assert_false(bf_version_proves(&run, &old));
}

static void the_same_number_proves_nothing_by_itself(void **state)
{
	const struct bf_run blind = run_of(&same, false, 0), dead = run_of(NULL, false, 0);
	const struct bf_ident now = tells(&same, true);

	(void)state;
	assert_false(bf_version_proves(&blind, &now));
	assert_false(bf_version_proves(&dead, &now));
}

static void the_same_number_out_of_the_one_bank_that_was_read_back_does(void **state)
{
	const struct bf_run seen = run_of(&same, true, 0);
	const struct bf_run banks = run_of(&same, true, BF_CAP_DUAL_BANK);
	const struct bf_ident now = tells(&same, true), old = tells(&before, true);

	(void)state;
	assert_true(bf_version_proves(&seen, &now));
	assert_false(bf_version_proves(&seen, &old));
	assert_false(bf_version_proves(&banks, &now)); /* either bank may run */
}

static void who_tells_builds_has_to_tell_the_right_one(void **state)
{
	const struct bf_run run = run_of(&before, true, 0);
	const struct bf_ident whole = tells(&image, false), other = tells(&same, false);

	(void)state;
	assert_true(bf_version_proves(&run, &whole));
	assert_false(bf_version_proves(&run, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_number_than_before_is_the_new_firmware),
		cmocka_unit_test(the_same_number_proves_nothing_by_itself),
		cmocka_unit_test(the_same_number_out_of_the_one_bank_that_was_read_back_does),
		cmocka_unit_test(who_tells_builds_has_to_tell_the_right_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
