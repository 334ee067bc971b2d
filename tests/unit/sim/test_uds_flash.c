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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_firmware_runs_on_trial_and_stays_when_confirmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
