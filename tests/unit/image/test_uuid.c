/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "bmsflash/bytes.h"
#include "image/image_priv.h"

static void assert_hex(const void *p, size_t n, const char *want)
{
	char text[2 * 64 + 1];

	assert_string_equal(bf_hex(text, sizeof(text), p, n), want);
}

/* FIPS 180-4 examples, and the lengths at which the padding takes another block. */
static void sha1_agrees_with_its_standard(void **state)
{
	uint8_t out[BF_SHA1_LEN], many[128];

	(void)state;
	bf_sha1(out, "", 0);
	assert_hex(out, sizeof(out), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	bf_sha1(out, "abc", 3);
	assert_hex(out, sizeof(out), "a9993e364706816aba3e25717850c26c9cd0d89d");
	bf_sha1(out, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
	assert_hex(out, sizeof(out), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	memset(many, 'a', sizeof(many));
	bf_sha1(out, many, 55);
	assert_hex(out, sizeof(out), "c1c8bbdc22796e28c0e15163d20899b65621d65a");
	bf_sha1(out, many, 64);
	assert_hex(out, sizeof(out), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
	bf_sha1(out, many, 119);
	assert_hex(out, sizeof(out), "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56");
}

/* The identifiers that imgtool puts into the images of tests/data/mcuboot. */
static void uuids_are_those_of_imgtool(void **state)
{
	uint8_t vid[16], cid[16];

	(void)state;
	bf_uuid_vendor("bms.example", vid);
	assert_hex(vid, sizeof(vid), "116413514ffd5754ab6b356b38e1885e");
	bf_uuid_class(vid, "BMS-16S-R3", cid);
	assert_hex(cid, sizeof(cid), "9541a2b5510250809a71d0be35ec35c0");
}

/* RFC 4122 as corrected: www.example.com in the namespace of domain names. */
static void uuid_agrees_with_the_rfc(void **state)
{
	uint8_t id[16];

	(void)state;
	bf_uuid_vendor("www.example.com", id);
	assert_hex(id, sizeof(id), "2ed6657de927568b95e12665a8aea6a2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha1_agrees_with_its_standard),
		cmocka_unit_test(uuids_are_those_of_imgtool),
		cmocka_unit_test(uuid_agrees_with_the_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
