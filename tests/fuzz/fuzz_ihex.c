/* SPDX-License-Identifier: MIT */
#include "fuzz_parse.h"

/* The input once more as records whose lengths and checksums are right, to get past both. */
static void as_records(const uint8_t *data, size_t size)
{
	static const char end[] = ":00000001FF\n";
	struct fuzz_text *t = calloc(1, sizeof(*t));

	FUZZ_CHECK(t);
	while (size >= 4 && t->len < sizeof(t->p) - 1024) {
		size_t len = data[0] % 32u < size - 4 ? data[0] % 32u : size - 4;
		uint8_t head[4] = { (uint8_t)len, data[1], data[2], (uint8_t)(data[3] % 6u) };
		uint8_t sum = 0;

		for (size_t i = 0; i < 4; i++)
			sum = (uint8_t)(sum - head[i]);
		for (size_t i = 0; i < len; i++)
			sum = (uint8_t)(sum - data[4 + i]);
		fuzz_puts(t, ":");
		fuzz_hex(t, head, sizeof(head));
		fuzz_hex(t, data + 4, len);
		fuzz_hex(t, &sum, 1);
		fuzz_puts(t, "\n");
		data += 4 + len;
		size -= 4 + len;
	}
	fuzz_puts(t, end);
	fuzz_parse(bf_ihex_parse, (const uint8_t *)t->p, t->len);
	free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_claim(data, size, NULL, 0);
	fuzz_parse(bf_ihex_parse, data, size);
	as_records(data, size);
	return 0;
}
