/* SPDX-License-Identifier: MIT */
/* What kind of pack is wanted: the keys of "sim:key=value,..." and of bmsflash-sim. */
#pragma once

#include <stdbool.h>

#include "bmsflash/clock.h"
#include "bmsflash/err.h"

enum bf_sim_link { BF_SIM_CAN, BF_SIM_CANFD, BF_SIM_RS485, BF_SIM_USB };
enum bf_sim_protocol { BF_SIM_UDS, BF_SIM_DFU, BF_SIM_DFUSE };
enum bf_sim_wipe {
	BF_SIM_WIPE_NEVER,
	BF_SIM_WIPE_BLANK,    /* new firmware erases the configuration at its first start */
	BF_SIM_WIPE_DEFAULTS, /* ... and writes its own */
	BF_SIM_WIPE_ALWAYS,   /* ... at every start */
};
enum bf_sim_crash { BF_SIM_CRASH_NEVER, BF_SIM_CRASH_TRIAL };
/* Whose habits the device has. */
enum bf_sim_model {
	BF_SIM_OURS,     /* bmsflash-uds(7), DFU and DfuSe as in the manual page */
	BF_SIM_STANDARD, /* uds: what ISO 14229 says and nothing else */
	BF_SIM_HOSTILE,  /* uds: ours, whose answers are made to harm */
};
/* UDS: what follows the routine's number in an answer. */
enum bf_sim_status {
	BF_SIM_STATUS_MODEL,
	BF_SIM_STATUS_BYTE,
	BF_SIM_STATUS_NONE,
	BF_SIM_STATUS_TYPE
};
enum bf_sim_eraser { BF_SIM_ERASE_HOST, BF_SIM_ERASE_AHEAD, BF_SIM_ERASE_DOWNLOAD };
enum bf_sim_checker { BF_SIM_CHECK_AFTER, BF_SIM_CHECK_AHEAD, BF_SIM_CHECK_NONE, BF_SIM_CHECK_12 };
/* Bits: what a hostile device does. */
enum bf_sim_hostile {
	BF_HOSTILE_PENDING = 1, /* 7F xx 78 for ever */
	BF_HOSTILE_FRAMES = 2,  /* first frames without end */
	BF_HOSTILE_NUMBERS = 4, /* huge lengths, counts and addresses */
	BF_HOSTILE_TEXTS = 8,   /* escape sequences, no end, no text */
	BF_HOSTILE_MIXED = 15,
};

enum bf_sim_quirk {
	BF_QUIRK_NRC24 = 1,       /* a repeated block counter drops the transfer with NRC 24 */
	BF_QUIRK_NOHASH = 2,      /* no routine F0B4 */
	BF_QUIRK_NOREAD = 4,      /* no upload, no ReadMemoryByAddress */
	BF_QUIRK_SINGLEBANK = 8,  /* one bank: the loader overwrites what runs */
	BF_QUIRK_SLOW = 16,       /* answers after 40 ms, flash four times slower */
	BF_QUIRK_BUSY = 32,       /* one request in eight is answered with NRC 21 */
	BF_QUIRK_NOCOMPRESS = 64, /* takes plain blocks alone */
	BF_QUIRK_FIXEDCONFIG =
		128, /* configuration can be read, and written by the firmware alone */
	/* UDS */
	BF_QUIRK_MUTE = 0x100,  /* silent to what it does not know */
	BF_QUIRK_NRC37 = 0x200, /* the first seed after a start comes only after a second: NRC 37 */
	BF_QUIRK_NRC72 =
		0x400, /* one block is refused with NRC 72, and taken when it comes again */
	BF_QUIRK_NORESET = 0x800,   /* ECUReset is refused with NRC 12: only power restarts it */
	BF_QUIRK_S3STRICT = 0x1000, /* the session lives on 10 and 3E alone */
	BF_QUIRK_FLIP = 0x2000, /* one bit of what is written comes out wrong, and nothing tells */
	BF_QUIRK_NOJUMP = 0x4000,   /* 10 02 from the default session is refused with NRC 7E */
	BF_QUIRK_JUMP = 0x8000,     /* ... and taken */
	BF_QUIRK_ONEDID = 0x10000,  /* one identifier a request */
	BF_QUIRK_CANREAD = 0x20000, /* upload where the model has none */
	BF_QUIRK_ANYORDER =
		0x40000, /* erase and download at any place where the model wants the base */
};

/* A measured value that becomes another one while the pack lives: "soc@2000=5". */
struct bf_sim_change {
	bf_time at;    /* since the first power-on */
	size_t member; /* offset of the double in struct bf_sim_opts */
	double value;
};
#define BF_SIM_CHANGES 16

struct bf_sim_opts {
	enum bf_sim_model model;
	enum bf_sim_link link;
	enum bf_sim_protocol protocol;
	uint32_t rate;    /* default rate of the line, bit/s; 0: 500000 or 115200 */
	uint32_t drate;   /* CAN FD data phase; 0: 2000000 */
	char state[512];  /* file that keeps the flash; empty: forgotten */
	char version[24]; /* built-in image in slot 0, "none" for an empty slot */
	char slot1[24];   /* built-in image in slot 1; empty: erased */
	uint32_t counter; /* lowest security counter that may start */
	char vendor[64], class_name[64];
	char serial[32];           /* empty: it tells none; "ff": never programmed, all FF */
	uint64_t calib;            /* another calibration for another number; 0: by `seed` */
	double soc, temp, current; /* percent, degrees C, A */
	double spread;             /* V that one cell lies below the others */
	struct bf_sim_change changes[BF_SIM_CHANGES]; /* in the order of their times */
	size_t n_changes;
	bool broadcast;     /* CAN: tells inverters its values once a second */
	bool others;        /* CAN: another node is on the bus */
	bool selftest_fail; /* the self-test fails while new firmware runs on trial */
	enum bf_sim_crash crash;
	enum bf_sim_wipe wipe;
	uint64_t seed;
	unsigned quirks; /* bits of enum bf_sim_quirk */
	uint8_t auth;    /* service that has to be passed before writing: 0x27, 0x29; 0: none */
	bool echo;       /* RS485: the tester hears its own bytes */
	uint32_t turnaround_us;
	bool flash_instant;
	enum bf_sim_eraser eraser;   /* AHEAD: erases by itself what it is about to write */
	enum bf_sim_checker checker; /* AHEAD: hashes each block while the next is on its way */
	enum bf_sim_status status;
	uint8_t level;           /* of SecurityAccess; 0: the model's */
	uint8_t unlock_in;       /* session in which it is given; 0: any but the default one */
	char loader_version[24]; /* F189 of the loader; empty: the model's, "none", "ff", a text */
	unsigned hostile;        /* bits of enum bf_sim_hostile */
	/* Power goes in or after this flash operation, at this request, before this answer; 0: never. */
	uint64_t cut_op, cut_after, cut_msg, cut_reply;
	uint32_t repower_ms; /* power comes back by itself so long after a cut; 0: never */
	uint32_t poweron_ms; /* power comes so late; 0: it is on */
	uint32_t window_ms;  /* the loader listens so long before it starts firmware */
	bool has_trust;
	uint8_t trust[32]; /* one more Ed25519 key that the pack's loader trusts */
};

/* Keys of measured values take "@TIME" (ms, or s with an s): the value from then on. */
void bf_sim_opts_default(struct bf_sim_opts *ret);
/* "key=value,key=value"; empty text is fine. Lays the keys over *opts. BF_E_USAGE names the keys. */
enum bf_rc bf_sim_opts_parse(const char *text, struct bf_sim_opts *opts, struct bf_err *err);

/* What the member (offset of a double) is so long after the first power-on. */
double bf_sim_opts_value(const struct bf_sim_opts *opts, size_t member, bf_time since);

/* Bits of enum bf_sim_hostile; 0: the model is another. */
unsigned bf_sim_opts_hostile(const struct bf_sim_opts *opts);

/* A row of the table of keys, for help texts and tests; NULL after the last. */
struct bf_sim_key {
	const char *key, *values, *help;
};
const struct bf_sim_key *bf_sim_key(size_t i);
