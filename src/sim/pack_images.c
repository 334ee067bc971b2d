/* SPDX-License-Identifier: MIT */
#include "sim/pack_images.h"

#include "sim/pack_priv.h"

unsigned bf_pack_images(const struct bf_pack *pack)
{
	return *pack->opts.image1 ? 2 : 1;
}

struct bf_banks *bf_pack_banks(struct bf_pack *pack, unsigned image)
{
	return image ? &pack->second : &pack->banks;
}

static const struct bf_banks *banks(const struct bf_pack *pack, unsigned image)
{
	return image ? &pack->second : &pack->banks;
}

uint32_t bf_pack_bank_addr(const struct bf_pack *pack, unsigned image, unsigned slot)
{
	return banks(pack, image)->slot[slot];
}

uint32_t bf_pack_bank_size(const struct bf_pack *pack, unsigned image)
{
	return banks(pack, image)->size;
}

static bool swaps(const struct bf_pack *pack)
{
	enum bf_sim_swap swap = pack->opts.swap;

	return swap < BF_SIM_SWAP_OVERWRITE || swap == BF_SIM_SWAP_UNKNOWN;
}

uint32_t bf_pack_bank_max(const struct bf_pack *pack, unsigned image)
{
	uint32_t size = bf_pack_bank_size(pack, image);

	if (bf_pack_slot_count(pack) < 2)
		return size;
	return swaps(pack) ? BF_SWAP_MAX(size) : size - BF_TRAILER_SIZE;
}

const struct bf_mimage *bf_pack_bank_image(struct bf_pack *pack, unsigned image, unsigned slot)
{
	return bf_pack_image(pack, image * BF_PACK_SLOTS + slot);
}

bool bf_pack_bank_valid(struct bf_pack *pack, unsigned image, unsigned slot)
{
	const struct bf_mimage *m = bf_pack_bank_image(pack, image, slot);

	return m->present && m->sound && (image || m->counter >= pack->kept.counter) &&
	       m->total <= bf_pack_bank_max(pack, image);
}

bf_time bf_pack_bank_check_us(struct bf_pack *pack, unsigned image, unsigned slot)
{
	return bf_pack_check_us(pack, image * BF_PACK_SLOTS + slot, 0);
}

/* The higher version, as MCUboot compares them. */
static unsigned newer_slot(struct bf_pack *pack, unsigned image)
{
	const struct bf_mimage *a = bf_pack_bank_image(pack, image, 0);
	const struct bf_mimage *b = bf_pack_bank_image(pack, image, 1);

	if (!bf_pack_bank_valid(pack, image, 1))
		return 0;
	return !bf_pack_bank_valid(pack, image, 0) || bf_mimage_compare(b, a) > 0;
}

unsigned bf_pack_bank_active(struct bf_pack *pack, unsigned image)
{
	if (pack->opts.swap != BF_SIM_SWAP_XIP && pack->opts.swap != BF_SIM_SWAP_RAM)
		return 0;
	if (pack->runs && !image)
		return pack->active;
	return newer_slot(pack, image);
}

enum bf_swap_kind bf_pack_bank_wanted(const struct bf_pack *pack, unsigned image)
{
	return bf_pack_slot_count(pack) < 2 ? BF_SWAP_NONE : bf_swap_wanted(banks(pack, image));
}

enum bf_pack_work bf_pack_bank_mark(struct bf_pack *pack, unsigned image, bool permanent,
				    bf_time now, bf_time *ret_done)
{
	return bf_pack_worked(pack, bf_swap_request(banks(pack, image), permanent), now, ret_done);
}

enum bf_pack_work bf_pack_bank_confirm(struct bf_pack *pack, unsigned image, bf_time now,
				       bf_time *ret_done)
{
	*ret_done = bf_pack_idle_at(pack, now);
	if (!bf_swap_on_trial(banks(pack, image)))
		return BF_PACK_DONE;
	if (!image)
		return bf_pack_confirm(pack, now, ret_done);
	return bf_pack_worked(pack, bf_swap_confirm(&pack->second), now, ret_done);
}
