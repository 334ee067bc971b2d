/* SPDX-License-Identifier: MIT */
/* Shared by the files of the DFU device: state (dfu_device.c), memory (dfu_forms.c), descriptors
 * (dfu_desc.c), starting and stopping (dfu_life.c), whose habits it has (dfu_models.c). */
#pragma once

#include "sim/dfu/dfu_device.h"

/* DFU 1.1, section 6.1.2 */
enum dfu_state {
	DFU_APP_IDLE,
	DFU_APP_DETACH,
	DFU_IDLE,
	DFU_DNLOAD_SYNC,
	DFU_DNBUSY,
	DFU_DNLOAD_IDLE,
	DFU_MANIFEST_SYNC,
	DFU_MANIFEST,
	DFU_MANIFEST_WAIT_RESET,
	DFU_UPLOAD_IDLE,
	DFU_ERROR,
	DFU_STATE_COUNT
};

/* DFU 1.1, section 6.1.2, bStatus */
enum dfu_status {
	DFU_OK = 0x00,
	DFU_ERR_TARGET = 0x01,
	DFU_ERR_FILE = 0x02,
	DFU_ERR_WRITE = 0x03,
	DFU_ERR_ERASE = 0x04,
	DFU_ERR_PROG = 0x06,
	DFU_ERR_VERIFY = 0x07,
	DFU_ERR_ADDRESS = 0x08,
	DFU_ERR_NOTDONE = 0x09,
	DFU_ERR_FIRMWARE = 0x0a,
	DFU_ERR_VENDOR = 0x0b,
	DFU_ERR_UNKNOWN = 0x0e,
	DFU_ERR_STALLEDPKT = 0x0f,
	DFU_DIED = 0xff, /* not on the wire: power went */
};

enum dfu_attribute { /* bmAttributes of the functional descriptor */
		     DFU_CAN_DNLOAD = 1,
		     DFU_CAN_UPLOAD = 2,
		     DFU_TOLERANT = 4, /* answers after manifestation without a reset */
		     DFU_WILL_DETACH = 8,
};

/* String descriptors; from BF_STR_ALT on, one for each alternate setting. */
enum dfu_string {
	DFU_STR_LANG,
	DFU_STR_MANUFACTURER,
	DFU_STR_PRODUCT,
	DFU_STR_SERIAL,
	DFU_STR_RUNTIME,
	DFU_STR_COUNTER, /* why it refused: iString of errVENDOR */
	DFU_STR_ALT,
};

/* The bank that is started from, of every model. */
#define BF_DFU_APP_ADDR 0x08010000u

struct bf_dfu_device;

/* What an alternate setting of a device without addresses leads to. */
enum dfu_part {
	DFU_PART_TRIAL,  /* reads the image that runs, writes the other slot */
	DFU_PART_SLOT0,  /* can be read alone */
	DFU_PART_SLOT1,  /* what is written there is started at the next power-on, on trial */
	DFU_PART_APP,    /* the only bank */
	DFU_PART_REFUSE, /* neither */
};

/* How blocks become memory: DFU 1.1 or DfuSe. */
struct dfu_form {
	/* Does the work of one downloaded block; *ret_done: when it is finished. */
	enum dfu_status (*block)(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done);
	/* The download has ended. */
	enum dfu_status (*finish)(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done);
	/* Fills at most len bytes; fewer end the upload. Negative: -enum dfu_status. */
	int (*read)(struct bf_dfu_device *dev, unsigned block, uint8_t *dst, size_t len);
};

extern const struct dfu_form bf_dfu_form_stream, bf_dfu_form_memory;

/* One of the two sets of descriptors that a device shows. */
struct dfu_face {
	uint16_t vid, pid;
	uint16_t release; /* bcdDevice; 0: the version of the firmware */
	uint16_t bcd_dfu;
	uint8_t attributes;
	uint16_t detach_ms, transfer_size;
};

struct dfu_alt {
	const char *name; /* DfuSe: the memory map as the device tells it, right or wrong */
	enum dfu_part part;
};

enum { /* may be */ DFU_READ = 1, DFU_ERASE = 2, DFU_WRITE = 4 }; /* the bits of UM0424's letters */

struct dfu_sectors { /* sectors as the part really has them */
	uint32_t addr, count, size;
	uint8_t access;
	bf_time erase_us; /* one */
};

struct dfu_kept { /* what others have in the flash: it has to be there after an update */
	uint32_t addr;
	const char *text;
};

enum dfu_end {                     /* what the device does when a download has been manifested */
	       DFU_END_WAIT_RESET, /* dfuMANIFEST-WAIT-RESET */
	       DFU_END_IDLE,       /* dfuIDLE */
	       DFU_END_LEAVES,     /* leaves the bus after the poll time */
	       DFU_END_ON_EMPTY,   /* leaves on the empty block, without an answer */
	       DFU_END_ASKED,      /* dfuMANIFEST-WAIT-RESET, and leaves when it is asked there */
	       DFU_END_SILENT,     /* answers nothing any more */
	       DFU_END_MANIFESTS,  /* says dfuMANIFEST until it is reset */
};

enum dfu_reset {                    /* what a USB reset does to a device in DFU mode */
		 DFU_RESET_STARTS,  /* starts the firmware */
		 DFU_RESET_CLEARS,  /* dfuIDLE */
		 DFU_RESET_IGNORED, /* nothing */
		 DFU_RESET_FINISHES, /* starts the firmware after a transfer or an error, else nothing */
};

enum dfu_trait {
	DFU_DETACH_STARTS = 1,     /* DETACH in DFU mode starts the firmware */
	DFU_STALLS_BUSY = 2,       /* told too short a time, stalls while it works */
	DFU_ERROR_CLEARS_ONLY = 4, /* dfuERROR takes CLRSTATUS and nothing else */
	DFU_ASKING_DROPS = 8,      /* a question in dfuDNLOAD-IDLE ends the download */
	DFU_TELLS_BEFORE = 0x10,   /* GETSTATUS says where it was, not where it goes to */
	DFU_READS_PART = 0x20,     /* an upload is all of the partition */
	DFU_READS_ON = 0x40,       /* ... never comes back short, and fails at the end */
	DFU_RAW_SERIAL = 0x80,     /* the serial number is 8-bit text in a place for 16-bit text */
	DFU_WRITES_UNSET = 0x100,  /* until SET_INTERFACE is sent, alternate 0 is alternate 1 */
	DFU_TAKES_ANY = 0x200,     /* no check at the end: the loader judges at the start */
	DFU_STARTS_RAW = 0x400,    /* firmware without an image header starts by its vectors */
	DFU_OWN_LOADER = 0x800, /* a loader of the pack's own has to be whole, or nothing starts */
	DFU_KEEPS_STATE = 0x1000,    /* a refused request changes no state */
	DFU_DETACH_UNHEARD = 0x2000, /* leaves before the status stage of DETACH */
	DFU_CHECKS_FIRST = 0x4000,   /* the first block has to begin with an image header */
	DFU_TELLS_BAD = 0x8000,      /* errFIRMWARE when it found nothing to start */
};

struct dfu_model {
	const struct dfu_form *form;
	struct dfu_face run, loader;
	const char *maker, *product; /* NULL: the pack's own */
	const char *loader_serial;   /* NULL: as in the firmware */
	const struct dfu_alt *alts;
	size_t n_alts;
	const struct dfu_sectors *sectors;
	size_t n_sectors;
	uint32_t app_size;
	const struct dfu_kept *kept;
	size_t n_kept;
	uint16_t block_size; /* DfuSe: what block numbers really count in; 0: wTransferSize */
	uint16_t transfer;   /* longest block taken; 0: wTransferSize */
	bf_time busy_us;     /* least time that a block takes */
	enum dfu_end end;
	enum dfu_reset reset;
	unsigned traits; /* bits of enum dfu_trait */
};

/* dfu_models.c: the row that the options name, with their habits laid over it. */
struct dfu_model bf_dfu_device_model(const struct bf_sim_opts *opts);
/* The sector that holds addr; NULL: none. */
const struct dfu_sectors *bf_dfu_device_sectors(const struct dfu_model *m, uint32_t addr);

struct bf_dfu_device {
	struct bf_pack *pack;
	struct dfu_model m;
	unsigned habits; /* bits of enum bf_sim_habit */
	enum dfu_state state;
	enum dfu_status status;
	uint8_t config, alt;
	bool alt_set;     /* the host has chosen a setting */
	bool dfu_mode;    /* which of the two sets of descriptors it shows */
	bool asked;       /* the host wanted the loader: it is no sign of bad firmware */
	bool again;       /* manifestation has been done, the status stage is due */
	bool silent;      /* answers nothing until a reset */
	bool used;        /* something was transferred since it showed up */
	bool stuck;       /* busy until CLRSTATUS comes */
	bool hung;        /* jumped to where there is no code: off the bus until power goes */
	uint16_t block;   /* wBlockNum of the staged block */
	uint16_t expect;  /* DFU 1.1: the block number that must come next */
	size_t staged;    /* bytes in buf */
	uint32_t pointer; /* DfuSe: address pointer */
	size_t offset;    /* DFU 1.1: bytes taken or handed out so far */
	uint8_t buf[BF_DFU_MAX_TRANSFER];
	unsigned strays; /* class requests to an interface that is no DFU interface */

	/* on the bus */
	bool present;
	unsigned enumeration;
	unsigned starts;   /* of the pack, when last looked at */
	bf_time up_at;     /* shows up then; BF_NEVER: already there, or the pack is not up */
	bf_time busy_at;   /* dfuDNBUSY, dfuMANIFEST: work is finished then */
	bf_time leave_at;  /* restarts by itself then */
	bf_time detach_by; /* appDETACH: without a reset until then it forgets the request */
	bf_time proof_at;  /* firmware on trial judges itself then */
};

static inline bool bf_dfu_has(const struct bf_dfu_device *dev, enum dfu_trait trait)
{
	return dev->m.traits & trait;
}

static inline bool bf_dfu_protected(const struct bf_dfu_device *dev)
{
	return dev->habits & BF_HABIT_PROTECTED;
}

static inline size_t bf_dfu_longest(const struct bf_dfu_device *dev)
{
	return dev->m.transfer ? dev->m.transfer : dev->m.loader.transfer_size;
}

static inline bool bf_dfu_by_address(const struct bf_dfu_device *dev)
{
	return dev->m.form == &bf_dfu_form_memory;
}

/* dfu_life.c */
void bf_dfu_advance(struct bf_dfu_device *dev, bf_time now);
bool bf_dfu_runs_app(const struct bf_dfu_device *dev);
void bf_dfu_running_version(const struct bf_dfu_device *dev, unsigned ret[3]);
/* The firmware is to be started, or the loader again. */
void bf_dfu_device_restart(struct bf_dfu_device *dev, bool to_loader, bf_time now);
/* Would what lies in the only bank be started? */
bool bf_dfu_device_startable(const struct bf_dfu_device *dev);
/* First words as of a vector table there? */
bool bf_dfu_device_starts_at(const struct bf_dfu_device *dev, uint32_t addr);

/* dfu_desc.c */
/* Interface 0 is a DFU interface now. */
bool bf_dfu_device_talks(const struct bf_dfu_device *dev);
/* Bytes moved, or BF_USB_STALL. */
int bf_dfu_standard(struct bf_dfu_device *dev, const uint8_t setup[8], uint8_t *data);
