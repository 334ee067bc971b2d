/* SPDX-License-Identifier: MIT */
/* SHA-1 (RFC 3174) lives here because version 5 UUIDs want it and nothing else may use it. */
#include "sim/uuid.h"

#include <string.h>

#include "bmsflash/bytes.h"

#define BLOCK        64u
#define NAME_MAX_LEN 128u

static uint32_t rotl(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
	switch (round) {
	case 0:
		return ((b & c) | (~b & d)) + 0x5A827999u;
	case 1:
		return (b ^ c ^ d) + 0x6ED9EBA1u;
	case 2:
		return ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDCu;
	}
	return (b ^ c ^ d) + 0xCA62C1D6u;
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80];
	uint32_t v[5];

	for (unsigned i = 0; i < 16; i++)
		w[i] = bf_get_be32(p + (size_t)4 * i);
	for (unsigned i = 16; i < 80; i++)
		w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	memcpy(v, h, sizeof(v));
	for (unsigned i = 0; i < 80; i++) {
		uint32_t t = rotl(v[0], 5) + mix(i / 20, v[1], v[2], v[3]) + v[4] + w[i];

		v[4] = v[3];
		v[3] = v[2];
		v[2] = rotl(v[1], 30);
		v[1] = v[0];
		v[0] = t;
	}
	for (unsigned i = 0; i < 5; i++)
		h[i] += v[i];
}

void bf_uuid_in(uint8_t ret[16], const uint8_t space[16], const char *name)
{
	uint32_t h[5] = { 0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u };
	uint8_t msg[16 + NAME_MAX_LEN + BLOCK] = { 0 };
	size_t len = strnlen(name, NAME_MAX_LEN);
	size_t whole = (16 + len + 9 + BLOCK - 1) / BLOCK * BLOCK;

	memcpy(msg, space, 16);
	memcpy(msg + 16, name, len);
	msg[16 + len] = 0x80;
	bf_put_be32(msg + whole - 4, (uint32_t)(16 + len) * 8);
	for (size_t i = 0; i < whole; i += BLOCK)
		sha1_block(h, msg + i);
	for (size_t i = 0; i < 4; i++)
		bf_put_be32(ret + 4 * i, h[i]);
	ret[6] = (uint8_t)((ret[6] & 0x0F) | 0x50);
	ret[8] = (uint8_t)((ret[8] & 0x3F) | 0x80);
}

void bf_uuid_dns(uint8_t ret[16], const char *name)
{
	static const uint8_t dns[16] = { 0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
					 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };

	bf_uuid_in(ret, dns, name);
}
