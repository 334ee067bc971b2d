/* SPDX-License-Identifier: MIT */
/* Bytes and frames for the ROM bootloader, written down by hand from AN3155 and AN3154. */
#pragma once

#include "tester.h"

#include <stdio.h>

#include "sim/stm32/rom.h"

struct rom_tester {
	struct bf_transport *t;
	struct bf_pack *pack;
};

static inline void rom_open(struct rom_tester *r, const char *keys, const struct bf_line *line)
{
	struct bf_open_env env = {
		.line = line ? *line : (struct bf_line){ .baud = 115200, .parity = BF_PARITY_EVEN }
	};
	struct bf_err err;
	char address[200];

	snprintf(address, sizeof(address), "sim:protocol=stm32,%s", keys);
	bf_err_init(&err);
	if (bf_driver_sim.open(&env, address, &r->t, &err))
		fail_msg("%s: %s", address, err.cause);
	r->pack = bf_sim_pack(r->t);
}

static inline void rom_close(struct rom_tester *r)
{
	r->t->ops->close(r->t);
}
#define OPENED __attribute__((cleanup(rom_close))) struct rom_tester

static inline void rom_wait(struct rom_tester *r, bf_time us)
{
	assert_true(bf_clock_until(r->t->clock, bf_in(r->t->clock, us)));
}

/* ---- UART ---- */

static inline void rom_send_n(struct rom_tester *r, const uint8_t *p, size_t len)
{
	struct bf_err err;
	bf_time deadline = bf_in(r->t->clock, BF_SEC(5));

	bf_err_init(&err);
	assert_int_equal(r->t->ops->stream->write(r->t, p, len, deadline, &err), BF_OK);
	assert_int_equal(r->t->ops->stream->drain(r->t, deadline, &err), BF_OK);
}

static inline void rom_send(struct rom_tester *r, const char *hex)
{
	uint8_t p[1024];
	size_t len;

	assert_true(bf_unhex(hex, p, sizeof(p), &len));
	rom_send_n(r, p, len);
}

/* All that comes until the line was silent for so long. */
static inline const char *rom_hear(struct rom_tester *r, bf_time silence)
{
	static char text[2 * 1024 + 1];
	uint8_t p[1024];
	size_t len = 0, n;
	struct bf_err err;

	bf_err_init(&err);
	while (len < sizeof(p) && !r->t->ops->stream->read(r->t, p + len, sizeof(p) - len, &n,
							   bf_in(r->t->clock, silence), &err))
		len += n;
	bf_hex(text, sizeof(text), p, len);
	return text;
}

static inline void rom_ask(struct rom_tester *r, const char *hex, const char *want)
{
	rom_send(r, hex);
	assert_string_equal(rom_hear(r, BF_MS(30)), want);
}

static inline void rom_sync(struct rom_tester *r)
{
	rom_ask(r, "7f", "79");
}

static inline uint8_t rom_xor(const uint8_t *p, size_t len)
{
	uint8_t x = 0;

	for (size_t i = 0; i < len; i++)
		x ^= p[i];
	return x;
}

/* An address with its check byte, after the command; what the device says to both. */
static inline void rom_address(struct rom_tester *r, const char *command, uint32_t addr,
			       const char *want)
{
	uint8_t p[5];

	rom_ask(r, command, "79");
	bf_put_be32(p, addr);
	p[4] = rom_xor(p, 4);
	rom_send_n(r, p, 5);
	assert_string_equal(rom_hear(r, BF_MS(30)), want);
}

static inline void rom_write(struct rom_tester *r, uint32_t addr, const void *data, size_t len,
			     const char *want)
{
	uint8_t p[258] = { (uint8_t)(len - 1) };

	rom_address(r, "31ce", addr, "79");
	memcpy(p + 1, data, len);
	p[len + 1] = rom_xor(p, len + 1);
	rom_send_n(r, p, len + 2);
	assert_string_equal(rom_hear(r, BF_MS(300)), want);
}

/* The bytes as hex text; empty where it refuses. */
static inline const char *rom_read(struct rom_tester *r, uint32_t addr, size_t len)
{
	uint8_t p[2] = { (uint8_t)(len - 1), (uint8_t) ~(len - 1) };
	const char *text;

	rom_address(r, "11ee", addr, "79");
	rom_send_n(r, p, 2);
	text = rom_hear(r, BF_MS(30));
	return strncmp(text, "79", 2) == 0 ? text + 2 : "";
}

/* A raw image: stack, entry, its name. */
static inline size_t rom_image(uint8_t *p, size_t len, uint32_t base, const char *version)
{
	memset(p, 0x5A, len);
	bf_put_le32(p, 0x20001000);
	bf_put_le32(p + 4, base + 0x41);
	snprintf((char *)p + 16, 40, "demo application %s", version);
	return len;
}
