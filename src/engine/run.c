/* SPDX-License-Identifier: MIT */
/* A run as its steps see it: what they say to the user, how they stop and wait, how a safety check is decided. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/file.h"
#include "bmsflash/shell.h"

#include "run.h"

/* ==== what the user may learn, at a pace that a person or a log can follow ==== */

#define PROGRESS_GAP BF_MS(100)
#define ALIVE_GAP    BF_MS(900) /* never more than a second without a sign of life */

void bf_emit(struct bf_run *run, struct bf_event ev)
{
	if (!run->events || !run->events->fn)
		return;
	ev.wall_us = run->time.closed_wall ? run->time.closed_wall : bf_wall(run->clock);
	run->events->fn(run->events->ctx, &ev);
}

void bf_say(struct bf_run *run, enum bf_event_kind kind, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	bf_emit(run, (struct bf_event){ .kind = kind, .text = text });
}

void bf_say_again(struct bf_run *run, unsigned next, unsigned most, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_RETRY, .retry = { text, next, most } });
}

void bf_progress_begin(struct bf_run *run, const char *phase, bool moving, double base,
		       double weight)
{
	run->told.phase = phase;
	run->told.moving = moving;
	run->told.mark = (struct bf_progress_mark){
		.last = bf_now(run->clock),
		.base = base,
		.weight = weight,
	};
}

/* The rate follows the last seconds: each sample weighs as much as the time it covers, up to 2 s. */
static void sample(struct bf_progress_mark *mark, bf_time now, uint64_t done)
{
	double seconds = (double)(now - mark->last) / 1e6;
	double got = seconds > 0 ? (double)(done - mark->bytes) / seconds : mark->rate;
	double share = seconds / 2 < 1 ? seconds / 2 : 1;

	mark->rate = mark->rate > 0 ? mark->rate + share * (got - mark->rate) : got;
	mark->last = now;
	mark->bytes = done;
}

void bf_progress_resume(struct bf_run *run)
{
	run->told.mark.last = bf_now(run->clock);
}

double bf_sum_on_wire(const struct bf_summary *s)
{
	return s->bytes_sent ? 1 - (double)s->bytes_saved / (double)s->bytes_sent : 1;
}

void bf_progress(struct bf_run *run, uint64_t done, uint64_t total)
{
	struct bf_progress_mark *mark = &run->told.mark;
	bf_time now = bf_now(run->clock);
	double part = total ? (double)done / (double)total : 1;
	double packed = run->told.moving ? bf_sum_on_wire(&run->told.sum) : 1;
	struct bf_progress p;
	double limit;

	if (done < mark->bytes) /* the transfer went back to a confirmed place */
		mark->bytes = done;
	if (done < total && now - mark->last < PROGRESS_GAP)
		return;
	sample(mark, now, done);
	run->told.alive_at = now;
	limit = bf_wire_limit(run->wire.transport,
			      run->wire.rate); /* may be a system call or several */
	p = (struct bf_progress){
		.phase = run->told.phase,
		.done = done,
		.total = total,
		.rate = mark->rate,
		.wire_share = limit > 0 ? mark->rate * packed / limit : -1,
		.eta = mark->rate > 0 ? (bf_time)((double)(total - done) / mark->rate * 1e6) : -1,
		.percent = mark->base + mark->weight * part,
	};
	bf_emit(run, (struct bf_event){ .kind = BF_EV_PROGRESS, .progress = &p });
}

void bf_say_restarted(struct bf_run *run)
{
	run->told.restarted = true;
	bf_say(run, BF_EV_WARNING,
	       "the pack has lost the session: it restarted, or its power was interrupted");
}

void bf_alive_paused(struct bf_run *run, const char *what, const struct bf_check *paused)
{
	bf_time now = bf_now(run->clock);

	if (run->time.held && run->clock->cancelled && !run->told.held) {
		run->told.held = true;
		bf_say(run, BF_EV_NOTICE,
		       "stopping now would leave the pack between two firmwares: the run ends at "
		       "the next safe point");
	}
	if (run->session.retry.reopened != run->told.reopened) {
		run->told.reopened = run->session.retry.reopened;
		bf_say_restarted(run);
	}
	if (now - run->told.alive_at < ALIVE_GAP)
		return;
	run->told.alive_at = now;
	bf_emit(run, (struct bf_event){ .kind = BF_EV_ALIVE, .alive = { what, paused } });
}

void bf_alive(void *ctx, const char *what)
{
	bf_alive_paused(ctx, what, NULL);
}

/* ==== where the time and the bytes went ==== */

void bf_spent(struct bf_run *run, enum bf_spent what, bf_time since)
{
	struct bf_summary *s = &run->told.sum;
	bf_time *const sums[] = {
		[BF_SPENT_ERASE] = &s->erase,         [BF_SPENT_TRANSFER] = &s->transfer,
		[BF_SPENT_WAIT_PACK] = &s->wait_pack, [BF_SPENT_RETRIES] = &s->retries,
		[BF_SPENT_BACKUP] = &s->backup,       [BF_SPENT_VERIFY] = &s->verify,
		[BF_SPENT_RESTART] = &s->restart,     [BF_SPENT_PAUSED] = &s->paused,
	};

	*sums[what] += bf_now(run->clock) - since;
}

void bf_sum_sent(struct bf_run *run, int64_t bytes)
{
	run->told.sum.bytes_sent += (uint64_t)bytes;
}

void bf_sum_saved(struct bf_run *run, int64_t bytes)
{
	run->told.sum.bytes_saved = bytes;
}

void bf_sum_skipped(struct bf_run *run, uint64_t bytes)
{
	run->told.sum.bytes_skipped = bytes;
}

void bf_sum_restored(struct bf_run *run, uint64_t bytes)
{
	run->told.sum.regions_restored++;
	run->told.sum.bytes_restored += bytes;
}

void bf_sum_end(struct bf_run *run, const struct bf_summary *sum)
{
	run->told.sum = *sum;
}

/* ==== stopping and waiting ==== */

static void begin_at(struct bf_run *run, struct bf_clock *clock)
{
	run->clock = clock;
	run->time.started = bf_now(clock);
	run->time.deadline = run->job->timeout ? bf_in(clock, run->job->timeout) : BF_NEVER;
}

void bf_time_begin(struct bf_run *run, struct bf_clock *clock)
{
	run->time.outer = clock;
	begin_at(run, clock);
}

void bf_time_on_wire(struct bf_run *run, struct bf_clock *clock)
{
	begin_at(run, clock);
}

/* A virtual wire takes its clock with it: a hold moves over to the caller's. */
void bf_time_off_wire(struct bf_run *run)
{
	bool held = run->time.held;

	bf_run_release(run);
	if (bf_clock_is_virtual(run->clock))
		run->time.closed_wall = bf_wall(run->clock);
	begin_at(run, run->time.outer);
	run->time.deadline = BF_NEVER;
	if (held)
		bf_run_hold(run);
}

/* Well below the 5 s (S3, ISO 14229-2) after which a UDS server forgets its session. */
#define KEEPALIVE_GAP BF_SEC(1)

/* A virtual wire has its own clock; the user's signal arrives at the caller's. */
static bool wants_to_stop(struct bf_run *run)
{
	if (run->clock->cancelled)
		return true;
	if (run->time.outer == run->clock)
		return false;
	return bf_clock_wait(run->time.outer, NULL, 0, bf_now(run->time.outer)) ==
	       BF_WAIT_CANCELLED;
}

enum bf_rc bf_run_stop(struct bf_run *run, struct bf_err *err)
{
	if (run->time.held)
		return BF_OK;
	if (bf_now(run->clock) < run->time.deadline && !wants_to_stop(run))
		return BF_OK;
	run->clock->cancelled = true;
	bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	bf_name_stop(run, err);
	return err->rc;
}

/* --timeout is the user's word, as a signal is: nothing that failed, and nothing to repeat. */
void bf_name_stop(const struct bf_run *run, struct bf_err *err)
{
	if (err->rc != BF_E_INTERRUPTED || bf_now(run->clock) < run->time.deadline)
		return;
	snprintf(err->cause, sizeof(err->cause), "stopped after the %.0f s that --timeout allows",
		 (double)run->job->timeout / 1e6);
	bf_next_longer(run, err);
}

enum bf_rc bf_run_pause(struct bf_run *run, bf_time duration, struct bf_err *err)
{
	bf_time end = bf_in(run->clock, duration);

	while (bf_now(run->clock) < end) {
		bf_time step = bf_in(run->clock, KEEPALIVE_GAP);

		if (!bf_clock_until(run->clock, step < end ? step : end))
			return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
		if (run->session.proto && run->session.proto->ops->keepalive &&
		    run->session.proto->ops->keepalive(run->session.proto, err))
			return bf_while(err, "keeping the session alive");
	}
	return bf_run_stop(run, err);
}

void bf_run_hold(struct bf_run *run)
{
	if (run->time.held)
		return;
	run->time.held = true;
	bf_clock_hold(run->clock);
}

void bf_run_release(struct bf_run *run)
{
	if (!run->time.held)
		return;
	run->time.held = false;
	bf_clock_release(run->clock);
}

/* ==== the next command, with the options that this run was given ==== */

static void add_option(struct bf_out *out, const char *name, const char *value)
{
	if (!value)
		return;
	bf_shell_word(out, name);
	bf_shell_word(out, value);
}

/* What was allowed is allowed again: without it the command would be refused. */
static void add_allowed(struct bf_out *out, const struct bf_job *job)
{
	char list[256] = "";
	size_t n = 0;

	for (int i = 0; i < BF_ALLOW_COUNT && n < sizeof(list); i++) {
		if (job->allow[i])
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? "," : "",
					      bf_allow_info((enum bf_allow)i)->name);
	}
	add_option(out, "--allow", n ? list : NULL);
}

static void add_place(struct bf_out *out, const struct bf_claim_opts *claim)
{
	char addr[16];

	if (!claim)
		return;
	snprintf(addr, sizeof(addr), "0x%08x", (unsigned)claim->addr);
	add_option(out, "--addr", claim->has_addr ? addr : NULL);
	add_option(out, "--sig", claim->sig_path);
}

static void add_what_is_written(struct bf_out *out, const struct bf_job *job, enum bf_job_kind kind)
{
	for (size_t i = 0; job->keys && job->keys[i]; i++)
		add_option(out, "--key", job->keys[i]);
	add_option(out, "--auth-key", job->auth_key);
	add_allowed(out, job);
	if (kind != BF_JOB_FLASH)
		return;
	add_place(out, job->claim_opts);
	if (job->rescue)
		bf_shell_word(out, "--rescue");
	add_option(out, "--fallback", job->fallback);
	for (size_t i = 0; job->images && job->images[i]; i++)
		bf_shell_word(out, job->images[i]);
}

static void add_what_is_checked(struct bf_out *out, const struct bf_job *job)
{
	for (size_t i = 0; job->keys && job->keys[i]; i++)
		add_option(out, "--key", job->keys[i]);
	add_place(out, job->claim_opts);
	for (size_t i = 0; job->images && job->images[i]; i++)
		bf_shell_word(out, job->images[i]);
}

static void add_rates(struct bf_out *out, const struct bf_job *job)
{
	char text[32];

	snprintf(text, sizeof(text), "%u", job->baud);
	add_option(out, "--baud", job->baud ? text : NULL);
	if (job->dbitrate)
		snprintf(text, sizeof(text), "%u,%u", job->bitrate, job->dbitrate);
	else
		snprintf(text, sizeof(text), "%u", job->bitrate);
	add_option(out, "--bitrate", job->bitrate ? text : NULL);
}

bool bf_serial_names(const struct bf_run *run, const char *name)
{
	return run->job->serial_in_names && strstr(name, "%s") != NULL;
}

enum bf_rc bf_serial_path(const struct bf_run *run, const char *name, char dst[PATH_MAX],
			  struct bf_err *err)
{
	const char *place = bf_serial_names(run, name) ? strstr(name, "%s") : NULL;
	char serial[64];

	if (!place)
		return bf_path(dst, err, "%s", name);
	snprintf(serial, sizeof(serial), "%s",
		 run->session.ident.serial[0] ? run->session.ident.serial : "pack");
	bf_file_name(serial, "-");
	return bf_path(dst, err, "%.*s%s%s", (int)(place - name), name, serial, place + 2);
}

/* What another command does not need. */
static void add_of_this_run(struct bf_out *out, const struct bf_job *job)
{
	char text[32];

	snprintf(text, sizeof(text), "%llds",
		 (long long)((job->timeout + BF_SEC(1) - 1) / BF_SEC(1)));
	add_option(out, "--timeout", job->timeout ? text : NULL);
	snprintf(text, sizeof(text), "%llds", (long long)((job->wait + BF_SEC(1) - 1) / BF_SEC(1)));
	add_option(out, "--wait", job->wait ? text : NULL);
	add_option(out, "--expect-serial", job->expect_serial);
	/* A name with the serial number in it is one of several packs. */
	if (!job->serial_in_names || (job->record && !strstr(job->record, "%s")))
		add_option(out, "--record", job->record);
	if (job->kind != BF_JOB_PROBE && job->kind != BF_JOB_VERIFY)
		add_option(out, "--backup-dir", job->backup_folder);
	if (job->dry_run)
		bf_shell_word(out, "--dry-run");
}

void bf_next_of(const struct bf_job *job, enum bf_job_kind kind, const char *from,
		struct bf_err *err)
{
	char text[sizeof(err->next)], node[16];
	struct bf_out out = bf_out(text, sizeof(text) - 1);

	bf_shell_word(&out, "bmsflash");
	bf_shell_word(&out, bf_job_name(kind));
	add_option(&out, "--if", job->iface);
	add_option(&out, "--from", from);
	add_option(&out, "--protocol", job->protocol);
	add_option(&out, "--profile", job->profile);
	snprintf(node, sizeof(node), "0x%x", (unsigned)job->node);
	add_option(&out, "--node", job->node >= 0 ? node : NULL);
	add_option(&out, "--alt", job->alt);
	add_rates(&out, job);
	if (kind == job->kind)
		add_of_this_run(&out, job);
	if (kind == BF_JOB_VERIFY)
		add_what_is_checked(&out, job);
	if (kind == BF_JOB_FLASH || kind == BF_JOB_ROLLBACK)
		add_what_is_written(&out, job, kind);
	if (kind == BF_JOB_PROBE && job->scan)
		bf_shell_word(&out, "--scan");
	/* A command that is cut short would be another command. */
	if (out.failed) {
		out = bf_out(text, sizeof(text) - 1);
		bf_shell_word(&out, "bmsflash");
		bf_shell_word(&out, "probe");
		add_option(&out, "--if", job->iface);
	}
	text[out.len] = '\0';
	bf_next(err, "%s", text);
}

/* The place of an image that was found by the header that lay there, which may be erased now: another run, that meets the
 * bootloader alone, cannot know that it goes on. */
static bool place_was_found(const struct bf_run *run)
{
	return run->wanted.has_place && !run->wanted.own && run->wanted.image &&
	       run->model.stage >= BF_STAGE_WRITING && bf_run_can(run, BF_CAP_ERASE) &&
	       !run->given.profile.n_regions && !run->session.ident.n_slots;
}

void bf_next_command(const struct bf_run *run, enum bf_job_kind kind, const char *from,
		     struct bf_err *err)
{
	struct bf_job job = *run->job;
	struct bf_claim_opts claim = { 0 };

	if (job.claim_opts)
		claim = *job.claim_opts;
	if (kind == BF_JOB_FLASH && !claim.has_addr && place_was_found(run)) {
		claim.has_addr = true;
		claim.addr = run->wanted.place_addr;
		job.claim_opts = &claim;
	}
	bf_next_of(&job, kind, from, err);
}

void bf_next_longer(const struct bf_run *run, struct bf_err *err)
{
	struct bf_job job = *run->job;

	job.timeout *= 2;
	bf_do(err, "run the same command with more time");
	bf_next_of(&job, job.kind, job.restore_from, err);
}

void bf_next_waiting(const struct bf_run *run, bf_time wait, struct bf_err *err)
{
	struct bf_job job = *run->job;

	job.wait = wait;
	bf_next_of(&job, job.kind, job.restore_from, err);
}

void bf_next_allowing(const struct bf_run *run, unsigned allows, struct bf_err *err)
{
	struct bf_job job = *run->job;

	for (unsigned i = 0; i < BF_ALLOW_COUNT; i++)
		job.allow[i] = job.allow[i] || (allows & 1u << i);
	bf_next_of(&job, job.kind, job.restore_from, err);
}

/* Beside the profile, when that was given as a file. */
static void rescue_profile(const struct bf_run *run, char *dst, size_t cap)
{
	const char *own = run->job->profile ? run->job->profile : "";
	const char *slash = strrchr(own, '/');
	const char *name = run->given.profile.rescue_profile;

	if (slash)
		snprintf(dst, cap, "%.*s/%s.ini", (int)(slash - own), own, name);
	else
		snprintf(dst, cap, "%s", name);
}

/* Such a pack tells nothing about its hardware. */
bool bf_next_rescue(const struct bf_run *run, struct bf_err *err)
{
	const struct bf_profile *pf = &run->given.profile;
	struct bf_job job = *run->job;
	struct bf_claim_opts claim = { 0 };
	char profile[PATH_MAX];

	if (job.kind != BF_JOB_FLASH || !pf->rescue_profile[0])
		return false;
	rescue_profile(run, profile, sizeof(profile));
	if (job.claim_opts)
		claim = *job.claim_opts;
	if (!claim.has_addr && pf->rescue_address) {
		claim.has_addr = true;
		claim.addr = pf->rescue_address;
	}
	job.claim_opts = &claim;
	job.profile = profile;
	job.protocol = NULL;
	job.node = -1;
	job.rescue = true;
	job.allow[BF_ALLOW_NO_HARDWARE] = true;
	bf_next_of(&job, job.kind, NULL, err);
	return true;
}

/* ==== one safety check: decided, shown, recorded ==== */

struct bf_check bf_check(const char *name, int allow)
{
	return (struct bf_check){ .name = name, .allow = allow };
}

void bf_check_show(struct bf_run *run, enum bf_event_kind kind, const struct bf_check *check)
{
	bf_emit(run, (struct bf_event){ .kind = kind, .check = check });
}

void bf_check_unknown(struct bf_run *run, struct bf_check *check)
{
	check->verdict = BF_VERDICT_UNKNOWN;
	if (!check->got[0])
		strcpy(check->got, "unknown");
	bf_check_show(run, BF_EV_CHECK, check);
}

void bf_check_allowed(struct bf_run *run, int allow)
{
	run->told.overrides |= 1u << allow;
}

bool bf_check_passes(struct bf_run *run, struct bf_check *check, bool ok, enum bf_event_kind kind)
{
	bool allowed = !ok && check->allow >= 0 && run->job->allow[check->allow];

	check->verdict = ok ? BF_VERDICT_PASS : allowed ? BF_VERDICT_ALLOWED : BF_VERDICT_FAIL;
	bf_check_show(run, kind, check);
	if (allowed)
		bf_check_allowed(run, check->allow);
	return ok || allowed;
}

enum bf_rc bf_check_decide(struct bf_run *run, struct bf_check *check, bool ok, enum bf_rc rc,
			   struct bf_err *err)
{
	if (bf_check_passes(run, check, ok, BF_EV_CHECK))
		return BF_OK;
	bf_fail(err, rc, "%s: '%s', allowed is '%s'", check->name, check->got, check->limit);
	if (check->allow >= 0) {
		bf_likely(err, "fix this, or accept the risk with --allow %s",
			  bf_allow_info((enum bf_allow)check->allow)->name);
		bf_next_allowing(run, 1u << check->allow, err);
	}
	return err->rc;
}
