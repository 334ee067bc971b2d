/* SPDX-License-Identifier: MIT */
/* Programs of other makers: started without a shell. */
#pragma once

#include <sys/types.h>

/*
 * Starts the program at this path, with these descriptors as its standard input, output and error; returns 0 or an errno.
 * It gets this environment, a process group of its own (the kill of a caller reaches what it started), no blocked
 * signal and SIGPIPE as it is by default: the caller may read signals from a descriptor.
 */
int bf_program_start(const char *path, const int fds[3], char *const *environment, pid_t *ret);
