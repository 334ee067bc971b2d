/* SPDX-License-Identifier: MIT */
/* The pack's life: made, powered, started, restarted, cut off. */
#include "sim/pack_priv.h"

#include <string.h>
#include <unistd.h>

#include "bmsflash/rng.h"
#include "sim/builtin.h"
#include "sim/dfu/dfu_device.h"
#include "sim/stm32/rom.h"
#include "sim/uuid.h"
#include "sim/xmodem/unit.h"

#define ROM_US         BF_MS(5)
#define BOOT_US        BF_MS(120) /* clocks, RAM check, driver set-up of the firmware */
#define CRASH_AFTER_US BF_MS(400)
#define WATCHDOG_US    BF_MS(1000)

/* The demonstration key that signs the built-in images. */
static const uint8_t release_key[32] = { 0xb4, 0x6c, 0xaf, 0xd6, 0x3a, 0xd3, 0xfa, 0xe6,
					 0x99, 0x81, 0x73, 0x73, 0x9c, 0x7e, 0xa1, 0x62,
					 0x1e, 0x65, 0x45, 0x07, 0x5e, 0x77, 0xad, 0x1b,
					 0x16, 0x0a, 0x0a, 0x6c, 0xd6, 0xca, 0x28, 0x0d };

static void set_trust(struct bf_pack *p)
{
	memcpy(p->trust.keys[0], release_key, sizeof(release_key));
	p->trust.n_keys = 1;
	if (p->opts.has_trust)
		memcpy(p->trust.keys[p->trust.n_keys++], p->opts.trust, sizeof(p->opts.trust));
	bf_uuid_dns(p->trust.vid, p->opts.vendor);
	bf_uuid_in(p->trust.cid, p->trust.vid, p->opts.class_name);
}

static void set_flash_times(struct bf_pack *p)
{
	if (p->opts.quirks & BF_QUIRK_SLOW) {
		p->flash.erase_us *= 4;
		p->flash.program_us *= 4;
	}
	if (p->opts.flash_instant)
		p->flash.erase_us = p->flash.program_us = 0;
	p->flash.cut_at = p->opts.cut_op;
	p->flash.cut_after = p->opts.cut_after;
}

static enum bf_rc put_builtin(struct bf_pack *p, uint32_t addr, const char *version,
			      struct bf_err *err)
{
	if (!*version || strcmp(version, "none") == 0)
		return BF_OK;
	for (const struct bf_builtin *b = bf_builtins; b->version; b++) {
		if (strcmp(b->version, version) == 0) {
			bf_flash_preload(&p->flash, addr, b->p, b->len);
			return BF_OK;
		}
	}
	bf_fail(err, BF_E_USAGE, "the virtual pack has no built-in firmware '%s'", version);
	bf_do(err, "use one of 1.3.0, 1.4.0, 1.5.0 or none");
	return BF_E_USAGE;
}

/* Something to read back in the regions that hold no firmware. */
static void fill_regions(struct bf_pack *p)
{
	static const char config[] = "cells=16\nchemistry=LFP\nover_voltage_mv=3650\n"
				     "under_voltage_mv=2500\nover_current_a=150\n";
	struct bf_rng rng = { p->opts.seed ^ 0xB007u };
	uint8_t page[BF_FLASH_PAGE];

	for (unsigned n = 0; n < BF_LOADER_SIZE / BF_FLASH_PAGE; n++) {
		for (size_t i = 0; i < sizeof(page); i++)
			page[i] = (uint8_t)bf_rng_next(&rng);
		bf_flash_preload(&p->flash, BF_ADDR_BOOT + n * BF_FLASH_PAGE, page, sizeof(page));
	}
	bf_flash_preload(&p->flash, BF_ADDR_CONFIG, config, sizeof(config) - 1);
	if (p->opts.calib) {
		rng.state = p->opts.calib ^ 0xCA11Bu;
		for (size_t i = 0; i < sizeof(page); i++)
			page[i] = (uint8_t)bf_rng_next(&rng);
	}
	bf_flash_preload(&p->flash, BF_ADDR_CALIB, page, 256);
}

static enum bf_rc make_as_factory(struct bf_pack *p, struct bf_err *err)
{
	bool unit = p->opts.protocol == BF_SIM_XMODEM;
	enum bf_rc rc = BF_OK;

	if (!p->opts.blank) {
		if (!unit)
			rc = put_builtin(p, BF_ADDR_SLOT0, p->opts.version, err);
		if (!rc && !unit)
			rc = put_builtin(p, BF_ADDR_SLOT1, p->opts.slot1, err);
		fill_regions(p);
	}
	if (bf_rom_chip(&p->opts))
		bf_rom_preload(p);
	if (bf_pack_is_plain(p) && !bf_flash_blank(&p->flash, BF_ADDR_SLOT0, BF_FLASH_WORD))
		bf_flash_preload(&p->flash, BF_ADDR_VALID, bf_valid_mark, sizeof(bf_valid_mark));
	if (unit)
		bf_unit_preload(p);
	if (p->opts.link == BF_SIM_USB)
		bf_dfu_device_preload(p);
	if (!rc && bf_pack_images(p) > 1)
		rc = put_builtin(p, BF_ADDR_SLOT2, p->opts.image1, err);
	p->fresh = true;
	p->kept.counter = p->opts.counter;
	memset(p->kept.fingerprint, 0, sizeof(p->kept.fingerprint));
	return rc;
}

enum bf_rc bf_pack_new(const struct bf_sim_opts *opts, struct bf_pack **ret, struct bf_err *err)
{
	BF_AUTO(bf_pack) *p = calloc(1, sizeof(*p));
	struct bf_rng rng = { opts->seed };
	enum bf_rc rc;

	if (!p)
		abort();
	p->opts = *opts;
	if (bf_pack_is_plain(p))
		p->opts.quirks |= BF_QUIRK_SINGLEBANK;
	if (!p->opts.window_ms)
		p->opts.window_ms = bf_plain_window_ms(opts);
	p->lock_fd = -1;
	bf_flash_init(&p->flash);
	if (bf_rom_chip(opts)) {
		p->opts.quirks |= BF_QUIRK_SINGLEBANK;
		bf_flash_reads_erased(&p->flash, bf_rom_erased(bf_rom_chip(opts)));
	}
	p->banks =
		(struct bf_banks){ &p->flash, { BF_ADDR_SLOT0, BF_ADDR_SLOT1 }, BF_PACK_SLOT_SIZE };
	p->second = (struct bf_banks){ &p->flash,
				       { BF_ADDR_SLOT2, BF_ADDR_SLOT3 },
				       BF_PACK_SLOT2_SIZE };
	p->restart_at = p->crash_at = p->power_at = p->window_until = BF_NEVER;
	set_trust(p);
	set_flash_times(p);
	for (size_t i = 0; i < BF_PACK_CELLS; i++)
		p->cell_offset[i] = (uint8_t)bf_rng_below(&rng, 9);
	if (bf_pack_lock(p, err))
		return err->rc;
	if (*opts->state && access(opts->state, F_OK) == 0)
		rc = bf_pack_load(p, err);
	else
		rc = make_as_factory(p, err);
	if (rc)
		return rc;
	*ret = bf_steal(&p);
	return BF_OK;
}

struct bf_pack *bf_pack_free(struct bf_pack *pack)
{
	if (!pack)
		return NULL;
	bf_pack_unlock(pack);
	bf_flash_done(&pack->flash);
	free(pack);
	return NULL;
}

const struct bf_sim_opts *bf_pack_opts(const struct bf_pack *pack)
{
	return &pack->opts;
}

void bf_pack_die(struct bf_pack *pack, bf_time now)
{
	pack->mode = BF_PACK_OFF;
	pack->runs = pack->raw = false;
	pack->restart_at = pack->crash_at = pack->power_at = pack->window_until = BF_NEVER;
	if (pack->opts.repower_ms)
		pack->power_at = now + BF_MS(pack->opts.repower_ms);
}

static void start(struct bf_pack *p, enum bf_pack_reason reason, bf_time now)
{
	p->stay_in_loader = p->stay_in_loader || bf_sim_opts_held(&p->opts, p->starts);
	p->starts++;
	p->starts_since_power++;
	p->mode = BF_PACK_STARTING;
	p->reason = reason;
	p->restart_at = p->crash_at = p->window_until = BF_NEVER;
	p->confirmed_now = p->raw = false;
	p->busy_until = now;
	bf_pack_boot(p);
	p->by_pin = false;
	p->go_to = 0;
	p->ready_at = now + (p->in_rom ? ROM_US : BOOT_US + bf_pack_check_us(p, p->active, 0)) +
		      bf_flash_take_time(&p->flash);
	if (p->flash.dead)
		bf_pack_die(p, p->ready_at);
}

void bf_pack_power(struct bf_pack *pack, bool on, bf_time now)
{
	if (!on) {
		pack->flash.dead = true;
		bf_pack_die(pack, now);
		pack->power_at = BF_NEVER;
		return;
	}
	if (pack->mode != BF_PACK_OFF)
		return;
	if (!pack->starts)
		pack->born = now;
	pack->flash.dead = false;
	pack->power_at = BF_NEVER;
	pack->starts_since_power = 0;
	pack->stay_in_loader = pack->armed = false;
	start(pack, BF_PACK_BY_POWER, now);
}

bool bf_pack_in_rom(const struct bf_pack *pack)
{
	return pack->in_rom;
}

void bf_pack_release_reset(struct bf_pack *pack, bf_time now)
{
	pack->by_pin = true;
	bf_pack_power(pack, true, now);
}

void bf_pack_jump(struct bf_pack *pack, uint32_t addr, bf_time now)
{
	bf_pack_restart(pack, BF_PACK_BY_REQUEST, now);
	pack->go_to = addr;
}

void bf_pack_plug_in(struct bf_pack *pack, bf_time now)
{
	if (pack->opts.poweron_ms)
		pack->power_at = now + BF_MS(pack->opts.poweron_ms);
	else
		bf_pack_power(pack, true, now);
}

bool bf_pack_in_window(const struct bf_pack *pack)
{
	return pack->window_until != BF_NEVER;
}

void bf_pack_cut_at(struct bf_pack *pack, uint64_t op)
{
	pack->flash.cut_at = op ? pack->flash.ops + op : 0;
}

uint64_t bf_pack_ops(const struct bf_pack *pack)
{
	return pack->flash.ops;
}

void bf_pack_restart(struct bf_pack *pack, enum bf_pack_reason reason, bf_time now)
{
	pack->stay_in_loader = false;
	pack->restart_reason = reason;
	pack->restart_at = bf_pack_idle_at(pack, now);
}

void bf_pack_restart_to_loader(struct bf_pack *pack, bf_time now)
{
	bf_pack_restart(pack, BF_PACK_BY_REQUEST, now);
	pack->stay_in_loader = true;
}

bf_time bf_pack_next(const struct bf_pack *pack)
{
	bf_time at = pack->mode == BF_PACK_STARTING ? pack->ready_at : BF_NEVER;

	if (pack->restart_at < at)
		at = pack->restart_at;
	if (pack->crash_at < at)
		at = pack->crash_at;
	if (pack->window_until < at)
		at = pack->window_until;
	return pack->power_at < at ? pack->power_at : at;
}

static void tell_start(struct bf_pack *p)
{
	if (p->watch)
		p->watch->started(p->watch->ctx, p);
}

static void start_firmware(struct bf_pack *p, bf_time now)
{
	p->mode = BF_PACK_APP;
	tell_start(p);
	if (p->trial && p->opts.crash == BF_SIM_CRASH_TRIAL)
		p->crash_at = now + CRASH_AFTER_US;
}

/* A restart that was asked for needs no second chance: whoever asked knows how to ask for the loader. */
static void become_ready(struct bf_pack *p)
{
	if (p->hung) { /* only power or a reset gets it out of there */
		p->ready_at = BF_NEVER;
		return;
	}
	if (!p->runs) {
		p->mode = BF_PACK_LOADER;
		return;
	}
	if (!p->opts.window_ms || p->reason == BF_PACK_BY_REQUEST) {
		start_firmware(p, p->ready_at);
		return;
	}
	p->mode = BF_PACK_LOADER;
	p->window_until = p->ready_at + BF_MS(p->opts.window_ms);
	p->window_trial = p->trial;
	p->runs = p->trial = false;
}

/* Nobody asked for the loader: to its servers the firmware is another start. */
static void close_window(struct bf_pack *p)
{
	bf_time now = p->window_until;

	p->window_until = BF_NEVER;
	p->runs = true;
	p->trial = p->window_trial;
	p->starts++;
	start_firmware(p, now);
}

void bf_pack_run(struct bf_pack *pack, bf_time now)
{
	if (pack->mode == BF_PACK_STARTING && pack->ready_at <= now)
		become_ready(pack);
	if (pack->window_until <= now)
		close_window(pack);
	if (pack->power_at <= now)
		bf_pack_power(pack, true, now);
	if (pack->restart_at <= now)
		start(pack, pack->restart_reason, now);
	if (pack->crash_at <= now) {
		/* The firmware hangs; the watchdog needs its time to notice. */
		pack->crash_at = BF_NEVER;
		pack->mode = BF_PACK_STARTING;
		pack->ready_at = BF_NEVER;
		pack->restart_reason = BF_PACK_BY_WATCHDOG;
		pack->restart_at = now + WATCHDOG_US;
	}
}

enum bf_pack_mode bf_pack_mode(const struct bf_pack *pack)
{
	return pack->mode;
}

unsigned bf_pack_starts(const struct bf_pack *pack)
{
	return pack->starts;
}

unsigned bf_pack_starts_since_power(const struct bf_pack *pack)
{
	return pack->starts_since_power;
}

enum bf_pack_reason bf_pack_reason(const struct bf_pack *pack)
{
	return pack->reason;
}

static bool dies_now(struct bf_pack *p, bf_time now)
{
	p->flash.dead = true;
	bf_pack_die(p, now);
	return true;
}

bool bf_pack_message(struct bf_pack *pack, bf_time now)
{
	if (pack->mode == BF_PACK_OFF)
		return false;
	pack->window_until = BF_NEVER; /* it was asked in time: the loader stays */
	return ++pack->messages != pack->opts.cut_msg || !dies_now(pack, now);
}

void bf_pack_heard(struct bf_pack *pack, const uint8_t *msg, size_t len)
{
	if (pack->watch && pack->watch->heard)
		pack->watch->heard(pack->watch->ctx, pack, msg, len);
}

bool bf_pack_reply(struct bf_pack *pack, bf_time now)
{
	if (pack->mode == BF_PACK_OFF)
		return false;
	return ++pack->replies != pack->opts.cut_reply || !dies_now(pack, now);
}

void bf_pack_start_raw(struct bf_pack *pack)
{
	pack->raw = true;
	tell_start(pack);
}

bool bf_pack_runs_raw(const struct bf_pack *pack)
{
	return pack->raw;
}

void bf_pack_set_watch(struct bf_pack *pack, const struct bf_pack_watch *watch)
{
	pack->watch = watch;
}

struct bf_pack_kept *bf_pack_kept(struct bf_pack *pack)
{
	return &pack->kept;
}
