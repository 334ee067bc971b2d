/* SPDX-License-Identifier: MIT */
/* Starting the new firmware, and making it stay. */
#include <string.h>

#include "recover.h"
#include "run.h"

#define RESTART_DEFAULT BF_SEC(30)
#define RESTART_LIMIT   BF_SEC(600)
#define RESTARTS        3 /* requests in all, when they get lost */

/* A swap moves each page of both banks: three erasures (22 ms) and three programmings (82 us a double word) in
 * 2 KiB make 63 us a byte; slow flash takes twice that. */
#define SWAP_BASE BF_SEC(10)
#define SWAP_BYTE BF_US(150)

static bool still_pending(const struct bf_ident *now)
{
	const struct bf_slot *other = bf_slot_other(now, NULL);

	return other && (other->flags & BF_SLOT_PENDING);
}

/* The mark was taken, and then the pack restarted by itself, for want of power: what was to be marked runs. */
static bool has_started(const struct bf_run *run, const struct bf_ident *now)
{
	const struct bf_slot *active = bf_slot_active(now, NULL);

	return active && run->target_digest_len && active->digest_len == run->target_digest_len &&
	       memcmp(active->digest, run->target_digest, active->digest_len) == 0;
}

/* Looked at before the mark is asked for again: a pack that has swapped its slots would mark the old firmware. */
static enum bf_rc look_for_mark(struct bf_run *run, void *ctx, bool *ret_marked, struct bf_err *err)
{
	struct bf_ident now = run->now;
	enum bf_rc rc;

	(void)ctx;
	if (!run->proto->ops->boot->state)
		return BF_OK;
	rc = run->proto->ops->boot->state(run->proto, &now, err);
	if (rc)
		return rc;
	if (has_started(run, &now))
		bf_model_started_early(&run->model);
	*ret_marked = run->model.started_early || still_pending(&now);
	return BF_OK;
}

static enum bf_rc mark(struct bf_run *run, void *ctx, struct bf_err *err)
{
	bool trial = bf_run_can(run, BF_CAP_TRIAL);

	(void)ctx;
	return run->proto->ops->boot->activate(
		run->proto, trial ? BF_ACTIVATE_TRIAL : BF_ACTIVATE_PERMANENT, err);
}

enum bf_rc bf_ph_activate(struct bf_run *run, struct bf_err *err)
{
	bool trial = bf_run_can(run, BF_CAP_TRIAL);
	enum bf_rc rc;

	/* With one place there is nothing to choose from at the restart. */
	if (!run->proto->ops->boot->activate || !(trial || bf_run_can(run, BF_CAP_DUAL_BANK)))
		return BF_OK;
	/* Before the call: its answer may get lost after it has taken effect. */
	bf_model_marked(&run->model, true);
	bf_journal_write(run);
	rc = bf_call(run,
		     &(struct bf_call){ .ask = BF_ASK_MARK,
					.what = "marking the new firmware",
					.call = mark,
					.done = look_for_mark },
		     err);
	if (rc && bf_met_of(err) == BF_MET_REFUSED)
		bf_model_marked(&run->model, false); /* the pack said no, and nothing is marked */
	if (rc)
		return bf_while(err, trial ? "marking the new firmware for a test boot"
					   : "marking the new firmware for the next start");
	return BF_OK;
}

static enum bf_rc mark_previous(struct bf_run *run, void *ctx, struct bf_err *err)
{
	(void)ctx;
	return run->proto->ops->boot->revert(run->proto, err);
}

/* A lost answer is not asked for again: taken twice it would be a revert of the revert. */
enum bf_rc bf_ph_revert(struct bf_run *run, struct bf_err *err)
{
	bf_model_marked(&run->model, true);
	if (bf_call(run,
		    &(struct bf_call){ .ask = BF_ASK_ONCE,
				       .what = "marking the previous firmware",
				       .call = mark_previous },
		    err))
		return bf_while(err, "marking the previous firmware for the next start");
	return BF_OK;
}

/* What a boot loader that swaps may have to move at most. */
static uint32_t swapped_bytes(const struct bf_run *run)
{
	const struct bf_region *region;
	unsigned slot;

	if (!bf_run_can(run, BF_CAP_DUAL_BANK))
		return 0;
	if (run->image)
		return (uint32_t)bf_image_size(run->image);
	region = bf_slot_target(&run->ident, &slot) ? bf_region_of_slot(&run->ident, slot) : NULL;
	return region ? region->size : 0;
}

bf_time bf_restart_patience(const struct bf_run *run)
{
	bf_time told = run->profile.restart_ms ? BF_MS(run->profile.restart_ms) : RESTART_DEFAULT;
	bf_time swap = SWAP_BASE + swapped_bytes(run) * SWAP_BYTE;

	if (swap > RESTART_LIMIT)
		swap = RESTART_LIMIT;
	return swap > told ? swap : told;
}

static bool may_have_gone(enum bf_rc rc)
{
	return rc == BF_E_TIMEOUT || rc == BF_E_LINK || rc == BF_E_GONE;
}

/* A restart whose answer was lost counts as sent: what answers afterwards tells. */
static enum bf_rc restart_once(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->proto->ops;
	bf_time start = bf_now(run->clock);
	enum bf_rc rc;

	rc = ops->loader->restart ? ops->loader->restart(run->proto, err) : BF_OK;
	if (rc && !may_have_gone(rc))
		return bf_while(err, "restarting the pack");
	run->parted = true;
	run->authenticated = false;
	bf_err_init(err);
	bf_model_restarts(&run->model);
	if (ops->default_rate)
		ops->default_rate(run->proto);
	run->rate = run->first_rate;
	rc = bf_run_await(run, bf_in(run->clock, bf_restart_patience(run)), err);
	run->sum.restart += bf_now(run->clock) - start;
	if (rc)
		return bf_while(err, "waiting up to %.0f s for the pack to come back",
				(double)bf_restart_patience(run) / 1e6);
	return BF_OK;
}

/* One bank: a loader that answers may never have heard the request, and asking it again does no harm. */
static bool not_yet(const struct bf_run *run)
{
	return still_pending(&run->now) ||
	       (run->model.talking == BF_TALKING_LOADER && bf_model_one_place(&run->model) &&
		run->proto->ops->loader->restart);
}

enum bf_rc bf_run_restart(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc = restart_once(run, err);

	for (unsigned i = 1; i < RESTARTS && !rc && not_yet(run); i++) {
		/* It was the request that got lost: what was marked is still to come. */
		rc = bf_run_enter(run, err);
		if (!rc)
			rc = restart_once(run, err);
	}
	return rc;
}

enum bf_rc bf_ph_restart(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc;

	bf_model_starting(&run->model);
	bf_journal_write(run);
	/* Another restart would end its test boot. */
	rc = run->model.started_early ? bf_run_repeat(run, "asking what runs", bf_run_ask, err)
				      : bf_run_restart(run, err);
	if (rc && run->job->allow[BF_ALLOW_NO_PROOF] && !run->model.link_gone &&
	    rc != BF_E_INTERRUPTED) {
		bf_model_no_proof(&run->model);
		bf_say(run, BF_EV_WARNING, "the pack does not answer now: %s", err->cause);
		bf_err_init(err);
		run->silent = true;
		return BF_OK;
	}
	if (rc && bf_model_one_place(&run->model))
		bf_likely(err,
			  "the firmware runs and does not speak '%s': for such packs --allow "
			  "no-proof",
			  run->proto->ops->name);
	return rc;
}

/* A confirmation whose answer is lost may have been taken: the bank state tells. */
static bool is_confirmed(struct bf_run *run)
{
	const struct bf_slot *active;
	struct bf_err err;
	struct bf_ident now = run->now;

	bf_err_init(&err);
	if (!run->proto->ops->boot->state || run->proto->ops->boot->state(run->proto, &now, &err))
		return false;
	active = bf_slot_active(&now, NULL);
	if (!active || !(active->flags & BF_SLOT_CONFIRMED))
		return false;
	run->now = now;
	return true;
}

/* Told to a pack that lost the session it does nothing, and may be told again; one whose answer was lost is looked
 * at first. */
static enum bf_rc confirm_once(struct bf_run *run, void *ctx, struct bf_err *err)
{
	(void)ctx;
	return run->proto->ops->boot->confirm(run->proto, err);
}

static enum bf_rc look_for_confirmation(struct bf_run *run, void *ctx, bool *ret_done,
					struct bf_err *err)
{
	(void)ctx;
	(void)err;
	*ret_done = is_confirmed(run);
	return BF_OK;
}

static bool needs_confirmation(const struct bf_run *run)
{
	const struct bf_slot *active = bf_slot_active(&run->now, NULL);

	if (run->silent || !bf_run_can(run, BF_CAP_CONFIRM) || !run->proto->ops->boot->confirm)
		return false;
	return !active || (active->flags & BF_SLOT_TRIAL) || !(active->flags & BF_SLOT_CONFIRMED);
}

/* Firmware that crashed meanwhile may have left the confirmation to the old one. A pack that cannot be asked
 * now has proven it before, unless it restarted since. */
static enum bf_rc see_it_stay(struct bf_run *run, struct bf_err *err)
{
	struct bf_err why;
	enum bf_rc rc;

	if (run->silent || run->model.no_proof || !run->now.n_slots)
		return BF_OK;
	bf_err_init(&why);
	rc = bf_run_repeat(run, "asking what runs", bf_run_ask, &why);
	if (rc && run->retry.reopened != run->proven_reopened) {
		bf_model_silent(&run->model);
		*err = why;
		return bf_while(err, "asking a pack that restarted since what it runs");
	}
	if (rc || run->model.runs == BF_RUNS_NEW)
		return BF_OK;
	bf_fail(err, BF_E_MISMATCH, "the pack went back to its old firmware by itself");
	bf_name_loop(run, err);
	return err->rc;
}

enum bf_rc bf_ph_confirm(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc;

	if (needs_confirmation(run)) {
		if (bf_run_enter(run, err))
			return err->rc;
		rc = bf_call(run,
			     &(struct bf_call){ .ask = BF_ASK_MARK,
						.what = "confirming the new firmware",
						.call = confirm_once,
						.done = look_for_confirmation },
			     err);
		if (rc)
			return bf_while(err, "confirming the new firmware");
		if (!rc && run->proto->ops->boot->state && run->now.n_slots && !is_confirmed(run)) {
			return bf_fail(err, BF_E_NAK,
				       "the pack took the confirmation and does not show it");
		}
	}
	if (see_it_stay(run, err))
		return err->rc;
	bf_model_confirmed(&run->model);
	bf_journal_drop(run);
	return BF_OK;
}
