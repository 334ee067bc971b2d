/* SPDX-License-Identifier: MIT */
/*
 * Devices as others ship them, from what is published about them: descriptors of both modes, alternate settings
 * and map strings, sectors, times, what starts the firmware. Every model keeps a signed MCUboot image at
 * BF_DFU_APP_ADDR. Where a real part has two addresses for it, or none, the difference does not matter here.
 */
#include "sim/dfu/dfu_priv.h"

#include <assert.h>
#include <string.h>

#define READ (DFU_READ)
#define RWE  (DFU_READ | DFU_ERASE | DFU_WRITE)

#define PAGE_US BF_MS(22) /* 2 KiB of an STM32G4 */
#define LIST(a) (a), BF_COUNT(a)

/* ---- the project's own ---- */

static const struct dfu_sectors own_sectors[] = {
	{ 0x08000000, 32, 2048, READ, PAGE_US },
	{ 0x08010000, 256, 2048, RWE, PAGE_US },
	{ 0x08090000, 260, 2048, READ, PAGE_US },
	{ 0x08112000, 4, 2048, READ, PAGE_US },
};
static const struct dfu_alt own_stream_alts[] = { { "MCUboot image", DFU_PART_TRIAL } };
static const struct dfu_alt own_memory_alts[] = {
	{ "@Internal Flash  /0x08000000/32*002Ka,256*002Kg", DFU_PART_APP },
	{ "@Calibration  /0x08112000/04*002Ka", DFU_PART_REFUSE },
};

/* ---- ST and those who follow it ---- */

/* One page size throughout, the pack's own loader in the first 64 KiB. */
static const struct dfu_sectors flat_sectors[] = {
	{ 0x08000000, 512, 2048, RWE, PAGE_US },
	{ 0x1fff7800, 1, 40, READ | DFU_WRITE, 0 },
	{ 0x1fff7000, 1, 1024, READ | DFU_WRITE, 0 },
};
static const struct dfu_alt rom_alts[] = {
	{ "@Internal Flash  /0x08000000/512*0002Kg", DFU_PART_APP },
	{ "@Option Bytes  /0x1FFF7800/01*040 e", DFU_PART_REFUSE },
	{ "@OTP Memory /0x1FFF7000/01*0001Ke", DFU_PART_REFUSE },
};
/* A buffer of 128 bytes for the string: the last run is incomplete. */
static const struct dfu_alt cut_alts[] = {
	{ "@Option Bytes  /0x1FFF7800/01*040 e", DFU_PART_REFUSE },
	{ "@Internal Flash  /0x08000000/08*002Kg,24*002Kg,256*002Kg,224*00", DFU_PART_APP },
};

/* RM0090: 4 x 16, 64, 7 x 128 KiB. The firmware has the sector of 64 KiB; settings lie on both sides. */
static const struct dfu_sectors f4_sectors[] = {
	{ 0x08000000, 4, 0x4000, RWE, BF_MS(250) },   { 0x08010000, 1, 0x10000, RWE, BF_MS(550) },
	{ 0x08020000, 7, 0x20000, RWE, BF_MS(1000) }, { 0x1fffc000, 1, 16, READ | DFU_WRITE, 0 },
	{ 0x1fff7800, 1, 528, READ | DFU_WRITE, 0 },  { 0xffff0000, 1, 4, READ | DFU_WRITE, 0 },
};
static const struct dfu_alt f4_alts[] = {
	{ "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg", DFU_PART_APP },
	{ "@Option Bytes  /0x1FFFC000/01*016 e", DFU_PART_REFUSE },
	{ "@OTP Memory /0x1FFF7800/01*512 e,01*016 e", DFU_PART_REFUSE },
	{ "@Device Feature/0xFFFF0000/01*004 e", DFU_PART_REFUSE },
};
static const struct dfu_kept f4_kept[] = {
	{ 0x0800c000, "settings of the pack: cells=16 chemistry=LFP\n" },
	{ 0x08020000, "counters of the pack: cycles=412 charge_ah=39140\n" },
};

/* GD32VF103: 128 KiB in pages of 1 KiB, whatever the map says. */
static const struct dfu_sectors gd32_sectors[] = {
	{ 0x08000000, 128, 1024, RWE, BF_MS(20) },
	{ 0x1ffff800, 1, 16, RWE, 0 },
};
static const struct dfu_alt gd32_alts[] = {
	{ "@Internal Flash  /0x08000000/512*002Kg", DFU_PART_APP },
	{ "@Option Bytes  /0x1FFFF800/01*016 g", DFU_PART_REFUSE },
};

static const struct dfu_sectors opencm3_sectors[] = {
	{ 0x08000000, 64, 1024, READ, BF_MS(20) },
	{ 0x08010000, 448, 1024, RWE, BF_MS(20) },
};
static const struct dfu_alt opencm3_alts[] = {
	{ "@Internal Flash   /0x08000000/64*001Ka,448*001Kg", DFU_PART_APP },
};

/* ---- streams ---- */

static const struct dfu_alt tinyusb_alts[] = { { "FLASH", DFU_PART_APP } };
static const struct dfu_alt dapboot_alts[] = { { "DAPBoot DFU", DFU_PART_APP } };
static const struct dfu_alt zephyr_alts[] = {
	{ "image_0", DFU_PART_SLOT0 },
	{ "image_1", DFU_PART_SLOT1 },
};
static const struct dfu_alt maple_alts[] = {
	{ "STM32duino bootloader v1.0  ERROR. Upload to RAM not supported.", DFU_PART_REFUSE },
	{ "STM32duino bootloader v1.0  Upload to Flash 0x8010000", DFU_PART_APP },
};
static const struct dfu_alt cherryusb_alts[] = { { "CherryUSB DFU", DFU_PART_APP } };

/* ---- the rows ---- */

#define DN  DFU_CAN_DNLOAD
#define UP  DFU_CAN_UPLOAD
#define TOL DFU_TOLERANT
#define WD  DFU_WILL_DETACH

#define ST_RUN                                                 \
	{                                                      \
		0x0483, 0x5740, 0, 0x011a, DN | UP, 1000, 2048 \
	}
#define ST_ROM                                                     \
	{                                                          \
		0x0483, 0xdf11, 0x2200, 0x011a, DN | UP, 255, 2048 \
	}
#define ST_NAME .maker = "STMicroelectronics", .product = "STM32  BOOTLOADER"

/* 1209:0001 and :0002 are for tests and belong to nobody; 0483:DF11 is what the ROM loaders say. */
static const struct dfu_model own_stream = {
	.form = &bf_dfu_form_stream,
	.run = { 0x1209, 0x0001, 0, 0x0110, DN | UP | WD, 1000, 1024 },
	.loader = { 0x1209, 0x0002, 0x0100, 0x0110, DN | UP | WD, 1000, 1024 },
	.alts = own_stream_alts,
	.n_alts = BF_COUNT(own_stream_alts),
	.sectors = own_sectors,
	.n_sectors = BF_COUNT(own_sectors),
	.app_size = BF_PACK_SLOT_SIZE,
	.traits = DFU_CHECKS_FIRST | DFU_TELLS_BAD,
};

static const struct dfu_model own_memory = {
	.form = &bf_dfu_form_memory,
	.run = { 0x0483, 0x5740, 0, 0x011a, DN | UP, 1000, 2048 },
	.loader = { 0x0483, 0xdf11, 0x2200, 0x011a, DN | UP, 1000, 2048 },
	.alts = own_memory_alts,
	.n_alts = BF_COUNT(own_memory_alts),
	.sectors = own_sectors,
	.n_sectors = BF_COUNT(own_sectors),
	.app_size = BF_PACK_SLOT_SIZE,
	.end = DFU_END_LEAVES,
	.reset = DFU_RESET_CLEARS,
	.traits = DFU_STARTS_RAW,
};

/* clang-format off */
static const struct dfu_model models[] = {
	/* The application's own USB stack says DFU 1.1 and jumps into the ROM, which speaks DfuSe. */
	[BF_SIM_STM32APP - BF_SIM_DFU_FIRST] = { /* NOLINT(misc-redundant-expression) */
		.form = &bf_dfu_form_memory,
		.run = { 0x1209, 0x0001, 0, 0x0110, DN | UP | WD, 1000, 4096 }, .loader = ST_ROM,
		ST_NAME, .loader_serial = "207A35903056",
		.alts = rom_alts, .n_alts = BF_COUNT(rom_alts),
		.sectors = flat_sectors, .n_sectors = BF_COUNT(flat_sectors),
		.app_size = BF_PACK_SLOT_SIZE, .end = DFU_END_LEAVES, .reset = DFU_RESET_CLEARS,
		.traits = DFU_STARTS_RAW | DFU_OWN_LOADER,
	},
	/* Leaves by DETACH in DFU mode; a reset only clears its state. */
	[BF_SIM_TINYUSB - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_stream,
		.run = { 0xcafe, 0x4000, 0, 0x0101, DN | WD, 1000, 4096 },
		.loader = { 0xcafe, 0x4010, 0x0100, 0x0101, DN | UP | TOL, 1000, 512 },
		.maker = "TinyUSB", .product = "TinyUSB Device",
		.alts = tinyusb_alts, .n_alts = BF_COUNT(tinyusb_alts),
		.sectors = own_sectors, .n_sectors = BF_COUNT(own_sectors),
		.app_size = BF_PACK_SLOT_SIZE, .busy_us = BF_MS(1),
		.end = DFU_END_IDLE, .reset = DFU_RESET_CLEARS,
		.traits = DFU_DETACH_STARTS | DFU_DETACH_UNHEARD | DFU_READS_PART | DFU_STARTS_RAW,
	},
	/* Leaves by itself in the answer to the manifestation. */
	[BF_SIM_DAPBOOT - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_stream,
		.run = { 0x1209, 0x0001, 0, 0x0110, DN | WD, 1000, 1024 },
		.loader = { 0x1209, 0xdb42, 0x0110, 0x0110, DN | UP | WD, 255, 1024 },
		.maker = "Devanarchy", .product = "DAPBoot DFU Bootloader",
		.alts = dapboot_alts, .n_alts = BF_COUNT(dapboot_alts),
		.sectors = own_sectors, .n_sectors = BF_COUNT(own_sectors),
		.app_size = BF_PACK_SLOT_SIZE, .end = DFU_END_LEAVES,
		.traits = DFU_DETACH_STARTS | DFU_READS_PART | DFU_STARTS_RAW,
	},
	/* Two slots, the second takes a download; MCUboot looks at it when the power comes back. */
	[BF_SIM_ZEPHYR - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_stream,
		.run = { 0x2fe3, 0x0005, 0, 0x0110, DN | UP | TOL, 1000, 128 },
		.loader = { 0x2fe3, 0xffff, 0x0307, 0x0110, DN | UP | TOL, 1000, 128 },
		.maker = "ZEPHYR", .product = "ZEPHYR DFU",
		.alts = zephyr_alts, .n_alts = BF_COUNT(zephyr_alts),
		.sectors = own_sectors, .n_sectors = BF_COUNT(own_sectors),
		.app_size = BF_PACK_SLOT_SIZE, .end = DFU_END_IDLE, .reset = DFU_RESET_IGNORED,
		.traits = DFU_READS_PART | DFU_WRITES_UNSET | DFU_TAKES_ANY,
	},
	/* Zephyr's new stack: DETACH time 0, a state behind in what it tells, waits for the reset. */
	[BF_SIM_ZEPHYR_NEXT - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_stream,
		.run = { 0x2fe3, 0x0001, 0, 0x0110, DN | UP | WD, 0, 512 },
		.loader = { 0x2fe3, 0xffff, 0x0402, 0x0110, DN | UP | WD, 0, 512 },
		.maker = "Zephyr Project", .product = "USBD DFU sample",
		.alts = zephyr_alts, .n_alts = BF_COUNT(zephyr_alts),
		.sectors = own_sectors, .n_sectors = BF_COUNT(own_sectors),
		.app_size = BF_PACK_SLOT_SIZE, .busy_us = BF_MS(10),
		.reset = DFU_RESET_FINISHES,
		.traits = DFU_READS_PART | DFU_TAKES_ANY | DFU_TELLS_BEFORE,
	},
	/* Boots as soon as the empty block is there, and answers nothing more; says that it is tolerant. */
	[BF_SIM_MCUBOOT - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_stream,
		.run = { 0x2fe3, 0x0100, 0, 0x0110, DN | UP | TOL, 1000, 128 },
		.loader = { 0x2fe3, 0x0101, 0x0200, 0x0110, DN | UP | TOL, 1000, 128 },
		.maker = "ZEPHYR", .product = "MCUBOOT",
		.alts = zephyr_alts, .n_alts = BF_COUNT(zephyr_alts),
		.sectors = own_sectors, .n_sectors = BF_COUNT(own_sectors),
		.app_size = BF_PACK_SLOT_SIZE, .end = DFU_END_SILENT,
		.traits = DFU_READS_PART | DFU_WRITES_UNSET | DFU_TAKES_ANY,
	},
	/* Says DfuSe and speaks plain DFU; alternate 0 is not to be used; a question ends the download. */
	[BF_SIM_MAPLE - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_stream,
		.run = { 0x1eaf, 0x0004, 0, 0x0110, DN | UP | WD, 255, 1024 },
		.loader = { 0x1eaf, 0x0003, 0x0200, 0x011a, DN | UP, 255, 1024 },
		.maker = "LeafLabs", .product = "Maple 003",
		.alts = maple_alts, .n_alts = BF_COUNT(maple_alts),
		.sectors = own_sectors, .n_sectors = BF_COUNT(own_sectors),
		.app_size = BF_PACK_SLOT_SIZE, .busy_us = BF_MS(32),
		.reset = DFU_RESET_FINISHES,
		.traits = DFU_ASKING_DROPS | DFU_READS_PART | DFU_TAKES_ANY | DFU_STARTS_RAW,
	},
	/* An error takes CLRSTATUS alone, an upload does not end, the question after the end restarts it. */
	[BF_SIM_CHERRYUSB - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_stream,
		.run = { 0x34b7, 0x0001, 0, 0x011a, DN | UP | WD, 255, 1024 },
		.loader = { 0x34b7, 0xffff, 0x0100, 0x011a, DN | UP | WD, 255, 1024 },
		.maker = "CherryUSB", .product = "CherryUSB DFU DEMO",
		.alts = cherryusb_alts, .n_alts = BF_COUNT(cherryusb_alts),
		.sectors = own_sectors, .n_sectors = BF_COUNT(own_sectors),
		.app_size = BF_PACK_SLOT_SIZE, .end = DFU_END_ASKED, .reset = DFU_RESET_CLEARS,
		.traits = DFU_ERROR_CLEARS_ONLY | DFU_KEEPS_STATE | DFU_READS_PART | DFU_READS_ON |
			  DFU_TAKES_ANY | DFU_STARTS_RAW,
	},
	/* Option bytes first, a map that is cut, stalls while busy, block numbers that count in 1 KiB. */
	[BF_SIM_ST_ROM - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_memory, .run = ST_RUN, .loader = ST_ROM,
		ST_NAME, .loader_serial = "FFFFFFFEFFFF",
		.alts = cut_alts, .n_alts = BF_COUNT(cut_alts),
		.sectors = flat_sectors, .n_sectors = BF_COUNT(flat_sectors),
		.app_size = BF_PACK_SLOT_SIZE, .block_size = 1024,
		.end = DFU_END_LEAVES, .reset = DFU_RESET_CLEARS,
		.traits = DFU_STALLS_BUSY | DFU_STARTS_RAW | DFU_OWN_LOADER,
	},
	[BF_SIM_STM32F4 - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_memory, .run = ST_RUN, .loader = ST_ROM,
		ST_NAME, .loader_serial = "3570366F3234",
		.alts = f4_alts, .n_alts = BF_COUNT(f4_alts),
		.sectors = f4_sectors, .n_sectors = BF_COUNT(f4_sectors),
		.kept = f4_kept, .n_kept = BF_COUNT(f4_kept),
		.app_size = 0x10000, .end = DFU_END_LEAVES, .reset = DFU_RESET_CLEARS,
		.traits = DFU_STARTS_RAW | DFU_OWN_LOADER,
	},
	/* The map is wrong, the serial number is 8-bit text, the empty block is never answered. */
	[BF_SIM_GD32 - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_memory,
		.run = { 0x28e9, 0x018a, 0, 0x011a, DN | UP, 1000, 2048 },
		.loader = { 0x28e9, 0x0189, 0x1000, 0x011a, DN | UP, 255, 2048 },
		.maker = "GigaDevice", .product = "GD32 0x418 DFU Bootloade", .loader_serial = "3CBJ",
		.alts = gd32_alts, .n_alts = BF_COUNT(gd32_alts),
		.sectors = gd32_sectors, .n_sectors = BF_COUNT(gd32_sectors),
		.app_size = 0x10000, .end = DFU_END_ON_EMPTY, .reset = DFU_RESET_CLEARS,
		.traits = DFU_RAW_SERIAL | DFU_STARTS_RAW | DFU_OWN_LOADER,
	},
	/* DfuSe without UPLOAD, 100 ms a block. */
	[BF_SIM_OPENCM3 - BF_SIM_DFU_FIRST] = {
		.form = &bf_dfu_form_memory,
		.run = { 0x1d50, 0x6018, 0, 0x011a, DN | WD, 255, 1024 },
		.loader = { 0x1d50, 0x6017, 0x0100, 0x011a, DN | WD, 255, 1024 },
		.maker = "Black Sphere Technologies", .product = "Upgrade (DFU)",
		.alts = opencm3_alts, .n_alts = BF_COUNT(opencm3_alts),
		.sectors = opencm3_sectors, .n_sectors = BF_COUNT(opencm3_sectors),
		.app_size = 0x70000, .busy_us = BF_MS(100),
		.end = DFU_END_LEAVES, .reset = DFU_RESET_CLEARS, .traits = DFU_STARTS_RAW,
	},
};
/* clang-format on */
static_assert(BF_COUNT(models) == BF_SIM_DFU_COUNT, "a row for every model");

static void lay_habits(struct dfu_model *m, unsigned habits)
{
	if (habits & BF_HABIT_NODOWNLOAD) {
		m->run.attributes &= (uint8_t)~DFU_CAN_DNLOAD;
		m->loader.attributes &= (uint8_t)~DFU_CAN_DNLOAD;
	}
	if (habits & BF_HABIT_DFU11)
		m->run.bcd_dfu = m->loader.bcd_dfu = 0x0110;
	if (habits & BF_HABIT_STAYS) {
		m->end = DFU_END_IDLE;
		m->reset = DFU_RESET_CLEARS;
		m->traits &= ~(unsigned)DFU_DETACH_STARTS;
		m->loader.attributes |= DFU_TOLERANT;
	}
	if (habits & BF_HABIT_MANIFESTS) {
		m->end = DFU_END_MANIFESTS;
		m->reset = DFU_RESET_STARTS;
		m->loader.attributes &= (uint8_t)~DFU_TOLERANT;
	}
	m->transfer = m->loader.transfer_size;
	if (habits & BF_HABIT_SIZEFFFF)
		m->transfer = BF_DFU_MAX_TRANSFER;
	if (habits & BF_HABIT_SIZE0)
		m->loader.transfer_size = 0;
	if (habits & BF_HABIT_SIZEFFFF)
		m->loader.transfer_size = 0xffff;
	if (habits & BF_HABIT_SIZE32)
		m->loader.transfer_size = 32;
	if (habits & BF_HABIT_DETACH0) {
		m->run.detach_ms = 0;
		m->run.attributes &= (uint8_t)~DFU_WILL_DETACH;
	}
	if (!m->block_size)
		m->block_size = m->transfer;
}

struct dfu_model bf_dfu_device_model(const struct bf_sim_opts *opts)
{
	struct dfu_model m = opts->protocol == BF_SIM_DFUSE ? own_memory : own_stream;

	if (bf_sim_model_is_dfu(opts->model))
		m = models[opts->model - BF_SIM_DFU_FIRST];
	lay_habits(&m, opts->habits);
	return m;
}

const struct dfu_sectors *bf_dfu_device_sectors(const struct dfu_model *m, uint32_t addr)
{
	for (size_t i = 0; i < m->n_sectors; i++)
		if (addr - m->sectors[i].addr < m->sectors[i].count * m->sectors[i].size)
			return &m->sectors[i];
	return NULL;
}

void bf_dfu_device_preload(struct bf_pack *pack)
{
	struct dfu_model m = bf_dfu_device_model(bf_pack_opts(pack));

	for (size_t i = 0; i < m.n_kept; i++)
		bf_pack_preload(pack, m.kept[i].addr, m.kept[i].text, strlen(m.kept[i].text));
}

/* Does the sector from `addr` hold any byte of the image? */
static bool holds(uint32_t addr, uint32_t size, uint32_t from, size_t len)
{
	return from < addr + size && addr < from + len;
}

uint32_t bf_dfu_device_outside(const struct bf_pack *pack, uint32_t from, size_t len)
{
	struct dfu_model m = bf_dfu_device_model(bf_pack_opts(pack));

	for (uint32_t at = BF_FLASH_BASE; at < BF_FLASH_BASE + BF_FLASH_SIZE;
	     at += BF_FLASH_GRAIN) {
		const struct dfu_sectors *s = bf_dfu_device_sectors(&m, at);
		uint32_t sector = s ? at - (at - s->addr) % s->size : at;

		if (!bf_pack_touched(pack, at, BF_FLASH_GRAIN))
			continue;
		if (!s || !holds(sector, s->size, from, len))
			return at;
	}
	return 0;
}
