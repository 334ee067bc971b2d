/* SPDX-License-Identifier: MIT */
/*
 * Writing. DFU 1.1 takes a stream: blocks in order, an empty one ends it, then the device manifests
 * (checks and puts in place) what it got. DfuSe takes addresses: a pointer is set, and block n goes to
 * pointer + (n - 2) * wTransferSize (AN3156, 5.2).
 */
#include "proto/dfu_priv.h"

#include "bmsflash/bytes.h"

#define SET_POINTER 0x21 /* AN3156, 5.3: commands in block 0 */
#define ERASE       0x41

#define FIRST_BLOCK 2      /* DfuSe: 0 is for commands, 1 is reserved */
#define LAST_BLOCK  0xFFFF /* wBlockNum has 16 bits */
#define BUSY_MAX    BF_SEC(300)

/* ---- one block ---- */

enum bf_rc bf_dfu_done(struct bf_dfu *d, const char *what, struct bf_err *err)
{
	bf_time give_up = bf_in(bf_dfu_clock(d), BUSY_MAX);
	struct bf_dfu_status st;

	for (;;) {
		if (bf_dfu_getstatus(d, &st, err))
			return bf_while(err, "%s", what);
		if (st.status || st.state == BF_DFU_ERROR)
			return bf_dfu_refused(d, &st, what, err);
		if (st.state == BF_DFU_DNLOAD_IDLE)
			return BF_OK;
		if (st.state != BF_DFU_DNBUSY && st.state != BF_DFU_DNLOAD_SYNC)
			return bf_fail(err, BF_E_RESTART,
				       "%s: the device fell back to %s and dropped the transfer",
				       what, bf_dfu_state_name(st.state));
		if (bf_now(bf_dfu_clock(d)) >= give_up)
			return bf_fail(err, BF_E_TIMEOUT, "%s: the device is still busy after %d s",
				       what, (int)(BUSY_MAX / BF_SEC(1)));
		d->base.env.retry->pending++;
		if (bf_dfu_poll(d, st.poll_ms ? st.poll_ms : 1, what, err))
			return err->rc;
	}
}

static enum bf_rc command(struct bf_dfu *d, uint8_t code, uint32_t addr, const char *what,
			  struct bf_err *err)
{
	uint8_t raw[5] = { code };

	bf_put_le32(&raw[1], addr);
	if (bf_dfu_dnload(d, 0, raw, sizeof(raw), what, err) || bf_dfu_done(d, what, err))
		return bf_while(err, "at address 0x%08X", addr);
	return BF_OK;
}

enum bf_rc bf_dfuse_point(struct bf_dfu *d, uint32_t addr, struct bf_err *err)
{
	return command(d, SET_POINTER, addr, "setting the address pointer", err);
}

/* ---- erasing (DfuSe) ---- */

/* Selects the alternate setting whose memory holds the whole range with this access. */
static enum bf_rc reach(struct bf_dfu *d, uint32_t addr, uint32_t size, unsigned access,
			struct bf_err *err)
{
	for (size_t i = 0; i < d->desc.n_alts; i++) {
		if (bf_dfu_map_covers(&d->maps[i], addr, size, access))
			return bf_dfu_select(d, d->desc.alts[i].setting, err);
	}
	bf_fail(err, BF_E_INCOMPATIBLE,
		"the device has no memory that can be %s at 0x%08X to 0x%08X (%u bytes)",
		access & BF_ACCESS_ERASE ? "erased" : "written", addr, addr + (size - 1), size);
	bf_likely(err, "the image was linked for another pack");
	bf_next(err, "compare the image's addresses with what this shows: bmsflash probe --if %s",
		d->base.env.transport->name);
	return err->rc;
}

static enum bf_rc settle_for_writing(struct bf_dfu *d, struct bf_err *err)
{
	bf_dfu_stream_drop(d);
	d->write.open = false;
	return d->read.open ? bf_dfu_settle(d, err) : BF_OK;
}

/* What does not begin and end with sectors would take the neighbours along. */
static enum bf_rc whole_sectors(const struct bf_dfu *d, uint32_t addr, uint32_t size,
				struct bf_err *err)
{
	const struct bf_dfu_map *map = &d->maps[d->alt];
	uint32_t last = addr + (size - 1);
	struct bf_dfu_sectors first, end;

	if (bf_dfu_map_sector(map, addr, &first) && first.addr == addr &&
	    bf_dfu_map_sector(map, last, &end) && end.addr + (end.size - 1) == last)
		return BF_OK;
	return bf_fail(err, BF_E_INCOMPATIBLE,
		       "0x%08X to 0x%08X does not begin and end with sectors of '%s'", addr, last,
		       map->name);
}

enum bf_rc bf_dfu_erase(struct bf_proto *p, uint32_t addr, uint32_t size, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	struct bf_dfu_sectors s;

	if (!d->dfuse)
		return bf_fail(err, BF_E_UNSUPPORTED, "DFU 1.1 has no request that erases");
	if (size == 0)
		return BF_OK;
	if (reach(d, addr, size, BF_ACCESS_ERASE, err) || whole_sectors(d, addr, size, err) ||
	    settle_for_writing(d, err))
		return bf_while(err, "erasing %u bytes at 0x%08X", size, addr);
	for (uint64_t at = addr; at < (uint64_t)addr + size; at = (uint64_t)s.addr + s.size) {
		if (!bf_dfu_map_sector(&d->maps[d->alt], (uint32_t)at, &s))
			return bf_fail(err, BF_E_INTERNAL, "no sector at 0x%08X", (uint32_t)at);
		if (command(d, ERASE, s.addr, "erasing a sector", err))
			return bf_while(err, "erasing %u bytes at 0x%08X", size, addr);
	}
	return BF_OK;
}

/* ---- a transfer ---- */

enum bf_rc bf_dfu_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);

	if (!(d->desc.attributes & BF_DFU_CAN_DNLOAD))
		return bf_fail(err, BF_E_UNSUPPORTED, "the device does not take downloads");
	if (target->len == 0 || target->len > UINT32_MAX)
		return bf_fail(err, BF_E_INTERNAL, "a transfer of %zu bytes", target->len);
	if (!d->dfuse && target->from != 0)
		return bf_fail(err, BF_E_INTERNAL, "DFU 1.1 cannot begin at offset %zu",
			       target->from);
	if (d->dfuse ? reach(d, target->addr, (uint32_t)target->len, BF_ACCESS_WRITE, err)
		     : bf_dfu_select(d, target->alt, err))
		return bf_while(err, "beginning a download");
	/* A DFU 1.1 device that is in the middle of a stream would append to it. */
	if (d->dfuse ? settle_for_writing(d, err) : bf_dfu_settle(d, err))
		return bf_while(err, "beginning a download");
	bf_dfu_stream_drop(d);
	d->write.open = true;
	d->write.addr = target->addr;
	d->write.len = target->len;
	d->write.next = 0;
	d->write.out = 0;
	d->write.pointed = false;
	d->write.block = d->dfuse ? FIRST_BLOCK : 0;
	*ret = (struct bf_flow){ .piece_max = bf_dfu_piece(d), .next = 0 };
	return BF_OK;
}

/*
 * The block number counts in whole wTransferSize; some loaders count in the length of the request at
 * hand instead. Both agree while all blocks are whole, and in block 2: so a piece of another length, or
 * one that does not follow the last, gets a pointer of its own.
 */
static enum bf_rc aim(struct bf_dfu *d, const struct bf_piece *piece, struct bf_err *err)
{
	bool whole = piece->len == d->desc.transfer;

	if (d->write.pointed && piece->offset == d->write.next && whole &&
	    d->write.block <= LAST_BLOCK)
		return BF_OK;
	if (bf_dfuse_point(d, d->write.addr + (uint32_t)piece->offset, err))
		return err->rc;
	d->write.block = FIRST_BLOCK;
	d->write.pointed = true;
	return BF_OK;
}

enum bf_rc bf_dfu_piece_start(struct bf_proto *p, const struct bf_piece *piece, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);

	if (!d->write.open || d->write.out || piece->len == 0 || piece->len > bf_dfu_piece(d) ||
	    piece->offset > d->write.len || piece->len > d->write.len - piece->offset)
		return bf_fail(err, BF_E_INTERNAL, "a piece of %zu bytes at offset %zu, of %zu",
			       piece->len, piece->offset, d->write.len);
	if (!d->dfuse && piece->offset != d->write.next)
		return bf_fail(err, BF_E_INTERNAL, "DFU 1.1 wants offset %zu, not %zu",
			       d->write.next, piece->offset);
	if (d->dfuse && aim(d, piece, err))
		return err->rc;
	/* DFU 1.1, 6.1.1: the number wraps to zero. */
	if (bf_dfu_dnload(d, (uint16_t)d->write.block, piece->data, piece->len, "writing a block",
			  err)) {
		d->write.pointed = false;
		return bf_while(err, "writing %zu bytes at offset %zu", piece->len, piece->offset);
	}
	d->write.next = piece->offset;
	d->write.out = piece->len;
	return BF_OK;
}

enum bf_rc bf_dfu_piece_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	size_t len = d->write.out;

	d->write.out = 0;
	if (len == 0)
		return bf_fail(err, BF_E_INTERNAL, "no piece is out");
	if (bf_dfu_done(d, "writing a block", err)) {
		d->write.pointed = false;
		return bf_while(err, "writing %zu bytes at offset %zu", len, d->write.next);
	}
	d->write.next += len;
	d->write.block++;
	if (len != d->desc.transfer)
		d->write.pointed = false;
	*ret_next = d->write.next;
	return BF_OK;
}

/* ---- the end ---- */

/* No answer is an answer of a device that is not tolerant: it is restarting, or waits for a reset. */
static enum bf_rc silent(struct bf_dfu *d, enum bf_rc rc, struct bf_err *err)
{
	bool tolerant = d->desc.attributes & BF_DFU_TOLERANT;

	if (rc == BF_E_INTERRUPTED || (tolerant && rc != BF_E_GONE))
		return bf_while(err, "waiting for the device to put the firmware in place");
	d->going = rc == BF_E_GONE;
	return BF_OK;
}

/* 5.3.2, A.2.7 to A.2.9 */
static enum bf_rc manifest(struct bf_dfu *d, struct bf_err *err)
{
	static const char what[] = "putting the firmware in place";
	bf_time give_up = bf_in(bf_dfu_clock(d), BUSY_MAX);
	struct bf_dfu_status st;
	struct bf_err lost;
	enum bf_rc rc;

	while (bf_now(bf_dfu_clock(d)) < give_up) {
		bf_err_init(&lost);
		rc = bf_dfu_getstatus_once(d, &st, &lost);
		if (rc) {
			rc = silent(d, rc, &lost);
			if (rc)
				*err = lost;
			return rc;
		}
		if (st.status || st.state == BF_DFU_ERROR)
			return bf_dfu_refused(d, &st, what, err);
		if (st.state != BF_DFU_MANIFEST_SYNC && st.state != BF_DFU_MANIFEST)
			return BF_OK;
		d->base.env.retry->pending++;
		if (bf_dfu_poll(d, st.poll_ms ? st.poll_ms : 1, what, err))
			return err->rc;
	}
	return bf_fail(err, BF_E_TIMEOUT, "%s: the device is still busy after %d s", what,
		       (int)(BUSY_MAX / BF_SEC(1)));
}

enum bf_rc bf_dfu_finish(struct bf_proto *p, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);

	if (!d->write.open || d->write.next != d->write.len)
		return bf_fail(err, BF_E_INTERNAL, "finishing at offset %zu of %zu", d->write.next,
			       d->write.len);
	d->write.open = false;
	if (d->dfuse) /* every block was programmed when it was answered */
		return BF_OK;
	if (bf_dfu_dnload(d, (uint16_t)d->write.block, NULL, 0, "ending the download", err))
		return err->rc;
	return manifest(d, err);
}

void bf_dfu_abandon(struct bf_proto *p)
{
	struct bf_dfu *d = bf_dfu_of(p);

	d->write.open = false;
	d->write.out = 0;
	bf_dfu_settle_quietly(d);
}
