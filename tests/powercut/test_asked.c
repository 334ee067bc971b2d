/* SPDX-License-Identifier: MIT */
/* What probe and a dry run ask: heard by the pack's own server, which writes down every request. */
#include "../unit/unit.h"

#include <stdio.h>

#include "../faults/judge.h"
#include "bmsflash/bytes.h"

#define ASKED_MAX 4000

struct asked {
	size_t n;
	struct request {
		uint8_t p[8]; /* its beginning */
		size_t len;
	} rows[ASKED_MAX];
	bool ours; /* one of our identifiers was asked for before */
};

static void on_heard(void *ctx, const uint8_t *msg, size_t len)
{
	struct asked *a = ctx;
	struct request *r = &a->rows[a->n];

	assert_true(a->n < ASKED_MAX);
	memcpy(r->p, msg, len < sizeof(r->p) ? len : sizeof(r->p));
	r->len = len;
	a->n++;
}

static uint16_t number(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Reads, the default and the extended session, and TesterPresent. */
static bool is_harmless(const struct request *r)
{
	switch (r->p[0]) {
	case 0x10:
		return r->len == 2 && (r->p[1] == 1 || r->p[1] == 3);
	case 0x22:
	case 0x23:
		return true;
	case 0x3E:
		return r->len == 2 && (r->p[1] == 0 || r->p[1] == 0x80);
	}
	return false;
}

/* Routines of ours that change nothing: state of the slots, hashes. Only on a pack that has our identifiers. */
static bool is_ours_and_harmless(const struct asked *a, const struct request *r)
{
	uint16_t rid = number(r->p + 2);

	return a->ours && r->p[0] == 0x31 && r->p[1] == 1 && (rid == 0xF0B0 || rid == 0xF0B4);
}

static void note_identifiers(struct asked *a, const struct request *r)
{
	for (size_t i = 1; r->p[0] == 0x22 && i + 1 < r->len && i + 1 < sizeof(r->p); i += 2) {
		uint16_t did = number(r->p + i);

		a->ours = a->ours || did == 0xFD01 || did == 0xFD03 || did == 0xFD06;
	}
}

static void judge_asked(const struct model *m, const char *keys, const char *what, bool is_ours,
			struct asked *a)
{
	assert_true(a->n > 0);
	for (size_t i = 0; i < a->n; i++) {
		const struct request *r = &a->rows[i];
		char hex[2 * sizeof(r->p) + 1];

		note_identifiers(a, r);
		if (is_harmless(r) || (is_ours && is_ours_and_harmless(a, r)))
			continue;
		bf_hex(hex, sizeof(hex), r->p, r->len < sizeof(r->p) ? r->len : sizeof(r->p));
		fail_msg("%s asks %s%s%s for %s (%zu bytes), request %zu", what, m->name,
			 *keys ? "," : "", keys, hex, r->len, i + 1);
	}
}

static void ask(const struct model *m, const char *keys, enum bf_job_kind kind, bool is_ours)
{
	struct asked *a = calloc(1, sizeof(*a));
	struct court *c = calloc(1, sizeof(*c));
	const struct truth_hooks hooks = { .heard = on_heard, .ctx = a };
	struct scenario sc = { .model = m, .image = "mcuboot/app-1.5.0.signed.bin" };
	struct verdict v;

	assert_non_null(a);
	assert_non_null(c);
	snprintf(sc.pack, sizeof(sc.pack), "%s%s%s", m->pack, *keys ? "," : "", keys);
	assert_true(judge_open(c, &sc, getenv("BF_TEST_DATA"), false, &v));
	c->world.guard.hooks = &hooks;
	c->world.job.dry_run = kind != BF_JOB_PROBE;
	world_run(&c->world, kind, NULL, false);
	judge_asked(m, keys, kind == BF_JOB_PROBE ? "probe" : "a dry run", is_ours, a);
	judge_close(c);
	free(c);
	free(a);
}

static void ask_all(const char *name, const char *keys, const enum bf_job_kind *kinds, size_t n,
		    bool is_ours)
{
	size_t at = 0;
	const struct model *m = model_next(name, &at);

	assert_non_null(m);
	for (size_t i = 0; i < n; i++)
		ask(m, keys, kinds[i], is_ours);
}

static const enum bf_job_kind probe[] = { BF_JOB_PROBE };
static const enum bf_job_kind dry_runs[] = { BF_JOB_FLASH, BF_JOB_ROLLBACK, BF_JOB_BACKUP };

static void ask_ours(const enum bf_job_kind *kinds, size_t n)
{
	static const char *const names[] = { "uds-can", "uds-hdlc", "uds-iso14230",
					     "uds-one-bank-can" };
	static const char *const keys[] = { "",
					    "auth=27",
					    "auth=29",
					    "version=none",
					    "slot1=1.4.0",
					    "quirk=nohash",
					    "quirk=noread" };

	for (size_t i = 0; i < BF_COUNT(names); i++)
		for (size_t k = 0; k < BF_COUNT(keys); k++)
			ask_all(names[i], keys[k], kinds, n, true);
}

static void ask_plain(const enum bf_job_kind *kinds, size_t n)
{
	static const char *const names[] = { "standard", "standard-rs485", "standard-read" };
	static const char *const keys[] = {
		"",
		"auth=27",
		"version=none",
		"quirk=mute",
		"quirk=onedid",
		"quirk=nojump",
		"loader-version=BOOT_2.3,version=none",
	};

	for (size_t i = 0; i < BF_COUNT(names); i++)
		for (size_t k = 0; k < BF_COUNT(keys); k++)
			ask_all(names[i], keys[k], kinds, n, false);
}

static void probe_asks_our_pack_for_nothing_that_changes_it(void **state)
{
	(void)state;
	ask_ours(probe, BF_COUNT(probe));
}

static void a_dry_run_asks_our_pack_for_nothing_that_changes_it(void **state)
{
	(void)state;
	ask_ours(dry_runs, BF_COUNT(dry_runs));
}

static void probe_asks_a_plain_server_for_reads_alone(void **state)
{
	(void)state;
	ask_plain(probe, BF_COUNT(probe));
}

static void a_dry_run_asks_a_plain_server_for_reads_alone(void **state)
{
	(void)state;
	ask_plain(dry_runs, BF_COUNT(dry_runs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_asks_our_pack_for_nothing_that_changes_it),
		cmocka_unit_test(a_dry_run_asks_our_pack_for_nothing_that_changes_it),
		cmocka_unit_test(probe_asks_a_plain_server_for_reads_alone),
		cmocka_unit_test(a_dry_run_asks_a_plain_server_for_reads_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
