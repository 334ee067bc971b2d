/* SPDX-License-Identifier: MIT */
#include "sim/swap.h"

#include <string.h>

#include "bmsflash/bytes.h"

#define AT_MAGIC     16u
#define AT_IMAGE_OK  24u
#define AT_COPY_DONE 32u
#define AT_KIND      40u
#define AT_SIZE      48u

/* MCUboot's trailer magic for flash that is written in units of 8 bytes */
static const uint8_t magic_bytes[16] = { 0x77, 0xC2, 0x95, 0xF3, 0x60, 0xD2, 0xEF, 0x7F,
					 0x35, 0x52, 0x50, 0x0F, 0x2C, 0xB6, 0x79, 0x80 };

static uint32_t from_end(const struct bf_banks *b, unsigned slot, uint32_t back)
{
	return b->slot[slot] + b->size - back;
}

static uint8_t flag_byte(const struct bf_banks *b, unsigned slot, uint32_t back)
{
	return *bf_flash_at(b->flash, from_end(b, slot, back));
}

void bf_trailer_read(const struct bf_banks *b, unsigned slot, struct bf_trailer *ret)
{
	uint8_t kind = flag_byte(b, slot, AT_KIND);
	const uint8_t *magic = bf_flash_at(b->flash, from_end(b, slot, AT_MAGIC));

	/* A flag is written once and only in one direction: one that was cut off counts as set. */
	*ret = (struct bf_trailer){
		.magic = memcmp(magic, magic_bytes, sizeof(magic_bytes)) == 0,
		.copy_done = flag_byte(b, slot, AT_COPY_DONE) != 0xFF,
		.image_ok = flag_byte(b, slot, AT_IMAGE_OK) != 0xFF,
		.kind = kind >= BF_SWAP_TEST && kind <= BF_SWAP_REVERT ? (enum bf_swap_kind)kind
								       : BF_SWAP_NONE,
		.size = bf_get_le32(bf_flash_at(b->flash, from_end(b, slot, AT_SIZE))),
	};
}

bool bf_swap_in_progress(const struct bf_banks *b)
{
	struct bf_trailer t;

	bf_trailer_read(b, 0, &t);
	return t.magic && !t.copy_done && t.kind != BF_SWAP_NONE;
}

bool bf_swap_on_trial(const struct bf_banks *b)
{
	struct bf_trailer t;

	bf_trailer_read(b, 0, &t);
	return t.magic && t.copy_done && t.kind == BF_SWAP_TEST && !t.image_ok;
}

enum bf_swap_kind bf_swap_wanted(const struct bf_banks *b)
{
	struct bf_trailer t;

	bf_trailer_read(b, 1, &t);
	if (t.magic && t.kind == BF_SWAP_REVERT)
		return BF_SWAP_REVERT;
	if (t.magic)
		return t.image_ok ? BF_SWAP_PERM : BF_SWAP_TEST;
	return bf_swap_on_trial(b) ? BF_SWAP_REVERT : BF_SWAP_NONE;
}

static bool put(const struct bf_banks *b, unsigned slot, uint32_t back, uint32_t value)
{
	uint8_t word[BF_FLASH_WORD];

	memset(word, 0xFF, sizeof(word));
	if (back == AT_SIZE)
		bf_put_le32(word, value);
	else
		word[0] = (uint8_t)value;
	return bf_flash_program(b->flash, from_end(b, slot, back), word);
}

static bool put_magic(const struct bf_banks *b, unsigned slot)
{
	return bf_flash_write(b->flash, from_end(b, slot, AT_MAGIC), magic_bytes,
			      sizeof(magic_bytes));
}

static bool erase_trailer_page(const struct bf_banks *b, unsigned slot)
{
	return bf_flash_erase(b->flash, from_end(b, slot, BF_FLASH_PAGE));
}

static uint32_t progress_addr(const struct bf_banks *b, uint32_t step)
{
	return from_end(b, 0, BF_TRAILER_SIZE) + step * BF_FLASH_WORD;
}

/* The old progress goes while the old trailer still says "copy done"; the magic comes last. */
static bool write_plan(const struct bf_banks *b, enum bf_swap_kind kind, uint32_t bytes)
{
	for (uint32_t back = BF_TRAILER_SIZE; back > BF_FLASH_PAGE; back -= BF_FLASH_PAGE)
		if (!bf_flash_erase(b->flash, from_end(b, 0, back)))
			return false;
	return erase_trailer_page(b, 0) && put(b, 0, AT_SIZE, bytes) && put(b, 0, AT_KIND, kind) &&
	       put_magic(b, 0);
}

/* A trial that ends is known only from slot 0's trailer, which write_plan() erases: ask for the way back
 * in slot 1's first. */
static bool ask_for_revert(const struct bf_banks *b)
{
	struct bf_trailer t;

	bf_trailer_read(b, 1, &t);
	if (t.magic && t.kind == BF_SWAP_REVERT)
		return true;
	return erase_trailer_page(b, 1) && put(b, 1, AT_KIND, BF_SWAP_REVERT) && put_magic(b, 1);
}

bool bf_swap_begin(const struct bf_banks *b, enum bf_swap_kind kind, uint32_t bytes)
{
	uint32_t whole = (bytes + BF_FLASH_PAGE - 1) / BF_FLASH_PAGE * BF_FLASH_PAGE;

	if (whole > BF_SWAP_MAX(b->size))
		return false;
	if (kind == BF_SWAP_REVERT && !ask_for_revert(b))
		return false;
	return write_plan(b, kind, whole) && bf_swap_resume(b);
}

static bool copy_page(const struct bf_banks *b, uint32_t dst, uint32_t src)
{
	return bf_flash_erase(b->flash, dst) &&
	       bf_flash_write(b->flash, dst, bf_flash_at(b->flash, src), BF_FLASH_PAGE);
}

static bool do_step(const struct bf_banks *b, uint32_t step, uint32_t n)
{
	uint32_t page;

	if (step < n) { /* move up, the last page first */
		page = b->slot[0] + (n - 1 - step) * BF_FLASH_PAGE;
		return copy_page(b, page + BF_FLASH_PAGE, page);
	}
	page = (step - n) / 2 * BF_FLASH_PAGE;
	if ((step - n) % 2 == 0)
		return copy_page(b, b->slot[0] + page, b->slot[1] + page);
	return copy_page(b, b->slot[1] + page, b->slot[0] + page + BF_FLASH_PAGE);
}

/* Every part of it may be met half done, and none is done twice. */
static bool finish(const struct bf_banks *b)
{
	return erase_trailer_page(b, 1) && put(b, 0, AT_COPY_DONE, 1);
}

bool bf_swap_resume(const struct bf_banks *b)
{
	static const uint8_t done[BF_FLASH_WORD] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	struct bf_trailer t;
	uint32_t n;

	bf_trailer_read(b, 0, &t);
	n = t.size / BF_FLASH_PAGE;
	if (t.size > BF_SWAP_MAX(b->size))
		return false;
	for (uint32_t step = 0; step < 3 * n; step++) {
		if (!bf_flash_blank(b->flash, progress_addr(b, step), BF_FLASH_WORD))
			continue;
		if (!do_step(b, step, n))
			return false;
		if (!bf_flash_program(b->flash, progress_addr(b, step), done))
			return false;
	}
	return finish(b);
}

bool bf_swap_request(const struct bf_banks *b, bool permanent)
{
	struct bf_trailer t;

	bf_trailer_read(b, 1, &t);
	if (t.magic && t.kind == BF_SWAP_NONE && t.image_ok == permanent)
		return true;
	if (!bf_flash_blank(b->flash, from_end(b, 1, BF_FLASH_PAGE), BF_FLASH_PAGE) &&
	    !erase_trailer_page(b, 1))
		return false;
	return (!permanent || put(b, 1, AT_IMAGE_OK, 1)) && put_magic(b, 1);
}

bool bf_swap_cancel(const struct bf_banks *b)
{
	return erase_trailer_page(b, 1);
}

bool bf_swap_confirm(const struct bf_banks *b)
{
	return put(b, 0, AT_IMAGE_OK, 1);
}
