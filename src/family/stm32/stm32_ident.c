/* SPDX-License-Identifier: MIT */
/* Which chip it is, how its flash is cut into sectors, and whether it lets itself be read and written. */
#include "family/stm32/stm32_priv.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"

#define CHIP_BASE UINT32_C(0x08000000)
#define LONG_READ 256u
#define TRIES     3u

/* ---- identifier ---- */

/* Most answer two bytes; some clones put more behind them. */
static enum bf_rc ask_id(struct bf_stm32 *d, struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	uint8_t raw[16];
	size_t n = 0;
	enum bf_rc rc;

	d->pid = 0;
	d->chip = d->set->chip[0] ? bf_stm32_chip_by_key(d->set->chip) : NULL;
	if (!bf_stm32_has(d, BF_STM32_GID))
		return BF_OK;
	retry->requests[BF_RETRY_IDEMPOTENT]++;
	for (unsigned attempt = 1;; attempt++) {
		bf_err_init(err);
		rc = d->link->get_id(d, raw, sizeof(raw), &n, err);
		if (!rc || rc == BF_E_NAK || bf_stm32_recover(d, rc, err) == BF_E_GONE ||
		    !d->synced ||
		    !bf_retry_again(retry, bf_stm32_clock(d), BF_RETRY_IDEMPOTENT, attempt, rc))
			break;
	}
	if (rc == BF_E_NAK) {
		bf_err_init(err);
		return BF_OK;
	}
	if (rc)
		return rc;
	d->pid = n >= 2 ? bf_get_be16(raw) : n ? raw[0] : 0;
	if (!d->chip)
		d->chip = bf_stm32_chip_by_pid(d->pid);
	return BF_OK;
}

/* ---- small reads of places that need not be there ---- */

static bool peek(struct bf_stm32 *d, uint32_t addr, uint8_t *buf, size_t n)
{
	struct bf_err none;

	bf_err_init(&none);
	return bf_stm32_fetch(d, addr, buf, n, &none) == BF_OK;
}

static bool peek_ids(struct bf_stm32 *d, uint32_t addr, uint8_t *buf, size_t n)
{
	uint8_t raw[LONG_READ];
	uint32_t from = addr & ~(LONG_READ - 1);

	if (!(d->chip->traps & BF_STM32_LONG_IDS))
		return peek(d, addr, buf, n);
	if (addr - from + n > sizeof(raw) || !peek(d, from, raw, sizeof(raw)))
		return false;
	memcpy(buf, raw + (addr - from), n);
	return true;
}

static bool is_told(const uint8_t *p, size_t n)
{
	return bf_trailing(p, n, 0xFF) < n && bf_trailing(p, n, 0x00) < n;
}

static void read_uid(struct bf_stm32 *d)
{
	uint8_t raw[12];

	d->uid[0] = 0;
	if (d->chip && d->chip->uid_addr && peek_ids(d, d->chip->uid_addr, raw, sizeof(raw)) &&
	    is_told(raw, sizeof(raw)))
		bf_hex(d->uid, sizeof(d->uid), raw, sizeof(raw));
}

/* The chip's own word on its size, where that is one; clones may have more than the identifier allows. */
static uint32_t told_size(struct bf_stm32 *d)
{
	uint8_t raw[2];
	uint32_t k;

	if (!d->chip || !d->chip->size_addr || !peek_ids(d, d->chip->size_addr, raw, 2))
		return 0;
	k = bf_get_le16(raw);
	return k >= 8 && k <= 4096 ? k * 1024 : 0;
}

/* ---- protection ---- */

/* With readout protection a loader takes GET, GET VERSION, GET ID and READOUT UNPROTECT, and refuses all others as
 * such. A command may also be refused because it arrived damaged: so it is asked for more than once. */
static enum bf_rc look_at_protection(struct bf_stm32 *d, struct bf_err *err)
{
	uint32_t addr = d->set->flash_base ? d->set->flash_base
			: d->chip          ? d->chip->flash_base
					   : CHIP_BASE;
	enum bf_rc rc = BF_OK;
	unsigned refused = 0;
	uint8_t raw[4];

	d->protected = false;
	if (!bf_stm32_has(d, BF_STM32_READ))
		return BF_OK;
	for (unsigned i = 0; i < TRIES; i++) {
		unsigned before = d->refused_commands;

		bf_err_init(err);
		rc = d->link->read(d, addr, raw, sizeof(raw), err);
		if (!rc)
			d->found_empty = d->found_empty || !is_told(raw, sizeof(raw));
		if (!rc || (rc != BF_E_NAK && !bf_stm32_lost(rc)))
			return rc;
		/* In a frame command and address are refused together; the flash is at its address. */
		if (d->refused_commands != before || (rc == BF_E_NAK && d->link->one_refusal))
			refused++;
		else if (bf_stm32_recover(d, rc, err) && !d->synced)
			return err->rc;
	}
	d->protected = refused == TRIES;
	if (!d->protected && rc != BF_E_NAK)
		return rc;
	bf_err_init(err);
	return BF_OK;
}

/* ---- sectors ---- */

static bool has_two_banks(struct bf_stm32 *d, bool *ret_known)
{
	const struct bf_stm32_bit *bit = d->chip->bit;
	uint8_t raw[4];

	*ret_known = true;
	if (d->set->banks != BF_STM32_BANKS_AUTO)
		return d->set->banks == BF_STM32_BANKS_TWO;
	if (bit && peek(d, bit->addr, raw, sizeof(raw)))
		return !!(bf_get_le32(raw) & bit->mask) == bit->two_banks_when_set;
	/* F42x: more than one bank's worth can only be two of them. */
	if (!bit && d->flash_size == d->chip->flash_size)
		return true;
	*ret_known = false;
	return false;
}

static void one_run(struct bf_stm32 *d, uint32_t size, uint32_t unit)
{
	d->flash.n_runs = 1;
	d->flash.sectors[0] = (struct bf_sector_run){ d->flash_base, unit, size / unit };
	d->first_page[0] = 0;
}

static void runs_of(struct bf_stm32 *d, const struct bf_stm32_layout *layout)
{
	uint32_t at = 0;

	for (size_t i = 0; i < BF_STM32_RUNS && layout->runs[i].size && at < d->flash_size; i++) {
		const struct bf_stm32_run *r = &layout->runs[i];
		uint32_t left = (d->flash_size - at) / r->size;
		uint32_t n = r->count && r->count < left ? r->count : left;

		if (!n)
			break;
		d->flash.sectors[d->flash.n_runs] =
			(struct bf_sector_run){ d->flash_base + at, r->size, n };
		d->first_page[d->flash.n_runs++] = r->first;
		at += n * r->size;
	}
	d->flash.size = at;
}

/* What nobody knows is not erased: a wrong page number would erase another page. */
static void cut_sectors(struct bf_stm32 *d)
{
	const struct bf_stm32_layout *layout = d->chip ? d->chip->one : NULL;
	bool known = true;

	d->flash.n_runs = 0;
	if (d->set->erase == BF_STM32_ERASE_MASS) {
		one_run(d, d->flash_size, d->flash_size);
		return;
	}
	if (d->set->erase != BF_STM32_ERASE_PAGES) {
		one_run(d, d->flash_size, d->flash_size / 2);
		return;
	}
	if (d->set->page) {
		one_run(d, d->flash_size, d->set->page);
		return;
	}
	if (layout && d->chip->two && has_two_banks(d, &known))
		layout = d->chip->two;
	if (layout && known)
		runs_of(d, layout);
	if (!known)
		snprintf(d->why_not, sizeof(d->why_not),
			 "its sectors hang on an option bit: dbank = yes or no in [stm32]");
}

bool bf_stm32_sector(const struct bf_stm32 *d, uint32_t addr, uint32_t *ret_start,
		     uint32_t *ret_size, unsigned *ret_page)
{
	for (unsigned i = 0; i < d->flash.n_runs; i++) {
		const struct bf_sector_run *r = &d->flash.sectors[i];
		uint32_t k;

		if (addr < r->addr || (addr - r->addr) / r->size >= r->count)
			continue;
		k = (addr - r->addr) / r->size;
		*ret_start = r->addr + k * r->size;
		*ret_size = r->size;
		*ret_page = d->first_page[i] + k;
		return true;
	}
	return false;
}

/* ---- all of it ---- */

static void why_not_writable(struct bf_stm32 *d)
{
	bool erases = bf_stm32_has(d, BF_STM32_ERASE) || bf_stm32_has(d, BF_STM32_EXT_ERASE);
	const char *why = NULL;

	if (d->chip && d->chip->pid && d->pid && d->chip->pid != d->pid)
		why = "the loader tells the identifier of another chip than [stm32] chip names";
	else if (d->protected)
		why = "readout protection is active (to clear it, and the whole flash: --allow "
		      "readout-unprotect)";
	else if (!bf_stm32_has(d, BF_STM32_WRITE))
		why = "the bootloader has no WRITE MEMORY";
	else if (!d->flash_size)
		why = "an unknown chip: set chip, or page and flash-size, in [stm32] of a profile";
	else if (erases && !d->flash.n_runs && !d->why_not[0])
		why = "the sectors of this chip are not known: set page in [stm32] of a profile";
	else if (d->link == &bf_stm32_can && d->set->can_form == BF_STM32_CAN_CLASSIC &&
		 d->set->can_erase == BF_STM32_CAN_ERASE_UNKNOWN)
		why = "the form of its erase command is not known: can-erase = page or list in "
		      "[stm32]";
	if (why)
		snprintf(d->why_not, sizeof(d->why_not), "%s", why);
}

/* The first that is told: by the profile, by the chip, by its row of the table. */
static uint32_t first_told(uint32_t a, uint32_t b, uint32_t c)
{
	if (a)
		return a;
	return b ? b : c;
}

static void measure_flash(struct bf_stm32 *d)
{
	static const struct bf_stm32_chip nobody = { .flash_base = CHIP_BASE, .write_unit = 4 };
	const struct bf_stm32_chip *chip = d->chip ? d->chip : &nobody;
	const struct bf_stm32_profile *s = d->set;

	d->flash_base = first_told(s->flash_base, chip->flash_base, 0);
	d->flash_size =
		first_told(s->flash_size, d->protected ? 0 : told_size(d), chip->flash_size);
	d->has_flash = d->flash_size > 0;
	d->unit = first_told(s->write_unit, chip->write_unit, 0);
	d->block = first_told(s->block, chip->block, BF_STM32_BLOCK);
	if (d->block > BF_STM32_BLOCK)
		d->block = BF_STM32_BLOCK;
	d->block -= d->block % d->unit;
	d->erased = chip->traps & BF_STM32_ERASES_TO_ZERO ? 0x00 : 0xFF;
	d->flash = (struct bf_region){
		.name = "flash",
		.kind = BF_REGION_APP,
		.addr = d->flash_base,
		.size = d->flash_size,
		.write_unit = d->unit,
		.erases_to_zero = d->erased == 0,
	};
}

static void make_room(struct bf_stm32 *d)
{
	free(d->memory);
	free(d->seen);
	d->memory = calloc(d->flash_size ? d->flash_size : 1, 1);
	d->seen = calloc(d->flash_size / BF_STM32_LINE + 1, sizeof(*d->seen));
	if (!d->memory || !d->seen)
		abort();
}

enum bf_rc bf_stm32_learn(struct bf_stm32 *d, struct bf_err *err)
{
	if (d->known)
		return BF_OK;
	d->why_not[0] = 0;
	if (ask_id(d, err) || look_at_protection(d, err))
		return bf_while(err, "asking the ROM loader which chip it is");
	if (!d->protected)
		read_uid(d);
	measure_flash(d);
	if (d->has_flash)
		cut_sectors(d);
	why_not_writable(d);
	make_room(d);
	d->known = true;
	return BF_OK;
}

static unsigned access_of(const struct bf_stm32 *d)
{
	bool may = !d->why_not[0] || (d->protected && d->base.env.unprotect);
	unsigned access = 0;

	if (bf_stm32_has(d, BF_STM32_READ) && !d->protected)
		access |= BF_ACCESS_READ;
	if (may)
		access |= BF_ACCESS_WRITE | BF_ACCESS_ERASE;
	return access;
}

static unsigned caps_of(const struct bf_stm32 *d)
{
	unsigned access = access_of(d), caps = 0;
	bool erases = bf_stm32_has(d, BF_STM32_ERASE) || bf_stm32_has(d, BF_STM32_EXT_ERASE);

	if (access & BF_ACCESS_READ)
		caps |= BF_CAP_READ | BF_CAP_COMPARE;
	if (access & BF_ACCESS_WRITE)
		caps |= BF_CAP_ANY_ORDER | BF_CAP_RESUME | (erases ? BF_CAP_ERASE : 0U) |
			(bf_stm32_has(d, BF_STM32_READ) ? BF_CAP_CHECK : 0U);
	return caps;
}

/* Of a profile's region the sectors are those of the chip. */
static void cut_region(const struct bf_stm32 *d, struct bf_region *r)
{
	uint64_t end = (uint64_t)r->addr + r->size;

	if (r->erase_unit || r->n_runs)
		return;
	for (unsigned i = 0; i < d->flash.n_runs && r->n_runs < BF_REGION_RUNS; i++) {
		const struct bf_sector_run *s = &d->flash.sectors[i];
		uint64_t s_end = (uint64_t)s->addr + (uint64_t)s->size * s->count;
		uint32_t skip = r->addr > s->addr ? (r->addr - s->addr) / s->size : 0;
		struct bf_sector_run part = { s->addr + skip * s->size, s->size, 0 };

		if (s_end <= r->addr || s->addr >= end)
			continue;
		part.count = (uint32_t)(((end < s_end ? end : s_end) - part.addr + s->size - 1) /
					s->size);
		r->sectors[r->n_runs++] = part;
	}
	r->write_unit = r->write_unit ? r->write_unit : d->unit;
	r->erases_to_zero = d->flash.erases_to_zero;
}

static void add(struct bf_ident *id, const char *name, enum bf_region_kind kind, uint32_t addr,
		uint32_t size, unsigned access)
{
	struct bf_region *r;

	if (!size || id->n_regions == BF_MAX_REGIONS)
		return;
	r = &id->regions[id->n_regions++];
	*r = (struct bf_region){ .kind = kind, .addr = addr, .size = size, .access = access };
	snprintf(r->name, sizeof(r->name), "%s", name);
}

static void tell_regions(const struct bf_stm32 *d, struct bf_ident *id)
{
	const struct bf_profile *p = d->base.env.profile;
	unsigned access = access_of(d);

	for (size_t i = 0; i < p->n_regions && id->n_regions < BF_MAX_REGIONS; i++) {
		struct bf_region *r = &id->regions[id->n_regions++];

		*r = p->regions[i];
		r->access &= access;
		cut_region(d, r);
	}
	if (!p->n_regions && d->has_flash) {
		id->regions[id->n_regions] = d->flash;
		id->regions[id->n_regions++].access = access;
	}
	if (!d->chip)
		return;
	add(id, "option-bytes", BF_REGION_OTHER, d->chip->option_addr, d->chip->option_len,
	    access & BF_ACCESS_READ);
	add(id, "eeprom", BF_REGION_OTHER, d->chip->eeprom_addr, d->chip->eeprom_len,
	    access & BF_ACCESS_READ);
}

static void append_id(char *dst, size_t cap, unsigned pid)
{
	size_t at = strlen(dst);

	snprintf(dst + at, cap - at, ", chip 0x%03X", pid);
}

static void tell_names(const struct bf_stm32 *d, struct bf_ident *id)
{
	uint8_t v = d->got.version;

	snprintf(id->protocol, sizeof(id->protocol), "stm32");
	if (d->set->commands[0])
		snprintf(id->loader, sizeof(id->loader), "ROM loader (%s)", d->link->name);
	else
		snprintf(id->loader, sizeof(id->loader), "ROM loader %u.%u (%s)", (unsigned)v >> 4U,
			 v & 0xFU, d->link->name);
	if (d->chip)
		snprintf(id->model, sizeof(id->model), "%s", d->chip->name);
	else if (d->pid)
		snprintf(id->model, sizeof(id->model), "unknown chip 0x%03X", d->pid);
	else
		snprintf(id->model, sizeof(id->model), "unknown chip");
	if (d->pid)
		append_id(id->loader, sizeof(id->loader), d->pid);
	snprintf(id->serial, sizeof(id->serial), "%s", d->uid);
}

/* A ROM loader is that of every such chip: what hardware it is in, the profile says that its user has chosen. */
static void tell_hardware(const struct bf_stm32 *d, struct bf_ident *id)
{
	if (!d->set->vendor[0])
		return;
	id->has_vid = true;
	bf_uuid_vendor(d->set->vendor, id->vid);
	id->has_cid = d->set->class_name[0];
	if (id->has_cid)
		bf_uuid_class(id->vid, d->set->class_name, id->cid);
}

/* Rates that the CAN loader has; it changes them where the interface can. */
static void tell_rates(const struct bf_stm32 *d, struct bf_ident *id)
{
	static const uint32_t rates[] = { 1000000, 500000, 250000, 125000 };

	if (!d->link->set_rate || d->set->can_form != BF_STM32_CAN_CLASSIC ||
	    !bf_stm32_has(d, BF_STM32_SPEED) || !d->base.env.transport->ops->bus->set_bitrate)
		return;
	memcpy(id->rates, rates, sizeof(rates));
	id->caps |= BF_CAP_RATES;
}

enum bf_rc bf_stm32_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	struct bf_ident id = { .in_flight = 1, .is_anybodys = true };

	if (bf_stm32_learn(d, err))
		return err->rc;
	tell_names(d, &id);
	tell_hardware(d, &id);
	tell_regions(d, &id);
	id.talks = BF_TALKS_LOADER;
	id.in_bootloader = true;
	id.wipes = d->protected && d->base.env.unprotect;
	id.caps = caps_of(d);
	id.block_max = d->block;
	tell_rates(d, &id);
	snprintf(id.no_write, sizeof(id.no_write), "%s", d->why_not);
	p->caps = id.caps;
	*ret = id;
	return BF_OK;
}
