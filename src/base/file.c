/* SPDX-License-Identifier: MIT */
#include "bmsflash/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

enum bf_rc bf_file_read(const char *path, size_t max, uint8_t **ret, size_t *ret_len,
			struct bf_err *err)
{
	BF_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	BF_AUTO_MEM uint8_t *buf = NULL;
	struct stat st;
	size_t len;

	if (fd < 0)
		return cannot_open(path, BF_E_IMAGE, err);
	if (fstat(fd, &st) < 0)
		return bf_fail_os(err, BF_E_IMAGE, errno, "cannot examine '%s'", path);
	if (!S_ISREG(st.st_mode))
		return bf_fail(err, BF_E_IMAGE, "'%s' is not a regular file", path);
	if ((uint64_t)st.st_size > max)
		return bf_fail(err, BF_E_IMAGE,
			       "'%s' has %lld bytes, more than the %zu that can be", path,
			       (long long)st.st_size, max);
	len = (size_t)st.st_size;
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

enum bf_rc bf_file_new(const char *path, const void *p, size_t len, struct bf_err *err)
{
	BF_AUTO_MEM char *tmp = NULL;
	BF_AUTO_FD int fd = -1;
	enum bf_rc rc;

	if (create_beside(path, &tmp, &fd, err))
		return err->rc;
	rc = write_all(fd, path, p, len, err);
	/* Some file systems know only one of the two ways to take a free name. */
	if (!rc && renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE) < 0 &&
	    (errno == EEXIST || link(tmp, path) < 0))
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
