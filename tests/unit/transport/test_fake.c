/* SPDX-License-Identifier: MIT */
/* The peers that other tests lean on. */
#include "../unit.h"

#include "fake.h"

static void a_stream_answers_what_it_recognises_after_its_delay(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	struct bf_transport *t = fake_transport(peer);
	struct bf_err err;
	uint8_t buf[8];
	size_t n;

	(void)state;
	fake_stream_pace(peer, 100);
	fake_on(peer, "01 ?? 03", "AA BB", BF_MS(2));
	assert_int_equal(t->ops->stream->write(t, (uint8_t[]){ 1, 7 }, 2, BF_NEVER, &err), BF_OK);
	assert_int_equal(t->ops->stream->read(t, buf, 8, &n, BF_MS(1), &err), BF_E_TIMEOUT);
	assert_int_equal(t->ops->stream->write(t, (uint8_t[]){ 3 }, 1, BF_NEVER, &err), BF_OK);
	assert_int_equal(t->ops->stream->read(t, buf, 8, &n, BF_NEVER, &err), BF_OK);
	assert_int_equal(n, 1);
	assert_int_equal(bf_now(clock), BF_MS(3) + 100);
	assert_int_equal(t->ops->stream->read(t, buf, 8, &n, BF_NEVER, &err), BF_OK);
	assert_int_equal(buf[0], 0xBB);
	assert_int_equal(bf_now(clock), BF_MS(3) + 200);
	assert_string_equal(fake_heard(peer), "0107\n03\n");
}

static size_t shout_back(struct fake *f, void *ctx, const uint8_t *p, size_t len)
{
	(void)ctx;
	if (len < 2)
		return 0;
	fake_say_bytes(f, p, 2, 10);
	return 2;
}

static void a_stream_handler_takes_what_no_rule_takes(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	struct bf_transport *t = fake_transport(peer);
	struct bf_err err;
	uint8_t buf[8];
	size_t n;

	(void)state;
	fake_stream_handle(peer, shout_back, NULL);
	fake_once(peer, "55", "66", 0);
	assert_int_equal(t->ops->stream->write(t, (uint8_t[]){ 0x55, 1, 2 }, 3, BF_NEVER, &err),
			 BF_OK);
	assert_int_equal(t->ops->stream->read(t, buf, 8, &n, BF_NEVER, &err), BF_OK);
	assert_int_equal(buf[0], 0x66);
	assert_int_equal(t->ops->stream->read(t, buf, 8, &n, BF_NEVER, &err), BF_OK);
	assert_int_equal(n, 2);
	assert_int_equal(fake_unused(peer), 0);
}

static void a_bus_plays_once_rules_before_the_lasting_ones(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	struct bf_transport *t = fake_transport(peer);
	struct bf_frame f = { .id = 0x7E0, .len = 3, .data = { 2, 0x3E, 0 } };
	struct bf_frame got;
	struct bf_err err;

	(void)state;
	fake_on(peer, "7E0#023E00*", "7E8#027E00; 18DAF110##1 0102", BF_MS(2));
	fake_once(peer, "7E0#02*", "", 0);
	assert_int_equal(fake_unused(peer), 1);
	assert_int_equal(t->ops->bus->send(t, &f, BF_NEVER, &err), BF_OK);
	assert_int_equal(t->ops->bus->recv(t, &got, 50, &err), BF_E_TIMEOUT);
	assert_int_equal(fake_unused(peer), 0);
	assert_int_equal(t->ops->bus->send(t, &f, BF_NEVER, &err), BF_OK);
	assert_int_equal(t->ops->bus->recv(t, &got, BF_NEVER, &err), BF_OK);
	assert_int_equal(got.id, 0x7E8);
	assert_int_equal(got.at, 50 + BF_MS(2));
	assert_int_equal(t->ops->bus->recv(t, &got, BF_NEVER, &err), BF_OK);
	assert_int_equal(got.flags, BF_FRAME_EXT | BF_FRAME_FD | BF_FRAME_BRS);
	assert_string_equal(fake_heard(peer), "7E0#023E00\n7E0#023E00\n");
}

static void a_usb_device_answers_stalls_leaves_and_comes_back(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_usb_new(clock);
	struct bf_transport *t = fake_transport(peer);
	const struct bf_usb_setup get = { .request_type = 0xA1, .request = 3 };
	const struct bf_usb_device other = { .vid = 0x1209, .pid = 2 };
	struct bf_usb_device now;
	struct bf_err err;
	uint8_t buf[6];
	size_t n = 0;

	(void)state;
	fake_once(peer, "A1 03 0000 0000 <0006", "00 01 00 00 02 00", 40);
	assert_int_equal(t->ops->usb->control(t, &get, buf, 6, &n, BF_NEVER, &err), BF_OK);
	assert_int_equal(n, 6);
	assert_int_equal(buf[4], 2);
	assert_int_equal(bf_now(clock), 40);
	assert_int_equal(t->ops->usb->control(t, &get, buf, 6, &n, BF_NEVER, &err), BF_E_NAK);
	assert_string_equal(err.dev_name, "stall");
	fake_usb_leave(peer, &other, BF_MS(300));
	assert_int_equal(t->ops->usb->control(t, &get, buf, 6, &n, BF_NEVER, &err), BF_E_GONE);
	assert_int_equal(t->ops->usb->reopen(t, BF_MS(100), &err), BF_E_TIMEOUT);
	assert_int_equal(t->ops->usb->reopen(t, BF_NEVER, &err), BF_OK);
	assert_int_equal(t->ops->usb->device(t, &now, &err), BF_OK);
	assert_int_equal(now.pid, 2);
}

static void frames_read_back_as_they_were_written(void **state)
{
	static const char *const good[] = { "7E0#",       "7E0#0102", "18DAF110#AA",
					    "123##1AABB", "123##0",   "123#R" };
	static const char *const bad[] = { "",
					   "#00",
					   "7E0",
					   "7E0#0",
					   "7E0#010203040506070809",
					   "7E0##",
					   "7E0##1010203040506070809",
					   "XYZ#00" };
	char text[FAKE_FRAME_TEXT];
	struct bf_frame f;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(good); i++) {
		assert_true(fake_frame_parse(good[i], &f));
		assert_string_equal(fake_frame_text(&f, text), good[i]);
	}
	for (size_t i = 0; i < BF_COUNT(bad); i++)
		assert_false(fake_frame_parse(bad[i], &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_answers_what_it_recognises_after_its_delay),
		cmocka_unit_test(a_stream_handler_takes_what_no_rule_takes),
		cmocka_unit_test(a_bus_plays_once_rules_before_the_lasting_ones),
		cmocka_unit_test(a_usb_device_answers_stalls_leaves_and_comes_back),
		cmocka_unit_test(frames_read_back_as_they_were_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
