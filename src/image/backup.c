/* SPDX-License-Identifier: MIT */
/* From an archive that anybody may have made to one that was checked against its manifest and its seal. */
#include "bmsflash/backup.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "image/image_priv.h"

#define ROWS_MAX     64
#define MANIFEST_MAX ((size_t)1 << 20)

struct bf_backup {
	char *path;
	struct bf_archive archive;
	struct bf_json *manifest, *nobody;
	struct bf_backup_row rows[ROWS_MAX];
	size_t n;
	const struct bf_backup_row *firmware;
	bool sealed, own, accepted;
};

struct bf_backup *bf_backup_free(struct bf_backup *b)
{
	if (!b)
		return NULL;
	bf_archive_done(&b->archive);
	bf_json_free(b->manifest);
	bf_json_free(b->nobody);
	free(b->path);
	free(b);
	return NULL;
}

static bool is_one_of(const char *s, const char *a, const char *b)
{
	return strcmp(s, a) == 0 || strcmp(s, b) == 0;
}

static bool place_of(const struct bf_json *j, struct bf_backup_row *row)
{
	int64_t addr = bf_json_int(j, "addr", 0), alt = bf_json_int(j, "alt", 0),
		slot = bf_json_int(j, "slot", 0);

	row->addr = (uint32_t)addr;
	row->alt = (uint32_t)alt;
	row->slot = (unsigned)slot;
	return addr >= 0 && addr <= UINT32_MAX && alt >= 0 && alt <= UINT8_MAX && slot >= 0 &&
	       slot <= UINT8_MAX;
}

static bool hashes_of(const struct bf_json *j, struct bf_backup_row *row)
{
	const char *sha = bf_json_str(j, "sha256"), *digest = bf_json_str(j, "digest");
	size_t len = 0;

	return sha && bf_unhex(sha, row->sha256, sizeof(row->sha256), &len) &&
	       len == sizeof(row->sha256) &&
	       (!digest || bf_unhex(digest, row->digest, sizeof(row->digest), &row->digest_len));
}

/* One row for a member: no member is hashed twice. */
static bool is_named_twice(const struct bf_backup *b, const uint8_t *bytes)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->rows[i].bytes == bytes)
			return true;
	}
	return false;
}

static enum bf_rc take_row(struct bf_backup *b, const struct bf_json *j, struct bf_err *err)
{
	struct bf_backup_row row = { .name = bf_json_str(j, "name"),
				     .kind = bf_json_str(j, "kind"),
				     .file = bf_json_str(j, "file"),
				     .version = bf_json_str(j, "version"),
				     .firmware = bf_json_bool(j, "firmware", false) };
	const struct bf_archive_member *m =
		row.file ? bf_archive_find(&b->archive, row.file) : NULL;
	uint8_t got[BF_SHA256_LEN];

	row.name = row.name ? row.name : "region";
	row.kind = row.kind ? row.kind : "other";
	row.data = is_one_of(row.kind, "config", "calibration");
	if (!place_of(j, &row) || b->n == ROWS_MAX || (m && is_named_twice(b, m->data)) ||
	    (row.firmware && !is_one_of(row.kind, "slot", "app")))
		return bf_fail(err, BF_E_IMAGE,
			       "row '%s' in the manifest of '%s' is not one that bmsflash writes",
			       row.name, b->path);
	if (m)
		bf_sha256(got, m->data, m->len);
	if (!m || !hashes_of(j, &row) || memcmp(got, row.sha256, sizeof(got)) != 0)
		return bf_fail(err, BF_E_MISMATCH,
			       "region '%s' in the backup '%s' is damaged: its bytes do not have "
			       "the hash in the manifest",
			       row.name, b->path);
	row.bytes = m->data;
	row.len = m->len;
	b->rows[b->n] = row;
	if (!b->firmware && row.firmware)
		b->firmware = &b->rows[b->n];
	b->n++;
	return BF_OK;
}

static enum bf_rc check(struct bf_backup *b, struct bf_err *err)
{
	const struct bf_archive_member *m = bf_archive_find(&b->archive, "manifest.json");
	const struct bf_json *rows;
	const char *format;

	if (!m)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' has no manifest: it is not a backup of this program", b->path);
	if (m->len > MANIFEST_MAX)
		return bf_fail(err, BF_E_IMAGE, "the manifest of '%s' has %zu bytes (limit %zu)",
			       b->path, m->len, MANIFEST_MAX);
	if (bf_json_parse((const char *)m->data, m->len, &b->manifest, err))
		return bf_while(err, "reading the manifest of '%s'", b->path);
	format = bf_json_str(b->manifest, "format");
	if (!format || strcmp(format, "bmsflash-backup") != 0 ||
	    bf_json_int(b->manifest, "v", 0) != 1)
		return bf_fail(err, BF_E_IMAGE, "'%s' is no backup that this version can read",
			       b->path);
	rows = bf_json_get(b->manifest, "regions");
	for (size_t i = 0; rows && i < bf_json_len(rows); i++) {
		if (take_row(b, bf_json_at(rows, i), err))
			return err->rc;
	}
	return BF_OK;
}

static struct bf_backup *backup_new(const char *path)
{
	struct bf_backup *b = calloc(1, sizeof(*b));

	if (!b || !(b->path = strdup(path)))
		abort();
	b->nobody = bf_json_object();
	return b;
}

enum bf_rc bf_backup_open(const char *path, const char *data_folder, struct bf_backup **ret,
			  struct bf_err *err)
{
	BF_AUTO(bf_backup) *b = backup_new(path);

	if (bf_archive_read(&b->archive, path, err))
		return err->rc;
	b->sealed = data_folder && bf_seal_holds(data_folder, &b->archive);
	if (check(b, err))
		return err->rc;
	*ret = bf_steal(&b);
	return BF_OK;
}

enum bf_rc bf_backup_own(struct bf_archive *take, const char *path, struct bf_backup **ret,
			 struct bf_err *err)
{
	BF_AUTO(bf_backup) *b = backup_new(path);

	b->archive = *take;
	*take = (struct bf_archive){ 0 };
	b->own = true;
	if (check(b, err))
		return err->rc;
	*ret = bf_steal(&b);
	return BF_OK;
}

const char *bf_backup_path(const struct bf_backup *b)
{
	return b->path;
}

const struct bf_json *bf_backup_identity(const struct bf_backup *b)
{
	const struct bf_json *identity = bf_json_get(b->manifest, "identity");

	return identity ? identity : b->nobody;
}

const char *bf_backup_time(const struct bf_backup *b)
{
	const char *time = bf_json_str(b->manifest, "time");

	return time ? time : "";
}

size_t bf_backup_rows(const struct bf_backup *b)
{
	return b->n;
}

const struct bf_backup_row *bf_backup_row(const struct bf_backup *b, size_t i)
{
	return &b->rows[i];
}

const struct bf_backup_row *bf_backup_firmware(const struct bf_backup *b)
{
	return b->firmware;
}

bool bf_backup_has_firmware(const struct bf_backup *b)
{
	const struct bf_backup_row *row = b->firmware;

	return row && row->len > 1 && memcmp(row->bytes, row->bytes + 1, row->len - 1) != 0;
}

bool bf_backup_trusted(const struct bf_backup *b)
{
	return b->sealed || b->own;
}

void bf_backup_accept(struct bf_backup *b)
{
	b->accepted = true;
}

/* Bytes that nobody vouches for prove nothing about themselves but what can be computed from them. */
static void distrust(struct bf_claim *claim)
{
	struct bf_meta *meta = &claim->meta;
	uint8_t sha[BF_SHA256_LEN];

	meta->has_counter = meta->has_vid = meta->has_cid = meta->has_hw = false;
	if (meta->mcuboot && meta->digest_len == sizeof(sha) &&
	    claim->mcuboot.signed_len <= claim->len) {
		bf_sha256(sha, claim->file, claim->mcuboot.signed_len);
		if (memcmp(sha, meta->digest, sizeof(sha)) == 0)
			return;
	}
	*meta = (struct bf_meta){ .format = BF_FORMAT_RAW, .digest_len = sizeof(sha) };
	bf_sha256(meta->digest, claim->segs[0].data, claim->segs[0].len);
}

static const struct bf_key *signer_of(struct bf_claim *claim, const struct bf_keyring *ring)
{
	const struct bf_key *key = NULL;
	struct bf_err unused;

	bf_err_init(&unused);
	if (!ring || !bf_keyring_count(ring) || !claim->meta.mcuboot ||
	    bf_mcuboot_verify(claim, ring, &key, &unused))
		return NULL;
	return key;
}

enum bf_rc bf_image_from_backup(const struct bf_backup *b, const struct bf_backup_row *row,
				const struct bf_keyring *ring, struct bf_image **ret,
				struct bf_err *err)
{
	BF_AUTO_MEM char *name = NULL;
	BF_AUTO(bf_claim) *claim = NULL;
	const struct bf_key *key;
	const char *signer;

	if (asprintf(&name, "%s:%s", b->path, row->name) < 0)
		abort();
	claim = bf_claim_region(row->bytes, row->len, name, row->addr, row->alt);
	key = signer_of(claim, ring);
	signer = key ? key->name : NULL;
	if (!bf_backup_trusted(b) && signer)
		claim->segs[0].len = claim->mcuboot.len; /* what follows is not signed */
	if (!bf_backup_trusted(b) && !signer) {
		if (!b->accepted)
			return bf_fail(err, BF_E_SIGNATURE,
				       "region '%s' in '%s' is signed by no trusted key, and the "
				       "archive is not sealed by this user",
				       row->name, b->path);
		distrust(claim);
		signer = "unsigned";
	}
	*ret = bf_image_new(bf_steal(&claim), signer ? signer : "backup of this pack", key);
	return BF_OK;
}
