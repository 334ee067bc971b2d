/* SPDX-License-Identifier: MIT */
/* How long a CAN frame takes on the bus, to the bit. */
#pragma once

#include "bmsflash/transport.h"

struct bf_can_length {
	unsigned nominal, data; /* bits at the arbitration rate; FD: at the data rate */
};

/* From SOF to the end of the intermission, with its stuff bits (ISO 11898-1). */
struct bf_can_length bf_can_length_of(const struct bf_frame *f);
/* Microseconds, rounded up; 0 where the bit rate is not known. A data rate of 0 is the bit rate. */
bf_time bf_can_frame_time(const struct bf_frame *f, uint32_t bitrate, uint32_t dbitrate);
