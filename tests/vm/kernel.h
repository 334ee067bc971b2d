/* SPDX-License-Identifier: MIT */
/*
 * What the programs of this folder share. They try the drivers on a real kernel, in the bench (README):
 * they set up network interfaces and gadgets as root, and take real time.
 */
#pragma once

#include "../unit/unit.h"

#include <stdio.h>

#include "bmsflash/transport.h"

/* A shell command that must work. */
static inline void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

#define OK(call)                                                                 \
	do {                                                                     \
		bf_err_init(&err);                                               \
		if (call)                                                        \
			fail_msg("%s: %s", bf_rc_info(err.rc)->name, err.cause); \
	} while (0)

static inline struct bf_transport *open_wire(struct bf_clock *clock, const char *address)
{
	struct bf_open_env env = { .clock = clock };
	struct bf_transport *t = NULL;
	struct bf_err err;

	OK(bf_transport_open(&env, address, &t, &err));
	return t;
}
