/* SPDX-License-Identifier: MIT */
/* Link control, service 87: both ends change the rate together, and go back together. */
#include "uds.h"

#include <stdio.h>

#define VERIFY   0x01 /* verifyModeTransitionWithFixedParameter */
#define SPECIFIC 0x02 /* verifyModeTransitionWithSpecificParameter */
#define GO       0x03 /* transitionMode */

#define SWITCH_TIME BF_MS(10) /* for the server to change over */
#define FALL_BACK   BF_MS(500) /* bmsflash-uds(7): it returns by itself when it hears nothing valid */
#define TRIES       3
#define BUSY_PACE   BF_MS(100) /* "busy, repeat request" */
#define BUSY_TIMES  8

static bool is_stream(const struct uds *u)
{
	return u->proto.env.transport->ops->wire == BF_WIRE_STREAM;
}

void bf_uds_note_rate(struct uds *u)
{
	struct bf_transport *t = u->proto.env.transport;
	const struct bf_profile *pf = uds_profile(u);
	struct bf_line_report line = { 0 };
	struct bf_bus_report bus = { 0 };

	if (!is_stream(u)) {
		t->ops->bus->report(t, &bus);
		u->default_rate = bus.bitrate;
		u->default_dbitrate = bus.dbitrate;
	} else {
		t->ops->stream->report(t, &line);
		u->default_rate = line.real_baud ? line.real_baud : pf->baud;
		/* A divider rarely hits a rate exactly; 3 % is what a UART bears. */
		if (line.real_baud > pf->baud / 100 * 97 && line.real_baud < pf->baud / 100 * 103)
			u->default_rate = pf->baud;
	}
	u->rate = u->default_rate;
}

enum bf_rc bf_uds_wire_rate(struct uds *u, uint32_t rate, struct bf_err *err)
{
	struct bf_transport *t = u->proto.env.transport;
	const struct bf_profile *pf = uds_profile(u);
	struct bf_line_report report = { 0 };
	struct bf_line line = {
		.baud = rate,
		.parity = pf->parity == 'E'   ? BF_PARITY_EVEN
			  : pf->parity == 'O' ? BF_PARITY_ODD
					      : BF_PARITY_NONE,
		.stop_bits = pf->stop_bits,
		.guard_us = pf->guard_us,
	};
	enum bf_rc rc;

	if (is_stream(u)) {
		t->ops->stream->report(t, &report);
		line.rs485 = report.rs485;
		line.rts_active_low = pf->rts_active_low;
		rc = t->ops->stream->drain(t, bf_in(t->clock, BF_SEC(2)), err);
		if (!rc)
			rc = t->ops->stream->set_line(t, &line, err);
	} else {
		/* What is queued must leave before the interface goes down for the change. */
		bf_clock_until(t->clock, bf_in(t->clock, SWITCH_TIME));
		rc = t->ops->bus->set_bitrate(t, rate, u->default_dbitrate, err);
	}
	if (!rc)
		u->rate = rate;
	return rc;
}

/* "Could you?": standard rates by number, others as they are. */
static enum bf_rc ask_rate(struct uds *u, uint32_t rate, struct bf_err *err)
{
	uint8_t id = bf_uds_rate_id(rate, !is_stream(u));
	const uint8_t fixed[] = { UDS_LINK_CONTROL, VERIFY, id };
	const uint8_t specific[] = { UDS_LINK_CONTROL, SPECIFIC, (uint8_t)(rate >> 16),
				     (uint8_t)(rate >> 8), (uint8_t)rate };
	char what[48];
	const struct uds_ask ask = {
		.head = id ? fixed : specific,
		.head_len = id ? sizeof(fixed) : sizeof(specific),
		.match = 1,
		.what = what,
	};

	snprintf(what, sizeof(what), "change to %u bit/s", rate);
	return bf_uds_ask(u, &ask, NULL, err);
}

/* The server goes without a word. What it says, it says at the old rate, and it is a refusal; anything else
 * is for the proof at the new rate to tell. */
static enum bf_rc say_go(struct uds *u, struct bf_err *err)
{
	static const uint8_t head[] = { UDS_LINK_CONTROL, GO | UDS_SUPPRESS };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.match = 1,
		.once = true,
		.patience = SWITCH_TIME,
		.what = "change its rate now",
	};

	for (unsigned i = 0;; i++) {
		if (bf_uds_send(u, &ask, err))
			return err->rc;
		if (!bf_uds_collect(u, &ask, NULL, err) || !err->dev_refused)
			return BF_OK;
		if (!bf_uds_refused(err, UDS_NRC_BUSY) || i == BUSY_TIMES)
			return err->rc;
		u->proto.env.retry->busy++;
		bf_clock_until(uds_clock(u), bf_in(uds_clock(u), BUSY_PACE));
	}
}

static enum bf_rc prove(struct uds *u, struct bf_err *err)
{
	enum bf_rc rc = BF_E_TIMEOUT;

	bf_clock_until(uds_clock(u), bf_in(uds_clock(u), SWITCH_TIME));
	for (int i = 0; i < TRIES && (rc == BF_E_TIMEOUT || rc == BF_E_LINK); i++) {
		u->link->ops->flush(u->link);
		rc = bf_uds_ping(&u->proto, err);
	}
	return rc;
}

/* The way back: the server returns by itself, we wait until it has. */
static enum bf_rc go_back(struct uds *u, uint32_t old, bf_time changed, uint32_t tried,
			  struct bf_err *err)
{
	struct bf_err why = *err;
	enum bf_rc rc;

	bf_clock_hold(uds_clock(u));
	rc = bf_uds_wire_rate(u, old, err);
	bf_clock_until(uds_clock(u), changed + FALL_BACK + BF_MS(100));
	if (!rc)
		rc = prove(u, err);
	bf_clock_release(uds_clock(u));
	if (rc) {
		bf_while(err, "going back to %u bit/s", old);
		return bf_while(err, "changing the line to %u bit/s", tried);
	}
	if (why.rc == BF_E_INTERRUPTED || why.rc == BF_E_GONE || why.rc == BF_E_IFACE) {
		*err = why;
		return why.rc;
	}
	bf_fail(err, BF_E_LINK, "the line does not work at %u bit/s; back at %u bit/s", tried, old);
	bf_likely(err, is_stream(u) ? "cable, termination or adapter are not good enough for that "
				      "rate"
				    : "another node on the bus keeps the old bit rate");
	return err->rc;
}

/* Link control has no number for some default rates, and need not: a server that ends its session is back at its
 * default rate. The session is opened again there. */
static enum bf_rc end_session(struct uds *u, struct bf_err *err)
{
	enum bf_entry entry =
		u->session == uds_keys(u)->session_programming ? BF_ENTRY_WRITE : BF_ENTRY_READ;
	bool unlocked = u->unlocked;
	enum bf_rc rc;

	bf_uds_leave(&u->proto);
	rc = bf_uds_wire_rate(u, u->default_rate, err);
	if (!rc)
		rc = prove(u, err);
	if (!rc)
		rc = bf_uds_connect(&u->proto, entry, err);
	if (!rc && unlocked)
		rc = bf_uds_authenticate(&u->proto, err);
	return rc ? bf_while(err, "returning the line to %u bit/s", u->default_rate) : BF_OK;
}

/* Known before the pack moves: afterwards it would be alone at its rate. */
static bool can_change(const struct uds *u, uint32_t rate)
{
	struct bf_transport *t = u->proto.env.transport;
	struct bf_bus_report bus = { .may_set_bitrate = true };

	if (!is_stream(u))
		t->ops->bus->report(t, &bus);
	return bus.may_set_bitrate && u->rate && rate <= 0xFFFFFF;
}

enum bf_rc bf_uds_set_rate(struct bf_proto *p, uint32_t rate, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	struct bf_transport *t = p->env.transport;
	uint32_t old = u->rate;
	bf_time changed;
	enum bf_rc rc;

	if (rate == old)
		return BF_OK;
	if (!can_change(u, rate))
		return bf_fail(err, BF_E_UNSUPPORTED, "'%s' cannot change to %u bit/s", t->name,
			       rate);
	rc = ask_rate(u, rate, err);
	if (rc && err->dev_refused && rate == u->default_rate)
		return end_session(u, err);
	if (rc || say_go(u, err))
		return bf_while(err, "changing the line to %u bit/s", rate);
	changed = bf_now(t->clock);
	rc = bf_uds_wire_rate(u, rate, err);
	if (!rc)
		rc = prove(u, err);
	return rc ? go_back(u, old, changed, rate, err) : BF_OK;
}

void bf_uds_default_rate(struct bf_proto *p)
{
	struct uds *u = uds_of(p);
	struct bf_err quiet;

	bf_err_init(&quiet);
	if (u->rate != u->default_rate && bf_uds_wire_rate(u, u->default_rate, &quiet))
		bf_log(p->env.log, BF_LOG_WARN, "%s", quiet.cause);
	if (u->link)
		u->link->ops->flush(u->link);
}
