/* SPDX-License-Identifier: MIT */
#include "fuzz_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_claim(data, size, NULL, 0);
	fuzz_parse(bf_elf_parse, data, size);
	return 0;
}
