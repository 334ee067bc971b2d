/* SPDX-License-Identifier: MIT */
#include "bmsflash/bytes.h"

#include <string.h>

struct bf_cur bf_cur(const void *p, size_t len)
{
	return (struct bf_cur){ .p = p, .len = len };
}

size_t bf_cur_left(const struct bf_cur *c)
{
	return c->failed ? 0 : c->len - c->pos;
}

bool bf_cur_seek(struct bf_cur *c, size_t pos)
{
	if (pos > c->len)
		c->failed = true;
	else
		c->pos = pos;
	return !c->failed;
}

const uint8_t *bf_cur_bytes(struct bf_cur *c, size_t n)
{
	const uint8_t *at;

	if (c->failed || n > c->len - c->pos) {
		c->failed = true;
		return NULL;
	}
	/* Nothing out of nothing: no arithmetic on a null pointer, and not NULL, which says that bytes are missing. */
	at = c->p ? c->p + c->pos : (const uint8_t *)"";
	c->pos += n;
	return at;
}

uint8_t bf_cur_u8(struct bf_cur *c)
{
	const uint8_t *p = bf_cur_bytes(c, 1);

	return p ? p[0] : 0;
}

uint16_t bf_cur_le16(struct bf_cur *c)
{
	const uint8_t *p = bf_cur_bytes(c, 2);

	return p ? bf_get_le16(p) : 0;
}

uint32_t bf_cur_le32(struct bf_cur *c)
{
	const uint8_t *p = bf_cur_bytes(c, 4);

	return p ? bf_get_le32(p) : 0;
}

uint16_t bf_cur_be16(struct bf_cur *c)
{
	const uint8_t *p = bf_cur_bytes(c, 2);

	return p ? bf_get_be16(p) : 0;
}

uint32_t bf_cur_be32(struct bf_cur *c)
{
	const uint8_t *p = bf_cur_bytes(c, 4);

	return p ? bf_get_be32(p) : 0;
}

uint64_t bf_cur_be(struct bf_cur *c, size_t n)
{
	const uint8_t *p;
	uint64_t v = 0;

	if (n == 0 || n > 8) {
		c->failed = true;
		return 0;
	}
	p = bf_cur_bytes(c, n);
	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

struct bf_cur bf_cur_sub(struct bf_cur *c, size_t n)
{
	const uint8_t *p = bf_cur_bytes(c, n);

	if (!p)
		return (struct bf_cur){ .p = c->p, .failed = true };
	return bf_cur(p, n);
}

struct bf_out bf_out(void *p, size_t cap)
{
	return (struct bf_out){ .p = p, .cap = cap };
}

static uint8_t *out_room(struct bf_out *o, size_t n)
{
	uint8_t *at;

	if (o->failed || n > o->cap - o->len) {
		o->failed = true;
		return NULL;
	}
	at = n ? o->p + o->len : o->p; /* no arithmetic on a null pointer */
	o->len += n;
	return at;
}

void bf_out_u8(struct bf_out *o, uint8_t v)
{
	bf_out_bytes(o, &v, 1);
}

void bf_out_le16(struct bf_out *o, uint16_t v)
{
	uint8_t *p = out_room(o, 2);

	if (p)
		bf_put_le16(p, v);
}

void bf_out_le32(struct bf_out *o, uint32_t v)
{
	uint8_t *p = out_room(o, 4);

	if (p)
		bf_put_le32(p, v);
}

void bf_out_be16(struct bf_out *o, uint16_t v)
{
	uint8_t *p = out_room(o, 2);

	if (p)
		bf_put_be16(p, v);
}

void bf_out_be32(struct bf_out *o, uint32_t v)
{
	uint8_t *p = out_room(o, 4);

	if (p)
		bf_put_be32(p, v);
}

void bf_out_bytes(struct bf_out *o, const void *p, size_t n)
{
	uint8_t *at = out_room(o, n);

	if (at && n)
		memcpy(at, p, n);
}

char *bf_hex(char *dst, size_t cap, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;
	size_t at = 0;

	for (size_t i = 0; i < n && at + 2 < cap; i++) {
		dst[at++] = digits[b[i] >> 4];
		dst[at++] = digits[b[i] & 15];
	}
	if (cap)
		dst[at] = '\0';
	return dst;
}

int bf_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool bf_unhex(const char *text, uint8_t *dst, size_t cap, size_t *ret_len)
{
	size_t n = strlen(text);

	if (n % 2 || n / 2 > cap)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		int hi = bf_hex_digit(text[i]);
		int lo = bf_hex_digit(text[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		dst[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	*ret_len = n / 2;
	return true;
}

size_t bf_trailing(const uint8_t *p, size_t len, uint8_t value)
{
	size_t n = 0;

	while (n < len && p[len - 1 - n] == value)
		n++;
	return n;
}
