/* SPDX-License-Identifier: MIT */
/*
 * Runs a table of phases. A failure undoes what was begun, latest first; leaving happens always, latest
 * first. While undoing and leaving, a cancellation waits: a way back is walked to its end.
 */
#include "recover.h"
#include "run.h"

#define TIMEOUT_GRACE BF_SEC(60) /* for a rollback that --timeout meets; then every wait ends */

static bool applies(const struct bf_run *run, const struct bf_phase *row)
{
	return !row->when || row->when(run);
}

static double weight_of(const struct bf_phase *rows, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += rows[i].weight;
	return sum;
}

static enum bf_rc run_one(struct bf_run *run, const struct bf_phase *row, struct bf_err *err)
{
	enum bf_rc rc = bf_run_stop(run, err);

	if (rc)
		return bf_while(err, "about to begin: %s", row->name);
	/* The clock is the wire's once there is one. */
	if (run->deadline != BF_NEVER)
		bf_clock_limit(run->clock, run->deadline, run->deadline + TIMEOUT_GRACE);
	if (row->hold)
		bf_run_hold(run);
	rc = row->run(run, err);
	/* Not every callee fills the record when it is only passing a cancellation on. */
	if (rc && !err->rc)
		bf_fail(err, rc, "%s", bf_rc_info(rc)->meaning);
	bf_name_stop(run, err);
	return rc ? bf_while(err, "%s", row->name) : BF_OK;
}

static void announce(struct bf_run *run, const struct bf_phase *rows, size_t i, size_t n)
{
	double sum = weight_of(rows, n), percent = sum > 0 ? 100 / sum : 0;

	bf_progress_begin(run, rows[i].name, percent * weight_of(rows, i),
			  percent * rows[i].weight);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_PHASE,
					.phase = { rows[i].name, (unsigned)i + 1, (unsigned)n } });
	run->moving = rows[i].moves;
}

static size_t first_again(const struct bf_phase *rows)
{
	size_t i = 0;

	while (!rows[i].again)
		i++;
	return i;
}

static enum bf_rc forward(struct bf_run *run, const struct bf_phase *rows, size_t n,
			  bool *ret_begun, struct bf_err *err)
{
	for (size_t i = 0; i < n;) {
		enum bf_rc rc = BF_OK;

		if (run->job->dry_run && rows[i].writes) {
			run->dry_ended = true;
			return BF_OK;
		}
		if (run->job->dry_run && rows[i].disturbs) {
			if (applies(run, &rows[i]))
				bf_say(run, BF_EV_NOTICE, "Not checked in a dry run: %s.",
				       rows[i].disturbs);
			i++;
			continue;
		}
		if (applies(run, &rows[i])) {
			announce(run, rows, i, n);
			ret_begun[i] = true;
			rc = run_one(run, &rows[i], err);
		}
		if (!rc) {
			i++;
		} else if (rows[i].again && bf_begin_again(run, rows[i].name, err)) {
			i = first_again(rows);
		} else {
			bf_name_silence(run, err);
			bf_advise(run, err);
			return rc;
		}
	}
	return BF_OK;
}

enum bf_rc bf_phases_run(struct bf_run *run, const struct bf_phase *rows, size_t n,
			 struct bf_err *err)
{
	BF_AUTO_MEM bool *begun = calloc(n, sizeof(*begun));
	enum bf_rc rc;

	if (!begun)
		abort();
	rc = forward(run, rows, n, begun, err);
	bf_run_hold(run);
	for (size_t i = n; rc && i-- > 0;) {
		if (begun[i] && rows[i].undo)
			rows[i].undo(run, err);
	}
	if (rc && run->model.stage != BF_STAGE_NONE &&
	    (run->model.runs == BF_RUNS_UNKNOWN || bf_met_of(err) == BF_MET_LOST))
		bf_last_look(run);
	for (size_t i = n; i-- > 0;) {
		if (begun[i] && rows[i].leave)
			rows[i].leave(run);
	}
	bf_run_release(run);
	return rc ? err->rc : BF_OK;
}
