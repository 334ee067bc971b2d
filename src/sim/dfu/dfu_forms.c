/* SPDX-License-Identifier: MIT */
/* Where the bytes of a download go, for each of the two forms of the device. */
#include "sim/dfu/dfu_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "sim/swap.h"

#define CHECK_US   BF_MS(60) /* digest and signature of an image */
#define COMMAND_US BF_US(200)
#define LEAVE_US   BF_MS(10)
#define DFUSE_BASE 2 /* UM0391: data blocks are numbered from 2 */

static enum dfu_status status_of(enum bf_pack_work work, enum dfu_status refused)
{
	switch (work) {
	case BF_PACK_DONE:
		return DFU_OK;
	case BF_PACK_FAILED:
		return refused;
	case BF_PACK_DIED:
		break;
	}
	return DFU_DIED;
}

/* All sectors that begin in [from, to): each is one operation. */
static enum dfu_status erase_sectors(struct bf_dfu_device *dev, uint32_t from, uint32_t to,
				     bf_time now, bf_time *ret_done)
{
	while (from < to) {
		const struct dfu_sectors *s = bf_dfu_device_sectors(&dev->m, from);
		enum bf_pack_work work;

		if (!s)
			return DFU_ERR_ADDRESS;
		work = bf_pack_erase_sector(dev->pack, from, s->size, s->erase_us, now, ret_done);
		if (work != BF_PACK_DONE)
			return status_of(work, DFU_ERR_ERASE);
		from += s->size;
	}
	return DFU_OK;
}

/* ---- DFU 1.1: one stream into one partition ---- */

static enum dfu_part part_of(const struct bf_dfu_device *dev)
{
	if (bf_dfu_has(dev, DFU_WRITES_UNSET) && !dev->alt_set)
		return dev->m.alts[1].part;
	return dev->m.alts[dev->alt].part;
}

static uint32_t part_addr(enum dfu_part part, bool to_write)
{
	bool second = part == DFU_PART_SLOT1 || (part == DFU_PART_TRIAL && to_write);

	return bf_pack_slot_addr(second);
}

static uint32_t part_room(const struct bf_dfu_device *dev, enum dfu_part part)
{
	return part == DFU_PART_APP ? dev->m.app_size : BF_SWAP_MAX(BF_PACK_SLOT_SIZE);
}

/* The first sector that begins at or behind addr. */
static uint32_t sector_from(const struct bf_dfu_device *dev, uint32_t addr)
{
	const struct dfu_sectors *s = bf_dfu_device_sectors(&dev->m, addr);
	uint32_t in = s ? (addr - s->addr) % s->size : 0;

	return in ? addr + s->size - in : addr;
}

/* Sectors are erased as the download reaches them. */
static enum dfu_status erase_ahead(struct bf_dfu_device *dev, uint32_t base, bf_time now,
				   bf_time *ret_done)
{
	uint32_t at = base + (uint32_t)dev->offset;

	return erase_sectors(dev, sector_from(dev, at), at + (uint32_t)dev->staged, now, ret_done);
}

#define MCUBOOT_MAGIC 0x96f3b83du

static enum dfu_status stream_block(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	enum dfu_part part = part_of(dev);
	uint32_t base = part_addr(part, true);
	enum dfu_status status;

	if (part == DFU_PART_REFUSE || part == DFU_PART_SLOT0)
		return DFU_ERR_WRITE;
	/* Blocks carry no address: one that was lost or sent twice would shift all that follow. */
	if (dev->block != dev->expect)
		return DFU_ERR_UNKNOWN;
	dev->expect++;
	if (bf_dfu_has(dev, DFU_CHECKS_FIRST) && dev->offset == 0 &&
	    (dev->staged < 4 || bf_get_le32(dev->buf) != MCUBOOT_MAGIC))
		return DFU_ERR_FILE;
	if (dev->offset + dev->staged > part_room(dev, part))
		return DFU_ERR_ADDRESS;
	status = erase_ahead(dev, base, now, ret_done);
	if (status)
		return status;
	status = status_of(bf_pack_write(dev->pack, base + (uint32_t)dev->offset, dev->buf,
					 dev->staged, now, ret_done),
			   DFU_ERR_PROG);
	dev->offset += dev->staged;
	return status;
}

static enum dfu_status judge_slot(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	enum bf_pack_work work;

	switch (bf_pack_verdict(dev->pack, 1)) {
	case BF_VERDICT_GOOD:
		work = bf_pack_activate(dev->pack, false, now, ret_done);
		return status_of(work, DFU_ERR_WRITE);
	case BF_VERDICT_DAMAGED:
		return DFU_ERR_VERIFY;
	case BF_VERDICT_OTHER_HW:
	case BF_VERDICT_DEPENDENCY:
		return DFU_ERR_TARGET;
	case BF_VERDICT_LOW_COUNTER:
		return DFU_ERR_VENDOR;
	case BF_VERDICT_EMPTY: /* the header says that there is more to come */
		return DFU_ERR_NOTDONE;
	}
	return DFU_ERR_FILE;
}

static enum dfu_status stream_finish(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	enum dfu_part part = part_of(dev);
	enum dfu_status status = DFU_OK;

	if (!dev->used) /* nothing but the empty block: there is nothing to judge */
		return DFU_OK;
	if (part == DFU_PART_TRIAL || part == DFU_PART_SLOT1)
		status = judge_slot(dev, now, ret_done);
	else if (!bf_dfu_device_startable(dev))
		status = DFU_ERR_FIRMWARE;
	if (status != DFU_DIED && bf_dfu_has(dev, DFU_TAKES_ANY))
		status = DFU_OK;
	*ret_done += CHECK_US;
	return status;
}

/* The image that runs, or the whole partition. */
static int stream_read(struct bf_dfu_device *dev, unsigned block, uint8_t *dst, size_t len)
{
	enum dfu_part part = part_of(dev);
	size_t total = part == DFU_PART_APP ? dev->m.app_size : BF_PACK_SLOT_SIZE;
	struct bf_pack_slot slot;
	const uint8_t *src;

	(void)block;
	if (part == DFU_PART_REFUSE)
		return -(int)DFU_ERR_VENDOR;
	if (!bf_dfu_has(dev, DFU_READS_PART)) {
		bf_pack_slot(dev->pack, 0, &slot);
		if (!slot.image->present)
			return -(int)DFU_ERR_FIRMWARE;
		total = slot.image->total;
	}
	if (dev->habits & BF_HABIT_ENDLESS && dev->offset >= total)
		dev->offset = 0;
	if (bf_dfu_has(dev, DFU_READS_ON) && dev->offset >= total)
		return -(int)DFU_ERR_ADDRESS;
	if (len > total - dev->offset)
		len = total - dev->offset;
	src = bf_pack_view(dev->pack, part_addr(part, false) + (uint32_t)dev->offset, len);
	if (!src)
		return -(int)DFU_ERR_ADDRESS;
	memcpy(dst, src, len);
	dev->offset += len;
	return (int)len;
}

/* ---- DfuSe: memory by address ---- */

/* errADDRESS for what is not there at all, errWRITE for what is protected. */
static enum dfu_status may_change(const struct bf_dfu_device *dev, uint32_t addr, size_t len,
				  unsigned access)
{
	uint32_t end = addr + (uint32_t)len;

	while (addr < end) {
		const struct dfu_sectors *s = bf_dfu_device_sectors(&dev->m, addr);

		if (!s)
			return DFU_ERR_ADDRESS;
		if (!(s->access & access) || !bf_flash_inside(addr, 1))
			return DFU_ERR_WRITE;
		addr += s->size - (addr - s->addr) % s->size;
	}
	return DFU_OK;
}

static enum dfu_status memory_erase(struct bf_dfu_device *dev, uint32_t addr, bf_time now,
				    bf_time *ret_done)
{
	const struct dfu_sectors *s = bf_dfu_device_sectors(&dev->m, addr);
	enum dfu_status status = may_change(dev, addr, 1, DFU_ERASE);

	if (status)
		return status;
	addr -= (addr - s->addr) % s->size;
	if (dev->habits & BF_HABIT_STUCK)
		dev->stuck = true;
	return erase_sectors(dev, addr, addr + 1, now, ret_done);
}

static enum dfu_status mass_erase(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	enum dfu_status status = DFU_OK;

	for (size_t i = 0; i < dev->m.n_sectors && !status; i++) {
		const struct dfu_sectors *s = &dev->m.sectors[i];

		if (s->access & DFU_ERASE && bf_flash_inside(s->addr, 1))
			status = erase_sectors(dev, s->addr, s->addr + s->count * s->size, now,
					       ret_done);
	}
	return status;
}

static bool readable(const struct bf_dfu_device *dev, uint32_t addr)
{
	const struct dfu_sectors *s = bf_dfu_device_sectors(&dev->m, addr);

	return s && s->access & DFU_READ;
}

/* Commands travel in block 0: 21 addr sets the pointer, 41 addr erases a page, 41 alone everything, 92 gives
 * the part free to be read, at the price of everything that is in it. */
static enum dfu_status memory_command(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	uint32_t addr = dev->staged == 5 ? bf_get_le32(dev->buf + 1) : 0;

	if (dev->buf[0] == 0x92 && dev->staged == 1 && bf_dfu_protected(dev)) {
		dev->habits &= ~(unsigned)BF_HABIT_PROTECTED;
		return mass_erase(dev, now, ret_done);
	}
	if (bf_dfu_protected(dev))
		return DFU_ERR_VENDOR;
	if (dev->buf[0] == 0x21 && dev->staged == 5) {
		if (!readable(dev, addr))
			return DFU_ERR_ADDRESS;
		dev->pointer = addr;
		return DFU_OK;
	}
	if (dev->buf[0] == 0x41 && dev->staged == 5)
		return memory_erase(dev, addr, now, ret_done);
	if (dev->buf[0] == 0x41 && dev->staged == 1)
		return mass_erase(dev, now, ret_done);
	return DFU_ERR_STALLEDPKT;
}

static uint32_t block_addr(const struct bf_dfu_device *dev, unsigned block)
{
	return dev->pointer + (block - DFUSE_BASE) * dev->m.block_size;
}

static enum dfu_status memory_work(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	uint32_t addr = block_addr(dev, dev->block);
	enum dfu_status status;

	if (dev->block == 0)
		return memory_command(dev, now, ret_done);
	if (bf_dfu_protected(dev))
		return DFU_ERR_VENDOR;
	if (dev->block < DFUSE_BASE)
		return DFU_ERR_STALLEDPKT;
	status = may_change(dev, addr, dev->staged, DFU_WRITE);
	if (status)
		return status;
	return status_of(bf_pack_write(dev->pack, addr, dev->buf, dev->staged, now, ret_done),
			 DFU_ERR_PROG);
}

/* AN3156: the first status request starts the work and always shows dfuDNBUSY. */
static enum dfu_status memory_block(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	enum dfu_status status = memory_work(dev, now, ret_done);

	if (*ret_done < now + COMMAND_US)
		*ret_done = now + COMMAND_US;
	return status;
}

/* The leave request jumps to where the pointer is: with this habit it really does. */
static enum dfu_status memory_finish(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	if (dev->habits & BF_HABIT_JUMPS && dev->pointer != BF_FLASH_BASE &&
	    !bf_dfu_device_starts_at(dev, dev->pointer))
		dev->hung = true;
	*ret_done = now + LEAVE_US;
	return DFU_OK;
}

/* What lies outside the flash is option bytes and the like: something to read, the same each time. */
static int read_others(const struct dfu_sectors *s, uint32_t addr, uint8_t *dst, size_t len)
{
	uint32_t left = s->count * s->size - (addr - s->addr);

	if (len > left)
		len = left;
	for (size_t i = 0; i < len; i++)
		dst[i] = (uint8_t)((addr + i) % 8 < 4 ? 0xaa : 0x55);
	return (int)len;
}

static int memory_read(struct bf_dfu_device *dev, unsigned block, uint8_t *dst, size_t len)
{
	static const uint8_t commands[] = { 0x00, 0x21, 0x41 };
	uint32_t addr = block_addr(dev, block);
	const uint8_t *src;

	if (bf_dfu_protected(dev))
		return -(int)DFU_ERR_VENDOR;
	if (block == 0) {
		if (len > sizeof(commands))
			len = sizeof(commands);
		memcpy(dst, commands, len);
		return (int)len;
	}
	if (block < DFUSE_BASE)
		return -(int)DFU_ERR_STALLEDPKT;
	if (!readable(dev, addr) ||
	    (len && !readable(dev, addr + (uint32_t)len - 1) && bf_flash_inside(addr, 1)))
		return -(int)DFU_ERR_ADDRESS;
	if (!bf_flash_inside(addr, 1))
		return read_others(bf_dfu_device_sectors(&dev->m, addr), addr, dst, len);
	src = bf_pack_view(dev->pack, addr, len);
	if (!src)
		return -(int)DFU_ERR_ADDRESS;
	memcpy(dst, src, len);
	return (int)len;
}

const struct dfu_form bf_dfu_form_stream = { stream_block, stream_finish, stream_read };
const struct dfu_form bf_dfu_form_memory = { memory_block, memory_finish, memory_read };
