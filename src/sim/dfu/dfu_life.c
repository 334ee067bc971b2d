/* SPDX-License-Identifier: MIT */
/* When the device is on the bus and as what: it follows the pack through its restarts. */
#include "sim/dfu/dfu_priv.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"

#define ENUMERATE_US BF_MS(300)  /* debounce, reset, descriptors: what a PC takes */
#define PROOF_US     BF_MS(1500) /* after that firmware on trial knows whether it is well */

#define HEADER_SIZE   0x200u
#define MCUBOOT_MAGIC 0x96f3b83du
#define RAM_BASE      0x20000000u
#define RAM_SIZE      0x00080000u

/* ---- what runs in a single bank without MCUboot ---- */

/* As simple loaders judge: the first two words of the vector table are a stack and a function. */
bool bf_dfu_device_starts_at(const struct bf_dfu_device *dev, uint32_t addr)
{
	const uint8_t *p = bf_pack_view(dev->pack, addr, 8);
	uint32_t sp = p ? bf_get_le32(p) : 0, entry = p ? bf_get_le32(p + 4) : 0;

	return sp - RAM_BASE <= RAM_SIZE && (entry & 1) &&
	       entry - BF_DFU_APP_ADDR < BF_PACK_SLOT_SIZE;
}

static bool has_header(const struct bf_dfu_device *dev)
{
	return bf_get_le32(bf_pack_view(dev->pack, BF_DFU_APP_ADDR, 4)) == MCUBOOT_MAGIC;
}

/* A model's loader starts raw firmware only where no image header says that there must be a signature. */
static bool raw_startable(const struct bf_dfu_device *dev)
{
	bool model = bf_sim_model_is_dfu(bf_pack_opts(dev->pack)->model);

	if (!bf_dfu_has(dev, DFU_STARTS_RAW) || (model && has_header(dev)) ||
	    (bf_dfu_has(dev, DFU_OWN_LOADER) && !bf_pack_loader_whole(dev->pack)))
		return false;
	return bf_dfu_device_starts_at(dev, BF_DFU_APP_ADDR + HEADER_SIZE) ||
	       bf_dfu_device_starts_at(dev, BF_DFU_APP_ADDR);
}

bool bf_dfu_device_startable(const struct bf_dfu_device *dev)
{
	return bf_pack_verdict(dev->pack, 0) == BF_VERDICT_GOOD || raw_startable(dev);
}

static bool runs_raw(const struct bf_dfu_device *dev)
{
	return !bf_pack_in_window(dev->pack) && bf_pack_mode(dev->pack) == BF_PACK_LOADER &&
	       raw_startable(dev);
}

bool bf_dfu_runs_app(const struct bf_dfu_device *dev)
{
	if (bf_pack_mode(dev->pack) == BF_PACK_APP)
		return true;
	return !dev->asked && runs_raw(dev);
}

/* The demonstration firmware carries its name, "bms-16s demo application 1.5.0". */
static void raw_version(const struct bf_dfu_device *dev, unsigned ret[3])
{
	const char *p = (const char *)bf_pack_view(dev->pack, BF_DFU_APP_ADDR, BF_PACK_SLOT_SIZE);
	const char *end = p + BF_PACK_SLOT_SIZE - 64;
	char text[64];

	while (p && p < end && (p = memmem(p, (size_t)(end - p), "bms", 3))) {
		memcpy(text, p, sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		if (strrchr(text, ' ') &&
		    sscanf(strrchr(text, ' '), " %2u.%2u.%2u", &ret[0], &ret[1], &ret[2]) == 3)
			return;
		p++;
	}
}

void bf_dfu_running_version(const struct bf_dfu_device *dev, unsigned ret[3])
{
	const struct bf_mimage *image = bf_pack_running(dev->pack);

	memset(ret, 0, 3 * sizeof(*ret));
	if (image) {
		ret[0] = image->major;
		ret[1] = image->minor;
		ret[2] = image->revision;
	} else if (runs_raw(dev)) {
		raw_version(dev, ret);
	}
}

/* ---- coming and going ---- */

static void forget_times(struct bf_dfu_device *dev)
{
	dev->busy_at = dev->leave_at = dev->detach_by = dev->proof_at = BF_NEVER;
}

static void appear(struct bf_dfu_device *dev, bf_time now)
{
	bool bad = !dev->asked && bf_dfu_has(dev, DFU_TELLS_BAD) && !bf_pack_in_window(dev->pack);

	dev->dfu_mode = !bf_dfu_runs_app(dev);
	dev->present = true;
	dev->enumeration++;
	dev->up_at = BF_NEVER;
	forget_times(dev);
	dev->status = DFU_OK;
	dev->state = dev->dfu_mode ? DFU_IDLE : DFU_APP_IDLE;
	/* DFU 1.1, A.1: a device whose firmware is bad says so in the first answer. */
	if (dev->dfu_mode && bad) {
		dev->state = DFU_ERROR;
		dev->status = DFU_ERR_FIRMWARE;
	}
	dev->config = dev->alt = 0;
	dev->staged = 0;
	dev->alt_set = dev->again = dev->silent = dev->used = dev->stuck = false;
	dev->pointer = BF_FLASH_BASE;
	if (bf_pack_on_trial(dev->pack))
		dev->proof_at = now + PROOF_US;
	if (!dev->dfu_mode && bf_pack_mode(dev->pack) == BF_PACK_LOADER)
		bf_pack_start_raw(dev->pack);
}

/* Other firmware than the pack came with may have no USB at all. */
static bool never_shows(const struct bf_dfu_device *dev)
{
	unsigned v[3], first[3] = { 0 };

	if (!(dev->habits & BF_HABIT_HIDDEN) || !bf_dfu_runs_app(dev))
		return false;
	bf_dfu_running_version(dev, v);
	sscanf(bf_pack_opts(dev->pack)->version, "%u.%u.%u", &first[0], &first[1], &first[2]);
	return memcmp(v, first, sizeof(v)) != 0;
}

/* Without its own loader a part stays in nothing, unless somebody held its boot pin. */
static bool is_dead(const struct bf_dfu_device *dev)
{
	return bf_dfu_has(dev, DFU_OWN_LOADER) && !dev->asked && !bf_pack_loader_whole(dev->pack);
}

/* It was on long before anybody looked: only later starts are late. */
static bf_time shows_after(const struct bf_dfu_device *dev)
{
	bool late = dev->enumeration && bf_dfu_runs_app(dev);

	return ENUMERATE_US + (late ? BF_MS(bf_pack_opts(dev->pack)->show_ms) : 0);
}

static void follow_pack(struct bf_dfu_device *dev, bf_time now)
{
	enum bf_pack_mode mode = bf_pack_mode(dev->pack);
	bool up = mode == BF_PACK_LOADER || mode == BF_PACK_APP;

	if (!up || dev->starts != bf_pack_starts(dev->pack)) {
		dev->present = dev->hung = false;
		dev->up_at = BF_NEVER;
		dev->starts = bf_pack_starts(dev->pack);
	}
	if (up && !dev->present && dev->up_at == BF_NEVER && !dev->hung && !is_dead(dev)) {
		if (!never_shows(dev))
			dev->up_at = now + shows_after(dev);
		else if (bf_pack_on_trial(dev->pack) && dev->proof_at == BF_NEVER)
			dev->proof_at = now + PROOF_US;
	}
	if (dev->up_at <= now)
		appear(dev, now);
}

void bf_dfu_device_restart(struct bf_dfu_device *dev, bool to_loader, bf_time now)
{
	dev->asked = to_loader;
	forget_times(dev);
	if (dev->hung) {
		dev->present = false;
		dev->up_at = BF_NEVER;
		return;
	}
	if (to_loader)
		bf_pack_restart_to_loader(dev->pack, now);
	else
		bf_pack_restart(dev->pack, BF_PACK_BY_REQUEST, now);
	bf_pack_run(dev->pack, now);
	follow_pack(dev, now);
}

/* Nobody confirms over DFU: the new firmware does it itself, or gives up and lets itself be undone. */
static void judge_itself(struct bf_dfu_device *dev, bf_time now)
{
	const char *text;
	bf_time done;

	dev->proof_at = BF_NEVER;
	if (bf_pack_self_test(dev->pack, &text))
		bf_pack_confirm(dev->pack, now, &done);
	else
		bf_dfu_device_restart(dev, false, now);
}

static void finish_work(struct bf_dfu_device *dev, bf_time now)
{
	dev->busy_at = BF_NEVER;
	if (dev->state == DFU_DNBUSY && !dev->stuck) {
		dev->state = DFU_DNLOAD_SYNC;
	} else if (dev->state == DFU_MANIFEST && dev->m.end == DFU_END_LEAVES) {
		bf_dfu_device_restart(dev, false, now);
	} else if (dev->state == DFU_MANIFEST && dev->m.end != DFU_END_MANIFESTS) {
		dev->again = dev->m.end == DFU_END_IDLE;
		dev->state = dev->again ? DFU_MANIFEST_SYNC : DFU_MANIFEST_WAIT_RESET;
	}
}

void bf_dfu_advance(struct bf_dfu_device *dev, bf_time now)
{
	follow_pack(dev, now);
	if (dev->proof_at <= now)
		judge_itself(dev, now);
	if (!dev->present)
		return;
	if (dev->busy_at <= now)
		finish_work(dev, now);
	if (dev->leave_at <= now)
		bf_dfu_device_restart(dev, dev->state == DFU_APP_DETACH, now);
	if (dev->detach_by <= now) {
		dev->detach_by = BF_NEVER;
		dev->state = DFU_APP_IDLE;
	}
}

/* Does a USB reset start the firmware? */
static bool reset_starts(const struct bf_dfu_device *dev)
{
	bool working =
		dev->used || dev->state == DFU_MANIFEST_WAIT_RESET || dev->state == DFU_ERROR;

	return dev->silent || dev->m.reset == DFU_RESET_STARTS ||
	       (dev->m.reset == DFU_RESET_FINISHES && working);
}

void bf_dfu_device_bus_reset(struct bf_dfu_device *dev, bf_time now)
{
	bool enumerating = dev->config == 0;

	bf_dfu_device_run(dev, now);
	if (!dev->present)
		return;
	dev->config = dev->alt = 0;
	dev->alt_set = false;
	if (dev->state == DFU_APP_DETACH) {
		bf_dfu_device_restart(dev, true, now);
		return;
	}
	if (!dev->dfu_mode)
		return;
	/* A PC resets a new device before it configures it; that is no wish to leave. */
	if (!enumerating && reset_starts(dev)) {
		bf_dfu_device_restart(dev, false, now);
		return;
	}
	if (dev->m.reset != DFU_RESET_IGNORED &&
	    (dev->state != DFU_ERROR || dev->status != DFU_ERR_FIRMWARE)) {
		dev->state = DFU_IDLE;
		dev->status = DFU_OK;
		dev->staged = 0;
		dev->busy_at = BF_NEVER;
	}
}

/* ---- for whoever owns the device ---- */

struct bf_dfu_device *bf_dfu_device_new(struct bf_pack *pack, bf_time now)
{
	struct bf_dfu_device *dev = calloc(1, sizeof(*dev));

	if (!dev)
		abort();
	dev->pack = pack;
	dev->m = bf_dfu_device_model(bf_pack_opts(pack));
	dev->habits = bf_pack_opts(pack)->habits;
	dev->starts = bf_pack_starts(pack);
	dev->up_at = BF_NEVER;
	forget_times(dev);
	bf_dfu_advance(dev, now);
	return dev;
}

struct bf_dfu_device *bf_dfu_device_free(struct bf_dfu_device *dev)
{
	free(dev);
	return NULL;
}

bool bf_dfu_device_present(const struct bf_dfu_device *dev)
{
	return dev->present;
}

unsigned bf_dfu_device_enumeration(const struct bf_dfu_device *dev)
{
	return dev->enumeration;
}

static bf_time earlier(bf_time a, bf_time b)
{
	return a < b ? a : b;
}

unsigned bf_dfu_device_strays(const struct bf_dfu_device *dev)
{
	return dev->strays;
}

bf_time bf_dfu_device_next(const struct bf_dfu_device *dev)
{
	bf_time at = earlier(bf_pack_next(dev->pack), earlier(dev->up_at, dev->proof_at));

	if (!dev->present)
		return at;
	return earlier(at, earlier(dev->busy_at, earlier(dev->leave_at, dev->detach_by)));
}

void bf_dfu_device_run(struct bf_dfu_device *dev, bf_time now)
{
	if (bf_pack_next(dev->pack) <= now)
		bf_pack_run(dev->pack, now);
	bf_dfu_advance(dev, now);
}

/* ---- as a gadget ---- */

static bool gadget_present(const void *dev)
{
	return bf_dfu_device_present(dev);
}

static unsigned gadget_enumeration(const void *dev)
{
	return bf_dfu_device_enumeration(dev);
}

static int gadget_control(void *dev, const uint8_t setup[8], uint8_t *data, bf_time now)
{
	return bf_dfu_device_control(dev, setup, data, now);
}

static void gadget_bus_reset(void *dev, bf_time now)
{
	bf_dfu_device_bus_reset(dev, now);
}

static bf_time gadget_next(const void *dev)
{
	return bf_dfu_device_next(dev);
}

static void gadget_run(void *dev, bf_time now)
{
	bf_dfu_device_run(dev, now);
}

struct bf_gadget bf_dfu_gadget(struct bf_dfu_device *dev)
{
	static const uint8_t interfaces[] = { 0xfe, 0x01, 0x00 }; /* application, firmware */
	static const struct bf_gadget_ops ops = {
		.interfaces = interfaces,
		.n_interfaces = 1,
		.present = gadget_present,
		.enumeration = gadget_enumeration,
		.control = gadget_control,
		.bus_reset = gadget_bus_reset,
		.next = gadget_next,
		.run = gadget_run,
	};

	return (struct bf_gadget){ &ops, dev };
}
