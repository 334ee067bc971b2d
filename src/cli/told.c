/* SPDX-License-Identifier: MIT */
/*
 * --on-result: a program that learns of each result, as the door to a line's own bookkeeping. It runs without a shell, in a
 * process group of its own; the result comes on its standard input. What it does changes no result.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bmsflash/program.h"
#include "cli.h"

#define PROGRAM_LIMIT BF_SEC(30)
#define LOOK_AGAIN    BF_MS(10)

enum bf_rc bf_told_check(const char *path, struct bf_err *err)
{
	if (path[0] != '/')
		return bf_fail(err, BF_E_USAGE, "--on-result '%s' has no absolute path", path);
	if (access(path, X_OK))
		return bf_fail_os(err, BF_E_USAGE, errno, "cannot run '%s' (--on-result)", path);
	return BF_OK;
}

/* Sends what is left of the text; closes at its end, and where nobody reads. */
static void feed(int *fd, const char **text, size_t *len)
{
	ssize_t n = *len ? send(*fd, *text, *len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n > 0) {
		*text += n;
		*len -= (size_t)n;
	}
	if (*len && (n >= 0 || errno == EAGAIN || errno == EINTR))
		return;
	close(*fd);
	*fd = -1;
}

/* A clock without signals: the pack is done, and the program has its time. False: it had to be killed. */
static bool wait_end(pid_t pid, int *fd, const char *text, size_t len, int *ret_status)
{
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(-1);
	bf_time deadline = bf_in(clock, PROGRAM_LIMIT);

	while (bf_now(clock) < deadline) {
		if (*fd >= 0)
			feed(fd, &text, &len);
		if (waitpid(pid, ret_status, WNOHANG) == pid)
			return true;
		(void)bf_clock_wait(clock, NULL, 0, bf_in(clock, LOOK_AGAIN));
	}
	kill(-pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return false;
}

enum bf_rc bf_told(const char *path, const char *line, struct bf_err *err)
{
	int in[2] = { -1, -1 }, status = 0, fds[3], e;
	bool ended = false;
	pid_t pid = 0;

	/* A socket, not a pipe: writing to one that is closed raises no signal. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in))
		return bf_fail_os(err, BF_E_FILE, errno, "cannot tell '%s' the result", path);
	/* Its standard output is ours for errors: our own is for events, or a table. */
	fds[0] = in[1];
	fds[1] = fds[2] = STDERR_FILENO;
	e = bf_program_start(path, fds, environ, &pid);
	close(in[1]);
	if (!e)
		ended = wait_end(pid, &in[0], line, strlen(line), &status);
	if (in[0] >= 0)
		close(in[0]);
	if (e)
		return bf_fail_os(err, BF_E_FILE, e, "cannot start '%s' (--on-result)", path);
	if (!ended)
		return bf_fail(err, BF_E_FILE,
			       "'%s' (--on-result) did not end within 30 s and was killed", path);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return BF_OK;
	return bf_fail(err, BF_E_FILE, "'%s' (--on-result) ended with %s %d", path,
		       WIFEXITED(status) ? "exit status" : "signal",
		       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}
