/* SPDX-License-Identifier: MIT */
/*
 * Who else is on this computer: which process has a device open, which service runs, whose group a
 * device belongs to. All of it from /proc and the user database; processes of other users show their
 * names, and what they have open only to root.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bf_who {
	int pid; /* 0: nobody was found */
	char command[64];
	char unit[96]; /* the systemd unit that can be stopped, empty if none */
};

/* What bf_who_has takes for this process' own descriptor of the device. */
enum { BF_WHO_ANYBODY = -1, BF_WHO_OTHERS = -2 };

/* The process that has `path` (without links) open, seen below `root`: "" but in tests. own_fd is the
 * one descriptor of this process that does not count; BF_WHO_ANYBODY: all count; BF_WHO_OTHERS: none. */
bool bf_who_has(const char *root, const char *path, int own_fd, struct bf_who *ret);
/* The process that runs under this name (/proc/PID/comm, 15 characters at most). */
bool bf_who_runs(const char *root, const char *command, struct bf_who *ret);
/* What is known of a process; its name is "a program" where /proc does not tell. */
void bf_who_is(const char *root, int pid, struct bf_who *ret);
/* The group's name, or its number where it has none. */
void bf_who_group(gid_t gid, char *dst, size_t cap);
