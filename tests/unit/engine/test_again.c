/* SPDX-License-Identifier: MIT */
/* Packs that restart, or forget who they talk to, at a bad moment. */
#include "pack.h"

#include <stdio.h>

static void start(struct bench *b)
{
	bench_init(b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b->flash.boots = 1;
}

/* Falls silent at one operation, and is back after some questions. */
static const char *restart_at;
static unsigned silences, questions;

static void restarts(struct pack *pack, const char *op)
{
	if (silences && strcmp(op, restart_at) == 0) {
		silences--;
		questions = 0;
		pack->silent = true;
	}
	if (pack->silent && ++questions == 12) {
		pack->silent = pack->session = pack->unlocked = false;
		pack->flash->boots++;
		pack->rate = 115200;
	}
}

static void silent_at(struct bench *b, const char *op, unsigned times)
{
	start(b);
	restart_at = op;
	silences = times;
	b->pack.at_op = restarts;
	bench_run(b);
}

static void a_restart_before_anything_was_changed_begins_again(void **state)
{
	static const char *const ops[] = { "measure", "authenticate" };
	struct bench b;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(ops); i++) {
		silent_at(&b, ops[i], 1);
		assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
		if (!strstr(b.notices, "the pack restarted while"))
			fail_msg("at '%s': %s", ops[i], b.notices);
		assert_non_null(strstr(b.notices, "starting over"));
		bench_done(&b);
	}
}

static void a_restart_while_identifying_begins_again(void **state)
{
	struct bench b;

	(void)state;
	silent_at(&b, "identify", 1);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_non_null(strstr(b.notices, "starting over"));
	bench_done(&b);
}

static void a_pack_that_restarts_again_and_again_is_called_that(void **state)
{
	struct bench b;

	(void)state;
	silent_at(&b, "measure", 99);
	assert_ended(&b, BF_E_TIMEOUT, BF_STATE_OLD);
	assert_non_null(strstr(b.out.err.likely[0], "again and again"));
	bench_done(&b);
}

static void goes_silent(struct pack *pack, const char *op)
{
	pack->silent = pack->silent || strcmp(op, "measure") == 0;
}

static void silence_for_good_is_not_called_a_bad_line(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.at_op = goes_silent;
	bench_run(&b);
	assert_ended(&b, BF_E_TIMEOUT, BF_STATE_OLD);
	assert_non_null(strstr(b.out.err.likely[0], "the pack stopped responding"));
	bench_done(&b);
}

static void a_backup_that_was_cut_by_a_restart_is_made_whole(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	restart_at = "read";
	silences = 1;
	b.job.kind = BF_JOB_BACKUP;
	b.pack.at_op = restarts;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	assert_int_equal(b.events[BF_EV_FILE], 1);
	bench_done(&b);
}

static unsigned repeats_of(const struct bench *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < BF_RETRY_CLASS_COUNT; i++)
		n += (unsigned)b->summary.retry.repeats[i];
	return n;
}

static void a_session_that_is_lost_at_a_request_is_opened_again(void **state)
{
	static const char *const ops[] = { "activate", "confirm", "check", "self_test" };
	struct bench b;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(ops); i++) {
		start(&b);
		b.pack.faults[0] = (struct pack_fault){ .op = ops[i], .nth = 1, .forgot = true };
		bench_run(&b);
		assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
		assert_int_equal(pack_calls(&b.pack, ops[i]), 2);
		assert_int_equal(repeats_of(&b), 1);
		bench_done(&b);
	}
}

static void so_it_is_for_a_revert(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	bench_run(&b);
	b.flash.counter = 3;
	b.job.kind = BF_JOB_ROLLBACK;
	pack_power_up(&b.pack);
	b.pack.faults[0] = (struct pack_fault){ .op = "revert", .nth = 1, .forgot = true };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_OLD);
	assert_int_equal(b.flash.active, 0);
	bench_done(&b);
}

static void the_self_test_asks_for_the_rate_that_carried_the_data(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] =
		(struct pack_fault){ .op = "finish_block", .nth = 3, .rc = BF_E_TIMEOUT };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.summary.line.rate_steps, 1);
	assert_int_equal(b.summary.line_rate, 115200);
	assert_int_equal(pack_calls(&b.pack, "set_rate"), 2); /* up, and down while writing */
	bench_done(&b);
}

/* The line can be changed to the rate, and not back. The last phase tries again. */
static void a_line_that_stays_at_its_rate_after_the_test_is_no_failure(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	for (unsigned i = 0; i < 3; i++)
		b.pack.faults[i] =
			(struct pack_fault){ .op = "set_rate", .nth = 3 + i, .rc = BF_E_LINK };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	bench_done(&b);
}

static void goes_back_once_it_is_confirmed(struct pack *pack, const char *op)
{
	if (strcmp(op, "identify") == 0 && pack_calls(pack, "confirm"))
		pack->flash->active = 0;
}

static void a_pack_that_goes_back_after_its_confirmation_runs_the_old(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.at_op = goes_back_once_it_is_confirmed;
	bench_run(&b);
	assert_ended(&b, BF_E_RESTORED, BF_STATE_OLD);
	bench_done(&b);
}

static void answers_three_blocks(struct pack *pack, const char *op)
{
	pack->silent = strcmp(op, "finish_block") == 0 && pack_calls(pack, op) > 3;
}

static void blocks_that_are_never_answered_are_given_up(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.at_op = answers_three_blocks;
	bench_run(&b);
	assert_ended(&b, BF_E_TIMEOUT, BF_STATE_OLD);
	assert_true(pack_calls(&b.pack, "begin") < 12);
	assert_non_null(strstr(b.out.err.trail[0], "waiting for the answer"));
	bench_done(&b);
}

/* Nothing but failures in a row is called that. */
static void one_failure_is_no_row_of_failures(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] = (struct pack_fault){ .op = "confirm", .nth = 1, .rc = BF_E_NAK };
	b.pack.faults[1] = (struct pack_fault){ .op = "confirm", .nth = 2, .rc = BF_E_NAK };
	bench_run(&b);
	assert_int_not_equal(b.out.rc, BF_OK);
	for (unsigned i = 0; i < b.out.err.n_trail; i++) {
		if (strstr(b.out.err.trail[i], "failures in a row"))
			fail_msg("%s", b.out.err.trail[i]);
	}
	bench_done(&b);
}

static unsigned asked_at_the_end, identified_at_the_end;

static void the_user_stops_twice(struct pack *pack, const char *op)
{
	if (strcmp(op, "await") == 0 && !pack->clock->ended) {
		pack->clock->cancelled = pack->clock->ended = true;
		asked_at_the_end = pack->ops;
		identified_at_the_end = pack_calls(pack, "identify");
	}
}

static void after_the_second_signal_nothing_more_is_asked(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.at_op = the_user_stops_twice;
	bench_run(&b);
	assert_int_equal(b.out.rc, BF_E_INTERRUPTED);
	/* It may be let go, and is not asked any more. */
	assert_true(b.pack.ops <= asked_at_the_end + 1);
	assert_int_equal(pack_calls(&b.pack, "identify"), identified_at_the_end);
	bench_done(&b);
}

static void takes_a_minute(struct pack *pack, const char *op)
{
	if (strcmp(op, "finish_block") == 0 && pack_calls(pack, op) == 2)
		(void)bf_clock_until(pack->clock, bf_in(pack->clock, BF_SEC(60)));
}

static void time_that_is_up_while_data_moves_is_no_lost_line(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.job.timeout = BF_SEC(60);
	b.pack.at_op = takes_a_minute;
	bench_run(&b);
	assert_ended(&b, BF_E_INTERRUPTED, BF_STATE_OLD);
	assert_string_equal(b.out.err.cause, "stopped after the 60 s that --timeout allows");
	assert_non_null(strstr(b.out.err.next, "--timeout 120s"));
	assert_int_equal(pack_calls(&b.pack, "begin"), 1);
	assert_null(strstr(b.notices, "going on from offset"));
	bench_done(&b);
}

static void the_summary_has_the_figures_of_the_line(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	bench_run(&b);
	assert_int_equal(b.summary.line.sent, 16);
	assert_int_equal(b.summary.line.lost, 0);
	assert_in_range(b.summary.line.mean, 1, BF_MS(5));
	assert_true(b.summary.line.stream);
	assert_int_equal(b.summary.line.latency_timer_ms, -1);
	assert_null(b.summary.line.bus_state);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restart_before_anything_was_changed_begins_again),
		cmocka_unit_test(a_restart_while_identifying_begins_again),
		cmocka_unit_test(a_pack_that_restarts_again_and_again_is_called_that),
		cmocka_unit_test(silence_for_good_is_not_called_a_bad_line),
		cmocka_unit_test(a_backup_that_was_cut_by_a_restart_is_made_whole),
		cmocka_unit_test(a_session_that_is_lost_at_a_request_is_opened_again),
		cmocka_unit_test(so_it_is_for_a_revert),
		cmocka_unit_test(the_self_test_asks_for_the_rate_that_carried_the_data),
		cmocka_unit_test(a_line_that_stays_at_its_rate_after_the_test_is_no_failure),
		cmocka_unit_test(a_pack_that_goes_back_after_its_confirmation_runs_the_old),
		cmocka_unit_test(blocks_that_are_never_answered_are_given_up),
		cmocka_unit_test(one_failure_is_no_row_of_failures),
		cmocka_unit_test(after_the_second_signal_nothing_more_is_asked),
		cmocka_unit_test(time_that_is_up_while_data_moves_is_no_lost_line),
		cmocka_unit_test(the_summary_has_the_figures_of_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
