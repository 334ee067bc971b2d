/* SPDX-License-Identifier: MIT */
/* How a run ended, for people: one word that gives the class, what happened, what state the pack is in, what to do. */
#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "screen.h"

/* ---- the word ---- */

static const char *probe_word(const struct bf_facts *f);
static bool is_gone_while_writing(const struct bf_outcome *o, const struct bf_facts *f);

static const char *const words[BF_RC_COUNT] = {
	[BF_OK] = "DONE",
	[BF_E_INTERNAL] = "FAILED",
	[BF_E_USAGE] = "NOT DONE",
	[BF_E_IFACE] = "NOT DONE",
	[BF_E_BUSY] = "NOT DONE",
	[BF_E_NODEV] = "NO ANSWER",
	[BF_E_TIMEOUT] = "NOT DONE",
	[BF_E_LINK] = "NOT DONE",
	[BF_E_GONE] = "NOT DONE",
	[BF_E_IMAGE] = "REFUSED",
	[BF_E_FILE] = "REFUSED",
	[BF_E_SIGNATURE] = "REFUSED",
	[BF_E_INCOMPATIBLE] = "REFUSED",
	[BF_E_ROLLBACK] = "REFUSED",
	[BF_E_PREFLIGHT] = "NOT DONE",
	[BF_E_AUTH] = "NOT DONE",
	[BF_E_NAK] = "REFUSED",
	[BF_E_RESTART] = "NOT DONE",
	[BF_E_UNSUPPORTED] = "REFUSED",
	[BF_E_MISMATCH] = "DIFFERENT",
	[BF_E_RESTORED] = "WENT BACK",
	[BF_E_RECOVERY] = "RECOVERY",
	[BF_E_NOT_RECORDED] = "DONE",
	[BF_E_UNPROVEN] = "UNPROVEN",
	[BF_E_INTERRUPTED] = "NOT DONE",
};

static bool ends_by_state(enum bf_rc rc)
{
	return strcmp(bf_rc_info(rc)->exit_name, "link") == 0 || rc == BF_E_INTERRUPTED;
}

const char *bf_verdict_word(const struct bf_outcome *outcome, const struct bf_facts *f)
{
	if (outcome->rc == BF_OK && f->job == BF_JOB_PROBE && f->has_pack)
		return probe_word(f);
	if (ends_by_state(outcome->rc) && outcome->state == BF_STATE_UNKNOWN &&
	    !is_gone_while_writing(outcome, f))
		return "UNKNOWN";
	if (outcome->rc == BF_E_INTERRUPTED && outcome->state == BF_STATE_RECOVERY)
		return "RECOVERY";
	return words[(unsigned)outcome->rc < BF_RC_COUNT ? outcome->rc : BF_E_INTERNAL];
}

enum bf_paint bf_verdict_paint(const char *word)
{
	static const char *const good[] = { "DONE", "READY" };
	static const char *const bad[] = { "FAILED", "BROKEN", "RECOVERY" };

	for (size_t i = 0; i < BF_COUNT(good); i++) {
		if (strcmp(word, good[i]) == 0)
			return BF_PAINT_GOOD;
	}
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		if (strcmp(word, bad[i]) == 0)
			return BF_PAINT_BAD;
	}
	return BF_PAINT_WARN;
}

/* ---- conditions and other checks in plain words ---- */

struct wording {
	const char *check;
	const char *sentence; /* %g what was read, %l the limit */
	const char *step;     /* what to do, or NULL */
};

static const struct wording wordings[] = {
	{ "state-of-charge", "Charge is %g; %l are wanted to update.", NULL },
	{ "temperature-lowest", "The pack is at %g; %l is wanted.", "warm it up" },
	{ "temperature-highest", "The pack is at %g; %l is wanted.", "let it cool down" },
	{ "current", "A current of %g flows; %l is wanted.", "disconnect charger and load" },
	{ "cell-spread", "The cells differ by %g; %l is wanted.", "balance the pack" },
	{ "pack-voltage-steady", "The pack voltage %g; %l is wanted.",
	  "disconnect charger and load" },
	{ "cell-voltages-steady", "A cell voltage moves: %g; %l is wanted.",
	  "disconnect charger and load" },
	{ "format", "This pack takes %l images; the file is %g.", NULL },
	{ "size", "The file has %g; the pack takes %l.", NULL },
	{ "version", "The file has version %g; the pack runs a newer one (%l).", NULL },
};

static const struct wording *wording_of(const char *check)
{
	for (size_t i = 0; i < BF_COUNT(wordings); i++) {
		if (strcmp(wordings[i].check, check) == 0)
			return &wordings[i];
	}
	return NULL;
}

void bf_text_short(char *dst, size_t cap, const char *src)
{
	const char *degrees = strstr(src, "degrees ");
	char *bracket;

	if (degrees)
		snprintf(dst, cap, "%.*s%s", (int)(degrees - src), src, degrees + 8);
	else
		snprintf(dst, cap, "%s", src);
	bracket = strstr(dst, " (");
	if (bracket)
		*bracket = '\0';
}

static void expand(char *dst, size_t cap, const char *form, const char *got, const char *limit)
{
	size_t n = 0;

	for (; *form && n + 1 < cap; form++) {
		const char *text = NULL;

		if (form[0] == '%' && (form[1] == 'g' || form[1] == 'l'))
			text = form[1] == 'g' ? got : limit;
		if (text) {
			n += (size_t)snprintf(dst + n, cap - n, "%s", text);
			form++;
			if (n >= cap)
				n = cap - 1;
		} else {
			dst[n++] = *form;
		}
	}
	dst[n] = '\0';
}

static void say_check(const struct bf_check *c, char *dst, size_t cap)
{
	const struct wording *w = wording_of(c->name);
	char got[96], limit[96];

	bf_text_short(got, sizeof(got), c->got);
	bf_text_short(limit, sizeof(limit), c->limit);
	if (w)
		expand(dst, cap, w->sentence, got, limit);
	else
		snprintf(dst, cap, "%s: %s%s%s.", c->name, c->got, limit[0] ? "; wanted: " : "",
			 limit);
}

static const char *step_of(const struct bf_check *c)
{
	const struct wording *w = wording_of(c->name);

	if (strcmp(c->name, "state-of-charge") == 0)
		return c->allow == BF_ALLOW_HIGH_SOC ? "discharge it" : "charge it";
	return w ? w->step : NULL;
}

/* "3 things first: charge 10 % -> 20 to 80 %; ...". One alone is a sentence. */
static void say_conditions(const struct bf_facts *f, char *dst, size_t cap)
{
	size_t n = 0;

	if (f->n_failed == 1) {
		say_check(&f->failed[0], dst, cap);
		return;
	}
	n = (size_t)snprintf(dst, cap, "%zu things first:", f->n_failed);
	for (size_t i = 0; i < f->n_failed && n < cap; i++) {
		const char *step = step_of(&f->failed[i]);
		char got[96], limit[96];

		bf_text_short(got, sizeof(got), f->failed[i].got);
		bf_text_short(limit, sizeof(limit), f->failed[i].limit);
		n += (size_t)snprintf(dst + n, cap - n, "%s %s (%s, wanted %s)", i ? ";" : "",
				      step ? step : f->failed[i].name, got, limit);
	}
	if (n < cap)
		snprintf(dst + n, cap - n, ".");
}

/* ---- probe ---- */

struct finding {
	const char *word;
	char text[256];
	const char *comment;
};

static bool starts_none(const struct bf_ident *id)
{
	if (id->bad_firmware[0])
		return true;
	if (!id->in_bootloader || !id->n_slots)
		return false;
	for (size_t i = 0; i < id->n_slots; i++) {
		if (id->slots[i].flags & (BF_SLOT_BOOTABLE | BF_SLOT_ACTIVE))
			return false;
	}
	return true;
}

static bool on_trial(const struct bf_ident *id, const struct bf_slot **ret_other)
{
	bool trial = false;

	*ret_other = NULL;
	for (size_t i = 0; i < id->n_slots; i++) {
		const struct bf_slot *s = &id->slots[i];

		if (s->flags & BF_SLOT_ACTIVE)
			trial = s->flags & BF_SLOT_TRIAL ||
				(id->caps & BF_CAP_CONFIRM && !(s->flags & BF_SLOT_CONFIRMED));
		else if (s->has_version)
			*ret_other = s;
	}
	return trial && !id->in_bootloader;
}

static void judge_pack(const struct bf_facts *f, struct finding *ret)
{
	const struct bf_ident *id = &f->last;
	const struct bf_slot *other;
	char v[BF_VERSION_TEXT], o[BF_VERSION_TEXT];
	const char *version = bf_facts_version(id, v);

	ret->comment = NULL;
	if (starts_none(id)) {
		ret->word = "BROKEN";
		snprintf(ret->text, sizeof(ret->text), "%s",
			 id->bad_firmware[0] ? id->bad_firmware
					     : "The pack has no firmware; its bootloader answers.");
	} else if (on_trial(id, &other)) {
		ret->word = "ON TEST";
		ret->comment = "the same file: finishes the update";
		snprintf(ret->text, sizeof(ret->text),
			 "%s runs but is not confirmed; a restart goes back%s%s.",
			 version ? version : "The new firmware", other ? " to " : "",
			 other ? bf_version_text(&other->version, o) : "");
	} else if (id->no_write[0]) {
		ret->word = "NOT READY";
		snprintf(ret->text, sizeof(ret->text), "%s", id->no_write);
	} else if (f->n_failed) {
		ret->word = "NOT READY";
		say_conditions(f, ret->text, sizeof(ret->text));
	} else {
		ret->word = "READY";
		snprintf(ret->text, sizeof(ret->text), "This pack can be updated now%s.",
			 id->in_bootloader             ? "; its bootloader answers"
			 : id->caps & BF_CAP_DUAL_BANK ? "; it keeps running while it is written"
						       : "; it does not run while it is written");
	}
}

static const char *probe_word(const struct bf_facts *f)
{
	struct finding p;

	judge_pack(f, &p);
	return p.word;
}

/* ---- the text ---- */

/* As a sentence: a capital and a full stop. */
static void sentence(char *dst, size_t cap, const char *text)
{
	size_t n = (size_t)snprintf(dst, cap, "%s", text);

	if (n >= cap)
		n = cap - 1;
	if (islower((unsigned char)dst[0]) && dst[1] && !strchr("-./", dst[1]))
		dst[0] = (char)toupper((unsigned char)dst[0]);
	if (n && n + 1 < cap && !strchr(".!?:", dst[n - 1]))
		memcpy(dst + n, ".", 2);
}

static const char *old_version(const struct bf_facts *f, char dst[BF_VERSION_TEXT])
{
	return f->has_pack ? bf_facts_version(&f->first, dst) : NULL;
}

static bool changes(const struct bf_facts *f)
{
	return f->job == BF_JOB_FLASH || f->job == BF_JOB_ROLLBACK;
}

/* ---- situations ---- */
/*
 * What a technician meets, by what was seen, the most special first. Each says what happened and, where the error's
 * own step does not do, what to do.
 */

typedef bool is_fn(const struct bf_outcome *o, const struct bf_facts *f);
typedef void say_fn(const struct bf_outcome *o, const struct bf_facts *f, char *dst, size_t cap);

static const struct bf_check *failed_check(const struct bf_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_failed; i++) {
		if (strcmp(f->failed[i].name, name) == 0)
			return &f->failed[i];
	}
	return NULL;
}

static bool is_conditions(const struct bf_outcome *o, const struct bf_facts *f)
{
	return o->rc == BF_E_PREFLIGHT && f->n_failed;
}

static void conditions_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			     size_t cap)
{
	(void)o;
	say_conditions(f, dst, cap);
}

static void conditions_step(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			    size_t cap)
{
	const char *step = f->n_failed == 1 ? step_of(&f->failed[0]) : "do these";

	(void)o;
	snprintf(dst, cap, "%s, then run the same command:", step ? step : "wait");
	dst[0] = (char)toupper((unsigned char)dst[0]);
}

static bool is_failed_test(const struct bf_outcome *o, const struct bf_facts *f)
{
	return o->rc == BF_E_RESTORED && f->n_failed;
}

static void failed_test_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			      size_t cap)
{
	(void)o;
	snprintf(dst, cap, "%s did not pass its test (%s).", f->to[0] ? f->to : "The new firmware",
		 f->failed[f->n_failed - 1].got);
}

static bool is_unsigned_build(const struct bf_outcome *o, const struct bf_facts *f)
{
	const struct bf_check *c = failed_check(f, "format");

	return o->rc == BF_E_INCOMPATIBLE && c && strcmp(c->limit, "mcuboot") == 0;
}

static void unsigned_build_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				 size_t cap)
{
	(void)o;
	snprintf(dst, cap,
		 "This pack takes signed MCUboot images (*.signed.bin); %s is the build before "
		 "signing.",
		 f->image);
}

static bool is_misfit(const struct bf_outcome *o, const struct bf_facts *f)
{
	return o->rc == BF_E_INCOMPATIBLE && f->n_failed && wording_of(f->failed[0].name);
}

static void misfit_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			 size_t cap)
{
	(void)o;
	say_check(&f->failed[0], dst, cap);
}

static bool is_other_hardware(const struct bf_outcome *o, const struct bf_facts *f)
{
	return o->rc == BF_E_INCOMPATIBLE && f->has_pack &&
	       (failed_check(f, "class") || failed_check(f, "vendor") ||
		failed_check(f, "hardware"));
}

static void other_hardware_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				 size_t cap)
{
	const char *model = f->first.model[0] ? f->first.model : "pack of an unknown model";
	char cid[9];

	(void)o;
	if (f->image_hw[0])
		snprintf(dst, cap, "This file is for %s; the pack is a %s.", f->image_hw, model);
	else if (f->has_cid)
		snprintf(dst, cap, "This file is for hardware of class %s; the pack is a %s.",
			 bf_hex(cid, sizeof(cid), f->cid, 4), model);
	else
		snprintf(dst, cap, "This file is for other hardware; the pack is a %s.", model);
}

static bool is_below_counter(const struct bf_outcome *o, const struct bf_facts *f)
{
	return o->rc == BF_E_ROLLBACK && f->has_image && failed_check(f, "security-counter");
}

static void below_counter_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				size_t cap)
{
	char v[BF_VERSION_TEXT];
	const char *old = old_version(f, v);

	(void)o;
	snprintf(
		dst, cap,
		"This pack cannot go back below security counter %u (it runs %s); the file has %s.",
		f->first.counter, old ? old : "newer firmware",
		failed_check(f, "security-counter")->got);
}

static bool is_foreign_archive(const struct bf_outcome *o, const struct bf_facts *f)
{
	return o->rc == BF_E_SIGNATURE && failed_check(f, "archive-origin");
}

static void foreign_archive_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				  size_t cap)
{
	const char *got = failed_check(f, "archive-origin")->got, *comma = strchr(got, ',');

	(void)o;
	snprintf(dst, cap, "This backup was made on another computer, or by another user: %s.",
		 comma ? comma + 2 : got);
}

static void foreign_archive_step(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				 size_t cap)
{
	(void)o;
	(void)f;
	snprintf(dst, cap, "If you know where it is from:");
}

/* The bootloader looked at what was written, and did not accept it. */
static bool is_signer_refused(const struct bf_outcome *o, const struct bf_facts *f)
{
	return f->writing_seen && (o->rc == BF_E_SIGNATURE ||
				   (o->rc == BF_E_RESTORED && o->err.first_rc == BF_E_SIGNATURE));
}

static void signer_refused_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				 size_t cap)
{
	(void)o;
	(void)f;
	snprintf(dst, cap, "The pack does not trust the signer of this file.");
}

static void signer_refused_step(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				size_t cap)
{
	(void)o;
	(void)f;
	snprintf(dst, cap, "Get the release file from the maker of the pack.");
}

static bool is_recovery(const struct bf_outcome *o, const struct bf_facts *f)
{
	(void)f;
	return o->rc == BF_E_RECOVERY || o->state == BF_STATE_RECOVERY;
}

static void sentence_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			   size_t cap)
{
	(void)f;
	sentence(dst, cap, o->sentence);
}

static void recovery_step(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			  size_t cap)
{
	if (f->rescue[0] && o->err.todo[0])
		sentence(dst, cap, o->err.todo);
	else if (o->rc == BF_E_RECOVERY && o->err.next[0])
		snprintf(dst, cap, "Give it power, then run:");
	else
		sentence(dst, cap, o->err.todo);
}

static bool is_adapter_gone(const struct bf_outcome *o, const struct bf_facts *f)
{
	return (o->err.rc == BF_E_GONE || o->err.first_rc == BF_E_GONE) && f->writing_seen;
}

static bool is_gone_at_restart(const struct bf_outcome *o, const struct bf_facts *f)
{
	return is_adapter_gone(o, f) && o->state == BF_STATE_UNKNOWN &&
	       f->activity >= BF_ACT_RESTART;
}

/* Nobody can ask the pack now, but its old firmware has a place of its own and nothing was marked to start. */
static bool is_gone_while_writing(const struct bf_outcome *o, const struct bf_facts *f)
{
	return is_adapter_gone(o, f) && o->state == BF_STATE_UNKNOWN &&
	       f->activity < BF_ACT_RESTART && !f->one_place;
}

static void gone_at_restart_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				  size_t cap)
{
	(void)o;
	(void)f;
	snprintf(dst, cap, "The adapter went away while the pack restarted; the pack may be fine.");
}

static void adapter_gone_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			       size_t cap)
{
	(void)o;
	snprintf(dst, cap, "The adapter %s was unplugged at %.0f %%.", f->iface, f->percent);
}

static void adapter_gone_step(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			      size_t cap)
{
	if (o->err.next[0] && f->plan.anew)
		snprintf(dst, cap, "Plug it in. The same command begins again:");
	else if (o->err.next[0])
		snprintf(dst, cap, "Plug it in. The same command goes on at %.0f %%:", f->percent);
	else
		snprintf(dst, cap, "Plug it in, then run the same command.");
}

static void gone_at_restart_step(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				 size_t cap)
{
	(void)o;
	(void)f;
	snprintf(dst, cap, "Plug it in, then look at the pack:");
}

static bool is_line_failure(const struct bf_outcome *o, const struct bf_facts *f)
{
	return o->state != BF_STATE_UNKNOWN &&
	       (o->err.pattern == BF_PATTERN_TRANSFER ||
		(f->writing_seen && strcmp(bf_rc_info(o->rc)->exit_name, "link") == 0));
}

static void line_failure_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			       size_t cap)
{
	(void)o;
	snprintf(dst, cap, "The pack stopped answering at %.0f %%: power or cable.", f->percent);
}

static void line_failure_step(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			      size_t cap)
{
	if (o->err.next[0] && f->plan.anew)
		snprintf(dst, cap, "Check power and cable. The same command begins again:");
	else if (o->err.next[0])
		snprintf(dst, cap,
			 "Check power and cable. The same command goes on at %.0f %%:", f->percent);
}

static bool is_unknown(const struct bf_outcome *o, const struct bf_facts *f)
{
	(void)f;
	return o->state == BF_STATE_UNKNOWN;
}

static void unknown_step(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
			 size_t cap)
{
	(void)o;
	(void)f;
	snprintf(dst, cap, "Check power and cable, then look at the pack:");
}

static bool is_unproven(const struct bf_outcome *o, const struct bf_facts *f)
{
	(void)f;
	return o->rc == BF_E_UNPROVEN;
}

static bool is_anything(const struct bf_outcome *o, const struct bf_facts *f)
{
	(void)o;
	(void)f;
	return true;
}

static void error_cause(const struct bf_outcome *o, const struct bf_facts *f, char *dst, size_t cap)
{
	(void)f;
	sentence(dst, cap, o->err.cause);
}

static const struct situation {
	is_fn *is;
	say_fn *cause, *step; /* step NULL: the error's own */
} situations[] = {
	{ is_conditions, conditions_cause, conditions_step },
	{ is_failed_test, failed_test_cause, NULL },
	{ is_unsigned_build, unsigned_build_cause, NULL },
	{ is_misfit, misfit_cause, NULL },
	{ is_other_hardware, other_hardware_cause, NULL },
	{ is_below_counter, below_counter_cause, NULL },
	{ is_foreign_archive, foreign_archive_cause, foreign_archive_step },
	{ is_signer_refused, signer_refused_cause, signer_refused_step },
	{ is_recovery, sentence_cause, recovery_step },
	{ is_gone_at_restart, gone_at_restart_cause, gone_at_restart_step },
	{ is_adapter_gone, adapter_gone_cause, adapter_gone_step },
	{ is_line_failure, line_failure_cause, line_failure_step },
	{ is_unknown, sentence_cause, unknown_step },
	{ is_unproven, sentence_cause, NULL },
	{ is_anything, error_cause, NULL },
};

static const struct situation *situation_of(const struct bf_outcome *o, const struct bf_facts *f)
{
	const struct situation *s = situations;

	while (!s->is(o, f))
		s++;
	return s;
}

/* ---- what became of the pack ---- */

static bool is_said_elsewhere(const struct bf_outcome *o, const struct bf_facts *f)
{
	return !changes(f) || !f->has_pack || o->rc == BF_E_RECOVERY || o->rc == BF_E_UNPROVEN ||
	       is_gone_at_restart(o, f);
}

static bool is_back(const struct bf_outcome *o, const struct bf_facts *f)
{
	(void)f;
	return o->rc == BF_E_RESTORED;
}

static void back_state(const struct bf_outcome *o, const struct bf_facts *f, char *dst, size_t cap)
{
	char v[BF_VERSION_TEXT];
	const char *old = old_version(f, v);

	if (is_signer_refused(o, f))
		snprintf(dst, cap, "Its old firmware%s%s was put back and runs.", old ? " " : "",
			 old ? old : "");
	else
		snprintf(dst, cap, "The pack runs %s again and may be used.",
			 old ? old : "its old firmware");
}

static bool is_untouched_old(const struct bf_outcome *o, const struct bf_facts *f)
{
	return o->state == BF_STATE_OLD && f->writing_seen && !strstr(o->sentence, "test boot");
}

static void untouched_old_state(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				size_t cap)
{
	char v[BF_VERSION_TEXT];
	const char *old = old_version(f, v);

	(void)o;
	snprintf(dst, cap, "Its old firmware%s%s was not touched.", old ? " " : "", old ? old : "");
}

static bool is_nothing_written(const struct bf_outcome *o, const struct bf_facts *f)
{
	return !f->writing_seen && (o->state == BF_STATE_OLD || o->state == BF_STATE_UNTOUCHED) &&
	       !strstr(o->sentence, "switch") && !strstr(o->sentence, "no firmware");
}

static void nothing_written_state(const struct bf_outcome *o, const struct bf_facts *f, char *dst,
				  size_t cap)
{
	(void)o;
	(void)f;
	snprintf(dst, cap, "Nothing was written.");
}

static void no_state(const struct bf_outcome *o, const struct bf_facts *f, char *dst, size_t cap)
{
	(void)o;
	(void)f;
	(void)cap;
	dst[0] = '\0';
}

static const struct {
	is_fn *is;
	say_fn *say;
} states[] = {
	{ is_said_elsewhere, no_state },
	{ is_back, back_state },
	{ is_gone_while_writing, untouched_old_state },
	{ is_untouched_old, untouched_old_state },
	{ is_nothing_written, nothing_written_state },
	{ is_unknown, error_cause },
	{ is_anything, sentence_cause },
};

static void say_state(const struct bf_outcome *o, const struct bf_facts *f, char *dst, size_t cap)
{
	size_t i = 0;

	while (!states[i].is(o, f))
		i++;
	states[i].say(o, f, dst, cap);
}

/* ---- it went well ---- */

static void say_well(const struct bf_outcome *o, const struct bf_facts *f, char *dst, size_t cap)
{
	double s = f->has_summary ? (double)f->summary.total / 1e6 : 0;
	const char *version = f->to, *name = bf_facts_name(f);
	char t[32], v[BF_VERSION_TEXT];

	bf_text_seconds(t, sizeof(t), s);
	if (!*version && bf_facts_version(&f->last, v))
		version = v;
	if (o->state == BF_STATE_NEW_PROVEN)
		snprintf(dst, cap, "Pack %s runs %s, verified by the pack%s (%s).", name, version,
			 o->was_there   ? "; it was there already"
			 : o->unchecked ? "; contents not checked"
					: "",
			 t);
	else if (f->job == BF_JOB_ROLLBACK && o->state == BF_STATE_OLD &&
		 !strstr(o->sentence, "Dry"))
		snprintf(dst, cap, "Pack %s runs %s again, verified by the pack (%s).", name,
			 version, t);
	else if (f->job == BF_JOB_BACKUP && f->backup[0])
		snprintf(dst, cap, "Backup of %s written; nothing was changed in the pack.", name);
	else
		sentence(dst, cap, o->sentence);
}

void bf_verdict_text(const struct bf_outcome *o, const struct bf_facts *f, char *dst, size_t cap)
{
	struct finding p;

	if (o->rc == BF_OK && f->job == BF_JOB_PROBE && f->has_pack) {
		judge_pack(f, &p);
		snprintf(dst, cap, "%s", p.text);
	} else if (o->rc == BF_OK || o->rc == BF_E_NOT_RECORDED) {
		say_well(o, f, dst, cap);
	} else {
		situation_of(o, f)->cause(o, f, dst, cap);
	}
}

/* ---- what to do ---- */

static void say_do(const struct bf_outcome *o, const struct bf_facts *f, char *dst, size_t cap)
{
	const struct situation *s = situation_of(o, f);

	dst[0] = '\0';
	if (s->step)
		s->step(o, f, dst, cap);
	else if (o->err.todo[0])
		sentence(dst, cap, o->err.todo);
}

static void show_next(struct bf_out_text *o, const char *command)
{
	if (*command)
		bf_text_result(o, "%-*s%s", BF_LABEL, "Next", command);
}

static bool knows_no_key(const struct bf_out_text *o)
{
	return !o->key_by_default && !bf_contact_has_key(o->folders);
}

static void probe_next(struct bf_out_text *o)
{
	static const char *const flash_words[] = { "--key", "maker.pub.pem", "FIRMWARE.bin", NULL };
	const struct bf_facts *f = &o->facts;
	struct finding p;
	struct bf_err err;

	judge_pack(f, &p);
	if (strcmp(p.word, "NOT READY") == 0)
		return;
	bf_err_init(&err);
	bf_command_like(o->opts, BF_JOB_FLASH,
			o->folders && knows_no_key(o) ? flash_words : flash_words + 2, p.comment,
			&err);
	show_next(o, err.next);
}

static void list_next(struct bf_out_text *o)
{
	struct bf_err err;

	bf_err_init(&err);
	if (o->facts.only[0] && o->opts && o->opts->scan)
		bf_next_argv(&err, NULL,
			     (const char *const[]){ "bmsflash", "probe", "--if", o->opts->iface,
						    "--node", o->facts.only, NULL });
	else if (o->facts.only[0])
		bf_next_argv(
			&err, NULL,
			(const char *const[]){ "bmsflash", "probe", "--if", o->facts.only, NULL });
	else
		bf_next(&err, "bmsflash probe --if sim");
	show_next(o, err.next);
}

/* "The newest backup of this pack is of 27 Nov 02:12." */
static void show_backup_time(struct bf_out_text *o, const char *path)
{
	struct stat st;
	struct tm tm;
	char when[32];

	if (stat(path, &st) < 0 || !localtime_r(&st.st_mtime, &tm) ||
	    !strftime(when, sizeof(when), "%d %b %H:%M", &tm))
		return;
	bf_screen_line(o, BF_PAINT_PLAIN, "Do", false,
		       "The newest backup of this pack is of %s:", when);
}

/* A rollback that found nothing to go back to: the newest backup of this pack is the way. */
static bool show_backup_to_restore(struct bf_out_text *o, const struct bf_outcome *outcome)
{
	const struct bf_facts *f = &o->facts;
	char path[PATH_MAX], text[sizeof(outcome->err.next)];
	struct bf_out out = bf_out(text, sizeof(text) - 1);
	struct bf_err err;

	if (f->job != BF_JOB_ROLLBACK || outcome->rc != BF_E_UNSUPPORTED || !f->has_pack ||
	    !o->opts ||
	    !bf_backups_newest(o->folders, o->opts, f->first.serial, path, sizeof(path)))
		return false;
	bf_err_init(&err);
	bf_command_like(o->opts, BF_JOB_ROLLBACK, NULL, NULL, &err);
	bf_out_bytes(&out, err.next, strlen(err.next));
	bf_shell_word(&out, "--from");
	bf_shell_word(&out, path);
	if (!err.next[0] || out.failed)
		return false;
	text[out.len] = '\0';
	show_backup_time(o, path);
	show_next(o, text);
	return true;
}

static void failed(struct bf_out_text *o, const struct bf_outcome *outcome)
{
	const struct bf_facts *f = &o->facts;
	char text[640];

	say_state(outcome, f, text, sizeof(text));
	if (text[0])
		bf_screen_line(o, BF_PAINT_PLAIN, "", false, "%s", text);
	if (!show_backup_to_restore(o, outcome)) {
		say_do(outcome, f, text, sizeof(text));
		if (text[0])
			bf_screen_line(o, BF_PAINT_PLAIN, "Do", false, "%s", text);
		show_next(o, outcome->err.next);
	}
	if (!o->verbose)
		bf_screen_line(o, BF_PAINT_PLAIN, "", false, "(exit %d; details: -v)",
			       bf_rc_info(outcome->rc)->exit_status);
}

/* A bar that stood at 97 % when all was done would look like a bar that stopped. */
static void finish_bar(struct bf_out_text *o)
{
	o->facts.percent = 100;
	bf_screen_live(o);
	bf_text_close_line(o);
}

static bool is_found(const struct bf_outcome *outcome, const struct bf_facts *f)
{
	return outcome->rc == BF_OK && f->job == BF_JOB_PROBE && f->has_pack;
}

/* Interfaces, packs on a line or what bmsflash knows were listed: the list is the result. */
static bool is_list(const struct bf_outcome *outcome, const struct bf_facts *f)
{
	return outcome->rc == BF_OK && f->job == BF_JOB_PROBE && !f->has_pack;
}

static void show_list_end(struct bf_out_text *o)
{
	if (!o->facts.listed && (o->facts.candidates || !o->opts || !o->opts->iface))
		list_next(o);
}

void bf_verdict_show(struct bf_out_text *o, const struct bf_outcome *outcome)
{
	const struct bf_facts *f = &o->facts;
	const char *word = bf_verdict_word(outcome, f);
	char text[640];

	if (outcome->rc == BF_OK && f->writing_seen)
		finish_bar(o);
	if (is_found(outcome, f) && f->line[0] && !bf_address_is_virtual(f->iface))
		bf_screen_line(o, BF_PAINT_PLAIN, "Line", false, "%s, %s", f->iface, f->line);
	if (o->begun && !o->quiet && !f->listed)
		bf_text_result(o, "%s", "");
	if (is_list(outcome, f)) {
		show_list_end(o);
		return;
	}
	bf_verdict_text(outcome, f, text, sizeof(text));
	if (outcome->rc == BF_E_NOT_RECORDED)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " Not recorded: %s.",
			 outcome->err.cause);
	bf_screen_line(o, bf_verdict_paint(word), word, false, "%s", text);
	if (outcome->rc)
		failed(o, outcome);
	else if (f->job == BF_JOB_PROBE)
		probe_next(o);
}
