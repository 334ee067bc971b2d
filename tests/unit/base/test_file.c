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
		IN_FOLDER(append_adds_lines),
		IN_FOLDER(folders_are_made_with_their_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
