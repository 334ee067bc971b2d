/* SPDX-License-Identifier: MIT */
/* The parts of the command line program: only this layer prints, reads the environment and exits. */
#pragma once

#include <stdio.h>

#include "facts.h"
#include "spec.h"

/* ---- help.c ---- */
void bf_help_program(FILE *to);
void bf_help_command(FILE *to, const struct bf_command *command);

/* ---- folders.c: where things are, by XDG and the environment ---- */
struct bf_folders {
	char *keys[3];     /* user's, system's; NULL-terminated */
	char *profiles[4]; /* user's, system's, built-in; NULL-terminated */
	char *data;        /* backups and journals */
	char *runtime;     /* locks */
	char *config;      /* the user's settings, a file; NULL: no place for one */
};
/* BF_E_USAGE: the user has no home, and no variable names a folder in its place. */
enum bf_rc bf_folders_find(struct bf_folders *ret, struct bf_err *err);
void bf_folders_done(struct bf_folders *folders);

/* ---- defaults.c ---- */
struct bf_defaults {
	char *iface, *key, *profile, *color, *progress; /* NULL: not set */
	bool iface_of_file; /* config.ini names it: not for commands that write */
};
/* BF_E_USAGE with file and line. config may be NULL. */
enum bf_rc bf_defaults_find(const char *config, struct bf_defaults *ret, struct bf_err *err);
void bf_defaults_done(struct bf_defaults *defaults);

/* ---- contact.c ---- */
/* The only adapter that can be used; false: there is none, or there are several. */
bool bf_contact_only(char *dst, size_t cap);
/* A command line lacks --if: what is connected, and the same command with it. */
void bf_contact_name(int argc, const char *const *argv, struct bf_err *err);
/* What was named is not there: the files and ports that are. */
void bf_contact_advise(const struct bf_opts *opts, struct bf_err *err);
/* A trusted key is installed on this computer. */
bool bf_contact_has_key(const struct bf_folders *folders);
bool bf_contact_is_adapter(const char *address);
void bf_contact_show(FILE *to);

/* ---- out*.c: events and the outcome, as text or NDJSON ---- */
enum bf_progress_style { BF_PROGRESS_TTY, BF_PROGRESS_PLAIN, BF_PROGRESS_NONE };

/* Which run of the program, on which interface and node: in every event. */
struct bf_whose {
	char run[33];      /* empty: none, as in unit tests */
	const char *iface; /* as in --if; NULL: none */
	int64_t node;      /* as in --node, when has_node */
	bool has_node;
};

struct bf_out_text {
	FILE *results, *notes; /* standard output, standard error */
	enum bf_progress_style progress;
	bool colour;
	bool quiet;
	int64_t verbose;
	unsigned width; /* columns; 0: what the terminal says now */
	bool wraps;     /* results go to a terminal: long texts are broken at blanks */
	bool utf8;
	const char *home;                 /* shown as ~; may be NULL */
	const struct bf_opts *opts;       /* for commands that are printed; may be NULL */
	const struct bf_folders *folders; /* may be NULL */
	bool key_by_default;              /* the environment or config.ini names a trusted key */
	struct bf_whose whose;

	struct bf_facts facts;
	bool line_open; /* a live line without its newline stands on the terminal */
	bool begun;     /* a line of the result was printed */
	unsigned shown; /* bits of enum bf_activity and BF_SHOWN_*: steps that have their line */
	int64_t last_line_us; /* plain progress: time and percent of the last line */
	int last_percent;
	bool measured; /* details: conditions were shown */
};

struct bf_out_json {
	FILE *to;
	struct bf_facts facts;
	struct bf_whose whose;
	int64_t last_us; /* time of the last event, 0: none yet */
};

void bf_out_text_event(void *ctx, const struct bf_event *ev);
void bf_out_text_outcome(struct bf_out_text *out, const struct bf_outcome *outcome);
/* The user asked to stop (again): what happens next, at once. */
void bf_out_text_stopping(struct bf_out_text *out, const struct bf_clock *clock);
void bf_out_text_log(void *ctx, enum bf_log_level level, const char *line);

/* The last line: how a run ended, complete enough to be filed alone. */
struct bf_json *bf_result_json(const struct bf_whose *whose, const struct bf_facts *facts,
			       const struct bf_outcome *outcome, int64_t wall_us);
void bf_out_json_event(void *ctx, const struct bf_event *ev);
struct bf_kept; /* backups.h */
void bf_out_json_kept(struct bf_out_json *out, const struct bf_kept *kept, int64_t wall_us);
void bf_out_json_outcome(struct bf_out_json *out, const struct bf_outcome *outcome,
			 int64_t wall_us);
void bf_out_json_log(void *ctx, enum bf_log_level level, const char *line);

/* ---- labels.c ---- */
/* n labels, one a line; empty lines do not count. *ret is freed by bf_labels_free, after a failure too. */
enum bf_rc bf_labels_read(FILE *from, size_t n, char ***ret, struct bf_err *err);
void bf_labels_free(char **labels);

/* ---- report.c ---- */
enum bf_rc bf_report_check(const char *path, struct bf_err *err);
enum bf_rc bf_report_write(const char *path, const char *command, struct bf_json *const *results,
			   size_t n, struct bf_err *err);

/* ---- told.c: a program that learns of each result ---- */
enum bf_rc bf_told_check(const char *path, struct bf_err *err);
enum bf_rc bf_told(const char *path, const char *line, struct bf_err *err);

/* Words for enumerators, shared by text and JSON; tables with tests. */
const char *bf_event_name(enum bf_event_kind kind);
const char *bf_activity_name(enum bf_activity activity);
/* Names of the bits that are set, by index: for capabilities and slot flags. */
const char *bf_cap_name(unsigned bit);
const char *bf_slot_flag_name(unsigned bit);

/* "12.3 kB/s", "512 KiB", "1 min 05 s": into the caller's buffer, returned. */
char *bf_text_rate(char *dst, size_t cap, double bytes_per_s);
char *bf_text_size(char *dst, size_t cap, uint64_t bytes);
char *bf_text_time(char *dst, size_t cap, bf_time us);
/* figures.c: where the time went, what the line was like, what was moved */
const char *bf_text_times(char *dst, size_t cap, const struct bf_summary *s);
const char *bf_text_line(char *dst, size_t cap, const struct bf_summary *s);
const char *bf_text_moved(char *dst, size_t cap, const struct bf_summary *s);
/* ISO 8601, UTC, with microseconds. */
char *bf_text_stamp(char *dst, size_t cap, int64_t wall_us);
