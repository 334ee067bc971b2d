/* SPDX-License-Identifier: MIT */
/*
 * AN3154 and the CAN part of AN2662: the identifier of a frame is the command, answers have the same. Data of WRITE and
 * pages of ERASE come in frames of their own, each acknowledged. 125 kbit/s until SPEED says otherwise.
 */
#include "sim/stm32/rom_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/transport.h"

#define THINK_US   60
#define RESET_US   BF_MS(2)
#define RETIME_US  BF_MS(1) /* the controller stops and starts at another rate */
#define FIRST_RATE 125000u
#define SYNC_ID    0x79u

enum stage { IDLE, DATA, PAGES };

static struct rom_answer *say(struct bf_rom *rom, bf_time at, uint32_t id, const uint8_t *p,
			      size_t len)
{
	struct rom_answer *a = rom_answer(rom, at, p, len);

	a->id = id;
	return a;
}

static struct rom_answer *say_byte(struct bf_rom *rom, bf_time at, uint32_t id, uint8_t byte)
{
	return say(rom, at, id, &byte, 1);
}

static void refuse(struct bf_rom *rom, bf_time at)
{
	rom->stage = IDLE;
	say_byte(rom, at, rom->command, ROM_NACK);
}

/* ---- commands of one frame ---- */

static void tell_commands(struct bf_rom *rom, bf_time at)
{
	size_t n = 0;

	say_byte(rom, at, ROM_GET, ROM_ACK);
	say_byte(rom, at, ROM_GET, 0);
	say_byte(rom, at, ROM_GET, rom->chip->version);
	for (unsigned command = 0; command < 0xA0; command++) {
		if (command == ROM_EXTENDED_ERASE || !rom_knows(rom, (uint8_t)command))
			continue;
		say_byte(rom, at, ROM_GET, (uint8_t)command);
		n++;
	}
	rom->answers[1].data[0] = (uint8_t)n;
	say_byte(rom, at, ROM_GET, ROM_ACK);
}

static void tell_version(struct bf_rom *rom, bf_time at)
{
	say_byte(rom, at, ROM_VERSION, ROM_ACK);
	say_byte(rom, at, ROM_VERSION, rom->chip->version);
	say(rom, at, ROM_VERSION, (const uint8_t[]){ 0, 0 }, 2);
	say_byte(rom, at, ROM_VERSION, ROM_ACK);
}

static void tell_id(struct bf_rom *rom, bf_time at)
{
	say_byte(rom, at, ROM_ID, ROM_ACK);
	say(rom, at, ROM_ID, rom->chip->pid, rom->chip->pid_len);
	say_byte(rom, at, ROM_ID, ROM_ACK);
}

static void read_memory(struct bf_rom *rom, const struct bf_frame *f, bf_time at)
{
	uint8_t p[256];
	uint32_t addr = bf_get_be32(f->data);
	size_t len = f->data[4] + 1u;

	if (f->len != 5 || rom_check_address(rom, ROM_READ, addr) || rom_read(rom, addr, len, p)) {
		refuse(rom, at);
		return;
	}
	say_byte(rom, at, ROM_READ, ROM_ACK);
	for (size_t i = 0; i < len; i += 8)
		say(rom, at, ROM_READ, p + i, len - i < 8 ? len - i : 8);
	say_byte(rom, at, ROM_READ, ROM_ACK);
}

static void go(struct bf_rom *rom, const struct bf_frame *f, bf_time at)
{
	rom->addr = bf_get_be32(f->data);
	if (f->len != 4 || rom_check_address(rom, ROM_GO, rom->addr))
		refuse(rom, at);
	else
		say_byte(rom, at, ROM_GO, ROM_ACK)->after = ROM_JUMPS;
}

static void set_speed(struct bf_rom *rom, const struct bf_frame *f, bf_time at)
{
	static const uint32_t rates[] = { 125000, 250000, 500000, 1000000 };
	uint32_t second = rom->chip->traits & ROM_CAN_SPEED_2 ? ROM_ID : ROM_SPEED;

	if (f->len != 1 || !f->data[0] || f->data[0] > BF_COUNT(rates)) {
		refuse(rom, at);
		return;
	}
	say_byte(rom, at, ROM_SPEED, ROM_ACK);
	rom->new_rate = rates[f->data[0] - 1];
	say_byte(rom, at + RETIME_US, second, ROM_ACK);
}

static void begin_write(struct bf_rom *rom, const struct bf_frame *f, bf_time at)
{
	rom->addr = bf_get_be32(f->data);
	if (f->len != 5 || rom_check_address(rom, ROM_WRITE, rom->addr)) {
		refuse(rom, at);
		return;
	}
	rom->stage = DATA;
	rom->want = f->data[4] + 1u;
	rom->got = 0;
	say_byte(rom, at, ROM_WRITE, ROM_ACK);
}

/* ---- work on the flash ---- */

static void answer_work(struct bf_rom *rom, enum rom_result r, bf_time done, enum rom_after after)
{
	rom->stage = IDLE;
	if (r == ROM_DEAD)
		return;
	rom->in_flash = true;
	say_byte(rom, done + THINK_US, rom->command, r ? ROM_NACK : ROM_ACK)->after =
		r ? ROM_STAYS : after;
}

static void protect(struct bf_rom *rom, const struct bf_frame *f, bf_time now)
{
	bf_time done = now;
	enum rom_result r;

	say_byte(rom, now + THINK_US, rom->command, ROM_ACK);
	if (rom->command == ROM_WRITE_PROTECT)
		r = rom_protect_pages(rom, f->data, f->len, now, &done);
	else if (rom->command == ROM_WRITE_UNPROTECT)
		r = rom_protect_pages(rom, NULL, 0, now, &done);
	else
		r = rom_protect_reading(rom, rom->command == ROM_READ_PROTECT, now, &done);
	answer_work(rom, r, done, ROM_RESETS);
}

static void erase_pages(struct bf_rom *rom, const uint8_t *pages, size_t n, bf_time now)
{
	enum rom_result r = n ? ROM_DONE : ROM_REFUSED;
	bf_time done = now;

	for (size_t i = 0; i < n; i++)
		if (!rom_has_page(rom->chip, pages[i]))
			r = ROM_REFUSED;
	for (size_t i = 0; i < n && r == ROM_DONE; i++)
		r = rom_erase_page(rom, pages[i], now, &done);
	answer_work(rom, r, done, ROM_STAYS);
	if (r || rom->lost_ack || !(bf_pack_opts(rom->pack)->quirks & BF_QUIRK_LOSEACK))
		return;
	rom->lost_ack = true;
	rom->answers[rom->n_answers - 1].id = UINT32_MAX;
}

static void begin_erase(struct bf_rom *rom, const struct bf_frame *f, bf_time now)
{
	bf_time at = now + THINK_US, done = now;
	enum rom_result r;

	if (!f->len) {
		refuse(rom, at);
		return;
	}
	say_byte(rom, at, ROM_ERASE, ROM_ACK);
	if (f->len == 1 && f->data[0] == 0xFF) {
		r = rom_erase_banks(rom, 3, now, &done);
		answer_work(rom, r, done, ROM_STAYS);
	} else if (rom->chip->traits & ROM_CAN_LIST) {
		erase_pages(rom, f->data, f->len, now);
	} else {
		rom->stage = PAGES;
		rom->want = f->data[0] + 1u;
		rom->got = 0;
	}
}

/* ---- frames ---- */

static void begin_command(struct bf_rom *rom, const struct bf_frame *f, bf_time now)
{
	bf_time at = now + THINK_US;

	rom->command = (uint8_t)f->id;
	if (!rom_knows(rom, rom->command))
		return; /* no filter lets it through */
	if (rom_forbidden(rom, rom->command) || rom->refused) {
		refuse(rom, at);
		return;
	}
	switch (rom->command) {
	case ROM_GET:
		tell_commands(rom, at);
		break;
	case ROM_VERSION:
		tell_version(rom, at);
		break;
	case ROM_ID:
		tell_id(rom, at);
		break;
	case ROM_SPEED:
		set_speed(rom, f, at);
		break;
	case ROM_READ:
		read_memory(rom, f, at);
		break;
	case ROM_GO:
		go(rom, f, at);
		break;
	case ROM_WRITE:
		begin_write(rom, f, at);
		break;
	case ROM_ERASE:
		begin_erase(rom, f, now);
		break;
	case ROM_WRITE_PROTECT:
	case ROM_WRITE_UNPROTECT:
	case ROM_READ_PROTECT:
	case ROM_READ_UNPROTECT:
		protect(rom, f, now);
		break;
	}
}

/* Whatever its identifier is: the loader does not look. */
static void take_more(struct bf_rom *rom, const struct bf_frame *f, bf_time now)
{
	size_t room = rom->want - rom->got, n = f->len < room ? f->len : room;
	bool option = rom_is_option(rom, rom->addr);
	enum rom_result r = ROM_REFUSED;
	bf_time done = now;

	if (rom->refused) {
		refuse(rom, now + THINK_US);
		return;
	}
	memcpy(rom->buf + rom->got, f->data, n);
	rom->got += n;
	say_byte(rom, now + THINK_US, rom->command, ROM_ACK);
	if (rom->got < rom->want)
		return;
	if (rom->stage == PAGES) {
		erase_pages(rom, rom->buf, rom->got, now);
		return;
	}
	r = rom_write(rom, rom->addr, rom->buf, rom->want, now, &done);
	answer_work(rom, r, done, option ? ROM_RESETS : ROM_STAYS);
}

static void take_sync(struct bf_rom *rom, bf_time now)
{
	say_byte(rom, now + THINK_US, SYNC_ID, rom->synced ? ROM_NACK : ROM_ACK);
	rom->synced = true;
}

static void follow(struct bf_rom *rom, bf_time now)
{
	const struct bf_sim_opts *opts = bf_pack_opts(rom->pack);
	bool was = rom->awake;

	if (!rom_follow(rom))
		return;
	rom->stage = IDLE;
	rom->new_rate = 0;
	if (rom->awake)
		rom->bus->set_rate(rom->bus, FIRST_RATE, now);
	else if (was)
		rom->bus->set_rate(rom->bus, opts->rate ? opts->rate : 500000, now);
}

void bf_rom_can_frame(struct bf_rom *rom, const struct bf_frame *f, bf_time now)
{
	uint32_t every = bf_pack_opts(rom->pack)->losebyte;

	follow(rom, now);
	/* Without a place for it the frame is lost; the host is told nothing. */
	if (!rom->awake || rom->n_answers ||
	    f->flags & (BF_FRAME_EXT | BF_FRAME_FD | BF_FRAME_RTR) || f->id > 0xFF ||
	    (every && ++rom->heard % every == 0))
		return;
	if (!bf_pack_message(rom->pack, now))
		return;
	bf_pack_heard(rom->pack, f->data, f->len);
	if (f->id == SYNC_ID && rom->stage == IDLE) {
		take_sync(rom, now);
		return;
	}
	if (!rom->synced)
		return;
	rom->refused = rom_refuses_now(rom);
	if (rom->stage == IDLE)
		begin_command(rom, f, now);
	else
		take_more(rom, f, now);
}

bf_time bf_rom_can_next(const struct bf_rom *rom)
{
	bf_time at = bf_pack_next(rom->pack);
	bf_time out = rom->n_answers ? rom->answers[0].at : BF_NEVER;

	out = out < rom->idle_at ? rom->idle_at : out;
	return out < at ? out : at;
}

static void send_answer(struct bf_rom *rom, bf_time now)
{
	struct rom_answer a = rom->answers[0];
	struct bf_frame f = { .id = a.id, .len = (uint8_t)a.len };
	bool old_rate = rom->new_rate && rom->n_answers == 2;

	memmove(rom->answers, rom->answers + 1, --rom->n_answers * sizeof(a));
	if (!rom->n_answers)
		rom->in_flash = false;
	if (!bf_pack_reply(rom->pack, now))
		return;
	if (a.id <= 0x7FF) {
		memcpy(f.data, a.data, a.len);
		rom->idle_at = rom->bus->send(rom->bus, &f, now);
	}
	if (old_rate) {
		rom->answers[0].at = rom->idle_at + RETIME_US;
	} else if (rom->new_rate) {
		rom->new_rate = 0;
	}
	rom_go_on(rom, &a, rom->idle_at + RESET_US);
}

void bf_rom_can_run(struct bf_rom *rom, bf_time now)
{
	bf_pack_run(rom->pack, now);
	follow(rom, now);
	if (!rom->awake || !rom->n_answers || rom->answers[0].at > now || rom->idle_at > now)
		return;
	/* The second acknowledge of SPEED is the first frame at the new rate. */
	if (rom->new_rate && rom->n_answers == 1)
		rom->bus->set_rate(rom->bus, rom->new_rate, now);
	send_answer(rom, now);
	follow(rom, now);
}

struct bf_rom *bf_rom_can_new(struct bf_pack *pack, struct bf_rom_bus *bus)
{
	struct bf_rom *rom = rom_new(pack);

	rom->bus = bus;
	follow(rom, 0);
	return rom;
}
