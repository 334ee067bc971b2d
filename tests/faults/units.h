/* SPDX-License-Identifier: MIT */
/* Units whose files carry a maker's header: three small images of each, signed by the maker, and a unit that has the first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum unit { UNIT_NONE, UNIT_JK, UNIT_VANMOOF };

#define UNIT_IMAGES 3 /* what runs, its successor, and one more */
#define UNIT_LEN    3072u

/* Where firmware lies: the place that it is started from first; 0 after the last. */
uint32_t unit_place(enum unit unit, unsigned i);
/* "15.41.0" */
const char *unit_version(enum unit unit, unsigned image);
void unit_image(enum unit unit, unsigned image, uint8_t dst[UNIT_LEN]);
/* "unit-0.bin" and so on with their signatures, and the profile that brings a dead one back. */
bool unit_files(enum unit unit, const char *folder);
/* A state file: the unit with these keys of "sim:", as the factory made it but for its firmware. */
bool unit_put(enum unit unit, const char *keys, const char *path);
