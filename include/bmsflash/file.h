/* SPDX-License-Identifier: MIT */
/* Whole files in, whole files out: atomically, and fsynced where it matters. */
#pragma once

#include <limits.h>

#include "bmsflash/base.h"
#include "bmsflash/clock.h"
#include "bmsflash/err.h"

/* Reads a regular file of at most max bytes; *ret is freed by the caller. Larger: BF_E_IMAGE. */
enum bf_rc bf_file_read(const char *path, size_t max, uint8_t **ret, size_t *ret_len,
			struct bf_err *err);
/*
 * The same, and of a pipe (`<(xz -dc fw.xz)`, /dev/stdin) everything up to its end. Waits on the clock, so that a
 * signal or the deadline ends it: BF_E_INTERRUPTED.
 */
enum bf_rc bf_file_read_any(const char *path, size_t max, struct bf_clock *clock, bf_time deadline,
			    uint8_t **ret, size_t *ret_len, struct bf_err *err);

/*
 * What users other than the owner (a group that holds nobody else counts as the owner) must not be able to do with a
 * file or folder. Refused with BF_E_SIGNATURE and the chmod that ends it.
 */
enum bf_guard {
	BF_GUARD_NONE,
	BF_GUARD_TRUSTED, /* write: public keys and folders of them */
	BF_GUARD_SECRET,  /* write or read: secret keys */
};
enum bf_rc bf_file_guard(const char *path, enum bf_guard guard, struct bf_err *err);
/* bf_file_read of a guarded file: what was looked at is what is read. */
enum bf_rc bf_file_read_guarded(const char *path, size_t max, enum bf_guard guard, uint8_t **ret,
				size_t *ret_len, struct bf_err *err);
/* Adds to a failure with this errno what usually stands behind it and what to type: for files that somebody
 * named on a command line. */
void bf_advise_path(struct bf_err *err, int os_errno, const char *path);
/* Writes to a temporary name beside it, fsyncs, renames, fsyncs the folder. BF_E_FILE on failure. */
enum bf_rc bf_file_replace(const char *path, const void *p, size_t len, struct bf_err *err);
/* As bf_file_replace, but a file that is there already stays as it is: BF_OK too. Readable by its user alone. */
enum bf_rc bf_file_create(const char *path, const void *p, size_t len, struct bf_err *err);
/* As bf_file_replace, but a name that is taken is a failure with EEXIST: nothing is ever replaced. */
enum bf_rc bf_file_new(const char *path, const void *p, size_t len, struct bf_err *err);
/* Would bf_file_replace find a place to write? Asked before long work whose result goes there. */
enum bf_rc bf_file_may_replace(const char *path, struct bf_err *err);
/* Appends one line with O_APPEND in a single write and fsyncs. */
enum bf_rc bf_file_append(const char *path, const void *p, size_t len, struct bf_err *err);
/* Makes text from outside part of a file's name: what is neither letter, digit nor one of `also` becomes "_". */
void bf_file_name(char *name, const char *also);
/* A path by a format; one that does not fit is refused, never cut. */
enum bf_rc bf_path(char dst[PATH_MAX], struct bf_err *err, const char *fmt, ...) BF_PRINTF(3, 4);
/* First thing in main: a standard descriptor that is missing is taken by /dev/null, so that no text goes where a wire
 * or a file was opened under its number. Opened for reading: what is printed there fails, and is told by the exit. */
void bf_std_descriptors(void);
/* mkdir -p with mode 0700 for what is missing */
enum bf_rc bf_dir_make(const char *path, struct bf_err *err);
