/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <string.h>

struct wire_item {
	struct wire_item *next;
	bf_time at;
	bool arrived;
	struct bf_frame frame;
	size_t pos, len;
	uint8_t bytes[];
};

static struct wire *wire_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct wire, t);
}

static bf_time source_next(struct bf_vsource *s)
{
	struct wire *w = BF_CONTAINER_OF(s, struct wire, source);

	for (struct wire_item *i = w->first; i; i = i->next) {
		if (!i->arrived)
			return i->at;
	}
	return BF_NEVER;
}

static void source_run(struct bf_vsource *s, bf_time now)
{
	struct wire *w = BF_CONTAINER_OF(s, struct wire, source);

	for (struct wire_item *i = w->first; i && i->at <= now; i = i->next)
		i->arrived = true;
}

static void put(struct wire *w, struct wire_item *item)
{
	struct wire_item **at = &w->first;

	while (*at && (*at)->at <= item->at)
		at = &(*at)->next;
	item->next = *at;
	*at = item;
}

static struct wire_item *item_new(struct wire *w, bf_time delay, const void *p, size_t len)
{
	struct wire_item *i = calloc(1, sizeof(*i) + len);

	i->at = bf_now(w->t.clock) + delay;
	i->len = len;
	memcpy(i->bytes, p, len);
	return i;
}

void wire_put_bytes(struct wire *w, bf_time delay, const void *p, size_t len)
{
	put(w, item_new(w, delay, p, len));
}

void wire_put_frame(struct wire *w, bf_time delay, uint32_t id, unsigned flags, const void *p,
		    size_t len)
{
	struct wire_item *i = item_new(w, delay, p, len);

	i->frame.id = id;
	i->frame.flags = (uint8_t)flags;
	i->frame.len = (uint8_t)len;
	memcpy(i->frame.data, p, len);
	put(w, i);
}

static enum bf_rc wait_item(struct wire *w, bf_time deadline, struct bf_err *err)
{
	while (!w->first || w->first->at > bf_now(w->t.clock)) {
		switch (bf_clock_wait(w->t.clock, NULL, 0, deadline)) {
		case BF_WAIT_READY:
			break;
		case BF_WAIT_CANCELLED:
			return bf_fail(err, BF_E_INTERRUPTED, "cancelled");
		case BF_WAIT_DEADLINE:
			return bf_fail(err, BF_E_TIMEOUT, "silence");
		}
	}
	return BF_OK;
}

static void drop_first(struct wire *w)
{
	struct wire_item *i = w->first;

	w->first = i->next;
	free(i);
}

static enum bf_rc note_send(struct wire *w, struct bf_err *err)
{
	enum bf_rc rc = w->send_fails;

	if (w->sent < BF_COUNT(w->sent_at))
		w->sent_at[w->sent] = bf_now(w->t.clock);
	w->sent++;
	w->send_fails = BF_OK;
	return rc ? bf_fail(err, rc, "send fails") : BF_OK;
}

static enum bf_rc stream_write(struct bf_transport *t, const uint8_t *p, size_t len,
			       bf_time deadline, struct bf_err *err)
{
	struct wire *w = wire_of(t);
	enum bf_rc rc = note_send(w, err);

	(void)deadline;
	if (!rc && w->heard_bytes)
		w->heard_bytes(w, p, len);
	return rc;
}

static enum bf_rc stream_read(struct bf_transport *t, uint8_t *p, size_t cap, size_t *ret_len,
			      bf_time deadline, struct bf_err *err)
{
	struct wire *w = wire_of(t);
	enum bf_rc rc = wait_item(w, deadline, err);
	size_t n;

	if (rc)
		return rc;
	n = w->first->len - w->first->pos;
	n = n < cap ? n : cap;
	if (w->chunk && n > w->chunk)
		n = w->chunk;
	memcpy(p, w->first->bytes + w->first->pos, n);
	w->first->pos += n;
	*ret_len = n;
	if (w->first->pos == w->first->len)
		drop_first(w);
	return BF_OK;
}

static enum bf_rc stream_drain(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	(void)t;
	(void)deadline;
	(void)err;
	return BF_OK;
}

static void stream_discard(struct bf_transport *t)
{
	struct wire *w = wire_of(t);

	while (w->first && w->first->at <= bf_now(t->clock))
		drop_first(w);
}

static enum bf_rc stream_set_line(struct bf_transport *t, const struct bf_line *line,
				  struct bf_err *err)
{
	(void)err;
	wire_of(t)->line = *line;
	return BF_OK;
}

static void stream_report(struct bf_transport *t, struct bf_line_report *ret)
{
	*ret = (struct bf_line_report){ .real_baud = wire_of(t)->line.baud };
}

static enum bf_rc bus_send(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			   struct bf_err *err)
{
	struct wire *w = wire_of(t);
	enum bf_rc rc = note_send(w, err);

	(void)deadline;
	if (!rc && w->heard_frame)
		w->heard_frame(w, frame);
	return rc;
}

static enum bf_rc bus_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct wire *w = wire_of(t);
	enum bf_rc rc = wait_item(w, deadline, err);

	if (rc)
		return rc;
	*ret = w->first->frame;
	drop_first(w);
	return BF_OK;
}

static enum bf_rc bus_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err)
{
	(void)err;
	if (n)
		wire_of(t)->filter = filters[0];
	return BF_OK;
}

static enum bf_rc bus_set_bitrate(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
				  struct bf_err *err)
{
	struct wire *w = wire_of(t);

	(void)err;
	w->bitrate = w->report_bitrate = bitrate;
	w->dbitrate = w->report_dbitrate = dbitrate;
	return BF_OK;
}

static void bus_report(struct bf_transport *t, struct bf_bus_report *ret)
{
	struct wire *w = wire_of(t);

	*ret = (struct bf_bus_report){ .state = BF_BUS_ACTIVE,
				       .bitrate = w->report_bitrate,
				       .dbitrate = w->report_dbitrate,
				       .may_set_bitrate = w->may_set_bitrate };
}

static const struct bf_stream_ops stream_ops = {
	.write = stream_write,
	.read = stream_read,
	.drain = stream_drain,
	.discard = stream_discard,
	.set_line = stream_set_line,
	.report = stream_report,
};
static const struct bf_bus_ops bus_ops = {
	.send = bus_send,
	.recv = bus_recv,
	.filter = bus_filter,
	.set_bitrate = bus_set_bitrate,
	.report = bus_report,
};
static const struct bf_transport_ops wire_stream_ops = {
	.name = "wire",
	.wire = BF_WIRE_STREAM,
	.stream = &stream_ops,
};
static const struct bf_transport_ops wire_bus_ops = {
	.name = "wire",
	.wire = BF_WIRE_BUS,
	.bus = &bus_ops,
};

struct wire *wire_new(enum bf_wire kind)
{
	struct wire *w = calloc(1, sizeof(*w));

	w->t.ops = kind == BF_WIRE_BUS ? &wire_bus_ops : &wire_stream_ops;
	w->t.clock = bf_vclock_new();
	strcpy(w->t.name, "wire");
	w->line.baud = 115200;
	w->source.next = source_next;
	w->source.run = source_run;
	bf_vclock_attach(w->t.clock, &w->source);
	return w;
}

struct wire *wire_free(struct wire *w)
{
	if (!w)
		return NULL;
	while (w->first)
		drop_first(w);
	bf_clock_free(w->t.clock);
	free(w);
	return NULL;
}
