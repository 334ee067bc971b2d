/* SPDX-License-Identifier: MIT */
/* The pack's conditions before writing: two readings, every limit decided and shown, then one answer. */
#include <stdio.h>

#include "engine/judge.h"
#include "source/source.h"
#include "run.h"

bool bf_run_measures(const struct bf_run *run)
{
	return run->meter && bf_run_can(run, run->meter->ops->caps);
}

enum bf_rc bf_run_measure(struct bf_run *run, struct bf_measure *ret, struct bf_err *err)
{
	*ret = (struct bf_measure){ 0 };
	if (!bf_run_measures(run))
		return BF_OK;
	return run->meter->ops->read(run->meter, run->transport, run->proto, ret, err);
}

#define STEADY_GAP BF_MS(1000) /* between the two readings that must agree */

static enum bf_rc measure(struct bf_run *run, struct bf_measure *ret, struct bf_err *err)
{
	struct bf_err why;

	bf_err_init(&why);
	if (!bf_run_measure(run, ret, &why))
		return BF_OK;
	/* A pack without firmware could not be given any if its firmware had to tell. */
	if (why.rc == BF_E_TIMEOUT && run->ident.in_bootloader && run->meter->ops->by_application) {
		bf_say(run, BF_EV_NOTICE, "no firmware runs that could tell conditions: %s",
		       why.cause);
		*ret = (struct bf_measure){ 0 };
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

void bf_conditions_advise(const struct bf_run *run, const struct bf_findings *f,
			  const struct bf_finding *row, struct bf_err *err)
{
	char allow[160];

	permissions(f, run, allow, sizeof(allow));
	bf_next(err, "%s, or accept the risk:%s", row->mend, allow);
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
	bf_conditions_advise(run, f, worst, err);
	return bf_while(err, "checking the pack's conditions before writing");
}

enum bf_rc bf_ph_conditions(struct bf_run *run, struct bf_err *err)
{
	struct bf_findings f = { 0 };
	struct bf_measure first, second;

	if (!run->meter && bf_source_missing(&run->profile, run->transport, err))
		return err->rc;
	if (measure(run, &first, err))
		return err->rc;
	if (bf_run_measures(run) && bf_run_pause(run, STEADY_GAP, err))
		return err->rc;
	if (measure(run, &second, err))
		return err->rc;
	if (bf_run_measures(run))
		bf_emit(run, (struct bf_event){ .kind = BF_EV_MEASURE, .measure = &second });
	bf_judge_now(&run->profile, &second, &f);
	bf_judge_steady(&run->profile, &first, &second, &f);
	if (decide_all(run, &f, err))
		return err->rc;
	/* An interrupted run has left its own reading: what the cells were before it all began. */
	if (!run->has_before)
		run->before = second;
	run->has_before = true;
	run->watched = bf_now(run->clock);
	return BF_OK;
}
