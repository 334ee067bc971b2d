/* SPDX-License-Identifier: MIT */
/* Keeps the USB adapter of an interface from being suspended (Documentation/driver-api/usb/power-management). A device
 * that is opened through usbfs stays awake by the kernel itself; a serial port or a network interface does not. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/base.h"
#include "bmsflash/host.h"

struct bf_usb_awake {
	char control[PATH_MAX];
	char was[16];
};

static bool read_word(const char *path, char *dst, size_t cap)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(dst, (int)cap, f) != NULL;
	fclose(f);
	if (ok)
		dst[strcspn(dst, "\n")] = '\0';
	return ok;
}

static bool write_word(const char *path, const char *word)
{
	ssize_t len = (ssize_t)strlen(word);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, word, (size_t)len) == len;
	close(fd);
	return ok;
}

/* Up from ".../usb1/1-2/1-2:1.0/ttyUSB0" to the folder of the USB device, which alone has idVendor. */
static bool up_to_device(char path[PATH_MAX])
{
	char probe[PATH_MAX + 16];
	char *slash;

	while ((slash = strrchr(path, '/')) && slash != path) {
		snprintf(probe, sizeof(probe), "%s/idVendor", path);
		if (access(probe, F_OK) == 0)
			return true;
		*slash = '\0';
	}
	return false;
}

static bool find_control(const char *root, const char *iface, char ret[PATH_MAX])
{
	static const char *const classes[] = { "tty", "net" };
	char real[PATH_MAX], link[PATH_MAX], device[PATH_MAX];
	const char *name = iface;

	if (strchr(iface, '/')) { /* a link in /dev/serial, too */
		if (!realpath(iface, real))
			snprintf(real, sizeof(real), "%.4000s", iface);
		name = strrchr(real, '/') + 1;
	}
	if (!*name || *name == '.' || strchr(name, ':'))
		return false;
	for (size_t i = 0; i < BF_COUNT(classes); i++) {
		int n = snprintf(link, sizeof(link), "%.2000s/sys/class/%s/%.255s/device", root,
				 classes[i], name);

		if (n < 0 || (size_t)n >= sizeof(link) || !realpath(link, device) ||
		    !up_to_device(device))
			continue;
		n = snprintf(ret, PATH_MAX, "%.4000s/power/control", device);
		return n > 0 && n < PATH_MAX;
	}
	return false;
}

struct bf_usb_awake *bf_usb_awake_take(const char *root, const char *iface)
{
	struct bf_usb_awake *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	if (find_control(root, iface, a->control) &&
	    read_word(a->control, a->was, sizeof(a->was)) && strcmp(a->was, "on") != 0 &&
	    write_word(a->control, "on"))
		return a;
	free(a);
	return NULL;
}

void bf_usb_awake_release(struct bf_usb_awake *awake)
{
	if (!awake)
		return;
	(void)write_word(awake->control, awake->was);
	free(awake);
}
