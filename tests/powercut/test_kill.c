/* SPDX-License-Identifier: MIT */
/*
 * The computer loses its power at every call that changes a file and at every event, its disk fills up, its
 * user presses Ctrl-C at every moment. The same command, typed again, must end proven. A sample by default;
 * BF_EXHAUSTIVE=1 for each.
 */
#include "kill.h"

#include <dirent.h>
#include <stdio.h>

#include "bmsflash/file.h"
#include "bmsflash/json.h"
#include "engine/run.h"

static const char *const packs[] = { "link=can", "link=can,quirk=singlebank" };

static void begin(struct stack *s, char record[96])
{
	stack_init(s, "mcuboot/app-1.5.0.signed.bin");
	snprintf(record, 96, "%s/record", s->folder);
	s->job.record = record;
}

static void each_file(const char *folder, void (*check)(const char *path))
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[512];

	while (d && (e = readdir(d))) {
		/* A name with the random end of mkostemp was never put in place. */
		if (e->d_name[0] == '.' || !strrchr(e->d_name, '.') ||
		    strlen(strrchr(e->d_name, '.')) == 7)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		check(path);
	}
	if (d)
		closedir(d);
}

static void check_archive(const char *path)
{
	struct bf_archive a = { 0 };
	struct bf_err err;

	bf_err_init(&err);
	if (bf_archive_read(&a, path, &err) || !bf_archive_find(&a, "manifest.json"))
		fail_msg("a half archive: %s", err.cause);
	bf_archive_done(&a);
}

static void check_journal(const char *path)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	BF_AUTO(bf_json) *j = NULL;
	struct bf_err err;
	size_t len;

	bf_err_init(&err);
	assert_int_equal(bf_file_read(path, 1 << 20, &text, &len, &err), BF_OK);
	if (bf_json_parse((const char *)text, len, &j, &err))
		fail_msg("a half journal: %s", err.cause);
}

static void assert_files_are_whole(const struct stack *s)
{
	char folder[128];

	snprintf(folder, sizeof(folder), "%s/backup", s->folder);
	each_file(folder, check_archive);
	snprintf(folder, sizeof(folder), "%s/journal", s->folder);
	each_file(folder, check_journal);
}

static void assert_same_command_mends(struct stack *s, const char *pack, unsigned k)
{
	struct bf_err err;
	size_t lines;

	bf_err_init(&err);
	stack_run(s, pack);
	if (s->out.rc || s->out.state != BF_STATE_NEW_PROVEN)
		fail_msg("%s, gone at %u: %s '%s' notices:\n%s", pack, k,
			 bf_rc_info(s->out.rc)->name, s->out.err.cause, s->notices);
	if (bf_record_check(s->job.record, &lines, &err))
		fail_msg("%s, gone at %u: %s", pack, k, err.cause);
	assert_true(lines >= 1);
}

static unsigned step(unsigned sample)
{
	return getenv("BF_EXHAUSTIVE") ? 1 : sample;
}

static void computer_gone(enum kill_by by, unsigned sample)
{
	for (size_t i = 0; i < BF_COUNT(packs); i++) {
		unsigned k = 1, n = 0;
		bool gone;

		do {
			struct stack s;
			char record[96];

			begin(&s, record);
			gone = kill_run(&s, packs[i], by, k);
			assert_files_are_whole(&s);
			assert_same_command_mends(&s, packs[i], k);
			stack_done(&s);
			n += gone;
			k += step(sample);
		} while (gone);
		printf("# %s: gone at %u places\n", packs[i], n);
		assert_true(n > 2);
	}
}

static void computer_gone_at_every_call_that_writes(void **state)
{
	(void)state;
	computer_gone(KILL_BY_CALL, 3);
}

static void computer_gone_at_every_event(void **state)
{
	(void)state;
	computer_gone(KILL_BY_EVENT, 9);
}

/* A half-sent image of another version is no harm to the one that follows. */
static void another_image_after_an_interrupted_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < BF_COUNT(packs); i++) {
		for (unsigned k = 40; k < 90; k += step(10)) {
			struct stack s;
			char record[96];

			begin(&s, record);
			(void)kill_run(&s, packs[i], KILL_BY_EVENT, k);
			stack_image(&s, "mcuboot/app-1.4.0.signed.bin");
			stack_run(&s, packs[i]);
			/* 1.5.0 may be proven and have raised the counter by then. */
			if (s.out.rc == BF_E_ROLLBACK && s.out.state == BF_STATE_OLD)
				stack_image(&s, "mcuboot/app-1.5.0.signed.bin");
			assert_same_command_mends(&s, packs[i], k);
			stack_done(&s);
		}
	}
}

static void full_disk(void **state)
{
	(void)state;
	for (size_t i = 0; i < BF_COUNT(packs); i++) {
		unsigned n, k = 1;

		do {
			struct stack s;
			char record[96];

			begin(&s, record);
			n = full_run(&s, packs[i], k);
			/* A pack with one bank is not touched without its backup on the disk. */
			if (s.out.rc == BF_E_INTERNAL || s.out.state == BF_STATE_RECOVERY)
				fail_msg("%s, full at %u: '%s'", packs[i], k, s.out.err.cause);
			assert_files_are_whole(&s);
			assert_same_command_mends(&s, packs[i], k);
			stack_done(&s);
			k += step(4);
		} while (k <= n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computer_gone_at_every_call_that_writes),
		cmocka_unit_test(computer_gone_at_every_event),
		cmocka_unit_test(another_image_after_an_interrupted_one),
		cmocka_unit_test(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
