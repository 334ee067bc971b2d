/* SPDX-License-Identifier: MIT */
/* Registers of a pack, read as a profile describes them: by the family, and by telemetry of other families' packs. */
#pragma once

#include "bmsflash/family.h"
#include "bmsflash/modbus.h"
#include "family/modbus/modbus_profile.h"

extern const struct bf_proto_ops bf_proto_modbus_ops;

/* node: of the command line, -1: the profile's. */
struct bf_modbus bf_modbus_of(struct bf_transport *wire, const struct bf_profile *profile,
			      int node);
enum bf_modbus_function bf_modbus_table_of(const struct bf_profile *profile);
/* All quantities that have registers. What the pack does not have stays unknown. */
enum bf_rc bf_modbus_measure(const struct bf_modbus *m, const struct bf_profile *profile,
			     struct bf_measure *ret, struct bf_err *err);
/* BF_OK and *ret_len 0: the pack has no such register. */
enum bf_rc bf_modbus_value_read(const struct bf_modbus *m, const struct bf_profile *profile,
				const struct bf_modbus_value *v, uint8_t *ret, size_t *ret_len,
				struct bf_err *err);
