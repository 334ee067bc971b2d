/* SPDX-License-Identifier: MIT */
/* What a pack tells inverters on CAN by itself. */
#pragma once

#include "sim/pack.h"

#define BF_INVERTER_FRAMES 3
#define BF_INVERTER_PERIOD BF_SEC(1)

void bf_inverter_frames(const struct bf_pack_measure *m, struct bf_frame ret[BF_INVERTER_FRAMES]);
