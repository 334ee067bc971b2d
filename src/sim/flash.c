/* SPDX-License-Identifier: MIT */
#include "sim/flash.h"

#include <string.h>

void bf_flash_init(struct bf_flash *f)
{
	/* STM32G4-class data sheet figures: page erase 22 ms, double word 82 us. */
	*f = (struct bf_flash){ .mem = malloc(BF_FLASH_SIZE), .erase_us = 22000, .program_us = 82 };
	if (!f->mem)
		abort();
	bf_flash_reads_erased(f, 0xFF);
}

void bf_flash_reads_erased(struct bf_flash *f, uint8_t value)
{
	f->erased = value;
	memset(f->mem, value, BF_FLASH_SIZE);
}

void bf_flash_done(struct bf_flash *f)
{
	free(f->mem);
	f->mem = NULL;
}

bool bf_flash_inside(uint32_t addr, size_t len)
{
	return addr >= BF_FLASH_BASE && len <= BF_FLASH_SIZE &&
	       addr - BF_FLASH_BASE <= BF_FLASH_SIZE - len;
}

static uint8_t *cell(const struct bf_flash *f, uint32_t addr)
{
	return f->mem + (addr - BF_FLASH_BASE);
}

const uint8_t *bf_flash_at(const struct bf_flash *f, uint32_t addr)
{
	return cell(f, addr);
}

bool bf_flash_blank(const struct bf_flash *f, uint32_t addr, size_t len)
{
	const uint8_t *p = cell(f, addr);

	return !len || (p[0] == f->erased && memcmp(p, p + 1, len - 1) == 0);
}

/* True when power goes in the middle of the operation that begins now. */
static bool begin(struct bf_flash *f, bf_time cost)
{
	f->ops++;
	f->generation++;
	f->spent += cost;
	if (f->ops == f->cut_at)
		f->dead = true;
	return f->dead;
}

/* True; the operation is complete, and power may go now. */
static bool end(struct bf_flash *f)
{
	if (f->ops == f->cut_after)
		f->dead = true;
	return true;
}

/* What an interrupted erase leaves. All cells of a page are erased together, so some bits of every byte have
 * gone already: odd or even ones, by turns. */
static void tear_sector(struct bf_flash *f, uint8_t *sector, size_t size)
{
	uint8_t gone = f->ops % 2 ? 0x55 : 0xAA;

	for (size_t i = 0; i < size; i++)
		sector[i] = (uint8_t)((sector[i] & ~gone) | (f->erased & gone));
}

/* What an interrupted program leaves, by turns: nothing, half the bytes, or some bits everywhere. */
static void tear_word(struct bf_flash *f, uint8_t *dst, const uint8_t *word, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (f->ops % 3 == 1 && i < size / 2)
			dst[i] = word[i];
		if (f->ops % 3 == 2)
			dst[i] = f->erased ? word[i] | 0x55 : word[i] & 0xAA;
	}
}

static void touch(struct bf_flash *f, uint32_t addr, size_t len, unsigned what)
{
	for (size_t i = (addr - BF_FLASH_BASE) / BF_FLASH_GRAIN;
	     i <= (addr - BF_FLASH_BASE + len - 1) / BF_FLASH_GRAIN; i++)
		f->touched[i] |= (uint8_t)what;
}

unsigned bf_flash_touched(const struct bf_flash *f, uint32_t addr, size_t len)
{
	unsigned what = 0;

	if (!len || !bf_flash_inside(addr, len))
		return 0;
	for (size_t i = (addr - BF_FLASH_BASE) / BF_FLASH_GRAIN;
	     i <= (addr - BF_FLASH_BASE + len - 1) / BF_FLASH_GRAIN; i++)
		what |= f->touched[i];
	return what;
}

bool bf_flash_erase_sector(struct bf_flash *f, uint32_t addr, uint32_t size, bf_time us)
{
	if (f->dead || !size || addr % BF_FLASH_GRAIN || size % BF_FLASH_GRAIN ||
	    !bf_flash_inside(addr, size))
		return false;
	touch(f, addr, size, BF_TOUCH_ERASED);
	if (begin(f, us)) {
		tear_sector(f, cell(f, addr), size);
		return false;
	}
	memset(cell(f, addr), f->erased, size);
	return end(f);
}

bool bf_flash_erase(struct bf_flash *f, uint32_t page_addr)
{
	return page_addr % BF_FLASH_PAGE == 0 &&
	       bf_flash_erase_sector(f, page_addr, BF_FLASH_PAGE, f->erase_us);
}

static bool all_erased(const struct bf_flash *f, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != f->erased)
			return false;
	return true;
}

bool bf_flash_program_unit(struct bf_flash *f, uint32_t addr, const uint8_t *p, size_t unit,
			   enum bf_program how, bf_time us)
{
	uint8_t result[BF_FLASH_WORD];
	bool blank;

	if (f->dead || unit > sizeof(result) || addr % unit || !bf_flash_inside(addr, unit))
		return false;
	blank = bf_flash_blank(f, addr, unit);
	if (!blank && how == BF_PROGRAM_REFUSES)
		return false;
	if (all_erased(f, p, unit)) /* nothing changes */
		return true;
	for (size_t i = 0; i < unit; i++)
		result[i] = blank ? p[i] : (uint8_t)(p[i] & cell(f, addr)[i]);
	touch(f, addr, unit, BF_TOUCH_WRITTEN);
	if (begin(f, us)) {
		tear_word(f, cell(f, addr), result, unit);
		return false;
	}
	memcpy(cell(f, addr), result, unit);
	return end(f);
}

bool bf_flash_program(struct bf_flash *f, uint32_t addr, const uint8_t word[BF_FLASH_WORD])
{
	return bf_flash_program_unit(f, addr, word, BF_FLASH_WORD, BF_PROGRAM_REFUSES,
				     f->program_us);
}

bool bf_flash_write(struct bf_flash *f, uint32_t addr, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += BF_FLASH_WORD) {
		uint8_t word[BF_FLASH_WORD];
		size_t n = len - i < BF_FLASH_WORD ? len - i : BF_FLASH_WORD;

		memset(word, f->erased, sizeof(word));
		memcpy(word, p + i, n);
		if (!bf_flash_program(f, addr + (uint32_t)i, word))
			return false;
	}
	return true;
}

void bf_flash_preload(struct bf_flash *f, uint32_t addr, const void *p, size_t len)
{
	if (!bf_flash_inside(addr, len))
		return;
	memcpy(cell(f, addr), p, len);
	f->generation++;
}

bf_time bf_flash_take_time(struct bf_flash *f)
{
	bf_time spent = f->spent;

	f->spent = 0;
	return spent;
}
