/* SPDX-License-Identifier: MIT */
/*
 * Seed and key by a program of the pack's maker. It runs without a shell, in a process group of its own, which
 * is killed with it; nothing of ours but its three standard descriptors reaches it, the environment neither;
 * what it says on standard error goes into our message only when it fails.
 */
#include "bmsflash/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/program.h"

#define PROGRAM_LIMIT BF_SEC(10)
#define SEED_MAX      256
#define LOOK_AGAIN    BF_MS(20) /* where the kernel (before 5.3) gives no descriptor for a process */

#ifndef SYS_pidfd_open /* the same number on every architecture */
#define SYS_pidfd_open 434
#endif

struct program_auth {
	struct bf_auth auth;
	struct bf_clock *clock;
	struct bf_clock *own; /* NULL: clock is the caller's */
	char path[];
};

struct sink {
	int fd;
	char text[2 * 512 + 2];
	size_t len;
	bool too_long;
};

/* One run: our ends of the descriptors. */
struct run {
	pid_t pid; /* 0: none, or reaped */
	int pidfd; /* readable when it has ended; -1: the kernel cannot */
	struct sink out, complaint;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Kills what it has left running before its number can be given to somebody else. */
static void reap(struct run *run, int *ret_status)
{
	if (!run->pid)
		return;
	kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, ret_status, 0) < 0 && errno == EINTR)
		;
	run->pid = 0;
}

static bool has_ended(const struct run *run)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid;
}

static void run_end(struct run *run)
{
	reap(run, NULL);
	close_fd(&run->pidfd);
	close_fd(&run->out.fd);
	close_fd(&run->complaint.fd);
	bf_wipe(run->out.text, sizeof(run->out.text));
}

/* Takes what is there; false when the other end is closed. */
static bool sink_take(struct sink *s)
{
	char buf[256];
	ssize_t n = read(s->fd, buf, sizeof(buf));
	size_t room = sizeof(s->text) - 1 - s->len;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	if ((size_t)n > room)
		s->too_long = true;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(s->text + s->len, buf, room);
	s->len += room;
	s->text[s->len] = '\0';
	bf_wipe(buf, sizeof(buf));
	return true;
}

static void sink_drain(struct sink *s)
{
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		size_t before = s->len;

		if (!sink_take(s) || s->len == before)
			return;
	}
}

static int start(const char *path, const char *question, struct run *run)
{
	char search[] = "PATH=/usr/local/bin:/usr/bin:/bin", language[] = "LC_ALL=C";
	char *environment[] = { search, language, NULL };
	int in[2] = { -1, -1 };
	int out[2] = { -1, -1 };
	int complaint[2] = { -1, -1 };
	int e = 0;

	/* Its standard input is a socket, not a pipe: writing to one that is closed raises no signal. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) || pipe2(out, O_CLOEXEC) ||
	    pipe2(complaint, O_CLOEXEC))
		e = errno;
	if (!e)
		e = bf_program_start(path, (const int[]){ in[1], out[1], complaint[1] },
				     environment, &run->pid);
	if (!e) {
		run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
		/* A program that does not read its question gives no answer either: seen there. */
		(void)!send(in[0], question, strlen(question), MSG_NOSIGNAL);
		run->out.fd = out[0];
		run->complaint.fd = complaint[0];
		out[0] = complaint[0] = -1;
	}
	for (int i = 0; i < 2; i++) {
		close_fd(&in[i]);
		close_fd(&out[i]);
		close_fd(&complaint[i]);
	}
	return e;
}

static enum bf_rc wait_end(struct program_auth *pa, struct run *run, int *ret_status,
			   struct bf_err *err)
{
	bf_time deadline = bf_in(pa->clock, PROGRAM_LIMIT), look;
	bool ended;
	struct pollfd fds[] = {
		{ .fd = run->pidfd, .events = POLLIN },
		{ .fd = run->out.fd, .events = POLLIN },
		{ .fd = run->complaint.fd, .events = POLLIN },
	};

	do {
		look = run->pidfd < 0 ? bf_in(pa->clock, LOOK_AGAIN) : deadline;
		switch (bf_clock_wait(pa->clock, fds, BF_COUNT(fds),
				      look < deadline ? look : deadline)) {
		case BF_WAIT_CANCELLED:
			return bf_fail(err, BF_E_INTERRUPTED, "stopped while '%s' made the key",
				       pa->path);
		case BF_WAIT_DEADLINE:
			if (bf_now(pa->clock) < deadline)
				break;
			bf_fail(err, BF_E_AUTH, "'%s' gave no key within 10 s", pa->path);
			bf_likely(err, "it waits for something else than one line on its "
				       "standard input");
			return err->rc;
		case BF_WAIT_READY:
			break;
		}
		if (fds[1].revents && !sink_take(&run->out))
			fds[1].fd = -1;
		if (fds[2].revents && !sink_take(&run->complaint))
			fds[2].fd = -1;
		ended = has_ended(run);
	} while (!ended);
	sink_drain(&run->out);
	sink_drain(&run->complaint);
	reap(run, ret_status);
	return BF_OK;
}

static enum bf_rc read_key(const struct program_auth *pa, struct run *run, int status, uint8_t *key,
			   size_t cap, size_t *ret_len, struct bf_err *err)
{
	struct sink *out = &run->out;
	size_t n = strcspn(run->complaint.text, "\r\n");

	run->complaint.text[n] = '\0';
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		bool exited = WIFEXITED(status);

		bf_fail(err, BF_E_AUTH, "'%s' made no key: it ended with %s %d", pa->path,
			exited ? "exit status" : "signal",
			exited ? WEXITSTATUS(status) : WTERMSIG(status));
		if (n)
			bf_likely(err, "it said: %.200s", run->complaint.text);
		return err->rc;
	}
	while (out->len && strchr(" \t\r\n", out->text[out->len - 1]))
		out->text[--out->len] = '\0';
	if (out->too_long || !out->len || !bf_unhex(out->text, key, cap, ret_len))
		return bf_fail(err, BF_E_AUTH,
			       "'%s' wrote %zu characters that are no key; wanted is an even "
			       "number of hex digits for at most %zu bytes",
			       pa->path, out->len, cap);
	return BF_OK;
}

static enum bf_rc program_respond(struct bf_auth *auth, unsigned level, const uint8_t *seed,
				  size_t seed_len, uint8_t *key, size_t cap, size_t *ret_len,
				  struct bf_err *err)
{
	struct program_auth *pa = BF_CONTAINER_OF(auth, struct program_auth, auth);
	struct run run = { .pidfd = -1, .out.fd = -1, .complaint.fd = -1 };
	char hex[2 * SEED_MAX + 1];
	char question[sizeof(hex) + 16];
	int status = 0;
	enum bf_rc rc;
	int e;

	if (seed_len > SEED_MAX)
		return bf_fail(err, BF_E_AUTH,
			       "the pack's seed is %zu bytes long, at most %d are understood",
			       seed_len, SEED_MAX);
	snprintf(question, sizeof(question), "%u %s\n", level,
		 bf_hex(hex, sizeof(hex), seed, seed_len));
	e = start(pa->path, question, &run);
	if (e)
		rc = bf_fail_os(err, BF_E_AUTH, e, "cannot start '%s' for the pack's key",
				pa->path);
	else
		rc = wait_end(pa, &run, &status, err);
	if (!rc)
		rc = read_key(pa, &run, status, key, cap, ret_len, err);
	run_end(&run);
	return rc;
}

static void program_free(struct bf_auth *auth)
{
	struct program_auth *pa = BF_CONTAINER_OF(auth, struct program_auth, auth);

	pa->own = bf_clock_free(pa->own);
	free(pa);
}

enum bf_rc bf_auth_program_new(const char *path, struct bf_clock *clock, struct bf_auth **ret,
			       struct bf_err *err)
{
	struct program_auth *pa;

	bf_hold_secret();
	/* A profile that is installed must not run what lies where the user happens to stand. */
	if (path[0] != '/')
		return bf_fail(err, BF_E_AUTH,
			       "'%s', the program that makes the pack's key, has no absolute path",
			       path);
	if (access(path, X_OK))
		return bf_fail_os(err, BF_E_AUTH, errno,
				  "cannot run '%s', the program that makes the pack's key", path);
	pa = calloc(1, sizeof(*pa) + strlen(path) + 1);
	if (!pa)
		abort();
	pa->auth.respond = program_respond;
	pa->auth.free = program_free;
	pa->own = clock ? NULL : bf_clock_real_new(-1);
	pa->clock = clock ? clock : pa->own;
	memcpy(pa->path, path, strlen(path) + 1);
	*ret = &pa->auth;
	return BF_OK;
}
