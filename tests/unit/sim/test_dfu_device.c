/* SPDX-License-Identifier: MIT */
/* The pack as a USB device, asked by control transfers on virtual time as a host would. */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/transport.h"
#include "builtin.h"
#include "pack.h"
#include "usb_wire.h"

enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT };
enum {
	APP_IDLE,
	APP_DETACH,
	IDLE,
	DNLOAD_SYNC,
	DNBUSY,
	DNLOAD_IDLE,
	MANIFEST_SYNC,
	MANIFEST,
	WAIT_RESET,
	UPLOAD_IDLE,
	ERROR
};

#define ERR_WRITE    0x03
#define ERR_VERIFY   0x07
#define ERR_ADDRESS  0x08
#define ERR_NOTDONE  0x09
#define ERR_FIRMWARE 0x0a
#define ERR_VENDOR   0x0b
#define ERR_UNKNOWN  0x0e
#define ERR_STALLED  0x0f
#define ERR_FILE     0x02

#define APP_RAW 0x08010200u

struct status {
	unsigned code, state, string;
	bf_time poll;
};

/* The wire alone: the sim layer does not lean on the drivers' archive. */
static void unplug(struct bf_transport **t)
{
	(*t)->ops->close(*t);
}
#define PLUGGED __attribute__((cleanup(unplug))) struct bf_transport

static struct bf_transport *plug(const char *keys)
{
	struct bf_open_env env = { 0 };
	struct bf_sim_opts opts;
	struct bf_transport *t = NULL;
	struct bf_pack *pack = NULL;
	struct bf_err err;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	opts.protocol = BF_SIM_DFU;
	opts.link = BF_SIM_USB;
	assert_int_equal(bf_sim_opts_parse(keys, &opts, &err), BF_OK);
	assert_int_equal(bf_pack_new(&opts, &pack, &err), BF_OK);
	assert_int_equal(bf_sim_usb_open(pack, bf_vclock_new(), &env, &t, &err), BF_OK);
	return t;
}

/* Bytes moved, or minus an enum bf_rc. */
static int control(struct bf_transport *t, bool in, uint8_t request, uint16_t value, void *data,
		   size_t len)
{
	struct bf_usb_setup setup = { in ? 0xa1 : 0x21, request, value, 0 };
	struct bf_err err;
	enum bf_rc rc;
	size_t n = 0;

	bf_err_init(&err);
	rc = t->ops->usb->control(t, &setup, data, len, &n, bf_in(t->clock, BF_SEC(1)), &err);
	return rc ? -(int)rc : (int)n;
}

static struct status status(struct bf_transport *t)
{
	uint8_t p[6];

	assert_int_equal(control(t, true, GETSTATUS, 0, p, sizeof(p)), 6);
	return (struct status){ p[0], p[4], p[5], BF_MS(p[1] | p[2] << 8 | p[3] << 16) };
}

static unsigned state(struct bf_transport *t)
{
	uint8_t s;

	assert_int_equal(control(t, true, GETSTATE, 0, &s, 1), 1);
	return s;
}

static struct bf_usb_device device(struct bf_transport *t)
{
	struct bf_usb_device d;
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(t->ops->usb->device(t, &d, &err), BF_OK);
	return d;
}

static void reset(struct bf_transport *t)
{
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(t->ops->usb->reset(t, bf_in(t->clock, BF_SEC(1)), &err), BF_OK);
}

static void reopen(struct bf_transport *t)
{
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(t->ops->usb->reopen(t, bf_in(t->clock, BF_SEC(30)), &err), BF_OK);
}

static void to_dfu_mode(struct bf_transport *t)
{
	assert_int_equal(control(t, false, DETACH, 1000, NULL, 0), 0);
	reopen(t);
}

/* Waits as long as the device says; returns where it ends. */
static struct status settle(struct bf_transport *t)
{
	struct status s = status(t);

	while (s.state == DNBUSY) {
		assert_true(bf_clock_until(t->clock, bf_in(t->clock, s.poll)));
		s = status(t);
	}
	return s;
}

static struct status put(struct bf_transport *t, uint16_t block, const void *p, size_t len)
{
	uint8_t buf[2048];

	memcpy(buf, p, len);
	assert_int_equal(control(t, false, DNLOAD, block, buf, len), len);
	return settle(t);
}

static const struct bf_builtin *builtin(const char *version)
{
	for (const struct bf_builtin *b = bf_builtins; b->version; b++)
		if (!strcmp(b->version, version))
			return b;
	fail_msg("no firmware %s", version);
	return NULL;
}

static void put_image(struct bf_transport *t, const uint8_t *p, size_t len, size_t xfer)
{
	uint16_t block = 0;

	for (size_t at = 0; at < len; at += xfer) {
		struct status s = put(t, block++, p + at, len - at < xfer ? len - at : xfer);

		assert_int_equal(s.code, 0);
		assert_int_equal(s.state, DNLOAD_IDLE);
	}
}

static struct status manifest(struct bf_transport *t)
{
	struct status s;

	assert_int_equal(control(t, false, DNLOAD, 0, NULL, 0), 0);
	s = status(t);
	assert_true(bf_clock_until(t->clock, bf_in(t->clock, s.poll)));
	return s;
}

static void update_to_1_5_0(struct bf_transport *t)
{
	const struct bf_builtin *b = builtin("1.5.0");

	to_dfu_mode(t);
	put_image(t, b->p, b->len, 1024);
	assert_int_equal(manifest(t).state, MANIFEST);
	reset(t);
	reopen(t);
}

/* ---- DFU 1.1 ---- */

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

/* ---- DfuSe ---- */

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
