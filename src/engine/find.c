/* SPDX-License-Identifier: MIT */
/* Which pack answers: asked while it runs, or caught after power-on. */
#include <stdio.h>
#include <string.h>

#include "bmsflash/shell.h"

#include "phases.h"

#define CANDIDATES 32

/* A question that can reset, erase or confuse a stranger is for the user or the profile to ask. */
static bool is_risky(const struct bf_proto_ops *ops, const struct bf_proto_ops *only)
{
	return ops->probe_risk && ops != only;
}

/* Those of this wire, in the order of the risk that they declare. */
static size_t candidates(const struct bf_run *run, const struct bf_proto_ops *only,
			 const struct bf_proto_ops *ret[CANDIDATES])
{
	size_t n = 0;

	if (only == &bf_proto_joined_ops) {
		ret[0] = only;
		return 1;
	}
	for (const struct bf_proto_ops *const *p = run->ports->protos(); *p && n < CANDIDATES;
	     p++) {
		size_t at = n;

		if (!((*p)->wires & run->wire.transport->ops->wire) || (only && *p != only))
			continue;
		for (; at && ret[at - 1]->probe_rank > (*p)->probe_rank; at--)
			ret[at] = ret[at - 1];
		ret[at] = *p;
		n++;
	}
	return n;
}

/* Silence lets the search go on; anything else is about the wire, and ends it. */
static bool is_silence(enum bf_rc rc)
{
	return rc == BF_E_NODEV || rc == BF_E_TIMEOUT || rc == BF_E_UNSUPPORTED;
}

/* A pack that lost its firmware may be silent until somebody starts its chip's own bootloader. */
static void silent_for_good(struct bf_run *run, enum bf_job_kind kind, struct bf_err *err)
{
	const char *rescue = run->given.profile.rescue;

	if (rescue[0]) {
		bf_likely(err, "the pack lost its firmware: %s", rescue);
		bf_do(err, "check power and wiring; if the pack lost its firmware, %s", rescue);
	}
	if (!rescue[0] || !bf_next_rescue(run, err))
		bf_next_command(run, kind, kind == run->job->kind ? run->job->restore_from : NULL,
				err);
}

/* ==== after power-on ==== */
/*
 * A pack that does not boot has a loader that listens for a moment after power-on. The asking begins before
 * that, at a spacing that puts many requests into the first tenth of a second, and what is heard meanwhile
 * decides what is asked next: anything new on the wire is answered with a request at once.
 */

#define HURRY \
	BF_MS(4) /* for each answer, wire time apart; what takes longer is heard and waited for */
#define LISTEN_BETWEEN BF_MS(2) /* between two requests: what other nodes say */
#define HURRIED_RUN    8        /* hurried requests between two patient ones on a line that talks */

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

/* ---- what was heard ---- */

static uint64_t heard_count(const struct bf_run *run)
{
	return bf_wire_received(run->wire.transport);
}

static void heard_text(const struct catcher *c, char *dst, size_t cap)
{
	const struct bf_run *run = c->run;
	uint64_t bytes = run->wire.transport->stats.rx_bytes - run->wire.first.rx_bytes;

	if (c->malformed && run->wire.transport->ops->wire == BF_WIRE_BUS)
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
	struct bf_transport *t = c->run->wire.transport;
	struct bf_frame f;

	if (!bf_wire_overhears(t, bf_in(c->run->clock, LISTEN_BETWEEN), &f))
		return;
	if (bf_profile_is_answer(&c->run->given.profile, f.id, (f.flags & BF_FRAME_EXT) != 0))
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
	rc = bf_session_open(run, ops, patient ? 0 : HURRY, patient ? BF_MS(100) : HURRY, err);
	c->heard = rc && heard_count(run) != before;
	if (c->heard)
		c->malformed++;
	return rc;
}

static enum bf_rc ask_round(struct catcher *c, struct bf_err *err)
{
	const struct bf_proto_ops *rows[CANDIDATES];
	size_t n = candidates(c->run, c->only, rows);
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		enum bf_rc rc;

		if (is_risky(rows[i], c->only))
			continue;
		any = true;
		rc = ask_once(c, rows[i], err);
		if (!rc || !is_silence(rc))
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

	/* It may run all the same, brought back by an earlier run. */
	if (c->only == &bf_proto_joined_ops && !bf_session_open(run, c->only, 0, BF_MS(600), err)) {
		bf_say(run, BF_EV_NOTICE, "no bootloader was caught; the pack answers without");
		return BF_OK;
	}
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
	silent_for_good(run, BF_JOB_FLASH, err);
	return err->rc;
}

static enum bf_rc caught(struct catcher *c)
{
	struct bf_run *run = c->run;

	bf_say(run, BF_EV_NOTICE, "caught the bootloader after %.2f s and %llu requests",
	       (double)(bf_now(run->clock) - c->began) / 1e6, (unsigned long long)c->asked);
	return BF_OK;
}

static enum bf_rc rescue_find(struct bf_run *run, const struct bf_proto_ops *only,
			      struct bf_err *err)
{
	struct catcher c = {
		.run = run,
		.only = only,
		.hurried = HURRIED_RUN,
		.began = bf_now(run->clock),
		.until = bf_in(run->clock, bf_rescue_patience(run)),
	};
	enum bf_rc rc;

	if (run->wire.transport->ops->wire != BF_WIRE_USB)
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
		if (!is_silence(rc) || rc == BF_E_UNSUPPORTED)
			return bf_while(err, "waiting for a bootloader on '%s'", run->job->iface);
		tell(&c);
		listen_between(&c);
		/* Where nothing is sent, as on USB, nothing takes time either. */
		if (run->wire.transport->ops->wire == BF_WIRE_USB)
			(void)bf_clock_until(run->clock, bf_in(run->clock, HURRY));
	} while (bf_now(run->clock) < c.until);
	return not_caught(&c, err);
}

/* ==== while it runs ==== */
/*
 * Which bootloader answers. Listening comes first; then one question of each protocol, the least harmful
 * first, at the line settings that the profile names; on a stream then the other usual settings. What was
 * tried is told.
 */

#define LISTEN     BF_MS(120)
#define ASK_FIRST  BF_MS(600) /* at the settings of the profile: a busy pack may be slow */
#define ASK_SWEEP  BF_MS(150) /* at each of the others */
#define RETRY_WAIT BF_MS(250)
#define COME_BACK  BF_SEC(10) /* from the loader to firmware that was not touched */

struct tried {
	char text[192];
	unsigned settings; /* line settings, in all */
};

static void add_tried(struct bf_run *run, struct tried *tried, const char *what)
{
	size_t at = strlen(tried->text);

	bf_say(run, BF_EV_TRIED, "%s", what);
	snprintf(tried->text + at, sizeof(tried->text) - at, "%s%s", at ? ", " : "", what);
}

static enum bf_rc other_wire(const struct bf_run *run, const char *name, struct bf_err *err)
{
	bf_fail(err, BF_E_USAGE, "the protocol '%s' does not run over %s such as '%s'", name,
		bf_wire_kind_text(run->wire.transport->ops->wire), run->job->iface);
	if (!run->job->protocol)
		bf_likely(err, "the profile '%s' is for a pack on another kind of interface",
			  run->given.profile.name);
	else
		bf_likely(err, "another interface was meant; without --protocol the pack's own "
			       "protocol is found by asking");
	bf_next(err, "bmsflash probe # lists the interfaces of this computer");
	return err->rc;
}

static enum bf_rc choose(const struct bf_run *run, const struct bf_proto_ops **ret_only,
			 struct bf_err *err)
{
	const char *name = run->job->protocol ? run->job->protocol : run->given.profile.protocol;
	char names[160] = "";

	*ret_only = NULL;
	if (!run->job->protocol && bf_is_joined(&run->given.profile)) {
		*ret_only = &bf_proto_joined_ops;
		return BF_OK;
	}
	if (!name[0])
		return BF_OK;
	for (const struct bf_proto_ops *const *p = run->ports->protos(); *p; p++) {
		size_t at = strlen(names);

		if (strcmp((*p)->name, name) == 0) {
			*ret_only = *p;
			return (*p)->wires & run->wire.transport->ops->wire
				       ? BF_OK
				       : other_wire(run, name, err);
		}
		snprintf(names + at, sizeof(names) - at, "%s%s", at ? ", " : "", (*p)->name);
	}
	bf_fail(err, BF_E_USAGE, "there is no protocol '%s'", name);
	bf_do(err, "choose one of: %s", names);
	return err->rc;
}

static void say_not_asked(struct bf_run *run, const struct bf_proto_ops *only)
{
	const struct bf_proto_ops *rows[CANDIDATES];
	size_t n = candidates(run, only, rows);

	for (size_t i = 0; i < n; i++) {
		if (is_risky(rows[i], only))
			bf_say(run, BF_EV_NOTICE, "Not asked: %s (%s). To ask: --protocol %s",
			       rows[i]->name, rows[i]->probe_risk, rows[i]->name);
	}
}

static enum bf_rc ask_all(struct bf_run *run, const struct bf_proto_ops *only, bf_time patience,
			  struct tried *tried, struct bf_err *err)
{
	const struct bf_proto_ops *rows[CANDIDATES];
	size_t n = candidates(run, only, rows);

	for (size_t i = 0; i < n; i++) {
		enum bf_rc rc;

		if (is_risky(rows[i], only))
			continue;
		rc = bf_session_open(run, rows[i], 0, patience, err);
		if (!rc || !is_silence(rc))
			return rc;
		if (tried && rows[i] == &bf_proto_joined_ops && run->given.profile.application[0])
			add_tried(run, tried, run->given.profile.application);
		if (tried)
			add_tried(run, tried,
				  rows[i] == &bf_proto_joined_ops ? run->given.profile.loader
								  : rows[i]->name);
	}
	return BF_E_NODEV;
}

/* The settings that packs are found at when nobody knows better. */
static enum bf_rc sweep(struct bf_run *run, const struct bf_proto_ops *only, struct tried *tried,
			struct bf_err *err)
{
	struct bf_line line = bf_line_of_profile(&run->given.profile, run->job->baud);

	for (size_t i = 0;
	     bf_wire_usual_setting(run->wire.transport, i, run->job->baud != 0, &line); i++) {
		enum bf_rc rc = bf_run_stop(run, err);

		/* A rate that the adapter cannot make is no failure of the search. */
		if (!rc && bf_wire_set_line(run->wire.transport, &line, err))
			continue;
		tried->settings++;
		if (!rc) {
			bf_alive(run, "trying other line settings");
			rc = ask_all(run, only, ASK_SWEEP, NULL, err);
		}
		if (!rc)
			bf_rate_found(run, line.baud);
		if (rc != BF_E_NODEV)
			return rc;
	}
	return BF_E_NODEV;
}

static bool line_listens(struct bf_run *run)
{
	struct bf_frame frame;

	return bf_wire_overhears(run->wire.transport, bf_in(run->clock, LISTEN), &frame);
}

/* What has not been tried yet: every rate, every address, the moment after power-on. */
static void next_try(const struct bf_run *run, struct bf_err *err)
{
	struct bf_job job = *run->job;

	bf_do(err, "in this order: is the pack awake? A and B swapped? ground connected?");
	if (job.baud)
		job.baud = 0;
	else if (job.kind == BF_JOB_FLASH)
		job.rescue = true;
	else
		job.scan = job.kind == BF_JOB_PROBE;
	if (job.scan)
		job.node = -1;
	bf_next_of(&job, job.kind, job.restore_from, err);
}

static enum bf_rc nothing(struct bf_run *run, const struct tried *tried, bool heard,
			  struct bf_err *err)
{
	const char *name = run->job->iface, *what;
	enum bf_wire wire = run->wire.transport->ops->wire;
	char settings[40];
	const struct bf_wire_silence silence = {
		.baud_given = run->job->baud,
		.others_talk = heard,
		.direction_auto = run->given.profile.direction == BF_DIRECTION_AUTO,
	};

	snprintf(settings, sizeof(settings), "; %u line settings", tried->settings + 1);
	bf_fail(err, BF_E_NODEV, "no answer from a pack on '%s' (asked: %s%s%s; %.0f s)", name,
		tried->text[0] ? tried->text : "no protocol fits this kind of interface",
		tried->settings ? settings : "", heard ? "; other nodes do talk" : "",
		(double)(bf_now(run->clock) - run->time.started) / 1e6);
	bf_wire_likely_silence(run->wire.transport, &silence, err);
	if (run->wire.transport->ops->wire == BF_WIRE_USB)
		bf_next_argv(err, "waits for the bootloader",
			     (const char *const[]){ "bmsflash", "probe", "--if", name, "--wait",
						    "60s", NULL });
	else if (!run->given.profile.rescue[0] && bf_wire_takes_option(wire, "scan", &what))
		next_try(run, err);
	else
		silent_for_good(run, run->job->kind, err);
	return err->rc;
}

static enum bf_rc search(struct bf_run *run, const struct bf_proto_ops *only, struct tried *tried,
			 struct bf_err *err)
{
	struct bf_line first = bf_line_of_profile(&run->given.profile, run->wire.rate);
	enum bf_rc rc = ask_all(run, only, ASK_FIRST, tried, err);

	/* Each role of a joined pack has a line of its own, which the profile tells. */
	if (rc != BF_E_NODEV || run->wire.transport->ops->wire != BF_WIRE_STREAM ||
	    only == &bf_proto_joined_ops)
		return rc;
	rc = sweep(run, only, tried, err);
	if (rc == BF_E_NODEV)
		(void)bf_wire_set_line(run->wire.transport, &first, err);
	return rc;
}

static void say_role(struct bf_run *run, const char *role, const char *family,
		     const struct bf_role_line *own)
{
	const struct bf_profile *pf = &run->given.profile;
	struct bf_line line = bf_line_of_profile(pf, own->baud ? own->baud : pf->baud);
	char node[24] = "";

	if (own->node >= 0)
		snprintf(node, sizeof(node), ", node 0x%02x", (unsigned)own->node);
	bf_say(run, BF_EV_NOTICE, "%s: %s, %u baud, %u data bits, parity %c, %u stop bit%s%s", role,
	       family, line.baud, own->data_bits ? own->data_bits : 8,
	       own->parity                     ? own->parity
	       : line.parity == BF_PARITY_NONE ? 'N'
	       : line.parity == BF_PARITY_EVEN ? 'E'
					       : 'O',
	       own->stop_bits ? own->stop_bits : line.stop_bits,
	       (own->stop_bits ? own->stop_bits : line.stop_bits) == 1 ? "" : "s", node);
}

/* A pack whose application and bootloader use the line differently. */
static void say_roles(struct bf_run *run)
{
	const struct bf_profile *pf = &run->given.profile;

	const char *what;

	if (run->job->kind != BF_JOB_PROBE ||
	    !bf_wire_takes_option(run->wire.transport->ops->wire, "baud", &what))
		return;
	if (pf->application[0])
		say_role(run, "application", pf->application, &pf->app_line);
	if (pf->loader[0])
		say_role(run, "bootloader", pf->loader, &pf->loader_line);
}

enum bf_rc bf_ph_find(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *only;
	struct tried tried = { 0 };
	bf_time until = bf_in(run->clock, run->job->wait);
	bool heard;
	enum bf_rc rc = choose(run, &only, err);

	if (rc || bf_auth_choose(run, err))
		return err->rc;
	if (run->job->rescue)
		return rescue_find(run, only, err);
	say_roles(run);
	say_not_asked(run, only);
	heard = line_listens(run);
	rc = search(run, only, &tried, err);
	/* A pack that is about to be switched on: its window may be short, so only the first settings. */
	while (rc == BF_E_NODEV && bf_now(run->clock) < until) {
		bf_alive(run, "waiting for a pack to appear");
		rc = bf_run_stop(run, err);
		if (!rc)
			rc = ask_all(run, only, RETRY_WAIT, NULL, err);
	}
	if (rc == BF_E_NODEV)
		return nothing(run, &tried, heard, err);
	return rc ? bf_while(err, "looking for a bootloader on '%s'", run->job->iface) : BF_OK;
}

/* ==== every address of a line ==== */

#define SCAN_FIRST 1
#define SCAN_LAST  247 /* of Modbus; UDS packs are numbered from 1 too */
#define ASK_SCAN   BF_MS(60)

static void say_found(struct bf_run *run, int node)
{
	struct bf_candidate c = { .usable = true };
	struct bf_ident id = { 0 };
	struct bf_err err;
	char v[BF_VERSION_TEXT];
	const char *version;

	bf_err_init(&err);
	snprintf(c.address, sizeof(c.address), "0x%02x", (unsigned)node);
	if (run->session.proto->ops->identify(run->session.proto, &id, &err))
		snprintf(c.what, sizeof(c.what), "%s, tells nothing of itself",
			 run->session.proto->ops->name);
	else {
		version = bf_ident_version(&id, v);
		snprintf(c.what, sizeof(c.what), "%s, serial %s, %s%s",
			 id.model[0] ? id.model : "unknown model",
			 id.serial[0] ? id.serial : "unknown",
			 id.in_bootloader ? "in its bootloader" : "runs ",
			 id.in_bootloader ? ""
			 : version        ? version
					  : "unknown firmware");
	}
	bf_emit(run, (struct bf_event){ .kind = BF_EV_CANDIDATE, .candidate = &c });
}

static enum bf_rc nobody_there(const struct bf_run *run, struct bf_err *err)
{
	const struct bf_wire_silence silence = { .baud_given = run->wire.rate };

	bf_fail(err, BF_E_NODEV, "no answer from any address, %d to %d, on '%s' at %u baud",
		SCAN_FIRST, SCAN_LAST, run->job->iface, run->wire.rate);
	bf_wire_likely_silence(run->wire.transport, &silence, err);
	bf_next_command(run, BF_JOB_PROBE, NULL, err);
	return err->rc;
}

/* Quick: a pack that is slower than this is found by --node. */
enum bf_rc bf_ph_scan(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *only;
	unsigned found = 0;
	enum bf_rc rc = choose(run, &only, err);

	for (int node = SCAN_FIRST; !rc && node <= SCAN_LAST; node++) {
		char text[80];

		snprintf(text, sizeof(text), "address %d of %d, %u found", node, SCAN_LAST, found);
		bf_alive(run, text);
		rc = bf_run_stop(run, err);
		bf_session_address(run, node);
		if (!rc)
			rc = ask_all(run, only, ASK_SCAN, NULL, err);
		if (!rc) {
			found++;
			say_found(run, node);
			bf_session_close(run);
		}
		rc = is_silence(rc) ? BF_OK : rc;
	}
	return rc ? rc : found ? BF_OK : nobody_there(run, err);
}

/* Firmware that was left for the loader is seen to be back, or the outcome says that it is not. */
static void see_it_back(struct bf_run *run)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;
	struct bf_err err;

	bf_err_init(&err);
	(void)bf_run_await(run, bf_in(run->clock, COME_BACK), &err);
	/* A loader that takes the end of the dialogue for no wish to go. */
	if (run->model.talking != BF_TALKING_APP && ops->loader->restart &&
	    !ops->loader->restart(run->session.proto, &err))
		(void)bf_run_await(run, bf_in(run->clock, COME_BACK), &err);
}

void bf_ph_part(struct bf_run *run)
{
	const struct bf_model *m = &run->model;
	bool lost =
		m->holds == BF_HOLDS_PARTIAL || m->holds == BF_HOLDS_BAD; /* nothing could start */
	/* It was seen to run, and may have been taken into its bootloader again with a forgotten session. */
	bool away =
		m->entered == BF_ENTERED_BY_US || (m->stopped_by_us && m->stage == BF_STAGE_NONE);

	if (run->session.proto && run->session.proto->ops->leave && !run->session.parted)
		run->session.proto->ops->leave(run->session.proto);
	if (run->session.proto && away && !lost)
		see_it_back(run);
	bf_session_close(run);
}
