/* SPDX-License-Identifier: MIT */
/* Frames that go out by the clock (network management, stay in boot), and the initialisation of K-lines. */
#include "uds.h"

#include <string.h>

#define LOW         BF_MS(25) /* of the wake-up pattern of ISO 14230-2 ... */
#define PATTERN     BF_MS(50) /* ... low, then high */
#define LOW_BAUD    360       /* at which a byte 00 is low for 25 ms */
#define KLINE_START 0x81      /* startCommunication */

static bool is_bus(const struct uds *u)
{
	return u->proto.env.transport->ops->wire == BF_WIRE_BUS;
}

static size_t unhex(const char *text, uint8_t *dst, size_t cap)
{
	static const struct bf_template_values none = { .little = false };
	struct bf_out o = bf_out(dst, cap);

	bf_template_put(text, &none, &o);
	return o.failed ? 0 : o.len;
}

static void put_frame(struct uds *u, uint32_t id, const char *data)
{
	struct bf_transport *t = u->proto.env.transport;
	struct bf_frame f = { .id = id, .flags = uds_profile(u)->can_ext ? BF_FRAME_EXT : 0 };
	struct bf_err quiet;

	bf_err_init(&quiet);
	f.len = (uint8_t)unhex(data, f.data, 8);
	if (is_bus(u))
		(void)t->ops->bus->send(t, &f, bf_in(t->clock, BF_MS(100)), &quiet);
	else
		(void)t->ops->stream->write(t, f.data, f.len, bf_in(t->clock, BF_MS(100)), &quiet);
}

bf_time bf_uds_next_tick(const struct uds *u)
{
	const struct bf_profile *pf = uds_profile(u);
	bf_time next = BF_NEVER;

	for (size_t i = 0; is_bus(u) && i < pf->n_periodics; i++) {
		if (u->next_tick[i] < next)
			next = u->next_tick[i];
	}
	if (u->waking && pf->wake.frame[0] && u->next_wake < next)
		next = u->next_wake;
	return next;
}

void bf_uds_tick(struct uds *u)
{
	const struct bf_profile *pf = uds_profile(u);
	bf_time now = bf_now(uds_clock(u));

	for (size_t i = 0; is_bus(u) && i < pf->n_periodics; i++) {
		if (now < u->next_tick[i])
			continue;
		put_frame(u, pf->periodics[i].id, pf->periodics[i].data);
		u->next_tick[i] = now + BF_MS(pf->periodics[i].period_ms);
	}
	if (u->waking && pf->wake.frame[0] && now >= u->next_wake) {
		put_frame(u, pf->wake.id ? pf->wake.id : pf->can_tx, pf->wake.frame);
		u->next_wake = now + BF_MS(pf->wake.period_ms);
	}
}

/* 25 ms low and 25 ms high: a break where the port can make one, else a byte of zeros that lasts so long. */
static enum bf_rc fast_init(struct uds *u, struct bf_err *err)
{
	struct bf_transport *t = u->proto.env.transport;
	bf_time began = bf_now(t->clock);
	uint32_t rate = u->rate;
	static const uint8_t zero[] = { 0x00 };
	enum bf_rc rc = bf_stream_send_break(t, LOW, err);

	if (rc == BF_E_UNSUPPORTED) {
		bf_err_init(err);
		rc = bf_uds_wire_rate(u, LOW_BAUD, err);
		if (!rc)
			rc = t->ops->stream->write(t, zero, sizeof(zero),
						   bf_in(t->clock, BF_SEC(1)), err);
		if (!rc)
			rc = bf_uds_wire_rate(u, rate, err);
	}
	if (!rc && !bf_clock_until(t->clock, began + PATTERN))
		rc = bf_fail(err, BF_E_INTERRUPTED, "stopped while the line was initialised");
	return rc ? bf_while(err, "initialising the K-line") : BF_OK;
}

enum bf_rc bf_uds_begin_line(struct uds *u, struct bf_err *err)
{
	static const uint8_t head[] = { KLINE_START };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.once = true,
		.patience = BF_MS(300), /* P2 before the server's own times are known */
		.what = "start communication",
	};
	const struct bf_profile *pf = uds_profile(u);
	enum bf_rc rc = BF_OK;

	if (is_bus(u) || strcmp(u->link->ops->name, "iso14230") != 0)
		return BF_OK;
	if (pf->kline_init == BF_KLINE_INIT_FAST)
		rc = fast_init(u, err);
	if (rc || !pf->start_communication)
		return rc;
	rc = bf_uds_send(u, &ask, err);
	return rc ? rc : bf_uds_collect(u, &ask, NULL, err);
}
