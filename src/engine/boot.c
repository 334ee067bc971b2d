/* SPDX-License-Identifier: MIT */
/* Starting the new firmware, proving that it runs, testing it, confirming it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"

#include "phases.h"
#include "verify.h"

/* ==== proof ==== */
/* What runs after the restart, by the pack's own word. Upload acknowledgements prove nothing. */

static const char *reason_text(unsigned reason)
{
	static const char *const texts[] = { "unknown", "power-on", "request", "watchdog",
					     "crash" };

	return reason < BF_COUNT(texts) ? texts[reason] : texts[0];
}

/* Started more than once since our restart, or thrown out by watchdog or crash. */
static bool has_looped(const struct bf_run *run)
{
	return run->session.now.reset_reason == 3 || run->session.now.reset_reason == 4 ||
	       (run->session.ident.boot_count &&
		run->session.now.boot_count > run->session.ident.boot_count + 2);
}

void bf_name_loop(const struct bf_run *run, struct bf_err *err)
{
	if (has_looped(run)) {
		err->n_likely = 0; /* silence that a restart explains is no fault of the line */
		err->pattern = BF_PATTERN_LOOP;
		bf_likely(err,
			  "restart loop after the update: %u starts since power-on, the last "
			  "by %s",
			  run->session.now.boot_count, reason_text(run->session.now.reset_reason));
		bf_likely(err, "the image is built for another variant or another boot loader");
		return;
	}
	if (!err->n_likely)
		bf_likely(err,
			  "the boot loader does not accept the image (key, counter or dependency)");
}

/* The image that does not run, where there are several. */
static unsigned part_that_differs(const struct bf_run *run)
{
	for (unsigned i = 0; i < bf_parts(run); i++) {
		const struct bf_slot *active = bf_slot_active(bf_now_of(run, i), NULL);
		const struct bf_aim *aim = &run->wanted.aside[i];

		if (i == run->wanted.part
			    ? !bf_wanted_in(run, active)
			    : !active || active->digest_len != aim->digest_len ||
				      memcmp(active->digest, aim->digest, aim->digest_len) != 0)
			return i;
	}
	return 0;
}

static enum bf_rc not_started(struct bf_run *run, struct bf_err *err)
{
	char text[BF_VERSION_TEXT], want[BF_VERSION_TEXT] = "the new firmware";
	const char *now = bf_ident_version(&run->session.now, text);

	if (run->wanted.has_version)
		bf_version_text(&run->wanted.version, want);
	if (run->model.talking == BF_TALKING_LOADER) {
		bf_fail(err, BF_E_UNPROVEN,
			"after the restart the pack stays in its bootloader and does not run %s",
			want);
		if (!run->model.failed_test) {
			bf_likely(err,
				  "it starts its firmware only after it was switched off and on");
			return err->rc;
		}
	} else if (run->model.runs == BF_RUNS_UNTOLD) {
		bf_fail(err, BF_E_UNPROVEN,
			"after the restart the pack answers as '%s', which shows neither the new "
			"firmware nor the old",
			now ? now : "unknown");
	} else {
		bf_fail(err, BF_E_RESTORED, "after the restart the pack runs %s, not %s",
			now ? now : "its previous firmware", want);
	}
	bf_name_loop(run, err);
	return err->rc;
}

/* A pack that stays in its bootloader. Its power may come back meanwhile, and start what was written. */
static void look_into_loader(struct bf_run *run)
{
	struct bf_err none;

	/* Its bootloader says that the firmware was started and crashed. */
	if (has_looped(run) || run->session.now.bad_firmware[0]) {
		bf_model_failed_test(&run->model);
		return;
	}
	if (bf_verify_stream(run))
		return;
	bf_say_again(run, 0, 0, "the pack left its bootloader while it was read back");
	bf_err_init(&none);
	bf_model_link(&run->model, true);
	(void)bf_run_await(run, bf_in(run->clock, bf_restart_patience(run)), &none);
}

enum bf_rc bf_ph_prove(struct bf_run *run, struct bf_err *err)
{
	const struct bf_slot *active;
	char text[BF_VERSION_TEXT];
	const char *now;

	if (!run->boot.silent && run->model.runs != BF_RUNS_NEW &&
	    run->model.talking == BF_TALKING_LOADER)
		look_into_loader(run);
	run->boot.proven_reopened = run->session.retry.reopened;
	if (run->boot.silent)
		return BF_OK;
	/* Allowed by name: that an application answers is all that this pack can say. */
	if (run->model.runs == BF_RUNS_UNTOLD && run->job->allow[BF_ALLOW_NO_PROOF]) {
		bf_model_no_proof(&run->model);
		bf_say(run, BF_EV_NOTICE, "an application runs; the pack does not say which");
		return BF_OK;
	}
	if (run->model.runs != BF_RUNS_NEW) {
		bf_session_part(run, part_that_differs(run));
		not_started(run, err);
		bf_session_part(run, 0);
		return err->rc;
	}
	bf_emit(run, (struct bf_event){ .kind = BF_EV_DEVICE, .ident = &run->session.now });
	now = bf_ident_version(&run->session.now, text);
	active = bf_slot_active(&run->session.now, NULL);
	bf_say(run, BF_EV_NOTICE, "the pack answers as %s%s", now ? now : "running",
	       active && active->digest_len ? ", with the digest of the image" : "");
	return BF_OK;
}

/* ==== starting the new firmware, and making it stay ==== */

#define RESTART_DEFAULT BF_SEC(30)
#define RESTART_LIMIT   BF_SEC(600)

/* A swap moves each page of both banks: three erasures (22 ms) and three programmings (82 us a double word) in
 * 2 KiB make 63 us a byte; slow flash takes twice that. */
#define SWAP_BASE BF_SEC(10)
#define SWAP_BYTE BF_US(150)

static bool still_pending(const struct bf_ident *now)
{
	const struct bf_slot *other = bf_slot_other(now, NULL);

	return other && (other->flags & BF_SLOT_PENDING);
}

static bool any_pending(const struct bf_run *run)
{
	bool any = false;

	for (unsigned i = 0; i < bf_parts(run); i++)
		any = any || still_pending(bf_now_of(run, i));
	return any;
}

/* Looked at before the mark is asked for again: a pack that has swapped its slots would mark the old firmware. */
static enum bf_rc look_for_mark(struct bf_run *run, void *ctx, bool *ret_marked, struct bf_err *err)
{
	struct bf_ident now = run->session.now;
	enum bf_rc rc;

	(void)ctx;
	if (!run->session.proto->ops->boot->state)
		return BF_OK;
	rc = run->session.proto->ops->boot->state(run->session.proto, &now, err);
	if (rc)
		return rc;
	/* The mark was taken, and then the pack restarted by itself, for want of power: what was to be marked runs. */
	if (bf_wanted_in(run, bf_slot_active(&now, NULL)))
		bf_model_started_early(&run->model);
	*ret_marked = run->model.started_early || still_pending(&now);
	return BF_OK;
}

static enum bf_rc mark(struct bf_run *run, void *ctx, struct bf_err *err)
{
	bool trial = bf_run_can(run, BF_CAP_TRIAL);

	(void)ctx;
	return run->session.proto->ops->boot->activate(
		run->session.proto, trial ? BF_ACTIVATE_TRIAL : BF_ACTIVATE_PERMANENT, err);
}

enum bf_rc bf_ph_activate(struct bf_run *run, struct bf_err *err)
{
	bool trial = bf_run_can(run, BF_CAP_TRIAL);
	enum bf_rc rc;

	/* With one place there is nothing to choose from at the restart. */
	if (!run->session.proto->ops->boot->activate ||
	    !(trial || bf_run_can(run, BF_CAP_DUAL_BANK)))
		return BF_OK;
	if (trial && run->session.ident.in_bootloader && !bf_run_can(run, BF_CAP_CONFIRM)) {
		bf_model_test_boot(&run->model);
		bf_say(run, BF_EV_WARNING,
		       "This bootloader starts the image for a test boot and cannot confirm it: "
		       "unless the "
		       "firmware confirms itself, or answers here and is confirmed, the pack "
		       "reverts at "
		       "the next restart after this one.");
	}
	/* Before the call: its answer may get lost after it has taken effect. */
	bf_model_marked(&run->model, true);
	bf_journal_write(run);
	rc = bf_call(run,
		     &(struct bf_call){ .ask = BF_ASK_MARK,
					.what = "marking the new firmware",
					.call = mark,
					.done = look_for_mark },
		     err);
	if (rc && bf_met_of(err) == BF_MET_REFUSED && !run->wanted.part)
		bf_model_marked(&run->model, false); /* the pack said no, and nothing is marked */
	if (rc)
		return bf_while(err, trial ? "marking the new firmware for a test boot"
					   : "marking the new firmware for the next start");
	return BF_OK;
}

/* What a boot loader that swaps may have to move at most. */
static uint32_t swapped_bytes(const struct bf_run *run)
{
	const struct bf_region *region;
	uint32_t all = 0;
	unsigned slot;

	if (!bf_model_old_is_safe(&run->model))
		return 0;
	for (unsigned i = 0; i < bf_parts(run) && bf_wanted_of(run, i); i++)
		all += (uint32_t)bf_image_size(bf_wanted_of(run, i));
	if (all)
		return all;
	region = bf_slot_target(&run->session.ident, &slot)
			 ? bf_region_of_slot(&run->session.ident, slot)
			 : NULL;
	return region ? region->size : 0;
}

bf_time bf_restart_patience(const struct bf_run *run)
{
	bf_time told = run->given.profile.restart_ms ? BF_MS(run->given.profile.restart_ms)
						     : RESTART_DEFAULT;
	bf_time swap = SWAP_BASE + swapped_bytes(run) * SWAP_BYTE;

	if (swap > RESTART_LIMIT)
		swap = RESTART_LIMIT;
	return swap > told ? swap : told;
}

static bool may_have_gone(enum bf_rc rc)
{
	return rc == BF_E_TIMEOUT || rc == BF_E_LINK || rc == BF_E_GONE;
}

/* A restart whose answer was lost counts as sent: what answers afterwards tells. */
static enum bf_rc restart_once(struct bf_run *run, void *ctx, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;
	bf_time start = bf_now(run->clock);
	enum bf_rc rc;

	(void)ctx;
	rc = ops->loader->restart ? ops->loader->restart(run->session.proto, err) : BF_OK;
	if (rc && !may_have_gone(rc))
		return bf_while(err, "restarting the pack");
	bf_session_parted(run);
	bf_err_init(err);
	bf_model_restarts(&run->model);
	bf_rate_restarted(run);
	rc = bf_run_await(run, bf_in(run->clock, bf_restart_patience(run)), err);
	bf_spent(run, BF_SPENT_RESTART, start);
	if (rc)
		return bf_while(err, "waiting up to %.0f s for the pack to come back",
				(double)bf_restart_patience(run) / 1e6);
	return BF_OK;
}

/* What was marked is still to come, or, with one bank, the bootloader that answers may never have heard the request:
 * asking it again does no harm. */
static bool has_restarted(const struct bf_run *run, void *ctx)
{
	bool in_loader = run->model.talking == BF_TALKING_LOADER &&
			 bf_model_one_place(&run->model) &&
			 run->session.proto->ops->loader->restart;

	(void)ctx;
	return !any_pending(run) && !in_loader;
}

static enum bf_rc enter_again(struct bf_run *run, void *ctx, enum bf_met met, struct bf_err *err)
{
	(void)ctx;
	(void)met;
	return bf_run_enter(run, err);
}

enum bf_rc bf_run_restart(struct bf_run *run, struct bf_err *err)
{
	return bf_call(run,
		       &(struct bf_call){ .ask = BF_ASK_RESTART,
					  .what = "restarting the pack",
					  .call = restart_once,
					  .taken = has_restarted,
					  .again = enter_again },
		       err);
}

void bf_boot_owes_restart(struct bf_run *run, bool owes)
{
	run->boot.owes_restart = owes;
}

enum bf_rc bf_ph_restart(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc;

	bf_model_starting(&run->model);
	bf_journal_write(run);
	/* Another restart would end its test boot. */
	rc = run->model.started_early ? bf_ask_what_runs(run, err) : bf_run_restart(run, err);
	run->boot.left = rc && run->session.proto && run->session.proto->left;
	if (rc && run->job->allow[BF_ALLOW_NO_PROOF] && !run->model.link_gone &&
	    rc != BF_E_INTERRUPTED) {
		bf_model_no_proof(&run->model);
		bf_say(run, BF_EV_WARNING, "the pack does not answer now: %s", err->cause);
		bf_err_init(err);
		run->boot.silent = true;
		return BF_OK;
	}
	if (rc && bf_model_one_place(&run->model))
		bf_likely(err,
			  "the firmware runs and does not speak '%s': for such packs --allow "
			  "no-proof",
			  run->session.proto->ops->name);
	return rc;
}

/* An update that waits for its test boot is dropped by the restart after that. */
static enum bf_rc run_pending(struct bf_run *run, struct bf_err *err)
{
	if (!bf_run_can(run, BF_CAP_TEST_FIRST) || !any_pending(run))
		return BF_OK;
	bf_say(run, BF_EV_NOTICE,
	       "an update waits for its test boot: the pack starts it, and the next restart drops "
	       "it");
	bf_model_marked(&run->model, true);
	return bf_run_restart(run, err) ? bf_while(err, "starting the update that waits") : BF_OK;
}

static enum bf_rc mark_previous(struct bf_run *run, void *ctx, struct bf_err *err)
{
	(void)ctx;
	return run->session.proto->ops->boot->revert(run->session.proto, err);
}

/* A lost answer is not asked for again: taken twice it would be a revert of the revert. */
enum bf_rc bf_ph_revert(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc;

	if (run_pending(run, err))
		return err->rc;
	bf_model_marked(&run->model, true);
	rc = bf_call(run,
		     &(struct bf_call){ .ask = BF_ASK_ONCE,
					.what = "marking the previous firmware",
					.call = mark_previous },
		     err);
	/* Refused by the pack, or by its family before it was asked. */
	if (!run->wanted.part &&
	    (bf_met_of(err) == BF_MET_REFUSED || rc == BF_E_INCOMPATIBLE || rc == BF_E_UNSUPPORTED))
		bf_model_marked(&run->model, false);
	if (rc)
		return bf_while(err, "marking the previous firmware for the next start");
	return BF_OK;
}

/* A confirmation whose answer is lost may have been taken: the bank state tells. */
static bool is_confirmed(struct bf_run *run)
{
	const struct bf_slot *active;
	struct bf_err err;
	struct bf_ident now = run->session.now;

	bf_err_init(&err);
	if (!run->session.proto->ops->boot->state ||
	    run->session.proto->ops->boot->state(run->session.proto, &now, &err))
		return false;
	active = bf_slot_active(&now, NULL);
	if (!active || !(active->flags & BF_SLOT_CONFIRMED))
		return false;
	bf_session_now(run, &now);
	return true;
}

/* Told to a pack that lost the session it does nothing, and may be told again; one whose answer was lost is looked
 * at first. */
static enum bf_rc confirm_once(struct bf_run *run, void *ctx, struct bf_err *err)
{
	(void)ctx;
	return run->session.proto->ops->boot->confirm(run->session.proto, err);
}

static enum bf_rc look_for_confirmation(struct bf_run *run, void *ctx, bool *ret_done,
					struct bf_err *err)
{
	(void)ctx;
	(void)err;
	*ret_done = is_confirmed(run);
	return BF_OK;
}

/* A bootloader that was found cannot confirm, and the application that it started may. */
static bool takes_confirmation(const struct bf_run *run)
{
	return (bf_run_can(run, BF_CAP_CONFIRM) || (run->session.now.caps & BF_CAP_CONFIRM)) &&
	       run->session.proto->ops->boot->confirm;
}

static bool needs_confirmation(const struct bf_run *run)
{
	const struct bf_slot *active = bf_slot_active(&run->session.now, NULL);

	if (run->boot.silent || !takes_confirmation(run))
		return false;
	return !active || (active->flags & BF_SLOT_TRIAL) || !(active->flags & BF_SLOT_CONFIRMED);
}

/* Firmware that crashed meanwhile may have left the confirmation to the old one. A pack that cannot be asked
 * now has proven it before, unless it restarted since. */
static enum bf_rc see_it_stay(struct bf_run *run, struct bf_err *err)
{
	struct bf_err why;
	enum bf_rc rc;

	if (run->boot.silent || run->model.no_proof || !run->session.now.n_slots)
		return BF_OK;
	bf_err_init(&why);
	rc = bf_ask_what_runs(run, &why);
	if (rc && run->session.retry.reopened != run->boot.proven_reopened) {
		bf_model_silent(&run->model);
		*err = why;
		return bf_while(err, "asking a pack that restarted since what it runs");
	}
	if (rc || run->model.runs == BF_RUNS_NEW)
		return BF_OK;
	bf_fail(err, BF_E_MISMATCH, "the pack went back to its old firmware by itself");
	bf_name_loop(run, err);
	return err->rc;
}

static enum bf_rc confirm_part(struct bf_run *run, struct bf_err *err)
{
	if (!needs_confirmation(run))
		return BF_OK;
	if (bf_run_enter(run, err))
		return err->rc;
	if (bf_call(run,
		    &(struct bf_call){ .ask = BF_ASK_MARK,
				       .what = "confirming the new firmware",
				       .call = confirm_once,
				       .done = look_for_confirmation },
		    err))
		return bf_while(err, "confirming the new firmware");
	if (run->session.proto->ops->boot->state && run->session.now.n_slots && !is_confirmed(run))
		return bf_fail(err, BF_E_NAK,
			       "the pack took the confirmation and does not show it");
	return BF_OK;
}

/* Of several images each is confirmed before any is called so. */
enum bf_rc bf_ph_confirm(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc = BF_OK;

	for (unsigned i = 0; !rc && i < bf_parts(run); i++) {
		bf_session_part(run, i);
		rc = confirm_part(run, err);
	}
	bf_session_part(run, 0);
	if (rc)
		return rc;
	if (see_it_stay(run, err))
		return err->rc;
	bf_model_confirmed(&run->model);
	bf_journal_drop(run);
	return BF_OK;
}

/* ==== the rules that new firmware must pass before it may stay ==== */

#define PINGS      8
#define MORE_PINGS 40        /* when the first look is bad */
#define STAY       BF_SEC(4) /* longer than firmware on trial takes to make up its mind */

enum bf_rc bf_self_test_decide(struct bf_run *run, struct bf_check *check, bool ok,
			       struct bf_err *err)
{
	if (bf_check_passes(run, check, ok, BF_EV_SELF_TEST))
		return BF_OK;
	bf_model_failed_test(&run->model);
	return bf_fail(err, BF_E_MISMATCH, "self-test '%s' failed: '%s', allowed is '%s'",
		       check->name, check->got, check->limit);
}

static enum bf_rc decide(struct bf_run *run, struct bf_check *check, bool ok, struct bf_err *err)
{
	if (!bf_self_test_decide(run, check, ok, err))
		return BF_OK;
	bf_likely(err, "the new firmware does not fit this pack's hardware or calibration");
	bf_likely(err, "that part of the pack is faulty and the old firmware does not look at it");
	return err->rc;
}

static void unknown(struct bf_run *run, const char *name)
{
	struct bf_check check = bf_check(name, -1);

	check.verdict = BF_VERDICT_UNKNOWN;
	snprintf(check.got, sizeof(check.got), "unknown");
	bf_check_show(run, BF_EV_SELF_TEST, &check);
}

/* What a pack lacks is not what a pack failed. */
static void not_offered(struct bf_run *run, const char *name, struct bf_err *err)
{
	struct bf_check check = bf_check(name, -1);

	bf_err_init(err);
	check.verdict = BF_VERDICT_UNKNOWN;
	snprintf(check.got, sizeof(check.got), "not offered");
	bf_check_show(run, BF_EV_SELF_TEST, &check);
}

static enum bf_rc test_cells(struct bf_run *run, const struct bf_measure *m, struct bf_err *err)
{
	struct bf_check check = bf_check("cell-voltages", -1);
	double limit = run->given.profile.limits.self_cell_percent, worst = 0;
	size_t which = 0;

	if (!run->conditions.has_before || !run->conditions.before.n_cells) {
		unknown(run, check.name);
		return BF_OK;
	}
	snprintf(check.limit, sizeof(check.limit), "each within %g %% of before, %zu cells", limit,
		 run->conditions.before.n_cells);
	if (m->n_cells != run->conditions.before.n_cells) {
		snprintf(check.got, sizeof(check.got), "%zu cells", m->n_cells);
		return decide(run, &check, false, err);
	}
	for (size_t i = 0; i < m->n_cells; i++) {
		double was = run->conditions.before.cell_v[i];
		double off = was > 0 ? 100 * fabs(m->cell_v[i] - was) / was
				     : (m->cell_v[i] > 0 ? 100 : 0);

		if (off > worst) {
			worst = off;
			which = i;
		}
	}
	snprintf(check.got, sizeof(check.got), "cell %zu: %.3f V, was %.3f V (%.2f %%)", which + 1,
		 m->cell_v[which], run->conditions.before.cell_v[which], worst);
	return decide(run, &check, worst <= limit, err);
}

static enum bf_rc test_temperatures(struct bf_run *run, const struct bf_measure *m,
				    struct bf_err *err)
{
	const struct bf_limits *lim = &run->given.profile.limits;
	struct bf_check check = bf_check("temperature-sensors", -1);
	size_t bad = m->n_temps;

	if (!run->conditions.before.n_temps && !m->n_temps) {
		unknown(run, check.name);
		return BF_OK;
	}
	snprintf(check.limit, sizeof(check.limit), "%zu sensors, %g to %g degrees C",
		 run->conditions.before.n_temps, lim->self_temp_min, lim->self_temp_max);
	for (size_t i = 0; i < m->n_temps; i++) {
		if (m->temp_c[i] < lim->self_temp_min || m->temp_c[i] > lim->self_temp_max)
			bad = i;
	}
	if (bad < m->n_temps)
		snprintf(check.got, sizeof(check.got), "sensor %zu: %.1f degrees C", bad + 1,
			 m->temp_c[bad]);
	else
		snprintf(check.got, sizeof(check.got), "%zu sensors, all plausible", m->n_temps);
	return decide(run, &check,
		      bad == m->n_temps && m->n_temps >= run->conditions.before.n_temps, err);
}

/* All that was lost was lost in one go, and everything since was answered: the pack or the line was away for a
 * moment, as by a loose plug. That is no fault of the firmware, and no reason to go back. */
static bool was_away(const struct bf_linktest *t)
{
	return t->lost && t->lost == t->gap && t->since >= MORE_PINGS / 2;
}

static enum bf_rc test_line(struct bf_run *run, const char *name, struct bf_err *err)
{
	struct bf_check check = bf_check(name, -1);
	unsigned n = PINGS, may_lose = bf_linktest_may_lose(run, n);
	struct bf_linktest t;

	if (bf_linktest(run, n, &t, err))
		return err->rc;
	/* Few tell little: a line that lost messages before is no fault of the new firmware. */
	if (t.lost > may_lose) {
		n = MORE_PINGS;
		may_lose = bf_linktest_may_lose(run, n);
		if (bf_linktest(run, n, &t, err))
			return err->rc;
	}
	if (n == MORE_PINGS && t.lost == t.sent)
		return bf_fail(err, BF_E_TIMEOUT,
			       "the pack answers none of %u test messages at %u bit/s", t.sent,
			       run->wire.rate);
	snprintf(check.got, sizeof(check.got), "%u of %u lost at %u bit/s", t.lost, t.sent,
		 run->wire.rate);
	snprintf(check.limit, sizeof(check.limit), "at most %u lost", may_lose);
	if (t.lost > may_lose && was_away(&t))
		bf_say(run, BF_EV_WARNING,
		       "the pack or the line was away for %u test messages in a row, and none was "
		       "lost since: look at plugs and power",
		       t.gap);
	return decide(run, &check, t.lost <= may_lose || was_away(&t), err);
}

/* Both ends are back at the default rate. On a line that loses messages that proves nothing. */
static enum bf_rc lost_rate(struct bf_run *run, uint32_t rate, struct bf_err *err)
{
	struct bf_check check = bf_check("link-agreed-rate", -1);

	if (err->rc != BF_E_LINK)
		return err->rc;
	if (bf_linktest_may_lose(run, PINGS)) {
		bf_say(run, BF_EV_NOTICE, "%s", err->cause);
		unknown(run, check.name);
		return BF_OK;
	}
	snprintf(check.got, sizeof(check.got), "no answer at %u bit/s", rate);
	snprintf(check.limit, sizeof(check.limit), "works, as before the update");
	return decide(run, &check, false, err);
}

static enum bf_rc test_link(struct bf_run *run, struct bf_err *err)
{
	/* Before the restart already the line may have carried less than what was agreed at first. */
	uint32_t agreed =
		run->transfer.worked_rate ? run->transfer.worked_rate : run->wire.agreed_rate;
	enum bf_rc rc;

	if (!run->session.proto->ops->ping)
		return BF_OK;
	if (test_line(run, "link-default-rate", err))
		return err->rc;
	if (!agreed || agreed == run->wire.first_rate || !run->session.proto->ops->set_rate)
		return BF_OK;
	if (bf_rate_change(run, agreed, err))
		return lost_rate(run, agreed, err);
	if (test_line(run, "link-agreed-rate", err))
		return err->rc;
	/* Where it does not go back, both ends stay: the last phase tries again. */
	rc = bf_rate_change(run, run->wire.first_rate, err);
	return rc == BF_E_LINK ? BF_OK : rc;
}

static enum bf_rc ask_balancing(struct bf_run *run, void *ctx, struct bf_err *err)
{
	return run->session.proto->ops->app->balance(run->session.proto, ctx, err);
}

static enum bf_rc test_balancing(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("balancing", -1);
	enum bf_rc rc;
	bool ok = false;

	if (!bf_run_can(run, BF_CAP_BALANCE) || !run->session.proto->ops->app->balance)
		return BF_OK;
	rc = bf_call_question(run, "testing the balancing switches", ask_balancing, &ok, err);
	if (rc == BF_E_UNSUPPORTED) {
		not_offered(run, check.name, err);
		return BF_OK;
	}
	if (rc)
		return bf_while(err, "testing the balancing switches");
	snprintf(check.got, sizeof(check.got), "%s", ok ? "answers" : "a switch does not answer");
	snprintf(check.limit, sizeof(check.limit), "all switches answer");
	return decide(run, &check, ok, err);
}

static enum bf_rc ask_itself(struct bf_run *run, void *ctx, struct bf_err *err)
{
	return run->session.proto->ops->app->self_test(run->session.proto, ctx, err);
}

static enum bf_rc no_self_test(struct bf_run *run, struct bf_check *check, struct bf_err *err)
{
	if (!run->given.profile.self_test_required)
		return BF_OK;
	check->allow = BF_ALLOW_SELF_TEST;
	snprintf(check->got, sizeof(check->got), "the pack has none");
	return decide(run, check, false, err);
}

static enum bf_rc test_itself(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("pack-self-test", -1);
	struct bf_self_test st = { 0 };
	enum bf_rc rc;

	snprintf(check.limit, sizeof(check.limit), "passed");
	if (!bf_run_can(run, BF_CAP_SELF_TEST) || !run->session.proto->ops->app->self_test)
		return no_self_test(run, &check, err);
	rc = bf_call_question(run, "running the pack's self-test", ask_itself, &st, err);
	if (rc == BF_E_UNSUPPORTED) {
		if (!run->given.profile.self_test_required)
			not_offered(run, check.name, err);
		bf_err_init(err);
		return no_self_test(run, &check, err);
	}
	if (rc)
		return bf_while(err, "running the pack's self-test");
	snprintf(check.got, sizeof(check.got), "%s",
		 st.passed      ? "passed"
		 : st.detail[0] ? st.detail
				: "failed");
	return decide(run, &check, st.passed, err);
}

static enum bf_rc ask_values(struct bf_run *run, void *ctx, struct bf_err *err)
{
	return bf_run_measure(run, ctx, err);
}

static enum bf_rc test_values(struct bf_run *run, struct bf_err *err)
{
	static const char what[] = "reading the cells after the update";
	struct bf_measure after;

	if (!bf_run_measures(run))
		return BF_OK;
	if (bf_call_question(run, what, ask_values, &after, err))
		return bf_while(err, what);
	if (test_cells(run, &after, err))
		return err->rc;
	return test_temperatures(run, &after, err);
}

/* Firmware that can be asked nothing is left running: getting ready to ask would take it into the loader. */
static bool has_answers(const struct bf_run *run)
{
	return run->wire.rate || bf_run_measures(run) ||
	       (run->session.ident.caps & (BF_CAP_BALANCE | BF_CAP_SELF_TEST));
}

#define MCUBOOT_MAGIC 0x96F3B83Du

/* Whatever the file's format is, and whoever has signed it. */
static bool begins_as_mcuboot(const struct bf_image *image)
{
	const struct bf_segment *segments;

	return bf_image_meta(image)->mcuboot ||
	       (bf_image_segments(image, &segments) && segments[0].len >= 4 &&
		bf_get_le32(segments[0].data) == MCUBOOT_MAGIC);
}

/* A region of kind app is the only place of firmware; of two places each is a slot. */
static bool profile_says_one_bank(const struct bf_run *run)
{
	const struct bf_profile *p = &run->given.profile;

	for (size_t i = 0; i < p->n_regions; i++) {
		if (p->regions[i].kind == BF_REGION_APP)
			return true;
	}
	return false;
}

/* Written over in its only place the old firmware is gone. A stream may go into a second slot that nobody speaks
 * of; what MCUboot starts there is on trial. */
static bool may_go_back_itself(const struct bf_run *run)
{
	const struct bf_survives *s = &run->model.survives;
	const struct bf_claim_opts *opts = run->job->claim_opts;
	bool sink = bf_run_can(run, BF_CAP_SINK), named = opts && opts->has_addr;

	if (s->image == BF_KNOWN_YES || s->reverts == BF_KNOWN_YES)
		return true;
	if (bf_run_can(run, BF_CAP_REVERT) || bf_run_can(run, BF_CAP_MCUBOOT) ||
	    (run->session.ident.caps_later && !run->session.loader_told))
		return true;
	if (run->session.ident.n_slots > 1)
		return true;
	if (profile_says_one_bank(run) || !run->wanted.image)
		return false;
	/* Where the user has named the place the old firmware may lie in another one. */
	return (sink && run->session.ident.n_regions > 1) ||
	       ((sink || named) && begins_as_mcuboot(run->wanted.image));
}

/* Where nobody confirms, firmware on trial judges itself; one that gives up restarts into the old. */
static enum bf_rc watch_it_stay(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;
	bf_time until = bf_in(run->clock, STAY);
	struct bf_check check = bf_check("stays-running", -1);

	if (takes_confirmation(run) || run->model.no_proof || !may_go_back_itself(run))
		return BF_OK;
	if (bf_run_pause(run, STAY, err))
		return err->rc;
	if (ops->await && ops->await(run->session.proto, until + STAY, err))
		return bf_while(err, "looking whether the new firmware stays");
	if (bf_run_ask(run, err))
		return bf_while(err, "looking whether the new firmware stays");
	snprintf(check.got, sizeof(check.got), "%s",
		 run->model.runs == BF_RUNS_NEW ? "runs" : "gave up by itself");
	snprintf(check.limit, sizeof(check.limit), "runs for %.0f s", (double)STAY / 1e6);
	return decide(run, &check, run->model.runs == BF_RUNS_NEW, err);
}

enum bf_rc bf_ph_self_test(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;

	if (run->boot.silent)
		return BF_OK;
	if (!has_answers(run))
		return watch_it_stay(run, err);
	run->session.proto->proves = true;
	if (ops->connect && ops->connect(run->session.proto, BF_ENTRY_READ, err))
		return bf_while(err, "preparing the pack for its self-test");
	if (test_values(run, err) || test_balancing(run, err) || test_itself(run, err))
		return err->rc;
	return test_link(run, err);
}
