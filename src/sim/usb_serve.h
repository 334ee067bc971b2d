/* SPDX-License-Identifier: MIT */
#pragma once

#include "bmsflash/clock.h"
#include "bmsflash/err.h"
#include "pack.h"

/*
 * Serves the pack as a USB device in real time until the clock is cancelled (BF_E_INTERRUPTED) or the
 * way out is lost. where:
 *   vhci        plugs it into this machine's own virtual controller (module vhci_hcd, root)
 *   PORT        USB/IP on that TCP port of the loopback interface, for `usbip attach -r localhost -b 1-1`
 * ready() is called once when somebody could connect. Borrows the pack.
 */
enum bf_rc bf_sim_serve_usb(struct bf_pack *pack, struct bf_clock *clock, const char *where,
			    void (*ready)(void *ctx), void *ctx, struct bf_err *err);
