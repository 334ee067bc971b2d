/* SPDX-License-Identifier: MIT */
/* The ROM bootloader on a CAN bus. */
#include "stm32_tester.h"

static void can_open(struct rom_tester *r, const char *keys, uint32_t rate)
{
	struct bf_open_env env = { .bitrate = rate };
	struct bf_err err;
	char address[200];

	snprintf(address, sizeof(address), "sim:protocol=stm32,link=can,%s", keys);
	bf_err_init(&err);
	if (bf_driver_sim.open(&env, address, &r->t, &err))
		fail_msg("%s: %s", address, err.cause);
	r->pack = bf_sim_pack(r->t);
}

static void put(struct rom_tester *r, uint32_t id, const char *hex)
{
	struct bf_frame f = { .id = id };
	struct bf_err err;
	size_t len;

	bf_err_init(&err);
	assert_true(bf_unhex(hex, f.data, 8, &len));
	f.len = (uint8_t)len;
	assert_int_equal(r->t->ops->bus->send(r->t, &f, bf_in(r->t->clock, BF_SEC(1)), &err),
			 BF_OK);
}

/* "id:data" of all frames until the bus was silent for so long, divided by blanks. */
static const char *hear(struct rom_tester *r, bf_time silence)
{
	static char text[4096];
	struct bf_frame f;
	struct bf_err err;
	size_t n = 0;

	bf_err_init(&err);
	text[0] = '\0';
	while (!r->t->ops->bus->recv(r->t, &f, bf_in(r->t->clock, silence), &err)) {
		char data[17];

		bf_hex(data, sizeof(data), f.data, f.len);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%02x:%s", n ? " " : "",
				      (unsigned)f.id, data);
	}
	return text;
}

static void ask(struct rom_tester *r, uint32_t id, const char *hex, const char *want)
{
	put(r, id, hex);
	assert_string_equal(hear(r, BF_MS(40)), want);
}

static void it_answers_nothing_until_it_is_called(void **state)
{
	OPENED r;

	(void)state;
	can_open(&r, "model=f407", 125000);
	ask(&r, 0x02, "", "");
	ask(&r, 0x79, "", "79:79");
	ask(&r, 0x79, "", "79:1f");
	ask(&r, 0x02, "", "02:79 02:0413 02:79");
	ask(&r, 0x01, "", "01:79 01:31 01:0000 01:79");
}

static void get_tells_commands_one_a_frame(void **state)
{
	OPENED r;

	(void)state;
	can_open(&r, "model=f103", 125000);
	ask(&r, 0x79, "", "79:79");
	ask(&r, 0x00, "",
	    "00:79 00:0c 00:22 00:00 00:01 00:02 00:03 00:11 00:21 00:31 00:43 00:63 00:73 00:82 "
	    "00:92 00:79");
}

static void it_begins_at_125_kbit_s_whatever_the_application_uses(void **state)
{
	OPENED r;

	(void)state;
	can_open(&r, "model=f407,rate=500000", 500000);
	ask(&r, 0x79, "", "");
}

static void speed_is_acknowledged_at_the_old_rate_and_at_the_new_one(void **state)
{
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	for (int old = 0; old < 2; old++) {
		OPENED r;

		can_open(&r, old ? "model=f103" : "model=f407", 125000);
		ask(&r, 0x79, "", "79:79");
		ask(&r, 0x03, "05", "03:1f");
		put(&r, 0x03, "03");
		assert_string_equal(hear(&r, BF_MS(40)), "03:79");
		/* Its controller sends it until somebody hears it. */
		assert_int_equal(r.t->ops->bus->set_bitrate(r.t, 500000, 0, &err), BF_OK);
		assert_string_equal(hear(&r, BF_MS(40)), old ? "02:79" : "03:79");
		ask(&r, 0x01, "", old ? "01:79 01:22 01:0000 01:79" : "01:79 01:31 01:0000 01:79");
	}
}

static void what_is_written_frame_by_frame_is_read_back(void **state)
{
	OPENED r;

	(void)state;
	can_open(&r, "model=f407", 125000);
	ask(&r, 0x79, "", "79:79");
	ask(&r, 0x31, "080e00000b", "31:79");
	ask(&r, 0x04, "0102030405060708", "31:79");
	ask(&r, 0x04, "090a0b0c", "31:79 31:79");
	ask(&r, 0x11, "080e00000b", "11:79 11:0102030405060708 11:090a0b0c 11:79");
	assert_int_equal(*bf_pack_view(r.pack, 0x080e000b, 1), 0x0c);
	ask(&r, 0x11, "4000000003", "11:1f");
	ask(&r, 0x31, "1fff000003", "31:1f");
}

static void pages_come_in_the_erase_frame_or_after_a_count(void **state)
{
	OPENED list, count;

	(void)state;
	can_open(&list, "model=f103", 125000);
	ask(&list, 0x79, "", "79:79");
	put(&list, 0x43, "4041");
	assert_string_equal(hear(&list, BF_MS(100)), "43:79 43:79");
	assert_int_equal(bf_rom_outside(list.pack, 0x08010000, 0x800), 0);
	assert_int_equal(*bf_pack_view(list.pack, 0x08010400, 1), 0xff);
	can_open(&count, "model=f407", 125000);
	ask(&count, 0x79, "", "79:79");
	ask(&count, 0x43, "00", "43:79");
	put(&count, 0x43, "04");
	assert_string_equal(hear(&count, BF_SEC(1)), "43:79 43:79");
	assert_int_equal(bf_rom_outside(count.pack, 0x08010000, 0x10000), 0);
	ask(&count, 0x43, "00", "43:79");
	ask(&count, 0x43, "0c", "43:79 43:1f"); /* there are twelve */
}

static void everything_is_erased_by_ff(void **state)
{
	OPENED r;

	(void)state;
	can_open(&r, "model=f407", 125000);
	ask(&r, 0x79, "", "79:79");
	put(&r, 0x43, "ff");
	assert_string_equal(hear(&r, BF_SEC(7)), "43:79");
	assert_string_equal(hear(&r, BF_SEC(2)), "43:79");
	assert_int_equal(*bf_pack_view(r.pack, 0x08000000, 1), 0xff);
}

static void readout_protection_refuses_on_can_too(void **state)
{
	OPENED r;

	(void)state;
	can_open(&r, "model=f407,rdp=1,boot0=high", 125000);
	ask(&r, 0x79, "", "79:79");
	ask(&r, 0x11, "0800000007", "11:1f");
	ask(&r, 0x43, "ff", "43:1f");
	put(&r, 0x92, "");
	assert_string_equal(hear(&r, BF_SEC(9)), "92:79 92:79");
	ask(&r, 0x79, "", "79:79");
	ask(&r, 0x11, "0800000003", "11:79 11:ffffffff 11:79");
}

static void go_starts_the_application_at_its_own_rate(void **state)
{
	struct bf_err err;
	OPENED r;

	(void)state;
	bf_err_init(&err);
	can_open(&r, "model=f407,rate=250000", 125000);
	ask(&r, 0x79, "", "79:79");
	ask(&r, 0x21, "08000000", "21:79");
	rom_wait(&r, BF_SEC(1));
	assert_int_equal(bf_pack_mode(r.pack), BF_PACK_APP);
	assert_int_equal(r.t->ops->bus->set_bitrate(r.t, 250000, 0, &err), BF_OK);
	ask(&r, 0x7e0, "023e00cccccccccc", "7e8:027e00cccccccccc");
	ask(&r, 0x79, "", "");
}

static void keys_refuse_and_lose_frames(void **state)
{
	OPENED n, l, b;

	(void)state;
	can_open(&n, "model=f407,nack=2", 125000);
	ask(&n, 0x79, "", "79:79");
	ask(&n, 0x02, "", "02:79 02:0413 02:79");
	ask(&n, 0x02, "", "02:1f");
	can_open(&l, "model=f103,quirk=loseack", 125000);
	ask(&l, 0x79, "", "79:79");
	put(&l, 0x43, "40");
	assert_string_equal(hear(&l, BF_MS(100)), "43:79");
	assert_int_equal(*bf_pack_view(l.pack, 0x08010000, 1), 0xff);
	can_open(&b, "model=f407,losebyte=2", 125000);
	ask(&b, 0x79, "", "79:79");
	ask(&b, 0x02, "", "");
	ask(&b, 0x02, "", "02:79 02:0413 02:79");
}

static void power_may_go_in_the_middle(void **state)
{
	OPENED r;

	(void)state;
	can_open(&r, "model=f103,cutop=1", 125000);
	ask(&r, 0x79, "", "79:79");
	put(&r, 0x43, "40");
	assert_string_equal(hear(&r, BF_MS(100)), "");
	assert_int_equal(bf_pack_mode(r.pack), BF_PACK_OFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_answers_nothing_until_it_is_called),
		cmocka_unit_test(get_tells_commands_one_a_frame),
		cmocka_unit_test(it_begins_at_125_kbit_s_whatever_the_application_uses),
		cmocka_unit_test(speed_is_acknowledged_at_the_old_rate_and_at_the_new_one),
		cmocka_unit_test(what_is_written_frame_by_frame_is_read_back),
		cmocka_unit_test(pages_come_in_the_erase_frame_or_after_a_count),
		cmocka_unit_test(everything_is_erased_by_ff),
		cmocka_unit_test(readout_protection_refuses_on_can_too),
		cmocka_unit_test(go_starts_the_application_at_its_own_rate),
		cmocka_unit_test(keys_refuse_and_lose_frames),
		cmocka_unit_test(power_may_go_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
