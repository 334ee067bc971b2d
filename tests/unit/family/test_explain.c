/* SPDX-License-Identifier: MIT */
/* What a flash would send, told from a profile alone: what the profile says is in it, and nothing else. */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "bmsflash/family.h"
#include "bmsflash/profile.h"

struct told {
	char text[16384];
	size_t n;
};

static void on_line(void *ctx, const char *request, const char *what)
{
	struct told *t = ctx;

	t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n, "%s | %s\n",
				 request ? request : "#", what);
	assert_true(t->n < sizeof(t->text));
}

static void explain(struct told *ret, const struct bf_proto_ops *ops, const char *profile)
{
	struct bf_profile p;
	struct bf_err err;

	bf_err_init(&err);
	bf_profile_default(&p);
	if (bf_profile_parse(profile, strlen(profile), "test", &p, &err))
		fail_msg("%s", err.cause);
	ret->n = 0;
	ret->text[0] = '\0';
	ops->explain(&p, on_line, ret);
}

static void has(const struct told *t, const char *line)
{
	if (!strstr(t->text, line))
		fail_msg("no '%s' in:\n%s", line, t->text);
}

static void lacks(const struct told *t, const char *line)
{
	if (strstr(t->text, line))
		fail_msg("'%s' in:\n%s", line, t->text);
}

static void security_access_is_told_as_the_profile_has_it(void **state)
{
	const struct bf_proto_ops *uds = bf_proto_by_name("uds");
	struct told t;

	(void)state;
	if (!uds)
		return;
	explain(&t, uds, "[uds]\nsecurity-level = 0x11\n");
	has(&t, "27 11  | seed\n");
	has(&t, "27 12 <key> | key, signed by the technician's key");
	lacks(&t, "29 05");
	explain(&t, uds, "[uds]\nsecurity-level = auto\n");
	has(&t, "27 01  | seed, where the pack has the service");
	has(&t, "27 02 <key>");
	explain(&t, uds, "[uds]\nsecurity-level = 0\n");
	lacks(&t, "27 0");
	explain(&t, uds, "[uds]\nauth-service = authentication\n");
	has(&t, "29 05 ... | challenge");
	lacks(&t, "27 01");
}

static void the_check_of_memory_is_told_once_and_at_its_time(void **state)
{
	static const struct {
		const char *when, *before, *after;
	} rows[] = {
		{ "block", "31 01 02 02", "# | after the last segment" },
		{ "end", "# | after the last segment", "# | after the restart" },
		{ "after-restart", "# | after the restart", NULL },
	};
	const struct bf_proto_ops *uds = bf_proto_by_name("uds");

	(void)state;
	for (size_t i = 0; uds && i < BF_COUNT(rows); i++) {
		const char *check, *mark;
		char profile[128];
		struct told t;

		snprintf(profile, sizeof(profile),
			 "[routines]\ncheck-memory = 0x0202\ncheck-when = %s\n", rows[i].when);
		explain(&t, uds, profile);
		check = strstr(t.text, "31 01 02 02");
		assert_non_null(check);
		assert_null(strstr(check + 1, "31 01 02 02"));
		assert_true(strstr(t.text, rows[i].before) <= check);
		mark = rows[i].after ? strstr(t.text, rows[i].after) : t.text + t.n;
		assert_non_null(mark);
		assert_true(check < mark);
	}
}

static void the_request_that_enters_is_told_byte_for_byte(void **state)
{
	const struct bf_proto_ops *modbus = bf_proto_by_name("modbus");
	struct told t;

	(void)state;
	if (!modbus)
		return;
	explain(&t, modbus,
		"[modbus]\nenter-register = 0x1620\nenter-values = 1, 0x5AA5\n"
		"enter-function = 16\n");
	has(&t, "10 16 20 00 02 04 00 01 5A A5 | into the bootloader");
	explain(&t, modbus,
		"[modbus]\nenter-register = 0x1620\nenter-values = 1\nenter-function = "
		"6\n");
	has(&t, "06 16 20 00 01 | into the bootloader");
}

static void the_session_is_told_where_the_entry_does_not_open_it(void **state)
{
	const struct bf_proto_ops *uds = bf_proto_by_name("uds");
	struct told t;

	(void)state;
	if (!uds)
		return;
	explain(&t, uds, "[uds]\n");
	has(&t, "10 03 |");
	explain(&t, uds, "[uds]\nenter = 0x02\n");
	lacks(&t, "10 03 |");
	explain(&t, uds, "[uds]\nenter = 0x03, 0x02\n");
	has(&t, "10 03 |");
}

static void of_a_joined_pack_each_role_that_has_a_family_is_told(void **state)
{
	struct told t;

	(void)state;
	if (!bf_proto_by_name("uds") || !bf_proto_by_name("xmodem"))
		return;
	explain(&t, &bf_proto_joined_ops, "[pack]\nloader = uds\n[entry]\nhow = there\n");
	has(&t, "# | Bootloader: uds");
	lacks(&t, "Application:");
	has(&t, "36 01");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(security_access_is_told_as_the_profile_has_it),
		cmocka_unit_test(the_check_of_memory_is_told_once_and_at_its_time),
		cmocka_unit_test(the_request_that_enters_is_told_byte_for_byte),
		cmocka_unit_test(the_session_is_told_where_the_entry_does_not_open_it),
		cmocka_unit_test(of_a_joined_pack_each_role_that_has_a_family_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
