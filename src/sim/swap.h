/* SPDX-License-Identifier: MIT */
/*
 * The boot loader's bank swap: swap with move, safe against power going at any flash operation.
 *
 * The last 8 KiB of a slot are its trailer. Offsets from the end of the slot:
 *   -2000 .. -0801  progress: one double word per finished step (slot 0 only)
 *   -0030           bytes that take part in the swap, u32
 *   -0028           kind of swap, u8
 *   -0020           copy done, u8 01
 *   -0018           image ok, u8 01
 *   -0010           magic, 16 bytes
 * Steps for n pages: move slot 0 up by one page, last page first (n steps); then for every page copy
 * slot 1 down and the moved page of slot 0 across (2n steps). The source of a step stays whole until the
 * step after it, so that a step that was cut off is simply done again.
 */
#pragma once

#include "sim/flash.h"

enum bf_swap_kind {
	BF_SWAP_NONE = 1,
	BF_SWAP_TEST = 2,
	BF_SWAP_PERM = 3,
	BF_SWAP_REVERT = 4,
};

struct bf_trailer {
	bool magic, copy_done, image_ok;
	enum bf_swap_kind kind; /* NONE when nothing sensible is written there */
	uint32_t size;
};

#define BF_TRAILER_SIZE 8192u
/* Largest image that can be swapped: the trailer and one spare page are taken. */
#define BF_SWAP_MAX(slot_size) ((slot_size)-BF_TRAILER_SIZE - BF_FLASH_PAGE)

struct bf_banks {
	struct bf_flash *flash;
	uint32_t slot[2]; /* addresses */
	uint32_t size;    /* of each */
};

void bf_trailer_read(const struct bf_banks *b, unsigned slot, struct bf_trailer *ret);

/* A swap was begun and is not finished. */
bool bf_swap_in_progress(const struct bf_banks *b);
/* What the trailers ask for at the next start. */
enum bf_swap_kind bf_swap_wanted(const struct bf_banks *b);
/* What runs from slot 0 was swapped in for a test and nobody confirmed it. */
bool bf_swap_on_trial(const struct bf_banks *b);

/* All return false when power went. */
bool bf_swap_begin(const struct bf_banks *b, enum bf_swap_kind kind, uint32_t bytes);
bool bf_swap_resume(const struct bf_banks *b);
/* Marks slot 1 for the next start; false also when the flash refuses. */
bool bf_swap_request(const struct bf_banks *b, bool permanent);
bool bf_swap_cancel(const struct bf_banks *b);
bool bf_swap_confirm(const struct bf_banks *b);
