/* SPDX-License-Identifier: MIT */
/* The demonstration firmware that a new virtual pack comes with; the build writes the table. */
#pragma once

#include "bmsflash/base.h"

struct bf_builtin {
	const char *version;
	const uint8_t *p;
	size_t len;
};

extern const struct bf_builtin bf_builtins[]; /* ends with version NULL */
