/* SPDX-License-Identifier: MIT */
/*
 * Where the pack's conditions come from. A source is one row: what wires it needs, how it is opened, read
 * and closed. The profile chooses; nothing else in the engine asks which one it is.
 */
#pragma once

#include "bmsflash/family.h"

struct bf_source;

struct bf_source_ops {
	unsigned wires;      /* bits of enum bf_wire that it can be read over */
	unsigned caps;       /* bits of enum bf_cap that the pack must have */
	bool by_application; /* told by the firmware alone: a pack in its loader is silent */
	/* May put itself between the wire and its user: *wire is replaced, and on failure closed and
	 * NULL. */
	enum bf_rc (*open)(const struct bf_profile *profile, struct bf_transport **wire,
			   struct bf_source **ret, struct bf_err *err);
	/* One reading; what is not told stays unknown. Between two exchanges of the protocol only. */
	enum bf_rc (*read)(struct bf_source *m, struct bf_transport *wire, struct bf_proto *proto,
			   struct bf_measure *ret, struct bf_err *err);
	/* After the wire was closed; that is not touched. */
	void (*close)(struct bf_source *m);
};

struct bf_source { /* an instance embeds this first */
	const struct bf_source_ops *ops;
};

extern const struct bf_source_ops bf_source_pack, bf_source_modbus, bf_source_can;

/* *ret stays NULL for a profile that reads nothing, and where the source does not fit this wire: that is
 * the business of whoever needs the conditions. */
enum bf_rc bf_source_open(const struct bf_profile *profile, struct bf_transport **wire,
			  struct bf_source **ret, struct bf_err *err);
/* Why there is no meter; BF_OK when the profile wants none. */
enum bf_rc bf_source_missing(const struct bf_profile *profile, const struct bf_transport *wire,
			     struct bf_err *err);
struct bf_source *bf_source_close(struct bf_source *m); /* takes NULL, returns NULL */
