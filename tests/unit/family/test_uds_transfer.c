/* SPDX-License-Identifier: MIT */
/* Downloads: blocks, losses, ends. */
#include "../unit.h"

#include <stdio.h>

#include "pack.h"

#define RULES static const struct pack_rule rules[]
#define BEGIN "3400440002000000000014"

static const uint8_t image[64] = { 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19 };

static enum bf_rc begin(struct pack *k, size_t len, struct bf_flow *flow)
{
	const struct bf_target target = { .addr = 0x20000, .len = len };

	return k->p->ops->loader->begin(k->p, &target, flow, &k->err);
}

/* One block there and back. */
static enum bf_rc block(struct pack *k, size_t offset, size_t len, size_t *ret_next)
{
	const struct bf_block pc = { .offset = offset, .data = image + offset, .len = len };
	enum bf_rc rc = k->p->ops->loader->block_start(k->p, &pc, &k->err);

	return rc ? rc : k->p->ops->loader->block_finish(k->p, ret_next, &k->err);
}

static void a_transfer_counts_its_blocks_and_ends(void **state)
{
	RULES = {
		{ "3e00", "7e00" }, { BEGIN, "74200008" }, { "36*", "76??" }, { "37", "77" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;
	size_t next = 0;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	assert_int_equal(flow.block_max, 6); /* 8 with service and counter */
	assert_int_equal(flow.next, 0);
	for (size_t at = 0; at < 20; at += flow.block_max) {
		size_t n = 20 - at < 6 ? 20 - at : 6;

		pack_expect(k, block(k, at, n, &next), BF_OK);
		assert_int_equal(next, at + n);
	}
	pack_expect(k, k->p->ops->loader->finish(k->p, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 " BEGIN " 3601101112131415 3602161718190000 "
				    "3603000000000000 36040000 37 ");
}

static void addresses_have_the_widths_of_the_profile(void **state)
{
	RULES = { { "3e00", "7e00" }, { "340024000200000014", "74200008" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;

	(void)state;
	pack_keys(k)->address_format = 0x24; /* 2 bytes of size, 4 of address */
	pack_expect(k, begin(k, 20, &flow), BF_OK);
}

static void an_address_is_never_cut_to_the_bytes_of_the_format(void **state)
{
	RULES = { { "3e00", "7e00" }, { "34*", "742000ff" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_flow flow;

	(void)state;
	pack_keys(k)->address_format = 0x22;
	pack_expect(k, begin(k, 20, &flow), BF_E_INCOMPATIBLE);
	assert_non_null(strstr(k->err.cause, "at 0x00020000 does not fit"));
	assert_null(strstr(k->log, "34"));
	pack_keys(k)->address_format = 0x13;
	pack_expect(k, begin(k, 256, &flow), BF_E_INCOMPATIBLE);
	assert_non_null(strstr(k->err.cause, "256 bytes"));
}

static void a_session_is_kept_between_blocks_though_blocks_are_requests(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "1003", "5003" },
		{ "34*", "7f3422", 0 },
		{ NULL },
	};
	static const struct pack_rule writing[] = {
		{ "3e00", "7e00" },
		{ "34*", "74200003" },
		{ "36*", "@30:76??" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	unsigned kept = 0;
	struct bf_flow flow;
	size_t next;

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_rules(k, writing);
	pack_expect(k, begin(k, 200, &flow), BF_OK);
	for (size_t i = 0; i < 200; i++) {
		const struct bf_block pc = { .offset = i, .data = image, .len = 1 };

		pack_expect(k, k->p->ops->loader->block_start(k->p, &pc, &k->err), BF_OK);
		pack_expect(k, k->p->ops->loader->block_finish(k->p, &next, &k->err), BF_OK);
	}
	for (const char *at = k->log; (at = strstr(at, "3e80 ")); at++)
		kept++;
	assert_true(kept >= 2 && kept <= 4);
}

/* A server may stop S3 only once the message is whole: at 20 ms between frames 4095 bytes take 11.7 s. */
static void a_block_lasts_no_longer_than_half_a_session(void **state)
{
	static const uint8_t gaps[] = { 0, 1, 10, 20, 127 };
	RULES = { { "3e00", "7e00" }, { "34*", "74200fff" }, { "36*", "76??" }, { NULL } };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(gaps); i++) {
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		static uint8_t data[4096];
		struct bf_block pc = { .data = data };
		struct bf_flow flow;
		bf_time began;
		size_t next;

		k->st_min = gaps[i];
		pack_expect(k, begin(k, 4093, &flow), BF_OK);
		pc.len = flow.block_max;
		began = pack_now(k);
		pack_expect(k, k->p->ops->loader->block_start(k->p, &pc, &k->err), BF_OK);
		pack_expect(k, k->p->ops->loader->block_finish(k->p, &next, &k->err), BF_OK);
		assert_true(pack_now(k) - began < BF_MS(2600));
		if (gaps[i] <= 1)
			assert_int_equal(flow.block_max, 4093);
	}
}

/*
 * Every separation time that a frame can ask for, with lengths that loaders tell, also where RequestDownload was a single
 * frame, so that nothing was asked for before the first block. A message of n bytes has its first frame and (n - 6) / 7
 * more, STmin and a frame time apart: 2.5 s, half of S3, are 19 frames or 139 bytes at 127 ms.
 */
static void no_separation_time_and_no_length_outlasts_a_session(void **state)
{
	static const unsigned lengths[] = { 16, 64, 255, 777, 1026, 2050, 4095 };
	static const unsigned formats[] = { 0x44, 0x22 };
	static uint8_t data[4096];

	(void)state;
	for (unsigned i = 0; i < 256 * BF_COUNT(lengths); i++) {
		unsigned st = i / BF_COUNT(lengths), length = lengths[i % BF_COUNT(lengths)];
		const struct bf_target target = { .addr = 0x2000, .len = sizeof(data) };
		char answer[16];
		const struct pack_rule rules[] = {
			{ "3e00", "7e00" }, { "34*", answer }, { "36*", "76??" }, { NULL }
		};
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		struct bf_block pc = { .data = data };
		struct bf_flow flow;
		size_t next = 0;

		snprintf(answer, sizeof(answer), "7420%04x", length);
		pack_keys(k)->address_format = (uint8_t)formats[i % 2];
		k->st_min = (uint8_t)st;
		pack_expect(k, k->p->ops->loader->begin(k->p, &target, &flow, &k->err), BF_OK);
		for (unsigned n = 0; n < 2; n++) {
			bf_time began;

			pc.offset = next;
			pc.len = flow.block_max < sizeof(data) - next ? flow.block_max
								      : sizeof(data) - next;
			began = pack_now(k);
			pack_expect(k, k->p->ops->loader->block_start(k->p, &pc, &k->err), BF_OK);
			pack_expect(k, k->p->ops->loader->block_finish(k->p, &next, &k->err),
				    BF_OK);
			if (pack_now(k) - began > BF_MS(2600) || next == pc.offset)
				fail_msg("STmin %02X, %u bytes: %u ms for %zu", st, length,
					 (unsigned)((pack_now(k) - began) / 1000), next);
		}
	}
}

static void the_block_counter_wraps_from_ff_to_00(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "34*", "74200003" },
		{ "36*", "76??" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;
	size_t next;

	(void)state;
	pack_expect(k, begin(k, 300, &flow), BF_OK);
	for (unsigned i = 0; i < 257; i++)
		pack_expect(k, block(k, i % 32, 1, &next), BF_OK);
	assert_non_null(strstr(k->log, "36ff"));
	assert_non_null(strstr(k->log, " 3600"));
	assert_int_equal(strncmp(k->log + strlen(k->log) - 7, "3601", 4), 0);
}

static void a_lost_answer_repeats_the_same_counter_once(void **state)
{
	RULES = {
		{ "3e00", "7e00" }, { "34*", "74200012" }, { "3601*", "-", 1 }, { "36*", "76??" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;
	size_t next;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	pack_expect(k, block(k, 0, 2, &next), BF_OK);
	assert_int_equal(next, 2);
	pack_expect(k, block(k, 2, 2, &next), BF_OK);
	assert_string_equal(k->log, "3e00 " BEGIN " 36011011 36011011 36021213 ");
	assert_int_equal(k->retry.repeats[BF_RETRY_COUNTED], 1);
}

static void a_second_loss_is_a_time_out(void **state)
{
	RULES = { { "3e00", "7e00" }, { "34*", "74200012" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;
	size_t next = 77;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	pack_expect(k, block(k, 0, 2, &next), BF_E_TIMEOUT);
	assert_int_equal(next, 77);
	assert_string_equal(k->log, "3e00 " BEGIN " 36011011 36011011 ");
}

static void a_repeated_answer_to_a_block_is_dropped(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "34*", "74200012" },
		{ "3601*", "@107:7601", 1 }, /* just too late */
		{ "3601*", "7601" },
		{ "3602*", "@20:7602" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;
	size_t next;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	pack_expect(k, block(k, 0, 2, &next), BF_OK);
	pack_expect(k, block(k, 2, 2, &next), BF_OK);
	assert_int_equal(next, 4);
}

static void a_server_that_drops_the_transfer_is_a_restart(void **state)
{
	static const char *const nrcs[] = { "7f3624", "7f3670", "7f3671", "7f3673" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(nrcs); i++) {
		const struct pack_rule rules[] = {
			{ "3e00", "7e00", 0 },
			{ "34*", "74200012", 0 },
			{ "36*", nrcs[i], 0 },
			{ "37", "7f3724", 0 },
			{ NULL },
		};
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
		struct bf_flow flow;
		size_t next;

		pack_expect(k, begin(k, 20, &flow), BF_OK);
		pack_expect(k, block(k, 0, 2, &next), BF_E_RESTART);
		assert_int_equal(k->err.rc, BF_E_RESTART);
		assert_true(k->err.dev_refused);
		pack_expect(k, begin(k, 20, &flow), BF_OK);
	}
}

/* Its answer was lost and the server refuses the repetition: the caller erases before it goes on. */
static void a_block_that_may_be_in_flash_is_not_written_over(void **state)
{
	static const char *const nrcs[] = { "7f3624", "7f3670", "7f3671", "7f3673" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(nrcs); i++) {
		const struct pack_rule rules[] = {
			{ "3e00", "7e00", 0 }, { "34*", "74200012", 0 }, { "3601*", "-", 1 },
			{ "36*", nrcs[i], 0 }, { "37", "7f3724", 0 },    { NULL },
		};
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
		struct bf_flow flow;
		size_t next;

		pack_expect(k, begin(k, 20, &flow), BF_OK);
		pack_expect(k, block(k, 0, 2, &next), BF_E_TIMEOUT);
		assert_int_equal(k->err.rc, BF_E_TIMEOUT);
		assert_non_null(strstr(k->err.cause, "ends at byte 2 was lost"));
		pack_expect(k, begin(k, 20, &flow), BF_OK);
	}
}

static void a_programming_failure_is_final(void **state)
{
	RULES = { { "3e00", "7e00" }, { "34*", "74200012" }, { "36*", "7f3678 7f3672" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;
	size_t next;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	pack_expect(k, block(k, 0, 2, &next), BF_E_NAK);
	assert_int_equal(k->err.dev_code, 0x72);
	assert_non_null(strstr(k->err.cause, "ends at byte 2"));
}

static void a_block_that_could_not_be_sent_is_sent_again(void **state)
{
	RULES = { { "3e00", "7e00" }, { "34*", "74200012" }, { "36*", "76??" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;
	size_t next;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	k->w->send_fails = BF_E_TIMEOUT;
	pack_expect(k, block(k, 0, 2, &next), BF_OK);
	assert_string_equal(k->log, "3e00 " BEGIN " 36011011 ");
	k->w->send_fails = BF_E_GONE;
	pack_expect(k, block(k, 2, 2, &next), BF_E_GONE);
}

static void other_requests_wait_until_the_block_is_answered(void **state)
{
	RULES = { { "3e00", "7e00" }, { "34*", "74200012" }, { "36*", "76??" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	const struct bf_block pc = { .data = image, .len = 2 };
	struct bf_flow flow;
	size_t next;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	pack_expect(k, k->p->ops->loader->block_finish(k->p, &next, &k->err), BF_E_INTERNAL);
	pack_expect(k, k->p->ops->loader->block_start(k->p, &pc, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->block_start(k->p, &pc, &k->err), BF_E_INTERNAL);
	pack_expect(k, k->p->ops->ping(k->p, &k->err), BF_E_INTERNAL);
	pack_expect(k, k->p->ops->loader->block_finish(k->p, &next, &k->err), BF_OK);
	pack_expect(k, k->p->ops->ping(k->p, &k->err), BF_OK);
}

static void a_lost_answer_to_the_request_ends_the_transfer_and_begins_again(void **state)
{
	RULES = {
		{ "3e00", "7e00" }, { "34*", "-", 1 }, { "34*", "74200012" },
		{ "37", "77" },     { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	assert_non_null(strstr(k->log, BEGIN " 37 "));
}

static void a_transfer_left_open_is_ended_first(void **state)
{
	RULES = {
		{ "3e00", "7e00" }, { "34*", "7f3422", 1 }, { "34*", "74200012" }, { "37", "77" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	assert_string_equal(k->log, "3e00 " BEGIN " 37 " BEGIN " ");
}

static void block_length_is_the_smallest_of_three_limits(void **state)
{
	static const struct {
		enum pack_over over;
		uint32_t cap;
		const char *answer;
		uint32_t want;
	} rows[] = {
		{ PACK_HDLC, 0, "74200fff", 4093 },
		{ PACK_HDLC, 1024, "74200fff", 1022 },
		{ PACK_KLINE, 0, "74200fff", 253 },
		{ PACK_HDLC, 0, "7410ff", 253 },
		{ PACK_CAN, 0, "744000010000", 65533 },
		{ PACK_CAN, 0, "7480ffffffffffffffff", 65533 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "34*", rows[i].answer, 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_new(rows[i].over, rules);
		struct bf_flow flow;

		pack_keys(k)->max_block = rows[i].cap;
		pack_expect(k, begin(k, 20, &flow), BF_OK);
		assert_int_equal(flow.block_max, rows[i].want);
	}
}

static void blocks_are_whole_write_units_where_those_are_known(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "34*", "74200fff" },
		  { "22*", "7f2231" },
		  { "31*", "7f3131" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_ident id;
	struct bf_flow flow;

	(void)state;
	k->profile.n_regions = 1;
	k->profile.regions[0] = (struct bf_region){ .name = "slot", .size = 64, .write_unit = 8 };
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	assert_int_equal(flow.block_max, 4088);
}

static void a_block_length_that_holds_nothing_is_damage(void **state)
{
	static const char *const bad[] = { "74200002", "74", "742000", "74f0000000" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		const struct pack_rule rules[] = {
			{ "3e00", "7e00", 0 }, { "34*", bad[i], 0 }, { "37", "77", 0 }, { NULL }
		};
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
		struct bf_flow flow;

		pack_expect(k, begin(k, 20, &flow), BF_E_LINK);
	}
}

/* The pack is erased by then: what every loader takes is sent. */
static void a_loader_that_tells_no_length_gets_short_blocks(void **state)
{
	static const char *const none[] = { "740000", "741000", "74200000" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(none); i++) {
		const struct pack_rule rules[] = {
			{ "3e00", "7e00", 0 }, { "34*", none[i], 0 }, { "37", "77", 0 }, { NULL }
		};
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
		struct bf_flow flow;

		pack_expect(k, begin(k, 2000, &flow), BF_OK);
		assert_int_equal(flow.block_max, 128);
	}
}

static void ending_twice_is_ending(void **state)
{
	RULES = {
		{ "3e00", "7e00" }, { "34*", "74200012" }, { "37", "-", 1 }, { "37", "7f3724" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	pack_expect(k, k->p->ops->loader->finish(k->p, &k->err), BF_OK);
}

static void ending_nothing_is_refused(void **state)
{
	RULES = { { "3e00", "7e00" }, { "37", "7f3724" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->finish(k->p, &k->err), BF_E_NAK);
}

static void abandoning_ends_the_transfer_even_when_cancelled(void **state)
{
	RULES = { { "3e00", "7e00" }, { "34*", "74200012" }, { "37", "77" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;

	(void)state;
	pack_expect(k, begin(k, 20, &flow), BF_OK);
	k->w->t.clock->cancelled = true;
	k->p->ops->loader->abandon(k->p);
	assert_string_equal(k->log, "3e00 " BEGIN " 37 ");
	k->p->ops->loader->abandon(k->p);
	assert_int_equal(k->heard, 3);
}

static void blocks_shrink_after_losses_and_grow_again(void **state)
{
	RULES = {
		{ "3e00", "7e00" }, { "34*", "74200402" }, { "36*", "-", 2 },
		{ "36*", "76??" },  { "37", "77" },        { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	BF_AUTO_MEM uint8_t *data = calloc(1, 1024);
	struct bf_block pc = { .data = data, .len = 1024 };
	struct bf_flow flow;
	size_t next;

	(void)state;
	pack_expect(k, begin(k, 4096, &flow), BF_OK);
	assert_int_equal(flow.block_max, 1024);
	pack_expect(k, k->p->ops->loader->block_start(k->p, &pc, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->block_finish(k->p, &next, &k->err), BF_E_TIMEOUT);
	k->p->ops->loader->abandon(k->p);
	pack_expect(k, begin(k, 4096, &flow), BF_OK);
	assert_int_equal(flow.block_max, 1026 / 4 - 2);
	for (unsigned i = 0; i < 32; i++) {
		pc.len = flow.block_max;
		pack_expect(k, k->p->ops->loader->block_start(k->p, &pc, &k->err), BF_OK);
		pack_expect(k, k->p->ops->loader->block_finish(k->p, &next, &k->err), BF_OK);
	}
	k->p->ops->loader->abandon(k->p);
	pack_expect(k, begin(k, 4096, &flow), BF_OK);
	assert_true(flow.block_max > 1026 / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_counts_its_blocks_and_ends),
		cmocka_unit_test(addresses_have_the_widths_of_the_profile),
		cmocka_unit_test(a_session_is_kept_between_blocks_though_blocks_are_requests),
		cmocka_unit_test(a_block_lasts_no_longer_than_half_a_session),
		cmocka_unit_test(no_separation_time_and_no_length_outlasts_a_session),
		cmocka_unit_test(an_address_is_never_cut_to_the_bytes_of_the_format),
		cmocka_unit_test(the_block_counter_wraps_from_ff_to_00),
		cmocka_unit_test(a_lost_answer_repeats_the_same_counter_once),
		cmocka_unit_test(a_second_loss_is_a_time_out),
		cmocka_unit_test(a_repeated_answer_to_a_block_is_dropped),
		cmocka_unit_test(a_server_that_drops_the_transfer_is_a_restart),
		cmocka_unit_test(a_block_that_may_be_in_flash_is_not_written_over),
		cmocka_unit_test(a_programming_failure_is_final),
		cmocka_unit_test(a_block_that_could_not_be_sent_is_sent_again),
		cmocka_unit_test(other_requests_wait_until_the_block_is_answered),
		cmocka_unit_test(a_lost_answer_to_the_request_ends_the_transfer_and_begins_again),
		cmocka_unit_test(a_transfer_left_open_is_ended_first),
		cmocka_unit_test(block_length_is_the_smallest_of_three_limits),
		cmocka_unit_test(blocks_are_whole_write_units_where_those_are_known),
		cmocka_unit_test(a_block_length_that_holds_nothing_is_damage),
		cmocka_unit_test(a_loader_that_tells_no_length_gets_short_blocks),
		cmocka_unit_test(ending_twice_is_ending),
		cmocka_unit_test(ending_nothing_is_refused),
		cmocka_unit_test(abandoning_ends_the_transfer_even_when_cancelled),
		cmocka_unit_test(blocks_shrink_after_losses_and_grow_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
