/* SPDX-License-Identifier: MIT */
/* journal.c: what a run had reached, for the next one. It alone writes struct bf_journal. */
#pragma once

#include <limits.h>

#include "bmsflash/session.h"

struct bf_run;

/* The backup that an interrupted run's journal names. */
struct bf_claimed {
	char backup[PATH_MAX]; /* "": none */
	bool same_image;       /* it wrote the image of this run */
	bool started;          /* ... and had started it */
	bool fresh;            /* ... within a day */
};

/* writer: journal.c */
struct bf_journal {
	char iface[PATH_MAX]; /* as it is named there */
	char path[PATH_MAX];
	bool told_none;           /* that there is none was said */
	bool drops_old;           /* one of 0.1.0 that names this pack ends with this run */
	bool resumed;             /* one of an interrupted run was found */
	bool torn;                /* ... and left the only bank half written */
	bool proven_later;        /* ... started this image, and the pack tells now that it runs */
	unsigned verified_before; /* bits of enum bf_verified, of that run */
	struct bf_claimed claimed;
};

enum bf_rc bf_journal_look(struct bf_run *run, struct bf_err *err); /* for an interrupted run */
void bf_journal_write(struct bf_run *run);                          /* failure: a warning */
void bf_journal_drop(struct bf_run *run);
