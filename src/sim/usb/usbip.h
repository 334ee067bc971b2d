/* SPDX-License-Identifier: MIT */
/*
 * The USB/IP protocol, server side (Linux, Documentation/usb/usbip_protocol.rst, version 1.1.1): the
 * transfers of one device travel over a stream. No sockets here: bytes in, bytes out.
 */
#pragma once

#include "sim/usb/usb_gadget.h"

#define BF_USBIP_BUSID "1-1"
#define BF_USBIP_DEVID 0x00010002u /* bus 1, device 2 */
#define BF_USBIP_SPEED 2           /* full speed, as the kernel counts */

#define BF_USBIP_MAX_DATA 4096

#define BF_USBIP_PENDING 64

struct bf_usbip_urb { /* not answered yet */
	uint32_t seq;
	uint8_t endpoint;
	bool in;
	uint32_t len;
	uint64_t up_to; /* OUT: finished when so many bytes of the endpoint have left */
};

struct bf_usbip {
	struct bf_gadget gadget;
	struct bf_usbip_urb pending[BF_USBIP_PENDING]; /* in the order in which they came */
	size_t n_pending;
	uint64_t taken[16]; /* bytes of each OUT endpoint */
	bool imported;      /* the client has asked for the device: URBs follow */
	size_t n_in;
	uint8_t in[48 + BF_USBIP_MAX_DATA];
	/* Takes answers; false: the connection is broken. */
	bool (*send)(void *ctx, const uint8_t *p, size_t len);
	void *ctx;
};

/* imported: the connection was handed to the kernel directly, without the handshake. */
void bf_usbip_init(struct bf_usbip *u, struct bf_gadget gadget, bool imported);
/* Any number of bytes as they come. False: close the connection (violation, device gone). */
bool bf_usbip_push(struct bf_usbip *u, const uint8_t *p, size_t len, bf_time now);
/* Answers what the device has become able to answer; to be called whenever it has run. False as above. */
bool bf_usbip_settle(struct bf_usbip *u, bf_time now);
