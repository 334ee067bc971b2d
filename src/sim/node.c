/* SPDX-License-Identifier: MIT */
#include "sim/node.h"

#include <string.h>

#include "sim/inverter.h"
#include "sim/smp/smp.h"
#include "sim/uds/uds_model.h"
#include "sim/xmodem/unit.h"

static bf_time sooner(bf_time a, bf_time b)
{
	return a < b ? a : b;
}

static bool listens(const struct bf_pack *pack)
{
	return bf_pack_mode(pack) >= BF_PACK_LOADER;
}

/* Beside the ROM of a chip, UDS is the application's, where it speaks it at all. */
static bool bus_hears_uds(const struct bf_bus_node *n)
{
	if (!n->rom)
		return listens(n->pack);
	return bf_pack_mode(n->pack) == BF_PACK_APP &&
	       bf_sim_opts_app(bf_pack_opts(n->pack)) == BF_SIM_APP_UDS;
}

/* ---- bus ---- */

static bf_time bus_send_frame(struct bf_isotp_port *port, const struct bf_frame *f, bf_time now)
{
	struct bf_bus_node *n = BF_CONTAINER_OF(port, struct bf_bus_node, lower);

	return bus_hears_uds(n) ? n->send(n, f, now) : now;
}

static void bus_message(struct bf_isotp_port *port, const uint8_t *msg, size_t len, bool functional,
			bf_time now)
{
	struct bf_bus_node *n = BF_CONTAINER_OF(port, struct bf_bus_node, lower);

	bf_server_request(n->uds, msg, len, functional, BF_ISOTP_MAX, now);
}

static void bus_send_message(struct bf_server_port *port, const uint8_t *msg, size_t len,
			     bf_time now)
{
	struct bf_bus_node *n = BF_CONTAINER_OF(port, struct bf_bus_node, port);

	bf_isotp_server_send(&n->isotp, msg, len, now);
}

static void bus_set_rate(struct bf_server_port *port, uint32_t rate, bf_time now)
{
	(void)now;
	BF_CONTAINER_OF(port, struct bf_bus_node, port)->rate = rate;
}

static bf_time rom_send(struct bf_rom_bus *bus, const struct bf_frame *f, bf_time now)
{
	struct bf_bus_node *n = BF_CONTAINER_OF(bus, struct bf_bus_node, rom_bus);

	return n->send(n, f, now);
}

static void rom_set_rate(struct bf_rom_bus *bus, uint32_t rate, bf_time now)
{
	(void)now;
	BF_CONTAINER_OF(bus, struct bf_bus_node, rom_bus)->rate = rate;
}

static uint32_t id_or(uint32_t id, uint32_t other)
{
	return id ? id : other;
}

/* Some loaders listen elsewhere than their applications. */
static void set_ids(struct bf_bus_node *n)
{
	const struct bf_plain_model *m = bf_plain_model(bf_pack_opts(n->pack));
	struct bf_isotp_ids *ids = &n->isotp.ids;

	if (!m)
		return;
	ids->request = id_or(m->request_id, BF_ISOTP_REQUEST);
	ids->answer = id_or(m->answer_id, BF_ISOTP_ANSWER);
	ids->functional = id_or(m->functional_id, BF_ISOTP_FUNCTIONAL);
	if (bf_pack_mode(n->pack) != BF_PACK_LOADER)
		return;
	ids->request = id_or(m->loader_request_id, ids->request);
	ids->answer = id_or(m->loader_answer_id, ids->answer);
}

void bf_bus_node_init(struct bf_bus_node *n, struct bf_pack *pack, uint32_t rate)
{
	memset(n, 0, sizeof(*n));
	n->pack = pack;
	n->rate = rate;
	n->broadcast_at = bf_pack_opts(pack)->broadcast ? 0 : BF_NEVER;
	n->port = (struct bf_server_port){ true, rate, bus_send_message, bus_set_rate };
	n->lower = (struct bf_isotp_port){ bus_send_frame, bus_message };
	bf_isotp_server_init(&n->isotp, &n->lower);
	if (bf_pack_opts(pack)->quirks & BF_QUIRK_SLOW) {
		n->isotp.ask_block_size = 16;
		n->isotp.ask_st_min = 1;
	}
	if (bf_plain_model(bf_pack_opts(pack))) {
		n->isotp.ask_block_size = bf_plain_model(bf_pack_opts(pack))->fc_block_size;
		n->isotp.ask_st_min = bf_plain_model(bf_pack_opts(pack))->fc_st_min;
	}
	if (bf_sim_opts_hostile(bf_pack_opts(pack)) & BF_HOSTILE_FRAMES) {
		n->hostile.state = bf_pack_opts(pack)->seed ^ 0x1F;
		n->isotp.hostile = &n->hostile;
	}
	n->uds = bf_server_new(pack, &n->port);
	n->rom_bus = (struct bf_rom_bus){ rom_send, rom_set_rate };
	if (bf_rom_chip(bf_pack_opts(pack)))
		n->rom = bf_rom_can_new(pack, &n->rom_bus);
}

void bf_bus_node_done(struct bf_bus_node *n)
{
	n->rom = bf_rom_free(n->rom);
	n->uds = bf_server_free(n->uds);
}

void bf_bus_node_frame(struct bf_bus_node *n, const struct bf_frame *f, bf_time now)
{
	set_ids(n);
	if (n->rom)
		bf_rom_can_frame(n->rom, f, now);
	if (bus_hears_uds(n))
		bf_isotp_server_frame(&n->isotp, f, now);
	else
		bf_isotp_server_reset(&n->isotp);
}

bf_time bf_bus_node_next(const struct bf_bus_node *n)
{
	bf_time at = n->rom ? bf_rom_can_next(n->rom) : BF_NEVER;

	at = sooner(at, n->broadcast_at);
	return sooner(at, sooner(bf_server_next(n->uds), bf_isotp_server_next(&n->isotp)));
}

/* The firmware talks to inverters, the loader does not. */
static void broadcast(struct bf_bus_node *n, bf_time now)
{
	struct bf_frame frames[BF_INVERTER_FRAMES];
	struct bf_pack_measure m;

	n->broadcast_at = now + BF_INVERTER_PERIOD;
	if (bf_pack_mode(n->pack) != BF_PACK_APP)
		return;
	bf_pack_measure(n->pack, now, &m);
	bf_inverter_frames(&m, frames);
	for (size_t i = 0; i < BF_COUNT(frames); i++)
		n->send(n, &frames[i], now);
}

void bf_bus_node_run(struct bf_bus_node *n, bf_time now)
{
	if (n->broadcast_at <= now)
		broadcast(n, now);
	set_ids(n);
	if (n->rom)
		bf_rom_can_run(n->rom, now);
	bf_isotp_server_run(&n->isotp, now);
	bf_server_run(n->uds, now);
}

/* ---- stream ---- */

static const struct bf_bytes_ops *bytes_ops(const struct bf_sim_opts *opts)
{
	if (opts->protocol == BF_SIM_XMODEM)
		return &bf_unit_bytes;
	if (bf_rom_chip(opts))
		return &bf_rom_bytes;
	return opts->protocol == BF_SIM_SMP ? &bf_smp_bytes : NULL;
}

/* Beside another protocol UDS is the application's alone. */
static bool hears_uds(const struct bf_stream_node *n)
{
	return n->uds && (!n->bytes || bf_pack_mode(n->pack) == BF_PACK_APP);
}

static void stream_at_pack(struct bf_uart *line, const uint8_t *p, size_t len, bf_time began,
			   bf_time now)
{
	struct bf_stream_node *n = BF_CONTAINER_OF(line, struct bf_stream_node, line);

	if (!listens(n->pack))
		return;
	if (n->rom && bf_pack_in_rom(n->pack))
		bf_rom_bytes.bytes(n->rom, p, len, began, now);
	else if (n->bytes)
		n->bytes->bytes(n->server, p, len, began, now);
	if (hears_uds(n))
		bf_framing_feed(&n->framing, p, len, began, now);
}

static void stream_at_tester(struct bf_uart *line, const uint8_t *p, size_t len, bf_time began,
			     bf_time now)
{
	struct bf_stream_node *n = BF_CONTAINER_OF(line, struct bf_stream_node, line);

	(void)began;
	n->heard(n, p, len, now);
}

static void stream_sent(struct bf_uart *line, const uint8_t *p, size_t len, bf_time began,
			bf_time now)
{
	struct bf_stream_node *n = BF_CONTAINER_OF(line, struct bf_stream_node, line);

	(void)began;
	if (n->echo && bf_pack_opts(n->pack)->echo)
		n->echo(n, p, len, now);
}

static void stream_message(struct bf_framing_port *port, const uint8_t *msg, size_t len,
			   bool functional, size_t longest, bf_time now)
{
	struct bf_stream_node *n = BF_CONTAINER_OF(port, struct bf_stream_node, upper);

	bf_server_request(n->uds, msg, len, functional, longest, now);
}

static void stream_send_message(struct bf_server_port *port, const uint8_t *msg, size_t len,
				bf_time now)
{
	struct bf_stream_node *n = BF_CONTAINER_OF(port, struct bf_stream_node, port);
	uint8_t wire[BF_FRAMING_WIRE];

	bf_uart_from_pack(&n->line, wire, bf_framing_answer(&n->framing, msg, len, wire), now);
}

static void stream_set_rate(struct bf_server_port *port, uint32_t rate, bf_time now)
{
	(void)now;
	bf_uart_pack_rate(&BF_CONTAINER_OF(port, struct bf_stream_node, port)->line, rate);
}

static void stream_send_bytes(struct bf_bytes_port *port, const uint8_t *p, size_t len, bf_time now)
{
	struct bf_stream_node *n = BF_CONTAINER_OF(port, struct bf_stream_node, bytes_port);

	bf_uart_from_pack(&n->line, p, len, now);
}

static void stream_bytes_rate(struct bf_bytes_port *port, uint32_t rate, bf_time now)
{
	(void)now;
	bf_uart_pack_rate(&BF_CONTAINER_OF(port, struct bf_stream_node, bytes_port)->line, rate);
}

static void stream_bytes_line(struct bf_bytes_port *port, uint32_t rate, unsigned parity,
			      bf_time now)
{
	(void)now;
	bf_uart_pack_line(&BF_CONTAINER_OF(port, struct bf_stream_node, bytes_port)->line, rate,
			  parity);
}

static uint32_t stream_heard_rate(struct bf_bytes_port *port)
{
	return BF_CONTAINER_OF(port, struct bf_stream_node, bytes_port)->line.heard_rate;
}

void bf_stream_node_init(struct bf_stream_node *n, struct bf_pack *pack, uint32_t rate)
{
	const struct bf_sim_opts *opts = bf_pack_opts(pack);

	memset(n, 0, sizeof(*n));
	n->pack = pack;
	bf_uart_init(&n->line, rate, opts->seed);
	n->line.full_duplex = opts->full_duplex;
	n->line.pack_parity = n->line.tester_parity = opts->parity;
	n->line.at_pack = stream_at_pack;
	n->line.at_tester = stream_at_tester;
	n->line.sent = stream_sent;
	n->port = (struct bf_server_port){ false, rate, stream_send_message, stream_set_rate };
	n->upper = (struct bf_framing_port){ stream_message };
	bf_framing_init(&n->framing, &n->upper);
	n->framing.node = opts->node;
	n->bytes_port = (struct bf_bytes_port){ stream_send_bytes, stream_bytes_rate,
						stream_bytes_line, stream_heard_rate };
	n->bytes = bytes_ops(opts);
	if (n->bytes)
		n->server = n->bytes->open(pack, &n->bytes_port);
	if (bf_rom_chip(opts) && n->bytes != &bf_rom_bytes)
		n->rom = bf_rom_bytes.open(pack, &n->bytes_port);
	if (!n->bytes || bf_sim_opts_app(opts) == BF_SIM_APP_UDS)
		n->uds = bf_server_new(pack, &n->port);
}

void bf_stream_node_done(struct bf_stream_node *n)
{
	if (n->bytes)
		n->bytes->close(n->server);
	if (n->rom)
		bf_rom_bytes.close(n->rom);
	n->server = n->rom = NULL;
	n->uds = n->uds ? bf_server_free(n->uds) : NULL;
}

bf_time bf_stream_node_next(const struct bf_stream_node *n)
{
	bf_time at = bf_uart_next(&n->line);

	if (n->bytes)
		at = sooner(at, n->bytes->next(n->server));
	if (n->rom)
		at = sooner(at, bf_rom_bytes.next(n->rom));
	return n->uds ? sooner(at, bf_server_next(n->uds)) : at;
}

void bf_stream_node_run(struct bf_stream_node *n, bf_time now)
{
	bf_uart_run(&n->line, now);
	if (n->bytes)
		n->bytes->run(n->server, now);
	if (n->rom)
		bf_rom_bytes.run(n->rom, now);
	if (n->uds)
		bf_server_run(n->uds, now);
}
