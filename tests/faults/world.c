/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/run.h"

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
	FILE *f;

	snprintf(w->profile, sizeof(w->profile), "%s/profile.ini", w->folder);
	f = fopen(w->profile, "w");
	if (!f)
		return false;
	fputs(w->sc->profile, f);
	return fclose(f) == 0;
}

bool world_init(struct world *w, const struct scenario *sc, const char *data)
{
	*w = (struct world){ .sc = sc };
	snprintf(w->folder, sizeof(w->folder), "%s/bf-faults-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(w->folder))
		return false;
	snprintf(w->plain, sizeof(w->plain), "state=%s/pack,%s", w->folder, sc->pack);
	w->images[0] = in_data(w->image, sizeof(w->image), data, sc->image);
	w->keys[0] = in_data(w->key, sizeof(w->key), data, "mcuboot/release.pub.pem");
	if (sc->other_key)
		w->keys[1] = in_data(w->other, sizeof(w->other), data, "mcuboot/other.pub.pem");
	w->job = (struct bf_job){
		.node = -1,
		.images = w->images,
		.keys = w->keys,
		.auth_key = in_data(w->auth, sizeof(w->auth), data, "auth/technician.pem"),
		.data_folder = w->folder,
		.tool_version = "test",
		.user = "test",
	};
	w->job.allow[BF_ALLOW_NO_HARDWARE] = sc->no_hardware;
	if (sc->profile && !write_profile(w))
		return false;
	w->job.profile = sc->profile ? w->profile : NULL;
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

void world_run(struct world *w, enum bf_job_kind kind, const char *from, bool faulty)
{
	const struct bf_ports ports = { open_wire, w->locks ? shared_drivers : bf_drivers,
					bf_protos };
	const struct bf_events events = { on_event, w };
	const struct bf_log log = { on_log, w, w->verbose ? BF_LOG_DEBUG : BF_LOG_WARN };
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	const struct scenario *sc = w->sc;

	snprintf(w->address, sizeof(w->address), "%s%s%ssim:%s%s%s",
		 faulty && sc->fault[0] ? "fault:" : "", faulty ? sc->fault : "",
		 faulty && sc->fault[0] ? ":" : "", w->plain, faulty && sc->cut[0] ? "," : "",
		 faulty ? sc->cut : "");
	w->job.iface = w->address;
	w->job.kind = kind;
	w->job.rescue = kind == BF_JOB_FLASH && sc->task == TASK_RESCUE;
	w->job.restore_from = from;
	w->at_close = (struct truth){ 0 };
	w->notices[0] = w->file[0] = '\0';
	if (w->verbose)
		printf("%s --if %s\n", bf_job_name(kind), w->address);
	bf_engine_run(&w->job, &ports, clock, &log, &events, &w->out);
	if (w->verbose)
		show_end(w);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void world_done(struct world *w)
{
	(void)nftw(w->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
