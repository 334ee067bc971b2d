/* SPDX-License-Identifier: MIT */
/*
 * The two serial framings of SMP packets, pure: no clock, no I/O.
 *
 * console: lines of text. 06 09 begins a packet, 04 14 continues it; behind the marker stands base64 of at most 93
 * bytes, then a newline. What the lines carry: length (of packet and CRC, big-endian), packet, CRC-16/XMODEM of the
 * packet. Whatever else is on the line is log text.
 * raw: packets back to back. Only the eight bytes of a header tell one from noise.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"
#include "link/deframe.h"

#define BF_SMP_HEADER      8u
#define BF_SMP_LINE        127u /* longest line, marker and newline included */
#define BF_SMP_LINE_BYTES  ((BF_SMP_LINE - 3u) / 4u * 3u) /* that one carries */
#define BF_SMP_AROUND      4u                             /* length and CRC */
#define BF_SMP_FRAME_CHARS 1024u /* of a device's line; longer ones are noise */

/* Bytes on the wire of a packet of len bytes, with the newline before it that ends whatever noise is there. */
size_t bf_smp_console_size(size_t len);
/* dst: bf_smp_console_size(len) bytes. */
size_t bf_smp_console_encode(uint8_t *dst, const uint8_t *packet, size_t len);

struct bf_smp_console {
	uint8_t *buf; /* cap bytes: length, packet, CRC */
	size_t cap;
	size_t n;           /* decoded bytes so far; 0: no packet has begun */
	size_t packet_len;  /* of a whole packet, which begins at buf + 2 */
	unsigned char mark; /* 06 or 04, where that was the byte before */
	bool in_frame;
	bool ended;     /* this line's base64 was padded */
	unsigned chars; /* of this line */
	uint32_t quad;
	unsigned n_quad, n_pad;
};

enum bf_deframed bf_smp_console_put(struct bf_smp_console *rx, uint8_t byte);
/* Drops what has begun; true when that was something. */
bool bf_smp_console_drop(struct bf_smp_console *rx);

/* Of the packet that was sent last: an answer has these, with op one higher. */
struct bf_smp_expected {
	bool known;
	uint8_t op, id;
	uint16_t group;
};

struct bf_smp_raw {
	uint8_t *buf;
	size_t cap, n;
	struct bf_smp_expected expected;
	size_t packet_len;
};

/* BF_DEFRAME_DAMAGED: this byte was preceded by what cannot be an answer, which was dropped; goes on. */
enum bf_deframed bf_smp_raw_put(struct bf_smp_raw *rx, uint8_t byte);
