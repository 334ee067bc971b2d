/* SPDX-License-Identifier: MIT */
/* A seed in words: which pack on which wire, what is flashed, and what goes wrong. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum task {
	TASK_FLASH,
	TASK_RESCUE,  /* flash --rescue of a pack without firmware, whose power comes later */
	TASK_REVERT,  /* rollback to the other bank, which holds 1.4.0 */
	TASK_RESTORE, /* rollback --from an archive, after a flash that lost its power */
	TASK_COUNT
};

#define SCENARIO_WIRES 7

struct scenario {
	uint64_t seed;
	enum task task;
	unsigned wire_row;   /* of the wires that there are */
	const char *wire;    /* name of the row */
	const char *profile; /* text of the profile, NULL: none */
	const char *image;   /* file in the folder of test data */
	bool other_key;      /* signed with a key that the host trusts and the pack does not */
	bool no_hardware;    /* needs the permission: the bootloader tells no hardware */
	bool two_banks;
	bool confirms;
	bool hopeless; /* the new firmware fails its self-test */
	bool crashes; /* ... or hangs after a while: a run that takes it up sooner may confirm it */
	char pack[160];  /* keys of "sim:", without state and cuts */
	char cut[96];    /* keys of "sim:" that cut its power, or empty */
	char fault[128]; /* of "fault:", or empty */
};

const char *scenario_task(enum task task);
const char *scenario_wire(unsigned row);
void scenario_draw(uint64_t seed, struct scenario *ret);
