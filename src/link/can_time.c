/* SPDX-License-Identifier: MIT */
/*
 * A separation time counts from the end of a frame, and the driver does not tell when that was: it is
 * counted from the frame's bits.
 *
 *	classic  SOF  ID 11  RTR IDE r0  DLC 4  data  CRC 15 |  13 bits that are never stuffed
 *	         SOF  ID 11  SRR IDE  ID 18  RTR r1 r0  DLC 4  data  CRC 15 | 13
 *	FD       SOF  ID 11  RRS IDE FDF res BRS | ESI DLC 4  data | count 4, CRC 17 or 21 | 13
 *	         SOF  ID 11  SRR IDE  ID 18  RRS FDF res BRS | ...
 *
 * A bit of the opposite value follows five that are the same; in the checksum of an FD frame one comes
 * before the stuff count and after each fourth bit, whatever the bits are.
 */
#include "link/can_time.h"

#define TAIL      13u /* delimiters, acknowledgement, end of frame, intermission */
#define CRC15     0x4599u
#define CHECK17   27u /* stuff count, checksum and their fixed stuff bits */
#define CHECK21   32u
#define LONG_DATA 16u /* bytes: above it the checksum has 21 bits */
/* an FD frame with 29 bits of identifier, up to its last bit of data */
#define BITS_MAX (41u + 8 * BF_CAN_MAX_DATA)

struct row {
	uint8_t bit[BITS_MAX];
	unsigned n;
};

static void put(struct row *r, uint32_t value, unsigned n)
{
	while (n--)
		r->bit[r->n++] = (uint8_t)(value >> n & 1);
}

static void put_id(struct row *r, const struct bf_frame *f)
{
	put(r, 0, 1);
	if (!(f->flags & BF_FRAME_EXT)) {
		put(r, f->id, 11);
		return;
	}
	put(r, f->id >> 18, 11);
	put(r, 3, 2);
	put(r, f->id, 18);
}

static void put_data(struct row *r, const struct bf_frame *f)
{
	for (unsigned i = 0; i < f->len; i++)
		put(r, f->data[i], 8);
}

/* Stuff bits due after bits [from, to). They count among the next five themselves. */
static unsigned stuff_bits(const struct row *r, unsigned from, unsigned to)
{
	unsigned same = 0, stuffed = 0;
	int last = -1;

	for (unsigned i = 0; i < to; i++) {
		same = r->bit[i] == last ? same + 1 : 1;
		last = r->bit[i];
		if (same < 5)
			continue;
		stuffed += i >= from;
		last = !last;
		same = 1;
	}
	return stuffed;
}

static uint32_t checksum(const struct row *r)
{
	uint32_t crc = 0;

	for (unsigned i = 0; i < r->n; i++) {
		bool flip = (crc >> 14 & 1) != r->bit[i];

		crc = (crc << 1 & 0x7FFF) ^ (flip ? CRC15 : 0);
	}
	return crc;
}

static uint32_t dlc_of(unsigned len)
{
	static const uint8_t longer[] = { 12, 16, 20, 24, 32, 48, 64 };
	uint32_t dlc = len < 8 ? len : 8;

	for (unsigned i = 0; len > 8 && i < BF_COUNT(longer); i++)
		dlc += i == 0 || len > longer[i - 1];
	return dlc;
}

static struct bf_can_length classic(const struct bf_frame *f)
{
	struct row r = { .n = 0 };

	put_id(&r, f);
	put(&r, 0, 3);
	put(&r, f->len, 4);
	put_data(&r, f);
	put(&r, checksum(&r), 15);
	return (struct bf_can_length){ .nominal = r.n + stuff_bits(&r, 0, r.n) + TAIL };
}

static struct bf_can_length fd(const struct bf_frame *f)
{
	struct row r = { .n = 0 };
	unsigned fast;

	put_id(&r, f);
	put(&r, 0, f->flags & BF_FRAME_EXT ? 1 : 2);
	put(&r, 4 | !!(f->flags & BF_FRAME_BRS), 3);
	fast = r.n;
	put(&r, 0, 1);
	put(&r, dlc_of(f->len), 4);
	put_data(&r, f);
	/* After the last bit of data comes a fixed one anyway; after BRS the rate has changed already. */
	return (struct bf_can_length){
		.nominal = fast + stuff_bits(&r, 0, fast - 1) + TAIL,
		.data = r.n - fast + stuff_bits(&r, fast - 1, r.n - 1) +
			(f->len > LONG_DATA ? CHECK21 : CHECK17),
	};
}

struct bf_can_length bf_can_length_of(const struct bf_frame *f)
{
	return f->flags & BF_FRAME_FD ? fd(f) : classic(f);
}

bf_time bf_can_frame_time(const struct bf_frame *f, uint32_t bitrate, uint32_t dbitrate)
{
	struct bf_can_length l = bf_can_length_of(f);
	uint64_t ns;

	if (!bitrate)
		return 0;
	ns = (uint64_t)l.nominal * 1000000000 / bitrate;
	ns += (uint64_t)l.data * 1000000000 /
	      (f->flags & BF_FRAME_BRS && dbitrate ? dbitrate : bitrate);
	return (bf_time)((ns + 999) / 1000);
}
