/* SPDX-License-Identifier: MIT */
/* What [uds], [routines] and [identifiers] of a profile say. */
#pragma once

#include "bmsflash/crc.h"
#include "bmsflash/profile.h"

enum bf_auth_service { BF_AUTH_BY_SECURITY, BF_AUTH_BY_AUTHENTICATION }; /* 27, 29 */
enum bf_auth_method { BF_AUTH_NONE, BF_AUTH_ED25519, BF_AUTH_PROGRAM };

/* Requests that may be sent to the functional identifier. */
enum bf_functional {
	BF_FUNCTIONAL_SESSION = 1,  /* 10 03, 10 01 */
	BF_FUNCTIONAL_PRESENT = 2,  /* 3E 80 */
	BF_FUNCTIONAL_DTC = 4,      /* 85 */
	BF_FUNCTIONAL_MESSAGES = 8, /* 28 */
};

enum bf_address_value { BF_ADDRESS_VALUE_ADDRESS, BF_ADDRESS_VALUE_BLOCK };
enum bf_exit_answer { BF_EXIT_ANSWER_NONE, BF_EXIT_ANSWER_CRC16, BF_EXIT_ANSWER_CRC32 };
enum bf_check_when { BF_CHECK_WHEN_END, BF_CHECK_WHEN_BLOCK, BF_CHECK_WHEN_RESTART };
enum bf_version_format {
	BF_VERSION_FORMAT_TEXT,   /* "1.5.0", behind a prefix */
	BF_VERSION_FORMAT_BCD,    /* two decimal digits a byte, each byte one part */
	BF_VERSION_FORMAT_BINARY, /* each byte one part */
	BF_VERSION_FORMAT_U16,    /* one number: major in the high byte, minor in the low one */
};
enum bf_loader_by {
	BF_LOADER_BY_AUTO,
	BF_LOADER_BY_SESSION,
	BF_LOADER_BY_ID,
	BF_LOADER_BY_SILENCE
};

struct bf_uds_profile {
	uint32_t max_block; /* our own cap on a TransferData message, 0: the device's */
	/* What no server may stretch with "response pending": all answers to one request, in seconds. */
	uint32_t limit_s, limit_erase_s, limit_check_s, limit_block_s;
	bool any_order;      /* erases and downloads may come in parts and in any order */
	unsigned functional; /* enum bf_functional: requests that go to all nodes */
	char reset[16];      /* hex; "none": it restarts without being asked */
	bool reset_suppress; /* no answer wanted */
	struct bf_codes
		enter;    /* sessions to open for writing, in order; empty: extended, programming */
	bool dtc_setting; /* 85 02 before programming */
	uint8_t communication; /* communicationType of 28 03, 0: not sent */
	uint8_t read_service;  /* 0x35 or 0x23 */
	bool read_programming; /* memory is read in the programming session */
	uint32_t chunk; /* bytes of a TransferData message, whatever the pack says; 0: as it says */
	uint8_t counter_wrap; /* block counter after FF */
	uint8_t data_format; /* dataFormatIdentifier of downloads; 0: plain, or compressed where offered */
	enum bf_address_value address_value;
	bool little; /* byte order of addresses, sizes and checksums */
	enum bf_crc16_kind crc16;
	char download_option
		[BF_TEMPLATE_MAX]; /* behind 34 and the data format; "": by address_format */
	char block_head[BF_TEMPLATE_MAX],
		block_tail[BF_TEMPLATE_MAX]; /* around the data of each 36 */
	struct bf_codes block_status;        /* good ones in answers to 36; none: there is none */
	char exit_option[BF_TEMPLATE_MAX];
	enum bf_exit_answer exit_answer;
	char erase_option[BF_TEMPLATE_MAX], check_option[BF_TEMPLATE_MAX];
	enum bf_check_when check_when;
	struct bf_codes busy_status; /* of routines that are asked again */
	enum bf_step_poll poll;
	char fingerprint_format[BF_TEMPLATE_MAX];
	bool fingerprint_block; /* before each segment, not once */
	enum bf_version_format version_format;
	char version_prefix[24];
	enum bf_loader_by loader_by;
	uint16_t loader_did;
	char loader_value[48];       /* pattern */
	bool security_extended;      /* security-level belongs to the extended session */
	uint8_t second_level;        /* another one in the programming session, 0: none */
	char security_data[32];      /* hex, behind requestSeed */
	uint8_t address_format;      /* addressAndLengthFormatIdentifier */
	struct bf_codes good_status; /* of routines */
	uint32_t p2_ms, p2_star_ms;  /* floors; the device's own values win when larger */
	uint8_t session_programming, session_extended;
	uint8_t security_level; /* odd sub-function of 0x27; 0: no security access; BF_AUTO_U8: 1, where
				   the server has the service */
	enum bf_auth_service auth_service;
	enum bf_auth_method auth;
	char auth_program[256];
	uint16_t rid_erase, rid_check_deps, rid_check_memory;
	uint16_t rid_state, rid_activate, rid_confirm, rid_revert, rid_hash, rid_self_test,
		rid_balance; /* 0: the device has none; BF_AUTO_U16: that of bmsflash-uds(7), on
				a device that has its identifiers */
	uint16_t did_boot_id, did_session, did_app_version, did_app_digest, did_hw_version,
		did_serial, did_part, did_manufacturer, did_ids, did_counter, did_map, did_restart,
		did_transfer, did_fingerprint; /* 0: none */
};
