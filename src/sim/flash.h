/* SPDX-License-Identifier: MIT */
/*
 * The pack's NOR flash, with the habits of a real one: pages are erased to FF, double words are
 * programmed once, both take their time, and power may go in the middle of either. Every erase and
 * every program is one numbered operation, so that a test can stop at each of them.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/clock.h"

#define BF_FLASH_BASE  0x08000000u
#define BF_FLASH_SIZE  0x00154000u
#define BF_FLASH_PAGE  2048u
#define BF_FLASH_WORD  8u
#define BF_FLASH_GRAIN 128u /* smallest sector of any part */

struct bf_flash {
	uint8_t *mem;
	uint8_t erased;     /* what an erased byte reads: FF, on some parts 00 */
	uint64_t ops;       /* operations begun since this object was made; the first is number 1 */
	uint64_t cut_at;    /* power goes in the middle of this operation; 0: never */
	uint64_t cut_after; /* power goes when this operation is complete; 0: never */
	bool dead;          /* power is gone: operations do nothing */
	bf_time erase_us, program_us; /* one page, one double word */
	bf_time spent;                /* by operations since bf_flash_take_time() */
	uint64_t generation;          /* changes with the contents */
	uint8_t touched[BF_FLASH_SIZE /
			BF_FLASH_GRAIN]; /* bits of enum bf_flash_touch, for judges */
};

enum bf_flash_touch { BF_TOUCH_ERASED = 1, BF_TOUCH_WRITTEN = 2 };

void bf_flash_init(struct bf_flash *f); /* erased, 22 ms a page, 82 us a double word */
void bf_flash_done(struct bf_flash *f);

bool bf_flash_inside(uint32_t addr, size_t len);
/* Borrowed view; the range must be inside. */
const uint8_t *bf_flash_at(const struct bf_flash *f, uint32_t addr);
bool bf_flash_blank(const struct bf_flash *f, uint32_t addr, size_t len);

/* False when power went, or when the hardware refuses: an address that is not aligned or outside, a
 * double word that is not erased. Programming only FF leaves the double word erased and is free. */
bool bf_flash_erase(struct bf_flash *f, uint32_t page_addr);
/* A part with other sectors: one operation, which takes so long. addr and size on a grain. */
bool bf_flash_erase_sector(struct bf_flash *f, uint32_t addr, uint32_t size, bf_time us);
bool bf_flash_program(struct bf_flash *f, uint32_t addr, const uint8_t word[BF_FLASH_WORD]);
/* Any number of double words, stopping at the first that fails. */
bool bf_flash_write(struct bf_flash *f, uint32_t addr, const uint8_t *p, size_t len);

/* What a part does with cells that are not erased. */
enum bf_program {
	BF_PROGRAM_REFUSES, /* the unit stays as it is, and the hardware says so */
	BF_PROGRAM_CLEARS,  /* bits go from 1 to 0 wherever they are */
};

/* A part with another unit, which is 2, 4 or 8 bytes: one operation, which takes so long. */
bool bf_flash_program_unit(struct bf_flash *f, uint32_t addr, const uint8_t *p, size_t unit,
			   enum bf_program how, bf_time us);
/* Erased cells of this part read so; everything is erased. */
void bf_flash_reads_erased(struct bf_flash *f, uint8_t value);

/* As a programmer in the factory does it: no time, no operation number. */
void bf_flash_preload(struct bf_flash *f, uint32_t addr, const void *p, size_t len);

bf_time bf_flash_take_time(struct bf_flash *f);
/* What was done since this object was made to any grain of the range: bits of enum bf_flash_touch. */
unsigned bf_flash_touched(const struct bf_flash *f, uint32_t addr, size_t len);
