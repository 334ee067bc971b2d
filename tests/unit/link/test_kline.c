/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/link.h"
#include "wire.h"

static struct bf_link *open_link(struct wire *w, const struct bf_kline_opts *extra)
{
	struct bf_kline_opts opts = extra ? *extra : (struct bf_kline_opts){ 0 };
	struct bf_link *l = NULL;
	struct bf_err err;

	opts.target = 0x11;
	opts.source = 0xF1;
	assert_int_equal(bf_kline_open(&w->t, &opts, &l, &err), BF_OK);
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

	assert_string_equal(bf_hex(hex, sizeof(hex), p, len), "8211f13e00c2");
	put_hex(w, BF_MS(25), "82f1117e0002");
}

static enum bf_rc receive(struct bf_link *l, bf_time deadline, struct bf_err *err)
{
	uint8_t buf[255];
	size_t len;
	enum bf_rc rc = l->ops->recv(l, buf, sizeof(buf), &len, deadline, err);

	if (!rc) {
		assert_int_equal(len, 2);
		assert_memory_equal(buf, "\x7E\x00", 2);
	}
	return rc;
}

static void an_exchange_takes_as_long_as_the_answer(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, NULL);
	struct bf_err err;

	(void)state;
	w->heard_bytes = answer;
	assert_int_equal(l->ops->send(l, (const uint8_t *)"\x3E\x00", 2, BF_SEC(1), &err), BF_OK);
	assert_int_equal(receive(l, BF_SEC(1), &err), BF_OK);
	assert_int_equal(bf_now(w->t.clock), BF_MS(25));
}

static void noise_before_the_answer_costs_a_gap_and_no_more(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, NULL);
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(1), "ff"); /* reads as a message of 63 bytes */
	put_hex(w, BF_MS(2), "82f1117e0002");
	assert_int_equal(receive(l, BF_MS(50), &err), BF_OK);
	assert_int_equal(bf_now(w->t.clock), BF_MS(72));
	assert_int_equal(l->stats.damaged, 1);
}

static void a_message_that_breaks_off_is_dropped_and_the_next_one_read(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, NULL);
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(1), "82f111");
	put_hex(w, BF_MS(200), "82f1117e0002");
	assert_int_equal(receive(l, BF_MS(300), &err), BF_OK);
	assert_int_equal(l->stats.damaged, 1);
}

static void damage_alone_is_a_bad_line_and_silence_is_silence(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, NULL);
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(1), "82f1117e0003");
	assert_int_equal(receive(l, BF_MS(300), &err), BF_E_LINK);
	assert_int_equal(receive(l, BF_MS(400), &err), BF_E_TIMEOUT);
	assert_int_equal(bf_now(w->t.clock), BF_MS(400));
}

static void foreign_messages_are_counted_and_skipped(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, NULL);
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(1), "82f1127e000382f1117e0002");
	assert_int_equal(receive(l, BF_MS(50), &err), BF_OK);
	assert_int_equal(l->stats.foreign, 1);
}

static void p3_and_p4_are_kept_where_asked(void **state)
{
	const struct bf_kline_opts slow = { .p3 = BF_MS(55), .p4 = BF_MS(5) };
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, &slow);
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(10), "82f1117e0002");
	assert_int_equal(receive(l, BF_MS(50), &err), BF_OK);
	assert_int_equal(l->ops->send(l, (const uint8_t *)"\x3E\x00", 2, BF_SEC(1), &err), BF_OK);
	assert_int_equal(w->sent, 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(w->sent_at[i], BF_MS(65) + i * BF_MS(5));
}

static void a_message_of_256_bytes_is_refused(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, NULL);
	uint8_t msg[256] = { 0 };
	struct bf_err err;

	(void)state;
	assert_int_equal(l->ops->send(l, msg, 255, BF_SEC(1), &err), BF_OK);
	assert_int_equal(l->ops->send(l, msg, 256, BF_SEC(1), &err), BF_E_INTERNAL);
}

static void flushing_forgets_half_a_message(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, NULL);
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(1), "82f1117e0002bf");
	assert_int_equal(receive(l, BF_MS(50), &err), BF_OK);
	l->ops->flush(l);
	put_hex(w, BF_MS(1), "82f1117e0002");
	assert_int_equal(receive(l, BF_MS(50), &err), BF_OK);
	assert_int_equal(bf_now(w->t.clock), BF_MS(2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_takes_as_long_as_the_answer),
		cmocka_unit_test(noise_before_the_answer_costs_a_gap_and_no_more),
		cmocka_unit_test(a_message_that_breaks_off_is_dropped_and_the_next_one_read),
		cmocka_unit_test(damage_alone_is_a_bad_line_and_silence_is_silence),
		cmocka_unit_test(foreign_messages_are_counted_and_skipped),
		cmocka_unit_test(p3_and_p4_are_kept_where_asked),
		cmocka_unit_test(a_message_of_256_bytes_is_refused),
		cmocka_unit_test(flushing_forgets_half_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
