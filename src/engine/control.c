/* SPDX-License-Identifier: MIT */
/* Stopping and waiting. */
#include <stdio.h>

#include "run.h"

/* Well below the 5 s (S3, ISO 14229-2) after which a UDS server forgets its session. */
#define KEEPALIVE_GAP BF_SEC(1)

/* A virtual wire has its own clock; the user's signal arrives at the caller's. */
static bool wants_to_stop(struct bf_run *run)
{
	if (run->clock->cancelled)
		return true;
	if (run->outer == run->clock)
		return false;
	return bf_clock_wait(run->outer, NULL, 0, bf_now(run->outer)) == BF_WAIT_CANCELLED;
}

enum bf_rc bf_run_stop(struct bf_run *run, struct bf_err *err)
{
	if (run->held)
		return BF_OK;
	if (bf_now(run->clock) < run->deadline && !wants_to_stop(run))
		return BF_OK;
	run->clock->cancelled = true;
	bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	bf_name_stop(run, err);
	return err->rc;
}

/* --timeout is the user's word, as a signal is: nothing that failed, and nothing to repeat. */
void bf_name_stop(const struct bf_run *run, struct bf_err *err)
{
	if (err->rc != BF_E_INTERRUPTED || bf_now(run->clock) < run->deadline)
		return;
	snprintf(err->cause, sizeof(err->cause), "stopped after the %.0f s that --timeout allows",
		 (double)run->job->timeout / 1e6);
	bf_next(err, "run the same command with more time: --timeout %.0fs",
		2 * (double)run->job->timeout / 1e6);
}

enum bf_rc bf_run_pause(struct bf_run *run, bf_time duration, struct bf_err *err)
{
	bf_time end = bf_in(run->clock, duration);

	while (bf_now(run->clock) < end) {
		bf_time step = bf_in(run->clock, KEEPALIVE_GAP);

		if (!bf_clock_until(run->clock, step < end ? step : end))
			return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
		if (run->proto && run->proto->ops->keepalive &&
		    run->proto->ops->keepalive(run->proto, err))
			return bf_while(err, "keeping the session alive");
	}
	return bf_run_stop(run, err);
}

void bf_run_hold(struct bf_run *run)
{
	if (run->held)
		return;
	run->held = true;
	bf_clock_hold(run->clock);
}

void bf_run_release(struct bf_run *run)
{
	if (!run->held)
		return;
	run->held = false;
	bf_clock_release(run->clock);
}
