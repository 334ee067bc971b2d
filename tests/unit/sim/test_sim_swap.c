/* SPDX-License-Identifier: MIT */
/*
 * Power cuts at the flash operations of a bank swap: a sample of them, or every one with BF_ALL=1 in the
 * environment. Whatever the moment, the swap is finished at the next start and both images are whole.
 */
#include "../unit.h"

#include <stdio.h>

#include "pack_priv.h"

#define SAMPLES 60u
#define EDGE    12u /* operations at both ends that are always tried, torn in every way */
#define TEARS   6u

/* The flash of a pack just before the start that is looked at. */
struct golden {
	uint8_t *mem;
	uint64_t ops; /* of that start */
	const char *runs_after, *other_after;
	bool trial_after;
};

static struct bf_pack *new_pack(const uint8_t *mem)
{
	struct bf_sim_opts opts;
	struct bf_pack *p;
	struct bf_err err;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	assert_int_equal(bf_sim_opts_parse("slot1=1.5.0,flash=instant", &opts, &err), BF_OK);
	assert_int_equal(bf_pack_new(&opts, &p, &err), BF_OK);
	if (mem)
		memcpy(p->flash.mem, mem, BF_FLASH_SIZE);
	return p;
}

/* Power off and on; runs until the loader has handed over or died. */
static void cycle(struct bf_pack *p)
{
	bf_pack_power(p, false, 0);
	bf_pack_power(p, true, 0);
	bf_pack_run(p, BF_SEC(60));
}

static void expect_slot(struct bf_pack *p, unsigned slot, const char *version)
{
	const struct bf_mimage *m = bf_pack_image(p, slot);
	char text[32];

	assert_true(m->sound);
	assert_string_equal(bf_mimage_version(m, text), version);
}

static void expect_after(struct bf_pack *p, const struct golden *g)
{
	assert_int_equal(bf_pack_mode(p), BF_PACK_APP);
	expect_slot(p, 0, g->runs_after);
	expect_slot(p, 1, g->other_after);
	assert_int_equal(bf_pack_on_trial(p), g->trial_after);
}

static void take_golden(struct bf_pack *p, struct golden *g)
{
	uint64_t before = bf_pack_ops(p);

	g->mem = malloc(BF_FLASH_SIZE);
	memcpy(g->mem, p->flash.mem, BF_FLASH_SIZE);
	cycle(p);
	expect_after(p, g);
	g->ops = bf_pack_ops(p) - before;
}

/* The cut came with the very last operation: the trial has begun, and this was its only start. */
static bool trial_is_over(const struct golden *g, const struct bf_pack *p)
{
	return g->trial_after && bf_swap_on_trial(&p->banks) &&
	       bf_swap_wanted(&p->banks) == BF_SWAP_REVERT;
}

/* How the flash tears goes by the number of the operation: `shift` makes the others happen, too. */
static void cut_once(const struct golden *g, uint64_t op, uint64_t shift)
{
	struct bf_pack *p = new_pack(g->mem);

	p->flash.ops = shift;
	bf_pack_cut_at(p, op);
	cycle(p);
	assert_int_equal(bf_pack_mode(p), BF_PACK_OFF);
	/* and once more on the way back */
	bf_pack_cut_at(p, op * 7 % 400 + 1);
	if (!trial_is_over(g, p))
		cycle(p);
	bf_pack_cut_at(p, 0);
	if (bf_pack_mode(p) == BF_PACK_OFF && !trial_is_over(g, p))
		cycle(p);
	if (bf_pack_mode(p) != BF_PACK_OFF)
		expect_after(p, g);
	bf_pack_free(p);
}

static void sweep(struct golden *g)
{
	uint64_t step = getenv("BF_ALL") ? 1 : g->ops / SAMPLES;

	uint64_t op = 1;

	while (op <= g->ops) {
		bool edge = op <= EDGE || op + EDGE >= g->ops;

		for (uint64_t shift = 0; shift < (edge ? TEARS : 1); shift++)
			cut_once(g, op, shift);
		op += edge ? 1 : step;
		if (!edge && op + EDGE > g->ops)
			op = g->ops - EDGE;
	}
	free(g->mem);
}

static void activate(struct bf_pack *p, bool permanent)
{
	bf_time done;

	assert_int_equal(bf_pack_activate(p, permanent, 0, &done), BF_PACK_DONE);
}

static void a_trial_swap_survives_a_cut_anywhere(void **state)
{
	struct bf_pack *p = new_pack(NULL);
	struct golden g = { .runs_after = "1.5.0", .other_after = "1.3.0", .trial_after = true };

	(void)state;
	activate(p, false);
	take_golden(p, &g);
	bf_pack_free(p);
	assert_in_range(g.ops, 10000, 25000);
	sweep(&g);
}

static void the_way_back_survives_a_cut_anywhere(void **state)
{
	struct bf_pack *p = new_pack(NULL);
	struct golden g = { .runs_after = "1.3.0", .other_after = "1.5.0" };

	(void)state;
	activate(p, false);
	cycle(p);
	assert_true(bf_pack_on_trial(p));
	take_golden(p, &g);
	bf_pack_free(p);
	sweep(&g);
}

static void a_permanent_swap_survives_a_cut_anywhere(void **state)
{
	struct bf_pack *p = new_pack(NULL);
	struct golden g = { .runs_after = "1.5.0", .other_after = "1.3.0" };

	(void)state;
	activate(p, true);
	take_golden(p, &g);
	assert_int_equal(bf_pack_counter(p), 5);
	bf_pack_free(p);
	sweep(&g);
}

/* Marking is a few operations; a cut in the middle leaves the old firmware, or the new on trial. */
static void a_cut_while_marking_leaves_a_pack_that_runs(void **state)
{
	(void)state;
	for (uint64_t op = 1; op <= 3; op++) {
		struct bf_pack *p = new_pack(NULL);
		bf_time done;

		bf_pack_power(p, true, 0);
		bf_pack_run(p, BF_SEC(60));
		bf_pack_cut_at(p, op);
		bf_pack_activate(p, true, 0, &done);
		bf_pack_cut_at(p, 0);
		cycle(p);
		assert_int_equal(bf_pack_mode(p), BF_PACK_APP);
		assert_true(bf_pack_image(p, 0)->sound && bf_pack_image(p, 1)->sound);
		cycle(p);
		assert_int_equal(bf_pack_mode(p), BF_PACK_APP);
		bf_pack_free(p);
	}
}

static void a_second_start_without_confirmation_goes_back_and_stays(void **state)
{
	struct bf_pack *p = new_pack(NULL);

	(void)state;
	activate(p, false);
	cycle(p);
	expect_slot(p, 0, "1.5.0");
	for (int i = 0; i < 3; i++) {
		cycle(p);
		expect_slot(p, 0, "1.3.0");
		assert_false(bf_pack_on_trial(p));
	}
	bf_pack_free(p);
}

static void a_damaged_image_is_never_swapped_in(void **state)
{
	struct bf_pack *p = new_pack(NULL);
	uint8_t zero[8] = { 0 };

	(void)state;
	activate(p, false);
	bf_flash_preload(&p->flash, BF_ADDR_SLOT1 + 0x1000, zero, sizeof(zero));
	cycle(p);
	expect_slot(p, 0, "1.3.0");
	assert_int_equal(bf_swap_wanted(&p->banks), BF_SWAP_NONE);
	bf_pack_free(p);
}

/* The previous image rotted while the new one was on trial: there is no way back, so it stays. */
static void without_a_way_back_the_trial_becomes_permanent(void **state)
{
	struct bf_pack *p = new_pack(NULL);
	uint8_t zero[8] = { 0 };

	(void)state;
	activate(p, false);
	cycle(p);
	bf_flash_preload(&p->flash, BF_ADDR_SLOT1 + 0x1000, zero, sizeof(zero));
	cycle(p);
	expect_slot(p, 0, "1.5.0");
	assert_false(bf_pack_on_trial(p));
	bf_pack_free(p);
}

static void an_image_that_leaves_no_room_is_not_swapped(void **state)
{
	struct bf_pack *p = new_pack(NULL);

	(void)state;
	assert_false(bf_swap_begin(&p->banks, BF_SWAP_TEST, BF_PACK_SLOT_SIZE - 8192));
	assert_int_equal(bf_pack_ops(p), 0);
	bf_pack_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trial_swap_survives_a_cut_anywhere),
		cmocka_unit_test(the_way_back_survives_a_cut_anywhere),
		cmocka_unit_test(a_permanent_swap_survives_a_cut_anywhere),
		cmocka_unit_test(a_cut_while_marking_leaves_a_pack_that_runs),
		cmocka_unit_test(a_second_start_without_confirmation_goes_back_and_stays),
		cmocka_unit_test(a_damaged_image_is_never_swapped_in),
		cmocka_unit_test(without_a_way_back_the_trial_becomes_permanent),
		cmocka_unit_test(an_image_that_leaves_no_room_is_not_swapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
