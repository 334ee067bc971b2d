/* SPDX-License-Identifier: MIT */
/* What stands between this computer and its serial adapters, from sysfs, /proc and the device nodes. */
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "rs485_tty.h"

struct doctor {
	const struct bf_diag *diag;
	unsigned ports;
	/* of the adapter that is being looked at */
	const char *device;
	bool has_port;
};

/* ---- services that open every new port ---- */

static void look_at_services(const struct bf_diag *d)
{
	bool rules = bf_diag_has_rules(d);
	struct bf_who h;

	for (size_t i = 0; i < BF_COUNT(bf_tty_services); i++) {
		const struct bf_tty_service *s = &bf_tty_services[i];

		if (!bf_who_runs(d->root, s->command, &h))
			continue;
		if (rules && s->kept_off)
			bf_find(d, BF_SEVERITY_OK, s->check, "this computer", NULL,
				"%s runs, and the udev rules keep it off", s->command);
		else
			bf_find(d, BF_SEVERITY_WARNING, s->check, "this computer", s->mend,
				"%s runs (pid %d): %s", s->command, h.pid, s->harm);
	}
}

/* ---- one port ---- */

static void look_at_latency(const struct bf_diag *d, const char *name, const char *node)
{
	char mend[400];
	long ms;

	/* Only FTDI's driver has the knob. */
	if (!bf_diag_number(d, &ms, "/sys/bus/usb-serial/devices/%s/latency_timer", name))
		return;
	bf_tty_latency_command(mend, sizeof(mend), name);
	if (ms > 1)
		bf_find(d, BF_SEVERITY_WARNING, "latency-timer", node, mend,
			"the adapter holds received bytes back for %ld ms: every answer waits that "
			"long",
			ms);
	else
		bf_find(d, BF_SEVERITY_OK, "latency-timer", node, NULL, "%ld ms", ms);
}

static void look_at_port(const struct bf_diag *d, const char *name)
{
	char node[300], mend[BF_ADDRESS_MAX];

	snprintf(node, sizeof(node), "/dev/%.255s", name);
	snprintf(mend, sizeof(mend), "sudo chmod a+rw %s", node);
	if (bf_diag_permission(d, node, node, mend))
		bf_diag_holder(d, node, node);
	look_at_latency(d, name, node);
}

/* Real ports: a 8250 that is only a row in the kernel's table has type 0. */
static bool is_port(const struct bf_diag *d, const char *name)
{
	static const char *const usual[] = { "ttyUSB", "ttyACM", "ttyAMA", "ttyXRUSB",
					     "ttySC",  "ttyO",   "ttymxc", "ttyS" };
	long type;

	for (size_t i = 0; i < BF_COUNT(usual); i++) {
		if (strncmp(name, usual[i], strlen(usual[i])) == 0)
			return bf_diag_exists(d, "/sys/class/tty/%s/device", name) &&
			       !(bf_diag_number(d, &type, "/sys/class/tty/%s/type", name) &&
				 type == 0);
	}
	return false;
}

static void look_at_any(void *ctx, const char *name)
{
	struct doctor *doc = ctx;

	if (!is_port(doc->diag, name))
		return;
	doc->ports++;
	look_at_port(doc->diag, name);
}

/* ---- adapters without a port ---- */

static const struct {
	const char *vid, *pid, *what, *module;
	bool braille; /* brltty's rules claim it */
} adapters[] = {
	{ "0403", "6001", "FTDI FT232R", "ftdi_sio", true },
	{ "0403", "6010", "FTDI FT2232", "ftdi_sio", false },
	{ "0403", "6011", "FTDI FT4232", "ftdi_sio", false },
	{ "0403", "6014", "FTDI FT232H", "ftdi_sio", false },
	{ "0403", "6015", "FTDI FT-X", "ftdi_sio", false },
	{ "10c4", "ea60", "Silicon Labs CP210x", "cp210x", true },
	{ "1a86", "7523", "WCH CH340", "ch341", true },
	{ "1a86", "5523", "WCH CH341", "ch341", false },
	{ "1a86", "55d3", "WCH CH343", "cdc_acm", false },
	{ "067b", "2303", "Prolific PL2303", "pl2303", false },
	{ "067b", "23a3", "Prolific PL2303", "pl2303", false },
};

/* "1-2:1.0" below "1-2" has "ttyUSB0", or a folder "tty" (CDC ACM). */
static void look_for_tty(void *ctx, const char *name)
{
	struct doctor *doc = ctx;

	doc->has_port |= strncmp(name, "tty", 3) == 0;
}

static void look_at_interface(void *ctx, const char *name)
{
	struct doctor *doc = ctx;
	char folder[BF_DIAG_PATH];
	size_t n = strlen(doc->device);

	if (strncmp(name, doc->device, n) != 0 || name[n] != ':')
		return;
	snprintf(folder, sizeof(folder), "/sys/bus/usb/devices/%.255s", name);
	bf_diag_each(doc->diag, folder, look_for_tty, doc);
}

static bool braille_rules(const struct bf_diag *d)
{
	return (bf_diag_exists(d, "/usr/lib/udev/rules.d/85-brltty.rules") ||
		bf_diag_exists(d, "/lib/udev/rules.d/85-brltty.rules")) &&
	       !bf_diag_exists(d, "/etc/udev/rules.d/90-bmsflash-brltty.rules");
}

static void say_portless(const struct bf_diag *d, const char *device, size_t i)
{
	char mend[160];

	if (adapters[i].braille && braille_rules(d)) {
		bf_find(d, BF_SEVERITY_PROBLEM, "brltty", device,
			"sudo systemctl mask --now brltty-udev.service brltty.service, then replug",
			"%s adapter (%s:%s) without a serial port: brltty took it for a braille "
			"display",
			adapters[i].what, adapters[i].vid, adapters[i].pid);
		return;
	}
	snprintf(mend, sizeof(mend), "sudo modprobe %s", adapters[i].module);
	bf_find(d, BF_SEVERITY_PROBLEM, "kernel-module", device, mend,
		"%s adapter (%s:%s) without a serial port: the module %s is missing",
		adapters[i].what, adapters[i].vid, adapters[i].pid, adapters[i].module);
}

static void look_at_adapter(void *ctx, const char *name)
{
	struct doctor *doc = ctx;
	char vid[8], pid[8];

	if (strchr(name, ':') ||
	    !bf_diag_line(doc->diag, vid, sizeof(vid), "/sys/bus/usb/devices/%s/idVendor", name) ||
	    !bf_diag_line(doc->diag, pid, sizeof(pid), "/sys/bus/usb/devices/%s/idProduct", name))
		return;
	for (size_t i = 0; i < BF_COUNT(adapters); i++) {
		if (strcmp(adapters[i].vid, vid) != 0 || strcmp(adapters[i].pid, pid) != 0)
			continue;
		doc->device = name;
		doc->has_port = false;
		bf_diag_each(doc->diag, "/sys/bus/usb/devices", look_at_interface, doc);
		if (!doc->has_port)
			say_portless(doc->diag, name, i);
	}
}

/* ---- all ---- */

static void look_at_address(const struct bf_diag *d, const char *address)
{
	const char *name = strrchr(address, '/');
	char path[BF_DIAG_PATH];

	name = name ? name + 1 : address;
	if (strncmp(address, "/dev/serial/", 12) == 0 || strncmp(address, "/dev/pts/", 9) == 0) {
		char full[BF_DIAG_PATH];

		snprintf(full, sizeof(full), "%s%s", d->root, address);
		if (realpath(full, path) && strncmp(path, "/dev/pts/", 9) == 0) {
			bf_diag_permission(d, address, address, NULL);
			return; /* whoever made it has it open */
		}
		name = strrchr(path, '/') + 1;
	}
	if (bf_diag_exists(d, "/dev/%s", name)) {
		look_at_port(d, name);
		return;
	}
	bf_find(d, BF_SEVERITY_PROBLEM, "interface", address, NULL,
		"there is no such serial port: the adapter is not plugged in or has another name; "
		"see: bmsflash probe");
}

void bf_tty_diagnose(const struct bf_diag *diag, const char *address)
{
	struct doctor doc = { .diag = diag };

	if (address)
		look_at_address(diag, address);
	else
		bf_diag_each(diag, "/sys/class/tty", look_at_any, &doc);
	bf_diag_each(diag, "/sys/bus/usb/devices", look_at_adapter, &doc);
	look_at_services(diag);
	if (!address && !doc.ports)
		bf_find(diag, BF_SEVERITY_NOTE, "interface", "RS485", NULL,
			"no serial port on this computer");
	else if (!bf_diag_has_rules(diag))
		bf_find(diag, BF_SEVERITY_NOTE, "udev-rules", "this computer",
			bf_diag_install_rules(diag),
			"the udev rules of bmsflash are not installed: they give access, set the "
			"latency timer and keep ModemManager off");
}
