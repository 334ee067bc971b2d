/* SPDX-License-Identifier: MIT */
/*
 * An archive back into the pack that it came from. Its firmware becomes an image again in one of two ways:
 * verified by a trusted key as any other, or, where that fails, because this very pack held it: the archive is
 * sealed by who made it (seal.c), the hash in the manifest and the pack's identity are checked.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/json.h"
#include "run.h"

void bf_restore_done(struct bf_restore *r)
{
	bf_archive_done(&r->archive);
	bf_json_free(r->manifest);
}

static bool row_is_good(const struct bf_archive *a, const struct bf_json *row)
{
	const char *file = bf_json_str(row, "file"), *sha = bf_json_str(row, "sha256");
	const struct bf_archive_member *m = file ? bf_archive_find(a, file) : NULL;
	uint8_t got[BF_SHA256_LEN];
	char text[2 * BF_SHA256_LEN + 1];

	if (!m || !sha)
		return false;
	bf_sha256(got, m->data, m->len);
	return strcmp(bf_hex(text, sizeof(text), got, sizeof(got)), sha) == 0;
}

static enum bf_rc check_rows(struct bf_restore *r, const char *path, struct bf_err *err)
{
	const struct bf_json *rows = bf_json_get(r->manifest, "regions");

	for (size_t i = 0; rows && i < bf_json_len(rows); i++) {
		const struct bf_json *row = bf_json_at(rows, i);
		const char *name = bf_json_str(row, "name");

		if (!row_is_good(&r->archive, row))
			return bf_fail(err, BF_E_MISMATCH,
				       "region '%s' in the backup '%s' is damaged: its bytes do "
				       "not have the hash in the manifest",
				       name ? name : "?", path);
		if (!r->firmware && bf_json_bool(row, "firmware", false))
			r->firmware = row;
	}
	return BF_OK;
}

/* The backup of a pack whose firmware cannot be read holds the rest. */
static enum bf_rc need_firmware(const struct bf_restore *r, const char *path, struct bf_err *err)
{
	return r->firmware ? BF_OK
			   : bf_fail(err, BF_E_IMAGE, "the backup '%s' holds no firmware", path);
}

enum bf_rc bf_restore_open(const char *path, struct bf_restore *r, struct bf_err *err)
{
	const struct bf_archive_member *m;
	const char *format;

	if (bf_archive_read(&r->archive, path, err))
		return err->rc;
	m = bf_archive_find(&r->archive, "manifest.json");
	if (!m)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' has no manifest: not a backup of this program", path);
	if (bf_json_parse((const char *)m->data, m->len, &r->manifest, err))
		return bf_while(err, "reading the manifest of '%s'", path);
	format = bf_json_str(r->manifest, "format");
	if (!format || strcmp(format, "bmsflash-backup") != 0 ||
	    bf_json_int(r->manifest, "v", 0) != 1)
		return bf_fail(err, BF_E_IMAGE, "'%s' is no backup that this version can read",
			       path);
	return check_rows(r, path, err);
}

static const struct bf_archive_member *firmware_of(const struct bf_restore *r)
{
	return bf_archive_find(&r->archive, bf_json_str(r->firmware, "file"));
}

static bool by_keys(struct bf_run *run, const struct bf_archive_member *m, struct bf_image **ret)
{
	const struct bf_claim_opts opts = { 0 };
	struct bf_claim *claim = NULL;
	struct bf_err err;

	bf_err_init(&err);
	if (!run->ring || !bf_keyring_count(run->ring))
		return false;
	return !bf_claim_parse(m->data, m->len, m->name, NULL, 0, &opts, &claim, &err) &&
	       !bf_image_verify(claim, run->ring, ret, &err);
}

/* More than one region: with the firmware go configuration or calibration, which no maker signs. */
static bool holds_data(const struct bf_restore *r)
{
	return bf_json_len(bf_json_get(r->manifest, "regions")) > 1;
}

static enum bf_rc check_origin(struct bf_run *run, const struct bf_restore *r, struct bf_err *err)
{
	struct bf_check check = bf_check("archive-origin", BF_ALLOW_FOREIGN_ARCHIVE);
	BF_AUTO(bf_image) *image = NULL;
	bool ours = bf_seal_holds(run, &r->archive);
	bool is_signed = by_keys(run, firmware_of(r), &image);

	snprintf(check.limit, sizeof(check.limit), "sealed by this user on this computer");
	snprintf(check.got, sizeof(check.got), "%s",
		 ours            ? check.limit
		 : !is_signed    ? "made elsewhere, firmware signed by no trusted key"
		 : holds_data(r) ? "made elsewhere, configuration is never signed"
				 : "made elsewhere, firmware signed by a trusted key");
	if (!bf_check_decide(run, &check, ours || (is_signed && !holds_data(r)), BF_E_SIGNATURE,
			     err))
		return BF_OK;
	bf_likely(err, "it was made on another computer, or by another user (with sudo, for one)");
	bf_likely(err, "it was changed after it was made");
	return err->rc;
}

enum bf_rc bf_ph_restore_load(struct bf_run *run, struct bf_err *err)
{
	struct bf_restore r = { 0 };
	enum bf_rc rc = bf_restore_open(run->job->restore_from, &r, err);

	if (!rc)
		rc = need_firmware(&r, run->job->restore_from, err);
	if (!rc)
		rc = check_origin(run, &r, err);
	bf_restore_done(&r);
	return rc ? bf_while(err, "checking the backup '%s'", run->job->restore_from) : BF_OK;
}

static enum bf_rc match(const struct bf_run *run, const struct bf_restore *r, struct bf_err *err)
{
	const struct bf_json *id = bf_json_get(r->manifest, "identity");
	const char *serial = id ? bf_json_str(id, "serial") : NULL;
	const char *class_hex = id ? bf_json_str(id, "class") : NULL;
	char text[33];

	if (!serial || strcmp(serial, run->ident.serial) != 0) {
		bf_fail(err, BF_E_INCOMPATIBLE,
			"the backup is of the pack with serial number '%s', this one is '%s'",
			serial ? serial : "", run->ident.serial);
		bf_next(err, "choose the backup of this pack");
		return err->rc;
	}
	if (class_hex && run->ident.has_cid &&
	    strcmp(class_hex, bf_hex(text, sizeof(text), run->ident.cid, 16)) != 0)
		return bf_fail(err, BF_E_INCOMPATIBLE,
			       "the backup is of hardware class %s, this pack is %s", class_hex,
			       text);
	return BF_OK;
}

/* What the pack will say of itself once it runs this. */
static void set_target(struct bf_run *run, const struct bf_json *row)
{
	const char *version = bf_json_str(row, "version"), *digest = bf_json_str(row, "digest");
	size_t len = 0;

	bf_run_target(run);
	if (version && bf_version_parse(version, &run->target_version))
		run->has_target_version = true;
	if (digest && bf_unhex(digest, run->target_digest, sizeof(run->target_digest), &len))
		run->target_digest_len = len;
}

/* What this run has read itself, or one that it takes up, needs no seal. */
static bool is_trusted(const struct bf_run *run, const char *path, const struct bf_restore *r)
{
	return bf_seal_holds(run, &r->archive) || strcmp(path, run->backup_path) == 0 ||
	       run->job->allow[BF_ALLOW_FOREIGN_ARCHIVE];
}

static enum bf_rc make_image(struct bf_run *run, const char *path, const struct bf_restore *r,
			     struct bf_image **ret, struct bf_err *err)
{
	const struct bf_archive_member *m = firmware_of(r);
	const char *name = bf_json_str(r->firmware, "name");
	uint8_t sha[BF_SHA256_LEN];
	size_t len;

	run->own_image = is_trusted(run, path, r);
	if (run->own_image) { /* it goes where it came from, whatever verifies it */
		run->has_place = true;
		run->place_addr = (uint32_t)bf_json_int(r->firmware, "addr", 0);
		run->place_alt = (unsigned)bf_json_int(r->firmware, "alt", 0);
	}
	if (by_keys(run, m, ret))
		return BF_OK;
	if (!run->own_image)
		return bf_fail(err, BF_E_SIGNATURE,
			       "the firmware in '%s' is signed by no trusted key, and the archive "
			       "is not sealed by this user",
			       path);
	if (!bf_unhex(bf_json_str(r->firmware, "sha256"), sha, sizeof(sha), &len) ||
	    len != sizeof(sha))
		return bf_fail(err, BF_E_IMAGE, "the manifest of '%s' has a bad hash", path);
	return bf_image_from_backup(path, name ? name : "firmware",
				    (uint32_t)bf_json_int(r->firmware, "addr", 0), m->data, m->len,
				    sha, ret, err);
}

enum bf_rc bf_restore_image(struct bf_run *run, const char *path, struct bf_err *err)
{
	struct bf_restore r = { 0 };
	struct bf_image *image = NULL;
	enum bf_rc rc = bf_restore_open(path, &r, err);

	if (!rc)
		rc = need_firmware(&r, path, err);
	if (!rc)
		rc = match(run, &r, err);
	if (!rc)
		rc = make_image(run, path, &r, &image, err);
	if (!rc) {
		bf_todo_done(&run->todo);
		bf_image_free(run->image);
		run->image = image;
		set_target(run, r.firmware);
		bf_emit(run, (struct bf_event){ .kind = BF_EV_IMAGE,
						.image = { path, bf_image_key_name(image),
							   bf_image_meta(image),
							   bf_image_size(image) } });
	}
	bf_restore_done(&r);
	return rc;
}

enum bf_rc bf_ph_restore_match(struct bf_run *run, struct bf_err *err)
{
	return bf_restore_image(run, run->job->restore_from, err);
}
