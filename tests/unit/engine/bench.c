/* SPDX-License-Identifier: MIT */
/* The bench: a job with the pack in memory behind its ports, and what the job told. */
#include "pack.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

struct pack *pack_behind_the_door;
struct bf_proto_ops bench_stranger;

/* ---- the wire: it only has settings ---- */

static enum bf_rc t_set_line(struct bf_transport *t, const struct bf_line *line, struct bf_err *err)
{
	(void)t, (void)line, (void)err;
	return BF_OK;
}

static void t_report(struct bf_transport *t, struct bf_line_report *ret)
{
	(void)t;
	*ret = (struct bf_line_report){ .real_baud = 115200, .latency_timer_ms = -1 };
}

static void t_close(struct bf_transport *t)
{
	(void)t;
}

static const struct bf_stream_ops stream_ops = { .set_line = t_set_line, .report = t_report };
static const struct bf_transport_ops wire_ops = {
	.name = "fake", .wire = BF_WIRE_STREAM, .stream = &stream_ops, .close = t_close
};

static enum bf_rc door_open(const struct bf_open_env *env, const char *address,
			    struct bf_transport **ret, struct bf_err *err)
{
	struct pack *pack = pack_behind_the_door;

	if (strcmp(address, "absent") == 0)
		return bf_fail(err, BF_E_IFACE, "there is no interface '%s'", address);
	pack->transport.ops = &wire_ops;
	pack->transport.clock = env->clock;
	snprintf(pack->transport.name, sizeof(pack->transport.name), "%s", address);
	*ret = &pack->transport;
	return BF_OK;
}

static void list_one(void (*found)(void *ctx, const struct bf_candidate *c), void *ctx)
{
	const struct bf_candidate c = { .address = "fake0", .what = "a pack", .usable = true };

	found(ctx, &c);
}

static bool match_shared(const char *address)
{
	return strncmp(address, "own-world", 9) == 0;
}

static const struct bf_driver fake_driver = {
	.name = "fake", .list = list_one, .is_virtual = true, .match = match_shared
};

static const struct bf_driver *const *door_drivers(void)
{
	static const struct bf_driver *const rows[] = { &fake_driver, NULL };

	return rows;
}

static const struct bf_proto_ops *const *door_protos(void)
{
	static const struct bf_proto_ops *rows[3];
	size_t n = 0;

	if (bench_stranger.name) /* listed first, asked last or not at all */
		rows[n++] = &bench_stranger;
	rows[n++] = &pack_memory_ops;
	rows[n] = NULL;
	return rows;
}

/* ---- bench ---- */

static void note_check(struct bench *b, const struct bf_check *check)
{
	size_t end = strlen(b->checks);

	snprintf(b->checks + end, sizeof(b->checks) - end, " %s ", check->name);
	if (check->verdict == BF_VERDICT_FAIL)
		snprintf(b->failed_check, sizeof(b->failed_check), "%s", check->name);
	if (check->verdict == BF_VERDICT_ALLOWED)
		snprintf(b->allowed_check, sizeof(b->allowed_check), "%s", check->name);
	if (check->verdict == BF_VERDICT_UNKNOWN) {
		size_t at = strlen(b->unknown_checks);

		snprintf(b->unknown_checks + at, sizeof(b->unknown_checks) - at, "%s=%s ",
			 check->name, check->got);
	}
}

static void note_text(struct bench *b, const char *text)
{
	size_t at = strlen(b->notices);

	snprintf(b->last_notice, sizeof(b->last_notice), "%s", text);
	snprintf(b->notices + at, sizeof(b->notices) - at, "%s\n", text);
}

static void on_event(void *ctx, const struct bf_event *ev)
{
	struct bench *b = ctx;

	b->events[ev->kind]++;
	if (ev->kind == BF_EV_RETRY) {
		b->next_try = ev->retry.next;
		b->most_tries = ev->retry.most;
	}
	if (ev->kind == BF_EV_CHECK || ev->kind == BF_EV_SELF_TEST)
		note_check(b, ev->check);
	else if (ev->kind == BF_EV_NOTICE || ev->kind == BF_EV_WARNING || ev->kind == BF_EV_RETRY)
		note_text(b, ev->text);
	else if (ev->kind == BF_EV_FILE)
		snprintf(b->file, sizeof(b->file), "%s", ev->file.path);
	else if (ev->kind == BF_EV_PLAN)
		b->plan = *ev->plan;
	else if (ev->kind == BF_EV_SUMMARY)
		b->summary = *ev->summary;
	else if (ev->kind == BF_EV_PROGRESS) {
		if (ev->progress->percent < b->percent - 0.001)
			b->went_back_in_percent = true;
		b->percent = ev->progress->percent;
		if (strcmp(ev->progress->phase, "writing") == 0 &&
		    ev->progress->rate > b->writing_rate)
			b->writing_rate = ev->progress->rate;
	}
}

void bench_init(struct bench *b, enum pack_kind kind, const char *running, const char *image)
{
	memset(b, 0, sizeof(*b));
	/* In memory where there is such a place: hundreds of runs each bring files to the disk. */
	snprintf(b->folder, sizeof(b->folder), "%s/bf-engine-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(b->folder));
	b->clock = bf_vclock_new();
	pack_init(&b->pack, kind, &b->flash);
	b->pack.clock = b->clock;
	if (running) {
		pack_learn(&b->pack, running);
		pack_load(&b->pack, 0, running);
	}
	b->flash.in_loader = !running;
	if (image) {
		if (!running || strcmp(running, image) != 0)
			pack_learn(&b->pack, image);
		b->images[0] = data_path(b->image_path, image);
	}
	b->keys[0] = data_path(b->key_path, "release.pub.pem");
	b->job = (struct bf_job){
		.kind = BF_JOB_FLASH,
		.iface = "fake0",
		.node = -1,
		.images = b->images,
		.keys = b->keys,
		.data_folder = b->folder,
		.tool_version = "test",
		.user = "technician",
	};
}

void bench_run(struct bench *b)
{
	struct bf_ports doors = { 0 };
	const struct bf_events events = { on_event, b };

	if (b->computer)
		doors = *b->computer;
	doors.open = door_open;
	doors.drivers = door_drivers;
	doors.protos = door_protos;
	pack_behind_the_door = &b->pack;
	bf_engine_run(&b->job, &doors, b->clock, NULL, &events, &b->out);
}

void bench_again(struct bench *b)
{
	pack_power_up(&b->pack);
	b->clock->cancelled = false;
	b->percent = 0;
	memset(b->events, 0, sizeof(b->events));
	b->notices[0] = b->unknown_checks[0] = b->failed_check[0] = b->allowed_check[0] =
		b->file[0] = '\0';
	bench_run(b);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void bench_done(struct bench *b)
{
	pack_done(&b->pack);
	bf_clock_free(b->clock);
	assert_int_equal(nftw(b->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void assert_ended(const struct bench *b, enum bf_rc rc, enum bf_state state)
{
	if (b->out.rc != rc || b->out.state != state)
		fail_msg("ended %s/%s '%s' cause '%s' trail '%s' notices:\n%s",
			 bf_rc_info(b->out.rc)->name, bf_state_name(b->out.state), b->out.sentence,
			 b->out.err.cause, b->out.err.n_trail ? b->out.err.trail[0] : "",
			 b->notices);
}
