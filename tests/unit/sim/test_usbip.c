/* SPDX-License-Identifier: MIT */
/* The USB/IP server, fed with the bytes of a client and asked byte by byte. */
#include "../unit.h"

#include <errno.h>

#include "bmsflash/bytes.h"
#include "sim/dfu/dfu_device.h"
#include "sim/usb/usbip.h"

struct bench {
	struct bf_pack *pack;
	struct bf_dfu_device *dev;
	struct bf_usbip usbip;
	bf_time now;
	uint8_t out[8192];
	size_t n_out;
	unsigned sends;
};

static bool take(void *ctx, const uint8_t *p, size_t len)
{
	struct bench *b = ctx;

	assert_true(len <= sizeof(b->out) - b->n_out);
	memcpy(b->out + b->n_out, p, len);
	b->n_out += len;
	b->sends++;
	return true;
}

static void pass_time(struct bench *b, bf_time duration)
{
	bf_time end = b->now + duration;

	while (bf_dfu_device_next(b->dev) <= end) {
		b->now = bf_dfu_device_next(b->dev);
		bf_dfu_device_run(b->dev, b->now);
	}
	b->now = end;
}

static void connect(struct bench *b, bool imported)
{
	bf_usbip_init(&b->usbip, bf_dfu_gadget(b->dev), imported);
	b->usbip.send = take;
	b->usbip.ctx = b;
	b->n_out = 0;
}

static int set_up(void **arg)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct bf_sim_opts opts;
	struct bf_err err;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	opts.protocol = BF_SIM_DFU;
	if (bf_pack_new(&opts, &b->pack, &err))
		return -1;
	bf_pack_power(b->pack, true, 0);
	b->dev = bf_dfu_device_new(b->pack, 0);
	pass_time(b, BF_SEC(5));
	connect(b, true);
	*arg = b;
	return 0;
}

static int tear_down(void **arg)
{
	struct bench *b = *arg;

	bf_dfu_device_free(b->dev);
	bf_pack_free(b->pack);
	free(b);
	return 0;
}

static bool push(struct bench *b, const void *p, size_t len)
{
	return bf_usbip_push(&b->usbip, p, len, b->now);
}

/* CMD_SUBMIT for a control transfer */
static size_t urb(uint8_t dst[64], uint32_t seq, bool in, const char setup[8], const void *data)
{
	struct bf_out out = bf_out(dst, 64);
	const uint8_t *s = (const uint8_t *)setup;

	bf_out_be32(&out, 1);
	bf_out_be32(&out, seq);
	bf_out_be32(&out, BF_USBIP_DEVID);
	bf_out_be32(&out, in);
	bf_out_be32(&out, 0); /* endpoint */
	bf_out_be32(&out, 0); /* flags */
	bf_out_be32(&out, bf_get_le16(s + 6));
	bf_out_bytes(&out, "\0\0\0\0\0\0\0\0\0\0\0", 12);
	bf_out_bytes(&out, setup, 8);
	if (data)
		bf_out_bytes(&out, data, bf_get_le16(s + 6));
	assert_false(out.failed);
	return out.len;
}

#define GET_DEVICE  "\x80\x06\x00\x01\x00\x00\x12\x00"
#define FIRST_READ  "\x80\x06\x00\x01\x00\x00\x40\x00"
#define SET_CONFIG  "\x00\x09\x01\x00\x00\x00\x00\x00"
#define GETSTATE    "\xa1\x05\x00\x00\x00\x00\x01\x00"
#define DETACH      "\x21\x00\xe8\x03\x00\x00\x00\x00"
#define BAD_REQUEST "\x21\x63\x00\x00\x00\x00\x00\x00"
#define DNLOAD_4    "\x21\x01\x00\x00\x00\x00\x04\x00"

static void a_control_transfer_is_answered_with_its_number(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[64];

	assert_true(push(b, p, urb(p, 0x1234, true, GET_DEVICE, NULL)));
	assert_int_equal(b->n_out, 48 + 18);
	assert_int_equal(bf_get_be32(b->out), 3);
	assert_int_equal(bf_get_be32(b->out + 4), 0x1234);
	assert_int_equal(bf_get_be32(b->out + 20), 0);
	assert_int_equal(bf_get_be32(b->out + 24), 18);
	assert_memory_equal(b->out + 48, "\x12\x01", 2);
	assert_int_equal(bf_get_le16(b->out + 48 + 12), 0x0130);
}

static void bytes_may_come_one_at_a_time(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[64];
	size_t len = urb(p, 1, true, GETSTATE, NULL);

	for (size_t i = 0; i < len; i++) {
		assert_int_equal(b->n_out, 0);
		assert_true(push(b, p + i, 1));
	}
	assert_int_equal(b->n_out, 49);
	assert_int_equal(b->out[48], 0);
}

static void two_requests_in_one_read_give_two_answers(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[128];
	size_t len = urb(p, 1, true, GETSTATE, NULL);

	len += urb(p + len, 2, true, GETSTATE, NULL);
	assert_true(push(b, p, len));
	assert_int_equal(b->sends, 2);
	assert_int_equal(bf_get_be32(b->out + 49 + 4), 2);
}

static void a_stall_is_a_broken_pipe(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[64];

	assert_true(push(b, p, urb(p, 1, false, BAD_REQUEST, NULL)));
	assert_int_equal((int32_t)bf_get_be32(b->out + 20), -EPIPE);
	assert_int_equal(b->n_out, 48);
}

static void an_unlink_ends_what_was_never_answered(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[48] = { 0, 0, 0, 2, 0, 0, 0, 9 };

	assert_true(push(b, p, sizeof(p)));
	assert_int_equal(b->n_out, 48);
	assert_int_equal(bf_get_be32(b->out), 4);
	assert_int_equal(bf_get_be32(b->out + 4), 9);
	assert_int_equal((int32_t)bf_get_be32(b->out + 20), -ECONNRESET);
}

static void the_first_read_of_an_enumeration_stands_for_a_bus_reset(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[64];

	push(b, p, urb(p, 1, false, SET_CONFIG, NULL));
	push(b, p, urb(p, 2, false, DETACH, NULL));
	pass_time(b, BF_SEC(2));
	assert_int_equal(bf_dfu_device_enumeration(b->dev), 2);
	/* In DFU mode: enumeration leaves it there, a later reset starts the firmware. */
	assert_true(push(b, p, urb(p, 3, true, FIRST_READ, NULL)));
	assert_true(push(b, p, urb(p, 4, false, SET_CONFIG, NULL)));
	assert_false(push(b, p, urb(p, 5, true, FIRST_READ, NULL)));
	pass_time(b, BF_SEC(2));
	assert_int_equal(bf_dfu_device_enumeration(b->dev), 3);
}

static void a_device_that_left_ends_the_connection(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[64];

	bf_pack_power(b->pack, false, b->now);
	assert_false(push(b, p, urb(p, 1, true, GETSTATE, NULL)));
	assert_int_equal(b->n_out, 0);
}

static void more_data_than_fits_ends_the_connection(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[64];
	size_t len = urb(p, 1, false, DNLOAD_4, "abcd");

	bf_put_be32(p + 24, BF_USBIP_MAX_DATA + 1);
	assert_false(push(b, p, len));
}

static void a_length_that_contradicts_the_setup_packet_is_refused(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[64];
	size_t len = urb(p, 1, false, DNLOAD_4, "abcd");

	bf_put_be32(p + 24, 2);
	assert_true(push(b, p, len - 2));
	assert_int_equal((int32_t)bf_get_be32(b->out + 20), -EINVAL);
}

static void only_endpoint_0_is_there(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[64];
	size_t len = urb(p, 1, true, GETSTATE, NULL);

	bf_put_be32(p + 16, 1);
	assert_true(push(b, p, len));
	assert_int_equal((int32_t)bf_get_be32(b->out + 20), -EPIPE);
}

static void the_list_names_the_device(void **arg)
{
	static const uint8_t ask[8] = { 0x01, 0x11, 0x80, 0x05 };
	struct bench *b = *arg;

	connect(b, false);
	assert_true(push(b, ask, sizeof(ask)));
	assert_int_equal(b->n_out, 8 + 4 + 312 + 4);
	assert_memory_equal(b->out, "\x01\x11\x00\x05\0\0\0\0\0\0\0\1", 12);
	assert_string_equal((char *)b->out + 12 + 256, BF_USBIP_BUSID);
	assert_int_equal(bf_get_be32(b->out + 12 + 296), BF_USBIP_SPEED);
	assert_int_equal(bf_get_be16(b->out + 12 + 300), 0x1209);
	assert_memory_equal(b->out + 12 + 312, "\xfe\x01\x00\x00", 4);
}

static void after_an_import_urbs_follow_at_once(void **arg)
{
	struct bench *b = *arg;
	uint8_t p[8 + 32 + 64] = { 0x01, 0x11, 0x80, 0x03 };

	connect(b, false);
	memcpy(p + 8, BF_USBIP_BUSID, sizeof(BF_USBIP_BUSID));
	assert_true(push(b, p, 40 + urb(p + 40, 7, true, GETSTATE, NULL)));
	assert_int_equal(b->n_out, 8 + 312 + 49);
	assert_memory_equal(b->out, "\x01\x11\x00\x03\0\0\0\0", 8);
	assert_int_equal(bf_get_be32(b->out + 320 + 4), 7);
}

static void another_device_cannot_be_imported(void **arg)
{
	uint8_t p[8 + 32] = { 0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0, '2', '-', '2' };
	struct bench *b = *arg;

	connect(b, false);
	assert_false(push(b, p, sizeof(p)));
	assert_memory_equal(b->out, "\x01\x11\x00\x03\0\0\0\1", 8);
}

static void another_version_or_operation_ends_the_connection(void **arg)
{
	struct bench *b = *arg;

	connect(b, false);
	assert_false(push(b, "\x01\x06\x80\x05\0\0\0\0", 8));
	connect(b, false);
	assert_false(push(b, "\x01\x11\x80\x77\0\0\0\0", 8));
	connect(b, true);
	assert_false(push(b, (uint8_t[48]){ 0, 0, 0, 9 }, 48));
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(a_control_transfer_is_answered_with_its_number),
		ROW(bytes_may_come_one_at_a_time),
		ROW(two_requests_in_one_read_give_two_answers),
		ROW(a_stall_is_a_broken_pipe),
		ROW(an_unlink_ends_what_was_never_answered),
		ROW(the_first_read_of_an_enumeration_stands_for_a_bus_reset),
		ROW(a_device_that_left_ends_the_connection),
		ROW(more_data_than_fits_ends_the_connection),
		ROW(a_length_that_contradicts_the_setup_packet_is_refused),
		ROW(only_endpoint_0_is_there),
		ROW(the_list_names_the_device),
		ROW(after_an_import_urbs_follow_at_once),
		ROW(another_device_cannot_be_imported),
		ROW(another_version_or_operation_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
