/* SPDX-License-Identifier: MIT */
/*
 * A DFU device in memory behind tests/fake's USB: the states of DFU 1.1, A.2, and the DfuSe commands, with
 * whatever misbehaviour a test asks for.
 */
#pragma once

#include "bmsflash/family.h"
#include "fake.h"

#define PEER_BASE 0x08000000u
#define PEER_SIZE 0x20000u

struct peer_run { /* sectors of the chip, as they are and not as the map says */
	uint32_t addr, size, count;
};

enum peer_detach {
	PEER_DETACHES,      /* shows the loader at once, or leaves where it says so */
	PEER_STALLS_LEAVES, /* stalls DETACH and leaves all the same */
	PEER_BY_RESET,      /* waits for a bus reset, as long as wTimeout says */
	PEER_DEAF,          /* acknowledges, and goes only by a bus reset */
	PEER_NEVER,         /* goes on running */
};

struct peer {
	struct fake *usb;
	struct bf_clock *clock;
	bool loader; /* DFU mode */
	bool dfuse;
	uint8_t attributes;
	uint16_t transfer, detach_ms;
	uint16_t app_version, loader_version; /* bcdDFUVersion; 0: as the form has it */
	uint8_t loader_protocol;              /* bInterfaceProtocol in DFU mode */
	unsigned n_alts;                      /* in DFU mode */
	unsigned dead_alts;                   /* bits of those that refuse the first block */
	bool no_functional;                   /* told on request only */
	bool short_functional;                /* without bcdDFUVersion */
	uint8_t config[160];
	struct bf_usb_device device;

	uint8_t state, status, string;
	uint32_t poll_ms;   /* told while busy */
	unsigned busy_left; /* GETSTATUS answers that still say busy */
	unsigned busy_each; /* ... for each block */
	bf_time busy_until; /* asking before this is counted as impatience */
	unsigned impatient;
	unsigned unclaimed; /* class requests while no interface was claimed */
	unsigned strays;    /* class requests to the application, DETACH excepted */

	uint32_t base;
	uint8_t *mem;
	size_t size;
	size_t len;       /* plain: bytes received, or held for upload */
	uint32_t pointer; /* DfuSe */
	unsigned next_block;
	unsigned n_uploads; /* of block 0 */
	unsigned n_points, n_erases, n_blocks, n_clears, n_aborts, n_detaches, n_manifests;
	uint32_t erased[64];
	struct peer_run runs[12];
	size_t n_runs;

	enum peer_detach detach;
	bf_time detach_until;
	uint8_t fail_status;   /* given at the end of block fail_at */
	unsigned fail_at;      /* counted in data blocks from 1; 0: never */
	uint8_t fail_manifest; /* status instead of success */
	bool gone_in_manifest;
	bool silent_in_manifest; /* does what it should, and answers nothing more */
	bool manifests_for_ever;
	bool is_silent;
	bool upload_stalls, upload_endless;
	unsigned lose_answer_at; /* the block with this number arrives, its answer does not */
	unsigned drop_at;        /* falls back to dfuIDLE at this block */
	bool left;               /* DfuSe: told to leave */
	bool stays;              /* ... and does not */
	bool reset_leaves;       /* a bus reset in DFU mode starts the application */
	bool detach_leaves;      /* DETACH in dfuIDLE and a bus reset do */
	bool armed;
	bool read_protected;       /* every command and upload answers errVENDOR */
	uint32_t block_size;       /* of its own arithmetic; 0: wTransferSize */
	uint32_t real_page;        /* what one erasure clears; 0: the sector */
	bf_time stall_after_erase; /* GETSTATUS stalls while the flash works */
	bf_time stalls_until;
	bool only_clear; /* dfuERROR answers CLRSTATUS and nothing else */
	/* After an erasure an upload stalls, and only a bus reset helps: the bootloader, with these strings. */
	const char *const *strings_after_reset;
	bool stuck_erase; /* dfuDNBUSY for ever after an erasure that is good */
	bool stuck;
};

void peer_init(struct peer *p, struct bf_clock *clock, bool dfuse, bool loader);
void peer_show(struct peer *p); /* after changing mode, attributes or transfer */
/* A chip with other sectors; filled with bytes that tell where they are. */
void peer_chip(struct peer *p, uint32_t base, const struct peer_run *runs, size_t n);
void peer_done(struct peer *p);
/* Its power goes and comes back: off the bus for a moment, then in this mode. */
void peer_repower(struct peer *p, bool loader);
