/* SPDX-License-Identifier: MIT */
/* The VanMoof pack: registers, the shadow bank and its traps, the bootloader that helps where both banks are bad. */
#include "smp_host.h"

#include "xmodem/unit.h"

#define UNIT 0xAA

static bool ask(struct smp_host *h, uint8_t *req, size_t len, size_t want)
{
	bf_put_le16(req + len, (uint16_t)bf_crc(&bf_crc16_modbus, req, len));
	h->rx_len = 0;
	h->t->ops->stream->discard(h->t);
	smp_put(h, req, len + 2);
	smp_hear(h, want, BF_MS(400));
	smp_wait(h, BF_MS(5));
	return h->rx_len == want && bf_crc(&bf_crc16_modbus, h->rx, want) == 0;
}

/* -1: no answer */
static int reg(struct smp_host *h, uint16_t first)
{
	uint8_t req[16] = { UNIT, 3, 0, 0, 0, 1 };

	bf_put_be16(req + 2, first);
	return ask(h, req, 6, 7) ? bf_get_be16(h->rx + 3) : -1;
}

static bool set(struct smp_host *h, uint16_t first, uint16_t value)
{
	uint8_t req[16] = { UNIT, 6 };

	bf_put_be16(req + 2, first);
	bf_put_be16(req + 4, value);
	return ask(h, req, 6, 8);
}

static bool chunk(struct smp_host *h, uint32_t offset, const uint8_t *p, size_t len)
{
	uint8_t req[64] = { UNIT, 16, 0, 0x82 };

	bf_put_be16(req + 4, (uint16_t)((len + 4) / 2));
	req[6] = (uint8_t)(len + 4);
	bf_put_be32(req + 7, offset);
	memcpy(req + 11, p, len);
	return ask(h, req, 11 + len, 8);
}

static bool chunks(struct smp_host *h, const uint8_t *p, size_t from, size_t to)
{
	for (size_t at = from; at < to; at += 32)
		if (!chunk(h, (uint32_t)at, p + at, to - at < 32 ? to - at : 32))
			return false;
	return true;
}

static uint8_t *image_of(const char *text)
{
	uint8_t *image = malloc(BF_VANMOOF_IMAGE);

	bf_vanmoof_image(text, image, BF_VANMOOF_IMAGE);
	return image;
}

#define OPEN "sim:model=vanmoof,flash=instant"

static void registers_tell_who_it_is_and_what_it_measures(void **state)
{
	struct smp_host h;
	int cells = 0;

	(void)state;
	smp_open(&h, OPEN ",soc=61,current=-2");
	assert_int_equal(reg(&h, 0), 0x0100);
	assert_int_equal(reg(&h, 5), 61);
	assert_int_equal((int16_t)reg(&h, 6), -200);
	assert_int_equal(reg(&h, 0x0B), 0x0117);
	assert_int_equal(reg(&h, 0x0C), 'B' << 8 | 'X');
	assert_in_range(reg(&h, 3), 2731 + 240, 2731 + 260);
	for (uint16_t i = 0; i < 10; i++)
		cells += reg(&h, (uint16_t)(0x1B + i));
	assert_in_range(reg(&h, 4), cells - 20, cells + 20);
	assert_int_equal(reg(&h, 0x81), 2); /* nothing is staged */
	smp_close(&h);
}

static void a_staged_image_is_installed_at_the_restart(void **state)
{
	struct smp_host h;
	uint8_t *image = image_of("1.18");

	(void)state;
	smp_open(&h, OPEN ",current=-2");
	assert_true(set(&h, 0x95, 0));
	assert_int_equal(reg(&h, 6), 0); /* the output is off */
	assert_true(chunks(&h, image, 0, BF_VANMOOF_IMAGE));
	assert_int_equal(reg(&h, 0x81), 0);
	assert_int_equal(reg(&h, 0x0B), 0x0117);
	assert_true(set(&h, 0x80, 0));
	smp_wait(&h, BF_SEC(2));
	assert_int_equal(reg(&h, 0), 0x0100);
	assert_int_equal(reg(&h, 0x0B), 0x0118);
	assert_int_equal((int16_t)reg(&h, 6), -200);
	assert_int_equal(bf_pack_running(bf_sim_pack(h.t))->minor, 18);
	smp_close(&h);
	free(image);
}

static void a_bad_image_is_told_and_the_old_firmware_stays(void **state)
{
	struct smp_host h;
	uint8_t *image = image_of("1.18");

	(void)state;
	image[5000] ^= 1;
	smp_open(&h, OPEN);
	assert_true(set(&h, 0x95, 0));
	assert_true(chunks(&h, image, 0, BF_VANMOOF_IMAGE));
	assert_int_equal(reg(&h, 0x81), 1);
	assert_true(set(&h, 0x80, 0));
	smp_wait(&h, BF_SEC(2));
	assert_int_equal(reg(&h, 0x0B), 0x0117);
	smp_close(&h);
	free(image);
}

static void a_chunk_that_comes_again_spoils_its_page(void **state)
{
	struct smp_host h;
	uint8_t *image = image_of("1.18");

	(void)state;
	smp_open(&h, OPEN);
	assert_true(set(&h, 0x95, 0));
	assert_true(chunks(&h, image, 0, BF_VANMOOF_IMAGE));
	assert_true(chunk(&h, 4096 + 32, image + 4096 + 32, 32));
	assert_int_equal(reg(&h, 0x81), 1);
	assert_true(chunks(&h, image, 4096, 4096 + 128));
	assert_int_equal(reg(&h, 0x81), 0);
	smp_close(&h);
	free(image);
}

static void chunks_of_odd_length_get_no_answer(void **state)
{
	struct smp_host h;
	uint8_t p[40] = { 0 };

	(void)state;
	smp_open(&h, OPEN);
	assert_false(chunk(&h, 0, p, 0));
	assert_false(chunk(&h, 0, p, 30));
	assert_false(chunk(&h, 0, p, 36));
	assert_false(chunk(&h, 0x15800, p, 32));
	assert_true(chunk(&h, 0, p, 28));
	smp_close(&h);
}

static void bytes_as_many_as_a_bootloader_has_destroy_it(void **state)
{
	struct smp_host h;
	uint8_t *image = image_of("1.18");

	(void)state;
	for (int repeats = 0; repeats < 2; repeats++) {
		size_t end = 0x5000 - (repeats ? 128 : 0);

		smp_open(&h, OPEN);
		assert_true(set(&h, 0x95, 0));
		assert_true(chunks(&h, image, 0, end));
		assert_true(!repeats || chunks(&h, image, 0, 128)); /* they count, too */
		assert_true(set(&h, 0x80, 0));
		smp_wait(&h, BF_SEC(3));
		assert_int_equal(reg(&h, 0), -1);
		bf_pack_power(bf_sim_pack(h.t), false, bf_now(h.t->clock));
		bf_pack_power(bf_sim_pack(h.t), true, bf_now(h.t->clock));
		smp_wait(&h, BF_SEC(3));
		assert_int_equal(reg(&h, 0), -1);
		smp_close(&h);
	}
	free(image);
}

/* ---- the bootloader ---- */

static int say(struct smp_host *h, const uint8_t *p, size_t len)
{
	h->rx_len = 0;
	h->t->ops->stream->discard(h->t);
	smp_put(h, p, len);
	smp_hear(h, 1, BF_MS(400));
	return h->rx_len ? h->rx[0] : -1;
}

static int address(struct smp_host *h, uint8_t command, uint32_t addr)
{
	uint8_t b[5] = { command, (uint8_t)~command };

	if (say(h, b, 2) != 0x79)
		return -2;
	bf_put_be32(b, addr);
	b[4] = b[0] ^ b[1] ^ b[2] ^ b[3];
	return say(h, b, 5);
}

static int page(struct smp_host *h, uint32_t addr, const uint8_t *p, size_t len)
{
	uint8_t b[130] = { 127 };

	if (address(h, 0x31, addr) != 0x79)
		return -3;
	memset(b + 1, 0xFF, 128);
	memcpy(b + 1, p, len < 128 ? len : 128);
	for (size_t i = 0; i < 129; i++)
		b[129] ^= b[i];
	return say(h, b, 130);
}

static void the_bootloader_takes_an_image_whose_first_page_goes_last(void **state)
{
	struct smp_host h;
	uint8_t *image = image_of("1.18");

	(void)state;
	smp_open(&h, OPEN ",version=none");
	assert_int_equal(say(&h, (const uint8_t *)"WHO?\r", 5), 'I');
	smp_hear(&h, 0, BF_MS(50));
	assert_memory_equal(h.rx, "I am VanMoof BL V00", 19);
	assert_int_equal(say(&h, (const uint8_t *)"\x7F", 1), -1);       /* no sync */
	assert_int_equal(say(&h, (const uint8_t *)"\x11\xEF", 2), 0x1F); /* no complement */
	assert_int_equal(address(&h, 0x31, 0x08004F80), 0x1F);
	assert_int_equal(address(&h, 0x21, 0x08005000), 0x1F); /* nothing to finish */
	for (uint32_t at = 0; at < BF_VANMOOF_IMAGE; at += 128)
		assert_int_equal(page(&h, 0x08005000 + at, image + at, BF_VANMOOF_IMAGE - at),
				 0x79);
	assert_int_equal(*bf_pack_view(bf_sim_pack(h.t), 0x08005000, 1), 0xFF);
	assert_int_equal(address(&h, 0x21, 0x08005000), 0x79);
	smp_wait(&h, BF_SEC(2));
	assert_int_equal(reg(&h, 0x0B), 0x0118);
	smp_close(&h);
	free(image);
}

static void a_second_without_a_block_ends_a_transfer(void **state)
{
	struct smp_host h;
	uint8_t *image = image_of("1.18");
	unsigned starts;

	(void)state;
	smp_open(&h, OPEN ",version=none");
	smp_wait(&h, BF_SEC(20));
	starts = bf_pack_starts(bf_sim_pack(h.t));
	assert_int_equal(page(&h, 0x08005000, image, 128), 0x79);
	smp_wait(&h, BF_MS(800));
	assert_int_equal(page(&h, 0x08005080, image + 128, 128), 0x79);
	smp_wait(&h, BF_MS(800));
	assert_int_equal(bf_pack_starts(bf_sim_pack(h.t)), starts);
	smp_wait(&h, BF_MS(400));
	assert_int_equal(bf_pack_starts(bf_sim_pack(h.t)), starts + 1);
	smp_close(&h);
	free(image);
}

static void good_firmware_starts_unless_an_address_holds_the_bootloader(void **state)
{
	struct smp_host h;
	struct bf_pack *pack;

	(void)state;
	for (int hold = 0; hold < 2; hold++) {
		smp_open(&h, OPEN);
		pack = bf_sim_pack(h.t);
		bf_pack_power(pack, false, bf_now(h.t->clock));
		bf_pack_power(pack, true, bf_now(h.t->clock));
		smp_wait(&h, bf_pack_next(pack) - bf_now(h.t->clock) + BF_MS(1));
		assert_int_equal(bf_pack_mode(pack), BF_PACK_LOADER);
		if (hold)
			assert_int_equal(address(&h, 0x31, 0x08005000), 0x79);
		else
			assert_int_equal(say(&h, (const uint8_t *)"WHO?\r", 5), 'I');
		smp_wait(&h, BF_MS(200));
		assert_int_equal(bf_pack_mode(pack), hold ? BF_PACK_LOADER : BF_PACK_APP);
		smp_close(&h);
	}
}

static void power_that_goes_anywhere_leaves_firmware_that_starts(void **state)
{
	uint8_t *image = image_of("1.18");
	char keys[128];

	(void)state;
	for (unsigned op = 1; op < 7200; op += 499) {
		struct smp_host h;
		struct bf_pack *pack;

		snprintf(keys, sizeof(keys), OPEN ",rate=115200,repower=100,cutop=%u", op);
		smp_open(&h, keys);
		pack = bf_sim_pack(h.t);
		if (set(&h, 0x95, 0) && chunks(&h, image, 0, BF_VANMOOF_IMAGE))
			set(&h, 0x80, 0);
		smp_wait(&h, BF_SEC(5));
		assert_int_equal(bf_pack_mode(pack), BF_PACK_APP);
		assert_in_range(bf_pack_running(pack)->minor, 17, 18);
		smp_close(&h);
	}
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_tell_who_it_is_and_what_it_measures),
		cmocka_unit_test(a_staged_image_is_installed_at_the_restart),
		cmocka_unit_test(a_bad_image_is_told_and_the_old_firmware_stays),
		cmocka_unit_test(a_chunk_that_comes_again_spoils_its_page),
		cmocka_unit_test(chunks_of_odd_length_get_no_answer),
		cmocka_unit_test(bytes_as_many_as_a_bootloader_has_destroy_it),
		cmocka_unit_test(the_bootloader_takes_an_image_whose_first_page_goes_last),
		cmocka_unit_test(a_second_without_a_block_ends_a_transfer),
		cmocka_unit_test(good_firmware_starts_unless_an_address_holds_the_bootloader),
		cmocka_unit_test(power_that_goes_anywhere_leaves_firmware_that_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
