/* SPDX-License-Identifier: MIT */
/* Telemetry values out of a record of bytes, as the profile describes them. */
#include "bmsflash/bytes.h"
#include "bmsflash/family.h"

static double element(const struct bf_quantity_map *map, const uint8_t *p)
{
	struct bf_cur c = bf_cur(p, map->width);
	uint32_t raw = (uint32_t)bf_cur_be(&c, map->width);
	unsigned unused = 32 - 8u * map->width;
	double value = raw;

	if (map->is_signed) {
		int32_t extended =
			(int32_t)(raw << unused) >> unused; /* arithmetic, as GCC has it */

		value = extended;
	}
	return value * map->scale + map->add;
}

static bool is_absent(const struct bf_quantity_map *map, const uint8_t *p)
{
	struct bf_cur c = bf_cur(p, map->width);

	return map->zero_is_absent && bf_cur_be(&c, map->width) == 0;
}

size_t bf_quantity_read(const struct bf_quantity_map *map, const uint8_t *record, size_t len,
			double *ret, size_t cap)
{
	size_t there, n = 0;

	if (map->width == 0 || map->width > 4 || len < map->offset)
		return 0;
	there = (len - map->offset) / map->width;
	if (map->count && map->count < there)
		there = map->count;
	if (there > cap)
		there = cap;
	for (size_t i = 0; i < there; i++) {
		const uint8_t *p = record + map->offset + i * map->width;

		if (!is_absent(map, p))
			ret[n++] = element(map, p);
	}
	return n;
}

void bf_measure_put(struct bf_measure *m, const struct bf_quantity_map *q, const uint8_t *record,
		    size_t len)
{
	double one = 0;
	size_t n = bf_quantity_read(q, record, len, &one, 1);

	switch (q->kind) {
	case BF_Q_PACK_VOLTAGE:
		m->has_pack = n;
		m->pack_v = one;
		break;
	case BF_Q_CURRENT:
		m->has_current = n;
		m->current_a = one;
		break;
	case BF_Q_SOC:
		m->has_soc = n;
		m->soc = one;
		break;
	case BF_Q_CELL_VOLTAGE:
		m->n_cells += bf_quantity_read(q, record, len, m->cell_v + m->n_cells,
					       BF_MAX_CELLS - m->n_cells);
		break;
	case BF_Q_TEMPERATURE:
		m->n_temps += bf_quantity_read(q, record, len, m->temp_c + m->n_temps,
					       BF_MAX_TEMPS - m->n_temps);
		break;
	case BF_Q_BALANCING:
		m->has_balancing = n && one >= 0 && one <= UINT32_MAX;
		m->balancing = m->has_balancing ? (uint32_t)one : 0;
		break;
	case BF_Q_KIND_COUNT:
		break;
	}
}
