/* SPDX-License-Identifier: MIT */
/* Runs of bytes in the order of a file, made into sorted segments without overlap. */
#include <stdio.h>
#include <string.h>

#include "image/image_priv.h"

void bf_runs_done(struct bf_runs *runs)
{
	free(runs->v);
	*runs = (struct bf_runs){ 0 };
}

/* One past the last address; up to 2^32. */
static uint64_t end_of(const struct bf_segment *seg)
{
	return (uint64_t)seg->addr + seg->len;
}

static bool adjacent(const struct bf_segment *a, const struct bf_segment *b)
{
	return a->alt == b->alt && end_of(a) == b->addr;
}

void bf_runs_add(struct bf_runs *runs, const struct bf_segment *seg, size_t line)
{
	struct bf_run *last = runs->n ? &runs->v[runs->n - 1] : NULL;

	if (seg->len == 0)
		return;
	if (last && adjacent(&last->seg, seg) && last->seg.data + last->seg.len == seg->data) {
		last->seg.len += seg->len;
		last->last = line;
		return;
	}
	if (runs->n == runs->cap) {
		size_t cap = runs->cap ? 2 * runs->cap : 8;
		struct bf_run *v = reallocarray(runs->v, cap, sizeof(*v));

		if (!v)
			abort();
		runs->v = v;
		runs->cap = cap;
	}
	runs->v[runs->n++] = (struct bf_run){ *seg, line, line };
}

static int by_place(const void *va, const void *vb)
{
	const struct bf_run *a = va, *b = vb;

	if (a->seg.alt != b->seg.alt)
		return a->seg.alt < b->seg.alt ? -1 : 1;
	if (a->seg.addr != b->seg.addr)
		return a->seg.addr < b->seg.addr ? -1 : 1;
	return (a->first > b->first) - (a->first < b->first);
}

static enum bf_rc refuse_overlap(const char *path, const struct bf_run *a, const struct bf_run *b,
				 struct bf_err *err)
{
	const struct bf_run *late = b->first >= a->first ? b : a;
	const struct bf_run *early = late == b ? a : b;

	if (!a->first)
		return bf_fail(err, BF_E_IMAGE, "'%s': address 0x%08x is given twice", path,
			       b->seg.addr);
	return bf_fail(err, BF_E_IMAGE,
		       "'%s' gives address 0x%08x twice: in lines %zu to %zu, and again in lines "
		       "%zu to %zu",
		       path, b->seg.addr, early->first, early->last, late->first, late->last);
}

/* Brings all bytes together in the order of addresses, so that neighbours become one segment. */
static void join(struct bf_claim *claim, struct bf_runs *runs)
{
	size_t total = 0, at = 0;

	for (size_t i = 0; i < runs->n; i++)
		total += runs->v[i].seg.len;
	claim->joined = malloc(total);
	if (!claim->joined)
		abort();
	for (size_t i = 0; i < runs->n; i++) {
		struct bf_segment *seg = &runs->v[i].seg;

		memcpy(claim->joined + at, seg->data, seg->len);
		seg->data = claim->joined + at;
		at += seg->len;
	}
}

static void merge(struct bf_claim *claim, const struct bf_runs *runs)
{
	claim->segs = calloc(runs->n, sizeof(*claim->segs));
	if (!claim->segs)
		abort();
	for (size_t i = 0; i < runs->n; i++) {
		const struct bf_segment *seg = &runs->v[i].seg;
		struct bf_segment *last = claim->n_segs ? &claim->segs[claim->n_segs - 1] : NULL;

		if (last && adjacent(last, seg))
			last->len += seg->len;
		else
			claim->segs[claim->n_segs++] = *seg;
	}
}

enum bf_rc bf_claim_settle(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err)
{
	bool apart = false; /* neighbours by address whose bytes lie elsewhere */

	if (runs->n == 0)
		return bf_fail(err, BF_E_IMAGE, "'%s' holds no data", claim->path);
	qsort(runs->v, runs->n, sizeof(*runs->v), by_place);
	for (size_t i = 1; i < runs->n; i++) {
		const struct bf_run *a = &runs->v[i - 1], *b = &runs->v[i];

		if (a->seg.alt == b->seg.alt && end_of(&a->seg) > b->seg.addr)
			return refuse_overlap(claim->path, a, b, err);
		if (adjacent(&a->seg, &b->seg) && a->seg.data + a->seg.len != b->seg.data)
			apart = true;
	}
	if (apart)
		join(claim, runs);
	merge(claim, runs);
	return BF_OK;
}
