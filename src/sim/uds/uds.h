/* SPDX-License-Identifier: MIT */
/*
 * The pack's UDS server: bmsflash-uds(7) seen from the device. It knows messages, not frames; a wire
 * hands it requests and carries its answers.
 */
#pragma once

#include "sim/pack.h"

#define BF_SERVER_MSG_MAX 4095u

/* What the server needs of its wire. */
struct bf_server_port {
	bool can; /* rates are CAN's, not a UART's */
	uint32_t default_rate;
	void (*send)(struct bf_server_port *port, const uint8_t *msg, size_t len, bf_time now);
	/* NULL: the wire's rate is not the pack's to change, LinkControl is not offered */
	void (*set_rate)(struct bf_server_port *port, uint32_t rate, bf_time now);
};

struct bf_server;

struct bf_server *bf_server_new(struct bf_pack *pack,
				struct bf_server_port *port); /* both borrowed */
struct bf_server *bf_server_free(struct bf_server *u);        /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_server, bf_server_free)

/* A whole request was heard. `longest`: the longest answer that its framing can carry. */
void bf_server_request(struct bf_server *u, const uint8_t *msg, size_t len, bool functional,
		       size_t longest, bf_time now);
bf_time bf_server_next(const struct bf_server *u);
void bf_server_run(struct bf_server *u, bf_time now); /* runs the pack, too */
