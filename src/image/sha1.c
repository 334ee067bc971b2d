/* SPDX-License-Identifier: MIT */
/* SHA-1 (FIPS 180-4, section 6.1), for the names that RFC 4122 makes with it. Not for trust. */
#include <string.h>

#include "bmsflash/bytes.h"
#include "image/image_priv.h"

#define SHA1_BLOCK 64

static uint32_t rotl(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
	if (round < 20)
		return (b & c) | (~b & d);
	if (round >= 40 && round < 60)
		return (b & c) | (b & d) | (c & d);
	return b ^ c ^ d;
}

static void block(uint32_t h[5], const uint8_t *p)
{
	static const uint32_t k[4] = { 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6 };
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (unsigned i = 0; i < 16; i++)
		w[i] = bf_get_be32(p + 4 * (size_t)i);
	for (unsigned i = 16; i < 80; i++)
		w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t t = rotl(a, 5) + mix(i, b, c, d) + e + k[i / 20] + w[i];

		e = d;
		d = c;
		c = rotl(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void bf_sha1(uint8_t out[BF_SHA1_LEN], const void *p, size_t len)
{
	uint32_t h[5] = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 };
	const uint8_t *at = p;
	uint8_t tail[2 * SHA1_BLOCK] = { 0 };
	size_t left = len, tail_len;

	for (; left >= SHA1_BLOCK; left -= SHA1_BLOCK, at += SHA1_BLOCK)
		block(h, at);
	if (left)
		memcpy(tail, at, left);
	tail[left] = 0x80;
	tail_len = left + 9 > SHA1_BLOCK ? sizeof(tail) : SHA1_BLOCK;
	bf_put_be32(tail + tail_len - 8, (uint32_t)((uint64_t)len >> 29));
	bf_put_be32(tail + tail_len - 4, (uint32_t)(len << 3));
	for (size_t i = 0; i < tail_len; i += SHA1_BLOCK)
		block(h, tail + i);
	for (size_t i = 0; i < BF_COUNT(h); i++)
		bf_put_be32(out + 4 * i, h[i]);
}
