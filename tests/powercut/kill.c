/* SPDX-License-Identifier: MIT */
#include "kill.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/run.h"
#include "kill_pack.h"

/* The linker sends every call of these here (-Wl,--wrap), so there is no place to hand a state to. */
static struct {
	struct bf_transport *wire; /* while the pack is on it */
	unsigned calls, events;
	unsigned die_call, die_event, full_from; /* 0: never */
	bool armed;
} killer;

ssize_t __real_write(int fd, const void *p, size_t n);
struct bf_pack;
struct bf_pack *__real_bf_pack_free(struct bf_pack *pack);
struct bf_pack *__wrap_bf_pack_free(struct bf_pack *pack);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_mkostemp(char *name, int flags);
int __real_unlink(const char *path);
int __real_mkdir(const char *path, mode_t mode);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_mkostemp(char *name, int flags);
int __wrap_unlink(const char *path);
int __wrap_mkdir(const char *path, mode_t mode);

/* The computer is gone; the pack stays as it is. */
static void die(void)
{
	killer.armed = false;
	if (killer.wire && !keep_pack(killer.wire))
		_exit(3);
	_exit(0);
}

static bool is_full(void)
{
	if (!killer.armed)
		return false;
	killer.calls++;
	if (killer.calls == killer.die_call)
		die();
	return killer.full_from && killer.calls >= killer.full_from;
}

/* A write that is cut leaves half of its bytes. */
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	if (killer.armed && killer.calls + 1 == killer.die_call)
		(void)__real_write(fd, p, n / 2);
	if (!is_full())
		return __real_write(fd, p, n);
	errno = ENOSPC;
	return -1;
}

int __wrap_fsync(int fd)
{
	(void)is_full();
	return __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
	(void)is_full();
	return __real_rename(from, to);
}

int __wrap_mkostemp(char *name, int flags)
{
	if (!is_full())
		return __real_mkostemp(name, flags);
	errno = ENOSPC;
	return -1;
}

int __wrap_unlink(const char *path)
{
	(void)is_full();
	return __real_unlink(path);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	if (!is_full())
		return __real_mkdir(path, mode);
	errno = ENOSPC;
	return -1;
}

/* ---- a run with the killer beside it ---- */

static enum bf_rc open_watched(const struct bf_open_env *env, const char *address,
			       struct bf_transport **ret, struct bf_err *err)
{
	enum bf_rc rc = bf_transport_open(env, address, ret, err);

	killer.wire = rc ? NULL : *ret;
	return rc;
}

/* Closing the wire puts the pack away. */
struct bf_pack *__wrap_bf_pack_free(struct bf_pack *pack)
{
	killer.wire = NULL;
	return __real_bf_pack_free(pack);
}

static void on_event(void *ctx, const struct bf_event *ev)
{
	(void)ctx;
	(void)ev;
	if (killer.armed && ++killer.events == killer.die_event)
		die();
}

static void run(struct stack *s, const char *options)
{
	static const struct bf_ports ports = {
		.open = open_watched,
		.drivers = bf_drivers,
		.protos = bf_protos,
	};
	const struct bf_events events = { on_event, NULL };
	struct bf_clock *clock = bf_vclock_new();

	snprintf(s->iface, sizeof(s->iface), "sim:state=%s%s%s", s->state, options[0] ? "," : "",
		 options);
	s->job.iface = s->iface;
	killer.armed = true;
	bf_engine_run(&s->job, &ports, clock, NULL, &events, &s->out);
	killer.armed = false;
	bf_clock_free(clock);
}

bool kill_run(struct stack *s, const char *options, enum kill_by by, unsigned nth)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		killer.die_call = by == KILL_BY_CALL ? nth : 0;
		killer.die_event = by == KILL_BY_EVENT ? nth : 0;
		run(s, options);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		fail_msg("%u: the child ended with status %x", nth, (unsigned)status);
	return WEXITSTATUS(status) == 0;
}

unsigned full_run(struct stack *s, const char *options, unsigned from)
{
	unsigned calls;

	memset(&killer, 0, sizeof(killer));
	killer.full_from = from;
	run(s, options);
	calls = killer.calls;
	memset(&killer, 0, sizeof(killer));
	return calls;
}
