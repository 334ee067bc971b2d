/* SPDX-License-Identifier: MIT */
/* A host's end of SMP for the pack's tests: frames and CBOR written down by hand, no client code. */
#pragma once

#include <stdio.h>

#include "tester.h"

#define SMP_MORE 8192

struct smp_host {
	struct bf_transport *t;
	uint8_t rx[65536]; /* all that came since the last request */
	size_t rx_len;
	uint8_t packet[SMP_MORE]; /* the last answer */
	size_t packet_len;
	unsigned answers; /* that came */
	uint8_t version, sequence;
	bool raw;
};

static inline void smp_open(struct smp_host *h, const char *address)
{
	struct bf_open_env env = { 0 };
	struct bf_err err;

	memset(h, 0, sizeof(*h));
	bf_err_init(&err);
	if (bf_driver_sim.open(&env, address, &h->t, &err))
		fail_msg("%s: %s", address, err.cause);
	h->raw = strstr(address, "framing=raw") != NULL;
}

static inline void smp_close(struct smp_host *h)
{
	h->t->ops->close(h->t);
	h->t = NULL;
}

static inline void smp_put(struct smp_host *h, const void *p, size_t len)
{
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(
		h->t->ops->stream->write(h->t, p, len, bf_in(h->t->clock, BF_SEC(20)), &err),
		BF_OK);
}

/* What comes until the line has been silent for so long, or until `want` bytes are there; 0: any number. */
static inline size_t smp_hear(struct smp_host *h, size_t want, bf_time silence)
{
	struct bf_err err;
	size_t n;

	bf_err_init(&err);
	while ((!want || h->rx_len < want) &&
	       h->t->ops->stream->read(h->t, h->rx + h->rx_len, sizeof(h->rx) - h->rx_len, &n,
				       bf_in(h->t->clock, silence), &err) == BF_OK)
		h->rx_len += n;
	return h->rx_len;
}

static inline void smp_wait(struct smp_host *h, bf_time us)
{
	bf_time until = bf_in(h->t->clock, us);

	while (bf_now(h->t->clock) < until)
		bf_clock_wait(h->t->clock, NULL, 0, until);
}

/* ---- frames ---- */

static inline size_t smp_base64(char *dst, const uint8_t *p, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < len ? p[i + 2] : 0u);

		dst[n++] = digits[v >> 18];
		dst[n++] = digits[v >> 12 & 63];
		dst[n++] = i + 1 < len ? digits[v >> 6 & 63] : '=';
		dst[n++] = i + 2 < len ? digits[v & 63] : '=';
	}
	return n;
}

static inline size_t smp_unbase64(uint8_t *dst, const uint8_t *p, size_t len)
{
	size_t n = 0;
	uint32_t v = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = p[i];
		int d = c >= 'A' && c <= 'Z'   ? c - 'A'
			: c >= 'a' && c <= 'z' ? c - 'a' + 26
			: c >= '0' && c <= '9' ? c - '0' + 52
			: c == '+'             ? 62
			: c == '/'             ? 63
					       : -1;

		if (d < 0)
			break;
		v = v << 6 | (uint32_t)d;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			dst[n++] = (uint8_t)(v >> bits);
		}
	}
	return n;
}

static inline uint16_t smp_crc(const uint8_t *p, size_t len)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc = (uint16_t)(crc ^ p[i] << 8);
		for (int k = 0; k < 8; k++)
			crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
	}
	return crc;
}

/* Lines of `per` raw bytes, 93 being the longest that a device takes; ends: "\n". */
static inline size_t smp_frame(char *dst, const uint8_t *packet, size_t len, size_t per,
			       const char *ends)
{
	uint8_t body[SMP_MORE + 4];
	size_t n = 0;

	bf_put_be16(body, (uint16_t)(len + 2));
	memcpy(body + 2, packet, len);
	bf_put_be16(body + 2 + len, smp_crc(packet, len));
	for (size_t at = 0; at < len + 4; at += per) {
		memcpy(dst + n, at ? "\x04\x14" : "\x06\x09", 2);
		n += 2;
		n += smp_base64(dst + n, body + at, len + 4 - at < per ? len + 4 - at : per);
		memcpy(dst + n, ends, strlen(ends));
		n += strlen(ends);
	}
	return n;
}

/* Finds the answers in all that was heard; the last one is kept. */
static inline void smp_find(struct smp_host *h)
{
	uint8_t body[SMP_MORE + 200];
	size_t len = 0;

	h->answers = 0;
	h->packet_len = 0;
	for (size_t at = 0; h->raw && h->rx_len - at >= 8; h->answers++) {
		h->packet_len = 8u + bf_get_be16(h->rx + at + 2);
		assert_true(h->packet_len <= h->rx_len - at);
		memcpy(h->packet, h->rx + at, h->packet_len);
		at += h->packet_len;
	}
	for (size_t i = 0; !h->raw && i + 1 < h->rx_len; i++) {
		bool first = h->rx[i] == 0x06 && h->rx[i + 1] == 0x09;
		bool more = h->rx[i] == 0x04 && h->rx[i + 1] == 0x14;

		if (!first && !more)
			continue;
		if (first)
			len = 0;
		len += smp_unbase64(body + len, h->rx + i + 2, h->rx_len - i - 2);
		if (len < 2 || len < 2u + bf_get_be16(body))
			continue;
		assert_int_equal(len, 2u + bf_get_be16(body));
		assert_int_equal(smp_crc(body + 2, len - 4), bf_get_be16(body + len - 2));
		h->packet_len = len - 4;
		memcpy(h->packet, body + 2, h->packet_len);
		h->answers++;
		len = 0;
	}
}

static inline size_t smp_packet(struct smp_host *h, uint8_t *dst, unsigned op, unsigned group,
				unsigned command, const uint8_t *body, size_t len)
{
	dst[0] = (uint8_t)((unsigned)h->version << 3 | op);
	dst[1] = 0;
	bf_put_be16(dst + 2, (uint16_t)len);
	bf_put_be16(dst + 4, (uint16_t)group);
	dst[6] = ++h->sequence;
	dst[7] = (uint8_t)command;
	if (len)
		memcpy(dst + 8, body, len);
	return 8 + len;
}

static inline void smp_send(struct smp_host *h, const uint8_t *packet, size_t len)
{
	static char wire[4 * SMP_MORE];

	h->rx_len = 0;
	h->t->ops->stream->discard(h->t);
	if (h->raw)
		smp_put(h, packet, len);
	else
		smp_put(h, wire, smp_frame(wire, packet, len, 93, "\n"));
}

/* Sends and hears; false: no answer within `wait`. */
static inline bool smp_ask(struct smp_host *h, unsigned op, unsigned group, unsigned command,
			   const uint8_t *body, size_t len, bf_time wait)
{
	uint8_t packet[SMP_MORE];
	bf_time until = bf_in(h->t->clock, wait);

	smp_send(h, packet, smp_packet(h, packet, op, group, command, body, len));
	while (bf_now(h->t->clock) < until) {
		smp_hear(h, 0, BF_MS(20));
		smp_find(h);
		if (h->answers)
			return true;
	}
	return false;
}

/* Body in hex, as it stands in RFC 8949's diagrams; the answer's body has to be `answer`, NULL: none comes. */
static inline void smp_says(struct smp_host *h, unsigned op, unsigned group, unsigned command,
			    const char *body, const char *answer)
{
	uint8_t p[SMP_MORE];
	char hex[2 * SMP_MORE];
	size_t n = 0;

	assert_true(bf_unhex(body, p, sizeof(p), &n));
	if (!smp_ask(h, op, group, command, p, n, BF_SEC(10))) {
		assert_null(answer);
		return;
	}
	assert_non_null(answer);
	assert_int_equal(h->packet[0] & 7, op + 1);
	assert_int_equal(h->packet[6], h->sequence);
	assert_int_equal(h->packet[7], command);
	assert_string_equal(bf_hex(hex, sizeof(hex), h->packet + 8, h->packet_len - 8), answer);
}

/* ---- images ---- */

static inline uint8_t *smp_file(const char *name, size_t *ret_len)
{
	char path[512];
	uint8_t *p = malloc(1 << 20);
	FILE *f;

	snprintf(path, sizeof(path), TEST_DATA "/mcuboot/%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	*ret_len = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

/* {"data": p, "off": off[, "len": size][, "image": image][, "sha": sha]}; image -1 and sha NULL: left out */
static inline size_t smp_chunk(uint8_t *dst, const uint8_t *p, size_t len, uint32_t off,
			       uint32_t size, int image, const uint8_t *sha)
{
	struct bf_out o = bf_out(dst, SMP_MORE);
	bool first = off == 0 && size;

	bf_out_u8(&o, (uint8_t)(0xA2 + first + (image >= 0) + (sha != NULL)));
	bf_out_bytes(&o,
		     "\x64"
		     "data\x59",
		     6);
	bf_out_be16(&o, (uint16_t)len);
	bf_out_bytes(&o, p, len);
	bf_out_bytes(&o,
		     "\x63"
		     "off\x1a",
		     5);
	bf_out_be32(&o, off);
	if (first) {
		bf_out_bytes(&o,
			     "\x63"
			     "len\x1a",
			     5);
		bf_out_be32(&o, size);
	}
	if (image >= 0) {
		bf_out_bytes(&o,
			     "\x65"
			     "image",
			     6);
		bf_out_u8(&o, (uint8_t)image);
	}
	if (sha) {
		bf_out_bytes(&o,
			     "\x63"
			     "sha\x58\x20",
			     6);
		bf_out_bytes(&o, sha, 32);
	}
	assert_false(o.failed);
	return o.len;
}

/* The number behind a text key of the answer; -1: there is none. */
static inline int64_t smp_number(const struct smp_host *h, const char *key)
{
	char tag[32];
	const uint8_t *at;
	unsigned n;

	snprintf(tag, sizeof(tag), "%c%s", (int)(0x60 + strlen(key)), key);
	at = memmem(h->packet + 8, h->packet_len - 8, tag, strlen(tag));
	if (!at)
		return -1;
	at += strlen(tag);
	if (*at < 24)
		return *at;
	n = *at == 24 ? 1 : *at == 25 ? 2 : 4;
	assert_true(*at <= 26);
	return n == 1 ? at[1] : n == 2 ? bf_get_be16(at + 1) : (int64_t)bf_get_be32(at + 1);
}

static inline bool smp_has(const struct smp_host *h, const char *text)
{
	return memmem(h->packet + 8, h->packet_len - 8, text, strlen(text)) != NULL;
}

/* One chunk; returns the offset that the pack wants next, or -rc - 2 for a refusal, -1 for silence. */
static inline int64_t smp_give(struct smp_host *h, const uint8_t *p, size_t len, uint32_t off,
			       uint32_t size, int image, const uint8_t *sha)
{
	uint8_t body[SMP_MORE];

	if (!smp_ask(h, 2, 1, 1, body, smp_chunk(body, p, len, off, size, image, sha), BF_SEC(20)))
		return -1;
	if (smp_number(h, "rc") > 0)
		return -2 - smp_number(h, "rc");
	return smp_number(h, "off");
}

static inline void smp_upload(struct smp_host *h, const char *file, int image, const uint8_t *sha)
{
	size_t len;
	uint8_t *p = smp_file(file, &len);

	for (size_t at = 0; at < len;) {
		size_t n = len - at < 504 ? len - at : 504;

		assert_int_equal(smp_give(h, p + at, n, (uint32_t)at, (uint32_t)len,
					  at ? -1 : image, at ? NULL : sha),
				 at + n);
		at += n;
	}
	free(p);
}

static inline void smp_list(struct smp_host *h)
{
	assert_true(smp_ask(h, 0, 1, 0, NULL, 0, BF_SEC(5)));
}

/* {"confirm": confirm, "hash": digest of a built-in image}; text NULL: no hash */
static inline void smp_mark(struct smp_host *h, const char *hash, bool confirm)
{
	char body[160];
	uint8_t p[80];
	size_t n;

	snprintf(body, sizeof(body), "%s67636f6e6669726d%s%s%s", hash ? "a2" : "a1",
		 confirm ? "f5" : "f4", hash ? "64686173685820" : "", hash ? hash : "");
	assert_true(bf_unhex(body, p, sizeof(p), &n));
	assert_true(smp_ask(h, 2, 1, 0, p, n, BF_SEC(10)));
}

static inline void smp_restart(struct smp_host *h)
{
	smp_ask(h, 2, 0, 5, (const uint8_t *)"\xA0", 1, BF_MS(200));
	smp_wait(h, BF_SEC(20));
}
