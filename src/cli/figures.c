/* SPDX-License-Identifier: MIT */
/* The figures of a run as lines for people. */
#include "cli.h"

#include <string.h>

const char *bf_text_times(char *dst, size_t cap, const struct bf_summary *s)
{
	const struct {
		const char *name;
		bf_time t;
	} parts[] = {
		{ "backup", s->backup },
		{ "erase", s->erase },
		{ "transfer", s->transfer },
		{ "verify", s->verify },
		{ "restart", s->restart },
		{ "waiting for the pack", s->wait_pack },
		{ "waiting for the adapter", s->wait_adapter },
		{ "retries", s->retries },
		{ "paused", s->paused },
	};
	char t[32];
	size_t n;

	n = (size_t)snprintf(dst, cap, "%s%s:", bf_text_time(t, sizeof(t), s->total),
			     s->virtual_time ? " of virtual time" : "");
	for (size_t i = 0; i < BF_COUNT(parts); i++) {
		if (parts[i].t >= BF_MS(1) && n < cap)
			n += (size_t)snprintf(dst + n, cap - n, " %s %s,", parts[i].name,
					      bf_text_time(t, sizeof(t), parts[i].t));
	}
	dst[strlen(dst) - 1] = '\0';
	return dst;
}

/* What the controller or the adapter says of itself. */
static void add_wire(char *dst, size_t cap, const struct bf_line_figures *f)
{
	size_t n = strlen(dst);

	if (f->stream)
		n += (size_t)snprintf(dst + n, cap - n, ", %s", f->echo ? "local echo" : "no echo");
	if (f->latency_timer_ms >= 0)
		n += (size_t)snprintf(dst + n, cap - n, ", latency timer %d ms",
				      f->latency_timer_ms);
	if (f->bus_state)
		snprintf(dst + n, cap - n, ", %s with %u transmit and %u receive errors",
			 f->bus_state, f->tx_errors, f->rx_errors);
}

const char *bf_text_line(char *dst, size_t cap, const struct bf_summary *s)
{
	const struct bf_line_figures *f = &s->line;
	char lost[32] = "none", rate[32] = "";
	size_t n;

	if (f->lost)
		snprintf(lost, sizeof(lost), "%u", f->lost);
	if (s->line_rate)
		snprintf(rate, sizeof(rate), "%u bit/s, ", s->line_rate);
	snprintf(dst, cap, "%s%u test messages, %s lost, answers take %.1f ms (%.1f to %.1f)", rate,
		 f->sent, lost, (double)f->mean / 1e3, (double)f->best / 1e3,
		 (double)f->worst / 1e3);
	add_wire(dst, cap, f);
	n = strlen(dst);
	if (f->rate_steps)
		snprintf(dst + n, cap - n, ", lowered %u time%s while writing", f->rate_steps,
			 f->rate_steps == 1 ? "" : "s");
	return dst;
}

const char *bf_text_moved(char *dst, size_t cap, const struct bf_summary *s)
{
	char size[32], rate[32];
	size_t n;

	n = (size_t)snprintf(dst, cap, "%s sent at %s",
			     bf_text_size(size, sizeof(size), s->bytes_sent),
			     bf_text_rate(rate, sizeof(rate), s->rate));
	if (s->wire_share >= 0)
		n += (size_t)snprintf(dst + n, cap - n, ", %.0f %% of the wire's limit",
				      s->wire_share * 100);
	if (s->bytes_skipped)
		snprintf(dst + n, cap - n, ", %s were already there",
			 bf_text_size(size, sizeof(size), s->bytes_skipped));
	return dst;
}
