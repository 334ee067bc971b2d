/* SPDX-License-Identifier: MIT */
/* The parts of the text output: words and colours, lines that fit, the live line, the verdict. */
#pragma once

#include "bmsflash/shell.h"
#include "cli.h"

enum bf_paint { BF_PAINT_PLAIN, BF_PAINT_GOOD, BF_PAINT_WARN, BF_PAINT_BAD };
const char *bf_paint(const struct bf_out_text *o, enum bf_paint p);

/* ---- out_text.c: lines; names from outside are escaped ---- */
void bf_text_close_line(struct bf_out_text *o);
void bf_text_note(struct bf_out_text *o, const char *fmt, ...) BF_PRINTF(2, 3);
void bf_text_result(struct bf_out_text *o, const char *fmt, ...) BF_PRINTF(2, 3);
/* One of ours per event kind, as with -v. */
void bf_details_event(struct bf_out_text *o, const struct bf_event *ev);
void bf_details_error(struct bf_out_text *o, const struct bf_err *err);

/* ---- bar.c: pure text ---- */
#define BF_LABEL 11 /* columns of the first word and its blanks */

unsigned bf_terminal_width(const struct bf_out_text *o);
/* Columns of UTF-8 text; each character counts as one. */
size_t bf_text_columns(const char *s);
/*
 * "Writing    [####....]  58 %  192 of 331 kB   8 s left", cut to width - 1 columns: of the tails (longest first, ended
 * by NULL) the first that fits.
 */
void bf_bar(char *dst, size_t cap, unsigned width, bool utf8, const char *label, double percent,
	    const char *const *tails);
/* "331 kB", "8 s", "2 min 05 s": for people, thousands and whole seconds. */
char *bf_text_kb(char *dst, size_t cap, uint64_t bytes);
char *bf_text_seconds(char *dst, size_t cap, double s);
/* A file below the user's home with ~ in its place. */
const char *bf_text_home(const struct bf_out_text *o, const char *path, char *dst, size_t cap);

/* ---- screen.c ---- */
enum { BF_SHOWN_IMAGE = 1 << 16, BF_SHOWN_PACK = 1 << 17, BF_SHOWN_BACKUP = 1 << 18 };

/* A first word in colour and a text behind it; ok: "ok" at the right edge. On the results. */
void bf_screen_line(struct bf_out_text *o, enum bf_paint p, const char *label, bool ok,
		    const char *fmt, ...) BF_PRINTF(5, 6);
/* The same on the notes. */
void bf_screen_note(struct bf_out_text *o, enum bf_paint p, const char *label, const char *fmt, ...)
	BF_PRINTF(4, 5);
/* When it is quiet, too. */
void bf_screen_warn(struct bf_out_text *o, const char *fmt, ...) BF_PRINTF(2, 3);
void bf_screen_event(struct bf_out_text *o, const struct bf_event *ev);
/* The live line, or a plain one where it is time for one. */
void bf_screen_live(struct bf_out_text *o);
/* The steps that a run that failed did not come to show. */
void bf_screen_catch_up(struct bf_out_text *o);

/* Once, before the first request that cannot be taken back. */
void bf_screen_warn_of_no_return(struct bf_out_text *o);

/* ---- backups.c ---- */
/* The newest backup of the pack with this serial number; false: there is none. */
bool bf_backups_newest(const struct bf_folders *folders, const struct bf_opts *opts,
		       const char *serial, char *dst, size_t cap);

/* ---- known.c ---- */
/* probe --list: an event for each protocol, chip and profile. */
void bf_known_show(const struct bf_events *events, const struct bf_folders *folders);

/* ---- explain.c ---- */
struct bf_explained {
	size_t n;         /* files of ours that were checked */
	const char *kind; /* of the last one: "archive" */
};
/*
 * Shows what each file is (o may be NULL: shows nothing) and checks the archives, records and journals among them,
 * which leave the list. BF_E_IMAGE: one is broken.
 */
enum bf_rc bf_explain_files(struct bf_out_text *o, const char **images,
			    const struct bf_claim_opts *opts, const char *data_folder,
			    struct bf_explained *ret, struct bf_err *err);

/* ---- verdict.c ---- */
/* The first word of the last line, by exit code and state: product.md's table as code. */
const char *bf_verdict_word(const struct bf_outcome *outcome, const struct bf_facts *facts);
enum bf_paint bf_verdict_paint(const char *word);
/* "25.1 degrees C (sensor 1)" -> "25.1 C" */
void bf_text_short(char *dst, size_t cap, const char *src);
/* What the last line says behind its word. */
void bf_verdict_text(const struct bf_outcome *outcome, const struct bf_facts *facts, char *dst,
		     size_t cap);
/* A command like the user's own for another job: interface, protocol, profile, node and rates are kept. */
/* words: what follows, ended by NULL; may be NULL */
void bf_command_like(const struct bf_opts *opts, enum bf_job_kind job, const char *const *words,
		     const char *note, struct bf_err *err);
void bf_verdict_show(struct bf_out_text *o, const struct bf_outcome *outcome);
