/* SPDX-License-Identifier: MIT */
/*
 * DfuSe: erasing, sector by sector of the device's own map. Nothing beside the sectors that were named is
 * erased, and what was not erased is not written. A sector is seen to be erased to its end before the map's
 * sizes are relied on.
 */
#include "family/dfu/dfu_priv.h"

#include <string.h>

#define ERASE     0x41 /* AN3156, 5.3 */
#define ERASE_MAX BF_SEC(600)
#define TAIL      256u /* bytes at the end of a sector that show whether the erasure came so far */
#define HALVES    2    /* a map that says four times the real page is no map */

/* ST's ROM on some chips (STM32H743 above 1 MiB of flash): the end of an erasure is never told. No sector takes
 * so long, and the time that the device tells is waited for in any case. */
#define STUCK_AFTER BF_SEC(10)

/* ---- what was erased ---- */

static void note_erased(struct bf_dfu *d, unsigned alt, uint64_t from, uint64_t to)
{
	struct bf_dfu_range *r = NULL;

	for (size_t i = 0; i < d->erased.n && !r; i++) {
		struct bf_dfu_range *e = &d->erased.list[i];

		if (e->alt == alt && from <= e->to && to >= e->from)
			r = e;
	}
	if (r) {
		r->from = from < r->from ? from : r->from;
		r->to = to > r->to ? to : r->to;
		return;
	}
	/* What falls out of the list is looked at before it is written. */
	if (d->erased.n == BF_DFU_RANGES)
		memmove(d->erased.list, d->erased.list + 1, --d->erased.n * sizeof(*r));
	d->erased.list[d->erased.n++] = (struct bf_dfu_range){ alt, from, to };
}

bool bf_dfu_was_erased(const struct bf_dfu *d, unsigned alt, uint32_t addr, uint32_t size)
{
	uint64_t at = addr, end = at + size;
	bool more = true;

	while (at < end && more) {
		more = false;
		for (size_t i = 0; i < d->erased.n; i++) {
			const struct bf_dfu_range *r = &d->erased.list[i];

			if (r->alt == alt && r->from <= at && r->to > at) {
				at = r->to;
				more = true;
			}
		}
	}
	return at >= end;
}

/* ---- one sector ---- */

static bool can_look(const struct bf_dfu *d)
{
	return d->desc.attributes & BF_DFU_CAN_UPLOAD;
}

enum tail { TAIL_UNKNOWN, TAIL_BLANK, TAIL_FULL };

static enum tail look_at_tail(struct bf_dfu *d, uint32_t end, uint32_t size)
{
	uint32_t n = size < TAIL ? size : TAIL;
	uint8_t got[TAIL];
	struct bf_err none;

	bf_err_init(&none);
	if (n > bf_dfu_block(d))
		n = bf_dfu_block(d);
	if (bf_dfu_peek(d, end - n, got, n, &none) || bf_dfu_settle(d, &none)) {
		bf_dfu_settle_quietly(d);
		return TAIL_UNKNOWN;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (got[i] != 0xFF)
			return TAIL_FULL;
	}
	return TAIL_BLANK;
}

/* The erasure was done, and the device does not say so: CLRSTATUS brings it into dfuERROR, and once more out
 * of it. What the sector holds then is the answer. */
static enum bf_rc free_stuck(struct bf_dfu *d, const struct bf_dfu_sectors *s, struct bf_err *err)
{
	struct bf_err none;

	bf_err_init(&none);
	(void)bf_dfu_clear(d, &none);
	bf_err_init(&none);
	(void)bf_dfu_clear(d, &none);
	bf_err_init(&none);
	if (!can_look(d) || bf_dfu_settle(d, &none) ||
	    look_at_tail(d, s->addr + s->size, s->size) != TAIL_BLANK ||
	    look_at_tail(d, s->addr + (s->size < TAIL ? s->size : TAIL), s->size) != TAIL_BLANK)
		return err->rc;
	bf_log(d->base.env.log, BF_LOG_WARN,
	       "the device stayed busy after the sector at 0x%08X was erased; it reads blank",
	       s->addr);
	bf_err_init(err);
	return BF_OK;
}

static enum bf_rc erase_at(struct bf_dfu *d, const struct bf_dfu_sectors *s, uint32_t addr,
			   struct bf_err *err)
{
	bool stuck = bf_dfu_has(d, BF_DFU_HABIT_STUCK_ERASE) && can_look(d);
	enum bf_rc rc = bf_dfuse_command(d, ERASE, addr, stuck ? STUCK_AFTER : ERASE_MAX,
					 "erasing a sector", err);

	return rc == BF_E_TIMEOUT && stuck ? free_stuck(d, s, err) : rc;
}

/* The map said a larger page than the command erases. */
static void halve_pages(struct bf_dfu *d, uint32_t size, uint32_t unit)
{
	struct bf_dfu_map *map = &d->maps[d->alt < 0 ? 0 : d->alt];

	for (size_t i = 0; d->alt >= 0 && i < map->n_runs; i++) {
		if (map->runs[i].size != size)
			continue;
		map->runs[i].count *= size / unit;
		map->runs[i].size = unit;
	}
	d->sound_size = unit;
	bf_log(d->base.env.log, BF_LOG_WARN,
	       "the device's map says pages of %u bytes, an erasure clears %u", size, unit);
}

static enum bf_rc in_smaller_pages(struct bf_dfu *d, const struct bf_dfu_sectors *s,
				   struct bf_err *err)
{
	uint32_t unit = s->size;

	for (unsigned i = 0; i < HALVES && unit % 2 == 0; i++) {
		unit /= 2;
		for (uint32_t at = unit; at < s->size; at += unit) {
			if (erase_at(d, s, s->addr + at, err))
				return err->rc;
		}
		if (look_at_tail(d, s->addr + s->size, s->size) != TAIL_FULL) {
			halve_pages(d, s->size, unit);
			return BF_OK;
		}
	}
	bf_fail(err, BF_E_NAK, "the sector at 0x%08X was erased and still holds data", s->addr);
	bf_likely(err, "the flash is write-protected");
	bf_likely(err, "the device's memory map says other sectors than it has");
	return err->rc;
}

static enum bf_rc erase_sector(struct bf_dfu *d, const struct bf_dfu_sectors *s, struct bf_err *err)
{
	bool look = s->size != d->sound_size && s->size > TAIL && can_look(d);
	enum tail before = look ? look_at_tail(d, s->addr + s->size, s->size) : TAIL_UNKNOWN;

	if (erase_at(d, s, s->addr, err))
		return err->rc;
	if (before != TAIL_FULL)
		return BF_OK;
	switch (look_at_tail(d, s->addr + s->size, s->size)) {
	case TAIL_UNKNOWN:
		break;
	case TAIL_BLANK:
		d->sound_size = s->size;
		break;
	case TAIL_FULL:
		return in_smaller_pages(d, s, err);
	}
	return BF_OK;
}

/* ---- a range ---- */

static bool ends_with_sectors(const struct bf_dfu *d, uint32_t addr, uint32_t size)
{
	const struct bf_dfu_map *map = &d->maps[d->alt];
	uint32_t last = addr + (size - 1);
	struct bf_dfu_sectors first, end;

	return bf_dfu_map_sector(map, addr, &first) && first.addr == addr &&
	       bf_dfu_map_sector(map, last, &end) && end.addr + (end.size - 1) == last;
}

/* The claimed alternate setting holds the range in whole sectors that can be erased. */
static enum bf_rc whole_sectors(const struct bf_dfu *d, uint32_t addr, uint32_t size,
				struct bf_err *err)
{
	const struct bf_dfu_map *map = &d->maps[d->alt];
	uint32_t last = addr + (size - 1);

	if (!bf_dfu_map_covers(map, addr, size, BF_ACCESS_ERASE)) {
		bf_fail(err, BF_E_INCOMPATIBLE,
			"the device has no memory that can be erased at 0x%08X to 0x%08X (%u "
			"bytes)",
			addr, last, size);
		bf_likely(err, "the image was linked for another pack");
		return err->rc;
	}
	if (ends_with_sectors(d, addr, size))
		return BF_OK;
	return bf_fail(err, BF_E_INCOMPATIBLE,
		       "0x%08X to 0x%08X does not begin and end with sectors of '%s'", addr, last,
		       map->name);
}

/* A device that was reset on the way was looked at anew, and the map that counts is the new one. */
static enum bf_rc still_fits(const struct bf_dfu *d, uint32_t addr, uint32_t size,
			     struct bf_err *err)
{
	if (d->dfuse && bf_dfu_map_covers(&d->maps[d->alt], addr, size, BF_ACCESS_ERASE) &&
	    ends_with_sectors(d, addr, size))
		return BF_OK;
	bf_fail(err, BF_E_LINK, "after a bus reset the device shows another memory map");
	bf_likely(err, "a bad contact: unplug the device and plug it in again");
	return err->rc;
}

static enum bf_rc erase_all(struct bf_dfu *d, unsigned setting, uint32_t addr, uint32_t size,
			    struct bf_err *err)
{
	uint64_t end = (uint64_t)addr + size, next;
	struct bf_dfu_sectors s;

	for (uint64_t at = addr; at < end; at = next) {
		/* A look at the sector before it may have ended in a bus reset. */
		if (bf_dfu_select(d, setting, err) ||
		    still_fits(d, (uint32_t)at, (uint32_t)(end - at), err))
			return err->rc;
		if (!bf_dfu_map_sector(&d->maps[d->alt], (uint32_t)at, &s))
			return bf_fail(err, BF_E_INTERNAL, "no sector at 0x%08X", (uint32_t)at);
		next = (uint64_t)s.addr + s.size;
		if (erase_sector(d, &s, err))
			return err->rc;
		note_erased(d, setting, s.addr, next);
	}
	return BF_OK;
}

enum bf_rc bf_dfu_erase(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			uint32_t size, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);

	if (!d->dfuse)
		return bf_fail(err, BF_E_UNSUPPORTED, "plain DFU has no request that erases");
	if (size == 0)
		return BF_OK;
	if (size - 1 > UINT32_MAX - addr)
		return bf_fail(err, BF_E_INTERNAL, "%u bytes at 0x%08X", size, addr);
	if (bf_dfu_select(d, region->alt, err) || whole_sectors(d, addr, size, err) ||
	    bf_dfu_ready_to_write(d, err))
		return bf_while(err, "erasing %u bytes at 0x%08X", size, addr);
	d->stays = false;
	/* While the old contents are still there to see it by. */
	bf_dfu_prove_counting(d, addr);
	if (bf_dfu_ready_to_write(d, err) || erase_all(d, region->alt, addr, size, err))
		return bf_while(err, "erasing %u bytes at 0x%08X", size, addr);
	return BF_OK;
}
