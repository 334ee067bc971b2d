/* SPDX-License-Identifier: MIT */
/*
 * Thousands of flashes on bad lines and with power that goes, each from a seed: the claims of each run are
 * held against the truth in the pack. A seed gives the same run again, to the last bit:
 *
 *	faults [--runs N] [--first SEED] [--workers N] [--model NAME] [--seed SEED [-v]]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "judge.h"

#define SEED_SECONDS 120 /* a run that takes longer hangs */

struct plan {
	uint64_t first, runs;
	unsigned workers;
	const char *data, *model;
	bool verbose;
};

struct tally {         /* of one worker, seen by the parent even when the worker dies */
	uint64_t seed; /* under way */
	uint64_t counts[ENDING_COUNT], wrong;
	uint64_t jobs[MODELS_MAX][TASK_COUNT];
	bool done;
};

static void show(const struct plan *plan, const struct scenario *sc, const struct verdict *v)
{
	printf("# seed %llu (%s over %s; pack %s; cut %s; fault %s; %s): %s\n",
	       (unsigned long long)sc->seed, scenario_task(sc->task), sc->model->name, sc->pack,
	       sc->cut[0] ? sc->cut : "none", sc->fault[0] ? sc->fault : "none",
	       strrchr(sc->image, '/') + 1, v->wrong[0] ? v->wrong : "as claimed");
	if (v->wrong[0])
		printf("#   again: faults%s%s --seed %llu -v\n", plan->model ? " --model " : "",
		       plan->model ? plan->model : "", (unsigned long long)sc->seed);
}

static void run_seed(const struct plan *plan, uint64_t seed, struct tally *tally)
{
	struct scenario sc;
	struct verdict v;

	tally->seed = seed;
	scenario_draw(seed, plan->model, &sc);
	if (!sc.model)
		abort(); /* no such model, or none whose lines may be bad */
	judge(&sc, plan->data, plan->verbose, &v);
	tally->counts[v.ending]++;
	for (size_t i = 0; model_row(i); i++)
		tally->jobs[i][sc.task] += model_row(i) == sc.model;
	tally->wrong += v.wrong[0] != '\0';
	if (v.wrong[0] || plan->verbose)
		show(plan, &sc, &v);
	fflush(stdout);
}

static void work(const struct plan *plan, unsigned me, struct tally *tally)
{
	for (uint64_t i = me; i < plan->runs; i += plan->workers) {
		alarm(SEED_SECONDS);
		run_seed(plan, plan->first + i, tally);
	}
	tally->done = true;
}

static struct tally *share_tallies(const struct plan *plan)
{
	struct tally *t = mmap(NULL, plan->workers * sizeof(*t), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		abort();
	return t;
}

/* Which wires and loaders did what, and how it ended. */
static void show_sum(const struct plan *plan, const struct tally *sum)
{
	for (size_t w = 0; model_row(w); w++) {
		if (!sum->jobs[w][TASK_FLASH])
			continue;
		printf("# %-16s", model_row(w)->name);
		for (unsigned j = 0; j < TASK_COUNT; j++)
			printf(" %6llu %s", (unsigned long long)sum->jobs[w][j],
			       scenario_task((enum task)j));
		printf("\n");
	}
	printf("# %llu runs from seed %llu:", (unsigned long long)plan->runs,
	       (unsigned long long)plan->first);
	for (size_t e = 0; e < ENDING_COUNT; e++)
		printf(" %llu %s,", (unsigned long long)sum->counts[e],
		       judge_ending((enum ending)e));
	printf(" %llu not as claimed\n", (unsigned long long)sum->wrong);
}

static int run_all(const struct plan *plan)
{
	struct tally *tallies = share_tallies(plan), sum = { 0 };

	for (unsigned i = 0; i < plan->workers; i++) {
		if (fork() == 0) {
			work(plan, i, &tallies[i]);
			exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	for (unsigned i = 0; i < plan->workers; i++) {
		const struct tally *t = &tallies[i];

		sum.wrong += t->wrong;
		for (size_t w = 0; w < MODELS_MAX; w++) {
			for (size_t j = 0; j < TASK_COUNT; j++)
				sum.jobs[w][j] += t->jobs[w][j];
		}
		for (size_t e = 0; e < ENDING_COUNT; e++)
			sum.counts[e] += t->counts[e];
		if (t->done)
			continue;
		sum.wrong++;
		printf("# seed %llu: crashed or hung\n", (unsigned long long)t->seed);
	}
	show_sum(plan, &sum);
	printf("1..1\n%s 1 every_claim_agrees_with_the_truth_in_the_pack\n",
	       sum.wrong ? "not ok" : "ok");
	return sum.wrong ? 1 : 0;
}

static bool read_options(int argc, char **argv, struct plan *plan)
{
	static const struct option options[] = {
		{ "runs", required_argument, NULL, 'n' },
		{ "first", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "model", required_argument, NULL, 'm' },
		{ "workers", required_argument, NULL, 'w' },
		{ "verbose", no_argument, NULL, 'v' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 'n')
			plan->runs = strtoull(optarg, NULL, 10);
		else if (c == 'f')
			plan->first = strtoull(optarg, NULL, 10);
		else if (c == 'm')
			plan->model = optarg;
		else if (c == 'w')
			plan->workers = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 's')
			plan->first = strtoull(optarg, NULL, 10), plan->runs = 1;
		else if (c == 'v')
			plan->verbose = true;
		else
			return false;
	}
	return optind == argc && plan->runs && plan->workers;
}

int main(int argc, char **argv)
{
	const char *data = getenv("BF_TEST_DATA");
	struct plan plan = {
		.first = 1,
		.runs = 300,
		.workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
		.data = data ? data : "tests/data",
	};

	if (!read_options(argc, argv, &plan)) {
		fprintf(stderr, "faults [--runs N] [--first SEED] [--workers N] [--model NAME] "
				"[--seed SEED [-v]]\n");
		return 2;
	}
	return run_all(&plan);
}
