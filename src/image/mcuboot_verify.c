/* SPDX-License-Identifier: MIT */
/*
 * Whether an MCUboot image is what a trusted key signed. Two shapes: the signature covers the digest
 * TLV, or (pure) header, payload and protected TLVs themselves. Either way the digest must agree with
 * the bytes, because the pack names an image by its digest.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "image/image_priv.h"

#define FLAG_AES128       0x04u
#define FLAG_AES256       0x08u
#define FLAG_NON_BOOTABLE 0x10u

#define ID_TEXT 17 /* 8 bytes of a key hash, enough to tell keys apart */

static enum bf_rc check_signed_at_all(const struct bf_claim *claim, struct bf_err *err)
{
	const struct bf_mcuboot *mb = &claim->mcuboot;

	if (mb->sig && (mb->key_hash || mb->key))
		return BF_OK;
	if (mb->sig) /* a boot loader passes over such a signature too */
		return bf_fail(
			err, BF_E_SIGNATURE,
			"'%s' does not say which key it is signed with: it has neither a key "
			"hash (TLV 01) nor a public key (TLV 02)",
			claim->path);
	if (mb->alien)
		bf_fail(err, BF_E_SIGNATURE,
			"'%s' is signed with %s; only Ed25519 signatures (TLV 24) are accepted",
			claim->path, mb->alien);
	else
		bf_fail(err, BF_E_SIGNATURE, "'%s' has a digest but no signature", claim->path);
	bf_likely(err, "the build step that signs was left out, or has another key type");
	bf_do(err, "sign it with an Ed25519 key: imgtool keygen -t ed25519, then imgtool sign");
	return err->rc;
}

static enum bf_rc check_digest(const struct bf_claim *claim, struct bf_err *err)
{
	const struct bf_meta *m = &claim->meta;
	const uint8_t *p = claim->segs[0].data;
	uint8_t got[BF_SHA512_LEN];
	char want_text[9], got_text[9];

	if (m->digest_len == BF_SHA512_LEN)
		bf_sha512(got, p, claim->mcuboot.signed_len);
	else
		bf_sha256(got, p, claim->mcuboot.signed_len);
	if (memcmp(got, m->digest, m->digest_len) == 0)
		return BF_OK;
	bf_fail(err, BF_E_SIGNATURE,
		"'%s' was damaged or changed after it was made: its digest says %s.., its contents "
		"give "
		"%s..",
		claim->path, bf_hex(want_text, sizeof(want_text), m->digest, 4),
		bf_hex(got_text, sizeof(got_text), got, 4));
	bf_likely(err, "the file was damaged on its way here");
	bf_do(err, "get the file again from where it was signed");
	return err->rc;
}

static bool key_fits(const struct bf_mcuboot *mb, const struct bf_key *key)
{
	uint8_t pk[BF_ED25519_PK_LEN];

	if (key->kind != BF_KEY_PEM)
		return false;
	if (mb->key &&
	    (!bf_spki_parse(mb->key, mb->key_len, pk) || memcmp(pk, key->pk, sizeof(pk)) != 0))
		return false;
	if (!mb->key_hash)
		return true;
	return memcmp(mb->key_hash, mb->key_hash_len == BF_SHA512_LEN ? key->sha512 : key->sha256,
		      mb->key_hash_len) == 0;
}

static bool signed_by(const struct bf_claim *claim, const struct bf_key *key)
{
	if (claim->meta.pure)
		return bf_ed25519_verify(claim->mcuboot.sig, claim->segs[0].data,
					 claim->mcuboot.signed_len, key->pk);
	return bf_ed25519_verify(claim->mcuboot.sig, claim->meta.digest, claim->meta.digest_len,
				 key->pk);
}

const char *bf_claim_signer(const struct bf_claim *claim, char dst[BF_SIGNER_TEXT])
{
	const struct bf_mcuboot *mb = &claim->mcuboot;

	if (!claim->meta.mcuboot || !mb->key_hash || mb->key_hash_len < 8)
		return NULL;
	return bf_hex(dst, BF_SIGNER_TEXT, mb->key_hash, 8);
}

static enum bf_rc refuse_key(const struct bf_claim *claim, const struct bf_keyring *ring,
			     struct bf_err *err)
{
	const struct bf_mcuboot *mb = &claim->mcuboot;
	char id[ID_TEXT];
	char trusted[160];

	if (mb->key_hash) {
		bf_hex(id, ID_TEXT, mb->key_hash, 8);
	} else {
		uint8_t hash[BF_SHA256_LEN];

		bf_sha256(hash, mb->key, mb->key_len);
		bf_hex(id, ID_TEXT, hash, 8);
	}
	bf_fail(err, BF_E_SIGNATURE,
		"'%s' is signed by key %s, which this computer does not trust; trusted: %s",
		claim->path, id, bf_keyring_text(ring, BF_KEY_PEM, trusted, sizeof(trusted)));
	bf_likely(err, "signed with a development key, or with another product's");
	bf_do(err, "often this is a development build: get the release file");
	return err->rc;
}

static enum bf_rc check_signature(const struct bf_claim *claim, const struct bf_keyring *ring,
				  const struct bf_key **ret_key, struct bf_err *err)
{
	const struct bf_key *named = NULL;
	char id[ID_TEXT];

	for (size_t i = 0; i < ring->n; i++) {
		const struct bf_key *key = &ring->keys[i];

		if (!key_fits(&claim->mcuboot, key))
			continue;
		named = key;
		if (signed_by(claim, key)) {
			*ret_key = key;
			return BF_OK;
		}
	}
	if (!named)
		return refuse_key(claim, ring, err);
	bf_fail(err, BF_E_SIGNATURE,
		"'%s' names key %s (%s..), but its signature is not valid for it", claim->path,
		named->name, bf_hex(id, sizeof(id), named->sha256, 8));
	bf_likely(err, "the file was damaged or changed after it was signed");
	bf_do(err, "get the file again from where it was signed");
	return err->rc;
}

/* What no signature can mend. */
static enum bf_rc check_flags(const struct bf_claim *claim, struct bf_err *err)
{
	uint32_t flags = claim->meta.flags;

	if (!(flags & (FLAG_NON_BOOTABLE | FLAG_AES128 | FLAG_AES256)))
		return BF_OK;
	if (flags & FLAG_NON_BOOTABLE)
		bf_fail(err, BF_E_IMAGE, "'%s' is marked as not bootable (flag 0x10 in its header)",
			claim->path);
	else
		bf_fail(err, BF_E_IMAGE,
			"'%s' is marked as encrypted (flags 0x%x), but carries no key for it",
			claim->path, flags);
	bf_likely(err, "the build settings are those of another kind of image");
	bf_do(err, "get an image that is made to be started by the boot loader of this pack");
	return err->rc;
}

enum bf_rc bf_mcuboot_verify(const struct bf_claim *claim, const struct bf_keyring *ring,
			     const struct bf_key **ret_key, struct bf_err *err)
{
	const struct bf_key *key;

	/* The digest of an encrypted image covers the plain text, which only the pack can make. */
	if (claim->mcuboot.encrypted) {
		bf_fail(err, BF_E_IMAGE,
			"'%s' is encrypted (%s): its digest covers what only the pack can decrypt, "
			"so "
			"it cannot be checked here",
			claim->path, claim->mcuboot.encrypted);
		bf_do(err, "use an image that is signed but not encrypted");
		return err->rc;
	}
	if (check_digest(claim, err) || check_signed_at_all(claim, err))
		return err->rc;
	if (check_signature(claim, ring, &key, err) || check_flags(claim, err))
		return err->rc;
	*ret_key = key;
	return BF_OK;
}
