/* SPDX-License-Identifier: MIT */
/* A frame bus in memory. */
#include "fake_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"

static const uint8_t fd_lengths[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64 };

char *fake_frame_text(const struct bf_frame *frame, char dst[FAKE_FRAME_TEXT])
{
	int n = snprintf(dst, FAKE_FRAME_TEXT, frame->flags & BF_FRAME_EXT ? "%08X#" : "%03X#",
			 frame->id);

	if (frame->flags & BF_FRAME_FD)
		n += snprintf(dst + n, FAKE_FRAME_TEXT - (size_t)n, "#%d",
			      frame->flags & BF_FRAME_BRS ? 1 : 0);
	if (frame->flags & BF_FRAME_RTR)
		n += snprintf(dst + n, FAKE_FRAME_TEXT - (size_t)n, "R");
	for (size_t i = 0; i < frame->len; i++)
		n += snprintf(dst + n, FAKE_FRAME_TEXT - (size_t)n, "%02X", frame->data[i]);
	return dst;
}

static bool valid_length(const struct bf_frame *frame)
{
	if (!(frame->flags & BF_FRAME_FD))
		return frame->len <= 8;
	return memchr(fd_lengths, frame->len, sizeof(fd_lengths)) != NULL;
}

bool fake_frame_parse(const char *text, struct bf_frame *ret)
{
	BF_AUTO_MEM char *s = fake_squeeze(text);
	struct bf_frame frame = { 0 };
	char *data = strchr(s, '#');
	size_t len = 0;
	char *end;

	if (!data || data == s)
		return false;
	frame.id = (uint32_t)strtoul(s, &end, 16);
	if (end != data)
		return false;
	if (data - s > 3)
		frame.flags |= BF_FRAME_EXT;
	data++;
	if (*data == '#') {
		frame.flags |= BF_FRAME_FD;
		if (data[1] == '\0')
			return false;
		if (data[1] != '0')
			frame.flags |= BF_FRAME_BRS;
		data += 2;
	} else if (*data == 'R') {
		frame.flags |= BF_FRAME_RTR;
		data++;
	}
	if (!bf_unhex(data, frame.data, sizeof(frame.data), &len))
		return false;
	frame.len = (uint8_t)len;
	if (!valid_length(&frame))
		return false;
	*ret = frame;
	return true;
}

void fake_say_frame(struct fake *f, const struct bf_frame *frame, bf_time after)
{
	fake_push(f, (struct fake_item){ .frame = *frame }, NULL, 0, bf_in(f->t.clock, after));
}

static void say(struct fake *f, const char *what, bf_time after)
{
	BF_AUTO_MEM char *s = fake_squeeze(what);
	char *rest = s;
	struct bf_frame frame;

	for (char *one = strsep(&rest, ";"); one; one = strsep(&rest, ";")) {
		if (!*one)
			continue;
		if (!fake_frame_parse(one, &frame))
			abort(); /* a mistake in the test's own text */
		fake_say_frame(f, &frame, after);
	}
}

static enum bf_rc bus_send(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			   struct bf_err *err)
{
	struct fake *f = fake_of(t);
	const struct fake_rule *r;
	char text[FAKE_FRAME_TEXT];

	if (!valid_length(frame))
		return bf_fail(err, BF_E_INTERNAL, "a frame of %u bytes cannot be sent",
			       frame->len);
	if (bf_now(t->clock) < f->blocked_until)
		t->stats.queue_full++;
	if (fake_wait(f, f->blocked_until, deadline, "sending a frame", err))
		return err->rc;
	t->stats.tx_frames++;
	t->stats.tx_bytes += frame->len;
	fake_hear(f, fake_frame_text(frame, text));
	r = fake_match(f, text, NULL);
	if (r)
		say(f, r->answer, r->after);
	else if (f->bus_fn)
		f->bus_fn(f, f->ctx, frame);
	return BF_OK;
}

static bool passes(const struct fake *f, const struct bf_frame *frame)
{
	bool ext = frame->flags & BF_FRAME_EXT;

	for (size_t i = 0; i < f->n_filters; i++) {
		const struct bf_filter *flt = &f->filters[i];

		if (ext == flt->ext && ((frame->id ^ flt->id) & flt->mask) == 0)
			return true;
	}
	return f->n_filters == 0;
}

static enum bf_rc bus_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct fake *f = fake_of(t);

	while (f->n_queue && !passes(f, &f->queue[0].frame))
		fake_pop(f, 0);
	if (fake_wait(f, f->n_queue ? f->queue[0].at : BF_NEVER, deadline, "waiting for a frame",
		      err))
		return err->rc;
	*ret = f->queue[0].frame;
	ret->at = f->queue[0].at;
	t->stats.rx_frames++;
	t->stats.rx_bytes += ret->len;
	fake_pop(f, 0);
	return BF_OK;
}

static enum bf_rc bus_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err)
{
	struct fake *f = fake_of(t);

	if (n > BF_COUNT(f->filters))
		return bf_fail(err, BF_E_INTERNAL, "%zu filters, at most %zu can be", n,
			       BF_COUNT(f->filters));
	if (n)
		memcpy(f->filters, filters, n * sizeof(*filters));
	f->n_filters = n;
	return BF_OK;
}

static enum bf_rc bus_set_bitrate(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
				  struct bf_err *err)
{
	struct fake *f = fake_of(t);

	(void)err;
	f->bus_report.bitrate = bitrate;
	f->bus_report.dbitrate = dbitrate;
	return BF_OK;
}

static void bus_report(struct bf_transport *t, struct bf_bus_report *ret)
{
	*ret = fake_of(t)->bus_report;
}

static const struct bf_bus_ops bus_ops = {
	.send = bus_send,
	.recv = bus_recv,
	.filter = bus_filter,
	.set_bitrate = bus_set_bitrate,
	.report = bus_report,
};

static const struct bf_transport_ops ops = {
	.name = "fake-bus",
	.wire = BF_WIRE_BUS,
	.bus = &bus_ops,
	.close = fake_close,
};

struct fake *fake_bus_new(struct bf_clock *clock)
{
	struct fake *f = fake_new(clock, &ops, "fake-bus");

	f->say = say;
	f->bus_report = (struct bf_bus_report){
		.state = BF_BUS_ACTIVE,
		.bitrate = 500000,
		.dbitrate = 2000000,
		.fd = true,
		.txqueuelen = 1000,
		.may_set_bitrate = true,
	};
	return f;
}

void fake_bus_handle(struct fake *f, fake_bus_fn *fn, void *ctx)
{
	f->bus_fn = fn;
	f->ctx = ctx;
}

void fake_bus_set_report(struct fake *f, const struct bf_bus_report *report)
{
	f->bus_report = *report;
}
