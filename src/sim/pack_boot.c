/* SPDX-License-Identifier: MIT */
/* The boot loader: which firmware runs, after which swap. */
#include "sim/pack_priv.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "sim/stm32/rom.h"
#include "sim/xmodem/unit.h"

/* The wish cannot be granted: forget it, or every start would look at it again. MCUboot also takes the image away. */
static void drop_wish(struct bf_pack *p, unsigned image)
{
	struct bf_banks *b = bf_pack_banks(p, image);
	struct bf_trailer t;

	bf_trailer_read(b, 1, &t);
	if (t.magic && p->opts.protocol == BF_SIM_SMP && !bf_pack_bank_valid(p, image, 1) &&
	    !bf_flash_blank(&p->flash, b->slot[1], BF_FLASH_PAGE) &&
	    !bf_flash_erase(&p->flash, b->slot[1]))
		return;
	if (t.magic)
		bf_swap_cancel(b);
	else if (bf_swap_on_trial(b))
		bf_swap_confirm(b);
}

/* Does the image with this number, as it will be after the swaps, reach what another needs? */
static bool dependency_met(struct bf_pack *p, unsigned image, const enum bf_swap_kind *kinds)
{
	const struct bf_mimage *m = bf_pack_bank_image(p, image, 1);
	unsigned other = m->need_image;

	if (bf_pack_images(p) < 2 || !m->needs_more || other >= BF_PACK_IMAGES)
		return true;
	return bf_mimage_reaches(bf_pack_bank_image(p, other, kinds[other] != BF_SWAP_NONE),
				 &m->need);
}

/* What the boot loader will do for each image. A swap only starts with an image that may run afterwards: otherwise
 * the pack would be left worse. */
static void choose_swaps(struct bf_pack *p, enum bf_swap_kind kinds[BF_PACK_IMAGES])
{
	bool again = true;

	while (again && !p->flash.dead) {
		again = false;
		for (unsigned i = 0; i < bf_pack_images(p); i++) {
			if (kinds[i] == BF_SWAP_NONE ||
			    (bf_pack_bank_valid(p, i, 1) && dependency_met(p, i, kinds)))
				continue;
			drop_wish(p, i);
			kinds[i] = BF_SWAP_NONE;
			again = true;
		}
	}
}

static void swap_image(struct bf_pack *p, unsigned image, enum bf_swap_kind kind)
{
	uint32_t a = bf_pack_bank_image(p, image, 0)->total;
	uint32_t b = bf_pack_bank_image(p, image, 1)->total;

	if (a > BF_SWAP_MAX(bf_pack_bank_size(p, image)))
		a = 0;
	bf_swap_begin(bf_pack_banks(p, image), kind, a > b ? a : b);
}

/* Slot 0 is lost with the first page; slot 1 keeps its mark until all is copied, so that a start that was cut off
 * begins again. */
static void overwrite_image(struct bf_pack *p, unsigned image)
{
	struct bf_banks *b = bf_pack_banks(p, image);
	uint32_t bytes = bf_pack_bank_image(p, image, 1)->total;
	uint32_t last = b->slot[0] + b->size - BF_FLASH_PAGE;

	for (uint32_t at = 0; at < bytes; at += BF_FLASH_PAGE) {
		const uint8_t *src = bf_flash_at(&p->flash, b->slot[1] + at);

		if (!bf_flash_erase(&p->flash, b->slot[0] + at) ||
		    !bf_flash_write(&p->flash, b->slot[0] + at, src, BF_FLASH_PAGE))
			return;
	}
	if (!bf_flash_blank(&p->flash, last, BF_FLASH_PAGE) && !bf_flash_erase(&p->flash, last))
		return;
	if (bf_flash_erase(&p->flash, b->slot[1]))
		bf_swap_cancel(b);
}

static void swap_banks(struct bf_pack *p)
{
	enum bf_swap_kind kinds[BF_PACK_IMAGES] = { BF_SWAP_NONE, BF_SWAP_NONE };

	for (unsigned i = 0; i < bf_pack_images(p); i++) {
		struct bf_banks *b = bf_pack_banks(p, i);

		if (bf_swap_in_progress(b))
			bf_swap_resume(b);
		else
			kinds[i] = bf_swap_wanted(b);
	}
	if (p->flash.dead)
		return;
	choose_swaps(p, kinds);
	for (unsigned i = 0; i < bf_pack_images(p) && !p->flash.dead; i++) {
		if (kinds[i] == BF_SWAP_NONE)
			continue;
		if (p->opts.swap == BF_SIM_SWAP_OVERWRITE)
			overwrite_image(p, i);
		else
			swap_image(p, i, kinds[i]);
	}
}

/* Firmware with a bad habit, on the configuration that the firmware before it left. */
static void wipe_configuration(struct bf_pack *p, bool first)
{
	static const char own[] = "cells=8\nchemistry=NMC\nversion=2\n";
	bool factory = p->running.major == 1 && p->running.minor == 3;
	bool again = p->opts.wipe == BF_SIM_WIPE_ALWAYS && !factory;

	if (!p->opts.wipe || !(first || again) || !bf_flash_erase(&p->flash, BF_ADDR_CONFIG) ||
	    p->opts.wipe == BF_SIM_WIPE_BLANK)
		return;
	(void)bf_flash_write(&p->flash, BF_ADDR_CONFIG, (const uint8_t *)own, sizeof(own) - 1);
}

/* ---- loaders that are not ours: a mark decides ---- */

const uint8_t bf_valid_mark[BF_FLASH_WORD] = { 0x56, 0x41, 0x4C, 0x49, 0x44, 0x5A, 0xA5, 0x00 };

bool bf_pack_is_plain(const struct bf_pack *pack)
{
	return bf_plain_size(&pack->opts) > 0;
}

static bool is_marked(const struct bf_pack *p)
{
	return memcmp(bf_flash_at(&p->flash, BF_ADDR_VALID), bf_valid_mark,
		      sizeof(bf_valid_mark)) == 0;
}

enum bf_pack_work bf_pack_mark_valid(struct bf_pack *pack, bool valid, bf_time now,
				     bf_time *ret_done)
{
	bool ok = true;

	if (!valid && !bf_flash_blank(&pack->flash, BF_ADDR_VALID, BF_FLASH_PAGE))
		ok = bf_flash_erase(&pack->flash, BF_ADDR_VALID);
	if (valid && !is_marked(pack))
		ok = bf_flash_write(&pack->flash, BF_ADDR_VALID, bf_valid_mark,
				    sizeof(bf_valid_mark));
	return bf_pack_worked(pack, ok, now, ret_done);
}

/* A stack in RAM, and a function of Thumb code inside the application. */
static bool is_vector_table(const struct bf_pack *pack)
{
	const uint8_t *p = bf_flash_at(&pack->flash, BF_ADDR_SLOT0);
	uint32_t sp = bf_get_le32(p), entry = bf_get_le32(p + 4);

	return sp - 0x20000000u <= 0x00080000u && (entry & 1) &&
	       entry - bf_plain_base(&pack->opts) < bf_plain_size(&pack->opts);
}

bool bf_pack_image_good(struct bf_pack *pack)
{
	const struct bf_mimage *m = bf_pack_image(pack, 0);

	return m->present ? m->whole : is_vector_table(pack);
}

/* The demonstration firmware carries its name, "bms-16s demo application 1.5.0". */
static void read_version(const struct bf_pack *p, uint32_t addr, size_t size, struct bf_mimage *ret)
{
	static const char name[] = "demo application ";
	const char *at = (const char *)bf_flash_at(&p->flash, addr);
	unsigned v[3] = { 0 };
	char text[24];

	at = memmem(at, size, name, sizeof(name) - 1);
	if (at) {
		snprintf(text, sizeof(text), "%.20s", at + sizeof(name) - 1);
		sscanf(text, "%3u.%3u.%3u", &v[0], &v[1], &v[2]);
	}
	*ret = (struct bf_mimage){ .major = (uint8_t)v[0],
				   .minor = (uint8_t)v[1],
				   .revision = (uint16_t)v[2] };
}

static void boot_by_mark(struct bf_pack *p)
{
	const struct bf_mimage *m = bf_pack_image(p, 0);

	if (p->stay_in_loader || !is_marked(p))
		return;
	p->running = *m;
	if (!m->present)
		read_version(p, BF_ADDR_SLOT0, bf_plain_size(&p->opts), &p->running);
	p->runs = true;
	wipe_configuration(p, p->rewritten);
	p->rewritten = false;
}

/* ---- chips whose ROM has a loader ---- */

/* Whoever is jumped to by his vectors alone. */
static void boot_raw(struct bf_pack *p, uint32_t addr)
{
	const struct bf_mimage *m = bf_pack_image(p, 0);

	if (!bf_rom_vectors_at(p, addr))
		return; /* no code: it hangs until the next reset */
	p->running = *m;
	if (!m->present || addr < BF_ADDR_SLOT0)
		read_version(p, addr,
			     bf_rom_flash_size(bf_rom_chip(&p->opts)) - (addr - BF_FLASH_BASE),
			     &p->running);
	p->runs = true;
}

/* True: it is decided what runs. */
static bool boot_chip(struct bf_pack *p)
{
	bool own_code = bf_pack_loader_whole(p) && !p->opts.blank;
	uint32_t at = p->go_to ? p->go_to : BF_ADDR_BOOT;

	if (p->reason == BF_PACK_BY_POWER && !p->by_pin)
		p->was_empty = bf_rom_finds_empty(p);
	p->in_rom = bf_rom_starts(p);
	p->stay_in_loader = false; /* the firmware's wish is no wish of the boot code's */
	if (p->in_rom)
		return true;
	if (at == BF_ADDR_BOOT && own_code) {
		/* The boot code starts firmware without an image header, too. */
		if (bf_pack_image(p, 0)->present || !bf_rom_vectors_at(p, BF_ADDR_SLOT0))
			return false;
		at = BF_ADDR_SLOT0;
	}
	boot_raw(p, at);
	return true;
}

/* ---- both ---- */

bool bf_pack_loader_whole(const struct bf_pack *pack)
{
	return !pack->kept.loader_touched || bf_pack_loader_crc(pack) == pack->kept.loader_crc;
}

/* A slot that is marked already when somebody comes. */
static void mark_new_pack(struct bf_pack *p)
{
	if (p->fresh && p->opts.pending) {
		bf_swap_request(&p->banks, p->opts.pending == BF_SIM_PENDING_PERM);
		p->flash.ops = 0;
		bf_flash_take_time(&p->flash);
	}
	p->fresh = false;
}

/* Every image has to be good, or none is started. */
static bool others_valid(struct bf_pack *p)
{
	return bf_pack_images(p) < 2 || bf_pack_bank_valid(p, 1, bf_pack_bank_active(p, 1));
}

void bf_pack_boot(struct bf_pack *pack)
{
	bool single = pack->opts.quirks & BF_QUIRK_SINGLEBANK;
	bool swaps =
		!single && pack->opts.swap != BF_SIM_SWAP_XIP && pack->opts.swap != BF_SIM_SWAP_RAM;
	const struct bf_mimage *m;

	pack->runs = pack->trial = pack->hung = false;
	if (pack->opts.protocol == BF_SIM_XMODEM) {
		pack->in_rom = bf_rom_chip(&pack->opts) && bf_rom_starts(pack);
		if (!pack->in_rom)
			bf_unit_boot(pack);
		return;
	}
	if (bf_pack_is_plain(pack)) {
		boot_by_mark(pack);
		return;
	}
	if (bf_rom_chip(&pack->opts) && boot_chip(pack))
		return;
	if (swaps)
		swap_banks(pack);
	if (pack->flash.dead || !bf_pack_loader_whole(pack))
		return;
	mark_new_pack(pack);
	pack->active = bf_pack_bank_active(pack, 0);
	m = bf_pack_image(pack, pack->active);
	if (!m->present || !m->sound || m->counter < pack->kept.counter || !others_valid(pack))
		return;
	pack->trial = swaps && bf_swap_on_trial(&pack->banks);
	/* Only firmware that stays may close the way back. */
	if (!pack->trial)
		bf_pack_keep_counter(pack, m);
	if (pack->stay_in_loader)
		return;
	pack->running = *m;
	pack->runs = true;
	wipe_configuration(pack, pack->trial || pack->rewritten);
	pack->rewritten = false;
}
