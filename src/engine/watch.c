/* SPDX-License-Identifier: MIT */
/*
 * The pack's conditions while flash is written. Outside the limits writing pauses between two pieces, with
 * the session kept alive, until they are inside again, the user stops, or the profile's patience is over.
 */
#include <stdio.h>
#include <string.h>

#include "engine/judge.h"
#include "source/source.h"
#include "run.h"

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
	       bf_run_can(run, BF_CAP_DUAL_BANK)
		       ? "writing pauses and goes on by itself once it is inside again"
		       : "writing goes on, half-written firmware would be worse");
}

/* Each cause is told once, as long as it stays. Returns its bit. */
static unsigned note_outside(struct watch *w, const struct bf_finding *row)
{
	struct bf_run *run = w->run;
	unsigned bit = 1u << row->check.allow;
	bool allowed = run->job->allow[row->check.allow];

	if (!(run->told_outside & bit))
		tell(run, &row->check, allowed ? BF_VERDICT_ALLOWED : BF_VERDICT_FAIL);
	if (allowed)
		run->overrides |= bit;
	else if (!w->worst)
		w->worst = row;
	return bit;
}

/* A pack that answers nothing but the transfer now is within its rights. */
static void note_untold(struct bf_run *run, const struct bf_err *why)
{
	if (!run->untold++)
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
	run->untold = 0;
	run->watched = bf_now(run->clock);
	bf_judge_now(&run->profile, &m, &w->found);
	if (tells_less(w))
		return UNTOLD;
	for (size_t i = 0; i < w->found.n; i++) {
		const struct bf_finding *row = &w->found.rows[i];

		if (!row->ok && row->check.verdict != BF_VERDICT_UNKNOWN)
			outside |= note_outside(w, row);
	}
	run->told_outside = outside; /* a cause that comes back is told again */
	return w->worst ? OUTSIDE : INSIDE;
}

/* Silence costs a time-out each time: it is tried at twice the interval after each failure. */
bool bf_watch_due(const struct bf_run *run)
{
	unsigned times = run->untold < UNTOLD_MAX ? run->untold : UNTOLD_MAX;
	bf_time gap = BF_SEC((bf_time)run->profile.watch_s) << times;

	return bf_run_measures(run) && bf_now(run->clock) - run->watched >= gap;
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
	if (run->proto->ops->keepalive && run->proto->ops->keepalive(run->proto, err))
		return bf_while(err, "keeping the session alive while writing is paused");
	return BF_OK;
}

/* What it was that stayed outside. */
struct patience {
	struct bf_check check;
	char next[512];
};

static void remember(const struct watch *w, struct patience *p)
{
	struct bf_err err;

	bf_err_init(&err);
	bf_conditions_advise(w->run, &w->found, w->worst, &err);
	p->check = w->worst->check;
	memcpy(p->next, err.next, sizeof(p->next));
}

static enum bf_rc give_up(struct bf_run *run, const struct patience *p, struct bf_err *err)
{
	bf_fail(err, BF_E_PREFLIGHT, "%s: '%s', allowed is '%s'; given up after a pause of %u s",
		p->check.name, p->check.got, p->check.limit, run->profile.pause_max_s);
	bf_next(err, "%s; the same command goes on from here", p->next);
	return err->rc;
}

static void stay_alive(const struct watch *w)
{
	const struct bf_check *c = &w->worst->check;
	char text[256];

	snprintf(text, sizeof(text), "writing pauses: %s is '%s'", c->name, c->got);
	bf_alive(w->run, text);
}

static enum bf_rc pause_writing(struct watch *w, struct bf_err *err)
{
	struct bf_run *run = w->run;
	bf_time began = bf_now(run->clock),
		end = bf_in(run->clock, BF_SEC((bf_time)run->profile.pause_max_s));
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
	run->mark.last = bf_now(run->clock); /* the rate is that of the transfer */
	return BF_OK;
}

static enum bf_rc timed_pause(struct watch *w, struct bf_err *err)
{
	bf_time began = bf_now(w->run->clock);
	enum bf_rc rc = pause_writing(w, err);

	w->run->sum.paused += bf_now(w->run->clock) - began;
	return rc;
}

enum bf_rc bf_conditions_watch(struct bf_run *run, struct bf_err *err)
{
	struct watch w = { .run = run };

	if (!bf_watch_due(run))
		return BF_OK;
	run->watched = bf_now(run->clock);
	if (look(&w) == OUTSIDE && bf_run_can(run, BF_CAP_DUAL_BANK)) {
		/* Whatever ends the pause early, the next piece is preceded by a reading. */
		enum bf_rc rc = timed_pause(&w, err);

		if (rc) {
			run->watched = -BF_SEC((bf_time)run->profile.watch_s);
			run->untold = 0;
			return bf_while(err, "watching the pack's conditions while writing");
		}
	}
	return BF_OK;
}
