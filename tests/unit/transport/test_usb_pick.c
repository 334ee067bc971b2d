/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>

#include "transport/usb_priv.h"

static const struct bf_usb_seen bus[] = {
	{ .vid = 0x0483,
	  .pid = 0xDF11,
	  .bus = 1,
	  .address = 4,
	  .path = "1-1",
	  .serial = "A1",
	  .product = "STM32 BOOTLOADER",
	  .dfu = BF_USB_DFU_MODE },
	{ .vid = 0x0483,
	  .pid = 0xDF11,
	  .bus = 1,
	  .address = 5,
	  .path = "1-2.4",
	  .serial = "B2",
	  .dfu = BF_USB_DFU_MODE },
	{ .vid = 0x046D, .pid = 0xC31C, .bus = 2, .address = 2, .path = "2-1" },
};

static enum bf_rc pick(const char *address, size_t from, size_t n, size_t *ret, struct bf_err *err)
{
	struct bf_usb_want want;

	assert_true(bf_usb_parse(address, &want));
	return bf_usb_pick(&want, bus + from, n, ret, err);
}

static void addresses_have_four_forms(void **state)
{
	struct bf_usb_want w;

	(void)state;
	assert_true(bf_usb_parse("usb", &w));
	assert_int_equal(w.by, BF_USB_BY_DFU);
	assert_true(bf_usb_parse("usb:0483:dF11", &w));
	assert_int_equal(w.by, BF_USB_BY_ID);
	assert_int_equal(w.vid, 0x483);
	assert_int_equal(w.pid, 0xDF11);
	assert_string_equal(w.serial, "");
	assert_true(bf_usb_parse("usb:1:2:A:B", &w));
	assert_string_equal(w.serial, "A:B");
	assert_true(bf_usb_parse("usb@1-2.4.1", &w));
	assert_int_equal(w.by, BF_USB_BY_PATH);
	assert_string_equal(w.path, "1-2.4.1");
}

static void malformed_addresses_are_refused(void **state)
{
	static const char *const bad[] = {
		"",           "us",          "usb0",
		"usb:",       "usb:0483",    "usb:0483:",
		"usb::df11",  "usb:12345:1", "usb:1:12345",
		"usb:x:1",    "usb:1:2:",    "usb: 1:2",
		"usb:\x10:1", "usb@",        "usb@1",
		"usb@1-",     "usb@1-2.",    "usb@-2",
		"usb@1-2-3",  "usb@1-2.x",   "usb@1-2345",
		"usb@1.2",    "usb@1-2 ",    "usb@1-2.3.4.5.6.7.8.9.10.11.12.13.14.15.16",
	};
	struct bf_usb_want w;
	char longer[500];

	(void)state;
	/* A serial number is at most 126 characters of three bytes; none is cut. */
	snprintf(longer, sizeof(longer), "usb:1:2:%0*d", BF_USB_TEXT, 7);
	assert_false(bf_usb_parse(longer, &w));
	snprintf(longer, sizeof(longer), "usb:1:2:%0*d", BF_USB_TEXT - 1, 7);
	assert_true(bf_usb_parse(longer, &w));
	assert_string_equal(w.serial, longer + 8);
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		if (bf_usb_parse(bad[i], &w))
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void one_device_is_found_by_each_form(void **state)
{
	struct bf_err err;
	size_t at;

	(void)state;
	assert_int_equal(pick("usb:483:df11:b2", 0, 3, &at, &err), BF_OK);
	assert_int_equal(at, 1);
	assert_int_equal(pick("usb@2-1", 0, 3, &at, &err), BF_OK);
	assert_int_equal(at, 2);
	assert_int_equal(pick("usb", 1, 2, &at, &err), BF_OK);
	assert_int_equal(at, 0);
}

static void several_devices_are_listed_with_their_ports(void **state)
{
	struct bf_err err;
	size_t at;

	(void)state;
	assert_int_equal(pick("usb", 0, 3, &at, &err), BF_E_IFACE);
	assert_string_equal(err.cause, "2 USB devices with a DFU interface: usb@1-1 (0483:df11 "
				       "STM32 BOOTLOADER, serial A1), usb@1-2.4 (0483:df11, "
				       "serial B2)");
	assert_non_null(strstr(err.todo, "--if usb@1-1"));
	assert_int_equal(pick("usb:0483:df11", 0, 3, &at, &err), BF_E_IFACE);
}

static void nothing_found_says_what_is_there_instead(void **state)
{
	struct bf_err err;
	size_t at;

	(void)state;
	assert_int_equal(pick("usb", 2, 1, &at, &err), BF_E_IFACE);
	assert_string_equal(err.cause,
			    "there is no USB device with a DFU interface (1 device on the bus)");
	assert_true(err.n_likely >= 3);
	assert_int_equal(pick("usb:0483:5740", 1, 2, &at, &err), BF_E_IFACE);
	assert_string_equal(err.likely[0], "it is usb@1-2.4, which is 0483:df11, serial B2 now");
	assert_int_equal(pick("usb@9-9", 0, 0, &at, &err), BF_E_IFACE);
	assert_non_null(strstr(err.cause, "on port 9-9"));
}

static void the_heir_is_on_the_same_port_under_another_address(void **state)
{
	struct bf_usb_seen now[2] = { bus[1], bus[0] };

	(void)state;
	assert_int_equal(bf_usb_heir(&bus[0], bus, 3, now, 2, true), 2);
	now[1].address = 77;
	assert_int_equal(bf_usb_heir(&bus[0], bus, 3, now, 2, true), 1);
	/* The address count went round: another product under the old number. */
	now[1] = bus[0];
	now[1].pid = 0x5740;
	assert_int_equal(bf_usb_heir(&bus[0], bus, 3, now, 2, true), 1);
}

static void the_same_serial_number_is_no_heir_when_it_was_there_before(void **state)
{
	struct bf_usb_seen before[2] = { bus[0], bus[1] };
	struct bf_usb_seen now[1];

	(void)state;
	snprintf(before[1].serial, sizeof(before[1].serial), "A1");
	now[0] = before[1];
	assert_int_equal(bf_usb_heir(&before[0], before, 2, now, 1, true), 1);
	/* It restarts while the port of the other is empty: still another pack. */
	now[0].address = 9;
	assert_int_equal(bf_usb_heir(&before[0], before, 2, now, 1, true), 1);
}

static void a_moved_plug_is_known_by_a_serial_number_that_no_other_has(void **state)
{
	struct bf_usb_seen now[2] = { bus[0], bus[0] };

	(void)state;
	snprintf(now[0].path, sizeof(now[0].path), "1-7");
	now[0].address = 9;
	assert_int_equal(bf_usb_heir(&bus[0], bus, 3, now, 1, true), 0);
	/* Its own port has its time first. */
	assert_int_equal(bf_usb_heir(&bus[0], bus, 3, now, 1, false), 1);
	/* Two of them at once: nobody can tell. */
	snprintf(now[1].path, sizeof(now[1].path), "1-8");
	now[1].address = 10;
	assert_int_equal(bf_usb_heir(&bus[0], bus, 3, now, 2, true), 2);
}

static void a_serial_number_that_two_devices_have_names_neither(void **state)
{
	struct bf_usb_seen now[2] = { bus[0], bus[0] };
	struct bf_usb_want want;
	struct bf_err err;
	size_t at;

	(void)state;
	bf_err_init(&err);
	now[1].pid = 0x5740; /* the application of one of two packs */
	now[1].address = 9;
	snprintf(now[1].path, sizeof(now[1].path), "1-7");
	assert_true(bf_usb_parse("usb:0483:df11:A1", &want));
	assert_int_equal(bf_usb_pick(&want, now, 1, &at, &err), BF_OK);
	assert_int_equal(bf_usb_pick(&want, now, 2, &at, &err), BF_E_IFACE);
	assert_non_null(strstr(err.cause, "usb@1-7"));
	assert_non_null(strstr(err.todo, "usb@1-1"));
}

static void a_device_without_serial_number_is_only_known_by_its_port(void **state)
{
	struct bf_usb_seen old = bus[2], now[1] = { bus[2] };

	(void)state;
	snprintf(now[0].path, sizeof(now[0].path), "2-2");
	now[0].address = 3;
	assert_int_equal(bf_usb_heir(&old, bus, 3, now, 1, true), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_have_four_forms),
		cmocka_unit_test(malformed_addresses_are_refused),
		cmocka_unit_test(one_device_is_found_by_each_form),
		cmocka_unit_test(several_devices_are_listed_with_their_ports),
		cmocka_unit_test(nothing_found_says_what_is_there_instead),
		cmocka_unit_test(the_heir_is_on_the_same_port_under_another_address),
		cmocka_unit_test(the_same_serial_number_is_no_heir_when_it_was_there_before),
		cmocka_unit_test(a_moved_plug_is_known_by_a_serial_number_that_no_other_has),
		cmocka_unit_test(a_serial_number_that_two_devices_have_names_neither),
		cmocka_unit_test(a_device_without_serial_number_is_only_known_by_its_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
