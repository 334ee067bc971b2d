/* SPDX-License-Identifier: MIT */
/* The JK unit: registers, deaf times, an update block by block, and what a loss of power leaves. */
#include "smp_host.h"

#include <unistd.h>

#include "xmodem/unit.h"

#define MODEL "JK_PB2A16S20P"

static void put_crc(uint8_t *p, size_t len)
{
	bf_put_le16(p + len, (uint16_t)bf_crc(&bf_crc16_modbus, p, len));
}

/* Asks after the unit has had time to listen again; returns the bytes of its answer. */
static size_t registers(struct smp_host *h, uint16_t first, uint16_t n)
{
	uint8_t ask[8] = { 1, 3 };

	bf_put_be16(ask + 2, first);
	bf_put_be16(ask + 4, n);
	put_crc(ask, 6);
	smp_wait(h, BF_MS(450));
	h->rx_len = 0;
	h->t->ops->stream->discard(h->t);
	smp_put(h, ask, sizeof(ask));
	return smp_hear(h, 0, BF_MS(60));
}

static const char *version(struct smp_host *h)
{
	static char text[9];

	if (registers(h, 0x1418, 4) != 5 + 8)
		return "none";
	memcpy(text, h->rx + 3, 8);
	return text;
}

static const uint8_t arm_bytes[] = { 0x01, 0x10, 0x16, 0x26, 0x00, 0x01,
				     0x02, 0x00, 0x00, 0xD6, 0x97 };

static void arm(struct smp_host *h)
{
	smp_wait(h, BF_MS(750));
	h->rx_len = 0;
	smp_put(h, arm_bytes, sizeof(arm_bytes));
	smp_hear(h, 0, BF_MS(600));
}

static size_t make_block(uint8_t *b, uint8_t number, const uint8_t *p, size_t len)
{
	b[0] = 1;
	b[1] = number;
	b[2] = (uint8_t)~number;
	memset(b + 3, 0xFF, 128);
	memcpy(b + 3, p, len < 128 ? len : 128);
	b[131] = 0;
	for (size_t i = 0; i < 128; i++)
		b[131] = (uint8_t)(b[131] + b[3 + i]);
	return 132;
}

static int give(struct smp_host *h, const uint8_t *b, size_t len)
{
	h->rx_len = 0;
	smp_put(h, b, len);
	smp_hear(h, 1, BF_MS(500));
	return h->rx_len ? h->rx[h->rx_len - 1] : -1;
}

/* Blocks from the first on; the last of them with its EOTs when `len` ends there. */
static bool send_blocks(struct smp_host *h, const uint8_t *image, size_t len, size_t blocks)
{
	uint8_t b[140];

	for (size_t i = 0; i < blocks && i * 128 < len; i++) {
		size_t n = make_block(b, (uint8_t)(i + 1), image + i * 128, len - i * 128);

		if ((i + 1) * 128 >= len) {
			memcpy(b + n, "\x04\x04\x04", 3);
			smp_wait(h, BF_MS(1));
			h->rx_len = 0;
			smp_put(h, b, n + 3);
			smp_hear(h, 0, BF_MS(300));
			return true;
		}
		if (give(h, b, n) != 0x06)
			return false;
	}
	return true;
}

static uint8_t *image_of(const char *text)
{
	uint8_t *image = malloc(BF_JK_IMAGE);

	bf_jk_image(text, MODEL, image, BF_JK_IMAGE);
	return image;
}

/* ---- the firmware ---- */

static void registers_are_addressed_by_bytes(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, "sim:model=jk,soc=57,current=-3.5,alarms=262144");
	assert_int_equal(registers(&h, 0x1400, 8), 5 + 16);
	assert_memory_equal(h.rx + 3, MODEL "\0\0\x10", 16);
	assert_string_equal(version(&h), "15.41");
	assert_int_equal(registers(&h, 0x1410, 4), 13);
	assert_memory_equal(h.rx + 3, "15A\0", 4);
	assert_int_equal(registers(&h, 0x1450, 8), 21);
	assert_memory_equal(h.rx + 3, "BX16-000001", 12);
	assert_int_equal(registers(&h, 0x1298, 2), 9);
	assert_int_equal((int32_t)bf_get_be32(h.rx + 3), -3500);
	assert_int_equal(registers(&h, 0x12A0, 4), 13);
	assert_int_equal(bf_get_be32(h.rx + 3), 0x40000);
	assert_int_equal(h.rx[3 + 7], 57);
	assert_int_equal(registers(&h, 0x1202, 1), 7); /* the second cell */
	assert_in_range(bf_get_be16(h.rx + 3), 3200, 3400);
	smp_close(&h);
}

static void what_is_odd_long_or_past_a_table_is_an_exception(void **state)
{
	static const uint16_t rows[][2] = {
		{ 0x1401, 1 }, { 0x1200, 124 }, { 0x14F0, 3 }, { 0x2000, 1 }, { 0x11FE, 1 }
	};
	struct smp_host h;

	(void)state;
	smp_open(&h, "sim:model=jk");
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		assert_int_equal(registers(&h, rows[i][0], rows[i][1]), 5);
		assert_memory_equal(h.rx, "\x01\x83\x02", 3);
	}
	assert_int_equal(registers(&h, 0x1200, 122), 5 + 244);
	smp_close(&h);
}

static void it_is_deaf_after_an_answer(void **state)
{
	uint8_t ask[8] = { 1, 3, 0x14, 0x10, 0, 4 };
	struct smp_host h;
	unsigned heard = 0;

	(void)state;
	smp_open(&h, "sim:model=jk");
	put_crc(ask, 6);
	for (bf_time after = BF_MS(2); after < BF_MS(420); after += BF_MS(60)) {
		assert_string_equal(version(&h), "15.41");
		smp_wait(&h, after - BF_MS(60) > 0 ? after - BF_MS(60) : 0);
		h.rx_len = 0;
		smp_put(&h, ask, sizeof(ask));
		heard += smp_hear(&h, 0, BF_MS(60)) > 0;
	}
	assert_in_range(heard, 1, 6);
	smp_close(&h);
	smp_open(&h, "sim:model=jk,deaf=0");
	for (int i = 0; i < 3; i++) {
		h.rx_len = 0;
		smp_put(&h, ask, sizeof(ask));
		assert_int_equal(smp_hear(&h, 13, BF_MS(30)), 13);
		smp_wait(&h, BF_MS(5));
	}
	smp_close(&h);
}

static void the_maker_s_frame_comes_before_the_acknowledge(void **state)
{
	static const struct {
		uint8_t reg, type;
	} rows[] = { { 0x1C, 3 }, { 0x20, 2 } };
	struct smp_host h;

	(void)state;
	smp_open(&h, "sim:model=jk");
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		uint8_t ask[11] = { 1, 0x10, 0x16, rows[i].reg, 0, 1, 2 };
		uint8_t sum = 0;

		put_crc(ask, 9);
		smp_wait(&h, BF_MS(500));
		h.rx_len = 0;
		smp_put(&h, ask, sizeof(ask));
		assert_int_equal(smp_hear(&h, 0, BF_MS(60)), 300 + 8);
		assert_memory_equal(h.rx, "\x55\xAA\xEB\x90", 4);
		assert_int_equal(h.rx[4], rows[i].type);
		for (int k = 0; k < 299; k++)
			sum = (uint8_t)(sum + h.rx[k]);
		assert_int_equal(h.rx[299], sum);
		assert_memory_equal(h.rx + 300, ask, 6);
		if (rows[i].type == 3)
			assert_memory_equal(h.rx + 6, MODEL, strlen(MODEL));
		else
			assert_in_range(bf_get_le16(h.rx + 6), 3200, 3400);
	}
	smp_close(&h);
}

/* ---- an update ---- */

static void the_update_command_has_no_answer_and_the_bootloader_asks(void **state)
{
	static const struct {
		const char *address, *version;
	} rows[] = { { "sim:model=jk", "(Version 2.0.4)" },
		     { "sim:model=jk202", "(Version 2.0.2)" } };
	struct smp_host h;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		smp_open(&h, rows[i].address);
		arm(&h);
		assert_true(h.rx_len > 10 && h.rx[0] == '\r');
		assert_non_null(memmem(h.rx, h.rx_len, rows[i].version, 15));
		assert_int_equal(h.rx[h.rx_len - 1], 0x15);
		h.rx_len = 0;
		smp_wait(&h, BF_SEC(5));
		smp_hear(&h, 0, BF_MS(10));
		assert_in_range(h.rx_len, 4, 6); /* NAK a second */
		smp_close(&h);
	}
}

static void the_update_command_is_not_heard_right_after_an_answer(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, "sim:model=jk,deaf=0");
	assert_string_equal(version(&h), "15.41");
	h.rx_len = 0;
	smp_put(&h, arm_bytes, sizeof(arm_bytes));
	assert_int_equal(smp_hear(&h, 0, BF_SEC(2)), 0);
	assert_string_equal(version(&h), "15.41");
	arm(&h);
	assert_true(h.rx_len > 10);
	smp_close(&h);
}

static void an_update_ends_with_the_loader_s_words_and_the_new_version(void **state)
{
	static const char words[] = "\x06\x06\r\n->Tran-End\r\n\r\n->Jump to app...\r\n";
	struct smp_host h;
	uint8_t *image = image_of("15.42");

	(void)state;
	assert_int_equal(sizeof(words) - 1, 36);
	smp_open(&h, "sim:model=jk");
	arm(&h);
	assert_true(send_blocks(&h, image, BF_JK_IMAGE, 1000));
	assert_int_equal(h.rx_len, 36);
	assert_memory_equal(h.rx, words, 36);
	smp_wait(&h, BF_MS(600));
	assert_string_equal(version(&h), "15.42");
	assert_int_equal(bf_pack_running(bf_sim_pack(h.t))->minor, 42);
	smp_close(&h);
	free(image);
}

static void bad_and_repeated_blocks_are_answered_as_xmodem_says(void **state)
{
	struct smp_host h;
	uint8_t b[140], *image = image_of("15.42");
	uint64_t ops;

	(void)state;
	smp_open(&h, "sim:model=jk,flash=instant");
	arm(&h);
	make_block(b, 1, image, 128);
	b[60] ^= 1;
	assert_int_equal(give(&h, b, 132), 0x15);
	make_block(b, 1, image, 128);
	b[2] ^= 1;
	assert_int_equal(give(&h, b, 132), 0x15);
	make_block(b, 1, image, 128);
	assert_int_equal(give(&h, b, 132), 0x06);
	ops = bf_pack_ops(bf_sim_pack(h.t));
	assert_int_equal(give(&h, b, 132), 0x06); /* again: not written again */
	assert_int_equal(bf_pack_ops(bf_sim_pack(h.t)), ops);
	make_block(b, 7, image + 128, 128);
	assert_int_equal(give(&h, b, 132), 0x15);
	make_block(b, 2, image + 128, 128);
	assert_int_equal(give(&h, b, 132), 0x06);
	/* Block 1 in the middle: it begins again. */
	make_block(b, 1, image, 128);
	assert_int_equal(give(&h, b, 132), 0x18);
	assert_int_equal(give(&h, b, 132), 0x06);
	assert_true(send_blocks(&h, image, BF_JK_IMAGE, 1));
	/* Half a block: asked for after a second. */
	h.rx_len = 0;
	smp_put(&h, b, 70);
	assert_int_equal(smp_hear(&h, 0, BF_MS(900)), 0);
	assert_int_equal(smp_hear(&h, 1, BF_MS(300)), 1);
	assert_int_equal(h.rx[0], 0x15);
	smp_close(&h);
	free(image);
}

static size_t make_long_block(uint8_t *b, uint8_t number, const uint8_t *p)
{
	b[0] = 2;
	b[1] = number;
	b[2] = (uint8_t)~number;
	memcpy(b + 3, p, 1024);
	bf_put_be16(b + 1027, smp_crc(b + 3, 1024));
	return 1029;
}

static void a_bootloader_with_crc_asks_with_c_and_takes_long_blocks(void **state)
{
	struct smp_host h;
	uint8_t b[1100], *image = image_of("15.42");
	size_t at = 0;

	(void)state;
	smp_open(&h, "sim:model=jk,crc=1,flash=instant");
	arm(&h);
	assert_int_equal(h.rx[h.rx_len - 1], 'C');
	make_block(b, 1, image, 128); /* with a sum: one byte is missing */
	h.rx_len = 0;
	smp_put(&h, b, 132);
	assert_int_equal(smp_hear(&h, 0, BF_MS(800)), 0);
	assert_int_equal(smp_hear(&h, 1, BF_MS(400)), 1);
	assert_int_equal(h.rx[0], 'C');
	bf_put_be16(b + 131, (uint16_t)(smp_crc(b + 3, 128) ^ 1));
	assert_int_equal(give(&h, b, 133), 0x15);
	for (uint8_t n = 1; at < BF_JK_IMAGE; n++) {
		if (BF_JK_IMAGE - at >= 1024 && n > 8) {
			make_long_block(b, n, image + at);
			at += 1024;
		} else {
			make_block(b, n, image + at, BF_JK_IMAGE - at);
			bf_put_be16(b + 131, smp_crc(b + 3, 128));
			at += 128;
		}
		assert_int_equal(give(&h, b, b[0] == 2 ? 1029 : 133), 0x06);
	}
	give(&h, (const uint8_t *)"\x04", 1);
	assert_int_equal(h.rx[0], 0x06);
	smp_wait(&h, BF_SEC(1));
	assert_string_equal(version(&h), "15.42");
	smp_close(&h);
	free(image);
}

static void a_poll_is_taken_for_a_block(void **state)
{
	uint8_t ask[8] = { 1, 3, 0x14, 0x10, 0, 4 };
	struct smp_host h;

	(void)state;
	smp_open(&h, "sim:model=jk");
	arm(&h);
	h.rx_len = 0;
	put_crc(ask, 6);
	smp_put(&h, ask, sizeof(ask));
	assert_int_equal(smp_hear(&h, 0, BF_MS(900)), 0);
	assert_int_equal(smp_hear(&h, 1, BF_MS(300)), 1);
	assert_int_equal(h.rx[0], 0x15);
	smp_close(&h);
}

static void an_end_at_any_length_starts_half_an_image(void **state)
{
	static const char *const models[] = { "sim:model=jk,flash=instant",
					      "sim:model=jk202,flash=instant" };
	struct smp_host h;
	uint8_t *image = image_of("15.42");

	(void)state;
	for (size_t i = 0; i < BF_COUNT(models); i++) {
		struct bf_pack *pack;

		smp_open(&h, models[i]);
		pack = bf_sim_pack(h.t);
		arm(&h);
		assert_true(send_blocks(&h, image, BF_JK_IMAGE, 100));
		h.rx_len = 0;
		smp_put(&h, "\x04", 1);
		smp_hear(&h, 0, BF_MS(300));
		assert_non_null(memmem(h.rx, h.rx_len, "Jump to app", 11));
		assert_string_equal(version(&h), "none");
		assert_null(bf_pack_running(pack));
		bf_pack_power(pack, false, bf_now(h.t->clock));
		bf_pack_power(pack, true, bf_now(h.t->clock));
		h.rx_len = 0;
		smp_wait(&h, BF_SEC(5));
		assert_int_equal(smp_hear(&h, 0, BF_MS(10)), 0);
		smp_close(&h);
	}
	free(image);
}

static void nothing_sent_starts_what_was_there(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, "sim:model=jk");
	arm(&h);
	smp_put(&h, "\x04", 1);
	smp_wait(&h, BF_SEC(1));
	assert_string_equal(version(&h), "15.41");
	smp_close(&h);
}

static void an_image_of_others_runs_when_its_end_was_heard(void **state)
{
	struct smp_host h;
	uint8_t *image = image_of("15.50");

	(void)state;
	memset(image + 0x2C0, 0x11, 16);
	smp_open(&h, "sim:model=jk,flash=instant");
	arm(&h);
	assert_true(send_blocks(&h, image, 20000, 1000));
	smp_wait(&h, BF_SEC(1));
	assert_string_equal(version(&h), "15.50");
	smp_close(&h);
	free(image);
}

/* ---- power ---- */

static void a_unit_that_was_cut_is_dead_or_in_its_bootloader(void **state)
{
	static const struct {
		const char *keys;
		bool dead;
	} rows[] = {
		{ "model=jk", false },
		{ "model=jk202", true },
		{ "model=jk,aftercut=dead", true },
		{ "model=jk202,aftercut=loader", false },
	};
	struct smp_host h;
	char address[128];
	uint8_t b[140], *image = image_of("15.42");

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		snprintf(address, sizeof(address), "sim:flash=instant,repower=100,%s",
			 rows[i].keys);
		smp_open(&h, address);
		arm(&h);
		assert_true(send_blocks(&h, image, BF_JK_IMAGE, 50));
		bf_pack_cut_at(bf_sim_pack(h.t), 3);
		make_block(b, 51, image + 50 * 128, 128);
		h.rx_len = 0;
		smp_put(&h, b, 132);
		smp_wait(&h, BF_SEC(3));
		smp_hear(&h, 0, BF_MS(10));
		if (rows[i].dead) {
			assert_int_equal(h.rx_len, 0);
			assert_string_equal(version(&h), "none");
		} else {
			assert_non_null(memmem(h.rx, h.rx_len, "BOOTLOADER", 10));
			assert_true(send_blocks(&h, image, BF_JK_IMAGE, 1000));
			smp_wait(&h, BF_SEC(1));
			assert_string_equal(version(&h), "15.42");
		}
		smp_close(&h);
	}
	free(image);
}

/* ---- BOOT0 ---- */

static int rom(struct smp_host *h, const void *p, size_t len, size_t want)
{
	h->rx_len = 0;
	h->t->ops->stream->discard(h->t);
	smp_put(h, p, len);
	smp_hear(h, want, BF_SEC(2));
	return h->rx_len ? h->rx[0] : -1;
}

static int rom_command(struct smp_host *h, uint8_t command)
{
	uint8_t b[2] = { command, (uint8_t)~command };

	return rom(h, b, 2, 1);
}

static int rom_address(struct smp_host *h, uint8_t command, uint32_t addr)
{
	uint8_t b[5];

	if (rom_command(h, command) != 0x79)
		return -2;
	bf_put_be32(b, addr);
	b[4] = b[0] ^ b[1] ^ b[2] ^ b[3];
	return rom(h, b, 5, 1);
}

static int rom_write(struct smp_host *h, uint32_t addr, const uint8_t *p, size_t len)
{
	uint8_t b[258] = { 255 };

	if (rom_address(h, 0x31, addr) != 0x79)
		return -3;
	memset(b + 1, 0xFF, 256);
	memcpy(b + 1, p, len < 256 ? len : 256);
	for (size_t i = 0; i < 257; i++)
		b[257] ^= b[i];
	return rom(h, b, 258, 1);
}

static void rom_line(struct smp_host *h, bool rom)
{
	const struct bf_line line = { .baud = 115200,
				      .data_bits = 8,
				      .parity = rom ? BF_PARITY_EVEN : BF_PARITY_NONE };
	struct bf_err err;

	assert_int_equal(h->t->ops->stream->set_line(h->t, &line, &err), BF_OK);
}

/* A unit that is dead, opened up, and written by the ROM of its controller. */
static void boot0_brings_a_dead_unit_back(void **state)
{
	char file[] = "/tmp/jk-state-XXXXXX", address[160];
	uint8_t b[140], pages[42], *image = image_of("15.42");
	struct smp_host h;

	(void)state;
	assert_int_not_equal(mkstemp(file), -1);
	unlink(file);
	snprintf(address, sizeof(address), "sim:flash=instant,model=jk202,state=%s", file);
	smp_open(&h, address);
	arm(&h);
	assert_true(send_blocks(&h, image, BF_JK_IMAGE, 50));
	make_block(b, 51, image, 128);
	bf_pack_cut_at(bf_sim_pack(h.t), 3);
	smp_put(&h, b, 132);
	smp_wait(&h, BF_SEC(1));
	smp_close(&h);
	smp_open(&h, address);
	assert_string_equal(version(&h), "none");
	smp_close(&h);
	snprintf(address, sizeof(address), "sim:flash=instant,model=jk202,boot0=hand,state=%s",
		 file);
	smp_open(&h, address);
	rom_line(&h, true);
	assert_int_equal(rom(&h, "\x7F", 1, 1), 0x79);
	assert_int_equal(rom_command(&h, 0x43), 0x79);
	pages[0] = pages[41] = 39; /* 40 pages of 1 KiB from the eighth on */
	for (uint8_t i = 0; i < 40; i++) {
		pages[1 + i] = (uint8_t)(8 + i);
		pages[41] ^= pages[1 + i];
	}
	assert_int_equal(rom(&h, pages, 42, 1), 0x79);
	for (uint32_t at = 0; at < BF_JK_IMAGE; at += 256)
		assert_int_equal(rom_write(&h, 0x08002000 + at, image + at, BF_JK_IMAGE - at),
				 0x79);
	assert_int_equal(rom_address(&h, 0x21, 0x08002000), 0x79);
	smp_wait(&h, BF_SEC(1));
	rom_line(&h, false);
	assert_string_equal(version(&h), "15.42");
	smp_close(&h);
	unlink(file);
	free(image);
}

static void a_mass_erase_takes_the_bootloader_that_is_in_no_file(void **state)
{
	struct smp_host h;
	struct bf_pack *pack;

	(void)state;
	smp_open(&h, "sim:flash=instant,model=jk,boot0=hand");
	pack = bf_sim_pack(h.t);
	rom_line(&h, true);
	assert_int_equal(rom(&h, "\x7F", 1, 1), 0x79);
	assert_int_equal(rom_command(&h, 0x43), 0x79);
	assert_int_equal(rom(&h, "\xFF\0", 2, 1), 0x79);
	bf_pack_restart(pack, BF_PACK_BY_REQUEST, bf_now(h.t->clock));
	smp_wait(&h, BF_SEC(3));
	rom_line(&h, false);
	h.rx_len = 0;
	h.t->ops->stream->discard(h.t);
	assert_int_equal(smp_hear(&h, 0, BF_SEC(3)), 0);
	assert_string_equal(version(&h), "none");
	smp_close(&h);
}

/* Before the first block is taken the old firmware is whole; a unit that marks a page asks for firmware until it has
 * some. */
static void power_that_goes_at_any_operation_leaves_a_state_that_can_be_told(void **state)
{
	struct smp_host h;
	uint8_t *image = image_of("15.42");
	char address[128];

	(void)state;
	for (unsigned op = 1; op < 5200; op += op < 40 ? 3 : 397) {
		struct bf_pack *pack;
		bool done;

		snprintf(address, sizeof(address),
			 "sim:flash=instant,repower=100,model=jk,cutop=%u", op);
		smp_open(&h, address);
		pack = bf_sim_pack(h.t);
		arm(&h);
		done = send_blocks(&h, image, BF_JK_IMAGE, 1000);
		smp_wait(&h, BF_SEC(3));
		if (op == 1) /* the mark itself: torn, it is none */
			assert_int_equal(bf_pack_mode(pack), BF_PACK_APP);
		else if (bf_pack_mode(pack) == BF_PACK_LOADER)
			assert_true(!done || bf_pack_starts(pack) > 2);
		else
			assert_string_equal(version(&h), "15.42");
		smp_close(&h);
	}
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_are_addressed_by_bytes),
		cmocka_unit_test(what_is_odd_long_or_past_a_table_is_an_exception),
		cmocka_unit_test(it_is_deaf_after_an_answer),
		cmocka_unit_test(the_maker_s_frame_comes_before_the_acknowledge),
		cmocka_unit_test(the_update_command_has_no_answer_and_the_bootloader_asks),
		cmocka_unit_test(the_update_command_is_not_heard_right_after_an_answer),
		cmocka_unit_test(an_update_ends_with_the_loader_s_words_and_the_new_version),
		cmocka_unit_test(bad_and_repeated_blocks_are_answered_as_xmodem_says),
		cmocka_unit_test(a_bootloader_with_crc_asks_with_c_and_takes_long_blocks),
		cmocka_unit_test(a_poll_is_taken_for_a_block),
		cmocka_unit_test(an_end_at_any_length_starts_half_an_image),
		cmocka_unit_test(nothing_sent_starts_what_was_there),
		cmocka_unit_test(an_image_of_others_runs_when_its_end_was_heard),
		cmocka_unit_test(a_unit_that_was_cut_is_dead_or_in_its_bootloader),
		cmocka_unit_test(a_mass_erase_takes_the_bootloader_that_is_in_no_file),
		cmocka_unit_test(boot0_brings_a_dead_unit_back),
		cmocka_unit_test(power_that_goes_at_any_operation_leaves_a_state_that_can_be_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
