/* SPDX-License-Identifier: MIT */
/* What stands between this computer and its USB devices. */
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "usb_priv.h"

static bool is_meant(const struct bf_usb_want *want, const struct bf_usb_seen *s)
{
	switch (want->by) {
	case BF_USB_BY_DFU:
		return s->dfu != BF_USB_NO_DFU;
	case BF_USB_BY_ID:
		return s->vid == want->vid && s->pid == want->pid;
	case BF_USB_BY_PATH:
		return strcmp(s->path, want->path) == 0;
	}
	return false;
}

static void look_at_mode(const struct bf_diag *d, const char *subject, const struct bf_usb_seen *s)
{
	char what[200];

	bf_usb_describe(what, sizeof(what), s);
	switch (s->dfu) {
	case BF_USB_NO_DFU:
		bf_find(d, BF_SEVERITY_WARNING, "dfu-interface", subject, NULL,
			"%s has no DFU interface: its loader is not running; set its boot pin or "
			"hold its button while plugging in",
			what);
		return;
	case BF_USB_DFU_RUNTIME:
		bf_find(d, BF_SEVERITY_OK, "dfu-interface", subject, NULL,
			"%s runs its application and can change to its loader", what);
		return;
	case BF_USB_DFU_MODE:
		bf_find(d, BF_SEVERITY_OK, "dfu-interface", subject, NULL, "%s is in its loader",
			what);
		return;
	}
}

static void look_at(const struct bf_diag *d, const struct bf_usb_seen *s)
{
	char subject[48], node[40];
	long speed;

	snprintf(subject, sizeof(subject), "usb@%s", s->path);
	bf_usb_node(node, sizeof(node), s->bus, s->address);
	look_at_mode(d, subject, s);
	if (bf_diag_permission(d, node, subject, bf_diag_install_rules(d)))
		bf_diag_holder(d, node, subject);
	if (strchr(s->path, '.') &&
	    bf_diag_number(d, &speed, "/sys/bus/usb/devices/%s/speed", s->path))
		bf_find(d, BF_SEVERITY_NOTE, "hub", subject, NULL,
			"behind a hub, at %ld Mbit/s: straight into the computer is surer", speed);
}

/* Bootloaders that are not ours to speak: their own tool does it. */
static const struct {
	uint16_t vid, pid;
	const char *what, *tool;
} others[] = {
	{ 0x16C0, 0x0478, "a Teensy in its HalfKay bootloader", "teensy-loader-cli" },
	{ 0x303A, 0x0002, "an ESP32-S2 in its ROM bootloader", "esptool" },
	{ 0x303A, 0x0009, "an ESP32-S3 in its ROM bootloader", "esptool" },
	{ 0x303A, 0x1001, "an ESP32 with its own USB serial port", "esptool" },
	{ 0x2341, 0x0036, "an Arduino Leonardo in its bootloader", "avrdude" },
	{ 0x2341, 0x0037, "an Arduino Micro in its bootloader", "avrdude" },
	{ 0x16C0, 0x05DC, "a USBasp programmer, or a bootloader that is like one", "avrdude" },
};

static void look_for_others(const struct bf_diag *d, const struct bf_usb_seen *s)
{
	char subject[48];

	snprintf(subject, sizeof(subject), "usb@%s", s->path);
	for (size_t i = 0; i < BF_COUNT(others); i++) {
		if (s->vid == others[i].vid && s->pid == others[i].pid)
			bf_find(d, BF_SEVERITY_NOTE, "other-tool", subject, NULL,
				"%s: bmsflash does not speak it, %s does", others[i].what,
				others[i].tool);
	}
}

static void say_none(const struct bf_diag *d, const char *address)
{
	if (!bf_diag_exists(d, "/sys/bus/usb/devices"))
		bf_find(d, address ? BF_SEVERITY_PROBLEM : BF_SEVERITY_NOTE, "interface", "USB",
			NULL,
			"the kernel shows no USB bus: a container, or a virtual machine without "
			"it");
	else if (address)
		bf_find(d, BF_SEVERITY_PROBLEM, "interface", address, NULL,
			"no such USB device: it is off, in another mode, or the cable carries "
			"power only; see: lsusb -t");
	else
		bf_find(d, BF_SEVERITY_NOTE, "interface", "USB", NULL,
			"no USB device with a DFU interface");
}

void bf_usb_diagnose(const struct bf_diag *diag, const char *address)
{
	BF_AUTO_MEM struct bf_usb_seen *seen = calloc(BF_USB_SEEN_MAX, sizeof(*seen));
	struct bf_usb_want want = { .by = BF_USB_BY_DFU };
	char sysfs[BF_DIAG_PATH];
	unsigned found = 0;
	size_t n;

	if (!seen)
		abort();
	if (address && !bf_usb_parse(address, &want)) {
		bf_find(diag, BF_SEVERITY_PROBLEM, "interface", address, NULL,
			"no USB address: usb, usb:VID:PID, usb:VID:PID:SERIAL or usb@BUS-PORT");
		return;
	}
	snprintf(sysfs, sizeof(sysfs), "%.400s/sys", diag->root);
	n = bf_usb_scan(sysfs, seen, BF_USB_SEEN_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!address || is_meant(&want, &seen[i]))
			look_for_others(diag, &seen[i]);
		if (!is_meant(&want, &seen[i]))
			continue;
		found++;
		look_at(diag, &seen[i]);
	}
	if (!found)
		say_none(diag, address);
}
