/* SPDX-License-Identifier: MIT */
/*
 * What packs broadcast to inverters, the frames that Pylontech, Victron and SMA agree on. Little-endian:
 *
 *	0x351  00 charge voltage u16 0.1 V   02 charge current s16 0.1 A   04 discharge current s16 0.1 A
 *	0x355  00 state of charge u16 %      02 state of health u16 %
 *	0x356  00 voltage s16 0.01 V         02 current s16 0.1 A          04 temperature s16 0.1 degrees C
 *
 * Nothing is ever sent: the frames are heard as they pass by.
 */
#include "source/source.h"

#include "bmsflash/bytes.h"

#define ID_LIMITS 0x351
#define ID_CHARGE 0x355
#define ID_VALUES 0x356

/* Packs send once a second; two lost frames in a row are forgiven. */
#define LISTEN  BF_SEC(3)
#define AGE_MAX BF_SEC(2)

enum part { LIMITS, CHARGE, VALUES, PARTS };

struct can_meter {
	struct bf_source meter;
	struct bf_measure last;
	bf_time at[PARTS]; /* when it was heard; -1: not since the last reading */
};

static double le16(struct bf_cur *c, double scale)
{
	return bf_cur_le16(c) * scale;
}

static double le16s(struct bf_cur *c, double scale)
{
	return (int16_t)bf_cur_le16(c) * scale;
}

static void take_limits(struct bf_measure *m, struct bf_cur *c)
{
	m->charge_v_max = le16(c, 0.1);
	m->charge_a_max = le16s(c, 0.1);
	m->discharge_a_max = le16s(c, 0.1);
	m->has_limits = true;
}

static void take_charge(struct bf_measure *m, struct bf_cur *c)
{
	m->soc = le16(c, 1);
	m->has_soc = m->soc <= 100;
}

static void take_values(struct bf_measure *m, struct bf_cur *c)
{
	m->pack_v = le16s(c, 0.01);
	m->current_a = le16s(c, 0.1);
	m->temp_c[0] = le16s(c, 0.1);
	m->has_pack = m->has_current = true;
	m->n_temps = 1;
}

static const struct {
	uint32_t id;
	uint8_t len; /* shorter ones are somebody else's */
	void (*take)(struct bf_measure *m, struct bf_cur *c);
} parts[PARTS] = {
	[LIMITS] = { ID_LIMITS, 6, take_limits },
	[CHARGE] = { ID_CHARGE, 2, take_charge },
	[VALUES] = { ID_VALUES, 6, take_values },
};

static void heard(void *ctx, const struct bf_frame *f)
{
	struct can_meter *m = ctx;
	struct bf_cur c = bf_cur(f->data, f->len);

	for (size_t i = 0; i < PARTS; i++) {
		if (f->id != parts[i].id || f->len < parts[i].len || f->flags & BF_FRAME_RTR)
			continue;
		parts[i].take(&m->last, &c);
		m->at[i] = f->at;
	}
}

static void forget(struct can_meter *m)
{
	for (size_t i = 0; i < PARTS; i++)
		m->at[i] = -1;
}

static bool fresh(const struct can_meter *m, enum part part, bf_time now)
{
	return m->at[part] >= 0 && now - m->at[part] <= AGE_MAX;
}

static enum bf_rc can_open(const struct bf_profile *profile, struct bf_transport **wire,
			   struct bf_source **ret, struct bf_err *err)
{
	struct can_meter *m = calloc(1, sizeof(*m));
	struct bf_tap tap = { .n_filters = PARTS, .heard = heard, .ctx = m };
	struct bf_transport *take = bf_steal(wire);

	(void)profile;
	if (!m)
		abort();
	m->meter.ops = &bf_source_can;
	forget(m);
	for (size_t i = 0; i < PARTS; i++)
		tap.filters[i] = (struct bf_filter){ .id = parts[i].id, .mask = 0x7FF };
	if (bf_tap_wrap(take, &tap, wire, err)) {
		free(m);
		return err->rc;
	}
	*ret = &m->meter;
	return BF_OK;
}

/* Reads the bus until both frames were heard since the last reading, or for LISTEN. */
static enum bf_rc listen(struct can_meter *m, struct bf_transport *wire, struct bf_err *err)
{
	bf_time deadline = bf_in(wire->clock, LISTEN);
	struct bf_frame f;
	struct bf_err quiet;

	while (!fresh(m, CHARGE, bf_now(wire->clock)) || !fresh(m, VALUES, bf_now(wire->clock))) {
		enum bf_rc rc;

		bf_err_init(&quiet);
		rc = wire->ops->bus->recv(wire, &f, deadline, &quiet);
		if (rc == BF_E_TIMEOUT || (!rc && bf_now(wire->clock) >= deadline))
			return BF_OK;
		if (rc) {
			*err = quiet;
			return bf_while(err, "listening for the pack's broadcasts");
		}
	}
	return BF_OK;
}

static enum bf_rc can_read(struct bf_source *meter, struct bf_transport *wire,
			   struct bf_proto *proto, struct bf_measure *ret, struct bf_err *err)
{
	struct can_meter *m = BF_CONTAINER_OF(meter, struct can_meter, meter);
	bf_time now;

	(void)proto;
	if (listen(m, wire, err))
		return err->rc;
	now = bf_now(wire->clock);
	if (!fresh(m, CHARGE, now) && !fresh(m, VALUES, now)) {
		bf_fail(err, BF_E_TIMEOUT, "nobody broadcast 0x%X or 0x%X on '%s' within %d s",
			ID_CHARGE, ID_VALUES, wire->name, (int)(LISTEN / BF_SEC(1)));
		bf_likely(err, "the pack broadcasts only once an inverter talks to it, or when its "
			       "switches say so");
		bf_likely(err, "the profile is for another pack: 'source' in [telemetry]");
		return err->rc;
	}
	*ret = m->last;
	if (!fresh(m, CHARGE, now))
		ret->has_soc = false;
	if (!fresh(m, VALUES, now)) {
		ret->has_pack = ret->has_current = false;
		ret->n_temps = 0;
	}
	ret->has_limits = fresh(m, LIMITS, now);
	forget(m);
	return BF_OK;
}

static void can_close(struct bf_source *meter)
{
	free(BF_CONTAINER_OF(meter, struct can_meter, meter));
}

const struct bf_source_ops bf_source_can = {
	.wires = BF_WIRE_BUS,
	.by_application = true,
	.open = can_open,
	.read = can_read,
	.close = can_close,
};
