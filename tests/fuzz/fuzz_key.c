/* SPDX-License-Identifier: MIT */
#include "fuzz_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct bf_err err = { 0 };
	enum bf_rc rc = bf_keyring_add_text(ring, (const char *)data, size, "input", &err);

	FUZZ_CHECK(bf_keyring_count(ring) == (rc ? 0 : 1));
	if (rc)
		FUZZ_CHECK(rc == BF_E_SIGNATURE && err.cause[0]);
	return 0;
}
