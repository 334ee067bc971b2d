/* SPDX-License-Identifier: MIT */
/* What the drivers' diagnoses share: reading the system's own view below a root. */
#pragma once

#include "bmsflash/transport.h"

#define BF_DIAG_PATH (BF_ADDRESS_MAX + 256)

/* The first line of root + a path, without its newline. False (and empty): not there. */
bool bf_diag_line(const struct bf_diag *diag, char *dst, size_t cap, const char *fmt, ...)
	BF_PRINTF(4, 5);
bool bf_diag_number(const struct bf_diag *diag, long *ret, const char *fmt, ...) BF_PRINTF(3, 4);
bool bf_diag_exists(const struct bf_diag *diag, const char *fmt, ...) BF_PRINTF(2, 3);
/* Does a line of this file contain the words? */
bool bf_diag_mentions(const struct bf_diag *diag, const char *path, const char *words);
/* Calls fn for each name in a folder, in order; returns how many. */
size_t bf_diag_each(const struct bf_diag *diag, const char *folder,
		    void (*fn)(void *ctx, const char *name), void *ctx);

/* Reports "permission" on a device node: whether this user may read and write it. False: may not. */
bool bf_diag_permission(const struct bf_diag *diag, const char *node, const char *subject,
			const char *mend_without_group);
/* Reports "holder" on a device node; false: somebody has it. */
bool bf_diag_holder(const struct bf_diag *diag, const char *node, const char *subject);
/* Are the udev rules that come with bmsflash in place? */
bool bf_diag_has_rules(const struct bf_diag *diag);
/* Where they are installed, and the command that puts them where udev looks; NULL: they are not installed. */
extern const char bf_diag_rules[];
const char *bf_diag_install_rules(const struct bf_diag *diag);
