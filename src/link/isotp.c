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
#define N_AS            BF_SEC(1) /* for the bus to take one frame */
#define WFT_MAX         64        /* "wait" frames in a row before the peer counts as stuck */

struct isotp {
	struct bf_link link;
	struct bf_isotp_opts o;
	struct bf_isotp_shape shape;
	struct bf_bus_report bus; /* as it is while this message is sent: its rates */
	struct bf_isotp_rx rx;
	bf_time rx_last;          /* when the message being received last grew */
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
	       !(f->flags & BF_FRAME_EXT) == !i->o.ext;
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
	bf_isotp_decode(f->data, f->len, &pdu);
	if (pdu.type == BF_ISOTP_FLOW) {
		i->flow = pdu;
		i->flow_seen = true;
		return BF_OK;
	}
	/* A message that nobody fetched is stale once the next one begins. */
	if (pdu.type == BF_ISOTP_SINGLE || pdu.type == BF_ISOTP_FIRST)
		i->ready = 0;
	i->rx_last = bf_now(i->link.transport->clock);
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
	struct bf_err quiet;
	struct bf_frame f;
	enum bf_rc rc;

	for (;;) {
		rc = t->ops->bus->recv(t, &f, bf_now(t->clock), &quiet);
		if (rc == BF_E_TIMEOUT)
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

/* Waits for "continue"; "wait" is obeyed WFT_MAX times. */
static enum bf_rc wait_flow(struct isotp *i, size_t total, struct bf_err *err)
{
	struct bf_transport *t = i->link.transport;
	bf_time deadline = bf_in(t->clock, i->o.n_bs);
	unsigned waits = 0;
	struct bf_frame f;
	enum bf_rc rc;

	for (;;) {
		rc = t->ops->bus->recv(t, &f, deadline, err);
		if (rc == BF_E_TIMEOUT)
			return no_flow(i, err);
		if (!rc)
			rc = take_frame(i, &f, err);
		if (rc)
			return rc;
		if (!i->flow_seen)
			continue;
		i->flow_seen = false;
		switch (i->flow.flow) {
		case BF_ISOTP_CTS:
			return BF_OK;
		case BF_ISOTP_OVERFLOW:
			return bf_fail(err, BF_E_NAK,
				       "the pack has no room for a message of %zu bytes (ISO-TP "
				       "overflow)",
				       total);
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

static enum bf_rc send_rest(struct isotp *i, const uint8_t *msg, size_t len, size_t at,
			    struct bf_err *err)
{
	struct bf_clock *clock = i->link.transport->clock;
	uint8_t sn = 1;
	enum bf_rc rc;

	while (at < len) {
		unsigned block = 0;

		rc = wait_flow(i, len, err);
		if (!rc)
			i->link.stats.gap_asked_us = bf_isotp_st_us(i->flow.st_min);
		/* The rate may have been changed since the last message. */
		if (!rc && i->flow.st_min)
			i->link.transport->ops->bus->report(i->link.transport, &i->bus);
		do {
			struct bf_frame f = { 0 };
			size_t taken;

			f.len = (uint8_t)bf_isotp_put_next(&i->shape, f.data, sn, msg + at,
							   len - at, &taken);
			if (!rc)
				rc = put_frame(i, &f, bf_in(clock, N_AS), err);
			if (rc)
				return bf_while(err, "sending bytes %zu to %zu of a message of %zu",
						at, at + taken, len);
			sn = (sn + 1) & 0x0F;
			at += taken;
			block++;
			if (at < len && block != i->flow.block_size)
				rc = keep_gap(i, &f, bf_now(clock), err);
		} while (at < len && block != i->flow.block_size);
	}
	return BF_OK;
}

/* The deadline is for the first frame: a message that has begun has the time-outs of ISO-TP. */
static enum bf_rc isotp_send(struct bf_link *l, const uint8_t *msg, size_t len, bf_time deadline,
			     struct bf_err *err)
{
	struct isotp *i = isotp_of(l);
	struct bf_frame f = { 0 };
	size_t taken;
	enum bf_rc rc;

	if (len == 0 || len > l->max_msg)
		return bf_fail(err, BF_E_INTERNAL, "message of %zu bytes, ISO-TP takes 1 to %zu",
			       len, l->max_msg);
	rc = take_backlog(i, err);
	if (rc)
		return rc;
	i->flow_seen = false;
	f.len = (uint8_t)bf_isotp_put_first(&i->shape, f.data, msg, len, &taken);
	rc = put_frame(i, &f, deadline, err);
	if (!rc && taken < len)
		rc = send_rest(i, msg, len, taken, err);
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

static enum bf_rc isotp_recv(struct bf_link *l, uint8_t *buf, size_t cap, size_t *ret_len,
			     bf_time deadline, struct bf_err *err)
{
	struct isotp *i = isotp_of(l);
	struct bf_transport *t = l->transport;
	uint64_t damaged = l->stats.damaged;
	struct bf_frame f;
	enum bf_rc rc;

	while (!i->ready) {
		rc = t->ops->bus->recv(t, &f, i->rx.active ? i->rx_last + i->o.n_cr : deadline,
				       err);
		if (rc == BF_E_TIMEOUT && i->rx.active) {
			i->rx.active = false;
			l->stats.damaged++;
			continue;
		}
		if (rc == BF_E_TIMEOUT)
			return no_message(i, damaged, err);
		if (!rc)
			rc = take_frame(i, &f, err);
		if (rc)
			return rc;
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

	while (t->ops->bus->recv(t, &f, bf_now(t->clock), &quiet) == BF_OK)
		;
	i->ready = 0;
	i->rx.active = false;
	i->flow_seen = false;
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
	i->shape.tx_dl = opts->fd ? opts->tx_dl ? opts->tx_dl : BF_CAN_MAX_DATA : 8;
	i->shape.pad = opts->pad;
	i->rx.cap = i->link.max_msg;
	i->rx.block_size = opts->block_size;
	i->rx.buf = malloc(i->rx.cap);
	if (!i->rx.buf)
		abort();
	*ret = &i->link;
	return BF_OK;
}
