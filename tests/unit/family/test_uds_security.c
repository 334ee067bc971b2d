/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "pack.h"

#define RULES static const struct pack_rule rules[]
#define SEED  "6701a1a2a3a4"

struct fake_auth {
	struct bf_auth auth;
	unsigned asked, level;
	uint8_t seed[16];
	size_t seed_len;
};

static enum bf_rc respond(struct bf_auth *auth, unsigned level, const uint8_t *seed,
			  size_t seed_len, uint8_t *key, size_t cap, size_t *ret_len,
			  struct bf_err *err)
{
	struct fake_auth *f = BF_CONTAINER_OF(auth, struct fake_auth, auth);

	(void)cap;
	(void)err;
	f->asked++;
	f->level = level;
	f->seed_len = seed_len;
	memcpy(f->seed, seed, seed_len);
	memcpy(key, "\xBE\xEF", 2);
	*ret_len = 2;
	return BF_OK;
}

static void give_key(struct pack *k, struct fake_auth *f)
{
	memset(f, 0, sizeof(*f));
	f->auth.respond = respond;
	k->p->env.auth = &f->auth;
}

static void a_seed_is_answered_with_the_key_and_the_serial_is_known(void **state)
{
	RULES = {
		{ "3e00", "7e00" },     { "2701", SEED }, { "22f18c", "62f18c534e2d3432" },
		{ "2702beef", "6702" }, { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct fake_auth f;

	(void)state;
	give_key(k, &f);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	assert_int_equal(f.asked, 1);
	assert_int_equal(f.level, 1);
	assert_int_equal(f.seed_len, 4);
	assert_memory_equal(f.seed, "\xA1\xA2\xA3\xA4", 4);
	assert_string_equal(f.auth.serial, "SN-42");
}

static void without_an_answer_for_the_serial_no_key_is_made(void **state)
{
	RULES = { { "3e00", "7e00" }, { "2701", SEED }, { "22f18c", "-" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct fake_auth f;

	(void)state;
	give_key(k, &f);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_E_TIMEOUT);
	assert_int_equal(f.asked, 0);
}

static void a_seed_of_zeros_is_open_already(void **state)
{
	static const char *const seeds[] = { "670100000000", "6701" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(seeds); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "2701", seeds[i], 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

		pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
		assert_int_equal(k->heard, 2);
	}
}

static void a_pack_without_the_service_has_no_lock(void **state)
{
	RULES = { { "3e00", "7e00" }, { "2701", "7f2711" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	pack_keys(k)->security_level = 0;
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	assert_int_equal(k->heard, 2);
}

static void without_a_key_the_option_is_named(void **state)
{
	RULES = { { "3e00", "7e00" }, { "2701", SEED }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_E_AUTH);
	assert_non_null(strstr(k->err.cause, "locked"));
}

static void a_wrong_key_is_sent_once(void **state)
{
	RULES = {
		{ "3e00", "7e00" },       { "2701", SEED }, { "22f18c", "7f2231" },
		{ "2702beef", "7f2735" }, { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct fake_auth f;

	(void)state;
	give_key(k, &f);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_E_AUTH);
	assert_int_equal(f.asked, 1);
	assert_string_equal(k->err.dev_name, "invalidKey");
	assert_true(k->err.n_likely >= 2);
	assert_string_equal(f.auth.serial, "");
}

static void a_short_lock_out_costs_a_short_wait(void **state)
{
	RULES = {
		{ "3e00", "7e00" },       { "2701", "7f2737", 1 }, { "2701", SEED },
		{ "22f18c", "62f18c31" }, { "2702beef", "6702" },  { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct fake_auth f;

	(void)state;
	give_key(k, &f);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	assert_true(pack_now(k) > BF_SEC(1) && pack_now(k) < BF_SEC(2));
	assert_non_null(strstr(k->alive_what, "lock-out"));
}

static void a_long_lock_out_is_waited_for(void **state)
{
	RULES = {
		{ "3e00", "7e00" },       { "2701", "7f2737", 3 }, { "2701", SEED },
		{ "22f18c", "62f18c31" }, { "2702beef", "6702" },  { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct fake_auth f;

	(void)state;
	give_key(k, &f);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	assert_true(pack_now(k) > BF_SEC(10) && pack_now(k) < BF_SEC(12));
	assert_true(k->alive >= 10);
}

static void a_lock_out_that_does_not_end_is_explained(void **state)
{
	RULES = { { "3e00", "7e00" }, { "2701", "7f2737" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_E_AUTH);
	assert_int_equal(k->err.dev_code, 0x37);
	assert_true(k->err.todo[0]);
	assert_true(pack_now(k) < BF_SEC(12));
}

static void a_level_that_the_profile_names_and_the_pack_lacks_is_no_open_door(void **state)
{
	RULES = { { "3e00", "7e00" }, { "27*", "7f2712" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_keys(k)->security_level = 0x05;
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_E_AUTH);
	assert_non_null(strstr(k->err.todo, "security-level"));
	assert_non_null(strstr(k->log, "2705 "));
}

static void a_pack_that_is_silent_to_the_service_has_no_lock(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	pack_keys(k)->security_level = 0x01; /* it has one: the answer was lost */
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_E_TIMEOUT);
}

static void a_level_that_nobody_named_is_named_once_the_pack_stays_locked(void **state)
{
	RULES = { { "3e00", "7e00" }, { "27*", "7f2712" }, { "2ef15a*", "7f2e33" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0, 4096, &k->err), BF_E_AUTH);
	assert_non_null(strstr(k->err.likely[0], "security-level"));
}

static void a_lost_answer_to_the_key_asks_for_a_new_seed(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "2701", SEED, 1 },
		{ "2701", "670100000000" },
		{ "22f18c", "62f18c31" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct fake_auth f;

	(void)state;
	give_key(k, &f);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	assert_int_equal(f.asked, 1);
	assert_string_equal(k->log, "3e00 2701 22f18c 2702beef 3e00 2701 ");
}

#define ED25519 "06032b65700000000000000000000000"

static void service_29_proves_the_ownership_of_a_key(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "290500" ED25519, "690500" ED25519 "0003c1c2c30000" },
		{ "22f18c", "62f18c534e2d3432" },
		{ "2906" ED25519 "0002beef00000000", "690612" ED25519 "0000" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct fake_auth f;

	(void)state;
	pack_keys(k)->auth_service = BF_AUTH_BY_AUTHENTICATION;
	give_key(k, &f);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	assert_int_equal(f.auth.service, 0x29);
	assert_int_equal(f.level, 6);
	assert_int_equal(f.seed_len, 3);
	assert_memory_equal(f.seed, "\xC1\xC2\xC3", 3);
}

static void an_answer_that_is_not_that_of_service_29_opens_nothing(void **state)
{
	static const char *const answers[] = {
		"690511" ED25519 "0003c1c2c30000", /* another return value */
		"690500"
		"06032b65710000000000000000000000"
		"0003c1c2c3",                  /* another algorithm */
		"690500" ED25519 "0009c1c2c3", /* cut off */
		"690500" ED25519 "00000000",   /* no challenge */
		"690500",
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(answers); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00" },
						   { "290500*", answers[i] },
						   { NULL } };
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
		struct fake_auth f;

		pack_keys(k)->auth_service = BF_AUTH_BY_AUTHENTICATION;
		give_key(k, &f);
		assert_int_equal(k->p->ops->authenticate(k->p, &k->err), BF_E_AUTH);
		assert_int_equal(f.asked, 0);
	}
}

static void a_proof_that_is_not_accepted_whole_is_no_success(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "290500" ED25519, "690500" ED25519 "0003c1c2c30000" },
		{ "22f18c", "62f18c534e2d3432" },
		{ "2906*", "690611" ED25519 "0000" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct fake_auth f;

	(void)state;
	pack_keys(k)->auth_service = BF_AUTH_BY_AUTHENTICATION;
	give_key(k, &f);
	assert_int_equal(k->p->ops->authenticate(k->p, &k->err), BF_E_AUTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_29_proves_the_ownership_of_a_key),
		cmocka_unit_test(an_answer_that_is_not_that_of_service_29_opens_nothing),
		cmocka_unit_test(a_proof_that_is_not_accepted_whole_is_no_success),
		cmocka_unit_test(a_seed_is_answered_with_the_key_and_the_serial_is_known),
		cmocka_unit_test(without_an_answer_for_the_serial_no_key_is_made),
		cmocka_unit_test(a_seed_of_zeros_is_open_already),
		cmocka_unit_test(a_pack_without_the_service_has_no_lock),
		cmocka_unit_test(without_a_key_the_option_is_named),
		cmocka_unit_test(a_wrong_key_is_sent_once),
		cmocka_unit_test(a_short_lock_out_costs_a_short_wait),
		cmocka_unit_test(a_long_lock_out_is_waited_for),
		cmocka_unit_test(a_level_that_the_profile_names_and_the_pack_lacks_is_no_open_door),
		cmocka_unit_test(a_pack_that_is_silent_to_the_service_has_no_lock),
		cmocka_unit_test(a_level_that_nobody_named_is_named_once_the_pack_stays_locked),
		cmocka_unit_test(a_lock_out_that_does_not_end_is_explained),
		cmocka_unit_test(a_lost_answer_to_the_key_asks_for_a_new_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
