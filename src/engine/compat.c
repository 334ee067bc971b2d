/* SPDX-License-Identifier: MIT */
/* Does the image fit this pack: hardware, kind of image, size, way back, proof, dependencies. */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "run.h"

static bool same_class_name(const struct bf_ident *ident, const char *hw)
{
	uint8_t cid[16];

	if (strcmp(hw, ident->model) == 0 || strcmp(hw, ident->hw_rev) == 0)
		return true;
	if (!ident->has_vid || !ident->has_cid)
		return false;
	bf_uuid_class(ident->vid, hw, cid);
	return memcmp(cid, ident->cid, sizeof(cid)) == 0;
}

/* Nobody can say whether image and pack belong together: that is for a person to look up. */
static void unproven(const struct bf_run *run, const char *why, struct bf_err *err)
{
	bf_likely(err, "%s%s", why, run->transport->ops->usb ? "; a DFU device has no way to" : "");
	bf_next(err, "compare the image's papers with the pack's label; when they agree: --allow "
		     "no-hardware");
}

static enum bf_rc check_uuid(struct bf_run *run, const char *name, const uint8_t *image,
			     bool pack_tells, const uint8_t *pack, struct bf_err *err)
{
	struct bf_check check = bf_check(name, -1);

	bf_hex(check.limit, sizeof(check.limit), image, 16);
	if (pack_tells)
		bf_hex(check.got, sizeof(check.got), pack, 16);
	else
		snprintf(check.got, sizeof(check.got), "not told by the pack");
	if (!pack_tells)
		check.allow = BF_ALLOW_NO_HARDWARE;
	if (!bf_check_decide(run, &check, pack_tells && memcmp(image, pack, 16) == 0,
			     BF_E_INCOMPATIBLE, err))
		return BF_OK;
	if (!pack_tells) {
		unproven(run, "the pack does not tell its hardware", err);
	} else {
		bf_fail(err, BF_E_INCOMPATIBLE,
			"the image is for other hardware: %s of the image %s, of the pack %s", name,
			check.limit, check.got);
		bf_likely(err, "the wrong file for this pack ('%s' '%s')", run->ident.model,
			  run->ident.hw_rev);
		bf_next(err, "find the image that is made for '%s'", run->ident.model);
	}
	return err->rc;
}

static enum bf_rc check_hw_name(struct bf_run *run, const char *hw, struct bf_err *err)
{
	struct bf_check check = bf_check("hardware", -1);
	bool tells = run->ident.model[0] || run->ident.hw_rev[0] || run->ident.has_cid;

	snprintf(check.limit, sizeof(check.limit), "%s", hw);
	if (tells) {
		snprintf(check.got, sizeof(check.got), "%s%s%s", run->ident.model,
			 run->ident.hw_rev[0] ? ", " : "", run->ident.hw_rev);
	} else {
		snprintf(check.got, sizeof(check.got), "not told by the pack");
		check.allow = BF_ALLOW_NO_HARDWARE;
	}
	return bf_check_decide(run, &check, tells && same_class_name(&run->ident, hw),
			       BF_E_INCOMPATIBLE, err);
}

static enum bf_rc check_usb(struct bf_run *run, const struct bf_meta *meta, struct bf_err *err)
{
	struct bf_check check = bf_check("usb-id", -1);
	struct bf_usb_device device = { 0 };
	bool pid_ok;

	if (run->transport->ops->usb->device(run->transport, &device, err))
		return bf_while(err, "reading the USB identity");
	pid_ok = meta->usb_pid == 0xFFFF || meta->usb_pid == device.pid;
	snprintf(check.got, sizeof(check.got), "%04x:%04x", device.vid, device.pid);
	snprintf(check.limit, sizeof(check.limit), "%04x:%04x", meta->usb_vid, meta->usb_pid);
	return bf_check_decide(run, &check, meta->usb_vid == device.vid && pid_ok,
			       BF_E_INCOMPATIBLE, err);
}

static bool names_usb(const struct bf_run *run)
{
	const struct bf_meta *meta = bf_image_meta(run->image);

	return run->transport->ops->usb && meta->usb_vid && meta->usb_vid != 0xFFFF;
}

static enum bf_rc check_named(struct bf_run *run, struct bf_err *err)
{
	const struct bf_meta *meta = bf_image_meta(run->image);
	const struct bf_ident *ident = &run->ident;
	enum bf_rc rc = BF_OK;

	if (meta->has_vid)
		rc = check_uuid(run, "vendor", meta->vid, ident->has_vid, ident->vid, err);
	if (!rc && meta->has_cid)
		rc = check_uuid(run, "class", meta->cid, ident->has_cid, ident->cid, err);
	if (!rc && meta->has_hw)
		rc = check_hw_name(run, meta->hw, err);
	if (!rc && names_usb(run))
		rc = check_usb(run, meta, err);
	return rc;
}

static enum bf_rc check_hardware(struct bf_run *run, struct bf_err *err)
{
	const struct bf_meta *meta = bf_image_meta(run->image);
	struct bf_check none = bf_check("hardware", BF_ALLOW_NO_HARDWARE);

	if (check_named(run, err))
		return err->rc;
	/* A vendor alone makes many packs; what came out of this very pack fits it. */
	if (meta->has_cid || meta->has_hw || names_usb(run) || run->own_image)
		return BF_OK;
	snprintf(none.got, sizeof(none.got), "the image names no hardware");
	snprintf(none.limit, sizeof(none.limit), "%s",
		 run->ident.model[0] ? run->ident.model : "a name");
	if (bf_check_decide(run, &none, false, BF_E_INCOMPATIBLE, err)) {
		bf_likely(err,
			  "it was signed without vendor and class (imgtool --vid, --cid), or its "
			  "signature without hw=");
		bf_next(err, "compare the image's papers with the pack's label; when they agree: "
			     "--allow no-hardware");
	}
	return err->rc;
}

static enum bf_rc check_kind(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("format", -1);
	const struct bf_meta *meta = bf_image_meta(run->image);

	if (!bf_run_can(run, BF_CAP_MCUBOOT) || run->own_image)
		return BF_OK;
	snprintf(check.limit, sizeof(check.limit), "mcuboot");
	snprintf(check.got, sizeof(check.got), "%s",
		 meta->mcuboot ? "mcuboot" : bf_format_name(meta->format));
	if (!bf_check_decide(run, &check, meta->mcuboot, BF_E_INCOMPATIBLE, err))
		return BF_OK;
	bf_likely(err, "it is the firmware as it was built, before imgtool signed it for this "
		       "pack's boot loader");
	bf_next(err, "take the MCUboot image of the same version (imgtool sign writes it)");
	return err->rc;
}

static enum bf_rc check_size(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("size", -1);
	const struct bf_region *region = NULL;
	unsigned slot = 0;

	if (bf_slot_target(&run->ident, &slot))
		region = bf_region_of_slot(&run->ident, slot);
	if (!region) /* by address: the plan looks at each segment */
		return BF_OK;
	snprintf(check.got, sizeof(check.got), "%zu bytes", bf_image_size(run->image));
	snprintf(check.limit, sizeof(check.limit), "at most %u bytes in slot %u", region->size,
		 slot);
	return bf_check_decide(run, &check, bf_image_size(run->image) <= region->size, BF_E_IMAGE,
			       err);
}

/* With one bank the old firmware is gone from the first erased byte on. */
static enum bf_rc check_way_back(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("way-back", BF_ALLOW_SINGLE_BANK);
	bool two = bf_run_can(run, BF_CAP_DUAL_BANK);
	bool backup = bf_run_can(run, BF_CAP_READ) && !run->job->allow[BF_ALLOW_NO_BACKUP];
	bool empty = run->started_in_loader; /* nothing runs that could be lost */

	snprintf(check.limit, sizeof(check.limit), "a second bank or a backup");
	snprintf(check.got, sizeof(check.got), "%s",
		 two                      ? "two banks"
		 : backup                 ? "a backup is made first"
		 : run->job->restore_from ? "the archive that is restored"
		 : empty                  ? "no firmware runs"
					  : "one bank, no backup");
	return bf_check_decide(run, &check,
			       two || backup || empty || run->job->restore_from != NULL,
			       BF_E_UNSUPPORTED, err);
}

/* The same numbers before and after, in a version without its build, from a pack that cannot be read: nothing
 * would tell the two apart. */
static bool hides_build(const struct bf_run *run)
{
	struct bf_version mine = run->target_version, old = run->ident.version;
	bool reads = bf_run_can(run, BF_CAP_READ) && !bf_run_can(run, BF_CAP_SINK) &&
		     !bf_run_can(run, BF_CAP_DUAL_BANK);

	if (!run->ident.version_short || !mine.build || !run->ident.has_version || reads)
		return false;
	mine.build = old.build = 0;
	return bf_version_cmp(&mine, &old) == 0;
}

static enum bf_rc check_proof(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("proof", BF_ALLOW_NO_PROOF);
	const struct bf_slot *slot = bf_slot_active(&run->ident, NULL);
	bool tells = (slot && (slot->has_version || slot->digest_len)) ||
		     ((run->ident.has_version || run->ident.version_text[0]) && !hides_build(run));
	bool image_tells = run->has_target_version || run->target_digest_len;
	/* A dead pack cannot tell now; once its firmware runs it is asked again. */
	bool later = run->started_in_loader;

	snprintf(check.limit, sizeof(check.limit), "version or digest of what runs");
	snprintf(check.got, sizeof(check.got), "%s",
		 !image_tells     ? "the image has no version"
		 : tells || later ? "told by the pack"
				  : "not told by the pack");
	run->no_proof = !(image_tells && (tells || later));
	return bf_check_decide(run, &check, !run->no_proof, BF_E_UNSUPPORTED, err);
}

/* Only the pack knows its other images: its own check has the last word. */
static void show_dependencies(struct bf_run *run)
{
	const struct bf_meta *meta = bf_image_meta(run->image);

	for (size_t i = 0; i < meta->n_deps; i++) {
		struct bf_check check = bf_check("dependency", -1);
		char text[BF_VERSION_TEXT];

		snprintf(check.limit, sizeof(check.limit), "image %u at least %s",
			 meta->deps[i].image, bf_version_text(&meta->deps[i].min, text));
		snprintf(check.got, sizeof(check.got), "left to the pack's own check");
		bf_check_unknown(run, &check);
	}
}

enum bf_rc bf_ph_compatible(struct bf_run *run, struct bf_err *err)
{
	if (check_hardware(run, err) || check_kind(run, err) || check_size(run, err) ||
	    check_proof(run, err) || check_way_back(run, err))
		return err->rc;
	show_dependencies(run);
	return BF_OK;
}
