/* SPDX-License-Identifier: MIT */
#include "sim/uart.h"

#include <string.h>

#include "bmsflash/transport.h"

#define BITS_PER_BYTE 10u /* 8N1; a parity is one more */
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

static unsigned bits_of(const struct bf_uart *u, const struct bf_lane *l)
{
	unsigned parity = l == &u->to_pack && !u->any_frames ? u->tester_parity : u->pack_parity;

	return BITS_PER_BYTE + (parity != 0);
}

/* Bytes travel in pieces of about 2 ms, as an adapter hands them over. */
static void begin_piece(struct bf_uart *u, struct bf_lane *l, bf_time at)
{
	uint32_t rate = l == &u->to_pack ? u->tester_rate : u->pack_rate;
	unsigned bits = bits_of(u, l);
	size_t n = (size_t)((uint64_t)rate * PIECE_US / 1000000 / bits);

	n = n < 1 ? 1 : n > PIECE_MAX ? PIECE_MAX : n;
	l->piece = n < l->len ? n : l->len;
	l->rate = rate;
	l->began = at;
	l->due = at + ((bf_time)l->piece * bits * 1000000 + rate - 1) / rate;
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

void bf_uart_pack_line(struct bf_uart *u, uint32_t rate, unsigned parity)
{
	u->next_pack_rate = 0;
	u->any_rate = !rate;
	u->pack_parity = parity;
	if (rate)
		u->pack_rate = rate;
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

static unsigned ones(uint8_t byte)
{
	unsigned n = 0;

	for (; byte; byte &= (uint8_t)(byte - 1))
		n++;
	return n;
}

/*
 * Frames with and without a parity bit look alike where that bit is 1, as the stop bit and the idle line are: a byte with an
 * odd number of ones for even parity, with an even one for odd. With another byte close behind it none does.
 */
static bool looks_right(const struct bf_uart *u, uint8_t byte, bool alone)
{
	unsigned one = u->pack_parity, other = u->tester_parity;

	if (u->any_frames || (one == other && !u->tester_bits_differ))
		return true;
	if (u->tester_bits_differ || (one != BF_PARITY_NONE && other != BF_PARITY_NONE))
		return false;
	return alone && ones(byte) % 2 == (one + other == BF_PARITY_EVEN);
}

/* Does what comes out of the line have the shape of what went in? */
static bool arrives(const struct bf_uart *u, const struct bf_lane *l)
{
	bool to_pack = l == &u->to_pack;
	bool any_rate = to_pack && u->any_rate;

	return !l->spoiled &&
	       (any_rate || rates_agree(l->rate, to_pack ? u->pack_rate : u->tester_rate));
}

static void end_piece(struct bf_uart *u, struct bf_lane *l, bf_time now)
{
	bool to_pack = l == &u->to_pack;
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
	if (to_pack)
		u->heard_rate = l->rate;
	for (size_t i = 0; i < n; i++)
		if (!arrives(u, l) || !looks_right(u, piece[i], n == 1 && !l->len))
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
