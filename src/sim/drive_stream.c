/* SPDX-License-Identifier: MIT */
/* The virtual pack on a virtual RS485 line. */
#include "sim/drive.h"

#include <string.h>

#include "sim/node.h"
#include "sim/wiring.h"

#define RX_SIZE 65536u

struct sim_stream {
	struct bf_transport t;
	struct bf_vsource source;
	struct bf_pack *pack;
	struct bf_stream_node node;
	bool echo_heard;
	uint8_t rx[RX_SIZE];
	size_t rx_head, rx_len;
};

static struct sim_stream *stream_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct sim_stream, t);
}

static void heard(struct bf_stream_node *n, const uint8_t *p, size_t len, bf_time now)
{
	struct sim_stream *s = BF_CONTAINER_OF(n, struct sim_stream, node);

	(void)now;
	for (size_t i = 0; i < len; i++) {
		if (s->rx_len == RX_SIZE) {
			s->t.stats.rx_dropped += len - i;
			return;
		}
		s->rx[(s->rx_head + s->rx_len++) % RX_SIZE] = p[i];
	}
}

/* A driver removes its own bytes; the virtual one never mistakes them. */
static void echo(struct bf_stream_node *n, const uint8_t *p, size_t len, bf_time now)
{
	struct sim_stream *s = BF_CONTAINER_OF(n, struct sim_stream, node);

	(void)p;
	(void)now;
	s->echo_heard = true;
	s->t.stats.echo_bytes += len;
}

static bf_time source_next(struct bf_vsource *v)
{
	return bf_stream_node_next(&BF_CONTAINER_OF(v, struct sim_stream, source)->node);
}

static void source_run(struct bf_vsource *v, bf_time now)
{
	bf_stream_node_run(&BF_CONTAINER_OF(v, struct sim_stream, source)->node, now);
}

static enum bf_rc stream_write(struct bf_transport *t, const uint8_t *p, size_t len,
			       bf_time deadline, struct bf_err *err)
{
	struct sim_stream *s = stream_of(t);
	size_t done = bf_uart_from_tester(&s->node.line, p, len, bf_now(t->clock));

	while (done < len) {
		enum bf_rc rc = bf_sim_wait(t, deadline, err);

		if (rc)
			return bf_while(err, "writing to '%s'", t->name);
		done += bf_uart_from_tester(&s->node.line, p + done, len - done, bf_now(t->clock));
	}
	t->stats.tx_bytes += len;
	return BF_OK;
}

static enum bf_rc stream_read(struct bf_transport *t, uint8_t *p, size_t cap, size_t *ret_len,
			      bf_time deadline, struct bf_err *err)
{
	struct sim_stream *s = stream_of(t);
	size_t n = 0;

	while (!s->rx_len) {
		enum bf_rc rc = bf_sim_wait(t, deadline, err);

		if (rc)
			return rc;
	}
	while (n < cap && s->rx_len) {
		p[n++] = s->rx[s->rx_head];
		s->rx_head = (s->rx_head + 1) % RX_SIZE;
		s->rx_len--;
	}
	t->stats.rx_bytes += n;
	*ret_len = n;
	return BF_OK;
}

static enum bf_rc stream_drain(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct sim_stream *s = stream_of(t);

	while (s->node.line.to_pack.len) {
		enum bf_rc rc = bf_sim_wait(t, deadline, err);

		if (rc)
			return bf_while(err, "waiting for the last bit to leave '%s'", t->name);
	}
	return BF_OK;
}

static void stream_discard(struct bf_transport *t)
{
	stream_of(t)->rx_len = 0;
}

/* A second stop bit is idle time to the pack. */
static void set_frames(struct bf_uart *u, const struct bf_line *line)
{
	u->tester_parity = line->parity;
	u->tester_bits_differ = line->data_bits && line->data_bits != 8;
}

static enum bf_rc stream_set_line(struct bf_transport *t, const struct bf_line *line,
				  struct bf_err *err)
{
	struct sim_stream *s = stream_of(t);

	if (!line->baud)
		return bf_fail(err, BF_E_USAGE, "a line rate of 0 baud");
	s->node.line.tester_rate = line->baud;
	set_frames(&s->node.line, line);
	return BF_OK;
}

static enum bf_rc stream_set_modem(struct bf_transport *t, unsigned mask, unsigned on,
				   struct bf_err *err)
{
	struct bf_stream_node *n = &stream_of(t)->node;

	if (!n->modem)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "'%s' has no modem lines: the virtual pack is not wired to them",
			       t->name);
	n->modem_on = (n->modem_on & ~mask) | (on & mask);
	n->modem(n, n->modem_on, bf_now(t->clock));
	return BF_OK;
}

static enum bf_rc stream_send_break(struct bf_transport *t, bf_time duration, struct bf_err *err)
{
	struct bf_stream_node *n = &stream_of(t)->node;

	if (!n->line_break)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "'%s' cannot send a break: the virtual pack does not hear it",
			       t->name);
	n->line_break(n, duration, bf_now(t->clock));
	if (!bf_clock_until(t->clock, bf_in(t->clock, duration)))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while sending a break to '%s'",
			       t->name);
	return BF_OK;
}

/* A virtual line never goes; what comes back is a line with nothing on it. */
static enum bf_rc stream_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	(void)deadline, (void)err;
	stream_of(t)->rx_len = 0;
	t->stats.reopened++;
	return BF_OK;
}

static void stream_report(struct bf_transport *t, struct bf_line_report *ret)
{
	struct sim_stream *s = stream_of(t);

	*ret = (struct bf_line_report){
		.real_baud = s->node.line.tester_rate,
		.rs485 = BF_RS485_ADAPTER,
		.low_latency = true,
		.latency_timer_ms = -1,
		.echo = s->echo_heard,
		.modem_lines = s->node.modem != NULL,
		.full_duplex = s->node.line.full_duplex,
	};
}

static void stream_close(struct bf_transport *t)
{
	struct sim_stream *s = stream_of(t);

	bf_vclock_detach(t->clock, &s->source);
	bf_stream_node_done(&s->node);
	bf_sim_put_away(t, s->pack);
	free(s);
}

static const struct bf_stream_ops byte_ops = {
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

const struct bf_transport_ops bf_sim_stream_ops = {
	.name = "sim",
	.wire = BF_WIRE_STREAM,
	.stream = &byte_ops,
	.close = stream_close,
};

struct bf_pack *bf_sim_stream_pack(struct bf_transport *t)
{
	return stream_of(t)->pack;
}

enum bf_rc bf_sim_stream_open(const struct bf_sim_open *o, struct bf_transport **ret,
			      struct bf_err *err)
{
	const struct bf_sim_opts *opts = bf_pack_opts(o->take_pack);
	uint32_t rate = opts->rate ? opts->rate : 115200;
	struct sim_stream *s = calloc(1, sizeof(*s));

	(void)err;
	if (!s)
		abort();
	s->t = (struct bf_transport){ .ops = &bf_sim_stream_ops,
				      .clock = o->take_clock,
				      .log = o->env->log };
	s->pack = o->take_pack;
	bf_stream_node_init(&s->node, s->pack, rate);
	s->node.heard = heard;
	s->node.echo = echo;
	bf_wiring_init(&s->node);
	s->node.modem_on = BF_MODEM_RTS | BF_MODEM_DTR;
	s->node.line.tester_rate = o->env->line.baud ? o->env->line.baud : rate;
	set_frames(&s->node.line, &o->env->line);
	s->source = (struct bf_vsource){ source_next, source_run };
	bf_vclock_attach(s->t.clock, &s->source);
	*ret = &s->t;
	return BF_OK;
}
