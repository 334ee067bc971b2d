/* SPDX-License-Identifier: MIT */
/*
 * A folder of test data with images of two flash pages, so that a run at every point of a flash takes
 * seconds: signed with a key of its own, and a pack that runs the old one and trusts that key. Files have the
 * names that tests/data gives them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMALL_IMAGES 3

enum small_image {
	SMALL_OLD,   /* 1.3.0, security counter 3: the pack runs it */
	SMALL_NEW,   /* 1.5.0, 5: mcuboot/app-1.5.0.signed.bin */
	SMALL_OTHER, /* 1.6.0, 6: mcuboot/app-1.6.0.signed.bin */
};

struct small {
	char folder[64];
	char trust[80]; /* key of "sim:" */
	struct small_bytes {
		uint8_t p[8192];
		size_t len;
	} images[SMALL_IMAGES];
};

bool small_make(struct small *s);
/* A pack with these keys of "sim:", as the factory made it: its state file. */
bool small_put_pack(const struct small *s, const char *keys, const char *path);
/* The beginning of the calibration that a state file holds. */
#define SMALL_CALIB 256
bool small_calib(const char *path, uint8_t ret[SMALL_CALIB]);
void small_remove(struct small *s);
