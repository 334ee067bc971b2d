/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/link.h"
#include "wire.h"

static struct bf_link *open_link(struct wire *w, size_t max_msg)
{
	const struct bf_hdlc_opts opts = { .target = 0x11, .source = 0xF1, .max_msg = max_msg };
	struct bf_link *l = NULL;
	struct bf_err err;

	assert_int_equal(bf_hdlc_open(&w->t, &opts, &l, &err), BF_OK);
	return l;
}

static void put_hex(struct wire *w, bf_time delay, const char *hex)
{
	uint8_t buf[128];
	size_t len;

	assert_true(bf_unhex(hex, buf, sizeof(buf), &len));
	wire_put_bytes(w, delay, buf, len);
}

static void answer(struct wire *w, const uint8_t *p, size_t len)
{
	char hex[64];

	assert_string_equal(bf_hex(hex, sizeof(hex), p, len), "7e1103f13e005be4d47c7e");
	put_hex(w, BF_MS(3), "7ef103117d5e0021bc9b0d7e");
}

static void an_exchange_takes_as_long_as_the_answer(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 0);
	uint8_t buf[16];
	size_t len;
	struct bf_err err;

	(void)state;
	w->heard_bytes = answer;
	assert_int_equal(l->ops->send(l, (const uint8_t *)"\x3E\x00", 2, BF_SEC(1), &err), BF_OK);
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_SEC(1), &err), BF_OK);
	assert_int_equal(len, 2);
	assert_memory_equal(buf, "\x7E\x00", 2);
	assert_int_equal(bf_now(w->t.clock), BF_MS(3));
	assert_int_equal(l->stats.tx_msgs, 1);
	assert_int_equal(l->stats.rx_msgs, 1);
}

static void silence_ends_at_the_deadline(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 0);
	uint8_t buf[16];
	size_t len;
	struct bf_err err;

	(void)state;
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_E_TIMEOUT);
	assert_int_equal(bf_now(w->t.clock), BF_MS(50));
	assert_non_null(strstr(err.cause, "node 11"));
}

static void nothing_but_damage_is_a_bad_line_not_silence(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 0);
	uint8_t buf[16];
	size_t len;
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(1), "7ef103117d5e0021bc9b0c7e");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_E_LINK);
	assert_int_equal(l->stats.damaged, 1);
	assert_true(err.n_likely > 0);
}

static void a_frame_that_breaks_off_is_dropped_and_the_next_one_read(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 0);
	uint8_t buf[16];
	size_t len;
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(1), "7ef10311");
	put_hex(w, BF_MS(200), "7ef103117d5e0021bc9b0d7e");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(300), &err), BF_OK);
	assert_int_equal(l->stats.damaged, 1);
	assert_int_equal(bf_now(w->t.clock), BF_MS(200));
}

static void a_message_that_has_begun_may_end_after_the_deadline(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 0);
	uint8_t buf[16];
	size_t len;
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(49), "7ef10311");
	put_hex(w, BF_MS(60), "7d5e0021bc9b0d7e");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_OK);
	assert_int_equal(len, 2);
}

static void endless_noise_ends_after_the_longest_message(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 0);
	uint8_t buf[16];
	size_t len;
	struct bf_err err;

	(void)state;
	put_hex(w, 0, "7e");
	for (int i = 1; i < 1000; i++)
		put_hex(w, BF_MS(10) * i, "5555");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_E_LINK);
	assert_true(bf_now(w->t.clock) < BF_SEC(7));
}

static void several_messages_in_one_chunk_come_one_by_one(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 0);
	uint8_t buf[16];
	size_t len;
	struct bf_err err;

	(void)state;
	put_hex(w, 0, "7ef103117d5e0021bc9b0d7ef103117d5e0021bc9b0d7e");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(5), &err), BF_OK);
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(5), &err), BF_OK);
	put_hex(w, 0, "7ef103117d5e0021bc9b0d7e");
	l->ops->flush(l);
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(5), &err), BF_E_TIMEOUT);
}

static void a_byte_at_a_time_is_as_good_as_a_chunk(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 0);
	uint8_t buf[16];
	size_t len;
	struct bf_err err;

	(void)state;
	w->chunk = 1;
	put_hex(w, BF_MS(1), "7ef103117d5e0021bc9b0d7e");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(5), &err), BF_OK);
}

static void a_message_too_long_for_the_frame_is_refused(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 8);
	uint8_t msg[9] = { 0 };
	struct bf_err err;

	(void)state;
	assert_int_equal(l->ops->send(l, msg, 8, BF_SEC(1), &err), BF_OK);
	assert_int_equal(l->ops->send(l, msg, 9, BF_SEC(1), &err), BF_E_INTERNAL);
	assert_int_equal(l->ops->send(l, msg, 0, BF_SEC(1), &err), BF_E_INTERNAL);
}

static void a_cancelled_wait_is_interrupted(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, 0);
	uint8_t buf[16];
	size_t len;
	struct bf_err err;

	(void)state;
	bf_vclock_cancel_at(w->t.clock, BF_MS(10));
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_SEC(1), &err),
			 BF_E_INTERRUPTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_takes_as_long_as_the_answer),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(nothing_but_damage_is_a_bad_line_not_silence),
		cmocka_unit_test(a_frame_that_breaks_off_is_dropped_and_the_next_one_read),
		cmocka_unit_test(a_message_that_has_begun_may_end_after_the_deadline),
		cmocka_unit_test(endless_noise_ends_after_the_longest_message),
		cmocka_unit_test(several_messages_in_one_chunk_come_one_by_one),
		cmocka_unit_test(a_byte_at_a_time_is_as_good_as_a_chunk),
		cmocka_unit_test(a_message_too_long_for_the_frame_is_refused),
		cmocka_unit_test(a_cancelled_wait_is_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
