/* SPDX-License-Identifier: MIT */
#include "wrap.h"

#include <string.h>

static struct bf_wrap *wrap_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct bf_wrap, t);
}

static enum bf_rc before(struct bf_wrap *w, struct bf_err *err)
{
	return w->mine->before ? w->mine->before(w, err) : BF_OK;
}

enum bf_rc bf_wrap_after(struct bf_wrap *w, const char *doing, enum bf_rc rc)
{
	w->t.stats = w->inner->stats;
	if (w->mine->after)
		w->mine->after(w, doing, rc);
	return rc;
}

/* Calls one function of the wire between before() and after(). */
#define PASS(w, doing, kind, call, ...) \
	(before(w, err)                 \
		 ? err->rc              \
		 : bf_wrap_after(w, doing, (w)->inner->ops->kind->call((w)->inner, __VA_ARGS__)))

/* ---- stream ---- */

static enum bf_rc pass_drain(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	return PASS(wrap_of(t), "drain", stream, drain, deadline, err);
}

enum bf_rc bf_wrap_set_line(struct bf_transport *t, const struct bf_line *line, struct bf_err *err)
{
	return PASS(wrap_of(t), "line", stream, set_line, line, err);
}

enum bf_rc bf_wrap_set_modem(struct bf_transport *t, unsigned mask, unsigned on, struct bf_err *err)
{
	return PASS(wrap_of(t), "modem", stream, set_modem, mask, on, err);
}

enum bf_rc bf_wrap_send_break(struct bf_transport *t, bf_time duration, struct bf_err *err)
{
	return PASS(wrap_of(t), "break", stream, send_break, duration, err);
}

enum bf_rc bf_wrap_stream_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	return PASS(wrap_of(t), "reopen", stream, reopen, deadline, err);
}

static void pass_line_report(struct bf_transport *t, struct bf_line_report *ret)
{
	struct bf_wrap *w = wrap_of(t);

	w->inner->ops->stream->report(w->inner, ret);
	bf_wrap_after(w, "report", BF_OK);
}

/* ---- bus ---- */

static enum bf_rc pass_send(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			    struct bf_err *err)
{
	return PASS(wrap_of(t), "send", bus, send, frame, deadline, err);
}

static enum bf_rc pass_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			      struct bf_err *err)
{
	return PASS(wrap_of(t), "filter", bus, filter, filters, n, err);
}

enum bf_rc bf_wrap_set_bitrate(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
			       struct bf_err *err)
{
	return PASS(wrap_of(t), "bitrate", bus, set_bitrate, bitrate, dbitrate, err);
}

static void pass_bus_report(struct bf_transport *t, struct bf_bus_report *ret)
{
	struct bf_wrap *w = wrap_of(t);

	w->inner->ops->bus->report(w->inner, ret);
	bf_wrap_after(w, "report", BF_OK);
}

/* ---- usb ---- */

enum bf_rc bf_wrap_claim(struct bf_transport *t, uint8_t interface, uint8_t alt, struct bf_err *err)
{
	return PASS(wrap_of(t), "claim", usb, claim, interface, alt, err);
}

static enum bf_rc pass_string(struct bf_transport *t, uint8_t index, char *dst, size_t cap,
			      bf_time deadline, struct bf_err *err)
{
	return PASS(wrap_of(t), "string", usb, string, index, dst, cap, deadline, err);
}

static enum bf_rc pass_device(struct bf_transport *t, struct bf_usb_device *ret, struct bf_err *err)
{
	return PASS(wrap_of(t), "device", usb, device, ret, err);
}

enum bf_rc bf_wrap_reset(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	return PASS(wrap_of(t), "reset", usb, reset, deadline, err);
}

enum bf_rc bf_wrap_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	return PASS(wrap_of(t), "reopen", usb, reopen, deadline, err);
}

/* ---- making one ---- */

/* What the wire has: by the wrapper's own function where it brings one, else passed on. */
#define OWN(kind, member) .member = in->kind->member ? mine->kind.member : NULL
#define OWN_OR(kind, member, pass) \
	.member = !in->kind->member ? NULL : mine->kind.member ? mine->kind.member : (pass)

static void keep(struct bf_wrap *w, const struct bf_transport_ops *in,
		 const struct bf_wrap_ops *mine)
{
	if (in->stream)
		w->stream = (struct bf_stream_ops){
			OWN(stream, write),
			OWN(stream, read),
			OWN(stream, discard),
			OWN_OR(stream, drain, pass_drain),
			OWN_OR(stream, set_line, bf_wrap_set_line),
			OWN_OR(stream, report, pass_line_report),
			OWN_OR(stream, set_modem, bf_wrap_set_modem),
			OWN_OR(stream, send_break, bf_wrap_send_break),
			OWN_OR(stream, reopen, bf_wrap_stream_reopen),
		};
	if (in->bus)
		w->bus = (struct bf_bus_ops){
			OWN(bus, recv),
			OWN_OR(bus, send, pass_send),
			OWN_OR(bus, filter, pass_filter),
			OWN_OR(bus, set_bitrate, bf_wrap_set_bitrate),
			OWN_OR(bus, report, pass_bus_report),
		};
	if (in->usb)
		w->usb = (struct bf_usb_ops){
			OWN(usb, control),
			OWN(usb, bulk),
			OWN_OR(usb, claim, bf_wrap_claim),
			OWN_OR(usb, string, pass_string),
			OWN_OR(usb, device, pass_device),
			OWN_OR(usb, reset, bf_wrap_reset),
			OWN_OR(usb, reopen, bf_wrap_reopen),
		};
}

void bf_wrap_init(struct bf_wrap *w, struct bf_transport *take, const struct bf_wrap_ops *mine)
{
	const struct bf_transport_ops *in = take->ops;

	w->inner = take;
	w->mine = mine;
	keep(w, in, mine);
	w->ops = (struct bf_transport_ops){
		.name = in->name,
		.wire = in->wire,
		.stream = in->stream ? &w->stream : NULL,
		.bus = in->bus ? &w->bus : NULL,
		.usb = in->usb ? &w->usb : NULL,
		.close = mine->close,
	};
	w->t = (struct bf_transport){
		.ops = &w->ops,
		.clock = take->clock,
		.log = take->log,
		.stats = take->stats,
	};
	memcpy(w->t.name, take->name, sizeof(w->t.name));
}
