/* SPDX-License-Identifier: MIT */
/*
 * The virtual pack: a 16-cell battery with a dual-bank microcontroller that starts its firmware as
 * MCUboot does (swap with move). No wire and no protocol here: the UDS server (uds.h) and the USB device
 * stand on this.
 *
 * Nothing here waits. A call is told the time, does to the flash what it has to do at once, and says when
 * a real pack would be done. Whoever owns the pack calls bf_pack_run() at bf_pack_next().
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/transport.h"
#include "sim/flash.h"
#include "sim/mimage.h"
#include "sim/options.h"

#define BF_PACK_SLOT_SIZE 0x00080000u
#define BF_PACK_SLOTS     2
#define BF_PACK_CELLS     16
#define BF_PACK_TEMPS     4

struct bf_pack;

enum bf_pack_mode {
	BF_PACK_OFF,      /* no power: answers nothing */
	BF_PACK_STARTING, /* the boot loader works: answers nothing */
	BF_PACK_LOADER,   /* nothing startable, or the loader was asked for */
	BF_PACK_APP,      /* firmware runs */
};

/* As DID FD04 has them. */
enum bf_pack_reason {
	BF_PACK_BY_POWER = 1,
	BF_PACK_BY_REQUEST = 2,
	BF_PACK_BY_WATCHDOG = 3,
	BF_PACK_BY_CRASH = 4,
};

/* Loads opts->state when that file exists, else is as the factory made it. Off. */
enum bf_rc bf_pack_new(const struct bf_sim_opts *opts, struct bf_pack **ret, struct bf_err *err);
struct bf_pack *bf_pack_free(struct bf_pack *pack); /* takes NULL, returns NULL; does not save */
BF_DEFINE_CLEANUP(bf_pack, bf_pack_free)
/* Writes opts->state atomically; nothing to do without one. */
enum bf_rc bf_pack_save(const struct bf_pack *pack, struct bf_err *err);
const struct bf_sim_opts *bf_pack_opts(const struct bf_pack *pack);

/* ---- power and time ---- */

void bf_pack_power(struct bf_pack *pack, bool on, bf_time now);
/* The first power, when the options want it: now, or opts->poweron_ms later. */
void bf_pack_plug_in(struct bf_pack *pack, bf_time now);
/* The loader waits for a request and will then start the firmware. */
bool bf_pack_in_window(const struct bf_pack *pack);
/* Power goes in the middle of flash operation `op`, counted from now; 0: never. */
void bf_pack_cut_at(struct bf_pack *pack, uint64_t op);
uint64_t bf_pack_ops(const struct bf_pack *pack); /* flash operations begun so far */
/* Takes everything that a server does next as from `now`; then the application is gone. */
void bf_pack_restart(struct bf_pack *pack, enum bf_pack_reason reason, bf_time now);
/* As above, but stay in the loader (one bank: a programming session; USB: DETACH). */
void bf_pack_restart_to_loader(struct bf_pack *pack, bf_time now);
/* A chip with a bootloader in ROM: started from there; its reset pin let go, which is no power-on; the
 * ROM jumps to an address, whatever its boot pin says. */
bool bf_pack_in_rom(const struct bf_pack *pack);
void bf_pack_release_reset(struct bf_pack *pack, bf_time now);
void bf_pack_jump(struct bf_pack *pack, uint32_t addr, bf_time now);
bf_time bf_pack_next(const struct bf_pack *pack);
void bf_pack_run(struct bf_pack *pack, bf_time now);
enum bf_pack_mode bf_pack_mode(const struct bf_pack *pack);
/* Changes with every start: a server that sees another number forgets its sessions. */
unsigned bf_pack_starts(const struct bf_pack *pack);
unsigned bf_pack_starts_since_power(const struct bf_pack *pack);
enum bf_pack_reason bf_pack_reason(const struct bf_pack *pack);
/* Counts a request heard; power goes at the one that opts->cut_msg names. False: it is gone. */
bool bf_pack_message(struct bf_pack *pack, bf_time now);
/* Tells who watches what was asked. */
void bf_pack_heard(struct bf_pack *pack, const uint8_t *msg, size_t len);
/* Counts an answer about to go out, as opts->cut_reply. False: power is gone, and the answer with it. */
bool bf_pack_reply(struct bf_pack *pack, bf_time now);

/* ---- memory ---- */

enum bf_pack_region_kind { /* as DID FD03 has them */
			   BF_PACK_REGION_SLOT = 0,
			   BF_PACK_REGION_APP = 1,
			   BF_PACK_REGION_CONFIG = 2,
			   BF_PACK_REGION_CALIBRATION = 3,
			   BF_PACK_REGION_BOOT = 4,
};

enum { BF_PACK_READ = 1, BF_PACK_ERASE = 2, BF_PACK_WRITE = 4 };

struct bf_pack_region {
	enum bf_pack_region_kind kind;
	uint8_t slot;
	uint8_t access; /* now: what runs cannot be erased */
	uint32_t addr, size;
	char name[9];
};

#define BF_PACK_REGIONS 5
/* The map as it is now; returns the number of regions. */
size_t bf_pack_map(const struct bf_pack *pack, struct bf_pack_region ret[BF_PACK_REGIONS]);
/* True when the whole range lies in one region that allows all of `access`. */
bool bf_pack_allows(const struct bf_pack *pack, uint32_t addr, size_t len, unsigned access);

/* The outcome of work on the flash. */
enum bf_pack_work {
	BF_PACK_DONE,
	BF_PACK_FAILED, /* the flash refused (not erased, outside) */
	BF_PACK_DIED,   /* power went meanwhile: answer nothing */
};

/* *ret_done: when the work is finished; work queues up behind earlier work. */
enum bf_pack_work bf_pack_erase(struct bf_pack *pack, uint32_t addr, uint32_t size, bf_time now,
				bf_time *ret_done);
/* A sector of the part's own size, in one operation; us: as the part needs, quirks and options aside. */
enum bf_pack_work bf_pack_erase_sector(struct bf_pack *pack, uint32_t addr, uint32_t size,
				       bf_time us, bf_time now, bf_time *ret_done);
/* What was erased or written there since the pack was made: bits of enum bf_flash_touch. */
unsigned bf_pack_touched(const struct bf_pack *pack, uint32_t addr, size_t len);
/* As a programmer in the factory does it. */
void bf_pack_preload(struct bf_pack *pack, uint32_t addr, const void *p, size_t len);
/* addr on a double word; a short last double word is filled up with FF. */
enum bf_pack_work bf_pack_write(struct bf_pack *pack, uint32_t addr, const uint8_t *p, size_t len,
				bf_time now, bf_time *ret_done);
/* As a part with other units writes: addr and len on a unit; us: for each. */
struct bf_pack_program {
	uint8_t unit;
	enum bf_program how;
	bf_time us;
};
enum bf_pack_work bf_pack_program(struct bf_pack *pack, uint32_t addr, const uint8_t *p, size_t len,
				  const struct bf_pack_program *how, bf_time now,
				  bf_time *ret_done);
/* Borrowed view, NULL when outside. */
const uint8_t *bf_pack_view(const struct bf_pack *pack, uint32_t addr, size_t len);
/* When everything that was queued is finished; never before now. */
bf_time bf_pack_idle_at(const struct bf_pack *pack, bf_time now);
/* The processor, and with it the flash, is busy so much longer. */
void bf_pack_think(struct bf_pack *pack, bf_time us, bf_time now);

/* ---- firmware ---- */

/* SHA-256 in software on a core of 170 MHz, flash read included. */
#define BF_PACK_HASH_NS 600 /* a byte */
/* How long digest and signature of a slot's image take, where so many of its bytes are hashed already. */
bf_time bf_pack_check_us(struct bf_pack *pack, unsigned slot, uint32_t hashed);

struct bf_pack_slot {
	const struct bf_mimage *image; /* image->present is false for an empty slot */
	bool active, confirmed, pending, bootable, trial;
};

unsigned bf_pack_slot_count(const struct bf_pack *pack);
uint32_t bf_pack_slot_addr(unsigned slot);
void bf_pack_slot(struct bf_pack *pack, unsigned slot, struct bf_pack_slot *ret);
enum bf_verdict bf_pack_verdict(struct bf_pack *pack, unsigned slot);
/* What runs, or NULL in the loader. */
const struct bf_mimage *bf_pack_running(const struct bf_pack *pack);
bool bf_pack_on_trial(const struct bf_pack *pack);
/* The pack's own loader is what it was, also if somebody wrote it again; else nothing starts. */
bool bf_pack_loader_whole(const struct bf_pack *pack);
/* A loader that looks at no signature (DfuSe) has started what lies in the first slot. */
void bf_pack_start_raw(struct bf_pack *pack);
bool bf_pack_runs_raw(const struct bf_pack *pack);
/* Told of each start of firmware, before it has done anything. Borrowed; NULL: nobody. */
struct bf_pack_watch {
	void (*started)(void *ctx, struct bf_pack *pack);
	/* A request that a server takes up; NULL: nobody wants to know. */
	void (*heard)(void *ctx, struct bf_pack *pack, const uint8_t *msg, size_t len);
	void *ctx;
};
void bf_pack_set_watch(struct bf_pack *pack, const struct bf_pack_watch *watch);
uint32_t bf_pack_counter(const struct bf_pack *pack);
/*
 * A loader of another model starts what lies in its one bank when a mark of its own says so: it makes the mark
 * when its check was passed, and takes it away before it erases.
 */
enum bf_pack_work bf_pack_mark_valid(struct bf_pack *pack, bool valid, bf_time now,
				     bf_time *ret_done);
/* What such a loader can see: digest of an MCUboot image, whoever signed it, or a likely vector table. */
bool bf_pack_image_good(struct bf_pack *pack);
/* BF_PACK_FAILED: no bootable image there / nothing to confirm / none that may start. */
enum bf_pack_work bf_pack_activate(struct bf_pack *pack, bool permanent, bf_time now,
				   bf_time *ret_done);
enum bf_pack_work bf_pack_confirm(struct bf_pack *pack, bf_time now, bf_time *ret_done);
enum bf_pack_work bf_pack_revert(struct bf_pack *pack, bf_time now, bf_time *ret_done);
bool bf_pack_self_test(const struct bf_pack *pack, const char **ret_text);

/* ---- identity, kept things, measurements ---- */

struct bf_pack_ids {
	const char *boot_id, *manufacturer, *model, *serial, *hw_rev;
	uint8_t vid[16], cid[16];
};
void bf_pack_ids(const struct bf_pack *pack, struct bf_pack_ids *ret);

/* Kept over power cuts beside the flash. */
struct bf_pack_kept {
	uint32_t counter;        /* lowest security counter that may start */
	uint8_t fingerprint[10]; /* DID F15A */
	bool locked_out;         /* too many wrong keys */
	bool loader_touched;     /* somebody erased or wrote where the pack's own loader is */
	uint32_t loader_crc;     /* of what it was before */
	bool torn;               /* an update was begun that nobody ended (units of makers) */
};
struct bf_pack_kept *bf_pack_kept(struct bf_pack *pack);

struct bf_pack_measure {
	uint32_t pack_mv;
	int32_t current_ma;
	uint16_t soc_permille;
	int16_t temp_dc[BF_PACK_TEMPS]; /* 0.1 degrees C */
	uint16_t cell_mv[BF_PACK_CELLS];
	uint32_t balancing;
};
void bf_pack_measure(const struct bf_pack *pack, bf_time now, struct bf_pack_measure *ret);

/* ---- the USB side, in its own files ---- */

/* Opens the pack as a USB device on virtual time. Consumes both whatever happens. */
enum bf_rc bf_sim_usb_open(struct bf_pack *take_pack, struct bf_clock *take_clock,
			   const struct bf_open_env *env, struct bf_transport **ret,
			   struct bf_err *err);
/* The pack behind a transport that bf_driver_sim opened (not behind a wrapper). */
struct bf_pack *bf_sim_pack(struct bf_transport *t);
