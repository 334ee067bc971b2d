/* SPDX-License-Identifier: MIT */
/* The virtual pack on a virtual CAN bus: frames take their real time and the bus carries one at once. */
#include "sim/drive.h"

#include <stdio.h>
#include <string.h>

#include "sim/canbits.h"
#include "sim/node.h"

#define TX_QUEUE 10u /* as SocketCAN's default txqueuelen */
#define RX_QUEUE 1024u
#define LINE_MAX 64u
#define FILTERS  16u

/* Another node of the bus, as an inverter beside the pack: it says so often that it lives, at the one rate that it
 * knows, and answers frames at any other with error flags until nobody gets a frame through. */
#define OTHER_ID    0x305u
#define OTHER_EVERY BF_MS(500)

struct flight { /* a frame on the bus or waiting for it */
	struct bf_frame frame;
	bf_time due;
	uint32_t rate;
	bool to_pack;
};

struct sim_bus {
	struct bf_transport t;
	struct bf_vsource source;
	struct bf_pack *pack;
	struct bf_bus_node node;
	bool fd;
	uint32_t rate, drate; /* the tester's */
	uint32_t other_rate;
	bf_time other_at; /* when the other node speaks next, BF_NEVER: there is none */
	uint64_t heard;
	bf_time free_at;
	struct flight line[LINE_MAX];
	size_t line_head, line_len, tester_waiting;
	struct bf_frame rx[RX_QUEUE];
	size_t rx_head, rx_len;
	struct bf_filter filters[FILTERS];
	size_t n_filters;
};

static struct sim_bus *bus_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct sim_bus, t);
}

static bf_time put_on_line(struct sim_bus *b, const struct bf_frame *f, uint32_t rate, bool to_pack,
			   bf_time now)
{
	struct flight *fl = &b->line[(b->line_head + b->line_len) % LINE_MAX];

	if (b->line_len == LINE_MAX) {
		b->t.stats.rx_dropped += !to_pack;
		return b->free_at;
	}
	b->line_len++;
	b->free_at = (b->free_at > now ? b->free_at : now) + bf_can_time(f, rate, b->drate);
	*fl = (struct flight){ *f, b->free_at, rate, to_pack };
	return b->free_at;
}

static bf_time from_pack(struct bf_bus_node *n, const struct bf_frame *f, bf_time now)
{
	return put_on_line(BF_CONTAINER_OF(n, struct sim_bus, node), f, n->rate, false, now);
}

static void other_speaks(struct sim_bus *b)
{
	const struct bf_frame alive = { .id = OTHER_ID, .len = 8 };

	put_on_line(b, &alive, b->other_rate, false, b->other_at);
	b->other_at += OTHER_EVERY;
}

static bool is_destroyed(const struct sim_bus *b, const struct flight *fl)
{
	return b->other_at != BF_NEVER && fl->rate != b->other_rate;
}

static bool passes(const struct sim_bus *b, const struct bf_frame *f)
{
	for (size_t i = 0; i < b->n_filters; i++) {
		const struct bf_filter *w = &b->filters[i];

		if ((f->id & w->mask) == (w->id & w->mask) && w->ext == !!(f->flags & BF_FRAME_EXT))
			return true;
	}
	return b->n_filters == 0;
}

static void at_tester(struct sim_bus *b, const struct flight *fl)
{
	if (fl->rate != b->rate) {
		b->t.stats.line_errors++;
		/* A ROM's controller sends again what nobody acknowledged, until somebody is at its rate. */
		if (b->node.rom && bf_pack_in_rom(b->pack))
			put_on_line(b, &fl->frame, fl->rate, false, fl->due);
		return;
	}
	b->heard++;
	if (!passes(b, &fl->frame))
		return;
	if (b->rx_len == RX_QUEUE) {
		b->t.stats.rx_dropped++;
		return;
	}
	b->rx[(b->rx_head + b->rx_len) % RX_QUEUE] = fl->frame;
	b->rx[(b->rx_head + b->rx_len++) % RX_QUEUE].at = fl->due;
}

static void land(struct sim_bus *b, bf_time now)
{
	struct flight fl = b->line[b->line_head];

	b->line_head = (b->line_head + 1) % LINE_MAX;
	b->line_len--;
	b->tester_waiting -= fl.to_pack;
	if (is_destroyed(b, &fl))
		b->t.stats.line_errors++;
	else if (!fl.to_pack)
		at_tester(b, &fl);
	else if (fl.rate == b->node.rate)
		bf_bus_node_frame(&b->node, &fl.frame, now);
	else
		b->t.stats.line_errors++;
}

static bf_time source_next(struct bf_vsource *s)
{
	struct sim_bus *b = BF_CONTAINER_OF(s, struct sim_bus, source);
	bf_time at = bf_bus_node_next(&b->node);

	if (b->line_len && b->line[b->line_head].due < at)
		at = b->line[b->line_head].due;
	return b->other_at < at ? b->other_at : at;
}

static void source_run(struct bf_vsource *s, bf_time now)
{
	struct sim_bus *b = BF_CONTAINER_OF(s, struct sim_bus, source);

	if (b->other_at <= now)
		other_speaks(b);
	while (b->line_len && b->line[b->line_head].due <= now)
		land(b, now);
	bf_bus_node_run(&b->node, now);
}

static enum bf_rc bus_send(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			   struct bf_err *err)
{
	struct sim_bus *b = bus_of(t);
	enum bf_rc rc;

	if ((frame->flags & BF_FRAME_FD) && !b->fd)
		return bf_fail(err, BF_E_IFACE, "'%s' is a classic CAN bus: no CAN FD frames",
			       t->name);
	if (b->tester_waiting >= TX_QUEUE)
		t->stats.queue_full++;
	while (b->tester_waiting >= TX_QUEUE) {
		rc = bf_sim_wait(t, deadline, err);
		if (rc)
			return bf_while(err, "waiting for room in the transmit queue");
	}
	b->tester_waiting++;
	put_on_line(b, frame, b->rate, true, bf_now(t->clock));
	t->stats.tx_frames++;
	t->stats.tx_bytes += frame->len;
	return BF_OK;
}

static enum bf_rc bus_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct sim_bus *b = bus_of(t);
	enum bf_rc rc;

	while (!b->rx_len) {
		rc = bf_sim_wait(t, deadline, err);
		if (rc)
			return rc;
	}
	*ret = b->rx[b->rx_head];
	b->rx_head = (b->rx_head + 1) % RX_QUEUE;
	b->rx_len--;
	t->stats.rx_frames++;
	t->stats.rx_bytes += ret->len;
	return BF_OK;
}

static enum bf_rc bus_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err)
{
	struct sim_bus *b = bus_of(t);

	if (n > FILTERS)
		return bf_fail(err, BF_E_INTERNAL, "%zu filters, at most %u", n, FILTERS);
	if (n)
		memcpy(b->filters, filters, n * sizeof(*filters));
	b->n_filters = n;
	return BF_OK;
}

static enum bf_rc bus_set_bitrate(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
				  struct bf_err *err)
{
	struct sim_bus *b = bus_of(t);

	if (dbitrate && !b->fd)
		return bf_fail(err, BF_E_IFACE, "'%s' is a classic CAN bus: no data bit rate",
			       t->name);
	if (!bitrate)
		return bf_fail(err, BF_E_USAGE, "a bit rate of 0");
	b->rate = bitrate;
	if (dbitrate)
		b->drate = dbitrate;
	return BF_OK;
}

static void bus_report(struct bf_transport *t, struct bf_bus_report *ret)
{
	struct sim_bus *b = bus_of(t);

	*ret = (struct bf_bus_report){
		.state = b->rate == b->node.rate ? BF_BUS_ACTIVE : BF_BUS_PASSIVE,
		.bitrate = b->rate,
		.dbitrate = b->fd ? b->drate : 0,
		.fd = b->fd,
		.may_set_bitrate = true,
		.heard = b->heard,
	};
}

static void bus_close(struct bf_transport *t)
{
	struct sim_bus *b = bus_of(t);

	bf_vclock_detach(t->clock, &b->source);
	bf_bus_node_done(&b->node);
	bf_sim_put_away(t, b->pack);
	free(b);
}

static const struct bf_bus_ops frame_ops = {
	.send = bus_send,
	.recv = bus_recv,
	.filter = bus_filter,
	.set_bitrate = bus_set_bitrate,
	.report = bus_report,
};

const struct bf_transport_ops bf_sim_bus_ops = {
	.name = "sim",
	.wire = BF_WIRE_BUS,
	.bus = &frame_ops,
	.close = bus_close,
};

struct bf_pack *bf_sim_bus_pack(struct bf_transport *t)
{
	return bus_of(t)->pack;
}

enum bf_rc bf_sim_bus_open(const struct bf_sim_open *o, struct bf_transport **ret,
			   struct bf_err *err)
{
	const struct bf_sim_opts *opts = bf_pack_opts(o->take_pack);
	uint32_t rate = opts->rate ? opts->rate : 500000;
	struct sim_bus *b = calloc(1, sizeof(*b));

	(void)err;
	if (!b)
		abort();
	b->t = (struct bf_transport){ .ops = &bf_sim_bus_ops,
				      .clock = o->take_clock,
				      .log = o->env->log };
	b->pack = o->take_pack;
	b->fd = opts->link == BF_SIM_CANFD;
	b->rate = o->env->bitrate ? o->env->bitrate : rate;
	b->drate = o->env->dbitrate ? o->env->dbitrate : opts->drate ? opts->drate : 2000000;
	b->other_rate = rate;
	b->other_at = opts->others ? bf_in(b->t.clock, OTHER_EVERY) : BF_NEVER;
	bf_bus_node_init(&b->node, b->pack, rate);
	b->node.send = from_pack;
	b->source = (struct bf_vsource){ source_next, source_run };
	bf_vclock_attach(b->t.clock, &b->source);
	*ret = &b->t;
	return BF_OK;
}
