/* SPDX-License-Identifier: MIT */
/* Virtual time: a wait jumps to the earlier of its deadline and the next event of a source. */
#include "bmsflash/clock.h"

#define MAX_SOURCES 4
/* 2026-01-01T00:00:00Z: any fixed date makes two runs print the same. */
#define WALL_EPOCH_US INT64_C(1767225600000000)

struct vclock {
	struct bf_clock clock;
	bf_time now;
	bf_time cancel_at, end_at;
	struct bf_clock *user; /* of whom requests to stop are taken; NULL: nobody */
	struct bf_vsource *sources[MAX_SOURCES];
};

static struct vclock *vclock_of(struct bf_clock *clock)
{
	return BF_CONTAINER_OF(clock, struct vclock, clock);
}

static bf_time v_now(struct bf_clock *clock)
{
	return vclock_of(clock)->now;
}

static int64_t v_wall(struct bf_clock *clock)
{
	return WALL_EPOCH_US + vclock_of(clock)->now;
}

static struct bf_vsource *next_source(struct vclock *v, bf_time *ret_at)
{
	struct bf_vsource *first = NULL;

	*ret_at = BF_NEVER;
	for (size_t i = 0; i < MAX_SOURCES; i++) {
		bf_time at = v->sources[i] ? v->sources[i]->next(v->sources[i]) : BF_NEVER;

		if (at < *ret_at) {
			*ret_at = at;
			first = v->sources[i];
		}
	}
	return first;
}

/* What was asked of the user's clock is asked of this one. Takes no time. */
static bool take_requests(struct vclock *v)
{
	struct bf_clock *clock = &v->clock;

	if (!v->user)
		return false;
	(void)bf_clock_wait(v->user, NULL, 0, bf_now(v->user));
	clock->cancelled = clock->cancelled || v->user->cancelled;
	clock->ended = clock->ended || v->user->ended;
	return bf_clock_stopped(clock);
}

/* A time that was set once and lies before the end of a wait: it is now that time. */
static bool has_come(struct vclock *v, bf_time *at, bf_time end)
{
	if (*at == BF_NEVER || *at > end)
		return false;
	if (*at > v->now)
		v->now = *at;
	*at = BF_NEVER;
	return true;
}

static enum bf_wait v_wait(struct bf_clock *clock, struct pollfd *fds, size_t n, bf_time deadline)
{
	struct vclock *v = vclock_of(clock);
	bf_time at;
	struct bf_vsource *source = next_source(v, &at);
	bf_time end = at < deadline ? at : deadline;

	for (size_t i = 0; i < n; i++)
		fds[i].revents = 0;
	if (take_requests(v))
		return BF_WAIT_CANCELLED;
	if (has_come(v, &v->cancel_at, end)) {
		clock->cancelled = true;
		return clock->held ? BF_WAIT_READY : BF_WAIT_CANCELLED;
	}
	if (has_come(v, &v->end_at, end)) {
		clock->cancelled = clock->ended = true;
		return BF_WAIT_CANCELLED;
	}
	/* Nothing will ever happen: report the deadline rather than hang. */
	if (end == BF_NEVER)
		return BF_WAIT_DEADLINE;
	if (end > v->now)
		v->now = end;
	if (!source || at > deadline)
		return BF_WAIT_DEADLINE;
	source->run(source, v->now);
	return BF_WAIT_READY;
}

static void v_free(struct bf_clock *clock)
{
	free(vclock_of(clock));
}

static const struct bf_clock_ops v_ops = {
	.now = v_now,
	.wall = v_wall,
	.wait = v_wait,
	.free = v_free,
};

struct bf_clock *bf_vclock_new(void)
{
	struct vclock *v = calloc(1, sizeof(*v));

	if (!v)
		abort();
	v->clock.ops = &v_ops;
	v->cancel_at = v->end_at = BF_NEVER;
	return &v->clock;
}

void bf_vclock_heed(struct bf_clock *vclock, struct bf_clock *user)
{
	vclock_of(vclock)->user = user;
}

void bf_vclock_attach(struct bf_clock *vclock, struct bf_vsource *source)
{
	struct vclock *v = vclock_of(vclock);

	for (size_t i = 0; i < MAX_SOURCES; i++) {
		if (!v->sources[i]) {
			v->sources[i] = source;
			return;
		}
	}
	abort();
}

void bf_vclock_detach(struct bf_clock *vclock, struct bf_vsource *source)
{
	struct vclock *v = vclock_of(vclock);

	for (size_t i = 0; i < MAX_SOURCES; i++) {
		if (v->sources[i] == source)
			v->sources[i] = NULL;
	}
}

void bf_vclock_cancel_at(struct bf_clock *vclock, bf_time at)
{
	vclock_of(vclock)->cancel_at = at;
}

void bf_vclock_end_at(struct bf_clock *vclock, bf_time at)
{
	vclock_of(vclock)->end_at = at;
}

bool bf_clock_is_virtual(const struct bf_clock *clock)
{
	return clock->ops == &v_ops;
}
