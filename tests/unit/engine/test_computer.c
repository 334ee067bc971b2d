/* SPDX-License-Identifier: MIT */
/* The computer while it writes: kept awake with its adapter, and its battery looked at before anything is changed. */
#include <stdio.h>

#include "pack.h"

#include <stdio.h>

#include "bmsflash/host.h"

static struct pack *the_pack; /* bf_ports carries no context */
static struct bf_power battery;
static unsigned taken, released, usb_taken, usb_released, looked, changed_before;
static bool refuses;
static char usb_iface[32];

static unsigned changes(void)
{
	return pack_calls(the_pack, "erase") + pack_calls(the_pack, "begin") +
	       pack_calls(the_pack, "activate");
}

static struct bf_awake *stay_awake(const char *why, char *why_not, size_t cap)
{
	assert_non_null(strstr(why, "firmware"));
	changed_before += changes();
	taken++;
	*why_not = '\0';
	if (!refuses)
		return (struct bf_awake *)&taken;
	snprintf(why_not, cap, "not today");
	return NULL;
}

static void may_sleep(struct bf_awake *awake)
{
	if (awake)
		released++;
}

static struct bf_usb_awake *usb_stay_awake(const char *root, const char *iface)
{
	assert_string_equal(root, "");
	snprintf(usb_iface, sizeof(usb_iface), "%s", iface);
	usb_taken++;
	return (struct bf_usb_awake *)&usb_taken;
}

static void usb_may_sleep(struct bf_usb_awake *awake)
{
	if (awake)
		usb_released++;
}

static void power(struct bf_power *ret)
{
	changed_before += changes();
	looked++;
	*ret = battery;
}

static const struct bf_ports laptop = { .stay_awake = stay_awake,
					.may_sleep = may_sleep,
					.usb_stay_awake = usb_stay_awake,
					.usb_may_sleep = usb_may_sleep,
					.power = power };

static void start(struct bench *b)
{
	bench_init(b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b->computer = &laptop;
	the_pack = &b->pack;
	battery = (struct bf_power){ .percent = -1 };
	taken = released = usb_taken = usb_released = looked = changed_before = 0;
	refuses = false;
}

static void a_low_battery_is_a_warning_before_the_first_write(void **state)
{
	static const struct {
		struct bf_power power;
		bool warns;
	} rows[] = {
		{ { true, 19 }, true },  { { true, 0 }, true },   { { true, 20 }, false },
		{ { true, -1 }, false }, { { false, 5 }, false },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bench b;

		start(&b);
		battery = rows[i].power;
		bench_run(&b);
		assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
		assert_int_equal(looked, 1);
		assert_int_equal(changed_before, 0);
		if ((strstr(b.notices, "connect its charger") != NULL) != rows[i].warns)
			fail_msg("row %zu: %s", i, b.notices);
		bench_done(&b);
	}
}

static void it_is_kept_awake_with_its_adapter_until_the_end(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(taken, 1);
	assert_int_equal(released, 1);
	assert_string_equal(usb_iface, "fake0");
	assert_int_equal(usb_taken, 1);
	assert_int_equal(usb_released, 1);
	assert_int_equal(changed_before, 0);
	bench_done(&b);
}

static void what_keeps_nothing_awake_is_told_and_no_failure(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	refuses = true;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_non_null(strstr(b.notices, "going to sleep (not today)"));
	bench_done(&b);
}

static void a_run_that_writes_nothing_keeps_nothing_awake(void **state)
{
	static const enum bf_job_kind kinds[] = { BF_JOB_PROBE, BF_JOB_BACKUP };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(kinds); i++) {
		struct bench b;

		start(&b);
		b.job.kind = kinds[i];
		bench_run(&b);
		assert_int_equal(b.out.rc, BF_OK);
		assert_int_equal(taken + usb_taken + looked, 0);
		bench_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_low_battery_is_a_warning_before_the_first_write),
		cmocka_unit_test(it_is_kept_awake_with_its_adapter_until_the_end),
		cmocka_unit_test(what_keeps_nothing_awake_is_told_and_no_failure),
		cmocka_unit_test(a_run_that_writes_nothing_keeps_nothing_awake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
