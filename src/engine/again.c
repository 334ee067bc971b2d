/* SPDX-License-Identifier: MIT */
/*
 * A pack that restarts before anything was changed in it is met again, once, and the run begins anew with asking
 * who it is. One that stays silent is told from a line that loses messages.
 */
#include "run.h"

#define MEET_TIME BF_SEC(12) /* a start with a swap to finish takes some seconds */
#define MEET_PACE BF_MS(250)
#define LOOKS     3u /* small questions that a line which merely loses messages does not lose all */

static bool is_silence(const struct bf_err *err)
{
	return err->rc == BF_E_TIMEOUT || err->rc == BF_E_LINK || err->rc == BF_E_NODEV ||
	       err->dev_forgot;
}

static void to_first_rate(struct bf_run *run)
{
	if (run->rate == run->first_rate || !run->proto->ops->default_rate)
		return;
	run->proto->ops->default_rate(run->proto);
	run->rate = run->first_rate;
}

/* A restart takes the agreed rate with it: that is where to listen if there is no answer here. */
static bool answers(struct bf_run *run)
{
	const struct bf_proto_ops *ops = run->proto->ops;
	struct bf_err unused;

	for (unsigned i = 0; ops->ping && i < LOOKS; i++) {
		bf_err_init(&unused);
		if (!ops->ping(run->proto, &unused) || unused.dev_refused)
			return true;
	}
	return false;
}

static bool meet(struct bf_run *run)
{
	bf_time until = bf_in(run->clock, MEET_TIME);
	struct bf_err unused;

	do {
		bf_err_init(&unused);
		if (answers(run) && !bf_run_ask(run, &unused))
			return true;
		to_first_rate(run);
		bf_alive(run, "waiting for the pack to answer again");
		if (!bf_clock_until(run->clock, bf_in(run->clock, MEET_PACE)) ||
		    bf_run_stop(run, &unused))
			return false;
	} while (bf_now(run->clock) < until);
	return false;
}

static bool has_restarted(const struct bf_run *run, const struct bf_err *why, uint32_t rate)
{
	const struct bf_ident *then = &run->ident, *now = &run->now;

	return why->dev_forgot || run->restarted || rate != run->rate ||
	       (then->boot_count && then->boot_count != now->boot_count) ||
	       (then->reset_reason && then->reset_reason != now->reset_reason);
}

static void forget(struct bf_run *run)
{
	run->authenticated = false;
	run->read_cap = run->piece_cap = 0;
	bf_todo_done(&run->todo);
}

/* What is certain goes first, and the counts of what the silence cost say nothing about the line. */
static void name_silence(struct bf_run *run, struct bf_err *err)
{
	run->fell_silent = true;
	bf_likely(err, "it answered before and does not answer at all now: its power went, or a "
		       "plug came off");
}

static bool can_ask(const struct bf_run *run, const struct bf_err *why)
{
	return is_silence(why) && run->proto && run->proto->ops->ping;
}

void bf_name_silence(struct bf_run *run, struct bf_err *err)
{
	if (run->depth != BF_DEPTH_NONE && !run->fell_silent && can_ask(run, err) && !answers(run))
		name_silence(run, err);
}

bool bf_begin_again(struct bf_run *run, const char *doing, struct bf_err *err)
{
	const struct bf_err why = *err;
	uint32_t rate = run->rate;

	if (!can_ask(run, &why) || run->depth != BF_DEPTH_NONE)
		return false;
	if (run->begun_again) {
		bf_likely(err, "the pack restarts or falls silent again and again: a weak supply, "
			       "a watchdog, or a loose plug");
		return false;
	}
	run->begun_again = true;
	if (!meet(run)) {
		if (!bf_run_stop(run, err))
			name_silence(run, err);
		return false;
	}
	bf_say(run, BF_EV_WARNING, "%s while %s: beginning again",
	       has_restarted(run, &why, rate)
		       ? "the pack restarted"
		       : "the pack fell silent, as in a restart, and answers again",
	       doing);
	forget(run);
	bf_err_init(err);
	return true;
}
