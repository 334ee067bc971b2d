/* SPDX-License-Identifier: MIT */
/* The one place where the process sleeps, and the only one that asks the kernel for time. */
#include "bmsflash/clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS      32
#define SAME_REQUEST BF_MS(200)

bf_time bf_in(struct bf_clock *clock, bf_time duration)
{
	bf_time t;

	if (__builtin_add_overflow(bf_now(clock), duration, &t))
		return BF_NEVER;
	return t;
}

bool bf_clock_stopped(const struct bf_clock *clock)
{
	return clock->ended || (clock->cancelled && !clock->held);
}

void bf_clock_limit(struct bf_clock *clock, bf_time cancel_at, bf_time end_at)
{
	clock->cancel_at = cancel_at == BF_NEVER ? 0 : cancel_at;
	clock->end_at = end_at == BF_NEVER ? 0 : end_at;
}

/* What time asks for is asked for as if by the user. Returns when to look again. */
static bf_time heed_limits(struct bf_clock *clock)
{
	bf_time now = clock->cancel_at || clock->end_at ? bf_now(clock) : 0;

	if (clock->end_at && now >= clock->end_at)
		clock->ended = true;
	if (clock->ended || (clock->cancel_at && now >= clock->cancel_at))
		clock->cancelled = true;
	if (clock->cancel_at && !clock->cancelled &&
	    (!clock->end_at || clock->cancel_at < clock->end_at))
		return clock->cancel_at;
	return clock->end_at && !clock->ended ? clock->end_at : BF_NEVER;
}

enum bf_wait bf_clock_wait(struct bf_clock *clock, struct pollfd *fds, size_t n, bf_time deadline)
{
	for (;;) {
		bf_time limit = heed_limits(clock);
		enum bf_wait w;

		if (bf_clock_stopped(clock))
			return BF_WAIT_CANCELLED;
		w = clock->ops->wait(clock, fds, n, limit < deadline ? limit : deadline);
		if (w != BF_WAIT_DEADLINE || limit >= deadline)
			return w;
	}
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
	bf_time asked_at;
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
			ts.tv_nsec = (long)(left % 1000000 * 1000);
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

/* The user asks to stop, for the first or for the second time. */
static void take_request(struct real_clock *rc)
{
	struct signalfd_siginfo info;
	ssize_t n = read(rc->cancel_fd, &info, sizeof(info));
	bf_time now = read_clock(CLOCK_MONOTONIC);
	bool hangup = n == sizeof(info) && info.ssi_signo == SIGHUP;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		rc->cancel_fd = -1; /* whoever would ask is gone: that counts as asking once */
	if (!rc->clock.cancelled)
		rc->asked_at = now;
	else if (n > 0 && !hangup && now - rc->asked_at >= SAME_REQUEST)
		rc->clock.ended = true;
	rc->clock.cancelled = true;
	if (rc->clock.asked)
		rc->clock.asked(rc->clock.asked_ctx, &rc->clock);
}

static enum bf_wait real_wait(struct bf_clock *clock, struct pollfd *fds, size_t n,
			      bf_time deadline)
{
	struct real_clock *rc = BF_CONTAINER_OF(clock, struct real_clock, clock);
	struct pollfd all[MAX_FDS + 1];

	if (n > MAX_FDS)
		n = MAX_FDS;
	for (;;) {
		bool watch = rc->cancel_fd >= 0;
		bool asked;
		int got;

		if (n)
			memcpy(all, fds, n * sizeof(*fds));
		all[n] = (struct pollfd){ .fd = rc->cancel_fd, .events = POLLIN };
		got = poll_once(all, n + watch, deadline);
		if (got <= 0)
			return BF_WAIT_DEADLINE;
		for (size_t i = 0; i < n; i++)
			fds[i].revents = all[i].revents;
		asked = watch && all[n].revents;
		if (asked)
			take_request(rc);
		if (bf_clock_stopped(clock))
			return BF_WAIT_CANCELLED;
		if (got > asked)
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
