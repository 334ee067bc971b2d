/* SPDX-License-Identifier: MIT */
#include "bmsflash/crc.h"

const struct bf_crc bf_crc32_ieee = { 0xEDB88320u, 0xFFFFFFFFu, 0xFFFFFFFFu };
const struct bf_crc bf_crc32_dfu = { 0xEDB88320u, 0xFFFFFFFFu, 0 };
const struct bf_crc bf_crc16_modbus = { 0xA001u, 0xFFFFu, 0 };

uint32_t bf_crc_start(const struct bf_crc *crc)
{
	return crc->init;
}

uint32_t bf_crc_feed(const struct bf_crc *crc, uint32_t state, const void *bytes, size_t len)
{
	/* A nibble table built on the stack: small, and no state outlives the call. */
	uint32_t table[16];
	const uint8_t *p = bytes;

	for (uint32_t i = 0; i < 16; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 4; bit++)
			v = v & 1 ? v >> 1 ^ crc->poly : v >> 1;
		table[i] = v;
	}
	for (size_t i = 0; i < len; i++) {
		state ^= p[i];
		state = state >> 4 ^ table[state & 15];
		state = state >> 4 ^ table[state & 15];
	}
	return state;
}

uint32_t bf_crc_end(const struct bf_crc *crc, uint32_t state)
{
	return state ^ crc->xorout;
}

uint32_t bf_crc(const struct bf_crc *crc, const void *p, size_t len)
{
	return bf_crc_end(crc, bf_crc_feed(crc, bf_crc_start(crc), p, len));
}
