/* SPDX-License-Identifier: MIT */
#include "sim/mimage.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crypto.h"

/*
 * 00 u32 magic 96F3B83D   04 u32 load address   08 u16 header size   0a u16 protected TLV size
 * 0c u32 image size       10 u32 flags          14 version u8 u8 u16 u32                 (LE)
 * then at header + image: [6908 u16 total, TLVs] 6907 u16 total, TLVs; a TLV is u16 type, u16 length
 */
#define MAGIC         0x96F3B83Du
#define HEADER_MIN    32u
#define TLV_PROTECTED 0x6908u
#define TLV_PLAIN     0x6907u
#define FLAGS_REFUSED 0x00000E1Cu /* encrypted, compressed, non-bootable */
#define SPKI_LEN      44u
#define SPKI_PREFIX   12u

enum tlv_type {
	TLV_KEYHASH = 0x01,
	TLV_PUBKEY = 0x02,
	TLV_SHA256 = 0x10,
	TLV_SHA512 = 0x12,
	TLV_ED25519 = 0x24,
	TLV_SIG_PURE = 0x25,
	TLV_DEPENDENCY = 0x40,
	TLV_SEC_CNT = 0x50,
	TLV_UUID_VID = 0x74,
	TLV_UUID_CID = 0x75,
};

struct blob {
	const uint8_t *p;
	size_t len;
};

/* What the TLV areas hold, borrowed from the slot. */
struct tlvs {
	struct blob keyhash, pubkey, sha256, sha512, sig, pure, counter, vid, cid;
	struct blob dependency;
};

static void keep(struct tlvs *t, uint16_t type, struct blob b, bool is_protected)
{
	const struct {
		uint16_t type;
		bool needs_protection; /* believed only when the digest covers it */
		struct blob *dst;
	} rows[] = {
		{ TLV_KEYHASH, false, &t->keyhash }, { TLV_PUBKEY, false, &t->pubkey },
		{ TLV_SHA256, false, &t->sha256 },   { TLV_SHA512, false, &t->sha512 },
		{ TLV_ED25519, false, &t->sig },     { TLV_SIG_PURE, false, &t->pure },
		{ TLV_SEC_CNT, true, &t->counter },  { TLV_UUID_VID, true, &t->vid },
		{ TLV_UUID_CID, true, &t->cid },
	};

	if (type == TLV_DEPENDENCY)
		t->dependency = b;
	for (size_t i = 0; i < BF_COUNT(rows); i++)
		if (rows[i].type == type && (is_protected || !rows[i].needs_protection))
			*rows[i].dst = b;
}

static bool read_area(struct bf_cur *c, uint16_t want_magic, struct tlvs *t)
{
	uint16_t magic = bf_cur_le16(c);
	uint16_t total = bf_cur_le16(c);
	struct bf_cur area;

	if (c->failed || magic != want_magic || total < 4)
		return false;
	area = bf_cur_sub(c, total - 4u);
	while (!area.failed && bf_cur_left(&area)) {
		uint16_t type = bf_cur_le16(&area);
		size_t len = bf_cur_le16(&area);
		const uint8_t *p = bf_cur_bytes(&area, len);

		if (p)
			keep(t, type, (struct blob){ p, len }, want_magic == TLV_PROTECTED);
	}
	return !area.failed;
}

/* SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): what imgtool hashes into KEYHASH. */
static void spki_of(const uint8_t key[32], uint8_t spki[SPKI_LEN])
{
	static const uint8_t prefix[SPKI_PREFIX] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
						     0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

	memcpy(spki, prefix, sizeof(prefix));
	memcpy(spki + sizeof(prefix), key, 32);
}

static bool blob_is(const struct blob *b, const void *p, size_t len)
{
	return b->p && b->len == len && memcmp(b->p, p, len) == 0;
}

static const uint8_t *key_of(const struct tlvs *t, const struct bf_trust *trust)
{
	uint8_t spki[SPKI_LEN], h256[BF_SHA256_LEN], h512[BF_SHA512_LEN];

	for (size_t i = 0; i < trust->n_keys; i++) {
		spki_of(trust->keys[i], spki);
		bf_sha256(h256, spki, sizeof(spki));
		bf_sha512(h512, spki, sizeof(spki));
		if (blob_is(&t->pubkey, spki, sizeof(spki)) ||
		    blob_is(&t->keyhash, h256, sizeof(h256)) ||
		    blob_is(&t->keyhash, h512, sizeof(h512)))
			return trust->keys[i];
	}
	return NULL;
}

/* At least one digest is there, and all that are there are right. */
static bool digests_match(const struct tlvs *t, const uint8_t *h256, const uint8_t *h512)
{
	if (!t->sha256.p && !t->sha512.p)
		return false;
	if (t->sha256.p && !blob_is(&t->sha256, h256, BF_SHA256_LEN))
		return false;
	return !t->sha512.p || blob_is(&t->sha512, h512, BF_SHA512_LEN);
}

/* Digest and signature, in the digest form and in the pure form. */
static bool is_sound(const uint8_t *slot, size_t covered, const struct tlvs *t,
		     const struct bf_trust *trust, bool *ret_whole)
{
	static const uint8_t yes = 1;
	const uint8_t *key = key_of(t, trust);
	uint8_t h256[BF_SHA256_LEN], h512[BF_SHA512_LEN];

	bf_sha256(h256, slot, covered);
	bf_sha512(h512, slot, covered);
	*ret_whole = digests_match(t, h256, h512);
	if (!*ret_whole)
		return false;
	if (!key || !t->sig.p || t->sig.len != BF_ED25519_SIG_LEN)
		return false;
	if (blob_is(&t->pure, &yes, sizeof(yes)))
		return bf_ed25519_verify(t->sig.p, slot, covered, key);
	if (t->sha512.p)
		return bf_ed25519_verify(t->sig.p, h512, sizeof(h512), key);
	return bf_ed25519_verify(t->sig.p, h256, sizeof(h256), key);
}

static void take_facts(const struct tlvs *t, const struct bf_trust *trust, struct bf_mimage *m)
{
	const struct blob *digest = t->sha512.p ? &t->sha512 : &t->sha256;

	if (digest->p && digest->len <= sizeof(m->digest)) {
		memcpy(m->digest, digest->p, digest->len);
		m->digest_len = digest->len;
	}
	if (t->counter.p && t->counter.len == 4)
		m->counter = bf_get_le32(t->counter.p);
	m->other_hw = (t->vid.p && !blob_is(&t->vid, trust->vid, 16)) ||
		      (t->cid.p && !blob_is(&t->cid, trust->cid, 16));
	m->needs_more = t->dependency.p != NULL;
	if (t->dependency.len < 12)
		return;
	m->need_image = t->dependency.p[0];
	m->need = (struct bf_mversion){ t->dependency.p[4], t->dependency.p[5],
					bf_get_le16(t->dependency.p + 6),
					bf_get_le32(t->dependency.p + 8) };
}

void bf_mimage_read(const uint8_t *slot, size_t len, const struct bf_trust *trust,
		    struct bf_mimage *ret)
{
	struct bf_cur c = bf_cur(slot, len);
	uint32_t magic = bf_cur_le32(&c);
	uint32_t header, prot, size, flags;
	struct tlvs t = { 0 };

	*ret = (struct bf_mimage){ 0 };
	bf_cur_le32(&c);
	header = bf_cur_le16(&c);
	prot = bf_cur_le16(&c);
	size = bf_cur_le32(&c);
	flags = bf_cur_le32(&c);
	ret->major = bf_cur_u8(&c);
	ret->minor = bf_cur_u8(&c);
	ret->revision = bf_cur_le16(&c);
	ret->build = bf_cur_le32(&c);
	if (c.failed || magic != MAGIC || header < HEADER_MIN || size > len || header > len - size)
		return;
	if (!bf_cur_seek(&c, header + size) || (prot && !read_area(&c, TLV_PROTECTED, &t)))
		return;
	if (c.pos != header + size + prot || !read_area(&c, TLV_PLAIN, &t))
		return;
	ret->present = true;
	ret->total = (uint32_t)c.pos;
	take_facts(&t, trust, ret);
	ret->sound = is_sound(slot, header + size + prot, &t, trust, &ret->whole) &&
		     !(flags & FLAGS_REFUSED);
}

enum bf_verdict bf_mimage_verdict(const struct bf_mimage *image, uint32_t lowest_counter)
{
	if (!image->present)
		return BF_VERDICT_EMPTY;
	if (!image->sound)
		return BF_VERDICT_DAMAGED;
	if (image->other_hw)
		return BF_VERDICT_OTHER_HW;
	if (image->counter < lowest_counter)
		return BF_VERDICT_LOW_COUNTER;
	if (image->needs_more)
		return BF_VERDICT_DEPENDENCY;
	return BF_VERDICT_GOOD;
}

static uint64_t order(uint8_t major, uint8_t minor, uint16_t revision)
{
	return (uint64_t)major << 24 | (uint64_t)minor << 16 | revision;
}

int bf_mimage_compare(const struct bf_mimage *a, const struct bf_mimage *b)
{
	uint64_t x = order(a->major, a->minor, a->revision);
	uint64_t y = order(b->major, b->minor, b->revision);

	return (x > y) - (x < y);
}

bool bf_mimage_reaches(const struct bf_mimage *image, const struct bf_mversion *lowest)
{
	return order(image->major, image->minor, image->revision) >=
	       order(lowest->major, lowest->minor, lowest->revision);
}

char *bf_mimage_version(const struct bf_mimage *image, char *dst)
{
	int n = snprintf(dst, 32, "%u.%u.%u", image->major, image->minor, image->revision);

	if (image->build && n > 0 && n < 32)
		snprintf(dst + n, (size_t)(32 - n), "+%u", image->build);
	return dst;
}
