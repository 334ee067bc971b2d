/* SPDX-License-Identifier: MIT */
/*
 * Reading and hashing of the pack's memory. Neither changes anything; what fails is asked again in smaller
 * steps.
 */
#include <stdio.h>

#include "recover.h"
#include "run.h"

#define STEP_LEAST 4096u
#define STEP_MOST  65536u
#define STEP_USB   16384u
#define READ_LEAST 64u

static void shorten(struct bf_run *run, size_t n)
{
	/* A long message is as weak as all its frames together. */
	run->read_cap = n / 2 > READ_LEAST ? n / 2 : READ_LEAST;
	bf_say(run, BF_EV_NOTICE, "reading %zu bytes at once from here on", run->read_cap);
}

/* A step costs a request that begins it and one that ends it; half a second of them leaves room for signs of
 * life and for a user who stops. */
size_t bf_read_step(const struct bf_run *run)
{
	double limit = bf_wire_limit(run->transport, run->rate);
	size_t n = STEP_USB;

	if (run->read_cap)
		return run->read_cap;
	if (limit > 0)
		n = limit / 2 < STEP_MOST ? (size_t)limit / 2 : STEP_MOST;
	return n > STEP_LEAST ? n / STEP_LEAST * STEP_LEAST : STEP_LEAST;
}

struct reading {
	const struct bf_region *region;
	uint32_t addr;
	uint8_t *buf;
	size_t len, at; /* all, and read so far */
	size_t n;       /* asked for last */
	size_t cap;     /* run->read_cap at the beginning */
	size_t failed_at;
};

static enum bf_rc read_on(struct bf_run *run, void *ctx, struct bf_err *err)
{
	struct reading *r = ctx;

	while (r->at < r->len) {
		size_t step = bf_read_step(run);
		enum bf_rc rc = bf_run_stop(run, err);

		if (rc)
			return rc;
		bf_alive(run, "reading");
		r->n = r->len - r->at < step ? r->len - r->at : step;
		rc = run->proto->ops->loader->read(run->proto, r->region, r->addr + (uint32_t)r->at,
						   r->buf + r->at, r->n, err);
		if (rc)
			return rc;
		r->at += r->n;
	}
	return BF_OK;
}

static bool read_advanced(void *ctx)
{
	struct reading *r = ctx;
	bool further = r->at != r->failed_at;

	r->failed_at = r->at;
	return further;
}

/* A restarted pack says nothing about the line; everything else does. */
static enum bf_rc read_smaller(struct bf_run *run, void *ctx, enum bf_met met, struct bf_err *err)
{
	struct reading *r = ctx;

	(void)err;
	if (run->restarted)
		run->read_cap = r->cap;
	else if (met == BF_MET_LOST || met == BF_MET_MOVED)
		shorten(run, r->n);
	return BF_OK;
}

enum bf_rc bf_read_range(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			 uint8_t *buf, size_t len, struct bf_err *err)
{
	struct reading r = { .region = region,
			     .addr = addr,
			     .buf = buf,
			     .len = len,
			     .cap = run->read_cap,
			     .failed_at = len };
	char what[80];

	snprintf(what, sizeof(what), "reading '%s'", region->name);
	if (bf_call(run,
		    &(struct bf_call){ .ask = BF_ASK_READ,
				       .what = what,
				       .call = read_on,
				       .again = read_smaller,
				       .advanced = read_advanced,
				       .ctx = &r },
		    err))
		return bf_while(err, "reading %zu bytes of '%s' at %08x", r.n, region->name,
				addr + (uint32_t)r.at);
	return BF_OK;
}

struct hashing {
	uint32_t addr, size, unit;
	uint8_t (*ret)[8];
	size_t n;
};

static enum bf_rc hash_all(struct bf_run *run, void *ctx, struct bf_err *err)
{
	const struct hashing *h = ctx;
	enum bf_rc rc = bf_run_stop(run, err);

	return rc ? rc
		  : run->proto->ops->loader->hash_units(run->proto, h->addr, h->size, h->unit,
							h->ret, h->n, err);
}

enum bf_rc bf_hash_units(struct bf_run *run, uint32_t addr, uint32_t size, uint32_t unit,
			 uint8_t (*ret)[8], size_t n, struct bf_err *err)
{
	struct hashing h = { addr, size, unit, ret, n };

	return bf_call(run,
		       &(struct bf_call){ .ask = BF_ASK_READ,
					  .what = "hashing the pack's memory",
					  .call = hash_all,
					  .ctx = &h },
		       err);
}
