/* SPDX-License-Identifier: MIT */
/* A file that is in place is whole, whatever happened to the one who wrote it. */
#pragma once

#include <stdbool.h>

struct bf_err;

/* The backups and journals below a data folder. */
bool whole_files(const char *folder, struct bf_err *err);
