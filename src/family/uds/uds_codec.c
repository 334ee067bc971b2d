/* SPDX-License-Identifier: MIT */
#include "uds_codec.h"

#include <string.h>

bool bf_uds_absent(unsigned nrc)
{
	return nrc == UDS_NRC_NO_SERVICE || nrc == UDS_NRC_NO_SUBFUNCTION || nrc == UDS_NRC_RANGE ||
	       nrc == UDS_NRC_SUBFUNCTION_SESSION || nrc == UDS_NRC_SERVICE_SESSION;
}

enum uds_answer bf_uds_classify(const uint8_t *p, size_t len, const uint8_t *req, size_t match,
				size_t min_len, uint8_t *ret_nrc)
{
	if (len == 0 || (p[0] == UDS_NEGATIVE && len < 2))
		return UDS_ANSWER_DAMAGED;
	if (p[0] == UDS_NEGATIVE) {
		if (p[1] != req[0])
			return UDS_ANSWER_OTHER;
		if (len != 3)
			return UDS_ANSWER_DAMAGED;
		*ret_nrc = p[2];
		return UDS_ANSWER_NEGATIVE;
	}
	if (p[0] != (req[0] | UDS_POSITIVE))
		return UDS_ANSWER_OTHER;
	if (len < 1 + match)
		return UDS_ANSWER_DAMAGED;
	if (match && memcmp(p + 1, req + 1, match) != 0)
		return UDS_ANSWER_OTHER;
	return len < min_len ? UDS_ANSWER_DAMAGED : UDS_ANSWER_POSITIVE;
}

bool bf_uds_read_times(struct bf_cur *c, bf_time *ret_p2, bf_time *ret_p2_star)
{
	bf_time p2 = BF_MS(bf_cur_be16(c));
	bf_time p2_star = BF_MS(bf_cur_be16(c) * 10);

	if (c->failed)
		return false;
	*ret_p2 = p2;
	*ret_p2_star = p2_star;
	return true;
}

bool bf_uds_read_block_len(struct bf_cur *c, uint32_t *ret)
{
	size_t n = bf_cur_u8(c) >> 4;
	uint64_t len = 0;

	if (c->failed || n > 8)
		return false;
	if (n)
		len = bf_cur_be(c, n);
	if (c->failed)
		return false;
	*ret = len > UINT32_MAX ? UINT32_MAX : (uint32_t)len;
	return true;
}

/*
 * FD03, one region:
 *   00 kind | 01 slot | 02 access | 03 address u32 | 07 size u32 | 0B erase unit u32
 *   0F write unit u16 | 11 name, 8 bytes, padded with 00
 */
static bool read_region(struct bf_cur *c, struct bf_region *ret)
{
	static const enum bf_region_kind kinds[] = { BF_REGION_SLOT, BF_REGION_APP,
						     BF_REGION_CONFIG, BF_REGION_CALIBRATION,
						     BF_REGION_BOOT };
	struct bf_region r = { .kind = BF_REGION_OTHER };
	uint8_t kind = bf_cur_u8(c);
	struct bf_cur name;

	if (kind < BF_COUNT(kinds))
		r.kind = kinds[kind];
	r.slot = bf_cur_u8(c);
	r.access = bf_cur_u8(c);
	r.addr = bf_cur_be32(c);
	r.size = bf_cur_be32(c);
	r.erase_unit = bf_cur_be32(c);
	r.write_unit = bf_cur_be16(c);
	name = bf_cur_sub(c, 8);
	bf_uds_read_text(&name, r.name, sizeof(r.name));
	if (c->failed || r.size == 0 || r.size - 1 > UINT32_MAX - r.addr)
		return false;
	*ret = r;
	return true;
}

bool bf_uds_read_map(struct bf_cur *c, struct bf_region *regions, size_t cap, size_t *ret_n)
{
	size_t n = bf_cur_u8(c);

	if (c->failed || n > cap)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!read_region(c, &regions[i]))
			return false;
	}
	*ret_n = n;
	return true;
}

bool bf_uds_read_banks(struct bf_cur *c, struct bf_slot *slots, size_t cap, size_t *ret_n)
{
	size_t n = bf_cur_u8(c);

	if (c->failed || n > cap)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct bf_slot s = { .flags = bf_cur_u8(c) };
		const uint8_t *digest;

		s.version.major = bf_cur_u8(c);
		s.version.minor = bf_cur_u8(c);
		s.version.revision = bf_cur_be16(c);
		s.version.build = bf_cur_be32(c);
		s.counter = bf_cur_be32(c);
		s.digest_len = bf_cur_u8(c);
		digest = bf_cur_bytes(c, s.digest_len);
		if (!digest || s.digest_len > sizeof(s.digest))
			return false;
		memcpy(s.digest, digest, s.digest_len);
		/* An empty slot has neither a digest nor anything to start. */
		s.has_version = s.digest_len || (s.flags & (BF_SLOT_BOOTABLE | BF_SLOT_ACTIVE));
		slots[i] = s;
	}
	*ret_n = n;
	return true;
}

void bf_uds_read_text(struct bf_cur *c, char *dst, size_t cap)
{
	size_t left = bf_cur_left(c);
	const uint8_t *p = bf_cur_bytes(c, left);
	size_t n = 0;

	while (left && (p[left - 1] == 0x00 || p[left - 1] == 0xFF || p[left - 1] == ' '))
		left--;
	for (; n < left && n + 1 < cap; n++)
		dst[n] = p[n] >= 0x20 && p[n] < 0x7F ? (char)p[n] : '?';
	dst[n] = '\0';
}

uint8_t bf_uds_rate_id(uint32_t rate, bool bus)
{
	static const struct {
		uint32_t rate;
		uint8_t id;
		bool bus;
	} rows[] = {
		{ 9600, 0x01, false },  { 19200, 0x02, false },  { 38400, 0x03, false },
		{ 57600, 0x04, false }, { 115200, 0x05, false }, { 125000, 0x10, true },
		{ 250000, 0x11, true }, { 500000, 0x12, true },  { 1000000, 0x13, true },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (rows[i].rate == rate && rows[i].bus == bus)
			return rows[i].id;
	}
	return 0;
}

static bool bcd(uint8_t byte, uint8_t *ret)
{
	*ret = (uint8_t)((byte >> 4) * 10 + (byte & 0x0F));
	return byte >> 4 < 10 && (byte & 0x0F) < 10;
}

bool bf_uds_read_version(enum bf_version_format format, struct bf_cur *c, struct bf_version *ret)
{
	uint8_t parts[4] = { 0 };
	size_t n = bf_cur_left(c);

	if (n == 0 || n > sizeof(parts) || (format == BF_VERSION_FORMAT_U16 && n != 2))
		return false;
	for (size_t i = 0; i < n; i++) {
		parts[i] = bf_cur_u8(c);
		if (format == BF_VERSION_FORMAT_BCD && !bcd(parts[i], &parts[i]))
			return false;
	}
	*ret = (struct bf_version){
		.major = parts[0], .minor = parts[1], .revision = parts[2], .build = parts[3]
	};
	return true;
}
