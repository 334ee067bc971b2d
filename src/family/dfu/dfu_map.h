/* SPDX-License-Identifier: MIT */
/*
 * The memory map that a DfuSe device shows as the string of an alternate setting (UM0424, 10.3.2):
 *
 *	@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg
 *	 name             address     count*size, unit, type; further "/address/..." may follow
 *
 * Units are B (or a blank, or nothing), K and M; the type is a letter whose low three bits say readable 1,
 * erasable 2, writeable 4: 'a' 1 ... 'g' 7.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/profile.h"

#define BF_DFU_MAP_RUNS 24

struct bf_dfu_sectors { /* count sectors of one size */
	uint32_t addr, count, size;
	unsigned access; /* bits of enum bf_access */
};

struct bf_dfu_map {
	char name[24];
	struct bf_dfu_sectors runs[BF_DFU_MAP_RUNS]; /* in the order of the text */
	size_t n_runs;
	bool whole; /* the text was understood to its end */
};

/* Lenient: takes the complete runs up to the first thing that is not understood (texts are cut, and have
 * something behind them), with or without the "@". False when there is no complete run. */
bool bf_dfu_map_parse(const char *text, struct bf_dfu_map *ret);

/* The sector that holds the address; false when there is none. */
bool bf_dfu_map_sector(const struct bf_dfu_map *map, uint32_t addr, struct bf_dfu_sectors *ret);

/* Every byte of [addr, addr+size) is there and may be accessed so. */
bool bf_dfu_map_covers(const struct bf_dfu_map *map, uint32_t addr, uint32_t size, unsigned access);

/* The map as regions: neighbours with the same access are one region with its sectors. Returns how many, at
 * most cap. */
size_t bf_dfu_map_regions(const struct bf_dfu_map *map, unsigned alt, struct bf_region *ret,
			  size_t cap);

/* Gives a region that a profile drew the map's sectors: those that lie in it from end to end, up to the first
 * gap. Left alone where there is none. */
void bf_dfu_map_cut(const struct bf_dfu_map *map, struct bf_region *r);

/* The same memory in smaller pages, where the map is known to say too large ones. */
void bf_dfu_map_pages(struct bf_dfu_map *map, uint32_t page);
