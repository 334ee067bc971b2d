/* SPDX-License-Identifier: MIT */
#include "link/hdlc_codec.h"

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"

#define FLAG    0x7E
#define ESCAPE  0x7D
#define FLIP    0x20
#define UI      0x03
#define FCS_LEN 4

static void stuff(struct bf_out *o, const uint8_t *p, size_t n)
{
	for (; n; n--, p++) {
		if (*p == FLAG || *p == ESCAPE) {
			bf_out_u8(o, ESCAPE);
			bf_out_u8(o, *p ^ FLIP);
		} else {
			bf_out_u8(o, *p);
		}
	}
}

size_t bf_hdlc_encode(uint8_t *dst, uint8_t target, uint8_t source, const uint8_t *msg, size_t len)
{
	const uint8_t head[] = { target, UI, source };
	struct bf_out o = bf_out(dst, BF_HDLC_WIRE_MAX(len));
	uint32_t state = bf_crc_start(&bf_crc32_ieee);
	uint8_t fcs[FCS_LEN];

	state = bf_crc_feed(&bf_crc32_ieee, state, head, sizeof(head));
	state = bf_crc_feed(&bf_crc32_ieee, state, msg, len);
	bf_put_le32(fcs, bf_crc_end(&bf_crc32_ieee, state));
	bf_out_u8(&o, FLAG);
	stuff(&o, head, sizeof(head));
	stuff(&o, msg, len);
	stuff(&o, fcs, sizeof(fcs));
	bf_out_u8(&o, FLAG);
	return o.len;
}

bool bf_hdlc_gap(struct bf_hdlc_rx *rx)
{
	bool begun = rx->in_frame && rx->n;

	rx->in_frame = false;
	rx->n = 0;
	rx->escaped = false;
	rx->too_long = false;
	return begun;
}

/* A flag: the frame before it is whole, and the next one may begin. */
static enum bf_deframed close_frame(struct bf_hdlc_rx *rx)
{
	bool bad = rx->escaped || rx->too_long;
	bool was_open = rx->in_frame;
	size_t n = rx->n;

	rx->in_frame = true;
	rx->n = 0;
	rx->escaped = false;
	rx->too_long = false;
	if (!was_open || (n == 0 && !bad))
		return BF_DEFRAME_MORE;
	if (bad || n <= BF_HDLC_OVERHEAD ||
	    bf_crc(&bf_crc32_ieee, rx->buf, n - FCS_LEN) != bf_get_le32(rx->buf + n - FCS_LEN))
		return BF_DEFRAME_DAMAGED;
	if (rx->buf[0] != rx->me || rx->buf[1] != UI || rx->buf[2] != rx->peer)
		return BF_DEFRAME_FOREIGN;
	rx->msg_len = n - BF_HDLC_OVERHEAD;
	return BF_DEFRAME_MESSAGE;
}

enum bf_deframed bf_hdlc_put(struct bf_hdlc_rx *rx, uint8_t byte)
{
	if (byte == FLAG)
		return close_frame(rx);
	if (!rx->in_frame)
		return BF_DEFRAME_MORE;
	if (byte == ESCAPE) {
		rx->escaped = true;
		return BF_DEFRAME_MORE;
	}
	if (rx->escaped)
		byte ^= FLIP;
	rx->escaped = false;
	if (rx->n < rx->cap)
		rx->buf[rx->n++] = byte;
	else
		rx->too_long = true;
	return BF_DEFRAME_MORE;
}
