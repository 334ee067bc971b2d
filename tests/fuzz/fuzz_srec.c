/* SPDX-License-Identifier: MIT */
#include "fuzz_parse.h"

/* The input once more as records whose lengths and checksums are right, to get past both. */
static void as_records(const uint8_t *data, size_t size)
{
	struct fuzz_text *t = calloc(1, sizeof(*t));

	FUZZ_CHECK(t);
	while (size >= 2 && t->len < sizeof(t->p) - 1024) {
		size_t len = data[0] % 64u < size - 2 ? data[0] % 64u : size - 2;
		const char type[3] = { 'S', (char)('0' + data[1] % 10u), '\0' };
		uint8_t count = (uint8_t)(len + 1), sum = (uint8_t)~count;

		for (size_t i = 0; i < len; i++)
			sum = (uint8_t)(sum - data[2 + i]);
		fuzz_puts(t, type);
		fuzz_hex(t, &count, 1);
		fuzz_hex(t, data + 2, len);
		fuzz_hex(t, &sum, 1);
		fuzz_puts(t, "\n");
		data += 2 + len;
		size -= 2 + len;
	}
	fuzz_puts(t, "S9030000FC\n");
	fuzz_parse(bf_srec_parse, (const uint8_t *)t->p, t->len);
	free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_claim(data, size, NULL, 0);
	fuzz_parse(bf_srec_parse, data, size);
	as_records(data, size);
	return 0;
}
