/* SPDX-License-Identifier: MIT */
/* The ROM loader on a CAN bus: frames as AN3154 and AN5405 have them. */
#include "../unit.h"

#include <stdio.h>

#include "fake.h"
#include "family/stm32/stm32_priv.h"

struct bench {
	struct bf_clock *clock;
	struct fake *bus;
	struct bf_profile profile;
	struct bf_stm32_profile *set;
	struct bf_retry retry;
	struct bf_proto *proto;
	struct bf_err err;
};

static void say_who(struct bench *b)
{
	fake_on(b->bus, "079#", "079#79", BF_MS(1));
	fake_on(b->bus, "000#",
		"000#79;000#0B;000#20;000#00;000#01;000#02;000#03;000#11;000#21;000#31;000#43;"
		"000#63;000#73;000#92;000#79",
		BF_MS(1));
	fake_on(b->bus, "002#", "002#79;002#0418;002#79", BF_MS(1));
	fake_on(b->bus, "011#0800000003", "011#79;011#00500020;011#79", BF_MS(1));
	fake_on(b->bus, "011#1FFFF7E001", "011#79;011#0001;011#79", BF_MS(1)); /* 256 K */
	fake_on(b->bus, "011#1FFFF7E80B", "011#1F", BF_MS(1));
}

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct bf_bus_report report = { .state = BF_BUS_ACTIVE, .bitrate = 125000 };

	assert_non_null(b);
	b->clock = bf_vclock_new();
	b->bus = fake_bus_new(b->clock);
	fake_bus_set_report(b->bus, &report);
	bf_profile_default(&b->profile);
	bf_retry_default(&b->retry);
	b->set = bf_profile_family_mut(&b->profile, "stm32");
	b->set->can_erase = BF_STM32_CAN_ERASE_PAGE;
	bf_err_init(&b->err);
	return b;
}

static void bench_free(struct bench *b)
{
	bf_proto_close(b->proto);
	fake_free(b->bus);
	bf_clock_free(b->clock);
	free(b);
}

static enum bf_rc recognise(struct bench *b)
{
	struct bf_proto_env env = { .transport = fake_transport(b->bus),
				    .profile = &b->profile,
				    .retry = &b->retry,
				    .node = -1 };

	bf_err_init(&b->err);
	b->proto = bf_proto_close(b->proto);
	assert_int_equal(bf_proto_stm32_ops.open(&env, &b->proto, &b->err), BF_OK);
	return b->proto->ops->recognise(b->proto, bf_in(b->clock, BF_MS(600)), &b->err);
}

static void connected(struct bench *b)
{
	if (recognise(b) || b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err))
		fail_msg("%s", b->err.cause);
	fake_forget(b->bus);
}

static struct bf_region flash_of(struct bench *b)
{
	struct bf_ident id;

	assert_int_equal(b->proto->ops->identify(b->proto, &id, &b->err), BF_OK);
	return id.regions[0];
}

static void an_empty_frame_wakes_it(void **state)
{
	struct bench *b = bench_new();
	struct bf_ident id;

	(void)state;
	say_who(b);
	assert_int_equal(recognise(b), BF_OK);
	assert_string_equal(fake_heard(b->bus), "079#\n000#\n");
	assert_int_equal(b->proto->ops->identify(b->proto, &id, &b->err), BF_OK);
	assert_string_equal(id.model, "STM32F105, F107");
	assert_string_equal(id.loader, "ROM loader 2.0 (CAN), chip 0x418");
	assert_int_equal(id.regions[0].size, 256 * 1024);
	bench_free(b);
}

static void one_that_is_synchronised_refuses_and_is_there(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	fake_once(b->bus, "079#", "079#1F", BF_MS(1));
	say_who(b);
	assert_int_equal(recognise(b), BF_OK);
	bench_free(b);
}

static void nothing_is_sent_where_others_talk(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	say_who(b);
	fake_say(b->bus, "351#0102030405060708", BF_MS(50));
	assert_int_equal(recognise(b), BF_E_UNSUPPORTED);
	assert_string_equal(fake_heard(b->bus), "");
	assert_non_null(strstr(b->err.todo, "bus-shared"));
	b->set->bus_shared = true;
	assert_int_equal(recognise(b), BF_OK);
	bench_free(b);
}

static void silence_is_no_loader(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	assert_int_equal(recognise(b), BF_E_NODEV);
	bench_free(b);
}

static void a_read_comes_in_frames_of_eight(void **state)
{
	struct bench *b = bench_new();
	struct bf_region flash;
	uint8_t got[10];

	(void)state;
	say_who(b);
	connected(b);
	flash = flash_of(b);
	b->proto->ops->loader->read(b->proto, &flash, 0x1FFFF800, got, 0, &b->err);
	fake_forget(b->bus);
	fake_on(b->bus, "011#1FFFF80009", "011#79;011#0102030405060708;011#090A;011#79", BF_MS(1));
	assert_int_equal(
		b->proto->ops->loader->read(b->proto, &flash, 0x1FFFF800, got, 10, &b->err), BF_OK);
	assert_string_equal(fake_heard(b->bus), "011#1FFFF80009\n");
	for (uint8_t i = 0; i < 10; i++)
		assert_int_equal(got[i], i + 1);
	bench_free(b);
}

static void each_frame_of_a_write_is_acknowledged(void **state)
{
	static const uint8_t data[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	struct bf_target target = { .addr = 0x08002000, .len = sizeof(data) };
	struct bf_block block = { .data = data, .len = sizeof(data) };
	struct bench *b = bench_new();
	const struct bf_loader_ops *l;
	struct bf_flow flow;
	size_t next = 0;

	(void)state;
	say_who(b);
	connected(b);
	l = b->proto->ops->loader;
	flash_of(b);
	fake_forget(b->bus);
	fake_on(b->bus, "031#080020000B", "031#79", BF_MS(1));
	fake_on(b->bus, "004#0102030405060708", "031#79", BF_MS(1));
	fake_on(b->bus, "004#090A0B0C", "031#79;031#79", BF_MS(1));
	assert_int_equal(l->begin(b->proto, &target, &flow, &b->err), BF_OK);
	assert_int_equal(flow.block_max, 256);
	assert_int_equal(l->block_start(b->proto, &block, &b->err), BF_OK);
	assert_int_equal(l->block_finish(b->proto, &next, &b->err), BF_OK);
	assert_int_equal(next, sizeof(data));
	assert_string_equal(fake_heard(b->bus),
			    "031#080020000B\n004#0102030405060708\n004#090A0B0C\n");
	bench_free(b);
}

static enum bf_rc erase(struct bench *b, uint32_t addr, uint32_t size)
{
	struct bf_region flash = flash_of(b);

	fake_forget(b->bus);
	bf_err_init(&b->err);
	return b->proto->ops->loader->erase(b->proto, &flash, addr, size, &b->err);
}

static void blank_from_now_on(struct bench *b)
{
	fake_on(b->bus, "011#????????0F", "011#79;011#FFFFFFFFFFFFFFFF;011#FFFFFFFFFFFFFFFF;011#79",
		BF_MS(1));
}

static void pages_are_erased_one_by_one_or_in_a_list_as_the_profile_says(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	say_who(b);
	blank_from_now_on(b);
	fake_once(b->bus, "043#00", "043#79", BF_MS(1));
	fake_once(b->bus, "043#04", "043#79;043#79", BF_MS(30));
	fake_once(b->bus, "043#00", "043#79", BF_MS(1));
	fake_once(b->bus, "043#05", "043#79;043#79", BF_MS(30));
	connected(b);
	assert_int_equal(erase(b, 0x08002000, 4096), BF_OK);
	assert_int_equal(fake_unused(b->bus), 0);
	b->set->can_erase = BF_STM32_CAN_ERASE_LIST;
	fake_once(b->bus, "043#0405", "043#79;043#79", BF_MS(30));
	assert_int_equal(erase(b, 0x08002000, 4096), BF_OK);
	assert_int_equal(fake_unused(b->bus), 0);
	bench_free(b);
}

/* 43#00 that arrives twice is the page 0 of the loader. */
static void a_count_that_came_twice_is_told_by_what_it_erased(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	say_who(b);
	fake_once(b->bus, "011#080000000F",
		  "011#79;011#0050002001010008;011#0102030405060708;011#79", BF_MS(1));
	blank_from_now_on(b);
	fake_once(b->bus, "043#00", "043#79;043#79;043#79", BF_MS(1));
	fake_on(b->bus, "043#04", "043#79;043#79", BF_MS(30));
	connected(b);
	assert_int_equal(erase(b, 0x08002000, 2048), BF_E_NAK);
	assert_string_equal(b->err.cause, "Erasing 0x08002000 also erased page 0, at 0x08000000.");
	assert_non_null(strstr(b->err.todo, "from a backup"));
	bench_free(b);
}

static void an_unknown_form_of_the_erase_is_refused_before_anything_is_sent(void **state)
{
	struct bench *b = bench_new();
	struct bf_ident id;

	(void)state;
	say_who(b);
	b->set->can_erase = BF_STM32_CAN_ERASE_UNKNOWN;
	connected(b);
	assert_int_equal(b->proto->ops->identify(b->proto, &id, &b->err), BF_OK);
	assert_non_null(strstr(id.no_write, "can-erase"));
	assert_int_equal(id.regions[0].access, BF_ACCESS_READ);
	assert_int_equal(erase(b, 0x08002000, 2048), BF_E_UNSUPPORTED);
	assert_null(strstr(fake_heard(b->bus), "043#"));
	bench_free(b);
}

/* An L0 has pages of 128 bytes: most of its flash lies above what one byte can name. */
static void pages_above_one_byte_are_refused_with_the_way_that_reaches_them(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	b->set->page = 128;
	b->set->flash_size = 192 * 1024;
	say_who(b);
	connected(b);
	assert_int_equal(erase(b, 0x08010000, 128), BF_E_UNSUPPORTED);
	assert_string_equal(b->err.cause,
			    "The erase command of this loader does not reach page 512.");
	assert_non_null(strstr(b->err.todo, "serial line"));
	assert_null(strstr(fake_heard(b->bus), "043#"));
	bench_free(b);
}

/* FF alone would erase everything. */
static void page_255_is_never_named(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	b->set->page = 512;
	b->set->flash_size = 256 * 1024;
	b->set->can_erase = BF_STM32_CAN_ERASE_LIST;
	say_who(b);
	connected(b);
	assert_int_equal(erase(b, 0x08000000 + 255 * 512, 512), BF_E_UNSUPPORTED);
	assert_null(strstr(fake_heard(b->bus), "043#"));
	bench_free(b);
}

/* The first frame was not acknowledged: whether the loader waits for a page is not known, and only that page may
 * go out. */
static void a_lost_frame_of_an_erase_names_no_other_page(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	say_who(b);
	blank_from_now_on(b);
	fake_once(b->bus, "043#00", "", 0);
	fake_on(b->bus, "043#04", "043#79;043#79", BF_MS(20));
	connected(b);
	assert_int_equal(erase(b, 0x08002000, 2048), BF_OK);
	assert_non_null(strstr(fake_heard(b->bus), "043#00\n043#04\n000#\n"));
	bench_free(b);
}

/* One acknowledge may be that of a count; the page has two. */
static void a_lost_frame_is_made_up_until_both_acknowledges_come(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	say_who(b);
	blank_from_now_on(b);
	fake_once(b->bus, "043#00", "", 0);
	fake_once(b->bus, "043#04", "043#79", BF_MS(20));
	fake_on(b->bus, "043#04", "043#79;043#79", BF_MS(20));
	connected(b);
	assert_int_equal(erase(b, 0x08002000, 2048), BF_OK);
	assert_non_null(strstr(fake_heard(b->bus), "043#00\n043#04\n043#04\n"));
	bench_free(b);
}

static void one_bank_is_not_erased_by_a_command_that_cannot_name_it(void **state)
{
	struct bench *b = bench_new();
	struct bf_stm32 *d;

	(void)state;
	say_who(b);
	connected(b);
	d = bf_stm32_of(b->proto);
	assert_int_equal(d->link->erase_all(d, BF_STM32_BANK1, BF_SEC(1), &b->err),
			 BF_E_UNSUPPORTED);
	assert_string_equal(fake_heard(b->bus), "");
	bench_free(b);
}

static void the_second_acknowledge_of_a_new_rate_may_have_either_identifier(void **state)
{
	static const char *const ids[] = { "002#79", "003#79" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(ids); i++) {
		struct bench *b = bench_new();
		char both[32];

		say_who(b);
		snprintf(both, sizeof(both), "003#79;%s", ids[i]);
		fake_on(b->bus, "003#03", both, BF_MS(1));
		connected(b);
		if (b->proto->ops->set_rate(b->proto, 500000, &b->err))
			fail_msg("%s", b->err.cause);
		bench_free(b);
	}
}

static void go_has_the_address_alone(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	say_who(b);
	fake_on(b->bus, "021#08000000", "021#79", BF_MS(1));
	connected(b);
	flash_of(b);
	fake_forget(b->bus);
	assert_int_equal(b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	assert_string_equal(fake_heard(b->bus), "021#08000000\n");
	bench_free(b);
}

static void over_can_fd_the_identifier_is_a_base_with_the_command(void **state)
{
	struct bench *b = bench_new();
	struct bf_region flash;
	uint8_t got[64];

	(void)state;
	b->set->can_form = BF_STM32_CAN_FD;
	fake_on(b->bus, "500##1", "000#79;000##10A1000010203112131446392;000#79", BF_MS(1));
	fake_on(b->bus, "502##1", "002#79;002##10469;002#79", BF_MS(1));
	fake_on(b->bus, "511##1*", "511#1F", BF_MS(1));
	assert_int_equal(recognise(b), BF_OK);
	assert_int_equal(b->proto->ops->connect(b->proto, BF_ENTRY_READ, &b->err), BF_OK);
	flash = flash_of(b);
	assert_int_equal(flash.access, 0);
	(void)got;
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_frame_wakes_it),
		cmocka_unit_test(one_that_is_synchronised_refuses_and_is_there),
		cmocka_unit_test(nothing_is_sent_where_others_talk),
		cmocka_unit_test(silence_is_no_loader),
		cmocka_unit_test(a_read_comes_in_frames_of_eight),
		cmocka_unit_test(each_frame_of_a_write_is_acknowledged),
		cmocka_unit_test(pages_are_erased_one_by_one_or_in_a_list_as_the_profile_says),
		cmocka_unit_test(a_count_that_came_twice_is_told_by_what_it_erased),
		cmocka_unit_test(an_unknown_form_of_the_erase_is_refused_before_anything_is_sent),
		cmocka_unit_test(pages_above_one_byte_are_refused_with_the_way_that_reaches_them),
		cmocka_unit_test(page_255_is_never_named),
		cmocka_unit_test(a_lost_frame_of_an_erase_names_no_other_page),
		cmocka_unit_test(a_lost_frame_is_made_up_until_both_acknowledges_come),
		cmocka_unit_test(one_bank_is_not_erased_by_a_command_that_cannot_name_it),
		cmocka_unit_test(the_second_acknowledge_of_a_new_rate_may_have_either_identifier),
		cmocka_unit_test(go_has_the_address_alone),
		cmocka_unit_test(over_can_fd_the_identifier_is_a_base_with_the_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
