/* SPDX-License-Identifier: MIT */
/*
 * A wire on virtual time whose other end is a function of the test: it hears what is sent and puts
 * answers on the wire with a delay.
 */
#pragma once

#include "bmsflash/transport.h"

struct wire;

struct wire_item;

struct wire {
	struct bf_transport t;
	struct bf_vsource source;
	struct wire_item *first;
	size_t chunk; /* most bytes that one read gives, 0: all */
	void (*heard_bytes)(struct wire *w, const uint8_t *p, size_t len);
	void (*heard_frame)(struct wire *w, const struct bf_frame *f);
	void *peer;
	/* what was asked of the wire */
	struct bf_line line;
	uint32_t bitrate, dbitrate;
	uint32_t report_bitrate, report_dbitrate;
	bool may_set_bitrate;
	enum bf_rc send_fails; /* the next send fails with this */
	unsigned sent;
	bf_time sent_at[64]; /* of the first 64 sends */
	struct bf_filter filter;
};

/* kind is BF_WIRE_STREAM or BF_WIRE_BUS; brings its own virtual clock. */
struct wire *wire_new(enum bf_wire kind);
struct wire *wire_free(struct wire *w);
BF_DEFINE_CLEANUP(wire, wire_free)
void wire_put_bytes(struct wire *w, bf_time delay, const void *p, size_t len);
/* A frame of the given bytes with the identifier. */
void wire_put_frame(struct wire *w, bf_time delay, uint32_t id, unsigned flags, const void *p,
		    size_t len);
