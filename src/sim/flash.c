/* SPDX-License-Identifier: MIT */
#include "sim/flash.h"

#include <string.h>

#define ERASED 0xFF

void bf_flash_init(struct bf_flash *f)
{
	/* STM32G4-class data sheet figures: page erase 22 ms, double word 82 us. */
	*f = (struct bf_flash){ .mem = malloc(BF_FLASH_SIZE), .erase_us = 22000, .program_us = 82 };
	if (!f->mem)
		abort();
	memset(f->mem, ERASED, BF_FLASH_SIZE);
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

	return !len || (p[0] == ERASED && memcmp(p, p + 1, len - 1) == 0);
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
	for (size_t i = 0; i < size; i++)
		sector[i] |= f->ops % 2 ? 0x55 : 0xAA;
}

/* What an interrupted program leaves, by turns: nothing, half the bytes, or some bits everywhere. */
static void tear_word(struct bf_flash *f, uint8_t *dst, const uint8_t *word)
{
	for (size_t i = 0; i < BF_FLASH_WORD; i++) {
		if (f->ops % 3 == 1 && i < BF_FLASH_WORD / 2)
			dst[i] = word[i];
		if (f->ops % 3 == 2)
			dst[i] = word[i] | 0x55;
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
	memset(cell(f, addr), ERASED, size);
	return end(f);
}

bool bf_flash_erase(struct bf_flash *f, uint32_t page_addr)
{
	return page_addr % BF_FLASH_PAGE == 0 &&
	       bf_flash_erase_sector(f, page_addr, BF_FLASH_PAGE, f->erase_us);
}

static bool all_erased(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != ERASED)
			return false;
	return true;
}

bool bf_flash_program(struct bf_flash *f, uint32_t addr, const uint8_t word[BF_FLASH_WORD])
{
	if (f->dead || addr % BF_FLASH_WORD || !bf_flash_inside(addr, BF_FLASH_WORD))
		return false;
	if (all_erased(word, BF_FLASH_WORD))
		return bf_flash_blank(f, addr, BF_FLASH_WORD);
	if (!bf_flash_blank(f, addr, BF_FLASH_WORD))
		return false;
	touch(f, addr, BF_FLASH_WORD, BF_TOUCH_WRITTEN);
	if (begin(f, f->program_us)) {
		tear_word(f, cell(f, addr), word);
		return false;
	}
	memcpy(cell(f, addr), word, BF_FLASH_WORD);
	return end(f);
}

bool bf_flash_write(struct bf_flash *f, uint32_t addr, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i += BF_FLASH_WORD) {
		uint8_t word[BF_FLASH_WORD];
		size_t n = len - i < BF_FLASH_WORD ? len - i : BF_FLASH_WORD;

		memset(word, ERASED, sizeof(word));
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
