/* SPDX-License-Identifier: MIT */
/*
 * Writing. DFU 1.1 takes a stream: blocks in order, an empty one ends it, then the device manifests
 * (checks and puts in place) what it got. DfuSe takes addresses: a pointer is set, and block n goes to
 * pointer + (n - 2) * wTransferSize (AN3156, 5.2).
 */
#include "family/dfu/dfu_priv.h"

#include "bmsflash/bytes.h"

#define SET_POINTER 0x21 /* AN3156, 5.3: commands in block 0 */

#define FIRST_BLOCK  2      /* DfuSe: 0 is for commands, 1 is reserved */
#define LAST_BLOCK   0xFFFF /* wBlockNum has 16 bits */
#define COMMAND_MAX  BF_SEC(15)
#define BLOCK_MAX    BF_SEC(60)
#define MANIFEST_MAX BF_SEC(300)

/* A device that is not manifestation tolerant says dfuMANIFEST once, with the time that it takes. Twice, and a
 * second, for one that tells a time too short. */
#define LAST_LOOKS 2
#define LAST_TIME  BF_SEC(1)

/* Questions after the end of a stream: a device that hears nothing any more is not asked long. */
#define END_SILENCES 2
#define END_DAMAGED  5

enum bf_rc bf_dfuse_command(struct bf_dfu *d, uint8_t code, uint32_t addr, bf_time limit,
			    const char *what, struct bf_err *err)
{
	uint8_t raw[5] = { code };

	bf_put_le32(&raw[1], addr);
	if (bf_dfu_dnload(d, 0, raw, sizeof(raw), what, err) || bf_dfu_done(d, limit, what, err))
		return bf_while(err, "at address 0x%08X", addr);
	return BF_OK;
}

enum bf_rc bf_dfuse_point(struct bf_dfu *d, uint32_t addr, struct bf_err *err)
{
	return bf_dfuse_command(d, SET_POINTER, addr, COMMAND_MAX, "setting the address pointer",
				err);
}

enum bf_rc bf_dfu_ready_to_write(struct bf_dfu *d, struct bf_err *err)
{
	bf_dfu_stream_drop(d);
	d->write.open = false;
	return d->read.open ? bf_dfu_settle(d, err) : BF_OK;
}

/* ---- a transfer ---- */

/* ROM loaders program over old contents without a word: what was not erased must be seen to be blank. */
static enum bf_rc must_be_blank(struct bf_dfu *d, uint32_t addr, uint32_t len, struct bf_err *err)
{
	uint8_t got[BF_DFU_PIECE_MAX];

	if (bf_dfu_was_erased(d, d->desc.alts[d->alt].setting, addr, len))
		return BF_OK;
	if (!(d->desc.attributes & BF_DFU_CAN_UPLOAD))
		return bf_fail(err, BF_E_INTERNAL, "%u bytes at 0x%08X were not erased", len, addr);
	for (uint32_t done = 0, n; done < len; done += n) {
		n = len - done < bf_dfu_block(d) ? len - done : bf_dfu_block(d);
		if (bf_dfu_peek(d, addr + done, got, n, err))
			return err->rc;
		for (uint32_t i = 0; i < n; i++) {
			if (got[i] != 0xFF)
				return bf_fail(err, BF_E_INTERNAL,
					       "the flash at 0x%08X was not erased",
					       addr + done + i);
		}
	}
	return BF_OK;
}

static enum bf_rc begin_memory(struct bf_dfu *d, const struct bf_target *target, struct bf_err *err)
{
	uint32_t len = (uint32_t)target->len, last = target->addr + (len - 1);

	if (len - 1 > UINT32_MAX - target->addr)
		return bf_fail(err, BF_E_INTERNAL, "%u bytes at 0x%08X", len, target->addr);
	if (bf_dfu_select(d, target->alt, err))
		return err->rc;
	if (!bf_dfu_map_covers(&d->maps[d->alt], target->addr, len, BF_ACCESS_WRITE)) {
		bf_fail(err, BF_E_INCOMPATIBLE,
			"the device has no memory that can be written at 0x%08X to 0x%08X (%u "
			"bytes)",
			target->addr, last, len);
		bf_likely(err, "the image was linked for another pack");
		return err->rc;
	}
	if (bf_dfu_ready_to_write(d, err) || must_be_blank(d, target->addr, len, err))
		return err->rc;
	return bf_dfu_ready_to_write(d, err);
}

/* One stream, and one manifestation: a second download would take the place of the first. */
static enum bf_rc begin_stream(struct bf_dfu *d, const struct bf_target *target, struct bf_err *err)
{
	int alt = bf_dfu_alt_chosen(d);

	if (target->from != 0)
		return bf_fail(err, BF_E_INTERNAL, "plain DFU cannot begin at offset %zu",
			       target->from);
	if (target->image && target->image == d->manifested)
		return bf_fail(err, BF_E_INTERNAL,
			       "plain DFU takes an image as one stream, and has taken this one");
	if (alt < 0)
		return bf_dfu_alt_unclear(d, err);
	/* A device that is in the middle of a stream would append to it. */
	return bf_dfu_select(d, d->desc.alts[alt].setting, err) || bf_dfu_settle(d, err) ? err->rc
											 : BF_OK;
}

enum bf_rc bf_dfu_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);

	if (bf_dfu_no_download(d))
		return bf_fail(err, BF_E_UNSUPPORTED, "the device does not take downloads");
	if (target->len == 0 || target->len > UINT32_MAX)
		return bf_fail(err, BF_E_INTERNAL, "a transfer of %zu bytes", target->len);
	if (d->dfuse ? begin_memory(d, target, err) : begin_stream(d, target, err))
		return bf_while(err, "beginning a download");
	bf_dfu_stream_drop(d);
	d->stays = d->ended = d->waits = false;
	d->verdict = 0;
	d->write.open = true;
	d->write.addr = target->addr;
	d->write.image = target->image;
	d->write.len = target->len;
	d->write.next = 0;
	d->write.out = 0;
	d->write.pointed = false;
	d->write.block = d->dfuse ? FIRST_BLOCK : 0;
	*ret = (struct bf_flow){ .block_max = bf_dfu_block(d), .next = 0 };
	return BF_OK;
}

/*
 * The block number counts in whole wTransferSize; some loaders count in the length of the request at
 * hand, or in a size that they do not tell. All agree in block 2: so every block gets a pointer of its own, but
 * for whole ones that follow each other where the counting was seen to be sound.
 */
static enum bf_rc aim(struct bf_dfu *d, const struct bf_block *block, struct bf_err *err)
{
	bool whole = block->len == d->desc.transfer && d->counting == BF_DFU_COUNTING_SOUND;

	if (d->write.pointed && block->offset == d->write.next && whole &&
	    d->write.block <= LAST_BLOCK)
		return BF_OK;
	if (bf_dfuse_point(d, d->write.addr + (uint32_t)block->offset, err))
		return err->rc;
	d->write.block = FIRST_BLOCK;
	d->write.pointed = true;
	return BF_OK;
}

/* Refused with its first block: another alternate setting may be meant. */
static void name_others(const struct bf_dfu *d, size_t offset, struct bf_err *err)
{
	if (!d->dfuse && offset == 0 && err->dev_refused && d->desc.n_alts > 1)
		bf_dfu_alts_likely(d, err);
}

enum bf_rc bf_dfu_block_start(struct bf_proto *p, const struct bf_block *block, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);

	if (!d->write.open || d->write.out || block->len == 0 || block->len > bf_dfu_block(d) ||
	    block->offset > d->write.len || block->len > d->write.len - block->offset)
		return bf_fail(err, BF_E_INTERNAL, "a block of %zu bytes at offset %zu, of %zu",
			       block->len, block->offset, d->write.len);
	if (!d->dfuse && block->offset != d->write.next)
		return bf_fail(err, BF_E_INTERNAL, "plain DFU wants offset %zu, not %zu",
			       d->write.next, block->offset);
	if (d->dfuse && aim(d, block, err))
		return err->rc;
	/* DFU 1.1, 6.1.1: the number wraps to zero. */
	if (bf_dfu_dnload(d, (uint16_t)d->write.block, block->data, block->len, "writing a block",
			  err)) {
		d->write.pointed = false;
		name_others(d, block->offset, err);
		return bf_while(err, "writing %zu bytes at offset %zu", block->len, block->offset);
	}
	d->write.next = block->offset;
	d->write.out = block->len;
	return BF_OK;
}

enum bf_rc bf_dfu_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	size_t len = d->write.out;

	d->write.out = 0;
	if (len == 0)
		return bf_fail(err, BF_E_INTERNAL, "no block is out");
	if (bf_dfu_done(d, BLOCK_MAX, "writing a block", err)) {
		d->write.pointed = false;
		name_others(d, d->write.next, err);
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

/* Some put the firmware in place only when they are asked for their status: a question that was lost on the way is
 * asked again. */
static enum bf_rc ask_after_end(struct bf_dfu *d, struct bf_dfu_status *ret, struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	enum bf_rc rc;

	for (unsigned attempt = 1;; attempt++) {
		unsigned last = attempt;

		bf_err_init(err);
		rc = bf_dfu_getstatus_once(d, ret, err);
		if (rc == BF_E_TIMEOUT)
			last = END_SILENCES;
		else if (rc == BF_E_LINK)
			last = END_DAMAGED;
		if (attempt >= last)
			return rc;
		retry->repeats[BF_RETRY_IDEMPOTENT]++;
	}
}

/* The end of the stream was acknowledged: no answer is that of a device which restarts, or waits for a bus
 * reset with its ears shut. The restart tells. */
static enum bf_rc silent(struct bf_dfu *d, enum bf_rc rc, struct bf_err *err)
{
	if (rc == BF_E_INTERRUPTED)
		return bf_while(err, "waiting for the device to put the firmware in place");
	d->going = rc == BF_E_GONE;
	d->ended = true;
	return BF_OK;
}

/* 5.3.2, A.2.7 to A.2.9 */
static enum bf_rc manifest(struct bf_dfu *d, struct bf_err *err)
{
	static const char what[] = "putting the firmware in place";
	bool tolerant = d->desc.attributes & BF_DFU_TOLERANT;
	bf_time give_up = bf_in(bf_dfu_clock(d), MANIFEST_MAX);
	bf_time last_look = bf_in(bf_dfu_clock(d), LAST_TIME);
	struct bf_dfu_status st;
	struct bf_err lost;
	enum bf_rc rc;

	for (unsigned looks = 1; bf_now(bf_dfu_clock(d)) < give_up; looks++) {
		rc = ask_after_end(d, &st, &lost);
		if (rc) {
			rc = silent(d, rc, &lost);
			if (rc)
				*err = lost;
			return rc;
		}
		if (st.status || st.state == BF_DFU_ERROR)
			return bf_dfu_refused(d, &st, what, err);
		d->ended = d->waits = st.state == BF_DFU_MANIFEST_WAIT_RESET;
		if (st.state != BF_DFU_MANIFEST_SYNC && st.state != BF_DFU_MANIFEST)
			return BF_OK;
		d->base.env.retry->pending++;
		if (bf_dfu_poll(d, &st, what, err))
			return err->rc;
		/* The bus is to be reset after the poll time: asking on would never end. */
		d->ended = !tolerant && looks >= LAST_LOOKS && bf_now(bf_dfu_clock(d)) >= last_look;
		if (d->ended)
			return BF_OK;
	}
	return bf_fail(err, BF_E_TIMEOUT, "%s: the device is still busy after %d s", what,
		       (int)(MANIFEST_MAX / BF_SEC(1)));
}

enum bf_rc bf_dfu_finish(struct bf_proto *p, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	enum bf_rc rc;

	if (!d->write.open || d->write.next != d->write.len)
		return bf_fail(err, BF_E_INTERNAL, "finishing at offset %zu of %zu", d->write.next,
			       d->write.len);
	d->write.open = false;
	if (d->dfuse) /* every block was programmed when it was answered */
		return BF_OK;
	/* Gone before the end was said is no end. */
	if (!bf_dfu_is_at(d, BF_DFU_AT_LOADER))
		return bf_fail(err, BF_E_GONE,
			       "ending the download: the bootloader is not there any more");
	rc = bf_dfu_dnload(d, (uint16_t)d->write.block, NULL, 0, "ending the download", err);
	if (rc == BF_E_GONE) { /* some are off with the empty block */
		bf_err_init(err);
		d->going = true;
		rc = BF_OK;
	} else if (!rc) {
		rc = manifest(d, err);
	}
	if (!rc)
		d->manifested = d->write.image;
	return rc;
}

void bf_dfu_abandon(struct bf_proto *p)
{
	struct bf_dfu *d = bf_dfu_of(p);

	d->write.open = false;
	d->write.out = 0;
	bf_dfu_settle_quietly(d);
}
