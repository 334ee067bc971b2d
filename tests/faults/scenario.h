/* SPDX-License-Identifier: MIT */
/* A seed in words: which pack on which wire, what is flashed, and what goes wrong. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct scenario {
	uint64_t seed;
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

void scenario_draw(uint64_t seed, struct scenario *ret);
