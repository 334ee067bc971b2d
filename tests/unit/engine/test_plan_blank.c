/* SPDX-License-Identifier: MIT */
/* The plan for an image with blank areas, and for packs that erase by themselves. */
#include "../backup_of.h"

#include "engine/run.h"

#define UNIT 2048u
#define ADDR 0x08010000u
#define LEN  (16 * UNIT)

struct plan {
	struct bf_proto_ops ops;
	struct bf_loader_ops loader;
	struct bf_proto proto;
	struct bf_run run;
	struct bf_job job;
	uint8_t data[LEN];
};

static void plan_init(struct plan *p, unsigned caps)
{
	memset(p, 0, sizeof(*p));
	memset(p->data, 0x5A, sizeof(p->data));
	p->ops.app = &bf_no_app;
	p->ops.loader = &p->loader;
	p->ops.boot = &bf_no_boot;
	p->proto.ops = &p->ops;
	p->run.session.proto = &p->proto;
	p->run.clock = p->run.time.outer = bf_vclock_new();
	p->run.time.deadline = BF_NEVER;
	p->run.session.ident.caps = caps | BF_CAP_ANY_ORDER;
	p->run.job = &p->job;
	p->run.session.ident.n_regions = 1;
	p->run.session.ident.regions[0] =
		(struct bf_region){ .kind = BF_REGION_APP,
				    .access = BF_ACCESS_READ | BF_ACCESS_ERASE | BF_ACCESS_WRITE,
				    .addr = ADDR,
				    .size = 2 * LEN,
				    .erase_unit = UNIT,
				    .write_unit = 8 };
}

static void blank(struct plan *p, unsigned first, unsigned n)
{
	memset(p->data + first * UNIT, 0xFF, n * UNIT);
}

static void make(struct plan *p, size_t len)
{
	struct bf_err err;

	bf_err_init(&err);
	p->run.wanted.image = made_image(p->data, len, ADDR);
	p->run.todo.bytes = len;
	if (bf_todo_memory(&p->run, &err))
		fail_msg("%s", err.cause);
}

static struct plan *hashed; /* bf_proto_ops carries no context beside the protocol */

/* The pack holds the image already. */
static enum bf_rc hash_units(struct bf_proto *proto, uint32_t addr, uint32_t size, uint32_t unit,
			     uint8_t (*ret)[8], size_t n, struct bf_err *err)
{
	uint8_t flash[UNIT], sha[BF_SHA256_LEN];
	uint32_t first = hashed->run.session.ident.regions[0].addr;

	(void)proto, (void)size, (void)err;
	for (size_t i = 0; i < n; i++, addr += unit) {
		memset(flash, 0xFF, sizeof(flash));
		for (uint32_t k = 0; k < unit; k++) {
			uint32_t at = addr - first + k;

			if (at >= UNIT / 2 && at - UNIT / 2 < 3 * UNIT)
				flash[k] = hashed->data[at - UNIT / 2];
		}
		bf_sha256(sha, flash, unit);
		memcpy(ret[i], sha, 8);
	}
	return BF_OK;
}

static void plan_done(struct plan *p)
{
	bf_todo_done(&p->run.todo);
	bf_image_free(p->run.wanted.image);
	bf_clock_free(p->run.clock);
}

static void expect_item(const struct plan *p, size_t i, uint32_t unit, size_t len,
			uint32_t erase_units)
{
	const struct bf_item *item = &p->run.todo.items[i];

	assert_int_equal(item->erase_addr, ADDR + unit * UNIT);
	assert_int_equal(item->target.addr, ADDR + unit * UNIT);
	assert_int_equal(item->target.from, unit * UNIT);
	assert_int_equal(item->target.len, len);
	assert_int_equal(item->erase_size, erase_units * UNIT);
}

/* The first unit is written in two parts, the second of them first, and erased once. */
static void expect_rest(const struct plan *p, size_t start)
{
	const struct bf_item *head = &p->run.todo.items[0], *rest = &p->run.todo.items[1];

	assert_true(head->parted && !head->rest);
	assert_true(rest->rest && !rest->parted);
	assert_int_equal(rest->target.addr, ADDR + start);
	assert_int_equal(rest->target.from, start);
	assert_int_equal(rest->target.len, UNIT - start);
	assert_int_equal(rest->erase_addr, ADDR);
	assert_int_equal(rest->erase_size, UNIT);
}

static void blank_units_are_erased_and_not_sent(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE | BF_CAP_DUAL_BANK);
	blank(&p, 3, 5);
	blank(&p, 15, 1);
	make(&p, LEN);
	assert_int_equal(p.run.todo.n, 4);
	expect_item(&p, 0, 0, 3 * UNIT, 3);
	expect_item(&p, 1, 3, 0, 5);
	expect_item(&p, 2, 8, 7 * UNIT, 7);
	expect_item(&p, 3, 15, 0, 1);
	assert_int_equal(p.run.todo.skipped, 6 * UNIT);
	plan_done(&p);
}

static void a_first_unit_that_is_blank_is_sent_all_the_same(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE | BF_CAP_DUAL_BANK);
	blank(&p, 0, 16);
	make(&p, LEN);
	assert_int_equal(p.run.todo.n, 2);
	expect_item(&p, 0, 0, UNIT, 1);
	expect_item(&p, 1, 1, 0, 15);
	plan_done(&p);
}

static void a_last_unit_that_is_blank_as_far_as_it_goes_is_not_sent(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE | BF_CAP_DUAL_BANK);
	blank(&p, 15, 1);
	make(&p, LEN - 1000);
	assert_int_equal(p.run.todo.n, 2);
	expect_item(&p, 1, 15, 0, 1);
	assert_int_equal(p.run.todo.skipped, UNIT - 1000);
	plan_done(&p);
}

static void what_nobody_erases_is_sent_whole(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_DUAL_BANK);
	blank(&p, 3, 5);
	make(&p, LEN);
	assert_int_equal(p.run.todo.n, 1);
	expect_item(&p, 0, 0, LEN, 0);
	plan_done(&p);
}

static void a_pack_that_erases_ahead_is_told_to_erase_blank_units_alone(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE | BF_CAP_DUAL_BANK | BF_CAP_ERASE_AHEAD);
	blank(&p, 3, 5);
	make(&p, LEN);
	assert_int_equal(p.run.todo.n, 3);
	expect_item(&p, 0, 0, 3 * UNIT, 0);
	expect_item(&p, 1, 3, 0, 5);
	expect_item(&p, 2, 8, 8 * UNIT, 0);
	assert_true(p.run.todo.items[0].erases_ahead);
	assert_false(p.run.todo.items[1].erases_ahead);
	plan_done(&p);
}

static void one_bank_is_erased_by_the_host_and_its_head_comes_last(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE);
	blank(&p, 3, 13);
	make(&p, LEN);
	assert_true(p.run.todo.head_last);
	assert_int_equal(p.run.todo.n, 4);
	expect_item(&p, 0, 0, 8, 1);
	expect_rest(&p, 8);
	expect_item(&p, 2, 1, 2 * UNIT, 2);
	expect_item(&p, 3, 3, 0, 13);
	plan_done(&p);
}

/* Its first unit goes in one go: with a second one it would erase the first. */
static void one_bank_that_erases_ahead_keeps_its_first_unit_whole(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE | BF_CAP_ERASE_AHEAD);
	make(&p, LEN);
	assert_true(p.run.todo.head_last);
	assert_int_equal(p.run.todo.n, 2);
	expect_item(&p, 0, 0, UNIT, 1);
	expect_item(&p, 1, 1, 15 * UNIT, 15);
	plan_done(&p);
}

/* As MCUboot has it: the vector table lies behind the header. */
static void what_makes_an_image_with_a_header_start_comes_last(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE);
	p.run.session.ident.regions[0].write_unit = 32;
	memcpy(p.data, "\x3d\xb8\xf3\x96\0\0\0\0\x00\x02", 10);
	make(&p, LEN);
	assert_int_equal(p.run.todo.n, 3);
	expect_item(&p, 0, 0, 0x220, 1);
	expect_rest(&p, 0x220);
	expect_item(&p, 2, 1, 15 * UNIT, 15);
	plan_done(&p);
}

/* ---- bootloaders that are not known to take more ---- */

static void one_pass_is_one_erase_and_one_download_from_the_base(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE);
	p.run.session.ident.caps = BF_CAP_ERASE;
	blank(&p, 3, 5);
	make(&p, LEN - 100);
	assert_int_equal(p.run.todo.n, 1);
	expect_item(&p, 0, 0, LEN - 100, 16);
	assert_true(p.run.todo.items[0].one_pass);
	assert_false(p.run.todo.head_last);
	assert_int_equal(p.run.todo.skipped, 0);
	plan_done(&p);
}

static void where_nobody_knows_the_erase_unit_the_image_itself_is_erased(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE);
	p.run.session.ident.caps = BF_CAP_ERASE;
	p.run.session.ident.regions[0].erase_unit = 0;
	make(&p, LEN - 100);
	assert_int_equal(p.run.todo.n, 1);
	assert_int_equal(p.run.todo.items[0].erase_addr, ADDR);
	assert_int_equal(p.run.todo.items[0].erase_size, LEN - 100);
	plan_done(&p);
}

static void a_server_that_tells_no_memory_takes_the_image_at_its_own_address(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE);
	p.run.session.ident.caps = BF_CAP_ERASE;
	p.run.session.ident.n_regions = 0;
	make(&p, LEN - 100);
	assert_int_equal(p.run.todo.n, 1);
	assert_int_equal(p.run.todo.items[0].target.addr, ADDR);
	assert_int_equal(p.run.todo.items[0].erase_size, LEN - 100);
	plan_done(&p);
}

static enum bf_rc first_half_is_there(struct bf_proto *p, uint32_t addr, uint32_t size,
				      uint32_t unit, uint8_t (*ret)[8], size_t n,
				      struct bf_err *err)
{
	const struct plan *plan = BF_CONTAINER_OF(p, struct plan, proto);

	(void)size, (void)err;
	for (size_t i = 0; i < n; i++) {
		size_t at = addr - ADDR + i * unit;
		uint8_t digest[BF_SHA256_LEN];

		bf_sha256(digest, plan->data + at, unit);
		memcpy(ret[i], digest, 8);
		ret[i][0] ^= at >= LEN / 2;
	}
	return BF_OK;
}

static void one_ascending_download_takes_everything_once_anything_differs(void **state)
{
	struct plan p;

	(void)state;
	plan_init(&p, BF_CAP_ERASE | BF_CAP_HASH | BF_CAP_DUAL_BANK);
	p.loader.hash_units = first_half_is_there;
	make(&p, LEN);
	assert_int_equal(p.run.todo.n, 1);
	expect_item(&p, 0, 8, LEN / 2, 8);
	plan_done(&p);
	plan_init(&p, BF_CAP_ERASE | BF_CAP_HASH | BF_CAP_DUAL_BANK);
	p.run.session.ident.caps &= ~(unsigned)BF_CAP_ANY_ORDER;
	p.loader.hash_units = first_half_is_there;
	make(&p, LEN);
	assert_int_equal(p.run.todo.n, 1);
	expect_item(&p, 0, 0, LEN, 16);
	plan_done(&p);
}

/* It begins and ends within a unit. */
static void what_is_there_is_seen_where_it_begins_within_a_unit(void **state)
{
	struct plan p;
	struct bf_err err;

	(void)state;
	plan_init(&p, BF_CAP_ERASE | BF_CAP_HASH);
	p.run.session.ident.regions[0].addr = ADDR - UNIT / 2;
	p.run.session.ident.regions[0].size = 4 * UNIT;
	p.loader.hash_units = hash_units;
	hashed = &p;
	bf_err_init(&err);
	p.run.wanted.image = made_image(p.data, 3 * UNIT, ADDR);
	p.run.todo.bytes = 3 * UNIT;
	if (bf_todo_memory(&p.run, &err))
		fail_msg("%s", err.cause);
	/* What lies before it in the first unit is not known: that one goes with it. */
	assert_int_equal(p.run.todo.skipped, 3 * UNIT - UNIT / 2);
	plan_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there_is_seen_where_it_begins_within_a_unit),
		cmocka_unit_test(blank_units_are_erased_and_not_sent),
		cmocka_unit_test(a_first_unit_that_is_blank_is_sent_all_the_same),
		cmocka_unit_test(a_last_unit_that_is_blank_as_far_as_it_goes_is_not_sent),
		cmocka_unit_test(what_nobody_erases_is_sent_whole),
		cmocka_unit_test(a_pack_that_erases_ahead_is_told_to_erase_blank_units_alone),
		cmocka_unit_test(one_bank_is_erased_by_the_host_and_its_head_comes_last),
		cmocka_unit_test(one_bank_that_erases_ahead_keeps_its_first_unit_whole),
		cmocka_unit_test(what_makes_an_image_with_a_header_start_comes_last),
		cmocka_unit_test(one_pass_is_one_erase_and_one_download_from_the_base),
		cmocka_unit_test(where_nobody_knows_the_erase_unit_the_image_itself_is_erased),
		cmocka_unit_test(a_server_that_tells_no_memory_takes_the_image_at_its_own_address),
		cmocka_unit_test(one_ascending_download_takes_everything_once_anything_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
