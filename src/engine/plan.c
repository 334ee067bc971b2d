/* SPDX-License-Identifier: MIT */
/* What must be where, what is there already, and where the new firmware becomes valid. */
#include <string.h>

#include "run.h"

void bf_todo_add(struct bf_todo *todo, const struct bf_item *item)
{
	if (todo->n == todo->cap) {
		todo->cap = todo->cap ? 2 * todo->cap : 8;
		todo->items = realloc(todo->items, todo->cap * sizeof(*todo->items));
		if (!todo->items)
			abort();
	}
	todo->items[todo->n++] = *item;
}

void bf_todo_done(struct bf_todo *todo)
{
	free(todo->items);
	*todo = (struct bf_todo){ 0 };
}

bool bf_when_writing(const struct bf_run *run)
{
	return run->todo.n > 0;
}

/* Firmware that is there already may do to the configuration what it likes when it is started. */
bool bf_when_backing_up(const struct bf_run *run)
{
	return bf_when_writing(run) || bf_when_starting(run);
}

bool bf_when_verifying(const struct bf_run *run)
{
	return !run->todo.already_running;
}

bool bf_when_starting(const struct bf_run *run)
{
	return !run->todo.already_running;
}

bool bf_when_confirming(const struct bf_run *run)
{
	return !run->todo.already_confirmed;
}

static bool slot_holds(const struct bf_run *run, const struct bf_slot *slot)
{
	return slot && run->target_digest_len && slot->digest_len == run->target_digest_len &&
	       memcmp(slot->digest, run->target_digest, slot->digest_len) == 0;
}

static bool is_confirmed(const struct bf_run *run, const struct bf_slot *active)
{
	return !(active->flags & BF_SLOT_TRIAL) || !bf_run_can(run, BF_CAP_CONFIRM);
}

/* A pack that runs the image and will go on doing so need not be fit for a change, nor allow one. */
bool bf_when_changing(const struct bf_run *run)
{
	const struct bf_slot *active = bf_slot_active(&run->ident, NULL);

	return !slot_holds(run, active) || run->ident.in_bootloader || !is_confirmed(run, active);
}

/* What the bank states tell: nothing needs to move when the image is in a slot already. */
static void look_at_slots(struct bf_run *run)
{
	const struct bf_slot *active = bf_slot_active(&run->ident, NULL);
	const struct bf_slot *other = bf_slot_other(&run->ident, NULL);
	struct bf_todo *todo = &run->todo;

	/* On the way back the bank states are those of before: what is there is compared. */
	if (run->went_back)
		return;
	if (slot_holds(run, active) && !run->ident.in_bootloader) {
		todo->already_running = true;
		todo->already_confirmed = is_confirmed(run, active);
		run->runs = BF_RUNS_NEW;
		/* An interrupted run started it: what follows is that run's end. */
		if (!todo->already_confirmed)
			run->depth = BF_DEPTH_STARTED;
		return;
	}
	todo->already_written = slot_holds(run, other) && (other->flags & BF_SLOT_BOOTABLE);
}

static void add_sink_items(struct bf_run *run)
{
	const struct bf_segment *segments;
	size_t n = bf_image_segments(run->image, &segments);
	unsigned slot = 0;

	(void)bf_slot_target(&run->ident, &slot);
	for (size_t i = 0; i < n; i++) {
		struct bf_item item = {
			.target = {
				.image = run->image,
				.segment = &segments[i],
				.addr = segments[i].addr,
				.len = segments[i].len,
				.slot = slot,
				.alt = segments[i].alt,
			},
		};

		bf_todo_add(&run->todo, &item);
	}
}

static void set_whole(struct bf_run *run)
{
	const struct bf_segment *segments;
	const struct bf_region *region = NULL;
	unsigned slot = 0;

	(void)bf_image_segments(run->image, &segments);
	if (bf_slot_target(&run->ident, &slot))
		region = bf_region_of_slot(&run->ident, slot);
	run->todo.whole = (struct bf_target){
		.image = run->image,
		.segment = &segments[0],
		.addr = region ? region->addr : segments[0].addr,
		.len = segments[0].len,
		.slot = slot,
		.alt = segments[0].alt,
	};
}

static void show(struct bf_run *run)
{
	const struct bf_meta *meta = bf_image_meta(run->image);
	char from[BF_VERSION_TEXT], to[BF_VERSION_TEXT];
	struct bf_todo *todo = &run->todo;
	uint32_t piece = run->ident.piece_max ? run->ident.piece_max : 1024;
	struct bf_plan plan = {
		.from_version = bf_ident_version(&run->ident, from),
		.to_version =
			run->has_target_version ? bf_version_text(&run->target_version, to) : NULL,
		.bytes = todo->bytes,
		.skip_bytes = todo->skipped,
		.pieces = (unsigned)((todo->bytes - todo->skipped + piece - 1) / piece),
		.segments = (unsigned)todo->n,
		.trial = bf_run_can(run, BF_CAP_TRIAL) && !todo->already_running,
		.confirm = bf_run_can(run, BF_CAP_CONFIRM) && !todo->already_confirmed,
		.backup = todo->n && bf_run_can(run, BF_CAP_READ) && !run->job->restore_from &&
			  !run->job->allow[BF_ALLOW_NO_BACKUP],
		.counter_will_rise = bf_run_can(run, BF_CAP_COUNTER) && meta->has_counter &&
				     meta->counter > run->ident.counter,
		.counter_from = run->ident.counter,
		.counter_to = meta->counter,
		.slot = todo->whole.slot,
		.rate = run->rate,
	};

	bf_emit(run, (struct bf_event){ .kind = BF_EV_PLAN, .plan = &plan });
}

enum bf_rc bf_ph_plan(struct bf_run *run, struct bf_err *err)
{
	struct bf_todo *todo = &run->todo;

	todo->bytes = bf_image_size(run->image);
	set_whole(run);
	look_at_slots(run);
	if (todo->already_running || todo->already_written) {
		todo->skipped = todo->bytes;
	} else if (bf_run_can(run, BF_CAP_SINK)) {
		add_sink_items(run);
	} else if (bf_todo_memory(run, err)) {
		return bf_while(err, "comparing the image with what the pack holds");
	}
	if (!todo->n && !todo->already_running)
		todo->already_written = true;
	run->sum.bytes_skipped = todo->skipped;
	show(run);
	return BF_OK;
}
