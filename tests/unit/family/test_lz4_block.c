/* SPDX-License-Identifier: MIT */
/* Packing: how much goes into a block, and in which steps. Whole downloads prove that it unpacks. */
#include "../unit.h"

#include "bmsflash/rng.h"
#include "family/uds/lz4_block.h"

#define LEN 65536u

static uint8_t *words(void)
{
	static const char *const text[] = { "voltage ", "current ", "cell ", "balance ", "limit " };
	uint8_t *p = malloc(LEN);
	struct bf_rng rng = { 7 };
	size_t at = 0;

	assert_non_null(p);
	while (at < LEN) {
		const char *w = text[bf_rng_below(&rng, BF_COUNT(text))];
		size_t n = strlen(w) < LEN - at ? strlen(w) : LEN - at;

		memcpy(p + at, w, n);
		at += n;
	}
	return p;
}

static uint8_t *noise(void)
{
	uint8_t *p = malloc(LEN);
	struct bf_rng rng = { 7 };

	assert_non_null(p);
	for (size_t i = 0; i < LEN; i++)
		p[i] = (uint8_t)bf_rng_next(&rng);
	return p;
}

static void blocks_fill_the_room_and_cover_all_the_data_in_whole_units(void **state)
{
	BF_AUTO_MEM uint8_t *data = words();
	BF_AUTO(bf_packer) *k = bf_packer_new();
	struct bf_packing what = { .data = data, .unit = 8 };
	size_t packed = 0, blocks = 0;

	(void)state;
	while (what.at < LEN) {
		uint8_t dst[510];
		size_t taken, n;

		what.most = LEN - what.at;
		n = bf_lz4_pack(k, &what, dst, sizeof(dst), &taken);
		assert_in_range(n, 1, sizeof(dst));
		assert_in_range(taken, 1, what.most);
		if (taken < what.most) {
			assert_int_equal(taken % 8, 0);
			assert_true(n > sizeof(dst) * 9 / 10);
		}
		what.at += taken;
		packed += n;
		blocks++;
	}
	assert_int_equal(what.at, LEN);
	assert_true(packed < LEN / 2);
	assert_true(blocks < LEN / 510 / 2);
}

static void what_went_before_is_referred_to(void **state)
{
	BF_AUTO_MEM uint8_t *data = noise();
	BF_AUTO(bf_packer) *k = bf_packer_new();
	struct bf_packing what = { .data = data, .at = 4096, .most = 4096, .unit = 8 };
	uint8_t dst[64];
	size_t taken;

	(void)state;
	memcpy(data + 4096, data, 4096);
	assert_true(bf_lz4_pack(k, &what, dst, sizeof(dst), &taken) < 64);
	assert_int_equal(taken, 4096);
}

static void noise_still_travels(void **state)
{
	BF_AUTO_MEM uint8_t *data = noise();
	BF_AUTO(bf_packer) *k = bf_packer_new();
	struct bf_packing what = { .data = data, .most = LEN, .unit = 8 };
	uint8_t dst[4093];
	size_t taken;

	(void)state;
	assert_in_range(bf_lz4_pack(k, &what, dst, sizeof(dst), &taken), 4000, 4093);
	assert_in_range(taken, 4000, 4088);
	assert_true(bf_lz4_ratio(data, LEN) > 0.99);
}

static void a_room_too_small_for_one_unit_is_said(void **state)
{
	BF_AUTO_MEM uint8_t *data = noise();
	BF_AUTO(bf_packer) *k = bf_packer_new();
	struct bf_packing what = { .data = data, .most = LEN, .unit = 8 };
	uint8_t dst[6];
	size_t taken = 77;

	(void)state;
	assert_int_equal(bf_lz4_pack(k, &what, dst, sizeof(dst), &taken), 0);
	assert_int_equal(taken, 0);
}

static void the_ratio_is_foretold(void **state)
{
	BF_AUTO_MEM uint8_t *data = words();

	(void)state;
	assert_true(bf_lz4_ratio(data, LEN) < 0.5);
	assert_true(bf_lz4_ratio(data, 0) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_fill_the_room_and_cover_all_the_data_in_whole_units),
		cmocka_unit_test(what_went_before_is_referred_to),
		cmocka_unit_test(noise_still_travels),
		cmocka_unit_test(a_room_too_small_for_one_unit_is_said),
		cmocka_unit_test(the_ratio_is_foretold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
