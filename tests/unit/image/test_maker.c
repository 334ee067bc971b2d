/* SPDX-License-Identifier: MIT */
/* Images with a maker's header, and JK's container; made here, byte by byte, and by openssl and Python's zlib. */
#include "helpers.h"

#include <unistd.h>

#include "bmsflash/bytes.h"
#include "image/image_priv.h"

#define LEN 4096

static void jk_image(uint8_t p[LEN], const char *version, const char *model)
{
	for (size_t i = 0; i < LEN; i++)
		p[i] = (uint8_t)(i * 31 + i / 256);
	bf_put_le32(p, 0x20005000);
	bf_put_le32(p + 4, 0x08002145);
	memset(p + 0x200, 0, 0x64);
	memcpy(p + 0x200, version, strlen(version));
	memcpy(p + 0x210, "2025-03-14", 10);
	memcpy(p + 0x230, "10:11:12", 8);
	memcpy(p + 0x250, model, strlen(model));
	bf_put_le32(p + 0x260, 0xFFFFFFFF);
}

static enum bf_rc parse(const uint8_t *p, size_t len, const char *name, struct bf_claim **ret,
			struct bf_err *err)
{
	const struct bf_claim_opts none = { 0 };

	bf_err_init(err);
	return bf_claim_parse(p, len, name, NULL, 0, &none, ret, err);
}

static void the_header_of_a_jk_image_names_version_and_hardware(void **state)
{
	BF_AUTO(bf_claim) *c = NULL;
	uint8_t p[LEN];
	struct bf_err err;
	const struct bf_meta *m;

	(void)state;
	jk_image(p, "19.02", "JK_PB2A16S20P");
	assert_int_equal(parse(p, LEN, "fw.bin", &c, &err), BF_OK);
	m = bf_claim_meta(c);
	assert_int_equal(m->format, BF_FORMAT_JK);
	assert_true(m->has_version && m->has_hw && m->major_is_hardware && m->wants_newer);
	assert_int_equal(m->version.major, 19);
	assert_int_equal(m->version.minor, 2);
	assert_string_equal(m->hw, "JK_PB2A16S20P");
	assert_string_equal(m->note, "JK firmware 19.02 for JK_PB2A16S20P, built 2025-03-14 "
				     "10:11:12");
	assert_int_equal(c->n_segs, 1);
	assert_int_equal(c->segs[0].len, LEN);
}

/* One thing wrong makes it a raw binary, which wants an address: nothing is guessed. */
static void what_only_resembles_a_jk_image_is_raw(void **state)
{
	uint8_t p[LEN];
	struct bf_claim *c = NULL;
	struct bf_err err;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		jk_image(p, i == 0 ? "19.x" : "19.02", i == 1 ? "XK_1" : "JK_1");
		if (i == 2)
			p[4] = 0x44; /* not Thumb */
		if (i == 3)
			p[3] = 0x21; /* no RAM of the chip */
		assert_int_equal(parse(p, i == 4 ? 0x263 : LEN, "fw.bin", &c, &err), BF_E_IMAGE);
		assert_non_null(strstr(err.cause, "not a firmware file"));
	}
}

static void dashes_and_underscores_do_not_make_other_hardware(void **state)
{
	(void)state;
	assert_true(bf_hw_same("JK_PB2A16S20P", "JK-PB2A16S20P"));
	assert_true(bf_hw_same("JKPB2A16S20P_", "JK_PB2A16S20P"));
	assert_false(bf_hw_same("JK_PB2A16S20P", "JK_PB2A16S15P"));
	assert_false(bf_hw_same("JK_PB2A16S20P", "JK_PB2A16S20"));
	assert_true(bf_hw_same("", ""));
}

/* ---- VanMoof ---- */

/* Word by word, as the manual of the chip's CRC unit has it. */
static uint32_t crc_by_hand(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xFFFFFFFF;

	for (size_t i = 0; i < len; i += 4) {
		uint32_t word = bf_get_le32(p + i);

		for (int bit = 31; bit >= 0; bit--) {
			bool top = (crc >> 31 ^ word >> bit) & 1;

			crc = crc << 1 ^ (top ? 0x04C11DB7 : 0);
		}
	}
	return crc;
}

static void vanmoof_image(uint8_t p[LEN], size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 13);
	bf_put_le32(p, 0xAA55AA55);
	bf_put_le32(p + 4, 0x011701B1);
	memset(p + 8, 0xFF, 8);
	memset(p + 16, 0, 24);
	memcpy(p + 16, "Mar 14 2025", 11);
	memcpy(p + 28, "10:11:12", 8);
	bf_put_le32(p + 8, crc_by_hand(p, len));
	bf_put_le32(p + 12, (uint32_t)len);
}

static void the_header_of_a_vanmoof_image_is_checked(void **state)
{
	BF_AUTO(bf_claim) *c = NULL;
	uint8_t p[LEN];
	struct bf_err err;
	const struct bf_meta *m;

	(void)state;
	vanmoof_image(p, LEN);
	assert_int_equal(parse(p, LEN, "fw.bin", &c, &err), BF_OK);
	m = bf_claim_meta(c);
	assert_int_equal(m->format, BF_FORMAT_VANMOOF);
	assert_int_equal(m->version.major, 1);
	assert_int_equal(m->version.minor, 17);
	assert_int_equal(m->version.build, 1);
	assert_string_equal(m->hw, "VM13-147");
	assert_int_equal(c->segs[0].addr, 0x08005000);
	assert_string_equal(m->note, "VanMoof battery firmware 1.17.1, built Mar 14 2025 10:11:12");
	assert_int_equal(crc_by_hand((const uint8_t *)"\x78\x56\x34\x12", 4), 0xDF8A8A2B);
}

static void a_damaged_or_foreign_vanmoof_image_is_refused(void **state)
{
	static uint8_t p[24000];
	struct bf_claim *c = NULL;
	struct bf_err err;

	(void)state;
	vanmoof_image(p, LEN);
	p[1000] ^= 1;
	assert_int_equal(parse(p, LEN, "fw.bin", &c, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "checksum"));
	vanmoof_image(p, LEN);
	assert_int_equal(parse(p, LEN - 4, "fw.bin", &c, &err), BF_E_IMAGE);
	p[4] = 0xF4;
	assert_int_equal(parse(p, LEN, "fw.bin", &c, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "type F4"));
	/* the size that the pack takes for a bootloader */
	vanmoof_image(p, 20480);
	assert_int_equal(parse(p, 20480, "fw.bin", &c, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "bootloader"));
}

/* ---- the container ---- */

#ifdef BF_CONTAINER

static char *write_file(char path[64], const char *name, const void *p, size_t len)
{
	FILE *f;

	snprintf(path, 64, "/tmp/bf-maker-%d-%s", (int)getpid(), name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

static const char key_text[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

static void a_container_is_opened_with_the_key_that_its_owner_names(void **state)
{
	BF_AUTO(bf_claim) *c = NULL;
	BF_AUTO_MEM uint8_t *box = NULL, *inside = NULL;
	struct bf_claim_opts opts = { 0 };
	char key[64];
	struct bf_err err;
	size_t len, n;

	(void)state;
	bf_err_init(&err);
	box = data_file("jk/firmware.jkbms", &len);
	inside = data_file("jk/firmware.bin", &n);
	opts.container_key = write_file(key, "key", key_text, strlen(key_text));
	if (bf_claim_parse(box, len, "firmware.jkbms", NULL, 0, &opts, &c, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(c->len, n);
	assert_memory_equal(c->file, inside, n);
	assert_int_equal(bf_claim_meta(c)->version.minor, 42);
	unlink(key);
}

static void a_container_without_its_key_is_named_as_such(void **state)
{
	BF_AUTO_MEM uint8_t *box = NULL;
	struct bf_claim_opts opts = { 0 };
	struct bf_claim *c = NULL;
	char key[64];
	struct bf_err err;
	size_t len;

	(void)state;
	box = data_file("jk/firmware.jkbms", &len);
	bf_err_init(&err);
	assert_int_equal(parse(box, len, "firmware.jkbms", &c, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.likely[0], "container-key-file"));
	/* another key, and a file that holds none */
	opts.container_key = write_file(key, "other", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF", 32);
	bf_err_init(&err);
	assert_int_equal(bf_claim_parse(box, len, "firmware.JKBMS", NULL, 0, &opts, &c, &err),
			 BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "not opened"));
	unlink(key);
	opts.container_key = write_file(key, "none", "hello", 5);
	bf_err_init(&err);
	assert_int_equal(bf_claim_parse(box, len, "a.jkbms", NULL, 0, &opts, &c, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "holds no key"));
	unlink(key);
}

/* Every byte changed: refused, or whatever comes out is judged as any image. */
static void a_damaged_container_brings_nothing_down(void **state)
{
	BF_AUTO_MEM uint8_t *box = NULL;
	struct bf_claim_opts opts = { 0 };
	char key[64];
	size_t len;

	(void)state;
	box = data_file("jk/firmware.jkbms", &len);
	opts.container_key = write_file(key, "key", key_text, strlen(key_text));
	for (size_t i = 0; i < len; i += 7) {
		struct bf_claim *c = NULL;
		struct bf_err err;

		bf_err_init(&err);
		box[i] ^= 0x40;
		if (!bf_claim_parse(box, len, "a.jkbms", NULL, 0, &opts, &c, &err))
			bf_claim_free(c);
		box[i] ^= 0x40;
	}
	unlink(key);
}

static void a_time_limited_container_is_refused_when_its_time_is_over(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO_MEM uint8_t *box = NULL;
	struct bf_claim_opts opts = { .clock = clock };
	struct bf_claim *c = NULL;
	char key[64];
	struct bf_err err;
	size_t len;

	(void)state;
	box = data_file("jk/limited.jkbms", &len);
	opts.container_key = write_file(key, "key", key_text, strlen(key_text));
	bf_err_init(&err);
	assert_int_equal(bf_claim_parse(box, len, "limited.jkbms", NULL, 0, &opts, &c, &err),
			 BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "24 h"));
	unlink(key);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_of_a_jk_image_names_version_and_hardware),
		cmocka_unit_test(what_only_resembles_a_jk_image_is_raw),
		cmocka_unit_test(dashes_and_underscores_do_not_make_other_hardware),
		cmocka_unit_test(the_header_of_a_vanmoof_image_is_checked),
		cmocka_unit_test(a_damaged_or_foreign_vanmoof_image_is_refused),
#ifdef BF_CONTAINER
		cmocka_unit_test(a_container_is_opened_with_the_key_that_its_owner_names),
		cmocka_unit_test(a_container_without_its_key_is_named_as_such),
		cmocka_unit_test(a_damaged_container_brings_nothing_down),
		cmocka_unit_test(a_time_limited_container_is_refused_when_its_time_is_over),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
