/* SPDX-License-Identifier: MIT */
/* The unpacking half of the LZ4 block format, written for the pack: the client packs with liblz4. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BF_UNPACK_WINDOW 65535u /* the farthest that a match reaches back */
#define BF_UNPACK_MOST   16384u /* bytes that one block may unpack to */

/* What a transfer has unpacked so far, as far back as matches reach. A real pack reads it from flash. */
struct bf_unpacker {
	uint8_t buf[BF_UNPACK_WINDOW + BF_UNPACK_MOST];
	size_t len;
};

/* Unpacks one block behind what is there. *ret stays valid until the next call. False: not a block, or
 * longer than BF_UNPACK_MOST, or reaching back before the first byte. */
bool bf_unpack(struct bf_unpacker *u, const uint8_t *block, size_t len, const uint8_t **ret,
	       size_t *ret_len);
