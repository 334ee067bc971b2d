/* SPDX-License-Identifier: MIT */
/* Profiles by name and by path. */
#include "bmsflash/profile.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crypto.h"
#include "bmsflash/file.h"
#include "bmsflash/shell.h"
#include "profile/keys.h"

#define PROFILE_FILE_MAX ((size_t)256 << 10)

static bool is_path(const char *name)
{
	size_t n = strlen(name);

	return strchr(name, '/') || (n > 4 && strcmp(name + n - 4, ".ini") == 0);
}

/* "…/bms16.ini" -> "bms16": the name of a profile that gives none. */
static void name_from_path(const char *path, char *dst, size_t cap)
{
	const char *slash = strrchr(path, '/');
	size_t n;

	snprintf(dst, cap, "%s", slash ? slash + 1 : path);
	n = strlen(dst);
	if (n > 4 && strcmp(dst + n - 4, ".ini") == 0)
		dst[n - 4] = '\0';
}

/* A program of a profile lies where the profile says, or beside it: never in whatever folder the user
 * happens to be in. */
static enum bf_rc place(char *file, size_t cap, const char *path, struct bf_err *err)
{
	BF_AUTO_MEM char *folder = NULL, *whole = NULL;
	const char *slash;

	if (!file[0] || file[0] == '/')
		return BF_OK;
	folder = realpath(path, NULL);
	slash = folder ? strrchr(folder, '/') : NULL;
	if (!slash)
		return bf_fail(err, BF_E_USAGE, "profile '%s': its folder is not known", path);
	if (asprintf(&whole, "%.*s/%s", (int)(slash - folder), folder, file) < 0)
		abort();
	if (strlen(whole) >= cap)
		return bf_fail(err, BF_E_USAGE, "profile '%s': the path '%s' is too long", path,
			       whole);
	memcpy(file, whole, strlen(whole) + 1);
	return BF_OK;
}

static enum bf_rc place_all(struct bf_profile *p, const char *path, struct bf_err *err)
{
	const struct bf_profile_section *family;
	const struct bf_key_row *row;

	for (size_t i = 0; (row = bf_key_row(i, &family)); i++) {
		char *base = row->scope == BF_SCOPE_FAMILY ? bf_key_settings(p, family) : (char *)p;

		if (row->kind == BF_VALUE_PATH && place(base + row->offset, row->size, path, err))
			return err->rc;
	}
	return BF_OK;
}

static void note_file(struct bf_profile *p, const char *path, const uint8_t *text, size_t len)
{
	uint8_t digest[BF_SHA256_LEN];

	snprintf(p->path, sizeof(p->path), "%s", path); /* PATH_MAX, else it had not been opened */
	bf_sha256(digest, text, len);
	bf_hex(p->sha256, sizeof(p->sha256), digest, sizeof(digest));
}

static enum bf_rc load_file(const char *path, struct bf_profile *ret, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	struct bf_profile p;
	size_t len;

	if (bf_file_read(path, PROFILE_FILE_MAX, &text, &len, err)) {
		err->rc = BF_E_USAGE; /* a profile is part of the command, not an image */
		return bf_while(err, "loading the profile '%s'", path);
	}
	bf_profile_default(&p);
	p.description[0] = '\0';
	name_from_path(path, p.name, sizeof(p.name));
	if (bf_profile_parse((const char *)text, len, path, &p, err))
		return err->rc;
	if (place_all(&p, path, err))
		return err->rc;
	note_file(&p, path, text, len);
	*ret = p;
	return BF_OK;
}

/* Where NAME was looked for, as far as it fits. */
static void list_folders(const char *const *folders, char *dst, size_t cap)
{
	size_t at = 0;

	snprintf(dst, cap, "nowhere");
	for (size_t i = 0; folders && folders[i] && at < cap; i++)
		at += (size_t)snprintf(dst + at, cap - at, "%s%s", i ? ", " : "", folders[i]);
}

enum bf_rc bf_profile_load(const char *name_or_path, const char *const *folders,
			   struct bf_profile *ret, struct bf_err *err)
{
	char where[200];

	if (is_path(name_or_path))
		return load_file(name_or_path, ret, err);
	for (size_t i = 0; folders && folders[i]; i++) {
		BF_AUTO_MEM char *path = NULL;

		if (asprintf(&path, "%s/%s.ini", folders[i], name_or_path) < 0)
			abort();
		if (access(path, F_OK) == 0)
			return load_file(path, ret, err);
	}
	if (strcmp(name_or_path, "default") == 0) {
		bf_profile_default(ret);
		return BF_OK;
	}
	list_folders(folders, where, sizeof(where));
	bf_fail(err, BF_E_USAGE, "no profile '%s' (looked in: %s)", name_or_path, where);
	bf_likely(err, "the name is misspelt; profiles are files NAME.ini");
	bf_do(err, "give a file by its path: --profile ./%.150s.ini", name_or_path);
	return BF_E_USAGE;
}
