/* SPDX-License-Identifier: MIT */
/* Whole updates, spoken by hand. */
#include "tester.h"

#include "builtin.h"

#define SLOT1 0x08090000u

static const struct bf_builtin *builtin(const char *version)
{
	const struct bf_builtin *b = bf_builtins;

	while (strcmp(b->version, version) != 0)
		b++;
	return b;
}

static uint8_t status_of(struct tester *s, const char *hex)
{
	assert_true(tester_ask(s, hex));
	assert_int_equal(s->msg[0], 0x71);
	return s->msg[4];
}

static void erase(struct tester *s, uint32_t size)
{
	uint8_t msg[13] = { 0x31, 1, 0xFF, 0, 0x44 };

	bf_put_be32(msg + 5, SLOT1);
	bf_put_be32(msg + 9, size);
	assert_true(tester_ask_n(s, msg, sizeof(msg)));
	assert_int_equal(s->msg[0], 0x71);
}

static void begin(struct tester *s, uint8_t sid, uint32_t addr, size_t size)
{
	uint8_t msg[11] = { sid, 0, 0x44 };

	bf_put_be32(msg + 3, addr);
	bf_put_be32(msg + 7, (uint32_t)size);
	assert_true(tester_ask_n(s, msg, sizeof(msg)));
	assert_int_equal(s->msg[0], sid | 0x40);
	assert_int_equal(s->msg[1], 0x20);
	assert_int_equal(bf_get_be16(s->msg + 2), 4095);
}

static void put_block(struct tester *s, uint8_t counter, const uint8_t *p, size_t len)
{
	uint8_t msg[4095] = { 0x36, counter };

	memcpy(msg + 2, p, len);
	assert_true(tester_ask_n(s, msg, 2 + len));
}

/* Blocks that are no multiple of the write unit, as maxNumberOfBlockLength invites. */
static void download(struct tester *s, const char *version)
{
	const struct bf_builtin *b = builtin(version);
	uint8_t counter = 1;

	erase(s, 0x10000);
	begin(s, 0x34, SLOT1, b->len);
	for (size_t at = 0; at < b->len; at += 4093, counter++) {
		put_block(s, counter, b->p + at, b->len - at < 4093 ? b->len - at : 4093);
		assert_int_equal(s->msg[0], 0x76);
		assert_int_equal(s->msg[1], counter);
	}
	tester_expect(s, "37", "77");
	assert_int_equal(status_of(s, "3101ff01"), 0);
}

static void restart(struct tester *s)
{
	tester_expect(s, "1101", "5101");
	tester_wait(s, BF_SEC(4));
}

static void expect_version(struct tester *s, const char *version)
{
	assert_true(tester_ask(s, "22f189"));
	assert_int_equal(s->len, 3 + strlen(version));
	assert_memory_equal(s->msg + 3, version, strlen(version));
}

static void new_firmware_runs_on_trial_and_stays_when_confirmed(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_program(&s);
	download(&s, "1.5.0");
	assert_int_equal(status_of(&s, "3101f0b101"), 0);
	restart(&s);
	expect_version(&s, "1.5.0");
	tester_expect(&s, "22fd02", "62fd0200000003");
	tester_program(&s);
	tester_expect(&s, "3101f0b0", "7101f0b000021901050000000000000000000520.");
	assert_int_equal(status_of(&s, "3101f0b2"), 0);
	assert_int_equal(status_of(&s, "3101f0b2"), 0);
	tester_expect(&s, "22fd02", "62fd0200000005");
	restart(&s);
	expect_version(&s, "1.5.0");
	tester_program(&s);
	assert_int_equal(status_of(&s, "3101f0b2"), 1);
	assert_int_equal(status_of(&s, "3101f0b3"), 1); /* the counter closes the way back */
	tester_close(&s);
}

static void without_confirmation_the_old_firmware_comes_back(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:selftest=fail");
	tester_program(&s);
	assert_int_equal(status_of(&s, "3101f0b5"), 0);
	download(&s, "1.4.0");
	assert_int_equal(status_of(&s, "3101f0b101"), 0);
	restart(&s);
	expect_version(&s, "1.4.0");
	tester_expect(&s, "1003", "50.");
	assert_int_equal(status_of(&s, "3101f0b5"), 1);
	assert_int_equal(status_of(&s, "3101f0b6"), 0);
	restart(&s);
	expect_version(&s, "1.3.0");
	tester_expect(&s, "1003", "50.");
	assert_int_equal(status_of(&s, "3101f0b5"), 0);
	tester_close(&s);
}

static void firmware_that_crashes_on_trial_is_thrown_out_by_the_watchdog(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:slot1=1.5.0,crash=trial");
	tester_program(&s);
	assert_int_equal(status_of(&s, "3101f0b101"), 0);
	tester_expect(&s, "1101", "5101");
	tester_wait(&s, BF_SEC(10));
	expect_version(&s, "1.3.0");
	tester_expect(&s, "22fd04", "62fd04030003");
	/* what was thrown out is no previous image; on trial once more it may be */
	tester_program(&s);
	assert_int_equal(status_of(&s, "3101f0b3"), 1);
	assert_int_equal(status_of(&s, "3101f0b101"), 0);
	tester_close(&s);
}

static void a_confirmed_pack_reverts_on_request_while_the_counter_allows(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:version=1.5.0,slot1=1.4.0,counter=3");
	tester_program(&s);
	assert_int_equal(status_of(&s, "3101f0b3"), 1); /* 1.5.0 runs confirmed: counter 5 */
	tester_close(&s);
	tester_open(&s, "sim:version=1.3.0,slot1=1.4.0");
	tester_program(&s);
	assert_int_equal(status_of(&s, "3101f0b3"), 0);
	restart(&s);
	expect_version(&s, "1.4.0");
	tester_close(&s);
}

static void a_wish_that_was_not_started_yet_can_be_taken_back(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:slot1=1.4.0");
	tester_program(&s);
	assert_int_equal(status_of(&s, "3101f0b102"), 0);
	assert_int_equal(status_of(&s, "3101f0b3"), 0);
	restart(&s);
	expect_version(&s, "1.3.0");
	tester_close(&s);
}

static void an_empty_slot_is_not_activated(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_program(&s);
	assert_int_equal(status_of(&s, "3101ff01"), 1);
	assert_int_equal(status_of(&s, "3101f0b101"), 1);
	tester_close(&s);
}

static void a_repeated_block_is_answered_again_and_not_written_again(void **state)
{
	static const uint8_t a[16] = "0123456789abcdef";
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_program(&s);
	erase(&s, 0x800);
	begin(&s, 0x34, SLOT1, 32);
	put_block(&s, 2, a, 16);
	assert_memory_equal(s.msg, "\x7f\x36\x73", 3);
	put_block(&s, 1, a, 16);
	put_block(&s, 1, a, 16);
	assert_memory_equal(s.msg, "\x76\x01", 2);
	put_block(&s, 3, a, 16);
	assert_memory_equal(s.msg, "\x7f\x36\x73", 3);
	put_block(&s, 2, a, 16);
	assert_memory_equal(s.msg, "\x76\x02", 2);
	tester_expect(&s, "37", "77");
	tester_expect(&s, "23440809000000000010", "6330313233343536373839616263646566");
	tester_close(&s);
}

static void a_forgetful_pack_drops_the_transfer(void **state)
{
	static const uint8_t a[16] = "0123456789abcdef";
	struct tester s;

	(void)state;
	tester_open(&s, "sim:quirk=nrc24");
	tester_program(&s);
	erase(&s, 0x800);
	begin(&s, 0x34, SLOT1, 32);
	put_block(&s, 1, a, 16);
	put_block(&s, 1, a, 16);
	assert_memory_equal(s.msg, "\x7f\x36\x24", 3);
	put_block(&s, 2, a, 16);
	assert_memory_equal(s.msg, "\x7f\x36\x24", 3);
	begin(&s, 0x34, SLOT1 + 16, 16);
	put_block(&s, 1, a, 16);
	assert_memory_equal(s.msg, "\x76\x01", 2);
	tester_expect(&s, "37", "77");
	tester_close(&s);
}

static void flash_that_is_not_erased_refuses_to_be_programmed(void **state)
{
	static const uint8_t a[16] = "0123456789abcdef";
	struct tester s;

	(void)state;
	tester_open(&s, "sim:slot1=1.4.0");
	tester_program(&s);
	begin(&s, 0x34, SLOT1, 16);
	put_block(&s, 1, a, 16);
	assert_memory_equal(s.msg, "\x7f\x36\x72", 3);
	tester_expect(&s, "37", "7f3724");
	tester_close(&s);
}

static void a_transfer_is_neither_too_long_nor_too_short(void **state)
{
	static const uint8_t a[16] = "0123456789abcdef";
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_program(&s);
	erase(&s, 0x800);
	begin(&s, 0x34, SLOT1, 20);
	put_block(&s, 1, a, 16);
	tester_expect(&s, "37", "7f3724");
	begin(&s, 0x34, SLOT1 + 16, 8);
	put_block(&s, 1, a, 16);
	assert_memory_equal(s.msg, "\x7f\x36\x71", 3);
	tester_close(&s);
}

static void what_was_written_is_read_back(void **state)
{
	const struct bf_builtin *b = builtin("1.3.0");
	uint8_t hash_all[16] = { 0x31, 1, 0xF0, 0xB4, 0x08, 0x01 };
	uint8_t digest[32];
	struct tester s;
	size_t at = 0;

	(void)state;
	tester_open(&s, "sim");
	tester_expect(&s, "1003", "50.");
	begin(&s, 0x35, 0x08010000, b->len);
	for (uint8_t n = 1; at < b->len; n++) {
		uint8_t msg[2] = { 0x36, n };

		assert_true(tester_ask_n(&s, msg, 2));
		assert_int_equal(s.msg[1], n);
		assert_memory_equal(s.msg + 2, b->p + at, s.len - 2);
		assert_true(tester_ask_n(&s, msg, 2)); /* asked again: the same again */
		assert_memory_equal(s.msg + 2, b->p + at, s.len - 2);
		at += s.len - 2;
	}
	assert_int_equal(at, b->len);
	tester_expect(&s, "37", "77");
	bf_put_be32(hash_all + 8, (uint32_t)b->len);
	assert_true(tester_ask_n(&s, hash_all, sizeof(hash_all)));
	bf_sha256(digest, b->p, b->len);
	assert_int_equal(s.len, 5 + 32);
	assert_memory_equal(s.msg + 5, digest, 32);
	tester_close(&s);
}

static void hashes_by_unit_are_as_many_as_fit(void **state)
{
	const struct bf_builtin *b = builtin("1.3.0");
	uint8_t digest[32];
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_expect(&s, "1003", "50.");
	tester_expect(&s,
		      "3101f0b40801000000001800"
		      "00000800",
		      "7101f0b4000003.");
	bf_sha256(digest, b->p + 2048, 2048);
	assert_memory_equal(s.msg + 7 + 8, digest, 8);
	tester_expect(&s,
		      "3101f0b40801000000080000"
		      "00000040",
		      "7101f0b40001ff.");
	assert_int_equal(s.len, 7 + 511 * 8);
	tester_close(&s);
	tester_open(&s, "sim:quirk=nohash");
	tester_expect(&s, "1003", "50.");
	tester_expect(&s,
		      "3101f0b40801000000001800"
		      "00000800",
		      "7f3131");
	tester_close(&s);
}

static void a_memory_check_compares_the_crc(void **state)
{
	const struct bf_builtin *b = builtin("1.3.0");
	uint8_t msg[17] = { 0x31, 1, 2, 2, 0x44, 0x08, 0x01 };
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_program(&s);
	bf_put_be32(msg + 9, (uint32_t)b->len);
	bf_put_be32(msg + 13, bf_crc(&bf_crc32_ieee, b->p, b->len));
	assert_true(tester_ask_n(&s, msg, sizeof(msg)));
	assert_int_equal(s.msg[4], 0);
	msg[16] ^= 1;
	assert_true(tester_ask_n(&s, msg, sizeof(msg)));
	assert_int_equal(s.msg[4], 1);
	tester_close(&s);
}

static void a_pack_that_does_not_read_says_so_everywhere(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:quirk=noread");
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "3500440801000000000100", "7f3511");
	tester_expect(&s, "23440801000000000010", "7f2311");
	tester_expect(&s, "22fd03", "62fd03050400000.");
	tester_close(&s);
}

static void long_work_announces_itself_and_takes_its_time(void **state)
{
	struct tester s;
	bf_time began;

	(void)state;
	tester_open(&s, "sim");
	tester_program(&s);
	began = bf_now(s.t->clock);
	erase(&s, 0x80000);
	assert_in_range(bf_now(s.t->clock) - began, BF_MS(256 * 22), BF_MS(256 * 22 + 10));
	assert_int_equal(s.pending, 2);
	tester_close(&s);
}

/* Programming hides behind the reception of the next block. */
static void a_download_runs_at_the_speed_of_the_wire(void **state)
{
	struct tester s;
	bf_time began, took;

	(void)state;
	tester_open(&s, "sim");
	tester_program(&s);
	erase(&s, 0x10000);
	began = bf_now(s.t->clock);
	download(&s, "1.5.0");
	took = bf_now(s.t->clock) - began - BF_MS(32 * 22);
	/* 43000 bytes in 7s at about 240 us a frame, plus one block's programming and the check */
	assert_in_range(took, BF_MS(1450), BF_MS(1800));
	tester_close(&s);
}

static void a_pack_with_one_bank_restarts_into_its_loader(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:quirk=singlebank");
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "1002", "5002003201f4");
	assert_int_equal(s.pending, 1);
	tester_expect(&s, "22f189f186", "62f189f18602");
	tester_expect(&s, "22fd03", "62fd0304040001.");
	tester_expect(&s, "3101f0b0", "7101f0b00001080103.");
	tester_expect(&s, "3101f0b101", "7f3131");
	tester_expect(&s, "3101ff00440801000000000800", "7101ff0000");
	restart(&s);
	expect_version(&s, ""); /* half erased: the loader stays */
	tester_close(&s);
}

static void an_empty_pack_stays_in_its_loader_and_takes_firmware(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:version=none");
	expect_version(&s, "");
	tester_program(&s);
	tester_expect(&s, "3101f0b5", "7f3122");
	download(&s, "1.5.0");
	assert_int_equal(status_of(&s, "3101f0b102"), 0);
	restart(&s);
	expect_version(&s, "1.5.0");
	tester_close(&s);
}

static void power_that_goes_at_a_request_comes_back_and_the_pack_runs(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:cutmsg=3,repower=2000");
	tester_program(&s);
	assert_false(tester_ask(&s, "3101f0b0"));
	tester_wait(&s, BF_SEC(3));
	expect_version(&s, "1.3.0");
	tester_expect(&s, "22fd04", "62fd04010001");
	tester_close(&s);
}

static void power_that_goes_while_erasing_silences_the_pack(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:slot1=1.4.0");
	tester_program(&s);
	bf_pack_cut_at(bf_sim_pack(s.t), 3);
	assert_false(tester_ask(&s, "3101ff00440809000000001800"));
	assert_int_equal(bf_pack_mode(bf_sim_pack(s.t)), BF_PACK_OFF);
	bf_pack_power(bf_sim_pack(s.t), true, bf_now(s.t->clock));
	tester_wait(&s, BF_SEC(1));
	expect_version(&s, "1.3.0");
	tester_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_firmware_runs_on_trial_and_stays_when_confirmed),
		cmocka_unit_test(without_confirmation_the_old_firmware_comes_back),
		cmocka_unit_test(firmware_that_crashes_on_trial_is_thrown_out_by_the_watchdog),
		cmocka_unit_test(a_confirmed_pack_reverts_on_request_while_the_counter_allows),
		cmocka_unit_test(a_wish_that_was_not_started_yet_can_be_taken_back),
		cmocka_unit_test(an_empty_slot_is_not_activated),
		cmocka_unit_test(a_repeated_block_is_answered_again_and_not_written_again),
		cmocka_unit_test(a_forgetful_pack_drops_the_transfer),
		cmocka_unit_test(flash_that_is_not_erased_refuses_to_be_programmed),
		cmocka_unit_test(a_transfer_is_neither_too_long_nor_too_short),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(hashes_by_unit_are_as_many_as_fit),
		cmocka_unit_test(a_memory_check_compares_the_crc),
		cmocka_unit_test(a_pack_that_does_not_read_says_so_everywhere),
		cmocka_unit_test(long_work_announces_itself_and_takes_its_time),
		cmocka_unit_test(a_download_runs_at_the_speed_of_the_wire),
		cmocka_unit_test(a_pack_with_one_bank_restarts_into_its_loader),
		cmocka_unit_test(an_empty_pack_stays_in_its_loader_and_takes_firmware),
		cmocka_unit_test(power_that_goes_at_a_request_comes_back_and_the_pack_runs),
		cmocka_unit_test(power_that_goes_while_erasing_silences_the_pack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
