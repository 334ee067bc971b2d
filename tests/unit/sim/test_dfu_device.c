/* SPDX-License-Identifier: MIT */
/* The pack as a USB device with DFU 1.1, on virtual time. */
#include "usb_host.h"

static void update_to_1_5_0(struct bf_transport *t)
{
	const struct bf_builtin *b = builtin("1.5.0");

	to_dfu_mode(t);
	put_image(t, b->p, b->len, 1024);
	assert_int_equal(manifest(t).state, MANIFEST);
	reset(t);
	reopen(t);
}

static void running_firmware_shows_its_version_and_the_way_in(void **arg)
{
	PLUGGED *t = plug("");
	struct bf_usb_device d = device(t);

	(void)arg;
	assert_int_equal(d.vid, 0x1209);
	assert_int_equal(d.pid, 0x0001);
	assert_int_equal(d.bcd_device, 0x0130);
	assert_string_equal(d.serial, "BX16-000001");
	assert_string_equal(d.port_path, "1-1");
	assert_int_equal(d.config_len, 27);
	assert_memory_equal(d.config + 9, "\x09\x04\x00\x00\x00\xfe\x01\x01\x04", 9);
	assert_memory_equal(d.config + 18, "\x09\x21\x0b\xe8\x03\x00\x04\x10\x01", 9);
	assert_int_equal(state(t), APP_IDLE);
}

static void detach_brings_it_back_as_another_device(void **arg)
{
	PLUGGED *t = plug("");
	uint8_t address = device(t).address;
	bf_time before = bf_now(t->clock);

	(void)arg;
	to_dfu_mode(t);
	assert_true(bf_now(t->clock) - before >= BF_MS(300));
	assert_int_equal(device(t).pid, 0x0002);
	assert_int_not_equal(device(t).address, address);
	assert_int_equal(device(t).config[16], 2); /* bInterfaceProtocol */
	assert_int_equal(state(t), IDLE);
	assert_int_equal(t->stats.reopened, 1);
}

static void an_open_handle_dies_with_the_device(void **arg)
{
	PLUGGED *t = plug("");
	uint8_t s[6];

	(void)arg;
	control(t, false, DETACH, 1000, NULL, 0);
	bf_clock_until(t->clock, bf_in(t->clock, BF_SEC(5)));
	assert_int_equal(control(t, true, GETSTATUS, 0, s, 6), -BF_E_GONE);
	reopen(t);
	assert_int_equal(control(t, true, GETSTATUS, 0, s, 6), 6);
}

static void an_image_is_started_on_trial_and_proves_itself(void **arg)
{
	PLUGGED *t = plug("");

	(void)arg;
	update_to_1_5_0(t);
	assert_int_equal(device(t).bcd_device, 0x0150);
	assert_true(bf_pack_on_trial(bf_sim_usb_pack(t)));
	bf_clock_until(t->clock, bf_in(t->clock, BF_SEC(2)));
	assert_false(bf_pack_on_trial(bf_sim_usb_pack(t)));
	assert_int_equal(device(t).bcd_device, 0x0150);
}

static void firmware_that_fails_its_test_gives_way_to_the_old(void **arg)
{
	PLUGGED *t = plug("selftest=fail");

	(void)arg;
	update_to_1_5_0(t);
	assert_int_equal(device(t).bcd_device, 0x0150);
	reopen(t);
	assert_int_equal(device(t).bcd_device, 0x0130);
}

static void the_running_image_can_be_read(void **arg)
{
	PLUGGED *t = plug("");
	const struct bf_builtin *b = builtin("1.3.0");
	uint8_t buf[1024];
	size_t total = 0;
	uint16_t block = 0;
	int n;

	(void)arg;
	to_dfu_mode(t);
	do {
		n = control(t, true, UPLOAD, block++, buf, sizeof(buf));
		assert_true(n >= 0 && total + (size_t)n <= b->len);
		assert_memory_equal(buf, b->p + total, (size_t)n);
		total += (size_t)n;
	} while (n == sizeof(buf));
	assert_int_equal(total, b->len);
	assert_int_equal(state(t), IDLE);
}

static void a_block_takes_its_flash_time(void **arg)
{
	PLUGGED *t = plug("");
	uint8_t buf[1024];
	uint8_t s[6];

	(void)arg;
	to_dfu_mode(t);
	memcpy(buf, builtin("1.5.0")->p, sizeof(buf));
	control(t, false, DNLOAD, 0, buf, sizeof(buf));
	control(t, true, GETSTATUS, 0, s, 6);
	assert_int_equal(s[4], DNBUSY);
	assert_in_range(s[1], 22, 34); /* a page erased, the words of 1 KiB that are not FF */
	/* Asking before that is a mistake that DFU 1.1 punishes. */
	assert_int_equal(control(t, true, GETSTATUS, 0, s, 6), -BF_E_NAK);
	assert_int_equal(status(t).state, ERROR);
	assert_int_equal(status(t).code, ERR_STALLED);
	assert_int_equal(control(t, false, CLRSTATUS, 0, NULL, 0), 0);
	assert_int_equal(state(t), IDLE);
}

static void requests_in_the_wrong_state_are_stalled(void **arg)
{
	PLUGGED *t = plug("");
	uint8_t buf[8] = { 0 };

	(void)arg;
	assert_int_equal(control(t, false, DNLOAD, 0, buf, 8), -BF_E_NAK);
	assert_int_equal(state(t), APP_IDLE);
	to_dfu_mode(t);
	assert_int_equal(control(t, false, DNLOAD, 0, NULL, 0), -BF_E_NAK);
	assert_int_equal(status(t).code, ERR_STALLED);
	assert_int_equal(control(t, false, ABORT, 0, NULL, 0), -BF_E_NAK);
	assert_int_equal(control(t, false, CLRSTATUS, 0, NULL, 0), 0);
	assert_int_equal(control(t, false, 99, 0, NULL, 0), -BF_E_NAK);
}

static void a_repeated_block_is_noticed(void **arg)
{
	PLUGGED *t = plug("");
	const uint8_t *p = builtin("1.5.0")->p;

	(void)arg;
	to_dfu_mode(t);
	put(t, 0, p, 1024);
	assert_int_equal(put(t, 0, p, 1024).code, ERR_UNKNOWN);
}

static void what_is_no_image_is_refused_at_once(void **arg)
{
	PLUGGED *t = plug("");
	uint8_t junk[64] = { 0 };

	(void)arg;
	to_dfu_mode(t);
	assert_int_equal(put(t, 0, junk, sizeof(junk)).code, ERR_FILE);
}

static void a_damaged_image_is_refused_at_the_end(void **arg)
{
	PLUGGED *t = plug("");
	const struct bf_builtin *b = builtin("1.5.0");
	BF_AUTO_MEM uint8_t *copy = malloc(b->len);

	(void)arg;
	memcpy(copy, b->p, b->len);
	copy[20000] ^= 1;
	to_dfu_mode(t);
	put_image(t, copy, b->len, 1024);
	assert_int_equal(manifest(t).code, ERR_VERIFY);
	assert_int_equal(state(t), ERROR);
	reset(t);
	reopen(t);
	assert_int_equal(device(t).bcd_device, 0x0130);
}

static void a_short_download_is_not_done(void **arg)
{
	PLUGGED *t = plug("");

	(void)arg;
	to_dfu_mode(t);
	put_image(t, builtin("1.5.0")->p, 8192, 1024);
	assert_int_equal(manifest(t).code, ERR_NOTDONE);
}

static void a_low_security_counter_is_refused_in_words(void **arg)
{
	PLUGGED *t = plug("version=1.5.0,counter=5");
	const struct bf_builtin *b = builtin("1.3.0");
	char text[64];
	struct bf_err err;
	struct status s;

	(void)arg;
	bf_err_init(&err);
	to_dfu_mode(t);
	put_image(t, b->p, b->len, 1024);
	s = manifest(t);
	assert_int_equal(s.code, ERR_VENDOR);
	t->ops->usb->string(t, (uint8_t)s.string, text, sizeof(text), bf_in(t->clock, BF_SEC(1)),
			    &err);
	assert_string_equal(text, "security counter too low");
}

static void without_firmware_it_says_so_at_once(void **arg)
{
	PLUGGED *t = plug("version=none");

	(void)arg;
	assert_int_equal(device(t).pid, 0x0002);
	assert_int_equal(status(t).state, ERROR);
	assert_int_equal(status(t).code, ERR_FIRMWARE);
	control(t, false, CLRSTATUS, 0, NULL, 0);
	assert_int_equal(state(t), IDLE);
}

static void a_reset_leaves_dfu_mode(void **arg)
{
	PLUGGED *t = plug("");

	(void)arg;
	to_dfu_mode(t);
	reset(t);
	reopen(t);
	assert_int_equal(device(t).pid, 0x0001);
	assert_int_equal(state(t), APP_IDLE);
}

static void without_read_back_upload_is_not_offered(void **arg)
{
	PLUGGED *t = plug("quirk=noread");
	uint8_t buf[64];

	(void)arg;
	to_dfu_mode(t);
	assert_int_equal(device(t).config[20] & 2, 0);
	assert_int_equal(control(t, true, UPLOAD, 0, buf, sizeof(buf)), -BF_E_NAK);
}

static void power_that_goes_during_a_block_leaves_the_old_firmware(void **arg)
{
	PLUGGED *t = plug("repower=500");
	uint8_t buf[1024], s[6];

	(void)arg;
	to_dfu_mode(t);
	put_image(t, builtin("1.5.0")->p, 4096, 1024);
	bf_pack_cut_at(bf_sim_usb_pack(t), 5);
	memcpy(buf, builtin("1.5.0")->p + 4096, sizeof(buf));
	control(t, false, DNLOAD, 4, buf, sizeof(buf));
	assert_int_equal(control(t, true, GETSTATUS, 0, s, 6), -BF_E_GONE);
	reopen(t);
	assert_int_equal(device(t).bcd_device, 0x0130);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(running_firmware_shows_its_version_and_the_way_in),
		cmocka_unit_test(detach_brings_it_back_as_another_device),
		cmocka_unit_test(an_open_handle_dies_with_the_device),
		cmocka_unit_test(an_image_is_started_on_trial_and_proves_itself),
		cmocka_unit_test(firmware_that_fails_its_test_gives_way_to_the_old),
		cmocka_unit_test(the_running_image_can_be_read),
		cmocka_unit_test(a_block_takes_its_flash_time),
		cmocka_unit_test(requests_in_the_wrong_state_are_stalled),
		cmocka_unit_test(a_repeated_block_is_noticed),
		cmocka_unit_test(what_is_no_image_is_refused_at_once),
		cmocka_unit_test(a_damaged_image_is_refused_at_the_end),
		cmocka_unit_test(a_short_download_is_not_done),
		cmocka_unit_test(a_low_security_counter_is_refused_in_words),
		cmocka_unit_test(without_firmware_it_says_so_at_once),
		cmocka_unit_test(a_reset_leaves_dfu_mode),
		cmocka_unit_test(without_read_back_upload_is_not_offered),
		cmocka_unit_test(power_that_goes_during_a_block_leaves_the_old_firmware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
