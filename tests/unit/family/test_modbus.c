/* SPDX-License-Identifier: MIT */
/* A pack's firmware behind Modbus registers: byte by byte, on virtual time. */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/crc.h"
#include "family/modbus/modbus_registers.h"
#include "fake.h"

struct bench {
	struct bf_clock *clock;
	struct fake *peer;
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_proto *proto;
	struct bf_err err;
	char text[4][256];
	unsigned n_texts;
};

static void start(struct bench *b, const char *keys)
{
	char text[1024];
	struct bf_proto_env env;

	*b = (struct bench){ .clock = bf_vclock_new() };
	bf_err_init(&b->err);
	b->peer = fake_stream_new(b->clock);
	bf_profile_default(&b->profile);
	bf_retry_default(&b->retry);
	snprintf(text, sizeof(text), "[modbus]\ntable = holding\n%s", keys);
	if (bf_profile_parse(text, strlen(text), "test", &b->profile, &b->err))
		fail_msg("%s", b->err.cause);
	env = (struct bf_proto_env){ .transport = fake_transport(b->peer),
				     .profile = &b->profile,
				     .retry = &b->retry,
				     .node = -1 };
	assert_int_equal(bf_proto_modbus_ops.open(&env, &b->proto, &b->err), BF_OK);
}

static void stop(struct bench *b)
{
	bf_proto_close(b->proto);
	fake_free(b->peer);
	bf_clock_free(b->clock);
}

static const char *framed(struct bench *b, const uint8_t *p, size_t len)
{
	uint16_t crc = (uint16_t)bf_crc(&bf_crc16_modbus, p, len);
	char *to = b->text[b->n_texts++ % BF_COUNT(b->text)], *at = to;

	for (size_t i = 0; i < len; i++)
		at += sprintf(at, "%02X", p[i]);
	sprintf(at, "%02X%02X", crc & 0xFF, crc >> 8);
	return to;
}

#define FRAME(...) \
	framed(&b, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

#define MODEL "model = 0x1400 text 3\n"
#define ALIVE FRAME(1, 3, 0x14, 0, 0, 1), FRAME(1, 3, 2, 'J', 'K'), BF_MS(5)

static enum bf_rc recognise(struct bench *b)
{
	return b->proto->ops->recognise(b->proto, bf_in(b->clock, BF_MS(600)), &b->err);
}

static struct bf_ident identify(struct bench *b)
{
	struct bf_ident id;

	if (b->proto->ops->identify(b->proto, &id, &b->err))
		fail_msg("%s", b->err.cause);
	return id;
}

static enum bf_rc to_loader(struct bench *b)
{
	bf_err_init(&b->err);
	return b->proto->ops->app->to_loader(b->proto, &b->err);
}

static void a_profile_without_registers_asks_nothing(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "");
	assert_int_equal(recognise(&b), BF_E_UNSUPPORTED);
	assert_string_equal(fake_heard(b.peer), "");
	stop(&b);
}

static void one_register_shows_that_it_is_there_and_an_exception_is_an_answer(void **state)
{
	struct bench b;

	(void)state;
	start(&b, MODEL);
	fake_once(b.peer, ALIVE);
	assert_int_equal(recognise(&b), BF_OK);
	fake_once(b.peer, FRAME(1, 3, 0x14, 0, 0, 1), FRAME(1, 0x83, 2), BF_MS(5));
	assert_int_equal(recognise(&b), BF_OK);
	assert_int_equal(recognise(&b), BF_E_NODEV);
	stop(&b);
}

static void text_ends_at_its_first_zero_and_at_the_bytes_that_belong_to_it(void **state)
{
	struct bench b;

	(void)state;
	start(&b, MODEL "serial = 0x1450 text 4\nhardware = 0x1410 bcd 2\n");
	/* the fourth byte is another value */
	fake_on(b.peer, FRAME(1, 3, 0x14, 0, 0, 2), FRAME(1, 3, 4, 'J', 'K', '1', 0x10), 0);
	fake_on(b.peer, FRAME(1, 3, 0x14, 0x50, 0, 2), FRAME(1, 3, 4, 'A', 'B', 0, 'C'), 0);
	fake_on(b.peer, FRAME(1, 3, 0x14, 0x10, 0, 1), FRAME(1, 3, 2, 0x01, 0x27), 0);
	assert_string_equal(identify(&b).model, "JK1");
	assert_string_equal(identify(&b).serial, "AB");
	assert_string_equal(identify(&b).hw_rev, "0127");
	assert_true(identify(&b).no_write[0]);
	stop(&b);
}

static void a_version_of_two_parts_is_a_version(void **state)
{
	struct bench b;
	struct bf_ident id;

	(void)state;
	start(&b, "version = 0x1418 text 6\nversion-prefix = V\n");
	fake_once(b.peer, FRAME(1, 3, 0x14, 0x18, 0, 3),
		  FRAME(1, 3, 6, 'V', '1', '5', '.', '4', '1'), 0);
	id = identify(&b);
	assert_true(id.has_version);
	assert_int_equal(id.version.major, 15);
	assert_int_equal(id.version.minor, 41);
	assert_int_equal(id.version.revision, 0);
	assert_false(id.version_short);
	fake_once(b.peer, FRAME(1, 3, 0x14, 0x18, 0, 3), FRAME(1, 3, 6, 'b', 'e', 't', 'a', 0, 0),
		  0);
	id = identify(&b);
	assert_false(id.has_version);
	assert_true(id.version_unreadable);
	stop(&b);
}

static void numbers_that_are_no_decimal_digits_are_no_version(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "version = 0x10 bcd 2\n");
	fake_once(b.peer, FRAME(1, 3, 0, 0x10, 0, 1), FRAME(1, 3, 2, 0x1A, 0x02), 0);
	assert_false(identify(&b).has_version);
	fake_once(b.peer, FRAME(1, 3, 0, 0x10, 0, 1), FRAME(1, 3, 2, 0xFF, 0xFF), 0);
	assert_string_equal(identify(&b).version_text, "");
	stop(&b);
}

/* Deaf for a while after an answer: each silence is followed by a longer one of ours. */
static void silence_before_a_request_is_doubled_after_each_that_was_not_heard(void **state)
{
	struct bench b;

	(void)state;
	start(&b,
	      MODEL "turnaround-ms = 30\nturnaround-max-ms = 100\ntimeout-ms = 10\nattempts = 5\n");
	assert_int_equal(recognise(&b), BF_E_NODEV);
	/* 30 + 60 + 100 + 100 + 100, and five times 10 */
	assert_int_equal(bf_now(b.clock), BF_MS(440));
	stop(&b);
}

static void the_request_that_enters_is_sent_after_the_silence_and_not_read(void **state)
{
	struct bench b;

	(void)state;
	start(&b, MODEL "enter-register = 0x1626\nenter-answer = no\nenter-quiet-ms = 750\n");
	fake_once(b.peer, ALIVE);
	/* The bootloader speaks at once: what it says is for its own family. */
	fake_once(b.peer, "0110162600010200 00D697", "15", 0);
	assert_int_equal(to_loader(&b), BF_OK);
	assert_true(bf_now(b.clock) >= BF_MS(750) && bf_now(b.clock) < BF_MS(800));
	assert_int_equal(fake_unused(b.peer), 0);
	{
		struct bf_transport *t = fake_transport(b.peer);
		uint8_t byte;
		size_t n;

		assert_int_equal(t->ops->stream->read(t, &byte, 1, &n, bf_in(b.clock, 1), &b.err),
				 BF_OK);
		assert_int_equal(byte, 0x15);
	}
	stop(&b);
}

static void a_pack_that_is_not_heard_is_not_told_to_go(void **state)
{
	struct bench b;

	(void)state;
	start(&b, MODEL "enter-register = 0x1626\nenter-answer = no\n");
	assert_int_equal(to_loader(&b), BF_E_TIMEOUT);
	assert_null(strstr(fake_heard(b.peer), "0110"));
	stop(&b);
}

static void function_six_writes_one_register_and_its_refusal_is_named(void **state)
{
	struct bench b;

	(void)state;
	start(&b, MODEL "enter-register = 5\nenter-function = 6\nenter-values = 0x5A5A\n");
	fake_on(b.peer, ALIVE);
	fake_once(b.peer, FRAME(1, 6, 0, 5, 0x5A, 0x5A), FRAME(1, 6, 0, 5, 0x5A, 0x5A), 0);
	assert_int_equal(to_loader(&b), BF_OK);
	fake_once(b.peer, FRAME(1, 6, 0, 5, 0x5A, 0x5A), FRAME(1, 0x86, 6), 0);
	assert_int_equal(to_loader(&b), BF_E_NAK);
	assert_int_equal(b.err.dev_code, 6);
	assert_string_equal(b.err.dev_name, "SERVER DEVICE BUSY");
	assert_non_null(bf_refusal_find(b.proto->ops, 6));
	stop(&b);
}

static void alarms_of_the_mask_keep_it_where_it_is(void **state)
{
	struct bench b;

	(void)state;
	start(&b, MODEL "enter-register = 5\nalarms = 0x12A0 number 4\nalarms-mask = 0xFFF3FFEF\n");
	fake_on(b.peer, ALIVE);
	fake_once(b.peer, FRAME(1, 3, 0x12, 0xA0, 0, 2), FRAME(1, 3, 4, 0, 0x01, 0, 0x10), 0);
	assert_int_equal(to_loader(&b), BF_E_PREFLIGHT);
	assert_non_null(strstr(b.err.cause, "0x00010000"));
	/* hints alone */
	fake_once(b.peer, FRAME(1, 3, 0x12, 0xA0, 0, 2), FRAME(1, 3, 4, 0, 0x0C, 0, 0x10), 0);
	fake_once(b.peer, FRAME(1, 16, 0, 5, 0, 1, 2, 0, 0), FRAME(1, 16, 0, 5, 0, 1), 0);
	assert_int_equal(to_loader(&b), BF_OK);
	stop(&b);
}

static void without_a_register_there_is_no_request(void **state)
{
	struct bench b;

	(void)state;
	start(&b, MODEL);
	assert_int_equal(to_loader(&b), BF_E_UNSUPPORTED);
	assert_string_equal(fake_heard(b.peer), "");
	stop(&b);
}

static void a_single_byte_of_a_register_is_a_measurement(void **state)
{
	struct bench b;
	struct bf_measure m = { 0 };

	(void)state;
	start(&b, MODEL "[quantity soc]\nregister = 0x12A6\noffset = 1\nwidth = 1\nscale = 1\n");
	fake_once(b.peer, FRAME(1, 3, 0x12, 0xA6, 0, 1), FRAME(1, 3, 2, 0x01, 55), 0);
	assert_int_equal(b.proto->ops->app->measure(b.proto, &m, &b.err), BF_OK);
	assert_true(m.has_soc);
	assert_float_equal(m.soc, 55, 1e-9);
	stop(&b);
}

static void refused(const char *keys, const char *why)
{
	struct bf_profile p;
	struct bf_err err;
	char text[256];

	bf_err_init(&err);
	bf_profile_default(&p);
	snprintf(text, sizeof(text), "[modbus]\n%s\n", keys);
	assert_int_equal(bf_profile_parse(text, strlen(text), "test", &p, &err), BF_E_USAGE);
	if (!strstr(err.cause, why))
		fail_msg("'%s' does not say '%s'", err.cause, why);
}

static void accepted(const char *keys)
{
	struct bf_profile p;
	struct bf_err err;
	char text[256];

	bf_err_init(&err);
	bf_profile_default(&p);
	snprintf(text, sizeof(text), "[modbus]\n%s\n", keys);
	if (bf_profile_parse(text, strlen(text), "test", &p, &err))
		fail_msg("%s", err.cause);
}

static void values_that_are_none_are_refused_with_the_profile(void **state)
{
	(void)state;
	refused("model = 0x1400", "a register, a format");
	refused("model = 0x1400 text 65", "a register, a format");
	accepted("model = 0x1400 text 64");
	accepted("model = 0xFFFF text 2");
	accepted("enter-values = 0xFFFF");
	refused("model = 0x1400 text 0", "a register, a format");
	refused("model = 0x14000 text 6", "a register, a format");
	refused("model = 0x1400 text 6 7", "a register, a format");
	refused("model = 0x1400 rot13 6", "a register, a format");
	refused("serial = 0x1400 u16", "format of versions");
	refused("version = 0x1400 u16 4", "a register, a format");
	refused("version = 0x1400 number 9", "a register, a format");
	refused("alarms = 0x1400 text 4", "number of up to 4 bytes");
	refused("enter-values = 0x10000", "1 to 8 numbers");
	refused("enter-values = 1,2,3,4,5,6,7,8,9", "1 to 8 numbers");
	refused("enter-function = 6\nenter-values = 1, 2", "one value");
}

static void a_version_in_decimal_digits_and_one_as_a_number(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "version = 0x10 bcd 2\n");
	fake_once(b.peer, FRAME(1, 3, 0, 0x10, 0, 1), FRAME(1, 3, 2, 0x19, 0x99), 0);
	assert_string_equal(identify(&b).version_text, "19.99");
	fake_once(b.peer, FRAME(1, 3, 0, 0x10, 0, 1), FRAME(1, 3, 2, 0x91, 0x0A), 0);
	assert_false(identify(&b).has_version);
	stop(&b);
	start(&b, "version = 0x10 number 2\n");
	fake_once(b.peer, FRAME(1, 3, 0, 0x10, 0, 1), FRAME(1, 3, 2, 0x02, 0x05), 0);
	assert_string_equal(identify(&b).version_text, "517");
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_profile_without_registers_asks_nothing),
		cmocka_unit_test(one_register_shows_that_it_is_there_and_an_exception_is_an_answer),
		cmocka_unit_test(text_ends_at_its_first_zero_and_at_the_bytes_that_belong_to_it),
		cmocka_unit_test(a_version_of_two_parts_is_a_version),
		cmocka_unit_test(numbers_that_are_no_decimal_digits_are_no_version),
		cmocka_unit_test(silence_before_a_request_is_doubled_after_each_that_was_not_heard),
		cmocka_unit_test(the_request_that_enters_is_sent_after_the_silence_and_not_read),
		cmocka_unit_test(a_pack_that_is_not_heard_is_not_told_to_go),
		cmocka_unit_test(function_six_writes_one_register_and_its_refusal_is_named),
		cmocka_unit_test(alarms_of_the_mask_keep_it_where_it_is),
		cmocka_unit_test(without_a_register_there_is_no_request),
		cmocka_unit_test(a_single_byte_of_a_register_is_a_measurement),
		cmocka_unit_test(values_that_are_none_are_refused_with_the_profile),
		cmocka_unit_test(a_version_in_decimal_digits_and_one_as_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
