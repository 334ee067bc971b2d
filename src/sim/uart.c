/* SPDX-License-Identifier: MIT */
#include "sim/uart.h"

#include <string.h>

#define BITS_PER_BYTE 10u /* 8N1 */
#define PIECE_US      2000u
#define PIECE_MAX     64u

void bf_uart_init(struct bf_uart *u, uint32_t rate, uint64_t seed)
{
	memset(u, 0, sizeof(*u));
	u->pack_rate = u->tester_rate = rate;
	u->rng.state = seed;
}

static struct bf_lane *other(struct bf_uart *u, const struct bf_lane *l)
{
	return l == &u->to_pack ? &u->to_tester : &u->to_pack;
}

/* Bytes travel in pieces of about 2 ms, as an adapter hands them over. */
static void begin_piece(struct bf_uart *u, struct bf_lane *l, bf_time at)
{
	uint32_t rate = l == &u->to_pack ? u->tester_rate : u->pack_rate;
	size_t n = (size_t)((uint64_t)rate * PIECE_US / 1000000 / BITS_PER_BYTE);

	n = n < 1 ? 1 : n > PIECE_MAX ? PIECE_MAX : n;
	l->piece = n < l->len ? n : l->len;
	l->rate = rate;
	l->began = at;
	l->due = at + ((bf_time)l->piece * BITS_PER_BYTE * 1000000 + rate - 1) / rate;
	l->spoiled = !u->full_duplex && other(u, l)->piece != 0;
	if (l->spoiled) {
		other(u, l)->spoiled = true;
		u->collisions++;
	}
}

static size_t push(struct bf_uart *u, struct bf_lane *l, const uint8_t *p, size_t len, bf_time now)
{
	size_t n = 0;

	while (n < len && l->len < BF_LANE_SIZE)
		l->buf[(l->head + l->len++) % BF_LANE_SIZE] = p[n++];
	if (!l->piece && l->len)
		begin_piece(u, l, now > l->due ? now : l->due);
	return n;
}

size_t bf_uart_from_tester(struct bf_uart *u, const uint8_t *p, size_t len, bf_time now)
{
	return push(u, &u->to_pack, p, len, now);
}

size_t bf_uart_from_pack(struct bf_uart *u, const uint8_t *p, size_t len, bf_time now)
{
	return push(u, &u->to_tester, p, len, now);
}

static void take_new_rate(struct bf_uart *u)
{
	if (!u->next_pack_rate || u->to_tester.len)
		return;
	u->pack_rate = u->next_pack_rate;
	u->next_pack_rate = 0;
}

void bf_uart_pack_rate(struct bf_uart *u, uint32_t rate)
{
	u->next_pack_rate = rate;
	take_new_rate(u);
}

bf_time bf_uart_next(const struct bf_uart *u)
{
	bf_time a = u->to_pack.piece ? u->to_pack.due : BF_NEVER;
	bf_time b = u->to_tester.piece ? u->to_tester.due : BF_NEVER;

	return a < b ? a : b;
}

/* A receiver tolerates about 3 % between the two rates. */
static bool rates_agree(uint32_t a, uint32_t b)
{
	uint32_t diff = a > b ? a - b : b - a;

	return diff <= a / 32;
}

static void end_piece(struct bf_uart *u, struct bf_lane *l, bf_time now)
{
	bool to_pack = l == &u->to_pack;
	uint32_t listens = to_pack ? u->pack_rate : u->tester_rate;
	bf_time began = l->began;
	uint8_t piece[PIECE_MAX];
	size_t n = l->piece;

	for (size_t i = 0; i < n; i++)
		piece[i] = l->buf[(l->head + i) % BF_LANE_SIZE];
	l->head = (l->head + n) % BF_LANE_SIZE;
	l->len -= n;
	l->piece = 0;
	if (to_pack && u->sent)
		u->sent(u, piece, n, began, now);
	if (l->spoiled || u->tester_frames_differ || !rates_agree(l->rate, listens))
		for (size_t i = 0; i < n; i++)
			piece[i] = (uint8_t)bf_rng_next(&u->rng);
	if (l->len)
		begin_piece(u, l, l->due);
	take_new_rate(u);
	if (to_pack)
		u->at_pack(u, piece, n, began, now);
	else
		u->at_tester(u, piece, n, began, now);
}

void bf_uart_run(struct bf_uart *u, bf_time now)
{
	if (u->to_pack.piece && u->to_pack.due <= now)
		end_piece(u, &u->to_pack, now);
	if (u->to_tester.piece && u->to_tester.due <= now)
		end_piece(u, &u->to_tester, now);
}
