/* SPDX-License-Identifier: MIT */
/*
 * Public keys as text. PEM holds a SubjectPublicKeyInfo in DER (RFC 8410), which for Ed25519 is
 * always these 44 bytes:
 *
 *	30 2A                      SEQUENCE of 42 bytes
 *	   30 05 06 03 2B 65 70    algorithm 1.3.101.112
 *	   03 21 00 <32 bytes>     BIT STRING, no unused bits
 *
 * A minisign key is a base64 line of "Ed", 8 bytes of identifier, 32 of key, with a comment line in front of it or
 * without. Lines of text around a PEM block are comments, too. A UTF-8 mark in front of either is passed over.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/shell.h"
#include "image/image_priv.h"

#define MINISIGN_KEY_LEN 42

static const uint8_t spki_frame[BF_SPKI_LEN - BF_ED25519_PK_LEN] = { 0x30, 0x2A, 0x30, 0x05,
								     0x06, 0x03, 0x2B, 0x65,
								     0x70, 0x03, 0x21, 0x00 };

/* What else a PEM file may hold, told by the object identifier in it. */
static const struct {
	const char *name;
	uint8_t oid[11];
	uint8_t len;
} other_keys[] = {
	{ "an elliptic-curve (ECDSA)",
	  { 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01 },
	  9 },
	{ "an RSA", { 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01 }, 11 },
	{ "an X25519 (encryption)", { 0x06, 0x03, 0x2B, 0x65, 0x6E }, 5 },
	{ "an Ed448", { 0x06, 0x03, 0x2B, 0x65, 0x71 }, 5 },
};

bool bf_spki_parse(const uint8_t *der, size_t len, uint8_t ret_pk[BF_ED25519_PK_LEN])
{
	if (len != BF_SPKI_LEN || memcmp(der, spki_frame, sizeof(spki_frame)) != 0)
		return false;
	memcpy(ret_pk, der + sizeof(spki_frame), BF_ED25519_PK_LEN);
	return true;
}

static enum bf_rc refuse_kind(const uint8_t *der, size_t len, const char *name, struct bf_err *err)
{
	const char *kind = "another kind of";

	for (size_t i = 0; i < BF_COUNT(other_keys); i++)
		if (memmem(der, len, other_keys[i].oid, other_keys[i].len))
			kind = other_keys[i].name;
	return bf_fail(err, BF_E_SIGNATURE, "'%s' holds %s key; only Ed25519 keys are accepted",
		       name, kind);
}

static const char *find(const char *text, const char *end, const char *what)
{
	return memmem(text, (size_t)(end - text), what, strlen(what));
}

static enum bf_rc parse_pem(const char *text, size_t len, const char *name, struct bf_key *ret,
			    struct bf_err *err)
{
	static const char head[] = "-----BEGIN PUBLIC KEY-----";
	static const char foot[] = "-----END PUBLIC KEY-----";
	const char *end = text + len, *from = find(text, end, head), *to;
	uint8_t der[1024], spki[BF_SPKI_LEN];
	size_t der_len;

	if (!from)
		return bf_fail(err, BF_E_SIGNATURE, "'%s' holds no public key in PEM form", name);
	from += sizeof(head) - 1;
	to = find(from, end, foot);
	if (!to)
		return bf_fail(err, BF_E_SIGNATURE, "'%s' is cut short: no line \"%s\"", name,
			       foot);
	if (find(to + sizeof(foot) - 1, end, "-----BEGIN "))
		return bf_fail(err, BF_E_SIGNATURE,
			       "'%s' holds more than one public key; give one file for each", name);
	if (!bf_base64_decode(from, (size_t)(to - from), der, sizeof(der), &der_len))
		return bf_fail(err, BF_E_SIGNATURE,
			       "'%s': what stands between BEGIN and END is not base64", name);
	if (!bf_spki_parse(der, der_len, ret->pk))
		return refuse_kind(der, der_len, name, err);
	memcpy(spki, der, sizeof(spki));
	bf_sha256(ret->sha256, spki, sizeof(spki));
	bf_sha512(ret->sha512, spki, sizeof(spki));
	ret->kind = BF_KEY_PEM;
	return BF_OK;
}

static bool minisign_line(const char *text, size_t len, struct bf_key *ret)
{
	uint8_t raw[MINISIGN_KEY_LEN];
	size_t n = 0;

	if (!bf_base64_decode(text, len, raw, sizeof(raw), &n) || n != sizeof(raw) ||
	    memcmp(raw, "Ed", 2) != 0)
		return false;
	memcpy(ret->id, raw + 2, sizeof(ret->id));
	memcpy(ret->pk, raw + 10, sizeof(ret->pk));
	ret->kind = BF_KEY_MINISIGN;
	return true;
}

static enum bf_rc parse_minisign(const char *text, size_t len, const char *name, struct bf_key *ret,
				 struct bf_err *err)
{
	const char *line = memchr(text, '\n', len);

	if (!line || !minisign_line(line, (size_t)(text + len - line), ret))
		return bf_fail(err, BF_E_SIGNATURE,
			       "'%s': the second line is not a minisign public key", name);
	return BF_OK;
}

static enum bf_rc refuse_secret(const char *name, struct bf_err *err)
{
	bf_fail(err, BF_E_SIGNATURE,
		"'%s' holds a secret key; bmsflash takes only public keys, and a secret one has no "
		"business on this machine",
		name);
	bf_likely(err, "the secret key was named in place of the public one");
	bf_next_argv(err,
		     "makes the public key, where the secret one is kept; minisign: minisign -R",
		     (const char *const[]){ "openssl", "pkey", "-in", name, "-pubout", NULL });
	return err->rc;
}

static enum bf_rc parse_kind(const char *text, size_t len, const char *name, struct bf_key *ret,
			     struct bf_err *err)
{
	static const char comment[] = "untrusted comment:";

	if (find(text, text + len, "PRIVATE KEY-----") ||
	    find(text, text + len, "encrypted secret key"))
		return refuse_secret(name, err);
	if (len >= sizeof(comment) && memcmp(text, comment, sizeof(comment) - 1) == 0)
		return parse_minisign(text, len, name, ret, err);
	if (find(text, text + len, "-----BEGIN "))
		return parse_pem(text, len, name, ret, err);
	if (minisign_line(text, len, ret))
		return BF_OK;
	return bf_fail(err, BF_E_SIGNATURE,
		       "'%s' is neither a PEM public key nor a minisign public key", name);
}

/* A key that cannot be read says nothing about who trusts whom. */
enum bf_rc bf_key_parse(const char *text, size_t len, const char *name, struct bf_key *ret,
			struct bf_err *err)
{
	const char *base = strrchr(name, '/');
	size_t mark = bf_text_mark(text, len);
	struct bf_key key = { 0 };

	base = base ? base + 1 : name;
	snprintf(key.name, sizeof(key.name), "%s", base);
	if (parse_kind(text + mark, len - mark, name, &key, err)) {
		if (!err->n_likely)
			bf_likely(err, "it is another file than the maker's public key, or an "
				       "editor changed it");
		if (!err->next[0] && !err->todo[0])
			bf_next_argv(err,
				     "shows it: a public key is PEM (Ed25519) or minisign's; get "
				     "it again",
				     (const char *const[]){ "cat", "-A", name, NULL });
		return err->rc;
	}
	*ret = key;
	return BF_OK;
}

char *bf_minisign_id_text(const uint8_t id[8], char dst[BF_KEY_ID_TEXT])
{
	uint64_t v = (uint64_t)bf_get_le32(id + 4) << 32 | bf_get_le32(id);

	snprintf(dst, BF_KEY_ID_TEXT, "%016" PRIX64, v);
	return dst;
}

char *bf_key_id_text(const struct bf_key *key, char dst[BF_KEY_ID_TEXT])
{
	if (key->kind == BF_KEY_MINISIGN)
		return bf_minisign_id_text(key->id, dst);
	return bf_hex(dst, BF_KEY_ID_TEXT, key->sha256, 8);
}
