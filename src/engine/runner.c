/* SPDX-License-Identifier: MIT */
/*
 * Runs a table of phases. A failure undoes what was begun, latest first; leaving happens always, latest
 * first. While undoing and leaving, a cancellation waits: a way back is walked to its end.
 */
#include "run.h"

static bool applies(const struct bf_run *run, const struct bf_phase *row)
{
	return !row->when || row->when(run);
}

static double total_weight(const struct bf_phase *rows, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += rows[i].weight;
	return sum > 0 ? sum : 1;
}

static enum bf_rc run_one(struct bf_run *run, const struct bf_phase *row, struct bf_err *err)
{
	enum bf_rc rc = bf_run_stop(run, err);

	if (rc)
		return bf_while(err, "about to begin: %s", row->name);
	if (row->hold)
		bf_run_hold(run);
	rc = row->run(run, err);
	/* Not every callee fills the record when it is only passing a cancellation on. */
	if (rc && !err->rc)
		bf_fail(err, rc, "%s", bf_rc_info(rc)->meaning);
	return rc ? bf_while(err, "%s", row->name) : BF_OK;
}

static enum bf_rc forward(struct bf_run *run, const struct bf_phase *rows, size_t n,
			  bool *ret_begun, struct bf_err *err)
{
	double sum = total_weight(rows, n), base = 0;

	for (size_t i = 0; i < n; i++) {
		double weight = 100 * rows[i].weight / sum;
		enum bf_rc rc;

		if (run->job->dry_run && rows[i].writes) {
			run->dry_ended = true;
			return BF_OK;
		}
		if (applies(run, &rows[i])) {
			bf_progress_begin(run, rows[i].name, base, weight);
			bf_emit(run, (struct bf_event){ .kind = BF_EV_PHASE,
							.phase = { rows[i].name, (unsigned)i + 1,
								   (unsigned)n } });
			ret_begun[i] = true;
			run->moving = rows[i].moves;
			rc = run_one(run, &rows[i], err);
			if (rc) {
				bf_advise(run, err);
				return rc;
			}
		}
		base += weight;
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
	for (size_t i = n; i-- > 0;) {
		if (begun[i] && rows[i].leave)
			rows[i].leave(run);
	}
	bf_run_release(run);
	return rc ? err->rc : BF_OK;
}
