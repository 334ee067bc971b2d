/* SPDX-License-Identifier: MIT */
/* What section [xmodem] of a profile says: how this bootloader's XMODEM differs from everybody else's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bmsflash/xmodem.h"

struct bf_xmodem_profile {
	uint32_t block;
	enum bf_xmodem_check check;
	enum bf_xmodem_ready ready;
	enum bf_xmodem_end end;
	uint8_t eots, pad, cancels, sends;
	bool echo, may_cancel;
	char banner[64], done[48]; /* texts of the bootloader; "": none */
	char start[64], leave[64]; /* bytes in hex; "": none */
	uint32_t max_size;         /* bytes of an image; 0: not known */
	uint32_t listen_ms;        /* it is heard at least so often while it waits */
	uint32_t ready_ms, block_ms, end_ms;
	uint32_t whole_s; /* all blocks; 0: two seconds a block, and at least 300 */
};
