/* SPDX-License-Identifier: MIT */
/*
 * ISO 14230-2 messages, as bytes: no clock, no I/O.
 *
 *   00 Fmt   10LLLLLL physical, 11LLLLLL functional; L 1..63, 0: a length byte follows
 *   01 Tgt
 *   02 Src
 *   03 [Len] 1..255
 *      data
 *      CS    sum of all bytes before it, modulo 256
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"
#include "link/deframe.h"

#define BF_KLINE_MAX_MSG   255
#define BF_KLINE_MAX_FRAME (4 + BF_KLINE_MAX_MSG + 1)

/* Writes the frame of a message of 1..255 bytes; returns its length. dst: BF_KLINE_MAX_FRAME bytes. */
size_t bf_kline_encode(uint8_t *dst, uint8_t target, uint8_t source, const uint8_t *msg,
		       size_t len);

/*
 * The format has no flags between messages, so a damaged or spurious byte in front must not hide the
 * message behind it: after a failure the deframer looks again from the next byte on.
 */
struct bf_kline_rx {
	uint8_t me, peer; /* set by the owner; the rest is zeroed */
	uint8_t buf[BF_KLINE_MAX_FRAME];
	size_t n;
	bool searching; /* the failure has been reported; looking for the next message */
	uint8_t msg[BF_KLINE_MAX_MSG];
	size_t msg_len;
};

/* Takes one byte. Afterwards bf_kline_next() is called until it says MORE. */
void bf_kline_put(struct bf_kline_rx *rx, uint8_t byte);
enum bf_deframed bf_kline_next(struct bf_kline_rx *rx);
/* The line was silent in the middle of a message: gives up its first byte. bf_kline_next() follows. */
void bf_kline_gap(struct bf_kline_rx *rx);
