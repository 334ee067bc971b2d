/* SPDX-License-Identifier: MIT */
/* Every limit at its edge, with the limits of the built-in profile. */
#include "../unit.h"

#include "engine/conditions.h"

static struct bf_measure good(void)
{
	struct bf_measure m = {
		.has_pack = true,
		.has_current = true,
		.has_soc = true,
		.pack_v = 52.8,
		.soc = 55,
		.n_cells = 16,
		.n_temps = 4,
	};

	for (size_t i = 0; i < m.n_cells; i++)
		m.cell_v[i] = 3.3;
	for (size_t i = 0; i < m.n_temps; i++)
		m.temp_c[i] = 25;
	return m;
}

static const struct bf_finding *find(const struct bf_findings *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++) {
		if (strcmp(f->rows[i].check.name, name) == 0)
			return &f->rows[i];
	}
	fail_msg("no finding '%s'", name);
	return NULL;
}

static void judge(const struct bf_measure *earlier, const struct bf_measure *later,
		  struct bf_findings *ret)
{
	struct bf_profile p;

	bf_profile_default(&p);
	*ret = (struct bf_findings){ 0 };
	bf_judge_now(&p, later, ret);
	bf_judge_steady(&p, earlier, later, ret);
}

/* ---- one table: what is changed, and what is to be said of it ---- */

enum field { SOC, COLD, HOT, CURRENT, SPREAD, PACK_MOVES, CELL_MOVES };

static const struct {
	enum field field;
	double value;
	bool ok;
	const char *check;
	enum bf_allow allow;
	const char *got;
} rows[] = {
	{ SOC, 20.0, true, "state-of-charge", 0, "20.0 %" },
	{ SOC, 200 * 0.1, true, "state-of-charge", 0, "20.0 %" },
	{ SOC, 19.9, false, "state-of-charge", BF_ALLOW_LOW_SOC, "19.9 %" },
	{ SOC, 19.996, false, "state-of-charge", BF_ALLOW_LOW_SOC, "19.996 %" },
	{ SOC, 80.0, true, "state-of-charge", 0, "80.0 %" },
	{ SOC, 80.1, false, "state-of-charge", BF_ALLOW_HIGH_SOC, "80.1 %" },
	{ SOC, 0, false, "state-of-charge", BF_ALLOW_LOW_SOC, "0.0 %" },
	{ SOC, 100, false, "state-of-charge", BF_ALLOW_HIGH_SOC, "100.0 %" },
	{ COLD, 0.0, false, "temperature-lowest", BF_ALLOW_COLD, "0.0 degrees C (sensor 3)" },
	{ COLD, 0.1, true, "temperature-lowest", 0, "0.1 degrees C (sensor 3)" },
	{ COLD, -0.1, false, "temperature-lowest", BF_ALLOW_COLD, "-0.1 degrees C (sensor 3)" },
	/* 0 degrees as a pack tells it in hundredths of a kelvin: a little above in binary, and still not above */
	{ COLD, 27315 * 0.01 - 273.15, false, "temperature-lowest", BF_ALLOW_COLD,
	  "0.0 degrees C" },
	{ HOT, 45.0, false, "temperature-highest", BF_ALLOW_HOT, "45.0 degrees C (sensor 2)" },
	{ HOT, 44.9, true, "temperature-highest", 0, "44.9 degrees C (sensor 2)" },
	{ HOT, 3182 * 0.1 - 273.2, false, "temperature-highest", BF_ALLOW_HOT, "45.0 degrees C" },
	{ CURRENT, 1.0, true, "current", 0, "1.00 A" },
	{ CURRENT, -1.0, true, "current", 0, "-1.00 A" },
	{ CURRENT, 1.01, false, "current", BF_ALLOW_CURRENT, "1.01 A" },
	{ CURRENT, -1.01, false, "current", BF_ALLOW_CURRENT, "-1.01 A" },
	{ SPREAD, 3.3 - 0.1, true, "cell-spread", 0, "0.100 V" },
	{ SPREAD, 3.3 + 0.1, true, "cell-spread", 0, "0.100 V" },
	{ SPREAD, 3.199, false, "cell-spread", BF_ALLOW_CELL_SPREAD, "cell 8 3.199 V" },
	{ SPREAD, 3.401, false, "cell-spread", BF_ALLOW_CELL_SPREAD, "cell 8 3.401 V" },
	{ PACK_MOVES, 0.05, true, "pack-voltage-steady", 0, "moves by 0.050 V" },
	{ PACK_MOVES, -0.05, true, "pack-voltage-steady", 0, "moves by 0.050 V" },
	{ PACK_MOVES, 0.051, false, "pack-voltage-steady", BF_ALLOW_UNSTEADY, "moves by 0.051 V" },
	{ CELL_MOVES, 0.01, true, "cell-voltages-steady", 0, "cell 4 moves by 0.0100 V" },
	{ CELL_MOVES, -0.01, true, "cell-voltages-steady", 0, "cell 4 moves by 0.0100 V" },
	{ CELL_MOVES, -0.011, false, "cell-voltages-steady", BF_ALLOW_UNSTEADY, "cell 4 moves by" },
};

static void change(struct bf_measure *m, enum field field, double value)
{
	switch (field) {
	case SOC:
		m->soc = value;
		break;
	case COLD:
		m->temp_c[2] = value;
		break;
	case HOT:
		m->temp_c[1] = value;
		break;
	case CURRENT:
		m->current_a = value;
		break;
	case SPREAD:
		m->cell_v[7] = value;
		break;
	case PACK_MOVES:
		m->pack_v += value;
		break;
	case CELL_MOVES:
		m->cell_v[3] += value;
		break;
	}
}

static void each_limit_at_its_edge(void **state)
{
	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_measure earlier = good(), later = good();
		const struct bf_finding *found;
		struct bf_findings f;

		change(&later, rows[i].field, rows[i].value);
		if (rows[i].field == SPREAD)
			earlier = later;
		judge(&earlier, &later, &f);
		found = find(&f, rows[i].check);
		if (found->ok != rows[i].ok || !strstr(found->check.got, rows[i].got))
			fail_msg("row %zu: '%s' with %g is %s: '%s'", i, rows[i].check,
				 rows[i].value, found->ok ? "inside" : "outside", found->check.got);
		for (size_t k = 0; k < f.n; k++)
			assert_true(f.rows[k].ok || &f.rows[k] == found);
		if (rows[i].ok)
			continue;
		assert_int_equal(found->check.allow, rows[i].allow);
		assert_true(found->check.limit[0]);
		assert_true(found->mend[0]);
	}
}

static void voltages_at_the_edge_in_every_millivolt(void **state)
{
	(void)state;
	/* 10 mV apart is steady whichever two voltages these are: 3.35 - 3.34 in binary is not. */
	for (int mv = 2500; mv < 3650; mv++) {
		struct bf_measure earlier = good(), later = good();
		struct bf_findings f;

		for (size_t i = 0; i < earlier.n_cells; i++)
			earlier.cell_v[i] = later.cell_v[i] = mv * 0.001;
		later.cell_v[5] = (mv + 10) * 0.001;
		judge(&earlier, &later, &f);
		assert_true(find(&f, "cell-voltages-steady")->ok);
		later.cell_v[5] = (mv + 11) * 0.001;
		judge(&earlier, &later, &f);
		assert_false(find(&f, "cell-voltages-steady")->ok);
	}
}

static void limits_are_named_with_their_units(void **state)
{
	struct bf_measure m = good();
	struct bf_findings f;

	(void)state;
	judge(&m, &m, &f);
	assert_string_equal(find(&f, "state-of-charge")->check.limit, "20 to 80 %");
	assert_string_equal(find(&f, "temperature-lowest")->check.limit, "above 0 degrees C");
	assert_string_equal(find(&f, "temperature-highest")->check.limit, "below 45 degrees C");
	assert_string_equal(find(&f, "current")->check.limit, "-1 to 1 A");
	assert_string_equal(find(&f, "cell-spread")->check.limit, "at most 0.1 V");
	assert_string_equal(find(&f, "pack-voltage-steady")->check.limit, "at most 0.05 V");
	assert_string_equal(find(&f, "cell-voltages-steady")->check.limit, "at most 0.01 V");
}

static void what_is_unknown_is_said_and_passes_unless_required(void **state)
{
	static const enum bf_quantity_kind kinds[] = { BF_Q_SOC, BF_Q_TEMPERATURE, BF_Q_CURRENT,
						       BF_Q_CELL_VOLTAGE, BF_Q_PACK_VOLTAGE };
	static const char *const names[] = { "state-of-charge", "temperature", "current",
					     "cell-voltages", "pack-voltage-steady" };
	const struct bf_measure nothing = { 0 };
	struct bf_findings f = { 0 };
	struct bf_profile p;

	(void)state;
	bf_profile_default(&p);
	bf_judge_now(&p, &nothing, &f);
	bf_judge_steady(&p, &nothing, &nothing, &f);
	assert_int_equal(f.n, BF_COUNT(names));
	for (size_t i = 0; i < f.n; i++) {
		assert_true(find(&f, names[i])->ok);
		assert_int_equal(find(&f, names[i])->check.verdict, BF_VERDICT_UNKNOWN);
	}
	for (size_t i = 0; i < BF_COUNT(kinds); i++) {
		bf_profile_default(&p);
		for (size_t k = 0; k < p.n_quantities; k++)
			p.quantities[k].required = p.quantities[k].kind == kinds[i];
		f.n = 0;
		bf_judge_now(&p, &nothing, &f);
		bf_judge_steady(&p, &nothing, &nothing, &f);
		for (size_t k = 0; k < f.n; k++)
			assert_int_equal(f.rows[k].ok, strcmp(f.rows[k].check.name, names[i]) != 0);
		assert_int_equal(find(&f, names[i])->check.allow, BF_ALLOW_UNKNOWN);
		assert_true(find(&f, names[i])->mend[0]);
	}
}

static void another_number_of_cells_is_not_compared(void **state)
{
	struct bf_measure earlier = good(), later = good();
	struct bf_findings f;

	(void)state;
	earlier.n_cells = 15;
	judge(&earlier, &later, &f);
	for (size_t i = 0; i < f.n; i++)
		assert_string_not_equal(f.rows[i].check.name, "cell-voltages-steady");
}

/* Off unless the profile asks for them. */
static void cells_must_be_plausible_where_the_profile_says_so(void **state)
{
	struct bf_measure m = good();
	struct bf_findings f = { 0 };
	struct bf_profile p;

	(void)state;
	bf_profile_default(&p);
	bf_judge_now(&p, &m, &f);
	for (size_t i = 0; i < f.n; i++)
		assert_string_not_equal(f.rows[i].check.name, "cell-voltage");
	p.limits.cell_min = 1;
	p.limits.cell_max = 5.5;
	p.limits.cell_sum = 1;
	f.n = 0;
	bf_judge_now(&p, &m, &f);
	assert_true(find(&f, "cell-voltage")->ok && find(&f, "cell-sum")->ok);
	m.cell_v[6] = 0.9;
	m.pack_v = 54.0;
	f.n = 0;
	bf_judge_now(&p, &m, &f);
	assert_false(find(&f, "cell-voltage")->ok);
	assert_string_equal(find(&f, "cell-voltage")->check.got, "0.900 V (cell 7)");
	assert_false(find(&f, "cell-sum")->ok);
	assert_int_equal(find(&f, "cell-sum")->check.allow, BF_ALLOW_CELL_SPREAD);
}

static void of_two_sensors_that_are_as_hot_or_as_cold_the_first_is_named(void **state)
{
	struct bf_measure m = good();
	struct bf_findings f;

	(void)state;
	m.temp_c[1] = m.temp_c[2] = 46;
	m.temp_c[0] = m.temp_c[3] = -1;
	judge(&m, &m, &f);
	assert_non_null(strstr(find(&f, "temperature-highest")->check.got, "(sensor 2)"));
	assert_non_null(strstr(find(&f, "temperature-lowest")->check.got, "(sensor 1)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_limit_at_its_edge),
		cmocka_unit_test(voltages_at_the_edge_in_every_millivolt),
		cmocka_unit_test(limits_are_named_with_their_units),
		cmocka_unit_test(what_is_unknown_is_said_and_passes_unless_required),
		cmocka_unit_test(another_number_of_cells_is_not_compared),
		cmocka_unit_test(cells_must_be_plausible_where_the_profile_says_so),
		cmocka_unit_test(of_two_sensors_that_are_as_hot_or_as_cold_the_first_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
