/* SPDX-License-Identifier: MIT */
/* Telemetry in Modbus RTU registers, on the wire that the bootloader's protocol uses as well. */
#include "source/source.h"

#include "bmsflash/bytes.h"
#include "bmsflash/modbus.h"

#define ATTEMPTS 2

struct modbus_meter {
	struct bf_source meter;
	const struct bf_profile *profile;
};

/* One request for registers and what came back. */
struct reading {
	struct modbus_meter *m;
	uint16_t first, n;
	uint16_t values[BF_MODBUS_READ_MAX];
};

static enum bf_rc read_registers(struct reading *x, struct bf_transport *wire, struct bf_err *err)
{
	const struct bf_profile *p = x->m->profile;
	const struct bf_modbus modbus = { .wire = wire,
					  .node = p->modbus_node,
					  .timeout = BF_MS(p->modbus_timeout_ms),
					  .attempts = ATTEMPTS };

	return bf_modbus_read(&modbus,
			      p->modbus_table == BF_MODBUS_HOLDING ? BF_MODBUS_READ_HOLDING
								   : BF_MODBUS_READ_INPUT,
			      x->first, x->n, x->values, err);
}

static enum bf_rc failed(const struct reading *x, struct bf_err *err)
{
	if (err->rc == BF_E_TIMEOUT || err->rc == BF_E_LINK) {
		bf_likely(err, "the pack has another Modbus address: 'node' in [modbus]");
		bf_likely(err,
			  "the pack speaks Modbus at another rate or parity: [rs485] holds for "
			  "both");
	}
	return bf_while(err, "reading Modbus registers %u to %u", x->first, x->first + x->n - 1u);
}

/* Registers as bytes, in the order in which identifiers carry numbers: the profile's offset, width and
 * sign mean the same for both. */
static void lay_out(const struct reading *x, const struct bf_quantity_map *q, uint8_t *dst)
{
	bool swap = q->width == 4 && x->m->profile->modbus_low_first;
	size_t head = q->offset / 2u;

	for (size_t i = 0; i < x->n; i++) {
		size_t from = swap && i >= head ? head + ((i - head) ^ 1u) : i;

		dst[2 * i] = (uint8_t)(x->values[from] >> 8);
		dst[2 * i + 1] = (uint8_t)x->values[from];
	}
}

static enum bf_rc modbus_read_one(struct modbus_meter *m, struct bf_transport *wire,
				  const struct bf_quantity_map *q, struct bf_measure *ret,
				  struct bf_err *err)
{
	uint8_t record[2 * BF_MODBUS_READ_MAX];
	struct reading x = {
		.m = m,
		.first = (uint16_t)q->modbus_register,
		.n = (uint16_t)((q->offset + q->count * q->width) / 2),
	};

	enum bf_rc rc = read_registers(&x, wire, err);

	if (rc == BF_E_NAK && err->dev_code == BF_MODBUS_ILLEGAL_ADDRESS) {
		bf_err_init(err); /* the pack has no such register */
		return BF_OK;
	}
	if (rc)
		return failed(&x, err);
	lay_out(&x, q, record);
	bf_measure_put(ret, q, record, 2u * x.n);
	return BF_OK;
}

static enum bf_rc meter_read(struct bf_source *meter, struct bf_transport *wire,
			     struct bf_proto *proto, struct bf_measure *ret, struct bf_err *err)
{
	struct modbus_meter *m = BF_CONTAINER_OF(meter, struct modbus_meter, meter);
	struct bf_measure measure = { 0 };

	if (proto && proto->in_loader)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the bootloader has the line, and its firmware "
			       "does not run");
	for (size_t i = 0; i < m->profile->n_quantities; i++) {
		const struct bf_quantity_map *q = &m->profile->quantities[i];

		if (q->modbus_register >= 0 && modbus_read_one(m, wire, q, &measure, err))
			return err->rc;
	}
	*ret = measure;
	return BF_OK;
}

static void meter_close(struct bf_source *meter)
{
	free(BF_CONTAINER_OF(meter, struct modbus_meter, meter));
}

static enum bf_rc meter_open(const struct bf_profile *profile, struct bf_transport **wire,
			     struct bf_source **ret, struct bf_err *err)
{
	struct modbus_meter *m = calloc(1, sizeof(*m));

	(void)wire, (void)err;
	if (!m)
		abort();
	m->meter.ops = &bf_source_modbus;
	m->profile = profile;
	*ret = &m->meter;
	return BF_OK;
}

const struct bf_source_ops bf_source_modbus = {
	.wires = BF_WIRE_STREAM,
	.by_application = true,
	.open = meter_open,
	.read = meter_read,
	.close = meter_close,
};
