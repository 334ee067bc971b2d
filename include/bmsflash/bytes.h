/* SPDX-License-Identifier: MIT */
/*
 * Wire and file bytes, one at a time.
 *
 * A reading cursor has a sticky failure flag: a parser reads ten fields and checks once. Reading
 * past the end returns zeros and sets the flag; it never reads outside. A writing cursor likewise
 * refuses what does not fit.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"

static inline uint16_t bf_get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint16_t bf_get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t bf_get_le32(const uint8_t *p)
{
	return (uint32_t)bf_get_le16(p) | (uint32_t)bf_get_le16(p + 2) << 16;
}
static inline uint32_t bf_get_be32(const uint8_t *p)
{
	return (uint32_t)bf_get_be16(p) << 16 | bf_get_be16(p + 2);
}
static inline void bf_put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void bf_put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void bf_put_le32(uint8_t *p, uint32_t v)
{
	bf_put_le16(p, (uint16_t)v);
	bf_put_le16(p + 2, (uint16_t)(v >> 16));
}
static inline void bf_put_be32(uint8_t *p, uint32_t v)
{
	bf_put_be16(p, (uint16_t)(v >> 16));
	bf_put_be16(p + 2, (uint16_t)v);
}

/* Reading cursor over borrowed bytes. */
struct bf_cur {
	const uint8_t *p;
	size_t len; /* whole length */
	size_t pos; /* next byte */
	bool failed;
};

struct bf_cur bf_cur(const void *p, size_t len);
size_t bf_cur_left(const struct bf_cur *c);
bool bf_cur_seek(struct bf_cur *c, size_t pos); /* false and failed when outside */
uint8_t bf_cur_u8(struct bf_cur *c);
uint16_t bf_cur_le16(struct bf_cur *c);
uint32_t bf_cur_le32(struct bf_cur *c);
uint16_t bf_cur_be16(struct bf_cur *c);
uint32_t bf_cur_be32(struct bf_cur *c);
/* Big-endian number of 1..8 bytes, as UDS address and length fields have it. */
uint64_t bf_cur_be(struct bf_cur *c, size_t n);
/* Borrowed view of the next n bytes, NULL (and failed) when they are not there. */
const uint8_t *bf_cur_bytes(struct bf_cur *c, size_t n);
/* A cursor over the next n bytes; an empty failed one when they are not there. */
struct bf_cur bf_cur_sub(struct bf_cur *c, size_t n);

/* Writing cursor over a caller's buffer. */
struct bf_out {
	uint8_t *p;
	size_t cap;
	size_t len;
	bool failed; /* something did not fit */
};

struct bf_out bf_out(void *p, size_t cap);
void bf_out_u8(struct bf_out *o, uint8_t v);
void bf_out_le16(struct bf_out *o, uint16_t v);
void bf_out_le32(struct bf_out *o, uint32_t v);
void bf_out_be16(struct bf_out *o, uint16_t v);
void bf_out_be32(struct bf_out *o, uint32_t v);
void bf_out_bytes(struct bf_out *o, const void *p, size_t n);

/* Lower-case hex of n bytes into dst (cap at least 2n+1); returns dst. */
char *bf_hex(char *dst, size_t cap, const void *p, size_t n);
/* Value of one hex digit in either case, -1 for anything else. */
int bf_hex_digit(char c);
/* Strict hex text to bytes; true when the whole text is an even number of hex digits that fits. */
bool bf_unhex(const char *text, uint8_t *dst, size_t cap, size_t *ret_len);
/* Length of the leading run of `value` from the end backwards: how many trailing bytes equal it. */
size_t bf_trailing(const uint8_t *p, size_t len, uint8_t value);
