/* SPDX-License-Identifier: MIT */
/* probe --list: the protocols, devices and profiles that this bmsflash knows. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"

#define NAMES 256

struct names {
	char *list[NAMES];
	size_t n;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The first folder that has a profile wins, as when it is used; each name is shown once. */
static void add_folder(struct names *names, const char *folder)
{
	DIR *dir = opendir(folder);

	if (!dir)
		return;
	for (const struct dirent *e; (e = readdir(dir));) {
		size_t len = strlen(e->d_name);
		bool seen = false;
		char *name;

		if (len <= 4 || strcmp(e->d_name + len - 4, ".ini") != 0 || names->n == NAMES)
			continue;
		name = strndup(e->d_name, len - 4);
		if (!name)
			abort();
		for (size_t i = 0; i < names->n; i++)
			seen |= strcmp(names->list[i], name) == 0;
		if (seen)
			free(name);
		else
			names->list[names->n++] = name;
	}
	closedir(dir);
}

static void show(const struct bf_events *events, const char *kind, const char *name,
		 const char *summary)
{
	const struct bf_event ev = { .kind = BF_EV_KNOWN, .known = { kind, name, summary } };

	events->fn(events->ctx, &ev);
}

void bf_known_show(const struct bf_events *events, const struct bf_folders *folders)
{
	struct names names = { .n = 0 };

	for (const struct bf_proto_ops *const *p = bf_protos(); *p; p++)
		show(events, "protocol", (*p)->name, (*p)->summary ? (*p)->summary : "");
	for (const struct bf_proto_ops *const *p = bf_protos(); *p; p++) {
		const char *name;

		for (size_t i = 0; (*p)->device && (name = (*p)->device(i)); i++)
			show(events, "chip", name, "");
	}
	for (size_t i = 0; folders->profiles[i]; i++)
		add_folder(&names, folders->profiles[i]);
	qsort(names.list, names.n, sizeof(names.list[0]), by_name);
	show(events, "profile", "default", "built in");
	for (size_t i = 0; i < names.n; i++) {
		if (strcmp(names.list[i], "default") != 0)
			show(events, "profile", names.list[i], "");
		free(names.list[i]);
	}
}
