/* SPDX-License-Identifier: MIT */
/*
 * Several packs in one call. Each pack is a run of its own in a process of its own, so that what happens to one
 * happens to no other: packs on one interface one after another, interfaces side by side. A process writes NDJSON
 * into a pipe; this end merges the lines, and knows of a pack what its events say.
 */
#pragma once

#include <sys/types.h>

#include "cli.h"

#define BF_LANES_MAX 16

enum bf_pack_stage { BF_PACK_WAITS, BF_PACK_RUNS, BF_PACK_ENDED };

struct bf_many_pack {
	const char *iface; /* as given */
	int64_t node;
	bool has_node;
	const char *label; /* expected serial number, NULL: any */
	size_t lane;

	enum bf_pack_stage stage;
	double percent, shown; /* of the run; what plain progress showed last */
	char activity[16], serial[64];
	bool writing_seen, may_ask;
	struct bf_json *result; /* its last event, when it has ended */
	int status;
	enum bf_rc rc;
	enum bf_state state;
};

struct bf_lane {
	const char *iface;
	pid_t pid; /* 0: none runs */
	int events, answers;
	size_t pack; /* which one runs */
	char *line;  /* an event that is not complete yet */
	size_t len, cap;
};

/* One pack's part of the command line. */
struct bf_one {
	const char *iface, *label;
	int64_t node;                  /* -1: not given */
	char *output, *trace, *record; /* NULL: not given */
	bool asks;                     /* its question is answered on standard input */
};

struct bf_many {
	const struct bf_opts *opts;
	struct bf_clock *clock;
	struct bf_out_text *text;
	FILE *json; /* NULL: text */
	const struct bf_whose *whose;
	/* In the process of a pack: runs it and says the exit status. */
	int (*run_one)(void *ctx, const struct bf_one *one);
	void *ctx;
	bool asks; /* the user can be asked */
	struct bf_terminal *terminal;

	struct bf_many_pack *packs;
	size_t n;
	struct bf_lane lanes[BF_LANES_MAX];
	size_t n_lanes;
	size_t ended, failed;
	enum bf_answer answer;
	bool asked;
	unsigned stops; /* signals passed on */
	bf_time began, drawn;
};

bool bf_opts_many(const struct bf_opts *opts);
/* What several packs cannot share: BF_E_USAGE. */
enum bf_rc bf_many_check(const struct bf_opts *opts, struct bf_err *err);
/* labels: one for each pack in the order of the command line; NULL: none. Fills the outcome of the whole. */
void bf_many_run(struct bf_many *m, char *const *labels, struct bf_outcome *ret);
/* The last event of the whole: as of one pack, and a list of packs. */
struct bf_json *bf_many_json(const struct bf_many *m, const struct bf_outcome *outcome);
/* On the interface that took longest. */
double bf_many_seconds(const struct bf_many *m);
void bf_many_done(struct bf_many *m);
/* "ttyUSB0 node 3": what tells this pack from the others. */
const char *bf_many_name(const struct bf_many *m, const struct bf_many_pack *p, char *dst,
			 size_t cap);

/* ---- many_text.c ---- */
void bf_many_show_end(struct bf_many *m, const struct bf_many_pack *p);
void bf_many_show_live(struct bf_many *m);
/* Plain progress: a step that a pack has reached. */
void bf_many_show_step(struct bf_many *m, struct bf_many_pack *p);
void bf_many_show_warning(struct bf_many *m, const struct bf_many_pack *p, const char *text);
void bf_many_show_table(struct bf_many *m, const struct bf_outcome *outcome);
/* PASS or FAIL in letters as large as width and height take; colour: a ground in the colour of the verdict. */
void bf_many_show_big(struct bf_out_text *o, bool pass);
