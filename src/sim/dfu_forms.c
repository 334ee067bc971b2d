/* SPDX-License-Identifier: MIT */
/* Where the bytes of a download go, for each of the two forms of the device. */
#include "dfu_priv.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "swap.h"

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

/* ---- DFU 1.1: one image into the slot that does not run ---- */

static const char *image_alt_name(struct bf_dfu_device *dev, unsigned alt, char *dst, size_t cap)
{
	(void)dev;
	(void)alt;
	(void)cap;
	(void)dst;
	return "MCUboot image";
}

/* Pages are erased as the download reaches them. */
static enum dfu_status erase_ahead(struct bf_dfu_device *dev, uint32_t slot, bf_time now,
				   bf_time *ret_done)
{
	uint32_t from = (uint32_t)(dev->offset + BF_FLASH_PAGE - 1) / BF_FLASH_PAGE;
	uint32_t to = (uint32_t)(dev->offset + dev->staged + BF_FLASH_PAGE - 1) / BF_FLASH_PAGE;

	if (from == to)
		return DFU_OK;
	return status_of(bf_pack_erase(dev->pack, slot + from * BF_FLASH_PAGE,
				       (to - from) * BF_FLASH_PAGE, now, ret_done),
			 DFU_ERR_ERASE);
}

#define MCUBOOT_MAGIC 0x96f3b83du

static enum dfu_status image_block(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	uint32_t slot = bf_pack_slot_addr(1);
	enum dfu_status status;

	/* Blocks carry no address: one that was lost or sent twice would shift all that follow. */
	if (dev->block != dev->expect)
		return DFU_ERR_UNKNOWN;
	dev->expect++;
	if (dev->offset == 0 && (dev->staged < 4 || bf_get_le32(dev->buf) != MCUBOOT_MAGIC))
		return DFU_ERR_FILE;
	if (dev->offset + dev->staged > BF_SWAP_MAX(BF_PACK_SLOT_SIZE))
		return DFU_ERR_ADDRESS;
	status = erase_ahead(dev, slot, now, ret_done);
	if (status)
		return status;
	status = status_of(bf_pack_write(dev->pack, slot + (uint32_t)dev->offset, dev->buf,
					 dev->staged, now, ret_done),
			   DFU_ERR_PROG);
	dev->offset += dev->staged;
	return status;
}

static enum dfu_status image_finish(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	enum dfu_status status = DFU_ERR_FILE;

	switch (bf_pack_verdict(dev->pack, 1)) {
	case BF_VERDICT_GOOD:
		status =
			status_of(bf_pack_activate(dev->pack, false, now, ret_done), DFU_ERR_WRITE);
		break;
	case BF_VERDICT_DAMAGED:
		status = DFU_ERR_VERIFY;
		break;
	case BF_VERDICT_OTHER_HW:
	case BF_VERDICT_DEPENDENCY:
		status = DFU_ERR_TARGET;
		break;
	case BF_VERDICT_LOW_COUNTER:
		status = DFU_ERR_VENDOR;
		break;
	case BF_VERDICT_EMPTY: /* the header says that there is more to come */
		status = DFU_ERR_NOTDONE;
		break;
	}
	*ret_done += CHECK_US;
	return status;
}

static int image_read(struct bf_dfu_device *dev, unsigned block, uint8_t *dst, size_t len)
{
	struct bf_pack_slot slot;
	const uint8_t *src;

	(void)block;
	bf_pack_slot(dev->pack, 0, &slot);
	if (!slot.image->present)
		return -(int)DFU_ERR_FIRMWARE;
	if (len > slot.image->total - dev->offset)
		len = slot.image->total - dev->offset;
	src = bf_pack_view(dev->pack, bf_pack_slot_addr(0) + (uint32_t)dev->offset, len);
	if (!src)
		return -(int)DFU_ERR_ADDRESS;
	memcpy(dst, src, len);
	dev->offset += len;
	return (int)len;
}

/* ---- DfuSe: memory by address ---- */

/* Alternate settings as ST numbers them: 0 is what holds the firmware. Page letters: a readable only, g
 * readable, erasable and writable (UM0391, 10.3.2). */
#define APP_SIZE   BF_PACK_SLOT_SIZE
#define CALIB_ADDR 0x08112000u
#define CALIB_SIZE 0x2000u

static const char *memory_alt_name(struct bf_dfu_device *dev, unsigned alt, char *dst, size_t cap)
{
	(void)dev;
	if (alt == 0)
		snprintf(dst, cap, "@Internal Flash  /0x%08X/32*002Ka,%03u*002Kg", BF_FLASH_BASE,
			 APP_SIZE / BF_FLASH_PAGE);
	else
		snprintf(dst, cap, "@Calibration  /0x%08X/%02u*002Ka", CALIB_ADDR,
			 CALIB_SIZE / BF_FLASH_PAGE);
	return dst;
}

static bool in_app(uint32_t addr, size_t len)
{
	return addr >= BF_DFU_APP_ADDR && addr - BF_DFU_APP_ADDR <= APP_SIZE &&
	       len <= APP_SIZE - (addr - BF_DFU_APP_ADDR);
}

/* errADDRESS for what is not there at all, errWRITE for what is protected. */
static enum dfu_status may_change(uint32_t addr, size_t len)
{
	if (!bf_flash_inside(addr, len))
		return DFU_ERR_ADDRESS;
	return in_app(addr, len) ? DFU_OK : DFU_ERR_WRITE;
}

static enum dfu_status memory_erase(struct bf_dfu_device *dev, uint32_t addr, uint32_t size,
				    bf_time now, bf_time *ret_done)
{
	enum dfu_status status = may_change(addr, size);

	if (status)
		return status;
	return status_of(bf_pack_erase(dev->pack, addr, size, now, ret_done), DFU_ERR_ERASE);
}

/* Commands travel in block 0: 21 addr sets the pointer, 41 addr erases a page, 41 alone everything. */
static enum dfu_status memory_command(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	uint32_t addr = dev->staged == 5 ? bf_get_le32(dev->buf + 1) : 0;

	if (dev->buf[0] == 0x21 && dev->staged == 5) {
		if (!bf_flash_inside(addr, 1))
			return DFU_ERR_ADDRESS;
		dev->pointer = addr;
		return DFU_OK;
	}
	if (dev->buf[0] == 0x41 && dev->staged == 5)
		return memory_erase(dev, addr & ~(BF_FLASH_PAGE - 1), BF_FLASH_PAGE, now, ret_done);
	if (dev->buf[0] == 0x41 && dev->staged == 1)
		return memory_erase(dev, BF_DFU_APP_ADDR, APP_SIZE, now, ret_done);
	return DFU_ERR_STALLEDPKT;
}

static uint32_t block_addr(const struct bf_dfu_device *dev, unsigned block)
{
	return dev->pointer + (block - DFUSE_BASE) * dev->form->transfer_size;
}

static enum dfu_status memory_work(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	uint32_t addr = block_addr(dev, dev->block);
	enum dfu_status status;

	if (dev->block == 0)
		return memory_command(dev, now, ret_done);
	if (dev->block < DFUSE_BASE)
		return DFU_ERR_STALLEDPKT;
	status = may_change(addr, dev->staged);
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

static enum dfu_status memory_finish(struct bf_dfu_device *dev, bf_time now, bf_time *ret_done)
{
	dev->leave = true;
	*ret_done = now + LEAVE_US;
	return DFU_OK;
}

static int memory_read(struct bf_dfu_device *dev, unsigned block, uint8_t *dst, size_t len)
{
	static const uint8_t commands[] = { 0x00, 0x21, 0x41 };
	uint32_t addr = block_addr(dev, block);
	const uint8_t *src;

	if (block == 0) {
		if (len > sizeof(commands))
			len = sizeof(commands);
		memcpy(dst, commands, len);
		return (int)len;
	}
	if (block < DFUSE_BASE)
		return -(int)DFU_ERR_STALLEDPKT;
	src = bf_pack_view(dev->pack, addr, len);
	if (!src)
		return -(int)DFU_ERR_ADDRESS;
	memcpy(dst, src, len);
	return (int)len;
}

/* ---- the two forms ---- */

/* 1209:0001 and :0002 are for tests and belong to nobody; 0483:DF11 is what the ROM loaders say. */
const struct dfu_form bf_dfu_form_11 = {
	.vid = 0x1209,
	.run_pid = 0x0001,
	.dfu_pid = 0x0002,
	.bcd_dfu = 0x0110,
	.loader_bcd = 0x0100,
	.attributes = DFU_CAN_DNLOAD | DFU_CAN_UPLOAD | DFU_WILL_DETACH,
	.transfer_size = 1024,
	.n_alts = 1,
	.reset_leaves = true,
	.alt_name = image_alt_name,
	.block = image_block,
	.finish = image_finish,
	.read = image_read,
};

const struct dfu_form bf_dfu_form_se = {
	.vid = 0x0483,
	.run_pid = 0x5740,
	.dfu_pid = 0xdf11,
	.bcd_dfu = 0x011a,
	.loader_bcd = 0x2200,
	.attributes = DFU_CAN_DNLOAD | DFU_CAN_UPLOAD,
	.transfer_size = 2048,
	.n_alts = 2,
	.empty_leaves = true,
	.alt_name = memory_alt_name,
	.block = memory_block,
	.finish = memory_finish,
	.read = memory_read,
};
