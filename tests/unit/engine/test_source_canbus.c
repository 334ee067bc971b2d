/* SPDX-License-Identifier: MIT */
/* What packs broadcast to inverters, heard and never asked for. */
#include "../unit.h"

#include "source/source.h"
#include "fake.h"

struct bench {
	struct bf_clock *clock;
	struct fake *peer;
	struct bf_transport *wire;
	struct bf_source *meter;
	struct bf_measure m;
	struct bf_err err;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct bf_profile p;

	if (!b)
		return -1;
	bf_profile_default(&p);
	p.telemetry = BF_TELEMETRY_CAN_BROADCAST;
	bf_err_init(&b->err);
	b->clock = bf_vclock_new();
	b->peer = fake_bus_new(b->clock);
	b->wire = fake_transport(b->peer);
	if (bf_source_open(&p, &b->wire, &b->meter, &b->err))
		return -1;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	bf_transport_close(b->wire);
	bf_source_close(b->meter);
	fake_free(b->peer);
	bf_clock_free(b->clock);
	free(b);
	return 0;
}

static enum bf_rc reading(struct bench *b)
{
	b->m = (struct bf_measure){ 0 };
	bf_err_init(&b->err);
	return b->meter->ops->read(b->meter, b->wire, NULL, &b->m, &b->err);
}

static void frames_are_decoded_little_endian_with_sign(void **state)
{
	struct bench *b = *state;

	fake_say(b->peer, "351#4802FA00F4019001; 355#37006300; 356#A0140CFED8FF", 300);
	assert_int_equal(reading(b), BF_OK);
	assert_true(b->m.has_soc && b->m.has_pack && b->m.has_current && b->m.has_limits);
	assert_float_equal(b->m.soc, 55, 1e-9);
	assert_float_equal(b->m.pack_v, 52.80, 1e-9);
	assert_float_equal(b->m.current_a, -50.0, 1e-9);
	assert_int_equal(b->m.n_temps, 1);
	assert_float_equal(b->m.temp_c[0], -4.0, 1e-9);
	assert_float_equal(b->m.charge_v_max, 58.4, 1e-9);
	assert_float_equal(b->m.charge_a_max, 25, 1e-9);
	assert_float_equal(b->m.discharge_a_max, 50, 1e-9);
	assert_int_equal(b->m.n_cells, 0);
	assert_string_equal(fake_heard(b->peer), ""); /* nothing was sent */
}

static void frames_heard_by_others_before_count(void **state)
{
	struct bench *b = *state;
	struct bf_frame f;
	bf_time now;

	fake_say(b->peer, "355#3700; 356#A01400000000; 7E8#0250", 300);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(b->wire->ops->bus->recv(b->wire, &f, BF_SEC(1), &b->err), BF_OK);
	now = bf_now(b->clock);
	assert_int_equal(reading(b), BF_OK);
	assert_int_equal(bf_now(b->clock), now); /* nothing to wait for */
	assert_true(b->m.has_soc);
}

static void each_reading_wants_frames_of_its_own(void **state)
{
	struct bench *b = *state;

	fake_say(b->peer, "355#3700; 356#A01400000000", 300);
	fake_say(b->peer, "355#3800; 356#A01400000000", BF_SEC(1));
	assert_int_equal(reading(b), BF_OK);
	assert_float_equal(b->m.soc, 55, 1e-9);
	assert_int_equal(reading(b), BF_OK);
	assert_float_equal(b->m.soc, 56, 1e-9);
	assert_true(bf_now(b->clock) >= BF_SEC(1));
}

static void old_values_are_no_values(void **state)
{
	struct bench *b = *state;
	struct bf_frame f;

	fake_say(b->peer, "355#3700; 356#A01400000000", 300);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(b->wire->ops->bus->recv(b->wire, &f, BF_SEC(1), &b->err), BF_OK);
	assert_true(bf_clock_until(b->clock, BF_SEC(10)));
	assert_int_equal(reading(b), BF_E_TIMEOUT);
	assert_int_equal(bf_now(b->clock), BF_SEC(13));
	assert_non_null(strstr(b->err.cause, "0x355 or 0x356"));
	assert_true(b->err.n_likely > 0);
}

static void a_frame_that_is_missing_leaves_its_values_unknown(void **state)
{
	struct bench *b = *state;

	fake_say(b->peer, "356#A01400000000", BF_MS(1500));
	assert_int_equal(reading(b), BF_OK);
	assert_false(b->m.has_soc);
	assert_false(b->m.has_limits);
	assert_true(b->m.has_pack);
	fake_say(b->peer, "355#3700", BF_MS(1500));
	assert_int_equal(reading(b), BF_OK);
	assert_true(b->m.has_soc);
	assert_false(b->m.has_pack || b->m.has_current);
	assert_int_equal(b->m.n_temps, 0);
}

static void what_cannot_be_meant_is_not_taken(void **state)
{
	struct bench *b = *state;

	/* too short, 29 bits, above 100 % */
	fake_say(b->peer, "356#A0140000; 00000356#A01400000000; 355#6500", BF_MS(1500));
	assert_int_equal(reading(b), BF_OK);
	assert_false(b->m.has_soc);
	assert_false(b->m.has_pack);
}

static void an_interface_that_disappears_is_told_as_that(void **state)
{
	struct bench *b = *state;

	fake_gone_at(b->peer, BF_MS(500));
	assert_int_equal(reading(b), BF_E_GONE);
	assert_non_null(strstr(b->err.trail[0], "broadcasts"));
}

static void a_serial_line_has_no_broadcasts(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	struct bf_transport *wire = fake_transport(peer), *was = wire;
	struct bf_source *meter = NULL;
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	bf_profile_default(&p);
	bf_err_init(&err);
	p.telemetry = BF_TELEMETRY_CAN_BROADCAST;
	assert_int_equal(bf_source_open(&p, &wire, &meter, &err), BF_OK);
	assert_null(meter);
	assert_ptr_equal(wire, was);
	assert_int_equal(bf_source_missing(&p, wire, &err), BF_E_USAGE);
	assert_non_null(strstr(err.cause, "CAN bus"));
	assert_non_null(strstr(err.todo, "[telemetry]"));
	p.telemetry = BF_TELEMETRY_NONE;
	assert_int_equal(bf_source_open(&p, &wire, &meter, &err), BF_OK);
	assert_null(meter);
	assert_int_equal(bf_source_missing(&p, wire, &err), BF_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_are_decoded_little_endian_with_sign),
		TEST(frames_heard_by_others_before_count),
		TEST(each_reading_wants_frames_of_its_own),
		TEST(old_values_are_no_values),
		TEST(a_frame_that_is_missing_leaves_its_values_unknown),
		TEST(what_cannot_be_meant_is_not_taken),
		TEST(an_interface_that_disappears_is_told_as_that),
		cmocka_unit_test(a_serial_line_has_no_broadcasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
