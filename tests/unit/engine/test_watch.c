/* SPDX-License-Identifier: MIT */
/*
 * Conditions that leave the limits while flash is written, over the virtual pack on a slow line: 42 KiB at
 * 9600 Bd take some 45 s from the tenth second on.
 */
#include "../unit.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "source/source.h"
#include "engine/run.h"

struct bench {
	struct bf_clock *clock; /* the caller's: the pack brings its own */
	struct bf_job job;
	struct bf_outcome out;
	char folder[64], profile[128], iface[256];
	char data[2][256];
	const char *images[2], *keys[2];
	/* what was seen */
	unsigned warnings, failed, allowed, alive;
	char warning[512], notice[2048];
	int64_t began, warned_at; /* wall time */
	bool cancel;              /* as soon as the pause is told */
};

static void on_event(void *ctx, const struct bf_event *ev)
{
	struct bench *b = ctx;
	size_t n = strlen(b->notice);

	if (ev->kind == BF_EV_START)
		b->began = ev->wall_us;
	if (ev->kind == BF_EV_NOTICE)
		snprintf(b->notice + n, sizeof(b->notice) - n, "%s\n", ev->text);
	if (ev->kind == BF_EV_ALIVE && strstr(ev->text, "writing pauses"))
		b->alive++;
	if (ev->kind == BF_EV_CHECK && strcmp(ev->check->name, "backup") != 0) {
		b->failed += ev->check->verdict == BF_VERDICT_FAIL;
		b->allowed += ev->check->verdict == BF_VERDICT_ALLOWED;
	}
	if (ev->kind == BF_EV_WARNING && strstr(ev->text, "writing")) {
		b->warnings++;
		b->warned_at = ev->wall_us;
		snprintf(b->warning, sizeof(b->warning), "%s", ev->text);
		b->clock->cancelled = b->cancel;
	}
}

static const char *data_path(char dst[256], const char *name)
{
	snprintf(dst, 256, "%s/mcuboot/%s", getenv("BF_TEST_DATA"), name);
	return dst;
}

static void start(struct bench *b, const char *keys, const char *profile)
{
	FILE *f;

	memset(b, 0, sizeof(*b));
	strcpy(b->folder, "/tmp/bf-watch-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->profile, sizeof(b->profile), "%s/p.ini", b->folder);
	f = fopen(b->profile, "w");
	fprintf(f, "[rs485]\nbaud = 9600\n%s", profile);
	fclose(f);
	snprintf(b->iface, sizeof(b->iface),
		 "sim:link=rs485,rate=9600,quirk=noread,state=%s/flash,%s", b->folder, keys);
	b->images[0] = data_path(b->data[0], "app-1.5.0.signed.bin");
	b->keys[0] = data_path(b->data[1], "release.pub.pem");
	b->clock = bf_vclock_new();
	b->job = (struct bf_job){
		.kind = BF_JOB_FLASH,
		.iface = b->iface,
		.profile = b->profile,
		.node = -1,
		.images = b->images,
		.keys = b->keys,
		.baud = 9600,
		.data_folder = b->folder,
		.runtime_folder = b->folder,
		.tool_version = "test",
		.user = "technician",
	};
	b->job.allow[BF_ALLOW_NO_BACKUP] = true;
}

static void run(struct bench *b)
{
	const struct bf_events events = { on_event, b };

	b->warnings = b->failed = b->allowed = b->alive = 0;
	b->notice[0] = '\0';
	b->clock->cancelled = false;
	bf_job_run(&b->job, b->clock, NULL, &events, &b->out);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void done(struct bench *b)
{
	bf_clock_free(b->clock);
	assert_int_equal(nftw(b->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void assert_ended(const struct bench *b, enum bf_rc rc, enum bf_state state)
{
	if (b->out.rc != rc || b->out.state != state)
		fail_msg("ended %s/%s '%s' cause '%s' notices:\n%s", bf_rc_info(b->out.rc)->name,
			 bf_state_name(b->out.state), b->out.sentence, b->out.err.cause, b->notice);
}

static void writing_pauses_and_goes_on_by_itself(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "temp@20s=50,temp@200s=25", "[telemetry]\nwatch-s = 1\n");
	run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.warnings, 1); /* once, however often it is read */
	assert_int_equal(b.failed, 1);
	assert_non_null(strstr(b.warning, "temperature-highest is '50."));
	assert_non_null(strstr(b.warning, "below 45 degrees C"));
	assert_non_null(strstr(b.notice, "writing goes on after a pause of 1")); /* 17x s */
	assert_true(b.alive > 100);
	done(&b);
}

static void it_is_noticed_within_the_interval_of_the_profile(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "soc@15s=10,soc@30s=50", "[telemetry]\nwatch-s = 5\n");
	run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.warnings, 1);
	assert_in_range(b.warned_at - b.began, BF_SEC(15), BF_SEC(22));
	done(&b);
}

static void nothing_is_read_between_two_readings_of_a_long_interval(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "soc@15s=10,soc@30s=50", "[telemetry]\nwatch-s = 600\n");
	run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.warnings, 0);
	done(&b);
}

static void a_cause_that_comes_back_is_told_again(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "temp@15s=-5,temp@25s=25,temp@35s=-5,temp@60s=25", "[telemetry]\nwatch-s = 1\n");
	run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.warnings, 2);
	done(&b);
}

static void two_causes_are_told_once_each_and_both_must_be_over(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "temp@15s=50,current@20s=30,temp@30s=25,current@90s=0",
	      "[telemetry]\nwatch-s = 1\n");
	run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.warnings, 2);
	assert_non_null(strstr(b.warning, "current is '30.00 A'"));
	assert_true(b.alive > 50);
	done(&b);
}

static void patience_ends_and_the_old_firmware_runs_on(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "soc@20s=5", "[telemetry]\nwatch-s = 1\npause-max-s = 60\n");
	run(&b);
	assert_ended(&b, BF_E_PREFLIGHT, BF_STATE_OLD);
	assert_int_equal(bf_rc_info(b.out.rc)->exit_status, 30);
	assert_non_null(strstr(b.out.err.cause, "'5.0 %', allowed is '20 to 80 %'"));
	assert_non_null(strstr(b.out.err.cause, "60 s"));
	assert_non_null(strstr(b.out.err.todo, "--allow low-soc"));
	assert_in_range(b.alive, 40, 65);
	/* the same command, with the pack charged, finishes what was begun */
	snprintf(b.iface, sizeof(b.iface), "sim:link=rs485,rate=9600,quirk=noread,state=%s/flash",
		 b.folder);
	run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	done(&b);
}

static void without_patience_it_ends_at_once(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "soc@20s=5", "[telemetry]\nwatch-s = 1\npause-max-s = 0\n");
	run(&b);
	assert_ended(&b, BF_E_PREFLIGHT, BF_STATE_OLD);
	assert_int_equal(b.alive, 0);
	done(&b);
}

static void a_pause_can_be_cancelled(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "temp@20s=50", "[telemetry]\nwatch-s = 1\n");
	b.cancel = true;
	run(&b);
	assert_ended(&b, BF_E_INTERRUPTED, BF_STATE_OLD);
	assert_int_equal(b.warnings, 1);
	assert_true(b.alive < 2);
	done(&b);
}

static void what_was_allowed_does_not_pause(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "temp@20s=50", "[telemetry]\nwatch-s = 1\n");
	b.job.allow[BF_ALLOW_HOT] = true;
	run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.allowed, 1); /* once, for the record */
	assert_int_equal(b.warnings, 0);
	done(&b);
}

/* A half-written only bank is worse than a warm pack. */
static void a_pack_with_one_bank_is_warned_about_and_not_paused(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "quirk=singlebank,temp@20s=50", "[telemetry]\nwatch-s = 1\n");
	b.job.allow[BF_ALLOW_SINGLE_BANK] = b.job.allow[BF_ALLOW_NO_PROOF] = true;
	run(&b);
	assert_int_equal(b.out.rc, BF_OK);
	assert_int_equal(b.warnings, 1);
	assert_non_null(strstr(b.warning, "writing goes on"));
	assert_int_equal(b.alive, 0);
	done(&b);
}

static void broadcasts_are_watched_as_they_pass_by(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "", "[telemetry]\nsource = can-broadcast\nwatch-s = 1\n");
	/* 42 KiB on a bus take less than a second, with a slow flash some more. */
	snprintf(b.iface, sizeof(b.iface),
		 "sim:link=can,broadcast=1,quirk=slow,quirk=noread,temp@5s=50,temp@60s=25");
	b.job.baud = 0;
	run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.warnings, 1);
	assert_non_null(strstr(b.warning, "(sensor 1)"));
	done(&b);
}

static void a_pack_without_firmware_need_not_broadcast(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "", "[telemetry]\nsource = can-broadcast\n");
	snprintf(b.iface, sizeof(b.iface), "sim:link=can,broadcast=1,quirk=noread,version=none");
	b.job.baud = 0;
	run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_non_null(strstr(b.notice, "no firmware runs that could tell conditions"));
	done(&b);
}

/* One bank: the firmware that broadcasts stops for the loader that writes. */
static void silence_while_writing_is_told_once_and_tried_ever_more_rarely(void **state)
{
	struct bench b;

	(void)state;
	start(&b, "", "[telemetry]\nsource = can-broadcast\nwatch-s = 1\n");
	snprintf(b.iface, sizeof(b.iface),
		 "sim:link=can,broadcast=1,quirk=noread,quirk=singlebank,quirk=slow");
	b.job.baud = 0;
	b.job.allow[BF_ALLOW_SINGLE_BANK] = b.job.allow[BF_ALLOW_NO_PROOF] = true;
	run(&b);
	assert_int_equal(b.out.rc, BF_OK);
	assert_non_null(strstr(b.notice, "conditions cannot be watched while writing"));
	assert_null(strstr(strstr(b.notice, "cannot be watched") + 1, "cannot be watched"));
	done(&b);
}

/* A meter that plays readings from a list. */
struct script {
	struct bf_source meter;
	const double *temps; /* below -100: not told */
	unsigned n, at;
};

static enum bf_rc play(struct bf_source *m, struct bf_transport *wire, struct bf_proto *proto,
		       struct bf_measure *ret, struct bf_err *err)
{
	struct script *s = BF_CONTAINER_OF(m, struct script, meter);

	(void)wire, (void)proto, (void)err;
	assert_true(s->at < s->n);
	*ret = (struct bf_measure){ .has_soc = true, .soc = 50, .n_temps = 1 };
	ret->temp_c[0] = s->temps[s->at++];
	if (ret->temp_c[0] < -100)
		ret->n_temps = 0;
	return BF_OK;
}

static void a_cause_that_is_no_longer_told_is_not_over(void **state)
{
	static const double temps[] = { 50, -999, -999, 50, -999, 30 };
	static const struct bf_source_ops ops = { .read = play };
	static const struct bf_proto_ops nothing = {
		.name = "none", .app = &bf_no_app, .loader = &bf_no_loader, .boot = &bf_no_boot
	};
	struct script s = { { &ops }, temps, BF_COUNT(temps), 0 };
	struct bf_proto proto = { .ops = &nothing };
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct bf_run *run = calloc(1, sizeof(*run));
	const struct bf_job job = { 0 };
	struct bf_err err;

	(void)state;
	assert_non_null(run);
	bf_err_init(&err);
	bf_profile_default(&run->given.profile);
	run->conditions.meter = &s.meter;
	run->session.proto = &proto;
	run->job = &job;
	run->clock = run->time.outer = clock;
	run->time.deadline = BF_NEVER;
	run->session.ident.caps = BF_CAP_DUAL_BANK;
	run->model.survives.image = BF_KNOWN_YES;
	bf_clock_hold(clock);
	assert_true(bf_clock_until(clock, BF_SEC(10)));
	assert_int_equal(bf_conditions_watch(run, &err), BF_OK);
	assert_int_equal(s.at, s.n);
	assert_int_equal(bf_now(clock), BF_SEC(15));
	free(run);
}

static void the_interval_doubles_with_each_silence_up_to_a_limit(void **state)
{
	static const struct {
		unsigned untold;
		bf_time due;
	} rows[] = {
		{ 0, BF_SEC(10) },  { 1, BF_SEC(20) },   { 3, BF_SEC(80) },
		{ 6, BF_SEC(640) }, { 60, BF_SEC(640) },
	};
	static const struct bf_source_ops ops = { 0 };
	struct bf_source meter = { &ops };
	struct bf_run *run = calloc(1, sizeof(*run));

	(void)state;
	assert_non_null(run);
	run->conditions.meter = &meter;
	run->given.profile.watch_s = 10;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		BF_AUTO(bf_clock) *clock = bf_vclock_new();

		run->clock = clock;
		run->conditions.untold = rows[i].untold;
		assert_true(bf_clock_until(clock, rows[i].due - 1));
		assert_false(bf_watch_due(run));
		assert_true(bf_clock_until(clock, rows[i].due));
		assert_true(bf_watch_due(run));
	}
	free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writing_pauses_and_goes_on_by_itself),
		cmocka_unit_test(it_is_noticed_within_the_interval_of_the_profile),
		cmocka_unit_test(nothing_is_read_between_two_readings_of_a_long_interval),
		cmocka_unit_test(a_cause_that_comes_back_is_told_again),
		cmocka_unit_test(two_causes_are_told_once_each_and_both_must_be_over),
		cmocka_unit_test(patience_ends_and_the_old_firmware_runs_on),
		cmocka_unit_test(without_patience_it_ends_at_once),
		cmocka_unit_test(a_pause_can_be_cancelled),
		cmocka_unit_test(what_was_allowed_does_not_pause),
		cmocka_unit_test(a_pack_with_one_bank_is_warned_about_and_not_paused),
		cmocka_unit_test(broadcasts_are_watched_as_they_pass_by),
		cmocka_unit_test(a_pack_without_firmware_need_not_broadcast),
		cmocka_unit_test(a_cause_that_is_no_longer_told_is_not_over),
		cmocka_unit_test(the_interval_doubles_with_each_silence_up_to_a_limit),
		cmocka_unit_test(silence_while_writing_is_told_once_and_tried_ever_more_rarely),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
