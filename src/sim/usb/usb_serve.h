/* SPDX-License-Identifier: MIT */
#pragma once

#include "sim/serve.h"

/*
 * Serves the pack as a USB device in real time until the clock is cancelled (BF_E_INTERRUPTED) or the way out is
 * lost: as a serial port where the pack's link is RS485, else as a DFU device. where:
 *   vhci        plugs it into this machine's own virtual controller (module vhci_hcd, root)
 *   PORT        USB/IP on that TCP port of the loopback interface, for `usbip attach -r localhost -b 1-1`
 */
enum bf_rc bf_sim_serve_usb(const struct bf_serve *how, const char *where, struct bf_err *err);
