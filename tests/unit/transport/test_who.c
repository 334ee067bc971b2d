/* SPDX-License-Identifier: MIT */
/* Who has a device open: a /proc made of folders, and our own process in the real one. */
#include "../unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/who.h"

struct computer {
	char root[64];
};

static void put(const struct computer *c, int pid, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%d", c->root, pid);
	(void)mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/proc/%d/%s", c->root, pid, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void open_in(const struct computer *c, int pid, int fd, const char *device)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/proc/%d/fd", c->root, pid);
	(void)mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/proc/%d/fd/%d", c->root, pid, fd);
	assert_int_equal(symlink(device, path), 0);
}

static int setup(void **state)
{
	struct computer *c = calloc(1, sizeof(*c));
	char path[80];

	if (!c)
		return -1;
	snprintf(c->root, sizeof(c->root), "/tmp/bf-who-XXXXXX");
	if (!mkdtemp(c->root))
		return -1;
	snprintf(path, sizeof(path), "%s/proc", c->root);
	*state = c;
	return mkdir(path, 0755);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct computer *c = *state;
	int rc = nftw(c->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(c);
	return rc;
}

static void the_holder_is_told_with_its_unit(void **state)
{
	struct computer *c = *state;
	struct bf_who who;

	put(c, 12, "comm", "systemd\n");
	open_in(c, 12, 3, "/dev/null");
	put(c, 512, "comm", "ModemManager\n");
	put(c, 512, "cgroup", "0::/system.slice/ModemManager.service\n");
	open_in(c, 512, 9, "/dev/ttyUSB0");
	assert_true(bf_who_has(c->root, "/dev/ttyUSB0", BF_WHO_OTHERS, &who));
	assert_int_equal(who.pid, 512);
	assert_string_equal(who.command, "ModemManager");
	assert_string_equal(who.unit, "ModemManager.service");
	assert_false(bf_who_has(c->root, "/dev/ttyUSB1", BF_WHO_OTHERS, &who));
}

static void a_program_of_a_login_session_has_no_unit_to_stop(void **state)
{
	struct computer *c = *state;
	struct bf_who who;

	put(c, 7, "comm", "picocom\n");
	put(c, 7, "cgroup", "0::/user.slice/user-1000.slice/session-2.scope\n");
	assert_true(bf_who_runs(c->root, "picocom", &who));
	assert_int_equal(who.pid, 7);
	assert_string_equal(who.unit, "");
	assert_false(bf_who_runs(c->root, "pico", &who));
}

static void a_process_that_cannot_be_read_is_a_program(void **state)
{
	struct computer *c = *state;
	struct bf_who who;

	bf_who_is(c->root, 4711, &who);
	assert_int_equal(who.pid, 4711);
	assert_string_equal(who.command, "a program");
}

static void our_own_descriptor_counts_only_when_it_is_asked_for(void **state)
{
	char path[] = "/tmp/bf-who-own-XXXXXX";
	int fd = mkstemp(path), second = open(path, O_RDONLY | O_CLOEXEC);
	struct bf_who who;

	(void)state;
	assert_true(fd >= 0 && second >= 0);
	assert_true(bf_who_has("", path, fd, &who));
	assert_int_equal(who.pid, getpid());
	close(second);
	assert_false(bf_who_has("", path, fd, &who));
	assert_false(bf_who_has("", path, BF_WHO_OTHERS, &who));
	assert_true(bf_who_has("", path, BF_WHO_ANYBODY, &who));
	close(fd);
	unlink(path);
}

static void a_group_without_a_name_is_its_number(void **state)
{
	char text[64];

	(void)state;
	bf_who_group(0, text, sizeof(text));
	assert_string_equal(text, "root");
	bf_who_group(3999999999u, text, sizeof(text));
	assert_string_equal(text, "3999999999");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_holder_is_told_with_its_unit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_program_of_a_login_session_has_no_unit_to_stop,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_process_that_cannot_be_read_is_a_program, setup,
						teardown),
		cmocka_unit_test(our_own_descriptor_counts_only_when_it_is_asked_for),
		cmocka_unit_test(a_group_without_a_name_is_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
