/* SPDX-License-Identifier: MIT */
/* The way back: the old firmware again, and configuration and calibration as they were. */
#include <stdio.h>

#include "phases.h"

/* ==== configuration and calibration ==== */
/*
 * Configuration and calibration stay as they were across an update. What new firmware wiped or replaced at its
 * start goes back from the backup before it is confirmed, proven by reading it again; the firmware then starts
 * once more with it. Where that fails the old firmware comes back, and its configuration with it.
 */

/* Read in this run, once, or proven to be of this pack; NULL: there is nothing to compare with, or no way to. */
static const struct bf_backup *reference(const struct bf_run *run)
{
	if (run->boot.silent || !bf_data_comparable(run))
		return NULL;
	return run->job->restore_from ? run->archives.from : run->archives.saved;
}

/* Where the memory is told by the loader alone, looking took the firmware down. */
static enum bf_rc return_to_firmware(struct bf_run *run, struct bf_err *err)
{
	if (bf_model_old_is_safe(&run->model))
		return BF_OK;
	if (bf_run_ask(run, err))
		return err->rc;
	return run->model.talking == BF_TALKING_LOADER ? bf_run_restart(run, err) : BF_OK;
}

static enum bf_rc look(struct bf_run *run, const struct bf_backup *r, struct bf_data_look *ret,
		       struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;

	*ret = (struct bf_data_look){ 0 };
	if (!bf_data_count(r))
		return BF_OK;
	if (ops->connect && ops->connect(run->session.proto, BF_ENTRY_READ, err))
		return bf_while(err, "preparing the pack for reading");
	if (bf_data_look(run, r, ret, err))
		return err->rc;
	return return_to_firmware(run, err);
}

static enum bf_rc judge(struct bf_run *run, const struct bf_data_look *l, bool ok, const char *how,
			struct bf_err *err)
{
	struct bf_check check = bf_check("configuration", BF_ALLOW_NEW_CONFIGURATION);

	snprintf(check.limit, sizeof(check.limit), "as before the update");
	if (!l->differ)
		snprintf(check.got, sizeof(check.got), "as before");
	else
		snprintf(check.got, sizeof(check.got), "'%s' was %s%s", l->name,
			 l->wiped ? "wiped" : "changed", how);
	if (!bf_self_test_decide(run, &check, ok, err))
		return BF_OK;
	bf_likely(err, l->wiped ? "the new firmware erases its configuration when it starts"
				: "the new firmware makes a configuration of its own when it "
				  "starts");
	bf_likely(err, "the backup '%s' holds what the pack had", run->archives.path);
	bf_likely(err, "where what it has now is right: --allow new-configuration");
	return err->rc;
}

static enum bf_rc put_back(struct bf_run *run, const struct bf_backup *r,
			   const struct bf_data_look *l, struct bf_err *err)
{
	struct bf_err why;
	enum bf_rc rc;

	bf_err_init(&why);
	if (l->fixed)
		return judge(run, l, false, " and cannot be written", err);
	rc = bf_run_enter(run, &why);
	if (!rc)
		rc = bf_data_put_back(run, r, &why);
	if (!rc)
		return judge(run, l, true, "; put back and read again", err);
	/* The line is no fault of the firmware's, and needs no permission. */
	if (bf_rc_info(rc)->retry || rc == BF_E_GONE || rc == BF_E_RESTART ||
	    rc == BF_E_INTERRUPTED || rc == BF_E_AUTH) {
		*err = why;
		return bf_while(err, "putting '%s' back", l->name);
	}
	bf_say(run, BF_EV_WARNING, "'%s' is not put back: %s", l->name, why.cause);
	return judge(run, l, false, " and could not be put back", err);
}

static bool on_trial(const struct bf_run *run)
{
	const struct bf_slot *active = bf_slot_active(&run->session.now, NULL);

	return active && (active->flags & BF_SLOT_TRIAL);
}

/* With the old configuration in hand the firmware may do to it again what it did before. */
static enum bf_rc start_again(struct bf_run *run, const struct bf_backup *r, struct bf_err *err)
{
	struct bf_data_look l;

	if (bf_run_restart(run, err) || bf_ph_prove(run, err) || look(run, r, &l, err))
		return bf_while(err, "starting with the configuration put back");
	if (!judge(run, &l, !l.differ, " again at its next start", err))
		return BF_OK;
	/* Proven, and past the point where anybody goes back: it stays, and the difference is told. */
	if (bf_model_one_place(&run->model) || run->model.stage == BF_STAGE_CONFIRMED) {
		bf_model_confirmed(&run->model);
		bf_model_data(&run->model, BF_DATA_LOST);
		bf_journal_drop(run);
		bf_next_command(run, BF_JOB_BACKUP, NULL, err);
	}
	return err->rc;
}

static enum bf_rc keep(struct bf_run *run, const struct bf_backup *r, struct bf_err *err)
{
	struct bf_data_look l;
	bool allowed = run->job->allow[BF_ALLOW_NEW_CONFIGURATION];

	if (look(run, r, &l, err))
		return err->rc;
	if (!l.n)
		return BF_OK;
	if (!l.differ || (allowed && !l.wiped))
		return judge(run, &l, !l.differ, " and stays so", err);
	if (put_back(run, r, &l, err))
		return err->rc;
	/* A restart would end a trial: that one waits until the firmware is confirmed. */
	bf_boot_owes_restart(run, on_trial(run));
	return run->boot.owes_restart ? BF_OK : start_again(run, r, err);
}

/* A run that found the new firmware started already has read nothing itself. */
static enum bf_rc take_earlier(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;

	if (!run->archives.earlier || run->archives.saved || run->boot.silent ||
	    !bf_data_comparable(run))
		return BF_OK;
	if (ops->connect && ops->connect(run->session.proto, BF_ENTRY_READ, err))
		return bf_while(err, "preparing the pack for reading");
	return bf_earlier_take(run, err);
}

enum bf_rc bf_ph_keep(struct bf_run *run, struct bf_err *err)
{
	const struct bf_backup *r;

	/* Looking would take it down, out of its test boot. */
	if (run->journal.proven_later)
		return BF_OK;
	if (take_earlier(run, err))
		return err->rc;
	r = reference(run);
	return r ? keep(run, r, err) : BF_OK;
}

bool bf_when_settling(const struct bf_run *run)
{
	return run->boot.owes_restart;
}

enum bf_rc bf_ph_settle(struct bf_run *run, struct bf_err *err)
{
	const struct bf_backup *r = reference(run);

	return r ? start_again(run, r, err) : BF_OK;
}

static enum bf_rc give_back(struct bf_run *run, const struct bf_backup *r, struct bf_err *err)
{
	struct bf_data_look l;

	if (look(run, r, &l, err))
		return err->rc;
	if (!l.differ)
		return BF_OK;
	if (l.fixed)
		bf_model_data(&run->model, BF_DATA_LOST_FIXED);
	if (l.fixed)
		return bf_fail(err, BF_E_UNSUPPORTED, "'%s' cannot be written", l.name);
	bf_say(run, BF_EV_NOTICE, "'%s' was %s meanwhile: putting it back", l.name,
	       l.wiped ? "wiped" : "changed");
	if (bf_run_enter(run, err) || bf_data_put_back(run, r, err))
		return err->rc;
	if (bf_run_restart(run, err))
		return err->rc;
	return run->model.runs == BF_RUNS_OLD
		       ? BF_OK
		       : bf_fail(err, BF_E_RECOVERY, "the old firmware did not start with it");
}

static void lost(struct bf_run *run, const struct bf_err *why)
{
	if (run->model.data == BF_DATA_KEPT)
		bf_model_data(&run->model, BF_DATA_LOST);
	bf_say(run, BF_EV_WARNING, "the configuration could not be put back: %s", why->cause);
}

static void keep_of_old(struct bf_run *run)
{
	const struct bf_backup *r = reference(run);
	struct bf_err why;

	bf_err_init(&why);
	if (r && give_back(run, r, &why))
		lost(run, &why);
}

/* ==== firmware ==== */
/*
 * Rollback after a failed start. A pack with two slots is told to revert and restarted; one on a test boot reverts
 * by a restart alone; one with a single slot gets its backup written back.
 */

static void old_again(struct bf_run *run, struct bf_err *err)
{
	err->first_rc = err->rc;
	err->rc = BF_E_RESTORED;
	/* What the last exchange suggested was about that exchange. */
	bf_do(err, "send the record and a trace (--trace FILE) of such a run to the maker");
	if (run->model.data == BF_DATA_KEPT)
		bf_journal_drop(run);
}

/* Asks; a pack that does not answer is waited for once more: it may be swapping its banks back. */
static enum bf_rc ask_patiently(struct bf_run *run, struct bf_err *err)
{
	bf_err_init(err);
	return bf_run_await(run, bf_in(run->clock, bf_restart_patience(run)), err);
}

static void mark_for_revert(struct bf_run *run)
{
	struct bf_err err;

	bf_err_init(&err);
	if (run->model.runs != BF_RUNS_NEW || !bf_run_can(run, BF_CAP_REVERT) ||
	    !run->session.proto->ops->boot->revert)
		return;
	/* Without the mark an unconfirmed image still goes at the restart. */
	if (bf_run_enter(run, &err) ||
	    run->session.proto->ops->boot->revert(run->session.proto, &err))
		bf_say(run, BF_EV_NOTICE, "the pack does not take the request to revert: %s",
		       err.cause);
}

/* That the restart was not seen to happen says nothing yet: the pack is waited for once more. */
static enum bf_rc revert_once(struct bf_run *run, void *ctx, struct bf_err *err)
{
	struct bf_err why;

	(void)ctx;
	bf_err_init(&why);
	mark_for_revert(run);
	if (bf_run_restart(run, &why))
		bf_say(run, BF_EV_NOTICE, "going back: %s", why.cause);
	return ask_patiently(run, err);
}

static bool runs_old(const struct bf_run *run, void *ctx)
{
	(void)ctx;
	return run->model.runs == BF_RUNS_OLD;
}

/* Asked anew before each request: a revert that is asked of the old firmware would be a revert to the new one. */
static bool revert_by_restart(struct bf_run *run, struct bf_err *why)
{
	struct bf_err err;

	bf_err_init(&err);
	if (ask_patiently(run, &err))
		return false;
	if (runs_old(run, NULL)) {
		bf_name_loop(run, why); /* it went before it was told to */
		return true;
	}
	return !bf_call(run,
			&(struct bf_call){ .ask = BF_ASK_REVERT,
					   .what = "going back by a restart",
					   .call = revert_once,
					   .taken = runs_old },
			&err) &&
	       runs_old(run, NULL);
}

/* With one bank firmware that has run counts as confirmed, and a counter that it raised blocks the old one:
 * writing that would leave a pack that starts nothing. */
static bool is_blocked(const struct bf_run *run, const struct bf_meta *old)
{
	uint32_t counter = old->has_counter ? old->counter : run->session.ident.counter;

	return run->model.runs == BF_RUNS_NEW && bf_run_can(run, BF_CAP_COUNTER) &&
	       counter < run->session.now.counter;
}

static bool has_backup(const struct bf_run *run)
{
	return run->archives.way_back && run->archives.saved;
}

/* The pack's own firmware where it could be read, else what the user named. */
static enum bf_rc take_backup(struct bf_run *run, struct bf_err *err)
{
	if (!has_backup(run)) {
		bf_todo_done(&run->todo);
		bf_wanted_go_back(run);
	} else if (bf_restore_image(run, run->archives.saved, err)) {
		return err->rc;
	}
	if (is_blocked(run, bf_image_meta(run->wanted.image))) {
		bf_model_old_blocked(&run->model);
		return bf_fail(err, BF_E_ROLLBACK,
			       "the pack's security counter is %u now, and the old firmware is "
			       "below it: the new one stays",
			       run->session.now.counter);
	}
	bf_model_target_is_old(&run->model);
	return BF_OK;
}

/* What cannot be put back is told, and does not keep the firmware from starting. */
static enum bf_rc keep_in_loader(struct bf_run *run, struct bf_err *err)
{
	const struct bf_backup *r = reference(run);

	if (r && bf_data_put_back(run, r, err))
		lost(run, err);
	bf_err_init(err);
	return BF_OK;
}

/* The way back of a pack with one place. It is walked from the first row to the last, or until one fails. */
static const struct bf_phase back_rows[] = {
	{ "taking the old firmware from its backup", take_backup },
	{ "entering the bootloader again", bf_run_enter },
	{ "comparing with the old firmware", bf_plan_again },
	{ "writing the old firmware", bf_ph_write, .when = bf_when_writing, .moves = true },
	{ "verifying the old firmware", bf_ph_verify },
	{ "restoring configuration and calibration", keep_in_loader },
	{ "restarting the pack", bf_run_restart },
};

static enum bf_rc write_backup(struct bf_run *run, bool *ret_written, struct bf_err *err)
{
	/* The job does not get further on this way. */
	double percent = run->told.mark.base + run->told.mark.weight;

	for (size_t i = 0; i < BF_COUNT(back_rows); i++) {
		const struct bf_phase *row = &back_rows[i];

		if (row->when && !row->when(run))
			continue;
		bf_progress_begin(run, row->name, row->moves, percent, 0);
		*ret_written = i == BF_COUNT(back_rows) - 1;
		if (row->run(run, err))
			return bf_while(err, "%s", row->name);
	}
	return BF_OK;
}

/* By now the old firmware is the target, where the backup tells its version or digest. */
static bool runs_backup(const struct bf_run *run, struct bf_err *err)
{
	bool told = run->wanted.has_version || run->wanted.digest_len;
	enum bf_runs runs = run->model.runs;

	if (runs == BF_RUNS_OLD || (!told && runs == BF_RUNS_UNTOLD))
		return true;
	bf_fail(err, BF_E_MISMATCH, "after the restart %s",
		run->model.talking == BF_TALKING_APP      ? "other firmware runs"
		: run->model.talking == BF_TALKING_LOADER ? "the pack stays in its bootloader"
							  : "the pack does not answer");
	return false;
}

static bool write_back(struct bf_run *run, struct bf_err *err)
{
	bool written = false; /* and verified; its restart failed */
	struct bf_err why;

	if (run->job->restore_from || !(has_backup(run) || run->wanted.fallback))
		return false;
	bf_model_going_back(&run->model);
	bf_say(run, BF_EV_NOTICE, "writing %s from '%s'",
	       has_backup(run) ? "the old firmware back" : "the fallback image",
	       has_backup(run) ? run->archives.path : run->job->fallback);
	bf_err_init(&why);
	if (write_backup(run, &written, &why) || !runs_backup(run, &why)) {
		bf_say(run, BF_EV_WARNING, "%s: %s",
		       written ? "the old firmware is written back and its start was not seen"
			       : "the old firmware could not be written back",
		       why.cause);
		return false;
	}
	old_again(run, err);
	return true;
}

/* A line that is down or a user who stops would only make it worse: those resume later. Whatever else ends the
 * writing was said by the pack. */
static bool can_go_back_now(const struct bf_err *err)
{
	enum bf_met met = bf_met_of(err);

	return met != BF_MET_LOST && met != BF_MET_GONE && met != BF_MET_FORGOT &&
	       err->rc != BF_E_NODEV && err->rc != BF_E_INTERRUPTED && err->rc != BF_E_INTERNAL &&
	       err->rc != BF_E_FILE;
}

void bf_ph_write_undo(struct bf_run *run, struct bf_err *err)
{
	/* A failed start went back already; what is written stays for the next run to find. */
	if (run->model.stage != BF_STAGE_WRITING && run->model.stage != BF_STAGE_WRITTEN)
		return;
	bf_journal_write(run);
	if (can_go_back_now(err) && bf_model_may_write_back(&run->model))
		(void)write_back(run, err);
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
			(void)write_back(run, err);
		return;
	}
	bf_model_going_back(m);
	bf_say(run, BF_EV_NOTICE, "going back: %s", err->cause);
	if (m->runs == BF_RUNS_OLD || revert_by_restart(run, err)) {
		keep_of_old(run); /* the journal tells a run that is cut here what it was */
		old_again(run, err);
	}
}
