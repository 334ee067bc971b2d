/* SPDX-License-Identifier: MIT */
/* Shared by the files of the DFU device: state (dfu_device.c), memory (dfu_forms.c), descriptors
 * (dfu_desc.c), starting and stopping (dfu_life.c). */
#pragma once

#include "dfu_device.h"

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

/* The bank that is started from. */
#define BF_DFU_APP_ADDR 0x08010000u

struct bf_dfu_device;

/* What differs between DFU 1.1 and DfuSe. */
struct dfu_form {
	uint16_t vid, run_pid, dfu_pid;
	uint16_t bcd_dfu, loader_bcd; /* version of DFU spoken, of the loader */
	uint8_t attributes;
	uint16_t transfer_size;
	uint8_t n_alts;
	bool empty_leaves; /* download of length 0 from dfuIDLE: leave */
	bool reset_leaves; /* USB reset in DFU mode starts the firmware */
	const char *(*alt_name)(struct bf_dfu_device *dev, unsigned alt, char *dst, size_t cap);
	/* Does the work of one downloaded block; *ret_done: when it is finished. */
	enum dfu_status (*block)(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done);
	/* The download has ended. */
	enum dfu_status (*finish)(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done);
	/* Fills at most len bytes; fewer end the upload. Negative: -enum dfu_status. */
	int (*read)(struct bf_dfu_device *dev, unsigned block, uint8_t *dst, size_t len);
};

extern const struct dfu_form bf_dfu_form_11, bf_dfu_form_se;

struct bf_dfu_device {
	struct bf_pack *pack;
	const struct dfu_form *form;
	enum dfu_state state;
	enum dfu_status status;
	uint8_t config, alt;
	bool dfu_mode;    /* which of the two sets of descriptors it shows */
	bool leave;       /* DfuSe: starts the firmware after this manifestation */
	bool asked;       /* the host wanted the loader: it is no sign of bad firmware */
	bool again;       /* manifestation has been done, the status stage is due */
	uint16_t block;   /* wBlockNum of the staged block */
	uint16_t expect;  /* DFU 1.1: the block number that must come next */
	size_t staged;    /* bytes in buf */
	uint32_t pointer; /* DfuSe: address pointer */
	size_t offset;    /* DFU 1.1: bytes taken or handed out so far */
	uint8_t buf[BF_DFU_MAX_TRANSFER];

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

/* dfu_life.c */
void bf_dfu_advance(struct bf_dfu_device *dev, bf_time now);
bool bf_dfu_runs_app(const struct bf_dfu_device *dev);
void bf_dfu_running_version(const struct bf_dfu_device *dev, unsigned ret[3]);

/* dfu_desc.c: bytes moved, or BF_USB_STALL */
int bf_dfu_standard(struct bf_dfu_device *dev, const uint8_t setup[8], uint8_t *data);
