/* SPDX-License-Identifier: MIT */
/* What makes an update fast, each by what it saves on virtual time. */
#include <stdio.h>

#include "powercut/stack.h"

#define GW_OLD "mcuboot/gw-2.0.0.signed.bin"
#define GW_NEW "mcuboot/gw-2.1.0.signed.bin"

static bf_time moving(const struct stack *s)
{
	return s->summary.transfer + s->summary.wait_pack;
}

/* One flash of a new pack: what its transfer took. */
static bf_time flash(struct stack *s, const char *image, const char *options)
{
	stack_init(s, image);
	stack_run(s, options);
	assert_stack_ended(s, BF_OK, BF_STATE_NEW_PROVEN);
	stack_done(s);
	return moving(s);
}

static void compression_saves_a_third_on_every_wire(void **state)
{
	static const char *const wires[] = { "link=can", "link=canfd", "link=rs485" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(wires); i++) {
		char options[96];
		struct stack s;
		bf_time plain, packed;

		snprintf(options, sizeof(options), "%s,flash=instant,quirk=nocompress", wires[i]);
		plain = flash(&s, GW_NEW, options);
		assert_int_equal(s.summary.bytes_saved, 0);
		snprintf(options, sizeof(options), "%s,flash=instant", wires[i]);
		packed = flash(&s, GW_NEW, options);
		assert_int_equal(s.summary.bytes_sent, 331108);
		assert_in_range(s.summary.bytes_saved, 331108 * 30 / 100, 331108 / 2);
		assert_true(packed < plain * 70 / 100);
		assert_true(s.summary.wire_share <= 1);
	}
}

static void compressed_blocks_survive_a_line_that_loses_frames(void **state)
{
	struct stack s;

	(void)state;
	for (unsigned seed = 1; seed <= 3; seed++) {
		char prefix[32];

		stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
		snprintf(prefix, sizeof(prefix), "fault:seed=%u,drop=0.3%%:", seed);
		s.prefix = prefix;
		stack_run(&s, "link=can");
		assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
		stack_done(&s);
	}
}

static void a_pack_that_erases_ahead_is_not_told_to(void **state)
{
	struct stack s;
	bf_time host, ahead;

	(void)state;
	(void)flash(&s, GW_NEW, "rate=1000000,quirk=nocompress");
	host = s.summary.erase + moving(&s);
	assert_true(s.summary.erase > BF_SEC(3));
	(void)flash(&s, GW_NEW, "rate=1000000,quirk=nocompress,erase=ahead");
	ahead = s.summary.erase + moving(&s);
	assert_int_equal(s.summary.erase, 0);
	assert_true(ahead < host - BF_SEC(3));
}

/* What was there before is erased page by page: the second update meets the first one's old firmware. */
static void erasing_ahead_takes_what_was_there(void **state)
{
	struct stack s;
	char image[256];

	(void)state;
	stack_init(&s, GW_OLD);
	stack_run(&s, "erase=ahead");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	snprintf(image, sizeof(image), "%s/" GW_NEW, getenv("BF_TEST_DATA"));
	s.images[0] = image;
	stack_run(&s, "erase=ahead");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(s.summary.erase, 0);
	stack_done(&s);
}

static void a_torn_transfer_goes_on_at_a_unit_that_is_erased_again(void **state)
{
	struct stack s;

	(void)state;
	for (unsigned seed = 1; seed <= 3; seed++) {
		char prefix[32];

		stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
		snprintf(prefix, sizeof(prefix), "fault:seed=%u,drop=0.3%%:", seed);
		s.prefix = prefix;
		stack_run(&s, "link=can,erase=ahead,quirk=nrc24");
		assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
		stack_done(&s);
	}
}

static void a_pack_with_one_bank_is_erased_by_the_host(void **state)
{
	struct stack s;

	(void)state;
	(void)flash(&s, "mcuboot/app-1.5.0.signed.bin", "erase=ahead,quirk=singlebank");
	assert_true(s.summary.erase > 0);
}

static void the_same_image_again_sends_nothing_and_takes_less_than_a_second(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, GW_NEW);
	stack_run(&s, "");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	stack_run(&s, "");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(s.summary.bytes_sent, 0);
	assert_int_equal(s.summary.bytes_skipped, 331108);
	assert_true(s.summary.total < BF_SEC(1));
	stack_done(&s);
}

static void a_bit_rate_that_was_given_is_kept(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	s.job.bitrate = 500000;
	stack_run(&s, "link=can");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(s.summary.line_rate, 500000);
	stack_done(&s);
}

/* Frames of this image average 117.9 bits, so that 7 bytes in 111 bits is out of reach by 6 %. */
static void plain_blocks_fill_the_wire(void **state)
{
	static const struct {
		const char *options;
		double least; /* share of the limit without stuff bits */
	} rows[] = {
		{ "link=can,rate=1000000,flash=instant,quirk=nocompress", 0.915 },
		{ "link=rs485,flash=instant,quirk=nocompress", 0.90 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct stack s;

		(void)flash(&s, GW_NEW, rows[i].options);
		assert_true(s.summary.wire_share > rows[i].least && s.summary.wire_share < 1);
	}
}

/* SHA-256 in software takes the pack 0.6 us a byte: while the next block comes in, or at the end. */
static void a_digest_made_while_data_comes_leaves_the_signature(void **state)
{
	struct stack s;

	(void)state;
	(void)flash(&s, GW_NEW, "rate=1000000,flash=instant,quirk=nocompress");
	assert_in_range(s.summary.verify, BF_MS(34 + 198), BF_MS(34 + 198 + 8));
	(void)flash(&s, GW_NEW, "rate=1000000,flash=instant,quirk=nocompress,check=ahead");
	assert_in_range(s.summary.verify, BF_MS(34), BF_MS(34 + 8));
}

/* Compressed or in blocks, sent again or not: the digest is made of what is in flash. */
static void a_digest_made_ahead_does_not_let_a_damaged_image_pass(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	s.prefix = "fault:seed=3,drop=0.3%:";
	stack_run(&s, "check=ahead,erase=ahead");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	stack_done(&s);
}

/* The running firmware of 323 KiB is read back before it is replaced. */
static void reading_back_fills_the_wire(void **state)
{
	struct stack s;
	char image[256];

	(void)state;
	stack_init(&s, GW_OLD);
	stack_run(&s, "rate=1000000,flash=instant");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	snprintf(image, sizeof(image), "%s/" GW_NEW, getenv("BF_TEST_DATA"));
	s.images[0] = image;
	stack_run(&s, "rate=1000000,flash=instant");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	/* 329812 bytes and the two pages of configuration and calibration that are not blank, at 59.2 kB/s,
	 * take 5.64 s */
	assert_in_range(s.summary.backup, BF_MS(5640), BF_MS(5640) * 105 / 100);
	stack_done(&s);
}

/*
 * SMP in console lines, with the device's buffers of 2048 bytes: a packet of 2044 bytes carries 2018 of the image and is
 * 1 + 3 * 23 + 4 * ceil(2048 / 3) = 2802 bytes on the wire, its answer 35. One at a time that is 2837 bytes and the
 * turnaround of 1 ms; on a line that carries both directions at once answers cost nothing.
 */
#define SMP_DATA      2018.0
#define SMP_REQUEST   2802.0
#define SMP_ANSWER    35.0
#define SMP_TURN      0.001
#define SMP_IMAGE     331108.0
#define SMP_LEAST     0.90
#define BITS_PER_BYTE 10.0

static double smp_rate(const char *duplex, uint32_t rate)
{
	struct stack s;
	char options[128];

	snprintf(options, sizeof(options),
		 "link=rs485,protocol=smp,model=app,flash=instant,duplex=%s,rate=%u", duplex, rate);
	stack_init(&s, GW_NEW);
	s.job.protocol = "smp";
	s.job.baud = rate;
	stack_run(&s, options);
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	stack_done(&s);
	return SMP_IMAGE / ((double)moving(&s) / 1e6);
}

static void smp_fills_what_its_framing_leaves(void **state)
{
	static const uint32_t rates[] = { 115200, 1000000 };

	(void)state;
	if (!bf_proto_by_name("smp"))
		return;
	for (size_t i = 0; i < BF_COUNT(rates); i++) {
		double byte = BITS_PER_BYTE / rates[i];
		double one = SMP_DATA / ((SMP_REQUEST + SMP_ANSWER) * byte + SMP_TURN);
		double many = SMP_DATA / (SMP_REQUEST * byte);
		double half = smp_rate("half", rates[i]), full = smp_rate("full", rates[i]);

		print_message(
			"# SMP at %u baud: %.0f of %.0f B/s one at a time (%.1f %%), %.0f of %.0f "
			"four at a time (%.1f %%)\n",
			rates[i], half, one, 100 * half / one, full, many, 100 * full / many);
		assert_true(half > SMP_LEAST * one && half <= one * 1.005);
		assert_true(full > SMP_LEAST * many && full <= many * 1.005);
		assert_true(full > half);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compression_saves_a_third_on_every_wire),
		cmocka_unit_test(compressed_blocks_survive_a_line_that_loses_frames),
		cmocka_unit_test(a_pack_that_erases_ahead_is_not_told_to),
		cmocka_unit_test(erasing_ahead_takes_what_was_there),
		cmocka_unit_test(a_torn_transfer_goes_on_at_a_unit_that_is_erased_again),
		cmocka_unit_test(a_pack_with_one_bank_is_erased_by_the_host),
		cmocka_unit_test(the_same_image_again_sends_nothing_and_takes_less_than_a_second),
		cmocka_unit_test(a_bit_rate_that_was_given_is_kept),
		cmocka_unit_test(plain_blocks_fill_the_wire),
		cmocka_unit_test(a_digest_made_while_data_comes_leaves_the_signature),
		cmocka_unit_test(a_digest_made_ahead_does_not_let_a_damaged_image_pass),
		cmocka_unit_test(reading_back_fills_the_wire),
		cmocka_unit_test(smp_fills_what_its_framing_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
