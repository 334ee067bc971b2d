/* SPDX-License-Identifier: MIT */
/*
 * DFU files (USB DFU 1.1, appendix B) end in a suffix, little-endian, counted from the end:
 *
 *	-10  u16 bcdDevice   -0E  u16 idProduct   -0C  u16 idVendor   -0A  u16 bcdDFU
 *	-08  "UFD"           -05  u8 length       -04  u32 CRC-32 over everything before it
 *
 * DfuSe files (ST UM0391) have the same suffix and begin with
 *
 *	00  "DfuSe", u8 version 01, u32 size without the suffix, u8 number of targets
 *
 * then for each target 274 bytes "Target", u8 alternate setting, u32 named, 255 bytes of name, u32
 * size of its elements, u32 their number; each element is u32 address, u32 size, data.
 */
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "image/image_priv.h"

#define SUFFIX_LEN  16
#define PREFIX_LEN  11
#define TARGET_NAME 255

bool bf_dfu_suffix(const uint8_t *p, size_t len, bool *ret_sound)
{
	if (len < SUFFIX_LEN || memcmp(p + len - 8, "UFD", 3) != 0)
		return false;
	*ret_sound = bf_crc(&bf_crc32_dfu, p, len - 4) == bf_get_le32(p + len - 4);
	return true;
}

/* Checks the suffix, takes its identifiers; *ret_len is what comes before it. */
static enum bf_rc parse_suffix(struct bf_claim *claim, size_t *ret_len, struct bf_err *err)
{
	const uint8_t *end = claim->file + claim->len;
	bool sound = false;
	size_t len;

	if (!bf_dfu_suffix(claim->file, claim->len, &sound))
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' is cut short: no DFU suffix in its last %d bytes", claim->path,
			       SUFFIX_LEN);
	if (!sound)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' is damaged: its DFU suffix says CRC %08x, its contents give "
			       "%08x",
			       claim->path, bf_get_le32(end - 4),
			       bf_crc(&bf_crc32_dfu, claim->file, claim->len - 4));
	len = end[-5];
	if (len < SUFFIX_LEN || len > claim->len)
		return bf_fail(
			err, BF_E_IMAGE,
			"'%s': length %zu of the DFU suffix at offset 0x%zx; it has at least "
			"%d bytes and fits the file",
			claim->path, len, claim->len - 5, SUFFIX_LEN);
	claim->meta.usb_pid = bf_get_le16(end - 14);
	claim->meta.usb_vid = bf_get_le16(end - 12);
	*ret_len = claim->len - len;
	return BF_OK;
}

enum bf_rc bf_dfu_parse(struct bf_claim *claim, uint32_t addr, struct bf_runs *runs,
			struct bf_err *err)
{
	struct bf_segment seg = { .addr = addr, .data = claim->file };

	if (parse_suffix(claim, &seg.len, err))
		return err->rc;
	if ((uint64_t)addr + seg.len > (uint64_t)UINT32_MAX + 1)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' has %zu bytes, which at address 0x%08x go past the end of the "
			       "32-bit address space",
			       claim->path, seg.len, addr);
	bf_runs_add(runs, &seg, 0);
	return BF_OK;
}

struct dfuse {
	const char *path;
	struct bf_cur c; /* over everything before the suffix */
	struct bf_runs *runs;
	struct bf_err *err;
};

static enum bf_rc short_of(struct dfuse *x, size_t at, const char *what)
{
	return bf_fail(x->err, BF_E_IMAGE,
		       "'%s': %s at offset 0x%zx does not fit what is left of the file", x->path,
		       what, at);
}

static enum bf_rc take_element(struct dfuse *x, struct bf_cur *c, size_t base, uint8_t alt)
{
	size_t at = base + c->pos;
	struct bf_segment seg = { .addr = bf_cur_le32(c), .alt = alt };

	seg.len = bf_cur_le32(c);
	seg.data = bf_cur_bytes(c, seg.len);
	if (c->failed)
		return short_of(x, at, "an element");
	if ((uint64_t)seg.addr + seg.len > (uint64_t)UINT32_MAX + 1)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': element at offset 0x%zx: %zu bytes at 0x%08x go past the end "
			       "of the 32-bit address space",
			       x->path, at, seg.len, seg.addr);
	bf_runs_add(x->runs, &seg, 0);
	return BF_OK;
}

static enum bf_rc take_target(struct dfuse *x)
{
	size_t at = x->c.pos, base;
	const uint8_t *mark = bf_cur_bytes(&x->c, 6);
	uint8_t alt = bf_cur_u8(&x->c);
	uint32_t size, n;
	struct bf_cur elements;

	bf_cur_bytes(&x->c, 4 + TARGET_NAME);
	size = bf_cur_le32(&x->c);
	n = bf_cur_le32(&x->c);
	if (x->c.failed)
		return short_of(x, at, "a target");
	if (memcmp(mark, "Target", 6) != 0)
		return bf_fail(x->err, BF_E_IMAGE, "'%s': no \"Target\" at offset 0x%zx", x->path,
			       at);
	base = x->c.pos;
	elements = bf_cur_sub(&x->c, size);
	if (x->c.failed)
		return short_of(x, at, "a target");
	for (uint32_t i = 0; i < n; i++)
		if (take_element(x, &elements, base, alt))
			return x->err->rc;
	if (bf_cur_left(&elements))
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': target at offset 0x%zx has %zu bytes behind its %u elements",
			       x->path, at, bf_cur_left(&elements), n);
	return BF_OK;
}

enum bf_rc bf_dfuse_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err)
{
	struct dfuse x = { .path = claim->path, .runs = runs, .err = err };
	uint8_t version, n;
	uint32_t size;
	size_t len;

	if (parse_suffix(claim, &len, err))
		return err->rc;
	x.c = bf_cur(claim->file, len);
	if (!bf_cur_seek(&x.c, 5) || len < PREFIX_LEN)
		return short_of(&x, 0, "the DfuSe prefix");
	version = bf_cur_u8(&x.c);
	size = bf_cur_le32(&x.c);
	n = bf_cur_u8(&x.c);
	if (version != 1)
		return bf_fail(err, BF_E_IMAGE, "'%s': DfuSe version %u, only 1 is known",
			       claim->path, version);
	if (size != len)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s': the DfuSe prefix says %u bytes before the suffix, there are "
			       "%zu",
			       claim->path, size, len);
	for (uint8_t i = 0; i < n; i++)
		if (take_target(&x))
			return err->rc;
	if (bf_cur_left(&x.c))
		return bf_fail(err, BF_E_IMAGE, "'%s': %zu bytes follow the last DfuSe target",
			       claim->path, bf_cur_left(&x.c));
	return BF_OK;
}

bool bf_usb_is_anybodys(uint16_t vid, uint16_t pid)
{
	static const struct {
		uint16_t vid, pid;
	} numbers[] = {
		{ 0x0483, 0xDF11 }, /* ST, AN3156 */
		{ 0x0483, 0x5740 }, /* ST's example of a serial port, found in many products */
		{ 0x28E9, 0x0189 }, /* GigaDevice */
		{ 0x2E3C, 0xDF11 }, /* Artery */
		{ 0x314B, 0x0106 }, /* Geehy */
		{ 0x1FC9, 0x000C }, /* NXP */
		{ 0x1EAF, 0x0003 }, /* Maple */
	};

	for (size_t i = 0; i < BF_COUNT(numbers); i++) {
		if (numbers[i].vid == vid && numbers[i].pid == pid)
			return true;
	}
	return false;
}
