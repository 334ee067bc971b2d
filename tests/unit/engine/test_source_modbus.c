/* SPDX-License-Identifier: MIT */
/* Telemetry in Modbus registers: byte by byte on virtual time. */
#include "../unit.h"

#include "source/source.h"
#include "fake.h"

struct bench {
	struct bf_profile profile;
	struct bf_clock *clock;
	struct fake *peer;
	struct bf_transport *wire;
	struct bf_source *meter;
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
	assert_int_equal(bf_source_open(&b->profile, &b->wire, &b->meter, &b->err), BF_OK);
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
	bf_source_close(b->meter);
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
	assert_int_equal(bf_source_open(&b.profile, &wire, &b.meter, &b.err), BF_OK);
	assert_null(b.meter);
	assert_int_equal(bf_source_missing(&b.profile, wire, &b.err), BF_E_USAGE);
	assert_non_null(strstr(b.err.cause, "serial line"));
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
