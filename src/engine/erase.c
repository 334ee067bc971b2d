/* SPDX-License-Identifier: MIT */
/* Erasing: in steps, so that progress can be told; never repeated without looking first. */
#include <stdio.h>

#include "run.h"

#define STEP 65536u /* bytes at once, in whole units */

/* A lost answer does not tell whether it was done. The unit is looked at by asking for a sign of life;
 * erasing an erased unit again is harmless then. */
static enum bf_rc erase_step(struct bf_run *run, uint32_t addr, uint32_t size, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->proto->ops;
	struct bf_err first;
	enum bf_rc rc;

	bf_err_init(&first);
	rc = ops->erase(run->proto, addr, size, &first);
	if ((rc == BF_E_TIMEOUT || rc == BF_E_LINK) && ops->ping &&
	    ops->ping(run->proto, err) == BF_OK) {
		bf_say(run, BF_EV_RETRY, "erasing %u bytes at %08x again: %s", size, addr,
		       first.cause);
		run->retry.repeats[BF_RETRY_DESTRUCTIVE]++;
		bf_err_init(&first);
		rc = ops->erase(run->proto, addr, size, &first);
	}
	if (rc)
		*err = first;
	return rc;
}

enum bf_rc bf_erase_range(struct bf_run *run, uint32_t addr, uint32_t size, uint32_t unit,
			  struct bf_err *err)
{
	uint32_t step = unit && unit < STEP ? STEP / unit * unit : unit;
	uint32_t done = 0;
	bf_time start = bf_now(run->clock);
	enum bf_rc rc = BF_OK;

	while (!rc && done < size) {
		uint32_t part = step && size - done > step ? step : size - done;
		char text[64];

		rc = bf_run_stop(run, err);
		if (rc)
			break;
		snprintf(text, sizeof(text), "erasing, %u %%",
			 (unsigned)(100 * (uint64_t)done / size));
		bf_alive(run, text);
		bf_clock_hold(run->clock);
		rc = erase_step(run, addr + done, part, err);
		bf_clock_release(run->clock);
		if (rc)
			bf_while(err, "erasing %u bytes at %08x", part, addr + done);
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
		    bf_erase_range(run, item->erase_addr, item->erase_size,
				   item->region->erase_unit, err))
			return err->rc;
	}
	return BF_OK;
}
