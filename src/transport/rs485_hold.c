/* SPDX-License-Identifier: MIT */
/* Who else uses a serial device, and why it cannot be opened. */
#include "bmsflash/shell.h"
#include "rs485_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where UUCP lock files are (FHS 3.0, 5.9); programs write "LCK..ttyUSB0" with their pid as text. */
#define LOCK_FOLDER "/var/lock"

const struct bf_tty_service bf_tty_services[] = {
	{ "ModemManager", "modem-manager", "sudo systemctl stop ModemManager",
	  "it opens every new serial port and sends AT commands into the pack", true },
	{ "brltty", "brltty", "sudo systemctl stop brltty-udev.service brltty.service",
	  "it takes adapters with FTDI, CP210x and CH340 chips for braille displays", false },
};

static const struct bf_tty_service *service_of(const char *command)
{
	for (size_t i = 0; i < BF_COUNT(bf_tty_services); i++) {
		if (strcmp(bf_tty_services[i].command, command) == 0)
			return &bf_tty_services[i];
	}
	return NULL;
}

/* ---- lock files ---- */

bool bf_tty_lock_file(const char *folder, const char *path, struct bf_who *ret)
{
	const char *name = strrchr(path, '/');
	char file[PATH_MAX + 8], text[32] = "";
	long pid = 0;
	FILE *f;

	snprintf(file, sizeof(file), "%s/LCK..%s", folder, name ? name + 1 : path);
	f = fopen(file, "re");
	if (!f)
		return false;
	if (fgets(text, sizeof(text), f))
		pid = strtol(text, NULL, 10);
	fclose(f);
	/* A file whose writer has died locks nothing. */
	if (pid <= 0 || pid > INT32_MAX || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return false;
	bf_who_is("", (int)pid, ret);
	return true;
}

/* ---- refusals ---- */

static enum bf_rc busy(const char *path, const char *name, const struct bf_who *h,
		       struct bf_err *err)
{
	const struct bf_tty_service *service = service_of(h->command);

	if (!h->pid) {
		bf_fail(err, BF_E_BUSY, "'%s' is in use by another program", name);
		bf_next_argv(err, "names the program",
			     (const char *const[]){ "sudo", "fuser", "-v", path, NULL });
		return BF_E_BUSY;
	}
	bf_fail(err, BF_E_BUSY, "'%s' is in use by '%s' (pid %d%s%s)", name, h->command, h->pid,
		h->unit[0] ? ", unit " : "", h->unit);
	if (service) {
		bf_likely(err, "%s", service->harm);
		bf_next(err, "%s", service->mend);
	} else if (h->unit[0]) {
		bf_next(err, "sudo systemctl stop %s", h->unit);
	} else {
		bf_likely(err, "a terminal program or another bmsflash is still open");
		bf_do(err, "close that program, or end it");
		bf_next(err, "kill %d", h->pid);
	}
	return BF_E_BUSY;
}

enum bf_rc bf_tty_check_lock_file(const char *path, const char *name, struct bf_err *err)
{
	struct bf_who holder;

	if (!bf_tty_lock_file(LOCK_FOLDER, path, &holder) || holder.pid == getpid())
		return BF_OK;
	return busy(path, name, &holder, err);
}

enum bf_rc bf_tty_claim(struct bf_tty *tty, const char *name, struct bf_err *err)
{
	struct bf_who holder = { 0 };
	bool locked = flock(tty->fd, LOCK_EX | LOCK_NB) == 0;

	/* Terminal programs rarely lock, so an open descriptor counts too; a pty's slave is often
	 * kept open by whoever made it, which steals nothing. */
	if (!locked || !bf_tty_is_pty(tty->path)) {
		if (bf_who_has("", tty->path, tty->fd, &holder) || !locked)
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

static enum bf_rc denied(const char *path, const char *name, int os_errno, struct bf_err *err)
{
	char group[64] = "";
	struct stat st;

	if (stat(path, &st) < 0)
		return bf_fail_os(err, BF_E_IFACE, os_errno, "you may not use '%s' yet", name);
	bf_who_group(st.st_gid, group, sizeof(group));
	bf_fail_os(err, BF_E_IFACE, os_errno, "you may not use '%s' yet (mode %04o, group '%s')",
		   name, st.st_mode & 07777, group);
	if ((st.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP) || st.st_gid == 0) {
		bf_likely(err, "no udev rule gives this port to a group");
		bf_do(err, "install the udev rules of bmsflash, or open the port for now");
		bf_next_argv(err, NULL,
			     (const char *const[]){ "sudo", "chmod", "a+rw", path, NULL });
		return BF_E_IFACE;
	}
	bf_likely(err, "you are not in the group '%s', or were added after you logged in", group);
	bf_next(err, "sudo usermod -aG %s \"$USER\" # then log out and in again", group);
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
	bf_next(err, "bmsflash probe # lists the interfaces of this computer");
	return BF_E_IFACE;
}

enum bf_rc bf_tty_explain_open(const char *path, const char *name, int os_errno, struct bf_err *err)
{
	struct bf_who holder = { 0 };

	switch (os_errno) {
	case EACCES:
	case EPERM:
		return denied(path, name, os_errno, err);
	case EBUSY:
		bf_who_has("", path, BF_WHO_ANYBODY, &holder);
		return busy(path, name, &holder, err);
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case ENOTDIR:
		return absent(name, os_errno, err);
	case ENOTTY:
		bf_fail_os(err, BF_E_IFACE, os_errno, "'%s' is no serial port", name);
		bf_next(err, "bmsflash probe # lists the interfaces of this computer");
		return BF_E_IFACE;
	case EIO:
		bf_fail_os(err, BF_E_IFACE, os_errno, "'%s' has no hardware behind it", name);
		bf_likely(err, "the port exists in the kernel's table only, or was just unplugged");
		return BF_E_IFACE;
	}
	return bf_fail_os(err, BF_E_IFACE, os_errno, "cannot open '%s'", name);
}
