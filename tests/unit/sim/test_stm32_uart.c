/* SPDX-License-Identifier: MIT */
/* The ROM bootloader on a serial line. */
#include "stm32_tester.h"

#include "sim/xmodem/unit.h"

static const struct bf_line none = { .baud = 115200, .parity = BF_PARITY_NONE };

static void the_first_7f_is_acknowledged_the_second_met_with_silence_the_third_refused(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=f103,link=rs485", NULL);
	rom_ask(&r, "7f", "79");
	rom_ask(&r, "7f", "");
	rom_ask(&r, "7f", "1f");
	rom_ask(&r, "02fd", "7901041079");
}

static void it_takes_the_rate_of_the_first_byte(void **state)
{
	static const uint32_t rates[] = { 1200, 9600, 57600, 230400, 921600 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rates); i++) {
		OPENED r;
		struct bf_line line = { .baud = rates[i], .parity = BF_PARITY_EVEN };

		rom_open(&r, "model=f407,link=rs485", &line);
		rom_ask(&r, "7f", "79");
		rom_send(&r, "02fd");
		assert_string_equal(rom_hear(&r, BF_MS(100)), "7901041379");
	}
}

static void once_taken_the_rate_stays_until_the_next_reset(void **state)
{
	struct bf_line other = { .baud = 57600, .parity = BF_PARITY_EVEN };
	struct bf_err err;
	OPENED r;

	(void)state;
	bf_err_init(&err);
	rom_open(&r, "model=g0b1,link=rs485,boot0=high", NULL);
	rom_sync(&r);
	assert_int_equal(r.t->ops->stream->set_line(r.t, &other, &err), BF_OK);
	rom_send(&r, "02fd");
	assert_string_not_equal(rom_hear(&r, BF_MS(50)), "7901046779");
	bf_pack_restart(r.pack, BF_PACK_BY_WATCHDOG, bf_now(r.t->clock));
	rom_wait(&r, BF_MS(50));
	rom_hear(&r, BF_MS(50));
	rom_ask(&r, "7f", "79");
	rom_ask(&r, "02fd", "7901046779");
}

static void another_first_byte_spoils_the_rate_of_a_chip_that_measures_it(void **state)
{
	(void)state;
	for (int measures = 0; measures < 2; measures++) {
		OPENED r;

		rom_open(&r, measures ? "model=f103,link=rs485" : "model=g0b1,link=rs485", NULL);
		rom_send(&r, "55");
		rom_hear(&r, BF_MS(100));
		rom_send(&r, "7f");
		if (measures)
			assert_string_not_equal(rom_hear(&r, BF_MS(100)), "79");
		else
			assert_string_equal(rom_hear(&r, BF_MS(100)), "79");
	}
}

static void without_parity_the_first_byte_goes_through_and_get_does_not(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=f103,link=rs485", &none);
	rom_ask(&r, "7f", "79");
	rom_send(&r, "00ff");
	assert_string_not_equal(rom_hear(&r, BF_MS(50)), "790b22000102112131436373829279");
}

static void a_command_is_refused_where_its_complement_is_wrong_or_it_is_not_known(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=f103,link=rs485", NULL);
	rom_sync(&r);
	rom_ask(&r, "0000", "1f");
	rom_ask(&r, "44bb", "1f");
	rom_ask(&r, "a15e", "1f");
	rom_ask(&r, "32cd", "1f");
}

static void get_tells_version_and_commands_of_each_chip(void **state)
{
	static const struct {
		const char *keys, *get, *id;
	} chips[] = {
		{ "model=f103", "790b22000102112131436373829279", "7901041079" },
		{ "model=f407", "790b31000102112131446373829279", "7901041379" },
		{ "model=l476", "790b31000102112131446373829279", "7901041579" },
		{ "model=g0b1", "790c310001021121314463738292a179", "7901046779" },
		{ "model=l0", "790b31000102112131446373829279", "7901044779" },
		{ "model=gd32",
		  "790930001121314463738292"
		  "79",
		  "1f" },
		{ "model=at32", "790b22000102112131446373829279", "79037005034779" },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(chips); i++) {
		OPENED r;
		char keys[64];

		snprintf(keys, sizeof(keys), "link=rs485,%s", chips[i].keys);
		rom_open(&r, keys, NULL);
		rom_sync(&r);
		rom_ask(&r, "00ff", chips[i].get);
		rom_ask(&r, "02fd", chips[i].id);
	}
}

static void what_is_written_is_read_back(void **state)
{
	uint8_t data[256];
	OPENED r;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	rom_open(&r, "model=f103,link=rs485", NULL);
	rom_sync(&r);
	rom_write(&r, 0x0801c000, data, sizeof(data), "79");
	assert_memory_equal(bf_pack_view(r.pack, 0x0801c000, 256), data, 256);
	assert_string_equal(rom_read(&r, 0x0801c004, 4), "1c232a31");
	rom_write(&r, 0x20000200, "abcd", 4, "79");
	assert_string_equal(rom_read(&r, 0x20000200, 4), "61626364");
}

static void a_field_whose_check_byte_is_wrong_is_refused_and_nothing_is_done(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=f407,link=rs485", NULL);
	rom_sync(&r);
	rom_ask(&r, "31ce", "79");
	rom_ask(&r, "080e000007", "1f");
	rom_ask(&r, "31ce", "79");
	rom_ask(&r, "080e000006", "79");
	rom_ask(&r, "031122334400", "1f");
	assert_int_equal(*bf_pack_view(r.pack, 0x080e0000, 1), 0xff);
	rom_ask(&r, "11ee", "79");
	rom_ask(&r, "080e000006", "79");
	rom_ask(&r, "0303", "1f");
	rom_ask(&r, "02fd", "7901041379");
}

static void an_address_that_is_not_there_is_refused_or_by_an_old_loader_dropped(void **state)
{
	OPENED r, old;

	(void)state;
	rom_open(&r, "model=f407,link=rs485", NULL);
	rom_sync(&r);
	rom_address(&r, "11ee", 0x40000000, "1f");
	rom_address(&r, "11ee", 0x20000000, "1f"); /* its own variables */
	rom_address(&r, "31ce", 0x1fff0000, "1f"); /* its own code */
	rom_address(&r, "21de", 0x40000000, "1f");
	rom_open(&old, "model=f103,link=rs485", NULL);
	rom_sync(&old);
	rom_address(&old, "11ee", 0x40000000, "");
	rom_ask(&old, "03fc", "1f"); /* the length: a command now */
	rom_ask(&old, "02fd", "7901041079");
}

static void pages_are_erased_by_number_in_one_form_or_the_other(void **state)
{
	OPENED r, f4;

	(void)state;
	rom_open(&r, "model=f103,link=rs485", NULL);
	rom_sync(&r);
	rom_ask(&r, "43bc", "79");
	rom_send(&r, "01404001"); /* 64, twice */
	assert_string_equal(rom_hear(&r, BF_MS(200)), "79");
	assert_int_equal(*bf_pack_view(r.pack, 0x08010000, 1), 0xff);
	assert_int_equal(*bf_pack_view(r.pack, 0x08010400, 1),
			 *bf_pack_view(r.pack, 0x08010400, 1));
	assert_int_equal(bf_rom_outside(r.pack, 0x08010000, 1024), 0);
	rom_ask(&r, "43bc", "79");
	rom_ask(&r, "008080", "1f"); /* there are 128 */
	rom_open(&f4, "model=f407,link=rs485", NULL);
	rom_sync(&f4);
	rom_ask(&f4, "44bb", "79");
	rom_send(&f4, "0000000404");
	assert_string_equal(rom_hear(&f4, BF_MS(500)), "");
	assert_string_equal(rom_hear(&f4, BF_MS(100)), "79"); /* 550 ms for 64 KiB */
	assert_int_equal(bf_rom_outside(f4.pack, 0x08010000, 0x10000), 0);
	assert_int_equal(bf_rom_outside(f4.pack, 0x08010000, 1), 0);
	assert_int_not_equal(bf_rom_outside(f4.pack, 0x08020000, 1), 0);
}

static void everything_or_a_bank_is_erased_by_its_code_where_the_chip_can(void **state)
{
	OPENED l4, l0;

	(void)state;
	rom_open(&l4, "model=l476,link=rs485", NULL);
	rom_sync(&l4);
	rom_ask(&l4, "44bb", "79");
	rom_send(&l4, "fffd02");
	assert_string_equal(rom_hear(&l4, BF_MS(100)), "79");
	assert_int_equal(bf_rom_outside(l4.pack, 0x08080000, 0x80000), 0);
	rom_ask(&l4, "44bb", "79");
	rom_send(&l4, "ffff00");
	assert_string_equal(rom_hear(&l4, BF_MS(100)), "79");
	assert_int_equal(*bf_pack_view(l4.pack, 0x08000000, 1), 0xff);
	rom_open(&l0, "model=l0,link=rs485", NULL);
	rom_sync(&l0);
	rom_ask(&l0, "44bb", "79");
	rom_ask(&l0, "ffff00", "1f");
}

static void erased_cells_of_an_l0_read_zero(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=l0,link=rs485", NULL);
	rom_sync(&r);
	assert_string_equal(rom_read(&r, 0x0802ff80, 4), "00000000");
	rom_write(&r, 0x0802ff80, "\xff\xff\x12\x34", 4, "79");
	assert_string_equal(rom_read(&r, 0x0802ff80, 4), "ffff1234");
	assert_string_equal(rom_read(&r, 0x08080000, 6), "73657269616c"); /* EEPROM */
	rom_write(&r, 0x08080000, "SERI", 4, "79");
	assert_string_equal(rom_read(&r, 0x08080000, 6), "53455249616c");
}

static void what_is_written_over_something_is_refused_ignored_or_mixed_with_it(void **state)
{
	static const struct {
		const char *keys, *answer, *found;
	} chips[] = {
		{ "model=f103,link=rs485", "79", "0ff0aa55" },
		{ "model=f407,link=rs485", "79", "0c3000000" },
		{ "model=g0b1,link=rs485", "1f", "0ff0aa55" },
		{ "model=at32,link=rs485", "1f", "0ff0aa55" },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(chips); i++) {
		OPENED r;
		const char *found;

		rom_open(&r, chips[i].keys, NULL);
		rom_sync(&r);
		rom_write(&r, 0x0801f000, "\x0f\xf0\xaa\x55\xff\xff\xff\xff", 8, "79");
		rom_write(&r, 0x0801f000, "\x3c\x3c\x3c\x3c\xff\xff\xff\xff", 8, chips[i].answer);
		found = rom_read(&r, 0x0801f000, 4);
		if (i == 1)
			assert_string_equal(found, "0c302814");
		else
			assert_string_equal(found, chips[i].found);
	}
}

static void a_double_word_is_the_unit_of_l4_and_g0(void **state)
{
	OPENED g0, l4;

	(void)state;
	rom_open(&g0, "model=g0b1,link=rs485", NULL);
	rom_sync(&g0);
	rom_write(&g0, 0x08070004, "abcd", 4, "1f");
	rom_write(&g0, 0x08070000, "abcd", 4, "79"); /* uses up all eight */
	rom_write(&g0, 0x08070000, "abcdefgh", 8, "1f");
	rom_open(&l4, "model=l476,link=rs485", NULL);
	rom_sync(&l4);
	rom_write(&l4, 0x08070004, "abcd", 4, "79");
	assert_string_equal(rom_read(&l4, 0x08070000, 8), "61626364ffffffff");
}

static void a_write_protected_page_is_acknowledged_and_unchanged(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=f103,link=rs485,wrp=120", NULL);
	rom_sync(&r);
	rom_ask(&r, "43bc", "79");
	rom_ask(&r, "004040", "79");
	assert_int_not_equal(*bf_pack_view(r.pack, 0x08010000, 1), 0xff);
	rom_write(&r, 0x0801c000, "abcd", 4, "79");
	assert_string_equal(rom_read(&r, 0x0801c000, 4), "ffffffff");
	rom_write(&r, 0x0801e000, "abcd", 4, "79");
	assert_string_equal(rom_read(&r, 0x0801e000, 4), "61626364");
}

static void protection_is_set_and_taken_away_and_each_restarts_the_chip(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=f103,link=rs485,boot0=high,wrp=128", NULL);
	rom_sync(&r);
	rom_ask(&r, "738c", "7979");
	rom_sync(&r);
	rom_write(&r, 0x0801c000, "abcd", 4, "79");
	assert_string_equal(rom_read(&r, 0x0801c000, 4), "61626364");
	rom_ask(&r, "639c", "79");
	rom_ask(&r, "001c1c", "79"); /* unit 28: pages 112 to 115 */
	rom_sync(&r);
	rom_write(&r, 0x0801c004, "efgh", 4, "79");
	assert_string_equal(rom_read(&r, 0x0801c004, 4), "ffffffff");
}

static void readout_protection_refuses_and_taking_it_away_erases_everything(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=f103,link=rs485,boot0=high,rdp=1", NULL);
	rom_sync(&r);
	rom_ask(&r, "00ff", "790b22000102112131436373829279");
	rom_ask(&r, "01fe", "7922000079");
	rom_ask(&r, "11ee", "1f");
	rom_ask(&r, "31ce", "1f");
	rom_ask(&r, "21de", "1f");
	rom_ask(&r, "43bc", "1f");
	rom_ask(&r, "827d", "1f");
	rom_send(&r, "926d");
	assert_string_equal(rom_hear(&r, BF_MS(300)), "7979");
	assert_int_equal(*bf_pack_view(r.pack, 0x08000000, 1), 0xff);
	rom_sync(&r);
	assert_string_equal(rom_read(&r, 0x08010000, 4), "ffffffff");
}

static void level_2_leaves_no_way_into_the_rom(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=l476,link=rs485,boot0=high,rdp=2", NULL);
	rom_ask(&r, "7f", "");
	assert_false(bf_pack_in_rom(r.pack));
}

static void identifier_words_are_read_and_on_f4_only_256_bytes_at_once(void **state)
{
	OPENED r, f4;

	(void)state;
	rom_open(&r, "model=f103,link=rs485", NULL);
	rom_sync(&r);
	assert_string_equal(rom_read(&r, 0x1ffff7e0, 2), "8000");
	assert_int_equal(strlen(rom_read(&r, 0x1ffff7e8, 12)), 24);
	assert_string_equal(rom_read(&r, 0x1ffff800, 2), "a55a");
	rom_open(&f4, "model=f407,link=rs485", NULL);
	rom_sync(&f4);
	assert_string_equal(rom_read(&f4, 0x1fff7a22, 2), "");
	assert_memory_equal(rom_read(&f4, 0x1fff7a00, 256) + 2 * 0x22, "0004", 4);
}

static void longer_transfers_than_a_clone_has_room_for_are_refused(void **state)
{
	uint8_t data[256] = { 0 };
	OPENED r;

	(void)state;
	rom_open(&r, "model=gd32,link=rs485", NULL);
	rom_sync(&r);
	assert_string_equal(rom_read(&r, 0x08080000, 244), "");
	assert_int_equal(strlen(rom_read(&r, 0x08080000, 240)), 480);
	rom_write(&r, 0x08080000, data, 256, "1f");
	rom_write(&r, 0x08080000, data, 240, "79");
	rom_write(&r, 0x08081000, data, 6, "1f");
}

/* AN3155 3.13: address, words, polynomial, initial value. */
static void a_checksum_is_made_by_the_chips_own_unit(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=g0b1,link=rs485", NULL);
	rom_sync(&r);
	rom_write(&r, 0x08070000, "\x78\x56\x34\x12\xff\xff\xff\xff", 8, "79");
	rom_address(&r, "a15e", 0x08070000, "79");
	rom_ask(&r, "0000000101", "79");
	rom_ask(&r,
		"04c11db7"
		"6f",
		"79");
	rom_ask(&r, "ffffffff00",
		"79df8a8a2b"
		"f4"); /* the known value of 0x12345678 */
}

static void go_starts_the_firmware_that_then_answers(void **state)
{
	static const uint8_t probe[] = { 0x7e, 0x00 };
	OPENED r;

	(void)state;
	(void)probe;
	rom_open(&r, "model=f407,link=rs485", NULL);
	rom_sync(&r);
	rom_address(&r, "21de", 0x08000000, "79");
	rom_wait(&r, BF_SEC(1));
	assert_int_equal(bf_pack_mode(r.pack), BF_PACK_APP);
	assert_false(bf_pack_in_rom(r.pack));
	assert_int_equal(bf_pack_running(r.pack)->minor, 3);
	rom_ask(&r, "7f", "");
}

static void go_to_where_there_is_no_code_hangs_until_a_reset(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=f103,link=rs485,boot0=high", NULL);
	rom_sync(&r);
	rom_address(&r, "21de", 0x0801f000, "79");
	rom_wait(&r, BF_SEC(1));
	rom_ask(&r, "7f", "");
	bf_pack_restart(r.pack, BF_PACK_BY_WATCHDOG, bf_now(r.t->clock));
	rom_wait(&r, BF_MS(50));
	rom_ask(&r, "7f", "79");
}

static void a_raw_image_starts_where_the_own_boot_code_is_gone(void **state)
{
	uint8_t image[512];
	OPENED r;

	(void)state;
	rom_open(&r, "model=f103,link=rs485", NULL);
	rom_sync(&r);
	rom_ask(&r, "43bc", "79");
	rom_send(&r, "ff00");
	assert_string_equal(rom_hear(&r, BF_MS(100)), "79");
	rom_image(image, sizeof(image), 0x08000000, "2.7.9");
	rom_write(&r, 0x08000000, image, 256, "79");
	rom_write(&r, 0x08000100, image + 256, 256, "79");
	rom_address(&r, "21de", 0x08000000, "79");
	rom_wait(&r, BF_SEC(1));
	assert_int_equal(bf_pack_mode(r.pack), BF_PACK_APP);
	assert_int_equal(bf_pack_running(r.pack)->major, 2);
	assert_int_equal(bf_pack_running(r.pack)->revision, 9);
}

static void a_chip_that_was_empty_returns_to_its_rom_until_power_goes(void **state)
{
	uint8_t image[256];
	OPENED r;

	(void)state;
	rom_open(&r, "model=g0b1,link=rs485,boot0=low,blank=1", NULL);
	rom_sync(&r);
	rom_image(image, sizeof(image), 0x08000000, "2.7.9");
	rom_write(&r, 0x08000000, image, 256, "79");
	rom_address(&r, "21de", 0x08000000, "79");
	rom_wait(&r, BF_MS(100));
	rom_ask(&r, "7f", "79");
	bf_pack_power(r.pack, false, bf_now(r.t->clock));
	bf_pack_power(r.pack, true, bf_now(r.t->clock));
	rom_wait(&r, BF_SEC(1));
	assert_int_equal(bf_pack_mode(r.pack), BF_PACK_APP);
}

static void a_blank_chip_without_that_check_needs_its_boot_pin(void **state)
{
	OPENED r, pin;

	(void)state;
	rom_open(&r, "model=f103,link=rs485,boot0=low,blank=1", NULL);
	rom_ask(&r, "7f", "");
	rom_open(&pin, "model=f103,link=rs485,boot0=hand,blank=1", NULL);
	rom_ask(&pin, "7f", "79");
}

static void modem_lines_lead_into_the_rom_and_out_of_it(void **state)
{
	struct bf_err err;
	OPENED r;

	(void)state;
	bf_err_init(&err);
	rom_open(&r, "model=f103,link=rs485,lines=cross", NULL);
	assert_int_equal(bf_pack_mode(r.pack), BF_PACK_APP);
	rom_ask(&r, "7f", "");
	/* reset, then BOOT0 while it ends */
	r.t->ops->stream->set_modem(r.t, BF_MODEM_RTS | BF_MODEM_DTR, BF_MODEM_RTS, &err);
	rom_wait(&r, BF_MS(10));
	r.t->ops->stream->set_modem(r.t, BF_MODEM_RTS | BF_MODEM_DTR, BF_MODEM_DTR, &err);
	rom_wait(&r, BF_MS(50));
	rom_hear(&r, BF_MS(10));
	rom_ask(&r, "7f", "79");
	r.t->ops->stream->set_modem(r.t, BF_MODEM_RTS | BF_MODEM_DTR, BF_MODEM_RTS, &err);
	rom_wait(&r, BF_MS(10));
	r.t->ops->stream->set_modem(r.t, BF_MODEM_RTS | BF_MODEM_DTR, 0, &err);
	rom_wait(&r, BF_SEC(1));
	assert_int_equal(bf_pack_mode(r.pack), BF_PACK_APP);
}

static void it_hears_one_byte_while_it_works_in_the_flash(void **state)
{
	OPENED r;

	(void)state;
	rom_open(&r, "model=f407,link=rs485,duplex=full", NULL);
	rom_sync(&r);
	rom_ask(&r, "44bb", "79");
	rom_send(&r, "0000000808"); /* 128 KiB: one second */
	rom_send(&r, "02fd02fd");
	assert_string_equal(rom_hear(&r, BF_MS(1100)), "79");
	rom_ask(&r, "fd", "7901041379");
}

static void keys_refuse_lose_and_delay(void **state)
{
	OPENED n, z, l, b;

	(void)state;
	rom_open(&n, "model=f407,link=rs485,nack=3", NULL);
	rom_sync(&n);
	rom_ask(&n, "02fd", "7901041379");
	rom_ask(&n, "11ee", "79");
	rom_ask(&n, "0800000008", "1f");
	rom_open(&z, "model=f407,link=rs485,quirk=strayzero", NULL);
	rom_ask(&z, "7f", "0079");
	rom_open(&l, "model=f103,link=rs485,quirk=loseack", NULL);
	rom_sync(&l);
	rom_ask(&l, "43bc", "79");
	rom_send(&l, "004040");
	assert_string_equal(rom_hear(&l, BF_MS(200)), "");
	assert_int_equal(*bf_pack_view(l.pack, 0x08010000, 1), 0xff);
	rom_ask(&l, "43bc", "79");
	rom_send(&l, "004141");
	assert_string_equal(rom_hear(&l, BF_MS(200)), "79");
	rom_open(&b, "model=f407,link=rs485,losebyte=3", NULL);
	rom_sync(&b);
	rom_ask(&b, "02fd", ""); /* the third byte */
	rom_ask(&b, "fd", "7901041379");
}

static void a_clone_forgets_half_a_command_after_a_second(void **state)
{
	OPENED r, st;

	(void)state;
	rom_open(&r, "model=at32,link=rs485", NULL);
	rom_sync(&r);
	rom_ask(&r, "02", "");
	rom_wait(&r, BF_MS(1100));
	rom_ask(&r, "02fd", "79037005034779");
	rom_open(&st, "model=f407,link=rs485", NULL);
	rom_sync(&st);
	rom_ask(&st, "02", "");
	rom_wait(&st, BF_SEC(60));
	rom_ask(&st, "fd", "7901041379");
}

static void power_may_go_in_every_operation_and_at_every_message(void **state)
{
	static const char *const cuts[] = { "cutop=2", "cutafter=2", "cutmsg=6", "cutreply=6" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(cuts); i++) {
		OPENED r;
		char keys[80];

		snprintf(keys, sizeof(keys), "model=f103,link=rs485,%s", cuts[i]);
		rom_open(&r, keys, NULL);
		rom_sync(&r);
		rom_ask(&r, "31ce", "79");
		rom_ask(&r, "0801c000c9", "79");
		rom_send(&r, "03112233"
			     "4447");
		rom_hear(&r, BF_MS(100));
		rom_send(&r, "43bc");
		rom_hear(&r, BF_MS(30));
		rom_send(&r, "004040");
		assert_string_equal(rom_hear(&r, BF_MS(100)), "");
		assert_int_equal(bf_pack_mode(r.pack), BF_PACK_OFF);
	}
}

static void its_application_speaks_uds_without_parity_or_nothing(void **state)
{
	/* ISO 14230, to 11 from F1: 22 F1 80 */
	static const char ask[] = "8311f122f180"
				  "18";
	OPENED r, mute;

	(void)state;
	rom_open(&r, "model=f407,link=rs485,boot0=low", &none);
	rom_send(&r, ask);
	assert_memory_equal(rom_hear(&r, BF_MS(100)) + 2, "f11162f180", 10);
	rom_open(&mute, "model=f407,link=rs485,boot0=low,app=none", &none);
	rom_send(&mute, ask);
	assert_string_equal(rom_hear(&mute, BF_MS(100)), "");
	assert_int_equal(bf_pack_mode(mute.pack), BF_PACK_APP);
}

static void its_application_goes_to_the_rom_when_it_is_asked(void **state)
{
	struct bf_line even = { .baud = 115200, .parity = BF_PARITY_EVEN };
	struct bf_err err;
	OPENED r;

	(void)state;
	bf_err_init(&err);
	rom_open(&r, "model=f407,link=rs485,boot0=low", &none);
	rom_send(&r, "8211f11003"
		     "97");
	rom_hear(&r, BF_MS(100));
	rom_send(&r, "8211f11002"
		     "96");
	rom_hear(&r, BF_MS(300));
	r.t->ops->stream->set_line(r.t, &even, &err);
	rom_ask(&r, "7f", "79");
}

static void a_unit_whose_update_was_cut_is_repaired_through_its_rom(void **state)
{
	uint8_t *image = malloc(BF_JK_IMAGE);
	struct bf_line even = { .baud = 115200, .parity = BF_PARITY_EVEN };
	struct bf_open_env env = { .line = even };
	struct bf_err err;
	OPENED r;

	(void)state;
	bf_err_init(&err);
	assert_non_null(image);
	bf_jk_image("15.42", "JK_PB2A16S20P", image, BF_JK_IMAGE);
	assert_int_equal(
		bf_driver_sim.open(&env, "sim:model=jk202,boot0=high,version=none", &r.t, &err),
		BF_OK);
	r.pack = bf_sim_pack(r.t);
	rom_ask(&r, "7f", "79");
	rom_ask(&r, "02fd", "7901041079");
	for (uint32_t at = 0; at < BF_JK_IMAGE; at += 256) {
		size_t n = BF_JK_IMAGE - at < 256 ? BF_JK_IMAGE - at : 256;

		rom_write(&r, 0x08002000 + at, image + at, n, "79");
	}
	rom_address(&r, "21de", 0x08000000, "79");
	rom_wait(&r, BF_SEC(2));
	assert_int_equal(bf_pack_mode(r.pack), BF_PACK_APP);
	assert_int_equal(bf_pack_running(r.pack)->minor, 42);
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_first_7f_is_acknowledged_the_second_met_with_silence_the_third_refused),
		cmocka_unit_test(it_takes_the_rate_of_the_first_byte),
		cmocka_unit_test(once_taken_the_rate_stays_until_the_next_reset),
		cmocka_unit_test(another_first_byte_spoils_the_rate_of_a_chip_that_measures_it),
		cmocka_unit_test(without_parity_the_first_byte_goes_through_and_get_does_not),
		cmocka_unit_test(
			a_command_is_refused_where_its_complement_is_wrong_or_it_is_not_known),
		cmocka_unit_test(get_tells_version_and_commands_of_each_chip),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_field_whose_check_byte_is_wrong_is_refused_and_nothing_is_done),
		cmocka_unit_test(
			an_address_that_is_not_there_is_refused_or_by_an_old_loader_dropped),
		cmocka_unit_test(pages_are_erased_by_number_in_one_form_or_the_other),
		cmocka_unit_test(everything_or_a_bank_is_erased_by_its_code_where_the_chip_can),
		cmocka_unit_test(erased_cells_of_an_l0_read_zero),
		cmocka_unit_test(
			what_is_written_over_something_is_refused_ignored_or_mixed_with_it),
		cmocka_unit_test(a_double_word_is_the_unit_of_l4_and_g0),
		cmocka_unit_test(a_write_protected_page_is_acknowledged_and_unchanged),
		cmocka_unit_test(protection_is_set_and_taken_away_and_each_restarts_the_chip),
		cmocka_unit_test(readout_protection_refuses_and_taking_it_away_erases_everything),
		cmocka_unit_test(level_2_leaves_no_way_into_the_rom),
		cmocka_unit_test(identifier_words_are_read_and_on_f4_only_256_bytes_at_once),
		cmocka_unit_test(longer_transfers_than_a_clone_has_room_for_are_refused),
		cmocka_unit_test(a_checksum_is_made_by_the_chips_own_unit),
		cmocka_unit_test(go_starts_the_firmware_that_then_answers),
		cmocka_unit_test(go_to_where_there_is_no_code_hangs_until_a_reset),
		cmocka_unit_test(a_raw_image_starts_where_the_own_boot_code_is_gone),
		cmocka_unit_test(a_chip_that_was_empty_returns_to_its_rom_until_power_goes),
		cmocka_unit_test(a_blank_chip_without_that_check_needs_its_boot_pin),
		cmocka_unit_test(modem_lines_lead_into_the_rom_and_out_of_it),
		cmocka_unit_test(it_hears_one_byte_while_it_works_in_the_flash),
		cmocka_unit_test(keys_refuse_lose_and_delay),
		cmocka_unit_test(a_clone_forgets_half_a_command_after_a_second),
		cmocka_unit_test(power_may_go_in_every_operation_and_at_every_message),
		cmocka_unit_test(its_application_speaks_uds_without_parity_or_nothing),
		cmocka_unit_test(its_application_goes_to_the_rom_when_it_is_asked),
		cmocka_unit_test(a_unit_whose_update_was_cut_is_repaired_through_its_rom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
