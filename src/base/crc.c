/* SPDX-License-Identifier: MIT */
#include "bmsflash/crc.h"

const struct bf_crc bf_crc32_ieee = { 32, true, 0xEDB88320u, 0xFFFFFFFFu, 0xFFFFFFFFu };
const struct bf_crc bf_crc32_dfu = { 32, true, 0xEDB88320u, 0xFFFFFFFFu, 0 };
const struct bf_crc bf_crc16_xmodem = { 16, false, 0x1021u, 0, 0 };
const struct bf_crc bf_crc16_modbus = { 16, true, 0xA001u, 0xFFFFu, 0 };

uint32_t bf_crc_start(const struct bf_crc *crc)
{
	return crc->init;
}

static uint32_t feed_reflected(uint32_t poly, uint32_t state, const uint8_t *p, size_t len)
{
	/* A nibble table built on the stack: small, and no state outlives the call. */
	uint32_t table[16];

	for (uint32_t i = 0; i < 16; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 4; bit++)
			v = v & 1 ? v >> 1 ^ poly : v >> 1;
		table[i] = v;
	}
	for (size_t i = 0; i < len; i++) {
		state ^= p[i];
		state = state >> 4 ^ table[state & 15];
		state = state >> 4 ^ table[state & 15];
	}
	return state;
}

static uint32_t feed_forward16(uint32_t poly, uint32_t state, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		state ^= (uint32_t)p[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			state = state & 0x8000u ? state << 1 ^ poly : state << 1;
		state &= 0xFFFFu;
	}
	return state;
}

uint32_t bf_crc_feed(const struct bf_crc *crc, uint32_t state, const void *p, size_t len)
{
	if (crc->reflected)
		return feed_reflected(crc->poly, state, p, len);
	return feed_forward16(crc->poly, state, p, len);
}

uint32_t bf_crc_end(const struct bf_crc *crc, uint32_t state)
{
	return state ^ crc->xorout;
}

uint32_t bf_crc(const struct bf_crc *crc, const void *p, size_t len)
{
	return bf_crc_end(crc, bf_crc_feed(crc, bf_crc_start(crc), p, len));
}
