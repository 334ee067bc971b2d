/* SPDX-License-Identifier: MIT */
/* A server that knows ISO 14229-1 and nothing of ours, and the habits of others, asked by hand. */
#include <stdio.h>
#include <string.h>

#include "builtin.h"
#include "pack_priv.h"
#include "tester.h"

#define BASE 0x08010000u

static const struct bf_builtin *builtin(const char *version)
{
	const struct bf_builtin *b = bf_builtins;

	while (b->version && strcmp(b->version, version) != 0)
		b++;
	assert_non_null(b->version);
	return b;
}

static void begin(struct tester *s, uint32_t addr, uint32_t size, const char *want)
{
	char hex[32];

	snprintf(hex, sizeof(hex), "340044%08x%08x", (unsigned)addr, (unsigned)size);
	tester_expect(s, hex, want);
}

/* Blocks of 1024 bytes from behind the head of a download that was begun. */
static void put_blocks(struct tester *s, const uint8_t *p, size_t len)
{
	uint8_t msg[1026] = { 0x36 };
	uint8_t counter = 1;

	for (size_t at = 0; at < len; at += 1024, counter++) {
		size_t n = len - at < 1024 ? len - at : 1024;

		msg[1] = counter;
		memcpy(msg + 2, p + at, n);
		assert_true(tester_ask_n(s, msg, 2 + n));
		/* One that was refused may come again. */
		if (s->msg[0] == 0x7F && s->msg[2] == 0x72)
			assert_true(tester_ask_n(s, msg, 2 + n));
		assert_int_equal(s->msg[0], 0x76);
		assert_int_equal(s->msg[1], counter);
	}
}

static void erase(struct tester *s, const char *want)
{
	tester_expect(s, "3101ff00440801000000040000", want);
}

static void download(struct tester *s, const char *version)
{
	const struct bf_builtin *b = builtin(version);

	begin(s, BASE, (uint32_t)b->len, "74200402");
	put_blocks(s, b->p, b->len);
	tester_expect(s, "37", "77");
}

static void restart(struct tester *s)
{
	tester_expect(s, "1101", "5101");
	tester_wait(s, BF_SEC(2));
}

static bool runs(struct tester *s, const char *version)
{
	const struct bf_mimage *m = bf_pack_running(bf_sim_pack(s->t));
	char text[32];

	return m && strcmp(bf_mimage_version(m, text), version) == 0;
}

static void the_application_tells_what_the_standard_names_and_nothing_of_ours(void **state)
{
	static const char *const lacks[] = { "22fd01", "22fd02", "22fd03", "22fd04", "22fd05",
					     "22fd06", "22fd10", "22fd14", "22f180" };
	static const char *const lacked[][2] = {
		{ "3500440801000000000010", "7f3511" },
		{ "23440801000000000010", "7f2311" },
		{ "3400440801000000000010", "7f3411" },
		{ "2701", "7f2711" },
		{ "8701", "7f8711" },
	};
	struct tester s;

	(void)state;
	tester_open(&s, "sim:model=standard");
	tester_expect(&s, "22f189", "62f189312e332e30");
	tester_expect(&s, "22f18c", "62f18c425831362d303030303031");
	tester_expect(&s, "22f191", "62f1915233");
	for (size_t i = 0; i < BF_COUNT(lacks); i++)
		tester_expect(&s, lacks[i], "7f2231");
	tester_expect(&s, "3101f0b0", "7f317f");
	tester_expect(&s, "1003", "5003003201f4");
	tester_expect(&s, "3101f0b0", "7f3131");
	tester_expect(&s, "3101f0b5", "7f3131");
	tester_expect(&s, "31010202440801000000001000", "7f3131");
	tester_expect(&s, "3101ff00440801000000040000", "7f3131");
	for (size_t i = 0; i < BF_COUNT(lacked); i++)
		tester_expect(&s, lacked[i][0], lacked[i][1]);
	tester_close(&s);
}

static void the_bootloader_takes_an_image_in_one_pass_and_starts_it(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:model=standard");
	tester_program(&s);
	assert_int_equal(s.pending, 1);
	tester_expect(&s, "22f189", "7f2231");
	tester_expect(&s, "22f180", "62f180424f4f5420322e33");
	tester_expect(&s, "3500440801000000000100", "7f3511");
	tester_expect(&s, "2ef15a2611270102", "6ef15a");
	erase(&s, "7101ff00");
	download(&s, "1.5.0");
	assert_int_equal(bf_pack_mode(bf_sim_pack(s.t)), BF_PACK_LOADER);
	tester_expect(&s, "3101ff01", "7101ff01");
	restart(&s);
	assert_true(runs(&s, "1.5.0"));
	tester_expect(&s, "22f189", "62f189312e352e30");
	tester_close(&s);
}

static void erase_and_download_begin_at_the_base_and_go_up(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:model=standard");
	tester_program(&s);
	begin(&s, BASE + 0x800, 0x800, "7f3431");
	tester_expect(&s, "3101ff00440801080000000800", "7f3131");
	tester_expect(&s, "3101ff00440801000000040001", "7f3131");
	erase(&s, "7101ff00");
	begin(&s, BASE + 0x1000, 0x100, "74200402");
	begin(&s, BASE + 0x800, 0x100, "7f3431");
	begin(&s, BASE, 0x100, "74200402");
	tester_close(&s);
	tester_open(&s, "sim:model=standard,quirk=anyorder");
	tester_program(&s);
	tester_expect(&s, "3101ff00440801080000000800", "7101ff00");
	begin(&s, BASE + 0x800, 0x800, "74200402");
	tester_close(&s);
}

static void what_was_erased_does_not_start_before_the_check_was_passed(void **state)
{
	const struct bf_builtin *b = builtin("1.5.0");
	struct tester s;

	(void)state;
	tester_open(&s, "sim:model=standard");
	tester_program(&s);
	erase(&s, "7101ff00");
	begin(&s, BASE, 4096, "74200402");
	put_blocks(&s, b->p, 4096);
	tester_expect(&s, "37", "77");
	tester_expect(&s, "3101ff01", "7f3172");
	restart(&s);
	assert_int_equal(bf_pack_mode(bf_sim_pack(s.t)), BF_PACK_LOADER);
	tester_program(&s);
	assert_int_equal(s.pending, 0);
	erase(&s, "7101ff00");
	download(&s, "1.5.0");
	tester_expect(&s, "3101ff01", "7101ff01");
	restart(&s);
	assert_true(runs(&s, "1.5.0"));
	tester_close(&s);
}

static void power_that_goes_in_an_erase_leaves_the_bootloader(void **state)
{
	struct tester s;

	(void)state;
	for (unsigned op = 1; op <= 4; op++) {
		tester_open(&s, "sim:model=standard,repower=1000");
		tester_program(&s);
		bf_pack_cut_at(bf_sim_pack(s.t), op);
		assert_false(tester_ask(&s, "3101ff00440801000000040000"));
		tester_wait(&s, BF_SEC(3));
		/* The first operation takes the mark away: half of it is no mark. */
		assert_int_equal(bf_pack_mode(bf_sim_pack(s.t)), BF_PACK_LOADER);
		tester_close(&s);
	}
}

struct form {
	const char *keys, *erased, *good, *bad;
};

static void the_answer_to_a_routine_has_the_form_that_the_keys_say(void **state)
{
	static const struct form forms[] = {
		{ "status=none", "7101ff00", "7101ff01", "7f3172" },
		{ "status=byte", "7101ff0000", "7101ff0100", "7101ff0101" },
		{ "status=type", "7101ff0010", "7101ff0110", "7101ff011001" },
		{ "status=byte,check=12", "7101ff0000", "7101ff0100", "7f3112" },
		{ "check=none", "7101ff00", "7f3131", "7f3131" },
		{ "erase=download", "7f3131", "7101ff01", "7f3172" },
	};
	char address[80];
	struct tester s;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(forms); i++) {
		snprintf(address, sizeof(address), "sim:model=standard,%s", forms[i].keys);
		tester_open(&s, address);
		tester_program(&s);
		erase(&s, forms[i].erased);
		if (forms[i].erased[0] == '7' && forms[i].erased[1] == '1')
			tester_expect(&s, "3101ff01", forms[i].bad);
		download(&s, "1.5.0");
		tester_expect(&s, "3101ff01", forms[i].good);
		restart(&s);
		assert_true(runs(&s, "1.5.0"));
		tester_close(&s);
	}
}

static void a_bit_that_comes_out_wrong_is_seen_by_the_check_alone(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:model=standard,quirk=flip");
	tester_program(&s);
	erase(&s, "7101ff00");
	download(&s, "1.5.0");
	tester_expect(&s, "3101ff01", "7f3172");
	tester_close(&s);
	tester_open(&s, "sim:model=standard,quirk=flip,check=none");
	tester_program(&s);
	erase(&s, "7101ff00");
	download(&s, "1.5.0");
	restart(&s);
	assert_true(runs(&s, "1.5.0")); /* as it says itself */
	assert_false(bf_pack_running(bf_sim_pack(s.t))->whole);
	tester_close(&s);
}

static void the_habits_of_others_are_there_by_name(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:model=standard,quirk=mute");
	assert_false(tester_ask(&s, "22fd01"));
	assert_false(tester_ask(&s, "8701"));
	tester_expect(&s, "22f189", "62.");
	tester_close(&s);
	tester_open(&s, "sim:model=standard,quirk=nojump");
	tester_expect(&s, "1002", "7f107e");
	tester_program(&s);
	tester_close(&s);
	tester_open(&s, "sim:model=standard");
	tester_expect(&s, "1002", "5002003201f4");
	tester_close(&s);
	tester_open(&s, "sim:model=standard,quirk=onedid,quirk=noreset");
	tester_expect(&s, "22f189f18c", "7f2213");
	tester_expect(&s, "1101", "7f1112");
	tester_close(&s);
	tester_open(&s, "sim:model=standard,quirk=canread");
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "3500440801000000000010", "75200402");
	tester_expect(&s, "3601", "76013db8f396.");
	tester_close(&s);
	tester_open(&s, "sim:model=standard,quirk=nrc72");
	tester_program(&s);
	erase(&s, "7101ff00");
	download(&s, "1.5.0");
	tester_expect(&s, "3101ff01", "7101ff01");
	tester_close(&s);
}

static void security_access_has_the_level_the_session_and_the_delay_that_the_keys_say(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:model=standard,auth=27,level=3");
	tester_program(&s);
	tester_expect(&s, "3101ff00440801000000040000", "7f3133");
	tester_expect(&s, "2701", "7f2712");
	tester_expect(&s, "2703", "6703.");
	tester_close(&s);
	tester_open(&s, "sim:model=standard,auth=27,unlock=extended");
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "2701", "6701.");
	tester_expect(&s, "1002", "50.");
	tester_expect(&s, "2701", "7f277f");
	tester_close(&s);
	tester_open(&s, "sim:auth=27,quirk=nrc37");
	tester_program(&s);
	tester_expect(&s, "2701", "7f2737");
	tester_wait(&s, BF_MS(1100));
	tester_expect(&s, "2701", "6701.");
	tester_close(&s);
}

static void a_strict_session_lives_on_tester_present_alone(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:model=standard,quirk=s3strict");
	tester_program(&s);
	for (unsigned i = 0; i < 4; i++) {
		tester_wait(&s, BF_MS(1500));
		tester_expect(&s, "22f186", i < 3 ? "62f18602" : "62f18601");
	}
	tester_program(&s);
	for (unsigned i = 0; i < 6; i++) {
		tester_wait(&s, BF_MS(1500));
		tester_expect(&s, "3e00", "7e00");
	}
	tester_expect(&s, "22f186", "62f18602");
	tester_close(&s);
}

static void a_bootloader_says_what_it_was_told_to_say_as_its_version(void **state)
{
	static const char *const rows[][2] = {
		{ "sim:quirk=singlebank", "62f189" },
		{ "sim:quirk=singlebank,loader-version=none", "7f2231" },
		{ "sim:model=standard,loader-version=ff",
		  "62f189ffffffffffffffffffffffffffffffff" },
		{ "sim:model=standard,loader-version=BL_1", "62f189424c5f31" },
	};
	struct tester s;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		tester_open(&s, rows[i][0]);
		tester_expect(&s, "22f189", "62f189312e332e30");
		tester_program(&s);
		tester_expect(&s, "22f189", rows[i][1]);
		tester_close(&s);
	}
}

static void two_packs_with_one_serial_number_differ_in_their_calibration(void **state)
{
	uint8_t first[256];
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	memcpy(first, bf_pack_view(bf_sim_pack(s.t), BF_ADDR_CALIB, 256), 256);
	tester_expect(&s, "22f18c", "62f18c425831362d303030303031");
	tester_close(&s);
	tester_open(&s, "sim:calib=2");
	assert_memory_not_equal(first, bf_pack_view(bf_sim_pack(s.t), BF_ADDR_CALIB, 256), 256);
	tester_expect(&s, "22f18c", "62f18c425831362d303030303031");
	tester_close(&s);
	tester_open(&s, "sim:serial=");
	tester_expect(&s, "22f18c", "7f2231");
	tester_close(&s);
	tester_open(&s, "sim:serial=ff");
	tester_expect(&s, "22f18c", "62f18cffffffffffffffffffffffffffffffff");
	tester_close(&s);
}

/* Whatever it says, the same seed says it again. */
static size_t ask_hostile(const char *keys, char *ret_text, size_t cap)
{
	char address[64];
	struct tester s;
	size_t n = 0, endless = 0;

	snprintf(address, sizeof(address), "sim:%s", keys);
	tester_open(&s, address);
	for (unsigned i = 0; i < 60; i++) {
		tester_send(&s, (const uint8_t[]){ 0x22, 0xF1, 0x89 }, 3);
		for (unsigned wait = 0; wait < 8; wait++) {
			struct bf_frame f;

			if (!tester_frame(&s, &f, BF_SEC(1)))
				break;
			endless += wait > 5;
			if (n + 9 < cap)
				n += (size_t)snprintf(ret_text + n, cap - n, "%02x%02x%02x%02x ",
						      f.data[0], f.data[1], f.data[2], f.data[3]);
		}
	}
	tester_close(&s);
	return endless;
}

static void a_hostile_pack_does_the_same_for_the_same_seed(void **state)
{
	static const char *const keys[] = { "model=hostile", "model=hostile,hostile=pending",
					    "model=hostile,hostile=numbers",
					    "model=hostile,hostile=texts" };
	static char first[8192], again[8192];

	(void)state;
	for (size_t i = 0; i < BF_COUNT(keys); i++) {
		ask_hostile(keys[i], first, sizeof(first));
		ask_hostile(keys[i], again, sizeof(again));
		assert_string_equal(first, again);
	}
	assert_true(ask_hostile("model=hostile,hostile=pending", first, sizeof(first)) > 0);
	assert_non_null(strstr(first, "037f2278"));
	assert_true(ask_hostile("model=hostile,hostile=texts,hostile=frames", first,
				sizeof(first)) > 0);
	assert_non_null(strstr(first, "1fff"));
	assert_true(ask_hostile("model=ours,hostile=pending", first, sizeof(first)) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_application_tells_what_the_standard_names_and_nothing_of_ours),
		cmocka_unit_test(the_bootloader_takes_an_image_in_one_pass_and_starts_it),
		cmocka_unit_test(erase_and_download_begin_at_the_base_and_go_up),
		cmocka_unit_test(what_was_erased_does_not_start_before_the_check_was_passed),
		cmocka_unit_test(power_that_goes_in_an_erase_leaves_the_bootloader),
		cmocka_unit_test(the_answer_to_a_routine_has_the_form_that_the_keys_say),
		cmocka_unit_test(a_bit_that_comes_out_wrong_is_seen_by_the_check_alone),
		cmocka_unit_test(the_habits_of_others_are_there_by_name),
		cmocka_unit_test(
			security_access_has_the_level_the_session_and_the_delay_that_the_keys_say),
		cmocka_unit_test(a_strict_session_lives_on_tester_present_alone),
		cmocka_unit_test(a_bootloader_says_what_it_was_told_to_say_as_its_version),
		cmocka_unit_test(a_hostile_pack_does_the_same_for_the_same_seed),
		cmocka_unit_test(two_packs_with_one_serial_number_differ_in_their_calibration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
