/* SPDX-License-Identifier: MIT */
/* The pack behind a USB serial port, over the USB/IP protocol as a kernel speaks it. */
#include "smp_host.h"

#include <errno.h>
#include <stdio.h>

#include "sim/usb/usb_serial.h"
#include "sim/usb/usbip.h"

struct bench {
	struct bf_pack *pack;
	struct bf_usb_serial *port;
	struct bf_gadget gadget;
	struct bf_usbip usbip;
	bf_time now;
	uint8_t out[8192];
	size_t n_out;
	char heard[512];
	uint32_t seq;
};

static bool take(void *ctx, const uint8_t *p, size_t len)
{
	struct bench *b = ctx;

	assert_true(len <= sizeof(b->out) - b->n_out);
	memcpy(b->out + b->n_out, p, len);
	b->n_out += len;
	return true;
}

static void listen_in(void *ctx, const char *what)
{
	struct bench *b = ctx;
	size_t n = strlen(b->heard);

	snprintf(b->heard + n, sizeof(b->heard) - n, "%s;", what);
}

static bool pass_time(struct bench *b, bf_time duration)
{
	bf_time end = b->now + duration;

	while (b->gadget.ops->next(b->gadget.dev) <= end) {
		b->now = b->gadget.ops->next(b->gadget.dev);
		b->gadget.ops->run(b->gadget.dev, b->now);
		if (!bf_usbip_settle(&b->usbip, b->now))
			return false;
	}
	b->now = end;
	return true;
}

static void plug_in(struct bench *b, const char *keys)
{
	struct bf_sim_opts opts;
	struct bf_err err;

	memset(b, 0, sizeof(*b));
	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	opts.link = BF_SIM_RS485;
	assert_int_equal(bf_sim_opts_parse(keys, &opts, &err), BF_OK);
	assert_int_equal(bf_pack_new(&opts, &b->pack, &err), BF_OK);
	bf_pack_power(b->pack, true, 0);
	b->port = bf_usb_serial_new(b->pack, listen_in, b, 0);
	b->gadget = bf_usb_serial_gadget(b->port);
	bf_usbip_init(&b->usbip, b->gadget, true);
	b->usbip.send = take;
	b->usbip.ctx = b;
	pass_time(b, BF_SEC(5));
}

static void pull_out(struct bench *b)
{
	bf_usb_serial_free(b->port);
	bf_pack_free(b->pack);
}
#define PLUGGED __attribute__((cleanup(pull_out))) struct bench

/* CMD_SUBMIT */
static uint32_t submit(struct bench *b, bool in, unsigned endpoint, const void *setup,
		       const void *data, size_t len)
{
	uint8_t p[48 + 1024];
	struct bf_out o = bf_out(p, sizeof(p));

	bf_out_be32(&o, 1);
	bf_out_be32(&o, ++b->seq);
	bf_out_be32(&o, BF_USBIP_DEVID);
	bf_out_be32(&o, in);
	bf_out_be32(&o, endpoint);
	bf_out_be32(&o, 0);
	bf_out_be32(&o, (uint32_t)len);
	bf_out_bytes(&o, "\0\0\0\0\0\0\0\0\0\0\0", 12);
	bf_out_bytes(&o, setup ? setup : "\0\0\0\0\0\0\0", 8);
	if (!in)
		bf_out_bytes(&o, data, len);
	assert_true(bf_usbip_push(&b->usbip, p, o.len, b->now));
	return b->seq;
}

static void control(struct bench *b, uint8_t request, uint16_t value, const void *data, uint8_t len)
{
	uint8_t setup[8] = { 0x21, request, (uint8_t)value, (uint8_t)(value >> 8), 0, 0, len, 0 };

	b->n_out = 0;
	submit(b, false, 0, setup, data, len);
	assert_int_equal(bf_get_be32(b->out + 20), 0);
}

static void set_line(struct bench *b, uint32_t rate, uint8_t parity)
{
	uint8_t p[7] = { 0, 0, 0, 0, 0, parity, 8 };

	bf_put_le32(p, rate);
	control(b, 0x20, 0, p, sizeof(p));
}

static void set_modem(struct bench *b, bool dtr, bool rts)
{
	control(b, 0x22, (uint16_t)(dtr | rts << 1), NULL, 0);
	pass_time(b, BF_MS(20));
}

/* TesterPresent in ISO 14230 framing, and what comes back within half a second. */
static size_t ask(struct bench *b, uint8_t dst[64])
{
	static const uint8_t present[] = { 0x82, 0x11, 0xf1, 0x3e, 0x00, 0xc2 };
	uint32_t writes = submit(b, false, 2, NULL, present, sizeof(present));
	size_t len = 0;

	for (int i = 0; i < 10 && len < 6; i++) {
		b->n_out = 0;
		submit(b, true, 2, NULL, NULL, 64);
		pass_time(b, BF_MS(100));
		for (size_t at = 0; at + 48 <= b->n_out;) {
			uint32_t n = bf_get_be32(b->out + at + 24);

			if (bf_get_be32(b->out + at + 4) != writes) {
				memcpy(dst + len, b->out + at + 48, n);
				len += n;
				at += n;
			}
			at += 48;
		}
	}
	return len;
}

static bool answers(struct bench *b)
{
	uint8_t got[64];

	return ask(b, got) == 6 && memcmp(got, "\x82\xf1\x11\x7e\x00\x02", 6) == 0;
}

static void it_is_a_communication_device_with_two_interfaces(void **arg)
{
	static const uint8_t get[] = { 0x80, 6, 0, 2, 0, 0, 255, 0 };
	PLUGGED b;

	(void)arg;
	plug_in(&b, "");
	submit(&b, true, 0, get, NULL, 255);
	assert_int_equal(bf_get_be32(b.out + 24), 67);
	assert_memory_equal(b.out + 48, "\x09\x02\x43\x00\x02", 5);
	assert_memory_equal(b.out + 48 + 9 + 5, "\x02\x02", 2);
}

static void a_list_of_devices_names_both_interfaces(void **arg)
{
	static const uint8_t ask_list[] = { 0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0 };
	PLUGGED b;

	(void)arg;
	plug_in(&b, "");
	bf_usbip_init(&b.usbip, b.gadget, false);
	b.usbip.send = take;
	b.usbip.ctx = &b;
	assert_true(bf_usbip_push(&b.usbip, ask_list, sizeof(ask_list), b.now));
	assert_memory_equal(b.out + b.n_out - 8, "\x02\x02\x00\x00\x0a\x00\x00\x00", 8);
}

static void the_right_line_carries_a_request_and_its_answer(void **arg)
{
	PLUGGED b;

	(void)arg;
	plug_in(&b, "");
	set_line(&b, 115200, 0);
	assert_true(answers(&b));
	assert_string_equal(b.heard, "line 115200 8N1;");
}

static void a_rate_or_parity_that_is_not_the_packs_is_garbage(void **arg)
{
	PLUGGED b;

	(void)arg;
	plug_in(&b, "parity=even");
	set_line(&b, 115200, 0);
	assert_false(answers(&b));
	set_line(&b, 9600, 2);
	assert_false(answers(&b));
	set_line(&b, 115200, 1);
	assert_false(answers(&b));
	pass_time(&b, BF_SEC(1));
	set_line(&b, 115200, 2);
	(void)answers(&b); /* what was garbage may have begun a frame */
	pass_time(&b, BF_SEC(1));
	assert_true(answers(&b));
}

static void what_is_sent_is_done_when_it_has_left_the_line(void **arg)
{
	uint8_t data[960] = { 0 };
	PLUGGED b;

	(void)arg;
	plug_in(&b, "rate=9600");
	set_line(&b, 9600, 0);
	b.n_out = 0;
	submit(&b, false, 2, NULL, data, sizeof(data)); /* a second of line */
	assert_int_equal(b.n_out, 0);
	pass_time(&b, BF_MS(900));
	assert_int_equal(b.n_out, 0);
	pass_time(&b, BF_MS(100));
	assert_int_equal(b.n_out, 48);
	assert_int_equal(bf_get_be32(b.out + 24), sizeof(data));
}

static void a_read_that_is_taken_back_takes_no_bytes(void **arg)
{
	uint8_t p[48] = { 0, 0, 0, 2, 0, 0, 1, 0 };
	PLUGGED b;

	(void)arg;
	plug_in(&b, "");
	set_line(&b, 115200, 0);
	bf_put_be32(p + 20, submit(&b, true, 2, NULL, NULL, 64));
	b.n_out = 0;
	assert_true(bf_usbip_push(&b.usbip, p, sizeof(p), b.now));
	assert_int_equal((int32_t)bf_get_be32(b.out + 20), -ECONNRESET);
	assert_true(answers(&b));
}

static void opening_and_closing_a_port_resets_no_board_that_is_wired_crosswise(void **arg)
{
	PLUGGED b;
	unsigned starts;

	(void)arg;
	plug_in(&b, "lines=cross");
	starts = bf_pack_starts(b.pack);
	set_modem(&b, true, true);
	set_modem(&b, false, false);
	assert_int_equal(bf_pack_starts(b.pack), starts);
}

static void rts_resets_and_dtr_enters_the_loader(void **arg)
{
	static const char *const keys[] = { "lines=cross", "lines=direct" };

	(void)arg;
	for (size_t i = 0; i < BF_COUNT(keys); i++) {
		PLUGGED b;

		plug_in(&b, keys[i]);
		set_modem(&b, i == 1, true); /* crosswise RTS alone, else both */
		assert_int_equal(bf_pack_mode(b.pack), BF_PACK_OFF);
		set_modem(&b, true, false);
		pass_time(&b, BF_SEC(2));
		assert_int_equal(bf_pack_mode(b.pack), BF_PACK_LOADER);
		set_modem(&b, false, true);
		set_modem(&b, false, false);
		pass_time(&b, BF_SEC(2));
		assert_int_equal(bf_pack_mode(b.pack), BF_PACK_APP);
	}
}

static void a_long_break_enters_the_loader_and_a_short_one_does_not(void **arg)
{
	PLUGGED b;

	(void)arg;
	plug_in(&b, "break=loader");
	control(&b, 0x23, 20, NULL, 0);
	pass_time(&b, BF_SEC(2));
	assert_int_equal(bf_pack_mode(b.pack), BF_PACK_APP);
	control(&b, 0x23, 0xffff, NULL, 0); /* on */
	pass_time(&b, BF_MS(250));
	control(&b, 0x23, 0, NULL, 0); /* and off */
	pass_time(&b, BF_SEC(2));
	assert_int_equal(bf_pack_mode(b.pack), BF_PACK_LOADER);
	assert_string_equal(b.heard, "break 20 ms;break 250 ms;");
}

static void a_port_of_the_packs_own_leaves_at_a_restart_and_comes_back_as_another(void **arg)
{
	static const uint8_t get[] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	PLUGGED b;
	unsigned before;

	(void)arg;
	plug_in(&b, "replug=other");
	before = b.gadget.ops->enumeration(b.gadget.dev);
	bf_pack_restart_to_loader(b.pack, b.now);
	pass_time(&b, BF_MS(100));
	assert_false(b.gadget.ops->present(b.gadget.dev));
	pass_time(&b, BF_SEC(2));
	assert_true(b.gadget.ops->present(b.gadget.dev));
	assert_int_equal(b.gadget.ops->enumeration(b.gadget.dev), before + 1);
	b.n_out = 0;
	submit(&b, true, 0, get, NULL, 18);
	assert_int_equal(bf_get_le16(b.out + 48 + 10), 0x0005);
}

/* {"boot_mode": 1}, to a pack whose firmware and bootloader speak SMP through its own chip. */
static void a_reset_over_smp_brings_the_port_back_as_another_device(void **arg)
{
	static const uint8_t reset[] = { 2,   0,   0,   12,  0,   0,   1,   5,   0xA1, 0x69,
					 'b', 'o', 'o', 't', '_', 'm', 'o', 'd', 'e',  1 };
	static const uint8_t get[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
	char wire[200];
	size_t len = smp_frame(wire, reset, sizeof(reset), 93, "\n");
	uint8_t rx[200];
	PLUGGED b;

	(void)arg;
	plug_in(&b, "model=both,replug=other");
	assert_int_equal(b.gadget.ops->out(b.gadget.dev, 2, (const uint8_t *)wire, len, b.now),
			 len);
	pass_time(&b, BF_MS(100));
	assert_in_range(b.gadget.ops->in(b.gadget.dev, 2, rx, sizeof(rx), b.now), 20, 40);
	assert_true(b.gadget.ops->present(b.gadget.dev));
	pass_time(&b, BF_MS(250));
	assert_false(b.gadget.ops->present(b.gadget.dev));
	pass_time(&b, BF_SEC(2));
	assert_true(b.gadget.ops->present(b.gadget.dev));
	assert_int_equal(bf_pack_mode(b.pack), BF_PACK_LOADER);
	b.n_out = 0;
	submit(&b, true, 0, get, NULL, 18);
	assert_int_equal(bf_get_le16(b.out + 48 + 10), 0x0005);
}

static void a_port_of_the_packs_own_lets_go_of_its_reset_line(void **arg)
{
	PLUGGED b;

	(void)arg;
	plug_in(&b, "replug=same,lines=cross");
	set_modem(&b, false, true);
	assert_false(b.gadget.ops->present(b.gadget.dev));
	pass_time(&b, BF_SEC(2));
	assert_true(b.gadget.ops->present(b.gadget.dev));
	assert_int_equal(bf_pack_mode(b.pack), BF_PACK_APP);
}

static void an_adapter_of_its_own_stays_while_the_pack_restarts(void **arg)
{
	PLUGGED b;

	(void)arg;
	plug_in(&b, "");
	bf_pack_restart(b.pack, BF_PACK_BY_REQUEST, b.now);
	pass_time(&b, BF_MS(50));
	assert_true(b.gadget.ops->present(b.gadget.dev));
	assert_int_equal(b.gadget.ops->enumeration(b.gadget.dev), 1);
}

static void a_transfer_of_an_endpoint_that_is_not_there_is_refused(void **arg)
{
	PLUGGED b;

	(void)arg;
	plug_in(&b, "");
	submit(&b, true, 5, NULL, NULL, 64);
	assert_int_equal((int32_t)bf_get_be32(b.out + 20), -EPIPE);
	b.n_out = 0;
	submit(&b, false, 9, NULL, "x", 1);
	assert_int_equal((int32_t)bf_get_be32(b.out + 20), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_communication_device_with_two_interfaces),
		cmocka_unit_test(a_list_of_devices_names_both_interfaces),
		cmocka_unit_test(the_right_line_carries_a_request_and_its_answer),
		cmocka_unit_test(a_rate_or_parity_that_is_not_the_packs_is_garbage),
		cmocka_unit_test(what_is_sent_is_done_when_it_has_left_the_line),
		cmocka_unit_test(a_read_that_is_taken_back_takes_no_bytes),
		cmocka_unit_test(
			opening_and_closing_a_port_resets_no_board_that_is_wired_crosswise),
		cmocka_unit_test(rts_resets_and_dtr_enters_the_loader),
		cmocka_unit_test(a_long_break_enters_the_loader_and_a_short_one_does_not),
		cmocka_unit_test(
			a_port_of_the_packs_own_leaves_at_a_restart_and_comes_back_as_another),
		cmocka_unit_test(a_reset_over_smp_brings_the_port_back_as_another_device),
		cmocka_unit_test(a_port_of_the_packs_own_lets_go_of_its_reset_line),
		cmocka_unit_test(an_adapter_of_its_own_stays_while_the_pack_restarts),
		cmocka_unit_test(a_transfer_of_an_endpoint_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
