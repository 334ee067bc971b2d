/* SPDX-License-Identifier: MIT */
/*
 * The pack's power goes at every point of a whole flash, one run a point: in the middle of every flash
 * operation and after it, at every request that the pack hears and before every answer that it gives. What the
 * run claims is held against the pack, every start of firmware is looked at, and then a user goes on: with the
 * command that was printed, with the same command, with another image, and some lose the power once more.
 * In the same way the user stops the run at every message that it sends.
 *
 *	cuts [--model NAME] [--by KIND] [--point K [-v]] [--stride N | --seconds N] [--seed N] [--real] [--workers N]
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
#include "small.h"

#define POINT_SECONDS 60 /* a point that takes longer hangs */

static const struct kind {
	const char *name, *key, *more, *what;
	bool ops;
} kinds[BY_COUNT] = {
	[BY_OP] = { "op", "cutop", "", "power gone in the middle of a flash operation", true },
	[BY_AFTER] = { "after", "cutafter", "", "power gone after a flash operation", true },
	[BY_REQUEST] = { "request", "cutmsg", "", "power gone when a request is heard", false },
	[BY_REPLY] = { "reply", "cutreply", "", "power gone before an answer goes out", false },
	[BY_REPOWER] = { "repower", "cutreply", ",repower=500",
			 "power gone before an answer goes out, for half a second", false },
	/* No cut: the user presses Ctrl-C there. */
	[BY_STOP] = { "stop", "seed", "", "stopped by the user at a message", false },
};

struct tally { /* of one worker for one job, seen by the parent even when the worker dies */
	unsigned point; /* under way */
	uint64_t points, counts[ENDING_COUNT], wrong, starts, others, again;
	bool done;
};

struct job {
	const struct model *model;
	enum by by;
	unsigned total; /* points of an undisturbed run */
	unsigned stride;
	double cost; /* seconds of an undisturbed run */
};

struct plan {
	const char *model, *by;
	unsigned point, stride, seed, seconds, workers;
	bool verbose, real;
	struct small small;
	const char *data;
};

/* ---- one point ---- */

struct stop {
	unsigned sent, at; /* at 0: never */
};

static void on_send(void *ctx, struct bf_transport *t)
{
	struct stop *stop = ctx;

	if (++stop->sent == stop->at)
		t->clock->cancelled = true;
}

static void set_cut(const struct job *job, unsigned k, struct scenario *sc)
{
	snprintf(sc->cut, sizeof(sc->cut), "%s=%u%s", kinds[job->by].key, k, kinds[job->by].more);
}

static void set_scenario(const struct plan *plan, const struct job *job, unsigned k,
			 struct scenario *sc)
{
	const struct model *m = job->model;

	*sc = (struct scenario){
		.seed = k,
		.model = m,
		.image = "mcuboot/app-1.5.0.signed.bin",
	};
	snprintf(sc->pack, sizeof(sc->pack), "%s%s%s", m->pack, plan->real ? "" : ",",
		 plan->small.trust);
	if (k)
		set_cut(job, k, sc);
}

/* Its own folder, and in it the pack as the factory made it. */
static bool open_court(const struct plan *plan, const struct scenario *sc, struct court *c,
		       struct truth_image images[SMALL_IMAGES], struct verdict *v)
{
	char path[96];

	if (!judge_open(c, sc, plan->data, plan->verbose, v))
		return false;
	if (plan->real)
		return true;
	c->world.job.auth_key = NULL;
	if (sc->model->unit)
		return true; /* small by nature */
	for (size_t i = 0; i < SMALL_IMAGES; i++)
		images[i] =
			(struct truth_image){ plan->small.images[i].p, plan->small.images[i].len };
	c->world.guard.images = images;
	c->world.guard.n_images = SMALL_IMAGES;
	snprintf(path, sizeof(path), "%s/pack", c->world.folder);
	return small_put_pack(&plan->small, sc->pack, path);
}

/* A different image than the one that was interrupted. */
static void flash_other(const struct plan *plan, struct court *c)
{
	c->new_version = world_other(&c->world, plan->data);
	judge_again(c);
}

/* The second run loses its power, too, somewhere else. */
static void cut_again(const struct job *job, unsigned k, struct scenario *sc, struct court *c)
{
	set_cut(job, 1 + k * 7 % job->total, sc);
	world_run(&c->world, BF_JOB_FLASH, NULL, true);
	c->later = true;
	judge_claims(c);
}

/* One in four tries the same command in its place, without what was printed. */
static bool wants_next(const struct verdict *v)
{
	return v->ending == ENDED_RECOVERY || v->ending == ENDED_UNKNOWN ||
	       v->ending == ENDED_UNPROVEN;
}

static void run_point(const struct plan *plan, const struct job *job, unsigned k,
		      struct tally *tally)
{
	struct truth_image images[SMALL_IMAGES];
	struct court *c = calloc(1, sizeof(*c));
	struct stop stop = { .at = job->by == BY_STOP ? k : 0 };
	const struct truth_hooks hooks = { .sends = on_send, .ctx = &stop };
	struct scenario sc;
	struct verdict v;

	if (!c)
		abort();
	set_scenario(plan, job, k, &sc);
	if (!open_court(plan, &sc, c, images, &v))
		abort();
	c->world.guard.hooks = &hooks;
	world_run(&c->world, BF_JOB_FLASH, NULL, true);
	c->world.guard.hooks = NULL;
	judge_claims(c);
	if (stop.at && c->world.out.rc && c->world.out.rc != BF_E_INTERRUPTED &&
	    !(job->model->power_starts && v.ending == ENDED_NEW))
		judge_wrong(c, "stopped by the user, and it ends as '%s': %s",
			    bf_rc_info(c->world.out.rc)->name, c->world.out.err.cause);
	tally->counts[v.ending]++;
	if (wants_next(&v) && k % 4)
		judge_next(c);
	if (k % 8 == 3 && job->by != BY_STOP) {
		tally->again++;
		cut_again(job, k, &sc, c);
	}
	if (k % 4 == 2 && !plan->real) {
		tally->others++;
		flash_other(plan, c);
	} else {
		judge_again(c);
	}
	tally->points++;
	tally->starts += c->world.guard.starts;
	tally->wrong += v.wrong[0] != '\0';
	if (v.wrong[0])
		printf("# %s, %s %u: %s\n#   again: cuts%s --model %s --by %s --point "
		       "%u "
		       "-v\n",
		       job->model->name, kinds[job->by].what, k, v.wrong,
		       plan->real ? " --real" : "", job->model->name, kinds[job->by].name, k);
	fflush(stdout);
	judge_close(c);
	free(c);
}

/* Flash operations, requests and answers of a run that nothing disturbs. */
static unsigned measure(const struct plan *plan, const struct job *job)
{
	struct truth_image images[SMALL_IMAGES];
	struct court *c = calloc(1, sizeof(*c));
	struct stop stop = { 0 };
	const struct truth_hooks hooks = { .sends = on_send, .ctx = &stop };
	struct scenario sc;
	struct verdict v;
	uint64_t n;

	if (!c)
		abort();
	set_scenario(plan, job, 0, &sc);
	if (!open_court(plan, &sc, c, images, &v))
		abort();
	c->world.guard.hooks = &hooks;
	world_run(&c->world, BF_JOB_FLASH, NULL, false);
	judge_claims(c);
	if (v.ending != ENDED_NEW)
		printf("# %s: an undisturbed run is not proven: %s %s\n", job->model->name, v.wrong,
		       c->world.out.err.cause);
	n = kinds[job->by].ops      ? c->world.at_close.ops
	    : job->by == BY_STOP    ? stop.sent
	    : job->by == BY_REQUEST ? c->world.at_close.messages
				    : c->world.at_close.replies;
	n = v.ending == ENDED_NEW ? n : 0;
	judge_close(c);
	free(c);
	return (unsigned)n;
}

/* ---- all points ---- */

static void work(const struct plan *plan, const struct job *job, unsigned me, struct tally *tally)
{
	unsigned first = plan->point ? plan->point : 1;
	unsigned last = plan->point ? plan->point : job->total;

	if (!plan->point)
		first += plan->seed % job->stride;
	for (unsigned k = first + me * job->stride; k <= last; k += plan->workers * job->stride) {
		tally->point = k;
		alarm(POINT_SECONDS);
		run_point(plan, job, k, tally);
	}
	tally->done = true;
}

static void add(struct tally *sum, const struct tally *t, const struct job *job)
{
	sum->points += t->points;
	sum->starts += t->starts;
	sum->others += t->others;
	sum->again += t->again;
	sum->wrong += t->wrong;
	for (size_t e = 0; e < ENDING_COUNT; e++)
		sum->counts[e] += t->counts[e];
	if (t->done)
		return;
	sum->wrong++;
	printf("# %s, %s %u: crashed or hung\n", job->model->name, kinds[job->by].what, t->point);
}

static void show(const struct tally *t, const char *model, const char *what)
{
	typedef unsigned long long ull;

	printf("# %-16s %s: %llu points:", model, what, (ull)t->points);
	for (size_t e = 0; e < ENDING_COUNT; e++)
		if (t->counts[e])
			printf(" %llu %s,", (ull)t->counts[e], judge_ending((enum ending)e));
	printf(" then %llu with another image, %llu cut again; %llu starts of firmware looked at; "
	       "%llu not as claimed\n",
	       (ull)t->others, (ull)t->again, (ull)t->starts, (ull)t->wrong);
	fflush(stdout);
}

static void run_job(const struct plan *plan, struct job *job, struct tally *sum)
{
	size_t size = plan->workers * sizeof(struct tally);
	struct tally *tallies =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct tally mine = { .done = true };

	if (tallies == MAP_FAILED)
		abort();
	mine.wrong = !job->total;
	for (unsigned i = 0; i < plan->workers; i++) {
		if (fork() == 0) {
			work(plan, job, i, &tallies[i]);
			exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	for (unsigned i = 0; i < plan->workers; i++)
		add(&mine, &tallies[i], job);
	show(&mine, job->model->name, kinds[job->by].what);
	add(sum, &mine, job);
	munmap(tallies, size);
}

static double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* So many that all kinds together take about plan->seconds; a point is up to three runs, of which most are short. */
static void set_strides(const struct plan *plan, struct job *jobs, size_t n)
{
	double all = 0;

	for (size_t i = 0; i < n; i++)
		all += (double)jobs[i].total * jobs[i].cost * 2 / plan->workers;
	for (size_t i = 0; i < n; i++) {
		jobs[i].stride = plan->stride;
		if (plan->seconds && all > plan->seconds)
			jobs[i].stride = (unsigned)(all / plan->seconds) + 1;
	}
	if (n && jobs->stride > 1)
		printf("# %-16s every %u. point, seed %u\n", jobs->model->name, jobs->stride,
		       plan->seed);
}

static void run_model(const struct plan *plan, const struct model *m, struct tally *sum)
{
	struct job jobs[BY_COUNT];
	size_t n = 0;

	for (unsigned by = 0; by < BY_COUNT; by++) {
		double begun = now_seconds();

		if ((plan->by && strcmp(plan->by, kinds[by].name) != 0) || !(m->cuts >> by & 1))
			continue;
		jobs[n] = (struct job){ .model = m, .by = (enum by)by };
		jobs[n].total = measure(plan, &jobs[n]);
		jobs[n++].cost = now_seconds() - begun;
	}
	set_strides(plan, jobs, n);
	for (size_t i = 0; i < n; i++)
		run_job(plan, &jobs[i], sum);
}

static int run_all(const struct plan *plan)
{
	struct tally sum = { 0 };
	const struct model *m;
	size_t at = 0;

	while ((m = model_next(plan->model, &at)))
		run_model(plan, m, &sum);
	show(&sum, "all", plan->real ? "realistic image" : "small image");
	printf("1..1\n%s 1 the_pack_ends_with_working_firmware_wherever_its_power_goes\n",
	       sum.wrong || !sum.points ? "not ok" : "ok");
	return sum.wrong || !sum.points;
}

static bool read_options(int argc, char **argv, struct plan *plan)
{
	static const struct option options[] = {
		{ "model", required_argument, NULL, 'm' },
		{ "by", required_argument, NULL, 'b' },
		{ "point", required_argument, NULL, 'p' },
		{ "stride", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'S' }, /* which of each stride */
		{ "seconds", required_argument, NULL, 't' },
		{ "workers", required_argument, NULL, 'w' },
		{ "real", no_argument, NULL, 'r' },
		{ "verbose", no_argument, NULL, 'v' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 'm')
			plan->model = optarg;
		else if (c == 'b')
			plan->by = optarg;
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
		else if (c == 'r')
			plan->real = true;
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
	const char *data = getenv("BF_TEST_DATA");
	int status;

	plan = (struct plan){ .stride = 1, .workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) };
	if (!read_options(argc, argv, &plan)) {
		fprintf(stderr, "cuts [--model NAME] [--by op|after|request|reply|repower|stop] "
				"[--point K [-v]] [--stride N | --seconds N] [--seed N] [--real] "
				"[--workers N]\n");
		return 2;
	}
	plan.data = data ? data : "tests/data";
	if (!plan.real && !small_make(&plan.small))
		return 1;
	if (!plan.real)
		plan.data = plan.small.folder;
	status = run_all(&plan);
	if (!plan.real)
		small_remove(&plan.small);
	return status;
}
