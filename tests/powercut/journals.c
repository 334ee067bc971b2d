/* SPDX-License-Identifier: MIT */
/*
 * A journal that is not as it was written: cut off at every byte, and with every byte changed. The run that
 * finds it takes the interrupted one up or starts over; it trusts nothing that the journal says, and ends well.
 *
 *	journals [--stride N] [--workers N]
 */
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../faults/judge.h"
#include "bmsflash/file.h"
#include "small.h"

#define RUN_SECONDS 60

/* Which run was interrupted, and where: the journal has another story in each. */
static const struct story {
	const char *name, *model, *cut, *reached;
} stories[] = {
	{ "two banks, writing", "uds-hdlc", "cutop=150", "writing" },
	{ "two banks, on trial", "uds-hdlc", "cutmsg=128", "started" },
	{ "one bank, writing", "uds-one-bank", "cutop=150", "writing" },
	{ "dfuse, writing", "dfuse", "cutop=150", "writing" },
};

enum damage { DAMAGE_NONE, DAMAGE_CUT, DAMAGE_CHANGE, DAMAGE_COUNT };

static const char *const damages[DAMAGE_COUNT] = {
	[DAMAGE_NONE] = "as it was written",
	[DAMAGE_CUT] = "cut off",
	[DAMAGE_CHANGE] = "changed",
};

struct blob {
	uint8_t *p;
	size_t len;
};

struct tally {
	uint64_t runs, told, wrong;
	bool done;
};

struct plan {
	unsigned stride, workers;
	struct small small;
};

struct desk {
	struct court court;
	struct scenario sc;
	struct verdict v;
	struct truth_image images[SMALL_IMAGES];
	char journal[512], state[96];
	struct blob journal_was, state_was; /* after the interrupted run */
};

static void put(const char *path, const void *p, size_t len)
{
	struct bf_err err;

	bf_err_init(&err);
	if (bf_file_replace(path, p, len, &err))
		abort();
}

static struct blob take(const char *path)
{
	struct blob b = { 0 };
	struct bf_err err;

	bf_err_init(&err);
	if (bf_file_read(path, 1 << 24, &b.p, &b.len, &err))
		return (struct blob){ 0 };
	return b;
}

/* There is one; its name is the pack's serial number. */
static void find_journal(struct desk *d)
{
	char folder[96];
	struct dirent *e;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/journal", d->court.world.folder);
	dir = opendir(folder);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] != '.')
			snprintf(d->journal, sizeof(d->journal), "%s/%s", folder, e->d_name);
	}
	if (dir)
		closedir(dir);
}

/* A run that was interrupted, and what it left behind. */
static struct desk *desk_new(const struct plan *plan, const struct story *m)
{
	struct desk *d = calloc(1, sizeof(*d));
	struct world *w = &d->court.world;
	size_t at = 0;

	if (!d)
		abort();
	d->sc = (struct scenario){
		.model = model_next(m->model, &at),
		.image = "mcuboot/app-1.5.0.signed.bin",
	};
	snprintf(d->sc.pack, sizeof(d->sc.pack), "%s,%s", d->sc.model->pack, plan->small.trust);
	snprintf(d->sc.cut, sizeof(d->sc.cut), "%s", m->cut);
	if (!judge_open(&d->court, &d->sc, plan->small.folder, false, &d->v))
		abort();
	for (size_t i = 0; i < SMALL_IMAGES; i++)
		d->images[i] =
			(struct truth_image){ plan->small.images[i].p, plan->small.images[i].len };
	w->guard.images = d->images;
	w->guard.n_images = SMALL_IMAGES;
	w->job.auth_key = NULL;
	snprintf(d->state, sizeof(d->state), "%s/pack", w->folder);
	if (!small_put_pack(&plan->small, d->sc.pack, d->state))
		abort();
	world_run(w, BF_JOB_FLASH, NULL, true);
	find_journal(d);
	d->journal_was = take(d->journal);
	d->state_was = take(d->state);
	return d;
}

static void desk_free(struct desk *d)
{
	free(d->journal_was.p);
	free(d->state_was.p);
	judge_close(&d->court);
	free(d);
}

static void damage(const struct desk *d, enum damage how, size_t at)
{
	BF_AUTO_MEM uint8_t *copy = malloc(d->journal_was.len);
	size_t len = d->journal_was.len;

	if (!copy)
		abort();
	memcpy(copy, d->journal_was.p, len);
	if (how == DAMAGE_CUT)
		len = at;
	else if (how == DAMAGE_CHANGE)
		copy[at] ^= (uint8_t)(1u << at % 8);
	put(d->journal, copy, len);
}

/* Taken up when it is whole; told to be of no use when it is not. */
static void run_one(struct desk *d, const struct story *m, enum damage how, size_t at,
		    struct tally *tally)
{
	struct court *c = &d->court;
	bool told;

	alarm(RUN_SECONDS);
	put(d->state, d->state_was.p, d->state_was.len);
	damage(d, how, at);
	judge_again(c);
	told = strstr(c->world.notices, how ? "is of no use" : "it is taken up") != NULL;
	if (!told)
		judge_wrong(c, "nothing is said of the journal");
	tally->runs++;
	tally->told += told;
	tally->wrong += d->v.wrong[0] != '\0';
	if (d->v.wrong[0])
		printf("# %s: the journal %s at byte %zu: %s\n", m->name, damages[how], at,
		       d->v.wrong);
	fflush(stdout);
	d->v.wrong[0] = '\0';
}

static void work(const struct plan *plan, const struct story *m, unsigned me, struct tally *tally)
{
	struct desk *d = desk_new(plan, m);
	char reached[64];

	snprintf(reached, sizeof(reached), "\"reached\":\"%s\"", m->reached);
	if (!d->journal_was.p ||
	    !memmem(d->journal_was.p, d->journal_was.len, reached, strlen(reached))) {
		printf("# %s: the interrupted run left no journal that says so\n", m->name);
		tally->wrong++;
	} else {
		if (me == 0)
			run_one(d, m, DAMAGE_NONE, 0, tally);
		for (size_t at = me * plan->stride; at < d->journal_was.len;
		     at += plan->workers * plan->stride) {
			for (unsigned how = DAMAGE_CUT; how < DAMAGE_COUNT; how++)
				run_one(d, m, (enum damage)how, at, tally);
		}
	}
	desk_free(d);
	tally->done = true;
}

static uint64_t run_model(const struct plan *plan, const struct story *m)
{
	size_t size = plan->workers * sizeof(struct tally);
	struct tally *tallies =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t runs = 0, told = 0, wrong = 0;

	if (tallies == MAP_FAILED)
		abort();
	for (unsigned i = 0; i < plan->workers; i++) {
		if (fork() == 0) {
			work(plan, m, i, &tallies[i]);
			exit(0);
		}
	}
	while (wait(NULL) > 0)
		continue;
	for (unsigned i = 0; i < plan->workers; i++) {
		runs += tallies[i].runs;
		told += tallies[i].told;
		wrong += tallies[i].wrong + !tallies[i].done;
	}
	munmap(tallies, size);
	printf("# %s: %llu runs with a journal that was cut off or changed, %llu say so, %llu "
	       "ended wrong\n",
	       m->name, (unsigned long long)runs, (unsigned long long)told,
	       (unsigned long long)wrong);
	fflush(stdout);
	return runs ? wrong : 1;
}

static bool read_options(int argc, char **argv, struct plan *plan)
{
	static const struct option options[] = {
		{ "stride", required_argument, NULL, 's' },
		{ "workers", required_argument, NULL, 'w' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			plan->stride = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'w')
			plan->workers = (unsigned)strtoul(optarg, NULL, 10);
		else
			return false;
	}
	return optind == argc && plan->stride && plan->workers;
}

int main(int argc, char **argv)
{
	static struct plan plan;
	uint64_t wrong = 0;

	plan = (struct plan){ .stride = 1, .workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) };
	if (!read_options(argc, argv, &plan)) {
		fprintf(stderr, "journals [--stride N] [--workers N]\n");
		return 2;
	}
	if (!small_make(&plan.small))
		return 1;
	for (size_t i = 0; i < BF_COUNT(stories); i++)
		wrong += run_model(&plan, &stories[i]);
	small_remove(&plan.small);
	printf("1..1\n%s 1 a_damaged_journal_is_told_and_not_trusted\n", wrong ? "not ok" : "ok");
	return wrong != 0;
}
