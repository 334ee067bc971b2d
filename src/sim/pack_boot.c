/* SPDX-License-Identifier: MIT */
/* The boot loader: which firmware runs, after which swap. */
#include "pack_priv.h"

/* A swap only starts with an image that may run afterwards: otherwise the pack would be left worse. */
static bool may_start(struct bf_pack *p, unsigned slot)
{
	const struct bf_mimage *m = bf_pack_image(p, slot);

	return m->present && m->sound && m->counter >= p->kept.counter &&
	       m->total <= BF_SWAP_MAX(p->banks.size);
}

/* The wish cannot be granted: forget it, or every start would look at it again. */
static void drop_wish(struct bf_pack *p)
{
	struct bf_trailer t;

	bf_trailer_read(&p->banks, 1, &t);
	if (t.magic)
		bf_swap_cancel(&p->banks);
	else if (bf_swap_on_trial(&p->banks))
		bf_swap_confirm(&p->banks);
}

static void swap_banks(struct bf_pack *p)
{
	enum bf_swap_kind kind;
	uint32_t a, b;

	if (bf_swap_in_progress(&p->banks)) {
		bf_swap_resume(&p->banks);
		return;
	}
	kind = bf_swap_wanted(&p->banks);
	if (kind == BF_SWAP_NONE)
		return;
	if (!may_start(p, 1)) {
		drop_wish(p);
		return;
	}
	a = bf_pack_image(p, 0)->total;
	b = bf_pack_image(p, 1)->total;
	if (a > BF_SWAP_MAX(p->banks.size))
		a = 0;
	bf_swap_begin(&p->banks, kind, a > b ? a : b);
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

void bf_pack_boot(struct bf_pack *pack)
{
	bool single = pack->opts.quirks & BF_QUIRK_SINGLEBANK;
	const struct bf_mimage *m;

	pack->runs = pack->trial = false;
	if (!single)
		swap_banks(pack);
	if (pack->flash.dead)
		return;
	m = bf_pack_image(pack, 0);
	if (!m->present || !m->sound || m->counter < pack->kept.counter)
		return;
	pack->trial = !single && bf_swap_on_trial(&pack->banks);
	/* Only firmware that stays may close the way back. */
	if (!pack->trial && m->counter > pack->kept.counter)
		pack->kept.counter = m->counter;
	if (pack->stay_in_loader)
		return;
	pack->running = *m;
	pack->runs = true;
	wipe_configuration(pack, pack->trial || pack->rewritten);
	pack->rewritten = false;
}
