/* SPDX-License-Identifier: MIT */
/*
 * The pack's end of the RS485 framings (bmsflash-uds(7)): ISO 14230 and HDLC, told apart by how a burst
 * begins. Bytes in, messages out; no clock and no line.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/clock.h"

#define BF_NODE_ADDR       0x11
#define BF_FRAMING_MAX     4095u                /* HDLC */
#define BF_FRAMING_MAX_ISO 255u                 /* ISO 14230 */
#define BF_FRAMING_WIRE    (2 * (4095 + 7) + 2) /* longest frame, every byte escaped */

enum bf_framed_as { BF_FRAMED_NONE, BF_FRAMED_ISO14230, BF_FRAMED_HDLC };

struct bf_framing_port {
	void (*message)(struct bf_framing_port *port, const uint8_t *msg, size_t len,
			bool functional, size_t longest, bf_time now);
};

struct bf_framing {
	struct bf_framing_port *port;
	enum bf_framed_as burst; /* what the bytes under way are */
	enum bf_framed_as asked; /* how the last request came */
	uint8_t tester;          /* who asked */
	uint8_t node;            /* who we are */
	uint8_t buf[BF_FRAMING_MAX + 7];
	size_t len;
	bool escaped, overrun;
	bf_time heard_at;
	unsigned damaged;
};

/* Node BF_NODE_ADDR, until told otherwise. */
void bf_framing_init(struct bf_framing *f, struct bf_framing_port *port);
/* began: when the first of these bytes began on the line. */
void bf_framing_feed(struct bf_framing *f, const uint8_t *p, size_t len, bf_time began,
		     bf_time now);
/* Frames an answer the way the last request was framed; returns its length, at most BF_FRAMING_WIRE. */
size_t bf_framing_answer(const struct bf_framing *f, const uint8_t *msg, size_t len, uint8_t *dst);
