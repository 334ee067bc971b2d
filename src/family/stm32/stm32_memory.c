/* SPDX-License-Identifier: MIT */
/*
 * Reading, erasing and writing. An acknowledge of a write or an erase proves nothing: protected pages are
 * acknowledged and stay as they are. So pages are looked at after they were erased, and what was written is read
 * back or has its checksum taken. What was read once of the flash is remembered until it is erased or written: nobody
 * else changes it while the ROM loader runs.
 */
#include "family/stm32/stm32_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"

#define TRIES        3u /* of a block that the loader refused as damaged */
#define REWRITES     5u /* of a block that did not arrive, each half as long as the one before */
#define SHORTEST     16u
#define LONGER_AFTER 16u /* blocks without a loss */
#define GLIMPSE      16u
#define BLANK_ROW    3u
#define BLANK_LOOK   64u
#define ERASE_BASE   BF_SEC(2)
#define ERASE_SMALL  BF_MS(250) /* a page of up to 16 K */
#define ERASE_LARGE  BF_SEC(8)  /* 128 K of a slow supply */
#define ERASE_ALL    BF_SEC(60)
#define UNPROTECT    BF_SEC(60)
#define SMALL        16384u

/* ---- what is remembered ---- */

static bool in_flash(const struct bf_stm32 *d, uint32_t addr, size_t n)
{
	return d->has_flash && addr >= d->flash_base && n <= d->flash_size &&
	       addr - d->flash_base <= d->flash_size - n;
}

void bf_stm32_forget(struct bf_stm32 *d, uint32_t addr, uint32_t size)
{
	uint64_t from = addr, to = from + size, base = d->flash_base;

	if (!d->seen || to <= base || from >= base + d->flash_size)
		return;
	from = from < base ? base : from;
	to = to > base + d->flash_size ? base + d->flash_size : to;
	for (uint64_t i = (from - base) / BF_STM32_LINE; i <= (to - 1 - base) / BF_STM32_LINE; i++)
		d->seen[i] = false;
}

void bf_stm32_forget_all(struct bf_stm32 *d)
{
	if (d->known)
		bf_stm32_forget(d, d->flash_base, d->flash_size);
}

static bool is_blank(const struct bf_stm32 *d, const uint8_t *p, size_t n)
{
	return bf_trailing(p, n, d->erased) == n;
}

/* ---- reading ---- */

static enum bf_rc read_block(struct bf_stm32 *d, uint32_t addr, uint8_t *buf, size_t n,
			     struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	unsigned refused = 0;

	retry->requests[BF_RETRY_IDEMPOTENT]++;
	for (unsigned attempt = 1;; attempt++) {
		enum bf_rc rc;

		bf_err_init(err);
		rc = d->link->read(d, addr, buf, n, err);
		if (!rc)
			return BF_OK;
		/* An address that is refused may have arrived damaged. */
		if (rc == BF_E_NAK && !d->protected && ++refused < TRIES)
			continue;
		if (!bf_stm32_lost(rc))
			return rc;
		if (bf_stm32_recover(d, rc, err) && !d->synced)
			return err->rc;
		if (!bf_retry_again(retry, bf_stm32_clock(d), BF_RETRY_IDEMPOTENT, attempt, rc))
			return rc;
	}
}

enum bf_rc bf_stm32_fetch(struct bf_stm32 *d, uint32_t addr, uint8_t *buf, size_t n,
			  struct bf_err *err)
{
	size_t most = d->block ? d->block : BF_STM32_BLOCK;

	for (size_t at = 0, part; at < n; at += part) {
		part = n - at < most ? n - at : most;
		if (read_block(d, addr + (uint32_t)at, buf + at, part, err))
			return err->rc;
		d->held_data = d->held_data || (in_flash(d, addr + (uint32_t)at, part) &&
						!is_blank(d, buf + at, part));
	}
	return BF_OK;
}

/* One line of what is remembered, read from the chip where it is not known. */
static enum bf_rc line_at(struct bf_stm32 *d, uint32_t index, struct bf_err *err)
{
	uint32_t from = index * BF_STM32_LINE;
	uint32_t n = d->flash_size - from < BF_STM32_LINE ? d->flash_size - from : BF_STM32_LINE;

	if (d->seen[index])
		return BF_OK;
	if (bf_stm32_fetch(d, d->flash_base + from, d->memory + from, n, err))
		return err->rc;
	d->seen[index] = true;
	return BF_OK;
}

/* How much of the last line that is asked for is the end of what was written: nobody asks for what is behind it. */
static size_t tail_of(const struct bf_stm32 *d, uint32_t from, size_t len)
{
	uint32_t end = from + (uint32_t)len, tail = end % BF_STM32_LINE;

	return end == d->write.end && tail <= len && !d->seen[end / BF_STM32_LINE] ? tail : 0;
}

/* Lines of the flash; blocks that are no whole line are kept from being read twice by reading whole ones. */
static enum bf_rc read_flash(struct bf_stm32 *d, uint32_t addr, uint8_t *buf, size_t len,
			     struct bf_err *err)
{
	uint32_t from = addr - d->flash_base;
	size_t tail = tail_of(d, from, len), lines = len - tail;

	for (uint32_t i = from / BF_STM32_LINE; i * BF_STM32_LINE < from + lines; i++) {
		if (line_at(d, i, err))
			return err->rc;
	}
	memcpy(buf, d->memory + from, lines);
	return tail ? bf_stm32_fetch(d, addr + (uint32_t)lines, buf + lines, tail, err) : BF_OK;
}

static enum bf_rc not_readable(struct bf_stm32 *d, struct bf_err *err)
{
	if (d->protected) {
		bf_fail(err, BF_E_UNSUPPORTED,
			"readout protection is active: the flash cannot be read");
		bf_likely(err, "clearing it erases the whole flash: --allow readout-unprotect");
		return err->rc;
	}
	return bf_fail(err, BF_E_UNSUPPORTED, "this bootloader has no READ MEMORY");
}

enum bf_rc bf_stm32_read(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			 uint8_t *buf, size_t len, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	enum bf_rc rc;

	if (!len)
		return BF_OK;
	if (bf_stm32_learn(d, err))
		return err->rc;
	if (!bf_stm32_has(d, BF_STM32_READ) || d->protected)
		return not_readable(d, err);
	rc = in_flash(d, addr, len) ? read_flash(d, addr, buf, len, err)
				    : bf_stm32_fetch(d, addr, buf, len, err);
	return rc ? bf_while(err, "reading %zu bytes of '%s' at 0x%08X", len, region->name, addr)
		  : BF_OK;
}

/* ---- checksum ---- */

uint32_t bf_stm32_crc(uint32_t crc, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 4 <= len; i += 4) {
		crc ^= bf_get_le32(p + i);
		for (unsigned bit = 0; bit < 32; bit++)
			crc = crc & 0x80000000U ? crc << 1 ^ 0x04C11DB7U : crc << 1;
	}
	return crc;
}

/* The two forms of the command do not fit together, and a value is only worth something once one agreed with what
 * was read. */
static void try_sums(struct bf_stm32 *d)
{
	static const enum bf_stm32_sum forms[] = { BF_STM32_SUM_AN3155, BF_STM32_SUM_SHORT };
	uint8_t raw[BF_STM32_LINE];
	struct bf_err none;
	uint32_t crc;

	d->sum_tried = true;
	d->sum = BF_STM32_SUM_NONE;
	bf_err_init(&none);
	if (!d->link->checksum || !bf_stm32_has(d, BF_STM32_CHECKSUM) ||
	    d->set->checksum == BF_STM32_SUM_NONE || d->protected || d->flash_size < sizeof(raw) ||
	    !bf_stm32_has(d, BF_STM32_READ) ||
	    read_flash(d, d->flash_base, raw, sizeof(raw), &none))
		return;
	for (size_t i = 0; i < BF_COUNT(forms); i++) {
		enum bf_rc rc;

		if (d->set->checksum != BF_STM32_SUM_AUTO && d->set->checksum != forms[i])
			continue;
		bf_err_init(&none);
		rc = d->link->checksum(d, forms[i], d->flash_base, sizeof(raw), &crc, &none);
		if (!rc && crc == bf_stm32_crc(UINT32_MAX, raw, sizeof(raw))) {
			d->sum = forms[i];
			return;
		}
		/* The other form leaves the loader half-way through its message. */
		if (rc != BF_E_NAK && d->link->resync(d, &none))
			return;
	}
	bf_log(d->base.env.log, BF_LOG_INFO,
	       "the loader's checksum is not that of what it reads: everything is read back");
}

static bool has_sum(struct bf_stm32 *d)
{
	if (!d->sum_tried)
		try_sums(d);
	return d->sum != BF_STM32_SUM_NONE;
}

static enum bf_rc sum_of(struct bf_stm32 *d, uint32_t addr, uint32_t len, uint32_t *ret,
			 struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	unsigned refused = 0;

	retry->requests[BF_RETRY_IDEMPOTENT]++;
	for (unsigned attempt = 1;; attempt++) {
		enum bf_rc rc;

		bf_err_init(err);
		rc = d->link->checksum(d, d->sum, addr, len, ret, err);
		if (!rc || (rc == BF_E_NAK && ++refused >= TRIES) || rc == BF_E_GONE ||
		    rc == BF_E_INTERRUPTED)
			return rc;
		if (rc == BF_E_NAK)
			continue;
		if (bf_stm32_recover(d, rc, err) && !d->synced)
			return err->rc;
		if (!bf_retry_again(retry, bf_stm32_clock(d), BF_RETRY_IDEMPOTENT, attempt, rc))
			return rc;
	}
}

/* After some blank pages in a row the chip is taken for blank, and one page in so many is looked at to see that it
 * still is. What an interrupted run has written begins with the second page of an image. */
static bool is_blank_chip(struct bf_stm32 *d)
{
	return d->blank >= BLANK_ROW && ++d->unseen % BLANK_LOOK;
}

/* Up to the first line that differs; a glimpse of the start shows most that do. */
static enum bf_rc holds_by_reading(struct bf_stm32 *d, uint32_t addr, const uint8_t *want,
				   size_t len, bool *ret, struct bf_err *err)
{
	uint32_t from = addr - d->flash_base;
	uint8_t got[BF_STM32_LINE];

	*ret = false;
	if (len > GLIMPSE && !d->seen[from / BF_STM32_LINE]) {
		if (is_blank_chip(d) && !is_blank(d, want, len))
			return BF_OK;
		if (bf_stm32_fetch(d, addr, got, GLIMPSE, err))
			return err->rc;
		d->blank = is_blank(d, got, GLIMPSE) ? d->blank + 1 : 0;
		if (memcmp(got, want, GLIMPSE) != 0)
			return BF_OK;
	}
	for (size_t at = 0, part; at < len; at += part) {
		part = len - at < sizeof(got) ? len - at : sizeof(got);
		if (read_flash(d, addr + (uint32_t)at, got, part, err))
			return err->rc;
		if (memcmp(got, want + at, part) != 0)
			return BF_OK;
	}
	*ret = true;
	return BF_OK;
}

enum bf_rc bf_stm32_holds(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			  const uint8_t *want, size_t len, bool *ret, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	uint32_t crc;

	(void)region;
	if (bf_stm32_learn(d, err))
		return err->rc;
	if (!in_flash(d, addr, len) || d->protected || !bf_stm32_has(d, BF_STM32_READ))
		return bf_fail(err, BF_E_UNSUPPORTED, "what the flash holds cannot be compared");
	if (len % 4 || addr % 4 || !has_sum(d))
		return holds_by_reading(d, addr, want, len, ret, err);
	if (sum_of(d, addr, (uint32_t)len, &crc, err))
		return bf_while(err, "taking the checksum of %zu bytes at 0x%08X", len, addr);
	*ret = crc == bf_stm32_crc(UINT32_MAX, want, len);
	return BF_OK;
}

/* ---- the check of what was written ---- */

static enum bf_rc differs(uint32_t addr, size_t len, struct bf_err *err)
{
	bf_fail(err, BF_E_MISMATCH,
		"the flash holds other contents than the image in the %zu bytes at 0x%08X", len,
		addr);
	bf_likely(err,
		  "write-protected pages: the ROM loader acknowledges a write that does nothing");
	bf_do(err, "run the same command again: only what differs is written");
	return err->rc;
}

static enum bf_rc check_by_sum(struct bf_stm32 *d, uint32_t addr, const uint8_t *p, size_t len,
			       struct bf_err *err)
{
	size_t whole = len - len % 4;
	uint8_t tail[4];
	uint32_t crc;

	if (whole && sum_of(d, addr, (uint32_t)whole, &crc, err))
		return err->rc;
	if (whole && crc != bf_stm32_crc(UINT32_MAX, p, whole))
		return differs(addr, len, err);
	if (whole == len)
		return BF_OK;
	if (bf_stm32_fetch(d, addr + (uint32_t)whole, tail, len - whole, err))
		return err->rc;
	return memcmp(tail, p + whole, len - whole) == 0 ? BF_OK : differs(addr, len, err);
}

/* After readout protection was cleared the flash can be read, which the engine was told it could not. */
static enum bf_rc check_by_reading(struct bf_stm32 *d, uint32_t addr, const uint8_t *p, size_t len,
				   struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *got = malloc(len ? len : 1);

	if (!got)
		abort();
	if (bf_stm32_fetch(d, addr, got, len, err))
		return err->rc;
	return memcmp(got, p, len) == 0 ? BF_OK : differs(addr, len, err);
}

enum bf_rc bf_stm32_check(struct bf_proto *p, const struct bf_target *target, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	const struct bf_segment *segs;
	size_t n = bf_image_segments(target->image, &segs);
	uint32_t moved = target->addr - target->segment->addr;
	bool sum;

	p->checked = 0;
	if (bf_stm32_learn(d, err))
		return err->rc;
	sum = has_sum(d);
	if (d->protected || (!sum && !d->unprotected))
		return bf_fail(err, BF_E_UNSUPPORTED, "this bootloader checks nothing");
	for (size_t i = 0; i < n; i++) {
		uint32_t addr = segs[i].addr + moved;
		enum bf_rc rc = sum && addr % 4 == 0
					? check_by_sum(d, addr, segs[i].data, segs[i].len, err)
					: check_by_reading(d, addr, segs[i].data, segs[i].len, err);

		if (rc)
			return bf_while(err, "checking what was written at 0x%08X", addr);
	}
	p->checked = BF_CHECKED_MEMORY;
	return BF_OK;
}

/* ---- erasing ---- */

/* Whether an erase that left its page as it was has changed another one: a glimpse of every page, against what was
 * read of it. False also where a page was not read before. */
static bool nothing_changed(struct bf_stm32 *d)
{
	uint32_t start, size;
	unsigned page;

	for (uint32_t at = 0; at < d->flash_size; at = start - d->flash_base + size) {
		uint8_t got[GLIMPSE];
		struct bf_err none;

		bf_err_init(&none);
		if (!bf_stm32_sector(d, d->flash_base + at, &start, &size, &page) ||
		    !d->seen[at / BF_STM32_LINE] ||
		    bf_stm32_fetch(d, d->flash_base + at, got, sizeof(got), &none) ||
		    memcmp(got, d->memory + at, sizeof(got)) != 0)
			return false;
	}
	return true;
}

static enum bf_rc see_blank(struct bf_stm32 *d, uint32_t addr, size_t n, struct bf_err *err)
{
	uint8_t got[BF_STM32_BLOCK];

	for (size_t at = 0, part; at < n; at += part) {
		part = n - at < d->block ? n - at : d->block;
		if (bf_stm32_fetch(d, addr + (uint32_t)at, got, part, err))
			return err->rc;
		if (is_blank(d, got, part))
			continue;
		return bf_fail(err, BF_E_NAK,
			       "The flash at 0x%08X was erased and still holds data.",
			       addr + (uint32_t)at);
	}
	return BF_OK;
}

/* The acknowledge said that it was erased. If nothing has changed, it is protected; else something was, and nobody
 * knows what. */
static enum bf_rc not_blank(struct bf_stm32 *d, const struct bf_err *why, struct bf_err *err)
{
	if (nothing_changed(d)) {
		*err = *why;
		bf_likely(err, "the pages are write-protected (WRP in the option bytes): the ROM "
			       "loader acknowledges and changes nothing");
		return err->rc;
	}
	bf_fail(err, BF_E_LINK, "%s Other pages may have been erased.", why->cause);
	bf_likely(err, "another chip than its identifier says, with other sectors: set chip, page "
		       "or dbank in [stm32] of a profile");
	if (d->link == &bf_stm32_can)
		bf_likely(err, "another form of the erase command: can-erase in [stm32]");
	return err->rc;
}

/* Then blank flash after an erase says nothing. */
static bool nothing_but_blank_was_seen(const struct bf_stm32 *d)
{
	return d->blank >= BLANK_ROW && !d->held_data;
}

/* A wrong table would show at the borders: the page that was erased is not blank to its end, or its neighbour has
 * changed. */
static enum bf_rc see_borders(struct bf_stm32 *d, uint32_t addr, uint32_t size, struct bf_err *err)
{
	uint32_t in = addr - d->flash_base, end = in + size;
	uint8_t got[GLIMPSE];
	struct bf_err why;

	if (!bf_stm32_has(d, BF_STM32_READ) || d->protected || size < 2 * GLIMPSE ||
	    nothing_but_blank_was_seen(d))
		return BF_OK;
	bf_err_init(&why);
	if (see_blank(d, addr, GLIMPSE, &why) ||
	    see_blank(d, addr + size - GLIMPSE, GLIMPSE, &why)) {
		if (why.rc == BF_E_NAK)
			return not_blank(d, &why, err);
		*err = why;
		return err->rc;
	}
	for (unsigned i = 0; i < 2; i++) {
		uint32_t at = i ? end : in - GLIMPSE;

		if ((i ? end >= d->flash_size : in < GLIMPSE) || !d->seen[at / BF_STM32_LINE])
			continue;
		if (bf_stm32_fetch(d, d->flash_base + at, got, sizeof(got), err))
			return err->rc;
		if (memcmp(got, d->memory + at, sizeof(got)) == 0)
			continue;
		bf_stm32_forget(d, d->flash_base + at, sizeof(got));
		return bf_fail(err, BF_E_LINK,
			       "Erasing 0x%08X to 0x%08X also changed 0x%08X: the chip has other "
			       "sectors than its identifier says.",
			       addr, addr + size - 1, d->flash_base + at);
	}
	return BF_OK;
}

/* A count of pages that came twice on a bus is its first page for the loader: page 0, as counts are sent here. What
 * begins there is read before and looked at afterwards. */
static bool may_hit_page_0(const struct bf_stm32 *d, uint32_t addr)
{
	return d->link == &bf_stm32_can && d->set->can_form == BF_STM32_CAN_CLASSIC &&
	       d->set->can_erase == BF_STM32_CAN_ERASE_PAGE && addr != d->flash_base &&
	       bf_stm32_has(d, BF_STM32_READ) && !d->protected;
}

static enum bf_rc see_page_0(struct bf_stm32 *d, uint32_t addr, const uint8_t was[GLIMPSE],
			     struct bf_err *err)
{
	uint8_t got[GLIMPSE];

	if (!may_hit_page_0(d, addr))
		return BF_OK;
	if (bf_stm32_fetch(d, d->flash_base, got, sizeof(got), err))
		return err->rc;
	if (memcmp(got, was, sizeof(got)) == 0)
		return BF_OK;
	bf_stm32_forget(d, d->flash_base, BF_STM32_LINE);
	bf_fail(err, BF_E_NAK, "Erasing 0x%08X also erased page 0, at 0x%08X.", addr,
		d->flash_base);
	bf_likely(err, "a frame came twice on the bus, and the loader took the count of pages for "
		       "a page");
	bf_do(err, "write back what belongs at 0x%08X from a backup before the pack is used",
	      d->flash_base);
	return err->rc;
}

static bf_time erase_limit(uint32_t size)
{
	return size <= SMALL ? ERASE_SMALL : ERASE_LARGE * ((bf_time)(size + 131071) / 131072);
}

static enum bf_rc send_erase(struct bf_stm32 *d, const uint16_t *pages, size_t n, bf_time limit,
			     struct bf_err *err)
{
	switch (d->set->erase) {
	case BF_STM32_ERASE_PAGES:
		break;
	case BF_STM32_ERASE_MASS:
		return d->link->erase_all(d, BF_STM32_ALL, ERASE_ALL, err);
	case BF_STM32_ERASE_BANK1:
		return d->link->erase_all(d, BF_STM32_BANK1, ERASE_ALL, err);
	case BF_STM32_ERASE_BANK2:
		return d->link->erase_all(d, BF_STM32_BANK2, ERASE_ALL, err);
	}
	return d->link->erase(d, pages, n, limit, err);
}

/* With its acknowledge lost nobody knows whether it was done; blank pages say that it was. A list that was refused
 * arrived damaged: nothing was erased. */
static enum bf_rc erase_pages(struct bf_stm32 *d, const uint16_t *pages, size_t n, bf_time limit,
			      uint32_t addr, uint32_t size, struct bf_err *err)
{
	struct bf_err why;
	enum bf_rc rc;

	for (unsigned i = 0; i < TRIES; i++) {
		bf_err_init(err);
		rc = send_erase(d, pages, n, limit, err);
		if (rc == BF_E_NAK && !d->protected)
			continue;
		if (!bf_stm32_lost(rc))
			break;
		if (bf_stm32_recover(d, rc, err) && !d->synced)
			break;
		bf_err_init(&why);
		if (!bf_stm32_has(d, BF_STM32_READ))
			break;
		if (!see_blank(d, addr, size, &why)) {
			bf_err_init(err);
			rc = BF_OK;
			break;
		}
		if (bf_stm32_lost(why.rc))
			break;
	}
	if (!rc)
		rc = see_borders(d, addr, size, err);
	bf_stm32_forget(d, addr, size);
	return rc;
}

/* Erases all of the flash; asked for by name only. The chip resets, and comes back into the loader where BOOT0 is
 * still held. */
static enum bf_rc clear_protection(struct bf_stm32 *d, struct bf_err *err)
{
	enum bf_rc rc;

	if (!d->base.env.unprotect)
		return not_readable(d, err);
	bf_log(d->base.env.log, BF_LOG_INFO,
	       "clearing readout protection: the whole flash is erased");
	rc = d->link->twice(d, BF_STM32_READOUT_UNPROTECT, UNPROTECT, err);
	if (rc && !bf_stm32_lost(rc))
		return bf_while(err, "clearing readout protection");
	d->synced = d->known = false;
	d->sum_tried = false;
	bf_err_init(err);
	if (d->link->sync(d, false, bf_in(bf_stm32_clock(d), BF_SEC(5)), err)) {
		bf_likely(err,
			  "clearing readout protection resets the chip: hold BOOT0 until it is "
			  "done");
		return bf_while(err, "finding the ROM loader again after the flash was erased");
	}
	d->synced = true;
	if (bf_stm32_learn(d, err))
		return err->rc;
	d->unprotected = true;
	return d->protected ? bf_fail(err, BF_E_NAK,
				      "readout protection is still active after it was cleared")
			    : BF_OK;
}

static enum bf_rc page_too_high(const struct bf_stm32 *d, unsigned page, struct bf_err *err)
{
	bf_fail(err, BF_E_UNSUPPORTED, "The erase command of this loader does not reach page %u.",
		page);
	if (d->link == &bf_stm32_can) {
		bf_likely(err, "on CAN a page has a number of one byte, and %u is the highest",
			  d->link->page_max);
		bf_do(err, "write this chip by its serial line");
	}
	return err->rc;
}

static enum bf_rc list_pages(struct bf_stm32 *d, uint32_t addr, uint32_t size, uint16_t *pages,
			     size_t *ret_n, uint32_t *ret_size, bf_time *ret_limit,
			     struct bf_err *err)
{
	uint32_t at = addr, start, len;
	unsigned page, first = 0;
	size_t n = 0, most = bf_stm32_has(d, BF_STM32_EXT_ERASE) ? BF_STM32_PAGES : 255;

	*ret_limit = ERASE_BASE;
	while (at - addr < size && n < most) {
		if (!bf_stm32_sector(d, at, &start, &len, &page))
			return bf_fail(err, BF_E_INCOMPATIBLE, "The chip has no sector at 0x%08X.",
				       at);
		if (start != at || len > size - (at - addr))
			return bf_fail(err, BF_E_INTERNAL, "0x%08X to 0x%08X are no whole sectors",
				       addr, addr + size - 1);
		if (page > d->link->page_max ||
		    (page > 255 && !bf_stm32_has(d, BF_STM32_EXT_ERASE)))
			return page_too_high(d, page, err);
		first = n ? first : page;
		pages[n++] = (uint16_t)page;
		*ret_limit += erase_limit(len);
		at += len;
	}
	*ret_n = n;
	*ret_size = at - addr;
	return BF_OK;
}

enum bf_rc bf_stm32_erase(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			  uint32_t size, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	uint16_t pages[BF_STM32_PAGES];
	uint8_t first[GLIMPSE] = { 0 };
	size_t n;

	if (bf_stm32_learn(d, err))
		return err->rc;
	if (d->protected && clear_protection(d, err))
		return err->rc;
	for (uint32_t done = 0, part; done < size; done += part) {
		bf_time limit;

		if (list_pages(d, addr + done, size - done, pages, &n, &part, &limit, err) ||
		    (may_hit_page_0(d, addr) &&
		     bf_stm32_fetch(d, d->flash_base, first, sizeof(first), err)) ||
		    erase_pages(d, pages, n, limit, addr + done, part, err) ||
		    see_page_0(d, addr, first, err))
			return bf_while(err, "erasing %u bytes of '%s' at 0x%08X", size,
					region->name, addr);
	}
	return BF_OK;
}

/* ---- writing ---- */

enum bf_rc bf_stm32_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			  struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);

	if (bf_stm32_learn(d, err))
		return err->rc;
	if (d->protected)
		return not_readable(d, err);
	if (!in_flash(d, target->addr, target->len))
		return bf_fail(
			err, BF_E_INCOMPATIBLE,
			"The flash reaches from 0x%08X to 0x%08X; the image has bytes at 0x%08X.",
			d->flash_base, d->flash_base + d->flash_size - 1, target->addr);
	d->write.open = true;
	d->write.out = false;
	d->write.addr = target->addr;
	d->write.total = target->len;
	if (target->addr - d->flash_base + target->len > d->write.end)
		d->write.end = target->addr - d->flash_base + (uint32_t)target->len;
	*ret = (struct bf_flow){ .block_max = d->block };
	return BF_OK;
}

/* A long message is as weak as all its bytes together: a line that loses some gets shorter ones for a while. */
static uint32_t write_most(const struct bf_stm32 *d)
{
	return d->write.most && d->write.most < d->block ? d->write.most : d->block;
}

static void write_shorter(struct bf_stm32 *d)
{
	uint32_t half = write_most(d) / 2;

	d->write.good = 0;
	if (half >= SHORTEST && half % d->unit == 0)
		d->write.most = half;
}

static void write_longer(struct bf_stm32 *d)
{
	if (!d->write.most || ++d->write.good < LONGER_AFTER)
		return;
	d->write.good = 0;
	d->write.most = d->write.most * 2 < d->block ? d->write.most * 2 : 0;
}

/* A loader that missed the length takes a byte of data for it, and may write 256 bytes from the address on. Blocks end
 * at multiples of that, and the last one of a sector is no shorter than it: nothing behind the sector is ever hit. */
static uint32_t block_most(const struct bf_stm32 *d, uint32_t addr)
{
	uint32_t line = BF_STM32_BLOCK - addr % BF_STM32_BLOCK, most = write_most(d), start, size;
	unsigned page;

	if (bf_stm32_sector(d, addr, &start, &size, &page) && start + size - addr <= BF_STM32_BLOCK)
		most = d->block;
	return most < line ? most : line;
}

/* Whole units, each of them once: what is missing in front and behind is what erased flash holds. */
static void fill_block(struct bf_stm32 *d, const struct bf_block *block)
{
	uint32_t addr = d->write.addr + (uint32_t)block->offset;
	uint32_t before = addr % d->unit, len = (uint32_t)block->len, n;
	uint32_t most = block_most(d, addr - before);

	if (before + len > most)
		len = most - before;
	/* A unit is written once: the next block begins where one does. */
	if (block->offset + len < d->write.total && (addr + len) % d->unit < len)
		len -= (addr + len) % d->unit;
	n = before + len;
	d->write.block_addr = addr - before;
	d->write.block_len = (n + d->unit - 1) / d->unit * d->unit;
	memset(d->write.block, d->erased, sizeof(d->write.block));
	memcpy(d->write.block + before, block->data, len);
	d->write.data = block->data;
	d->write.at = block->offset;
	d->write.len = len;
}

static bool erases(const struct bf_stm32 *d)
{
	return bf_stm32_has(d, BF_STM32_ERASE) || bf_stm32_has(d, BF_STM32_EXT_ERASE);
}

static enum bf_rc write_block(struct bf_stm32 *d, struct bf_err *err)
{
	return d->link->write_start(d, d->write.block_addr, d->write.block, d->write.block_len,
				    err);
}

enum bf_rc bf_stm32_block_start(struct bf_proto *p, const struct bf_block *block,
				struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);

	if (!d->write.open || d->write.out || block->len > d->block)
		return bf_fail(err, BF_E_INTERNAL, "a block that does not fit the download");
	p->env.retry->requests[BF_RETRY_IDEMPOTENT]++;
	fill_block(d, block);
	bf_stm32_forget(d, d->write.block_addr, (uint32_t)d->write.block_len);
	d->write.out = true;
	d->write.skipped = erases(d) && is_blank(d, d->write.block, d->write.block_len);
	bf_err_init(&d->write.why);
	/* How it went is told by block_finish, which can look at the flash. */
	if (!d->write.skipped && write_block(d, &d->write.why) && !bf_stm32_lost(d->write.why.rc) &&
	    d->write.why.rc != BF_E_NAK) {
		*err = d->write.why;
		d->write.out = false;
		return err->rc;
	}
	return BF_OK;
}

enum block_state { BLOCK_BLANK, BLOCK_WRITTEN, BLOCK_OTHER };

static enum bf_rc look_at_block(struct bf_stm32 *d, enum block_state *ret, struct bf_err *err)
{
	uint8_t got[BF_STM32_BLOCK + 32];

	if (bf_stm32_fetch(d, d->write.block_addr, got, d->write.block_len, err))
		return err->rc;
	*ret = memcmp(got, d->write.block, d->write.block_len) == 0 ? BLOCK_WRITTEN
	       : is_blank(d, got, d->write.block_len)               ? BLOCK_BLANK
								    : BLOCK_OTHER;
	return BF_OK;
}

/*
 * A block that was lost or refused: what the flash holds says whether it arrived. A unit that holds something is
 * not written again: most chips could not, and the engine erases its page.
 */
static enum bf_rc finish_again(struct bf_stm32 *d, enum bf_rc rc, struct bf_err *err)
{
	for (unsigned i = 0; i < REWRITES && (bf_stm32_lost(rc) || rc == BF_E_NAK); i++) {
		enum block_state state = BLOCK_OTHER;
		struct bf_err why;

		if (bf_stm32_recover(d, rc, err) && !d->synced)
			return err->rc;
		bf_err_init(&why);
		if (d->protected || !bf_stm32_has(d, BF_STM32_READ) ||
		    look_at_block(d, &state, &why) || state == BLOCK_OTHER)
			return rc;
		d->base.env.retry->repeats[BF_RETRY_IDEMPOTENT]++;
		bf_err_init(err);
		if (state == BLOCK_WRITTEN)
			return BF_OK;
		write_shorter(d);
		fill_block(d, &(struct bf_block){ .offset = d->write.at,
						  .data = d->write.data,
						  .len = d->write.len });
		rc = write_block(d, err);
		if (!rc)
			rc = d->link->write_finish(d, err);
	}
	return rc;
}

enum bf_rc bf_stm32_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	enum bf_rc rc = d->write.why.rc;

	if (!d->write.out)
		return bf_fail(err, BF_E_INTERNAL, "no block is out");
	d->write.out = false;
	*err = d->write.why;
	if (!rc && !d->write.skipped)
		rc = d->link->write_finish(d, err);
	if (rc)
		rc = finish_again(d, rc, err);
	if (rc)
		return bf_while(err, "writing %zu bytes at 0x%08X", d->write.block_len,
				d->write.block_addr);
	write_longer(d);
	*ret_next = d->write.at + d->write.len;
	return BF_OK;
}

void bf_stm32_abandon(struct bf_proto *p)
{
	struct bf_stm32 *d = bf_stm32_of(p);

	d->write.open = d->write.out = false;
}
