/* SPDX-License-Identifier: MIT */
#include "bmsflash/crypto.h"

#include <assert.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static_assert(sizeof(struct bf_sha256_ctx) >= sizeof(crypto_hash_sha256_state),
	      "room for the state");

/* sodium_init is idempotent; it fails only without a source of randomness, where nothing is safe. */
static void ready(void)
{
	if (sodium_init() < 0)
		abort();
}

void bf_sha256(uint8_t out[BF_SHA256_LEN], const void *p, size_t len)
{
	crypto_hash_sha256(out, p, len);
}

void bf_sha512(uint8_t out[BF_SHA512_LEN], const void *p, size_t len)
{
	crypto_hash_sha512(out, p, len);
}

void bf_blake2b512(uint8_t out[64], const void *p, size_t len)
{
	ready();
	crypto_generichash(out, 64, p, len, NULL, 0);
}

void bf_mac(uint8_t out[BF_MAC_LEN], const uint8_t key[BF_MAC_KEY_LEN], const void *p, size_t len)
{
	ready();
	crypto_generichash(out, BF_MAC_LEN, p, len, key, BF_MAC_KEY_LEN);
}

static crypto_hash_sha256_state *state_of(struct bf_sha256_ctx *ctx)
{
	return (crypto_hash_sha256_state *)(void *)ctx->opaque;
}

void bf_sha256_init(struct bf_sha256_ctx *ctx)
{
	crypto_hash_sha256_init(state_of(ctx));
}

void bf_sha256_update(struct bf_sha256_ctx *ctx, const void *p, size_t len)
{
	crypto_hash_sha256_update(state_of(ctx), p, len);
}

void bf_sha256_final(struct bf_sha256_ctx *ctx, uint8_t out[BF_SHA256_LEN])
{
	crypto_hash_sha256_final(state_of(ctx), out);
}

bool bf_ed25519_verify(const uint8_t sig[BF_ED25519_SIG_LEN], const void *msg, size_t len,
		       const uint8_t pk[BF_ED25519_PK_LEN])
{
	return crypto_sign_ed25519_verify_detached(sig, msg, len, pk) == 0;
}

void bf_ed25519_sign(uint8_t sig[BF_ED25519_SIG_LEN], const void *msg, size_t len,
		     const uint8_t seed[BF_ED25519_SEED_LEN])
{
	uint8_t pk[crypto_sign_ed25519_PUBLICKEYBYTES];
	uint8_t sk[crypto_sign_ed25519_SECRETKEYBYTES];

	crypto_sign_ed25519_seed_keypair(pk, sk, seed);
	crypto_sign_ed25519_detached(sig, NULL, msg, len, sk);
	sodium_memzero(sk, sizeof(sk));
}

void bf_ed25519_public(uint8_t pk[BF_ED25519_PK_LEN], const uint8_t seed[BF_ED25519_SEED_LEN])
{
	uint8_t sk[crypto_sign_ed25519_SECRETKEYBYTES];

	crypto_sign_ed25519_seed_keypair(pk, sk, seed);
	sodium_memzero(sk, sizeof(sk));
}

bool bf_base64_decode(const char *text, size_t text_len, uint8_t *dst, size_t cap, size_t *ret_len)
{
	const char *end = NULL;

	if (sodium_base642bin(dst, cap, text, text_len, " \t\r\n", ret_len, &end,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return false;
	return end == text + text_len;
}

void bf_hold_secret(void)
{
	struct rlimit limit;

	/* Neither can fail in a way that something could be done about. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
}

void bf_wipe(void *p, size_t len)
{
	sodium_memzero(p, len);
}

bool bf_same(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

void bf_random(void *p, size_t len)
{
	ready();
	randombytes_buf(p, len);
}
