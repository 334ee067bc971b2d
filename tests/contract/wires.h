/* SPDX-License-Identifier: MIT */
/*
 * The wires that the promises of bmsflash/transport.h are tried on. A row of the table makes one wire
 * with its peer; a member that is NULL is something that cannot be done to this peer, and the
 * promises that need it are not tried.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/transport.h"

#define WIRE_MESSAGE 4 /* bytes of one message in these tests */

struct wire_row;

struct wire {
	const struct wire_row *row;
	struct bf_clock *clock;     /* what the transport waits on */
	struct bf_clock *own_clock; /* freed with the wire; NULL: the transport brought its own */
	struct bf_transport *t;
	struct fake *fake;
	int peer_fd;
	int cancel_fds[2]; /* real time: writing to [1] cancels */
	char address[64];
};

struct wire_row {
	const char *name;
	/* False when this wire is not built in or cannot be had on this machine. */
	bool (*make)(struct wire *w);
	void (*peer_says)(struct wire *w, const uint8_t message[WIRE_MESSAGE]);
	void (*peer_leaves)(struct wire *w);
	/* After the transport was closed: is what it held free again? */
	bool (*released)(struct wire *w);
	void (*clean)(struct wire *w);
};

extern const struct wire_row wire_rows[];
extern const size_t n_wire_rows;

/* Cancels now. */
void wire_cancel(struct wire *w);
