/* SPDX-License-Identifier: MIT */
/* Erasing: in steps, so that progress can be told; never repeated without looking first. */
#include <stdio.h>

#include "recover.h"
#include "run.h"

#define STEP 65536u /* bytes at once, in whole units */

struct erasure {
	const struct bf_region *region;
	uint32_t addr, size;
};

static enum bf_rc erase_step(struct bf_run *run, void *ctx, struct bf_err *err)
{
	const struct erasure *e = ctx;
	enum bf_rc rc =
		run->proto->ops->loader->erase(run->proto, e->region, e->addr, e->size, err);

	/* With its answer lost nobody knows whether it was done. */
	if (!rc || bf_met_of(err) == BF_MET_LOST || bf_met_of(err) == BF_MET_GONE)
		bf_model_changed(&run->model, !rc);
	return rc;
}

/* Bytes from addr on that are erased by one request: whole units, about STEP of them. */
static uint32_t step_at(const struct bf_region *region, uint32_t addr, uint32_t most)
{
	uint32_t n = 0, start, size;

	while (n < most && bf_sector_at(region, addr + n, &start, &size)) {
		uint32_t to = start + size - addr;

		if (n && to > STEP)
			break;
		n = to;
	}
	return n && n < most ? n : most;
}

enum bf_rc bf_erase_range(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			  uint32_t size, bool in_one, struct bf_err *err)
{
	uint32_t done = 0;
	bf_time start = bf_now(run->clock);
	enum bf_rc rc = BF_OK;

	while (!rc && done < size) {
		uint32_t part = in_one ? size : step_at(region, addr + done, size - done);
		struct erasure e = { region, addr + done, part };
		char text[64], what[64];

		rc = bf_run_stop(run, err);
		if (rc)
			break;
		snprintf(text, sizeof(text), "erasing, %u %%",
			 (unsigned)(100 * (uint64_t)done / size));
		bf_alive(run, text);
		bf_clock_hold(run->clock);
		snprintf(what, sizeof(what), "erasing %u bytes at %08x", part, e.addr);
		rc = bf_call(
			run,
			&(struct bf_call){
				.ask = BF_ASK_ERASE, .what = what, .call = erase_step, .ctx = &e },
			err);
		bf_clock_release(run->clock);
		if (rc)
			bf_while(err, "%s", what);
		done += part;
	}
	run->sum.erase += bf_now(run->clock) - start;
	return rc;
}

enum bf_rc bf_erase_all(struct bf_run *run, struct bf_err *err)
{
	for (size_t i = 0; i < run->todo.n; i++) {
		const struct bf_item *item = &run->todo.items[i];

		if (item->erase_size && !item->rest &&
		    bf_erase_range(run, item->region, item->erase_addr, item->erase_size,
				   item->one_pass, err))
			return err->rc;
	}
	return BF_OK;
}
