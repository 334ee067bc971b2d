/* SPDX-License-Identifier: MIT */
/* A USB/IP client that says anything, to a device in any state. The first byte chooses the device and
 * whether the handshake has been done; after each further block of up to 64 bytes some time passes. */
#include "fuzz.h"

#include "sim/dfu/dfu_device.h"
#include "sim/usb/usb_serial.h"
#include "sim/usb/usbip.h"

static bool count(void *ctx, const uint8_t *p, size_t len)
{
	size_t *sent = ctx;

	for (size_t i = 0; i < len; i++)
		*sent += p[i] != 0; /* every byte of an answer is defined */
	return true;
}

static void talk(struct bf_gadget gadget, const uint8_t *data, size_t size)
{
	struct bf_usbip usbip;
	size_t sent = 0;
	bf_time now = BF_SEC(10);

	gadget.ops->run(gadget.dev, BF_SEC(1));
	gadget.ops->run(gadget.dev, now);
	bf_usbip_init(&usbip, gadget, !(data[0] & 4));
	usbip.send = count;
	usbip.ctx = &sent;
	for (size_t at = 1; at < size; at += 64, now += BF_MS(40)) {
		if (!bf_usbip_push(&usbip, data + at, size - at < 64 ? size - at : 64, now))
			break;
		gadget.ops->run(gadget.dev, now);
		if (!bf_usbip_settle(&usbip, now))
			break;
	}
}

#define SERIAL_PORT 31 /* the highest number of a device: no DFU device at all */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BF_AUTO(bf_pack) *pack = NULL;
	struct bf_sim_opts opts;
	struct bf_err err;

	if (!size)
		return 0;
	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	opts.protocol = data[0] & 1 ? BF_SIM_DFUSE : BF_SIM_DFU;
	opts.flash_instant = true;
	opts.model =
		data[0] >> 3 < BF_SIM_DFU_COUNT ? BF_SIM_DFU_FIRST + (data[0] >> 3) : BF_SIM_OURS;
	if (data[0] & 2)
		opts.version[0] = '\0'; /* no firmware: in DFU mode at once */
	if (data[0] >> 3 == SERIAL_PORT) {
		opts.link = BF_SIM_RS485;
		opts.lines = BF_SIM_LINES_CROSS;
		opts.replug = data[0] & 1 ? BF_SIM_REPLUG_OTHER : BF_SIM_REPLUG_NEVER;
	}
	FUZZ_CHECK(!bf_pack_new(&opts, &pack, &err));
	bf_pack_power(pack, true, 0);
	if (data[0] >> 3 == SERIAL_PORT) {
		BF_AUTO(bf_usb_serial) *port = bf_usb_serial_new(pack, NULL, NULL, 0);

		talk(bf_usb_serial_gadget(port), data, size);
	} else {
		BF_AUTO(bf_dfu_device) *dev = bf_dfu_device_new(pack, 0);

		talk(bf_dfu_gadget(dev), data, size);
	}
	return 0;
}
