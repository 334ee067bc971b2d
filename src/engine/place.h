/* SPDX-License-Identifier: MIT */
/* place.c: where in the pack an image goes. */
#pragma once

#include "bmsflash/session.h"

struct bf_run;

struct bf_place {
	const struct bf_region *region;
	uint32_t addr;
};

enum bf_rc bf_place_segments(struct bf_run *run, const struct bf_segment *segs, size_t n,
			     struct bf_place *ret, struct bf_err *err);
/* Nothing names the image's place: it has to be looked for in the pack's memory. */
bool bf_place_is_sought(const struct bf_run *run);
/* What the pack or the profile names as the image's place; NULL: nothing, or the image has addresses. */
const struct bf_region *bf_place_named(const struct bf_run *run);
/* The region that a segment at this address lies in; NULL: none. */
const struct bf_region *bf_place_region(const struct bf_run *run, const struct bf_segment *seg,
					uint32_t addr);
#define BF_STREAM_GAP 4096u /* a gap between two segments of a stream that is no longer filled */
bool bf_stream_span(const struct bf_segment *segs, size_t n, size_t *ret_len, uint32_t *ret_gap);
enum bf_rc bf_stream_check(struct bf_run *run, struct bf_err *err);
enum bf_rc bf_place_stream(struct bf_run *run, const struct bf_segment *seg,
			   const struct bf_region **ret, struct bf_err *err);
