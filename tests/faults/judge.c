/* SPDX-License-Identifier: MIT */
#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OLD_VERSION   "1.3.0"
#define OTHER_VERSION "1.4.0" /* in the other bank */
#define NEW_VERSION   "1.5.0"

/* The first objection stands. */
bool judge_wrong(struct court *c, const char *fmt, ...)
{
	va_list ap;

	if (c->verdict->wrong[0])
		return true;
	va_start(ap, fmt);
	vsnprintf(c->verdict->wrong, sizeof(c->verdict->wrong), fmt, ap);
	va_end(ap);
	return true;
}

static bool runs(const struct truth *t, const char *version)
{
	if (!version[0])
		return !t->app;
	return t->app && strcmp(t->version, version) == 0;
}

/* ---- the error record ---- */

static void judge_words(struct court *c)
{
	const struct bf_outcome *out = &c->world.out;
	const struct bf_err *err = &out->err;
	bool told = err->next[0] || err->todo[0]; /* a command, or a step in prose */

	if (!out->sentence[0])
		judge_wrong(c, "no last line");
	if (!out->rc)
		return;
	if (out->rc == BF_E_INTERNAL || out->rc == BF_E_USAGE)
		judge_wrong(c, "ended as '%s': %s", bf_rc_info(out->rc)->name, err->cause);
	/* Who stopped the run needs not be told why it stopped. */
	if (!err->cause[0] || !told || !(err->n_likely || out->rc == BF_E_INTERRUPTED))
		judge_wrong(c, "'%s' without %s: %s", bf_rc_info(out->rc)->name,
			    !err->cause[0] ? "a cause"
			    : !told        ? "a next step"
					   : "a likely cause",
			    err->cause);
}

/* The exit code and the state tell the same story. */
static void judge_code(struct court *c)
{
	const struct bf_outcome *out = &c->world.out;
	bool ok = true;

	switch (out->state) {
	case BF_STATE_NEW_PROVEN:
		ok = out->rc == BF_OK || out->rc == BF_E_NOT_RECORDED;
		break;
	case BF_STATE_RECOVERY:
		/* Found without firmware, a pack is no news: the cause is. */
		ok = out->rc == BF_E_RECOVERY || out->rc == BF_E_INTERRUPTED ||
		     (out->rc && !c->old_version[0]);
		break;
	case BF_STATE_OLD:
		ok = out->rc != BF_E_RECOVERY && (out->rc || c->world.job.kind == BF_JOB_ROLLBACK);
		break;
	case BF_STATE_UNTOUCHED:
		ok = out->rc != BF_OK && out->rc != BF_E_RECOVERY;
		break;
	case BF_STATE_UNKNOWN:
		ok = out->rc &&
		     (bf_rc_info(out->rc)->exit_status == 13 || out->rc == BF_E_INTERRUPTED);
		break;
	case BF_STATE_UNPROVEN:
		/* Its own code, or the cause's where the new firmware runs and is not confirmed. */
		ok = out->rc || c->world.job.allow[BF_ALLOW_NO_PROOF];
		break;
	}
	if (out->rc == BF_E_UNPROVEN && out->state != BF_STATE_UNPROVEN)
		ok = false;
	if (out->rc == BF_E_RESTORED && out->state != BF_STATE_OLD)
		ok = false;
	if (!ok)
		judge_wrong(c, "code '%s' with state '%s'", bf_rc_info(out->rc)->name,
			    bf_state_name(out->state));
}

/* ---- the pack ---- */

static void judge_firmware(struct court *c, const struct truth *t, const char *when)
{
	const struct scenario *sc = c->world.sc;

	if (!t->app)
		return;
	if (!t->sound)
		judge_wrong(c, "%s the pack runs an image that is not whole or not signed", when);
	if (sc->other_key && !runs(t, c->old_version))
		judge_wrong(c, "%s the pack runs what a foreign key has signed", when);
	if (sc->hopeless && runs(t, c->new_version) && t->confirmed)
		judge_wrong(c, "%s new firmware that fails its self-test stays", when);
}

/* Firmware that only power starts is not seen in the run that wrote it. */
static bool wants_power(const struct court *c)
{
	return c->world.sc->model->power_starts && c->world.out.rc == BF_E_UNPROVEN &&
	       strstr(c->world.out.sentence, "the bootloader does not start it: switch");
}

static void judge_new(struct court *c)
{
	const struct truth *t = &c->world.at_close;
	/* Nobody waits for firmware that says nothing: the wire is closed while it starts. */
	bool known = t->known && t->powered && !c->world.sc->model->no_news && !wants_power(c);

	if (known && (!runs(t, c->new_version) || !t->confirmed))
		judge_wrong(c, "new proven, but '%s' runs%s", t->version,
			    t->confirmed ? "" : " on trial");
	if (!runs(&c->after, c->new_version) || !c->after.confirmed)
		judge_wrong(c, "new proven, but after a restart '%s' runs%s", c->after.version,
			    c->after.confirmed ? "" : " on trial");
}

static void judge_untouched(struct court *c)
{
	/* Its firmware lies there, and its bootloader waits for more before it starts it: said. */
	if (c->world.sc->model->unit && c->after.intact &&
	    strstr(c->world.out.sentence, "into its bootloader"))
		return;
	if (c->later ? !c->after.app && c->world.sc->model->two_banks
		     : !runs(&c->after, c->old_version))
		judge_wrong(c, "nothing changed, but '%s' runs", c->after.version);
}

/* All of what was to be written is in the pack, unless the device's acceptance is all that was claimed. */
static void judge_unproven(struct court *c)
{
	/* Asked to go back, or gone back and said so. */
	bool back = c->after.app && (c->world.job.kind == BF_JOB_ROLLBACK ||
				     (runs(&c->after, c->old_version) &&
				      strstr(c->world.out.sentence, "Old firmware")));

	if (strstr(c->world.out.sentence, "the device took it without an error"))
		return;
	if (!c->world.at_close.written && !c->after.written && !back)
		judge_wrong(c, "unproven, but the image is not in the pack");
}

/* An answer is owed while the pack can be asked: its power is on, and the line carries. */
static void judge_unknown(struct court *c)
{
	const struct truth *t = &c->world.at_close;
	bool line_cut = strstr(c->world.sc->fault, "cut=");

	/* A loader that was left for firmware that says nothing. */
	if (c->world.sc->model->no_news && strstr(c->world.notices, "its start was not seen"))
		return;
	if (t->known && t->powered && !line_cut && c->world.out.rc != BF_E_INTERRUPTED)
		judge_wrong(c, "unknown, but the pack can be asked, and '%s' runs", t->version);
}

/* Marked for a test boot is told; such a pack may have started it by itself when its power went. */
static void judge_old(struct court *c)
{
	const struct truth *t = &c->world.at_close;
	bool trial = strstr(c->world.out.sentence, "test boot") != NULL;

	/* "Still": what ran when this run began. */
	if (c->later && runs(&c->after, c->new_version))
		return;
	if (t->app && !runs(t, c->old_version))
		judge_wrong(c, "old running, but '%s' runs", t->version);
	if (t->known && t->powered && !t->app)
		judge_wrong(c, "old running, but nothing runs");
	if (!runs(&c->after, c->old_version) && !(trial && runs(&c->after, c->new_version)))
		judge_wrong(c, "old running, but after a restart '%s' runs%s", c->after.version,
			    c->after.confirmed ? "" : " on trial");
}

static void judge_truth(struct court *c)
{
	struct bf_err err;

	bf_err_init(&err);
	if (truth_after_power(c->world.plain, &c->world.guard, &c->after, &err)) {
		judge_wrong(c, "cannot look at the pack: %s", err.cause);
		return;
	}
	c->world.dead = !c->after.app;
	judge_firmware(c, &c->world.at_close, "at the end");
	judge_firmware(c, &c->after, "after a restart");
	if (c->world.sc->model->two_banks && !c->after.app && c->old_version[0])
		judge_wrong(c, "two banks and none starts");
	if (c->world.guard.wrong[0])
		judge_wrong(c, "%s", c->world.guard.wrong);
}

/* Written and read back is all that can be said, and the user knew; or the user has to switch it off and on. */
static bool ends_well(const struct court *c)
{
	return (c->world.sc->model->no_news && c->world.out.rc == BF_OK) || wants_power(c);
}

/* ---- what comes next ---- */

static void say(const struct court *c, const char *what)
{
	const struct bf_outcome *out = &c->world.out;

	judge_wrong((struct court *)(uintptr_t)c, "%s: '%s', '%s', %s", what,
		    bf_rc_info(out->rc)->name, bf_state_name(out->state), out->err.cause);
}

static bool may_fail(const struct scenario *sc)
{
	return sc->hopeless || sc->crashes ||
	       sc->other_key; /* the last: a key that the pack does not trust */
}

/* Something to do by hand comes first, in words: then the same command again. */
static bool type_next(struct court *c, enum bf_job_kind *ret_kind)
{
	char command[sizeof(c->world.out.err.next)], why[256];

	snprintf(command, sizeof(command), "%s", c->world.out.err.next);
	if (world_type(&c->world, command, ret_kind, why))
		return true;
	judge_wrong(c, "the next command: %s", why);
	return false;
}

#define STEPS 4

void judge_next(struct court *c)
{
	enum bf_job_kind kind = BF_JOB_PROBE;
	unsigned steps = 0;

	/* Who looks at the pack does what comes next; where nothing does, the same command again is left. */
	do {
		if (wants_power(c))
			world_switched_on(&c->world);
		if (!type_next(c, &kind))
			return;
		judge_truth(c);
	} while (++steps < STEPS && c->world.out.err.next[0] &&
		 (c->world.out.rc || kind == BF_JOB_PROBE));
	if (kind == BF_JOB_PROBE)
		return;
	if (c->world.out.rc && !(may_fail(c->world.sc) && c->world.out.state == BF_STATE_OLD))
		say(c, "the next command does not recover");
	if (!c->after.app || !c->after.confirmed)
		judge_wrong(c, "the next command says it recovered, but '%s' runs",
			    c->after.version);
}

/* Firmware that waits for its test boot, or is on it, may keep another image out: what is printed ends that. */
static bool keeps_out(const struct court *c)
{
	return c->world.out.rc == BF_E_NAK && strstr(c->world.out.err.cause, "test boot") &&
	       c->world.out.err.next[0];
}

void judge_again(struct court *c)
{
	const struct scenario *sc = c->world.sc;
	bool same = c->new_version[0] && runs(&c->after, c->new_version);

	if (wants_power(c))
		world_switched_on(&c->world);
	world_run(&c->world, BF_JOB_FLASH, NULL, false);
	if (keeps_out(c)) {
		judge_next(c);
		world_run(&c->world, BF_JOB_FLASH, NULL, false);
	}
	judge_words(c);
	judge_code(c);
	judge_truth(c);
	if (wants_power(c)) { /* it was off and on since */
		judge_new(c);
		world_switched_on(&c->world);
		world_run(&c->world, BF_JOB_FLASH, NULL, false);
		judge_truth(c);
		/* A version that ran before it was written as well proves nothing in a run of its own. */
		if (same && wants_power(c))
			return;
	}
	/* Nothing can be said to it any more, until somebody holds BOOT0. */
	if (sc->model->unit == UNIT_JK && c->world.out.rc == BF_E_NODEV && !c->after.app) {
		if (!strstr(c->world.out.err.todo, "BOOT0"))
			say(c, "a dead unit, and no word of the way back");
		judge_next(c);
		judge_new(c);
		return;
	}
	if (may_fail(sc) || sc->other_key) {
		/* A pack that is held in its bootloader runs nothing that could be heard. */
		if (c->world.out.state != BF_STATE_OLD &&
		    !(sc->model->held && c->world.out.state == BF_STATE_UNTOUCHED) &&
		    !(sc->crashes && c->world.out.state == BF_STATE_NEW_PROVEN))
			say(c, "once more, with firmware that must not stay");
		return;
	}
	if (c->world.out.rc)
		say(c, "once more, on a good line");
	judge_new(c);
}

void judge_claims(struct court *c)
{
	judge_words(c);
	judge_code(c);
	judge_truth(c);
	switch (c->world.out.state) {
	case BF_STATE_NEW_PROVEN:
		c->verdict->ending = ENDED_NEW;
		judge_new(c);
		break;
	case BF_STATE_OLD:
		c->verdict->ending = c->world.out.rc ? ENDED_OLD : ENDED_BACK;
		if (c->world.out.rc)
			judge_old(c);
		else
			judge_new(c);
		break;
	case BF_STATE_UNTOUCHED:
		c->verdict->ending = ENDED_UNTOUCHED;
		judge_untouched(c);
		break;
	case BF_STATE_RECOVERY:
		c->verdict->ending = ENDED_RECOVERY;
		break;
	case BF_STATE_UNPROVEN:
		c->verdict->ending = ends_well(c) ? ENDED_NEW : ENDED_UNPROVEN;
		judge_unproven(c);
		if (ends_well(c))
			judge_new(c);
		break;
	case BF_STATE_UNKNOWN:
		c->verdict->ending = ENDED_UNKNOWN;
		judge_unknown(c);
		break;
	}
}

const char *judge_ending(enum ending ending)
{
	static const char *const names[ENDING_COUNT] = {
		[ENDED_NEW] = "new proven",      [ENDED_OLD] = "old running",
		[ENDED_RECOVERY] = "to recover", [ENDED_UNTOUCHED] = "untouched",
		[ENDED_BACK] = "back as asked",  [ENDED_UNPROVEN] = "unproven",
		[ENDED_UNKNOWN] = "unknown",
	};

	return names[ending];
}

bool judge_open(struct court *c, const struct scenario *sc, const char *data, bool verbose,
		struct verdict *ret)
{
	*ret = (struct verdict){ 0 };
	*c = (struct court){ .old_version = OLD_VERSION,
			     .new_version = NEW_VERSION,
			     .verdict = ret };
	if (sc->model->unit) {
		c->old_version = unit_version(sc->model->unit, 0);
		c->new_version = unit_version(sc->model->unit, 1);
	}
	if (sc->task == TASK_RESCUE)
		c->old_version = "";
	if (!world_init(&c->world, sc, data))
		return !judge_wrong(c, "no room for files");
	c->world.verbose = verbose;
	return true;
}

void judge_close(struct court *c)
{
	world_done(&c->world);
}

/* ---- what is asked for ---- */

static bool needs_next(const struct court *c)
{
	enum ending e = c->verdict->ending;

	return e == ENDED_RECOVERY || e == ENDED_UNKNOWN || e == ENDED_UNPROVEN;
}

/* An archive of the pack as it was; then a flash that loses the pack's power half-way. */
static void prepare_restore(struct court *c, char *archive, size_t cap)
{
	struct world *w = &c->world;
	const struct scenario *own = w->sc;
	struct scenario cut = *own;

	world_run(w, BF_JOB_BACKUP, NULL, false);
	if (w->out.rc)
		say(c, "no archive");
	snprintf(archive, cap, "%s", w->file);
	snprintf(cut.cut, sizeof(cut.cut), "cutop=%u", 1 + (unsigned)(own->seed % 5000));
	cut.fault[0] = '\0';
	w->sc = &cut;
	world_run(w, BF_JOB_FLASH, NULL, true);
	w->sc = own;
}

static void run_restore(struct court *c)
{
	char archive[512];

	prepare_restore(c, archive, sizeof(archive));
	judge_truth(c);
	if (!runs(&c->after, OLD_VERSION))
		c->old_version = runs(&c->after, NEW_VERSION) ? NEW_VERSION : "";
	c->new_version = OLD_VERSION;
	world_run(&c->world, BF_JOB_ROLLBACK, archive, true);
	judge_claims(c);
	/* Firmware that has raised the counter is no way back from; that was claimed, and is true. */
	if (c->world.out.rc == BF_E_ROLLBACK)
		return;
	if (needs_next(c))
		judge_next(c);
	if (c->verdict->ending == ENDED_BACK)
		return;
	world_run(&c->world, BF_JOB_ROLLBACK, archive, false);
	if (c->world.out.rc)
		say(c, "once more, on a good line");
	judge_truth(c);
	judge_new(c);
}

/* A second rollback would go forward again: what comes next is a flash. */
static void run_revert(struct court *c)
{
	c->new_version = OTHER_VERSION;
	world_run(&c->world, BF_JOB_ROLLBACK, NULL, true);
	judge_claims(c);
	if (needs_next(c))
		judge_next(c);
	c->new_version = NEW_VERSION;
	c->later = true;
	judge_again(c);
}

static void run_flash(struct court *c)
{
	world_run(&c->world, BF_JOB_FLASH, NULL, true);
	judge_claims(c);
	if (needs_next(c))
		judge_next(c);
	if (c->verdict->ending != ENDED_NEW || wants_power(c))
		judge_again(c);
}

void judge(const struct scenario *sc, const char *data, bool verbose, struct verdict *ret)
{
	static void (*const tasks[])(struct court *) = {
		[TASK_FLASH] = run_flash,
		[TASK_RESCUE] = run_flash,
		[TASK_REVERT] = run_revert,
		[TASK_RESTORE] = run_restore,
	};
	struct court *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	if (judge_open(c, sc, data, verbose, ret))
		tasks[sc->task](c);
	judge_close(c);
	free(c);
}
