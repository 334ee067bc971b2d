/* SPDX-License-Identifier: MIT */
/* The phase that erases and writes. Everything before it is reversible by doing nothing. */
#include "recover.h"
#include "run.h"

static enum bf_rc move_one(struct bf_run *run, size_t i, uint64_t *done, struct bf_err *err)
{
	const struct bf_item *item = &run->todo.items[i];

	if (bf_item_move(run, item, *done, err))
		return bf_while(err, "writing %zu bytes at %08x", item->target.len,
				item->target.addr);
	*done += item->target.len;
	return BF_OK;
}

enum bf_rc bf_ph_write(struct bf_run *run, struct bf_err *err)
{
	struct bf_todo *todo = &run->todo;
	uint64_t done = 0;

	if (!run->proto->ops->loader->begin || !run->proto->ops->loader->piece_start ||
	    !run->proto->ops->loader->piece_finish)
		return bf_fail(err, BF_E_UNSUPPORTED, "this bootloader cannot be written");
	/* From here on the journal tells the next run that something is half done. */
	bf_model_writing(&run->model);
	bf_journal_write(run);
	if (bf_erase_all(run, err))
		return err->rc;
	run->mark.last = bf_now(run->clock); /* the rate is that of the transfer */
	for (size_t i = todo->head_last ? 1 : 0; i < todo->n; i++) {
		if (move_one(run, i, &done, err))
			return err->rc;
	}
	if (todo->head_last && move_one(run, 0, &done, err))
		return err->rc;
	run->worked_rate = run->rate;
	bf_model_written(&run->model);
	bf_journal_write(run);
	return BF_OK;
}

/* A line that is down or a user who stops would only make it worse: those resume later. Whatever else ends the
 * writing was said by the pack. */
static bool can_go_back_now(const struct bf_err *err)
{
	enum bf_met met = bf_met_of(err);

	return met != BF_MET_LOST && met != BF_MET_GONE && met != BF_MET_FORGOT &&
	       err->rc != BF_E_NODEV && err->rc != BF_E_INTERRUPTED && err->rc != BF_E_INTERNAL &&
	       err->rc != BF_E_FILE;
}

void bf_ph_write_undo(struct bf_run *run, struct bf_err *err)
{
	/* A failed start went back already; what is written stays for the next run to find. */
	if (run->model.stage != BF_STAGE_WRITING && run->model.stage != BF_STAGE_WRITTEN)
		return;
	bf_journal_write(run);
	if (can_go_back_now(err) && bf_model_may_write_back(&run->model))
		(void)bf_write_back(run, err);
}
