/* SPDX-License-Identifier: MIT */
/* What the user may learn while a job runs, at a pace that a person or a log can follow. */
#include <stdarg.h>
#include <stdio.h>

#include "recover.h"
#include "run.h"

#define PROGRESS_GAP BF_MS(100)
#define ALIVE_GAP    BF_MS(900) /* never more than a second without a sign of life */

void bf_emit(struct bf_run *run, struct bf_event ev)
{
	if (!run->events || !run->events->fn)
		return;
	ev.wall_us = run->closed_wall ? run->closed_wall : bf_wall(run->clock);
	run->events->fn(run->events->ctx, &ev);
}

void bf_say(struct bf_run *run, enum bf_event_kind kind, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	bf_emit(run, (struct bf_event){ .kind = kind, .text = text });
}

void bf_progress_begin(struct bf_run *run, const char *phase, double base, double weight)
{
	run->phase = phase;
	run->mark = (struct bf_progress_mark){
		.at = bf_now(run->clock),
		.last = bf_now(run->clock),
		.base = base,
		.weight = weight,
	};
}

/* The rate follows the last seconds: each sample weighs as much as the time it covers, up to 2 s. */
static void sample(struct bf_progress_mark *mark, bf_time now, uint64_t done)
{
	double seconds = (double)(now - mark->last) / 1e6;
	double got = seconds > 0 ? (double)(done - mark->bytes) / seconds : mark->rate;
	double share = seconds / 2 < 1 ? seconds / 2 : 1;

	mark->rate = mark->rate > 0 ? mark->rate + share * (got - mark->rate) : got;
	mark->last = now;
	mark->bytes = done;
}

void bf_progress(struct bf_run *run, uint64_t done, uint64_t total)
{
	struct bf_progress_mark *mark = &run->mark;
	bf_time now = bf_now(run->clock);
	double part = total ? (double)done / (double)total : 1;
	double packed = run->moving ? bf_sum_on_wire(&run->sum) : 1;
	struct bf_progress p;
	double limit;

	if (done < mark->bytes) /* the transfer went back to a confirmed place */
		mark->bytes = done;
	if (done < total && now - mark->last < PROGRESS_GAP)
		return;
	sample(mark, now, done);
	run->alive_at = now;
	limit = bf_wire_limit(run->transport, run->rate); /* may be a system call or several */
	p = (struct bf_progress){
		.phase = run->phase,
		.done = done,
		.total = total,
		.rate = mark->rate,
		.wire_share = limit > 0 ? mark->rate * packed / limit : -1,
		.eta = mark->rate > 0 ? (bf_time)((double)(total - done) / mark->rate * 1e6) : -1,
		.percent = mark->base + mark->weight * part,
	};
	bf_emit(run, (struct bf_event){ .kind = BF_EV_PROGRESS, .progress = &p });
}

void bf_alive(void *ctx, const char *what)
{
	struct bf_run *run = ctx;
	bf_time now = bf_now(run->clock);

	if (run->held && run->clock->cancelled && !run->told_held) {
		run->told_held = true;
		bf_say(run, BF_EV_NOTICE,
		       "stopping now would leave the pack between two firmwares: the run ends at "
		       "the next safe point");
	}
	if (run->retry.reopened != run->told_reopened) {
		run->told_reopened = run->retry.reopened;
		bf_say_restarted(run);
	}
	if (now - run->alive_at < ALIVE_GAP)
		return;
	run->alive_at = now;
	bf_say(run, BF_EV_ALIVE, "%s", what);
}
