/* SPDX-License-Identifier: MIT */
/* Bootloaders as makers ship them: each is flashed by hand, request by request, as its maker's tool does it. */
#include <stdio.h>
#include <string.h>

#include "builtin.h"
#include "pack_priv.h"
#include "tester.h"

#define STEPS 8

struct step {
	const char *ask, *want;
};

/* In the order in which they come. */
struct maker {
	const char *keys;
	uint32_t request, answer;
	struct step enter[STEPS];  /* from the running application into the bootloader */
	bool silent;               /* the last of them has no answer */
	unsigned level, seed_len;  /* of SecurityAccess */
	struct step locked;        /* refused before */
	const char *driver;        /* 34 for 512 bytes of it; NULL: there is none */
	const char *driver_check;  /* printf: CRC-32 or CRC-16 */
	struct step before[STEPS]; /* the application's download */
	const char *begin;         /* printf: its size */
	unsigned block;            /* bytes of data */
	const char *exit;          /* printf: CRC-16 */
	const char *check;         /* printf: CRC-32, CRC-16 or sum; NULL: none */
	char check_kind;
	struct step after[STEPS]; /* the last of them restarts */
	struct step runs[STEPS];
};

static const struct maker makers[] = {
	{
		.keys = "model=zhidou",
		.request = 0x70A,
		.answer = 0x71A,
		.enter = { { "1003", "50." },
			   { "1002", "7f1022" },
			   { "31010202", "7101020200" },
			   { "8502", "c502" },
			   { "280301", "7f2831" },
			   { "280303", "6803" },
			   { "1002", "5002." } },
		.level = 7,
		.seed_len = 4,
		.locked = { "3101ff00440001000000010000", "7f3133" },
		.driver = "3400442000000000000200",
		.driver_check = "31010201%08x",
		.before = { { "1003", "7f107e" },
			    { "3101ff00440001000000010000", "7f3124" },
			    { "2ef011261127000000000000000000000000000000", "7f2e13" },
			    { "2ef01126112700000000000000000000000000000000", "6ef011" },
			    { "3101ff00440001000000010000", "7101ff0000" } },
		.begin = "34004400010000%08x",
		.block = 1024,
		.exit = "77",
		.check = "31010201%08x",
		.check_kind = 'C',
		.after = { { "3101ff01", "7101ff0100" }, { "1103", "5103" } },
		.runs = { { "22f189", "62f189010500" }, { "14ffffff", "54" } },
	},
	{
		.keys = "model=nxp",
		.request = 0x784,
		.answer = 0x7F0,
		.enter = { { "1003", "50." }, { "280303", "6803" }, { "1002", "5002." } },
		.level = 1,
		.seed_len = 16,
		.locked = { "2ef15a0102", "7f2e33" },
		.driver = "3400441fff800000000200",
		.driver_check = "31010202%08x",
		.before = { { "2ef15a0102", "6ef15a" }, { "3101ff00", "7101ff0000" } },
		.begin = "34004400014000%08x",
		.block = 1024,
		.exit = "77",
		.check = "31010202%08x",
		.check_kind = 'R',
		.after = { { "3101ff01", "7101ff01" }, { "1101", "5101" } },
		.runs = { { "22f189", "62f189312e352e30" } },
	},
	{
		.keys = "model=vw",
		.request = 0x7E0,
		.answer = 0x7E8,
		.enter = { { "1003", "50." }, { "31010203", "7101020300" }, { "1002", "5002." } },
		.level = 17,
		.seed_len = 4,
		.locked = { "34aa410300001000", "7f3433" },
		.before = { { "2ef15a261127010203040506", "6ef15a" },
			    { "3101ff000104", "7f3131" },
			    { "3101ff000103", "7101ff0000" },
			    { "3400410300001000", "7f3431" } },
		.begin = "34aa4103%08x",
		.block = 2048,
		.exit = "77",
		.check = "3101020201030004%08x",
		.check_kind = 'M',
		.after = { { "3101ff01", "7101ff0100" }, { "1101", "5101" } },
		.runs = { { "22f189", "62f1895357312e352e30" }, { "04", "44" } },
	},
	{
		.keys = "model=volvo",
		.request = 0x726,
		.answer = 0x72E,
		.enter = { { "1002", "5002." } },
		.level = 1,
		.seed_len = 3,
		.locked = { "3101030140008000", "7f3133" },
		.driver = "3400444000800000000200",
		.before = { { "3101ff000002000000010000", "7f3124" },
			    { "3101030140008000", "7101030110" },
			    { "3101ff000002000000010000", "7101ff0030" },
			    { "3101ff000002000000010000", "7101ff0030" },
			    { "3101ff000002000000010000", "7101ff0010" } },
		.begin = "34004400020000%08x",
		.block = 1024,
		.exit = "77%04x",
		.after = { { "31010304", "7101030410" }, { "1101", "5101" } },
		.runs = { { "22f189", "62f189312e352e30" } },
	},
	{
		.keys = "model=tesla",
		.request = 0x730,
		.answer = 0x738,
		.enter = { { "1002", "" } },
		.silent = true,
		.level = 1,
		.seed_len = 3,
		.locked = { "3400443ff8200000000200", "7f3433" },
		.driver = "3400443ff8200000000200",
		.before = { { "310103013ff82000", "7101030100" },
			    { "3101ff000000700000010000", "7101ff0000" } },
		.begin = "34004400007000%08x",
		.block = 1024,
		.exit = "77",
		.after = { { "3101ff01", "7f3131" }, { "1101", "5101" } },
		.runs = { { "22f189", "62f189312e352e30" },
			  { "1003", "50." },
			  { "3101dc03", "7f3133" },
			  { "23440000700000000010", "7f2333" } },
	},
	{
		.keys = "model=geehy",
		.request = 0x7A0,
		.answer = 0x7A8,
		.enter = { { "1003", "50." }, { "1002", "5002." } },
		.level = 1,
		.seed_len = 2,
		.locked = { "3101ff00", "7f3133" },
		.before = { { "3101ff00", "7f3124" },
			    { "2e001526112701020304050607", "6e0015" },
			    { "3101ff00", "7101ff00" },
			    { "3400440800800000000100", "7f3431" } },
		.begin = "34004400800008%s",
		.block = 256,
		.exit = "77",
		.after = { { "3101ff01", "7f3131" }, { "1101", "5101" } },
		.runs = { { "22f189", "62f189312e352e30" } },
	},
};

static const struct bf_builtin *builtin(void)
{
	const struct bf_builtin *b = bf_builtins;

	while (strcmp(b->version, "1.5.0") != 0)
		b++;
	return b;
}

static void take_steps(struct tester *s, const struct step *steps)
{
	for (size_t i = 0; i < STEPS && steps[i].ask; i++) {
		if (*steps[i].want)
			tester_expect(s, steps[i].ask, steps[i].want);
		else
			assert_false(tester_ask(s, steps[i].ask));
	}
}

static void unlock(struct tester *s, unsigned level, unsigned seed_len)
{
	char hex[80];
	size_t n;

	snprintf(hex, sizeof(hex), "27%02x", level);
	assert_true(tester_ask(s, hex));
	assert_int_equal(s->len, 2 + seed_len);
	n = (size_t)snprintf(hex, sizeof(hex), "27%02x", level + 1);
	for (size_t i = 0; i < seed_len; i++)
		n += (size_t)snprintf(hex + n, sizeof(hex) - n, "%02x",
				      ((s->msg[2 + i] ^ 0xA5u) + level) & 0xFF);
	assert_true(tester_ask(s, hex));
	assert_int_equal(s->msg[0], 0x67);
}

static unsigned crc16(const uint8_t *p, size_t len)
{
	unsigned crc = 0xFFFF;

	while (len--) {
		crc ^= (unsigned)*p++ << 8;
		for (unsigned i = 0; i < 8; i++)
			crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
		crc &= 0xFFFF;
	}
	return crc;
}

static unsigned checksum(char kind, const uint8_t *p, size_t len)
{
	unsigned sum = 0;

	if (kind == 'R')
		return crc16(p, len);
	if (kind == 'C')
		return bf_crc(&bf_crc32_ieee, p, len);
	while (len--)
		sum += *p++;
	return sum;
}

/* A form with one number in it, or none. */
static char *fill(char dst[64], const char *form, unsigned v)
{
	char little[9];

	if (strstr(form, "%s")) {
		snprintf(little, sizeof(little), "%08x", __builtin_bswap32(v));
		snprintf(dst, 64, "%.*s%s", (int)(strchr(form, '%') - form), form, little);
	} else if (strchr(form, '%')) {
		snprintf(dst, 64, "%.*s%0*x", (int)(strchr(form, '%') - form), form,
			 strchr(form, '%')[2] - '0', v);
	} else {
		snprintf(dst, 64, "%s", form);
	}
	return dst;
}

static void put_blocks(struct tester *s, const uint8_t *p, size_t len, size_t block)
{
	uint8_t msg[4096] = { 0x36 };
	uint8_t counter = 1;

	for (size_t at = 0; at < len; at += block, counter++) {
		size_t n = len - at < block ? len - at : block;

		msg[1] = counter;
		memcpy(msg + 2, p + at, n);
		assert_true(tester_ask_n(s, msg, 2 + n));
		assert_int_equal(s->msg[0], 0x76);
		assert_int_equal(s->msg[1], counter);
	}
}

static void download_driver(struct tester *s, const struct maker *m)
{
	uint8_t driver[512];
	char ask[64];

	for (size_t i = 0; i < sizeof(driver); i++)
		driver[i] = (uint8_t)(i * 7);
	tester_expect(s, m->driver, "74.");
	put_blocks(s, driver, sizeof(driver), 256);
	assert_true(tester_ask(s, "37"));
	assert_int_equal(s->msg[0], 0x77);
	if (!m->driver_check)
		return;
	tester_expect(s, fill(ask, m->driver_check, 1), "71.");
	assert_int_equal(s->msg[s->len - 1], 1);
	tester_expect(s,
		      fill(ask, m->driver_check, checksum(m->check_kind, driver, sizeof(driver))),
		      "71.");
	assert_int_equal(s->msg[s->len - 1], 0);
}

static void flash_by_hand(const struct maker *m)
{
	const struct bf_builtin *b = builtin();
	char address[80], ask[64], want[64];
	struct tester s;

	snprintf(address, sizeof(address), "sim:%s", m->keys);
	tester_open(&s, address);
	s.request = m->request;
	s.answer = m->answer;
	take_steps(&s, m->enter);
	if (m->silent)
		tester_wait(&s, BF_SEC(1));
	tester_expect(&s, m->locked.ask, m->locked.want);
	unlock(&s, m->level, m->seed_len);
	if (m->driver)
		download_driver(&s, m);
	take_steps(&s, m->before);
	tester_expect(&s, fill(ask, m->begin, (unsigned)b->len), "74.");
	put_blocks(&s, b->p, b->len, m->block);
	tester_expect(&s, "37", fill(want, m->exit, crc16(b->p, b->len)));
	if (m->check) {
		tester_expect(&s, fill(ask, m->check, checksum(m->check_kind, b->p, b->len)),
			      "71.");
		assert_int_equal(s.msg[s.len - 1], 0);
	}
	take_steps(&s, m->after);
	tester_wait(&s, BF_SEC(2));
	take_steps(&s, m->runs);
	assert_non_null(bf_pack_running(bf_sim_pack(s.t)));
	assert_true(bf_pack_running(bf_sim_pack(s.t))->sound);
	tester_close(&s);
}

static void each_is_flashed_as_its_makers_tool_does_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < BF_COUNT(makers); i++) {
		print_message("# %s\n", makers[i].keys);
		flash_by_hand(&makers[i]);
	}
}

static void a_checksum_that_is_wrong_does_not_let_the_firmware_start(void **state)
{
	const struct bf_builtin *b = builtin();
	struct tester s;
	char ask[64];

	(void)state;
	tester_open(&s, "sim:model=vw,quirk=flip");
	take_steps(&s, makers[2].enter);
	unlock(&s, 17, 4);
	take_steps(&s, makers[2].before);
	tester_expect(&s, fill(ask, makers[2].begin, (unsigned)b->len), "74200000");
	put_blocks(&s, b->p, b->len, 2048);
	tester_expect(&s, "37", "77");
	tester_expect(&s, fill(ask, makers[2].check, 7), "7101020201");
	tester_expect(&s, "3101ff01", "7101ff0101");
	tester_expect(&s, "1101", "5101");
	tester_wait(&s, BF_SEC(2));
	assert_int_equal(bf_pack_mode(bf_sim_pack(s.t)), BF_PACK_LOADER);
	tester_close(&s);
}

static void after_power_on_one_frame_keeps_the_loader(void **state)
{
	struct tester s;

	(void)state;
	for (unsigned stays = 0; stays < 2; stays++) {
		tester_open(&s, "sim:model=zhidou,poweron=100");
		s.request = 0x70A;
		s.answer = 0x71A;
		while (bf_pack_mode(bf_sim_pack(s.t)) != BF_PACK_LOADER)
			tester_wait(&s, BF_MS(1));
		if (stays)
			tester_expect(&s, "31010203", "7101020300");
		tester_wait(&s, BF_MS(200));
		assert_int_equal(bf_pack_mode(bf_sim_pack(s.t)),
				 stays ? BF_PACK_LOADER : BF_PACK_APP);
		tester_close(&s);
	}
}

/* ISO 14230 framing at 10400 baud, by hand. */
static bool ask_kline(struct tester *s, const uint8_t *msg, size_t len, uint8_t *ret,
		      size_t *ret_len)
{
	uint8_t frame[64] = { (uint8_t)(0x80 | len), 0x11, 0xF1 }, got[64];
	size_t n = 0, all = 0;
	struct bf_err err;

	bf_err_init(&err);
	memcpy(frame + 3, msg, len);
	for (size_t i = 0; i < 3 + len; i++)
		frame[3 + len] = (uint8_t)(frame[3 + len] + frame[i]);
	assert_int_equal(
		s->t->ops->stream->write(s->t, frame, 4 + len, bf_in(s->t->clock, BF_SEC(1)), &err),
		BF_OK);
	while (all < sizeof(got) && !s->t->ops->stream->read(s->t, got + all, sizeof(got) - all, &n,
							     bf_in(s->t->clock, BF_MS(300)), &err))
		all += n;
	*ret_len = all > 4 ? all - 4 : 0;
	memcpy(ret, got + 3, *ret_len);
	return all > 4;
}

static void a_k_line_answers_after_its_communication_was_started(void **state)
{
	uint8_t got[64];
	struct tester s;
	size_t len;

	(void)state;
	tester_open(&s, "sim:model=kline");
	assert_false(ask_kline(&s, (const uint8_t[]){ 0x3E, 0 }, 2, got, &len));
	assert_true(ask_kline(&s, (const uint8_t[]){ 0x81 }, 1, got, &len));
	assert_int_equal(len, 3);
	assert_memory_equal(got, ((const uint8_t[]){ 0xC1, 0xEF, 0x8F }), 3);
	assert_true(ask_kline(&s, (const uint8_t[]){ 0x3E, 0 }, 2, got, &len));
	assert_int_equal(got[0], 0x7E);
	tester_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_flashed_as_its_makers_tool_does_it),
		cmocka_unit_test(a_checksum_that_is_wrong_does_not_let_the_firmware_start),
		cmocka_unit_test(after_power_on_one_frame_keeps_the_loader),
		cmocka_unit_test(a_k_line_answers_after_its_communication_was_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
