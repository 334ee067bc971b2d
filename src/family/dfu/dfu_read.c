/* SPDX-License-Identifier: MIT */
/* Reading: by address (DfuSe), or the whole of an alternate setting as one stream (plain DFU). */
#include "family/dfu/dfu_priv.h"

#include <string.h>

#define FIRST_BLOCK  2
#define LAST_BLOCK   0xFFFF
#define ERR_FIRMWARE 0x0A

/* ---- DfuSe ---- */

/* The pointer is set by a download, an upload begins in dfuIDLE (AN3156, 5.1). */
static enum bf_rc point(struct bf_dfu *d, uint32_t addr, struct bf_err *err)
{
	if ((d->read.open && bf_dfu_abort(d, err)) || bf_dfuse_point(d, addr, err) ||
	    bf_dfu_abort(d, err))
		return err->rc;
	d->read.block = FIRST_BLOCK;
	d->read.addr = addr;
	return BF_OK;
}

static enum bf_rc upload_at(struct bf_dfu *d, uint32_t addr, uint8_t *buf, size_t len,
			    struct bf_err *err)
{
	size_t got = 0;
	enum bf_rc rc = bf_dfu_upload(d, (uint16_t)d->read.block, buf, len, &got, err);

	if (!rc && got != len)
		rc = bf_fail(err, BF_E_LINK, "the device gave %zu bytes of %zu at 0x%08X", got, len,
			     addr);
	d->read.open = true;
	d->read.follows = !rc && len == d->desc.transfer;
	d->read.addr += (uint32_t)len;
	d->read.block++;
	return rc;
}

enum bf_rc bf_dfu_peek(struct bf_dfu *d, uint32_t addr, uint8_t *buf, size_t len,
		       struct bf_err *err)
{
	return point(d, addr, err) ? err->rc : upload_at(d, addr, buf, len, err);
}

/* Contents that are not found at a wrong address by chance. */
static bool is_telling(const uint8_t *p, size_t len)
{
	size_t changes = 0;

	for (size_t i = 1; i < len; i++)
		changes += p[i] != p[i - 1];
	return changes >= len / 16;
}

/* What block n brought must be what its address holds. */
static enum bf_rc prove(struct bf_dfu *d, uint32_t addr, uint8_t *buf, size_t len,
			struct bf_err *err)
{
	uint8_t pointed[BF_DFU_PIECE_MAX];
	bool same;

	if (bf_dfu_peek(d, addr, pointed, len, err))
		return err->rc;
	same = memcmp(pointed, buf, len) == 0;
	if (same && is_telling(buf, len)) {
		d->counting = BF_DFU_COUNTING_SOUND;
	} else if (!same) {
		d->counting = BF_DFU_COUNTING_WRONG;
		bf_log(d->base.env.log, BF_LOG_WARN,
		       "the device counts blocks in another size than the %u bytes that it says: "
		       "each block gets its own address",
		       d->desc.transfer);
	}
	memcpy(buf, pointed, len);
	return BF_OK;
}

/* Only whole blocks follow each other, and only where the counting is not known to be wrong. */
static enum bf_rc read_once(struct bf_dfu *d, uint32_t addr, uint8_t *buf, size_t len,
			    struct bf_err *err)
{
	bool counted = d->read.follows && d->read.addr == addr && len == d->desc.transfer &&
		       d->read.block <= LAST_BLOCK && d->counting != BF_DFU_COUNTING_WRONG;

	if (!counted && point(d, addr, err))
		return err->rc;
	if (upload_at(d, addr, buf, len, err))
		return err->rc;
	if (counted && d->counting == BF_DFU_COUNTING_UNKNOWN)
		return prove(d, addr, buf, len, err);
	return BF_OK;
}

static enum bf_rc read_block(struct bf_dfu *d, uint32_t addr, uint8_t *buf, size_t len,
			     struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	enum bf_rc rc;

	retry->requests[BF_RETRY_IDEMPOTENT]++;
	for (unsigned attempt = 1;; attempt++) {
		rc = read_once(d, addr, buf, len, err);
		if (!rc ||
		    !bf_retry_again(retry, bf_dfu_clock(d), BF_RETRY_IDEMPOTENT, attempt, rc))
			return rc;
		bf_dfu_settle_quietly(d);
	}
}

void bf_dfu_prove_counting(struct bf_dfu *d, uint32_t addr)
{
	uint32_t len = d->desc.transfer;
	uint8_t buf[BF_DFU_PIECE_MAX];
	struct bf_err none;

	bf_err_init(&none);
	if (d->counting != BF_DFU_COUNTING_UNKNOWN || len > sizeof(buf) ||
	    !(d->desc.attributes & BF_DFU_CAN_UPLOAD) || 2 * len > UINT32_MAX - addr ||
	    !bf_dfu_map_covers(&d->maps[d->alt], addr, 2 * len, BF_ACCESS_READ))
		return;
	if (read_once(d, addr, buf, len, &none) || read_once(d, addr + len, buf, len, &none))
		bf_dfu_settle_quietly(d);
}

/* Short reads, as of headers at the start of each sector, come out of whole blocks: those follow each other
 * without a pointer. */
static enum bf_rc read_little(struct bf_dfu *d, uint32_t addr, uint8_t *buf, size_t len,
			      struct bf_err *err)
{
	uint32_t whole = d->desc.transfer;
	struct bf_err none;

	if (d->ahead.alt == d->alt && addr >= d->ahead.addr &&
	    addr - d->ahead.addr + len <= d->ahead.len) {
		memcpy(buf, d->ahead.bytes + (addr - d->ahead.addr), len);
		return BF_OK;
	}
	d->ahead.len = 0;
	if (len >= whole || whole > sizeof(d->ahead.bytes) || whole - 1 > UINT32_MAX - addr ||
	    !bf_dfu_map_covers(&d->maps[d->alt], addr, whole, BF_ACCESS_READ))
		return read_block(d, addr, buf, len, err);
	bf_err_init(&none);
	if (read_block(d, addr, d->ahead.bytes, whole, &none)) {
		if (none.rc == BF_E_NAK) /* more than may be read */
			return read_block(d, addr, buf, len, err);
		*err = none;
		return err->rc;
	}
	d->ahead.addr = addr;
	d->ahead.len = whole;
	d->ahead.alt = d->alt;
	memcpy(buf, d->ahead.bytes, len);
	return BF_OK;
}

static enum bf_rc read_memory(struct bf_dfu *d, const struct bf_region *region, uint32_t addr,
			      uint8_t *buf, size_t len, struct bf_err *err)
{
	if (bf_dfu_select(d, region->alt, err))
		return err->rc;
	while (len) {
		size_t n = len < bf_dfu_block(d) ? len : bf_dfu_block(d);

		if (read_little(d, addr, buf, n, err))
			return err->rc;
		addr += (uint32_t)n;
		buf += n;
		len -= n;
	}
	return BF_OK;
}

/* ---- plain DFU ---- */

void bf_dfu_stream_drop(struct bf_dfu *d)
{
	d->ahead.len = 0;
	d->ahead.len = 0;
	free(d->stream.bytes);
	memset(&d->stream, 0, sizeof(d->stream));
	d->stream.alt = -1;
}

/* Begins from the front unless the stream that is open is this one. */
static enum bf_rc stream_open(struct bf_dfu *d, unsigned setting, struct bf_err *err)
{
	if (bf_dfu_select(d, setting, err))
		return err->rc;
	if (d->stream.alt == d->alt && (d->stream.open || d->stream.complete))
		return BF_OK;
	bf_dfu_stream_drop(d);
	if (bf_dfu_settle(d, err))
		return err->rc;
	d->stream.alt = d->alt;
	d->stream.open = true;
	return BF_OK;
}

/* Room for one more block, grown by what really came. */
static enum bf_rc stream_room(struct bf_dfu *d, size_t *cap, struct bf_err *err)
{
	size_t block = bf_dfu_block(d), want = d->stream.len + block;
	uint8_t *grown;

	if (want > BF_DFU_STREAM_MAX || d->stream.block > LAST_BLOCK)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the device uploads more than %zu bytes without an end",
			       d->stream.len);
	if (want <= *cap)
		return BF_OK;
	grown = realloc(d->stream.bytes, want + d->stream.len);
	if (!grown)
		return bf_fail(err, BF_E_INTERNAL, "no memory for %zu bytes", want);
	d->stream.bytes = grown;
	*cap = want + d->stream.len;
	return BF_OK;
}

/* Reads on until `want` bytes are there or the device ends by a short block (6.2). */
static enum bf_rc stream_fill(struct bf_dfu *d, size_t want, struct bf_err *err)
{
	size_t cap = d->stream.len, got = 0;
	enum bf_rc rc = BF_OK;

	while (!rc && d->stream.len < want && !d->stream.complete) {
		rc = stream_room(d, &cap, err);
		if (!rc)
			rc = bf_dfu_upload(d, (uint16_t)d->stream.block,
					   d->stream.bytes + d->stream.len, bf_dfu_block(d), &got,
					   err);
		if (rc)
			break;
		d->stream.len += got;
		d->stream.block++;
		d->stream.complete = got < bf_dfu_block(d);
		d->stream.open = !d->stream.complete;
		if (d->stream.block % 64 == 0 && d->base.env.alive)
			d->base.env.alive(d->base.env.alive_ctx, "reading the firmware");
	}
	return rc;
}

/* A lost block cannot be asked for again: the stream begins anew. */
static enum bf_rc stream_until(struct bf_dfu *d, unsigned setting, size_t want, struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	enum bf_rc rc;

	retry->requests[BF_RETRY_IDEMPOTENT]++;
	for (unsigned attempt = 1;; attempt++) {
		rc = stream_open(d, setting, err);
		if (!rc)
			rc = stream_fill(d, want, err);
		if (!rc)
			return BF_OK;
		bf_dfu_stream_drop(d);
		if (!bf_retry_again(retry, bf_dfu_clock(d), BF_RETRY_IDEMPOTENT, attempt, rc))
			return rc;
	}
}

enum bf_rc bf_dfu_extent(struct bf_proto *p, const struct bf_region *region, uint32_t *ret,
			 struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);

	*ret = region->size;
	if (region->size || d->dfuse)
		return BF_OK;
	if (d->write.open)
		return bf_fail(err, BF_E_INTERNAL, "reading in the middle of a download");
	if (!(d->desc.attributes & BF_DFU_CAN_UPLOAD))
		return bf_fail(err, BF_E_UNSUPPORTED, "the device does not let itself be read");
	if (stream_until(d, region->alt, SIZE_MAX, err)) {
		/* Its own word that there is no firmware to give back. */
		if (!err->dev_refused || err->dev_code != ERR_FIRMWARE)
			return bf_while(err, "finding the size of '%s'", region->name);
		bf_err_init(err);
		return BF_OK;
	}
	if (!d->stream.len) /* which says nothing of what it holds */
		return bf_fail(err, BF_E_UNSUPPORTED, "the device uploads nothing of '%s'",
			       region->name);
	*ret = (uint32_t)d->stream.len;
	return BF_OK;
}

static enum bf_rc read_stream(struct bf_dfu *d, const struct bf_region *region, size_t offset,
			      uint8_t *buf, size_t len, struct bf_err *err)
{
	if (stream_until(d, region->alt, offset + len, err))
		return err->rc;
	if (offset + len > d->stream.len)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the device uploads %zu bytes; %zu at offset %zu were asked for",
			       d->stream.len, len, offset);
	memcpy(buf, d->stream.bytes + offset, len);
	return BF_OK;
}

enum bf_rc bf_dfu_read(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
		       uint8_t *buf, size_t len, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	enum bf_rc rc;

	if (!(d->desc.attributes & BF_DFU_CAN_UPLOAD))
		return bf_fail(err, BF_E_UNSUPPORTED, "the device does not let itself be read");
	if (d->write.open)
		return bf_fail(err, BF_E_INTERNAL, "reading in the middle of a download");
	if (len == 0)
		return BF_OK;
	rc = d->dfuse ? read_memory(d, region, addr, buf, len, err)
		      : read_stream(d, region, addr - region->addr, buf, len, err);
	return rc ? bf_while(err, "reading %zu bytes of '%s' at 0x%08X", len, region->name, addr)
		  : BF_OK;
}
