/* SPDX-License-Identifier: MIT */
/* Time-outs, pending, busy, repeats, late and repeated answers: seen through small requests. */
#include "../unit.h"

#include "pack.h"

#define RULES static const struct pack_rule rules[]

static enum bf_rc read_units(struct pack *k, uint8_t (*ret)[8], size_t n)
{
	return k->p->ops->loader->hash_units(k->p, 0, (uint32_t)(16 * n), 16, ret, n, &k->err);
}

static void a_lost_answer_is_asked_for_again(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b3", "-", 2 },
		{ "3101f0b3", "7101f0b300" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 3101f0b3 3101f0b3 3101f0b3 ");
	assert_int_equal(k->retry.repeats[BF_RETRY_IDEMPOTENT], 2);
	assert_int_equal(k->retry.timeouts, 2);
	assert_true(k->retry.lost_us > BF_MS(200));
}

static void silence_ends_after_the_attempts_of_the_class(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_E_TIMEOUT);
	assert_int_equal(k->heard, 1 + 5);
	assert_non_null(strstr(k->err.trail[0], "go back to the previous image"));
}

static void pending_extends_the_wait_as_often_as_it_comes(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b3", "7f3178 @4900:7f3178 @4900:7f3178 @4900:7101f0b300" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_OK);
	assert_int_equal(k->heard, 2);
	assert_int_equal(k->retry.pending, 3);
	assert_int_equal(k->alive, 3);
	assert_string_equal(k->alive_what, "waiting for the pack to go back to the previous image");
}

static void pending_without_an_end_is_a_time_out(void **state)
{
	RULES = { { "3e00", "7e00" }, { "11*", "7f1178" }, { NULL } };
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);
	bf_time began;

	(void)state;
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	began = pack_now(k);
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	assert_true(pack_now(k) - began > BF_SEC(5) && pack_now(k) - began < BF_MS(5100));
}

/* Every second "pending", for ever. */
static const char for_ever[] =
	"7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 "
	"@1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 "
	"@1000:7f3178 "
	"@1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 "
	"@1000:7f3178 "
	"@1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 @1000:7f3178 "
	"@1000:7f3178";

static void pending_has_an_end_that_the_pack_does_not_choose(void **state)
{
	const struct pack_rule rules[] = { { "3e00", "7e00" }, { "31*", for_ever }, { NULL } };
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);
	bf_time began;

	(void)state;
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	began = pack_now(k);
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_E_TIMEOUT);
	assert_true(pack_now(k) - began >= BF_SEC(15) && pack_now(k) - began < BF_SEC(16));
	assert_non_null(strstr(k->err.cause, "said 15 times in 15 s"));
	assert_string_equal(k->log, "3e00 3101f0b3 "); /* and it is not asked again */
}

static void each_kind_of_request_has_its_own_end(void **state)
{
	const struct pack_rule rules[] = { { "3e00", "7e00" },
					   { "2ef15a*", "6ef15a" },
					   { "3101ff00*", for_ever },
					   { "3101ff01*", for_ever },
					   { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	bf_time began;

	(void)state;
	pack_keys(k)->limit_erase_s = 20;
	pack_keys(k)->limit_check_s = 8;
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	began = pack_now(k);
	/* Also where the user cannot interrupt. */
	bf_clock_hold(k->w->t.clock);
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0, 4096, &k->err), BF_E_TIMEOUT);
	bf_clock_release(k->w->t.clock);
	assert_true(pack_now(k) - began >= BF_SEC(20) && pack_now(k) - began < BF_SEC(21));
	bf_clock_until(k->w->t.clock, pack_now(k) + BF_SEC(30));
	began = pack_now(k);
	pack_expect(k, k->p->ops->loader->check(k->p, NULL, &k->err), BF_E_TIMEOUT);
	assert_true(pack_now(k) - began >= BF_SEC(8) && pack_now(k) - began < BF_SEC(9));
}

static void the_built_in_ends_are_those_of_the_contract(void **state)
{
	struct bf_profile p;
	const struct bf_uds_profile *keys = bf_profile_family(&p, "uds");

	(void)state;
	bf_profile_default(&p);
	assert_int_equal(keys->limit_s, 15);
	assert_int_equal(keys->limit_erase_s, 600);
	assert_int_equal(keys->limit_check_s, 300);
	assert_int_equal(keys->limit_block_s, 60);
}

static void a_failure_to_program_is_given_one_more_chance(void **state)
{
	RULES = { { "3e00", "7e00" },           { "2ef15a*", "6ef15a" },
		  { "3101ff00*", "7f3172", 1 }, { "3101ff00*", "7101ff0000", 1 },
		  { "3101ff00*", "7f3172" },    { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0, 4096, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0, 4096, &k->err), BF_E_NAK);
	assert_int_equal(k->err.dev_code, 0x72);
	assert_int_equal(k->heard, 1 + 1 + 2 + 2);
}

/* What 7E, 7F and 33 mean: the session may be lost, or never have been the right one. */
static void a_refusal_for_want_of_a_session_is_looked_into(void **state)
{
	static const struct {
		const char *session, *answer;
		bool before, reopened;
	} rows[] = {
		{ "62f18603", "7f317f", false, false }, /* our session, and not allowed in it */
		{ "62f18603", "7f317e", true, false },
		{ "62f18601", "7f317f", false, true }, /* the default session: it restarted */
		{ "7f2231", "7f317f", false, false },  /* never worked here */
		{ "7f2231", "7f317f", true, true },
		{ "62f18601", "7f3122", true, false }, /* another reason altogether */
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "1003", "5003", 1 },
						   { "1003", "7f1022", 0 },
						   { "22f186", rows[i].session, 0 },
						   { "3101f0b2", "7101f0b200", 0 },
						   { "3101f0b3", rows[i].answer, 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

		pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
		if (rows[i].before)
			pack_expect(k, k->p->ops->boot->confirm(k->p, &k->err), BF_OK);
		assert_int_not_equal(k->p->ops->boot->revert(k->p, &k->err), BF_OK);
		if (!strstr(strstr(k->log, "1003") + 1, "1003") == rows[i].reopened)
			fail_msg("row %zu: %s", i, k->log);
		if (!rows[i].reopened)
			assert_false(k->err.dev_forgot);
	}
}

static void busy_is_repeated_with_a_pause_whatever_the_class(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "1101", "7f1121", 3 },
		{ "1101", "5101" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	assert_int_equal(k->heard, 5);
	assert_int_equal(k->retry.busy, 3);
	assert_int_equal(k->alive, 3);
	assert_true(pack_now(k) >= BF_MS(300));
}

static void busy_for_ever_is_a_refusal(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1101", "7f1121" }, { NULL } };
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_E_NAK);
	assert_int_equal(k->err.dev_code, 0x21);
	assert_string_equal(k->err.dev_name, "busyRepeatRequest");
	assert_true(pack_now(k) > BF_SEC(10) && pack_now(k) < BF_SEC(11));
}

static void a_refusal_carries_name_meaning_and_next_step(void **state)
{
	RULES = { { "3e00", "7e00" }, { "3101f0b3", "7f3133" }, { NULL } };
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_E_AUTH);
	assert_true(k->err.dev_refused);
	assert_int_equal(k->err.dev_code, 0x33);
	assert_string_equal(k->err.dev_name, "securityAccessDenied");
	assert_non_null(strstr(k->err.cause, "7F 31 33"));
	assert_non_null(strstr(k->err.todo, "--auth-key"));
	assert_int_equal(k->heard, 2);
}

static void a_code_of_no_standard_is_shown_as_it_is(void **state)
{
	RULES = { { "3e00", "7e00" }, { "3101f0b3", "7f31f5" }, { NULL } };
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_E_NAK);
	assert_int_equal(k->err.dev_code, 0xF5);
	assert_non_null(strstr(k->err.cause, "7F 31 F5"));
}

static void answers_to_other_requests_are_dropped(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b3", "7f3e31 62f18600 7101f0b200 7f2231 7101f0b300" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_OK);
	assert_int_equal(k->heard, 2);
}

/* 7F 31 without a code, 71 01 F0 without the rest, nothing after the routine: none is success. */
static void a_malformed_answer_is_damage_and_never_success(void **state)
{
	static const char *const bad[] = { "7f31", "7f313300", "71", "7101f0", "7f" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00" },
						   { "3101f0b3", bad[i], 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

		pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_E_LINK);
		assert_non_null(strstr(k->err.cause, "malformed"));
		assert_int_equal(k->retry.damaged, 5);
	}
}

/*
 * The first hash is answered too late, after it was asked for again: the second copy must not be taken
 * for the answer about the next range, which looks the same.
 */
static void a_late_answer_is_not_taken_for_the_next_one(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b4000000000000002000000010", "@115:7101f0b4000001aaaaaaaaaaaaaaaa", 1 },
		{ "3101f0b4000000000000002000000010", "@5:7101f0b4000001aaaaaaaaaaaaaaaa", 1 },
		{ "3101f0b4000000100000001000000010", "7101f0b4000001bbbbbbbbbbbbbbbb" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);
	uint8_t got[2][8];

	(void)state;
	pack_expect(k, read_units(k, got, 2), BF_OK);
	assert_int_equal(got[0][0], 0xAA);
	assert_int_equal(got[1][0], 0xBB);
	assert_string_equal(k->log, "3e00 3101f0b4000000000000002000000010 "
				    "3101f0b4000000000000002000000010 3e00 "
				    "3101f0b4000000100000001000000010 ");
}

static void a_cancelled_request_is_interrupted(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	bf_vclock_cancel_at(k->w->t.clock, BF_MS(120));
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_E_INTERRUPTED);
}

static void a_wire_that_is_gone_is_not_tried_again(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	k->w->send_fails = BF_E_GONE;
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_E_GONE);
	assert_int_equal(k->heard, 1);
}

static void the_same_dialogue_runs_over_every_link(void **state)
{
	RULES = { { "3e00", "7e00" }, { "3101f0b3", "7f3178 @100:7101f0b300" }, { NULL } };

	(void)state;
	for (int over = PACK_HDLC; over <= PACK_CAN; over++) {
		BF_AUTO(pack) *k = pack_named_new((enum pack_over)over, rules);

		pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_OK);
	}
}

static void a_routine_that_the_profile_does_not_name_is_unsupported(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_keys(k)->rid_revert = 0;
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_E_UNSUPPORTED);
	assert_int_equal(k->heard, 0);
}

static void every_refusal_has_a_name_and_a_meaning(void **state)
{
	const struct bf_proto_ops *ops = bf_proto_by_name("uds");
	static const unsigned met[] = { 0x22, 0x31, 0x33, 0x35, 0x36, 0x37, 0x70, 0x71, 0x72,
					0x73, 0x7E, 0x7F, 0x81, 0x86, 0x87, 0x92, 0x93 };
	unsigned last = 0;

	(void)state;
	for (const struct bf_refusal *r = ops->refusals; r->name; r++) {
		assert_true(r->code > last && r->code < 0x100);
		assert_true(r->name[0] && r->text[0] && r->next);
		assert_true(strlen(r->name) < sizeof(((struct bf_err *)NULL)->dev_name));
		last = r->code;
	}
	for (size_t i = 0; i < BF_COUNT(met); i++) {
		const struct bf_refusal *r = bf_refusal_find(ops, met[i]);

		assert_non_null(r);
		assert_true(r->next[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lost_answer_is_asked_for_again),
		cmocka_unit_test(silence_ends_after_the_attempts_of_the_class),
		cmocka_unit_test(pending_extends_the_wait_as_often_as_it_comes),
		cmocka_unit_test(pending_without_an_end_is_a_time_out),
		cmocka_unit_test(pending_has_an_end_that_the_pack_does_not_choose),
		cmocka_unit_test(each_kind_of_request_has_its_own_end),
		cmocka_unit_test(the_built_in_ends_are_those_of_the_contract),
		cmocka_unit_test(a_failure_to_program_is_given_one_more_chance),
		cmocka_unit_test(a_refusal_for_want_of_a_session_is_looked_into),
		cmocka_unit_test(busy_is_repeated_with_a_pause_whatever_the_class),
		cmocka_unit_test(busy_for_ever_is_a_refusal),
		cmocka_unit_test(a_refusal_carries_name_meaning_and_next_step),
		cmocka_unit_test(a_code_of_no_standard_is_shown_as_it_is),
		cmocka_unit_test(answers_to_other_requests_are_dropped),
		cmocka_unit_test(a_malformed_answer_is_damage_and_never_success),
		cmocka_unit_test(a_late_answer_is_not_taken_for_the_next_one),
		cmocka_unit_test(a_cancelled_request_is_interrupted),
		cmocka_unit_test(a_wire_that_is_gone_is_not_tried_again),
		cmocka_unit_test(the_same_dialogue_runs_over_every_link),
		cmocka_unit_test(a_routine_that_the_profile_does_not_name_is_unsupported),
		cmocka_unit_test(every_refusal_has_a_name_and_a_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
