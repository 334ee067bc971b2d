/* SPDX-License-Identifier: MIT */
/* What makers want of a tester, said by a profile: options, steps, drivers, other identifiers, K-lines. */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "bmsflash/image.h"
#include "pack.h"

#define RULES static const struct pack_rule rules[]

static const uint8_t image[] = "xx123456789";

static void profile(struct pack *k, const char *text)
{
	pack_expect(k, bf_profile_parse(text, strlen(text), "maker.ini", &k->profile, &k->err),
		    BF_OK);
}

static void heard(struct pack *k, const char *what)
{
	if (!strstr(k->log, what))
		fail_msg("'%s' was not heard: %s", what, k->log);
}

static enum bf_rc begin(struct pack *k, struct bf_flow *flow)
{
	const struct bf_segment seg = { .addr = 0x1000, .data = image + 2, .len = 9 };
	const struct bf_target target = { .segment = &seg, .addr = 0x1000, .len = 9 };

	return k->p->ops->loader->begin(k->p, &target, flow, &k->err);
}

static enum bf_rc write_it(struct pack *k)
{
	struct bf_flow flow;
	size_t at = 0;
	enum bf_rc rc = begin(k, &flow);

	while (!rc && at < 9) {
		const struct bf_block pc = { .offset = at,
					     .data = image + 2 + at,
					     .len = 9 - at < flow.block_max ? 9 - at
									    : flow.block_max };

		rc = k->p->ops->loader->block_start(k->p, &pc, &k->err);
		if (!rc)
			rc = k->p->ops->loader->block_finish(k->p, &at, &k->err);
	}
	return rc ? rc : k->p->ops->loader->finish(k->p, &k->err);
}

static void erase_has_the_option_of_the_profile(void **state)
{
	static const struct {
		const char *key, *want;
	} rows[] = {
		{ "44 {addr:4} {size:4}", "3101ff00440000100000000800 " },
		{ "{addr:4}{size:4}", "3101ff000000100000000800 " },
		{ "01 {block}", "3101ff000105 " },
		{ "", "3101ff00 " },
		{ "A5 F0 5A", "3101ff00a5f05a " },
	};
	RULES = { { "3e00", "7e00" }, { "3101ff00*", "7101ff00" }, { NULL } };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		char text[200];

		snprintf(text, sizeof(text),
			 "[routines]\nerase-option = %s\n[identifiers]\nfingerprint = 0\n"
			 "[region app]\naddress = 0x1000\nsize = 0x1000\nblock = 5\n",
			 rows[i].key);
		profile(k, text);
		pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x1000, 0x800, &k->err), BF_OK);
		heard(k, rows[i].want);
	}
}

static void numbers_of_a_little_endian_loader_are_little_endian(void **state)
{
	RULES = {
		{ "3e00", "7e00" }, { "3101ff00*", "7101ff00" }, { "34*", "74200080" }, { NULL }
	};
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_flow flow;

	(void)state;
	profile(k, "[uds]\nbyte-order = little\n[identifiers]\nfingerprint = 0\n");
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x1000, 0x800, &k->err), BF_OK);
	heard(k, "3101ff00440010000000080000 ");
	pack_expect(k, begin(k, &flow), BF_OK);
	heard(k, "3400440010000009000000 ");
}

static void a_routine_that_is_busy_is_asked_again(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "3101ff00", "7101ff0001", 2 },
		  { "3101ff00", "7101ff0002" },
		  { NULL } };
	static const struct pack_rule polled[] = { { "3e00", "7e00" },
						   { "3101ff00", "7101ff0001" },
						   { "3103ff00", "7103ff0001", 2 },
						   { "3103ff00", "7103ff0002" },
						   { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[routines]\nerase-option =\nbusy-status = 1\ngood-status = 2\n"
		   "[identifiers]\nfingerprint = 0\n");
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x1000, 0x800, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 3101ff00 3101ff00 3101ff00 ");
	pack_keys(k)->poll = BF_POLL_RESULTS;
	pack_rules(k, polled);
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x1000, 0x800, &k->err), BF_OK);
	assert_string_equal(k->log, "3101ff00 3103ff00 3103ff00 3103ff00 ");
}

static void steps_come_in_order_and_where_they_belong(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "1003", "5003" },
		{ "31010203", "7101020300" },
		{ "1002", "5002" },
		{ "27*", "7f2711" },
		{ "31010301*", "7101030100" },
		{ "34*", "74200080" },
		{ "36*", "76??" },
		{ "37", "77" },
		{ "3101ff01", "7101ff0100" },
		{ "14ffffff", "54" },
		{ "1101", "5101" },
		{ "22f186", "62f18601" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k,
		"[uds]\ndtc-setting = no\ncommunication-type = 0\n[identifiers]\nfingerprint = 0\n"
		"[step clear]\nwhen = after-restart\nsend = 14 FF FF FF\n"
		"[step precheck]\nsend = 31 01 02 03\nexpect = 71 01 02 03 00\n"
		"[step after]\nwhen = after-block\nsend = 31 01 03 01 02 {crc32}\n"
		"[step written]\nwhen = after-write\nsend = 31 01 03 01 03\n"
		"[step before]\nwhen = before-block\nsend = 31 01 03 01 01 {size:2}\n"
		"[step open]\nwhen = unlocked\nsend = 31 01 03 01 00\n");
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	pack_expect(k, write_it(k), BF_OK);
	pack_expect(k, k->p->ops->loader->check(k->p, NULL, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	pack_expect(k, k->p->ops->await(k->p, pack_now(k) + BF_SEC(10), &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 1003 31010203 1002 2701 3101030100 3101030101"
				    "0009 "
				    "34004400001000"
				    "00000009 3601313233343536373839 37 3101030102"
				    "cbf43926 "
				    "3101030103 3101ff01 1101 22f186 1003 14ffffff ");
}

static void a_step_with_another_answer_stops_before_anything_is_changed(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1003", "5003" }, { "31010203", "7101020301" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[uds]\ndtc-setting = no\ncommunication-type = 0\n"
		   "[step precheck]\nsend = 31 01 02 03\nexpect = 71 01 02 03 00\n");
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_E_NAK);
	assert_non_null(strstr(k->err.cause, "step 'precheck'"));
	assert_null(strstr(k->log, "1002"));
}

/* Another family's bootloader: the programming session is the last thing that the application hears. */
static void an_application_is_asked_into_a_bootloader_of_another_family(void **state)
{
	static const struct {
		const char *answer;
		bool good;
	} rows[] = { { "5002003201f4", true }, { "-", true }, { "7f1022", false } };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct pack_rule rules[] = {
			{ "3e00", "7e00" },
			{ "1003", "5003" },
			{ "8502", "c502" },
			{ "280301", "6803" },
			{ "31010203", "7101020300" },
			{ "1002", rows[i].answer },
			{ NULL },
		};
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		enum bf_rc rc;

		profile(k, "[step precheck]\nsend = 31 01 02 03\n");
		rc = k->p->ops->app->to_loader(k->p, &k->err);
		if ((rc == BF_OK) != rows[i].good)
			fail_msg("'%s': %s", rows[i].answer, k->err.cause);
		assert_non_null(strstr(k->log, "1003 8502 280301 31010203 1002 "));
	}
}

static void steps_may_be_optional_functional_silent_or_busy(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "1003", "5003" },
		  { "31010203", "7f3131" },
		  { "31010204", "7101020405", 2 },
		  { "31010204", "7101020400" },
		  { "1002", "5002" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[uds]\ndtc-setting = no\ncommunication-type = 0\n"
		   "[step a]\nsend = 31 01 02 03\noptional = yes\n"
		   "[step b]\nsend = 85 02\nto = functional\n"
		   "[step c]\nsend = 28 83 03\n"
		   "[step d]\nsend = 31 01 02 04\nbusy = 71 01 02 04 05\nexpect = 71 01 02 04 00\n"
		   "[step e]\nsend = 04\nto = silent\n");
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_string_equal(k->log,
			    "3e00 1003 31010203 8502 288303 31010204 31010204 31010204 04 1002 ");
	assert_int_equal(k->heard_id[3], 0x7DF);
	assert_int_equal(k->heard_id[4], 0x7E0);
}

static void each_segment_is_checked_after_its_download(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "34*", "74200080" },
		  { "36*", "76??" },
		  { "37", "77" },
		  { "31010201cbf43926", "7101020100" },
		  { "3101ff01", "7101ff0100" },
		  { NULL } };
	static const struct pack_rule bad[] = { { "34*", "74200080" },
						{ "36*", "76??" },
						{ "37", "77" },
						{ "31010201*", "7101020101" },
						{ NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[routines]\ncheck-memory = 0x0201\ncheck-option = {crc32}\ncheck-when = block\n"
		   "[identifiers]\nfingerprint = 0\n");
	pack_expect(k, write_it(k), BF_OK);
	pack_expect(k, k->p->ops->loader->check(k->p, NULL, &k->err), BF_OK);
	assert_int_equal(k->p->checked, BF_CHECKED_MEMORY | BF_CHECKED_IMAGE);
	pack_rules(k, bad);
	pack_expect(k, write_it(k), BF_E_MISMATCH);
}

static void contents_may_be_checked_after_the_restart(void **state)
{
	RULES = { { "3e00", "7e00" },       { "1003", "5003" },
		  { "34*", "74200080" },    { "36*", "76??" },
		  { "37", "77" },           { "3101dc03", "7101dc0300" },
		  { "1101", "5101" },       { "22f186", "62f18601" },
		  { "3101ff01", "7f3131" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[routines]\ncheck-memory = 0xDC03\ncheck-option =\ncheck-when = after-restart\n"
		   "[identifiers]\nfingerprint = 0\n");
	pack_expect(k, write_it(k), BF_OK);
	pack_expect(k, k->p->ops->loader->check(k->p, NULL, &k->err), BF_E_UNSUPPORTED);
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	k->p->checked = BF_CHECKED_IMAGE; /* stays */
	pack_expect(k, k->p->ops->await(k->p, pack_now(k) + BF_SEC(10), &k->err), BF_OK);
	heard(k, "1101 22f186 1003 3101dc03 ");
	assert_int_equal(k->p->checked, BF_CHECKED_IMAGE | BF_CHECKED_MEMORY);
}

static void after_the_restart_a_pack_may_want_to_know_again_who_asks(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "1003", "5003" },
		  { "34*", "74200080" },
		  { "36*", "76??" },
		  { "37", "77" },
		  { "1101", "5101" },
		  { "22f186", "62f18601" },
		  { "3101dc03", "7f3133", 1 },
		  { "3101dc03", "7101dc0300" },
		  { "2701", "670100" }, /* open already */
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[uds]\nsecurity-level = 1\n[routines]\ncheck-memory = 0xDC03\ncheck-option =\n"
		   "check-when = after-restart\n[identifiers]\nfingerprint = 0\n");
	pack_expect(k, write_it(k), BF_OK);
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	pack_expect(k, k->p->ops->await(k->p, pack_now(k) + BF_SEC(10), &k->err), BF_OK);
	heard(k, "1003 3101dc03 2701 3101dc03 ");
	assert_int_equal(k->p->checked, BF_CHECKED_MEMORY);
}

static void steps_before_programming_are_not_for_a_bootloader(void **state)
{
	RULES = { { "3e00", "7e00" },       { "1003", "5003" },
		  { "1002", "5002" },       { "22f186", "62f18602" },
		  { "22*", "7f2231" },      { "31010203", "71010203", 1 },
		  { "31010203", "7f317f" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_ident id;

	(void)state;
	profile(k, "[uds]\ndtc-setting = no\ncommunication-type = 0\nloader-known-by = session\n"
		   "[step a]\nsend = 31 01 02 03\n");
	/* A second time, before anybody asked who answers: it was done, and need not be known any more. */
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_int_equal(id.talks, BF_TALKS_LOADER);
	pack_rules(k, rules);
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_null(strstr(k->log, "31010203"));
}

static void the_end_of_a_transfer_carries_and_brings_a_checksum(void **state)
{
	RULES = { { "3e00", "7e00" },         { "34*", "74200080" },
		  { "36*", "76??" },          { "37cbf43926", "7729b1", 1 },
		  { "37cbf43926", "77ffff" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[uds]\nexit-option = {crc32}\nexit-answer = crc16\n[identifiers]\nfingerprint "
		   "= 0\n");
	pack_expect(k, write_it(k), BF_OK);
	pack_expect(k, write_it(k), BF_E_MISMATCH);
	assert_non_null(strstr(k->err.cause, "FFFF, that of the image 29B1"));
}

static void a_download_may_name_a_block_and_a_format_of_the_maker(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "34aa410500000009", "740000" },
		  { "36*", "76??" },
		  { "37", "77" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[uds]\naddress-format = 0x41\naddress-value = block\ndata-format = 0xAA\nchunk "
		   "= 5\n"
		   "[identifiers]\nfingerprint = 0\n"
		   "[region app]\naddress = 0x1000\nsize = 0x1000\nblock = 5\n");
	pack_expect(k, write_it(k), BF_OK);
	assert_string_equal(k->log, "3e00 34aa410500000009 3601313233 3602343536 3603373839 37 ");
}

/* CRC-16/X-25 over 36, counter, address, data and length, as those who write them compute it. */
static void data_may_travel_between_an_address_and_a_checksum(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "3101ff0081f05a", "7101ff0001", 2 },
		  { "3101ff0081f05a", "7101ff0002" },
		  { "3481110000", "741000" },
		  { "36*", "76??02" },
		  { "37", "77" },
		  { NULL } };
	static const struct pack_rule refuses[] = { { "3e00", "7e00" },
						    { "34*", "741000" },
						    { "36*", "76??03" },
						    { "37", "77" },
						    { NULL } };
	static const struct pack_rule says_nothing[] = {
		{ "3e00", "7e00" }, { "34*", "741000" }, { "36*", "76??" }, { "37", "77" }, { NULL }
	};
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k,
		"[uds]\nchunk = 11\ndata-format = 0x81\ndownload-option = 11 00 00\ncrc16 = x25\n"
		"block-head = {addr:2}\nblock-tail = {size:1} {crc16}\nblock-status = 2\n"
		"[routines]\nerase-option = 81 F0 5A\nbusy-status = 1\ngood-status = 2\n"
		"[identifiers]\nfingerprint = 0\n");
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x1000, 9, &k->err), BF_OK);
	pack_expect(k, write_it(k), BF_OK);
	assert_string_equal(k->log,
			    "3e00 3101ff0081f05a 3101ff0081f05a 3101ff0081f05a 3481110000 "
			    "3601100031323334047d1e 360210043536373804725f 3603100839014039 37 ");
	pack_rules(k, refuses);
	pack_expect(k, write_it(k), BF_E_NAK);
	assert_non_null(strstr(k->err.cause, "ends at byte 4: status 03"));
	pack_rules(k, says_nothing);
	pack_expect(k, write_it(k), BF_E_NAK);
	assert_non_null(strstr(k->err.cause, "without the status"));
}

static void the_block_counter_may_wrap_to_01(void **state)
{
	RULES = { { "3e00", "7e00" }, { "34*", "74200003" }, { "36*", "76??" }, { NULL } };
	static uint8_t data[300];
	const struct bf_segment seg = { .addr = 0x1000, .data = data, .len = sizeof(data) };
	const struct bf_target target = { .segment = &seg, .addr = 0x1000, .len = sizeof(data) };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_flow flow;

	(void)state;
	profile(k, "[uds]\ncounter-wrap = 1\n[identifiers]\nfingerprint = 0\n");
	pack_expect(k, k->p->ops->loader->begin(k->p, &target, &flow, &k->err), BF_OK);
	for (size_t at = 0; at < 258;) {
		const struct bf_block pc = { .offset = at, .data = data + at, .len = 1 };

		pack_expect(k, k->p->ops->loader->block_start(k->p, &pc, &k->err), BF_OK);
		pack_expect(k, k->p->ops->loader->block_finish(k->p, &at, &k->err), BF_OK);
	}
	heard(k, "36fe00 36ff00 360100 360200 ");
	assert_null(strstr(k->log, "360000"));
}

static void a_fingerprint_has_the_makers_form_and_may_come_with_each_segment(void **state)
{
	RULES = {
		{ "3e00", "7e00" }, { "2ef011*", "6ef011" }, { "3101ff00*", "7101ff00" }, { NULL }
	};
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k,
		"[identifiers]\nfingerprint = 0xF011\nfingerprint-format = {date:bcd3}{serial:8}\n"
		"fingerprint-when = block\n[routines]\nerase-option =\n");
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x1000, 0x800, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x1000, 0x800, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 2ef011260101424d53464c534820 3101ff00 "
				    "2ef011260101424d53464c534820 3101ff00 ");
}

static void memory_is_read_by_address_where_there_is_no_upload(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "2344000010000000000a", "7f2331" },
		  { "234400001000"
		    "00000020",
		    "63000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
		  { "2344000010*", "7f2331" },
		  { "2344*", "7f2322" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	uint8_t got[32];

	(void)state;
	profile(k, "[uds]\nread-service = 23\n");
	pack_expect(k, k->p->ops->loader->read(k->p, NULL, 0x1000, got, sizeof(got), &k->err),
		    BF_OK);
	assert_int_equal(got[31], 0x1F);
	assert_null(strstr(k->log, " 35"));
	/* Asked for too much at once: less and less, and then the pack's own word. */
	pack_expect(k, k->p->ops->loader->read(k->p, NULL, 0x1001, got, sizeof(got), &k->err),
		    BF_E_NAK);
}

struct fake_auth {
	struct bf_auth auth;
	unsigned levels[8], asked;
};

static enum bf_rc respond(struct bf_auth *auth, unsigned level, const uint8_t *seed,
			  size_t seed_len, uint8_t *key, size_t cap, size_t *ret_len,
			  struct bf_err *err)
{
	struct fake_auth *f = BF_CONTAINER_OF(auth, struct fake_auth, auth);

	(void)cap;
	(void)err;
	(void)seed;
	(void)seed_len;
	f->levels[f->asked++ % 8] = level;
	key[0] = 0xBE;
	*ret_len = 1;
	return BF_OK;
}

static void two_locks_are_opened_each_in_its_session(void **state)
{
	RULES = { { "3e00", "7e00" },   { "1003", "5003" },     { "2703aabb", "670311" },
		  { "2704be", "6704" }, { "1002", "5002" },     { "2711aabb", "671122" },
		  { "2712be", "6712" }, { "22f18c", "7f2231" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct fake_auth f = { .auth = { .respond = respond } };

	(void)state;
	k->p->env.auth = &f.auth;
	profile(k, "[uds]\ndtc-setting = no\ncommunication-type = 0\nsecurity-level = 3\n"
		   "security-session = extended\nsecond-level = 0x11\nsecurity-data = AA BB\n");
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	assert_string_equal(k->log,
			    "3e00 1003 2703aabb 22f18c 2704be 1002 2711aabb 22f18c 2712be ");
	assert_int_equal(f.levels[0], 3);
	assert_int_equal(f.levels[1], 0x11);
}

static void sessions_come_in_the_order_of_the_profile(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1060", "5060" }, { "1002", "5002" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[uds]\ndtc-setting = no\ncommunication-type = 0\nenter = 0x60, 0x02\n");
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 1060 1002 ");
}

static void sessions_may_have_other_numbers_and_quietening_another_type(void **state)
{
	RULES = { { "3e00", "7e00" },   { "1002", "5002" }, { "8502", "c502" },
		  { "280303", "6803" }, { "1003", "5003" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k,
		"[uds]\nprogramming-session = 3\nextended-session = 2\ncommunication-type = 3\n");
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 1002 8502 280303 1003 ");
}

static void versions_have_prefixes_and_forms(void **state)
{
	static const struct {
		const char *key, *answer;
		bool has, odd;
		unsigned minor;
	} rows[] = {
		{ "version-prefix = SW_V", "62f18953575f56312e352e30", true, false, 5 },
		{ "version-prefix = SW_V", "62f189312e352e30", false, true, 0 },
		{ "version-format = bcd", "62f189011200", true, false, 12 },
		{ "version-format = binary", "62f18901ff", true, false, 255 },
		{ "version-format = u16", "62f1890107", true, false, 7 },
		{ "version-format = bcd", "62f18901ab", false, true, 0 },
		{ "version-format = binary", "62f189000000", true, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "22f189", rows[i].answer, 0 },
						   { "22*", "7f2231", 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		struct bf_ident id;
		char text[80];

		snprintf(text, sizeof(text), "[uds]\n%s\n", rows[i].key);
		profile(k, text);
		pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
		assert_int_equal(id.has_version, rows[i].has);
		assert_int_equal(id.version_unreadable, rows[i].odd);
		if (rows[i].has)
			assert_int_equal(id.version.minor, rows[i].minor);
	}
}

static void the_bootloader_is_known_by_what_the_profile_says(void **state)
{
	static const struct {
		const char *keys, *f189, *f186, *f1a0;
		enum bf_talks want;
	} rows[] = {
		{ "loader-known-by = session", "62f189312e30", "62f18602", "7f2231",
		  BF_TALKS_LOADER },
		{ "loader-known-by = session", "7f2231", "62f18601", "7f2231", BF_TALKS_UNKNOWN },
		{ "loader-known-by = session", "62f189312e302e30", "62f18601", "7f2231",
		  BF_TALKS_APPLICATION },
		{ "loader-known-by = silence", "7f2231", "7f2231", "7f2231", BF_TALKS_LOADER },
		{ "loader-known-by = silence", "62f1890102", "7f2231", "7f2231",
		  BF_TALKS_APPLICATION },
		{ "loader-known-by = identifier\nloader-did = 0xF1A0", "62f1890102", "7f2231",
		  "62f1a000", BF_TALKS_LOADER },
		{ "loader-known-by = identifier\nloader-did = 0xF1A0\nloader-value = 42 4C",
		  "62f1890102", "7f2231", "62f1a0424c31", BF_TALKS_LOADER },
		{ "loader-known-by = identifier\nloader-did = 0xF1A0\nloader-value = 42 4C",
		  "62f1890102", "7f2231", "62f1a0415050", BF_TALKS_APPLICATION },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct pack_rule rules[] = {
			{ "3e00", "7e00", 0 },         { "22f189", rows[i].f189, 0 },
			{ "22f186", rows[i].f186, 0 }, { "22f1a0", rows[i].f1a0, 0 },
			{ "22*", "7f2231", 0 },        { NULL }
		};
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		struct bf_ident id;
		char text[160];

		snprintf(text, sizeof(text), "[uds]\n%s\n", rows[i].keys);
		profile(k, text);
		pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
		assert_int_equal(id.talks, rows[i].want);
	}
}

static void a_bootloader_with_identifiers_of_its_own_is_followed_there_and_back(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1003", "5003" },  { "1002", "5002" },
		  { "1101", "5101" }, { "22*", "7f2231" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_ident id;
	unsigned n;

	(void)state;
	k->answers_above = true;
	profile(k, "[uds]\ndtc-setting = no\ncommunication-type = 0\n"
		   "[can]\nloader-request-id = 0x712\nloader-response-id = 0x71A\n");
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_int_equal(k->heard_id[0], 0x7E0);
	assert_int_equal(k->heard_id[k->heard - 1], 0x712);
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_int_equal(id.talks, BF_TALKS_LOADER);
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	n = k->heard;
	pack_expect(k, k->p->ops->await(k->p, pack_now(k) + BF_SEC(10), &k->err), BF_OK);
	assert_int_equal(k->heard_id[n], 0x7E0);
}

static void a_bootloader_that_stays_after_the_restart_is_seen_at_the_end(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1003", "5003" },  { "1002", "5002" },
		  { "1101", "5101" }, { "22*", "7f2231" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_ident id;

	(void)state;
	k->answers_above = true;
	profile(k, "[uds]\ndtc-setting = no\ncommunication-type = 0\n"
		   "[can]\nloader-request-id = 0x712\nloader-response-id = 0x71A\n");
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	k->deaf_to = 0x7E0;
	pack_expect(k, k->p->ops->await(k->p, pack_now(k) + BF_SEC(3), &k->err), BF_OK);
	assert_true(pack_now(k) > BF_SEC(3));
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_int_equal(id.talks, BF_TALKS_LOADER);
}

static void a_pack_that_sits_in_such_a_bootloader_is_found(void **state)
{
	RULES = { { "3e00", "7e00" }, { "22*", "7f2231" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_ident id;

	(void)state;
	k->answers_above = true;
	k->deaf_to = 0x7E0;
	profile(k, "[can]\nloader-request-id = 0x712\nloader-response-id = 0x71A\n");
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_int_equal(id.talks, BF_TALKS_LOADER);
}

static void frames_of_wake_go_out_while_a_bootloader_is_caught(void **state)
{
	RULES = { { "31010203", "-", 20 },
		  { "31010203", "-" },
		  { "3e00", "-", 10 },
		  { "3e00", "7e00" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	k->p->env.hurry = BF_MS(20);
	profile(k,
		"[wake]\nframe = 04 31 01 02 03 AA\nid = 0x701\nperiod-ms = 10\nfor-ms = 1000\n");
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	assert_true(k->used[0] >= 15);
	assert_int_equal(k->heard_id[0], 0x701);
}

static void frames_of_wake_never_go_to_an_application_that_answers(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1003", "5003" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[wake]\nframe = 04 31 01 02 03 AA\n");
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 1003 ");
}

static void periodic_frames_go_out_while_an_answer_is_awaited(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "0102", "-" },
		  { "3101ff00", "7f3178 @1000:7101ff00" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	profile(k, "[identifiers]\nfingerprint = 0\n[routines]\nerase-option =\n"
		   "[periodic nm]\nid = 0x400\ndata = 02 01 02\nperiod-ms = 100\n");
	pack_expect(k, k->p->ops->loader->erase(k->p, NULL, 0x1000, 0x800, &k->err), BF_OK);
	assert_true(k->used[1] >= 9 && k->used[1] <= 12);
	assert_int_equal(k->heard_id[0], 0x400);
}

static void resets_are_what_the_profile_says(void **state)
{
	static const struct {
		const char *keys, *want;
	} rows[] = {
		{ "reset = 11 03", "3e00 1103 " },
		{ "reset = 10 01", "3e00 1001 " },
		{ "reset = none", "" },
		{ "reset = 11 01\nreset-suppress = yes", "3e00 1181 " },
	};
	RULES = { { "3e00", "7e00" }, { "1103", "5103" }, { "1001", "5001" }, { NULL } };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		char text[80];

		snprintf(text, sizeof(text), "[uds]\n%s\n", rows[i].keys);
		profile(k, text);
		pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
		assert_string_equal(k->log, rows[i].want);
	}
}

/* Signed as an image is: a file of the tests with its signature. */
static struct bf_image *load_driver(struct pack *k, uint32_t addr)
{
	const struct bf_claim_opts at = { .has_addr = true, .addr = addr };
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct bf_claim *claim = NULL;
	struct bf_image *ret = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/minisign/release.pub", getenv("BF_TEST_DATA"));
	pack_expect(k, bf_keyring_add(ring, path, &k->err), BF_OK);
	snprintf(path, sizeof(path), "%s/firmware/app-1.5.0.bin", getenv("BF_TEST_DATA"));
	pack_expect(k, bf_claim_load(path, &at, &claim, &k->err), BF_OK);
	pack_expect(k, bf_image_verify(claim, ring, &ret, &k->err), BF_OK);
	return ret;
}

static void a_flash_driver_comes_before_the_image(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "27*", "7f2711" },
		  { "34*", "74200ffe" },
		  { "36*", "76??" },
		  { "37", "77" },
		  { "31010202*", "7101020200" },
		  { "31010301*", "71010301" },
		  { "1003", "5003" },
		  { "1002", "5002" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_image *img;

	(void)state;
	profile(k, "[uds]\ndtc-setting = no\ncommunication-type = 0\nexit-option = {crc32}\n"
		   "[identifiers]\nfingerprint = 0\n[driver]\nfile = /flash.bin\naddress = "
		   "0x20000000\n"
		   "check = 31 01 02 02 {crc32}\nstart = 31 01 03 01 {addr}\n"
		   "[step a]\nwhen = before-block\nsend = 31 01 03 01 FF\n");
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_E_UNSUPPORTED);
	img = load_driver(k, 0x20000000);
	k->p->env.driver = img;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	heard(k, "34004420000000");
	heard(k, " 37 31010202");
	heard(k, " 3101030120000000 ");
	assert_null(strstr(k->log, "31010301ff"));
	/* Once for a session. */
	pack_expect(k, k->p->ops->authenticate(k->p, &k->err), BF_OK);
	assert_null(strstr(strstr(k->log, "3400") + 1, "3400"));
	bf_image_free(img);
}

static void a_k_line_is_woken_and_started(void **state)
{
	RULES = { { "81", "c1ea8f" }, { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_KLINE, rules);

	(void)state;
	profile(k, "[rs485]\nframing = iso14230\nbaud = 10400\ninit = fast\nstart-communication = "
		   "yes\n");
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	assert_string_equal(k->log, "81 3e00 ");
	assert_true(pack_now(k) >= BF_MS(50));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(erase_has_the_option_of_the_profile),
		cmocka_unit_test(numbers_of_a_little_endian_loader_are_little_endian),
		cmocka_unit_test(a_routine_that_is_busy_is_asked_again),
		cmocka_unit_test(steps_come_in_order_and_where_they_belong),
		cmocka_unit_test(a_step_with_another_answer_stops_before_anything_is_changed),
		cmocka_unit_test(an_application_is_asked_into_a_bootloader_of_another_family),
		cmocka_unit_test(steps_may_be_optional_functional_silent_or_busy),
		cmocka_unit_test(each_segment_is_checked_after_its_download),
		cmocka_unit_test(contents_may_be_checked_after_the_restart),
		cmocka_unit_test(after_the_restart_a_pack_may_want_to_know_again_who_asks),
		cmocka_unit_test(steps_before_programming_are_not_for_a_bootloader),
		cmocka_unit_test(the_end_of_a_transfer_carries_and_brings_a_checksum),
		cmocka_unit_test(a_download_may_name_a_block_and_a_format_of_the_maker),
		cmocka_unit_test(data_may_travel_between_an_address_and_a_checksum),
		cmocka_unit_test(the_block_counter_may_wrap_to_01),
		cmocka_unit_test(a_fingerprint_has_the_makers_form_and_may_come_with_each_segment),
		cmocka_unit_test(memory_is_read_by_address_where_there_is_no_upload),
		cmocka_unit_test(two_locks_are_opened_each_in_its_session),
		cmocka_unit_test(sessions_come_in_the_order_of_the_profile),
		cmocka_unit_test(sessions_may_have_other_numbers_and_quietening_another_type),
		cmocka_unit_test(versions_have_prefixes_and_forms),
		cmocka_unit_test(the_bootloader_is_known_by_what_the_profile_says),
		cmocka_unit_test(
			a_bootloader_with_identifiers_of_its_own_is_followed_there_and_back),
		cmocka_unit_test(a_bootloader_that_stays_after_the_restart_is_seen_at_the_end),
		cmocka_unit_test(a_pack_that_sits_in_such_a_bootloader_is_found),
		cmocka_unit_test(frames_of_wake_go_out_while_a_bootloader_is_caught),
		cmocka_unit_test(frames_of_wake_never_go_to_an_application_that_answers),
		cmocka_unit_test(periodic_frames_go_out_while_an_answer_is_awaited),
		cmocka_unit_test(resets_are_what_the_profile_says),
		cmocka_unit_test(a_flash_driver_comes_before_the_image),
		cmocka_unit_test(a_k_line_is_woken_and_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
