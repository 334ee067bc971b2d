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
	for (size_t i = 0; i < todo->n_joined; i++)
		free(todo->joined[i]);
	free(todo->joined);
	free(todo->segments);
	free(todo->items);
	*todo = (struct bf_todo){ 0 };
}

const uint8_t *bf_todo_join(struct bf_todo *todo, const struct bf_segment *segs, size_t n,
			    size_t *ret_len)
{
	size_t len = (size_t)(segs[n - 1].addr - segs[0].addr) + segs[n - 1].len;
	uint8_t *bytes = malloc(len);

	todo->joined = realloc(todo->joined, (todo->n_joined + 1) * sizeof(*todo->joined));
	if (!bytes || !todo->joined)
		abort();
	todo->joined[todo->n_joined++] = bytes;
	memset(bytes, 0xFF, len);
	for (size_t i = 0; i < n; i++)
		memcpy(bytes + (segs[i].addr - segs[0].addr), segs[i].data, segs[i].len);
	*ret_len = len;
	return bytes;
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

	if (run->proven_later)
		return false;
	return !slot_holds(run, active) || run->ident.in_bootloader || !is_confirmed(run, active);
}

/* What the bank states tell: nothing needs to move when the image is in a slot already. */
static void look_at_slots(struct bf_run *run)
{
	const struct bf_slot *active = bf_slot_active(&run->ident, NULL);
	const struct bf_slot *other = bf_slot_other(&run->ident, NULL);
	struct bf_todo *todo = &run->todo;

	/* On the way back the bank states are those of before: what is there is compared. */
	if (run->model.went_back)
		return;
	if (run->proven_later) {
		/* It may still be on its test boot: what follows is the end of that run. */
		todo->already_running = true;
		bf_model_runs_already(&run->model, false, run->verified_before);
		return;
	}
	if (slot_holds(run, active) && !run->ident.in_bootloader) {
		todo->already_running = true;
		todo->already_confirmed = is_confirmed(run, active);
		/* Where it is not confirmed an interrupted run started it: what follows is that run's end. */
		bf_model_runs_already(&run->model, todo->already_confirmed, BF_VERIFIED_DIGEST);
		return;
	}
	todo->already_written = slot_holds(run, other) && (other->flags & BF_SLOT_BOOTABLE);
}

/* A device without addresses takes one stream, and puts it in place once. */
static enum bf_rc add_stream(struct bf_run *run, struct bf_err *err)
{
	const struct bf_segment *segs;
	size_t n = bf_image_segments(run->image, &segs);
	struct bf_todo *todo = &run->todo;
	const struct bf_region *home;
	struct bf_segment *all;
	unsigned slot = 0;

	if (bf_stream_check(run, err) || bf_place_stream(run, &segs[0], &home, err))
		return err->rc;
	all = todo->segments = calloc(1, sizeof(*todo->segments));
	if (!all)
		abort();
	todo->n_segments = 1;
	*all = segs[0];
	if (n > 1)
		all->data = bf_todo_join(todo, segs, n, &all->len);
	(void)bf_slot_target(&run->ident, &slot);
	todo->bytes = all->len;
	todo->whole.segment = all;
	todo->whole.len = all->len;
	todo->whole.alt = home ? home->alt : all->alt;
	bf_todo_add(todo, &(struct bf_item){ .target = {
						     .image = run->image,
						     .segment = all,
						     .addr = all->addr,
						     .len = all->len,
						     .slot = slot,
						     .alt = todo->whole.alt,
					     } });
	return BF_OK;
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
		.has_slot = run->ident.n_slots > 0,
		.slot = todo->whole.slot,
		.rate = run->rate,
	};

	bf_emit(run, (struct bf_event){ .kind = BF_EV_PLAN, .plan = &plan });
}

/* A dry run asks for nothing that disturbs the pack: neither its bootloader nor its memory. */
static bool plans_dry(struct bf_run *run)
{
	bool place =
		bf_run_can(run, BF_CAP_SINK) || (run->ident.n_regions && !bf_place_is_sought(run));

	bf_say(run, BF_EV_NOTICE, "Not checked in a dry run: %s.",
	       place ? "which parts of the image the pack holds already"
		     : "where in the pack the image goes, and what is there");
	return place;
}

enum bf_rc bf_ph_plan(struct bf_run *run, struct bf_err *err)
{
	struct bf_todo *todo = &run->todo;

	if (run->job->dry_run && !plans_dry(run))
		return BF_OK;
	if (run->usb_later && !run->job->dry_run && bf_check_usb(run, err))
		return err->rc;
	todo->bytes = bf_image_size(run->image);
	set_whole(run);
	look_at_slots(run);
	if (todo->already_running || todo->already_written) {
		todo->skipped = todo->bytes;
	} else if (bf_run_can(run, BF_CAP_SINK)) {
		if (add_stream(run, err))
			return bf_while(err, "planning one stream");
	} else if (bf_todo_memory(run, err)) {
		return bf_while(err, "comparing the image with what the pack holds");
	}
	if (!todo->n && !todo->already_running)
		todo->already_written = true;
	run->sum.bytes_skipped = todo->skipped;
	show(run);
	return BF_OK;
}
