/* SPDX-License-Identifier: MIT */
/* The `sim` driver: "sim:key=value,..." opens a new virtual pack on virtual time. */
#include "sim/drive.h"

#include <stdio.h>
#include <string.h>

#include "sim/usb/usb_wire.h"

enum bf_rc bf_sim_wait(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	bf_time began = bf_now(t->clock);
	enum bf_wait w = bf_clock_wait(t->clock, NULL, 0, deadline);

	t->stats.waited_us += bf_now(t->clock) - began;
	switch (w) {
	case BF_WAIT_READY:
		return BF_OK;
	case BF_WAIT_CANCELLED:
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while waiting on '%s'", t->name);
	case BF_WAIT_DEADLINE:
		break;
	}
	return bf_fail(err, BF_E_TIMEOUT, "nothing came on '%s' in time", t->name);
}

void bf_sim_put_away_other(struct bf_transport *t, struct bf_pack *pack)
{
	struct bf_err err;

	bf_err_init(&err);
	if (bf_pack_save(pack, &err))
		bf_log(t->log, BF_LOG_WARN, "%s", err.cause);
	bf_pack_free(pack);
}

void bf_sim_put_away(struct bf_transport *t, struct bf_pack *pack)
{
	bf_sim_put_away_other(t, pack);
	t->clock = bf_clock_free(t->clock);
}

static bool sim_match(const char *address)
{
	return strcmp(address, "sim") == 0 || strncmp(address, "sim:", 4) == 0;
}

static enum bf_rc open_wire(const struct bf_sim_open *o, struct bf_transport **ret,
			    struct bf_err *err)
{
	switch (bf_pack_opts(o->take_pack)->link) {
	case BF_SIM_CAN:
	case BF_SIM_CANFD:
		return bf_sim_bus_open(o, ret, err);
	case BF_SIM_RS485:
		return bf_sim_stream_open(o, ret, err);
	case BF_SIM_USB:
		break;
	}
	return bf_sim_usb_open(o->take_pack, o->take_clock, o->env, ret, err);
}

/* Whose power went while it started does nothing any more. */
static void run_to_next(struct bf_pack *pack)
{
	bf_time at = bf_pack_next(pack);

	if (at != BF_NEVER)
		bf_pack_run(pack, at);
}

/* It was on long before anybody connected. */
static enum bf_rc begin_pack(const struct bf_sim_opts *opts, struct bf_pack **ret,
			     struct bf_err *err)
{
	struct bf_pack *pack;

	if (bf_pack_new(opts, &pack, err))
		return err->rc;
	bf_pack_plug_in(pack, 0);
	if (!opts->poweron_ms)
		run_to_next(pack);
	if (bf_pack_in_window(pack))
		run_to_next(pack);
	*ret = pack;
	return BF_OK;
}

static enum bf_rc begin_packs(const struct bf_sim_opts *opts, struct bf_sim_open *o,
			      struct bf_err *err)
{
	struct bf_sim_opts one;

	bf_sim_opts_of_string(opts, 1, &one);
	if (begin_pack(&one, &o->take_pack, err))
		return err->rc;
	for (unsigned k = 2; k <= opts->packs; k++) {
		bf_sim_opts_of_string(opts, k, &one);
		if (!begin_pack(&one, &o->take_more[k - 2], err))
			continue;
		for (unsigned i = 0; i + 2 < k; i++)
			bf_pack_free(o->take_more[i]);
		bf_pack_free(o->take_pack);
		return err->rc;
	}
	return BF_OK;
}

static enum bf_rc sim_open(const struct bf_open_env *env, const char *address,
			   struct bf_transport **ret, struct bf_err *err)
{
	const char *colon = strchr(address, ':');
	struct bf_sim_open o = { .env = env };
	struct bf_sim_opts opts;
	enum bf_rc rc;

	bf_sim_opts_default(&opts);
	rc = bf_sim_opts_parse(colon ? colon + 1 : "", &opts, err);
	if (!rc)
		rc = begin_packs(&opts, &o, err);
	if (rc)
		return bf_while(err, "opening '%s'", address);
	o.take_clock = bf_vclock_new();
	bf_vclock_heed(o.take_clock, env->clock);
	rc = open_wire(&o, ret, err);
	if (rc)
		return bf_while(err, "opening '%s'", address);
	snprintf((*ret)->name, sizeof((*ret)->name), "%s", address);
	return BF_OK;
}

static void sim_list(void (*found)(void *ctx, const struct bf_candidate *c), void *ctx)
{
	const struct bf_candidate c = {
		.address = "sim",
		.what = "practice pack, no hardware needed",
		.usable = true,
	};

	found(ctx, &c);
}

struct bf_pack *bf_sim_pack(struct bf_transport *t)
{
	if (t->ops == &bf_sim_bus_ops)
		return bf_sim_bus_pack(t);
	if (t->ops == &bf_sim_stream_ops)
		return bf_sim_stream_pack(t);
	return bf_sim_usb_pack(t);
}

const struct bf_driver bf_driver_sim = {
	.name = "sim",
	.summary = "built-in virtual pack on virtual time",
	.address_help = "sim or sim:key=value,...",
	.is_virtual = true,
	.match = sim_match,
	.open = sim_open,
	.list = sim_list,
};
