/* SPDX-License-Identifier: MIT */
/* Autosuspend of the adapter in use, in a folder that looks like sysfs. */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/base.h"
#include "bmsflash/host.h"

#define DEVICE  "sys/devices/pci0/usb1/1-2"
#define CONTROL DEVICE "/power/control"

static char root[64];

/* In the folder. */
static void shell(const char *what)
{
	char command[1024];

	snprintf(command, sizeof(command), "cd %s && %s", root, what);
	assert_int_equal(system(command), 0);
}

static int make(void **state)
{
	(void)state;
	strcpy(root, "/tmp/bf-suspend-XXXXXX");
	assert_non_null(mkdtemp(root));
	shell("mkdir -p " DEVICE "/power " DEVICE "/1-2:1.0/ttyUSB7 " DEVICE "/1-2:1.1 "
	      "sys/class/tty/ttyUSB7 sys/class/tty/ttyS0 sys/class/net/can7 dev/serial "
	      "sys/devices/platform/serial");
	shell("echo 0403 >" DEVICE "/idVendor && echo auto >" CONTROL);
	shell("ln -s ../../../../" DEVICE "/1-2:1.0/ttyUSB7 sys/class/tty/ttyUSB7/device && "
	      "ln -s ../../../../" DEVICE "/1-2:1.1 sys/class/net/can7/device");
	shell("ln -s ../../../devices/platform/serial sys/class/tty/ttyS0/device && touch "
	      "dev/ttyUSB7 && "
	      "ln -s ../ttyUSB7 dev/serial/by-id");
	return 0;
}

static int remove_all(void **state)
{
	char folder[64];

	(void)state;
	strcpy(folder, root);
	strcpy(root, "/tmp");
	shell(strcat(strcpy((char[96]){ 0 }, "rm -r "), folder));
	return 0;
}

static const char *control(void)
{
	static char text[32];
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/" CONTROL, root);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void the_adapter_of_a_port_or_a_bus_stays_on_and_is_as_before_afterwards(void **state)
{
	char path[128], link[128];
	const char *const names[] = { path, link, "ttyUSB7", "can7" };

	(void)state;
	snprintf(path, sizeof(path), "%s/dev/ttyUSB7", root);
	snprintf(link, sizeof(link), "%s/dev/serial/by-id", root);
	for (size_t i = 0; i < BF_COUNT(names); i++) {
		struct bf_usb_awake *a = bf_usb_awake_take(root, names[i]);

		assert_non_null(a);
		assert_string_equal(control(), "on");
		bf_usb_awake_release(a);
		assert_string_equal(control(), "auto");
	}
}

static void what_is_on_already_is_left_alone(void **state)
{
	(void)state;
	shell("echo on >" CONTROL);
	assert_null(bf_usb_awake_take(root, "ttyUSB7"));
	bf_usb_awake_release(NULL);
	assert_string_equal(control(), "on");
	shell("echo auto >" CONTROL);
}

static void what_is_no_usb_adapter_or_not_there_is_no_error(void **state)
{
	static const char *const names[] = { "ttyS0",         "can8",         "sim", "sim:link=can",
					     "usb:0483:df11", "/dev/nowhere", "",    "..",
					     "/dev/" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(names); i++)
		assert_null(bf_usb_awake_take(root, names[i]));
	assert_string_equal(control(), "auto");
}

static void what_may_not_be_written_is_no_error(void **state)
{
	(void)state;
	/* root may write a file of mode 0444; a folder in its place nobody can */
	shell("mv " CONTROL " c && mkdir " CONTROL);
	assert_null(bf_usb_awake_take(root, "ttyUSB7"));
	shell("rmdir " CONTROL " && mv c " CONTROL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_adapter_of_a_port_or_a_bus_stays_on_and_is_as_before_afterwards),
		cmocka_unit_test(what_is_on_already_is_left_alone),
		cmocka_unit_test(what_is_no_usb_adapter_or_not_there_is_no_error),
		cmocka_unit_test(what_may_not_be_written_is_no_error),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
