/* SPDX-License-Identifier: MIT */
/* Memory around a download: erasing and reading back. */
#include "../unit.h"

#include "pack.h"

#define RULES static const struct pack_rule rules[]
#define ERASE "3101ff00440002000000000100"
#define SIXTY_FOUR                                                                                 \
	"c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaeb" \
	"ecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

static void the_fingerprint_comes_before_the_first_erase_only(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "2ef15a*", "6ef15a" },
		{ ERASE, "7f3178 @2000:7101ff0000" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x20000, 0x100, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x20000, 0x100, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 2ef15a260101424d53464c5348 " ERASE " " ERASE " ");
}

static void a_pack_without_fingerprint_is_erased_all_the_same(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "2ef15a*", "7f2e31" },
		{ ERASE, "7101ff0000" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x20000, 0x100, &k->err), BF_OK);
}

static void a_lost_erase_is_told_again_only_after_a_look(void **state)
{
	RULES = {
		{ "3e00", "7e00" },      { "2ef15a*", "6ef15a" },  { ERASE, "-", 1 },
		{ ERASE, "7101ff0000" }, { "22f186", "62f18601" }, { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x20000, 0x100, &k->err), BF_OK);
	assert_non_null(strstr(k->log, ERASE " 3e00 22f186 2ef15a"));
	assert_non_null(strstr(strstr(k->log, ERASE) + 1, ERASE));
}

/* The first request may have been done: "refused" would mean that nothing was changed. */
static void a_refusal_of_the_second_erase_is_no_answer_to_the_first(void **state)
{
	RULES = {
		{ "3e00", "7e00" },  { "2ef15a*", "6ef15a" },  { ERASE, "7f3178", 1 },
		{ ERASE, "7f3124" }, { "22f186", "62f18601" }, { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x20000, 0x100, &k->err), BF_E_TIMEOUT);
	assert_false(k->err.dev_refused);
	pack_rules(k, rules + 3);
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x20000, 0x100, &k->err), BF_E_NAK);
	assert_true(k->err.dev_refused);
}

static void a_failed_erase_tells_its_status(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "2ef15a*", "6ef15a" },
		{ ERASE, "7101ff0001" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x20000, 0x100, &k->err), BF_E_NAK);
	assert_non_null(strstr(k->err.cause, "0x00020000"));
	assert_int_equal(k->err.dev_code, 1);
}

static void reading_takes_blocks_until_the_range_is_full(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3500440000100000000005", "75200004" },
		{ "3601", "7601a0a1" },
		{ "3602", "7602a2a3" },
		{ "3603", "7603a4" },
		{ "37", "77" },
		{ NULL },
	};
	const struct bf_region region = { .name = "slot0" };
	uint8_t buf[5];

	(void)state;
	for (int over = PACK_HDLC; over <= PACK_CAN; over++) {
		BF_AUTO(pack) *k = pack_new((enum pack_over)over, rules);

		memset(buf, 0, sizeof(buf));
		pack_expect(k, k->p->ops->loader->read(k->p, &region, 0x1000, buf, 5, &k->err),
			    BF_OK);
		assert_memory_equal(buf, "\xA0\xA1\xA2\xA3\xA4", 5);
		assert_non_null(strstr(k->log, " 37 "));
	}
}

static void a_dropped_upload_begins_again_where_it_stood(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "3500440000100000000004", "75200004" },
		{ "3500440000100200000002", "75200004" },
		{ "3601", "7601a0a1", 1 },
		{ "3602", "-", 1 },
		{ "3602", "7f3624" },
		{ "3601", "7601a2a3" },
		{ "37", "7f3724" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	uint8_t buf[4];

	(void)state;
	pack_expect(k, k->p->ops->loader->read(k->p, NULL, 0x1000, buf, 4, &k->err), BF_OK);
	assert_memory_equal(buf, "\xA0\xA1\xA2\xA3", 4);
}

static void a_region_that_may_not_be_read_is_refused_once(void **state)
{
	RULES = { { "3e00", "7e00" }, { "35*", "7f3531" }, { "37", "7f3724" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	uint8_t buf[4];

	(void)state;
	pack_expect(k, k->p->ops->loader->read(k->p, NULL, 0x1000, buf, 4, &k->err), BF_E_NAK);
	assert_int_equal(k->err.dev_code, 0x31);
	assert_string_equal(k->log, "3e00 3500440000100000000004 37 ");
}

static void more_data_than_asked_for_is_damage(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "35*", "75200040" },
		{ "36*", "76??a0a1a2a3a4a5" },
		{ "37", "77" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	uint8_t buf[5] = { 0 };

	(void)state;
	pack_expect(k, k->p->ops->loader->read(k->p, NULL, 0x1000, buf, 4, &k->err), BF_E_LINK);
	assert_int_equal(buf[4], 0);
}

/* A long answer does not arrive, twice: the same range is asked for in short ones. */
static void a_line_that_loses_long_messages_is_read_in_short_ones(void **state)
{
	RULES = {
		{ "3e00", "7e00" }, { "35*", "752000ff" },
		{ "3601", "-", 2 }, { "3601", "7601" SIXTY_FOUR },
		{ "37", "77" },     { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	uint8_t buf[192] = { 0 };

	(void)state;
	pack_expect(k, k->p->ops->loader->read(k->p, NULL, 0x1000, buf, sizeof(buf), &k->err),
		    BF_OK);
	assert_int_equal(buf[191], 0xFF);
	assert_non_null(strstr(k->log, "35004400001000000000c0 3601 3601 37 3e00 35"));
	assert_non_null(strstr(k->log, "3500440000100000000040 3601 37 "
				       "3500440000104000000040 3601 37 "
				       "3500440000108000000040 3601 37 "));
}

static enum bf_rc respond(struct bf_auth *auth, unsigned level, const uint8_t *seed,
			  size_t seed_len, uint8_t *key, size_t cap, size_t *ret_len,
			  struct bf_err *err)
{
	(void)auth;
	(void)level;
	(void)seed;
	(void)seed_len;
	(void)cap;
	(void)err;
	key[0] = 0xBE;
	*ret_len = 1;
	return BF_OK;
}

static void a_pack_that_lets_nobody_read_unknown_is_shown_the_key(void **state)
{
	RULES = {
		{ "3e00", "7e00" },         { "35*", "7f3533", 1 }, { "35*", "75200022" },
		{ "2701", "670111" },       { "2702be", "6702" },   { "22f18c", "7f2231" },
		{ "3601", "7601a0a1a2a3" }, { "37", "77" },         { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_auth auth = { .respond = respond };
	uint8_t got[4];

	(void)state;
	k->p->env.auth = &auth;
	pack_expect(k, k->p->ops->loader->read(k->p, NULL, 0x1000, got, 4, &k->err), BF_OK);
	assert_int_equal(got[3], 0xA3);
	assert_non_null(strstr(k->log, " 2702be "));
}

static void without_a_key_the_refusal_to_read_names_the_option(void **state)
{
	RULES = { { "3e00", "7e00" }, { "35*", "7f3533" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	uint8_t got[4];

	(void)state;
	pack_expect(k, k->p->ops->loader->read(k->p, NULL, 0x1000, got, 4, &k->err), BF_E_AUTH);
	assert_non_null(strstr(k->err.todo, "--auth-key"));
}

static void a_pack_without_upload_cannot_be_read(void **state)
{
	RULES = { { "3e00", "7e00" }, { "35*", "7f3511" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	uint8_t got[4];

	(void)state;
	pack_expect(k, k->p->ops->loader->read(k->p, NULL, 0x1000, got, 4, &k->err),
		    BF_E_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fingerprint_comes_before_the_first_erase_only),
		cmocka_unit_test(a_pack_without_fingerprint_is_erased_all_the_same),
		cmocka_unit_test(a_lost_erase_is_told_again_only_after_a_look),
		cmocka_unit_test(a_refusal_of_the_second_erase_is_no_answer_to_the_first),
		cmocka_unit_test(a_failed_erase_tells_its_status),
		cmocka_unit_test(reading_takes_blocks_until_the_range_is_full),
		cmocka_unit_test(a_dropped_upload_begins_again_where_it_stood),
		cmocka_unit_test(a_region_that_may_not_be_read_is_refused_once),
		cmocka_unit_test(a_line_that_loses_long_messages_is_read_in_short_ones),
		cmocka_unit_test(more_data_than_asked_for_is_damage),
		cmocka_unit_test(a_pack_that_lets_nobody_read_unknown_is_shown_the_key),
		cmocka_unit_test(without_a_key_the_refusal_to_read_names_the_option),
		cmocka_unit_test(a_pack_without_upload_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
