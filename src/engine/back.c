/* SPDX-License-Identifier: MIT */
/*
 * Rollback after a failed start. A pack with two slots is told to revert and restarted; one on a test boot reverts
 * by a restart alone; one with a single slot gets its backup written back.
 */
#include <stdio.h>

#include "recover.h"
#include "run.h"

#define TRIES 2 /* a boot loader that counts failed starts may need a second restart */

static void old_again(struct bf_run *run, struct bf_err *err)
{
	err->rc = BF_E_RESTORED;
	/* What the last exchange suggested was about that exchange. */
	bf_next(err, "send the record and a trace (--trace FILE) of such a run to the maker");
	if (run->model.data == BF_DATA_KEPT)
		bf_journal_drop(run);
}

/* Asks; a pack that does not answer is waited for once more: it may be swapping its banks back. */
static bool ask_patiently(struct bf_run *run)
{
	struct bf_err err;

	bf_err_init(&err);
	return bf_run_await(run, bf_in(run->clock, bf_restart_patience(run)), &err) == BF_OK;
}

static void mark_for_revert(struct bf_run *run)
{
	struct bf_err err;

	bf_err_init(&err);
	if (run->model.runs != BF_RUNS_NEW || !bf_run_can(run, BF_CAP_REVERT) ||
	    !run->proto->ops->boot->revert)
		return;
	/* Without the mark an unconfirmed image still goes at the restart. */
	if (bf_run_enter(run, &err) || run->proto->ops->boot->revert(run->proto, &err))
		bf_say(run, BF_EV_NOTICE, "the pack does not take the request to revert: %s",
		       err.cause);
}

static bool revert_by_restart(struct bf_run *run, struct bf_err *why)
{
	struct bf_err err;

	for (unsigned i = 0; i < TRIES; i++) {
		bf_err_init(&err);
		/* Asked anew each time: a revert that is asked of the old firmware would be a
		 * revert to the new one. */
		if (!ask_patiently(run))
			return false;
		if (i == 0 && run->model.runs == BF_RUNS_OLD)
			bf_name_loop(run, why); /* it went before it was told to */
		if (run->model.runs == BF_RUNS_OLD)
			return true;
		mark_for_revert(run);
		if (bf_run_restart(run, &err))
			bf_say(run, BF_EV_NOTICE, "going back: %s", err.cause);
	}
	return ask_patiently(run) && run->model.runs == BF_RUNS_OLD;
}

/* With one bank firmware that has run counts as confirmed, and a counter that it raised blocks the old one:
 * writing that would leave a pack that starts nothing. */
static bool is_blocked(const struct bf_run *run, const struct bf_meta *old)
{
	uint32_t counter = old->has_counter ? old->counter : run->ident.counter;

	return run->model.runs == BF_RUNS_NEW && bf_run_can(run, BF_CAP_COUNTER) &&
	       counter < run->now.counter;
}

static enum bf_rc write_backup(struct bf_run *run, struct bf_err *err)
{
	if (bf_restore_image(run, run->saved, err))
		return err->rc;
	if (is_blocked(run, bf_image_meta(run->image))) {
		bf_model_old_blocked(&run->model);
		return bf_fail(err, BF_E_ROLLBACK,
			       "the pack's security counter is %u now, and the old firmware is "
			       "below it: the new one stays",
			       run->now.counter);
	}
	bf_model_target_is_old(&run->model);
	if (bf_run_enter(run, err) || bf_ph_plan(run, err))
		return err->rc;
	if (run->todo.n && bf_ph_write(run, err))
		return err->rc;
	if (bf_ph_verify(run, err))
		return err->rc;
	bf_keep_in_loader(run);
	return bf_run_restart(run, err);
}

/* By now the old firmware is the target, where the backup tells its version or digest. */
static bool runs_backup(const struct bf_run *run, struct bf_err *err)
{
	bool told = run->has_target_version || run->target_digest_len;
	enum bf_runs runs = run->model.runs;

	if (runs == BF_RUNS_OLD || (!told && runs == BF_RUNS_UNTOLD))
		return true;
	bf_fail(err, BF_E_MISMATCH, "after the restart %s",
		run->model.talking == BF_TALKING_APP      ? "other firmware runs"
		: run->model.talking == BF_TALKING_LOADER ? "the pack stays in its bootloader"
							  : "the pack does not answer");
	return false;
}

bool bf_write_back(struct bf_run *run, struct bf_err *err)
{
	struct bf_err why;

	if (!run->has_backup || !run->saved || run->job->restore_from)
		return false;
	bf_model_going_back(&run->model);
	bf_say(run, BF_EV_NOTICE, "writing the old firmware back from '%s'", run->backup_path);
	bf_err_init(&why);
	/* The comparison must be with what is really there now. */
	run->resumed = true;
	if (write_backup(run, &why) || !runs_backup(run, &why)) {
		bf_say(run, BF_EV_WARNING, "the old firmware could not be written back: %s",
		       why.cause);
		return false;
	}
	old_again(run, err);
	return true;
}

/* What is known of the new firmware decides: it goes where the pack, or its failed test, says that it is bad. Firmware
 * that was verified and came late, or was not started, stays where it is. */
void bf_ph_back(struct bf_run *run, struct bf_err *err)
{
	struct bf_model *m = &run->model;

	if (m->went_back || m->stage != BF_STAGE_STARTED)
		return;
	if (bf_model_one_place(m)) {
		if (bf_model_may_write_back(m))
			(void)bf_write_back(run, err);
		return;
	}
	bf_model_going_back(m);
	bf_say(run, BF_EV_NOTICE, "going back: %s", err->cause);
	if (m->runs == BF_RUNS_OLD || revert_by_restart(run, err)) {
		bf_keep_of_old(run); /* the journal tells a run that is cut here what it was */
		old_again(run, err);
	}
}
