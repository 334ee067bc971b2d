/* SPDX-License-Identifier: MIT */
/*
 * Thousands of flashes on bad lines and with power that goes, each from a seed: the claims of each run are
 * held against the truth in the pack. A seed gives the same run again, to the last bit:
 *
 *	faults [--runs N] [--first SEED] [--workers N] [--seed SEED [-v]]
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
	const char *data;
	bool verbose;
};

struct tally {         /* of one worker, seen by the parent even when the worker dies */
	uint64_t seed; /* under way */
	uint64_t counts[ENDING_COUNT], wrong;
	uint64_t jobs[SCENARIO_WIRES][TASK_COUNT];
	bool done;
};

static void show(const struct scenario *sc, const struct verdict *v)
{
	printf("# seed %llu (%s over %s; pack %s; cut %s; fault %s; %s): %s\n",
	       (unsigned long long)sc->seed, scenario_task(sc->task), sc->wire, sc->pack,
	       sc->cut[0] ? sc->cut : "none", sc->fault[0] ? sc->fault : "none",
	       strrchr(sc->image, '/') + 1, v->wrong[0] ? v->wrong : "as claimed");
	if (v->wrong[0])
		printf("#   again: faults --seed %llu -v\n", (unsigned long long)sc->seed);
}

static void run_seed(const struct plan *plan, uint64_t seed, struct tally *tally)
{
	struct scenario sc;
	struct verdict v;

	tally->seed = seed;
	scenario_draw(seed, &sc);
	judge(&sc, plan->data, plan->verbose, &v);
	tally->counts[v.ending]++;
	tally->jobs[sc.wire_row][sc.task]++;
	tally->wrong += v.wrong[0] != '\0';
	if (v.wrong[0] || plan->verbose)
		show(&sc, &v);
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
	static const char *const endings[ENDING_COUNT] = {
		[ENDED_NEW] = "new proven",
		[ENDED_OLD] = "old running",
		[ENDED_RECOVERY] = "to recover and recovered",
		[ENDED_UNTOUCHED] = "untouched",
		[ENDED_BACK] = "back as asked",
	};

	for (unsigned w = 0; w < SCENARIO_WIRES; w++) {
		printf("# %-12s", scenario_wire(w));
		for (unsigned j = 0; j < TASK_COUNT; j++)
			printf(" %6llu %s", (unsigned long long)sum->jobs[w][j],
			       scenario_task((enum task)j));
		printf("\n");
	}
	printf("# %llu runs from seed %llu:", (unsigned long long)plan->runs,
	       (unsigned long long)plan->first);
	for (size_t e = 0; e < ENDING_COUNT; e++)
		printf(" %llu %s,", (unsigned long long)sum->counts[e], endings[e]);
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
		for (size_t w = 0; w < SCENARIO_WIRES; w++) {
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
		fprintf(stderr,
			"faults [--runs N] [--first SEED] [--workers N] [--seed SEED [-v]]\n");
		return 2;
	}
	return run_all(&plan);
}
