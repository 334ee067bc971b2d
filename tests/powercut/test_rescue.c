/* SPDX-License-Identifier: MIT */
/* Packs that do not boot, caught in their loader's window; and the three patterns, on real causes. */
#include "stack.h"

#include <stdio.h>

static void init(struct stack *s)
{
	stack_init(s, "mcuboot/app-1.5.0.signed.bin");
	s->job.rescue = true;
}

/* USB tells neither hardware nor counters; none of that is what is tested here. */
static void allow_all(struct stack *s)
{
	memset(s->job.allow, true, sizeof(s->job.allow));
}

static void rescued(const char *options)
{
	struct stack s;

	init(&s);
	if (strstr(options, "usb"))
		allow_all(&s);
	stack_run(&s, options);
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	assert_non_null(strstr(s.notices, "caught the bootloader"));
	stack_done(&s);
}

static void a_pack_without_firmware_is_caught_when_power_comes(void **state)
{
	(void)state;
	rescued("version=none,poweron=7000");
	rescued("version=none,poweron=2000,link=rs485");
	rescued("version=none,poweron=2000,link=canfd");
	rescued("version=none,poweron=7000,link=usb,protocol=dfu");
}

static void a_loader_that_listens_for_a_moment_is_caught_in_it(void **state)
{
	(void)state;
	rescued("poweron=3000,window=40");
	rescued("poweron=3000,window=40,link=rs485");
	rescued("poweron=3000,window=400,link=usb,protocol=dfu");
}

static void a_dfuse_loader_is_caught_in_its_window(void **state)
{
	(void)state;
	rescued("poweron=3000,window=1500,link=usb,protocol=dfuse");
}

static void a_slow_loader_is_caught_by_waiting_once_something_was_heard(void **state)
{
	(void)state;
	rescued("poweron=3000,window=300,quirk=slow");
	rescued("poweron=3000,window=300,quirk=slow,link=rs485");
}

static void without_rescue_the_window_closes_and_the_firmware_runs(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	s.job.kind = BF_JOB_PROBE;
	stack_run(&s, "window=500");
	assert_stack_ended(&s, BF_OK, BF_STATE_UNTOUCHED);
	assert_false(s.ident.in_bootloader);
	stack_done(&s);
}

static void never_caught(const char *options, const char *words)
{
	struct stack s;

	init(&s);
	s.job.wait = BF_SEC(5);
	stack_run(&s, options);
	assert_stack_ended(&s, BF_E_NODEV, BF_STATE_UNTOUCHED);
	assert_int_equal(bf_rc_info(s.out.rc)->exit_status, 12);
	assert_non_null(strstr(s.out.err.cause, words));
	assert_non_null(strstr(s.out.err.cause, "5 s"));
	assert_non_null(strstr(s.out.err.next, "--rescue"));
	stack_done(&s);
}

static void at_the_deadline_the_counts_are_told(void **state)
{
	(void)state;
	never_caught("poweron=900000", "requests, nothing heard");
	never_caught("poweron=900000,link=rs485", "requests, nothing heard");
}

static void a_usb_device_that_never_appears_ends_the_wait(void **state)
{
	struct stack s;

	(void)state;
	init(&s);
	s.job.wait = BF_SEC(5);
	stack_run(&s, "poweron=900000,link=usb,protocol=dfu");
	assert_stack_ended(&s, BF_E_NODEV, BF_STATE_UNTOUCHED);
	stack_done(&s);
}

/* ---- patterns ---- */

static void ended_as(struct stack *s, const char *options, enum bf_pattern pattern)
{
	stack_run(s, options);
	assert_int_not_equal(s->out.rc, BF_OK);
	if (s->out.err.pattern != pattern)
		fail_msg("'%s' is no %s", s->out.err.cause, bf_pattern_info(pattern)->title);
	assert_true(!pattern || s->out.err.n_likely > 0);
	assert_true(s->out.err.next[0] || s->out.err.todo[0]);
}

static void a_pack_that_wants_a_key_is_authentication_rejected(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	s.job.auth_key = NULL;
	ended_as(&s, "auth=1", BF_PATTERN_AUTH);
	assert_stack_ended(&s, BF_E_AUTH, BF_STATE_OLD);
	stack_done(&s);
}

static void firmware_that_hangs_on_trial_is_a_restart_loop(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	ended_as(&s, "crash=trial", BF_PATTERN_LOOP);
	assert_stack_ended(&s, BF_E_RESTORED, BF_STATE_OLD);
	assert_non_null(strstr(s.out.err.likely[0], "watchdog"));
	stack_done(&s);
}

static void a_pack_that_falls_silent_while_written_is_a_transfer_timeout(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	ended_as(&s, "cutmsg=80,link=rs485", BF_PATTERN_TRANSFER);
	assert_non_null(strstr(s.out.err.likely[0], "the pack stopped responding"));
	stack_done(&s);
}

static void a_refusal_or_a_silent_line_is_none_of_them(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	ended_as(&s, "soc=5", BF_PATTERN_NONE);
	ended_as(&s, "poweron=900000", BF_PATTERN_NONE);
	stack_done(&s);
}

/* ---- serial numbers ---- */

static void only_the_pack_with_the_expected_serial_is_flashed(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	s.job.expect_serial = "BX16-000042";
	stack_run(&s, "");
	assert_stack_ended(&s, BF_E_INCOMPATIBLE, BF_STATE_OLD);
	assert_non_null(strstr(s.out.err.cause, "BX16-000001"));
	assert_non_null(strstr(s.out.err.cause, "BX16-000042"));
	s.job.expect_serial = "BX16-000001";
	stack_run(&s, "");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	stack_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pack_without_firmware_is_caught_when_power_comes),
		cmocka_unit_test(a_loader_that_listens_for_a_moment_is_caught_in_it),
		cmocka_unit_test(a_dfuse_loader_is_caught_in_its_window),
		cmocka_unit_test(a_slow_loader_is_caught_by_waiting_once_something_was_heard),
		cmocka_unit_test(without_rescue_the_window_closes_and_the_firmware_runs),
		cmocka_unit_test(at_the_deadline_the_counts_are_told),
		cmocka_unit_test(a_usb_device_that_never_appears_ends_the_wait),
		cmocka_unit_test(a_pack_that_wants_a_key_is_authentication_rejected),
		cmocka_unit_test(firmware_that_hangs_on_trial_is_a_restart_loop),
		cmocka_unit_test(a_pack_that_falls_silent_while_written_is_a_transfer_timeout),
		cmocka_unit_test(a_refusal_or_a_silent_line_is_none_of_them),
		cmocka_unit_test(only_the_pack_with_the_expected_serial_is_flashed),
	};

	return cmocka_run_group_tests_name("rescue", tests, NULL, NULL);
}
