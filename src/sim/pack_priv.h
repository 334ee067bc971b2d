/* SPDX-License-Identifier: MIT */
/* What the files of the pack model share. */
#pragma once

#include "sim/pack.h"
#include "sim/pack_images.h"
#include "sim/swap.h"

#define BF_ADDR_BOOT   0x08000000u
#define BF_ADDR_VALID  0x0800F800u /* a page: the mark of loaders that are not ours */
#define BF_LOADER_SIZE 0x6000u
#define BF_ADDR_SLOT0  0x08010000u
#define BF_ADDR_SLOT1  0x08090000u
#define BF_ADDR_CONFIG 0x08110000u
#define BF_ADDR_CALIB  0x08112000u
/* Slots of image number 1. */
#define BF_ADDR_SLOT2      0x08114000u
#define BF_ADDR_SLOT3      0x08134000u
#define BF_PACK_SLOT2_SIZE 0x00020000u

/* What BF_ADDR_VALID holds when the application may start. */
extern const uint8_t bf_valid_mark[BF_FLASH_WORD];

struct bf_slot_cache {
	bool valid;
	uint64_t generation; /* of the flash, when the slot was read */
	struct bf_mimage image;
};

struct bf_pack {
	struct bf_sim_opts opts;
	int lock_fd; /* of the state file; -1: none */
	struct bf_flash flash;
	struct bf_banks banks, second;
	struct bf_trust trust;
	struct bf_pack_kept kept;
	struct bf_slot_cache cache[BF_PACK_IMAGES * BF_PACK_SLOTS];
	uint8_t cell_offset[BF_PACK_CELLS]; /* mV, fixed for each cell */

	enum bf_pack_mode mode;
	enum bf_pack_reason reason;
	bool stay_in_loader;
	bool runs, trial, confirmed_now;
	unsigned active; /* the slot that runs: 1 only where images are not swapped */
	bool fresh;      /* as the factory made it, never started */
	bool armed;      /* a unit's firmware has asked for its bootloader; lost with the power */
	bool hung;       /* what was started is no firmware */
	bool raw;        /* what runs was started by its vector table alone */
	const struct bf_pack_watch *watch;
	bool rewritten; /* one bank: other firmware was written since the last start */
	struct bf_mimage running;
	/* Of a chip with a bootloader in ROM. */
	bool in_rom;
	bool by_pin;    /* it starts because its reset pin was let go */
	bool was_empty; /* its flash, when power came */
	uint32_t go_to; /* the ROM jumps there; 0: it does not */
	unsigned starts, starts_since_power;
	uint64_t messages, replies;

	bf_time born;       /* first power-on: changes of what it measures count from here */
	bf_time ready_at;   /* the boot loader hands over */
	bf_time restart_at; /* a restart that was asked for */
	enum bf_pack_reason restart_reason;
	bf_time crash_at, power_at;
	bf_time busy_until;   /* flash */
	bf_time window_until; /* BF_NEVER: not in the loader's window */
	bool window_trial;    /* what starts after it is on trial */
};

/* Slots of image 1 are 2 and 3. */
const struct bf_mimage *bf_pack_image(struct bf_pack *pack, unsigned slot);
struct bf_banks *bf_pack_banks(struct bf_pack *pack, unsigned image);
/* Of a loader that is not ours: where its application lies for whoever asks, how much there is of it, and how long
 * it listens after power-on. */
uint32_t bf_plain_base(const struct bf_sim_opts *opts);
uint32_t bf_plain_size(const struct bf_sim_opts *opts);
uint32_t bf_plain_window_ms(const struct bf_sim_opts *opts);
/* Its loader is not ours: one bank, started by a mark. */
bool bf_pack_is_plain(const struct bf_pack *pack);
/* Firmware that stays closes the way back to a lower counter. */
void bf_pack_keep_counter(struct bf_pack *pack, const struct bf_mimage *image);
uint32_t bf_pack_loader_crc(const struct bf_pack *pack);
/* The boot loader's whole work, with flash times; sets running and trial. */
void bf_pack_boot(struct bf_pack *pack);
/* To be called after work on the flash: queues its time, notices that power went. */
enum bf_pack_work bf_pack_worked(struct bf_pack *pack, bool ok, bf_time now, bf_time *ret_done);
void bf_pack_die(struct bf_pack *pack, bf_time now);
/* One virtual pack at a time for a state file: BF_E_BUSY names who has it. */
enum bf_rc bf_pack_lock(struct bf_pack *pack, struct bf_err *err);
void bf_pack_unlock(struct bf_pack *pack);
enum bf_rc bf_pack_load(struct bf_pack *pack, struct bf_err *err);
