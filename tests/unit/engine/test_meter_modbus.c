/* SPDX-License-Identifier: MIT */
/* Telemetry in Modbus registers: byte by byte on virtual time, and against a real server on a pty. */
#include "../unit.h"

#include <fcntl.h>
#include <modbus.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "engine/meter.h"
#include "fake.h"

struct bench {
	struct bf_profile profile;
	struct bf_clock *clock;
	struct fake *peer;
	struct bf_transport *wire;
	struct bf_meter *meter;
	struct bf_measure m;
	struct bf_err err;
};

static void read_profile(struct bench *b, const char *text)
{
	bf_err_init(&b->err);
	bf_profile_default(&b->profile);
	if (bf_profile_parse(text, strlen(text), "m.ini", &b->profile, &b->err))
		fail_msg("%s", b->err.cause);
}

/* One quantity at most, so that one exchange is one reading. */
static void start(struct bench *b, const char *text)
{
	*b = (struct bench){ .clock = bf_vclock_new() };
	read_profile(b, text);
	b->peer = fake_stream_new(b->clock);
	b->wire = fake_transport(b->peer);
	assert_int_equal(bf_meter_open(&b->profile, &b->wire, &b->meter, &b->err), BF_OK);
	assert_non_null(b->meter);
}

static enum bf_rc reading(struct bench *b)
{
	b->m = (struct bf_measure){ 0 };
	bf_err_init(&b->err);
	return b->meter->ops->read(b->meter, b->wire, NULL, &b->m, &b->err);
}

static void stop(struct bench *b)
{
	bf_transport_close(b->wire);
	bf_meter_close(b->meter);
	fake_free(b->peer);
	bf_clock_free(b->clock);
}

#define SOURCE  "[telemetry]\nsource = modbus\n"
#define SOC     SOURCE "[quantity soc]\nregister = 100\n"
#define ASK_SOC "01 04 00 64 00 01 70 15"
#define SOC_55  "01 04 02 02 26 39 8A"

static void a_register_is_read_and_scaled(void **state)
{
	struct bench b;

	(void)state;
	start(&b, SOC);
	fake_once(b.peer, ASK_SOC, SOC_55, BF_MS(20));
	assert_int_equal(reading(&b), BF_OK);
	assert_true(b.m.has_soc);
	assert_float_equal(b.m.soc, 55.0, 1e-9);
	assert_false(b.m.has_pack || b.m.has_current || b.m.n_cells);
	assert_int_equal(fake_unused(b.peer), 0);
	stop(&b);
}

static void two_registers_make_a_signed_number_low_half_first(void **state)
{
	struct bench b;

	(void)state;
	start(&b, SOURCE "[modbus]\nlow-first = yes\n[quantity current]\nregister = 10\n");
	fake_once(b.peer, "01 04 00 0A 00 02 51 C9", "01 04 04 FE 0C FF FF 0B DF", BF_MS(5));
	assert_int_equal(reading(&b), BF_OK);
	assert_true(b.m.has_current);
	assert_float_equal(b.m.current_a, -0.5, 1e-9);
	stop(&b);
}

static void cells_come_in_one_request_from_the_table_and_node_of_the_profile(void **state)
{
	struct bench b;

	(void)state;
	start(&b, SOURCE "[modbus]\nnode = 7\ntable = holding\n"
			 "[quantity cell-voltage]\nregister = 0\ncount = 4\n");
	fake_once(b.peer, "07 03 00 00 00 04 44 6F", "07 03 08 0C E4 0C E5 0C E6 0C E7 C5 F3",
		  BF_MS(5));
	assert_int_equal(reading(&b), BF_OK);
	assert_int_equal(b.m.n_cells, 4);
	assert_float_equal(b.m.cell_v[0], 3.300, 1e-9);
	assert_float_equal(b.m.cell_v[3], 3.303, 1e-9);
	stop(&b);
}

static void silence_is_asked_twice_and_then_told_with_node_and_register(void **state)
{
	struct bench b;

	(void)state;
	start(&b, SOC "[modbus]\ntimeout-ms = 200\n");
	assert_int_equal(reading(&b), BF_E_TIMEOUT);
	assert_non_null(strstr(b.err.cause, "node 1"));
	assert_non_null(strstr(b.err.cause, "register 100"));
	assert_non_null(strstr(b.err.cause, "200 ms"));
	assert_true(b.err.n_likely > 0);
	assert_string_equal(fake_heard(b.peer), "0104006400017015\n0104006400017015\n");
	assert_in_range(bf_now(b.clock), BF_MS(400), BF_MS(420));
	stop(&b);
}

static void a_damaged_answer_is_asked_for_again(void **state)
{
	struct bench b;

	(void)state;
	start(&b, SOC);
	fake_once(b.peer, ASK_SOC, "01 04 02 02 27 39 8A", BF_MS(5));
	fake_once(b.peer, ASK_SOC, SOC_55, BF_MS(5));
	assert_int_equal(reading(&b), BF_OK);
	assert_true(b.m.has_soc);
	assert_int_equal(fake_unused(b.peer), 0);
	fake_on(b.peer, ASK_SOC, "01 04 02 02 27 39 8A", BF_MS(5));
	assert_int_equal(reading(&b), BF_E_LINK);
	assert_non_null(strstr(b.err.cause, "damaged"));
	stop(&b);
}

static void the_answer_of_another_node_is_none(void **state)
{
	struct bench b;

	(void)state;
	start(&b, SOC);
	fake_on(b.peer, ASK_SOC, "02 04 02 02 26 7D 8A", BF_MS(5));
	assert_int_equal(reading(&b), BF_E_LINK);
	assert_false(b.m.has_soc);
	stop(&b);
}

static void a_register_that_the_pack_has_not_stays_unknown(void **state)
{
	struct bench b;

	(void)state;
	start(&b, SOC);
	fake_on(b.peer, ASK_SOC, "01 84 02 C2 C1", BF_MS(5));
	assert_int_equal(reading(&b), BF_OK);
	assert_false(b.m.has_soc);
	stop(&b);
}

static void a_refusal_carries_the_code_of_the_pack(void **state)
{
	struct bench b;

	(void)state;
	start(&b, SOC);
	fake_on(b.peer, ASK_SOC, "01 84 04 42 C3", BF_MS(5));
	assert_int_equal(reading(&b), BF_E_NAK);
	assert_true(b.err.dev_refused);
	assert_int_equal(b.err.dev_code, 4);
	assert_true(b.err.dev_name[0]);
	stop(&b);
}

static void bytes_from_before_the_request_are_dropped(void **state)
{
	struct bench b;

	(void)state;
	start(&b, SOC);
	fake_say(b.peer, "FF 00 01 84", 1);
	assert_true(bf_clock_until(b.clock, BF_MS(10)));
	fake_once(b.peer, ASK_SOC, SOC_55, BF_MS(5));
	assert_int_equal(reading(&b), BF_OK);
	assert_true(b.m.has_soc);
	stop(&b);
}

static void a_bus_has_no_registers(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	struct bf_transport *wire = fake_transport(peer);
	struct bench b = { 0 };

	(void)state;
	read_profile(&b, SOC);
	assert_int_equal(bf_meter_open(&b.profile, &wire, &b.meter, &b.err), BF_OK);
	assert_null(b.meter);
	assert_int_equal(bf_meter_missing(&b.profile, wire, &b.err), BF_E_USAGE);
	assert_non_null(strstr(b.err.cause, "serial line"));
}

/* ---- against libmodbus's own server ---- */

/* Answers until the other end goes away. Never returns. */
static void serve(int fd)
{
	uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
	modbus_t *ctx = modbus_new_rtu("unused", 9600, 'N', 8, 1);
	modbus_mapping_t *map = modbus_mapping_new(0, 0, 0, 128);
	static const uint16_t values[] = { 528, 0xFFFF, 0xFE0C, 550, 250, 0xFFF6 };

	alarm(20);
	for (size_t i = 0; i < BF_COUNT(values); i++)
		map->tab_input_registers[i] = values[i];
	for (unsigned i = 0; i < 16; i++)
		map->tab_input_registers[32 + i] = (uint16_t)(3300 + i);
	modbus_set_slave(ctx, 5);
	modbus_set_socket(ctx, fd);
	modbus_set_indication_timeout(ctx, 10, 0);
	for (;;) {
		int n = modbus_receive(ctx, query);

		if (n > 0)
			modbus_reply(ctx, query, n, map);
		else if (n < 0)
			_exit(0);
	}
}

/* The master side of a new pty, raw; its other end stays open in the parent until the driver has it. */
static int make_pty(char *dst, size_t cap)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;

	assert_true(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
	assert_int_equal(ptsname_r(fd, dst, cap), 0);
	assert_int_equal(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
	return fd;
}

static void a_real_server_is_read_over_the_port_that_we_hold(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(-1);
	struct bf_open_env env = { .clock = clock };
	struct bench b = { 0 };
	char path[64];
	int fd = make_pty(path, sizeof(path));
	pid_t child;

	(void)state;
	read_profile(&b, SOURCE "[modbus]\nnode = 5\ntimeout-ms = 5000\n"
				"[quantity pack-voltage]\nregister = 0\nwidth = 2\nscale = 0.1\n"
				"[quantity current]\nregister = 1\n"
				"[quantity soc]\nregister = 3\n"
				"[quantity temperature]\nregister = 4\ncount = 2\n"
				"[quantity cell-voltage]\nregister = 32\ncount = 16\n"
				"[quantity balancing]\nregister = 1000\nwidth = 2\n");
	if (bf_transport_open(&env, path, &b.wire, &b.err))
		fail_msg("%s", b.err.cause);
	child = fork();
	if (child == 0)
		serve(fd);
	close(fd);
	assert_int_equal(bf_meter_open(&b.profile, &b.wire, &b.meter, &b.err), BF_OK);
	for (unsigned i = 0; i < 3; i++) {
		if (reading(&b))
			fail_msg("%s", b.err.cause);
		assert_float_equal(b.m.pack_v, 52.8, 1e-9);
		assert_float_equal(b.m.current_a, -0.5, 1e-9);
		assert_float_equal(b.m.soc, 55.0, 1e-9);
		assert_int_equal(b.m.n_temps, 2);
		assert_float_equal(b.m.temp_c[1], -1.0, 1e-9);
		assert_int_equal(b.m.n_cells, 16);
		assert_float_equal(b.m.cell_v[15], 3.315, 1e-9);
		assert_false(b.m.has_balancing); /* beyond the server's table */
	}
	bf_transport_close(b.wire);
	bf_meter_close(b.meter);
	kill(child, SIGTERM);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_register_is_read_and_scaled),
		cmocka_unit_test(two_registers_make_a_signed_number_low_half_first),
		cmocka_unit_test(cells_come_in_one_request_from_the_table_and_node_of_the_profile),
		cmocka_unit_test(silence_is_asked_twice_and_then_told_with_node_and_register),
		cmocka_unit_test(a_damaged_answer_is_asked_for_again),
		cmocka_unit_test(the_answer_of_another_node_is_none),
		cmocka_unit_test(a_register_that_the_pack_has_not_stays_unknown),
		cmocka_unit_test(a_refusal_carries_the_code_of_the_pack),
		cmocka_unit_test(bytes_from_before_the_request_are_dropped),
		cmocka_unit_test(a_bus_has_no_registers),
		cmocka_unit_test(a_real_server_is_read_over_the_port_that_we_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
