/* SPDX-License-Identifier: MIT */
/*
 * All numbers big-endian, the setup packet as on the bus.
 *
 *   handshake              00 version 0111 | 02 code | 04 status | 08 rest of the operation
 *   CMD_SUBMIT, RET_SUBMIT 00 command | 04 sequence | 08 device | 0c direction (1: in) | 10 endpoint |
 *                          14 flags / status | 18 length / actual length | 1c start frame |
 *                          20 packets | 24 interval / errors | 28 setup | 30 data
 *   CMD_UNLINK, RET_UNLINK same first 14h bytes | 14 sequence to unlink / status | padding to 30h
 */
#include "sim/usb/usbip.h"

#include <errno.h>
#include <string.h>

#include "bmsflash/bytes.h"

#define VERSION         0x0111
#define OP_REQ_DEVLIST  0x8005
#define OP_REP_DEVLIST  0x0005
#define OP_REQ_IMPORT   0x8003
#define OP_REP_IMPORT   0x0003
#define OP_HEADER       8
#define OP_BUSID        32
#define OP_PATH         256
#define CMD_SUBMIT      1
#define CMD_UNLINK      2
#define RET_SUBMIT      3
#define RET_UNLINK      4
#define URB_HEADER      48
#define DIRECTION_IN    1
#define GET_DESCRIPTOR  6
#define DESC_DEVICE     1
#define FIRST_READ_SIZE 64

void bf_usbip_init(struct bf_usbip *u, struct bf_gadget gadget, bool imported)
{
	*u = (struct bf_usbip){ .gadget = gadget, .imported = imported };
}

/* ---- handshake ---- */

static void op_header(struct bf_out *out, uint16_t code, uint32_t status)
{
	bf_out_be16(out, VERSION);
	bf_out_be16(out, code);
	bf_out_be32(out, status);
}

static void text_field(struct bf_out *out, const char *text, size_t size)
{
	bf_out_bytes(out, text, strlen(text));
	for (size_t n = strlen(text); n < size; n++)
		bf_out_u8(out, 0);
}

static bool describe(struct bf_usbip *u, struct bf_out *out, bf_time now)
{
	static const uint8_t setup[8] = { 0x80, GET_DESCRIPTOR, 0, DESC_DEVICE, 0, 0, 18, 0 };
	uint8_t d[18];

	if (u->gadget.ops->control(u->gadget.dev, setup, d, now) != sizeof(d))
		return false;
	text_field(out, "/sys/devices/virtual/bmsflash-sim/usb1/" BF_USBIP_BUSID, OP_PATH);
	text_field(out, BF_USBIP_BUSID, OP_BUSID);
	bf_out_be32(out, BF_USBIP_DEVID >> 16);
	bf_out_be32(out, BF_USBIP_DEVID & 0xffff);
	bf_out_be32(out, BF_USBIP_SPEED);
	for (size_t at = 8; at < 14; at += 2) /* idVendor, idProduct, bcdDevice */
		bf_out_be16(out, bf_get_le16(d + at));
	bf_out_bytes(out, d + 4, 3); /* class, subclass, protocol */
	bf_out_u8(out, 1);           /* configuration */
	bf_out_u8(out, 1);           /* of 1 */
	bf_out_u8(out, (uint8_t)u->gadget.ops->n_interfaces);
	return true;
}

static bool send_devlist(struct bf_usbip *u, bf_time now)
{
	uint8_t buf[512];
	struct bf_out out = bf_out(buf, sizeof(buf));
	bool here = u->gadget.ops->present(u->gadget.dev);

	op_header(&out, OP_REP_DEVLIST, 0);
	bf_out_be32(&out, here);
	if (here && describe(u, &out, now)) {
		for (size_t i = 0; i < u->gadget.ops->n_interfaces; i++) {
			bf_out_bytes(&out, u->gadget.ops->interfaces + 3 * i, 3);
			bf_out_u8(&out, 0);
		}
	}
	return u->send(u->ctx, buf, out.len);
}

static bool send_import(struct bf_usbip *u, bf_time now)
{
	uint8_t buf[512];
	struct bf_out out = bf_out(buf, sizeof(buf));
	bool ok = u->gadget.ops->present(u->gadget.dev) &&
		  memcmp(u->in + OP_HEADER, BF_USBIP_BUSID, sizeof(BF_USBIP_BUSID)) == 0;

	op_header(&out, OP_REP_IMPORT, !ok);
	u->imported = ok && describe(u, &out, now);
	return u->send(u->ctx, buf, out.len) && u->imported;
}

/* Bytes that the whole unit at the start of u->in has, 0: not known yet. */
static size_t operation_size(const struct bf_usbip *u)
{
	if (u->n_in < OP_HEADER)
		return 0;
	return bf_get_be16(u->in + 2) == OP_REQ_IMPORT ? OP_HEADER + OP_BUSID : OP_HEADER;
}

static bool do_operation(struct bf_usbip *u, bf_time now)
{
	if (bf_get_be16(u->in) != VERSION)
		return false;
	switch (bf_get_be16(u->in + 2)) {
	case OP_REQ_DEVLIST:
		return send_devlist(u, now);
	case OP_REQ_IMPORT:
		return send_import(u, now);
	}
	return false;
}

/* ---- URBs ---- */

static size_t urb_size(const struct bf_usbip *u)
{
	if (u->n_in < URB_HEADER)
		return 0;
	if (bf_get_be32(u->in) != CMD_SUBMIT || bf_get_be32(u->in + 12) == DIRECTION_IN)
		return URB_HEADER;
	/* Never more than fits: the excess makes the connection end, not the memory. */
	if (bf_get_be32(u->in + 24) > BF_USBIP_MAX_DATA)
		return SIZE_MAX;
	return URB_HEADER + bf_get_be32(u->in + 24);
}

static bool reply_to(struct bf_usbip *u, uint32_t seq, uint32_t command, int status,
		     uint32_t actual, const uint8_t *data, size_t len)
{
	uint8_t buf[URB_HEADER + BF_USBIP_MAX_DATA] = { 0 };
	struct bf_out out = bf_out(buf, sizeof(buf));

	bf_out_be32(&out, command);
	bf_out_be32(&out, seq);
	bf_out_bytes(&out, "\0\0\0\0\0\0\0\0\0\0\0", 12);
	bf_out_be32(&out, (uint32_t)status);
	bf_out_be32(&out, actual);
	out.len = URB_HEADER;
	bf_out_bytes(&out, data, len);
	return u->send(u->ctx, buf, out.len);
}

static bool reply(struct bf_usbip *u, uint32_t command, int status, uint32_t actual,
		  const uint8_t *data, size_t len)
{
	return reply_to(u, bf_get_be32(u->in + 4), command, status, actual, data, len);
}

/* The host's controller keeps bus resets to itself. What can be seen is that a host begins its talk with
 * a device by reading 64 bytes of device descriptor, and does that at no other time. */
static bool is_first_read(const uint8_t setup[8])
{
	return setup[0] == 0x80 && setup[1] == GET_DESCRIPTOR && setup[3] == DESC_DEVICE &&
	       bf_get_le16(setup + 6) == FIRST_READ_SIZE;
}

static bool submit_control(struct bf_usbip *u, bool in, size_t len, bf_time now)
{
	const uint8_t *setup = u->in + 40;
	uint8_t data[BF_USBIP_MAX_DATA];
	int n;

	if (len > sizeof(data) || len != bf_get_le16(setup + 6))
		return reply(u, RET_SUBMIT, -EINVAL, 0, NULL, 0);
	if (is_first_read(setup))
		u->gadget.ops->bus_reset(u->gadget.dev, now);
	if (!in)
		memcpy(data, u->in + URB_HEADER, len);
	n = u->gadget.ops->control(u->gadget.dev, setup, data, now);
	if (n == BF_USB_GONE)
		return false;
	if (n == BF_USB_SILENT) /* the host gives it up some time, by an unlink */
		return true;
	if (n < 0)
		return reply(u, RET_SUBMIT, -EPIPE, 0, NULL, 0);
	return reply(u, RET_SUBMIT, 0, (uint32_t)n, data, in ? (size_t)n : 0);
}

/* A transfer of another endpoint is answered when the device has something, or has got rid of it. */
static bool submit_other(struct bf_usbip *u, unsigned endpoint, bool in, size_t len, bf_time now)
{
	struct bf_usbip_urb urb = { .seq = bf_get_be32(u->in + 4),
				    .endpoint = (uint8_t)endpoint,
				    .in = in,
				    .len = (uint32_t)len };

	if (!u->gadget.ops->out || u->n_pending == BF_USBIP_PENDING)
		return reply(u, RET_SUBMIT, -EPIPE, 0, NULL, 0);
	if (!in) {
		if (u->gadget.ops->out(u->gadget.dev, endpoint, u->in + URB_HEADER, len, now) < 0)
			return reply(u, RET_SUBMIT, -EPIPE, 0, NULL, 0);
		u->taken[endpoint] += len;
		urb.up_to = u->taken[endpoint];
	}
	u->pending[u->n_pending++] = urb;
	return bf_usbip_settle(u, now);
}

static bool submit(struct bf_usbip *u, bf_time now)
{
	bool in = bf_get_be32(u->in + 12) == DIRECTION_IN;
	uint32_t endpoint = bf_get_be32(u->in + 16);
	size_t len = bf_get_be32(u->in + 24);

	if (endpoint == 0)
		return submit_control(u, in, len, now);
	if (endpoint >= BF_COUNT(u->taken) || len > BF_USBIP_MAX_DATA)
		return reply(u, RET_SUBMIT, -EPIPE, 0, NULL, 0);
	return submit_other(u, endpoint, in, len, now);
}

#define SENT_EARLY 64 /* what an adapter keeps on its own when it says that it has sent */

/* 1: answered, 0: not yet, -1: the connection is broken */
static int settle_one(struct bf_usbip *u, const struct bf_usbip_urb *urb, bf_time now)
{
	const struct bf_gadget_ops *ops = u->gadget.ops;
	uint8_t data[BF_USBIP_MAX_DATA];
	size_t unsent;
	int n;

	if (!urb->in) {
		unsent = ops->unsent(u->gadget.dev, urb->endpoint);
		if (u->taken[urb->endpoint] - unsent + SENT_EARLY < urb->up_to)
			return 0;
		return reply_to(u, urb->seq, RET_SUBMIT, 0, urb->len, NULL, 0) ? 1 : -1;
	}
	n = ops->in(u->gadget.dev, urb->endpoint, data, urb->len, now);
	if (n == 0)
		return 0;
	if (n < 0)
		return reply_to(u, urb->seq, RET_SUBMIT, -EPIPE, 0, NULL, 0) ? 1 : -1;
	return reply_to(u, urb->seq, RET_SUBMIT, 0, (uint32_t)n, data, (size_t)n) ? 1 : -1;
}

static void forget(struct bf_usbip *u, size_t i)
{
	u->n_pending--;
	memmove(&u->pending[i], &u->pending[i + 1], (u->n_pending - i) * sizeof(u->pending[0]));
}

bool bf_usbip_settle(struct bf_usbip *u, bf_time now)
{
	for (size_t i = 0; i < u->n_pending;) {
		int done = settle_one(u, &u->pending[i], now);

		if (done < 0)
			return false;
		if (done)
			forget(u, i);
		else
			i++;
	}
	return true;
}

/* One that got its answer meanwhile is no longer the host's to take back: the host sees that by itself. */
static bool unlink_urb(struct bf_usbip *u)
{
	uint32_t seq = bf_get_be32(u->in + 20);

	for (size_t i = 0; i < u->n_pending; i++) {
		if (u->pending[i].seq != seq)
			continue;
		forget(u, i);
		break;
	}
	return reply(u, RET_UNLINK, -ECONNRESET, 0, NULL, 0);
}

static bool do_urb(struct bf_usbip *u, bf_time now)
{
	switch (bf_get_be32(u->in)) {
	case CMD_SUBMIT:
		return submit(u, now);
	case CMD_UNLINK:
		return unlink_urb(u);
	}
	return false;
}

bool bf_usbip_push(struct bf_usbip *u, const uint8_t *p, size_t len, bf_time now)
{
	while (len) {
		size_t head = u->imported ? URB_HEADER : OP_HEADER, size, n;

		size = u->imported ? urb_size(u) : operation_size(u);
		if (size == SIZE_MAX)
			return false;
		n = (size ? size : head) - u->n_in;
		if (n > len)
			n = len;
		memcpy(u->in + u->n_in, p, n);
		u->n_in += n;
		p += n;
		len -= n;
		size = u->imported ? urb_size(u) : operation_size(u);
		if (!size || u->n_in < size)
			continue;
		if (!(u->imported ? do_urb(u, now) : do_operation(u, now)))
			return false;
		u->n_in = 0;
	}
	return true;
}
