/* SPDX-License-Identifier: MIT */
/* What a run over a maker's bootloader needs beside the pack: its example profile, and a signed flash driver. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define MAKER_DRIVER "flash-driver.bin"
#define MAKER_KEY    "driver.pub"

/* A file and its signature by the maker. */
bool maker_sign(const char *folder, const char *name, const uint8_t *p, size_t len);
bool maker_key(const char *folder);
/* The driver, its signature and the public key, into this folder. */
bool maker_driver(const char *folder);
/* data/profiles/NAME.ini with this folder's driver and the tests' seed-to-key program; overlay goes into [uds]. */
bool maker_profile(const char *name, const char *overlay, const char *folder, FILE *to);
