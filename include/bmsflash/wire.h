/* SPDX-License-Identifier: MIT */
/*
 * An open wire of whatever kind, as its user sees it: what it is called, how fast it is, what its own figures
 * say about a failure. What is known about serial lines, CAN buses, USB and their adapters is told here, so that
 * the engine need not know any of them.
 */
#pragma once

#include "bmsflash/transport.h"

struct bf_wire_view {
	uint32_t rate;    /* bit/s as the driver made it; 0: unknown, or it has none */
	char detail[128]; /* rate and state for a person; may be empty */
	char notice
		[320]; /* what slows this computer's side, with the command against it; empty: nothing */
	bool notice_warns;    /* it costs time with every answer */
	uint64_t heard;       /* frames of anybody since the interface was opened; 0: unknown */
	bf_time answer_delay; /* by which the adapter holds back each answer; 0: not */
	bool stream, echo;    /* a serial line; our own bytes come back */
	int latency_timer_ms; /* of the adapter; -1: none */
	const char *state;    /* "error-active"; NULL: this kind of wire has none */
	unsigned tx_errors, rx_errors;
};

void bf_wire_look(struct bf_transport *t, struct bf_wire_view *ret);

/* "error-active" */
const char *bf_bus_state_text(enum bf_bus_state state);
/* "a serial line", "a CAN bus", "a USB device" */
const char *bf_wire_kind_text(enum bf_wire wire);
/* The option that sets its rate, without dashes; NULL: none does. */
const char *bf_wire_rate_option(enum bf_wire wire);
/* Does an option that says which pack or which setting ("node", "baud", "bitrate", "alt") mean anything there?
 * What it would mean elsewhere in *ret_what. Options of any other name mean something everywhere. */
bool bf_wire_takes_option(enum bf_wire wire, const char *option, const char **ret_what);

/* Payload bytes a second at most at `rate` bit/s (0: the present rate); 0: unknown. */
double bf_wire_limit(struct bf_transport *t, uint32_t rate);
/* Received since it was opened: bytes of a stream, else frames. */
uint64_t bf_wire_received(const struct bf_transport *t);

/* Likely causes of a failure, from the counters since `first`. */
void bf_wire_likely(struct bf_transport *t, const struct bf_wire_stats *first, struct bf_err *err);

struct bf_wire_silence {
	uint32_t baud_given; /* the one rate that was tried, 0: any */
	bool others_talk;    /* other nodes were heard */
	bool direction_auto; /* nobody said how the RS485 direction is switched */
};
/* Likely causes of nobody answering at all. */
void bf_wire_likely_silence(const struct bf_transport *t, const struct bf_wire_silence *s,
			    struct bf_err *err);

struct bf_wire_remark {
	bool warning;
	char text[256];
};
/* What test messages and counters say about the line: `mean` of an answer, `poor` when some were lost.
 * Returns how many of the two are filled in. */
size_t bf_wire_remarks(struct bf_transport *t, bf_time mean, bool poor,
		       struct bf_wire_remark ret[2]);

/* Settings at which serial packs are found when nobody knows better, the commonest first. Sets rate (unless it is
 * given), parity and stop bits of row i; false: there are no more, or this wire has no settings. */
bool bf_wire_usual_setting(const struct bf_transport *t, size_t i, bool rate_given,
			   struct bf_line *line);
/* Asks the wire to take such settings. BF_E_UNSUPPORTED where there are none. */
enum bf_rc bf_wire_set_line(struct bf_transport *t, const struct bf_line *line, struct bf_err *err);

/* Frames of other nodes: takes the filters away and listens until one comes. False on a wire without other nodes, and at the deadline. */
bool bf_wire_overhears(struct bf_transport *t, bf_time deadline, struct bf_frame *ret);
/* Frames since `first` and `heard_first` that were not for us; 0 on a wire without other nodes. */
uint64_t bf_wire_of_others(struct bf_transport *t, const struct bf_wire_stats *first,
			   uint64_t heard_first);
