/* SPDX-License-Identifier: MIT */
/*
 * Reading and hashing of the pack's memory. Neither changes anything, so both are asked again, in smaller
 * bites, and after the dialogue was taken up where the pack has forgotten it.
 */
#include "run.h"

#define STEP_LEAST  4096u
#define STEP_MOST   65536u
#define STEP_USB    16384u
#define READ_LEAST  64u
#define READ_TRIES  8u /* failures in a row at one place */
#define TAKE_UP_AT  3u /* ... and this many mean that the pack may have forgotten us */
#define REJOINS     8u
#define REJOIN_WAIT BF_MS(250)

static bool worth_repeating(enum bf_rc rc)
{
	return rc == BF_E_TIMEOUT || rc == BF_E_LINK || rc == BF_E_RESTART;
}

/* What a server says that has lost the session, and with it the right, since the last answer. */
static bool is_refusal(enum bf_rc rc)
{
	return rc == BF_E_NAK || rc == BF_E_AUTH;
}

static enum bf_rc enter(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->proto->ops;
	enum bf_rc rc;

	if (run->authenticated)
		return bf_run_enter_again(run, err);
	rc = ops->connect ? ops->connect(run->proto, BF_ENTRY_READ, err) : BF_OK;
	if (rc && run->rate != run->first_rate && ops->default_rate) {
		ops->default_rate(run->proto);
		run->rate = run->first_rate;
	}
	return rc;
}

void bf_say_restarted(struct bf_run *run)
{
	run->restarted = true;
	bf_say(run, BF_EV_WARNING,
	       "the pack restarted or lost its power meanwhile: it has forgotten the session");
}

/* A pack that answers at its first rate only has lost more than a message. */
static void name_restart(struct bf_run *run, uint32_t rate)
{
	struct bf_err unused;

	bf_say_restarted(run);
	bf_err_init(&unused);
	if (rate != run->rate)
		(void)bf_rate_change(run, rate, &unused);
}

static enum bf_rc take_up(struct bf_run *run, bool refused, struct bf_err *err)
{
	uint32_t rate = run->rate;
	struct bf_err why = { 0 };
	enum bf_rc rc = BF_E_LINK;

	for (unsigned i = 0; i < REJOINS && rc; i++) {
		bf_err_init(&why);
		rc = bf_run_pause(run, REJOIN_WAIT, &why);
		if (rc != BF_E_INTERRUPTED)
			rc = enter(run, &why);
		if (rc == BF_E_INTERRUPTED || rc == BF_E_GONE)
			break;
	}
	if (rc) {
		*err = why;
		return bf_while(err, "taking the dialogue up again");
	}
	if (refused || rate != run->rate)
		name_restart(run, rate);
	return BF_OK;
}

struct again {
	unsigned failures;
	bool taken_up;
};

/* After a failed question: BF_OK when it may be asked again. */
static enum bf_rc mend(struct bf_run *run, struct again *again, enum bf_rc rc, struct bf_err *err)
{
	struct bf_err why = *err;

	if (is_refusal(rc) && !again->taken_up) {
		again->taken_up = true;
		return take_up(run, true, &why) ? rc : BF_OK;
	}
	if (!worth_repeating(rc) || ++again->failures > READ_TRIES)
		return rc;
	run->retry.repeats[BF_RETRY_IDEMPOTENT]++;
	if (again->failures % TAKE_UP_AT == 0 && take_up(run, false, &why) == BF_E_INTERRUPTED) {
		*err = why;
		return err->rc;
	}
	return BF_OK;
}

static void shorten(struct bf_run *run, size_t n, const struct bf_err *why)
{
	/* A long message is as weak as all its frames together. */
	run->read_cap = n / 2 > READ_LEAST ? n / 2 : READ_LEAST;
	bf_say(run, BF_EV_RETRY, "reading again, %zu bytes at once: %s", run->read_cap, why->cause);
}

/* A step costs a request that begins it and one that ends it; half a second of them leaves room for signs of
 * life and for a user who stops. */
size_t bf_read_step(const struct bf_run *run)
{
	double limit = bf_wire_limit(run->transport, run->rate);
	size_t n = STEP_USB;

	if (run->read_cap)
		return run->read_cap;
	if (limit > 0)
		n = limit / 2 < STEP_MOST ? (size_t)limit / 2 : STEP_MOST;
	return n > STEP_LEAST ? n / STEP_LEAST * STEP_LEAST : STEP_LEAST;
}

enum bf_rc bf_read_range(struct bf_run *run, const struct bf_region *region, uint32_t addr,
			 uint8_t *buf, size_t len, struct bf_err *err)
{
	struct again again = { 0 };
	size_t cap = run->read_cap;

	for (size_t at = 0; at < len;) {
		size_t step = bf_read_step(run);
		size_t n = len - at < step ? len - at : step;
		bool restarted = run->restarted;
		enum bf_rc rc = bf_run_stop(run, err);

		if (rc)
			return rc;
		bf_alive(run, "reading");
		rc = run->proto->ops->read(run->proto, region, addr + (uint32_t)at, buf + at, n,
					   err);
		if (!rc) {
			at += n;
			again = (struct again){ 0 };
			continue;
		}
		if (worth_repeating(rc))
			shorten(run, n, err);
		if (mend(run, &again, rc, err))
			return bf_while(err, "reading %zu bytes of '%s' at %08x", n, region->name,
					addr + (uint32_t)at);
		/* It was no weakness of the line. */
		if (run->restarted && !restarted)
			run->read_cap = cap;
	}
	return BF_OK;
}

enum bf_rc bf_hash_units(struct bf_run *run, uint32_t addr, uint32_t size, uint32_t unit,
			 uint8_t (*ret)[8], size_t n, struct bf_err *err)
{
	struct again again = { 0 };

	for (;;) {
		enum bf_rc rc = bf_run_stop(run, err);

		if (!rc)
			rc = run->proto->ops->hash_units(run->proto, addr, size, unit, ret, n, err);
		if (!rc)
			return BF_OK;
		if (rc == BF_E_INTERRUPTED || mend(run, &again, rc, err))
			return err->rc ? err->rc : rc;
	}
}
