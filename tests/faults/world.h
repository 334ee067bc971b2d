/* SPDX-License-Identifier: MIT */
/* One pack and one computer: runs jobs of the whole stack in a folder of their own. */
#pragma once

#include "cli/spec.h"
#include "scenario.h"
#include "truth.h"

struct world {
	const struct scenario *sc;
	bool verbose;
	char folder[64], profile[96], image[256], key[256], other[256], auth[256];
	char plain[320]; /* keys of "sim:" without cuts */
	char address[640];
	const char *images[2], *keys[3];
	char line[256];      /* of the model's words, cut up */
	bool dead;           /* when it was looked at last, no firmware ran */
	bool locks;          /* its pack is not private: the interface is locked as any other */
	struct bf_opts opts; /* the command line that asks for the flash */
	struct bf_claim_opts claim;
	struct bf_job job;
	uint8_t *wanted; /* the image's file */
	struct bf_outcome out;
	bf_time elapsed;    /* virtual time of the last run */
	bf_time longest;    /* ... after which it is stopped; 0: never */
	char file[512];     /* written by the last run */
	char notices[8192]; /* and warnings, of the last run */
	struct truth at_close;
	uint8_t units[UNIT_IMAGES][UNIT_LEN];
	struct truth_image unit_images[UNIT_IMAGES];
	struct truth_guard guard; /* of every start of firmware in this world */
};

bool world_init(struct world *w, const struct scenario *sc, const char *data);
/* faulty: with the scenario's faults and cuts. from: rollback's archive, or NULL. */
void world_run(struct world *w, enum bf_job_kind kind, const char *from, bool faulty);
/* From here on the pack has its power before a command is typed. */
void world_switched_on(struct world *w);
/* Types a command that was printed, on a good line. False: no command of ours, or not for this pack; *ret_why says why. */
bool world_type(struct world *w, const char *command, enum bf_job_kind *ret_kind,
		char ret_why[256]);
/* The one after the new one, from a folder of data; returns its version. */
const char *world_other(struct world *w, const char *data);
/* Another image from here on. */
void world_image(struct world *w, const char *path);
void world_done(struct world *w);
