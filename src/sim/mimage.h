/* SPDX-License-Identifier: MIT */
/* What the pack's boot loader makes of the bytes in a slot: its own reading of the MCUboot format. */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"

/* In the numbers of routine FF01 (bmsflash-uds(7)), and one for a slot without an image. */
enum bf_verdict {
	BF_VERDICT_GOOD = 0,
	BF_VERDICT_DAMAGED = 1,  /* or not signed by a key that the pack trusts */
	BF_VERDICT_OTHER_HW = 2, /* vendor or class is not this pack's */
	BF_VERDICT_LOW_COUNTER = 3,
	BF_VERDICT_DEPENDENCY = 4,
	BF_VERDICT_EMPTY = 5, /* no image header */
};

struct bf_mversion {
	uint8_t major, minor;
	uint16_t revision;
	uint32_t build;
};

struct bf_mimage {
	bool present; /* header and TLV areas are whole; the fields below are filled */
	uint8_t major, minor;
	uint16_t revision;
	uint32_t build;
	uint32_t total;   /* header, image and TLVs, bytes */
	uint32_t counter; /* 0: carries none */
	uint8_t digest[64];
	size_t digest_len;
	bool whole; /* the digest is right */
	bool sound; /* ... and the signature */
	bool other_hw, needs_more;
	unsigned need_image; /* with needs_more: which image, and its lowest version */
	struct bf_mversion need;
};

/* Who may sign, and what this hardware is. */
struct bf_trust {
	uint8_t keys[2][32]; /* Ed25519 public keys */
	size_t n_keys;
	uint8_t vid[16], cid[16];
};

void bf_mimage_read(const uint8_t *slot, size_t len, const struct bf_trust *trust,
		    struct bf_mimage *ret);
enum bf_verdict bf_mimage_verdict(const struct bf_mimage *image, uint32_t lowest_counter);
/* Which version is higher: below, equal to or above 0. The build number does not count. */
int bf_mimage_compare(const struct bf_mimage *a, const struct bf_mimage *b);
bool bf_mimage_reaches(const struct bf_mimage *image, const struct bf_mversion *lowest);
/* "1.5.0" or "2.1.0+42"; dst holds 32 bytes */
char *bf_mimage_version(const struct bf_mimage *image, char *dst);
