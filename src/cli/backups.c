/* SPDX-License-Identifier: MIT */
/* Backups that earlier runs left: found for a pack, listed, and the oldest removed. */
#include "backups.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/backup.h"
#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "bmsflash/image.h"
#include "bmsflash/text.h"
#include "screen.h"

#define JOURNAL_MAX   ((size_t)1 << 20)
#define CLASS_BACKUPS 64 /* that are opened in search of a name */

bool bf_backups_folder(const struct bf_folders *folders, const struct bf_opts *opts, char *dst,
		       size_t cap)
{
	if (opts && opts->backup_dir)
		return (size_t)snprintf(dst, cap, "%s", opts->backup_dir) < cap;
	return folders && folders->data &&
	       (size_t)snprintf(dst, cap, "%s/backup", folders->data) < cap;
}

bool bf_backups_newest(const struct bf_folders *folders, const struct bf_opts *opts,
		       const char *serial, char *dst, size_t cap)
{
	char folder[PATH_MAX], best[256] = "";
	size_t len = strlen(serial);
	DIR *dir = NULL;

	if (!len || !bf_backups_folder(folders, opts, folder, sizeof(folder)))
		return false;
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

/* ---- a look at all of them ---- */

static void take_text(char *dst, size_t cap, const struct bf_json *j, const char *key)
{
	const char *text = bf_json_str(j, key);

	bf_text_escape(dst, cap, text ? text : "");
}

/*
 * More than a serial number, which may be shared: two packs are never taken for one. Another calibration is another
 * pack, or the same one after a visit to the workshop; both keep their backups.
 */
static void name_owner(struct bf_kept *k, const struct bf_backup *b, const struct bf_json *id)
{
	static const char *const keys[] = { "serial", "manufacturer", "model", "hw_rev", "class" };
	char text[1024] = "";
	size_t at = 0;

	for (size_t i = 0; i < BF_COUNT(keys); i++) {
		const char *v = bf_json_str(id, keys[i]);

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%.150s\n", v ? v : "");
	}
	for (size_t i = 0; i < bf_backup_rows(b); i++) {
		const struct bf_backup_row *r = bf_backup_row(b, i);

		if (strcmp(r->kind, "calibration") == 0 && at + 2 * BF_SHA256_LEN < sizeof(text)) {
			bf_hex(text + at, sizeof(text) - at, r->sha256, sizeof(r->sha256));
			at += 2 * BF_SHA256_LEN;
		}
	}
	bf_sha256(k->owner, text, at);
}

static void look_at(struct bf_kept *k, const char *data_folder)
{
	BF_AUTO(bf_backup) *b = NULL;
	const struct bf_backup_row *firmware;
	const struct bf_json *id;
	struct bf_err unused;
	struct stat st;

	bf_err_init(&unused);
	if (stat(k->path, &st) == 0)
		k->size = (uint64_t)st.st_size;
	if (bf_backup_open(k->path, data_folder, &b, &unused))
		return;
	id = bf_backup_identity(b);
	firmware = bf_backup_firmware(b);
	k->sound = true;
	k->sealed = bf_backup_trusted(b);
	take_text(k->serial, sizeof(k->serial), id, "serial");
	take_text(k->model, sizeof(k->model), id, "model");
	bf_text_escape(k->time, sizeof(k->time), bf_backup_time(b));
	bf_text_escape(k->version, sizeof(k->version),
		       firmware && firmware->version ? firmware->version : "");
	name_owner(k, b, id);
}

static int order(const void *a, const void *b)
{
	const struct bf_kept *x = a, *y = b;
	size_t lx = strlen(x->path), ly = strlen(y->path);
	int d = strcmp(x->serial, y->serial);

	d = d ? d : memcmp(x->owner, y->owner, sizeof(x->owner));
	d = d ? d : strcmp(x->time, y->time);
	/* Of one second: "...Z.tar", "...Z-2.tar", "...Z-10.tar". */
	d = d ? d : (lx > ly) - (lx < ly);
	return d ? d : strcmp(x->path, y->path);
}

static bool is_tar(const char *name)
{
	const char *end = strrchr(name, '.');

	return name[0] != '.' && end && strcmp(end, ".tar") == 0;
}

enum bf_rc bf_backups_look(const char *folder, const char *data_folder, const char *serial,
			   struct bf_kept **ret, size_t *ret_n, struct bf_err *err)
{
	struct bf_kept *list = NULL;
	size_t n = 0, cap = 0;
	DIR *dir = opendir(folder);

	*ret = NULL;
	*ret_n = 0;
	if (!dir && errno == ENOENT)
		return BF_OK;
	if (!dir)
		return bf_fail_os(err, BF_E_FILE, errno, "cannot read the folder '%s'", folder);
	for (const struct dirent *e; (e = readdir(dir));) {
		if (!is_tar(e->d_name))
			continue;
		if (n == cap) {
			cap = cap ? 2 * cap : 64;
			list = realloc(list, cap * sizeof(*list));
			if (!list)
				abort();
		}
		list[n] = (struct bf_kept){ 0 };
		if ((size_t)snprintf(list[n].path, PATH_MAX, "%s/%s", folder, e->d_name) >=
		    PATH_MAX)
			continue;
		look_at(&list[n], data_folder);
		n += !serial || strcmp(list[n].serial, serial) == 0;
	}
	closedir(dir);
	if (n)
		qsort(list, n, sizeof(*list), order);
	*ret = list;
	*ret_n = n;
	return BF_OK;
}

/* An image names its class by a number made of vendor and name. A pack whose backup is here may be of that class. */
bool bf_backups_class_name(const struct bf_folders *folders, const struct bf_opts *opts,
			   const uint8_t vid[16], const uint8_t cid[16], char *dst, size_t cap)
{
	char folder[PATH_MAX], path[PATH_MAX];
	unsigned looked_at = 0;
	bool found = false;
	DIR *dir = NULL;

	if (!bf_backups_folder(folders, opts, folder, sizeof(folder)))
		return false;
	dir = opendir(folder);
	if (!dir)
		return false;
	for (const struct dirent *e; !found && looked_at < CLASS_BACKUPS && (e = readdir(dir));) {
		BF_AUTO(bf_backup) *b = NULL;
		struct bf_err unused;
		const char *model;
		uint8_t made[16];

		if (!is_tar(e->d_name) || (size_t)snprintf(path, sizeof(path), "%s/%s", folder,
							   e->d_name) >= sizeof(path))
			continue;
		looked_at++;
		bf_err_init(&unused);
		if (bf_backup_open(path, folders->data, &b, &unused))
			continue;
		model = bf_json_str(bf_backup_identity(b), "model");
		if (!model || !*model)
			continue;
		bf_uuid_class(vid, model, made);
		found = memcmp(made, cid, sizeof(made)) == 0;
		if (found)
			bf_text_escape(dst, cap, model);
	}
	closedir(dir);
	return found;
}

/* ---- the oldest go ---- */

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What an interrupted run wants to go back to. BF_E_FILE: a journal cannot be read, so nobody knows. */
static enum bf_rc mark_needed(struct bf_kept *list, size_t n, const char *data_folder,
			      struct bf_err *err)
{
	char folder[PATH_MAX], path[PATH_MAX];
	DIR *dir;

	if (bf_path(folder, err, "%s/journal", data_folder))
		return err->rc;
	dir = opendir(folder);
	if (!dir)
		return errno == ENOENT ? BF_OK
				       : bf_fail_os(err, BF_E_FILE, errno,
						    "cannot read the folder '%s'", folder);
	for (const struct dirent *e; (e = readdir(dir)) && !err->rc;) {
		BF_AUTO_MEM uint8_t *text = NULL;
		BF_AUTO(bf_json) *j = NULL;
		const char *backup;
		struct bf_err why;
		size_t len;

		if (e->d_name[0] == '.')
			continue;
		bf_err_init(&why);
		if (bf_path(path, err, "%s/%s", folder, e->d_name))
			break;
		if (bf_file_read(path, JOURNAL_MAX, &text, &len, &why) ||
		    bf_json_parse((const char *)text, len, &j, &why)) {
			bf_fail(err, BF_E_FILE,
				"the journal '%s' cannot be read, so it is not known which backup "
				"an interrupted run needs: none is removed",
				path);
			break;
		}
		backup = bf_json_str(j, "backup");
		for (size_t i = 0; backup && i < n; i++)
			list[i].needed |= same_file(list[i].path, backup);
	}
	closedir(dir);
	return err->rc;
}

enum bf_rc bf_backups_prune(struct bf_kept *list, size_t n, const char *data_folder, size_t keep,
			    size_t *ret_removed, struct bf_err *err)
{
	size_t newer = 0;

	*ret_removed = 0;
	bf_err_init(err);
	if (mark_needed(list, n, data_folder, err))
		return err->rc;
	for (size_t i = n; i-- > 0;) {
		struct bf_kept *k = &list[i];

		if (i + 1 == n || memcmp(k->owner, list[i + 1].owner, sizeof(k->owner)) != 0)
			newer = 0;
		/* Only what was made here and can be restored counts, and only that is removed. */
		if (!k->sound || !k->sealed || !bf_serial_identifies(k->serial) || newer++ < keep ||
		    k->needed)
			continue;
		if (unlink(k->path) < 0)
			return bf_fail_os(err, BF_E_FILE, errno, "cannot remove '%s'", k->path);
		k->removed = true;
		++*ret_removed;
	}
	return BF_OK;
}

/* ---- on the screen ---- */

void bf_backups_show(struct bf_out_text *o, const struct bf_kept *list, size_t n)
{
	char size[32], path[PATH_MAX];

	for (size_t i = 0; i < n && !o->quiet; i++) {
		const struct bf_kept *k = &list[i];

		if (!i || strcmp(k->serial, list[i - 1].serial) != 0 ||
		    memcmp(k->owner, list[i - 1].owner, sizeof(k->owner)) != 0)
			bf_screen_line(o, BF_PAINT_PLAIN, "Pack", false, "%s%s%s",
				       k->serial[0] ? k->serial : "no serial number",
				       k->model[0] ? ", " : "", k->model);
		bf_text_result(o, "%-*s%s", BF_LABEL, k->removed ? "Removed" : "Backup",
			       bf_text_home(o, k->path, path, sizeof(path)));
		bf_screen_line(o, BF_PAINT_PLAIN, "", false, "%s%s%s%s%s%s%s",
			       k->version[0] ? k->version : "no firmware", k->time[0] ? ", " : "",
			       k->time, ", ", bf_text_kb(size, sizeof(size), k->size),
			       !k->sound    ? ", not a sound archive"
			       : !k->sealed ? ", made on another computer"
					    : "",
			       k->needed ? ", needed by an interrupted run" : "");
	}
}
