/* SPDX-License-Identifier: MIT */
/*
 * A Modbus RTU unit on a serial line (MODBUS over Serial Line 1.02, MODBUS Application Protocol 1.1b3): functions 3, 4, 6
 * and 16 over a map of registers that somebody else has.
 */
#pragma once

#include "sim/bytes.h"

#define BF_MODBUS_UNIT_SILENT 0x100 /* beside exception codes: no answer at all */

enum bf_modbus_unit_exception {
	BF_MODBUS_UNIT_FUNCTION = 1,
	BF_MODBUS_UNIT_ADDRESS = 2,
	BF_MODBUS_UNIT_VALUE = 3,
	BF_MODBUS_UNIT_FAILURE = 4,
};

struct bf_modbus_map {
	uint8_t unit;
	/* Fills 2 * n bytes. Returns 0 or what is answered instead. */
	int (*read)(void *ctx, unsigned function, uint16_t first, uint16_t n, uint8_t *dst,
		    bf_time now);
	/* n registers as they came; NULL: none can be written. *ret_done: when the unit can answer. */
	int (*write)(void *ctx, unsigned function, uint16_t first, uint16_t n, const uint8_t *src,
		     bf_time now, bf_time *ret_done);
};

struct bf_modbus_unit;

/* All borrowed. */
struct bf_modbus_unit *bf_modbus_unit_new(const struct bf_modbus_map *map, void *ctx,
					  struct bf_pack *pack, struct bf_bytes_port *port);
struct bf_modbus_unit *bf_modbus_unit_free(struct bf_modbus_unit *u); /* takes NULL, returns NULL */
/* Another start: forgets what it was about to say. */
void bf_modbus_unit_reset(struct bf_modbus_unit *u);
void bf_modbus_unit_bytes(struct bf_modbus_unit *u, const uint8_t *p, size_t len, bf_time began,
			  bf_time now);
bf_time bf_modbus_unit_next(const struct bf_modbus_unit *u);
void bf_modbus_unit_run(struct bf_modbus_unit *u, bf_time now);
/* When the last answer went out; 0: none yet. */
bf_time bf_modbus_unit_answered_at(const struct bf_modbus_unit *u);

/*
 * What a pack of no maker's tells, as unit 1 and with the pack as ctx; function 3 and 4 alike:
 *   0 charge 0.1 %   1 pack 10 mV   2 current 0.1 A, charging positive   3 temperature 0.1 degrees C
 *   4 self-test, 1 good   16.. cells, mV   64.. version, three registers   80.. model, 16 bytes   88.. serial number
 */
extern const struct bf_modbus_map bf_modbus_pack_map;
