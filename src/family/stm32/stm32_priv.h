/* SPDX-License-Identifier: MIT */
/*
 * Inside the client of ST's ROM loaders. One set of commands over two links: bytes with acknowledges (AN3155)
 * and frames whose identifier is the command (AN3154, AN5405). The links know bytes and states, nothing of
 * chips; everything above knows chips and nothing of bytes.
 */
#pragma once

#include "bmsflash/family.h"
#include "family/stm32/stm32_chips.h"
#include "family/stm32/stm32_profile.h"

enum bf_stm32_command {
	BF_STM32_GET = 0x00,
	BF_STM32_GVR = 0x01,
	BF_STM32_GID = 0x02,
	BF_STM32_SPEED = 0x03, /* CAN */
	BF_STM32_READ = 0x11,
	BF_STM32_GO = 0x21,
	BF_STM32_WRITE = 0x31,
	BF_STM32_ERASE = 0x43,
	BF_STM32_EXT_ERASE = 0x44,
	BF_STM32_READOUT_UNPROTECT = 0x92,
	BF_STM32_CHECKSUM = 0xA1,
};

#define BF_STM32_ACK   0x79
#define BF_STM32_NACK  0x1F
#define BF_STM32_BUSY  0x76
#define BF_STM32_SYNC  0x7F
#define BF_STM32_BLOCK 256u /* bytes of a READ or WRITE at most */
#define BF_STM32_LINE  256u /* unit of what is remembered of the flash */
#define BF_STM32_PAGES 512u /* of one erase command at most */

/* Codes of the extended erase command in place of a list. */
#define BF_STM32_ALL   0xFFFFu
#define BF_STM32_BANK1 0xFFFEu
#define BF_STM32_BANK2 0xFFFDu

/* Where in a command a negative acknowledge came: what it means hangs on that. */
enum bf_stm32_stage { BF_STM32_AT_COMMAND, BF_STM32_AT_ADDRESS, BF_STM32_AT_DATA };

struct bf_stm32;

struct bf_stm32_get { /* the answer to GET */
	uint8_t version;
	uint8_t codes[32];
	size_t n;
};

struct bf_stm32_link {
	const char *name;
	/* Is a loader there, and ready for a command? BF_E_NODEV: nothing that is one. once: one question only. */
	enum bf_rc (*sync)(struct bf_stm32 *d, bool once, bf_time deadline, struct bf_err *err);
	/* After a lost byte or frame: until the loader waits for a command again. */
	enum bf_rc (*resync)(struct bf_stm32 *d, struct bf_err *err);
	enum bf_rc (*get)(struct bf_stm32 *d, struct bf_stm32_get *ret, struct bf_err *err);
	enum bf_rc (*get_id)(struct bf_stm32 *d, uint8_t *ret, size_t cap, size_t *ret_n,
			     struct bf_err *err);
	enum bf_rc (*read)(struct bf_stm32 *d, uint32_t addr, uint8_t *buf, size_t n,
			   struct bf_err *err);
	enum bf_rc (*write_start)(struct bf_stm32 *d, uint32_t addr, const uint8_t *p, size_t n,
				  struct bf_err *err);
	enum bf_rc (*write_finish)(struct bf_stm32 *d, struct bf_err *err);
	/* Pages by number; all: one of BF_STM32_ALL and its kin in place of a list. */
	enum bf_rc (*erase)(struct bf_stm32 *d, const uint16_t *pages, size_t n, bf_time limit,
			    struct bf_err *err);
	enum bf_rc (*erase_all)(struct bf_stm32 *d, unsigned which, bf_time limit,
				struct bf_err *err);
	enum bf_rc (*go)(struct bf_stm32 *d, uint32_t addr, struct bf_err *err);
	/* A command without data and with two acknowledges, the second after the work. */
	enum bf_rc (*twice)(struct bf_stm32 *d, uint8_t code, bf_time limit, struct bf_err *err);
	enum bf_rc (*checksum)(struct bf_stm32 *d, enum bf_stm32_sum form, uint32_t addr,
			       uint32_t len, uint32_t *ret, struct bf_err *err); /* may be NULL */
	enum bf_rc (*set_rate)(struct bf_stm32 *d, uint32_t rate,
			       struct bf_err *err); /* may be NULL */
	unsigned page_max;                          /* highest page number that it can name */
	bool one_refusal;                           /* of command and address together */
};

extern const struct bf_stm32_link bf_stm32_uart, bf_stm32_can;

struct bf_stm32 {
	struct bf_proto base;
	const struct bf_stm32_link *link;
	const struct bf_stm32_profile *set;
	bool synced;
	bool gone;     /* it was told to start the firmware */
	bool restarts; /* the acknowledge of that was heard */

	struct bf_stm32_get got;
	bool has_got;
	unsigned pid; /* 0: not told */
	const struct bf_stm32_chip *chip;
	bool protected;            /* readout protection */
	unsigned refused_commands; /* that the loader has, and did not take */
	bool unprotected;          /* readout protection was cleared, and with it the flash */
	char why_not[96];          /* why it takes no firmware; "": it does */
	bool found_empty;          /* the start of its flash was blank */
	bool held_data;            /* some of its flash was seen that is not blank */

	bool known; /* the members below were found out */
	bool has_flash;
	uint32_t flash_base, flash_size;
	char uid[32];
	struct bf_region flash; /* all of it, with its sectors */
	uint16_t first_page[BF_REGION_RUNS];
	uint32_t block, unit;
	uint8_t erased; /* what a byte of erased flash reads */

	/* What was read of the flash, or written and acknowledged not: unknown. */
	uint8_t *memory;
	bool *seen; /* by BF_STM32_LINE */
	unsigned blank,
		unseen; /* pages that looked blank, in a row; pages since then that were not looked at */

	enum bf_stm32_sum sum; /* form that was seen to agree with a read-back */
	bool sum_tried;

	struct { /* the download that was begun */
		bool open, out;
		uint32_t addr; /* of offset 0 */
		size_t total;
		uint32_t end; /* of all that was written, from the start of the flash */
		size_t at;    /* offset of the block that is out, and its length */
		size_t len;
		const uint8_t *data; /* of that block, borrowed */
		uint32_t most;       /* bytes of a block on a line that loses some; 0: d->block */
		unsigned good;       /* blocks since the last loss */
		uint32_t block_addr; /* with what was filled up */
		uint8_t block[BF_STM32_BLOCK + 32];
		size_t block_len;
		bool skipped;      /* it is blank, and the flash is erased */
		struct bf_err why; /* what its start came to */
	} write;

	struct {
		uint8_t sent[2 * BF_STM32_PAGES + 8]; /* the message whose answer is out */
		size_t n_sent;
		uint8_t command; /* that is under way */
		enum bf_stm32_stage stage;
		unsigned strange; /* bytes in a row that are no answer of a loader */
		uint8_t carried;  /* of what was sent behind it, all bytes together */
		uint8_t mark;     /* the last of them that was not zero */
		uint32_t baud;    /* of the line, as it was when a loader was last looked for */
		bool filled;      /* a loader that another program left was looked for */
	} uart;
	struct {
		uint32_t first_rate, rate;
		int final_ack; /* behind the last one of a WRITE or ERASE: 0 unknown, 1 yes, -1 no */
		bool filtered;
		bool writing; /* a WRITE may wait for data */
	} can;
};

static inline struct bf_stm32 *bf_stm32_of(struct bf_proto *p)
{
	return (struct bf_stm32 *)(void *)p;
}
static inline struct bf_clock *bf_stm32_clock(const struct bf_stm32 *d)
{
	return d->base.env.transport->clock;
}
static inline bf_time bf_stm32_in(const struct bf_stm32 *d, bf_time duration)
{
	return bf_in(bf_stm32_clock(d), duration);
}

/* ---- stm32.c ---- */

/* The loader lists this command, or the profile does. */
bool bf_stm32_has(const struct bf_stm32 *d, uint8_t command);
/* A negative acknowledge, in words. */
enum bf_rc bf_stm32_refused(struct bf_stm32 *d, uint8_t command, enum bf_stm32_stage stage,
			    uint32_t addr, struct bf_err *err);
const char *bf_stm32_command_name(uint8_t command);
/* Lost or damaged: the loader waits for who knows what. */
static inline bool bf_stm32_lost(enum bf_rc rc)
{
	return rc == BF_E_TIMEOUT || rc == BF_E_LINK;
}
/* After a failure: the loader waits for a command again, or err says that nothing answers. rc passes through. */
enum bf_rc bf_stm32_recover(struct bf_stm32 *d, enum bf_rc rc, struct bf_err *err);

/* ---- stm32_ident.c ---- */

enum bf_rc bf_stm32_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err);
/* Chip, flash and protection: asked once a session. */
enum bf_rc bf_stm32_learn(struct bf_stm32 *d, struct bf_err *err);
/* The sector that holds addr, and its number in the erase command. */
bool bf_stm32_sector(const struct bf_stm32 *d, uint32_t addr, uint32_t *ret_start,
		     uint32_t *ret_size, unsigned *ret_page);

/* ---- stm32_memory.c ---- */

void bf_stm32_forget(struct bf_stm32 *d, uint32_t addr, uint32_t size);
void bf_stm32_forget_all(struct bf_stm32 *d);
/* Reads from the chip, whatever is remembered. */
enum bf_rc bf_stm32_fetch(struct bf_stm32 *d, uint32_t addr, uint8_t *buf, size_t n,
			  struct bf_err *err);
enum bf_rc bf_stm32_read(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			 uint8_t *buf, size_t len, struct bf_err *err);
enum bf_rc bf_stm32_holds(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			  const uint8_t *want, size_t len, bool *ret, struct bf_err *err);
enum bf_rc bf_stm32_check(struct bf_proto *p, const struct bf_target *target, struct bf_err *err);
enum bf_rc bf_stm32_erase(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			  uint32_t size, struct bf_err *err);
enum bf_rc bf_stm32_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			  struct bf_err *err);
enum bf_rc bf_stm32_block_start(struct bf_proto *p, const struct bf_block *block,
				struct bf_err *err);
enum bf_rc bf_stm32_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err);
void bf_stm32_abandon(struct bf_proto *p);
/* CRC of the STM32's own unit: words little-endian, not reflected, no final XOR. */
uint32_t bf_stm32_crc(uint32_t crc, const uint8_t *p, size_t len);

extern const struct bf_proto_ops bf_proto_stm32_ops;
