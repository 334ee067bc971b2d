/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/transport.h"
#include "transport/fault.h"

static void every_driver_says_what_it_is(void **state)
{
	(void)state;
	for (const struct bf_driver *const *d = bf_drivers(); *d; d++) {
		assert_true((*d)->name[0]);
		assert_true((*d)->summary[0]);
		assert_true((*d)->address_help[0]);
		assert_non_null((*d)->match);
		assert_non_null((*d)->open);
		assert_false((*d)->match("?nothing"));
	}
}

static void an_unknown_address_tells_what_addresses_look_like(void **state)
{
	struct bf_open_env env = { 0 };
	struct bf_transport *t;
	struct bf_err err;

	(void)state;
	if (!bf_drivers()[0])
		return; /* built without any */
	assert_int_equal(bf_transport_open(&env, "?nothing", &t, &err), BF_E_IFACE);
	assert_non_null(strstr(err.cause, "'?nothing'"));
	assert_non_null(strstr(err.cause, bf_drivers()[0]->address_help));
	assert_true(err.next[0]);
}

static void a_fault_prefix_ends_where_the_address_begins(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = {
		{ "drop=1%:can0", 7 },
		{ "delay=2%:5ms:can0", 12 },
		{ "delay=2%:5ms,drop=1%:usb:1209:0001", 20 },
		{ "drop=1%,delay=2%:10us:/dev/serial/by-path/pci-0:1", 21 },
		{ "delay=2%:5ms:0", 12 },
		{ "drop=1%", 7 },
		{ ":can0", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++)
		assert_int_equal(bf_fault_spec_len(rows[i].text), rows[i].len);
}

static void a_mistake_in_a_fault_prefix_is_found_before_anything_is_opened(void **state)
{
	static const struct {
		const char *address, *says;
	} rows[] = {
		{ "fault:drip=1%:?nothing", "at character 1" },
		{ "fault:drop=1%", "names no interface" },
		{ "fault:drop=1%:?nothing", "'?nothing'" },
	};
	struct bf_open_env env = { 0 };
	struct bf_transport *t;
	struct bf_err err;

	(void)state;
	if (!bf_drivers()[0])
		return; /* built without any */
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		assert_int_not_equal(bf_transport_open(&env, rows[i].address, &t, &err), BF_OK);
		assert_non_null(strstr(err.cause, rows[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_driver_says_what_it_is),
		cmocka_unit_test(an_unknown_address_tells_what_addresses_look_like),
		cmocka_unit_test(a_fault_prefix_ends_where_the_address_begins),
		cmocka_unit_test(a_mistake_in_a_fault_prefix_is_found_before_anything_is_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
