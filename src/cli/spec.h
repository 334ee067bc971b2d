/* SPDX-License-Identifier: MIT */
/*
 * The command line as data. One table describes the commands, one the options; parsing, --help, the option
 * lists of the man page and the shells' completions are all made from them (parse.c, help.c,
 * tools/gen_cli.c), and tests hold the tables against the registries.
 */
#pragma once

#include "bmsflash/session.h"

#define BF_MAX_KEYS  16
#define BF_MAX_NODES 256

/* What the command line says; filled by offset from the option table. */
struct bf_opts {
	enum bf_job_kind command;
	bool have_command; /* false: only --help or --version was asked for */
	bool help, version;
	bool bare;         /* nothing at all was typed */
	bool lacks_iface;  /* with BF_E_USAGE: --if is what is missing */
	const char *iface; /* the first of them */
	const char *ifaces[BF_MAX_KEYS + 1];
	const char *protocol, *profile;
	int64_t node; /* the first of them, -1: not given */
	struct bf_nodes {
		int64_t v[BF_MAX_NODES];
		size_t n;
	} nodes;
	const char *alt;
	const char *keys[BF_MAX_KEYS + 1];
	const char **images; /* NULL-terminated, owned */
	const char *auth_key;
	const char *output, *from, *fallback, *sig;
	int64_t addr; /* -1: not given */
	int64_t baud, bitrate, dbitrate;
	bf_time timeout, wait;
	bool json, dry_run, rescue, doctor, scan, yes, big;
	int64_t max_failures; /* 0: no limit */
	const char *report, *on_result, *backup_dir;
	bool list;
	int64_t keep; /* 0: all */
	int64_t verbose, quiet;
	const char *progress, *color;
	const char *trace, *record, *expect_serial;
	bool allow[BF_ALLOW_COUNT];
};

enum bf_opt_kind {
	BF_OPT_FLAG,     /* bool */
	BF_OPT_COUNTED,  /* int64_t, one more at each use */
	BF_OPT_TEXT,     /* const char * */
	BF_OPT_LIST,     /* const char *[BF_MAX_KEYS + 1] */
	BF_OPT_NODES,    /* struct bf_nodes: N, N-M, with commas */
	BF_OPT_NUMBER,   /* int64_t within min..max, decimal or 0x */
	BF_OPT_RATE,     /* int64_t, with k and M */
	BF_OPT_RATES,    /* two int64_t in a row: N[,M] */
	BF_OPT_DURATION, /* bf_time, with us, ms, s, m */
	BF_OPT_CHOICE,   /* const char *, one of `choices` */
	BF_OPT_ALLOW,    /* bool[BF_ALLOW_COUNT], NAME[,NAME] */
};

/* What the shells offer for an option's value. */
enum bf_complete {
	BF_COMPLETE_NONE,
	BF_COMPLETE_FILE,
	BF_COMPLETE_IFACE,
	BF_COMPLETE_CHOICES,
	BF_COMPLETE_PROFILE,
};

#define BF_CMD(job) (1u << (job))
#define BF_CMD_ALL  31u

struct bf_opt {
	char brief; /* 0: none */
	const char *name;
	const char *metavar; /* NULL: takes no value */
	const char *help;    /* one line, no full stop */
	enum bf_opt_kind kind;
	size_t slot; /* offset in struct bf_opts */
	int64_t min, max;
	const char *const *choices; /* NULL-terminated */
	enum bf_complete complete;
	unsigned commands; /* bits BF_CMD */
};

struct bf_command {
	enum bf_job_kind job;
	const char *name;
	const char *args; /* after the name, in the synopsis */
	const char *help; /* one line, no full stop */
	bool takes_images;
	unsigned min_images, max_images;
	bool needs_iface;
};

const struct bf_opt *bf_spec_options(size_t *ret_n);
const struct bf_command *bf_spec_commands(size_t *ret_n);
const struct bf_command *bf_spec_command(enum bf_job_kind job);

/* argv without the program's name. BF_E_USAGE with what is wrong, where, and what to do. */
struct bf_defaults;
/* The same with defaults for what is not given. */
enum bf_rc bf_parse_with(int argc, const char *const *argv, const struct bf_defaults *defaults,
			 struct bf_opts *ret, struct bf_err *err);
enum bf_rc bf_parse(int argc, const char *const *argv, struct bf_opts *ret, struct bf_err *err);
/* What they ask for; where files are kept and who asks is the caller's to fill in. Borrows from *opts and *claim. */
void bf_opts_job(const struct bf_opts *opts, struct bf_claim_opts *claim, struct bf_job *ret);
void bf_opts_done(struct bf_opts *opts);
/* Was a word of the command line --json? For errors that come before parsing is done. */
bool bf_parse_wants_json(int argc, const char *const *argv);
