/* SPDX-License-Identifier: MIT */
/* Does what a run claimed agree with what is true. */
#pragma once

#include "world.h"

enum ending { ENDED_NEW, ENDED_OLD, ENDED_RECOVERY, ENDED_UNTOUCHED, ENDING_COUNT };

struct verdict {
	enum ending ending;
	char wrong[768]; /* empty: all is as it was claimed */
};

/* Runs the scenario, then what a technician would do next, and looks at the pack after each. */
void judge(const struct scenario *sc, const char *data, bool verbose, struct verdict *ret);
