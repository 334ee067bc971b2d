/* SPDX-License-Identifier: MIT */
/* boot.c: starting the new firmware, proving, testing and confirming it. It alone writes struct bf_boot. */
#pragma once

#include "bmsflash/session.h"

struct bf_run;

/* writer: boot.c */
struct bf_boot {
	bool left;                /* what was started says nothing on this line, ever */
	bool silent;              /* after the restart it could not be asked; only with no_proof */
	uint64_t proven_reopened; /* forgotten sessions, when the new firmware was proven to run */
	bool owes_restart; /* once confirmed: configuration was put back while it ran on trial */
};

/* The old firmware is back unasked: why, as far as restarts tell. */
void bf_name_loop(const struct bf_run *run, struct bf_err *err);
void bf_boot_owes_restart(struct bf_run *run, bool owes);
/* One rule decided, shown and recorded. */
enum bf_rc bf_self_test_decide(struct bf_run *run, struct bf_check *check, bool ok,
			       struct bf_err *err);
/* How long a restart may take: the profile's word, and more for an image that takes long to swap. */
bf_time bf_restart_patience(const struct bf_run *run);
/* Restarts the pack and waits until it answers; fills session.now and the model. */
enum bf_rc bf_run_restart(struct bf_run *run, struct bf_err *err);
