/* SPDX-License-Identifier: MIT */
/* A byte stream in memory. */
#include "fake_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"

void fake_say_bytes(struct fake *f, const uint8_t *p, size_t len, bf_time after)
{
	bf_time from = bf_in(f->t.clock, after);

	for (size_t i = 0; i < len; i++) {
		fake_push(f, (struct fake_item){ 0 }, &p[i], 1, from + f->byte_us);
		from = f->queue[f->n_queue - 1].at;
	}
}

static void say(struct fake *f, const char *what, bf_time after)
{
	size_t cap = strlen(what) / 2 + 1;
	BF_AUTO_MEM uint8_t *p = fake_grow(NULL, cap, 1);

	fake_say_bytes(f, p, fake_unhex(what, p, cap), after);
}

static char *upper_hex(const uint8_t *p, size_t len)
{
	char *s = fake_grow(NULL, 2 * len + 1, 1);

	s[0] = '\0';
	for (size_t i = 0; i < len; i++)
		snprintf(s + 2 * i, 3, "%02X", p[i]);
	return s;
}

static void consume(struct fake *f, size_t n)
{
	f->n_pending -= n;
	memmove(f->pending, f->pending + n, f->n_pending);
}

static void react(struct fake *f)
{
	while (f->n_pending) {
		BF_AUTO_MEM char *text = upper_hex(f->pending, f->n_pending);
		size_t n = 0;
		const struct fake_rule *r = fake_match(f, text, &n);

		if (r) {
			consume(f, n / 2);
			say(f, r->answer, r->after);
			continue;
		}
		if (f->stream_fn)
			n = f->stream_fn(f, f->ctx, f->pending, f->n_pending);
		if (!n)
			return;
		consume(f, n);
	}
}

static enum bf_rc stream_write(struct bf_transport *t, const uint8_t *p, size_t len,
			       bf_time deadline, struct bf_err *err)
{
	struct fake *f = fake_of(t);
	BF_AUTO_MEM char *text = upper_hex(p, len);
	bf_time now;

	if (fake_wait(f, f->blocked_until, deadline, "writing", err))
		return err->rc;
	now = bf_now(t->clock);
	f->busy_until = (f->busy_until > now ? f->busy_until : now) + (bf_time)len * f->byte_us;
	t->stats.tx_bytes += len;
	fake_hear(f, text);
	f->pending = fake_grow(f->pending, f->n_pending + len + 1, 1);
	if (len)
		memcpy(f->pending + f->n_pending, p, len);
	f->n_pending += len;
	react(f);
	return BF_OK;
}

static enum bf_rc stream_read(struct bf_transport *t, uint8_t *p, size_t cap, size_t *ret_len,
			      bf_time deadline, struct bf_err *err)
{
	struct fake *f = fake_of(t);
	size_t n = 0;

	if (fake_wait(f, f->n_queue ? f->queue[0].at : BF_NEVER, deadline, "waiting for bytes",
		      err))
		return err->rc;
	while (n < cap && f->n_queue && f->queue[0].at <= bf_now(t->clock)) {
		p[n++] = f->queue[0].bytes[0];
		fake_pop(f, 0);
	}
	t->stats.rx_bytes += n;
	*ret_len = n;
	return BF_OK;
}

static enum bf_rc stream_drain(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct fake *f = fake_of(t);

	return fake_wait(f, f->busy_until, deadline, "draining", err);
}

static void stream_discard(struct bf_transport *t)
{
	struct fake *f = fake_of(t);

	while (f->n_queue && f->queue[0].at <= bf_now(t->clock))
		fake_pop(f, 0);
}

static enum bf_rc stream_set_line(struct bf_transport *t, const struct bf_line *line,
				  struct bf_err *err)
{
	(void)err;
	fake_of(t)->line = *line;
	return BF_OK;
}

static void stream_report(struct bf_transport *t, struct bf_line_report *ret)
{
	*ret = (struct bf_line_report){
		.real_baud = fake_of(t)->line.baud,
		.rs485 = BF_RS485_ADAPTER,
		.latency_timer_ms = -1,
	};
}

static const struct bf_stream_ops stream_ops = {
	.write = stream_write,
	.read = stream_read,
	.drain = stream_drain,
	.discard = stream_discard,
	.set_line = stream_set_line,
	.report = stream_report,
};

static const struct bf_transport_ops ops = {
	.name = "fake-stream",
	.wire = BF_WIRE_STREAM,
	.stream = &stream_ops,
	.close = fake_close,
};

struct fake *fake_stream_new(struct bf_clock *clock)
{
	struct fake *f = fake_new(clock, &ops, "fake-stream");

	f->say = say;
	f->line = (struct bf_line){ .baud = 115200, .stop_bits = 1 };
	return f;
}

void fake_stream_pace(struct fake *f, bf_time byte_us)
{
	f->byte_us = byte_us;
}

void fake_stream_handle(struct fake *f, fake_stream_fn *fn, void *ctx)
{
	f->stream_fn = fn;
	f->ctx = ctx;
}

const struct bf_line *fake_stream_line(const struct fake *f)
{
	return &f->line;
}
