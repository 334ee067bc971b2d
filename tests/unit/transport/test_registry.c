/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

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
	assert_non_null(strstr(err.likely[1], bf_drivers()[0]->address_help));
	assert_true(err.next[0]);
}

struct plug {
	char path[64];
	unsigned asked, plug_in_at;
	int master; /* of the terminal that is plugged in: one of our own, which nobody else locks */
};

static void plug_in(void *ctx, const char *what)
{
	struct plug *p = ctx;

	assert_non_null(strstr(what, p->path));
	if (++p->asked != p->plug_in_at)
		return;
	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(p->master >= 0 && unlockpt(p->master) == 0);
	assert_int_equal(symlink(ptsname(p->master), p->path), 0);
}

static struct bf_open_env waiting(struct plug *p, struct bf_clock *clock)
{
	snprintf(p->path, sizeof(p->path), "/tmp/bf-plug-%d", (int)getpid());
	unlink(p->path);
	return (struct bf_open_env){
		.clock = clock, .wait = BF_SEC(5), .alive = plug_in, .alive_ctx = p
	};
}

static bool has_serial(void)
{
	for (const struct bf_driver *const *d = bf_drivers(); *d; d++) {
		if ((*d)->match("/tmp/x"))
			return true;
	}
	return false;
}

static void a_port_that_is_not_there_is_waited_for_and_no_longer(void **state)
{
	struct bf_clock *clock = bf_vclock_new();
	struct plug p = { 0 };
	struct bf_open_env env = waiting(&p, clock);
	struct bf_transport *t = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	if (!has_serial())
		return; /* built without such ports */
	assert_int_equal(bf_transport_open(&env, p.path, &t, &err), BF_E_NODEV);
	assert_true(p.asked > 10);
	assert_in_range(bf_now(clock), BF_SEC(5), BF_SEC(6));
	assert_non_null(strstr(err.trail[err.n_trail - 1], "waiting 5 s"));
	env.wait = 0;
	assert_int_equal(bf_transport_open(&env, p.path, &t, &err), BF_E_IFACE);
	bf_clock_free(clock);
}

static void a_port_that_appears_is_opened(void **state)
{
	struct bf_clock *clock = bf_vclock_new();
	struct plug p = { .plug_in_at = 7 };
	struct bf_open_env env = waiting(&p, clock);
	struct bf_transport *t = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	if (!has_serial())
		return; /* built without such ports */
	env.line.baud = 115200;
	assert_int_equal(bf_transport_open(&env, p.path, &t, &err), BF_OK);
	assert_int_equal(p.asked, 7);
	bf_transport_close(t);
	close(p.master);
	unlink(p.path);
	bf_clock_free(clock);
}

static void a_cancellation_ends_the_wait(void **state)
{
	struct bf_clock *clock = bf_vclock_new();
	struct plug p = { 0 };
	struct bf_open_env env = waiting(&p, clock);
	struct bf_transport *t = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	if (!has_serial())
		return; /* built without such ports */
	clock->cancelled = true;
	assert_int_equal(bf_transport_open(&env, p.path, &t, &err), BF_E_INTERRUPTED);
	bf_clock_free(clock);
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

static bool has_sim(void)
{
	for (const struct bf_driver *const *d = bf_drivers(); *d; d++) {
		if (strcmp((*d)->name, "sim") == 0)
			return true;
	}
	return false;
}

static void a_rate_that_a_wire_does_not_have_is_refused(void **state)
{
	static const struct {
		const char *address;
		uint32_t bitrate, baud;
		enum bf_rc want;
	} rows[] = {
		{ "sim:link=rs485", 250000, 0, BF_E_USAGE },
		{ "sim:link=rs485", 0, 9600, BF_OK },
		{ "sim", 0, 9600, BF_E_USAGE },
		{ "sim", 250000, 0, BF_OK },
		{ "sim:protocol=dfu", 250000, 0, BF_E_USAGE },
		{ "sim:protocol=dfu", 0, 9600, BF_E_USAGE },
		{ "fault:drop=1%:sim", 0, 9600, BF_E_USAGE },
	};

	(void)state;
	if (!has_sim())
		return; /* nothing to open */
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		BF_AUTO(bf_clock) *clock = bf_clock_real_new(-1);
		BF_AUTO(bf_transport) *t = NULL;
		const struct bf_open_env env = {
			.clock = clock,
			.bitrate = rows[i].bitrate,
			.line = { .baud = rows[i].baud },
			.baud_asked = rows[i].baud != 0,
		};
		struct bf_err err;

		assert_int_equal(bf_transport_open(&env, rows[i].address, &t, &err), rows[i].want);
		if (rows[i].want)
			assert_non_null(strstr(err.cause, "has no meaning on"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_that_a_wire_does_not_have_is_refused),
		cmocka_unit_test(every_driver_says_what_it_is),
		cmocka_unit_test(an_unknown_address_tells_what_addresses_look_like),
		cmocka_unit_test(a_port_that_is_not_there_is_waited_for_and_no_longer),
		cmocka_unit_test(a_port_that_appears_is_opened),
		cmocka_unit_test(a_cancellation_ends_the_wait),
		cmocka_unit_test(a_fault_prefix_ends_where_the_address_begins),
		cmocka_unit_test(a_mistake_in_a_fault_prefix_is_found_before_anything_is_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
