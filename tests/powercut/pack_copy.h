/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Writes the virtual pack at this address of a stopped process to its state file, as it is now. */
bool pack_copy_save(pid_t pid, const void *address);
