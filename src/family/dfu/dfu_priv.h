/* SPDX-License-Identifier: MIT */
/* What the files of the protocol `dfu` share. Sections are those of USB DFU 1.1; AN3156 for DfuSe. */
#pragma once

#include "bmsflash/family.h"
#include "family/dfu/dfu_desc.h"
#include "family/dfu/dfu_habit.h"
#include "family/dfu/dfu_map.h"
#include "family/dfu/dfu_profile.h"

enum bf_dfu_state { /* A.1 */
		    BF_DFU_APP_IDLE,
		    BF_DFU_APP_DETACH,
		    BF_DFU_IDLE,
		    BF_DFU_DNLOAD_SYNC,
		    BF_DFU_DNBUSY,
		    BF_DFU_DNLOAD_IDLE,
		    BF_DFU_MANIFEST_SYNC,
		    BF_DFU_MANIFEST,
		    BF_DFU_MANIFEST_WAIT_RESET,
		    BF_DFU_UPLOAD_IDLE,
		    BF_DFU_ERROR,
		    BF_DFU_STATE_COUNT
};

struct bf_dfu_status { /* the answer to GETSTATUS, 6.1.2 */
	uint8_t status;
	uint32_t poll_ms; /* the device wants to be left alone for so long */
	uint8_t state;    /* that it is in once it has answered */
	uint8_t string;   /* its own words, 0: none */
};

/* A control transfer on Linux takes at most one page. */
#define BF_DFU_PIECE_MAX 4096

/* Uploads of plain DFU have no told size: what goes on longer than this has no end. */
#define BF_DFU_STREAM_MAX ((size_t)2 << 20)

enum bf_dfu_counting { /* DfuSe: does block n lie (n - 2) * wTransferSize behind the pointer? */
		       BF_DFU_COUNTING_UNKNOWN,
		       BF_DFU_COUNTING_SOUND,
		       BF_DFU_COUNTING_WRONG,
};

enum bf_dfu_where { BF_DFU_GONE, BF_DFU_AT_APPLICATION, BF_DFU_AT_LOADER };

struct bf_dfu_range { /* DfuSe: a place is an alternate setting and an address */
	unsigned alt;
	uint64_t from, to;
};

#define BF_DFU_RANGES 32

struct bf_dfu {
	struct bf_proto base;
	struct bf_usb_device device; /* as last looked at; .config is not kept */
	struct bf_dfu_desc desc;
	unsigned habits;
	bool dfuse; /* in DFU mode only: what a running application says is not believed */
	struct bf_dfu_map maps[BF_DFU_ALTS];
	char names[BF_DFU_ALTS][96]; /* strings of the alternate settings */
	bool scanned;
	uint64_t reopened; /* of the transport, when it was scanned */
	bool zero_loads;   /* interface protocol 0 was seen to be DFU mode */
	int alt;           /* index of the claimed alternate setting of desc, -1: none */
	bool entered;      /* we took the application away: it is ours to bring it back */
	bool going;        /* told to leave, or seen leaving: the next thing is to wait for it */
	bool stays;        /* every way out was tried, and it is still here */
	bool ended;      /* plain DFU: manifested, or silent since: nothing but a bus reset fits */
	bool waits;      /* plain DFU: was seen in dfuMANIFEST-WAIT-RESET */
	bool aborts;     /* ABORT was seen to lead to dfuIDLE */
	bool hurried;    /* on ways out: a device that does not answer is not waited for */
	uint8_t verdict; /* status by which it refused its firmware when it came up, 0: none */
	const struct bf_image *manifested;

	enum bf_dfu_counting counting;
	uint32_t sound_size; /* sectors of this size were seen to be erased from end to end */

	struct {
		bool open;
		const struct bf_image *image;
		uint32_t addr; /* DfuSe: where offset 0 goes */
		size_t len, next;
		bool pointed; /* DfuSe: the next block number leads to `next` */
		uint32_t block;
		size_t out; /* length of the block that is out, 0: none */
	} write;

	struct { /* DfuSe: erased by us and so blank, or to be written again */
		struct bf_dfu_range list[BF_DFU_RANGES];
		size_t n;
	} erased;

	struct { /* DfuSe: the block that was read last, for short reads */
		uint8_t bytes[BF_DFU_PIECE_MAX];
		uint32_t addr;
		size_t len;
		int alt;
	} ahead;

	struct {              /* DfuSe: an upload that can go on */
		bool open;    /* the device may be in dfuUPLOAD-IDLE: nothing but an upload fits */
		bool follows; /* the next block number leads to addr */
		uint32_t addr, block;
	} read;

	struct { /* plain DFU: uploads have no addresses, so that what came is kept */
		uint8_t *bytes;
		size_t len;
		bool open, complete;
		int alt;
		uint32_t block;
	} stream;
};

static inline struct bf_dfu *bf_dfu_of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct bf_dfu, base);
}
static inline const struct bf_dfu_profile *bf_dfu_settings(const struct bf_dfu *d)
{
	return bf_profile_family(d->base.env.profile, "dfu");
}

static inline const struct bf_usb_ops *bf_dfu_usb(const struct bf_dfu *d)
{
	return d->base.env.transport->ops->usb;
}
static inline struct bf_clock *bf_dfu_clock(const struct bf_dfu *d)
{
	return d->base.env.transport->clock;
}
static inline bool bf_dfu_has(const struct bf_dfu *d, enum bf_dfu_habit habit)
{
	return d->habits & habit;
}
/* The device says that it takes no download; one without a functional descriptor says nothing. */
static inline bool bf_dfu_no_download(const struct bf_dfu *d)
{
	return d->desc.functional && !(d->desc.attributes & BF_DFU_CAN_DNLOAD);
}
/* Bytes of a full block. */
static inline uint32_t bf_dfu_block(const struct bf_dfu *d)
{
	return d->desc.transfer < BF_DFU_PIECE_MAX ? d->desc.transfer : BF_DFU_PIECE_MAX;
}

extern const struct bf_proto_ops bf_proto_dfu_ops;

/* ---- dfu_status.c: requests, states, refusals ---- */

extern const struct bf_refusal bf_dfu_refusals[];
const char *bf_dfu_state_name(unsigned state);

/* The device is the one that a class request is for, as last looked at, and its interface is claimed. No other
 * gets one: whoever asks all the same is told BF_E_GONE, and nothing is sent. */
bool bf_dfu_is_at(const struct bf_dfu *d, enum bf_dfu_where where);
enum bf_rc bf_dfu_getstatus(struct bf_dfu *d, struct bf_dfu_status *ret, struct bf_err *err);
/* One attempt only, not long waited for: where no answer is an answer. */
enum bf_rc bf_dfu_getstatus_once(struct bf_dfu *d, struct bf_dfu_status *ret, struct bf_err *err);
/* These two mean something to a running application, too. */
enum bf_rc bf_dfu_getstate(struct bf_dfu *d, enum bf_dfu_where to, uint8_t *ret,
			   struct bf_err *err);
enum bf_rc bf_dfu_detach(struct bf_dfu *d, enum bf_dfu_where to, uint16_t timeout_ms,
			 struct bf_err *err);
enum bf_rc bf_dfu_clear(struct bf_dfu *d, struct bf_err *err);
/* Fills err with the device's refusal and brings the device out of dfuERROR. */
enum bf_rc bf_dfu_refused(struct bf_dfu *d, const struct bf_dfu_status *st, const char *what,
			  struct bf_err *err);
/* Leaves the device alone for so long, with signs of life. */
enum bf_rc bf_dfu_pause(struct bf_dfu *d, bf_time how_long, const char *what, struct bf_err *err);
/* ... for as long as it asked for. */
enum bf_rc bf_dfu_poll(struct bf_dfu *d, const struct bf_dfu_status *st, const char *what,
		       struct bf_err *err);
/* Brings a device in DFU mode into dfuIDLE from wherever it is. BF_E_GONE: it waited for a bus reset, got it
 * and has left DFU mode by that (bf_dfu.desc.mode). */
enum bf_rc bf_dfu_settle(struct bf_dfu *d, struct bf_err *err);
/* The same out of dfuDNLOAD-IDLE or dfuUPLOAD-IDLE, where the device is not asked once it is known to obey. */
enum bf_rc bf_dfu_abort(struct bf_dfu *d, struct bf_err *err);
/* The same where there is nobody to tell: on ways out. */
void bf_dfu_settle_quietly(struct bf_dfu *d);

/* ---- blocks: dfu_status.c, dfu_write.c ---- */

/* Hands over one block; a lost answer is cleared up by asking for the state. BF_E_RESTART: nobody knows
 * whether the device has it, and it takes no block twice (plain DFU). */
enum bf_rc bf_dfu_dnload(struct bf_dfu *d, uint16_t block, const uint8_t *data, size_t len,
			 const char *what, struct bf_err *err);
/* Asks for the status until the device has done with a block, at most `limit` since the last sign that it is
 * getting on. */
enum bf_rc bf_dfu_done(struct bf_dfu *d, bf_time limit, const char *what, struct bf_err *err);
enum bf_rc bf_dfu_upload(struct bf_dfu *d, uint16_t block, uint8_t *data, size_t len,
			 size_t *ret_len, struct bf_err *err);
enum bf_rc bf_dfuse_point(struct bf_dfu *d, uint32_t addr, struct bf_err *err);

/* ---- dfu_enter.c: modes ---- */

/* Looks at the device as it is now. */
enum bf_rc bf_dfu_scan(struct bf_dfu *d, struct bf_err *err);
/* The same, if nobody has looked since the device was away. */
enum bf_rc bf_dfu_up_to_date(struct bf_dfu *d, struct bf_err *err);
/* Looks by descriptors alone, and nothing is kept. */
enum bf_dfu_where bf_dfu_look(struct bf_dfu *d);
/* Claims the bootloader's alternate setting with this bAlternateSetting. BF_E_GONE: it is not there any more. */
enum bf_rc bf_dfu_select(struct bf_dfu *d, unsigned setting, struct bf_err *err);
/* The index of an alternate setting, -1: none. */
int bf_dfu_alt_index(const struct bf_dfu *d, unsigned setting);
/* The one that the user or the profile names, NULL: none. */
const char *bf_dfu_alt_wish(const struct bf_dfu *d);
/* The index of the one that takes firmware on plain DFU: named, or the only one; -1: nobody can tell. */
int bf_dfu_alt_chosen(const struct bf_dfu *d);
/* The failure where it is none, or a refused one: names those that there are. */
enum bf_rc bf_dfu_alt_unclear(const struct bf_dfu *d, struct bf_err *err);
void bf_dfu_alts_likely(const struct bf_dfu *d, struct bf_err *err);
/* A bus reset, and a look at what it has become: bf_dfu.desc.mode tells. Claims again where it is still in
 * DFU mode. */
enum bf_rc bf_dfu_reset_and_see(struct bf_dfu *d, struct bf_err *err);
/* The device has gone or is about to: waits, opens, looks. */
enum bf_rc bf_dfu_back(struct bf_dfu *d, bf_time deadline, struct bf_err *err);
enum bf_rc bf_dfu_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err);
enum bf_rc bf_dfu_restart(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_dfu_await(struct bf_proto *p, bf_time deadline, struct bf_err *err);
void bf_dfu_leave(struct bf_proto *p);

/* ---- dfu_ident.c ---- */

enum bf_rc bf_dfu_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err);
/* bcdDevice JJMN: 0x0150 is 1.5.0. False when a digit is not decimal. */
bool bf_dfu_bcd_version(uint16_t bcd, struct bf_version *ret);

/* ---- dfu_write.c, dfu_erase.c, dfu_read.c ---- */

enum bf_rc bf_dfu_erase(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			uint32_t size, struct bf_err *err);
/* Everything in [addr, addr+size) was erased by us. */
bool bf_dfu_was_erased(const struct bf_dfu *d, unsigned alt, uint32_t addr, uint32_t size);
enum bf_rc bf_dfu_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			struct bf_err *err);
enum bf_rc bf_dfu_block_start(struct bf_proto *p, const struct bf_block *block, struct bf_err *err);
enum bf_rc bf_dfu_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err);
enum bf_rc bf_dfu_finish(struct bf_proto *p, struct bf_err *err);
void bf_dfu_abandon(struct bf_proto *p);
enum bf_rc bf_dfu_read(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
		       uint8_t *buf, size_t len, struct bf_err *err);
/* DfuSe: bytes of the alternate setting that is claimed, each block pointed to. */
enum bf_rc bf_dfu_peek(struct bf_dfu *d, uint32_t addr, uint8_t *buf, size_t len,
		       struct bf_err *err);
/* DfuSe: finds out, from what is at this address, whether block numbers count as they should. No failure is
 * told: it stays unknown then. */
void bf_dfu_prove_counting(struct bf_dfu *d, uint32_t addr);
/* Plain DFU: how many bytes an upload of the region gives; it is read whole for that. */
enum bf_rc bf_dfu_extent(struct bf_proto *p, const struct bf_region *region, uint32_t *ret,
			 struct bf_err *err);
/* What was uploaded is no longer what the device holds. */
void bf_dfu_stream_drop(struct bf_dfu *d);
/* Leaves the way free for a download. */
enum bf_rc bf_dfu_ready_to_write(struct bf_dfu *d, struct bf_err *err);
/* DfuSe: a command in block 0. */
enum bf_rc bf_dfuse_command(struct bf_dfu *d, uint8_t code, uint32_t addr, bf_time limit,
			    const char *what, struct bf_err *err);
