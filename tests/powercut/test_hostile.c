/* SPDX-License-Identifier: MIT */
/*
 * A pack that means harm: whatever it answers, a run ends, in bounded time, and nothing that it prints can take over
 * a terminal. What is claimed about such a pack is not judged: it lies.
 */
#include "../unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#include "../faults/judge.h"

#define SEEDS   12
#define SECONDS 60 /* a run that takes longer hangs */
/* A run asks some hundred times, and each answer may take the most that is allowed for it. */
#define LONGEST BF_SEC(2 * 3600)

/* Printable, and no escape sequence of either kind. */
static void assert_harmless(const char *text, const char *what, const char *pack)
{
	for (const char *p = text; *p; p++) {
		uint8_t c = (uint8_t)*p;

		if (c < 0x20 || c == 0x7F || (c == 0xC2 && (uint8_t)p[1] < 0xA0))
			fail_msg("%s of '%s' has byte %02x: '%.60s'", what, pack, c, text);
	}
}

static void judge_texts(const struct world *w, const char *pack)
{
	const struct bf_err *e = &w->out.err;
	char notices[sizeof(w->notices)];

	assert_harmless(w->out.sentence, "the last line", pack);
	/* Their newlines are this test's own. */
	snprintf(notices, sizeof(notices), "%s", w->notices);
	for (char *p = notices; *p; p++)
		*p = *p == '\n' ? ' ' : *p;
	assert_harmless(notices, "a notice", pack);
	if (!w->out.rc)
		return;
	assert_harmless(e->cause, "the cause", pack);
	assert_harmless(e->next, "the next step", pack);
	for (size_t i = 0; i < e->n_trail; i++)
		assert_harmless(e->trail[i], "the trail", pack);
	for (size_t i = 0; i < e->n_likely; i++)
		assert_harmless(e->likely[i], "a likely cause", pack);
}

static void meet(const struct model *m, const char *keys, enum bf_job_kind kind)
{
	struct court *c = calloc(1, sizeof(*c));
	struct scenario sc = { .model = m, .image = "mcuboot/app-1.5.0.signed.bin" };
	struct verdict v;

	assert_non_null(c);
	snprintf(sc.pack, sizeof(sc.pack), "%s", keys);
	assert_true(judge_open(c, &sc, getenv("BF_TEST_DATA"), getenv("BF_VERBOSE") != NULL, &v));
	for (int i = 0; i < BF_ALLOW_COUNT; i++)
		c->world.job.allow[i] = true;
	c->world.longest = LONGEST;
	alarm(SECONDS);
	world_run(&c->world, kind, NULL, false);
	alarm(0);
	if (c->world.elapsed >= LONGEST)
		fail_msg("%s of '%s' takes %.0f s", bf_job_name(kind), keys,
			 (double)c->world.elapsed / 1e6);
	if (c->world.out.rc == BF_E_INTERNAL)
		fail_msg("%s of '%s': a defect: %s", bf_job_name(kind), keys,
			 c->world.out.err.cause);
	judge_texts(&c->world, keys);
	judge_close(c);
	free(c);
}

static void meet_all(const char *name, const char *link, const char *hostile)
{
	static const enum bf_job_kind kinds[] = { BF_JOB_PROBE, BF_JOB_BACKUP, BF_JOB_FLASH,
						  BF_JOB_ROLLBACK };
	size_t at = 0;
	const struct model *m = model_next(name, &at);
	char keys[120];

	assert_non_null(m);
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		snprintf(keys, sizeof(keys), "model=hostile,link=%s,hostile=%s,seed=%u", link,
			 hostile, seed);
		for (size_t i = 0; i < BF_COUNT(kinds); i++)
			meet(m, keys, kinds[i]);
	}
}

static void response_pending_for_ever_is_left_alone(void **state)
{
	(void)state;
	meet_all("uds-can", "can", "pending");
	meet_all("uds-hdlc", "rs485", "pending");
}

static void first_frames_without_end_are_left_alone(void **state)
{
	(void)state;
	meet_all("uds-can", "can", "frames");
	meet_all("uds-canfd", "canfd", "frames");
}

static void huge_numbers_are_believed_nowhere(void **state)
{
	(void)state;
	meet_all("uds-can", "can", "numbers");
	meet_all("uds-iso14230", "rs485", "numbers");
}

static void texts_reach_no_terminal_as_they_are(void **state)
{
	(void)state;
	meet_all("uds-can", "can", "texts");
	meet_all("uds-hdlc", "rs485", "texts");
}

static void all_of_it_at_once_is_survived(void **state)
{
	(void)state;
	meet_all("uds-can", "can", "mixed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(response_pending_for_ever_is_left_alone),
		cmocka_unit_test(first_frames_without_end_are_left_alone),
		cmocka_unit_test(huge_numbers_are_believed_nowhere),
		cmocka_unit_test(texts_reach_no_terminal_as_they_are),
		cmocka_unit_test(all_of_it_at_once_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
