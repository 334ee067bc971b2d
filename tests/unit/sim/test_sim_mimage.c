/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/file.h"
#include "mimage.h"
#include "uuid.h"

#define SLOT 0x80000u

static const struct bf_trust release = {
	.keys = { { 0xb4, 0x6c, 0xaf, 0xd6, 0x3a, 0xd3, 0xfa, 0xe6, 0x99, 0x81, 0x73,
		    0x73, 0x9c, 0x7e, 0xa1, 0x62, 0x1e, 0x65, 0x45, 0x07, 0x5e, 0x77,
		    0xad, 0x1b, 0x16, 0x0a, 0x0a, 0x6c, 0xd6, 0xca, 0x28, 0x0d } },
	.n_keys = 1,
	.vid = { 0x11, 0x64, 0x13, 0x51, 0x4f, 0xfd, 0x57, 0x54, 0xab, 0x6b, 0x35, 0x6b, 0x38, 0xe1,
		 0x88, 0x5e },
	.cid = { 0x95, 0x41, 0xa2, 0xb5, 0x51, 0x02, 0x50, 0x80, 0x9a, 0x71, 0xd0, 0xbe, 0x35, 0xec,
		 0x35, 0xc0 },
};

static void load(const char *name, struct bf_mimage *ret)
{
	BF_AUTO_MEM uint8_t *file = NULL;
	BF_AUTO_MEM uint8_t *slot = malloc(SLOT);
	char path[512];
	struct bf_err err;
	size_t len;

	bf_err_init(&err);
	snprintf(path, sizeof(path), TEST_DATA "/mcuboot/%s", name);
	if (bf_file_read(path, SLOT, &file, &len, &err))
		fail_msg("%s", err.cause);
	memset(slot, 0xFF, SLOT);
	memcpy(slot, file, len);
	bf_mimage_read(slot, SLOT, &release, ret);
}

static void every_vector_gets_its_verdict(void **state)
{
	static const struct {
		const char *name;
		uint32_t lowest;
		enum bf_verdict want;
	} rows[] = {
		{ "app-1.3.0.signed.bin", 3, BF_VERDICT_GOOD },
		{ "app-1.3.0.signed.bin", 4, BF_VERDICT_LOW_COUNTER },
		{ "app-1.5.0.signed.bin", 3, BF_VERDICT_GOOD },
		{ "app-1.5.0.pure.bin", 3, BF_VERDICT_GOOD },
		{ "app-1.5.0.fullkey.bin", 3, BF_VERDICT_GOOD },
		{ "app-1.5.0.padded-test.bin", 3, BF_VERDICT_GOOD },
		{ "gw-2.1.0.signed.bin", 3, BF_VERDICT_GOOD },
		{ "trailing-garbage.bin", 3, BF_VERDICT_GOOD },
		{ "app-1.5.0.noids.bin", 0, BF_VERDICT_GOOD },
		{ "app-1.5.0.noids.bin", 3, BF_VERDICT_LOW_COUNTER },
		{ "app-1.5.0.othercid.bin", 3, BF_VERDICT_OTHER_HW },
		{ "app-1.5.0.custom-tlv.bin", 3, BF_VERDICT_DEPENDENCY },
		{ "app-1.5.0.otherkey.bin", 3, BF_VERDICT_DAMAGED },
		{ "app-1.5.0.unsigned.bin", 3, BF_VERDICT_DAMAGED },
		{ "app-1.5.0.ecdsa.bin", 3, BF_VERDICT_DAMAGED },
		{ "app-1.5.0.nonbootable.bin", 3, BF_VERDICT_DAMAGED },
		{ "bad-payload-bit.bin", 3, BF_VERDICT_DAMAGED },
		{ "bad-version-field.bin", 3, BF_VERDICT_DAMAGED },
		{ "bad-protected-tlv.bin", 3, BF_VERDICT_DAMAGED },
		{ "bad-signature-bit.bin", 3, BF_VERDICT_DAMAGED },
		{ "flag-encrypted.bin", 3, BF_VERDICT_DAMAGED },
		{ "bad-magic.bin", 3, BF_VERDICT_EMPTY },
		{ "bad-header-size.bin", 3, BF_VERDICT_EMPTY },
		{ "bad-image-size-huge.bin", 3, BF_VERDICT_EMPTY },
		{ "bad-image-size-plus1.bin", 3, BF_VERDICT_EMPTY },
		{ "bad-protected-size.bin", 3, BF_VERDICT_EMPTY },
		{ "bad-tlv-zero-total.bin", 3, BF_VERDICT_EMPTY },
		{ "bad-signature-short.bin", 3, BF_VERDICT_EMPTY },
		{ "truncated-header.bin", 3, BF_VERDICT_EMPTY },
		{ "truncated-payload.bin", 3, BF_VERDICT_EMPTY },
		{ "empty.bin", 3, BF_VERDICT_EMPTY },
		/* in a slot the missing bytes read as erased flash */
		{ "truncated-tlv.bin", 3, BF_VERDICT_DAMAGED },
		{ "bad-tlv-total.bin", 3, BF_VERDICT_EMPTY },
	};
	struct bf_mimage m;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		enum bf_verdict got;

		load(rows[i].name, &m);
		got = bf_mimage_verdict(&m, rows[i].lowest);
		if (got != rows[i].want)
			fail_msg("%s with counter %u: %d, want %d", rows[i].name, rows[i].lowest,
				 got, rows[i].want);
	}
}

static void facts_are_read_from_the_protected_area(void **state)
{
	struct bf_mimage m;
	char text[32];

	(void)state;
	load("gw-2.1.0.signed.bin", &m);
	assert_string_equal(bf_mimage_version(&m, text), "2.1.0+42");
	assert_int_equal(m.counter, 8);
	assert_int_equal(m.digest_len, 32);
	load("app-1.5.0.pure.bin", &m);
	assert_string_equal(bf_mimage_version(&m, text), "1.5.0");
	assert_int_equal(m.digest_len, 64);
}

static void an_untrusting_pack_finds_nothing_sound(void **state)
{
	struct bf_trust nobody = release;
	uint8_t slot[64] = { 0x3d, 0xb8, 0xf3, 0x96 };
	struct bf_mimage m;

	(void)state;
	nobody.n_keys = 0;
	for (size_t len = 0; len <= sizeof(slot); len++) {
		bf_mimage_read(slot, len, &nobody, &m);
		assert_false(m.present);
	}
}

static void names_become_the_identifiers_of_the_signing_tool(void **state)
{
	uint8_t vid[16], cid[16];

	(void)state;
	bf_uuid_dns(vid, "bms.example");
	bf_uuid_in(cid, vid, "BMS-16S-R3");
	assert_memory_equal(vid, release.vid, 16);
	assert_memory_equal(cid, release.cid, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_gets_its_verdict),
		cmocka_unit_test(facts_are_read_from_the_protected_area),
		cmocka_unit_test(an_untrusting_pack_finds_nothing_sound),
		cmocka_unit_test(names_become_the_identifiers_of_the_signing_tool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
