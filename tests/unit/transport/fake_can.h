/* SPDX-License-Identifier: MIT */
/* A machine with one CAN interface, "can0", whose state the test sets. */
#pragma once

#include "../unit.h"

#include "transport/can_priv.h"

struct fake_can {
	bool present, permitted, refuses_rate;
	struct bf_can_info info;
	unsigned applied, restarted;
};

extern struct fake_can fake_can;
extern const struct bf_can_link_ops fake_can_link;

void fake_can_reset(void); /* up, 500000 bit/s, classic, permitted */
