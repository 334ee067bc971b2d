/* SPDX-License-Identifier: MIT */
#include "family/modbus/modbus_registers.h"

#include <string.h>

#include "bmsflash/bytes.h"

static const struct bf_modbus_profile *settings_of(const struct bf_profile *profile)
{
	return bf_profile_family(profile, "modbus");
}

struct bf_modbus bf_modbus_of(struct bf_transport *wire, const struct bf_profile *profile, int node)
{
	const struct bf_modbus_profile *s = settings_of(profile);
	int own = profile->app_line.node;

	return (struct bf_modbus){
		.wire = wire,
		.node = (uint8_t)(node >= 0  ? node
				  : own >= 0 ? own
					     : s->node),
		.timeout = BF_MS(s->timeout_ms),
		.gap = BF_MS(s->turnaround_ms),
		.gap_max = BF_MS(s->turnaround_max_ms),
		.attempts = s->attempts,
	};
}

enum bf_modbus_function bf_modbus_table_of(const struct bf_profile *profile)
{
	return settings_of(profile)->table == BF_MODBUS_HOLDING ? BF_MODBUS_READ_HOLDING
								: BF_MODBUS_READ_INPUT;
}

static enum bf_rc failed(uint16_t first, uint16_t n, struct bf_err *err)
{
	if (err->rc == BF_E_TIMEOUT || err->rc == BF_E_LINK) {
		bf_likely(err, "the pack has another Modbus address: 'node' in [modbus]");
		bf_likely(err, "the pack speaks Modbus at another rate or parity than the profile "
			       "says");
	}
	return bf_while(err, "reading Modbus registers %u to %u", first, first + n - 1u);
}

/* Registers as bytes. BF_OK and false: the pack has none of them. */
static enum bf_rc read_bytes(const struct bf_modbus *m, const struct bf_profile *profile,
			     uint16_t first, uint16_t n, uint8_t *ret, bool *ret_told,
			     struct bf_err *err)
{
	uint16_t values[BF_MODBUS_READ_MAX];
	enum bf_rc rc = bf_modbus_read(m, bf_modbus_table_of(profile), first, n, values, err);

	*ret_told = false;
	if (rc == BF_E_NAK && err->dev_code == BF_MODBUS_ILLEGAL_ADDRESS) {
		bf_err_init(err);
		return BF_OK;
	}
	if (rc)
		return failed(first, n, err);
	for (size_t i = 0; i < n; i++)
		bf_put_be16(ret + 2 * i, values[i]);
	*ret_told = true;
	return BF_OK;
}

/* ---- quantities ---- */

/* Numbers of two registers in the order in which identifiers carry them: the profile's offset, width and sign mean
 * the same for both. */
static void high_first(const struct bf_quantity_map *q, uint8_t *record, size_t n)
{
	for (size_t at = q->offset; at + 4 <= 2 * n; at += 4) {
		uint16_t low = bf_get_be16(record + at);

		bf_put_be16(record + at, bf_get_be16(record + at + 2));
		bf_put_be16(record + at + 2, low);
	}
}

static enum bf_rc read_one(const struct bf_modbus *m, const struct bf_profile *profile,
			   const struct bf_quantity_map *q, struct bf_measure *ret,
			   struct bf_err *err)
{
	uint8_t record[2 * BF_MODBUS_READ_MAX];
	uint16_t n = (uint16_t)((q->offset + q->count * q->width + 1) / 2);
	bool told;

	if (read_bytes(m, profile, (uint16_t)q->modbus_register, n, record, &told, err))
		return err->rc;
	if (!told)
		return BF_OK;
	if (q->width == 4 && settings_of(profile)->low_first)
		high_first(q, record, n);
	bf_measure_put(ret, q, record, 2u * n);
	return BF_OK;
}

enum bf_rc bf_modbus_measure(const struct bf_modbus *m, const struct bf_profile *profile,
			     struct bf_measure *ret, struct bf_err *err)
{
	struct bf_measure measure = { 0 };

	for (size_t i = 0; i < profile->n_quantities; i++) {
		const struct bf_quantity_map *q = &profile->quantities[i];

		if (q->modbus_register >= 0 && read_one(m, profile, q, &measure, err))
			return err->rc;
	}
	*ret = measure;
	return BF_OK;
}

/* ---- single values ---- */

enum bf_rc bf_modbus_value_read(const struct bf_modbus *m, const struct bf_profile *profile,
				const struct bf_modbus_value *v, uint8_t *ret, size_t *ret_len,
				struct bf_err *err)
{
	uint8_t record[2 * BF_MODBUS_READ_MAX];
	uint16_t n = (uint16_t)((v->bytes + 1) / 2);
	bool told;

	*ret_len = 0;
	if (read_bytes(m, profile, v->reg, n, record, &told, err))
		return err->rc;
	if (!told)
		return BF_OK;
	/* A number of two registers has its own order. */
	if (v->format == BF_MODBUS_NUMBER && v->bytes == 4 && settings_of(profile)->low_first) {
		static const struct bf_quantity_map whole = { .width = 4 };

		high_first(&whole, record, n);
	}
	memcpy(ret, record, v->bytes);
	*ret_len = v->bytes;
	return BF_OK;
}
