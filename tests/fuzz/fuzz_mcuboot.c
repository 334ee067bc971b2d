/* SPDX-License-Identifier: MIT */
#include "fuzz_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_mcuboot mb;
	struct bf_meta meta = { 0 };
	struct bf_err err = { 0 };
	size_t tlv_at = 0, extent = bf_mcuboot_extent(data, size, &tlv_at);

	fuzz_claim(data, size, NULL, 0);
	FUZZ_CHECK(!extent || tlv_at < extent);
	if (!bf_mcuboot_is(data, size) || bf_mcuboot_parse(data, size, "input", &mb, &meta, &err))
		return 0;
	FUZZ_CHECK(mb.signed_len < mb.len && mb.len <= size && extent == mb.len);
	return 0;
}
