/* SPDX-License-Identifier: MIT */
/* The computer's own battery, as the kernel's class power_supply tells (Documentation/ABI/testing/sysfs-class-power). */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bmsflash/base.h"
#include "bmsflash/host.h"

/* One attribute of a supply, without its line end; "" where it is not there. */
static void attribute(const char *class, const char *supply, const char *name, char *dst,
		      size_t cap)
{
	char path[512];
	FILE *f;

	*dst = '\0';
	snprintf(path, sizeof(path), "%s/%s/%s", class, supply, name);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(dst, (int)cap, f))
		dst[strcspn(dst, "\n")] = '\0';
	else
		*dst = '\0';
	fclose(f);
}

static bool is_a_peripherals(const char *class, const char *supply)
{
	char scope[16];

	attribute(class, supply, "scope", scope, sizeof(scope));
	return strcmp(scope, "Device") == 0; /* the battery of a mouse */
}

void bf_power_look(const char *class, struct bf_power *ret)
{
	DIR *folder = opendir(class);
	bool mains = false, discharging = false;

	*ret = (struct bf_power){ .percent = -1 };
	if (!folder)
		return;
	for (struct dirent *d; (d = readdir(folder));) {
		char type[16], text[16];

		if (d->d_name[0] == '.' || is_a_peripherals(class, d->d_name))
			continue;
		attribute(class, d->d_name, "type", type, sizeof(type));
		if (strcmp(type, "Battery") == 0) {
			attribute(class, d->d_name, "status", text, sizeof(text));
			discharging |= strcmp(text, "Discharging") == 0;
			attribute(class, d->d_name, "capacity", text, sizeof(text));
			if (*text >= '0' && *text <= '9' && atoi(text) > ret->percent)
				ret->percent = atoi(text);
		} else {
			attribute(class, d->d_name, "online", text, sizeof(text));
			mains |= *text == '1' || *text == '2';
		}
	}
	closedir(folder);
	ret->on_battery = discharging && !mains;
}
