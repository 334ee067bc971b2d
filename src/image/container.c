/* SPDX-License-Identifier: MIT */
/*
 * JK's container of an image (.jkbms): AES-256-CBC with a zero vector and PKCS#7 padding over
 *	length (4, little-endian) | zlib stream of: image | build time, ms since 1970 (8) | hours that it is valid (4)
 * The key belongs to the maker. It is read from a file that the user names and is nowhere in this program. What is
 * signed, checked and sent is the image inside; the 12 bytes behind it are never sent.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "image/image_priv.h"

#define BLOCK   16
#define KEY     32
#define TRAILER 12

bool bf_container_is_named(const char *path)
{
	static const char ending[] = ".jkbms";
	size_t n = strlen(path), e = sizeof(ending) - 1;

	return n > e && strcasecmp(path + n - e, ending) == 0;
}

#ifdef BF_CONTAINER

#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <zlib.h>

/* 32 bytes, or 64 hex digits with white space around them. */
static bool get_key(const uint8_t *p, size_t len, uint8_t ret[KEY])
{
	size_t n = 0;

	if (len == KEY) {
		memcpy(ret, p, KEY);
		return true;
	}
	while (len && isspace(p[len - 1]))
		len--;
	while (len && isspace(*p)) {
		p++;
		len--;
	}
	if (len != (size_t)2 * KEY)
		return false;
	for (; n < len && isxdigit(p[n]); n++) {
		int c = tolower(p[n]);
		unsigned digit = (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);

		ret[n / 2] = (uint8_t)(n % 2 ? 16U * ret[n / 2] + digit : digit);
	}
	return n == len;
}

static enum bf_rc read_key(const char *path, uint8_t ret[KEY], struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	size_t len = 0;

	if (bf_file_read(path, 4096, &text, &len, err))
		return bf_while(err, "reading the container's key");
	if (get_key(text, len, ret))
		return BF_OK;
	return bf_fail(err, BF_E_IMAGE,
		       "'%s' holds no key of a container: 32 bytes or 64 hex digits are one", path);
}

/* Deciphers in place; false when the padding is not what this key would show. */
static bool decipher(uint8_t *p, size_t *len, const uint8_t key[KEY])
{
	struct aes256_ctx ctx;
	uint8_t vector[BLOCK] = { 0 };
	uint8_t pad;

	if (!*len || *len % BLOCK)
		return false;
	aes256_set_decrypt_key(&ctx, key);
	cbc_decrypt(&ctx, (nettle_cipher_func *)aes256_decrypt, BLOCK, vector, *len, p, p);
	pad = p[*len - 1];
	if (!pad || pad > BLOCK)
		return false;
	for (size_t i = *len - pad; i < *len; i++) {
		if (p[i] != pad)
			return false;
	}
	*len -= pad;
	return true;
}

/* Grows by what comes out, whatever the length in front promises. */
static bool inflate_all(const uint8_t *p, size_t len, uint8_t **ret, size_t *ret_len)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)p, .avail_in = (uInt)len };
	BF_AUTO_MEM uint8_t *out = NULL;
	size_t cap = 0, n = 0;
	int rc = Z_OK;

	if (inflateInit(&z) != Z_OK)
		return false;
	while (rc == Z_OK && n == cap && cap < BF_CONTAINER_MAX) {
		uint8_t *more = realloc(out, cap + 65536);

		if (!more)
			abort();
		out = more;
		cap += 65536;
		z.next_out = out + n;
		z.avail_out = (uInt)(cap - n);
		rc = inflate(&z, Z_NO_FLUSH);
		n = cap - z.avail_out;
	}
	inflateEnd(&z);
	if (rc != Z_STREAM_END)
		return false;
	*ret = bf_steal(&out);
	*ret_len = n;
	return true;
}

static enum bf_rc damaged(const char *name, const char *what, struct bf_err *err)
{
	bf_fail(err, BF_E_IMAGE, "'%s' is not opened by the key that was named: %s", name, what);
	bf_likely(err, "the key belongs to another kind of container");
	return err->rc;
}

static enum bf_rc check_window(const char *name, int64_t built_ms, int32_t hours, int64_t now_us,
			       struct bf_err *err)
{
	int64_t last_ms;

	if (hours <= 0 || !now_us)
		return BF_OK;
	if (built_ms < 0 || built_ms > INT64_C(1) << 45)
		return bf_fail(err, BF_E_IMAGE, "'%s' says no time that it was built at", name);
	last_ms = built_ms + (int64_t)hours * 3600000;
	if (now_us / 1000 >= built_ms && now_us / 1000 <= last_ms)
		return BF_OK;
	bf_fail(err, BF_E_IMAGE,
		"'%s' is limited by its maker to %d h from its build time; that is over", name,
		hours);
	bf_likely(err, "the clock of this computer is wrong");
	bf_likely(err, "the maker wants a newer file to be used");
	return err->rc;
}

enum bf_rc bf_container_unpack(const uint8_t *plain, size_t len, const char *name, int64_t now_us,
			       uint8_t **ret, size_t *ret_len, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *image = NULL;
	size_t n = 0;
	int64_t built;
	int32_t hours;

	if (len < 4 || !inflate_all(plain + 4, len - 4, &image, &n))
		return damaged(name, "no zlib stream of at most 1 MiB is inside", err);
	if (n != bf_get_le32(plain) || n <= TRAILER)
		return damaged(name, "another length is inside than in front", err);
	n -= TRAILER;
	built = (int64_t)((uint64_t)bf_get_le32(image + n + 4) << 32 | bf_get_le32(image + n));
	hours = (int32_t)bf_get_le32(image + n + 8);
	if (check_window(name, built, hours, now_us, err))
		return err->rc;
	*ret = bf_steal(&image);
	*ret_len = n;
	return BF_OK;
}

enum bf_rc bf_container_open(const uint8_t *file, size_t len, const char *name,
			     const char *key_path, int64_t now_us, uint8_t **ret, size_t *ret_len,
			     struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *plain = malloc(len ? len : 1);
	uint8_t key[KEY];

	if (!plain)
		abort();
	if (read_key(key_path, key, err))
		return err->rc;
	memcpy(plain, file, len);
	if (!decipher(plain, &len, key))
		return damaged(name, "its padding is wrong", err);
	return bf_container_unpack(plain, len, name, now_us, ret, ret_len, err);
}

#else

enum bf_rc bf_container_open(const uint8_t *file, size_t len, const char *name,
			     const char *key_path, int64_t now_us, uint8_t **ret, size_t *ret_len,
			     struct bf_err *err)
{
	(void)file, (void)len, (void)key_path, (void)now_us, (void)ret, (void)ret_len;
	return bf_fail(
		err, BF_E_UNSUPPORTED,
		"'%s' is a container, and this bmsflash was built without them (-Dcontainers)",
		name);
}

#endif
