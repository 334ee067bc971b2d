/* SPDX-License-Identifier: MIT */
/*
 * New firmware wipes the configuration, and the pack's power goes at a flash operation or at a request: also
 * while the configuration is being put back. The same command afterwards ends proven, with the configuration of
 * before. A sample by default; BF_EXHAUSTIVE=1 for each.
 */
#include "stack.h"

#include <stdio.h>

#include "bmsflash/bytes.h"
#include "engine/run.h"

#define BASE "link=can,wipe=blank"

static bool configuration_is_whole(struct stack *s)
{
	struct bf_archive a = { 0 };
	const struct bf_archive_member *m;
	struct bf_err err;
	bool whole;

	bf_err_init(&err);
	s->job.kind = BF_JOB_BACKUP;
	stack_run(s, BASE);
	assert_stack_ended(s, BF_OK, BF_STATE_UNTOUCHED);
	assert_int_equal(bf_archive_read(&a, s->file, &err), BF_OK);
	m = bf_archive_find(&a, "regions/config.bin");
	assert_non_null(m);
	whole = memcmp(m->data, "cells=16\n", 9) == 0;
	bf_archive_done(&a);
	return whole;
}

/* True when the cut came before the end of the flash. */
static bool cut_at(const char *what, unsigned k)
{
	struct stack s;
	char options[160];
	bool cut;

	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	snprintf(options, sizeof(options), BASE ",%s=%u", what, k);
	stack_run(&s, options);
	cut = s.out.rc != BF_OK;
	stack_run(&s, BASE);
	if (s.out.rc || s.out.state != BF_STATE_NEW_PROVEN)
		fail_msg("%s: then %s '%s' notices:\n%s", options, bf_rc_info(s.out.rc)->name,
			 s.out.err.cause, s.notices);
	if (!configuration_is_whole(&s))
		fail_msg("%s: the configuration is not what it was; notices:\n%s", options,
			 s.notices);
	stack_done(&s);
	return cut;
}

static void cut_everywhere(const char *what, unsigned from, unsigned to, unsigned sample)
{
	unsigned step = getenv("BF_EXHAUSTIVE") ? 1 : sample, bitten = 0;

	for (unsigned k = from; k <= to; k += step)
		bitten += cut_at(what, k);
	printf("# %s: %u cuts by %s\n", BASE, bitten, what);
	assert_true(bitten >= 1);
}

static void at_a_flash_operation(void **state)
{
	(void)state;
	cut_everywhere("cutop", 5501, 12000, 811);
}

static void at_a_request(void **state)
{
	(void)state;
	cut_everywhere("cutmsg", 90, 340, 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_a_flash_operation),
		cmocka_unit_test(at_a_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
