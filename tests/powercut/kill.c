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
	unsigned die_event, full_at; /* 0: never */
	bool full_for_good, refused;
	bool armed;
} killer;

ssize_t __real_write(int fd, const void *p, size_t n);
struct bf_pack;
struct bf_pack *__real_bf_pack_free(struct bf_pack *pack);
struct bf_pack *__wrap_bf_pack_free(struct bf_pack *pack);
enum bf_rc __real_bf_pack_save(const struct bf_pack *pack, struct bf_err *err);
enum bf_rc __wrap_bf_pack_save(const struct bf_pack *pack, struct bf_err *err);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_mkostemp(char *name, int flags);
int __real_mkdir(const char *path, mode_t mode);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_mkostemp(char *name, int flags);
int __wrap_mkdir(const char *path, mode_t mode);

/* The computer is gone; the pack stays as it is. */
static void die(void)
{
	killer.armed = false;
	if (killer.wire && !keep_pack(killer.wire))
		_exit(3);
	_exit(0);
}

/* True when this call must fail for want of room. */
static bool is_full(void)
{
	bool now;

	if (!killer.armed)
		return false;
	killer.calls++;
	now = killer.full_for_good ? killer.calls >= killer.full_at
				   : killer.calls == killer.full_at;
	if (!killer.full_at || !now)
		return false;
	killer.refused = true;
	errno = ENOSPC;
	return true;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	return is_full() ? -1 : __real_write(fd, p, n);
}

/* A folder that is brought to the disk takes no room. */
int __wrap_fsync(int fd)
{
	struct stat st;
	bool folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);

	return !folder && is_full() ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
	return is_full() ? -1 : __real_rename(from, to);
}

int __wrap_mkostemp(char *name, int flags)
{
	return is_full() ? -1 : __real_mkostemp(name, flags);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	return is_full() ? -1 : __real_mkdir(path, mode);
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

/* The pack's own file is no file of the computer's. */
enum bf_rc __wrap_bf_pack_save(const struct bf_pack *pack, struct bf_err *err)
{
	bool armed = killer.armed;
	enum bf_rc rc;

	killer.armed = false;
	rc = __real_bf_pack_save(pack, err);
	killer.armed = armed;
	return rc;
}

static void on_event(void *ctx, const struct bf_event *ev)
{
	struct stack *s = ctx;
	size_t at = strlen(s->notices);

	if (ev->kind == BF_EV_NOTICE || ev->kind == BF_EV_WARNING)
		snprintf(s->notices + at, sizeof(s->notices) - at, "%s\n", ev->text);
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
	const struct bf_events events = { on_event, s };
	struct bf_clock *clock = bf_vclock_new();

	snprintf(s->iface, sizeof(s->iface), "sim:state=%s%s%s", s->state, options[0] ? "," : "",
		 options);
	s->job.iface = s->iface;
	s->notices[0] = '\0';
	killer.armed = true;
	bf_engine_run(&s->job, &ports, clock, NULL, &events, &s->out);
	killer.armed = false;
	bf_clock_free(clock);
}

bool kill_run(struct stack *s, const char *options, unsigned nth)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		killer.die_event = nth;
		run(s, options);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		fail_msg("%u: the child ended with status %x", nth, (unsigned)status);
	return WEXITSTATUS(status) == 0;
}

unsigned full_run(struct stack *s, const char *options, unsigned at, bool for_good,
		  bool *ret_refused)
{
	unsigned calls;

	memset(&killer, 0, sizeof(killer));
	killer.full_at = at;
	killer.full_for_good = for_good;
	run(s, options);
	calls = killer.calls;
	*ret_refused = killer.refused;
	memset(&killer, 0, sizeof(killer));
	return calls;
}
