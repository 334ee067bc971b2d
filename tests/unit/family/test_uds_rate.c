/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "pack.h"

#define RULES static const struct pack_rule rules[]

static void a_standard_rate_is_asked_for_by_number_and_proven(void **state)
{
	RULES = { { "3e00", "7e00" }, { "870103", "c701" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->set_rate(k->p, 38400, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 870103 8783 3e00 ");
	assert_int_equal(k->w->line.baud, 38400);
	assert_int_equal(k->w->line.stop_bits, 1);
}

static void other_rates_go_as_three_bytes(void **state)
{
	RULES = { { "3e00", "7e00" }, { "87020f4240", "c702" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->set_rate(k->p, 1000000, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 87020f4240 8783 3e00 ");
	k->p->ops->default_rate(k->p);
	assert_int_equal(k->w->line.baud, 115200);
}

static void a_rate_at_which_nothing_comes_back_is_left_again(void **state)
{
	RULES = { { "3e00", "7e00" }, { "8702*", "c702" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	k->rate = 115200; /* the server hears nothing at another rate */
	pack_expect(k, k->p->ops->set_rate(k->p, 3000000, &k->err), BF_E_LINK);
	assert_int_equal(k->w->line.baud, 115200);
	assert_non_null(strstr(k->err.cause, "3000000"));
	assert_non_null(strstr(k->err.cause, "back at 115200"));
	assert_true(pack_now(k) > BF_MS(500));
	pack_expect(k, k->p->ops->ping(k->p, &k->err), BF_OK);
}

static void a_line_that_stays_dead_is_told_so(void **state)
{
	RULES = { { "3e00", "7e00", 1 }, { "8702*", "c702" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->set_rate(k->p, 3000000, &k->err), BF_E_TIMEOUT);
	assert_non_null(strstr(k->err.trail[1], "going back to 115200"));
}

static void the_way_back_is_gone_even_when_cancelled(void **state)
{
	RULES = { { "3e00", "7e00" }, { "8702*", "c702" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	k->rate = 115200;
	bf_vclock_cancel_at(k->w->t.clock, BF_MS(60));
	pack_expect(k, k->p->ops->set_rate(k->p, 3000000, &k->err), BF_E_INTERRUPTED);
	assert_int_equal(k->w->line.baud, 115200);
}

static void a_refused_rate_changes_nothing(void **state)
{
	RULES = { { "3e00", "7e00" }, { "87*", "7f8731" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->set_rate(k->p, 230400, &k->err), BF_E_NAK);
	assert_int_equal(k->w->line.baud, 115200);
	assert_string_equal(k->log, "3e00 8702038400 ");
}

static void a_pack_that_is_busy_when_it_should_go_is_told_again(void **state)
{
	RULES = { { "3e00", "7e00" }, { "870103", "c701" }, { "8783", "7f8721", 2 }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->set_rate(k->p, 38400, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 870103 8783 8783 8783 3e00 ");
	assert_int_equal(k->w->line.baud, 38400);
	assert_int_equal(k->retry.busy, 2);
}

static void a_pack_that_refuses_to_go_is_not_left_alone_at_its_rate(void **state)
{
	RULES = { { "3e00", "7e00" }, { "870103", "c701" }, { "8783", "7f8722" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->set_rate(k->p, 38400, &k->err), BF_E_NAK);
	assert_int_equal(k->w->line.baud, 115200);
	pack_expect(k, k->p->ops->ping(k->p, &k->err), BF_OK);
}

static void a_bus_that_may_not_be_changed_is_known_before_the_pack_moves(void **state)
{
	RULES = { { "3e00", "7e00" }, { "87*", "c701" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	pack_expect(k, k->p->ops->set_rate(k->p, 1000000, &k->err), BF_E_UNSUPPORTED);
	assert_int_equal(k->heard, 0);
}

static void a_bus_changes_its_bit_rate(void **state)
{
	RULES = { { "3e00", "7e00" }, { "870113", "c701" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	k->w->may_set_bitrate = true;
	pack_expect(k, k->p->ops->set_rate(k->p, 1000000, &k->err), BF_OK);
	assert_int_equal(k->w->bitrate, 1000000);
	k->p->ops->default_rate(k->p);
	assert_int_equal(k->w->bitrate, 500000);
}

static void the_rate_that_is_there_already_costs_nothing(void **state)
{
	RULES = { { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->set_rate(k->p, 115200, &k->err), BF_OK);
	assert_int_equal(k->heard, 0);
}

static void rates_that_do_not_fit_24_bits_do_not_exist(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->set_rate(k->p, 0x1000000, &k->err), BF_E_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_standard_rate_is_asked_for_by_number_and_proven),
		cmocka_unit_test(other_rates_go_as_three_bytes),
		cmocka_unit_test(a_rate_at_which_nothing_comes_back_is_left_again),
		cmocka_unit_test(a_line_that_stays_dead_is_told_so),
		cmocka_unit_test(the_way_back_is_gone_even_when_cancelled),
		cmocka_unit_test(a_refused_rate_changes_nothing),
		cmocka_unit_test(a_pack_that_is_busy_when_it_should_go_is_told_again),
		cmocka_unit_test(a_pack_that_refuses_to_go_is_not_left_alone_at_its_rate),
		cmocka_unit_test(a_bus_that_may_not_be_changed_is_known_before_the_pack_moves),
		cmocka_unit_test(a_bus_changes_its_bit_rate),
		cmocka_unit_test(the_rate_that_is_there_already_costs_nothing),
		cmocka_unit_test(rates_that_do_not_fit_24_bits_do_not_exist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
