/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "fake.h"

struct heard {
	unsigned n;
	uint32_t last;
};

static void note(void *ctx, const struct bf_frame *f)
{
	struct heard *h = ctx;

	h->n++;
	h->last = f->id;
}

static struct bf_transport *wrap(struct fake *peer, struct heard *h)
{
	const struct bf_tap tap = {
		.filters = { { .id = 0x351, .mask = 0x7FF }, { .id = 0x355, .mask = 0x7FF } },
		.n_filters = 2,
		.heard = note,
		.ctx = h,
	};
	struct bf_transport *t;
	struct bf_err err;

	assert_int_equal(bf_tap_wrap(fake_transport(peer), &tap, &t, &err), BF_OK);
	return t;
}

static void frames_that_pass_by_are_heard_and_handed_on(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	struct heard h = { 0 };
	BF_AUTO(bf_transport) *t = wrap(peer, &h);
	struct bf_frame f;
	struct bf_err err;

	(void)state;
	fake_say(peer, "355#32006400; 7E8#0250; 356#0011", 100);
	assert_int_equal(t->ops->bus->recv(t, &f, BF_SEC(1), &err), BF_OK);
	assert_int_equal(f.id, 0x355);
	assert_int_equal(h.n, 1);
	assert_int_equal(t->ops->bus->recv(t, &f, BF_SEC(1), &err), BF_OK);
	assert_int_equal(t->ops->bus->recv(t, &f, BF_SEC(1), &err), BF_OK);
	assert_int_equal(f.id, 0x356);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.last, 0x355);
	assert_int_equal(t->stats.rx_frames, 3);
}

static void a_filter_of_the_owner_does_not_shut_the_listener_out(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	struct heard h = { 0 };
	BF_AUTO(bf_transport) *t = wrap(peer, &h);
	const struct bf_filter own = { .id = 0x7E8, .mask = 0x7FF };
	struct bf_frame f;
	struct bf_err err;

	(void)state;
	assert_int_equal(t->ops->bus->filter(t, &own, 1, &err), BF_OK);
	fake_say(peer, "123#00; 351#0011; 7E8#0250", 100);
	assert_int_equal(t->ops->bus->recv(t, &f, BF_SEC(1), &err), BF_OK);
	assert_int_equal(f.id, 0x351);
	assert_int_equal(t->ops->bus->recv(t, &f, BF_SEC(1), &err), BF_OK);
	assert_int_equal(f.id, 0x7E8);
	assert_int_equal(h.n, 1);
}

static void too_many_filters_let_everything_through(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	struct heard h = { 0 };
	BF_AUTO(bf_transport) *t = wrap(peer, &h);
	struct bf_filter own[15] = { { .id = 0x7E8, .mask = 0x7FF } };
	struct bf_frame f;
	struct bf_err err;

	(void)state;
	assert_int_equal(t->ops->bus->filter(t, own, 15, &err), BF_OK);
	fake_say(peer, "351#0011", 100);
	assert_int_equal(t->ops->bus->recv(t, &f, BF_SEC(1), &err), BF_OK);
	assert_int_equal(h.n, 1);
}

static void long_identifiers_are_not_taken_for_short_ones(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	struct heard h = { 0 };
	BF_AUTO(bf_transport) *t = wrap(peer, &h);
	struct bf_frame f;
	struct bf_err err;

	(void)state;
	fake_say(peer, "00000355#3200", 100);
	assert_int_equal(t->ops->bus->recv(t, &f, BF_SEC(1), &err), BF_OK);
	assert_int_equal(h.n, 0);
}

static void what_is_sent_goes_through_and_is_not_heard(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	struct heard h = { 0 };
	BF_AUTO(bf_transport) *t = wrap(peer, &h);
	const struct bf_frame f = { .id = 0x351, .len = 1, .data = { 1 } };
	struct bf_err err;

	(void)state;
	assert_int_equal(t->ops->bus->send(t, &f, BF_SEC(1), &err), BF_OK);
	assert_string_equal(fake_heard(peer), "351#01\n");
	assert_int_equal(h.n, 0);
	assert_int_equal(t->stats.tx_frames, 1);
}

static void a_serial_line_has_no_frames_to_listen_to(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	const struct bf_tap tap = { .heard = note };
	struct bf_transport *t = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	assert_int_equal(bf_tap_wrap(fake_transport(peer), &tap, &t, &err), BF_E_IFACE);
	assert_true(fake_closed(peer));
	assert_null(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_that_pass_by_are_heard_and_handed_on),
		cmocka_unit_test(a_filter_of_the_owner_does_not_shut_the_listener_out),
		cmocka_unit_test(too_many_filters_let_everything_through),
		cmocka_unit_test(long_identifiers_are_not_taken_for_short_ones),
		cmocka_unit_test(what_is_sent_goes_through_and_is_not_heard),
		cmocka_unit_test(a_serial_line_has_no_frames_to_listen_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
