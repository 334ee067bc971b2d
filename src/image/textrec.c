/* SPDX-License-Identifier: MIT */
#include "image/textrec.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/shell.h"

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
	if (rec->pos == 0)
		rec->pos = bf_text_mark(rec->p, rec->len);
	while (rec->pos < rec->len) {
		const uint8_t *from = rec->p + rec->pos;
		const uint8_t *end = memchr(from, '\n', rec->len - rec->pos);
		size_t n = end ? (size_t)(end - from) : rec->len - rec->pos;

		rec->pos += n + (end ? 1 : 0);
		rec->line++;
		while (n && is_space(from[n - 1]))
			n--;
		for (rec->indent = 0; n && is_space(*from); rec->indent++, from++)
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
	return rec->indent + rec->skip + 2 * i + 1;
}

char bf_textrec_kind(const struct bf_textrec *rec)
{
	const uint8_t *p = rec->text;

	if (p[0] == ':')
		return ':';
	if ((p[0] == 'S' || p[0] == 's') && rec->text_len > 1 && isdigit(p[1]) &&
	    (rec->text_len == 2 || bf_hex_digit((char)p[2]) >= 0))
		return 'S';
	return '\0';
}

bool bf_textrec_printable(const struct bf_textrec *rec)
{
	for (size_t i = 0; i < rec->text_len; i++)
		if ((rec->text[i] < ' ' && rec->text[i] != '\t') || rec->text[i] == 0x7F)
			return false;
	return true;
}

static enum bf_rc refuse_second(const struct bf_textrec *rec, struct bf_err *err)
{
	bf_fail(err, BF_E_IMAGE,
		"'%s' line %zu: a second part begins behind the end record in line %zu; a pack "
		"would get one of them",
		rec->path, rec->line, rec->end_line);
	bf_likely(err, "two files were put together, such as boot loader and application");
	bf_next_argv(err, "shows the place; sign and give the part that is meant",
		     (const char *const[]){ "grep", "-n", "-A2", "-i", "^:00000001FF\\|^S[789]",
					    rec->path, NULL });
	return err->rc;
}

bool bf_textrec_around(struct bf_textrec *rec, bool begun, enum bf_rc *ret_rc, struct bf_err *err)
{
	*ret_rc = BF_OK;
	if (rec->end_line) {
		if (bf_textrec_kind(rec))
			*ret_rc = refuse_second(rec, err);
		else
			rec->behind++;
		return true;
	}
	if (begun || bf_textrec_kind(rec) || !bf_textrec_printable(rec))
		return false;
	rec->before++;
	return true;
}

void bf_textrec_note(const struct bf_textrec *rec, char *note, size_t cap)
{
	if (rec->before && rec->behind)
		snprintf(note, cap,
			 "%zu lines of text in front of the first record and %zu behind the end "
			 "record were passed "
			 "over",
			 rec->before, rec->behind);
	else if (rec->before)
		snprintf(note, cap,
			 "text in front of the first record was passed over (%zu line%s)",
			 rec->before, rec->before == 1 ? "" : "s");
	else if (rec->behind)
		snprintf(note, cap,
			 "what follows the end record in line %zu was passed over (%zu line%s)",
			 rec->end_line, rec->behind, rec->behind == 1 ? "" : "s");
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
