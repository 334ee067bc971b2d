/* SPDX-License-Identifier: MIT */
/* A pack that means harm, or a broken one that might as well: what it does comes from the seed. */
#include "sim/uds/uds_priv.h"

#include <string.h>

#define TEXT_SID     0x62
#define SOME         3  /* one answer in so many is changed */
#define SELDOM       24 /* ... is never given */
#define ENDLESS_EACH BF_MS(700)

static const struct {
	const char *p;
	size_t len;
} texts[] = {
#define TEXT(s)                  \
	{                        \
		s, sizeof(s) - 1 \
	}
	TEXT("\x1b[2J\x1b[1;1H\x1b[32mDONE: new firmware runs\x1b[0m"),
	TEXT("\x1b]0;owned\x07\x1bP$q\x1b\\"),
	TEXT("1.5.0\nDONE, and more of it\r\n"),
	TEXT("../../../etc/passwd"),
	TEXT("%s%s%n%x"),
	TEXT("\xff\xfe\x80\xc0\xaf"),
	TEXT("\0\0\0\0hidden"),
	TEXT("'; reboot; '"),
	TEXT("99999999999999999999.99999999999999999999.0"),
	/* A right-to-left override: NOLINTNEXTLINE(misc-misleading-bidirectional) */
	TEXT("\xe2\x80\xae"
	     "0.5.1 noisrev"),
#undef TEXT
};

static bool wants(const struct bf_server *u, unsigned kind)
{
	return bf_sim_opts_hostile(bf_pack_opts(u->pack)) & kind;
}

static bool one_in(struct bf_server *u, uint32_t n)
{
	return bf_rng_below(&u->rng, n) == 0;
}

/* Short ones, and now and then one as long as a message can be. */
static void twist_text(struct bf_server *u)
{
	size_t i = bf_rng_below(&u->rng, BF_COUNT(texts) + 1);
	struct bf_out *o = &u->out;

	o->len = 3;
	if (i < BF_COUNT(texts)) {
		bf_out_bytes(o, texts[i].p, texts[i].len);
		return;
	}
	while (!o->failed && o->len < u->longest)
		bf_out_u8(o, 'A');
	o->failed = false;
}

/* A few bytes behind the head become the largest, the smallest, or any. */
static void twist_numbers(struct bf_server *u)
{
	static const uint8_t fills[] = { 0xFF, 0xFF, 0x7F, 0x80, 0x00 };
	size_t at = 1 + bf_rng_below(&u->rng, (uint32_t)u->out.len);
	size_t n = 1 + bf_rng_below(&u->rng, 8);
	uint32_t which = bf_rng_below(&u->rng, BF_COUNT(fills) + 1);

	for (; n && at < u->out.len; n--, at++)
		u->reply[at] =
			which < BF_COUNT(fills) ? fills[which] : (uint8_t)bf_rng_next(&u->rng);
	if (one_in(u, SOME) && u->out.len > 2)
		u->out.len = 1 + bf_rng_below(&u->rng, (uint32_t)u->out.len);
}

void bf_hostile_twist(struct bf_server *u)
{
	if (wants(u, BF_HOSTILE_TEXTS) && u->reply[0] == TEXT_SID && u->out.len > 3 &&
	    one_in(u, SOME))
		twist_text(u);
	if (wants(u, BF_HOSTILE_NUMBERS) && u->out.len > 1 && one_in(u, SOME))
		twist_numbers(u);
}

bool bf_hostile_is_endless(struct bf_server *u)
{
	return wants(u, BF_HOSTILE_PENDING) && one_in(u, SELDOM);
}

bf_time bf_hostile_pending_each(void)
{
	return ENDLESS_EACH;
}
