/* SPDX-License-Identifier: MIT */
/*
 * Modbus RTU, the client's side (MODBUS over Serial Line 1.02, MODBUS Application Protocol 1.1b3): registers of
 * one server on a serial line that others use as well. Nothing is kept between two calls.
 */
#pragma once

#include "bmsflash/transport.h"

#define BF_MODBUS_READ_MAX  125 /* registers in one request (6.3, 6.4) */
#define BF_MODBUS_WRITE_MAX 123 /* 6.12 */

enum bf_modbus_function {
	BF_MODBUS_READ_HOLDING = 3,
	BF_MODBUS_READ_INPUT = 4,
	BF_MODBUS_WRITE_ONE = 6,
	BF_MODBUS_WRITE_MANY = 16
};

struct bf_modbus {
	struct bf_transport *wire; /* a stream, borrowed */
	uint8_t node;              /* 1 to 247 */
	bf_time timeout;           /* from the request's end to the whole answer */
	bf_time gap;               /* silence before a request; 0: 3.5 characters */
	bf_time gap_max; /* doubled after each silence, up to this: some are deaf after an answer; 0: not */
	bool no_answer;    /* writes are not answered */
	unsigned attempts; /* of a request without effect on the pack, in all; 0: 1 */
};

/*
 * BF_E_NAK with the exception's code and name; BF_E_TIMEOUT; BF_E_LINK for an answer that came damaged or from
 * another node. Reads are repeated, writes are not. With no_answer a write has gone out, and nothing is known of it.
 */
enum bf_rc bf_modbus_read(const struct bf_modbus *m, enum bf_modbus_function table, uint16_t first,
			  uint16_t n, uint16_t *ret, struct bf_err *err);
enum bf_rc bf_modbus_write_one(const struct bf_modbus *m, uint16_t reg, uint16_t value,
			       struct bf_err *err);
enum bf_rc bf_modbus_write(const struct bf_modbus *m, uint16_t first, const uint16_t *values,
			   uint16_t n, struct bf_err *err);
/* "ILLEGAL DATA ADDRESS"; NULL for a code that the specification does not have. */
const char *bf_modbus_exception(unsigned code);
#define BF_MODBUS_ILLEGAL_ADDRESS 2
