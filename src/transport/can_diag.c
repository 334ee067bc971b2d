/* SPDX-License-Identifier: MIT */
/* What stands between this computer and a CAN bus, from sysfs and from the controller's own state. */
#include <stdio.h>
#include <string.h>

#include <net/if_arp.h>
#include <sys/utsname.h>

#include "bmsflash/wire.h"
#include "can_priv.h"
#include "diag.h"

#define QUEUE_SHORT 10 /* the kernel's default for CAN */

struct doctor {
	const struct bf_diag *diag;
	const struct bf_can_link_ops *link;
	const char *only; /* NULL: all */
	unsigned seen;
};

/* ---- the bus, by what the controller counted (CAN 2.0, section 8: limits of 96, 128 and 256) ---- */

static void say_bus_off(const struct bf_diag *d, const char *name, const struct bf_can_info *info)
{
	char mend[128];

	snprintf(mend, sizeof(mend), "sudo ip link set %s type can restart", name);
	bf_find(d, BF_SEVERITY_PROBLEM, "bus-state", name, info->restart_ms ? NULL : mend,
		"bus-off: CAN-H and CAN-L shorted or swapped, termination missing (60 ohm between "
		"them without power), or another bit rate than %u bit/s",
		info->bitrate);
}

static void say_counters(const struct bf_diag *d, const char *name, const struct bf_can_info *info)
{
	bool many = info->state == BF_BUS_PASSIVE || info->state == BF_BUS_WARNING;
	enum bf_severity severity = many ? BF_SEVERITY_WARNING : BF_SEVERITY_NOTE;

	if (info->tx_errors > info->rx_errors)
		bf_find(d, severity, "bus-state", name, NULL,
			"%s, %u transmit errors: nobody acknowledges; no pack with power on this "
			"bus, a broken wire, or another bit rate than %u bit/s",
			bf_bus_state_text(info->state), info->tx_errors, info->bitrate);
	else
		bf_find(d, severity, "bus-state", name, NULL,
			"%s, %u receive errors: frames come damaged; another bit rate than %u "
			"bit/s, termination missing (measure 60 ohm), or noise",
			bf_bus_state_text(info->state), info->rx_errors, info->bitrate);
}

static void look_at_bus(const struct bf_diag *d, const char *name, const struct bf_can_info *info)
{
	if (!info->timed)
		return;
	if (info->state == BF_BUS_OFF)
		say_bus_off(d, name, info);
	else if (info->tx_errors || info->rx_errors)
		say_counters(d, name, info);
	else if (info->up)
		bf_find(d, BF_SEVERITY_OK, "bus-state", name, NULL,
			"%s, error counters at 0: nothing speaks against wiring and termination",
			bf_bus_state_text(info->state));
}

/* ---- the interface ---- */

static void look_at_state(const struct bf_diag *d, const char *name, const struct bf_can_info *info)
{
	char mend[192];

	if (info->up) {
		bf_find(d, BF_SEVERITY_OK, "interface-state", name, NULL, "up");
	} else if (info->timed && !info->bitrate) {
		bf_find(d, BF_SEVERITY_PROBLEM, "interface-state", name,
			bf_can_up_command(mend, sizeof(mend), name, false, 500000, 0),
			"down, and its bit rate was never set");
	} else {
		snprintf(mend, sizeof(mend), "sudo ip link set %s up", name);
		bf_find(d, BF_SEVERITY_PROBLEM, "interface-state", name, mend, "down");
	}
}

static void look_at_rate(const struct bf_diag *d, const struct bf_can_link_ops *link,
			 const char *name, const struct bf_can_info *info)
{
	if (!info->timed) {
		bf_find(d, BF_SEVERITY_NOTE, "bit-rate", name, NULL,
			"%s: the kernel knows no bit rate of it",
			info->kind[0] ? info->kind : "no controller");
		return;
	}
	if (info->bitrate)
		bf_find(d, BF_SEVERITY_OK, "bit-rate", name, NULL,
			"%u bit/s%s; it must be the pack's", info->bitrate,
			info->dbitrate ? " and CAN FD" : "");
	if (!link->permitted())
		bf_find(d, BF_SEVERITY_NOTE, "permission", name,
			"sudo setcap cap_net_admin+ep \"$(command -v bmsflash)\"",
			"you may use it, and not change its bit rate (CAP_NET_ADMIN)");
}

static void look_at_queue(const struct bf_diag *d, const char *name, const struct bf_can_info *info)
{
	char mend[96];

	if (!info->txqueuelen)
		return;
	snprintf(mend, sizeof(mend), "sudo ip link set %s txqueuelen 1000", name);
	if (info->txqueuelen <= QUEUE_SHORT)
		bf_find(d, BF_SEVERITY_NOTE, "transmit-queue", name, mend,
			"room for %u frames: other programs that send meet a full queue during a "
			"transfer",
			info->txqueuelen);
	else
		bf_find(d, BF_SEVERITY_OK, "transmit-queue", name, NULL, "room for %u frames",
			info->txqueuelen);
}

static void look_at_restart(const struct bf_diag *d, const char *name,
			    const struct bf_can_info *info)
{
	char mend[192];

	if (!info->timed || info->restart_ms || !info->bitrate)
		return;
	snprintf(mend, sizeof(mend),
		 "sudo ip link set %s down && sudo ip link set %s up type can bitrate %u "
		 "restart-ms 100",
		 name, name, info->bitrate);
	bf_find(d, BF_SEVERITY_NOTE, "restart", name, mend,
		"after bus-off it stays off until it is restarted by hand");
}

static void look_at(void *ctx, const char *name)
{
	struct doctor *doc = ctx;
	struct bf_can_info info;
	long type;

	if ((doc->only && strcmp(doc->only, name) != 0) ||
	    !bf_diag_number(doc->diag, &type, "/sys/class/net/%s/type", name) || type != ARPHRD_CAN)
		return;
	doc->seen++;
	if (!doc->link->query(name, &info))
		return;
	look_at_state(doc->diag, name, &info);
	look_at_rate(doc->diag, doc->link, name, &info);
	look_at_bus(doc->diag, name, &info);
	look_at_queue(doc->diag, name, &info);
	look_at_restart(doc->diag, name, &info);
}

/* ---- when there is none ---- */

/* Adapters whose module is not always loaded by itself. */
static const struct {
	const char *vid, *pid, *what, *module; /* pid "": any */
} adapters[] = {
	{ "1d50", "606f", "candleLight or CANable adapter", "gs_usb" },
	{ "1209", "2323", "candleLight adapter", "gs_usb" },
	{ "0c72", "", "PEAK adapter", "peak_usb" },
	{ "0bfd", "", "Kvaser adapter", "kvaser_usb" },
};

static void look_for_adapter(void *ctx, const char *name)
{
	struct doctor *doc = ctx;
	char vid[8], pid[8], mend[64];

	if (!bf_diag_line(doc->diag, vid, sizeof(vid), "/sys/bus/usb/devices/%s/idVendor", name) ||
	    !bf_diag_line(doc->diag, pid, sizeof(pid), "/sys/bus/usb/devices/%s/idProduct", name))
		return;
	for (size_t i = 0; i < BF_COUNT(adapters); i++) {
		if (strcmp(adapters[i].vid, vid) != 0 ||
		    (adapters[i].pid[0] && strcmp(adapters[i].pid, pid) != 0))
			continue;
		doc->seen++;
		snprintf(mend, sizeof(mend), "sudo modprobe %s", adapters[i].module);
		bf_find(doc->diag, BF_SEVERITY_PROBLEM, "kernel-module", name, mend,
			"a %s (%s:%s) is plugged in and has no network interface", adapters[i].what,
			vid, pid);
	}
}

static void look_at_kernel(const struct bf_diag *d)
{
	struct utsname u;
	char path[160], mend[128];

	/* Raw sockets load their module by themselves, where the kernel has it. */
	if (bf_diag_mentions(d, "/proc/net/protocols", "CAN") || uname(&u))
		return;
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", u.release);
	if (!bf_diag_exists(d, "%s", path) || bf_diag_mentions(d, path, "can-raw.ko"))
		return;
	snprintf(mend, sizeof(mend), "sudo apt install linux-modules-extra-%s", u.release);
	bf_find(d, BF_SEVERITY_WARNING, "kernel-module", "this computer", mend,
		"this kernel has no CAN sockets (module can-raw is not installed)");
}

static void say_none(struct doctor *doc)
{
	char mend[160];

	bf_diag_each(doc->diag, "/sys/bus/usb/devices", look_for_adapter, doc);
	if (doc->only && strncmp(doc->only, "vcan", 4) == 0) {
		snprintf(mend, sizeof(mend),
			 "sudo modprobe vcan && sudo ip link add dev %s type vcan && sudo ip link "
			 "set %s up",
			 doc->only, doc->only);
		bf_find(doc->diag, BF_SEVERITY_PROBLEM, "interface", doc->only, mend,
			"there is no such network interface");
	} else if (doc->only) {
		bf_find(doc->diag, BF_SEVERITY_PROBLEM, "interface", doc->only, NULL,
			"there is no such network interface: the adapter is not plugged in, got "
			"another number, or its kernel module is not loaded; see: ip -brief link "
			"show type can");
	} else if (!doc->seen) {
		bf_find(doc->diag, BF_SEVERITY_NOTE, "interface", "CAN", NULL,
			"no CAN interface on this computer");
	}
}

void bf_can_diagnose(const struct bf_diag *diag, const struct bf_can_link_ops *link,
		     const char *address)
{
	struct doctor doc = { .diag = diag, .link = link, .only = address };

	look_at_kernel(diag);
	bf_diag_each(diag, "/sys/class/net", look_at, &doc);
	if (!doc.seen)
		say_none(&doc);
}
