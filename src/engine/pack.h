/* SPDX-License-Identifier: MIT */
/*
 * What the engine knows of the pack. The facts are orthogonal, and each of them has "unknown": nothing is
 * deduced from what is missing, and a bootloader that answers says nothing about the application.
 *
 * pack.c is the only writer; everything else reads the members. From the model one table gives how a run
 * ends: the state, the sentence, the exit code and what to do next (bf_model_end).
 */
#pragma once

#include "bmsflash/session.h"

/* Is there an application, and does it run? Present means: something bootable is there as far as anyone can
 * say. */
enum bf_app { BF_APP_UNKNOWN, BF_APP_ABSENT, BF_APP_STOPPED, BF_APP_RUNNING, BF_APP_COUNT };

/* Who answered last. */
enum bf_talking {
	BF_TALKING_NOBODY, /* silence, or nobody was asked yet */
	BF_TALKING_APP,
	BF_TALKING_LOADER,
	BF_TALKING_SOMEBODY, /* an answer that does not show which of the two */
	BF_TALKING_COUNT
};

/* How the pack came into the bootloader that was found. */
enum bf_entered { BF_ENTERED_NOT, BF_ENTERED_FOUND, BF_ENTERED_BY_US, BF_ENTERED_WINDOW };

/* Which firmware runs, as last heard from the application. */
enum bf_runs {
	BF_RUNS_UNKNOWN, /* no application was heard */
	BF_RUNS_OLD,
	BF_RUNS_NEW,
	BF_RUNS_UNTOLD, /* an application runs; which one cannot be known from what it says */
	BF_RUNS_COUNT
};

/* What is in the place that this run writes. */
enum bf_holds {
	BF_HOLDS_OLD,     /* what was there before this run */
	BF_HOLDS_UNKNOWN, /* a destructive request was sent, its answer was lost */
	BF_HOLDS_PARTIAL, /* erased, or half written */
	BF_HOLDS_NEW,     /* all of the image */
	BF_HOLDS_BAD, /* all was written, and the pack or a read-back says that it is not right */
	BF_HOLDS_COUNT
};

enum bf_known { BF_KNOWN_NOT, BF_KNOWN_NO, BF_KNOWN_YES, BF_KNOWN_COUNT };

/* What survives a failure now, as the device or a profile says. */
struct bf_survives {
	enum bf_known image;   /* the old image, in a place of its own */
	enum bf_known reverts; /* the device goes back to the old image unasked */
	bool until_start;      /* the old image: only until the restart into the new one */
};

/* Update stage: what a failure at this point means. */
enum bf_stage {
	BF_STAGE_NONE,      /* no request that changes the pack was sent */
	BF_STAGE_WRITING,   /* such requests were sent; `holds` says what came of them */
	BF_STAGE_WRITTEN,   /* all of the image is there, not started */
	BF_STAGE_MARKED,    /* starts at the next restart, whoever causes it */
	BF_STAGE_STARTED,   /* restart requested */
	BF_STAGE_CONFIRMED, /* runs, and stays */
	BF_STAGE_COUNT
};

/* What showed that the contents are right (bits). */
enum bf_verified {
	BF_VERIFIED_DIGEST = 1, /* the pack's digest or hash of them */
	BF_VERIFIED_CHECK = 2,  /* a check of the pack that really ran */
	BF_VERIFIED_READ = 4,   /* reading back */
};

/* Configuration and calibration across the run. */
enum bf_data { BF_DATA_KEPT, BF_DATA_LOST, BF_DATA_LOST_FIXED /* the pack lets nobody write it */ };

/* writer: pack.c */
struct bf_model {
	enum bf_app app;
	enum bf_talking talking;
	enum bf_entered entered;
	enum bf_runs runs;
	enum bf_stage stage;
	enum bf_holds holds;
	struct bf_survives survives;
	unsigned verified; /* bits of enum bf_verified */
	enum bf_data data;
	bool link_gone;     /* the adapter or interface disappeared and did not come back */
	bool test_boot;     /* marked for one that its bootloader cannot confirm */
	bool started_early; /* marked, and started before it was asked to */
	bool new_heard;     /* the new firmware was heard running, at some time */
	bool target_is_old; /* what is written now is the old firmware, from its backup */
	bool failed_test;   /* the new firmware answered a test, and the answer was bad */
	bool went_back;     /* the rollback was begun */
	bool old_blocked;   /* the security counter would not let the old firmware start */
	bool no_proof;      /* --allow no-proof was given and is needed */
	bool stopped_by_us; /* this run took the application down, at some time */
	bool found_app;     /* its application answered when the run began */
};

/* ---- what was heard ---- */

/* match: whether the application that answered is the one that this run writes. */
enum bf_match { BF_MATCH_NO, BF_MATCH_YES, BF_MATCH_UNTOLD };

/* First identification; whatever runs then is the old firmware. by_window: caught after power-on. */
void bf_model_found(struct bf_model *m, const struct bf_ident *ident, bool by_window);
void bf_model_heard(struct bf_model *m, const struct bf_ident *ident, enum bf_match match);
/* The bootloader described itself. */
void bf_model_learned(struct bf_model *m, const struct bf_ident *loader);
void bf_model_silent(struct bf_model *m);
void bf_model_link(struct bf_model *m, bool gone);
/* The pack was found to run the image already, before this run changed anything. */
void bf_model_runs_already(struct bf_model *m, bool confirmed, unsigned verified);

/* ---- what this run did ---- */

void bf_model_stops_app(
	struct bf_model *m);               /* a request is sent that takes it into its bootloader */
void bf_model_entered(struct bf_model *m); /* ... and it took it */
void bf_model_restarts(struct bf_model *m); /* ... that restarts it */
void bf_model_writing(struct bf_model *m);  /* about to send the first request that changes it */
/* An erase or a block was accepted (or its answer was lost: unknown). */
void bf_model_changed(struct bf_model *m, bool accepted);
void bf_model_written(struct bf_model *m);
void bf_model_verified(struct bf_model *m, unsigned how);
void bf_model_bad(struct bf_model *m); /* contents differ, or the pack refuses the image */
void bf_model_marked(struct bf_model *m, bool taken); /* not taken: the pack said no */
void bf_model_test_boot(struct bf_model *m);
void bf_model_started_early(struct bf_model *m);
void bf_model_starting(struct bf_model *m);
void bf_model_confirmed(struct bf_model *m);
void bf_model_failed_test(struct bf_model *m);
void bf_model_going_back(struct bf_model *m);
void bf_model_old_blocked(struct bf_model *m);
void bf_model_target_is_old(struct bf_model *m);
void bf_model_no_proof(struct bf_model *m);
void bf_model_data(struct bf_model *m, enum bf_data data);

/* ---- questions ---- */

/* The old image has a place of its own, which is not written. */
static inline bool bf_model_old_is_safe(const struct bf_model *m)
{
	return m->survives.image == BF_KNOWN_YES;
}
static inline bool bf_model_one_place(const struct bf_model *m)
{
	return !bf_model_old_is_safe(m);
}
/* Firmware that is there, or may be, and that writing would destroy. */
bool bf_model_app_may_be_lost(const struct bf_model *m);
/* Good firmware is never overwritten because it came late or was not started: only the pack's own word counts. */
bool bf_model_may_write_back(const struct bf_model *m);
/* NULL, or the invariant that does not hold. */
const char *bf_model_wrong(const struct bf_model *m);

/* ---- how it ends ---- */

enum bf_end_text {
	BF_END_NOTHING_CHANGED,
	BF_END_IN_LOADER_AS_FOUND,
	BF_END_IN_LOADER_BY_US,
	BF_END_NO_FIRMWARE_AS_FOUND,
	BF_END_OLD_STILL,
	BF_END_OLD_STILL_NEW_MARKED,
	BF_END_OLD_AGAIN,
	BF_END_OLD_WITHOUT_DATA,
	BF_END_OLD_INTACT_IN_LOADER,
	BF_END_NEW,
	BF_END_NEW_WITHOUT_DATA,
	BF_END_NEW_UNCONFIRMED,
	BF_END_NEW_FAILED_TEST,
	BF_END_UNPROVEN_SILENT,
	BF_END_UNPROVEN_TEST_BOOT,
	BF_END_UNPROVEN_IN_LOADER,
	BF_END_UNPROVEN_UNTOLD,
	BF_END_UNPROVEN_NOT_STARTED,
	BF_END_UNPROVEN_TAKEN,
	BF_END_UNKNOWN_OLD_INTACT,
	BF_END_UNKNOWN,
	BF_END_RECOVERY,
	BF_END_RECOVERY_MAYBE,
	BF_END_COUNT
};

/* The next command, of the kind that works from this state. */
enum bf_end_next {
	BF_END_NEXT_CAUSE, /* what the place of the failure said */
	BF_END_NEXT_PROBE,
	BF_END_NEXT_SAME,    /* the same command again */
	BF_END_NEXT_RECOVER, /* back from the backup where there is one, else the image again */
	BF_END_NEXT_DATA,    /* the configuration, from the archive */
};

struct bf_end {
	enum bf_state state;
	enum bf_rc rc; /* BF_OK: the cause keeps its own code */
	enum bf_end_text text;
	enum bf_end_next next;
};

/* After a failure of a job that changes the pack. BF_E_INTERRUPTED always keeps its code. */
struct bf_end bf_model_end(const struct bf_model *m);
/* After all phases went well. */
struct bf_end bf_model_end_well(const struct bf_model *m);
