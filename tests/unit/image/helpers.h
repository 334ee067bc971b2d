/* SPDX-License-Identifier: MIT */
/* What the tests of this folder share: files of tests/data, keys, and one call from bytes to image. */
#pragma once

#include <stdio.h>

#include "../unit.h"

#include "bmsflash/file.h"
#include "bmsflash/image.h"

static inline BF_UNUSED char *data_path(const char *name, char dst[512])
{
	const char *root = getenv("BF_TEST_DATA");

	assert_non_null(root);
	snprintf(dst, 512, "%s/%s", root, name);
	return dst;
}

static inline BF_UNUSED uint8_t *data_file(const char *name, size_t *ret_len)
{
	char path[512];
	struct bf_err err;
	uint8_t *p = NULL;

	if (bf_file_read(data_path(name, path), BF_IMAGE_FILE_MAX, &p, ret_len, &err))
		fail_msg("%s", err.cause);
	return p;
}

static inline BF_UNUSED struct bf_keyring *ring_of(const char *name)
{
	struct bf_keyring *ring = bf_keyring_new();
	char path[512];
	struct bf_err err;

	if (bf_keyring_add(ring, data_path(name, path), &err))
		fail_msg("%s", err.cause);
	return ring;
}

/* From bytes to image; the claim is parsed with these options and no detached signature. */
static inline BF_UNUSED enum bf_rc bytes_to_image(const uint8_t *p, size_t len,
						  const struct bf_keyring *ring,
						  struct bf_image **ret, struct bf_err *err)
{
	const struct bf_claim_opts opts = { 0 };
	struct bf_claim *claim = NULL;
	enum bf_rc rc = bf_claim_parse(p, len, "test.bin", NULL, 0, &opts, &claim, err);

	return rc ? rc : bf_image_verify(claim, ring, ret, err);
}

/* Parses one text as a file of that name; no options, no signature. */
static inline BF_UNUSED enum bf_rc parse_text(const char *text, struct bf_claim **ret,
					      struct bf_err *err)
{
	const struct bf_claim_opts opts = { 0 };

	return bf_claim_parse((const uint8_t *)text, strlen(text), "app.txt", NULL, 0, &opts, ret,
			      err);
}

/* The text must be refused as malformed, with a cause that holds these words. */
static inline BF_UNUSED void refused(const char *text, const char *words)
{
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };

	if (parse_text(text, &claim, &err) != BF_E_IMAGE)
		fail_msg("not refused: %s", text);
	assert_null(claim);
	if (!strstr(err.cause, words))
		fail_msg("cause '%s' lacks '%s'", err.cause, words);
}
