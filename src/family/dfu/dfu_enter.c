/* SPDX-License-Identifier: MIT */
/* Which mode the device is in, and how it gets from one to the other (DFU 1.1, 5.1, 7, A.2). */
#include "family/dfu/dfu_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define STRING_PATIENCE BF_SEC(1)
#define LOOK_PACE       BF_MS(20)

/* wTimeout of DETACH: devices that announce 0, or less than a bus reset takes, give up before it comes. */
#define DETACH_MS   1000
#define LEAVE_LEAST BF_SEC(5)   /* for a device that leaves by itself */
#define LEAVE_MORE  BF_SEC(2)   /* ... beyond the time that it announced */
#define LEAVE_SOON  BF_MS(100)  /* one that does not announce it may do it all the same */
#define STALL_LOOK  BF_SEC(1)   /* one that stalled DETACH often leaves, too */
#define RESET_LOOK  BF_MS(1500) /* after a bus reset */
#define ANSWER_LOOK BF_MS(200)

/* Request and descriptors that a device is asked for (USB 2.0, 9.4.3) */
#define GET_DESCRIPTOR    0x06
#define DEVICE_DESCRIPTOR 0x0100
#define DFU_DESCRIPTOR    0x2100
#define PACKET_SIZE_AT    7

static bf_time restart_deadline(const struct bf_dfu *d)
{
	return bf_in(bf_dfu_clock(d), BF_MS(d->base.env.profile->restart_ms));
}

/* ---- looking ---- */

static size_t get_descriptor(struct bf_dfu *d, uint16_t which, uint8_t *raw, size_t len)
{
	const struct bf_usb_setup setup = { .request_type = 0x80,
					    .request = GET_DESCRIPTOR,
					    .value = which };
	struct bf_err none;
	size_t got = 0;

	bf_err_init(&none);
	if (bf_dfu_usb(d)->control(d->base.env.transport, &setup, raw, len, &got,
				   bf_in(bf_dfu_clock(d), STRING_PATIENCE), &none))
		return 0;
	return got;
}

/* A functional descriptor that is not in its place is asked for; a block is never shorter than a packet. */
static void complete_desc(struct bf_dfu *d)
{
	uint8_t raw[18] = { 0 };
	size_t got;

	if (!d->desc.functional) {
		got = get_descriptor(d, DFU_DESCRIPTOR, raw, 9);
		(void)bf_dfu_desc_functional(raw, got, &d->desc);
	}
	if (d->desc.transfer < BF_DFU_TRANSFER_UNSAID &&
	    get_descriptor(d, DEVICE_DESCRIPTOR, raw, sizeof(raw)) == sizeof(raw) &&
	    raw[PACKET_SIZE_AT] > d->desc.transfer && raw[PACKET_SIZE_AT] <= BF_DFU_TRANSFER_UNSAID)
		d->desc.transfer = raw[PACKET_SIZE_AT];
	if (d->desc.transfer < BF_DFU_TRANSFER_LEAST)
		d->desc.transfer = BF_DFU_TRANSFER_LEAST;
	if (bf_dfu_settings(d)->transfer)
		d->desc.transfer = (uint16_t)bf_dfu_settings(d)->transfer;
}

static void correct_map(struct bf_dfu *d, struct bf_dfu_map *map)
{
	if (bf_dfu_has(d, BF_DFU_HABIT_GD_PAGES))
		bf_dfu_gd_pages(d->device.serial, map);
	if (bf_dfu_settings(d)->page)
		bf_dfu_map_pages(map, bf_dfu_settings(d)->page);
}

/* The strings of the alternate settings; for DfuSe they are the memory map. A string that cannot be read
 * is no reason to fail: the alternate setting has no name then. Returns how many are maps. */
static enum bf_rc scan_alts(struct bf_dfu *d, size_t *ret_maps, struct bf_err *err)
{
	*ret_maps = 0;
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
		if (rc || !bf_dfu_map_parse(text, &d->maps[i]))
			continue;
		correct_map(d, &d->maps[i]);
		(*ret_maps)++;
		if (!d->maps[i].whole)
			bf_log(d->base.env.log, BF_LOG_WARN,
			       "alternate setting %u: the memory map '%s' is not understood to its "
			       "end, the complete sectors of it are used",
			       d->desc.alts[i].setting, text);
	}
	return BF_OK;
}

/* What a profile says of the memory, where a DfuSe device shows no map. */
static size_t maps_of_profile(struct bf_dfu *d)
{
	const struct bf_profile *p = d->base.env.profile;
	size_t n = 0;

	for (size_t i = 0; i < p->n_regions; i++) {
		const struct bf_region *r = &p->regions[i];
		int alt = bf_dfu_alt_index(d, r->alt);
		struct bf_dfu_map *map = alt < 0 ? NULL : &d->maps[alt];

		if (!map || !r->erase_unit || r->size < r->erase_unit ||
		    map->n_runs == BF_DFU_MAP_RUNS || r->size - 1 > UINT32_MAX - r->addr)
			continue;
		snprintf(map->name, sizeof(map->name), "%s", r->name);
		map->whole = true;
		map->runs[map->n_runs++] =
			(struct bf_dfu_sectors){ .addr = r->addr,
						 .count = r->size / r->erase_unit,
						 .size = r->erase_unit,
						 .access = r->access };
		n++;
	}
	return n;
}

/*
 * In DFU mode a memory map makes a device DfuSe, not a version number: that is copied, forgotten, and told by
 * applications that know nothing of the bootloader. Some loaders leave the interface protocol 0.
 */
static enum bf_rc tell_form(struct bf_dfu *d, struct bf_err *err)
{
	bool says_dfuse =
		d->desc.version == BF_DFU_VERSION_DFUSE || bf_dfu_has(d, BF_DFU_HABIT_DFUSE);
	size_t maps;

	if (bf_dfu_has(d, BF_DFU_HABIT_LOADER))
		d->desc.mode = BF_DFU_LOADER;
	if (d->desc.mode == BF_DFU_ABSENT || d->desc.protocol == BF_DFU_PROTOCOL_RUNTIME) {
		if (d->desc.mode != BF_DFU_LOADER)
			return BF_OK;
	}
	if (scan_alts(d, &maps, err))
		return err->rc;
	if (d->desc.protocol == BF_DFU_PROTOCOL_NONE && (maps || says_dfuse || d->zero_loads))
		d->desc.mode = BF_DFU_LOADER;
	if (d->desc.mode != BF_DFU_LOADER || bf_dfu_has(d, BF_DFU_HABIT_PLAIN))
		return BF_OK;
	d->dfuse = maps || (says_dfuse && maps_of_profile(d));
	if (!d->dfuse && bf_dfu_has(d, BF_DFU_HABIT_DFUSE))
		d->dfuse = true;
	if (says_dfuse && !maps)
		bf_log(d->base.env.log, BF_LOG_WARN,
		       "the bootloader says DfuSe 1.1a and shows no memory map: %s",
		       !d->dfuse                             ? "it is taken for plain DFU"
		       : d->desc.n_alts && d->maps[0].n_runs ? "the profile's regions are used"
							     : "nothing is known of its memory");
	return BF_OK;
}

enum bf_rc bf_dfu_scan(struct bf_dfu *d, struct bf_err *err)
{
	if (bf_dfu_usb(d)->device(d->base.env.transport, &d->device, err))
		return bf_while(err, "looking at the USB device");
	d->scanned = false;
	d->dfuse = false;
	memset(d->maps, 0, sizeof(d->maps));
	memset(d->names, 0, sizeof(d->names));
	if (!bf_dfu_desc_parse(d->device.config, d->device.config_len, &d->desc)) {
		bf_fail(err, BF_E_NODEV,
			"'%s' shows a damaged configuration descriptor of %zu bytes",
			d->base.env.transport->name, d->device.config_len);
		bf_likely(err, "a bad contact: unplug the device and plug it in again");
		return err->rc;
	}
	d->device.config = NULL; /* belongs to the transport */
	d->reopened = d->base.env.transport->stats.reopened;
	d->habits = bf_dfu_habits(&d->device, bf_dfu_settings(d));
	if (d->desc.version == BF_DFU_VERSION_FLIP)
		d->habits |= BF_DFU_HABIT_FLIP;
	if (d->desc.mode != BF_DFU_ABSENT)
		complete_desc(d);
	if (tell_form(d, err))
		return err->rc;
	d->scanned = true;
	return BF_OK;
}

enum bf_dfu_where bf_dfu_look(struct bf_dfu *d)
{
	struct bf_usb_device now;
	struct bf_dfu_desc desc;
	struct bf_err none;

	bf_err_init(&none);
	if (bf_dfu_usb(d)->device(d->base.env.transport, &now, &none) == BF_E_GONE)
		return BF_DFU_GONE;
	/* There, and it does not answer: what it was. */
	if (none.rc || !bf_dfu_desc_parse(now.config, now.config_len, &desc))
		return d->desc.mode == BF_DFU_LOADER ? BF_DFU_AT_LOADER : BF_DFU_AT_APPLICATION;
	/* The same protocol number may mean either mode: another product or release is another mode. */
	if (now.vid == d->device.vid && now.pid == d->device.pid &&
	    now.bcd_device == d->device.bcd_device && desc.mode != BF_DFU_ABSENT &&
	    desc.protocol == d->desc.protocol && d->desc.mode == BF_DFU_LOADER)
		return BF_DFU_AT_LOADER;
	if (bf_dfu_habits(&now, bf_dfu_settings(d)) & BF_DFU_HABIT_LOADER)
		return BF_DFU_AT_LOADER;
	return desc.mode == BF_DFU_LOADER ? BF_DFU_AT_LOADER : BF_DFU_AT_APPLICATION;
}

/* Looks until it is something else than it was. */
static enum bf_rc watch(struct bf_dfu *d, enum bf_dfu_where was, bf_time how_long, const char *what,
			enum bf_dfu_where *ret, struct bf_err *err)
{
	bf_time until = bf_in(bf_dfu_clock(d), how_long);

	for (;;) {
		*ret = bf_dfu_look(d);
		if (*ret != was || bf_now(bf_dfu_clock(d)) >= until)
			return BF_OK;
		if (bf_dfu_pause(d, LOOK_PACE, what, err))
			return err->rc;
	}
}

/* What it was and in which state ends where it leaves the bus. */
static void forget(struct bf_dfu *d)
{
	d->alt = -1;
	d->read.open = d->read.follows = false;
	d->write.open = false;
	d->ended = d->stays = d->waits = d->aborts = false;
	d->counting = BF_DFU_COUNTING_UNKNOWN;
	d->manifested = NULL;
	bf_dfu_stream_drop(d);
}

/* A bootloader that started its application and left the bus is not there to tell what it was. */
static bool is_away(struct bf_dfu *d)
{
	return d->going && d->desc.mode == BF_DFU_LOADER && bf_dfu_look(d) == BF_DFU_GONE;
}

/* Opened again by others, as after a power cut: it may have come back as something else. */
enum bf_rc bf_dfu_up_to_date(struct bf_dfu *d, struct bf_err *err)
{
	if (d->scanned && d->reopened == d->base.env.transport->stats.reopened)
		return is_away(d) ? bf_fail(err, BF_E_TIMEOUT, "the device has not come back yet")
				  : BF_OK;
	if (d->scanned) {
		forget(d);
		d->going = false;
	}
	return bf_dfu_scan(d, err);
}

enum bf_rc bf_dfu_back(struct bf_dfu *d, bf_time deadline, struct bf_err *err)
{
	forget(d);
	if (bf_dfu_usb(d)->reopen(d->base.env.transport, deadline, err))
		return bf_while(err, "waiting for the device to come back");
	d->going = false;
	return bf_dfu_scan(d, err);
}

/* ---- alternate settings ---- */

int bf_dfu_alt_index(const struct bf_dfu *d, unsigned setting)
{
	for (size_t i = 0; i < d->desc.n_alts; i++) {
		if (d->desc.alts[i].setting == setting)
			return (int)i;
	}
	return -1;
}

static int alt_named(const struct bf_dfu *d, const char *name)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	for (size_t i = 0; i < d->desc.n_alts; i++) {
		const char *short_name = d->maps[i].n_runs ? d->maps[i].name : d->names[i];

		if (strcasecmp(name, d->names[i]) == 0 || strcasecmp(name, short_name) == 0)
			return (int)i;
	}
	return *end || end == name || number > UINT8_MAX ? -1
							 : bf_dfu_alt_index(d, (unsigned)number);
}

const char *bf_dfu_alt_wish(const struct bf_dfu *d)
{
	const char *told = bf_dfu_settings(d)->alt;

	if (d->base.env.alt)
		return d->base.env.alt;
	return told[0] ? told : NULL;
}

int bf_dfu_alt_chosen(const struct bf_dfu *d)
{
	const struct bf_profile *p = d->base.env.profile;
	const char *wish = bf_dfu_alt_wish(d);

	if (wish)
		return alt_named(d, wish);
	for (size_t i = 0; i < p->n_regions; i++) {
		if (p->regions[i].kind == BF_REGION_APP || p->regions[i].kind == BF_REGION_SLOT)
			return bf_dfu_alt_index(d, p->regions[i].alt);
	}
	return d->desc.n_alts == 1 ? 0 : -1;
}

void bf_dfu_alts_likely(const struct bf_dfu *d, struct bf_err *err)
{
	char text[160] = "";

	for (size_t i = 0; i < d->desc.n_alts; i++) {
		size_t n = strlen(text);

		snprintf(text + n, sizeof(text) - n, "%s%u '%s'", n ? ", " : "",
			 d->desc.alts[i].setting,
			 d->maps[i].n_runs ? d->maps[i].name : d->names[i]);
	}
	bf_likely(err, "the alternate settings are: %s", text);
}

enum bf_rc bf_dfu_alt_unclear(const struct bf_dfu *d, struct bf_err *err)
{
	const char *wish = bf_dfu_alt_wish(d);

	if (wish)
		bf_fail(err, BF_E_INCOMPATIBLE, "the bootloader has no alternate setting '%s'",
			wish);
	else
		bf_fail(err, BF_E_INCOMPATIBLE,
			"the bootloader has %zu alternate settings, and nothing tells which takes "
			"the firmware: name it with --alt",
			d->desc.n_alts);
	bf_dfu_alts_likely(d, err);
	return err->rc;
}

enum bf_rc bf_dfu_select(struct bf_dfu *d, unsigned setting, struct bf_err *err)
{
	int i = bf_dfu_alt_index(d, setting);

	if (d->desc.mode != BF_DFU_LOADER)
		return bf_fail(err, BF_E_GONE, "the device is not in its bootloader any more");
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

/* ---- from the application into the bootloader ---- */

/* The device may go before it has answered. */
static bool left(enum bf_rc rc)
{
	return rc == BF_E_GONE || rc == BF_E_TIMEOUT || rc == BF_E_LINK;
}

/* A reset that the kernel could not make is no verdict: what the device is afterwards tells. */
static enum bf_rc reset(struct bf_dfu *d, enum bf_dfu_where was, bf_time how_long,
			enum bf_dfu_where *ret, struct bf_err *err)
{
	struct bf_err lost;

	bf_err_init(&lost);
	if (bf_dfu_usb(d)->reset(d->base.env.transport, restart_deadline(d), &lost) ==
	    BF_E_INTERRUPTED) {
		*err = lost;
		return bf_while(err, "resetting the device");
	}
	d->alt = -1; /* the device has forgotten it, too */
	if (lost.rc && !left(lost.rc))
		bf_log(d->base.env.log, BF_LOG_INFO, "bus reset: %s", lost.cause);
	return watch(d, was, how_long, "waiting for the device to restart", ret, err);
}

static enum bf_rc follow(struct bf_dfu *d, enum bf_dfu_where where, struct bf_err *err)
{
	if (where == BF_DFU_GONE)
		return bf_dfu_back(d, restart_deadline(d), err);
	d->going = d->ended = false;
	return bf_dfu_scan(d, err);
}

enum bf_rc bf_dfu_reset_and_see(struct bf_dfu *d, struct bf_err *err)
{
	int alt = d->alt;
	enum bf_dfu_where where;

	if (reset(d, BF_DFU_AT_LOADER, RESET_LOOK, &where, err) || follow(d, where, err))
		return bf_while(err, "resetting the device after manifestation");
	d->alt = -1;
	if (d->desc.mode != BF_DFU_LOADER)
		return BF_OK;
	return bf_dfu_select(
		d, d->desc.alts[alt > 0 && (size_t)alt < d->desc.n_alts ? alt : 0].setting, err);
}

static bf_time leave_patience(const struct bf_dfu *d, enum bf_rc answer)
{
	bf_time told = BF_MS(d->desc.detach_ms) + LEAVE_MORE;

	if (answer == BF_E_NAK)
		return STALL_LOOK;
	if (!(d->desc.attributes & BF_DFU_WILL_DETACH))
		return LEAVE_SOON;
	return told > LEAVE_LEAST ? told : LEAVE_LEAST;
}

static enum bf_rc claim_application(struct bf_dfu *d, struct bf_err *err)
{
	if (bf_dfu_usb(d)->claim(d->base.env.transport, d->desc.interface, d->desc.alts[0].setting,
				 err))
		return bf_while(err, "claiming the application's DFU interface");
	d->alt = 0;
	return BF_OK;
}

/* Interface protocol 0 may be either mode: the state tells. */
static bool loads_with_zero(struct bf_dfu *d)
{
	struct bf_err none;
	uint8_t state = BF_DFU_APP_IDLE;

	bf_err_init(&none);
	if (d->desc.mode != BF_DFU_RUNTIME || d->desc.protocol != BF_DFU_PROTOCOL_NONE ||
	    claim_application(d, &none))
		return false;
	(void)bf_dfu_getstate(d, BF_DFU_AT_APPLICATION, &state, &none);
	d->alt = -1;
	if (none.rc || state < BF_DFU_IDLE)
		return false;
	d->zero_loads = true;
	return bf_dfu_scan(d, &none) == BF_OK && d->desc.mode == BF_DFU_LOADER;
}

/* DETACH; then the device leaves by itself or a bus reset sends it (5.1). Its answer is no verdict: some stall
 * and leave, some acknowledge and stay. */
static enum bf_rc detach(struct bf_dfu *d, struct bf_err *err)
{
	uint16_t timeout = d->desc.detach_ms > DETACH_MS ? d->desc.detach_ms : DETACH_MS;
	enum bf_dfu_where where;
	struct bf_err answer;

	bf_err_init(&answer);
	if (claim_application(d, err))
		return err->rc;
	(void)bf_dfu_detach(d, BF_DFU_AT_APPLICATION, timeout, &answer);
	d->alt = -1; /* what comes next is another, or it is claimed again */
	if (answer.rc == BF_E_INTERRUPTED) {
		*err = answer;
		return err->rc;
	}
	d->entered = d->going = true;
	if (watch(d, BF_DFU_AT_APPLICATION, leave_patience(d, answer.rc),
		  "waiting for the application to give way", &where, err))
		return err->rc;
	if (where == BF_DFU_AT_APPLICATION &&
	    reset(d, BF_DFU_AT_APPLICATION, RESET_LOOK, &where, err))
		return err->rc;
	if (follow(d, where, err))
		return err->rc;
	if (d->desc.mode == BF_DFU_LOADER || loads_with_zero(d))
		return BF_OK;
	d->entered = false;
	bf_fail(err, BF_E_NAK, "the application was asked to start its bootloader and did not%s",
		answer.rc == BF_E_NAK ? ": it stalled DETACH" : "");
	bf_likely(err, "the application does not let itself be interrupted now");
	bf_likely(err,
		  "its bootloader is entered by a button or boot pin while plugging in, as the "
		  "pack's manual says; --wait catches it");
	return err->rc;
}

static enum bf_rc enter(struct bf_dfu *d, enum bf_entry entry, struct bf_err *err)
{
	if (bf_dfu_has(d, BF_DFU_HABIT_FLIP))
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "'%s' (%04x:%04x) speaks Atmel FLIP, which is not DFU",
			       d->base.env.transport->name, d->device.vid, d->device.pid);
	if (d->desc.mode == BF_DFU_ABSENT) {
		bf_fail(err, BF_E_UNSUPPORTED, "'%s' (%04x:%04x) runs an application without DFU",
			d->base.env.transport->name, d->device.vid, d->device.pid);
		bf_likely(err, "its bootloader is entered by a button or boot pin while plugging "
			       "in, as the pack's manual says; --wait catches it");
		return err->rc;
	}
	/* Before the application is stopped; where nothing is said the bootloader will say it. */
	if (d->desc.mode == BF_DFU_RUNTIME && entry == BF_ENTRY_WRITE && bf_dfu_no_download(d))
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the device does not take downloads (bitCanDnload is not set)");
	return d->desc.mode == BF_DFU_RUNTIME && !loads_with_zero(d) ? detach(d, err) : BF_OK;
}

/* All that speaks against writing, before the first byte. */
static enum bf_rc may_write(const struct bf_dfu *d, struct bf_err *err)
{
	if (bf_dfu_no_download(d))
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "this bootloader does not take downloads (bitCanDnload is not set)");
	if (!d->dfuse)
		return bf_dfu_alt_chosen(d) < 0 ? bf_dfu_alt_unclear(d, err) : BF_OK;
	if (bf_dfu_alt_wish(d) && bf_dfu_alt_chosen(d) < 0)
		return bf_dfu_alt_unclear(d, err);
	for (size_t a = 0; a < d->desc.n_alts; a++) {
		if (d->maps[a].n_runs)
			return BF_OK;
	}
	bf_fail(err, BF_E_UNSUPPORTED, "this DfuSe bootloader shows no memory map");
	bf_likely(err, "its alternate settings have other strings than UM0424 says; a profile with "
		       "[region] sections and erase-unit takes the map's place");
	return err->rc;
}

enum bf_rc bf_dfu_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	enum bf_rc rc;

	if (bf_dfu_up_to_date(d, err))
		return err->rc;
	if (entry == BF_ENTRY_LOOK)
		return BF_OK;
	for (bool again = false;; again = true) {
		if (enter(d, entry, err))
			return bf_while(err, "entering DFU mode");
		if (d->alt < 0 && bf_dfu_select(d, d->desc.alts[0].setting, err))
			return err->rc;
		rc = bf_dfu_settle(d, err);
		/* A device left in dfuMANIFEST-WAIT-RESET starts its application first. */
		if (rc != BF_E_GONE || again || !d->scanned || d->desc.mode == BF_DFU_LOADER)
			break;
		bf_err_init(err);
	}
	if (!rc && entry == BF_ENTRY_WRITE)
		rc = may_write(d, err);
	return rc ? bf_while(err, "entering DFU mode") : BF_OK;
}

/* ---- and back ---- */

/* Where execution begins: the lowest flash that may be written. In a ROM loader that is the reset
 * vector; a loader that lives in flash itself shows its own pages as not writeable. */
static bool start_place(const struct bf_dfu *d, unsigned *ret_alt, uint32_t *ret)
{
	struct bf_region r[BF_MAX_REGIONS];
	uint32_t told = bf_dfu_settings(d)->start;
	bool found = false;

	for (size_t a = 0; a < d->desc.n_alts; a++) {
		size_t n = bf_dfu_map_regions(&d->maps[a], 0, r, BF_COUNT(r));

		for (size_t i = 0; i < n; i++) {
			if (told && told - r[i].addr < r[i].size) {
				*ret = told;
				*ret_alt = d->desc.alts[a].setting;
				return true;
			}
			if (r[i].kind != BF_REGION_APP || (found && r[i].addr >= *ret))
				continue;
			*ret = r[i].addr;
			*ret_alt = d->desc.alts[a].setting;
			found = true;
		}
	}
	return found;
}

/* AN3156, 5.4: pointer, empty block, GETSTATUS; the device is gone then or about to be. Under read protection
 * the pointer is refused, and the empty block alone starts the application. */
static enum bf_rc dfuse_leave(struct bf_dfu *d, struct bf_err *err)
{
	struct bf_dfu_status st;
	struct bf_err none;
	unsigned alt;
	uint32_t start;
	enum bf_rc rc;

	bf_err_init(&none);
	if (start_place(d, &alt, &start) &&
	    (bf_dfu_select(d, alt, &none) || bf_dfu_settle(d, &none) ||
	     bf_dfuse_point(d, start, &none))) {
		bf_log(d->base.env.log, BF_LOG_INFO, "setting the start address: %s", none.cause);
		bf_dfu_settle_quietly(d);
	}
	/* Setting it right may have taken a bus reset. */
	if (d->alt < 0 && bf_dfu_select(d, d->desc.alts[0].setting, err))
		return err->rc == BF_E_GONE ? BF_OK : err->rc;
	rc = bf_dfu_dnload(d, 2, NULL, 0, "starting the application", err);
	if (rc && !left(rc))
		return rc;
	bf_err_init(&none);
	(void)bf_dfu_getstatus_once(d, &st, &none);
	return BF_OK;
}

/* Some that leave by themselves do it when they are asked once more. */
static enum bf_rc leave_by_asking(struct bf_dfu *d, struct bf_err *err)
{
	struct bf_dfu_status st;

	return left(bf_dfu_getstatus_once(d, &st, err)) ? BF_OK : err->rc;
}

static enum bf_rc leave_by_reset(struct bf_dfu *d, struct bf_err *err)
{
	enum bf_rc rc;

	if (!d->ended)
		bf_dfu_settle_quietly(d);
	d->ended = true;
	d->waits = false;
	rc = bf_dfu_usb(d)->reset(d->base.env.transport, restart_deadline(d), err);
	d->alt = -1; /* the device has forgotten it, too */
	return left(rc) ? BF_OK : rc;
}

/* Some start the application by DETACH in dfuIDLE, and the reset of the next rung. */
static enum bf_rc leave_by_detach(struct bf_dfu *d, struct bf_err *err)
{
	d->ended = true;
	if (bf_dfu_select(d, d->desc.alts[0].setting, err))
		return err->rc;
	return bf_dfu_detach(d, BF_DFU_AT_LOADER, DETACH_MS, err);
}

static const struct rung {
	enum bf_rc (*take)(struct bf_dfu *d, struct bf_err *err);
	bf_time look;
	bool ask; /* one that answers after ANSWER_LOOK stays */
	enum { ANY, DFUSE, WAITING } when;
} ladder[] = {
	/* clang-format off */
	{ dfuse_leave, BF_SEC(2), true, DFUSE },
	{ leave_by_asking, LEAVE_SOON, false, WAITING },
	{ leave_by_reset, RESET_LOOK, true, ANY },
	{ leave_by_detach, BF_SEC(1), false, ANY }, /* some answer and count down meanwhile */
	{ leave_by_reset, RESET_LOOK, true, ANY },
	/* clang-format on */
};

/* A device that is there and answers is not waited for: it is in dfuIDLE or dfuERROR, and not on its way. */
static bool answers(struct bf_dfu *d)
{
	struct bf_dfu_status st;
	struct bf_err none;

	bf_err_init(&none);
	return !bf_dfu_select(d, d->desc.alts[0].setting, &none) &&
	       !bf_dfu_getstatus_once(d, &st, &none) &&
	       (st.state == BF_DFU_IDLE || st.state == BF_DFU_ERROR);
}

static enum bf_rc see_it_go(struct bf_dfu *d, const struct rung *rung, enum bf_dfu_where *ret,
			    struct bf_err *err)
{
	static const char what[] = "waiting for the application to start";
	bf_time first = rung->look < ANSWER_LOOK ? rung->look : ANSWER_LOOK;
	enum bf_rc rc = watch(d, BF_DFU_AT_LOADER, first, what, ret, err);

	if (rc || *ret != BF_DFU_AT_LOADER || first == rung->look || (rung->ask && answers(d)))
		return rc;
	return watch(d, BF_DFU_AT_LOADER, rung->look - first, what, ret, err);
}

static bool fits(const struct bf_dfu *d, const struct rung *rung)
{
	switch (rung->when) {
	case ANY:
		return true;
	case DFUSE:
		return d->dfuse;
	case WAITING:
		return d->waits && (d->desc.attributes & BF_DFU_WILL_DETACH);
	}
	return false;
}

/* BF_OK also when the device stays: d->stays tells. */
static enum bf_rc climb(struct bf_dfu *d, struct bf_err *err)
{
	enum bf_dfu_where where = BF_DFU_AT_LOADER;

	for (size_t i = 0; i < BF_COUNT(ladder) && where == BF_DFU_AT_LOADER; i++) {
		struct bf_err why;

		if (!fits(d, &ladder[i]))
			continue;
		bf_err_init(&why);
		if (ladder[i].take(d, &why) == BF_E_INTERRUPTED) {
			*err = why;
			return err->rc;
		}
		if (why.rc)
			bf_log(d->base.env.log, BF_LOG_INFO, "leaving DFU mode: %s", why.cause);
		where = bf_dfu_look(d);
		if (!why.rc && where == BF_DFU_AT_LOADER && see_it_go(d, &ladder[i], &where, err))
			return err->rc;
	}
	d->stays = where == BF_DFU_AT_LOADER;
	d->going = !d->stays;
	return BF_OK;
}

enum bf_rc bf_dfu_restart(struct bf_proto *p, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	enum bf_rc rc;

	if (d->going || d->desc.mode != BF_DFU_LOADER) {
		d->going = true; /* it went by itself after manifestation, or runs already */
		return BF_OK;
	}
	if (d->stays) /* nothing has changed since every way was tried */
		return BF_OK;
	if (d->alt < 0 && bf_dfu_select(d, d->desc.alts[0].setting, err))
		return bf_while(err, "starting the application");
	d->hurried = true;
	rc = climb(d, err);
	d->hurried = false;
	if (rc)
		return bf_while(err, "starting the application");
	d->entered = false;
	if (d->going)
		d->alt = -1;
	return BF_OK;
}

/* A bootloader that came up again may say why: no class request before the claim. */
static void ask_verdict(struct bf_dfu *d)
{
	struct bf_dfu_status st;
	struct bf_err none;

	bf_err_init(&none);
	d->verdict = 0;
	if (d->desc.mode == BF_DFU_LOADER && !bf_dfu_has(d, BF_DFU_HABIT_FLIP) &&
	    !bf_dfu_select(d, d->desc.alts[0].setting, &none) &&
	    !bf_dfu_getstatus_once(d, &st, &none) && st.state == BF_DFU_ERROR)
		d->verdict = st.status;
}

enum bf_rc bf_dfu_await(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	struct bf_err none;
	enum bf_rc rc;

	bf_err_init(&none);
	if (d->scanned && d->reopened != d->base.env.transport->stats.reopened &&
	    bf_dfu_up_to_date(d, &none) == BF_OK) {
		ask_verdict(d);
		return BF_OK;
	}
	/* A driver that followed a reset shows the application already; a device that stays is not waited
	 * for. */
	if (bf_dfu_look(d) != BF_DFU_GONE && bf_dfu_scan(d, &none) == BF_OK &&
	    (d->desc.mode != BF_DFU_LOADER || !d->going)) {
		d->going = false;
		return BF_OK;
	}
	rc = bf_dfu_back(d, deadline, err);
	if (!rc)
		ask_verdict(d);
	return rc;
}

/* A device that we took out of its application goes back there; one that was found in its loader stays
 * there, in dfuIDLE. */
void bf_dfu_leave(struct bf_proto *p)
{
	struct bf_dfu *d = bf_dfu_of(p);
	struct bf_err none;

	bf_err_init(&none);
	if (!d->entered) {
		if (d->desc.mode == BF_DFU_LOADER)
			bf_dfu_settle_quietly(d);
		return;
	}
	bf_clock_hold(bf_dfu_clock(d));
	/* Stopped on its way into the bootloader: only from there the way leads back. */
	if (d->going)
		(void)bf_dfu_back(d, restart_deadline(d), &none);
	bf_err_init(&none);
	if (!d->going && d->desc.mode == BF_DFU_LOADER)
		(void)bf_dfu_restart(p, &none);
	bf_clock_release(bf_dfu_clock(d));
}
