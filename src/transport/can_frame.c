/* SPDX-License-Identifier: MIT */
/*
 * Frames between our form and the kernel's. struct can_frame is the head of struct canfd_frame
 * (linux/can.h): the size of the message, 16 or 72 bytes, says which of the two it is.
 *
 *	0x00  identifier, with EXT (bit 31), RTR (30) and error (29) flags; host byte order
 *	0x04  length in bytes
 *	0x05  FD: flags, bit 0 = data phase at the data rate
 *	0x08  data, 8 or 64 bytes
 */
#include "can_priv.h"

#include <string.h>

#include <linux/can.h>

bool bf_can_length(size_t len, bool fd)
{
	static const uint8_t lengths[] = { 12, 16, 20, 24, 32, 48, 64 };

	if (len <= CAN_MAX_DLEN)
		return true;
	return fd && len <= CANFD_MAX_DLEN && memchr(lengths, (int)len, sizeof(lengths));
}

size_t bf_can_encode(const struct bf_frame *f, struct canfd_frame *ret)
{
	struct canfd_frame k = { .can_id = f->id, .len = f->len };
	bool fd = f->flags & BF_FRAME_FD;

	if (f->flags & BF_FRAME_EXT)
		k.can_id |= CAN_EFF_FLAG;
	if (f->flags & BF_FRAME_RTR)
		k.can_id |= CAN_RTR_FLAG;
	else
		memcpy(k.data, f->data, f->len);
	if (fd && f->flags & BF_FRAME_BRS)
		k.flags = CANFD_BRS;
	*ret = k;
	return fd ? CANFD_MTU : CAN_MTU;
}

bool bf_can_decode(const struct canfd_frame *k, size_t size, struct bf_frame *ret)
{
	bool fd = size == CANFD_MTU;
	bool ext = k->can_id & CAN_EFF_FLAG;
	bool rtr = k->can_id & CAN_RTR_FLAG;
	struct bf_frame f = { .id = k->can_id & (ext ? CAN_EFF_MASK : CAN_SFF_MASK),
			      .len = k->len };

	if ((!fd && size != CAN_MTU) || !bf_can_length(k->len, fd))
		return false;
	f.flags = (uint8_t)((ext ? BF_FRAME_EXT : 0) | (fd ? BF_FRAME_FD : 0) |
			    (rtr ? BF_FRAME_RTR : 0) |
			    (fd && k->flags & CANFD_BRS ? BF_FRAME_BRS : 0));
	memcpy(f.data, k->data, f.len);
	*ret = f;
	return true;
}

bool bf_can_passes(const struct bf_filter *filters, size_t n, const struct bf_frame *f)
{
	for (size_t i = 0; i < n; i++) {
		const struct bf_filter *w = &filters[i];

		if (w->ext == !!(f->flags & BF_FRAME_EXT) && !((f->id ^ w->id) & w->mask))
			return true;
	}
	return !n;
}
