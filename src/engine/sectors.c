/* SPDX-License-Identifier: MIT */
/*
 * Erase units. Nobody else divides an address by a unit: flash has sectors of several sizes, and a unit
 * is what contains the byte.
 */
#include "run.h"

bool bf_sector_at(const struct bf_region *r, uint32_t addr, uint32_t *ret_start, uint32_t *ret_size)
{
	uint32_t in = addr - r->addr, unit = r->erase_unit;

	if (addr < r->addr || in >= r->size)
		return false;
	for (unsigned i = 0; i < r->n_runs; i++) {
		const struct bf_sector_run *s = &r->sectors[i];

		if (addr < s->addr || !s->size || (addr - s->addr) / s->size >= s->count)
			continue;
		*ret_start = addr - (addr - s->addr) % s->size;
		*ret_size = s->size;
		return true;
	}
	if (r->n_runs || !unit)
		return false;
	*ret_start = r->addr + in / unit * unit;
	*ret_size =
		r->size - (*ret_start - r->addr) < unit ? r->size - (*ret_start - r->addr) : unit;
	return true;
}

uint32_t bf_sector_largest(const struct bf_region *r)
{
	uint32_t largest = r->n_runs ? 0 : r->erase_unit;

	for (unsigned i = 0; i < r->n_runs; i++)
		largest = r->sectors[i].size > largest ? r->sectors[i].size : largest;
	return largest < r->size ? largest : r->size;
}

/* Memory is taken by what a pack says: what no pack has is not offered for it. */
void bf_regions_limit(struct bf_run *run, struct bf_ident *ident)
{
	for (size_t i = 0; i < ident->n_regions; i++) {
		struct bf_region *r = &ident->regions[i];

		if (bf_sector_largest(r) > BF_SECTOR_MAX) {
			bf_say(run, BF_EV_WARNING,
			       "Region '%s' has erase units of %u bytes, more than the %u that "
			       "bmsflash handles: it is not written.",
			       r->name, bf_sector_largest(r), BF_SECTOR_MAX);
			r->access &= BF_ACCESS_READ;
			r->erase_unit = 0;
			r->n_runs = 0;
		}
		if (r->size > BF_REGION_MAX) {
			bf_say(run, BF_EV_WARNING,
			       "Region '%s' has %u bytes, more than the %u that bmsflash handles: "
			       "it "
			       "is neither read nor written.",
			       r->name, r->size, BF_REGION_MAX);
			r->access = 0;
		}
	}
}
