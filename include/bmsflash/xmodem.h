/* SPDX-License-Identifier: MIT */
/*
 * The sender's side of XMODEM: numbered blocks of 128 or 1024 bytes with a sum or a CRC, each acknowledged by one
 * control byte. The receiver leads: it asks with a ready byte, asks for a block again, or cancels. Receivers in
 * bootloaders differ in details, so the details are options.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/transport.h"

#define BF_XMODEM_SOH 0x01 /* 128 bytes follow */
#define BF_XMODEM_STX 0x02 /* 1024 bytes follow */
#define BF_XMODEM_EOT 0x04
#define BF_XMODEM_ACK 0x06
#define BF_XMODEM_NAK 0x15
#define BF_XMODEM_CAN 0x18

#define BF_XMODEM_BLOCK_MAX 1024
#define BF_XMODEM_FRAME_MAX (3 + BF_XMODEM_BLOCK_MAX + 2)
#define BF_XMODEM_EOTS_MAX  4
#define BF_XMODEM_TEXT      256

enum bf_xmodem_check {
	BF_XMODEM_SUM,
	BF_XMODEM_CRC,
	BF_XMODEM_AUTO /* as the receiver asks: NAK for a sum, 'C' for a CRC */
};

enum bf_xmodem_ready { BF_XMODEM_READY_NAK, BF_XMODEM_READY_C, BF_XMODEM_READY_ANY };

enum bf_xmodem_end {
	BF_XMODEM_END_STANDARD, /* EOT after the last block was acknowledged, again until that is acknowledged */
	BF_XMODEM_END_GLUED, /* EOTs in the same write as the last block */
};

struct bf_xmodem_opts {
	uint32_t block; /* 128 or 1024 */
	enum bf_xmodem_check check;
	enum bf_xmodem_ready ready;
	enum bf_xmodem_end end;
	unsigned eots;      /* glued: how many, at most BF_XMODEM_EOTS_MAX */
	uint8_t pad;        /* fills the last block */
	bool echo;          /* the receiver sends each block back before it answers */
	unsigned cancels;   /* CAN bytes in a row that end the transfer: 1 or 2 */
	bool may_cancel;    /* the receiver takes CAN CAN from us as the end of the transfer */
	unsigned sends;     /* of one block, in all */
	bf_time block_wait; /* for the answer to a block, before it goes again */
	bf_time end_wait;   /* for the answer to the end of the transfer, and for the text */
	bf_time whole;      /* all blocks together, whatever the receiver asks for; 0: no limit */
	const char *done;   /* text that says that the transfer is complete; NULL or "": none */
	const struct bf_log *log; /* may be NULL */
};

/* Makes one block of a frame; data may be shorter than the block. Returns the length of the frame. */
size_t bf_xmodem_frame(const struct bf_xmodem_opts *opts, bool crc, uint8_t number,
		       const uint8_t *data, size_t len, uint8_t dst[BF_XMODEM_FRAME_MAX]);

struct bf_xmodem {
	struct bf_xmodem_opts opts;
	struct bf_transport *wire; /* borrowed */
	bool crc;                  /* settled by the receiver's ready byte */
	uint8_t number;            /* of the block that goes next */
	uint64_t blocks;           /* acknowledged */
	uint64_t repeats;          /* blocks that went again ... */
	uint64_t unasked;          /* ... because no answer came */
	bf_time until;             /* end of opts.whole */

	uint8_t frame[BF_XMODEM_FRAME_MAX + BF_XMODEM_EOTS_MAX]; /* the block that is out */
	size_t frame_len, data_len;
	bool out, last;
	bf_time sent; /* when it went out last */
	unsigned sends;
	size_t echoed;

	char text
		[BF_XMODEM_TEXT]; /* what the receiver wrote since it was last emptied; control bytes are
					left out, the oldest is dropped */
	size_t text_len;
	unsigned acks; /* since the last block went out */
	bool done;     /* the text of opts.done was seen */
};

void bf_xmodem_init(struct bf_xmodem *x, const struct bf_xmodem_opts *opts,
		    struct bf_transport *wire);

/*
 * Listens for the receiver's ready byte and sends nothing. What it writes meanwhile is kept in x->text: a byte
 * counts as ready when it does not belong to a text and the line is quiet after it. BF_E_NODEV: nothing that could
 * be a receiver was heard by the deadline.
 */
enum bf_rc bf_xmodem_listen(struct bf_xmodem *x, bf_time deadline, struct bf_err *err);

/* Starts with block 1. */
void bf_xmodem_begin(struct bf_xmodem *x);
/* Sends a block of at most opts.block bytes; `last` glues the end to it where the receiver wants that. */
enum bf_rc bf_xmodem_send(struct bf_xmodem *x, const uint8_t *data, size_t len, bool last,
			  struct bf_err *err);
/*
 * Waits until the block that is out was acknowledged, sending it again where the receiver asks for it or says nothing.
 * BF_E_NAK: the receiver cancelled; BF_E_LINK: it asked for the block again and again, or ended without it;
 * BF_E_TIMEOUT: it is silent.
 */
enum bf_rc bf_xmodem_answer(struct bf_xmodem *x, struct bf_err *err);
/* Ends the transfer. BF_OK also where the receiver is silent after an end that it has acknowledged, or that was glued
 * to a block which it has: it may have started the firmware. x->done says whether the text was seen. */
enum bf_rc bf_xmodem_finish(struct bf_xmodem *x, struct bf_err *err);
/* Gives up: CAN CAN where the receiver takes it. Never fails. */
void bf_xmodem_cancel(struct bf_xmodem *x);
