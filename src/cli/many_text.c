/* SPDX-License-Identifier: MIT */
/* Several packs on the screen: one live line for all, a line as each ends, a table, and a word for the far end of the hall. */
#include "many.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bmsflash/json.h"
#include "bmsflash/text.h"
#include "screen.h"

static const char *text_of(const struct bf_many_pack *p, const char *key)
{
	const char *text = bf_json_str(p->result, key);

	return text && *text ? text : "-";
}

static const char *word_of(const struct bf_many_pack *p)
{
	return text_of(p, "word");
}

/* ---- while it runs ---- */

void bf_many_show_end(struct bf_many *m, const struct bf_many_pack *p)
{
	char name[BF_ADDRESS_MAX + 32];

	bf_screen_note(m->text, bf_verdict_paint(word_of(p)), word_of(p), "%s: %s",
		       bf_many_name(m, p, name, sizeof(name)), text_of(p, "text"));
}

void bf_many_show_step(struct bf_many *m, struct bf_many_pack *p)
{
	char name[BF_ADDRESS_MAX + 32];

	p->shown = p->percent;
	if (m->json || m->text->quiet || m->text->progress != BF_PROGRESS_PLAIN)
		return;
	bf_text_note(m->text, "%s: %s %.0f %%", bf_many_name(m, p, name, sizeof(name)), p->activity,
		     p->percent);
}

void bf_many_show_warning(struct bf_many *m, const struct bf_many_pack *p, const char *text)
{
	char name[BF_ADDRESS_MAX + 32] = "";

	if (m->json)
		return;
	if (p)
		bf_many_name(m, p, name, sizeof(name));
	bf_screen_warn(m->text, "%s%s%s", name, p ? ": " : "", text);
}

void bf_many_show_live(struct bf_many *m)
{
	struct bf_out_text *o = m->text;
	char text[768], most[64], less[32];
	const char *const tails[] = { most, less, "", NULL };
	bf_time now = bf_now(m->clock);
	double sum = 0;

	if (o->quiet || o->progress != BF_PROGRESS_TTY || now - m->drawn < BF_MS(100))
		return;
	m->drawn = now;
	for (size_t i = 0; i < m->n; i++)
		sum += m->packs[i].percent;
	snprintf(most, sizeof(most), "%zu of %zu packs, %zu failed", m->ended, m->n, m->failed);
	snprintf(less, sizeof(less), "%zu/%zu", m->ended, m->n);
	bf_bar(text, sizeof(text), bf_terminal_width(o), o->utf8, "Packs", sum / (double)m->n,
	       tails);
	fprintf(o->notes, "\r%s\033[K", text);
	fflush(o->notes);
	o->line_open = true;
}

/* ---- the table ---- */

struct column {
	const char *title;
	unsigned from; /* the narrowest screen that shows it */
	size_t width;
};

enum { COL_IFACE, COL_NODE, COL_SERIAL, COL_BEFORE, COL_NOW, COL_TIME, COL_COUNT };

static const char *cell(const struct bf_many_pack *p, size_t column, char *dst, size_t cap)
{
	const char *base = strrchr(p->iface, '/');
	char v[32];

	switch (column) {
	case COL_IFACE:
		bf_text_escape(dst, cap, base ? base + 1 : p->iface);
		break;
	case COL_NODE:
		snprintf(dst, cap, "%lld", (long long)p->node);
		break;
	case COL_SERIAL:
		bf_text_escape(dst, cap, text_of(p, "serial"));
		break;
	case COL_BEFORE:
		bf_text_escape(dst, cap, text_of(p, "from_version"));
		break;
	case COL_NOW:
		bf_text_escape(dst, cap, text_of(p, "version"));
		break;
	default:
		snprintf(dst, cap, "%s",
			 bf_text_seconds(v, sizeof(v), bf_json_real(p->result, "seconds", 0)));
	}
	return dst;
}

#define CELL 28

static void row(struct bf_out_text *o, const struct column *columns, const struct bf_many_pack *p)
{
	char text[COL_COUNT * (CELL + 2) + 1] = "", one[CELL + 1];
	size_t at = 0;

	for (size_t c = 0; c < COL_COUNT; c++) {
		const char *what = p ? cell(p, c, one, sizeof(one)) : columns[c].title;

		if (columns[c].width)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%-*s  ",
					       (int)columns[c].width, what);
	}
	while (at && text[at - 1] == ' ')
		text[--at] = '\0';
	bf_text_result(o, "%s%-*s%s%s", p ? bf_paint(o, bf_verdict_paint(word_of(p))) : "",
		       BF_LABEL, p ? word_of(p) : "", p ? bf_paint(o, BF_PAINT_PLAIN) : "", text);
}

/* Columns as wide as their longest cell; those that do not fit are left out, the first column never. */
static void set_widths(const struct bf_many *m, struct column *columns, unsigned width)
{
	size_t sum = BF_LABEL;
	char one[CELL + 1];

	for (size_t c = 0; c < COL_COUNT; c++) {
		bool none = (c == COL_IFACE && m->n_lanes == 1) ||
			    (c == COL_NODE && !m->packs[0].has_node) || width < columns[c].from;

		columns[c].width = none ? 0 : strlen(columns[c].title);
		for (size_t i = 0; i < m->n && !none; i++) {
			size_t n = bf_text_columns(cell(&m->packs[i], c, one, sizeof(one)));

			columns[c].width = n > columns[c].width ? n : columns[c].width;
		}
		if (sum + columns[c].width > width)
			columns[c].width = 0;
		sum += columns[c].width ? columns[c].width + 2 : 0;
	}
}

static void show_failures(struct bf_many *m)
{
	struct bf_out_text *o = m->text;

	for (size_t i = 0; i < m->n; i++) {
		const struct bf_many_pack *p = &m->packs[i];
		const struct bf_json *e = bf_json_get(p->result, "error");
		char name[BF_ADDRESS_MAX + 32];

		if (!p->status || p->rc == BF_E_INTERRUPTED)
			continue;
		bf_text_result(o, "%s", "");
		bf_screen_line(o, bf_verdict_paint(word_of(p)), word_of(p), false, "%s: %s",
			       bf_many_name(m, p, name, sizeof(name)), text_of(p, "text"));
		if (bf_json_str(e, "do"))
			bf_screen_line(o, BF_PAINT_PLAIN, "Do", false, "%s", bf_json_str(e, "do"));
		if (bf_json_str(e, "next"))
			bf_text_result(o, "%-*s%s", BF_LABEL, "Next", bf_json_str(e, "next"));
	}
}

void bf_many_show_table(struct bf_many *m, const struct bf_outcome *outcome)
{
	struct column columns[COL_COUNT] = {
		[COL_IFACE] = { "Interface", 60, 0 }, [COL_NODE] = { "Node", 0, 0 },
		[COL_SERIAL] = { "Serial", 0, 0 },    [COL_BEFORE] = { "Before", 60, 0 },
		[COL_NOW] = { "Now", 40, 0 },         [COL_TIME] = { "Time", 60, 0 },
	};
	struct bf_out_text *o = m->text;
	const struct bf_facts none = { .job = m->opts->command };
	const char *word = bf_verdict_word(outcome, &none);
	char time[32];

	bf_text_close_line(o);
	if (!o->quiet) {
		set_widths(m, columns, bf_terminal_width(o));
		bf_text_result(o, "%s", "");
		row(o, columns, NULL);
		for (size_t i = 0; i < m->n; i++)
			row(o, columns, &m->packs[i]);
		show_failures(m);
		bf_text_result(o, "%s", "");
	}
	bf_screen_line(o, bf_verdict_paint(word), word, false, "%s (%s)", outcome->sentence,
		       bf_text_seconds(time, sizeof(time), bf_many_seconds(m)));
}

/* ---- two metres away ---- */

static const char *const glyphs[][5] = {
	{ "####.", "#...#", "####.", "#....", "#...." }, /* P */
	{ ".###.", "#...#", "#####", "#...#", "#...#" }, /* A */
	{ ".####", "#....", ".###.", "....#", "####." }, /* S */
	{ "#####", "#....", "####.", "#....", "#...." }, /* F */
	{ "#####", "..#..", "..#..", "..#..", "#####" }, /* I */
	{ "#....", "#....", "#....", "#....", "#####" }, /* L */
};

static const unsigned char pass_word[] = { 0, 1, 2, 2 }, fail_word[] = { 3, 1, 4, 5 };

#define LETTERS 4u
#define ROWS    5u
#define COLUMNS 6u /* of a letter, the gap behind it too */

static unsigned height_of(const struct bf_out_text *o)
{
	struct winsize size = { 0 };

	return ioctl(fileno(o->notes), TIOCGWINSZ, &size) < 0 || !size.ws_row ? 24 : size.ws_row;
}

void bf_many_show_big(struct bf_out_text *o, bool pass)
{
	const unsigned char *word = pass ? pass_word : fail_word;
	unsigned width = bf_terminal_width(o), high = height_of(o) / 2 / ROWS;
	unsigned wide = (width - 1) / (LETTERS * COLUMNS);
	const char *ink = o->utf8 ? "\u2588" : "#";

	if (!o->wraps || !wide) {
		bf_text_result(o, "%s", pass ? "PASS" : "FAIL");
		return;
	}
	/* A cell of a terminal is twice as high as it is wide. */
	high = !high ? 1 : high > (wide + 1) / 2 ? (wide + 1) / 2 : high;
	wide = wide > 2 * high ? 2 * high : wide;
	for (unsigned y = 0; y < ROWS * high; y++) {
		fputs(bf_paint(o, pass ? BF_PAINT_GOOD : BF_PAINT_BAD), o->results);
		for (unsigned x = 0; x < LETTERS * COLUMNS * wide; x++) {
			const char *line = glyphs[word[x / (COLUMNS * wide)]][y / high];
			unsigned at = x / wide % COLUMNS;

			fputs(at < COLUMNS - 1 && line[at] == '#' ? ink : " ", o->results);
		}
		fprintf(o->results, "%s\n", bf_paint(o, BF_PAINT_PLAIN));
	}
	fputc('\n', o->results);
}
