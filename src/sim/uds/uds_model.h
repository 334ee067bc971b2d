/* SPDX-License-Identifier: MIT */
/*
 * UDS servers that are not ours, as data: a row says which services, sessions, routines, identifiers and forms
 * of a request a maker's bootloader knows. uds_plain.c serves them all. Each has one bank and starts its
 * application when a page of its own says that a check was passed.
 */
#pragma once

#include "sim/uds/uds_priv.h"

enum bf_plain_act {
	BF_PLAIN_ERASE,
	BF_PLAIN_DEPENDENCIES, /* looks at the image itself */
	BF_PLAIN_NOTHING,      /* says yes */
};

/*
 * Forms of option records: bytes in small hex digits, and fields of a capital and a number of bytes: A address,
 * S size, C CRC-32 over what was downloaded last, B block number. "44 A4 S4".
 */
struct bf_plain_routine {
	uint16_t rid;
	uint8_t app, loader; /* sets of sessions in which it is known */
	bool guarded;
	enum bf_plain_act act;
	const char *option;
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
	bool jumps;           /* from the default session into programming */
	bool status;          /* an answer to a routine has a status byte */
	uint8_t format;       /* addressAndLengthFormatIdentifier; 0: any of 1 to 4 bytes each */
	uint16_t block;       /* maxNumberOfBlockLength */
	uint16_t fingerprint; /* identifier that may be written; 0: none */
};

/* NULL: the server is ours. */
const struct bf_plain_model *bf_plain_model(const struct bf_sim_opts *opts);
/* May this service be used now, and is it known at all. */
enum bf_nrc bf_plain_may(const struct bf_server *u, uint8_t sid);
/* False: not known here; nothing was put. */
bool bf_plain_put_did(struct bf_server *u, uint16_t did);
enum bf_nrc bf_plain_after_exit(struct bf_server *u);

bf_server_service bf_plain_session_control, bf_plain_write_data, bf_plain_routine_control,
	bf_plain_download, bf_plain_upload, bf_plain_clear_dtc;
