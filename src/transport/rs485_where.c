/* SPDX-License-Identifier: MIT */
/*
 * Which USB device a serial port belongs to, from sysfs, so that it is found again when the kernel gives it
 * another name. The name itself says nothing: ttyACM0 is whoever came first.
 */
#include "rs485_tty.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool first_line(const char *path, char *dst, size_t cap)
{
	FILE *f = fopen(path, "re");
	bool ok;

	dst[0] = '\0';
	if (!f)
		return false;
	ok = fgets(dst, (int)cap, f) != NULL;
	fclose(f);
	dst[strcspn(dst, "\n")] = '\0';
	return ok;
}

/* Up from ".../usb1/1-2/1-2:1.0/ttyUSB0" to the folder of the USB device, which alone has idVendor. */
static bool find_device(char path[PATH_MAX], char interface[8])
{
	char probe[PATH_MAX + 16];
	char *slash, *dot;

	interface[0] = '\0';
	while ((slash = strrchr(path, '/')) && slash != path) {
		snprintf(probe, sizeof(probe), "%s/idVendor", path);
		if (access(probe, R_OK) == 0)
			return true;
		dot = strchr(slash, ':') ? strrchr(slash, '.') : NULL;
		if (dot)
			snprintf(interface, 8, "%.7s", dot + 1);
		*slash = '\0';
	}
	return false;
}

bool bf_tty_where(const char *root, const char *path, struct bf_tty_where *ret)
{
	const char *name = strrchr(path, '/');
	char link[PATH_MAX + 64], device[PATH_MAX], file[PATH_MAX + 16];

	memset(ret, 0, sizeof(*ret));
	snprintf(link, sizeof(link), "%s/sys/class/tty/%.255s/device", root,
		 name ? name + 1 : path);
	if (!realpath(link, device) || !find_device(device, ret->interface))
		return false;
	snprintf(file, sizeof(file), "%s/serial", device);
	first_line(file, ret->serial, sizeof(ret->serial));
	snprintf(ret->port, sizeof(ret->port), "%.63s", strrchr(device, '/') + 1);
	return true;
}

enum likeness {
	LIKE_NOT,
	LIKE_PORT,   /* the same socket, but another serial number: a bootloader may have its own */
	LIKE_SERIAL, /* the same serial number, in another socket */
	LIKE_PORT_SERIAL, /* the same socket, and nothing against it */
};

static enum likeness liken(const struct bf_tty_where *want, const struct bf_tty_where *is)
{
	bool same_port = strcmp(want->port, is->port) == 0;
	bool same_serial = strcmp(want->serial, is->serial) == 0;

	if (same_port)
		return same_serial || !want->serial[0] || !is->serial[0] ? LIKE_PORT_SERIAL
									 : LIKE_PORT;
	return same_serial && want->serial[0] ? LIKE_SERIAL : LIKE_NOT;
}

struct search {
	const struct bf_tty_where *want;
	enum likeness best;
	bool same_interface;
	struct bf_tty_where found;
	bool twice; /* two devices with the serial number that is looked for */
	char name[256];
};

static void consider(struct search *s, const char *name, const struct bf_tty_where *is)
{
	enum likeness like = liken(s->want, is);
	bool same_interface = strcmp(s->want->interface, is->interface) == 0;

	if (like == LIKE_NOT || like < s->best)
		return;
	if (like == s->best && like == LIKE_SERIAL && strcmp(is->port, s->found.port) != 0)
		s->twice = true;
	/* Of several ports of one device the one with our interface number, else the first. */
	if (like == s->best && (s->same_interface ||
				(!same_interface && strcmp(is->interface, s->found.interface) > 0)))
		return;
	if (like > s->best)
		s->twice = false;
	s->best = like;
	s->same_interface = same_interface;
	s->found = *is;
	snprintf(s->name, sizeof(s->name), "%s", name);
}

bool bf_tty_find(const char *root, const struct bf_tty_where *want, char *path, size_t cap)
{
	struct search s = { .want = want };
	struct bf_tty_where is;
	char folder[PATH_MAX];
	struct dirent *e;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/sys/class/tty", root);
	dir = opendir(folder);
	if (!dir)
		return false;
	while ((e = readdir(dir))) {
		if (e->d_name[0] != '.' && bf_tty_where(root, e->d_name, &is))
			consider(&s, e->d_name, &is);
	}
	closedir(dir);
	/* A serial number that two devices share is none. */
	if (s.best == LIKE_NOT || (s.best == LIKE_SERIAL && s.twice))
		return false;
	return snprintf(path, cap, "%s/dev/%s", root, s.name) < (int)cap;
}
