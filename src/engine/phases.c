/* SPDX-License-Identifier: MIT */
/* A job: the order of its work is a table, and one loop runs it. */
#include <assert.h>
#include <string.h>

#include "bmsflash/auth.h"

#include "phases.h"
#include "report.h"

/* ==== the tables ==== */
/*
 * The order of work of the five jobs. docs/SEQUENCE.md draws, for each row of a flash, what the pack runs
 * if the run dies there and what the next run does first.
 */

static bool has_iface(const struct bf_run *run)
{
	return run->job->iface != NULL;
}

static void close_interface(struct bf_run *run)
{
	if (run->wire.transport)
		bf_summary_show(run);
	bf_ph_close(run);
}

/* What was taken for granted of a bootloader that nobody had asked: now it has told, and nothing is erased yet. */
static enum bf_rc enter(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc = bf_ph_enter(run, err);

	return rc ? rc : bf_ph_way_back(run, err);
}

/* What an image and an archive go through alike. */
/* clang-format off */
#define WRITE_IT \
	{ "checking that the pack is steady", bf_ph_conditions_second, .when = bf_when_second_due, \
	  .weight = 1, .writes = true, .again = true }, \
	{ "asking before the point of no return", bf_ph_agree, .when = bf_when_asking, .writes = true }, \
	{ "writing", bf_ph_write, bf_ph_write_undo, .when = bf_when_writing, .weight = 50, \
	  .writes = true, .each = true, .moves = true, .activity = BF_ACT_WRITE }, \
	{ "verifying in the pack", bf_ph_verify, .when = bf_when_verifying, .weight = 3, \
	  .writes = true, .each = true, .activity = BF_ACT_VERIFY }
#define START_ON_TRIAL \
	{ "marking the firmware to start", bf_ph_activate, bf_ph_back, .when = bf_when_starting, \
	  .writes = true, .each = true, .hold = true, .activity = BF_ACT_RESTART }, \
	{ "restarting the pack", bf_ph_restart, .when = bf_when_starting, .weight = 10, \
	  .writes = true, .activity = BF_ACT_RESTART, .limit = bf_restart_patience }, \
	{ "proving what runs", bf_ph_prove, .when = bf_when_starting, .weight = 1, .writes = true, \
	  .activity = BF_ACT_RESTART }, \
	{ "comparing the configuration", bf_ph_keep, bf_ph_back, .when = bf_when_confirming, \
	  .weight = 1, .writes = true, .hold = true, .activity = BF_ACT_TEST }, \
	{ "testing the pack", bf_ph_self_test, bf_ph_back, .when = bf_when_confirming, .weight = 3, \
	  .writes = true, .hold = true, .activity = BF_ACT_TEST }, \
	{ "confirming the firmware", bf_ph_confirm, .when = bf_when_confirming, .weight = 1, \
	  .writes = true, .activity = BF_ACT_CONFIRM }, \
	{ "starting with the configuration put back", bf_ph_settle, .when = bf_when_settling, \
	  .weight = 5, .writes = true, .activity = BF_ACT_CONFIRM }
/* clang-format on */

#define ENTER "authentication, and what only the bootloader tells"
#define RATE  "faster rates of the line"

static const struct bf_phase flash_rows[] = {
	/* name, run, undo on failure, leave always */
	{ "reading the profile", bf_ph_profile },
	{ "reading the keys", bf_ph_keys },
	{ "checking the image", bf_ph_load },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, close_interface },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "looking for an interrupted run", bf_ph_resume, .again = true },
	{ "checking that the image fits", bf_ph_compatible, .again = true, .each = true },
	{ "checking against rollback", bf_ph_antirollback, .again = true, .each = true },
	{ "checking the pack's conditions", bf_ph_conditions_first, .when = bf_when_changing,
	  .weight = 2, .again = true },
	{ "authenticating", enter, .when = bf_when_changing, .weight = 1, .again = true,
	  .disturbs = ENTER },
	{ "agreeing on the line rate", bf_ph_rate, NULL, bf_rate_leave, bf_when_changing,
	  .weight = 1, .again = true, .disturbs = RATE },
	{ "planning what to write", bf_ph_plan, .weight = 1, .again = true, .each = true },
	{ "backing up", bf_ph_backup, .when = bf_when_backing_up, .weight = 25, .writes = true,
	  .moves = true, .again = true, .activity = BF_ACT_BACKUP },
	WRITE_IT,
	START_ON_TRIAL,
};

static const struct bf_phase revert_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, close_interface },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "checking that the previous firmware may start", bf_ph_predict, .again = true,
	  .each = true },
	{ "checking the pack's conditions", bf_ph_conditions, .weight = 2, .again = true },
	{ "authenticating", bf_ph_enter, .weight = 1, .again = true, .disturbs = ENTER },
	{ "marking the previous firmware to start", bf_ph_revert, bf_ph_back, .writes = true,
	  .hold = true, .each = true, .activity = BF_ACT_RESTART },
	{ "restarting the pack", bf_ph_restart, .weight = 10, .writes = true,
	  .activity = BF_ACT_RESTART, .limit = bf_restart_patience },
	{ "proving what runs", bf_ph_prove, .weight = 1, .writes = true,
	  .activity = BF_ACT_RESTART },
	{ "testing the pack", bf_ph_self_test, .weight = 3, .writes = true,
	  .activity = BF_ACT_TEST },
	{ "confirming the firmware", bf_ph_confirm, .weight = 1, .writes = true,
	  .activity = BF_ACT_CONFIRM },
};

/* As a flash, with the archive's firmware as the image. */
static const struct bf_phase restore_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "reading the keys", bf_ph_keys },
	{ "checking the archive", bf_ph_restore_load },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, close_interface },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "matching archive and pack", bf_ph_restore_match, .again = true },
	{ "looking for an interrupted run", bf_ph_resume, .again = true },
	{ "checking that the image fits", bf_ph_compatible, .again = true },
	{ "checking against rollback", bf_ph_antirollback, .again = true },
	{ "checking the pack's conditions", bf_ph_conditions_first, .weight = 2, .again = true },
	{ "authenticating", bf_ph_enter, .weight = 1, .again = true, .disturbs = ENTER },
	{ "agreeing on the line rate", bf_ph_rate, NULL, bf_rate_leave, .weight = 1, .again = true,
	  .disturbs = RATE },
	{ "planning what to write", bf_ph_plan, .weight = 1, .again = true },
	{ "backing up", bf_ph_backup, .weight = 5, .writes = true, .again = true,
	  .activity = BF_ACT_BACKUP },
	WRITE_IT,
	{ "restoring configuration and calibration", bf_ph_restore_data, .weight = 5,
	  .writes = true, .activity = BF_ACT_VERIFY },
	START_ON_TRIAL,
};

static const struct bf_phase backup_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, close_interface },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "preparing the pack for reading", bf_run_ready, .again = true,
	  .disturbs = "what can be read, as far as only the bootloader tells" },
	{ "agreeing on the line rate", bf_ph_rate, NULL, bf_rate_leave, .weight = 1, .again = true,
	  .disturbs = RATE },
	{ "backing up", bf_ph_backup, .weight = 50, .writes = true, .moves = true, .again = true,
	  .activity = BF_ACT_BACKUP },
};

static const struct bf_phase verify_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "reading the keys", bf_ph_keys },
	{ "checking the images", bf_ph_load_all },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock, has_iface },
	{ "opening the interface", bf_ph_open, NULL, close_interface, has_iface },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, has_iface, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .when = has_iface, .weight = 1, .again = true },
	{ "comparing", bf_ph_compare, .when = has_iface, .weight = 10, .again = true,
	  .activity = BF_ACT_VERIFY },
};

static const struct bf_phase probe_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, close_interface },
	{ "looking for the pack", bf_ph_find, NULL, bf_ph_part, .weight = 1 },
	{ "identifying the pack", bf_ph_identify, .weight = 1, .again = true },
	{ "asking for conditions", bf_ph_look, .weight = 1, .again = true },
};

static const struct bf_phase scan_rows[] = {
	{ "reading the profile", bf_ph_profile },
	{ "locking the interface", bf_ph_lock, NULL, bf_ph_unlock },
	{ "opening the interface", bf_ph_open, NULL, close_interface },
	{ "asking each address", bf_ph_scan, NULL, bf_ph_part, .weight = 1 },
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
		if (job->scan)
			return TABLE(scan_rows);
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

/* ==== one table ==== */
/*
 * Runs a table of phases. A failure undoes what was begun, latest first; leaving happens always, latest
 * first. While undoing and leaving, a cancellation waits: a way back is walked to its end.
 */

#define TIMEOUT_GRACE BF_SEC(60) /* for a rollback that --timeout meets; then every wait ends */

/* What is worked on changes as a whole: wanted firmware, what the pack said of it, plan. */
static void take_part(struct bf_run *run, unsigned part)
{
	if (part == run->wanted.part)
		return;
	bf_plan_part(run, part);
	bf_session_part(run, part);
}

/* For any of the images. */
static bool applies(struct bf_run *run, const struct bf_phase *row)
{
	bool any = !row->when;

	for (unsigned i = 0; i < bf_parts(run) && !any; i++) {
		take_part(run, i);
		any = row->when(run);
	}
	take_part(run, 0);
	return any;
}

static double weight_of(const struct bf_phase *rows, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += rows[i].weight;
	return sum;
}

static enum bf_rc run_one(struct bf_run *run, const struct bf_phase *row, struct bf_err *err)
{
	enum bf_rc rc = bf_run_stop(run, err);

	if (rc)
		return bf_while(err, "about to begin: %s", row->name);
	/* The clock is the wire's once there is one. */
	if (run->time.deadline != BF_NEVER)
		bf_clock_limit(run->clock, run->time.deadline, run->time.deadline + TIMEOUT_GRACE);
	if (row->hold)
		bf_run_hold(run);
	bf_err_init(err);
	rc = row->run(run, err);
	/* Not every callee fills the record when it is only passing a cancellation on. */
	if (rc && !err->rc)
		bf_fail(err, rc, "%s", bf_rc_info(rc)->meaning);
	bf_name_stop(run, err);
	return rc ? bf_while(err, "%s", row->name) : BF_OK;
}

static enum bf_rc run_row(struct bf_run *run, const struct bf_phase *row, struct bf_err *err)
{
	enum bf_rc rc = BF_OK;

	if (!row->each)
		return run_one(run, row, err);
	for (unsigned i = 0; !rc && i < bf_parts(run); i++) {
		take_part(run, i);
		if (!row->when || row->when(run))
			rc = run_one(run, row, err);
		if (rc && bf_parts(run) > 1)
			bf_while(err, "image %u", i);
	}
	take_part(run, 0);
	return rc;
}

static void announce(struct bf_run *run, const struct bf_phase *rows, size_t i, size_t n)
{
	double sum = weight_of(rows, n), percent = sum > 0 ? 100 / sum : 0;

	bf_progress_begin(run, rows[i].name, rows[i].moves, percent * weight_of(rows, i),
			  percent * rows[i].weight);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_PHASE,
					.phase = { rows[i].name, (unsigned)i + 1, (unsigned)n,
						   rows[i].activity,
						   rows[i].limit ? rows[i].limit(run) : 0 } });
}

#define BATTERY_LOW 20 /* percent */

/* Before the first write: the computer must not go away in the middle. A virtual pack does not need that. */
static void guard_computer(struct bf_run *run)
{
	struct bf_power power;
	char why_not[160];

	if (run->host.guarded || run->job->kind == BF_JOB_BACKUP || run->clock != run->time.outer ||
	    !run->ports->stay_awake)
		return;
	run->host.guarded = true;
	run->ports->power(&power);
	if (power.on_battery && power.percent >= 0 && power.percent < BATTERY_LOW)
		bf_say(run, BF_EV_WARNING,
		       "This computer runs on its battery, which is at %d %%: connect its charger.",
		       power.percent);
	run->host.awake = run->ports->stay_awake("writing firmware into a battery pack", why_not,
						 sizeof(why_not));
	if (run->ports->usb_stay_awake)
		run->host.usb_awake = run->ports->usb_stay_awake("", run->job->iface);
	if (!run->host.awake && *why_not)
		bf_say(run, BF_EV_NOTICE, "Nothing keeps this computer from going to sleep (%s).",
		       why_not);
}

static size_t first_again(const struct bf_phase *rows)
{
	size_t i = 0;

	while (!rows[i].again)
		i++;
	return i;
}

static enum bf_rc forward(struct bf_run *run, const struct bf_phase *rows, size_t n,
			  bool *ret_begun, struct bf_err *err)
{
	for (size_t i = 0; i < n;) {
		enum bf_rc rc = BF_OK;

		if (run->job->dry_run && rows[i].writes) {
			run->dry_ended = true;
			return BF_OK;
		}
		if (run->job->dry_run && rows[i].disturbs) {
			if (applies(run, &rows[i]))
				bf_say(run, BF_EV_NOTICE, "Not checked in a dry run: %s.",
				       rows[i].disturbs);
			i++;
			continue;
		}
		if (applies(run, &rows[i])) {
			if (rows[i].writes)
				guard_computer(run);
			announce(run, rows, i, n);
			ret_begun[i] = true;
			rc = run_row(run, &rows[i], err);
		}
		if (!rc) {
			i++;
		} else if (rows[i].again && bf_begin_again(run, rows[i].name, err)) {
			bf_session_restarted(run);
			bf_transfer_restarted(run);
			bf_plan_drop(run);
			i = first_again(rows);
		} else {
			bf_name_silence(run, err);
			bf_advise(run, err);
			return rc;
		}
	}
	return BF_OK;
}

/* What was last heard may be out of date. */
static bool wants_last_look(const struct bf_run *run, const struct bf_err *err)
{
	return run->model.stage != BF_STAGE_NONE &&
	       (run->model.runs == BF_RUNS_UNKNOWN || bf_met_of(err) == BF_MET_LOST);
}

enum bf_rc bf_phases_run(struct bf_run *run, const struct bf_phase *rows, size_t n,
			 struct bf_err *err)
{
	BF_AUTO_MEM bool *begun = calloc(n, sizeof(*begun));
	enum bf_rc rc;

	if (!begun)
		abort();
	rc = forward(run, rows, n, begun, err);
	bf_run_hold(run);
	for (size_t i = n; rc && i-- > 0;) {
		if (begun[i] && rows[i].undo)
			rows[i].undo(run, err);
	}
	if (rc && wants_last_look(run, err))
		bf_last_look(run);
	for (size_t i = n; i-- > 0;) {
		if (begun[i] && rows[i].leave)
			rows[i].leave(run);
	}
	bf_run_release(run);
	return rc ? err->rc : BF_OK;
}

/* ==== a job from its beginning to its end ==== */

static void done(struct bf_run *run)
{
	if (run->host.awake)
		run->ports->may_sleep(run->host.awake);
	if (run->host.usb_awake)
		run->ports->usb_may_sleep(run->host.usb_awake);
	bf_plan_drop(run);
	bf_given_done(run);
	bf_session_done(run);
	bf_archives_done(run);
}

void bf_engine_run(const struct bf_job *job, const struct bf_ports *ports, struct bf_clock *clock,
		   const struct bf_log *log, const struct bf_events *events, struct bf_outcome *ret)
{
	struct bf_run *run = calloc(1, sizeof(*run));
	bool records = job->record && !bf_job_checks_record(job);
	const struct bf_phase *rows;
	struct bf_err err;
	enum bf_rc rc;
	size_t n;

	if (!run)
		abort();
	run->job = job;
	run->ports = ports;
	run->log = log;
	run->events = events;
	bf_time_begin(run, clock);
	bf_session_begin(run);
	bf_err_init(&err);

	bf_emit(run, (struct bf_event){ .kind = BF_EV_START, .job = job->kind });
	rows = bf_phases_of(job, &n);
	/* A run that could not be recorded is not begun. */
	rc = records ? bf_record_may_write(run, &err) : BF_OK;
	if (rc)
		records = false;
	else
		rc = bf_backup_may_write(run, &err);
	if (!rc)
		rc = bf_phases_run(run, rows, n, &err);
	bf_outcome_fill(run, rc, &err, ret);
	if (records)
		bf_record_write(run, ret);
	done(run);
	free(run);
}

static void look_at_power(struct bf_power *ret)
{
	bf_power_look(BF_POWER_CLASS, ret);
}

void bf_job_run(const struct bf_job *job, struct bf_clock *clock, const struct bf_log *log,
		const struct bf_events *events, struct bf_outcome *ret)
{
	static const struct bf_ports real = {
		.open = bf_transport_open,
		.drivers = bf_drivers,
		.protos = bf_protos,
		.stay_awake = bf_awake_take,
		.may_sleep = bf_awake_release,
		.usb_stay_awake = bf_usb_awake_take,
		.usb_may_sleep = bf_usb_awake_release,
		.power = look_at_power,
	};

	bf_engine_run(job, &real, clock, log, events, ret);
}
