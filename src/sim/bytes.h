/* SPDX-License-Identifier: MIT */
/*
 * A protocol of a serial line that is no UDS: a server takes the bytes as they come off the line and answers with
 * bytes. The node (node.h) chooses it by the pack's protocol.
 */
#pragma once

#include "sim/pack.h"

struct bf_bytes_port {
	/* Bytes leave when those before them have left. */
	void (*send)(struct bf_bytes_port *port, const uint8_t *p, size_t len, bf_time now);
	/* Taken when the pack has said all. */
	void (*set_rate)(struct bf_bytes_port *port, uint32_t rate, bf_time now);
	/* At once: rate (0: each that is heard, until one is chosen) and enum bf_parity of the pack's end. */
	void (*set_line)(struct bf_bytes_port *port, uint32_t rate, unsigned parity, bf_time now);
	/* Of the bytes that are being handed over. */
	uint32_t (*heard_rate)(struct bf_bytes_port *port);
};

struct bf_bytes_ops {
	void *(*open)(struct bf_pack *pack, struct bf_bytes_port *port); /* both borrowed */
	void (*close)(void *server);
	/* Bytes that the pack heard while it had power; began: when the first of them began. */
	void (*bytes)(void *server, const uint8_t *p, size_t len, bf_time began, bf_time now);
	bf_time (*next)(const void *server);
	void (*run)(void *server, bf_time now); /* runs the pack, too */
};
