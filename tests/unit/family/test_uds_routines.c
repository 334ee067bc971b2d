/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "pack.h"

#include "bmsflash/bytes.h"

#define RULES static const struct pack_rule rules[]
#define SHA   "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void a_hash_of_a_range_has_32_bytes(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b4000200000000010000000000", "7f3178 7101f0b400" SHA },
		{ "3101f0b4*", "7101f0b40001" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_CAN, rules);
	uint8_t got[32];

	(void)state;
	pack_expect(k, k->p->ops->loader->hash(k->p, 0x20000, 0x100, got, &k->err), BF_OK);
	assert_int_equal(got[31], 0x1F);
	pack_expect(k, k->p->ops->loader->hash(k->p, 0x20000, 0x101, got, &k->err), BF_E_LINK);
}

static void hashes_of_units_come_in_as_many_answers_as_needed(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b4000010000000002500000010", "7101f0b4000002"
						      "a0a0a0a0a0a0a0a0"
						      "a1a1a1a1a1a1a1a1" },
		{ "3101f0b4000010200000000500000010", "7101f0b4000001"
						      "a2a2a2a2a2a2a2a2" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);
	uint8_t got[3][8];

	(void)state;
	pack_expect(k, k->p->ops->loader->hash_units(k->p, 0x1000, 0x25, 16, got, 3, &k->err),
		    BF_OK);
	assert_int_equal(got[0][7], 0xA0);
	assert_int_equal(got[1][7], 0xA1);
	assert_int_equal(got[2][7], 0xA2);
}

static void hashes_that_do_not_fit_the_question_are_damage(void **state)
{
	static const char *const bad[] = {
		"7101f0b4000000",
		"7101f0b40000",
		"7101f0b4000001a0a0",
		"7101f0b4000002a0a0a0a0a0a0a0a0a1a1a1a1a1a1a1a1",
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "31*", bad[i], 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);
		uint8_t got[1][8];

		pack_expect(k, k->p->ops->loader->hash_units(k->p, 0, 16, 16, got, 1, &k->err),
			    BF_E_LINK);
		pack_expect(k, k->p->ops->loader->hash_units(k->p, 0, 17, 16, got, 1, &k->err),
			    BF_E_INTERNAL);
	}
}

static enum bf_rc check(struct pack *k)
{
	static const uint8_t data[] = "xx123456789";
	const struct bf_segment segment = { .data = data, .len = 11 };
	const struct bf_target target = {
		.segment = &segment, .addr = 0x20000, .from = 2, .len = 9
	};

	return k->p->ops->loader->check(k->p, &target, &k->err);
}

/* CRC-32 of "123456789" is CBF43926. */
static void the_check_compares_memory_and_then_the_image(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101020244000200000000000"
		  "9cbf43926",
		  "7101020200" },
		{ "3101ff01", "7f3178 7101ff0100" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, check(k), BF_OK);
	assert_int_equal(k->heard, 3);
	assert_int_equal(k->p->checked, BF_CHECKED_MEMORY | BF_CHECKED_IMAGE);
}

static void a_pack_that_checks_nothing_did_not_pass_a_check(void **state)
{
	static const char *const nrcs[] = { "7f3111", "7f3112", "7f3131", "7f317e", "7f317f" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(nrcs); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "31*", nrcs[i], 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

		pack_expect(k, check(k), BF_E_UNSUPPORTED);
		assert_int_equal(k->p->checked, 0);
		/* The one routine that any server may be asked for. */
		assert_string_equal(k->log, "3e00 3101ff01 ");
	}
}

static void a_check_that_the_profile_names_and_the_pack_refuses_has_failed(void **state)
{
	RULES = { { "3e00", "7e00" }, { "3101ff01", "7f3112" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_keys(k)->rid_check_deps = 0xFF01;
	assert_int_not_equal(check(k), BF_OK);
	assert_int_not_equal(k->err.rc, BF_OK);
	assert_int_equal(k->p->checked, 0);
}

static void an_answer_without_a_status_byte_is_success(void **state)
{
	RULES = { { "3e00", "7e00" }, { "3101ff01", "7101ff01" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, check(k), BF_OK);
	assert_int_equal(k->p->checked, BF_CHECKED_IMAGE);
}

static void other_status_bytes_may_mean_success(void **state)
{
	RULES = { { "3e00", "7e00" }, { "3101ff01", "7101ff0110" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, check(k), BF_E_MISMATCH);
	pack_keys(k)->good_status = (struct bf_codes){ .n = 2, .code = { 0x02, 0x10 } };
	pack_expect(k, check(k), BF_OK);
}

static void no_routine_of_a_stranger_is_started_that_nobody_declared(void **state)
{
	RULES = { { "3e00", "7e00" }, { "22*", "7f2231" }, { "31*", "7101f0b000" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_self_test test;
	struct bf_ident id;
	uint8_t got[32];
	bool good;

	(void)state;
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->hash(k->p, 0, 16, got, &k->err), BF_E_UNSUPPORTED);
	pack_expect(k, k->p->ops->app->self_test(k->p, &test, &k->err), BF_E_UNSUPPORTED);
	pack_expect(k, k->p->ops->app->balance(k->p, &good, &k->err), BF_E_UNSUPPORTED);
	pack_expect(k, k->p->ops->boot->activate(k->p, BF_ACTIVATE_TRIAL, &k->err),
		    BF_E_UNSUPPORTED);
	pack_expect(k, k->p->ops->boot->confirm(k->p, &k->err), BF_E_UNSUPPORTED);
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_E_UNSUPPORTED);
	pack_expect(k, k->p->ops->boot->state(k->p, &id, &k->err), BF_E_UNSUPPORTED);
	assert_null(strstr(k->log, " 31"));
	assert_false(id.caps & (BF_CAP_HASH | BF_CAP_SELF_TEST | BF_CAP_BALANCE | BF_CAP_RESUME |
				BF_CAP_TRIAL | BF_CAP_RATES | BF_CAP_MEASURE | BF_CAP_ANY_ORDER));
}

static void identifying_sends_reads_only(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "1003", "5003" },
		  { "22f189", "62f189"
			      "312e332e30" },
		  { "22*", "7f2231" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	k->p->ops->leave(k->p);
	for (const char *at = k->log; *at; at = strchr(at, ' ') + 1)
		assert_true(strncmp(at, "22", 2) == 0 || strncmp(at, "3e", 2) == 0 ||
			    strncmp(at, "1003", 4) == 0 || strncmp(at, "1001", 4) == 0);
}

static void each_status_of_the_check_has_its_own_exit(void **state)
{
	static const struct {
		const char *crc, *deps;
		enum bf_rc want;
	} rows[] = {
		{ "7101020201", "7101ff0100", BF_E_MISMATCH },
		{ "7101020200", "7101ff0101", BF_E_SIGNATURE },
		{ "7101020200", "7101ff0102", BF_E_INCOMPATIBLE },
		{ "7101020200", "7101ff0103", BF_E_ROLLBACK },
		{ "7101020200", "7101ff0104", BF_E_INCOMPATIBLE },
		{ "7101020200", "7101ff0177", BF_E_NAK },
		{ "7f3131", "7101ff0101", BF_E_SIGNATURE },
		{ "7f3131", "7f3112", BF_E_UNSUPPORTED },
		{ "7f3133", "7101ff0100", BF_E_AUTH },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "31010202*", rows[i].crc, 0 },
						   { "3101ff01", rows[i].deps, 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

		pack_is_ours(k);
		pack_expect(k, check(k), rows[i].want);
	}
}

static void a_routine_that_is_not_there_is_unsupported(void **state)
{
	static const char *const nrcs[] = { "7f3111", "7f3112", "7f3131", "7f317e", "7f317f" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(nrcs); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "31*", nrcs[i], 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);
		struct bf_self_test test;
		uint8_t got[32];
		bool good;

		pack_expect(k, k->p->ops->loader->hash(k->p, 0, 16, got, &k->err),
			    BF_E_UNSUPPORTED);
		assert_int_equal(k->err.rc, BF_E_UNSUPPORTED);
		pack_expect(k, k->p->ops->app->self_test(k->p, &test, &k->err), BF_E_UNSUPPORTED);
		pack_expect(k, k->p->ops->app->balance(k->p, &good, &k->err), BF_E_UNSUPPORTED);
	}
}

static void activation_says_trial_or_permanent(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b101", "7101f0b100" },
		{ "3101f0b102", "7101f0b101" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->boot->activate(k->p, BF_ACTIVATE_TRIAL, &k->err), BF_OK);
	pack_expect(k, k->p->ops->boot->activate(k->p, BF_ACTIVATE_PERMANENT, &k->err), BF_E_NAK);
	assert_non_null(strstr(k->err.cause, "no image in the other bank"));
}

static void confirming_twice_because_of_a_lost_answer_is_confirming(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b2", "-", 1 },
		{ "3101f0b2", "7101f0b201" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->boot->confirm(k->p, &k->err), BF_OK);
	pack_expect(k, k->p->ops->boot->confirm(k->p, &k->err), BF_E_NAK);
}

static void a_failed_self_test_quotes_the_pack(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b5", "7101f0b501"
			      "63656c6c2037" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);
	struct bf_self_test test;

	(void)state;
	pack_expect(k, k->p->ops->app->self_test(k->p, &test, &k->err), BF_OK);
	assert_false(test.passed);
	assert_string_equal(test.detail, "cell 7");
}

static void balancing_answers_yes_or_no(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b6", "7101f0b600", 1 },
		{ "3101f0b6", "7101f0b601" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);
	bool good = false;

	(void)state;
	pack_expect(k, k->p->ops->app->balance(k->p, &good, &k->err), BF_OK);
	assert_true(good);
	pack_expect(k, k->p->ops->app->balance(k->p, &good, &k->err), BF_OK);
	assert_false(good);
}

static void the_state_of_the_banks_is_read_afresh(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3101f0b0",
		  "7101f0b000"
		  "01"
		  "1b"
		  "02010000"
		  "00000000"
		  "00000004"
		  "00",
		  1 },
		{ "3101f0b0", "7101f0b000"
			      "05" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);
	struct bf_ident id = { .n_slots = 2 };

	(void)state;
	pack_expect(k, k->p->ops->boot->state(k->p, &id, &k->err), BF_OK);
	assert_int_equal(id.n_slots, 1);
	assert_int_equal(id.slots[0].flags,
			 BF_SLOT_TRIAL | BF_SLOT_BOOTABLE | BF_SLOT_CONFIRMED | BF_SLOT_ACTIVE);
	assert_int_equal(id.slots[0].version.major, 2);
	assert_int_equal(id.slots[0].counter, 4);
	pack_expect(k, k->p->ops->boot->state(k->p, &id, &k->err), BF_E_UNSUPPORTED);
	assert_int_equal(id.n_slots, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_of_a_range_has_32_bytes),
		cmocka_unit_test(hashes_of_units_come_in_as_many_answers_as_needed),
		cmocka_unit_test(hashes_that_do_not_fit_the_question_are_damage),
		cmocka_unit_test(the_check_compares_memory_and_then_the_image),
		cmocka_unit_test(a_pack_that_checks_nothing_did_not_pass_a_check),
		cmocka_unit_test(a_check_that_the_profile_names_and_the_pack_refuses_has_failed),
		cmocka_unit_test(an_answer_without_a_status_byte_is_success),
		cmocka_unit_test(other_status_bytes_may_mean_success),
		cmocka_unit_test(no_routine_of_a_stranger_is_started_that_nobody_declared),
		cmocka_unit_test(identifying_sends_reads_only),
		cmocka_unit_test(each_status_of_the_check_has_its_own_exit),
		cmocka_unit_test(a_routine_that_is_not_there_is_unsupported),
		cmocka_unit_test(activation_says_trial_or_permanent),
		cmocka_unit_test(confirming_twice_because_of_a_lost_answer_is_confirming),
		cmocka_unit_test(a_failed_self_test_quotes_the_pack),
		cmocka_unit_test(balancing_answers_yes_or_no),
		cmocka_unit_test(the_state_of_the_banks_is_read_afresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
