/* SPDX-License-Identifier: MIT */
/*
 * A backup comes from a disk, or from somebody's mail: what opens must be what its manifest says, and nothing of it
 * becomes an image without a seal, a signature or leave. An input whose first byte has its highest bit set is a
 * recipe for an archive with right hashes; any other is the file itself.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "engine/phases.h"
#include "fuzz.h"

struct recipe {
	const uint8_t *p;
	size_t len;
};

static unsigned next(struct recipe *r)
{
	if (!r->len)
		return 0;
	r->len--;
	return *r->p++;
}

static size_t some(struct recipe *r, size_t n, const uint8_t **ret)
{
	n = n < r->len ? n : r->len;
	*ret = r->p;
	r->p += n;
	r->len -= n;
	return n;
}

static void word(struct recipe *r, struct bf_json *j, const char *key)
{
	char text[64] = "";
	const uint8_t *p;
	size_t n = some(r, next(r) % sizeof(text), &p);

	memcpy(text, p, n);
	bf_json_set_str(j, key, text);
}

/* One region: its row, and mostly its member. */
static void add_row(struct recipe *r, struct bf_json *rows, struct bf_archive *a)
{
	static const char *const kinds[] = { "slot", "app", "config", "calibration", "boot", "?" };
	struct bf_json *j = bf_json_object();
	unsigned flags = next(r);
	uint8_t sha[BF_SHA256_LEN];
	const uint8_t *p;
	char file[48];
	size_t n;

	snprintf(file, sizeof(file), "regions/%u.bin", next(r) % 8);
	n = some(r, next(r) | (next(r) & 15U) << 8U, &p);
	bf_sha256(sha, p, n);
	if (flags & 1) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, p, n);
		bf_archive_add(a, file, copy, n);
	}
	sha[0] ^= (flags & 0xC0) == 0xC0;
	word(r, j, "name");
	bf_json_set_str(j, "file", file);
	bf_json_set_str(j, "kind", kinds[next(r) % BF_COUNT(kinds)]);
	bf_json_set_int(j, "slot", (int8_t)next(r));
	bf_json_set_int(j, "alt", (int8_t)next(r));
	bf_json_set_int(j, "addr", (int64_t)((uint64_t)next(r) << (next(r) % 60)) >> (flags & 2));
	bf_json_set_hex(j, "sha256", sha, sizeof(sha));
	bf_json_set_bool(j, "firmware", flags & 4);
	if (flags & 8)
		word(r, j, "version");
	if (flags & 16)
		word(r, j, "digest");
	bf_json_add(rows, j);
}

static void bake(struct recipe *r, const char *path)
{
	struct bf_json *j = bf_json_object(), *id = bf_json_object(), *rows = bf_json_array();
	struct bf_archive a = { 0 }, all = { 0 };
	struct bf_err err;
	char *text;

	bf_err_init(&err);
	word(r, id, "serial");
	word(r, id, "class");
	for (unsigned n = next(r) % 12; n > 0; n--)
		add_row(r, rows, &a);
	bf_json_set_str(j, "format", "bmsflash-backup");
	bf_json_set_int(j, "v", 1);
	bf_json_set(j, "identity", id);
	bf_json_set(j, "regions", rows);
	text = bf_json_line(j);
	bf_archive_add(&all, "manifest.json", (uint8_t *)text, strlen(text));
	for (size_t i = 0; i < a.n; i++)
		bf_archive_add(&all, a.members[i].name, bf_steal(&a.members[i].data),
			       a.members[i].len);
	if (bf_archive_write(&all, path, 0, &err))
		abort();
	bf_archive_done(&a);
	bf_archive_done(&all);
	bf_json_free(j);
}

static void check_row(struct bf_backup *b, const struct bf_backup_row *row)
{
	struct bf_image *image = NULL;
	uint8_t sha[BF_SHA256_LEN];
	struct bf_err err;

	bf_err_init(&err);
	bf_sha256(sha, row->bytes, row->len);
	FUZZ_CHECK(memcmp(sha, row->sha256, sizeof(sha)) == 0);
	FUZZ_CHECK(!(row->firmware && row->data));
	FUZZ_CHECK(bf_image_from_backup(b, row, NULL, &image, &err) == BF_E_SIGNATURE && !image);
}

static void check_image(struct bf_backup *b, const struct bf_backup_row *row)
{
	struct bf_image *image = NULL;
	const struct bf_segment *seg;
	struct bf_err err;

	bf_err_init(&err);
	FUZZ_CHECK(bf_image_from_backup(b, row, NULL, &image, &err) == BF_OK);
	FUZZ_CHECK(bf_image_segments(image, &seg) == 1 && seg->len == row->len &&
		   seg->addr == row->addr && seg->alt == row->alt);
	FUZZ_CHECK(strcmp(bf_image_key_name(image), "unsigned") == 0);
	FUZZ_CHECK(!bf_image_meta(image)->has_counter && !bf_image_meta(image)->has_cid);
	bf_image_free(image);
}

static void check(struct bf_backup *b)
{
	struct bf_run run = { 0 };
	size_t total = 0;

	FUZZ_CHECK(!bf_backup_trusted(b));
	for (size_t i = 0; i < bf_backup_rows(b); i++) {
		check_row(b, bf_backup_row(b, i));
		total += bf_backup_row(b, i)->len;
	}
	FUZZ_CHECK(total <= BF_IMAGE_FILE_MAX);
	FUZZ_CHECK(bf_backup_is_of(&run, b) != BF_PACK_SAME);
	bf_backup_accept(b);
	for (size_t i = 0; i < bf_backup_rows(b); i++)
		check_image(b, bf_backup_row(b, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recipe r = { data, size };
	struct bf_backup *b = NULL;
	struct bf_err err;
	char path[64];

	bf_err_init(&err);
	snprintf(path, sizeof(path), "/dev/shm/fuzz-archive-%d", (int)getpid());
	unlink(path);
	if (next(&r) & 0x80)
		bake(&r, path);
	else if (bf_file_replace(path, data, size, &err))
		abort();
	if (bf_backup_open(path, NULL, &b, &err) == BF_OK)
		check(b);
	else
		FUZZ_CHECK(err.cause[0]);
	bf_backup_free(b);
	unlink(path);
	return 0;
}
