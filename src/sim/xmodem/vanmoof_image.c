/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/rng.h"
#include "sim/xmodem/unit.h"

/*
 * 00 u32 magic AA55AA55   04 type B1 (battery), patch, minor, major in BCD   08 u32 CRC-32   0c u32 length, header and all
 * 10 date, 12 bytes       1c time, 12 bytes       28 vectors                              (LE)
 */
#define MAGIC  0xAA55AA55u
#define TYPE   0xB1u
#define HEADER 40u

/* As the controller's own unit: by words, the highest bit first. */
static uint32_t feed(uint32_t crc, uint32_t word)
{
	crc ^= word;
	for (int i = 0; i < 32; i++)
		crc = crc & 0x80000000u ? crc << 1 ^ 0x04C11DB7u : crc << 1;
	return crc;
}

static uint32_t crc_of(const uint8_t *p, uint32_t len)
{
	uint32_t crc = 0xFFFFFFFFu;

	for (uint32_t at = 0; at + 4 <= len; at += 4)
		crc = feed(crc, at == 8 || at == 12 ? 0xFFFFFFFFu : bf_get_le32(p + at));
	return crc;
}

static uint32_t bcd(unsigned n)
{
	return n / 10 << 4 | n % 10;
}

uint32_t bf_vanmoof_version(const char *text)
{
	unsigned major = 0, minor = 0, patch = 0;

	sscanf(text, "%2u.%2u.%2u", &major, &minor, &patch);
	return bcd(major) << 24 | bcd(minor) << 16 | bcd(patch) << 8 | TYPE;
}

void bf_vanmoof_image(const char *version, uint8_t *dst, uint32_t len)
{
	struct bf_rng rng = { 0x147u + bf_vanmoof_version(version) };

	for (size_t i = 0; i < len; i++)
		dst[i] = (uint8_t)bf_rng_next(&rng);
	bf_put_le32(dst, MAGIC);
	bf_put_le32(dst + 4, bf_vanmoof_version(version));
	bf_put_le32(dst + 12, len);
	memcpy(dst + 16, "2026-07-01\0\0", 12);
	memcpy(dst + 28, "12:00:00\0\0\0\0", 12);
	bf_put_le32(dst + HEADER, 0x20005000);
	bf_put_le32(dst + HEADER + 4, 0x08005101);
	bf_put_le32(dst + 8, crc_of(dst, len));
}

enum bf_vanmoof_check bf_vanmoof_check(const uint8_t *p, size_t max)
{
	uint32_t len = bf_get_le32(p + 12);

	if (bf_get_le32(p) != MAGIC || len < HEADER || len > max)
		return BF_VANMOOF_NONE;
	return crc_of(p, len) == bf_get_le32(p + 8) ? BF_VANMOOF_GOOD : BF_VANMOOF_BAD;
}
