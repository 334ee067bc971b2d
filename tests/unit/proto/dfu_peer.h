/* SPDX-License-Identifier: MIT */
/*
 * A DFU device in memory behind tests/fake's USB: the states of DFU 1.1, A.2, and the DfuSe commands, with
 * whatever misbehaviour a test asks for.
 */
#pragma once

#include "bmsflash/proto.h"
#include "fake.h"

#define PEER_BASE 0x08000000u
#define PEER_SIZE 0x20000u

struct peer {
	struct fake *usb;
	struct bf_clock *clock;
	bool loader; /* DFU mode */
	bool dfuse;
	uint8_t attributes;
	uint16_t transfer;
	uint8_t config[96];
	struct bf_usb_device device;

	uint8_t state, status, string;
	uint32_t poll_ms;   /* told while busy */
	unsigned busy_left; /* GETSTATUS answers that still say busy */
	unsigned busy_each; /* ... for each block */
	bf_time busy_until; /* asking before this is counted as impatience */
	unsigned impatient;

	uint8_t mem[PEER_SIZE];
	size_t len;       /* DFU 1.1: bytes received, or held for upload */
	uint32_t pointer; /* DfuSe */
	unsigned next_block;
	unsigned n_points, n_erases, n_blocks, n_clears, n_aborts;
	uint32_t erased[64];

	uint8_t fail_status;   /* given at the end of block fail_at */
	unsigned fail_at;      /* counted in data blocks from 1; 0: never */
	uint8_t fail_manifest; /* status instead of success */
	bool gone_in_manifest;
	bool upload_stalls;
	unsigned lose_answer_at; /* the block with this number arrives, its answer does not */
	unsigned drop_at;        /* falls back to dfuIDLE at this block */
	bool left;               /* DfuSe: told to leave */
};

void peer_init(struct peer *p, struct bf_clock *clock, bool dfuse, bool loader);
void peer_show(struct peer *p); /* after changing mode, attributes or transfer */
void peer_done(struct peer *p);
