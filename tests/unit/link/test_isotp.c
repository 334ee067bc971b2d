/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/bytes.h"
#include "bmsflash/link.h"
#include "wire.h"

static struct bf_link *open_link(struct wire *w, struct bf_isotp_opts opts)
{
	struct bf_link *l = NULL;
	struct bf_err err;

	opts.tx_id = opts.ext ? 0x18DA11F1 : 0x7E0;
	opts.rx_id = opts.ext ? 0x18DAF111 : 0x7E8;
	if (!opts.pad)
		opts.pad = 0xCC;
	assert_int_equal(bf_isotp_open(&w->t, &opts, &l, &err), BF_OK);
	return l;
}

static void put_hex(struct wire *w, bf_time delay, const char *hex)
{
	uint8_t buf[64];
	size_t len;

	assert_true(bf_unhex(hex, buf, sizeof(buf), &len));
	wire_put_frame(w, delay, 0x7E8, 0, buf, len);
}

/* A receiver that answers what a script says to each first frame and block. */
struct receiver {
	const char *flow[8]; /* one after the other; NULL: silent */
	size_t next;
	unsigned block, in_block;
	size_t bytes;
	uint32_t id;
	unsigned flags;
	uint8_t lens[64];
	unsigned n;
};

static void hear(struct wire *w, const struct bf_frame *f)
{
	struct receiver *r = w->peer;
	bool turn = f->data[0] >> 4 == 1;

	r->id = f->id;
	r->flags = f->flags;
	if (r->n < 64)
		r->lens[r->n++] = f->len;
	if (f->data[0] >> 4 == 2 && r->block && ++r->in_block == r->block) {
		r->in_block = 0;
		turn = true;
	}
	if (turn && r->next < BF_COUNT(r->flow) && r->flow[r->next])
		put_hex(w, BF_MS(1), r->flow[r->next++]);
}

static enum bf_rc send_n(struct bf_link *l, size_t n, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *msg = calloc(1, n);

	return l->ops->send(l, msg, n, bf_in(l->transport->clock, BF_SEC(1)), err);
}

static void a_short_message_is_one_padded_frame(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct receiver r = { 0 };
	struct bf_err err;

	(void)state;
	w->heard_frame = hear;
	w->peer = &r;
	assert_int_equal(send_n(l, 7, &err), BF_OK);
	assert_int_equal(r.id, 0x7E0);
	assert_int_equal(r.flags, 0);
	assert_int_equal(r.lens[0], 8);
	assert_int_equal(w->filter.id, 0x7E8);
	assert_int_equal(w->filter.mask, 0x7FF);
}

static void extended_and_fd_frames_carry_their_flags(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l =
		open_link(w, (struct bf_isotp_opts){ .ext = true, .fd = true, .brs = true });
	struct receiver r = { 0 };
	struct bf_err err;

	(void)state;
	w->heard_frame = hear;
	w->peer = &r;
	assert_int_equal(send_n(l, 30, &err), BF_OK);
	assert_int_equal(r.id, 0x18DA11F1);
	assert_int_equal(r.flags, BF_FRAME_EXT | BF_FRAME_FD | BF_FRAME_BRS);
	assert_int_equal(r.lens[0], 32);
	assert_true(w->filter.ext);
}

static void separation_time_is_kept_from_frame_to_frame(void **state)
{
	static const struct {
		const char *flow;
		uint32_t us;
	} rows[] = {
		{ "300001", 1000 }, { "3000f1", 100 }, { "3000f9", 900 }, { "30007f", 127000 }
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
		BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
		struct receiver r = { .flow = { rows[i].flow } };
		struct bf_err err;

		w->heard_frame = hear;
		w->peer = &r;
		assert_int_equal(send_n(l, 6 + 7 * 4, &err), BF_OK);
		assert_int_equal(w->sent, 5);
		assert_int_equal(w->sent_at[1], BF_MS(1)); /* at once after the flow control */
		for (unsigned k = 2; k < 5; k++)
			assert_int_equal(w->sent_at[k] - w->sent_at[k - 1], rows[i].us);
		assert_int_equal(l->stats.gap_asked_us, rows[i].us);
		assert_int_equal(l->stats.gap_worst_error_us, 0);
	}
}

static void separation_time_begins_when_the_frame_has_left_the_wire(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	struct receiver r = { .flow = { "3000f1" } };
	struct bf_link *l;
	struct bf_err err;

	(void)state;
	w->report_bitrate = 500000;
	l = open_link(w, (struct bf_isotp_opts){ 0 });
	w->heard_frame = hear;
	w->peer = &r;
	assert_int_equal(send_n(l, 20, &err), BF_OK);
	/* 111 bits and 15 stuff bits at 500 kbit/s: no more and no less than the frame takes */
	assert_int_equal(w->sent_at[2] - w->sent_at[1], 126 * 2 + 100);
	bf_link_close(l);
}

static void a_block_waits_for_the_next_flow_control(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct receiver r = { .flow = { "300200", "300200", "300200" }, .block = 2 };
	struct bf_err err;

	(void)state;
	w->heard_frame = hear;
	w->peer = &r;
	assert_int_equal(send_n(l, 6 + 7 * 5, &err), BF_OK);
	assert_int_equal(r.next, 3);
	assert_int_equal(w->sent_at[2], BF_MS(1));
	assert_int_equal(w->sent_at[3], BF_MS(2));
	assert_int_equal(w->sent_at[5], BF_MS(3));
}

static void wait_extends_the_time_out(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ .n_bs = BF_MS(150) });
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(100), "310000");
	put_hex(w, BF_MS(200), "310000");
	put_hex(w, BF_MS(300), "300000");
	assert_int_equal(send_n(l, 20, &err), BF_OK);
	assert_int_equal(bf_now(w->t.clock), BF_MS(300));
}

static void endless_wait_is_a_broken_receiver(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct bf_err err;

	(void)state;
	for (int i = 1; i < 100; i++)
		put_hex(w, BF_MS(i), "310000");
	assert_int_equal(send_n(l, 20, &err), BF_E_LINK);
	assert_non_null(strstr(err.cause, "wait"));
}

static void overflow_is_a_refusal(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct receiver r = { .flow = { "320000" } };
	struct bf_err err;

	(void)state;
	w->heard_frame = hear;
	w->peer = &r;
	assert_int_equal(send_n(l, 4095, &err), BF_E_NAK);
	assert_non_null(strstr(err.cause, "4095 bytes"));
	assert_int_equal(w->sent, 1);
}

static void no_flow_control_is_a_time_out(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct bf_err err;

	(void)state;
	assert_int_equal(send_n(l, 20, &err), BF_E_TIMEOUT);
	assert_int_equal(bf_now(w->t.clock), BF_SEC(1));
	assert_non_null(strstr(err.cause, "flow control"));
}

static void an_old_flow_control_does_not_steer_a_new_message(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct bf_err err;

	(void)state;
	put_hex(w, 0, "300000");
	assert_int_equal(send_n(l, 20, &err), BF_E_TIMEOUT);
}

static void a_failing_bus_names_the_place(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct bf_err err;

	(void)state;
	w->send_fails = BF_E_GONE;
	assert_int_equal(send_n(l, 20, &err), BF_E_GONE);
}

static void long_answer(struct wire *w, const struct bf_frame *f)
{
	unsigned *flows = w->peer;

	assert_int_equal(f->data[0], 0x30);
	assert_int_equal(f->data[1], 2);
	assert_int_equal(f->data[2], 5);
	if (++*flows == 1) {
		put_hex(w, BF_MS(1), "21060708090a0b0c");
		put_hex(w, BF_MS(2), "220d0e0f10111213");
	} else {
		put_hex(w, BF_MS(1), "231415");
	}
}

static void a_long_message_is_asked_for_block_by_block(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ .block_size = 2, .st_min = 5 });
	unsigned flows = 0;
	uint8_t buf[64];
	size_t len;
	struct bf_err err;

	(void)state;
	w->heard_frame = long_answer;
	w->peer = &flows;
	put_hex(w, BF_MS(10), "1016000102030405");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(11), &err), BF_OK);
	assert_int_equal(len, 22);
	assert_int_equal(flows, 2);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(buf[i], i);
}

static void a_message_that_stops_half_way_is_damage(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ .n_cr = BF_MS(150) });
	uint8_t buf[64];
	size_t len;
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(10), "1016000102030405");
	put_hex(w, BF_MS(20), "21060708090a0b0c");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_E_LINK);
	assert_int_equal(bf_now(w->t.clock), BF_MS(170));
	assert_int_equal(l->stats.damaged, 1);
}

static void a_wrong_sequence_is_damage_and_the_next_message_is_read(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	uint8_t buf[64];
	size_t len;
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(10), "1016000102030405");
	put_hex(w, BF_MS(11), "22060708090a0b0c");
	put_hex(w, BF_MS(12), "027e00");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_OK);
	assert_int_equal(len, 2);
	assert_int_equal(l->stats.damaged, 1);
}

static void a_message_too_long_for_us_is_refused_by_overflow(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ .max_msg = 16 });
	struct receiver r = { 0 };
	uint8_t buf[64];
	size_t len;
	struct bf_err err;

	(void)state;
	w->heard_frame = hear;
	w->peer = &r;
	put_hex(w, BF_MS(10), "1016000102030405");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_E_LINK);
	assert_int_equal(w->sent, 1);
}

/* The pack's own reason, in place of flow control. */
static void a_message_that_comes_in_place_of_flow_control_ends_the_sending(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct receiver r = { .flow = { "037f3672" } };
	uint8_t buf[64];
	size_t len;
	struct bf_err err;

	(void)state;
	w->heard_frame = hear;
	w->peer = &r;
	assert_int_equal(send_n(l, 300, &err), BF_OK);
	assert_int_equal(bf_now(w->t.clock), BF_MS(1));
	assert_int_equal(w->sent, 1);
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(2), &err), BF_OK);
	assert_int_equal(len, 3);
	assert_memory_equal(buf, "\x7f\x36\x72", 3);
}

static void a_message_that_came_before_ours_does_not_end_the_sending(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct receiver r = { .flow = { "300000" } };
	struct bf_err err;

	(void)state;
	w->heard_frame = hear;
	w->peer = &r;
	put_hex(w, 0, "037f3e78");
	assert_int_equal(send_n(l, 20, &err), BF_OK);
	assert_int_equal(w->sent, 3);
}

static void a_message_begun_again_and_again_is_given_up(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	uint8_t buf[64];
	size_t len;
	struct bf_err err;

	(void)state;
	for (int i = 0; i < 300; i++)
		put_hex(w, BF_MS(900) * i, "1016000102030405");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_SEC(1), &err), BF_E_LINK);
	assert_true(bf_now(w->t.clock) <= BF_SEC(31));
}

static void a_message_that_drips_is_given_up_after_its_longest_time(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ .longest = BF_SEC(5) });
	static uint8_t buf[4095];
	size_t len;
	struct bf_err err;

	(void)state;
	put_hex(w, BF_MS(10), "1fff000102030405");
	for (int i = 1; i < 400; i++) {
		char text[20];

		snprintf(text, sizeof(text), "2%x06070809101112", (unsigned)i % 16);
		put_hex(w, BF_MS(900) * i, text);
	}
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_E_LINK);
	assert_int_equal(bf_now(w->t.clock), BF_MS(5010));
}

static void frames_that_mean_nothing_do_not_prolong_a_wait(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	uint8_t buf[64];
	size_t len;
	struct bf_err err;

	(void)state;
	for (int i = 0; i < 4000; i++)
		put_hex(w, BF_MS(1) * i, i % 2 ? "300000" : "21000000");
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_E_TIMEOUT);
	assert_true(bf_now(w->t.clock) <= BF_MS(151));
}

static void a_receiver_that_wants_every_frame_to_wait_is_given_up(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct receiver r = { .flow = { "30007f" } };
	struct bf_err err;

	(void)state;
	w->heard_frame = hear;
	w->peer = &r;
	assert_int_equal(send_n(l, 4095, &err), BF_E_TIMEOUT);
	assert_true(bf_now(w->t.clock) <= BF_SEC(31));
	assert_non_null(strstr(err.likely[0], "127 ms"));
}

static void the_time_of_a_message_is_known_from_the_first_flow_control_on(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	struct receiver r = { .flow = { "300014" } };
	size_t fits;
	struct bf_err err;
	bf_time begin;

	(void)state;
	w->heard_frame = hear;
	w->peer = &r;
	w->report_bitrate = 500000;
	assert_false(l->pace.known);
	assert_int_equal(bf_link_longest(l, 4095, BF_SEC(2)), 4095);
	assert_int_equal(send_n(l, 20, &err), BF_OK);
	assert_true(l->pace.known);
	assert_int_equal(l->pace.st_min_us, 20000);
	assert_int_equal(l->pace.block_size, 0);
	fits = bf_link_longest(l, 4095, BF_MS(2500));
	assert_in_range(fits, 800, 880);
	r.next = 0;
	begin = bf_now(w->t.clock);
	assert_int_equal(send_n(l, fits, &err), BF_OK);
	assert_in_range(bf_now(w->t.clock) - begin, BF_MS(2400), BF_MS(2500));
}

static void frames_of_other_nodes_are_foreign(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, (struct bf_isotp_opts){ 0 });
	uint8_t buf[64];
	size_t len;
	struct bf_err err;

	(void)state;
	wire_put_frame(w, 1, 0x7E9, 0, "\x02\x7E\x00", 3);
	wire_put_frame(w, 1, 0x7E8, BF_FRAME_EXT, "\x02\x7E\x00", 3);
	wire_put_frame(w, 1, 0x7E8, BF_FRAME_RTR, "\x02\x7E\x00", 3);
	assert_int_equal(l->ops->recv(l, buf, sizeof(buf), &len, BF_MS(50), &err), BF_E_TIMEOUT);
	assert_int_equal(l->stats.foreign, 3);
}

static void heard_addressed(struct wire *w, const struct bf_frame *f)
{
	assert_int_equal(f->data[0], 0x12);
	if (f->data[1] >> 4 == 1) /* a first frame has five bytes of the message now */
		wire_put_frame(w, 100, 0x7E8, 0, "\xF1\x30\x00\x00", 4);
	w->bitrate++;
}

/* Extended addressing: the target's byte in our frames, ours in those for us; others pass by. */
static void an_address_byte_comes_before_each_frames_own(void **state)
{
	const struct bf_isotp_opts opts = { .tx_id = 0x7E0,
					    .rx_id = 0x7E8,
					    .pad = 0x55,
					    .has_address = true,
					    .tx_address = 0x12,
					    .rx_address = 0xF1 };
	BF_AUTO(wire) *w = wire_new(BF_WIRE_BUS);
	BF_AUTO(bf_link) *l = open_link(w, opts);
	uint8_t buf[32];
	struct bf_err err;
	size_t len;

	(void)state;
	w->heard_frame = heard_addressed;
	assert_int_equal(l->ops->send(l, (const uint8_t *)"123456", 6, BF_SEC(1), &err), BF_OK);
	assert_int_equal(w->bitrate, 1); /* six bytes are a single frame, seven are not */
	assert_int_equal(l->ops->send(l, (const uint8_t *)"1234567890123", 13, BF_SEC(1), &err),
			 BF_OK);
	assert_int_equal(w->bitrate, 1 + 3);
	wire_put_frame(w, 1, 0x7E8, 0, "\xF2\x02\x7E\x00", 4);
	wire_put_frame(w, 2, 0x7E8, 0,
		       "\xF1\x10\x08"
		       "abcde",
		       8);
	wire_put_frame(w, 900, 0x7E8, 0,
		       "\xF1\x21"
		       "fgh",
		       5);
	assert_int_equal(
		l->ops->recv(l, buf, sizeof(buf), &len, bf_now(w->t.clock) + BF_MS(50), &err),
		BF_OK);
	assert_int_equal(len, 8);
	assert_memory_equal(buf, "abcdefgh", 8);
	assert_int_equal(l->stats.foreign, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_message_is_one_padded_frame),
		cmocka_unit_test(extended_and_fd_frames_carry_their_flags),
		cmocka_unit_test(separation_time_is_kept_from_frame_to_frame),
		cmocka_unit_test(separation_time_begins_when_the_frame_has_left_the_wire),
		cmocka_unit_test(a_block_waits_for_the_next_flow_control),
		cmocka_unit_test(wait_extends_the_time_out),
		cmocka_unit_test(endless_wait_is_a_broken_receiver),
		cmocka_unit_test(overflow_is_a_refusal),
		cmocka_unit_test(no_flow_control_is_a_time_out),
		cmocka_unit_test(an_old_flow_control_does_not_steer_a_new_message),
		cmocka_unit_test(a_failing_bus_names_the_place),
		cmocka_unit_test(a_long_message_is_asked_for_block_by_block),
		cmocka_unit_test(a_message_that_stops_half_way_is_damage),
		cmocka_unit_test(a_wrong_sequence_is_damage_and_the_next_message_is_read),
		cmocka_unit_test(a_message_too_long_for_us_is_refused_by_overflow),
		cmocka_unit_test(a_message_that_comes_in_place_of_flow_control_ends_the_sending),
		cmocka_unit_test(a_message_that_came_before_ours_does_not_end_the_sending),
		cmocka_unit_test(a_message_begun_again_and_again_is_given_up),
		cmocka_unit_test(a_message_that_drips_is_given_up_after_its_longest_time),
		cmocka_unit_test(frames_that_mean_nothing_do_not_prolong_a_wait),
		cmocka_unit_test(a_receiver_that_wants_every_frame_to_wait_is_given_up),
		cmocka_unit_test(the_time_of_a_message_is_known_from_the_first_flow_control_on),
		cmocka_unit_test(frames_of_other_nodes_are_foreign),
		cmocka_unit_test(an_address_byte_comes_before_each_frames_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
