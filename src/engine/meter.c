/* SPDX-License-Identifier: MIT */
#include "engine/meter.h"

#include "run.h"

static const struct bf_meter_ops *const sources[BF_TELEMETRY_COUNT] = {
	[BF_TELEMETRY_UDS] = &bf_meter_uds,
	[BF_TELEMETRY_MODBUS] = &bf_meter_modbus,
	[BF_TELEMETRY_CAN_BROADCAST] = &bf_meter_can,
};

enum bf_rc bf_meter_open(const struct bf_profile *profile, struct bf_transport **wire,
			 struct bf_meter **ret, struct bf_err *err)
{
	const struct bf_meter_ops *ops = sources[profile->telemetry];

	*ret = NULL;
	if (!ops || !(ops->wires & (*wire)->ops->wire))
		return BF_OK;
	return ops->open(profile, wire, ret, err);
}

enum bf_rc bf_meter_missing(const struct bf_profile *profile, const struct bf_transport *wire,
			    struct bf_err *err)
{
	static const char *const needs[BF_TELEMETRY_COUNT] = {
		[BF_TELEMETRY_MODBUS] = "Modbus registers, which need a serial line",
		[BF_TELEMETRY_CAN_BROADCAST] = "CAN broadcasts, which need a CAN bus",
	};

	if (!needs[profile->telemetry])
		return BF_OK;
	bf_fail(err, BF_E_USAGE, "profile '%s' takes the pack's conditions from %s; '%s' is none",
		profile->name, needs[profile->telemetry], wire->name);
	bf_next(err, "set 'source' in [telemetry] of the profile to what this pack offers on this "
		     "wire: man bmsflash-profile");
	return err->rc;
}

struct bf_meter *bf_meter_close(struct bf_meter *m)
{
	if (m)
		m->ops->close(m);
	return NULL;
}

/* ---- the protocol's own answers: nothing to keep ---- */

static enum bf_rc uds_open(const struct bf_profile *profile, struct bf_transport **wire,
			   struct bf_meter **ret, struct bf_err *err)
{
	struct bf_meter *m = calloc(1, sizeof(*m));

	(void)profile, (void)wire, (void)err;
	if (!m)
		abort();
	m->ops = &bf_meter_uds;
	*ret = m;
	return BF_OK;
}

static enum bf_rc uds_read(struct bf_meter *m, struct bf_transport *wire, struct bf_proto *proto,
			   struct bf_measure *ret, struct bf_err *err)
{
	(void)m, (void)wire;
	return proto->ops->measure ? proto->ops->measure(proto, ret, err) : BF_OK;
}

static void uds_close(struct bf_meter *m)
{
	free(m);
}

const struct bf_meter_ops bf_meter_uds = {
	.wires = BF_WIRE_STREAM | BF_WIRE_BUS | BF_WIRE_USB,
	.caps = BF_CAP_MEASURE,
	.open = uds_open,
	.read = uds_read,
	.close = uds_close,
};

/* ---- for the phases ---- */

bool bf_run_measures(const struct bf_run *run)
{
	return run->meter && bf_run_can(run, run->meter->ops->caps);
}

enum bf_rc bf_run_measure(struct bf_run *run, struct bf_measure *ret, struct bf_err *err)
{
	*ret = (struct bf_measure){ 0 };
	if (!bf_run_measures(run))
		return BF_OK;
	return run->meter->ops->read(run->meter, run->transport, run->proto, ret, err);
}
