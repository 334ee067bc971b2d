/* SPDX-License-Identifier: MIT */
/* The keys that are trusted in this run: from files, or from all key files of a folder. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "image/image_priv.h"

#define KEY_FILE_MAX 16384

struct bf_keyring *bf_keyring_new(void)
{
	struct bf_keyring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		abort();
	return ring;
}

struct bf_keyring *bf_keyring_free(struct bf_keyring *ring)
{
	if (ring)
		free(ring->keys);
	free(ring);
	return NULL;
}

size_t bf_keyring_count(const struct bf_keyring *ring)
{
	return ring->n;
}

static bool same_key(const struct bf_key *a, const struct bf_key *b)
{
	return a->kind == b->kind && memcmp(a->pk, b->pk, sizeof(a->pk)) == 0 &&
	       memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

enum bf_rc bf_keyring_add_text(struct bf_keyring *ring, const char *text, size_t len,
			       const char *name, struct bf_err *err)
{
	struct bf_key key, *keys;

	if (bf_key_parse(text, len, name, &key, err))
		return err->rc;
	for (size_t i = 0; i < ring->n; i++)
		if (same_key(&ring->keys[i], &key))
			return BF_OK;
	keys = reallocarray(ring->keys, ring->n + 1, sizeof(*keys));
	if (!keys)
		abort();
	keys[ring->n++] = key;
	ring->keys = keys;
	return BF_OK;
}

static enum bf_rc add_file(struct bf_keyring *ring, const char *path, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	size_t len;

	if (bf_file_read_guarded(path, KEY_FILE_MAX, BF_GUARD_TRUSTED, &text, &len, err)) {
		err->rc = BF_E_SIGNATURE;
		return bf_while(err, "reading the key '%s'", path);
	}
	return bf_keyring_add_text(ring, (const char *)text, len, path, err);
}

static bool ends_in(const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);

	return n > t && strcmp(name + n - t, tail) == 0;
}

static int is_key_name(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return name[0] != '.' && (ends_in(name, ".pem") || ends_in(name, ".pub"));
}

static enum bf_rc add_folder(struct bf_keyring *ring, const char *path, struct bf_err *err)
{
	struct dirent **found = NULL;
	enum bf_rc rc = BF_OK;
	int n;

	if (bf_file_guard(path, BF_GUARD_TRUSTED, err))
		return bf_while(err, "looking at the key folder '%s'", path);
	n = scandir(path, &found, is_key_name, alphasort);
	if (n < 0)
		return bf_fail_os(err, BF_E_SIGNATURE, errno, "cannot read the key folder '%s'",
				  path);
	for (int i = 0; i < n; i++) {
		BF_AUTO_MEM char *file = NULL;

		if (asprintf(&file, "%s/%s", path, found[i]->d_name) < 0)
			abort();
		if (!rc)
			rc = add_file(ring, file, err);
		free(found[i]);
	}
	free(found);
	return rc;
}

enum bf_rc bf_keyring_add(struct bf_keyring *ring, const char *path, struct bf_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		int os = errno;

		bf_fail_os(err, BF_E_SIGNATURE, os, "cannot open the key '%s'", path);
		bf_advise_path(err, os, path);
		return err->rc;
	}
	if (S_ISREG(st.st_mode) && st.st_size > KEY_FILE_MAX) {
		bf_fail(err, BF_E_SIGNATURE, "'%s' is no key file: it has %lld bytes", path,
			(long long)st.st_size);
		bf_likely(err, "--key was given the image, or another file than the public key");
		bf_do(err, "name the maker's public key, PEM or minisign: --key FILE");
		return err->rc;
	}
	return S_ISDIR(st.st_mode) ? add_folder(ring, path, err) : add_file(ring, path, err);
}

char *bf_keyring_text(const struct bf_keyring *ring, enum bf_key_kind kind, char *dst, size_t cap)
{
	size_t at = 0, found = 0;

	snprintf(dst, cap, "none of this kind");
	for (size_t i = 0; i < ring->n; i++) {
		const struct bf_key *key = &ring->keys[i];
		char id[BF_KEY_ID_TEXT];
		char one[96];

		if (key->kind != kind)
			continue;
		bf_key_id_text(key, id);
		snprintf(one, sizeof(one), "%s%s (%s)", found++ ? ", " : "", key->name, id);
		if (at + strlen(one) + sizeof(", ...") > cap) {
			snprintf(dst + at, cap - at, "%s", at ? ", ..." : "...");
			break;
		}
		at += (size_t)snprintf(dst + at, cap - at, "%s", one);
	}
	return dst;
}
