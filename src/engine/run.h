/* SPDX-License-Identifier: MIT */
/*
 * One run of a job: its parts, each written by one file, and what run.c offers every step of it. Private to
 * src/engine and its tests.
 */
#pragma once

#include "bmsflash/host.h"
#include "bmsflash/session.h"

#include "boot.h"
#include "conditions.h"
#include "journal.h"
#include "load.h"
#include "pack.h"
#include "place.h"
#include "plan.h"
#include "recover.h"
#include "restore.h"
#include "session.h"
#include "transfer.h"
#include "wire.h"

/* The engine's doors to the outside, so that tests can stand behind them. */
struct bf_ports {
	enum bf_rc (*open)(const struct bf_open_env *env, const char *address,
			   struct bf_transport **ret, struct bf_err *err);
	const struct bf_driver *const *(*drivers)(void);
	const struct bf_proto_ops *const *(*protos)(void);
	/* This computer (bmsflash/host.h). NULL: it is not looked at, and may sleep. */
	struct bf_awake *(*stay_awake)(const char *why, char *why_not, size_t cap);
	void (*may_sleep)(struct bf_awake *awake);
	struct bf_usb_awake *(*usb_stay_awake)(const char *root,
					       const char *iface); /* NULL: nothing */
	void (*usb_may_sleep)(struct bf_usb_awake *awake);
	void (*power)(struct bf_power *ret);
};

/* When it began, when it must end, and whether it may be stopped now. writer: run.c */
struct bf_run_time {
	struct bf_clock *outer; /* the caller's */
	bf_time started, deadline;
	int64_t closed_wall; /* a virtual wire takes its clock with it: what that clock said last */
	bool held;           /* cancellation is being held back */
};

struct bf_progress_mark {
	bf_time last;
	uint64_t bytes;
	double rate;
	double base, weight; /* percent of the job before this phase, and of this phase */
};

/* What the user was told, and what will be told at the end. writer: run.c */
struct bf_told {
	const char *phase;
	bool moving; /* in a phase that moves the data */
	struct bf_progress_mark mark;
	bf_time alive_at;
	bool held;          /* that stopping waits */
	uint64_t reopened;  /* forgotten sessions, so far */
	bool restarted;     /* the pack did, by itself, as far as a forgotten session tells */
	unsigned overrides; /* bits of enum bf_allow that were used */
	struct bf_summary sum;
};

/* The computer that bmsflash runs on. writer: phases.c */
struct bf_host {
	bool guarded;                   /* it was told to stay awake, as far as it can be */
	struct bf_awake *awake;         /* NULL: it may sleep */
	struct bf_usb_awake *usb_awake; /* NULL: nothing was changed */
};

struct bf_run {
	/* writer: phases.c */
	const struct bf_job *job;
	const struct bf_ports *ports;
	const struct bf_log *log;
	const struct bf_events *events;
	bool dry_ended; /* a dry run came to the first phase that writes */
	/* writer: run.c */
	struct bf_clock *clock; /* the wire's once there is one */
	/* writer: record.c */
	size_t record_lines; /* verify --record: whole ones */

	/* Each of these names its writer. */
	struct bf_host host;
	struct bf_run_time time;
	struct bf_given given;
	struct bf_wanted wanted;
	struct bf_interface wire;
	struct bf_session session;
	struct bf_recovery recovery;
	struct bf_model model;
	struct bf_journal journal;
	struct bf_conditions conditions;
	struct bf_todo todo;
	struct bf_todo aside[BF_PARTS_MAX]; /* of other images; writer: plan.c */
	struct bf_archives archives;
	struct bf_transfers transfer;
	struct bf_boot boot;
	struct bf_told told;
};

/* The whole engine with its doors given; bf_job_run is this with the real ones. */
void bf_engine_run(const struct bf_job *job, const struct bf_ports *ports, struct bf_clock *clock,
		   const struct bf_log *log, const struct bf_events *events,
		   struct bf_outcome *ret);

static inline bool bf_run_can(const struct bf_run *run, unsigned caps)
{
	return (run->session.ident.caps & caps) == caps;
}

/* ---- what the user may learn ---- */

void bf_emit(struct bf_run *run, struct bf_event ev);
void bf_say(struct bf_run *run, enum bf_event_kind kind, const char *fmt, ...) BF_PRINTF(3, 4);
/* BF_EV_RETRY, with the number of the try that begins and the most that there are; 0: not counted. */
void bf_say_again(struct bf_run *run, unsigned next, unsigned most, const char *fmt, ...)
	BF_PRINTF(4, 5);
/* A file's name in which %s stands for the serial number, where the job says so. */
bool bf_serial_names(const struct bf_run *run, const char *name);
enum bf_rc bf_serial_path(const struct bf_run *run, const char *name, char dst[PATH_MAX],
			  struct bf_err *err);
void bf_say_restarted(struct bf_run *run);
/* moving: the phase carries the bulk of the data. */
void bf_progress_begin(struct bf_run *run, const char *phase, bool moving, double base,
		       double weight);
void bf_progress(struct bf_run *run, uint64_t done, uint64_t total);
/* What took its time until now is none of the transfer's. */
void bf_progress_resume(struct bf_run *run);
void bf_alive(void *ctx, const char *what); /* ctx: the run; at most once a second */
void bf_alive_paused(struct bf_run *run, const char *what, const struct bf_check *paused);

/* ---- where the time and the bytes went ---- */

enum bf_spent {
	BF_SPENT_ERASE,
	BF_SPENT_TRANSFER,
	BF_SPENT_WAIT_PACK,
	BF_SPENT_RETRIES,
	BF_SPENT_BACKUP,
	BF_SPENT_VERIFY,
	BF_SPENT_RESTART,
	BF_SPENT_PAUSED
};
void bf_spent(struct bf_run *run, enum bf_spent what, bf_time since);
void bf_sum_sent(struct bf_run *run, int64_t bytes);  /* less than 0: they go again */
void bf_sum_saved(struct bf_run *run, int64_t bytes); /* by compression, in all */
void bf_sum_skipped(struct bf_run *run, uint64_t bytes);
void bf_sum_restored(struct bf_run *run, uint64_t bytes); /* one more region */
void bf_sum_end(struct bf_run *run, const struct bf_summary *sum);
double bf_sum_on_wire(const struct bf_summary *s); /* part of the bytes that compression left */

/* ---- stopping and waiting ---- */

void bf_time_begin(struct bf_run *run, struct bf_clock *clock);
/* The wire is there, with its own clock, and closed again. */
void bf_time_on_wire(struct bf_run *run, struct bf_clock *clock);
void bf_time_off_wire(struct bf_run *run);
/* Something wants the run to end: BF_E_INTERRUPTED, BF_E_TIMEOUT, or BF_OK. */
enum bf_rc bf_run_stop(struct bf_run *run, struct bf_err *err);
/* A stop that --timeout caused is named as that. */
void bf_name_stop(const struct bf_run *run, struct bf_err *err);
/* Waits, keeping the pack's session alive. */
enum bf_rc bf_run_pause(struct bf_run *run, bf_time duration, struct bf_err *err);
void bf_run_hold(struct bf_run *run);
void bf_run_release(struct bf_run *run);

/* ---- the next command, with the options that this run was given ---- */

void bf_next_command(const struct bf_run *run, enum bf_job_kind kind, const char *from,
		     struct bf_err *err);
/* The same command with these checks (bits of enum bf_allow) waived as well. */
/* The same command with twice the time. */
/* The same for a job that differs from the run's own. */
void bf_next_of(const struct bf_job *job, enum bf_job_kind kind, const char *from,
		struct bf_err *err);
void bf_next_longer(const struct bf_run *run, struct bf_err *err);
/* The same command, that waits for its interface. */
void bf_next_waiting(const struct bf_run *run, bf_time wait, struct bf_err *err);
void bf_next_allowing(const struct bf_run *run, unsigned allows, struct bf_err *err);
/* False: the profile names no other one for a pack that lost its firmware. */
bool bf_next_rescue(const struct bf_run *run, struct bf_err *err);

/* ---- one safety check decided, shown and recorded ---- */

struct bf_check bf_check(const char *name, int allow);
/* ok: passes. Not ok: allowed by name, or fails with rc and the way to allow it. */
enum bf_rc bf_check_decide(struct bf_run *run, struct bf_check *check, bool ok, enum bf_rc rc,
			   struct bf_err *err);
/* The verdict, shown as an event of this kind; false: it fails. */
bool bf_check_passes(struct bf_run *run, struct bf_check *check, bool ok, enum bf_event_kind kind);
void bf_check_allowed(struct bf_run *run, int allow); /* it was needed */
void bf_check_unknown(struct bf_run *run, struct bf_check *check);
void bf_check_show(struct bf_run *run, enum bf_event_kind kind, const struct bf_check *check);
