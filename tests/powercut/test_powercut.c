/* SPDX-License-Identifier: MIT */
/*
 * The pack's power goes in the middle of every flash operation and at every request that it hears, through
 * all real layers. With power back it must run firmware, and the same command must end proven. A sample by
 * default; BF_EXHAUSTIVE=1 for each.
 */
#include "stack.h"

#include <stdio.h>

/* True when the cut came before the end of the flash. */
static bool cut_at(const char *base, const char *what, unsigned k)
{
	struct stack s;
	bool cut;
	char options[160];

	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	snprintf(options, sizeof(options), "%s,%s=%u", base, what, k);
	stack_run(&s, options);
	cut = s.out.rc != BF_OK;
	if (s.out.rc == BF_E_INTERNAL || s.out.rc == BF_E_USAGE)
		fail_msg("%s: %s", options, s.out.err.cause);
	/* Whatever it said: with power back there is firmware, and nothing was confirmed unproven. */
	s.job.kind = BF_JOB_PROBE;
	stack_run(&s, base);
	assert_stack_ended(&s, BF_OK, BF_STATE_UNTOUCHED);
	if (!s.ident.has_version)
		fail_msg("%s: no firmware runs", options);
	s.job.kind = BF_JOB_FLASH;
	stack_run(&s, base);
	if (s.out.rc || s.out.state != BF_STATE_NEW_PROVEN)
		fail_msg("%s: then %s '%s' notices:\n%s", options, bf_rc_info(s.out.rc)->name,
			 s.out.err.cause, s.notices);
	stack_done(&s);
	return cut;
}

/* From the first to beyond the end of an undisturbed flash; at least `least` of the cuts must bite. */
static void cut_everywhere(const char *base, const char *what, unsigned to, unsigned sample,
			   unsigned least)
{
	unsigned step = getenv("BF_EXHAUSTIVE") ? 1 : sample, bitten = 0;

	for (unsigned k = 1; k <= to; k += step)
		bitten += cut_at(base, what, k);
	printf("# %s: %u cuts by %s\n", base, bitten, what);
	assert_true(bitten >= least);
}

static void in_the_middle_of_a_flash_operation(void **state)
{
	(void)state;
	cut_everywhere("link=can", "cutop", 12000, 997, 1);
}

static void when_a_request_is_heard_on_can(void **state)
{
	(void)state;
	cut_everywhere("link=can", "cutmsg", 340, 23, 1);
}

static void when_a_request_is_heard_on_rs485(void **state)
{
	(void)state;
	cut_everywhere("link=rs485", "cutmsg", 400, 29, 1);
}

static void power_that_comes_back_by_itself(void **state)
{
	(void)state;
	cut_everywhere("link=can,repower=500", "cutmsg", 340, 37, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_the_middle_of_a_flash_operation),
		cmocka_unit_test(when_a_request_is_heard_on_can),
		cmocka_unit_test(when_a_request_is_heard_on_rs485),
		cmocka_unit_test(power_that_comes_back_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
