/* SPDX-License-Identifier: MIT */
/* Joined packs and ways into a bootloader, as a profile writes them down. */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/profile.h"

static enum bf_rc parse(const char *text, struct bf_profile *ret, struct bf_err *err)
{
	bf_err_init(err);
	bf_profile_default(ret);
	return bf_profile_parse(text, strlen(text), "test.ini", ret, err);
}

static void refused(const char *text, const char *why)
{
	struct bf_profile p;
	struct bf_err err;

	assert_int_equal(parse(text, &p, &err), BF_E_USAGE);
	if (!strstr(err.cause, why))
		fail_msg("'%s' does not say '%s'", err.cause, why);
}

static void ways_are_tried_in_the_order_in_which_they_are_written(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	bf_profile_default(&p);
	assert_int_equal(p.entry.how.n, 2);
	assert_int_equal(p.entry.how.code[0], BF_ENTER_REQUEST);
	assert_int_equal(p.entry.how.code[1], BF_ENTER_THERE);
	assert_int_equal(parse("[entry]\nhow = there, hand,lines\nhand = press it\nlines = dtr=1\n",
			       &p, &err),
			 BF_OK);
	assert_int_equal(p.entry.how.n, 3);
	assert_int_equal(p.entry.how.code[0], BF_ENTER_THERE);
	assert_int_equal(p.entry.how.code[1], BF_ENTER_HAND);
	assert_int_equal(p.entry.how.code[2], BF_ENTER_LINES);
	refused("[entry]\nhow = there, there\n", "is not a value for 'how'");
	refused("[entry]\nhow = magic\n", "window, hand, text or there");
	refused("[entry]\nhow =\n", "is not a value for 'how'");
}

static void a_way_without_what_it_does_is_refused(void **state)
{
	(void)state;
	refused("[entry]\nhow = lines\n", "'how = lines' in [entry]");
	refused("[entry]\nhow = gpio\n", "'how = gpio' in [entry]");
	refused("[entry]\nhow = hand\n", "'how = hand' in [entry]");
	refused("[entry]\nhow = text\n", "'how = text' in [entry]");
}

static void patterns_are_read_step_by_step(void **state)
{
	const char *text = " rts=1  wait=100ms break=5us\tdtr=0 wait=2s";
	struct bf_pin_step s;
	const char *fault;

	(void)state;
	assert_true(bf_pin_next(&text, &s, &fault));
	assert_int_equal(s.what, BF_PIN_SET);
	assert_string_equal(s.name, "rts");
	assert_true(s.on);
	assert_true(bf_pin_next(&text, &s, &fault));
	assert_int_equal(s.what, BF_PIN_WAIT);
	assert_int_equal(s.time, BF_MS(100));
	assert_true(bf_pin_next(&text, &s, &fault));
	assert_int_equal(s.what, BF_PIN_BREAK);
	assert_int_equal(s.time, BF_US(5));
	assert_true(bf_pin_next(&text, &s, &fault));
	assert_false(s.on);
	assert_true(bf_pin_next(&text, &s, &fault));
	assert_int_equal(s.time, BF_SEC(2));
	assert_false(bf_pin_next(&text, &s, &fault));
	assert_null(fault);
}

static void steps_that_are_none_are_refused(void **state)
{
	(void)state;
	refused("[entry]\nlines = rts\n", "a name, '=' and a value");
	refused("[entry]\nlines = rts=2\n", "0 or 1");
	refused("[entry]\nlines = rts=\n", "a name, '=' and a value");
	refused("[entry]\nlines = =1\n", "a name, '=' and a value");
	refused("[entry]\nlines = RTS=1\n", "a name, '=' and a value");
	refused("[entry]\nlines = cts=1\n", "rts and dtr");
	refused("[entry]\nlines-leave = wait=100\n", "us, ms or s");
	refused("[entry]\nlines-leave = wait=61s\n", "at most 60s");
	refused("[entry]\ngpio-lines = boot\n", "boot=17");
	refused("[entry]\ngpio-lines = boot=17\ngpio = reset=1\n", "does not name");
	refused("[entry]\ngpio-lines = boot=17\ngpio-leave = break=1ms\n", "only a serial port");
}

static void text_may_hold_any_byte(void **state)
{
	uint8_t bytes[8];
	size_t n;

	(void)state;
	assert_true(bf_escaped("a\\r\\n\\t\\\\\\x15\\xfF", bytes, sizeof(bytes), &n));
	assert_int_equal(n, 7);
	assert_memory_equal(bytes, "a\r\n\t\\\x15\xff", 7);
	assert_true(bf_escaped("\\x00", bytes, sizeof(bytes), &n));
	assert_int_equal(n, 1);
	assert_false(bf_escaped("123456789", bytes, sizeof(bytes), &n));
	assert_false(bf_escaped("\\", bytes, sizeof(bytes), &n));
	assert_false(bf_escaped("\\x1", bytes, sizeof(bytes), &n));
	assert_false(bf_escaped("\\xg1", bytes, sizeof(bytes), &n));
	assert_false(bf_escaped("\\q", bytes, sizeof(bytes), &n));
	refused("[entry]\ntext = a\\q\n", "text and ready in [entry]");
	refused("[entry]\nready = \\\n", "text and ready in [entry]");
}

static void two_families_are_named_together_and_without_a_protocol(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	assert_int_equal(parse("[pack]\napplication = one\nloader = two\n", &p, &err), BF_OK);
	assert_int_equal(parse("[pack]\nloader = two\n", &p, &err), BF_OK);
	refused("[pack]\napplication = one\n", "needs 'loader'");
	refused("[pack]\nprotocol = one\nloader = two\n", "packs of one family");
}

static void a_role_says_what_is_its_own_and_nothing_else(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	bf_profile_default(&p);
	assert_int_equal(p.app_line.node, -1);
	assert_int_equal(p.app_line.parity, 0);
	assert_int_equal(p.loader_line.baud, 0);
	assert_int_equal(p.data_bits, 8);
	assert_int_equal(
		parse("[loader]\nparity = even\ndata-bits = 7\nbaud = 57600\nnode = 0\n", &p, &err),
		BF_OK);
	assert_int_equal(p.loader_line.parity, 'E');
	assert_int_equal(p.loader_line.data_bits, 7);
	assert_int_equal(p.loader_line.baud, 57600);
	assert_int_equal(p.loader_line.node, 0);
	assert_int_equal(p.app_line.baud, 0);
	refused("[loader]\ndata-bits = 4\n", "data-bits in [loader]");
	refused("[application]\nbaud = 299\n", "baud in [application]");
	refused("[application]\nrequest-id = 0x100\n", "need each other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ways_are_tried_in_the_order_in_which_they_are_written),
		cmocka_unit_test(a_way_without_what_it_does_is_refused),
		cmocka_unit_test(patterns_are_read_step_by_step),
		cmocka_unit_test(steps_that_are_none_are_refused),
		cmocka_unit_test(text_may_hold_any_byte),
		cmocka_unit_test(two_families_are_named_together_and_without_a_protocol),
		cmocka_unit_test(a_role_says_what_is_its_own_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
