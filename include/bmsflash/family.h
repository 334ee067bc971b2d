/* SPDX-License-Identifier: MIT */
/*
 * One bootloader's dialogue. A protocol fills in a form; the engine reads capabilities as data and never
 * asks for a name. A member that is NULL is a capability that is not there.
 *
 * Calls are blocking, take absolute deadlines where the caller decides, and otherwise the request's own
 * time-outs. Repeats of lost requests inside a call follow env->retry, by the class of the request.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/image.h"
#include "bmsflash/profile.h"
#include "bmsflash/transport.h"

struct bf_proto;
struct bf_entry_log;

/* ---- retry classes: the class belongs to the request, the policy to the engine ---- */

enum bf_retry_class {
	BF_RETRY_IDEMPOTENT,  /* send the same again */
	BF_RETRY_COUNTED,     /* same counter once, else restart the segment */
	BF_RETRY_STEERED,     /* ask where it stands */
	BF_RETRY_APPEND_ONLY, /* never again: restart the stream */
	BF_RETRY_DESTRUCTIVE, /* never repeated without looking at the state first */
	BF_RETRY_CLASS_COUNT
};

struct bf_retry_row {
	unsigned attempts; /* in all, 1: no repeat */
	bf_time backoff;   /* before the second attempt, doubled after each */
};

struct bf_retry {
	struct bf_retry_row rows[BF_RETRY_CLASS_COUNT];
	uint64_t requests[BF_RETRY_CLASS_COUNT];
	uint64_t repeats[BF_RETRY_CLASS_COUNT];
	uint64_t timeouts, damaged, busy, pending; /* what was met on the way */
	uint64_t reopened;                         /* sessions that the device had forgotten */
	bf_time lost_us;                           /* time spent on attempts that failed */
};

void bf_retry_default(struct bf_retry *retry);
/* After a failed attempt number `attempt` (1 = first): true when another may be made, after waiting the
 * back-off on the clock. Only time-outs and damage are repeated. False also when cancelled. */
bool bf_retry_again(struct bf_retry *retry, struct bf_clock *clock, enum bf_retry_class rclass,
		    unsigned attempt, enum bf_rc rc);

/* ---- what a device says about itself ---- */

enum bf_cap {
	BF_CAP_READ = 1 << 0,    /* reads memory back */
	BF_CAP_HASH = 1 << 1,    /* hashes ranges on the target */
	BF_CAP_ERASE = 1 << 2,   /* the host erases explicitly */
	BF_CAP_TRIAL = 1 << 3,   /* starts new firmware on trial */
	BF_CAP_CONFIRM = 1 << 4, /* takes a confirmation from the host */
	BF_CAP_REVERT = 1 << 5,  /* goes back on request */
	BF_CAP_COUNTER = 1 << 6, /* keeps a security counter */
	BF_CAP_MEASURE = 1 << 7, /* telemetry */
	BF_CAP_AUTH = 1 << 8,    /* wants authentication before writing */
	BF_CAP_SELF_TEST = 1 << 9,
	BF_CAP_BALANCE = 1 << 10,     /* answers whether balancing works */
	BF_CAP_RATES = 1 << 11,       /* can change the line's rate */
	BF_CAP_CHECK = 1 << 12,       /* checks what was written by itself */
	BF_CAP_SINK = 1 << 13,        /* image sink: begin / put / finish, no addresses */
	BF_CAP_DUAL_BANK = 1 << 14,   /* the running firmware stays intact while writing */
	BF_CAP_MCUBOOT = 1 << 15,     /* slots hold MCUboot images */
	BF_CAP_COMPRESS = 1 << 16,    /* takes compressed blocks */
	BF_CAP_RESUME = 1 << 17,      /* a broken transfer can go on from what is in flash */
	BF_CAP_ERASE_AHEAD = 1 << 18, /* erases each unit that it is about to write by itself */
	/* Erases and downloads of a segment may come in parts and in any order. Without it: one erase, and one
	 * download from the first byte up. */
	BF_CAP_ANY_ORDER = 1 << 19,
	/* With BF_CAP_DUAL_BANK: the old firmware stays while writing, and its restart into the new one gives it up
	 * (overwritten, or the higher version wins). */
	BF_CAP_ONE_WAY = 1 << 20,
	/* Looking for what it holds already costs less than writing it (ops->loader->holds). */
	BF_CAP_COMPARE = 1 << 21,
	/* An image that waits for its test boot, or is on it, keeps every other one out; a restart takes it away. */
	BF_CAP_TEST_FIRST = 1 << 22,
};

/* Who answers. A family that cannot tell leaves "unknown". */
enum bf_talks { BF_TALKS_UNKNOWN, BF_TALKS_APPLICATION, BF_TALKS_LOADER };

/* What the device's own check really looked at. */
enum bf_checked {
	BF_CHECKED_MEMORY = 1, /* contents of every segment, by checksum */
	BF_CHECKED_IMAGE =
		2, /* the image as its bootloader sees it: digest, signature, dependencies */
};

enum bf_slot_flag {
	BF_SLOT_ACTIVE = 1,
	BF_SLOT_CONFIRMED = 2,
	BF_SLOT_PENDING = 4, /* will be tried at the next start */
	BF_SLOT_BOOTABLE = 8,
	BF_SLOT_TRIAL = 16, /* runs now, on trial */
};

struct bf_slot {
	unsigned flags;
	bool has_version;
	struct bf_version version;
	uint32_t counter;
	uint8_t digest[64];
	size_t digest_len; /* 0: unknown */
};

#define BF_MAX_SLOTS   4
#define BF_MAX_RATES   8
#define BF_MAX_REGIONS 16

struct bf_ident {
	char protocol[16];
	char loader[48]; /* loader or server version */
	char manufacturer[48], model[48], serial[48], hw_rev[24];
	char loader_serial[48]; /* what its bootloader tells, once it was asked */
	bool has_vid, has_cid;
	uint8_t vid[16], cid[16];
	bool names_board; /* `model` is the board that firmware is built for, as its own system tells it */
	bool is_anybodys; /* shows what the ROM of every such chip shows: its names tell nothing of the pack */
	enum bf_talks talks;
	bool in_bootloader; /* talks == BF_TALKS_LOADER */
	bool caps_later;    /* what can be done, and with which memory, only the bootloader tells */
	char bus_id[24];    /* what the bus shows, no hardware name: USB "0483:df11" */
	bool wipes; /* before the first write readout protection is cleared, and with it all of the flash */
	char no_write[96];      /* why it takes no firmware, known before it is asked; "": it may */
	char bad_firmware[128]; /* what the bootloader said when it did not start its firmware */
	bool has_version;
	struct bf_version version; /* running */
	bool version_short;        /* tells no build number */
	bool version_unreadable;   /* it tells one that cannot be compared */
	char version_text[48];     /* as the device says it */
	uint32_t counter;          /* security counter, with BF_CAP_COUNTER */
	bool counter_unreadable;   /* it tells one that is no number of 32 bits */
	struct bf_slot slots[BF_MAX_SLOTS];
	size_t n_slots;
	struct bf_region regions[BF_MAX_REGIONS];
	size_t n_regions;
	/* Payload bytes of the largest block, known after connect; 0: not yet. */
	uint32_t block_max;
	unsigned in_flight;           /* blocks that may be out at once, at least 1 */
	uint32_t rates[BF_MAX_RATES]; /* that it can change to; 0 ends */
	unsigned caps;
	unsigned together;     /* images that are rolled back in one run; 0 or 1: one */
	unsigned reset_reason; /* 0 unknown, 1 power, 2 request, 3 watchdog, 4 crash */
	unsigned boot_count;   /* since power-on, 0 unknown: restart loops show here */
};

#define BF_MAX_CELLS 32
#define BF_MAX_TEMPS 16

struct bf_measure {
	bool has_pack, has_current, has_soc, has_balancing;
	double pack_v, current_a, soc;
	double cell_v[BF_MAX_CELLS];
	size_t n_cells; /* 0: unknown */
	double temp_c[BF_MAX_TEMPS];
	size_t n_temps;
	uint32_t balancing; /* bit per cell */
	bool has_limits;    /* what the pack lets others do now */
	double charge_v_max, charge_a_max, discharge_a_max;
};

/* Elements of a quantity in a record; returns how many, at most cap. */
size_t bf_quantity_read(const struct bf_quantity_map *map, const uint8_t *record, size_t len,
			double *ret, size_t cap);
/* Adds what a record holds of a quantity; nothing when it is too short. */
void bf_measure_put(struct bf_measure *m, const struct bf_quantity_map *q, const uint8_t *record,
		    size_t len);

/* ---- moving data ---- */

/* What is about to be moved. Only made from a trusted image (bf_target_from). */
struct bf_target {
	const struct bf_image *image;     /* never NULL: an unverified file cannot get here */
	const struct bf_segment *segment; /* of that image */
	uint32_t addr; /* where in the device byte `from` goes (memory-like), after relocation */
	size_t from;   /* offset in the segment to start at */
	size_t len;    /* bytes from there */
	unsigned slot; /* sink: which slot */
	unsigned alt;  /* DFU alternate setting */
};

struct bf_flow {            /* how the device wants it */
	uint32_t block_max; /* payload bytes per block, this segment */
	size_t next; /* offset (from target.from) that it wants first: 0, or where it resumes */
};

/* What the device's flash costs, in bytes that the wire carries meanwhile. */
struct bf_pace {
	double byte; /* for a byte of payload; 0: not known, or too far from the wire's own to matter */
	double unit;         /* for each erase unit that it erases by itself */
	uint32_t erase_unit; /* bytes, 0: the host has erased */
};

struct bf_block {
	size_t offset; /* from target.from */
	const uint8_t *data;
	size_t len;
	/* For who cuts blocks by their length on the wire: the next is best as long there as this one takes
	 * in flash. */
	struct bf_pace pace;
};

/* ---- life ---- */

enum bf_entry { BF_ENTRY_LOOK, BF_ENTRY_READ, BF_ENTRY_WRITE };
enum bf_activate { BF_ACTIVATE_TRIAL, BF_ACTIVATE_PERMANENT };

struct bf_self_test {
	bool passed;
	char detail[160]; /* what failed, in the pack's words */
};

/* A refusal code of the device in words. */
struct bf_refusal {
	unsigned code;
	const char *name; /* "incorrectBlockSequenceCounter" */
	const char *text; /* what it means here */
	const char *next; /* what to do, in prose */
};

/* ---- the form ---- */

/* Answers an authentication challenge; owned by the engine, made by bmsflash/auth.h. */
struct bf_auth {
	char serial[256]; /* the device's serial number: the protocol fills it in before it asks */
	uint8_t service; /* so does it the service that asks: 0x29, and 0 or 0x27 for security access */
	/* Writes the key for this seed. BF_E_AUTH when there is no secret to answer with. */
	enum bf_rc (*respond)(struct bf_auth *auth, unsigned level, const uint8_t *seed,
			      size_t seed_len, uint8_t *key, size_t cap, size_t *ret_len,
			      struct bf_err *err);
	void (*free)(struct bf_auth *auth); /* NULL: nothing to free */
};

struct bf_proto_env {
	struct bf_transport *transport; /* borrowed; its clock is the clock */
	const struct bf_profile *profile;
	const struct bf_log *log;
	struct bf_retry *retry;
	struct bf_auth *auth;          /* may be NULL */
	const struct bf_image *driver; /* what the profile's [driver] names; may be NULL */
	bool unprotect;  /* readout protection may be cleared, and with it all flash */
	int node;        /* --node, -1: the profile's */
	const char *alt; /* --alt, NULL: the profile's, or found */
	/* Not 0: recognise asks once and waits so long for the answer. A loader that shows up for a
	 * moment after power-on is asked again and again. */
	bf_time hurry;
	/* Called while waiting in long operations, with what the device is doing; may be NULL. */
	void (*alive)(void *ctx, const char *what);
	void *alive_ctx;

	/* ---- entering the bootloader: bmsflash/entry.h ---- */

	/* Shows a step by hand and waits for Enter. BF_E_UNSUPPORTED: nobody can be asked, and the sentence was
	 * shown: the device is waited for. Anything else ends the run. NULL: as BF_E_UNSUPPORTED. */
	enum bf_rc (*ask_user)(void *ctx, const char *sentence, struct bf_err *err);
	void *ask_ctx;
	bool may_enter; /* the job is one that may take the pack out of its application */
	bool rescue;    /* the application counts as dead */
	bool joined;    /* one role of a pack that joins two: the line was set for it */
	const struct bf_ident
		*application;       /* what the application of the same pack told; may be NULL */
	struct bf_entry_log *entry; /* of the run; may be NULL */
};

/* A line of what a flash sends: the request and what it is for; request NULL: a heading. */
typedef void bf_explain_fn(void *ctx, const char *request, const char *what);

/*
 * A family fills one, two or all three roles. Which of its tables are there says which; a member that is NULL is a
 * capability that is not there. One opened instance serves all the roles of its family.
 */

/* The application: who the pack is, what it measures, what it runs. After a restart it is this role that proves. */
struct bf_app_ops {
	enum bf_rc (*measure)(struct bf_proto *p, struct bf_measure *ret, struct bf_err *err);
	/* BF_E_UNSUPPORTED: the pack does not offer it, which is no failure. */
	enum bf_rc (*self_test)(struct bf_proto *p, struct bf_self_test *ret, struct bf_err *err);
	enum bf_rc (*balance)(struct bf_proto *p, bool *ret_ok, struct bf_err *err);
	/* Asks it into its bootloader. BF_OK also where it does not answer that by nature. BF_E_UNSUPPORTED: it has no
	 * such request. BF_E_PREFLIGHT: the pack is in no state for it, and nothing was sent. */
	enum bf_rc (*to_loader)(struct bf_proto *p, struct bf_err *err);
};

/* The bootloader: memory, and moving data into it. Erase, begin and the three block calls are there together. */
struct bf_loader_ops {
	/* Whole sectors of the region. */
	enum bf_rc (*erase)(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			    uint32_t size, struct bf_err *err);
	/* May have no answer of its own: a bootloader may say only after the first data what it takes. */
	enum bf_rc (*begin)(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			    struct bf_err *err);
	/* Sends one block. */
	enum bf_rc (*block_start)(struct bf_proto *p, const struct bf_block *block,
				  struct bf_err *err);
	/* Waits for the answer to the oldest block. *ret_next: offset that the device wants or has
	 * confirmed up to. BF_E_RESTART: it dropped the transfer; begin again at the confirmed place. */
	enum bf_rc (*block_finish)(struct bf_proto *p, size_t *ret_next, struct bf_err *err);
	enum bf_rc (*finish)(struct bf_proto *p, struct bf_err *err);
	/* Gives up a transfer that was begun; never fails. */
	void (*abandon)(struct bf_proto *p);
	enum bf_retry_class block_class; /* unless begin says otherwise for this target */

	/* Reads len bytes; the engine asks in steps. */
	enum bf_rc (*read)(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			   uint8_t *buf, size_t len, struct bf_err *err);
	/* How many bytes a region holds whose size is 0 (unknown): it may be read whole for that. 0: the device
	 * says that it holds none. */
	enum bf_rc (*extent)(struct bf_proto *p, const struct bf_region *region, uint32_t *ret,
			     struct bf_err *err);
	enum bf_rc (*hash)(struct bf_proto *p, uint32_t addr, uint32_t size,
			   uint8_t ret[BF_SHA256_LEN], struct bf_err *err);
	/* First 8 bytes of SHA-256 of each `unit` bytes of [addr, addr+size). */
	enum bf_rc (*hash_units)(struct bf_proto *p, uint32_t addr, uint32_t size, uint32_t unit,
				 uint8_t (*ret)[8], size_t n, struct bf_err *err);
	/* Does memory hold these bytes? By what costs least: a checksum that the device makes, or reading up to the
	 * first difference. */
	enum bf_rc (*holds)(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			    const uint8_t *want, size_t len, bool *ret, struct bf_err *err);
	/* The device's own check of what was written (digest, signature, dependencies), over the whole image of
	 * the target; p->checked says what it was. BF_E_UNSUPPORTED when the device checked nothing. */
	enum bf_rc (*check)(struct bf_proto *p, const struct bf_target *target, struct bf_err *err);
	/* Starts the application, by a reset or a jump; success also when the device went before it answered. */
	enum bf_rc (*restart)(struct bf_proto *p, struct bf_err *err);
};

/* Boot control: which image starts, and whether it stays. Mostly absent. confirm wants activate beside it. */
struct bf_boot_ops {
	/* The calls that follow are about the image with this number; n of them are changed in one run. It sends
	 * nothing. NULL: a pack has one image. */
	void (*select)(struct bf_proto *p, unsigned number, unsigned n);
	enum bf_rc (*state)(struct bf_proto *p, struct bf_ident *update, struct bf_err *err);
	enum bf_rc (*activate)(struct bf_proto *p, enum bf_activate how, struct bf_err *err);
	enum bf_rc (*confirm)(struct bf_proto *p, struct bf_err *err);
	enum bf_rc (*revert)(struct bf_proto *p,
			     struct bf_err *err); /* marks; takes effect on restart */
};

struct bf_proto_ops {
	const char *name;
	const char *summary;
	/* Name of the i-th device that the family knows, NULL past the last one; may be NULL. */
	const char *(*device)(size_t i);
	unsigned wires;         /* bits of enum bf_wire */
	unsigned probe_rank;    /* least harmful first */
	const char *probe_risk; /* how the question could disturb others, or NULL */
	/* Bootloader: the first byte that it hears after its reset must be its own. One harmless question to it comes before
	 * any to the application, where it may be there already. */
	bool goes_first;
	bool listens; /* recognise sends nothing */
	/* What its devices want of the line, whatever the profile says in general; NULL: nothing. */
	const struct bf_role_line *line;
	/* enum bf_cap: what its bootloaders can as a rule, for packs that are looked at while their application runs.
	 * It is looked at again before anything is erased. */
	unsigned loader_caps;

	/* Empty tables, never NULL, for a role that the family does not have. */
	const struct bf_app_ops *app;
	const struct bf_loader_ops *loader;
	const struct bf_boot_ops *boot;

	/* ---- the session that its roles share ---- */

	enum bf_rc (*open)(const struct bf_proto_env *env, struct bf_proto **ret,
			   struct bf_err *err);
	void (*close)(struct bf_proto *p); /* leaves the wire as it is */

	/* Does something on this wire speak it? One harmless question. BF_E_NODEV when not. */
	enum bf_rc (*recognise)(struct bf_proto *p, bf_time deadline, struct bf_err *err);
	/* Makes the device ready for looking, reading or writing (sessions, entering the loader). */
	enum bf_rc (*connect)(struct bf_proto *p, enum bf_entry entry, struct bf_err *err);
	/* As far as the device tells in the state it is in: one whose loader alone knows the memory says
	 * more after connect for reading or writing, so ask again then. */
	enum bf_rc (*identify)(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err);
	enum bf_rc (*authenticate)(struct bf_proto *p, struct bf_err *err);
	/* Changes the rate of both ends; on failure both are back at the old one. */
	enum bf_rc (*set_rate)(struct bf_proto *p, uint32_t rate, struct bf_err *err);
	/* Goes back to the default rate at our end only (after a restart). */
	void (*default_rate)(struct bf_proto *p);
	/* One small exchange that proves the line: what the link test repeats. */
	enum bf_rc (*ping)(struct bf_proto *p, struct bf_err *err);
	/* Keeps sessions alive; cheap, called often by whoever waits. */
	enum bf_rc (*keepalive)(struct bf_proto *p, struct bf_err *err);
	/* After a restart: waits until the device answers again (follows re-enumeration). */
	enum bf_rc (*await)(struct bf_proto *p, bf_time deadline, struct bf_err *err);
	/* Ends the session politely (default session, leave DFU); never fails loudly. */
	void (*leave)(struct bf_proto *p);

	/* What a flash with this profile sends, in order; sends nothing itself. */
	void (*explain)(const struct bf_profile *profile, bf_explain_fn *line, void *ctx);

	const struct bf_refusal *refusals; /* ends with name NULL */
};

extern const struct bf_app_ops bf_no_app;
extern const struct bf_loader_ops bf_no_loader;
extern const struct bf_boot_ops bf_no_boot;

struct bf_proto { /* a protocol's instance embeds this first */
	const struct bf_proto_ops *ops;
	struct bf_proto_env env;
	bool in_loader; /* of a joined pack: nothing else may be sent on this wire */
	bool proves; /* set by the engine: what runs is tested now, and is not stopped by a question */
	bool left; /* it started firmware that says nothing on this wire, and answers no more itself */
	unsigned caps;    /* as last identified */
	unsigned checked; /* enum bf_checked: by the last ops->check */
	int64_t saved;    /* payload bytes that compression kept off the wire so far */
};

struct bf_proto *bf_proto_close(struct bf_proto *p); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_proto, bf_proto_close)

/* The line as the profile has it, at a rate. */
struct bf_line bf_line_of_profile(const struct bf_profile *profile, uint32_t baud);
/* Lays the line format that a role wants over the general one. NULL: nothing. */
void bf_role_lay(struct bf_profile *profile, const struct bf_role_line *line);
/* Drains, sets, drops what was heard in the old format. */
enum bf_rc bf_line_set(struct bf_transport *t, const struct bf_line *line, struct bf_err *err);
/* For a family that is alone on its wire: what p->ops->line wants, over the profile's line, at the rate of now. */
enum bf_rc bf_line_take(struct bf_proto *p, struct bf_err *err);

/* A pack whose application and bootloader are of different families, or whose bootloader is entered by [entry]:
 * src/family/join.c. */
extern const struct bf_proto_ops bf_proto_joined_ops;
bool bf_is_joined(const struct bf_profile *profile);
/* As ops->open, of these two; application NULL: none. */
enum bf_rc bf_join_open(const struct bf_proto_env *env, const struct bf_proto_ops *application,
			const struct bf_proto_ops *loader, struct bf_proto **ret,
			struct bf_err *err);

/* The protocols that were built in, by probe_rank; ends with NULL. */
const struct bf_proto_ops *const *bf_protos(void);
const struct bf_proto_ops *bf_proto_by_name(const char *name); /* or NULL */
/* The row for a refusal code, or NULL. */
const struct bf_refusal *bf_refusal_find(const struct bf_proto_ops *ops, unsigned code);
