/* SPDX-License-Identifier: MIT */
#include "proto/dfu_map.h"

#include <stdio.h>
#include <string.h>

/* Reads digits of the base; false when there is none or the number is larger than 32 bits. */
static bool digits(const char **p, unsigned base, uint32_t *ret)
{
	const char *from = *p;
	uint64_t v = 0;

	for (;; (*p)++) {
		unsigned c = (unsigned char)**p, d;

		if (c - '0' < 10)
			d = c - '0';
		else if (base == 16 && (c | 0x20) - 'a' < 6)
			d = (c | 0x20) - 'a' + 10;
		else
			break;
		v = v * base + d;
		if (v > UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)v;
	return *p != from;
}

static bool taken(const char **p, const char *text)
{
	size_t n = strlen(text);

	if (strncmp(*p, text, n) != 0)
		return false;
	*p += n;
	return true;
}

static uint32_t unit_of(const char **p)
{
	if (taken(p, "K"))
		return 1024;
	if (taken(p, "M"))
		return 1024 * 1024;
	if (!taken(p, "B"))
		(void)taken(p, " ");
	return 1;
}

/* "04*016Kg" at the address; *at moves behind it. */
static bool sectors(const char **p, uint64_t *at, struct bf_dfu_sectors *ret)
{
	uint64_t size;

	ret->addr = (uint32_t)*at;
	if (!digits(p, 10, &ret->count) || !taken(p, "*") || !digits(p, 10, &ret->size))
		return false;
	size = (uint64_t)ret->size * unit_of(p);
	if (**p < 'a' || **p > 'g')
		return false;
	ret->access = (unsigned)(*(*p)++ & 7);
	if (ret->count == 0 || size == 0 || size > UINT32_MAX)
		return false;
	ret->size = (uint32_t)size;
	if (size > (UINT32_MAX - *at) / ret->count) /* nobody has flash at the very last byte */
		return false;
	*at += size * ret->count;
	return true;
}

static bool overlaps(const struct bf_dfu_map *map, const struct bf_dfu_sectors *s)
{
	uint64_t end = s->addr + (uint64_t)s->count * s->size;

	for (size_t i = 0; i < map->n_runs; i++) {
		const struct bf_dfu_sectors *r = &map->runs[i];

		if (s->addr < r->addr + (uint64_t)r->count * r->size && r->addr < end)
			return true;
	}
	return false;
}

/* "/0x08000000/04*016Kg,01*064Kg" */
static bool group(const char **p, struct bf_dfu_map *map)
{
	uint32_t addr;
	uint64_t at;

	if (!taken(p, "/0x") || !digits(p, 16, &addr))
		return false;
	while (taken(p, " "))
		;
	if (!taken(p, "/"))
		return false;
	at = addr;
	do {
		if (map->n_runs == BF_DFU_MAP_RUNS || !sectors(p, &at, &map->runs[map->n_runs]) ||
		    overlaps(map, &map->runs[map->n_runs]))
			return false;
		map->n_runs++;
	} while (taken(p, ","));
	return true;
}

bool bf_dfu_map_parse(const char *text, struct bf_dfu_map *ret)
{
	struct bf_dfu_map map = { .n_runs = 0 };
	size_t n;

	if (!taken(&text, "@"))
		return false;
	n = strcspn(text, "/");
	snprintf(map.name, sizeof(map.name), "%.*s", (int)(n < 64 ? n : 64), text);
	for (size_t i = strlen(map.name); i && map.name[i - 1] == ' '; i--)
		map.name[i - 1] = '\0';
	text += n;
	do {
		if (!group(&text, &map))
			return false;
	} while (*text == '/');
	while (taken(&text, " "))
		;
	if (*text)
		return false;
	*ret = map;
	return true;
}

bool bf_dfu_map_sector(const struct bf_dfu_map *map, uint32_t addr, struct bf_dfu_sectors *ret)
{
	for (size_t i = 0; i < map->n_runs; i++) {
		const struct bf_dfu_sectors *r = &map->runs[i];
		uint32_t in = addr - r->addr;

		if (addr < r->addr || in / r->size >= r->count)
			continue;
		*ret = *r;
		ret->count = 1;
		ret->addr = addr - in % r->size;
		return true;
	}
	return false;
}

bool bf_dfu_map_covers(const struct bf_dfu_map *map, uint32_t addr, uint32_t size, unsigned access)
{
	uint64_t at = addr, end = (uint64_t)addr + size;
	struct bf_dfu_sectors s;

	while (at < end) {
		if (at > UINT32_MAX || !bf_dfu_map_sector(map, (uint32_t)at, &s) ||
		    (s.access & access) != access)
			return false;
		at = (uint64_t)s.addr + s.size;
	}
	return true;
}

static void add_sectors(struct bf_region *r, const struct bf_dfu_sectors *s)
{
	r->sectors[r->n_runs++] = (struct bf_sector_run){ s->addr, s->size, s->count };
	r->erase_unit = s->size > r->erase_unit ? s->size : r->erase_unit;
}

void bf_dfu_map_sectors(const struct bf_dfu_map *map, struct bf_region *r)
{
	uint64_t end = (uint64_t)r->addr + r->size;
	struct bf_dfu_sectors s;

	r->n_runs = 0;
	r->erase_unit = 0;
	for (size_t i = 0; i < map->n_runs && r->n_runs < BF_REGION_RUNS; i++) {
		const struct bf_dfu_sectors *run = &map->runs[i];
		uint64_t from = run->addr, to = from + (uint64_t)run->size * run->count;

		if (from < r->addr)
			from = r->addr - (r->addr - from) % run->size;
		if (to > end)
			to -= (to - end) / run->size * run->size;
		if (from >= to)
			continue;
		s = (struct bf_dfu_sectors){ .addr = (uint32_t)from,
					     .size = run->size,
					     .count = (uint32_t)((to - from) / run->size) };
		add_sectors(r, &s);
	}
}

/* Only what can be erased and written again is firmware's place. Option bytes and one-time memory are
 * told, but offered for reading only: what is written there by mistake stays. */
static void set_kind(struct bf_region *r)
{
	const unsigned flash = BF_ACCESS_ERASE | BF_ACCESS_WRITE;

	r->kind = (r->access & flash) == flash ? BF_REGION_APP : BF_REGION_OTHER;
	if (r->kind == BF_REGION_OTHER)
		r->access &= BF_ACCESS_READ;
}

static void name_region(struct bf_region *r, const char *name, size_t number)
{
	if (number == 0)
		snprintf(r->name, sizeof(r->name), "%s", name);
	else
		snprintf(r->name, sizeof(r->name), "%.19s %zu", name, number + 1);
}

size_t bf_dfu_map_regions(const struct bf_dfu_map *map, unsigned alt, struct bf_region *ret,
			  size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < map->n_runs; i++) {
		const struct bf_dfu_sectors *s = &map->runs[i];
		struct bf_region *last = n ? &ret[n - 1] : NULL;

		if (last && last->access == s->access && last->addr + last->size == s->addr &&
		    last->n_runs < BF_REGION_RUNS) {
			last->size += s->count * s->size;
			add_sectors(last, s);
			continue;
		}
		if (n == cap)
			break;
		ret[n] = (struct bf_region){
			.addr = s->addr, .size = s->count * s->size, .access = s->access, .alt = alt
		};
		name_region(&ret[n], map->name, n);
		add_sectors(&ret[n], s);
		n++;
	}
	for (size_t i = 0; i < n; i++)
		set_kind(&ret[i]);
	return n;
}
