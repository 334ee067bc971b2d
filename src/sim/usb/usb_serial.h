/* SPDX-License-Identifier: MIT */
/*
 * The pack behind a USB serial port (USB CDC 1.2, PSTN 1.2, abstract control model). What the host sets reaches
 * the pack: a line coding that is not the pack's makes garbage, DTR, RTS and a break do what the option `lines`
 * wires them to. With the option `replug` the port belongs to the pack's own controller: it goes away at each
 * restart and comes back, as the same device or as another one.
 */
#pragma once

#include "sim/node.h"
#include "sim/usb/usb_gadget.h"

struct bf_usb_serial;

/* Borrows the pack. heard() is told of each setting, as text for people and tests; NULL: nobody. */
struct bf_usb_serial *bf_usb_serial_new(struct bf_pack *pack,
					void (*heard)(void *ctx, const char *what), void *ctx,
					bf_time now);
struct bf_usb_serial *bf_usb_serial_free(struct bf_usb_serial *s); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_usb_serial, bf_usb_serial_free)
struct bf_gadget bf_usb_serial_gadget(struct bf_usb_serial *s);
