/* SPDX-License-Identifier: MIT */
#include "sim/pack_priv.h"
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
	{ 0xFF00, 0, IN_PROGRAMMING, true, BF_PLAIN_ERASE, "44 A4 S4", 0 },
	{ 0xFF01, 0, IN_PROGRAMMING, true, BF_PLAIN_DEPENDENCIES, "", 0 },
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

/* ---- what makers share ---- */

static const struct bf_plain_did maker_dids[] = {
	{ 0xF186, true, true, BF_PLAIN_SESSION },  { 0xF187, true, false, BF_PLAIN_PART },
	{ 0xF189, true, false, BF_PLAIN_VERSION }, { 0xF18C, true, true, BF_PLAIN_SERIAL },
	{ 0xF191, true, true, BF_PLAIN_HARDWARE }, { 0 },
};

/* ---- zhidou: as Chinese makers of electric vehicles specify it for their suppliers ---- */

static const struct bf_plain_service zhidou_services[] = {
	{ 0x10, IN_ANY, IN_ANY },    { 0x11, IN_ANY, IN_ANY },
	{ 0x14, IN_ANY, 0 },         { 0x22, IN_ANY, IN_ANY },
	{ 0x27, 0, IN_PROGRAMMING }, { 0x28, IN_EXTENDED, 0 },
	{ 0x2E, 0, IN_PROGRAMMING }, { 0x31, IN_EXTENDED, IN_ANY },
	{ 0x34, 0, IN_PROGRAMMING }, { 0x36, 0, IN_PROGRAMMING },
	{ 0x37, 0, IN_PROGRAMMING }, { 0x3E, IN_ANY, IN_ANY },
	{ 0x85, IN_EXTENDED, 0 },    { 0 },
};

static const struct bf_plain_routine zhidou_routines[] = {
	{ 0x0202, IN_EXTENDED, 0, false, BF_PLAIN_PRECONDITION, "", 0 },
	{ 0x0203, 0, IN_ANY, false, BF_PLAIN_COMPARE, "", 0 }, /* stay in the loader */
	{ 0xFF00, 0, IN_PROGRAMMING, true, BF_PLAIN_ERASE, "44 A4 S4", 0 },
	{ 0x0201, 0, IN_PROGRAMMING, true, BF_PLAIN_CHECK, "C4", 0 },
	{ 0xFF01, 0, IN_PROGRAMMING, true, BF_PLAIN_DEPENDENCIES, "", 0 },
	{ 0 },
};

/* ---- nxp: the unified loader for S32K3 ---- */

static const struct bf_plain_routine nxp_routines[] = {
	{ 0xFF00, 0, IN_PROGRAMMING, true, BF_PLAIN_ERASE, "", 0 },
	{ 0x0202, 0, IN_PROGRAMMING, true, BF_PLAIN_CHECK, "R4", 0 },
	{ 0xFF01, 0, IN_PROGRAMMING, true, BF_PLAIN_DEPENDENCIES, "", BF_SIM_STATUS_NONE },
	{ 0 },
};

/* ---- vw: blocks by number, data in a form of its own ---- */

static const struct bf_plain_service vw_services[] = {
	{ 0x04, IN_ANY, 0 },         { 0x10, IN_ANY, IN_ANY },
	{ 0x11, IN_ANY, IN_ANY },    { 0x22, IN_ANY, IN_ANY },
	{ 0x27, 0, IN_PROGRAMMING }, { 0x28, IN_EXTENDED, 0 },
	{ 0x2E, 0, IN_PROGRAMMING }, { 0x31, IN_EXTENDED, IN_PROGRAMMING },
	{ 0x34, 0, IN_PROGRAMMING }, { 0x36, 0, IN_PROGRAMMING },
	{ 0x37, 0, IN_PROGRAMMING }, { 0x3E, IN_ANY, IN_ANY },
	{ 0x85, IN_EXTENDED, 0 },    { 0 },
};

static const struct bf_plain_routine vw_routines[] = {
	{ 0x0203, IN_EXTENDED, 0, false, BF_PLAIN_PRECONDITION, "", 0 },
	{ 0xFF00, 0, IN_PROGRAMMING, true, BF_PLAIN_ERASE, "01 B1", 0 },
	{ 0x0202, 0, IN_PROGRAMMING, true, BF_PLAIN_CHECK, "01 B1 00 04 M4", 0 },
	{ 0xFF01, 0, IN_PROGRAMMING, true, BF_PLAIN_DEPENDENCIES, "", 0 },
	{ 0 },
};

/* ---- volvo and tesla: a secondary bootloader in RAM ---- */

static const struct bf_plain_service volvo_services[] = {
	{ 0x10, IN_ANY, IN_ANY },    { 0x11, IN_ANY, IN_ANY },
	{ 0x22, IN_ANY, IN_ANY },    { 0x27, 0, IN_PROGRAMMING },
	{ 0x31, 0, IN_PROGRAMMING }, { 0x34, 0, IN_PROGRAMMING },
	{ 0x36, 0, IN_PROGRAMMING }, { 0x37, 0, IN_PROGRAMMING },
	{ 0x3E, IN_ANY, IN_ANY },    { 0 },
};

static const struct bf_plain_routine volvo_routines[] = {
	{ 0x0301, 0, IN_PROGRAMMING, true, BF_PLAIN_START, "A4", 0 },
	{ 0xFF00, 0, IN_PROGRAMMING, true, BF_PLAIN_ERASE, "A4 S4", 0 },
	{ 0x0304, 0, IN_PROGRAMMING, true, BF_PLAIN_DEPENDENCIES, "", 0 },
	{ 0 },
};

static const struct bf_plain_service tesla_services[] = {
	{ 0x10, IN_ANY, IN_ANY },
	{ 0x11, IN_ANY, IN_ANY },
	{ 0x22, IN_ANY, IN_ANY },
	{ 0x23, IN_EXTENDED, IN_PROGRAMMING },
	{ 0x27, IN_EXTENDED, IN_PROGRAMMING },
	{ 0x31, IN_EXTENDED, IN_PROGRAMMING },
	{ 0x34, 0, IN_PROGRAMMING },
	{ 0x36, 0, IN_PROGRAMMING },
	{ 0x37, 0, IN_PROGRAMMING },
	{ 0x3E, IN_ANY, IN_ANY },
	{ 0 },
};

static const struct bf_plain_routine tesla_routines[] = {
	{ 0x0301, 0, IN_PROGRAMMING, true, BF_PLAIN_START, "A4", 0 },
	{ 0xFF00, 0, IN_PROGRAMMING, true, BF_PLAIN_ERASE, "A4 S4", 0 },
	{ 0xDC03, IN_EXTENDED, 0, true, BF_PLAIN_COMPARE, "", 0 },
	{ 0 },
};

/* ---- geehy: a sample of a microcontroller maker ---- */

static const struct bf_plain_service geehy_services[] = {
	{ 0x10, IN_ANY, IN_ANY },
	{ 0x11, IN_ANY, IN_ANY },
	{ 0x22, IN_ANY, IN_ANY },
	{ 0x27, IN_EXTENDED, IN_WORK },
	{ 0x2E, IN_EXTENDED, IN_WORK },
	{ 0x31, 0, IN_PROGRAMMING },
	{ 0x34, 0, IN_PROGRAMMING },
	{ 0x36, 0, IN_PROGRAMMING },
	{ 0x37, 0, IN_PROGRAMMING },
	{ 0x3E, IN_ANY, IN_ANY },
	{ 0 },
};

static const struct bf_plain_routine geehy_routines[] = {
	{ 0xFF00, 0, IN_PROGRAMMING, true, BF_PLAIN_ERASE, "", 0 },
	{ 0 },
};

/* ---- kline ---- */

static const struct bf_plain_service kline_services[] = {
	{ 0x10, IN_ANY, IN_ANY },    { 0x11, IN_ANY, IN_ANY },
	{ 0x22, IN_ANY, IN_ANY },    { 0x31, 0, IN_PROGRAMMING },
	{ 0x34, 0, IN_PROGRAMMING }, { 0x36, 0, IN_PROGRAMMING },
	{ 0x37, 0, IN_PROGRAMMING }, { 0x3E, IN_ANY, IN_ANY },
	{ 0x81, IN_ANY, IN_ANY },    { 0 },
};

#define APP_BASE 0x08010000u

static const struct bf_plain_model models[] = {
	{
		.id = BF_SIM_STANDARD,
		.boot_id = "BOOT 2.3",
		.services = standard_services,
		.routines = standard_routines,
		.dids = standard_dids,
		.base = APP_BASE,
		.size = 0x40000,
		.jumps = true,
		.status = BF_SIM_STATUS_NONE,
		.block = 1026,
		.fingerprint = 0xF15A,
	},
	{
		.id = BF_SIM_ZHIDOU,
		.boot_id = "BL_ZD",
		.services = zhidou_services,
		.routines = zhidou_routines,
		.dids = maker_dids,
		.base = 0x00010000,
		.size = 0x60000,
		.ram = 0x20000000,
		.ram_size = 0x4000,
		.no_return = true,
		.stays_for = { 0x31, 0x01, 0x02, 0x03 },
		.window_ms = 20,
		.seed_len = 4,
		.level = 0x07,
		.unlocks_loader = IN_PROGRAMMING,
		.status = BF_SIM_STATUS_BYTE,
		.format = 0x44,
		.block = 0x402,
		.communication = 3,
		.fingerprint = 0xF011,
		.fingerprint_len = 19,
		.fingerprint_first = true,
		.version = BF_PLAIN_BCD,
		.request_id = 0x70A,
		.answer_id = 0x71A,
		.functional_id = 0x7DF,
	},
	{
		.id = BF_SIM_NXP,
		.boot_id = "S32K3 unified",
		.services = zhidou_services,
		.routines = nxp_routines,
		.dids = maker_dids,
		.base = 0x00014000,
		.size = 0x60000,
		.ram = 0x1FFF8000,
		.ram_size = 0x4000,
		.seed_len = 16,
		.level = 0x01,
		.unlocks_loader = IN_PROGRAMMING,
		.status = BF_SIM_STATUS_BYTE,
		.format = 0x44,
		.block = 0x402,
		.communication = 3,
		.fingerprint = 0xF15A,
		.fingerprint_len = 2,
		.fingerprint_first = true,
		.request_id = 0x784,
		.answer_id = 0x7F0,
		.functional_id = 0x7FF,
		.fc_block_size = 10,
		.fc_st_min = 10,
	},
	{
		.id = BF_SIM_VW,
		.boot_id = "FL_0000",
		.services = vw_services,
		.routines = vw_routines,
		.dids = maker_dids,
		.base = 0x00040000,
		.size = 0x80000,
		.seed_len = 4,
		.level = 0x11,
		.unlocks_loader = IN_PROGRAMMING,
		.status = BF_SIM_STATUS_BYTE,
		.format = 0x41,
		.block_number = 3,
		.data_format = 0xAA,
		.block = 0x0FFC,
		.tells_no_block = true,
		.communication = 1,
		.fingerprint = 0xF15A,
		.fingerprint_len = 9,
		.fingerprint_first = true,
		.version = BF_PLAIN_PREFIX,
		.functional_id = 0x700,
	},
	{
		.id = BF_SIM_VOLVO,
		.boot_id = "PBL",
		.services = volvo_services,
		.routines = volvo_routines,
		.dids = maker_dids,
		.base = 0x00020000,
		.size = 0xA0000,
		.ram = 0x40008000,
		.ram_size = 0x8000,
		.jumps = true,
		.seed_len = 3,
		.level = 0x01,
		.unlocks_loader = IN_PROGRAMMING,
		.status = BF_SIM_STATUS_TYPE,
		.format = 0x44,
		.block = 0x0402,
		.erase_polls = 2,
		.exit_crc = true,
		.request_id = 0x726,
		.answer_id = 0x72E,
	},
	{
		.id = BF_SIM_TESLA,
		.boot_id = "BL",
		.services = tesla_services,
		.routines = tesla_routines,
		.dids = maker_dids,
		.base = 0x00007000,
		.size = 0x50000,
		.ram = 0x3FF82000,
		.ram_size = 0x4000,
		.jumps = true,
		.silent = true,
		.seed_len = 3,
		.level = 0x01,
		.unlocks_app = IN_EXTENDED,
		.unlocks_loader = IN_PROGRAMMING,
		.status = BF_SIM_STATUS_BYTE,
		.block = 0x0402,
		.checks_nothing = true,
		.request_id = 0x730,
		.answer_id = 0x738,
	},
	{
		.id = BF_SIM_GEEHY,
		.boot_id = "APM32",
		.services = geehy_services,
		.routines = geehy_routines,
		.dids = maker_dids,
		.base = 0x08008000,
		.size = 0x18000,
		.jumps = true,
		.seed_len = 2,
		.level = 0x01,
		.unlocks_loader = IN_PROGRAMMING,
		.status = BF_SIM_STATUS_NONE,
		.format = 0x44,
		.little_endian = true,
		.block = 0x0102,
		.checks_nothing = true,
		.fingerprint = 0x0015,
		.fingerprint_len = 10,
		.fingerprint_first = true,
		.request_id = 0x7A0,
		.answer_id = 0x7A8,
	},
	{
		.id = BF_SIM_KLINE,
		.boot_id = "KBL",
		.services = kline_services,
		.routines = standard_routines,
		.dids = maker_dids,
		.base = APP_BASE,
		.size = 0x40000,
		.jumps = true,
		.wants_start = true,
		.status = BF_SIM_STATUS_BYTE,
		.format = 0x44,
		.block = 0x82,
	},
};

const struct bf_plain_model *bf_plain_model(const struct bf_sim_opts *opts)
{
	for (size_t i = 0; i < BF_COUNT(models); i++)
		if (models[i].id == opts->model)
			return &models[i];
	return NULL;
}

uint32_t bf_plain_base(const struct bf_sim_opts *opts)
{
	const struct bf_plain_model *m = bf_plain_model(opts);

	return m ? m->base : 0;
}

uint32_t bf_plain_size(const struct bf_sim_opts *opts)
{
	const struct bf_plain_model *m = bf_plain_model(opts);

	return m ? m->size : 0;
}

uint32_t bf_plain_window_ms(const struct bf_sim_opts *opts)
{
	const struct bf_plain_model *m = bf_plain_model(opts);

	return m ? m->window_ms : 0;
}
