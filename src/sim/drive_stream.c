/* SPDX-License-Identifier: MIT */
/* The virtual pack, or a string of them, on a virtual RS485 line. */
#include "sim/drive.h"

#include <string.h>

#include "sim/node.h"
#include "sim/wiring.h"

#define RX_SIZE 65536u

struct seat { /* a pack on the line */
	struct bf_pack *pack;
	struct bf_stream_node node;
	struct sim_stream *stream;
};

struct sim_stream {
	struct bf_transport t;
	struct bf_vsource source;
	struct seat *seats;
	size_t n_seats;
	struct bf_rng noise;
	bool echo_heard;
	uint8_t rx[RX_SIZE];
	size_t rx_head, rx_len;
};

static struct sim_stream *stream_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct sim_stream, t);
}

/* What the tester says is the same at every seat. */
static struct bf_stream_node *first_node(struct sim_stream *s)
{
	return &s->seats[0].node;
}

/* Two packs that talk at once spoil each other's bytes. */
static bool another_talks(const struct sim_stream *s, const struct bf_stream_node *n)
{
	for (size_t i = 0; i < s->n_seats; i++) {
		if (&s->seats[i].node != n && s->seats[i].node.line.to_tester.piece)
			return true;
	}
	return false;
}

static void heard(struct bf_stream_node *n, const uint8_t *p, size_t len, bf_time now)
{
	struct sim_stream *s = BF_CONTAINER_OF(n, struct seat, node)->stream;
	bool spoiled = another_talks(s, n);

	(void)now;
	for (size_t i = 0; i < len; i++) {
		if (s->rx_len == RX_SIZE) {
			s->t.stats.rx_dropped += len - i;
			return;
		}
		s->rx[(s->rx_head + s->rx_len++) % RX_SIZE] =
			spoiled ? (uint8_t)bf_rng_next(&s->noise) : p[i];
	}
}

/* A driver removes its own bytes; the virtual one never mistakes them. */
static void echo(struct bf_stream_node *n, const uint8_t *p, size_t len, bf_time now)
{
	struct sim_stream *s = BF_CONTAINER_OF(n, struct seat, node)->stream;

	(void)p;
	(void)now;
	if (n != first_node(s))
		return;
	s->echo_heard = true;
	s->t.stats.echo_bytes += len;
}

static bf_time source_next(struct bf_vsource *v)
{
	struct sim_stream *s = BF_CONTAINER_OF(v, struct sim_stream, source);
	bf_time at = BF_NEVER;

	for (size_t i = 0; i < s->n_seats; i++) {
		bf_time next = bf_stream_node_next(&s->seats[i].node);

		at = next < at ? next : at;
	}
	return at;
}

static void source_run(struct bf_vsource *v, bf_time now)
{
	struct sim_stream *s = BF_CONTAINER_OF(v, struct sim_stream, source);

	for (size_t i = 0; i < s->n_seats; i++)
		bf_stream_node_run(&s->seats[i].node, now);
}

static size_t say(struct sim_stream *s, const uint8_t *p, size_t len)
{
	bf_time now = bf_now(s->t.clock);
	size_t n = bf_uart_from_tester(&first_node(s)->line, p, len, now);

	for (size_t i = 1; i < s->n_seats; i++)
		(void)bf_uart_from_tester(&s->seats[i].node.line, p, n, now);
	return n;
}

static enum bf_rc stream_write(struct bf_transport *t, const uint8_t *p, size_t len,
			       bf_time deadline, struct bf_err *err)
{
	struct sim_stream *s = stream_of(t);
	size_t done = say(s, p, len);

	while (done < len) {
		enum bf_rc rc = bf_sim_wait(t, deadline, err);

		if (rc)
			return bf_while(err, "writing to '%s'", t->name);
		done += say(s, p + done, len - done);
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

	while (first_node(s)->line.to_pack.len) {
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
	for (size_t i = 0; i < s->n_seats; i++) {
		s->seats[i].node.line.tester_rate = line->baud;
		set_frames(&s->seats[i].node.line, line);
	}
	return BF_OK;
}

static enum bf_rc stream_set_modem(struct bf_transport *t, unsigned mask, unsigned on,
				   struct bf_err *err)
{
	struct bf_stream_node *n = first_node(stream_of(t));

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
	struct bf_stream_node *n = first_node(stream_of(t));

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
	const struct bf_stream_node *n = first_node(s);

	*ret = (struct bf_line_report){
		.real_baud = n->line.tester_rate,
		.rs485 = BF_RS485_ADAPTER,
		.low_latency = true,
		.latency_timer_ms = -1,
		.echo = s->echo_heard,
		.modem_lines = n->modem != NULL,
		.full_duplex = n->line.full_duplex,
	};
}

static void stream_close(struct bf_transport *t)
{
	struct sim_stream *s = stream_of(t);

	bf_vclock_detach(t->clock, &s->source);
	for (size_t i = 0; i < s->n_seats; i++)
		bf_stream_node_done(&s->seats[i].node);
	for (size_t i = 1; i < s->n_seats; i++)
		bf_sim_put_away_other(t, s->seats[i].pack);
	bf_sim_put_away(t, s->seats[0].pack);
	free(s->seats);
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
	return stream_of(t)->seats[0].pack;
}

static void take_seat(struct sim_stream *s, struct bf_pack *pack, const struct bf_open_env *env,
		      uint32_t rate)
{
	struct seat *seat = &s->seats[s->n_seats++];
	struct bf_stream_node *n = &seat->node;

	seat->pack = pack;
	seat->stream = s;
	bf_stream_node_init(n, pack, rate);
	n->heard = heard;
	n->echo = echo;
	bf_wiring_init(n);
	n->modem_on = BF_MODEM_RTS | BF_MODEM_DTR;
	n->line.tester_rate = env->line.baud ? env->line.baud : rate;
	set_frames(&n->line, &env->line);
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
	s->seats = calloc(BF_SIM_PACKS_MAX, sizeof(*s->seats));
	if (!s->seats)
		abort();
	s->t = (struct bf_transport){ .ops = &bf_sim_stream_ops,
				      .clock = o->take_clock,
				      .log = o->env->log };
	s->noise.state = opts->seed;
	take_seat(s, o->take_pack, o->env, rate);
	for (size_t i = 0; o->take_more[i]; i++)
		take_seat(s, o->take_more[i], o->env, rate);
	s->source = (struct bf_vsource){ source_next, source_run };
	bf_vclock_attach(s->t.clock, &s->source);
	*ret = &s->t;
	return BF_OK;
}
