/* SPDX-License-Identifier: MIT */
/* What the ROM's loader can read, write and erase, and what becomes of it. */
#include "sim/stm32/rom_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/rng.h"

#define WHOLE_READ 256u /* of identifier words, where nothing else is given */

static const uint8_t *option_page(const struct bf_pack *pack)
{
	return bf_flash_at(&pack->flash, ROM_OPTIONS_PAGE);
}

bool rom_is_protected(const struct bf_pack *pack)
{
	const struct bf_rom_chip *chip = bf_rom_chip(&pack->opts);

	return option_page(pack)[chip->option_rdp] != chip->option_open;
}

/* ---- the map ---- */

enum place {
	PLACE_NONE,
	PLACE_FLASH,
	PLACE_EEPROM,
	PLACE_RAM,
	PLACE_SYSTEM,
	PLACE_WORDS,
	PLACE_OPTIONS
};

static bool within(uint32_t addr, uint32_t from, uint32_t size)
{
	return addr - from < size;
}

/* Identifier and size of the flash: words beside or in the system memory. */
static bool is_word(const struct bf_rom_chip *chip, uint32_t addr)
{
	return within(addr, chip->uid & ~0xFFu, 0x100) || within(addr, chip->size_word, 4);
}

static enum place place_of(const struct bf_rom_chip *chip, uint32_t addr)
{
	if (within(addr, ROM_FLASH, bf_rom_flash_size(chip)))
		return PLACE_FLASH;
	if (within(addr, ROM_EEPROM, chip->eeprom_size))
		return PLACE_EEPROM;
	/* The loader's own variables are not to be had. */
	if (within(addr, ROM_RAM + chip->ram_own, chip->ram_size - chip->ram_own))
		return PLACE_RAM;
	if (within(addr, chip->options, chip->options_size))
		return PLACE_OPTIONS;
	if (is_word(chip, addr))
		return PLACE_WORDS;
	return within(addr, chip->system, chip->system_size) ? PLACE_SYSTEM : PLACE_NONE;
}

bool rom_is_option(const struct bf_rom *rom, uint32_t addr)
{
	return place_of(rom->chip, addr) == PLACE_OPTIONS;
}

enum rom_result rom_check_address(const struct bf_rom *rom, uint8_t command, uint32_t addr)
{
	enum place place = place_of(rom->chip, addr);
	bool good = place != PLACE_NONE;

	if (command == ROM_WRITE)
		good = good && place != PLACE_SYSTEM && place != PLACE_WORDS && addr % 4 == 0;
	if (command == ROM_GO)
		good = place == PLACE_FLASH || place == PLACE_RAM;
	if (command == ROM_CHECKSUM)
		good = place == PLACE_FLASH && addr % 4 == 0;
	if (good)
		return ROM_DONE;
	return (rom->chip->traits & ROM_DROPS_UNKNOWN) && command != ROM_GO ? ROM_SILENT
									    : ROM_REFUSED;
}

/* ---- reading ---- */

/* The words as every chip of this one's number has them: by the pack's seed. */
static uint8_t word_byte(const struct bf_rom *rom, uint32_t addr)
{
	const struct bf_rom_chip *chip = rom->chip;
	struct bf_rng rng = { bf_pack_opts(rom->pack)->seed ^ (addr & ~3u) };
	uint32_t kib = bf_rom_flash_size(chip) / 1024;

	if (addr - chip->size_word < 2)
		return (uint8_t)(kib >> 8 * (addr - chip->size_word));
	if (addr - chip->uid < 12)
		return (uint8_t)(bf_rng_next(&rng) >> 8 * (addr % 4));
	return 0xFF;
}

static uint8_t system_byte(uint32_t addr)
{
	struct bf_rng rng = { addr & ~3u };

	return (uint8_t)(bf_rng_next(&rng) >> 8 * (addr % 4));
}

static uint8_t byte_at(const struct bf_rom *rom, uint32_t addr)
{
	switch (place_of(rom->chip, addr)) {
	case PLACE_FLASH:
	case PLACE_EEPROM:
		return *bf_flash_at(&rom->pack->flash, addr);
	case PLACE_RAM:
		return rom->ram[addr - ROM_RAM];
	case PLACE_OPTIONS:
		return option_page(rom->pack)[addr - rom->chip->options];
	case PLACE_WORDS:
		return word_byte(rom, addr);
	case PLACE_SYSTEM:
		return system_byte(addr);
	case PLACE_NONE:
		break;
	}
	return 0;
}

enum rom_result rom_read(const struct bf_rom *rom, uint32_t addr, size_t len, uint8_t *dst)
{
	enum place place = place_of(rom->chip, addr);

	if (len > rom->chip->longest)
		return ROM_REFUSED;
	if (place == PLACE_WORDS && (rom->chip->traits & ROM_READS_WHOLE) && len != WHOLE_READ)
		return ROM_REFUSED;
	/* The end of a memory is the end of what can be read. */
	if (place_of(rom->chip, addr + (uint32_t)len - 1) == PLACE_NONE)
		return ROM_REFUSED;
	for (size_t i = 0; i < len; i++)
		dst[i] = byte_at(rom, addr + (uint32_t)i);
	return ROM_DONE;
}

/* ---- pages ---- */

static uint32_t page_at(const struct bf_rom_chip *chip, unsigned page,
			const struct rom_sectors **ret)
{
	uint32_t at = ROM_FLASH;

	for (size_t i = 0; i < BF_COUNT(chip->sectors); i++) {
		if (page < chip->sectors[i].count) {
			*ret = &chip->sectors[i];
			return at + page * chip->sectors[i].size;
		}
		page -= chip->sectors[i].count;
		at += chip->sectors[i].count * chip->sectors[i].size;
	}
	*ret = NULL;
	return 0;
}

bool rom_has_page(const struct bf_rom_chip *chip, unsigned page)
{
	const struct rom_sectors *s;

	page_at(chip, page, &s);
	return s;
}

static unsigned page_of(const struct bf_rom_chip *chip, uint32_t addr)
{
	unsigned page = 0;

	addr -= ROM_FLASH;
	for (size_t i = 0; i < BF_COUNT(chip->sectors); i++) {
		uint32_t size = chip->sectors[i].count * chip->sectors[i].size;

		if (addr < size)
			return page + addr / chip->sectors[i].size;
		addr -= size;
		page += chip->sectors[i].count;
	}
	return page;
}

static bool page_is_protected(const struct bf_rom *rom, unsigned page)
{
	const uint8_t *bits = option_page(rom->pack) + ROM_PROTECT_AT;

	return page < ROM_PAGES_MAX && !(bits[page / 8] & 1u << page % 8);
}

static enum rom_result result_of(enum bf_pack_work work)
{
	return work == BF_PACK_DIED ? ROM_DEAD : work == BF_PACK_DONE ? ROM_DONE : ROM_REFUSED;
}

/* ---- erasing ---- */

enum rom_result rom_erase_page(struct bf_rom *rom, unsigned page, bf_time now, bf_time *ret_done)
{
	const struct rom_sectors *s;
	uint32_t at = page_at(rom->chip, page, &s);

	if (!s)
		return ROM_REFUSED;
	*ret_done = bf_pack_idle_at(rom->pack, now);
	if (page_is_protected(rom, page)) /* acknowledged, and nothing else */
		return ROM_DONE;
	return result_of(bf_pack_erase_sector(rom->pack, at, s->size, s->erase_us, now, ret_done));
}

static bool any_protected(const struct bf_rom *rom)
{
	for (unsigned page = 0; rom_has_page(rom->chip, page); page++)
		if (page_is_protected(rom, page))
			return true;
	return false;
}

enum rom_result rom_erase_banks(struct bf_rom *rom, unsigned banks, bf_time now, bf_time *ret_done)
{
	uint32_t size = bf_rom_flash_size(rom->chip) / rom->chip->banks;
	enum rom_result r = ROM_DONE;

	if (!rom->chip->mass_us || (banks == 2 && rom->chip->banks < 2))
		return ROM_REFUSED;
	*ret_done = bf_pack_idle_at(rom->pack, now);
	if (any_protected(rom))
		return ROM_DONE;
	for (unsigned b = 0; b < rom->chip->banks && r == ROM_DONE; b++)
		if (banks & 1u << b)
			r = result_of(bf_pack_erase_sector(rom->pack, ROM_FLASH + b * size, size,
							   rom->chip->mass_us, now, ret_done));
	return r;
}

/* ---- writing ---- */

static enum rom_result write_flash(struct bf_rom *rom, uint32_t addr, const uint8_t *p, size_t len,
				   bf_time now, bf_time *ret_done)
{
	const struct bf_rom_chip *chip = rom->chip;
	struct bf_pack_program how = { chip->unit, chip->how, chip->program_us };
	uint8_t padded[WHOLE_READ + BF_FLASH_WORD];
	size_t n = (len + chip->unit - 1) / chip->unit * chip->unit;
	enum rom_result r;

	*ret_done = bf_pack_idle_at(rom->pack, now);
	if (addr % chip->unit) {
		if (!(chip->traits & ROM_SHIFTS))
			return ROM_REFUSED;
		addr -= addr % chip->unit;
	}
	if (page_is_protected(rom, page_of(chip, addr)))
		return ROM_DONE;
	memset(padded, 0xFF, sizeof(padded));
	memcpy(padded, p, len);
	r = result_of(bf_pack_program(rom->pack, addr, padded, n, &how, now, ret_done));
	return r == ROM_REFUSED && (chip->traits & ROM_ACKS_DIRTY) ? ROM_DONE : r;
}

/* A page of its own is erased and written anew; what power cuts leave of it is protected. */
static enum rom_result keep_options(struct bf_rom *rom, const uint8_t *page, size_t len,
				    bf_time now, bf_time *ret_done)
{
	enum bf_pack_work work = bf_pack_erase_sector(rom->pack, ROM_OPTIONS_PAGE, BF_FLASH_PAGE,
						      BF_MS(25), now, ret_done);

	if (work == BF_PACK_DONE)
		bf_pack_preload(rom->pack, ROM_OPTIONS_PAGE, page, len);
	return result_of(work);
}

static void copy_options(const struct bf_rom *rom, uint8_t page[ROM_PROTECT_AT + ROM_PROTECT_BYTES])
{
	memcpy(page, option_page(rom->pack), ROM_PROTECT_AT + ROM_PROTECT_BYTES);
}

static enum rom_result write_options(struct bf_rom *rom, uint32_t addr, const uint8_t *p,
				     size_t len, bf_time now, bf_time *ret_done)
{
	uint32_t at = addr - rom->chip->options;
	uint8_t page[ROM_PROTECT_AT + ROM_PROTECT_BYTES];

	if (at + len > rom->chip->options_size)
		return ROM_REFUSED;
	copy_options(rom, page);
	memcpy(page + at, p, len);
	return keep_options(rom, page, sizeof(page), now, ret_done);
}

enum rom_result rom_write(struct bf_rom *rom, uint32_t addr, const uint8_t *p, size_t len,
			  bf_time now, bf_time *ret_done)
{
	const struct bf_rom_chip *chip = rom->chip;
	uint32_t last = addr + (uint32_t)len - 1;
	enum place place = place_of(chip, addr);

	*ret_done = now;
	if (len > chip->longest || len % 4 || place_of(chip, last) != place)
		return ROM_REFUSED;
	switch (place) {
	case PLACE_FLASH:
		return write_flash(rom, addr, p, len, now, ret_done);
	case PLACE_EEPROM: /* erases what it writes */
		bf_pack_think(rom->pack, (bf_time)len / 4 * 3200, now);
		bf_pack_preload(rom->pack, addr, p, len);
		*ret_done = bf_pack_idle_at(rom->pack, now);
		return ROM_DONE;
	case PLACE_RAM:
		memcpy(rom->ram + (addr - ROM_RAM), p, len);
		return ROM_DONE;
	case PLACE_OPTIONS:
		return write_options(rom, addr, p, len, now, ret_done);
	case PLACE_NONE:
	case PLACE_SYSTEM:
	case PLACE_WORDS:
		break;
	}
	return ROM_REFUSED;
}

/* ---- protection ---- */

enum rom_result rom_protect_pages(struct bf_rom *rom, const uint8_t *units, size_t n, bf_time now,
				  bf_time *ret_done)
{
	uint8_t page[ROM_PROTECT_AT + ROM_PROTECT_BYTES];
	unsigned each = rom->chip->protect_pages;

	copy_options(rom, page);
	memset(page + ROM_PROTECT_AT, 0xFF, ROM_PROTECT_BYTES);
	/* Numbers of units that are not there are not looked at. */
	for (size_t i = 0; units && i < n; i++)
		for (unsigned at = units[i] * each;
		     at < (units[i] + 1u) * each && at < ROM_PAGES_MAX; at++)
			page[ROM_PROTECT_AT + at / 8] &= (uint8_t) ~(1u << at % 8);
	return keep_options(rom, page, sizeof(page), now, ret_done);
}

enum rom_result rom_protect_reading(struct bf_rom *rom, bool on, bf_time now, bf_time *ret_done)
{
	uint8_t page[ROM_PROTECT_AT + ROM_PROTECT_BYTES];
	uint8_t level = on ? 0x00 : rom->chip->option_open;
	uint32_t size = bf_rom_flash_size(rom->chip);
	enum rom_result r = ROM_DONE;

	copy_options(rom, page);
	/* The flash goes before the protection does. */
	if (!on)
		r = result_of(bf_pack_erase_sector(rom->pack, ROM_FLASH, size,
						   rom->chip->mass_us + BF_MS(40), now, ret_done));
	page[rom->chip->option_rdp] = level;
	page[rom->chip->option_rdp + 1] = (uint8_t)~level;
	return r == ROM_DONE ? keep_options(rom, page, sizeof(page), now, ret_done) : r;
}

/* ---- checksum ---- */

/* The chip's own unit: words as they lie in memory, highest bit first. */
uint32_t rom_checksum(const struct bf_rom *rom, uint32_t addr, uint32_t words, uint32_t polynomial,
		      uint32_t initial)
{
	uint32_t crc = initial;

	for (uint32_t i = 0; i < words; i++) {
		crc ^= bf_get_le32(bf_flash_at(&rom->pack->flash, addr + 4 * i));
		for (unsigned bit = 0; bit < 32; bit++)
			crc = crc << 1 ^ (crc & 0x80000000u ? polynomial : 0);
	}
	return crc;
}
