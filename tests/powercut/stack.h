/* SPDX-License-Identifier: MIT */
/* Whole runs through the real layers: engine, protocol, link, and the virtual pack on virtual time. */
#pragma once

#include "../unit/unit.h"

#include "bmsflash/session.h"

struct stack {
	char folder[64], state[96], image[256], key[256], auth[256], iface[512];
	const char *images[2], *keys[2];
	struct bf_job job;
	struct bf_outcome out;
	struct bf_summary summary;
	struct bf_ident ident; /* as last told */
	char notices[16384];
	const char *prefix; /* of the address, as "fault:drop=1%:"; NULL: none */
	char file[512];
	uint64_t saved; /* bytes, by a backup */
};

void stack_init(struct stack *s, const char *image);
/* options: of the sim address, beside the state file that keeps the pack between runs */
void stack_run(struct stack *s, const char *options);
void stack_image(struct stack *s, const char *image);
void stack_trust(struct stack *s, const char *key);
/* The largest region that the pack holds, by a backup over its DfuSe loader. */
uint8_t *stack_largest(struct stack *s, size_t *ret_len);
void stack_done(struct stack *s);
void assert_stack_ended(const struct stack *s, enum bf_rc rc, enum bf_state state);
