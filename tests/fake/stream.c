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
	static const char digits[] = "0123456789ABCDEF";
	char *s = fake_grow(NULL, 2 * len + 1, 1);

	for (size_t i = 0; i < len; i++) {
		s[2 * i] = digits[p[i] >> 4];
		s[2 * i + 1] = digits[p[i] & 15];
	}
	s[2 * len] = '\0';
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
		BF_AUTO_MEM char *text = f->n_rules ? upper_hex(f->pending, f->n_pending) : NULL;
		size_t n = 0;
		const struct fake_rule *r = text ? fake_match(f, text, &n) : NULL;

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
	struct fake *f = fake_of(t);

	if (fake_wait(f, bf_now(t->clock), BF_NEVER, "setting the line", err))
		return err->rc;
	f->line = *line;
	return BF_OK;
}

static enum bf_rc stream_set_modem(struct bf_transport *t, unsigned mask, unsigned on,
				   struct bf_err *err)
{
	struct fake *f = fake_of(t);
	char text[32];

	if (f->no_modem)
		return bf_fail(err, BF_E_UNSUPPORTED, "'%s' has no modem lines", t->name);
	if (fake_wait(f, bf_now(t->clock), BF_NEVER, "setting the modem lines", err))
		return err->rc;
	f->modem = (f->modem & ~mask) | (on & mask);
	snprintf(text, sizeof(text), "RTS=%d DTR=%d", !!(f->modem & BF_MODEM_RTS),
		 !!(f->modem & BF_MODEM_DTR));
	fake_hear(f, text);
	return BF_OK;
}

static enum bf_rc stream_send_break(struct bf_transport *t, bf_time duration, struct bf_err *err)
{
	struct fake *f = fake_of(t);
	char text[32];

	if (f->no_modem)
		return bf_fail(err, BF_E_UNSUPPORTED, "'%s' cannot send a break", t->name);
	snprintf(text, sizeof(text), "break %lld", (long long)duration);
	fake_hear(f, text);
	return fake_wait(f, bf_in(t->clock, duration), BF_NEVER, "sending a break", err);
}

static enum bf_rc stream_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct fake *f = fake_of(t);
	bool gone = bf_now(t->clock) >= f->gone_at;
	bf_time gone_at = f->gone_at;

	f->gone_at = BF_NEVER;
	if (gone && fake_wait(f, f->back_at, deadline, "waiting for it to come back", err)) {
		f->gone_at = gone_at;
		if (err->rc == BF_E_TIMEOUT)
			bf_fail(err, BF_E_TIMEOUT, "'%s' did not come back in time", t->name);
		return err->rc;
	}
	t->stats.reopened++;
	while (f->n_queue)
		fake_pop(f, 0);
	f->n_pending = 0;
	fake_hear(f, "reopen");
	return BF_OK;
}

static void stream_report(struct bf_transport *t, struct bf_line_report *ret)
{
	*ret = (struct bf_line_report){
		.real_baud = fake_of(t)->line.baud,
		.rs485 = BF_RS485_ADAPTER,
		.latency_timer_ms = -1,
		.modem_lines = !fake_of(t)->no_modem,
	};
}

static const struct bf_stream_ops stream_ops = {
	.write = stream_write,
	.read = stream_read,
	.drain = stream_drain,
	.discard = stream_discard,
	.set_line = stream_set_line,
	.report = stream_report,
	.set_modem = stream_set_modem,
	.send_break = stream_send_break,
	.reopen = stream_reopen,
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
	f->back_at = BF_NEVER;
	f->modem = BF_MODEM_RTS | BF_MODEM_DTR;
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

void fake_stream_back_at(struct fake *f, bf_time at)
{
	f->back_at = at;
}

void fake_stream_no_modem(struct fake *f)
{
	f->no_modem = true;
}

unsigned fake_stream_modem(const struct fake *f)
{
	return f->modem;
}
