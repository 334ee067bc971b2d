/* SPDX-License-Identifier: MIT */
#pragma once

#include "bmsflash/bytes.h"
#include "bmsflash/rng.h"
#include "sim/unpack.h"
#include "sim/uds/uds.h"

#define BF_SERVER_P2_US      BF_MS(50)
#define BF_SERVER_P2_STAR_US BF_SEC(5)
#define BF_SERVER_S3_US      BF_SEC(5)
#define BF_SERVER_LOCK_US    BF_SEC(10)
#define BF_SERVER_NEW_RATE   BF_MS(500) /* a valid request must come so soon at a new rate */
#define BF_SERVER_SEED_LEN   32u
#define BF_SERVER_FORMAT_LZ4 0x10u /* dataFormatIdentifier: LZ4 blocks, not encrypted */

enum bf_nrc { /* ISO 14229-1, Annex A.1 */
	      NRC_NONE = 0,
	      NRC_SERVICE_NOT_SUPPORTED = 0x11,
	      NRC_SUB_FUNCTION_NOT_SUPPORTED = 0x12,
	      NRC_INCORRECT_LENGTH = 0x13,
	      NRC_RESPONSE_TOO_LONG = 0x14,
	      NRC_BUSY_REPEAT_REQUEST = 0x21,
	      NRC_CONDITIONS_NOT_CORRECT = 0x22,
	      NRC_REQUEST_SEQUENCE_ERROR = 0x24,
	      NRC_REQUEST_OUT_OF_RANGE = 0x31,
	      NRC_SECURITY_ACCESS_DENIED = 0x33,
	      NRC_INVALID_KEY = 0x35,
	      NRC_EXCEEDED_ATTEMPTS = 0x36,
	      NRC_TIME_DELAY_NOT_EXPIRED = 0x37,
	      NRC_OWNERSHIP_FAILED = 0x58,
	      NRC_TRANSFER_DATA_SUSPENDED = 0x71,
	      NRC_GENERAL_PROGRAMMING_FAILURE = 0x72,
	      NRC_WRONG_BLOCK_COUNTER = 0x73,
	      NRC_RESPONSE_PENDING = 0x78,
	      NRC_SUB_FUNCTION_NOT_IN_SESSION = 0x7E,
	      NRC_SERVICE_NOT_IN_SESSION = 0x7F,
	      NRC_SILENCE = 0x100, /* not on the wire: the server answers nothing (power went) */
};

enum bf_server_session { BF_SERVER_DEFAULT = 1, BF_SERVER_PROGRAMMING = 2, BF_SERVER_EXTENDED = 3 };
enum { /* sets of sessions, for tables */
       IN_DEFAULT = 1 << BF_SERVER_DEFAULT,
       IN_PROGRAMMING = 1 << BF_SERVER_PROGRAMMING,
       IN_EXTENDED = 1 << BF_SERVER_EXTENDED,
       IN_WORK = IN_PROGRAMMING | IN_EXTENDED,
       IN_ANY = IN_DEFAULT | IN_WORK,
};

struct bf_plain_model;

enum bf_server_then { THEN_NOTHING, THEN_RESTART, THEN_NEW_RATE };
enum bf_server_direction { TRANSFER_NONE, TRANSFER_DOWN, TRANSFER_UP };

struct bf_server_transfer {
	enum bf_server_direction direction;
	uint32_t addr, size, moved;
	size_t block_max; /* maxNumberOfBlockLength */
	bool begun;       /* a block was accepted: `last` counts */
	uint8_t last;     /* counter of the last accepted block */
	uint32_t last_len;
	bool packed;
	uint8_t carry[BF_FLASH_WORD]; /* bytes that do not fill a double word yet */
	size_t carried;
};

struct bf_server {
	struct bf_pack *pack;
	const struct bf_plain_model *plain; /* NULL: it is ours */
	struct bf_server_port *port;
	struct bf_rng rng;
	unsigned starts; /* of the pack, as last seen */

	enum bf_server_session session;
	bf_time s3_at;
	bool unlocked, seed_out;
	uint8_t seed[BF_SERVER_SEED_LEN];
	unsigned wrong_keys;
	bf_time locked_until;
	bool answer_after_start; /* 10 02 of a pack with one bank */
	bool stays_unlocked;     /* ... which was unlocked before it */
	bool starts_programming; /* 10 02 without an answer: the loader begins there */
	bf_time seed_from;       /* quirk nrc37: no seed before; 0: not asked yet */
	uint32_t flips;          /* quirk flip: downloads spoilt */
	bool refused_block;      /* quirk nrc72: it did that */
	bool endless;            /* hostile: the answer never comes */
	struct bf_plain_state {
		uint32_t next_addr; /* no download below it; 0: nothing was erased */
		bool to_ram, has_driver, runs_driver, asked_precondition, has_fingerprint, checked;
		uint32_t crc32, sum, moved; /* of the download under way or the last one */
		uint16_t crc16;
		unsigned polls;
		bool started; /* K-line */
	} plain_state;

	struct bf_server_transfer transfer;
	struct bf_unpacker unpacker;
	unsigned target_slot;
	uint32_t hashed; /* bytes of the target slot, from its start, whose digest is made */

	uint32_t rate, wanted_rate; /* wanted_rate 0: none agreed */
	bf_time rate_until;         /* falls back then, BF_NEVER: stays */

	/* the request being worked on */
	bf_time now, done;
	bool functional, suppress;
	size_t longest;
	enum bf_server_then then;

	/* its answer */
	uint8_t reply[BF_SERVER_MSG_MAX];
	struct bf_out out;
	uint8_t sid;
	bf_time reply_at, pending_at;
};

/* A service reads its request from behind the SID (and sub-function) and writes its answer from behind
 * the SID. It sets u->done when the answer takes longer than thinking. */
typedef enum bf_nrc bf_server_service(struct bf_server *u, uint8_t sub, struct bf_cur *c);

bf_server_service bf_server_session_control, bf_server_reset, bf_server_security,
	bf_server_authentication, bf_server_echo_sub, bf_server_link_control, bf_server_read_data,
	bf_server_write_data, bf_server_read_memory, bf_server_routine, bf_server_download,
	bf_server_upload, bf_server_transfer_data, bf_server_transfer_exit;

/* Locked by wrong keys; ends by itself. */
bool bf_server_is_locked(struct bf_server *u);
/* Checks what answers the seed that is out, and counts: `refusal` is for a wrong one. */
enum bf_nrc bf_server_judge(struct bf_server *u, const char *label, uint8_t level,
			    const uint8_t *signature, enum bf_nrc refusal);
void bf_server_default_session(struct bf_server *u, bf_time now);
void bf_server_go_to_rate(struct bf_server *u, uint32_t rate, bf_time now);
void bf_server_put_session(struct bf_server *u, struct bf_out *o);
bool bf_server_may_write(const struct bf_server *u);
/* One bank: the loader has to run first; it restarts, and the loader gives the answer. */
enum bf_nrc bf_server_restart_for_programming(struct bf_server *u);
enum bf_nrc bf_server_enter(struct bf_server *u, uint8_t session);
/* False: the pack has none to tell. */
bool bf_server_put_serial(struct bf_server *u, struct bf_out *o);
/* The status of a routine, in the form that the model has. */
enum bf_nrc bf_server_put_status(struct bf_server *u, uint8_t status, enum bf_sim_status form);
enum bf_nrc bf_server_begin(struct bf_server *u, enum bf_server_direction direction, uint32_t addr,
			    uint32_t size, size_t block_max);
/* model=hostile: changes the answer that is about to go out. */
void bf_hostile_twist(struct bf_server *u);
/* ... or there will be none, but "response pending" as long as nobody asks something else. */
bool bf_hostile_is_endless(struct bf_server *u);
bf_time bf_hostile_pending_each(void);
/* Turns the outcome of work on the flash into an answer. */
enum bf_nrc bf_server_worked(enum bf_pack_work work);
