/* SPDX-License-Identifier: MIT */
/* Which USB device a serial port belongs to, and finding it again under another name, in a made-up /sys. */
#include "../unit.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/rs485_tty.h"

struct rig {
	char root[64];
};

static void put(struct rig *g, const char *path, const char *text)
{
	char full[256];
	FILE *f;

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(full, sizeof(full), "%s/%.*s", g->root, (int)(p - path), path);
		mkdir(full, 0700);
	}
	snprintf(full, sizeof(full), "%s/%s", g->root, path);
	if (!text) {
		assert_int_equal(mkdir(full, 0700), 0);
		return;
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void plug(struct rig *g, const char *socket, const char *interface, const char *serial,
		 const char *tty)
{
	char path[200], from[300], to[300];

	snprintf(path, sizeof(path), "sys/devices/usb1/%s/idVendor", socket);
	put(g, path, "1209\n");
	if (serial) {
		snprintf(path, sizeof(path), "sys/devices/usb1/%s/serial", socket);
		put(g, path, serial);
	}
	snprintf(path, sizeof(path), "sys/devices/usb1/%s/%s:1.%s/bInterfaceNumber", socket, socket,
		 interface);
	put(g, path, "00\n");
	snprintf(path, sizeof(path), "sys/class/tty/%s/dev", tty);
	put(g, path, "166:0\n");
	snprintf(to, sizeof(to), "../../../devices/usb1/%s/%s:1.%s", socket, socket, interface);
	snprintf(from, sizeof(from), "%s/sys/class/tty/%s/device", g->root, tty);
	assert_int_equal(symlink(to, from), 0);
}

static void unplug(struct rig *g, const char *tty)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/sys/class/tty/%s/device", g->root, tty);
	assert_int_equal(unlink(path), 0);
}

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));

	if (!g)
		return -1;
	snprintf(g->root, sizeof(g->root), "/tmp/bmsflash-where.XXXXXX");
	*state = g;
	if (!mkdtemp(g->root))
		return -1;
	put(g, "sys/class/tty/ttyS0/dev", "4:64\n");
	return 0;
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st, (void)flag, (void)at;
	return remove(path);
}

static int teardown(void **state)
{
	struct rig *g = *state;

	nftw(g->root, drop, 8, FTW_DEPTH | FTW_PHYS);
	free(g);
	return 0;
}

static void assert_found(struct rig *g, const struct bf_tty_where *want, const char *tty)
{
	char path[256], full[256];

	assert_true(bf_tty_find(g->root, want, path, sizeof(path)));
	snprintf(full, sizeof(full), "%s/dev/%s", g->root, tty);
	assert_string_equal(path, full);
}

static void assert_not_found(struct rig *g, const struct bf_tty_where *want)
{
	char path[256];

	assert_false(bf_tty_find(g->root, want, path, sizeof(path)));
}

static struct bf_tty_where where(struct rig *g, const char *tty)
{
	struct bf_tty_where ret;

	assert_true(bf_tty_where(g->root, tty, &ret));
	return ret;
}

static void a_usb_port_tells_its_socket_interface_and_serial_number(void **state)
{
	struct rig *g = *state;
	struct bf_tty_where w;

	plug(g, "1-2.4", "2", "PACK7\n", "ttyACM0");
	w = where(g, "/dev/ttyACM0");
	assert_string_equal(w.port, "1-2.4");
	assert_string_equal(w.interface, "2");
	assert_string_equal(w.serial, "PACK7");
	assert_false(bf_tty_where(g->root, "ttyS0", &w));
	assert_false(bf_tty_where(g->root, "ttyACM9", &w));
}

static void it_is_followed_to_another_name_in_the_same_socket(void **state)
{
	struct rig *g = *state;
	struct bf_tty_where w;

	plug(g, "1-2", "0", NULL, "ttyACM0");
	w = where(g, "ttyACM0");
	unplug(g, "ttyACM0");
	assert_not_found(g, &w);
	plug(g, "1-3", "0", NULL, "ttyACM2"); /* somebody else */
	assert_not_found(g, &w);
	plug(g, "1-2", "0", NULL, "ttyACM1");
	assert_found(g, &w, "ttyACM1");
}

static void its_name_given_to_another_device_is_not_taken_for_it(void **state)
{
	struct rig *g = *state;
	struct bf_tty_where w;

	plug(g, "1-2", "0", "A\n", "ttyACM0");
	w = where(g, "ttyACM0");
	unplug(g, "ttyACM0");
	plug(g, "1-4", "0", "B\n", "ttyACM0");
	assert_not_found(g, &w);
}

static void it_is_followed_by_serial_number_into_another_socket(void **state)
{
	struct rig *g = *state;
	struct bf_tty_where w;

	plug(g, "1-2", "0", "A\n", "ttyACM0");
	w = where(g, "ttyACM0");
	unplug(g, "ttyACM0");
	plug(g, "1-3", "0", "A\n", "ttyACM1");
	assert_found(g, &w, "ttyACM1");
	/* Its bootloader in the old socket, with another number, is second to that. */
	plug(g, "1-2", "0", "ROM\n", "ttyACM2");
	assert_found(g, &w, "ttyACM1");
}

static void a_bootloader_with_its_own_serial_number_is_found_in_the_socket(void **state)
{
	struct rig *g = *state;
	struct bf_tty_where w;

	plug(g, "1-2", "2", "A\n", "ttyACM0");
	w = where(g, "ttyACM0");
	unplug(g, "ttyACM0");
	plug(g, "1-2", "0", "ROM\n", "ttyACM1");
	assert_found(g, &w, "ttyACM1");
}

static void a_serial_number_that_two_devices_share_finds_neither(void **state)
{
	struct rig *g = *state;
	struct bf_tty_where w;

	plug(g, "1-2", "0", "0001\n", "ttyUSB0");
	w = where(g, "ttyUSB0");
	unplug(g, "ttyUSB0");
	plug(g, "1-3", "0", "0001\n", "ttyUSB1");
	plug(g, "1-4", "0", "0001\n", "ttyUSB2");
	assert_not_found(g, &w);
	plug(g, "1-2", "0", "0001\n", "ttyUSB3");
	assert_found(g, &w, "ttyUSB3");
}

static void of_several_ports_of_a_device_the_same_one_is_found(void **state)
{
	struct rig *g = *state;
	struct bf_tty_where w;

	plug(g, "1-2", "2", "A\n", "ttyACM1");
	w = where(g, "ttyACM1");
	unplug(g, "ttyACM1");
	plug(g, "1-2", "0", "A\n", "ttyACM4");
	plug(g, "1-2", "2", "A\n", "ttyACM3");
	assert_found(g, &w, "ttyACM3");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_usb_port_tells_its_socket_interface_and_serial_number),
		T(it_is_followed_to_another_name_in_the_same_socket),
		T(its_name_given_to_another_device_is_not_taken_for_it),
		T(it_is_followed_by_serial_number_into_another_socket),
		T(a_bootloader_with_its_own_serial_number_is_found_in_the_socket),
		T(a_serial_number_that_two_devices_share_finds_neither),
		T(of_several_ports_of_a_device_the_same_one_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
