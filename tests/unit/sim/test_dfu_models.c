/* SPDX-License-Identifier: MIT */
/* Devices as others ship them, driven by a host that knows what each of them needs. */
#include "usb_host.h"

#include <stdio.h>

#include "sim/dfu/dfu_device.h"

#define APP      0x08010000u
#define ERR_BUSY (-(int)BF_E_BUSY)

static const char *const models[] = { "stm32app",    "tinyusb", "dapboot", "zephyr",
				      "zephyr-next", "mcuboot", "maple",   "cherryusb",
				      "st-rom",      "stm32f4", "gd32",    "opencm3" };

static struct bf_transport *plug_model(const char *model, const char *more)
{
	char keys[128];

	snprintf(keys, sizeof(keys), "model=%s%s%s", model, *more ? "," : "", more);
	return plug(keys);
}

static enum bf_rc claim(struct bf_transport *t, uint8_t alt)
{
	struct bf_err err;

	bf_err_init(&err);
	return t->ops->usb->claim(t, 0, alt, &err);
}

static enum bf_rc come_back(struct bf_transport *t, bf_time within)
{
	struct bf_err err;

	bf_err_init(&err);
	return t->ops->usb->reopen(t, bf_in(t->clock, within), &err);
}

static void name_of_alt(struct bf_transport *t, unsigned alt, char dst[128])
{
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(t->ops->usb->string(t, device(t).config[9 + 9 * alt + 8], dst, 128,
					     bf_in(t->clock, BF_SEC(1)), &err),
			 BF_OK);
}

/* What the functional descriptor of the configuration says. */
static const uint8_t *functional(struct bf_transport *t)
{
	struct bf_usb_device d = device(t);
	const uint8_t *p = d.config;

	while (p < d.config + d.config_len && p[1] != 0x21)
		p += p[0];
	assert_true(p < d.config + d.config_len);
	return p;
}

static void into_loader(struct bf_transport *t)
{
	bool leaves = functional(t)[2] & 8;

	claim(t, 0);
	(void)control(t, false, DETACH, 1000, NULL, 0);
	if (!leaves)
		reset(t);
	assert_int_equal(come_back(t, BF_SEC(5)), BF_OK);
	assert_int_equal(device(t).config[16], 2);
}

/* Asks until the device has done what it has to do, as slowly as it wants to be asked. */
static struct status until_done(struct bf_transport *t)
{
	struct status s = { .poll = BF_MS(100) };
	uint8_t p[6];

	for (unsigned stalls = 0; stalls < 30;) {
		if (control(t, true, GETSTATUS, 0, p, sizeof(p)) == 6) {
			s = (struct status){ p[0], p[4], p[5],
					     BF_MS(p[1] | p[2] << 8 | p[3] << 16) };
			if (s.state != DNBUSY && s.state != DNLOAD_SYNC)
				return s;
		} else {
			stalls++;
			s.poll = BF_MS(100);
		}
		assert_true(bf_clock_until(t->clock, bf_in(t->clock, s.poll)));
	}
	fail_msg("stalls for ever");
	return s;
}

static struct status send_block(struct bf_transport *t, uint16_t block, const void *p, size_t len)
{
	uint8_t buf[2048];

	memcpy(buf, p, len);
	assert_int_equal(control(t, false, DNLOAD, block, buf, len), len);
	return until_done(t);
}

static struct status command(struct bf_transport *t, uint8_t code, uint32_t addr)
{
	uint8_t p[5] = { code };

	bf_put_le32(p + 1, addr);
	return send_block(t, 0, p, sizeof(p));
}

static void send_image(struct bf_transport *t, size_t xfer)
{
	const struct bf_builtin *b = builtin("1.5.0");
	uint16_t block = 0;

	for (size_t at = 0; at < b->len; at += xfer) {
		struct status s =
			send_block(t, block++, b->p + at, b->len - at < xfer ? b->len - at : xfer);

		assert_int_equal(s.code, 0);
		assert_int_equal(s.state, DNLOAD_IDLE);
	}
}

static void power_off_and_on(struct bf_transport *t)
{
	struct bf_pack *pack = bf_sim_usb_pack(t);

	bf_pack_power(pack, false, bf_now(t->clock));
	bf_clock_until(t->clock, bf_in(t->clock, BF_MS(100)));
	bf_pack_power(pack, true, bf_now(t->clock));
}

static void runs_1_5_0(struct bf_transport *t)
{
	assert_int_equal(come_back(t, BF_SEC(10)), BF_OK);
	assert_int_equal(device(t).bcd_device, 0x0150);
	assert_int_equal(device(t).config[16], 1);
}

static void every_model_comes_with_a_signed_image_and_a_way_into_its_loader(void **arg)
{
	(void)arg;
	for (size_t i = 0; i < BF_COUNT(models); i++) {
		PLUGGED *t = plug_model(models[i], "");

		assert_int_equal(device(t).bcd_device, 0x0130);
		assert_memory_equal(bf_pack_view(bf_sim_usb_pack(t), APP, 64), builtin("1.3.0")->p,
				    64);
		into_loader(t);
		assert_int_equal(bf_dfu_device_outside(bf_sim_usb_pack(t), APP, 1), 0);
	}
}

/* How a stream ends, and what has to be done then. */
enum ending { LEAVES, RESET_ONCE, DETACH_AGAIN, ASK_ONCE, POWER };

static const struct {
	const char *model;
	uint8_t alt;
	size_t xfer;
	enum ending ending;
} streams[] = {
	{ "tinyusb", 0, 512, DETACH_AGAIN }, { "dapboot", 0, 1024, LEAVES },
	{ "zephyr", 1, 128, POWER },         { "zephyr-next", 1, 512, RESET_ONCE },
	{ "mcuboot", 1, 128, RESET_ONCE },   { "maple", 1, 1024, RESET_ONCE },
	{ "cherryusb", 0, 1024, ASK_ONCE },
};

static void end_stream(struct bf_transport *t, enum ending ending)
{
	uint8_t p[6];

	assert_int_equal(control(t, false, DNLOAD, 0, NULL, 0), 0);
	while (control(t, true, GETSTATUS, 0, p, sizeof(p)) == 6) {
		bool over = p[4] == IDLE || p[4] == WAIT_RESET;

		bf_clock_until(t->clock, bf_in(t->clock, BF_MS(p[1] | p[2] << 8) + BF_MS(1)));
		if (over)
			break;
	}
	if (ending == RESET_ONCE)
		reset(t);
	else if (ending == DETACH_AGAIN)
		assert_int_equal(control(t, false, DETACH, 1000, NULL, 0), 0);
	else if (ending == ASK_ONCE)
		(void)control(t, true, GETSTATUS, 0, p, sizeof(p));
	else if (ending == POWER)
		power_off_and_on(t);
}

static void every_stream_takes_a_signed_image_and_is_started_in_its_own_way(void **arg)
{
	(void)arg;
	for (size_t i = 0; i < BF_COUNT(streams); i++) {
		PLUGGED *t = plug_model(streams[i].model, "");

		into_loader(t);
		assert_int_equal(claim(t, streams[i].alt), BF_OK);
		send_image(t, streams[i].xfer);
		end_stream(t, streams[i].ending);
		runs_1_5_0(t);
	}
}

static const struct {
	const char *model;
	uint8_t alt;
	uint32_t sector;
	size_t xfer;
} memories[] = {
	{ "stm32app", 0, 2048, 2048 }, { "st-rom", 1, 2048, 2048 },  { "stm32f4", 0, 65536, 2048 },
	{ "gd32", 0, 1024, 2048 },     { "opencm3", 0, 1024, 1024 },
};

/* Block number 2 and the pointer before each: right for every arithmetic. */
static void write_by_address(struct bf_transport *t, uint32_t sector, size_t xfer)
{
	const struct bf_builtin *b = builtin("1.5.0");

	for (uint32_t at = 0; at < b->len; at += sector)
		assert_int_equal(command(t, 0x41, APP + at).state, DNLOAD_IDLE);
	for (uint32_t at = 0; at < b->len; at += (uint32_t)xfer) {
		assert_int_equal(command(t, 0x21, APP + at).state, DNLOAD_IDLE);
		assert_int_equal(
			send_block(t, 2, b->p + at, b->len - at < xfer ? b->len - at : xfer).code,
			0);
	}
}

static void every_dfuse_model_takes_a_signed_image_and_loses_nothing_beside_it(void **arg)
{
	(void)arg;
	for (size_t i = 0; i < BF_COUNT(memories); i++) {
		PLUGGED *t = plug_model(memories[i].model, "");
		char name[128];

		into_loader(t);
		claim(t, memories[i].alt);
		name_of_alt(t, memories[i].alt, name);
		assert_memory_equal(name, "@Internal Flash", 15);
		write_by_address(t, memories[i].sector, memories[i].xfer);
		assert_int_equal(
			bf_dfu_device_outside(bf_sim_usb_pack(t), APP, builtin("1.5.0")->len), 0);
		(void)control(t, false, DNLOAD, 0, NULL, 0);
		(void)control(t, true, GETSTATUS, 0, name, 6);
		runs_1_5_0(t);
	}
}

static void an_application_says_dfu_1_1_and_its_loader_speaks_dfuse(void **arg)
{
	PLUGGED *t = plug_model("stm32app", "");

	(void)arg;
	assert_memory_equal(functional(t), "\x09\x21\x0b\xe8\x03\x00\x10\x10\x01", 9);
	into_loader(t);
	assert_memory_equal(functional(t), "\x09\x21\x03\xff\x00\x00\x08\x1a\x01", 9);
	assert_int_equal(device(t).vid, 0x0483);
	assert_int_equal(device(t).pid, 0xdf11);
	assert_string_equal(device(t).serial, "207A35903056");
}

static void an_erase_takes_the_whole_sector_and_the_judge_names_what_was_beside(void **arg)
{
	PLUGGED *t = plug_model("stm32f4", "");
	const struct bf_pack *pack = bf_sim_usb_pack(t);

	(void)arg;
	assert_memory_equal(bf_pack_view(pack, 0x0800c000, 8), "settings", 8);
	assert_memory_equal(bf_pack_view(pack, 0x08020000, 8), "counters", 8);
	into_loader(t);
	command(t, 0x41, 0x08018000);
	assert_int_equal(bf_dfu_device_outside(pack, APP, 43000), 0);
	assert_int_equal(*bf_pack_view(pack, APP, 1), 0xff);
	assert_int_equal(*bf_pack_view(pack, 0x0801ffff, 1), 0xff);
	assert_memory_equal(bf_pack_view(pack, 0x0800c000, 8), "settings", 8);
	command(t, 0x41, 0x08020000);
	assert_int_equal(bf_dfu_device_outside(pack, APP, 43000), 0x08020000);
	assert_int_equal(*bf_pack_view(pack, 0x08020000, 1), 0xff);
}

static void a_long_erase_is_one_command_with_its_own_time(void **arg)
{
	PLUGGED *t = plug_model("stm32f4", "");
	bf_time before;

	(void)arg;
	into_loader(t);
	before = bf_now(t->clock);
	command(t, 0x41, 0x08020000);
	assert_true(bf_now(t->clock) - before >= BF_MS(1000));
	assert_true(bf_now(t->clock) - before < BF_MS(1100));
}

static void without_its_own_loader_a_part_starts_nothing(void **arg)
{
	PLUGGED *t = plug_model("stm32f4", "");

	(void)arg;
	into_loader(t);
	command(t, 0x41, 0x08000000);
	(void)control(t, false, DNLOAD, 0, NULL, 0);
	(void)status(t);
	assert_int_equal(come_back(t, BF_SEC(60)), BF_E_TIMEOUT);
}

static void a_question_between_blocks_ends_the_download_of_maple(void **arg)
{
	PLUGGED *t = plug_model("maple", "");
	const struct bf_builtin *b = builtin("1.5.0");

	(void)arg;
	assert_int_equal(functional(t)[2] & 8, 8);
	into_loader(t);
	assert_memory_equal(functional(t) + 7, "\x1a\x01", 2); /* it says DfuSe */
	claim(t, 1);
	send_block(t, 0, b->p, 1024);
	assert_int_equal(state(t), IDLE);
}

static void maple_takes_nothing_into_its_ram(void **arg)
{
	PLUGGED *t = plug_model("maple", "");
	char name[128];

	(void)arg;
	into_loader(t);
	name_of_alt(t, 0, name);
	assert_non_null(strstr(name, "RAM not supported"));
	claim(t, 0);
	assert_int_equal(send_block(t, 0, "abcd", 4).code, ERR_WRITE);
}

static void a_slot_that_is_chosen_takes_a_download_or_not(void **arg)
{
	PLUGGED *t = plug_model("zephyr", "");
	const struct bf_usb_setup choose = { 0x01, 11, 0, 0 };
	struct bf_err err;
	size_t n;

	(void)arg;
	bf_err_init(&err);
	into_loader(t);
	/* Not chosen: what comes goes into the second slot. */
	assert_int_equal(send_block(t, 0, builtin("1.5.0")->p, 128).code, 0);
	control(t, false, ABORT, 0, NULL, 0);
	t->ops->usb->control(t, &choose, NULL, 0, &n, bf_in(t->clock, BF_SEC(1)), &err);
	assert_int_equal(send_block(t, 0, builtin("1.5.0")->p, 128).code, ERR_WRITE);
}

static void nothing_but_power_starts_what_zephyr_has_taken(void **arg)
{
	PLUGGED *t = plug_model("zephyr", "");

	(void)arg;
	into_loader(t);
	claim(t, 1);
	send_image(t, 128);
	end_stream(t, LEAVES);
	reset(t);
	assert_int_equal(come_back(t, BF_SEC(5)), BF_OK);
	assert_int_equal(device(t).pid, 0xffff);
	claim(t, 1);
	assert_true(control(t, false, DETACH, 1000, NULL, 0) < 0);
	reset(t);
	assert_int_equal(come_back(t, BF_SEC(5)), BF_OK);
	assert_int_equal(device(t).pid, 0xffff);
	power_off_and_on(t);
	runs_1_5_0(t);
}

static void tinyusb_is_left_by_detach_in_the_middle_of_an_upload(void **arg)
{
	PLUGGED *t = plug_model("tinyusb", "");
	uint8_t buf[512];

	(void)arg;
	into_loader(t);
	claim(t, 0);
	assert_int_equal(control(t, true, UPLOAD, 0, buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(state(t), UPLOAD_IDLE);
	assert_int_equal(control(t, false, DETACH, 1000, NULL, 0), 0);
	assert_int_equal(come_back(t, BF_SEC(5)), BF_OK);
	assert_int_equal(device(t).bcd_device, 0x0130);
}

static void an_upload_of_a_partition_is_all_of_it(void **arg)
{
	PLUGGED *t = plug_model("zephyr", "");
	uint8_t buf[128];
	size_t total = 0;
	int n;

	(void)arg;
	into_loader(t);
	claim(t, 0);
	for (uint16_t block = 0; (n = control(t, true, UPLOAD, block, buf, sizeof(buf))) > 0;
	     block++)
		total += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(total, BF_PACK_SLOT_SIZE);
}

static void zephyrs_new_stack_says_where_it_was(void **arg)
{
	PLUGGED *t = plug_model("zephyr-next", "");
	uint8_t buf[512] = { 0 };
	struct status s;

	(void)arg;
	assert_int_equal(bf_get_le16(functional(t) + 3), 0); /* wDetachTimeOut */
	into_loader(t);
	claim(t, 1);
	control(t, false, DNLOAD, 0, buf, sizeof(buf));
	s = status(t);
	assert_int_equal(s.state, DNLOAD_SYNC);
	assert_true(s.poll >= BF_MS(10));
	assert_int_equal(status(t).state, DNLOAD_IDLE);
}

static void mcuboot_answers_nothing_after_the_empty_block(void **arg)
{
	PLUGGED *t = plug_model("mcuboot", "");
	uint8_t p[6];

	(void)arg;
	into_loader(t);
	assert_int_equal(functional(t)[2] & 4, 4); /* and says that it is tolerant */
	claim(t, 1);
	send_image(t, 128);
	assert_int_equal(control(t, false, DNLOAD, 0, NULL, 0), 0);
	assert_int_equal(control(t, true, GETSTATUS, 0, p, 6), -(int)BF_E_TIMEOUT);
	assert_int_equal(control(t, true, GETSTATE, 0, p, 1), -(int)BF_E_TIMEOUT);
	reset(t);
	runs_1_5_0(t);
}

static void cherryusb_takes_clrstatus_alone_when_it_failed(void **arg)
{
	PLUGGED *t = plug_model("cherryusb", "");
	uint8_t buf[1024];
	size_t total = 0;

	(void)arg;
	into_loader(t);
	claim(t, 0);
	for (uint16_t block = 0; control(t, true, UPLOAD, block, buf, sizeof(buf)) == sizeof(buf);
	     block++)
		total += sizeof(buf);
	assert_int_equal(total, BF_PACK_SLOT_SIZE);
	assert_int_equal(control(t, true, GETSTATUS, 0, buf, 6), -(int)BF_E_NAK);
	assert_int_equal(control(t, true, GETSTATE, 0, buf, 1), -(int)BF_E_NAK);
	assert_int_equal(control(t, false, CLRSTATUS, 0, NULL, 0), 0);
	assert_int_equal(state(t), IDLE);
}

static void a_rom_loader_stalls_while_it_erases_and_asks_for_too_little_time(void **arg)
{
	PLUGGED *t = plug_model("st-rom", "");
	uint8_t erase[5] = { 0x41, 0, 0, 1, 8 }, p[6];
	struct status s;

	(void)arg;
	into_loader(t);
	control(t, false, DNLOAD, 0, erase, sizeof(erase));
	s = status(t);
	assert_int_equal(s.state, DNBUSY);
	assert_true(s.poll < BF_MS(22));
	bf_clock_until(t->clock, bf_in(t->clock, s.poll));
	assert_int_equal(control(t, true, GETSTATUS, 0, p, 6), -(int)BF_E_NAK);
	bf_clock_until(t->clock, bf_in(t->clock, BF_MS(30)));
	assert_int_equal(status(t).state, DNLOAD_IDLE);
}

static void a_rom_loader_counts_blocks_in_its_own_size(void **arg)
{
	PLUGGED *t = plug_model("st-rom", "");
	uint8_t buf[2048];

	(void)arg;
	into_loader(t);
	assert_int_equal(bf_get_le16(functional(t) + 5), 2048);
	command(t, 0x21, APP);
	control(t, false, ABORT, 0, NULL, 0);
	assert_int_equal(control(t, true, UPLOAD, 3, buf, sizeof(buf)), sizeof(buf));
	assert_memory_equal(buf, builtin("1.3.0")->p + 1024, sizeof(buf));
}

static void a_rom_loader_has_its_option_bytes_first_and_a_map_that_is_cut(void **arg)
{
	PLUGGED *t = plug_model("st-rom", "");
	uint8_t buf[64];
	char name[128];

	(void)arg;
	into_loader(t);
	name_of_alt(t, 0, name);
	assert_string_equal(name, "@Option Bytes  /0x1FFF7800/01*040 e");
	name_of_alt(t, 1, name);
	assert_int_equal(strlen(name), 63);
	assert_true(name[62] == '0');
	assert_int_equal(command(t, 0x21, 0x1fff7800).code, 0);
	control(t, false, ABORT, 0, NULL, 0);
	assert_int_equal(control(t, true, UPLOAD, 2, buf, sizeof(buf)), 40);
}

static void gd32_erases_half_of_what_its_map_says(void **arg)
{
	PLUGGED *t = plug_model("gd32", "");

	(void)arg;
	into_loader(t);
	command(t, 0x41, APP);
	assert_int_equal(*bf_pack_view(bf_sim_usb_pack(t), APP + 1023, 1), 0xff);
	assert_int_not_equal(bf_pack_touched(bf_sim_usb_pack(t), APP, 1024), 0);
	assert_int_equal(bf_pack_touched(bf_sim_usb_pack(t), APP + 1024, 1024), 0);
}

static void gd32_leaves_on_the_empty_block_without_an_answer(void **arg)
{
	PLUGGED *t = plug_model("gd32", "");

	(void)arg;
	into_loader(t);
	assert_string_equal(device(t).serial, "\xe4\x8c\xb3\xe4\xa9\x82"); /* "3CBJ" by twos */
	assert_int_equal(control(t, false, DNLOAD, 0, NULL, 0), -(int)BF_E_GONE);
	assert_int_equal(come_back(t, BF_SEC(5)), BF_OK);
	assert_int_equal(device(t).bcd_device, 0x0130);
}

static void opencm3_reads_nothing_and_takes_a_tenth_of_a_second_a_block(void **arg)
{
	PLUGGED *t = plug_model("opencm3", "");
	uint8_t p[5] = { 0x21, 0, 0, 1, 8 };

	(void)arg;
	into_loader(t);
	assert_int_equal(functional(t)[2] & 2, 0);
	control(t, false, DNLOAD, 0, p, sizeof(p));
	assert_int_equal(status(t).poll, BF_MS(100));
	assert_true(control(t, true, UPLOAD, 2, p, sizeof(p)) < 0);
}

static void a_protected_part_refuses_all_and_still_leaves(void **arg)
{
	PLUGGED *t = plug_model("st-rom", "habit=protected");
	uint8_t buf[64];

	(void)arg;
	into_loader(t);
	assert_int_equal(command(t, 0x21, APP).code, ERR_VENDOR);
	control(t, false, CLRSTATUS, 0, NULL, 0);
	assert_int_equal(command(t, 0x41, APP).code, ERR_VENDOR);
	control(t, false, CLRSTATUS, 0, NULL, 0);
	assert_int_equal(control(t, true, UPLOAD, 2, buf, sizeof(buf)), -(int)BF_E_NAK);
	control(t, false, CLRSTATUS, 0, NULL, 0);
	assert_int_equal(control(t, false, DNLOAD, 0, NULL, 0), 0);
	assert_int_equal(status(t).state, MANIFEST);
	assert_int_equal(come_back(t, BF_SEC(5)), BF_OK);
	assert_int_equal(device(t).bcd_device, 0x0130);
}

static void habits_change_what_a_device_says_of_itself(void **arg)
{
	PLUGGED *t = plug("protocol=dfuse,version=none,habit=dfu11,habit=protocol0,habit=size0");
	PLUGGED *u = plug("protocol=dfuse,version=none,habit=shortdesc,habit=noproduct");

	(void)arg;
	assert_memory_equal(functional(t) + 5, "\x00\x00\x10\x01", 4);
	assert_int_equal(device(t).config[16], 0);
	assert_int_equal(*functional(u), 7);
	assert_string_equal(device(u).product, "");
	assert_string_equal(device(u).serial, "BX16-000001");
}

static void an_application_without_dfu_counts_requests_that_are_not_for_it(void **arg)
{
	PLUGGED *t = plug("protocol=dfu,habit=noruntime");
	uint8_t p[6];

	(void)arg;
	assert_int_equal(device(t).config[14], 0xff); /* bInterfaceClass */
	assert_int_equal(control(t, true, GETSTATUS, 0, p, 6), -(int)BF_E_NAK);
	assert_int_equal(bf_dfu_device_strays(bf_sim_usb_device(t)), 1);
}

static void a_device_that_stays_leaves_with_the_power_alone(void **arg)
{
	PLUGGED *t = plug_model("stm32app", "habit=stays");

	(void)arg;
	into_loader(t);
	assert_int_equal(control(t, false, DNLOAD, 0, NULL, 0), 0);
	assert_int_equal(status(t).state, MANIFEST);
	bf_clock_until(t->clock, bf_in(t->clock, BF_MS(50)));
	assert_int_equal(status(t).state, IDLE);
	reset(t);
	assert_int_equal(come_back(t, BF_SEC(2)), BF_OK);
	assert_int_equal(device(t).pid, 0xdf11);
	power_off_and_on(t);
	assert_int_equal(come_back(t, BF_SEC(5)), BF_OK);
	assert_int_equal(device(t).bcd_device, 0x0130);
}

static void an_erase_that_is_stuck_is_freed_by_clrstatus_twice(void **arg)
{
	PLUGGED *t = plug_model("stm32app", "habit=stuck");
	uint8_t erase[5] = { 0x41, 0, 0, 1, 8 };

	(void)arg;
	into_loader(t);
	control(t, false, DNLOAD, 0, erase, sizeof(erase));
	for (int i = 0; i < 20; i++) {
		assert_int_equal(status(t).state, DNBUSY);
		bf_clock_until(t->clock, bf_in(t->clock, BF_MS(100)));
	}
	control(t, false, CLRSTATUS, 0, NULL, 0);
	assert_int_equal(status(t).state, ERROR);
	control(t, false, CLRSTATUS, 0, NULL, 0);
	assert_int_equal(status(t).state, IDLE);
	assert_int_equal(*bf_pack_view(bf_sim_usb_pack(t), APP, 1), 0xff);
}

static void new_firmware_may_show_itself_late_or_never(void **arg)
{
	PLUGGED *t = plug_model("dapboot", "show=35000");
	PLUGGED *u = plug_model("dapboot", "habit=hidden");

	(void)arg;
	into_loader(t);
	send_image(t, 1024);
	end_stream(t, LEAVES);
	assert_int_equal(come_back(t, BF_SEC(30)), BF_E_TIMEOUT);
	runs_1_5_0(t);
	into_loader(u);
	send_image(u, 1024);
	end_stream(u, LEAVES);
	assert_int_equal(come_back(u, BF_SEC(600)), BF_E_TIMEOUT);
	assert_int_equal(bf_pack_running(bf_sim_usb_pack(u))->minor, 5);
}

/* ---- the wire ---- */

static void a_device_that_a_reset_did_not_move_is_back_after_half_a_second(void **arg)
{
	PLUGGED *t = plug_model("tinyusb", "version=none");
	bf_time before;

	(void)arg;
	reset(t);
	before = bf_now(t->clock);
	assert_int_equal(come_back(t, BF_SEC(30)), BF_OK);
	assert_true(bf_now(t->clock) - before >= BF_MS(500));
	assert_true(bf_now(t->clock) - before < BF_MS(600));
	/* Nobody reset it: it has to go first. */
	assert_int_equal(come_back(t, BF_SEC(3)), BF_E_TIMEOUT);
}

static void a_class_request_before_the_claim_takes_the_interface_away(void **arg)
{
	PLUGGED *t = plug_model("tinyusb", "version=none");

	(void)arg;
	assert_int_equal(state(t), IDLE);
	assert_int_equal(-(int)claim(t, 0), ERR_BUSY);
	reset(t);
	assert_int_equal(come_back(t, BF_SEC(1)), BF_OK); /* another handle */
	assert_int_equal(claim(t, 0), BF_OK);
	assert_int_equal(state(t), IDLE);
	assert_int_equal(claim(t, 0), BF_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_model_comes_with_a_signed_image_and_a_way_into_its_loader),
		cmocka_unit_test(every_stream_takes_a_signed_image_and_is_started_in_its_own_way),
		cmocka_unit_test(
			every_dfuse_model_takes_a_signed_image_and_loses_nothing_beside_it),
		cmocka_unit_test(an_application_says_dfu_1_1_and_its_loader_speaks_dfuse),
		cmocka_unit_test(
			an_erase_takes_the_whole_sector_and_the_judge_names_what_was_beside),
		cmocka_unit_test(a_long_erase_is_one_command_with_its_own_time),
		cmocka_unit_test(without_its_own_loader_a_part_starts_nothing),
		cmocka_unit_test(a_question_between_blocks_ends_the_download_of_maple),
		cmocka_unit_test(maple_takes_nothing_into_its_ram),
		cmocka_unit_test(a_slot_that_is_chosen_takes_a_download_or_not),
		cmocka_unit_test(nothing_but_power_starts_what_zephyr_has_taken),
		cmocka_unit_test(tinyusb_is_left_by_detach_in_the_middle_of_an_upload),
		cmocka_unit_test(an_upload_of_a_partition_is_all_of_it),
		cmocka_unit_test(zephyrs_new_stack_says_where_it_was),
		cmocka_unit_test(mcuboot_answers_nothing_after_the_empty_block),
		cmocka_unit_test(cherryusb_takes_clrstatus_alone_when_it_failed),
		cmocka_unit_test(a_rom_loader_stalls_while_it_erases_and_asks_for_too_little_time),
		cmocka_unit_test(a_rom_loader_counts_blocks_in_its_own_size),
		cmocka_unit_test(a_rom_loader_has_its_option_bytes_first_and_a_map_that_is_cut),
		cmocka_unit_test(gd32_erases_half_of_what_its_map_says),
		cmocka_unit_test(gd32_leaves_on_the_empty_block_without_an_answer),
		cmocka_unit_test(opencm3_reads_nothing_and_takes_a_tenth_of_a_second_a_block),
		cmocka_unit_test(a_protected_part_refuses_all_and_still_leaves),
		cmocka_unit_test(habits_change_what_a_device_says_of_itself),
		cmocka_unit_test(an_application_without_dfu_counts_requests_that_are_not_for_it),
		cmocka_unit_test(a_device_that_stays_leaves_with_the_power_alone),
		cmocka_unit_test(an_erase_that_is_stuck_is_freed_by_clrstatus_twice),
		cmocka_unit_test(new_firmware_may_show_itself_late_or_never),
		cmocka_unit_test(a_device_that_a_reset_did_not_move_is_back_after_half_a_second),
		cmocka_unit_test(a_class_request_before_the_claim_takes_the_interface_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
