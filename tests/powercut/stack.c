/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/run.h"

static void note(struct stack *s, const char *text)
{
	size_t at = strlen(s->notices);

	snprintf(s->notices + at, sizeof(s->notices) - at, "%s\n", text);
}

static void on_event(void *ctx, const struct bf_event *ev)
{
	struct stack *s = ctx;

	if (ev->kind == BF_EV_NOTICE || ev->kind == BF_EV_WARNING || ev->kind == BF_EV_RETRY)
		note(s, ev->text);
	else if (ev->kind == BF_EV_PHASE && getenv("BF_SHOW_PHASES"))
		printf("# %10.3f %s\n", (double)(ev->wall_us % 1000000000) / 1e6, ev->phase.name);
	else if (ev->kind == BF_EV_SUMMARY)
		s->summary = *ev->summary;
	else if (ev->kind == BF_EV_DEVICE)
		s->ident = *ev->ident;
	else if (ev->kind == BF_EV_REGION)
		s->saved += ev->region.size;
	else if (ev->kind == BF_EV_FILE)
		snprintf(s->file, sizeof(s->file), "%s", ev->file.path);
}

static const char *data(char dst[256], const char *name)
{
	snprintf(dst, 256, "%s/%s", getenv("BF_TEST_DATA"), name);
	return dst;
}

void stack_init(struct stack *s, const char *image)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->folder, sizeof(s->folder), "%s/bf-stack-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->state, sizeof(s->state), "%s/pack", s->folder);
	s->images[0] = data(s->image, image);
	s->keys[0] = data(s->key, "mcuboot/release.pub.pem");
	s->job = (struct bf_job){
		.kind = BF_JOB_FLASH,
		.node = -1,
		.images = s->images,
		.keys = s->keys,
		.auth_key = data(s->auth, "auth/technician.pem"),
		.data_folder = s->folder,
		.tool_version = "test",
		.user = "test",
	};
}

void stack_run(struct stack *s, const char *options)
{
	struct bf_clock *clock = bf_vclock_new();
	const struct bf_events events = { on_event, s };

	snprintf(s->iface, sizeof(s->iface), "%ssim:state=%s%s%s", s->prefix ? s->prefix : "",
		 s->state, options[0] ? "," : "", options);
	s->job.iface = s->iface;
	s->notices[0] = s->file[0] = '\0';
	s->saved = 0;
	bf_job_run(&s->job, clock, NULL, &events, &s->out);
	bf_clock_free(clock);
}

void stack_image(struct stack *s, const char *image)
{
	data(s->image, image);
}

void stack_trust(struct stack *s, const char *key)
{
	data(s->key, key);
}

uint8_t *stack_largest(struct stack *s, size_t *ret_len)
{
	struct bf_archive a = { 0 };
	struct bf_archive_member *best = NULL;
	uint8_t *bytes;

	s->job.kind = BF_JOB_BACKUP;
	stack_run(s, "link=usb,protocol=dfuse");
	assert_stack_ended(s, BF_OK, BF_STATE_UNTOUCHED);
	assert_int_equal(bf_archive_read(&a, s->file, &s->out.err), BF_OK);
	for (size_t i = 0; i < a.n; i++) {
		if (!best || a.members[i].len > best->len)
			best = &a.members[i];
	}
	assert_non_null(best);
	*ret_len = best->len;
	bytes = best->data;
	best->data = NULL;
	bf_archive_done(&a);
	return bytes;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void stack_done(struct stack *s)
{
	assert_int_equal(nftw(s->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void assert_stack_ended(const struct stack *s, enum bf_rc rc, enum bf_state state)
{
	const struct bf_err *e = &s->out.err;

	if (s->out.rc == rc && s->out.state == state)
		return;
	fail_msg("ended %s/%s '%s' cause '%s' trail '%s', '%s', '%s' notices:\n%s",
		 bf_rc_info(s->out.rc)->name, bf_state_name(s->out.state), s->out.sentence,
		 e->cause, e->trail[0], e->trail[1], e->trail[2], s->notices);
}
