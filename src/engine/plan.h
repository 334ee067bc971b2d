/* SPDX-License-Identifier: MIT */
/* plan.c: what must be where, in the order of writing. It alone writes struct bf_todo. */
#pragma once

#include "bmsflash/session.h"

struct bf_run;

/* One contiguous transfer. */
struct bf_item {
	struct bf_target target;
	const struct bf_region *region;  /* NULL: an image sink */
	uint32_t erase_addr, erase_size; /* whole erase units; size 0: the host erases nothing */
	bool erases_ahead;               /* the device erases each unit as its first byte comes */
	bool one_pass; /* erased by one request; after a loss all of it again, from its start */
	bool parted;   /* the next item is the rest of its erase unit, and is written before it */
	bool rest;     /* of the erase unit of the item before, and erased with that */
};

/* writer: plan.c */
struct bf_todo {
	struct bf_item *items;
	size_t n, cap;
	/* The image's segments as they are sent: those that share an erase unit, or all of a stream, are one. */
	struct bf_segment *segments;
	size_t n_segments;
	uint8_t **joined; /* the bytes of those that were made of several */
	size_t n_joined;
	bool compares;          /* with what is really there: a part was written already */
	bool head_last;         /* the first item holds what makes the image valid: written last */
	size_t bytes, skipped;  /* of the image: in all, already there */
	bool already_written;   /* the target bank holds the image whole */
	bool already_running;   /* the pack runs it */
	bool already_confirmed; /* ... and will go on doing so */
	struct bf_target whole; /* what the check routine looks at */
};

void bf_todo_done(struct bf_todo *todo);
/* The plan of this part, in place of the one that is worked on. */
void bf_plan_part(struct bf_run *run, unsigned part);
/* The plans of all parts. */
void bf_plan_drop(struct bf_run *run);
/* The pack ran all of it before, and goes on doing so. */
bool bf_plan_was_there(const struct bf_run *run);
/* A second plan of the same run: what the first one wrote is compared. */
enum bf_rc bf_plan_again(struct bf_run *run, struct bf_err *err);

/* ---- for its tests ---- */

/* The items for a device with addresses. */
enum bf_rc bf_todo_memory(struct bf_run *run, struct bf_err *err);
/* Several segments as one, the gaps filled with FF; the plan keeps the bytes. */
const uint8_t *bf_todo_join(struct bf_todo *todo, const struct bf_segment *segs, size_t n,
			    size_t *ret_len);
