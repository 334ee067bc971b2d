/* SPDX-License-Identifier: MIT */
/* The computer's side of a power cut: the process is gone at a chosen call or event, the pack stays. */
#pragma once

#include "stack.h"

enum kill_by {
	KILL_BY_CALL,  /* that changes a file: write (half of it is done), fsync, rename, ... */
	KILL_BY_EVENT, /* that the user would have seen */
};

/* False when the run ended before it was killed. The pack is in its state file then. */
bool kill_run(struct stack *s, const char *options, enum kill_by by, unsigned nth);
/* The disk is full from call `from` on, 0: never; returns the calls that were made. */
unsigned full_run(struct stack *s, const char *options, unsigned from);
