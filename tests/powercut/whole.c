/* SPDX-License-Identifier: MIT */
#include "whole.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/file.h"
#include "bmsflash/json.h"
#include "engine/run.h"

static enum bf_rc archive(const char *path, struct bf_err *err)
{
	BF_AUTO(bf_backup) *b = NULL;

	return bf_backup_open(path, NULL, &b, err) ? bf_while(err, "a half archive '%s'", path)
						   : BF_OK;
}

static enum bf_rc journal(const char *path, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	BF_AUTO(bf_json) *j = NULL;
	size_t len;

	if (bf_file_read(path, 1 << 20, &text, &len, err) ||
	    bf_json_parse((const char *)text, len, &j, err))
		return bf_while(err, "a half journal '%s'", path);
	return BF_OK;
}

/* A name with the random end of mkostemp was never put in place. */
static bool in_place(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot && strlen(dot) != 7;
}

static bool each(const char *folder, const char *sub,
		 enum bf_rc (*check)(const char *path, struct bf_err *err), struct bf_err *err)
{
	char path[512];
	struct dirent *e;
	bool ok = true;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", folder, sub);
	d = opendir(path);
	while (ok && d && (e = readdir(d))) {
		if (!in_place(e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", folder, sub, e->d_name);
		ok = check(path, err) == BF_OK;
	}
	if (d)
		closedir(d);
	return ok;
}

bool whole_files(const char *folder, struct bf_err *err)
{
	return each(folder, "backup", archive, err) && each(folder, "journal", journal, err);
}
