/* SPDX-License-Identifier: MIT */
#include "canbits.h"

#define CRC15_POLY 0x4599u
/* CRC delimiter, ACK slot and delimiter, EOF (7), intermission (3): never stuffed */
#define TAIL_BITS 13u

/* A frame on its way out: counts bits, inserts stuff bits, keeps the CRC. */
struct stuffer {
	unsigned bits, run;
	int last;
	uint16_t crc;
};

static void put_bit(struct stuffer *s, int bit)
{
	unsigned top = (s->crc >> 14 & 1u) ^ (unsigned)bit;

	s->crc = (uint16_t)(s->crc << 1 & 0x7FFF);
	if (top)
		s->crc ^= CRC15_POLY;
	s->bits++;
	s->run = bit == s->last ? s->run + 1 : 1;
	s->last = bit;
	if (s->run == 5) {
		s->bits++;
		s->last = !bit;
		s->run = 1;
	}
}

static void put_bits(struct stuffer *s, uint32_t value, unsigned n)
{
	while (n--)
		put_bit(s, value >> n & 1);
}

unsigned bf_can_bits(const struct bf_frame *f)
{
	struct stuffer s = { .last = -1 };

	put_bits(&s, 0, 1); /* SOF */
	if (f->flags & BF_FRAME_EXT) {
		put_bits(&s, f->id >> 18 & 0x7FF, 11);
		put_bits(&s, 3, 2); /* SRR, IDE */
		put_bits(&s, f->id & 0x3FFFF, 18);
		put_bits(&s, 0, 3); /* RTR, r1, r0 */
	} else {
		put_bits(&s, f->id & 0x7FF, 11);
		put_bits(&s, 0, 3); /* RTR, IDE, r0 */
	}
	put_bits(&s, f->len, 4);
	for (unsigned i = 0; i < f->len && i < 8; i++)
		put_bits(&s, f->data[i], 8);
	put_bits(&s, s.crc, 15);
	return s.bits + TAIL_BITS;
}

static bf_time bit_time(unsigned bits, uint32_t rate)
{
	return ((bf_time)bits * 1000000 + rate - 1) / rate;
}

/* FD: about 30 bits of arbitration and the tail at the nominal rate; in the data phase ESI, DLC, data,
 * stuff count and CRC with fixed stuff bits, and one stuff bit in ten for the rest. */
static bf_time fd_time(const struct bf_frame *f, uint32_t rate, uint32_t drate)
{
	unsigned data = 5u + 8u * f->len;
	unsigned crc = f->len > 16 ? 32 : 27;

	return bit_time(30 + TAIL_BITS, rate) +
	       bit_time(data + data / 10 + crc, f->flags & BF_FRAME_BRS ? drate : rate);
}

bf_time bf_can_time(const struct bf_frame *f, uint32_t rate, uint32_t drate)
{
	if (f->flags & BF_FRAME_FD)
		return fd_time(f, rate, drate ? drate : rate);
	return bit_time(bf_can_bits(f), rate);
}
