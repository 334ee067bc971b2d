/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "spec.h"

#define PARSE(opts, err, ...)                                      \
	bf_parse((int)BF_COUNT(((const char *[]){ __VA_ARGS__ })), \
		 (const char *const[]){ __VA_ARGS__ }, opts, err)

static void options_and_files_may_come_in_any_order(void **state)
{
	struct bf_opts o;
	struct bf_err err;

	(void)state;
	assert_int_equal(PARSE(&o, &err, "flash", "fw.bin", "-i", "can0", "--key=a.pem", "-kb.pem",
			       "-vv", "--node", "0x11"),
			 BF_OK);
	assert_int_equal(o.command, BF_JOB_FLASH);
	assert_string_equal(o.iface, "can0");
	assert_string_equal(o.images[0], "fw.bin");
	assert_null(o.images[1]);
	assert_string_equal(o.keys[0], "a.pem");
	assert_string_equal(o.keys[1], "b.pem");
	assert_null(o.keys[2]);
	assert_int_equal(o.verbose, 2);
	assert_int_equal(o.node, 0x11);
	bf_opts_done(&o);
}

static void defaults_are_told_apart_from_values(void **state)
{
	struct bf_opts o;
	struct bf_err err;

	(void)state;
	assert_int_equal(PARSE(&o, &err, "probe"), BF_OK);
	assert_int_equal(o.node, -1);
	assert_int_equal(o.addr, -1);
	assert_string_equal(o.progress, "auto");
	assert_null(o.iface);
	bf_opts_done(&o);
}

static void rates_and_durations_take_units(void **state)
{
	struct bf_opts o;
	struct bf_err err;

	(void)state;
	assert_int_equal(PARSE(&o, &err, "probe", "--bitrate", "500k,2M", "--baud", "115200",
			       "--timeout", "90s", "--wait", "250ms"),
			 BF_OK);
	assert_int_equal(o.bitrate, 500000);
	assert_int_equal(o.dbitrate, 2000000);
	assert_int_equal(o.baud, 115200);
	assert_int_equal(o.timeout, BF_SEC(90));
	assert_int_equal(o.wait, BF_MS(250));
	bf_opts_done(&o);
}

/* Each bad command line names what is wrong; none of them runs anything. */
static void bad_command_lines_are_refused_with_their_reason(void **state)
{
	static const struct {
		const char *words[8];
		const char *says;
	} rows[] = {
		{ { "flsh" }, "did you mean 'flash'" },
		{ { "frobnicate" }, "unknown command 'frobnicate'" },
		{ { "probe", "--iff", "can0" }, "did you mean '--if'" },
		{ { "probe", "-z" }, "unknown option '-z'" },
		{ { "probe", "--if" }, "needs a value" },
		{ { "probe", "--json=1" }, "takes no value" },
		{ { "probe", "--if=" }, "not an empty word" },
		{ { "probe", "--trace", "a", "--trace=b" }, "given twice" },
		{ { "probe", "--baud", "12abc" }, "'12abc'" },
		{ { "probe", "--baud", "-5" }, "'-5'" },
		{ { "probe", "--baud", "99999999999999999999" }, "takes a number" },
		{ { "probe", "--baud", "10" }, "outside" },
		{ { "probe", "--bitrate", "500k,,2M" }, "one or two rates" },
		{ { "probe", "--timeout", "5h" }, "a duration" },
		{ { "probe", "--timeout", "0" }, "outside" },
		{ { "probe", "--protocol", "telepathy" }, "knows no 'telepathy'" },
		{ { "probe", "--progress", "bar" }, "auto, tty, plain, none" },
		{ { "probe", "--output", "x" }, "no meaning for 'probe'" },
		{ { "probe", "file" }, "takes no file" },
		{ { "verify" }, "needs an image" },
		{ { "flash", "a", "b", "c", "d", "e", "-i", "can0" }, "at most 4 images" },
		{ { "flash", "a" }, "needs --if" },
		{ { "rollback" }, "needs --if" },
		{ { "flash", "--force" }, "there is no --force" },
		{ { "flash", "--allow", "low-socks" }, "low-soc" },
		{ { "flash", "--allow", "low-soc,,hot" }, "no check ''" },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_opts o = { 0 };
		struct bf_err err;
		int n = 0;

		while (n < 8 && rows[i].words[n])
			n++;
		assert_int_equal(bf_parse(n, rows[i].words, &o, &err), BF_E_USAGE);
		if (!strstr(err.cause, rows[i].says))
			fail_msg("'%s' does not say '%s'", err.cause, rows[i].says);
		assert_true(err.next[0] != '\0');
		assert_null(o.images);
	}
}

static void allow_takes_names_one_by_one(void **state)
{
	struct bf_opts o;
	struct bf_err err;

	(void)state;
	assert_int_equal(PARSE(&o, &err, "flash", "-i", "sim", "--allow", "low-soc,hot", "--allow",
			       "single-bank", "x"),
			 BF_OK);
	assert_true(o.allow[BF_ALLOW_LOW_SOC]);
	assert_true(o.allow[BF_ALLOW_HOT]);
	assert_true(o.allow[BF_ALLOW_SINGLE_BANK]);
	assert_false(o.allow[BF_ALLOW_COLD]);
	bf_opts_done(&o);
}

static void two_dashes_end_the_options(void **state)
{
	struct bf_opts o;
	struct bf_err err;

	(void)state;
	assert_int_equal(PARSE(&o, &err, "verify", "--", "--json", "-"), BF_OK);
	assert_string_equal(o.images[0], "--json");
	assert_string_equal(o.images[1], "-");
	assert_false(o.json);
	bf_opts_done(&o);
}

static void help_needs_no_files_and_no_command(void **state)
{
	struct bf_opts o;
	struct bf_err err;

	(void)state;
	assert_int_equal(PARSE(&o, &err, "--help"), BF_OK);
	assert_true(o.help && !o.have_command);
	bf_opts_done(&o);
	assert_int_equal(PARSE(&o, &err, "flash", "-h"), BF_OK);
	assert_true(o.help && o.have_command);
	bf_opts_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_files_may_come_in_any_order),
		cmocka_unit_test(defaults_are_told_apart_from_values),
		cmocka_unit_test(rates_and_durations_take_units),
		cmocka_unit_test(bad_command_lines_are_refused_with_their_reason),
		cmocka_unit_test(allow_takes_names_one_by_one),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(help_needs_no_files_and_no_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
