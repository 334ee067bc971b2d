/* SPDX-License-Identifier: MIT */
/* Images that imgtool does not make: wrong in exactly one place, and signed all the same. */
#include "made.h"

static void verdict(struct made *m, enum bf_rc want, const char *words)
{
	make(m);
	made_verdict(m->bytes, m->len, want, words);
}

static void each_shape_of_signature_is_accepted(void **state)
{
	struct made digest = { 0 }, pure = { .pure = true }, whole = { .whole_key = true },
		    big_header = { .header_len = 512 };

	(void)state;
	verdict(&digest, BF_OK, NULL);
	verdict(&pure, BF_OK, NULL);
	verdict(&whole, BF_OK, NULL);
	verdict(&big_header, BF_OK, NULL);
}

static void notice_every_change(struct made *m)
{
	BF_AUTO(bf_keyring) *ring = made_ring();

	make(m);
	for (size_t i = 0; i < m->len; i++) {
		BF_AUTO(bf_image) *image = NULL;
		struct bf_err err = { 0 };

		m->bytes[i] ^= 0x10;
		if (bytes_to_image(m->bytes, m->len, ring, &image, &err) == BF_OK)
			fail_msg("change at %zu passed", i);
		m->bytes[i] ^= 0x10;
	}
}

static void every_changed_byte_is_noticed(void **state)
{
	struct made digest = { .prot = { { 0x50, "\5\0\0", 4 } } };
	struct made pure = { .pure = true }, whole = { .whole_key = true };

	(void)state;
	notice_every_change(&digest);
	notice_every_change(&pure);
	notice_every_change(&whole);
}

static void every_cut_is_noticed(void **state)
{
	struct made m = { .prot = { { 0x50, NULL, 4 } } };

	(void)state;
	make(&m);
	for (size_t n = 1; n < m.len; n++)
		made_verdict(m.bytes, n, BF_E_IMAGE, "test.bin");
}

static void what_decides_about_the_pack_must_be_protected(void **state)
{
	static const struct made_tlv rows[] = {
		{ 0x50, NULL, 4 }, { 0x74, NULL, 16 }, { 0x75, NULL, 16 }, { 0x40, NULL, 12 }
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct made inside = { .prot = { rows[i] } }, outside = { .open = { rows[i] } };

		verdict(&inside, BF_OK, NULL);
		verdict(&outside, BF_E_IMAGE, "outside the protected area");
	}
}

static void digest_and_signature_cannot_be_protected(void **state)
{
	struct made digest = { .prot = { { 0x10, NULL, 32 } } },
		    sig = { .prot = { { 0x24, NULL, 64 } } };

	(void)state;
	verdict(&digest, BF_E_IMAGE, "inside the protected area");
	verdict(&sig, BF_E_IMAGE, "inside the protected area");
}

static void duplicates_are_refused(void **state)
{
	static const struct made_tlv rows[] = { { 0x10, NULL, 32 },
						{ 0x24, NULL, 64 },
						{ 0x01, NULL, 32 } };
	struct made counter = { .prot = { { 0x50, NULL, 4 }, { 0x50, NULL, 4 } } };
	struct made digests = { .open = { { 0x12, NULL, 64 } } };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct made m = { .open = { rows[i] } };

		verdict(&m, BF_E_IMAGE, "a second");
	}
	verdict(&counter, BF_E_IMAGE, "a second security counter (TLV 50) at offset 0x90");
	verdict(&digests, BF_E_IMAGE, "two digests");
}

static void odd_lengths_are_refused_with_their_place(void **state)
{
	struct made counter = { .prot = { { 0x50, NULL, 8 } } };
	struct made sig = { .no_sig = true, .open = { { 0x24, NULL, 63 } } };

	(void)state;
	verdict(&counter, BF_E_IMAGE,
		"security counter (TLV 50) at offset 0x88 has 8 bytes, not 4");
	verdict(&sig, BF_E_IMAGE, "has 63 bytes, not 64");
}

static void vendor_tlvs_are_left_alone_where_they_are_signed(void **state)
{
	struct made m = { .prot = { { 0xA0, "BMS", 3 }, { 0xA0, "BMS", 3 }, { 0x60, NULL, 9 } } };

	(void)state;
	verdict(&m, BF_OK, NULL);
}

/* As MCUboot since 2.1: what anybody can add without the key has no place. */
static void nothing_but_digest_key_and_signature_lies_outside_the_protected_area(void **state)
{
	static const uint16_t added[] = { 0x3FFF, 0xA0, 0x60, 0x70, 0x71,
					  0x72,   0x73, 0x35, 0x03, 0x26 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(added); i++) {
		struct made m = { .open = { { added[i], NULL, 200 } } };

		verdict(&m, BF_E_IMAGE, "outside the protected area, where only digest");
	}
}

static void a_second_signature_digest_or_key_is_refused_as_mcuboot_does(void **state)
{
	struct made sig = { .open = { { 0x20, NULL, 256 } } },
		    digest = { .open = { { 0x11, NULL, 48 } } };
	struct made key = { .whole_key = true, .open = { { 0x01, NULL, 32 } } };
	struct made mark = { .open = { { 0x25, NULL, 1 } } };

	(void)state;
	verdict(&sig, BF_E_IMAGE, "a second signature (RSA-2048)");
	verdict(&digest, BF_E_IMAGE, "two digests");
	verdict(&key, BF_E_IMAGE, "both a key hash");
	verdict(&mark, BF_E_IMAGE, "pure-signature mark (TLV 25) is 0");
}

static void more_dependencies_than_fit_are_refused(void **state)
{
	struct made m = { 0 };

	(void)state;
	for (size_t i = 0; i < BF_MAX_DEPS; i++)
		m.prot[i] = (struct made_tlv){ 0x40, NULL, 12 };
	verdict(&m, BF_OK, NULL);
	m = (struct made){ 0 };
	for (size_t i = 0; i < BF_MAX_DEPS + 1; i++)
		m.prot[i] = (struct made_tlv){ 0x40, NULL, 12 };
	verdict(&m, BF_E_IMAGE, "one more than the 4");
}

static void missing_parts_are_named(void **state)
{
	struct made digest = { .no_digest = true }, sig = { .no_sig = true },
		    key = { .no_key = true };
	struct made rsa = { .no_sig = true, .open = { { 0x20, NULL, 256 } } };
	struct made sha384 = { .no_digest = true, .open = { { 0x11, NULL, 48 } } };

	(void)state;
	verdict(&digest, BF_E_IMAGE, "no digest");
	verdict(&sha384, BF_E_IMAGE, "it has SHA-384");
	verdict(&sig, BF_E_SIGNATURE, "a digest but no signature");
	verdict(&key, BF_E_SIGNATURE, "does not say which key");
	verdict(&rsa, BF_E_SIGNATURE, "signed with RSA-2048; only Ed25519");
}

static void flags_that_no_signature_mends_are_refused(void **state)
{
	struct made nonbootable = { .flags = 0x10 }, marked = { .flags = 0x04 };
	struct made encrypted = { .flags = 0x04, .open = { { 0x33, NULL, 81 } } };
	struct made sha512 = { .open = { { 0x34, NULL, 113 } } };

	(void)state;
	verdict(&nonbootable, BF_E_IMAGE, "not bootable");
	verdict(&marked, BF_E_IMAGE, "encrypted");
	verdict(&encrypted, BF_E_IMAGE, "ECIES-X25519");
	verdict(&sha512, BF_E_IMAGE, "encrypted (ECIES-X25519-SHA512");
}

static void a_key_that_is_carried_along_must_be_a_trusted_one(void **state)
{
	struct made foreign = { .no_key = true, .open = { { 0x02, NULL, 91 } } };

	(void)state;
	/* By the start of the SHA-256 of its 91 zeros. */
	verdict(&foreign, BF_E_SIGNATURE,
		"is signed by key 2795ec931b5b17c9, which this computer does not trust");
}

/* Each key for what it was made: the same bytes as a minisign key do not vouch for an image. */
static void a_minisign_key_does_not_vouch_for_an_image(void **state)
{
	BF_AUTO(bf_keyring) *ring = made_minisign_ring();
	struct made m = { .whole_key = true };
	struct bf_image *image = NULL;
	struct bf_err err = { 0 };

	(void)state;
	make(&m);
	assert_int_equal(bytes_to_image(m.bytes, m.len, ring, &image, &err), BF_E_SIGNATURE);
	assert_non_null(strstr(err.cause, "does not trust; trusted: none of this kind"));
}

/* ---- padded slots ---- */

static const uint8_t magic_8[16] = { 0x77, 0xC2, 0x95, 0xF3, 0x60, 0xD2, 0xEF, 0x7F,
				     0x35, 0x52, 0x50, 0x0F, 0x2C, 0xB6, 0x79, 0x80 };

static struct made *padded(struct made *m, const uint8_t *magic)
{
	make(m);
	memset(m->bytes + m->len, 0xFF, sizeof(m->bytes) - m->len);
	m->len = sizeof(m->bytes);
	if (magic)
		memcpy(m->bytes + m->len - 16, magic, 16);
	return m;
}

static void padded_verdict(struct made *m, enum bf_rc want)
{
	made_verdict(m->bytes, m->len, want,
		     want ? "neither erased flash nor a slot trailer" : NULL);
}

static void erased_padding_and_true_trailers_are_accepted(void **state)
{
	static const uint8_t magic_16[16] = { 16,   0,    0x2D, 0xE1, 0x5D, 0x29, 0x41, 0x0B,
					      0x8D, 0x77, 0x67, 0x9C, 0x11, 0x0F, 0x1F, 0x8A };
	struct made m = { 0 };

	(void)state;
	padded_verdict(padded(&m, NULL), BF_OK);
	padded_verdict(padded(&m, magic_8), BF_OK);
	m.bytes[m.len - 24] = 1; /* image-ok: imgtool --confirm */
	padded_verdict(&m, BF_OK);
	padded(&m, magic_16)->bytes[m.len - 32] = 1;
	padded_verdict(&m, BF_OK);
}

static void anything_else_after_the_image_is_refused(void **state)
{
	struct made m = { 0 };
	size_t at;

	(void)state;
	make(&m);
	at = m.len;
	padded(&m, NULL)->bytes[at] = 0;
	padded_verdict(&m, BF_E_IMAGE);
	padded(&m, magic_8)->bytes[at + 9] = 0xFE;
	padded_verdict(&m, BF_E_IMAGE);
	padded(&m, magic_8)->bytes[m.len - 1] ^= 1;
	padded_verdict(&m, BF_E_IMAGE);
	padded(&m, magic_8)->bytes[m.len - 24] = 2; /* image-ok is 01 or erased */
	padded_verdict(&m, BF_E_IMAGE);
	padded(&m, magic_8)->bytes[m.len - 20] = 1; /* filler of image-ok */
	padded_verdict(&m, BF_E_IMAGE);
}

static void padding_is_told_but_not_written(void **state)
{
	BF_AUTO(bf_keyring) *ring = made_ring();
	BF_AUTO(bf_image) *image = NULL;
	const struct bf_segment *seg;
	struct made m = { 0 };
	struct bf_err err;
	size_t plain;

	(void)state;
	make(&m);
	plain = m.len;
	padded(&m, magic_8);
	assert_int_equal(bytes_to_image(m.bytes, m.len, ring, &image, &err), BF_OK);
	assert_int_equal(bf_image_meta(image)->padded_to, sizeof(m.bytes));
	assert_int_equal(bf_image_segments(image, &seg), 1);
	assert_int_equal(seg->len, plain);
	assert_int_equal(bf_image_size(image), plain);
}

/* ---- extent ---- */

static void extent_is_found_in_steps(void **state)
{
	struct made m = { .prot = { { 0x50, NULL, 4 } } };
	size_t tlv_at = 0, need;

	(void)state;
	padded(&m, magic_8);
	assert_int_equal(bf_mcuboot_extent(m.bytes, 31, &tlv_at), 0);
	need = bf_mcuboot_extent(m.bytes, 32, &tlv_at);
	assert_int_equal(tlv_at, 132);
	assert_int_equal(need, 132 + 12 + 4);
	need = bf_mcuboot_extent(m.bytes, need, NULL);
	assert_int_equal(need, 132 + 12 + 4 + 36 + 36 + 68);
	assert_int_equal(bf_mcuboot_extent(m.bytes, m.len, NULL), need);
}

static void extent_of_what_is_no_image_is_0(void **state)
{
	struct made m = { 0 };

	(void)state;
	make(&m);
	bf_put_le16(m.bytes + m.signed_len + 2, 3);
	assert_int_equal(bf_mcuboot_extent(m.bytes, m.len, NULL), 0);
	make(&m);
	bf_put_le32(m.bytes + 12, 0xFFFFFFF0);
	assert_int_equal(bf_mcuboot_extent(m.bytes, m.len, NULL), 0);
	make(&m);
	m.bytes[8] = 31;
	m.bytes[9] = 0;
	assert_int_equal(bf_mcuboot_extent(m.bytes, m.len, NULL), 0);
	memset(m.bytes, 0xFF, sizeof(m.bytes));
	assert_int_equal(bf_mcuboot_extent(m.bytes, sizeof(m.bytes), NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_shape_of_signature_is_accepted),
		cmocka_unit_test(every_changed_byte_is_noticed),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(what_decides_about_the_pack_must_be_protected),
		cmocka_unit_test(digest_and_signature_cannot_be_protected),
		cmocka_unit_test(duplicates_are_refused),
		cmocka_unit_test(odd_lengths_are_refused_with_their_place),
		cmocka_unit_test(vendor_tlvs_are_left_alone_where_they_are_signed),
		cmocka_unit_test(
			nothing_but_digest_key_and_signature_lies_outside_the_protected_area),
		cmocka_unit_test(a_second_signature_digest_or_key_is_refused_as_mcuboot_does),
		cmocka_unit_test(more_dependencies_than_fit_are_refused),
		cmocka_unit_test(missing_parts_are_named),
		cmocka_unit_test(flags_that_no_signature_mends_are_refused),
		cmocka_unit_test(a_key_that_is_carried_along_must_be_a_trusted_one),
		cmocka_unit_test(a_minisign_key_does_not_vouch_for_an_image),
		cmocka_unit_test(erased_padding_and_true_trailers_are_accepted),
		cmocka_unit_test(anything_else_after_the_image_is_refused),
		cmocka_unit_test(padding_is_told_but_not_written),
		cmocka_unit_test(extent_is_found_in_steps),
		cmocka_unit_test(extent_of_what_is_no_image_is_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
