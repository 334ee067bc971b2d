/* SPDX-License-Identifier: MIT */
/*
 * The devices on the bus, from /sys/bus/usb/devices. A folder is named after its bus and ports
 * ("1-2.4"); root hubs are "usb1" and interfaces have a colon. The kernel keeps descriptors and
 * strings from the enumeration, so that reading them asks the device nothing.
 */
#include "usb_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/text.h"

#define PATH_SIZE       512
#define DESCRIPTORS_MAX 16384
#define TEXT_MAX        512 /* 126 characters of UTF-16 as UTF-8 */

static ssize_t read_attr(const char *sysfs, const char *path, const char *name, void *dst,
			 size_t cap)
{
	char full[PATH_SIZE];
	size_t len = 0;

	snprintf(full, sizeof(full), "%s/bus/usb/devices/%s/%s", sysfs, path, name);
	BF_AUTO_FD int fd = open(full, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	while (len < cap) {
		ssize_t got = read(fd, (uint8_t *)dst + len, cap - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

static void read_text(const char *sysfs, const char *path, const char *name, char *dst, size_t cap)
{
	char text[TEXT_MAX];
	ssize_t got = read_attr(sysfs, path, name, text, sizeof(text) - 1);
	size_t n = got > 0 ? (size_t)got : 0;

	n -= n && text[n - 1] == '\n';
	/* The words of a device, which may be anything. */
	bf_text_escape_n(dst, cap, text, n);
}

static bool read_number(const char *sysfs, const char *path, const char *name, int base,
			unsigned long max, unsigned long *ret)
{
	char text[32];
	char *end;

	read_text(sysfs, path, name, text, sizeof(text));
	errno = 0;
	*ret = strtoul(text, &end, base);
	return text[0] && !*end && !errno && *ret <= max;
}

size_t bf_usb_read_config(const char *sysfs, const char *path, uint8_t *dst, size_t cap)
{
	BF_AUTO_MEM uint8_t *all = malloc(DESCRIPTORS_MAX);
	const uint8_t *config;
	unsigned long value;
	size_t len;
	ssize_t got;

	if (!all)
		abort();
	got = read_attr(sysfs, path, "descriptors", all, DESCRIPTORS_MAX);
	if (got <= 0 || !read_number(sysfs, path, "bConfigurationValue", 10, UINT8_MAX, &value))
		return 0;
	config = bf_usb_find_config(all, (size_t)got, (uint8_t)value, &len);
	if (!config || len > cap)
		return 0;
	memcpy(dst, config, len);
	return len;
}

static bool read_device(const char *sysfs, const char *path, struct bf_usb_seen *ret)
{
	struct bf_usb_seen s = { 0 };
	unsigned long vid, pid, bcd, bus, address, configuration;
	uint8_t config[BF_USB_CONFIG_MAX];

	if (!read_number(sysfs, path, "idVendor", 16, UINT16_MAX, &vid) ||
	    !read_number(sysfs, path, "idProduct", 16, UINT16_MAX, &pid) ||
	    !read_number(sysfs, path, "bcdDevice", 16, UINT16_MAX, &bcd) ||
	    !read_number(sysfs, path, "busnum", 10, UINT8_MAX, &bus) ||
	    !read_number(sysfs, path, "devnum", 10, UINT8_MAX, &address))
		return false;
	s.vid = (uint16_t)vid;
	s.pid = (uint16_t)pid;
	s.bcd_device = (uint16_t)bcd;
	s.bus = (uint8_t)bus;
	s.address = (uint8_t)address;
	snprintf(s.path, sizeof(s.path), "%s", path);
	read_text(sysfs, path, "serial", s.serial, sizeof(s.serial));
	read_text(sysfs, path, "product", s.product, sizeof(s.product));
	read_text(sysfs, path, "manufacturer", s.manufacturer, sizeof(s.manufacturer));
	s.bare = !read_number(sysfs, path, "bConfigurationValue", 10, UINT8_MAX, &configuration);
	s.dfu = bf_usb_dfu_of(config, bf_usb_read_config(sysfs, path, config, sizeof(config)));
	*ret = s;
	return true;
}

static int is_device(const struct dirent *d)
{
	return d->d_name[0] >= '0' && d->d_name[0] <= '9' && !strchr(d->d_name, ':') &&
	       strlen(d->d_name) < sizeof(((struct bf_usb_seen *)0)->path);
}

size_t bf_usb_scan(const char *sysfs, struct bf_usb_seen *ret, size_t cap)
{
	char folder[PATH_SIZE];
	struct dirent **names;
	size_t found = 0;
	int n;

	snprintf(folder, sizeof(folder), "%s/bus/usb/devices", sysfs);
	n = scandir(folder, &names, is_device, versionsort);
	for (int i = 0; i < n; i++) {
		/* A device that leaves while it is read is not there. */
		if (found < cap && read_device(sysfs, names[i]->d_name, &ret[found]))
			found++;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return found;
}

char *bf_usb_node(char *dst, size_t cap, uint8_t bus, uint8_t address)
{
	snprintf(dst, cap, "/dev/bus/usb/%03u/%03u", bus, address);
	return dst;
}
