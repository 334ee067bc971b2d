/* SPDX-License-Identifier: MIT */
/* The protocol `dfu` opened on a peer, on virtual time. */
#pragma once

#include "../unit.h"

#include "dfu_peer.h"
#include "family/dfu/dfu_priv.h"

struct bench {
	struct bf_clock *clock;
	struct peer peer;
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_proto *proto;
	struct bf_err err;
	unsigned alive;
};

struct bench *bench_new(bool dfuse, bool loader);
void bench_free(struct bench *b);
static inline void bench_cleanup(struct bench **b)
{
	bench_free(*b);
}
#define BENCH(dfuse, loader) \
	__attribute__((cleanup(bench_cleanup))) struct bench *b = bench_new(dfuse, loader)

/* What [dfu] of the profile says. */
static inline struct bf_dfu_profile *settings_of(struct bench *b)
{
	return bf_profile_family_mut(&b->profile, "dfu");
}

/* Fails the test with the error's text unless rc is the one that was wanted. */
void wanted(struct bench *b, enum bf_rc rc, enum bf_rc want);
void connect_for(struct bench *b, enum bf_entry entry);
struct bf_ident identify(struct bench *b);

/* In alternate setting 0. */
enum bf_rc erase(struct bench *b, uint32_t addr, uint32_t size);
/* The client believes that it has erased all of setting 0; so it is from the start. */
void was_erased(struct bench *b);

/* begin, all blocks, finish; stops at the first failure. */
enum bf_rc download(struct bench *b, uint32_t addr, const uint8_t *data, size_t len);
enum bf_rc begin(struct bench *b, uint32_t addr, size_t len, struct bf_flow *ret);
enum bf_rc blocks(struct bench *b, const uint8_t *data, size_t len, size_t block);
/* Bytes that differ from one another, so that a shift shows. */
void pattern(uint8_t *p, size_t len);
