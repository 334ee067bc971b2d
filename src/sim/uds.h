/* SPDX-License-Identifier: MIT */
/*
 * The pack's UDS server: bmsflash-uds(7) seen from the device. It knows messages, not frames; a wire
 * hands it requests and carries its answers.
 */
#pragma once

#include "pack.h"

#define BF_UDS_MSG_MAX 4095u

/* What the server needs of its wire. */
struct bf_uds_port {
	bool can; /* rates are CAN's, not a UART's */
	uint32_t default_rate;
	void (*send)(struct bf_uds_port *port, const uint8_t *msg, size_t len, bf_time now);
	/* NULL: the wire's rate is not the pack's to change, LinkControl is not offered */
	void (*set_rate)(struct bf_uds_port *port, uint32_t rate, bf_time now);
};

struct bf_uds;

struct bf_uds *bf_uds_new(struct bf_pack *pack, struct bf_uds_port *port); /* both borrowed */
struct bf_uds *bf_uds_free(struct bf_uds *u); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_uds, bf_uds_free)

/* A whole request was heard. `longest`: the longest answer that its framing can carry. */
void bf_uds_request(struct bf_uds *u, const uint8_t *msg, size_t len, bool functional,
		    size_t longest, bf_time now);
bf_time bf_uds_next(const struct bf_uds *u);
void bf_uds_run(struct bf_uds *u, bf_time now); /* runs the pack, too */
