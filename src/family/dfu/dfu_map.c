/* SPDX-License-Identifier: MIT */
#include "family/dfu/dfu_map.h"

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

static void skip_blanks(const char **p)
{
	*p += strspn(*p, " ");
}

static uint32_t unit_of(const char **p)
{
	skip_blanks(p);
	if (taken(p, "K") || taken(p, "k"))
		return 1024;
	if (taken(p, "M") || taken(p, "m"))
		return 1024 * 1024;
	(void)taken(p, "B");
	return 1;
}

/* "04*016Kg" at the address; *at moves behind it. Complete with its type letter: what a cut text leaves of
 * a number is never taken for the number. */
static bool sectors(const char **p, uint64_t *at, struct bf_dfu_sectors *ret)
{
	uint64_t size;
	unsigned type;

	ret->addr = (uint32_t)*at;
	skip_blanks(p);
	if (!digits(p, 10, &ret->count) || !taken(p, "*") || !digits(p, 10, &ret->size))
		return false;
	size = (uint64_t)ret->size * unit_of(p);
	skip_blanks(p);
	type = (unsigned char)**p | 0x20U;
	if (type < 'a' || type > 'g')
		return false;
	(*p)++;
	ret->access = type & 7;
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

/* "/0x08000000/" */
static bool group_address(const char **p, uint32_t *ret)
{
	if (!taken(p, "/"))
		return false;
	skip_blanks(p);
	if (!(taken(p, "0x") || taken(p, "0X")) || !digits(p, 16, ret))
		return false;
	skip_blanks(p);
	return taken(p, "/");
}

/* "/0x08000000/04*016Kg,01*064Kg"; false when it is not understood to its end. The runs before are kept. */
static bool group(const char **p, struct bf_dfu_map *map)
{
	uint32_t addr;
	uint64_t at;

	if (!group_address(p, &addr))
		return false;
	at = addr;
	do {
		if (map->n_runs == BF_DFU_MAP_RUNS || !sectors(p, &at, &map->runs[map->n_runs]) ||
		    overlaps(map, &map->runs[map->n_runs]))
			return false;
		map->n_runs++;
		skip_blanks(p);
	} while (taken(p, ","));
	return true;
}

/* Where the name ends: at the first slash that an address follows. */
static const char *first_group(const char *text)
{
	uint32_t addr;

	for (const char *p = strchr(text, '/'); p; p = strchr(p + 1, '/')) {
		const char *in = p;

		if (group_address(&in, &addr))
			return p;
	}
	return NULL;
}

bool bf_dfu_map_parse(const char *text, struct bf_dfu_map *ret)
{
	struct bf_dfu_map map = { .n_runs = 0 };
	const char *p;

	(void)taken(&text, "@");
	p = first_group(text);
	if (!p)
		return false;
	snprintf(map.name, sizeof(map.name), "%.*s", (int)(p - text < 64 ? p - text : 64), text);
	for (size_t i = strlen(map.name); i && map.name[i - 1] == ' '; i--)
		map.name[i - 1] = '\0';
	do {
		map.whole = group(&p, &map);
	} while (map.whole && *p == '/');
	map.whole = map.whole && !*p;
	if (!map.n_runs)
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

static bool follows(const struct bf_region *last, const struct bf_dfu_sectors *s)
{
	return last->access == s->access && last->addr + last->size == s->addr;
}

/* False when the region's list is full. */
static bool add_run(struct bf_region *r, const struct bf_dfu_sectors *s)
{
	struct bf_sector_run *last = r->n_runs ? &r->sectors[r->n_runs - 1] : NULL;

	if (last && last->size == s->size) {
		last->count += s->count;
	} else if (r->n_runs < BF_REGION_RUNS) {
		r->sectors[r->n_runs++] = (struct bf_sector_run){ .addr = s->addr,
								  .size = s->size,
								  .count = s->count };
	} else {
		return false;
	}
	r->size += s->count * s->size;
	if (s->size > r->erase_unit)
		r->erase_unit = s->size;
	return true;
}

size_t bf_dfu_map_regions(const struct bf_dfu_map *map, unsigned alt, struct bf_region *ret,
			  size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < map->n_runs; i++) {
		const struct bf_dfu_sectors *s = &map->runs[i];

		if (n && follows(&ret[n - 1], s) && add_run(&ret[n - 1], s))
			continue;
		if (n == cap)
			break;
		ret[n] = (struct bf_region){ .addr = s->addr, .access = s->access, .alt = alt };
		(void)add_run(&ret[n], s);
		name_region(&ret[n], map->name, n);
		n++;
	}
	for (size_t i = 0; i < n; i++)
		set_kind(&ret[i]);
	return n;
}

/* The sectors of a run that lie inside the region, as a run. */
static bool clip(const struct bf_dfu_sectors *s, const struct bf_region *r,
		 struct bf_dfu_sectors *ret)
{
	uint64_t from = s->addr, end = from + (uint64_t)s->count * s->size;
	uint64_t start = r->addr, stop = start + r->size;

	if (from < start)
		from += (start - from + s->size - 1) / s->size * s->size;
	if (end > stop)
		end -= (end - stop + s->size - 1) / s->size * s->size;
	if (from >= end || from < start || end > stop)
		return false;
	*ret = *s;
	ret->addr = (uint32_t)from;
	ret->count = (uint32_t)((end - from) / s->size);
	return true;
}

void bf_dfu_map_cut(const struct bf_dfu_map *map, struct bf_region *r)
{
	struct bf_region cut = { .n_runs = 0 };
	struct bf_dfu_sectors s;

	for (size_t i = 0; i < map->n_runs; i++) {
		if (!(map->runs[i].access & BF_ACCESS_ERASE) || !clip(&map->runs[i], r, &s))
			continue;
		if (cut.n_runs && cut.addr + cut.size != s.addr)
			break;
		if (!cut.n_runs)
			cut.addr = s.addr;
		if (!add_run(&cut, &s))
			break;
	}
	if (!cut.n_runs)
		return;
	memcpy(r->sectors, cut.sectors, sizeof(r->sectors));
	r->n_runs = cut.n_runs;
	r->erase_unit = cut.erase_unit;
}

void bf_dfu_map_pages(struct bf_dfu_map *map, uint32_t page)
{
	for (size_t i = 0; i < map->n_runs; i++) {
		struct bf_dfu_sectors *s = &map->runs[i];

		if (s->size <= page || s->size % page || s->count > UINT32_MAX / (s->size / page))
			continue;
		s->count *= s->size / page;
		s->size = page;
	}
}
