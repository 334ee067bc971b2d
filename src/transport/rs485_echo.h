/* SPDX-License-Identifier: MIT */
/*
 * Own bytes heard back. Many two-wire adapters hand the sender its own bytes before the reply; others
 * do not. Nobody can ask which, so it is learned from the first exchange: the bytes that come are
 * compared with the bytes that went.
 *
 *	unknown   held back while they equal what was sent. All of it and then something else: echo.
 *	          The first difference: no echo, and what was held is handed on at once.
 *	present   removed by exact match. Bytes that differ are a collision, noise or an echo that was
 *	          heard in part; they are counted as damage.
 *	absent    everything passes. A whole own message heard word for word before the reply revises
 *	          this: the very first echo was damaged.
 *
 * Pure: no clock, no I/O. The driver says when no more echo can come.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"

enum bf_echo_mode { BF_ECHO_UNKNOWN, BF_ECHO_PRESENT, BF_ECHO_ABSENT };

struct bf_echo {
	enum bf_echo_mode mode;
	bool own_heard; /* a whole own message was heard back at least once */
	uint8_t *sent;  /* own bytes whose echo may still come */
	uint8_t *heard; /* what came in their place, `pos` bytes */
	size_t n_sent, pos;
	size_t sent_cap, heard_cap, out_cap; /* bytes that there is room for */
	size_t first_bad;                    /* of heard; equal to pos when all match */
	size_t bad;                          /* how many of heard differ */
	unsigned misses;                     /* messages in a row of which nothing was heard back */
	uint8_t *out;                        /* bytes of others, to be read from out_pos */
	size_t out_pos, out_len;
	uint64_t removed, damaged;
};

void bf_echo_done(struct bf_echo *e);
/* The port was opened anew: what was under way is lost, what was learned and counted stays. */
void bf_echo_reset(struct bf_echo *e);
void bf_echo_sent(struct bf_echo *e, const uint8_t *p, size_t len);
/* Takes what was received; foreign bytes go to the end of `out`. False when an own message came back
 * damaged in place: somebody else spoke at the same time, or noise. */
bool bf_echo_feed(struct bf_echo *e, const uint8_t *p, size_t len);
/* The time in which echo can come is over. */
void bf_echo_expire(struct bf_echo *e);
size_t bf_echo_take(struct bf_echo *e, uint8_t *p, size_t cap);
/* Drops the foreign bytes; echo that is still under way is expected further on. */
void bf_echo_discard(struct bf_echo *e);
