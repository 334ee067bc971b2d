/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/profile.h"

static void becomes(const char *text, const struct bf_template_values *v, const char *hex)
{
	uint8_t bytes[64];
	struct bf_out o = bf_out(bytes, sizeof(bytes));
	char got[129];

	assert_null(bf_template_fault(text));
	bf_template_put(text, v, &o);
	assert_false(o.failed);
	assert_string_equal(bf_hex(got, sizeof(got), bytes, o.len), hex);
}

static void words_in_braces_become_bytes(void **state)
{
	const struct bf_template_values v = {
		.addr = 0x08010203,
		.size = 0x4567,
		.block = 3,
		.crc32 = 0xCBF43926,
		.crc16 = 0x29B1,
		.sum = 0x1DD,
		.wall_us = INT64_C(1798675199000000), /* 2026-12-30 23:59:59 UTC */
	};

	(void)state;
	becomes("", &v, "");
	becomes("44 {addr:4} {size:4}", &v, "440801020300004567");
	becomes("44{addr}{size}{crc32}", &v, "440801020300004567cbf43926");
	becomes("{size:2} {size:3}", &v, "4567004567");
	becomes("01 {block} 00 04 {sum}", &v, "01030004000001dd");
	becomes("{block:2}", &v, "0003");
	becomes("{crc16} {crc16:4}", &v, "29b1000029b1");
	becomes("{date:bcd3} {serial:7}", &v, "261230424d53464c5348");
	becomes("{date:bcd4}{serial:9}", &v, "20261230424d53464c53482020");
	becomes("a5 F0 5a", &v, "a5f05a");
}

static void numbers_may_be_little_endian(void **state)
{
	const struct bf_template_values v = { .addr = 0x08010203,
					      .crc32 = 0x11223344,
					      .little = true };

	(void)state;
	becomes("31 {addr} {crc32}", &v, "310302010844332211");
}

static void what_is_no_template_is_told_why(void **state)
{
	static const char *const bad[] = { "4",           "4g",          "{addr",
					   "{address}",   "{addr:5}",    "{addr:0}",
					   "{addr:}x",    "{crc32:2}",   "{date}",
					   "{date:bcd5}", "{serial:33}", "{addr:99999999999}",
					   "44 }",        "\"44\"" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		if (!bf_template_fault(bad[i]))
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void a_template_too_long_for_its_place_shows(void **state)
{
	const struct bf_template_values v = { .addr = 1 };
	uint8_t bytes[3];
	struct bf_out o = bf_out(bytes, sizeof(bytes));

	(void)state;
	bf_template_put("{addr}", &v, &o);
	assert_true(o.failed);
}

static void patterns_fit_beginnings(void **state)
{
	static const uint8_t answer[] = { 0x71, 0x01, 0x02, 0x03, 0x00 };

	(void)state;
	assert_true(bf_pattern_fits("", answer, sizeof(answer)));
	assert_true(bf_pattern_fits("71 01 02 03", answer, sizeof(answer)));
	assert_true(bf_pattern_fits("71 .. 02 03 00", answer, sizeof(answer)));
	assert_false(bf_pattern_fits("71 01 02 03 01", answer, sizeof(answer)));
	assert_false(bf_pattern_fits("71 01 02 03 00 ..", answer, sizeof(answer)));
	assert_null(bf_pattern_fault("71 .. 02"));
	assert_non_null(bf_pattern_fault("71 . 02"));
	assert_non_null(bf_pattern_fault("{addr}"));
}

/* The check values of the catalogue of parametrised CRCs, over "123456789". */
static void each_crc16_has_its_check_value(void **state)
{
	static const uint16_t want[] = {
		[BF_CRC16_CCITT_FALSE] = 0x29B1, [BF_CRC16_XMODEM] = 0x31C3,
		[BF_CRC16_X25] = 0x906E,         [BF_CRC16_MODBUS] = 0x4B37,
		[BF_CRC16_KERMIT] = 0x2189,
	};

	(void)state;
	assert_int_equal(BF_COUNT(want), BF_CRC16_KIND_COUNT);
	for (size_t i = 0; i < BF_COUNT(want); i++)
		assert_int_equal(bf_crc16((enum bf_crc16_kind)i, (const uint8_t *)"123456789", 9),
				 want[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_in_braces_become_bytes),
		cmocka_unit_test(numbers_may_be_little_endian),
		cmocka_unit_test(what_is_no_template_is_told_why),
		cmocka_unit_test(a_template_too_long_for_its_place_shows),
		cmocka_unit_test(patterns_fit_beginnings),
		cmocka_unit_test(each_crc16_has_its_check_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
