/* SPDX-License-Identifier: MIT */
/* wire.c: the interface. It alone writes this. */
#pragma once

#include <limits.h>

#include "bmsflash/session.h"
#include "bmsflash/wire.h"

struct bf_run;

/* Small exchanges in a row. */
struct bf_linktest {
	unsigned sent, lost;
	unsigned gap, since;       /* lost in a row at most; answered in a row at the end */
	bf_time best, worst, mean; /* turnaround */
};

/* writer: wire.c */
struct bf_interface {
	bool locked;
	int lock_fd;
	struct bf_transport *transport;
	struct bf_wire_stats first; /* when it was opened */
	uint64_t heard_first;       /* on a bus, by anybody, when it was opened */
	uint32_t rate;              /* of the line now, bit/s, 0 unknown */
	uint32_t first_rate, agreed_rate;
	struct bf_linktest line_before; /* at the first rate, before anything was changed */
};

/* One name for one interface, however it was typed. */
enum bf_rc bf_iface_name(const struct bf_run *run, char dst[PATH_MAX], struct bf_err *err);
bf_time bf_rescue_patience(const struct bf_run *run);

/* The line was found at this rate. */
void bf_rate_found(struct bf_run *run, uint32_t rate);
uint32_t bf_rate_lower(const struct bf_run *run); /* the next rate down, 0: none */
/* BF_E_LINK: both ends are back at the old rate. */
enum bf_rc bf_rate_change(struct bf_run *run, uint32_t rate, struct bf_err *err);
/* A restart takes the agreed rate with it: our end is back at the first one. */
void bf_rate_restarted(struct bf_run *run);

enum bf_rc bf_linktest(struct bf_run *run, unsigned n, struct bf_linktest *ret, struct bf_err *err);
/* How many of n exchanges may get lost on a line that is no worse than it was. */
unsigned bf_linktest_may_lose(const struct bf_run *run, unsigned n);
