/* SPDX-License-Identifier: MIT */
/*
 * One run at a time for an interface. The lock is flock(2) on a file in the runtime folder, so
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

static const struct bf_driver *driver_of(const struct bf_run *run)
{
	const struct bf_driver *const *d = run->ports->drivers();

	for (; *d; d++) {
		if ((*d)->match && (*d)->match(bf_address_bare(run->job->iface)))
			return *d;
	}
	return NULL;
}

/*
 * ttyUSB0, /dev/ttyUSB0 and /dev/serial/by-id/... are one interface, and so are an interface and the same one
 * behind the fault injector. What is no device file is named by its driver and what comes before options.
 */
enum bf_rc bf_iface_name(const struct bf_run *run, char dst[PATH_MAX], struct bf_err *err)
{
	const char *address = bf_address_bare(run->job->iface);
	const struct bf_driver *driver = driver_of(run);
	char dev[PATH_MAX];

	if (bf_path(dev, err, address[0] == '/' ? "%s" : "/dev/%s", address))
		return err->rc;
	if (realpath(dev, dst))
		return BF_OK;
	if (driver && driver->is_virtual)
		return bf_path(dst, err, "%s", driver->name);
	return bf_path(dst, err, "%s", address);
}

/*
 * The lock protects what is shared: a bus, a USB device or a serial port carries one session at a time, whatever
 * nodes are on it. The hash keeps names apart that look alike as file names.
 */
static enum bf_rc lock_path(const struct bf_run *run, char dst[PATH_MAX], struct bf_err *err)
{
	char name[PATH_MAX];
	uint8_t sha[BF_SHA256_LEN];
	char hash[17];

	if (bf_iface_name(run, name, err))
		return err->rc;
	bf_sha256(sha, name, strlen(name));
	bf_hex(hash, sizeof(hash), sha, 8);
	for (char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '.')
			*p = '_';
	}
	return bf_path(dst, err, "%s/bmsflash-%.100s-%s.lock", run->job->runtime_folder, name,
		       hash);
}

static bool needs_none(const struct bf_run *run)
{
	const struct bf_driver *driver;

	if (!run->job->iface || !run->job->runtime_folder)
		return true;
	driver = driver_of(run);
	return driver && driver->is_virtual;
}

/* Any local user may have written it. */
static void read_holder(int fd, char dst[128])
{
	ssize_t n = pread(fd, dst, 127, 0);

	dst[n > 0 ? n : 0] = '\0';
	dst[strcspn(dst, "\n")] = '\0';
	for (char *p = dst; *p; p++) {
		if (*p < 0x20 || *p > 0x7E)
			*p = '?';
	}
}

static enum bf_rc held_by_other(const struct bf_run *run, int fd, struct bf_err *err)
{
	char holder[128];

	read_holder(fd, holder);
	bf_fail(err, BF_E_BUSY, "'%s' is in use by %s", run->job->iface,
		holder[0] ? holder : "another program");
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
	const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
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

/* What somebody put in the way of the lock is never written to: its text would land in another file. */
static enum bf_rc is_lock_file(int fd, const char *path, struct bf_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot examine the lock file '%s'",
				  path);
	if (S_ISREG(st.st_mode) && st.st_nlink <= 1)
		return BF_OK;
	bf_fail(err, BF_E_IFACE, "the lock file '%s' is %s", path,
		S_ISREG(st.st_mode) ? "a hard link to another file" : "not a regular file");
	bf_likely(err, "another user of this computer put it there");
	return err->rc;
}

/* A folder for locks in a place that anybody can write to must be ours. */
static enum bf_rc is_own_folder(const char *path, struct bf_err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot examine the folder '%s'", path);
	if (S_ISLNK(st.st_mode) && st.st_uid == 0)
		return BF_OK;
	if (S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0))
		return BF_OK;
	return bf_fail(err, BF_E_IFACE, "the folder for locks, '%s', belongs to another user",
		       path);
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
	if (is_own_folder(run->job->runtime_folder, err) || lock_path(run, path, err)) {
		err->rc = BF_E_IFACE;
		return err->rc;
	}
	fd = open_shared(path);
	if (fd < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot open the lock file '%s'", path);
	if (is_lock_file(fd, path, err))
		return err->rc;
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
