/* SPDX-License-Identifier: MIT */
/* What descriptors tell: DFU has no request for identity. */
#include "family/dfu/dfu_priv.h"

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
	snprintf(id->bus_id, sizeof(id->bus_id), "%04x:%04x", u->vid, u->pid);
	if (d->desc.mode == BF_DFU_LOADER)
		snprintf(id->loader, sizeof(id->loader), "%s, release %x.%02x",
			 d->dfuse      ? "DfuSe 1.1a"
			 : v >= 0x0110 ? "DFU 1.1"
				       : "DFU 1.0",
			 (unsigned)u->bcd_device >> 8, u->bcd_device & 0xFFU);
	else if (d->desc.mode == BF_DFU_RUNTIME)
		snprintf(id->loader, sizeof(id->loader), "DFU, not running");
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

/* DFU has no words for banks: the profile does. */
static unsigned bank_caps(const struct bf_profile *profile)
{
	unsigned slots = 0;

	for (size_t i = 0; i < profile->n_regions; i++)
		slots += profile->regions[i].kind == BF_REGION_SLOT;
	return (slots ? BF_CAP_MCUBOOT : 0U) | (slots >= 2 ? BF_CAP_DUAL_BANK : 0U);
}

/* The descriptors of a running application are not its bootloader's: whether memory has addresses, what can be
 * read and written, and in what blocks, only the bootloader tells. That it can be read is expected. */
static unsigned caps_of(const struct bf_dfu *d)
{
	bool down = !bf_dfu_no_download(d), up = d->desc.attributes & BF_DFU_CAN_UPLOAD;
	unsigned banks = bank_caps(d->base.env.profile);
	unsigned caps = banks | (up ? BF_CAP_READ : 0U);

	if (d->desc.mode == BF_DFU_ABSENT)
		return 0;
	if (d->desc.mode == BF_DFU_RUNTIME)
		return banks | BF_CAP_READ;
	if (!down)
		return caps;
	caps |= d->dfuse ? BF_CAP_ERASE | BF_CAP_ANY_ORDER : BF_CAP_SINK;
	return d->dfuse && up ? caps | BF_CAP_RESUME : caps;
}

static uint32_t profile_size(const struct bf_profile *profile, unsigned alt)
{
	for (size_t i = 0; i < profile->n_regions; i++) {
		if (profile->regions[i].alt == alt)
			return profile->regions[i].size;
	}
	return 0;
}

/* Plain DFU: each alternate setting is a place without an address. How large it is the profile may tell;
 * else it is unknown, and an upload shows it (bf_dfu_extent). */
static void sink_regions(const struct bf_dfu *d, struct bf_ident *id)
{
	int chosen = bf_dfu_alt_chosen(d);

	for (size_t i = 0; i < d->desc.n_alts && id->n_regions < BF_MAX_REGIONS; i++) {
		struct bf_region *r = &id->regions[id->n_regions++];

		r->alt = d->desc.alts[i].setting;
		r->kind = (int)i == chosen ? BF_REGION_APP : BF_REGION_OTHER;
		r->access = BF_ACCESS_READ | ((int)i == chosen ? BF_ACCESS_WRITE : 0U);
		snprintf(r->name, sizeof(r->name), "%.*s", (int)sizeof(r->name) - 1, d->names[i]);
		if (!r->name[0])
			snprintf(r->name, sizeof(r->name), "firmware %u", r->alt);
		r->size = profile_size(d->base.env.profile, r->alt);
	}
}

/* Of a device with several memories the one that was named is the only one that firmware goes to. */
static void restrict_to_wish(const struct bf_dfu *d, struct bf_ident *id)
{
	int chosen = bf_dfu_alt_wish(d) ? bf_dfu_alt_chosen(d) : -1;

	if (!bf_dfu_alt_wish(d))
		return;
	for (size_t i = 0; i < id->n_regions; i++) {
		struct bf_region *r = &id->regions[i];

		if (chosen >= 0 && r->alt == d->desc.alts[chosen].setting)
			continue;
		r->kind = r->kind == BF_REGION_APP ? BF_REGION_OTHER : r->kind;
		r->access &= BF_ACCESS_READ;
	}
}

static void memory_regions(const struct bf_dfu *d, struct bf_ident *id)
{
	const struct bf_profile *profile = d->base.env.profile;

	for (size_t i = 0; i < profile->n_regions; i++) {
		struct bf_region *r = &id->regions[id->n_regions++];
		int alt = bf_dfu_alt_index(d, profile->regions[i].alt);

		*r = profile->regions[i];
		if (alt >= 0)
			bf_dfu_map_cut(&d->maps[alt], r);
	}
	for (size_t i = 0; i < d->desc.n_alts && profile->n_regions == 0; i++)
		id->n_regions += bf_dfu_map_regions(&d->maps[i], d->desc.alts[i].setting,
						    &id->regions[id->n_regions],
						    BF_MAX_REGIONS - id->n_regions);
	restrict_to_wish(d, id);
}

static void tell_refusals(const struct bf_dfu *d, struct bf_ident *id)
{
	const struct bf_refusal *row = bf_refusal_find(&bf_proto_dfu_ops, d->verdict);

	if (bf_dfu_no_download(d))
		snprintf(id->no_write, sizeof(id->no_write),
			 "%s does not take downloads (bitCanDnload is not set)",
			 d->desc.mode == BF_DFU_LOADER ? "the bootloader" : "the device");
	if (d->verdict)
		snprintf(id->bad_firmware, sizeof(id->bad_firmware), "%s: %s",
			 row ? row->name : "an unknown status",
			 row ? row->text : "the bootloader does not start the firmware");
}

/* Regions without the right attribute of the device cannot be reached that way. */
static void mask_access(const struct bf_dfu *d, struct bf_ident *id)
{
	for (size_t i = 0; i < id->n_regions; i++) {
		if (!(d->desc.attributes & BF_DFU_CAN_UPLOAD))
			id->regions[i].access &= ~(unsigned)BF_ACCESS_READ;
		if (bf_dfu_no_download(d))
			id->regions[i].access &= BF_ACCESS_READ;
	}
}

enum bf_rc bf_dfu_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	struct bf_ident id = { .in_flight = 1 };

	if (bf_dfu_up_to_date(d, err))
		return bf_while(err, "identifying the device");
	if (bf_dfu_has(d, BF_DFU_HABIT_FLIP))
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "'%s' (%04x:%04x) speaks Atmel FLIP, which is not DFU",
			       p->env.transport->name, d->device.vid, d->device.pid);
	tell_names(d, &id);
	tell_version(d, &id);
	tell_hardware(d, &id);
	tell_refusals(d, &id);
	id.in_bootloader = d->desc.mode == BF_DFU_LOADER;
	id.talks = id.in_bootloader ? BF_TALKS_LOADER : BF_TALKS_APPLICATION;
	id.caps_later = d->desc.mode == BF_DFU_RUNTIME;
	id.caps = caps_of(d);
	if (id.in_bootloader)
		id.block_max = bf_dfu_block(d);
	if (d->dfuse)
		memory_regions(d, &id);
	else if (id.in_bootloader)
		sink_regions(d, &id);
	mask_access(d, &id);
	p->caps = id.caps;
	*ret = id;
	return BF_OK;
}
