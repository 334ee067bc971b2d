/* SPDX-License-Identifier: MIT */
#include "dfu_peer.h"

#include <string.h>

#include "bmsflash/bytes.h"

enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT };
enum {
	APP_IDLE,
	APP_DETACH,
	IDLE,
	DNLOAD_SYNC,
	DNBUSY,
	DNLOAD_IDLE,
	MANIFEST_SYNC,
	MANIFEST,
	WAIT_RESET,
	UPLOAD_IDLE,
	ERROR
};
#define TOLERANT    4
#define WILL_DETACH 8

static const char *const strings_dfuse[] = { "", "@Internal Flash  /0x08000000/04*016Kg,01*064Kg",
					     "@Option Bytes  /0x1FFFC000/01*016 e",
					     "read protected" };
static const char *const strings_dfu[] = { "", "Firmware", "Settings", "battery too low" };

static enum bf_rc stall(struct peer *p, struct bf_err *err)
{
	p->state = ERROR;
	if (!p->status)
		p->status = 0x0F;
	return bf_fail_dev(err, BF_E_NAK, 0, "stall", "stall");
}

static void start_busy(struct peer *p)
{
	p->state = DNLOAD_SYNC;
	p->busy_left = p->busy_each;
}

static void dfuse_command(struct peer *p, const uint8_t *data, size_t len)
{
	uint32_t addr = len == 5 ? bf_get_le32(data + 1) : 0;

	if (len == 5 && data[0] == 0x21) {
		p->pointer = addr;
		p->n_points++;
	} else if (len == 5 && data[0] == 0x41 && p->n_erases < 64) {
		p->erased[p->n_erases++] = addr;
	} else {
		p->status = 0x0F;
	}
}

static void take_block(struct peer *p, unsigned block, const uint8_t *data, size_t len)
{
	size_t at = p->dfuse ? p->pointer - PEER_BASE + (block - 2) * p->transfer : p->len;

	p->n_blocks++;
	if (!p->dfuse && block != (p->next_block++ & 0xFFFF))
		p->status = 0x0E;
	else if (at > PEER_SIZE || len > PEER_SIZE - at)
		p->status = 0x08;
	else
		memcpy(p->mem + at, data, len);
	p->len = at + len;
	if (p->fail_at == p->n_blocks)
		p->status = p->fail_status;
}

static enum bf_rc dnload(struct peer *p, unsigned block, const uint8_t *data, size_t len,
			 struct bf_err *err)
{
	if ((p->state != IDLE && p->state != DNLOAD_IDLE) || len > p->transfer)
		return stall(p, err);
	if (p->state == IDLE && !p->dfuse)
		p->len = p->next_block = 0;
	if (len == 0) {
		p->left = p->dfuse;
		p->state = MANIFEST_SYNC;
		p->busy_left = 1;
		return BF_OK;
	}
	start_busy(p);
	if (p->dfuse && block == 0)
		dfuse_command(p, data, len);
	else
		take_block(p, block, data, len);
	if (p->lose_answer_at && p->lose_answer_at == p->n_blocks && (!p->dfuse || block)) {
		p->lose_answer_at = 0;
		return bf_fail(err, BF_E_TIMEOUT, "answer lost");
	}
	return BF_OK;
}

static enum bf_rc upload(struct peer *p, unsigned block, uint8_t *data, size_t len, size_t *ret_len,
			 struct bf_err *err)
{
	size_t at =
		p->dfuse ? p->pointer - PEER_BASE + (block - 2) * p->transfer : block * p->transfer;
	size_t end = p->dfuse ? PEER_SIZE : p->len;

	if ((p->state != IDLE && p->state != UPLOAD_IDLE) || at > end)
		return stall(p, err);
	if (p->upload_stalls) {
		p->status = 0x0B;
		p->string = 3;
		return stall(p, err);
	}
	*ret_len = len < end - at ? len : end - at;
	memcpy(data, p->mem + at, *ret_len);
	p->state = *ret_len < len ? IDLE : UPLOAD_IDLE;
	return BF_OK;
}

/* What GETSTATUS moves on (A.2). */
static enum bf_rc advance(struct peer *p, struct bf_err *err)
{
	bool busy = p->busy_left > 0;

	if (bf_now(p->clock) < p->busy_until)
		p->impatient++;
	if (p->state == MANIFEST_SYNC || p->state == MANIFEST) {
		if (p->gone_in_manifest || p->left) {
			fake_gone_at(p->usb, bf_now(p->clock));
			return bf_fail(err, BF_E_GONE, "gone");
		}
		if (p->fail_manifest) {
			p->status = p->fail_manifest;
			p->state = ERROR;
			return BF_OK;
		}
		p->state = busy ? MANIFEST : p->attributes & TOLERANT ? IDLE : WAIT_RESET;
	} else if (p->state == DNLOAD_SYNC || p->state == DNBUSY) {
		p->state = busy ? DNBUSY : DNLOAD_IDLE;
		if (!busy && p->status)
			p->state = ERROR;
		if (!busy && p->drop_at && p->drop_at == p->n_blocks) {
			p->state = IDLE;
			p->drop_at = 0;
		}
	}
	p->busy_left -= busy;
	p->busy_until = bf_in(p->clock, busy ? BF_MS(p->poll_ms) : 0);
	return BF_OK;
}

static enum bf_rc getstatus(struct peer *p, uint8_t *data, size_t *ret_len, struct bf_err *err)
{
	if (advance(p, err))
		return err->rc;
	data[0] = p->state == ERROR ? p->status : 0;
	bf_put_le16(&data[1], (uint16_t)p->poll_ms);
	data[3] = (uint8_t)(p->poll_ms >> 16);
	data[4] = p->state;
	data[5] = p->state == ERROR ? p->string : 0;
	*ret_len = 6;
	return BF_OK;
}

static enum bf_rc on_request(struct fake *f, void *ctx, const struct bf_usb_setup *s, uint8_t *data,
			     size_t len, size_t *ret_len, bf_time *ret_after, struct bf_err *err)
{
	struct peer *p = ctx;

	(void)f;
	*ret_after = 0;
	*ret_len = s->request_type & 0x80 ? 0 : len;
	switch (s->request) {
	case DETACH:
		p->loader = true;
		p->state = IDLE;
		peer_show(p);
		if (p->attributes & WILL_DETACH)
			fake_usb_leave(p->usb, &p->device, BF_MS(300));
		return BF_OK;
	case DNLOAD:
		return dnload(p, s->value, data, len, err);
	case UPLOAD:
		return upload(p, s->value, data, len, ret_len, err);
	case GETSTATUS:
		return getstatus(p, data, ret_len, err);
	case CLRSTATUS:
		p->n_clears++;
		p->status = p->string = 0;
		p->state = IDLE;
		return BF_OK;
	case GETSTATE:
		data[0] = p->state;
		*ret_len = 1;
		return BF_OK;
	case ABORT:
		p->n_aborts++;
		p->state = IDLE;
		return BF_OK;
	}
	return stall(p, err);
}

static void put_interface(struct bf_out *o, uint8_t alt, uint8_t protocol)
{
	const uint8_t raw[9] = { 9, 4, 0, alt, 0, 0xFE, 1, protocol, (uint8_t)(alt + 1) };

	bf_out_bytes(o, raw, sizeof(raw));
}

void peer_show(struct peer *p)
{
	struct bf_out o = bf_out(p->config, sizeof(p->config));
	const uint8_t head[9] = { 9, 2, 0, 0, 1, 1, 0, 0x80, 50 };

	bf_out_bytes(&o, head, sizeof(head));
	put_interface(&o, 0, p->loader ? 2 : 1);
	if (p->loader)
		put_interface(&o, 1, 2);
	bf_out_u8(&o, 9);
	bf_out_u8(&o, 0x21);
	bf_out_u8(&o, p->attributes);
	bf_out_le16(&o, 255);
	bf_out_le16(&o, p->transfer);
	bf_out_le16(&o, p->dfuse ? 0x011A : 0x0110);
	p->device = (struct bf_usb_device){
		.vid = 0x0483,
		.pid = p->loader ? 0xDF11 : 0x5740,
		.bcd_device = p->loader ? 0x2200 : 0x0150,
		.serial = "SN123",
		.product = "Pack 16S",
		.manufacturer = "Example",
		.config = p->config,
		.config_len = o.len,
	};
	if (p->usb && !fake_closed(p->usb))
		fake_usb_set_device(p->usb, &p->device);
}

void peer_init(struct peer *p, struct bf_clock *clock, bool dfuse, bool loader)
{
	memset(p, 0, sizeof(*p));
	p->clock = clock;
	p->dfuse = dfuse;
	p->loader = loader;
	p->attributes = 3 | TOLERANT;
	p->transfer = dfuse ? 2048 : 1024;
	p->state = loader ? IDLE : APP_IDLE;
	p->poll_ms = 7;
	p->busy_each = 1;
	p->usb = fake_usb_new(clock);
	fake_usb_handle(p->usb, on_request, p);
	fake_usb_set_strings(p->usb, dfuse ? strings_dfuse : strings_dfu, 4);
	peer_show(p);
}

void peer_done(struct peer *p)
{
	p->usb = fake_free(p->usb);
}
