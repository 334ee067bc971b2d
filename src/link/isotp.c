/* SPDX-License-Identifier: MIT */
/*
 * ISO 15765-2 on a frame bus. One message each way at a time. A separation time is kept by absolute
 * deadlines counted from the frame before; a full transmit queue is back-pressure in the transport.
 */
#include "bmsflash/link.h"

#include <string.h>

#include "link/can_time.h"
#include "link/isotp_codec.h"

#define DEFAULT_MAX_MSG 4095
#define N_AS            BF_SEC(1)  /* for the bus to take one frame */
#define LONGEST         BF_SEC(30) /* one message */
#define BACKLOG         BF_MS(100) /* for taking what has come already, however fast more comes */
#define WFT_MAX         64         /* "wait" frames in a row before the peer counts as stuck */

struct isotp {
	struct bf_link link;
	struct bf_isotp_opts o;
	struct bf_isotp_shape shape;
	struct bf_bus_report bus; /* as it is while this message is sent: its rates */
	struct bf_isotp_rx rx;
	bf_time rx_last; /* when the message being received last grew */
	bf_time rx_began;
	size_t ready;             /* length of a whole message in rx.buf, 0: none */
	bool flow_seen;           /* `flow` is fresh */
	struct bf_isotp_pdu flow; /* its data pointer is never used */
};

static struct isotp *isotp_of(struct bf_link *l)
{
	return BF_CONTAINER_OF(l, struct isotp, link);
}

static enum bf_rc put_frame(struct isotp *i, struct bf_frame *f, bf_time deadline,
			    struct bf_err *err)
{
	struct bf_transport *t = i->link.transport;

	f->id = i->o.tx_id;
	f->flags = (uint8_t)((i->o.ext ? BF_FRAME_EXT : 0) | (i->o.fd ? BF_FRAME_FD : 0) |
			     (i->o.fd && i->o.brs ? BF_FRAME_BRS : 0));
	return t->ops->bus->send(t, f, deadline, err);
}

static enum bf_rc put_flow(struct isotp *i, enum bf_isotp_flow flow, struct bf_err *err)
{
	struct bf_frame f = { 0 };

	f.len = (uint8_t)bf_isotp_put_flow(&i->shape, f.data, flow, i->o.block_size, i->o.st_min);
	return put_frame(i, &f, bf_in(i->link.transport->clock, N_AS), err);
}

static bool is_ours(const struct isotp *i, const struct bf_frame *f)
{
	return f->id == i->o.rx_id && !(f->flags & BF_FRAME_RTR) &&
	       !(f->flags & BF_FRAME_EXT) == !i->o.ext &&
	       (!i->o.has_address || (f->len && f->data[0] == i->o.rx_address));
}

/* Takes one frame, whatever it is, and answers it where ISO-TP wants that. */
static enum bf_rc take_frame(struct isotp *i, const struct bf_frame *f, struct bf_err *err)
{
	struct bf_isotp_pdu pdu;
	bool abandoned;

	if (!is_ours(i, f)) {
		i->link.stats.foreign++;
		return BF_OK;
	}
	bf_isotp_decode_behind(f->data, f->len, i->o.has_address, &pdu);
	if (pdu.type == BF_ISOTP_FLOW && i->o.st_min_fixed)
		pdu.st_min = i->o.tx_st_min;
	if (pdu.type == BF_ISOTP_FLOW) {
		i->flow = pdu;
		i->flow_seen = true;
		return BF_OK;
	}
	/* A message that nobody fetched is stale once the next one begins. */
	if (pdu.type == BF_ISOTP_SINGLE || pdu.type == BF_ISOTP_FIRST)
		i->ready = 0;
	i->rx_last = bf_now(i->link.transport->clock);
	if (pdu.type == BF_ISOTP_FIRST)
		i->rx_began = i->rx_last;
	switch (bf_isotp_feed(&i->rx, &pdu, &abandoned)) {
	case BF_ISOTP_NOTHING:
	case BF_ISOTP_MORE:
		break;
	case BF_ISOTP_ASK:
		i->link.stats.damaged += abandoned;
		return put_flow(i, BF_ISOTP_CTS, err);
	case BF_ISOTP_DONE:
		i->link.stats.damaged += abandoned;
		i->link.stats.rx_msgs++;
		i->ready = i->rx.total;
		break;
	case BF_ISOTP_TOO_LONG:
		i->link.stats.damaged++;
		return put_flow(i, BF_ISOTP_OVERFLOW, err);
	case BF_ISOTP_BROKEN:
		i->link.stats.damaged++;
		break;
	}
	return BF_OK;
}

/* Takes what the bus has already received, so that an old flow control cannot steer a new message. */
static enum bf_rc take_backlog(struct isotp *i, struct bf_err *err)
{
	struct bf_transport *t = i->link.transport;
	bf_time until = bf_in(t->clock, BACKLOG);
	struct bf_err quiet;
	struct bf_frame f;
	enum bf_rc rc;

	for (;;) {
		rc = t->ops->bus->recv(t, &f, bf_now(t->clock), &quiet);
		if (rc == BF_E_TIMEOUT || bf_now(t->clock) > until)
			return BF_OK;
		if (rc) {
			*err = quiet;
			return rc;
		}
		rc = take_frame(i, &f, err);
		if (rc)
			return rc;
	}
}

static enum bf_rc no_flow(struct isotp *i, struct bf_err *err)
{
	bf_fail(err, BF_E_TIMEOUT,
		"id %03X did not ask for the rest of a long message within %lld ms (no ISO-TP flow "
		"control)",
		i->o.rx_id, (long long)(i->o.n_bs / 1000));
	bf_likely(err, "the receiver missed the first frame; frames are lost on the bus");
	bf_likely(err,
		  "the identifiers of the profile (%03X to the pack, %03X back) are not "
		  "those of this pack",
		  i->o.tx_id, i->o.rx_id);
	return err->rc;
}

/* A message that is being sent. */
struct sending {
	const uint8_t *msg;
	size_t len, at;
	uint8_t sn;
	bf_time until;     /* it may take so long in all */
	uint64_t received; /* messages that had been received when it began */
};

/* Did a whole message come meanwhile? A pack that refuses a request by its first frame answers at once. */
static bool is_answered(const struct isotp *i, const struct sending *s)
{
	return i->link.stats.rx_msgs != s->received;
}

static enum bf_rc took_too_long(struct isotp *i, const struct sending *s, struct bf_err *err)
{
	bf_fail(err, BF_E_TIMEOUT, "a message of %zu bytes was not sent within %lld s", s->len,
		(long long)(i->o.longest / 1000000));
	if (i->link.pace.st_min_us >= 1000)
		bf_likely(err, "the pack asks for %u ms between frames: shorter blocks are needed",
			  i->link.pace.st_min_us / 1000);
	return err->rc;
}

static void note_pace(struct isotp *i, bf_time waited)
{
	struct bf_link_pace *p = &i->link.pace;

	p->known = true;
	p->st_min_us = bf_isotp_st_us(i->flow.st_min);
	p->block_size = i->flow.block_size;
	i->link.stats.gap_asked_us = p->st_min_us;
	if (waited > p->flow_us)
		p->flow_us = waited;
}

/* Waits for "continue"; "wait" is obeyed WFT_MAX times. BF_OK also when an answer came instead. */
static enum bf_rc wait_flow(struct isotp *i, const struct sending *s, struct bf_err *err)
{
	struct bf_transport *t = i->link.transport;
	bf_time begin = bf_now(t->clock), deadline = bf_in(t->clock, i->o.n_bs);
	unsigned waits = 0;
	struct bf_frame f;
	enum bf_rc rc;

	while (!is_answered(i, s)) {
		bf_time now = bf_now(t->clock);

		if (now >= s->until)
			return took_too_long(i, s, err);
		/* Whatever else comes does not prolong the wait. */
		if (now - BACKLOG > deadline)
			return no_flow(i, err);
		rc = t->ops->bus->recv(t, &f, deadline < s->until ? deadline : s->until, err);
		if (rc == BF_E_TIMEOUT)
			return bf_now(t->clock) >= s->until ? took_too_long(i, s, err)
							    : no_flow(i, err);
		if (!rc)
			rc = take_frame(i, &f, err);
		if (rc)
			return rc;
		if (!i->flow_seen)
			continue;
		i->flow_seen = false;
		switch (i->flow.flow) {
		case BF_ISOTP_CTS:
			note_pace(i, bf_now(t->clock) - begin);
			return BF_OK;
		case BF_ISOTP_OVERFLOW:
			return bf_fail(err, BF_E_NAK,
				       "the pack has no room for a message of %zu bytes (ISO-TP "
				       "overflow)",
				       s->len);
		case BF_ISOTP_WAIT:
			if (++waits > WFT_MAX)
				return bf_fail(err, BF_E_LINK,
					       "the pack said 'wait' %u times in a row instead of "
					       "taking a message",
					       waits);
			deadline = bf_in(t->clock, i->o.n_bs);
			break;
		}
	}
	return BF_OK;
}

/* Keeps STmin, which begins at the end of the frame, after one that was handed over at `sent`. */
static enum bf_rc keep_gap(struct isotp *i, const struct bf_frame *f, bf_time sent,
			   struct bf_err *err)
{
	struct bf_clock *clock = i->link.transport->clock;
	uint32_t gap = bf_isotp_st_us(i->flow.st_min);
	bf_time due, late;

	if (!gap)
		return BF_OK;
	due = sent + bf_can_frame_time(f, i->bus.bitrate, i->bus.dbitrate) + gap;
	if (!bf_clock_until(clock, due))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while a message was being sent");
	late = bf_now(clock) - due;
	i->link.stats.gap_asked_us = gap;
	if (late > i->link.stats.gap_worst_error_us)
		i->link.stats.gap_worst_error_us = late > UINT32_MAX ? UINT32_MAX : (uint32_t)late;
	return BF_OK;
}

/* The frames until the receiver wants to be asked again, or the end. */
static enum bf_rc send_block(struct isotp *i, struct sending *s, struct bf_err *err)
{
	struct bf_clock *clock = i->link.transport->clock;
	unsigned block = 0;

	do {
		struct bf_frame f = { 0 };
		size_t taken;

		f.len = (uint8_t)bf_isotp_put_next(&i->shape, f.data, s->sn, s->msg + s->at,
						   s->len - s->at, &taken);
		if (bf_now(clock) >= s->until)
			return took_too_long(i, s, err);
		if (put_frame(i, &f, bf_in(clock, N_AS), err))
			return err->rc;
		s->sn = (s->sn + 1) & 0x0F;
		s->at += taken;
		block++;
		if (s->at < s->len && block != i->flow.block_size &&
		    keep_gap(i, &f, bf_now(clock), err))
			return err->rc;
	} while (s->at < s->len && block != i->flow.block_size);
	return BF_OK;
}

static enum bf_rc send_rest(struct isotp *i, struct sending *s, struct bf_err *err)
{
	while (s->at < s->len) {
		enum bf_rc rc = wait_flow(i, s, err);

		if (!rc && is_answered(i, s))
			return BF_OK;
		/* The rate may have been changed since the last message. */
		if (!rc && i->flow.st_min)
			i->link.transport->ops->bus->report(i->link.transport, &i->bus);
		if (!rc)
			rc = send_block(i, s, err);
		if (rc)
			return bf_while(err, "sending a message of %zu bytes, from byte %zu on",
					s->len, s->at);
	}
	return BF_OK;
}

/* The deadline is for the first frame: a message that has begun has the time-outs of ISO-TP. */
static enum bf_rc isotp_send(struct bf_link *l, const uint8_t *msg, size_t len, bf_time deadline,
			     struct bf_err *err)
{
	struct isotp *i = isotp_of(l);
	struct sending s = { .msg = msg, .len = len, .sn = 1 };
	struct bf_frame f = { 0 };
	enum bf_rc rc;

	if (len == 0 || len > l->max_msg)
		return bf_fail(err, BF_E_INTERNAL, "message of %zu bytes, ISO-TP takes 1 to %zu",
			       len, l->max_msg);
	rc = take_backlog(i, err);
	if (rc)
		return rc;
	i->flow_seen = false;
	s.received = l->stats.rx_msgs;
	s.until = bf_in(l->transport->clock, i->o.longest);
	f.len = (uint8_t)bf_isotp_put_first(&i->shape, f.data, msg, len, &s.at);
	rc = put_frame(i, &f, deadline, err);
	if (!rc)
		rc = send_rest(i, &s, err);
	if (rc)
		return rc;
	l->stats.tx_msgs++;
	return BF_OK;
}

static enum bf_rc no_message(struct isotp *i, uint64_t damaged_before, struct bf_err *err)
{
	uint64_t damaged = i->link.stats.damaged - damaged_before;

	if (!damaged)
		return bf_fail(err, BF_E_TIMEOUT, "no answer from id %03X", i->o.rx_id);
	bf_fail(err, BF_E_LINK, "%llu answers from id %03X broke off or came with frames missing",
		(unsigned long long)damaged, i->o.rx_id);
	bf_likely(err, "frames are lost: receive queue of the interface too small, or noise on the "
		       "bus");
	return err->rc;
}

/* When to give up waiting for the next frame. */
static bf_time frame_due(const struct isotp *i, bf_time deadline)
{
	bf_time next = i->rx_last + i->o.n_cr, all = i->rx_began + i->o.longest;

	if (!i->rx.active)
		return deadline;
	return next < all ? next : all;
}

static enum bf_rc isotp_recv(struct bf_link *l, uint8_t *buf, size_t cap, size_t *ret_len,
			     bf_time deadline, struct bf_err *err)
{
	struct isotp *i = isotp_of(l);
	struct bf_transport *t = l->transport;
	bf_time last = deadline < BF_NEVER - i->o.longest ? deadline + i->o.longest : BF_NEVER;
	uint64_t damaged = l->stats.damaged;
	bf_time due, now;
	struct bf_frame f;
	enum bf_rc rc;

	while (!i->ready) {
		due = frame_due(i, deadline);
		rc = t->ops->bus->recv(t, &f, due < last ? due : last, err);
		now = bf_now(t->clock);
		if (rc && rc != BF_E_TIMEOUT)
			return rc;
		if (!rc && take_frame(i, &f, err))
			return err->rc;
		if (i->ready)
			break;
		due = frame_due(i, deadline);
		/* Frames that lead to nothing, and messages begun again and again, prolong nothing. */
		if (!rc && now - BACKLOG <= due && now <= last)
			continue;
		if (i->rx.active && now >= due) {
			i->rx.active = false;
			l->stats.damaged++;
		}
		if (now >= last || (!i->rx.active && now >= deadline))
			return no_message(i, damaged, err);
	}
	if (i->ready > cap)
		return bf_fail(err, BF_E_INTERNAL, "message of %zu bytes, room for %zu", i->ready,
			       cap);
	memcpy(buf, i->rx.buf, i->ready);
	*ret_len = i->ready;
	i->ready = 0;
	return BF_OK;
}

static void isotp_flush(struct bf_link *l)
{
	struct isotp *i = isotp_of(l);
	struct bf_err quiet;
	struct bf_frame f;
	struct bf_transport *t = l->transport;
	bf_time until = bf_in(t->clock, BACKLOG);

	while (t->ops->bus->recv(t, &f, bf_now(t->clock), &quiet) == BF_OK &&
	       bf_now(t->clock) <= until)
		;
	i->ready = 0;
	i->rx.active = false;
	i->flow_seen = false;
}

static bf_time isotp_duration(struct bf_link *l, size_t len)
{
	const struct isotp *i = BF_CONTAINER_OF(l, struct isotp, link);
	struct bf_frame f = { .len = (uint8_t)i->shape.tx_dl, .flags = 0 };
	size_t dl = i->shape.tx_dl - i->o.has_address, in_first = dl - 2, in_next = dl - 1, frames,
	       rounds;
	struct bf_bus_report bus;
	bf_time frame;

	l->transport->ops->bus->report(l->transport, &bus);
	f.flags = (uint8_t)((i->o.ext ? BF_FRAME_EXT : 0) | (i->o.fd ? BF_FRAME_FD : 0) |
			    (i->o.fd && i->o.brs ? BF_FRAME_BRS : 0));
	memset(f.data, 0x55, sizeof(f.data)); /* as few stuff bits as usual */
	frame = bf_can_frame_time(&f, bus.bitrate, bus.dbitrate);
	if (len <= in_next)
		return frame;
	frames = (len - in_first + in_next - 1) / in_next;
	rounds = l->pace.block_size ? (frames + l->pace.block_size - 1) / l->pace.block_size : 1;
	return frame + (bf_time)frames * (frame + l->pace.st_min_us) +
	       (bf_time)rounds * l->pace.flow_us;
}

static void isotp_close(struct bf_link *l)
{
	struct isotp *i = isotp_of(l);

	free(i->rx.buf);
	free(i);
}

static const struct bf_link_ops isotp_ops = {
	.name = "isotp",
	.send = isotp_send,
	.recv = isotp_recv,
	.flush = isotp_flush,
	.duration = isotp_duration,
	.close = isotp_close,
};

enum bf_rc bf_isotp_open(struct bf_transport *bus, const struct bf_isotp_opts *opts,
			 struct bf_link **ret, struct bf_err *err)
{
	struct bf_filter filter = { .id = opts->rx_id,
				    .mask = opts->ext ? 0x1FFFFFFF : 0x7FF,
				    .ext = opts->ext };
	struct isotp *i;
	enum bf_rc rc;

	if (!bus->ops->bus)
		return bf_fail(err, BF_E_INTERNAL, "'%s' is not a CAN bus", bus->name);
	rc = bus->ops->bus->filter(bus, &filter, 1, err);
	if (rc)
		return rc;
	i = calloc(1, sizeof(*i));
	if (!i)
		abort();
	i->link.ops = &isotp_ops;
	i->link.transport = bus;
	i->link.max_msg = opts->max_msg ? opts->max_msg : DEFAULT_MAX_MSG;
	i->o = *opts;
	i->o.n_bs = opts->n_bs ? opts->n_bs : BF_SEC(1);
	i->o.n_cr = opts->n_cr ? opts->n_cr : BF_SEC(1);
	i->o.longest = opts->longest ? opts->longest : LONGEST;
	i->shape.tx_dl = opts->fd ? opts->tx_dl ? opts->tx_dl : BF_CAN_MAX_DATA : 8;
	i->shape.pad = opts->pad;
	i->shape.has_address = opts->has_address;
	i->shape.address = opts->tx_address;
	i->rx.cap = i->link.max_msg;
	i->rx.block_size = opts->block_size;
	i->rx.buf = malloc(i->rx.cap);
	if (!i->rx.buf)
		abort();
	*ret = &i->link;
	return BF_OK;
}
