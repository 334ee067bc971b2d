/* SPDX-License-Identifier: MIT */
/* A ROM loader on a serial line, as AN3155 has it, with a flash behind it: for tests of what is lost on the way. */
#pragma once

#include "bmsflash/family.h"
#include "bmsflash/rng.h"
#include "fake.h"

#define PEER_BASE  UINT32_C(0x08000000)
#define PEER_FLASH (128u * 1024)

struct stm32_peer {
	struct fake *fake;
	struct bf_clock *clock;
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_proto *proto;

	/* how it is made */
	uint16_t pid;    /* 0: has no GET ID */
	bool wide;       /* extended erase */
	bool sums;       /* checksum command, AN3155's form */
	bool short_sums; /* ... the other form */
	bool rdp;
	uint32_t page;    /* 1024 */
	uint32_t keep_to; /* pages below are write-protected: acknowledged, unchanged */
	unsigned zeros;   /* before the first acknowledge */
	long lose_host;   /* number of the byte of the host that is not heard, -1: none */
	unsigned lose_host_n;
	const uint8_t
		*wanted;  /* PEER_FLASH bytes: what it is to hold in the end, NULL: not looked at */
	unsigned strange; /* writes of anything else */
	long bad_host; /* from this byte on 160 by luck get lost or have a bit turned, -1: none */
	struct bf_rng luck;
	long lose_own; /* number of its own byte that gets lost */
	unsigned lose_own_n;
	long double_own; /* number of the byte of its own that comes twice, -1: none */
	bf_time byte_us; /* that each of its own bytes takes */
	bf_time said_until;
	long said_at_reset; /* number of the byte before which it loses its power, -1: never */
	unsigned resets;
	bool garbles; /* a reset leaves it at another rate: it refuses each two bytes, and that arrives as another byte */
	unsigned garbled;

	/* what it is at */
	enum {
		AT_AUTOBAUD,
		AT_NO_RATE, /* its first byte was none that shows the rate: deaf until a reset */
		AT_COMMAND,
		AT_COMPLEMENT,
		AT_WORD,
		AT_LENGTH,
		AT_DATA,
		AT_ERASE
	} state;
	uint8_t command, raw[2100];
	size_t n;
	unsigned words;
	uint32_t addr, len;
	long heard, said;
	uint8_t flash[PEER_FLASH];
	uint8_t pages[1024]; /* how often each page was erased */
	unsigned erasures, mass, went, reads, writes, cleared;
	uint32_t went_to;
};

struct stm32_peer *stm32_peer_new(void);
void stm32_peer_free(struct stm32_peer *p);
void stm32_peer_open(struct stm32_peer *p);
