/* SPDX-License-Identifier: MIT */
/* What the pack and its protocol share. */
#pragma once

#include "pack.h"

/* Where the slot's bank begins; one bank begins at 0. */
uint32_t pack_bank_addr(const struct pack *pack, unsigned slot);
bool pack_two_banks(const struct pack *pack);
/* The boot loader's choice of what runs; reason as the pack tells it: 1 power, 2 request. */
void pack_boot(struct pack *pack, unsigned reason);
unsigned pack_caps(enum pack_kind kind);
