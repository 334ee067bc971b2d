/* SPDX-License-Identifier: MIT */
/*
 * phases.c: the order of work is data. The phases themselves are one function each, in the file of their
 * subject; what else such a file offers is in its own header.
 */
#pragma once

#include "run.h"

struct bf_phase {
	const char *name; /* as the user reads it */
	enum bf_rc (*run)(struct bf_run *run, struct bf_err *err);
	/* On failure of this or a later phase, latest first; may change what err says of the end. */
	void (*undo)(struct bf_run *run, struct bf_err *err);
	/* Always, latest first, for each phase that was begun. */
	void (*leave)(struct bf_run *run);
	bool (*when)(const struct bf_run *run); /* NULL: always */
	unsigned weight;                        /* share of the job's percent */
	bool writes;                            /* a dry run ends before the first of these */
	/* It takes the pack out of what it does, a session, a bootloader or a rate. A dry run leaves it out and says
	 * that this was not checked. NULL: it only asks. */
	const char *disturbs;
	bool hold; /* cancellation waits from here until the end of the run */
	bool again; /* a pack that restarts here has lost nothing: once more from the first of these */
	bool each; /* for each of the images that are changed in one run */
	bool moves; /* carries the bulk of the data: when it stalls, it is the transfer that stalls */
	enum bf_activity activity;                  /* for people */
	bf_time (*limit)(const struct bf_run *run); /* how long it may take, NULL: no limit */
};

const struct bf_phase *bf_phases_of(const struct bf_job *job, size_t *ret_n);
enum bf_rc bf_phases_run(struct bf_run *run, const struct bf_phase *rows, size_t n,
			 struct bf_err *err);

/* load.c */
enum bf_rc bf_ph_profile(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_keys(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_load(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_load_all(struct bf_run *run, struct bf_err *err); /* verify: each image */
enum bf_rc bf_ph_check_profiles(struct bf_run *run, struct bf_err *err);
/* wire.c */
enum bf_rc bf_ph_candidates(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_doctor(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_lock(struct bf_run *run, struct bf_err *err);
void bf_ph_unlock(struct bf_run *run);
enum bf_rc bf_ph_open(struct bf_run *run, struct bf_err *err);
void bf_ph_close(struct bf_run *run);
enum bf_rc bf_ph_rate(struct bf_run *run, struct bf_err *err);
void bf_rate_leave(struct bf_run *run);
/* find.c */
enum bf_rc bf_ph_find(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_scan(struct bf_run *run, struct bf_err *err);
void bf_ph_part(struct bf_run *run);
/* session.c */
enum bf_rc bf_ph_identify(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_enter(struct bf_run *run, struct bf_err *err);
/* preflight.c, conditions.c */
enum bf_rc bf_ph_compatible(struct bf_run *run, struct bf_err *err);
/* Once more, where only the bootloader tells whether it can be read. */
enum bf_rc bf_ph_way_back(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_antirollback(struct bf_run *run, struct bf_err *err);
/* rollback: may the old one start */
enum bf_rc bf_ph_predict(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_look(struct bf_run *run, struct bf_err *err); /* probe: what can be told besides */
/* Both readings, a second apart; or the first now and the second right before writing, where the pack allows that. */
enum bf_rc bf_ph_conditions(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_conditions_first(struct bf_run *run, struct bf_err *err);
bool bf_when_second_due(const struct bf_run *run);
enum bf_rc bf_ph_conditions_second(struct bf_run *run, struct bf_err *err);
/* plan.c */
enum bf_rc bf_ph_plan(struct bf_run *run, struct bf_err *err);
bool bf_when_changing(const struct bf_run *run); /* told by the bank states alone */
bool bf_when_backing_up(const struct bf_run *run);
bool bf_when_writing(const struct bf_run *run);
bool bf_when_asking(const struct bf_run *run);
enum bf_rc bf_ph_agree(struct bf_run *run, struct bf_err *err);
bool bf_when_verifying(const struct bf_run *run);
bool bf_when_starting(const struct bf_run *run);
bool bf_when_confirming(const struct bf_run *run);
/* backup.c, restore.c */
/* backup -o: BF_E_USAGE where the name is taken. Asked before an interface is opened. */
enum bf_rc bf_backup_may_write(const struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_backup(struct bf_run *run, struct bf_err *err);
/* Looks for the journal of an interrupted run, and opens its backup. */
enum bf_rc bf_ph_resume(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_restore_load(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_restore_match(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_restore_data(struct bf_run *run, struct bf_err *err);
/* transfer.c, verify.c */
enum bf_rc bf_ph_write(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_verify(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_compare(struct bf_run *run, struct bf_err *err); /* verify with --if */
/* boot.c, rollback.c; no row may be left out of a way back */
enum bf_rc bf_ph_activate(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_revert(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_restart(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_prove(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_keep(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_self_test(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_confirm(struct bf_run *run, struct bf_err *err);
bool bf_when_settling(const struct bf_run *run);
enum bf_rc bf_ph_settle(struct bf_run *run, struct bf_err *err);
void bf_ph_write_undo(struct bf_run *run, struct bf_err *err);
void bf_ph_back(struct bf_run *run, struct bf_err *err);
/* record.c */
enum bf_rc bf_ph_record(struct bf_run *run, struct bf_err *err); /* verify --record alone */
