/* SPDX-License-Identifier: MIT */
/* How many payload bytes a second a wire can carry: what a measured rate is compared with. */
#include "run.h"

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
