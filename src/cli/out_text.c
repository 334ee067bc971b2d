/* SPDX-License-Identifier: MIT */
/* Events and the outcome for people: results on standard output, everything else on standard error. */
#include "screen.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/text.h"

const char *bf_paint(const struct bf_out_text *o, enum bf_paint p)
{
	static const char *const codes[] = { "\033[0m", "\033[32m", "\033[33m", "\033[31m" };

	return o->colour ? codes[p] : "";
}

/* A progress line on a terminal is erased before anything else is said. */
void bf_text_close_line(struct bf_out_text *o)
{
	if (o->line_open)
		fputs("\r\033[K", o->notes);
	o->line_open = false;
}

/* One of our own codes at p: its length. */
static size_t code_len(const struct bf_out_text *o, const char *p)
{
	for (int i = BF_PAINT_PLAIN; *p == '\033' && o->colour && i <= BF_PAINT_BAD; i++) {
		const char *code = bf_paint(o, (enum bf_paint)i);

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

void bf_text_note(struct bf_out_text *o, const char *fmt, ...)
{
	va_list ap;

	if (o->quiet)
		return;
	bf_text_close_line(o);
	va_start(ap, fmt);
	put(o, o->notes, fmt, ap);
	va_end(ap);
	fputc('\n', o->notes);
	fflush(o->notes);
}

void bf_text_result(struct bf_out_text *o, const char *fmt, ...)
{
	va_list ap;

	bf_text_close_line(o);
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
	bf_text_result(o, "%s: %s, version %s%s, %s, signed by %s%s", ev->image.path,
		       bf_format_name(m->format), v, counter,
		       bf_text_size(size, sizeof(size), ev->image.size), ev->image.key,
		       m->legacy ? " (legacy form of minisign)" : "");
}

static void say_interface(struct bf_out_text *o, const struct bf_event *ev)
{
	bool detail = ev->iface.detail && *ev->iface.detail;

	bf_text_note(o, "%s: opened%s%s", ev->iface.name, detail ? ", " : "",
		     detail ? ev->iface.detail : "");
}

static void say_candidate(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_candidate *c = ev->candidate;

	if (c->usable)
		bf_text_result(o, "%-24s %s", c->address, c->what);
	else
		bf_text_result(o, "%-24s %s (not usable: %s)", c->address, c->what, c->why);
}

static void say_request(struct bf_out_text *o, const struct bf_event *ev)
{
	bf_text_result(o, "%s", ev->text);
}

static void say_note(struct bf_out_text *o, const struct bf_event *ev)
{
	bf_text_note(o, "%s", ev->text);
}

static void say_tried(struct bf_out_text *o, const struct bf_event *ev)
{
	if (o->verbose)
		bf_text_note(o, "tried %s", ev->text);
}

static void say_warning(struct bf_out_text *o, const struct bf_event *ev)
{
	bool quiet = o->quiet;

	o->quiet = false;
	bf_text_note(o, "%swarning:%s %s", bf_paint(o, BF_PAINT_WARN), bf_paint(o, BF_PAINT_PLAIN),
		     ev->text);
	o->quiet = quiet;
}

static void field(struct bf_out_text *o, const char *name, const char *value)
{
	if (value && *value)
		bf_text_result(o, "  %-18s %s", name, value);
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

	bf_text_result(o, "%s %s, serial %s", id->manufacturer[0] ? id->manufacturer : "pack",
		       id->model, id->serial[0] ? id->serial : "unknown");
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
	bf_text_result(o, "  %-18s %s", "pack",
		       line[0] ? line : "tells nothing about its condition");
}

static void say_check(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_check *c = ev->check;
	static const enum bf_paint paints[] = {
		[BF_VERDICT_PASS] = BF_PAINT_GOOD,
		[BF_VERDICT_FAIL] = BF_PAINT_BAD,
		[BF_VERDICT_ALLOWED] = BF_PAINT_WARN,
		[BF_VERDICT_UNKNOWN] = BF_PAINT_WARN,
	};

	if (c->verdict == BF_VERDICT_PASS && !o->verbose)
		return;
	bf_text_note(o, "  %s%-8s%s %s: %s%s%s%s", bf_paint(o, paints[c->verdict]),
		     bf_verdict_name(c->verdict), bf_paint(o, BF_PAINT_PLAIN), c->name, c->got,
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
	bf_text_note(o, "plan: %s -> %s, %s%s%s%s%s%s",
		     p->from_version ? p->from_version : "unknown",
		     p->to_version ? p->to_version : "unknown",
		     bf_text_size(size, sizeof(size), p->bytes), slot, skip,
		     p->backup ? ", after a backup" : "", p->trial ? ", started on trial" : "",
		     p->confirm ? ", confirmed after the self-test" : "");
	if (p->counter_will_rise)
		bf_text_note(o,
			     "note: after confirming, the security counter rises from %u to %u and "
			     "the old "
			     "version can never run again",
			     p->counter_from, p->counter_to);
}

static void say_phase(struct bf_out_text *o, const struct bf_event *ev)
{
	bf_text_note(o, "[%u/%u] %s", ev->phase.index, ev->phase.count, ev->phase.name);
}

static void say_live(struct bf_out_text *o, const struct bf_event *ev)
{
	(void)ev;
	bf_screen_live(o);
}

static void say_retry(struct bf_out_text *o, const struct bf_event *ev)
{
	if (o->verbose)
		bf_text_note(o, "again: %s", ev->text);
}

static void say_file(struct bf_out_text *o, const struct bf_event *ev)
{
	bf_text_result(o, "%s: %s", ev->file.what, ev->file.path);
}

static void say_region(struct bf_out_text *o, const struct bf_event *ev)
{
	char size[32];

	bf_text_result(o, "  %-18s 0x%08x, %s: %s", ev->region.name, ev->region.addr,
		       bf_text_size(size, sizeof(size), ev->region.size), ev->region.result);
}

static void say_self_test(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_check *c = ev->check;

	bf_text_note(o, "  self-test %s: %s%s%s%s%s", c->name, bf_verdict_name(c->verdict),
		     c->got[0] ? ", " : "", c->got, c->limit[0] ? ", limit " : "", c->limit);
}

static void say_summary(struct bf_out_text *o, const struct bf_event *ev)
{
	const struct bf_summary *s = ev->summary;
	char line[400], size[32];

	bf_text_note(o, "time: %s", bf_text_times(line, sizeof(line), s));
	if (s->line.sent)
		bf_text_note(o, "line: %s", bf_text_line(line, sizeof(line), s));
	if (s->regions_restored)
		bf_text_note(o, "configuration: %u region%s put back, %s", s->regions_restored,
			     s->regions_restored == 1 ? "" : "s",
			     bf_text_size(size, sizeof(size), s->bytes_restored));
	if (s->bytes_sent || s->bytes_skipped)
		bf_text_note(o, "data: %s", bf_text_moved(line, sizeof(line), s));
}

static void say_finding(struct bf_out_text *o, const struct bf_event *ev)
{
	static const enum bf_paint paints[] = {
		[BF_SEVERITY_OK] = BF_PAINT_GOOD,
		[BF_SEVERITY_NOTE] = BF_PAINT_PLAIN,
		[BF_SEVERITY_WARNING] = BF_PAINT_WARN,
		[BF_SEVERITY_PROBLEM] = BF_PAINT_BAD,
	};
	const struct bf_diag_finding *f = ev->finding;

	if (o->quiet && f->severity < BF_SEVERITY_WARNING)
		return;
	bf_text_result(o, "%s%-8s%s %s: %s", bf_paint(o, paints[f->severity]),
		       bf_severity_name(f->severity), bf_paint(o, BF_PAINT_PLAIN), f->subject,
		       f->text);
	if (f->mend[0])
		bf_text_result(o, "         to fix it: %s", f->mend);
}

static say_fn *const say_rows[] = {
	[BF_EV_START] = say_start,         [BF_EV_IMAGE] = say_image,
	[BF_EV_INTERFACE] = say_interface, [BF_EV_CANDIDATE] = say_candidate,
	[BF_EV_TRIED] = say_tried,         [BF_EV_DEVICE] = say_device,
	[BF_EV_MEASURE] = say_measure,     [BF_EV_CHECK] = say_check,
	[BF_EV_PLAN] = say_plan,           [BF_EV_PHASE] = say_phase,
	[BF_EV_PROGRESS] = say_live,       [BF_EV_ALIVE] = say_live,
	[BF_EV_NOTICE] = say_note,         [BF_EV_WARNING] = say_warning,
	[BF_EV_RETRY] = say_retry,         [BF_EV_FILE] = say_file,
	[BF_EV_REGION] = say_region,       [BF_EV_SELF_TEST] = say_self_test,
	[BF_EV_SUMMARY] = say_summary,     [BF_EV_FINDING] = say_finding,
	[BF_EV_REQUEST] = say_request,     [BF_EV_KNOWN] = bf_screen_event,
};
static_assert(BF_COUNT(say_rows) == BF_EV_KIND_COUNT, "every event can be said");

void bf_details_event(struct bf_out_text *o, const struct bf_event *ev)
{
	say_rows[ev->kind](o, ev);
}

void bf_out_text_event(void *ctx, const struct bf_event *ev)
{
	struct bf_out_text *o = ctx;

	bf_facts_take(&o->facts, ev);
	if (o->verbose)
		bf_details_event(o, ev);
	else
		bf_screen_event(o, ev);
}

void bf_details_error(struct bf_out_text *o, const struct bf_err *err)
{
	bf_text_close_line(o);
	if (err->pattern)
		fprintf(o->notes, "%s%s%s\n", bf_paint(o, BF_PAINT_BAD),
			bf_pattern_info(err->pattern)->title, bf_paint(o, BF_PAINT_PLAIN));
	fprintf(o->notes, "%sbmsflash: %s:%s %s\n", bf_paint(o, BF_PAINT_BAD),
		bf_rc_info(err->rc)->name, bf_paint(o, BF_PAINT_PLAIN), err->cause);
	for (unsigned i = 0; i < err->n_trail; i++)
		fprintf(o->notes, "  while %s\n", err->trail[i]);
	if (err->dev_refused)
		fprintf(o->notes, "  the pack answered: %s (0x%02x)\n", err->dev_name,
			err->dev_code);
	for (unsigned i = 0; i < err->n_likely; i++)
		fprintf(o->notes, "  %s %s\n",
			i ? "             " : "likely cause:", err->likely[i]);
	fflush(o->notes);
}

void bf_out_text_outcome(struct bf_out_text *o, const struct bf_outcome *outcome)
{
	FILE *results = o->results;

	bf_text_close_line(o);
	/* Nothing began that could have a result. */
	if (outcome->rc == BF_E_USAGE)
		o->results = o->notes;
	if (outcome->rc && o->verbose)
		bf_details_error(o, &outcome->err);
	if (outcome->rc && !o->verbose)
		bf_screen_catch_up(o);
	bf_verdict_show(o, outcome);
	o->results = results;
}

void bf_out_text_log(void *ctx, enum bf_log_level level, const char *line)
{
	static const char *const names[] = {
		[BF_LOG_WARN] = "warning",
		[BF_LOG_INFO] = "info",
		[BF_LOG_DEBUG] = "debug",
	};
	struct bf_out_text *o = ctx;

	if (level == BF_LOG_WARN && !o->verbose) {
		bf_screen_warn(o, "%s", line);
		return;
	}
	bf_text_close_line(o);
	fprintf(o->notes, "%s: %s\n", names[level], line);
}
