/* SPDX-License-Identifier: MIT */
/*
 * The fault injector. It sits between a wire and its user and spoils a share of the messages: one
 * write or read of a stream, one frame of a bus, one transfer of a USB device. What is spoilt depends
 * on the seed and on the order of messages alone, so that a run on virtual time can be repeated.
 *
 * Damage goes as on the real wire: a stream delivers wrong bits; CAN and USB protect each message by
 * a CRC in hardware, so a damaged frame is a lost one and a damaged transfer a failed one.
 */
#include "fault.h"

#include <string.h>

#define MILLION 1000000u

struct bf_fault *bf_fault_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct bf_fault, w.t);
}

static bool hit(struct bf_fault *f, uint32_t ppm)
{
	return bf_rng_below(&f->rng, MILLION) < ppm;
}

/* Draws the same count of numbers for each message, so that one share does not shift another. */
struct bf_fate bf_fault_draw(struct bf_fault *f)
{
	struct bf_fate fate;

	fate.drop = hit(f, f->spec.drop);
	fate.flip = hit(f, f->spec.flip);
	fate.dup = hit(f, f->spec.dup);
	fate.trunc = hit(f, f->spec.trunc);
	fate.delay = hit(f, f->spec.delay) ? f->spec.delay_us : 0;
	f->messages++;
	if (fate.drop || fate.flip || fate.dup || fate.trunc || fate.delay)
		bf_log(f->w.t.log, BF_LOG_DEBUG, "fault: message %llu:%s%s%s%s%s",
		       (unsigned long long)f->messages, fate.drop ? " drop" : "",
		       fate.flip ? " flip" : "", fate.dup ? " dup" : "", fate.trunc ? " trunc" : "",
		       fate.delay ? " delay" : "");
	return fate;
}

static void add_errors(struct bf_wrap *w, const char *doing, enum bf_rc rc)
{
	(void)doing, (void)rc;
	w->t.stats.line_errors += bf_fault_of(&w->t)->line_errors;
}

enum bf_rc bf_fault_check_cut(struct bf_wrap *w, struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(&w->t);

	if (f->spec.cut && f->messages >= f->spec.cut)
		return bf_fail(err, BF_E_GONE,
			       "'%s' was cut by the fault injector after %llu messages", w->t.name,
			       (unsigned long long)f->spec.cut);
	if (f->spec.unplug && !f->was_unplugged && f->messages >= f->spec.unplug) {
		f->unplugged = f->was_unplugged = true;
		f->back_at = bf_in(w->t.clock, f->spec.unplug_us);
	}
	if (!f->unplugged)
		return BF_OK;
	return bf_fail(err, BF_E_GONE,
		       "'%s' was unplugged by the fault injector after %llu messages", w->t.name,
		       (unsigned long long)f->spec.unplug);
}

/* Until it is plugged in again; BF_OK also where it never was pulled. */
static enum bf_rc plug_in(struct bf_fault *f, bf_time deadline, struct bf_err *err)
{
	if (bf_fault_check_cut(&f->w, err) == BF_OK)
		return BF_OK;
	if (!f->unplugged || bf_fault_wait(f, f->back_at, deadline, err)) {
		if (err->rc == BF_E_TIMEOUT)
			bf_fail(err, BF_E_TIMEOUT, "'%s' did not come back in time", f->w.t.name);
		return err->rc;
	}
	f->unplugged = false;
	f->held.full = f->held.again = false;
	return BF_OK;
}

static enum bf_rc stream_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	if (plug_in(bf_fault_of(t), deadline, err))
		return err->rc;
	return bf_wrap_stream_reopen(t, deadline, err);
}

static enum bf_rc usb_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	if (plug_in(bf_fault_of(t), deadline, err))
		return err->rc;
	return bf_wrap_reopen(t, deadline, err);
}

enum bf_rc bf_fault_wait(struct bf_fault *f, bf_time at, bf_time deadline, struct bf_err *err)
{
	bf_time end = at < deadline ? at : deadline;

	if (bf_now(f->w.t.clock) >= at)
		return BF_OK;
	if (!bf_clock_until(f->w.t.clock, end))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while waiting for '%s'",
			       f->w.t.name);
	if (bf_now(f->w.t.clock) >= at)
		return BF_OK;
	return bf_fail(err, BF_E_TIMEOUT, "nothing came from '%s' in time", f->w.t.name);
}

static void flip_bit(struct bf_fault *f, uint8_t *p, size_t len)
{
	uint32_t bit;

	if (!len)
		return;
	bit = bf_rng_below(&f->rng, (uint32_t)len * 8);
	p[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* Parity shows a flipped bit, and the driver throws its byte away. */
static size_t lose_byte(struct bf_fault *f, uint8_t *p, size_t len)
{
	uint32_t at;

	if (!len)
		return 0;
	at = bf_rng_below(&f->rng, (uint32_t)len * 8) / 8;
	memmove(p + at, p + at + 1, len - at - 1);
	f->line_errors++;
	return len - 1;
}

size_t bf_fault_shortened(struct bf_fault *f, size_t len)
{
	return len ? bf_rng_below(&f->rng, (uint32_t)len) : 0;
}

/* ---- stream ---- */

static enum bf_rc stream_write(struct bf_transport *t, const uint8_t *p, size_t len,
			       bf_time deadline, struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);
	BF_AUTO_MEM uint8_t *copy = malloc(len + 1);
	struct bf_fate fate;
	enum bf_rc rc;

	if (!copy)
		return bf_fail(err, BF_E_INTERNAL, "no memory for a write of %zu bytes", len);
	if (bf_fault_check_cut(&f->w, err))
		return err->rc;
	fate = bf_fault_draw(f);
	if (len)
		memcpy(copy, p, len);
	if (fate.flip)
		flip_bit(f, copy, len);
	if (fate.trunc)
		len = bf_fault_shortened(f, len);
	if (fate.delay && bf_fault_wait(f, bf_in(t->clock, fate.delay), deadline, err))
		return err->rc;
	if (fate.drop)
		return BF_OK;
	rc = f->w.inner->ops->stream->write(f->w.inner, copy, len, deadline, err);
	if (!rc && fate.dup)
		rc = f->w.inner->ops->stream->write(f->w.inner, copy, len, deadline, err);
	return bf_wrap_after(&f->w, "write", rc);
}

/* Fills the held message from the wire; it stays empty when the message was dropped. */
static enum bf_rc stream_fetch(struct bf_fault *f, bf_time deadline, struct bf_err *err)
{
	struct bf_fault_held *h = &f->held;
	struct bf_fate fate;
	size_t len;

	if (f->w.inner->ops->stream->read(f->w.inner, h->bytes, sizeof(h->bytes), &len, deadline,
					  err))
		return bf_wrap_after(&f->w, "read", err->rc);
	fate = bf_fault_draw(f);
	if (fate.flip && f->parity)
		len = lose_byte(f, h->bytes, len);
	else if (fate.flip)
		flip_bit(f, h->bytes, len);
	if (fate.trunc)
		len = bf_fault_shortened(f, len);
	h->len = len;
	h->pos = 0;
	h->again = fate.dup;
	h->ready_at = bf_in(f->w.t.clock, fate.delay);
	h->full = !fate.drop && len > 0;
	return bf_wrap_after(&f->w, "read", BF_OK);
}

static enum bf_rc stream_read(struct bf_transport *t, uint8_t *p, size_t cap, size_t *ret_len,
			      bf_time deadline, struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);
	struct bf_fault_held *h = &f->held;
	size_t n;

	if (bf_fault_check_cut(&f->w, err))
		return err->rc;
	while (!h->full) {
		if (stream_fetch(f, deadline, err))
			return err->rc;
	}
	if (bf_fault_wait(f, h->ready_at, deadline, err))
		return err->rc;
	n = h->len - h->pos < cap ? h->len - h->pos : cap;
	memcpy(p, h->bytes + h->pos, n);
	h->pos += n;
	if (h->pos == h->len) {
		h->full = h->again;
		h->again = false;
		h->pos = 0;
	}
	*ret_len = n;
	return BF_OK;
}

static enum bf_rc stream_set_line(struct bf_transport *t, const struct bf_line *line,
				  struct bf_err *err)
{
	bf_fault_of(t)->parity = line->parity != BF_PARITY_NONE;
	return bf_wrap_set_line(t, line, err);
}

static void stream_discard(struct bf_transport *t)
{
	struct bf_fault *f = bf_fault_of(t);

	f->held.full = false;
	f->w.inner->ops->stream->discard(f->w.inner);
}

/* ---- bus ---- */

/* FD knows only some lengths; those up to 8 are valid for every frame. */
static void shorten_frame(struct bf_fault *f, struct bf_frame *frame)
{
	size_t n = bf_fault_shortened(f, frame->len);

	frame->len = (uint8_t)(n < 8 ? n : 8);
}

static enum bf_rc bus_send(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			   struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);
	struct bf_frame copy = *frame;
	struct bf_fate fate;
	enum bf_rc rc;

	if (bf_fault_check_cut(&f->w, err))
		return err->rc;
	fate = bf_fault_draw(f);
	if (fate.trunc)
		shorten_frame(f, &copy);
	if (fate.delay && bf_fault_wait(f, bf_in(t->clock, fate.delay), deadline, err))
		return err->rc;
	f->line_errors += fate.flip;
	if (fate.drop || fate.flip)
		return bf_wrap_after(&f->w, "send", BF_OK);
	rc = f->w.inner->ops->bus->send(f->w.inner, &copy, deadline, err);
	if (!rc && fate.dup)
		rc = f->w.inner->ops->bus->send(f->w.inner, &copy, deadline, err);
	return bf_wrap_after(&f->w, "send", rc);
}

static enum bf_rc bus_fetch(struct bf_fault *f, bf_time deadline, struct bf_err *err)
{
	struct bf_fault_held *h = &f->held;
	struct bf_fate fate;

	if (f->w.inner->ops->bus->recv(f->w.inner, &h->frame, deadline, err))
		return bf_wrap_after(&f->w, "recv", err->rc);
	fate = bf_fault_draw(f);
	if (fate.trunc)
		shorten_frame(f, &h->frame);
	f->line_errors += fate.flip;
	h->again = fate.dup;
	h->ready_at = bf_in(f->w.t.clock, fate.delay);
	h->full = !fate.drop && !fate.flip;
	if (fate.delay)
		h->frame.at = h->ready_at;
	return bf_wrap_after(&f->w, "recv", BF_OK);
}

static enum bf_rc bus_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);
	struct bf_fault_held *h = &f->held;

	if (bf_fault_check_cut(&f->w, err))
		return err->rc;
	while (!h->full) {
		if (bus_fetch(f, deadline, err))
			return err->rc;
	}
	if (bf_fault_wait(f, h->ready_at, deadline, err))
		return err->rc;
	*ret = h->frame;
	h->full = h->again;
	h->again = false;
	return BF_OK;
}

/* ---- wrapping ---- */

static void fault_close(struct bf_transport *t)
{
	struct bf_fault *f = bf_fault_of(t);

	bf_transport_close(f->w.inner);
	free(f);
}

static const struct bf_wrap_ops fault_ops = {
	.stream = {
		.write = stream_write,
		.read = stream_read,
		.set_line = stream_set_line,
		.discard = stream_discard,
		.reopen = stream_reopen,
	},
	.bus = { .send = bus_send, .recv = bus_recv },
	.usb = {
		.control = bf_fault_usb_control,
		.bulk = bf_fault_usb_bulk,
		.reopen = usb_reopen,
	},
	.close = fault_close,
	.before = bf_fault_check_cut,
	.after = add_errors,
};

enum bf_rc bf_fault_wrap(struct bf_transport *take, const char *spec, struct bf_transport **ret,
			 struct bf_err *err)
{
	BF_AUTO(bf_transport) *inner = take;
	struct bf_fault_spec parsed;
	struct bf_fault *f;

	if (bf_fault_parse(spec, &parsed, err))
		return err->rc;
	f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	f->spec = parsed;
	f->rng.state = parsed.seed;
	bf_wrap_init(&f->w, bf_steal(&inner), &fault_ops);
	*ret = &f->w.t;
	return BF_OK;
}
