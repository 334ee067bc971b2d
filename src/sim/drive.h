/* SPDX-License-Identifier: MIT */
/* Between the files of the `sim` driver. Each opener consumes pack and clock whatever happens. */
#pragma once

#include "sim/pack.h"

struct bf_sim_open { /* what an opener is given */
	struct bf_pack *take_pack;
	struct bf_pack *take_more[BF_SIM_PACKS_MAX]; /* on the same line; ended by NULL */
	struct bf_clock *take_clock;                 /* virtual */
	const struct bf_open_env *env;
};

enum bf_rc bf_sim_bus_open(const struct bf_sim_open *o, struct bf_transport **ret,
			   struct bf_err *err);
enum bf_rc bf_sim_stream_open(const struct bf_sim_open *o, struct bf_transport **ret,
			      struct bf_err *err);
extern const struct bf_transport_ops bf_sim_bus_ops, bf_sim_stream_ops;
struct bf_pack *bf_sim_bus_pack(struct bf_transport *t);
struct bf_pack *bf_sim_stream_pack(struct bf_transport *t);

/* Waits for the pack to do something. BF_OK: look again. */
enum bf_rc bf_sim_wait(struct bf_transport *t, bf_time deadline, struct bf_err *err);
/* The same for a pack beside that one. */
void bf_sim_put_away_other(struct bf_transport *t, struct bf_pack *pack);
/* Saves and frees; what cannot be saved is logged, closing has nobody to tell. */
void bf_sim_put_away(struct bf_transport *t, struct bf_pack *pack);
