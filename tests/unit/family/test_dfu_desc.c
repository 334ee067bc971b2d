/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "family/dfu/dfu_desc.h"

#define CONFIG              9, 2, 0, 0, 1, 1, 0, 0x80, 50
#define DFU(alt, proto)     9, 4, 2, (alt), 0, 0xFE, 1, (proto), (uint8_t)((alt) + 4)
#define HID                 9, 4, 0, 0, 1, 3, 0, 0, 0, 9, 0x21, 0x11, 1, 0, 1, 0x22, 52, 0
#define FUNCTIONAL(at, len) 9, 0x21, (at), 0xFF, 0, (len)&0xFF, (len) >> 8, 0x1A, 1

static struct bf_dfu_desc parse(const uint8_t *p, size_t len)
{
	struct bf_dfu_desc d;

	assert_true(bf_dfu_desc_parse(p, len, &d));
	return d;
}

static void a_rom_loader_shows_its_alternate_settings(void **state)
{
	static const uint8_t raw[] = { CONFIG, DFU(0, 2), DFU(1, 2), DFU(2, 2),
				       FUNCTIONAL(0x0B, 2048) };
	struct bf_dfu_desc d = parse(raw, sizeof(raw));

	(void)state;
	assert_int_equal(d.mode, BF_DFU_LOADER);
	assert_int_equal(d.interface, 2);
	assert_int_equal(d.n_alts, 3);
	assert_int_equal(d.alts[2].setting, 2);
	assert_int_equal(d.alts[2].string, 6);
	assert_int_equal(d.attributes, 0x0B);
	assert_int_equal(d.detach_ms, 255);
	assert_int_equal(d.transfer, 2048);
	assert_int_equal(d.version, BF_DFU_VERSION_DFUSE);
}

static void an_application_may_have_other_interfaces(void **state)
{
	static const uint8_t raw[] = { CONFIG, HID, DFU(0, 1), FUNCTIONAL(0x0D, 64), HID };
	struct bf_dfu_desc d = parse(raw, sizeof(raw));

	(void)state;
	assert_int_equal(d.mode, BF_DFU_RUNTIME);
	assert_int_equal(d.n_alts, 1);
	assert_int_equal(d.attributes, 0x0D);
	assert_int_equal(d.transfer, 64);
}

static void no_dfu_interface_is_no_damage(void **state)
{
	static const uint8_t raw[] = { CONFIG, HID };

	(void)state;
	assert_int_equal(parse(raw, sizeof(raw)).mode, BF_DFU_ABSENT);
	assert_int_equal(parse(raw, 0).mode, BF_DFU_ABSENT);
}

static void a_hid_descriptor_is_not_taken_for_the_functional_one(void **state)
{
	static const uint8_t raw[] = { CONFIG, DFU(0, 1), HID };
	struct bf_dfu_desc d = parse(raw, sizeof(raw));

	(void)state;
	assert_false(d.functional);
	assert_int_equal(d.transfer, BF_DFU_TRANSFER_UNSAID);
}

static void version_1_0_has_no_version_field(void **state)
{
	static const uint8_t raw[] = { CONFIG, DFU(0, 2), 7, 0x21, 1, 0, 1, 0, 4 };
	struct bf_dfu_desc d = parse(raw, sizeof(raw));

	(void)state;
	assert_int_equal(d.version, 0x0100);
	assert_int_equal(d.transfer, 1024);
}

static void a_transfer_size_of_zero_is_replaced(void **state)
{
	static const uint8_t raw[] = { CONFIG, DFU(0, 2), FUNCTIONAL(1, 0) };

	(void)state;
	assert_int_equal(parse(raw, sizeof(raw)).transfer, 64);
}

static void more_alternate_settings_than_fit_are_left_out(void **state)
{
	uint8_t raw[9 * 20] = { CONFIG };
	static const uint8_t functional[] = { FUNCTIONAL(3, 64) };
	struct bf_dfu_desc d;

	(void)state;
	for (uint8_t i = 0; i < 18; i++) {
		const uint8_t one[] = { DFU(i, 2) };

		memcpy(raw + 9 + 9 * i, one, sizeof(one));
	}
	memcpy(raw + 9 * 19, functional, sizeof(functional));
	d = parse(raw, sizeof(raw));
	assert_int_equal(d.n_alts, BF_DFU_ALTS);
	assert_int_equal(d.transfer, 64);
}

static void damaged_lengths_are_refused(void **state)
{
	static const uint8_t zero[] = { CONFIG, 0, 4, 0 };
	static const uint8_t one[] = { CONFIG, 1 };
	static const uint8_t tiny[] = { CONFIG, 4, 4, 0, 0 };
	static const uint8_t whole[] = { CONFIG, HID, DFU(0, 2), FUNCTIONAL(1, 64) };
	struct bf_dfu_desc d;

	(void)state;
	assert_false(bf_dfu_desc_parse(zero, sizeof(zero), &d));
	assert_false(bf_dfu_desc_parse(one, sizeof(one), &d));
	assert_false(bf_dfu_desc_parse(tiny, sizeof(tiny), &d));
	for (size_t len = 1; len < sizeof(whole); len++) {
		BF_AUTO_MEM uint8_t *exact = malloc(len); /* the sanitizer watches its end */

		assert_non_null(exact);
		memcpy(exact, whole, len);
		if (len != 9 && len != 18 && len != 27 && len != 36)
			assert_false(bf_dfu_desc_parse(exact, len, &d));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rom_loader_shows_its_alternate_settings),
		cmocka_unit_test(an_application_may_have_other_interfaces),
		cmocka_unit_test(no_dfu_interface_is_no_damage),
		cmocka_unit_test(a_hid_descriptor_is_not_taken_for_the_functional_one),
		cmocka_unit_test(version_1_0_has_no_version_field),
		cmocka_unit_test(a_transfer_size_of_zero_is_replaced),
		cmocka_unit_test(more_alternate_settings_than_fit_are_left_out),
		cmocka_unit_test(damaged_lengths_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
