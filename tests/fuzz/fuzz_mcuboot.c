/* SPDX-License-Identifier: MIT */
/*
 * The parser on the input as it is; and images that the target makes and signs itself, changed in one place afterwards:
 * what is accepted must be what was signed.
 */
#include "fuzz_parse.h"

#include "bmsflash/bytes.h"

#define CAP 8192

static const uint8_t *seed(void)
{
	return (const uint8_t *)FUZZ_SEED;
}

static void spki(uint8_t der[BF_SPKI_LEN])
{
	static const uint8_t frame[12] = { 0x30, 0x2A, 0x30, 0x05, 0x06, 0x03,
					   0x2B, 0x65, 0x70, 0x03, 0x21, 0x00 };

	memcpy(der, frame, sizeof(frame));
	bf_ed25519_public(der + sizeof(frame), seed());
}

static void tlv(struct bf_out *o, uint16_t type, const void *p, size_t len)
{
	bf_out_le16(o, type);
	bf_out_le16(o, (uint16_t)len);
	bf_out_bytes(o, p, len);
}

struct recipe {
	bool pure, whole_key;
	uint16_t header_len;
	size_t payload_len, protected_len, open_len; /* bytes of the input for each */
	size_t change_at;
	uint8_t change;
};

static void sign(struct bf_out *o, const struct recipe *r)
{
	uint8_t digest[64], hash[64], sig[64], der[BF_SPKI_LEN];
	size_t n = r->pure ? 64 : 32, len = o->len;

	spki(der);
	(r->pure ? bf_sha512 : bf_sha256)(digest, o->p, len);
	(r->pure ? bf_sha512 : bf_sha256)(hash, der, sizeof(der));
	bf_ed25519_sign(sig, r->pure ? o->p : digest, r->pure ? len : n, seed());
	bf_out_le16(o, 0x6907);
	bf_out_le16(o, 0);
	tlv(o, r->pure ? 0x12 : 0x10, digest, n);
	if (r->pure)
		tlv(o, 0x25, "\1", 1);
	tlv(o, r->whole_key ? 0x02 : 0x01, r->whole_key ? der : hash,
	    r->whole_key ? sizeof(der) : n);
	tlv(o, 0x24, sig, sizeof(sig));
}

/* *ret_signed: length of header, payload and protected area. */
static size_t make(const struct recipe *r, struct bf_cur *in, uint8_t *dst, size_t *ret_signed)
{
	struct bf_out o = bf_out(dst, CAP);
	size_t at;

	bf_out_le32(&o, 0x96F3B83D);
	bf_out_le32(&o, 0);
	bf_out_le16(&o, r->header_len);
	bf_out_le16(&o, (uint16_t)(r->protected_len ? 4 + r->protected_len : 0));
	bf_out_le32(&o, (uint32_t)r->payload_len);
	while (o.len < r->header_len)
		bf_out_u8(&o, 0);
	bf_out_bytes(&o, bf_cur_bytes(in, r->payload_len), r->payload_len);
	if (r->protected_len) {
		bf_out_le16(&o, 0x6908);
		bf_out_le16(&o, (uint16_t)(4 + r->protected_len));
		bf_out_bytes(&o, bf_cur_bytes(in, r->protected_len), r->protected_len);
	}
	*ret_signed = at = o.len;
	sign(&o, r);
	bf_out_bytes(&o, bf_cur_bytes(in, r->open_len), r->open_len);
	FUZZ_CHECK(!o.failed && !in->failed);
	bf_put_le16(dst + at + 2, (uint16_t)(o.len - at));
	return o.len;
}

static void check_made(const uint8_t *made, const uint8_t *changed, size_t len, size_t signed_len,
		       bool whole)
{
	const struct bf_claim_opts opts = { 0 };
	struct bf_keyring ring = { .keys = &(struct bf_key){ .kind = BF_KEY_PEM }, .n = 1 };
	BF_AUTO(bf_image) *image = NULL;
	struct bf_claim *claim = NULL;
	const struct bf_segment *seg;
	struct bf_err err = { 0 };
	uint8_t der[BF_SPKI_LEN];

	spki(der);
	FUZZ_CHECK(bf_spki_parse(der, sizeof(der), ring.keys->pk));
	bf_sha256(ring.keys->sha256, der, sizeof(der));
	bf_sha512(ring.keys->sha512, der, sizeof(der));
	if (bf_claim_parse(changed, len, "input", NULL, 0, &opts, &claim, &err) ||
	    bf_image_verify(claim, &ring, &image, &err)) {
		FUZZ_CHECK(err.rc && err.cause[0]);
		return;
	}
	FUZZ_CHECK(memcmp(made, changed, signed_len) == 0);
	FUZZ_CHECK(bf_image_segments(image, &seg) == 1 && seg->len <= len);
	/* Nobody else's bytes ride along: the open area is what was made, byte for byte. */
	FUZZ_CHECK(whole && seg->len == len && memcmp(made, changed, len) == 0);
}

static void made_and_changed(const uint8_t *data, size_t size)
{
	struct bf_cur in = bf_cur(data, size);
	struct recipe r = { 0 };
	uint8_t made[CAP], changed[CAP], flags = bf_cur_u8(&in);
	size_t len, signed_len = 0;

	r.pure = flags & 1;
	r.whole_key = flags & 2;
	r.header_len = flags & 4 ? 64 : 32;
	r.protected_len = bf_cur_u8(&in);
	r.open_len = bf_cur_u8(&in);
	r.change_at = bf_cur_le16(&in);
	r.change = bf_cur_u8(&in);
	if (in.failed || bf_cur_left(&in) < r.protected_len + r.open_len || size > 4096)
		return;
	r.payload_len = bf_cur_left(&in) - r.protected_len - r.open_len;
	len = make(&r, &in, made, &signed_len);
	memcpy(changed, made, len);
	changed[r.change_at % len] ^= r.change;
	check_made(made, changed, len, signed_len, r.open_len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_mcuboot mb;
	struct bf_meta meta = { 0 };
	struct bf_err err = { 0 };
	size_t tlv_at = 0, extent = bf_mcuboot_extent(data, size, &tlv_at);

	made_and_changed(data, size);
	fuzz_claim(data, size, NULL, 0);
	FUZZ_CHECK(!extent || tlv_at < extent);
	if (!bf_mcuboot_is(data, size) || bf_mcuboot_parse(data, size, "input", &mb, &meta, &err))
		return 0;
	FUZZ_CHECK(mb.signed_len < mb.len && mb.len <= size && extent == mb.len);
	return 0;
}
