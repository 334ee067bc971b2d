/* SPDX-License-Identifier: MIT */
/* The pack as a USB device with DfuSe, on virtual time. */
#include "usb_host.h"

static struct status set_address(struct bf_transport *t, uint8_t command, uint32_t addr)
{
	uint8_t p[5] = { command };

	bf_put_le32(p + 1, addr);
	return put(t, 0, p, sizeof(p));
}

static void dfuse_names_its_memory(void **arg)
{
	PLUGGED *t = plug("protocol=dfuse");
	char text[64];
	struct bf_err err;

	(void)arg;
	bf_err_init(&err);
	control(t, false, DETACH, 1000, NULL, 0);
	assert_int_equal(state(t), APP_DETACH);
	reset(t);
	reopen(t);
	assert_int_equal(device(t).vid, 0x0483);
	assert_int_equal(device(t).pid, 0xdf11);
	assert_int_equal(device(t).config_len, 36);
	t->ops->usb->string(t, device(t).config[17], text, sizeof(text), bf_in(t->clock, BF_SEC(1)),
			    &err);
	assert_string_equal(text, "@Internal Flash  /0x08000000/32*002Ka,256*002Kg");
	t->ops->usb->string(t, device(t).config[26], text, sizeof(text), bf_in(t->clock, BF_SEC(1)),
			    &err);
	assert_string_equal(text, "@Calibration  /0x08112000/04*002Ka");
}

static void a_detach_without_a_reset_is_forgotten(void **arg)
{
	PLUGGED *t = plug("protocol=dfuse");

	(void)arg;
	control(t, false, DETACH, 200, NULL, 0);
	bf_clock_until(t->clock, bf_in(t->clock, BF_MS(300)));
	assert_int_equal(state(t), APP_IDLE);
}

static void dfuse_takes_plain_firmware_by_address(void **arg)
{
	PLUGGED *t = plug("protocol=dfuse");
	const struct bf_builtin *b = builtin("1.5.0");
	const uint8_t *raw = b->p + 0x200;
	uint32_t size = bf_get_le32(b->p + 12);

	(void)arg;
	control(t, false, DETACH, 1000, NULL, 0);
	reset(t);
	reopen(t);
	for (uint32_t at = 0; at < size + 0x200; at += 2048)
		assert_int_equal(set_address(t, 0x41, 0x08010000 + at).state, DNLOAD_IDLE);
	assert_int_equal(set_address(t, 0x21, APP_RAW).state, DNLOAD_IDLE);
	for (uint32_t at = 0; at < size; at += 2048)
		assert_int_equal(put(t, (uint16_t)(2 + at / 2048), raw + at,
				     size - at < 2048 ? size - at : 2048)
					 .state,
				 DNLOAD_IDLE);
	set_address(t, 0x21, APP_RAW);
	assert_int_equal(manifest(t).state, MANIFEST);
	reopen(t);
	assert_int_equal(device(t).pid, 0x5740);
	assert_int_equal(device(t).bcd_device, 0x0150);
}

static void dfuse_reads_by_address(void **arg)
{
	PLUGGED *t = plug("protocol=dfuse,version=none");
	uint8_t buf[2048];

	(void)arg;
	assert_int_equal(state(t), IDLE);
	assert_int_equal(control(t, true, UPLOAD, 0, buf, 16), 3);
	assert_memory_equal(buf, "\x00\x21\x41", 3);
	set_address(t, 0x21, 0x08112000);
	control(t, false, ABORT, 0, NULL, 0);
	assert_int_equal(control(t, true, UPLOAD, 2, buf, sizeof(buf)), sizeof(buf));
	assert_memory_equal(buf, bf_pack_view(bf_sim_usb_pack(t), 0x08112000, sizeof(buf)),
			    sizeof(buf));
	assert_int_equal(state(t), UPLOAD_IDLE);
}

static void every_dfuse_command_is_busy_for_a_moment(void **arg)
{
	PLUGGED *t = plug("protocol=dfuse,version=none");
	uint8_t p[5] = { 0x21, 0, 2, 1, 8 };

	(void)arg;
	control(t, false, DNLOAD, 0, p, sizeof(p));
	assert_int_equal(status(t).state, DNBUSY);
	assert_true(bf_clock_until(t->clock, bf_in(t->clock, BF_MS(1))));
	assert_int_equal(status(t).state, DNLOAD_IDLE);
}

static void dfuse_protects_what_is_not_firmware(void **arg)
{
	static const struct {
		uint8_t command;
		uint32_t addr;
		unsigned code;
	} rows[] = {
		{ 0x41, 0x08000000, ERR_WRITE },   { 0x41, 0x08112000, ERR_WRITE },
		{ 0x41, 0x20000000, ERR_ADDRESS }, { 0x21, 0x20000000, ERR_ADDRESS },
		{ 0x92, 0, ERR_STALLED },
	};
	PLUGGED *t = plug("protocol=dfuse,version=none");

	(void)arg;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		assert_int_equal(set_address(t, rows[i].command, rows[i].addr).code, rows[i].code);
		control(t, false, CLRSTATUS, 0, NULL, 0);
	}
}

static void a_bus_reset_does_not_start_a_dfuse_pack(void **arg)
{
	PLUGGED *t = plug("protocol=dfuse,version=none");

	(void)arg;
	set_address(t, 0x21, APP_RAW);
	reset(t);
	assert_int_equal(state(t), IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dfuse_names_its_memory),
		cmocka_unit_test(a_detach_without_a_reset_is_forgotten),
		cmocka_unit_test(dfuse_takes_plain_firmware_by_address),
		cmocka_unit_test(dfuse_reads_by_address),
		cmocka_unit_test(every_dfuse_command_is_busy_for_a_moment),
		cmocka_unit_test(dfuse_protects_what_is_not_firmware),
		cmocka_unit_test(a_bus_reset_does_not_start_a_dfuse_pack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
