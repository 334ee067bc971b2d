/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/host.h"

static char class[64];

static int made(void **state)
{
	(void)state;
	snprintf(class, sizeof(class), "/tmp/bf-power-XXXXXX");
	return mkdtemp(class) ? 0 : -1;
}

static int removed(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", class);
	return system(command);
}

static void put(const char *supply, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", class, supply);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/%s", class, supply, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
}

static struct bf_power look(void)
{
	struct bf_power p;

	bf_power_look(class, &p);
	return p;
}

static void a_computer_without_a_battery_is_not_on_battery(void **state)
{
	struct bf_power p;

	(void)state;
	assert_false(look().on_battery);
	put("AC", "type", "Mains");
	put("AC", "online", "1");
	p = look();
	assert_false(p.on_battery);
	assert_int_equal(p.percent, -1);
	bf_power_look("/nowhere", &p);
	assert_false(p.on_battery);
}

static void a_laptop_on_its_battery_tells_its_charge(void **state)
{
	struct bf_power p;

	(void)state;
	put("BAT0", "type", "Battery");
	put("BAT0", "status", "Discharging");
	put("BAT0", "capacity", "17");
	put("AC", "type", "Mains");
	put("AC", "online", "0");
	p = look();
	assert_true(p.on_battery);
	assert_int_equal(p.percent, 17);
	put("BAT1", "type", "Battery");
	put("BAT1", "capacity", "61");
	assert_int_equal(look().percent, 61);
}

static void a_laptop_at_the_mains_is_not_on_battery(void **state)
{
	(void)state;
	put("BAT0", "type", "Battery");
	put("BAT0", "status", "Discharging");
	put("BAT0", "capacity", "5");
	put("ucsi", "type", "USB");
	put("ucsi", "online", "1");
	assert_false(look().on_battery);
}

static void the_battery_of_a_mouse_is_none_of_the_computers(void **state)
{
	struct bf_power p;

	(void)state;
	put("hid", "type", "Battery");
	put("hid", "scope", "Device");
	put("hid", "status", "Discharging");
	put("hid", "capacity", "3");
	p = look();
	assert_false(p.on_battery);
	assert_int_equal(p.percent, -1);
}

static void odd_text_is_not_a_charge(void **state)
{
	(void)state;
	put("BAT0", "type", "Battery");
	put("BAT0", "status", "Discharging");
	put("BAT0", "capacity", "full");
	assert_int_equal(look().percent, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_computer_without_a_battery_is_not_on_battery,
						made, removed),
		cmocka_unit_test_setup_teardown(a_laptop_on_its_battery_tells_its_charge, made,
						removed),
		cmocka_unit_test_setup_teardown(a_laptop_at_the_mains_is_not_on_battery, made,
						removed),
		cmocka_unit_test_setup_teardown(the_battery_of_a_mouse_is_none_of_the_computers,
						made, removed),
		cmocka_unit_test_setup_teardown(odd_text_is_not_a_charge, made, removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
