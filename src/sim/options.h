/* SPDX-License-Identifier: MIT */
/* What kind of pack is wanted: the keys of "sim:key=value,..." and of bmsflash-sim. */
#pragma once

#include <stdbool.h>

#include "bmsflash/clock.h"
#include "bmsflash/err.h"

enum bf_sim_link { BF_SIM_CAN, BF_SIM_CANFD, BF_SIM_RS485, BF_SIM_USB };
enum bf_sim_protocol {
	BF_SIM_UDS,
	BF_SIM_DFU,
	BF_SIM_DFUSE,
	BF_SIM_SMP,
	BF_SIM_XMODEM,
	BF_SIM_STM32
};
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
	/* uds: bootloaders as makers ship them */
	BF_SIM_ZHIDOU,
	BF_SIM_NXP,
	BF_SIM_VW,
	BF_SIM_VOLVO,
	BF_SIM_TESLA,
	BF_SIM_GEEHY,
	BF_SIM_KLINE,
	/* USB: see dfu_models.c; they decide which of the two protocols is spoken. */
	BF_SIM_STM32APP,
	BF_SIM_TINYUSB,
	BF_SIM_DAPBOOT,
	BF_SIM_ZEPHYR,
	BF_SIM_ZEPHYR_NEXT,
	BF_SIM_MCUBOOT,
	BF_SIM_MAPLE,
	BF_SIM_CHERRYUSB,
	BF_SIM_ST_ROM,
	BF_SIM_STM32F4,
	BF_SIM_GD32,
	BF_SIM_OPENCM3,
	/* smp: which part of the pack speaks it */
	BF_SIM_SMP_RECOVERY, /* MCUboot's serial recovery */
	BF_SIM_SMP_APP,      /* the firmware */
	BF_SIM_SMP_BOTH,
	/* xmodem: units as makers ship them */
	BF_SIM_JK,
	BF_SIM_JK202, /* ... with an older bootloader */
	BF_SIM_VANMOOF,
	/* stm32: chips with their bootloader in ROM, see rom_chips.c */
	BF_SIM_F103,
	BF_SIM_F407,
	BF_SIM_L476,
	BF_SIM_G0B1,
	BF_SIM_L0,
	BF_SIM_ROM_GD32,
	BF_SIM_AT32,
};
#define BF_SIM_DFU_FIRST BF_SIM_STM32APP
#define BF_SIM_DFU_COUNT (BF_SIM_OPENCM3 - BF_SIM_DFU_FIRST + 1)
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

/* Serial ports: what a board has wired to the lines beside the data, and whose chip a USB port is. */
enum bf_sim_lines { BF_SIM_LINES_NONE, BF_SIM_LINES_CROSS, BF_SIM_LINES_DIRECT };
enum bf_sim_break { BF_SIM_BREAK_NONE, BF_SIM_BREAK_LOADER };
enum bf_sim_replug { BF_SIM_REPLUG_NEVER, BF_SIM_REPLUG_SAME, BF_SIM_REPLUG_OTHER };

/* What the firmware answers on the line where its bootloader speaks a protocol other than UDS. */
enum bf_sim_app { BF_SIM_APP_MODEL, BF_SIM_APP_NONE, BF_SIM_APP_UDS, BF_SIM_APP_MODBUS };
/* smp: when serial recovery is entered without being asked for. */
enum bf_sim_entry {
	BF_SIM_ENTRY_MODEL,
	BF_SIM_ENTRY_ONCE,   /* its pin is held at the first power-on */
	BF_SIM_ENTRY_ALWAYS, /* ... at every start */
	BF_SIM_ENTRY_NEVER,  /* only with nothing to start */
};
/* How the boot loader puts a new image where it runs. */
enum bf_sim_swap {
	BF_SIM_SWAP_MOVE,
	BF_SIM_SWAP_SCRATCH,
	BF_SIM_SWAP_OFFSET,
	BF_SIM_SWAP_OVERWRITE, /* no way back */
	BF_SIM_SWAP_XIP,       /* the newer of two slots runs where it is */
	BF_SIM_SWAP_RAM,       /* ... in RAM */
	BF_SIM_SWAP_SINGLE,    /* one slot */
	BF_SIM_SWAP_UNKNOWN,   /* moves, and does not say so */
};
/* JK: what a unit does that lost its power in an update. */
enum bf_sim_aftercut { BF_SIM_AFTERCUT_MODEL, BF_SIM_AFTERCUT_DEAD, BF_SIM_AFTERCUT_LOADER };
enum bf_sim_pending { BF_SIM_PENDING_NONE, BF_SIM_PENDING_TEST, BF_SIM_PENDING_PERM };
enum bf_sim_smp { /* bits: builds of the SMP server that can less or do it otherwise */
		  BF_SMP_DIRECT = 1, /* recovery: image numbers name slots */
		  BF_SMP_SMALL = 2,  /* list, upload and reset are all that it can */
		  BF_SMP_NOISE = 4,  /* log text between frames */
		  BF_SMP_NOPARAMS = 8,
		  BF_SMP_NOINFO = 0x10,    /* no OS information */
		  BF_SMP_NOBOOT = 0x20,    /* no bootloader information */
		  BF_SMP_NOCONFIRM = 0x40, /* image state cannot be set */
		  BF_SMP_NOSHA =
			  0x80, /* the firmware does not go on with an upload that broke off */
		  BF_SMP_NOSLOTS = 0x100, /* no slot information */
};
/* The pin of a chip that makes it start from ROM. */
enum bf_sim_boot0 {
	BF_SIM_BOOT0_MODEL,
	BF_SIM_BOOT0_LOW, /* only modem lines, a request to the application or an empty flash lead there */
	BF_SIM_BOOT0_HAND, /* held whenever power comes, and let go */
	BF_SIM_BOOT0_HIGH, /* a jumper: at every reset */
};

/* What a USB device does beside what its model does. */
enum bf_sim_habit {
	BF_HABIT_NODOWNLOAD = 1,       /* takes no download, and says so */
	BF_HABIT_DFU11 = 2,            /* says DFU 1.1 in both modes, map or not */
	BF_HABIT_SHORTDESC = 4,        /* functional descriptor of DFU 1.0, 7 bytes */
	BF_HABIT_PROTOCOL0 = 8,        /* bInterfaceProtocol 0 in DFU mode */
	BF_HABIT_SHORTSTRING = 0x10,   /* names say more bytes than come */
	BF_HABIT_SIZE0 = 0x20,         /* wTransferSize 0 */
	BF_HABIT_SIZEFFFF = 0x40,      /* wTransferSize 65535 */
	BF_HABIT_SIZE32 = 0x80,        /* wTransferSize 32, less than a packet */
	BF_HABIT_STAYS = 0x100,        /* nothing but power starts the firmware */
	BF_HABIT_MANIFESTS = 0x200,    /* says dfuMANIFEST until it is reset */
	BF_HABIT_STALLDETACH = 0x400,  /* stalls DETACH and does it */
	BF_HABIT_DETACH0 = 0x800,      /* DETACH time 0 */
	BF_HABIT_DEAF = 0x1000,        /* takes DETACH and stays until a bus reset */
	BF_HABIT_NORUNTIME = 0x2000,   /* the firmware has no DFU interface */
	BF_HABIT_NOPRODUCT = 0x4000,   /* no product string */
	BF_HABIT_NOSERIAL = 0x8000,    /* no serial number */
	BF_HABIT_HIDDEN = 0x10000,     /* other firmware than the first never shows itself on USB */
	BF_HABIT_STUCK = 0x20000,      /* busy for ever after an erase, until CLRSTATUS */
	BF_HABIT_JUMPS = 0x40000,      /* leaves to where the address pointer is, code or not */
	BF_HABIT_ENDLESS = 0x80000,    /* an upload begins again at its end */
	BF_HABIT_PROTECTED = 0x100000, /* read protection: errVENDOR to everything */
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
	BF_QUIRK_NOJUMP = 0x4000,       /* 10 02 from the default session is refused with NRC 7E */
	BF_QUIRK_JUMP = 0x8000,         /* ... and taken */
	BF_QUIRK_ONEDID = 0x10000,      /* one identifier a request */
	BF_QUIRK_CANREAD = 0x20000,     /* upload where the model has none */
	BF_QUIRK_FOREVER = 0x80000,     /* an erase is never finished: response pending for ever */
	BF_QUIRK_QUIETRESET = 0x100000, /* restarts without an answer */
	BF_QUIRK_NO3E = 0x200000,       /* TesterPresent is refused with NRC 11 */
	BF_QUIRK_LOSEACK = 0x400000,    /* stm32: the acknowledge of the first erase gets lost */
	BF_QUIRK_STRAYZERO = 0x800000,  /* stm32: 00 before the first acknowledge */
	BF_QUIRK_ANYORDER =
		0x40000, /* erase and download at any place where the model wants the base */
};

/* A measured value that becomes another one while the pack lives: "soc@2000=5". */
struct bf_sim_change {
	bf_time at;    /* since the first power-on */
	size_t member; /* offset of the double in struct bf_sim_opts */
	double value;
};
#define BF_SIM_CHANGES     16
#define BF_SIM_BLOCK_MODEL 0xFFFFu
#define BF_SIM_DEAF_MODEL  0xFFFFu

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
	unsigned quirks;  /* bits of enum bf_sim_quirk */
	unsigned habits;  /* bits of enum bf_sim_habit */
	uint32_t show_ms; /* USB: firmware shows itself so much later */
	uint8_t auth;     /* service that has to be passed before writing: 0x27, 0x29; 0: none */
	unsigned parity;  /* of the pack's line: enum bf_parity */
	enum bf_sim_lines lines;
	enum bf_sim_break brk;
	enum bf_sim_replug replug;
	bool echo; /* RS485: the tester hears its own bytes */
	uint32_t turnaround_us;
	uint8_t node;         /* its address on a serial line */
	uint8_t packs;        /* so many on one line; 0: one */
	uint8_t dead, locked; /* ... which of them never answers, which wants a key; 0: none */
	bool flash_instant;
	enum bf_sim_eraser eraser;   /* AHEAD: erases by itself what it is about to write */
	enum bf_sim_checker checker; /* AHEAD: hashes each block while the next is on its way */
	enum bf_sim_status status;
	uint8_t level;           /* of SecurityAccess; 0: the model's */
	uint8_t unlock_in;       /* session in which it is given; 0: any but the default one */
	char loader_version[24]; /* F189 of the loader; empty: the model's, "none", "ff", a text */
	uint16_t block;          /* maxNumberOfBlockLength; BF_SIM_BLOCK_MODEL: the model's */
	uint32_t flips;          /* downloads that quirk flip spoils; 0: every one */
	unsigned hostile;        /* bits of enum bf_sim_hostile */
	/* Power goes in or after this flash operation, at this request, before this answer; 0: never. */
	uint64_t cut_op, cut_after, cut_msg, cut_reply;
	uint32_t repower_ms; /* power comes back by itself so long after a cut; 0: never */
	uint32_t poweron_ms; /* power comes so late; 0: it is on */
	uint32_t window_ms;  /* the loader listens so long before it starts firmware */
	bool full_duplex;    /* serial line: two wires */
	enum bf_sim_app app;
	enum bf_sim_entry entry;
	enum bf_sim_swap swap;
	enum bf_sim_pending pending; /* of the other slot of a new pack */
	char image1[24]; /* built-in image of image number 1; empty: there is one image */
	unsigned smp;    /* bits of enum bf_sim_smp */
	bool smp_raw;    /* packets without console framing */
	uint16_t smp_buffers, smp_buffer_size; /* 0: the model's */
	enum bf_sim_aftercut aftercut;
	uint16_t deaf_ms; /* after each answer; BF_SIM_DEAF_MODEL: the model's */
	uint32_t alarms;
	bool xmodem_crc; /* JK: its bootloader asks for CRC-16 and takes blocks of 1024 bytes, too */
	enum bf_sim_boot0 boot0;
	uint8_t rdp;       /* stm32: level of the readout protection */
	uint16_t wrp;      /* ... so many first pages are write-protected */
	uint32_t nack;     /* ... every so manieth field or frame is refused; 0: none */
	uint32_t losebyte; /* ... and every so manieth byte or frame not heard */
	bool blank;        /* ... nothing is in the flash of a new chip */
	bool has_trust;
	uint8_t trust[32]; /* one more Ed25519 key that the pack's loader trusts */
};

/* Keys of measured values take "@TIME" (ms, or s with an s): the value from then on. */
void bf_sim_opts_default(struct bf_sim_opts *ret);
/* "key=value,key=value"; empty text is fine. Lays the keys over *opts. BF_E_USAGE names the keys. */
enum bf_rc bf_sim_opts_parse(const char *text, struct bf_sim_opts *opts, struct bf_err *err);

/* The pack at place k (from 1) of the string that these options are of: node k, a serial number and a state file of its
 * own, every third with newer firmware. */
#define BF_SIM_PACKS_MAX 32u
void bf_sim_opts_of_string(const struct bf_sim_opts *string, unsigned k, struct bf_sim_opts *ret);

/* What the member (offset of a double) is so long after the first power-on. */
double bf_sim_opts_value(const struct bf_sim_opts *opts, size_t member, bf_time since);

/* Bits of enum bf_sim_hostile; 0: the model is another. */
unsigned bf_sim_opts_hostile(const struct bf_sim_opts *opts);
bool bf_sim_model_is_dfu(enum bf_sim_model model);
/* What the firmware answers beside its bootloader's protocol. */
enum bf_sim_app bf_sim_opts_app(const struct bf_sim_opts *opts);
/* The bootloader, or the firmware, speaks SMP. */
bool bf_sim_opts_smp(const struct bf_sim_opts *opts, bool firmware);
/* JK: the mark that leads into the bootloader survives a loss of power. */
bool bf_sim_opts_mark_stays(const struct bf_sim_opts *opts);
/* Serial recovery is entered at the pack's start number `starts`, counted from 0. */
bool bf_sim_opts_held(const struct bf_sim_opts *opts, unsigned starts);

enum bf_sim_boot0 bf_sim_opts_boot0(const struct bf_sim_opts *opts);

/* A row of the table of keys, for help texts and tests; NULL after the last. */
struct bf_sim_key {
	const char *key, *values, *help;
};
const struct bf_sim_key *bf_sim_key(size_t i);
