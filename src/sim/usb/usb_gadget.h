/* SPDX-License-Identifier: MIT */
/*
 * Anything that can be plugged in: what the USB/IP server asks of a virtual device. It knows no wire, is told the
 * time, and never waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bmsflash/clock.h"

enum bf_usb_answer { /* instead of a length */
		     BF_USB_STALL = -1,
		     BF_USB_GONE = -2, /* nobody there: the host sees a time-out or a disconnect */
		     BF_USB_SILENT = -3, /* on the bus, and never answers */
};

struct bf_gadget_ops {
	/* The class, subclass and protocol of each interface, for a list of devices; 3 bytes each. */
	const uint8_t *interfaces;
	size_t n_interfaces;
	bool (*present)(const void *dev);
	/* Changes whenever it comes back. */
	unsigned (*enumeration)(const void *dev);
	/* One control transfer; bytes moved or an enum bf_usb_answer. data holds or takes wLength bytes. */
	int (*control)(void *dev, const uint8_t setup[8], uint8_t *data, bf_time now);
	void (*bus_reset)(void *dev, bf_time now);
	/* Bytes for an OUT endpoint: all are taken, or BF_USB_STALL. NULL: endpoint 0 alone. */
	int (*out)(void *dev, unsigned endpoint, const uint8_t *p, size_t len, bf_time now);
	/* How many of them have not left yet. */
	size_t (*unsent)(const void *dev, unsigned endpoint);
	/* Bytes of an IN endpoint, 0: none now; BF_USB_STALL. */
	int (*in)(void *dev, unsigned endpoint, uint8_t *dst, size_t cap, bf_time now);
	bf_time (*next)(const void *dev);
	void (*run)(void *dev, bf_time now);
};

struct bf_gadget { /* borrows dev */
	const struct bf_gadget_ops *ops;
	void *dev;
};
