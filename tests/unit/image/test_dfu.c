/* SPDX-License-Identifier: MIT */
#include "made.h"

#include "bmsflash/crc.h"
#include "image/image_priv.h"

struct dfu {
	uint8_t bytes[8192];
	struct bf_out o;
};

static void start(struct dfu *d)
{
	d->o = bf_out(d->bytes, sizeof(d->bytes));
}

static void suffix(struct dfu *d)
{
	bf_out_bytes(&d->o, "\x00\x02\x11\xDF\x83\x04\x1A\x01UFD\x10", 12);
	bf_out_le32(&d->o, bf_crc(&bf_crc32_dfu, d->bytes, d->o.len));
}

static void dfuse_prefix(struct dfu *d, uint8_t targets)
{
	start(d);
	bf_out_bytes(&d->o, "DfuSe\1", 6);
	bf_out_le32(&d->o, 0);
	bf_out_u8(&d->o, targets);
}

static void target(struct dfu *d, uint8_t alt, uint32_t size, uint32_t n)
{
	static const uint8_t name[255] = "ST...";

	bf_out_bytes(&d->o, "Target", 6);
	bf_out_u8(&d->o, alt);
	bf_out_le32(&d->o, 1);
	bf_out_bytes(&d->o, name, sizeof(name));
	bf_out_le32(&d->o, size);
	bf_out_le32(&d->o, n);
}

static void element(struct dfu *d, uint32_t addr, const char *text)
{
	bf_out_le32(&d->o, addr);
	bf_out_le32(&d->o, (uint32_t)strlen(text));
	bf_out_bytes(&d->o, text, strlen(text));
}

static void dfuse_end(struct dfu *d)
{
	bf_put_le32(d->bytes + 6, (uint32_t)d->o.len);
	suffix(d);
}

static enum bf_rc parsed(const struct dfu *d, struct bf_claim **ret, struct bf_err *err)
{
	const struct bf_claim_opts opts = { 0 };

	return bf_claim_parse(d->bytes, d->o.len, "app.dfu", NULL, 0, &opts, ret, err);
}

static struct bf_claim *taken(const struct dfu *d)
{
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };

	if (parsed(d, &claim, &err))
		fail_msg("%s", err.cause);
	return claim;
}

static void dfu_refused(const struct dfu *d, const char *words)
{
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };

	assert_int_equal(parsed(d, &claim, &err), BF_E_IMAGE);
	if (!strstr(err.cause, words))
		fail_msg("cause '%s' lacks '%s'", err.cause, words);
}

static void the_suffix_is_cut_off_and_read(void **state)
{
	BF_AUTO(bf_claim) *c = NULL;
	struct dfu d;

	(void)state;
	start(&d);
	bf_out_bytes(&d.o, "firmware", 8);
	suffix(&d);
	c = taken(&d);
	assert_int_equal(c->meta.format, BF_FORMAT_DFU);
	assert_int_equal(c->n_segs, 1);
	assert_int_equal(c->segs[0].len, 8);
	assert_int_equal(c->meta.usb_vid, 0x0483);
	assert_int_equal(c->meta.usb_pid, 0xDF11);
}

/* DFU 1.1 has no addresses: the device knows, or the user says. */
static void an_address_may_be_given_for_plain_dfu(void **state)
{
	const struct bf_claim_opts opts = { .has_addr = true, .addr = 0x08004000 },
				   high = { .has_addr = true, .addr = 0xFFFFFFFF };
	BF_AUTO(bf_claim) *c = NULL;
	struct bf_claim *none = NULL;
	struct bf_err err = { 0 };
	struct dfu d;

	(void)state;
	start(&d);
	bf_out_bytes(&d.o, "firmware", 8);
	suffix(&d);
	assert_int_equal(bf_claim_parse(d.bytes, d.o.len, "a.dfu", NULL, 0, &opts, &c, &err),
			 BF_OK);
	assert_int_equal(c->segs[0].addr, 0x08004000);
	assert_int_equal(bf_claim_parse(d.bytes, d.o.len, "a.dfu", NULL, 0, &high, &none, &err),
			 BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "32-bit address space"));
}

static void a_suffix_of_impossible_length_is_refused(void **state)
{
	struct dfu d;

	(void)state;
	start(&d);
	bf_out_bytes(&d.o, "firmware", 8);
	bf_out_bytes(&d.o, "\x00\x02\x11\xDF\x83\x04\x1A\x01UFD\x40", 12);
	bf_out_le32(&d.o, bf_crc(&bf_crc32_dfu, d.bytes, d.o.len));
	dfu_refused(&d, "length 64 of the DFU suffix at offset 0x13");
}

static void a_damaged_file_fails_its_crc(void **state)
{
	struct dfu d;

	(void)state;
	start(&d);
	bf_out_bytes(&d.o, "firmware", 8);
	suffix(&d);
	d.bytes[3] ^= 1;
	dfu_refused(&d, "its DFU suffix says CRC");
}

static void an_mcuboot_image_inside_keeps_its_signature(void **state)
{
	struct made m = { 0 };
	struct dfu d;

	(void)state;
	make(&m);
	start(&d);
	bf_out_bytes(&d.o, m.bytes, m.len);
	suffix(&d);
	made_verdict(d.bytes, d.o.len, BF_OK, NULL);
	made_verdict(d.bytes, d.o.len - 1, BF_E_IMAGE, "neither erased flash");
}

static void the_suffix_around_an_mcuboot_image_proves_nothing(void **state)
{
	BF_AUTO(bf_claim) *c = NULL;
	struct made m = { 0 };
	struct dfu d;

	(void)state;
	make(&m);
	start(&d);
	bf_out_bytes(&d.o, m.bytes, m.len);
	suffix(&d);
	c = taken(&d);
	assert_true(c->meta.mcuboot);
	assert_int_equal(c->meta.usb_vid, 0xFFFF);
	assert_int_equal(c->meta.usb_pid, 0xFFFF);
	assert_int_equal(c->meta.container_usb_vid, 0x0483);
	assert_int_equal(c->meta.container_usb_pid, 0xDF11);
	assert_false(c->meta.container_has_addr);
}

static void the_target_around_an_mcuboot_image_chooses_no_place(void **state)
{
	BF_AUTO(bf_claim) *c = NULL;
	struct made m = { 0 };
	struct dfu d;

	(void)state;
	make(&m);
	dfuse_prefix(&d, 1);
	target(&d, 3, (uint32_t)(8 + m.len), 1);
	bf_out_le32(&d.o, 0x08010800);
	bf_out_le32(&d.o, (uint32_t)m.len);
	bf_out_bytes(&d.o, m.bytes, m.len);
	dfuse_end(&d);
	c = taken(&d);
	assert_true(c->meta.mcuboot);
	assert_int_equal(c->segs[0].addr, 0);
	assert_int_equal(c->segs[0].alt, 0);
	assert_true(c->meta.container_has_addr && c->meta.container_has_alt);
	assert_int_equal(c->meta.container_addr, 0x08010800);
	assert_int_equal(c->meta.container_alt, 3);
	assert_int_equal(c->meta.usb_vid, 0xFFFF);
}

static void dfuse_targets_and_elements_become_segments(void **state)
{
	BF_AUTO(bf_claim) *c = NULL;
	struct dfu d;

	(void)state;
	dfuse_prefix(&d, 2);
	target(&d, 1, 12, 1);
	element(&d, 0x08000000, "four");
	target(&d, 0, 8 + 3 + 8 + 2 + 8 + 1, 3);
	element(&d, 0x08010000, "xyz");
	element(&d, 0x08000000, "ab");
	element(&d, 0x08000002, "c");
	dfuse_end(&d);
	c = taken(&d);
	assert_int_equal(c->meta.format, BF_FORMAT_DFUSE);
	assert_int_equal(c->n_segs, 3);
	assert_memory_equal(c->segs[0].data, "abc", 3);
	assert_int_equal(c->segs[1].addr, 0x08010000);
	assert_int_equal(c->segs[2].alt, 1);
	assert_int_equal(c->segs[2].len, 4);
}

static void one_target(struct dfu *d, uint32_t size, uint32_t n)
{
	dfuse_prefix(d, 1);
	target(d, 0, size, n);
	element(d, 0x08000000, "four");
}

static void wrong_counts_and_sizes_are_refused(void **state)
{
	struct dfu d;

	(void)state;
	one_target(&d, 12, 2);
	dfuse_end(&d);
	dfu_refused(&d, "an element at offset 0x129 does not fit");
	one_target(&d, 12, 0);
	dfuse_end(&d);
	dfu_refused(&d, "12 bytes behind its 0 elements");
	one_target(&d, 13, 1);
	dfuse_end(&d);
	dfu_refused(&d, "a target at offset 0xb does not fit");
	one_target(&d, 12, 1);
	bf_out_u8(&d.o, 0);
	dfuse_end(&d);
	dfu_refused(&d, "1 bytes follow the last DfuSe target");
	one_target(&d, 12, 1);
	suffix(&d);
	dfu_refused(&d, "the DfuSe prefix says 0 bytes");
	one_target(&d, 12, 1);
	dfu_refused(&d, "no DFU suffix");
	one_target(&d, 12, 1);
	d.bytes[5] = 2;
	dfuse_end(&d);
	dfu_refused(&d, "DfuSe version 2");
	one_target(&d, 12, 1);
	d.bytes[11] = 't';
	dfuse_end(&d);
	dfu_refused(&d, "no \"Target\" at offset 0xb");
	dfuse_prefix(&d, 0);
	dfuse_end(&d);
	dfu_refused(&d, "holds no data");
}

static void overlapping_elements_are_refused(void **state)
{
	struct dfu d;

	(void)state;
	dfuse_prefix(&d, 1);
	target(&d, 0, 8 + 4 + 8 + 2, 2);
	element(&d, 0x08000000, "four");
	element(&d, 0x08000002, "ab");
	dfuse_end(&d);
	dfu_refused(&d, "address 0x08000002 is given twice");
	dfuse_prefix(&d, 1);
	target(&d, 0, 8 + 4, 1);
	element(&d, 0xFFFFFFFE, "four");
	dfuse_end(&d);
	dfu_refused(&d, "past the end of the 32-bit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_suffix_is_cut_off_and_read),
		cmocka_unit_test(an_address_may_be_given_for_plain_dfu),
		cmocka_unit_test(a_suffix_of_impossible_length_is_refused),
		cmocka_unit_test(a_damaged_file_fails_its_crc),
		cmocka_unit_test(an_mcuboot_image_inside_keeps_its_signature),
		cmocka_unit_test(the_suffix_around_an_mcuboot_image_proves_nothing),
		cmocka_unit_test(the_target_around_an_mcuboot_image_chooses_no_place),
		cmocka_unit_test(dfuse_targets_and_elements_become_segments),
		cmocka_unit_test(wrong_counts_and_sizes_are_refused),
		cmocka_unit_test(overlapping_elements_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
