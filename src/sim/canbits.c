/* SPDX-License-Identifier: MIT */
#include "sim/canbits.h"

#define CRC15_POLY 0x4599u
/* CRC delimiter, ACK slot and delimiter, EOF (7), intermission (3): never stuffed */
#define TAIL_BITS 13u
/* FD, fixed stuff bits included: stuff count and 17 bits of checksum, or 21 above 16 bytes of data */
#define FD_CRC17_BITS 27u
#define FD_CRC21_BITS 32u

/* A frame on its way out: counts bits, inserts stuff bits, keeps the CRC. */
struct stuffer {
	unsigned bits, run;
	int last;
	bool stuffed_last; /* after the bit before */
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
	s->stuffed_last = s->run == 5;
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

static void put_id(struct stuffer *s, const struct bf_frame *f)
{
	put_bits(s, 0, 1); /* SOF */
	if (f->flags & BF_FRAME_EXT) {
		put_bits(s, f->id >> 18 & 0x7FF, 11);
		put_bits(s, 3, 2); /* SRR, IDE */
		put_bits(s, f->id & 0x3FFFF, 18);
	} else {
		put_bits(s, f->id & 0x7FF, 11);
	}
}

unsigned bf_can_bits(const struct bf_frame *f)
{
	struct stuffer s = { .last = -1 };

	put_id(&s, f);
	put_bits(&s, 0, 3); /* RTR, r1 or IDE, r0 */
	put_bits(&s, f->len, 4);
	for (unsigned i = 0; i < f->len && i < 8; i++)
		put_bits(&s, f->data[i], 8);
	put_bits(&s, s.crc, 15);
	return s.bits + TAIL_BITS;
}

static unsigned dlc_of(unsigned len)
{
	static const uint8_t lens[] = { 12, 16, 20, 24, 32, 48, 64 };
	unsigned dlc = len;

	for (unsigned i = 0; len > 8 && i < BF_COUNT(lens); i++) {
		dlc = 9 + i;
		if (len <= lens[i])
			break;
	}
	return dlc;
}

/*
 * ISO 11898-1, FD frame format: identifier to BRS at the nominal rate, ESI to the checksum at the data rate,
 * the tail at the nominal rate again. Up to the last data bit stuff bits are as in a classic frame. The
 * checksum has stuff bits at fixed places: before its four bits of stuff count, then after each fourth
 * bit; one that is due after the last data bit is the first of those.
 */
unsigned bf_can_fd_bits(const struct bf_frame *f, unsigned *ret_data)
{
	struct stuffer s = { .last = -1 };
	unsigned nominal;

	put_id(&s, f);
	if (!(f->flags & BF_FRAME_EXT))
		put_bits(&s, 0, 2); /* RRS, IDE */
	else
		put_bits(&s, 0, 1); /* RRS */
	put_bits(&s, 1, 1);         /* FDF */
	put_bits(&s, 0, 1);         /* res */
	put_bits(&s, !!(f->flags & BF_FRAME_BRS), 1);
	nominal = s.bits - s.stuffed_last;
	put_bits(&s, 0, 1); /* ESI */
	put_bits(&s, dlc_of(f->len), 4);
	for (unsigned i = 0; i < f->len; i++)
		put_bits(&s, f->data[i], 8);
	*ret_data =
		s.bits - nominal - s.stuffed_last + (f->len > 16 ? FD_CRC21_BITS : FD_CRC17_BITS);
	return nominal + TAIL_BITS;
}

static bf_time bit_time(unsigned bits, uint32_t rate)
{
	return ((bf_time)bits * 1000000 + rate - 1) / rate;
}

static bf_time fd_time(const struct bf_frame *f, uint32_t rate, uint32_t drate)
{
	unsigned data, nominal = bf_can_fd_bits(f, &data);

	return bit_time(nominal, rate) + bit_time(data, f->flags & BF_FRAME_BRS ? drate : rate);
}

bf_time bf_can_time(const struct bf_frame *f, uint32_t rate, uint32_t drate)
{
	if (f->flags & BF_FRAME_FD)
		return fd_time(f, rate, drate ? drate : rate);
	return bit_time(bf_can_bits(f), rate);
}
