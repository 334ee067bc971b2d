/* SPDX-License-Identifier: MIT */
/* What a board does with the other lines of a serial port: reset and boot pin behind DTR and RTS, and the break. */
#pragma once

#include "sim/node.h"

/* Sets the hooks of the node that the pack's options ask for. */
void bf_wiring_init(struct bf_stream_node *n);
/* The pack is held in reset: it hears nothing. */
bool bf_wiring_holds(const struct bf_stream_node *n);
