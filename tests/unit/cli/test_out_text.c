/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "cli.h"

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

static void progress_at(struct fixture *f, double percent, int64_t wall_us)
{
	struct bf_progress p = { .phase = "write",
				 .done = 100,
				 .total = 200,
				 .rate = 1000,
				 .wire_share = -1,
				 .eta = -1,
				 .percent = percent };
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

static void plain_progress_has_no_carriage_return_and_comes_by_step_or_second(void **state)
{
	struct fixture *f = *state;

	progress_at(f, 1, 1000);
	progress_at(f, 2, 2000);
	progress_at(f, 3, 3000);
	assert_int_equal(lines(f->notes), 0);
	progress_at(f, 11, 4000);
	assert_int_equal(lines(f->notes), 1);
	progress_at(f, 12, 1100000);
	assert_int_equal(lines(f->notes), 2);
	assert_null(strchr(f->notes, '\r'));
	assert_null(strchr(f->notes, '\033'));
	assert_int_equal(f->results_len, 0);
}

static void a_terminal_line_is_erased_before_something_else_is_said(void **state)
{
	struct fixture *f = *state;
	struct bf_event ev = { .kind = BF_EV_NOTICE, .text = "hello" };

	f->out.progress = BF_PROGRESS_TTY;
	progress_at(f, 1, 0);
	assert_true(f->out.line_open);
	bf_out_text_event(&f->out, &ev);
	fflush(f->out.notes);
	assert_non_null(strstr(f->notes, "\r\033[Khello\n"));
	assert_false(f->out.line_open);
}

static void names_from_outside_cannot_steer_the_terminal(void **state)
{
	struct fixture *f = *state;
	struct bf_event file = { .kind = BF_EV_FILE,
				 .file = { "backup", "a\033]0;x\a\nNew firmware runs\xC2\x9B" } };
	struct bf_event warning = { .kind = BF_EV_WARNING, .text = "\xE2\x80\xAE gnp\r" };

	f->out.colour = true;
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
	bf_next(&o.err, "open the contactors, then run it again");
	bf_out_text_outcome(&f->out, &o);
	fflush(f->out.notes);
	fflush(f->out.results);
	assert_string_equal(f->notes, "bmsflash: refused: the pack refused to erase\n"
				      "  while erasing slot 1\n"
				      "  the pack answered: conditionsNotCorrect (0x22)\n"
				      "  likely cause: the contactors are closed\n"
				      "                the charger is on\n"
				      "  next: open the contactors, then run it again\n");
	assert_string_equal(f->results, "old firmware 1.3.0 still runs\n");
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
	assert_string_equal(f->notes, "warning: b\n");
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
}

#define WITH_OUT(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_OUT(names_from_outside_cannot_steer_the_terminal),
		WITH_OUT(a_pack_without_slots_has_no_slot_in_the_plan),
		WITH_OUT(plain_progress_has_no_carriage_return_and_comes_by_step_or_second),
		WITH_OUT(a_terminal_line_is_erased_before_something_else_is_said),
		WITH_OUT(a_failure_says_cause_trail_answer_likely_causes_and_next),
		WITH_OUT(quiet_keeps_warnings_and_results),
		cmocka_unit_test(figures_are_written_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
