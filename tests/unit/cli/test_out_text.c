/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "screen.h"

struct fixture {
	struct bf_out_text out;
	char *results, *notes;
	size_t results_len, notes_len;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->out.results = open_memstream(&f->results, &f->results_len);
	f->out.notes = open_memstream(&f->notes, &f->notes_len);
	f->out.progress = BF_PROGRESS_PLAIN;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	fclose(f->out.results);
	fclose(f->out.notes);
	free(f->results);
	free(f->notes);
	free(f);
	return 0;
}

static void begin(struct fixture *f)
{
	struct bf_event start = { .kind = BF_EV_START, .job = BF_JOB_FLASH };
	struct bf_plan plan = {
		.to_version = "1.5.0", .bytes = 100000, .confirm = true, .rate = 500000
	};
	struct bf_event planned = { .kind = BF_EV_PLAN, .plan = &plan };
	struct bf_event phase = { .kind = BF_EV_PHASE,
				  .phase = { "writing", 1, 2, BF_ACT_WRITE, 0 } };

	bf_out_text_event(&f->out, &start);
	bf_out_text_event(&f->out, &planned);
	bf_out_text_event(&f->out, &phase);
	fflush(f->out.notes);
}

static void progress_at(struct fixture *f, unsigned done, int64_t wall_us)
{
	struct bf_progress p = { .phase = "writing",
				 .done = done,
				 .total = 100,
				 .rate = 1000,
				 .wire_share = -1,
				 .eta = BF_SEC(3) };
	struct bf_event ev = { .kind = BF_EV_PROGRESS, .wall_us = wall_us, .progress = &p };

	bf_out_text_event(&f->out, &ev);
	fflush(f->out.notes);
}

static size_t lines(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static void plain_progress_is_a_line_for_each_ten_percent_without_carriage_return(void **state)
{
	struct fixture *f = *state;

	begin(f);
	for (unsigned done = 0; done <= 100; done++)
		progress_at(f, done, 1000 * done + 1);
	assert_true(lines(f->notes) >= 2 && lines(f->notes) <= 10);
	assert_non_null(strstr(f->notes, "Writing 20 %\n"));
	assert_null(strchr(f->notes, '\r'));
	assert_null(strchr(f->notes, '\033'));
	assert_int_equal(f->results_len, 0);
}

static void a_live_line_is_erased_before_something_else_is_said(void **state)
{
	struct fixture *f = *state;
	struct bf_event ev = { .kind = BF_EV_WARNING, .text = "hello" };

	f->out.progress = BF_PROGRESS_TTY;
	begin(f);
	progress_at(f, 1, 0);
	assert_true(f->out.line_open);
	bf_out_text_event(&f->out, &ev);
	fflush(f->out.notes);
	assert_non_null(strstr(f->notes, "\r\033[KWARNING    hello\n"));
	assert_false(f->out.line_open);
}

static void a_silent_pack_is_shown_with_seconds_and_the_number_of_the_try(void **state)
{
	struct fixture *f = *state;
	struct bf_event again = { .kind = BF_EV_RETRY,
				  .wall_us = BF_SEC(4),
				  .retry = { "the transfer again: no answer", 2, 5 } };
	struct bf_event alive = { .kind = BF_EV_ALIVE,
				  .wall_us = BF_SEC(5),
				  .alive = { "x", NULL } };

	f->out.progress = BF_PROGRESS_TTY;
	begin(f);
	progress_at(f, 1, BF_SEC(1));
	bf_out_text_event(&f->out, &again);
	bf_out_text_event(&f->out, &alive);
	fflush(f->out.notes);
	assert_non_null(strstr(f->notes, "no answer, 4 s (try 2 of 5)"));
	again.retry.next = 0; /* not counted */
	bf_out_text_event(&f->out, &again);
	alive.wall_us = BF_SEC(7);
	bf_out_text_event(&f->out, &alive);
	fflush(f->out.notes);
	assert_non_null(strstr(f->notes, "no answer, 6 s"));
	assert_null(strstr(f->notes, "no answer, 6 s ("));
}

static void the_percent_never_falls_and_a_finished_write_is_not_the_end(void **state)
{
	struct fixture *f = *state;
	double before;

	begin(f);
	progress_at(f, 90, 1);
	before = f->out.facts.percent;
	progress_at(f, 10, 2);
	assert_true(f->out.facts.percent >= before);
	progress_at(f, 100, 3);
	assert_true(f->out.facts.percent > before && f->out.facts.percent < 90);
}

static void a_bar_fits_the_width_and_keeps_its_figures(void **state)
{
	static const char *const tails[] = { "192 of 331 kB    8 s left", "192 of 331 kB  8 s",
					     "8 s", NULL };
	char line[512];

	(void)state;
	bf_bar(line, sizeof(line), 80, false, "Writing", 58, tails);
	assert_string_equal(
		line,
		"Writing    [#################>.............]  58 %  192 of 331 kB    8 s left");
	bf_bar(line, sizeof(line), 40, false, "Writing", 58, tails);
	assert_string_equal(line, "Writing [#####>....] 58 % 8 s");
	for (unsigned width = 40; width <= 200; width++) {
		bf_bar(line, sizeof(line), width, width & 1, "Restarting", 100, tails);
		assert_true(bf_text_columns(line) < width);
		assert_non_null(strstr(line, "100 %"));
	}
}

static void every_exit_code_has_its_word(void **state)
{
	struct bf_facts facts = { .job = BF_JOB_FLASH };
	static const struct {
		enum bf_rc rc;
		enum bf_state state;
		const char *word;
		enum bf_paint paint;
	} rows[] = {
		{ BF_OK, BF_STATE_NEW_PROVEN, "DONE", BF_PAINT_GOOD },
		{ BF_E_INTERNAL, BF_STATE_OLD, "FAILED", BF_PAINT_BAD },
		{ BF_E_USAGE, BF_STATE_UNTOUCHED, "NOT DONE", BF_PAINT_WARN },
		{ BF_E_NODEV, BF_STATE_UNTOUCHED, "NO ANSWER", BF_PAINT_WARN },
		{ BF_E_LINK, BF_STATE_OLD, "NOT DONE", BF_PAINT_WARN },
		{ BF_E_LINK, BF_STATE_UNKNOWN, "UNKNOWN", BF_PAINT_WARN },
		{ BF_E_SIGNATURE, BF_STATE_UNTOUCHED, "REFUSED", BF_PAINT_WARN },
		{ BF_E_MISMATCH, BF_STATE_OLD, "DIFFERENT", BF_PAINT_WARN },
		{ BF_E_RESTORED, BF_STATE_OLD, "WENT BACK", BF_PAINT_WARN },
		{ BF_E_RECOVERY, BF_STATE_RECOVERY, "RECOVERY", BF_PAINT_BAD },
		{ BF_E_NOT_RECORDED, BF_STATE_NEW_PROVEN, "DONE", BF_PAINT_GOOD },
		{ BF_E_UNPROVEN, BF_STATE_UNPROVEN, "UNPROVEN", BF_PAINT_WARN },
		{ BF_E_INTERRUPTED, BF_STATE_OLD, "NOT DONE", BF_PAINT_WARN },
		{ BF_E_INTERRUPTED, BF_STATE_UNKNOWN, "UNKNOWN", BF_PAINT_WARN },
		{ BF_E_INTERRUPTED, BF_STATE_RECOVERY, "RECOVERY", BF_PAINT_BAD },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_outcome o = { .rc = rows[i].rc, .state = rows[i].state };

		assert_string_equal(bf_verdict_word(&o, &facts), rows[i].word);
		assert_int_equal(bf_verdict_paint(rows[i].word), rows[i].paint);
	}
	for (int rc = 0; rc < BF_RC_COUNT; rc++) {
		struct bf_outcome o = { .rc = (enum bf_rc)rc };

		assert_non_null(bf_verdict_word(&o, &facts));
	}
}

static void names_from_outside_cannot_steer_the_terminal(void **state)
{
	struct fixture *f = *state;
	struct bf_event file = { .kind = BF_EV_FILE,
				 .file = { "backup", "a\033]0;x\a\nNew firmware runs\xC2\x9B" } };
	struct bf_event warning = { .kind = BF_EV_WARNING, .text = "\xE2\x80\xAE gnp\r" };

	f->out.colour = true;
	f->out.verbose = 1;
	bf_out_text_event(&f->out, &file);
	bf_out_text_event(&f->out, &warning);
	fflush(f->out.results);
	fflush(f->out.notes);
	assert_int_equal(lines(f->results), 1);
	assert_null(strchr(f->results, '\033'));
	assert_null(strstr(f->results, "\xC2\x9B"));
	assert_null(strstr(f->notes, "\xE2\x80\xAE"));
	assert_null(strchr(f->notes, '\r'));
	assert_non_null(strstr(f->notes, "\033[33mwarning:\033[0m ")); /* our own colour stays */
}

static void a_pack_without_slots_has_no_slot_in_the_plan(void **state)
{
	struct fixture *f = *state;
	struct bf_plan plan = { .to_version = "1.5.0", .bytes = 1000 };
	struct bf_event ev = { .kind = BF_EV_PLAN, .plan = &plan };

	f->out.verbose = 1;
	bf_out_text_event(&f->out, &ev);
	fflush(f->out.notes);
	assert_null(strstr(f->notes, "slot"));
	plan.has_slot = true;
	plan.slot = 1;
	bf_out_text_event(&f->out, &ev);
	fflush(f->out.notes);
	assert_non_null(strstr(f->notes, "into slot 1"));
}

static void a_failure_says_cause_trail_answer_likely_causes_and_next(void **state)
{
	struct fixture *f = *state;
	struct bf_outcome o = { .rc = BF_E_NAK, .sentence = "old firmware 1.3.0 still runs" };

	bf_fail_dev(&o.err, BF_E_NAK, 0x22, "conditionsNotCorrect", "the pack refused to erase");
	bf_while(&o.err, "erasing slot 1");
	bf_likely(&o.err, "the contactors are closed");
	bf_likely(&o.err, "the charger is on");
	bf_do(&o.err, "open the contactors");
	bf_next(&o.err, "bmsflash probe --if 'a b'");
	f->out.verbose = 1;
	bf_out_text_outcome(&f->out, &o);
	fflush(f->out.notes);
	fflush(f->out.results);
	assert_string_equal(f->notes, "bmsflash: refused: the pack refused to erase\n"
				      "  while erasing slot 1\n"
				      "  the pack answered: conditionsNotCorrect (0x22)\n"
				      "  likely cause: the contactors are closed\n"
				      "                the charger is on\n");
	assert_string_equal(f->results, "REFUSED    The pack refused to erase.\n"
					"Do         Open the contactors.\n"
					"Next       bmsflash probe --if 'a b'\n");
}

static void quiet_keeps_warnings_and_results(void **state)
{
	struct fixture *f = *state;
	struct bf_event notice = { .kind = BF_EV_NOTICE, .text = "a" };
	struct bf_event warning = { .kind = BF_EV_WARNING, .text = "b" };

	f->out.quiet = true;
	bf_out_text_event(&f->out, &notice);
	bf_out_text_event(&f->out, &warning);
	progress_at(f, 50, 0);
	fflush(f->out.notes);
	assert_string_equal(f->notes, "WARNING    b\n");
}

static void figures_are_written_for_people(void **state)
{
	char t[40];

	(void)state;
	assert_string_equal(bf_text_time(t, sizeof(t), BF_MS(12)), "12 ms");
	assert_string_equal(bf_text_time(t, sizeof(t), BF_SEC(65)), "1 min 05 s");
	assert_string_equal(bf_text_size(t, sizeof(t), 100), "100 bytes");
	assert_string_equal(bf_text_size(t, sizeof(t), 524288), "512.0 KiB");
	assert_string_equal(bf_text_rate(t, sizeof(t), 29100), "29.1 kB/s");
	assert_string_equal(bf_text_stamp(t, sizeof(t), INT64_C(1767225600000042)),
			    "2026-01-01T00:00:00.000042Z");
	/* Beyond what 32 bits count. */
	assert_string_equal(bf_text_stamp(t, sizeof(t), INT64_C(4102444800000042)),
			    "2100-01-01T00:00:00.000042Z");
}

#define WITH_OUT(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_OUT(names_from_outside_cannot_steer_the_terminal),
		WITH_OUT(a_pack_without_slots_has_no_slot_in_the_plan),
		WITH_OUT(plain_progress_is_a_line_for_each_ten_percent_without_carriage_return),
		WITH_OUT(a_live_line_is_erased_before_something_else_is_said),
		WITH_OUT(a_silent_pack_is_shown_with_seconds_and_the_number_of_the_try),
		WITH_OUT(the_percent_never_falls_and_a_finished_write_is_not_the_end),
		cmocka_unit_test(a_bar_fits_the_width_and_keeps_its_figures),
		cmocka_unit_test(every_exit_code_has_its_word),
		WITH_OUT(a_failure_says_cause_trail_answer_likely_causes_and_next),
		WITH_OUT(quiet_keeps_warnings_and_results),
		cmocka_unit_test(figures_are_written_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
