/* SPDX-License-Identifier: MIT */
/* The pack: its flash, what its processor knows, what its boot loader does. */
#include "pack_priv.h"

#include <stdio.h>

#include "bmsflash/file.h"

/* ---- what the processor knows ---- */

uint32_t pack_bank_addr(const struct pack *pack, unsigned slot)
{
	if (pack->kind == PACK_SINGLE || pack->kind == PACK_SINK)
		return 0;
	return slot ? PACK_SLOT1 : PACK_SLOT0;
}

const struct pack_known *pack_in_slot(const struct pack *pack, unsigned slot)
{
	const uint8_t *at = pack->flash->bytes + pack_bank_addr(pack, slot);

	for (size_t i = 0; i < pack->n_known; i++) {
		if (memcmp(at, pack->known[i].bytes, pack->known[i].len) == 0)
			return &pack->known[i];
	}
	return NULL;
}

void pack_learn(struct pack *pack, const char *name)
{
	struct pack_known *k = &pack->known[pack->n_known];
	struct bf_claim *claim = NULL;
	const struct bf_claim_opts opts = { 0 };
	uint8_t *bytes;
	struct bf_err err;
	char path[256];

	bf_err_init(&err);
	assert_true(pack->n_known < PACK_KNOWN);
	assert_int_equal(bf_file_read(data_path(path, name), 1 << 20, &bytes, &k->len, &err), 0);
	k->bytes = bytes;
	assert_int_equal(bf_claim_parse(bytes, k->len, name, NULL, 0, &opts, &claim, &err), 0);
	k->version = bf_claim_meta(claim)->version;
	k->counter = bf_claim_meta(claim)->counter;
	k->digest_len = bf_claim_meta(claim)->digest_len;
	memcpy(k->digest, bf_claim_meta(claim)->digest, k->digest_len);
	bf_claim_free(claim);
	pack->n_known++;
}

void pack_load(struct pack *pack, unsigned slot, const char *name)
{
	uint8_t *at = pack->flash->bytes + pack_bank_addr(pack, slot);
	struct bf_err err;
	char path[256];
	uint8_t *bytes;
	size_t len;

	bf_err_init(&err);
	memset(at, 0xFF, PACK_SLOT);
	assert_int_equal(bf_file_read(data_path(path, name), 1 << 20, &bytes, &len, &err), 0);
	assert_true(len <= PACK_SLOT);
	memcpy(at, bytes, len);
	free(bytes);
}

/* ---- the boot loader ---- */

bool pack_two_banks(const struct pack *pack)
{
	return pack->kind == PACK_DUAL || pack->kind == PACK_STEERED;
}

void pack_boot(struct pack *pack, unsigned reason)
{
	struct pack_flash *f = pack->flash;

	pack->session = pack->unlocked = pack->opened = false;
	pack->rate = 115200;
	f->boots++;
	f->reason = reason;
	if (pack_two_banks(pack)) {
		if (f->pending) {
			f->pending = false;
			f->active ^= 1;
			f->trial = true;
			if (pack->new_crashes) { /* watchdog, and back */
				f->active ^= 1;
				f->trial = false;
				f->boots += 3;
				f->reason = 3;
			}
		} else if (f->trial) {
			f->active ^= 1;
			f->trial = false;
		}
	} else if (pack->new_crashes && pack_in_slot(pack, f->active) == &pack->known[1]) {
		f->reason = 3; /* its bootloader says why it stays */
	}
	if ((pack->wipes && f->trial) ||
	    (pack->wipes_always && pack_in_slot(pack, f->active) == &pack->known[1]))
		memset(f->bytes + PACK_CAL, 0xFF, PACK_UNIT);
	f->in_loader =
		!pack_in_slot(pack, f->active) || (!pack_two_banks(pack) && pack->new_crashes &&
						   pack_in_slot(pack, 0) != &pack->known[0]);
}

void pack_power_up(struct pack *pack)
{
	pack->dead = false;
	pack->die_at = pack->cancel_at = 0;
	pack->ops = 0;
	pack->received = 0;
	memset(pack->calls, 0, sizeof(pack->calls));
	memset(pack->faults, 0, sizeof(pack->faults));
	pack_boot(pack, 1);
}

/* ---- life ---- */

static void set_healthy(struct bf_measure *m)
{
	*m = (struct bf_measure){ .has_pack = true,
				  .has_current = true,
				  .has_soc = true,
				  .pack_v = 52.8,
				  .current_a = 0.1,
				  .soc = 55,
				  .n_cells = 16,
				  .n_temps = 4 };
	for (size_t i = 0; i < m->n_cells; i++)
		m->cell_v[i] = 3.3;
	for (size_t i = 0; i < m->n_temps; i++)
		m->temp_c[i] = 25;
}

void pack_init(struct pack *pack, enum pack_kind kind, struct pack_flash *flash)
{
	memset(pack, 0, sizeof(*pack));
	memset(flash, 0, sizeof(*flash));
	memset(flash->bytes, 0xFF, sizeof(flash->bytes));
	memset(flash->bytes + PACK_CAL, 0x5A, 256);
	pack->kind = kind;
	pack->caps = pack_caps(kind);
	pack->flash = flash;
	pack->window = 1;
	pack->high_rate = 460800;
	pack->rate = 115200;
	flash->counter = 3;
	set_healthy(&pack->measure);
	set_healthy(&pack->after);
}

void pack_done(struct pack *pack)
{
	for (size_t i = 0; i < pack->n_known; i++)
		free((uint8_t *)(uintptr_t)pack->known[i].bytes);
}

const char *data_path(char dst[256], const char *name)
{
	snprintf(dst, 256, "%s/mcuboot/%s", getenv("BF_TEST_DATA"), name);
	return dst;
}
