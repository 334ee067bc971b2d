/* SPDX-License-Identifier: MIT */
/* Slots, what runs, and the marks that decide the next start. */
#include "sim/pack_priv.h"

const struct bf_mimage *bf_pack_image(struct bf_pack *pack, unsigned slot)
{
	struct bf_slot_cache *c = &pack->cache[slot];

	if (!c->valid || c->generation != pack->flash.generation) {
		const struct bf_banks *b = bf_pack_banks(pack, slot / BF_PACK_SLOTS);

		bf_mimage_read(bf_flash_at(&pack->flash, b->slot[slot % BF_PACK_SLOTS]), b->size,
			       &pack->trust, &c->image);
		c->generation = pack->flash.generation;
		c->valid = true;
	}
	return &c->image;
}

unsigned bf_pack_slot_count(const struct bf_pack *pack)
{
	return pack->opts.quirks & BF_QUIRK_SINGLEBANK ? 1 : BF_PACK_SLOTS;
}

uint32_t bf_pack_slot_addr(unsigned slot)
{
	return slot ? BF_ADDR_SLOT1 : BF_ADDR_SLOT0;
}

#define SIGNATURE_US BF_MS(34) /* Ed25519 in portable C on the same core */

bf_time bf_pack_check_us(struct bf_pack *pack, unsigned slot, uint32_t hashed)
{
	const struct bf_mimage *image = bf_pack_image(pack, slot);
	uint32_t left = image->total > hashed ? image->total - hashed : 0;

	return image->present ? SIGNATURE_US + (bf_time)left * BF_PACK_HASH_NS / 1000 : 0;
}

enum bf_verdict bf_pack_verdict(struct bf_pack *pack, unsigned slot)
{
	return bf_mimage_verdict(bf_pack_image(pack, slot), pack->kept.counter);
}

static bool is_pending(const struct bf_pack *pack)
{
	struct bf_trailer t;

	bf_trailer_read(&pack->banks, 1, &t);
	return t.magic;
}

void bf_pack_slot(struct bf_pack *pack, unsigned slot, struct bf_pack_slot *ret)
{
	*ret = (struct bf_pack_slot){
		.image = bf_pack_image(pack, slot),
		.bootable = bf_pack_verdict(pack, slot) == BF_VERDICT_GOOD,
	};
	if (slot == pack->active) {
		ret->active = pack->runs;
		ret->trial = pack->runs && pack->trial;
		ret->confirmed = pack->runs && !pack->trial;
		/* What runs passed the boot loader, whatever is thought of it now. */
		ret->bootable = ret->bootable || pack->runs;
	} else {
		ret->pending = ret->image->present && is_pending(pack);
	}
}

const struct bf_mimage *bf_pack_running(const struct bf_pack *pack)
{
	return pack->runs ? &pack->running : NULL;
}

bool bf_pack_on_trial(const struct bf_pack *pack)
{
	return pack->runs && pack->trial;
}

uint32_t bf_pack_counter(const struct bf_pack *pack)
{
	return pack->kept.counter;
}

enum bf_pack_work bf_pack_activate(struct bf_pack *pack, bool permanent, bf_time now,
				   bf_time *ret_done)
{
	*ret_done = bf_pack_idle_at(pack, now);
	if (bf_pack_slot_count(pack) < 2)
		return BF_PACK_FAILED;
	if (bf_pack_verdict(pack, 1) != BF_VERDICT_GOOD) {
		/* With nothing running the loader also takes firmware in slot 0: no mark is wanted. */
		bool direct = !pack->runs && bf_pack_verdict(pack, 0) == BF_VERDICT_GOOD;

		return direct ? BF_PACK_DONE : BF_PACK_FAILED;
	}
	return bf_pack_worked(pack, bf_swap_request(&pack->banks, permanent), now, ret_done);
}

/* USB devices of others have no counter that only goes up. */
void bf_pack_keep_counter(struct bf_pack *pack, const struct bf_mimage *image)
{
	if (image->counter > pack->kept.counter && !bf_sim_model_is_dfu(pack->opts.model))
		pack->kept.counter = image->counter;
}

enum bf_pack_work bf_pack_confirm(struct bf_pack *pack, bf_time now, bf_time *ret_done)
{
	enum bf_pack_work work;

	*ret_done = bf_pack_idle_at(pack, now);
	/* The answer may have been lost: asking again after a confirmation is no failure. */
	if (pack->confirmed_now)
		return BF_PACK_DONE;
	if (!bf_pack_on_trial(pack))
		return BF_PACK_FAILED;
	work = bf_pack_worked(pack, bf_swap_confirm(&pack->banks), now, ret_done);
	if (work != BF_PACK_DONE)
		return work;
	pack->trial = false;
	pack->confirmed_now = true;
	pack->crash_at = BF_NEVER;
	bf_pack_keep_counter(pack, &pack->running);
	return BF_PACK_DONE;
}

/* What lies in slot 1 was tried and thrown out: it is no way back. */
static bool other_was_thrown_out(const struct bf_pack *pack)
{
	struct bf_trailer t;

	bf_trailer_read(&pack->banks, 0, &t);
	return t.magic && t.kind == BF_SWAP_REVERT;
}

enum bf_pack_work bf_pack_revert(struct bf_pack *pack, bf_time now, bf_time *ret_done)
{
	*ret_done = bf_pack_idle_at(pack, now);
	if (bf_pack_slot_count(pack) < 2)
		return BF_PACK_FAILED;
	if (is_pending(pack) && !bf_pack_on_trial(pack)) /* not started yet: what runs stays */
		return bf_pack_worked(pack, bf_swap_cancel(&pack->banks), now, ret_done);
	if (bf_pack_verdict(pack, 1) != BF_VERDICT_GOOD || other_was_thrown_out(pack))
		return BF_PACK_FAILED;
	if (bf_pack_on_trial(pack)) /* the next start does it by itself */
		return BF_PACK_DONE;
	return bf_pack_worked(pack, bf_swap_request(&pack->banks, true), now, ret_done);
}

bool bf_pack_self_test(const struct bf_pack *pack, const char **ret_text)
{
	bool bad = pack->opts.selftest_fail && bf_pack_on_trial(pack);

	*ret_text = bad ? "cell monitor 2 of 2 does not answer"
			: "2 cell monitors, 4 sensors, contactors: good";
	return !bad;
}
