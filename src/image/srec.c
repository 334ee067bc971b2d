/* SPDX-License-Identifier: MIT */
/*
 * Motorola S-records. A line is
 *
 *	STLL<address><data>CC
 *
 * with type T, LL the number of bytes that follow it, an address of 2 to 4 bytes by type, and a
 * checksum: the complement of the sum of all bytes before it. S0 is a header, S1 to S3 are data, S5
 * and S6 count the data records, S7 to S9 end the file.
 */
#include <string.h>

#include "bmsflash/bytes.h"
#include "image/textrec.h"

enum role { ROLE_NONE, ROLE_HEADER, ROLE_DATA, ROLE_NUMBER, ROLE_END };

static const struct {
	enum role role;
	uint8_t addr_len;
} types[10] = {
	[0] = { ROLE_HEADER, 2 }, [1] = { ROLE_DATA, 2 }, [2] = { ROLE_DATA, 3 },
	[3] = { ROLE_DATA, 4 },   [4] = { ROLE_NONE, 0 }, [5] = { ROLE_NUMBER, 2 },
	[6] = { ROLE_NUMBER, 3 }, [7] = { ROLE_END, 4 },  [8] = { ROLE_END, 3 },
	[9] = { ROLE_END, 2 },
};

struct srec {
	struct bf_textrec rec;
	struct bf_runs *runs;
	uint8_t *arena;
	size_t used;
	size_t n_data;
	bool begun;
	bool counted; /* the last record counts all data records, and is right */
	struct bf_err *err;
};

static enum bf_rc check_record(struct srec *x, size_t addr_len)
{
	const struct bf_textrec *rec = &x->rec;
	uint8_t sum = 0, check;

	if (rec->n == 0 || rec->bytes[0] != rec->n - 1)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' line %zu, column 3: the record says %u bytes follow, the line "
			       "has %zu",
			       rec->path, rec->line, rec->n ? rec->bytes[0] : 0,
			       rec->n ? rec->n - 1 : 0);
	if (rec->n < 1 + addr_len + 1)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' line %zu, column 3: %u bytes are too few for a record of type "
			       "S%c",
			       rec->path, rec->line, rec->bytes[0], rec->text[1]);
	for (size_t i = 0; i + 1 < rec->n; i++)
		sum = (uint8_t)(sum + rec->bytes[i]);
	check = (uint8_t)~sum;
	if (check != rec->bytes[rec->n - 1])
		return bf_fail(
			x->err, BF_E_IMAGE,
			"'%s' line %zu, column %zu: checksum %02X, but the record adds up to "
			"%02X",
			rec->path, rec->line, bf_textrec_column(rec, rec->n - 1),
			rec->bytes[rec->n - 1], check);
	return BF_OK;
}

static enum bf_rc take_data(struct srec *x, uint32_t addr, const uint8_t *data, size_t len)
{
	struct bf_segment seg = { .addr = addr, .len = len };

	x->n_data++;
	x->counted = false;
	if ((uint64_t)addr + len > (uint64_t)UINT32_MAX + 1)
		return bf_fail(
			x->err, BF_E_IMAGE,
			"'%s' line %zu, column 5: %zu bytes at 0x%08x go past the end of the "
			"32-bit address space",
			x->rec.path, x->rec.line, len, addr);
	if (len == 0)
		return BF_OK;
	seg.data = memcpy(x->arena + x->used, data, len);
	x->used += len;
	bf_runs_add(x->runs, &seg, x->rec.line);
	return BF_OK;
}

static enum bf_rc take_record(struct srec *x, enum role role, size_t addr_len)
{
	const struct bf_textrec *rec = &x->rec;
	struct bf_cur c = bf_cur(rec->bytes + 1, rec->n - 2);
	uint32_t addr = (uint32_t)bf_cur_be(&c, addr_len);
	size_t len = bf_cur_left(&c);

	switch (role) {
	case ROLE_DATA:
		return take_data(x, addr, bf_cur_bytes(&c, len), len);
	case ROLE_NUMBER:
		x->counted = addr == x->n_data;
		if (x->counted)
			return BF_OK;
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' line %zu, column 5: counts %u data records, but %zu came "
			       "before it: lines are missing",
			       rec->path, rec->line, addr, x->n_data);
	case ROLE_END:
		x->rec.end_line = x->rec.line;
		return BF_OK;
	case ROLE_HEADER:
	case ROLE_NONE:
		break;
	}
	return BF_OK;
}

static enum bf_rc parse_line(struct srec *x)
{
	struct bf_textrec *rec = &x->rec;
	enum bf_rc rc;
	uint8_t type;

	if (bf_textrec_around(rec, x->begun, &rc, x->err))
		return rc;
	x->begun = true;
	if (rec->text_len < 2 || (rec->text[0] != 'S' && rec->text[0] != 's'))
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' line %zu, column 1: a record begins with 'S' and a digit",
			       rec->path, rec->line);
	type = (uint8_t)(rec->text[1] - '0');
	if (type >= BF_COUNT(types) || types[type].role == ROLE_NONE)
		return bf_fail(x->err, BF_E_IMAGE, "'%s' line %zu, column 2: no such record type",
			       rec->path, rec->line);
	if (bf_textrec_decode(&x->rec, 2, x->err) || check_record(x, types[type].addr_len))
		return x->err->rc;
	return take_record(x, types[type].role, types[type].addr_len);
}

enum bf_rc bf_srec_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err)
{
	struct srec x = { .rec = { .path = claim->path, .p = claim->file, .len = claim->len },
			  .runs = runs,
			  .err = err };

	/* Two digits make a byte, so that the data is never longer than half the file. */
	claim->arena = x.arena = malloc(claim->len / 2 + 1);
	if (!claim->arena)
		abort();
	while (bf_textrec_next(&x.rec))
		if (parse_line(&x))
			return err->rc;
	/* Without a start address srec_cat writes no end record: a count of all records tells as much. */
	if (!x.rec.end_line && !x.counted)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' is cut short: no end record (S7, S8 or S9) up to line %zu",
			       claim->path, x.rec.line);
	bf_textrec_note(&x.rec, claim->meta.note, sizeof(claim->meta.note));
	return BF_OK;
}
