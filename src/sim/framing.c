/* SPDX-License-Identifier: MIT */
#include "sim/framing.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"

#define FLAG       0x7E
#define ESCAPE     0x7D
#define ESCAPE_BIT 0x20
#define CONTROL_UI 0x03
#define ALL_NODES  0xFF
#define HDLC_FIXED 7u /* address, control, source, FCS */
#define ISO_PHYS   0x80
#define ISO_FUNC   0xC0

/* A silence so long ends whatever was under way; between two HDLC frames that share a flag there is
 * hardly any, and either framing may begin after it. */
#define BURST_GAP BF_MS(60)
#define FRAME_GAP BF_MS(5)
/* ISO 14230-2: P4 is 20 ms at most. The low of a fast initialisation looks like one byte, and 25 ms later comes the
 * frame; computers that are late are given more once a frame has really begun. */
#define LONE_GAP BF_MS(20)

void bf_framing_init(struct bf_framing *f, struct bf_framing_port *port)
{
	memset(f, 0, sizeof(*f));
	f->port = port;
	f->node = BF_NODE_ADDR;
}

static void restart(struct bf_framing *f)
{
	f->len = 0;
	f->escaped = f->overrun = false;
}

static void damaged(struct bf_framing *f)
{
	f->damaged++;
	restart(f);
}

/* ---- HDLC: 7E address 03 source message FCS-32 (low byte first) 7E ---- */

static void hdlc_end(struct bf_framing *f, bf_time now)
{
	size_t len = f->len;
	bool functional = f->buf[0] == ALL_NODES;

	if (!len)
		return;
	if (f->overrun || f->escaped || len <= HDLC_FIXED ||
	    bf_crc(&bf_crc32_ieee, f->buf, len - 4) != bf_get_le32(f->buf + len - 4)) {
		damaged(f);
		return;
	}
	restart(f);
	if ((f->buf[0] != f->node && !functional) || f->buf[1] != CONTROL_UI)
		return;
	f->asked = BF_FRAMED_HDLC;
	f->tester = f->buf[2];
	f->port->message(f->port, f->buf + 3, len - HDLC_FIXED, functional, BF_FRAMING_MAX, now);
}

static void hdlc_byte(struct bf_framing *f, uint8_t b, bf_time now)
{
	if (b == FLAG) {
		hdlc_end(f, now);
		return;
	}
	if (b == ESCAPE) {
		f->escaped = true;
		return;
	}
	if (f->escaped)
		b ^= ESCAPE_BIT;
	f->escaped = false;
	if (f->len < sizeof(f->buf))
		f->buf[f->len++] = b;
	else
		f->overrun = true;
}

/* ---- ISO 14230: Fmt Tgt Src [Len] data CS ---- */

/* Whole length of the frame that has begun, 0 while that is not known. */
static size_t iso_length(const struct bf_framing *f)
{
	size_t n = f->buf[0] & 0x3F;

	if (n)
		return 3 + n + 1;
	return f->len > 3 ? 4u + f->buf[3] + 1 : 0;
}

static void iso_end(struct bf_framing *f, size_t whole, bf_time now)
{
	bool functional = (f->buf[0] & 0xC0) == ISO_FUNC;
	size_t head = f->buf[0] & 0x3F ? 3 : 4;
	uint8_t sum = 0;

	for (size_t i = 0; i + 1 < whole; i++)
		sum = (uint8_t)(sum + f->buf[i]);
	f->burst = BF_FRAMED_NONE;
	if (sum != f->buf[whole - 1] || whole == head + 1) {
		damaged(f);
		return;
	}
	restart(f);
	if (!functional && f->buf[1] != f->node)
		return;
	f->asked = BF_FRAMED_ISO14230;
	f->tester = f->buf[2];
	f->port->message(f->port, f->buf + head, whole - head - 1, functional, BF_FRAMING_MAX_ISO,
			 now);
}

static void iso_byte(struct bf_framing *f, uint8_t b, bf_time now)
{
	size_t whole;

	f->buf[f->len++] = b;
	whole = iso_length(f);
	if (whole && f->len == whole)
		iso_end(f, whole, now);
}

/* ---- both ---- */

static void first_byte(struct bf_framing *f, uint8_t b)
{
	restart(f);
	if (b == FLAG)
		f->burst = BF_FRAMED_HDLC;
	else if ((b & 0xC0) == ISO_PHYS || (b & 0xC0) == ISO_FUNC)
		f->burst = BF_FRAMED_ISO14230;
	else if (f->asked ==
		 BF_FRAMED_HDLC) /* the flag before the silence opened this frame, too */
		f->burst = BF_FRAMED_HDLC;
	else
		f->damaged++;
}

static bool is_new_burst(const struct bf_framing *f, bf_time silence)
{
	bool between = f->burst == BF_FRAMED_HDLC && !f->len;

	if (f->burst == BF_FRAMED_ISO14230 && f->len == 1)
		return silence > LONE_GAP;
	return silence > (between ? FRAME_GAP : BURST_GAP);
}

void bf_framing_feed(struct bf_framing *f, const uint8_t *p, size_t len, bf_time began, bf_time now)
{
	if (is_new_burst(f, began - f->heard_at))
		f->burst = BF_FRAMED_NONE;
	f->heard_at = now;
	for (size_t i = 0; i < len; i++) {
		if (f->burst == BF_FRAMED_NONE)
			first_byte(f, p[i]);
		switch (f->burst) {
		case BF_FRAMED_NONE:
			break;
		case BF_FRAMED_ISO14230:
			iso_byte(f, p[i], now);
			break;
		case BF_FRAMED_HDLC:
			hdlc_byte(f, p[i], now);
			break;
		}
	}
}

static void put_stuffed(struct bf_out *o, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] == FLAG || p[i] == ESCAPE) {
			bf_out_u8(o, ESCAPE);
			bf_out_u8(o, p[i] ^ ESCAPE_BIT);
		} else {
			bf_out_u8(o, p[i]);
		}
	}
}

static size_t hdlc_answer(const struct bf_framing *f, const uint8_t *msg, size_t len, uint8_t *dst)
{
	const uint8_t head[3] = { f->tester, CONTROL_UI, f->node };
	struct bf_out o = bf_out(dst, BF_FRAMING_WIRE);
	uint32_t crc = bf_crc_start(&bf_crc32_ieee);
	uint8_t fcs[4];

	crc = bf_crc_feed(&bf_crc32_ieee, crc, head, sizeof(head));
	crc = bf_crc_feed(&bf_crc32_ieee, crc, msg, len);
	bf_put_le32(fcs, bf_crc_end(&bf_crc32_ieee, crc));
	bf_out_u8(&o, FLAG);
	put_stuffed(&o, head, sizeof(head));
	put_stuffed(&o, msg, len);
	put_stuffed(&o, fcs, sizeof(fcs));
	bf_out_u8(&o, FLAG);
	return o.len;
}

static size_t iso_answer(const struct bf_framing *f, const uint8_t *msg, size_t len, uint8_t *dst)
{
	struct bf_out o = bf_out(dst, BF_FRAMING_WIRE);
	bool small = len <= 63;
	uint8_t sum = 0;

	if (len > BF_FRAMING_MAX_ISO)
		return 0;
	bf_out_u8(&o, (uint8_t)(ISO_PHYS | (small ? len : 0)));
	bf_out_u8(&o, f->tester);
	bf_out_u8(&o, f->node);
	if (!small)
		bf_out_u8(&o, (uint8_t)len);
	bf_out_bytes(&o, msg, len);
	for (size_t i = 0; i < o.len; i++)
		sum = (uint8_t)(sum + dst[i]);
	bf_out_u8(&o, sum);
	return o.len;
}

size_t bf_framing_answer(const struct bf_framing *f, const uint8_t *msg, size_t len, uint8_t *dst)
{
	switch (f->asked) {
	case BF_FRAMED_NONE:
		break;
	case BF_FRAMED_ISO14230:
		return iso_answer(f, msg, len, dst);
	case BF_FRAMED_HDLC:
		return hdlc_answer(f, msg, len, dst);
	}
	return 0;
}
