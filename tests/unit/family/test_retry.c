/* SPDX-License-Identifier: MIT */
/* What may be asked again, how often, and what ends it. */
#include "../unit.h"

#include "bmsflash/family.h"

static void each_class_has_its_number_of_tries(void **state)
{
	static const unsigned tries[] = { [BF_RETRY_IDEMPOTENT] = 5,
					  [BF_RETRY_COUNTED] = 2,
					  [BF_RETRY_STEERED] = 5,
					  [BF_RETRY_APPEND_ONLY] = 1,
					  [BF_RETRY_DESTRUCTIVE] = 1 };
	BF_AUTO(bf_clock) *clock = bf_vclock_new();

	(void)state;
	for (unsigned c = 0; c < BF_COUNT(tries); c++) {
		struct bf_retry r;
		unsigned n = 1;

		bf_retry_default(&r);
		while (bf_retry_again(&r, clock, (enum bf_retry_class)c, n,
				      n % 2 ? BF_E_TIMEOUT : BF_E_LINK))
			n++;
		assert_int_equal(n, tries[c]);
		assert_int_equal(r.repeats[c], tries[c] - 1);
		assert_int_equal(r.timeouts + r.damaged, tries[c]);
	}
}

static void an_answer_is_never_asked_for_again(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct bf_retry r;

	(void)state;
	bf_retry_default(&r);
	assert_false(bf_retry_again(&r, clock, BF_RETRY_IDEMPOTENT, 1, BF_E_NAK));
	assert_int_equal(r.timeouts + r.damaged + r.repeats[BF_RETRY_IDEMPOTENT], 0);
}

static void a_pause_that_the_user_ends_is_no_repeat(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct bf_retry r;

	(void)state;
	bf_retry_default(&r);
	clock->cancelled = true;
	assert_false(bf_retry_again(&r, clock, BF_RETRY_IDEMPOTENT, 1, BF_E_TIMEOUT));
	assert_int_equal(r.repeats[BF_RETRY_IDEMPOTENT], 0);
	assert_int_equal(r.timeouts, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_class_has_its_number_of_tries),
		cmocka_unit_test(an_answer_is_never_asked_for_again),
		cmocka_unit_test(a_pause_that_the_user_ends_is_no_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
