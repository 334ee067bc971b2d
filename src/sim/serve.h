/* SPDX-License-Identifier: MIT */
/*
 * The pack in real time, on wires that other programs can open. Each call serves until the clock is
 * cancelled (BF_E_INTERRUPTED) or the wire is lost; ready() is called once when somebody could connect.
 */
#pragma once

#include "sim/pack.h"

struct bf_serve {
	struct bf_pack *pack;   /* borrowed, on */
	struct bf_clock *clock; /* borrowed */
	void (*ready)(void *ctx, const char *where);
	/* A USB serial port is told its line coding, DTR and RTS, and breaks; NULL: nobody wants to know. */
	void (*heard)(void *ctx, const char *what);
	void *ctx;
};

/* A new pty in raw mode; link: a symbolic link to keep at it, or NULL. any_rate: the line follows the rate
 * that the other end sets instead of turning it into garbage. */
enum bf_rc bf_sim_serve_pty(const struct bf_serve *s, const char *link, bool any_rate,
			    struct bf_err *err);
/* An existing CAN interface that is up. LinkControl is not offered: the interface's rate is not ours. */
enum bf_rc bf_sim_serve_can(const struct bf_serve *s, const char *ifname, struct bf_err *err);
