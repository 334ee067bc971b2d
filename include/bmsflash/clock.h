/* SPDX-License-Identifier: MIT */
/*
 * Time and waiting. A blocking call takes an absolute deadline and asks an injected clock; src/base/
 * clock.c and vclock.c are the only files that ask for time or wait.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

#include "bmsflash/base.h"
#include "bmsflash/err.h"

typedef int64_t bf_time; /* microseconds, absolute, monotonic */

#define BF_US(n)  ((bf_time)(n))
#define BF_MS(n)  ((bf_time)(n)*1000)
#define BF_SEC(n) ((bf_time)(n)*1000000)
#define BF_NEVER  INT64_MAX

enum bf_wait {
	BF_WAIT_READY,     /* a descriptor is ready, or (virtual) the device did something */
	BF_WAIT_DEADLINE,  /* the deadline has come */
	BF_WAIT_CANCELLED, /* the user wants to stop; while held only at the second request */
};

struct bf_clock;

struct bf_clock_ops {
	bf_time (*now)(struct bf_clock *clock);
	int64_t (*wall)(struct bf_clock *clock); /* microseconds since 1970-01-01 UTC */
	enum bf_wait (*wait)(struct bf_clock *clock, struct pollfd *fds, size_t n,
			     bf_time deadline);
	void (*free)(struct bf_clock *clock);
};

struct bf_clock {
	const struct bf_clock_ops *ops;
	unsigned held;  /* > 0: cancellation is remembered, not delivered */
	bool cancelled; /* the user asked to stop */
	bool ended;     /* and asked again: every wait ends at once, held or not */
	/* When time itself asks for the first and for the second; 0: never. */
	bf_time cancel_at, end_at;
	/* Called where a request is taken, for an answer at once; may be NULL. Must not wait. */
	void (*asked)(void *ctx, const struct bf_clock *clock);
	void *asked_ctx;
};

static inline bf_time bf_now(struct bf_clock *clock)
{
	return clock->ops->now(clock);
}
static inline int64_t bf_wall(struct bf_clock *clock)
{
	return clock->ops->wall(clock);
}

/* deadline = now + duration, saturating */
bf_time bf_in(struct bf_clock *clock, bf_time duration);

/*
 * Waits until a descriptor is ready (its revents are set), the deadline comes or the user cancels.
 * n may be 0. A deadline in the past polls once. A caller that is woken READY looks at its input
 * again and comes back with the same deadline.
 */
enum bf_wait bf_clock_wait(struct bf_clock *clock, struct pollfd *fds, size_t n, bf_time deadline);

/* Waits until the deadline; false when cancelled. */
bool bf_clock_until(struct bf_clock *clock, bf_time deadline);

/*
 * Between hold and release a cancellation is remembered and not delivered: for rollbacks. A hold is no
 * promise that a wait comes to its end: a second request, and the time set by bf_clock_limit, end held
 * waits too, with BF_WAIT_CANCELLED (BF_E_INTERRUPTED above). From then on each further wait ends at once.
 */
void bf_clock_hold(struct bf_clock *clock);
void bf_clock_release(struct bf_clock *clock);

/* From cancel_at on the user counts as having asked to stop, from end_at on as having asked twice;
 * BF_NEVER: not. For a limit on the whole run, which no pack can prolong. */
void bf_clock_limit(struct bf_clock *clock, bf_time cancel_at, bf_time end_at);
/* Would a wait end as cancelled now? */
bool bf_clock_stopped(const struct bf_clock *clock);

/* The real clock. cancel_fd (-1: none) is a descriptor that becomes readable when the user wants to stop (a
 * signalfd, or a pipe); borrowed, and read: each read is one request. A second one within 200 ms is the same
 * (a terminal and a wrapper pass a key on twice), and SIGHUP is never a second one (a closing terminal sends
 * it, and its shell again). */
struct bf_clock *bf_clock_real_new(int cancel_fd);
struct bf_clock *bf_clock_free(struct bf_clock *clock); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_clock, bf_clock_free)

/*
 * The virtual clock jumps to the earlier of the deadline and the next event of its sources. It starts
 * at 0; its wall time starts at a fixed date, so that two runs give the same bytes.
 */
struct bf_vsource {
	/* Time of the next thing that happens by itself, BF_NEVER if none; never before now. */
	bf_time (*next)(struct bf_vsource *source);
	/* Time is now `now`: do everything that is due. */
	void (*run)(struct bf_vsource *source, bf_time now);
};

struct bf_clock *bf_vclock_new(void);
/* Requests to stop that arrive at `user`, a real clock as a rule, are taken by each wait on the virtual one.
 * Borrowed; it must live as long as the virtual clock waits. NULL: nobody asks. */
void bf_vclock_heed(struct bf_clock *vclock, struct bf_clock *user);
void bf_vclock_attach(struct bf_clock *vclock, struct bf_vsource *source); /* up to 4, borrowed */
void bf_vclock_detach(struct bf_clock *vclock, struct bf_vsource *source);
/* Ask for cancellation once virtual time reaches `at` (tests of Ctrl-C). */
void bf_vclock_cancel_at(struct bf_clock *vclock, bf_time at);
/* A second request at `at`; without a first one it is both. */
void bf_vclock_end_at(struct bf_clock *vclock, bf_time at);
bool bf_clock_is_virtual(const struct bf_clock *clock);
