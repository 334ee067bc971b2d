/* SPDX-License-Identifier: MIT */
/* How long a frame takes: the tester's count against the virtual bus's, which was written from the same
 * standard in another way, and against figures counted by hand. */
#include "../unit/unit.h"

#include "bmsflash/rng.h"
#include "canbits.h"
#include "link/can_time.h"

static const uint8_t lengths[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64 };

static struct bf_frame some_frame(struct bf_rng *rng, uint8_t flags)
{
	struct bf_frame f = { .flags = flags };
	unsigned n = flags & BF_FRAME_FD ? BF_COUNT(lengths) : 9;
	/* runs of the same bit are what matters */
	uint64_t pattern = bf_rng_next(rng);

	f.len = lengths[bf_rng_next(rng) % n];
	f.id = (uint32_t)bf_rng_next(rng) & (flags & BF_FRAME_EXT ? 0x1FFFFFFF : 0x7FF);
	for (unsigned i = 0; i < f.len; i++) {
		if (pattern >> (i % 16) & 1)
			f.data[i] = (uint8_t)bf_rng_next(rng);
		else
			f.data[i] = pattern >> (16 + i % 16) & 1 ? 0xFF : 0;
	}
	return f;
}

static void both_count_the_same(void **state)
{
	static const uint8_t kinds[] = { 0, BF_FRAME_EXT, BF_FRAME_FD | BF_FRAME_BRS,
					 BF_FRAME_FD | BF_FRAME_BRS | BF_FRAME_EXT };
	struct bf_rng rng = { 1 };

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct bf_frame f = some_frame(&rng, kinds[i % BF_COUNT(kinds)]);
		struct bf_can_length l = bf_can_length_of(&f);
		unsigned data = 0;

		if (f.flags & BF_FRAME_FD)
			assert_int_equal(l.nominal, bf_can_fd_bits(&f, &data));
		else
			assert_int_equal(l.nominal, bf_can_bits(&f));
		assert_int_equal(l.data, data);
	}
}

static void hand_counted_frames_take_their_time(void **state)
{
	struct bf_frame f = { .id = 0x555, .len = 64, .flags = BF_FRAME_FD | BF_FRAME_BRS };

	(void)state;
	memset(f.data, 0x55, 64);
	assert_int_equal(bf_can_length_of(&f).nominal, 17 + 13);
	assert_int_equal(bf_can_length_of(&f).data, 5 + 512 + 32);
	assert_int_equal(bf_can_frame_time(&f, 500000, 2000000), 60 + 275);
	assert_int_equal(bf_can_frame_time(&f, 500000, 0), 2 * (30 + 549));
	assert_int_equal(bf_can_frame_time(&f, 0, 0), 0);
	f = (struct bf_frame){ .id = 0x2AA, .len = 8 };
	memset(f.data, 0x55, 8);
	assert_in_range(bf_can_length_of(&f).nominal, 111, 111 + 3); /* the checksum's stuff bits */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_count_the_same),
		cmocka_unit_test(hand_counted_frames_take_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
