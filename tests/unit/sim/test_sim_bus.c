/* SPDX-License-Identifier: MIT */
/* The pack on CAN: frames, flow control, bus times. */
#include "tester.h"

#include "canbits.h"

static void send_raw(struct tester *s, const struct bf_frame *f)
{
	struct bf_err err;

	assert_int_equal(s->t->ops->bus->send(s->t, f, bf_in(s->t->clock, BF_SEC(1)), &err), BF_OK);
}

static void frame_bits_follow_the_standard(void **state)
{
	/* 47 bits and 8 a byte; stuffing adds at most (34 + 8n - 1) / 4 */
	struct bf_frame f = { .id = 0x555, .len = 8 };
	unsigned plain = 47 + 64;

	(void)state;
	memset(f.data, 0xAA, 8);
	assert_in_range(bf_can_bits(&f), plain, plain + 4);
	memset(f.data, 0, 8);
	f.id = 0;
	assert_in_range(bf_can_bits(&f), plain + 14, plain + (34 + 64 - 1) / 4);
	f.flags = BF_FRAME_EXT;
	assert_in_range(bf_can_bits(&f), plain + 20, plain + 20 + (54 + 64 - 1) / 4);
}

static unsigned fd_bits(unsigned id, unsigned len, uint8_t fill, uint8_t flags, unsigned *ret_data)
{
	struct bf_frame f = { .id = id, .len = (uint8_t)len };

	f.flags = (uint8_t)(BF_FRAME_FD | BF_FRAME_BRS | flags);
	memset(f.data, fill, len);
	return bf_can_fd_bits(&f, ret_data);
}

/* Counted by hand from the figures of ISO 11898-1. */
static void fd_frame_bits_follow_the_standard(void **state)
{
	unsigned data;

	(void)state;
	/* 17 to BRS, 13 from the checksum's delimiter on; ESI, DLC, 64 bytes, 32 of checksum */
	assert_int_equal(fd_bits(0x555, 64, 0x55, 0, &data), 30);
	assert_int_equal(data, 5 + 512 + 32);
	/* the DLC's four ones and the first bit of AA make five */
	assert_int_equal(fd_bits(0x555, 64, 0xAA, 0, &data), 30);
	assert_int_equal(data, 5 + 512 + 32 + 1);
	/* a stuff bit for every fifth zero; 0 and eleven zeros of identifier and RRS, IDE: two more */
	assert_int_equal(fd_bits(0, 64, 0, 0, &data), 30 + 2);
	assert_int_equal(data, 5 + 512 + 32 + 102);
	/* the one due after the last data bit is the first fixed one; short checksum up to 16 bytes */
	assert_int_equal(fd_bits(0x555, 5, 0, 0, &data), 30);
	assert_int_equal(data, 5 + 40 + 27 + 7);
	/* 29 bits of identifier: SRR, IDE and 18 bits more, RRS for RRS and IDE */
	assert_int_equal(fd_bits(0x15555555, 16, 0x55, BF_FRAME_EXT, &data), 30 + 19);
	assert_int_equal(data, 5 + 128 + 27);
}

static void fd_frames_take_their_time_at_both_rates(void **state)
{
	struct bf_frame f = { .id = 0x555, .len = 64, .flags = BF_FRAME_FD };

	(void)state;
	memset(f.data, 0x55, 64);
	/* without BRS: 30 and 549 bits, and one of stuff after res, BRS, ESI */
	assert_in_range(bf_can_time(&f, 500000, 2000000), 2 * (30 + 549), 2 * (30 + 549) + 4);
	f.flags |= BF_FRAME_BRS;
	assert_int_equal(bf_can_time(&f, 500000, 2000000), 60 + 275);
}

static void the_answer_comes_after_both_frames_and_the_turnaround(void **state)
{
	struct bf_frame f = { .id = 0x7E0, .len = 8, .data = { 2, 0x3E, 0 } };
	struct tester s;

	(void)state;
	tester_open(&s, "sim:rate=125000,turnaround=3000");
	send_raw(&s, &f);
	assert_true(tester_frame(&s, &f, BF_SEC(1)));
	assert_in_range(f.at, 3000 + 2 * 900, 3000 + 2 * 1100);
	assert_int_equal(f.at, bf_now(s.t->clock));
	assert_memory_equal(f.data, "\x02\x7e\x00\xcc\xcc\xcc\xcc\xcc", 8);
	tester_close(&s);
}

static void fd_requests_get_fd_answers(void **state)
{
	static const struct bf_frame fc = {
		.id = 0x7E0, .len = 8, .data = { 0x30 }, .flags = BF_FRAME_FD | BF_FRAME_BRS
	};
	struct bf_frame f = { .id = 0x7E0, .len = 8, .data = { 3, 0x22, 0xF1, 0x87 } };
	struct tester s;

	(void)state;
	tester_open(&s, "sim:link=canfd");
	f.flags = BF_FRAME_FD | BF_FRAME_BRS;
	send_raw(&s, &f);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_int_equal(f.flags, BF_FRAME_FD | BF_FRAME_BRS);
	assert_int_equal(f.len, 16);
	assert_memory_equal(f.data,
			    "\x00\x0d\x62\xf1\x87"
			    "BMS",
			    8);
	f = (struct bf_frame){ .id = 0x7E0, .len = 8, .data = { 3, 0x22, 0xFD, 3 } };
	f.flags = BF_FRAME_FD | BF_FRAME_BRS;
	send_raw(&s, &f);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_int_equal(f.len, 64);
	assert_memory_equal(f.data, "\x10\x81\x62\xfd\x03\x05", 6);
	send_raw(&s, &fc);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_int_equal(f.data[0], 0x21);
	assert_int_equal(f.len, 64);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_int_equal(f.data[0], 0x22);
	assert_int_equal(f.len, 8);        /* 129 - 62 - 63 = 4 bytes and the sequence number */
	tester_expect(&s, "3e00", "7e00"); /* classic still is answered classic */
	tester_close(&s);
}

static void a_classic_bus_takes_no_fd_frames(void **state)
{
	struct bf_frame f = { .id = 0x7E0, .len = 8, .flags = BF_FRAME_FD };
	struct tester s;
	struct bf_err err;

	(void)state;
	tester_open(&s, "sim");
	assert_int_equal(s.t->ops->bus->send(s.t, &f, BF_SEC(1), &err), BF_E_IFACE);
	assert_int_equal(s.t->ops->bus->set_bitrate(s.t, 500000, 2000000, &err), BF_E_IFACE);
	tester_close(&s);
}

static void flow_control_is_obeyed(void **state)
{
	static const struct bf_frame wait = { .id = 0x7E0, .len = 8, .data = { 0x31 } };
	struct bf_frame fc = { .id = 0x7E0, .len = 8, .data = { 0x30, 2, 5 } };
	struct bf_frame f = { .id = 0x7E0, .len = 8, .data = { 3, 0x22, 0xFD, 0x14 } };
	struct tester s;
	bf_time first;

	(void)state;
	tester_open(&s, "sim");
	send_raw(&s, &f);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_memory_equal(f.data, "\x10\x23", 2);
	tester_wait(&s, BF_MS(900));
	send_raw(&s, &wait);
	tester_wait(&s, BF_MS(900));
	send_raw(&s, &fc);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	first = f.at;
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_in_range(f.at - first, BF_MS(5), BF_MS(6));
	assert_false(tester_frame(&s, &f, BF_MS(500))); /* the block is over */
	fc.data[1] = 0;
	fc.data[2] = 0xF3;
	send_raw(&s, &fc);
	for (int i = 0; i < 3; i++)
		assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_int_equal(f.data[0], 0x25);
	assert_false(tester_frame(&s, &f, BF_MS(500)));
	tester_close(&s);
}

static void an_answer_that_nobody_fetches_is_given_up(void **state)
{
	static const struct bf_frame fc = { .id = 0x7E0, .len = 8, .data = { 0x30 } };
	struct bf_frame f = { .id = 0x7E0, .len = 8, .data = { 3, 0x22, 0xFD, 0x14 } };
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	send_raw(&s, &f);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	tester_wait(&s, BF_MS(1100));
	send_raw(&s, &fc);
	assert_false(tester_frame(&s, &f, BF_MS(500)));
	tester_expect(&s, "3e00", "7e00");
	tester_close(&s);
}

static void a_message_with_a_frame_missing_is_dropped(void **state)
{
	struct bf_frame f = { .id = 0x7E0, .len = 8, .data = { 0x10, 20, 0x22, 0xF1, 0x86 } };
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	send_raw(&s, &f);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_memory_equal(f.data, "\x30\x00\x00", 3);
	f = (struct bf_frame){ .id = 0x7E0, .len = 8, .data = { 0x22 } };
	send_raw(&s, &f);
	f.data[0] = 0x21;
	send_raw(&s, &f);
	assert_false(tester_frame(&s, &f, BF_MS(500)));
	tester_close(&s);
}

static void a_message_that_is_too_long_is_stopped_at_once(void **state)
{
	struct bf_frame f = { .id = 0x7E0, .len = 8, .data = { 0x10, 0, 0, 0, 0x20, 0 } };
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	send_raw(&s, &f);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_int_equal(f.data[0], 0x32);
	tester_close(&s);
}

static void frames_for_others_and_filtered_ones_are_not_seen(void **state)
{
	struct bf_filter only = { .id = 0x7E9, .mask = 0x7FF };
	struct bf_frame f = { .id = 0x7E1, .len = 8, .data = { 2, 0x3E, 0 } };
	struct tester s;
	struct bf_err err;

	(void)state;
	tester_open(&s, "sim");
	send_raw(&s, &f);
	f.flags = BF_FRAME_EXT;
	f.id = 0x7E0;
	send_raw(&s, &f);
	assert_false(tester_frame(&s, &f, BF_MS(500)));
	assert_int_equal(s.t->ops->bus->filter(s.t, &only, 1, &err), BF_OK);
	assert_false(tester_ask(&s, "3e00"));
	assert_int_equal(s.t->ops->bus->filter(s.t, NULL, 0, &err), BF_OK);
	tester_expect(&s, "3e00", "7e00");
	tester_close(&s);
}

static void a_full_queue_pushes_back(void **state)
{
	struct bf_frame f = { .id = 0x100, .len = 8 };
	struct bf_bus_report report;
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	for (int i = 0; i < 30; i++)
		send_raw(&s, &f);
	assert_in_range(s.t->stats.queue_full, 15, 25);
	s.t->ops->bus->report(s.t, &report);
	assert_int_equal(report.state, BF_BUS_ACTIVE);
	assert_int_equal(report.bitrate, 500000);
	tester_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_bits_follow_the_standard),
		cmocka_unit_test(fd_frame_bits_follow_the_standard),
		cmocka_unit_test(fd_frames_take_their_time_at_both_rates),
		cmocka_unit_test(the_answer_comes_after_both_frames_and_the_turnaround),
		cmocka_unit_test(fd_requests_get_fd_answers),
		cmocka_unit_test(a_classic_bus_takes_no_fd_frames),
		cmocka_unit_test(flow_control_is_obeyed),
		cmocka_unit_test(an_answer_that_nobody_fetches_is_given_up),
		cmocka_unit_test(a_message_with_a_frame_missing_is_dropped),
		cmocka_unit_test(a_message_that_is_too_long_is_stopped_at_once),
		cmocka_unit_test(frames_for_others_and_filtered_ones_are_not_seen),
		cmocka_unit_test(a_full_queue_pushes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
