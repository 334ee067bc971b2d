/* SPDX-License-Identifier: MIT */
#include "sim/uds/uds_model.h"

/* ---- standard: ISO 14229-1 and nothing else ---- */

static const struct bf_plain_service standard_services[] = {
	{ 0x10, IN_ANY, IN_ANY },
	{ 0x11, IN_ANY, IN_ANY },
	{ 0x14, IN_ANY, 0 },
	{ 0x22, IN_ANY, IN_ANY },
	{ 0x23, IN_EXTENDED, IN_WORK },
	{ 0x27, IN_EXTENDED, IN_WORK },
	{ 0x28, IN_EXTENDED, IN_WORK },
	{ 0x2E, 0, IN_PROGRAMMING },
	{ 0x31, IN_EXTENDED, IN_WORK },
	{ 0x34, 0, IN_PROGRAMMING },
	{ 0x35, IN_EXTENDED, IN_WORK },
	{ 0x36, IN_EXTENDED, IN_WORK },
	{ 0x37, IN_EXTENDED, IN_WORK },
	{ 0x3E, IN_ANY, IN_ANY },
	{ 0x85, IN_EXTENDED, IN_EXTENDED },
	{ 0 },
};

static const struct bf_plain_routine standard_routines[] = {
	{ 0xFF00, 0, IN_PROGRAMMING, true, BF_PLAIN_ERASE, "44 A4 S4" },
	{ 0xFF01, 0, IN_PROGRAMMING, true, BF_PLAIN_DEPENDENCIES, "" },
	{ 0 },
};

static const struct bf_plain_did standard_dids[] = {
	{ 0xF15A, true, true, BF_PLAIN_FINGERPRINT },
	{ 0xF180, false, true, BF_PLAIN_BOOT_ID },
	{ 0xF186, true, true, BF_PLAIN_SESSION },
	{ 0xF187, true, false, BF_PLAIN_PART },
	{ 0xF189, true, false, BF_PLAIN_VERSION },
	{ 0xF18A, true, false, BF_PLAIN_SUPPLIER },
	{ 0xF18C, true, true, BF_PLAIN_SERIAL },
	{ 0xF191, true, true, BF_PLAIN_HARDWARE },
	{ 0 },
};

static const struct bf_plain_model models[] = {
	{
		.id = BF_SIM_STANDARD,
		.boot_id = "BOOT 2.3",
		.services = standard_services,
		.routines = standard_routines,
		.dids = standard_dids,
		.jumps = true,
		.block = 1026,
		.fingerprint = 0xF15A,
	},
};

const struct bf_plain_model *bf_plain_model(const struct bf_sim_opts *opts)
{
	for (size_t i = 0; i < BF_COUNT(models); i++)
		if (models[i].id == opts->model)
			return &models[i];
	return NULL;
}
