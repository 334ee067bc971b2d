/* SPDX-License-Identifier: MIT */
#include "sim/smp/smp_frame.h"

#include <string.h>

#include "bmsflash/crc.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const uint8_t mark_first[2] = { 0x06, 0x09 }, mark_more[2] = { 0x04, 0x14 };

static int digit(uint8_t c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* Strict: whole groups of four, padding at the end alone. */
static bool decode(const uint8_t *text, size_t len, struct bf_out *o)
{
	if (len % 4)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		unsigned pad = text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
		uint32_t v = 0;

		if (pad && i + 4 < len)
			return false;
		for (size_t k = 0; k < 4; k++) {
			int d = k < 4 - pad ? digit(text[i + k]) : 0;

			if (d < 0)
				return false;
			v = v << 6 | (uint32_t)d;
		}
		for (unsigned k = 0; k < 3 - pad; k++)
			bf_out_u8(o, (uint8_t)(v >> (16 - 8 * k)));
	}
	return !o->failed;
}

static size_t give_up(struct bf_smp_in *in)
{
	in->open = false;
	in->len = 0;
	return 0;
}

size_t bf_smp_line(struct bf_smp_in *in, const uint8_t *line, size_t len)
{
	bool first = len >= 2 && memcmp(line, mark_first, 2) == 0;
	struct bf_out o;
	size_t whole;

	if (!first && (len < 2 || memcmp(line, mark_more, 2) != 0 || !in->open))
		return 0;
	if (first)
		in->len = 0;
	in->open = true;
	o = bf_out(in->buf + in->len, in->limit - in->len);
	if (!decode(line + 2, len - 2, &o))
		return give_up(in);
	in->len += o.len;
	if (in->len < 2)
		return 0;
	whole = 2u + bf_get_be16(in->buf);
	if (in->len < whole)
		return 0;
	in->open = false;
	if (in->len > whole || whole < 2 + 8 + 2 ||
	    bf_crc16(BF_CRC16_XMODEM, in->buf + 2, whole - 4) != bf_get_be16(in->buf + whole - 2))
		return give_up(in);
	return whole - 4;
}

static void encode(struct bf_out *o, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < len)
			v |= p[i + 2];
		bf_out_u8(o, (uint8_t)alphabet[v >> 18]);
		bf_out_u8(o, (uint8_t)alphabet[v >> 12 & 63]);
		bf_out_u8(o, i + 1 < len ? (uint8_t)alphabet[v >> 6 & 63] : '=');
		bf_out_u8(o, i + 2 < len ? (uint8_t)alphabet[v & 63] : '=');
	}
}

void bf_smp_frames(struct bf_out *o, const uint8_t *packet, size_t len, size_t more,
		   const char *between)
{
	uint8_t body[BF_SMP_BUFFER + 4];
	struct bf_out b = bf_out(body, sizeof(body));

	bf_out_be16(&b, (uint16_t)(len + 2));
	bf_out_bytes(&b, packet, len);
	bf_out_be16(&b, bf_crc16(BF_CRC16_XMODEM, packet, len));
	for (size_t at = 0, n; at < b.len; at += n) {
		n = at ? more : BF_SMP_FRAME_RAW;
		n = b.len - at < n ? b.len - at : n;
		bf_out_bytes(o, at ? mark_more : mark_first, 2);
		encode(o, body + at, n);
		bf_out_u8(o, '\n');
		if (!at && between)
			bf_out_bytes(o, between, strlen(between));
	}
}
