/* SPDX-License-Identifier: MIT */
/* Images with a maker's header, and what is inside a container once its cipher is off. */
#include "fuzz.h"
#include "fuzz_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_meta meta = { 0 };
	struct bf_err err;
	uint8_t *image = NULL;
	size_t len = 0;

	bf_err_init(&err);
	fuzz_claim(data, size, NULL, 0);
	if (bf_jk_is(data, size)) {
		bf_jk_describe(data, &meta);
		FUZZ_CHECK(meta.has_version && meta.has_hw);
	}
	if (bf_vanmoof_is(data, size))
		(void)bf_vanmoof_parse(data, size, "fuzz", &meta, &err);
#ifdef BF_CONTAINER
	if (!bf_container_unpack(data, size, "fuzz", 0, &image, &len, &err)) {
		FUZZ_CHECK(len <= BF_CONTAINER_MAX);
		free(image);
	}
#else
	(void)image, (void)len;
#endif
	return 0;
}
