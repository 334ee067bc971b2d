/* SPDX-License-Identifier: MIT */
/* Backups that earlier runs left in the data folder. */
#include <dirent.h>
#include <string.h>

#include "screen.h"

bool bf_backups_newest(const struct bf_folders *folders, const char *serial, char *dst, size_t cap)
{
	char folder[PATH_MAX], best[256] = "";
	size_t len = strlen(serial);
	DIR *dir = NULL;

	if (!folders || !folders->data || !len)
		return false;
	snprintf(folder, sizeof(folder), "%s/backup", folders->data);
	dir = opendir(folder);
	if (!dir)
		return false;
	/* The time is part of the name: what sorts last is the newest. */
	for (const struct dirent *e; (e = readdir(dir));) {
		const char *end = strrchr(e->d_name, '.');

		if (strncmp(e->d_name, serial, len) == 0 && e->d_name[len] == '-' && end &&
		    strcmp(end, ".tar") == 0 && strcmp(e->d_name, best) > 0)
			snprintf(best, sizeof(best), "%s", e->d_name);
	}
	closedir(dir);
	if (!best[0])
		return false;
	return (size_t)snprintf(dst, cap, "%s/%s", folder, best) < cap;
}
