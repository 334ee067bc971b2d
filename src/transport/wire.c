/* SPDX-License-Identifier: MIT */
/* What is known about each kind of wire: its words, its limits, what its counters say about a failure. */
#include "bmsflash/wire.h"

#include <stdio.h>
#include <string.h>

const char *bf_wire_kind_text(enum bf_wire wire)
{
	switch (wire) {
	case BF_WIRE_STREAM:
		return "a serial line";
	case BF_WIRE_BUS:
		return "a CAN bus";
	case BF_WIRE_USB:
		return "a USB device";
	}
	return "an interface";
}

const char *bf_wire_rate_option(enum bf_wire wire)
{
	return wire == BF_WIRE_STREAM ? "baud" : wire == BF_WIRE_BUS ? "bitrate" : NULL;
}

/* Whether a node address has a meaning on a bus is for the protocol to say. */
static const struct {
	const char *option;
	unsigned wires; /* bits of enum bf_wire */
	const char *what;
} of_a_wire[] = {
	{ "node", BF_WIRE_STREAM | BF_WIRE_BUS, "an address on a bus" },
	{ "baud", BF_WIRE_STREAM, "the rate of a serial line" },
	{ "bitrate", BF_WIRE_BUS, "the bit rate of a CAN bus" },
	{ "scan", BF_WIRE_STREAM, "for the addresses of a serial line" },
	{ "alt", BF_WIRE_USB, "an alternate setting of a USB device" },
};

bool bf_wire_takes_option(enum bf_wire wire, const char *option, const char **ret_what)
{
	for (size_t i = 0; i < BF_COUNT(of_a_wire); i++) {
		if (strcmp(of_a_wire[i].option, option) != 0)
			continue;
		*ret_what = of_a_wire[i].what;
		return (of_a_wire[i].wires & wire) != 0;
	}
	return true;
}

/* ---- how it is now ---- */

const char *bf_bus_state_text(enum bf_bus_state state)
{
	static const char *const texts[] = {
		[BF_BUS_UNKNOWN] = "state unknown", [BF_BUS_ACTIVE] = "error-active",
		[BF_BUS_WARNING] = "error-warning", [BF_BUS_PASSIVE] = "error-passive",
		[BF_BUS_OFF] = "bus-off",           [BF_BUS_STOPPED] = "stopped",
	};

	return (size_t)state < BF_COUNT(texts) ? texts[state] : texts[BF_BUS_UNKNOWN];
}

/* An FTDI adapter hands received bytes over when its latency timer runs out: once an answer. */
static void look_at_stream(struct bf_transport *t, struct bf_wire_view *ret)
{
	struct bf_line_report r = { .latency_timer_ms = -1 };

	t->ops->stream->report(t, &r);
	ret->stream = true;
	ret->rate = r.real_baud;
	ret->echo = r.echo;
	ret->latency_timer_ms = r.latency_timer_ms;
	snprintf(ret->detail, sizeof(ret->detail), "%u baud", r.real_baud);
	if (r.latency_timer_ms <= 1)
		return;
	ret->answer_delay = BF_MS(r.latency_timer_ms);
	ret->notice_warns = true;
	snprintf(ret->notice, sizeof(ret->notice),
		 "the adapter's latency timer is %d ms: every answer waits that long; to shorten "
		 "it: %s",
		 r.latency_timer_ms, r.latency_command);
}

static void look_at_bus(struct bf_transport *t, struct bf_wire_view *ret)
{
	struct bf_bus_report r = { 0 };

	t->ops->bus->report(t, &r);
	ret->rate = r.bitrate;
	ret->heard = r.heard;
	ret->state = bf_bus_state_text(r.state);
	ret->tx_errors = r.tx_errors;
	ret->rx_errors = r.rx_errors;
	if (r.bitrate)
		snprintf(ret->detail, sizeof(ret->detail), "%u kbit/s, %s", r.bitrate / 1000,
			 ret->state);
	else
		snprintf(ret->detail, sizeof(ret->detail), "bit rate unknown, %s", ret->state);
	if (r.txqueuelen && r.txqueuelen <= 10 && !bf_clock_is_virtual(t->clock))
		snprintf(ret->notice, sizeof(ret->notice),
			 "the transmit queue of '%s' holds %u frames; 1000 is better: ip link set "
			 "%s "
			 "txqueuelen 1000",
			 t->name, r.txqueuelen, t->name);
}

void bf_wire_look(struct bf_transport *t, struct bf_wire_view *ret)
{
	*ret = (struct bf_wire_view){ .latency_timer_ms = -1 };
	if (t->ops->stream)
		look_at_stream(t, ret);
	else if (t->ops->bus)
		look_at_bus(t, ret);
}

/* ---- what it can carry ---- */

/* Bits on the wire for one data frame without stuffing bits, ISO 11898-1:
 * classic, 11-bit identifier: 47 + 64; FD with bit rate switch: about 30 at the nominal rate, and
 * 28 + 8 * 64 with a 21-bit checksum at the data rate. ISO-TP spends one byte of each frame. */
#define CLASSIC_BITS    111.0
#define CLASSIC_PAYLOAD 7.0
#define FD_SLOW_BITS    30.0
#define FD_FAST_BITS    549.0
#define FD_PAYLOAD      63.0

static double bus_limit(const struct bf_bus_report *r)
{
	double seconds;

	if (!r->bitrate)
		return 0;
	if (!r->fd || !r->dbitrate)
		return r->bitrate / CLASSIC_BITS * CLASSIC_PAYLOAD;
	seconds = FD_SLOW_BITS / r->bitrate + FD_FAST_BITS / r->dbitrate;
	return FD_PAYLOAD / seconds;
}

double bf_wire_limit(struct bf_transport *t, uint32_t rate)
{
	struct bf_bus_report report = { 0 };

	if (!t)
		return 0;
	switch (t->ops->wire) {
	case BF_WIRE_STREAM:
		return rate / 10.0; /* start, 8 data, stop */
	case BF_WIRE_BUS:
		t->ops->bus->report(t, &report);
		if (rate)
			report.bitrate = rate;
		return bus_limit(&report);
	case BF_WIRE_USB:
		return 0; /* the host's schedule decides */
	}
	return 0;
}

uint64_t bf_wire_received(const struct bf_transport *t)
{
	return t->ops->wire == BF_WIRE_STREAM ? t->stats.rx_bytes : t->stats.rx_frames;
}

/* ---- why something failed ---- */

static void likely_on_bus(struct bf_transport *t, const struct bf_wire_stats *first,
			  struct bf_err *err)
{
	struct bf_bus_report r = { 0 };

	t->ops->bus->report(t, &r);
	if (r.state == BF_BUS_OFF)
		bf_likely(err,
			  "'%s' is bus-off: CAN-H and CAN-L shorted or swapped, a terminator "
			  "missing (60 ohm between them), or the wrong bit rate",
			  t->name);
	else if (r.state == BF_BUS_STOPPED)
		bf_likely(err, "'%s' is down: sudo ip link set %s up", t->name, t->name);
	else if (r.tx_errors > r.rx_errors)
		bf_likely(err,
			  "%u transmit errors stand against %u on receive: nobody "
			  "acknowledges; is the pack on this bus, at %u bit/s?",
			  r.tx_errors, r.rx_errors, r.bitrate);
	else if (r.rx_errors)
		bf_likely(err,
			  "%u receive errors stand: another bit rate is on the bus, or noise; "
			  "check termination and shield",
			  r.rx_errors);
	else if (t->stats.rx_frames == first->rx_frames)
		bf_likely(err, "not one frame was heard: power of the pack, wiring, identifiers");
}

static void likely_on_stream(struct bf_transport *t, const struct bf_wire_stats *first,
			     struct bf_err *err)
{
	const struct bf_wire_stats *s = &t->stats;
	struct bf_line_report r = { .latency_timer_ms = -1 };

	t->ops->stream->report(t, &r);
	if (s->rx_bytes == first->rx_bytes)
		bf_likely(err,
			  "not one byte was heard: power of the pack, A and B swapped, or "
			  "another rate than %u baud",
			  r.real_baud);
	if (s->line_errors)
		bf_likely(err,
			  "%llu bytes came damaged: wrong rate or parity, noise, or a long "
			  "cable without termination (120 ohm)",
			  (unsigned long long)s->line_errors);
	if (s->echo_damaged)
		bf_likely(err,
			  "own bytes came back changed %llu times: another master talks on "
			  "this line",
			  (unsigned long long)s->echo_damaged);
	if (r.latency_timer_ms > 1)
		bf_likely(err,
			  "the adapter waits %d ms before it hands bytes over; to shorten that: "
			  "%s",
			  r.latency_timer_ms, r.latency_command);
}

void bf_wire_likely(struct bf_transport *t, const struct bf_wire_stats *first, struct bf_err *err)
{
	switch (t->ops->wire) {
	case BF_WIRE_BUS:
		likely_on_bus(t, first, err);
		return;
	case BF_WIRE_STREAM:
		likely_on_stream(t, first, err);
		return;
	case BF_WIRE_USB:
		bf_likely(err, "the cable, a hub between, or the pack restarted by itself");
		return;
	}
}

void bf_wire_likely_silence(const struct bf_transport *t, const struct bf_wire_silence *s,
			    struct bf_err *err)
{
	switch (t->ops->wire) {
	case BF_WIRE_STREAM:
		bf_likely(err, "the pack is asleep or has no power: wake it with its button");
		bf_likely(err, "A and B of the RS485 pair are swapped, or ground is missing");
		if (s->baud_given)
			bf_likely(err, "only %u baud was tried, as --baud says", s->baud_given);
		bf_likely(err, "another baud rate or node address");
		if (s->direction_auto)
			bf_likely(err,
				  "an adapter whose direction RTS switches: direction = rts in "
				  "[rs485] of a profile");
		return;
	case BF_WIRE_BUS:
		if (!s->others_talk)
			bf_likely(err,
				  "the bus is silent: no power, wrong bit rate, or termination "
				  "(60 ohm between CAN-H and CAN-L) missing");
		bf_likely(err, "the pack listens on other identifiers: name its profile");
		return;
	case BF_WIRE_USB:
		bf_likely(err,
			  "the application has no DFU: its bootloader is started by a button or "
			  "boot pin while plugging in, as the pack's manual says");
		return;
	}
}

/* ---- how good it is ---- */

#define SLOW BF_MS(12) /* an FTDI adapter with its latency timer of 16 ms answers later */

static size_t remarks_on_bus(struct bf_transport *t, bool poor, struct bf_wire_remark ret[2])
{
	struct bf_bus_report r = { 0 };

	t->ops->bus->report(t, &r);
	if (r.state == BF_BUS_WARNING || r.state == BF_BUS_PASSIVE || r.tx_errors || r.rx_errors) {
		ret->warning = true;
		snprintf(ret->text, sizeof(ret->text),
			 "the CAN controller counts errors (transmit %u, receive %u): likely "
			 "termination (60 ohm between CAN-H and CAN-L), another bit rate on the "
			 "bus, "
			 "or a long stub",
			 r.tx_errors, r.rx_errors);
		return 1;
	}
	if (!poor)
		return 0;
	snprintf(ret->text, sizeof(ret->text),
		 "the CAN controller sees no errors: the pack or the adapter drops frames, "
		 "as with a full bus or a small buffer");
	return 1;
}

static size_t remarks_on_stream(struct bf_transport *t, bf_time mean, bool poor,
				struct bf_wire_remark ret[2])
{
	const struct bf_wire_stats *w = &t->stats;
	struct bf_line_report r = { .latency_timer_ms = -1 };
	size_t n = 0;

	t->ops->stream->report(t, &r);
	if (r.latency_timer_ms > 1 || mean > SLOW)
		snprintf(ret[n++].text, sizeof(ret->text),
			 "an answer takes %.1f ms%s: a transfer will wait more than it sends",
			 (double)mean / 1000,
			 r.latency_timer_ms > 1 ? ", most of it the adapter's latency timer" : "");
	if (w->echo_damaged) {
		ret[n].warning = true;
		snprintf(ret[n++].text, sizeof(ret->text),
			 "%llu of our own bytes came back damaged: another sender, or A and B "
			 "without bias and termination",
			 (unsigned long long)w->echo_damaged);
	} else if (poor) {
		snprintf(ret[n++].text, sizeof(ret->text),
			 "%s; look at ground, bias and termination of the pair",
			 r.echo ? "our own bytes come back whole: it is lost on the pack's side"
				: "the adapter gives no echo: which side loses is not known");
	}
	return n;
}

size_t bf_wire_remarks(struct bf_transport *t, bf_time mean, bool poor,
		       struct bf_wire_remark ret[2])
{
	ret[0] = ret[1] = (struct bf_wire_remark){ 0 };
	switch (t->ops->wire) {
	case BF_WIRE_BUS:
		return remarks_on_bus(t, poor, ret);
	case BF_WIRE_STREAM:
		return remarks_on_stream(t, mean, poor, ret);
	case BF_WIRE_USB:
		return 0;
	}
	return 0;
}

/* ---- settings and other nodes ---- */

bool bf_wire_usual_setting(const struct bf_transport *t, size_t i, bool rate_given,
			   struct bf_line *line)
{
	static const uint32_t bauds[] = {
		115200, 9600, 19200, 38400, 57600, 230400, 460800, 921600
	};
	static const struct {
		enum bf_parity parity;
		unsigned stop_bits;
	} forms[] = { { BF_PARITY_NONE, 1 }, { BF_PARITY_EVEN, 1 }, { BF_PARITY_NONE, 2 } };
	size_t rates = rate_given ? 1 : BF_COUNT(bauds), form = i / rates;

	if (!t->ops->stream || form >= BF_COUNT(forms))
		return false;
	if (!rate_given)
		line->baud = bauds[i % rates];
	line->parity = forms[form].parity;
	line->stop_bits = forms[form].stop_bits;
	return true;
}

enum bf_rc bf_wire_set_line(struct bf_transport *t, const struct bf_line *line, struct bf_err *err)
{
	if (!t->ops->stream)
		return bf_fail(err, BF_E_UNSUPPORTED, "'%s' has no line settings", t->name);
	return t->ops->stream->set_line(t, line, err);
}

bool bf_wire_overhears(struct bf_transport *t, bf_time deadline, struct bf_frame *ret)
{
	struct bf_err quiet;

	bf_err_init(&quiet);
	return t->ops->bus && t->ops->bus->filter(t, NULL, 0, &quiet) == BF_OK &&
	       t->ops->bus->recv(t, ret, deadline, &quiet) == BF_OK;
}

uint64_t bf_wire_of_others(struct bf_transport *t, const struct bf_wire_stats *first,
			   uint64_t heard_first)
{
	const struct bf_wire_stats *now = &t->stats;
	uint64_t ours = now->rx_frames - first->rx_frames + now->rx_dropped - first->rx_dropped;
	struct bf_bus_report r = { 0 };

	if (!t->ops->bus)
		return 0;
	t->ops->bus->report(t, &r);
	return r.heard > heard_first + ours ? r.heard - heard_first - ours : 0;
}
