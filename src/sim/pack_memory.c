/* SPDX-License-Identifier: MIT */
/* The memory map, and work on the flash in a real pack's time. */
#include "sim/pack_priv.h"

#include <stdio.h>

#include "bmsflash/crc.h"

#define RWE (BF_PACK_READ | BF_PACK_ERASE | BF_PACK_WRITE)

static const struct bf_pack_region dual_map[] = {
	{ BF_PACK_REGION_BOOT, 0, BF_PACK_READ, BF_ADDR_BOOT, 0x10000, "boot" },
	{ BF_PACK_REGION_SLOT, 0, BF_PACK_READ, BF_ADDR_SLOT0, BF_PACK_SLOT_SIZE, "slot0" },
	{ BF_PACK_REGION_SLOT, 1, RWE, BF_ADDR_SLOT1, BF_PACK_SLOT_SIZE, "slot1" },
	{ BF_PACK_REGION_CONFIG, 0, RWE, BF_ADDR_CONFIG, 0x2000, "config" },
	{ BF_PACK_REGION_CALIBRATION, 0, RWE, BF_ADDR_CALIB, 0x2000, "calib" },
};
static const struct bf_pack_region single_map[] = {
	{ BF_PACK_REGION_BOOT, 0, BF_PACK_READ, BF_ADDR_BOOT, 0x10000, "boot" },
	{ BF_PACK_REGION_APP, 0, BF_PACK_READ, BF_ADDR_SLOT0, BF_PACK_SLOT_SIZE, "app" },
	{ BF_PACK_REGION_CONFIG, 0, RWE, BF_ADDR_CONFIG, 0x2000, "config" },
	{ BF_PACK_REGION_CALIBRATION, 0, RWE, BF_ADDR_CALIB, 0x2000, "calib" },
};

/* A loader that is not ours knows of its application alone. */
static size_t plain_map(const struct bf_pack *pack, struct bf_pack_region *ret)
{
	bool reads = pack->opts.quirks & BF_QUIRK_CANREAD;

	*ret = (struct bf_pack_region){ BF_PACK_REGION_APP,         0,    0, BF_ADDR_SLOT0,
					bf_plain_size(&pack->opts), "app" };
	ret->access = (uint8_t)((reads ? BF_PACK_READ : 0) |
				(pack->runs ? 0 : BF_PACK_ERASE | BF_PACK_WRITE));
	return 1;
}

size_t bf_pack_map(const struct bf_pack *pack, struct bf_pack_region ret[BF_PACK_REGIONS])
{
	bool single = pack->opts.quirks & BF_QUIRK_SINGLEBANK;
	const struct bf_pack_region *rows = single ? single_map : dual_map;
	size_t n = single ? BF_COUNT(single_map) : BF_COUNT(dual_map);

	if (bf_pack_is_plain(pack))
		return plain_map(pack, ret);
	for (size_t i = 0; i < n; i++) {
		ret[i] = rows[i];
		if (rows[i].addr == BF_ADDR_SLOT0 && !pack->runs)
			ret[i].access = RWE;
		if (pack->opts.quirks & BF_QUIRK_NOREAD)
			ret[i].access &= (uint8_t)~BF_PACK_READ;
		if ((pack->opts.quirks & BF_QUIRK_FIXEDCONFIG) &&
		    rows[i].kind == BF_PACK_REGION_CONFIG)
			ret[i].access &= BF_PACK_READ;
	}
	return n;
}

bool bf_pack_allows(const struct bf_pack *pack, uint32_t addr, size_t len, unsigned access)
{
	struct bf_pack_region map[BF_PACK_REGIONS];
	size_t n = bf_pack_map(pack, map);

	for (size_t i = 0; i < n; i++)
		if (addr >= map[i].addr && len <= map[i].size &&
		    addr - map[i].addr <= map[i].size - len)
			return (map[i].access & access) == access;
	return false;
}

bf_time bf_pack_idle_at(const struct bf_pack *pack, bf_time now)
{
	return pack->busy_until > now ? pack->busy_until : now;
}

void bf_pack_think(struct bf_pack *pack, bf_time us, bf_time now)
{
	pack->busy_until = bf_pack_idle_at(pack, now) + us;
}

enum bf_pack_work bf_pack_worked(struct bf_pack *pack, bool ok, bf_time now, bf_time *ret_done)
{
	pack->busy_until = bf_pack_idle_at(pack, now) + bf_flash_take_time(&pack->flash);
	if (pack->flash.dead) {
		bf_pack_die(pack, pack->busy_until);
		return BF_PACK_DIED;
	}
	*ret_done = pack->busy_until;
	return ok ? BF_PACK_DONE : BF_PACK_FAILED;
}

/* Firmware that is being replaced must not be started half-way: its mark goes first. */
static bool unmark(struct bf_pack *p, uint32_t addr, uint32_t size)
{
	struct bf_trailer t;

	if (addr >= BF_ADDR_SLOT1 + BF_PACK_SLOT_SIZE || addr + size <= BF_ADDR_SLOT1)
		return true;
	bf_trailer_read(&p->banks, 1, &t);
	return !t.magic || bf_swap_cancel(&p->banks);
}

enum bf_pack_work bf_pack_erase(struct bf_pack *pack, uint32_t addr, uint32_t size, bf_time now,
				bf_time *ret_done)
{
	bool ok = bf_flash_inside(addr, size) && unmark(pack, addr, size);

	for (uint32_t at = 0; ok && at < size; at += BF_FLASH_PAGE)
		ok = bf_flash_erase(&pack->flash, addr + at);
	return bf_pack_worked(pack, ok, now, ret_done);
}

uint32_t bf_pack_loader_crc(const struct bf_pack *pack)
{
	return (uint32_t)bf_crc(&bf_crc32_ieee, bf_flash_at(&pack->flash, BF_ADDR_BOOT),
				BF_LOADER_SIZE);
}

static void mark_loader(struct bf_pack *pack, uint32_t addr)
{
	if (pack->kept.loader_touched || addr - BF_ADDR_BOOT >= BF_LOADER_SIZE)
		return;
	pack->kept.loader_touched = true;
	pack->kept.loader_crc = bf_pack_loader_crc(pack);
}

enum bf_pack_work bf_pack_erase_sector(struct bf_pack *pack, uint32_t addr, uint32_t size,
				       bf_time us, bf_time now, bf_time *ret_done)
{
	bool ok = bf_flash_inside(addr, size) && unmark(pack, addr, size);

	if (pack->opts.flash_instant)
		us = 0;
	else if (pack->opts.quirks & BF_QUIRK_SLOW)
		us *= 4;
	mark_loader(pack, addr);
	ok = ok && bf_flash_erase_sector(&pack->flash, addr, size, us);
	return bf_pack_worked(pack, ok, now, ret_done);
}

unsigned bf_pack_touched(const struct bf_pack *pack, uint32_t addr, size_t len)
{
	return bf_flash_touched(&pack->flash, addr, len);
}

void bf_pack_preload(struct bf_pack *pack, uint32_t addr, const void *p, size_t len)
{
	bf_flash_preload(&pack->flash, addr, p, len);
}

enum bf_pack_work bf_pack_write(struct bf_pack *pack, uint32_t addr, const uint8_t *p, size_t len,
				bf_time now, bf_time *ret_done)
{
	mark_loader(pack, addr);
	pack->rewritten = pack->rewritten || addr - BF_ADDR_SLOT0 < BF_PACK_SLOT_SIZE;
	return bf_pack_worked(pack, bf_flash_write(&pack->flash, addr, p, len), now, ret_done);
}

enum bf_pack_work bf_pack_program(struct bf_pack *pack, uint32_t addr, const uint8_t *p, size_t len,
				  const struct bf_pack_program *how, bf_time now, bf_time *ret_done)
{
	bf_time us = pack->opts.flash_instant
			     ? 0
			     : how->us * (pack->opts.quirks & BF_QUIRK_SLOW ? 4 : 1);
	bool ok = true;

	mark_loader(pack, addr);
	pack->kept.torn = false; /* nothing of a unit's own update is left */
	pack->rewritten = pack->rewritten || addr - BF_ADDR_SLOT0 < BF_PACK_SLOT_SIZE;
	/* What one unit refuses does not keep the others from being written. */
	for (size_t i = 0; i < len && !pack->flash.dead; i += how->unit)
		ok = bf_flash_program_unit(&pack->flash, addr + (uint32_t)i, p + i, how->unit,
					   how->how, us) &&
		     ok;
	return bf_pack_worked(pack, ok, now, ret_done);
}

const uint8_t *bf_pack_view(const struct bf_pack *pack, uint32_t addr, size_t len)
{
	return bf_flash_inside(addr, len) ? bf_flash_at(&pack->flash, addr) : NULL;
}
