/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/link.h"
#include "link/smp_serial_codec.h"
#include "wire.h"

/* A list of images: read, group 1, command 0; as MCUboot's recovery was asked and answered it. */
static const uint8_t ask_list[] = { 0, 0, 0, 0, 0, 1, 0x29, 0 };
static const char list_frame[] = "\x06\x09"
				 "AAoAAAAAAAEpAItO\n";
static const char empty_list[] = "\x06\x09"
				 "ABUBAAALAAEpAL9maW1hZ2Vzn///LbM=\n";

static struct bf_link *open_link(struct wire *w, bool raw)
{
	const struct bf_smp_serial_opts opts = { .raw = raw };
	struct bf_link *l = NULL;
	struct bf_err err;

	assert_int_equal(bf_smp_serial_open(&w->t, &opts, &l, &err), BF_OK);
	return l;
}

static void say(struct wire *w, bf_time after, const char *text)
{
	wire_put_bytes(w, after, (const uint8_t *)text, strlen(text));
}

static enum bf_rc recv(struct bf_link *l, uint8_t buf[4096], size_t *ret_len)
{
	struct bf_err err;

	return l->ops->recv(l, buf, 4096, ret_len, BF_MS(100), &err);
}

static void a_packet_becomes_the_recorded_line(void **state)
{
	uint8_t wire[64];
	size_t n = bf_smp_console_encode(wire, ask_list, sizeof(ask_list));

	(void)state;
	assert_int_equal(n, bf_smp_console_size(sizeof(ask_list)));
	assert_int_equal(wire[0], '\n'); /* ends what noise may stand in the line */
	assert_int_equal(n - 1, strlen(list_frame));
	assert_memory_equal(wire + 1, list_frame, n - 1);
}

static void every_length_comes_back_and_no_line_is_longer_than_127(void **state)
{
	uint8_t packet[700], wire[2000], rx[704];
	struct bf_smp_console in = { .buf = rx, .cap = sizeof(rx) };

	(void)state;
	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 7);
	for (size_t len = BF_SMP_HEADER; len <= sizeof(packet); len++) {
		size_t n = bf_smp_console_encode(wire, packet, len), line = 0, messages = 0;

		assert_int_equal(n, bf_smp_console_size(len));
		for (size_t i = 0; i < n; i++) {
			enum bf_deframed d = bf_smp_console_put(&in, wire[i]);

			assert_true(d == BF_DEFRAME_MORE || d == BF_DEFRAME_MESSAGE);
			messages += d == BF_DEFRAME_MESSAGE;
			line = wire[i] == '\n' ? 0 : line + 1;
			assert_true(line < BF_SMP_LINE);
		}
		assert_int_equal(messages, 1);
		assert_int_equal(in.packet_len, len);
		assert_memory_equal(rx + 2, packet, len);
	}
}

static void log_text_between_and_before_markers_is_skipped(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, false);
	uint8_t buf[4096];
	size_t len;

	(void)state;
	say(w, BF_MS(1), "*** Booting Zephyr OS ***\r\n[00:00:01] <inf> bms: ok ");
	say(w, BF_MS(2), empty_list);
	assert_int_equal(recv(l, buf, &len), BF_OK);
	assert_int_equal(len, 19);
	assert_int_equal(buf[6], 0x29);
	assert_int_equal(l->stats.damaged, 0);
}

static void text_between_the_lines_of_a_packet_is_skipped(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, false);
	uint8_t packet[150] = { 1 }, wire[400], buf[4096];
	size_t n = bf_smp_console_encode(wire, packet, sizeof(packet)), len;

	(void)state;
	wire_put_bytes(w, BF_MS(1), wire, BF_SMP_LINE + 1);
	say(w, BF_MS(2), "log text in between\n");
	wire_put_bytes(w, BF_MS(3), wire + BF_SMP_LINE + 1, n - BF_SMP_LINE - 1);
	assert_int_equal(recv(l, buf, &len), BF_OK);
	assert_int_equal(len, sizeof(packet));
	assert_memory_equal(buf, packet, len);
}

static void a_lost_newline_costs_that_packet_and_not_the_next(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, false);
	uint8_t buf[4096];
	size_t len;

	(void)state;
	wire_put_bytes(w, BF_MS(1), (const uint8_t *)empty_list, 20);
	say(w, BF_MS(2), empty_list);
	assert_int_equal(recv(l, buf, &len), BF_OK);
	assert_int_equal(len, 19);
	assert_int_equal(l->stats.damaged, 1);
}

static void a_wrong_crc_and_silence_is_a_bad_line(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, false);
	uint8_t buf[4096];
	size_t len;

	(void)state;
	say(w, BF_MS(1),
	    "\x06\x09"
	    "ABUBAAALAAEpAL9maW1hZ2Vzn///LbI=\n");
	assert_int_equal(recv(l, buf, &len), BF_E_LINK);
	assert_int_equal(bf_now(w->t.clock), BF_MS(100));
}

static void lines_with_cr_and_lines_of_another_length_are_taken(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, false);
	uint8_t buf[4096];
	size_t len;

	(void)state;
	say(w, BF_MS(1),
	    "\x06\x09"
	    "ABUBAAALAAEpAL8=\r\n\x04\x14"
	    "ZmltYWdlc5///y2z\r\n");
	assert_int_equal(recv(l, buf, &len), BF_OK);
	assert_int_equal(len, 19);
}

static void endless_base64_ends_at_the_longest_line(void **state)
{
	uint8_t rx[4100];
	struct bf_smp_console in = { .buf = rx, .cap = sizeof(rx) };
	unsigned damaged = 0;

	(void)state;
	bf_smp_console_put(&in, 6);
	bf_smp_console_put(&in, 9);
	for (unsigned i = 0; i < 100000; i++)
		damaged += bf_smp_console_put(&in, 'A') == BF_DEFRAME_DAMAGED;
	assert_int_equal(damaged, 1);
	assert_false(in.in_frame);
}

static void a_pack_that_is_writing_text_is_not_interrupted(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, false);
	uint8_t buf[4096];
	size_t len;
	struct bf_err err;

	(void)state;
	say(w, BF_MS(1), "text\n");
	say(w, BF_MS(2), empty_list);
	say(w, BF_MS(5), "[00:00:02] <inf> ");
	say(w, BF_MS(8), "bms: cell 7\n");
	assert_int_equal(recv(l, buf, &len), BF_OK);
	assert_int_equal(l->ops->send(l, ask_list, sizeof(ask_list), BF_SEC(1), &err), BF_OK);
	assert_int_equal(bf_now(w->t.clock), BF_MS(13));
}

/* ---- raw ---- */

static const uint8_t raw_answer[] = { 1, 0, 0, 1, 0, 1, 0x29, 0, 0xA0 };

static void raw_packets_are_sent_as_they_are(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, true);
	uint8_t buf[4096];
	size_t len;
	struct bf_err err;

	(void)state;
	assert_int_equal(l->ops->send(l, ask_list, sizeof(ask_list), BF_SEC(1), &err), BF_OK);
	wire_put_bytes(w, BF_MS(1), raw_answer, sizeof(raw_answer));
	assert_int_equal(recv(l, buf, &len), BF_OK);
	assert_int_equal(len, sizeof(raw_answer));
	assert_memory_equal(buf, raw_answer, len);
}

static void noise_before_a_raw_answer_is_passed_over(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, true);
	uint8_t buf[4096];
	size_t len;
	struct bf_err err;

	(void)state;
	assert_int_equal(l->ops->send(l, ask_list, sizeof(ask_list), BF_SEC(1), &err), BF_OK);
	wire_put_bytes(w, BF_MS(1), (const uint8_t *)"boot\x01\x00\x00\xFF", 8);
	wire_put_bytes(w, BF_MS(2), raw_answer, sizeof(raw_answer));
	assert_int_equal(recv(l, buf, &len), BF_OK);
	assert_int_equal(len, sizeof(raw_answer));
	assert_memory_equal(buf, raw_answer, len);
}

static void half_a_raw_packet_ends_with_a_silence(void **state)
{
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_link) *l = open_link(w, true);
	uint8_t buf[4096];
	size_t len;
	struct bf_err err;

	(void)state;
	assert_int_equal(l->ops->send(l, ask_list, sizeof(ask_list), BF_SEC(1), &err), BF_OK);
	wire_put_bytes(w, BF_MS(1), raw_answer, sizeof(raw_answer) - 1);
	wire_put_bytes(w, BF_MS(60), raw_answer, sizeof(raw_answer));
	assert_int_equal(recv(l, buf, &len), BF_OK);
	assert_int_equal(len, sizeof(raw_answer));
	assert_int_equal(l->stats.damaged, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_becomes_the_recorded_line),
		cmocka_unit_test(every_length_comes_back_and_no_line_is_longer_than_127),
		cmocka_unit_test(log_text_between_and_before_markers_is_skipped),
		cmocka_unit_test(text_between_the_lines_of_a_packet_is_skipped),
		cmocka_unit_test(a_lost_newline_costs_that_packet_and_not_the_next),
		cmocka_unit_test(a_wrong_crc_and_silence_is_a_bad_line),
		cmocka_unit_test(lines_with_cr_and_lines_of_another_length_are_taken),
		cmocka_unit_test(endless_base64_ends_at_the_longest_line),
		cmocka_unit_test(a_pack_that_is_writing_text_is_not_interrupted),
		cmocka_unit_test(raw_packets_are_sent_as_they_are),
		cmocka_unit_test(noise_before_a_raw_answer_is_passed_over),
		cmocka_unit_test(half_a_raw_packet_ends_with_a_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
