/* SPDX-License-Identifier: MIT */
#include "sim/isotp.h"

#include <string.h>

#define PAD            0xCC
#define N_TIMEOUT      BF_SEC(1) /* N_Bs and N_Cr */
#define FC_CONTINUE    0x30
#define HOSTILE_ONE_IN 16
#define HOSTILE_EACH   BF_MS(150)
#define FC_OVERFLOW    0x32

enum pci { PCI_SINGLE = 0, PCI_FIRST = 1, PCI_CONSECUTIVE = 2, PCI_FLOW = 3 };

void bf_isotp_server_init(struct bf_isotp_server *s, struct bf_isotp_port *port)
{
	memset(s, 0, sizeof(*s));
	s->port = port;
	s->ids = (struct bf_isotp_ids){ BF_ISOTP_REQUEST, BF_ISOTP_ANSWER, BF_ISOTP_FUNCTIONAL };
	s->rx_until = s->tx_at = BF_NEVER;
}

void bf_isotp_server_reset(struct bf_isotp_server *s)
{
	s->rx_len = 0;
	s->state = BF_ISOTP_IDLE;
	s->rx_until = s->tx_at = BF_NEVER;
}

static bool is_fd(const struct bf_isotp_server *s)
{
	return s->flags & BF_FRAME_FD;
}

static size_t frame_room(const struct bf_isotp_server *s)
{
	return is_fd(s) ? BF_CAN_MAX_DATA : 8;
}

/* Frames are filled up to 8 bytes, longer ones to the next length that CAN FD has. */
static uint8_t padded(size_t len)
{
	static const uint8_t lengths[] = { 8, 12, 16, 20, 24, 32, 48, 64 };

	for (size_t i = 0; i < BF_COUNT(lengths); i++)
		if (len <= lengths[i])
			return lengths[i];
	return BF_CAN_MAX_DATA;
}

static bf_time send_frame(struct bf_isotp_server *s, const uint8_t *head, size_t head_len,
			  const uint8_t *p, size_t len, bf_time now)
{
	struct bf_frame f = { .id = s->ids.answer, .flags = s->flags, .at = now };

	memset(f.data, PAD, sizeof(f.data));
	memcpy(f.data, head, head_len);
	if (len)
		memcpy(f.data + head_len, p, len);
	f.len = padded(head_len + len);
	return s->port->send(s->port, &f, now);
}

/* ---- receiving ---- */

static void drop_rx(struct bf_isotp_server *s)
{
	s->rx_len = 0;
	s->rx_until = BF_NEVER;
}

static void got_single(struct bf_isotp_server *s, const struct bf_frame *f, bf_time now)
{
	bool functional = f->id == s->ids.functional;
	size_t len = f->data[0] & 0x0F;
	size_t head = 1;

	if (!len && (f->flags & BF_FRAME_FD) && f->len > 8) {
		len = f->data[1];
		head = 2;
	}
	if (!len || head + len > f->len)
		return;
	if (!functional)
		drop_rx(s);
	if (s->state == BF_ISOTP_ENDLESS)
		s->state = BF_ISOTP_IDLE;
	s->flags = f->flags;
	s->port->message(s->port, f->data + head, len, functional, now);
}

static void send_flow(struct bf_isotp_server *s, uint8_t status, bf_time now)
{
	const uint8_t fc[3] = { status, s->ask_block_size, s->ask_st_min };

	send_frame(s, fc, sizeof(fc), NULL, 0, now);
	s->rx_block = s->ask_block_size;
}

static void got_first(struct bf_isotp_server *s, const struct bf_frame *f, bf_time now)
{
	size_t len = (size_t)(f->data[0] & 0x0F) << 8 | f->data[1];

	if (f->id == s->ids.functional || f->len < 8)
		return;
	s->flags = f->flags;
	if (len == 0) { /* the 32-bit form: longer than our buffer */
		send_flow(s, FC_OVERFLOW, now);
		return;
	}
	if (len <= f->len - 2u)
		return;
	s->rx_len = len;
	s->rx_got = f->len - 2u;
	s->rx_frame = f->len;
	s->rx_sn = 1;
	memcpy(s->rx, f->data + 2, s->rx_got);
	s->rx_until = now + N_TIMEOUT;
	send_flow(s, FC_CONTINUE, now);
}

static void got_consecutive(struct bf_isotp_server *s, const struct bf_frame *f, bf_time now)
{
	size_t left = s->rx_len - s->rx_got;
	size_t room = s->rx_frame - 1u, n = f->len - 1u;

	if (!s->rx_len)
		return;
	/* ISO 15765-2: only the last frame may be shorter than the first one was. */
	if (n < room && n < left)
		return;
	if ((f->data[0] & 0x0F) != s->rx_sn) {
		drop_rx(s);
		return;
	}
	n = n < left ? n : left;
	memcpy(s->rx + s->rx_got, f->data + 1, n);
	s->rx_got += n;
	s->rx_sn = (s->rx_sn + 1) & 0x0F;
	s->rx_until = now + N_TIMEOUT;
	if (s->rx_got == s->rx_len) {
		size_t len = s->rx_len;

		drop_rx(s);
		s->port->message(s->port, s->rx, len, false, now);
		return;
	}
	if (s->rx_block && --s->rx_block == 0)
		send_flow(s, FC_CONTINUE, now);
}

/* ---- sending ---- */

static bf_time st_min_us(uint8_t raw)
{
	if (raw <= 0x7F)
		return BF_MS(raw);
	if (raw >= 0xF1 && raw <= 0xF9)
		return BF_US(100) * (raw - 0xF0);
	return BF_MS(127); /* reserved values mean the longest */
}

static void got_flow(struct bf_isotp_server *s, const struct bf_frame *f, bf_time now)
{
	if (s->state != BF_ISOTP_WAIT_FLOW || f->len < 3)
		return;
	switch (f->data[0] & 0x0F) {
	case 0:
		s->tx_blocks = f->data[1] != 0;
		s->tx_block_left = f->data[1];
		s->st_min = st_min_us(f->data[2]);
		s->state = BF_ISOTP_SENDING;
		s->tx_at = now;
		return;
	case 1: /* wait */
		s->tx_at = now + N_TIMEOUT;
		return;
	}
	s->state = BF_ISOTP_IDLE;
	s->tx_at = BF_NEVER;
}

static void send_consecutive(struct bf_isotp_server *s, bf_time now)
{
	const uint8_t head = (uint8_t)(0x20 | s->tx_sn);
	size_t n = s->tx_len - s->tx_sent;
	size_t room = frame_room(s) - 1;
	bf_time left_at;

	n = n < room ? n : room;
	left_at = send_frame(s, &head, 1, s->tx + s->tx_sent, n, now);
	s->tx_sent += n;
	s->tx_sn = (s->tx_sn + 1) & 0x0F;
	if (s->tx_sent == s->tx_len) {
		s->state = BF_ISOTP_IDLE;
		s->tx_at = BF_NEVER;
		return;
	}
	s->tx_at = left_at + s->st_min;
	if (s->tx_blocks && --s->tx_block_left == 0) {
		s->state = BF_ISOTP_WAIT_FLOW;
		s->tx_at = left_at + N_TIMEOUT;
	}
}

void bf_isotp_server_send(struct bf_isotp_server *s, const uint8_t *msg, size_t len, bf_time now)
{
	uint8_t head[2] = { (uint8_t)len, 0 };
	size_t room = frame_room(s);

	s->state = BF_ISOTP_IDLE;
	s->tx_at = BF_NEVER;
	if (len > sizeof(s->tx))
		return;
	if (len <= 7) {
		send_frame(s, head, 1, msg, len, now);
		return;
	}
	if (is_fd(s) && len <= room - 2) {
		head[0] = 0;
		head[1] = (uint8_t)len;
		send_frame(s, head, 2, msg, len, now);
		return;
	}
	head[0] = (uint8_t)(0x10 | len >> 8);
	head[1] = (uint8_t)len;
	memcpy(s->tx, msg, len);
	s->tx_len = len;
	s->tx_sent = room - 2;
	s->tx_sn = 1;
	s->state = BF_ISOTP_WAIT_FLOW;
	s->tx_at = send_frame(s, head, 2, msg, room - 2, now) + N_TIMEOUT;
	if (s->hostile && bf_rng_below(s->hostile, HOSTILE_ONE_IN) == 0) {
		s->state = BF_ISOTP_ENDLESS;
		s->tx_at = now + HOSTILE_EACH;
	}
}

/* The longest message there is, again and again. */
static void send_first_again(struct bf_isotp_server *s, bf_time now)
{
	const uint8_t head[2] = { 0x1F, 0xFF };

	send_frame(s, head, 2, s->tx, frame_room(s) - 2, now);
	s->tx_at = now + HOSTILE_EACH;
}

void bf_isotp_server_frame(struct bf_isotp_server *s, const struct bf_frame *f, bf_time now)
{
	if ((f->flags & (BF_FRAME_EXT | BF_FRAME_RTR)) || f->len < 2)
		return;
	if (f->id != s->ids.request && f->id != s->ids.functional)
		return;
	switch (f->data[0] >> 4) {
	case PCI_SINGLE:
		got_single(s, f, now);
		break;
	case PCI_FIRST:
		got_first(s, f, now);
		break;
	case PCI_CONSECUTIVE:
		got_consecutive(s, f, now);
		break;
	case PCI_FLOW:
		got_flow(s, f, now);
		break;
	}
}

bf_time bf_isotp_server_next(const struct bf_isotp_server *s)
{
	return s->rx_until < s->tx_at ? s->rx_until : s->tx_at;
}

void bf_isotp_server_run(struct bf_isotp_server *s, bf_time now)
{
	if (s->rx_until <= now)
		drop_rx(s);
	if (s->tx_at > now)
		return;
	switch (s->state) {
	case BF_ISOTP_SENDING:
		send_consecutive(s, now);
		break;
	case BF_ISOTP_ENDLESS:
		send_first_again(s, now);
		break;
	case BF_ISOTP_WAIT_FLOW: /* nobody wants the rest */
	case BF_ISOTP_IDLE:
		s->state = BF_ISOTP_IDLE;
		s->tx_at = BF_NEVER;
		break;
	}
}
