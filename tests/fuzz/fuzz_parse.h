/* SPDX-License-Identifier: MIT */
/* One parser alone, so that its segments can be looked at before any signature. */
#pragma once

#include "fuzz_image.h"
#include "image/image_priv.h"

static inline BF_UNUSED void fuzz_parse(enum bf_rc (*parse)(struct bf_claim *claim,
							    struct bf_runs *runs,
							    struct bf_err *err),
					const uint8_t *p, size_t len)
{
	BF_AUTO(bf_claim) *claim = calloc(1, sizeof(*claim));
	struct bf_runs runs = { 0 };
	struct bf_err err = { 0 };
	enum bf_rc rc;

	FUZZ_CHECK(claim && (claim->path = strdup("input")) && (claim->file = malloc(len + 1)));
	if (len)
		memcpy(claim->file, p, len);
	claim->len = len;
	rc = parse(claim, &runs, &err);
	if (!rc)
		rc = bf_claim_settle(claim, &runs, &err);
	bf_runs_done(&runs);
	if (rc)
		FUZZ_CHECK(rc == BF_E_IMAGE && err.cause[0]);
	else
		fuzz_check_segments(claim->segs, claim->n_segs, len);
}

/* Text in the making; what does not fit is left out. */
struct fuzz_text {
	char p[65536];
	size_t len;
};

static inline BF_UNUSED void fuzz_hex(struct fuzz_text *t, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n && t->len + 4 < sizeof(t->p); i++) {
		t->p[t->len++] = "0123456789ABCDEF"[p[i] >> 4];
		t->p[t->len++] = "0123456789ABCDEF"[p[i] & 15];
	}
}

static inline BF_UNUSED void fuzz_puts(struct fuzz_text *t, const char *s)
{
	for (; *s && t->len + 4 < sizeof(t->p); s++)
		t->p[t->len++] = *s;
}
