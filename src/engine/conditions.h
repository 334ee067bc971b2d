/* SPDX-License-Identifier: MIT */
/* A reading of the pack against the profile's limits: no wire, no clock, nothing but numbers. */
#pragma once

#include "bmsflash/session.h"

struct bf_finding {
	struct bf_check check; /* verdict is left to whoever decides, except for what is unknown */
	bool ok;
	char mend[160]; /* what would bring it inside; empty when ok */
};

#define BF_FINDINGS_MAX 8
struct bf_findings {
	struct bf_finding rows[BF_FINDINGS_MAX];
	size_t n;
};

/* Adds a finding for each condition that one reading can tell of. */
void bf_judge_now(const struct bf_profile *profile, const struct bf_measure *m,
		  struct bf_findings *ret);
/* Adds what two readings tell of together. */
void bf_judge_steady(const struct bf_profile *profile, const struct bf_measure *earlier,
		     const struct bf_measure *later, struct bf_findings *ret);
