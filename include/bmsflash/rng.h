/* SPDX-License-Identifier: MIT */
/* A small seeded generator (SplitMix64) for faults and simulation; not for secrets. */
#pragma once

#include "bmsflash/base.h"

struct bf_rng {
	uint64_t state;
};

static inline uint64_t bf_rng_next(struct bf_rng *r)
{
	uint64_t z = (r->state += 0x9E3779B97F4A7C15u);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* 0 .. n-1 */
static inline uint32_t bf_rng_below(struct bf_rng *r, uint32_t n)
{
	return n ? (uint32_t)(bf_rng_next(r) % n) : 0;
}
