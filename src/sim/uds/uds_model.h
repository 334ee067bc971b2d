/* SPDX-License-Identifier: MIT */
/*
 * UDS servers that are not ours, as data: a row says which services, sessions, routines, identifiers and forms
 * of a request a maker's bootloader knows. uds_plain.c serves them all. Each has one bank and starts its
 * application when a page of its own says that a check was passed, or, where none is made, a download was complete.
 */
#pragma once

#include "sim/uds/uds_priv.h"

enum bf_plain_act {
	BF_PLAIN_ERASE,
	BF_PLAIN_CHECK, /* compares what was downloaded last with the numbers in the option */
	BF_PLAIN_DEPENDENCIES, /* looks at the image itself, and lets it start */
	BF_PLAIN_COMPARE,      /* ... and only says how it is */
	BF_PLAIN_PRECONDITION, /* has to be asked before the programming session */
	BF_PLAIN_START,        /* starts what was downloaded to RAM */
};

/*
 * Forms of option records: bytes in small hex digits, and fields of a capital and a number of bytes: A address,
 * S size, B block number; over what was downloaded last C CRC-32, R CRC-16 (CCITT, initial value FFFF), M the sum of
 * its bytes. "44 A4 S4".
 */
struct bf_plain_routine {
	uint16_t rid;
	uint8_t app, loader; /* sets of sessions in which it is known */
	bool guarded;
	enum bf_plain_act act;
	const char *option;
	enum bf_sim_status status; /* MODEL: as the model has it */
};

enum bf_plain_value {
	BF_PLAIN_BOOT_ID,
	BF_PLAIN_SESSION,
	BF_PLAIN_PART,
	BF_PLAIN_VERSION,
	BF_PLAIN_SUPPLIER,
	BF_PLAIN_SERIAL,
	BF_PLAIN_HARDWARE,
	BF_PLAIN_FINGERPRINT,
};

enum bf_plain_version { BF_PLAIN_TEXT, BF_PLAIN_BCD, BF_PLAIN_PREFIX /* "SW" before the text */ };

struct bf_plain_did {
	uint16_t did;
	bool app, loader;
	enum bf_plain_value value;
};

struct bf_plain_service {
	uint8_t sid;
	uint8_t app, loader; /* sets of sessions */
};

struct bf_plain_model {
	enum bf_sim_model id;
	const char *boot_id;
	const struct bf_plain_service *services; /* as all lists here: ends with a row of zeros */
	const struct bf_plain_routine *routines;
	const struct bf_plain_did *dids;

	/* memory: where its application lies for whoever asks, and how much of it there is */
	uint32_t base, size;
	uint32_t ram,
		ram_size; /* takes a driver there, and writes nothing without one; 0: needs none */

	/* sessions */
	bool jumps;       /* from the default session into programming */
	bool no_return;   /* from programming into the extended session only by a restart */
	bool silent;      /* restarts into its loader without an answer */
	bool wants_start; /* K-line: StartCommunication before anything else */
	uint8_t stays_for
		[4];        /* after power-on the loader stays for this request alone; 0: for any */
	uint16_t window_ms; /* ... that comes so soon; 0: the key's */

	/* SecurityAccess by seed and key of these lengths; 0: as the keys say */
	uint8_t seed_len, level;
	uint8_t unlocks_app, unlocks_loader; /* sets of sessions that are locked until then */

	enum bf_sim_status status; /* of routines */
	uint8_t format;        /* addressAndLengthFormatIdentifier; 0: any of 1 to 4 bytes each */
	bool little_endian;    /* addresses and sizes */
	uint8_t block_number;  /* its application's, in the place of an address; 0: by address */
	uint8_t data_format;   /* the only dataFormatIdentifier */
	uint16_t block;        /* longest one that it takes */
	bool tells_no_block;   /* 74 with a length of 0 */
	uint8_t erase_polls;   /* so often an erase is answered with "not yet" */
	bool exit_crc;         /* a CRC-16 in the answer to RequestTransferExit */
	bool checks_nothing;   /* the end of a download lets it start */
	uint8_t communication; /* the only communicationType; 0: any */

	uint16_t fingerprint; /* identifier that may be written; 0: none */
	uint8_t fingerprint_len;
	bool fingerprint_first; /* before each erase */
	enum bf_plain_version version;

	/* CAN */
	uint16_t request_id, answer_id, functional_id; /* 0: 7E0, 7E8, 7DF */
	uint16_t loader_request_id, loader_answer_id;  /* 0: as the application */
	uint8_t fc_block_size, fc_st_min;              /* of its flow control */
};

/* NULL: the server is ours. */
const struct bf_plain_model *bf_plain_model(const struct bf_sim_opts *opts);
/* May this service be used now, and is it known at all. */
enum bf_nrc bf_plain_may(const struct bf_server *u, uint8_t sid);
/* False: not known here; nothing was put. */
bool bf_plain_put_did(struct bf_server *u, uint16_t did);
/* A download is complete; *ret_known: something was put into the answer. */
enum bf_nrc bf_plain_after_exit(struct bf_server *u);
/* The bytes of a block, before they are written: true when they went to RAM. */
bool bf_plain_take_block(struct bf_server *u, const uint8_t *p, size_t len);
bool bf_plain_is_locked(const struct bf_server *u);
/* NRC_NONE: go on as with ours. */
enum bf_nrc bf_plain_communication(const struct bf_server *u, struct bf_cur *c);
void bf_plain_forget(struct bf_server *u);

bf_server_service bf_plain_session_control, bf_plain_write_data, bf_plain_routine_control,
	bf_plain_download, bf_plain_upload, bf_plain_read_memory, bf_plain_clear_dtc,
	bf_plain_security, bf_plain_start_communication;
