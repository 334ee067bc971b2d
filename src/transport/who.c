/* SPDX-License-Identifier: MIT */
#include "who.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/text.h"

#define PROC_PATH 320

/* The first line of a file below /proc/PID, without its newline; "" when it cannot be read. */
static void read_line(const char *root, int pid, const char *name, char *dst, size_t cap)
{
	char path[PROC_PATH];
	char text[512];
	BF_AUTO_FD int fd = -1;
	const char *end;
	ssize_t n;

	snprintf(path, sizeof(path), "%.200s/proc/%d/%s", root, pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	/* A program may call itself anything. */
	bf_text_escape_n(dst, cap, text, end ? (size_t)(end - text) : n > 0 ? (size_t)n : 0);
}

/* The last part of "0::/system.slice/ModemManager.service" when it is a unit that can be stopped. */
static void read_unit(const char *root, int pid, char *dst, size_t cap)
{
	static const char suffix[] = ".service";
	char text[512];
	char *last;
	size_t n;

	dst[0] = '\0';
	read_line(root, pid, "cgroup", text, sizeof(text));
	last = strrchr(text, '/');
	n = last ? strlen(last) : 0;
	if (n > sizeof(suffix) && strcmp(last + n - (sizeof(suffix) - 1), suffix) == 0)
		snprintf(dst, cap, "%s", last + 1);
}

void bf_who_is(const char *root, int pid, struct bf_who *ret)
{
	*ret = (struct bf_who){ .pid = pid };
	read_line(root, pid, "comm", ret->command, sizeof(ret->command));
	if (!ret->command[0])
		snprintf(ret->command, sizeof(ret->command), "a program");
	read_unit(root, pid, ret->unit, sizeof(ret->unit));
}

/* ---- the one walk through /proc ---- */

struct search {
	const char *root;
	const char *path; /* has this open, or (NULL) */
	const char *command;
	int own_fd;
};

static bool counts(const struct search *s, int pid, int fd)
{
	/* Below another root a process with our number is not us. */
	if (*s->root || pid != getpid())
		return true;
	return s->own_fd != BF_WHO_OTHERS && fd != s->own_fd;
}

static bool has_open(const struct search *s, int pid)
{
	char folder[PROC_PATH], target[256];
	bool found = false;
	struct dirent *d;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%.200s/proc/%d/fd", s->root, pid);
	dir = opendir(folder);
	if (!dir)
		return false; /* another user's: not ours to look into */
	while (!found && (d = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		found = strcmp(target, s->path) == 0 && counts(s, pid, atoi(d->d_name));
	}
	closedir(dir);
	return found;
}

static bool runs(const struct search *s, int pid)
{
	char command[sizeof(((struct bf_who *)NULL)->command)];

	read_line(s->root, pid, "comm", command, sizeof(command));
	return strcmp(command, s->command) == 0;
}

static bool find(const struct search *s, struct bf_who *ret)
{
	char folder[PROC_PATH];
	bool found = false;
	struct dirent *d;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%.200s/proc", s->root);
	dir = opendir(folder);
	if (!dir)
		return false;
	while (!found && (d = readdir(dir)) != NULL) {
		int pid = isdigit((unsigned char)d->d_name[0]) ? atoi(d->d_name) : 0;

		if (!pid)
			continue;
		found = s->path ? has_open(s, pid) : runs(s, pid);
		if (found)
			bf_who_is(s->root, pid, ret);
	}
	closedir(dir);
	return found;
}

bool bf_who_has(const char *root, const char *path, int own_fd, struct bf_who *ret)
{
	return find(&(struct search){ .root = root, .path = path, .own_fd = own_fd }, ret);
}

bool bf_who_runs(const char *root, const char *command, struct bf_who *ret)
{
	return find(&(struct search){ .root = root, .command = command }, ret);
}

void bf_who_group(gid_t gid, char *dst, size_t cap)
{
	struct group entry, *found = NULL;
	char buf[1024];

	if (getgrgid_r(gid, &entry, buf, sizeof(buf), &found) == 0 && found)
		snprintf(dst, cap, "%s", found->gr_name);
	else
		snprintf(dst, cap, "%u", gid);
}
