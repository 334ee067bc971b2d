/* SPDX-License-Identifier: MIT */
/* Backups that earlier runs left. */
#pragma once

#include <limits.h>

#include "bmsflash/crypto.h"
#include "cli.h"

struct bf_kept {
	char path[PATH_MAX];
	char serial[64], model[64], time[32], version[64];
	uint8_t owner[BF_SHA256_LEN]; /* the same for backups of one pack */
	uint64_t size;
	bool sound, sealed; /* whole; made by this user on this computer */
	bool needed;        /* by an interrupted run */
	bool removed;
};

bool bf_backups_folder(const struct bf_folders *folders, const struct bf_opts *opts, char *dst,
		       size_t cap);
/* The name of an image's hardware class, where a backup of such a pack is kept here. */
bool bf_backups_class_name(const struct bf_folders *folders, const struct bf_opts *opts,
			   const uint8_t vid[16], const uint8_t cid[16], char *dst, size_t cap);
/* Sorted by pack, then by time. serial: of one pack, NULL: all. *ret is freed by the caller. */
enum bf_rc bf_backups_look(const char *folder, const char *data_folder, const char *serial,
			   struct bf_kept **ret, size_t *ret_n, struct bf_err *err);
/*
 * Leaves the newest of each pack, `keep` of them (1 or more). What was not made here, is damaged, has no serial number that
 * identifies a pack, or is needed by an interrupted run stays and does not count.
 */
enum bf_rc bf_backups_prune(struct bf_kept *list, size_t n, const char *data_folder, size_t keep,
			    size_t *ret_removed, struct bf_err *err);
void bf_backups_show(struct bf_out_text *o, const struct bf_kept *list, size_t n);
