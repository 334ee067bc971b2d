/* SPDX-License-Identifier: MIT */
#include "pack.h"

/* ---- what was heard ---- */

static enum bf_talking talking_of(const struct bf_ident *ident)
{
	if (ident->in_bootloader)
		return BF_TALKING_LOADER;
	return ident->talks == BF_TALKS_APPLICATION ? BF_TALKING_APP : BF_TALKING_SOMEBODY;
}

/* What the bank states tell of an application beside the bootloader that answers. */
static enum bf_app app_by_slots(const struct bf_ident *ident)
{
	if (!ident->n_slots)
		return BF_APP_UNKNOWN;
	for (size_t i = 0; i < ident->n_slots; i++) {
		if (ident->slots[i].flags & BF_SLOT_BOOTABLE)
			return BF_APP_STOPPED;
	}
	return BF_APP_ABSENT;
}

static enum bf_app app_beside_loader(const struct bf_model *m, const struct bf_ident *ident)
{
	enum bf_app by_slots = app_by_slots(ident);

	if (by_slots != BF_APP_UNKNOWN)
		return by_slots;
	if (m->stage != BF_STAGE_NONE && bf_model_one_place(m)) {
		if (m->holds == BF_HOLDS_PARTIAL || m->holds == BF_HOLDS_BAD)
			return BF_APP_ABSENT;
		if (m->holds == BF_HOLDS_UNKNOWN)
			return BF_APP_UNKNOWN;
		return BF_APP_STOPPED;
	}
	return m->app == BF_APP_RUNNING || m->app == BF_APP_STOPPED ? BF_APP_STOPPED : m->app;
}

static void hear(struct bf_model *m, const struct bf_ident *ident)
{
	m->link_gone = false;
	m->talking = talking_of(ident);
	m->runs = BF_RUNS_UNKNOWN;
	if (m->talking == BF_TALKING_APP) {
		m->app = BF_APP_RUNNING;
		m->entered = BF_ENTERED_NOT;
	} else if (m->talking == BF_TALKING_LOADER) {
		m->app = app_beside_loader(m, ident);
	} else if (m->app == BF_APP_RUNNING) {
		m->app = BF_APP_UNKNOWN;
	}
}

/* An image sink may keep the old image in a slot that it does not show. */
static struct bf_survives survives_by(const struct bf_ident *ident)
{
	bool dual = ident->caps & BF_CAP_DUAL_BANK;

	return (struct bf_survives){
		.image = dual                        ? BF_KNOWN_YES
			 : ident->caps & BF_CAP_SINK ? BF_KNOWN_NOT
						     : BF_KNOWN_NO,
		.reverts = ident->caps & BF_CAP_TRIAL ? BF_KNOWN_YES : BF_KNOWN_NOT,
		.until_start = ident->caps & BF_CAP_ONE_WAY,
	};
}

void bf_model_found(struct bf_model *m, const struct bf_ident *ident, bool by_window)
{
	enum bf_entered before = m->entered;

	hear(m, ident);
	m->survives = survives_by(ident);
	m->holds = BF_HOLDS_OLD;
	if (m->talking == BF_TALKING_APP)
		m->runs = BF_RUNS_OLD;
	else if (m->talking == BF_TALKING_LOADER &&
		 before != BF_ENTERED_BY_US) /* a run that begins again may have taken it there */
		m->entered = by_window ? BF_ENTERED_WINDOW : BF_ENTERED_FOUND;
	m->found_app = m->talking == BF_TALKING_APP;
}

/* A single place that was wholly written cannot run what was there before, whatever number it says. */
static bool cannot_be_old(const struct bf_model *m)
{
	return m->survives.image == BF_KNOWN_NO && !m->went_back && m->stage >= BF_STAGE_WRITTEN &&
	       (m->holds == BF_HOLDS_NEW || m->holds == BF_HOLDS_BAD);
}

void bf_model_heard(struct bf_model *m, const struct bf_ident *ident, enum bf_match match)
{
	hear(m, ident);
	if (m->talking != BF_TALKING_APP)
		return;
	if (match == BF_MATCH_YES)
		m->runs = m->target_is_old ? BF_RUNS_OLD : BF_RUNS_NEW;
	else if (m->target_is_old)
		m->runs = BF_RUNS_UNTOLD;
	else if (match == BF_MATCH_UNTOLD && m->stage >= BF_STAGE_WRITTEN)
		m->runs = BF_RUNS_UNTOLD;
	else
		m->runs = cannot_be_old(m) ? BF_RUNS_UNTOLD : BF_RUNS_OLD;
	m->new_heard = m->new_heard || m->runs == BF_RUNS_NEW;
}

void bf_model_learned(struct bf_model *m, const struct bf_ident *loader)
{
	m->survives = survives_by(loader);
	if (loader->in_bootloader && m->talking != BF_TALKING_LOADER) {
		m->talking = BF_TALKING_LOADER;
		m->runs = BF_RUNS_UNKNOWN;
		m->app = app_beside_loader(m, loader);
	}
	if (loader->talks == BF_TALKS_APPLICATION) {
		m->talking = BF_TALKING_APP;
		m->app = BF_APP_RUNNING;
		m->entered = BF_ENTERED_NOT;
	}
}

void bf_model_silent(struct bf_model *m)
{
	m->talking = BF_TALKING_NOBODY;
	m->runs = BF_RUNS_UNKNOWN;
	if (m->app == BF_APP_RUNNING)
		m->app = BF_APP_UNKNOWN;
}

void bf_model_link(struct bf_model *m, bool gone)
{
	if (gone)
		bf_model_silent(m);
	m->link_gone = gone;
}

void bf_model_runs_already(struct bf_model *m, bool confirmed, unsigned verified)
{
	m->runs = BF_RUNS_NEW;
	m->holds = BF_HOLDS_NEW;
	m->verified |= verified;
	if (!confirmed) /* an interrupted run started it */
		m->stage = BF_STAGE_STARTED;
}

/* ---- what this run did ---- */

void bf_model_stops_app(struct bf_model *m)
{
	if (m->talking == BF_TALKING_LOADER)
		return;
	m->entered = BF_ENTERED_BY_US;
	m->stopped_by_us = true;
	m->talking = BF_TALKING_NOBODY;
	m->runs = BF_RUNS_UNKNOWN;
	if (m->app == BF_APP_RUNNING)
		m->app = BF_APP_STOPPED;
}

void bf_model_entered(struct bf_model *m)
{
	if (m->entered == BF_ENTERED_BY_US && m->talking == BF_TALKING_NOBODY)
		m->talking = BF_TALKING_LOADER;
}

void bf_model_restarts(struct bf_model *m)
{
	bf_model_silent(m);
	m->entered = BF_ENTERED_NOT;
}

void bf_model_writing(struct bf_model *m)
{
	m->stage = BF_STAGE_WRITING;
	m->verified = 0;
}

void bf_model_changed(struct bf_model *m, bool accepted)
{
	if (m->stage != BF_STAGE_WRITING) /* configuration, not the image */
		return;
	if (accepted)
		m->holds = BF_HOLDS_PARTIAL;
	else if (m->holds == BF_HOLDS_OLD)
		m->holds = BF_HOLDS_UNKNOWN;
	if (m->holds == BF_HOLDS_PARTIAL && bf_model_one_place(m) && m->app == BF_APP_STOPPED)
		m->app = BF_APP_ABSENT;
}

void bf_model_written(struct bf_model *m)
{
	m->stage = BF_STAGE_WRITTEN;
	m->holds = BF_HOLDS_NEW;
	if (m->app == BF_APP_ABSENT)
		m->app = BF_APP_UNKNOWN;
}

void bf_model_verified(struct bf_model *m, unsigned how)
{
	if (m->holds != BF_HOLDS_PARTIAL)
		m->holds = BF_HOLDS_NEW;
	m->verified |= how;
	if (m->stage < BF_STAGE_WRITTEN)
		m->stage = BF_STAGE_WRITTEN;
	if (m->app == BF_APP_ABSENT || m->app == BF_APP_UNKNOWN)
		m->app = BF_APP_STOPPED;
}

void bf_model_bad(struct bf_model *m)
{
	m->holds = BF_HOLDS_BAD;
	m->verified = 0;
	if (bf_model_one_place(m) && m->app != BF_APP_RUNNING)
		m->app = BF_APP_ABSENT;
}

void bf_model_marked(struct bf_model *m, bool taken)
{
	m->stage = taken ? BF_STAGE_MARKED : BF_STAGE_WRITTEN;
}

void bf_model_test_boot(struct bf_model *m)
{
	m->test_boot = true;
}

void bf_model_started_early(struct bf_model *m)
{
	m->started_early = true;
}

void bf_model_starting(struct bf_model *m)
{
	m->stage = BF_STAGE_STARTED;
	if (m->survives.until_start)
		m->survives.image = BF_KNOWN_NOT;
}

void bf_model_confirmed(struct bf_model *m)
{
	m->stage = BF_STAGE_CONFIRMED;
}

void bf_model_failed_test(struct bf_model *m)
{
	m->failed_test = true;
}

void bf_model_going_back(struct bf_model *m)
{
	m->went_back = true;
}

void bf_model_old_blocked(struct bf_model *m)
{
	m->old_blocked = true;
}

void bf_model_target_is_old(struct bf_model *m)
{
	m->target_is_old = true;
	m->failed_test = false;
}

void bf_model_no_proof(struct bf_model *m)
{
	m->no_proof = true;
}

void bf_model_data(struct bf_model *m, enum bf_data data)
{
	m->data = data;
}

/* ---- questions ---- */

bool bf_model_app_may_be_lost(const struct bf_model *m)
{
	return bf_model_one_place(m) && m->app != BF_APP_ABSENT;
}

bool bf_model_may_write_back(const struct bf_model *m)
{
	if (m->went_back || !bf_model_one_place(m))
		return false;
	switch (m->holds) {
	case BF_HOLDS_PARTIAL:
	case BF_HOLDS_BAD:
		return true;
	case BF_HOLDS_NEW:
		/* Verified, and late or not started, is good firmware; unverified, what does not start
		 * is known bad only where the bootloader says that it stays. */
		return m->failed_test || (!m->verified && m->talking == BF_TALKING_LOADER);
	case BF_HOLDS_UNKNOWN:
	case BF_HOLDS_OLD:
	case BF_HOLDS_COUNT:
		return false;
	}
	return false;
}

/* Who answers, and what is said to run. */
static const char *wrong_of_running(const struct bf_model *m)
{
	bool heard = m->runs != BF_RUNS_UNKNOWN, running = m->app == BF_APP_RUNNING;
	const struct {
		bool wrong;
		const char *what;
	} rows[] = {
		{ heard && m->talking != BF_TALKING_APP,
		  "firmware is said to run that nobody heard" },
		{ heard && !running, "an application is heard that does not run" },
		{ m->talking == BF_TALKING_LOADER && running,
		  "application and bootloader run both" },
		{ m->talking == BF_TALKING_APP && !running,
		  "the application answers and does not run" },
		{ m->talking == BF_TALKING_SOMEBODY && running,
		  "an application runs that nobody recognised" },
		{ m->link_gone && m->talking != BF_TALKING_NOBODY,
		  "somebody answers over a link that is gone" },
		{ m->runs == BF_RUNS_UNTOLD && m->stage < BF_STAGE_WRITTEN,
		  "half an image is said to run" },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (rows[i].wrong)
			return rows[i].what;
	}
	return NULL;
}

/* What is in the place that is written. */
static const char *wrong_of_contents(const struct bf_model *m)
{
	bool all_there = m->holds == BF_HOLDS_NEW || m->holds == BF_HOLDS_BAD;

	if (m->verified && m->holds != BF_HOLDS_NEW)
		return "contents are verified that are not there";
	if (m->stage >= BF_STAGE_WRITTEN && !m->went_back && !all_there && bf_model_one_place(m))
		return "written, and not there";
	if (m->stage == BF_STAGE_NONE && m->holds != BF_HOLDS_OLD && m->holds != BF_HOLDS_NEW)
		return "changed before anything was sent";
	return NULL;
}

const char *bf_model_wrong(const struct bf_model *m)
{
	const char *wrong = wrong_of_running(m);

	return wrong ? wrong : wrong_of_contents(m);
}

/* ---- how it ends ---- */

/* Conditions of a row: bits of the facts' values, 0: any. */
#define IN(x)      (1u << (x))
#define STAGE(x)   IN(BF_STAGE_##x)
#define TALKING(x) IN(BF_TALKING_##x)
#define RUNS(x)    IN(BF_RUNS_##x)
#define HOLDS(x)   IN(BF_HOLDS_##x)
#define APP(x)     IN(BF_APP_##x)

enum flag {
	BACK = 1 << 0, /* the rollback was begun */
	VERIFIED = 1 << 1,
	DATA_LOST = 1 << 2,
	FAILED = 1 << 3,   /* the new firmware failed a test */
	GONE = 1 << 4,     /* the adapter disappeared */
	BY_US = 1 << 5,    /* this run took the pack into its bootloader */
	OLD_SAFE = 1 << 6, /* the old image is in a place of its own */
	TEST = 1 << 9,     /* on a test boot that its bootloader cannot confirm */
	SINK = 1 << 7,     /* a stream device: whether it keeps the old image is not known */
	HEARD = 1 << 8,    /* the new firmware was heard running */
};

static unsigned flags_of(const struct bf_model *m)
{
	return (m->went_back ? BACK : 0u) | (m->verified ? VERIFIED : 0u) |
	       (m->data != BF_DATA_KEPT ? DATA_LOST : 0u) | (m->failed_test ? FAILED : 0u) |
	       (m->link_gone ? GONE : 0u) | (m->entered == BF_ENTERED_BY_US ? BY_US : 0u) |
	       (bf_model_one_place(m) ? 0u : OLD_SAFE) | (m->new_heard ? HEARD : 0u) |
	       (m->survives.image == BF_KNOWN_NOT ? SINK : 0u) | (m->test_boot ? TEST : 0u);
}

struct end_row {
	unsigned stages, talking, runs, holds, app;
	unsigned with, without; /* flags */
	struct bf_end end;
};

#define ANY 0

/* The first row that fits. What was last heard decides; what nobody heard is unknown. */
/* clang-format off */
static const struct end_row after_failure[] = {
	/* Nothing was changed: no request was sent, or the first of them was refused. */
	{ STAGE(NONE), ANY, RUNS(OLD) | RUNS(NEW) | RUNS(UNTOLD), ANY, ANY, 0, DATA_LOST,
	  { BF_STATE_OLD, BF_OK, BF_END_OLD_STILL, BF_END_NEXT_CAUSE } },
	{ STAGE(NONE), TALKING(LOADER), ANY, ANY, APP(ABSENT), 0, BY_US,
	  { BF_STATE_RECOVERY, BF_OK, BF_END_NO_FIRMWARE_AS_FOUND, BF_END_NEXT_CAUSE } },
	{ STAGE(NONE), TALKING(LOADER) | TALKING(NOBODY) | TALKING(SOMEBODY), ANY, ANY, ANY, BY_US, 0,
	  { BF_STATE_UNTOUCHED, BF_OK, BF_END_IN_LOADER_BY_US, BF_END_NEXT_CAUSE } },
	{ STAGE(NONE), TALKING(LOADER), ANY, ANY, ANY, 0, 0,
	  { BF_STATE_UNTOUCHED, BF_OK, BF_END_IN_LOADER_AS_FOUND, BF_END_NEXT_CAUSE } },
	{ STAGE(NONE), ANY, ANY, ANY, ANY, 0, 0,
	  { BF_STATE_UNTOUCHED, BF_OK, BF_END_NOTHING_CHANGED, BF_END_NEXT_CAUSE } },
	{ STAGE(WRITING), ANY, RUNS(OLD), HOLDS(OLD), ANY, 0, BACK | DATA_LOST,
	  { BF_STATE_OLD, BF_OK, BF_END_OLD_STILL, BF_END_NEXT_CAUSE } },
	{ STAGE(WRITING), TALKING(LOADER) | TALKING(SOMEBODY), ANY, HOLDS(OLD), ANY, BY_US, BACK,
	  { BF_STATE_UNTOUCHED, BF_OK, BF_END_IN_LOADER_BY_US, BF_END_NEXT_CAUSE } },
	{ STAGE(WRITING), TALKING(LOADER), ANY, HOLDS(OLD), ANY, 0, BACK,
	  { BF_STATE_UNTOUCHED, BF_OK, BF_END_IN_LOADER_AS_FOUND, BF_END_NEXT_CAUSE } },

	/* The old firmware runs, and its configuration is not what it was. */
	{ ANY, ANY, RUNS(OLD), ANY, ANY, DATA_LOST, 0,
	  { BF_STATE_RECOVERY, BF_E_RECOVERY, BF_END_OLD_WITHOUT_DATA, BF_END_NEXT_DATA } },
	/* It runs again: the pack went back, or its backup was written. */
	{ STAGE(STARTED) | STAGE(CONFIRMED), ANY, RUNS(OLD), ANY, ANY, 0, 0, /* unasked, or as told */
	  { BF_STATE_OLD, BF_E_RESTORED, BF_END_OLD_AGAIN, BF_END_NEXT_CAUSE } },
	{ ANY, ANY, RUNS(OLD), ANY, ANY, BACK, 0,
	  { BF_STATE_OLD, BF_E_RESTORED, BF_END_OLD_AGAIN, BF_END_NEXT_CAUSE } },
	/* It runs still: it has a place of its own, or the request was lost before it took effect. */
	{ STAGE(MARKED), ANY, RUNS(OLD), ANY, ANY, OLD_SAFE, 0,
	  { BF_STATE_OLD, BF_OK, BF_END_OLD_STILL_NEW_MARKED, BF_END_NEXT_CAUSE } },
	{ STAGE(WRITING) | STAGE(WRITTEN), ANY, RUNS(OLD), ANY, ANY, OLD_SAFE, 0,
	  { BF_STATE_OLD, BF_OK, BF_END_OLD_STILL, BF_END_NEXT_CAUSE } },
	{ STAGE(WRITING), ANY, RUNS(OLD), HOLDS(UNKNOWN), ANY, 0, 0,
	  { BF_STATE_OLD, BF_OK, BF_END_OLD_STILL, BF_END_NEXT_CAUSE } },
	/* An application that still answers out of a place that was partly erased: nothing is certain. */
	{ STAGE(WRITING) | STAGE(WRITTEN) | STAGE(MARKED), ANY, RUNS(OLD), ANY, ANY, 0, 0,
	  { BF_STATE_RECOVERY, BF_E_RECOVERY, BF_END_RECOVERY, BF_END_NEXT_RECOVER } },

	/* The new firmware runs. */
	{ STAGE(CONFIRMED), ANY, RUNS(NEW), ANY, ANY, DATA_LOST, 0,
	  { BF_STATE_NEW_PROVEN, BF_OK, BF_END_NEW_WITHOUT_DATA, BF_END_NEXT_CAUSE } },
	{ STAGE(CONFIRMED), ANY, RUNS(NEW), ANY, ANY, 0, 0,
	  { BF_STATE_NEW_PROVEN, BF_OK, BF_END_NEW, BF_END_NEXT_CAUSE } },
	{ ANY, ANY, RUNS(NEW), ANY, ANY, FAILED, 0,
	  { BF_STATE_UNPROVEN, BF_OK, BF_END_NEW_FAILED_TEST, BF_END_NEXT_RECOVER } },
	{ ANY, ANY, RUNS(NEW), ANY, ANY, 0, 0,
	  { BF_STATE_UNPROVEN, BF_OK, BF_END_NEW_UNCONFIRMED, BF_END_NEXT_SAME } },
	{ ANY, ANY, RUNS(UNTOLD), ANY, ANY, 0, 0,
	  { BF_STATE_UNPROVEN, BF_E_UNPROVEN, BF_END_UNPROVEN_UNTOLD, BF_END_NEXT_SAME } },

	/* The old image is safe in a place of its own, and does not run now. */
	{ ANY, TALKING(LOADER), ANY, ANY, APP(STOPPED) | APP(UNKNOWN), OLD_SAFE | BY_US, 0,
	  { BF_STATE_UNTOUCHED, BF_OK, BF_END_OLD_INTACT_IN_LOADER, BF_END_NEXT_CAUSE } },

	/* ... in the bootloader that was found, and what was written beside it is not good, or not all of it. */
	{ STAGE(WRITING) | STAGE(WRITTEN), TALKING(LOADER), ANY, ANY, APP(STOPPED) | APP(UNKNOWN), OLD_SAFE,
	  VERIFIED | GONE,
	  { BF_STATE_UNTOUCHED, BF_OK, BF_END_OLD_INTACT_IN_LOADER, BF_END_NEXT_CAUSE } },

	/* There is no whole firmware: shown by what was erased, or by the pack's own word. */
	{ ANY, ANY, ANY, HOLDS(PARTIAL) | HOLDS(BAD), ANY, 0, OLD_SAFE,
	  { BF_STATE_RECOVERY, BF_E_RECOVERY, BF_END_RECOVERY, BF_END_NEXT_RECOVER } },
	{ ANY, TALKING(LOADER), ANY, ANY, APP(ABSENT), 0, 0,
	  { BF_STATE_RECOVERY, BF_E_RECOVERY, BF_END_RECOVERY, BF_END_NEXT_RECOVER } },

	/* It answers, not as its application, and whether the only place was erased is not known. */
	{ STAGE(WRITING), TALKING(LOADER) | TALKING(SOMEBODY), ANY, HOLDS(UNKNOWN), ANY, 0, OLD_SAFE,
	  { BF_STATE_RECOVERY, BF_E_RECOVERY, BF_END_RECOVERY_MAYBE, BF_END_NEXT_RECOVER } },

	/* The adapter is gone: nobody knows. Nothing was marked yet, so the same command goes on once it is back. */
	{ STAGE(WRITING) | STAGE(WRITTEN), ANY, ANY, ANY, ANY, GONE | OLD_SAFE, BACK,
	  { BF_STATE_UNKNOWN, BF_E_LINK, BF_END_UNKNOWN_OLD_INTACT, BF_END_NEXT_SAME } },
	{ ANY, ANY, ANY, ANY, ANY, GONE | OLD_SAFE, 0,
	  { BF_STATE_UNKNOWN, BF_E_LINK, BF_END_UNKNOWN_OLD_INTACT, BF_END_NEXT_PROBE } },
	{ ANY, ANY, ANY, ANY, ANY, GONE, 0,
	  { BF_STATE_UNKNOWN, BF_E_LINK, BF_END_UNKNOWN, BF_END_NEXT_PROBE } },

	/* Written and verified; its start was not seen. */
	{ STAGE(STARTED), TALKING(LOADER), ANY, HOLDS(NEW), ANY, VERIFIED, 0,
	  { BF_STATE_UNPROVEN, BF_E_UNPROVEN, BF_END_UNPROVEN_IN_LOADER, BF_END_NEXT_SAME } },
	{ STAGE(STARTED), TALKING(NOBODY), ANY, HOLDS(NEW), ANY, VERIFIED | TEST, HEARD,
	  { BF_STATE_UNPROVEN, BF_E_UNPROVEN, BF_END_UNPROVEN_TEST_BOOT, BF_END_NEXT_PROBE } },
	{ STAGE(STARTED), TALKING(NOBODY), ANY, HOLDS(NEW), ANY, VERIFIED, HEARD,
	  { BF_STATE_UNPROVEN, BF_E_UNPROVEN, BF_END_UNPROVEN_SILENT, BF_END_NEXT_SAME } },
	{ STAGE(WRITTEN), TALKING(LOADER), ANY, HOLDS(NEW), ANY, VERIFIED, 0,
	  { BF_STATE_UNPROVEN, BF_E_UNPROVEN, BF_END_UNPROVEN_NOT_STARTED, BF_END_NEXT_SAME } },
	/* A stream device looks at an image when it takes it, and would have said that it is bad. */
	{ STAGE(STARTED), TALKING(LOADER) | TALKING(NOBODY), ANY, HOLDS(NEW), ANY, SINK, HEARD | FAILED,
	  { BF_STATE_UNPROVEN, BF_E_UNPROVEN, BF_END_UNPROVEN_TAKEN, BF_END_NEXT_SAME } },
	{ STAGE(STARTED), TALKING(SOMEBODY), ANY, HOLDS(NEW), ANY, 0, 0,
	  { BF_STATE_UNPROVEN, BF_E_UNPROVEN, BF_END_UNPROVEN_UNTOLD, BF_END_NEXT_SAME } },
	/* Written, not verified, and the bootloader does not start it: it takes it for no firmware. */
	{ STAGE(STARTED) | STAGE(CONFIRMED), TALKING(LOADER), ANY, ANY, ANY, 0, OLD_SAFE | VERIFIED,
	  { BF_STATE_RECOVERY, BF_E_RECOVERY, BF_END_RECOVERY, BF_END_NEXT_RECOVER } },

	{ ANY, ANY, ANY, ANY, ANY, OLD_SAFE, 0,
	  { BF_STATE_UNKNOWN, BF_E_LINK, BF_END_UNKNOWN_OLD_INTACT, BF_END_NEXT_PROBE } },
	{ ANY, ANY, ANY, ANY, ANY, 0, 0,
	  { BF_STATE_UNKNOWN, BF_E_LINK, BF_END_UNKNOWN, BF_END_NEXT_PROBE } },
};
/* clang-format on */

static bool in(unsigned set, unsigned value)
{
	return !set || set & IN(value);
}

struct bf_end bf_model_end(const struct bf_model *m)
{
	unsigned flags = flags_of(m);

	for (size_t i = 0; i < BF_COUNT(after_failure); i++) {
		const struct end_row *row = &after_failure[i];

		if (in(row->stages, m->stage) && in(row->talking, m->talking) &&
		    in(row->runs, m->runs) && in(row->holds, m->holds) && in(row->app, m->app) &&
		    (flags & row->with) == row->with && !(flags & row->without))
			return row->end;
	}
	return after_failure[BF_COUNT(after_failure) - 1].end; /* it takes all */
}

struct bf_end bf_model_end_well(const struct bf_model *m)
{
	static const struct bf_end proven = { BF_STATE_NEW_PROVEN, BF_OK, BF_END_NEW,
					      BF_END_NEXT_CAUSE };
	static const struct bf_end untold = { BF_STATE_UNPROVEN, BF_OK, BF_END_UNPROVEN_UNTOLD,
					      BF_END_NEXT_CAUSE };

	return m->no_proof && m->runs != BF_RUNS_NEW ? untold : proven;
}
