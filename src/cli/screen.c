/* SPDX-License-Identifier: MIT */
/* What a technician sees: a line for each finished step, one live line, warnings where they matter. */
#include "screen.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bmsflash/text.h"

#define OK_COLUMN 75 /* behind the "ok" */

/* ---- lines ---- */

/* Text broken at blanks below its label; what has no blank stays whole. */
static void wrap(char *dst, size_t cap, const char *text, size_t width)
{
	size_t room = width > BF_LABEL + 10 ? width - BF_LABEL - 1 : 0, at = 0, n = 0;

	dst[0] = '\0';
	while (*text && n + BF_LABEL + 8 < cap) {
		size_t word = strcspn(text, " "), columns;
		char one[512];

		if (room && word > room) /* a path: cut where the line ends */
			word = at && at + 2 < room ? room - at - 1 : room;
		snprintf(one, sizeof(one), "%.*s", (int)(word < 500 ? word : 500), text);
		columns = bf_text_columns(one);
		if (at && room && at + 1 + columns > room) {
			n += (size_t)snprintf(dst + n, cap - n, "\n%*s", BF_LABEL, "");
			at = 0;
		} else if (at) {
			n += (size_t)snprintf(dst + n, cap - n, " ");
			at++;
		}
		n += (size_t)snprintf(dst + n, cap - n, "%s", one);
		at += columns;
		text += word;
		while (*text == ' ')
			text++;
	}
}

/* "ok" stands at the right edge of the last line. */
static void add_ok(const struct bf_out_text *o, char *dst, size_t cap)
{
	const char *last = strrchr(dst, '\n');
	size_t width = o->wraps ? bf_terminal_width(o) : 80;
	size_t edge = width < OK_COLUMN ? width - 1 : OK_COLUMN - 1, used;
	size_t n = strlen(dst);

	used = last ? bf_text_columns(last + 1) : BF_LABEL + bf_text_columns(dst);
	snprintf(dst + n, cap - n, "%*s%sok%s", used + 3 < edge ? (int)(edge - used - 2) : 1, "",
		 bf_paint(o, BF_PAINT_GOOD), bf_paint(o, BF_PAINT_PLAIN));
}

static void line(struct bf_out_text *o, FILE *to, enum bf_paint p, const char *label, bool ok,
		 const char *text)
{
	char body[2048], *row = body, *end;

	if (o->quiet && to == o->results && p == BF_PAINT_PLAIN)
		return;
	wrap(body, sizeof(body), text, o->wraps ? bf_terminal_width(o) - (ok ? 4 : 0) : 0);
	if (ok)
		add_ok(o, body, sizeof(body));
	bf_text_close_line(o);
	for (; row; row = end) {
		end = strchr(row, '\n');
		if (end)
			*end++ = '\0';
		if (to == o->results)
			bf_text_result(o, "%s%-*s%s%s", bf_paint(o, p), row == body ? BF_LABEL : 0,
				       row == body ? label : "", bf_paint(o, BF_PAINT_PLAIN), row);
		else
			bf_text_note(o, "%s%-*s%s%s", bf_paint(o, p), row == body ? BF_LABEL : 0,
				     row == body ? label : "", bf_paint(o, BF_PAINT_PLAIN), row);
	}
	o->begun = true;
}

void bf_screen_line(struct bf_out_text *o, enum bf_paint p, const char *label, bool ok,
		    const char *fmt, ...)
{
	char text[1536];
	va_list ap;

	va_start(ap, fmt);
	bf_text_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	line(o, o->results, p, label, ok, text);
}

void bf_screen_note(struct bf_out_text *o, enum bf_paint p, const char *label, const char *fmt, ...)
{
	char text[1536];
	va_list ap;

	va_start(ap, fmt);
	bf_text_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	line(o, o->notes, p, label, false, text);
}

void bf_screen_warn(struct bf_out_text *o, const char *fmt, ...)
{
	char text[1536];
	bool quiet = o->quiet;
	va_list ap;

	va_start(ap, fmt);
	bf_text_vformat(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->quiet = false;
	line(o, o->notes, BF_PAINT_WARN, "WARNING", false, text);
	o->quiet = quiet;
}

static bool first_time(struct bf_out_text *o, unsigned bit)
{
	bool first = !(o->shown & bit);

	o->shown |= bit;
	return first;
}

/* ---- steps ---- */

static bool changes(const struct bf_facts *f)
{
	return f->job == BF_JOB_FLASH || f->job == BF_JOB_ROLLBACK;
}

static void show_image(struct bf_out_text *o, bool ok)
{
	const struct bf_facts *f = &o->facts;
	char size[32];
	const char *hw = f->image_hw[0] ? f->image_hw : f->fits ? f->first.model : "";

	if (!f->has_image || !first_time(o, BF_SHOWN_IMAGE))
		return;
	bf_screen_line(o, BF_PAINT_PLAIN, "Image", ok, "%s%s%s, %s, signed by %s",
		       f->image_version[0] ? f->image_version : f->image, hw[0] ? " for " : "", hw,
		       bf_text_kb(size, sizeof(size), f->image_size), f->image_key);
}

/* "55 %, 25 C, 0.0 A" */
static void condition(const struct bf_measure *m, char *dst, size_t cap)
{
	size_t n = 0;

	dst[0] = '\0';
	if (m->has_soc)
		n += (size_t)snprintf(dst + n, cap - n, "%.0f %%, ", m->soc);
	if (m->n_temps)
		n += (size_t)snprintf(dst + n, cap - n, "%.0f C, ", m->temp_c[0]);
	if (m->has_current)
		n += (size_t)snprintf(dst + n, cap - n, "%.1f A, ", m->current_a);
	if (n)
		dst[n - 2] = '\0';
}

static void show_pack(struct bf_out_text *o, bool ok)
{
	const struct bf_facts *f = &o->facts;
	char v[BF_VERSION_TEXT], state[96];
	const char *version = bf_facts_version(&f->first, v);

	if (!f->has_pack || !first_time(o, BF_SHOWN_PACK))
		return;
	condition(&f->measure, state, sizeof(state));
	if (f->first.in_bootloader)
		bf_screen_line(o, BF_PAINT_PLAIN, "Pack", ok, "%s is in its bootloader%s%s",
			       bf_facts_name(f), state[0] ? "; " : "", state);
	else
		bf_screen_line(o, BF_PAINT_PLAIN, "Pack", ok, "%s runs %s%s%s", bf_facts_name(f),
			       version ? version : "unknown firmware", state[0] ? "; " : "", state);
}

static void show_backup(struct bf_out_text *o)
{
	char path[PATH_MAX];

	if (o->facts.backup[0] && first_time(o, BF_SHOWN_BACKUP))
		bf_screen_line(o, BF_PAINT_PLAIN, "Backup", true, "%s",
			       bf_text_home(o, o->facts.backup, path, sizeof(path)));
}

static double took(const struct bf_facts *f, enum bf_activity a)
{
	return (double)(f->now_us - f->activity_us[a]) / 1e6;
}

static void show_written(struct bf_out_text *o)
{
	const struct bf_facts *f = &o->facts;
	char size[32], there[48] = "", skipped[32], t[32];

	if (!f->activity_us[BF_ACT_WRITE] || !f->has_plan || !first_time(o, 1u << BF_ACT_WRITE))
		return;
	if (f->plan.skip_bytes)
		snprintf(there, sizeof(there), ", %s were there already",
			 bf_text_kb(skipped, sizeof(skipped), f->plan.skip_bytes));
	bf_screen_line(o, BF_PAINT_PLAIN, "Write", true, "%s in %s%s",
		       bf_text_kb(size, sizeof(size), f->plan.bytes - f->plan.skip_bytes),
		       bf_text_seconds(t, sizeof(t), took(f, BF_ACT_WRITE)), there);
}

static void show_restarted(struct bf_out_text *o)
{
	const struct bf_facts *f = &o->facts;
	char v[BF_VERSION_TEXT], t[32];
	const char *version = bf_facts_version(&f->last, v);

	if (f->last.in_bootloader || !first_time(o, 1u << BF_ACT_RESTART))
		return;
	bf_screen_line(o, BF_PAINT_PLAIN, "Restart", true, "back after %s%s%s",
		       bf_text_seconds(t, sizeof(t), took(f, BF_ACT_RESTART)),
		       version ? " as " : "", version ? version : "");
}

static void show_tested(struct bf_out_text *o)
{
	const struct bf_facts *f = &o->facts;
	bool all = f->tests_passed == f->tests;

	if (!(f->tests || f->configuration) || !first_time(o, 1u << BF_ACT_TEST))
		return;
	if (f->tests)
		bf_screen_line(o, BF_PAINT_PLAIN, "Test", all, "%u of %u passed%s", f->tests_passed,
			       f->tests, f->configuration ? ", configuration as before" : "");
	else
		bf_screen_line(o, BF_PAINT_PLAIN, "Test", true, "configuration as before");
}

/* Once, before the first request that cannot be taken back. */
void bf_screen_warn_of_no_return(struct bf_out_text *o)
{
	const struct bf_facts *f = &o->facts;
	char text[160];

	if (!f->has_plan || !first_time(o, 1u << 20))
		return;
	if (f->plan.counter_will_rise) {
		snprintf(text, sizeof(text), "After this update the pack cannot go back to %s.",
			 f->from[0] ? f->from : "its old firmware");
		bf_screen_warn(o, "%s", text);
	}
	if (f->plan.wipes_all)
		bf_screen_warn(
			o,
			"Clearing readout protection erases all of the flash: also the maker's own "
			"bootloader, "
			"calibration and serial number, which are in no file.");
	if (f->one_place && f->plan.bytes > f->plan.skip_bytes)
		bf_screen_warn(
			o, "The pack has no firmware until this is done: keep power and cable.");
}

static void enter_activity(struct bf_out_text *o)
{
	enum bf_activity now = o->facts.activity;

	if (!changes(&o->facts))
		return;
	if (now >= BF_ACT_WRITE)
		bf_screen_warn_of_no_return(o);
	if (now > BF_ACT_WRITE)
		show_written(o);
	if (now > BF_ACT_TEST)
		show_tested(o);
}

void bf_screen_catch_up(struct bf_out_text *o)
{
	if (!changes(&o->facts))
		return;
	show_image(o, o->facts.fits);
	show_pack(o, false);
	show_backup(o);
}

/* ---- the live line ---- */

#define SILENT_US  INT64_C(2000000) /* without data: it is said */
#define PLAIN_STEP 10               /* percent */
#define PLAIN_GAP  INT64_C(1000000) /* never longer without a sign of life */

static const char *const labels[] = {
	[BF_ACT_PREPARE] = "Checking",   [BF_ACT_BACKUP] = "Saving",
	[BF_ACT_WRITE] = "Writing",      [BF_ACT_VERIFY] = "Verifying",
	[BF_ACT_RESTART] = "Restarting", [BF_ACT_TEST] = "Testing",
	[BF_ACT_CONFIRM] = "Confirming",
};

struct tails {
	char text[4][128];
	const char *list[5];
	size_t n;
};

static void add_tail(struct tails *t, const char *fmt, ...) BF_PRINTF(2, 3);

static void add_tail(struct tails *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bf_text_vformat(t->text[t->n], sizeof(t->text[0]), fmt, ap);
	va_end(ap);
	t->list[t->n] = t->text[t->n];
	t->list[++t->n] = NULL;
}

static void tails_of_data(const struct bf_facts *f, struct tails *t)
{
	char left[32] = "", done[32], total[32], got[96], limit[96], *unit;
	double s = bf_facts_left(f), value;
	int64_t silent = f->now_us - f->moved_us;

	if (f->paused) {
		bf_text_short(got, sizeof(got), f->pause.got);
		bf_text_short(limit, sizeof(limit), f->pause.limit);
		add_tail(t, "%s, waiting for %s", got, limit);
		value = strtod(got, &unit);
		add_tail(t, "%.0f%s, waiting for %s", value, unit, limit);
		add_tail(t, "%s", got);
		return;
	}
	if (silent >= SILENT_US) {
		if (f->repeats && f->try)
			add_tail(t, "no answer, %d s (try %u of %u)", (int)(silent / 1000000),
				 f->try, f->tries);
		add_tail(t, "no answer, %d s", (int)(silent / 1000000));
		add_tail(t, "silent %d s", (int)(silent / 1000000));
		return;
	}
	if (s >= 0)
		bf_text_seconds(left, sizeof(left), s < 1 ? 1 : s);
	if (f->total && left[0]) {
		snprintf(done, sizeof(done), "%.0f", (double)f->done / 1e3);
		add_tail(t, "%s of %s  %5s left", done, bf_text_kb(total, sizeof(total), f->total),
			 left);
		add_tail(t, "%s of %s  %s", done, total, left);
	}
	if (left[0])
		add_tail(t, "%s", left);
}

static void tails_of_wait(const struct bf_facts *f, struct tails *t)
{
	int waited = (int)((f->now_us - f->phase_us) / 1000000);

	if (f->limit) {
		add_tail(t, "%d s of up to %d s", waited, (int)(f->limit / 1000000));
		add_tail(t, "%d/%d s", waited, (int)(f->limit / 1000000));
	}
	add_tail(t, "%d s", waited);
}

/* The words are cut to the width, the seconds stay. */
static void wait_text(const struct bf_facts *f, unsigned width, char *dst, size_t cap)
{
	int waited = (int)((f->now_us - f->phase_us) / 1000000);
	char words[200], tail[24] = "";
	size_t room = width - 1 - BF_LABEL;

	if (waited)
		snprintf(tail, sizeof(tail), ": %d s", waited);
	bf_text_escape(words, sizeof(words), f->waiting[0] ? f->waiting : f->phase);
	room = room > strlen(tail) ? room - strlen(tail) : 0;
	snprintf(dst, cap, "%-*s%.*s%s", BF_LABEL, "Wait", (int)room, words, tail);
}

static void live_text(const struct bf_out_text *o, char *dst, size_t cap)
{
	const struct bf_facts *f = &o->facts;
	unsigned width = bf_terminal_width(o);
	struct tails t = { .list = { NULL } };
	const char *label = labels[f->activity];

	switch (f->activity) {
	case BF_ACT_BACKUP:
	case BF_ACT_WRITE:
	case BF_ACT_VERIFY:
		tails_of_data(f, &t);
		label = f->paused ? "Paused" : label;
		break;
	case BF_ACT_TEST:
		if (f->tests)
			add_tail(&t, "%u of %u passed", f->tests_passed,
				 f->tests < 7 ? 7 : f->tests);
		break;
	case BF_ACT_PREPARE:
	case BF_ACT_RESTART:
	case BF_ACT_CONFIRM:
	case BF_ACT_COUNT:
		tails_of_wait(f, &t);
		break;
	}
	if (f->activity == BF_ACT_PREPARE) {
		wait_text(f, width, dst, cap);
		return;
	}
	bf_bar(dst, cap, width, o->utf8, label, f->percent, t.list);
}

/* A line for each ten percent, and a sign of life when long nothing moves. */
static void plain(struct bf_out_text *o)
{
	const struct bf_facts *f = &o->facts;
	int percent = (int)f->percent, waited = (int)((f->now_us - f->phase_us) / 1000000);
	bool step = percent / PLAIN_STEP != o->last_percent / PLAIN_STEP;

	if (!step && f->now_us - o->last_line_us < PLAIN_GAP)
		return;
	if (step && f->activity == BF_ACT_PREPARE)
		return;
	o->last_percent = percent;
	o->last_line_us = f->now_us;
	if (f->activity == BF_ACT_PREPARE)
		bf_text_note(o, "%s, %d s", f->waiting[0] ? f->waiting : f->phase, waited);
	else if (step)
		bf_text_note(o, "%s %d %%", labels[f->activity], percent / PLAIN_STEP * PLAIN_STEP);
	else
		bf_text_note(o, "%s %d %%, %d s", labels[f->activity], percent, waited);
}

void bf_screen_live(struct bf_out_text *o)
{
	char text[768];

	if (o->quiet || o->progress == BF_PROGRESS_NONE)
		return;
	if (o->progress == BF_PROGRESS_PLAIN) {
		if (!o->last_line_us)
			o->last_line_us = o->facts.now_us;
		plain(o);
		return;
	}
	live_text(o, text, sizeof(text));
	fprintf(o->notes, "\r%s%s\033[K%s", o->facts.paused ? bf_paint(o, BF_PAINT_WARN) : "", text,
		o->facts.paused ? bf_paint(o, BF_PAINT_PLAIN) : "");
	fflush(o->notes);
	o->line_open = true;
}

/* ---- other jobs ---- */

static void show_firmware(struct bf_out_text *o, const struct bf_ident *id)
{
	char v[BF_VERSION_TEXT], other[64] = "";
	const char *version = bf_facts_version(id, v), *state = "";

	for (size_t i = 0; i < id->n_slots; i++) {
		const struct bf_slot *s = &id->slots[i];
		char text[BF_VERSION_TEXT];

		if (s->flags & BF_SLOT_ACTIVE)
			state = s->flags & BF_SLOT_CONFIRMED ? ", confirmed" : ", not confirmed";
		else
			snprintf(other, sizeof(other), "; other slot %s",
				 s->has_version ? bf_version_text(&s->version, text) : "empty");
	}
	if (id->in_bootloader)
		bf_screen_line(o, BF_PAINT_PLAIN, "Firmware", false,
			       "not running: the bootloader answers%s", other);
	else
		bf_screen_line(o, BF_PAINT_PLAIN, "Firmware", false, "%s%s%s",
			       version ? version : "runs, and does not tell its version", state,
			       other);
}

static void show_found(struct bf_out_text *o, const struct bf_ident *id)
{
	const char *model = id->model[0] ? id->model : id->bus_id[0] ? id->bus_id : "unknown model";

	bf_screen_line(o, BF_PAINT_PLAIN, "Pack", false, "%s%s%s, serial %s%s%s%s", model,
		       id->hw_rev[0] ? ", hardware " : "", id->hw_rev,
		       id->serial[0] ? id->serial : "unknown", id->manufacturer[0] ? " (" : "",
		       id->manufacturer, id->manufacturer[0] ? ")" : "");
	show_firmware(o, id);
}

static void show_condition(struct bf_out_text *o, const struct bf_measure *m)
{
	char text[160];
	size_t n = 0, cap = sizeof(text);
	double low = m->cell_v[0], high = low;

	text[0] = '\0';
	if (m->has_soc)
		n += (size_t)snprintf(text + n, cap - n, "%.0f %%, ", m->soc);
	if (m->has_pack)
		n += (size_t)snprintf(text + n, cap - n, "%.1f V, ", m->pack_v);
	if (m->has_current)
		n += (size_t)snprintf(text + n, cap - n, "%.1f A, ", m->current_a);
	if (m->n_temps)
		n += (size_t)snprintf(text + n, cap - n, "%.0f C, ", m->temp_c[0]);
	for (size_t i = 1; i < m->n_cells; i++) {
		low = m->cell_v[i] < low ? m->cell_v[i] : low;
		high = m->cell_v[i] > high ? m->cell_v[i] : high;
	}
	if (m->n_cells)
		n += (size_t)snprintf(text + n, cap - n, "%zu cells within %.0f mV, ", m->n_cells,
				      (high - low) * 1000);
	if (n)
		text[n - 2] = '\0';
	bf_screen_line(o, BF_PAINT_PLAIN, "Condition", false, "%s",
		       n ? text : "not told by the pack");
}

/* A row of a table, or what does not fit into one below its address. */
static void show_candidate(struct bf_out_text *o, const struct bf_candidate *c)
{
	bool virtual = bf_address_is_virtual(c->address);
	const char *state = virtual ? "" : c->usable ? "ready" : c->why;
	unsigned width = o->wraps ? bf_terminal_width(o) : 0;
	char row[512];

	snprintf(row, sizeof(row), virtual ? "%-13s %s%s" : "%-13s %-33s %s", c->address, c->what,
		 state);
	if (!width || (width >= 60 && bf_text_columns(row) < width)) {
		bf_text_result(o, "%s", row);
	} else {
		bool label = bf_text_columns(c->address) < BF_LABEL;

		if (!label)
			bf_text_result(o, "%s", c->address);
		bf_screen_line(o, BF_PAINT_PLAIN, label ? c->address : "", false, "%s%s%s", c->what,
			       *state ? ": " : "", state);
	}
	o->begun = true;
}

static void show_finding(struct bf_out_text *o, const struct bf_diag_finding *f)
{
	static const struct {
		enum bf_paint paint;
		const char *word;
	} rows[] = {
		[BF_SEVERITY_OK] = { BF_PAINT_GOOD, "ok" },
		[BF_SEVERITY_NOTE] = { BF_PAINT_PLAIN, "note" },
		[BF_SEVERITY_WARNING] = { BF_PAINT_WARN, "warning" },
		[BF_SEVERITY_PROBLEM] = { BF_PAINT_BAD, "problem" },
	};

	if (o->quiet && f->severity < BF_SEVERITY_WARNING)
		return;
	bf_screen_line(o, rows[f->severity].paint, rows[f->severity].word, false, "%s: %s",
		       f->subject, f->text);
	if (f->mend[0])
		bf_text_result(o, "%-*s%s", BF_LABEL, "Next", f->mend);
}

static void show_known(struct bf_out_text *o, const struct bf_event *ev)
{
	bool more = *ev->known.summary != '\0';

	bf_screen_line(o, BF_PAINT_PLAIN, ev->known.kind, false, "%s%s%s", ev->known.name,
		       more ? ": " : "", ev->known.summary);
}

/* ---- events ---- */

static void device(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_facts *f = &o->facts;

	if (f->job == BF_JOB_PROBE || f->job == BF_JOB_BACKUP) {
		if (first_time(o, BF_SHOWN_PACK))
			show_found(o, ev->ident);
	} else if (f->activity >= BF_ACT_RESTART) {
		show_restarted(o);
	}
}

static void notice(struct bf_out_text *o, const char *text)
{
	static const struct {
		const char *label, *words;
	} rows[] = {
		{ "Going back", "going back: " },
		{ "Going back", "old firmware back" },
		{ "Waiting", "switch the pack off" },
		{ "Found", "caught the bootloader" },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (!strstr(text, rows[i].words))
			continue;
		bf_screen_note(o, BF_PAINT_PLAIN, rows[i].label, "%s",
			       text + (i ? 0 : strlen(rows[i].words)));
		return;
	}
}

void bf_screen_event(struct bf_out_text *o, const struct bf_event *ev)
{
	switch ((int)ev->kind) {
	case BF_EV_DEVICE:
		device(o, ev);
		break;
	case BF_EV_MEASURE:
		if (o->facts.job == BF_JOB_PROBE)
			show_condition(o, ev->measure);
		break;
	case BF_EV_PLAN:
		show_image(o, true);
		show_pack(o, true);
		break;
	case BF_EV_FILE:
		show_backup(o);
		break;
	case BF_EV_WARNING:
		bf_screen_warn(o, "%s", ev->text);
		break;
	case BF_EV_NOTICE:
		notice(o, ev->text);
		break;
	case BF_EV_CANDIDATE:
		show_candidate(o, ev->candidate);
		break;
	case BF_EV_FINDING:
		show_finding(o, ev->finding);
		break;
	case BF_EV_KNOWN:
		show_known(o, ev);
		break;
	case BF_EV_REQUEST:
		bf_text_result(o, "%s", ev->text);
		break;
	case BF_EV_PHASE:
		enter_activity(o);
		bf_screen_live(o);
		break;
	case BF_EV_PROGRESS:
	case BF_EV_ALIVE:
	case BF_EV_SELF_TEST:
		bf_screen_live(o);
		break;
	default:
		break;
	}
}

/* ---- Ctrl-C ---- */

void bf_out_text_stopping(struct bf_out_text *o, const struct bf_clock *clock)
{
	const struct bf_facts *f = &o->facts;
	double left = bf_facts_left(f);
	char text[160];

	if (clock->ended)
		snprintf(text, sizeof(text), "Stopping now.");
	else if (clock->held && f->activity >= BF_ACT_RESTART)
		snprintf(text, sizeof(text),
			 "Not now: the pack is changing firmware. Stopping in about %.0f s.",
			 left > 1 ? left : 1);
	else if (!f->writing_seen)
		snprintf(text, sizeof(text), "Stopping. Nothing was written.");
	else if (f->one_place)
		snprintf(text, sizeof(text),
			 "Stopping. The pack has no firmware until the same command has finished "
			 "it.");
	else
		snprintf(text, sizeof(text),
			 "Stopping. The old firmware runs; the same command goes on from here.");
	bf_screen_warn(o, "%s", text);
}
