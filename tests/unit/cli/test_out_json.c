/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/json.h"
#include "cli.h"

static struct bf_json *line_of(const struct bf_event *ev, const struct bf_outcome *outcome)
{
	char *text = NULL;
	size_t len = 0;
	struct bf_out_json out = { open_memstream(&text, &len) };
	struct bf_json *j = NULL;
	struct bf_err err;

	if (ev)
		bf_out_json_event(&out, ev);
	else
		bf_out_json_outcome(&out, outcome, 0);
	fclose(out.to);
	assert_int_equal(text[len - 1], '\n');
	assert_int_equal(bf_json_parse(text, len, &j, &err), BF_OK);
	free(text);
	return j;
}

static void every_line_has_version_time_and_event(void **state)
{
	struct bf_event ev = { .kind = BF_EV_WARNING, .wall_us = 1500000, .text = "x" };
	BF_AUTO(bf_json) *j = line_of(&ev, NULL);

	(void)state;
	assert_int_equal(bf_json_int(j, "v", 0), 2);
	assert_string_equal(bf_json_str(j, "t"), "1970-01-01T00:00:01.500000Z");
	assert_string_equal(bf_json_str(j, "event"), "warning");
	assert_string_equal(bf_json_str(j, "text"), "x");
}

static void the_result_of_a_failure_carries_the_whole_record(void **state)
{
	struct bf_outcome o = { .rc = BF_E_IFACE, .state = BF_STATE_UNTOUCHED };
	BF_AUTO(bf_json) *j = NULL;
	const struct bf_json *e;

	(void)state;
	bf_fail_os(&o.err, BF_E_IFACE, 13, "cannot open '/dev/ttyUSB0'");
	bf_while(&o.err, "opening it");
	bf_likely(&o.err, "you are not in the group dialout");
	bf_next(&o.err, "sudo usermod -aG dialout you");
	j = line_of(NULL, &o);
	assert_string_equal(bf_json_str(j, "exit"), "interface");
	assert_int_equal(bf_json_int(j, "status", 0), 10);
	assert_string_equal(bf_json_str(j, "state"), "untouched");
	e = bf_json_get(j, "error");
	assert_int_equal(bf_json_int(e, "errno", 0), 13);
	assert_int_equal(bf_json_len(bf_json_get(e, "trail")), 1);
	assert_int_equal(bf_json_len(bf_json_get(e, "likely")), 1);
	assert_string_equal(bf_json_str(e, "next"), "sudo usermod -aG dialout you");
	assert_null(bf_json_get(e, "device_code"));
}

static void success_has_no_error(void **state)
{
	struct bf_outcome o = { .rc = BF_OK, .state = BF_STATE_NEW_PROVEN };
	BF_AUTO(bf_json) *j = line_of(NULL, &o);

	(void)state;
	assert_int_equal(bf_json_int(j, "status", -1), 0);
	assert_null(bf_json_get(j, "error"));
}

static void unknown_quantities_are_absent_not_zero(void **state)
{
	struct bf_measure m = { .has_soc = true, .soc = 55.5, .n_temps = 1, .temp_c = { 25 } };
	struct bf_event ev = { .kind = BF_EV_MEASURE, .measure = &m };
	BF_AUTO(bf_json) *j = line_of(&ev, NULL);

	(void)state;
	assert_null(bf_json_get(j, "current_a"));
	assert_true(bf_json_real(j, "state_of_charge_percent", 0) > 55.4);
	assert_int_equal(bf_json_len(bf_json_get(j, "cell_voltages_v")), 0);
	assert_int_equal(bf_json_len(bf_json_get(j, "temperatures_c")), 1);
	assert_null(bf_json_get(j, "charge_voltage_limit_v"));
}

static void limits_that_the_pack_broadcasts_are_shown(void **state)
{
	struct bf_measure m = {
		.has_limits = true, .charge_v_max = 58.5, .charge_a_max = 25, .discharge_a_max = 50
	};
	struct bf_event ev = { .kind = BF_EV_MEASURE, .measure = &m };
	BF_AUTO(bf_json) *j = line_of(&ev, NULL);

	(void)state;
	assert_true(bf_json_real(j, "charge_voltage_limit_v", 0) > 58.4);
	assert_true(bf_json_real(j, "charge_current_limit_a", 0) > 24.9);
	assert_true(bf_json_real(j, "discharge_current_limit_a", 0) > 49.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_has_version_time_and_event),
		cmocka_unit_test(the_result_of_a_failure_carries_the_whole_record),
		cmocka_unit_test(success_has_no_error),
		cmocka_unit_test(unknown_quantities_are_absent_not_zero),
		cmocka_unit_test(limits_that_the_pack_broadcasts_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
