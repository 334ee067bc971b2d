/* SPDX-License-Identifier: MIT */
/* What both kinds of units have in common: Modbus in the firmware, deaf times, answers of the bootloader. */
#include <string.h>

#include "sim/xmodem/unit_priv.h"

#define DEAF_MIN_MS 20u
#define DEAF_MAX_MS 380u
#define BYTE_US     87 /* at 115200 */

void bf_unit_say(struct bf_unit *u, const void *p, size_t len, bf_time at)
{
	if (len > sizeof(u->out) - u->out_len)
		return;
	memcpy(u->out + u->out_len, p, len);
	u->out_len += len;
	if (u->out_at == BF_NEVER || u->out_at < at)
		u->out_at = at;
}

static void modbus_sends(struct bf_bytes_port *port, const uint8_t *p, size_t len, bf_time now)
{
	struct bf_unit *u = BF_CONTAINER_OF(port, struct bf_unit, modbus_port);
	const struct bf_sim_opts *opts = bf_pack_opts(u->pack);
	uint32_t ms = opts->deaf_ms;

	if (opts->deaf_ms == BF_SIM_DEAF_MODEL)
		ms = u->ops == &bf_jk_unit
			     ? DEAF_MIN_MS +
				       (uint32_t)bf_rng_below(&u->rng, DEAF_MAX_MS - DEAF_MIN_MS)
			     : 0;
	u->port->send(u->port, p, len, now);
	u->answered_at = now + (bf_time)len * BYTE_US;
	u->deaf_until = u->answered_at + BF_MS(ms);
}

static void follow_pack(struct bf_unit *u, bf_time now)
{
	/* While the chip's ROM has the line, the unit is not there. */
	enum bf_pack_mode mode = bf_pack_in_rom(u->pack) ? BF_PACK_OFF : bf_pack_mode(u->pack);

	if (mode == u->mode && bf_pack_starts(u->pack) == u->starts)
		return;
	u->mode = mode;
	u->starts = bf_pack_starts(u->pack);
	u->out_len = u->block_len = 0;
	u->out_at = u->poll_at = BF_NEVER;
	u->taken = u->ended = false;
	u->deaf_until = 0;
	bf_modbus_unit_reset(u->modbus);
	u->ops->started(u, now);
}

/* It was on before the line was opened: nobody heard how it started. */
static void join_running(struct bf_unit *u)
{
	if (bf_pack_mode(u->pack) < BF_PACK_LOADER || bf_pack_in_rom(u->pack))
		return;
	u->mode = bf_pack_mode(u->pack);
	u->starts = bf_pack_starts(u->pack);
	u->unheard = true;
	u->ops->started(u, 0);
	u->unheard = false;
}

static void unit_bytes(void *server, const uint8_t *p, size_t len, bf_time began, bf_time now)
{
	struct bf_unit *u = server;

	follow_pack(u, now);
	if (u->mode == BF_PACK_LOADER)
		u->ops->loader_bytes(u, p, len, now);
	else if (u->mode == BF_PACK_APP && began >= u->deaf_until)
		bf_modbus_unit_bytes(u->modbus, p, len, began, now);
}

static bf_time sooner(bf_time a, bf_time b)
{
	return a < b ? a : b;
}

static bf_time unit_next(const void *server)
{
	const struct bf_unit *u = server;
	bf_time at = sooner(bf_pack_next(u->pack), bf_modbus_unit_next(u->modbus));

	return sooner(sooner(at, u->out_at), u->ops->next(u));
}

static void unit_run(void *server, bf_time now)
{
	struct bf_unit *u = server;

	bf_pack_run(u->pack, now);
	follow_pack(u, now);
	bf_modbus_unit_run(u->modbus, now);
	if (u->out_at <= now) {
		u->out_at = BF_NEVER;
		if (bf_pack_reply(u->pack, now))
			u->port->send(u->port, u->out, u->out_len, now);
		u->out_len = 0;
	}
	u->ops->run(u, now);
}

static void *unit_open(struct bf_pack *pack, struct bf_bytes_port *port)
{
	struct bf_unit *u = calloc(1, sizeof(*u));

	if (!u)
		abort();
	u->ops = bf_unit_is_jk(pack) ? &bf_jk_unit : &bf_vanmoof_unit;
	u->pack = pack;
	u->port = port;
	u->modbus_port = (struct bf_bytes_port){ .send = modbus_sends };
	u->modbus = bf_modbus_unit_new(u->ops->map, u, pack, &u->modbus_port);
	u->rng.state = bf_pack_opts(pack)->seed ^ 0xDEAF;
	u->mode = BF_PACK_OFF;
	u->out_at = u->poll_at = BF_NEVER;
	u->answered_at = -BF_SEC(10);
	join_running(u);
	return u;
}

static void unit_close(void *server)
{
	struct bf_unit *u = server;

	bf_modbus_unit_free(u->modbus);
	free(u);
}

const struct bf_bytes_ops bf_unit_bytes = {
	.open = unit_open,
	.close = unit_close,
	.bytes = unit_bytes,
	.next = unit_next,
	.run = unit_run,
};
