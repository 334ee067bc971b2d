/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "bmsflash/crc.h"

/* The check values of the CRC catalogue: each CRC over "123456789". */
static void known_check_values(void **state)
{
	static const struct {
		const struct bf_crc *crc;
		uint32_t check;
	} rows[] = {
		{ &bf_crc32_ieee, 0xCBF43926 },
		{ &bf_crc32_dfu, 0xCBF43926 ^ 0xFFFFFFFF },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++)
		assert_int_equal(bf_crc(rows[i].crc, "123456789", 9), rows[i].check);
}

static void pieces_give_the_same_as_the_whole(void **state)
{
	uint32_t s = bf_crc_start(&bf_crc32_ieee);

	(void)state;
	s = bf_crc_feed(&bf_crc32_ieee, s, "1234", 4);
	s = bf_crc_feed(&bf_crc32_ieee, s, "", 0);
	s = bf_crc_feed(&bf_crc32_ieee, s, "56789", 5);
	assert_int_equal(bf_crc_end(&bf_crc32_ieee, s), 0xCBF43926);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_check_values),
		cmocka_unit_test(pieces_give_the_same_as_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
