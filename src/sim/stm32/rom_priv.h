/* SPDX-License-Identifier: MIT */
/* Shared by the files of the ROM bootloader: chips (rom_chips.c), memory (rom_memory.c), UART (rom_uart.c), CAN
 * (rom_can.c). */
#pragma once

#include "sim/pack_priv.h"
#include "sim/stm32/rom.h"

#define ROM_ACK  0x79
#define ROM_NACK 0x1F
#define ROM_SYNC 0x7F

enum rom_command {
	ROM_GET = 0x00,
	ROM_VERSION = 0x01,
	ROM_ID = 0x02,
	ROM_SPEED = 0x03, /* CAN alone */
	ROM_READ = 0x11,
	ROM_GO = 0x21,
	ROM_WRITE = 0x31,
	ROM_ERASE = 0x43,
	ROM_EXTENDED_ERASE = 0x44,
	ROM_WRITE_PROTECT = 0x63,
	ROM_WRITE_UNPROTECT = 0x73,
	ROM_READ_PROTECT = 0x82,
	ROM_READ_UNPROTECT = 0x92,
	ROM_CHECKSUM = 0xA1,
};

struct rom_sectors {
	uint16_t count;
	uint32_t size;
	bf_time erase_us; /* one */
};

enum rom_trait {
	ROM_MEASURES = 1, /* takes its rate from whatever byte comes first: only a reset helps */
	ROM_DROPS_UNKNOWN =
		2, /* an address that it does not have ends READ and WRITE without a NACK */
	ROM_EMPTY_CHECK = 4, /* starts from ROM while the flash was empty at the last power-on */
	ROM_READS_WHOLE = 8, /* identifier words: 256 bytes or nothing */
	ROM_CAN_LIST =
		0x10, /* CAN: pages in the ERASE frame itself; else a count, and pages in frames after it */
	ROM_CAN_SPEED_2 = 0x20, /* CAN: the second acknowledge of SPEED comes with identifier 02 */
	ROM_LEVEL_2 =
		0x40, /* knows a readout protection that nothing takes away, and closes the ROM */
	ROM_ACKS_DIRTY = 0x80, /* acknowledges a write that the flash refused */
	ROM_SHIFTS = 0x100, /* a write that does not begin on the unit lands on the one before it */
};

struct bf_rom_chip {
	enum bf_sim_model id;
	uint8_t pid[4], pid_len;
	uint8_t version;
	const uint8_t *commands; /* of UART; CAN has SPEED beside them */
	size_t n_commands;
	struct rom_sectors sectors[3];
	unsigned banks;
	bf_time mass_us; /* mass erase of one bank; 0: it refuses */
	uint8_t erased;  /* what an erased byte reads */
	uint8_t unit;
	bf_time program_us;
	enum bf_program how;
	uint16_t longest; /* of READ and WRITE */
	uint32_t ram_size, ram_own;
	uint32_t system, system_size;
	uint32_t options, options_size;
	uint8_t option_rdp; /* place of the protection byte */
	uint8_t option_open;
	uint32_t uid, size_word;
	uint32_t eeprom_size;
	uint16_t protect_pages; /* in one unit of write protection */
	bf_time byte_timeout;   /* between two bytes of a command; 0: it waits for ever */
	unsigned traits;
};

#define ROM_FLASH  0x08000000u
#define ROM_RAM    0x20000000u
#define ROM_EEPROM 0x08080000u

/* Option bytes: kept in a page of the flash model that no chip has. */
#define ROM_OPTIONS_PAGE  0x08113800u
#define ROM_OPTIONS_SIZE  0x80u  /* as READ shows them */
#define ROM_PROTECT_AT    0x100u /* a bit a page, 0: write-protected */
#define ROM_PROTECT_BYTES 0x100u
#define ROM_PAGES_MAX     (8 * ROM_PROTECT_BYTES)

enum rom_after { ROM_STAYS, ROM_RESETS, ROM_JUMPS };

struct rom_answer { /* waits for its time */
	bf_time at;
	uint32_t id; /* CAN */
	uint16_t len;
	uint8_t data[264];
	enum rom_after after;
};
#define ROM_ANSWERS 48

struct rom_checksum {
	uint32_t size, polynomial;
};

struct bf_rom {
	struct bf_pack *pack;
	const struct bf_rom_chip *chip;
	struct bf_bytes_port *port;
	struct bf_rom_bus *bus;
	uint8_t *ram;
	unsigned starts;
	bool awake; /* has the line */
	bool synced;

	uint8_t command;
	uint32_t addr;
	struct rom_checksum checksum;
	unsigned stage; /* of the line's own file */
	uint8_t buf[4160];
	size_t got, need;
	uint8_t inbox[512]; /* heard while an answer was waited for */
	size_t n_inbox;
	bool in_flash; /* the answer that waits is for work on the flash: the processor hears nothing */
	bf_time byte_by;

	/* CAN: under way */
	size_t want;
	uint32_t new_rate;

	struct rom_answer answers[ROM_ANSWERS];
	size_t n_answers;
	bf_time idle_at;      /* the last answer is out */
	uint64_t acks, heard; /* counted for the keys nack and losebyte */
	bool lost_ack, zero_sent,
		refused; /* each happens once; refused: this one is refused by the key */
};

/* ---- rom_memory.c ---- */

enum rom_result {
	ROM_DONE,
	ROM_REFUSED, /* NACK */
	ROM_SILENT,  /* neither, and the next byte is a command */
	ROM_DEAD,    /* power went meanwhile */
};

bool rom_is_protected(const struct bf_pack *pack); /* against reading */
/* Can the loader read, write or jump there? */
enum rom_result rom_check_address(const struct bf_rom *rom, uint8_t command, uint32_t addr);
enum rom_result rom_read(const struct bf_rom *rom, uint32_t addr, size_t len, uint8_t *dst);
enum rom_result rom_write(struct bf_rom *rom, uint32_t addr, const uint8_t *p, size_t len,
			  bf_time now, bf_time *ret_done);
/* Option bytes were written: the chip restarts to load them. */
bool rom_is_option(const struct bf_rom *rom, uint32_t addr);
enum rom_result rom_erase_page(struct bf_rom *rom, unsigned page, bf_time now, bf_time *ret_done);
bool rom_has_page(const struct bf_rom_chip *chip, unsigned page);
/* banks: bit 0 the first, bit 1 the second */
enum rom_result rom_erase_banks(struct bf_rom *rom, unsigned banks, bf_time now, bf_time *ret_done);
/* Units of write protection by number; NULL: takes all protection away. */
enum rom_result rom_protect_pages(struct bf_rom *rom, const uint8_t *units, size_t n, bf_time now,
				  bf_time *ret_done);
/* Taking it away erases everything. */
enum rom_result rom_protect_reading(struct bf_rom *rom, bool on, bf_time now, bf_time *ret_done);
uint32_t rom_checksum(const struct bf_rom *rom, uint32_t addr, uint32_t words, uint32_t polynomial,
		      uint32_t initial);

/* ---- both lines ---- */

/* Awake or not, after a start of the chip; true: it has changed. */
bool rom_follow(struct bf_rom *rom);
bool rom_knows(const struct bf_rom *rom, uint8_t command);
bool rom_forbidden(const struct bf_rom *rom, uint8_t command); /* by the readout protection */
/* An answer at its time, in order. */
struct rom_answer *rom_answer(struct bf_rom *rom, bf_time at, const uint8_t *p, size_t len);
/* The key `nack` wants this one refused. */
bool rom_refuses_now(struct bf_rom *rom);
/* What follows an answer that has gone out. */
void rom_go_on(struct bf_rom *rom, const struct rom_answer *a, bf_time now);
struct bf_rom *rom_new(struct bf_pack *pack);
