/* SPDX-License-Identifier: MIT */
#include "sim/smp/smp_cbor.h"

#include <string.h>

/* Major types, in the three highest bits of a head. */
enum {
	MAJOR_UINT,
	MAJOR_NEGATIVE,
	MAJOR_BYTES,
	MAJOR_TEXT,
	MAJOR_ARRAY,
	MAJOR_MAP,
	MAJOR_TAG,
	MAJOR_SIMPLE
};

#define INDEFINITE 31u
#define BREAK      0xFFu
#define FALSE_BYTE 0xF4u
#define TRUE_BYTE  0xF5u
#define DEPTH_MAX  4

/* ---- writing ---- */

static void put_head(struct bf_out *o, unsigned major, uint64_t n)
{
	unsigned bytes = n < 24 ? 0 : n < 0x100 ? 1 : n < 0x10000 ? 2 : n < 0x100000000u ? 4 : 8;
	unsigned info = bytes == 0   ? (unsigned)n
			: bytes == 1 ? 24u
			: bytes == 2 ? 25u
			: bytes == 4 ? 26u
				     : 27u;

	bf_out_u8(o, (uint8_t)(major << 5 | info));
	while (bytes--)
		bf_out_u8(o, (uint8_t)(n >> (8 * bytes)));
}

void bf_cbor_map(struct bf_out *o)
{
	bf_out_u8(o, MAJOR_MAP << 5 | INDEFINITE);
}

void bf_cbor_array(struct bf_out *o)
{
	bf_out_u8(o, MAJOR_ARRAY << 5 | INDEFINITE);
}

void bf_cbor_end(struct bf_out *o)
{
	bf_out_u8(o, BREAK);
}

void bf_cbor_text_n(struct bf_out *o, const uint8_t *p, size_t len)
{
	put_head(o, MAJOR_TEXT, len);
	bf_out_bytes(o, p, len);
}

void bf_cbor_text(struct bf_out *o, const char *text)
{
	bf_cbor_text_n(o, (const uint8_t *)text, strlen(text));
}

void bf_cbor_bytes(struct bf_out *o, const uint8_t *p, size_t len)
{
	put_head(o, MAJOR_BYTES, len);
	bf_out_bytes(o, p, len);
}

void bf_cbor_int(struct bf_out *o, int64_t v)
{
	if (v < 0)
		put_head(o, MAJOR_NEGATIVE, (uint64_t)(-1 - v));
	else
		put_head(o, MAJOR_UINT, (uint64_t)v);
}

void bf_cbor_bool(struct bf_out *o, bool v)
{
	bf_out_u8(o, v ? TRUE_BYTE : FALSE_BYTE);
}

/* ---- reading ---- */

struct head {
	unsigned major, info;
	uint64_t n;
};

static bool get_head(struct bf_cur *c, struct head *h)
{
	uint8_t first = bf_cur_u8(c);
	unsigned bytes;

	*h = (struct head){ .major = first >> 5, .info = first & 31, .n = first & 31 };
	if (h->info >= 24 && h->info <= 27) {
		h->n = 0;
		for (bytes = 1u << (h->info - 24); bytes; bytes--)
			h->n = h->n << 8 | bf_cur_u8(c);
	}
	return !c->failed && (h->info < 28 || h->info == INDEFINITE);
}

static bool at_break(struct bf_cur *c)
{
	if (!bf_cur_left(c) || c->p[c->pos] != BREAK)
		return false;
	bf_cur_u8(c);
	return true;
}

static bool get_value(struct bf_cur *c, struct bf_cbor_value *v, unsigned depth);

/* Steps over what is in an array or a map. */
static bool skip_inside(struct bf_cur *c, const struct head *h, unsigned depth)
{
	unsigned each = h->major == MAJOR_MAP ? 2 : 1;
	struct bf_cbor_value v;

	if (depth >= DEPTH_MAX)
		return false;
	for (uint64_t i = 0; h->info == INDEFINITE || i < h->n; i++) {
		if (h->info == INDEFINITE && at_break(c))
			return true;
		for (unsigned k = 0; k < each; k++)
			if (!get_value(c, &v, depth + 1))
				return false;
	}
	return true;
}

static bool get_value(struct bf_cur *c, struct bf_cbor_value *v, unsigned depth)
{
	struct head h;

	*v = (struct bf_cbor_value){ .kind = BF_CBOR_OTHER };
	if (!get_head(c, &h))
		return false;
	switch (h.major) {
	case MAJOR_UINT:
		*v = (struct bf_cbor_value){ .kind = BF_CBOR_UINT, .n = h.n };
		return h.info != INDEFINITE;
	case MAJOR_NEGATIVE:
		return h.info != INDEFINITE;
	case MAJOR_BYTES:
	case MAJOR_TEXT: /* in pieces: not taken, as zcbor does not */
		if (h.info == INDEFINITE || h.n > bf_cur_left(c))
			return false;
		v->kind = h.major == MAJOR_BYTES ? BF_CBOR_BYTES : BF_CBOR_TEXT;
		v->len = (size_t)h.n;
		v->p = bf_cur_bytes(c, v->len);
		return !c->failed;
	case MAJOR_ARRAY:
	case MAJOR_MAP:
		return skip_inside(c, &h, depth);
	case MAJOR_TAG:
		return h.info != INDEFINITE && depth < DEPTH_MAX && get_value(c, v, depth + 1);
	default:
		break;
	}
	if (h.info == 20 || h.info == 21)
		*v = (struct bf_cbor_value){ .kind = BF_CBOR_BOOL, .n = h.info == 21 };
	return h.info != INDEFINITE;
}

bool bf_cbor_find(const uint8_t *map, size_t len, const char *key, struct bf_cbor_value *ret)
{
	struct bf_cur c = bf_cur(map, len);
	size_t key_len = strlen(key);
	struct head h;

	*ret = (struct bf_cbor_value){ 0 };
	if (!get_head(&c, &h) || h.major != MAJOR_MAP)
		return false;
	for (uint64_t i = 0; h.info == INDEFINITE || i < h.n; i++) {
		struct bf_cbor_value k, v;

		if (h.info == INDEFINITE && at_break(&c))
			return true;
		if (!get_value(&c, &k, 0) || k.kind != BF_CBOR_TEXT || !get_value(&c, &v, 0))
			return false;
		if (k.len == key_len && memcmp(k.p, key, key_len) == 0)
			*ret = v;
	}
	return true;
}
