/* SPDX-License-Identifier: MIT */
/*
 * What the device's flash costs against what the wire carries meanwhile, learned from what each piece took.
 * A device with two buffers writes one piece while the next comes in, so a step takes the longer of
 * the two: only the steps that took longer than the wire alone tell of the flash.
 */
#include "run.h"

#define LONGER   1.05 /* than the wire alone: it was the device that was waited for */
#define KEEP     0.95 /* weight of what was learned before, at each sample */
#define CLOSE_AT 0.6  /* flash against wire: further apart than this, one of them decides alone */

static void learn(struct bf_pacer *p, double us)
{
	double u = p->before_units, b = (double)p->before_len;

	p->uu = KEEP * p->uu + u * u;
	p->ub = KEEP * p->ub + u * b;
	p->bb = KEEP * p->bb + b * b;
	p->ut = KEEP * p->ut + u * us;
	p->bt = KEEP * p->bt + b * us;
}

void bf_pace_note(struct bf_pacer *p, bf_time took, size_t len, unsigned units, size_t wire)
{
	double us = (double)took;

	if (!wire || took <= 0)
		return;
	if (p->us_wire <= 0 || us / (double)wire < p->us_wire)
		p->us_wire = us / (double)wire;
	if (p->before_len && us > LONGER * p->us_wire * (double)wire)
		learn(p, us);
	p->before_len = len;
	p->before_units = units;
	p->len += len;
	p->units += units;
	p->wire += wire;
}

/* Least squares of time = units * x + bytes * y; bytes alone where the samples do not tell units apart. */
static struct bf_pace solve(const struct bf_pacer *p)
{
	double det = p->uu * p->bb - p->ub * p->ub;
	struct bf_pace pace = { .byte = p->bt / p->bb };

	if (det > 1e-3 * p->uu * p->bb) {
		double unit = (p->ut * p->bb - p->bt * p->ub) / det;
		double byte = (p->bt * p->uu - p->ut * p->ub) / det;

		if (unit > 0 && byte > 0)
			pace = (struct bf_pace){ .byte = byte, .unit = unit };
	}
	pace.byte /= p->us_wire;
	pace.unit /= p->us_wire;
	return pace;
}

struct bf_pace bf_pace_now(const struct bf_pacer *p)
{
	struct bf_pace pace = { 0 };
	double share;

	if (p->bb <= 0)
		return pace;
	pace = solve(p);
	share = (pace.byte * (double)p->len + pace.unit * p->units) / (double)p->wire;
	return share > CLOSE_AT && share < 1 / CLOSE_AT ? pace : (struct bf_pace){ 0 };
}
