/* SPDX-License-Identifier: MIT */
/* Who answers, what it runs, what it can do. */
#include <stdio.h>
#include <string.h>

#include "source/source.h"
#include "run.h"

static const struct bf_slot *slot_with(const struct bf_ident *ident, bool active,
				       unsigned *ret_slot)
{
	for (unsigned i = 0; i < ident->n_slots; i++) {
		if (!!(ident->slots[i].flags & BF_SLOT_ACTIVE) == active) {
			if (ret_slot)
				*ret_slot = i;
			return &ident->slots[i];
		}
	}
	return NULL;
}

const struct bf_slot *bf_slot_active(const struct bf_ident *ident, unsigned *ret_slot)
{
	return slot_with(ident, true, ret_slot);
}

const struct bf_slot *bf_slot_other(const struct bf_ident *ident, unsigned *ret_slot)
{
	return slot_with(ident, false, ret_slot);
}

/* The slot that takes new firmware: the one that does not run. Where none runs, a boot loader that swaps
 * takes it in the second; where there is but one, it is that. */
const struct bf_slot *bf_slot_target(const struct bf_ident *ident, unsigned *ret_slot)
{
	unsigned slot = ident->n_slots > 1 ? 1 : 0;

	if (!ident->n_slots)
		return NULL;
	if (bf_slot_active(ident, NULL) && ident->n_slots > 1)
		return bf_slot_other(ident, ret_slot);
	*ret_slot = slot;
	return &ident->slots[slot];
}

const struct bf_region *bf_region_of_slot(const struct bf_ident *ident, unsigned slot)
{
	for (size_t i = 0; i < ident->n_regions; i++) {
		const struct bf_region *r = &ident->regions[i];

		if (r->kind == BF_REGION_SLOT && r->slot == slot)
			return r;
	}
	return NULL;
}

const char *bf_ident_version(const struct bf_ident *ident, char dst[BF_VERSION_TEXT])
{
	if (ident->has_version)
		return bf_version_text(&ident->version, dst);
	if (!ident->version_text[0])
		return NULL;
	snprintf(dst, BF_VERSION_TEXT, "%s", ident->version_text);
	return dst;
}

static bool same_but_build(const struct bf_version *a, const struct bf_version *b)
{
	struct bf_version x = *a, y = *b;

	x.build = y.build = 0;
	return bf_version_cmp(&x, &y) == 0;
}

/* A version without its build number proves the build when nothing else can have these numbers: the old firmware
 * has others, or the one bank was seen to hold the image. */
bool bf_version_proves(const struct bf_run *run, const struct bf_ident *ident)
{
	const struct bf_ident *old = &run->ident;
	bool seen = run->model.verified && bf_model_one_place(&run->model);

	if (!run->has_target_version || !ident->has_version)
		return false;
	if (!ident->version_short || !run->target_version.build)
		return bf_version_cmp(&run->target_version, &ident->version) == 0;
	return same_but_build(&run->target_version, &ident->version) &&
	       (seen || (old->has_version && !same_but_build(&old->version, &ident->version)));
}

static bool same_version_as_before(const struct bf_run *run, const struct bf_ident *ident)
{
	const struct bf_ident *old = &run->ident;

	if (ident->has_version && old->has_version)
		return bf_version_cmp(&ident->version, &old->version) == 0;
	return ident->version_text[0] && strcmp(ident->version_text, old->version_text) == 0;
}

/* Digest where both sides tell one, else version. What can be compared with neither the new nor the old firmware
 * is not known to be either. */
static enum bf_match match(const struct bf_run *run, const struct bf_ident *ident)
{
	const struct bf_slot *active = bf_slot_active(ident, NULL);

	if (run->target_digest_len && active && active->digest_len)
		return active->digest_len == run->target_digest_len &&
				       memcmp(active->digest, run->target_digest,
					      active->digest_len) == 0
			       ? BF_MATCH_YES
			       : BF_MATCH_NO;
	/* Written over itself: only what was verified in the only place can be running. */
	if (bf_version_proves(run, ident))
		return BF_MATCH_YES;
	if (active && active->digest_len)
		return BF_MATCH_NO;
	if (ident->has_version && run->has_target_version && !ident->version_short)
		return BF_MATCH_NO;
	return same_version_as_before(run, ident) ? BF_MATCH_NO : BF_MATCH_UNTOLD;
}

/* After a restart another node may be quicker to answer: nothing may be asked of that one. A boot loader
 * and its application need not tell the same number. */
static bool is_another(const struct bf_run *run, const struct bf_ident *now)
{
	return run->ident.serial[0] && now->serial[0] && !run->ident.in_bootloader &&
	       !now->in_bootloader && strcmp(run->ident.serial, now->serial) != 0;
}

enum bf_rc bf_run_ask(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->proto->ops;
	struct bf_ident now = { 0 };

	if (ops->connect && ops->connect(run->proto, BF_ENTRY_LOOK, err))
		return bf_while(err, "opening a dialogue with the pack");
	run->parted = false;
	if (ops->identify(run->proto, &now, err))
		return bf_while(err, "asking the pack who it is");
	if (is_another(run, &now))
		return bf_fail(err, BF_E_NODEV,
			       "another pack answers now: serial number '%s', before it was '%s'",
			       now.serial, run->ident.serial);
	run->now = now;
	bf_model_heard(&run->model, &now, match(run, &now));
	return BF_OK;
}

enum bf_rc bf_ph_identify(struct bf_run *run, struct bf_err *err)
{
	const char *want = run->job->expect_serial;

	if (bf_run_ask(run, err))
		return err->rc;
	run->ident = run->now;
	bf_regions_limit(run, &run->ident);
	bf_model_found(&run->model, &run->ident, run->job->rescue);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_DEVICE, .ident = &run->ident });
	if (want && strcmp(want, run->ident.serial) != 0) {
		bf_fail(err, BF_E_INCOMPATIBLE,
			"the pack's serial number is '%s', expected was '%s'", run->ident.serial,
			want);
		bf_likely(err, "another pack is connected than the one whose label was read");
		bf_next(err,
			"compare the label; if '%s' is the one that is meant: "
			"--expect-serial '%s'",
			run->ident.serial, run->ident.serial);
		return err->rc;
	}
	return BF_OK;
}

/* Without a second bank the memory may be told, or opened, only in the boot loader; who the pack is was told
 * before. */
enum bf_rc bf_run_learn(struct bf_run *run, struct bf_err *err)
{
	struct bf_ident in_loader = { 0 };

	if (run->ident.n_regions && bf_run_can(run, BF_CAP_DUAL_BANK) && !run->ident.caps_later)
		return BF_OK;
	if (run->proto->ops->identify(run->proto, &in_loader, err))
		return bf_while(err, "asking the boot loader for its memory");
	/* Each of the two has its own description: what the application said of the memory and of what can be
	 * done ends here. */
	memcpy(run->ident.regions, in_loader.regions, sizeof(in_loader.regions));
	run->ident.n_regions = in_loader.n_regions;
	bf_regions_limit(run, &run->ident);
	run->ident.piece_max = in_loader.piece_max;
	run->ident.in_flight = in_loader.in_flight;
	run->ident.caps = in_loader.caps;
	bf_model_learned(&run->model, &in_loader);
	return BF_OK;
}

enum bf_rc bf_ph_ready(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->proto->ops;

	if (ops->connect && ops->connect(run->proto, BF_ENTRY_READ, err))
		return err->rc;
	return bf_run_learn(run, err);
}

/* A probe shows what the pack measures, where it does; a pack that does not is no failure. */
enum bf_rc bf_ph_look(struct bf_run *run, struct bf_err *err)
{
	struct bf_measure m;
	struct bf_err why;

	bf_err_init(&why);
	if ((!run->meter && bf_source_missing(&run->profile, run->transport, &why)) ||
	    bf_run_measure(run, &m, &why)) {
		if (why.rc == BF_E_INTERRUPTED) {
			*err = why;
			return err->rc;
		}
		bf_say(run, BF_EV_NOTICE, "the pack does not tell its conditions: %s", why.cause);
		return BF_OK;
	}
	if (!bf_run_measures(run))
		return BF_OK;
	bf_emit(run, (struct bf_event){ .kind = BF_EV_MEASURE, .measure = &m });
	return BF_OK;
}
