/* SPDX-License-Identifier: MIT */
/*
 * Intel HEX (Intel, "Hexadecimal Object File Format Specification", revision A). A line is
 *
 *	:LLAAAATT<LL bytes of data>CC
 *
 * with data length, address, type and a checksum that makes all bytes add up to 0. Records may come in
 * any order; holes between them stay holes.
 */
#include <assert.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "image/textrec.h"

#define AROUND 5 /* bytes of a record that are not data */

enum type {
	REC_DATA,
	REC_END,
	REC_SEGMENT,       /* bits 4..19 of the base; addresses wrap within 64 KiB */
	REC_START_SEGMENT, /* CS:IP, of no use here */
	REC_LINEAR,        /* bits 16..31 of the base */
	REC_START_LINEAR,  /* EIP, of no use here */
	REC_COUNT
};

struct ihex {
	struct bf_textrec rec;
	struct bf_runs *runs;
	uint8_t *arena;
	size_t used;
	uint32_t base;
	bool segmented, begun;
	struct bf_err *err;
};

static enum bf_rc take_data(struct ihex *x, const uint8_t *data, size_t len, uint16_t offset)
{
	const struct bf_textrec *rec = &x->rec;
	struct bf_segment seg = { .len = len };

	if (len == 0)
		return BF_OK;
	if (x->segmented && (size_t)offset + len > 0x10000)
		return bf_fail(
			x->err, BF_E_IMAGE,
			"'%s' line %zu, column 4: %zu bytes at offset 0x%04x cross the end of "
			"their 64 KiB segment",
			rec->path, rec->line, len, offset);
	if ((uint64_t)x->base + offset + len > (uint64_t)UINT32_MAX + 1)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' line %zu, column 4: %zu bytes at 0x%08llx go past the end of "
			       "the 32-bit address space",
			       rec->path, rec->line, len, (unsigned long long)x->base + offset);
	seg.addr = x->base + offset;
	seg.data = memcpy(x->arena + x->used, data, len);
	x->used += len;
	bf_runs_add(x->runs, &seg, rec->line);
	return BF_OK;
}

static enum bf_rc take_end(struct ihex *x, const uint8_t *data, size_t len, uint16_t offset)
{
	(void)data;
	(void)len;
	(void)offset;
	x->rec.end_line = x->rec.line;
	return BF_OK;
}

static enum bf_rc take_segment(struct ihex *x, const uint8_t *data, size_t len, uint16_t offset)
{
	(void)len;
	(void)offset;
	x->base = (uint32_t)bf_get_be16(data) << 4;
	x->segmented = true;
	return BF_OK;
}

static enum bf_rc take_linear(struct ihex *x, const uint8_t *data, size_t len, uint16_t offset)
{
	(void)len;
	(void)offset;
	x->base = (uint32_t)bf_get_be16(data) << 16;
	x->segmented = false;
	return BF_OK;
}

static enum bf_rc take_start(struct ihex *x, const uint8_t *data, size_t len, uint16_t offset)
{
	(void)x;
	(void)data;
	(void)len;
	(void)offset;
	return BF_OK;
}

static const struct {
	int len; /* -1: any */
	enum bf_rc (*take)(struct ihex *x, const uint8_t *data, size_t len, uint16_t offset);
} types[] = {
	[REC_DATA] = { -1, take_data },      [REC_END] = { 0, take_end },
	[REC_SEGMENT] = { 2, take_segment }, [REC_START_SEGMENT] = { 4, take_start },
	[REC_LINEAR] = { 2, take_linear },   [REC_START_LINEAR] = { 4, take_start },
};
static_assert(BF_COUNT(types) == REC_COUNT, "a row for every type");

static enum bf_rc check_record(struct ihex *x)
{
	const struct bf_textrec *rec = &x->rec;
	uint8_t sum = 0, check;

	if (rec->n < AROUND)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' line %zu: record of %zu bytes, the shortest has %d", rec->path,
			       rec->line, rec->n, AROUND);
	if (rec->n != (size_t)rec->bytes[0] + AROUND)
		return bf_fail(
			x->err, BF_E_IMAGE,
			"'%s' line %zu, column 2: the record says %u bytes of data, the line "
			"has %zu",
			rec->path, rec->line, rec->bytes[0], rec->n - AROUND);
	for (size_t i = 0; i + 1 < rec->n; i++)
		sum = (uint8_t)(sum + rec->bytes[i]);
	check = (uint8_t)-sum;
	if (check != rec->bytes[rec->n - 1])
		return bf_fail(
			x->err, BF_E_IMAGE,
			"'%s' line %zu, column %zu: checksum %02X, but the record adds up to "
			"%02X",
			rec->path, rec->line, bf_textrec_column(rec, rec->n - 1),
			rec->bytes[rec->n - 1], check);
	return BF_OK;
}

static enum bf_rc take_record(struct ihex *x)
{
	const struct bf_textrec *rec = &x->rec;
	uint8_t type = rec->bytes[3];
	size_t len = rec->bytes[0];

	if (type >= REC_COUNT)
		return bf_fail(
			x->err, BF_E_IMAGE,
			"'%s' line %zu, column 8: record type %02X, only 00 to 05 are defined",
			rec->path, rec->line, type);
	if (types[type].len >= 0 && len != (size_t)types[type].len)
		return bf_fail(
			x->err, BF_E_IMAGE,
			"'%s' line %zu, column 2: a record of type %02X has %d bytes of data, "
			"this one %zu",
			rec->path, rec->line, type, types[type].len, len);
	return types[type].take(x, rec->bytes + 4, len, bf_get_be16(rec->bytes + 1));
}

static enum bf_rc parse_line(struct ihex *x)
{
	struct bf_textrec *rec = &x->rec;
	enum bf_rc rc;

	if (bf_textrec_around(rec, x->begun, &rc, x->err))
		return rc;
	x->begun = true;
	if (rec->text[0] != ':')
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' line %zu, column 1: a record begins with ':'", rec->path,
			       rec->line);
	if (bf_textrec_decode(&x->rec, 1, x->err) || check_record(x))
		return x->err->rc;
	return take_record(x);
}

enum bf_rc bf_ihex_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err)
{
	struct ihex x = { .rec = { .path = claim->path, .p = claim->file, .len = claim->len },
			  .runs = runs,
			  .err = err };

	/* Two digits make a byte, so that the data is never longer than half the file. */
	claim->arena = x.arena = malloc(claim->len / 2 + 1);
	if (!claim->arena)
		abort();
	while (bf_textrec_next(&x.rec))
		if (parse_line(&x))
			return err->rc;
	if (!x.rec.end_line)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' is cut short: no end record (type 01) up to line %zu",
			       claim->path, x.rec.line);
	bf_textrec_note(&x.rec, claim->meta.note, sizeof(claim->meta.note));
	return BF_OK;
}
