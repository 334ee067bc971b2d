/* SPDX-License-Identifier: MIT */
/* The way of untrusted bytes through claim and check, with what must hold for all of them. */
#pragma once

#include <string.h>

#include "bmsflash/image.h"
#include "fuzz.h"

/* RFC 8032's second test key: no input of a fuzzer is signed with it. */
#define FUZZ_PEM                                                         \
	"-----BEGIN PUBLIC KEY-----\n"                                   \
	"MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n" \
	"-----END PUBLIC KEY-----\n"

/* The second test key's seed, for targets that sign what they make. */
#define FUZZ_SEED "a fuzz key: 32 bytes, no secret."

/* No format makes bytes out of nothing: what is claimed is never more than the file. */
static inline BF_UNUSED void fuzz_check_segments(const struct bf_segment *seg, size_t n,
						 size_t file_len)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += seg[i].len;
	FUZZ_CHECK(total <= file_len);
	for (size_t i = 0; i < n; i++) {
		volatile uint8_t touched = 0;

		FUZZ_CHECK(seg[i].len && (uint64_t)seg[i].addr + seg[i].len <= 0x100000000u);
		touched = (uint8_t)(seg[i].data[0] ^ seg[i].data[seg[i].len - 1]);
		(void)touched;
		if (i && seg[i].alt == seg[i - 1].alt)
			FUZZ_CHECK((uint64_t)seg[i - 1].addr + seg[i - 1].len <= seg[i].addr);
	}
}

/* Parses; a refusal must say why, and a claim must never pass the check. */
static inline BF_UNUSED void fuzz_claim(const uint8_t *p, size_t len, const uint8_t *sig,
					size_t sig_len)
{
	const struct bf_claim_opts opts = { 0 };
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct bf_claim *claim = NULL;
	struct bf_image *image = NULL;
	struct bf_err err = { 0 };

	if (bf_claim_parse(p, len, "input", sig, sig_len, &opts, &claim, &err)) {
		FUZZ_CHECK(err.rc && err.cause[0]);
		return;
	}
	FUZZ_CHECK(!bf_keyring_add_text(ring, FUZZ_PEM, strlen(FUZZ_PEM), "k", &err));
	FUZZ_CHECK(bf_image_verify(claim, ring, &image, &err) && !image && err.cause[0]);
}
