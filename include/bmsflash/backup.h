/* SPDX-License-Identifier: MIT */
/*
 * Backup archives. struct bf_archive is a list of members that anybody may have made. struct bf_backup is an
 * archive that was read once and checked: bounded, its seal looked at before its contents are used, every region's
 * bytes compared with the hash in the manifest. Only the second can become an image (bf_image_from_backup), so the
 * bytes that were checked are the bytes that are written.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/image.h"
#include "bmsflash/json.h"

/* ---- a tar in memory ---- */

struct bf_archive_member {
	char name[48];
	uint8_t *data; /* owned by the list */
	size_t len;
};
struct bf_archive {
	struct bf_archive_member *members;
	size_t n;
};
void bf_archive_add(struct bf_archive *a, const char *name, uint8_t *take_data, size_t len);
void bf_archive_done(struct bf_archive *a);
const struct bf_archive_member *bf_archive_find(const struct bf_archive *a, const char *name);
/* Writes a new file. BF_E_FILE with bf_err.os EEXIST where the name is taken: no file is ever replaced. */
enum bf_rc bf_archive_write(const struct bf_archive *a, const char *path, int64_t wall_us,
			    struct bf_err *err);
/* All members together are at most BF_IMAGE_FILE_MAX; sparse members are refused. */
enum bf_rc bf_archive_read(struct bf_archive *a, const char *path, struct bf_err *err);

/* ---- the seal: a keyed hash of the manifest, under a key that stays in the data folder ---- */

#define BF_SEAL_KEY "archive.key" /* in the data folder */

/* Adds the seal of the manifest, the archive's only member so far. Makes the key where there is none. */
enum bf_rc bf_seal_add(const char *data_folder, struct bf_archive *a, struct bf_err *err);
bool bf_seal_holds(const char *data_folder, const struct bf_archive *a);

/* ---- a checked backup ---- */

struct bf_backup; /* opaque */

struct bf_backup_row {
	const char *name, *kind, *file; /* borrowed; kind as in the manifest: "config" */
	const char *version;            /* as the pack told it, NULL: not told */
	uint32_t addr, alt;
	unsigned slot;
	bool firmware; /* what ran; always of kind "slot" or "app" */
	bool data;     /* configuration or calibration: the pack's own */
	uint8_t sha256[BF_SHA256_LEN];
	uint8_t digest[64]; /* of the slot, as the pack told it */
	size_t digest_len;
	const uint8_t *bytes; /* borrowed */
	size_t len;
};

/* Reads the file once. data_folder: where the key of the seal is, NULL: no seal can be checked.
 * BF_E_IMAGE: not a backup; BF_E_MISMATCH: a region is damaged. */
enum bf_rc bf_backup_open(const char *path, const char *data_folder, struct bf_backup **ret,
			  struct bf_err *err);
/* From what this run read of the pack itself: needs no seal. Takes the members. */
enum bf_rc bf_backup_own(struct bf_archive *take, const char *path, struct bf_backup **ret,
			 struct bf_err *err);
struct bf_backup *bf_backup_free(struct bf_backup *b); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_backup, bf_backup_free)

const char *bf_backup_path(const struct bf_backup *b);
const struct bf_json *bf_backup_identity(const struct bf_backup *b); /* never NULL */
const char *bf_backup_time(const struct bf_backup *b); /* as the manifest says; may be empty */
size_t bf_backup_rows(const struct bf_backup *b);
const struct bf_backup_row *bf_backup_row(const struct bf_backup *b, size_t i);
const struct bf_backup_row *bf_backup_firmware(const struct bf_backup *b); /* or NULL */
/* Its firmware is more than erased flash: there is something to go back to. */
bool bf_backup_has_firmware(const struct bf_backup *b);
/* Sealed on this computer by this user, or read by this run: its manifest is believed. */
bool bf_backup_trusted(const struct bf_backup *b);
/* The user accepts an archive that nobody vouches for (--allow foreign-archive). */
void bf_backup_accept(struct bf_backup *b);
