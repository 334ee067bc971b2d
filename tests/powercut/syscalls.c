/* SPDX-License-Identifier: MIT */
#include "syscalls.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bmsflash/base.h"

/* Everything that changes a file, a folder or a device. */
static const struct row {
	const char *name;
	long nr;
	int flags_arg; /* which argument has the flags of open(2): only opening to write counts */
} rows[] = {
	{ "write", SYS_write, -1 },
	{ "pwrite64", SYS_pwrite64, -1 },
	{ "writev", SYS_writev, -1 },
	{ "pwritev", SYS_pwritev, -1 },
	{ "pwritev2", SYS_pwritev2, -1 },
	{ "openat", SYS_openat, 2 },
#ifdef SYS_open
	{ "open", SYS_open, 1 },
	{ "creat", SYS_creat, -1 },
	{ "rename", SYS_rename, -1 },
	{ "unlink", SYS_unlink, -1 },
	{ "mkdir", SYS_mkdir, -1 },
	{ "rmdir", SYS_rmdir, -1 },
	{ "link", SYS_link, -1 },
	{ "symlink", SYS_symlink, -1 },
	{ "chmod", SYS_chmod, -1 },
#endif
#ifdef SYS_renameat
	{ "renameat", SYS_renameat, -1 },
#endif
	{ "renameat2", SYS_renameat2, -1 },
	{ "unlinkat", SYS_unlinkat, -1 },
	{ "mkdirat", SYS_mkdirat, -1 },
	{ "linkat", SYS_linkat, -1 },
	{ "symlinkat", SYS_symlinkat, -1 },
	{ "fchmod", SYS_fchmod, -1 },
	{ "fchmodat", SYS_fchmodat, -1 },
	{ "fsync", SYS_fsync, -1 },
	{ "fdatasync", SYS_fdatasync, -1 },
	{ "ftruncate", SYS_ftruncate, -1 },
	{ "truncate", SYS_truncate, -1 },
	{ "fallocate", SYS_fallocate, -1 },
	{ "copy_file_range", SYS_copy_file_range, -1 },
	{ "sendfile", SYS_sendfile, -1 },
	{ "splice", SYS_splice, -1 },
	{ "utimensat", SYS_utimensat, -1 },
	{ "flock", SYS_flock, -1 },
	{ "ioctl", SYS_ioctl, -1 },
	{ "sendto", SYS_sendto, -1 },
	{ "sendmsg", SYS_sendmsg, -1 },
};
_Static_assert(BF_COUNT(rows) <= SYSCALLS_MAX, "too many rows");

const char *syscalls_name(unsigned i)
{
	return i < BF_COUNT(rows) ? rows[i].name : NULL;
}

bool syscalls_stop_me(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 && raise(SIGSTOP) == 0;
}

bool syscalls_attach(struct syscalls *s)
{
	int status;

	return waitpid(s->pid, &status, 0) == s->pid && WIFSTOPPED(status) &&
	       ptrace(PTRACE_SETOPTIONS, s->pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) ==
		       0;
}

/* To the next border of a system call, handing signals on. */
static bool step(struct syscalls *s)
{
	long signal = 0;
	int status;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, s->pid, NULL, signal) < 0 ||
		    waitpid(s->pid, &status, 0) != s->pid || !WIFSTOPPED(status))
			return false;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return true;
		signal = WSTOPSIG(status);
	}
}

static bool writes(const struct row *r, const struct __ptrace_syscall_info *info)
{
	uint64_t flags;

	if ((uint64_t)r->nr != info->entry.nr)
		return false;
	if (r->flags_arg < 0)
		return true;
	flags = info->entry.args[r->flags_arg];
	return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
}

static const struct row *row_of(const struct __ptrace_syscall_info *info)
{
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (writes(&rows[i], info))
			return &rows[i];
	}
	return NULL;
}

bool syscalls_next(struct syscalls *s)
{
	while (step(s)) {
		struct __ptrace_syscall_info info;
		const struct row *r;

		if (ptrace(PTRACE_GET_SYSCALL_INFO, s->pid, sizeof(info), &info) <= 0 ||
		    info.op != PTRACE_SYSCALL_INFO_ENTRY || *s->quiet)
			continue;
		r = row_of(&info);
		if (!r)
			continue;
		s->nr = r->nr;
		for (size_t i = 0; i < BF_COUNT(s->args); i++)
			s->args[i] = info.entry.args[i];
		if (r->nr == SYS_write && (int)s->args[0] == SYSCALLS_MARK)
			s->marks++;
		else
			s->counts[r - rows]++;
		return true;
	}
	return false;
}

bool syscalls_is_file_write(const struct syscalls *s)
{
	return (s->nr == SYS_write || s->nr == SYS_pwrite64) && (int)s->args[0] != SYSCALLS_MARK &&
	       s->args[2] > 1;
}

/* Position and flags of the child's descriptor. */
static bool read_fdinfo(const struct syscalls *s, long long *ret_pos, unsigned *ret_flags)
{
	char path[64];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)s->pid, (int)s->args[0]);
	f = fopen(path, "r");
	if (!f)
		return false;
	ok = fscanf(f, "pos: %lld flags: %o", ret_pos, ret_flags) == 2;
	fclose(f);
	return ok;
}

void syscalls_half(const struct syscalls *s)
{
	size_t n = (size_t)s->args[2] / 2;
	BF_AUTO_MEM char *buf = malloc(n);
	const struct iovec local = { buf, n }, remote = { (void *)(uintptr_t)s->args[1], n };
	long long pos;
	unsigned flags;
	char path[64];
	BF_AUTO_FD int fd = -1;

	if (!buf || !read_fdinfo(s, &pos, &flags) ||
	    process_vm_readv(s->pid, &local, 1, &remote, 1, 0) != (ssize_t)n)
		abort();
	if (s->nr == SYS_pwrite64)
		pos = (long long)s->args[3];
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)s->pid, (int)s->args[0]);
	fd = open(path, O_WRONLY | O_CLOEXEC | (flags & O_APPEND ? O_APPEND : 0));
	if (fd < 0 || pwrite(fd, buf, n, pos) != (ssize_t)n) /* appends where it has O_APPEND */
		abort();
}

void syscalls_finish(struct syscalls *s)
{
	(void)step(s);
}

void syscalls_kill(struct syscalls *s)
{
	int status;

	kill(s->pid, SIGKILL);
	while (waitpid(s->pid, &status, 0) == s->pid && WIFSTOPPED(status))
		continue;
}
