/* SPDX-License-Identifier: MIT */
/* What the drivers find on a computer: made of folders, so that every computer can be made. */
#include "../unit.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/can_priv.h"
#include "transport/diag.h"
#include "transport/rs485_tty.h"
#include "transport/usb_priv.h"

struct computer {
	char root[64];
	struct bf_diag diag;
	struct bf_diag_finding seen[40];
	size_t n;
};

static void note(void *ctx, const struct bf_diag_finding *f)
{
	struct computer *c = ctx;

	assert_true(c->n < BF_COUNT(c->seen));
	assert_true(f->check[0] && f->subject[0] && f->text[0]);
	c->seen[c->n++] = *f;
}

static void init(struct computer *c)
{
	memset(c, 0, sizeof(*c));
	snprintf(c->root, sizeof(c->root), "/tmp/bf-diag-XXXXXX");
	assert_non_null(mkdtemp(c->root));
	c->diag = (struct bf_diag){ .root = c->root, .found = note, .ctx = c };
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void done(struct computer *c)
{
	assert_int_equal(nftw(c->root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Makes the folders on the way; text NULL: a folder. */
static void put(struct computer *c, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", c->root, path);
	for (char *p = full + strlen(c->root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(full, 0755);
		*p = '/';
	}
	if (!text) {
		assert_int_equal(mkdir(full, 0755), 0);
		return;
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void allow(struct computer *c, const char *path, mode_t mode)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", c->root, path);
	assert_int_equal(chmod(full, mode), 0);
}

static void point(struct computer *c, const char *path, const char *target)
{
	char full[512];

	put(c, path, "");
	snprintf(full, sizeof(full), "%s%s", c->root, path);
	assert_int_equal(unlink(full), 0);
	assert_int_equal(symlink(target, full), 0);
}

static const struct bf_diag_finding *find(const struct computer *c, const char *check)
{
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->seen[i].check, check) == 0)
			return &c->seen[i];
	}
	return NULL;
}

static void expect(const struct computer *c, const char *check, enum bf_severity severity,
		   const char *words, const char *mend)
{
	const struct bf_diag_finding *f = find(c, check);

	if (!f)
		fail_msg("no finding '%s'", check);
	assert_int_equal(f->severity, severity);
	if (!strstr(f->text, words) || (mend && !strstr(f->mend, mend)))
		fail_msg("'%s', mend '%s'", f->text, f->mend);
	if (!mend)
		assert_string_equal(f->mend, "");
}

/* ---- serial ports ---- */

static void adapter(struct computer *c, const char *vid, const char *pid)
{
	put(c, "/sys/bus/usb/devices/1-2/idVendor", vid);
	put(c, "/sys/bus/usb/devices/1-2/idProduct", pid);
	put(c, "/sys/bus/usb/devices/1-2:1.0/bInterfaceClass", "ff\n");
}

static void port(struct computer *c, const char *latency)
{
	adapter(c, "0403\n", "6001\n");
	put(c, "/sys/bus/usb/devices/1-2:1.0/ttyUSB0/tty", "");
	put(c, "/sys/class/tty/ttyUSB0/device/port_number", "0\n");
	put(c, "/sys/bus/usb-serial/devices/ttyUSB0/latency_timer", latency);
	put(c, "/dev/ttyUSB0", "");
	allow(c, "/dev/ttyUSB0", 0666);
	put(c, "/proc/1/comm", "systemd\n");
}

static void a_healthy_port_is_ok_in_everything(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	port(&c, "1\n");
	put(&c, "/etc/udev/rules.d/60-bmsflash.rules", "");
	bf_tty_diagnose(&c.diag, NULL);
	expect(&c, "permission", BF_SEVERITY_OK, "read and write", NULL);
	expect(&c, "holder", BF_SEVERITY_OK, "no other", NULL);
	expect(&c, "latency-timer", BF_SEVERITY_OK, "1 ms", NULL);
	assert_int_equal(c.n, 3);
	done(&c);
}

static void no_command_copies_rules_from_where_they_are_not(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	port(&c, "1\n");
	bf_tty_diagnose(&c.diag, NULL);
	expect(&c, "udev-rules", BF_SEVERITY_NOTE, "not installed", NULL);
	done(&c);
}

static void a_slow_latency_timer_comes_with_its_command(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	port(&c, "16\n");
	put(&c, bf_diag_rules, "");
	bf_tty_diagnose(&c.diag, "/dev/ttyUSB0");
	expect(&c, "latency-timer", BF_SEVERITY_WARNING, "16 ms",
	       "echo 1 | sudo tee /sys/bus/usb-serial/devices/ttyUSB0/latency_timer");
	expect(&c, "udev-rules", BF_SEVERITY_NOTE, "not installed", "60-bmsflash.rules");
	done(&c);
}

static void a_port_of_root_alone_is_denied(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	port(&c, "1\n");
	allow(&c, "/dev/ttyUSB0", 0600);
	bf_tty_diagnose(&c.diag, "ttyUSB0");
	expect(&c, "permission", BF_SEVERITY_PROBLEM, "0600", "sudo chmod a+rw /dev/ttyUSB0");
	assert_null(find(&c, "holder"));
	done(&c);
}

static void who_holds_a_port_is_named(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	port(&c, "1\n");
	put(&c, "/proc/4711/comm", "picocom\n");
	point(&c, "/proc/4711/fd/3", "/dev/ttyUSB0");
	bf_tty_diagnose(&c.diag, NULL);
	expect(&c, "holder", BF_SEVERITY_PROBLEM, "'picocom' (pid 4711)", "kill 4711");
	done(&c);
}

static void modem_manager_is_a_warning_unless_the_rules_keep_it_off(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	port(&c, "1\n");
	put(&c, "/proc/88/comm", "ModemManager\n");
	bf_tty_diagnose(&c.diag, NULL);
	expect(&c, "modem-manager", BF_SEVERITY_WARNING, "pid 88",
	       "sudo systemctl stop ModemManager");
	c.n = 0;
	put(&c, "/usr/lib/udev/rules.d/60-bmsflash.rules", "");
	bf_tty_diagnose(&c.diag, NULL);
	expect(&c, "modem-manager", BF_SEVERITY_OK, "keep it off", NULL);
	done(&c);
}

static void an_adapter_without_a_port_names_the_module_or_brltty(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	adapter(&c, "1a86\n", "7523\n");
	bf_tty_diagnose(&c.diag, NULL);
	expect(&c, "kernel-module", BF_SEVERITY_PROBLEM, "CH340", "sudo modprobe ch341");
	c.n = 0;
	put(&c, "/usr/lib/udev/rules.d/85-brltty.rules", "");
	bf_tty_diagnose(&c.diag, NULL);
	expect(&c, "brltty", BF_SEVERITY_PROBLEM, "braille", "mask --now brltty");
	done(&c);
}

static void ports_that_are_rows_of_a_table_are_left_out(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	put(&c, "/sys/class/tty/ttyS3/device/uevent", "");
	put(&c, "/sys/class/tty/ttyS3/type", "0\n");
	put(&c, "/sys/class/tty/tty1/dev", "4:1\n");
	bf_tty_diagnose(&c.diag, NULL);
	expect(&c, "interface", BF_SEVERITY_NOTE, "no serial port", NULL);
	assert_int_equal(c.n, 1);
	c.n = 0;
	bf_tty_diagnose(&c.diag, "/dev/ttyUSB5");
	expect(&c, "interface", BF_SEVERITY_PROBLEM, "no such serial port", NULL);
	done(&c);
}

/* ---- CAN ---- */

static struct bf_can_info can0(void)
{
	return (struct bf_can_info){ .is_can = true,
				     .up = true,
				     .kind = "can",
				     .timed = true,
				     .txqueuelen = 1000,
				     .state = BF_BUS_ACTIVE,
				     .bitrate = 500000,
				     .restart_ms = 100 };
}

static bool healthy(const char *name, struct bf_can_info *ret)
{
	*ret = can0();
	return name[0];
}

static bool neglected(const char *name, struct bf_can_info *ret)
{
	*ret = can0();
	ret->up = false;
	ret->bitrate = 0;
	ret->txqueuelen = 10;
	return name[0];
}

static bool alone(const char *name, struct bf_can_info *ret)
{
	*ret = can0();
	ret->state = BF_BUS_PASSIVE;
	ret->tx_errors = 128;
	ret->restart_ms = 0;
	return name[0];
}

static bool shorted(const char *name, struct bf_can_info *ret)
{
	*ret = can0();
	ret->state = BF_BUS_OFF;
	ret->restart_ms = 0;
	return name[0];
}

static bool yes(void)
{
	return true;
}

static bool no(void)
{
	return false;
}

static void look_at_can(struct computer *c, bool (*query)(const char *, struct bf_can_info *),
			bool (*permitted)(void), const char *address)
{
	const struct bf_can_link_ops link = { .query = query, .permitted = permitted };

	init(c);
	put(c, "/sys/class/net/can0/type", "280\n");
	put(c, "/sys/class/net/eth0/type", "1\n");
	bf_can_diagnose(&c->diag, &link, address);
}

static void a_healthy_interface_is_ok_in_everything(void **state)
{
	struct computer c;

	(void)state;
	look_at_can(&c, healthy, yes, NULL);
	for (size_t i = 0; i < c.n; i++) {
		assert_int_equal(c.seen[i].severity, BF_SEVERITY_OK);
		assert_string_equal(c.seen[i].subject, "can0");
	}
	expect(&c, "bit-rate", BF_SEVERITY_OK, "500000 bit/s", NULL);
	expect(&c, "bus-state", BF_SEVERITY_OK, "termination", NULL);
	done(&c);
}

static void an_interface_that_was_never_set_up_comes_with_the_command(void **state)
{
	struct computer c;

	(void)state;
	look_at_can(&c, neglected, no, "can0");
	expect(&c, "interface-state", BF_SEVERITY_PROBLEM, "bit rate was never set",
	       "sudo ip link set can0 up type can bitrate 500000");
	expect(&c, "transmit-queue", BF_SEVERITY_NOTE, "10 frames",
	       "sudo ip link set can0 txqueuelen 1000");
	expect(&c, "permission", BF_SEVERITY_NOTE, "CAP_NET_ADMIN", "setcap");
	done(&c);
}

static void transmit_errors_say_that_nobody_acknowledges(void **state)
{
	struct computer c;

	(void)state;
	look_at_can(&c, alone, yes, NULL);
	expect(&c, "bus-state", BF_SEVERITY_WARNING, "nobody acknowledges", NULL);
	expect(&c, "restart", BF_SEVERITY_NOTE, "after bus-off", "restart-ms 100");
	done(&c);
}

static void bus_off_names_termination_and_the_restart(void **state)
{
	struct computer c;

	(void)state;
	look_at_can(&c, shorted, yes, NULL);
	expect(&c, "bus-state", BF_SEVERITY_PROBLEM, "60 ohm",
	       "sudo ip link set can0 type can restart");
	done(&c);
}

static void an_adapter_without_an_interface_names_its_module(void **state)
{
	const struct bf_can_link_ops link = { .query = healthy, .permitted = yes };
	struct computer c;

	(void)state;
	init(&c);
	put(&c, "/sys/bus/usb/devices/1-3/idVendor", "1d50\n");
	put(&c, "/sys/bus/usb/devices/1-3/idProduct", "606f\n");
	bf_can_diagnose(&c.diag, &link, "can0");
	expect(&c, "kernel-module", BF_SEVERITY_PROBLEM, "candleLight", "sudo modprobe gs_usb");
	expect(&c, "interface", BF_SEVERITY_PROBLEM, "no such network interface", NULL);
	done(&c);
}

/* ---- USB ---- */

/* A device with one DFU interface, in its loader. */
static void dfu_device(struct computer *c)
{
	static const uint8_t descriptors[] = {
		18,   1,    0,    2,    0, 0,    0, 64,   0x09,
		0x12, 1,    0,    0,    1, 0,    0, 0,    1,  /* device */
		9,    2,    27,   0,    1, 1,    0, 0x80, 50, /* config */
		9,    4,    0,    0,    0, 0xFE, 1, 2,    0,  /* DFU */
		9,    0x21, 0x0B, 0xE8, 3, 0,    8, 0x10, 1,
	};
	char path[512];
	FILE *f;

	put(c, "/sys/bus/usb/devices/1-2.4/idVendor", "1209\n");
	put(c, "/sys/bus/usb/devices/1-2.4/idProduct", "0001\n");
	put(c, "/sys/bus/usb/devices/1-2.4/bcdDevice", "0100\n");
	put(c, "/sys/bus/usb/devices/1-2.4/busnum", "1\n");
	put(c, "/sys/bus/usb/devices/1-2.4/devnum", "7\n");
	put(c, "/sys/bus/usb/devices/1-2.4/speed", "12\n");
	put(c, "/sys/bus/usb/devices/1-2.4/bConfigurationValue", "1\n");
	snprintf(path, sizeof(path), "%s/sys/bus/usb/devices/1-2.4/descriptors", c->root);
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(descriptors, 1, sizeof(descriptors), f);
	fclose(f);
	put(c, "/dev/bus/usb/001/007", "");
}

static void a_usb_device_of_root_alone_wants_the_rules(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	dfu_device(&c);
	put(&c, bf_diag_rules, "");
	allow(&c, "/dev/bus/usb/001/007", 0600);
	bf_usb_diagnose(&c.diag, NULL);
	expect(&c, "dfu-interface", BF_SEVERITY_OK, "in its loader", NULL);
	expect(&c, "permission", BF_SEVERITY_PROBLEM, "no udev rule", "60-bmsflash.rules");
	expect(&c, "hub", BF_SEVERITY_NOTE, "12 Mbit/s", NULL);
	done(&c);
}

static void a_device_of_another_tool_names_that_tool(void **state)
{
	static const struct {
		const char *vid, *pid, *tool;
	} rows[] = {
		{ "16c0\n", "0478\n", "teensy-loader-cli does" },
		{ "303a\n", "0009\n", "esptool does" },
		{ "2341\n", "0036\n", "avrdude does" },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct computer c;

		init(&c);
		dfu_device(&c);
		put(&c, "/sys/bus/usb/devices/1-2.4/idVendor", rows[i].vid);
		put(&c, "/sys/bus/usb/devices/1-2.4/idProduct", rows[i].pid);
		bf_usb_diagnose(&c.diag, NULL);
		expect(&c, "other-tool", BF_SEVERITY_NOTE, rows[i].tool, NULL);
		done(&c);
	}
}

static void a_usb_device_that_is_held_names_the_holder(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	dfu_device(&c);
	allow(&c, "/dev/bus/usb/001/007", 0666);
	put(&c, "/proc/99/comm", "dfu-util\n");
	point(&c, "/proc/99/fd/5", "/dev/bus/usb/001/007");
	bf_usb_diagnose(&c.diag, "usb:1209:0001");
	expect(&c, "holder", BF_SEVERITY_PROBLEM, "dfu-util", "kill 99");
	done(&c);
}

static void a_usb_device_that_is_not_there_is_a_problem_only_when_it_was_named(void **state)
{
	struct computer c;

	(void)state;
	init(&c);
	put(&c, "/sys/bus/usb/devices", NULL);
	bf_usb_diagnose(&c.diag, NULL);
	expect(&c, "interface", BF_SEVERITY_NOTE, "no USB device", NULL);
	c.n = 0;
	bf_usb_diagnose(&c.diag, "usb@1-9");
	expect(&c, "interface", BF_SEVERITY_PROBLEM, "no such USB device", NULL);
	c.n = 0;
	bf_usb_diagnose(&c.diag, "usb:zz");
	expect(&c, "interface", BF_SEVERITY_PROBLEM, "no USB address", NULL);
	done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_port_is_ok_in_everything),
		cmocka_unit_test(no_command_copies_rules_from_where_they_are_not),
		cmocka_unit_test(a_slow_latency_timer_comes_with_its_command),
		cmocka_unit_test(a_port_of_root_alone_is_denied),
		cmocka_unit_test(who_holds_a_port_is_named),
		cmocka_unit_test(modem_manager_is_a_warning_unless_the_rules_keep_it_off),
		cmocka_unit_test(an_adapter_without_a_port_names_the_module_or_brltty),
		cmocka_unit_test(ports_that_are_rows_of_a_table_are_left_out),
		cmocka_unit_test(a_healthy_interface_is_ok_in_everything),
		cmocka_unit_test(an_interface_that_was_never_set_up_comes_with_the_command),
		cmocka_unit_test(transmit_errors_say_that_nobody_acknowledges),
		cmocka_unit_test(bus_off_names_termination_and_the_restart),
		cmocka_unit_test(an_adapter_without_an_interface_names_its_module),
		cmocka_unit_test(a_usb_device_of_root_alone_wants_the_rules),
		cmocka_unit_test(a_device_of_another_tool_names_that_tool),
		cmocka_unit_test(a_usb_device_that_is_held_names_the_holder),
		cmocka_unit_test(
			a_usb_device_that_is_not_there_is_a_problem_only_when_it_was_named),
	};

	return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
