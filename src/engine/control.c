/* SPDX-License-Identifier: MIT */
/* Stopping and waiting. */
#include "run.h"

/* Well below the 5 s (S3, ISO 14229-2) after which a UDS server forgets its session. */
#define KEEPALIVE_GAP BF_SEC(1)

#define REPEATS     5 /* in all, of a request that may be made twice */
#define REPEAT_WAIT BF_MS(100)

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
	if (wants_to_stop(run)) {
		run->clock->cancelled = true;
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	}
	if (bf_now(run->clock) >= run->deadline) {
		/* The user's word, as a signal is: nothing that failed, and nothing to repeat. */
		bf_fail(err, BF_E_INTERRUPTED, "stopped after the %.0f s that --timeout allows",
			(double)run->job->timeout / 1e6);
		bf_next(err, "run the same command with more time: --timeout %.0fs",
			2 * (double)run->job->timeout / 1e6);
		return err->rc;
	}
	return BF_OK;
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

/* Silence may be a session that ran out, and the agreed rate with it; a pack that says so need not be given a
 * second chance first. */
static void take_up(struct bf_run *run)
{
	const struct bf_proto_ops *ops = run->proto->ops;
	struct bf_err unused;

	bf_err_init(&unused);
	if (run->authenticated)
		(void)bf_run_enter_again(run, &unused);
	else if (ops->connect)
		(void)ops->connect(run->proto, BF_ENTRY_READ, &unused);
}

enum bf_rc bf_run_repeat(struct bf_run *run, const char *what,
			 enum bf_rc (*call)(struct bf_run *run, struct bf_err *err),
			 struct bf_err *err)
{
	for (unsigned attempt = 1;; attempt++) {
		enum bf_rc rc = call(run, err);

		bool forgot = rc && err->dev_forgot;

		if ((rc != BF_E_TIMEOUT && rc != BF_E_LINK && !forgot) || attempt == REPEATS)
			return rc;
		bf_say(run, BF_EV_RETRY, "%s again: %s", what, err->cause);
		run->retry.repeats[BF_RETRY_IDEMPOTENT]++;
		rc = bf_run_pause(run, REPEAT_WAIT, err);
		if (rc == BF_E_INTERRUPTED)
			return rc;
		if (forgot || (attempt > 1 && run->authenticated))
			take_up(run);
	}
}
