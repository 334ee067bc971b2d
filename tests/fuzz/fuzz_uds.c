/* SPDX-License-Identifier: MIT */
/* One answer, taken for each of the things that it might be. */
#include "fuzz.h"

#include <string.h>

#include "family/uds/uds_codec.h"

static void as_text(const uint8_t *data, size_t size)
{
	struct bf_cur c = bf_cur(data, size);
	char text[48];

	bf_uds_read_text(&c, text, sizeof(text));
	FUZZ_CHECK(strlen(text) < sizeof(text));
	for (const char *p = text; *p; p++)
		FUZZ_CHECK(*p >= 0x20 && *p < 0x7F);
}

static void as_quantity(const uint8_t *data, size_t size)
{
	struct bf_quantity_map map = { .scale = 0.1 };
	double got[BF_MAX_CELLS];

	if (size < 3)
		return;
	map.width = data[0] % 6;
	map.offset = data[1];
	map.count = data[2] >> 1;
	map.is_signed = data[2] & 1;
	FUZZ_CHECK(bf_quantity_read(&map, data, size, got, BF_MAX_CELLS) <= BF_MAX_CELLS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t req[] = { 0x31, 0x01, 0xF0, 0xB0 };
	struct bf_region regions[BF_MAX_REGIONS];
	struct bf_slot slots[BF_MAX_SLOTS];
	struct bf_cur c = bf_cur(data, size);
	bf_time p2, p2_star;
	uint32_t block;
	uint8_t nrc;
	size_t n = 0;

	if (bf_uds_classify(data, size, req, 3, 5, &nrc) == UDS_ANSWER_POSITIVE)
		FUZZ_CHECK(size >= 5 && data[0] == 0x71);
	bf_uds_read_times(&c, &p2, &p2_star);
	c = bf_cur(data, size);
	bf_uds_read_block_len(&c, &block);
	c = bf_cur(data, size);
	if (bf_uds_read_map(&c, regions, BF_MAX_REGIONS, &n)) {
		FUZZ_CHECK(n <= BF_MAX_REGIONS);
		for (size_t i = 0; i < n; i++)
			FUZZ_CHECK(regions[i].size &&
				   (uint64_t)regions[i].addr + regions[i].size <= (1ull << 32));
	}
	c = bf_cur(data, size);
	if (bf_uds_read_banks(&c, slots, BF_MAX_SLOTS, &n)) {
		FUZZ_CHECK(n <= BF_MAX_SLOTS);
		for (size_t i = 0; i < n; i++)
			FUZZ_CHECK(slots[i].digest_len <= sizeof(slots[i].digest));
	}
	as_text(data, size);
	as_quantity(data, size);
	return 0;
}
