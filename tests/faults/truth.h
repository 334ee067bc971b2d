/* SPDX-License-Identifier: MIT */
/* What the virtual pack really runs, asked of the model and not over the wire. */
#pragma once

#include <stdbool.h>

#include "bmsflash/transport.h"
#include "units.h"

/* Bytes that may run; without any, whole and signed is enough. */
struct truth_image {
	const uint8_t *p;
	size_t len;
};
struct bf_pack;
/* Where a test may stand between the client and the wire. */
struct truth_hooks {
	void (*opened)(void *ctx, struct bf_pack *pack);
	void (*heard)(void *ctx, const uint8_t *msg, size_t len); /* a whole request, by the pack */
	void (*sends)(void *ctx, struct bf_transport *t);         /* about to hand it something */
	void (*closing)(void *ctx);
	void (*closed)(void *ctx);
	void *ctx;
};
/* Looks at each start of firmware. */
struct truth_guard {
	const struct truth_hooks *hooks; /* NULL: none */
	const struct truth_image *images;
	size_t n_images;
	enum unit unit;            /* whose images these are */
	struct truth_image wanted; /* what is being written; NULL: nothing */
	unsigned starts;
	char wrong[160]; /* the first start of something else */
};

struct truth {
	bool known; /* the pack was looked at, and was not just starting */
	bool powered, app;
	bool sound; /* what runs has the right digest and a signature that the pack trusts */
	bool confirmed;
	bool intact;                     /* one that is known lies where firmware starts */
	bool written;                    /* the wanted image lies in a slot, byte for byte */
	char version[32];                /* empty: no firmware runs */
	bf_time at;                      /* on the wire's own clock */
	uint64_t ops, messages, replies; /* that the pack has counted */
};

/* Opens "sim:..." and looks at the pack the moment the wire is closed, before its state is saved. */
enum bf_rc truth_open(const struct bf_open_env *env, const char *address, struct truth *at_close,
		      struct truth_guard *guard, struct bf_transport **ret, struct bf_err *err);
/* The same pack with its power switched off and on, from its state file; the file stays as it is. */
enum bf_rc truth_after_power(const char *options, struct truth_guard *guard, struct truth *ret,
			     struct bf_err *err);
