/* SPDX-License-Identifier: MIT */
#include "engine/judge.h"

#include <math.h>
#include <stdio.h>

/* Raw numbers times a scale are not exact: 3.35 V less 3.34 V is more than 0.01 V in binary. A millionth is
 * below what any pack resolves, and always counts towards the rule: at the edge of "at most" is inside,
 * at the edge of "above" is outside. */
#define EPS 1e-6

static bool at_most(double v, double limit)
{
	return v <= limit + EPS;
}

static bool at_least(double v, double limit)
{
	return v >= limit - EPS;
}

static bool above(double v, double limit)
{
	return v > limit + EPS;
}

static bool below(double v, double limit)
{
	return v < limit - EPS;
}

/* Tenths, or thousandths where tenths would hide on which side of a limit it is. */
static int digits(double v)
{
	return fabs(v * 10 - round(v * 10)) < 10 * EPS ? 1 : 3;
}

static struct bf_finding *add(struct bf_findings *f, const char *name, int allow, bool ok)
{
	struct bf_finding *row = &f->rows[f->n++];

	*row = (struct bf_finding){ .check = { .name = name, .allow = allow }, .ok = ok };
	return row;
}

#define GOT(row, ...)   snprintf((row)->check.got, sizeof((row)->check.got), __VA_ARGS__)
#define LIMIT(row, ...) snprintf((row)->check.limit, sizeof((row)->check.limit), __VA_ARGS__)
#define MEND(row, ...)  snprintf((row)->mend, sizeof((row)->mend), __VA_ARGS__)

static bool required(const struct bf_profile *p, enum bf_quantity_kind kind)
{
	for (size_t i = 0; i < p->n_quantities; i++) {
		if (p->quantities[i].kind == kind && p->quantities[i].required)
			return true;
	}
	return false;
}

/* A value that the pack does not tell: outside limits where the profile requires it. */
static void unknown(const struct bf_profile *p, const char *name, enum bf_quantity_kind kind,
		    struct bf_findings *ret)
{
	bool wanted = required(p, kind);
	struct bf_finding *row = add(ret, name, wanted ? (int)BF_ALLOW_UNKNOWN : -1, !wanted);

	row->check.verdict = BF_VERDICT_UNKNOWN;
	GOT(row, "unknown");
	if (!wanted)
		return;
	LIMIT(row, "a value, the profile requires it");
	MEND(row, "see that the pack tells it: its telemetry, or its [quantity] in the profile");
}

static void judge_soc(const struct bf_profile *p, const struct bf_measure *m,
		      struct bf_findings *ret)
{
	const struct bf_limits *lim = &p->limits;
	bool low = !at_least(m->soc, lim->soc_min);
	struct bf_finding *row;

	if (!m->has_soc) {
		unknown(p, "state-of-charge", BF_Q_SOC, ret);
		return;
	}
	row = add(ret, "state-of-charge", low ? BF_ALLOW_LOW_SOC : BF_ALLOW_HIGH_SOC,
		  !low && at_most(m->soc, lim->soc_max));
	GOT(row, "%.*f %%", digits(m->soc), m->soc);
	LIMIT(row, "%g to %g %%", lim->soc_min, lim->soc_max);
	if (low)
		MEND(row, "charge the pack to at least %g %%", lim->soc_min);
	else if (!row->ok)
		MEND(row, "discharge the pack to at most %g %%", lim->soc_max);
}

static size_t coldest(const struct bf_measure *m)
{
	size_t which = 0;

	for (size_t i = 1; i < m->n_temps; i++) {
		if (m->temp_c[i] < m->temp_c[which])
			which = i;
	}
	return which;
}

static size_t hottest(const struct bf_measure *m)
{
	size_t which = 0;

	for (size_t i = 1; i < m->n_temps; i++) {
		if (m->temp_c[i] > m->temp_c[which])
			which = i;
	}
	return which;
}

static void judge_temperatures(const struct bf_profile *p, const struct bf_measure *m,
			       struct bf_findings *ret)
{
	const struct bf_limits *lim = &p->limits;
	size_t cold = coldest(m), hot = hottest(m);
	struct bf_finding *row;

	if (!m->n_temps) {
		unknown(p, "temperature", BF_Q_TEMPERATURE, ret);
		return;
	}
	row = add(ret, "temperature-lowest", BF_ALLOW_COLD,
		  above(m->temp_c[cold], lim->temp_above));
	GOT(row, "%.*f degrees C (sensor %zu)", digits(m->temp_c[cold]), m->temp_c[cold], cold + 1);
	LIMIT(row, "above %g degrees C", lim->temp_above);
	if (!row->ok)
		MEND(row, "warm the pack up until every sensor reads above %g degrees C",
		     lim->temp_above);
	row = add(ret, "temperature-highest", BF_ALLOW_HOT, below(m->temp_c[hot], lim->temp_below));
	GOT(row, "%.*f degrees C (sensor %zu)", digits(m->temp_c[hot]), m->temp_c[hot], hot + 1);
	LIMIT(row, "below %g degrees C", lim->temp_below);
	if (!row->ok)
		MEND(row, "let the pack cool down until every sensor reads below %g degrees C",
		     lim->temp_below);
}

static void judge_current(const struct bf_profile *p, const struct bf_measure *m,
			  struct bf_findings *ret)
{
	double limit = p->limits.current_max;
	struct bf_finding *row;

	if (!m->has_current) {
		unknown(p, "current", BF_Q_CURRENT, ret);
		return;
	}
	row = add(ret, "current", BF_ALLOW_CURRENT, at_most(fabs(m->current_a), limit));
	GOT(row, "%.2f A", m->current_a);
	LIMIT(row, "%g to %g A", -limit, limit);
	if (!row->ok)
		MEND(row, "disconnect charger and load");
}

static void judge_spread(const struct bf_profile *p, const struct bf_measure *m,
			 struct bf_findings *ret)
{
	double limit = p->limits.cell_spread_max;
	size_t low = 0, high = 0;
	struct bf_finding *row;

	if (!m->n_cells) {
		unknown(p, "cell-voltages", BF_Q_CELL_VOLTAGE, ret);
		return;
	}
	for (size_t i = 1; i < m->n_cells; i++) {
		low = m->cell_v[i] < m->cell_v[low] ? i : low;
		high = m->cell_v[i] > m->cell_v[high] ? i : high;
	}
	row = add(ret, "cell-spread", BF_ALLOW_CELL_SPREAD,
		  at_most(m->cell_v[high] - m->cell_v[low], limit));
	GOT(row, "%.3f V (cell %zu %.3f V, cell %zu %.3f V)", m->cell_v[high] - m->cell_v[low],
	    low + 1, m->cell_v[low], high + 1, m->cell_v[high]);
	LIMIT(row, "at most %g V", limit);
	if (!row->ok)
		MEND(row, "let the pack balance its cells; look at cell %zu and cell %zu", low + 1,
		     high + 1);
}

void bf_judge_now(const struct bf_profile *profile, const struct bf_measure *m,
		  struct bf_findings *ret)
{
	judge_soc(profile, m, ret);
	judge_temperatures(profile, m, ret);
	judge_current(profile, m, ret);
	judge_spread(profile, m, ret);
}

#define SETTLE "let the pack rest until its voltages settle"

static void judge_pack_steady(const struct bf_profile *p, const struct bf_measure *earlier,
			      const struct bf_measure *later, struct bf_findings *ret)
{
	double moved = fabs(later->pack_v - earlier->pack_v);
	struct bf_finding *row;

	if (!later->has_pack || !earlier->has_pack) {
		unknown(p, "pack-voltage-steady", BF_Q_PACK_VOLTAGE, ret);
		return;
	}
	row = add(ret, "pack-voltage-steady", BF_ALLOW_UNSTEADY,
		  at_most(moved, p->limits.steady_pack));
	GOT(row, "moves by %.3f V", moved);
	LIMIT(row, "at most %g V", p->limits.steady_pack);
	if (!row->ok)
		MEND(row, SETTLE);
}

void bf_judge_steady(const struct bf_profile *profile, const struct bf_measure *earlier,
		     const struct bf_measure *later, struct bf_findings *ret)
{
	struct bf_finding *row;
	double worst = 0;
	size_t which = 0;

	judge_pack_steady(profile, earlier, later, ret);
	if (!later->n_cells || earlier->n_cells != later->n_cells)
		return; /* that cells are unknown was said already */
	for (size_t i = 0; i < later->n_cells; i++) {
		double moved = fabs(later->cell_v[i] - earlier->cell_v[i]);

		if (moved > worst) {
			worst = moved;
			which = i;
		}
	}
	row = add(ret, "cell-voltages-steady", BF_ALLOW_UNSTEADY,
		  at_most(worst, profile->limits.steady_cell));
	GOT(row, "cell %zu moves by %.4f V", which + 1, worst);
	LIMIT(row, "at most %g V", profile->limits.steady_cell);
	if (!row->ok)
		MEND(row, SETTLE);
}
