/* SPDX-License-Identifier: MIT */
#include "family/dfu/dfu_desc.h"

#include "bmsflash/bytes.h"

/* bDescriptorType (USB 2.0, table 9-5; DFU 1.1, table 4.1) */
#define TYPE_INTERFACE  0x04
#define TYPE_FUNCTIONAL 0x21 /* also HID's: counts only behind a DFU interface */

#define CLASS_APPLICATION 0xFE
#define SUBCLASS_DFU      0x01

#define FUNCTIONAL_SIZE 7 /* of DFU 1.0, without bcdDFUVersion */

struct walk {
	struct bf_dfu_desc desc;
	bool in_dfu; /* the last interface descriptor was one of ours */
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
		d->protocol = protocol;
		d->mode = protocol == BF_DFU_PROTOCOL_LOADER ? BF_DFU_LOADER : BF_DFU_RUNTIME;
	}
	if (d->n_alts < BF_DFU_ALTS) {
		d->alts[d->n_alts].setting = setting;
		d->alts[d->n_alts++].string = string;
	}
}

/* 02 bmAttributes  03 wDetachTimeOut  05 wTransferSize  07 bcdDFUVersion, which DFU 1.0 has not */
static bool functional(struct bf_dfu_desc *d, struct bf_cur c)
{
	uint8_t attributes = bf_cur_u8(&c);
	uint16_t detach_ms = bf_cur_le16(&c), transfer = bf_cur_le16(&c);

	if (c.failed)
		return false;
	d->attributes = attributes;
	d->detach_ms = detach_ms;
	d->transfer = transfer == 0                     ? BF_DFU_TRANSFER_UNSAID
		      : transfer == BF_DFU_TRANSFER_ANY ? BF_DFU_TRANSFER_LIMITED
							: transfer;
	d->version = bf_cur_left(&c) >= 2 ? bf_cur_le16(&c) : 0x0100;
	d->functional = true;
	return true;
}

bool bf_dfu_desc_functional(const uint8_t *raw, size_t len, struct bf_dfu_desc *desc)
{
	return len >= FUNCTIONAL_SIZE && raw[1] == TYPE_FUNCTIONAL &&
	       functional(desc, bf_cur(raw + 2, len - 2));
}

bool bf_dfu_desc_parse(const uint8_t *config, size_t len, struct bf_dfu_desc *ret)
{
	struct bf_cur c = bf_cur(config, len);
	struct walk w = { .desc = { .mode = BF_DFU_ABSENT,
				    .attributes = BF_DFU_CAN_DNLOAD | BF_DFU_CAN_UPLOAD,
				    .transfer = BF_DFU_TRANSFER_UNSAID,
				    .version = 0x0100 } };

	while (bf_cur_left(&c) > 0 && !w.damaged) {
		uint8_t length = bf_cur_u8(&c);
		struct bf_cur body = bf_cur_sub(&c, length >= 2 ? length - 1U : SIZE_MAX);
		uint8_t type = bf_cur_u8(&body);

		if (body.failed)
			return false;
		if (type == TYPE_INTERFACE)
			on_interface(&w, body);
		else if (type == TYPE_FUNCTIONAL && w.in_dfu && !w.desc.functional)
			w.damaged = !functional(&w.desc, body);
	}
	if (w.damaged)
		return false;
	*ret = w.desc;
	return true;
}
