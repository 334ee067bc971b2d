/* SPDX-License-Identifier: MIT */
#include "fake_usb.h"

static struct fake_usb *fake_of(struct bf_usb_host *h)
{
	return BF_CONTAINER_OF(h, struct fake_usb, host);
}

static size_t scan(struct bf_usb_host *h, struct bf_usb_seen *ret, size_t cap)
{
	struct fake_usb *f = fake_of(h);
	const struct fake_scene *scene = &f->scenes[0];

	for (size_t i = 1; i < f->n_scenes; i++) {
		if (f->scenes[i].from <= bf_now(f->clock))
			scene = &f->scenes[i];
	}
	assert_true(scene->n <= cap);
	memcpy(ret, scene->seen, scene->n * sizeof(*ret));
	return scene->n;
}

static size_t config(struct bf_usb_host *h, const char *path, uint8_t *dst, size_t cap)
{
	(void)h;
	(void)path;
	assert_true(cap >= 9);
	memcpy(dst, "\x09\x02\x09\x00\x00\x01\x00\x80\x32", 9);
	return 9;
}

static enum bf_usb_end open_it(struct bf_usb_host *h, const struct bf_usb_seen *which)
{
	struct fake_usb *f = fake_of(h);

	if (bf_now(f->clock) < f->denied_until)
		return BF_USB_DENIED;
	f->opened = *which;
	f->opens++;
	return BF_USB_DONE;
}

static void shut(struct bf_usb_host *h)
{
	fake_of(h)->shuts++;
}

static enum bf_usb_end claim(struct bf_usb_host *h, uint8_t interface, uint8_t alt)
{
	struct fake_usb *f = fake_of(h);

	f->claimed[0] = interface;
	f->claimed[1] = alt;
	return f->claim_end;
}

static enum bf_usb_end reset(struct bf_usb_host *h)
{
	return fake_of(h)->reset_end;
}

static enum bf_usb_end submit(struct bf_usb_host *h, uint8_t endpoint, const uint8_t *data,
			      size_t len, struct bf_usb_job **ret)
{
	struct fake_usb *f = fake_of(h);

	assert_true(f->answered < f->n_answers);
	f->current = &f->answers[f->answered++];
	f->endpoint = endpoint;
	f->sent_len = len < sizeof(f->sent) ? len : sizeof(f->sent);
	memcpy(f->sent, data, f->sent_len);
	f->job = calloc(1, sizeof(*f->job));
	f->job->data = calloc(1, len + 1);
	memcpy(f->job->data, data, len);
	f->job->len = len;
	f->job_at = f->current->never ? BF_NEVER : bf_in(f->clock, f->current->after);
	*ret = f->job;
	return BF_USB_DONE;
}

static void end_job(struct fake_usb *f, enum bf_usb_end end)
{
	size_t head = f->endpoint ? 0 : 8;
	size_t room = f->job->len - head;
	bool in = f->endpoint ? f->endpoint & 0x80 : f->sent[0] & 0x80;
	size_t n = f->current->moved < room ? f->current->moved : room;

	if (in && n)
		memcpy(f->job->data + head, f->current->data, n);
	f->job->moved = n;
	f->job->end = end;
	f->job->done = true;
	f->job = NULL;
	f->job_at = BF_NEVER;
}

static void cancel(struct bf_usb_host *h, struct bf_usb_job *job)
{
	struct fake_usb *f = fake_of(h);

	assert_ptr_equal(job, f->job);
	if (f->current->never)
		return;
	end_job(f, f->current->ends_on_cancel_as_done ? BF_USB_DONE : BF_USB_CANCELLED);
}

static void release(struct bf_usb_host *h, struct bf_usb_job *job)
{
	struct fake_usb *f = fake_of(h);

	f->leaked += !job->done;
	free(job->data);
	free(job);
}

static size_t pollfds(struct bf_usb_host *h, struct pollfd *fds, size_t cap, bf_time *ret_us)
{
	(void)h;
	(void)fds;
	(void)cap;
	*ret_us = BF_NEVER;
	return 0;
}

static void pump(struct bf_usb_host *h)
{
	struct fake_usb *f = fake_of(h);

	if (f->job && bf_now(f->clock) >= f->job_at)
		end_job(f, f->current->end);
}

static void free_it(struct bf_usb_host *h)
{
	struct fake_usb *f = fake_of(h);

	*f->freed = true;
	bf_vclock_detach(f->clock, &f->source);
	free(f);
}

static bf_time next(struct bf_vsource *s)
{
	struct fake_usb *f = BF_CONTAINER_OF(s, struct fake_usb, source);

	return f->job ? f->job_at : BF_NEVER;
}

static void run(struct bf_vsource *s, bf_time now)
{
	(void)now;
	pump(&BF_CONTAINER_OF(s, struct fake_usb, source)->host);
}

static const struct bf_usb_host_ops fake_ops = {
	.scan = scan,
	.config = config,
	.open = open_it,
	.shut = shut,
	.claim = claim,
	.reset = reset,
	.submit = submit,
	.cancel = cancel,
	.release = release,
	.pollfds = pollfds,
	.pump = pump,
	.free = free_it,
};

struct fake_usb *fake_usb_new(struct bf_clock *vclock, bool *freed)
{
	struct fake_usb *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->host.ops = &fake_ops;
	f->source = (struct bf_vsource){ next, run };
	f->clock = vclock;
	f->job_at = BF_NEVER;
	f->freed = freed;
	*freed = false;
	bf_vclock_attach(vclock, &f->source);
	return f;
}
