/* SPDX-License-Identifier: MIT */
/* RFC 1662 frames on a byte stream. */
#include "bmsflash/link.h"

#include <string.h>

#include "link/hdlc_codec.h"
#include "link/stream_in.h"

#define DEFAULT_MAX_MSG 4095

struct hdlc {
	struct bf_link link;
	struct bf_hdlc_opts o;
	struct bf_hdlc_rx rx;
	struct bf_stream_in in;
	uint8_t *tx; /* BF_HDLC_WIRE_MAX(max_msg) bytes */
};

static struct hdlc *hdlc_of(struct bf_link *l)
{
	return BF_CONTAINER_OF(l, struct hdlc, link);
}

static enum bf_rc hdlc_send(struct bf_link *l, const uint8_t *msg, size_t len, bf_time deadline,
			    struct bf_err *err)
{
	struct hdlc *h = hdlc_of(l);
	enum bf_rc rc;
	size_t n;

	if (len == 0 || len > l->max_msg)
		return bf_fail(err, BF_E_INTERNAL, "message of %zu bytes, the frame takes 1 to %zu",
			       len, l->max_msg);
	n = bf_hdlc_encode(h->tx, h->o.target, h->o.source, msg, len);
	rc = l->transport->ops->stream->write(l->transport, h->tx, n, deadline, err);
	if (rc)
		return rc;
	l->stats.tx_msgs++;
	return BF_OK;
}

/* True when the byte ended a message for us. */
static bool take(struct hdlc *h, uint8_t byte)
{
	switch (bf_hdlc_put(&h->rx, byte)) {
	case BF_DEFRAME_MORE:
		break;
	case BF_DEFRAME_MESSAGE:
		h->link.stats.rx_msgs++;
		return true;
	case BF_DEFRAME_FOREIGN:
		h->link.stats.foreign++;
		break;
	case BF_DEFRAME_DAMAGED:
		h->link.stats.damaged++;
		break;
	}
	return false;
}

static enum bf_rc hdlc_recv(struct bf_link *l, uint8_t *buf, size_t cap, size_t *ret_len,
			    bf_time deadline, struct bf_err *err)
{
	struct hdlc *h = hdlc_of(l);
	struct bf_clock *clock = l->transport->clock;
	uint64_t damaged = l->stats.damaged;
	uint8_t byte;
	enum bf_rc rc;

	for (;;) {
		rc = bf_stream_in_byte(&h->in, l->transport, &byte,
				       h->rx.n ? h->in.last + BF_STREAM_ADAPTER_GAP : deadline,
				       err);
		if (rc == BF_E_TIMEOUT && h->rx.n)
			l->stats.damaged += bf_hdlc_gap(&h->rx);
		else if (rc == BF_E_TIMEOUT)
			return bf_stream_no_message(l, h->o.target, l->stats.damaged - damaged,
						    err);
		else if (rc)
			return rc;
		else if (take(h, byte))
			break;
		if (deadline < BF_NEVER - BF_STREAM_LONGEST &&
		    bf_now(clock) > deadline + BF_STREAM_LONGEST)
			return bf_stream_no_message(l, h->o.target, 1, err);
	}
	if (h->rx.msg_len > cap)
		return bf_fail(err, BF_E_INTERNAL, "message of %zu bytes, room for %zu",
			       h->rx.msg_len, cap);
	memcpy(buf, h->rx.buf + BF_HDLC_MSG_AT, h->rx.msg_len);
	*ret_len = h->rx.msg_len;
	return BF_OK;
}

static void hdlc_flush(struct bf_link *l)
{
	struct hdlc *h = hdlc_of(l);

	bf_stream_in_discard(&h->in, l->transport);
	bf_hdlc_gap(&h->rx);
}

/* Without the escapes: about one byte in 128 of firmware. */
static bf_time hdlc_duration(struct bf_link *l, size_t len)
{
	return bf_stream_duration(l, len + BF_HDLC_OVERHEAD + 2);
}

static void hdlc_close(struct bf_link *l)
{
	struct hdlc *h = hdlc_of(l);

	free(h->rx.buf);
	free(h->tx);
	free(h);
}

static const struct bf_link_ops hdlc_ops = {
	.name = "hdlc",
	.send = hdlc_send,
	.recv = hdlc_recv,
	.flush = hdlc_flush,
	.duration = hdlc_duration,
	.close = hdlc_close,
};

enum bf_rc bf_hdlc_open(struct bf_transport *stream, const struct bf_hdlc_opts *opts,
			struct bf_link **ret, struct bf_err *err)
{
	struct hdlc *h;

	if (!stream->ops->stream)
		return bf_fail(err, BF_E_INTERNAL, "'%s' is not a serial line", stream->name);
	h = calloc(1, sizeof(*h));
	if (!h)
		abort();
	h->link.ops = &hdlc_ops;
	h->link.transport = stream;
	h->link.max_msg = opts->max_msg ? opts->max_msg : DEFAULT_MAX_MSG;
	h->o = *opts;
	h->rx.me = opts->source;
	h->rx.peer = opts->target;
	h->rx.cap = h->link.max_msg + BF_HDLC_OVERHEAD;
	h->rx.buf = malloc(h->rx.cap);
	h->tx = malloc(BF_HDLC_WIRE_MAX(h->link.max_msg));
	if (!h->rx.buf || !h->tx)
		abort();
	*ret = &h->link;
	return BF_OK;
}
