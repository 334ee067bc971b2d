/* SPDX-License-Identifier: MIT */
/*
 * restore.c: archives, and what of them goes back into the pack. It alone writes struct bf_archives.
 */
#pragma once

#include <limits.h>

#include "bmsflash/backup.h"
#include "bmsflash/session.h"

struct bf_run;

/* writer: restore.c */
struct bf_archives {
	struct bf_backup *from;  /* rollback --from: read once, before the interface is opened */
	struct bf_backup *saved; /* of this very pack: read by this run, or proven to be its own */
	struct bf_backup
		*earlier; /* named by the journal, sealed, same serial number; not yet compared */
	char path[PATH_MAX]; /* of `saved`; "": it is in memory alone */
	bool way_back;       /* it holds firmware */
};

/* Configuration and calibration in an archive against the pack. */
struct bf_data_look {
	unsigned n;      /* regions that could be compared */
	unsigned differ; /* of those */
	unsigned wiped;  /* of those that differ: one byte all over */
	unsigned fixed;  /* of those that differ: cannot be written */
	unsigned same;   /* equal, and more than one byte all over */
	unsigned alien;  /* calibration that differs and is not wiped */
	char name[32];   /* one that differs */
};

/* This run has read it. path NULL: it is in memory alone. */
void bf_archive_saved(struct bf_run *run, struct bf_backup *b, const char *path, bool way_back);
void bf_archives_done(struct bf_run *run);
/* Takes `earlier` as `saved` where the pack's contents agree with it, else shows it and drops it. */
enum bf_rc bf_earlier_take(struct bf_run *run, struct bf_err *err);
/* The firmware of a backup as the run's image. */
enum bf_rc bf_restore_image(struct bf_run *run, const struct bf_backup *b, struct bf_err *err);

size_t bf_data_count(const struct bf_backup *b);
bool bf_data_comparable(const struct bf_run *run);
enum bf_rc bf_data_look(struct bf_run *run, const struct bf_backup *b, struct bf_data_look *ret,
			struct bf_err *err);
/* What differs and can be written, each read again afterwards. In the writing session. */
enum bf_rc bf_data_put_back(struct bf_run *run, const struct bf_backup *b, struct bf_err *err);
