/* SPDX-License-Identifier: MIT */
/*
 * The bootloader that STM32 controllers and their clones have in ROM, as ST's application notes AN3155 (UART) and
 * AN3154 (CAN) describe it and as real parts behave. It has the line while the chip has started from its ROM:
 * by BOOT0, because its flash was empty, or because the application jumped there; see bf_pack_in_rom().
 *
 * Every chip has the pack's own boot code in the first 24 KiB of its flash, which starts the firmware at
 * BF_ADDR_SLOT0. Where that code is gone, a vector table at the start of the flash is what starts.
 */
#pragma once

#include "sim/bytes.h"
#include "sim/pack.h"

struct bf_rom;
struct bf_rom_chip;

/* The row of the pack's controller; NULL: it has no such bootloader. */
const struct bf_rom_chip *bf_rom_chip(const struct bf_sim_opts *opts);
/* At each start, by pack_boot.c: does the chip start from its ROM, and what does an erased byte read? */
bool bf_rom_starts(const struct bf_pack *pack);
uint8_t bf_rom_erased(const struct bf_rom_chip *chip);
/* The flash has never been written; looked at when power comes. */
bool bf_rom_finds_empty(const struct bf_pack *pack);
/* Is there a stack in RAM and a function in flash or RAM, as a vector table has them? */
bool bf_rom_vectors_at(const struct bf_pack *pack, uint32_t addr);
uint32_t bf_rom_flash_size(const struct bf_rom_chip *chip);
/* What a new chip has beside the firmware: option bytes, vectors of the own boot code, EEPROM. */
void bf_rom_preload(struct bf_pack *pack);

/* What was erased or written since the pack was made, seen from an image at `from`, `len` bytes long: the first address
 * that lies outside the sectors that hold it; 0: none. */
uint32_t bf_rom_outside(const struct bf_pack *pack, uint32_t from, size_t len);

/* On a serial line. */
extern const struct bf_bytes_ops bf_rom_bytes;

/* On a CAN bus: borrows both. */
struct bf_rom_bus {
	/* Puts a frame on the bus; returns when it has left. */
	bf_time (*send)(struct bf_rom_bus *bus, const struct bf_frame *f, bf_time now);
	void (*set_rate)(struct bf_rom_bus *bus, uint32_t rate, bf_time now);
};

struct bf_rom *bf_rom_can_new(struct bf_pack *pack, struct bf_rom_bus *bus);
struct bf_rom *bf_rom_free(struct bf_rom *rom); /* takes NULL, returns NULL */
void bf_rom_can_frame(struct bf_rom *rom, const struct bf_frame *f, bf_time now);
bf_time bf_rom_can_next(const struct bf_rom *rom);
void bf_rom_can_run(struct bf_rom *rom, bf_time now);
