/* SPDX-License-Identifier: MIT */
/* A configuration descriptor comes from whatever is plugged in. */
#include "family/dfu/dfu_desc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_dfu_desc d;

	if (!bf_dfu_desc_parse(data, size, &d))
		return 0;
	if (d.n_alts > BF_DFU_ALTS)
		abort();
	if (d.mode != BF_DFU_ABSENT && (d.n_alts == 0 || d.transfer == 0))
		abort();
	return 0;
}
