/* SPDX-License-Identifier: MIT */
/*
 * A VanMoof pack. Its firmware takes an image into a shadow bank by Modbus registers; its bootloader installs it, and
 * takes an image itself where neither bank holds a good one.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "sim/xmodem/unit_priv.h"

enum { REG_INSTALL = 0x80, REG_CHECK = 0x81, REG_DATA = 0x82, REG_COUNT = 0x95 };

#define CHUNK_MAX   32u
#define LOADER_SIZE 0x5000u /* as many bytes are taken for a bootloader */
#define WATCHDOG_US BF_SEC(1)
#define CELLS       10u

/* ---- the firmware ---- */

static uint16_t kelvin(int16_t dc)
{
	return (uint16_t)(dc + 2731);
}

static void put_text(uint16_t *dst, const char *text, size_t registers)
{
	for (size_t i = 0; i < registers && *text; i++) {
		uint8_t pair[2] = { (uint8_t)*text++, 0 };

		if (*text)
			pair[1] = (uint8_t)*text++;
		dst[i] = bf_get_be16(pair);
	}
}

static void fill(struct bf_unit *u, uint16_t r[0x2D], bf_time now)
{
	const uint8_t *app = bf_flash_at(&u->pack->flash, VM_APP);
	struct bf_pack_measure m;
	struct bf_pack_ids ids;
	unsigned pack_mv = 0;

	bf_pack_measure(u->pack, now, &m);
	bf_pack_ids(u->pack, &ids);
	for (size_t i = 0; i < CELLS; i++) {
		r[0x1B + i] = m.cell_mv[i];
		pack_mv += m.cell_mv[i];
	}
	r[0x00] = 0x0100;
	r[0x01] = 0x0001;
	r[0x03] = kelvin(m.temp_dc[0]);
	r[0x04] = (uint16_t)pack_mv;
	r[0x05] = (uint16_t)((m.soc_permille + 5) / 10);
	if (!u->output_off)
		r[0x06] = (uint16_t)(m.current_ma / 10);
	r[0x0A] = 0x0001;
	r[0x0B] = (uint16_t)(bf_get_le32(app + 4) >> 16);
	put_text(r + 0x0C, ids.serial, 7);
	r[0x19] = 42;
	r[0x25] = kelvin(m.temp_dc[1]);
	r[0x26] = kelvin(m.temp_dc[2]);
	r[0x27] = kelvin(m.temp_dc[3]);
	r[0x2C] = 0x0007;
}

static uint16_t shadow_state(const struct bf_unit *u)
{
	return (uint16_t)bf_vanmoof_check(bf_flash_at(&u->pack->flash, VM_SHADOW), VM_BANK);
}

static int vm_read(void *ctx, unsigned function, uint16_t first, uint16_t n, uint8_t *dst,
		   bf_time now)
{
	uint16_t r[0x2D] = { 0 };

	if (function != 3)
		return BF_MODBUS_UNIT_SILENT;
	if (first == REG_CHECK && n == 1) {
		bf_put_be16(dst, shadow_state(ctx));
		return 0;
	}
	if (first >= BF_COUNT(r) || n > BF_COUNT(r) - first)
		return BF_MODBUS_UNIT_SILENT;
	fill(ctx, r, now);
	for (size_t i = 0; i < n; i++)
		bf_put_be16(dst + 2 * i, r[first + i]);
	return 0;
}

/* A page is erased with its first byte; bytes that come again spoil it. */
static int stage(struct bf_unit *u, const uint8_t *src, size_t len, bf_time now, bf_time *done)
{
	uint32_t offset = bf_get_be32(src), addr = VM_SHADOW + offset;
	size_t n = len - 4;
	enum bf_pack_work work = BF_PACK_DONE;

	if (len <= 4 || len % 4 || n > CHUNK_MAX || offset % 4 || offset >= VM_BANK ||
	    n > VM_BANK - offset)
		return BF_MODBUS_UNIT_SILENT;
	u->staged += (uint32_t)n;
	if (offset % VM_PAGE == 0)
		work = bf_pack_erase_sector(u->pack, addr, VM_PAGE, VM_ERASE_US, now, done);
	else if (!bf_flash_blank(&u->pack->flash, addr, n))
		work = bf_pack_erase_sector(u->pack, addr - addr % VM_PAGE, VM_PAGE, VM_ERASE_US,
					    now, done);
	if (work != BF_PACK_DIED)
		work = bf_pack_write(u->pack, addr, src + 4, n, now, done);
	return work == BF_PACK_DIED ? BF_MODBUS_UNIT_SILENT : 0;
}

/* Its own bootloader is overwritten by what has that one length. */
static bool replace_loader(struct bf_unit *u, bf_time now, bf_time *done)
{
	for (uint32_t at = 0; at < LOADER_SIZE; at += VM_PAGE) {
		const uint8_t *src = bf_flash_at(&u->pack->flash, VM_SHADOW + at);

		u->pack->kept.torn = true;
		if (bf_pack_erase_sector(u->pack, BF_FLASH_BASE + at, VM_PAGE, VM_ERASE_US, now,
					 done) == BF_PACK_DIED ||
		    bf_pack_write(u->pack, BF_FLASH_BASE + at, src, VM_PAGE, now, done) ==
			    BF_PACK_DIED)
			return false;
	}
	return true;
}

static int install(struct bf_unit *u, bf_time now, bf_time *done)
{
	uint8_t flag[BF_FLASH_WORD];

	if (u->staged == LOADER_SIZE && !replace_loader(u, now, done))
		return BF_MODBUS_UNIT_SILENT;
	memset(flag, 0xFF, sizeof(flag));
	flag[0] = VM_FLAG_INSTALL;
	if (bf_pack_erase_sector(u->pack, VM_FLAG, VM_PAGE, VM_ERASE_US, now, done) ==
		    BF_PACK_DIED ||
	    bf_pack_write(u->pack, VM_FLAG, flag, sizeof(flag), now, done) == BF_PACK_DIED)
		return BF_MODBUS_UNIT_SILENT;
	bf_pack_restart(u->pack, BF_PACK_BY_REQUEST, *done + BF_MS(50));
	return 0;
}

static int vm_write(void *ctx, unsigned function, uint16_t first, uint16_t n, const uint8_t *src,
		    bf_time now, bf_time *ret_done)
{
	struct bf_unit *u = ctx;

	if (function == 16)
		return first == REG_DATA ? stage(u, src, 2u * n, now, ret_done)
					 : BF_MODBUS_UNIT_SILENT;
	if (first == REG_COUNT) {
		u->staged = 0;
		u->output_off = true;
	}
	return first == REG_INSTALL ? install(u, now, ret_done) : 0;
}

static const struct bf_modbus_map vm_map = { .unit = 0xAA, .read = vm_read, .write = vm_write };

/* ---- the bootloader: commands as the ROM's, without its sync, read and erase ---- */

enum { ACK = 0x79, NAK = 0x1F };
enum { CMD_WRITE = 0x31, CMD_WRITE2 = 0x11, CMD_FINISH = 0x21 };
enum { AT_IDLE, AT_COMMAND, AT_ADDRESS, AT_DATA };

static void vm_started(struct bf_unit *u, bf_time now)
{
	(void)now;
	u->stage = AT_IDLE;
	u->staged = 0;
	u->output_off = u->held_page = false;
	u->who = 0;
	u->poll_at = BF_NEVER;
}

static void say(struct bf_unit *u, uint8_t byte, bf_time at)
{
	bf_unit_say(u, &byte, 1, at + BF_MS(1));
	u->block_len = 0;
	u->stage = AT_IDLE;
}

static bool program(struct bf_unit *u, uint32_t addr, const uint8_t *page, bf_time now,
		    bf_time *done)
{
	if (bf_pack_erase_sector(u->pack, addr, VM_PAGE, VM_ERASE_US, now, done) == BF_PACK_DIED)
		return false;
	return !page || bf_pack_write(u->pack, addr, page, VM_PAGE, now, done) != BF_PACK_DIED;
}

/* The first page waits: until the end nothing is there that could be started. */
static void finish(struct bf_unit *u, uint32_t addr, bf_time now)
{
	bf_time done = now;

	if (addr != VM_APP || !u->held_page) {
		say(u, NAK, now);
		return;
	}
	if (!program(u, VM_APP, u->first_page, now, &done))
		return;
	u->poll_at = BF_NEVER;
	say(u, ACK, done);
	bf_pack_restart(u->pack, BF_PACK_BY_REQUEST, done + BF_MS(20));
}

static void take_address(struct bf_unit *u, bf_time now)
{
	const uint8_t *b = u->block;
	uint32_t addr = bf_get_be32(b);

	if ((b[0] ^ b[1] ^ b[2] ^ b[3]) != b[4] || addr < VM_APP || addr >= VM_SHADOW + VM_BANK) {
		say(u, NAK, now);
		return;
	}
	/* Only this holds the bootloader that would start good firmware. */
	if (!bf_pack_message(u->pack, now))
		return;
	if (u->command == CMD_FINISH) {
		finish(u, addr, now);
		return;
	}
	u->offset = addr;
	if (u->poll_at == BF_NEVER)
		u->poll_at = now + WATCHDOG_US;
	say(u, ACK, now);
	u->stage = AT_DATA;
}

static void take_data(struct bf_unit *u, bf_time now)
{
	bf_time done = now;
	uint8_t sum = 0;

	for (size_t i = 0; i < u->block_len; i++)
		sum ^= u->block[i];
	if (sum || u->block[0] != VM_PAGE - 1 || u->offset % VM_PAGE) {
		say(u, NAK, now);
		return;
	}
	bf_pack_heard(u->pack, u->block, u->block_len);
	if (u->offset == VM_APP) {
		memcpy(u->first_page, u->block + 1, VM_PAGE);
		u->held_page = true;
	}
	if (!program(u, u->offset, u->offset == VM_APP ? NULL : u->block + 1, now, &done))
		return;
	u->poll_at = done + WATCHDOG_US;
	say(u, ACK, done);
}

static void idle_byte(struct bf_unit *u, uint8_t b, bf_time now)
{
	static const char who[] = "WHO?\r", banner[] = "I am VanMoof BL V007\r\n";
	char upper = (char)(b >= 'a' && b <= 'z' ? b - 32 : b);

	if (b == CMD_WRITE || b == CMD_WRITE2 || b == CMD_FINISH) {
		u->command = b;
		u->stage = AT_COMMAND;
		return;
	}
	u->who = upper == who[u->who] ? u->who + 1 : upper == who[0];
	if (u->who < sizeof(who) - 1)
		return;
	u->who = 0;
	bf_unit_say(u, banner, sizeof(banner) - 1, now + BF_MS(1));
}

static void loader_byte(struct bf_unit *u, uint8_t b, bf_time now)
{
	switch (u->stage) {
	case AT_IDLE:
		idle_byte(u, b, now);
		return;
	case AT_COMMAND:
		say(u, (b ^ u->command) == 0xFF ? ACK : NAK, now);
		if ((b ^ u->command) == 0xFF)
			u->stage = AT_ADDRESS;
		return;
	default:
		break;
	}
	u->block[u->block_len++] = b;
	if (u->stage == AT_ADDRESS && u->block_len == 5)
		take_address(u, now);
	else if (u->stage == AT_DATA &&
		 (u->block_len == 3u + u->block[0] || u->block_len == VM_PAGE + 2))
		take_data(u, now);
}

static void vm_loader_bytes(struct bf_unit *u, const uint8_t *p, size_t len, bf_time now)
{
	for (size_t i = 0; i < len; i++)
		loader_byte(u, p[i], now);
}

/* In a transfer the watchdog wants a block a second. */
static bf_time vm_next(const struct bf_unit *u)
{
	return u->mode == BF_PACK_LOADER ? u->poll_at : BF_NEVER;
}

static void vm_run(struct bf_unit *u, bf_time now)
{
	if (u->mode != BF_PACK_LOADER || u->poll_at > now)
		return;
	u->poll_at = BF_NEVER;
	bf_pack_restart(u->pack, BF_PACK_BY_WATCHDOG, now);
}

const struct bf_unit_ops bf_vanmoof_unit = {
	.map = &vm_map,
	.started = vm_started,
	.loader_bytes = vm_loader_bytes,
	.next = vm_next,
	.run = vm_run,
};
