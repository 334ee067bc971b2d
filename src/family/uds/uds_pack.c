/* SPDX-License-Identifier: MIT */
/* Compressed downloads: whether, and the blocks of one, packed while the pack works on the one before. */
#include "uds.h"

#include "lz4_block.h"

#define FORMAT_LZ4     0x10 /* compressionMethod 1, not encrypted */
#define ERASES_AHEAD   0x01
#define WORTH          0.97 /* a gain of less is none: packed blocks cost the pack time */
#define UNPACKED_AHEAD 4    /* blocks' worth of plain bytes looked at for one packed block */
#define UNPACKED_LEAST 64

/* Flags, the most that a block may unpack to, and the formats that the server knows. */
enum bf_rc bf_uds_read_transfer_ways(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	struct bf_cur c;
	enum bf_rc rc = bf_uds_try_did(u, uds_keys(u)->did_transfer, &c, NULL, err);
	uint8_t flags;

	u->unpacked_max = 0;
	if (rc || bf_cur_left(&c) < 3)
		return rc;
	u->ours = u->ours || uds_keys(u)->did_transfer == UDS_DID_TRANSFER;
	flags = bf_cur_u8(&c);
	id->caps |= BF_CAP_ANY_ORDER;
	id->caps |= flags & ERASES_AHEAD ? BF_CAP_ERASE_AHEAD : 0;
	u->unpacked_max = bf_cur_be16(&c);
	while (bf_cur_left(&c)) {
		if (bf_cur_u8(&c) == FORMAT_LZ4 && u->unpacked_max >= UNPACKED_LEAST)
			id->caps |= BF_CAP_COMPRESS;
	}
	return BF_OK;
}

uint8_t bf_uds_pack_format(struct uds *u, const struct bf_target *target)
{
	u->plain = NULL;
	if (!(u->proto.caps & BF_CAP_COMPRESS) || !target->segment)
		return 0;
	if (bf_lz4_ratio(target->segment->data + target->from, target->len) > WORTH)
		return 0;
	if (!u->packer)
		u->packer = bf_packer_new();
	u->plain = target->segment->data + target->from;
	u->plain_len = target->len;
	u->packed_len = 0;
	return FORMAT_LZ4;
}

void bf_uds_pack_refused(struct uds *u)
{
	u->proto.caps &= ~(unsigned)BF_CAP_COMPRESS;
	u->plain = NULL;
}

static size_t whole_units(const struct uds *u, size_t n)
{
	size_t unit = u->write_unit;

	return unit && n > unit ? n - n % unit : n;
}

uint32_t bf_uds_unpacked_max(const struct uds *u, uint32_t plain_max)
{
	size_t most = (size_t)plain_max * UNPACKED_AHEAD;

	return (uint32_t)whole_units(u, most < u->unpacked_max ? most : u->unpacked_max);
}

/* Bytes that the wire carries while this block, cut to len, is being written. */
static double busy_for(const struct uds *u, const struct bf_block *block, size_t len)
{
	uint64_t from = u->target_addr + block->offset, to = from + len;
	uint32_t unit = block->pace.erase_unit;
	/* it erases a unit when the first byte of it comes */
	uint64_t units = unit ? (to + unit - 1) / unit - (from + unit - 1) / unit : 0;

	return block->pace.byte * (double)len + block->pace.unit * (double)units;
}

/* A third of a block at least: each one costs a turnaround. */
static size_t wire_cap(const struct uds *u, double busy)
{
	size_t full = u->block_max - UDS_PIECE_HEAD;

	if (busy <= 0 || busy >= (double)full)
		return full;
	return busy > (double)full / 3 ? (size_t)busy : full / 3;
}

static void pack_at(struct uds *u, size_t offset, size_t most, size_t cap)
{
	struct bf_packing what = { .data = u->plain, .at = offset, .unit = u->write_unit };

	if (offset >= u->plain_len || (u->packed_len && u->packed_at == offset))
		return;
	what.most = u->plain_len - offset < most ? u->plain_len - offset : most;
	u->packed_at = offset;
	u->packed_len = bf_lz4_pack(u->packer, &what, u->packed, cap, &u->packed_for);
}

void bf_uds_pack_ahead(struct uds *u, const struct bf_block *block, size_t len)
{
	if (u->plain)
		pack_at(u, block->offset + len, block->len, wire_cap(u, busy_for(u, block, len)));
}

enum bf_rc bf_uds_pack_block(struct uds *u, struct bf_block *block, size_t *ret_len,
			     struct bf_err *err)
{
	/* What was made ready may stand for more than is wanted now. */
	if (u->packed_for > block->len)
		u->packed_len = 0;
	pack_at(u, block->offset, block->len, wire_cap(u, 0));
	if (!u->packed_len)
		return bf_fail(err, BF_E_INTERNAL, "nothing fits a compressed block of %u bytes",
			       u->block_max - UDS_PIECE_HEAD);
	block->data = u->packed;
	block->len = u->packed_for;
	*ret_len = u->packed_len;
	return BF_OK;
}
