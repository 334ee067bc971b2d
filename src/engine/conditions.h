/* SPDX-License-Identifier: MIT */
/*
 * conditions.c: the pack's conditions, before writing and while flash is written. It alone writes struct
 * bf_conditions. Judging a reading needs no wire and no clock, nothing but numbers.
 */
#pragma once

#include "bmsflash/session.h"

struct bf_run;
struct bf_source;

/* writer: conditions.c */
struct bf_conditions {
	struct bf_source *meter; /* NULL: conditions are not read */
	bool has_before;
	struct bf_measure before; /* the update */
	struct bf_measure first;  /* of the two readings before writing */
	bf_time first_at;
	bool silent;           /* no firmware runs that could tell */
	bool second_due;       /* it comes when everything else is ready */
	bf_time watched;       /* when conditions were read last */
	unsigned untold;       /* readings in a row that failed while writing */
	unsigned told_outside; /* bits of enum bf_allow: outside limits while writing, and told */
};

/* Takes the place of *transport where the conditions come over the same wire. */
enum bf_rc bf_conditions_open(struct bf_run *run, struct bf_transport **transport,
			      struct bf_err *err);
void bf_conditions_close(struct bf_run *run);
/* What an interrupted run read before it all began. */
void bf_conditions_before(struct bf_run *run, const double *cell_v, size_t n);
bool bf_run_measures(const struct bf_run *run);
/* All is unknown where nothing can be read. */
enum bf_rc bf_run_measure(struct bf_run *run, struct bf_measure *ret, struct bf_err *err);
/* While writing, with nothing on the wire: another reading when it is time, and a pause as long as the
 * conditions are outside the limits. */
bool bf_watch_due(const struct bf_run *run);
enum bf_rc bf_conditions_watch(struct bf_run *run, struct bf_err *err);

struct bf_finding {
	struct bf_check check; /* verdict is left to whoever decides, except for what is unknown */
	bool ok;
	char mend[160]; /* what would bring it inside; empty when ok */
};

#define BF_FINDINGS_MAX 10
struct bf_findings {
	struct bf_finding rows[BF_FINDINGS_MAX];
	size_t n;
};

/* Adds a finding for each condition that one reading can tell of. */
void bf_judge_now(const struct bf_profile *profile, const struct bf_measure *m,
		  struct bf_findings *ret);
/* Adds what two readings tell of together. */
void bf_judge_steady(const struct bf_profile *profile, const struct bf_measure *earlier,
		     const struct bf_measure *later, struct bf_findings *ret);
