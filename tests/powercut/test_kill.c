/* SPDX-License-Identifier: MIT */
/*
 * The computer is gone between two events, another image follows, the disk is full at each call that writes a
 * file. The same command, typed again, must end proven. Killed at each call: kills.c.
 */
#include "kill.h"

#include <stdio.h>

#include "whole.h"

static const char *const packs[] = { "link=can", "link=can,quirk=singlebank" };

static void begin(struct stack *s, char record[96])
{
	stack_init(s, "mcuboot/app-1.5.0.signed.bin");
	snprintf(record, 96, "%s/record", s->folder);
	s->job.record = record;
}

static void assert_files_are_whole(const struct stack *s)
{
	struct bf_err err;

	bf_err_init(&err);
	if (!whole_files(s->folder, &err))
		fail_msg("%s", err.cause);
}

static void assert_same_command_mends(struct stack *s, const char *pack, unsigned k)
{
	struct bf_err err;
	size_t lines;

	bf_err_init(&err);
	stack_run(s, pack);
	if (s->out.rc || s->out.state != BF_STATE_NEW_PROVEN)
		fail_msg("%s, gone at %u: %s '%s' notices:\n%s", pack, k,
			 bf_rc_info(s->out.rc)->name, s->out.err.cause, s->notices);
	if (bf_record_check(s->job.record, &lines, &err))
		fail_msg("%s, gone at %u: %s", pack, k, err.cause);
	assert_true(lines >= 1);
}

static void computer_gone_at_every_ninth_event(void **state)
{
	(void)state;
	for (size_t i = 0; i < BF_COUNT(packs); i++) {
		unsigned k = 1, n = 0;
		bool gone;

		do {
			struct stack s;
			char record[96];

			begin(&s, record);
			gone = kill_run(&s, packs[i], k);
			assert_files_are_whole(&s);
			assert_same_command_mends(&s, packs[i], k);
			stack_done(&s);
			n += gone;
			k += 9;
		} while (gone);
		assert_true(n > 2);
	}
}

/* A half-sent image of another version is no harm to the one that follows. */
static void another_image_after_an_interrupted_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < BF_COUNT(packs); i++) {
		for (unsigned k = 40; k < 90; k += 10) {
			struct stack s;
			char record[96];

			begin(&s, record);
			(void)kill_run(&s, packs[i], k);
			stack_image(&s, "mcuboot/app-1.4.0.signed.bin");
			stack_run(&s, packs[i]);
			/* 1.5.0 may be proven and have raised the counter by then. */
			if (s.out.rc == BF_E_ROLLBACK && s.out.state == BF_STATE_OLD)
				stack_image(&s, "mcuboot/app-1.5.0.signed.bin");
			assert_same_command_mends(&s, packs[i], k);
			stack_done(&s);
		}
	}
}

/* Whoever writes a file must be told why he could not. */
static void assert_told(const struct stack *s, const char *pack, unsigned k)
{
	const char *words = "No space left on device";

	if (!strstr(s->notices, words) && !strstr(s->out.err.cause, words))
		fail_msg("%s, full at call %u: nothing says so: '%s' %s", pack, k, s->out.err.cause,
			 s->notices);
}

/* A pack with one bank is not touched without its backup on the disk. */
static void fill_disk(const char *pack, bool for_good)
{
	unsigned n = 0, k = 1;

	do {
		struct stack s;
		char record[96];
		bool refused;

		begin(&s, record);
		n = full_run(&s, pack, k, for_good, &refused);
		if (s.out.rc == BF_E_INTERNAL || s.out.state == BF_STATE_RECOVERY)
			fail_msg("%s, full at %u: '%s'", pack, k, s.out.err.cause);
		if (refused)
			assert_told(&s, pack, k);
		assert_files_are_whole(&s);
		assert_same_command_mends(&s, pack, k);
		stack_done(&s);
		k++;
	} while (k <= n);
	printf("# %s: disk full %s each of %u calls\n", pack, for_good ? "from" : "at", n);
}

static void disk_that_is_full_from_each_call_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < BF_COUNT(packs); i++)
		fill_disk(packs[i], true);
}

static void disk_that_is_full_at_each_call_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < BF_COUNT(packs); i++)
		fill_disk(packs[i], false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computer_gone_at_every_ninth_event),
		cmocka_unit_test(another_image_after_an_interrupted_one),
		cmocka_unit_test(disk_that_is_full_from_each_call_on),
		cmocka_unit_test(disk_that_is_full_at_each_call_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
