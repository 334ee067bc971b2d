/* SPDX-License-Identifier: MIT */
/* Bytes one at a time from a stream that gives them in chunks, with the time of the last one. */
#pragma once

#include "bmsflash/link.h"

/*
 * Adapters hold received bytes back (FTDI: 16 ms unless told otherwise) and give them in chunks, so that
 * a gap inside a message is only one when it is longer than that.
 */
#define BF_STREAM_ADAPTER_GAP BF_MS(50)
/* A message that has begun may outlast its deadline by this much: 4 KiB at 9600 baud, and noise. */
#define BF_STREAM_LONGEST BF_SEC(6)

struct bf_stream_in {
	uint8_t buf[512];
	size_t at, n;
	bf_time last; /* when bytes last came */
};

/* One byte, from the buffer or the wire. */
enum bf_rc bf_stream_in_byte(struct bf_stream_in *in, struct bf_transport *t, uint8_t *ret,
			     bf_time deadline, struct bf_err *err);
/* Drops what is buffered here and in the transport. */
void bf_stream_in_discard(struct bf_stream_in *in, struct bf_transport *t);
/* Time of so many bytes on the line. */
bf_time bf_stream_duration(struct bf_link *l, size_t bytes);
/* The failure of a deadline that came without a message: silence, or nothing but damage. */
enum bf_rc bf_stream_no_message(const struct bf_link *l, unsigned node, uint64_t damaged,
				struct bf_err *err);
