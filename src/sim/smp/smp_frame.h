/* SPDX-License-Identifier: MIT */
/*
 * SMP on a console: a packet with its length before it and a CRC-16 behind it, in base64, on lines that begin with
 * 06 09 (the first) or 04 14. Nothing that is damaged is answered.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/bytes.h"

#define BF_SMP_LINE         126u /* longest line, its newline not counted */
#define BF_SMP_BUFFER       8192u
#define BF_SMP_FRAME_RAW    93u /* bytes that fill a line */
#define BF_SMP_FRAME_ZEPHYR 90u /* bytes of the second and later lines of its firmware */

struct bf_smp_in {
	uint8_t buf[BF_SMP_BUFFER + 4]; /* length, packet, CRC */
	size_t len, limit;
	bool open; /* a first line was heard */
};

/* A line without its newline. Returns the length of the packet that is complete with it, at in->buf + 2, or 0. */
size_t bf_smp_line(struct bf_smp_in *in, const uint8_t *line, size_t len);

/* Lines for a packet. more: bytes of each line but the first; between: text that goes out behind the first, or NULL. */
void bf_smp_frames(struct bf_out *o, const uint8_t *packet, size_t len, size_t more,
		   const char *between);
