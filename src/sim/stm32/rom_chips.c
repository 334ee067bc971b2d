/* SPDX-License-Identifier: MIT */
/*
 * Chips: identifiers, memory maps and loader versions of AN2606, flash of the reference manuals, times of the data sheets.
 * What no paper tells, and is assumed here: the order of identifier bytes of AT32, and the addresses of GD32's
 * identifier words.
 */
#include "sim/stm32/rom_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/rng.h"

static const uint8_t old_commands[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31,
					0x43, 0x63, 0x73, 0x82, 0x92 };
static const uint8_t new_commands[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31,
					0x44, 0x63, 0x73, 0x82, 0x92 };
/* Clones leave out what they think nobody needs. */
static const uint8_t few_commands[] = { 0x00, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92 };
static const uint8_t sum_commands[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31,
					0x44, 0x63, 0x73, 0x82, 0x92, 0xA1 };

#define LIST(a) .commands = (a), .n_commands = BF_COUNT(a)

static const struct bf_rom_chip chips[] = {
	/* Medium density, 128 KiB. */
	{ .id = BF_SIM_F103,
	  .pid = { 0x04, 0x10 },
	  .pid_len = 2,
	  .version = 0x22,
	  LIST(old_commands),
	  .sectors = { { 128, 0x400, BF_MS(30) } },
	  .banks = 1,
	  .mass_us = BF_MS(40),
	  .erased = 0xFF,
	  .unit = 2,
	  .program_us = 52,
	  .longest = 256,
	  .ram_size = 0x5000,
	  .ram_own = 0x200,
	  .system = 0x1FFFF000,
	  .system_size = 0x800,
	  .options = 0x1FFFF800,
	  .options_size = 16,
	  .option_open = 0xA5,
	  .uid = 0x1FFFF7E8,
	  .size_word = 0x1FFFF7E0,
	  .protect_pages = 4,
	  .traits = ROM_MEASURES | ROM_DROPS_UNKNOWN | ROM_CAN_LIST | ROM_CAN_SPEED_2 |
		    ROM_ACKS_DIRTY },
	/* 1 MiB in sectors of three sizes. */
	{ .id = BF_SIM_F407,
	  .pid = { 0x04, 0x13 },
	  .pid_len = 2,
	  .version = 0x31,
	  LIST(new_commands),
	  .sectors = { { 4, 0x4000, BF_MS(250) },
		       { 1, 0x10000, BF_MS(550) },
		       { 7, 0x20000, BF_SEC(1) } },
	  .banks = 1,
	  .mass_us = BF_SEC(8),
	  .erased = 0xFF,
	  .unit = 4,
	  .program_us = 16,
	  .how = BF_PROGRAM_CLEARS,
	  .longest = 256,
	  .ram_size = 0x20000,
	  .ram_own = 0x3000,
	  .system = 0x1FFF0000,
	  .system_size = 0x7800,
	  .options = 0x1FFFC000,
	  .options_size = 16,
	  .option_rdp = 1,
	  .option_open = 0xAA,
	  .uid = 0x1FFF7A10,
	  .size_word = 0x1FFF7A22,
	  .protect_pages = 1,
	  .traits = ROM_MEASURES | ROM_READS_WHOLE | ROM_LEVEL_2 | ROM_ACKS_DIRTY },
	{ .id = BF_SIM_L476,
	  .pid = { 0x04, 0x15 },
	  .pid_len = 2,
	  .version = 0x31,
	  LIST(new_commands),
	  .sectors = { { 512, 0x800, BF_MS(22) } },
	  .banks = 2,
	  .mass_us = BF_MS(22),
	  .erased = 0xFF,
	  .unit = 8,
	  .program_us = 82,
	  .longest = 256,
	  .ram_size = 0x18000,
	  .ram_own = 0x3100,
	  .system = 0x1FFF0000,
	  .system_size = 0x7000,
	  .options = 0x1FFF7800,
	  .options_size = 40,
	  .option_open = 0xAA,
	  .uid = 0x1FFF7590,
	  .size_word = 0x1FFF75E0,
	  .protect_pages = 1,
	  .traits = ROM_EMPTY_CHECK | ROM_LEVEL_2 | ROM_SHIFTS },
	{ .id = BF_SIM_G0B1,
	  .pid = { 0x04, 0x67 },
	  .pid_len = 2,
	  .version = 0x31,
	  LIST(sum_commands),
	  .sectors = { { 256, 0x800, BF_MS(22) } },
	  .banks = 2,
	  .mass_us = BF_MS(22),
	  .erased = 0xFF,
	  .unit = 8,
	  .program_us = 85,
	  .longest = 256,
	  .ram_size = 0x20000,
	  .ram_own = 0x4000,
	  .system = 0x1FFF0000,
	  .system_size = 0x7000,
	  .options = 0x1FFF7800,
	  .options_size = 40,
	  .option_open = 0xAA,
	  .uid = 0x1FFF7590,
	  .size_word = 0x1FFF75E0,
	  .protect_pages = 1,
	  .traits = ROM_EMPTY_CHECK | ROM_LEVEL_2 },
	/* STM32L072: pages of 128 bytes, erased cells read 0, no mass erase, data EEPROM. */
	{ .id = BF_SIM_L0,
	  .pid = { 0x04, 0x47 },
	  .pid_len = 2,
	  .version = 0x31,
	  LIST(new_commands),
	  .sectors = { { 1536, 0x80, 3200 } },
	  .banks = 2,
	  .erased = 0x00,
	  .unit = 4,
	  .program_us = 200, /* half a page at once takes 3.2 ms */
	  .longest = 256,
	  .ram_size = 0x5000,
	  .ram_own = 0x2000,
	  .system = 0x1FF00000,
	  .system_size = 0x2000,
	  .options = 0x1FF80000,
	  .options_size = 32,
	  .option_open = 0xAA,
	  .uid = 0x1FF80050,
	  .size_word = 0x1FF8007C,
	  .eeprom_size = 0x1800,
	  .protect_pages = 32,
	  .traits = ROM_EMPTY_CHECK | ROM_LEVEL_2 },
	/* GD32VW553, of whose 4 MiB the first is here. */
	{ .id = BF_SIM_ROM_GD32,
	  .version = 0x30,
	  LIST(few_commands),
	  .sectors = { { 256, 0x1000, BF_MS(45) } },
	  .banks = 1,
	  .mass_us = BF_SEC(4),
	  .erased = 0xFF,
	  .unit = 4,
	  .program_us = 40,
	  .longest = 240,
	  .ram_size = 0x20000,
	  .ram_own = 0x1000,
	  .system = 0x1FFFF000,
	  .system_size = 0x800,
	  .options = 0x1FFFF800,
	  .options_size = 16,
	  .option_open = 0xA5,
	  .uid = 0x1FFFF7E8,
	  .size_word = 0x1FFFF7E0,
	  .protect_pages = 1,
	  .byte_timeout = BF_SEC(1),
	  .traits = ROM_ACKS_DIRTY },
	/* AT32F403A: names itself by four bytes. */
	{ .id = BF_SIM_AT32,
	  .pid = { 0x70, 0x05, 0x03, 0x47 },
	  .pid_len = 4,
	  .version = 0x22,
	  LIST(new_commands),
	  .sectors = { { 512, 0x800, BF_MS(50) } },
	  .banks = 1,
	  .mass_us = BF_MS(1500),
	  .erased = 0xFF,
	  .unit = 4,
	  .program_us = 50,
	  .longest = 256,
	  .ram_size = 0x18000,
	  .ram_own = 0x1000,
	  .system = 0x1FFFB000,
	  .system_size = 0x4000,
	  .options = 0x1FFFF800,
	  .options_size = 48,
	  .option_open = 0xA5,
	  .uid = 0x1FFFF7E8,
	  .size_word = 0x1FFFF7E0,
	  .protect_pages = 2,
	  .byte_timeout = BF_SEC(1) },
};

const struct bf_rom_chip *bf_rom_chip(const struct bf_sim_opts *opts)
{
	/* The chip of a JK unit; its own bootloader lies in the flash. */
	if (opts->protocol == BF_SIM_XMODEM && opts->model != BF_SIM_VANMOOF)
		return &chips[0];
	if (opts->protocol != BF_SIM_STM32)
		return NULL;
	for (size_t i = 0; i < BF_COUNT(chips); i++)
		if (chips[i].id == opts->model)
			return &chips[i];
	return &chips[0];
}

uint8_t bf_rom_erased(const struct bf_rom_chip *chip)
{
	return chip->erased;
}

uint32_t bf_rom_flash_size(const struct bf_rom_chip *chip)
{
	uint32_t size = 0;

	for (size_t i = 0; i < BF_COUNT(chip->sectors); i++)
		size += chip->sectors[i].count * chip->sectors[i].size;
	return size;
}

/* ---- how a chip starts ---- */

/* BOOT0 is looked at when a reset ends, and whoever holds it by hand does so while he switches the power on. */
static bool boot0_is_high(const struct bf_pack *pack)
{
	enum bf_sim_boot0 boot0 = bf_sim_opts_boot0(&pack->opts);
	bool power = pack->reason == BF_PACK_BY_POWER && !pack->by_pin;

	return boot0 == BF_SIM_BOOT0_HIGH || (boot0 == BF_SIM_BOOT0_HAND && power);
}

static bool is_closed(const struct bf_pack *pack)
{
	const struct bf_rom_chip *chip = bf_rom_chip(&pack->opts);

	return (chip->traits & ROM_LEVEL_2) &&
	       bf_flash_at(&pack->flash, ROM_OPTIONS_PAGE)[chip->option_rdp] == 0xCC;
}

bool bf_rom_starts(const struct bf_pack *pack)
{
	if (is_closed(pack))
		return false;
	if (pack->was_empty)
		return true;
	return !pack->go_to && (pack->stay_in_loader || boot0_is_high(pack));
}

bool bf_rom_finds_empty(const struct bf_pack *pack)
{
	return (bf_rom_chip(&pack->opts)->traits & ROM_EMPTY_CHECK) &&
	       bf_flash_blank(&pack->flash, ROM_FLASH, 4);
}

bool bf_rom_vectors_at(const struct bf_pack *pack, uint32_t addr)
{
	const struct bf_rom_chip *chip = bf_rom_chip(&pack->opts);
	uint32_t size = bf_rom_flash_size(chip), sp, entry;
	const uint8_t *p;

	if (addr < ROM_FLASH || addr - ROM_FLASH > size - 8)
		return false;
	p = bf_flash_at(&pack->flash, addr);
	sp = bf_get_le32(p);
	entry = bf_get_le32(p + 4);
	return sp - ROM_RAM <= 0x00080000u && sp % 4 == 0 && (entry & 1) &&
	       entry - ROM_FLASH < size;
}

static void preload_options(struct bf_pack *pack)
{
	const struct bf_rom_chip *chip = bf_rom_chip(&pack->opts);
	uint8_t page[ROM_PROTECT_AT + ROM_PROTECT_BYTES];
	uint8_t level = pack->opts.rdp == 2 ? 0xCC : pack->opts.rdp ? 0x00 : chip->option_open;

	memset(page, 0xFF, sizeof(page));
	page[chip->option_rdp] = level;
	page[chip->option_rdp + 1] = (uint8_t)~level;
	for (unsigned i = 0; i < pack->opts.wrp && i < ROM_PAGES_MAX; i++)
		page[ROM_PROTECT_AT + i / 8] &= (uint8_t) ~(1u << i % 8);
	bf_flash_preload(&pack->flash, ROM_OPTIONS_PAGE, page, sizeof(page));
}

void bf_rom_preload(struct bf_pack *pack)
{
	static const char eeprom[] = "serial=BX16-000001\ncycles=412\n";
	const struct bf_rom_chip *chip = bf_rom_chip(&pack->opts);
	uint8_t vectors[8];

	preload_options(pack);
	if (chip->eeprom_size)
		bf_flash_preload(&pack->flash, ROM_EEPROM, eeprom, sizeof(eeprom) - 1);
	if (pack->opts.blank || pack->opts.protocol != BF_SIM_STM32)
		return;
	bf_put_le32(vectors, ROM_RAM + chip->ram_size);
	bf_put_le32(vectors + 4, ROM_FLASH + 0x101);
	bf_flash_preload(&pack->flash, ROM_FLASH, vectors, sizeof(vectors));
}

uint32_t bf_rom_outside(const struct bf_pack *pack, uint32_t from, size_t len)
{
	const struct bf_rom_chip *chip = bf_rom_chip(&pack->opts);
	uint32_t at = ROM_FLASH;

	for (size_t i = 0; i < BF_COUNT(chip->sectors); i++) {
		for (unsigned n = 0; n < chip->sectors[i].count; n++, at += chip->sectors[i].size) {
			bool holds = at < from + len && at + chip->sectors[i].size > from;

			if (!holds && bf_flash_touched(&pack->flash, at, chip->sectors[i].size))
				return at;
		}
	}
	return 0;
}
