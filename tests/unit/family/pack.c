/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>

#include "pack.h"

#include "bmsflash/bytes.h"
#include "link/hdlc_codec.h"
#include "link/isotp_codec.h"
#include "link/kline_codec.h"

#define NODE   0x11
#define TESTER 0xF1

static uint32_t answer_id(const struct pack *k)
{
	if (k->answers_above)
		return k->frame_id + 8;
	return k->answer_id ? k->answer_id : 0x7E8;
}

static void put_can(struct pack *k, bf_time delay, const uint8_t *msg, size_t len)
{
	static const struct bf_isotp_shape shape = { .tx_dl = 8, .pad = 0xAA };
	uint8_t f[64], sn = 1;
	size_t at, taken, n = bf_isotp_put_first(&shape, f, msg, len, &at);

	wire_put_frame(k->w, delay, answer_id(k), answer_id(k) > 0x7FF ? BF_FRAME_EXT : 0, f, n);
	while (at < len) {
		n = bf_isotp_put_next(&shape, f, sn++, msg + at, len - at, &taken);
		at += taken;
		delay += BF_US(300);
		wire_put_frame(k->w, delay, answer_id(k), answer_id(k) > 0x7FF ? BF_FRAME_EXT : 0,
			       f, n);
	}
}

static void put(struct pack *k, bf_time delay, const uint8_t *msg, size_t len)
{
	uint8_t frame[BF_HDLC_WIRE_MAX(4200)];

	switch (k->over) {
	case PACK_HDLC:
		wire_put_bytes(k->w, delay, frame, bf_hdlc_encode(frame, TESTER, NODE, msg, len));
		break;
	case PACK_KLINE:
		wire_put_bytes(k->w, delay, frame, bf_kline_encode(frame, TESTER, NODE, msg, len));
		break;
	case PACK_CAN:
		put_can(k, delay, msg, len);
		break;
	}
}

/* One word of a rule: "@900:5002", "7e00", "-". */
static void answer(struct pack *k, const char *word, size_t n, bf_time *delay, const uint8_t *req)
{
	char hex[8192];
	uint8_t msg[4200];
	size_t len;
	char *at;

	assert_true(n < sizeof(hex));
	memcpy(hex, word, n);
	hex[n] = '\0';
	at = hex;
	if (*at == '@') {
		*delay += BF_MS(strtol(at + 1, &at, 10));
		at++;
	} else {
		*delay += BF_MS(5);
	}
	if (*at == '-')
		return;
	for (char *q = strstr(at, "??"); q; q = strstr(at, "??")) {
		static const char digits[] = "0123456789abcdef";

		q[0] = digits[req[1] >> 4];
		q[1] = digits[req[1] & 15];
	}
	assert_true(bf_unhex(at, msg, sizeof(msg), &len));
	put(k, *delay, msg, len);
}

static bool matches(const char *rule, const char *hex)
{
	size_t n = strlen(rule);

	if (n && rule[n - 1] == '*')
		return strncmp(rule, hex, n - 1) == 0;
	return strcmp(rule, hex) == 0;
}

static void heard(struct pack *k, const uint8_t *msg, size_t len)
{
	BF_AUTO_MEM char *hex = malloc(2 * len + 1);
	size_t used = strlen(k->log);
	bf_time delay = 0;

	bf_hex(hex, 2 * len + 1, msg, len);
	if (k->heard < BF_COUNT(k->heard_id))
		k->heard_id[k->heard] = k->frame_id;
	k->heard++;
	k->present += len == 2 && msg[0] == 0x3E && msg[1] == 0x80;
	snprintf(k->log + used, sizeof(k->log) - used, "%.32s ", hex);
	for (size_t i = 0; k->rules[i].request; i++) {
		const char *a = k->rules[i].answers;

		if (!matches(k->rules[i].request, hex) ||
		    (k->rules[i].times && k->used[i] >= k->rules[i].times))
			continue;
		k->used[i]++;
		while (*a) {
			size_t n = strcspn(a, " ");

			answer(k, a, n, &delay, msg);
			a += n + (a[n] == ' ');
		}
		return;
	}
}

static void hear_bytes(struct wire *w, const uint8_t *p, size_t len)
{
	struct pack *k = w->peer;
	struct bf_hdlc_rx hdlc = { .me = NODE, .peer = TESTER, .buf = k->rx, .cap = sizeof(k->rx) };
	struct bf_kline_rx kline = { .me = NODE, .peer = TESTER };

	if (k->rate && w->line.baud != k->rate)
		return;
	for (size_t i = 0; i < len; i++) {
		if (k->over == PACK_HDLC && bf_hdlc_put(&hdlc, p[i]) == BF_DEFRAME_MESSAGE)
			heard(k, k->rx + BF_HDLC_MSG_AT, hdlc.msg_len);
		bf_kline_put(&kline, p[i]);
		if (k->over == PACK_KLINE && bf_kline_next(&kline) == BF_DEFRAME_MESSAGE)
			heard(k, kline.msg, kline.msg_len);
	}
}

static void hear_frame(struct wire *w, const struct bf_frame *f)
{
	struct pack *k = w->peer;
	struct bf_isotp_pdu pdu;

	if (k->deaf_to && f->id == k->deaf_to)
		return;
	bf_isotp_decode(f->data, f->len, &pdu);
	k->frame_id = f->id;
	if (pdu.type == BF_ISOTP_SINGLE) {
		heard(k, pdu.data, pdu.len);
	} else if (pdu.type == BF_ISOTP_FIRST) {
		memcpy(k->rx, pdu.data, pdu.len);
		k->rx_have = pdu.len;
		k->rx[sizeof(k->rx) - 1] = 0;
		w->dbitrate = (uint32_t)pdu.total; /* remembers the length */
		wire_put_frame(w, BF_US(500), answer_id(k), answer_id(k) > 0x7FF ? BF_FRAME_EXT : 0,
			       (const uint8_t[]){ 0x30, 0x00, k->st_min }, 3);
	} else if (pdu.type == BF_ISOTP_CONSECUTIVE) {
		memcpy(k->rx + k->rx_have, pdu.data, pdu.len);
		k->rx_have += pdu.len;
		if (k->rx_have >= w->dbitrate)
			heard(k, k->rx, w->dbitrate);
	}
}

static void note_alive(void *ctx, const char *what)
{
	struct pack *k = ctx;

	k->alive++;
	snprintf(k->alive_what, sizeof(k->alive_what), "%s", what);
}

struct pack *pack_new(enum pack_over over, const struct pack_rule *rules)
{
	struct pack *k = calloc(1, sizeof(*k));

	k->over = over;
	k->w = wire_new(over == PACK_CAN ? BF_WIRE_BUS : BF_WIRE_STREAM);
	k->w->peer = k;
	k->w->heard_bytes = hear_bytes;
	k->w->heard_frame = hear_frame;
	k->w->report_bitrate = 500000;
	k->rules = rules;
	bf_profile_default(&k->profile);
	bf_retry_default(&k->retry);
	k->env = (struct bf_proto_env){
		.transport = &k->w->t,
		.profile = &k->profile,
		.retry = &k->retry,
		.node = -1,
		.alive = note_alive,
		.alive_ctx = k,
	};
	assert_int_equal(bf_proto_by_name("uds")->open(&k->env, &k->p, &k->err), BF_OK);
	return k;
}

struct bf_uds_profile *pack_keys(struct pack *k)
{
	return bf_profile_family_mut(&k->profile, "uds");
}

struct pack *pack_named_new(enum pack_over over, const struct pack_rule *rules)
{
	struct pack *k = pack_new(over, rules);

	pack_keys(k)->rid_check_memory = 0x0202;
	pack_keys(k)->rid_state = 0xF0B0;
	pack_keys(k)->rid_activate = 0xF0B1;
	pack_keys(k)->rid_confirm = 0xF0B2;
	pack_keys(k)->rid_revert = 0xF0B3;
	pack_keys(k)->rid_hash = 0xF0B4;
	pack_keys(k)->rid_self_test = 0xF0B5;
	pack_keys(k)->rid_balance = 0xF0B6;
	return k;
}

struct pack *pack_free(struct pack *k)
{
	if (!k)
		return NULL;
	bf_proto_close(k->p);
	wire_free(k->w);
	free(k);
	return NULL;
}

void pack_rules(struct pack *k, const struct pack_rule *rules)
{
	k->rules = rules;
	memset(k->used, 0, sizeof(k->used));
	k->log[0] = '\0';
	k->heard = 0;
}

void pack_is_ours(struct pack *k)
{
	static const struct pack_rule known[] = {
		{ "3e00", "7e00" },
		{ "22fd01", "62fd01"
			    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
		{ "22*", "7f2231" },
		{ "31*", "7f3131" },
		{ NULL },
	};
	const struct pack_rule *rules = k->rules;
	struct bf_ident id;

	pack_rules(k, known);
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	pack_rules(k, rules);
	memset(&k->retry.requests, 0, sizeof(k->retry.requests));
}

bf_time pack_now(const struct pack *k)
{
	return bf_now(k->w->t.clock);
}

void pack_expect(struct pack *k, enum bf_rc rc, enum bf_rc want)
{
	if (rc != want)
		fail_msg("got '%s' instead of '%s': %s\nheard: %s", bf_rc_info(rc)->name,
			 bf_rc_info(want)->name, rc ? k->err.cause : "", k->log);
}
