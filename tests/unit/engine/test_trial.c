/* SPDX-License-Identifier: MIT */
/* New firmware that does not prove itself goes, and the pack is left as it was found. */
#include "pack.h"

#include <stdio.h>

static void start(struct bench *b)
{
	bench_init(b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
}

static void assert_old_again(struct bench *b)
{
	assert_ended(b, BF_E_RESTORED, BF_STATE_OLD);
	assert_string_equal(b->out.sentence, "Old firmware 1.3.0 is again running.");
	assert_int_equal(bf_rc_info(b->out.rc)->exit_status, 41);
	assert_ptr_equal(pack_in_slot(&b->pack, b->flash.active), &b->pack.known[0]);
	assert_false(b->flash.trial);
	assert_int_equal(b->flash.counter, 3);
	bench_done(b);
}

static void restart_loop_is_recognised_by_name(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.new_crashes = true;
	bench_run(&b);
	assert_non_null(strstr(b.out.err.likely[0], "restart loop"));
	assert_non_null(strstr(b.out.err.likely[0], "watchdog"));
	assert_old_again(&b);
}

static void failed_self_test_goes_back(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.self_test_fails = true;
	bench_run(&b);
	assert_string_equal(b.failed_check, "pack-self-test");
	assert_non_null(strstr(b.out.err.cause, "contactor weld check"));
	assert_int_equal(pack_calls(&b.pack, "confirm"), 0);
	assert_old_again(&b);
}

static void cell_that_reads_differently_goes_back(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.after.cell_v[11] = 3.3 * 1.006; /* the rule is 0.5 % */
	bench_run(&b);
	assert_string_equal(b.failed_check, "cell-voltages");
	assert_non_null(strstr(b.out.err.cause, "cell 12"));
	assert_old_again(&b);
}

static void cell_within_the_rule_stays(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.after.cell_v[11] = 3.3 * 1.004;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	bench_done(&b);
}

static void missing_cells_go_back(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.after.n_cells = 15;
	bench_run(&b);
	assert_string_equal(b.failed_check, "cell-voltages");
	assert_old_again(&b);
}

static void implausible_sensor_goes_back(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.after.temp_c[3] = -127;
	bench_run(&b);
	assert_string_equal(b.failed_check, "temperature-sensors");
	assert_old_again(&b);
}

static void dead_balancing_switch_goes_back(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.balance_fails = true;
	bench_run(&b);
	assert_string_equal(b.failed_check, "balancing");
	assert_old_again(&b);
}

static void refused_confirmation_goes_back(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] = (struct pack_fault){ "confirm", 1, BF_E_NAK };
	bench_run(&b);
	assert_old_again(&b);
}

static void refused_revert_still_goes_back_by_restart(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.self_test_fails = true;
	b.pack.faults[0] = (struct pack_fault){ "revert", 1, BF_E_NAK };
	bench_run(&b);
	assert_old_again(&b);
}

static void a_restart_that_the_pack_did_not_hear_is_asked_for_again(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] = (struct pack_fault){ "restart", 1, BF_E_TIMEOUT };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "restart"), 2);
	assert_non_null(strstr(b.notices, "restarting the pack again"));
	bench_done(&b);
}

static void a_restart_that_is_never_heard_is_asked_for_three_times(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	for (unsigned i = 0; i < 3; i++)
		b.pack.faults[i] = (struct pack_fault){ "restart", i + 1, BF_E_TIMEOUT };
	bench_run(&b);
	assert_int_equal(pack_calls(&b.pack, "restart"), 3);
	assert_int_equal(b.out.state, BF_STATE_OLD);
	bench_done(&b);
}

static void a_restart_whose_answer_is_lost_is_not_asked_for_again(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] = (struct pack_fault){ "restart", 1, BF_E_TIMEOUT, .after = true };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "restart"), 1);
	bench_done(&b);
}

static void going_back_restarts_a_second_time_when_the_first_was_not_heard(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.self_test_fails = true;
	b.pack.faults[0] = (struct pack_fault){ "revert", 1, BF_E_NAK };
	b.pack.faults[1] = (struct pack_fault){ "restart", 2, BF_E_TIMEOUT };
	bench_run(&b);
	assert_int_equal(pack_calls(&b.pack, "restart"), 3);
	assert_old_again(&b);
}

static void failed_check_in_the_pack_starts_nothing(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] = (struct pack_fault){ "check", 1, BF_E_MISMATCH };
	bench_run(&b);
	assert_ended(&b, BF_E_MISMATCH, BF_STATE_OLD);
	assert_int_equal(pack_calls(&b.pack, "activate"), 0);
	bench_done(&b);
}

static void falls_silent_with_the_restart(struct pack *pack, const char *op)
{
	pack->silent = pack->silent || strcmp(op, "await") == 0;
}

static void pack_that_does_not_return_names_the_next_command(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.at_op = falls_silent_with_the_restart;
	bench_run(&b);
	assert_ended(&b, BF_E_UNPROVEN, BF_STATE_UNPROVEN);
	assert_int_equal(bf_rc_info(b.out.rc)->exit_status, 44);
	assert_non_null(strstr(b.out.err.next, "bmsflash flash --if fake0 "));
	assert_non_null(strstr(b.out.sentence, "switch it off and on"));
	bench_done(&b);
}

static void falls_silent_in_the_self_test(struct pack *pack, const char *op)
{
	pack->silent = pack->silent || strcmp(op, "self_test") == 0;
}

static void silence_in_the_self_test_is_not_called_a_misfit(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.at_op = falls_silent_in_the_self_test;
	bench_run(&b);
	assert_ended(&b, BF_E_LINK, BF_STATE_UNKNOWN);
	assert_string_equal(b.out.err.likely[0],
			    "the pack stopped responding: check its power and the connectors");
	bench_done(&b);
}

static void falls_silent_after_balancing(struct pack *pack, const char *op)
{
	pack->silent = pack->silent || (strcmp(op, "ping") == 0 && pack_calls(pack, "balance"));
}

static void silence_at_the_link_test_is_not_called_a_misfit(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.caps &= ~(unsigned)(BF_CAP_SELF_TEST | BF_CAP_RATES);
	b.pack.at_op = falls_silent_after_balancing;
	bench_run(&b);
	assert_ended(&b, BF_E_LINK, BF_STATE_UNKNOWN);
	assert_non_null(strstr(b.out.err.cause, "answers none of 40 test messages"));
	bench_done(&b);
}

static void activation_that_is_refused_leaves_the_old_running(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] = (struct pack_fault){ "activate", 1, BF_E_NAK };
	bench_run(&b);
	assert_ended(&b, BF_E_NAK, BF_STATE_OLD);
	assert_string_equal(b.out.sentence, "Old firmware 1.3.0 is still running.");
	bench_done(&b);
}

static void lost_activation_is_looked_up(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] = (struct pack_fault){ "activate", 1, BF_E_TIMEOUT, .after = true };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "activate"), 1);
	bench_done(&b);
}

static void line_dies(struct pack *pack, const char *op)
{
	if (strcmp(op, "state") == 0)
		pack->silent = true;
}

static void activation_on_a_dying_line_says_what_the_next_start_does(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] = (struct pack_fault){ "activate", 1, BF_E_TIMEOUT, .after = true };
	b.pack.at_op = line_dies;
	bench_run(&b);
	assert_ended(&b, BF_E_LINK, BF_STATE_UNKNOWN);
	assert_non_null(strstr(b.out.sentence, "The old firmware was not overwritten"));
	b.pack.silent = false;
	b.pack.at_op = NULL;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	bench_done(&b);
}

static void nothing_is_asked_of_another_pack_that_answers(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.another_answers = true;
	bench_run(&b);
	assert_ended(&b, BF_E_UNPROVEN, BF_STATE_UNPROVEN);
	assert_non_null(strstr(b.out.err.cause, "SN-0099"));
	assert_int_equal(pack_calls(&b.pack, "confirm"), 0);
	assert_int_equal(pack_calls(&b.pack, "revert"), 0);
	assert_int_equal(pack_calls(&b.pack, "restart"), 1);
	bench_done(&b);
}

static void single_bank_gets_its_backup_written_back(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.new_crashes = true;
	bench_run(&b);
	assert_ended(&b, BF_E_RESTORED, BF_STATE_OLD);
	assert_ptr_equal(pack_in_slot(&b.pack, 0), &b.pack.known[0]);
	assert_false(b.flash.in_loader);
	bench_done(&b);
}

/* A profile calls the only place a slot, and the pack tells no bank states. */
static void firmware_in_the_only_slot_is_read_and_written_back(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.bare_slot = b.pack.new_crashes = true;
	bench_run(&b);
	assert_ended(&b, BF_E_RESTORED, BF_STATE_OLD);
	assert_ptr_equal(pack_in_slot(&b.pack, 0), &b.pack.known[0]);
	bench_done(&b);
}

static void single_bank_that_reads_back_wrong_is_written_back(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	/* Looking for the image's place takes 12 reads, the backup 12, the verification follows it. */
	b.pack.faults[0] = (struct pack_fault){ "read", 25, BF_E_MISMATCH };
	bench_run(&b);
	assert_ended(&b, BF_E_RESTORED, BF_STATE_OLD);
	assert_ptr_equal(pack_in_slot(&b.pack, 0), &b.pack.known[0]);
	bench_done(&b);
}

static void without_a_backup_the_pack_goes_back_to_the_fallback(void **state)
{
	char fallback[256];
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINK, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	pack_learn(&b.pack, "app-1.4.0.signed.bin");
	b.job.fallback = data_path(fallback, "app-1.4.0.signed.bin");
	b.pack.faults[0] = (struct pack_fault){ "finish", 1, BF_E_NAK };
	bench_run(&b);
	assert_ended(&b, BF_E_RESTORED, BF_STATE_OLD);
	assert_string_equal(b.out.sentence, "The fallback 1.4.0 is running.");
	assert_string_equal(bf_rc_info(b.out.rc)->name, "restored");
	bench_done(&b);
}

static void a_fallback_is_checked_before_the_interface_is_opened(void **state)
{
	char fallback[256];
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINK, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.fallback = data_path(fallback, "app-1.5.0.otherkey.bin");
	bench_run(&b);
	assert_ended(&b, BF_E_SIGNATURE, BF_STATE_UNTOUCHED);
	assert_int_equal(b.events[BF_EV_INTERFACE], 0);
	assert_int_equal(b.pack.ops, 0);
	bench_done(&b);
}

static void a_fallback_for_other_hardware_is_refused(void **state)
{
	char fallback[256];
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINK, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.fallback = data_path(fallback, "app-1.5.0.othercid.bin");
	bench_run(&b);
	assert_ended(&b, BF_E_INCOMPATIBLE, BF_STATE_OLD);
	assert_int_equal(pack_calls(&b.pack, "begin"), 0);
	bench_done(&b);
}

static void a_self_test_that_the_pack_does_not_offer_is_no_failure(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.faults[0] = (struct pack_fault){ "self_test", 1, BF_E_UNSUPPORTED };
	b.pack.faults[1] = (struct pack_fault){ "balance", 1, BF_E_UNSUPPORTED };
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_string_equal(b.failed_check, "");
	assert_non_null(strstr(b.unknown_checks, "balancing=not offered"));
	assert_non_null(strstr(b.unknown_checks, "pack-self-test=not offered"));
	bench_done(&b);
}

static void interrupted_trial_is_taken_up_and_confirmed(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	pack_load(&b.pack, 1, "app-1.5.0.signed.bin");
	b.flash.active = 1;
	b.flash.trial = true;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "restart"), 0);
	assert_int_equal(pack_calls(&b.pack, "confirm"), 1);
	assert_false(b.flash.trial);
	bench_done(&b);
}

static void only_the_sensors_that_the_pack_has_are_judged(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.after.temp_c[b.pack.after.n_temps] = 300;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_string_equal(b.failed_check, "");
	bench_done(&b);
	start(&b);
	b.pack.after.temp_c[1] = 150;
	b.pack.after.temp_c[b.pack.after.n_temps] = 300;
	bench_run(&b);
	assert_string_equal(b.failed_check, "temperature-sensors");
	assert_non_null(strstr(b.out.err.cause, "sensor 2"));
	assert_old_again(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restart_loop_is_recognised_by_name),
		cmocka_unit_test(failed_self_test_goes_back),
		cmocka_unit_test(cell_that_reads_differently_goes_back),
		cmocka_unit_test(cell_within_the_rule_stays),
		cmocka_unit_test(missing_cells_go_back),
		cmocka_unit_test(implausible_sensor_goes_back),
		cmocka_unit_test(dead_balancing_switch_goes_back),
		cmocka_unit_test(refused_confirmation_goes_back),
		cmocka_unit_test(refused_revert_still_goes_back_by_restart),
		cmocka_unit_test(a_restart_that_the_pack_did_not_hear_is_asked_for_again),
		cmocka_unit_test(a_restart_that_is_never_heard_is_asked_for_three_times),
		cmocka_unit_test(a_restart_whose_answer_is_lost_is_not_asked_for_again),
		cmocka_unit_test(going_back_restarts_a_second_time_when_the_first_was_not_heard),
		cmocka_unit_test(failed_check_in_the_pack_starts_nothing),
		cmocka_unit_test(pack_that_does_not_return_names_the_next_command),
		cmocka_unit_test(silence_in_the_self_test_is_not_called_a_misfit),
		cmocka_unit_test(silence_at_the_link_test_is_not_called_a_misfit),
		cmocka_unit_test(activation_that_is_refused_leaves_the_old_running),
		cmocka_unit_test(lost_activation_is_looked_up),
		cmocka_unit_test(activation_on_a_dying_line_says_what_the_next_start_does),
		cmocka_unit_test(nothing_is_asked_of_another_pack_that_answers),
		cmocka_unit_test(single_bank_gets_its_backup_written_back),
		cmocka_unit_test(firmware_in_the_only_slot_is_read_and_written_back),
		cmocka_unit_test(single_bank_that_reads_back_wrong_is_written_back),
		cmocka_unit_test(without_a_backup_the_pack_goes_back_to_the_fallback),
		cmocka_unit_test(a_fallback_is_checked_before_the_interface_is_opened),
		cmocka_unit_test(a_fallback_for_other_hardware_is_refused),
		cmocka_unit_test(a_self_test_that_the_pack_does_not_offer_is_no_failure),
		cmocka_unit_test(interrupted_trial_is_taken_up_and_confirmed),
		cmocka_unit_test(only_the_sensors_that_the_pack_has_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
