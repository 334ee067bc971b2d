/* SPDX-License-Identifier: MIT */
/* Telemetry in Modbus RTU registers, on the wire that the bootloader's protocol uses as well. */
#include "source/source.h"

#include "family/modbus/modbus_registers.h"

struct modbus_meter {
	struct bf_source meter;
	const struct bf_profile *profile;
};

static enum bf_rc meter_read(struct bf_source *meter, struct bf_transport *wire,
			     struct bf_proto *proto, struct bf_measure *ret, struct bf_err *err)
{
	struct modbus_meter *m = BF_CONTAINER_OF(meter, struct modbus_meter, meter);
	const struct bf_modbus modbus = bf_modbus_of(wire, m->profile, -1);

	if (proto && proto->in_loader)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the bootloader has the line, and the firmware does not run");
	return bf_modbus_measure(&modbus, m->profile, ret, err);
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
