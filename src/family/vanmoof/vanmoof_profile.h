/* SPDX-License-Identifier: MIT */
/* What section [vanmoof] of a profile says. */
#pragma once

#include <stdint.h>

struct bf_vanmoof_profile {
	uint8_t node;
	uint32_t answer_ms, restart_s;
	uint8_t repeats; /* of one page, in all */
};
