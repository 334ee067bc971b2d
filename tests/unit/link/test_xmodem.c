/* SPDX-License-Identifier: MIT */
/* XMODEM byte by byte, on virtual time, against a receiver that is written here from the description of the protocol. */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/xmodem.h"
#include "fake.h"

#define SOH 0x01
#define STX 0x02
#define EOT 0x04
#define ACK 0x06
#define NAK 0x15
#define CAN 0x18

/* A receiver: takes blocks, answers them, and can be told to misbehave at one of them. */
struct receiver {
	struct bf_clock *clock;
	struct fake *peer;
	struct bf_xmodem_opts opts;
	struct bf_xmodem x;
	struct bf_err err;
	bool crc;
	uint8_t got[8192];
	size_t n;
	uint8_t expect;     /* number of the next block */
	unsigned heard;     /* blocks, repeats included */
	unsigned eots;      /* EOT bytes */
	unsigned nak_at;    /* refuses block heard number N ... */
	unsigned nak_times; /* ... so often */
	unsigned mute_at;   /* says nothing to block heard number N */
	unsigned deaf_at;   /* ... and does not take it either */
	unsigned cancel_at;
	const char *say_at_end; /* in place of an ACK for the EOT */
	bool refuses_first_eot;
	bool echoes;
};

static void answer(struct receiver *r, uint8_t byte)
{
	fake_say_bytes(r->peer, &byte, 1, BF_MS(2));
}

/* Bit by bit, as the description of XMODEM/CRC has it. */
static uint16_t crc_by_hand(const uint8_t *p, size_t len)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc = (uint16_t)(crc ^ p[i] << 8);
		for (int b = 0; b < 8; b++)
			crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
	}
	return crc;
}

static bool sound(const struct receiver *r, const uint8_t *p, size_t block)
{
	uint8_t sum = 0;

	if ((uint8_t)(p[1] + p[2]) != 0xFF)
		return false;
	if (r->crc)
		return crc_by_hand(p + 3, block) == (p[3 + block] << 8 | p[4 + block]);
	for (size_t i = 0; i < block; i++)
		sum = (uint8_t)(sum + p[3 + i]);
	return sum == p[3 + block];
}

static void take_block(struct receiver *r, const uint8_t *p, size_t block)
{
	bool good = sound(r, p, block);

	r->heard++;
	if (r->cancel_at && r->heard == r->cancel_at) {
		answer(r, CAN);
		answer(r, CAN);
		return;
	}
	if (r->deaf_at && r->heard == r->deaf_at)
		return;
	if (r->nak_at && r->heard >= r->nak_at && r->heard < r->nak_at + r->nak_times) {
		answer(r, NAK);
		return;
	}
	if (!good) {
		answer(r, NAK);
		return;
	}
	if (p[1] == r->expect) {
		memcpy(r->got + r->n, p + 3, block);
		r->n += block;
		r->expect++;
	} else if (p[1] != (uint8_t)(r->expect - 1)) {
		answer(r, CAN);
		answer(r, CAN);
		return;
	}
	if (!(r->mute_at && r->heard == r->mute_at))
		answer(r, ACK);
}

static void take_eot(struct receiver *r)
{
	r->eots++;
	if (r->refuses_first_eot && r->eots == 1)
		answer(r, NAK);
	else if (r->eots > 1 && r->say_at_end)
		return; /* glued: the first one was the end */
	else if (r->say_at_end)
		fake_say_bytes(r->peer, (const uint8_t *)r->say_at_end, strlen(r->say_at_end),
			       BF_MS(2));
	else
		answer(r, ACK);
}

static size_t receive(struct fake *peer, void *ctx, const uint8_t *p, size_t len)
{
	struct receiver *r = ctx;
	size_t block, whole;

	(void)peer;
	if (p[0] == EOT) {
		take_eot(r);
		return 1;
	}
	if (p[0] != SOH && p[0] != STX)
		return 1;
	block = p[0] == SOH ? 128 : 1024;
	whole = 3 + block + (r->crc ? 2 : 1);
	if (len < whole)
		return 0;
	if (r->echoes)
		fake_say_bytes(r->peer, p, whole, 0);
	take_block(r, p, block);
	return whole;
}

static void start(struct receiver *r)
{
	*r = (struct receiver){ .clock = bf_vclock_new(), .expect = 1 };
	bf_err_init(&r->err);
	r->peer = fake_stream_new(r->clock);
	fake_stream_handle(r->peer, receive, r);
	r->opts = (struct bf_xmodem_opts){ .block = 128,
					   .check = BF_XMODEM_SUM,
					   .ready = BF_XMODEM_READY_NAK,
					   .end = BF_XMODEM_END_STANDARD,
					   .eots = 3,
					   .pad = 0xFF,
					   .cancels = 2,
					   .sends = 4,
					   .block_wait = BF_SEC(10),
					   .end_wait = BF_SEC(10) };
}

static void stop(struct receiver *r)
{
	fake_free(r->peer);
	bf_clock_free(r->clock);
}

static void fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
}

/* All of a transfer. */
static enum bf_rc send_all(struct receiver *r, const uint8_t *p, size_t len)
{
	size_t block = r->opts.block;
	enum bf_rc rc;

	bf_xmodem_init(&r->x, &r->opts, fake_transport(r->peer));
	rc = bf_xmodem_listen(&r->x, bf_in(r->clock, BF_SEC(5)), &r->err);
	if (rc)
		return rc;
	bf_xmodem_begin(&r->x);
	for (size_t at = 0; !rc && at < len; at += block) {
		size_t n = len - at < block ? len - at : block;

		rc = bf_xmodem_send(&r->x, p + at, n, at + n == len, &r->err);
		if (!rc)
			rc = bf_xmodem_answer(&r->x, &r->err);
	}
	return rc ? rc : bf_xmodem_finish(&r->x, &r->err);
}

static const uint8_t *frame_of(const struct bf_xmodem_opts *o, bool crc, uint8_t number,
			       const char *data, size_t *ret_len)
{
	static uint8_t frame[BF_XMODEM_FRAME_MAX];

	*ret_len = bf_xmodem_frame(o, crc, number, (const uint8_t *)data, strlen(data), frame);
	return frame;
}

static void a_block_is_the_one_of_the_description(void **state)
{
	struct bf_xmodem_opts o = { .block = 128, .pad = 0x1A };
	const uint8_t *f;
	size_t n;

	(void)state;
	f = frame_of(&o, false, 1, "abc", &n);
	assert_int_equal(n, 132);
	assert_memory_equal(f,
			    "\x01\x01\xFE"
			    "abc\x1A",
			    7);
	assert_int_equal(f[131], (0x61 + 0x62 + 0x63 + 125 * 0x1A) & 0xFF);
	o.pad = 0xFF;
	f = frame_of(&o, true, 255, "123456789", &n);
	assert_int_equal(n, 133);
	assert_memory_equal(f, "\x01\xFF\x00", 3);
	assert_int_equal(f[3 + 127], 0xFF);
	assert_int_equal(f[131] << 8 | f[132], crc_by_hand(f + 3, 128));
	assert_int_equal(crc_by_hand((const uint8_t *)"123456789", 9), 0x31C3);
	o.block = 1024;
	f = frame_of(&o, true, 2, "x", &n);
	assert_int_equal(n, 1029);
	assert_int_equal(f[0], STX);
}

static void a_transfer_arrives_byte_for_byte_and_is_padded(void **state)
{
	uint8_t image[1000];
	struct receiver r;

	(void)state;
	fill(image, sizeof(image));
	start(&r);
	answer(&r, NAK);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_OK);
	assert_int_equal(r.n, 1024);
	assert_memory_equal(r.got, image, sizeof(image));
	for (size_t i = sizeof(image); i < r.n; i++)
		assert_int_equal(r.got[i], 0xFF);
	assert_int_equal(r.heard, 8);
	assert_int_equal(r.eots, 1);
	assert_int_equal(r.x.repeats, 0);
	stop(&r);
}

static void a_receiver_that_asks_with_c_gets_a_crc(void **state)
{
	uint8_t image[3000];
	struct receiver r;

	(void)state;
	fill(image, sizeof(image));
	start(&r);
	r.crc = true;
	r.opts.block = 1024;
	r.opts.check = BF_XMODEM_AUTO;
	r.opts.ready = BF_XMODEM_READY_ANY;
	answer(&r, 'C');
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_OK);
	assert_int_equal(r.n, 3072);
	assert_memory_equal(r.got, image, sizeof(image));
	stop(&r);
}

/* 300 blocks: the number goes from 255 to 0. */
static void block_numbers_wrap_to_zero(void **state)
{
	static uint8_t image[300 * 128];
	struct receiver r;

	(void)state;
	start(&r);
	answer(&r, NAK);
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	assert_int_equal(bf_xmodem_listen(&r.x, bf_in(r.clock, BF_SEC(1)), &r.err), BF_OK);
	bf_xmodem_begin(&r.x);
	for (unsigned i = 0; i < 300; i++) {
		r.n = 0;
		assert_int_equal(bf_xmodem_send(&r.x, image, 128, i == 299, &r.err), BF_OK);
		assert_int_equal(bf_xmodem_answer(&r.x, &r.err), BF_OK);
	}
	assert_int_equal(bf_xmodem_finish(&r.x, &r.err), BF_OK);
	assert_int_equal(r.heard, 300);
	assert_int_equal(r.expect, (300 + 1) & 0xFF);
	stop(&r);
}

static void a_refused_block_goes_again(void **state)
{
	uint8_t image[512];
	struct receiver r;

	(void)state;
	fill(image, sizeof(image));
	start(&r);
	r.nak_at = 2;
	r.nak_times = 3;
	answer(&r, NAK);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_OK);
	assert_memory_equal(r.got, image, sizeof(image));
	assert_int_equal(r.x.repeats, 3);
	assert_int_equal(r.x.unasked, 0);
	stop(&r);
}

static void a_receiver_that_refuses_for_ever_ends_the_transfer(void **state)
{
	uint8_t image[512] = { 0 };
	struct receiver r;

	(void)state;
	start(&r);
	r.nak_at = 2;
	r.nak_times = 1000;
	answer(&r, NAK);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_E_LINK);
	assert_int_equal(r.heard, 1 + r.opts.sends);
	assert_non_null(strstr(r.err.cause, "block 2 4 times"));
	stop(&r);
}

/* The answer was lost: the receiver has the block, takes the repeat for what it is, and gets no byte twice. */
static void a_block_without_an_answer_goes_again_after_its_time(void **state)
{
	uint8_t image[512];
	struct receiver r;
	bf_time before;

	(void)state;
	fill(image, sizeof(image));
	start(&r);
	r.mute_at = 2;
	answer(&r, NAK);
	before = bf_now(r.clock);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_OK);
	assert_int_equal(r.n, sizeof(image));
	assert_memory_equal(r.got, image, sizeof(image));
	assert_int_equal(r.x.unasked, 1);
	assert_true(bf_now(r.clock) - before >= r.opts.block_wait);
	stop(&r);
}

static void a_silent_receiver_ends_the_transfer(void **state)
{
	uint8_t image[512] = { 0 };
	struct receiver r;

	(void)state;
	start(&r);
	answer(&r, NAK);
	r.deaf_at = 1;
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	assert_int_equal(bf_xmodem_listen(&r.x, bf_in(r.clock, BF_SEC(1)), &r.err), BF_OK);
	fake_stream_handle(r.peer, NULL, NULL);
	bf_xmodem_begin(&r.x);
	assert_int_equal(bf_xmodem_send(&r.x, image, 128, false, &r.err), BF_OK);
	assert_int_equal(bf_xmodem_answer(&r.x, &r.err), BF_E_TIMEOUT);
	assert_true(bf_now(r.clock) < BF_SEC(60));
	stop(&r);
}

static void two_cans_cancel_and_one_is_noise(void **state)
{
	uint8_t image[512] = { 0 };
	struct receiver r;

	(void)state;
	start(&r);
	r.cancel_at = 3;
	answer(&r, NAK);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_E_NAK);
	assert_int_equal(r.err.dev_code, CAN);
	stop(&r);

	start(&r);
	answer(&r, NAK);
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	assert_int_equal(bf_xmodem_listen(&r.x, bf_in(r.clock, BF_SEC(1)), &r.err), BF_OK);
	fake_stream_handle(r.peer, NULL, NULL);
	bf_xmodem_begin(&r.x);
	assert_int_equal(bf_xmodem_send(&r.x, image, 128, false, &r.err), BF_OK);
	answer(&r, CAN);
	fake_say(r.peer, "06", BF_MS(500));
	assert_int_equal(bf_xmodem_answer(&r.x, &r.err), BF_OK);
	stop(&r);
}

static void one_can_is_enough_where_the_options_say_so(void **state)
{
	uint8_t image[128] = { 0 };
	struct receiver r;

	(void)state;
	start(&r);
	r.opts.cancels = 1;
	answer(&r, NAK);
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	assert_int_equal(bf_xmodem_listen(&r.x, bf_in(r.clock, BF_SEC(1)), &r.err), BF_OK);
	fake_stream_handle(r.peer, NULL, NULL);
	bf_xmodem_begin(&r.x);
	assert_int_equal(bf_xmodem_send(&r.x, image, 128, false, &r.err), BF_OK);
	answer(&r, CAN);
	assert_int_equal(bf_xmodem_answer(&r.x, &r.err), BF_E_NAK);
	stop(&r);
}

static void of_control_bytes_that_come_together_the_last_counts(void **state)
{
	uint8_t image[256] = { 0 };
	struct receiver r;

	(void)state;
	start(&r);
	answer(&r, NAK);
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	assert_int_equal(bf_xmodem_listen(&r.x, bf_in(r.clock, BF_SEC(1)), &r.err), BF_OK);
	fake_stream_handle(r.peer, NULL, NULL);
	bf_xmodem_begin(&r.x);
	assert_int_equal(bf_xmodem_send(&r.x, image, 128, false, &r.err), BF_OK);
	fake_say(r.peer, "15 15 06", BF_MS(5));
	assert_int_equal(bf_xmodem_answer(&r.x, &r.err), BF_OK);
	assert_int_equal(r.x.repeats, 0);
	stop(&r);
}

#define END_TEXT "\x06\r\n->Tran-End\r\n\r\n->Jump to app...\r\n"

static void the_end_goes_out_in_the_write_of_the_last_block(void **state)
{
	uint8_t image[256];
	struct receiver r;
	char *last;

	(void)state;
	fill(image, sizeof(image));
	start(&r);
	r.opts.end = BF_XMODEM_END_GLUED;
	r.opts.done = "->Tran-End";
	r.say_at_end = END_TEXT;
	answer(&r, NAK);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_OK);
	assert_true(r.x.done);
	assert_int_equal(r.eots, 3);
	last = strdup(fake_heard(r.peer));
	assert_non_null(last);
	last[strlen(last) - 1] = '\0'; /* one write a line */
	assert_string_equal(strrchr(last, '\n') + 1 + strlen(strrchr(last, '\n') + 1) - 6,
			    "040404");
	assert_int_equal(strlen(strrchr(last, '\n') + 1), 2 * (132 + 3));
	assert_memory_equal(strrchr(last, '\n') + 1, "0102FD", 6);
	free(last);
	stop(&r);
}

static void a_text_that_does_not_come_is_no_failure_of_the_transfer(void **state)
{
	uint8_t image[256] = { 0 };
	struct receiver r;

	(void)state;
	start(&r);
	r.opts.end = BF_XMODEM_END_GLUED;
	r.opts.done = "->Tran-End";
	answer(&r, NAK);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_OK);
	assert_false(r.x.done);
	stop(&r);
}

/* The last block was damaged, and the end behind it was not. */
static void a_receiver_that_ends_without_the_last_block_is_found_out(void **state)
{
	uint8_t image[256] = { 0 };
	struct receiver r;

	(void)state;
	start(&r);
	r.opts.end = BF_XMODEM_END_GLUED;
	r.opts.done = "->Tran-End";
	r.say_at_end = END_TEXT;
	r.nak_at = 2;
	r.nak_times = 1;
	answer(&r, NAK);
	r.err.rc = send_all(&r, image, sizeof(image));
	assert_int_equal(r.err.rc, BF_E_LINK);
	assert_non_null(strstr(r.err.cause, "without the last block"));
	assert_int_equal(r.heard, 2);
	stop(&r);
}

static void a_receiver_may_refuse_the_first_end(void **state)
{
	uint8_t image[256] = { 0 };
	struct receiver r;

	(void)state;
	start(&r);
	r.refuses_first_eot = true;
	answer(&r, NAK);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_OK);
	assert_int_equal(r.eots, 2);
	stop(&r);
}

static void nothing_is_sent_while_it_listens(void **state)
{
	struct receiver r;

	(void)state;
	start(&r);
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	assert_int_equal(bf_xmodem_listen(&r.x, bf_in(r.clock, BF_SEC(5)), &r.err), BF_E_NODEV);
	assert_int_equal(bf_now(r.clock), BF_SEC(5));
	assert_string_equal(fake_heard(r.peer), "");
	stop(&r);
}

static void a_letter_c_inside_a_text_does_not_ask_for_data(void **state)
{
	static const char banner[] = "\r\nSTM32F103xC BOOTLOADER (Version 2.0.4)\r\n";
	struct receiver r;

	(void)state;
	start(&r);
	r.opts.ready = BF_XMODEM_READY_ANY;
	r.opts.check = BF_XMODEM_AUTO;
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	/* cut behind the C, where adapters cut as they like */
	fake_say_bytes(r.peer, (const uint8_t *)banner, 13, BF_MS(1));
	fake_say_bytes(r.peer, (const uint8_t *)banner + 13, sizeof(banner) - 1 - 13, BF_MS(100));
	fake_say(r.peer, "15", BF_SEC(1));
	assert_int_equal(bf_xmodem_listen(&r.x, bf_in(r.clock, BF_SEC(5)), &r.err), BF_OK);
	assert_true(bf_now(r.clock) >= BF_SEC(1));
	assert_false(r.x.crc);
	assert_non_null(strstr(r.x.text, "BOOTLOADER (Version 2.0.4)"));
	stop(&r);
}

static void a_line_that_chatters_for_ever_is_no_receiver(void **state)
{
	struct receiver r;

	(void)state;
	start(&r);
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	for (int i = 0; i < 1000; i++)
		fake_say(r.peer, "41 42", BF_MS(10) * i);
	assert_int_equal(bf_xmodem_listen(&r.x, bf_in(r.clock, BF_SEC(2)), &r.err), BF_E_NODEV);
	assert_true(bf_now(r.clock) < BF_SEC(4));
	stop(&r);
}

static void bytes_that_mean_nothing_do_not_prolong_the_wait(void **state)
{
	uint8_t image[128] = { 0 };
	struct receiver r;

	(void)state;
	start(&r);
	answer(&r, NAK);
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	assert_int_equal(bf_xmodem_listen(&r.x, bf_in(r.clock, BF_SEC(1)), &r.err), BF_OK);
	fake_stream_handle(r.peer, NULL, NULL);
	bf_xmodem_begin(&r.x);
	assert_int_equal(bf_xmodem_send(&r.x, image, 128, false, &r.err), BF_OK);
	for (int i = 0; i < 2000; i++)
		fake_say(r.peer, "2E", BF_MS(100) * i);
	assert_int_equal(bf_xmodem_answer(&r.x, &r.err), BF_E_TIMEOUT);
	assert_true(bf_now(r.clock) < BF_SEC(60));
	stop(&r);
}

/* Nine refusals before each acknowledgement: no block fails, and the whole would take days. */
static void the_whole_transfer_has_a_limit(void **state)
{
	static uint8_t image[128 * 60];
	struct receiver r;

	(void)state;
	start(&r);
	r.opts.whole = BF_SEC(60);
	r.mute_at = 3;
	r.deaf_at = 5;
	r.opts.block_wait = BF_SEC(40);
	answer(&r, NAK);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_E_TIMEOUT);
	assert_non_null(strstr(r.err.cause, "longer than 60 s"));
	assert_true(bf_now(r.clock) < BF_SEC(65));
	stop(&r);
}

static void a_receiver_that_echoes_is_understood(void **state)
{
	uint8_t image[512];
	struct receiver r;

	(void)state;
	memset(image, CAN, sizeof(image)); /* its echo would cancel */
	start(&r);
	r.echoes = r.opts.echo = true;
	answer(&r, NAK);
	assert_int_equal(send_all(&r, image, sizeof(image)), BF_OK);
	assert_memory_equal(r.got, image, sizeof(image));
	stop(&r);
}

static void giving_up_is_told_only_to_who_understands_it(void **state)
{
	struct receiver r;

	(void)state;
	start(&r);
	bf_xmodem_init(&r.x, &r.opts, fake_transport(r.peer));
	bf_xmodem_cancel(&r.x);
	assert_string_equal(fake_heard(r.peer), "");
	r.x.opts.may_cancel = true;
	bf_xmodem_cancel(&r.x);
	assert_string_equal(fake_heard(r.peer), "1818\n");
	stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_the_one_of_the_description),
		cmocka_unit_test(a_transfer_arrives_byte_for_byte_and_is_padded),
		cmocka_unit_test(a_receiver_that_asks_with_c_gets_a_crc),
		cmocka_unit_test(block_numbers_wrap_to_zero),
		cmocka_unit_test(a_refused_block_goes_again),
		cmocka_unit_test(a_receiver_that_refuses_for_ever_ends_the_transfer),
		cmocka_unit_test(a_block_without_an_answer_goes_again_after_its_time),
		cmocka_unit_test(a_silent_receiver_ends_the_transfer),
		cmocka_unit_test(two_cans_cancel_and_one_is_noise),
		cmocka_unit_test(one_can_is_enough_where_the_options_say_so),
		cmocka_unit_test(of_control_bytes_that_come_together_the_last_counts),
		cmocka_unit_test(the_end_goes_out_in_the_write_of_the_last_block),
		cmocka_unit_test(a_text_that_does_not_come_is_no_failure_of_the_transfer),
		cmocka_unit_test(a_receiver_that_ends_without_the_last_block_is_found_out),
		cmocka_unit_test(a_receiver_may_refuse_the_first_end),
		cmocka_unit_test(nothing_is_sent_while_it_listens),
		cmocka_unit_test(a_letter_c_inside_a_text_does_not_ask_for_data),
		cmocka_unit_test(a_line_that_chatters_for_ever_is_no_receiver),
		cmocka_unit_test(bytes_that_mean_nothing_do_not_prolong_the_wait),
		cmocka_unit_test(the_whole_transfer_has_a_limit),
		cmocka_unit_test(a_receiver_that_echoes_is_understood),
		cmocka_unit_test(giving_up_is_told_only_to_who_understands_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
