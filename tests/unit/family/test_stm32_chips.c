/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "family/stm32/stm32_chips.h"

static void every_row_can_be_named_and_cut_into_sectors(void **state)
{
	const struct bf_stm32_chip *c;

	(void)state;
	for (size_t i = 0; (c = bf_stm32_chip_at(i)) != NULL; i++) {
		const struct bf_stm32_layout *both[] = { c->one, c->two };

		assert_ptr_equal(bf_stm32_chip_by_key(c->key), c);
		assert_true(!c->pid || bf_stm32_chip_by_pid(c->pid) == c);
		assert_int_equal(c->flash_base, 0x08000000);
		assert_true(c->flash_size >= 16384 && c->flash_size <= 4u << 20);
		assert_int_equal(c->write_unit & (c->write_unit - 1), 0);
		assert_true(c->write_unit >= 4 && c->write_unit <= 32);
		assert_int_equal(c->block % c->write_unit, 0);
		assert_true(!!c->two == !!(c->traps & BF_STM32_TWO_LAYOUTS));
		for (size_t k = 0; k < 2; k++) {
			uint32_t size = 0;

			for (size_t r = 0; both[k] && r < BF_STM32_RUNS && both[k]->runs[r].size;
			     r++) {
				const struct bf_stm32_run *run = &both[k]->runs[r];

				size += run->size * run->count;
				assert_true(size <= c->flash_size);
			}
		}
	}
}

static void numbers_of_sectors_go_on_in_the_second_bank(void **state)
{
	const struct bf_stm32_chip *c = bf_stm32_chip_by_pid(0x419);

	(void)state;
	assert_int_equal(c->two->runs[3].first, 12);
	assert_int_equal(c->two->runs[5].first, 17);
}

static void identifiers_of_nobody_have_no_row(void **state)
{
	(void)state;
	assert_null(bf_stm32_chip_by_pid(0));
	assert_null(bf_stm32_chip_by_pid(0x999));
	assert_null(bf_stm32_chip_by_key("f999"));
}

static void chips_with_another_protocol_are_known_by_name(void **state)
{
	(void)state;
	assert_non_null(bf_stm32_foreign("CH32V103"));
	assert_non_null(bf_stm32_foreign("hc32l130"));
	assert_null(bf_stm32_foreign("f103"));
	assert_null(bf_stm32_foreign(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_can_be_named_and_cut_into_sectors),
		cmocka_unit_test(numbers_of_sectors_go_on_in_the_second_bank),
		cmocka_unit_test(identifiers_of_nobody_have_no_row),
		cmocka_unit_test(chips_with_another_protocol_are_known_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
