/* SPDX-License-Identifier: MIT */
/* What went wrong with a USB device, for a technician. */
#include "usb_priv.h"

#include <stdio.h>

#include "who.h"

static enum bf_rc denied(struct bf_err *err, const struct bf_usb_seen *s)
{
	char node[40];

	bf_fail(err, BF_E_IFACE, "you may not use 'usb@%s' yet (%s)", s->path,
		bf_usb_node(node, sizeof(node), s->bus, s->address));
	bf_likely(err, "the udev rules of bmsflash are not installed, or were installed after the "
		       "device was plugged in");
	bf_likely(err, "you are not in the group plugdev, and not at the machine's own screen");
	bf_next(err,
		"echo 'SUBSYSTEM==\"usb\", ATTR{idVendor}==\"%04x\", ATTR{idProduct}==\"%04x\", "
		"MODE=\"0660\", GROUP=\"plugdev\", TAG+=\"uaccess\"' | sudo tee -a "
		"/etc/udev/rules.d/60-bmsflash-pack.rules && sudo udevadm control --reload && sudo "
		"udevadm trigger",
		s->vid, s->pid);
	return err->rc;
}

static enum bf_rc busy(struct bf_err *err, const struct bf_usb_seen *s)
{
	struct bf_who who;
	char node[40];

	bf_usb_node(node, sizeof(node), s->bus, s->address);
	if (bf_who_has("", node, BF_WHO_OTHERS, &who)) {
		bf_fail(err, BF_E_BUSY, "'usb@%s' (%s) is in use by '%s' (pid %d)", s->path, node,
			who.command, who.pid);
		bf_do(err, "close that program, or end it");
		bf_next(err, "kill %d", who.pid);
		return err->rc;
	}
	bf_fail(err, BF_E_BUSY, "'usb@%s' (%s) is in use by another program or a kernel driver",
		s->path, node);
	bf_next(err, "sudo fuser -v %s # names the program", node);
	return err->rc;
}

static enum bf_rc gone(struct bf_err *err, const struct bf_usb_seen *s, const char *what)
{
	bf_fail(err, BF_E_GONE, "'usb@%s' disappeared during %s", s->path, what);
	bf_likely(err, "the pack restarted by itself");
	bf_likely(err, "the cable was unplugged or has a bad contact");
	bf_likely(err, "the pack lost its supply");
	bf_do(err, "plug it in again");
	bf_next(err, "bmsflash probe --if usb@%s", s->path);
	return err->rc;
}

static enum bf_rc damaged(struct bf_err *err, const struct bf_usb_seen *s, const char *what)
{
	bf_fail(err, BF_E_LINK, "%s failed on the wire to 'usb@%s'", what, s->path);
	bf_likely(err, "a bad or long USB cable, or a hub between");
	bf_likely(err, "the pack's loader hung, or is just restarting");
	bf_do(err, "try another cable straight into the computer");
	return err->rc;
}

const char *bf_usb_request_name(char dst[64], const struct bf_usb_request *r)
{
	if (r->setup)
		snprintf(dst, 64, "control request 0x%02X (type 0x%02X)", r->setup->request,
			 r->setup->request_type);
	else
		snprintf(dst, 64, "bulk transfer on endpoint 0x%02X", r->endpoint);
	return dst;
}

enum bf_rc bf_usb_fail(struct bf_err *err, enum bf_usb_end end, const struct bf_usb_seen *s,
		       const char *what)
{
	switch (end) {
	case BF_USB_DONE:
		return BF_OK;
	case BF_USB_STALL:
		return bf_fail_dev(err, BF_E_NAK, 0, "stall", "'usb@%s' stalled %s", s->path, what);
	case BF_USB_GONE:
		return gone(err, s, what);
	case BF_USB_OVERFLOW:
		return bf_fail(err, BF_E_LINK, "'usb@%s' sent more than was asked for in %s",
			       s->path, what);
	case BF_USB_DAMAGED:
		return damaged(err, s, what);
	case BF_USB_DENIED:
		return denied(err, s);
	case BF_USB_BUSY:
		return busy(err, s);
	case BF_USB_ABSENT:
		return bf_fail(err, BF_E_UNSUPPORTED, "'usb@%s' has nothing for %s", s->path, what);
	case BF_USB_CANCELLED:
	case BF_USB_FAILED:
		break;
	}
	return bf_fail(err, BF_E_LINK, "the kernel did not carry out %s on 'usb@%s'", what,
		       s->path);
}
