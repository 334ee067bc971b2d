/* SPDX-License-Identifier: MIT */
#include "link/isotp_codec.h"

#include <string.h>

#include "bmsflash/bytes.h"

#define CLASSIC_DL 8
#define SHORT_MAX  4095u /* what the 12-bit length of a first frame can say */
#define FD_FILL    0xCC  /* FD frames have only some lengths: filled even without padding */

static void decode_single(struct bf_cur *c, uint8_t pci, struct bf_isotp_pdu *ret)
{
	bool escape = c->len > CLASSIC_DL;
	size_t total = escape ? bf_cur_u8(c) : pci & 0x0Fu;

	/* A long frame must use the escape, a short one must not. */
	if (escape && (pci & 0x0F))
		return;
	if (total == 0 || total > bf_cur_left(c))
		return;
	ret->total = total;
	ret->len = total;
	ret->data = bf_cur_bytes(c, total);
	ret->type = BF_ISOTP_SINGLE;
}

static void decode_first(struct bf_cur *c, uint8_t pci, struct bf_isotp_pdu *ret)
{
	size_t total = (size_t)(pci & 0x0F) << 8 | bf_cur_u8(c);
	size_t head = c->pos - 2; /* an address byte or none */
	size_t fits_single = (c->len > CLASSIC_DL ? c->len - 2 : CLASSIC_DL - 1) - head;

	if (total == 0) {
		total = bf_cur_be32(c);
		if (total <= SHORT_MAX)
			return;
	}
	/* The first frame is always full; what fits a single frame may not come in two. */
	if (c->failed || c->len < CLASSIC_DL || total <= fits_single)
		return;
	ret->total = total;
	ret->len = bf_cur_left(c);
	ret->data = bf_cur_bytes(c, ret->len);
	ret->type = BF_ISOTP_FIRST;
}

static void decode_flow(struct bf_cur *c, uint8_t pci, struct bf_isotp_pdu *ret)
{
	ret->block_size = bf_cur_u8(c);
	ret->st_min = bf_cur_u8(c);
	if (c->failed || (pci & 0x0F) > BF_ISOTP_OVERFLOW)
		return;
	ret->flow = (enum bf_isotp_flow)(pci & 0x0F);
	ret->type = BF_ISOTP_FLOW;
}

void bf_isotp_decode(const uint8_t *p, size_t len, struct bf_isotp_pdu *ret)
{
	bf_isotp_decode_behind(p, len, 0, ret);
}

void bf_isotp_decode_behind(const uint8_t *p, size_t len, size_t head, struct bf_isotp_pdu *ret)
{
	struct bf_cur c = bf_cur(p, len);
	uint8_t pci;

	bf_cur_seek(&c, head);
	pci = bf_cur_u8(&c);
	*ret = (struct bf_isotp_pdu){ .type = BF_ISOTP_BAD };
	if (c.failed)
		return;
	switch (pci >> 4) {
	case 0:
		decode_single(&c, pci, ret);
		break;
	case 1:
		decode_first(&c, pci, ret);
		break;
	case 2:
		ret->sn = pci & 0x0F;
		ret->len = bf_cur_left(&c);
		ret->data = bf_cur_bytes(&c, ret->len);
		if (ret->len)
			ret->type = BF_ISOTP_CONSECUTIVE;
		break;
	case 3:
		decode_flow(&c, pci, ret);
		break;
	}
}

uint32_t bf_isotp_st_us(uint8_t st_min)
{
	if (st_min <= 0x7F)
		return st_min * 1000u;
	if (st_min >= 0xF1 && st_min <= 0xF9)
		return (st_min - 0xF0u) * 100u;
	return 127000;
}

/* Fills a frame up to a length that exists. */
static size_t fill(const struct bf_isotp_shape *shape, uint8_t *dst, size_t used)
{
	static const uint8_t fd_lengths[] = { 12, 16, 20, 24, 32, 48, 64 };
	size_t len = used;

	if (used <= CLASSIC_DL) {
		if (shape->pad >= 0)
			len = CLASSIC_DL;
	} else {
		size_t i = 0;

		while (fd_lengths[i] < used)
			i++;
		len = fd_lengths[i];
	}
	memset(dst + used, shape->pad >= 0 ? shape->pad : FD_FILL, len - used);
	return len;
}

static size_t take(const struct bf_isotp_shape *shape, struct bf_out *o, const uint8_t *msg,
		   size_t left, size_t *ret_taken)
{
	size_t room = shape->tx_dl - o->len;

	*ret_taken = left < room ? left : room;
	bf_out_bytes(o, msg, *ret_taken);
	return fill(shape, o->p, o->len);
}

static struct bf_out begin_frame(const struct bf_isotp_shape *shape, uint8_t *dst)
{
	struct bf_out o = bf_out(dst, shape->tx_dl);

	if (shape->has_address)
		bf_out_u8(&o, shape->address);
	return o;
}

size_t bf_isotp_put_first(const struct bf_isotp_shape *shape, uint8_t *dst, const uint8_t *msg,
			  size_t total, size_t *ret_taken)
{
	struct bf_out o = begin_frame(shape, dst);
	size_t head = o.len;

	if (total < CLASSIC_DL - head) {
		bf_out_u8(&o, (uint8_t)total);
	} else if (shape->tx_dl > CLASSIC_DL && total <= shape->tx_dl - 2 - head) {
		bf_out_be16(&o, (uint16_t)total);
	} else if (total <= SHORT_MAX) {
		bf_out_be16(&o, (uint16_t)(0x1000 | total));
	} else {
		bf_out_be16(&o, 0x1000);
		bf_out_be32(&o, (uint32_t)total);
	}
	return take(shape, &o, msg, total, ret_taken);
}

size_t bf_isotp_put_next(const struct bf_isotp_shape *shape, uint8_t *dst, uint8_t sn,
			 const uint8_t *data, size_t left, size_t *ret_taken)
{
	struct bf_out o = begin_frame(shape, dst);

	bf_out_u8(&o, 0x20 | (sn & 0x0F));
	return take(shape, &o, data, left, ret_taken);
}

size_t bf_isotp_put_flow(const struct bf_isotp_shape *shape, uint8_t *dst, enum bf_isotp_flow flow,
			 uint8_t block_size, uint8_t st_min)
{
	struct bf_out o = begin_frame(shape, dst);

	bf_out_u8(&o, (uint8_t)(0x30 | flow));
	bf_out_u8(&o, block_size);
	bf_out_u8(&o, st_min);
	return fill(shape, dst, o.len);
}

static enum bf_isotp_event begin(struct bf_isotp_rx *rx, const struct bf_isotp_pdu *pdu,
				 bool *ret_abandoned)
{
	*ret_abandoned = rx->active;
	rx->active = false;
	if (pdu->total > rx->cap)
		return pdu->type == BF_ISOTP_FIRST ? BF_ISOTP_TOO_LONG : BF_ISOTP_BROKEN;
	memcpy(rx->buf, pdu->data, pdu->len);
	rx->total = pdu->total;
	rx->got = pdu->len;
	if (pdu->type == BF_ISOTP_SINGLE)
		return BF_ISOTP_DONE;
	/* A first frame has two or six bytes before its data, a consecutive one has one. */
	rx->cf_len = pdu->len + (pdu->total > SHORT_MAX ? 5 : 1);
	rx->active = true;
	rx->sn = 1;
	rx->in_block = 0;
	return BF_ISOTP_ASK;
}

static enum bf_isotp_event go_on(struct bf_isotp_rx *rx, const struct bf_isotp_pdu *pdu)
{
	size_t left = rx->total - rx->got;
	size_t want = left < rx->cf_len ? left : rx->cf_len;

	if (!rx->active)
		return BF_ISOTP_NOTHING;
	if (pdu->sn != rx->sn || pdu->len < want) {
		rx->active = false;
		return BF_ISOTP_BROKEN;
	}
	memcpy(rx->buf + rx->got, pdu->data, want);
	rx->got += want;
	rx->sn = (rx->sn + 1) & 0x0F;
	if (rx->got == rx->total) {
		rx->active = false;
		return BF_ISOTP_DONE;
	}
	if (rx->block_size && ++rx->in_block == rx->block_size) {
		rx->in_block = 0;
		return BF_ISOTP_ASK;
	}
	return BF_ISOTP_MORE;
}

enum bf_isotp_event bf_isotp_feed(struct bf_isotp_rx *rx, const struct bf_isotp_pdu *pdu,
				  bool *ret_abandoned)
{
	*ret_abandoned = false;
	switch (pdu->type) {
	case BF_ISOTP_SINGLE:
	case BF_ISOTP_FIRST:
		return begin(rx, pdu, ret_abandoned);
	case BF_ISOTP_CONSECUTIVE:
		return go_on(rx, pdu);
	case BF_ISOTP_FLOW:
	case BF_ISOTP_BAD:
		break;
	}
	return BF_ISOTP_NOTHING;
}
