/* SPDX-License-Identifier: MIT */
/*
 * Raw binaries that carry a maker's header: what they say about themselves is inside the bytes that are signed.
 *
 * JK (Jikong) PB and B series, Cortex-M3; texts are padded with NUL:
 *	0x000 vectors   0x200 version "19.02"   0x210 date   0x230 time   0x250 model   0x260 device code
 * VanMoof S3/X3 battery, little-endian:
 *	0x00 AA55AA55   0x04 type B1 and version in BCD (patch, minor, major)   0x08 CRC-32   0x0C length of the file
 *	0x10 date (12)  0x1C time (12)   0x28 vectors
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "image/image_priv.h"

#define JK_VERSION 0x200
#define JK_DATE    0x210
#define JK_TIME    0x230
#define JK_MODEL   0x250
#define JK_DEVICE  0x260
#define JK_TEXT    16
#define JK_LEAST   0x264
#define JK_RAM     0x20000000U /* of the chip: 64 KiB at most */

#define VM_MAGIC  0xAA55AA55U
#define VM_HEADER 40
#define VM_TYPE   0xB1 /* battery; A1 motor, C1 shifter, F4 main */
#define VM_BASE   0x08005000U
#define VM_LOADER 20480 /* bytes: what the pack takes for a new bootloader */
#define VM_ROOM   0x15800

/* A text of at most `cap` bytes with nothing but NUL behind it. */
static bool get_text(const uint8_t *p, size_t cap, char *dst)
{
	size_t n = 0;

	while (n < cap && p[n] >= 0x20 && p[n] < 0x7F)
		n++;
	memcpy(dst, p, n);
	dst[n] = '\0';
	for (size_t i = n; i < cap; i++) {
		if (p[i])
			return false;
	}
	return n > 0;
}

/* "15.41": one or two digits, a dot, one or two digits. "19.02" is 19.2. */
static bool two_parts(const char *text, struct bf_version *ret)
{
	unsigned major, minor;
	char rest;

	if (!isdigit((unsigned char)text[0]) ||
	    sscanf(text, "%2u.%2u%c", &major, &minor, &rest) != 2)
		return false;
	*ret = (struct bf_version){ .major = (uint8_t)major, .minor = (uint8_t)minor };
	return true;
}

static bool jk_vectors(const uint8_t *p)
{
	uint32_t stack = bf_get_le32(p), reset = bf_get_le32(p + 4);

	return (stack & 0xFFFF0000U) == JK_RAM && (reset & 1) && reset >> 24 == 0x08;
}

bool bf_jk_is(const uint8_t *p, size_t len)
{
	char version[JK_TEXT + 1], model[JK_TEXT + 1];
	struct bf_version v;

	return len >= JK_LEAST && jk_vectors(p) && get_text(p + JK_VERSION, JK_TEXT, version) &&
	       two_parts(version, &v) && get_text(p + JK_MODEL, JK_TEXT, model) &&
	       strncmp(model, "JK", 2) == 0;
}

void bf_jk_describe(const uint8_t *p, struct bf_meta *ret)
{
	char version[JK_TEXT + 1], date[JK_TEXT + 1], at[JK_TEXT + 1];
	uint32_t device = bf_get_le32(p + JK_DEVICE);

	ret->has_version =
		get_text(p + JK_VERSION, JK_TEXT, version) && two_parts(version, &ret->version);
	ret->has_hw = get_text(p + JK_MODEL, JK_TEXT, ret->hw);
	ret->major_is_hardware = true;
	ret->wants_newer = true;
	if (!get_text(p + JK_DATE, JK_TEXT, date))
		snprintf(date, sizeof(date), "date unknown");
	if (!get_text(p + JK_TIME, JK_TEXT, at))
		at[0] = '\0';
	snprintf(ret->note, sizeof(ret->note), "JK firmware %s for %s, built %s%s%s", version,
		 ret->hw, date, at[0] ? " " : "", at);
	if (device != UINT32_MAX) {
		size_t n = strlen(ret->note);

		snprintf(ret->note + n, sizeof(ret->note) - n, ", device code 0x%08x", device);
	}
}

/* The CRC unit of the chip: words, most significant bit first, no reflection and no final XOR. */
static uint32_t crc_words(uint32_t crc, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 4 <= len; i += 4) {
		crc ^= bf_get_le32(p + i);
		for (int b = 0; b < 32; b++)
			crc = crc & 0x80000000U ? crc << 1 ^ 0x04C11DB7U : crc << 1;
	}
	return crc;
}

static uint32_t vanmoof_crc(const uint8_t *p, size_t len)
{
	uint8_t head[VM_HEADER];

	memcpy(head, p, sizeof(head));
	memset(head + 8, 0xFF, 8); /* CRC and length */
	return crc_words(crc_words(UINT32_MAX, head, sizeof(head)), p + VM_HEADER, len - VM_HEADER);
}

bool bf_vanmoof_is(const uint8_t *p, size_t len)
{
	return len >= VM_HEADER && bf_get_le32(p) == VM_MAGIC;
}

static bool from_bcd(uint8_t bcd, uint8_t *ret)
{
	*ret = (uint8_t)(10 * (bcd >> 4) + (bcd & 15));
	return bcd >> 4 <= 9 && (bcd & 15) <= 9;
}

static enum bf_rc vanmoof_whole(const uint8_t *p, size_t len, const char *name, struct bf_err *err)
{
	uint32_t told = bf_get_le32(p + 12);

	if (told != len)
		return bf_fail(err, BF_E_IMAGE, "'%s' has %zu bytes, its VanMoof header says %u",
			       name, len, told);
	if (len % 4)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' has %zu bytes: a VanMoof image is made of words of 4 bytes",
			       name, len);
	if (vanmoof_crc(p, len) != bf_get_le32(p + 8))
		return bf_fail(err, BF_E_IMAGE, "'%s': checksum %08x, its VanMoof header says %08x",
			       name, vanmoof_crc(p, len), bf_get_le32(p + 8));
	return BF_OK;
}

enum bf_rc bf_vanmoof_parse(const uint8_t *p, size_t len, const char *name, struct bf_meta *ret,
			    struct bf_err *err)
{
	uint8_t patch, minor, major;
	char date[13], at[13];

	if (p[4] != VM_TYPE)
		return bf_fail(
			err, BF_E_IMAGE,
			"'%s' is a VanMoof image of type %02X; that of a battery is of type %02X",
			name, p[4], VM_TYPE);
	if (vanmoof_whole(p, len, name, err))
		return err->rc;
	if (len == VM_LOADER || len > VM_ROOM)
		return bf_fail(err, BF_E_IMAGE,
			       len == VM_LOADER
				       ? "'%s' has %zu bytes: the pack takes that size for a "
					 "bootloader and would write over its own (room for %d)"
				       : "'%s' has %zu bytes, the pack's room for firmware is %d",
			       name, len, VM_ROOM);
	ret->has_version =
		from_bcd(p[5], &patch) && from_bcd(p[6], &minor) && from_bcd(p[7], &major);
	/* The pack tells major and minor alone: the last number is as a build number to it. */
	if (ret->has_version)
		ret->version =
			(struct bf_version){ .major = major, .minor = minor, .build = patch };
	snprintf(ret->hw, sizeof(ret->hw), "%s", BF_VANMOOF_MODEL);
	ret->has_hw = true;
	if (get_text(p + 16, 12, date) && get_text(p + 28, 12, at))
		snprintf(ret->note, sizeof(ret->note),
			 "VanMoof battery firmware %x.%02x.%x, built %s %s", p[7], p[6], p[5], date,
			 at);
	return BF_OK;
}

uint32_t bf_vanmoof_base(void)
{
	return VM_BASE;
}

static const char *next_letter(const char *p)
{
	while (*p == '-' || *p == '_')
		p++;
	return p;
}

bool bf_hw_same(const char *a, const char *b)
{
	a = next_letter(a);
	b = next_letter(b);
	while (*a && *a == *b) {
		a = next_letter(a + 1);
		b = next_letter(b + 1);
	}
	return *a == *b;
}
