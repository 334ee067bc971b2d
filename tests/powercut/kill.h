/* SPDX-License-Identifier: MIT */
/* The computer's side of a power cut: the process is gone at a chosen event, the pack stays; or its disk is full. */
#pragma once

#include "stack.h"

/* Gone at this event, which the user would have seen. False when the run ended before. The pack is in its
 * state file then. */
bool kill_run(struct stack *s, const char *options, unsigned nth);
/* The disk is full at call `at`, or from there on; returns the calls that were made. */
unsigned full_run(struct stack *s, const char *options, unsigned at, bool for_good,
		  bool *ret_refused);
