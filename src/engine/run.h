/* SPDX-License-Identifier: MIT */
/*
 * One run of a job: the state that the phases share, and the engine's files to each other. Private to
 * src/engine and its tests.
 */
#pragma once

#include <limits.h>

#include "bmsflash/backup.h"
#include "bmsflash/bytes.h"
#include "bmsflash/session.h"
#include "pack.h"

struct bf_json;

/* ---- the engine's doors to the outside, so that tests can stand behind them ---- */

struct bf_source;
struct bf_finding;
struct bf_findings;

struct bf_ports {
	enum bf_rc (*open)(const struct bf_open_env *env, const char *address,
			   struct bf_transport **ret, struct bf_err *err);
	const struct bf_driver *const *(*drivers)(void);
	const struct bf_proto_ops *const *(*protos)(void);
};

/* Configuration and calibration in an archive against the pack (restore.c). */
struct bf_data_look {
	unsigned n;      /* regions that could be compared */
	unsigned differ; /* of those */
	unsigned wiped;  /* of those that differ: one byte all over */
	unsigned fixed;  /* of those that differ: cannot be written */
	unsigned same;   /* equal, and more than one byte all over */
	unsigned alien;  /* calibration that differs and is not wiped */
	char name[32];   /* one that differs */
};

/* One contiguous transfer. */
struct bf_item {
	struct bf_target target;
	const struct bf_region *region;  /* NULL: an image sink */
	uint32_t erase_addr, erase_size; /* whole erase units; size 0: the host erases nothing */
	bool erases_ahead;               /* the device erases each unit as its first byte comes */
	bool one_pass; /* erased by one request; after a loss all of it again, from its start */
	bool parted;   /* the next item is the rest of its erase unit, and is written before it */
	bool rest;     /* of the erase unit of the item before, and erased with that */
};

/* What must be where, in the order of addresses. */
struct bf_todo {
	struct bf_item *items;
	size_t n, cap;
	/* The image's segments as they are sent: those that share an erase unit, or all of a stream, are one. */
	struct bf_segment *segments;
	size_t n_segments;
	uint8_t **joined; /* the bytes of those that were made of several */
	size_t n_joined;
	bool head_last;         /* the first item holds what makes the image valid: written last */
	size_t bytes, skipped;  /* of the image: in all, already there */
	bool already_written;   /* the target bank holds the image whole */
	bool already_running;   /* the pack runs it */
	bool already_confirmed; /* ... and will go on doing so */
	struct bf_target whole; /* what the check routine looks at */
};

struct bf_progress_mark {
	bf_time at, last;
	uint64_t bytes;
	double rate;
	double base, weight; /* percent of the job before this phase, and of this phase */
};

/* Small exchanges in a row. */
struct bf_linktest {
	unsigned sent, lost;
	bf_time best, worst, mean; /* turnaround */
};

/* The backup that an interrupted run's journal names. */
struct bf_claimed {
	char backup[PATH_MAX]; /* "": none */
	bool same_image;       /* it wrote the image of this run */
	bool started;          /* ... and had started it */
	bool fresh;            /* ... within a day */
};

struct bf_run {
	const struct bf_job *job;
	const struct bf_ports *ports;
	const struct bf_log *log;
	const struct bf_events *events;
	struct bf_clock *outer; /* the caller's */
	struct bf_clock *clock; /* the wire's once there is one */
	bf_time started, deadline;
	int64_t closed_wall; /* a virtual wire takes its clock with it: what that clock said last */

	struct bf_profile profile;
	struct bf_keyring *ring;
	struct bf_image *driver; /* what the profile's [driver] names */
	struct bf_image *image;
	size_t n_candidates;

	int lock_fd;
	struct bf_transport *transport;
	uint64_t heard_first; /* on a bus, by anybody, when it was opened */
	struct bf_wire_stats wire_first;
	struct bf_proto *proto;
	struct bf_retry retry;
	struct bf_auth *auth;
	bool authenticated;
	size_t piece_cap, read_cap; /* on a line that loses long messages; 0: none */
	uint64_t told_reopened;
	bool restarted;   /* by itself, as far as a forgotten session tells */
	bool begun_again; /* after a restart before anything was changed */
	bool fell_silent; /* ... and it did not answer any more */
	bool parted;      /* sent away for a restart: the dialogue must be opened again */

	struct bf_ident ident;           /* before anything was changed */
	struct bf_ident now;             /* as last asked */
	struct bf_measure before, after; /* the update */
	bool has_before;
	struct bf_todo todo;
	uint32_t rate; /* of the line now, bit/s, 0 unknown */
	uint32_t first_rate, agreed_rate;
	uint32_t worked_rate;           /* at the end of writing; 0: nothing was written */
	unsigned rate_steps;            /* down, while data moved */
	struct bf_linktest line_before; /* at the first rate, before anything was changed */
	struct bf_source *meter;        /* NULL: conditions are not read */
	bf_time watched;                /* when conditions were read last */
	unsigned untold;                /* readings in a row that failed while writing */
	unsigned told_outside; /* bits of enum bf_allow: outside limits while writing, and told */

	struct bf_model model; /* written by pack.c alone */
	bool reverting;        /* the target is the previous firmware */
	bool own_image;        /* from a backup of this very pack */
	bool balances;         /* answers of the self-test */
	struct bf_self_test own_test;
	uint64_t proven_reopened; /* forgotten sessions, when the new firmware was proven to run */
	bool silent;              /* after the restart it could not be asked; only with no_proof */
	bool owes_restart;  /* once confirmed: configuration was put back while it ran on trial */
	bool held;          /* cancellation is being held back */
	bool told_held;     /* ... and the user was told */
	bool dry_ended;     /* a dry run came to the first phase that writes */
	unsigned overrides; /* bits of enum bf_allow that were used */

	struct bf_backup *from;  /* rollback --from: read once, before the interface is opened */
	struct bf_backup *saved; /* of this very pack: read by this run, or proven to be its own */
	struct bf_backup
		*earlier; /* named by the journal, sealed, same serial number; not yet compared */
	struct bf_claimed claimed;
	bool torn; /* an interrupted run left the only bank half written */
	char backup_path[PATH_MAX];
	bool has_backup;
	size_t record_lines; /* verify --record: whole ones */
	bool usb_later; /* the file's USB numbers are not the application's: the bootloader is asked */
	bool resumed;      /* a journal of an interrupted run was found */
	bool proven_later; /* ... that started this image, and the pack tells now that it runs */
	unsigned verified_before; /* bits of enum bf_verified, of that run */
	/* Where an MCUboot image lies in this pack: found by this run, or told by its journal or archive. */
	bool has_place;
	uint32_t place_addr;
	unsigned place_alt;
	char iface_name[PATH_MAX]; /* as the journal names it */
	char journal_path[PATH_MAX];
	bool told_no_journal;
	bool drops_old; /* a journal of 0.1.0 that names this pack ends with this run */
	struct bf_version target_version; /* what shall run */
	bool has_target_version;
	uint8_t target_digest[64];
	size_t target_digest_len;

	struct bf_progress_mark mark;
	const char *phase;
	bool moving; /* in a phase that moves the data */
	struct bf_summary sum;
	bf_time alive_at;
};

/* transfer.c: what the pieces of a transfer took */
struct bf_pacer {
	double us_wire; /* for a byte on the wire: the least seen */
	double uu, ub, bb, ut, bt;
	size_t before_len; /* the piece before: payload, and erase units that it began */
	unsigned before_units, units;
	size_t len, wire; /* of all so far */
};
/* took: from its start to its answer, by when the piece before is in flash */
void bf_pace_note(struct bf_pacer *p, bf_time took, size_t len, unsigned units, size_t wire);
struct bf_pace bf_pace_now(const struct bf_pacer *p);

/* ---- phases: the order of work is data (phases.c) ---- */

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
	bool moves; /* carries the bulk of the data: when it stalls, it is the transfer that stalls */
};

const struct bf_phase *bf_phases_of(const struct bf_job *job, size_t *ret_n);
enum bf_rc bf_phases_run(struct bf_run *run, const struct bf_phase *rows, size_t n,
			 struct bf_err *err);

/* The whole engine with its doors given; bf_job_run is this with the real ones. */
void bf_engine_run(const struct bf_job *job, const struct bf_ports *ports, struct bf_clock *clock,
		   const struct bf_log *log, const struct bf_events *events,
		   struct bf_outcome *ret);

/* report.c: likely causes and a next command, where the place of the failure gave none */
void bf_advise(struct bf_run *run, struct bf_err *err);
void bf_next_command(const struct bf_run *run, enum bf_job_kind kind, const char *from,
		     struct bf_err *err);

/* The same command with these checks (bits of enum bf_allow) waived as well. */
void bf_next_allowing(const struct bf_run *run, unsigned allows, struct bf_err *err);

/* load.c */
enum bf_rc bf_ph_profile(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_keys(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_load(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_load_all(struct bf_run *run, struct bf_err *err); /* verify: each image */
void bf_run_target(struct bf_run *run); /* target version and digest from run->image */

/* wire.c */
enum bf_rc bf_ph_lock(struct bf_run *run, struct bf_err *err);
void bf_ph_unlock(struct bf_run *run);
/* One name for one interface, however it was typed. */
enum bf_rc bf_iface_name(const struct bf_run *run, char dst[PATH_MAX], struct bf_err *err);

/* wire.c, find.c */
enum bf_rc bf_ph_open(struct bf_run *run, struct bf_err *err);
struct bf_line bf_line_of_profile(const struct bf_profile *p, uint32_t baud);
void bf_ph_close(struct bf_run *run);
const char *bf_bus_state_text(enum bf_bus_state state);
enum bf_rc bf_ph_find(struct bf_run *run, struct bf_err *err);
void bf_ph_part(struct bf_run *run);
/* Adds a protocol by asking; on success it stays open. hurry: as in struct bf_proto_env. */
enum bf_rc bf_find_ask(struct bf_run *run, const struct bf_proto_ops *ops, bf_time hurry,
		       bf_time patience, struct bf_err *err);
bool bf_find_is_silence(enum bf_rc rc);
enum bf_rc bf_ph_candidates(struct bf_run *run, struct bf_err *err);
bool bf_line_listens(struct bf_run *run); /* bus: did anybody talk within a moment */

enum bf_rc bf_ph_doctor(struct bf_run *run, struct bf_err *err);

/* find.c: a loader that is there for a moment after power-on */
enum bf_rc bf_rescue_find(struct bf_run *run, const struct bf_proto_ops *only, struct bf_err *err);
bf_time bf_rescue_patience(const struct bf_run *run);

/* session.c */
enum bf_rc bf_ph_identify(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_look(struct bf_run *run, struct bf_err *err); /* probe: what can be told besides */
enum bf_rc bf_ph_ready(struct bf_run *run, struct bf_err *err); /* for reading */
/* After entering: the memory that only the boot loader tells of. */
enum bf_rc bf_run_learn(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_run_ask(struct bf_run *run, struct bf_err *err); /* fills run->now, run->runs */
const struct bf_slot *bf_slot_active(const struct bf_ident *ident, unsigned *ret_slot);
const struct bf_slot *bf_slot_other(const struct bf_ident *ident, unsigned *ret_slot);
const struct bf_slot *bf_slot_target(const struct bf_ident *ident, unsigned *ret_slot);
const struct bf_region *bf_region_of_slot(const struct bf_ident *ident, unsigned slot);
bool bf_version_proves(const struct bf_run *run, const struct bf_ident *ident);
const char *bf_ident_version(const struct bf_ident *ident, char dst[BF_VERSION_TEXT]);

/* preflight.c, conditions.c */
enum bf_rc bf_ph_compatible(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_check_usb(struct bf_run *run, struct bf_err *err);
bool bf_app_may_be_lost(const struct bf_run *run);
enum bf_rc bf_ph_antirollback(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_predict(struct bf_run *run,
			 struct bf_err *err); /* rollback: may the old one start */
enum bf_rc bf_ph_conditions(struct bf_run *run, struct bf_err *err);
/* What to do about findings that are outside, as err's next action. */
void bf_conditions_advise(const struct bf_run *run, const struct bf_findings *f,
			  const struct bf_finding *row, struct bf_err *err);
/* While writing, with nothing on the wire: another reading when it is time, and a pause as long as the
 * conditions are outside the limits. */
bool bf_watch_due(const struct bf_run *run);
enum bf_rc bf_conditions_watch(struct bf_run *run, struct bf_err *err);
bool bf_run_measures(const struct bf_run *run);
/* All is unknown where nothing can be read. */
enum bf_rc bf_run_measure(struct bf_run *run, struct bf_measure *ret, struct bf_err *err);

/* run.c: one safety check decided, shown and recorded */
struct bf_check bf_check(const char *name, int allow);
/* ok: passes. Not ok: allowed by name, or fails with rc and the way to allow it. */
enum bf_rc bf_check_decide(struct bf_run *run, struct bf_check *check, bool ok, enum bf_rc rc,
			   struct bf_err *err);
void bf_check_unknown(struct bf_run *run, struct bf_check *check);
void bf_check_show(struct bf_run *run, enum bf_event_kind kind, const struct bf_check *check);

/* session.c, wire.c */
enum bf_rc bf_ph_enter(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_run_enter(struct bf_run *run,
			struct bf_err *err); /* writing session, authenticated */
enum bf_rc bf_auth_choose(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_rate(struct bf_run *run, struct bf_err *err);
void bf_rate_leave(struct bf_run *run);
uint32_t bf_rate_lower(const struct bf_run *run); /* the next rate down, 0: none */
enum bf_rc bf_rate_change(struct bf_run *run, uint32_t rate, struct bf_err *err);

enum bf_rc bf_linktest(struct bf_run *run, unsigned n, struct bf_linktest *ret, struct bf_err *err);
/* How many of n exchanges may get lost on a line that is no worse than it was. */
unsigned bf_linktest_may_lose(const struct bf_run *run, unsigned n);
/* What the wire tells of itself, and what is likely wrong with it. */
void bf_linktest_show(struct bf_run *run, const struct bf_linktest *t);

/* backup.c, restore.c, session.c */
enum bf_rc bf_ph_backup(struct bf_run *run, struct bf_err *err);
/* backup -o: BF_E_USAGE where the name is taken. Asked before an interface is opened. */
enum bf_rc bf_backup_may_write(const struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_restore_load(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_restore_match(struct bf_run *run, struct bf_err *err);
/* The firmware of a backup as the run's image. */
enum bf_rc bf_restore_image(struct bf_run *run, const struct bf_backup *b, struct bf_err *err);

/* A serial number that only one pack has: told, not cut, and not a placeholder (all zeros, "0123456789"). */
bool bf_serial_identifies(const char *serial);
enum bf_same_pack { BF_PACK_SAME, BF_PACK_OTHER, BF_PACK_UNKNOWN };
/* By serial number and class; what the two hold is compared besides (bf_data_agrees). */
enum bf_same_pack bf_backup_is_of(const struct bf_run *run, const struct bf_backup *b);

/* restore.c: configuration and calibration */
enum bf_rc bf_ph_restore_data(struct bf_run *run, struct bf_err *err);
size_t bf_data_count(const struct bf_backup *b);
bool bf_data_comparable(const struct bf_run *run);
enum bf_rc bf_data_look(struct bf_run *run, const struct bf_backup *b, struct bf_data_look *ret,
			struct bf_err *err);
/* Does the pack hold what the backup says of it: calibration equal or erased, and configuration too unless new
 * firmware may have changed it. Where the backup has neither, what is left of the old firmware is compared. */
enum bf_rc bf_data_agrees(struct bf_run *run, const struct bf_backup *b, bool config_may_differ,
			  bool *ret, struct bf_err *err);
/* What differs and can be written, each read again afterwards. In the writing session. */
enum bf_rc bf_data_put_back(struct bf_run *run, const struct bf_backup *b, struct bf_err *err);
/* transfer.c */
size_t bf_read_step(const struct bf_run *run); /* bytes to ask for at once */
enum bf_rc bf_hash_units(struct bf_run *run, uint32_t addr, uint32_t size, uint32_t unit,
			 uint8_t (*ret)[8], size_t n, struct bf_err *err);
enum bf_rc bf_read_range(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			 uint8_t *buf, size_t len, struct bf_err *err);

/* plan.c, transfer.c, verify.c */
enum bf_rc bf_ph_plan(struct bf_run *run, struct bf_err *err);
void bf_todo_done(struct bf_todo *todo);
bool bf_when_changing(const struct bf_run *run); /* told by the bank states alone */
bool bf_when_backing_up(const struct bf_run *run);
bool bf_when_writing(const struct bf_run *run);
bool bf_when_verifying(const struct bf_run *run);
enum bf_rc bf_todo_memory(struct bf_run *run, struct bf_err *err);
void bf_todo_add(struct bf_todo *todo, const struct bf_item *item);
/* Several segments as one, the gaps filled with FF; the plan keeps the bytes. */
const uint8_t *bf_todo_join(struct bf_todo *todo, const struct bf_segment *segs, size_t n,
			    size_t *ret_len);
enum bf_rc bf_erase_all(struct bf_run *run, struct bf_err *err);
/* Whole erase units, some at a time; in_one: by a single request. */
enum bf_rc bf_erase_range(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			  uint32_t size, bool in_one, struct bf_err *err);
enum bf_rc bf_ph_write(struct bf_run *run, struct bf_err *err);
void bf_ph_write_undo(struct bf_run *run, struct bf_err *err);
void bf_verify_stream(struct bf_run *run);
enum bf_rc bf_ph_verify(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_compare(struct bf_run *run, struct bf_err *err); /* verify with --if */
enum bf_rc bf_item_move(struct bf_run *run, const struct bf_item *item, uint64_t base,
			struct bf_err *err);

/* session.c: what no pack has is not offered for it */
#define BF_SECTOR_MAX (1u << 20)
/* The erase unit that contains the byte; false: none, or its size is not known. */
bool bf_sector_at(const struct bf_region *r, uint32_t addr, uint32_t *ret_start,
		  uint32_t *ret_size);
uint32_t bf_sector_largest(const struct bf_region *r); /* 0: not known */
void bf_regions_limit(struct bf_run *run, struct bf_ident *ident);

/* place.c: where in the pack an image goes */
struct bf_place {
	const struct bf_region *region;
	uint32_t addr;
};
enum bf_rc bf_place_segments(struct bf_run *run, const struct bf_segment *segs, size_t n,
			     struct bf_place *ret, struct bf_err *err);
/* Nothing names the image's place: it has to be looked for in the pack's memory. */
bool bf_place_is_sought(const struct bf_run *run);
/* What the pack or the profile names as the image's place; NULL: nothing, or the image has addresses. */
const struct bf_region *bf_place_named(const struct bf_run *run);
/* The region that a segment at this address lies in; NULL: none. */
const struct bf_region *bf_place_region(const struct bf_run *run, const struct bf_segment *seg,
					uint32_t addr);
#define BF_STREAM_GAP 4096u /* a gap between two segments of a stream that is no longer filled */
bool bf_stream_span(const struct bf_segment *segs, size_t n, size_t *ret_len, uint32_t *ret_gap);
enum bf_rc bf_stream_check(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_place_stream(struct bf_run *run, const struct bf_segment *seg,
			   const struct bf_region **ret, struct bf_err *err);

/* boot.c, rollback.c; no row may be left out of a way back */
bool bf_when_starting(const struct bf_run *run);
bool bf_when_confirming(const struct bf_run *run);
enum bf_rc bf_ph_activate(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_revert(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_restart(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_prove(struct bf_run *run, struct bf_err *err);
/* Started more than once since our restart, or thrown out by watchdog or crash. */
bool bf_looped(const struct bf_run *run);
/* The old firmware is back unasked: why, as far as restarts tell. */
void bf_name_loop(const struct bf_run *run, struct bf_err *err);
/* One rule decided, shown and recorded. */
enum bf_rc bf_self_test_decide(struct bf_run *run, struct bf_check *check, bool ok,
			       struct bf_err *err);
enum bf_rc bf_ph_self_test(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_confirm(struct bf_run *run, struct bf_err *err);
void bf_ph_back(struct bf_run *run, struct bf_err *err);
/* How long a restart may take: the profile's word, and more for an image that takes long to swap. */
bf_time bf_restart_patience(const struct bf_run *run);
/* Restarts the pack and waits until it answers; fills run->now and run->runs. */
enum bf_rc bf_run_restart(struct bf_run *run, struct bf_err *err);
/* One bank: the backup goes back to where it came from. */
bool bf_write_back(struct bf_run *run, struct bf_err *err);

/* rollback.c: configuration and calibration across an update */
enum bf_rc bf_ph_keep(struct bf_run *run, struct bf_err *err);
bool bf_when_settling(const struct bf_run *run);
enum bf_rc bf_ph_settle(struct bf_run *run, struct bf_err *err);
void bf_keep_of_old(struct bf_run *run);    /* the old firmware runs again */
void bf_keep_in_loader(struct bf_run *run); /* ... and will */

/* journal.c, record.c */
enum bf_rc bf_journal_look(struct bf_run *run, struct bf_err *err); /* for an interrupted run */
enum bf_rc bf_ph_resume(struct bf_run *run, struct bf_err *err);    /* ... and opens its backup */
void bf_journal_write(struct bf_run *run);                          /* failure: a warning */
void bf_journal_drop(struct bf_run *run);
/* Takes run->earlier as run->saved where the pack's contents agree with it, else shows it and drops it. */
enum bf_rc bf_earlier_take(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_ph_record(struct bf_run *run, struct bf_err *err); /* verify --record alone */
bool bf_job_checks_record(const struct bf_job *job);
/* load.c */
bool bf_job_checks_profiles(const struct bf_job *job);
enum bf_rc bf_ph_check_profiles(struct bf_run *run, struct bf_err *err);
/* Is there a place to record this run? */
enum bf_rc bf_record_may_write(const struct bf_run *run, struct bf_err *err);
/* Not possible: the outcome says so. */
void bf_record_write(struct bf_run *run, struct bf_outcome *outcome);

/* report.c, run.c */
void bf_outcome_fill(struct bf_run *run, enum bf_rc rc, const struct bf_err *err,
		     struct bf_outcome *ret);
void bf_summary_show(struct bf_run *run);
double bf_wire_limit(struct bf_transport *t, uint32_t rate); /* payload bytes/s, 0 unknown */
double bf_sum_on_wire(const struct bf_summary *s); /* part of the bytes that compression left */

/* run.c */
void bf_say_restarted(struct bf_run *run);
void bf_emit(struct bf_run *run, struct bf_event ev);
void bf_say(struct bf_run *run, enum bf_event_kind kind, const char *fmt, ...) BF_PRINTF(3, 4);
void bf_progress_begin(struct bf_run *run, const char *phase, double base, double weight);
void bf_progress(struct bf_run *run, uint64_t done, uint64_t total);
void bf_alive(void *ctx, const char *what); /* ctx: the run; at most once a second */

/* run.c: stopping and waiting */
/* Something wants the run to end: BF_E_INTERRUPTED, BF_E_TIMEOUT, or BF_OK. */
enum bf_rc bf_run_stop(struct bf_run *run, struct bf_err *err);
/* A stop that --timeout caused is named as that. */
void bf_name_stop(const struct bf_run *run, struct bf_err *err);
/* Waits, keeping the pack's session alive. */
enum bf_rc bf_run_pause(struct bf_run *run, bf_time duration, struct bf_err *err);
void bf_run_hold(struct bf_run *run);
void bf_run_release(struct bf_run *run);
static inline bool bf_run_can(const struct bf_run *run, unsigned caps)
{
	return (run->ident.caps & caps) == caps;
}
