/* SPDX-License-Identifier: MIT */
/* The bus as sysfs shows it, and the descriptors in there. */
#include "../unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/usb_priv.h"

/* A device with two configurations; the second has a DFU interface in DFU mode. */
static const uint8_t descriptors[] = {
	/* 0x00 device */
	18, 1, 0, 2, 0, 0, 0, 64, 0x34, 0x12, 2, 0, 0, 1, 1, 2, 3, 2,
	/* 0x12 configuration 1, 18 bytes: a vendor interface */
	9, 2, 18, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 0, 0xFF, 0, 0, 0,
	/* 0x24 configuration 2, 27 bytes: DFU, with its functional descriptor */
	9, 2, 27, 0, 1, 2, 0, 0x80, 50, 9, 4, 0, 0, 0, 0xFE, 1, 2, 0, 9, 0x21, 0x0B, 0xFF, 0, 0, 8,
	0x1A, 1
};
#define DESCRIPTORS_DFU_AT 36

static const char *const files[] = { "idVendor",   "idProduct",    "bcdDevice",
				     "busnum",     "devnum",       "serial",
				     "product",    "manufacturer", "bConfigurationValue",
				     "descriptors" };

static void put_file(const char *folder, const char *name, const void *p, size_t n)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

static void put_text(const char *folder, const char *name, const char *text)
{
	put_file(folder, name, text, strlen(text));
}

static void put_device(const char *root, const char *name, const char *config_value)
{
	char folder[200];

	snprintf(folder, sizeof(folder), "%s/bus/usb/devices/%s", root, name);
	assert_int_equal(mkdir(folder, 0700), 0);
	put_text(folder, "idVendor", "1234\n");
	put_text(folder, "idProduct", "df11\n");
	put_text(folder, "bcdDevice", "0100\n");
	put_text(folder, "busnum", "1\n");
	put_text(folder, "devnum", "42\n");
	put_text(folder, "serial", "PACK 7\n");
	put_text(folder, "product", "BMS\n");
	put_text(folder, "bConfigurationValue", config_value);
	put_file(folder, "descriptors", descriptors, sizeof(descriptors));
}

static const char *const folders[] = { "/bus/usb/devices/1-2.4",
				       "/bus/usb/devices/1-10",
				       "/bus/usb/devices/usb1",
				       "/bus/usb/devices/1-2.4:1.0",
				       "/bus/usb/devices/1-9",
				       "/bus/usb/devices",
				       "/bus/usb",
				       "/bus",
				       "" };

static int tree_up(void **state)
{
	char *root = strdup("/tmp/bmsflash-test-XXXXXX");
	char path[256];

	assert_non_null(mkdtemp(root));
	for (size_t i = BF_COUNT(folders) - 1; i-- > 2;) {
		snprintf(path, sizeof(path), "%s%s", root, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	put_device(root, "1-10", "1\n");
	put_device(root, "1-2.4", "2\n");
	*state = root;
	return 0;
}

static int tree_down(void **state)
{
	char *root = *state;
	char path[300];

	for (size_t i = 0; i < BF_COUNT(folders); i++) {
		for (size_t k = 0; k < BF_COUNT(files); k++) {
			snprintf(path, sizeof(path), "%s%s/%s", root, folders[i], files[k]);
			unlink(path);
		}
		snprintf(path, sizeof(path), "%s%s", root, folders[i]);
		assert_int_equal(rmdir(path), 0);
	}
	free(root);
	return 0;
}

static void devices_are_read_in_the_order_of_their_ports(void **state)
{
	struct bf_usb_seen seen[4];

	/* Root hubs, interfaces, and a device that is just leaving (1-9) are not listed. */
	assert_int_equal(bf_usb_scan(*state, seen, 4), 2);
	assert_string_equal(seen[0].path, "1-2.4");
	assert_int_equal(seen[0].vid, 0x1234);
	assert_int_equal(seen[0].pid, 0xDF11);
	assert_int_equal(seen[0].bcd_device, 0x0100);
	assert_int_equal(seen[0].bus, 1);
	assert_int_equal(seen[0].address, 42);
	assert_string_equal(seen[0].serial, "PACK 7");
	assert_string_equal(seen[0].manufacturer, "");
	assert_int_equal(seen[0].dfu, BF_USB_DFU_MODE);
	assert_string_equal(seen[1].path, "1-10");
	assert_int_equal(seen[1].dfu, BF_USB_NO_DFU);
	assert_int_equal(bf_usb_scan(*state, seen, 1), 1);
	assert_int_equal(bf_usb_scan("/nonexistent", seen, 4), 0);
}

static void the_active_configuration_is_cut_out(void **state)
{
	uint8_t config[64];

	assert_int_equal(bf_usb_read_config(*state, "1-2.4", config, sizeof(config)), 27);
	assert_memory_equal(config, descriptors + DESCRIPTORS_DFU_AT, 27);
	assert_int_equal(bf_usb_read_config(*state, "1-2.4", config, 26), 0);
	assert_int_equal(bf_usb_read_config(*state, "1-9", config, sizeof(config)), 0);
}

static void an_unconfigured_device_has_no_configuration(void **state)
{
	struct bf_usb_seen seen[2];
	char folder[200];
	uint8_t config[64];

	snprintf(folder, sizeof(folder), "%s/bus/usb/devices/1-2.4", (char *)*state);
	assert_int_equal(bf_usb_scan(*state, seen, 2), 2);
	assert_false(seen[0].bare);
	put_text(folder, "bConfigurationValue", "\n");
	assert_int_equal(bf_usb_read_config(*state, "1-2.4", config, sizeof(config)), 0);
	assert_int_equal(bf_usb_scan(*state, seen, 2), 2);
	assert_true(seen[0].bare);
}

static void damaged_descriptors_end_the_walk(void **state)
{
	size_t len;

	(void)state;
	for (size_t n = 0; n < sizeof(descriptors); n++) {
		uint8_t *copy = malloc(n ? n : 1); /* the sanitizer watches its end */

		memcpy(copy, descriptors, n);
		assert_null(bf_usb_find_config(copy, n, 2, &len));
		if (n > DESCRIPTORS_DFU_AT)
			(void)bf_usb_dfu_of(copy + DESCRIPTORS_DFU_AT, n - DESCRIPTORS_DFU_AT);
		free(copy);
	}
	assert_null(bf_usb_find_config(descriptors, sizeof(descriptors), 3, &len));
	assert_int_equal(bf_usb_dfu_of((const uint8_t[]){ 0, 4, 1 }, 3), BF_USB_NO_DFU);
}

static void dfu_mode_wins_over_runtime(void **state)
{
	uint8_t config[18] = { 9, 4, 0, 0, 0, 0xFE, 1, 1, 0, 9, 4, 1, 0, 0, 0xFE, 1, 2, 0 };

	(void)state;
	/* class at 5, subclass at 6, protocol at 7 of each interface */
	assert_int_equal(bf_usb_dfu_of(config, 9), BF_USB_DFU_RUNTIME);
	assert_int_equal(bf_usb_dfu_of(config, 18), BF_USB_DFU_MODE);
}

static void strings_become_utf8(void **state)
{
	static const uint8_t text[] = { 14,   3,    'B',  0,    0xE4, 0, /* a with dots */
					0xAC, 0x20,                      /* euro */
					0x3D, 0xD8, 0x0B, 0xDD,          /* a battery, as a pair */
					0x3D, 0xD8 };                    /* half a pair */
	static const uint8_t control[] = { 4, 3, 0x1B, 0 };
	char dst[32], small[5];

	(void)state;
	assert_true(bf_usb_utf8(text, sizeof(text), dst, sizeof(dst)));
	assert_string_equal(dst, "B\xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x8B\xEF\xBF\xBD");
	assert_true(bf_usb_utf8(text, sizeof(text), small, sizeof(small)));
	assert_string_equal(small, "B\xC3\xA4"); /* cut between characters */
	assert_true(bf_usb_utf8(control, sizeof(control), dst, sizeof(dst)));
	assert_string_equal(dst, "\xEF\xBF\xBD");
}

static void what_is_no_string_descriptor_is_refused(void **state)
{
	char dst[8];

	(void)state;
	assert_false(bf_usb_utf8((const uint8_t *)"\x04\x02x\0", 4, dst, sizeof(dst)));
	/* announced longer than it came */
	assert_true(bf_usb_utf8((const uint8_t *)"\x06\x03x\0", 4, dst, sizeof(dst)));
	assert_string_equal(dst, "x");
	/* CSI, and the mark that turns the direction of writing round */
	assert_true(bf_usb_utf8((const uint8_t *)"\x06\x03\x9b\0\x2e\x20", 6, dst, sizeof(dst)));
	assert_string_equal(dst, "\xEF\xBF\xBD\xEF\xBF\xBD");
	assert_false(bf_usb_utf8((const uint8_t *)"\x02", 1, dst, sizeof(dst)));
	assert_true(bf_usb_utf8((const uint8_t *)"\x02\x03", 2, dst, sizeof(dst)));
	assert_string_equal(dst, "");
}

static void a_node_is_named_with_three_digits(void **state)
{
	char node[40];

	(void)state;
	assert_string_equal(bf_usb_node(node, sizeof(node), 1, 42), "/dev/bus/usb/001/042");
}

#define ON_TREE(f) cmocka_unit_test_setup_teardown(f, tree_up, tree_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TREE(devices_are_read_in_the_order_of_their_ports),
		ON_TREE(the_active_configuration_is_cut_out),
		ON_TREE(an_unconfigured_device_has_no_configuration),
		cmocka_unit_test(damaged_descriptors_end_the_walk),
		cmocka_unit_test(dfu_mode_wins_over_runtime),
		cmocka_unit_test(strings_become_utf8),
		cmocka_unit_test(what_is_no_string_descriptor_is_refused),
		cmocka_unit_test(a_node_is_named_with_three_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
