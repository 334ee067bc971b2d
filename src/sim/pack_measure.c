/* SPDX-License-Identifier: MIT */
/* Who the pack says it is, and what it measures: steady, with the small noise of a real converter. */
#include "sim/pack_priv.h"

#include <math.h>
#include <string.h>

#include "bmsflash/rng.h"

#define ODD_CELL     6          /* the one that the key `spread` pulls down, counted from 0 */
#define NOISE_PERIOD BF_MS(250) /* the cell monitors' scan */

/* Open-circuit voltage of an LFP cell at 0, 10 .. 100 %, mV. */
static const uint16_t ocv_mv[] = {
	2800, 3200, 3240, 3265, 3285, 3295, 3305, 3320, 3332, 3340, 3400
};

static unsigned open_circuit(double soc)
{
	double x = soc < 0 ? 0 : soc > 100 ? 10 : soc / 10;
	size_t i = x >= 10 ? 9 : (size_t)x;

	return (unsigned)(ocv_mv[i] + (x - (double)i) * (ocv_mv[i + 1] - ocv_mv[i]));
}

/* -1, 0 or 1, the same for the same seed, channel and time */
static int noise(const struct bf_pack *p, unsigned channel, bf_time now)
{
	struct bf_rng rng = { p->opts.seed ^ ((uint64_t)(now / NOISE_PERIOD) << 8) ^ channel };

	return (int)bf_rng_below(&rng, 3) - 1;
}

#define MEMBER(m) offsetof(struct bf_sim_opts, m)

static double value(const struct bf_pack *p, size_t member, bf_time now)
{
	return bf_sim_opts_value(&p->opts, member, now - p->born);
}

void bf_pack_measure(const struct bf_pack *pack, bf_time now, struct bf_pack_measure *ret)
{
	double soc = value(pack, MEMBER(soc), now), temp = value(pack, MEMBER(temp), now);
	unsigned mv = open_circuit(soc);

	*ret = (struct bf_pack_measure){
		.current_ma = (int32_t)lround(value(pack, MEMBER(current), now) * 1000),
		.soc_permille = (uint16_t)lround(soc * 10),
	};
	for (unsigned i = 0; i < BF_PACK_CELLS; i++) {
		int cell = (int)mv + pack->cell_offset[i] - 4 + noise(pack, i, now);

		if (i == ODD_CELL)
			cell -= (int)lround(value(pack, MEMBER(spread), now) * 1000);
		ret->cell_mv[i] = (uint16_t)cell;
		ret->pack_mv += (uint32_t)cell;
	}
	for (unsigned i = 0; i < BF_PACK_TEMPS; i++)
		ret->temp_dc[i] =
			(int16_t)(lround(temp * 10) + (int)i + noise(pack, BF_PACK_CELLS + i, now));
}

void bf_pack_ids(const struct bf_pack *pack, struct bf_pack_ids *ret)
{
	const char *dash = strrchr(pack->opts.class_name, '-');

	*ret = (struct bf_pack_ids){
		.boot_id = "virtual pack loader 1.0",
		.manufacturer = pack->opts.vendor,
		.model = pack->opts.class_name,
		.serial = pack->opts.serial,
		.hw_rev = dash ? dash + 1 : "R1",
	};
	memcpy(ret->vid, pack->trust.vid, sizeof(ret->vid));
	memcpy(ret->cid, pack->trust.cid, sizeof(ret->cid));
}
