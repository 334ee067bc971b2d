/* SPDX-License-Identifier: MIT */
/*
 * AN3155: commands of a byte and its complement, fields that end with the exclusive or of their bytes, each field
 * acknowledged. The rate is measured from the first byte, 7F; parity is even.
 */
#include "sim/stm32/rom_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/transport.h"

#define THINK_US 60 /* before an answer that needs no work */
#define RESET_US BF_MS(2)
#define CRC_NS   60 /* a word */

enum stage {
	SYNC,
	COMMAND,
	ADDRESS,
	LENGTH,
	DATA,
	PAGES,
	PAGES_16,
	UNITS,
	SIZE,
	POLYNOMIAL,
	INITIAL
};

static void want(struct bf_rom *rom, enum stage stage, size_t need)
{
	rom->stage = stage;
	rom->got = 0;
	rom->need = need;
}

static void say(struct bf_rom *rom, bf_time at, const uint8_t *p, size_t len, enum rom_after after)
{
	rom_answer(rom, at, p, len)->after = after;
}

static void say_byte(struct bf_rom *rom, bf_time at, uint8_t byte)
{
	say(rom, at, &byte, 1, ROM_STAYS);
}

/* Ends the command. */
static void refuse(struct bf_rom *rom, bf_time at)
{
	want(rom, COMMAND, 2);
	say_byte(rom, at, ROM_NACK);
}

/* Acknowledges a field; false: it is refused, by the key `nack`. */
static bool accept(struct bf_rom *rom, bf_time at)
{
	if (rom->refused) {
		refuse(rom, at);
		return false;
	}
	say_byte(rom, at, ROM_ACK);
	return true;
}

static bool xor_is_zero(const uint8_t *p, size_t len)
{
	uint8_t x = 0;

	for (size_t i = 0; i < len; i++)
		x ^= p[i];
	return !x;
}

/* ---- answers without a field ---- */

static void tell_commands(struct bf_rom *rom, bf_time at)
{
	uint8_t p[40] = { ROM_ACK, (uint8_t)rom->chip->n_commands, rom->chip->version };
	size_t n = rom->chip->n_commands;

	memcpy(p + 3, rom->chip->commands, n);
	p[3 + n] = ROM_ACK;
	say(rom, at, p, n + 4, ROM_STAYS);
}

static void tell_version(struct bf_rom *rom, bf_time at)
{
	const uint8_t p[] = { ROM_ACK, rom->chip->version, 0, 0, ROM_ACK };

	say(rom, at, p, sizeof(p), ROM_STAYS);
}

static void tell_id(struct bf_rom *rom, bf_time at)
{
	uint8_t p[8] = { ROM_ACK, (uint8_t)(rom->chip->pid_len - 1) };

	memcpy(p + 2, rom->chip->pid, rom->chip->pid_len);
	p[2 + rom->chip->pid_len] = ROM_ACK;
	say(rom, at, p, rom->chip->pid_len + 3u, ROM_STAYS);
}

/* Acknowledged when it begins and when it is done; then the chip restarts. */
static void protect(struct bf_rom *rom, uint8_t command, bf_time now)
{
	bf_time done = now;
	enum rom_result r;

	say_byte(rom, now + THINK_US, ROM_ACK);
	if (command == ROM_WRITE_UNPROTECT)
		r = rom_protect_pages(rom, NULL, 0, now, &done);
	else
		r = rom_protect_reading(rom, command == ROM_READ_PROTECT, now, &done);
	if (r == ROM_DEAD)
		return;
	rom->in_flash = true;
	say(rom, done + THINK_US, (const uint8_t[]){ r ? ROM_NACK : ROM_ACK }, 1, ROM_RESETS);
}

static void begin_command(struct bf_rom *rom, bf_time now)
{
	bf_time at = now + THINK_US;
	enum stage next = ADDRESS;
	size_t need = 5;

	switch (rom->command) {
	case ROM_GET:
		tell_commands(rom, at);
		return;
	case ROM_VERSION:
		tell_version(rom, at);
		return;
	case ROM_ID:
		tell_id(rom, at);
		return;
	case ROM_WRITE_UNPROTECT:
	case ROM_READ_PROTECT:
	case ROM_READ_UNPROTECT:
		if (rom->refused)
			refuse(rom, at);
		else
			protect(rom, rom->command, now);
		return;
	case ROM_ERASE:
		next = PAGES;
		need = 2;
		break;
	case ROM_EXTENDED_ERASE:
		next = PAGES_16;
		need = 3;
		break;
	case ROM_WRITE_PROTECT:
		next = UNITS;
		need = 1;
		break;
	}
	if (accept(rom, at))
		want(rom, next, need);
}

static void take_command(struct bf_rom *rom, bf_time now)
{
	static const uint8_t done[] = { ROM_GET,
					ROM_VERSION,
					ROM_ID,
					ROM_READ,
					ROM_GO,
					ROM_WRITE,
					ROM_ERASE,
					ROM_EXTENDED_ERASE,
					ROM_WRITE_PROTECT,
					ROM_WRITE_UNPROTECT,
					ROM_READ_PROTECT,
					ROM_READ_UNPROTECT,
					ROM_CHECKSUM };
	uint8_t command = rom->buf[0];

	want(rom, COMMAND, 2);
	rom->command = command;
	/* None of its own making, whatever the list says. */
	if ((command ^ rom->buf[1]) != 0xFF || !rom_knows(rom, command) ||
	    !memchr(done, command, sizeof(done)) || rom_forbidden(rom, command))
		refuse(rom, now + THINK_US);
	else
		begin_command(rom, now);
}

/* ---- fields ---- */

static void jump(struct bf_rom *rom)
{
	rom->answers[rom->n_answers - 1].after = ROM_JUMPS;
	want(rom, COMMAND, 2);
}

static void take_address(struct bf_rom *rom, bf_time now)
{
	enum rom_result r;

	rom->addr = bf_get_be32(rom->buf);
	r = rom_check_address(rom, rom->command, rom->addr);
	if (!xor_is_zero(rom->buf, 5))
		r = ROM_REFUSED;
	if (r == ROM_SILENT) {
		want(rom, COMMAND, 2);
		return;
	}
	if (r) {
		refuse(rom, now + THINK_US);
		return;
	}
	if (!accept(rom, now + THINK_US))
		return;
	if (rom->command == ROM_READ)
		want(rom, LENGTH, 2);
	else if (rom->command == ROM_WRITE)
		want(rom, DATA, 1);
	else if (rom->command == ROM_CHECKSUM)
		want(rom, SIZE, 5);
	else
		jump(rom);
}

static void take_length(struct bf_rom *rom, bf_time now)
{
	uint8_t p[1 + 256] = { ROM_ACK };
	size_t len = rom->buf[0] + 1u;
	bool good = (rom->buf[0] ^ rom->buf[1]) == 0xFF && !rom->refused &&
		    rom_read(rom, rom->addr, len, p + 1) == ROM_DONE;

	want(rom, COMMAND, 2);
	if (good)
		say(rom, now + THINK_US, p, len + 1, ROM_STAYS);
	else
		refuse(rom, now + THINK_US);
}

/* Answers when the flash is ready; deaf until then. */
static void answer_work(struct bf_rom *rom, enum rom_result r, bf_time done, enum rom_after after)
{
	uint8_t byte = r ? ROM_NACK : ROM_ACK;

	want(rom, COMMAND, 2);
	if (r == ROM_DEAD)
		return;
	rom->in_flash = true;
	say(rom, done + THINK_US, &byte, 1, r ? ROM_STAYS : after);
}

static void take_data(struct bf_rom *rom, bf_time now)
{
	size_t len = rom->buf[0] + 1u;
	enum rom_result r = ROM_REFUSED;
	bool option = rom_is_option(rom, rom->addr);
	bf_time done = now;

	if (rom->need == 1) {
		rom->need = len + 2;
		return;
	}
	if (xor_is_zero(rom->buf, len + 2) && !rom->refused)
		r = rom_write(rom, rom->addr, rom->buf + 1, len, now, &done);
	answer_work(rom, r, done, option ? ROM_RESETS : ROM_STAYS);
}

/* Every page is looked at before the first is erased. */
static enum rom_result erase_list(struct bf_rom *rom, const uint8_t *p, size_t n, size_t width,
				  bf_time now, bf_time *ret_done)
{
	enum rom_result r = ROM_DONE;

	for (size_t i = 0; i < n; i++)
		if (!rom_has_page(rom->chip, width == 1 ? p[i] : bf_get_be16(p + 2 * i)))
			return ROM_REFUSED;
	for (size_t i = 0; i < n && r == ROM_DONE; i++)
		r = rom_erase_page(rom, width == 1 ? p[i] : bf_get_be16(p + 2 * i), now, ret_done);
	return r;
}

/* The key `quirk=loseack`: the first one gets lost on its way. */
static void answer_erase(struct bf_rom *rom, enum rom_result r, bf_time done)
{
	answer_work(rom, r, done, ROM_STAYS);
	if (r || rom->lost_ack || !(bf_pack_opts(rom->pack)->quirks & BF_QUIRK_LOSEACK))
		return;
	rom->lost_ack = true;
	rom->answers[rom->n_answers - 1].len = 0;
}

static void take_pages(struct bf_rom *rom, bf_time now)
{
	size_t n = rom->buf[0] + 1u;
	enum rom_result r = ROM_REFUSED;
	bf_time done = now;
	bool all = rom->buf[0] == 0xFF;

	if (!all && rom->need == 2) {
		rom->need = n + 2;
		return;
	}
	if (rom->refused)
		r = ROM_REFUSED;
	else if (all && rom->buf[1] == 0)
		r = rom_erase_banks(rom, 3, now, &done);
	else if (!all && xor_is_zero(rom->buf, n + 2))
		r = erase_list(rom, rom->buf + 1, n, 1, now, &done);
	answer_erase(rom, r, done);
}

static void take_pages_16(struct bf_rom *rom, bf_time now)
{
	uint16_t code = bf_get_be16(rom->buf);
	bool special = code >= 0xFFF0;
	size_t n = code + 1u;
	enum rom_result r = ROM_REFUSED;
	bf_time done = now;

	if (!special && rom->need == 3) {
		rom->need = 2 * n + 3;
		/* More pages than there can be: it has no room for them. */
		if (rom->need > sizeof(rom->buf))
			refuse(rom, now + THINK_US);
		return;
	}
	if (rom->refused || !xor_is_zero(rom->buf, rom->need))
		r = ROM_REFUSED;
	else if (special && code >= 0xFFFD)
		r = rom_erase_banks(rom, code == 0xFFFF ? 3 : 0xFFFF - code, now, &done);
	else if (!special)
		r = erase_list(rom, rom->buf + 2, n, 2, now, &done);
	answer_erase(rom, r, done);
}

static void take_units(struct bf_rom *rom, bf_time now)
{
	size_t n = rom->buf[0] + 1u;
	enum rom_result r = ROM_REFUSED;
	bf_time done = now;

	if (rom->need == 1) {
		rom->need = n + 2;
		return;
	}
	if (xor_is_zero(rom->buf, n + 2) && !rom->refused)
		r = rom_protect_pages(rom, rom->buf + 1, n, now, &done);
	answer_work(rom, r, done, ROM_RESETS);
}

static void take_checksum(struct bf_rom *rom, bf_time now)
{
	uint32_t v = bf_get_be32(rom->buf), flash = bf_rom_flash_size(rom->chip);
	enum stage stage = rom->stage;
	uint8_t p[5];

	if (!xor_is_zero(rom->buf, 5) ||
	    (stage == SIZE && (!v || v > (flash - (rom->addr - ROM_FLASH)) / 4))) {
		refuse(rom, now + THINK_US);
		return;
	}
	if (!accept(rom, now + THINK_US))
		return;
	if (stage == SIZE) {
		rom->checksum.size = v;
		want(rom, POLYNOMIAL, 5);
	} else if (stage == POLYNOMIAL) {
		rom->checksum.polynomial = v;
		want(rom, INITIAL, 5);
	} else {
		bf_put_be32(p, rom_checksum(rom, rom->addr, rom->checksum.size,
					    rom->checksum.polynomial, v));
		p[4] = p[0] ^ p[1] ^ p[2] ^ p[3];
		want(rom, COMMAND, 2);
		say(rom, now + THINK_US + (bf_time)rom->checksum.size * CRC_NS / 1000, p, 5,
		    ROM_STAYS);
	}
}

/* ---- bytes ---- */

/* The first byte sets the rate; anything but 7F sets a wrong one. */
static void take_sync(struct bf_rom *rom, uint8_t byte, bf_time now)
{
	uint32_t rate = rom->port->heard_rate(rom->port);
	bool good = byte == ROM_SYNC;

	want(rom, SYNC, 1);
	if (!good && !(rom->chip->traits & ROM_MEASURES))
		return;
	rom->synced = true;
	rom->port->set_line(rom->port, good ? rate : rate * 3 / 7, BF_PARITY_EVEN, now);
	want(rom, COMMAND, 2);
	if ((bf_pack_opts(rom->pack)->quirks & BF_QUIRK_STRAYZERO) && !rom->zero_sent) {
		rom->zero_sent = true;
		say_byte(rom, now + THINK_US, 0);
	}
	say_byte(rom, now + THINK_US, ROM_ACK);
}

static void finish_field(struct bf_rom *rom, bf_time now)
{
	static void (*const take[])(struct bf_rom *, bf_time) = {
		[COMMAND] = take_command,  [ADDRESS] = take_address, [LENGTH] = take_length,
		[DATA] = take_data,        [PAGES] = take_pages,     [PAGES_16] = take_pages_16,
		[UNITS] = take_units,      [SIZE] = take_checksum,   [POLYNOMIAL] = take_checksum,
		[INITIAL] = take_checksum,
	};
	bool begun = (rom->stage == DATA || rom->stage == UNITS) && rom->need == 1;

	begun = begun || (rom->stage == PAGES && rom->need == 2 && rom->buf[0] != 0xFF) ||
		(rom->stage == PAGES_16 && rom->need == 3 && rom->buf[0] != 0xFF);
	if (!begun) {
		if (!bf_pack_message(rom->pack, now))
			return;
		bf_pack_heard(rom->pack, rom->buf, rom->got);
		rom->refused = rom_refuses_now(rom);
	}
	take[rom->stage](rom, now);
}

static void take_byte(struct bf_rom *rom, uint8_t byte, bf_time now)
{
	if (rom->stage == SYNC) {
		if (bf_pack_message(rom->pack, now))
			take_sync(rom, byte, now);
		return;
	}
	rom->buf[rom->got++] = byte;
	rom->byte_by = rom->chip->byte_timeout ? now + rom->chip->byte_timeout : BF_NEVER;
	if (rom->got == rom->need) {
		rom->byte_by = BF_NEVER;
		finish_field(rom, now);
	}
}

static void take_inbox(struct bf_rom *rom, bf_time now)
{
	while (rom->n_inbox && !rom->n_answers && rom->awake) {
		uint8_t byte = rom->inbox[0];

		memmove(rom->inbox, rom->inbox + 1, --rom->n_inbox);
		take_byte(rom, byte, now);
	}
}

/* ---- as a server of bytes ---- */

static void follow(struct bf_rom *rom, bf_time now)
{
	const struct bf_sim_opts *opts = bf_pack_opts(rom->pack);
	bool was = rom->awake;

	if (!rom_follow(rom))
		return;
	if (rom->awake) {
		want(rom, SYNC, 1);
		rom->port->set_line(rom->port, 0, BF_PARITY_EVEN, now);
	} else if (was) {
		rom->port->set_line(rom->port, opts->rate ? opts->rate : 115200, opts->parity, now);
	}
}

static void uart_bytes(void *server, const uint8_t *p, size_t len, bf_time began, bf_time now)
{
	struct bf_rom *rom = server;
	uint32_t every = bf_pack_opts(rom->pack)->losebyte;

	(void)began;
	follow(rom, now);
	for (size_t i = 0; i < len && rom->awake; i++) {
		size_t room = rom->in_flash ? 1 : sizeof(rom->inbox);

		if (every && ++rom->heard % every == 0)
			continue;
		/* Busy with the flash it keeps one byte: the others overrun it. */
		if (rom->n_inbox < room)
			rom->inbox[rom->n_inbox++] = p[i];
	}
	take_inbox(rom, now);
}

static bf_time uart_next(const void *server)
{
	const struct bf_rom *rom = server;
	bf_time at = bf_pack_next(rom->pack);

	if (rom->n_answers && rom->answers[0].at < at)
		at = rom->answers[0].at;
	return rom->byte_by < at ? rom->byte_by : at;
}

static void send_answer(struct bf_rom *rom, bf_time now)
{
	struct rom_answer a = rom->answers[0];

	memmove(rom->answers, rom->answers + 1, --rom->n_answers * sizeof(a));
	if (!rom->n_answers)
		rom->in_flash = false;
	if (!bf_pack_reply(rom->pack, now))
		return;
	rom->port->send(rom->port, a.data, a.len, now);
	rom_go_on(rom, &a, now + RESET_US);
}

static void uart_run(void *server, bf_time now)
{
	struct bf_rom *rom = server;

	bf_pack_run(rom->pack, now);
	follow(rom, now);
	if (!rom->awake)
		return;
	while (rom->n_answers && rom->answers[0].at <= now && rom->awake) {
		send_answer(rom, now);
		follow(rom, now);
	}
	if (rom->byte_by <= now && rom->awake) {
		rom->byte_by = BF_NEVER;
		want(rom, COMMAND, 2);
	}
	take_inbox(rom, now);
}

static void *uart_open(struct bf_pack *pack, struct bf_bytes_port *port)
{
	struct bf_rom *rom = rom_new(pack);

	rom->port = port;
	follow(rom, 0);
	return rom;
}

static void uart_close(void *server)
{
	bf_rom_free(server);
}

const struct bf_bytes_ops bf_rom_bytes = {
	.open = uart_open,
	.close = uart_close,
	.bytes = uart_bytes,
	.next = uart_next,
	.run = uart_run,
};
