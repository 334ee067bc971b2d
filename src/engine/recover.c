/* SPDX-License-Identifier: MIT */

#define REPEAT_WAIT    BF_MS(100)
#define RECONNECT_TIME BF_SEC(15) /* for a pack that lost its power to start again */

#include "run.h"
#define RECONNECT_PACE BF_MS(250)
#define REOPEN_TIME \
	BF_SEC(10) /* for an adapter that was plugged again, or a port that re-enumerates */
#define MEET_TIME BF_SEC(12) /* a start with a swap to finish takes some seconds */
#define LAST_LOOK BF_SEC(5)
#define LOOKS     3u /* small questions that a line which merely loses messages does not lose all */

/* ---- the policy ---- */

enum act {
	GIVE_UP,
	REPEAT,
	RECONNECT, /* then repeat */
	PATIENT, /* repeat; reconnect at each third failure, or the second where the session is open */
	LOOK,    /* was it done? else reconnect where nobody answers, and repeat */
	JUST_LOOK, /* ... and not repeat: it was refused */
};

/* times: failures in a row after which it is given up; a call that got further begins its count anew. */
static const struct policy {
	enum act act;
	unsigned times;
} policies[BF_ASK_COUNT][BF_MET_COUNT] = {
	[BF_ASK_QUESTION] = {
		[BF_MET_LOST] = { PATIENT, 5 },
		[BF_MET_FORGOT] = { RECONNECT, 5 },
		[BF_MET_GONE] = { RECONNECT, 2 },
	},
	[BF_ASK_READ] = {
		[BF_MET_LOST] = { PATIENT, 9 },
		[BF_MET_FORGOT] = { RECONNECT, 4 },
		/* What a server says that has lost the session, and the right with it, since the last
		 * answer. */
		[BF_MET_REFUSED] = { RECONNECT, 2 },
		[BF_MET_MOVED] = { REPEAT, 9 },
		[BF_MET_GONE] = { RECONNECT, 2 },
	},
	[BF_ASK_GLANCE] = {
		[BF_MET_LOST] = { REPEAT, 9 },
		[BF_MET_MOVED] = { REPEAT, 9 },
	},
	[BF_ASK_TRANSFER] = {
		[BF_MET_LOST] = { RECONNECT, 7 },
		[BF_MET_FORGOT] = { RECONNECT, 7 },
		[BF_MET_MOVED] = { REPEAT, 7 },
		[BF_MET_GONE] = { RECONNECT, 2 },
	},
	[BF_ASK_ERASE] = {
		[BF_MET_LOST] = { LOOK, 2 },
		[BF_MET_FORGOT] = { RECONNECT, 2 },
		[BF_MET_GONE] = { RECONNECT, 2 },
	},
	[BF_ASK_MARK] = {
		[BF_MET_LOST] = { LOOK, 5 },
		[BF_MET_FORGOT] = { LOOK, 5 },
		[BF_MET_REFUSED] = { JUST_LOOK, 2 },
		[BF_MET_GONE] = { LOOK, 2 },
	},
	[BF_ASK_ONCE] = {
		[BF_MET_FORGOT] = { RECONNECT, 2 },
	},
	[BF_ASK_RESTART] = {
		[BF_MET_UNTAKEN] = { REPEAT, 3 },
	},
	[BF_ASK_REVERT] = {
		[BF_MET_UNTAKEN] = { REPEAT, 2 },
	},
};

enum bf_met bf_met_of(const struct bf_err *err)
{
	if (err->dev_forgot)
		return BF_MET_FORGOT;
	switch ((unsigned)err->rc) {
	case BF_E_TIMEOUT:
	case BF_E_LINK:
		return BF_MET_LOST;
	case BF_E_NAK:
	case BF_E_AUTH:
		return BF_MET_REFUSED;
	case BF_E_RESTART:
		return BF_MET_MOVED;
	case BF_E_GONE:
		return BF_MET_GONE;
	default:
		return BF_MET_OTHER;
	}
}

/* ---- joining the session again ---- */

static bool is_stopped(enum bf_rc rc)
{
	return rc == BF_E_INTERRUPTED;
}

static bool is_silence(enum bf_rc rc)
{
	return rc == BF_E_TIMEOUT || rc == BF_E_LINK || rc == BF_E_NODEV || rc == BF_E_GONE;
}

/* A restart takes the agreed rate with it: that is where to listen if there is no answer here. */
static void to_first_rate(struct bf_run *run)
{
	if (run->session.proto && run->wire.rate != run->wire.first_rate &&
	    run->session.proto->ops->default_rate)
		bf_rate_restarted(run);
}

static enum bf_rc reopen(struct bf_run *run, struct bf_err *err)
{
	enum bf_rc rc =
		bf_transport_reopen(run->wire.transport, bf_in(run->clock, REOPEN_TIME), err);

	bf_model_link(&run->model, rc != BF_OK && rc != BF_E_INTERRUPTED);
	return rc;
}

/* As it was before: open for writing, or for reading only. */
static enum bf_rc enter_as_before(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;
	enum bf_rc rc;

	if (run->session.authenticated)
		rc = bf_run_enter(run, err);
	else
		rc = ops->connect ? ops->connect(run->session.proto, BF_ENTRY_READ, err) : BF_OK;
	if (rc)
		to_first_rate(run);
	return rc;
}

enum bf_rc bf_reconnect(struct bf_run *run, struct bf_err *err)
{
	bf_time until = bf_in(run->clock, RECONNECT_TIME);
	bool gone = err->rc == BF_E_GONE;
	enum bf_rc rc;

	do {
		bf_err_init(err);
		rc = gone ? reopen(run, err) : BF_OK;
		if (!rc)
			rc = bf_run_pause(run, RECONNECT_PACE, err);
		if (is_stopped(rc))
			return rc;
		/* A keep-alive that failed in the pause says no more than the failure before. */
		if (!run->model.link_gone) {
			bf_err_init(err);
			rc = enter_as_before(run, err);
		}
		gone = rc == BF_E_GONE;
	} while (rc && !is_stopped(rc) && !(gone && run->model.link_gone) &&
		 bf_now(run->clock) < until);
	return rc ? bf_while(err, "reconnecting") : BF_OK;
}

/* ---- one call ---- */

struct trouble {
	unsigned failures; /* in a row, without getting further */
	bool refused;      /* ... once already */
};

/* Reconnects; a pack that answers at its first rate only has lost more than a message. */
static enum bf_rc rejoin(struct bf_run *run, enum bf_ask ask, enum bf_met met, struct bf_err *err)
{
	uint32_t rate = run->wire.rate;
	struct bf_err unused;
	enum bf_rc rc = bf_reconnect(run, err);

	if (rc || ask != BF_ASK_READ)
		return rc;
	if (met == BF_MET_REFUSED || rate != run->wire.rate)
		bf_say_restarted(run);
	bf_err_init(&unused);
	if (rate != run->wire.rate)
		(void)bf_rate_change(run, rate, &unused);
	return BF_OK;
}

static bool answers(struct bf_run *run)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;
	struct bf_err unused;

	for (unsigned i = 0; ops->ping && i < LOOKS; i++) {
		bf_err_init(&unused);
		if (!ops->ping(run->session.proto, &unused) || unused.dev_refused)
			return true;
	}
	return false;
}

static enum bf_rc look(struct bf_run *run, const struct bf_call *c, bool *ret_done,
		       struct bf_err *err)
{
	enum bf_met met = bf_met_of(err);
	enum bf_rc rc = BF_OK;

	*ret_done = false;
	if (met == BF_MET_FORGOT || met == BF_MET_GONE || (met == BF_MET_LOST && !answers(run)))
		rc = bf_reconnect(run, err);
	if (rc || !c->done)
		return rc;
	return c->done(run, c->ctx, ret_done, err);
}

/* What was refused once more after the session was joined again stays refused, in the words of the refusal. */
static enum bf_rc rejoin_for(struct bf_run *run, const struct bf_call *c, enum bf_met met,
			     struct bf_err *err)
{
	const struct bf_err why = *err;
	enum bf_rc rc = rejoin(run, c->ask, met, err);

	if (rc && met == BF_MET_REFUSED)
		*err = why;
	return rc ? err->rc : BF_OK;
}

static enum bf_rc be_patient(struct bf_run *run, const struct bf_call *c, enum bf_met met,
			     unsigned failures, struct bf_err *err)
{
	enum bf_rc rc;

	if (c->ask == BF_ASK_READ)
		return failures % 3 ? BF_OK : rejoin_for(run, c, met, err);
	if (failures > 1 && run->session.authenticated)
		return rejoin_for(run, c, met, err);
	rc = bf_run_pause(run, REPEAT_WAIT, err);
	return is_stopped(rc) ? rc : BF_OK;
}

/* BF_OK: the call may be made again, or was taken (*ret_done). */
static enum bf_rc act(struct bf_run *run, const struct bf_call *c, enum bf_met met,
		      unsigned failures, bool *ret_done, struct bf_err *err)
{
	const struct bf_err why = *err;

	switch (policies[c->ask][met].act) {
	case LOOK:
		return look(run, c, ret_done, err);
	case JUST_LOOK:
		/* That it cannot be looked at changes nothing about what came back. */
		(void)look(run, c, ret_done, err);
		*err = why;
		return *ret_done ? BF_OK : why.rc;
	case RECONNECT:
		return rejoin_for(run, c, met, err);
	case PATIENT:
		return be_patient(run, c, met, failures, err);
	case REPEAT:
		return BF_OK;
	case GIVE_UP:
		break;
	}
	return why.rc;
}

static void say_again(struct bf_run *run, const struct bf_call *c, enum bf_met met,
		      unsigned failures, const struct bf_err *why)
{
	if (met != BF_MET_REFUSED)
		bf_say_again(run, failures + 1, policies[c->ask][met].times, "%s again: %s",
			     c->what,
			     met == BF_MET_UNTAKEN ? "the pack answers, and it was not done"
						   : why->cause);
}

/* As act(); counts the failures. */
static enum bf_rc recover(struct bf_run *run, const struct bf_call *c, enum bf_met met,
			  struct trouble *t, bool *ret_done, struct bf_err *err)
{
	const struct policy *p = &policies[c->ask][met];
	enum bf_rc rc;

	*ret_done = false;
	t->failures = c->advanced && c->advanced(c->ctx) ? 1 : t->failures + 1;
	if (p->act == GIVE_UP)
		return err->rc;
	if (t->failures >= p->times || (met == BF_MET_REFUSED && t->refused)) {
		*ret_done = met == BF_MET_UNTAKEN;
		return t->failures > 2 && !*ret_done
			       ? bf_while(err, "after %u failures in a row", t->failures)
			       : err->rc;
	}
	t->refused = met == BF_MET_REFUSED;
	say_again(run, c, met, t->failures, err);
	rc = act(run, c, met, t->failures, ret_done, err);
	if (!rc && !*ret_done && c->again)
		rc = c->again(run, c->ctx, met, err);
	return rc;
}

/* As what a repeat is counted. */
static enum bf_retry_class class_of(const struct bf_run *run, enum bf_ask ask)
{
	static const enum bf_retry_class classes[BF_ASK_COUNT] = {
		[BF_ASK_ERASE] = BF_RETRY_DESTRUCTIVE,
		[BF_ASK_ONCE] = BF_RETRY_APPEND_ONLY,
	};

	return ask == BF_ASK_TRANSFER ? run->session.proto->ops->loader->block_class : classes[ask];
}

enum bf_rc bf_call(struct bf_run *run, const struct bf_call *c, struct bf_err *err)
{
	struct trouble t = { 0 };

	for (;;) {
		bf_time start;
		bool done;
		enum bf_rc rc = c->call(run, c->ctx, err);

		if (!rc && (!c->taken || c->taken(run, c->ctx)))
			return BF_OK;
		if (rc && !err->rc) /* passed on by a callee that had no more to say */
			bf_fail(err, rc, "%s", bf_rc_info(rc)->meaning);
		start = bf_now(run->clock);
		rc = recover(run, c, rc ? bf_met_of(err) : BF_MET_UNTAKEN, &t, &done, err);
		bf_spent(run, BF_SPENT_RETRIES, start);
		if (rc)
			return err->rc ? err->rc : rc;
		bf_err_init(err);
		if (done)
			return BF_OK;
		bf_session_repeated(run, class_of(run, c->ask));
		rc = bf_run_stop(run, err);
		if (rc)
			return rc;
	}
}

enum bf_rc bf_call_question(struct bf_run *run, const char *what,
			    enum bf_rc (*call)(struct bf_run *run, void *ctx, struct bf_err *err),
			    void *ctx, struct bf_err *err)
{
	return bf_call(
		run,
		&(struct bf_call){ .ask = BF_ASK_QUESTION, .what = what, .call = call, .ctx = ctx },
		err);
}

static enum bf_rc ask(struct bf_run *run, void *ctx, struct bf_err *err)
{
	(void)ctx;
	return bf_run_ask(run, err);
}

enum bf_rc bf_ask_what_runs(struct bf_run *run, struct bf_err *err)
{
	return bf_call_question(run, "asking what runs", ask, NULL, err);
}

/* ---- waiting for a pack ---- */

static enum bf_rc await_once(struct bf_run *run, bf_time deadline, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;
	enum bf_rc rc = BF_OK;

	bf_err_init(err);
	if (run->model.link_gone) {
		rc = bf_transport_reopen(run->wire.transport, deadline, err);
		if (rc && rc != BF_E_UNSUPPORTED)
			return rc;
		bf_err_init(err);
		rc = BF_OK;
		/* The port is back with the line as it was set last; the pack starts at its own. */
		if (ops->default_rate)
			ops->default_rate(run->session.proto);
	}
	if (ops->await)
		rc = ops->await(run->session.proto, deadline, err);
	if (!rc)
		rc = bf_run_ask(run, err);
	if (rc == BF_E_GONE)
		bf_model_link(&run->model, true);
	return rc;
}

/* Asked again and again: what is silent, or answers once and is gone again, is "not back yet". */
static enum bf_rc wait_until(struct bf_run *run, bf_time deadline, const char *what,
			     enum bf_rc (*once)(struct bf_run *run, bf_time deadline,
						struct bf_err *err),
			     struct bf_err *err)
{
	for (;;) {
		enum bf_rc rc = once(run, deadline, err);
		bf_time again = bf_in(run->clock, RECONNECT_PACE);

		if (!rc || !is_silence(rc) || again >= deadline)
			return rc;
		bf_alive(run, what);
		if (!bf_clock_until(run->clock, again))
			return bf_fail(err, BF_E_INTERRUPTED, "stopped while %s", what);
	}
}

enum bf_rc bf_run_await(struct bf_run *run, bf_time deadline, struct bf_err *err)
{
	enum bf_rc rc =
		wait_until(run, deadline, "waiting for the pack to come back", await_once, err);

	if (rc)
		bf_model_silent(&run->model);
	return rc;
}

void bf_last_look(struct bf_run *run)
{
	struct bf_err unused;

	if (!run->session.proto || run->clock->ended)
		return;
	bf_err_init(&unused);
	if (!run->model.link_gone && !bf_run_ask(run, &unused))
		return;
	to_first_rate(run);
	(void)bf_run_await(run, bf_in(run->clock, LAST_LOOK), &unused);
}

/* ---- beginning again ---- */

/* At the agreed rate, and then at the first one. */
static enum bf_rc meet_once(struct bf_run *run, bf_time deadline, struct bf_err *err)
{
	enum bf_rc rc = bf_run_stop(run, err);

	(void)deadline;
	if (rc)
		return rc;
	bf_err_init(err);
	if (answers(run) && !bf_run_ask(run, err))
		return BF_OK;
	to_first_rate(run);
	return BF_E_TIMEOUT;
}

static bool meet(struct bf_run *run)
{
	struct bf_err unused;

	bf_err_init(&unused);
	return !wait_until(run, bf_in(run->clock, MEET_TIME),
			   "waiting for the pack to answer again", meet_once, &unused);
}

static bool has_restarted(const struct bf_run *run, const struct bf_err *why, uint32_t rate)
{
	const struct bf_ident *then = &run->session.ident, *now = &run->session.now;

	return why->dev_forgot || run->told.restarted || rate != run->wire.rate ||
	       (then->boot_count && then->boot_count != now->boot_count) ||
	       (then->reset_reason && then->reset_reason != now->reset_reason);
}

/* What is certain goes first, and the counts of what the silence cost say nothing about the line. */
static void name_silence(struct bf_run *run, struct bf_err *err)
{
	run->recovery.fell_silent = true;
	bf_likely(err, "the pack stopped responding: check its power and the connectors");
}

static bool can_ask(const struct bf_run *run, const struct bf_err *why)
{
	bool silence = why->rc == BF_E_TIMEOUT || why->rc == BF_E_LINK || why->rc == BF_E_NODEV ||
		       why->dev_forgot;

	return silence && run->session.proto && run->session.proto->ops->ping;
}

void bf_name_silence(struct bf_run *run, struct bf_err *err)
{
	if (run->model.stage != BF_STAGE_NONE && !run->recovery.fell_silent && can_ask(run, err) &&
	    !answers(run))
		name_silence(run, err);
}

bool bf_begin_again(struct bf_run *run, const char *doing, struct bf_err *err)
{
	const struct bf_err why = *err;
	uint32_t rate = run->wire.rate;

	if (!can_ask(run, &why) || run->model.stage != BF_STAGE_NONE)
		return false;
	if (run->recovery.begun_again) {
		bf_likely(err, "the pack restarts or falls silent again and again: a weak supply, "
			       "a watchdog, or a loose plug");
		return false;
	}
	run->recovery.begun_again = true;
	if (!meet(run)) {
		if (!bf_run_stop(run, err))
			name_silence(run, err);
		return false;
	}
	bf_say(run, BF_EV_WARNING, "%s while %s: starting over",
	       has_restarted(run, &why, rate)
		       ? "the pack restarted"
		       : "the pack fell silent, as in a restart, and answers again",
	       doing);
	bf_err_init(err);
	return true;
}
