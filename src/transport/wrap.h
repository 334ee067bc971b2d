/* SPDX-License-Identifier: MIT */
/*
 * What wraps an open wire (fault injector, trace, tap) has in common: it owns the wire, looks like it from
 * above, and passes on what it does not care for.
 */
#pragma once

#include "bmsflash/transport.h"

struct bf_wrap;

/* One kind of wrapper. Of the wire's three kinds those count that it has; a member that is NULL is passed
 * on as it is, except write, read, discard, recv, control and bulk: those a wrapper brings. A member that
 * the wire has not stays NULL in the wrapper. */
struct bf_wrap_ops {
	struct bf_stream_ops stream;
	struct bf_bus_ops bus;
	struct bf_usb_ops usb;
	/* Frees the wrapper; ends with bf_transport_close of the wire. */
	void (*close)(struct bf_transport *t);
	/* Before a call is passed on; a failure is the call's. May be NULL. */
	enum bf_rc (*before)(struct bf_wrap *w, struct bf_err *err);
	/* After each call, when the wire's counters have been taken over. May be NULL. */
	void (*after)(struct bf_wrap *w, const char *doing, enum bf_rc rc);
};

struct bf_wrap { /* a wrapper embeds this first */
	struct bf_transport t;
	struct bf_transport *inner; /* owned */
	const struct bf_wrap_ops *mine;
	struct bf_transport_ops ops;
	struct bf_stream_ops stream;
	struct bf_bus_ops bus;
	struct bf_usb_ops usb;
};

/* Consumes `take`. */
void bf_wrap_init(struct bf_wrap *w, struct bf_transport *take, const struct bf_wrap_ops *mine);
/* The end of a call that a wrapper made itself; returns rc. */
enum bf_rc bf_wrap_after(struct bf_wrap *w, const char *doing, enum bf_rc rc);

/* Passing on, for wrappers that only look. */
enum bf_rc bf_wrap_set_line(struct bf_transport *t, const struct bf_line *line, struct bf_err *err);
enum bf_rc bf_wrap_set_modem(struct bf_transport *t, unsigned mask, unsigned on,
			     struct bf_err *err);
enum bf_rc bf_wrap_send_break(struct bf_transport *t, bf_time duration, struct bf_err *err);
enum bf_rc bf_wrap_stream_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err);
enum bf_rc bf_wrap_set_bitrate(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
			       struct bf_err *err);
enum bf_rc bf_wrap_claim(struct bf_transport *t, uint8_t interface, uint8_t alt,
			 struct bf_err *err);
enum bf_rc bf_wrap_reset(struct bf_transport *t, bf_time deadline, struct bf_err *err);
enum bf_rc bf_wrap_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err);
