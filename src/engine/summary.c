/* SPDX-License-Identifier: MIT */
/* Where the time went. */
#include "run.h"

static void subtract(struct bf_wire_stats *now, const struct bf_wire_stats *first)
{
	now->tx_bytes -= first->tx_bytes;
	now->rx_bytes -= first->rx_bytes;
	now->tx_frames -= first->tx_frames;
	now->rx_frames -= first->rx_frames;
	now->waited_us -= first->waited_us;
}

/* An FTDI adapter hands received bytes over when its latency timer runs out: once an answer. */
static bf_time adapter_wait(const struct bf_run *run)
{
	struct bf_line_report r = { .latency_timer_ms = -1 };
	uint64_t answers = 0;

	if (!run->transport->ops->stream)
		return 0;
	run->transport->ops->stream->report(run->transport, &r);
	for (size_t i = 0; i < BF_RETRY_CLASS_COUNT; i++)
		answers += run->retry.requests[i];
	return r.latency_timer_ms > 1 ? (bf_time)answers * BF_MS(r.latency_timer_ms) : 0;
}

static void fill_line(struct bf_run *run, struct bf_line_figures *f)
{
	const struct bf_linktest *t = &run->line_before;
	struct bf_line_report line = { .latency_timer_ms = -1 };
	struct bf_bus_report bus = { 0 };

	*f = (struct bf_line_figures){ .sent = t->sent,
				       .lost = t->lost,
				       .best = t->best,
				       .mean = t->mean,
				       .worst = t->worst,
				       .rate_steps = run->rate_steps,
				       .latency_timer_ms = -1 };
	if (run->transport->ops->stream) {
		run->transport->ops->stream->report(run->transport, &line);
		f->stream = true;
		f->echo = line.echo;
		f->latency_timer_ms = line.latency_timer_ms;
	}
	if (run->transport->ops->bus) {
		run->transport->ops->bus->report(run->transport, &bus);
		f->bus_state = bf_bus_state_text(bus.state);
		f->tx_errors = bus.tx_errors;
		f->rx_errors = bus.rx_errors;
	}
}

double bf_sum_on_wire(const struct bf_summary *s)
{
	return s->bytes_sent ? 1 - (double)s->bytes_saved / (double)s->bytes_sent : 1;
}

/* A driver that buffers takes a piece at once; the time that its bits are on the wire is transfer all the
 * same, and not the pack's. */
static void share_out(struct bf_summary *s, double limit)
{
	bf_time wire =
		limit > 0 ? (bf_time)((double)s->bytes_sent * bf_sum_on_wire(s) / limit * 1e6) : 0;
	bf_time missing = wire > s->transfer ? wire - s->transfer : 0;

	if (missing > s->wait_pack)
		missing = s->wait_pack;
	s->transfer += missing;
	s->wait_pack -= missing;
}

void bf_summary_show(struct bf_run *run)
{
	struct bf_summary *s = &run->sum;
	double limit = bf_wire_limit(run->transport,
				     run->worked_rate ? run->worked_rate : run->agreed_rate);
	bf_time moving = s->transfer + s->wait_pack;

	if (!run->proto && !run->model.runs)
		return; /* nobody was met */
	s->total = bf_now(run->clock) - run->started;
	s->retry = run->retry;
	s->retries += run->retry.lost_us;
	s->wire = run->transport->stats;
	subtract(&s->wire, &run->wire_first);
	s->wait_adapter = adapter_wait(run);
	fill_line(run, &s->line);
	s->line_rate = run->worked_rate   ? run->worked_rate
		       : run->agreed_rate ? run->agreed_rate
					  : run->rate;
	s->rate = moving > 0 ? (double)s->bytes_sent / ((double)moving / 1e6) : 0;
	s->wire_share = limit > 0 ? s->rate * bf_sum_on_wire(s) / limit : -1;
	share_out(s, limit);
	s->virtual_time = bf_clock_is_virtual(run->clock);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_SUMMARY, .summary = s });
}
