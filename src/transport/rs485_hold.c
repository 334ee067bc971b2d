/* SPDX-License-Identifier: MIT */
/* Who else uses a serial device, and why it cannot be opened. */
#include "rs485_tty.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where UUCP lock files are (FHS 3.0, 5.9); programs write "LCK..ttyUSB0" with their pid as text. */
#define LOCK_FOLDER "/var/lock"

/* Services that open every new serial port, and how to keep them off. */
static const struct {
	const char *command, *remedy;
} meddlers[] = {
	{ "ModemManager", "sudo systemctl stop ModemManager" },
	{ "brltty", "sudo systemctl stop brltty-udev.service brltty.service" },
};

static const char *remedy_for(const char *command)
{
	for (size_t i = 0; i < BF_COUNT(meddlers); i++) {
		if (strcmp(meddlers[i].command, command) == 0)
			return meddlers[i].remedy;
	}
	return NULL;
}

static size_t read_text(const char *path, char *dst, size_t cap)
{
	BF_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, dst, cap - 1);

	dst[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* The last part of "0::/system.slice/ModemManager.service" when it is a unit that can be stopped. */
static void read_unit(int pid, char *dst, size_t cap)
{
	static const char suffix[] = ".service";
	char path[64], text[512];
	char *last;
	size_t n;

	dst[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	read_text(path, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	last = strrchr(text, '/');
	n = last ? strlen(last) : 0;
	if (n > sizeof(suffix) && strcmp(last + n - (sizeof(suffix) - 1), suffix) == 0)
		snprintf(dst, cap, "%s", last + 1);
}

static void describe(int pid, struct bf_tty_holder *ret)
{
	char path[64];

	*ret = (struct bf_tty_holder){ .pid = pid };
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (!read_text(path, ret->command, sizeof(ret->command)))
		snprintf(ret->command, sizeof(ret->command), "a program");
	ret->command[strcspn(ret->command, "\n")] = '\0';
	read_unit(pid, ret->unit, sizeof(ret->unit));
}

/* ---- open descriptors in /proc ---- */

static bool has_open(const char *pid, const char *path, int own_fd)
{
	char folder[64];
	char name[sizeof(folder) + 64];
	char target[256];
	struct dirent *d;
	bool found = false;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%.20s/fd", pid);
	dir = opendir(folder);
	if (!dir)
		return false;
	while (!found && (d = readdir(dir)) != NULL) {
		ssize_t n;

		if (strtol(pid, NULL, 10) == getpid() && strtol(d->d_name, NULL, 10) == own_fd)
			continue;
		snprintf(name, sizeof(name), "%s/%.20s", folder, d->d_name);
		n = readlink(name, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		found = strcmp(target, path) == 0;
	}
	closedir(dir);
	return found;
}

bool bf_tty_find_holder(const char *path, int own_fd, struct bf_tty_holder *ret)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	bool found = false;

	if (!proc)
		return false;
	while (!found && (d = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		found = has_open(d->d_name, path, own_fd);
		if (found)
			describe((int)strtol(d->d_name, NULL, 10), ret);
	}
	closedir(proc);
	return found;
}

/* ---- lock files ---- */

bool bf_tty_legacy_lock(const char *folder, const char *path, struct bf_tty_holder *ret)
{
	const char *name = strrchr(path, '/');
	char file[256], text[32];
	long pid;

	snprintf(file, sizeof(file), "%s/LCK..%s", folder, name ? name + 1 : path);
	if (!read_text(file, text, sizeof(text)))
		return false;
	pid = strtol(text, NULL, 10);
	/* A file whose writer has died locks nothing. */
	if (pid <= 0 || pid > INT32_MAX || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return false;
	describe((int)pid, ret);
	return true;
}

/* ---- refusals ---- */

static enum bf_rc busy(const char *path, const char *name, const struct bf_tty_holder *h,
		       struct bf_err *err)
{
	const char *remedy = remedy_for(h->command);

	if (!h->pid) {
		bf_fail(err, BF_E_BUSY, "'%s' is in use by another program", name);
		bf_next(err, "sudo fuser -v %s (names the program)", path);
		return BF_E_BUSY;
	}
	bf_fail(err, BF_E_BUSY, "'%s' is in use by '%s' (pid %d%s%s)", name, h->command, h->pid,
		h->unit[0] ? ", unit " : "", h->unit);
	if (remedy) {
		bf_likely(err, "'%s' opens every new serial port to look what it is", h->command);
		bf_next(err, "%s", remedy);
	} else if (h->unit[0]) {
		bf_next(err, "sudo systemctl stop %s", h->unit);
	} else {
		bf_likely(err, "a terminal program or another bmsflash is still open");
		bf_next(err, "close it, or: kill %d", h->pid);
	}
	return BF_E_BUSY;
}

enum bf_rc bf_tty_check_lock_file(const char *path, const char *name, struct bf_err *err)
{
	struct bf_tty_holder holder;

	if (!bf_tty_legacy_lock(LOCK_FOLDER, path, &holder) || holder.pid == getpid())
		return BF_OK;
	return busy(path, name, &holder, err);
}

enum bf_rc bf_tty_claim(struct bf_tty *tty, const char *name, struct bf_err *err)
{
	struct bf_tty_holder holder = { 0 };
	bool locked = flock(tty->fd, LOCK_EX | LOCK_NB) == 0;

	/* Terminal programs rarely lock, so an open descriptor counts too; a pty's slave is often
	 * kept open by whoever made it, which steals nothing. */
	if (!locked || !bf_tty_is_pty(tty->path)) {
		if (bf_tty_find_holder(tty->path, tty->fd, &holder) || !locked)
			return busy(tty->path, name, &holder, err);
	}
	(void)ioctl(tty->fd, TIOCEXCL);
	tty->claimed = true;
	return BF_OK;
}

void bf_tty_release(struct bf_tty *tty)
{
	/* Not ours: the mark belongs to the one who holds the device. */
	if (!tty->claimed)
		return;
	(void)ioctl(tty->fd, TIOCNXCL);
	(void)flock(tty->fd, LOCK_UN);
}

static void group_name(gid_t gid, char *dst, size_t cap)
{
	struct group entry, *found = NULL;
	char buf[1024];

	if (getgrgid_r(gid, &entry, buf, sizeof(buf), &found) == 0 && found)
		snprintf(dst, cap, "%s", found->gr_name);
	else
		snprintf(dst, cap, "%u", gid);
}

static enum bf_rc denied(const char *path, const char *name, int os_errno, struct bf_err *err)
{
	char group[64] = "";
	struct stat st;

	if (stat(path, &st) < 0)
		return bf_fail_os(err, BF_E_IFACE, os_errno, "no permission to use '%s'", name);
	group_name(st.st_gid, group, sizeof(group));
	bf_fail_os(err, BF_E_IFACE, os_errno, "no permission to use '%s' (mode %04o, group '%s')",
		   name, st.st_mode & 07777, group);
	if ((st.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP) || st.st_gid == 0) {
		bf_likely(err, "no udev rule gives this port to a group");
		bf_next(err, "install the udev rules of bmsflash, or: sudo chmod a+rw %s", path);
		return BF_E_IFACE;
	}
	bf_likely(err, "you are not in the group '%s', or were added after you logged in", group);
	bf_next(err, "sudo usermod -aG %s $USER, then log out and in again", group);
	return BF_E_IFACE;
}

static enum bf_rc absent(const char *name, int os_errno, struct bf_err *err)
{
	char names[200];

	bf_fail_os(err, BF_E_IFACE, os_errno, "there is no serial port '%s'", name);
	bf_tty_names(names, sizeof(names));
	if (names[0])
		bf_likely(err, "it has another name now; there are: %s", names);
	else
		bf_likely(err, "the adapter is not plugged in: no serial port was found at all");
	bf_next(err, "bmsflash probe (without --if it lists the interfaces of this machine)");
	return BF_E_IFACE;
}

enum bf_rc bf_tty_explain_open(const char *path, const char *name, int os_errno, struct bf_err *err)
{
	struct bf_tty_holder holder = { 0 };

	switch (os_errno) {
	case EACCES:
	case EPERM:
		return denied(path, name, os_errno, err);
	case EBUSY:
		bf_tty_find_holder(path, -1, &holder);
		return busy(path, name, &holder, err);
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case ENOTDIR:
		return absent(name, os_errno, err);
	case ENOTTY:
		bf_fail_os(err, BF_E_IFACE, os_errno, "'%s' is no serial port", name);
		bf_next(err, "bmsflash probe (without --if it lists the interfaces of this "
			     "machine)");
		return BF_E_IFACE;
	case EIO:
		bf_fail_os(err, BF_E_IFACE, os_errno, "'%s' has no hardware behind it", name);
		bf_likely(err, "the port exists in the kernel's table only, or was just unplugged");
		return BF_E_IFACE;
	}
	return bf_fail_os(err, BF_E_IFACE, os_errno, "cannot open '%s'", name);
}

/* ---- services that may come later ---- */

const char *bf_tty_meddler(void)
{
	DIR *proc = opendir("/proc");
	const char *found = NULL;
	char path[64], command[64];
	struct dirent *d;

	if (!proc)
		return NULL;
	while (!found && (d = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", d->d_name);
		read_text(path, command, sizeof(command));
		command[strcspn(command, "\n")] = '\0';
		for (size_t i = 0; i < BF_COUNT(meddlers); i++) {
			if (strcmp(meddlers[i].command, command) == 0)
				found = meddlers[i].command;
		}
	}
	closedir(proc);
	return found;
}
