/* SPDX-License-Identifier: MIT */
/* The doors to a trusted image: what both promise, whatever the format. */
#include "made.h"

static void without_a_trusted_key_nothing_passes(void **state)
{
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct made m = { 0 };
	struct bf_image *image = NULL;
	struct bf_err err = { 0 };

	(void)state;
	make(&m);
	assert_int_equal(bytes_to_image(m.bytes, m.len, ring, &image, &err), BF_E_SIGNATURE);
	assert_null(image);
	assert_non_null(strstr(err.cause, "no key is trusted"));
	assert_non_null(strstr(err.todo, "--key"));
}

static void an_untrusted_key_is_named_beside_the_trusted_ones(void **state)
{
	BF_AUTO(bf_keyring) *ring = ring_of("mcuboot/release.pub.pem");
	BF_AUTO_MEM uint8_t *p = NULL;
	struct bf_image *image = NULL;
	struct bf_err err = { 0 };
	size_t len;

	(void)state;
	p = data_file("mcuboot/app-1.5.0.otherkey.bin", &len);
	assert_int_equal(bytes_to_image(p, len, ring, &image, &err), BF_E_SIGNATURE);
	assert_non_null(strstr(err.cause, "does not trust; trusted: release.pub.pem "
					  "(ba9d7879eb954cd5)"));
}

static void an_image_tells_what_the_record_needs(void **state)
{
	BF_AUTO(bf_keyring) *ring = made_ring();
	BF_AUTO(bf_image) *image = NULL;
	struct made m = { 0 };
	struct bf_err err = { 0 };
	uint8_t sha[32];

	(void)state;
	make(&m);
	assert_int_equal(bytes_to_image(m.bytes, m.len, ring, &image, &err), BF_OK);
	bf_sha256(sha, m.bytes, m.len);
	assert_memory_equal(bf_image_file_sha256(image), sha, 32);
	assert_string_equal(bf_image_path(image), "test.bin");
	assert_string_equal(bf_image_key_name(image), "made.pem");
	bf_sha256(sha, m.bytes, m.signed_len);
	assert_memory_equal(bf_image_meta(image)->digest, sha, 32);
}

static void free_takes_null(void **state)
{
	(void)state;
	assert_null(bf_image_free(NULL));
	assert_null(bf_claim_free(NULL));
	assert_null(bf_keyring_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_trusted_key_nothing_passes),
		cmocka_unit_test(an_untrusted_key_is_named_beside_the_trusted_ones),
		cmocka_unit_test(an_image_tells_what_the_record_needs),
		cmocka_unit_test(free_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
