/* SPDX-License-Identifier: MIT */
#include "stm32_peer.h"

#include <stdlib.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "../unit.h"

#define ACK  0x79
#define NACK 0x1F

/* How long from now until the line has carried one byte more. */
static bf_time carried(struct stm32_peer *p)
{
	bf_time now = bf_now(p->clock), begin = now + BF_US(100);

	p->said_until = (p->said_until > begin ? p->said_until : begin) + p->byte_us;
	return p->said_until - now;
}

static void say(struct stm32_peer *p, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		long k = p->said++;

		if (k == p->said_at_reset) {
			p->resets++;
			p->state = p->garbles ? AT_NO_RATE : AT_AUTOBAUD;
			return;
		}
		if (p->lose_own >= 0 && k >= p->lose_own && k < p->lose_own + (long)p->lose_own_n)
			continue;
		fake_say_bytes(p->fake, &bytes[i], 1, carried(p));
		if (k == p->double_own)
			fake_say_bytes(p->fake, &bytes[i], 1, carried(p));
	}
}

static void answer(struct stm32_peer *p, uint8_t byte)
{
	const uint8_t zero = 0;

	for (; p->zeros && byte == ACK; p->zeros--)
		say(p, &zero, 1);
	say(p, &byte, 1);
	if (byte == NACK)
		p->state = AT_COMMAND;
}

static void done(struct stm32_peer *p)
{
	p->state = AT_COMMAND;
	answer(p, ACK);
}

static uint32_t crc_of(const uint8_t *bytes, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i += 4) {
		for (int k = 3; k >= 0;
		     k--) { /* most significant byte of a little-endian word first */
			crc ^= (uint32_t)bytes[i + (size_t)k] << 24;
			for (int bit = 0; bit < 8; bit++)
				crc = crc & 0x80000000u ? crc << 1 ^ 0x04C11DB7u : crc << 1;
		}
	}
	return crc;
}

static uint8_t xor_of(const uint8_t *bytes, size_t n)
{
	uint8_t x = 0;

	while (n--)
		x ^= *bytes++;
	return x;
}

static bool has(const struct stm32_peer *p, uint8_t code)
{
	switch (code) {
	case 0x02:
		return p->pid != 0;
	case 0x43:
		return !p->wide;
	case 0x44:
		return p->wide;
	case 0xA1:
		return p->sums || p->short_sums;
	default:
		return code == 0x00 || code == 0x01 || code == 0x11 || code == 0x21 ||
		       code == 0x31 || code == 0x92;
	}
}

static bool is_open(const struct stm32_peer *p, uint8_t code)
{
	return !p->rdp || code < 0x03 || code == 0x92;
}

static void get(struct stm32_peer *p)
{
	static const uint8_t codes[] = {
		0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x43, 0x44, 0x92, 0xA1
	};
	uint8_t out[32] = { ACK, 0, 0x22 };
	size_t n = 3;

	for (size_t i = 0; i < sizeof(codes); i++) {
		if (has(p, codes[i]))
			out[n++] = codes[i];
	}
	out[1] = (uint8_t)(n - 3);
	out[n++] = ACK;
	say(p, out, n);
}

static void begin(struct stm32_peer *p)
{
	const uint8_t id[] = { ACK, 1, (uint8_t)(p->pid >> 8), (uint8_t)p->pid, ACK };
	const uint8_t version[] = { ACK, 0x22, 0, 0, ACK };

	p->n = 0;
	p->words = 0;
	p->state = AT_COMMAND;
	if (!has(p, p->command) || !is_open(p, p->command)) {
		answer(p, NACK);
		return;
	}
	switch (p->command) {
	case 0x00:
		get(p);
		return;
	case 0x01:
		say(p, version, sizeof(version));
		return;
	case 0x02:
		say(p, id, sizeof(id));
		return;
	case 0x43:
	case 0x44:
		p->state = AT_ERASE;
		break;
	case 0x92:
		answer(p, ACK);
		memset(p->flash, 0xFF, sizeof(p->flash));
		p->rdp = false;
		p->cleared++;
		answer(p, ACK);
		p->state = AT_AUTOBAUD;
		return;
	default:
		p->state = AT_WORD;
	}
	answer(p, ACK);
}

static bool inside(const struct stm32_peer *p, uint32_t n)
{
	return p->addr >= PEER_BASE && p->addr - PEER_BASE < PEER_FLASH &&
	       n <= PEER_FLASH - (p->addr - PEER_BASE);
}

static void sum(struct stm32_peer *p)
{
	uint8_t out[7] = { ACK, ACK };
	size_t skip = p->sums ? 1 : 0;

	if (!inside(p, p->len)) {
		answer(p, NACK);
		return;
	}
	bf_put_be32(out + 2, crc_of(p->flash + (p->addr - PEER_BASE), p->len));
	out[6] = xor_of(out + 2, 4);
	say(p, out + skip, sizeof(out) - skip);
	p->state = AT_COMMAND;
}

static void word(struct stm32_peer *p)
{
	uint32_t value = bf_get_be32(p->raw);

	if (xor_of(p->raw, 4) != p->raw[4]) {
		answer(p, NACK);
		return;
	}
	p->n = 0;
	if (p->words++ == 0) {
		p->addr = value;
		if (!inside(p, 1)) {
			answer(p, NACK);
			return;
		}
	}
	switch (p->command) {
	case 0x21:
		p->went++;
		p->went_to = value;
		done(p);
		return;
	case 0x11:
	case 0x31:
		p->state = AT_LENGTH;
		answer(p, ACK);
		return;
	default:
		if (p->words == 2)
			p->len = p->sums ? value * 4 : value;
		if (p->words == (p->sums ? 4u : 2u))
			sum(p);
		else
			answer(p, ACK);
	}
}

static void write(struct stm32_peer *p)
{
	uint32_t n = p->len + 1u, at = p->addr - PEER_BASE;

	if (xor_of(p->raw, n + 1) != p->raw[n + 1] || !inside(p, n)) {
		answer(p, NACK);
		return;
	}
	if (p->wanted && memcmp(p->wanted + at, p->raw + 1, n) != 0)
		p->strange++;
	for (uint32_t i = 0; i < n; i++) { /* bits are only ever cleared */
		if (p->addr + i >= PEER_BASE + p->keep_to)
			p->flash[at + i] &= p->raw[1 + i];
	}
	p->writes++;
	done(p);
}

static void erase_page(struct stm32_peer *p, unsigned page)
{
	uint32_t at = page * p->page;

	if (page < sizeof(p->pages) && p->pages[page] < 255)
		p->pages[page]++;
	if (at < PEER_FLASH && at >= p->keep_to)
		memset(p->flash + at, 0xFF, p->page);
}

static void erase_all(struct stm32_peer *p)
{
	p->mass++;
	memset(p->flash, 0xFF, sizeof(p->flash));
	done(p);
}

/* True once the list is complete. */
static void erase(struct stm32_peer *p)
{
	size_t unit = p->wide ? 2 : 1, count, need;

	if (p->n < unit)
		return;
	count = p->wide ? bf_get_be16(p->raw) : p->raw[0];
	if (count >= (p->wide ? 0xFFF0u : 0xFFu)) {
		if (p->n < unit + 1)
			return;
		if (xor_of(p->raw, unit) != p->raw[unit] && !(unit == 1 && p->raw[1] == 0))
			answer(p, NACK);
		else
			erase_all(p);
		return;
	}
	need = unit * (count + 2) + 1;
	if (need > sizeof(p->raw)) {
		answer(p, NACK);
		return;
	}
	if (p->n < need)
		return;
	if (xor_of(p->raw, need - 1) != p->raw[need - 1]) {
		answer(p, NACK);
		return;
	}
	p->erasures++;
	for (size_t i = 0; i <= count; i++)
		erase_page(p, p->wide ? bf_get_be16(p->raw + 2 + 2 * i) : p->raw[1 + i]);
	done(p);
}

static void take(struct stm32_peer *p, uint8_t b)
{
	switch (p->state) {
	case AT_AUTOBAUD:
		if (b == 0x7F)
			done(p);
		else
			p->state = AT_NO_RATE;
		break;
	case AT_NO_RATE:
		if (p->garbles && ++p->garbled % 2 == 0)
			answer(p, 0xF3);
		break;
	case AT_COMMAND:
		p->command = b;
		p->state = AT_COMPLEMENT;
		break;
	case AT_COMPLEMENT:
		p->state = AT_COMMAND;
		if ((b ^ p->command) == 0xFF)
			begin(p);
		else
			answer(p, NACK);
		break;
	case AT_WORD:
		p->raw[p->n++] = b;
		if (p->n == 5)
			word(p);
		break;
	case AT_LENGTH:
		p->raw[p->n++] = b;
		if (p->command == 0x31) {
			p->len = b;
			p->state = AT_DATA;
			break;
		}
		if (p->n < 2)
			break;
		if ((p->raw[1] ^ p->raw[0]) != 0xFF) {
			answer(p, NACK);
			break;
		}
		p->reads++;
		done(p);
		say(p, p->flash + (p->addr - PEER_BASE), p->raw[0] + 1u);
		break;
	case AT_DATA:
		p->raw[p->n++] = b;
		if (p->n == p->len + 3u)
			write(p);
		break;
	case AT_ERASE:
		p->raw[p->n++] = b;
		erase(p);
		break;
	}
}

static bool within(long at, long from, unsigned n)
{
	return from >= 0 && at >= from && at < from + (long)n;
}

static size_t hear(struct fake *f, void *ctx, const uint8_t *bytes, size_t n)
{
	struct stm32_peer *p = ctx;

	(void)f;
	for (size_t i = 0; i < n; i++) {
		long at = p->heard++;
		bool bad = p->bad_host >= 0 && at >= p->bad_host && at < p->bad_host + 160;
		unsigned turned = bad && bf_rng_below(&p->luck, 32) == 0
					  ? 1u << bf_rng_below(&p->luck, 8)
					  : 0;

		if (within(at, p->lose_host, p->lose_host_n) ||
		    (bad && bf_rng_below(&p->luck, 16) == 0))
			continue;
		take(p, (uint8_t)(bytes[i] ^ turned));
	}
	return n;
}

struct stm32_peer *stm32_peer_new(void)
{
	struct stm32_peer *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->clock = bf_vclock_new();
	p->fake = fake_stream_new(p->clock);
	fake_stream_handle(p->fake, hear, p);
	bf_profile_default(&p->profile);
	bf_retry_default(&p->retry);
	p->pid = 0x410;
	p->page = 1024;
	p->lose_host = p->bad_host = p->lose_own = p->double_own = p->said_at_reset = -1;
	p->lose_own_n = p->lose_host_n = 1;
	for (size_t i = 0; i < sizeof(p->flash); i++)
		p->flash[i] = (uint8_t)(i * 7 + i / 256);
	return p;
}

void stm32_peer_free(struct stm32_peer *p)
{
	bf_proto_close(p->proto);
	fake_free(p->fake);
	bf_clock_free(p->clock);
	free(p);
}

void stm32_peer_open(struct stm32_peer *p)
{
	struct bf_proto_env env = { .transport = fake_transport(p->fake),
				    .profile = &p->profile,
				    .retry = &p->retry,
				    .node = -1 };
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(bf_proto_by_name("stm32")->open(&env, &p->proto, &err), BF_OK);
}
