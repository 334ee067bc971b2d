/* SPDX-License-Identifier: MIT */
#include "bmsflash/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LONGEST_FORMATTED 4096 /* longer than any field that it is cut to */

/* Length of the UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates), 0: none. */
static size_t decode(const unsigned char *p, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 0;
	uint32_t c;

	if (!len || len > n)
		return 0;
	c = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3Fu);
	}
	if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) || p[0] >= 0xF8)
		return 0;
	*ret = c;
	return len;
}

/* Characters that a terminal obeys, or that make text look like other text. */
static bool is_harmful(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00, 0x1F },       { 0x7F, 0x9F },     /* C0, DEL, C1 */
		{ 0x061C, 0x061C },   { 0x200E, 0x200F }, /* marks of direction */
		{ 0x2028, 0x202E }, /* line separators, embeddings, overrides */
		{ 0x2060, 0x206F }, /* isolates and other invisible ones */
		{ 0xFEFF, 0xFEFF },   { 0xFFF9, 0xFFFB }, /* byte order mark, annotations */
		{ 0xE0000, 0xE007F },                     /* tags */
	};

	for (size_t i = 0; i < BF_COUNT(ranges); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return false;
}

size_t bf_text_shown(const char *p, size_t n)
{
	uint32_t c = 0;
	size_t len = n ? decode((const unsigned char *)p, n, &c) : 0;

	return len && !is_harmful(c) ? len : 0;
}

static size_t escape(char dst[16], uint32_t c)
{
	static const char named[] = "\aa\bb\tt\nn\vv\ff\rr";

	for (const char *p = named; c && *p; p += 2) {
		if (c == (unsigned char)*p)
			return (size_t)snprintf(dst, 16, "\\%c", p[1]);
	}
	return (size_t)snprintf(dst, 16, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
}

char *bf_text_escape_n(char *dst, size_t cap, const char *src, size_t n)
{
	const unsigned char *p = (const unsigned char *)src;
	size_t at = 0;

	if (!cap)
		return dst;
	while (n) {
		uint32_t c = 0;
		size_t len = decode(p, n, &c);
		char one[16];
		size_t need;

		if (!len)
			need = (size_t)snprintf(one, sizeof(one), "\\x%02x", *p);
		else if (is_harmful(c))
			need = escape(one, c);
		else
			memcpy(one, p, need = len);
		if (need >= cap - at)
			break;
		memcpy(dst + at, one, need);
		at += need;
		p += len ? len : 1;
		n -= len ? len : 1;
	}
	dst[at] = '\0';
	return dst;
}

char *bf_text_escape(char *dst, size_t cap, const char *src)
{
	return bf_text_escape_n(dst, cap, src, strlen(src));
}

/* Formatting may have cut a character in the middle: its beginning is no damage to be shown. */
static size_t without_cut_character(const char *text, size_t n)
{
	for (size_t back = 1; back <= 3 && back < n; back++) {
		unsigned char c = (unsigned char)text[n - back];

		if ((c & 0xC0) == 0x80)
			continue;
		return c >= 0xC0 ? n - back : n;
	}
	return n;
}

char *bf_text_vformat(char *dst, size_t cap, const char *fmt, va_list ap)
{
	char text[LONGEST_FORMATTED];
	int want = vsnprintf(text, sizeof(text), fmt, ap);
	size_t n = want < 0 ? 0 : (size_t)want;

	if (n >= sizeof(text))
		n = without_cut_character(text, sizeof(text) - 1);
	return bf_text_escape_n(dst, cap, text, n);
}

char *bf_text_format(char *dst, size_t cap, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bf_text_vformat(dst, cap, fmt, ap);
	va_end(ap);
	return dst;
}
