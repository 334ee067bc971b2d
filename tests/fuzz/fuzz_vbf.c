/* SPDX-License-Identifier: MIT */
#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "fuzz_parse.h"

/* The input once more as blocks whose lengths and checksums are right, behind a header that is. */
static void as_blocks(const uint8_t *data, size_t size)
{
	static const char head[] = "vbf_version = 2.6;\nheader {\n}";
	static uint8_t file[65536];
	struct bf_out o = bf_out(file, sizeof(file));

	bf_out_bytes(&o, head, sizeof(head) - 1);
	while (size >= 5 && o.len < sizeof(file) - 300) {
		size_t len = data[4] < size - 5 ? data[4] : size - 5;

		bf_out_bytes(&o, data, 4);
		bf_out_be32(&o, (uint32_t)len);
		bf_out_bytes(&o, data + 5, len);
		bf_out_be16(&o, bf_crc16(BF_CRC16_CCITT_FALSE, data + 5, len));
		data += 5 + len;
		size -= 5 + len;
	}
	fuzz_parse(bf_vbf_parse, file, o.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_claim(data, size, NULL, 0);
	fuzz_parse(bf_vbf_parse, data, size);
	as_blocks(data, size);
	return 0;
}
