/* SPDX-License-Identifier: MIT */
#include "source/source.h"

#include <stdlib.h>

static const struct bf_source_ops *const sources[BF_TELEMETRY_COUNT] = {
	[BF_TELEMETRY_APPLICATION] = &bf_source_pack,
	[BF_TELEMETRY_MODBUS] = &bf_source_modbus,
	[BF_TELEMETRY_CAN_BROADCAST] = &bf_source_can,
};

enum bf_rc bf_source_open(const struct bf_profile *profile, struct bf_transport **wire,
			  struct bf_source **ret, struct bf_err *err)
{
	const struct bf_source_ops *ops = sources[profile->telemetry];

	*ret = NULL;
	if (!ops || !(ops->wires & (*wire)->ops->wire))
		return BF_OK;
	return ops->open(profile, wire, ret, err);
}

enum bf_rc bf_source_missing(const struct bf_profile *profile, const struct bf_transport *wire,
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
	bf_do(err, "set 'source' in [telemetry] of the profile to what this pack offers on this "
		   "wire: man bmsflash-profile");
	return err->rc;
}

struct bf_source *bf_source_close(struct bf_source *m)
{
	if (m)
		m->ops->close(m);
	return NULL;
}

/* ---- the pack's own answers, through its application: nothing to keep ---- */

static enum bf_rc pack_open(const struct bf_profile *profile, struct bf_transport **wire,
			    struct bf_source **ret, struct bf_err *err)
{
	struct bf_source *m = calloc(1, sizeof(*m));

	(void)profile, (void)wire, (void)err;
	if (!m)
		abort();
	m->ops = &bf_source_pack;
	*ret = m;
	return BF_OK;
}

static enum bf_rc pack_read(struct bf_source *m, struct bf_transport *wire, struct bf_proto *proto,
			    struct bf_measure *ret, struct bf_err *err)
{
	(void)m, (void)wire;
	return proto->ops->app->measure ? proto->ops->app->measure(proto, ret, err) : BF_OK;
}

static void pack_close(struct bf_source *m)
{
	free(m);
}

const struct bf_source_ops bf_source_pack = {
	.wires = BF_WIRE_STREAM | BF_WIRE_BUS | BF_WIRE_USB,
	.caps = BF_CAP_MEASURE,
	.open = pack_open,
	.read = pack_read,
	.close = pack_close,
};
