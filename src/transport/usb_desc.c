/* SPDX-License-Identifier: MIT */
/*
 * USB descriptors, walked by their length bytes.
 *
 *	configuration  09 02 wTotalLength(2) bNumInterfaces bConfigurationValue ...
 *	interface      09 04 bInterfaceNumber bAlternateSetting bNumEndpoints class subclass protocol
 *	string         bLength 03 UTF-16LE...
 */
#include "usb_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/text.h"

#define DEVICE_SIZE    18
#define CONFIG_SIZE    9
#define INTERFACE_SIZE 9
#define TYPE_CONFIG    2
#define TYPE_STRING    3
#define TYPE_INTERFACE 4

/* USB DFU 1.1: application specific class, and in it DFU */
#define CLASS_APPLICATION 0xFE
#define SUBCLASS_DFU      0x01
#define PROTOCOL_DFU_MODE 0x02

enum bf_usb_dfu bf_usb_dfu_of(const uint8_t *config, size_t len)
{
	enum bf_usb_dfu found = BF_USB_NO_DFU;

	for (size_t at = 0; at + 2 <= len; at += config[at]) {
		const uint8_t *d = config + at;

		if (d[0] < 2 || d[0] > len - at)
			break;
		if (d[1] != TYPE_INTERFACE || d[0] < INTERFACE_SIZE || d[5] != CLASS_APPLICATION ||
		    d[6] != SUBCLASS_DFU)
			continue;
		if (d[7] == PROTOCOL_DFU_MODE)
			return BF_USB_DFU_MODE;
		found = BF_USB_DFU_RUNTIME;
	}
	return found;
}

const uint8_t *bf_usb_find_config(const uint8_t *all, size_t len, uint8_t value, size_t *ret_len)
{
	size_t at = DEVICE_SIZE;

	while (at + CONFIG_SIZE <= len) {
		const uint8_t *d = all + at;
		size_t total = bf_get_le16(d + 2);

		if (d[1] != TYPE_CONFIG || total < CONFIG_SIZE || total > len - at)
			return NULL;
		if (d[5] == value) {
			*ret_len = total;
			return d;
		}
		at += total;
	}
	return NULL;
}

static size_t put_utf8(uint8_t *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xC0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (uint8_t)(0xE0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
		p[2] = (uint8_t)(0x80 | (c & 0x3F));
		return 3;
	}
	p[0] = (uint8_t)(0xF0 | c >> 18);
	p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
	p[3] = (uint8_t)(0x80 | (c & 0x3F));
	return 4;
}

/* The next character; a lone half of a pair becomes U+FFFD. */
static uint32_t next_character(struct bf_cur *c)
{
	uint32_t high = bf_cur_le16(c);
	struct bf_cur ahead = *c;
	uint32_t low;

	if (high < 0xD800 || high > 0xDFFF)
		return high;
	low = bf_cur_left(&ahead) >= 2 ? bf_cur_le16(&ahead) : 0;
	if (high > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
		return 0xFFFD;
	*c = ahead;
	return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

bool bf_usb_utf8(const uint8_t *descriptor, size_t len, char *dst, size_t cap)
{
	uint8_t one[4];
	struct bf_cur c;
	size_t n = 0;

	if (!cap || len < 2 || descriptor[0] < 2 || descriptor[1] != TYPE_STRING)
		return false;
	/* Some loaders announce more than they send (the ROM of the STM32F427): what came counts. */
	c = bf_cur(descriptor + 2, (descriptor[0] < len ? descriptor[0] : len) - 2);
	while (bf_cur_left(&c) >= 2) {
		size_t step = put_utf8(one, next_character(&c));

		/* The text goes to terminals. */
		if (!bf_text_shown((const char *)one, step))
			step = put_utf8(one, 0xFFFD);
		if (n + step >= cap)
			break;
		memcpy(dst + n, one, step);
		n += step;
	}
	dst[n] = '\0';
	return true;
}
