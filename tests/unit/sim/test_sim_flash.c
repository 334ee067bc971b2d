/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "flash.h"

static const uint8_t word[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static int setup(void **state)
{
	struct bf_flash *f = malloc(sizeof(*f));

	bf_flash_init(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	bf_flash_done(*state);
	free(*state);
	return 0;
}

static void work_takes_the_time_of_the_data_sheet(void **state)
{
	struct bf_flash *f = *state;

	assert_true(bf_flash_erase(f, BF_FLASH_BASE));
	assert_int_equal(bf_flash_take_time(f), 22000);
	assert_true(bf_flash_program(f, BF_FLASH_BASE, word));
	assert_int_equal(bf_flash_take_time(f), 82);
	assert_int_equal(bf_flash_take_time(f), 0);
	assert_int_equal(f->ops, 2);
}

static void a_double_word_is_programmed_once(void **state)
{
	struct bf_flash *f = *state;

	assert_true(bf_flash_program(f, BF_FLASH_BASE + 8, word));
	assert_false(bf_flash_program(f, BF_FLASH_BASE + 8, word));
	assert_true(bf_flash_erase(f, BF_FLASH_BASE));
	assert_true(bf_flash_program(f, BF_FLASH_BASE + 8, word));
}

static void programming_nothing_but_ff_changes_nothing(void **state)
{
	struct bf_flash *f = *state;
	const uint8_t ff[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };

	assert_true(bf_flash_program(f, BF_FLASH_BASE, ff));
	assert_int_equal(f->ops, 0);
	assert_true(bf_flash_program(f, BF_FLASH_BASE, word));
	assert_false(bf_flash_program(f, BF_FLASH_BASE, ff));
}

static void crooked_and_foreign_addresses_are_refused(void **state)
{
	struct bf_flash *f = *state;

	assert_false(bf_flash_program(f, BF_FLASH_BASE + 4, word));
	assert_false(bf_flash_program(f, BF_FLASH_BASE + BF_FLASH_SIZE, word));
	assert_false(bf_flash_program(f, 0, word));
	assert_false(bf_flash_erase(f, BF_FLASH_BASE + 8));
	assert_false(bf_flash_erase(f, BF_FLASH_BASE + BF_FLASH_SIZE));
	assert_false(bf_flash_inside(0xFFFFFFFF, 2));
	assert_false(bf_flash_inside(BF_FLASH_BASE, SIZE_MAX));
	assert_int_equal(f->ops, 0);
}

static void a_short_last_double_word_is_filled_up(void **state)
{
	struct bf_flash *f = *state;

	assert_true(bf_flash_write(f, BF_FLASH_BASE, (const uint8_t *)"0123456789", 10));
	assert_memory_equal(bf_flash_at(f, BF_FLASH_BASE), "0123456789\xFF\xFF", 12);
	assert_int_equal(f->ops, 2);
}

static void a_cut_leaves_every_byte_of_a_page_half_erased_and_nothing_works_after_it(void **state)
{
	struct bf_flash *f = *state;
	uint8_t page[BF_FLASH_PAGE];

	memset(page, 0, sizeof(page));
	bf_flash_preload(f, BF_FLASH_BASE, page, sizeof(page));
	f->cut_at = 1;
	assert_false(bf_flash_erase(f, BF_FLASH_BASE));
	assert_true(f->dead);
	for (size_t i = 0; i < BF_FLASH_PAGE; i++)
		assert_int_equal(bf_flash_at(f, BF_FLASH_BASE)[i], 0x55);
	assert_false(bf_flash_program(f, BF_FLASH_BASE + BF_FLASH_PAGE, word));
	assert_int_equal(f->ops, 1);
}

static void a_cut_tears_a_double_word_in_every_way(void **state)
{
	struct bf_flash *f = *state;
	const uint8_t *p = bf_flash_at(f, BF_FLASH_BASE);

	for (uint64_t op = 1; op <= 3; op++) {
		uint32_t at = (uint32_t)(op * 8);

		f->cut_at = op;
		assert_false(bf_flash_program(f, BF_FLASH_BASE + at, word));
		assert_memory_not_equal(p + at, word, 8);
		f->dead = false;
	}
	assert_memory_equal(p + 8, "\1\2\3\4\xFF\xFF\xFF\xFF", 8);
	assert_true(bf_flash_blank(f, BF_FLASH_BASE + 24, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(work_takes_the_time_of_the_data_sheet),
		T(a_double_word_is_programmed_once),
		T(programming_nothing_but_ff_changes_nothing),
		T(crooked_and_foreign_addresses_are_refused),
		T(a_short_last_double_word_is_filled_up),
		T(a_cut_leaves_every_byte_of_a_page_half_erased_and_nothing_works_after_it),
		T(a_cut_tears_a_double_word_in_every_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
