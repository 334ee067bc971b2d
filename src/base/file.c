/* SPDX-License-Identifier: MIT */
#include "bmsflash/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdarg.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bmsflash/shell.h"

void bf_fd_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void bf_advise_path(struct bf_err *err, int os_errno, const char *path)
{
	BF_AUTO_MEM char *name = NULL, *copy = NULL;
	const char *folder;

	/* A name that begins with '-' would be an option of the command. */
	if (asprintf(&name, "%s%s", path[0] == '-' ? "./" : "", path) < 0 || !(copy = strdup(name)))
		abort();
	folder = dirname(copy);
	switch (os_errno) {
	case ENOENT:
	case ENOTDIR:
		bf_likely(err, "the name is misspelt, or means another folder than this one");
		bf_next_argv(err, "shows what is there",
			     (const char *const[]){ "ls", "-l", folder, NULL });
		return;
	case EACCES:
	case EPERM:
		bf_likely(err, "it belongs to another user, or its folder does");
		bf_next_argv(err, "shows who may",
			     (const char *const[]){ "ls", "-ld", folder, name, NULL });
		return;
	case ENOSPC:
	case EDQUOT:
		bf_likely(err, "the disk is full");
		bf_next_argv(err, "make room there, or name another place",
			     (const char *const[]){ "df", "-h", folder, NULL });
		return;
	case EROFS:
		bf_likely(err, "the disk is mounted for reading only");
		bf_next_argv(err, "shows the disk; name a place on another one",
			     (const char *const[]){ "findmnt", "-T", folder, NULL });
		return;
	}
}

static enum bf_rc cannot_open(const char *path, enum bf_rc rc, struct bf_err *err)
{
	int os = errno;

	bf_fail_os(err, rc, os, "cannot open '%s'", path);
	bf_advise_path(err, os, path);
	return rc;
}

static enum bf_rc read_all(int fd, const char *path, size_t len, uint8_t *dst, struct bf_err *err)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = read(fd, dst + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return bf_fail_os(err, BF_E_IMAGE, errno, "cannot read '%s'", path);
		if (n == 0)
			return bf_fail(err, BF_E_IMAGE, "'%s' became shorter while it was read",
				       path);
		at += (size_t)n;
	}
	return BF_OK;
}

/* ---- who else may write or read it ---- */

/* A group that was made for one user alone, as most distributions do, is that user. */
static bool only_the_owners(gid_t group, uid_t owner)
{
	struct passwd user, *got_user = NULL;
	struct group members, *got_group = NULL;
	char user_text[1024], group_text[4096];

	if (getpwuid_r(owner, &user, user_text, sizeof(user_text), &got_user) || !got_user ||
	    getgrgid_r(group, &members, group_text, sizeof(group_text), &got_group) || !got_group)
		return false;
	if (user.pw_gid != group)
		return false;
	for (char **name = members.gr_mem; *name; name++)
		if (strcmp(*name, user.pw_name) != 0)
			return false;
	return strcmp(members.gr_name, user.pw_name) == 0;
}

static enum bf_rc check_guard(const char *path, const struct stat *st, enum bf_guard guard,
			      struct bf_err *err)
{
	mode_t write = S_IWOTH | S_IWGRP, all = write | S_IROTH | S_IRGRP;
	mode_t bad = st->st_mode & (guard == BF_GUARD_NONE      ? 0
				    : guard == BF_GUARD_TRUSTED ? write
								: all);
	BF_AUTO_MEM char *name = NULL;

	if (bad & (S_IWGRP | S_IRGRP) && only_the_owners(st->st_gid, st->st_uid))
		bad &= ~(mode_t)(S_IWGRP | S_IRGRP);
	if (!bad)
		return BF_OK;
	if (asprintf(&name, "%s%s", path[0] == '-' ? "./" : "", path) < 0)
		abort();
	bf_fail(err, BF_E_SIGNATURE, "'%s' can be %s by other users (mode %04o)", path,
		bad & write ? "changed" : "read", st->st_mode & 07777u);
	bf_likely(err,
		  bad & write
			  ? "anybody could put a key of his own there; look whether somebody did"
			  : "the secret is known to others; think of a new one");
	bf_next_argv(err, NULL,
		     (const char *const[]){ "chmod", guard == BF_GUARD_SECRET ? "go-rwx" : "go-w",
					    name, NULL });
	return err->rc;
}

enum bf_rc bf_file_guard(const char *path, enum bf_guard guard, struct bf_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return bf_fail_os(err, BF_E_SIGNATURE, errno, "cannot examine '%s'", path);
	return check_guard(path, &st, guard, err);
}

/* ---- reading ---- */

static enum bf_rc read_regular(int fd, const char *path, const struct stat *st, size_t max,
			       uint8_t **ret, size_t *ret_len, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *buf = NULL;
	size_t len;

	if ((uint64_t)st->st_size > max)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' has %lld bytes, more than the %zu that can be", path,
			       (long long)st->st_size, max);
	len = (size_t)st->st_size;
	buf = malloc(len + 1);
	if (!buf)
		return bf_fail(err, BF_E_IMAGE, "no memory for the %zu bytes of '%s'", len, path);
	if (read_all(fd, path, len, buf, err))
		return err->rc;
	buf[len] = 0;
	*ret_len = len;
	*ret = bf_steal(&buf);
	return BF_OK;
}

static enum bf_rc refuse_kind(const char *path, const struct stat *st, struct bf_err *err)
{
	bf_fail(err, BF_E_IMAGE, "'%s' is not a regular file%s", path,
		S_ISDIR(st->st_mode) ? " but a folder" : "");
	bf_next_argv(err, "shows what it is", (const char *const[]){ "ls", "-ld", path, NULL });
	return err->rc;
}

enum bf_rc bf_file_read_guarded(const char *path, size_t max, enum bf_guard guard, uint8_t **ret,
				size_t *ret_len, struct bf_err *err)
{
	BF_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return cannot_open(path, BF_E_IMAGE, err);
	if (fstat(fd, &st) < 0)
		return bf_fail_os(err, BF_E_IMAGE, errno, "cannot examine '%s'", path);
	if (!S_ISREG(st.st_mode))
		return refuse_kind(path, &st, err);
	if (check_guard(path, &st, guard, err))
		return err->rc;
	return read_regular(fd, path, &st, max, ret, ret_len, err);
}

enum bf_rc bf_file_read(const char *path, size_t max, uint8_t **ret, size_t *ret_len,
			struct bf_err *err)
{
	return bf_file_read_guarded(path, max, BF_GUARD_NONE, ret, ret_len, err);
}

/* One byte more than may be, so that the end is told from the limit. */
static enum bf_rc make_room(uint8_t **buf, size_t *cap, size_t max, const char *path,
			    struct bf_err *err)
{
	size_t more = *cap ? 2 * *cap : 65536;
	uint8_t *p;

	if (more > max + 2)
		more = max + 2;
	p = realloc(*buf, more);
	if (!p)
		return bf_fail(err, BF_E_IMAGE, "no memory for the bytes of '%s'", path);
	*buf = p;
	*cap = more;
	return BF_OK;
}

static enum bf_rc wait_for_bytes(int fd, const char *path, struct bf_clock *clock, bf_time deadline,
				 struct bf_err *err)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	switch (bf_clock_wait(clock, &pfd, 1, deadline)) {
	case BF_WAIT_READY:
		return BF_OK;
	case BF_WAIT_CANCELLED:
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while reading '%s'", path);
	case BF_WAIT_DEADLINE:
		break;
	}
	return bf_fail(err, BF_E_INTERRUPTED, "the time was up before all of '%s' came", path);
}

static enum bf_rc read_stream(int fd, const char *path, size_t max, struct bf_clock *clock,
			      bf_time deadline, uint8_t **ret, size_t *ret_len, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *buf = NULL;
	size_t len = 0, cap = 0;

	for (;;) {
		ssize_t n;

		if (len + 1 >= cap && make_room(&buf, &cap, max, path, err))
			return err->rc;
		if (wait_for_bytes(fd, path, clock, deadline, err))
			return err->rc;
		n = read(fd, buf + len, cap - 1 - len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return bf_fail_os(err, BF_E_IMAGE, errno, "cannot read '%s'", path);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return bf_fail(err, BF_E_IMAGE,
				       "'%s' has more than the %zu bytes that can be", path, max);
	}
	buf[len] = 0;
	*ret_len = len;
	*ret = bf_steal(&buf);
	return BF_OK;
}

enum bf_rc bf_file_read_any(const char *path, size_t max, struct bf_clock *clock, bf_time deadline,
			    uint8_t **ret, size_t *ret_len, struct bf_err *err)
{
	BF_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return cannot_open(path, BF_E_IMAGE, err);
	if (fstat(fd, &st) < 0)
		return bf_fail_os(err, BF_E_IMAGE, errno, "cannot examine '%s'", path);
	if (S_ISREG(st.st_mode))
		return read_regular(fd, path, &st, max, ret, ret_len, err);
	if (!S_ISFIFO(st.st_mode))
		return refuse_kind(path, &st, err);
	return read_stream(fd, path, max, clock, deadline, ret, ret_len, err);
}

static enum bf_rc write_all(int fd, const char *path, const uint8_t *p, size_t len,
			    struct bf_err *err)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return bf_fail_os(err, BF_E_FILE, errno, "cannot write '%s'", path);
		p += n;
		len -= (size_t)n;
	}
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		return bf_fail_os(err, BF_E_FILE, errno, "cannot bring '%s' to the disk", path);
	return BF_OK;
}

static void sync_folder_of(const char *path)
{
	BF_AUTO_MEM char *copy = strdup(path);
	BF_AUTO_FD int fd = -1;

	if (!copy)
		return;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd);
}

/* A new file with a name of its own in the folder of path; the caller frees the name. */
static enum bf_rc create_beside(const char *path, char **ret_name, int *ret_fd, struct bf_err *err)
{
	BF_AUTO_MEM char *name = NULL;
	int fd;

	if (asprintf(&name, "%s.XXXXXX", path) < 0)
		abort();
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0) {
		int os = errno;

		bf_fail_os(err, BF_E_FILE, os, "cannot create a file beside '%s'", path);
		bf_advise_path(err, os, path);
		return err->rc;
	}
	*ret_fd = fd;
	*ret_name = bf_steal(&name);
	return BF_OK;
}

enum bf_rc bf_file_may_replace(const char *path, struct bf_err *err)
{
	BF_AUTO_MEM char *tmp = NULL;
	BF_AUTO_FD int fd = -1;

	if (create_beside(path, &tmp, &fd, err))
		return err->rc;
	unlink(tmp);
	return BF_OK;
}

enum bf_rc bf_file_replace(const char *path, const void *p, size_t len, struct bf_err *err)
{
	BF_AUTO_MEM char *tmp = NULL;
	BF_AUTO_FD int fd = -1;

	if (create_beside(path, &tmp, &fd, err))
		return err->rc;
	if (write_all(fd, path, p, len, err)) {
		unlink(tmp);
		return err->rc;
	}
	if (rename(tmp, path) < 0) {
		int e = errno;

		unlink(tmp);
		return bf_fail_os(err, BF_E_FILE, e, "cannot put the new '%s' in place", path);
	}
	sync_folder_of(path);
	return BF_OK;
}

enum bf_rc bf_file_create(const char *path, const void *p, size_t len, struct bf_err *err)
{
	BF_AUTO_MEM char *tmp = NULL;
	BF_AUTO_FD int fd = -1;
	enum bf_rc rc;

	if (create_beside(path, &tmp, &fd, err))
		return err->rc;
	rc = write_all(fd, path, p, len, err);
	/* Some file systems have no second names. */
	if (!rc && link(tmp, path) < 0 && errno != EEXIST && rename(tmp, path) < 0)
		rc = bf_fail_os(err, BF_E_FILE, errno, "cannot put the new '%s' in place", path);
	unlink(tmp);
	sync_folder_of(path);
	return rc;
}

/* By number: not every C library has a function for it. */
static long rename_new(const char *from, const char *to)
{
	const unsigned noreplace = 1; /* RENAME_NOREPLACE of linux/fs.h */

	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, noreplace);
}

enum bf_rc bf_file_new(const char *path, const void *p, size_t len, struct bf_err *err)
{
	BF_AUTO_MEM char *tmp = NULL;
	BF_AUTO_FD int fd = -1;
	enum bf_rc rc;

	if (create_beside(path, &tmp, &fd, err))
		return err->rc;
	rc = write_all(fd, path, p, len, err);
	/* Some file systems know only one of the two ways to take a free name. */
	if (!rc && rename_new(tmp, path) < 0 && (errno == EEXIST || link(tmp, path) < 0))
		rc = bf_fail_os(err, BF_E_FILE, errno, "cannot put the new '%s' in place", path);
	unlink(tmp);
	sync_folder_of(path);
	return rc;
}

enum bf_rc bf_file_append(const char *path, const void *p, size_t len, struct bf_err *err)
{
	BF_AUTO_FD int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return bf_fail_os(err, BF_E_FILE, errno, "cannot open '%s' to append", path);
	return write_all(fd, path, p, len, err);
}

void bf_std_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

void bf_file_name(char *name, const char *also)
{
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && !strchr(also, *name))
			*name = '_';
	}
}

enum bf_rc bf_path(char dst[PATH_MAX], struct bf_err *err, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(dst, PATH_MAX, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < PATH_MAX)
		return BF_OK;
	return bf_fail(err, BF_E_FILE, "the path is longer than %d characters: '%.80s...'",
		       PATH_MAX - 1, dst);
}

enum bf_rc bf_dir_make(const char *path, struct bf_err *err)
{
	BF_AUTO_MEM char *copy = strdup(path);

	if (!copy)
		abort();
	for (char *p = copy + 1;; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return bf_fail_os(err, BF_E_FILE, errno, "cannot make the folder '%s'",
					  copy);
		*p = was;
		if (was == '\0')
			return BF_OK;
	}
}
