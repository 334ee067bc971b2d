/* SPDX-License-Identifier: MIT */
/* May this image go into this pack: hardware, kind, size, place, proof, way back, counter, version. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bmsflash/bytes.h"

#include "phases.h"
#include "preflight.h"

/* ==== does it fit ==== */
/* Does the image fit this pack: hardware, kind of image, size, way back, proof, dependencies. */

/* The name of a product or a class; a revision such as "R3" or USB numbers alone name no hardware, and the product
 * text of a ROM loader is the chip's. */
static bool tells_name(const struct bf_ident *ident)
{
	return ident->has_cid || (ident->model[0] && !ident->is_anybodys);
}

static bool same_class(const uint8_t vid[16], const char *name, const uint8_t cid[16])
{
	uint8_t made[16];

	bf_uuid_class(vid, name, made);
	return memcmp(made, cid, sizeof(made)) == 0;
}

static bool same_class_name(const struct bf_ident *ident, const char *hw)
{
	if (ident->model[0] && bf_hw_same(hw, ident->model))
		return true;
	return ident->has_vid && ident->has_cid && same_class(ident->vid, hw, ident->cid);
}

/* Nobody can say whether image and pack belong together: that is for a person to look up. */
static void unproven(const struct bf_run *run, const char *why, struct bf_err *err)
{
	bf_likely(err, "%s%s", why,
		  run->wire.transport->ops->usb ? "; a USB device has no way to" : "");
	bf_likely(err, "compare the hardware that the image names with the label on the pack "
		       "before you allow it");
	bf_next_allowing(run, 1u << BF_ALLOW_NO_HARDWARE, err);
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
		bf_likely(err, "the wrong file for this pack ('%s' '%s')", run->session.ident.model,
			  run->session.ident.hw_rev);
		bf_do(err, "find the image that is made for '%s'", run->session.ident.model);
	}
	return err->rc;
}

static enum bf_rc check_hw_name(struct bf_run *run, const char *hw, struct bf_err *err)
{
	const struct bf_ident *ident = &run->session.ident;
	struct bf_check check = bf_check("hardware", -1);
	bool same = same_class_name(ident, hw), tells = same || tells_name(ident);

	snprintf(check.limit, sizeof(check.limit), "%s", hw);
	if (tells) {
		snprintf(check.got, sizeof(check.got), "%s%s%s", ident->model,
			 ident->hw_rev[0] ? ", " : "", ident->hw_rev);
	} else {
		snprintf(check.got, sizeof(check.got), "not told by the pack");
		check.allow = BF_ALLOW_NO_HARDWARE;
	}
	if (!bf_check_decide(run, &check, same, BF_E_INCOMPATIBLE, err))
		return BF_OK;
	if (!tells)
		unproven(run, "the pack does not tell its hardware", err);
	return err->rc;
}

/* ---- USB numbers: a pack has two names, of its application and of its bootloader ---- */

struct numbers {
	uint16_t vid, pid;
};

static bool is_wild(uint16_t n)
{
	return n == 0 || n == 0xFFFF;
}

static bool numbers_fit(struct numbers file, uint16_t vid, uint16_t pid)
{
	return vid && file.vid == vid && (is_wild(file.pid) || file.pid == pid);
}

/* What the file names: signed, or said by an unsigned container, which can only refuse. */
static struct numbers file_numbers(const struct bf_run *run)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);

	return meta->mcuboot ? (struct numbers){ meta->container_usb_vid, meta->container_usb_pid }
			     : (struct numbers){ meta->usb_vid, meta->usb_pid };
}

static bool has_numbers(const struct bf_run *run)
{
	return run->wire.transport->ops->usb && !run->wanted.own && !is_wild(file_numbers(run).vid);
}

static bool profile_fits(const struct bf_profile *p, struct numbers file)
{
	uint16_t loader_vid = p->usb_loader_vid ? p->usb_loader_vid : p->usb_vid;

	return numbers_fit(file, p->usb_vid, p->usb_pid) ||
	       (p->usb_loader_pid && numbers_fit(file, loader_vid, p->usb_loader_pid));
}

/* Not that of the application: its bootloader is asked, once it runs. Nothing is erased before. */
static bool decides_later(const struct bf_run *run)
{
	return !run->session.now.in_bootloader && !run->given.profile.usb_loader_pid;
}

enum bf_rc bf_check_usb(struct bf_run *run, struct bf_err *err)
{
	struct numbers file;
	struct bf_check check = bf_check("usb-id", -1);
	struct bf_usb_device device = { 0 };
	bool fits;

	if (!has_numbers(run))
		return BF_OK;
	file = file_numbers(run);
	if (run->wire.transport->ops->usb->device(run->wire.transport, &device, err))
		return bf_while(err, "reading the USB identity");
	fits = numbers_fit(file, device.vid, device.pid) || profile_fits(&run->given.profile, file);
	snprintf(check.got, sizeof(check.got), "%04x:%04x", device.vid, device.pid);
	snprintf(check.limit, sizeof(check.limit), "%04x:%04x", file.vid, file.pid);
	bf_wanted_usb_later(run, !fits && !run->wanted.usb_later && decides_later(run));
	if (!run->wanted.usb_later)
		return bf_check_decide(run, &check, fits, BF_E_INCOMPATIBLE, err);
	snprintf(check.got, sizeof(check.got), "%04x:%04x; its bootloader is asked next",
		 device.vid, device.pid);
	bf_check_unknown(run, &check);
	return BF_OK;
}

/* Signed numbers that a maker gave to this device. */
static bool numbers_prove(const struct bf_run *run)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);

	return has_numbers(run) && !meta->mcuboot && !is_wild(meta->usb_pid) &&
	       !bf_usb_is_anybodys(meta->usb_vid, meta->usb_pid);
}

/* Makers who number their hardware by the major version of its firmware. */
static enum bf_rc check_major(struct bf_run *run, struct bf_err *err)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);
	const struct bf_ident *ident = &run->session.ident;
	struct bf_check check = bf_check("major-version", -1);

	if (!meta->major_is_hardware || !meta->has_version || !ident->has_version ||
	    run->wanted.own)
		return BF_OK;
	snprintf(check.got, sizeof(check.got), "%u", ident->version.major);
	snprintf(check.limit, sizeof(check.limit), "%u, as the image", meta->version.major);
	if (!bf_check_decide(run, &check, meta->version.major == ident->version.major,
			     BF_E_INCOMPATIBLE, err))
		return BF_OK;
	bf_likely(err, "the pack's board is of another generation than the one that the image is "
		       "made for");
	bf_do(err, "take the image of version %u for '%s'", ident->version.major, ident->model);
	return err->rc;
}

/* A pack that tells its board and no identifiers: the class of the image is made of its vendor and such a name. Another
 * name says nothing: boards have more than one. The name of a product is none: two vendors may sell a "BMS-16S". */
static bool is_class_of_name(const struct bf_run *run, const struct bf_meta *meta)
{
	const struct bf_ident *ident = &run->session.ident;

	return !ident->has_vid && !ident->has_cid && meta->has_vid && meta->has_cid &&
	       ident->names_board && tells_name(ident) &&
	       same_class(meta->vid, ident->model, meta->cid);
}

static enum bf_rc check_class_name(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("class", -1);

	snprintf(check.got, sizeof(check.got), "%s", run->session.ident.model);
	snprintf(check.limit, sizeof(check.limit), "%s, of the image's vendor",
		 run->session.ident.model);
	return bf_check_decide(run, &check, true, BF_E_INCOMPATIBLE, err);
}

static enum bf_rc check_named(struct bf_run *run, struct bf_err *err)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);
	const struct bf_ident *ident = &run->session.ident;
	bool by_name = is_class_of_name(run, meta);
	enum bf_rc rc = BF_OK;

	if (by_name)
		rc = check_class_name(run, err);
	if (!rc && !by_name && meta->has_vid)
		rc = check_uuid(run, "vendor", meta->vid, ident->has_vid, ident->vid, err);
	if (!rc && !by_name && meta->has_cid)
		rc = check_uuid(run, "class", meta->cid, ident->has_cid, ident->cid, err);
	if (!rc && meta->has_hw)
		rc = check_hw_name(run, meta->hw, err);
	if (!rc)
		rc = check_major(run, err);
	return rc ? rc : bf_check_usb(run, err);
}

static enum bf_rc check_hardware(struct bf_run *run, struct bf_err *err)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);
	struct bf_check none = bf_check("hardware", BF_ALLOW_NO_HARDWARE);

	if (check_named(run, err))
		return err->rc;
	/* A vendor alone makes many packs; what came out of this very pack fits it. */
	if (meta->has_cid || meta->has_hw || numbers_prove(run) || run->wanted.own)
		return BF_OK;
	snprintf(none.got, sizeof(none.got), "the image names no hardware");
	snprintf(none.limit, sizeof(none.limit), "%s",
		 run->session.ident.model[0] ? run->session.ident.model : "a name");
	if (bf_check_decide(run, &none, false, BF_E_INCOMPATIBLE, err)) {
		bf_likely(err,
			  "it was signed without vendor and class (imgtool --vid, --cid), or its "
			  "signature without hw=");
		bf_likely(err, "compare the hardware that the image names with the label on the "
			       "pack before you allow it");
		bf_next_allowing(run, 1u << BF_ALLOW_NO_HARDWARE, err);
	}
	return err->rc;
}

static enum bf_rc check_kind(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("format", -1);
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);

	if (!bf_run_can(run, BF_CAP_MCUBOOT) || run->wanted.own)
		return BF_OK;
	snprintf(check.limit, sizeof(check.limit), "mcuboot");
	snprintf(check.got, sizeof(check.got), "%s",
		 meta->mcuboot ? "mcuboot" : bf_format_name(meta->format));
	if (!bf_check_decide(run, &check, meta->mcuboot, BF_E_INCOMPATIBLE, err))
		return BF_OK;
	bf_likely(err, "it is the firmware as it was built, before imgtool signed it for this "
		       "pack's boot loader");
	bf_do(err, "take the MCUboot image of the same version (imgtool sign writes it)");
	return err->rc;
}

static enum bf_rc check_size(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("size", -1);
	const struct bf_region *region = NULL;
	unsigned slot = 0;

	if (bf_slot_target(&run->session.ident, &slot))
		region = bf_region_of_slot(&run->session.ident, slot);
	if (!region) /* by address: the plan looks at each segment */
		return BF_OK;
	snprintf(check.got, sizeof(check.got), "%zu bytes", bf_image_size(run->wanted.image));
	snprintf(check.limit, sizeof(check.limit), "at most %u bytes in slot %u", region->size,
		 slot);
	return bf_check_decide(run, &check, bf_image_size(run->wanted.image) <= region->size,
			       BF_E_IMAGE, err);
}

/* Journal and pack together: an earlier run has begun to write over it, and the bootloader is all that answers. */
bool bf_app_may_be_lost(const struct bf_run *run)
{
	if (run->journal.resumed && run->model.talking != BF_TALKING_APP)
		return false;
	/* The user says that it does not boot, and nothing that it tells speaks against that. */
	if (run->job->rescue && run->model.app == BF_APP_UNKNOWN)
		return false;
	return bf_model_app_may_be_lost(&run->model);
}

/* With one bank the old firmware is gone from the first erased byte on. */
static enum bf_rc check_way_back(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("way-back", BF_ALLOW_SINGLE_BANK);
	bool one_way = bf_run_can(run, BF_CAP_ONE_WAY);
	bool two = bf_model_old_is_safe(&run->model) && !one_way;
	bool backup = bf_run_can(run, BF_CAP_READ) && !run->job->allow[BF_ALLOW_NO_BACKUP];
	bool empty = one_way ? run->model.app == BF_APP_ABSENT : !bf_app_may_be_lost(run);

	bool second = run->wanted.fallback != NULL;

	snprintf(check.limit, sizeof(check.limit), "a second bank, a backup or a fallback image");
	snprintf(check.got, sizeof(check.got), "%s",
		 two                      ? "two banks"
		 : backup                 ? "a backup is made first"
		 : second                 ? "the fallback image"
		 : run->job->restore_from ? "the archive that is restored"
		 : empty                  ? "no firmware that could start"
		 : one_way                ? "its restart gives up the old firmware"
					  : "one bank, no backup");
	return bf_check_decide(run, &check,
			       two || backup || second || empty || run->job->restore_from != NULL,
			       BF_E_UNSUPPORTED, err);
}

enum bf_rc bf_ph_way_back(struct bf_run *run, struct bf_err *err)
{
	if (!run->session.ident.caps_later || bf_run_can(run, BF_CAP_READ) ||
	    run->job->allow[BF_ALLOW_SINGLE_BANK])
		return BF_OK;
	return check_way_back(run, err);
}

/* Found out now, while the application still runs, and not after it was stopped. */
static enum bf_rc check_writable(struct bf_run *run, struct bf_err *err)
{
	const struct bf_ident *ident = &run->session.ident;
	unsigned firmware = 0;

	/* A family that only applications speak. */
	if (!run->session.proto->ops->loader->begin && ident->no_write[0])
		return bf_fail(err, BF_E_UNSUPPORTED, "This pack takes no firmware: %s.",
			       ident->no_write);
	/* What an application lets nobody write, its bootloader may. A USB device tells of both. */
	if (!ident->in_bootloader && !run->wire.transport->ops->usb)
		return BF_OK;
	for (size_t i = 0; i < ident->n_regions; i++) {
		const struct bf_region *r = &ident->regions[i];

		if (r->kind != BF_REGION_SLOT && r->kind != BF_REGION_APP)
			continue;
		if (r->access & BF_ACCESS_WRITE)
			return BF_OK;
		firmware++;
	}
	if (!firmware)
		return BF_OK;
	if (ident->no_write[0])
		return bf_fail(err, BF_E_UNSUPPORTED, "This bootloader takes no firmware: %s.",
			       ident->no_write);
	bf_fail(err, BF_E_UNSUPPORTED, "This bootloader does not take downloads.");
	bf_likely(
		err,
		"the device offers reading only; another way in is needed, such as its ROM loader");
	return err->rc;
}

/* Where the memory is known already; else the plan looks, before anything is erased. */
static enum bf_rc check_place(struct bf_run *run, struct bf_err *err)
{
	const struct bf_segment *segs;
	size_t n = bf_image_segments(run->wanted.image, &segs);
	bool known = run->session.ident.n_regions &&
		     (bf_run_can(run, BF_CAP_DUAL_BANK) || run->session.ident.in_bootloader);
	BF_AUTO_MEM struct bf_place *places = NULL;

	if (bf_run_can(run, BF_CAP_SINK))
		return bf_stream_check(run, err);
	if (!known || bf_place_is_sought(run) || !n)
		return BF_OK;
	places = calloc(n, sizeof(*places));
	if (!places)
		abort();
	return bf_place_segments(run, segs, n, places, err);
}

/* The same numbers before and after, in a version without its build, from a pack that cannot be read: nothing
 * would tell the two apart. */
static bool hides_build(const struct bf_run *run)
{
	struct bf_version mine = run->wanted.version, old = run->session.ident.version;
	bool reads = bf_run_can(run, BF_CAP_READ) && !bf_run_can(run, BF_CAP_SINK) &&
		     !bf_run_can(run, BF_CAP_DUAL_BANK);

	if (!run->session.ident.version_short || !mine.build || !run->session.ident.has_version ||
	    reads)
		return false;
	mine.build = old.build = 0;
	return bf_version_cmp(&mine, &old) == 0;
}

static bool tells_what_runs(const struct bf_run *run)
{
	const struct bf_ident *ident = &run->session.ident;
	const struct bf_slot *slot = bf_slot_active(ident, NULL);

	if (slot && (slot->has_version || slot->digest_len))
		return true;
	return (ident->has_version || ident->version_text[0]) && !hides_build(run);
}

static enum bf_rc check_proof(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("proof", BF_ALLOW_NO_PROOF);
	bool image_tells = run->wanted.has_version || run->wanted.digest_len;
	/* A dead pack cannot tell now, and a bootloader need not; once its firmware runs it is asked again. */
	bool pack_tells = tells_what_runs(run) || run->model.talking != BF_TALKING_APP;

	snprintf(check.limit, sizeof(check.limit), "version or digest of what runs");
	snprintf(check.got, sizeof(check.got), "%s",
		 !image_tells ? "the image has no version"
		 : pack_tells ? "told by the pack"
			      : "not told by the pack");
	if (bf_check_decide(run, &check, image_tells && pack_tells, BF_E_UNSUPPORTED, err))
		return err->rc;
	if (!image_tells || !pack_tells)
		bf_model_no_proof(&run->model);
	return BF_OK;
}

/* Only the pack knows its other images: its own check has the last word. */
static void show_dependencies(struct bf_run *run)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);

	for (size_t i = 0; i < meta->n_deps; i++) {
		struct bf_check check = bf_check("dependency", -1);
		char text[BF_VERSION_TEXT];

		snprintf(check.limit, sizeof(check.limit), "image %u at least %s",
			 meta->deps[i].image, bf_version_text(&meta->deps[i].min, text));
		if (meta->deps[i].image < bf_parts(run) && bf_parts(run) > 1) {
			snprintf(check.got, sizeof(check.got), "written in this run");
			bf_check_passes(run, &check, true, BF_EV_CHECK);
			continue;
		}
		snprintf(check.got, sizeof(check.got), "left to the pack's own check");
		bf_check_unknown(run, &check);
	}
}

/* What the pack would go back to must fit it as well, and be able to start. */
static enum bf_rc check_fallback(struct bf_run *run, struct bf_err *err)
{
	const struct bf_meta *meta;
	enum bf_rc rc;

	if (!run->wanted.fallback)
		return BF_OK;
	bf_wanted_swap(run);
	rc = check_hardware(run, err);
	if (!rc)
		rc = check_kind(run, err);
	if (!rc)
		rc = check_size(run, err);
	meta = bf_image_meta(run->wanted.image);
	if (!rc && bf_run_can(run, BF_CAP_COUNTER) && meta->has_counter &&
	    meta->counter < run->session.ident.counter)
		rc = bf_fail(
			err, BF_E_ROLLBACK,
			"the security counter of the fallback image is %u, and the pack is at %u: "
			"it would not start",
			meta->counter, run->session.ident.counter);
	bf_wanted_swap(run);
	return rc ? bf_while(err, "checking the fallback image '%s'", run->job->fallback) : BF_OK;
}

static enum bf_rc blocked(struct bf_run *run, const struct bf_slot *by, const char *state,
			  struct bf_err *err)
{
	char text[BF_VERSION_TEXT] = "";

	if (by->has_version)
		bf_version_text(&by->version, text);
	bf_fail(err, BF_E_NAK, "Firmware%s%s %s: until that is over the pack takes no other image.",
		text[0] ? " " : "", text, state);
	bf_likely(err, "an update was interrupted; the same command with its image ends it well");
	if (bf_run_can(run, BF_CAP_REVERT)) {
		bf_next_command(run, BF_JOB_ROLLBACK, NULL, err);
		return err->rc;
	}
	bf_do(err, "switch the pack off and on, then run the same command");
	bf_next_command(run, run->job->kind, NULL, err);
	return err->rc;
}

/* Found out now, and not by what the pack answers to the first block. */
static enum bf_rc check_test_boot(struct bf_run *run, struct bf_err *err)
{
	const struct bf_slot *active = bf_slot_active(&run->session.ident, NULL);
	const struct bf_slot *other = bf_slot_other(&run->session.ident, NULL);

	if (!bf_run_can(run, BF_CAP_TEST_FIRST))
		return BF_OK;
	if (active && (active->flags & BF_SLOT_TRIAL) && !bf_wanted_in(run, active))
		return blocked(run, active, "is on its test boot", err);
	if (other && (other->flags & BF_SLOT_PENDING) && !bf_wanted_in(run, other) &&
	    !bf_wanted_in(run, active))
		return blocked(run, other, "waits for its test boot", err);
	/* The restart of one image would take another one out of its test boot. */
	for (unsigned i = 0; i < bf_parts(run) && !bf_wanted_in(run, active); i++) {
		const struct bf_slot *beside = bf_slot_active(bf_now_of(run, i), NULL);

		if (beside && (beside->flags & BF_SLOT_TRIAL))
			return blocked(run, beside, "is on its test boot", err);
	}
	return BF_OK;
}

enum bf_rc bf_ph_compatible(struct bf_run *run, struct bf_err *err)
{
	if (check_writable(run, err) || check_test_boot(run, err) || check_hardware(run, err) ||
	    check_kind(run, err) || check_size(run, err) || check_place(run, err) ||
	    check_proof(run, err) || check_way_back(run, err) || check_fallback(run, err))
		return err->rc;
	show_dependencies(run);
	return BF_OK;
}

/* ==== counter and version ==== */
/* Security counter and version: refused before anything is changed, and foretold when a step is final. */

/* What the pack told and nobody can compare may be higher than the image's. */
static enum bf_rc not_comparable(struct bf_run *run, struct bf_check *check, struct bf_err *err)
{
	check->allow = BF_ALLOW_DOWNGRADE;
	if (!bf_check_decide(run, check, false, BF_E_ROLLBACK, err))
		return BF_OK;
	bf_likely(err, "the pack's %s is in a form that cannot be compared",
		  strcmp(check->name, "version") == 0 ? "version" : "security counter");
	return err->rc;
}

static void never_told(struct bf_run *run, struct bf_check *check, const char *what)
{
	snprintf(check->got, sizeof(check->got), "not told by the pack");
	bf_check_unknown(run, check);
	bf_say(run, BF_EV_NOTICE,
	       "The pack does not report its %s: a downgrade cannot be recognised by it.", what);
}

static enum bf_rc check_counter(struct bf_run *run, const struct bf_meta *meta, struct bf_err *err)
{
	struct bf_check check = bf_check("security-counter", -1);

	if (run->session.ident.counter_unreadable) {
		snprintf(check.got, sizeof(check.got), "the pack's cannot be read");
		snprintf(check.limit, sizeof(check.limit), "a number to compare with");
		return run->wanted.own ? BF_OK : not_comparable(run, &check, err);
	}
	if (!bf_run_can(run, BF_CAP_COUNTER)) {
		if (meta->has_counter && !run->wanted.own)
			never_told(run, &check, "security counter");
		return BF_OK;
	}
	snprintf(check.limit, sizeof(check.limit), "at least %u", run->session.ident.counter);
	if (!meta->has_counter) {
		/* Out of this very pack, it ran under its counter: the pack decides. */
		check.allow = BF_ALLOW_NO_COUNTER;
		snprintf(check.got, sizeof(check.got), "none in the image");
		return bf_check_decide(run, &check, run->wanted.own, BF_E_ROLLBACK, err);
	}
	snprintf(check.got, sizeof(check.got), "%u", meta->counter);
	if (!bf_check_decide(run, &check, meta->counter >= run->session.ident.counter,
			     BF_E_ROLLBACK, err))
		return BF_OK;
	bf_fail(err, BF_E_ROLLBACK,
		"the image has security counter %u, the pack starts none below %u", meta->counter,
		run->session.ident.counter);
	bf_do(err, "use an image with security counter %u or higher", run->session.ident.counter);
	return err->rc;
}

/* In the bootloader's words nothing is said of the application's version. */
static bool tells_version(const struct bf_ident *ident)
{
	return ident->has_version || ident->version_unreadable || ident->version_text[0];
}

static enum bf_rc check_version(struct bf_run *run, const struct bf_meta *meta, struct bf_err *err)
{
	const struct bf_ident *ident = &run->session.ident;
	struct bf_check check = bf_check("version", BF_ALLOW_DOWNGRADE);
	char text[BF_VERSION_TEXT];
	bool newer = meta->wants_newer && !run->journal.proven_later;
	int by;

	/* Going back is what a restore is for. */
	if (run->wanted.own)
		return BF_OK;
	snprintf(check.got, sizeof(check.got), "%s",
		 meta->has_version ? bf_version_text(&meta->version, text) : "none in the image");
	if (!tells_version(ident)) {
		never_told(run, &check, "version");
		return BF_OK;
	}
	if (!ident->has_version || ident->version_unreadable) {
		snprintf(check.limit, sizeof(check.limit), "at least '%s', as the pack tells it",
			 ident->version_text);
		return not_comparable(run, &check, err);
	}
	snprintf(check.limit, sizeof(check.limit), "%s %s", newer ? "above" : "at least",
		 bf_version_text(&ident->version, text));
	if (!meta->has_version)
		return not_comparable(run, &check, err);
	by = bf_version_cmp(&meta->version, &ident->version);
	return bf_check_decide(run, &check, newer ? by > 0 : by >= 0, BF_E_ROLLBACK, err);
}

enum bf_rc bf_ph_antirollback(struct bf_run *run, struct bf_err *err)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);

	if (check_counter(run, meta, err) || check_version(run, meta, err))
		return err->rc;
	/* That confirming makes the old version impossible for ever is told with the plan. */
	return BF_OK;
}

static enum bf_rc no_previous(struct bf_run *run, const char *why, const char *likely,
			      struct bf_err *err)
{
	bf_fail(err, BF_E_UNSUPPORTED, "there is no previous firmware to go back to: %s", why);
	bf_likely(err, "%s", likely);
	if (bf_can_read(run))
		bf_do(err, "restore a backup of this pack: rollback --from");
	else
		bf_do(err,
		      "this pack cannot be read, so no backup of it can exist: flash the earlier "
		      "firmware's own signed file, with --allow downgrade");
	return err->rc;
}

static enum bf_rc too_low(struct bf_run *run, const struct bf_slot *old, struct bf_err *err)
{
	struct bf_check check = bf_check("security-counter", -1);
	char text[BF_VERSION_TEXT];

	snprintf(check.got, sizeof(check.got), "%u", old->counter);
	snprintf(check.limit, sizeof(check.limit), "at least %u", run->session.ident.counter);
	if (!bf_check_decide(run, &check, old->counter >= run->session.ident.counter, BF_E_ROLLBACK,
			     err))
		return BF_OK;
	bf_fail(err, BF_E_ROLLBACK,
		"%s can never run on this pack again: its security counter is %u, the pack starts "
		"none below %u",
		bf_version_text(&old->version, text), old->counter, run->session.ident.counter);
	bf_do(err, "ask the maker for an image with security counter %u or higher",
	      run->session.ident.counter);
	return err->rc;
}

/* A rollback's target is the firmware in the other slot; the counter tells beforehand if it may start. */
enum bf_rc bf_ph_predict(struct bf_run *run, struct bf_err *err)
{
	const struct bf_slot *old = bf_slot_other(&run->session.ident, NULL);
	const struct bf_slot *active = bf_slot_active(&run->session.ident, NULL);

	/* An update that waits for its test boot was never started: what runs now stays. */
	if (bf_run_can(run, BF_CAP_TEST_FIRST | BF_CAP_REVERT) && old && active &&
	    (old->flags & BF_SLOT_PENDING)) {
		bf_wanted_told(run, active->has_version ? &active->version : NULL, active->digest,
			       active->digest_len);
		return BF_OK;
	}
	if (!bf_run_can(run, BF_CAP_REVERT) || !run->session.proto->ops->boot->revert)
		return no_previous(run, "this bootloader cannot revert",
				   "it has one bank, or its protocol has no request for it", err);
	/* First: a pack may well call an image that it will never start again not bootable. */
	if (old && old->has_version && bf_run_can(run, BF_CAP_COUNTER) && too_low(run, old, err))
		return err->rc;
	if (!old || !(old->flags & BF_SLOT_BOOTABLE))
		return no_previous(run, "the other slot holds none that can start",
				   "the pack was not updated yet, an update was begun and not "
				   "finished, or the old firmware is below the pack's security "
				   "counter since the new one was confirmed",
				   err);
	bf_wanted_told(run, old->has_version ? &old->version : NULL, old->digest, old->digest_len);
	return BF_OK;
}
