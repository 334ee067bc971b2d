/* SPDX-License-Identifier: MIT */
/*
 * RFC 1662 octet-stuffed frames with FCS-32 (section C.2), as bytes: no clock, no I/O.
 *
 *   7E | address | control 03 | source | message | FCS, least significant byte first | 7E
 *
 * Between the flags 7E and 7D are sent as 7D 5E and 7D 5D. 7D 7E aborts a frame.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"
#include "link/deframe.h"

#define BF_HDLC_OVERHEAD 7 /* address, control, source, FCS */
/* Most bytes that a message of n can take on the wire. */
#define BF_HDLC_WIRE_MAX(n) (2 * ((n) + BF_HDLC_OVERHEAD) + 2)

/* Writes the frame; returns its length. dst: BF_HDLC_WIRE_MAX(len) bytes. */
size_t bf_hdlc_encode(uint8_t *dst, uint8_t target, uint8_t source, const uint8_t *msg, size_t len);

struct bf_hdlc_rx {
	uint8_t me, peer; /* set by the owner, as are buf and cap; the rest is zeroed */
	uint8_t *buf;     /* frame without flags; the message starts at BF_HDLC_MSG_AT */
	size_t cap;
	size_t n;
	bool in_frame; /* a flag has been seen */
	bool escaped;
	bool too_long;
	size_t msg_len;
};
#define BF_HDLC_MSG_AT 3

/* Takes one byte. MESSAGE: buf + BF_HDLC_MSG_AT holds msg_len bytes until the next byte is put. */
enum bf_deframed bf_hdlc_put(struct bf_hdlc_rx *rx, uint8_t byte);
/* Gives up a frame that has begun; true when there was something to give up. */
bool bf_hdlc_gap(struct bf_hdlc_rx *rx);
