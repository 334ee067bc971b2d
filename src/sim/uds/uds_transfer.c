/* SPDX-License-Identifier: MIT */
/* RequestDownload, RequestUpload, TransferData, RequestTransferExit. */
#include "sim/uds/uds_model.h"

#include <string.h>

#define FORMAT_PLAIN 0x00 /* neither compressed nor encrypted */
#define FORMAT_44    0x44 /* four bytes each of address and size */
#define FLIPPED      600u /* byte of a download that quirk flip changes */
#define OVERHEAD     2u   /* SID and block counter count as block length */

static bool takes_format(const struct bf_server *u, uint8_t format,
			 enum bf_server_direction direction)
{
	bool packs = direction == TRANSFER_DOWN &&
		     !(bf_pack_opts(u->pack)->quirks & BF_QUIRK_NOCOMPRESS);

	return format == FORMAT_PLAIN || (packs && format == BF_SERVER_FORMAT_LZ4);
}

enum bf_nrc bf_server_begin(struct bf_server *u, enum bf_server_direction direction, uint32_t addr,
			    uint32_t size, size_t block_max)
{
	size_t max = block_max < u->longest ? block_max : u->longest;

	uint16_t told = bf_pack_opts(u->pack)->block;

	if (told == BF_SIM_BLOCK_MODEL && u->plain && u->plain->tells_no_block)
		told = 0;
	if (told != BF_SIM_BLOCK_MODEL && told > OVERHEAD)
		max = told < max ? told : max;
	u->transfer = (struct bf_server_transfer){
		.direction = direction, .addr = addr, .size = size, .block_max = max
	};
	u->unpacker.len = 0;
	bf_out_u8(&u->out, 0x20); /* two bytes of length follow */
	bf_out_be16(&u->out, told == BF_SIM_BLOCK_MODEL ? (uint16_t)max : told);
	return NRC_NONE;
}

static enum bf_nrc erase_by_download(struct bf_server *u, uint32_t addr, uint32_t size)
{
	uint32_t first = addr / BF_FLASH_PAGE * BF_FLASH_PAGE;
	uint32_t end = (addr + size + BF_FLASH_PAGE - 1) / BF_FLASH_PAGE * BF_FLASH_PAGE;

	if (bf_pack_opts(u->pack)->eraser != BF_SIM_ERASE_DOWNLOAD)
		return NRC_NONE;
	u->hashed = 0;
	return bf_server_worked(bf_pack_erase(u->pack, first, end - first, u->now, &u->done));
}

static enum bf_nrc begin(struct bf_server *u, struct bf_cur *c, enum bf_server_direction direction,
			 unsigned access)
{
	struct bf_server_transfer *t = &u->transfer;
	uint8_t data_format = bf_cur_u8(c);
	uint8_t format = bf_cur_u8(c);
	uint32_t addr = bf_cur_be32(c);
	uint32_t size = bf_cur_be32(c);
	enum bf_nrc nrc;

	if (!takes_format(u, data_format, direction) || format != FORMAT_44 || !size ||
	    !bf_pack_allows(u->pack, addr, size, access))
		return NRC_REQUEST_OUT_OF_RANGE;
	if (direction == TRANSFER_DOWN && addr % BF_FLASH_WORD)
		return NRC_REQUEST_OUT_OF_RANGE;
	nrc = direction == TRANSFER_DOWN ? erase_by_download(u, addr, size) : NRC_NONE;
	if (nrc)
		return nrc;
	bf_server_begin(u, direction, addr, size, u->longest);
	t->packed = data_format == BF_SERVER_FORMAT_LZ4;
	return NRC_NONE;
}

enum bf_nrc bf_server_download(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	enum bf_nrc nrc = begin(u, c, TRANSFER_DOWN, BF_PACK_WRITE);
	uint32_t slot1 = bf_pack_slot_addr(1);

	(void)sub;
	if (nrc == NRC_NONE)
		u->target_slot = bf_pack_slot_count(u->pack) > 1 && u->transfer.addr >= slot1;
	return nrc;
}

enum bf_nrc bf_server_upload(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	(void)sub;
	return begin(u, c, TRANSFER_UP, BF_PACK_READ);
}

static enum bf_nrc drop(struct bf_server *u, enum bf_nrc nrc)
{
	u->transfer.direction = TRANSFER_NONE;
	return nrc;
}

/* A page is erased before its first byte is written, unless it is blank. */
static enum bf_pack_work erase_ahead(struct bf_server *u, uint32_t at, size_t len,
				     bf_time *ret_done)
{
	uint32_t page = (at + BF_FLASH_PAGE - 1) / BF_FLASH_PAGE * BF_FLASH_PAGE;
	enum bf_pack_work work = BF_PACK_DONE;

	for (; work == BF_PACK_DONE && page < at + len; page += BF_FLASH_PAGE) {
		const uint8_t *p = bf_pack_view(u->pack, page, BF_FLASH_PAGE);
		bool blank = true;

		for (size_t i = 0; p && blank && i < BF_FLASH_PAGE; i++)
			blank = p[i] == 0xFF;
		if (!blank)
			work = bf_pack_erase(u->pack, page, BF_FLASH_PAGE, u->now, ret_done);
	}
	return work;
}

static bool spoils(const struct bf_server *u)
{
	const struct bf_sim_opts *o = bf_pack_opts(u->pack);

	return (o->quirks & BF_QUIRK_FLIP) && (!o->flips || u->flips < o->flips);
}

/* Programs whole double words and carries the rest to the next block. */
static enum bf_pack_work program(struct bf_server *u, const uint8_t *p, size_t len,
				 bf_time *ret_done)
{
	struct bf_server_transfer *t = &u->transfer;
	uint32_t at = t->addr + t->moved - (uint32_t)t->carried;
	enum bf_pack_work work = BF_PACK_DONE;
	uint8_t flipped[BF_UNPACK_MOST + BF_SERVER_MSG_MAX];
	size_t whole;

	if (spoils(u) && t->moved <= FLIPPED && FLIPPED < t->moved + len) {
		u->flips++;
		memcpy(flipped, p, len);
		flipped[FLIPPED - t->moved] ^= 1;
		p = flipped;
	}
	if (bf_pack_opts(u->pack)->eraser == BF_SIM_ERASE_AHEAD)
		work = erase_ahead(u, t->addr + t->moved, len, ret_done);
	if (work != BF_PACK_DONE)
		return work;
	t->moved += (uint32_t)len;
	if (t->carried) {
		size_t n = BF_FLASH_WORD - t->carried;

		n = len < n ? len : n;
		memcpy(t->carry + t->carried, p, n);
		t->carried += n;
		p += n;
		len -= n;
		if (t->carried < BF_FLASH_WORD)
			return work;
		work = bf_pack_write(u->pack, at, t->carry, BF_FLASH_WORD, u->now, ret_done);
		at += BF_FLASH_WORD;
		t->carried = 0;
	}
	whole = len - len % BF_FLASH_WORD;
	if (work == BF_PACK_DONE && whole)
		work = bf_pack_write(u->pack, at, p, whole, u->now, ret_done);
	t->carried = len - whole;
	memcpy(t->carry, p + whole, t->carried);
	return work;
}

/*
 * A digest goes from the slot's start on: what comes out of order is hashed at the end. The bank that is being
 * written is not the one that the code runs from, so the processor hashes while the flash works.
 */
static void hash_ahead(struct bf_server *u, uint32_t at, size_t len, bf_time flash_us)
{
	uint32_t slot = bf_pack_slot_addr(u->target_slot);
	bf_time us = (bf_time)len * BF_PACK_HASH_NS / 1000;

	if (bf_pack_opts(u->pack)->checker != BF_SIM_CHECK_AHEAD)
		return;
	if (at == slot)
		u->hashed = 0;
	if (at != slot + u->hashed)
		return;
	u->hashed += (uint32_t)len;
	if (us > flash_us)
		bf_pack_think(u->pack, us - flash_us, u->now);
}

/* A write that fails for a moment, as with a supply that is weak. */
static bool refuses_once(struct bf_server *u)
{
	bool refuses = (bf_pack_opts(u->pack)->quirks & BF_QUIRK_NRC72) && !u->refused_block &&
		       u->transfer.begun;

	u->refused_block = u->refused_block || refuses;
	return refuses;
}

/* Two buffers: the answer only waits for the block before this one to be in flash. */
static enum bf_nrc take_block(struct bf_server *u, struct bf_cur *c)
{
	struct bf_server_transfer *t = &u->transfer;
	size_t len = bf_cur_left(c);
	const uint8_t *data = bf_cur_bytes(c, len);
	bf_time free_at = bf_pack_idle_at(u->pack, u->now);
	bf_time done;
	enum bf_nrc nrc;

	if (!len || len > t->block_max - OVERHEAD)
		return NRC_INCORRECT_LENGTH;
	if (refuses_once(u))
		return NRC_GENERAL_PROGRAMMING_FAILURE;
	if (t->packed && !bf_unpack(&u->unpacker, data, len, &data, &len))
		return drop(u, NRC_TRANSFER_DATA_SUSPENDED);
	if (len > t->size - t->moved)
		return drop(u, NRC_TRANSFER_DATA_SUSPENDED);
	u->done = free_at;
	if (u->plain && bf_plain_take_block(u, data, len)) {
		t->moved += (uint32_t)len;
		return NRC_NONE;
	}
	nrc = bf_server_worked(program(u, data, len, &done));
	u->done = free_at;
	if (nrc != NRC_NONE)
		return drop(u, nrc);
	hash_ahead(u, t->addr + t->moved - (uint32_t)len, len,
		   bf_pack_idle_at(u->pack, u->now) - free_at);
	return NRC_NONE;
}

static enum bf_nrc give_block(struct bf_server *u, bool again)
{
	struct bf_server_transfer *t = &u->transfer;
	uint32_t left = t->size - t->moved;
	uint32_t max = (uint32_t)(t->block_max - OVERHEAD);

	if (again) {
		bf_out_bytes(&u->out, bf_pack_view(u->pack, t->addr + t->moved - t->last_len, 1),
			     t->last_len);
		return NRC_NONE;
	}
	if (!left)
		return NRC_REQUEST_SEQUENCE_ERROR;
	t->last_len = left < max ? left : max;
	bf_out_bytes(&u->out, bf_pack_view(u->pack, t->addr + t->moved, t->last_len), t->last_len);
	t->moved += t->last_len;
	return NRC_NONE;
}

/* The next counter goes on, the last one asks again; a forgetful pack knows no repetition. */
static enum bf_nrc check_counter(struct bf_server *u, uint8_t counter, bool *ret_again)
{
	struct bf_server_transfer *t = &u->transfer;
	bool is_next = counter == (uint8_t)(t->last + 1);

	*ret_again = false;
	if (is_next)
		return NRC_NONE;
	if (bf_pack_opts(u->pack)->quirks & BF_QUIRK_NRC24)
		return drop(u, NRC_REQUEST_SEQUENCE_ERROR);
	*ret_again = t->begun && counter == t->last;
	return *ret_again ? NRC_NONE : NRC_WRONG_BLOCK_COUNTER;
}

enum bf_nrc bf_server_transfer_data(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	struct bf_server_transfer *t = &u->transfer;
	uint8_t counter = bf_cur_u8(c);
	bool up = t->direction == TRANSFER_UP;
	bool again;
	enum bf_nrc nrc;

	(void)sub;
	if (t->direction == TRANSFER_NONE)
		return NRC_REQUEST_SEQUENCE_ERROR;
	if (up && bf_cur_left(c))
		return NRC_INCORRECT_LENGTH;
	nrc = check_counter(u, counter, &again);
	if (nrc != NRC_NONE)
		return nrc;
	bf_out_u8(&u->out, counter);
	if (again)
		return up ? give_block(u, true) : NRC_NONE;
	nrc = up ? give_block(u, false) : take_block(u, c);
	if (nrc == NRC_NONE) {
		t->begun = true;
		t->last = counter;
	}
	return nrc;
}

enum bf_nrc bf_server_transfer_exit(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	struct bf_server_transfer *t = &u->transfer;
	enum bf_pack_work work = BF_PACK_DONE;
	enum bf_nrc nrc;

	(void)sub;
	(void)c;
	if (t->direction == TRANSFER_NONE)
		return NRC_REQUEST_SEQUENCE_ERROR;
	if (t->direction == TRANSFER_DOWN && t->moved != t->size)
		return drop(u, NRC_REQUEST_SEQUENCE_ERROR);
	u->done = bf_pack_idle_at(u->pack, u->now);
	if (t->direction == TRANSFER_DOWN && t->carried)
		work = bf_pack_write(u->pack, t->addr + t->moved - (uint32_t)t->carried, t->carry,
				     t->carried, u->now, &u->done);
	nrc = bf_server_worked(work);
	if (!nrc && u->plain && t->direction == TRANSFER_DOWN)
		nrc = bf_plain_after_exit(u);
	t->direction = TRANSFER_NONE;
	return nrc;
}
