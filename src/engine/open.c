/* SPDX-License-Identifier: MIT */
/* The wire: opened with the profile's settings, described to the user, closed with its figures shown. */
#include <stdio.h>
#include <string.h>

#include "source/source.h"
#include "run.h"

static enum bf_parity parity_of(char letter)
{
	if (letter == 'E')
		return BF_PARITY_EVEN;
	return letter == 'O' ? BF_PARITY_ODD : BF_PARITY_NONE;
}

struct bf_line bf_line_of_profile(const struct bf_profile *p, uint32_t baud)
{
	static const enum bf_rs485_mode modes[] = {
		[BF_DIRECTION_AUTO] = BF_RS485_AUTO,
		[BF_DIRECTION_KERNEL] = BF_RS485_KERNEL,
		[BF_DIRECTION_RTS] = BF_RS485_RTS,
		[BF_DIRECTION_ADAPTER] = BF_RS485_ADAPTER,
	};

	return (struct bf_line){
		.baud = baud,
		.parity = parity_of(p->parity),
		.stop_bits = p->stop_bits ? p->stop_bits : 1,
		.guard_us = p->guard_us,
		.rs485 = modes[p->direction],
		.rts_active_low = p->rts_active_low,
	};
}

static void describe_stream(struct bf_run *run, char *dst, size_t cap)
{
	struct bf_line_report r = { .latency_timer_ms = -1 };

	run->transport->ops->stream->report(run->transport, &r);
	run->rate = r.real_baud;
	snprintf(dst, cap, "%u Bd", r.real_baud);
	if (r.latency_timer_ms > 1) {
		bf_say(run, BF_EV_WARNING,
		       "the adapter's latency timer is %d ms: every answer waits that long; to "
		       "shorten it: %s",
		       r.latency_timer_ms, r.latency_command);
	}
}

const char *bf_bus_state_text(enum bf_bus_state state)
{
	static const char *const texts[] = {
		[BF_BUS_UNKNOWN] = "state unknown", [BF_BUS_ACTIVE] = "error-active",
		[BF_BUS_WARNING] = "error-warning", [BF_BUS_PASSIVE] = "error-passive",
		[BF_BUS_OFF] = "bus-off",           [BF_BUS_STOPPED] = "stopped",
	};

	return texts[state];
}

static void describe_bus(struct bf_run *run, char *dst, size_t cap)
{
	struct bf_bus_report r = { 0 };

	run->transport->ops->bus->report(run->transport, &r);
	run->rate = r.bitrate;
	run->heard_first = r.heard;
	if (r.bitrate)
		snprintf(dst, cap, "%u kbit/s, %s", r.bitrate / 1000, bf_bus_state_text(r.state));
	else
		snprintf(dst, cap, "bit rate unknown, %s", bf_bus_state_text(r.state));
	if (r.txqueuelen && r.txqueuelen <= 10 && !bf_clock_is_virtual(run->clock)) {
		bf_say(run, BF_EV_NOTICE,
		       "the transmit queue of '%s' holds %u frames; 1000 is better: ip link set %s "
		       "txqueuelen 1000",
		       run->transport->name, r.txqueuelen, run->transport->name);
	}
}

static void describe(struct bf_run *run)
{
	char detail[128] = "";

	switch (run->transport->ops->wire) {
	case BF_WIRE_STREAM:
		describe_stream(run, detail, sizeof(detail));
		break;
	case BF_WIRE_BUS:
		describe_bus(run, detail, sizeof(detail));
		break;
	case BF_WIRE_USB:
		break;
	}
	bf_emit(run, (struct bf_event){ .kind = BF_EV_INTERFACE,
					.iface = { run->transport->name, run->transport->ops->name,
						   detail } });
}

/* An option that says which pack or which setting is obeyed or refused, never dropped. Whether --node has a
 * meaning on a bus is for the protocol to say. */
static enum bf_rc check_options(const struct bf_run *run, struct bf_err *err)
{
	const struct bf_job *job = run->job;
	const struct {
		const char *name;
		bool given;
		unsigned wires; /* bits of enum bf_wire on which it has a meaning */
		const char *what;
	} rows[] = {
		{ "node", job->node >= 0, BF_WIRE_STREAM | BF_WIRE_BUS, "an address on a bus" },
		{ "baud", job->baud > 0, BF_WIRE_STREAM, "the rate of a serial line" },
		{ "alt", job->alt != NULL, BF_WIRE_USB, "an alternate setting of a USB device" },
		{ "bitrate", job->bitrate > 0, BF_WIRE_BUS, "the bit rate of a CAN bus" },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (!rows[i].given || rows[i].wires & run->transport->ops->wire)
			continue;
		bf_fail(err, BF_E_USAGE, "--%s has no meaning for '%s': it is %s.", rows[i].name,
			job->iface, rows[i].what);
		bf_next(err, "leave out --%s", rows[i].name);
		return err->rc;
	}
	return BF_OK;
}

enum bf_rc bf_ph_open(struct bf_run *run, struct bf_err *err)
{
	const struct bf_job *job = run->job;
	const struct bf_profile *p = &run->profile;
	struct bf_open_env env = {
		.clock = run->outer,
		.log = run->log,
		.line = bf_line_of_profile(p, job->baud ? job->baud : p->baud),
		.baud_asked = job->baud != 0,
		.bitrate = job->bitrate,
		.dbitrate = job->dbitrate,
		.wait = job->rescue ? bf_rescue_patience(run) : job->wait,
		.alive = bf_alive,
		.alive_ctx = run,
	};

	if (!job->iface)
		return bf_fail(err, BF_E_USAGE, "no interface was named: --if IFACE");
	if (job->rescue)
		bf_say(run, BF_EV_NOTICE, "opening '%s' before power comes on", job->iface);
	if (run->ports->open(&env, job->iface, &run->transport, err))
		return bf_while(err, "opening '%s'", job->iface);
	if (check_options(run, err))
		return err->rc;
	if (bf_source_open(p, &run->transport, &run->meter, err))
		return bf_while(err, "preparing to read the pack's conditions");
	if (job->trace &&
	    bf_trace_wrap(bf_steal(&run->transport), job->trace, &run->transport, err))
		return bf_while(err, "writing the trace '%s'", job->trace);
	run->clock = run->transport->clock;
	run->started = bf_now(run->clock);
	run->deadline = job->timeout ? bf_in(run->clock, job->timeout) : BF_NEVER;
	run->wire_first = run->transport->stats;
	describe(run);
	run->first_rate = run->rate;
	return BF_OK;
}

/* A virtual wire takes its clock with it: a hold moves over to the caller's. */
void bf_ph_close(struct bf_run *run)
{
	bool held = run->held;

	if (!run->transport) {
		run->meter = bf_source_close(run->meter); /* opening stopped half-way */
		return;
	}
	bf_summary_show(run);
	bf_run_release(run);
	if (bf_clock_is_virtual(run->clock))
		run->closed_wall = bf_wall(run->clock);
	run->transport = bf_transport_close(run->transport);
	run->meter = bf_source_close(run->meter);
	run->clock = run->outer;
	run->started = bf_now(run->clock);
	run->deadline = BF_NEVER;
	if (held)
		bf_run_hold(run);
}

static void found(void *ctx, const struct bf_candidate *c)
{
	struct bf_run *run = ctx;

	bf_emit(run, (struct bf_event){ .kind = BF_EV_CANDIDATE, .candidate = c });
	run->n_candidates++;
}

enum bf_rc bf_ph_candidates(struct bf_run *run, struct bf_err *err)
{
	for (const struct bf_driver *const *d = run->ports->drivers(); *d; d++) {
		if ((*d)->list)
			(*d)->list(found, run);
	}
	if (run->n_candidates)
		return BF_OK;
	bf_fail(err, BF_E_NODEV, "no interface was found on this computer");
	bf_likely(err, "the adapter is not plugged in, or its driver is not loaded");
	bf_next(err, "try the built-in virtual pack: bmsflash probe --if sim");
	return err->rc;
}
