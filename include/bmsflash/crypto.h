/* SPDX-License-Identifier: MIT */
/* Hashes and Ed25519, by libsodium; the only door to that library. */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"

#define BF_SHA256_LEN       32
#define BF_SHA512_LEN       64
#define BF_ED25519_PK_LEN   32
#define BF_ED25519_SEED_LEN 32
#define BF_ED25519_SIG_LEN  64

void bf_sha256(uint8_t out[BF_SHA256_LEN], const void *p, size_t len);
void bf_sha512(uint8_t out[BF_SHA512_LEN], const void *p, size_t len);
void bf_blake2b512(uint8_t out[64], const void *p, size_t len);

/* Keyed BLAKE2b-256 (RFC 7693): only who has the key can make it. */
#define BF_MAC_LEN     32
#define BF_MAC_KEY_LEN 32
void bf_mac(uint8_t out[BF_MAC_LEN], const uint8_t key[BF_MAC_KEY_LEN], const void *p, size_t len);

/* Running SHA-256 for data that comes in blocks. */
struct bf_sha256_ctx {
	uint64_t opaque[16];
};
void bf_sha256_init(struct bf_sha256_ctx *ctx);
void bf_sha256_update(struct bf_sha256_ctx *ctx, const void *p, size_t len);
void bf_sha256_final(struct bf_sha256_ctx *ctx, uint8_t out[BF_SHA256_LEN]);

/* True: made over msg by the private key that belongs to pk. */
bool bf_ed25519_verify(const uint8_t sig[BF_ED25519_SIG_LEN], const void *msg, size_t len,
		       const uint8_t pk[BF_ED25519_PK_LEN]);
/* seed: the 32-byte private key of RFC 8032 */
void bf_ed25519_sign(uint8_t sig[BF_ED25519_SIG_LEN], const void *msg, size_t len,
		     const uint8_t seed[BF_ED25519_SEED_LEN]);
void bf_ed25519_public(uint8_t pk[BF_ED25519_PK_LEN], const uint8_t seed[BF_ED25519_SEED_LEN]);

/* Strict base64 (RFC 4648 with padding, white space ignored); false when malformed or too long. */
bool bf_base64_decode(const char *text, size_t text_len, uint8_t *dst, size_t cap, size_t *ret_len);

/* From here on this process holds a secret: it leaves no core dump, nor do programs that it starts. */
void bf_hold_secret(void);
void bf_wipe(void *p, size_t len);                      /* not optimised away */
bool bf_same(const void *a, const void *b, size_t len); /* constant time */
void bf_random(void *p, size_t len);
