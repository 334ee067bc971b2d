/* SPDX-License-Identifier: MIT */
/* Configuration and calibration are after an update what they were before it. */
#include "pack.h"

#include <stdio.h>
#include <unistd.h>

static void start(struct bench *b)
{
	bench_init(b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
}

static bool calibration_is_whole(const struct bench *b)
{
	for (size_t i = 0; i < PACK_UNIT; i++) {
		if (b->flash.bytes[PACK_CAL + i] != (i < 256 ? 0x5A : 0xFF))
			return false;
	}
	return true;
}

static void what_is_as_before_is_not_touched(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(pack_calls(&b.pack, "restart"), 1);
	assert_int_equal(b.summary.regions_restored, 0);
	bench_done(&b);
}

static void wiped_calibration_goes_back_before_the_firmware_is_confirmed(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.wipes = true;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_true(calibration_is_whole(&b));
	assert_int_equal(b.summary.regions_restored, 1);
	assert_int_equal(b.summary.bytes_restored, PACK_UNIT);
	/* ... and it started once more with it, when the restart could no longer end its trial. */
	assert_int_equal(pack_calls(&b.pack, "restart"), 2);
	assert_int_equal(b.flash.active, 1);
	assert_false(b.flash.trial);
	bench_done(&b);
}

static void firmware_that_wipes_at_every_start_is_no_success(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.wipes_always = true;
	bench_run(&b);
	assert_ended(&b, BF_E_MISMATCH, BF_STATE_NEW_PROVEN);
	assert_non_null(strstr(b.out.sentence, "not with the configuration of before"));
	assert_non_null(strstr(b.out.err.cause, "again at its next start"));
	assert_string_equal(b.out.err.next, "bmsflash backup --if fake0");
	bench_done(&b);
}

static void what_cannot_be_put_back_brings_the_old_firmware_back(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.wipes = b.pack.cal_fixed = true;
	bench_run(&b);
	assert_ended(&b, BF_E_RECOVERY, BF_STATE_RECOVERY);
	assert_string_equal(b.failed_check, "configuration");
	assert_int_equal(b.flash.active, 0);
	assert_int_equal(pack_calls(&b.pack, "confirm"), 0);
	assert_non_null(strstr(b.out.err.next, "rollback --if fake0 --from /"));
	assert_non_null(strstr(b.out.sentence, "without its configuration"));
	bench_done(&b);
}

static void the_next_command_mends_it(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	start(&b);
	b.pack.wipes = b.pack.cal_fixed = true;
	bench_run(&b);
	memcpy(path, b.file, sizeof(path));
	b.pack.cal_fixed = false;
	b.job.kind = BF_JOB_ROLLBACK;
	b.job.restore_from = path;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_OLD);
	assert_true(calibration_is_whole(&b));
	bench_done(&b);
}

static unsigned restarts;

static void yield_to_the_old(struct pack *pack, const char *op)
{
	restarts += strcmp(op, "restart") == 0;
	pack->cal_fixed = restarts < 2;
}

static void going_back_takes_the_old_configuration_along(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	restarts = 0;
	b.pack.wipes = true;
	b.pack.at_op = yield_to_the_old;
	bench_run(&b);
	assert_ended(&b, BF_E_RESTORED, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "configuration");
	assert_true(calibration_is_whole(&b));
	assert_int_equal(b.flash.active, 0);
	assert_int_equal(pack_calls(&b.pack, "restart"), 3);
	bench_done(&b);
}

static void wiped_is_not_accepted_by_name_but_changed_is(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.wipes = true;
	b.job.allow[BF_ALLOW_NEW_CONFIGURATION] = true;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_true(calibration_is_whole(&b));
	bench_done(&b);

	start(&b);
	b.pack.wipes_always = true;
	b.job.allow[BF_ALLOW_NEW_CONFIGURATION] = true;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_string_equal(b.allowed_check, "configuration");
	bench_done(&b);
}

/* Power of the computer goes while the pack runs on trial with a wiped calibration; the pack restarts and is
 * back at its old firmware, with what the new one left. */
static void stop_at_the_comparison(struct pack *pack, const char *op)
{
	restarts += strcmp(op, "restart") == 0;
	if (restarts == 1 && strcmp(op, "hash_units") == 0)
		pack->dead = true;
}

static void the_next_run_knows_what_the_configuration_was(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	restarts = 0;
	b.pack.wipes = true;
	b.pack.at_op = stop_at_the_comparison;
	bench_run(&b);
	assert_ended(&b, BF_E_LINK, BF_STATE_UNKNOWN);
	assert_false(calibration_is_whole(&b));
	b.pack.at_op = NULL;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_true(calibration_is_whole(&b));
	bench_done(&b);
}

static void so_does_a_run_with_another_image(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	restarts = 0;
	b.pack.wipes = true;
	b.pack.at_op = stop_at_the_comparison;
	bench_run(&b);
	assert_false(calibration_is_whole(&b));
	b.pack.at_op = NULL;
	data_path(b.image_path, "app-1.4.0.signed.bin");
	pack_learn(&b.pack, "app-1.4.0.signed.bin");
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_true(calibration_is_whole(&b));
	bench_done(&b);
}

static void a_backup_of_another_day_is_not_believed(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	restarts = 0;
	b.pack.wipes = true;
	b.pack.at_op = stop_at_the_comparison;
	bench_run(&b);
	b.pack.at_op = NULL;
	b.pack.wipes = false;
	memset(b.flash.bytes + PACK_CAL, 0x33, 64); /* calibrated anew meanwhile */
	bf_clock_until(b.clock, bf_in(b.clock, BF_SEC(30 * 24 * 3600)));
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.flash.bytes[PACK_CAL], 0x33);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_as_before_is_not_touched),
		cmocka_unit_test(wiped_calibration_goes_back_before_the_firmware_is_confirmed),
		cmocka_unit_test(firmware_that_wipes_at_every_start_is_no_success),
		cmocka_unit_test(what_cannot_be_put_back_brings_the_old_firmware_back),
		cmocka_unit_test(the_next_command_mends_it),
		cmocka_unit_test(going_back_takes_the_old_configuration_along),
		cmocka_unit_test(wiped_is_not_accepted_by_name_but_changed_is),
		cmocka_unit_test(the_next_run_knows_what_the_configuration_was),
		cmocka_unit_test(so_does_a_run_with_another_image),
		cmocka_unit_test(a_backup_of_another_day_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
