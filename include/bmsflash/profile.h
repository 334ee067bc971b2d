/* SPDX-License-Identifier: MIT */
/*
 * A profile: what a pack family needs to be told about, and nothing that a standard fixes. INI text
 * read by inih (src/profile/profile.c is the only door). One table of rows describes every key: parsing,
 * the man page bmsflash-profile(5) and the checks come from it; each family has a table of its own for what it
 * alone reads. Unknown keys are errors with file and line. bf_profile_default() is the embedded default: the contract of bmsflash-uds(7), and DFU.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bmsflash/clock.h"
#include "bmsflash/crc.h"
#include "bmsflash/err.h"

#define BF_PROFILE_RATES        8
#define BF_PROFILE_REGIONS      16
#define BF_REGION_MAX           (UINT32_C(64) << 20) /* bytes, whatever a file or a pack says */
#define BF_ERASE_UNIT_MAX       (UINT32_C(1) << 20)
#define BF_PROFILE_QUANTITIES   24
#define BF_REGION_RUNS          8
#define BF_PROFILE_FAMILY_BYTES 8192 /* for the settings of all families */

enum bf_framing { BF_FRAMING_AUTO, BF_FRAMING_ISO14230, BF_FRAMING_HDLC };
enum bf_direction {
	BF_DIRECTION_AUTO,
	BF_DIRECTION_KERNEL,
	BF_DIRECTION_RTS,
	BF_DIRECTION_ADAPTER
};

/* Region kinds are what a region holds; the engine treats regions by kind, never by name. */
enum bf_region_kind {
	BF_REGION_SLOT, /* an MCUboot slot; `slot` tells which */
	BF_REGION_APP,  /* memory-like: application flash, written by address */
	BF_REGION_CONFIG,
	BF_REGION_CALIBRATION,
	BF_REGION_BOOT, /* the loader itself: never written */
	BF_REGION_OTHER,
	BF_REGION_KIND_COUNT
};
const char *bf_region_kind_name(enum bf_region_kind kind); /* "slot", as in a profile */

enum bf_access { BF_ACCESS_READ = 1, BF_ACCESS_ERASE = 2, BF_ACCESS_WRITE = 4 };

/* Adjoining sectors of one size. */
struct bf_sector_run {
	uint32_t addr, size, count;
};

struct bf_region {
	char name[24];
	enum bf_region_kind kind;
	unsigned slot;
	uint32_t addr, size;
	uint32_t erase_unit, write_unit; /* bytes; 0: unknown (1) */
	unsigned access;                 /* bits of enum bf_access */
	unsigned alt;                    /* DFU: alternate setting that reaches it */
	unsigned block; /* UDS: number of the block, where the loader has numbers */
	/* Flash with sectors of several sizes: all of the region, ascending. Empty: erase_unit throughout. */
	struct bf_sector_run sectors[BF_REGION_RUNS];
	unsigned n_runs;
	bool erases_to_zero; /* erased flash reads 00, not FF */
};

/* Where the pack's conditions are read. */
enum bf_telemetry {
	BF_TELEMETRY_APPLICATION,   /* what the application answers in its family's own protocol */
	BF_TELEMETRY_MODBUS,        /* Modbus RTU registers on the same serial line */
	BF_TELEMETRY_CAN_BROADCAST, /* frames 0x351, 0x355, 0x356 that the pack sends by itself */
	BF_TELEMETRY_NONE,
	BF_TELEMETRY_COUNT
};

/* A telemetry value: which data identifier or register, where in it, how it scales. */
enum bf_quantity_kind {
	BF_Q_PACK_VOLTAGE, /* V */
	BF_Q_CURRENT,      /* A, charging positive */
	BF_Q_SOC,          /* percent */
	BF_Q_CELL_VOLTAGE, /* V, an array */
	BF_Q_TEMPERATURE,  /* degrees C, an array */
	BF_Q_BALANCING,    /* bits, one per cell */
	BF_Q_KIND_COUNT
};

struct bf_quantity_map {
	enum bf_quantity_kind kind;
	uint16_t did;            /* 0: none */
	int32_t modbus_register; /* address of the first, -1: none */
	uint8_t offset;          /* of the first element */
	uint8_t width;           /* bytes per element, 1..4, big-endian */
	bool is_signed;
	uint8_t count; /* elements; 0: as many as the answer holds */
	double scale, add;
	bool required;       /* unknown counts as outside limits */
	bool zero_is_absent; /* elements of value 0 are not there */
};

struct bf_limits {                     /* pack conditions and self-test rules */
	double soc_min, soc_max;       /* percent */
	double temp_above, temp_below; /* degrees C */
	double current_max;            /* A, absolute */
	double cell_spread_max;        /* V */
	double cell_min, cell_max;     /* V, each cell; cell_max 0: not looked at */
	double cell_sum; /* V between the sum of the cells and the pack; 0: not looked at */
	double steady_pack, steady_cell;     /* V, between two readings */
	double self_cell_percent;            /* deviation of each cell after the update */
	double self_temp_min, self_temp_max; /* plausible sensor range */
};

enum bf_can_addressing { BF_CAN_NORMAL, BF_CAN_EXTENDED, BF_CAN_MIXED };
enum bf_kline_init { BF_KLINE_INIT_NONE, BF_KLINE_INIT_FAST };
/*
 * Bytes of a request with places that are filled in: "44 {addr:4} {size:4} {crc32}". What can stand in braces:
 *   addr size block   :1 to :4 bytes (4, 4, 1)     where a segment goes, its bytes, number of its region
 *   crc32 crc16 sum   (4, 2, sum :1 to :4, 4)      over the bytes of the segment
 *   date:bcd3 date:bcd4                            today, YY MM DD or CC YY MM DD
 *   serial            :1 to :32 (16)               of the tester, text filled up with spaces
 */
#define BF_TEMPLATE_MAX 96
struct bf_template_values {
	uint32_t addr, size, block;
	uint32_t crc32, sum; /* of the segment's bytes */
	uint16_t crc16;
	int64_t wall_us;
	bool little; /* byte order of numbers */
};
struct bf_out;
/* NULL when the text is a template, else what is wrong with it. */
const char *bf_template_fault(const char *text);
/* Appends the bytes; the text is a template. */
void bf_template_put(const char *text, const struct bf_template_values *v, struct bf_out *ret);
/* Its bytes up to the first checksum, which may be one over them; returns the rest of the text, NULL: there is none. */
const char *bf_template_put_to_sum(const char *text, const struct bf_template_values *v,
				   struct bf_out *ret);
/* Bytes of an answer in hex, ".." for any byte: does the answer begin so? "" fits all. */
const char *bf_pattern_fault(const char *text);
bool bf_pattern_fits(const char *text, const uint8_t *p, size_t len);

enum bf_step_when {
	BF_STEP_BEFORE_PROGRAMMING, /* in the extended session */
	BF_STEP_UNLOCKED,           /* in the programming session, after security access */
	BF_STEP_BEFORE_BLOCK,       /* before the download of each segment */
	BF_STEP_AFTER_BLOCK,
	BF_STEP_AFTER_WRITE,   /* after the last one */
	BF_STEP_AFTER_RESTART, /* in the extended session of the new firmware */
	BF_STEP_WHEN_COUNT
};
enum bf_step_to { BF_STEP_PHYSICAL, BF_STEP_FUNCTIONAL, BF_STEP_SILENT };
enum bf_step_poll { BF_POLL_RESEND, BF_POLL_RESULTS };

#define BF_PROFILE_STEPS 24
struct bf_step { /* a request of the maker's own */
	char name[24];
	enum bf_step_when when;
	char send[BF_TEMPLATE_MAX];
	char expect[48], busy[48]; /* patterns of answers; busy: ask again */
	enum bf_step_poll poll;    /* by the same request, or by 31 03 */
	enum bf_step_to to;
	bool optional; /* a refusal, and silence, are no failure */
	uint32_t limit_s;
};

#define BF_PROFILE_PERIODICS 4
struct bf_periodic { /* a frame that goes out by the clock: network management, stay in boot */
	char name[24];
	uint32_t id;
	char data[32]; /* hex */
	uint32_t period_ms;
};

struct bf_wake {        /* frames for a pack that has just got its power */
	uint32_t id;    /* CAN identifier, 0: that of the requests */
	char frame[32]; /* hex; "": none */
	uint32_t period_ms, for_ms;
};

struct bf_driver_file { /* a secondary bootloader or flash driver, loaded before the image */
	char file[256];
	uint32_t addr;
	char check[BF_TEMPLATE_MAX],
		start[BF_TEMPLATE_MAX]; /* requests after its download; "": none */
};

/* Whether the pack may be taken to another CAN bit rate: nodes that keep the old one destroy every frame. */
enum bf_can_change {
	BF_CAN_CHANGE_ALONE, /* when nobody else was heard on the bus */
	BF_CAN_CHANGE_ALWAYS,
	BF_CAN_CHANGE_NEVER,
};

/* A number that a profile may leave to the pack: "auto", in members of 8 and 16 bits. */
#define BF_AUTO_U8  0xFF
#define BF_AUTO_U16 0xFFFF

#define BF_PROFILE_CODES 8
struct bf_codes { /* a list of small numbers */
	uint8_t n;
	uint8_t code[BF_PROFILE_CODES];
};

/* Ways from the application into the bootloader. */
enum bf_entry_how {
	BF_ENTER_REQUEST, /* the application is asked */
	BF_ENTER_LINES,   /* RTS, DTR and break of the serial port */
	BF_ENTER_GPIO,    /* lines of this computer */
	BF_ENTER_WINDOW,  /* asked again and again while the pack is switched on */
	BF_ENTER_HAND,    /* somebody at the pack does it */
	BF_ENTER_TEXT,    /* text on a console */
	BF_ENTER_THERE,   /* nothing is done: it is there already */
	BF_ENTER_COUNT
};

#define BF_PATTERN_MAX 160
struct bf_entry_plan {
	struct bf_codes how; /* enum bf_entry_how, in the order in which they are tried */
	char lines[BF_PATTERN_MAX], lines_leave[BF_PATTERN_MAX]; /* see bf_pin_next; "": none */
	char gpio_chip[64], gpio_lines[BF_PATTERN_MAX];          /* "boot=17 reset=27" */
	char gpio[BF_PATTERN_MAX], gpio_leave[BF_PATTERN_MAX];
	char hand[BF_PATTERN_MAX], hand_leave[BF_PATTERN_MAX]; /* sentences for people */
	char text[96], ready[48];                              /* see bf_escaped */
	uint32_t hand_limit_s, ready_limit_s, window_s, settle_ms;
};

/* One step of a pattern such as "rts=1 dtr=0 wait=100ms dtr=1 break=20ms". */
enum bf_pin_do { BF_PIN_SET, BF_PIN_WAIT, BF_PIN_BREAK };
struct bf_pin_step {
	enum bf_pin_do what;
	char name[16]; /* of the line that is set */
	bool on;
	bf_time time;
};
/* Takes the next step off the text. False at its end; *ret_fault then says what is wrong, or is NULL. */
bool bf_pin_next(const char **text, struct bf_pin_step *ret, const char **ret_fault);
/* "boot=17 reset=27": takes the next line's name and what it is called by the chip. */
bool bf_pin_name_next(const char **text, char name[16], char line[32], const char **ret_fault);
/* Bytes of a text with \r \n \t \\ \xHH in it; false when it is none or does not fit. */
bool bf_escaped(const char *text, uint8_t *dst, size_t cap, size_t *ret_len);

/* What one role has of its own; the rest is as in [rs485] and [can]. */
struct bf_role_line {
	uint32_t baud;                /* 0: not said */
	char parity;                  /* 'N', 'E', 'O', 0: not said */
	uint8_t data_bits, stop_bits; /* 0: not said */
	int node;                     /* -1: not said */
	uint32_t rate;                /* of a CAN bus, bit/s; 0: not said */
	uint32_t can_tx, can_rx;      /* 0: not said */
};

struct bf_profile {
	char path[4096]; /* of the file; "": built in */
	char sha256[65]; /* of the file's bytes, hex; "": built in */
	char name[48];
	char description[160];
	char protocol[16];       /* "": found by probing */
	char container_key[256]; /* file with the key of the maker's image containers; "": none */

	/* A pack whose application and bootloader are of different families. "": no such role. */
	char application[16], loader[16];
	struct bf_role_line app_line, loader_line;
	struct bf_entry_plan entry;

	uint32_t can_tx, can_rx, can_func; /* identifiers */
	bool can_ext;
	enum bf_can_addressing can_addressing;
	uint8_t can_target, can_source;   /* address bytes of extended and mixed addressing */
	uint8_t fc_block_size, fc_st_min; /* of our own flow control */
	int tx_st_min; /* raw, in place of what the pack asks for; -1: what it asks for */
	uint32_t n_cr_ms;
	uint32_t loader_tx, loader_rx, loader_rate; /* of the bootloader, 0: the same */
	bool can_fd, can_brs;
	int can_pad;
	uint8_t node, tester; /* RS485 addresses */
	enum bf_framing framing;

	/* line */
	uint32_t baud;
	char parity; /* 'N', 'E', 'O' */
	unsigned data_bits, stop_bits;
	uint32_t guard_us;
	enum bf_kline_init kline_init;
	bool start_communication;    /* 81 before the first request */
	uint32_t byte_gap_us;        /* between our own bytes */
	enum bf_direction direction; /* of an RS485 transceiver */
	bool rts_active_low;
	uint32_t serial_rates[BF_PROFILE_RATES]; /* ladder, fastest first, 0 ends */
	uint32_t can_rates[BF_PROFILE_RATES];
	enum bf_can_change can_change;
	char warning[240];       /* before anything is written; "": nothing */
	char rescue[160];        /* by hand, for a pack that lost its firmware; "": nothing */
	char rescue_profile[48]; /* by which it is written then */
	uint32_t rescue_address; /* of the firmware; 0: not said */
	uint32_t restart_ms;     /* longest restart including the boot loader's work */

	enum bf_telemetry telemetry;
	uint32_t watch_s;     /* between two readings while writing */
	uint32_t pause_max_s; /* longest pause while conditions are outside limits */

	struct bf_quantity_map quantities[BF_PROFILE_QUANTITIES];
	size_t n_quantities;
	struct bf_region regions[BF_PROFILE_REGIONS]; /* empty: the device tells */
	size_t n_regions;
	struct bf_step steps[BF_PROFILE_STEPS];
	size_t n_steps;
	struct bf_periodic periodics[BF_PROFILE_PERIODICS];
	size_t n_periodics;
	struct bf_wake wake;
	struct bf_driver_file driver;
	struct bf_limits limits;
	bool self_test_required;

	/* usb */
	uint16_t usb_vid, usb_pid;               /* 0: any device with a DFU interface */
	uint16_t usb_loader_vid, usb_loader_pid; /* of its boot loader, 0: as above */
	char vendor[64], class_name[64]; /* hardware that has these USB numbers; "": not said */

	/* What each family alone reads: bf_profile_family(). */
	_Alignas(max_align_t) uint8_t families[BF_PROFILE_FAMILY_BYTES];
};

/* The settings of a family, a struct of its NAME_profile.h; NULL: it has no keys of its own. */
const void *bf_profile_family(const struct bf_profile *profile, const char *family);
void *bf_profile_family_mut(struct bf_profile *profile, const char *family);

/* Is a frame with this identifier an answer of the pack? */
static inline bool bf_profile_is_answer(const struct bf_profile *profile, uint32_t id,
					bool extended)
{
	return id == profile->can_rx && extended == profile->can_ext;
}

/* The program that answers the pack's seeds; NULL: none. */
const char *bf_profile_seed_program(const struct bf_profile *profile);
/* Does a pack of this family show, by a version or a digest, what it runs? True where the family does not say. */
bool bf_profile_shows_firmware(const struct bf_profile *profile, const char *family);

void bf_profile_default(struct bf_profile *ret);
/* Lays the keys of INI text over *profile, which is untouched on failure; `name` is for messages
 * ("bms16.ini"). */
enum bf_rc bf_profile_parse(const char *text, size_t len, const char *name,
			    struct bf_profile *profile, struct bf_err *err);
/* The default with a file laid over it: NAME (looked up in `folders`, NULL-terminated, as NAME.ini) or a
 * path with a '/' or ".ini". "default" is there without any file. */
enum bf_rc bf_profile_load(const char *name_or_path, const char *const *folders,
			   struct bf_profile *ret, struct bf_err *err);

/*
 * What a user of this profile should hear: a limit that is wider than the built-in one, a program that it
 * runs. Note number i; false past the last one.
 */
bool bf_profile_note(const struct bf_profile *profile, size_t i, char *dst, size_t cap);

/* One key, for the man page and the tests. */
struct bf_profile_key {
	const char *section, *key;
	char allowed[160]; /* "0 to 255", "auto, iso14230 or hdlc" */
	const char *def, *help;
};
/* Key number i in the order of the table; false past the last one. */
bool bf_profile_key(size_t i, struct bf_profile_key *ret);
