/* SPDX-License-Identifier: MIT */
/* How the run ended: the pack's state first, the cause, what is likely, what to do next, where the time went. */
#include <stdio.h>
#include <string.h>

#include "bmsflash/shell.h"

#include "report.h"
#include "run.h"

/* ==== causes and commands ==== */
/*
 * What a failure leaves unsaid: likely causes, from what the line's own figures show first and from
 * experience after that, and always a next command. What the place of the failure said stays first.
 */

/* ---- what the line's figures show ---- */

/* The line was raised by agreement, and that was too much for it. */
static void advise_rate(const struct bf_run *run, struct bf_err *err)
{
	const char *option = bf_wire_rate_option(run->wire.transport->ops->wire);

	if (!option || !run->told.moving || !run->wire.first_rate ||
	    run->wire.rate <= run->wire.first_rate)
		return;
	bf_likely(err,
		  "the line was raised from %u to %u bit/s; a long cable or missing termination "
		  "carries the lower rate: --%s %u",
		  run->wire.first_rate, run->wire.rate, option, run->wire.first_rate);
}

static void advise_line(const struct bf_run *run, struct bf_err *err)
{
	uint64_t lost = run->session.retry.timeouts, damaged = run->session.retry.damaged;

	if (lost + damaged && !run->recovery.fell_silent)
		bf_likely(err,
			  "%llu answer%s lost and %llu came damaged on the way: cable, "
			  "connector or termination",
			  (unsigned long long)lost, lost == 1 ? " was" : "s were",
			  (unsigned long long)damaged);
	if (!run->wire.transport)
		return;
	advise_rate(run, err);
	bf_wire_likely(run->wire.transport, &run->wire.first, err);
}

/* ---- by kind of failure ---- */

static void same_again(struct bf_run *run, struct bf_err *err)
{
	bf_next_command(run, run->job->kind, run->job->restore_from, err);
}

static void look(struct bf_run *run, struct bf_err *err)
{
	bf_next_command(run, BF_JOB_PROBE, NULL, err);
}

static void take_key(struct bf_run *run, struct bf_err *err)
{
	(void)run;
	bf_do(err, "get the release file for this pack from its maker");
}

static void take_image(struct bf_run *run, struct bf_err *err)
{
	const char *const *images = run->job->images;

	bf_do(err, "take the image that is made for this pack");
	if (images && images[0])
		bf_next_argv(err, "says what this file is",
			     (const char *const[]){ "bmsflash", "verify", images[0], NULL });
}

/* A locked pack wants a key that only its maker gives. */
static void give_auth_key(struct bf_run *run, struct bf_err *err)
{
	struct bf_job job = *run->job;

	if (job.auth_key) {
		look(run, err);
		return;
	}
	job.auth_key = "technician.pem";
	bf_do(err, "you need your technician's key (a private key, *.pem, from the maker):");
	bf_next_of(&job, job.kind, job.restore_from, err);
}

static void make_room(struct bf_run *run, struct bf_err *err)
{
	(void)run;
	bf_do(err, "make room, or name another place");
}

static void report_defect(struct bf_run *run, struct bf_err *err)
{
	(void)run;
	bf_do(err, "run it again with -vv --trace FILE and report both");
}

static const struct {
	const char *likely; /* when nothing better is known */
	void (*next)(struct bf_run *run, struct bf_err *err);
	bool line; /* the line's figures say more */
} rows[BF_RC_COUNT] = {
	[BF_E_INTERNAL] = { NULL, report_defect, false },
	[BF_E_NODEV] = { "the pack is off or asleep", look, true },
	[BF_E_TIMEOUT] = { "the pack was busy, restarted, or lost its power", same_again, true },
	[BF_E_LINK] = { "noise, a bad contact or a wrong rate", same_again, true },
	[BF_E_RESTART] = { "the pack gave up the transfer", same_again, true },
	[BF_E_GONE] = { "the adapter was unplugged or lost its power", same_again, false },
	[BF_E_IFACE] = { NULL, look, false },
	[BF_E_BUSY] = { "another program uses it", same_again, false },
	[BF_E_IMAGE] = { NULL, take_image, false },
	[BF_E_FILE] = { "the folder does not exist, is not yours, or the disk is full", make_room,
			false },
	[BF_E_SIGNATURE] = { "the pack and this computer do not trust the same keys", take_key,
			     false },
	[BF_E_INCOMPATIBLE] = { "the image is for another pack", take_image, false },
	[BF_E_ROLLBACK] = { "the pack was updated since this image was made", take_image, false },
	[BF_E_AUTH] = { "the wrong key, or one that this pack does not know", give_auth_key,
			false },
	[BF_E_NAK] = { "the pack is in a state that does not permit it", look, false },
	[BF_E_UNSUPPORTED] = { "the pack's boot loader was built without it", look, false },
	[BF_E_MISMATCH] = { "messages damaged on the way, worn flash or a weak supply", same_again,
			    true },
};

/* By what was really seen: the pack said no, or the data stopped getting through. The third of them, the
 * restart loop, is named where the pack's own word about its restarts is at hand (boot.c). */
static enum bf_pattern pattern_of(const struct bf_run *run, const struct bf_err *err)
{
	if (err->rc == BF_E_AUTH && run->session.proto)
		return BF_PATTERN_AUTH;
	if (run->told.moving && rows[err->rc].line && run->wire.transport)
		return BF_PATTERN_TRANSFER;
	return BF_PATTERN_NONE;
}

void bf_advise(struct bf_run *run, struct bf_err *err)
{
	if ((unsigned)err->rc >= BF_RC_COUNT)
		return;
	if (!err->pattern)
		err->pattern = pattern_of(run, err);
	if (rows[err->rc].line)
		advise_line(run, err);
	if (rows[err->rc].likely && !err->n_likely)
		bf_likely(err, "%s", rows[err->rc].likely);
	if (rows[err->rc].next && !err->next[0] && !err->todo[0])
		rows[err->rc].next(run, err);
}

/* ==== where the time went ==== */

static void subtract(struct bf_wire_stats *now, const struct bf_wire_stats *first)
{
	now->tx_bytes -= first->tx_bytes;
	now->rx_bytes -= first->rx_bytes;
	now->tx_frames -= first->tx_frames;
	now->rx_frames -= first->rx_frames;
	now->waited_us -= first->waited_us;
}

static bf_time adapter_wait(const struct bf_run *run, const struct bf_wire_view *view)
{
	uint64_t answers = 0;

	for (size_t i = 0; i < BF_RETRY_CLASS_COUNT; i++)
		answers += run->session.retry.requests[i];
	return (bf_time)answers * view->answer_delay;
}

static void fill_line(struct bf_run *run, const struct bf_wire_view *view,
		      struct bf_line_figures *f)
{
	const struct bf_linktest *t = &run->wire.line_before;

	*f = (struct bf_line_figures){ .sent = t->sent,
				       .lost = t->lost,
				       .best = t->best,
				       .mean = t->mean,
				       .worst = t->worst,
				       .rate_steps = run->transfer.rate_steps,
				       .stream = view->stream,
				       .echo = view->echo,
				       .latency_timer_ms = view->latency_timer_ms,
				       .bus_state = view->state,
				       .tx_errors = view->tx_errors,
				       .rx_errors = view->rx_errors };
}

/* A driver that buffers takes a block at once; the time that its bits are on the wire is transfer all the
 * same, and not the pack's. */
static void share_out(struct bf_summary *s, double limit)
{
	bf_time wire =
		limit > 0 ? (bf_time)((double)s->bytes_sent * bf_sum_on_wire(s) / limit * 1e6) : 0;
	bf_time missing = wire > s->transfer ? wire - s->transfer : 0;

	if (missing > s->wait_pack)
		missing = s->wait_pack;
	s->transfer += missing;
	s->wait_pack -= missing;
}

void bf_summary_show(struct bf_run *run)
{
	struct bf_summary sum = run->told.sum, *s = &sum;
	double limit = bf_wire_limit(run->wire.transport, run->transfer.worked_rate
								  ? run->transfer.worked_rate
								  : run->wire.agreed_rate);
	bf_time moving = s->transfer + s->wait_pack;
	struct bf_wire_view view;

	if (!run->session.proto && !run->model.runs)
		return; /* nobody was met */
	s->total = bf_now(run->clock) - run->time.started;
	s->retry = run->session.retry;
	s->retries += run->session.retry.lost_us;
	s->wire = run->wire.transport->stats;
	subtract(&s->wire, &run->wire.first);
	bf_wire_look(run->wire.transport, &view);
	s->wait_adapter = adapter_wait(run, &view);
	fill_line(run, &view, &s->line);
	s->line_rate = run->transfer.worked_rate ? run->transfer.worked_rate
		       : run->wire.agreed_rate   ? run->wire.agreed_rate
						 : run->wire.rate;
	s->rate = moving > 0 ? (double)s->bytes_sent / ((double)moving / 1e6) : 0;
	s->wire_share = limit > 0 ? s->rate * bf_sum_on_wire(s) / limit : -1;
	share_out(s, limit);
	s->virtual_time = bf_clock_is_virtual(run->clock);
	bf_sum_end(run, s);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_SUMMARY, .summary = s });
}

/* ==== the end ==== */
/* How the run ended, in the words of the promise: the pack's state first, the cause beside it. */

#define NAME 80

/* "Old firmware 1.3.0", and without a version just the first two words. */
static const char *new_name(const struct bf_run *run, const char *what, char dst[NAME])
{
	char text[BF_VERSION_TEXT];

	int n = snprintf(dst, NAME, "%s%s%s", what, run->wanted.has_version ? " " : "",
			 run->wanted.has_version ? bf_version_text(&run->wanted.version, text)
						 : "");

	for (unsigned i = 1; i < bf_parts(run) && n > 0 && n < NAME; i++) {
		const struct bf_aim *aim = &run->wanted.aside[i];

		if (aim->has_version)
			n += snprintf(dst + n, NAME - (size_t)n, " and %s",
				      bf_version_text(&aim->version, text));
	}
	return dst;
}

/* What this run has written last. */
static const char *written_name(const struct bf_run *run)
{
	if (run->wanted.went_to_fallback)
		return "The fallback";
	if (run->model.target_is_old)
		return "Old firmware";
	return run->job->restore_from ? "Firmware" : "New firmware";
}

static const char *old_name(const struct bf_run *run, char dst[NAME])
{
	char text[BF_VERSION_TEXT];
	/* A run that took up an earlier one found the new firmware. */
	const char *v = run->model.went_back ? bf_ident_version(&run->session.now, text) : NULL;

	if (!v)
		v = bf_ident_version(&run->session.ident, text);
	if (run->wanted.went_to_fallback)
		return new_name(run, "The fallback", dst);
	snprintf(dst, NAME, "Old firmware%s%s", v ? " " : "", v ? v : "");
	return dst;
}

static bool changes(const struct bf_run *run)
{
	return run->job->kind == BF_JOB_FLASH || run->job->kind == BF_JOB_ROLLBACK;
}

/* ---- the next command ---- */

/* Lines are not moved because an application is silent, unless the user says that it is dead. */
static bool needs_rescue(const struct bf_run *run)
{
	const struct bf_entry_plan *plan = &run->given.profile.entry;

	return run->job->kind == BF_JOB_FLASH && run->given.profile.application[0] &&
	       (memchr(plan->how.code, BF_ENTER_LINES, plan->how.n) ||
		memchr(plan->how.code, BF_ENTER_GPIO, plan->how.n));
}

/* For a pack that has no firmware now. */
static void same_command(const struct bf_run *run, struct bf_err *err)
{
	static const char flash[] = "flash", more[] = " --rescue";
	size_t len;
	char *at;

	bf_next_command(run, run->job->kind, run->job->restore_from, err);
	at = strstr(err->next, " flash ");
	len = strlen(err->next);
	if (!at || run->job->rescue || !needs_rescue(run) || len + sizeof(more) > sizeof(err->next))
		return;
	at += sizeof(flash);
	memmove(at + sizeof(more) - 1, at, strlen(at) + 1);
	memcpy(at, more, sizeof(more) - 1);
}

/* What brings a pack without firmware back: its backup where the image was refused, else the image again. What lay in
 * a pack that had to be caught after power-on did not start before either, and who restores an archive into a
 * pack that waits in its bootloader wants that archive. */
static void recovery_command(const struct bf_run *run, struct bf_err *err)
{
	const struct bf_model *m = &run->model;
	bool bad = m->holds == BF_HOLDS_BAD || m->failed_test || bf_met_of(err) == BF_MET_REFUSED;
	bool restores = run->job->restore_from && m->entered == BF_ENTERED_FOUND;

	if (run->archives.way_back && bad && !restores && !run->job->rescue && !m->old_blocked &&
	    bf_model_one_place(m))
		bf_next_command(run, BF_JOB_ROLLBACK, run->archives.path, err);
	else
		same_command(run, err);
}

static void data_command(const struct bf_run *run, struct bf_err *err)
{
	if (!run->archives.path[0])
		bf_next_command(run, BF_JOB_PROBE, NULL, err); /* it was kept in memory alone */
	else if (run->model.data == BF_DATA_LOST_FIXED)
		bf_next_argv(err, NULL,
			     (const char *const[]){ "tar", "-xf", run->archives.path, NULL });
	else
		bf_next_command(run, BF_JOB_ROLLBACK, run->archives.path, err);
}

static void next_command(const struct bf_run *run, enum bf_end_next next, struct bf_err *err)
{
	switch (next) {
	case BF_END_NEXT_CAUSE:
		break;
	case BF_END_NEXT_PROBE:
		if (strncmp(err->next, "sudo ", 5) == 0) /* the interface first */
			break;
		bf_next_command(run, BF_JOB_PROBE, NULL, err);
		break;
	case BF_END_NEXT_SAME:
		if (strncmp(err->next, "sudo ", 5) == 0)
			break;
		bf_next_command(run, run->job->kind, run->job->restore_from, err);
		break;
	case BF_END_NEXT_RECOVER:
		recovery_command(run, err);
		break;
	case BF_END_NEXT_DATA:
		data_command(run, err);
		break;
	}
}

/* ---- the sentence ---- */

/* %o: "Old firmware 1.3.0", %n: "New firmware 1.5.0"; a version that is not known is left out. */
static const char *const sentences[BF_END_COUNT] = {
	[BF_END_NOTHING_CHANGED] = "Nothing was changed.",
	[BF_END_IN_LOADER_AS_FOUND] =
		"Nothing was changed; the pack is in its bootloader, as it was found.",
	[BF_END_IN_LOADER_BY_US] = ("Nothing was written; the pack was taken into its bootloader "
				    "and its firmware was not "
				    "heard again: switch the pack off and on."),
	[BF_END_NO_FIRMWARE_AS_FOUND] = "The pack runs no firmware, and nothing was changed.",
	[BF_END_OLD_STILL] = "%o is still running.",
	[BF_END_OLD_STILL_NEW_MARKED] =
		"%o is still running; the new one starts on a test boot at the next restart.",
	[BF_END_OLD_AGAIN] = "%o is again running.",
	[BF_END_OLD_WITHOUT_DATA] =
		"The pack runs its old firmware without its configuration: it needs recovery.",
	[BF_END_OLD_INTACT_IN_LOADER] = ("The old firmware is intact and does not run: the pack is "
					 "in its bootloader; switch it "
					 "off and on."),
	[BF_END_NEW] = "%n is proven running.",
	[BF_END_NEW_WITHOUT_DATA] =
		"%n is proven running, but not with the configuration of before.",
	[BF_END_NEW_UNCONFIRMED] =
		"%n runs and is not confirmed; the same command once more confirms it.",
	[BF_END_NEW_FAILED_TEST] =
		"%n runs and failed its test; the old firmware could not be brought back.",
	[BF_END_UNPROVEN_SILENT] = ("%n is written and verified; after the restart the pack does "
				    "not answer: switch it off "
				    "and on, then run the same command."),
	[BF_END_UNPROVEN_TEST_BOOT] =
		("%n is written and verified, and was started for a test boot that this bootloader "
		 "cannot confirm; the pack does not answer now. Switched off and on, it goes back "
		 "to its old firmware, unless the new one has confirmed itself."),
	[BF_END_UNPROVEN_IN_LOADER] = ("%n is written and verified; the bootloader does not start "
				       "it: switch the pack off and "
				       "on, then run the same command."),
	[BF_END_UNPROVEN_UNTOLD] =
		"%n is written and started; the pack does not show which firmware it runs.",
	[BF_END_UNPROVEN_NOT_STARTED] =
		"%n is written and verified, and was not started yet: run the same command.",
	[BF_END_UNPROVEN_TAKEN] =
		("%n is written, and the device took it without an error; its start was not seen: "
		 "switch the pack off and on, then run the same command."),
	[BF_END_UNKNOWN_OLD_INTACT] =
		("The state of the pack is not known: it does not answer. The old firmware was not "
		 "overwritten."),
	[BF_END_UNKNOWN] = "The state of the pack is not known: it does not answer any more.",
	[BF_END_RECOVERY_MAYBE] = ("The pack does not answer as its firmware, which may be erased: "
				   "it needs recovery."),
	[BF_END_RECOVERY] = "The pack has no complete firmware and needs recovery.",
};

static void expand(const struct bf_run *run, const char *form, char *dst, size_t cap)
{
	char name[NAME];
	struct bf_out out = bf_out(dst, cap - 1);

	for (; *form; form++) {
		const char *text = NULL;

		if (form[0] == '%' && form[1] == 'o')
			text = old_name(run, name);
		else if (form[0] == '%' && form[1] == 'n')
			text = new_name(run, written_name(run), name);
		if (text)
			form++;
		bf_out_bytes(&out, text ? text : form, text ? strlen(text) : 1);
	}
	dst[out.len] = '\0';
}

/* The same command again would end in the same way where nothing ever tells what runs. */
static const char *sentence_of(const struct bf_run *run, const struct bf_end *end)
{
	if (run->wanted.went_to_fallback && end->text == BF_END_OLD_AGAIN)
		return "%o is running.";
	if (end->text == BF_END_UNPROVEN_SILENT && run->boot.left)
		return "%n is written, verified and started; nothing on this line tells what runs: "
		       "look whether the pack works.";
	return sentences[end->text];
}

static void fail(const struct bf_run *run, const struct bf_end *end, struct bf_outcome *out)
{
	struct bf_err *err = &out->err;

	next_command(run, end->next, err);
	if (end->rc && err->rc != BF_E_INTERRUPTED && err->rc != end->rc) {
		/* An adapter that did not come back in time is one that is gone. */
		err->first_rc = end->rc == BF_E_LINK && run->model.link_gone ? BF_E_GONE : err->rc;
		err->rc = end->rc;
	}
	if (err->rc == BF_E_INTERRUPTED && !err->next[0]) {
		if (!err->todo[0])
			bf_do(err, "run the same command again: it goes on from here");
		bf_next_command(run, run->job->kind, run->job->restore_from, err);
	}
	if (end->state == BF_STATE_RECOVERY && run->given.profile.rescue[0])
		bf_do(err,
		      "check power and cable; the same command writes it again. If it stays "
		      "silent: %s",
		      run->given.profile.rescue);
	/* A pack without firmware is not left with advice alone. */
	if (end->state == BF_STATE_RECOVERY && !err->next[0])
		recovery_command(run, err);
	if (err->rc == BF_E_RESTORED && !err->next[0])
		bf_next_command(run, BF_JOB_PROBE, NULL, err);
	out->rc = err->rc;
	out->state = end->state;
	expand(run, sentence_of(run, end), out->sentence, sizeof(out->sentence));
}

static void say_flash(const struct bf_run *run, struct bf_outcome *out)
{
	struct bf_end end = bf_model_end_well(&run->model);
	char name[NAME];
	char *s = out->sentence;
	size_t cap = sizeof(out->sentence);

	if (run->dry_ended) {
		out->state = run->model.runs == BF_RUNS_OLD ? BF_STATE_OLD : BF_STATE_UNTOUCHED;
		snprintf(s, cap, "Dry run: all checks passed, nothing was changed.");
	} else if (end.state == BF_STATE_UNPROVEN) {
		out->state = end.state;
		snprintf(s, cap, "%s is written and started; the pack cannot prove it.",
			 new_name(run, "Firmware", name));
	} else if (run->job->kind == BF_JOB_ROLLBACK) {
		out->state = BF_STATE_OLD;
		snprintf(s, cap, "%s is again running, proven by the pack.",
			 new_name(run, "Old firmware", name));
	} else {
		out->state = BF_STATE_NEW_PROVEN;
		out->was_there = bf_plan_was_there(run);
		out->unchecked = !out->was_there && !run->model.verified;
		snprintf(s, cap, "%s is proven running%s.", new_name(run, "New firmware", name),
			 out->was_there        ? "; it was there already"
			 : run->model.verified ? ""
					       : "; contents not checked");
	}
}

static void say_success(const struct bf_run *run, struct bf_outcome *out)
{
	char *s = out->sentence;
	size_t cap = sizeof(out->sentence);

	out->state = BF_STATE_UNTOUCHED;
	switch (run->job->kind) {
	case BF_JOB_PROBE:
		snprintf(s, cap, "Nothing was changed.");
		break;
	case BF_JOB_BACKUP:
		if (run->dry_ended)
			snprintf(s, cap, "Dry run: nothing was read or written.");
		else if (!bf_run_can(run, BF_CAP_READ))
			snprintf(s, cap,
				 "Versions and digests written to '%s'; the contents of this pack "
				 "cannot be "
				 "read, and nothing can be restored from it.",
				 run->archives.path);
		else
			snprintf(s, cap, "Backup written to '%s'; nothing was changed in the pack.",
				 run->archives.path);
		break;
	case BF_JOB_VERIFY:
		if (bf_job_checks_record(run->job)) {
			snprintf(s, cap, "Record OK: %zu entr%s, hash chain intact.",
				 run->record_lines, run->record_lines == 1 ? "y" : "ies");
			break;
		}
		if (bf_job_checks_profiles(run->job)) {
			snprintf(s, cap, "%s",
				 run->job->images[1] ? "Every profile is sound."
						     : "The profile is sound.");
			break;
		}
		snprintf(s, cap, "%s",
			 run->job->iface ? "The image is good, and the pack runs it."
					 : "Every image is good.");
		break;
	case BF_JOB_FLASH:
	case BF_JOB_ROLLBACK:
		say_flash(run, out);
		break;
	}
}

/* All was done, and then the firmware did not come back. */
static void not_back(struct bf_err *err)
{
	bf_fail(err, BF_E_UNPROVEN, "the pack did not come back from its bootloader");
	bf_likely(err, "it lost its power or its line at the very end");
	bf_likely(err, "it starts its firmware only after it was switched off and on");
}

/* Jobs that change nothing may have taken the pack into its bootloader to read it. */
static bool is_away(const struct bf_model *m)
{
	return m->entered == BF_ENTERED_BY_US && m->talking != BF_TALKING_APP;
}

void bf_outcome_fill(struct bf_run *run, enum bf_rc rc, const struct bf_err *err,
		     struct bf_outcome *ret)
{
	const struct bf_model *m = &run->model;
	struct bf_end end;

	memset(ret, 0, sizeof(*ret));
	bf_err_init(&ret->err);
	if (!rc && !is_away(m)) {
		say_success(run, ret);
		return;
	}
	if (rc)
		ret->err = *err;
	else
		not_back(&ret->err);
	end = bf_model_end(m);
	if (!changes(run) && m->entered != BF_ENTERED_BY_US)
		end = (struct bf_end){ BF_STATE_UNTOUCHED, BF_OK, BF_END_NOTHING_CHANGED,
				       BF_END_NEXT_CAUSE };
	fail(run, &end, ret);
}
