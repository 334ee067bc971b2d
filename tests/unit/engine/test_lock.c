/* SPDX-License-Identifier: MIT */
/* One run for one wire, and a lock file that other users of the computer can neither misuse nor talk through. */
#include "pack.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/file.h"

struct place {
	struct bf_ports ports;
	struct bf_job job;
	struct bf_run run;
	struct bf_err err;
	char folder[64], file[300];
};

static void place_init(struct place *p)
{
	memset(p, 0, sizeof(*p));
	strcpy(p->folder, "/tmp/bf-lock-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	p->ports.drivers = bf_drivers;
	p->job.iface = "absent0";
	p->job.runtime_folder = p->folder;
	p->job.node = -1;
	p->run.job = &p->job;
	p->run.ports = &p->ports;
	bf_err_init(&p->err);
}

static enum bf_rc lock(struct place *p)
{
	glob_t found;
	char pattern[80];
	enum bf_rc rc = bf_ph_lock(&p->run, &p->err);

	snprintf(pattern, sizeof(pattern), "%s/*.lock", p->folder);
	if (glob(pattern, 0, NULL, &found) == 0)
		snprintf(p->file, sizeof(p->file), "%s", found.gl_pathv[0]);
	globfree(&found);
	return rc;
}

static void place_done(struct place *p)
{
	char command[96];

	bf_ph_unlock(&p->run);
	snprintf(command, sizeof(command), "rm -r '%s'", p->folder);
	assert_int_equal(system(command), 0);
}

static void a_lock_is_given_back_once(void **state)
{
	struct place p;
	int other;

	(void)state;
	place_init(&p);
	assert_int_equal(lock(&p), BF_OK);
	bf_ph_unlock(&p.run);
	other = open("/dev/null", O_RDONLY | O_CLOEXEC); /* may have the number that the lock had */
	assert_true(other >= 0);
	bf_ph_unlock(&p.run);
	assert_int_not_equal(fcntl(other, F_GETFD), -1);
	close(other);
	place_done(&p);
}

/* root set the bit rate with one run, the technician goes on without root. */
static void lock_file_of_another_user_is_no_obstacle(void **state)
{
	struct place p;
	struct stat st;
	mode_t old = umask(077);

	(void)state;
	place_init(&p);
	assert_int_equal(lock(&p), BF_OK);
	bf_ph_unlock(&p.run);
	umask(old);
	assert_int_equal(stat(p.file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(chmod(p.file, 0444), 0);
	assert_int_equal(lock(&p), BF_OK);
	place_done(&p);
}

static void two_nodes_of_one_wire_share_its_lock(void **state)
{
	struct place p;
	struct bf_run second;

	(void)state;
	place_init(&p);
	assert_int_equal(lock(&p), BF_OK);
	second = p.run;
	second.wire.locked = false;
	second.given.profile.node = 9;
	p.job.node = 0x33;
	assert_int_equal(bf_ph_lock(&second, &p.err), BF_E_BUSY);
	place_done(&p);
}

static void names_that_differ_in_a_separator_have_locks_of_their_own(void **state)
{
	struct place p;
	struct bf_run second;

	(void)state;
	place_init(&p);
	p.job.iface = "usb:1209:0001:A/1";
	assert_int_equal(lock(&p), BF_OK);
	second = p.run;
	second.wire.locked = false;
	p.job.iface = "usb:1209:0001:A.1";
	assert_int_equal(bf_ph_lock(&second, &p.err), BF_OK);
	bf_ph_unlock(&second);
	place_done(&p);
}

static void what_stands_in_a_lock_file_reaches_the_terminal_as_text(void **state)
{
	struct place p;
	BF_AUTO_FD int fd = -1;

	(void)state;
	place_init(&p);
	assert_int_equal(lock(&p), BF_OK);
	bf_ph_unlock(&p.run);
	fd = open(p.file, O_RDWR | O_TRUNC);
	assert_true(write(fd, "\033]0;x\007 \x9b 2J\nNew firmware runs", 28) == 28);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(lock(&p), BF_E_BUSY);
	for (const char *c = p.err.cause; *c; c++)
		assert_in_range(*c, 0x20, 0x7E);
	assert_null(strstr(p.err.cause, "New firmware"));
	place_done(&p);
}

static void a_hard_link_in_the_place_of_the_lock_is_not_written_to(void **state)
{
	struct place p;
	struct bf_err err;
	struct stat st;
	char mine[80];

	(void)state;
	bf_err_init(&err);
	place_init(&p);
	assert_int_equal(lock(&p), BF_OK);
	bf_ph_unlock(&p.run);
	snprintf(mine, sizeof(mine), "%s/mine", p.folder);
	assert_int_equal(bf_file_replace(mine, "precious", 8, &err), BF_OK);
	assert_int_equal(unlink(p.file), 0);
	assert_int_equal(link(mine, p.file), 0);
	assert_int_equal(lock(&p), BF_E_IFACE);
	assert_non_null(strstr(p.err.cause, "hard link"));
	assert_int_equal(stat(mine, &st), 0);
	assert_int_equal(st.st_size, 8);
	place_done(&p);
}

static void a_fifo_in_the_place_of_the_lock_is_refused_at_once(void **state)
{
	struct place p;

	(void)state;
	place_init(&p);
	assert_int_equal(lock(&p), BF_OK);
	bf_ph_unlock(&p.run);
	assert_int_equal(unlink(p.file), 0);
	assert_int_equal(mkfifo(p.file, 0666), 0);
	assert_int_equal(lock(&p), BF_E_IFACE);
	place_done(&p);
}

static void a_link_in_the_place_of_the_folder_is_refused(void **state)
{
	struct place p;
	char other[80];

	(void)state;
	place_init(&p);
	snprintf(other, sizeof(other), "%s/link", p.folder);
	assert_int_equal(symlink("/tmp", other), 0);
	if (lchown(other, 65534, 65534) < 0)
		skip(); /* nobody else to be */
	p.job.runtime_folder = other;
	assert_int_equal(lock(&p), BF_E_IFACE);
	assert_non_null(strstr(p.err.cause, "another user"));
	place_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lock_is_given_back_once),
		cmocka_unit_test(lock_file_of_another_user_is_no_obstacle),
		cmocka_unit_test(two_nodes_of_one_wire_share_its_lock),
		cmocka_unit_test(names_that_differ_in_a_separator_have_locks_of_their_own),
		cmocka_unit_test(what_stands_in_a_lock_file_reaches_the_terminal_as_text),
		cmocka_unit_test(a_hard_link_in_the_place_of_the_lock_is_not_written_to),
		cmocka_unit_test(a_fifo_in_the_place_of_the_lock_is_refused_at_once),
		cmocka_unit_test(a_link_in_the_place_of_the_folder_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
