/* SPDX-License-Identifier: MIT */
/* Compressed downloads: when they are asked for, what a block stands for, and the way back to plain ones. */
#include "../unit.h"

#include "pack.h"

#define RULES static const struct pack_rule rules[]
#define WAYS                               \
	{                                  \
		"22fd06", "62fd0600100010" \
	}
#define REST                                                          \
	{ "3e00", "7e00" }, { "22*", "7f2231" }, { "31*", "7f3131" }, \
	{                                                             \
		NULL                                                  \
	}

static const uint8_t blank[8192], noise[16] = { 7, 200, 13, 99, 1, 250, 31, 4, 77, 8, 2, 6 };

static void identify(struct pack *k)
{
	struct bf_ident id;

	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	k->log[0] = '\0';
}

static enum bf_rc begin(struct pack *k, const uint8_t *data, size_t len, struct bf_flow *flow)
{
	const struct bf_segment segment = { .data = data, .len = len };
	const struct bf_target target = { .segment = &segment, .addr = 0x20000, .len = len };

	return k->p->ops->loader->begin(k->p, &target, flow, &k->err);
}

static void a_block_stands_for_as_much_as_it_unpacks_to(void **state)
{
	RULES = { WAYS, { "3410*", "74200402" }, { "36*", "76??" }, { "37", "77" }, REST };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_block block = { .data = blank };
	struct bf_flow flow;
	size_t next;

	(void)state;
	identify(k);
	assert_true(k->p->caps & BF_CAP_COMPRESS);
	pack_expect(k, begin(k, blank, sizeof(blank), &flow), BF_OK);
	assert_int_equal(flow.block_max, 4096); /* FD06: no block unpacks to more */
	block.len = flow.block_max;
	pack_expect(k, k->p->ops->loader->block_start(k->p, &block, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->block_finish(k->p, &next, &k->err), BF_OK);
	assert_int_equal(next, 4096);
	assert_true(k->p->saved > 4000);
	assert_non_null(strstr(k->log, "3601"));
	pack_expect(k, k->p->ops->loader->finish(k->p, &k->err), BF_OK);
}

/* The block that is made ready while the first is being written is as long as that takes, a third at least. */
static void the_next_block_is_cut_to_what_this_one_takes_in_flash(void **state)
{
	RULES = { WAYS, { "3410*", "74200042" }, { "36*", "76??" }, { "37", "77" }, REST };
	static uint8_t data[1024];
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_block block = { .data = data };
	struct bf_flow flow;
	size_t first, second, busy;
	int64_t saved;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++) /* two bytes in three are the same again */
		data[i] = i % 3 ? 0x11 : (uint8_t)((uint32_t)i * 2654435761u >> 13);
	identify(k);
	pack_expect(k, begin(k, data, sizeof(data), &flow), BF_OK);
	block.len = flow.block_max;
	block.pace = (struct bf_pace){ .byte = 0.25, .unit = 10, .erase_unit = 64 };
	pack_expect(k, k->p->ops->loader->block_start(k->p, &block, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->block_finish(k->p, &first, &k->err), BF_OK);
	saved = k->p->saved;
	block.offset = first;
	block.pace = (struct bf_pace){ 0 };
	pack_expect(k, k->p->ops->loader->block_start(k->p, &block, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->block_finish(k->p, &second, &k->err), BF_OK);
	busy = (size_t)(0.25 * (double)first + 10 * (double)((first + 63) / 64));
	assert_in_range(busy, 64 / 3, 63);
	assert_in_range((int64_t)(second - first) - (k->p->saved - saved), busy - 8, busy);
	assert_true(second - first < first);
}

static void a_pack_that_refuses_its_own_format_gets_plain_blocks(void **state)
{
	RULES = { WAYS, { "3410*", "7f3431" }, { "3400*", "74200042" }, REST };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;

	(void)state;
	identify(k);
	pack_expect(k, begin(k, blank, sizeof(blank), &flow), BF_OK);
	assert_int_equal(flow.block_max, 64);
	assert_false(k->p->caps & BF_CAP_COMPRESS);
	assert_string_equal(k->log, "3410440002000000002000 3400440002000000002000 ");
}

static void what_does_not_shrink_goes_plain(void **state)
{
	RULES = { WAYS, { "3400*", "74200042" }, REST };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;

	(void)state;
	identify(k);
	pack_expect(k, begin(k, noise, sizeof(noise), &flow), BF_OK);
	assert_int_equal(strncmp(k->log, "3400", 4), 0);
}

static void formats_that_are_not_known_are_left_alone(void **state)
{
	static const char *const answers[] = {
		"62fd0600100020", /* another format */
		"62fd0600",       /* cut short */
		"62fd0600002010", /* too little at once */
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(answers); i++) {
		const struct pack_rule rules[] = { { "22fd06", answers[i], 0 }, REST };
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

		identify(k);
		assert_false(k->p->caps & BF_CAP_COMPRESS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_stands_for_as_much_as_it_unpacks_to),
		cmocka_unit_test(the_next_block_is_cut_to_what_this_one_takes_in_flash),
		cmocka_unit_test(a_pack_that_refuses_its_own_format_gets_plain_blocks),
		cmocka_unit_test(what_does_not_shrink_goes_plain),
		cmocka_unit_test(formats_that_are_not_known_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
