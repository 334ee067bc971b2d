/* SPDX-License-Identifier: MIT */
/*
 * What an earlier run left behind counts only for the pack that it was left by: calibration of one pack never
 * comes into another.
 */
#include "pack.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"

static const char *const images[] = { "app-1.3.0.signed.bin", "app-1.5.0.signed.bin" };

static void dies_at_block_20(struct pack *pack, const char *op)
{
	pack->dead = pack->dead ||
		     (strcmp(op, "finish_block") == 0 && pack_calls(pack, "finish_block") == 20);
}

/* A run on the first pack that ends while it writes: its power went. */
static void cut(struct bench *b, const char *serial)
{
	bench_init(b, PACK_DUAL, images[0], images[1]);
	b->pack.serial = serial;
	b->pack.at_op = dies_at_block_20;
	bench_run(b);
	assert_int_not_equal(b->out.rc, BF_OK);
	b->pack.at_op = NULL;
}

/* Another pack on the same wire: the same old firmware, a calibration of its own. */
static void change_pack(struct bench *b, const char *serial)
{
	b->pack.serial = serial;
	memset(b->flash.bytes + PACK_CAL, 0xC3, 200);
	memset(b->flash.bytes + PACK_SLOT1, 0xFF, PACK_SLOT);
}

static bool calibration_is(const struct bench *b, uint8_t byte, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (b->flash.bytes[PACK_CAL + i] != byte)
			return false;
	}
	return b->flash.bytes[PACK_CAL + n] == 0xFF || n == 200;
}

static size_t archives(const struct bench *b)
{
	char path[128];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/backup", b->folder);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += strstr(e->d_name, ".tar") != NULL;
	if (d)
		closedir(d);
	return n;
}

static void expect_its_own(const char *first, const char *second)
{
	struct bench b;

	cut(&b, first);
	change_pack(&b, second);
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	if (!calibration_is(&b, 0xC3, 200))
		fail_msg("'%s' then '%s': the second pack has the first one's calibration", first,
			 second);
	assert_int_equal(b.summary.regions_restored, 0);
	assert_int_equal(archives(&b), 2);
	bench_done(&b);
}

static void no_pack_gets_the_calibration_of_the_one_before_it(void **state)
{
	(void)state;
	expect_its_own("", "");
	expect_its_own("0000000000", "0000000000");
	expect_its_own("FFFFFFFF", "FFFFFFFF");
	expect_its_own("0123456789ABCDEF", "0123456789ABCDEF");
	expect_its_own("SN-0042", "SN-0042");
	expect_its_own("BX/16-000071", "BX.16-000071");
	expect_its_own("SN-0042", "");
	expect_its_own("a number of forty-seven characters and one more A",
		       "a number of forty-seven characters and one more B");
}

/* New firmware erases the second pack's calibration: what goes back is its own. */
static void what_is_put_back_is_what_this_run_read(void **state)
{
	struct bench b;

	(void)state;
	cut(&b, "");
	change_pack(&b, "");
	b.pack.wipes = true;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_true(calibration_is(&b, 0xC3, 200));
	assert_int_equal(b.summary.regions_restored, 1);
	bench_done(&b);
}

static char *replaced;

static void put_another_in_its_place(struct pack *pack, const char *op)
{
	struct bf_err err;

	(void)pack;
	bf_err_init(&err);
	if (strcmp(op, "restart") == 0 && replaced)
		assert_int_equal(bf_file_replace(replaced, "evil", 4, &err), BF_OK);
}

static void an_archive_that_is_replaced_while_a_run_goes_on_changes_nothing(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	bench_init(&b, PACK_DUAL, images[0], images[1]);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	memcpy(path, b.file, sizeof(path));
	b.flash.counter = 3;
	b.job.kind = BF_JOB_ROLLBACK;
	b.job.restore_from = path;
	replaced = path;
	b.pack.at_op = put_another_in_its_place;
	b.pack.wipes = true;
	memset(b.flash.bytes + PACK_SLOT0, 0, 64);
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_OLD);
	assert_true(calibration_is(&b, 0x5A, 256));
	bench_done(&b);
}

static void the_backup_of_a_run_that_was_cut_counts_for_its_own_pack(void **state)
{
	struct bench b;

	(void)state;
	cut(&b, "SN-0042");
	memset(b.flash.bytes + PACK_CAL, 0xFF, PACK_UNIT); /* erased meanwhile */
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_true(calibration_is(&b, 0x5A, 256));
	assert_int_equal(archives(&b), 1);
	assert_non_null(strstr(b.notices, "it is taken up"));
	bench_done(&b);
}

/* The only journal of a folder, changed. */
static void change_journal(const struct bench *b, const char *member, const char *value)
{
	char folder[128], path[512] = "", check[65];
	BF_AUTO_MEM uint8_t *text = NULL;
	struct bf_json *j = NULL;
	struct dirent *e;
	struct bf_err err;
	uint8_t sha[32];
	char *line, *out;
	size_t len;
	DIR *d;

	bf_err_init(&err);
	snprintf(folder, sizeof(folder), "%s/journal", b->folder);
	d = opendir(folder);
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] != '.')
			snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
	}
	closedir(d);
	assert_int_equal(bf_file_read(path, 1 << 20, &text, &len, &err), BF_OK);
	assert_int_equal(bf_json_parse((char *)text, len, &j, &err), BF_OK);
	*strstr((char *)text, ",\"check\":") = '\0';
	bf_json_free(j);
	assert_true(asprintf(&out, "%s}", (char *)text) > 0);
	assert_int_equal(bf_json_parse(out, strlen(out), &j, &err), BF_OK);
	free(out);
	if (strcmp(member, "wall_us") == 0)
		bf_json_set_int(j, member, strtoll(value, NULL, 10));
	else
		bf_json_set_str(j, member, value);
	line = bf_json_line(j);
	len = strlen(line) - 1;
	bf_sha256(sha, line, len);
	bf_hex(check, sizeof(check), sha, sizeof(sha));
	assert_true(asprintf(&out, "%.*s,\"check\":\"%s\"}\n", (int)len, line, check) > 0);
	assert_int_equal(bf_file_replace(path, out, strlen(out), &err), BF_OK);
	free(out);
	free(line);
	bf_json_free(j);
}

static void a_backup_that_cannot_be_opened_is_no_way_back(void **state)
{
	struct bench b;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		cut(&b, "SN-0042");
		change_journal(&b, "backup", i ? "/dev/zero" : b.key_path);
		bench_again(&b);
		assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
		assert_int_equal(archives(&b), 2);
		assert_non_null(strstr(b.notices, "is not used"));
		bench_done(&b);
	}
}

static void a_journal_that_names_another_pack_is_shown_and_not_taken_up(void **state)
{
	struct bench b;

	(void)state;
	cut(&b, "SN-0042");
	change_journal(&b, "serial", "SN-0043");
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(archives(&b), 2);
	assert_non_null(strstr(b.notices, "it is not taken up"));
	assert_non_null(strstr(b.notices, "SN-0043"));
	bench_done(&b);
}

static void a_time_at_the_end_of_all_numbers_is_not_fresh(void **state)
{
	struct bench b;

	(void)state;
	cut(&b, "SN-0042");
	change_journal(&b, "wall_us", "-9223372036854775808");
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(archives(&b), 2);
	bench_done(&b);
}

static void a_journal_of_0_1_0_is_shown_and_not_taken_up(void **state)
{
	static const char body[] = "{\"v\":1,\"wall_us\":1750000000000000,\"serial\":\"SN-0042\","
				   "\"reached\":\"writing\",\"backup\":\"/tmp/old.tar\"";
	struct bench b;
	char path[128], folder[100], *text, check[65];
	struct bf_err err;
	uint8_t sha[32];

	(void)state;
	bf_err_init(&err);
	bench_init(&b, PACK_DUAL, images[0], images[1]);
	snprintf(folder, sizeof(folder), "%s/journal", b.folder);
	assert_int_equal(bf_dir_make(folder, &err), BF_OK);
	snprintf(path, sizeof(path), "%s/SN-0042.json", folder);
	bf_sha256(sha, body, strlen(body));
	bf_hex(check, sizeof(check), sha, sizeof(sha));
	assert_true(asprintf(&text, "%s,\"check\":\"%s\"}\n", body, check) > 0);
	assert_int_equal(bf_file_replace(path, text, strlen(text), &err), BF_OK);
	free(text);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_non_null(strstr(b.notices, "/tmp/old.tar"));
	assert_int_equal(archives(&b), 1);
	assert_int_equal(rmdir(folder), 0); /* it ended with this run */
	bench_done(&b);
}

static void two_runs_of_one_second_keep_both_archives(void **state)
{
	struct bench b;
	struct bf_clock *clock;

	(void)state;
	bench_init(&b, PACK_DUAL, images[0], NULL);
	b.job.kind = BF_JOB_BACKUP;
	for (unsigned i = 1; i <= 3; i++) {
		clock = bf_vclock_new();
		bf_clock_free(b.clock);
		b.clock = b.pack.clock = clock;
		bench_again(&b);
		assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
		assert_int_equal(archives(&b), i);
	}
	bench_done(&b);
}

static void a_backup_onto_a_file_is_refused_before_the_interface_is_opened(void **state)
{
	struct bench b;
	struct bf_err err;
	char path[128];
	uint8_t *text;
	size_t len;

	(void)state;
	bf_err_init(&err);
	bench_init(&b, PACK_DUAL, images[0], NULL);
	b.job.kind = BF_JOB_BACKUP;
	snprintf(path, sizeof(path), "%s/p.tar", b.folder);
	b.job.archive_out = path;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	assert_int_equal(bf_file_replace(path, "mine", 4, &err), BF_OK);
	bench_again(&b);
	assert_ended(&b, BF_E_USAGE, BF_STATE_UNTOUCHED);
	assert_int_equal(b.events[BF_EV_INTERFACE], 0);
	assert_int_equal(bf_file_read(path, 100, &text, &len, &err), BF_OK);
	assert_int_equal(len, 4);
	free(text);
	bench_done(&b);
}

static void archives_of_packs_that_cannot_be_told_apart_need_leave(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	bench_init(&b, PACK_DUAL, images[0], images[1]);
	b.pack.serial = "";
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	memcpy(path, b.file, sizeof(path));
	b.flash.counter = 3;
	b.job.kind = BF_JOB_ROLLBACK;
	b.job.restore_from = path;
	bench_again(&b);
	assert_ended(&b, BF_E_INCOMPATIBLE, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "archive-pack");
	assert_non_null(strstr(b.out.err.next, "foreign-archive"));
	bench_done(&b);
}

static void an_archive_with_another_calibration_needs_leave(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	bench_init(&b, PACK_DUAL, images[0], images[1]);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	memcpy(path, b.file, sizeof(path));
	b.flash.counter = 3;
	memset(b.flash.bytes + PACK_CAL, 0xC3, 200);
	b.job.kind = BF_JOB_ROLLBACK;
	b.job.restore_from = path;
	bench_again(&b);
	assert_int_equal(b.out.rc, BF_E_INCOMPATIBLE);
	assert_string_equal(b.failed_check, "archive-contents");
	assert_true(calibration_is(&b, 0xC3, 200));
	bench_done(&b);
}

static void placeholders_are_no_serial_numbers(void **state)
{
	static const char *const none[] = { "",
					    "0",
					    "0000-0000",
					    "FFFFFFFF",
					    "ffff",
					    "0123456789",
					    "123456",
					    "0001",
					    "0123456789ABCDEF",
					    "1234567890",
					    "XXXXXXXX",
					    "To be filled by O.E.M.",
					    "n/a",
					    "Default",
					    "---",
					    "FFFFFFFEFFFF" };
	static const char *const some[] = { "SN-0042", "BX16-000071", "0002", "206B357E4D47",
					    "A7" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(none); i++) {
		if (bf_serial_identifies(none[i]))
			fail_msg("'%s' is taken for a serial number", none[i]);
	}
	for (size_t i = 0; i < BF_COUNT(some); i++) {
		if (!bf_serial_identifies(some[i]))
			fail_msg("'%s' is taken for a placeholder", some[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_pack_gets_the_calibration_of_the_one_before_it),
		cmocka_unit_test(what_is_put_back_is_what_this_run_read),
		cmocka_unit_test(an_archive_that_is_replaced_while_a_run_goes_on_changes_nothing),
		cmocka_unit_test(the_backup_of_a_run_that_was_cut_counts_for_its_own_pack),
		cmocka_unit_test(a_backup_that_cannot_be_opened_is_no_way_back),
		cmocka_unit_test(a_journal_that_names_another_pack_is_shown_and_not_taken_up),
		cmocka_unit_test(a_time_at_the_end_of_all_numbers_is_not_fresh),
		cmocka_unit_test(a_journal_of_0_1_0_is_shown_and_not_taken_up),
		cmocka_unit_test(two_runs_of_one_second_keep_both_archives),
		cmocka_unit_test(a_backup_onto_a_file_is_refused_before_the_interface_is_opened),
		cmocka_unit_test(archives_of_packs_that_cannot_be_told_apart_need_leave),
		cmocka_unit_test(an_archive_with_another_calibration_needs_leave),
		cmocka_unit_test(placeholders_are_no_serial_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
