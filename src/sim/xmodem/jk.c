/* SPDX-License-Identifier: MIT */
/*
 * A JK / Jikong unit. Its firmware's registers are addressed by bytes: a table's address and an offset, whatever the
 * count. Its bootloader takes XMODEM blocks of 128 bytes with an arithmetic sum and looks at nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "sim/xmodem/unit_priv.h"

#define READ_MAX    122u
#define ARM         0x1626u
#define ASK_IDENT   0x161Cu
#define ASK_RUNTIME 0x1620u
#define ARM_US      BF_MS(480) /* after an answer it hears no update command for so long */
#define NATIVE      300u

enum { SOH = 0x01, STX = 0x02, EOT = 0x04, ACK = 0x06, NAK = 0x15, CAN = 0x18 };

#define POLL_US  BF_SEC(1)
#define THINK_US BF_MS(1)

/* ---- the firmware ---- */

struct table {
	uint16_t first;
	size_t len;
};

static const struct table settings = { 0x1000, 0x150 }, runtime = { 0x1200, 0x12C },
			  device = { 0x1400, 0x0F4 };

static void put_text(uint8_t *dst, const char *text, size_t len)
{
	for (size_t i = 0; i < len && text[i]; i++)
		dst[i] = (uint8_t)text[i];
}

static void fill_runtime(struct bf_unit *u, uint8_t *t, bf_time now)
{
	struct bf_pack_measure m;

	bf_pack_measure(u->pack, now, &m);
	for (size_t i = 0; i < BF_PACK_CELLS; i++)
		bf_put_be16(t + 2 * i, m.cell_mv[i]);
	bf_put_be16(t + 0x8A, (uint16_t)m.temp_dc[0]);
	bf_put_be32(t + 0x90, m.pack_mv);
	bf_put_be32(t + 0x98, (uint32_t)m.current_ma);
	bf_put_be16(t + 0x9C, (uint16_t)m.temp_dc[1]);
	bf_put_be16(t + 0x9E, (uint16_t)m.temp_dc[2]);
	bf_put_be32(t + 0xA0, bf_pack_opts(u->pack)->alarms);
	bf_put_be16(t + 0xA6, (uint16_t)((m.soc_permille + 5) / 10));
}

static void fill_device(struct bf_unit *u, uint8_t *t)
{
	const uint8_t *app = bf_flash_at(&u->pack->flash, JK_APP);
	struct bf_pack_ids ids;

	bf_pack_ids(u->pack, &ids);
	put_text(t, ids.model, 15);
	t[15] = BF_PACK_CELLS;
	put_text(t + 0x10, "15A", 8);
	for (size_t i = 0; i < 8 && app[0x200 + i] != 0xFF; i++)
		t[0x18 + i] = app[0x200 + i];
	put_text(t + 0x48, "260701", 8);
	put_text(t + 0x50, ids.serial, 16);
}

static bool fill(struct bf_unit *u, const struct table *t, uint8_t *dst, bf_time now)
{
	memset(dst, 0, t->len);
	if (t == &runtime)
		fill_runtime(u, dst, now);
	else if (t == &device)
		fill_device(u, dst);
	return true;
}

static int jk_read(void *ctx, unsigned function, uint16_t first, uint16_t n, uint8_t *dst,
		   bf_time now)
{
	static const struct table *const tables[] = { &settings, &runtime, &device };
	uint8_t all[0x150];

	if (function != 3)
		return BF_MODBUS_UNIT_FUNCTION;
	if (first % 2 || n > READ_MAX)
		return BF_MODBUS_UNIT_ADDRESS;
	for (size_t i = 0; i < BF_COUNT(tables); i++) {
		size_t at = (size_t)(uint16_t)(first - tables[i]->first);

		if (at >= tables[i]->len || 2u * n > tables[i]->len - at)
			continue;
		fill(ctx, tables[i], all, now);
		memcpy(dst, all + at, 2u * n);
		return 0;
	}
	return BF_MODBUS_UNIT_ADDRESS;
}

static void reverse(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len / 2; i++) {
		uint8_t c = p[i];

		p[i] = p[len - 1 - i];
		p[len - 1 - i] = c;
	}
}

/* The maker's own frame: the same table, little-endian, behind a head of six bytes; a sum at its end. */
static void send_native(struct bf_unit *u, const struct table *t, uint8_t type, bf_time now)
{
	uint8_t f[NATIVE] = { 0x55, 0xAA, 0xEB, 0x90, type, 1 };
	uint8_t all[0x150];
	uint8_t sum = 0;

	fill(u, t, all, now);
	memcpy(f + 6, all, t->len < NATIVE - 7 ? t->len : NATIVE - 7);
	if (t == &runtime) {
		for (size_t i = 0; i < 32; i++)
			reverse(f + 6 + 2 * i, 2);
		reverse(f + 6 + 0x8A, 2);
		reverse(f + 6 + 0x90, 4);
		reverse(f + 6 + 0x98, 4);
		reverse(f + 6 + 0xA0, 4);
		reverse(f + 6 + 0xA6, 2);
	}
	for (size_t i = 0; i < NATIVE - 1; i++)
		sum = (uint8_t)(sum + f[i]);
	f[NATIVE - 1] = sum;
	u->port->send(u->port, f, sizeof(f), now);
}

/* No answer: it leaves a mark and restarts. */
static int arm(struct bf_unit *u, bf_time now)
{
	static const uint8_t mark[BF_FLASH_WORD] = { 0xA5, 0x5A, 0, 0, 0, 0, 0, 0 };
	bf_time done = now;

	if (now - u->answered_at < ARM_US)
		return BF_MODBUS_UNIT_SILENT;
	if (bf_sim_opts_mark_stays(&u->pack->opts) &&
	    bf_flash_blank(&u->pack->flash, JK_MARK, BF_FLASH_WORD) &&
	    bf_pack_write(u->pack, JK_MARK, mark, sizeof(mark), now, &done) == BF_PACK_DIED)
		return BF_MODBUS_UNIT_SILENT;
	u->pack->armed = true;
	bf_pack_restart(u->pack, BF_PACK_BY_REQUEST, done + BF_MS(20));
	return BF_MODBUS_UNIT_SILENT;
}

static int jk_write(void *ctx, unsigned function, uint16_t first, uint16_t n, const uint8_t *src,
		    bf_time now, bf_time *ret_done)
{
	struct bf_unit *u = ctx;

	if (function != 16)
		return BF_MODBUS_UNIT_FUNCTION;
	if (first == ARM && n == 1 && !bf_get_be16(src))
		return arm(u, now);
	if (first == ASK_IDENT || first == ASK_RUNTIME) {
		send_native(u, first == ASK_IDENT ? &device : &runtime, first == ASK_IDENT ? 3 : 2,
			    now);
		*ret_done = now + BF_MS(26);
		return 0;
	}
	return first - settings.first < (int)settings.len ? 0 : BF_MODBUS_UNIT_ADDRESS;
}

static const struct bf_modbus_map jk_map = { .unit = 1, .read = jk_read, .write = jk_write };

/* ---- the bootloader ---- */

static void poll_later(struct bf_unit *u, bf_time now)
{
	u->poll_at = now + POLL_US;
}

static void begin_again(struct bf_unit *u)
{
	u->block_len = 0;
	u->expect = 1;
	u->offset = 0;
	u->taken = false;
}

static void jk_started(struct bf_unit *u, bf_time now)
{
	const char *banner = u->pack->opts.model == BF_SIM_JK202
				     ? "\r\nSTM32F103x BMS BOOTLOADER (Version 2.0.2)\r\n"
				     : "\r\nSTM32F103x BMS BOOTLOADER (Version 2.0.4)\r\n";

	begin_again(u);
	if (u->mode != BF_PACK_LOADER)
		return;
	if (u->unheard) {
		u->poll_at = now + bf_rng_below(&u->rng, (uint32_t)POLL_US);
		return;
	}
	u->port->send(u->port, (const uint8_t *)banner, strlen(banner), now);
	u->poll_at = now + BF_MS(200);
}

static bool wants_crc(const struct bf_unit *u)
{
	return u->pack->opts.xmodem_crc;
}

/* Bytes of data in the block that has begun. */
static uint32_t data_len(const struct bf_unit *u)
{
	return u->block[0] == STX ? 1024 : 128;
}

static bool is_whole(const struct bf_unit *u)
{
	return u->block_len == 3 + data_len(u) + (wants_crc(u) ? 2 : 1);
}

static bool sum_is_right(const struct bf_unit *u)
{
	const uint8_t *data = u->block + 3, *end = data + data_len(u);
	uint8_t sum = 0;

	if (wants_crc(u))
		return bf_crc16(BF_CRC16_XMODEM, data, data_len(u)) == bf_get_be16(end);
	for (const uint8_t *p = data; p < end; p++)
		sum = (uint8_t)(sum + *p);
	return sum == *end;
}

static void answer(struct bf_unit *u, uint8_t byte, bf_time at)
{
	bf_unit_say(u, &byte, 1, at);
	poll_later(u, at);
}

/* Page by page, as blocks come; no bound. False: there is nothing to answer any more. */
static bool store(struct bf_unit *u, bf_time now, bf_time *done)
{
	uint32_t addr = JK_APP + u->offset, len = data_len(u);
	enum bf_pack_work work = BF_PACK_DONE;

	if (addr + len > JK_END) { /* a bus fault: it hangs */
		bf_pack_power(u->pack, false, now);
		return false;
	}
	u->pack->kept.torn = true;
	if (u->offset % JK_PAGE == 0)
		work = bf_pack_erase_sector(u->pack, addr, JK_PAGE, JK_ERASE_US, now, done);
	if (work != BF_PACK_DIED)
		work = bf_pack_write(u->pack, addr, u->block + 3, len, now, done);
	return work != BF_PACK_DIED;
}

static void take_block(struct bf_unit *u, bf_time now)
{
	uint8_t number = u->block[1];
	size_t len = u->block_len;
	bf_time done = now;

	u->block_len = 0;
	if (!bf_pack_message(u->pack, now))
		return;
	bf_pack_heard(u->pack, u->block, len);
	if ((number ^ u->block[2]) != 0xFF || !sum_is_right(u)) {
		answer(u, NAK, now + THINK_US);
		return;
	}
	if (number == u->expect) {
		if (!store(u, now, &done))
			return;
		u->expect++;
		u->offset += data_len(u);
		u->taken = true;
		answer(u, ACK, done + THINK_US);
	} else if (u->taken && number == (uint8_t)(u->expect - 1)) {
		answer(u, ACK, now + THINK_US);
	} else if (number == 1) {
		begin_again(u);
		answer(u, CAN, now + THINK_US);
	} else {
		answer(u, NAK, now + THINK_US);
	}
}

/* At any length, and at none. */
static void end(struct bf_unit *u, bf_time now)
{
	static const char text[] = "\x06\r\n->Tran-End\r\n\r\n->Jump to app...\r\n";
	bf_time at = bf_pack_idle_at(u->pack, now), done = at;

	u->ended = true;
	u->poll_at = BF_NEVER;
	u->pack->kept.torn = false;
	u->pack->armed = false;
	if (!bf_flash_blank(&u->pack->flash, JK_MARK, JK_PAGE) &&
	    bf_pack_erase_sector(u->pack, JK_MARK, JK_PAGE, JK_ERASE_US, now, &done) ==
		    BF_PACK_DIED)
		return;
	bf_unit_say(u, text, sizeof(text) - 1, done + THINK_US);
	bf_pack_restart(u->pack, BF_PACK_BY_REQUEST, done + BF_MS(10));
}

static void jk_loader_bytes(struct bf_unit *u, const uint8_t *p, size_t len, bf_time now)
{
	u->heard_at = now;
	for (size_t i = 0; i < len && !u->ended; i++) {
		if (!u->block_len && p[i] == EOT) {
			end(u, now);
			continue;
		}
		if (!u->block_len && p[i] == CAN) {
			begin_again(u);
			continue;
		}
		if (!u->block_len && p[i] != SOH && !(p[i] == STX && wants_crc(u)))
			continue;
		u->block[u->block_len++] = p[i];
		u->poll_at = now + POLL_US;
		if (is_whole(u))
			take_block(u, now);
	}
}

static bf_time jk_next(const struct bf_unit *u)
{
	return u->mode == BF_PACK_LOADER ? u->poll_at : BF_NEVER;
}

/* Nothing for a second, or half a block: asks for it. */
static void jk_run(struct bf_unit *u, bf_time now)
{
	/* Until a block has come it says which sum it wants. */
	uint8_t ask = wants_crc(u) && !u->taken ? 'C' : NAK;

	if (u->mode != BF_PACK_LOADER || u->poll_at > now)
		return;
	u->block_len = 0;
	poll_later(u, now);
	u->port->send(u->port, &ask, 1, now);
}

const struct bf_unit_ops bf_jk_unit = {
	.map = &jk_map,
	.started = jk_started,
	.loader_bytes = jk_loader_bytes,
	.next = jk_next,
	.run = jk_run,
};
