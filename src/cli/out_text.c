/* SPDX-License-Identifier: MIT */
/* Events and the outcome for people: results on standard output, everything else on standard error. */
#include "cli.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/text.h"

enum paint { PAINT_PLAIN, PAINT_GOOD, PAINT_WARN, PAINT_BAD };

static const char *paint(const struct bf_out_text *o, enum paint p)
{
	static const char *const codes[] = { "\033[0m", "\033[32m", "\033[33m", "\033[31m" };

	return o->colour ? codes[p] : "";
}

/* A progress line on a terminal is erased before anything else is said. */
static void close_line(struct bf_out_text *o)
{
	if (o->line_open)
		fputs("\r\033[K", o->notes);
	o->line_open = false;
}

/* One of our own codes at p: its length. */
static size_t code_len(const struct bf_out_text *o, const char *p)
{
	for (int i = PAINT_PLAIN; *p == '\033' && o->colour && i <= PAINT_BAD; i++) {
		const char *code = paint(o, (enum paint)i);

		if (strncmp(p, code, strlen(code)) == 0)
			return strlen(code);
	}
	return 0;
}

static void put(const struct bf_out_text *o, FILE *to, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

/* Names come from files, devices and other programs: what a terminal would obey is shown instead. */
static void put(const struct bf_out_text *o, FILE *to, const char *fmt, va_list ap)
{
	BF_AUTO_MEM char *text = NULL;
	const char *end;
	int len = vasprintf(&text, fmt, ap);

	if (len < 0)
		abort();
	end = text + len;
	for (const char *p = text; p < end;) {
		size_t n = code_len(o, p);
		char one[16];

		n = n ? n : bf_text_shown(p, (size_t)(end - p));
		if (n)
			fwrite(p, 1, n, to);
		else
			fputs(bf_text_escape_n(one, sizeof(one), p, 1), to);
		p += n ? n : 1;
	}
}

static void note(struct bf_out_text *o, const char *fmt, ...) BF_PRINTF(2, 3);

static void note(struct bf_out_text *o, const char *fmt, ...)
{
	va_list ap;

	if (o->quiet)
		return;
	close_line(o);
	va_start(ap, fmt);
	put(o, o->notes, fmt, ap);
	va_end(ap);
	fputc('\n', o->notes);
	fflush(o->notes);
}

static void result(struct bf_out_text *o, const char *fmt, ...) BF_PRINTF(2, 3);

static void result(struct bf_out_text *o, const char *fmt, ...)
{
	va_list ap;

	close_line(o);
	fflush(o->notes);
	va_start(ap, fmt);
	put(o, o->results, fmt, ap);
	va_end(ap);
	fputc('\n', o->results);
	fflush(o->results);
}

typedef void say_fn(struct bf_out_text *o, const struct bf_event *ev);

static void say_start(struct bf_out_text *o, const struct bf_event *ev)
{
	(void)o;
	(void)ev;
}

static void say_image(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_meta *m = ev->image.meta;
	char v[BF_VERSION_TEXT] = "no version", size[32], counter[48] = "";

	if (m->has_version)
		bf_version_text(&m->version, v);
	if (m->has_counter)
		snprintf(counter, sizeof(counter), ", security counter %u", m->counter);
	result(o, "%s: %s, version %s%s, %s, signed by %s%s", ev->image.path,
	       bf_format_name(m->format), v, counter,
	       bf_text_size(size, sizeof(size), ev->image.size), ev->image.key,
	       m->legacy ? " (legacy form of minisign)" : "");
}

static void say_interface(struct bf_out_text *o, const struct bf_event *ev)
{
	bool detail = ev->iface.detail && *ev->iface.detail;

	note(o, "%s: opened%s%s", ev->iface.name, detail ? ", " : "",
	     detail ? ev->iface.detail : "");
}

static void say_candidate(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_candidate *c = ev->candidate;

	if (c->usable)
		result(o, "%-24s %s", c->address, c->what);
	else
		result(o, "%-24s %s (not usable: %s)", c->address, c->what, c->why);
}

static void say_request(struct bf_out_text *o, const struct bf_event *ev)
{
	result(o, "%s", ev->text);
}

static void say_note(struct bf_out_text *o, const struct bf_event *ev)
{
	note(o, "%s", ev->text);
}

static void say_tried(struct bf_out_text *o, const struct bf_event *ev)
{
	if (o->verbose)
		note(o, "tried %s", ev->text);
}

static void say_warning(struct bf_out_text *o, const struct bf_event *ev)
{
	bool quiet = o->quiet;

	o->quiet = false;
	note(o, "%swarning:%s %s", paint(o, PAINT_WARN), paint(o, PAINT_PLAIN), ev->text);
	o->quiet = quiet;
}

static void field(struct bf_out_text *o, const char *name, const char *value)
{
	if (value && *value)
		result(o, "  %-18s %s", name, value);
}

static void names_of_bits(char *dst, size_t cap, unsigned set, const char *(*name)(unsigned))
{
	dst[0] = '\0';
	for (unsigned bit = 0; name(bit); bit++) {
		size_t n = strlen(dst);

		if (set & 1u << bit)
			snprintf(dst + n, cap - n, "%s%s", n ? ", " : "", name(bit));
	}
}

static void say_slot(struct bf_out_text *o, size_t i, const struct bf_slot *slot)
{
	char flags[96], v[BF_VERSION_TEXT] = "empty", name[24], line[256];

	if (slot->has_version)
		bf_version_text(&slot->version, v);
	names_of_bits(flags, sizeof(flags), slot->flags, bf_slot_flag_name);
	snprintf(name, sizeof(name), "slot %zu", i);
	snprintf(line, sizeof(line), "%s%s%s%s", v, flags[0] ? " (" : "", flags,
		 flags[0] ? ")" : "");
	field(o, name, line);
}

static void say_device(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_ident *id = ev->ident;
	char v[BF_VERSION_TEXT], line[512];

	result(o, "%s %s, serial %s", id->manufacturer[0] ? id->manufacturer : "pack", id->model,
	       id->serial[0] ? id->serial : "unknown");
	field(o, "protocol", id->protocol);
	field(o, "loader", id->loader);
	field(o, "hardware", id->hw_rev);
	field(o, "USB numbers", id->bus_id);
	if (id->in_bootloader)
		field(o, "runs", "its bootloader; no application");
	else
		field(o, "runs", id->has_version ? bf_version_text(&id->version, v) : "unknown");
	if (id->caps & BF_CAP_COUNTER) {
		snprintf(line, sizeof(line), "%u", id->counter);
		field(o, "security counter", line);
	}
	for (size_t i = 0; i < id->n_slots; i++)
		say_slot(o, i, &id->slots[i]);
	names_of_bits(line, sizeof(line), id->caps, bf_cap_name);
	field(o, "can", line);
	for (size_t i = 0; o->verbose && i < id->n_regions; i++) {
		snprintf(line, sizeof(line), "0x%08x, %u bytes, %s", id->regions[i].addr,
			 id->regions[i].size, bf_region_kind_name(id->regions[i].kind));
		field(o, id->regions[i].name, line);
	}
}

static void extremes(const double *v, size_t n, double *ret_min, double *ret_max)
{
	*ret_min = *ret_max = v[0];
	for (size_t i = 1; i < n; i++) {
		*ret_min = v[i] < *ret_min ? v[i] : *ret_min;
		*ret_max = v[i] > *ret_max ? v[i] : *ret_max;
	}
}

static void say_measure(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_measure *m = ev->measure;
	double low, high;
	char line[256] = "";
	size_t n = 0;

	if (o->measured && !o->verbose)
		return;
	o->measured = true;
	if (m->has_soc)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%.1f %%, ", m->soc);
	if (m->has_pack)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%.2f V, ", m->pack_v);
	if (m->has_current)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%.2f A, ", m->current_a);
	if (m->n_cells) {
		extremes(m->cell_v, m->n_cells, &low, &high);
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%zu cells %.3f to %.3f V, ",
				      m->n_cells, low, high);
	}
	if (m->n_temps) {
		extremes(m->temp_c, m->n_temps, &low, &high);
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%.1f to %.1f degrees C, ", low,
				      high);
	}
	if (n >= 2)
		line[n - 2] = '\0';
	result(o, "  %-18s %s", "pack", line[0] ? line : "tells nothing about its condition");
}

static void say_check(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_check *c = ev->check;
	static const enum paint paints[] = {
		[BF_VERDICT_PASS] = PAINT_GOOD,
		[BF_VERDICT_FAIL] = PAINT_BAD,
		[BF_VERDICT_ALLOWED] = PAINT_WARN,
		[BF_VERDICT_UNKNOWN] = PAINT_WARN,
	};

	if (c->verdict == BF_VERDICT_PASS && !o->verbose)
		return;
	note(o, "  %s%-8s%s %s: %s%s%s%s", paint(o, paints[c->verdict]),
	     bf_verdict_name(c->verdict), paint(o, PAINT_PLAIN), c->name, c->got,
	     c->limit[0] ? " (limit " : "", c->limit, c->limit[0] ? ")" : "");
}

static void say_plan(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_plan *p = ev->plan;
	char size[32], skip[48] = "", slot[24] = "";

	if (p->has_slot)
		snprintf(slot, sizeof(slot), " into slot %u", p->slot);
	if (p->skip_bytes) {
		char text[32];

		snprintf(skip, sizeof(skip), ", %s already there",
			 bf_text_size(text, sizeof(text), p->skip_bytes));
	}
	note(o, "plan: %s -> %s, %s%s%s%s%s%s", p->from_version ? p->from_version : "unknown",
	     p->to_version ? p->to_version : "unknown", bf_text_size(size, sizeof(size), p->bytes),
	     slot, skip, p->backup ? ", after a backup" : "", p->trial ? ", started on trial" : "",
	     p->confirm ? ", confirmed after the self-test" : "");
	if (p->counter_will_rise)
		note(o,
		     "note: after confirming, the security counter rises from %u to %u and the old "
		     "version can never run again",
		     p->counter_from, p->counter_to);
}

static void say_phase(struct bf_out_text *o, const struct bf_event *ev)
{
	note(o, "[%u/%u] %s", ev->phase.index, ev->phase.count, ev->phase.name);
}

static void progress_text(char *dst, size_t cap, const struct bf_progress *p)
{
	char rate[32], done[32], total[32], eta[32] = "", share[32] = "";

	if (p->wire_share >= 0 && p->rate > 0)
		snprintf(share, sizeof(share), ", %.0f %% of the wire", p->wire_share * 100);
	if (p->eta >= 0) {
		char t[24];

		snprintf(eta, sizeof(eta), ", %s left", bf_text_time(t, sizeof(t), p->eta));
	}
	snprintf(dst, cap, "%3.0f %%  %s %s of %s, %s%s%s", p->percent, p->phase,
		 bf_text_size(done, sizeof(done), p->done),
		 bf_text_size(total, sizeof(total), p->total),
		 bf_text_rate(rate, sizeof(rate), p->rate), share, eta);
}

#define PLAIN_STEP_PERCENT 10

static void say_progress(struct bf_out_text *o, const struct bf_event *ev)
{
	char line[256];
	int percent = (int)ev->progress->percent;

	if (o->quiet || o->progress == BF_PROGRESS_NONE)
		return;
	progress_text(line, sizeof(line), ev->progress);
	if (o->progress == BF_PROGRESS_TTY) {
		fprintf(o->notes, "\r%s\033[K", line);
		fflush(o->notes);
		o->line_open = true;
		return;
	}
	if (percent / PLAIN_STEP_PERCENT == o->last_percent / PLAIN_STEP_PERCENT &&
	    ev->wall_us - o->last_line_us < BF_SEC(1))
		return;
	o->last_percent = percent;
	o->last_line_us = ev->wall_us;
	note(o, "%s", line);
}

/* A little below the second after which silence looks like a hang. */
#define ALIVE_GAP BF_MS(850)

static void say_alive(struct bf_out_text *o, const struct bf_event *ev)
{
	if (o->quiet || o->progress == BF_PROGRESS_NONE)
		return;
	if (o->progress == BF_PROGRESS_TTY) {
		fprintf(o->notes, "\r%s\033[K", ev->text);
		fflush(o->notes);
		o->line_open = true;
		return;
	}
	if (ev->wall_us - o->last_line_us < ALIVE_GAP)
		return;
	o->last_line_us = ev->wall_us;
	note(o, "%s", ev->text);
}

static void say_retry(struct bf_out_text *o, const struct bf_event *ev)
{
	if (o->verbose)
		note(o, "again: %s", ev->text);
}

static void say_file(struct bf_out_text *o, const struct bf_event *ev)
{
	result(o, "%s: %s", ev->file.what, ev->file.path);
}

static void say_region(struct bf_out_text *o, const struct bf_event *ev)
{
	char size[32];

	result(o, "  %-18s 0x%08x, %s: %s", ev->region.name, ev->region.addr,
	       bf_text_size(size, sizeof(size), ev->region.size), ev->region.result);
}

static void say_self_test(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_check *c = ev->check;

	note(o, "  self-test %s: %s%s%s%s%s", c->name, bf_verdict_name(c->verdict),
	     c->got[0] ? ", " : "", c->got, c->limit[0] ? ", limit " : "", c->limit);
}

static void say_summary(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_summary *s = ev->summary;
	char line[400], size[32];

	note(o, "time: %s", bf_text_times(line, sizeof(line), s));
	if (s->line.sent)
		note(o, "line: %s", bf_text_line(line, sizeof(line), s));
	if (s->regions_restored)
		note(o, "configuration: %u region%s put back, %s", s->regions_restored,
		     s->regions_restored == 1 ? "" : "s",
		     bf_text_size(size, sizeof(size), s->bytes_restored));
	if (s->bytes_sent || s->bytes_skipped)
		note(o, "data: %s", bf_text_moved(line, sizeof(line), s));
}

static void say_finding(struct bf_out_text *o, const struct bf_event *ev)
{
	static const enum paint paints[] = {
		[BF_SEVERITY_OK] = PAINT_GOOD,
		[BF_SEVERITY_NOTE] = PAINT_PLAIN,
		[BF_SEVERITY_WARNING] = PAINT_WARN,
		[BF_SEVERITY_PROBLEM] = PAINT_BAD,
	};
	const struct bf_diag_finding *f = ev->finding;

	if (o->quiet && f->severity < BF_SEVERITY_WARNING)
		return;
	result(o, "%s%-8s%s %s: %s", paint(o, paints[f->severity]), bf_severity_name(f->severity),
	       paint(o, PAINT_PLAIN), f->subject, f->text);
	if (f->mend[0])
		result(o, "         to mend it: %s", f->mend);
}

static say_fn *const say_rows[] = {
	[BF_EV_START] = say_start,         [BF_EV_IMAGE] = say_image,
	[BF_EV_INTERFACE] = say_interface, [BF_EV_CANDIDATE] = say_candidate,
	[BF_EV_TRIED] = say_tried,         [BF_EV_DEVICE] = say_device,
	[BF_EV_MEASURE] = say_measure,     [BF_EV_CHECK] = say_check,
	[BF_EV_PLAN] = say_plan,           [BF_EV_PHASE] = say_phase,
	[BF_EV_PROGRESS] = say_progress,   [BF_EV_ALIVE] = say_alive,
	[BF_EV_NOTICE] = say_note,         [BF_EV_WARNING] = say_warning,
	[BF_EV_RETRY] = say_retry,         [BF_EV_FILE] = say_file,
	[BF_EV_REGION] = say_region,       [BF_EV_SELF_TEST] = say_self_test,
	[BF_EV_SUMMARY] = say_summary,     [BF_EV_FINDING] = say_finding,
	[BF_EV_REQUEST] = say_request,
};
static_assert(BF_COUNT(say_rows) == BF_EV_KIND_COUNT, "every event can be said");

void bf_out_text_event(void *ctx, const struct bf_event *ev)
{
	say_rows[ev->kind](ctx, ev);
}

static void say_error(struct bf_out_text *o, const struct bf_err *err)
{
	close_line(o);
	if (err->pattern)
		fprintf(o->notes, "%s%s%s\n", paint(o, PAINT_BAD),
			bf_pattern_info(err->pattern)->title, paint(o, PAINT_PLAIN));
	fprintf(o->notes, "%sbmsflash: %s:%s %s\n", paint(o, PAINT_BAD), bf_rc_info(err->rc)->name,
		paint(o, PAINT_PLAIN), err->cause);
	for (unsigned i = 0; i < err->n_trail; i++)
		fprintf(o->notes, "  while %s\n", err->trail[i]);
	if (err->dev_refused)
		fprintf(o->notes, "  the pack answered: %s (0x%02x)\n", err->dev_name,
			err->dev_code);
	for (unsigned i = 0; i < err->n_likely; i++)
		fprintf(o->notes, "  %s %s\n",
			i ? "             " : "likely cause:", err->likely[i]);
	if (err->todo[0])
		fprintf(o->notes, "  do: %s\n", err->todo);
	if (err->next[0])
		fprintf(o->notes, "  next: %s\n", err->next);
	fflush(o->notes);
}

void bf_out_text_outcome(struct bf_out_text *o, const struct bf_outcome *outcome)
{
	enum paint p = outcome->rc ? PAINT_BAD : PAINT_GOOD;

	if (outcome->rc)
		say_error(o, &outcome->err);
	if (outcome->sentence[0])
		result(o, "%s%s%s", paint(o, p), outcome->sentence, paint(o, PAINT_PLAIN));
}

void bf_out_text_log(void *ctx, enum bf_log_level level, const char *line)
{
	static const char *const names[] = {
		[BF_LOG_WARN] = "warning",
		[BF_LOG_INFO] = "info",
		[BF_LOG_DEBUG] = "debug",
	};
	struct bf_out_text *o = ctx;

	close_line(o);
	fprintf(o->notes, "%s: %s\n", names[level], line);
}
