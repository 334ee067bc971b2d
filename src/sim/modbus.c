/* SPDX-License-Identifier: MIT */
#include "sim/modbus.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"

#define FRAME_MAX 256u
#define READ_MAX  125u
#define WRITE_MAX 123u
#define GAP_US    1750 /* 3.5 characters at 19200 and above */

enum { READ_HOLDING = 3, READ_INPUT = 4, WRITE_ONE = 6, WRITE_MANY = 16 };

struct bf_modbus_unit {
	const struct bf_modbus_map *map;
	void *ctx;
	struct bf_pack *pack;
	struct bf_bytes_port *port;
	uint8_t in[FRAME_MAX], reply[FRAME_MAX];
	size_t in_len, reply_len;
	bool foreign; /* until the next silence: for another unit, or no request */
	bf_time heard_at, reply_at, answered_at;
};

/* Length of the request that has begun, 0 while that is not known; FRAME_MAX + 1 for what is none. */
static size_t whole(const struct bf_modbus_unit *u)
{
	if (u->in_len < 2)
		return 0;
	switch (u->in[1]) {
	case WRITE_MANY:
		return u->in_len < 7 ? 0 : 9u + u->in[6];
	default:
		return u->in[1] < 0x80 ? 8 : FRAME_MAX + 1;
	}
}

static int run_request(struct bf_modbus_unit *u, struct bf_out *o, bf_time now, bf_time *done)
{
	unsigned function = u->in[1];
	uint16_t first = bf_get_be16(u->in + 2), n = bf_get_be16(u->in + 4);
	uint8_t data[2 * READ_MAX];
	int rc;

	switch (function) {
	case READ_HOLDING:
	case READ_INPUT:
		if (!n || n > READ_MAX)
			return BF_MODBUS_UNIT_VALUE;
		rc = u->map->read(u->ctx, function, first, n, data, now);
		bf_out_u8(o, (uint8_t)(2 * n));
		bf_out_bytes(o, data, 2u * n);
		return rc;
	case WRITE_ONE:
	case WRITE_MANY:
		if (!u->map->write)
			return BF_MODBUS_UNIT_FUNCTION;
		bf_out_bytes(o, u->in + 2, 4);
		if (function == WRITE_ONE)
			return u->map->write(u->ctx, function, first, 1, u->in + 4, now, done);
		if (!n || n > WRITE_MAX || u->in[6] != 2 * n)
			return BF_MODBUS_UNIT_VALUE;
		return u->map->write(u->ctx, function, first, n, u->in + 7, now, done);
	default:
		return BF_MODBUS_UNIT_FUNCTION;
	}
}

static void request(struct bf_modbus_unit *u, size_t len, bf_time now)
{
	struct bf_out o = bf_out(u->reply, sizeof(u->reply));
	bf_time done = now;
	int rc;

	if (bf_crc(&bf_crc16_modbus, u->in, len - 2) != bf_get_le16(u->in + len - 2) ||
	    !bf_pack_message(u->pack, now))
		return;
	bf_pack_heard(u->pack, u->in, len);
	bf_out_u8(&o, u->in[0]);
	bf_out_u8(&o, u->in[1]);
	rc = run_request(u, &o, now, &done);
	if (rc == BF_MODBUS_UNIT_SILENT || !u->in[0])
		return;
	if (rc) {
		u->reply[1] |= 0x80;
		u->reply[2] = (uint8_t)rc;
		o.len = 3;
	}
	bf_out_le16(&o, (uint16_t)bf_crc(&bf_crc16_modbus, u->reply, o.len));
	u->reply_len = o.len;
	u->reply_at = done + GAP_US + bf_pack_opts(u->pack)->turnaround_us;
}

void bf_modbus_unit_bytes(struct bf_modbus_unit *u, const uint8_t *p, size_t len, bf_time began,
			  bf_time now)
{
	if (began - u->heard_at > GAP_US) {
		u->in_len = 0;
		u->foreign = false;
	}
	u->heard_at = now;
	for (size_t i = 0; i < len; i++) {
		size_t end;

		if (u->foreign)
			return;
		u->in[u->in_len++] = p[i];
		end = whole(u);
		u->foreign = u->in[0] != u->map->unit || end > FRAME_MAX || u->in_len == FRAME_MAX;
		if (u->foreign || !end || u->in_len < end)
			continue;
		u->in_len = 0;
		if (u->reply_at == BF_NEVER)
			request(u, end, now);
	}
}

bf_time bf_modbus_unit_next(const struct bf_modbus_unit *u)
{
	return u->reply_at;
}

void bf_modbus_unit_run(struct bf_modbus_unit *u, bf_time now)
{
	if (u->reply_at > now)
		return;
	u->reply_at = BF_NEVER;
	if (!bf_pack_reply(u->pack, now))
		return;
	u->answered_at = now;
	u->port->send(u->port, u->reply, u->reply_len, now);
}

bf_time bf_modbus_unit_answered_at(const struct bf_modbus_unit *u)
{
	return u->answered_at;
}

void bf_modbus_unit_reset(struct bf_modbus_unit *u)
{
	u->in_len = 0;
	u->foreign = false;
	u->reply_at = BF_NEVER;
}

struct bf_modbus_unit *bf_modbus_unit_new(const struct bf_modbus_map *map, void *ctx,
					  struct bf_pack *pack, struct bf_bytes_port *port)
{
	struct bf_modbus_unit *u = calloc(1, sizeof(*u));

	if (!u)
		abort();
	u->map = map;
	u->ctx = ctx;
	u->pack = pack;
	u->port = port;
	u->reply_at = BF_NEVER;
	return u;
}

struct bf_modbus_unit *bf_modbus_unit_free(struct bf_modbus_unit *u)
{
	free(u);
	return NULL;
}

/* ---- a pack of no maker's ---- */

#define REGISTERS 96u

static void put_text(uint8_t *dst, const char *text, size_t len)
{
	for (size_t i = 0; i < len && text[i]; i++)
		dst[i] = (uint8_t)text[i];
}

static int read_pack(void *ctx, unsigned function, uint16_t first, uint16_t n, uint8_t *dst,
		     bf_time now)
{
	struct bf_pack *pack = ctx;
	const struct bf_mimage *runs = bf_pack_running(pack);
	uint8_t all[2 * REGISTERS] = { 0 };
	struct bf_pack_measure m;
	struct bf_pack_ids ids;
	const char *text;

	(void)function;
	if (first >= REGISTERS || n > REGISTERS - first)
		return BF_MODBUS_UNIT_ADDRESS;
	bf_pack_measure(pack, now, &m);
	bf_pack_ids(pack, &ids);
	bf_put_be16(all, m.soc_permille);
	bf_put_be16(all + 2, (uint16_t)(m.pack_mv / 10));
	bf_put_be16(all + 4, (uint16_t)(m.current_ma / 100));
	bf_put_be16(all + 6, (uint16_t)m.temp_dc[0]);
	bf_put_be16(all + 8, bf_pack_self_test(pack, &text));
	for (size_t i = 0; i < BF_PACK_CELLS; i++)
		bf_put_be16(all + 32 + 2 * i, m.cell_mv[i]);
	if (runs) {
		bf_put_be16(all + 128, runs->major);
		bf_put_be16(all + 130, runs->minor);
		bf_put_be16(all + 132, runs->revision);
	}
	put_text(all + 160, ids.model, 16);
	put_text(all + 176, ids.serial, 16);
	memcpy(dst, all + 2u * first, 2u * n);
	return 0;
}

const struct bf_modbus_map bf_modbus_pack_map = { .unit = 1, .read = read_pack };
