/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/json.h"

static void members_keep_their_order_on_one_line(void **state)
{
	BF_AUTO(bf_json) *j = bf_json_object();
	BF_AUTO_MEM char *line = NULL;

	(void)state;
	bf_json_set_int(j, "v", 1);
	bf_json_set_str(j, "event", "a\"b\n");
	bf_json_set_real(j, "x", 0.5);
	bf_json_set_bool(j, "ok", true);
	bf_json_set_hex(j, "h", "\x01\xFF", 2);
	bf_json_set_null(j, "n");
	line = bf_json_line(j);
	assert_string_equal(line, "{\"v\":1,\"event\":\"a\\\"b\\n\",\"x\":0.5,\"ok\":true,"
				  "\"h\":\"01ff\",\"n\":null}");
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
	BF_AUTO(bf_json) *j = bf_json_object();

	(void)state;
	bf_json_set_str(j, "s", "ok \xC3\xA4 \xFF\xC3");
	assert_string_equal(bf_json_str(j, "s"), "ok \xC3\xA4 ??");
}

static void broken_documents_name_the_place(void **state)
{
	struct bf_json *j = NULL;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_json_parse("{\n\"a\":}", 7, &j, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "line 2"));
	assert_null(j);
}

static void readers_fall_back_to_their_default(void **state)
{
	struct bf_err err;
	struct bf_json *j = NULL;

	(void)state;
	assert_int_equal(bf_json_parse("{\"a\":[1,2],\"b\":\"x\"}", 19, &j, &err), BF_OK);
	assert_int_equal(bf_json_int(j, "b", -7), -7);
	assert_null(bf_json_str(j, "a"));
	assert_int_equal(bf_json_len(bf_json_get(j, "a")), 2);
	assert_null(bf_json_get(j, "zz"));
	bf_json_free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_keep_their_order_on_one_line),
		cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
		cmocka_unit_test(broken_documents_name_the_place),
		cmocka_unit_test(readers_fall_back_to_their_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
