/* SPDX-License-Identifier: MIT */
/* ISO 14230-2 messages on a byte stream. */
#include "bmsflash/link.h"

#include <string.h>

#include "link/kline_codec.h"
#include "link/stream_in.h"

#define P1_DEFAULT BF_MS(20)

struct kline {
	struct bf_link link;
	struct bf_kline_opts o;
	struct bf_kline_rx rx;
	struct bf_stream_in in;
};

static struct kline *kline_of(struct bf_link *l)
{
	return BF_CONTAINER_OF(l, struct kline, link);
}

static enum bf_rc keep(struct bf_transport *t, bf_time until, struct bf_err *err)
{
	if (bf_clock_until(t->clock, until))
		return BF_OK;
	return bf_fail(err, BF_E_INTERRUPTED, "stopped while a message was being sent");
}

static enum bf_rc kline_send(struct bf_link *l, const uint8_t *msg, size_t len, bf_time deadline,
			     struct bf_err *err)
{
	struct kline *k = kline_of(l);
	struct bf_transport *t = l->transport;
	uint8_t frame[BF_KLINE_MAX_FRAME];
	size_t n, step;
	enum bf_rc rc;

	if (len == 0 || len > l->max_msg)
		return bf_fail(err, BF_E_INTERNAL, "message of %zu bytes, ISO 14230 takes 1 to %zu",
			       len, l->max_msg);
	n = bf_kline_encode(frame, k->o.target, k->o.source, msg, len);
	rc = k->o.p3 ? keep(t, k->in.last + k->o.p3, err) : BF_OK;
	step = k->o.p4 ? 1 : n;
	for (size_t at = 0; at < n && !rc; at += step) {
		rc = t->ops->stream->write(t, frame + at, step, deadline, err);
		if (!rc && k->o.p4 && at + 1 < n)
			rc = keep(t, bf_in(t->clock, k->o.p4), err);
	}
	if (rc)
		return rc;
	l->stats.tx_msgs++;
	return BF_OK;
}

/* Looks at what has come so far; true when a message for us is whole. */
static bool take(struct kline *k)
{
	for (;;) {
		switch (bf_kline_next(&k->rx)) {
		case BF_DEFRAME_MORE:
			return false;
		case BF_DEFRAME_MESSAGE:
			k->link.stats.rx_msgs++;
			return true;
		case BF_DEFRAME_FOREIGN:
			k->link.stats.foreign++;
			break;
		case BF_DEFRAME_DAMAGED:
			k->link.stats.damaged++;
			break;
		}
	}
}

/* Silence inside a message: what follows its first byte may be a whole one. */
static void broken_off(struct kline *k)
{
	k->link.stats.damaged += !k->rx.searching;
	bf_kline_gap(&k->rx);
}

static enum bf_rc kline_recv(struct bf_link *l, uint8_t *buf, size_t cap, size_t *ret_len,
			     bf_time deadline, struct bf_err *err)
{
	struct kline *k = kline_of(l);
	struct bf_clock *clock = l->transport->clock;
	bf_time gap = k->o.p1 + BF_STREAM_ADAPTER_GAP;
	uint64_t damaged = l->stats.damaged;
	uint8_t byte;
	enum bf_rc rc;

	while (!take(k)) {
		rc = bf_stream_in_byte(&k->in, l->transport, &byte,
				       k->rx.n ? k->in.last + gap : deadline, err);
		if (rc == BF_E_TIMEOUT && k->rx.n)
			broken_off(k);
		else if (rc == BF_E_TIMEOUT)
			return bf_stream_no_message(l, k->o.target, l->stats.damaged - damaged,
						    err);
		else if (rc)
			return rc;
		else
			bf_kline_put(&k->rx, byte);
		if (deadline < BF_NEVER - BF_STREAM_LONGEST &&
		    bf_now(clock) > deadline + BF_STREAM_LONGEST)
			return bf_stream_no_message(l, k->o.target, 1, err);
	}
	if (k->rx.msg_len > cap)
		return bf_fail(err, BF_E_INTERNAL, "message of %zu bytes, room for %zu",
			       k->rx.msg_len, cap);
	memcpy(buf, k->rx.msg, k->rx.msg_len);
	*ret_len = k->rx.msg_len;
	return BF_OK;
}

static void kline_flush(struct bf_link *l)
{
	struct kline *k = kline_of(l);

	bf_stream_in_discard(&k->in, l->transport);
	k->rx.n = 0;
	k->rx.searching = false;
}

static bf_time kline_duration(struct bf_link *l, size_t len)
{
	const struct kline *k = BF_CONTAINER_OF(l, struct kline, link);
	size_t bytes = len + BF_KLINE_MAX_FRAME - BF_KLINE_MAX_MSG;

	return bf_stream_duration(l, bytes) + (bf_time)bytes * k->o.p4;
}

static void kline_close(struct bf_link *l)
{
	free(kline_of(l));
}

static const struct bf_link_ops kline_ops = {
	.name = "iso14230",
	.send = kline_send,
	.recv = kline_recv,
	.flush = kline_flush,
	.duration = kline_duration,
	.close = kline_close,
};

enum bf_rc bf_kline_open(struct bf_transport *stream, const struct bf_kline_opts *opts,
			 struct bf_link **ret, struct bf_err *err)
{
	struct kline *k;

	if (!stream->ops->stream)
		return bf_fail(err, BF_E_INTERNAL, "'%s' is not a serial line", stream->name);
	k = calloc(1, sizeof(*k));
	if (!k)
		abort();
	k->link.ops = &kline_ops;
	k->link.transport = stream;
	k->link.max_msg = BF_KLINE_MAX_MSG;
	k->o = *opts;
	k->o.p1 = opts->p1 ? opts->p1 : P1_DEFAULT;
	k->rx.me = opts->source;
	k->rx.peer = opts->target;
	*ret = &k->link;
	return BF_OK;
}
