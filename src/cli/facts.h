/* SPDX-License-Identifier: MIT */
/*
 * What a run has reported so far, kept for the screen and the report: copies only, since an event's pointers
 * are gone with it. One scale from 0 to 100 % of the whole job, weighted by the seconds that each activity is
 * expected to take.
 */
#pragma once

#include <limits.h>

#include "bmsflash/session.h"

#define BF_FACT_CHECKS   8
#define BF_FACT_WARNINGS 8

struct bf_facts {
	enum bf_job_kind job;
	int64_t began_us, now_us; /* wall clock of the first and of the last event */

	/* the image */
	bool has_image;
	char image[64];                          /* base name of the file */
	char image_version[2 * BF_VERSION_TEXT]; /* of several: "1.5.0 and 1.2.0" */
	char image_key[64], image_hw[48];
	char image_key_id[24]; /* the key's fingerprint */
	char image_digest[130];
	bool has_vid, has_cid;
	uint8_t vid[16];
	uint8_t cid[16];
	size_t image_size;

	/* the pack */
	bool has_pack;         /* it has identified itself */
	struct bf_ident first; /* ... before anything was changed */
	struct bf_ident last;
	bool has_measure;
	struct bf_measure measure;
	struct bf_check failed[BF_FACT_CHECKS]; /* safety checks and self-tests */
	size_t n_failed;
	bool fits; /* hardware or class were compared and agree */
	unsigned tests, tests_passed;
	bool configuration; /* compared, and as before */
	bool has_plan;
	struct bf_plan plan; /* its texts are in from and to */
	char from[48], to[48];
	char backup[PATH_MAX]; /* the archive of this run */
	char iface[BF_ADDRESS_MAX], line[96];
	bool has_summary;
	struct bf_summary summary;
	unsigned warnings; /* the first of them are kept */
	char warning[BF_FACT_WARNINGS][200];
	size_t candidates, usable; /* of interfaces; the virtual pack does not count */
	char only[BF_ADDRESS_MAX]; /* the usable one, or the first of several */

	/* progress */
	enum bf_activity activity;
	char phase[64];
	char waiting[160]; /* what is waited for, since the phase began */
	int64_t phase_us;  /* when it began */
	bf_time limit;     /* how long it may take, 0: not said */
	int64_t activity_us[BF_ACT_COUNT];
	double share[BF_ACT_COUNT]; /* expected seconds */
	double percent;             /* of the whole job; never falls */
	uint64_t done, total;       /* bytes, of the activity */
	double rate;
	bf_time eta;         /* of the activity, -1: unknown */
	int64_t moved_us;    /* when data moved last */
	unsigned repeats;    /* since then */
	unsigned try, tries; /* that is under way, of how many; 0: not counted */
	bool paused;
	struct bf_check pause;
	bool writing_seen, one_place;
	char rescue[160]; /* by hand, once the pack is silent; "": nothing */
	bool listed;      /* what bmsflash knows, and nothing else, was asked for */
};

void bf_facts_take(struct bf_facts *f, const struct bf_event *ev);
void bf_facts_warn(struct bf_facts *f, const char *text);
/* Of what is still to come, as far as it is expected; -1: nothing is known yet. */
double bf_facts_left(const struct bf_facts *f);
/* "1.3.0", or what the pack says of itself, or NULL. */
const char *bf_facts_version(const struct bf_ident *ident, char dst[BF_VERSION_TEXT]);
/* "BX16-000001", else the model, else "the pack". */
const char *bf_facts_name(const struct bf_facts *f);
