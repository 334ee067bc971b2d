/* SPDX-License-Identifier: MIT */
/* Seed and key with a technician's Ed25519 key: the message is that of bmsflash-uds(7). */
#include "bmsflash/auth.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"

#define KEY_FILE_MAX 4096

struct key_auth {
	struct bf_auth auth;
	uint8_t secret[BF_ED25519_SEED_LEN];
};

#define DOMAIN_LEN sizeof("bmsflash-uds-27") /* with its 00 */

/* A signature for one service is none for the other. */
static const char *domain_of(const struct bf_auth *auth)
{
	return auth->service == 0x29 ? "bmsflash-uds-29" : "bmsflash-uds-27";
} /* signed with its closing zero */

static enum bf_rc key_respond(struct bf_auth *auth, unsigned level, const uint8_t *seed,
			      size_t seed_len, uint8_t *key, size_t cap, size_t *ret_len,
			      struct bf_err *err)
{
	struct key_auth *ka = BF_CONTAINER_OF(auth, struct key_auth, auth);
	size_t n = strlen(auth->serial);
	uint8_t msg[DOMAIN_LEN + 2 + sizeof(auth->serial) + 256];
	struct bf_out o = bf_out(msg, sizeof(msg));

	bf_out_bytes(&o, domain_of(auth), DOMAIN_LEN);
	bf_out_u8(&o, (uint8_t)level);
	bf_out_u8(&o, (uint8_t)n);
	bf_out_bytes(&o, auth->serial, n);
	bf_out_bytes(&o, seed, seed_len);
	if (o.failed || cap < BF_ED25519_SIG_LEN)
		return bf_fail(err, BF_E_AUTH,
			       "the pack's seed is %zu bytes long, at most 256 are understood",
			       seed_len);
	bf_ed25519_sign(key, msg, o.len, ka->secret);
	*ret_len = BF_ED25519_SIG_LEN;
	return BF_OK;
}

static void key_free(struct bf_auth *auth)
{
	struct key_auth *ka = BF_CONTAINER_OF(auth, struct key_auth, auth);

	bf_wipe(ka->secret, sizeof(ka->secret));
	free(ka);
}

/*
 * PKCS#8 (RFC 8410), with the public key (version 1) or without (version 0):
 *   00 30 len | 02 01 version | 30 05 06 03 2B 65 70 | 04 22 04 20 | 32 bytes of secret | ...
 */
static bool pkcs8_secret(const uint8_t *der, size_t len, uint8_t secret[BF_ED25519_SEED_LEN])
{
	static const uint8_t middle[] = { 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65,
					  0x70, 0x04, 0x22, 0x04, 0x20 };
	struct bf_cur c = bf_cur(der, len);
	const uint8_t *p;
	bool good = bf_cur_u8(&c) == 0x30;

	good = bf_cur_u8(&c) == len - 2 && good;
	good = bf_cur_be16(&c) == 0x0201 && good;
	good = bf_cur_u8(&c) <= 1 && good;
	p = bf_cur_bytes(&c, sizeof(middle));
	good = p && memcmp(p, middle, sizeof(middle)) == 0 && good;
	p = bf_cur_bytes(&c, BF_ED25519_SEED_LEN);
	if (!p || !good)
		return false;
	memcpy(secret, p, BF_ED25519_SEED_LEN);
	return true;
}

static bool pem_secret(const char *text, uint8_t secret[BF_ED25519_SEED_LEN])
{
	static const char begin[] = "-----BEGIN PRIVATE KEY-----";
	const char *at = strstr(text, begin);
	const char *end = at ? strstr(at, "-----END PRIVATE KEY-----") : NULL;
	uint8_t der[128];
	size_t len;
	bool good;

	if (!end)
		return false;
	at += strlen(begin);
	good = bf_base64_decode(at, (size_t)(end - at), der, sizeof(der), &len) &&
	       pkcs8_secret(der, len, secret);
	bf_wipe(der, sizeof(der));
	return good;
}

static bool hex_secret(char *text, uint8_t secret[BF_ED25519_SEED_LEN])
{
	size_t n = strlen(text);
	size_t len;

	while (n && strchr(" \t\r\n", text[n - 1]))
		text[--n] = '\0';
	return bf_unhex(text, secret, BF_ED25519_SEED_LEN, &len) && len == BF_ED25519_SEED_LEN;
}

static enum bf_rc not_a_key(const char *path, const char *text, struct bf_err *err)
{
	static const struct {
		const char *mark, *what;
	} kinds[] = {
		{ "ENCRYPTED PRIVATE KEY", "an encrypted private key" },
		{ "OPENSSH PRIVATE KEY", "an OpenSSH key" },
		{ "EC PRIVATE KEY", "an ECDSA key" },
		{ "RSA PRIVATE KEY", "an RSA key" },
		{ "PUBLIC KEY", "a public key" },
		{ "BEGIN PRIVATE KEY", "a private key of another kind than Ed25519, or damaged" },
	};
	const char *what = "not a key file";

	for (size_t i = 0; i < BF_COUNT(kinds); i++) {
		if (strstr(text, kinds[i].mark)) {
			what = kinds[i].what;
			break;
		}
	}
	bf_fail(err, BF_E_AUTH,
		"technician's key '%s' is %s; wanted is an Ed25519 private key, PEM (PKCS#8, not "
		"encrypted) or 64 hex digits",
		path, what);
	if (strstr(text, "PUBLIC KEY")) {
		bf_fail(err, BF_E_AUTH,
			"'%s' is the public half of a key; --auth-key wants the private one", path);
		bf_likely(err, "a new key would be refused, and three wrong ones lock the pack");
	}
	bf_do(err, "give the private key that the maker of the pack gave you: --auth-key FILE");
	return err->rc;
}

enum bf_rc bf_auth_ed25519_new(const char *path, struct bf_auth **ret, struct bf_err *err)
{
	uint8_t *file;
	size_t len;
	char text[KEY_FILE_MAX + 1];
	struct key_auth *ka;
	bool good;

	bf_hold_secret();
	if (bf_file_read_guarded(path, KEY_FILE_MAX, BF_GUARD_TRUSTED, &file, &len, err)) {
		if (err->rc != BF_E_SIGNATURE) /* others can change it */
			err->rc = BF_E_AUTH;
		return bf_while(err, "reading the technician's key");
	}
	memcpy(text, file, len);
	text[len] = '\0';
	bf_wipe(file, len);
	free(file);

	ka = calloc(1, sizeof(*ka));
	if (!ka)
		abort();
	ka->auth.respond = key_respond;
	ka->auth.free = key_free;
	good = pem_secret(text, ka->secret) || hex_secret(text, ka->secret);
	if (good)
		*ret = &ka->auth;
	else
		not_a_key(path, text, err);
	bf_wipe(text, sizeof(text));
	if (good)
		return BF_OK;
	key_free(&ka->auth);
	return err->rc;
}

struct bf_auth *bf_auth_free(struct bf_auth *auth)
{
	if (auth && auth->free)
		auth->free(auth);
	return NULL;
}
