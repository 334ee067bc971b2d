/* SPDX-License-Identifier: MIT */
/* Does what a run claimed agree with what is true. */
#pragma once

#include "world.h"

enum ending {
	ENDED_NEW,
	ENDED_OLD,
	ENDED_RECOVERY,
	ENDED_UNTOUCHED,
	ENDED_BACK,
	ENDED_UNPROVEN,
	ENDED_UNKNOWN,
	ENDING_COUNT
};

struct verdict {
	enum ending ending;
	char wrong[768]; /* empty: all is as it was claimed */
};

struct court {
	struct world world;
	struct truth after;      /* with power switched off and on again */
	const char *old_version; /* "": nothing runs before */
	const char *new_version; /* of what shall run */
	bool later;              /* an earlier run may have brought the new firmware already */
	struct verdict *verdict;
};

bool judge_open(struct court *c, const struct scenario *sc, const char *data, bool verbose,
		struct verdict *ret);
/* What the last run claimed, against the pack; sets the ending. */
void judge_claims(struct court *c);
/* Types the command that the last run printed, and what that prints; the pack ends with working firmware. */
void judge_next(struct court *c);
const char *judge_ending(enum ending ending);
/* The same command once more, on a good line. */
void judge_again(struct court *c);
bool judge_wrong(struct court *c, const char *fmt, ...) BF_PRINTF(2, 3);
void judge_close(struct court *c);

/* Runs the scenario, then what a technician would do next, and looks at the pack after each. */
void judge(const struct scenario *sc, const char *data, bool verbose, struct verdict *ret);
