/* SPDX-License-Identifier: MIT */
/* The devices that the proof suites (cuts, kills, faults) run over: one row each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "units.h"

/* Where a flash is disturbed, for the suite of power cuts. */
enum by { BY_OP, BY_AFTER, BY_REQUEST, BY_REPLY, BY_REPOWER, BY_STOP, BY_COUNT };

#define BY_ALL      0x3Fu
#define BY_MESSAGES 0x3Cu
#define BY_REPLIES  0x08u

enum kills { KILLS_NONE, KILLS_FILES, KILLS_MESSAGES /* and at every message */ };

struct model {
	const char *name;
	const char *pack; /* keys of "sim:" */
	const char *
		held; /* more of them, while bmsflash works with it: somebody holds its pin; NULL: none */
	const char *profile; /* text, NULL: none; with a maker: more of its [uds] */
	const char *maker;   /* its example profile in data/profiles, NULL: none */
	enum unit unit;      /* its images have a maker's header */
	const char *words;   /* of every command beside --if, --key and the image; NULL: none */
	bool two_banks, confirms;
	bool no_rescue;    /* flash --rescue has no way to it */
	bool no_self_test; /* nothing tells that its firmware fails */
	/* Nothing tells what firmware runs: with --allow no-proof, what was written and read back is the end. */
	bool no_news;
	/* Only power starts what was written: the run ends unproven and says so, and the same command proves it. */
	bool power_starts;
	bool no_archive; /* nothing can be read: a lost application comes back from the image alone */
	/* Nothing comes twice, and no frame gets shorter (its CRC counts the length): what is read has no check value; on CAN a count of pages that does is page 0. */
	bool no_doubles;
	/* Silence is no reason to move lines: where no firmware runs, the flash is a rescue. */
	bool dead_needs_rescue;
	const char *habits; /* of "quirk=", by words, one of which is drawn now and then */
	unsigned cuts; /* bits of enum by; operations on the flash are the same whatever the wire */
	enum kills kills;
	/* An undisturbed flash, about: messages on the wire, requests heard, flash operations. 0: bad lines are
	 * not drawn for it. */
	unsigned messages, requests, ops;
	/* Why the suites do not run over it unless it is named; NULL: they do. */
	const char *waits;
};

#define MODELS_MAX 48

/* NULL after the last. */
const struct model *model_row(size_t i);
/* By name, or with NULL the next row at or after *at that does not wait; NULL: no more. */
const struct model *model_next(const char *name, size_t *at);
