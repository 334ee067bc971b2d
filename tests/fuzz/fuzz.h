/* SPDX-License-Identifier: MIT */
/* What every fuzz target is. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that must hold for every input; unlike assert, also in release builds. */
#define FUZZ_CHECK(truth)        \
	do {                     \
		if (!(truth))    \
			abort(); \
	} while (0)
