/* SPDX-License-Identifier: MIT */
/* The row of the USB driver: addresses, candidates, opening on the real bus. */
#include "usb_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* All that begins like one is taken, so that a mistake in it is explained as what it is. */
static bool driver_match(const char *address)
{
	return !strcmp(address, "usb") || !strncmp(address, "usb:", 4) ||
	       !strncmp(address, "usb@", 4);
}

static enum bf_rc driver_open(const struct bf_open_env *env, const char *address,
			      struct bf_transport **ret, struct bf_err *err)
{
	struct bf_usb_host *host;
	enum bf_rc rc = bf_usb_host_new(&host, err);

	return rc ? rc : bf_usb_open(host, env, address, ret, err);
}

static void driver_list(void (*found)(void *ctx, const struct bf_candidate *c), void *ctx)
{
	BF_AUTO_MEM struct bf_usb_seen *seen = calloc(BF_USB_SEEN_MAX, sizeof(*seen));
	char node[40];
	size_t n;

	if (!seen)
		abort();
	n = bf_usb_scan("/sys", seen, BF_USB_SEEN_MAX);
	for (size_t i = 0; i < n; i++) {
		struct bf_candidate c = { 0 };

		if (seen[i].dfu == BF_USB_NO_DFU)
			continue;
		snprintf(c.address, sizeof(c.address), "usb@%s", seen[i].path);
		bf_usb_describe(c.what, sizeof(c.what), &seen[i]);
		bf_usb_node(node, sizeof(node), seen[i].bus, seen[i].address);
		c.usable = !access(node, R_OK | W_OK);
		if (!c.usable)
			snprintf(c.why, sizeof(c.why),
				 "no permission for %s; install 60-bmsflash.rules and replug",
				 node);
		found(ctx, &c);
	}
}

const struct bf_driver bf_driver_usb = {
	.name = "usb",
	.summary = "USB device through libusb",
	.address_help = "usb, usb:VID:PID, usb:VID:PID:SERIAL, usb@BUS-PORT: a USB device",
	.match = driver_match,
	.open = driver_open,
	.list = driver_list,
	.diagnose = bf_usb_diagnose,
};
