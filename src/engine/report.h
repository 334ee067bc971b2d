/* SPDX-License-Identifier: MIT */
/* report.c and record.c: how the run ended, for the user and for the record. */
#pragma once

#include "bmsflash/session.h"

struct bf_run;

/* Likely causes and a next command, where the place of the failure gave none. */
void bf_advise(struct bf_run *run, struct bf_err *err);
void bf_summary_show(struct bf_run *run);
void bf_outcome_fill(struct bf_run *run, enum bf_rc rc, const struct bf_err *err,
		     struct bf_outcome *ret);

bool bf_job_checks_record(const struct bf_job *job);
/* Is there a place to record this run? */
enum bf_rc bf_record_may_write(const struct bf_run *run, struct bf_err *err);
/* Not possible: the outcome says so. */
void bf_record_write(struct bf_run *run, struct bf_outcome *outcome);
