/* SPDX-License-Identifier: MIT */
/*
 * Whether an archive is of our own making. A manifest names the hash of every region, but anybody can write a
 * manifest. So it is sealed: a keyed BLAKE2b of the manifest goes along in the tar, under a key that is made
 * once, is readable by its user alone, and never leaves the data folder. Bytes that no maker has signed
 * (configuration, firmware that was read back without its signature) go into a pack only out of a sealed archive, or
 * by leave of the user.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/backup.h"
#include "bmsflash/bytes.h"
#include "bmsflash/file.h"

#define MEMBER   "manifest.seal"
#define SEAL_HEX (2 * BF_MAC_LEN + 1)

struct seal_key {
	uint8_t bytes[BF_MAC_KEY_LEN];
};

static enum bf_rc read_key(const char *path, struct seal_key *ret, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *bytes = NULL;
	size_t len;

	if (bf_file_read_guarded(path, sizeof(ret->bytes), BF_GUARD_SECRET, &bytes, &len, err))
		return err->rc;
	if (len != sizeof(ret->bytes))
		return bf_fail(err, BF_E_FILE, "'%s' has %zu bytes, not %zu", path, len,
			       sizeof(ret->bytes));
	memcpy(ret->bytes, bytes, len);
	bf_wipe(bytes, len);
	return BF_OK;
}

static void key_path(const char *folder, char dst[PATH_MAX])
{
	snprintf(dst, PATH_MAX, "%s/" BF_SEAL_KEY, folder);
}

/* Two runs that begin together make one key: the first file stays. */
static enum bf_rc make_key(const char *folder, struct seal_key *ret, struct bf_err *err)
{
	char path[PATH_MAX];
	struct bf_err unused;

	key_path(folder, path);
	bf_err_init(&unused);
	if (!read_key(path, ret, &unused))
		return BF_OK;
	bf_random(ret->bytes, sizeof(ret->bytes));
	if (bf_dir_make(folder, err) || bf_file_create(path, ret->bytes, sizeof(ret->bytes), err))
		return err->rc;
	return read_key(path, ret, err);
}

static void seal_text(const struct seal_key *key, const void *manifest, size_t len,
		      char dst[SEAL_HEX])
{
	uint8_t seal[BF_MAC_LEN];

	bf_mac(seal, key->bytes, manifest, len);
	bf_hex(dst, SEAL_HEX, seal, sizeof(seal));
}

enum bf_rc bf_seal_add(const char *folder, struct bf_archive *a, struct bf_err *err)
{
	const struct bf_archive_member *manifest = &a->members[0];
	struct seal_key key;
	char *text;

	if (make_key(folder, &key, err))
		return err->rc;
	text = malloc(SEAL_HEX);
	if (!text)
		abort();
	seal_text(&key, manifest->data, manifest->len, text);
	bf_wipe(&key, sizeof(key));
	bf_archive_add(a, MEMBER, (uint8_t *)text, SEAL_HEX - 1);
	return BF_OK;
}

bool bf_seal_holds(const char *folder, const struct bf_archive *a)
{
	const struct bf_archive_member *manifest = bf_archive_find(a, "manifest.json");
	const struct bf_archive_member *seal = bf_archive_find(a, MEMBER);
	char path[PATH_MAX], text[SEAL_HEX];
	struct seal_key key;
	struct bf_err unused;

	bf_err_init(&unused);
	if (!manifest || !seal || seal->len != SEAL_HEX - 1)
		return false;
	key_path(folder, path);
	if (read_key(path, &key, &unused))
		return false;
	seal_text(&key, manifest->data, manifest->len, text);
	bf_wipe(&key, sizeof(key));
	return bf_same(text, seal->data, seal->len);
}
