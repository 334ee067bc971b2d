/* SPDX-License-Identifier: MIT */
/* Modbus RTU byte by byte, on virtual time. */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/crc.h"
#include "bmsflash/modbus.h"
#include "fake.h"

struct line {
	struct bf_clock *clock;
	struct fake *peer;
	struct bf_modbus m;
	struct bf_err err;
	uint16_t values[8];
};

static void start(struct line *l)
{
	*l = (struct line){ .clock = bf_vclock_new() };
	bf_err_init(&l->err);
	l->peer = fake_stream_new(l->clock);
	l->m = (struct bf_modbus){
		.wire = fake_transport(l->peer), .node = 0x11, .timeout = BF_MS(300), .attempts = 2
	};
}

static void stop(struct line *l)
{
	fake_free(l->peer);
	bf_clock_free(l->clock);
}

/* Text of a frame with its checksum behind it. */
static const char *framed(char dst[256], const uint8_t *p, size_t len)
{
	uint16_t crc = (uint16_t)bf_crc(&bf_crc16_modbus, p, len);
	char *at = dst;

	for (size_t i = 0; i < len; i++)
		at += sprintf(at, "%02X ", p[i]);
	sprintf(at, "%02X %02X", crc & 0xFF, crc >> 8);
	return dst;
}

#define FRAME(dst, ...) \
	framed(dst, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static enum bf_rc read_two(struct line *l)
{
	return bf_modbus_read(&l->m, BF_MODBUS_READ_HOLDING, 0x6B, 2, l->values, &l->err);
}

/* The checksum of "123456789", and a request as other programs send it. */
static void the_checksum_is_the_one_of_the_field(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(bf_crc(&bf_crc16_modbus, "123456789", 9), 0x4B37);
	assert_string_equal(FRAME(text, 0x01, 0x04, 0x00, 0x64, 0x00, 0x01),
			    "01 04 00 64 00 01 70 15");
}

static void registers_are_read_from_either_table(void **state)
{
	char ask[256], say[256];
	struct line l;

	(void)state;
	start(&l);
	fake_once(l.peer, FRAME(ask, 0x11, 3, 0, 0x6B, 0, 2),
		  FRAME(say, 0x11, 3, 4, 0x02, 0x2B, 0x00, 0x64), BF_MS(5));
	assert_int_equal(read_two(&l), BF_OK);
	assert_int_equal(l.values[0], 0x022B);
	assert_int_equal(l.values[1], 0x0064);
	fake_once(l.peer, FRAME(ask, 0x11, 4, 0, 8, 0, 1), FRAME(say, 0x11, 4, 2, 0, 0x0A),
		  BF_MS(5));
	assert_int_equal(bf_modbus_read(&l.m, BF_MODBUS_READ_INPUT, 8, 1, l.values, &l.err), BF_OK);
	assert_int_equal(l.values[0], 0x0A);
	assert_int_equal(fake_unused(l.peer), 0);
	stop(&l);
}

static void registers_are_written_one_or_many(void **state)
{
	static const uint16_t values[] = { 0x000A, 0x0102 };
	char ask[256], say[256];
	struct line l;

	(void)state;
	start(&l);
	fake_once(l.peer, FRAME(ask, 0x11, 6, 0, 1, 0, 3), FRAME(say, 0x11, 6, 0, 1, 0, 3),
		  BF_MS(5));
	assert_int_equal(bf_modbus_write_one(&l.m, 1, 3, &l.err), BF_OK);
	fake_once(l.peer, FRAME(ask, 0x11, 16, 0, 1, 0, 2, 4, 0, 0x0A, 1, 2),
		  FRAME(say, 0x11, 16, 0, 1, 0, 2), BF_MS(5));
	assert_int_equal(bf_modbus_write(&l.m, 1, values, 2, &l.err), BF_OK);
	assert_int_equal(fake_unused(l.peer), 0);
	stop(&l);
}

static enum bf_rc (*whole_read)(struct bf_transport *t, uint8_t *buf, size_t cap, size_t *ret_len,
				bf_time deadline, struct bf_err *err);

static enum bf_rc read_a_byte(struct bf_transport *t, uint8_t *buf, size_t cap, size_t *ret_len,
			      bf_time deadline, struct bf_err *err)
{
	return whole_read(t, buf, cap ? 1 : 0, ret_len, deadline, err);
}

static void a_frame_that_comes_byte_by_byte_is_put_together(void **state)
{
	struct bf_transport_ops ops;
	struct bf_stream_ops stream;
	char ask[256], say[256];
	struct line l;

	(void)state;
	start(&l);
	ops = *l.m.wire->ops;
	stream = *ops.stream;
	whole_read = stream.read;
	stream.read = read_a_byte;
	ops.stream = &stream;
	l.m.wire->ops = &ops;
	fake_once(l.peer, FRAME(ask, 0x11, 3, 0, 0x6B, 0, 2),
		  FRAME(say, 0x11, 3, 4, 0x02, 0x2B, 0x00, 0x64), BF_MS(5));
	assert_int_equal(read_two(&l), BF_OK);
	assert_int_equal(l.values[1], 0x64);
	stop(&l);
}

static void noise_before_a_request_is_dropped(void **state)
{
	char ask[256], say[256];
	struct line l;

	(void)state;
	start(&l);
	fake_say(l.peer, "FF 00 11 03", 0);
	fake_once(l.peer, FRAME(ask, 0x11, 3, 0, 0x6B, 0, 2),
		  FRAME(say, 0x11, 3, 4, 0x02, 0x2B, 0x00, 0x64), BF_MS(5));
	assert_int_equal(read_two(&l), BF_OK);
	assert_int_equal(l.values[0], 0x022B);
	stop(&l);
}

static void a_damaged_answer_is_asked_for_once_more(void **state)
{
	char ask[256], say[256];
	struct line l;

	(void)state;
	start(&l);
	fake_once(l.peer, FRAME(ask, 0x11, 3, 0, 0x6B, 0, 2), "11 03 04 02 2B 00 65 C8 BA",
		  BF_MS(5));
	fake_once(l.peer, ask, FRAME(say, 0x11, 3, 4, 0x02, 0x2B, 0x00, 0x64), BF_MS(5));
	assert_int_equal(read_two(&l), BF_OK);
	assert_int_equal(l.values[1], 0x64);
	stop(&l);
}

static void the_answer_to_another_request_is_none(void **state)
{
	char ask[256], say[256];
	struct line l;

	(void)state;
	start(&l);
	l.m.attempts = 1;
	fake_once(l.peer, FRAME(ask, 0x11, 3, 0, 0x6B, 0, 2),
		  FRAME(say, 0x12, 3, 4, 0x02, 0x2B, 0x00, 0x64), BF_MS(5));
	assert_int_equal(read_two(&l), BF_E_LINK);
	assert_non_null(strstr(l.err.cause, "another node"));
	fake_once(l.peer, ask, FRAME(say, 0x11, 4, 4, 0x02, 0x2B, 0x00, 0x64), BF_MS(5));
	assert_int_equal(read_two(&l), BF_E_LINK);
	fake_once(l.peer, ask, FRAME(say, 0x11, 3, 6, 0x02, 0x2B, 0x00, 0x64), BF_MS(5));
	assert_int_equal(read_two(&l), BF_E_LINK);
	stop(&l);
}

static void an_exception_is_told_by_its_name_and_not_repeated(void **state)
{
	char ask[256], say[256];
	struct line l;

	(void)state;
	start(&l);
	fake_once(l.peer, FRAME(ask, 0x11, 3, 0, 0x6B, 0, 2), FRAME(say, 0x11, 0x83, 6), BF_MS(5));
	assert_int_equal(read_two(&l), BF_E_NAK);
	assert_int_equal(l.err.dev_code, 6);
	assert_string_equal(l.err.dev_name, "SERVER DEVICE BUSY");
	assert_string_equal(bf_modbus_exception(BF_MODBUS_ILLEGAL_ADDRESS), "ILLEGAL DATA ADDRESS");
	assert_null(bf_modbus_exception(7));
	assert_null(bf_modbus_exception(99));
	stop(&l);
}

static void a_write_without_an_answer_is_not_made_again(void **state)
{
	struct line l;

	(void)state;
	start(&l);
	assert_int_equal(bf_modbus_write_one(&l.m, 1, 3, &l.err), BF_E_TIMEOUT);
	assert_null(strchr(strchr(fake_heard(l.peer), '\n') + 1, '\n'));
	stop(&l);
}

static void more_registers_than_a_frame_holds_are_refused(void **state)
{
	static uint16_t values[BF_MODBUS_READ_MAX + 1];
	struct line l;

	(void)state;
	start(&l);
	assert_int_equal(bf_modbus_read(&l.m, BF_MODBUS_READ_INPUT, 0, BF_MODBUS_READ_MAX + 1,
					values, &l.err),
			 BF_E_INTERNAL);
	assert_int_equal(bf_modbus_write(&l.m, 0, values, BF_MODBUS_WRITE_MAX + 1, &l.err),
			 BF_E_INTERNAL);
	assert_string_equal(fake_heard(l.peer), "");
	stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksum_is_the_one_of_the_field),
		cmocka_unit_test(registers_are_read_from_either_table),
		cmocka_unit_test(registers_are_written_one_or_many),
		cmocka_unit_test(a_frame_that_comes_byte_by_byte_is_put_together),
		cmocka_unit_test(noise_before_a_request_is_dropped),
		cmocka_unit_test(a_damaged_answer_is_asked_for_once_more),
		cmocka_unit_test(the_answer_to_another_request_is_none),
		cmocka_unit_test(an_exception_is_told_by_its_name_and_not_repeated),
		cmocka_unit_test(a_write_without_an_answer_is_not_made_again),
		cmocka_unit_test(more_registers_than_a_frame_holds_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
