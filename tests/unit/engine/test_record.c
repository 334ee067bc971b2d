/* SPDX-License-Identifier: MIT */
/* The record: where it cannot be written nothing is begun, and what it proves is said as it is. */
#include "pack.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/file.h"

static void begin(struct bench *b, char path[128])
{
	bench_init(b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	snprintf(path, 128, "%s/record", b->folder);
	b->job.record = path;
}

static void expect_refused(struct bench *b)
{
	bench_run(b);
	assert_ended(b, BF_E_FILE, BF_STATE_UNTOUCHED);
	assert_int_equal(b->events[BF_EV_INTERFACE], 0);
	bench_done(b);
}

static void a_fifo_is_no_record_and_nothing_waits_for_it(void **state)
{
	struct bench b;
	char path[128];

	(void)state;
	begin(&b, path);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_refused(&b);
}

static void a_full_device_is_no_record(void **state)
{
	struct bench b;
	char path[128];

	(void)state;
	begin(&b, path);
	b.job.record = "/dev/full";
	expect_refused(&b);
}

static void no_link_leads_the_record_into_another_file(void **state)
{
	struct bench b;
	char path[128], other[160];
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	begin(&b, path);
	snprintf(other, sizeof(other), "%s.other", path);
	assert_int_equal(bf_file_replace(other, "mine\n", 5, &err), BF_OK);
	assert_int_equal(symlink(other, path), 0);
	expect_refused(&b);
}

static void a_record_of_any_length_is_written_from_its_end(void **state)
{
	struct bench b;
	struct bf_record_chain c;
	struct bf_err err;
	char path[128];
	int fd;

	(void)state;
	bf_err_init(&err);
	begin(&b, path);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	/* A line of 300 MiB that is no entry, with another run's entry behind it. */
	fd = open(path, O_RDWR | O_APPEND);
	assert_int_equal(ftruncate(fd, (off_t)300 << 20), 0);
	assert_int_equal(write(fd, "\n{\"v\":1}\n", 9), 9);
	close(fd);
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(bf_record_chain(path, &c, &err), BF_E_MISMATCH); /* {"v":1} names nobody */
	bench_done(&b);
}

static char *stolen;

static void take_it_away(struct pack *pack, const char *op)
{
	(void)pack;
	if (strcmp(op, "restart") == 0 && stolen) {
		unlink(stolen);
		assert_int_equal(mkdir(stolen, 0700), 0);
	}
}

static void a_success_that_is_not_recorded_says_so_by_its_exit(void **state)
{
	struct bench b;
	char path[128];

	(void)state;
	begin(&b, path);
	stolen = path;
	b.pack.at_op = take_it_away;
	bench_run(&b);
	stolen = NULL;
	assert_ended(&b, BF_E_NOT_RECORDED, BF_STATE_NEW_PROVEN);
	assert_int_equal(bf_rc_info(b.out.rc)->exit_status, 43);
	assert_non_null(strstr(b.out.sentence, "Not recorded."));
	bench_done(&b);
}

static void a_failure_that_is_not_recorded_keeps_its_exit(void **state)
{
	struct bench b;
	char path[128];

	(void)state;
	begin(&b, path);
	stolen = path;
	b.pack.at_op = take_it_away;
	b.pack.new_crashes = true;
	bench_run(&b);
	stolen = NULL;
	assert_ended(&b, BF_E_RESTORED, BF_STATE_OLD);
	assert_non_null(strstr(b.out.sentence, "Not recorded."));
	bench_done(&b);
}

static void checking_a_record_shows_its_last_hash_and_what_was_skipped(void **state)
{
	struct bench b;
	struct bf_record_chain c;
	struct bf_err err;
	char path[128];

	(void)state;
	bf_err_init(&err);
	begin(&b, path);
	bench_run(&b);
	assert_int_equal(bf_file_append(path, "not an entry\n", 13, &err), BF_OK);
	assert_int_equal(bf_record_chain(path, &c, &err), BF_OK);
	assert_int_equal(c.lines, 1);
	assert_int_equal(c.skipped, 1);
	assert_int_equal(strlen(c.head), 64);
	b.job.kind = BF_JOB_VERIFY;
	b.images[0] = NULL;
	b.job.iface = NULL;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	assert_non_null(strstr(b.notices, c.head));
	assert_non_null(strstr(b.notices, "1 line skipped"));
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fifo_is_no_record_and_nothing_waits_for_it),
		cmocka_unit_test(a_full_device_is_no_record),
		cmocka_unit_test(no_link_leads_the_record_into_another_file),
		cmocka_unit_test(a_record_of_any_length_is_written_from_its_end),
		cmocka_unit_test(a_success_that_is_not_recorded_says_so_by_its_exit),
		cmocka_unit_test(a_failure_that_is_not_recorded_keeps_its_exit),
		cmocka_unit_test(checking_a_record_shows_its_last_hash_and_what_was_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
