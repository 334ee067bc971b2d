/* SPDX-License-Identifier: MIT */
/* Small exchanges in a row: how many are lost, how long an answer takes, and whether that is more than before. */
#include <math.h>

#include "run.h"

#define SIGMAS    3.0 /* one good line in a thousand is called worse than it was */
#define SHARE_MAX 0.5
#define SLOW      BF_MS(12) /* an FTDI adapter with its latency timer of 16 ms answers later */

enum bf_rc bf_linktest(struct bf_run *run, unsigned n, struct bf_linktest *ret, struct bf_err *err)
{
	struct bf_linktest t = { .best = BF_NEVER };
	bf_time sum = 0;

	for (unsigned i = 0; run->proto->ops->ping && i < n; i++) {
		bf_time start = bf_now(run->clock), took;
		struct bf_err why;
		enum bf_rc rc;

		bf_err_init(&why);
		rc = run->proto->ops->ping(run->proto, &why);
		t.sent++;
		if (rc == BF_E_TIMEOUT || rc == BF_E_LINK) {
			t.lost++;
			continue;
		}
		if (rc && !why.dev_refused) { /* a refusal is an answer */
			*err = why;
			return bf_while(err, "testing the line");
		}
		took = bf_now(run->clock) - start;
		sum += took;
		t.best = took < t.best ? took : t.best;
		t.worst = took > t.worst ? took : t.worst;
	}
	if (t.sent > t.lost)
		t.mean = sum / (t.sent - t.lost);
	else
		t.best = 0;
	*ret = t;
	return BF_OK;
}

/* Long messages are lost more often than these short ones: counting both errs on the patient side. */
static double share_lost(const struct bf_run *run)
{
	const struct bf_linktest *before = &run->line_before;
	double tested = before->sent ? (double)before->lost / before->sent : 0;
	double lost = (double)(run->retry.timeouts + run->retry.damaged), asked = lost;
	double share;

	for (size_t i = 0; i < BF_RETRY_CLASS_COUNT; i++)
		asked += (double)run->retry.requests[i];
	share = asked > 0 && lost / asked > tested ? lost / asked : tested;
	return share < SHARE_MAX ? share : SHARE_MAX;
}

unsigned bf_linktest_may_lose(const struct bf_run *run, unsigned n)
{
	double p = share_lost(run), mean = n * p;

	return p > 0 ? (unsigned)ceil(mean + SIGMAS * sqrt(mean * (1 - p))) : 0;
}

static void show_bus(struct bf_run *run, bool poor)
{
	struct bf_bus_report r = { 0 };

	run->transport->ops->bus->report(run->transport, &r);
	if (r.state == BF_BUS_WARNING || r.state == BF_BUS_PASSIVE || r.tx_errors || r.rx_errors)
		bf_say(run, BF_EV_WARNING,
		       "the CAN controller counts errors (transmit %u, receive %u): likely "
		       "termination (60 ohm between CAN-H and CAN-L), another bit rate on the bus, "
		       "or a long stub",
		       r.tx_errors, r.rx_errors);
	else if (poor)
		bf_say(run, BF_EV_NOTICE,
		       "the CAN controller sees no errors: the pack or the adapter drops frames, "
		       "as with a full bus or a small buffer");
}

static void show_stream(struct bf_run *run, const struct bf_linktest *t, bool poor)
{
	const struct bf_wire_stats *w = &run->transport->stats;
	struct bf_line_report r = { .latency_timer_ms = -1 };

	run->transport->ops->stream->report(run->transport, &r);
	if (r.latency_timer_ms > 1 || t->mean > SLOW)
		bf_say(run, BF_EV_NOTICE,
		       "an answer takes %.1f ms%s: a transfer will wait more than it sends",
		       (double)t->mean / 1000,
		       r.latency_timer_ms > 1 ? ", most of it the adapter's latency timer" : "");
	if (w->echo_damaged)
		bf_say(run, BF_EV_WARNING,
		       "%llu of our own bytes came back damaged: another sender, or A and B "
		       "without "
		       "bias and termination",
		       (unsigned long long)w->echo_damaged);
	else if (poor)
		bf_say(run, BF_EV_NOTICE, "%s; look at ground, bias and termination of the pair",
		       r.echo ? "our own bytes come back whole: it is lost on the pack's side"
			      : "the adapter gives no echo: which side loses is not known");
}

void bf_linktest_show(struct bf_run *run, const struct bf_linktest *t)
{
	if (t->lost)
		bf_say(run, BF_EV_WARNING,
		       "%u of %u test messages were lost: look at cable, termination and ground",
		       t->lost, t->sent);
	switch (run->transport->ops->wire) {
	case BF_WIRE_BUS:
		show_bus(run, t->lost > 0);
		break;
	case BF_WIRE_STREAM:
		show_stream(run, t, t->lost > 0);
		break;
	case BF_WIRE_USB:
		break;
	}
}
