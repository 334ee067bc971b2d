/* SPDX-License-Identifier: MIT */
/*
 * A pack whose application and bootloader are of different families, as one protocol. Each role has a profile of its
 * own, with its addresses, and a line format of its own; the wire is moved between them here, and nowhere else. Who
 * answers is found by asking; the ways from one to the other are those of [entry].
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/entry.h"

#define ASK BF_MS(600) /* for one question to a role */
#define LISTEN \
	BF_MS(150) /* to a bootloader that speaks by itself, before the application is asked */
#define GREET     BF_MS(120) /* for the answer of one that must be asked first */
#define AGAIN     BF_MS(50)  /* between two questions to a bootloader that is coming */
#define BACK_PACE BF_MS(250) /* between two to an application that is coming back */
#define HURRY     BF_MS(4)   /* for each answer, where a window is to be caught */
#define STAYED \
	BF_SEC(2)   /* left of a wait for the application: is it the bootloader that answers? */
#define STAY_PART 4 /* ... of a short wait, this part */

enum talking { NOBODY, APPLICATION, LOADER };

/* What the application tells and does, whoever answers now. */
#define APP_CAPS (BF_CAP_MEASURE | BF_CAP_SELF_TEST | BF_CAP_BALANCE)

struct role {
	const struct bf_proto_ops *ops; /* NULL: the pack has no such role */
	struct bf_proto *proto;
	struct bf_profile profile;
	uint32_t rate; /* of a CAN bus; 0: as it is */
};

struct joined {
	struct bf_proto base;
	struct bf_proto_ops ops;
	struct bf_app_ops app_ops;
	struct bf_loader_ops loader_ops;
	struct bf_boot_ops boot_ops;
	char name[40];
	struct role app, loader;
	uint32_t baud;         /* as the line was found */
	const struct role *at; /* whose line the wire has; NULL: nobody's */
	enum talking now;
	bool was_in;  /* its bootloader answered, and was not told to start anything since */
	bool started; /* by us: what is read from now on is read from the application */
	bool has_told;
	struct bf_ident told; /* by the application */
	struct bf_entry_log log;
};

static struct joined *joined_of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct joined, base);
}

static struct bf_clock *clock_of(const struct joined *j)
{
	return j->base.env.transport->clock;
}

static bool is_silence(enum bf_rc rc)
{
	return rc == BF_E_NODEV || rc == BF_E_TIMEOUT || rc == BF_E_UNSUPPORTED || rc == BF_E_LINK;
}

static void alive(const struct joined *j, const char *what)
{
	if (j->base.env.alive)
		j->base.env.alive(j->base.env.alive_ctx, what);
}

static enum bf_rc rest(const struct joined *j, bf_time time, struct bf_err *err)
{
	if (bf_clock_until(clock_of(j), bf_in(clock_of(j), time)))
		return BF_OK;
	return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
}

static void set_now(struct joined *j, enum talking now)
{
	j->now = now;
	j->was_in = j->was_in || now == LOADER;
	j->base.in_loader = now == LOADER;
}

/* ---- the wire ---- */

static enum bf_rc move_stream(struct joined *j, const struct role *role, struct bf_err *err)
{
	uint32_t baud = role->profile.baud ? role->profile.baud : j->baud;
	struct bf_line line = bf_line_of_profile(&role->profile, baud);

	return bf_line_set(j->base.env.transport, &line, err);
}

static enum bf_rc move_bus(struct joined *j, const struct role *role, struct bf_err *err)
{
	struct bf_transport *t = j->base.env.transport;
	struct bf_bus_report now = { 0 };

	t->ops->bus->report(t, &now);
	if (!role->rate || !now.bitrate || now.bitrate == role->rate)
		return BF_OK;
	return t->ops->bus->set_bitrate(t, role->rate, now.dbitrate, err);
}

static enum bf_rc move_to(struct joined *j, const struct role *role, struct bf_err *err)
{
	struct bf_transport *t = j->base.env.transport;
	enum bf_rc rc = BF_OK;

	if (j->at == role)
		return BF_OK;
	j->at = NULL;
	if (t->ops->stream)
		rc = move_stream(j, role, err);
	else if (t->ops->bus)
		rc = move_bus(j, role, err);
	if (rc)
		return bf_while(err, "setting '%s' for the family '%s'", t->name, role->ops->name);
	j->at = role;
	return BF_OK;
}

/* ---- who answers ---- */

static enum bf_rc ask(struct joined *j, struct role *role, bf_time deadline, struct bf_err *err)
{
	enum bf_rc rc;

	if (!role->ops)
		return bf_fail(err, BF_E_NODEV, "the pack has no such role");
	bf_err_init(err);
	if (move_to(j, role, err))
		return err->rc;
	rc = role->ops->recognise ? role->ops->recognise(role->proto, deadline, err) : BF_OK;
	if (!rc)
		set_now(j, role == &j->app ? APPLICATION : LOADER);
	return rc;
}

/* Again and again until it answers. `hurry`: its window is short. */
static enum bf_rc ask_until(struct joined *j, struct role *role, bf_time until, bool hurry,
			    const char *what, struct bf_err *err)
{
	bf_time patience = hurry ? HURRY : ASK;
	enum bf_rc rc;

	role->proto->env.hurry = hurry ? HURRY : j->base.env.hurry;
	do {
		bf_time ends = bf_in(clock_of(j), patience);

		alive(j, what);
		rc = ask(j, role, ends < until ? ends : until, err);
		if (!rc || !is_silence(rc))
			break;
		if (!hurry || bf_now(clock_of(j)) < ends) {
			enum bf_rc stopped = rest(j, hurry ? HURRY : AGAIN, err);

			if (stopped)
				rc = stopped;
		}
	} while (is_silence(rc) && bf_now(clock_of(j)) < until);
	role->proto->env.hurry = j->base.env.hurry;
	return rc;
}

static const struct bf_entry_plan *plan_of(const struct joined *j)
{
	return &j->base.env.profile->entry;
}

static bool plans(const struct joined *j, enum bf_entry_how how)
{
	return memchr(plan_of(j)->how.code, (int)how, plan_of(j)->how.n) != NULL;
}

/* ---- ways into the bootloader ---- */

/* How long it is waited for after this way was gone. */
static bf_time patience_after(const struct joined *j, enum bf_entry_how how, bool by_somebody)
{
	const struct bf_entry_plan *plan = plan_of(j);

	if (how == BF_ENTER_WINDOW)
		return BF_SEC((bf_time)plan->window_s);
	if (how == BF_ENTER_HAND && !by_somebody)
		return BF_SEC((bf_time)plan->hand_limit_s);
	if (how == BF_ENTER_THERE)
		return ASK;
	return BF_SEC((bf_time)plan->ready_limit_s);
}

static enum bf_rc do_request(struct joined *j, struct bf_err *err)
{
	if (j->now != APPLICATION || !j->app.ops->app->to_loader)
		return bf_fail(err, BF_E_UNSUPPORTED, "no application answers that could be asked");
	if (move_to(j, &j->app, err))
		return err->rc;
	return j->app.ops->app->to_loader(j->app.proto, err);
}

/* BF_E_UNSUPPORTED: this way is not there; silence: gone, and no bootloader answered. */
static enum bf_rc go(struct joined *j, enum bf_entry_how how, struct bf_err *err)
{
	static const char *const what[BF_ENTER_COUNT] = {
		[BF_ENTER_REQUEST] = "waiting for the bootloader that was asked for",
		[BF_ENTER_LINES] = "waiting for the bootloader after the reset",
		[BF_ENTER_GPIO] = "waiting for the bootloader after the reset",
		[BF_ENTER_WINDOW] = "waiting for the bootloader: switch the pack off, then on",
		[BF_ENTER_HAND] = "waiting for the bootloader that is started by hand",
		[BF_ENTER_TEXT] = "waiting for the bootloader that was asked for",
		[BF_ENTER_THERE] = "looking for the bootloader",
	};
	bool people = how == BF_ENTER_HAND || how == BF_ENTER_WINDOW;
	bool by_somebody = true;
	enum bf_rc rc = BF_OK;

	bf_err_init(err);
	if (how == BF_ENTER_REQUEST)
		rc = do_request(j, err);
	/* What is typed on a console is typed on the application's. */
	else if (how == BF_ENTER_TEXT && j->app.ops)
		rc = move_to(j, &j->app, err);
	if (!rc && how != BF_ENTER_REQUEST)
		rc = bf_entry_step(how, &j->base.env, err);
	if (rc == BF_E_UNSUPPORTED && people) {
		by_somebody = false;
		rc = BF_OK;
	}
	if (rc)
		return rc;
	if (how != BF_ENTER_THERE) {
		set_now(j, NOBODY);
		if (move_to(j, &j->loader, err) ||
		    (how != BF_ENTER_WINDOW && rest(j, BF_MS(plan_of(j)->settle_ms), err)))
			return err->rc;
	}
	return ask_until(j, &j->loader, bf_in(clock_of(j), patience_after(j, how, by_somebody)),
			 how == BF_ENTER_WINDOW, what[how], err);
}

static void tell_ways(const struct joined *j, struct bf_err *err)
{
	const struct bf_entry_plan *plan = plan_of(j);

	if (plan->hand[0])
		bf_likely(err, "it is entered by hand: %s", plan->hand);
	bf_likely(err, "the bootloader listens at another line setting: [loader] of the profile");
}

/* Each way in the profile's order. BF_E_NODEV: none led there. */
static enum bf_rc go_all(struct joined *j, bool without_application, struct bf_err *err)
{
	struct bf_entry_log *log = j->base.env.entry ? j->base.env.entry : &j->log;
	enum bf_rc rc = BF_E_NODEV;
	unsigned gone = 0;

	for (size_t i = 0; i < plan_of(j)->how.n; i++) {
		enum bf_entry_how how = (enum bf_entry_how)plan_of(j)->how.code[i];

		if (without_application && (how == BF_ENTER_REQUEST || log->tried & 1U << how))
			continue;
		log->tried |= 1U << how;
		rc = go(j, how, err);
		if (!rc || !is_silence(rc))
			return rc;
		gone += rc != BF_E_UNSUPPORTED;
	}
	bf_fail(err, BF_E_NODEV, "%s",
		gone ? "the bootloader did not answer after any way into it that the profile names"
		     : "no way into the bootloader that the profile names can be gone here");
	tell_ways(j, err);
	return err->rc;
}

/* ---- recognising ---- */

static bool asks_application(const struct joined *j)
{
	return j->app.ops && !j->base.env.rescue && !j->base.env.hurry;
}

/* One question: a bootloader that hears another one first is deaf afterwards. */
static enum bf_rc greet(struct joined *j, struct bf_err *err)
{
	enum bf_rc rc;

	j->loader.proto->env.hurry = GREET;
	rc = ask(j, &j->loader, bf_in(clock_of(j), GREET), err);
	j->loader.proto->env.hurry = j->base.env.hurry;
	return rc;
}

/* A bootloader that speaks by itself may take a question for data: it is listened to first. */
static enum bf_rc find(struct joined *j, bf_time deadline, struct bf_err *err)
{
	bool there = plans(j, BF_ENTER_THERE) || !asks_application(j);
	bool listens = there && j->loader.ops->listens;
	bool greets = there && asks_application(j) && j->loader.ops->goes_first;
	enum bf_rc rc = BF_E_NODEV;
	bf_time ends = bf_in(clock_of(j), LISTEN);

	if (listens)
		rc = ask(j, &j->loader, ends < deadline ? ends : deadline, err);
	if (greets)
		rc = greet(j, err);
	/* That may have taken all of the time. */
	if (listens || greets)
		deadline = bf_in(clock_of(j), ASK);
	if (is_silence(rc) && asks_application(j))
		rc = ask(j, &j->app, deadline, err);
	/* ... and once more, as the question may have kept it from calling. */
	if (is_silence(rc) && there) {
		/* The time was the application's. */
		ends = j->base.env.hurry ? deadline : bf_in(clock_of(j), ASK);
		rc = ask(j, &j->loader, ends, err);
	}
	return rc;
}

/* It was caught: from here on every answer has its time. */
static void calm_down(struct joined *j)
{
	j->base.env.hurry = 0;
	if (j->app.proto)
		j->app.proto->env.hurry = 0;
	j->loader.proto->env.hurry = 0;
}

static enum bf_rc joined_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct joined *j = joined_of(p);
	const struct bf_entry_log *log = p->env.entry ? p->env.entry : &j->log;
	bool gone = log->tried != 0;
	enum bf_rc rc = find(j, deadline, err);
	struct bf_err quiet;

	if (is_silence(rc) && p->env.may_enter && (p->env.rescue || !j->app.ops))
		rc = go_all(j, true, err);
	/* Firmware that counts as dead is asked when nothing else is left. */
	if (is_silence(rc) && p->env.rescue && gone && !p->env.hurry && j->app.ops)
		rc = ask(j, &j->app, bf_in(clock_of(j), ASK), err);
	if (!rc)
		calm_down(j);
	if (!is_silence(rc))
		return rc;
	bf_err_init(&quiet);
	if (j->app.ops)
		(void)move_to(j, &j->app, &quiet);
	if (err->rc == BF_OK || rc != BF_E_NODEV)
		bf_fail(err, BF_E_NODEV, "neither application nor bootloader of '%s' answers",
			j->name);
	return BF_E_NODEV;
}

/* Whoever answers now: after a restart, or after silence. */
static enum bf_rc look(struct joined *j, struct bf_err *err)
{
	enum bf_rc rc = BF_E_NODEV;

	if (j->now == LOADER || !j->app.ops)
		rc = ask(j, &j->loader, bf_in(clock_of(j), ASK), err);
	if (is_silence(rc) && j->app.ops)
		rc = ask(j, &j->app, bf_in(clock_of(j), ASK), err);
	if (is_silence(rc) && j->app.ops && j->now != LOADER)
		rc = ask(j, &j->loader, bf_in(clock_of(j), ASK), err);
	if (is_silence(rc))
		set_now(j, NOBODY);
	return rc;
}

/* ---- connecting ---- */

static enum bf_rc connect_role(struct joined *j, struct role *role, enum bf_entry entry,
			       struct bf_err *err)
{
	bf_err_init(err);
	if (move_to(j, role, err))
		return err->rc;
	return role->ops->connect ? role->ops->connect(role->proto, entry, err) : BF_OK;
}

static struct role *talking_to(struct joined *j)
{
	if (j->now == NOBODY)
		return NULL;
	return j->now == APPLICATION ? &j->app : &j->loader;
}

/* The application that was left for a bootloader that never came is asked whether it is still there. */
static enum bf_rc enter(struct joined *j, struct bf_err *err)
{
	struct bf_err why, quiet;

	if (!go_all(j, false, err))
		return BF_OK;
	why = *err;
	bf_err_init(&quiet);
	if (why.rc != BF_E_INTERRUPTED && j->app.ops)
		(void)ask(j, &j->app, bf_in(clock_of(j), ASK), &quiet);
	*err = why;
	return bf_while(err, "entering the bootloader of '%s'", j->name);
}

/* Its bootloader takes and gives nothing: no question about memory is worth a stop of the firmware. */
static bool only_takes(const struct joined *j)
{
	return j->loader.ops->loader_caps &&
	       !(j->loader.ops->loader_caps & (BF_CAP_READ | BF_CAP_HASH | BF_CAP_COMPARE));
}

/* Can this be done with the application? Memory is the bootloader's; but firmware that was started to be proven is
 * not stopped again by a question about it. */
static bool is_for_app(const struct joined *j, enum bf_entry entry)
{
	return entry == BF_ENTRY_LOOK || (entry == BF_ENTRY_READ && (j->started || j->base.proves));
}

/* It answered before, in this run, and its firmware may be half written: the lines that led into it lead there again. */
static enum bf_rc enter_again(struct joined *j, struct bf_err *err)
{
	static const enum bf_entry_how ways[] = { BF_ENTER_LINES, BF_ENTER_GPIO };
	enum bf_rc rc = BF_E_NODEV;

	for (size_t i = 0; i < BF_COUNT(ways) && is_silence(rc); i++) {
		if (plans(j, ways[i]))
			rc = go(j, ways[i], err);
	}
	return rc;
}

/* Who is there, after a restart or a loss; a bootloader that had been entered for writing is entered once more. */
static enum bf_rc look_again(struct joined *j, enum bf_entry entry, struct bf_err *err)
{
	enum bf_rc rc = look(j, err);
	struct bf_err why;

	if (!is_silence(rc) || !j->was_in || entry != BF_ENTRY_WRITE)
		return rc;
	why = *err;
	bf_err_init(err);
	rc = enter_again(j, err);
	if (is_silence(rc))
		*err = why;
	return rc;
}

static enum bf_rc joined_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err)
{
	struct joined *j = joined_of(p);
	bool for_app = is_for_app(j, entry) || (entry == BF_ENTRY_READ && only_takes(j));
	struct role *role = talking_to(j);
	enum bf_rc rc = role && (for_app || role == &j->loader) ? connect_role(j, role, entry, err)
								: BF_E_NODEV;

	/* It may have restarted since, or lost the session. */
	if (rc && !is_silence(rc))
		return rc;
	if (rc && (!role || role == &j->loader || for_app)) {
		if (look_again(j, entry, err))
			return err->rc;
		role = talking_to(j);
		rc = role == &j->loader || for_app ? connect_role(j, role, entry, err) : BF_E_NODEV;
	}
	if (!rc || !is_silence(rc) || role != &j->app || for_app)
		return rc;
	if (enter(j, err))
		return err->rc;
	j->started = j->base.proves = false;
	return connect_role(j, &j->loader, entry, err);
}

/* ---- who it is ---- */

static void fill(char *dst, size_t cap, const char *from)
{
	if (!dst[0])
		snprintf(dst, cap, "%s", from);
}

/* Its names are those of the pack; what every such chip shows tells nothing of it. */
static void name_pack(const struct joined *j, struct bf_ident *id)
{
	const struct bf_ident *told = &j->told;

	if (!j->has_told)
		return;
	if (id->is_anybodys) {
		id->manufacturer[0] = id->model[0] = id->serial[0] = id->hw_rev[0] = '\0';
		id->has_vid = id->has_cid = id->is_anybodys = false;
	}
	fill(id->manufacturer, sizeof(id->manufacturer), told->manufacturer);
	fill(id->model, sizeof(id->model), told->model);
	fill(id->serial, sizeof(id->serial), told->serial);
	fill(id->hw_rev, sizeof(id->hw_rev), told->hw_rev);
	if (!id->has_vid && told->has_vid)
		memcpy(id->vid, told->vid, sizeof(id->vid));
	if (!id->has_cid && told->has_cid)
		memcpy(id->cid, told->cid, sizeof(id->cid));
	id->has_vid = id->has_vid || told->has_vid;
	id->has_cid = id->has_cid || told->has_cid;
	id->caps |= told->caps & APP_CAPS;
}

static enum bf_rc identify_app(struct joined *j, struct bf_ident *ret, struct bf_err *err)
{
	struct bf_ident id = { 0 };

	if (j->app.ops->identify(j->app.proto, &id, err))
		return err->rc;
	id.talks = BF_TALKS_APPLICATION;
	id.in_bootloader = false;
	j->told = id;
	j->has_told = true;
	/* The memory, and what can be done with it, is the bootloader's to tell: banks that the application would
	 * write are no place for what the bootloader writes. */
	id.n_regions = 0;
	id.n_slots = 0;
	id.caps = (id.caps & APP_CAPS) | j->loader.ops->loader_caps;
	id.caps_later = true;
	id.no_write[0] = '\0';
	*ret = id;
	return BF_OK;
}

static enum bf_rc identify_loader(struct joined *j, struct bf_ident *ret, struct bf_err *err)
{
	struct bf_ident id = { 0 };

	if (j->loader.ops->identify(j->loader.proto, &id, err))
		return err->rc;
	id.talks = BF_TALKS_LOADER;
	id.in_bootloader = true;
	name_pack(j, &id);
	*ret = id;
	return BF_OK;
}

static enum bf_rc joined_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	struct joined *j = joined_of(p);
	struct role *role = talking_to(j);
	enum bf_rc rc;

	if (!role)
		return bf_fail(err, BF_E_NODEV, "nobody answers on '%s'", p->env.transport->name);
	if (move_to(j, role, err))
		return err->rc;
	rc = role == &j->app ? identify_app(j, ret, err) : identify_loader(j, ret, err);
	if (!rc)
		p->caps = ret->caps;
	return rc;
}

/* ---- small things of the session: for whoever answers ---- */

static enum bf_rc joined_authenticate(struct bf_proto *p, struct bf_err *err)
{
	struct role *role = talking_to(joined_of(p));

	return role && role->ops->authenticate ? role->ops->authenticate(role->proto, err) : BF_OK;
}

static enum bf_rc joined_set_rate(struct bf_proto *p, uint32_t rate, struct bf_err *err)
{
	struct role *role = talking_to(joined_of(p));

	if (!role || !role->ops->set_rate)
		return bf_fail(err, BF_E_UNSUPPORTED, "its rate cannot be changed now");
	return role->ops->set_rate(role->proto, rate, err);
}

static void joined_default_rate(struct bf_proto *p)
{
	struct joined *j = joined_of(p);
	struct role *role = talking_to(j);

	if (role && role->ops->default_rate)
		role->ops->default_rate(role->proto);
	j->at = NULL; /* the next question sets the line anew */
}

/* BF_E_UNSUPPORTED is no sign of life. */
static enum bf_rc joined_ping(struct bf_proto *p, struct bf_err *err)
{
	struct joined *j = joined_of(p);
	struct role *role = talking_to(j);

	if (!role)
		return bf_fail(err, BF_E_TIMEOUT, "nobody answers on '%s'", p->env.transport->name);
	if (!role->ops->ping)
		return bf_fail(err, BF_E_UNSUPPORTED, "'%s' has no question for that",
			       role->ops->name);
	if (move_to(j, role, err))
		return err->rc;
	return role->ops->ping(role->proto, err);
}

static enum bf_rc joined_keepalive(struct bf_proto *p, struct bf_err *err)
{
	struct role *role = talking_to(joined_of(p));

	return role && role->ops->keepalive ? role->ops->keepalive(role->proto, err) : BF_OK;
}

static void joined_leave(struct bf_proto *p)
{
	struct role *role = talking_to(joined_of(p));

	if (role && role->ops->leave)
		role->ops->leave(role->proto);
}

/* ---- the restart ---- */

/* A way out by lines resets the pack, and takes back what was done to enter: where it is known it is better than a
 * jump. */
static enum bf_rc joined_restart(struct bf_proto *p, struct bf_err *err)
{
	struct joined *j = joined_of(p);
	struct role *role = talking_to(j);
	enum bf_rc rc = BF_OK;

	if (role == &j->app) {
		if (!role->ops->loader->restart)
			return bf_fail(err, BF_E_UNSUPPORTED,
				       "the application cannot be restarted");
		return role->ops->loader->restart(role->proto, err);
	}
	if (bf_entry_has_leave(plan_of(j))) {
		rc = bf_entry_leave(&p->env, err);
		/* Nobody could be asked: the sentence was shown, and whoever does it is waited for. */
		if (rc == BF_E_UNSUPPORTED && plan_of(j)->hand_leave[0]) {
			bf_err_init(err);
			rc = BF_OK;
		}
	} else if (j->loader.ops->loader->restart) {
		rc = j->loader.ops->loader->restart(j->loader.proto, err);
	}
	if (rc && rc != BF_E_TIMEOUT && rc != BF_E_LINK && rc != BF_E_GONE)
		return rc;
	set_now(j, NOBODY);
	j->was_in = false;
	j->started = true;
	return rc;
}

static enum bf_rc await_app(struct joined *j, bf_time until, struct bf_err *err)
{
	enum bf_rc rc;

	do {
		rc = move_to(j, &j->app, err);
		if (!rc && j->app.ops->await)
			rc = j->app.ops->await(j->app.proto, until, err);
		if (!rc)
			rc = ask(j, &j->app, bf_in(clock_of(j), ASK), err);
		if (!rc || !is_silence(rc))
			return rc;
		alive(j, "waiting for the pack's firmware to answer");
		if (rest(j, BACK_PACE, err))
			return err->rc;
	} while (bf_now(clock_of(j)) < until);
	return rc;
}

/* The application proves. Where it does not come, a bootloader that still answers says that nothing was started. */
static enum bf_rc joined_await(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct joined *j = joined_of(p);
	bf_time left = deadline - bf_now(clock_of(j));
	bf_time kept = left / STAY_PART < STAYED ? left / STAY_PART : STAYED;
	struct bf_err quiet;
	enum bf_rc rc = BF_E_NODEV;

	/* Nobody has started anything: what is meant for the application it may take for data. */
	if (j->now == LOADER)
		rc = ask(j, &j->loader, bf_in(clock_of(j), ASK), err);
	if (is_silence(rc) && j->app.ops)
		rc = await_app(j, deadline - kept, err);
	if (!is_silence(rc))
		return rc;
	bf_err_init(&quiet);
	if (!ask(j, &j->loader, bf_in(clock_of(j), ASK), &quiet)) {
		bf_err_init(err);
		return BF_OK;
	}
	set_now(j, NOBODY);
	if (quiet.rc == BF_E_INTERRUPTED || quiet.rc == BF_E_GONE) {
		*err = quiet;
		return err->rc;
	}
	if (j->app.ops)
		return err->rc ? err->rc : rc;
	bf_fail(err, BF_E_UNSUPPORTED,
		"the bootloader of '%s' has gone, and its firmware says nothing on this line",
		j->name);
	return err->rc;
}

/* ---- the application's role ---- */

static enum bf_rc app_ready(struct joined *j, struct bf_err *err)
{
	if (j->now != APPLICATION)
		return bf_fail(err, BF_E_UNSUPPORTED, "the application of '%s' does not run now",
			       j->name);
	return move_to(j, &j->app, err);
}

static enum bf_rc joined_measure(struct bf_proto *p, struct bf_measure *ret, struct bf_err *err)
{
	struct joined *j = joined_of(p);

	if (app_ready(j, err))
		return err->rc;
	return j->app.ops->app->measure(j->app.proto, ret, err);
}

static enum bf_rc joined_self_test(struct bf_proto *p, struct bf_self_test *ret, struct bf_err *err)
{
	struct joined *j = joined_of(p);

	if (app_ready(j, err))
		return err->rc;
	return j->app.ops->app->self_test(j->app.proto, ret, err);
}

static enum bf_rc joined_balance(struct bf_proto *p, bool *ret_ok, struct bf_err *err)
{
	struct joined *j = joined_of(p);

	if (app_ready(j, err))
		return err->rc;
	return j->app.ops->app->balance(j->app.proto, ret_ok, err);
}

/* ---- the bootloader's role ---- */

static enum bf_rc loader_ready(struct joined *j, struct bf_err *err)
{
	if (j->now == APPLICATION)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the firmware of '%s' runs, and only its bootloader has the memory",
			       j->name);
	if (j->now != LOADER)
		return bf_fail(err, BF_E_TIMEOUT, "the bootloader of '%s' does not answer",
			       j->name);
	return move_to(j, &j->loader, err);
}

#define LOADER_CALL(name, PARAMS, ...)                                      \
	static enum bf_rc joined_##name PARAMS                              \
	{                                                                   \
		struct joined *j = joined_of(p);                            \
		struct bf_proto *own = j->loader.proto;                     \
		enum bf_rc rc = loader_ready(j, err);                       \
                                                                            \
		if (!rc)                                                    \
			rc = j->loader.ops->loader->name(own, __VA_ARGS__); \
		p->checked = own->checked;                                  \
		p->saved = own->saved;                                      \
		return rc;                                                  \
	}

/* clang-format off */
LOADER_CALL(erase, (struct bf_proto *p, const struct bf_region *region, uint32_t addr, uint32_t size,
		    struct bf_err *err), region, addr, size, err)
LOADER_CALL(begin, (struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
		    struct bf_err *err), target, ret, err)
LOADER_CALL(block_start, (struct bf_proto *p, const struct bf_block *block, struct bf_err *err), block, err)
LOADER_CALL(block_finish, (struct bf_proto *p, size_t *ret_next, struct bf_err *err), ret_next, err)
LOADER_CALL(finish, (struct bf_proto *p, struct bf_err *err), err)
LOADER_CALL(read, (struct bf_proto *p, const struct bf_region *region, uint32_t addr, uint8_t *buf,
		   size_t len, struct bf_err *err), region, addr, buf, len, err)
LOADER_CALL(extent, (struct bf_proto *p, const struct bf_region *region, uint32_t *ret,
		     struct bf_err *err), region, ret, err)
LOADER_CALL(hash, (struct bf_proto *p, uint32_t addr, uint32_t size, uint8_t ret[BF_SHA256_LEN],
		   struct bf_err *err), addr, size, ret, err)
LOADER_CALL(hash_units, (struct bf_proto *p, uint32_t addr, uint32_t size, uint32_t unit,
			 uint8_t (*ret)[8], size_t n, struct bf_err *err), addr, size, unit, ret, n, err)
LOADER_CALL(holds, (struct bf_proto *p, const struct bf_region *region, uint32_t addr, const uint8_t *want,
		    size_t len, bool *ret, struct bf_err *err), region, addr, want, len, ret, err)
LOADER_CALL(check, (struct bf_proto *p, const struct bf_target *target, struct bf_err *err), target, err)
/* clang-format on */

static void joined_abandon(struct bf_proto *p)
{
	struct joined *j = joined_of(p);

	if (j->now == LOADER && j->loader.ops->loader->abandon)
		j->loader.ops->loader->abandon(j->loader.proto);
}

/* ---- boot control: of whichever family has it ---- */

static struct role *boot_role(struct joined *j)
{
	return j->app.ops && j->app.ops->boot->state ? &j->app : &j->loader;
}

static enum bf_rc boot_ready(struct joined *j, struct role *role, struct bf_err *err)
{
	return role == &j->app ? app_ready(j, err) : loader_ready(j, err);
}

#define BOOT_CALL(name, PARAMS, ...)                                              \
	static enum bf_rc joined_##name PARAMS                                    \
	{                                                                         \
		struct role *role = boot_role(joined_of(p));                      \
		enum bf_rc rc = boot_ready(joined_of(p), role, err);              \
                                                                                  \
		return rc ? rc : role->ops->boot->name(role->proto, __VA_ARGS__); \
	}

/* clang-format off */
BOOT_CALL(state, (struct bf_proto *p, struct bf_ident *update, struct bf_err *err), update, err)
BOOT_CALL(activate, (struct bf_proto *p, enum bf_activate how, struct bf_err *err), how, err)
/* clang-format on */

static enum bf_rc joined_confirm(struct bf_proto *p, struct bf_err *err)
{
	struct role *role = boot_role(joined_of(p));
	enum bf_rc rc = boot_ready(joined_of(p), role, err);

	return rc ? rc : role->ops->boot->confirm(role->proto, err);
}

static void joined_select(struct bf_proto *p, unsigned number, unsigned n)
{
	struct role *role = boot_role(joined_of(p));

	role->ops->boot->select(role->proto, number, n);
}

static enum bf_rc joined_revert(struct bf_proto *p, struct bf_err *err)
{
	struct role *role = boot_role(joined_of(p));
	enum bf_rc rc = boot_ready(joined_of(p), role, err);

	return rc ? rc : role->ops->boot->revert(role->proto, err);
}

/* ---- the tables: a member for each that the families have ---- */

#define TAKE(table, from, member) \
	if ((from)->member)       \
	(table)->member = joined_##member

static void fill_tables(struct joined *j)
{
	const struct bf_app_ops *app = j->app.ops ? j->app.ops->app : &bf_no_app;
	const struct bf_loader_ops *loader = j->loader.ops->loader;
	const struct bf_boot_ops *boot = boot_role(j)->ops->boot;

	TAKE(&j->app_ops, app, measure);
	TAKE(&j->app_ops, app, self_test);
	TAKE(&j->app_ops, app, balance);
	TAKE(&j->loader_ops, loader, erase);
	TAKE(&j->loader_ops, loader, begin);
	TAKE(&j->loader_ops, loader, block_start);
	TAKE(&j->loader_ops, loader, block_finish);
	TAKE(&j->loader_ops, loader, finish);
	TAKE(&j->loader_ops, loader, abandon);
	TAKE(&j->loader_ops, loader, read);
	TAKE(&j->loader_ops, loader, extent);
	TAKE(&j->loader_ops, loader, hash);
	TAKE(&j->loader_ops, loader, hash_units);
	TAKE(&j->loader_ops, loader, holds);
	TAKE(&j->loader_ops, loader, check);
	j->loader_ops.block_class = loader->block_class;
	j->loader_ops.restart = joined_restart;
	TAKE(&j->boot_ops, boot, select);
	TAKE(&j->boot_ops, boot, state);
	TAKE(&j->boot_ops, boot, activate);
	TAKE(&j->boot_ops, boot, confirm);
	TAKE(&j->boot_ops, boot, revert);
	j->ops = bf_proto_joined_ops;
	j->ops.name = j->name;
	j->ops.app = &j->app_ops;
	j->ops.loader = &j->loader_ops;
	j->ops.boot = &j->boot_ops;
	/* A question for which one of them has no form is none for the pack. */
	if (!j->loader.ops->ping)
		j->ops.ping = NULL;
	j->ops.refusals = j->loader.ops->refusals;
	j->ops.loader_caps = j->loader.ops->loader_caps;
}

/* ---- opening ---- */

/* The profile as this role sees it. */
static void lay_profile(struct role *role, const struct bf_profile *from,
			const struct bf_role_line *line, const char *name)
{
	struct bf_profile *own = &role->profile;

	*own = *from;
	snprintf(own->protocol, sizeof(own->protocol), "%s", name);
	own->baud = 0; /* as the line was found, unless the role has its own */
	bf_role_lay(own, role->ops->line);
	bf_role_lay(own, line);
	role->rate = line->rate;
	if (line->node >= 0)
		own->node = (uint8_t)line->node;
	if (line->can_tx) {
		own->can_tx = line->can_tx;
		own->can_rx = line->can_rx;
	}
}

static enum bf_rc open_role(struct joined *j, struct role *role, const struct bf_proto_ops *ops,
			    const struct bf_role_line *line, struct bf_err *err)
{
	struct bf_proto_env env = j->base.env;

	role->ops = ops;
	lay_profile(role, env.profile, line, ops->name);
	if (!(ops->wires & env.transport->ops->wire))
		return bf_fail(err, BF_E_USAGE, "the family '%s' does not run over '%s'", ops->name,
			       env.transport->name);
	env.profile = &role->profile;
	env.joined = true;
	env.application = role == &j->loader ? &j->told : NULL;
	if (line->node >= 0)
		env.node = -1;
	if (ops->open(&env, &role->proto, err))
		return bf_while(err, "opening the family '%s'", ops->name);
	return BF_OK;
}

static void joined_close(struct bf_proto *p)
{
	struct joined *j = joined_of(p);

	bf_proto_close(j->loader.proto);
	bf_proto_close(j->app.proto);
	free(j);
}

enum bf_rc bf_join_open(const struct bf_proto_env *env, const struct bf_proto_ops *application,
			const struct bf_proto_ops *loader, struct bf_proto **ret,
			struct bf_err *err)
{
	struct joined *j = calloc(1, sizeof(*j));
	struct bf_line_report line = { 0 };
	enum bf_rc rc = BF_OK;

	if (!j)
		abort();
	j->base.env = *env;
	j->base.ops = &bf_proto_joined_ops;
	snprintf(j->name, sizeof(j->name), "%s%s%s", application ? application->name : "",
		 application ? "+" : "", loader->name);
	if (env->transport->ops->stream)
		env->transport->ops->stream->report(env->transport, &line);
	j->baud = line.real_baud ? line.real_baud : env->profile->baud;
	if (application)
		rc = open_role(j, &j->app, application, &env->profile->app_line, err);
	if (!rc)
		rc = open_role(j, &j->loader, loader, &env->profile->loader_line, err);
	if (rc) {
		joined_close(&j->base);
		return rc;
	}
	fill_tables(j);
	j->base.ops = &j->ops;
	*ret = &j->base;
	return BF_OK;
}

static enum bf_rc family_of(const char *name, const char *key, const struct bf_proto_ops **ret,
			    struct bf_err *err)
{
	*ret = name[0] ? bf_proto_by_name(name) : NULL;
	if (*ret || !name[0])
		return BF_OK;
	bf_fail(err, BF_E_USAGE,
		"the profile names '%s' as %s, which is no family of this bmsflash", name, key);
	bf_do(err, "correct '%s' in [pack] of the profile", key);
	bf_next(err, "man bmsflash-profile");
	return err->rc;
}

static enum bf_rc joined_open(const struct bf_proto_env *env, struct bf_proto **ret,
			      struct bf_err *err)
{
	const struct bf_proto_ops *application, *loader;

	if (family_of(env->profile->application, "application", &application, err) ||
	    family_of(env->profile->loader, "loader", &loader, err))
		return err->rc;
	if (!loader)
		return bf_fail(err, BF_E_UNSUPPORTED, "the profile '%s' joins no families",
			       env->profile->name);
	return bf_join_open(env, application, loader, ret, err);
}

bool bf_is_joined(const struct bf_profile *profile)
{
	return profile->loader[0] != '\0';
}

static void joined_explain(const struct bf_profile *profile, bf_explain_fn *line, void *ctx)
{
	const char *const names[] = { profile->application, profile->loader };
	static const char *const roles[] = { "Application", "Bootloader" };

	for (size_t i = 0; i < BF_COUNT(names); i++) {
		const struct bf_proto_ops *ops = names[i][0] ? bf_proto_by_name(names[i]) : NULL;
		char text[64];

		if (!ops)
			continue;
		snprintf(text, sizeof(text), "%s: %s", roles[i], ops->name);
		line(ctx, NULL, text);
		if (ops->explain)
			ops->explain(profile, line, ctx);
	}
}

const struct bf_proto_ops bf_proto_joined_ops = {
	.name = "joined",
	.summary = "application and bootloader of two families, as the profile joins them",
	.wires = BF_WIRE_STREAM | BF_WIRE_BUS | BF_WIRE_USB,
	.app = &bf_no_app,
	.loader = &bf_no_loader,
	.boot = &bf_no_boot,
	.open = joined_open,
	.close = joined_close,
	.recognise = joined_recognise,
	.connect = joined_connect,
	.identify = joined_identify,
	.authenticate = joined_authenticate,
	.set_rate = joined_set_rate,
	.default_rate = joined_default_rate,
	.ping = joined_ping,
	.keepalive = joined_keepalive,
	.await = joined_await,
	.leave = joined_leave,
	.explain = joined_explain,
};
