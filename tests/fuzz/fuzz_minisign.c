/* SPDX-License-Identifier: MIT */
#include "fuzz_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char file[] = ":0100000055AA\n:00000001FF\n";
	struct bf_minisig sig;
	struct bf_meta meta = { 0 };
	struct bf_err err = { 0 };

	fuzz_claim((const uint8_t *)file, sizeof(file) - 1, data, size);
	if (!bf_minisig_parse((const char *)data, size, "input", &sig, &err))
		(void)bf_minisig_comment(&sig, "input", &meta, &err);
	/* The comment alone, without the signatures around it. */
	sig = (struct bf_minisig){ .comment = (const char *)data, .comment_len = size };
	if (bf_minisig_comment(&sig, "input", &meta, &err))
		FUZZ_CHECK(err.rc == BF_E_IMAGE && err.cause[0]);
	return 0;
}
