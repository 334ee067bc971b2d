/* SPDX-License-Identifier: MIT */
/*
 * The pack's images and slots as MCUboot numbers them: image 0 has the two slots of every pack, image 1 (key image1)
 * two smaller ones behind them. For servers that speak MCUboot's own protocol.
 */
#pragma once

#include "sim/pack.h"
#include "sim/swap.h"

#define BF_PACK_IMAGES 2

unsigned bf_pack_images(const struct bf_pack *pack);
uint32_t bf_pack_bank_addr(const struct bf_pack *pack, unsigned image, unsigned slot);
uint32_t bf_pack_bank_size(const struct bf_pack *pack, unsigned image);
/* Largest image that can be installed there. */
uint32_t bf_pack_bank_max(const struct bf_pack *pack, unsigned image);
const struct bf_mimage *bf_pack_bank_image(struct bf_pack *pack, unsigned image, unsigned slot);
/* Would the boot loader start it: digest, signature, security counter? */
bool bf_pack_bank_valid(struct bf_pack *pack, unsigned image, unsigned slot);
/* How long that check takes. */
bf_time bf_pack_bank_check_us(struct bf_pack *pack, unsigned image, unsigned slot);
/* The slot that runs, or would. */
unsigned bf_pack_bank_active(struct bf_pack *pack, unsigned image);
/* What the trailers ask for at the next start. */
enum bf_swap_kind bf_pack_bank_wanted(const struct bf_pack *pack, unsigned image);
/* Marks slot 1 whatever it holds. */
enum bf_pack_work bf_pack_bank_mark(struct bf_pack *pack, unsigned image, bool permanent,
				    bf_time now, bf_time *ret_done);
/* Confirms what was swapped in for a test; nothing to do otherwise. */
enum bf_pack_work bf_pack_bank_confirm(struct bf_pack *pack, unsigned image, bf_time now,
				       bf_time *ret_done);
