/* SPDX-License-Identifier: MIT */
/* The backup archive: a plain tar (pax), by libarchive; the only door to that library. */
#undef _TIME_BITS /* the library has the platform's own */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/backup.h"
#include "bmsflash/file.h"

#define MEMBERS_MAX 64
#define TAR_SLACK   ((size_t)1 << 20) /* headers and padding beside the members */

typedef struct archive archive_handle; /* libarchive's; ours is struct bf_archive */

void bf_archive_add(struct bf_archive *a, const char *name, uint8_t *take_data, size_t len)
{
	struct bf_archive_member *m;

	a->members = realloc(a->members, (a->n + 1) * sizeof(*a->members));
	if (!a->members)
		abort();
	m = &a->members[a->n++];
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->data = take_data;
	m->len = len;
}

void bf_archive_done(struct bf_archive *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->members[i].data);
	free(a->members);
	*a = (struct bf_archive){ 0 };
}

const struct bf_archive_member *bf_archive_find(const struct bf_archive *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->members[i].name, name) == 0)
			return &a->members[i];
	}
	return NULL;
}

static bool write_member(archive_handle *tar, const struct bf_archive_member *m, int64_t wall_us)
{
	struct archive_entry *entry = archive_entry_new();
	bool ok;

	if (!entry)
		abort();
	archive_entry_set_pathname(entry, m->name);
	archive_entry_set_size(entry, (int64_t)m->len);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	/* A library with 32 bits ends in 2038; the manifest has the time in full. */
	archive_entry_set_mtime(entry,
				(time_t)(sizeof(time_t) < 8 && wall_us / 1000000 > INT32_MAX
						 ? INT32_MAX
						 : wall_us / 1000000),
				0);
	ok = archive_write_header(tar, entry) == ARCHIVE_OK &&
	     archive_write_data(tar, m->data, m->len) == (ssize_t)m->len;
	archive_entry_free(entry);
	return ok;
}

static bool build(archive_handle *tar, const struct bf_archive *a, int64_t wall_us, uint8_t *buf,
		  size_t cap, size_t *used)
{
	if (archive_write_set_format_pax_restricted(tar) != ARCHIVE_OK ||
	    archive_write_open_memory(tar, buf, cap, used) != ARCHIVE_OK)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!write_member(tar, &a->members[i], wall_us))
			return false;
	}
	return archive_write_close(tar) == ARCHIVE_OK;
}

enum bf_rc bf_archive_write(const struct bf_archive *a, const char *path, int64_t wall_us,
			    struct bf_err *err)
{
	archive_handle *tar = archive_write_new();
	BF_AUTO_MEM uint8_t *buf = NULL;
	size_t cap = TAR_SLACK, used = 0;
	enum bf_rc rc;

	for (size_t i = 0; i < a->n; i++)
		cap += a->members[i].len;
	buf = malloc(cap);
	if (!tar || !buf)
		abort();
	if (build(tar, a, wall_us, buf, cap, &used))
		rc = bf_file_new(path, buf, used, err);
	else
		rc = bf_fail(err, BF_E_IMAGE, "cannot build the archive '%s': %s", path,
			     archive_error_string(tar));
	archive_write_free(tar);
	return rc;
}

static enum bf_rc no_archive(const char *path, const char *what, struct bf_err *err)
{
	bf_fail(err, BF_E_IMAGE, "'%s' %s", path, what);
	bf_likely(err, "it is an image: 'bmsflash flash' puts that into a pack");
	bf_do(err, "name an archive that 'bmsflash backup' or a flash wrote: --from BACKUP");
	return err->rc;
}

/* left: what the file may still hold, all members together. A sparse member says more than the file has. */
static enum bf_rc read_member(archive_handle *tar, struct archive_entry *entry, const char *path,
			      size_t *left, struct bf_archive *a, struct bf_err *err)
{
	int64_t size = archive_entry_size(entry);
	const char *name = archive_entry_pathname(entry);
	BF_AUTO_MEM uint8_t *data = NULL;

	if (!name || a->n >= MEMBERS_MAX || size < 0 || (uint64_t)size > *left ||
	    archive_entry_sparse_count(entry) > 0)
		return no_archive(path, "is not a backup of this program", err);
	*left -= (size_t)size;
	data = calloc(1, (size_t)size + 1);
	if (!data)
		return bf_fail(err, BF_E_IMAGE, "no memory for '%s' of '%s'", name, path);
	if (archive_read_data(tar, data, (size_t)size) != (ssize_t)size)
		return bf_fail(err, BF_E_IMAGE, "'%s' in '%s' is cut short", name, path);
	bf_archive_add(a, name, bf_steal(&data), (size_t)size);
	return BF_OK;
}

static enum bf_rc read_members(archive_handle *tar, const char *path, size_t left,
			       struct bf_archive *a, struct bf_err *err)
{
	struct archive_entry *entry;
	int got;

	while ((got = archive_read_next_header(tar, &entry)) == ARCHIVE_OK) {
		if (archive_entry_filetype(entry) == AE_IFREG &&
		    read_member(tar, entry, path, &left, a, err))
			return err->rc;
	}
	if (got != ARCHIVE_EOF)
		return bf_fail(err, BF_E_IMAGE, "'%s' is not a whole tar archive: %s", path,
			       archive_error_string(tar));
	return BF_OK;
}

enum bf_rc bf_archive_read(struct bf_archive *a, const char *path, struct bf_err *err)
{
	archive_handle *tar;
	BF_AUTO_MEM uint8_t *bytes = NULL;
	size_t len;
	enum bf_rc rc;

	if (bf_file_read(path, BF_IMAGE_FILE_MAX, &bytes, &len, err))
		return err->rc;
	tar = archive_read_new();
	if (!tar)
		abort();
	archive_read_support_format_tar(tar);
	if (archive_read_open_memory(tar, bytes, len) == ARCHIVE_OK)
		rc = read_members(tar, path, len, a, err);
	else
		rc = no_archive(path, "is not a tar archive", err);
	archive_read_free(tar);
	if (rc)
		bf_archive_done(a);
	return rc;
}
