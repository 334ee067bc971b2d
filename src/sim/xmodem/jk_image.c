/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "bmsflash/rng.h"
#include "sim/xmodem/unit.h"

#define AT_VERSION 0x200u
#define AT_DATE    0x210u
#define AT_TIME    0x230u
#define AT_MODEL   0x250u
#define AT_DEVICE  0x260u
#define AT_MODEL2  0x280u
#define AT_MODEL3  0x2A8u
#define AT_STAMP   0x2C0u /* "BMSFDEMO", length, CRC-32 over everything with the CRC as FF */
#define STAMP      "BMSFDEMO"
#define STAMP_LEN  16u

static void put_text(uint8_t *dst, const char *text)
{
	char field[17] = { 0 };

	snprintf(field, sizeof(field), "%s", text);
	memcpy(dst, field, 16);
}

static uint32_t crc_of(const uint8_t *p, size_t len)
{
	static const uint8_t hidden[4] = { 0xFF, 0xFF, 0xFF, 0xFF };
	uint32_t crc = bf_crc_start(&bf_crc32_ieee);

	crc = bf_crc_feed(&bf_crc32_ieee, crc, p, AT_STAMP + 12);
	crc = bf_crc_feed(&bf_crc32_ieee, crc, hidden, sizeof(hidden));
	crc = bf_crc_feed(&bf_crc32_ieee, crc, p + AT_STAMP + STAMP_LEN,
			  len - AT_STAMP - STAMP_LEN);
	return bf_crc_end(&bf_crc32_ieee, crc);
}

void bf_jk_image(const char *version, const char *model, uint8_t *dst, uint32_t len)
{
	struct bf_rng rng = { bf_crc(&bf_crc32_ieee, version, strlen(version)) };

	for (size_t i = 0; i < len; i++)
		dst[i] = (uint8_t)bf_rng_next(&rng);
	memset(dst + AT_VERSION, 0xFF, AT_STAMP + STAMP_LEN - AT_VERSION);
	bf_put_le32(dst, 0x20005000);     /* stack */
	bf_put_le32(dst + 4, 0x08002401); /* reset */
	put_text(dst + AT_VERSION, version);
	put_text(dst + AT_DATE, "20260701");
	put_text(dst + AT_TIME, "120000");
	put_text(dst + AT_MODEL, model);
	put_text(dst + AT_MODEL2, model);
	put_text(dst + AT_MODEL3, model);
	memcpy(dst + AT_STAMP, STAMP, 8);
	bf_put_le32(dst + AT_STAMP + 8, len);
	bf_put_le32(dst + AT_STAMP + 12, crc_of(dst, len));
}

bool bf_jk_image_whole(const uint8_t *p, size_t len, bool *ret_known)
{
	uint32_t own;

	*ret_known = len >= AT_STAMP + STAMP_LEN && memcmp(p + AT_STAMP, STAMP, 8) == 0;
	if (!*ret_known)
		return true;
	own = bf_get_le32(p + AT_STAMP + 8);
	return own >= AT_STAMP + STAMP_LEN && own <= len &&
	       crc_of(p, own) == bf_get_le32(p + AT_STAMP + 12);
}
