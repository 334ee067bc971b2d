/* SPDX-License-Identifier: MIT */
#include "pack.h"

#include <stdio.h>
#include <unistd.h>

static void flash_ends_with_new_firmware_proven_and_confirmed(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_string_equal(b.out.sentence, "New firmware 1.5.0 is proven running.");
	assert_int_equal(b.flash.active, 1);
	assert_false(b.flash.trial);
	assert_int_equal(b.flash.counter, 5);
	assert_true(b.plan.counter_will_rise);
	assert_int_equal(b.plan.counter_from, 3);
	assert_int_equal(b.plan.counter_to, 5);
	assert_int_equal(b.events[BF_EV_SUMMARY], 1);
	assert_int_equal(b.summary.bytes_sent, 43000);
	assert_false(b.went_back_in_percent);
	bench_done(&b);
}

static void flash_makes_a_backup_and_leaves_no_journal(void **state)
{
	struct bench b;
	char path[128];

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(access(b.file, R_OK), 0);
	/* It was there, and is empty: nothing stops this. */
	snprintf(path, sizeof(path), "%s/journal", b.folder);
	assert_int_equal(rmdir(path), 0);
	bench_done(&b);
}

static void backup_that_is_not_wanted_is_shown_as_allowed(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.allow[BF_ALLOW_NO_BACKUP] = true;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_string_equal(b.allowed_check, "backup");
	/* No archive; what is the pack's own is read and kept in memory. */
	assert_string_equal(b.file, "");
	assert_int_equal(b.pack.bytes_read, PACK_UNIT);
	bench_done(&b);
}

static void flash_of_what_already_runs_writes_nothing(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.5.0.signed.bin", "app-1.5.0.signed.bin");
	b.flash.counter = 5;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "erase"), 0);
	assert_int_equal(pack_calls(&b.pack, "restart"), 0);
	bench_done(&b);
}

static void flash_of_what_the_other_slot_holds_only_starts_it(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	pack_load(&b.pack, 1, "app-1.5.0.signed.bin");
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "begin"), 0);
	assert_int_equal(pack_calls(&b.pack, "check"), 1);
	bench_done(&b);
}

static void units_that_are_there_already_are_skipped(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	pack_load(&b.pack, 1, "app-1.5.0.signed.bin");
	memset(b.flash.bytes + PACK_SLOT1 + 5 * PACK_UNIT, 0, 16);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.summary.bytes_sent, PACK_UNIT);
	assert_int_equal(b.summary.bytes_skipped, 43000 - PACK_UNIT);
	assert_int_equal(pack_calls(&b.pack, "erase"), 1);
	bench_done(&b);
}

static void dry_run_changes_nothing_and_says_what_it_did_not_check(void **state)
{
	struct bench b;
	static struct pack_flash before;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	before = b.flash;
	b.job.dry_run = true;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_OLD);
	assert_memory_equal(&before, &b.flash, sizeof(before));
	assert_int_equal(b.events[BF_EV_PLAN], 1);
	assert_int_equal(pack_calls(&b.pack, "authenticate"), 0);
	assert_int_equal(pack_calls(&b.pack, "set_rate"), 0);
	assert_int_equal(pack_calls(&b.pack, "hash_units"), 0);
	assert_non_null(strstr(b.notices, "Not checked in a dry run: authentication"));
	assert_non_null(strstr(b.notices, "faster rates"));
	assert_int_equal(b.events[BF_EV_FILE], 0);
	bench_done(&b);
}

/* A second reading is shown where it tells something new. */
static void each_condition_is_shown_once(void **state)
{
	struct bench b;
	const char *at;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	at = strstr(b.checks, " temperature-highest ");
	assert_non_null(at);
	assert_null(strstr(at + 1, " temperature-highest "));
	bench_done(&b);
}

static void takes_a_tenth_of_a_second(struct pack *pack, const char *op)
{
	if (strcmp(op, "start") == 0)
		(void)bf_clock_until(pack->clock, bf_in(pack->clock, BF_MS(100)));
}

/* 1000 bytes every 102 ms. */
static void the_rate_that_is_told_is_the_rate_of_the_pack(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.at_op = takes_a_tenth_of_a_second;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_true(b.writing_rate > 8000 && b.writing_rate < 12000);
	bench_done(&b);
}

static void line_is_agreed_upwards_and_left_at_the_default(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	bench_run(&b);
	assert_int_equal(b.summary.line_rate, 460800);
	assert_int_equal(b.pack.rate, 115200);
	bench_done(&b);
}

static void line_that_loses_messages_steps_down(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.drops_at_high_rate = true;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.summary.line_rate, 115200);
	bench_done(&b);
}

static void window_keeps_several_blocks_out(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.window = 4;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.pack.in_flight_seen, 4);
	bench_done(&b);
}

static void dropped_transfer_goes_on_at_the_confirmed_place(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.faults[0] = (struct pack_fault){ "start", 20, BF_E_RESTART };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "begin"), 2);
	assert_int_equal(b.summary.bytes_sent, 43000);
	assert_true(b.events[BF_EV_RETRY] >= 1);
	assert_int_equal(b.next_try, 2);
	assert_int_equal(b.most_tries, 7);
	bench_done(&b);
}

static void lost_answer_erases_the_unit_again_and_slows_down(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.faults[0] = (struct pack_fault){ "finish_block", 20, BF_E_TIMEOUT };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "erase"), 2);
	assert_non_null(strstr(b.notices, "goes on at 115200"));
	bench_done(&b);
}

static void lost_answer_to_an_erase_is_looked_into_first(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.faults[0] = (struct pack_fault){ "erase", 1, BF_E_TIMEOUT, .after = true };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "erase"), 2);
	bench_done(&b);
}

static void lost_answer_to_a_confirmation_is_looked_up(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.faults[0] = (struct pack_fault){ "confirm", 1, BF_E_TIMEOUT, .after = true };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "confirm"), 1);
	bench_done(&b);
}

/* Its power goes with the answer to the mark, and comes back: it swaps its banks unasked. */
static void lose_power_when_marked(struct pack *pack, const char *op)
{
	if (strcmp(op, "state") == 0 && pack->flash->pending)
		pack_power_up(pack);
}

static void pack_that_starts_before_it_is_told_to_is_not_marked_or_restarted_again(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.faults[0] = (struct pack_fault){ "activate", 1, BF_E_TIMEOUT, .after = true };
	b.pack.at_op = lose_power_when_marked;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	/* Counted from that start on. */
	assert_int_equal(pack_calls(&b.pack, "activate"), 0);
	assert_int_equal(pack_calls(&b.pack, "restart"), 0);
	assert_int_equal(pack_calls(&b.pack, "confirm"), 1);
	bench_done(&b);
}

static void single_bank_is_backed_up_then_written(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(access(b.file, R_OK), 0);
	assert_ptr_equal(pack_in_slot(&b.pack, 0), &b.pack.known[1]);
	bench_done(&b);
}

static void single_bank_writes_the_vector_table_last(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	/* The rest, the rest of the first unit, and what makes it start. */
	assert_int_equal(pack_calls(&b.pack, "begin"), 3);
	assert_int_equal(b.pack.target, 0);
	bench_done(&b);
}

/* Its erase unit is erased again, so the rest of that unit goes again, and first. */
static void a_vector_table_that_got_lost_takes_its_unit_with_it(void **state)
{
	struct bench b;
	unsigned erased;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	bench_run(&b);
	erased = pack_calls(&b.pack, "erase");
	bench_done(&b);
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.faults[0] = (struct pack_fault){ "begin", 3, BF_E_TIMEOUT };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "begin"), 5);
	assert_int_equal(pack_calls(&b.pack, "erase"), erased + 1);
	assert_ptr_equal(pack_in_slot(&b.pack, 0), &b.pack.known[1]);
	bench_done(&b);
}

/* The last byte of a unit was confirmed: there is nothing to go on with behind it. */
static void an_end_of_a_unit_that_got_lost_sends_that_unit_again(void **state)
{
	struct bench b;

	(void)state;
	for (unsigned nth = 1; nth <= 3; nth++) {
		bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
		b.pack.faults[0] =
			(struct pack_fault){ "finish", nth, BF_E_TIMEOUT, .after = true };
		bench_run(&b);
		assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
		assert_ptr_equal(pack_in_slot(&b.pack, 0), &b.pack.known[1]);
		bench_done(&b);
	}
}

static void sink_without_way_back_needs_permission(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINK, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	bench_run(&b);
	assert_ended(&b, BF_E_UNSUPPORTED, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "way-back");
	b.job.allow[BF_ALLOW_SINGLE_BANK] = true;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	bench_done(&b);
}

static void grow_hot(struct pack *pack, const char *op)
{
	if (strcmp(op, "start") != 0)
		return;
	(void)bf_clock_until(pack->clock, bf_in(pack->clock, BF_SEC(1)));
	if (pack_calls(pack, "start") == 15)
		pack->measure.temp_c[0] = 61;
}

static void pack_that_grows_hot_while_writing_is_left_alone(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.at_op = grow_hot;
	bench_run(&b);
	assert_ended(&b, BF_E_PREFLIGHT, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "temperature-highest");
	assert_true(pack_calls(&b.pack, "start") < 30);
	bench_done(&b);
}

static void append_only_stream_starts_over_after_a_loss(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINK, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.allow[BF_ALLOW_SINGLE_BANK] = true;
	b.pack.faults[0] = (struct pack_fault){ "finish_block", 20, BF_E_TIMEOUT };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.summary.bytes_sent, 43000 + 20000);
	bench_done(&b);
}

static void steered_sink_is_asked_where_it_stands(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_STEERED, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.faults[0] = (struct pack_fault){ "finish_block", 20, BF_E_TIMEOUT };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.summary.bytes_sent, 43000);
	assert_int_equal(pack_calls(&b.pack, "begin"), 2);
	bench_done(&b);
}

static void pack_that_tells_nothing_is_never_called_proven(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.no_version = true;
	bench_run(&b);
	assert_ended(&b, BF_E_UNSUPPORTED, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "proof");
	b.job.allow[BF_ALLOW_NO_PROOF] = true;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNPROVEN);
	bench_done(&b);
}

static void dead_pack_is_brought_back(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, NULL, "app-1.5.0.signed.bin");
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	bench_done(&b);
}

static void blocks_are_shorter_after_the_link_was_lost_in_one(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.faults[0] = (struct pack_fault){ "finish_block", 5, BF_E_TIMEOUT };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_non_null(strstr(b.notices, "bytes from here on"));
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flash_ends_with_new_firmware_proven_and_confirmed),
		cmocka_unit_test(flash_makes_a_backup_and_leaves_no_journal),
		cmocka_unit_test(backup_that_is_not_wanted_is_shown_as_allowed),
		cmocka_unit_test(flash_of_what_already_runs_writes_nothing),
		cmocka_unit_test(flash_of_what_the_other_slot_holds_only_starts_it),
		cmocka_unit_test(units_that_are_there_already_are_skipped),
		cmocka_unit_test(dry_run_changes_nothing_and_says_what_it_did_not_check),
		cmocka_unit_test(each_condition_is_shown_once),
		cmocka_unit_test(the_rate_that_is_told_is_the_rate_of_the_pack),
		cmocka_unit_test(line_is_agreed_upwards_and_left_at_the_default),
		cmocka_unit_test(line_that_loses_messages_steps_down),
		cmocka_unit_test(window_keeps_several_blocks_out),
		cmocka_unit_test(dropped_transfer_goes_on_at_the_confirmed_place),
		cmocka_unit_test(lost_answer_erases_the_unit_again_and_slows_down),
		cmocka_unit_test(lost_answer_to_an_erase_is_looked_into_first),
		cmocka_unit_test(lost_answer_to_a_confirmation_is_looked_up),
		cmocka_unit_test(
			pack_that_starts_before_it_is_told_to_is_not_marked_or_restarted_again),
		cmocka_unit_test(single_bank_is_backed_up_then_written),
		cmocka_unit_test(single_bank_writes_the_vector_table_last),
		cmocka_unit_test(a_vector_table_that_got_lost_takes_its_unit_with_it),
		cmocka_unit_test(an_end_of_a_unit_that_got_lost_sends_that_unit_again),
		cmocka_unit_test(sink_without_way_back_needs_permission),
		cmocka_unit_test(pack_that_grows_hot_while_writing_is_left_alone),
		cmocka_unit_test(append_only_stream_starts_over_after_a_loss),
		cmocka_unit_test(steered_sink_is_asked_where_it_stands),
		cmocka_unit_test(pack_that_tells_nothing_is_never_called_proven),
		cmocka_unit_test(dead_pack_is_brought_back),
		cmocka_unit_test(blocks_are_shorter_after_the_link_was_lost_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
