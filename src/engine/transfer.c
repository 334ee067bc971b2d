/* SPDX-License-Identifier: MIT */
/* Moving data: erasing, writing, reading, hashing. Failures are answered by recover.c. */
#include <stdio.h>

#include "phases.h"

/* ==== reading and hashing ==== */
/*
 * Reading and hashing of the pack's memory. Neither changes anything; what fails is asked again in smaller
 * steps.
 */

#define STEP_LEAST 4096u
#define STEP_MOST  65536u
#define STEP_USB   16384u
#define READ_LEAST 64u

void bf_transfer_restarted(struct bf_run *run)
{
	run->transfer.read_cap = run->transfer.block_cap = 0;
}

static void read_less(struct bf_run *run, size_t n)
{
	/* A long message is as weak as all its frames together. */
	run->transfer.read_cap = n / 2 > READ_LEAST ? n / 2 : READ_LEAST;
	bf_say(run, BF_EV_NOTICE, "reading %zu bytes at once from here on", run->transfer.read_cap);
}

/* A step costs a request that begins it and one that ends it; half a second of them leaves room for signs of
 * life and for a user who stops. */
size_t bf_read_step(const struct bf_run *run)
{
	double limit = bf_wire_limit(run->wire.transport, run->wire.rate);
	size_t n = STEP_USB;

	if (run->transfer.read_cap)
		return run->transfer.read_cap;
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
	size_t cap;     /* run->transfer.read_cap at the beginning */
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
		rc = run->session.proto->ops->loader->read(run->session.proto, r->region,
							   r->addr + (uint32_t)r->at,
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
	if (run->told.restarted)
		run->transfer.read_cap = r->cap;
	else if (met == BF_MET_LOST || met == BF_MET_MOVED)
		read_less(run, r->n);
	return BF_OK;
}

static enum bf_rc read_range(struct bf_run *run, enum bf_ask ask, const struct bf_region *region,
			     uint32_t addr, uint8_t *buf, size_t len, struct bf_err *err)
{
	struct reading r = { .region = region,
			     .addr = addr,
			     .buf = buf,
			     .len = len,
			     .cap = run->transfer.read_cap,
			     .failed_at = len };
	char what[80];

	snprintf(what, sizeof(what), "reading '%s'", region->name);
	if (bf_call(run,
		    &(struct bf_call){ .ask = ask,
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

enum bf_rc bf_read_range(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			 uint8_t *buf, size_t len, struct bf_err *err)
{
	return read_range(run, BF_ASK_READ, region, addr, buf, len, err);
}

enum bf_rc bf_read_glance(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			  uint8_t *buf, size_t len, struct bf_err *err)
{
	return read_range(run, BF_ASK_GLANCE, region, addr, buf, len, err);
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
		  : run->session.proto->ops->loader->hash_units(
			    run->session.proto, h->addr, h->size, h->unit, h->ret, h->n, err);
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

struct holding {
	const struct bf_region *region;
	uint32_t addr;
	const uint8_t *want;
	size_t len;
	bool *ret;
};

static enum bf_rc ask_holds(struct bf_run *run, void *ctx, struct bf_err *err)
{
	const struct holding *h = ctx;
	enum bf_rc rc = bf_run_stop(run, err);

	return rc ? rc
		  : run->session.proto->ops->loader->holds(run->session.proto, h->region, h->addr,
							   h->want, h->len, h->ret, err);
}

enum bf_rc bf_holds(struct bf_run *run, const struct bf_region *region, uint32_t addr,
		    const uint8_t *want, size_t len, bool *ret, struct bf_err *err)
{
	struct holding h = { region, addr, want, len, ret };

	return bf_call(run,
		       &(struct bf_call){ .ask = BF_ASK_READ,
					  .what = "comparing the pack's memory",
					  .call = ask_holds,
					  .ctx = &h },
		       err);
}

/* ==== erasing: in steps, so that progress can be told ==== */

#define STEP 65536u /* bytes at once, in whole units */

struct erasure {
	const struct bf_region *region;
	uint32_t addr, size;
};

/* Lost, or nobody waited for it to its end: who stops a run does so while a request is out. */
static bool is_unanswered(const struct bf_err *err)
{
	enum bf_met met = bf_met_of(err);

	return met == BF_MET_LOST || met == BF_MET_GONE || err->rc == BF_E_INTERRUPTED;
}

static enum bf_rc erase_step(struct bf_run *run, void *ctx, struct bf_err *err)
{
	const struct erasure *e = ctx;
	enum bf_rc rc = run->session.proto->ops->loader->erase(run->session.proto, e->region,
							       e->addr, e->size, err);

	/* Without its answer nobody knows whether it was done. */
	if (!rc || is_unanswered(err))
		bf_model_changed(&run->model, !rc);
	return rc;
}

/* Bytes from addr on that are erased by one request: whole units, about STEP of them. */
static uint32_t step_at(const struct bf_region *region, uint32_t addr, uint32_t most)
{
	uint32_t n = 0, start, size;

	while (n < most && bf_sector_at(region, addr + n, &start, &size)) {
		uint32_t to = start + size - addr;

		if (n && to > STEP)
			break;
		n = to;
	}
	return n && n < most ? n : most;
}

enum bf_rc bf_erase_range(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			  uint32_t size, bool in_one, struct bf_err *err)
{
	uint32_t done = 0;
	bf_time start = bf_now(run->clock);
	enum bf_rc rc = BF_OK;

	while (!rc && done < size) {
		uint32_t part = in_one ? size : step_at(region, addr + done, size - done);
		struct erasure e = { region, addr + done, part };
		char text[64], what[64];

		rc = bf_run_stop(run, err);
		if (rc)
			break;
		snprintf(text, sizeof(text), "erasing, %u %%",
			 (unsigned)(100 * (uint64_t)done / size));
		bf_alive(run, text);
		bf_clock_hold(run->clock);
		snprintf(what, sizeof(what), "erasing %u bytes at %08x", part, e.addr);
		rc = bf_call(
			run,
			&(struct bf_call){
				.ask = BF_ASK_ERASE, .what = what, .call = erase_step, .ctx = &e },
			err);
		bf_clock_release(run->clock);
		if (rc)
			bf_while(err, "%s", what);
		done += part;
	}
	bf_spent(run, BF_SPENT_ERASE, start);
	return rc;
}

enum bf_rc bf_erase_all(struct bf_run *run, struct bf_err *err)
{
	for (size_t i = 0; i < run->todo.n; i++) {
		const struct bf_item *item = &run->todo.items[i];

		if (item->erase_size && !item->rest &&
		    bf_erase_range(run, item->region, item->erase_addr, item->erase_size,
				   item->one_pass, err))
			return err->rc;
	}
	return BF_OK;
}

/* ==== the pace ==== */
/*
 * What the device's flash costs against what the wire carries meanwhile, learned from what each block took.
 * A device with two buffers writes one block while the next comes in, so a step takes the longer of
 * the two: only the steps that took longer than the wire alone tell of the flash.
 */

#define LONGER   1.05 /* than the wire alone: it was the device that was waited for */
#define KEEP     0.95 /* weight of what was learned before, at each sample */
#define CLOSE_AT 0.6  /* flash against wire: further apart than this, one of them decides alone */

static void learn(struct bf_pacer *p, double us)
{
	double u = p->before_units, b = (double)p->before_len;

	p->uu = KEEP * p->uu + u * u;
	p->ub = KEEP * p->ub + u * b;
	p->bb = KEEP * p->bb + b * b;
	p->ut = KEEP * p->ut + u * us;
	p->bt = KEEP * p->bt + b * us;
}

void bf_pace_note(struct bf_pacer *p, bf_time took, size_t len, unsigned units, size_t wire)
{
	double us = (double)took;

	if (!wire || took <= 0)
		return;
	if (p->us_wire <= 0 || us / (double)wire < p->us_wire)
		p->us_wire = us / (double)wire;
	if (p->before_len && us > LONGER * p->us_wire * (double)wire)
		learn(p, us);
	p->before_len = len;
	p->before_units = units;
	p->len += len;
	p->units += units;
	p->wire += wire;
}

/* Least squares of time = units * x + bytes * y; bytes alone where the samples do not tell units apart. */
static struct bf_pace solve(const struct bf_pacer *p)
{
	double det = p->uu * p->bb - p->ub * p->ub;
	struct bf_pace pace = { .byte = p->bt / p->bb };

	if (det > 1e-3 * p->uu * p->bb) {
		double unit = (p->ut * p->bb - p->bt * p->ub) / det;
		double byte = (p->bt * p->uu - p->ut * p->ub) / det;

		if (unit > 0 && byte > 0)
			pace = (struct bf_pace){ .byte = byte, .unit = unit };
	}
	pace.byte /= p->us_wire;
	pace.unit /= p->us_wire;
	return pace;
}

struct bf_pace bf_pace_now(const struct bf_pacer *p)
{
	struct bf_pace pace = { 0 };
	double share;

	if (p->bb <= 0)
		return pace;
	pace = solve(p);
	share = (pace.byte * (double)p->len + pace.unit * p->units) / (double)p->wire;
	return share > CLOSE_AT && share < 1 / CLOSE_AT ? pace : (struct bf_pace){ 0 };
}

/* ==== one item ==== */
/*
 * Moves one item: blocks in flight up to the device's window, what comes next by what the device says,
 * failures by the class of the request. A block borrows the image's bytes, so the next one is ready the
 * moment it may go.
 */

#define STALLS      6 /* answers in a row that ask for the same offset */
#define JOURNAL_GAP BF_SEC(2)
#define RATE_BYTES  32768 /* moved without a failure: the rate is not what is wrong */
#define PIECE_MIN   64    /* bytes: below that a line is not worth it */

struct mover {
	struct bf_run *run;
	const struct bf_item *item;
	const struct bf_proto_ops *ops;
	uint64_t base;    /* bytes of the job before this item */
	uint64_t total;   /* ... in all */
	size_t done;      /* confirmed, from the item's start */
	size_t best;      /* ... at most, before going back */
	unsigned stalls;  /* failures since something new was confirmed */
	size_t failed_at; /* best, at the failure before this one */
	size_t counted;   /* best, when failures were counted last */
	uint32_t rate_before;
	size_t block_max;
	bf_time journal_at;
	struct bf_pacer pacer;
};

/* One begun transfer. */
struct stream {
	size_t start; /* of this transfer, from the item's start */
	size_t len;
	size_t sent, confirmed; /* from start */
	size_t block_max;
	unsigned out;
	bf_time began; /* the block that was started last */
	int64_t saved; /* by compression, before it */
};

static enum bf_rc begin(struct mover *m, struct stream *s, struct bf_err *err)
{
	struct bf_target target = m->item->target;
	struct bf_flow flow = { 0 };

	target.from += m->done;
	target.addr += (uint32_t)m->done;
	target.len -= m->done;
	*s = (struct stream){ .start = m->done, .len = target.len };
	if (m->ops->loader->begin(m->run->session.proto, &target, &flow, err))
		return bf_while(err, "beginning a transfer of %zu bytes to %08x", target.len,
				target.addr);
	if (!flow.block_max || flow.next > target.len)
		return bf_fail(err, BF_E_NAK,
			       "the pack asks for blocks of %u bytes from offset %zu of %zu",
			       flow.block_max, flow.next, target.len);
	s->block_max = flow.block_max;
	if (m->run->transfer.block_cap && m->run->transfer.block_cap < s->block_max)
		s->block_max = m->run->transfer.block_cap;
	m->block_max = s->block_max;
	s->sent = s->confirmed = flow.next;
	return BF_OK;
}

static size_t block_len(const struct stream *s, size_t at)
{
	return s->len - at < s->block_max ? s->len - at : s->block_max;
}

/* Erase unit of a device that erases by itself, else 0. */
static uint32_t unit_ahead(const struct mover *m)
{
	return m->item->erases_ahead ? m->item->region->erase_unit : 0;
}

static enum bf_rc fill_window(struct mover *m, struct stream *s, struct bf_err *err)
{
	unsigned window = m->run->session.ident.in_flight ? m->run->session.ident.in_flight : 1;
	const uint8_t *data = m->item->target.segment->data + m->item->target.from + s->start;
	bf_time start = bf_now(m->run->clock);

	while (s->out < window && s->sent < s->len) {
		struct bf_block block = {
			.offset = s->sent,
			.data = data + s->sent,
			.len = block_len(s, s->sent),
		};

		if (window == 1)
			block.pace = bf_pace_now(&m->pacer);
		block.pace.erase_unit = unit_ahead(m);
		s->began = bf_now(m->run->clock);
		s->saved = m->run->session.proto->saved;

		if (m->ops->loader->block_start(m->run->session.proto, &block, err))
			return bf_while(err, "sending %zu bytes at offset %zu", block.len,
					s->start + s->sent);
		s->sent += block.len;
		s->out++;
		bf_sum_sent(m->run, (int64_t)block.len);
	}
	bf_spent(m->run, BF_SPENT_TRANSFER, start);
	return BF_OK;
}

static void note_pace(struct mover *m, const struct stream *s, size_t next)
{
	size_t len = next - s->confirmed, from = s->start + s->confirmed;
	int64_t wire = (int64_t)len - (m->run->session.proto->saved - s->saved);
	uint32_t unit = unit_ahead(m);
	/* such an item begins where a unit does */
	size_t units = unit ? (from + len + unit - 1) / unit - (from + unit - 1) / unit : 0;

	bf_pace_note(&m->pacer, bf_now(m->run->clock) - s->began, len, (unsigned)units,
		     wire > 0 ? (size_t)wire : 0);
}

/* The answer to the oldest block. A device that steers may want another offset than the next. */
static enum bf_rc take_answer(struct mover *m, struct stream *s, struct bf_err *err)
{
	size_t next = s->confirmed + block_len(s, s->confirmed), expected = next;
	bf_time start = bf_now(m->run->clock);
	enum bf_rc rc = m->ops->loader->block_finish(m->run->session.proto, &next, err);

	bf_spent(m->run, BF_SPENT_WAIT_PACK, start);
	if (rc)
		return bf_while(err, "waiting for the answer to offset %zu",
				s->start + s->confirmed);
	s->out--;
	if (next > s->len)
		return bf_fail(err, BF_E_NAK, "the pack asks for offset %zu of %zu", next, s->len);
	if (next <= s->confirmed && ++m->stalls > STALLS)
		return bf_fail(err, BF_E_LINK, "the pack asks for offset %zu again and again",
			       next);
	if (next > s->confirmed && !s->out)
		note_pace(m, s, next);
	s->confirmed = next;
	bf_sum_saved(m->run, m->run->session.proto->saved);
	if (next == expected)
		return BF_OK;
	while (s->out) { /* answers to what is now beside the point */
		s->out--;
		rc = m->ops->loader->block_finish(m->run->session.proto, &next, err);
		if (rc)
			return rc;
		s->confirmed = next <= s->len ? next : s->len;
	}
	/* A block may have been cut by whoever carries it: what is compressed fits as it fits. */
	if (s->sent > s->confirmed)
		bf_sum_sent(m->run, -(int64_t)(s->sent - s->confirmed));
	s->sent = s->confirmed;
	return BF_OK;
}

static void note(struct mover *m, const struct stream *s)
{
	m->done = s->start + s->confirmed;
	if (m->done > m->best) {
		m->best = m->done;
		m->stalls = 0;
		bf_model_changed(&m->run->model, true);
	}
}

/* To the user and to the disk: while a block is out, as neither of them is quick. */
static void tell(struct mover *m)
{
	struct bf_run *run = m->run;

	bf_progress(run, m->base + m->done, m->total);
	if (bf_now(run->clock) - m->journal_at < JOURNAL_GAP)
		return;
	m->journal_at = bf_now(run->clock);
	bf_journal_write(run);
}

static enum bf_rc pump(struct mover *m, struct stream *s, struct bf_err *err)
{
	while (s->confirmed < s->len) {
		enum bf_rc rc = bf_run_stop(m->run, err);

		if (!rc && !s->out)
			rc = bf_conditions_watch(m->run, err);
		/* When the pack's conditions are to be read, what is out comes in first. */
		if (!rc && !(s->out && bf_watch_due(m->run)))
			rc = fill_window(m, s, err);
		if (rc)
			return rc;
		tell(m);
		rc = take_answer(m, s, err);
		if (rc)
			return rc;
		note(m, s);
	}
	tell(m);
	return BF_OK;
}

/* A cancellation is taken at a block's border, between the exchanges: they themselves are held. */
static enum bf_rc transfer(struct mover *m, struct bf_err *err)
{
	struct stream s;
	enum bf_rc rc;

	bf_clock_hold(m->run->clock);
	rc = begin(m, &s, err);
	if (!rc) {
		rc = pump(m, &s, err);
		if (!rc && m->ops->loader->finish) {
			bf_time start = bf_now(m->run->clock);

			rc = m->ops->loader->finish(m->run->session.proto, err);
			bf_spent(m->run, BF_SPENT_WAIT_PACK, start);
			if (rc)
				bf_while(err, "ending the transfer");
		}
		if (rc && m->ops->loader->abandon)
			m->ops->loader->abandon(m->run->session.proto);
	}
	bf_clock_release(m->run->clock);
	return rc;
}

static void say_rate(struct bf_run *run)
{
	bf_say(run, BF_EV_NOTICE, "the line goes on at %u bit/s", run->wire.rate);
}

/* One failure in much is the line's own; failures close together may be the rate's. Where changing it fails
 * with both ends back at the old one, the old one it is. */
static enum bf_rc suit_rate(struct mover *m, uint32_t before, struct bf_err *err)
{
	struct bf_run *run = m->run;
	bool often = m->best - m->failed_at < RATE_BYTES;
	uint32_t lower = bf_rate_lower(run);
	uint32_t want = often ? lower : run->wire.agreed_rate;
	enum bf_rc rc = BF_OK;

	m->failed_at = m->best;
	run->transfer.rate_steps += often && want && want < run->wire.rate;
	if (want && want != run->wire.rate && run->session.proto->ops->set_rate &&
	    run->wire.rate == before)
		rc = bf_rate_change(run, want, err);
	if (run->wire.rate != before)
		say_rate(run);
	return rc == BF_E_LINK ? BF_OK : rc;
}

/* Back to the start of an erase unit: half-written units are erased again. */
static enum bf_rc rewind_to_unit(struct mover *m, struct bf_err *err)
{
	const struct bf_item *item = m->item;
	uint32_t at = item->target.addr + (uint32_t)m->done, start, size;
	enum bf_rc rc;

	if (!item->region)
		return BF_OK;
	if (item->one_pass || !bf_sector_at(item->region, at, &start, &size))
		start = item->erase_addr;
	m->done = start > item->target.addr ? start - item->target.addr : 0;
	if (item->erases_ahead) /* it erases a unit when its first byte comes */
		return BF_OK;
	if (!item->erase_size) {
		m->done = 0;
		return BF_OK;
	}
	rc = bf_erase_range(m->run, item->region, start,
			    item->erase_addr + item->erase_size - start, item->one_pass, err);
	return !rc && item->parted ? bf_item_move(m->run, item + 1, m->base, m->total, err) : rc;
}

/* A long message is as weak as all its frames together. Only a counted block may be cut at will: where a
 * block's number times its size makes the address, it may not. */
static void shorten(struct mover *m)
{
	size_t half = m->block_max / 2 / 8 * 8;

	if (m->ops->loader->block_class != BF_RETRY_COUNTED || half < PIECE_MIN)
		return;
	m->run->transfer.block_cap = half;
	bf_say(m->run, BF_EV_NOTICE, "blocks of %zu bytes from here on", half);
}

/* From the start, where the device has forgotten, or knows better than we do. */
static enum bf_rc go_back(struct mover *m, bool lost, struct bf_err *err)
{
	enum bf_retry_class rclass = m->ops->loader->block_class;

	if (rclass == BF_RETRY_APPEND_ONLY || rclass == BF_RETRY_STEERED) {
		m->done = 0;
		return BF_OK;
	}
	return lost ? rewind_to_unit(m, err) : BF_OK;
}

static enum bf_rc again(struct bf_run *run, void *ctx, enum bf_met met, struct bf_err *err)
{
	struct mover *m = ctx;
	bool lost = met != BF_MET_MOVED;
	bool ended = m->done == m->item->target.len; /* all was confirmed but the end */
	enum bf_rc rc = BF_OK;

	if (lost)
		rc = suit_rate(m, m->rate_before, err);
	if (met == BF_MET_LOST)
		shorten(m);
	m->rate_before = run->wire.rate;
	if (ended)
		m->done--; /* in the last unit, which goes again */
	return rc ? rc : go_back(m, lost || ended, err);
}

static enum bf_rc move(struct bf_run *run, void *ctx, struct bf_err *err)
{
	struct mover *m = ctx;

	enum bf_rc rc;

	m->rate_before = run->wire.rate;
	rc = transfer(m, err);
	/* A block without its answer may be in flash. */
	if (rc && is_unanswered(err))
		bf_model_changed(&run->model, false);
	return rc;
}

static bool advanced(void *ctx)
{
	struct mover *m = ctx;
	bool further = m->best > m->counted;

	m->counted = m->best;
	return further;
}

enum bf_rc bf_item_move(struct bf_run *run, const struct bf_item *item, uint64_t base,
			uint64_t total, struct bf_err *err)
{
	struct mover m = {
		.run = run,
		.item = item,
		.ops = run->session.proto->ops,
		.base = base,
		.total = total,
		.journal_at = bf_now(run->clock),
	};

	if (!item->target.len) /* blank, once it is erased */
		return BF_OK;
	return bf_call(run,
		       &(struct bf_call){ .ask = BF_ASK_TRANSFER,
					  .what = "the transfer",
					  .call = move,
					  .again = again,
					  .advanced = advanced,
					  .ctx = &m },
		       err);
}

/* ==== the phase that erases and writes ==== */

static enum bf_rc move_one(struct bf_run *run, size_t i, uint64_t *done, struct bf_err *err)
{
	const struct bf_item *item = &run->todo.items[i];

	if (bf_item_move(run, item, *done, run->todo.bytes - run->todo.skipped, err))
		return bf_while(err, "writing %zu bytes at %08x", item->target.len,
				item->target.addr);
	*done += item->target.len;
	return BF_OK;
}

enum bf_rc bf_ph_write(struct bf_run *run, struct bf_err *err)
{
	struct bf_todo *todo = &run->todo;
	uint64_t done = 0;

	if (!run->session.proto->ops->loader->begin ||
	    !run->session.proto->ops->loader->block_start ||
	    !run->session.proto->ops->loader->block_finish)
		return bf_fail(err, BF_E_UNSUPPORTED, "this bootloader cannot be written");
	/* From here on the journal tells the next run that something is half done. */
	bf_model_writing(&run->model);
	bf_journal_write(run);
	if (bf_erase_all(run, err))
		return err->rc;
	bf_progress_resume(run);
	for (size_t i = todo->head_last ? 1 : 0; i < todo->n; i++) {
		if (move_one(run, i, &done, err))
			return err->rc;
	}
	if (todo->head_last && move_one(run, 0, &done, err))
		return err->rc;
	run->transfer.worked_rate = run->wire.rate;
	bf_model_written(&run->model);
	bf_journal_write(run);
	return BF_OK;
}
