/* SPDX-License-Identifier: MIT */
/*
 * MCUboot images made to order, right or wrong in one place: written from the layout's description,
 * with no code of the parser.
 */
#pragma once

#include "helpers.h"

#include "bmsflash/bytes.h"

#define MADE_SEED "a test key: 32 bytes, no secret."

struct made_tlv {
	uint16_t type;
	const void *p; /* NULL: zeros */
	uint16_t len;
};

struct made {
	uint16_t header_len; /* 0: 32 */
	uint32_t flags;
	bool pure, no_digest, no_sig, no_key, whole_key;
	struct made_tlv prot[8], open[8]; /* ends at type 0; open: in front of the digest */
	uint8_t bytes[4096];
	size_t len;
	size_t signed_len;
};

static inline BF_UNUSED void made_spki(uint8_t der[44])
{
	static const uint8_t frame[12] = { 0x30, 0x2A, 0x30, 0x05, 0x06, 0x03,
					   0x2B, 0x65, 0x70, 0x03, 0x21, 0x00 };

	memcpy(der, frame, sizeof(frame));
	bf_ed25519_public(der + 12, (const uint8_t *)MADE_SEED);
}

static inline BF_UNUSED void made_tlv(struct bf_out *o, uint16_t type, const void *p, uint16_t len)
{
	static const uint8_t zeros[256];

	bf_out_le16(o, type);
	bf_out_le16(o, len);
	bf_out_bytes(o, p ? p : zeros, len);
}

static inline BF_UNUSED void made_area(struct bf_out *o, uint16_t magic, const struct made_tlv *tlv)
{
	bf_out_le16(o, magic);
	bf_out_le16(o, 0);
	for (; tlv->type; tlv++)
		made_tlv(o, tlv->type, tlv->p, tlv->len);
}

static inline BF_UNUSED void made_sign(struct made *m, struct bf_out *o)
{
	uint8_t digest[64], der[44], hash[64], sig[64];
	uint16_t digest_len = m->pure ? 64 : 32;

	(m->pure ? bf_sha512 : bf_sha256)(digest, m->bytes, m->signed_len);
	made_spki(der);
	(m->pure ? bf_sha512 : bf_sha256)(hash, der, sizeof(der));
	if (m->pure)
		bf_ed25519_sign(sig, m->bytes, m->signed_len, (const uint8_t *)MADE_SEED);
	else
		bf_ed25519_sign(sig, digest, digest_len, (const uint8_t *)MADE_SEED);
	if (!m->no_digest)
		made_tlv(o, m->pure ? 0x12 : 0x10, digest, digest_len);
	if (m->pure)
		made_tlv(o, 0x25, "\1", 1);
	if (m->whole_key)
		made_tlv(o, 0x02, der, sizeof(der));
	else if (!m->no_key)
		made_tlv(o, 0x01, hash, digest_len);
	if (!m->no_sig)
		made_tlv(o, 0x24, sig, sizeof(sig));
}

static inline BF_UNUSED void make(struct made *m)
{
	struct bf_out o = bf_out(m->bytes, sizeof(m->bytes));
	uint16_t header_len = m->header_len ? m->header_len : 32;
	size_t prot_at, open_at;

	bf_out_le32(&o, 0x96F3B83D);
	bf_out_le32(&o, 0);
	bf_out_le16(&o, header_len);
	bf_out_le16(&o, 0);
	bf_out_le32(&o, 100);
	bf_out_le32(&o, m->flags);
	bf_out_bytes(&o, "\1\5\7\0\0\0\0\0", 8);
	while (o.len < (size_t)header_len + 100)
		bf_out_u8(&o, (uint8_t)(o.len * 7));
	memset(m->bytes + 28, 0, 4);
	prot_at = o.len;
	if (m->prot[0].type) {
		made_area(&o, 0x6908, m->prot);
		bf_put_le16(m->bytes + prot_at + 2, (uint16_t)(o.len - prot_at));
		bf_put_le16(m->bytes + 10, (uint16_t)(o.len - prot_at));
	}
	m->signed_len = open_at = o.len;
	made_area(&o, 0x6907, m->open);
	made_sign(m, &o);
	bf_put_le16(m->bytes + open_at + 2, (uint16_t)(o.len - open_at));
	assert_false(o.failed);
	m->len = o.len;
}

/* n must be a multiple of 3: no padding. */
static inline BF_UNUSED char *made_base64(char *dst, const uint8_t *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *at = dst;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];

		for (unsigned k = 0; k < 4; k++)
			*at++ = digits[v >> (18 - 6 * k) & 63];
	}
	*at = '\0';
	return dst;
}

static inline BF_UNUSED struct bf_keyring *made_ring_of(const char *text, const char *name)
{
	struct bf_keyring *ring = bf_keyring_new();
	struct bf_err err = { 0 };

	if (bf_keyring_add_text(ring, text, strlen(text), name, &err))
		fail_msg("%s", err.cause);
	return ring;
}

static inline BF_UNUSED struct bf_keyring *made_ring(void)
{
	char text[64], pem[256];
	uint8_t der[45] = { 0 }; /* 44 bytes, and one that becomes the padding */

	made_spki(der);
	made_base64(text, der, sizeof(der));
	text[59] = '=';
	snprintf(pem, sizeof(pem), "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n",
		 text);
	return made_ring_of(pem, "made.pem");
}

/* The same key as a minisign public key. */
static inline BF_UNUSED struct bf_keyring *made_minisign_ring(void)
{
	uint8_t raw[42] = "Ed12345678";
	char text[64], key[128];

	bf_ed25519_public(raw + 10, (const uint8_t *)MADE_SEED);
	snprintf(key, sizeof(key), "untrusted comment: x\n%s\n",
		 made_base64(text, raw, sizeof(raw)));
	return made_ring_of(key, "made.pub");
}

/* Makes, verifies; the code must be this and the cause must hold the words (NULL: any). */
static inline BF_UNUSED void made_verdict(const uint8_t *p, size_t len, enum bf_rc want,
					  const char *words)
{
	BF_AUTO(bf_keyring) *ring = made_ring();
	BF_AUTO(bf_image) *image = NULL;
	struct bf_err err = { 0 };
	enum bf_rc rc = bytes_to_image(p, len, ring, &image, &err);

	if (rc != want)
		fail_msg("rc %d, wanted %d: %s", (int)rc, (int)want, err.cause);
	if (words && !strstr(err.cause, words))
		fail_msg("cause '%s' lacks '%s'", err.cause, words);
	assert_true((rc == BF_OK) == (image != NULL));
}
