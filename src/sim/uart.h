/* SPDX-License-Identifier: MIT */
/*
 * A serial line between a tester and the pack, byte times and all. Two ends that do not agree on the rate hear
 * garbage; on a half-duplex line (RS485) two that talk at once spoil each other's bytes.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/clock.h"
#include "bmsflash/rng.h"

#define BF_LANE_SIZE 16384u

struct bf_lane { /* one direction */
	uint8_t buf[BF_LANE_SIZE];
	size_t head, len; /* ring */
	size_t piece;     /* bytes on the line now, 0: silent */
	bf_time began, due;
	uint32_t rate; /* of the piece under way */
	bool spoiled;
};

struct bf_uart;
typedef void bf_uart_heard(struct bf_uart *u, const uint8_t *p, size_t len, bf_time began,
			   bf_time now);

struct bf_uart {
	struct bf_lane to_pack, to_tester;
	uint32_t pack_rate, tester_rate;
	uint32_t next_pack_rate; /* taken when the pack has said all; 0: none */
	/* enum bf_parity of both ends, and a tester that uses other than 8 data bits. Ends that do not agree hear
	 * garbage. */
	unsigned pack_parity, tester_parity;
	bool tester_bits_differ;
	bool full_duplex;    /* two wires: both may talk at once */
	bool any_frames;     /* a pty knows of no parity */
	bool any_rate;       /* the pack has not chosen a rate yet, and hears every one */
	uint32_t heard_rate; /* of what it heard last */
	unsigned collisions;
	struct bf_rng rng;
	bf_uart_heard *at_pack, *at_tester;
	bf_uart_heard *sent; /* the tester's own bytes have passed: echo; may be NULL */
};

void bf_uart_init(struct bf_uart *u, uint32_t rate, uint64_t seed);
/* Queues bytes; returns how many were taken. */
size_t bf_uart_from_tester(struct bf_uart *u, const uint8_t *p, size_t len, bf_time now);
size_t bf_uart_from_pack(struct bf_uart *u, const uint8_t *p, size_t len, bf_time now);
void bf_uart_pack_rate(struct bf_uart *u, uint32_t rate);
/* At once. 0: every rate is heard, until one is chosen. */
void bf_uart_pack_line(struct bf_uart *u, uint32_t rate, unsigned parity);
bf_time bf_uart_next(const struct bf_uart *u);
void bf_uart_run(struct bf_uart *u, bf_time now);
