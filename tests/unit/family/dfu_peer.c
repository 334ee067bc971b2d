/* SPDX-License-Identifier: MIT */
#include "../unit.h"

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
#define LEAVE       BF_MS(300)

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

static enum bf_rc silence(struct peer *p, struct bf_err *err)
{
	(void)bf_clock_until(p->clock, bf_in(p->clock, BF_SEC(1)));
	return bf_fail(err, BF_E_TIMEOUT, "no answer");
}

static void start(struct peer *p, bool loader)
{
	p->loader = loader;
	p->state = loader ? IDLE : APP_IDLE;
	p->is_silent = p->left = p->armed = false;
	peer_show(p);
}

static void go(struct peer *p, bool loader)
{
	start(p, loader);
	fake_usb_leave(p->usb, &p->device, LEAVE);
}

void peer_repower(struct peer *p, bool loader)
{
	go(p, loader);
}

static void erase(struct peer *p, uint32_t addr)
{
	for (size_t i = 0; i < p->n_runs; i++) {
		const struct peer_run *r = &p->runs[i];
		uint32_t page = p->real_page ? p->real_page : r->size;
		uint32_t at = addr - r->addr;

		if (addr < r->addr || at >= r->size * r->count)
			continue;
		at = addr - at % page;
		memset(p->mem + (at - p->base), 0xFF, page);
		return;
	}
	p->status = 0x08;
}

static void dfuse_command(struct peer *p, const uint8_t *data, size_t len)
{
	uint32_t addr = len == 5 ? bf_get_le32(data + 1) : 0;

	if (p->read_protected) {
		p->status = 0x0B;
	} else if (len == 5 && data[0] == 0x21) {
		p->pointer = addr;
		p->n_points++;
	} else if (len == 5 && data[0] == 0x41) {
		if (p->n_erases < BF_COUNT(p->erased))
			p->erased[p->n_erases] = addr;
		p->n_erases++;
		erase(p, addr);
		p->stuck = p->stuck_erase;
		if (p->stall_after_erase)
			p->stalls_until = bf_in(p->clock, p->stall_after_erase);
	} else {
		p->status = 0x0F;
	}
}

static size_t place(const struct peer *p, unsigned block)
{
	uint32_t size = p->block_size ? p->block_size : p->transfer;

	return p->pointer - p->base + (block - 2) * size;
}

static void program(struct peer *p, size_t at, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p->dfuse && p->mem[at + i] != 0xFF && p->mem[at + i] != data[i])
			p->status = 0x06;
		p->mem[at + i] &= p->dfuse ? data[i] : 0xFF;
		if (!p->dfuse)
			p->mem[at + i] = data[i];
	}
}

static void take_block(struct peer *p, unsigned block, const uint8_t *data, size_t len)
{
	size_t at = p->dfuse ? place(p, block) : p->len;
	uint8_t alt;

	(void)fake_usb_claimed(p->usb, &alt);
	p->n_blocks++;
	if (!p->dfuse && block != (p->next_block++ & 0xFFFF))
		p->status = 0x0E;
	else if (p->dead_alts & 1U << alt)
		p->status = 0x03;
	else if (at > p->size || len > p->size - at)
		p->status = 0x08;
	else
		program(p, at, data, len);
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
		p->n_manifests += !p->dfuse;
		return BF_OK;
	}
	p->state = DNLOAD_SYNC;
	p->busy_left = p->busy_each;
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
	size_t at = p->dfuse ? place(p, block) : block * p->transfer;
	size_t end = p->dfuse ? p->size : p->len;

	if (p->upload_endless && !p->dfuse)
		at = 0, end = p->size;
	if ((p->state != IDLE && p->state != UPLOAD_IDLE) || at > end)
		return stall(p, err);
	if (p->strings_after_reset && p->n_erases) {
		(void)stall(p, err);
		p->state = WAIT_RESET;
		return err->rc;
	}
	if (p->upload_stalls || p->read_protected) {
		p->status = 0x0B;
		p->string = 3;
		return stall(p, err);
	}
	*ret_len = len < end - at ? len : end - at;
	memcpy(data, p->mem + at, *ret_len);
	p->state = *ret_len < len ? IDLE : UPLOAD_IDLE;
	return BF_OK;
}

/* The end of a manifestation, or of a DfuSe device's dealings. */
static enum bf_rc manifest(struct peer *p, bool busy, struct bf_err *err)
{
	if (p->silent_in_manifest) {
		p->is_silent = true;
		return silence(p, err);
	}
	if (p->gone_in_manifest) {
		fake_gone_at(p->usb, bf_now(p->clock));
		return bf_fail(err, BF_E_GONE, "gone");
	}
	if (p->left && !p->stays) {
		go(p, false);
		return bf_fail(err, BF_E_GONE, "gone");
	}
	if (p->fail_manifest) {
		p->status = p->fail_manifest;
		p->state = ERROR;
		return BF_OK;
	}
	if (p->manifests_for_ever) {
		p->state = MANIFEST;
		return BF_OK;
	}
	p->state = busy ? MANIFEST : p->attributes & TOLERANT || p->dfuse ? IDLE : WAIT_RESET;
	return BF_OK;
}

/* What GETSTATUS moves on (A.2). */
static enum bf_rc advance(struct peer *p, struct bf_err *err)
{
	bool busy = p->busy_left > 0 || p->stuck;

	if (bf_now(p->clock) < p->busy_until)
		p->impatient++;
	if (p->state == MANIFEST_SYNC || p->state == MANIFEST) {
		if (manifest(p, busy, err))
			return err->rc;
	} else if (p->state == DNLOAD_SYNC || p->state == DNBUSY) {
		p->state = busy ? DNBUSY : DNLOAD_IDLE;
		if (!busy && p->status)
			p->state = ERROR;
		if (!busy && p->drop_at && p->drop_at == p->n_blocks) {
			p->state = IDLE;
			p->drop_at = 0;
		}
	}
	p->busy_left -= p->busy_left > 0;
	p->busy_until = bf_in(p->clock, busy ? BF_MS(p->poll_ms) : 0);
	return BF_OK;
}

static enum bf_rc getstatus(struct peer *p, uint8_t *data, size_t *ret_len, struct bf_err *err)
{
	bool was_busy = p->state == DNBUSY;

	if ((was_busy && bf_now(p->clock) < p->stalls_until) ||
	    (p->only_clear && p->state == ERROR))
		return bf_fail_dev(err, BF_E_NAK, 0, "stall", "stall");
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

static enum bf_rc clear(struct peer *p)
{
	p->n_clears++;
	if (p->stuck) { /* out of turn: an error, which the next one ends */
		p->stuck = false;
		p->state = ERROR;
		p->status = 0x0E;
		return BF_OK;
	}
	p->status = p->string = 0;
	p->state = IDLE;
	return BF_OK;
}

static enum bf_rc take_detach(struct peer *p, unsigned timeout, struct bf_err *err)
{
	p->n_detaches++;
	if (p->loader) {
		p->armed = p->detach_leaves;
		return p->detach_leaves ? BF_OK : stall(p, err);
	}
	switch (p->detach) {
	case PEER_DETACHES:
		if (p->attributes & WILL_DETACH)
			go(p, true);
		else
			start(p, true);
		return BF_OK;
	case PEER_STALLS_LEAVES:
		go(p, true);
		return bf_fail_dev(err, BF_E_NAK, 0, "stall", "stall");
	case PEER_BY_RESET:
		p->detach_until = bf_in(p->clock, BF_MS(timeout));
		return BF_OK;
	case PEER_DEAF:
		p->detach_until = BF_NEVER;
		return BF_OK;
	case PEER_NEVER:
		break;
	}
	return BF_OK;
}

static void on_reset(struct fake *f, void *ctx)
{
	struct peer *p = ctx;

	(void)f;
	/* One that waits for a reset has a reset coming. */
	if (!p->loader) {
		if (bf_now(p->clock) < p->detach_until)
			go(p, true);
		return;
	}
	if (p->strings_after_reset) {
		fake_usb_set_strings(p->usb, p->strings_after_reset, 3);
		start(p, true);
		return;
	}
	if (p->reset_leaves || p->armed || p->state == WAIT_RESET || p->is_silent ||
	    p->manifests_for_ever)
		go(p, false);
}

static enum bf_rc descriptor(struct peer *p, unsigned which, uint8_t *data, size_t len,
			     size_t *ret_len, struct bf_err *err)
{
	uint8_t device[18] = { 18, 1, 0, 2, 0, 0, 0, 64 };
	uint8_t functional[9] = { 9, 0x21, p->attributes, 255, 0 };

	bf_put_le16(functional + 5, p->transfer);
	bf_put_le16(functional + 7, p->loader_version ? p->loader_version : 0x0110);
	if (which == 1 || which == 0x21) {
		*ret_len = which == 1 ? sizeof(device) : sizeof(functional);
		*ret_len = *ret_len < len ? *ret_len : len;
		memcpy(data, which == 1 ? device : functional, *ret_len);
		return BF_OK;
	}
	return bf_fail_dev(err, BF_E_NAK, 0, "stall", "stall");
}

static enum bf_rc on_request(struct fake *f, void *ctx, const struct bf_usb_setup *s, uint8_t *data,
			     size_t len, size_t *ret_len, bf_time *ret_after, struct bf_err *err)
{
	struct peer *p = ctx;
	uint8_t alt;

	(void)f;
	*ret_after = 0;
	*ret_len = s->request_type & 0x80 ? 0 : len;
	if (s->request_type == 0x80)
		return descriptor(p, s->value >> 8, data, len, ret_len, err);
	p->unclaimed += fake_usb_claimed(p->usb, &alt) < 0;
	p->strays += !p->loader && s->request != DETACH;
	if (p->is_silent)
		return silence(p, err);
	switch (s->request) {
	case DETACH:
		return take_detach(p, s->value, err);
	case DNLOAD:
		return dnload(p, s->value, data, len, err);
	case UPLOAD:
		p->n_uploads += s->value == 0;
		return upload(p, s->value, data, len, ret_len, err);
	case GETSTATUS:
		return getstatus(p, data, ret_len, err);
	case CLRSTATUS:
		return clear(p);
	case GETSTATE:
		if (p->only_clear && p->state == ERROR)
			return bf_fail_dev(err, BF_E_NAK, 0, "stall", "stall");
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

static void put_functional(struct bf_out *o, const struct peer *p)
{
	uint16_t version = p->loader ? p->loader_version : p->app_version;

	if (p->no_functional)
		return;
	bf_out_u8(o, p->short_functional ? 7 : 9);
	bf_out_u8(o, 0x21);
	bf_out_u8(o, p->attributes);
	bf_out_le16(o, p->detach_ms);
	bf_out_le16(o, p->transfer);
	if (!p->short_functional)
		bf_out_le16(o, version ? version : p->dfuse ? 0x011A : 0x0110);
}

void peer_show(struct peer *p)
{
	struct bf_out o = bf_out(p->config, sizeof(p->config));
	const uint8_t head[9] = { 9, 2, 0, 0, 1, 1, 0, 0x80, 50 };

	bf_out_bytes(&o, head, sizeof(head));
	put_interface(&o, 0, p->loader ? p->loader_protocol : 1);
	for (unsigned i = 1; p->loader && i < p->n_alts; i++)
		put_interface(&o, (uint8_t)i, p->loader_protocol);
	put_functional(&o, p);
	p->device = (struct bf_usb_device){
		.vid = 0x1209,
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

void peer_chip(struct peer *p, uint32_t base, const struct peer_run *runs, size_t n)
{
	p->size = 0;
	p->base = p->pointer = base;
	p->n_runs = n;
	memcpy(p->runs, runs, n * sizeof(*runs));
	for (size_t i = 0; i < n; i++)
		p->size += (size_t)runs[i].size * runs[i].count;
	free(p->mem);
	p->mem = malloc(p->size);
	assert_non_null(p->mem);
	for (size_t i = 0; i < p->size; i++)
		p->mem[i] = (uint8_t)(i * 31 + i / 251 + 5);
}

void peer_init(struct peer *p, struct bf_clock *clock, bool dfuse, bool loader)
{
	static const struct peer_run runs[] = { { PEER_BASE, 16 << 10, 4 },
						{ PEER_BASE + 0x10000, 64 << 10, 1 } };

	memset(p, 0, sizeof(*p));
	p->clock = clock;
	p->dfuse = dfuse;
	p->loader = loader;
	p->attributes = 3 | TOLERANT;
	p->transfer = dfuse ? 2048 : 1024;
	p->detach_ms = 255;
	p->loader_protocol = 2;
	p->n_alts = dfuse ? 2 : 1;
	p->state = loader ? IDLE : APP_IDLE;
	p->poll_ms = 7;
	p->busy_each = 1;
	peer_chip(p, PEER_BASE, runs, BF_COUNT(runs));
	memset(p->mem, dfuse ? 0xFF : 0, p->size);
	p->usb = fake_usb_new(clock);
	fake_usb_handle(p->usb, on_request, p);
	fake_usb_handle_reset(p->usb, on_reset, p);
	fake_usb_set_strings(p->usb, dfuse ? strings_dfuse : strings_dfu, 4);
	peer_show(p);
}

void peer_done(struct peer *p)
{
	p->usb = fake_free(p->usb);
	free(p->mem);
}
