/* SPDX-License-Identifier: MIT */
/*
 * A pack with its server and its wire's lower layer, ready to be put on a real or a virtual wire:
 * a bus node takes and gives frames, a stream node takes and gives bytes with their line times.
 */
#pragma once

#include "sim/bytes.h"
#include "sim/framing.h"
#include "sim/isotp.h"
#include "sim/stm32/rom.h"
#include "sim/uart.h"
#include "sim/uds/uds.h"

struct bf_bus_node {
	struct bf_pack *pack; /* borrowed */
	struct bf_server *uds;
	struct bf_server_port port;
	struct bf_rom *rom; /* of a chip that has one */
	struct bf_rom_bus rom_bus;
	struct bf_isotp_server isotp;
	struct bf_rng hostile;
	struct bf_isotp_port lower;
	uint32_t rate;
	bf_time broadcast_at; /* BF_NEVER: it does not */
	/* Carries a frame of the pack's; returns when it has left. */
	bf_time (*send)(struct bf_bus_node *n, const struct bf_frame *f, bf_time now);
};

void bf_bus_node_init(struct bf_bus_node *n, struct bf_pack *pack, uint32_t rate);
void bf_bus_node_done(struct bf_bus_node *n);
void bf_bus_node_frame(struct bf_bus_node *n, const struct bf_frame *f, bf_time now);
bf_time bf_bus_node_next(const struct bf_bus_node *n);
void bf_bus_node_run(struct bf_bus_node *n, bf_time now);

struct bf_stream_node {
	struct bf_pack *pack;             /* borrowed */
	const struct bf_bytes_ops *bytes; /* NULL: UDS alone */
	void *server;                     /* of bytes */
	void *rom; /* of a chip whose ROM takes the line from it; NULL: none */
	struct bf_bytes_port bytes_port;
	struct bf_server *uds; /* NULL: nothing here speaks it */
	struct bf_server_port port;
	struct bf_framing framing;
	struct bf_framing_port upper;
	struct bf_uart line;
	/* Bytes have arrived at the tester. */
	void (*heard)(struct bf_stream_node *n, const uint8_t *p, size_t len, bf_time now);
	/* The tester hears its own bytes; may be NULL. */
	void (*echo)(struct bf_stream_node *n, const uint8_t *p, size_t len, bf_time now);
	/* What the tester does to the other lines of its port: bits of enum bf_modem_line that are on now,
	 * and a break that begins now. NULL: the pack is not wired to them, and the virtual port has none. */
	void (*modem)(struct bf_stream_node *n, unsigned on, bf_time now);
	void (*line_break)(struct bf_stream_node *n, bf_time duration, bf_time now);
	unsigned modem_on;
	bool held; /* in reset, see wiring.h */
};

void bf_stream_node_init(struct bf_stream_node *n, struct bf_pack *pack, uint32_t rate);
void bf_stream_node_done(struct bf_stream_node *n);
bf_time bf_stream_node_next(const struct bf_stream_node *n);
void bf_stream_node_run(struct bf_stream_node *n, bf_time now);
