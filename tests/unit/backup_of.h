/* SPDX-License-Identifier: MIT */
/* Backups made to order, in memory. */
#pragma once

#include "unit.h"

#include <stdio.h>

#include "bmsflash/backup.h"
#include "bmsflash/bytes.h"

struct made_row {
	const char *name, *kind, *file; /* file NULL: "regions/NAME.bin" */
	const void *p;
	size_t len;
	uint32_t addr, alt;
	bool firmware, damaged;
};

static inline BF_UNUSED void made_file(const struct made_row *row, char dst[48])
{
	snprintf(dst, 48, row->file ? "%s" : "regions/%s.bin", row->file ? row->file : row->name);
}

static inline BF_UNUSED struct bf_json *made_json(const struct made_row *row)
{
	struct bf_json *j = bf_json_object();
	uint8_t sha[BF_SHA256_LEN];
	char file[48];

	made_file(row, file);
	bf_sha256(sha, row->p, row->len);
	sha[0] ^= row->damaged;
	bf_json_set_str(j, "name", row->name);
	bf_json_set_str(j, "file", file);
	bf_json_set_str(j, "kind", row->kind);
	bf_json_set_int(j, "addr", row->addr);
	bf_json_set_int(j, "alt", row->alt);
	bf_json_set_hex(j, "sha256", sha, sizeof(sha));
	bf_json_set_bool(j, "firmware", row->firmware);
	return j;
}

/* A manifest of the rows, and each file that they name once. */
static inline BF_UNUSED void made_archive(struct bf_archive *a, const char *serial,
					  const struct made_row *rows, size_t n)
{
	BF_AUTO(bf_json) *j = bf_json_object();
	struct bf_json *list = bf_json_array(), *identity = bf_json_object();
	char *text, file[48];

	for (size_t i = 0; i < n; i++)
		bf_json_add(list, made_json(&rows[i]));
	bf_json_set_str(identity, "serial", serial);
	bf_json_set_str(j, "format", "bmsflash-backup");
	bf_json_set_int(j, "v", 1);
	bf_json_set(j, "identity", identity);
	bf_json_set(j, "regions", list);
	text = bf_json_line(j);
	bf_archive_add(a, "manifest.json", (uint8_t *)text, strlen(text));
	for (size_t i = 0; i < n; i++) {
		uint8_t *copy = malloc(rows[i].len + 1);

		made_file(&rows[i], file);
		assert_non_null(copy);
		memcpy(copy, rows[i].p, rows[i].len);
		if (bf_archive_find(a, file))
			free(copy);
		else
			bf_archive_add(a, file, copy, rows[i].len);
	}
}

static inline BF_UNUSED struct bf_backup *made_backup(const struct made_row *rows, size_t n)
{
	struct bf_archive a = { 0 };
	struct bf_backup *b = NULL;
	struct bf_err err;

	bf_err_init(&err);
	made_archive(&a, "SN-0042", rows, n);
	if (bf_backup_own(&a, "p.tar", &b, &err))
		fail_msg("%s", err.cause);
	return b;
}

/* Bytes that were read from the pack's application at this address. */
static inline BF_UNUSED struct bf_image *made_image(const void *p, size_t len, uint32_t addr)
{
	const struct made_row row = { "app", "app", NULL, p, len, addr, 0, true, false };
	BF_AUTO(bf_backup) *b = made_backup(&row, 1);
	struct bf_image *image = NULL;
	struct bf_err err;

	bf_err_init(&err);
	if (bf_image_from_backup(b, bf_backup_row(b, 0), NULL, &image, &err))
		fail_msg("%s", err.cause);
	return image;
}
