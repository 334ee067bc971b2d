/* SPDX-License-Identifier: MIT */
/* Security counter and version: refused before anything is changed, and foretold when a step is final. */
#include <stdio.h>
#include <string.h>

#include "run.h"

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

	if (run->ident.counter_unreadable) {
		snprintf(check.got, sizeof(check.got), "the pack's cannot be read");
		snprintf(check.limit, sizeof(check.limit), "a number to compare with");
		return run->own_image ? BF_OK : not_comparable(run, &check, err);
	}
	if (!bf_run_can(run, BF_CAP_COUNTER)) {
		if (meta->has_counter && !run->own_image)
			never_told(run, &check, "security counter");
		return BF_OK;
	}
	snprintf(check.limit, sizeof(check.limit), "at least %u", run->ident.counter);
	if (!meta->has_counter) {
		/* Out of this very pack, it ran under its counter: the pack decides. */
		check.allow = BF_ALLOW_NO_COUNTER;
		snprintf(check.got, sizeof(check.got), "none in the image");
		return bf_check_decide(run, &check, run->own_image, BF_E_ROLLBACK, err);
	}
	snprintf(check.got, sizeof(check.got), "%u", meta->counter);
	if (!bf_check_decide(run, &check, meta->counter >= run->ident.counter, BF_E_ROLLBACK, err))
		return BF_OK;
	bf_fail(err, BF_E_ROLLBACK,
		"the image has security counter %u, the pack starts none below %u", meta->counter,
		run->ident.counter);
	bf_next(err, "use an image with security counter %u or higher", run->ident.counter);
	return err->rc;
}

/* In the bootloader's words nothing is said of the application's version. */
static bool tells_version(const struct bf_ident *ident)
{
	return ident->has_version || ident->version_unreadable || ident->version_text[0];
}

static enum bf_rc check_version(struct bf_run *run, const struct bf_meta *meta, struct bf_err *err)
{
	const struct bf_ident *ident = &run->ident;
	struct bf_check check = bf_check("version", BF_ALLOW_DOWNGRADE);
	char text[BF_VERSION_TEXT];

	/* Going back is what a restore is for. */
	if (run->own_image)
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
	snprintf(check.limit, sizeof(check.limit), "at least %s",
		 bf_version_text(&ident->version, text));
	if (!meta->has_version)
		return not_comparable(run, &check, err);
	return bf_check_decide(run, &check, bf_version_cmp(&meta->version, &ident->version) >= 0,
			       BF_E_ROLLBACK, err);
}

enum bf_rc bf_ph_antirollback(struct bf_run *run, struct bf_err *err)
{
	const struct bf_meta *meta = bf_image_meta(run->image);

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
	bf_next(err, "restore an archive: bmsflash rollback --if %s --from BACKUP",
		run->job->iface);
	return err->rc;
}

static enum bf_rc too_low(struct bf_run *run, const struct bf_slot *old, struct bf_err *err)
{
	struct bf_check check = bf_check("security-counter", -1);
	char text[BF_VERSION_TEXT];

	snprintf(check.got, sizeof(check.got), "%u", old->counter);
	snprintf(check.limit, sizeof(check.limit), "at least %u", run->ident.counter);
	if (!bf_check_decide(run, &check, old->counter >= run->ident.counter, BF_E_ROLLBACK, err))
		return BF_OK;
	bf_fail(err, BF_E_ROLLBACK,
		"%s can never run on this pack again: its security counter is %u, the pack starts "
		"none below %u",
		bf_version_text(&old->version, text), old->counter, run->ident.counter);
	bf_next(err, "ask the maker for an image with security counter %u or higher",
		run->ident.counter);
	return err->rc;
}

/* A rollback's target is the firmware in the other slot; the counter tells beforehand if it may start. */
enum bf_rc bf_ph_predict(struct bf_run *run, struct bf_err *err)
{
	const struct bf_slot *old = bf_slot_other(&run->ident, NULL);

	run->reverting = true;
	if (!bf_run_can(run, BF_CAP_REVERT) || !run->proto->ops->boot->revert)
		return no_previous(run, "this bootloader cannot go back by itself",
				   "it has one bank, or its protocol has no request for it", err);
	/* First: a pack may well call an image that it will never start again not bootable. */
	if (old && old->has_version && bf_run_can(run, BF_CAP_COUNTER) && too_low(run, old, err))
		return err->rc;
	if (!old || !(old->flags & BF_SLOT_BOOTABLE))
		return no_previous(run, "the other bank holds none that can start",
				   "the pack was not updated yet, or an update was begun and "
				   "not finished",
				   err);
	run->has_target_version = old->has_version;
	run->target_version = old->version;
	run->target_digest_len = old->digest_len;
	memcpy(run->target_digest, old->digest, old->digest_len);
	return BF_OK;
}
