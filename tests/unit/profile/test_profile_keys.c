/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>

#include "profile/keys.h"

static const struct bf_key_row *row(const char *section, const char *key)
{
	const struct bf_profile_section *family;
	size_t i;
	const struct bf_key_row *r = bf_key_find(section, key, &i, &family);

	assert_non_null(r);
	return r;
}

static void every_key_is_unique_and_has_help_without_full_stop(void **state)
{
	const struct bf_profile_section *family;
	struct bf_profile_key k;
	size_t i, found;

	(void)state;
	for (i = 0; bf_profile_key(i, &k); i++) {
		assert_ptr_equal(bf_key_find(k.section, k.key, &found, &family),
				 bf_key_row(i, &family));
		assert_int_equal(found, i);
		assert_true(strlen(k.help) > 3);
		assert_true(k.help[strlen(k.help) - 1] != '.');
		assert_true(k.allowed[0]);
	}
	assert_true(i <= BF_KEY_ROWS_MAX);
}

static void every_row_takes_its_own_default(void **state)
{
	union {
		struct bf_profile p;
		struct bf_region r;
		struct bf_quantity_map q;
		struct bf_step s;
		struct bf_periodic c;
	} base;
	const struct bf_profile_section *family;
	const struct bf_key_row *r;

	(void)state;
	for (size_t i = 0; (r = bf_key_row(i, &family)); i++) {
		memset(&base, 0, sizeof(base));
		assert_true(bf_key_set(r, &base, r->def));
	}
}

static void no_row_takes_a_value_with_something_after_it(void **state)
{
	struct bf_profile p = { 0 }, was = { 0 };
	const struct bf_profile_section *family;
	const struct bf_key_row *r;
	char text[200];

	(void)state;
	for (size_t i = 0; (r = bf_key_row(i, &family)); i++) {
		if (r->kind == BF_VALUE_TEXT || r->kind == BF_VALUE_PATH)
			continue;
		snprintf(text, sizeof(text), "%s %%", r->def);
		assert_false(bf_key_set(r, &p, text));
		assert_memory_equal(&p, &was, sizeof(p));
	}
}

static void numbers_are_whole_words_in_range(void **state)
{
	static const char *const bad[] = { "",
					   " 5",
					   "5 ",
					   "-1",
					   "+1",
					   "1k",
					   "0x",
					   "0x1g",
					   "1.0",
					   "256",
					   "0x100",
					   "1e2",
					   "99999999999999999999",
					   "0X11",
					   "0x-1",
					   "4294967296",
					   "0b1" };
	const struct bf_key_row *r = row("rs485", "node");
	struct bf_profile p = { .node = 7 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++)
		assert_false(bf_key_set(r, &p, bad[i]));
	assert_int_equal(p.node, 7);
	assert_true(bf_key_set(r, &p, "010"));
	assert_int_equal(p.node, 10);
	assert_true(bf_key_set(r, &p, "0xfF"));
	assert_int_equal(p.node, 255);
}

static void real_numbers_are_finite_and_in_range(void **state)
{
	static const char *const bad[] = { "",   "nan", "inf",   "0x1p3", "1,5",
					   "-1", "101", "1e999", "." };
	const struct bf_key_row *r = row("limits", "soc-min");
	struct bf_profile p = { 0 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++)
		assert_false(bf_key_set(r, &p, bad[i]));
	assert_true(bf_key_set(r, &p, "12.5"));
	assert_true(p.limits.soc_min > 12.49 && p.limits.soc_min < 12.51);
}

static void rates_fall_and_their_list_ends_with_zero(void **state)
{
	const struct bf_key_row *r = row("rs485", "rates");
	struct bf_profile p = { 0 };

	(void)state;
	assert_false(bf_key_set(r, &p, "115200, 230400"));
	assert_false(bf_key_set(r, &p, "115200, 115200"));
	assert_false(bf_key_set(r, &p, "115200,"));
	assert_false(bf_key_set(r, &p, ",115200"));
	assert_false(bf_key_set(r, &p, "8000,7000,6000,5000,4000,3000,2000,1000"));
	assert_true(bf_key_set(r, &p, "8000,7000,6000 , 5000,4000,3000,2000"));
	assert_int_equal(p.serial_rates[6], 2000);
	assert_int_equal(p.serial_rates[7], 0);
}

static void flags_add_up_and_none_is_a_word(void **state)
{
	const struct bf_key_row *r = row("region", "access");
	struct bf_region region = { 0 };

	(void)state;
	assert_true(bf_key_set(r, &region, "read,write"));
	assert_int_equal(region.access, BF_ACCESS_READ | BF_ACCESS_WRITE);
	assert_true(bf_key_set(r, &region, "none"));
	assert_int_equal(region.access, 0);
	assert_false(bf_key_set(r, &region, "read, execute"));
	assert_false(bf_key_set(r, &region, "none, read"));
}

static void padding_may_be_switched_off(void **state)
{
	const struct bf_key_row *r = row("can", "pad");
	struct bf_profile p = { 0 };

	(void)state;
	assert_true(bf_key_set(r, &p, "none"));
	assert_int_equal(p.can_pad, -1);
	assert_true(bf_key_set(r, &p, "0"));
	assert_int_equal(p.can_pad, 0);
	assert_false(bf_key_set(r, &p, "-1"));
}

/* One row past the end of a struct would write into the next family's settings. */
static void the_rows_of_a_family_stay_within_its_own_settings(void **state)
{
	(void)state;
	for (const struct bf_profile_section *const *s = bf_profile_sections; *s; s++) {
		for (size_t i = 0; i < (*s)->n_rows; i++) {
			const struct bf_key_row *r = &(*s)->rows[i];

			if (r->scope == BF_SCOPE_FAMILY)
				assert_true(r->offset + r->size <= (*s)->size);
		}
	}
}

static void settings_of_families_are_apart_and_travel_with_a_copy_of_the_profile(void **state)
{
	static struct bf_profile p, copy;
	const uint8_t *last = NULL;

	(void)state;
	bf_profile_default(&p);
	for (const struct bf_profile_section *const *s = bf_profile_sections; *s; s++) {
		uint8_t *at = bf_profile_family_mut(&p, (*s)->name);

		assert_true(at >= p.families && at + (*s)->size <= p.families + sizeof(p.families));
		assert_true(!last || at >= last);
		assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
		last = at + (*s)->size;
		copy = p;
		assert_memory_equal(bf_profile_family(&copy, (*s)->name), at, (*s)->size);
		assert_ptr_not_equal(bf_profile_family(&copy, (*s)->name), at);
	}
	assert_null(bf_profile_family(&p, "nobody"));
}

static void no_family_has_keys_in_a_section_of_another(void **state)
{
	(void)state;
	for (const struct bf_profile_section *const *a = bf_profile_sections; *a; a++) {
		for (const struct bf_profile_section *const *b = a + 1; *b; b++) {
			for (size_t i = 0; i < (*a)->n_rows; i++) {
				for (size_t k = 0; k < (*b)->n_rows; k++)
					assert_string_not_equal((*a)->rows[i].section,
								(*b)->rows[k].section);
			}
		}
	}
}

static void what_is_allowed_is_said_in_words(void **state)
{
	char text[160];

	(void)state;
	bf_key_allowed(row("rs485", "framing"), text, sizeof(text));
	assert_string_equal(text, "auto, iso14230 or hdlc");
	bf_key_allowed(row("rs485", "node"), text, sizeof(text));
	assert_string_equal(text, "0x0 to 0xFF");
	bf_key_allowed(row("limits", "temp-below"), text, sizeof(text));
	assert_string_equal(text, "-60 to 150");
	bf_key_allowed(row("can", "pad"), text, sizeof(text));
	assert_string_equal(text, "0x0 to 0xFF, or none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_unique_and_has_help_without_full_stop),
		cmocka_unit_test(every_row_takes_its_own_default),
		cmocka_unit_test(no_row_takes_a_value_with_something_after_it),
		cmocka_unit_test(numbers_are_whole_words_in_range),
		cmocka_unit_test(real_numbers_are_finite_and_in_range),
		cmocka_unit_test(rates_fall_and_their_list_ends_with_zero),
		cmocka_unit_test(flags_add_up_and_none_is_a_word),
		cmocka_unit_test(padding_may_be_switched_off),
		cmocka_unit_test(the_rows_of_a_family_stay_within_its_own_settings),
		cmocka_unit_test(
			settings_of_families_are_apart_and_travel_with_a_copy_of_the_profile),
		cmocka_unit_test(no_family_has_keys_in_a_section_of_another),
		cmocka_unit_test(what_is_allowed_is_said_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
