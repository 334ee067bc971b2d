/* SPDX-License-Identifier: MIT */
/* What the files of the units share. */
#pragma once

#include "bmsflash/rng.h"
#include "sim/modbus.h"
#include "sim/pack_priv.h"
#include "sim/xmodem/unit.h"

/* JK: STM32F103, 128 KiB in pages of 1 KiB. */
#define JK_MARK     0x08001C00u /* a page: update asked for */
#define JK_APP      0x08002000u
#define JK_END      0x08020000u
#define JK_PAGE     1024u
#define JK_ERASE_US BF_MS(20)

/* VanMoof: STM32L072, pages of 128 bytes. */
#define VM_APP      0x08005000u
#define VM_SHADOW   0x0801A800u
#define VM_BANK     0x15800u
#define VM_FLAG     0x08080000u /* EEPROM: a byte that says what to start */
#define VM_PAGE     128u
#define VM_ERASE_US BF_MS(3)

enum { VM_FLAG_NORMAL = 0x55, VM_FLAG_INSTALL = 0xCC, VM_FLAG_SEEN = 0x33, VM_FLAG_WIPE = 0x5A };

static inline bool bf_unit_is_jk(const struct bf_pack *pack)
{
	return pack->opts.model == BF_SIM_JK || pack->opts.model == BF_SIM_JK202;
}

struct bf_unit;

/* One of the two kinds. `open` sets what `unit` points to. */
struct bf_unit_ops {
	const struct bf_modbus_map *map;
	/* Another start. */
	void (*started)(struct bf_unit *u, bf_time now);
	void (*loader_bytes)(struct bf_unit *u, const uint8_t *p, size_t len, bf_time now);
	bf_time (*next)(const struct bf_unit *u);
	void (*run)(struct bf_unit *u, bf_time now);
};

extern const struct bf_unit_ops bf_jk_unit, bf_vanmoof_unit;

#define UNIT_BLOCK 1029u /* the longest */

struct bf_unit {
	const struct bf_unit_ops *ops;
	struct bf_pack *pack;
	struct bf_bytes_port *port;       /* of the line */
	struct bf_bytes_port modbus_port; /* what Modbus writes to: notices answers */
	struct bf_modbus_unit *modbus;
	struct bf_rng rng;
	enum bf_pack_mode mode;
	unsigned starts;
	bool unheard; /* the start that is told lies before the line was opened */
	bf_time answered_at, deaf_until; /* firmware */

	/* what the bootloader is about to say */
	uint8_t out[96];
	size_t out_len;
	bf_time out_at;

	/* the block that comes in */
	uint8_t block[UNIT_BLOCK];
	size_t block_len;
	bf_time heard_at, poll_at;
	uint8_t expect;
	uint32_t offset;
	bool taken, ended;

	/* VanMoof: bytes staged since the count was reset; its bootloader's parser */
	uint32_t staged;
	bool output_off, held_page;
	unsigned stage, who;
	uint8_t command;
	uint8_t first_page[VM_PAGE];
};

/* Adds to what is said next, not before `at`. */
void bf_unit_say(struct bf_unit *u, const void *p, size_t len, bf_time at);
