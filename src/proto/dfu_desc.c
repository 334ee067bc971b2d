/* SPDX-License-Identifier: MIT */
#include "proto/dfu_desc.h"

#include "bmsflash/bytes.h"

/* bDescriptorType (USB 2.0, table 9-5; DFU 1.1, table 4.1) */
#define TYPE_INTERFACE  0x04
#define TYPE_FUNCTIONAL 0x21 /* also HID's: counts only behind a DFU interface */

#define CLASS_APPLICATION 0xFE
#define SUBCLASS_DFU      0x01

/* A device that says 0 leaves the size to the host; one packet of the smallest kind always fits. */
#define TRANSFER_UNSAID 8

struct walk {
	struct bf_dfu_desc desc;
	bool in_dfu; /* the last interface descriptor was one of ours */
	bool functional;
	bool damaged;
};

/* 00 bLength  01 type  02 bInterfaceNumber  03 bAlternateSetting  04 bNumEndpoints  05 class
 * 06 subclass  07 protocol  08 iInterface */
static void on_interface(struct walk *w, struct bf_cur c)
{
	struct bf_dfu_desc *d = &w->desc;
	uint8_t number = bf_cur_u8(&c), setting = bf_cur_u8(&c);
	uint8_t class, subclass, protocol, string;

	bf_cur_u8(&c);
	class = bf_cur_u8(&c);
	subclass = bf_cur_u8(&c);
	protocol = bf_cur_u8(&c);
	string = bf_cur_u8(&c);
	w->damaged |= c.failed;
	w->in_dfu = class == CLASS_APPLICATION && subclass == SUBCLASS_DFU &&
		    (d->mode == BF_DFU_ABSENT || number == d->interface);
	if (!w->in_dfu || c.failed)
		return;
	if (d->mode == BF_DFU_ABSENT) {
		d->interface = number;
		d->mode = protocol == 2 ? BF_DFU_LOADER : BF_DFU_RUNTIME;
	}
	if (d->n_alts < BF_DFU_ALTS) {
		d->alts[d->n_alts].setting = setting;
		d->alts[d->n_alts++].string = string;
	}
}

/* 00 bLength  01 type  02 bmAttributes  03 wDetachTimeOut  05 wTransferSize  07 bcdDFUVersion, which
 * DFU 1.0 has not */
static void on_functional(struct walk *w, struct bf_cur c)
{
	struct bf_dfu_desc *d = &w->desc;

	if (!w->in_dfu || w->functional)
		return;
	d->attributes = bf_cur_u8(&c);
	d->detach_ms = bf_cur_le16(&c);
	d->transfer = bf_cur_le16(&c);
	w->damaged |= c.failed;
	d->version = bf_cur_left(&c) >= 2 ? bf_cur_le16(&c) : 0x0100;
	if (d->transfer == 0)
		d->transfer = TRANSFER_UNSAID;
	w->functional = !w->damaged;
}

bool bf_dfu_desc_parse(const uint8_t *config, size_t len, struct bf_dfu_desc *ret)
{
	struct bf_cur c = bf_cur(config, len);
	struct walk w = { .desc.mode = BF_DFU_ABSENT };

	while (bf_cur_left(&c) > 0 && !w.damaged) {
		uint8_t length = bf_cur_u8(&c);
		struct bf_cur body = bf_cur_sub(&c, length >= 2 ? length - 1U : SIZE_MAX);
		uint8_t type = bf_cur_u8(&body);

		if (body.failed)
			return false;
		if (type == TYPE_INTERFACE)
			on_interface(&w, body);
		else if (type == TYPE_FUNCTIONAL)
			on_functional(&w, body);
	}
	if (w.damaged || (w.desc.mode != BF_DFU_ABSENT && !w.functional))
		return false;
	*ret = w.desc;
	return true;
}
