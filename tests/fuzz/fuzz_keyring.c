/* SPDX-License-Identifier: MIT */
/* Several keys, separated by NUL, into one ring: each at most once, a refused one leaves the ring as it was. */
#include "fuzz_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	char text[64];

	for (size_t at = 0; at <= size;) {
		const uint8_t *end = size > at ? memchr(data + at, 0, size - at) : NULL;
		size_t len = end ? (size_t)(end - data) - at : size - at,
		       before = bf_keyring_count(ring);
		struct bf_err err = { 0 };

		if (bf_keyring_add_text(ring, (const char *)data + at, len, "input", &err)) {
			FUZZ_CHECK(err.rc == BF_E_SIGNATURE && err.cause[0] && err.next[0]);
			FUZZ_CHECK(bf_keyring_count(ring) == before);
		} else {
			size_t now = bf_keyring_count(ring);

			FUZZ_CHECK(now == before || now == before + 1);
			FUZZ_CHECK(!bf_keyring_add_text(ring, (const char *)data + at, len, "again",
							&err));
			FUZZ_CHECK(bf_keyring_count(ring) == now);
		}
		at += len + 1;
	}
	FUZZ_CHECK(strlen(bf_keyring_text(ring, BF_KEY_PEM, text, sizeof(text))) < sizeof(text));
	FUZZ_CHECK(strlen(bf_keyring_text(ring, BF_KEY_MINISIGN, text, sizeof(text))) <
		   sizeof(text));
	return 0;
}
