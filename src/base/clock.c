/* SPDX-License-Identifier: MIT */
/* The one place where the process sleeps, and the only one that asks the kernel for time. */
#include "bmsflash/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define MAX_FDS 32

bf_time bf_in(struct bf_clock *clock, bf_time duration)
{
	bf_time t;

	if (__builtin_add_overflow(bf_now(clock), duration, &t))
		return BF_NEVER;
	return t;
}

enum bf_wait bf_clock_wait(struct bf_clock *clock, struct pollfd *fds, size_t n, bf_time deadline)
{
	if (clock->cancelled && !clock->held)
		return BF_WAIT_CANCELLED;
	return clock->ops->wait(clock, fds, n, deadline);
}

bool bf_clock_until(struct bf_clock *clock, bf_time deadline)
{
	for (;;) {
		switch (bf_clock_wait(clock, NULL, 0, deadline)) {
		case BF_WAIT_CANCELLED:
			return false;
		case BF_WAIT_DEADLINE:
			return true;
		case BF_WAIT_READY:
			break;
		}
	}
}

void bf_clock_hold(struct bf_clock *clock)
{
	clock->held++;
}

void bf_clock_release(struct bf_clock *clock)
{
	if (clock->held)
		clock->held--;
}

struct bf_clock *bf_clock_free(struct bf_clock *clock)
{
	if (clock)
		clock->ops->free(clock);
	return NULL;
}

struct real_clock {
	struct bf_clock clock;
	int cancel_fd;
};

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bf_time real_now(struct bf_clock *clock)
{
	(void)clock;
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t real_wall(struct bf_clock *clock)
{
	(void)clock;
	return read_clock(CLOCK_REALTIME);
}

static int poll_until(struct pollfd *fds, size_t n, bf_time deadline)
{
	struct timespec ts = { 0, 0 };
	struct timespec *limit = &ts;

	if (deadline == BF_NEVER) {
		limit = NULL;
	} else {
		bf_time left = deadline - read_clock(CLOCK_MONOTONIC);

		if (left > 0) {
			ts.tv_sec = left / 1000000;
			ts.tv_nsec = left % 1000000 * 1000;
		}
	}
	return ppoll(fds, n, limit, NULL);
}

/* One poll of the caller's descriptors and the cancel descriptor; EINTR is not an answer. */
static int poll_once(struct pollfd *all, size_t n, bf_time deadline)
{
	int got;

	do
		got = poll_until(all, n, deadline);
	while (got < 0 && errno == EINTR);
	return got;
}

static enum bf_wait real_wait(struct bf_clock *clock, struct pollfd *fds, size_t n,
			      bf_time deadline)
{
	struct real_clock *rc = BF_CONTAINER_OF(clock, struct real_clock, clock);
	struct pollfd all[MAX_FDS + 1];

	if (n > MAX_FDS)
		n = MAX_FDS;
	for (;;) {
		bool watch = rc->cancel_fd >= 0 && !clock->cancelled;
		int got;

		if (n)
			memcpy(all, fds, n * sizeof(*fds));
		all[n] = (struct pollfd){ .fd = rc->cancel_fd, .events = POLLIN };
		got = poll_once(all, n + watch, deadline);
		if (got <= 0)
			return BF_WAIT_DEADLINE;
		for (size_t i = 0; i < n; i++)
			fds[i].revents = all[i].revents;
		if (!watch || !all[n].revents)
			return BF_WAIT_READY;
		clock->cancelled = true;
		if (!clock->held)
			return BF_WAIT_CANCELLED;
		if (got > 1)
			return BF_WAIT_READY;
	}
}

static void real_free(struct bf_clock *clock)
{
	free(BF_CONTAINER_OF(clock, struct real_clock, clock));
}

static const struct bf_clock_ops real_ops = {
	.now = real_now,
	.wall = real_wall,
	.wait = real_wait,
	.free = real_free,
};

struct bf_clock *bf_clock_real_new(int cancel_fd)
{
	struct real_clock *rc = calloc(1, sizeof(*rc));

	if (!rc)
		abort();
	rc->clock.ops = &real_ops;
	rc->cancel_fd = cancel_fd;
	/* The kernel may ring 50 us late, to ring for several at once: as much as a short STmin. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* ns */
	return &rc->clock;
}
