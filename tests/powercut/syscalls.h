/* SPDX-License-Identifier: MIT */
/* A child stopped at each system call that writes. Needs ptrace(2). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A file descriptor that no file has: a write to it tells the tracer of something else than a file. */
#define SYSCALLS_MARK (-77)

#define SYSCALLS_MAX 40

struct syscalls {
	pid_t pid;
	const volatile bool *quiet; /* calls are not counted meanwhile */
	unsigned counts[SYSCALLS_MAX];
	unsigned marks;
	uint64_t args[6]; /* of the call that it stands before */
	long nr;
};

/* In the child: from here on it stops. */
bool syscalls_stop_me(void);
/* In the parent, once. False when the child cannot be traced. */
bool syscalls_attach(struct syscalls *s);
/* To just before the next call that writes. False when the child has ended. */
bool syscalls_next(struct syscalls *s);
/* Stands before a write that leaves bytes in a file. */
bool syscalls_is_file_write(const struct syscalls *s);
/* Does the first half of it in the child's name. */
void syscalls_half(const struct syscalls *s);
/* To just behind the call. */
void syscalls_finish(struct syscalls *s);
/* SIGKILL, and waits until it is gone. */
void syscalls_kill(struct syscalls *s);

const char *syscalls_name(unsigned i); /* NULL: no more */
