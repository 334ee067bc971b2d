/* SPDX-License-Identifier: MIT */
#include "link/smp_serial_codec.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"

#define FIRST_A 0x06
#define FIRST_B 0x09
#define NEXT_A  0x04
#define NEXT_B  0x14

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t bf_smp_console_size(size_t len)
{
	size_t all = len + BF_SMP_AROUND;
	size_t lines = (all + BF_SMP_LINE_BYTES - 1) / BF_SMP_LINE_BYTES;

	/* Full lines carry a multiple of three bytes; only the last one may be padded. */
	return 1 + 3 * lines + (all + 2) / 3 * 4;
}

/* ---- sending ---- */

static uint8_t *put_base64(uint8_t *dst, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (left > 2 ? (uint32_t)p[i + 2] : 0);

		*dst++ = (uint8_t)alphabet[v >> 18];
		*dst++ = (uint8_t)alphabet[v >> 12 & 63];
		*dst++ = left > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
		*dst++ = left > 2 ? (uint8_t)alphabet[v & 63] : '=';
	}
	return dst;
}

/* Bytes [at, at + n) of length, packet and CRC together. */
static void copy_part(uint8_t *dst, const uint8_t *packet, size_t len, const uint8_t head[2],
		      const uint8_t crc[2], size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++, at++) {
		if (at < 2)
			dst[i] = head[at];
		else if (at < 2 + len)
			dst[i] = packet[at - 2];
		else
			dst[i] = crc[at - 2 - len];
	}
}

size_t bf_smp_console_encode(uint8_t *dst, const uint8_t *packet, size_t len)
{
	size_t all = len + BF_SMP_AROUND;
	uint8_t head[2], crc[2], part[BF_SMP_LINE_BYTES];
	uint8_t *to = dst;

	bf_put_be16(head, (uint16_t)(len + 2));
	bf_put_be16(crc, bf_crc16(BF_CRC16_XMODEM, packet, len));
	*to++ = '\n';
	for (size_t at = 0; at < all; at += BF_SMP_LINE_BYTES) {
		size_t n = all - at < BF_SMP_LINE_BYTES ? all - at : BF_SMP_LINE_BYTES;

		copy_part(part, packet, len, head, crc, at, n);
		*to++ = at ? NEXT_A : FIRST_A;
		*to++ = at ? NEXT_B : FIRST_B;
		to = put_base64(to, part, n);
		*to++ = '\n';
	}
	return (size_t)(to - dst);
}

/* ---- receiving lines ---- */

static int value_of(uint8_t c)
{
	const char *at = c ? memchr(alphabet, c, sizeof(alphabet) - 1) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

bool bf_smp_console_drop(struct bf_smp_console *rx)
{
	bool begun = rx->n || rx->in_frame;

	rx->n = 0;
	rx->in_frame = rx->ended = false;
	rx->mark = 0;
	return begun;
}

static enum bf_deframed damaged(struct bf_smp_console *rx)
{
	bf_smp_console_drop(rx);
	return BF_DEFRAME_DAMAGED;
}

static void begin_line(struct bf_smp_console *rx)
{
	rx->in_frame = true;
	rx->ended = false;
	rx->chars = rx->n_quad = rx->n_pad = 0;
	rx->quad = 0;
}

/* A marker may stand anywhere in a line, behind log text. */
static enum bf_deframed seek_marker(struct bf_smp_console *rx, uint8_t byte)
{
	bool broken = false;

	if (rx->mark == FIRST_A && byte == FIRST_B) {
		broken = rx->n != 0;
		rx->n = 0;
		begin_line(rx);
	} else if (rx->mark == NEXT_A && byte == NEXT_B && rx->n) {
		begin_line(rx);
	}
	rx->mark = byte == FIRST_A || byte == NEXT_A ? byte : 0;
	return broken ? BF_DEFRAME_DAMAGED : BF_DEFRAME_MORE;
}

static bool put_char(struct bf_smp_console *rx, uint8_t c)
{
	int v = value_of(c);
	size_t n;

	if (c == '=' && rx->n_quad >= 2) {
		rx->n_pad++;
		v = 0;
	} else if (v < 0 || rx->n_pad || rx->ended) {
		return false;
	}
	if (++rx->chars > BF_SMP_FRAME_CHARS)
		return false;
	rx->quad = rx->quad << 6 | (uint32_t)v;
	if (++rx->n_quad < 4)
		return true;
	n = 3 - rx->n_pad;
	if (rx->n + n > rx->cap)
		return false;
	for (size_t i = 0; i < n; i++)
		rx->buf[rx->n++] = (uint8_t)(rx->quad >> (16 - 8 * i));
	rx->ended = rx->n_pad != 0;
	rx->n_quad = rx->n_pad = 0;
	rx->quad = 0;
	return true;
}

static enum bf_deframed end_line(struct bf_smp_console *rx)
{
	size_t len;

	rx->in_frame = false;
	if (rx->n_quad || rx->n < 2)
		return damaged(rx);
	len = bf_get_be16(rx->buf);
	if (len < BF_SMP_HEADER + 2 || len + 2 > rx->cap)
		return damaged(rx);
	if (rx->n < len + 2)
		return BF_DEFRAME_MORE;
	if (bf_crc16(BF_CRC16_XMODEM, rx->buf + 2, len) != 0)
		return damaged(rx);
	bf_smp_console_drop(rx);
	rx->packet_len = len - 2;
	return BF_DEFRAME_MESSAGE;
}

enum bf_deframed bf_smp_console_put(struct bf_smp_console *rx, uint8_t byte)
{
	if (!rx->in_frame)
		return seek_marker(rx, byte);
	if (byte == '\n')
		return end_line(rx);
	if (byte == '\r' || put_char(rx, byte))
		return BF_DEFRAME_MORE;
	/* Its newline was lost, and this may be the marker of the next. */
	damaged(rx);
	rx->mark = byte == FIRST_A || byte == NEXT_A ? byte : 0;
	return BF_DEFRAME_DAMAGED;
}

/* ---- receiving raw packets ---- */

static bool may_be_header(const struct bf_smp_raw *rx)
{
	static const uint8_t always[] = {
		0xE1, 0xFF
	}; /* reserved bits and the bit of an answer; flags */
	const struct bf_smp_expected *e = &rx->expected;
	const uint8_t *p = rx->buf;

	if (rx->n >= 1 && (p[0] & always[0]) != 1)
		return false;
	if (rx->n >= 1 && e->known && (p[0] & 7) != e->op + 1)
		return false;
	if (rx->n >= 2 && (p[1] & always[1]))
		return false;
	if (rx->n >= 4 && BF_SMP_HEADER + bf_get_be16(p + 2) > rx->cap)
		return false;
	if (rx->n >= 6 && e->known && bf_get_be16(p + 4) != e->group)
		return false;
	return rx->n < 8 || !e->known || p[7] == e->id;
}

enum bf_deframed bf_smp_raw_put(struct bf_smp_raw *rx, uint8_t byte)
{
	bool dropped = false;

	rx->buf[rx->n++] = byte;
	while (rx->n && !may_be_header(rx)) {
		memmove(rx->buf, rx->buf + 1, --rx->n);
		dropped = true;
	}
	if (rx->n < BF_SMP_HEADER || rx->n < BF_SMP_HEADER + bf_get_be16(rx->buf + 2))
		return dropped ? BF_DEFRAME_DAMAGED : BF_DEFRAME_MORE;
	rx->packet_len = BF_SMP_HEADER + bf_get_be16(rx->buf + 2);
	rx->n = 0;
	return BF_DEFRAME_MESSAGE;
}
