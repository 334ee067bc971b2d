/* SPDX-License-Identifier: MIT */
/* The CRCs that the wires and files use, each a row of parameters. */
#pragma once

#include "bmsflash/base.h"

struct bf_crc {        /* 32 bits, least significant bit first */
	uint32_t poly; /* reflected */
	uint32_t init;
	uint32_t xorout;
};

extern const struct bf_crc bf_crc32_ieee; /* RFC 1662 FCS-32, zlib: EDB88320, FFFFFFFF, FFFFFFFF */
extern const struct bf_crc bf_crc32_dfu;  /* DFU 1.1 suffix: as above without final XOR */
extern const struct bf_crc bf_crc16_modbus; /* A001, FFFF, none; the low 16 bits */

/* Running form: start with bf_crc_start, feed any blocks, finish with bf_crc_end. */
uint32_t bf_crc_start(const struct bf_crc *crc);
uint32_t bf_crc_feed(const struct bf_crc *crc, uint32_t state, const void *bytes, size_t len);
uint32_t bf_crc_end(const struct bf_crc *crc, uint32_t state);
uint32_t bf_crc(const struct bf_crc *crc, const void *p, size_t len);

/* 16 bits, by their usual names (catalogue of parametrised CRC algorithms). */
enum bf_crc16_kind {
	BF_CRC16_CCITT_FALSE,
	BF_CRC16_XMODEM,
	BF_CRC16_X25,
	BF_CRC16_MODBUS,
	BF_CRC16_KERMIT,
	BF_CRC16_KIND_COUNT
};
uint16_t bf_crc16(enum bf_crc16_kind kind, const uint8_t *p, size_t len);
