/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "family/dfu/dfu_map.h"

static struct bf_dfu_map parse(const char *text)
{
	struct bf_dfu_map m;

	if (!bf_dfu_map_parse(text, &m))
		fail_msg("'%s' was not understood", text);
	return m;
}

static void an_stm32f4_has_sectors_of_three_sizes(void **state)
{
	struct bf_dfu_map m = parse("@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg");

	(void)state;
	assert_string_equal(m.name, "Internal Flash");
	assert_int_equal(m.n_runs, 3);
	assert_int_equal(m.runs[1].addr, 0x08010000);
	assert_int_equal(m.runs[1].size, 65536);
	assert_int_equal(m.runs[2].addr, 0x08020000);
	assert_int_equal(m.runs[2].count, 7);
	assert_int_equal(m.runs[2].access, BF_ACCESS_READ | BF_ACCESS_ERASE | BF_ACCESS_WRITE);
}

static void maps_of_real_loaders_are_understood(void **state)
{
	static const char *const texts[] = {
		"@Option Bytes  /0x1FFFC000/01*016 e",
		"@OTP Memory /0x1FFF7800/01*512 e,01*016 e",
		"@Device Feature/0xFFFF0000/01*004 e",
		"@Internal Flash   /0x08000000/8*02Ka,248*02Kg",
		"@Option Bytes   /0x1FFF7800/01*040 e/0x1FFFF800/01*040 e",
		"@SPI Flash: M25P64 /0x00000000/128*64Kg",
		"@Flash/0x0/1*1Mg ",
		"@x/0x0/3*7a",
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(texts); i++)
		(void)parse(texts[i]);
	assert_int_equal(parse(texts[1]).runs[1].addr, 0x1FFF7A00);
	assert_int_equal(parse(texts[4]).runs[1].addr, 0x1FFFF800);
	assert_int_equal(parse(texts[7]).runs[0].size, 7);
}

static void what_is_no_map_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"@",
		"@x",
		"@x/",
		"@x/0x",
		"@x/0x0",
		"@x/0x0/",
		"@x/0x0/1",
		"@x/0x0/1*",
		"@x/0x0/1*2K",
		"@x/0x0/1*2Kh",
		"@x/0/1*2Kg",
		"@x/0x100000000/1*2Kg",
		"@x/0x0/0*2Kg",
		"@x/0x0/1*0Kg",
		"@x/0xFFFFFFF0/1*16g",
		"@x/0x0/4294967295*4294967295Mg",
		"@x/0x0/99999999999*1Kg",
		"@x/0x80000000/2*1024Mg",
		"@x/0x0/-1*2Kg",
		"@x/0x0/1*4194304Mg",
		"MCUboot image",
		"image_0/image_1",
	};
	struct bf_dfu_map m;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(texts); i++) {
		if (bf_dfu_map_parse(texts[i], &m))
			fail_msg("'%s' was taken", texts[i]);
	}
}

/* What follows is cut off, or nothing that a map has. */
static void the_complete_sectors_of_a_map_are_kept(void **state)
{
	static const struct {
		const char *text;
		size_t runs;
	} maps[] = {
		{ "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*12", 2 }, /* of 128 */
		{ "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128K", 2 },
		{ "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,0", 2 },
		{ "@x/0x0/1*2Kg,", 1 },
		{ "@x/0x0/1*2Kg;", 1 },
		{ "@x/0x0/1*2Kg/", 1 },
		{ "@x/0x0/1*2Kg/0x", 1 },
		{ "@x/0x0/1*2Kg ok", 1 },
		{ "@x/0x0/1*2Kg\xEF\xBF\xBD", 1 },
		{ "@x/0x0/2*1Kg/0x400/1*1Kg", 1 }, /* overlaps */
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(maps); i++) {
		struct bf_dfu_map m = parse(maps[i].text);

		assert_int_equal(m.n_runs, maps[i].runs);
		assert_false(m.whole);
	}
}

static void maps_with_blanks_and_letters_of_either_case_are_understood(void **state)
{
	static const char *const texts[] = {
		"@Internal Flash/0x08000000/04*016kg,01*064kg",
		"@Internal Flash /0x08000000/04*016Kg, 01*064Kg",
		"@Internal Flash /0x08000000/04*016 Kg,01*064 Kg",
		"@Internal Flash / 0x08000000 / 04*016Kg,01*064Kg",
		"@Internal/External Flash /0x08000000/04*016Kg,01*064Kg",
		"@Internal Flash /0X08000000/04*016KG,01*064KG",
		"Internal Flash /0x08000000/04*016Kg,01*064Kg",
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(texts); i++) {
		struct bf_dfu_map m = parse(texts[i]);

		assert_int_equal(m.n_runs, 2);
		assert_true(m.whole);
		assert_int_equal(m.runs[1].addr, 0x08010000);
		assert_int_equal(m.runs[1].size, 64 << 10);
		assert_int_equal(m.runs[1].access, 7);
	}
	assert_string_equal(parse(texts[4]).name, "Internal/External Flash");
}

static void sectors_are_found_by_any_of_their_bytes(void **state)
{
	struct bf_dfu_map m = parse("@x/0x1000/2*1Ka,1*4Kg");
	struct bf_dfu_sectors s;

	(void)state;
	assert_false(bf_dfu_map_sector(&m, 0xFFF, &s));
	assert_true(bf_dfu_map_sector(&m, 0x17FF, &s));
	assert_int_equal(s.addr, 0x1400);
	assert_int_equal(s.size, 1024);
	assert_true(bf_dfu_map_sector(&m, 0x27FF, &s));
	assert_int_equal(s.addr, 0x1800);
	assert_false(bf_dfu_map_sector(&m, 0x2800, &s));
}

static void a_range_is_covered_only_with_the_access_asked_for(void **state)
{
	struct bf_dfu_map m = parse("@x/0x1000/2*1Ka,1*4Kg/0x8000/1*1Kg");

	(void)state;
	assert_true(bf_dfu_map_covers(&m, 0x1000, 0x1800, BF_ACCESS_READ));
	assert_false(bf_dfu_map_covers(&m, 0x1000, 0x1801, BF_ACCESS_READ));
	assert_false(bf_dfu_map_covers(&m, 0x17FF, 2, BF_ACCESS_WRITE));
	assert_true(bf_dfu_map_covers(&m, 0x1800, 0x1000, BF_ACCESS_WRITE | BF_ACCESS_ERASE));
	assert_true(bf_dfu_map_covers(&m, 0x8000, 0x400, BF_ACCESS_WRITE));
	assert_false(bf_dfu_map_covers(&m, 0xFFFFFFFF, 0xFFFFFFFF, BF_ACCESS_READ));
}

static void neighbours_with_the_same_access_are_one_region(void **state)
{
	struct bf_dfu_map m = parse("@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg");
	struct bf_region r[4];

	(void)state;
	assert_int_equal(bf_dfu_map_regions(&m, 3, r, 4), 1);
	assert_string_equal(r[0].name, "Internal Flash");
	assert_int_equal(r[0].kind, BF_REGION_APP);
	assert_int_equal(r[0].size, 1 << 20);
	assert_int_equal(r[0].erase_unit, 128 << 10);
	assert_int_equal(r[0].alt, 3);
}

static void a_region_lists_its_sectors_of_several_sizes(void **state)
{
	struct bf_dfu_map m = parse("@Flash/0x08000000/04*016Kg,01*064Kg,07*128Kg");
	struct bf_region r[2];

	(void)state;
	assert_int_equal(bf_dfu_map_regions(&m, 0, r, 2), 1);
	assert_int_equal(r[0].n_runs, 3);
	assert_int_equal(r[0].sectors[0].count, 4);
	assert_int_equal(r[0].sectors[1].addr, 0x08010000);
	assert_int_equal(r[0].sectors[1].size, 64 << 10);
	assert_int_equal(r[0].sectors[2].addr, 0x08020000);
	assert_int_equal(r[0].sectors[2].count, 7);
}

static void a_region_of_the_profile_gets_the_sectors_that_lie_in_it(void **state)
{
	struct bf_dfu_map m = parse("@Flash/0x08000000/04*016Kg,01*064Kg,07*128Kg");
	struct bf_region r = { .addr = 0x0800C000, .size = 0x34000 };

	(void)state;
	bf_dfu_map_cut(&m, &r);
	assert_int_equal(r.n_runs, 3);
	assert_int_equal(r.sectors[0].addr, 0x0800C000);
	assert_int_equal(r.sectors[0].count, 1);
	assert_int_equal(r.sectors[2].addr, 0x08020000);
	assert_int_equal(r.sectors[2].count, 1);
	/* Drawn through a sector: it cannot be erased without the neighbour's bytes. */
	r = (struct bf_region){ .addr = 0x08002000, .size = 0xA000 };
	bf_dfu_map_cut(&m, &r);
	assert_int_equal(r.n_runs, 1);
	assert_int_equal(r.sectors[0].addr, 0x08004000);
	assert_int_equal(r.sectors[0].count, 2);
}

static void a_huge_map_costs_nothing(void **state)
{
	struct bf_dfu_map m = parse("@x/0x0/2000000000*1g,1000000*2g");
	struct bf_region r[2];

	(void)state;
	assert_int_equal(bf_dfu_map_regions(&m, 0, r, 2), 1);
	assert_int_equal(r[0].erase_unit, 2);
}

static void what_cannot_be_erased_is_offered_for_reading_only(void **state)
{
	struct bf_dfu_map m = parse("@OTP Memory /0x1FFF7800/01*512 e,01*016 a,01*016 g");
	struct bf_region r[4];

	(void)state;
	assert_int_equal(bf_dfu_map_regions(&m, 2, r, 4), 3);
	assert_int_equal(r[0].kind, BF_REGION_OTHER);
	assert_int_equal(r[0].access, BF_ACCESS_READ);
	assert_string_equal(r[1].name, "OTP Memory 2");
	assert_int_equal(r[2].kind, BF_REGION_APP);
	assert_int_equal(bf_dfu_map_regions(&m, 2, r, 2), 2);
}

static void what_cannot_be_erased_is_no_part_of_a_region_that_is_written(void **state)
{
	struct bf_dfu_map m = parse("@Flash/0x08000000/2*16Ka,2*16Kg");
	struct bf_region r = { .addr = 0x08000000, .size = 0x10000 };

	(void)state;
	bf_dfu_map_cut(&m, &r);
	assert_int_equal(r.n_runs, 1);
	assert_int_equal(r.sectors[0].addr, 0x08008000);
	assert_int_equal(r.sectors[0].count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_stm32f4_has_sectors_of_three_sizes),
		cmocka_unit_test(maps_of_real_loaders_are_understood),
		cmocka_unit_test(what_is_no_map_is_none),
		cmocka_unit_test(the_complete_sectors_of_a_map_are_kept),
		cmocka_unit_test(maps_with_blanks_and_letters_of_either_case_are_understood),
		cmocka_unit_test(sectors_are_found_by_any_of_their_bytes),
		cmocka_unit_test(a_range_is_covered_only_with_the_access_asked_for),
		cmocka_unit_test(neighbours_with_the_same_access_are_one_region),
		cmocka_unit_test(a_region_lists_its_sectors_of_several_sizes),
		cmocka_unit_test(a_region_of_the_profile_gets_the_sectors_that_lie_in_it),
		cmocka_unit_test(a_huge_map_costs_nothing),
		cmocka_unit_test(what_cannot_be_erased_is_offered_for_reading_only),
		cmocka_unit_test(what_cannot_be_erased_is_no_part_of_a_region_that_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
