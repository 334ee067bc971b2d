/* SPDX-License-Identifier: MIT */
/*
 * Configuration and calibration stay as they were across an update. What new firmware wiped or replaced at its
 * start goes back from the backup before it is confirmed, proven by reading it again; the firmware then starts
 * once more with it. Where that fails the old firmware comes back, and its configuration with it.
 */
#include <stdio.h>

#include "run.h"

/* Read in this run, once, or proven to be of this pack; NULL: there is nothing to compare with, or no way to. */
static const struct bf_backup *reference(const struct bf_run *run)
{
	if (run->silent || !bf_data_comparable(run))
		return NULL;
	return run->job->restore_from ? run->from : run->saved;
}

/* Where the memory is told by the loader alone, looking took the firmware down. */
static enum bf_rc return_to_firmware(struct bf_run *run, struct bf_err *err)
{
	if (bf_run_can(run, BF_CAP_DUAL_BANK))
		return BF_OK;
	if (bf_run_ask(run, err))
		return err->rc;
	return run->model.talking == BF_TALKING_LOADER ? bf_run_restart(run, err) : BF_OK;
}

static enum bf_rc look(struct bf_run *run, const struct bf_backup *r, struct bf_data_look *ret,
		       struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->proto->ops;

	*ret = (struct bf_data_look){ 0 };
	if (!bf_data_count(r))
		return BF_OK;
	if (ops->connect && ops->connect(run->proto, BF_ENTRY_READ, err))
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
	bf_likely(err, "the backup '%s' holds what the pack had", run->backup_path);
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
	const struct bf_slot *active = bf_slot_active(&run->now, NULL);

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
	run->owes_restart = on_trial(run);
	return run->owes_restart ? BF_OK : start_again(run, r, err);
}

/* A run that found the new firmware started already has read nothing itself. */
static enum bf_rc take_earlier(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->proto->ops;

	if (!run->earlier || run->saved || run->silent || !bf_data_comparable(run))
		return BF_OK;
	if (ops->connect && ops->connect(run->proto, BF_ENTRY_READ, err))
		return bf_while(err, "preparing the pack for reading");
	return bf_earlier_take(run, err);
}

enum bf_rc bf_ph_keep(struct bf_run *run, struct bf_err *err)
{
	const struct bf_backup *r;

	/* Looking would take it down, out of its test boot. */
	if (run->proven_later)
		return BF_OK;
	if (take_earlier(run, err))
		return err->rc;
	r = reference(run);
	return r ? keep(run, r, err) : BF_OK;
}

bool bf_when_settling(const struct bf_run *run)
{
	return run->owes_restart;
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

void bf_keep_of_old(struct bf_run *run)
{
	const struct bf_backup *r = reference(run);
	struct bf_err why;

	bf_err_init(&why);
	if (r && give_back(run, r, &why))
		lost(run, &why);
}

void bf_keep_in_loader(struct bf_run *run)
{
	const struct bf_backup *r = reference(run);
	struct bf_err why;

	bf_err_init(&why);
	if (r && bf_data_put_back(run, r, &why))
		lost(run, &why);
}
