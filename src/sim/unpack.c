/* SPDX-License-Identifier: MIT */
/*
 * LZ4 block format: sequences of
 *
 *	token | more literal length | literals | offset (2, little-endian) | more match length
 *
 * The token's high nibble is the number of literals, its low nibble the match's length less 4; 15 means that
 * bytes follow which add to it, up to and including the first below 255. The last sequence ends with its
 * literals.
 */
#include "sim/unpack.h"

#include <string.h>

#define MATCH_LEAST 4u
#define MORE        15u

struct reader {
	const uint8_t *p, *end;
	bool failed;
};

static size_t take(struct reader *r)
{
	if (r->p == r->end) {
		r->failed = true;
		return 0;
	}
	return *r->p++;
}

static size_t length(struct reader *r, size_t nibble)
{
	size_t n = nibble, byte = 255;

	while (nibble == MORE && byte == 255 && n <= BF_UNPACK_MOST && !r->failed) {
		byte = take(r);
		n += byte;
	}
	return n;
}

static bool literals(struct bf_unpacker *u, struct reader *r, size_t n, size_t limit)
{
	if (r->failed || n > (size_t)(r->end - r->p) || n > limit - u->len)
		return false;
	memcpy(u->buf + u->len, r->p, n);
	u->len += n;
	r->p += n;
	return true;
}

static bool match(struct bf_unpacker *u, struct reader *r, size_t nibble, size_t limit)
{
	size_t back = take(r);
	size_t n;

	back |= take(r) << 8;
	n = length(r, nibble) + MATCH_LEAST;
	if (r->failed || !back || back > u->len || n > limit - u->len)
		return false;
	/* Byte by byte: a match may reach into itself. */
	for (; n; n--, u->len++)
		u->buf[u->len] = u->buf[u->len - back];
	return true;
}

static void make_room(struct bf_unpacker *u)
{
	if (u->len <= BF_UNPACK_WINDOW)
		return;
	memmove(u->buf, u->buf + u->len - BF_UNPACK_WINDOW, BF_UNPACK_WINDOW);
	u->len = BF_UNPACK_WINDOW;
}

bool bf_unpack(struct bf_unpacker *u, const uint8_t *block, size_t len, const uint8_t **ret,
	       size_t *ret_len)
{
	struct reader r = { block, block + len, false };
	size_t start, limit;

	make_room(u);
	start = u->len;
	limit = start + BF_UNPACK_MOST;
	for (;;) {
		size_t token = take(&r);

		if (!literals(u, &r, length(&r, token >> 4), limit))
			break;
		if (r.p == r.end) {
			*ret = u->buf + start;
			*ret_len = u->len - start;
			return true;
		}
		if (!match(u, &r, token & MORE, limit))
			break;
	}
	u->len = start;
	return false;
}
