/* SPDX-License-Identifier: MIT */
/* transfer.c: erasing, writing, reading and hashing. It alone writes struct bf_transfers. */
#pragma once

#include "bmsflash/session.h"

struct bf_item;
struct bf_run;

/* What the line showed while data moved. writer: transfer.c */
struct bf_transfers {
	size_t block_cap, read_cap; /* on a line that loses long messages; 0: none */
	uint32_t worked_rate;       /* at the end of writing; 0: nothing was written */
	unsigned rate_steps;        /* down, while data moved */
};

/* The pack restarted: what was learned of the line may not hold any more. */
void bf_transfer_restarted(struct bf_run *run);

size_t bf_read_step(const struct bf_run *run); /* bytes to ask for at once */
enum bf_rc bf_hash_units(struct bf_run *run, uint32_t addr, uint32_t size, uint32_t unit,
			 uint8_t (*ret)[8], size_t n, struct bf_err *err);
/* Does memory hold these bytes? */
enum bf_rc bf_holds(struct bf_run *run, const struct bf_region *region, uint32_t addr,
		    const uint8_t *want, size_t len, bool *ret, struct bf_err *err);
enum bf_rc bf_read_range(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			 uint8_t *buf, size_t len, struct bf_err *err);
/* ... of a pack that may be starting: when it goes, it is not entered again. */
enum bf_rc bf_read_glance(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			  uint8_t *buf, size_t len, struct bf_err *err);
/* Whole erase units, some at a time; in_one: by a single request. */
enum bf_rc bf_erase_range(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			  uint32_t size, bool in_one, struct bf_err *err);
/* All that the plan erases. */
enum bf_rc bf_erase_all(struct bf_run *run, struct bf_err *err);
/* base of total: bytes of the job before this item, and all of them. */
enum bf_rc bf_item_move(struct bf_run *run, const struct bf_item *item, uint64_t base,
			uint64_t total, struct bf_err *err);

/* What the blocks of a transfer took. */
struct bf_pacer {
	double us_wire; /* for a byte on the wire: the least seen */
	double uu, ub, bb, ut, bt;
	size_t before_len; /* the block before: payload, and erase units that it began */
	unsigned before_units, units;
	size_t len, wire; /* of all so far */
};
/* took: from its start to its answer, by when the block before is in flash */
void bf_pace_note(struct bf_pacer *p, bf_time took, size_t len, unsigned units, size_t wire);
struct bf_pace bf_pace_now(const struct bf_pacer *p);
