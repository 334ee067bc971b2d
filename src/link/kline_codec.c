/* SPDX-License-Identifier: MIT */
#include "link/kline_codec.h"

#include <string.h>

#include "bmsflash/bytes.h"

#define FMT_PHYSICAL   0x80
#define FMT_ADDRESSED  0x80 /* either of the two modes with addresses */
#define FMT_FUNCTIONAL 0x40
#define FMT_LENGTH     0x3F

static uint8_t sum(const uint8_t *p, size_t n)
{
	unsigned s = 0;

	while (n--)
		s += *p++;
	return (uint8_t)s;
}

size_t bf_kline_encode(uint8_t *dst, uint8_t target, uint8_t source, const uint8_t *msg, size_t len)
{
	struct bf_out o = bf_out(dst, BF_KLINE_MAX_FRAME);

	bf_out_u8(&o, (uint8_t)(FMT_PHYSICAL | (len <= FMT_LENGTH ? len : 0)));
	bf_out_u8(&o, target);
	bf_out_u8(&o, source);
	if (len > FMT_LENGTH)
		bf_out_u8(&o, (uint8_t)len);
	bf_out_bytes(&o, msg, len);
	bf_out_u8(&o, sum(dst, o.len));
	return o.len;
}

void bf_kline_put(struct bf_kline_rx *rx, uint8_t byte)
{
	if (rx->n < sizeof(rx->buf))
		rx->buf[rx->n++] = byte;
}

static void drop(struct bf_kline_rx *rx, size_t n)
{
	rx->n -= n;
	memmove(rx->buf, rx->buf + n, rx->n);
}

void bf_kline_gap(struct bf_kline_rx *rx)
{
	if (rx->n)
		drop(rx, 1);
	rx->searching = rx->n > 0;
}

static enum bf_deframed deliver(struct bf_kline_rx *rx, size_t head, size_t len)
{
	bool ours =
		!(rx->buf[0] & FMT_FUNCTIONAL) && rx->buf[1] == rx->me && rx->buf[2] == rx->peer;

	if (ours) {
		memcpy(rx->msg, rx->buf + head, len);
		rx->msg_len = len;
	}
	drop(rx, head + len + 1);
	rx->searching = false;
	return ours ? BF_DEFRAME_MESSAGE : BF_DEFRAME_FOREIGN;
}

enum bf_deframed bf_kline_next(struct bf_kline_rx *rx)
{
	while (rx->n) {
		bool has_len = !(rx->buf[0] & FMT_LENGTH);
		size_t head = has_len ? 4 : 3;
		size_t len = rx->buf[0] & FMT_LENGTH;
		bool told;

		if (!(rx->buf[0] & FMT_ADDRESSED)) {
			drop(rx, 1);
			continue;
		}
		if (rx->n < head)
			return BF_DEFRAME_MORE;
		if (has_len)
			len = rx->buf[3];
		if (rx->n < head + len + 1)
			return BF_DEFRAME_MORE;
		if (len && rx->buf[head + len] == sum(rx->buf, head + len))
			return deliver(rx, head, len);
		told = rx->searching;
		drop(rx, 1);
		rx->searching = true;
		if (!told)
			return BF_DEFRAME_DAMAGED;
	}
	rx->searching = false;
	return BF_DEFRAME_MORE;
}
