/* SPDX-License-Identifier: MIT */
/* A memory map is text from whatever is plugged in; what is taken must agree with itself. */
#include <string.h>

#include "family/dfu/dfu_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_region(const struct bf_dfu_map *map, const struct bf_region *r)
{
	struct bf_dfu_sectors s;
	uint32_t at = 0;

	if (r->size == 0 || r->size - 1 > UINT32_MAX - r->addr || r->erase_unit == 0)
		abort();
	if (!bf_dfu_map_sector(map, r->addr, &s) || s.size == 0)
		abort();
	/* Its sectors follow each other from its first byte to its last. */
	for (unsigned i = 0; i < r->n_runs; i++) {
		if (r->sectors[i].addr != r->addr + at)
			abort();
		at += r->sectors[i].size * r->sectors[i].count;
	}
	if (at != r->size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_region regions[16];
	struct bf_dfu_map map;
	char text[512];
	size_t n;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!bf_dfu_map_parse(text, &map))
		return 0;
	n = bf_dfu_map_regions(&map, 0, regions, 16);
	for (size_t i = 0; i < n && i < 16; i++)
		check_region(&map, &regions[i]);
	return 0;
}
