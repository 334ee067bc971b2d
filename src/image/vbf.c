/* SPDX-License-Identifier: MIT */
/*
 * VBF, the container of Volvo and Ford: a header in text, then binary blocks.
 *
 *	vbf_version = 2.6;
 *	header { sw_part_number = "..."; data_format_identifier = 0x00; file_checksum = 0x12345678; ... }
 *	block: address (4) | length (4) | bytes | CRC-16 of them, CCITT-FALSE (2)
 *
 * Numbers of the blocks are big-endian; file_checksum is the CRC-32 of everything behind the header. Of the header only
 * what says how to read the bytes is looked at: none of it is covered by anything but our own signature.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "image/image_priv.h"

#define HEADER_MAX ((size_t)64 << 10)

struct vbf {
	const struct bf_claim *claim;
	size_t header_at, header_len; /* between its braces */
	size_t data_at;               /* first byte of the blocks */
};

bool bf_vbf_is(const uint8_t *p, size_t len)
{
	static const char magic[] = "vbf_version";

	return len >= sizeof(magic) && memcmp(p, magic, sizeof(magic) - 1) == 0;
}

/* Behind a comment or a text in quotes that begins at `at`, else `at`. */
static size_t skip(const uint8_t *p, size_t at, size_t len)
{
	if (p[at] == '"') {
		for (at++; at < len && p[at] != '"'; at++)
			;
		return at + 1;
	}
	if (p[at] == '/' && at + 1 < len && p[at + 1] == '/') {
		while (at < len && p[at] != '\n')
			at++;
	} else if (p[at] == '/' && at + 1 < len && p[at + 1] == '*') {
		for (at += 2; at + 1 < len && !(p[at] == '*' && p[at + 1] == '/'); at++)
			;
		return at + 2;
	}
	return at;
}

/* The header's own braces; lists in it have braces, too. */
static bool find_header(struct vbf *v)
{
	const uint8_t *p = v->claim->file;
	size_t len = v->claim->len < HEADER_MAX ? v->claim->len : HEADER_MAX;
	unsigned depth = 0;

	for (size_t at = 0; at < len; at++) {
		size_t after = skip(p, at, len);

		if (after != at) {
			at = after - 1;
			continue;
		}
		if (p[at] == '{' && depth++ == 0)
			v->header_at = at + 1;
		if (p[at] != '}' || depth == 0 || --depth)
			continue;
		v->header_len = at - v->header_at;
		v->data_at = at + 1;
		return true;
	}
	return false;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

enum told { TOLD_NOT, TOLD_NUMBER, TOLD_ODDLY };

/* A number of the header, by name: 0x and hex digits, or decimal. */
static enum told number(const struct vbf *v, const char *name, uint32_t *ret)
{
	const uint8_t *p = v->claim->file + v->header_at;
	size_t n = strlen(name);

	for (size_t at = 0; at + n < v->header_len; at++) {
		size_t after = skip(p, at, v->header_len);
		char digits[16] = "";
		unsigned long long value;
		char *end;
		size_t d = 0;

		if (after != at) {
			at = after - 1;
			continue;
		}
		if ((at && is_word((char)p[at - 1])) || memcmp(p + at, name, n) != 0 ||
		    is_word((char)p[at + n]))
			continue;
		at += n;
		while (at < v->header_len && memchr(" \t\r\n=", p[at], 5))
			at++;
		while (at < v->header_len && d + 1 < sizeof(digits) && is_word((char)p[at]))
			digits[d++] = (char)p[at++];
		digits[d] = '\0';
		value = strtoull(digits, &end, 0);
		*ret = (uint32_t)value;
		return d && !*end && value <= UINT32_MAX ? TOLD_NUMBER : TOLD_ODDLY;
	}
	return TOLD_NOT;
}

static enum bf_rc check_header(const struct vbf *v, struct bf_err *err)
{
	const struct bf_claim *c = v->claim;
	uint32_t format = 0, want,
		 got = bf_crc(&bf_crc32_ieee, c->file + v->data_at, c->len - v->data_at);

	enum told sum = number(v, "file_checksum", &want);

	if (sum == TOLD_ODDLY || number(v, "data_format_identifier", &format) == TOLD_ODDLY)
		return bf_fail(err, BF_E_IMAGE, "'%s' has a VBF header that cannot be read",
			       c->path);
	if (format)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' holds data in format 0x%02X (compressed or encrypted), which "
			       "cannot be "
			       "compared with what the pack holds",
			       c->path, format);
	if (sum == TOLD_NOT || want == got)
		return BF_OK;
	bf_fail(err, BF_E_IMAGE, "'%s' is damaged: its file_checksum is %08X, its bytes have %08X",
		c->path, want, got);
	bf_likely(err, "the file was cut short or changed on its way here");
	return err->rc;
}

static enum bf_rc take_block(const struct vbf *v, struct bf_cur *c, struct bf_runs *runs,
			     struct bf_err *err)
{
	size_t at = v->data_at + c->pos;
	struct bf_segment seg = { .addr = bf_cur_be32(c) };
	uint32_t len = bf_cur_be32(c);
	uint16_t crc;

	seg.data = bf_cur_bytes(c, len);
	seg.len = len;
	crc = bf_cur_be16(c);
	if (c->failed || !len)
		return bf_fail(err, BF_E_IMAGE, "'%s' is cut short in the block at byte %zu",
			       v->claim->path, at);
	if ((uint64_t)seg.addr + len > (uint64_t)UINT32_MAX + 1)
		return bf_fail(
			err, BF_E_IMAGE,
			"'%s': the block at byte %zu goes past the end of the 32-bit address space",
			v->claim->path, at);
	if (crc != bf_crc16(BF_CRC16_CCITT_FALSE, seg.data, len))
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' is damaged: the block at byte %zu has another CRC-16",
			       v->claim->path, at);
	bf_runs_add(runs, &seg, 0);
	return BF_OK;
}

enum bf_rc bf_vbf_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err)
{
	struct vbf v = { .claim = claim };
	struct bf_cur c;

	if (!find_header(&v))
		return bf_fail(err, BF_E_IMAGE, "'%s' has no whole VBF header", claim->path);
	if (check_header(&v, err))
		return err->rc;
	c = bf_cur(claim->file + v.data_at, claim->len - v.data_at);
	if (!bf_cur_left(&c))
		return bf_fail(err, BF_E_IMAGE, "'%s' has no blocks behind its VBF header",
			       claim->path);
	while (bf_cur_left(&c)) {
		if (take_block(&v, &c, runs, err))
			return err->rc;
	}
	return BF_OK;
}
