/* SPDX-License-Identifier: MIT */
/* The rules that new firmware must pass before it may stay. */
#include <math.h>
#include <stdio.h>

#include "recover.h"
#include "run.h"

#define PINGS      8
#define MORE_PINGS 40        /* when the first look is bad */
#define STAY       BF_SEC(4) /* longer than firmware on trial takes to make up its mind */

enum bf_rc bf_self_test_decide(struct bf_run *run, struct bf_check *check, bool ok,
			       struct bf_err *err)
{
	bool allowed = !ok && check->allow >= 0 && run->job->allow[check->allow];

	check->verdict = ok ? BF_VERDICT_PASS : allowed ? BF_VERDICT_ALLOWED : BF_VERDICT_FAIL;
	bf_check_show(run, BF_EV_SELF_TEST, check);
	if (allowed)
		run->overrides |= 1u << check->allow;
	if (ok || allowed)
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
	double limit = run->profile.limits.self_cell_percent, worst = 0;
	size_t which = 0;

	if (!run->has_before || !run->before.n_cells) {
		unknown(run, check.name);
		return BF_OK;
	}
	snprintf(check.limit, sizeof(check.limit), "each within %g %% of before, %zu cells", limit,
		 run->before.n_cells);
	if (m->n_cells != run->before.n_cells) {
		snprintf(check.got, sizeof(check.got), "%zu cells", m->n_cells);
		return decide(run, &check, false, err);
	}
	for (size_t i = 0; i < m->n_cells; i++) {
		double was = run->before.cell_v[i];
		double off = was > 0 ? 100 * fabs(m->cell_v[i] - was) / was
				     : (m->cell_v[i] > 0 ? 100 : 0);

		if (off > worst) {
			worst = off;
			which = i;
		}
	}
	snprintf(check.got, sizeof(check.got), "cell %zu: %.3f V, was %.3f V (%.2f %%)", which + 1,
		 m->cell_v[which], run->before.cell_v[which], worst);
	return decide(run, &check, worst <= limit, err);
}

static enum bf_rc test_temperatures(struct bf_run *run, const struct bf_measure *m,
				    struct bf_err *err)
{
	const struct bf_limits *lim = &run->profile.limits;
	struct bf_check check = bf_check("temperature-sensors", -1);
	size_t bad = m->n_temps;

	if (!run->before.n_temps && !m->n_temps) {
		unknown(run, check.name);
		return BF_OK;
	}
	snprintf(check.limit, sizeof(check.limit), "%zu sensors, %g to %g degrees C",
		 run->before.n_temps, lim->self_temp_min, lim->self_temp_max);
	for (size_t i = 0; i < m->n_temps; i++) {
		if (m->temp_c[i] < lim->self_temp_min || m->temp_c[i] > lim->self_temp_max)
			bad = i;
	}
	if (bad < m->n_temps)
		snprintf(check.got, sizeof(check.got), "sensor %zu: %.1f degrees C", bad + 1,
			 m->temp_c[bad]);
	else
		snprintf(check.got, sizeof(check.got), "%zu sensors, all plausible", m->n_temps);
	return decide(run, &check, bad == m->n_temps && m->n_temps >= run->before.n_temps, err);
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
			       run->rate);
	snprintf(check.got, sizeof(check.got), "%u of %u lost at %u bit/s", t.lost, t.sent,
		 run->rate);
	snprintf(check.limit, sizeof(check.limit), "at most %u lost", may_lose);
	return decide(run, &check, t.lost <= may_lose, err);
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
	uint32_t agreed = run->worked_rate ? run->worked_rate : run->agreed_rate;
	enum bf_rc rc;

	if (!run->proto->ops->ping)
		return BF_OK;
	if (test_line(run, "link-default-rate", err))
		return err->rc;
	if (!agreed || agreed == run->first_rate || !run->proto->ops->set_rate)
		return BF_OK;
	if (bf_rate_change(run, agreed, err))
		return lost_rate(run, agreed, err);
	if (test_line(run, "link-agreed-rate", err))
		return err->rc;
	/* Where it does not go back, both ends stay: the last phase tries again. */
	rc = bf_rate_change(run, run->first_rate, err);
	return rc == BF_E_LINK ? BF_OK : rc;
}

static enum bf_rc ask_balancing(struct bf_run *run, struct bf_err *err)
{
	return run->proto->ops->app->balance(run->proto, &run->balances, err);
}

static enum bf_rc test_balancing(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("balancing", -1);
	enum bf_rc rc;
	bool ok;

	if (!bf_run_can(run, BF_CAP_BALANCE) || !run->proto->ops->app->balance)
		return BF_OK;
	rc = bf_run_repeat(run, "testing the balancing switches", ask_balancing, err);
	if (rc == BF_E_UNSUPPORTED) {
		not_offered(run, check.name, err);
		return BF_OK;
	}
	if (rc)
		return bf_while(err, "testing the balancing switches");
	ok = run->balances;
	snprintf(check.got, sizeof(check.got), "%s", ok ? "answers" : "a switch does not answer");
	snprintf(check.limit, sizeof(check.limit), "all switches answer");
	return decide(run, &check, ok, err);
}

static enum bf_rc ask_itself(struct bf_run *run, struct bf_err *err)
{
	return run->proto->ops->app->self_test(run->proto, &run->own_test, err);
}

static enum bf_rc no_self_test(struct bf_run *run, struct bf_check *check, struct bf_err *err)
{
	if (!run->profile.self_test_required)
		return BF_OK;
	check->allow = BF_ALLOW_SELF_TEST;
	snprintf(check->got, sizeof(check->got), "the pack has none");
	return decide(run, check, false, err);
}

static enum bf_rc test_itself(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("pack-self-test", -1);
	const struct bf_self_test *st = &run->own_test;
	enum bf_rc rc;

	snprintf(check.limit, sizeof(check.limit), "passed");
	if (!bf_run_can(run, BF_CAP_SELF_TEST) || !run->proto->ops->app->self_test)
		return no_self_test(run, &check, err);
	rc = bf_run_repeat(run, "running the pack's self-test", ask_itself, err);
	if (rc == BF_E_UNSUPPORTED) {
		if (!run->profile.self_test_required)
			not_offered(run, check.name, err);
		bf_err_init(err);
		return no_self_test(run, &check, err);
	}
	if (rc)
		return bf_while(err, "running the pack's self-test");
	snprintf(check.got, sizeof(check.got), "%s",
		 st->passed      ? "passed"
		 : st->detail[0] ? st->detail
				 : "failed");
	return decide(run, &check, st->passed, err);
}

static enum bf_rc ask_values(struct bf_run *run, struct bf_err *err)
{
	return bf_run_measure(run, &run->after, err);
}

static enum bf_rc test_values(struct bf_run *run, struct bf_err *err)
{
	if (!bf_run_measures(run))
		return BF_OK;
	if (bf_run_repeat(run, "reading the cells after the update", ask_values, err))
		return bf_while(err, "reading the cells after the update");
	if (test_cells(run, &run->after, err))
		return err->rc;
	return test_temperatures(run, &run->after, err);
}

/* Firmware that can be asked nothing is left running: getting ready to ask would take it into the loader. */
static bool has_answers(const struct bf_run *run)
{
	return run->rate || bf_run_measures(run) ||
	       (run->ident.caps & (BF_CAP_BALANCE | BF_CAP_SELF_TEST));
}

/* Written over in its only place the old firmware is gone. A stream may go into a second slot that nobody speaks
 * of; what MCUboot starts there is on trial. */
static bool may_go_back_itself(const struct bf_run *run)
{
	if (run->ident.caps_later) /* nobody has said that it cannot */
		return true;
	static const enum bf_cap caps[] = { BF_CAP_DUAL_BANK, BF_CAP_TRIAL, BF_CAP_REVERT,
					    BF_CAP_MCUBOOT };

	for (size_t i = 0; i < BF_COUNT(caps); i++) {
		if (bf_run_can(run, caps[i]))
			return true;
	}
	return run->ident.n_slots > 1 ||
	       (bf_run_can(run, BF_CAP_SINK) && run->image && bf_image_meta(run->image)->mcuboot);
}

/* Where nobody confirms, firmware on trial judges itself; one that gives up restarts into the old. */
static enum bf_rc watch_it_stay(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->proto->ops;
	bf_time until = bf_in(run->clock, STAY);
	struct bf_check check = bf_check("stays-running", -1);

	if (bf_run_can(run, BF_CAP_CONFIRM) || run->model.no_proof || !may_go_back_itself(run))
		return BF_OK;
	if (bf_run_pause(run, STAY, err))
		return err->rc;
	if (ops->await && ops->await(run->proto, until + STAY, err))
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
	const struct bf_proto_ops *ops = run->proto->ops;

	if (run->silent)
		return BF_OK;
	if (!has_answers(run))
		return watch_it_stay(run, err);
	if (ops->connect && ops->connect(run->proto, BF_ENTRY_READ, err))
		return bf_while(err, "preparing the pack for its self-test");
	if (test_values(run, err) || test_balancing(run, err) || test_itself(run, err))
		return err->rc;
	return test_link(run, err);
}
