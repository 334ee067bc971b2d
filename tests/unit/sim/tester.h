/* SPDX-License-Identifier: MIT */
/* A tester's end for the pack's tests: raw ISO-TP and framings written down by hand, no client code. */
#pragma once

#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "bmsflash/crypto.h"
#include "bmsflash/transport.h"
#include "pack.h"

extern const struct bf_driver bf_driver_sim;

struct tester {
	struct bf_transport *t;
	uint8_t msg[4096];
	size_t len;
	unsigned pending; /* 7F xx 78 heard before the answer */
	uint32_t request, answer;
};

static inline void tester_open(struct tester *s, const char *address)
{
	struct bf_open_env env = { 0 };
	struct bf_err err;

	memset(s, 0, sizeof(*s));
	s->request = 0x7E0;
	s->answer = 0x7E8;
	bf_err_init(&err);
	if (bf_driver_sim.open(&env, address, &s->t, &err))
		fail_msg("%s: %s", address, err.cause);
}

static inline void tester_close(struct tester *s)
{
	s->t->ops->close(s->t);
	s->t = NULL;
}

static inline bool tester_frame(struct tester *s, struct bf_frame *f, bf_time wait)
{
	struct bf_err err;

	bf_err_init(&err);
	return s->t->ops->bus->recv(s->t, f, bf_in(s->t->clock, wait), &err) == BF_OK;
}

static inline void tester_put(struct tester *s, const uint8_t *p, size_t len)
{
	struct bf_frame f = { .id = s->request, .len = 8 };
	struct bf_err err;

	memset(f.data, 0xCC, 8);
	memcpy(f.data, p, len);
	bf_err_init(&err);
	assert_int_equal(s->t->ops->bus->send(s->t, &f, bf_in(s->t->clock, BF_SEC(1)), &err),
			 BF_OK);
}

static inline void tester_send(struct tester *s, const uint8_t *msg, size_t len)
{
	uint8_t d[8] = { (uint8_t)len };
	struct bf_frame fc;
	uint8_t sn = 1, left;

	if (len <= 7) {
		memcpy(d + 1, msg, len & 7); /* as the compiler does not see */
		tester_put(s, d, 1 + len);
		return;
	}
	d[0] = (uint8_t)(0x10 | len >> 8);
	d[1] = (uint8_t)len;
	memcpy(d + 2, msg, 6);
	tester_put(s, d, 8);
	assert_true(tester_frame(s, &fc, BF_SEC(1)));
	assert_int_equal(fc.data[0], 0x30);
	left = fc.data[1];
	for (size_t at = 6; at < len; at += 7) {
		size_t n = len - at < 7 ? len - at : 7;

		if (fc.data[2])
			assert_true(
				bf_clock_until(s->t->clock, bf_in(s->t->clock, BF_MS(fc.data[2]))));
		d[0] = (uint8_t)(0x20 | (sn++ & 15));
		memcpy(d + 1, msg + at, n);
		tester_put(s, d, 1 + n);
		if (fc.data[1] && --left == 0 && at + 7 < len) {
			assert_true(tester_frame(s, &fc, BF_SEC(1)));
			left = fc.data[1];
		}
	}
}

static inline bool tester_recv(struct tester *s, bf_time wait)
{
	static const uint8_t fc[3] = { 0x30, 0, 0 };
	struct bf_frame f;

	if (!tester_frame(s, &f, wait))
		return false;
	assert_int_equal(f.id, s->answer);
	if (f.data[0] >> 4 == 0) {
		s->len = f.data[0];
		memcpy(s->msg, f.data + 1, s->len);
		return true;
	}
	assert_int_equal(f.data[0] >> 4, 1);
	s->len = (size_t)(f.data[0] & 15) << 8 | f.data[1];
	memcpy(s->msg, f.data + 2, 6);
	tester_put(s, fc, 3);
	for (size_t at = 6; at < s->len; at += 7) {
		assert_true(tester_frame(s, &f, BF_SEC(1)));
		memcpy(s->msg + at, f.data + 1, s->len - at < 7 ? s->len - at : 7);
	}
	return true;
}

/* Sends and waits for the final answer; false when none comes. */
static inline bool tester_ask_n(struct tester *s, const uint8_t *msg, size_t len)
{
	bf_time wait = BF_MS(60);

	tester_send(s, msg, len);
	/* the request itself takes its time on the bus */
	wait += (bf_time)len * 60;
	s->pending = 0;
	while (tester_recv(s, wait)) {
		if (s->len != 3 || s->msg[0] != 0x7F || s->msg[2] != 0x78)
			return true;
		s->pending++;
		wait = BF_SEC(5);
	}
	s->len = 0;
	return false;
}

/* The request as hex text. */
static inline bool tester_ask(struct tester *s, const char *hex)
{
	uint8_t msg[128];
	size_t len;

	assert_true(bf_unhex(hex, msg, sizeof(msg), &len));
	return tester_ask_n(s, msg, len);
}

/* Asks and compares the whole answer, or its beginning when `want` ends with '.'. */
static inline void tester_expect(struct tester *s, const char *hex, const char *want)
{
	char got[2 * sizeof(s->msg) + 1];
	size_t n = strlen(want);

	if (!tester_ask(s, hex))
		fail_msg("%s: no answer", hex);
	bf_hex(got, sizeof(got), s->msg, s->len);
	if (n && want[n - 1] == '.')
		got[n - 1] = '.', got[n] = '\0';
	assert_string_equal(got, want);
}

static inline void tester_wait(struct tester *s, bf_time us)
{
	assert_true(bf_clock_until(s->t->clock, bf_in(s->t->clock, us)));
}

static inline void tester_program(struct tester *s)
{
	tester_expect(s, "1003", "5003003201f4");
	tester_expect(s, "1002", "5002003201f4");
}
