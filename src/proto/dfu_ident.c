/* SPDX-License-Identifier: MIT */
/* What descriptors tell: DFU has no request for identity. */
#include "proto/dfu_priv.h"

#include <stdio.h>
#include <string.h>

/*
 * bcdDevice is the release number of whatever shows the descriptor (USB 2.0, 9.6.1), JJMN in decimal
 * digits: JJ major, M minor, N sub-minor. 0x0150 is 1.5.0, 0x1203 is 12.0.3. While the application runs
 * that is its version; in DFU mode it is the loader's own.
 */
bool bf_dfu_bcd_version(uint16_t bcd, struct bf_version *ret)
{
	unsigned digit[4];

	for (unsigned i = 0; i < 4; i++) {
		digit[i] = (unsigned)bcd >> (12 - 4 * i) & 0xF;
		if (digit[i] > 9)
			return false;
	}
	*ret = (struct bf_version){ .major = (uint8_t)(digit[0] * 10 + digit[1]),
				    .minor = (uint8_t)digit[2],
				    .revision = (uint16_t)digit[3] };
	return true;
}

static void tell_version(const struct bf_dfu *d, struct bf_ident *id)
{
	char text[BF_VERSION_TEXT];

	if (d->desc.mode == BF_DFU_LOADER)
		return;
	id->has_version = bf_dfu_bcd_version(d->device.bcd_device, &id->version);
	id->version_short = id->has_version;
	snprintf(id->version_text, sizeof(id->version_text), "%s",
		 id->has_version ? bf_version_text(&id->version, text) : "");
	if (!id->has_version)
		snprintf(id->version_text, sizeof(id->version_text), "release %04x",
			 d->device.bcd_device);
}

static void tell_names(const struct bf_dfu *d, struct bf_ident *id)
{
	const struct bf_usb_device *u = &d->device;
	unsigned v = d->desc.version;

	snprintf(id->protocol, sizeof(id->protocol), "dfu");
	snprintf(id->manufacturer, sizeof(id->manufacturer), "%s", u->manufacturer);
	snprintf(id->model, sizeof(id->model), "%s", u->product);
	snprintf(id->serial, sizeof(id->serial), "%s", u->serial);
	snprintf(id->hw_rev, sizeof(id->hw_rev), "%04x:%04x", u->vid, u->pid);
	if (d->desc.mode == BF_DFU_LOADER)
		snprintf(id->loader, sizeof(id->loader), "%s, release %x.%02x",
			 d->dfuse      ? "DfuSe 1.1a"
			 : v >= 0x0110 ? "DFU 1.1"
				       : "DFU 1.0",
			 (unsigned)u->bcd_device >> 8, u->bcd_device & 0xFFU);
	else if (d->desc.mode == BF_DFU_RUNTIME)
		snprintf(id->loader, sizeof(id->loader), "%s, not running",
			 d->dfuse ? "DfuSe" : "DFU");
}

/* USB numbers are given out by the maker: the profile says what hardware has them. Both must be told, and be
 * these. */
static void tell_hardware(const struct bf_dfu *d, struct bf_ident *id)
{
	const struct bf_profile *p = d->base.env.profile;
	uint16_t vid = d->device.vid, pid = d->device.pid;
	bool app = vid == p->usb_vid && pid == p->usb_pid;
	bool loader = p->usb_loader_pid && pid == p->usb_loader_pid &&
		      vid == (p->usb_loader_vid ? p->usb_loader_vid : p->usb_vid);

	id->is_anybodys = bf_usb_is_anybodys(vid, pid);
	if (!p->vendor[0] || !(app || loader) || bf_usb_is_anybodys(vid, pid))
		return;
	id->has_vid = true;
	bf_uuid_vendor(p->vendor, id->vid);
	id->has_cid = p->class_name[0];
	if (id->has_cid)
		bf_uuid_class(id->vid, p->class_name, id->cid);
}

static unsigned caps_of(const struct bf_dfu *d)
{
	const struct bf_profile *profile = d->base.env.profile;
	bool down = d->desc.attributes & BF_DFU_CAN_DNLOAD;
	bool up = d->desc.attributes & BF_DFU_CAN_UPLOAD;
	unsigned caps = up ? BF_CAP_READ : 0, slots = 0;

	if (d->desc.mode == BF_DFU_ABSENT)
		return 0;
	if (down)
		caps |= d->dfuse ? BF_CAP_ERASE | BF_CAP_ANY_ORDER : BF_CAP_SINK;
	if (down && up && d->dfuse)
		caps |= BF_CAP_RESUME;
	/* DFU has no words for banks: the profile does. */
	for (size_t i = 0; i < profile->n_regions; i++)
		slots += profile->regions[i].kind == BF_REGION_SLOT;
	if (slots)
		caps |= BF_CAP_MCUBOOT;
	return slots >= 2 ? caps | BF_CAP_DUAL_BANK : caps;
}

static uint32_t profile_size(const struct bf_profile *profile, unsigned alt)
{
	for (size_t i = 0; i < profile->n_regions; i++) {
		if (profile->regions[i].alt == alt)
			return profile->regions[i].size;
	}
	return 0;
}

/* DFU 1.1: each alternate setting is a place without an address. How large it is the profile may tell, or
 * an upload once the device is in DFU mode and may be disturbed. */
static enum bf_rc sink_regions(struct bf_dfu *d, struct bf_ident *id, struct bf_err *err)
{
	bool up = d->desc.attributes & BF_DFU_CAN_UPLOAD;

	for (size_t i = 0; i < d->desc.n_alts; i++) {
		struct bf_region *r = &id->regions[id->n_regions++];
		size_t size = 0;
		enum bf_rc rc;

		r->alt = d->desc.alts[i].setting;
		r->kind = i == 0 ? BF_REGION_APP : BF_REGION_OTHER;
		r->access = (d->desc.attributes & BF_DFU_CAN_DNLOAD ? BF_ACCESS_WRITE : 0U) |
			    (up ? BF_ACCESS_READ : 0U);
		snprintf(r->name, sizeof(r->name), "%.*s", (int)sizeof(r->name) - 1, d->names[i]);
		if (!r->name[0])
			snprintf(r->name, sizeof(r->name), "firmware %u", r->alt);
		r->size = profile_size(d->base.env.profile, r->alt);
		if (r->size || !up || d->alt < 0)
			continue;
		/* A device without good firmware has nothing to give back (errFIRMWARE): that is
		 * the one which most needs to be written. */
		rc = bf_dfu_stream_size(d, r->alt, &size, err);
		if (rc && err->dev_refused) {
			r->access &= (uint8_t)~BF_ACCESS_READ;
			continue;
		}
		if (rc)
			return bf_while(err, "finding the size of '%s'", r->name);
		r->size = (uint32_t)size;
	}
	return BF_OK;
}

/* The sectors that the device tells of, in a region that the profile draws. */
static void region_sectors(const struct bf_dfu *d, struct bf_region *r)
{
	for (size_t a = 0; a < d->desc.n_alts && !r->n_runs; a++) {
		if (d->desc.alts[a].setting == r->alt)
			bf_dfu_map_sectors(&d->maps[a], r);
	}
}

static void memory_regions(const struct bf_dfu *d, struct bf_ident *id)
{
	const struct bf_profile *profile = d->base.env.profile;

	for (size_t i = 0; i < profile->n_regions; i++) {
		struct bf_region *r = &id->regions[id->n_regions++];

		*r = profile->regions[i];
		if (!r->erase_unit)
			region_sectors(d, r);
	}
	for (size_t i = 0; i < d->desc.n_alts && profile->n_regions == 0; i++)
		id->n_regions += bf_dfu_map_regions(&d->maps[i], d->desc.alts[i].setting,
						    &id->regions[id->n_regions],
						    BF_MAX_REGIONS - id->n_regions);
}

/* Regions without the right attribute of the device cannot be reached that way. */
static void mask_access(const struct bf_dfu *d, struct bf_ident *id)
{
	for (size_t i = 0; i < id->n_regions; i++) {
		if (!(d->desc.attributes & BF_DFU_CAN_UPLOAD))
			id->regions[i].access &= ~(unsigned)BF_ACCESS_READ;
		if (!(d->desc.attributes & BF_DFU_CAN_DNLOAD))
			id->regions[i].access &= BF_ACCESS_READ;
	}
}

enum bf_rc bf_dfu_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	struct bf_ident id = { .in_flight = 1 };

	if (!d->scanned && bf_dfu_scan(d, err))
		return bf_while(err, "identifying the device");
	tell_names(d, &id);
	tell_version(d, &id);
	tell_hardware(d, &id);
	id.in_bootloader = d->desc.mode == BF_DFU_LOADER;
	id.caps = caps_of(d);
	if (d->desc.mode == BF_DFU_LOADER)
		id.piece_max = bf_dfu_piece(d);
	if (d->dfuse && d->desc.mode != BF_DFU_ABSENT)
		memory_regions(d, &id);
	else if (d->desc.mode != BF_DFU_ABSENT && sink_regions(d, &id, err))
		return err->rc;
	mask_access(d, &id);
	p->caps = id.caps;
	*ret = id;
	return BF_OK;
}
