/* SPDX-License-Identifier: MIT */
/* Data identifiers, and reading memory in small pieces. */
#include "sim/uds/uds_model.h"

#include <string.h>

#define FINGERPRINT 0xF15A
#define VERSION     0xF189
#define SERIAL      0xF18C

typedef void did_fn(struct bf_server *u, struct bf_out *o);

static void out_text(struct bf_out *o, const char *text)
{
	bf_out_bytes(o, text, strlen(text));
}

static void did_boot_id(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_ids ids;

	bf_pack_ids(u->pack, &ids);
	out_text(o, ids.boot_id);
}

static void did_session(struct bf_server *u, struct bf_out *o)
{
	bf_out_u8(o, (uint8_t)u->session);
}

static void did_model(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_ids ids;

	bf_pack_ids(u->pack, &ids);
	out_text(o, ids.model);
}

static void did_version(struct bf_server *u, struct bf_out *o)
{
	const struct bf_mimage *m = bf_pack_running(u->pack);
	char text[32];

	if (m)
		out_text(o, bf_mimage_version(m, text));
}

/* What a loader says in the firmware's place. True: that was said, or *ret_nothing. */
static bool put_loader_version(struct bf_server *u, uint16_t did, bool *ret_nothing)
{
	const char *text = bf_pack_opts(u->pack)->loader_version;

	*ret_nothing = strcmp(text, "none") == 0;
	if (!*text || bf_pack_running(u->pack))
		return false;
	if (*ret_nothing)
		return true;
	bf_out_be16(&u->out, did);
	if (strcmp(text, "ff") == 0)
		for (size_t i = 0; i < 16; i++)
			bf_out_u8(&u->out, 0xFF);
	else
		out_text(&u->out, text);
	return true;
}

bool bf_server_put_serial(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_ids ids;

	bf_pack_ids(u->pack, &ids);
	if (strcmp(ids.serial, "ff") == 0)
		for (size_t i = 0; i < 16; i++)
			bf_out_u8(o, 0xFF);
	else
		out_text(o, ids.serial);
	return ids.serial[0];
}

static void did_manufacturer(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_ids ids;

	bf_pack_ids(u->pack, &ids);
	out_text(o, ids.manufacturer);
}

static void did_serial(struct bf_server *u, struct bf_out *o)
{
	bf_server_put_serial(u, o);
}

static void did_hardware(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_ids ids;

	bf_pack_ids(u->pack, &ids);
	out_text(o, ids.hw_rev);
}

static void did_fingerprint(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_kept *kept = bf_pack_kept(u->pack);

	bf_out_bytes(o, kept->fingerprint, sizeof(kept->fingerprint));
}

static void did_uuids(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_ids ids;

	bf_pack_ids(u->pack, &ids);
	bf_out_bytes(o, ids.vid, sizeof(ids.vid));
	bf_out_bytes(o, ids.cid, sizeof(ids.cid));
}

static void did_counter(struct bf_server *u, struct bf_out *o)
{
	bf_out_be32(o, bf_pack_counter(u->pack));
}

static void did_map(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_region map[BF_PACK_REGIONS];
	size_t n = bf_pack_map(u->pack, map);

	bf_out_u8(o, (uint8_t)n);
	for (size_t i = 0; i < n; i++) {
		bf_out_u8(o, (uint8_t)map[i].kind);
		bf_out_u8(o, map[i].slot);
		bf_out_u8(o, map[i].access);
		bf_out_be32(o, map[i].addr);
		bf_out_be32(o, map[i].size);
		bf_out_be32(o, BF_FLASH_PAGE);
		bf_out_be16(o, BF_FLASH_WORD);
		bf_out_bytes(o, map[i].name, 8);
	}
}

static void did_restart(struct bf_server *u, struct bf_out *o)
{
	bf_out_u8(o, (uint8_t)bf_pack_reason(u->pack));
	bf_out_be16(o, (uint16_t)bf_pack_starts_since_power(u->pack));
}

/* Flags (1: erases by itself), how much one block may unpack to, the data formats beside the plain one. */
static void did_transfer(struct bf_server *u, struct bf_out *o)
{
	const struct bf_sim_opts *opts = bf_pack_opts(u->pack);

	bf_out_u8(o, opts->eraser == BF_SIM_ERASE_AHEAD);
	bf_out_be16(o, BF_UNPACK_MOST);
	if (!(opts->quirks & BF_QUIRK_NOCOMPRESS))
		bf_out_u8(o, BF_SERVER_FORMAT_LZ4);
}

static void did_digest(struct bf_server *u, struct bf_out *o)
{
	const struct bf_mimage *m = bf_pack_running(u->pack);

	if (m)
		bf_out_bytes(o, m->digest, m->digest_len);
}

static void did_voltage(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_measure m;

	bf_pack_measure(u->pack, u->now, &m);
	bf_out_be32(o, m.pack_mv);
}

static void did_current(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_measure m;

	bf_pack_measure(u->pack, u->now, &m);
	bf_out_be32(o, (uint32_t)m.current_ma);
}

static void did_soc(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_measure m;

	bf_pack_measure(u->pack, u->now, &m);
	bf_out_be16(o, m.soc_permille);
}

static void did_temps(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_measure m;

	bf_pack_measure(u->pack, u->now, &m);
	for (size_t i = 0; i < BF_PACK_TEMPS; i++)
		bf_out_be16(o, (uint16_t)m.temp_dc[i]);
}

static void did_cells(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_measure m;

	bf_pack_measure(u->pack, u->now, &m);
	for (size_t i = 0; i < BF_PACK_CELLS; i++)
		bf_out_be16(o, m.cell_mv[i]);
}

static void did_balancing(struct bf_server *u, struct bf_out *o)
{
	struct bf_pack_measure m;

	bf_pack_measure(u->pack, u->now, &m);
	bf_out_be32(o, m.balancing);
}

static const struct {
	uint16_t did;
	did_fn *put;
} dids[] = {
	{ 0xF15A, did_fingerprint }, { 0xF180, did_boot_id },   { 0xF186, did_session },
	{ 0xF187, did_model },       { 0xF189, did_version },   { 0xF18A, did_manufacturer },
	{ 0xF18C, did_serial },      { 0xF191, did_hardware },  { 0xFD01, did_uuids },
	{ 0xFD02, did_counter },     { 0xFD03, did_map },       { 0xFD04, did_restart },
	{ 0xFD05, did_digest },      { 0xFD06, did_transfer },  { 0xFD10, did_voltage },
	{ 0xFD11, did_current },     { 0xFD12, did_soc },       { 0xFD13, did_temps },
	{ 0xFD14, did_cells },       { 0xFD15, did_balancing },
};

static bool put_did(struct bf_server *u, uint16_t did)
{
	bool nothing;

	if (did == VERSION && put_loader_version(u, did, &nothing))
		return !nothing;
	if (u->plain)
		return bf_plain_put_did(u, did);
	if (did == SERIAL && !*bf_pack_opts(u->pack)->serial)
		return false;
	for (size_t i = 0; i < BF_COUNT(dids); i++) {
		if (dids[i].did != did)
			continue;
		bf_out_be16(&u->out, did);
		dids[i].put(u, &u->out);
		return true;
	}
	return false;
}

/* Several identifiers may be asked for at once; those that are not known are left out. */
enum bf_nrc bf_server_read_data(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	bool any = false;
	bool one = bf_pack_opts(u->pack)->quirks & BF_QUIRK_ONEDID;

	(void)sub;
	if (bf_cur_left(c) % 2 || (one && bf_cur_left(c) > 2))
		return NRC_INCORRECT_LENGTH;
	while (bf_cur_left(c))
		any = put_did(u, bf_cur_be16(c)) || any;
	return any ? NRC_NONE : NRC_REQUEST_OUT_OF_RANGE;
}

enum bf_nrc bf_server_write_data(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	struct bf_pack_kept *kept = bf_pack_kept(u->pack);
	uint16_t did = bf_cur_be16(c);

	(void)sub;
	if (did != FINGERPRINT)
		return NRC_REQUEST_OUT_OF_RANGE;
	if (bf_cur_left(c) != sizeof(kept->fingerprint))
		return NRC_INCORRECT_LENGTH;
	memcpy(kept->fingerprint, bf_cur_bytes(c, sizeof(kept->fingerprint)),
	       sizeof(kept->fingerprint));
	bf_out_be16(&u->out, did);
	return NRC_NONE;
}

enum bf_nrc bf_server_read_memory(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	uint8_t format = bf_cur_u8(c);
	uint32_t addr = bf_cur_be32(c);
	uint32_t size = bf_cur_be32(c);

	(void)sub;
	if (format != 0x44 || !size || !bf_pack_allows(u->pack, addr, size, BF_PACK_READ))
		return NRC_REQUEST_OUT_OF_RANGE;
	if (size > u->longest - 1)
		return NRC_RESPONSE_TOO_LONG;
	bf_out_bytes(&u->out, bf_pack_view(u->pack, addr, size), size);
	return NRC_NONE;
}
