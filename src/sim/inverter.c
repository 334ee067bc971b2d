/* SPDX-License-Identifier: MIT */
#include "sim/inverter.h"

/* 16 LFP cells: 3.65 V each when full, 2.50 V when empty; what the model allows either way. */
#define CHARGE_DV      584
#define DISCHARGE_DV   400
#define CHARGE_DA      250
#define DISCHARGE_DA   500
#define HEALTH_PERCENT 99

static void put16(struct bf_frame *f, int value)
{
	f->data[f->len++] = (uint8_t)value;
	f->data[f->len++] = (uint8_t)((unsigned)value >> 8);
}

void bf_inverter_frames(const struct bf_pack_measure *m, struct bf_frame ret[BF_INVERTER_FRAMES])
{
	ret[0] = (struct bf_frame){ .id = 0x351 };
	put16(&ret[0], CHARGE_DV);
	put16(&ret[0], CHARGE_DA);
	put16(&ret[0], DISCHARGE_DA);
	put16(&ret[0], DISCHARGE_DV);
	ret[1] = (struct bf_frame){ .id = 0x355 };
	put16(&ret[1], (m->soc_permille + 5) / 10);
	put16(&ret[1], HEALTH_PERCENT);
	ret[2] = (struct bf_frame){ .id = 0x356 };
	put16(&ret[2], (int)(m->pack_mv / 10));
	put16(&ret[2], m->current_ma / 100);
	put16(&ret[2], m->temp_dc[0]);
}
