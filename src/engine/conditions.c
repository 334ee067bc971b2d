/* SPDX-License-Identifier: MIT */
/* The pack's conditions, judged by the profile's limits: before writing, and while flash is written. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "source/source.h"
#include "phases.h"

/* ==== a reading against the limits ==== */

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

/* Cells that no chemistry has, or that do not make up the pack: the pack measures badly, or something is loose. */
static void judge_cells(const struct bf_profile *p, const struct bf_measure *m,
			struct bf_findings *ret)
{
	const struct bf_limits *lim = &p->limits;
	struct bf_finding *row;
	double sum = 0;
	size_t bad = 0;
	bool ok = true;

	for (size_t i = 0; i < m->n_cells; i++) {
		sum += m->cell_v[i];
		if (ok && !(at_least(m->cell_v[i], lim->cell_min) &&
			    at_most(m->cell_v[i], lim->cell_max))) {
			ok = false;
			bad = i;
		}
	}
	if (m->n_cells && lim->cell_max > 0) {
		row = add(ret, "cell-voltage", BF_ALLOW_CELL_SPREAD, ok);
		GOT(row, "%.3f V (cell %zu)", m->cell_v[bad], bad + 1);
		LIMIT(row, "%g to %g V", lim->cell_min, lim->cell_max);
		if (!ok)
			MEND(row, "look at cell %zu and its sense wire", bad + 1);
	}
	if (m->n_cells && m->has_pack && lim->cell_sum > 0) {
		row = add(ret, "cell-sum", BF_ALLOW_CELL_SPREAD,
			  at_most(fabs(sum - m->pack_v), lim->cell_sum));
		GOT(row, "cells %.2f V, pack %.2f V", sum, m->pack_v);
		LIMIT(row, "%g V apart at most", lim->cell_sum);
		if (!row->ok)
			MEND(row, "look at the sense wires: the cells do not add up to the pack");
	}
}

void bf_judge_now(const struct bf_profile *profile, const struct bf_measure *m,
		  struct bf_findings *ret)
{
	judge_soc(profile, m, ret);
	judge_temperatures(profile, m, ret);
	judge_current(profile, m, ret);
	judge_spread(profile, m, ret);
	judge_cells(profile, m, ret);
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

/* ==== before writing ==== */
/* The pack's conditions before writing: two readings, every limit decided and shown, then one answer. */

enum bf_rc bf_conditions_open(struct bf_run *run, struct bf_transport **transport,
			      struct bf_err *err)
{
	if (bf_source_open(&run->given.profile, transport, &run->conditions.meter, err))
		return bf_while(err, "preparing to read the pack's conditions");
	return BF_OK;
}

void bf_conditions_close(struct bf_run *run)
{
	run->conditions.meter = bf_source_close(run->conditions.meter);
}

void bf_conditions_before(struct bf_run *run, const double *cell_v, size_t n)
{
	memcpy(run->conditions.before.cell_v, cell_v, n * sizeof(*cell_v));
	run->conditions.before.n_cells = n;
	run->conditions.has_before = true;
}

bool bf_run_measures(const struct bf_run *run)
{
	return run->conditions.meter && bf_run_can(run, run->conditions.meter->ops->caps);
}

enum bf_rc bf_run_measure(struct bf_run *run, struct bf_measure *ret, struct bf_err *err)
{
	*ret = (struct bf_measure){ 0 };
	if (!bf_run_measures(run))
		return BF_OK;
	return run->conditions.meter->ops->read(run->conditions.meter, run->wire.transport,
						run->session.proto, ret, err);
}

#define STEADY_GAP BF_MS(1000) /* between the two readings that must agree */

static enum bf_rc measure(struct bf_run *run, struct bf_measure *ret, struct bf_err *err)
{
	struct bf_err why;

	bf_err_init(&why);
	run->conditions.silent = false;
	if (!bf_run_measure(run, ret, &why))
		return BF_OK;
	/* A pack without firmware could not be given any if its firmware had to tell. */
	if ((why.rc == BF_E_TIMEOUT || why.rc == BF_E_UNSUPPORTED) &&
	    run->session.ident.in_bootloader && run->conditions.meter->ops->by_application) {
		bf_say(run, BF_EV_NOTICE, "no firmware runs that could tell conditions: %s",
		       why.cause);
		*ret = (struct bf_measure){ 0 };
		run->conditions.silent = true;
		return BF_OK;
	}
	*err = why;
	return bf_while(err, "reading the pack's conditions");
}

/* " --allow low-soc --allow hot": everything that this reading would need. */
static void permissions(const struct bf_findings *f, const struct bf_run *run, char *dst,
			size_t cap)
{
	unsigned named = 0;
	size_t n = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < f->n; i++) {
		const struct bf_check *c = &f->rows[i].check;

		if (f->rows[i].ok || c->allow < 0 || run->job->allow[c->allow] ||
		    named & 1u << c->allow)
			continue;
		named |= 1u << c->allow;
		n += (size_t)snprintf(dst + n, cap - n, " --allow %s",
				      bf_allow_info((enum bf_allow)c->allow)->name);
		if (n >= cap)
			return;
	}
}

static void advise(const struct bf_run *run, const struct bf_findings *f,
		   const struct bf_finding *row, struct bf_err *err)
{
	char allow[160];

	permissions(f, run, allow, sizeof(allow));
	bf_do(err, "%s, or accept the risk:%s", row->mend, allow);
	bf_next_command(run, run->job->kind, run->job->restore_from, err);
}

static enum bf_rc decide(struct bf_run *run, struct bf_finding *row, struct bf_err *err)
{
	if (row->ok && row->check.verdict == BF_VERDICT_UNKNOWN) {
		bf_check_unknown(run, &row->check);
		return BF_OK;
	}
	return bf_check_decide(run, &row->check, row->ok, BF_E_PREFLIGHT, err);
}

/* All are shown; the first that fails is the cause, and the way on names what each would need. */
static enum bf_rc decide_all(struct bf_run *run, struct bf_findings *f, struct bf_err *err)
{
	struct bf_finding *worst = NULL;
	struct bf_err other;

	for (size_t i = 0; i < f->n; i++) {
		bf_err_init(&other);
		if (!decide(run, &f->rows[i], worst ? &other : err) || worst)
			continue;
		worst = &f->rows[i];
	}
	if (!worst)
		return BF_OK;
	advise(run, f, worst, err);
	return bf_while(err, "checking the pack's conditions before writing");
}

/* The first reading is judged at once. Where its firmware goes on while it is written to, the second one can wait until
 * everything else is ready; else it may have to be the last that the firmware tells. */
static enum bf_rc read_first(struct bf_run *run, struct bf_err *err)
{
	struct bf_conditions *c = &run->conditions;

	if (!c->meter && bf_source_missing(&run->given.profile, run->wire.transport, err))
		return err->rc;
	if (measure(run, &c->first, err))
		return err->rc;
	c->first_at = bf_now(run->clock);
	return BF_OK;
}

/* Of what a second reading shows: what both tell together, and what is outside limits since the first. */
static void keep_news(const struct bf_profile *profile, const struct bf_measure *first,
		      size_t of_one, struct bf_findings *f)
{
	struct bf_findings before = { 0 };
	size_t n = 0;

	bf_judge_now(profile, first, &before);
	for (size_t i = 0; i < f->n; i++) {
		bool known = false;

		for (size_t k = 0; k < before.n; k++)
			known = known || (!before.rows[k].ok && !strcmp(before.rows[k].check.name,
									f->rows[i].check.name));
		if (i >= of_one || (!f->rows[i].ok && !known))
			f->rows[n++] = f->rows[i];
	}
	f->n = n;
}

/* What the profile requires, it requires of a pack whose firmware runs. */
static void waive_unknown(struct bf_findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		f->rows[i].ok |= f->rows[i].check.verdict == BF_VERDICT_UNKNOWN;
}

/* `shown`: what the first reading tells has been decided and shown. */
static enum bf_rc judge_second(struct bf_run *run, bool shown, struct bf_err *err)
{
	struct bf_conditions *c = &run->conditions;
	struct bf_findings f = { 0 };
	struct bf_measure second;
	size_t of_one;

	if (bf_run_measures(run) && !c->silent && bf_now(run->clock) < c->first_at + STEADY_GAP &&
	    bf_run_pause(run, c->first_at + STEADY_GAP - bf_now(run->clock), err))
		return err->rc;
	if (measure(run, &second, err))
		return err->rc;
	if (bf_run_measures(run) && !c->silent)
		bf_emit(run, (struct bf_event){ .kind = BF_EV_MEASURE, .measure = &second });
	bf_judge_now(&run->given.profile, &second, &f);
	of_one = f.n;
	bf_judge_steady(&run->given.profile, &c->first, &second, &f);
	if (shown)
		keep_news(&run->given.profile, &c->first, of_one, &f);
	if (c->silent)
		waive_unknown(&f);
	if (decide_all(run, &f, err))
		return err->rc;
	/* An interrupted run has left its own reading: what the cells were before it all began. */
	if (!c->has_before)
		c->before = second;
	c->has_before = true;
	c->watched = bf_now(run->clock);
	return BF_OK;
}

enum bf_rc bf_ph_conditions(struct bf_run *run, struct bf_err *err)
{
	run->conditions.second_due = false;
	if (read_first(run, err))
		return err->rc;
	return judge_second(run, false, err);
}

enum bf_rc bf_ph_conditions_first(struct bf_run *run, struct bf_err *err)
{
	struct bf_conditions *c = &run->conditions;
	struct bf_findings f = { 0 };

	if (run->job->dry_run || !bf_run_measures(run) || !bf_writes_beside(run))
		return bf_ph_conditions(run, err);
	if (read_first(run, err))
		return err->rc;
	bf_emit(run, (struct bf_event){ .kind = BF_EV_MEASURE, .measure = &c->first });
	bf_judge_now(&run->given.profile, &c->first, &f);
	if (decide_all(run, &f, err))
		return err->rc;
	/* An archive that is made now tells what the cells were. */
	if (!c->has_before)
		c->before = c->first;
	c->has_before = true;
	c->second_due = true;
	return BF_OK;
}

enum bf_rc bf_ph_conditions_second(struct bf_run *run, struct bf_err *err)
{
	run->conditions.second_due = false;
	return judge_second(run, true, err);
}

/* A probe shows what the pack measures, where it does; a pack that does not is no failure. */
enum bf_rc bf_ph_look(struct bf_run *run, struct bf_err *err)
{
	struct bf_findings f = { 0 };
	struct bf_measure m;
	struct bf_err why;

	bf_err_init(&why);
	if ((!run->conditions.meter &&
	     bf_source_missing(&run->given.profile, run->wire.transport, &why)) ||
	    bf_run_measure(run, &m, &why)) {
		if (why.rc == BF_E_INTERRUPTED) {
			*err = why;
			return err->rc;
		}
		bf_say(run, BF_EV_NOTICE, "the pack does not tell its conditions: %s", why.cause);
		return BF_OK;
	}
	if (!bf_run_measures(run))
		return BF_OK;
	bf_emit(run, (struct bf_event){ .kind = BF_EV_MEASURE, .measure = &m });
	bf_judge_now(&run->given.profile, &m, &f);
	for (size_t i = 0; i < f.n; i++) {
		struct bf_check *c = &f.rows[i].check;

		if (c->verdict != BF_VERDICT_UNKNOWN)
			c->verdict = f.rows[i].ok ? BF_VERDICT_PASS : BF_VERDICT_FAIL;
		bf_emit(run, (struct bf_event){ .kind = BF_EV_CHECK, .check = c });
	}
	return BF_OK;
}

/* ==== while writing ==== */
/*
 * The pack's conditions while flash is written. Outside the limits writing pauses between two blocks, with
 * the session kept alive, until they are inside again, the user stops, or the profile's patience is over.
 */

#define REST BF_SEC(1) /* between two readings in a pause; also keeps the session (S3 is 5 s) */

#define UNTOLD_MAX 6 /* doublings of the interval */

enum look { INSIDE, OUTSIDE, UNTOLD };

struct watch {
	struct bf_run *run;
	struct bf_findings found;
	const struct bf_finding *worst; /* the first that is outside */
	unsigned known;                 /* conditions that the last whole reading told */
};

/* What is outside, and what was allowed to be. */
static void tell(struct bf_run *run, const struct bf_check *check, enum bf_verdict verdict)
{
	struct bf_check shown = *check;

	shown.verdict = verdict;
	bf_check_show(run, BF_EV_CHECK, &shown);
	if (verdict == BF_VERDICT_ALLOWED)
		return;
	bf_say(run, BF_EV_WARNING, "%s is '%s', allowed is '%s': %s", check->name, check->got,
	       check->limit,
	       bf_model_old_is_safe(&run->model)
		       ? "writing pauses and goes on by itself once it is inside again"
		       : "writing goes on, half-written firmware would be worse");
}

/* Each cause is told once, as long as it stays. Returns its bit. */
static unsigned note_outside(struct watch *w, const struct bf_finding *row)
{
	struct bf_run *run = w->run;
	unsigned bit = 1u << row->check.allow;
	bool allowed = run->job->allow[row->check.allow];

	if (!(run->conditions.told_outside & bit))
		tell(run, &row->check, allowed ? BF_VERDICT_ALLOWED : BF_VERDICT_FAIL);
	if (allowed)
		bf_check_allowed(run, row->check.allow);
	else if (!w->worst)
		w->worst = row;
	return bit;
}

/* A pack that answers nothing but the transfer now is within its rights. */
static void note_untold(struct bf_run *run, const struct bf_err *why)
{
	if (!run->conditions.untold++)
		bf_say(run, BF_EV_NOTICE, "conditions cannot be watched while writing: %s",
		       why->cause);
}

/* A cause that is no longer told is not over. */
static bool tells_less(struct watch *w)
{
	unsigned known = 0;

	for (size_t i = 0; i < w->found.n; i++)
		known += w->found.rows[i].check.verdict != BF_VERDICT_UNKNOWN;
	if (known < w->known)
		return true;
	w->known = known;
	return false;
}

static enum look look(struct watch *w)
{
	struct bf_run *run = w->run;
	unsigned outside = 0;
	struct bf_measure m;
	struct bf_err silent;

	w->worst = NULL;
	w->found = (struct bf_findings){ 0 };
	bf_err_init(&silent);
	if (bf_run_measure(run, &m, &silent)) {
		note_untold(run, &silent);
		return UNTOLD;
	}
	run->conditions.untold = 0;
	run->conditions.watched = bf_now(run->clock);
	bf_judge_now(&run->given.profile, &m, &w->found);
	if (tells_less(w))
		return UNTOLD;
	for (size_t i = 0; i < w->found.n; i++) {
		const struct bf_finding *row = &w->found.rows[i];

		if (!row->ok && row->check.verdict != BF_VERDICT_UNKNOWN)
			outside |= note_outside(w, row);
	}
	run->conditions.told_outside = outside; /* a cause that comes back is told again */
	return w->worst ? OUTSIDE : INSIDE;
}

/* Silence costs a time-out each time: it is tried at twice the interval after each failure. */
bool bf_watch_due(const struct bf_run *run)
{
	unsigned times = run->conditions.untold < UNTOLD_MAX ? run->conditions.untold : UNTOLD_MAX;
	bf_time gap = BF_SEC((bf_time)run->given.profile.watch_s) << times;

	return bf_run_measures(run) && bf_now(run->clock) - run->conditions.watched >= gap;
}

/* Nothing is on the wire: a cancellation may be taken at once. */
static enum bf_rc rest(struct bf_run *run, struct bf_err *err)
{
	bool stayed;

	bf_clock_release(run->clock);
	stayed = bf_clock_until(run->clock, bf_in(run->clock, REST));
	bf_clock_hold(run->clock);
	if (bf_run_stop(run, err))
		return err->rc;
	if (!stayed)
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	if (run->session.proto->ops->keepalive &&
	    run->session.proto->ops->keepalive(run->session.proto, err))
		return bf_while(err, "keeping the session alive while writing is paused");
	return BF_OK;
}

/* What it was that stayed outside. */
struct patience {
	struct bf_check check;
	char todo[256];
};

static void remember(const struct watch *w, struct patience *p)
{
	struct bf_err err;

	bf_err_init(&err);
	advise(w->run, &w->found, w->worst, &err);
	p->check = w->worst->check;
	snprintf(p->todo, sizeof(p->todo), "%s", err.todo);
}

static enum bf_rc give_up(struct bf_run *run, const struct patience *p, struct bf_err *err)
{
	bf_fail(err, BF_E_PREFLIGHT, "%s: '%s', allowed is '%s'; given up after a pause of %u s",
		p->check.name, p->check.got, p->check.limit, run->given.profile.pause_max_s);
	bf_do(err, "%s; the same command goes on from here", p->todo);
	bf_next_command(run, run->job->kind, run->job->restore_from, err);
	return err->rc;
}

static void stay_alive(const struct watch *w)
{
	const struct bf_check *c = &w->worst->check;
	char text[256];

	snprintf(text, sizeof(text), "writing pauses: %s is '%s'", c->name, c->got);
	bf_alive_paused(w->run, text, c);
}

static enum bf_rc pause_writing(struct watch *w, struct bf_err *err)
{
	struct bf_run *run = w->run;
	bf_time began = bf_now(run->clock),
		end = bf_in(run->clock, BF_SEC((bf_time)run->given.profile.pause_max_s));
	struct patience p;
	enum look seen = OUTSIDE;

	do {
		if (seen == OUTSIDE)
			remember(w, &p);
		if (bf_now(run->clock) >= end)
			return give_up(run, &p, err);
		if (rest(run, err))
			return err->rc;
		seen = look(w);
		if (seen == OUTSIDE)
			stay_alive(w);
	} while (seen != INSIDE);
	bf_say(run, BF_EV_NOTICE, "writing goes on after a pause of %.0f s",
	       (double)(bf_now(run->clock) - began) / 1e6);
	bf_progress_resume(run);
	return BF_OK;
}

static enum bf_rc timed_pause(struct watch *w, struct bf_err *err)
{
	bf_time began = bf_now(w->run->clock);
	enum bf_rc rc = pause_writing(w, err);

	bf_spent(w->run, BF_SPENT_PAUSED, began);
	return rc;
}

enum bf_rc bf_conditions_watch(struct bf_run *run, struct bf_err *err)
{
	struct watch w = { .run = run };

	if (!bf_watch_due(run))
		return BF_OK;
	run->conditions.watched = bf_now(run->clock);
	if (look(&w) == OUTSIDE && bf_model_old_is_safe(&run->model)) {
		/* Whatever ends the pause early, the next block is preceded by a reading. */
		enum bf_rc rc = timed_pause(&w, err);

		if (rc) {
			run->conditions.watched = -BF_SEC((bf_time)run->given.profile.watch_s);
			run->conditions.untold = 0;
			return bf_while(err, "watching the pack's conditions while writing");
		}
	}
	return BF_OK;
}
