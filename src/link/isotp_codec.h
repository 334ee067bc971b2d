/* SPDX-License-Identifier: MIT */
/*
 * ISO 15765-2 frames, as bytes: no clock, no I/O.
 *
 *   single       0L data                L 1..7
 *   single, FD   00 LL data             frames longer than 8 bytes
 *   first        1L LL data             LLL 8..4095
 *   first, long  10 00 LL LL LL LL data 4096 and more
 *   consecutive  2S data                S 1..F, 0, 1 ..
 *   flow control 3F BS ST               F 0 continue, 1 wait, 2 overflow
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"

enum bf_isotp_type {
	BF_ISOTP_BAD, /* not an ISO-TP frame: the standard says to ignore it */
	BF_ISOTP_SINGLE,
	BF_ISOTP_FIRST,
	BF_ISOTP_CONSECUTIVE,
	BF_ISOTP_FLOW,
};

enum bf_isotp_flow { BF_ISOTP_CTS, BF_ISOTP_WAIT, BF_ISOTP_OVERFLOW };

struct bf_isotp_pdu {
	enum bf_isotp_type type;
	size_t total;            /* single and first: length of the message */
	uint8_t sn;              /* consecutive: sequence number */
	enum bf_isotp_flow flow; /* flow control */
	uint8_t block_size, st_min;
	const uint8_t *data; /* message bytes in this frame, borrowed; padding may follow */
	size_t len;
};

void bf_isotp_decode(const uint8_t *p, size_t len, struct bf_isotp_pdu *ret);
/* The same where `head` bytes of address come before the frame's own (extended and mixed addressing: 1). */
void bf_isotp_decode_behind(const uint8_t *p, size_t len, size_t head, struct bf_isotp_pdu *ret);

/* STmin in microseconds; reserved values mean the longest time (9.6.5.5). */
uint32_t bf_isotp_st_us(uint8_t st_min);

/* How frames are filled. */
struct bf_isotp_shape {
	size_t tx_dl;     /* 8, FD: 8, 12, 16, 20, 24, 32, 48, 64 */
	int pad;          /* byte, -1: none but what FD's valid lengths need */
	bool has_address; /* extended and mixed addressing: a byte before each frame's own */
	uint8_t address;
};

/* Each writes one frame of at most 64 bytes and returns its length. *ret_taken: message bytes in it. */
size_t bf_isotp_put_first(const struct bf_isotp_shape *shape, uint8_t *dst, const uint8_t *msg,
			  size_t total, size_t *ret_taken);
size_t bf_isotp_put_next(const struct bf_isotp_shape *shape, uint8_t *dst, uint8_t sn,
			 const uint8_t *data, size_t left, size_t *ret_taken);
size_t bf_isotp_put_flow(const struct bf_isotp_shape *shape, uint8_t *dst, enum bf_isotp_flow flow,
			 uint8_t block_size, uint8_t st_min);

/* The receiving half. The owner sets buf, cap and block_size and zeroes the rest. */
struct bf_isotp_rx {
	uint8_t *buf;
	size_t cap;
	uint8_t block_size; /* that our flow control asked for */
	bool active;        /* a message has begun */
	size_t total, got;
	size_t cf_len; /* message bytes in each consecutive frame but the last */
	uint8_t sn;    /* expected next */
	uint8_t in_block;
};

enum bf_isotp_event {
	BF_ISOTP_NOTHING,  /* not for a receiver, or ignored */
	BF_ISOTP_MORE,     /* taken */
	BF_ISOTP_ASK,      /* taken, and the sender waits for a "continue" */
	BF_ISOTP_DONE,     /* buf holds a message of `total` bytes */
	BF_ISOTP_TOO_LONG, /* the sender waits for an "overflow" */
	BF_ISOTP_BROKEN,   /* sequence or length wrong: the message is dropped */
};

/* *ret_abandoned: a message that had begun was given up because a new one began. */
enum bf_isotp_event bf_isotp_feed(struct bf_isotp_rx *rx, const struct bf_isotp_pdu *pdu,
				  bool *ret_abandoned);
