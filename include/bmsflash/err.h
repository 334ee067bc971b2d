/* SPDX-License-Identifier: MIT */
/*
 * Results and the error record.
 *
 * Three kinds of failure never share a number space: ours (enum bf_rc), the link's (an errno in
 * bf_err.os), and the device's answer (bf_err.dev_code with its own name). A function that can fail
 * returns an enum bf_rc and takes a record as its last argument; on success it does not touch the
 * record. The record is filled once, where the failure happens, and gains one step of trail per
 * level on the way up. It has a fixed size: the failure path never allocates. Its texts may quote files and
 * devices: what a terminal would obey is escaped when they are filled in (bmsflash/text.h).
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"

enum bf_rc {
	BF_OK = 0,
	BF_E_INTERNAL,     /* a defect in bmsflash */
	BF_E_USAGE,        /* bad command line or profile */
	BF_E_IFACE,        /* interface absent, denied or not configured */
	BF_E_BUSY,         /* interface or node held by another program */
	BF_E_NODEV,        /* nothing answered */
	BF_E_TIMEOUT,      /* an answer did not come in time */
	BF_E_LINK,         /* the line works badly: damage, bus-off, lost bytes */
	BF_E_GONE,         /* the interface disappeared while in use */
	BF_E_IMAGE,        /* file unreadable, malformed, unsupported, too large */
	BF_E_FILE,         /* a file of ours cannot be written */
	BF_E_SIGNATURE,    /* no signature, not valid, or no trusted key */
	BF_E_INCOMPATIBLE, /* made for other hardware */
	BF_E_ROLLBACK,     /* version or security counter lower than allowed */
	BF_E_PREFLIGHT,    /* pack conditions outside limits */
	BF_E_AUTH,         /* the pack refused authentication */
	BF_E_NAK,          /* the pack refused an operation */
	BF_E_RESTART,      /* the pack dropped the transfer; restart at the confirmed place */
	BF_E_UNSUPPORTED,  /* this bootloader cannot do that */
	BF_E_MISMATCH,     /* contents differ */
	BF_E_RESTORED,     /* update failed; the previous firmware runs again */
	BF_E_RECOVERY,     /* the pack runs no firmware now */
	BF_E_NOT_RECORDED, /* in place of BF_OK only: done, but the record could not be written */
	BF_E_UNPROVEN,     /* written and verified in the pack; its start was not seen */
	BF_E_INTERRUPTED,  /* stopped by a signal */
	BF_RC_COUNT
};

/* One row for each code: the only place that knows names, exit statuses and what may be retried. */
struct bf_rc_info {
	const char *name;    /* short name, used in JSON */
	const char *meaning; /* one sentence without full stop */
	const char *exit_name;
	int exit_status; /* frozen: bmsflash(1), EXIT STATUS */
	bool retry;      /* trying the same thing again makes sense */
};

const struct bf_rc_info *bf_rc_info(enum bf_rc rc);

/* What technicians meet most, recognised by name on what was really seen. */
enum bf_pattern {
	BF_PATTERN_NONE,
	BF_PATTERN_AUTH,     /* the pack does not accept who we are */
	BF_PATTERN_LOOP,     /* new firmware starts again and again */
	BF_PATTERN_TRANSFER, /* data stopped getting through */
	BF_PATTERN_COUNT
};

struct bf_pattern_info {
	const char *name;  /* "transfer-timeout", as JSON has it; NULL: none */
	const char *title; /* "transfer time-out" */
};

const struct bf_pattern_info *bf_pattern_info(enum bf_pattern pattern);

#define BF_ERR_TEXT   320
#define BF_ERR_STEPS  8
#define BF_ERR_LIKELY 5

struct bf_err {
	enum bf_rc rc;
	enum bf_rc first_rc; /* what failed, where rc says in what state the pack was left */
	enum bf_pattern pattern;
	int os;           /* errno of the operating system, 0 if none */
	bool dev_forgot;  /* the device lost our session: enter again, then ask again */
	bool dev_refused; /* the two fields below hold the device's own answer */
	unsigned dev_code;
	char dev_name[64];
	char cause[BF_ERR_TEXT];         /* what happened, to what, what came back */
	char trail[BF_ERR_STEPS][128];   /* what was being done, innermost first */
	unsigned n_trail;                /* steps kept; further ones are dropped */
	char likely[BF_ERR_LIKELY][256]; /* likely causes, most likely first */
	unsigned n_likely;
	char todo[256];  /* a step in prose ("charge the pack"); may be empty */
	char next[2048]; /* a command that a shell takes as it stands; may be empty */
};

void bf_err_init(struct bf_err *err);

/* Fills the record and returns rc, so that `return bf_fail(...)` reads well. */
enum bf_rc bf_fail(struct bf_err *err, enum bf_rc rc, const char *fmt, ...) BF_PRINTF(3, 4);

/* As bf_fail, for a refusal of the operating system; appends ": <strerror>". */
enum bf_rc bf_fail_os(struct bf_err *err, enum bf_rc rc, int os_errno, const char *fmt, ...)
	BF_PRINTF(4, 5);

/* As bf_fail, for an answer of the device: its code and that code's name in its own protocol. */
enum bf_rc bf_fail_dev(struct bf_err *err, enum bf_rc rc, unsigned code, const char *code_name,
		       const char *fmt, ...) BF_PRINTF(5, 6);

/* Adds a step of trail ("erasing slot 1") and returns the code that the record holds. */
enum bf_rc bf_while(struct bf_err *err, const char *fmt, ...) BF_PRINTF(2, 3);

/* Adds a likely cause; sets the step in prose; sets the command, quoted, with explanations behind " # ". */
void bf_likely(struct bf_err *err, const char *fmt, ...) BF_PRINTF(2, 3);
void bf_do(struct bf_err *err, const char *fmt, ...) BF_PRINTF(2, 3);
void bf_next(struct bf_err *err, const char *fmt, ...) BF_PRINTF(2, 3);
