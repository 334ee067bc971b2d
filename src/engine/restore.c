/* SPDX-License-Identifier: MIT */
/*
 * An archive back into the pack that it came from. It is read once, into memory; what was checked is what is
 * written. Firmware in it becomes an image because a trusted key signed it, or because the archive is sealed
 * (src/image/seal.c) and of this very pack.
 */
#include <stdio.h>
#include <string.h>

#include "run.h"

/* The backup of a pack whose firmware cannot be read holds the rest. */
static enum bf_rc need_firmware(const struct bf_backup *b, struct bf_err *err)
{
	return bf_backup_firmware(b) ? BF_OK
				     : bf_fail(err, BF_E_IMAGE, "the backup '%s' holds no firmware",
					       bf_backup_path(b));
}

static bool is_signed(const struct bf_run *run, const struct bf_backup *b)
{
	BF_AUTO(bf_image) *image = NULL;
	struct bf_err unused;

	bf_err_init(&unused);
	return bf_image_from_backup(b, bf_backup_firmware(b), run->ring, &image, &unused) == BF_OK;
}

static enum bf_rc check_origin(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("archive-origin", BF_ALLOW_FOREIGN_ARCHIVE);
	bool ours = bf_backup_trusted(run->from), alone = bf_backup_rows(run->from) == 1;
	bool good = ours || is_signed(run, run->from);

	snprintf(check.limit, sizeof(check.limit), "sealed by this user on this computer");
	snprintf(check.got, sizeof(check.got), "%s",
		 ours    ? check.limit
		 : !good ? "made elsewhere, firmware signed by no trusted key"
		 : alone ? "made elsewhere, firmware signed by a trusted key"
			 : "made elsewhere, configuration is never signed");
	if (!bf_check_decide(run, &check, ours || (good && alone), BF_E_SIGNATURE, err)) {
		if (!ours && !(good && alone))
			bf_backup_accept(run->from);
		return BF_OK;
	}
	bf_likely(err, "it was made on another computer, or by another user (with sudo, for one)");
	bf_likely(err, "it was changed after it was made");
	return err->rc;
}

enum bf_rc bf_ph_restore_load(struct bf_run *run, struct bf_err *err)
{
	const char *path = run->job->restore_from;

	if (bf_backup_open(path, run->job->data_folder, &run->from, err) ||
	    need_firmware(run->from, err) || check_origin(run, err))
		return bf_while(err, "checking the backup '%s'", path);
	return BF_OK;
}

static const char *serial_of(const struct bf_backup *b)
{
	const char *serial = bf_json_str(bf_backup_identity(b), "serial");

	return serial && *serial ? serial : "none";
}

static enum bf_rc of_another_pack(const struct bf_run *run, struct bf_err *err)
{
	bf_fail(err, BF_E_INCOMPATIBLE,
		"The backup is of another pack: serial number %s, this pack has %s.",
		serial_of(run->from), run->ident.serial[0] ? run->ident.serial : "none");
	bf_likely(err, "another pack is connected, or another backup was named");
	return err->rc;
}

static enum bf_rc match(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("archive-pack", BF_ALLOW_FOREIGN_ARCHIVE);
	enum bf_same_pack same = bf_backup_is_of(run, run->from);

	if (same == BF_PACK_OTHER)
		return of_another_pack(run, err);
	snprintf(check.got, sizeof(check.got),
		 "serial number of the backup %.24s, of the pack %.24s", serial_of(run->from),
		 run->ident.serial[0] ? run->ident.serial : "none");
	snprintf(check.limit, sizeof(check.limit), "one serial number that no other pack has");
	if (bf_check_decide(run, &check, same == BF_PACK_SAME, BF_E_INCOMPATIBLE, err)) {
		bf_likely(err, "the pack has no serial number of its own yet, or its bootloader "
			       "tells none");
		return err->rc;
	}
	run->own_image = bf_backup_trusted(run->from) && same == BF_PACK_SAME;
	return BF_OK;
}

/* What the pack will tell once it runs this: by the image; a manifest adds to that only where it is believed. */
static void set_target(struct bf_run *run, const struct bf_backup *b)
{
	const struct bf_backup_row *row = bf_backup_firmware(b);

	bf_run_target(run);
	if (!bf_backup_trusted(b))
		return;
	run->has_place = true; /* it goes where it came from, whatever verifies it */
	run->place_addr = row->addr;
	run->place_alt = row->alt;
	if (row->version && bf_version_parse(row->version, &run->target_version))
		run->has_target_version = true;
	if (row->digest_len) {
		memcpy(run->target_digest, row->digest, row->digest_len);
		run->target_digest_len = row->digest_len;
	}
}

enum bf_rc bf_restore_image(struct bf_run *run, const struct bf_backup *b, struct bf_err *err)
{
	struct bf_image *image = NULL;

	if (need_firmware(b, err) ||
	    bf_image_from_backup(b, bf_backup_firmware(b), run->ring, &image, err))
		return err->rc;
	bf_todo_done(&run->todo);
	bf_image_free(run->image);
	run->image = image;
	if (b == run->saved)
		run->own_image = true;
	set_target(run, b);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_IMAGE,
					.image = { bf_backup_path(b), bf_image_key_name(image),
						   bf_image_meta(image), bf_image_size(image) } });
	return BF_OK;
}

enum bf_rc bf_ph_restore_match(struct bf_run *run, struct bf_err *err)
{
	return match(run, err) ? err->rc : bf_restore_image(run, run->from, err);
}
