/* SPDX-License-Identifier: MIT */
/* Chips by the identifier that their ROM loader tells, as in ST's AN2606 and the reference manuals. */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"

#define BF_STM32_RUNS 6

/* Adjoining sectors of one size; `first` is the number that the erase command has for the first of them. */
struct bf_stm32_run {
	uint32_t size;
	uint16_t count; /* 0: to the end of the flash */
	uint16_t first;
};

struct bf_stm32_layout {
	const char *name; /* as a sentence has it: "4 x 16 K, 64 K, 128 K" */
	struct bf_stm32_run runs[BF_STM32_RUNS];
};

enum bf_stm32_trap {
	/* Whether flash is empty is looked at when power comes: after the first programming a reset leads into the
	 * ROM again. */
	BF_STM32_EMPTY_CHECK = 1 << 0,
	/* Sector sizes hang on an option bit (nDBANK, DB1M, DBANK). */
	BF_STM32_TWO_LAYOUTS = 1 << 1,
	/* Its loader may drop READ and WRITE to an address that it does not have, without an answer. */
	BF_STM32_DROPS = 1 << 2,
	BF_STM32_NO_MASS_ERASE = 1 << 3,
	BF_STM32_ERASES_TO_ZERO = 1 << 4,
	/* Small reads of the identifier words are refused: the 256 bytes around them are read. */
	BF_STM32_LONG_IDS = 1 << 5,
};

/* Where an option bit tells which layout counts. */
struct bf_stm32_bit {
	uint32_t addr, mask;
	bool two_banks_when_set;
};

struct bf_stm32_chip {
	uint16_t pid;
	const char *key;                         /* short name, for `chip` of a profile */
	const char *name;                        /* for people */
	uint32_t flash_base, flash_size;         /* the largest of this identifier */
	const struct bf_stm32_layout *one, *two; /* `two`: with two banks, NULL: the same */
	const struct bf_stm32_bit *bit;          /* that tells which, NULL: none is known */
	uint8_t write_unit;                      /* bytes */
	uint16_t block;                          /* bytes of a READ or WRITE, 0: 256 */
	uint32_t ram_from, ram_to;               /* what the loader leaves free */
	unsigned traps;
	uint32_t option_addr, option_len;
	uint32_t size_addr, uid_addr;     /* 0: not known */
	uint32_t eeprom_addr, eeprom_len; /* 0: none */
};

/* NULL: no chip with this identifier is known. */
const struct bf_stm32_chip *bf_stm32_chip_by_pid(unsigned pid);
const struct bf_stm32_chip *bf_stm32_chip_by_key(const char *key);
/* Row number i, NULL past the last one: for tests and the man page. */
const struct bf_stm32_chip *bf_stm32_chip_at(size_t i);
/* The chip speaks another protocol: the sentence, with the tool that does; NULL: none such. */
const char *bf_stm32_foreign(const char *key);
