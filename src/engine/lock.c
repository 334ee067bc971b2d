/* SPDX-License-Identifier: MIT */
/*
 * One run at a time for an interface and node. The lock is flock(2) on a file in the runtime folder, so
 * that it goes with the process; the text in the file only names the holder to people.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "run.h"

/* ttyUSB0, /dev/ttyUSB0 and /dev/serial/by-id/... are one interface and must meet in one lock, and so
 * must an interface and the same one behind the fault injector. */
static void canonical(const char *address, char dst[PATH_MAX])
{
	char dev[PATH_MAX];

	if (snprintf(dev, sizeof(dev), address[0] == '/' ? "%s" : "/dev/%s", address) <
		    (int)sizeof(dev) &&
	    realpath(dev, dst))
		return;
	snprintf(dst, PATH_MAX, "%s", address);
}

static void lock_path(const struct bf_run *run, char *dst, size_t cap)
{
	char name[PATH_MAX];
	char node[24];

	canonical(bf_address_bare(run->job->iface), name);
	for (char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '.')
			*p = '_';
	}
	/* The profile's node and the same one named by --node are one node. */
	snprintf(node, sizeof(node), "-node%02x",
		 run->job->node >= 0 ? (unsigned)run->job->node : run->profile.node);
	snprintf(dst, cap, "%s/%.200s%s.lock", run->job->runtime_folder, name, node);
}

static bool needs_none(const struct bf_run *run)
{
	const struct bf_driver *const *d = run->ports->drivers();

	if (!run->job->iface || !run->job->runtime_folder)
		return true;
	for (; *d; d++) {
		if ((*d)->match && (*d)->match(bf_address_bare(run->job->iface)))
			return (*d)->is_virtual;
	}
	return false;
}

static enum bf_rc held_by_other(const struct bf_run *run, int fd, struct bf_err *err)
{
	char holder[128] = "another program";
	ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);

	if (n > 0) {
		holder[n] = '\0';
		holder[strcspn(holder, "\n")] = '\0';
	}
	bf_fail(err, BF_E_BUSY, "'%s' is in use by %s", run->job->iface, holder);
	bf_next(err, "wait until it has finished, then run this command again");
	return err->rc;
}

static void write_holder(const struct bf_run *run, int fd)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "bmsflash %s, process %ld\n",
			 bf_job_name(run->job->kind), (long)getpid());

	/* Only for people; the lock is held without it. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0)
		bf_log(run->log, BF_LOG_DEBUG, "the lock file could not be labelled");
}

/*
 * One file for all users: whoever comes first makes it, readable and writable by all whatever the umask.
 * It is opened first and made only where it is not there, because the kernel refuses O_CREAT on another
 * user's file in a sticky folder (sysctl fs.protected_regular). -1 with errno.
 */
static int open_shared(const char *path)
{
	const int flags = O_CLOEXEC | O_NOFOLLOW;
	int fd = open(path, O_RDWR | flags);

	if (fd < 0 && errno == ENOENT) {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0666);
		if (fd >= 0)
			(void)fchmod(fd, 0666);
		else if (errno == EEXIST)
			fd = open(path, O_RDWR | flags);
	}
	/* A lock needs no more than reading. */
	return fd < 0 && errno == EACCES ? open(path, O_RDONLY | flags) : fd;
}

enum bf_rc bf_ph_lock(struct bf_run *run, struct bf_err *err)
{
	char path[PATH_MAX];
	BF_AUTO_FD int fd = -1;

	if (needs_none(run))
		return BF_OK;
	if (bf_dir_make(run->job->runtime_folder, err)) {
		err->rc = BF_E_IFACE;
		return err->rc;
	}
	lock_path(run, path, sizeof(path));
	fd = open_shared(path);
	if (fd < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot open the lock file '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return held_by_other(run, fd, err);
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot lock '%s'", path);
	}
	write_holder(run, fd);
	run->lock_fd = fd;
	fd = -1;
	return BF_OK;
}

/* The file stays: removing it would let two runs lock two files of one name. */
void bf_ph_unlock(struct bf_run *run)
{
	if (run->lock_fd >= 0)
		close(run->lock_fd);
	run->lock_fd = -1;
}
