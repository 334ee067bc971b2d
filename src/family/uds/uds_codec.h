/* SPDX-License-Identifier: MIT */
/* What ISO 14229-1 and bmsflash-uds(7) put into messages, as bytes: no clock, no I/O. */
#pragma once

#include "uds_profile.h"
#include "bmsflash/bytes.h"
#include "bmsflash/family.h"

enum uds_sid {
	UDS_SESSION = 0x10,
	UDS_RESET = 0x11,
	UDS_READ_DID = 0x22,
	UDS_READ_MEMORY = 0x23,
	UDS_SECURITY = 0x27,
	UDS_COMM_CONTROL = 0x28,
	UDS_AUTHENTICATION = 0x29,
	UDS_WRITE_DID = 0x2E,
	UDS_ROUTINE = 0x31,
	UDS_DOWNLOAD = 0x34,
	UDS_UPLOAD = 0x35,
	UDS_TRANSFER = 0x36,
	UDS_TRANSFER_EXIT = 0x37,
	UDS_TESTER_PRESENT = 0x3E,
	UDS_DTC_SETTING = 0x85,
	UDS_LINK_CONTROL = 0x87,
	UDS_NEGATIVE = 0x7F,
	UDS_POSITIVE = 0x40, /* added to the service of a request */
	UDS_SUPPRESS = 0x80, /* in a sub-function: no positive answer wanted */
};

enum uds_nrc {
	UDS_NRC_NO_SERVICE = 0x11,
	UDS_NRC_NO_SUBFUNCTION = 0x12,
	UDS_NRC_LENGTH = 0x13,
	UDS_NRC_TOO_LONG = 0x14,
	UDS_NRC_BUSY = 0x21,
	UDS_NRC_CONDITIONS = 0x22,
	UDS_NRC_SEQUENCE = 0x24,
	UDS_NRC_RANGE = 0x31,
	UDS_NRC_SECURITY = 0x33,
	UDS_NRC_AUTHENTICATION = 0x34,
	UDS_NRC_INVALID_KEY = 0x35,
	UDS_NRC_ATTEMPTS = 0x36,
	UDS_NRC_DELAY = 0x37,
	UDS_NRC_CERTIFICATE = 0x50, /* the first of those of service 29 ... */
	UDS_NRC_OWNERSHIP = 0x58,
	UDS_NRC_DEAUTHENTICATE = 0x5D, /* ... and the last */
	UDS_NRC_NOT_ACCEPTED = 0x70,
	UDS_NRC_SUSPENDED = 0x71,
	UDS_NRC_PROGRAMMING = 0x72,
	UDS_NRC_COUNTER = 0x73,
	UDS_NRC_PENDING = 0x78,
	UDS_NRC_SUBFUNCTION_SESSION = 0x7E,
	UDS_NRC_SERVICE_SESSION = 0x7F,
};

extern const struct bf_refusal bf_uds_refusals[]; /* ends with name NULL */
/* "This server does not have that", in one of the ways in which servers say so. */
bool bf_uds_absent(unsigned nrc);

/* ---- an answer beside the request that it might belong to ---- */

enum uds_answer {
	UDS_ANSWER_POSITIVE,
	UDS_ANSWER_NEGATIVE,
	UDS_ANSWER_OTHER,   /* to another request: late, or a repetition */
	UDS_ANSWER_DAMAGED, /* too short or too long to be an answer */
};

/* The answer repeats `match` bytes of the request after the service; a positive one has at least
 * min_len bytes in all. */
enum uds_answer bf_uds_classify(const uint8_t *p, size_t len, const uint8_t *req, size_t match,
				size_t min_len, uint8_t *ret_nrc);

/* ---- fields of answers; each false when malformed ---- */

/* 50 ss: P2 in ms, P2* in 10 ms */
bool bf_uds_read_times(struct bf_cur *c, bf_time *ret_p2, bf_time *ret_p2_star);
/* 74, 75: lengthFormatIdentifier, maxNumberOfBlockLength; what does not fit 32 bits is cut to them */
bool bf_uds_read_block_len(struct bf_cur *c, uint32_t *ret);
/* FD03 */
bool bf_uds_read_map(struct bf_cur *c, struct bf_region *regions, size_t cap, size_t *ret_n);
/* F0B0 after the status */
bool bf_uds_read_banks(struct bf_cur *c, struct bf_slot *slots, size_t cap, size_t *ret_n);
/* The rest as text: printable ASCII, trailing blanks, 00 and FF removed. */
void bf_uds_read_text(struct bf_cur *c, char *dst, size_t cap);

/* ---- requests ---- */

/* Version in other forms than text: its parts from bytes; false when it is none. */
bool bf_uds_read_version(enum bf_version_format format, struct bf_cur *c, struct bf_version *ret);
/* linkControlModeIdentifier of a rate (ISO 14229-1 table B.3), 0: none */
uint8_t bf_uds_rate_id(uint32_t rate, bool bus);
