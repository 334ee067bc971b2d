/* SPDX-License-Identifier: MIT */
/* A wire on virtual time whose peer plays the fuzzer's input, over and over: it never falls silent by itself. */
#pragma once

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/link.h"

#define FUZZ_EVENTS 400000 /* of one call: a minute of virtual time at the pace of a fast bus */

struct fuzz_peer {
	struct bf_transport t;
	struct bf_clock *clock;
	const uint8_t *data;
	size_t size;
	struct bf_cur script;
	bf_time next; /* when the peer speaks again */
	unsigned events;
	void (*play)(struct fuzz_peer *p, struct bf_frame *ret, bf_time *ret_pause);
};

static inline struct fuzz_peer *fuzz_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct fuzz_peer, t);
}

static inline void fuzz_rewind(struct fuzz_peer *p)
{
	if (!bf_cur_left(&p->script))
		p->script = bf_cur(p->data, p->size);
}

/* A call begins: its time, and its events are counted anew. */
static inline bf_time fuzz_call(struct fuzz_peer *p)
{
	p->events = 0;
	return bf_now(p->clock);
}

/* Waits until the peer speaks, or the deadline. */
static inline enum bf_rc fuzz_wait(struct fuzz_peer *p, bf_time deadline, struct bf_err *err)
{
	/* Far more than any call may take: a call that still runs would never end. */
	FUZZ_CHECK(++p->events < FUZZ_EVENTS);
	if (p->next <= deadline) {
		if (p->next > bf_now(p->clock))
			bf_clock_until(p->clock, p->next);
		return BF_OK;
	}
	if (deadline > bf_now(p->clock))
		bf_clock_until(p->clock, deadline);
	return bf_fail(err, BF_E_TIMEOUT, "nothing came");
}

static inline enum bf_rc fuzz_bus_send(struct bf_transport *t, const struct bf_frame *frame,
				       bf_time deadline, struct bf_err *err)
{
	(void)frame, (void)deadline, (void)err;
	bf_clock_until(t->clock, bf_in(t->clock, 230)); /* 500 kbit/s */
	return BF_OK;
}

static inline enum bf_rc fuzz_bus_recv(struct bf_transport *t, struct bf_frame *ret,
				       bf_time deadline, struct bf_err *err)
{
	struct fuzz_peer *p = fuzz_of(t);
	bf_time pause;

	if (fuzz_wait(p, deadline, err))
		return err->rc;
	fuzz_rewind(p);
	p->play(p, ret, &pause);
	ret->at = bf_now(p->clock);
	p->next = bf_now(p->clock) + pause + 200;
	return BF_OK;
}

static inline enum bf_rc fuzz_bus_filter(struct bf_transport *t, const struct bf_filter *filters,
					 size_t n, struct bf_err *err)
{
	(void)t, (void)filters, (void)n, (void)err;
	return BF_OK;
}

static inline void fuzz_bus_report(struct bf_transport *t, struct bf_bus_report *ret)
{
	(void)t;
	*ret = (struct bf_bus_report){ .bitrate = 500000 };
}

static inline enum bf_rc fuzz_stream_write(struct bf_transport *t, const uint8_t *data, size_t len,
					   bf_time deadline, struct bf_err *err)
{
	(void)t, (void)data, (void)len, (void)deadline, (void)err;
	return BF_OK;
}

/* [pause / 2 ms] [byte], one byte at a time. */
static inline enum bf_rc fuzz_stream_read(struct bf_transport *t, uint8_t *dst, size_t cap,
					  size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	struct fuzz_peer *p = fuzz_of(t);

	(void)cap;
	if (fuzz_wait(p, deadline, err))
		return err->rc;
	fuzz_rewind(p);
	p->next = bf_now(p->clock) + BF_MS(2) * bf_cur_u8(&p->script) + 500;
	dst[0] = bf_cur_u8(&p->script);
	*ret_len = 1;
	return BF_OK;
}

static inline void fuzz_stream_discard(struct bf_transport *t)
{
	(void)t;
}

static inline void fuzz_stream_report(struct bf_transport *t, struct bf_line_report *ret)
{
	(void)t;
	*ret = (struct bf_line_report){ .real_baud = 115200 };
}

static inline void fuzz_begin(struct fuzz_peer *p, const uint8_t *data, size_t size,
			      const struct bf_transport_ops *ops)
{
	memset(p, 0, sizeof(*p));
	p->clock = bf_vclock_new();
	p->t.ops = ops;
	p->t.clock = p->clock;
	p->data = data;
	p->size = size;
	p->script = bf_cur(data, size);
}

static inline void fuzz_bus(struct fuzz_peer *p, const uint8_t *data, size_t size,
			    void (*play)(struct fuzz_peer *p, struct bf_frame *ret, bf_time *pause))
{
	static const struct bf_bus_ops bus = { .send = fuzz_bus_send,
					       .recv = fuzz_bus_recv,
					       .filter = fuzz_bus_filter,
					       .report = fuzz_bus_report };
	static const struct bf_transport_ops ops = { .name = "fuzz",
						     .wire = BF_WIRE_BUS,
						     .bus = &bus };

	fuzz_begin(p, data, size, &ops);
	p->play = play;
}

static inline void fuzz_stream(struct fuzz_peer *p, const uint8_t *data, size_t size)
{
	static const struct bf_stream_ops stream = { .write = fuzz_stream_write,
						     .read = fuzz_stream_read,
						     .discard = fuzz_stream_discard,
						     .report = fuzz_stream_report };
	static const struct bf_transport_ops ops = { .name = "fuzz",
						     .wire = BF_WIRE_STREAM,
						     .stream = &stream };

	fuzz_begin(p, data, size, &ops);
}

static inline void fuzz_end(struct fuzz_peer *p)
{
	p->clock = bf_clock_free(p->clock);
}
