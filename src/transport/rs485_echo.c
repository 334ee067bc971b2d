/* SPDX-License-Identifier: MIT */
#include "rs485_echo.h"

#include <string.h>

/* More than this unheard is no echo any more, but a reader that does not read. */
#define MAX_EXPECTED 65536
/* As many differing bytes show that something else than the echo is coming. */
#define FOREIGN_AFTER 3
/* An accidental likeness of a reply with the request is shorter than this (addresses differ). */
#define LIKENESS         4
#define MISSES_TO_ABSENT 3
#define ROOM             512u

/* Room for n bytes, at least; *cap: how many there is room for. */
static uint8_t *grow(uint8_t *p, size_t *cap, size_t n)
{
	size_t room = *cap ? *cap : ROOM;
	uint8_t *q;

	if (n <= *cap)
		return p;
	while (room < n)
		room *= 2;
	q = realloc(p, room);
	if (!q)
		abort();
	*cap = room;
	return q;
}

void bf_echo_done(struct bf_echo *e)
{
	free(e->sent);
	free(e->heard);
	free(e->out);
	memset(e, 0, sizeof(*e));
}

static void expect_nothing(struct bf_echo *e)
{
	e->n_sent = 0;
	e->pos = 0;
	e->first_bad = 0;
	e->bad = 0;
}

static void emit(struct bf_echo *e, const uint8_t *p, size_t len)
{
	if (!len)
		return;
	if (e->out_pos == e->out_len)
		e->out_pos = e->out_len = 0;
	e->out = grow(e->out, &e->out_cap, e->out_len + len);
	memcpy(e->out + e->out_len, p, len);
	e->out_len += len;
}

/* All that was heard from `from` on came from somebody else. */
static void release(struct bf_echo *e, size_t from)
{
	emit(e, e->heard + from, e->pos - from);
	e->removed += from;
	expect_nothing(e);
}

static bool all_matches(const struct bf_echo *e)
{
	return e->bad == 0;
}

static bool whole(const struct bf_echo *e)
{
	return e->n_sent && e->pos == e->n_sent && all_matches(e);
}

void bf_echo_reset(struct bf_echo *e)
{
	struct bf_echo kept = {
		.mode = e->mode,
		.own_heard = e->own_heard,
		.removed = e->removed,
		.damaged = e->damaged,
	};

	bf_echo_done(e);
	*e = kept;
}

void bf_echo_sent(struct bf_echo *e, const uint8_t *p, size_t len)
{
	/* In doubt until now (heard back, then silence), or absent and only watched: start afresh. */
	if (whole(e) || e->mode == BF_ECHO_ABSENT || e->n_sent + len > MAX_EXPECTED)
		expect_nothing(e);
	if (!len || len > MAX_EXPECTED)
		return;
	e->sent = grow(e->sent, &e->sent_cap, e->n_sent + len);
	e->heard = grow(e->heard, &e->heard_cap, e->n_sent + len);
	memcpy(e->sent + e->n_sent, p, len);
	e->n_sent += len;
}

static void settle_present(struct bf_echo *e)
{
	e->mode = BF_ECHO_PRESENT;
	e->removed += e->pos;
	e->misses = 0;
	expect_nothing(e);
}

/* Leading or middle bytes of the echo were not heard: looks for the heard ones further on. */
static bool realign(struct bf_echo *e)
{
	size_t n = e->pos - e->first_bad;

	for (size_t at = e->first_bad + 1; at + n <= e->n_sent; at++) {
		if (memcmp(e->sent + at, e->heard + e->first_bad, n) != 0)
			continue;
		e->pos = at + n;
		e->bad = 0;
		e->damaged++;
		if (e->pos == e->n_sent)
			settle_present(e);
		return true;
	}
	return false;
}

static void give_up(struct bf_echo *e)
{
	e->damaged++;
	e->misses = e->first_bad ? 0 : e->misses + 1;
	if (e->misses >= MISSES_TO_ABSENT)
		e->mode = BF_ECHO_ABSENT;
	release(e, e->first_bad);
}

/* Some byte differs. False: damaged in place. */
static bool judge(struct bf_echo *e)
{
	size_t good = e->pos - e->first_bad - e->bad;

	if (e->mode == BF_ECHO_UNKNOWN) {
		if (e->first_bad < LIKENESS || e->first_bad * 2 < e->n_sent) {
			e->mode = BF_ECHO_ABSENT;
			release(e, 0);
			return true;
		}
		e->mode = BF_ECHO_PRESENT;
	}
	if (e->pos == e->n_sent) {
		if (e->bad > 1 && e->bad > good) {
			give_up(e);
			return true;
		}
		e->damaged++;
		expect_nothing(e);
		return false;
	}
	if (e->bad >= FOREIGN_AFTER && e->bad > good && !realign(e))
		give_up(e);
	return true;
}

/* Absent, as far as we know: bytes pass, but a whole own message before others is evidence. */
static void watch(struct bf_echo *e, uint8_t b)
{
	emit(e, &b, 1);
	if (whole(e) && e->n_sent >= LIKENESS) {
		e->own_heard = true;
		e->mode = BF_ECHO_PRESENT;
		expect_nothing(e);
	} else if (e->pos < e->n_sent && b == e->sent[e->pos]) {
		e->pos++;
	} else {
		expect_nothing(e);
	}
}

static bool compare(struct bf_echo *e, uint8_t b)
{
	if (whole(e))
		settle_present(e);
	if (!e->n_sent) {
		emit(e, &b, 1);
		return true;
	}
	if (b != e->sent[e->pos]) {
		if (!e->bad)
			e->first_bad = e->pos;
		e->bad++;
	}
	e->heard[e->pos++] = b;
	if (!all_matches(e))
		return judge(e);
	if (!whole(e))
		return true;
	e->own_heard = true;
	/* The first time it might be a reply that repeats the request: what follows will tell. */
	if (e->mode == BF_ECHO_PRESENT)
		settle_present(e);
	return true;
}

bool bf_echo_feed(struct bf_echo *e, const uint8_t *p, size_t len)
{
	bool ok = true;

	if (e->mode == BF_ECHO_ABSENT && !e->n_sent) {
		emit(e, p, len);
		return true;
	}
	for (size_t i = 0; i < len; i++) {
		if (e->mode == BF_ECHO_ABSENT)
			watch(e, p[i]);
		else
			ok = compare(e, p[i]) && ok;
	}
	return ok;
}

void bf_echo_expire(struct bf_echo *e)
{
	if (!e->n_sent || e->mode == BF_ECHO_ABSENT || whole(e))
		return;
	if (e->mode == BF_ECHO_UNKNOWN) {
		e->mode = BF_ECHO_ABSENT;
		release(e, 0);
		return;
	}
	if (all_matches(e))
		e->first_bad = e->pos;
	give_up(e);
}

size_t bf_echo_take(struct bf_echo *e, uint8_t *p, size_t cap)
{
	size_t n = e->out_len - e->out_pos;

	if (n > cap)
		n = cap;
	if (n)
		memcpy(p, e->out + e->out_pos, n);
	e->out_pos += n;
	return n;
}

void bf_echo_discard(struct bf_echo *e)
{
	e->out_pos = e->out_len = 0;
}
