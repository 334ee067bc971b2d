/* SPDX-License-Identifier: MIT */
/* The fastest rate that works: agreed by going up the ladder and testing, left again at the end. */
#include "run.h"

#define PINGS  16 /* in a row, none lost that was not lost before: then a rate is trusted */
#define LISTEN BF_MS(1200) /* for other nodes, counted from when the bus was opened */
#define TRIES  3           /* of a change whose request may have got lost */

/* The fastest that the device offers below `limit` and above `floor`. */
static uint32_t best_below(const struct bf_run *run, uint32_t limit, uint32_t floor)
{
	uint32_t best = 0;

	for (size_t i = 0; i < BF_MAX_RATES && run->ident.rates[i]; i++) {
		uint32_t r = run->ident.rates[i];

		if (r < limit && r > floor && r > best)
			best = r;
	}
	return best;
}

uint32_t bf_rate_lower(const struct bf_run *run)
{
	if (run->job->baud || run->rate <= run->first_rate)
		return 0;
	if (best_below(run, run->rate, run->first_rate))
		return best_below(run, run->rate, run->first_rate);
	return run->first_rate;
}

/* BF_E_LINK: both ends are back at the old rate. */
enum bf_rc bf_rate_change(struct bf_run *run, uint32_t rate, struct bf_err *err)
{
	enum bf_rc rc = BF_E_LINK;

	for (unsigned i = 0; i < TRIES && rc == BF_E_LINK; i++)
		rc = run->proto->ops->set_rate(run->proto, rate, err);
	if (rc)
		return bf_while(err, "changing the line to %u bit/s", rate);
	run->rate = rate;
	return BF_OK;
}

/* Takes the rate, or leaves both ends at the one before. BF_E_LINK: it loses messages. */
static enum bf_rc try_rate(struct bf_run *run, uint32_t rate, struct bf_err *err)
{
	uint32_t old = run->rate;
	struct bf_linktest t;

	if (bf_rate_change(run, rate, err))
		return err->rc;
	if (bf_linktest(run, PINGS, &t, err))
		return err->rc;
	if (t.lost <= bf_linktest_may_lose(run, t.sent)) {
		bf_say(run, BF_EV_NOTICE, "line agreed at %u bit/s, answers take %.1f ms", rate,
		       (double)t.mean / 1000);
		return BF_OK;
	}
	bf_say(run, BF_EV_NOTICE, "%u of %u test messages were lost at %u bit/s", t.lost, t.sent,
	       rate);
	if (bf_rate_change(run, old, err))
		return err->rc;
	return bf_fail(err, BF_E_LINK, "the line loses messages at %u bit/s", rate);
}

/* The rate that the user wants, 0: whatever works. A bus was given its rate when it was opened. */
static uint32_t pin(const struct bf_run *run)
{
	return run->transport->ops->bus ? run->job->bitrate : run->job->baud;
}

static enum bf_rc pinned(struct bf_run *run, struct bf_err *err)
{
	if (pin(run) == run->rate)
		return BF_OK;
	if (try_rate(run, pin(run), err)) {
		bf_next(err, "let the rate be agreed: leave --%s out",
			run->transport->ops->bus ? "bitrate" : "baud");
		return err->rc;
	}
	return BF_OK;
}

/* Frames on the bus, since it was opened, that were not for us. */
static uint64_t overheard(const struct bf_run *run)
{
	const struct bf_wire_stats *now = &run->transport->stats, *first = &run->wire_first;
	uint64_t ours = now->rx_frames - first->rx_frames + now->rx_dropped - first->rx_dropped;
	struct bf_bus_report r = { 0 };
	uint64_t heard;

	run->transport->ops->bus->report(run->transport, &r);
	heard = r.heard - run->heard_first;
	return heard > ours ? heard - ours : 0;
}

/*
 * A node that keeps its bit rate destroys every frame at another one, and drives itself off the bus doing so:
 * an inverter beside the pack would be gone. Such nodes tell once a second that they live.
 */
static bool may_change(struct bf_run *run)
{
	uint64_t others;

	if (!run->transport->ops->bus || run->profile.can_change == BF_CAN_CHANGE_ALWAYS)
		return true;
	if (run->profile.can_change == BF_CAN_CHANGE_NEVER)
		return false;
	if (!bf_clock_until(run->clock, run->started + LISTEN))
		return false; /* cancelled: whoever asks next says so */
	others = overheard(run);
	if (others)
		bf_say(run, BF_EV_NOTICE,
		       "other nodes talk on '%s' (%llu frames): the bit rate stays as it is; a "
		       "pack that is "
		       "alone on its bus takes \"change-rate = always\" in its profile",
		       run->transport->name, (unsigned long long)others);
	return !others;
}

static enum bf_rc climb(struct bf_run *run, struct bf_err *err)
{
	uint32_t rate = best_below(run, UINT32_MAX, run->rate);

	if (rate && !may_change(run))
		return bf_run_stop(run, err);

	while (rate) {
		struct bf_err why;
		enum bf_rc rc = bf_run_stop(run, err);

		if (rc)
			return rc;
		bf_err_init(&why);
		rc = try_rate(run, rate, &why);
		if (!rc)
			return BF_OK;
		if (rc == BF_E_INTERRUPTED || rc == BF_E_GONE) {
			*err = why;
			return rc;
		}
		bf_say(run, BF_EV_NOTICE, "%u bit/s does not work here: %s", rate, why.cause);
		rate = best_below(run, rate, run->rate);
	}
	return BF_OK;
}

enum bf_rc bf_ph_rate(struct bf_run *run, struct bf_err *err)
{
	if (!run->authenticated && run->proto->ops->connect &&
	    run->proto->ops->connect(run->proto, BF_ENTRY_READ, err))
		return bf_while(err, "preparing the pack for reading");
	if (bf_linktest(run, PINGS, &run->line_before, err))
		return err->rc;
	bf_linktest_show(run, &run->line_before);
	if (bf_run_can(run, BF_CAP_RATES) && run->proto->ops->set_rate) {
		if (pin(run) ? pinned(run, err) : climb(run, err))
			return err->rc;
	}
	run->agreed_rate = run->rate;
	return BF_OK;
}

/* Best effort: a pack that is left at a high rate would not be found by the next program. */
void bf_rate_leave(struct bf_run *run)
{
	struct bf_err err;

	if (!run->proto || run->rate == run->first_rate || run->parted)
		return;
	bf_err_init(&err);
	if (bf_rate_change(run, run->first_rate, &err) && run->proto->ops->default_rate) {
		run->proto->ops->default_rate(run->proto);
		run->rate = run->first_rate;
	}
}
