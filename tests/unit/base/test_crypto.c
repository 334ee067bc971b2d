/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/crypto.h"

/* RFC 8032, section 7.1, test 2. */
static void ed25519_agrees_with_rfc_8032(void **state)
{
	uint8_t seed[32], pk[32], want[64], sig[64];
	size_t n = 0;

	(void)state;
	assert_true(bf_unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			     seed, 32, &n));
	assert_true(bf_unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
			     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
			     want, 64, &n));
	bf_ed25519_public(pk, seed);
	bf_ed25519_sign(sig, "\x72", 1, seed);
	assert_memory_equal(sig, want, 64);
	assert_true(bf_ed25519_verify(sig, "\x72", 1, pk));
	assert_false(bf_ed25519_verify(sig, "\x73", 1, pk));
}

static void running_sha256_equals_the_whole(void **state)
{
	struct bf_sha256_ctx ctx;
	uint8_t a[32], b[32];

	(void)state;
	bf_sha256(a, "abc", 3);
	bf_sha256_init(&ctx);
	bf_sha256_update(&ctx, "a", 1);
	bf_sha256_update(&ctx, "bc", 2);
	bf_sha256_final(&ctx, b);
	assert_memory_equal(a, b, 32);
	assert_int_equal(a[0], 0xBA);
}

/* The wanted bytes are Python's: hashlib.blake2b(b"manifest", key=bytes(range(32)), digest_size=32). */
static void mac_agrees_with_another_implementation(void **state)
{
	uint8_t key[BF_MAC_KEY_LEN], mac[BF_MAC_LEN];
	char text[2 * BF_MAC_LEN + 1];

	(void)state;
	for (uint8_t i = 0; i < BF_MAC_KEY_LEN; i++)
		key[i] = i;
	bf_mac(mac, key, "manifest", 8);
	assert_string_equal(bf_hex(text, sizeof(text), mac, sizeof(mac)),
			    "cf2d1080ab662c1361926d8ef61ea84a93f32284a1e83fe56fac6c9b0d0146ca");
}

static void base64_is_strict(void **state)
{
	uint8_t b[8];
	size_t n = 0;

	(void)state;
	assert_true(bf_base64_decode("AQ ID\n", 6, b, sizeof(b), &n));
	assert_int_equal(n, 3);
	assert_false(bf_base64_decode("AQI", 3, b, sizeof(b), &n));
	assert_false(bf_base64_decode("AQ*D", 4, b, sizeof(b), &n));
	assert_false(bf_base64_decode("AQIDBAUGBwgJCgsM", 16, b, sizeof(b), &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ed25519_agrees_with_rfc_8032),
		cmocka_unit_test(running_sha256_equals_the_whole),
		cmocka_unit_test(mac_agrees_with_another_implementation),
		cmocka_unit_test(base64_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
