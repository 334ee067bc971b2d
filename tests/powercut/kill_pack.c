/* SPDX-License-Identifier: MIT */
/* The pack's and the engine's headers use some names for two things: this file knows the pack alone. */
#include "kill_pack.h"

#include "sim/pack.h"

bool keep_pack(struct bf_transport *wire)
{
	struct bf_err err;

	bf_err_init(&err);
	return bf_pack_save(bf_sim_pack(wire), &err) == BF_OK;
}
