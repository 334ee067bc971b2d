/* SPDX-License-Identifier: MIT */
/*
 * The order of work of the five jobs. docs/SEQUENCE.md draws, for each row of a flash, what the pack runs
 * if the run dies there and what the next run does first.
 */
#include <assert.h>

#include "run.h"

static bool has_iface(const struct bf_run *run)
{
	return run->job->iface != NULL;
}

/* What an image and an archive go through alike. */
/* clang-format off */
#define WRITE_IT \
	{ "writing", bf_ph_write, bf_ph_write_undo, .when = bf_when_writing, .weight = 50, \
	  .writes = true, .moves = true }, \
	{ "verifying in the pack", bf_ph_verify, .when = bf_when_verifying, .weight = 3, \
	  .writes = true }
#define START_ON_TRIAL \
	{ "marking the firmware to start", bf_ph_activate, bf_ph_back, .when = bf_when_starting, \
	  .writes = true, .hold = true }, \
	{ "restarting the pack", bf_ph_restart, .when = bf_when_starting, .weight = 10, \
	  .writes = true }, \
	{ "proving what runs", bf_ph_prove, .when = bf_when_starting, .weight = 1, .writes = true }, \
	{ "comparing the configuration", bf_ph_keep, bf_ph_back, .when = bf_when_confirming, \
	  .weight = 1, .writes = true, .hold = true }, \
	{ "testing the pack", bf_ph_self_test, bf_ph_back, .when = bf_when_confirming, .weight = 3, \
	  .writes = true, .hold = true }, \
	{ "confirming the firmware", bf_ph_confirm, .when = bf_when_confirming, .weight = 1, \
	  .writes = true }, \
	{ "starting with the configuration put back", bf_ph_settle, .when = bf_when_settling, \
	  .weight = 5, .writes = true }
/* clang-format on */

#define ENTER "authentication, and what only the bootloader tells"
#define RATE  "faster rates of the line"

static const struct bf_phase flash_rows[] = {
	/* name, run, undo on failure, leave always */
	{ "reading the profile", bf_ph_profile },
	{ "reading the keys", bf_ph_keys },
	{ "checking the image", bf_ph_load },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, bf_ph_close },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "looking for an interrupted run", bf_ph_journal, .again = true },
	{ "checking that the image fits", bf_ph_compatible, .again = true },
	{ "checking against rollback", bf_ph_antirollback, .again = true },
	{ "checking the pack's conditions", bf_ph_conditions, .when = bf_when_changing, .weight = 2,
	  .again = true },
	{ "authenticating", bf_ph_enter, .when = bf_when_changing, .weight = 1, .again = true,
	  .disturbs = ENTER },
	{ "agreeing on the line rate", bf_ph_rate, NULL, bf_rate_leave, bf_when_changing,
	  .weight = 1, .again = true, .disturbs = RATE },
	{ "planning what to write", bf_ph_plan, .weight = 1, .again = true },
	{ "backing up", bf_ph_backup, .when = bf_when_backing_up, .weight = 25, .writes = true,
	  .moves = true, .again = true },
	WRITE_IT,
	START_ON_TRIAL,
};

static const struct bf_phase revert_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, bf_ph_close },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "checking that the previous firmware may start", bf_ph_predict, .again = true },
	{ "checking the pack's conditions", bf_ph_conditions, .weight = 2, .again = true },
	{ "authenticating", bf_ph_enter, .weight = 1, .again = true, .disturbs = ENTER },
	{ "marking the previous firmware to start", bf_ph_revert, bf_ph_back, .writes = true,
	  .hold = true },
	{ "restarting the pack", bf_ph_restart, .weight = 10, .writes = true },
	{ "proving what runs", bf_ph_prove, .weight = 1, .writes = true },
	{ "testing the pack", bf_ph_self_test, .weight = 3, .writes = true },
	{ "confirming the firmware", bf_ph_confirm, .weight = 1, .writes = true },
};

/* As a flash, with the archive's firmware as the image. */
static const struct bf_phase restore_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "reading the keys", bf_ph_keys },
	{ "checking the archive", bf_ph_restore_load },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, bf_ph_close },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "matching archive and pack", bf_ph_restore_match, .again = true },
	{ "looking for an interrupted run", bf_ph_journal, .again = true },
	{ "checking that the image fits", bf_ph_compatible, .again = true },
	{ "checking against rollback", bf_ph_antirollback, .again = true },
	{ "checking the pack's conditions", bf_ph_conditions, .weight = 2, .again = true },
	{ "authenticating", bf_ph_enter, .weight = 1, .again = true, .disturbs = ENTER },
	{ "agreeing on the line rate", bf_ph_rate, NULL, bf_rate_leave, .weight = 1, .again = true,
	  .disturbs = RATE },
	{ "planning what to write", bf_ph_plan, .weight = 1, .again = true },
	{ "backing up", bf_ph_backup, .weight = 5, .writes = true, .again = true },
	WRITE_IT,
	{ "restoring configuration and calibration", bf_ph_restore_data, .weight = 5,
	  .writes = true },
	START_ON_TRIAL,
};

static const struct bf_phase backup_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, bf_ph_close },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "preparing the pack for reading", bf_ph_ready, .again = true,
	  .disturbs = "what can be read, as far as only the bootloader tells" },
	{ "agreeing on the line rate", bf_ph_rate, NULL, bf_rate_leave, .weight = 1, .again = true,
	  .disturbs = RATE },
	{ "backing up", bf_ph_backup, .weight = 50, .writes = true, .moves = true, .again = true },
};

static const struct bf_phase verify_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "reading the keys", bf_ph_keys },
	{ "checking the images", bf_ph_load_all },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock, has_iface },
	{ "opening the interface", bf_ph_open, NULL, bf_ph_close, has_iface },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, has_iface, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .when = has_iface, .weight = 1, .again = true },
	{ "comparing", bf_ph_compare, .when = has_iface, .weight = 10, .again = true },
};

static const struct bf_phase probe_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, bf_ph_close },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "asking for conditions", bf_ph_look, .weight = 1, .again = true },
};

static const struct bf_phase record_rows[] = {
	{ "checking the record", bf_ph_record },
};

static const struct bf_phase profile_rows[] = {
	{ "checking the profile", bf_ph_check_profiles },
};

static const struct bf_phase list_rows[] = {
	{ "listing interfaces", bf_ph_candidates },
};

static const struct bf_phase doctor_rows[] = {
	{ "looking at this computer", bf_ph_doctor },
};

#define TABLE(rows) (*ret_n = BF_COUNT(rows), (rows))

const struct bf_phase *bf_phases_of(const struct bf_job *job, size_t *ret_n)
{
	switch (job->kind) {
	case BF_JOB_PROBE:
		if (job->doctor)
			return TABLE(doctor_rows);
		return job->iface ? TABLE(probe_rows) : TABLE(list_rows);
	case BF_JOB_BACKUP:
		return TABLE(backup_rows);
	case BF_JOB_VERIFY:
		if (bf_job_checks_profiles(job))
			return TABLE(profile_rows);
		return bf_job_checks_record(job) ? TABLE(record_rows) : TABLE(verify_rows);
	case BF_JOB_FLASH:
		return TABLE(flash_rows);
	case BF_JOB_ROLLBACK:
		return job->restore_from ? TABLE(restore_rows) : TABLE(revert_rows);
	}
	return TABLE(list_rows);
}
