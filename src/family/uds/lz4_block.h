/* SPDX-License-Identifier: MIT */
/* Packing in the LZ4 block format, for receivers that keep what they have unpacked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bmsflash/base.h"

struct bf_packer;

struct bf_packer *bf_packer_new(void);
struct bf_packer *bf_packer_free(struct bf_packer *k); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_packer, bf_packer_free)

struct bf_packing {
	const uint8_t *data; /* all that the transfer sends */
	size_t at;           /* data[0..at) is with the receiver, to be referred to */
	size_t most;         /* bytes of data that the block may stand for, at least 1 */
	size_t unit; /* it stands for a multiple of this, or for all of `most`; 0: any number */
};

/* Packs as much from data[at] on as fits into cap. Returns the block's length and how many bytes it stands
 * for, 0 when nothing fits. */
size_t bf_lz4_pack(struct bf_packer *k, const struct bf_packing *what, uint8_t *dst, size_t cap,
		   size_t *ret_taken);

/* About what share of its length the data packs to. */
double bf_lz4_ratio(const uint8_t *data, size_t len);
