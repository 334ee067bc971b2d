/* SPDX-License-Identifier: MIT */
/* Standard requests and descriptors (USB 2.0, 9.4 to 9.6; DFU 1.1, section 4). */
#include "sim/dfu/dfu_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"

enum { /* bRequest */
       GET_STATUS = 0,
       CLEAR_FEATURE = 1,
       SET_FEATURE = 3,
       SET_ADDRESS = 5,
       GET_DESCRIPTOR = 6,
       GET_CONFIGURATION = 8,
       SET_CONFIGURATION = 9,
       GET_INTERFACE = 10,
       SET_INTERFACE = 11,
};

enum { DESC_DEVICE = 1, DESC_CONFIG = 2, DESC_STRING = 3, DESC_INTERFACE = 4, DESC_DFU = 0x21 };

#define DESC_MAX     255
#define CLASS_APP    0xfe
#define SUBCLASS_FU  0x01
#define CLASS_VENDOR 0xff
#define LANG_EN_US   0x0409

static unsigned digit(unsigned v)
{
	return v > 9 ? 9 : v;
}

/* bcdDevice of running firmware: 1.5.0 is 0150, two digits for the major number. */
static uint16_t version_bcd(const struct bf_dfu_device *dev)
{
	unsigned v[3];

	bf_dfu_running_version(dev, v);
	if (v[0] > 99)
		v[0] = 99;
	return (uint16_t)(v[0] / 10 << 12 | v[0] % 10 << 8 | digit(v[1]) << 4 | digit(v[2]));
}

bool bf_dfu_device_talks(const struct bf_dfu_device *dev)
{
	return dev->dfu_mode || !(dev->habits & BF_HABIT_NORUNTIME);
}

static const struct dfu_face *face_of(const struct bf_dfu_device *dev)
{
	return dev->dfu_mode ? &dev->m.loader : &dev->m.run;
}

static void device_descriptor(const struct bf_dfu_device *dev, struct bf_out *out)
{
	const struct dfu_face *face = face_of(dev);
	bool plain = dev->habits & BF_HABIT_NOPRODUCT, hidden = dev->habits & BF_HABIT_NOSERIAL;

	bf_out_u8(out, 18);
	bf_out_u8(out, DESC_DEVICE);
	bf_out_le16(out, 0x0200);           /* bcdUSB */
	bf_out_bytes(out, "\0\0\0\x40", 4); /* class by interface; 64 bytes at endpoint 0 */
	bf_out_le16(out, face->vid);
	bf_out_le16(out, face->pid);
	bf_out_le16(out, face->release ? face->release : version_bcd(dev));
	bf_out_u8(out, DFU_STR_MANUFACTURER);
	bf_out_u8(out, plain ? 0 : DFU_STR_PRODUCT);
	bf_out_u8(out, hidden ? 0 : DFU_STR_SERIAL);
	bf_out_u8(out, 1); /* configurations */
}

static void interface_descriptor(const struct bf_dfu_device *dev, unsigned alt, struct bf_out *out)
{
	bf_out_u8(out, 9);
	bf_out_u8(out, DESC_INTERFACE);
	bf_out_u8(out, 0); /* number */
	bf_out_u8(out, (uint8_t)alt);
	bf_out_u8(out, 0); /* endpoints beside 0 */
	bf_out_u8(out, bf_dfu_device_talks(dev) ? CLASS_APP : CLASS_VENDOR);
	bf_out_u8(out, bf_dfu_device_talks(dev) ? SUBCLASS_FU : 0);
	if (!bf_dfu_device_talks(dev) || (dev->dfu_mode && dev->habits & BF_HABIT_PROTOCOL0))
		bf_out_u8(out, 0);
	else
		bf_out_u8(out, dev->dfu_mode ? 2 : 1);
	bf_out_u8(out, (uint8_t)(dev->dfu_mode ? DFU_STR_ALT + alt : DFU_STR_RUNTIME));
}

static void functional_descriptor(const struct bf_dfu_device *dev, struct bf_out *out)
{
	const struct dfu_face *face = face_of(dev);
	bool brief = dev->dfu_mode && dev->habits & BF_HABIT_SHORTDESC;
	uint8_t attributes = face->attributes;

	if (bf_pack_opts(dev->pack)->quirks & BF_QUIRK_NOREAD)
		attributes &= (uint8_t)~DFU_CAN_UPLOAD;
	bf_out_u8(out, brief ? 7 : 9);
	bf_out_u8(out, DESC_DFU);
	bf_out_u8(out, attributes);
	bf_out_le16(out, face->detach_ms);
	bf_out_le16(out, face->transfer_size);
	if (!brief) /* DFU 1.0 has no version there */
		bf_out_le16(out, face->bcd_dfu);
}

static void config_descriptor(const struct bf_dfu_device *dev, struct bf_out *out)
{
	uint8_t rest[DESC_MAX];
	struct bf_out tail = bf_out(rest, sizeof(rest));

	for (unsigned alt = 0; alt < (dev->dfu_mode ? dev->m.n_alts : 1); alt++)
		interface_descriptor(dev, alt, &tail);
	if (bf_dfu_device_talks(dev))
		functional_descriptor(dev, &tail);
	bf_out_u8(out, 9);
	bf_out_u8(out, DESC_CONFIG);
	bf_out_le16(out, (uint16_t)(9 + tail.len));
	bf_out_u8(out, 1);    /* interfaces */
	bf_out_u8(out, 1);    /* value for SET_CONFIGURATION */
	bf_out_u8(out, 0);    /* no name */
	bf_out_u8(out, 0xc0); /* powered by itself: it is a battery */
	bf_out_u8(out, 50);   /* 100 mA */
	bf_out_bytes(out, rest, tail.len);
}

/* Names of the project's own device are the pack's; others have those of their makers. */
static const char *string_text(const struct bf_dfu_device *dev, unsigned index)
{
	const struct dfu_model *m = &dev->m;
	struct bf_pack_ids ids;

	bf_pack_ids(dev->pack, &ids);
	switch (index) {
	case DFU_STR_MANUFACTURER:
		return dev->dfu_mode && m->maker ? m->maker : ids.manufacturer;
	case DFU_STR_PRODUCT:
		return dev->dfu_mode && m->product ? m->product : ids.model;
	case DFU_STR_SERIAL:
		return dev->dfu_mode && m->loader_serial ? m->loader_serial : ids.serial;
	case DFU_STR_RUNTIME:
		return "DFU";
	case DFU_STR_COUNTER:
		return "security counter too low";
	}
	return index - DFU_STR_ALT < m->n_alts ? m->alts[index - DFU_STR_ALT].name : NULL;
}

static void string_descriptor(const struct bf_dfu_device *dev, unsigned index, struct bf_out *out)
{
	const char *text = index ? string_text(dev, index) : "";
	bool raw = index == DFU_STR_SERIAL && dev->dfu_mode && bf_dfu_has(dev, DFU_RAW_SERIAL);
	bool lies = index >= DFU_STR_ALT && dev->habits & BF_HABIT_SHORTSTRING;
	size_t len = text ? strlen(text) * (raw ? 1 : 2) : 0;

	if (!text)
		return;
	bf_out_u8(out, index ? (uint8_t)(2 + len + (lies ? 2 : 0)) : 4);
	bf_out_u8(out, DESC_STRING);
	if (!index)
		bf_out_le16(out, LANG_EN_US);
	if (raw)
		bf_out_bytes(out, text, len);
	for (; !raw && *text; text++)
		bf_out_le16(out, (uint8_t)*text);
}

static int get_descriptor(struct bf_dfu_device *dev, const uint8_t setup[8], uint8_t *data)
{
	uint8_t buf[DESC_MAX];
	struct bf_out out = bf_out(buf, sizeof(buf));
	size_t len = bf_get_le16(setup + 6);

	if (setup[3] == DESC_DEVICE)
		device_descriptor(dev, &out);
	else if (setup[3] == DESC_CONFIG && setup[2] == 0)
		config_descriptor(dev, &out);
	else if (setup[3] == DESC_STRING)
		string_descriptor(dev, setup[2], &out);
	else if (setup[3] == DESC_DFU && bf_dfu_device_talks(dev))
		functional_descriptor(dev, &out);
	if (out.failed || !out.len)
		return BF_USB_STALL;
	if (len > out.len)
		len = out.len;
	memcpy(data, buf, len);
	return (int)len;
}

static int set_interface(struct bf_dfu_device *dev, unsigned interface, unsigned alt)
{
	if (interface != 0 || alt >= (dev->dfu_mode ? dev->m.n_alts : 1u))
		return BF_USB_STALL;
	dev->alt = (uint8_t)alt;
	dev->alt_set = true;
	dev->expect = 0;
	return 0;
}

/* As many of the little-endian bytes of v as the host asked for. */
static int answer(const uint8_t setup[8], uint8_t *data, uint16_t v, int n)
{
	for (int i = 0; i < n && i < bf_get_le16(setup + 6); i++)
		data[i] = (uint8_t)(v >> 8 * i);
	return n < bf_get_le16(setup + 6) ? n : bf_get_le16(setup + 6);
}

int bf_dfu_standard(struct bf_dfu_device *dev, const uint8_t setup[8], uint8_t *data)
{
	bool in = setup[0] & 0x80;

	if ((setup[0] & 0x60) != 0)
		return BF_USB_STALL;
	switch (in ? setup[1] | 0x100 : setup[1]) {
	case GET_DESCRIPTOR | 0x100:
		return get_descriptor(dev, setup, data);
	case GET_STATUS | 0x100:
		return answer(setup, data, 1, 2); /* self-powered */
	case GET_CONFIGURATION | 0x100:
		return answer(setup, data, dev->config, 1);
	case GET_INTERFACE | 0x100:
		return answer(setup, data, dev->alt, 1);
	case SET_CONFIGURATION:
		dev->config = setup[2];
		dev->alt = 0;
		dev->alt_set = false;
		return 0;
	case SET_INTERFACE:
		return set_interface(dev, bf_get_le16(setup + 4), bf_get_le16(setup + 2));
	case SET_ADDRESS:
	case CLEAR_FEATURE:
	case SET_FEATURE:
		return 0;
	}
	return BF_USB_STALL;
}
