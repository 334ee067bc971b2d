/* SPDX-License-Identifier: MIT */
/* Values that change while the pack lives, and what it tells inverters by itself. */
#include "tester.h"

static void measure_at(const struct bf_pack *p, bf_time at, struct bf_pack_measure *m)
{
	bf_pack_measure(p, at, m);
}

static struct bf_pack *powered(const char *keys, bf_time at)
{
	struct bf_sim_opts opts;
	struct bf_pack *p = NULL;
	struct bf_err err;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	if (bf_sim_opts_parse(keys, &opts, &err) || bf_pack_new(&opts, &p, &err))
		fail_msg("%s", err.cause);
	bf_pack_power(p, true, at);
	return p;
}

static void a_value_changes_at_its_time(void **state)
{
	struct bf_pack *p = powered("soc@2000=5,temp@5s=50,soc@8s=70,current@1s=-12.5", 0);
	struct bf_pack_measure m;

	(void)state;
	measure_at(p, 0, &m);
	assert_int_equal(m.soc_permille, 550);
	assert_int_equal(m.current_ma, 0);
	measure_at(p, BF_MS(1999), &m);
	assert_int_equal(m.soc_permille, 550);
	assert_int_equal(m.current_ma, -12500);
	measure_at(p, BF_MS(2000), &m);
	assert_int_equal(m.soc_permille, 50);
	assert_in_range(m.temp_dc[0], 249, 251);
	measure_at(p, BF_SEC(5), &m);
	assert_in_range(m.temp_dc[0], 499, 501);
	assert_int_equal(m.soc_permille, 50);
	measure_at(p, BF_SEC(100), &m);
	assert_int_equal(m.soc_permille, 700);
	bf_pack_free(p);
}

static void changes_count_from_the_first_power_on(void **state)
{
	struct bf_pack *p = powered("soc@2s=5", BF_SEC(1000));
	struct bf_pack_measure m;

	(void)state;
	measure_at(p, BF_SEC(1001), &m);
	assert_int_equal(m.soc_permille, 550);
	bf_pack_power(p, false, BF_SEC(1001));
	bf_pack_power(p, true, BF_SEC(1001));
	measure_at(p, BF_SEC(1002), &m);
	assert_int_equal(m.soc_permille, 50);
	bf_pack_free(p);
}

static void changes_may_be_given_in_any_order(void **state)
{
	struct bf_pack *p = powered("soc@8s=70,soc@2s=5", 0);
	struct bf_pack_measure m;

	(void)state;
	measure_at(p, BF_SEC(3), &m);
	assert_int_equal(m.soc_permille, 50);
	measure_at(p, BF_SEC(9), &m);
	assert_int_equal(m.soc_permille, 700);
	bf_pack_free(p);
}

static void one_cell_can_lie_below_the_others(void **state)
{
	struct bf_pack *p = powered("spread@1s=0.15", 0);
	struct bf_pack_measure m;

	(void)state;
	measure_at(p, 0, &m);
	assert_in_range(m.cell_mv[6], m.cell_mv[0] - 12, m.cell_mv[0] + 12);
	measure_at(p, BF_SEC(1), &m);
	assert_in_range(m.cell_mv[6], m.cell_mv[0] - 162, m.cell_mv[0] - 138);
	bf_pack_free(p);
}

static void only_measured_values_take_a_time(void **state)
{
	static const char *const bad[] = { "rate@1s=9600", "soc@=5", "soc@x=5",  "soc@1m=5",
					   "soc@1s=x",     "soc@1s", "soc@-1=5", "soc@1s=101" };
	struct bf_sim_opts opts;
	struct bf_err err;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		bf_err_init(&err);
		bf_sim_opts_default(&opts);
		assert_int_equal(bf_sim_opts_parse(bad[i], &opts, &err), BF_E_USAGE);
		assert_int_equal(opts.n_changes, 0);
	}
	bf_sim_opts_default(&opts);
	for (unsigned i = 0; i < BF_SIM_CHANGES; i++)
		assert_int_equal(bf_sim_opts_parse("soc@1s=5", &opts, &err), BF_OK);
	assert_int_equal(bf_sim_opts_parse("soc@1s=5", &opts, &err), BF_E_USAGE);
}

/* ---- broadcasts ---- */

static int16_t le16(const uint8_t *p)
{
	return (int16_t)(p[0] | p[1] << 8);
}

static void values_are_broadcast_once_a_second(void **state)
{
	static const uint32_t ids[] = { 0x351, 0x355, 0x356 };
	struct bf_frame f[6];
	struct tester s;

	(void)state;
	tester_open(&s, "sim:broadcast=1,soc=61,temp=-5,current=-2.5");
	for (size_t i = 0; i < BF_COUNT(f); i++) {
		assert_true(tester_frame(&s, &f[i], BF_SEC(2)));
		assert_int_equal(f[i].id, ids[i % 3]);
		assert_int_equal(f[i].flags, 0);
	}
	assert_in_range(f[3].at - f[0].at, BF_MS(990), BF_MS(1010));
	assert_int_equal(le16(f[0].data), 584);
	assert_int_equal(le16(f[1].data), 61);
	assert_in_range(le16(f[2].data), 5200, 5350);
	assert_int_equal(le16(f[2].data + 2), -25);
	assert_in_range(-le16(f[2].data + 4), 48, 51);
	tester_close(&s);
}

static void nothing_is_broadcast_unasked(void **state)
{
	struct bf_frame f;
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	assert_false(tester_frame(&s, &f, BF_SEC(5)));
	tester_close(&s);
}

static void a_loader_without_firmware_broadcasts_nothing(void **state)
{
	struct bf_frame f;
	struct tester s;

	(void)state;
	tester_open(&s, "sim:broadcast=1,version=none");
	assert_false(tester_frame(&s, &f, BF_SEC(5)));
	tester_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_changes_at_its_time),
		cmocka_unit_test(changes_count_from_the_first_power_on),
		cmocka_unit_test(changes_may_be_given_in_any_order),
		cmocka_unit_test(one_cell_can_lie_below_the_others),
		cmocka_unit_test(only_measured_values_take_a_time),
		cmocka_unit_test(values_are_broadcast_once_a_second),
		cmocka_unit_test(nothing_is_broadcast_unasked),
		cmocka_unit_test(a_loader_without_firmware_broadcasts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
