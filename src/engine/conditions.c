/* SPDX-License-Identifier: MIT */
/* The pack's conditions against the profile's limits: before writing, and watched while writing. */
#include <math.h>
#include <stdio.h>

#include "run.h"

#define STEADY_GAP BF_MS(1000) /* between the two readings that must agree */
#define WATCH_GAP  BF_SEC(10)  /* between readings while writing */

struct reading {
	struct bf_run *run;
	const struct bf_measure *m;
	struct bf_err *err;
	bool quiet; /* while writing: only what fails is shown */
};

static enum bf_rc decide(struct reading *r, struct bf_check *check, bool ok)
{
	if (ok && r->quiet)
		return BF_OK;
	return bf_check_decide(r->run, check, ok, BF_E_PREFLIGHT, r->err);
}

static bool required(const struct bf_run *run, enum bf_quantity_kind kind)
{
	for (size_t i = 0; i < run->profile.n_quantities; i++) {
		if (run->profile.quantities[i].kind == kind && run->profile.quantities[i].required)
			return true;
	}
	return false;
}

/* A value that the pack does not tell: shown as unknown, and refused where the profile requires it. */
static enum bf_rc unknown(struct reading *r, const char *name, enum bf_quantity_kind kind)
{
	struct bf_check check = bf_check(name, BF_ALLOW_UNKNOWN);

	snprintf(check.got, sizeof(check.got), "unknown");
	if (r->quiet)
		return BF_OK;
	if (!required(r->run, kind)) {
		check.allow = -1;
		bf_check_unknown(r->run, &check);
		return BF_OK;
	}
	snprintf(check.limit, sizeof(check.limit), "a value, the profile requires it");
	return decide(r, &check, false);
}

static enum bf_rc check_soc(struct reading *r)
{
	const struct bf_limits *lim = &r->run->profile.limits;
	double soc = r->m->soc;
	struct bf_check check = bf_check("state-of-charge",
					 soc < lim->soc_min ? BF_ALLOW_LOW_SOC : BF_ALLOW_HIGH_SOC);

	if (!r->m->has_soc)
		return unknown(r, "state-of-charge", BF_Q_SOC);
	snprintf(check.got, sizeof(check.got), "%.1f %%", soc);
	snprintf(check.limit, sizeof(check.limit), "%g to %g %%", lim->soc_min, lim->soc_max);
	return decide(r, &check, soc >= lim->soc_min && soc <= lim->soc_max);
}

static enum bf_rc check_temperatures(struct reading *r)
{
	const struct bf_limits *lim = &r->run->profile.limits;
	struct bf_check cold = bf_check("temperature-lowest", BF_ALLOW_COLD);
	struct bf_check hot = bf_check("temperature-highest", BF_ALLOW_HOT);
	double low = HUGE_VAL, high = -HUGE_VAL;

	if (!r->m->n_temps)
		return unknown(r, "temperature", BF_Q_TEMPERATURE);
	for (size_t i = 0; i < r->m->n_temps; i++) {
		low = fmin(low, r->m->temp_c[i]);
		high = fmax(high, r->m->temp_c[i]);
	}
	snprintf(cold.got, sizeof(cold.got), "%.1f degrees C", low);
	snprintf(cold.limit, sizeof(cold.limit), "above %g degrees C", lim->temp_above);
	snprintf(hot.got, sizeof(hot.got), "%.1f degrees C", high);
	snprintf(hot.limit, sizeof(hot.limit), "below %g degrees C", lim->temp_below);
	if (decide(r, &cold, low > lim->temp_above))
		return r->err->rc;
	return decide(r, &hot, high < lim->temp_below);
}

static enum bf_rc check_current(struct reading *r)
{
	const struct bf_limits *lim = &r->run->profile.limits;
	struct bf_check check = bf_check("current", BF_ALLOW_CURRENT);

	if (!r->m->has_current)
		return unknown(r, "current", BF_Q_CURRENT);
	snprintf(check.got, sizeof(check.got), "%.2f A", r->m->current_a);
	snprintf(check.limit, sizeof(check.limit), "%g to %g A", -lim->current_max,
		 lim->current_max);
	return decide(r, &check, fabs(r->m->current_a) <= lim->current_max);
}

static enum bf_rc check_spread(struct reading *r)
{
	const struct bf_limits *lim = &r->run->profile.limits;
	struct bf_check check = bf_check("cell-spread", BF_ALLOW_CELL_SPREAD);
	double low = HUGE_VAL, high = -HUGE_VAL;

	if (!r->m->n_cells)
		return unknown(r, "cell-voltages", BF_Q_CELL_VOLTAGE);
	for (size_t i = 0; i < r->m->n_cells; i++) {
		low = fmin(low, r->m->cell_v[i]);
		high = fmax(high, r->m->cell_v[i]);
	}
	snprintf(check.got, sizeof(check.got), "%.3f V (%.3f to %.3f V)", high - low, low, high);
	snprintf(check.limit, sizeof(check.limit), "at most %g V", lim->cell_spread_max);
	return decide(r, &check, high - low <= lim->cell_spread_max);
}

static enum bf_rc check_instant(struct reading *r)
{
	enum bf_rc rc = check_soc(r);

	rc = rc ? rc : check_temperatures(r);
	rc = rc ? rc : check_current(r);
	return rc ? rc : check_spread(r);
}

static enum bf_rc check_steady(struct reading *r, const struct bf_measure *earlier)
{
	const struct bf_limits *lim = &r->run->profile.limits;
	struct bf_check pack = bf_check("pack-voltage-steady", BF_ALLOW_UNSTEADY);
	struct bf_check cell = bf_check("cell-voltages-steady", BF_ALLOW_UNSTEADY);
	double worst = 0;
	size_t which = 0;

	if (!r->m->has_pack || !earlier->has_pack) {
		if (unknown(r, "pack-voltage-steady", BF_Q_PACK_VOLTAGE))
			return r->err->rc;
	} else {
		double moved = fabs(r->m->pack_v - earlier->pack_v);

		snprintf(pack.got, sizeof(pack.got), "moves by %.3f V", moved);
		snprintf(pack.limit, sizeof(pack.limit), "at most %g V", lim->steady_pack);
		if (decide(r, &pack, moved <= lim->steady_pack))
			return r->err->rc;
	}
	if (!r->m->n_cells || earlier->n_cells != r->m->n_cells)
		return BF_OK; /* that cells are unknown was said already */
	for (size_t i = 0; i < r->m->n_cells; i++) {
		double moved = fabs(r->m->cell_v[i] - earlier->cell_v[i]);

		if (moved > worst) {
			worst = moved;
			which = i;
		}
	}
	snprintf(cell.got, sizeof(cell.got), "cell %zu moves by %.4f V", which + 1, worst);
	snprintf(cell.limit, sizeof(cell.limit), "at most %g V", lim->steady_cell);
	return decide(r, &cell, worst <= lim->steady_cell);
}

static enum bf_rc measure(struct bf_run *run, struct bf_measure *ret, struct bf_err *err)
{
	*ret = (struct bf_measure){ 0 };
	if (!run->proto->ops->measure || !bf_run_can(run, BF_CAP_MEASURE))
		return BF_OK; /* everything stays unknown */
	if (run->proto->ops->measure(run->proto, ret, err))
		return bf_while(err, "reading the pack's conditions");
	return BF_OK;
}

enum bf_rc bf_ph_conditions(struct bf_run *run, struct bf_err *err)
{
	struct bf_measure first, second;
	struct reading r = { .run = run, .m = &second, .err = err };

	if (measure(run, &first, err))
		return err->rc;
	if (bf_run_can(run, BF_CAP_MEASURE) && bf_run_pause(run, STEADY_GAP, err))
		return err->rc;
	if (measure(run, &second, err))
		return err->rc;
	if (bf_run_can(run, BF_CAP_MEASURE))
		bf_emit(run, (struct bf_event){ .kind = BF_EV_MEASURE, .measure = &second });
	if (check_instant(&r) || check_steady(&r, &first)) {
		if (err->rc == BF_E_PREFLIGHT)
			bf_while(err, "checking the pack's conditions before writing");
		return err->rc;
	}
	/* An interrupted run has left its own reading: what the cells were before it all began. */
	if (!run->has_before)
		run->before = second;
	run->has_before = true;
	run->watched = bf_now(run->clock);
	return BF_OK;
}

/* With one bank going on is safer than stopping, so there is nothing to decide. */
enum bf_rc bf_conditions_watch(struct bf_run *run, struct bf_err *err)
{
	struct bf_measure m;
	struct bf_err silent;
	struct reading r = { .run = run, .m = &m, .err = err, .quiet = true };

	if (!bf_run_can(run, BF_CAP_MEASURE | BF_CAP_DUAL_BANK) ||
	    bf_now(run->clock) - run->watched < WATCH_GAP)
		return BF_OK;
	run->watched = bf_now(run->clock);
	bf_err_init(&silent);
	/* A server that answers nothing but the transfer now is within its rights. */
	if (measure(run, &m, &silent))
		return BF_OK;
	if (check_instant(&r))
		return bf_while(err, "watching the pack's conditions while writing");
	return BF_OK;
}
