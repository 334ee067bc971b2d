/* SPDX-License-Identifier: MIT */
/*
 * The one recovery. Every call to the device that may be made more than once goes through bf_call, and one
 * table (recover.c) decides by what was asked and what came back: ask again, reconnect, look first, or give
 * up. A cancellation, a vanished adapter and a deadline are answered there and nowhere else.
 */
#pragma once

#include "bmsflash/session.h"

struct bf_run;

/* writer: recover.c */
struct bf_recovery {
	bool begun_again; /* after a restart before anything was changed */
	bool fell_silent; /* ... and it did not answer any more */
};

/* What was asked: the retry class of a whole step of work. The class of a single request below it is the
 * protocol's (enum bf_retry_class), with the same policy behind it (bf_retry_again). */
enum bf_ask {
	BF_ASK_QUESTION, /* a short question, or an order that does no more when given twice */
	BF_ASK_READ,     /* a step of reading or hashing memory */
	BF_ASK_GLANCE, /* the same of a pack that may be starting: the session is never joined again for it */
	BF_ASK_TRANSFER, /* moving data: continues from where both ends agree */
	BF_ASK_ERASE,    /* destructive: a sign of life first, then once more */
	BF_ASK_MARK,     /* looked at before it is asked again: marking twice may undo the first */
	BF_ASK_ONCE,     /* never twice, unless the device says that it never took it */
	BF_ASK_RESTART, /* its answer proves nothing: who answers afterwards shows whether it was taken */
	BF_ASK_REVERT, /* as a restart; a bootloader that counts failed starts needs a second one */
	BF_ASK_COUNT
};

/* What came back. */
enum bf_met {
	BF_MET_LOST,    /* no answer, or a damaged one */
	BF_MET_FORGOT,  /* the device has lost the session */
	BF_MET_REFUSED, /* a negative response */
	BF_MET_MOVED,   /* the device dropped the transfer and names a place to continue */
	BF_MET_GONE,    /* the interface disappeared */
	BF_MET_UNTAKEN, /* it answers, and what was asked was not done */
	BF_MET_OTHER,   /* nothing that repeating would change; stopped by the user */
	BF_MET_COUNT
};

enum bf_met bf_met_of(const struct bf_err *err);

struct bf_call {
	enum bf_ask ask;
	const char *what; /* "erasing 2048 bytes at 08010000" */
	enum bf_rc (*call)(struct bf_run *run, void *ctx, struct bf_err *err);
	/* BF_ASK_MARK: was it taken after all? BF_OK with *ret_done, else why that cannot be known. NULL:
	 * cannot be looked at, it is asked again. */
	enum bf_rc (*done)(struct bf_run *run, void *ctx, bool *ret_done, struct bf_err *err);
	/* After a call without a failure: was it taken? NULL: yes. */
	bool (*taken)(const struct bf_run *run, void *ctx);
	/* Before the call is made again, with the line working. NULL: nothing to prepare. */
	enum bf_rc (*again)(struct bf_run *run, void *ctx, enum bf_met met, struct bf_err *err);
	/* Did the failed attempt get further than the one before? Then the count of failures begins anew. */
	bool (*advanced)(void *ctx);
	void *ctx;
};

/*
 * The call, made again as the table says. Failures of attempts that were repeated are events, not errors. BF_OK also
 * where it was not taken in the end: that is for the caller to see.
 */
enum bf_rc bf_call(struct bf_run *run, const struct bf_call *call, struct bf_err *err);
/* bf_call for a question without anything else to it. */
enum bf_rc bf_call_question(struct bf_run *run, const char *what,
			    enum bf_rc (*call)(struct bf_run *run, void *ctx, struct bf_err *err),
			    void *ctx, struct bf_err *err);
/* bf_run_ask, made again as the table says. */
enum bf_rc bf_ask_what_runs(struct bf_run *run, struct bf_err *err);

/*
 * Joins the session again: the interface opened anew when it disappeared, the session entered as it was
 * (written to, or read only), at the agreed rate or at the first one.
 */
enum bf_rc bf_reconnect(struct bf_run *run, struct bf_err *err);
/* Waits until the pack answers and has said what it runs. */
enum bf_rc bf_run_await(struct bf_run *run, bf_time deadline, struct bf_err *err);
/* Asks once more at the end of a failed run; without an answer the model says so. */
void bf_last_look(struct bf_run *run);

/* Before anything was changed: true when the pack was met again, and the run goes back to its first step. */
bool bf_begin_again(struct bf_run *run, const char *doing, struct bf_err *err);
/* Answers stopped coming: does anybody still answer? */
void bf_name_silence(struct bf_run *run, struct bf_err *err);
