/* SPDX-License-Identifier: MIT */
/* A seed in words: which pack on which wire, what is flashed, and what goes wrong. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

enum task {
	TASK_FLASH,
	TASK_RESCUE,  /* flash --rescue of a pack without firmware, whose power comes later */
	TASK_REVERT,  /* rollback to the other bank, which holds 1.4.0 */
	TASK_RESTORE, /* rollback --from an archive, after a flash that lost its power */
	TASK_COUNT
};

struct scenario {
	uint64_t seed;
	enum task task;
	const struct model *model;
	const char *image; /* file in the folder of test data */
	bool other_key;    /* signed with a key that the host trusts and the pack does not */
	bool hopeless;     /* the new firmware fails its self-test */
	bool crashes; /* ... or hangs after a while: a run that takes it up sooner may confirm it */
	char pack[160];  /* keys of "sim:", without state and cuts */
	char cut[96];    /* keys of "sim:" that cut its power, or empty */
	char fault[128]; /* of "fault:", or empty */
};

const char *scenario_task(enum task task);
/* name: of the only model that is drawn; NULL: any that does not wait. */
void scenario_draw(uint64_t seed, const char *name, struct scenario *ret);
