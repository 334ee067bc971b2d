/* SPDX-License-Identifier: MIT */
/*
 * A whole session with a server that answers what the input says, on virtual time. Nothing it says may break the
 * client's memory, keep it for ever, or make it believe in numbers that cannot be.
 */
#include "fuzz.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/family.h"
#include "link/hdlc_codec.h"
#include "wire.h"

#define NODE      0x11
#define TESTER    0xF1
#define HEARD_MAX 400 /* requests; the rest is silence */
#define LONGEST   BF_SEC(6 * 3600)

struct server {
	struct wire *w;
	const uint8_t *p; /* what is left of the input */
	size_t left;
	unsigned heard;
	uint8_t rx[70000];
};

/* Habits that a profile may have; the first byte of the input chooses. */
static const char *const profiles[] = {
	"",
	"[uds]\nsecurity-level = 1\naddress-format = 0x24\nbyte-order = "
	"little\n[routines]\nbusy-status = 1\n"
	"poll = results\nself-test = 0xF0B5\nhash = 0xF0B4\nstate = 0xF0B0\nbalance = 0xF0B6\n",
	"[uds]\nenter = 0x60, 0x02\nread-service = 23\nexit-answer = crc32\nversion-format = bcd\n"
	"loader-known-by = identifier\nloader-did = 0xF1A0\nloader-value = 4C\n[routines]\n"
	"check-memory = 0x0202\ncheck-when = after-restart\n[step a]\nsend = 31 01 02 03\nbusy = "
	"71 01 02 03 05\n"
	"poll = results\n[step b]\nwhen = after-restart\nsend = 22 F1 90\noptional = yes\n",
	"[uds]\nchunk = 40\ncounter-wrap = 1\ndata-format = 0x10\nsecurity-session = "
	"extended\nsecurity-level = 3\n"
	"second-level = 5\nread-session = programming\nfunctional = "
	"session\n[routines]\ncheck-memory = 0x0201\n"
	"check-when = block\ncheck-option = {crc16:4}\n[region app]\naddress = 0x1000\nsize = "
	"0x1000\n",
};

static uint8_t take(struct server *s)
{
	if (!s->left)
		return 0;
	s->left--;
	return *s->p++;
}

static size_t take_bytes(struct server *s, uint8_t *dst, size_t n)
{
	n = n < s->left ? n : s->left;
	memcpy(dst, s->p, n);
	s->p += n;
	s->left -= n;
	return n;
}

static void put(struct server *s, bf_time delay, const uint8_t *msg, size_t len)
{
	uint8_t frame[BF_HDLC_WIRE_MAX(600)];

	wire_put_bytes(s->w, delay, frame, bf_hdlc_encode(frame, TESTER, NODE, msg, len));
}

/* One record of the input is one answer: positive, negative, pending first, somebody else's, or none. */
static void answer(struct server *s, const uint8_t *req, size_t len)
{
	uint8_t msg[600], kind = take(s), nrc = 0x31;
	size_t n = 0, repeats = kind >> 6;

	switch (kind % 6) {
	case 0:
	case 1:
		msg[n++] = (uint8_t)(req[0] | 0x40);
		for (size_t i = 1; i <= repeats && i < len; i++)
			msg[n++] = req[i];
		n += take_bytes(s, msg + n, take(s));
		put(s, BF_MS(2), msg, n);
		return;
	case 2:
		nrc = take(s);
		break;
	case 3:
		for (unsigned i = 0; i < 40; i++)
			put(s, BF_MS(2) + BF_SEC(i), (const uint8_t[]){ 0x7F, req[0], 0x78 }, 3);
		nrc = take(s);
		break;
	case 4:
		n = take_bytes(s, msg, take(s));
		if (n)
			put(s, BF_MS(2), msg, n);
		return;
	case 5:
		return;
	}
	put(s, kind % 6 == 3 ? BF_SEC(41) : BF_MS(2), (const uint8_t[]){ 0x7F, req[0], nrc }, 3);
}

static void heard(struct wire *w, const uint8_t *p, size_t len)
{
	struct server *s = w->peer;
	struct bf_hdlc_rx rx = { .me = NODE, .peer = TESTER, .buf = s->rx, .cap = sizeof(s->rx) };

	for (size_t i = 0; i < len; i++) {
		if (bf_hdlc_put(&rx, p[i]) == BF_DEFRAME_MESSAGE && rx.msg_len &&
		    s->heard++ < HEARD_MAX)
			answer(s, s->rx + BF_HDLC_MSG_AT, rx.msg_len);
	}
}

static enum bf_rc respond(struct bf_auth *auth, unsigned level, const uint8_t *seed,
			  size_t seed_len, uint8_t *key, size_t cap, size_t *ret_len,
			  struct bf_err *err)
{
	(void)auth;
	(void)level;
	(void)err;
	FUZZ_CHECK(cap >= 4 && (seed_len == 0 || seed));
	memset(key, 0x5A, 4);
	*ret_len = 4;
	return BF_OK;
}

static void check_ident(const struct bf_ident *id)
{
	FUZZ_CHECK(id->n_regions <= BF_MAX_REGIONS && id->n_slots <= BF_MAX_SLOTS);
	FUZZ_CHECK(memchr(id->serial, 0, sizeof(id->serial)) &&
		   memchr(id->version_text, 0, sizeof(id->version_text)));
	FUZZ_CHECK(id->in_bootloader == (id->talks == BF_TALKS_LOADER));
	for (size_t i = 0; i < id->n_slots; i++)
		FUZZ_CHECK(id->slots[i].digest_len <= sizeof(id->slots[i].digest));
	for (size_t i = 0; i < id->n_regions; i++)
		FUZZ_CHECK(id->regions[i].size &&
			   (uint64_t)id->regions[i].addr + id->regions[i].size <= (1ull << 32));
}

static void write_it(struct bf_proto *p, struct bf_err *err)
{
	static const uint8_t data[300] = { 1, 2, 3 };
	const struct bf_segment seg = { .addr = 0x1000, .data = data, .len = sizeof(data) };
	const struct bf_target target = { .segment = &seg, .addr = 0x1000, .len = sizeof(data) };
	struct bf_flow flow = { 0 };
	size_t at = 0, next;

	(void)p->ops->loader->erase(p, NULL, 0x1000, 0x800, err);
	if (p->ops->loader->begin(p, &target, &flow, err))
		return;
	FUZZ_CHECK(flow.block_max > 0);
	while (at < sizeof(data)) {
		size_t left = sizeof(data) - at;
		const struct bf_block block = { .offset = at,
						.data = data + at,
						.len = left < flow.block_max ? left
									     : flow.block_max };

		next = at;
		if (p->ops->loader->block_start(p, &block, err) ||
		    p->ops->loader->block_finish(p, &next, err) || next <= at) {
			p->ops->loader->abandon(p);
			return;
		}
		at = next;
	}
	(void)p->ops->loader->finish(p, err);
	(void)p->ops->loader->check(p, &target, err);
}

static void talk(struct bf_proto *p, struct bf_clock *clock)
{
	struct bf_ident id = { 0 };
	struct bf_self_test test;
	struct bf_measure m = { 0 };
	uint8_t digest[BF_SHA256_LEN], units[4][8], memory[200];
	struct bf_err err;
	bool good;

	bf_err_init(&err);
	if (p->ops->recognise(p, bf_in(clock, BF_SEC(1)), &err))
		return;
	(void)p->ops->connect(p, BF_ENTRY_READ, &err);
	if (!p->ops->identify(p, &id, &err))
		check_ident(&id);
	(void)p->ops->app->measure(p, &m, &err);
	FUZZ_CHECK(m.n_cells <= BF_MAX_CELLS && m.n_temps <= BF_MAX_TEMPS);
	(void)p->ops->loader->read(p, NULL, 0x1000, memory, sizeof(memory), &err);
	(void)p->ops->loader->hash(p, 0x1000, 64, digest, &err);
	(void)p->ops->loader->hash_units(p, 0x1000, 64, 16, units, 4, &err);
	(void)p->ops->connect(p, BF_ENTRY_WRITE, &err);
	(void)p->ops->authenticate(p, &err);
	write_it(p, &err);
	(void)p->ops->boot->activate(p, BF_ACTIVATE_TRIAL, &err);
	(void)p->ops->loader->restart(p, &err);
	(void)p->ops->await(p, bf_in(clock, BF_SEC(5)), &err);
	(void)p->ops->app->self_test(p, &test, &err);
	(void)p->ops->app->balance(p, &good, &err);
	(void)p->ops->boot->confirm(p, &err);
	p->ops->leave(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server *s = calloc(1, sizeof(*s));
	struct bf_auth auth = { .respond = respond };
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_proto *p = NULL;
	struct bf_proto_env env;
	struct bf_err err;
	const char *text;

	FUZZ_CHECK(s);
	bf_err_init(&err);
	s->w = wire_new(BF_WIRE_STREAM);
	s->w->peer = s;
	s->w->heard_bytes = heard;
	s->p = data;
	s->left = size;
	text = profiles[take(s) % BF_COUNT(profiles)];
	bf_profile_default(&profile);
	FUZZ_CHECK(bf_profile_parse(text, strlen(text), "fuzz.ini", &profile, &err) == BF_OK);
	profile.framing = BF_FRAMING_HDLC;
	bf_retry_default(&retry);
	env = (struct bf_proto_env){ .transport = &s->w->t,
				     .profile = &profile,
				     .retry = &retry,
				     .auth = &auth,
				     .node = -1 };
	FUZZ_CHECK(bf_proto_by_name("uds")->open(&env, &p, &err) == BF_OK);
	talk(p, s->w->t.clock);
	FUZZ_CHECK(bf_now(s->w->t.clock) < LONGEST);
	bf_proto_close(p);
	wire_free(s->w);
	free(s);
	return 0;
}
