/* SPDX-License-Identifier: MIT */
/* The pack as a USB device on virtual time: what the driver `sim` opens for link=usb. */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/transport.h"
#include "sim/dfu/dfu_device.h"
#include "sim/drive.h"
#include "sim/usb/usb_wire.h"

/* Full speed: a control transfer is not finished before the next frame of 1 ms; its data stage moves 19
 * packets of 64 bytes in a frame. */
#define FRAME_US       BF_MS(1)
#define BYTES_PER_MS   1216
#define BUS_RESET_US   BF_MS(50)
#define SETTLE_US      BF_MS(500) /* still there so long after a reset: it is the same device */
#define APPEAR_US      BF_SEC(30) /* longest start of a pack with two images to swap */
#define DESC_MAX       256
#define PORT_PATH      "1-1"
#define DESC_DEVICE    1
#define DESC_CONFIG    2
#define DESC_STRING    3
#define GET_DESCRIPTOR 6

struct usb_wire {
	struct bf_transport t;
	struct bf_vsource source;
	struct bf_pack *pack;
	struct bf_dfu_device *dev;
	unsigned enumeration; /* the one that was opened: an older handle is dead */
	bool was_reset;       /* since it was opened */
	/* Interfaces that this handle has, and those that it has without having asked: usbfs claims for
	 * whoever sends a class request, and then finds them taken. */
	uint32_t claimed, taken;
	uint8_t config[DESC_MAX];
};

static struct usb_wire *wire_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct usb_wire, t);
}

static bf_time source_next(struct bf_vsource *source)
{
	return bf_dfu_device_next(BF_CONTAINER_OF(source, struct usb_wire, source)->dev);
}

static void source_run(struct bf_vsource *source, bf_time now)
{
	bf_dfu_device_run(BF_CONTAINER_OF(source, struct usb_wire, source)->dev, now);
}

static bool is_open(const struct usb_wire *w)
{
	return bf_dfu_device_present(w->dev) && bf_dfu_device_enumeration(w->dev) == w->enumeration;
}

static enum bf_rc gone(struct bf_err *err)
{
	return bf_fail(err, BF_E_GONE, "the virtual USB device is no longer on the bus");
}

/* Time passes on the wire, but not beyond the deadline. */
static enum bf_rc spend(struct usb_wire *w, bf_time cost, bf_time deadline, struct bf_err *err)
{
	bf_time from = bf_now(w->t.clock), until = from + cost;
	bool late = until > deadline;

	if (!bf_clock_until(w->t.clock, late ? deadline : until))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped during a USB transfer");
	w->t.stats.waited_us += bf_now(w->t.clock) - from;
	if (late)
		return bf_fail(err, BF_E_TIMEOUT, "USB transfer not finished in time");
	return BF_OK;
}

/* A transfer to nobody is never answered. */
static enum bf_rc unanswered(struct usb_wire *w, bf_time deadline, struct bf_err *err)
{
	if (!is_open(w))
		return gone(err);
	return spend(w, BF_NEVER - bf_now(w->t.clock), deadline, err);
}

#define TO_INTERFACE(type) (((type)&0x1f) == 1 && ((type)&0x60) == 0x20)

/* As usbfs does with a class request to an interface that nobody claimed. */
static void claim_unasked(struct usb_wire *w, const struct bf_usb_setup *setup)
{
	uint32_t bit = 1u << (setup->index & 31);

	if (!TO_INTERFACE(setup->request_type) || w->claimed & bit)
		return;
	w->claimed |= bit;
	w->taken |= bit;
}

static enum bf_rc usb_control(struct bf_transport *t, const struct bf_usb_setup *setup,
			      uint8_t *data, size_t len, size_t *ret_len, bf_time deadline,
			      struct bf_err *err)
{
	struct usb_wire *w = wire_of(t);
	uint8_t wire[8] = { setup->request_type, setup->request };
	uint8_t buf[BF_DFU_MAX_TRANSFER + DESC_MAX];
	bool in = setup->request_type & 0x80;
	enum bf_rc rc;
	int n;

	if (!is_open(w))
		return gone(err);
	if (len > sizeof(buf))
		return bf_fail(err, BF_E_INTERNAL, "control transfer of %zu bytes, at most %zu",
			       len, sizeof(buf));
	claim_unasked(w, setup);
	bf_put_le16(wire + 2, setup->value);
	bf_put_le16(wire + 4, setup->index);
	bf_put_le16(wire + 6, (uint16_t)len);
	if (!in && len)
		memcpy(buf, data, len);
	rc = spend(w, FRAME_US + (bf_time)len * 1000 / BYTES_PER_MS, deadline, err);
	if (rc)
		return rc;
	t->stats.tx_frames++;
	n = bf_dfu_device_control(w->dev, wire, buf, bf_now(t->clock));
	if (n == BF_USB_GONE || n == BF_USB_SILENT)
		return unanswered(w, deadline, err);
	if (n < 0)
		return bf_fail_dev(err, BF_E_NAK, 0, "stall",
				   "request 0x%02x stalled by the virtual USB device",
				   setup->request);
	if (in && n > 0)
		memcpy(data, buf, (size_t)n);
	*(in ? &t->stats.rx_bytes : &t->stats.tx_bytes) += (size_t)n;
	*ret_len = (size_t)n;
	return BF_OK;
}

static enum bf_rc usb_bulk(struct bf_transport *t, uint8_t endpoint, uint8_t *data, size_t len,
			   size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	(void)data;
	(void)len;
	(void)ret_len;
	(void)deadline;
	if (!is_open(wire_of(t)))
		return gone(err);
	return bf_fail_dev(err, BF_E_NAK, 0, "stall",
			   "the virtual USB device has no endpoint 0x%02x", endpoint);
}

static enum bf_rc usb_claim(struct bf_transport *t, uint8_t interface, uint8_t alt,
			    struct bf_err *err)
{
	/* SET_INTERFACE to the interface */
	const struct bf_usb_setup setup = { 0x01, 11, alt, interface };
	struct usb_wire *w = wire_of(t);
	uint32_t bit = 1u << (interface & 31);
	enum bf_rc rc;
	size_t n;

	if (!is_open(w))
		return gone(err);
	if (w->taken & bit)
		return bf_fail(err, BF_E_BUSY,
			       "interface %u of the virtual USB device is in use by usbfs: a class "
			       "request was sent before it was claimed",
			       interface);
	rc = usb_control(t, &setup, NULL, 0, &n, bf_in(t->clock, BF_SEC(1)), err);
	if (!rc)
		w->claimed |= bit;
	if (rc == BF_E_NAK)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the virtual USB device has no interface %u with setting %u",
			       interface, alt);
	return rc;
}

static enum bf_rc descriptor(struct bf_transport *t, uint8_t type, uint8_t index, uint8_t *dst,
			     size_t cap, size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	struct bf_usb_setup setup = { 0x80, GET_DESCRIPTOR, (uint16_t)(type << 8 | index), 0 };

	return usb_control(t, &setup, dst, cap, ret_len, deadline, err);
}

static size_t to_utf8(unsigned c, char *dst)
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		dst[0] = (char)(0xc0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	dst[0] = (char)(0xe0 | c >> 12);
	dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
	dst[2] = (char)(0x80 | (c & 0x3f));
	return 3;
}

static enum bf_rc usb_string(struct bf_transport *t, uint8_t index, char *dst, size_t cap,
			     bf_time deadline, struct bf_err *err)
{
	uint8_t raw[DESC_MAX - 1];
	size_t len, n = 0;
	enum bf_rc rc = descriptor(t, DESC_STRING, index, raw, sizeof(raw), &len, deadline, err);

	if (rc)
		return rc;
	if (len > raw[0])
		len = raw[0];
	for (size_t i = 2; i + 1 < len && n + 3 < cap; i += 2)
		n += to_utf8(bf_get_le16(raw + i), dst + n);
	if (cap)
		dst[n] = '\0';
	return BF_OK;
}

static enum bf_rc usb_device(struct bf_transport *t, struct bf_usb_device *ret, struct bf_err *err)
{
	struct usb_wire *w = wire_of(t);
	struct bf_usb_device d = { .bus = 1, .port_path = PORT_PATH };
	bf_time deadline = bf_in(t->clock, BF_SEC(1));
	uint8_t raw[18];
	size_t len;
	enum bf_rc rc = descriptor(t, DESC_DEVICE, 0, raw, sizeof(raw), &len, deadline, err);

	if (!rc)
		rc = descriptor(t, DESC_CONFIG, 0, w->config, sizeof(w->config), &d.config_len,
				deadline, err);
	if (!rc && raw[14])
		rc = usb_string(t, raw[14], d.manufacturer, sizeof(d.manufacturer), deadline, err);
	if (!rc && raw[15])
		rc = usb_string(t, raw[15], d.product, sizeof(d.product), deadline, err);
	if (!rc && raw[16])
		rc = usb_string(t, raw[16], d.serial, sizeof(d.serial), deadline, err);
	if (rc)
		return rc;
	d.vid = bf_get_le16(raw + 8);
	d.pid = bf_get_le16(raw + 10);
	d.bcd_device = bf_get_le16(raw + 12);
	d.address = (uint8_t)(1 + w->enumeration % 127);
	d.config = w->config;
	*ret = d;
	return BF_OK;
}

/* What the operating system does with a device that shows up. */
static enum bf_rc configure(struct usb_wire *w, bf_time deadline, struct bf_err *err)
{
	const struct bf_usb_setup setup = { 0x00, 9, 1, 0 };
	size_t n;

	if (w->enumeration != bf_dfu_device_enumeration(w->dev))
		w->claimed = w->taken = 0;
	w->enumeration = bf_dfu_device_enumeration(w->dev);
	return usb_control(&w->t, &setup, NULL, 0, &n, deadline, err);
}

static enum bf_rc usb_reset(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct usb_wire *w = wire_of(t);
	enum bf_rc rc;

	if (!is_open(w))
		return gone(err);
	rc = spend(w, BUS_RESET_US, deadline, err);
	if (rc)
		return rc;
	w->was_reset = true;
	bf_dfu_device_bus_reset(w->dev, bf_now(t->clock));
	return is_open(w) ? configure(w, deadline, err) : BF_OK;
}

static enum bf_rc await_device(struct usb_wire *w, bf_time deadline, struct bf_err *err)
{
	bf_time settled = w->was_reset ? bf_in(w->t.clock, SETTLE_US) : BF_NEVER;

	while (is_open(w) || !bf_dfu_device_present(w->dev)) {
		bool here = is_open(w);

		if (here && bf_now(w->t.clock) >= settled)
			return BF_OK;
		switch (bf_clock_wait(w->t.clock, NULL, 0,
				      here && settled < deadline ? settled : deadline)) {
		case BF_WAIT_CANCELLED:
			return bf_fail(err, BF_E_INTERRUPTED,
				       "stopped while waiting for the virtual USB device");
		case BF_WAIT_DEADLINE:
			if (bf_now(w->t.clock) < deadline)
				break;
			return bf_fail(err, BF_E_TIMEOUT, "the virtual USB device did not %s",
				       is_open(w) ? "go" : "come back");
		case BF_WAIT_READY:
			break;
		}
	}
	return BF_OK;
}

/* A new handle, on the same device or on what came back. */
static enum bf_rc usb_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct usb_wire *w = wire_of(t);
	enum bf_rc rc = await_device(w, deadline, err);

	if (rc)
		return rc;
	t->stats.reopened++;
	w->was_reset = false;
	w->claimed = w->taken = 0;
	return configure(w, deadline, err);
}

static void usb_close(struct bf_transport *t)
{
	struct usb_wire *w = wire_of(t);

	bf_vclock_detach(t->clock, &w->source);
	w->dev = bf_dfu_device_free(w->dev);
	bf_sim_put_away(t, w->pack);
	free(w);
}

static const struct bf_usb_ops usb_ops = {
	.control = usb_control,
	.bulk = usb_bulk,
	.claim = usb_claim,
	.string = usb_string,
	.device = usb_device,
	.reset = usb_reset,
	.reopen = usb_reopen,
};

static const struct bf_transport_ops wire_ops = {
	.name = "sim",
	.wire = BF_WIRE_USB,
	.usb = &usb_ops,
	.close = usb_close,
};

struct bf_pack *bf_sim_usb_pack(struct bf_transport *t)
{
	return t->ops == &wire_ops ? wire_of(t)->pack : NULL;
}

struct bf_dfu_device *bf_sim_usb_device(struct bf_transport *t)
{
	return t->ops == &wire_ops ? wire_of(t)->dev : NULL;
}

enum bf_rc bf_sim_usb_open(struct bf_pack *take_pack, struct bf_clock *take_clock,
			   const struct bf_open_env *env, struct bf_transport **ret,
			   struct bf_err *err)
{
	struct usb_wire *w = calloc(1, sizeof(*w));
	bf_time deadline = bf_in(take_clock, env->wait ? env->wait : APPEAR_US);
	enum bf_rc rc;

	if (!w)
		abort();
	w->t.ops = &wire_ops;
	w->t.clock = take_clock;
	w->t.log = env->log;
	snprintf(w->t.name, sizeof(w->t.name), "sim");
	w->pack = take_pack;
	if (bf_pack_mode(w->pack) == BF_PACK_OFF && bf_pack_next(w->pack) == BF_NEVER)
		bf_pack_power(w->pack, true, bf_now(take_clock));
	w->dev = bf_dfu_device_new(w->pack, bf_now(take_clock));
	w->source.next = source_next;
	w->source.run = source_run;
	bf_vclock_attach(take_clock, &w->source);
	rc = await_device(w, deadline, err);
	if (rc == BF_E_TIMEOUT)
		rc = bf_fail(err, BF_E_NODEV, "no virtual USB device appeared within %.0f s",
			     (double)deadline / 1e6);
	if (!rc)
		rc = configure(w, bf_in(take_clock, APPEAR_US), err);
	if (rc) {
		usb_close(&w->t);
		return rc;
	}
	*ret = &w->t;
	return BF_OK;
}
