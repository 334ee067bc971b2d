/* SPDX-License-Identifier: MIT */
/* The tables of the command line keep their own rules. */
#include "../unit.h"

#include <ctype.h>

#include "spec.h"

static void names_and_briefs_are_unique_within_a_command(void **state)
{
	size_t n;
	const struct bf_opt *o = bf_spec_options(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			if (!(o[i].commands & o[j].commands))
				continue;
			assert_string_not_equal(o[i].name, o[j].name);
			assert_true(!o[i].brief || o[i].brief != o[j].brief);
		}
	}
}

static void help_is_one_line_without_a_full_stop(void **state)
{
	size_t n;
	const struct bf_opt *o = bf_spec_options(&n);
	const struct bf_command *c;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_true(strlen(o[i].help) > 5 && strlen(o[i].help) < 80);
		assert_int_not_equal(o[i].help[strlen(o[i].help) - 1], '.');
		assert_null(strchr(o[i].help, '\n'));
		assert_true(o[i].commands != 0);
	}
	c = bf_spec_commands(&n);
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(c[i].help[strlen(c[i].help) - 1], '.');
	for (int i = 0; i < BF_ALLOW_COUNT; i++) {
		const struct bf_allow_info *a = bf_allow_info((enum bf_allow)i);

		assert_true(strlen(a->help) > 5);
		assert_int_not_equal(a->help[strlen(a->help) - 1], '.');
	}
}

static void options_with_choices_offer_them_and_only_they_do(void **state)
{
	size_t n;
	const struct bf_opt *o = bf_spec_options(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(o[i].kind == BF_OPT_CHOICE, o[i].choices != NULL);
		assert_int_equal(o[i].kind == BF_OPT_FLAG || o[i].kind == BF_OPT_COUNTED,
				 o[i].metavar == NULL);
	}
}

static void protocol_choices_are_the_registry(void **state)
{
	size_t n, k = 0;
	const struct bf_opt *o = bf_spec_options(&n);
	const struct bf_proto_ops *const *protos = bf_protos();

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(o[i].name, "protocol") != 0)
			continue;
		for (k = 0; o[i].choices[k]; k++)
			assert_non_null(bf_proto_by_name(o[i].choices[k]));
	}
	for (size_t i = 0; protos[i]; i++)
		k--;
	assert_int_equal(k, 0);
}

static void commands_stand_at_their_job(void **state)
{
	size_t n;
	const struct bf_command *c = bf_spec_commands(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(c[i].job, i);
		assert_string_equal(c[i].name, bf_job_name(c[i].job));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_briefs_are_unique_within_a_command),
		cmocka_unit_test(help_is_one_line_without_a_full_stop),
		cmocka_unit_test(options_with_choices_offer_them_and_only_they_do),
		cmocka_unit_test(protocol_choices_are_the_registry),
		cmocka_unit_test(commands_stand_at_their_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
