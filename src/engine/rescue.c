/* SPDX-License-Identifier: MIT */
/*
 * A pack that does not boot has a loader that listens for a moment after power-on. The asking begins before
 * that, at a spacing that puts many requests into the first tenth of a second, and what is heard meanwhile
 * decides what is asked next: anything new on the wire is answered with a request at once.
 */
#include <stdio.h>
#include <string.h>

#include "run.h"

#define WAIT_DEFAULT BF_SEC(60)
#define HURRY \
	BF_MS(4) /* for each answer, wire time apart; what takes longer is heard and waited for */
#define LISTEN      BF_MS(2) /* between two requests: what other nodes say */
#define HURRIED_RUN 8        /* hurried requests between two patient ones on a line that talks */

struct catcher {
	struct bf_run *run;
	const struct bf_proto_ops *only;
	bf_time began, until;
	uint64_t asked;
	uint64_t foreign;   /* frames of other nodes */
	uint64_t malformed; /* requests after which something came that is no answer */
	unsigned hurried;   /* requests since the last patient one */
	bool heard;         /* something came that may be an answer still under way */
};

bf_time bf_rescue_patience(const struct bf_run *run)
{
	return run->job->wait ? run->job->wait : WAIT_DEFAULT;
}

/* ---- what was heard ---- */

static uint64_t heard_count(const struct bf_run *run)
{
	const struct bf_wire_stats *s = &run->transport->stats;

	return run->transport->ops->wire == BF_WIRE_STREAM ? s->rx_bytes : s->rx_frames;
}

static void heard_text(const struct catcher *c, char *dst, size_t cap)
{
	const struct bf_run *run = c->run;
	uint64_t bytes = run->transport->stats.rx_bytes - run->wire_first.rx_bytes;

	if (c->malformed && run->transport->ops->wire == BF_WIRE_BUS)
		snprintf(dst, cap, "loader alive, %llu replies malformed",
			 (unsigned long long)c->malformed);
	else if (c->malformed)
		snprintf(dst, cap, "%llu bytes heard, none of them a well-formed reply",
			 (unsigned long long)bytes);
	else if (c->foreign)
		snprintf(dst, cap, "%llu frames heard, none for us",
			 (unsigned long long)c->foreign);
	else
		snprintf(dst, cap, "nothing heard");
}

static void tell(struct catcher *c)
{
	char heard[96], text[192];
	double s = (double)(bf_now(c->run->clock) - c->began) / 1e6;

	heard_text(c, heard, sizeof(heard));
	snprintf(text, sizeof(text), "switch the pack on now: %.0f s of %.0f, %llu requests, %s", s,
		 (double)(c->until - c->began) / 1e6, (unsigned long long)c->asked, heard);
	bf_alive(c->run, text);
}

/* Other nodes' frames, for a moment, ended by the first. */
static void listen_between(struct catcher *c)
{
	struct bf_transport *t = c->run->transport;
	const struct bf_profile *pf = &c->run->profile;
	struct bf_frame f;
	struct bf_err quiet;

	if (!t->ops->bus)
		return;
	bf_err_init(&quiet);
	if (t->ops->bus->filter(t, NULL, 0, &quiet) ||
	    t->ops->bus->recv(t, &f, bf_in(c->run->clock, LISTEN), &quiet))
		return;
	if (f.id == pf->can_rx && !!(f.flags & BF_FRAME_EXT) == pf->can_ext)
		c->heard = true;
	else
		c->foreign++;
}

/* ---- asking ---- */

static enum bf_rc ask_once(struct catcher *c, const struct bf_proto_ops *ops, struct bf_err *err)
{
	struct bf_run *run = c->run;
	uint64_t before = heard_count(run);
	bool patient = c->heard && c->hurried >= HURRIED_RUN;
	enum bf_rc rc;

	/* An answer that took longer than a hurried request waits would meet the next one. */
	c->hurried = patient ? 0 : c->hurried + 1;
	c->asked++;
	rc = bf_find_ask(run, ops, patient ? 0 : HURRY, patient ? BF_MS(100) : HURRY, err);
	c->heard = rc && heard_count(run) != before;
	if (c->heard)
		c->malformed++;
	return rc;
}

static enum bf_rc ask_round(struct catcher *c, struct bf_err *err)
{
	struct bf_run *run = c->run;
	bool any = false;

	for (const struct bf_proto_ops *const *p = run->ports->protos(); *p; p++) {
		enum bf_rc rc;

		if (!((*p)->wires & run->transport->ops->wire) || (c->only && *p != c->only) ||
		    ((*p)->probe_risk && *p != c->only))
			continue;
		any = true;
		rc = ask_once(c, *p, err);
		if (!rc || !bf_find_is_silence(rc))
			return rc;
	}
	if (!any)
		return bf_fail(err, BF_E_UNSUPPORTED, "no protocol fits this kind of interface");
	return BF_E_NODEV;
}

static enum bf_rc not_caught(struct catcher *c, struct bf_err *err)
{
	struct bf_run *run = c->run;
	char heard[96];

	heard_text(c, heard, sizeof(heard));
	bf_fail(err, BF_E_NODEV, "no bootloader was caught on '%s' in %.0f s: %llu requests, %s",
		run->job->iface, (double)(c->until - c->began) / 1e6, (unsigned long long)c->asked,
		heard);
	if (c->malformed)
		bf_likely(err, "another rate, framing or protocol than the profile's: name its "
			       "--profile or --protocol");
	else if (c->foreign)
		bf_likely(err, "the pack listens on other identifiers: name its --profile");
	else
		bf_likely(err, "the pack was not switched off and on, or gets no power");
	bf_next_command(run, BF_JOB_FLASH, NULL, err);
	return err->rc;
}

static enum bf_rc caught(struct catcher *c)
{
	struct bf_run *run = c->run;

	bf_say(run, BF_EV_NOTICE, "caught the bootloader after %.2f s and %llu requests",
	       (double)(bf_now(run->clock) - c->began) / 1e6, (unsigned long long)c->asked);
	return BF_OK;
}

enum bf_rc bf_rescue_find(struct bf_run *run, const struct bf_proto_ops *only, struct bf_err *err)
{
	struct catcher c = {
		.run = run,
		.only = only,
		.hurried = HURRIED_RUN,
		.began = bf_now(run->clock),
		.until = bf_in(run->clock, bf_rescue_patience(run)),
	};
	enum bf_rc rc;

	if (run->transport->ops->wire != BF_WIRE_USB)
		bf_say(run, BF_EV_NOTICE,
		       "armed on '%s' for %.0f s: switch the pack off, then on now",
		       run->job->iface, (double)bf_rescue_patience(run) / 1e6);
	do {
		rc = bf_run_stop(run, err);
		if (rc)
			return rc;
		rc = ask_round(&c, err);
		if (!rc)
			return caught(&c);
		if (!bf_find_is_silence(rc) || rc == BF_E_UNSUPPORTED)
			return bf_while(err, "waiting for a bootloader on '%s'", run->job->iface);
		tell(&c);
		listen_between(&c);
		/* Where nothing is sent, as on USB, nothing takes time either. */
		if (run->transport->ops->wire == BF_WIRE_USB)
			(void)bf_clock_until(run->clock, bf_in(run->clock, HURRY));
	} while (bf_now(run->clock) < c.until);
	return not_caught(&c, err);
}
