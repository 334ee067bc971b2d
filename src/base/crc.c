/* SPDX-License-Identifier: MIT */
#include "bmsflash/crc.h"

#include <stdbool.h>

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

uint16_t bf_crc16(enum bf_crc16_kind kind, const uint8_t *p, size_t len)
{
	static const struct {
		uint16_t poly, init, xorout;
		bool reflected;
	} rows[] = {
		[BF_CRC16_CCITT_FALSE] = { 0x1021, 0xFFFF, 0, false },
		[BF_CRC16_XMODEM] = { 0x1021, 0, 0, false },
		[BF_CRC16_X25] = { 0x8408, 0xFFFF, 0xFFFF, true },
		[BF_CRC16_MODBUS] = { 0xA001, 0xFFFF, 0, true },
		[BF_CRC16_KERMIT] = { 0x8408, 0, 0, true },
	};
	uint32_t poly = rows[kind].poly, crc = rows[kind].init;

	for (size_t i = 0; i < len; i++) {
		crc ^= rows[kind].reflected ? p[i] : (uint32_t)p[i] << 8;
		for (int bit = 0; bit < 8; bit++) {
			if (rows[kind].reflected)
				crc = crc & 1 ? crc >> 1 ^ poly : crc >> 1;
			else
				crc = (crc & 0x8000 ? crc << 1 ^ poly : crc << 1) & 0xFFFF;
		}
	}
	return (uint16_t)(crc ^ rows[kind].xorout);
}
