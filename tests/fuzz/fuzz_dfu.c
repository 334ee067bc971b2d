/* SPDX-License-Identifier: MIT */
#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "fuzz_parse.h"

static enum bf_rc parse_dfu(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err)
{
	return bf_dfu_parse(claim, 0, runs, err);
}

/* The input once more with a sound suffix behind it, and the size in a DfuSe prefix put right. */
static void with_suffix(const uint8_t *data, size_t size)
{
	static const uint8_t suffix[12] = {
		0, 0, 0x11, 0xDF, 0x83, 0x04, 0x1A, 1, 'U', 'F', 'D', 16
	};
	uint8_t *p = malloc(size + 16);

	FUZZ_CHECK(p);
	if (size)
		memcpy(p, data, size);
	if (size >= 10 && memcmp(p, "DfuSe", 5) == 0)
		bf_put_le32(p + 6, (uint32_t)size);
	memcpy(p + size, suffix, sizeof(suffix));
	bf_put_le32(p + size + 12, bf_crc(&bf_crc32_dfu, p, size + 12));
	fuzz_claim(p, size + 16, NULL, 0);
	fuzz_parse(bf_dfuse_parse, p, size + 16);
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_claim(data, size, NULL, 0);
	fuzz_parse(parse_dfu, data, size);
	fuzz_parse(bf_dfuse_parse, data, size);
	with_suffix(data, size);
	return 0;
}
