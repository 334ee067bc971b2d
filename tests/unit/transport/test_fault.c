/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>

#include "fake.h"

static void a_specification_is_read_whole_or_refused_with_the_place(void **state)
{
	static const struct {
		const char *spec, *says;
	} bad[] = {
		{ "", "at character 1" },
		{ "drop", "at character 1" },
		{ "drop=", "a number at character 6" },
		{ "drop=1", "'%' after the share at character 7" },
		{ "drop=101%", "at most 100%" },
		{ "drop=100.5%", "at most 100%" },
		{ "drop=1%,", "at character 9" },
		{ "drop=1%;dup=1%", "',' or the end at character 8" },
		{ "seed=7,delay=2%", "':' and the time" },
		{ "delay=2%:5", "a unit" },
		{ "cut=-1", "a number at character 5" },
		{ "seed=99999999999999999999", "a smaller number" },
		{ "noise=1%", "one of seed=" },
	};
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct bf_err err;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		BF_AUTO(fake) *peer = fake_stream_new(clock);
		struct bf_transport *t;

		assert_int_equal(bf_fault_wrap(fake_transport(peer), bad[i].spec, &t, &err),
				 BF_E_USAGE);
		assert_non_null(strstr(err.cause, bad[i].says));
		assert_true(fake_closed(peer));
	}
}

static struct bf_transport *wrap(struct fake *peer, const char *spec)
{
	struct bf_transport *t;
	struct bf_err err;

	assert_int_equal(bf_fault_wrap(fake_transport(peer), spec, &t, &err), BF_OK);
	return t;
}

/* What of 200 frames arrives at the peer, and what comes back. */
static char *run_bus(const char *spec)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	BF_AUTO(bf_transport) *t = wrap(peer, spec);
	char text[FAKE_FRAME_TEXT];
	struct bf_frame got;
	struct bf_err err;
	char *all;

	fake_on(peer, "7E0#*", "7E8#0102030405060708", 100);
	for (uint8_t i = 0; i < 200; i++) {
		struct bf_frame f = { .id = 0x7E0, .len = 8, .data = { i } };

		assert_int_equal(t->ops->bus->send(t, &f, BF_NEVER, &err), BF_OK);
		while (t->ops->bus->recv(t, &got, bf_in(clock, 150), &err) == BF_OK) {
			fake_frame_text(&got, text);
			assert_true(got.len <= 8);
		}
	}
	if (asprintf(&all, "%lld %llu\n%s", (long long)bf_now(clock),
		     (unsigned long long)t->stats.rx_frames, fake_heard(peer)) < 0)
		abort();
	return all;
}

static void the_same_seed_gives_the_same_faults(void **state)
{
	static const char spec[] = "seed=7,drop=5%,flip=5%,dup=5%,trunc=5%,delay=5%:1ms";
	BF_AUTO_MEM char *a = run_bus(spec);
	BF_AUTO_MEM char *b = run_bus(spec);
	BF_AUTO_MEM char *c = run_bus("seed=8,drop=5%,flip=5%,dup=5%,trunc=5%,delay=5%:1ms");
	BF_AUTO_MEM char *clean = run_bus("seed=7");

	(void)state;
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_string_not_equal(a, clean);
	assert_int_equal(strncmp(clean, "50000 200\n", 10), 0);
}

static void a_damaged_frame_is_lost_and_counted(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	BF_AUTO(bf_transport) *t = wrap(peer, "flip=100%");
	struct bf_frame f = { .id = 1 };
	struct bf_err err;

	(void)state;
	fake_say(peer, "7E8#00", 10);
	assert_int_equal(t->ops->bus->send(t, &f, BF_NEVER, &err), BF_OK);
	assert_int_equal(t->ops->bus->recv(t, &f, 100, &err), BF_E_TIMEOUT);
	assert_string_equal(fake_heard(peer), "");
	assert_int_equal(t->stats.line_errors, 2);
}

static void a_flip_on_a_stream_changes_exactly_one_bit(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	BF_AUTO(bf_transport) *t = wrap(peer, "flip=100%");
	const uint8_t zeros[8] = { 0 };
	uint8_t got[8];
	unsigned bits = 0;
	struct bf_err err;
	size_t n;

	(void)state;
	fake_say_bytes(peer, zeros, 8, 10);
	assert_int_equal(t->ops->stream->read(t, got, 8, &n, BF_NEVER, &err), BF_OK);
	assert_int_equal(n, 8);
	for (size_t i = 0; i < n; i++)
		bits += (unsigned)__builtin_popcount(got[i]);
	assert_int_equal(bits, 1);
	assert_int_equal(t->ops->stream->write(t, zeros, 8, BF_NEVER, &err), BF_OK);
	assert_string_not_equal(fake_heard(peer), "0000000000000000\n");
}

static void a_flip_that_parity_shows_loses_its_byte(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	BF_AUTO(bf_transport) *t = wrap(peer, "flip=100%");
	const struct bf_line even = {
		.baud = 115200, .parity = BF_PARITY_EVEN, .data_bits = 8, .stop_bits = 1
	};
	const uint8_t zeros[8] = { 0 };
	uint8_t got[8];
	struct bf_err err;
	size_t n;

	(void)state;
	assert_int_equal(t->ops->stream->set_line(t, &even, &err), BF_OK);
	fake_say_bytes(peer, zeros, 8, 10);
	assert_int_equal(t->ops->stream->read(t, got, 8, &n, BF_NEVER, &err), BF_OK);
	assert_int_equal(n, 7);
	assert_memory_equal(got, zeros, 7);
}

static void a_repeated_read_comes_twice_also_in_small_pieces(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	BF_AUTO(bf_transport) *t = wrap(peer, "dup=100%");
	uint8_t all[7] = { 0 };
	struct bf_err err;
	size_t n, at = 0;

	(void)state;
	fake_say(peer, "01 02 03", 10);
	while (at < 6) {
		assert_int_equal(t->ops->stream->read(t, all + at, 2, &n, 100, &err), BF_OK);
		at += n;
	}
	assert_memory_equal(all, "\1\2\3\1\2\3", 6);
	assert_int_equal(t->ops->stream->read(t, all, 2, &n, 100, &err), BF_E_TIMEOUT);
}

static void a_delay_shifts_what_is_heard_and_keeps_it(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	BF_AUTO(bf_transport) *t = wrap(peer, "delay=100%:5ms");
	struct bf_err err;
	uint8_t got[4];
	size_t n;

	(void)state;
	fake_say(peer, "AA", BF_MS(1));
	assert_int_equal(t->ops->stream->read(t, got, 4, &n, BF_MS(3), &err), BF_E_TIMEOUT);
	assert_int_equal(bf_now(clock), BF_MS(3));
	assert_int_equal(t->ops->stream->read(t, got, 4, &n, BF_NEVER, &err), BF_OK);
	assert_int_equal(bf_now(clock), BF_MS(6));
}

static void a_cut_wire_stays_cut(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	BF_AUTO(bf_transport) *t = wrap(peer, "cut=2");
	struct bf_err err;
	uint8_t b = 1;
	size_t n;

	(void)state;
	assert_int_equal(t->ops->stream->write(t, &b, 1, BF_NEVER, &err), BF_OK);
	assert_int_equal(t->ops->stream->write(t, &b, 1, BF_NEVER, &err), BF_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(t->ops->stream->write(t, &b, 1, BF_NEVER, &err), BF_E_GONE);
		assert_int_equal(t->ops->stream->read(t, &b, 1, &n, BF_NEVER, &err), BF_E_GONE);
	}
	assert_non_null(strstr(err.cause, "after 2 messages"));
}

static void an_unplugged_wire_can_be_opened_again_when_its_time_has_come(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	BF_AUTO(bf_transport) *t = wrap(peer, "unplug=2:3s");
	struct bf_err err;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(t->ops->stream->write(t, (const uint8_t *)"x", 1, BF_NEVER, &err),
				 BF_OK);
	assert_int_equal(t->ops->stream->write(t, (const uint8_t *)"x", 1, BF_NEVER, &err),
			 BF_E_GONE);
	assert_int_equal(bf_transport_reopen(t, BF_SEC(2), &err), BF_E_TIMEOUT);
	assert_int_equal(t->ops->stream->write(t, (const uint8_t *)"x", 1, BF_NEVER, &err),
			 BF_E_GONE);
	assert_int_equal(bf_transport_reopen(t, BF_SEC(9), &err), BF_OK);
	assert_int_equal(bf_now(clock), BF_SEC(3));
	assert_int_equal(t->ops->stream->write(t, (const uint8_t *)"x", 1, BF_NEVER, &err), BF_OK);
	assert_string_equal(fake_heard(peer), "78\n78\nreopen\n78\n");
}

static void the_time_of_an_unplugging_belongs_to_the_specification(void **state)
{
	(void)state;
	assert_string_equal(bf_address_bare("fault:unplug=40:2s,seed=3:sim"), "sim");
}

static void usb_transfers_are_lost_damaged_and_cut_short(void **state)
{
	static const struct {
		const char *spec;
		enum bf_rc rc;
		size_t max;
	} rows[] = {
		{ "seed=1", BF_OK, 6 },        { "drop=100%", BF_E_TIMEOUT, 0 },
		{ "flip=100%", BF_E_LINK, 0 }, { "trunc=100%", BF_OK, 5 },
		{ "dup=100%", BF_OK, 6 },
	};
	const struct bf_usb_setup get = { .request_type = 0xA1, .request = 3 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		BF_AUTO(bf_clock) *clock = bf_vclock_new();
		BF_AUTO(fake) *peer = fake_usb_new(clock);
		BF_AUTO(bf_transport) *t = wrap(peer, rows[i].spec);
		struct bf_err err;
		uint8_t buf[6];
		size_t n = 0;

		fake_on(peer, "A1 03 0000 0000 <*", "00 01 02 03 04 05", 0);
		assert_int_equal(t->ops->usb->control(t, &get, buf, 6, &n, BF_MS(10), &err),
				 rows[i].rc);
		assert_true(n <= rows[i].max);
	}
}

static void a_pause_of_a_delayed_message_can_be_cancelled(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	BF_AUTO(bf_transport) *t = wrap(peer, "delay=100%:5ms");
	struct bf_err err;

	(void)state;
	bf_vclock_cancel_at(clock, BF_MS(2));
	assert_int_equal(t->ops->stream->write(t, (const uint8_t *)"x", 1, BF_NEVER, &err),
			 BF_E_INTERRUPTED);
	assert_int_equal(bf_now(clock), BF_MS(2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_specification_is_read_whole_or_refused_with_the_place),
		cmocka_unit_test(the_same_seed_gives_the_same_faults),
		cmocka_unit_test(a_damaged_frame_is_lost_and_counted),
		cmocka_unit_test(a_flip_on_a_stream_changes_exactly_one_bit),
		cmocka_unit_test(a_flip_that_parity_shows_loses_its_byte),
		cmocka_unit_test(a_repeated_read_comes_twice_also_in_small_pieces),
		cmocka_unit_test(a_delay_shifts_what_is_heard_and_keeps_it),
		cmocka_unit_test(a_cut_wire_stays_cut),
		cmocka_unit_test(an_unplugged_wire_can_be_opened_again_when_its_time_has_come),
		cmocka_unit_test(the_time_of_an_unplugging_belongs_to_the_specification),
		cmocka_unit_test(usb_transfers_are_lost_damaged_and_cut_short),
		cmocka_unit_test(a_pause_of_a_delayed_message_can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
