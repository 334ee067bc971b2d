/* SPDX-License-Identifier: MIT */
/* How the run ended, in the words of the promise: the pack's state first, the cause beside it. */
#include <stdio.h>
#include <string.h>

#include "run.h"

#define NAME 80

/* "Old firmware 1.3.0", and without a version just the first two words. */
static const char *old_name(const struct bf_run *run, char dst[NAME])
{
	char text[BF_VERSION_TEXT];
	/* A run that took up an earlier one found the new firmware. */
	const char *v = run->went_back ? bf_ident_version(&run->now, text) : NULL;

	if (!v)
		v = bf_ident_version(&run->ident, text);
	snprintf(dst, NAME, "Old firmware%s%s", v ? " " : "", v ? v : "");
	return dst;
}

static const char *new_name(const struct bf_run *run, const char *what, char dst[NAME])
{
	char text[BF_VERSION_TEXT];

	snprintf(dst, NAME, "%s%s%s", what, run->has_target_version ? " " : "",
		 run->has_target_version ? bf_version_text(&run->target_version, text) : "");
	return dst;
}

static bool changes(const struct bf_run *run)
{
	return run->job->kind == BF_JOB_FLASH || run->job->kind == BF_JOB_ROLLBACK;
}

/* With two banks a half-written one harms nobody. */
static enum bf_state state_with_old(const struct bf_run *run)
{
	if (bf_run_can(run, BF_CAP_DUAL_BANK) || run->went_back || run->depth == BF_DEPTH_NONE)
		return BF_STATE_OLD;
	return BF_STATE_RECOVERY;
}

static enum bf_state state_with_new(const struct bf_run *run)
{
	if (run->no_proof)
		return BF_STATE_UNPROVEN;
	/* It ran, to stay, before this run began. */
	if (run->depth == BF_DEPTH_NONE)
		return BF_STATE_OLD;
	return run->depth == BF_DEPTH_CONFIRMED ? BF_STATE_NEW_PROVEN : BF_STATE_RECOVERY;
}

static enum bf_state state_after_failure(const struct bf_run *run)
{
	if (!changes(run))
		return BF_STATE_UNTOUCHED;
	if (run->left_app || (run->data_lost && run->runs != BF_RUNS_NEW))
		return BF_STATE_RECOVERY;
	switch (run->runs) {
	case BF_RUNS_UNKNOWN:
		return run->depth == BF_DEPTH_NONE ? BF_STATE_UNTOUCHED : BF_STATE_RECOVERY;
	case BF_RUNS_LOADER:
		return BF_STATE_RECOVERY;
	case BF_RUNS_NEW:
		return state_with_new(run);
	case BF_RUNS_OLD:
		return state_with_old(run);
	}
	return BF_STATE_RECOVERY;
}

/* The new firmware may well run. */
static bool new_may_run(const struct bf_run *run)
{
	switch (run->depth) {
	case BF_DEPTH_WRITING:
		return run->may_start && !run->went_back;
	case BF_DEPTH_WRITTEN:
		return true;
	case BF_DEPTH_STARTED:
		return run->runs == BF_RUNS_UNKNOWN ||
		       (run->runs == BF_RUNS_NEW && !run->failed_test);
	case BF_DEPTH_NONE:
	case BF_DEPTH_ACTIVATED:
	case BF_DEPTH_CONFIRMED:
		return false;
	}
	return false;
}

/* The new firmware has raised the pack's counter: nothing older starts any more. */
static bool old_is_shut_out(const struct bf_run *run)
{
	return run->shut_out ||
	       (bf_run_can(run, BF_CAP_COUNTER) && run->now.counter > run->ident.counter);
}

/* A way back is not to be had: the bank was another, its firmware would not start, or did not before. */
static bool no_way_back(const struct bf_run *run)
{
	return bf_run_can(run, BF_CAP_DUAL_BANK) || old_is_shut_out(run) || run->started_in_loader;
}

static void recovery_command(const struct bf_run *run, struct bf_err *err)
{
	/* The same command asks what runs and goes on, or back, from there. */
	bool again = run->job->kind == BF_JOB_FLASH && (new_may_run(run) || no_way_back(run));

	if (run->data_lost && run->data_fixed)
		bf_next(err, "tar -xf '%s'", run->backup_path);
	else if (run->has_backup && (!again || run->data_lost))
		bf_next_command(run, BF_JOB_ROLLBACK, run->backup_path, err);
	else if (run->job->restore_from)
		bf_next_command(run, BF_JOB_ROLLBACK, run->job->restore_from, err);
	else if (run->job->kind == BF_JOB_FLASH)
		bf_next_command(run, BF_JOB_FLASH, NULL, err);
	else
		bf_next_command(run, BF_JOB_PROBE, NULL, err);
}

/* Caught in its window and lost again: it is to be caught once more. */
static bool rescue_lost_it(const struct bf_run *run, const struct bf_err *err)
{
	return run->job->rescue && (err->rc == BF_E_NODEV || err->rc == BF_E_TIMEOUT ||
				    err->rc == BF_E_LINK || err->rc == BF_E_GONE);
}

/* A pack that ran before and does not now is the news, whatever the cause was. */
static void settle_code(const struct bf_run *run, struct bf_outcome *out)
{
	struct bf_err *err = &out->err;
	bool ours = run->depth > BF_DEPTH_NONE || run->left_app;

	if (out->state == BF_STATE_RECOVERY) {
		if (ours || !err->next[0] || rescue_lost_it(run, err))
			recovery_command(run, err);
		if (ours && err->rc != BF_E_INTERRUPTED)
			err->rc = BF_E_RECOVERY;
	}
	if (err->rc == BF_E_INTERRUPTED && !err->next[0])
		bf_next(err, "run the same command again: it goes on from here");
	out->rc = err->rc;
}

/* What follows "type:" is something to type. */
static bool is_command(const char *text)
{
	static const char *const programs[] = { "bmsflash ", "tar ", "sudo " };

	for (size_t i = 0; i < BF_COUNT(programs); i++) {
		if (strncmp(text, programs[i], strlen(programs[i])) == 0)
			return true;
	}
	return false;
}

/* Started on trial and silent: a restart ends the trial, and only somebody at the pack can make one. */
static bool hangs_on_trial(const struct bf_run *run)
{
	return run->runs == BF_RUNS_UNKNOWN && run->depth == BF_DEPTH_STARTED &&
	       bf_run_can(run, BF_CAP_TRIAL);
}

static void say_recovery(const struct bf_run *run, struct bf_outcome *out)
{
	bool untouched = run->depth == BF_DEPTH_NONE && !run->left_app;
	const char *what =
		untouched ? "The pack runs no firmware, and nothing was changed: it"
		: hangs_on_trial(run)
			? "The pack does not answer; switching it off and on ends the trial of "
			  "firmware that hangs. It"
		: run->data_lost && run->runs == BF_RUNS_OLD
			? "The pack runs its old firmware without its configuration: it"
			: "The pack";

	snprintf(out->sentence, sizeof(out->sentence), "%s needs recovery; %s: %s", what,
		 is_command(out->err.next) ? "type" : "next", out->err.next);
}

static void say_failure(const struct bf_run *run, struct bf_outcome *out)
{
	char name[NAME];
	char *s = out->sentence;
	size_t cap = sizeof(out->sentence);

	switch (out->state) {
	case BF_STATE_UNTOUCHED:
		snprintf(s, cap, "Nothing was changed.");
		break;
	case BF_STATE_OLD:
		snprintf(s, cap, "%s %s running%s.", old_name(run, name),
			 run->went_back ? "is again" : "is still",
			 run->depth == BF_DEPTH_ACTIVATED
				 ? "; the new one starts on trial at the next restart"
				 : "");
		break;
	case BF_STATE_NEW_PROVEN:
		snprintf(s, cap, "%s is proven running%s.", new_name(run, "New firmware", name),
			 run->data_lost ? ", but not with the configuration of before" : "");
		break;
	case BF_STATE_UNPROVEN:
		snprintf(s, cap, "%s is written and started; the pack cannot prove it.",
			 new_name(run, "Firmware", name));
		break;
	case BF_STATE_UNKNOWN:
		snprintf(s, cap, "The state of the pack is not known.");
		break;
	case BF_STATE_RECOVERY:
		say_recovery(run, out);
		break;
	}
}

static void say_flash(const struct bf_run *run, struct bf_outcome *out)
{
	char name[NAME];
	char *s = out->sentence;
	size_t cap = sizeof(out->sentence);

	if (run->dry_ended) {
		out->state = run->started_in_loader ? BF_STATE_UNTOUCHED : BF_STATE_OLD;
		snprintf(s, cap, "Dry run: all checks passed, nothing was changed.");
	} else if (run->no_proof) {
		out->state = BF_STATE_UNPROVEN;
		snprintf(s, cap, "%s is written and started; the pack cannot prove it.",
			 new_name(run, "Firmware", name));
	} else if (run->reverting || run->job->restore_from) {
		out->state = BF_STATE_OLD;
		snprintf(s, cap, "%s is again running, proven by the pack.",
			 new_name(run, "Old firmware", name));
	} else {
		out->state = BF_STATE_NEW_PROVEN;
		snprintf(s, cap, "%s is proven running%s.", new_name(run, "New firmware", name),
			 run->todo.already_confirmed ? "; it was there already" : "");
	}
}

static void say_success(const struct bf_run *run, struct bf_outcome *out)
{
	char *s = out->sentence;
	size_t cap = sizeof(out->sentence);

	out->state = BF_STATE_UNTOUCHED;
	switch (run->job->kind) {
	case BF_JOB_PROBE:
		snprintf(s, cap, "Nothing was changed.");
		break;
	case BF_JOB_BACKUP:
		if (run->dry_ended)
			snprintf(s, cap, "Dry run: nothing was read or written.");
		else
			snprintf(s, cap, "Backup written to '%s'; nothing was changed in the pack.",
				 run->backup_path);
		break;
	case BF_JOB_VERIFY:
		if (bf_job_checks_record(run->job)) {
			snprintf(s, cap,
				 "The record is whole: %zu line%s, each names the one before.",
				 run->record_lines, run->record_lines == 1 ? "" : "s");
			break;
		}
		snprintf(s, cap, "%s",
			 run->job->iface ? "The image is good, and the pack runs it."
					 : "Every image is good.");
		break;
	case BF_JOB_FLASH:
	case BF_JOB_ROLLBACK:
		say_flash(run, out);
		break;
	}
}

/* All was done, and then the firmware did not come back. */
static void not_back(struct bf_err *err)
{
	bf_fail(err, BF_E_RECOVERY, "the pack did not come back from its boot loader");
	bf_likely(err, "it lost its power or its line at the very end");
	bf_likely(err, "it starts its firmware only after it was switched off and on");
}

void bf_outcome_fill(struct bf_run *run, enum bf_rc rc, const struct bf_err *err,
		     struct bf_outcome *ret)
{
	memset(ret, 0, sizeof(*ret));
	bf_err_init(&ret->err);
	if (!rc && !(run->left_app && changes(run))) {
		say_success(run, ret);
		return;
	}
	if (rc)
		ret->err = *err;
	else
		not_back(&ret->err);
	ret->state = state_after_failure(run);
	settle_code(run, ret);
	say_failure(run, ret);
}
