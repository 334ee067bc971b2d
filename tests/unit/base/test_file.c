/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/file.h"

static int enter_folder(void **state)
{
	char dir[] = "/tmp/bf-file-XXXXXX";

	*state = mkdtemp(dir) ? strdup(dir) : NULL;
	return *state && chdir(*state) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", (char *)*state);
	free(*state);
	return chdir("/") || system(cmd);
}

static void replace_leaves_the_new_content_and_nothing_else(void **state)
{
	BF_AUTO_MEM uint8_t *got = NULL;
	size_t len = 0;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_file_replace("a", "old", 3, &err), BF_OK);
	assert_int_equal(bf_file_replace("a", "newer", 5, &err), BF_OK);
	assert_int_equal(bf_file_read("a", 100, &got, &len, &err), BF_OK);
	assert_int_equal(len, 5);
	assert_memory_equal(got, "newer", 5);
	assert_int_equal(system("test \"$(ls | wc -l)\" = 1"), 0);
}

static void create_leaves_what_is_there_already_as_it_is(void **state)
{
	BF_AUTO_MEM uint8_t *got = NULL;
	struct stat st;
	size_t len = 0;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_file_create("key", "first", 5, &err), BF_OK);
	assert_int_equal(bf_file_create("key", "second", 6, &err), BF_OK);
	assert_int_equal(bf_file_read("key", 100, &got, &len, &err), BF_OK);
	assert_int_equal(len, 5);
	assert_memory_equal(got, "first", 5);
	assert_int_equal(stat("key", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(system("test \"$(ls | wc -l)\" = 1"), 0);
}

static void replace_into_a_missing_folder_says_which_file(void **state)
{
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_file_replace("no/such/file", "x", 1, &err), BF_E_FILE);
	assert_non_null(strstr(err.cause, "no/such/file"));
	assert_int_equal(bf_file_may_replace("no/such/file", &err), BF_E_FILE);
	assert_int_equal(bf_file_may_replace("here", &err), BF_OK);
	assert_int_equal(system("test \"$(ls | wc -l)\" = 0"), 0);
}

static void read_refuses_folders_missing_files_and_giants(void **state)
{
	BF_AUTO_MEM uint8_t *got = NULL;
	size_t len = 0;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_file_read(".", 100, &got, &len, &err), BF_E_IMAGE);
	assert_int_equal(bf_file_read("none", 100, &got, &len, &err), BF_E_IMAGE);
	assert_int_equal(bf_file_replace("big", "123456", 6, &err), BF_OK);
	assert_int_equal(bf_file_read("big", 5, &got, &len, &err), BF_E_IMAGE);
	assert_null(got);
}

static void the_command_that_is_advised_survives_any_name(void **state)
{
	BF_AUTO_MEM uint8_t *got = NULL;
	size_t len = 0;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_file_read("a';touch PWNED;'b/c", 100, &got, &len, &err), BF_E_IMAGE);
	assert_string_equal(err.next, "ls -l 'a'\\'';touch PWNED;'\\''b' # shows what is there");
	assert_int_not_equal(system(err.next), 0);
	assert_int_equal(access("PWNED", F_OK), -1);
	assert_int_equal(bf_file_read("-rf", 100, &got, &len, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.next, "ls -l . #"));
}

static void a_secret_that_others_can_read_is_refused_with_the_command_that_ends_it(void **state)
{
	BF_AUTO_MEM uint8_t *got = NULL;
	size_t len = 0;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_file_replace("my key", "secret", 6, &err), BF_OK);
	assert_int_equal(chmod("my key", 0604), 0);
	assert_int_equal(bf_file_guard("my key", BF_GUARD_TRUSTED, &err), BF_OK);
	assert_int_equal(bf_file_read_guarded("my key", 100, BF_GUARD_SECRET, &got, &len, &err),
			 BF_E_SIGNATURE);
	assert_string_equal(err.next, "chmod go-rwx 'my key'");
	assert_int_equal(chmod("my key", 0602), 0);
	assert_int_equal(bf_file_guard("my key", BF_GUARD_TRUSTED, &err), BF_E_SIGNATURE);
	assert_int_equal(system(err.next), 0);
	assert_int_equal(bf_file_read_guarded("my key", 100, BF_GUARD_SECRET, &got, &len, &err),
			 BF_OK);
}

static enum bf_rc read_pipe(const char *path, size_t max, struct bf_clock *clock, bf_time deadline,
			    size_t *ret_len, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *got = NULL;

	return bf_file_read_any(path, max, clock, deadline, &got, ret_len, err);
}

static void a_pipe_is_read_to_its_end_and_no_further_than_the_limit(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(-1);
	static const char bytes[100000] = { 1 };
	struct bf_err err;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		char cmd[128];

		assert_int_equal(system("rm -f fifo; mkfifo fifo"), 0);
		snprintf(cmd, sizeof(cmd), "head -c %zu /dev/zero > fifo 2>/dev/null &",
			 sizeof(bytes));
		assert_int_equal(system(cmd), 0);
		if (i == 0) {
			assert_int_equal(
				read_pipe("fifo", sizeof(bytes), clock, BF_NEVER, &len, &err),
				BF_OK);
			assert_int_equal(len, sizeof(bytes));
		} else {
			assert_int_equal(
				read_pipe("fifo", sizeof(bytes) - 1, clock, BF_NEVER, &len, &err),
				BF_E_IMAGE);
		}
	}
}

/* Nobody ever writes: neither the opening nor the reading may hang. */
static void a_pipe_without_a_writer_can_be_interrupted(void **state)
{
	BF_AUTO(bf_clock) *clock = NULL;
	BF_AUTO(bf_clock) *timed = bf_clock_real_new(-1);
	struct bf_err err;
	size_t len;
	int stop[2];

	(void)state;
	assert_int_equal(system("mkfifo fifo"), 0);
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(write(stop[1], "x", 1), 1);
	clock = bf_clock_real_new(stop[0]);
	assert_int_equal(read_pipe("fifo", 100, clock, BF_NEVER, &len, &err), BF_E_INTERRUPTED);
	assert_int_equal(read_pipe("fifo", 100, timed, bf_now(timed), &len, &err),
			 BF_E_INTERRUPTED);
	close(stop[0]);
	close(stop[1]);
}

static void append_adds_lines(void **state)
{
	BF_AUTO_MEM uint8_t *got = NULL;
	size_t len = 0;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_file_append("log", "1\n", 2, &err), BF_OK);
	assert_int_equal(bf_file_append("log", "2\n", 2, &err), BF_OK);
	assert_int_equal(bf_file_read("log", 100, &got, &len, &err), BF_OK);
	assert_memory_equal(got, "1\n2\n", 4);
}

static void folders_are_made_with_their_parents(void **state)
{
	struct bf_err err;
	struct stat st;

	(void)state;
	assert_int_equal(bf_dir_make("x/y/z", &err), BF_OK);
	assert_int_equal(bf_dir_make("x/y/z", &err), BF_OK);
	assert_int_equal(stat("x/y/z", &st), 0);
	assert_int_equal(bf_file_replace("f", "", 0, &err), BF_OK);
	assert_int_equal(bf_dir_make("f/g", &err), BF_E_FILE);
}

#define IN_FOLDER(fn) cmocka_unit_test_setup_teardown(fn, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(replace_leaves_the_new_content_and_nothing_else),
		IN_FOLDER(create_leaves_what_is_there_already_as_it_is),
		IN_FOLDER(replace_into_a_missing_folder_says_which_file),
		IN_FOLDER(read_refuses_folders_missing_files_and_giants),
		IN_FOLDER(the_command_that_is_advised_survives_any_name),
		IN_FOLDER(a_secret_that_others_can_read_is_refused_with_the_command_that_ends_it),
		IN_FOLDER(a_pipe_is_read_to_its_end_and_no_further_than_the_limit),
		IN_FOLDER(a_pipe_without_a_writer_can_be_interrupted),
		IN_FOLDER(append_adds_lines),
		IN_FOLDER(folders_are_made_with_their_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
