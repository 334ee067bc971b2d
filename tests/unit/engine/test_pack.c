/* SPDX-License-Identifier: MIT */
/* The model of the pack: every combination of its facts, and how a run ends from it. */
#include "engine/pack.h"

#include <string.h>

#include "../unit.h"

typedef void (*visit)(const struct bf_model *m, unsigned *n);

#define EACH(var, count) for (unsigned var = 0; (var) < (unsigned)(count); (var)++)

/* Combinations that the invariants allow. */
static unsigned walk(visit look)
{
	unsigned n = 0;

	EACH(app, BF_APP_COUNT)
	EACH(talking, BF_TALKING_COUNT)
	EACH(runs, BF_RUNS_COUNT)
	EACH(stage, BF_STAGE_COUNT)
	EACH(holds, BF_HOLDS_COUNT)
	EACH(image, BF_KNOWN_COUNT)
	EACH(verified, 2)
	EACH(data, 3)
	EACH(entered, 4)
	EACH(flags, 1 << 6)
	{
		struct bf_model m = {
			.app = app,
			.talking = talking,
			.runs = runs,
			.stage = stage,
			.holds = holds,
			.survives.image = image,
			.verified = verified ? BF_VERIFIED_CHECK : 0,
			.data = data,
			.entered = entered,
			.link_gone = flags & 1,
			.went_back = flags & 2,
			.failed_test = flags & 4,
			.new_heard = flags & 8,
			.no_proof = flags & 16,
			.test_boot = flags & 32,
		};

		if (!bf_model_wrong(&m))
			look(&m, &n);
	}
	return n;
}

static void complain(const struct bf_model *m, const char *what)
{
	struct bf_end e = bf_model_end(m);

	fail_msg("%s: app %d talking %d runs %d stage %d holds %d image %d verified %u data %d "
		 "entered %d "
		 "gone %d back %d failed %d heard %d ends %s/%s text %d",
		 what, m->app, m->talking, m->runs, m->stage, m->holds, m->survives.image,
		 m->verified, m->data, m->entered, m->link_gone, m->went_back, m->failed_test,
		 m->new_heard, bf_state_name(e.state), bf_rc_info(e.rc)->name, e.text);
}

/* What may be said, judged without the table: from the facts alone. */
static void is_true(const struct bf_model *m, unsigned *n)
{
	struct bf_end e = bf_model_end(m);
	bool safe = m->survives.image == BF_KNOWN_YES;

	(*n)++;
	switch (e.state) {
	case BF_STATE_OLD:
		if (m->runs == BF_RUNS_UNKNOWN)
			complain(m, "says that the old firmware runs, and nobody heard it");
		if (m->runs == BF_RUNS_NEW && m->stage != BF_STAGE_NONE)
			complain(m, "calls the new firmware old");
		break;
	case BF_STATE_NEW_PROVEN:
		if (m->runs != BF_RUNS_NEW)
			complain(m, "says that new firmware runs, and nobody heard it");
		break;
	case BF_STATE_UNTOUCHED:
		if (m->holds == BF_HOLDS_PARTIAL && !safe)
			complain(m, "calls a pack untouched that was erased");
		break;
	case BF_STATE_RECOVERY:
		if (e.text == BF_END_RECOVERY && safe && m->app != BF_APP_ABSENT &&
		    m->runs != BF_RUNS_OLD)
			complain(m, "calls a pack lost whose old image is safe");
		if (m->stage != BF_STAGE_NONE && e.rc != BF_E_RECOVERY)
			complain(m, "needs recovery under another code");
		if (m->runs == BF_RUNS_NEW || m->runs == BF_RUNS_UNTOLD)
			complain(m, "calls a pack lost whose firmware answers");
		break;
	case BF_STATE_UNPROVEN:
		if (e.rc == BF_E_UNPROVEN && m->runs == BF_RUNS_UNKNOWN && !m->verified &&
		    m->talking != BF_TALKING_SOMEBODY && m->survives.image != BF_KNOWN_NOT)
			complain(m, "says verified of what nobody checked");
		if (e.rc == BF_E_UNPROVEN && m->holds == BF_HOLDS_PARTIAL &&
		    m->runs != BF_RUNS_UNTOLD)
			complain(m, "says written of what is half there");
		break;
	case BF_STATE_UNKNOWN:
		if (m->stage == BF_STAGE_NONE)
			complain(m, "does not know a pack that it did not touch");
		if (e.rc != BF_E_LINK)
			complain(m, "unknown under another code than that of the link");
		if (m->runs != BF_RUNS_UNKNOWN)
			complain(m, "does not know what it just heard");
		break;
	}
	if (e.rc == BF_E_RESTORED && m->runs != BF_RUNS_OLD)
		complain(m, "says that the old firmware is back, and nobody heard it");
}

static void every_combination_ends_with_what_is_true(void **state)
{
	(void)state;
	assert_true(walk(is_true) > 10000);
}

static void rows_of_the_contract(void **state)
{
	static const struct {
		const char *what;
		struct bf_model m;
		enum bf_state state;
		enum bf_rc rc;
	} rows[] = {
		{ "adapter lost while the only place is half written",
		  { .stage = BF_STAGE_WRITING,
		    .holds = BF_HOLDS_PARTIAL,
		    .app = BF_APP_ABSENT,
		    .survives.image = BF_KNOWN_NO,
		    .link_gone = true },
		  BF_STATE_RECOVERY,
		  BF_E_RECOVERY },
		{ "adapter lost after all was written",
		  { .stage = BF_STAGE_WRITTEN,
		    .holds = BF_HOLDS_NEW,
		    .survives.image = BF_KNOWN_NO,
		    .link_gone = true },
		  BF_STATE_UNKNOWN,
		  BF_E_LINK },
		{ "the first destructive request was refused",
		  { .stage = BF_STAGE_WRITING,
		    .holds = BF_HOLDS_OLD,
		    .app = BF_APP_RUNNING,
		    .talking = BF_TALKING_APP,
		    .runs = BF_RUNS_OLD,
		    .survives.image = BF_KNOWN_NO },
		  BF_STATE_OLD,
		  BF_OK },
		{ "verified, and its bootloader does not start it",
		  { .stage = BF_STAGE_STARTED,
		    .holds = BF_HOLDS_NEW,
		    .app = BF_APP_STOPPED,
		    .talking = BF_TALKING_LOADER,
		    .verified = BF_VERIFIED_READ,
		    .survives.image = BF_KNOWN_NO },
		  BF_STATE_UNPROVEN,
		  BF_E_UNPROVEN },
		{ "an application runs that does not say which",
		  { .stage = BF_STAGE_STARTED,
		    .holds = BF_HOLDS_NEW,
		    .app = BF_APP_RUNNING,
		    .talking = BF_TALKING_APP,
		    .runs = BF_RUNS_UNTOLD,
		    .survives.image = BF_KNOWN_NO },
		  BF_STATE_UNPROVEN,
		  BF_E_UNPROVEN },
		{ "a healthy pack that was found in its bootloader",
		  { .talking = BF_TALKING_LOADER,
		    .entered = BF_ENTERED_FOUND,
		    .survives.image = BF_KNOWN_NO,
		    .holds = BF_HOLDS_OLD },
		  BF_STATE_UNTOUCHED,
		  BF_OK },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_end e = bf_model_end(&rows[i].m);

		if (bf_model_wrong(&rows[i].m))
			fail_msg("%s: %s", rows[i].what, bf_model_wrong(&rows[i].m));
		if (e.state != rows[i].state || e.rc != rows[i].rc)
			fail_msg("%s: ends %s/%s", rows[i].what, bf_state_name(e.state),
				 bf_rc_info(e.rc)->name);
	}
}

static struct bf_ident loader(unsigned caps)
{
	return (struct bf_ident){ .in_bootloader = true, .talks = BF_TALKS_LOADER, .caps = caps };
}

static void a_loader_that_answers_says_nothing_about_the_application(void **state)
{
	struct bf_ident l = loader(BF_CAP_READ),
			app = { .caps = BF_CAP_READ, .talks = BF_TALKS_APPLICATION };
	struct bf_model m = { 0 };

	(void)state;
	bf_model_found(&m, &l, false);
	assert_int_equal(m.app, BF_APP_UNKNOWN);
	assert_true(bf_model_app_may_be_lost(&m));
	m = (struct bf_model){ 0 };
	bf_model_found(&m, &app, false);
	bf_model_stops_app(&m);
	bf_model_entered(&m);
	bf_model_learned(&m, &l);
	assert_int_equal(m.app, BF_APP_STOPPED);
	l.n_slots = 1; /* it tells its slots, and none can be started */
	m = (struct bf_model){ 0 };
	bf_model_found(&m, &l, false);
	assert_int_equal(m.app, BF_APP_ABSENT);
	assert_false(bf_model_app_may_be_lost(&m));
}

static void verified_firmware_is_not_overwritten_for_being_late(void **state)
{
	struct bf_ident app = { .talks = BF_TALKS_APPLICATION }, l = loader(0);
	struct bf_model m = { 0 };

	(void)state;
	bf_model_found(&m, &app, false);
	bf_model_stops_app(&m);
	bf_model_entered(&m);
	bf_model_learned(&m, &l);
	bf_model_writing(&m);
	bf_model_changed(&m, true);
	assert_true(bf_model_may_write_back(&m));
	bf_model_written(&m);
	bf_model_verified(&m, BF_VERIFIED_CHECK);
	bf_model_starting(&m);
	bf_model_restarts(&m);
	assert_false(bf_model_may_write_back(&m));
	bf_model_heard(&m, &l, BF_MATCH_NO);
	assert_false(bf_model_may_write_back(&m));
	bf_model_failed_test(&m);
	assert_true(bf_model_may_write_back(&m));
	assert_null(bf_model_wrong(&m));
}

/* Written over, the old firmware cannot be what answers, whatever number it says. */
static void the_same_version_in_the_only_place_is_not_the_old_firmware(void **state)
{
	struct bf_ident app = { .talks = BF_TALKS_APPLICATION };
	struct bf_model m = { 0 };

	(void)state;
	bf_model_found(&m, &app, false);
	bf_model_writing(&m);
	bf_model_changed(&m, true);
	bf_model_written(&m);
	bf_model_verified(&m, BF_VERIFIED_READ);
	bf_model_starting(&m);
	bf_model_restarts(&m);
	bf_model_heard(&m, &app, BF_MATCH_NO);
	assert_int_equal(m.runs, BF_RUNS_UNTOLD);
}

static void what_is_written_is_not_verified_yet(void **state)
{
	struct bf_model m = { .verified = BF_VERIFIED_CHECK };

	(void)state;
	bf_model_writing(&m);
	assert_int_equal(m.verified, 0);
	assert_int_equal(m.stage, BF_STAGE_WRITING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_not_verified_yet),
		cmocka_unit_test(every_combination_ends_with_what_is_true),
		cmocka_unit_test(rows_of_the_contract),
		cmocka_unit_test(a_loader_that_answers_says_nothing_about_the_application),
		cmocka_unit_test(verified_firmware_is_not_overwritten_for_being_late),
		cmocka_unit_test(the_same_version_in_the_only_place_is_not_the_old_firmware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
