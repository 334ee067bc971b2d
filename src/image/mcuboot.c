/* SPDX-License-Identifier: MIT */
/*
 * MCUboot images (image.h of mcu-tools/mcuboot), everything little-endian:
 *
 *	00  u32 magic 96F3B83D        10  u32 flags
 *	04  u32 load address          14  u8 major, u8 minor, u16 revision, u32 build
 *	08  u16 header size           1C  u32 padding
 *	0A  u16 protected TLV size    ..  up to the header size: filler
 *	0C  u32 payload size          ..  payload
 *
 * then TLV areas, each `u16 magic, u16 total` (total counts these 4 bytes) and TLVs of
 * `u16 type, u16 length, data`: the protected area (magic 6908, only when the header's field is not
 * 0), which the digest covers like header and payload, and the unprotected one (6907) with digest,
 * key and signature. A padded slot goes on with erased flash and may end in a trailer:
 *
 *	.. copy-done at -28, image-ok at -24 (1 byte each, 8 bytes apart), magic in the last 16 bytes
 */
#include <string.h>

#include "bmsflash/bytes.h"
#include "image/image_priv.h"

#define MCUBOOT_MAGIC     0x96F3B83Du
#define MCUBOOT_HEADER    32
#define TLV_MAGIC         0x6907
#define TLV_MAGIC_PROT    0x6908
#define TLV_HEADER        4
#define TRAILER_MAGIC_LEN 16
#define ERASED            0xFF

enum area { AREA_ANY, AREA_PROTECTED, AREA_OPEN };

enum tlv {
	TLV_KEYHASH,
	TLV_PUBKEY,
	TLV_SHA256,
	TLV_SHA384,
	TLV_SHA512,
	TLV_RSA2048,
	TLV_ECDSA224,
	TLV_ECDSA256,
	TLV_RSA3072,
	TLV_ED25519,
	TLV_SIG_PURE,
	TLV_ENC_RSA,
	TLV_ENC_KW,
	TLV_ENC_EC256,
	TLV_ENC_X25519,
	TLV_ENC_X25519_SHA512,
	TLV_DEPENDENCY,
	TLV_SEC_CNT,
	TLV_VID,
	TLV_CID,
	TLV_COUNT
};

/*
 * A length of 0 means any. What tells a pack whether an image fits counts in the protected area alone;
 * the same TLV outside it was put there by somebody who does not hold the key, and is refused rather
 * than passed over. Types that are not in the table (vendor's, boot records) are left alone in the protected area and
 * refused outside it: MCUboot since 2.1 takes nothing there but digest, key, signature and wrapped keys
 * (MCUBOOT_USE_TLV_ALLOW_LIST), so that nobody can add bytes of his own to a signed image.
 */
static const struct tlv_row {
	uint16_t type;
	enum area area;
	uint16_t len, other_len;
	bool many;
	const char *name;
} tlv_rows[TLV_COUNT] = {
	[TLV_KEYHASH] = { 0x01, AREA_ANY, 32, 64, false, "key hash" },
	[TLV_PUBKEY] = { 0x02, AREA_ANY, 0, 0, false, "public key" },
	[TLV_SHA256] = { 0x10, AREA_OPEN, 32, 32, false, "SHA-256 digest" },
	[TLV_SHA384] = { 0x11, AREA_OPEN, 48, 48, false, "SHA-384 digest" },
	[TLV_SHA512] = { 0x12, AREA_OPEN, 64, 64, false, "SHA-512 digest" },
	[TLV_RSA2048] = { 0x20, AREA_OPEN, 0, 0, false, "RSA-2048" },
	[TLV_ECDSA224] = { 0x21, AREA_OPEN, 0, 0, false, "ECDSA P-224" },
	[TLV_ECDSA256] = { 0x22, AREA_OPEN, 0, 0, false, "ECDSA P-256" },
	[TLV_RSA3072] = { 0x23, AREA_OPEN, 0, 0, false, "RSA-3072" },
	[TLV_ED25519] = { 0x24, AREA_OPEN, 64, 64, false, "Ed25519 signature" },
	[TLV_SIG_PURE] = { 0x25, AREA_ANY, 1, 1, false, "pure-signature mark" },
	[TLV_ENC_RSA] = { 0x30, AREA_ANY, 0, 0, false, "RSA-OAEP wrapped key" },
	[TLV_ENC_KW] = { 0x31, AREA_ANY, 0, 0, false, "AES-KW wrapped key" },
	[TLV_ENC_EC256] = { 0x32, AREA_ANY, 0, 0, false, "ECIES-P256 wrapped key" },
	[TLV_ENC_X25519] = { 0x33, AREA_ANY, 0, 0, false, "ECIES-X25519 wrapped key" },
	[TLV_ENC_X25519_SHA512] = { 0x34, AREA_ANY, 0, 0, false,
				    "ECIES-X25519-SHA512 wrapped key" },
	[TLV_DEPENDENCY] = { 0x40, AREA_PROTECTED, 12, 12, true, "dependency" },
	[TLV_SEC_CNT] = { 0x50, AREA_PROTECTED, 4, 4, false, "security counter" },
	[TLV_VID] = { 0x74, AREA_PROTECTED, 16, 16, false, "vendor identifier" },
	[TLV_CID] = { 0x75, AREA_PROTECTED, 16, 16, false, "class identifier" },
};

struct header {
	uint16_t header_len, protected_len;
	uint32_t payload_len;
	size_t tlv_at; /* header_len + payload_len */
};

struct parse {
	const char *name;
	const uint8_t *p;
	size_t len;
	struct header header;
	struct { /* the single TLVs that were met */
		const uint8_t *p;
		size_t len;
	} seen[TLV_COUNT];
	struct bf_meta *meta;
	struct bf_err *err;
};

bool bf_mcuboot_is(const uint8_t *p, size_t len)
{
	return len >= 4 && bf_get_le32(p) == MCUBOOT_MAGIC;
}

size_t bf_mcuboot_extent(const uint8_t *p, size_t len, size_t *ret_tlv_at)
{
	struct bf_cur c = bf_cur(p, len);
	uint64_t at;
	uint16_t header_len, protected_len;

	if (len < MCUBOOT_HEADER || !bf_mcuboot_is(p, len))
		return 0;
	bf_cur_seek(&c, 8);
	header_len = bf_cur_le16(&c);
	protected_len = bf_cur_le16(&c);
	at = (uint64_t)header_len + bf_cur_le32(&c);
	if (header_len < MCUBOOT_HEADER || at > BF_IMAGE_FILE_MAX)
		return 0;
	if (ret_tlv_at)
		*ret_tlv_at = (size_t)at;
	at += protected_len;
	if (at + TLV_HEADER > len)
		return (size_t)at + TLV_HEADER;
	if (bf_get_le16(p + at) != TLV_MAGIC || bf_get_le16(p + at + 2) < TLV_HEADER)
		return 0;
	return (size_t)at + bf_get_le16(p + at + 2);
}

static enum bf_rc parse_header(struct parse *x)
{
	struct bf_cur c = bf_cur(x->p, x->len);
	struct header *h = &x->header;
	struct bf_meta *m = x->meta;

	if (x->len < MCUBOOT_HEADER)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' has %zu bytes; an MCUboot header alone has %d", x->name,
			       x->len, MCUBOOT_HEADER);
	bf_cur_seek(&c, 4);
	m->load_addr = bf_cur_le32(&c);
	h->header_len = bf_cur_le16(&c);
	h->protected_len = bf_cur_le16(&c);
	h->payload_len = bf_cur_le32(&c);
	m->flags = bf_cur_le32(&c);
	m->version.major = bf_cur_u8(&c);
	m->version.minor = bf_cur_u8(&c);
	m->version.revision = bf_cur_le16(&c);
	m->version.build = bf_cur_le32(&c);
	m->has_version = true;
	if (h->header_len < MCUBOOT_HEADER)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': header size %u at offset 0x8, the least is %d", x->name,
			       h->header_len, MCUBOOT_HEADER);
	if ((uint64_t)h->header_len + h->payload_len > x->len)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' is cut short: header of %u and payload of %u bytes, but the "
			       "file has %zu",
			       x->name, h->header_len, h->payload_len, x->len);
	h->tlv_at = h->header_len + (size_t)h->payload_len;
	return BF_OK;
}

static const struct tlv_row *row_of(uint16_t type)
{
	for (size_t i = 0; i < TLV_COUNT; i++)
		if (tlv_rows[i].type == type)
			return &tlv_rows[i];
	return NULL;
}

static enum bf_rc add_dependency(struct parse *x, const uint8_t *p, size_t at)
{
	struct bf_dependency *dep = &x->meta->deps[x->meta->n_deps];

	if (x->meta->n_deps == BF_MAX_DEPS)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': dependency at offset 0x%zx is one more than the %d that can "
			       "be",
			       x->name, at, BF_MAX_DEPS);
	*dep = (struct bf_dependency){ p[0],
				       { p[4], p[5], bf_get_le16(p + 6), bf_get_le32(p + 8) } };
	x->meta->n_deps++;
	return BF_OK;
}

/* One TLV that the table knows; at is its offset for messages. */
static enum bf_rc take_tlv(struct parse *x, const struct tlv_row *row, enum area area,
			   const uint8_t *p, size_t len, size_t at)
{
	size_t i = (size_t)(row - tlv_rows);

	if (row->len && len != row->len && len != row->other_len)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': %s (TLV %02X) at offset 0x%zx has %zu bytes, not %u", x->name,
			       row->name, row->type, at, len, row->len);
	if (row->area == AREA_PROTECTED && area != AREA_PROTECTED)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': %s (TLV %02X) at offset 0x%zx lies outside the protected "
			       "area, where no signature covers it",
			       x->name, row->name, row->type, at);
	if (row->area == AREA_OPEN && area != AREA_OPEN)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': %s (TLV %02X) at offset 0x%zx lies inside the protected "
			       "area, which it would have to cover itself",
			       x->name, row->name, row->type, at);
	if (row->many)
		return add_dependency(x, p, at);
	if (x->seen[i].p)
		return bf_fail(x->err, BF_E_IMAGE, "'%s': a second %s (TLV %02X) at offset 0x%zx",
			       x->name, row->name, row->type, at);
	x->seen[i].p = p;
	x->seen[i].len = len;
	return BF_OK;
}

static enum bf_rc refuse_added(struct parse *x, uint16_t type, size_t len, size_t at)
{
	bf_fail(x->err, BF_E_IMAGE,
		"'%s': TLV %02X of %zu bytes at offset 0x%zx lies outside the protected area, "
		"where only digest, key and "
		"signature may be: nobody signed it, and MCUboot refuses it",
		x->name, type, len, at);
	bf_likely(x->err, "bytes were added after the image was signed");
	bf_likely(x->err, "a tool of the maker adds TLVs of its own there: imgtool sign "
			  "--custom-tlv protects them");
	return x->err->rc;
}

static enum bf_rc walk_area(struct parse *x, size_t at, size_t total, enum area area)
{
	struct bf_cur c = bf_cur(x->p + at, total);

	bf_cur_seek(&c, TLV_HEADER);
	while (bf_cur_left(&c)) {
		size_t tlv_at = at + c.pos;
		uint16_t type = bf_cur_le16(&c);
		size_t len = bf_cur_le16(&c);
		const uint8_t *p = bf_cur_bytes(&c, len);
		const struct tlv_row *row = row_of(type);

		if (c.failed)
			return bf_fail(x->err, BF_E_IMAGE,
				       "'%s': TLV %02X at offset 0x%zx does not fit its area, "
				       "which ends at 0x%zx",
				       x->name, type, tlv_at, at + total);
		if (!row && area == AREA_OPEN)
			return refuse_added(x, type, len, tlv_at);
		if (row && take_tlv(x, row, area, p, len, tlv_at))
			return x->err->rc;
	}
	return BF_OK;
}

/* The area at `at` must have this magic; gives its size, which lies inside the file. */
static enum bf_rc open_area(struct parse *x, size_t at, uint16_t magic, size_t *ret_total)
{
	struct bf_cur c = bf_cur(x->p + at, x->len - at);
	uint16_t got = bf_cur_le16(&c);
	size_t total = bf_cur_le16(&c);

	if (c.failed)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' is cut short: it ends at 0x%zx, before the TLV area (%04X) at "
			       "0x%zx",
			       x->name, x->len, magic, at);
	if (got != magic)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': no TLV area at offset 0x%zx, where header and payload end: "
			       "found %04X, expected %04X",
			       x->name, at, got, magic);
	if (total < TLV_HEADER)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': TLV area at offset 0x%zx gives its size as %zu, less than "
			       "its own header of %d bytes",
			       x->name, at, total, TLV_HEADER);
	if (total > x->len - at)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' is cut short: TLV area of %zu bytes at offset 0x%zx, but only "
			       "%zu bytes are left",
			       x->name, total, at, x->len - at);
	*ret_total = total;
	return BF_OK;
}

static enum bf_rc parse_tlvs(struct parse *x, struct bf_mcuboot *ret)
{
	size_t at = x->header.tlv_at, total;

	if (x->header.protected_len) {
		if (open_area(x, at, TLV_MAGIC_PROT, &total))
			return x->err->rc;
		if (total != x->header.protected_len)
			return bf_fail(x->err, BF_E_IMAGE,
				       "'%s': protected TLV area at offset 0x%zx has %zu bytes, "
				       "the header says %u",
				       x->name, at, total, x->header.protected_len);
		if (walk_area(x, at, total, AREA_PROTECTED))
			return x->err->rc;
		at += total;
	}
	ret->signed_len = at;
	if (open_area(x, at, TLV_MAGIC, &total) || walk_area(x, at, total, AREA_OPEN))
		return x->err->rc;
	ret->len = at + total;
	return BF_OK;
}

/* Length of the slot trailer at the end of p, 0 when there is none. */
static size_t trailer_len(const uint8_t *p, size_t len)
{
	static const uint8_t magic_8[TRAILER_MAGIC_LEN] = { 0x77, 0xC2, 0x95, 0xF3, 0x60, 0xD2,
							    0xEF, 0x7F, 0x35, 0x52, 0x50, 0x0F,
							    0x2C, 0xB6, 0x79, 0x80 };
	/* With write units above 8 bytes the first two tell the unit, the rest is fixed. */
	static const uint8_t magic_n[TRAILER_MAGIC_LEN - 2] = { 0x2D, 0xE1, 0x5D, 0x29, 0x41,
								0x0B, 0x8D, 0x77, 0x67, 0x9C,
								0x11, 0x0F, 0x1F, 0x8A };
	const uint8_t *magic = p + len - TRAILER_MAGIC_LEN;
	size_t unit = 8, need;

	if (len < TRAILER_MAGIC_LEN)
		return 0;
	if (memcmp(magic + 2, magic_n, sizeof(magic_n)) == 0)
		unit = bf_get_le16(magic);
	else if (memcmp(magic, magic_8, sizeof(magic_8)) != 0)
		return 0;
	need = TRAILER_MAGIC_LEN + 2 * unit;
	if (unit < 8 || len < need)
		return 0;
	for (size_t i = need; i > TRAILER_MAGIC_LEN; i--) {
		uint8_t b = p[len - i];
		bool flag = i == need || i == need - unit; /* copy-done, image-ok: 01 when set */

		if (b != ERASED && !(flag && b == 1))
			return 0;
	}
	return need;
}

static enum bf_rc check_padding(struct parse *x, size_t image_len)
{
	const uint8_t *p = x->p + image_len;
	size_t len = x->len - image_len, erased;

	if (len == 0)
		return BF_OK;
	len -= trailer_len(p, len);
	erased = bf_trailing(p, len, ERASED);
	if (erased != len)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': %zu bytes follow the image, which ends at offset 0x%zx, and "
			       "they are neither erased flash nor a slot trailer (look at 0x%zx)",
			       x->name, x->len - image_len, image_len,
			       image_len + len - erased - 1);
	x->meta->padded_to = x->len;
	return BF_OK;
}

static void fill_meta(const struct parse *x)
{
	struct bf_meta *m = x->meta;
	enum tlv digest = x->seen[TLV_SHA512].p ? TLV_SHA512 : TLV_SHA256;

	m->mcuboot = true;
	m->pure = x->seen[TLV_SIG_PURE].p && x->seen[TLV_SIG_PURE].p[0] == 1;
	m->has_counter = x->seen[TLV_SEC_CNT].p;
	if (m->has_counter)
		m->counter = bf_get_le32(x->seen[TLV_SEC_CNT].p);
	m->has_vid = x->seen[TLV_VID].p;
	if (m->has_vid)
		memcpy(m->vid, x->seen[TLV_VID].p, sizeof(m->vid));
	m->has_cid = x->seen[TLV_CID].p;
	if (m->has_cid)
		memcpy(m->cid, x->seen[TLV_CID].p, sizeof(m->cid));
	m->digest_len = x->seen[digest].len;
	memcpy(m->digest, x->seen[digest].p, m->digest_len);
}

/* MCUboot is built for one kind of digest, key and signature, and refuses any other beside them. */
static enum bf_rc check_single(const struct parse *x)
{
	const char *other = NULL;

	for (size_t i = TLV_RSA2048; i <= TLV_RSA3072; i++)
		if (x->seen[TLV_ED25519].p && x->seen[i].p)
			other = tlv_rows[i].name;
	if (other)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' has a second signature (%s) beside the Ed25519 one: MCUboot "
			       "refuses it",
			       x->name, other);
	if (x->seen[TLV_SIG_PURE].p && x->seen[TLV_SIG_PURE].p[0] != 1)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s': the pure-signature mark (TLV 25) is %u; only 1 is defined",
			       x->name, x->seen[TLV_SIG_PURE].p[0]);
	if (x->seen[TLV_KEYHASH].p && x->seen[TLV_PUBKEY].p)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' has both a key hash (TLV 01) and a public key (TLV 02): "
			       "MCUboot takes one of them",
			       x->name);
	if (x->seen[TLV_SHA384].p && (x->seen[TLV_SHA256].p || x->seen[TLV_SHA512].p))
		return bf_fail(
			x->err, BF_E_IMAGE,
			"'%s' has two digests, one of them SHA-384 (TLV 11): MCUboot takes one",
			x->name);
	return BF_OK;
}

static enum bf_rc check_digests(const struct parse *x)
{
	if (x->seen[TLV_SHA256].p && x->seen[TLV_SHA512].p)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' has two digests, SHA-256 (TLV 10) and SHA-512 (TLV 12): which "
			       "one counts is not defined",
			       x->name);
	if (!x->seen[TLV_SHA256].p && !x->seen[TLV_SHA512].p)
		return bf_fail(x->err, BF_E_IMAGE,
			       "'%s' has no digest that is supported: SHA-256 (TLV 10) or SHA-512 "
			       "(TLV 12)%s",
			       x->name, x->seen[TLV_SHA384].p ? "; it has SHA-384 (TLV 11)" : "");
	return BF_OK;
}

static void fill_places(const struct parse *x, struct bf_mcuboot *ret)
{
	ret->key_hash = x->seen[TLV_KEYHASH].p;
	ret->key_hash_len = x->seen[TLV_KEYHASH].len;
	ret->key = x->seen[TLV_PUBKEY].p;
	ret->key_len = x->seen[TLV_PUBKEY].len;
	ret->sig = x->seen[TLV_ED25519].p;
	for (size_t i = TLV_RSA2048; i <= TLV_RSA3072; i++)
		if (x->seen[i].p)
			ret->alien = tlv_rows[i].name;
	for (size_t i = TLV_ENC_RSA; i <= TLV_ENC_X25519_SHA512; i++)
		if (x->seen[i].p)
			ret->encrypted = tlv_rows[i].name;
}

enum bf_rc bf_mcuboot_parse(const uint8_t *p, size_t len, const char *name, struct bf_mcuboot *ret,
			    struct bf_meta *meta, struct bf_err *err)
{
	struct bf_mcuboot out = { 0 };
	struct bf_meta told = *meta;
	struct parse x = { .name = name, .p = p, .len = len, .meta = &told, .err = err };

	if (parse_header(&x) || parse_tlvs(&x, &out) || check_digests(&x) || check_single(&x))
		return err->rc;
	if (check_padding(&x, out.len))
		return err->rc;
	fill_meta(&x);
	fill_places(&x, &out);
	*meta = told;
	*ret = out;
	return BF_OK;
}
