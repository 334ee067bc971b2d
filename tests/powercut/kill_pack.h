/* SPDX-License-Identifier: MIT */
#pragma once

#include "bmsflash/transport.h"

/* Writes the virtual pack behind this wire to its state file, as it is now. */
bool keep_pack(struct bf_transport *wire);
