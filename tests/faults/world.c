/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "engine/run.h"
#include "maker.h"

static void on_event(void *ctx, const struct bf_event *ev)
{
	struct world *w = ctx;
	double t = (double)(ev->wall_us % 10000000000) / 1e6;
	size_t at = strlen(w->notices);

	if (ev->kind == BF_EV_NOTICE || ev->kind == BF_EV_WARNING)
		snprintf(w->notices + at, sizeof(w->notices) - at, "%s\n", ev->text);
	if (ev->kind == BF_EV_FILE)
		snprintf(w->file, sizeof(w->file), "%s", ev->file.path);
	if (!w->verbose)
		return;
	switch ((int)ev->kind) {
	case BF_EV_PHASE:
		printf("  %11.4f -- %s\n", t, ev->phase.name);
		break;
	case BF_EV_NOTICE:
	case BF_EV_WARNING:
	case BF_EV_RETRY:
	case BF_EV_TRIED:
		printf("  %11.4f %s\n", t, ev->text);
		break;
	case BF_EV_SELF_TEST:
	case BF_EV_CHECK:
		printf("  %11.4f %s: %s, %s (%s)\n", t, ev->check->name,
		       bf_verdict_name(ev->check->verdict), ev->check->got, ev->check->limit);
		break;
	default:
		break;
	}
}

static void on_log(void *ctx, enum bf_log_level level, const char *text)
{
	const struct world *w = ctx;

	if (w->verbose)
		printf("              %c %s\n", level == BF_LOG_DEBUG ? '.' : '!', text);
}

static enum bf_rc open_wire(const struct bf_open_env *env, const char *address,
			    struct bf_transport **ret, struct bf_err *err)
{
	struct world *w = env->log->ctx; /* the door's only way to know whose wire it opens */
	const char *sim = strstr(address, "sim:");
	enum bf_rc rc = truth_open(env, sim, &w->at_close, &w->guard, ret, err);

	/* A virtual wire has a clock of its own. */
	if (!rc && w->longest)
		bf_vclock_end_at((*ret)->clock, w->longest);
	if (rc || sim == address)
		return rc;
	return bf_fault_wrap(*ret, w->sc->fault, ret, err);
}

static const char *in_data(char *dst, size_t cap, const char *folder, const char *name)
{
	snprintf(dst, cap, "%s/%s", folder, name);
	return dst;
}

static bool write_profile(struct world *w)
{
	const struct model *m = w->sc->model;
	bool ok = true;
	FILE *f;

	snprintf(w->profile, sizeof(w->profile), "%s/profile.ini", w->folder);
	f = fopen(w->profile, "w");
	if (!f)
		return false;
	if (m->maker)
		ok = maker_driver(w->folder) && maker_profile(m->maker, m->profile, w->folder, f);
	else
		fputs(m->profile, f);
	return fclose(f) == 0 && ok;
}

/* What is typed beside the files and the interface. */
static bool parse_words(struct world *w)
{
	const char *argv[24] = { "flash", "--if", "sim" };
	const char *words = w->sc->model->words;
	char *save = NULL;
	struct bf_err err;
	int n = 3;

	bf_err_init(&err);
	snprintf(w->line, sizeof(w->line), "%s", words ? words : "");
	for (char *p = strtok_r(w->line, " ", &save); p && n < 22; p = strtok_r(NULL, " ", &save))
		argv[n++] = p;
	argv[n++] = w->image;
	if (bf_parse(n, argv, &w->opts, &err)) {
		fprintf(stderr, "%s: %s\n", w->sc->model->name, err.cause);
		return false;
	}
	bf_opts_job(&w->opts, &w->claim, &w->job);
	return true;
}

static void set_places(const struct world *w, struct bf_job *job)
{
	job->data_folder = w->folder;
	job->tool_version = "test";
	job->user = "test";
}

void world_image(struct world *w, const char *path)
{
	struct bf_err err;
	size_t len = 0;

	bf_err_init(&err);
	free(w->wanted);
	w->wanted = NULL;
	snprintf(w->image, sizeof(w->image), "%s", path);
	if (bf_file_read(w->image, 1 << 24, &w->wanted, &len, &err))
		fprintf(stderr, "%s\n", err.cause);
	w->guard.wanted = (struct truth_image){ w->wanted, len };
}

/* A unit of a maker's, and what may run in it. */
static bool init_unit(struct world *w)
{
	enum unit unit = w->sc->model->unit;
	char path[96];

	for (unsigned i = 0; i < UNIT_IMAGES; i++) {
		unit_image(unit, i, w->units[i]);
		w->unit_images[i] = (struct truth_image){ w->units[i], UNIT_LEN };
	}
	w->guard.unit = unit;
	w->guard.images = w->unit_images;
	w->guard.n_images = UNIT_IMAGES;
	snprintf(path, sizeof(path), "%s/pack", w->folder);
	return unit_files(unit, w->folder) && unit_put(unit, w->sc->pack, path);
}

const char *world_other(struct world *w, const char *data)
{
	enum unit unit = w->sc->model->unit;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", unit ? w->folder : data,
		 unit ? "unit-2.bin" : "mcuboot/app-1.6.0.signed.bin");
	world_image(w, path);
	return unit ? unit_version(unit, 2) : "1.6.0";
}

bool world_init(struct world *w, const struct scenario *sc, const char *data)
{
	char path[256];

	*w = (struct world){ .sc = sc };
	snprintf(w->folder, sizeof(w->folder), "%s/bf-faults-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(w->folder))
		return false;
	snprintf(w->plain, sizeof(w->plain), "state=%s/pack,%s", w->folder, sc->pack);
	if (sc->model->unit && !init_unit(w))
		return false;
	world_image(w, sc->model->unit ? in_data(path, sizeof(path), w->folder, "unit-1.bin")
				       : in_data(path, sizeof(path), data, sc->image));
	if (!parse_words(w))
		return false;
	w->images[0] = w->image;
	w->keys[0] = in_data(w->key, sizeof(w->key), data, "mcuboot/release.pub.pem");
	if (sc->other_key)
		w->keys[1] = in_data(w->other, sizeof(w->other), data, "mcuboot/other.pub.pem");
	w->job.images = w->images;
	w->job.keys = w->keys;
	w->job.auth_key = in_data(w->auth, sizeof(w->auth), data, "auth/technician.pem");
	set_places(w, &w->job);
	if (!sc->model->profile && !sc->model->maker)
		return true;
	if (sc->model->maker) /* its program has the key */
		w->job.auth_key = NULL;
	if (sc->model->maker)
		w->keys[1] = in_data(w->other, sizeof(w->other), w->folder, MAKER_KEY);
	if (!write_profile(w))
		return false;
	w->job.profile = w->profile;
	return true;
}

static void show_end(const struct world *w)
{
	const struct bf_err *e = &w->out.err;
	const struct truth *t = &w->at_close;

	printf("=> %s, %s: %s\n", bf_rc_info(w->out.rc)->name, bf_state_name(w->out.state),
	       w->out.sentence);
	if (w->out.rc) {
		printf("   cause: %s\n", e->cause);
		for (size_t i = 0; i < e->n_trail; i++)
			printf("   while: %s\n", e->trail[i]);
		for (size_t i = 0; i < e->n_likely; i++)
			printf("   likely: %s\n", e->likely[i]);
		printf("   next: %s\n", e->next);
	}
	printf("   in truth: %s%s%s%s\n", t->powered ? "" : "off ", t->version,
	       t->app && !t->confirmed ? " on trial" : "", t->app && !t->sound ? " NOT SOUND" : "");
}

/* The virtual pack, as an interface that others might use. */
static const struct bf_driver *const *shared_drivers(void)
{
	static struct bf_driver sim;
	static const struct bf_driver *const list[] = { &sim, NULL };

	for (const struct bf_driver *const *d = bf_drivers(); *d; d++) {
		if (strcmp((*d)->name, "sim") == 0)
			sim = **d;
	}
	sim.is_virtual = false;
	return list;
}

static void run_job(struct world *w, const struct bf_job *job)
{
	const struct bf_ports ports = { open_wire, w->locks ? shared_drivers : bf_drivers,
					bf_protos };
	const struct bf_events events = { on_event, w };
	const struct bf_log log = { on_log, w, w->verbose ? BF_LOG_DEBUG : BF_LOG_WARN };
	BF_AUTO(bf_clock) *clock = bf_vclock_new();

	w->at_close = (struct truth){ 0 };
	w->notices[0] = w->file[0] = '\0';
	if (w->verbose)
		printf("%s --if %s\n", bf_job_name(job->kind), w->address);
	bf_engine_run(job, &ports, clock, &log, &events, &w->out);
	w->elapsed = w->at_close.at;
	if (w->verbose)
		show_end(w);
}

static void set_address(struct world *w, bool faulty)
{
	const struct scenario *sc = w->sc;

	const char *held = sc->model->held;

	snprintf(w->address, sizeof(w->address), "%s%s%ssim:%s%s%s%s%s",
		 faulty && sc->fault[0] ? "fault:" : "", faulty ? sc->fault : "",
		 faulty && sc->fault[0] ? ":" : "", w->plain, held ? "," : "", held ? held : "",
		 faulty && sc->cut[0] ? "," : "", faulty ? sc->cut : "");
}

void world_switched_on(struct world *w)
{
	char *at = strstr(w->plain, ",poweron="), *end = at ? strchr(at + 1, ',') : NULL;

	if (at && end)
		memmove(at, end, strlen(end) + 1);
	else if (at)
		*at = '\0';
}

void world_run(struct world *w, enum bf_job_kind kind, const char *from, bool faulty)
{
	set_address(w, faulty);
	w->job.iface = w->address;
	w->job.kind = kind;
	w->job.rescue = kind == BF_JOB_FLASH && (w->sc->task == TASK_RESCUE ||
						 (w->dead && w->sc->model->dead_needs_rescue));
	w->job.restore_from = from;
	run_job(w, &w->job);
}

/* ---- typing ---- */

#define WORDS_MAX 40

/* As a shell cuts a line up, in place: quotes, backslashes, $'...' and comments. False: it would not take it so. */
static bool cut_up(char *line, const char *argv[WORDS_MAX], int *ret_n)
{
	char *to = line;
	int n = 0;

	for (char *p = line; *p;) {
		while (*p == ' ')
			p++;
		if (!*p || *p == '#')
			break;
		if (n == WORDS_MAX)
			return false;
		argv[n++] = to;
		while (*p && *p != ' ') {
			if (*p == '\'') {
				for (p++; *p && *p != '\''; p++)
					*to++ = *p;
				if (!*p++)
					return false;
			} else if (*p == '\\' && p[1]) {
				*to++ = p[1];
				p += 2;
			} else if (strchr("\"`$;&|<>()*?[~", *p)) {
				return false; /* a shell makes something else of it */
			} else {
				*to++ = *p++;
			}
		}
		p += *p == ' ';
		*to++ = '\0';
	}
	*ret_n = n;
	return n > 0;
}

static bool no_command(char why[256], const char *what, const char *command)
{
	snprintf(why, 256, "%s: '%.180s'", what, command);
	return false;
}

bool world_type(struct world *w, const char *command, enum bf_job_kind *ret_kind, char ret_why[256])
{
	char line[1024];
	const char *argv[WORDS_MAX];
	struct bf_claim_opts claim;
	struct bf_opts opts = { 0 };
	struct bf_job job;
	struct bf_err err;
	bool held;
	int n = 0;

	bf_err_init(&err);
	snprintf(line, sizeof(line), "%s", command);
	if (!cut_up(line, argv, &n))
		return no_command(ret_why, "no command that a shell takes", command);
	if (strcmp(argv[0], "bmsflash") != 0)
		return no_command(ret_why, "no command of ours", command);
	if (bf_parse(n - 1, argv + 1, &opts, &err)) {
		snprintf(ret_why, 256, "'%.120s': %.120s", command, err.cause);
		return false;
	}
	if (!opts.iface || strcmp(opts.iface, w->address) != 0) {
		bf_opts_done(&opts);
		return no_command(ret_why, "for another interface", command);
	}
	bf_opts_job(&opts, &claim, &job);
	/* The line is good now, the pack keeps its power, and what was to be done by hand is done. */
	held = opts.rescue && strstr(w->out.err.todo, "BOOT0");
	set_address(w, false);
	if (held)
		strcat(w->address, ",boot0=hand");
	job.iface = w->address;
	job.runtime_folder = w->job.runtime_folder;
	set_places(w, &job);
	*ret_kind = job.kind;
	if (w->verbose)
		printf("TYPED %s\n", command);
	run_job(w, &job);
	bf_opts_done(&opts);
	return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void world_done(struct world *w)
{
	free(w->wanted);
	bf_opts_done(&w->opts);
	(void)nftw(w->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
