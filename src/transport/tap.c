/* SPDX-License-Identifier: MIT */
/* A second pair of ears on a bus: frames that the owner of the wire lets pass are shown to a listener too. */
#include "bmsflash/transport.h"

#include <string.h>

#include "wrap.h"

#define FILTERS 16 /* as many as a bus takes */

struct tap {
	struct bf_transport t;
	struct bf_transport *inner;
	struct bf_tap to;
	struct bf_transport_ops ops;
	struct bf_bus_ops bus;
};

static struct tap *tap_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct tap, t);
}

static enum bf_rc finish(struct tap *tap, enum bf_rc rc)
{
	tap->t.stats = tap->inner->stats;
	return rc;
}

static bool wanted(const struct tap *tap, const struct bf_frame *f)
{
	bool ext = f->flags & BF_FRAME_EXT;

	for (size_t i = 0; i < tap->to.n_filters; i++) {
		const struct bf_filter *w = &tap->to.filters[i];

		if (w->ext == ext && ((f->id ^ w->id) & w->mask) == 0)
			return true;
	}
	return false;
}

static enum bf_rc tap_send(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			   struct bf_err *err)
{
	struct tap *tap = tap_of(t);

	return finish(tap, tap->inner->ops->bus->send(tap->inner, frame, deadline, err));
}

/* What was heard is handed on: to the owner a frame that is not his is nothing new. */
static enum bf_rc tap_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct tap *tap = tap_of(t);
	enum bf_rc rc = tap->inner->ops->bus->recv(tap->inner, ret, deadline, err);

	if (!rc && wanted(tap, ret))
		tap->to.heard(tap->to.ctx, ret);
	return finish(tap, rc);
}

static enum bf_rc tap_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err)
{
	struct tap *tap = tap_of(t);
	struct bf_filter all[FILTERS];
	size_t more = tap->to.n_filters;

	/* None means everything, and so it does where ours do not fit in. */
	if (n == 0 || n + more > FILTERS)
		return tap->inner->ops->bus->filter(tap->inner, NULL, 0, err);
	memcpy(all, filters, n * sizeof(*filters));
	memcpy(all + n, tap->to.filters, more * sizeof(*filters));
	return tap->inner->ops->bus->filter(tap->inner, all, n + more, err);
}

static enum bf_rc tap_set_bitrate(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
				  struct bf_err *err)
{
	struct tap *tap = tap_of(t);

	return tap->inner->ops->bus->set_bitrate(tap->inner, bitrate, dbitrate, err);
}

static void tap_report(struct bf_transport *t, struct bf_bus_report *ret)
{
	struct tap *tap = tap_of(t);

	tap->inner->ops->bus->report(tap->inner, ret);
}

static void tap_close(struct bf_transport *t)
{
	struct tap *tap = tap_of(t);

	bf_transport_close(tap->inner);
	free(tap);
}

static void wrap_ops(struct tap *tap)
{
	const struct bf_bus_ops *in = tap->inner->ops->bus;

	tap->bus = (struct bf_bus_ops){
		.send = tap_send,
		.recv = tap_recv,
		.filter = BF_KEEP(in, filter, tap_filter),
		.set_bitrate = BF_KEEP(in, set_bitrate, tap_set_bitrate),
		.report = BF_KEEP(in, report, tap_report),
	};
	tap->ops = (struct bf_transport_ops){
		.name = tap->inner->ops->name,
		.wire = tap->inner->ops->wire,
		.bus = &tap->bus,
		.close = tap_close,
	};
}

enum bf_rc bf_tap_wrap(struct bf_transport *take, const struct bf_tap *tap_to,
		       struct bf_transport **ret, struct bf_err *err)
{
	BF_AUTO(bf_transport) *inner = take;
	struct tap *tap;

	if (!inner->ops->bus)
		return bf_fail(err, BF_E_IFACE, "'%s' is no CAN bus: there is nothing to listen to",
			       inner->name);
	tap = calloc(1, sizeof(*tap));
	if (!tap)
		abort();
	tap->to = *tap_to;
	tap->inner = bf_steal(&inner);
	wrap_ops(tap);
	tap->t.ops = &tap->ops;
	tap->t.clock = tap->inner->clock;
	tap->t.log = tap->inner->log;
	tap->t.stats = tap->inner->stats;
	memcpy(tap->t.name, tap->inner->name, sizeof(tap->t.name));
	*ret = &tap->t;
	return BF_OK;
}
