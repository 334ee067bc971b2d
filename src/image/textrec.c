/* SPDX-License-Identifier: MIT */
#include "image/textrec.h"

#include <string.h>

#include "bmsflash/bytes.h"

size_t bf_text_mark(const void *p, size_t len)
{
	return len >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

bool bf_textrec_next(struct bf_textrec *rec)
{
	while (rec->pos < rec->len) {
		const uint8_t *from = rec->p + rec->pos;
		const uint8_t *end = memchr(from, '\n', rec->len - rec->pos);
		size_t n = end ? (size_t)(end - from) : rec->len - rec->pos;

		rec->pos += n + (end ? 1 : 0);
		rec->line++;
		while (n && is_space(from[n - 1]))
			n--;
		rec->text = from;
		rec->text_len = n;
		rec->n = 0;
		if (n)
			return true;
	}
	return false;
}

size_t bf_textrec_column(const struct bf_textrec *rec, size_t i)
{
	return rec->skip + 2 * i + 1;
}

static enum bf_rc refuse_digit(const struct bf_textrec *rec, size_t at, struct bf_err *err)
{
	uint8_t c = rec->text[at];

	if (c > ' ' && c < 0x7F)
		return bf_fail(err, BF_E_IMAGE, "'%s' line %zu, column %zu: '%c' is no hex digit",
			       rec->path, rec->line, at + 1, c);
	return bf_fail(err, BF_E_IMAGE, "'%s' line %zu, column %zu: byte 0x%02x is no hex digit",
		       rec->path, rec->line, at + 1, c);
}

enum bf_rc bf_textrec_decode(struct bf_textrec *rec, size_t skip, struct bf_err *err)
{
	rec->skip = skip;
	rec->n = 0;
	for (size_t at = skip; at < rec->text_len; at += 2) {
		int high = bf_hex_digit((char)rec->text[at]);
		int low = at + 1 < rec->text_len ? bf_hex_digit((char)rec->text[at + 1]) : 0;

		if (high < 0 || low < 0)
			return refuse_digit(rec, high < 0 ? at : at + 1, err);
		if (at + 1 == rec->text_len)
			return bf_fail(
				err, BF_E_IMAGE,
				"'%s' line %zu, column %zu: the line ends in the middle of a "
				"byte",
				rec->path, rec->line, at + 1);
		if (rec->n == sizeof(rec->bytes))
			return bf_fail(err, BF_E_IMAGE,
				       "'%s' line %zu, column %zu: longer than any record can be",
				       rec->path, rec->line, at + 1);
		rec->bytes[rec->n++] = (uint8_t)(high << 4 | low);
	}
	return BF_OK;
}
