/* SPDX-License-Identifier: MIT */
/* One pack and one computer: runs jobs of the whole stack in a folder of their own. */
#pragma once

#include "bmsflash/session.h"
#include "scenario.h"
#include "truth.h"

struct world {
	const struct scenario *sc;
	bool verbose;
	char folder[64], profile[96], image[256], key[256], other[256], auth[256];
	char plain[320]; /* keys of "sim:" without cuts */
	char address[640];
	const char *images[2], *keys[3];
	bool locks; /* its pack is not private: the interface is locked as any other */
	struct bf_job job;
	struct bf_outcome out;
	char file[512];     /* written by the last run */
	char notices[8192]; /* and warnings, of the last run */
	struct truth at_close;
	struct truth_guard guard; /* of every start of firmware in this world */
};

bool world_init(struct world *w, const struct scenario *sc, const char *data);
/* faulty: with the scenario's faults and cuts. from: rollback's archive, or NULL. */
void world_run(struct world *w, enum bf_job_kind kind, const char *from, bool faulty);
void world_done(struct world *w);
