/* SPDX-License-Identifier: MIT */
/*
 * bmsflash is killed at every system call that writes: to its journal, its backup, its record, its lock, and
 * at every message to the pack, one run a point. A tracer stops it there and sends SIGKILL before the call,
 * behind it, and where bytes are written also with half of them in the file. The virtual pack lives in the
 * killed process: its memory is taken over as it was. No file may be half in place, and the same command, or
 * another image, must end well.
 *
 *	kills [--model NAME] [--point N --how KIND [-v]] [--stride N | --seconds N] [--seed N] [--workers N]
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../faults/judge.h"
#include "bmsflash/file.h"
#include "pack_copy.h"
#include "small.h"
#include "syscalls.h"
#include "whole.h"

#define POINT_SECONDS 60
#define SKIPPED       77

enum how { HOW_BEFORE, HOW_HALF, HOW_BEHIND, HOW_COUNT };

static const char *const hows[HOW_COUNT] = { "before", "half", "behind" };

/* What the pack would run if its power went with the computer's. */
enum left { LEFT_OLD, LEFT_TRIAL, LEFT_NEW, LEFT_NOTHING, LEFT_COUNT };

struct tally {
	unsigned point;
	uint64_t points, hows[HOW_COUNT], left[LEFT_COUNT], others, wrong, ended;
	bool done;
};

struct plan {
	const char *model;
	const char *how;
	unsigned point, stride, seed, seconds, workers;
	bool verbose;
	struct small small;
};

struct job {
	const struct model *model;
	struct syscalls counted; /* of an undisturbed run */
	unsigned total, stride;
};

/* Between the child and its tracer. */
struct shared {
	struct bf_pack *pack; /* in the child, while it is on the wire */
	bool quiet;
	bool messages;
};

/* ---- in the child ---- */

static void on_opened(void *ctx, struct bf_pack *pack)
{
	((struct shared *)ctx)->pack = pack;
}

/* The virtual wire makes no system call: this one stands for it. */
static void on_send(void *ctx, struct bf_transport *t)
{
	const struct shared *sh = ctx;

	(void)t;
	if (sh->messages && write(SYSCALLS_MARK, "", 1) >= 0)
		abort();
}

/* What follows is the virtual pack putting itself away. */
static void on_closing(void *ctx)
{
	((struct shared *)ctx)->quiet = true;
}

static void on_closed(void *ctx)
{
	struct shared *sh = ctx;

	sh->pack = NULL;
	sh->quiet = false;
}

static void run_child(struct court *c)
{
	if (!syscalls_stop_me())
		_exit(SKIPPED);
	world_run(&c->world, BF_JOB_FLASH, NULL, true);
	_exit(c->world.out.rc != BF_OK);
}

/* ---- one point ---- */

struct point {
	unsigned n; /* the call, 0: none */
	enum how how;
};

/* Returns false when there is nothing to do in this way at this call. */
static bool end_it(struct syscalls *s, const struct shared *sh, enum how how)
{
	if (how == HOW_HALF) {
		if (!syscalls_is_file_write(s))
			return false;
		syscalls_half(s);
	} else if (how == HOW_BEHIND) {
		syscalls_finish(s);
	}
	if (sh->pack && !pack_copy_save(s->pid, sh->pack))
		abort();
	syscalls_kill(s);
	return true;
}

/* True: killed there, or with n 0 ended well. */
static bool run_traced(struct court *c, struct shared *sh, const struct point *p,
		       struct syscalls *ret)
{
	unsigned at = 0;

	sh->pack = NULL;
	sh->quiet = false;
	*ret = (struct syscalls){ .quiet = &sh->quiet };
	fflush(stdout);
	ret->pid = fork();
	if (ret->pid == 0)
		run_child(c);
	if (!syscalls_attach(ret))
		exit(SKIPPED);
	while (syscalls_next(ret)) {
		if (++at != p->n)
			continue;
		if (end_it(ret, sh, p->how))
			return true;
		syscalls_kill(ret);
		return false;
	}
	return p->n == 0;
}

static void set_scenario(const struct plan *plan, const struct model *m, struct scenario *sc)
{
	*sc = (struct scenario){
		.model = m,
		.image = "mcuboot/app-1.5.0.signed.bin",
	};
	snprintf(sc->pack, sizeof(sc->pack), "%s,%s", m->pack, plan->small.trust);
}

struct desk { /* one world, and what belongs to it */
	struct court court;
	struct scenario sc;
	struct verdict v;
	struct truth_image images[SMALL_IMAGES];
	struct truth_hooks hooks;
	char record[96], locks[96];
};

static struct desk *desk_new(const struct plan *plan, const struct model *m, struct shared *sh)
{
	struct desk *d = calloc(1, sizeof(*d));
	struct world *w = &d->court.world;
	char path[96];

	if (!d)
		abort();
	set_scenario(plan, m, &d->sc);
	if (!judge_open(&d->court, &d->sc, plan->small.folder, plan->verbose, &d->v))
		abort();
	for (size_t i = 0; i < SMALL_IMAGES; i++)
		d->images[i] =
			(struct truth_image){ plan->small.images[i].p, plan->small.images[i].len };
	d->hooks = (struct truth_hooks){ .opened = on_opened,
					 .sends = on_send,
					 .closing = on_closing,
					 .closed = on_closed,
					 .ctx = sh };
	sh->messages = m->kills == KILLS_MESSAGES;
	snprintf(d->record, sizeof(d->record), "%s/record", w->folder);
	snprintf(d->locks, sizeof(d->locks), "%s/locks", w->folder);
	if (!m->unit) {
		w->guard.images = d->images;
		w->guard.n_images = SMALL_IMAGES;
	}
	w->guard.hooks = &d->hooks;
	w->locks = true;
	w->job.auth_key = NULL;
	w->job.record = d->record;
	w->job.runtime_folder = d->locks;
	snprintf(path, sizeof(path), "%s/pack", w->folder);
	if (!m->unit && !small_put_pack(&plan->small, d->sc.pack, path))
		abort();
	return d;
}

static void desk_free(struct desk *d)
{
	judge_close(&d->court);
	free(d);
}

static enum left what_is_left(const struct truth *t)
{
	if (!t->app)
		return LEFT_NOTHING;
	if (strcmp(t->version, "1.3.0") == 0 || strcmp(t->version, unit_version(UNIT_JK, 0)) == 0 ||
	    strcmp(t->version, unit_version(UNIT_VANMOOF, 0)) == 0)
		return LEFT_OLD;
	return t->confirmed ? LEFT_NEW : LEFT_TRIAL;
}

static void look_around(struct desk *d, struct tally *tally)
{
	struct court *c = &d->court;
	struct bf_err err;

	bf_err_init(&err);
	if (truth_after_power(c->world.plain, &c->world.guard, &c->after, &err))
		judge_wrong(c, "cannot look at the pack: %s", err.cause);
	c->world.dead = !c->after.app;
	tally->left[what_is_left(&c->after)]++;
	if (c->world.sc->model->two_banks && !c->after.app)
		judge_wrong(c, "two banks and none starts");
	if (!whole_files(c->world.folder, &err))
		judge_wrong(c, "%s", err.cause);
}

static void go_on(const struct plan *plan, struct desk *d, unsigned n, struct tally *tally)
{
	struct court *c = &d->court;
	struct bf_err err;
	size_t lines;

	c->world.guard.hooks = NULL;
	if (n % 4 == 2) {
		tally->others++;
		c->new_version = world_other(&c->world, plan->small.folder);
	}
	judge_again(c);
	bf_err_init(&err);
	if (bf_record_check(d->record, &lines, &err))
		judge_wrong(c, "the record: %s", err.cause);
	else if (!lines)
		judge_wrong(c, "the record is empty");
}

static void run_point(const struct plan *plan, const struct model *m, const struct point *p,
		      struct shared *sh, struct tally *tally)
{
	struct desk *d = desk_new(plan, m, sh);
	struct syscalls s;

	if (run_traced(&d->court, sh, p, &s)) {
		tally->points++;
		tally->hows[p->how]++;
		look_around(d, tally);
		go_on(plan, d, p->n, tally);
		tally->ended += !d->v.wrong[0];
	} else if (p->how != HOW_HALF) {
		judge_wrong(&d->court, "the run made fewer calls than before");
	}
	tally->wrong += d->v.wrong[0] != '\0';
	if (d->v.wrong[0])
		printf("# %s, killed %s call %u: %s\n#   again: kills --model %s --point %u --how "
		       "%s -v\n",
		       m->name, hows[p->how], p->n, d->v.wrong, m->name, p->n, hows[p->how]);
	fflush(stdout);
	desk_free(d);
}

/* ---- all points ---- */

static struct shared *share(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static void work(const struct plan *plan, const struct job *job, unsigned me, struct tally *tally)
{
	struct shared *sh = share(sizeof(*sh));
	unsigned first =
		plan->point ? plan->point : 1 + me * job->stride + plan->seed % job->stride;
	unsigned last = plan->point ? plan->point : job->total;

	for (unsigned n = first; n <= last; n += plan->workers * job->stride) {
		for (unsigned how = 0; how < HOW_COUNT; how++) {
			const struct point p = { n, (enum how)how };

			if (plan->how && strcmp(plan->how, hows[how]) != 0)
				continue;
			tally->point = n;
			alarm(POINT_SECONDS);
			run_point(plan, job->model, &p, sh, tally);
		}
	}
	tally->done = true;
}

static void measure(const struct plan *plan, struct job *job)
{
	const struct point none = { 0 };
	struct shared *sh = share(sizeof(*sh));
	struct desk *d = desk_new(plan, job->model, sh);

	if (!run_traced(&d->court, sh, &none, &job->counted))
		abort();
	job->total = job->counted.marks;
	printf("# %-16s calls that write:", job->model->name);
	for (unsigned i = 0; syscalls_name(i); i++) {
		job->total += job->counted.counts[i];
		if (job->counted.counts[i])
			printf(" %u %s,", job->counted.counts[i], syscalls_name(i));
	}
	printf(" %u messages to the pack\n", job->counted.marks);
	desk_free(d);
	munmap(sh, sizeof(*sh));
}

static void add(struct tally *sum, const struct tally *t)
{
	sum->points += t->points;
	sum->others += t->others;
	sum->wrong += t->wrong;
	sum->ended += t->ended;
	for (size_t i = 0; i < HOW_COUNT; i++)
		sum->hows[i] += t->hows[i];
	for (size_t i = 0; i < LEFT_COUNT; i++)
		sum->left[i] += t->left[i];
}

static void show(const struct tally *t, const char *model)
{
	typedef unsigned long long ull;

	printf("# %-16s %llu kills: %llu before a call, %llu with half of the bytes, %llu behind; "
	       "the pack then: %llu old, %llu new on trial, %llu new, %llu nothing; %llu ended "
	       "well, %llu of them with another image; %llu wrong\n",
	       model, (ull)t->points, (ull)t->hows[0], (ull)t->hows[1], (ull)t->hows[2],
	       (ull)t->left[0], (ull)t->left[1], (ull)t->left[2], (ull)t->left[3], (ull)t->ended,
	       (ull)t->others, (ull)t->wrong);
	fflush(stdout);
}

static double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A point is killed in up to three ways, and each is a run and a run again. */
static void set_stride(const struct plan *plan, struct job *job, double cost)
{
	double all = job->total * cost * 5 / plan->workers;

	job->stride = plan->stride;
	if (plan->seconds && all > plan->seconds)
		job->stride = (unsigned)(all / plan->seconds) + 1;
	if (job->stride > 1)
		printf("# %-16s every %u. call, seed %u\n", job->model->name, job->stride,
		       plan->seed);
}

static void run_model(const struct plan *plan, const struct model *m, struct tally *sum)
{
	size_t size = plan->workers * sizeof(struct tally);
	struct tally *tallies = (struct tally *)(void *)share(size), mine = { 0 };
	struct job job = { .model = m };
	double begun = now_seconds();

	measure(plan, &job);
	set_stride(plan, &job, now_seconds() - begun);
	fflush(stdout);
	for (unsigned i = 0; i < plan->workers; i++) {
		if (fork() == 0) {
			work(plan, &job, i, &tallies[i]);
			exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	for (unsigned i = 0; i < plan->workers; i++) {
		add(&mine, &tallies[i]);
		if (tallies[i].done)
			continue;
		mine.wrong++;
		printf("# %s, killed at call %u: crashed or hung\n", m->name, tallies[i].point);
	}
	show(&mine, m->name);
	add(sum, &mine);
	munmap(tallies, size);
}

/* Some containers do not let a process trace its child. */
static bool may_trace(void)
{
	const volatile bool quiet = false;
	struct syscalls s = { .quiet = &quiet, .pid = fork() };
	bool ok;

	if (s.pid == 0)
		_exit(syscalls_stop_me() ? 0 : SKIPPED);
	ok = syscalls_attach(&s);
	if (ok)
		syscalls_kill(&s);
	return ok;
}

static bool read_options(int argc, char **argv, struct plan *plan)
{
	static const struct option options[] = {
		{ "model", required_argument, NULL, 'm' },
		{ "how", required_argument, NULL, 'h' },
		{ "point", required_argument, NULL, 'p' },
		{ "stride", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'S' }, /* which of each stride */
		{ "seconds", required_argument, NULL, 't' },
		{ "workers", required_argument, NULL, 'w' },
		{ "verbose", no_argument, NULL, 'v' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 'm')
			plan->model = optarg;
		else if (c == 'h')
			plan->how = optarg;
		else if (c == 'p')
			plan->point = (unsigned)strtoul(optarg, NULL, 10), plan->workers = 1;
		else if (c == 's')
			plan->stride = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'S')
			plan->seed = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 't')
			plan->seconds = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'w')
			plan->workers = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'v')
			plan->verbose = true;
		else
			return false;
	}
	return optind == argc && plan->stride && plan->workers;
}

int main(int argc, char **argv)
{
	static struct plan plan;
	struct tally sum = { 0 };
	const struct model *m;
	size_t at = 0;

	plan = (struct plan){ .stride = 1, .workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) };
	if (!read_options(argc, argv, &plan)) {
		fprintf(stderr, "kills [--model NAME] [--point N --how before|half|behind [-v]] "
				"[--stride N | --seconds N] [--seed N] [--workers N]\n");
		return 2;
	}
	if (!may_trace()) {
		printf("1..0 # SKIP a process may not trace its child here (ptrace)\n");
		return 0;
	}
	if (!small_make(&plan.small))
		return 1;
	while ((m = model_next(plan.model, &at))) {
		if (m->kills)
			run_model(&plan, m, &sum);
	}
	small_remove(&plan.small);
	show(&sum, "all");
	printf("1..1\n%s 1 killed_at_any_call_that_writes_the_next_run_ends_well\n",
	       sum.wrong || !sum.points ? "not ok" : "ok");
	return sum.wrong || !sum.points;
}
