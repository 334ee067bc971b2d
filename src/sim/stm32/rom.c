/* SPDX-License-Identifier: MIT */
/* The loader while it has the line: when it is awake, what it knows, and answers that wait for their time. */
#include "sim/stm32/rom_priv.h"

#include <string.h>

struct bf_rom *rom_new(struct bf_pack *pack)
{
	struct bf_rom *rom = calloc(1, sizeof(*rom));

	if (!rom)
		abort();
	rom->pack = pack;
	rom->chip = bf_rom_chip(bf_pack_opts(pack));
	rom->ram = calloc(1, rom->chip->ram_size);
	if (!rom->ram)
		abort();
	rom->byte_by = BF_NEVER;
	return rom;
}

struct bf_rom *bf_rom_free(struct bf_rom *rom)
{
	if (!rom)
		return NULL;
	free(rom->ram);
	free(rom);
	return NULL;
}

bool rom_follow(struct bf_rom *rom)
{
	bool awake = bf_pack_mode(rom->pack) == BF_PACK_LOADER && bf_pack_in_rom(rom->pack);

	if (awake == rom->awake && rom->starts == bf_pack_starts(rom->pack))
		return false;
	rom->awake = awake;
	rom->starts = bf_pack_starts(rom->pack);
	rom->synced = rom->in_flash = false;
	rom->stage = 0;
	rom->got = rom->need = rom->n_inbox = rom->n_answers = rom->want = 0;
	rom->byte_by = BF_NEVER;
	return true;
}

bool rom_knows(const struct bf_rom *rom, uint8_t command)
{
	if (command == ROM_SPEED && rom->bus)
		return true;
	/* CAN has no extended erase: where the chip has one, its pages go by ERASE all the same. */
	if (rom->bus && command == ROM_ERASE)
		return true;
	return memchr(rom->chip->commands, command, rom->chip->n_commands);
}

bool rom_forbidden(const struct bf_rom *rom, uint8_t command)
{
	static const uint8_t open[] = { ROM_GET, ROM_VERSION, ROM_ID, ROM_SPEED,
					ROM_READ_UNPROTECT };

	return rom_is_protected(rom->pack) && !memchr(open, command, sizeof(open));
}

struct rom_answer *rom_answer(struct bf_rom *rom, bf_time at, const uint8_t *p, size_t len)
{
	struct rom_answer *a = &rom->answers[rom->n_answers];
	bf_time before = rom->n_answers ? a[-1].at : 0;

	if (rom->n_answers == ROM_ANSWERS || len > sizeof(a->data))
		abort(); /* no command has so many */
	*a = (struct rom_answer){ .at = at > before ? at : before, .len = (uint16_t)len };
	memcpy(a->data, p, len);
	rom->n_answers++;
	return a;
}

bool rom_refuses_now(struct bf_rom *rom)
{
	uint32_t every = bf_pack_opts(rom->pack)->nack;

	return every && ++rom->acks % every == 0;
}

void rom_go_on(struct bf_rom *rom, const struct rom_answer *a, bf_time now)
{
	/* What is started in RAM is taken for the helper that resets the chip. */
	bool in_ram = a->after == ROM_JUMPS && rom->addr >= ROM_RAM;

	if (a->after == ROM_RESETS || in_ram)
		bf_pack_restart(rom->pack, BF_PACK_BY_REQUEST, now);
	else if (a->after == ROM_JUMPS)
		bf_pack_jump(rom->pack, rom->addr, now);
}
