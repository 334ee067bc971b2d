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

	if (seg->len == 0 || runs->no_memory)
		return;
	if (last && adjacent(&last->seg, seg) && last->seg.data + last->seg.len == seg->data) {
		last->seg.len += seg->len;
		last->last = line;
		return;
	}
	if (runs->n == runs->cap) {
		size_t cap = runs->cap ? 2 * runs->cap : 8;
		struct bf_run *v = reallocarray(runs->v, cap, sizeof(*v));

		if (!v) {
			runs->no_memory = true;
			return;
		}
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

static enum bf_rc no_memory(const struct bf_claim *claim, struct bf_err *err)
{
	return bf_fail(err, BF_E_IMAGE, "not enough memory for the %zu bytes of '%s'", claim->len,
		       claim->path);
}

/* Every run's bytes are bytes of the file, or were decoded from more of them, each once. */
static enum bf_rc check_total(const struct bf_claim *claim, const struct bf_runs *runs,
			      struct bf_err *err)
{
	uint64_t total = 0;

	for (size_t i = 0; i < runs->n; i++)
		total += runs->v[i].seg.len;
	if (total <= claim->len)
		return BF_OK;
	return bf_fail(err, BF_E_IMAGE,
		       "'%s' gives places for %llu bytes, but the file has only %zu", claim->path,
		       (unsigned long long)total, claim->len);
}

/* Brings all bytes together in the order of addresses, so that neighbours become one segment; no more than the
 * file has, see check_total. */
static enum bf_rc join(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err)
{
	size_t at = 0;

	claim->joined = malloc(claim->len);
	if (!claim->joined)
		return no_memory(claim, err);
	for (size_t i = 0; i < runs->n; i++) {
		struct bf_segment *seg = &runs->v[i].seg;

		memcpy(claim->joined + at, seg->data, seg->len);
		seg->data = claim->joined + at;
		at += seg->len;
	}
	return BF_OK;
}

static enum bf_rc merge(struct bf_claim *claim, const struct bf_runs *runs, struct bf_err *err)
{
	claim->segs = calloc(runs->n, sizeof(*claim->segs));
	if (!claim->segs)
		return no_memory(claim, err);
	for (size_t i = 0; i < runs->n; i++) {
		const struct bf_segment *seg = &runs->v[i].seg;
		struct bf_segment *last = claim->n_segs ? &claim->segs[claim->n_segs - 1] : NULL;

		if (last && adjacent(last, seg))
			last->len += seg->len;
		else
			claim->segs[claim->n_segs++] = *seg;
	}
	return BF_OK;
}

enum bf_rc bf_claim_settle(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err)
{
	bool apart = false; /* neighbours by address whose bytes lie elsewhere */

	if (runs->no_memory)
		return no_memory(claim, err);
	if (check_total(claim, runs, err))
		return err->rc;
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
	if (apart && join(claim, runs, err))
		return err->rc;
	return merge(claim, runs, err);
}
