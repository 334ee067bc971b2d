/* SPDX-License-Identifier: MIT */
/* Which mode the device is in, and how it gets from one to the other (DFU 1.1, 5.1, 7, A.2). */
#include "proto/dfu_priv.h"

#include <stdio.h>
#include <string.h>

#define STRING_PATIENCE BF_SEC(1)

static bf_time restart_deadline(const struct bf_dfu *d)
{
	return bf_in(bf_dfu_clock(d), BF_MS(d->base.env.profile->restart_ms));
}

/* The strings of the alternate settings; for DfuSe they are the memory map. A string that cannot be read
 * is no reason to fail: the alternate setting has no name then. */
static enum bf_rc scan_alts(struct bf_dfu *d, struct bf_err *err)
{
	for (size_t i = 0; i < d->desc.n_alts; i++) {
		char *name = d->names[i];
		char text[256] = "";
		enum bf_rc rc = BF_OK;

		if (d->desc.alts[i].string)
			rc = bf_dfu_usb(d)->string(d->base.env.transport, d->desc.alts[i].string,
						   text, sizeof(text),
						   bf_in(bf_dfu_clock(d), STRING_PATIENCE), err);
		if (rc == BF_E_GONE || rc == BF_E_INTERRUPTED)
			return bf_while(err, "reading the name of alternate setting %u",
					d->desc.alts[i].setting);
		snprintf(name, sizeof(d->names[i]), "%s", rc ? "" : text);
		if (d->dfuse && !bf_dfu_map_parse(rc ? "" : text, &d->maps[i]))
			bf_log(d->base.env.log, BF_LOG_WARN,
			       "alternate setting %u shows no memory map: '%s'",
			       d->desc.alts[i].setting, name);
	}
	return BF_OK;
}

enum bf_rc bf_dfu_scan(struct bf_dfu *d, struct bf_err *err)
{
	if (bf_dfu_usb(d)->device(d->base.env.transport, &d->device, err))
		return bf_while(err, "looking at the USB device");
	d->scanned = false;
	memset(d->maps, 0, sizeof(d->maps));
	memset(d->names, 0, sizeof(d->names));
	if (!bf_dfu_desc_parse(d->device.config, d->device.config_len, &d->desc)) {
		bf_fail(err, BF_E_NODEV,
			"'%s' shows a damaged configuration descriptor of %zu bytes, or a DFU "
			"interface without its functional descriptor",
			d->base.env.transport->name, d->device.config_len);
		bf_next(err, "unplug the device, plug it in again, then repeat the command");
		return err->rc;
	}
	d->device.config = NULL; /* belongs to the transport */
	d->dfuse = d->desc.version == BF_DFU_VERSION_DFUSE;
	if (d->desc.mode == BF_DFU_LOADER && scan_alts(d, err))
		return err->rc;
	d->scanned = true;
	return BF_OK;
}

enum bf_rc bf_dfu_back(struct bf_dfu *d, bf_time deadline, struct bf_err *err)
{
	d->alt = -1;
	d->read.open = d->read.follows = false;
	bf_dfu_stream_drop(d);
	if (bf_dfu_usb(d)->reopen(d->base.env.transport, deadline, err))
		return bf_while(err, "waiting for the device to come back");
	d->going = false;
	return bf_dfu_scan(d, err);
}

static int alt_index(const struct bf_dfu *d, unsigned setting)
{
	for (size_t i = 0; i < d->desc.n_alts; i++) {
		if (d->desc.alts[i].setting == setting)
			return (int)i;
	}
	return -1;
}

enum bf_rc bf_dfu_select(struct bf_dfu *d, unsigned setting, struct bf_err *err)
{
	int i = alt_index(d, setting);

	if (i < 0)
		return bf_fail(err, BF_E_INCOMPATIBLE,
			       "the device has no alternate setting %u, it has %zu", setting,
			       d->desc.n_alts);
	if (d->alt == i)
		return BF_OK;
	if ((d->read.open || d->stream.open) && bf_dfu_settle(d, err))
		return bf_while(err, "ending an upload");
	if (bf_dfu_usb(d)->claim(d->base.env.transport, d->desc.interface, (uint8_t)setting, err))
		return bf_while(err, "claiming alternate setting %u", setting);
	d->alt = i;
	return BF_OK;
}

/* ---- from the application into the loader ---- */

/* The device may go before it has answered. */
static bool left(enum bf_rc rc)
{
	return rc == BF_E_GONE || rc == BF_E_TIMEOUT || rc == BF_E_LINK;
}

/* DETACH, then the device leaves by itself or a reset sends it (5.1). */
static enum bf_rc detach(struct bf_dfu *d, struct bf_err *err)
{
	bool by_itself = d->desc.attributes & BF_DFU_WILL_DETACH;
	bf_time deadline = restart_deadline(d);
	struct bf_err none;
	enum bf_rc rc;

	bf_err_init(&none);
	if (bf_dfu_usb(d)->claim(d->base.env.transport, d->desc.interface, d->desc.alts[0].setting,
				 err))
		return bf_while(err, "claiming the application's DFU interface");
	rc = bf_dfu_detach(d, d->desc.detach_ms, err);
	if (rc && !left(rc)) {
		bf_likely(err, "the application does not let itself be interrupted now");
		return bf_while(err, "asking the application to give way to its boot loader");
	}
	d->entered = true;
	d->going = true;
	if (!by_itself && rc != BF_E_GONE) {
		rc = bf_dfu_usb(d)->reset(d->base.env.transport, deadline, err);
		if (rc && !left(rc))
			return bf_while(err, "resetting the device into its boot loader");
		/* A driver that followed the reset shows the new device already. */
		if (!rc && bf_dfu_scan(d, &none) == BF_OK && d->desc.mode == BF_DFU_LOADER) {
			d->going = false;
			return BF_OK;
		}
	}
	return bf_dfu_back(d, deadline, err);
}

static enum bf_rc enter(struct bf_dfu *d, struct bf_err *err)
{
	if (d->desc.mode == BF_DFU_ABSENT) {
		bf_fail(err, BF_E_UNSUPPORTED, "'%s' (%04x:%04x) runs an application without DFU",
			d->base.env.transport->name, d->device.vid, d->device.pid);
		bf_next(err, "bring the pack into its boot loader as its manual says (often a "
			     "button while plugging in), then repeat the command");
		return err->rc;
	}
	if (d->desc.mode == BF_DFU_RUNTIME && detach(d, err))
		return err->rc;
	if (d->desc.mode == BF_DFU_LOADER)
		return BF_OK;
	bf_fail(err, BF_E_LINK, "the device came back as %04x:%04x, but not in its boot loader",
		d->device.vid, d->device.pid);
	bf_likely(err, "the application took the detach request and did not act on it");
	bf_next(err, "bring the pack into its boot loader as its manual says, then repeat");
	return err->rc;
}

enum bf_rc bf_dfu_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);

	if (!d->scanned && bf_dfu_scan(d, err))
		return err->rc;
	if (entry == BF_ENTRY_LOOK)
		return BF_OK;
	if (enter(d, err))
		return bf_while(err, "entering DFU mode");
	if (d->alt < 0 && bf_dfu_select(d, d->desc.alts[0].setting, err))
		return err->rc;
	return bf_dfu_settle(d, err) ? bf_while(err, "entering DFU mode") : BF_OK;
}

/* ---- and back ---- */

/* Where execution begins: the lowest flash that may be written. In a ROM loader that is the reset
 * vector; a loader that lives in flash itself shows its own pages as not writeable. */
static bool start_address(const struct bf_dfu *d, uint32_t *ret)
{
	struct bf_region r[BF_MAX_REGIONS];
	bool found = false;

	for (size_t a = 0; a < d->desc.n_alts && !found; a++) {
		size_t n = bf_dfu_map_regions(&d->maps[a], 0, r, BF_COUNT(r));

		for (size_t i = 0; i < n; i++) {
			if (r[i].kind != BF_REGION_APP || (found && r[i].addr > *ret))
				continue;
			*ret = r[i].addr;
			found = true;
		}
	}
	return found;
}

/* AN3156, 5.4: pointer, empty block, GETSTATUS; the device is gone then or about to be. */
static enum bf_rc dfuse_leave(struct bf_dfu *d, struct bf_err *err)
{
	struct bf_dfu_status st;
	struct bf_err none;
	uint32_t start;
	enum bf_rc rc;

	if (!start_address(d, &start))
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the device shows no flash memory that it could start from");
	if (bf_dfu_settle(d, err) || bf_dfuse_point(d, start, err))
		return err->rc;
	rc = bf_dfu_dnload(d, 2, NULL, 0, "starting the application", err);
	if (rc && !left(rc))
		return rc;
	bf_err_init(&none);
	(void)bf_dfu_getstatus_once(d, &st, &none);
	return BF_OK;
}

static enum bf_rc dfu_reset(struct bf_dfu *d, struct bf_err *err)
{
	enum bf_rc rc;

	bf_dfu_settle_quietly(d);
	rc = bf_dfu_usb(d)->reset(d->base.env.transport, restart_deadline(d), err);
	return left(rc) ? BF_OK : rc;
}

enum bf_rc bf_dfu_restart(struct bf_proto *p, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);

	if (d->going || d->desc.mode != BF_DFU_LOADER) {
		d->going = true; /* it went by itself after manifestation, or runs already */
		return BF_OK;
	}
	if (d->dfuse ? dfuse_leave(d, err) : dfu_reset(d, err))
		return bf_while(err, "starting the application");
	d->going = true;
	d->entered = false;
	d->alt = -1;
	return BF_OK;
}

enum bf_rc bf_dfu_await(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	struct bf_dfu_status st;
	struct bf_err none;
	enum bf_rc rc;

	bf_err_init(&none);
	/* A driver that followed a reset shows the application already. */
	if (bf_dfu_scan(d, &none) == BF_OK && d->desc.mode != BF_DFU_LOADER) {
		d->going = false;
		return BF_OK;
	}
	rc = bf_dfu_back(d, deadline, err);
	if (!rc || rc == BF_E_INTERRUPTED)
		return rc;
	/* It never went: a loader that found nothing that it could start. */
	if (bf_dfu_scan(d, &none) || d->desc.mode != BF_DFU_LOADER ||
	    bf_dfu_getstatus_once(d, &st, &none))
		return rc;
	d->going = false;
	return BF_OK;
}

/* A device that we took out of its application goes back there; one that was found in its loader stays
 * there, in dfuIDLE. */
void bf_dfu_leave(struct bf_proto *p)
{
	struct bf_dfu *d = bf_dfu_of(p);
	struct bf_err none;

	bf_err_init(&none);
	if (d->going || d->desc.mode != BF_DFU_LOADER || d->alt < 0)
		return;
	if (!d->entered) {
		bf_dfu_settle_quietly(d);
		return;
	}
	bf_clock_hold(bf_dfu_clock(d));
	(void)bf_dfu_restart(p, &none);
	bf_clock_release(bf_dfu_clock(d));
}
