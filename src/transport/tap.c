/* SPDX-License-Identifier: MIT */
/* A second pair of ears on a bus: frames that the owner of the wire lets pass are shown to a listener too. */
#include "bmsflash/transport.h"

#include <string.h>

#include "wrap.h"

#define FILTERS 16 /* as many as a bus takes */

struct tap {
	struct bf_wrap w;
	struct bf_tap to;
};

static struct tap *tap_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct tap, w.t);
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

/* What was heard is handed on: to the owner a frame that is not his is nothing new. */
static enum bf_rc tap_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct tap *tap = tap_of(t);
	enum bf_rc rc = tap->w.inner->ops->bus->recv(tap->w.inner, ret, deadline, err);

	if (!rc && wanted(tap, ret))
		tap->to.heard(tap->to.ctx, ret);
	return bf_wrap_after(&tap->w, "recv", rc);
}

static enum bf_rc tap_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err)
{
	struct tap *tap = tap_of(t);
	struct bf_filter all[FILTERS];
	size_t more = tap->to.n_filters;

	/* None means everything, and so it does where ours do not fit in. */
	if (n == 0 || n + more > FILTERS)
		return tap->w.inner->ops->bus->filter(tap->w.inner, NULL, 0, err);
	memcpy(all, filters, n * sizeof(*filters));
	memcpy(all + n, tap->to.filters, more * sizeof(*filters));
	return tap->w.inner->ops->bus->filter(tap->w.inner, all, n + more, err);
}

static void tap_close(struct bf_transport *t)
{
	struct tap *tap = tap_of(t);

	bf_transport_close(tap->w.inner);
	free(tap);
}

static const struct bf_wrap_ops tap_ops = {
	.bus = { .recv = tap_recv, .filter = tap_filter },
	.close = tap_close,
};

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
	bf_wrap_init(&tap->w, bf_steal(&inner), &tap_ops);
	*ret = &tap->w.t;
	return BF_OK;
}
