/* SPDX-License-Identifier: MIT */
/* How long a frame occupies a CAN bus. */
#pragma once

#include "bmsflash/transport.h"

/* Bits of a classic frame with its stuff bits, from SOF to the end of the intermission. */
unsigned bf_can_bits(const struct bf_frame *f);
/* Bits of an FD frame at the nominal rate and, from ESI to the checksum, at the data rate. */
unsigned bf_can_fd_bits(const struct bf_frame *f, unsigned *ret_data);
/* Microseconds, rounded up; a frame without FD ignores drate. */
bf_time bf_can_time(const struct bf_frame *f, uint32_t rate, uint32_t drate);
