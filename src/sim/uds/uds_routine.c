/* SPDX-License-Identifier: MIT */
/* RoutineControl. */
#include "sim/uds/uds_model.h"

#include <string.h>

#include "bmsflash/crc.h"
#include "bmsflash/crypto.h"

#define START        1
#define STATUS_DONE  0
#define STATUS_NO    1
#define SELF_TEST_US BF_MS(350)
#define BALANCE_US   BF_MS(800)
#define HASH_PREFIX  8u
#define CRC_NS_BYTE  12 /* the CRC unit, by DMA */

static void takes(struct bf_server *u, bf_time us)
{
	u->done = bf_pack_idle_at(u->pack, u->now) + us;
}

static bool is_range(struct bf_server *u, uint32_t addr, uint32_t size, unsigned access)
{
	return size && bf_pack_allows(u->pack, addr, size, access);
}

enum bf_nrc bf_server_put_status(struct bf_server *u, uint8_t status, enum bf_sim_status form)
{
	enum bf_sim_status key = bf_pack_opts(u->pack)->status;

	if (key != BF_SIM_STATUS_MODEL)
		form = key;
	else if (form == BF_SIM_STATUS_MODEL && u->plain)
		form = u->plain->status;
	switch (form) {
	case BF_SIM_STATUS_MODEL:
	case BF_SIM_STATUS_BYTE:
		break;
	case BF_SIM_STATUS_NONE: /* nowhere to say it but in a negative response */
		return status ? NRC_GENERAL_PROGRAMMING_FAILURE : NRC_NONE;
	case BF_SIM_STATUS_TYPE: /* type 1, completed; what is above has its type in it */
		if (status < 0x10)
			bf_out_u8(&u->out, 0x10);
		if (!status)
			return NRC_NONE;
		break;
	}
	bf_out_u8(&u->out, status);
	return NRC_NONE;
}

static enum bf_nrc erase(struct bf_server *u, struct bf_cur *c)
{
	enum bf_nrc nrc;

	uint8_t format = bf_cur_u8(c);
	uint32_t addr = bf_cur_be32(c);
	uint32_t size = bf_cur_be32(c);

	if (format != 0x44 || addr % BF_FLASH_PAGE || size % BF_FLASH_PAGE ||
	    !is_range(u, addr, size, BF_PACK_ERASE))
		return NRC_REQUEST_OUT_OF_RANGE;
	u->transfer.direction = TRANSFER_NONE;
	u->hashed = 0;
	nrc = bf_server_worked(bf_pack_erase(u->pack, addr, size, u->now, &u->done));
	return nrc ? nrc : bf_server_put_status(u, STATUS_DONE, BF_SIM_STATUS_MODEL);
}

static enum bf_nrc check_dependencies(struct bf_server *u, struct bf_cur *c)
{
	enum bf_verdict v = bf_pack_verdict(u->pack, u->target_slot);

	(void)c;
	takes(u, bf_pack_check_us(u->pack, u->target_slot, u->hashed));
	if (v && bf_pack_opts(u->pack)->checker == BF_SIM_CHECK_12)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	return bf_server_put_status(u, (uint8_t)(v == BF_VERDICT_EMPTY ? BF_VERDICT_DAMAGED : v),
				    BF_SIM_STATUS_MODEL);
}

static enum bf_nrc check_memory(struct bf_server *u, struct bf_cur *c)
{
	uint8_t format = bf_cur_u8(c);
	uint32_t addr = bf_cur_be32(c);
	uint32_t size = bf_cur_be32(c);
	uint32_t want = bf_cur_be32(c);
	uint32_t got;

	/* Also where reading is not allowed: a checksum tells nothing. */
	if (format != 0x44 || !is_range(u, addr, size, 0))
		return NRC_REQUEST_OUT_OF_RANGE;
	got = bf_crc(&bf_crc32_ieee, bf_pack_view(u->pack, addr, size), size);
	takes(u, (bf_time)size * CRC_NS_BYTE / 1000);
	return bf_server_put_status(u, got == want ? STATUS_DONE : STATUS_NO, BF_SIM_STATUS_MODEL);
}

static uint8_t slot_flags(const struct bf_pack_slot *s)
{
	return (uint8_t)(s->active * 1 | s->confirmed * 2 | s->pending * 4 | s->bootable * 8 |
			 s->trial * 16);
}

static enum bf_nrc bank_state(struct bf_server *u, struct bf_cur *c)
{
	unsigned n = bf_pack_slot_count(u->pack);

	(void)c;
	bf_out_u8(&u->out, STATUS_DONE);
	bf_out_u8(&u->out, (uint8_t)n);
	for (unsigned i = 0; i < n; i++) {
		struct bf_pack_slot s;

		bf_pack_slot(u->pack, i, &s);
		bf_out_u8(&u->out, slot_flags(&s));
		bf_out_u8(&u->out, s.image->major);
		bf_out_u8(&u->out, s.image->minor);
		bf_out_be16(&u->out, s.image->revision);
		bf_out_be32(&u->out, s.image->build);
		bf_out_be32(&u->out, s.image->counter);
		bf_out_u8(&u->out, (uint8_t)s.image->digest_len);
		bf_out_bytes(&u->out, s.image->digest, s.image->digest_len);
	}
	return NRC_NONE;
}

/* The pack says no: that is a status, not a negative response. */
static enum bf_nrc status_of(struct bf_server *u, enum bf_pack_work work)
{
	bf_out_u8(&u->out, work == BF_PACK_DONE ? STATUS_DONE : STATUS_NO);
	return bf_server_worked(work == BF_PACK_FAILED ? BF_PACK_DONE : work);
}

static enum bf_nrc activate(struct bf_server *u, struct bf_cur *c)
{
	uint8_t how = bf_cur_u8(c);
	enum bf_nrc nrc;

	if (how != 1 && how != 2)
		return NRC_REQUEST_OUT_OF_RANGE;
	nrc = status_of(u, bf_pack_activate(u->pack, how == 2, u->now, &u->done));
	u->done += bf_pack_check_us(u->pack, bf_pack_slot_count(u->pack) - 1, 0);
	return nrc;
}

static enum bf_nrc confirm(struct bf_server *u, struct bf_cur *c)
{
	(void)c;
	return status_of(u, bf_pack_confirm(u->pack, u->now, &u->done));
}

static enum bf_nrc revert(struct bf_server *u, struct bf_cur *c)
{
	(void)c;
	return status_of(u, bf_pack_revert(u->pack, u->now, &u->done));
}

static void put_unit_hashes(struct bf_server *u, uint32_t addr, uint32_t size, uint32_t unit)
{
	/* before the hashes: 71 01 RID RID status n n */
	size_t room = (u->longest - 7) / HASH_PREFIX;
	size_t n = ((size_t)size + unit - 1) / unit;
	uint8_t digest[BF_SHA256_LEN];

	n = n < room ? n : room;
	bf_out_be16(&u->out, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		uint32_t at = (uint32_t)i * unit;
		uint32_t len = size - at < unit ? size - at : unit;

		bf_sha256(digest, bf_pack_view(u->pack, addr + at, len), len);
		bf_out_bytes(&u->out, digest, HASH_PREFIX);
		u->done += (bf_time)len * BF_PACK_HASH_NS / 1000;
	}
}

static enum bf_nrc hash(struct bf_server *u, struct bf_cur *c)
{
	uint32_t addr = bf_cur_be32(c);
	uint32_t size = bf_cur_be32(c);
	uint32_t unit = bf_cur_be32(c);
	uint8_t digest[BF_SHA256_LEN];

	if (!is_range(u, addr, size, 0))
		return NRC_REQUEST_OUT_OF_RANGE;
	bf_out_u8(&u->out, STATUS_DONE);
	takes(u, 0);
	if (unit) {
		put_unit_hashes(u, addr, size, unit);
		return NRC_NONE;
	}
	bf_sha256(digest, bf_pack_view(u->pack, addr, size), size);
	bf_out_bytes(&u->out, digest, sizeof(digest));
	takes(u, (bf_time)size * BF_PACK_HASH_NS / 1000);
	return NRC_NONE;
}

static enum bf_nrc self_test(struct bf_server *u, struct bf_cur *c)
{
	const char *text;
	bool good = bf_pack_self_test(u->pack, &text);

	(void)c;
	takes(u, SELF_TEST_US);
	bf_out_u8(&u->out, good ? STATUS_DONE : STATUS_NO);
	bf_out_bytes(&u->out, text, strlen(text));
	return NRC_NONE;
}

static enum bf_nrc balancing_check(struct bf_server *u, struct bf_cur *c)
{
	(void)c;
	takes(u, BALANCE_US);
	bf_out_u8(&u->out, STATUS_DONE);
	return NRC_NONE;
}

enum { NEEDS_TWO_BANKS = 1, NEEDS_HASH = 2, NEEDS_APP = 4, IS_CHECK = 8, IS_ERASE = 16 };

static const struct routine {
	uint16_t rid;
	uint8_t sessions;
	bool guarded;
	uint8_t len; /* of the option record */
	uint8_t needs;
	enum bf_nrc (*run)(struct bf_server *u, struct bf_cur *c);
} routines[] = {
	{ 0xFF00, IN_PROGRAMMING, true, 9, IS_ERASE, erase },
	{ 0xFF01, IN_PROGRAMMING, true, 0, IS_CHECK, check_dependencies },
	{ 0x0202, IN_PROGRAMMING, true, 13, IS_CHECK, check_memory },
	{ 0xF0B0, IN_WORK, false, 0, 0, bank_state },
	{ 0xF0B1, IN_PROGRAMMING, true, 1, NEEDS_TWO_BANKS, activate },
	{ 0xF0B2, IN_PROGRAMMING, true, 0, NEEDS_TWO_BANKS, confirm },
	{ 0xF0B3, IN_PROGRAMMING, true, 0, NEEDS_TWO_BANKS, revert },
	{ 0xF0B4, IN_WORK, false, 12, NEEDS_HASH, hash },
	{ 0xF0B5, IN_WORK, false, 0, NEEDS_APP, self_test },
	{ 0xF0B6, IN_WORK, false, 0, NEEDS_APP, balancing_check },
};

static const struct routine *find(const struct bf_server *u, uint16_t rid)
{
	const struct bf_sim_opts *o = bf_pack_opts(u->pack);
	unsigned quirks = o->quirks;

	for (size_t i = 0; i < BF_COUNT(routines); i++) {
		const struct routine *r = &routines[i];

		if (r->rid != rid || !(r->sessions & 1u << u->session))
			continue;
		if ((r->needs & NEEDS_HASH) && (quirks & BF_QUIRK_NOHASH))
			return NULL;
		if ((r->needs & NEEDS_TWO_BANKS) && (quirks & BF_QUIRK_SINGLEBANK))
			return NULL;
		if ((r->needs & IS_CHECK) && o->checker == BF_SIM_CHECK_NONE)
			return NULL;
		if ((r->needs & IS_ERASE) && o->eraser == BF_SIM_ERASE_DOWNLOAD)
			return NULL;
		return r;
	}
	return NULL;
}

enum bf_nrc bf_server_routine(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	uint16_t rid = bf_cur_be16(c);
	const struct routine *r = find(u, rid);

	if (sub != START)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	if (!r)
		return NRC_REQUEST_OUT_OF_RANGE;
	if (r->guarded && !bf_server_may_write(u))
		return NRC_SECURITY_ACCESS_DENIED;
	if (bf_cur_left(c) != r->len)
		return NRC_INCORRECT_LENGTH;
	if ((r->needs & NEEDS_APP) && !bf_pack_running(u->pack))
		return NRC_CONDITIONS_NOT_CORRECT;
	bf_out_be16(&u->out, rid);
	return r->run(u, c);
}
