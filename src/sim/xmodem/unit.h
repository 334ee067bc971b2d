/* SPDX-License-Identifier: MIT */
/*
 * Units as makers ship them, whose firmware answers Modbus and whose bootloader takes firmware without looking at it:
 * JK / Jikong (XMODEM) and VanMoof (a shadow bank). Facts: bmsflash-sim(1).
 */
#pragma once

#include "sim/bytes.h"

extern const struct bf_bytes_ops bf_unit_bytes;

/* For pack.c: what a new unit has in its flash, and what it starts. */
void bf_unit_preload(struct bf_pack *pack);
void bf_unit_boot(struct bf_pack *pack);

/* ---- their firmware ---- */

#define BF_JK_IMAGE 40060u /* bytes, of a new unit; no multiple of a block */

/* A demonstration image, begun like the maker's: raw code with version, date, model and device code from 0x200 on. At
 * 0x2C0 it says how long it is and has a CRC-32, so that half of one can be known for what it is. */
void bf_jk_image(const char *version, const char *model, uint8_t *dst, uint32_t len);
/* Of whatever lies there. False: damaged. *ret_known: it says so itself, else nobody can tell. */
bool bf_jk_image_whole(const uint8_t *p, size_t len, bool *ret_known);

#define BF_VANMOOF_IMAGE 24640u /* bytes, of a new pack */

/* As the maker's: a header with version, length and CRC-32 before the code. "1.17.1" is version 0x011701B1, of which the
 * pack tells 0x0117. */
void bf_vanmoof_image(const char *version, uint8_t *dst, uint32_t len);
uint32_t bf_vanmoof_version(const char *text);

enum bf_vanmoof_check { /* as its register 0x81 has them */
			BF_VANMOOF_GOOD,
			BF_VANMOOF_BAD,
			BF_VANMOOF_NONE,
};
/* Of a bank of that size. */
enum bf_vanmoof_check bf_vanmoof_check(const uint8_t *p, size_t max);
