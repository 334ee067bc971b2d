/* SPDX-License-Identifier: MIT */
/* The pack's end of ISO 15765-2: normal addressing, classic and FD frames. No clock and no socket. */
#pragma once

#include "bmsflash/rng.h"
#include "bmsflash/transport.h"

#define BF_ISOTP_REQUEST    0x7E0u
#define BF_ISOTP_ANSWER     0x7E8u
#define BF_ISOTP_FUNCTIONAL 0x7DFu
#define BF_ISOTP_MAX        4095u

struct bf_isotp_ids {
	uint32_t request, answer, functional;
};

struct bf_isotp_port {
	/* Puts a frame on the bus; returns when the bus will have carried it. */
	bf_time (*send)(struct bf_isotp_port *port, const struct bf_frame *frame, bf_time now);
	void (*message)(struct bf_isotp_port *port, const uint8_t *msg, size_t len, bool functional,
			bf_time now);
};

enum bf_isotp_tx {
	BF_ISOTP_IDLE,
	BF_ISOTP_WAIT_FLOW,
	BF_ISOTP_SENDING,
	BF_ISOTP_ENDLESS, /* hostile: first frames, and nothing after them */
};

struct bf_isotp_server {
	struct bf_isotp_port *port;
	struct bf_isotp_ids ids;
	uint8_t ask_block_size, ask_st_min; /* of our own flow control */
	uint8_t flags;                      /* of the frames in which we were asked */
	struct bf_rng *hostile;             /* NULL: a message that was begun is finished */

	uint8_t rx[BF_ISOTP_MAX];
	size_t rx_len, rx_got; /* rx_len 0: nothing under way */
	uint8_t rx_sn, rx_block;
	size_t rx_frame; /* bytes of the first frame, with its head */
	bf_time rx_until;

	uint8_t tx[BF_ISOTP_MAX];
	size_t tx_len, tx_sent;
	enum bf_isotp_tx state;
	uint8_t tx_sn, tx_block_left;
	bool tx_blocks; /* the receiver wants a pause after every block */
	bf_time st_min, tx_at;
};

void bf_isotp_server_init(struct bf_isotp_server *s, struct bf_isotp_port *port);
/* The node has no power: what was under way is gone. */
void bf_isotp_server_reset(struct bf_isotp_server *s);
void bf_isotp_server_frame(struct bf_isotp_server *s, const struct bf_frame *f, bf_time now);
void bf_isotp_server_send(struct bf_isotp_server *s, const uint8_t *msg, size_t len, bf_time now);
bf_time bf_isotp_server_next(const struct bf_isotp_server *s);
void bf_isotp_server_run(struct bf_isotp_server *s, bf_time now);
