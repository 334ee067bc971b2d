/* SPDX-License-Identifier: MIT */
/* Finding a server, its sessions, restarting it and waiting for it to come back. */
#include "uds.h"

#include <string.h>

/* The standard's tester speaks every 2 s. */
#define KEEPALIVE_AFTER BF_SEC(2)
#define RESET_PENDING   BF_SEC(60) /* a restart may be announced by "response pending" */
#define LINE_ASLEEP     BF_SEC(4)  /* P3 of ISO 14230-2 is 5 s at most */
#define POLL_PACE       BF_MS(100)
/* A server that still tells its old session this long after a restart starts in that session. */
#define RESTART_SEEN BF_SEC(2)

static unsigned node_of(const struct uds *u)
{
	return u->proto.env.node >= 0 ? (unsigned)u->proto.env.node : uds_profile(u)->node;
}

static void close_links(struct uds *u)
{
	u->functional = bf_link_close(u->functional);
	u->link = bf_link_close(u->link);
}

/* To the application's identifiers and rate, or to the bootloader's, where those are others. */
static enum bf_rc move_to(struct uds *u, bool loader, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	enum bf_rc rc = BF_OK;

	if (u->at_loader == loader || !(pf->loader_tx || pf->loader_rate) ||
	    u->proto.env.transport->ops->wire != BF_WIRE_BUS)
		return BF_OK;
	close_links(u);
	u->at_loader = loader;
	if (pf->loader_rate)
		rc = bf_uds_wire_rate(u, loader ? pf->loader_rate : u->default_rate, err);
	return rc ? bf_while(err, "going to the bit rate of the pack's %s",
			     loader ? "bootloader" : "application")
		  : BF_OK;
}

static enum bf_rc open_stream(struct uds *u, enum bf_framing framing, struct bf_err *err)
{
	struct bf_transport *t = u->proto.env.transport;
	const struct bf_profile *pf = uds_profile(u);
	const struct bf_hdlc_opts hdlc = { .target = (uint8_t)node_of(u),
					   .source = pf->tester,
					   .max_msg = UDS_MSG_MAX };
	const struct bf_kline_opts kline = { .target = (uint8_t)node_of(u),
					     .source = pf->tester,
					     .p4 = BF_US(pf->byte_gap_us) };

	close_links(u);
	return framing == BF_FRAMING_HDLC ? bf_hdlc_open(t, &hdlc, &u->link, err)
					  : bf_kline_open(t, &kline, &u->link, err);
}

/* 18DAxxyy: normal fixed addressing (ISO 15765-2), xx to whom, yy from whom. */
#define FIXED      UINT32_C(0x18DA0000)
#define FIXED_MASK UINT32_C(0x1FFF0000)

static bool is_fixed(const struct bf_profile *pf)
{
	return pf->can_ext && (pf->can_tx & FIXED_MASK) == FIXED &&
	       (pf->can_rx & FIXED_MASK) == FIXED;
}

enum bf_rc bf_uds_check_node(const struct bf_proto_env *env, struct bf_err *err)
{
	bool bus = env->transport->ops->wire == BF_WIRE_BUS;

	if (env->node < 0 || (bus ? is_fixed(env->profile) : env->node <= 0xFF)) {
		if (env->node <= 0xFF)
			return BF_OK;
	} else if (bus) {
		bf_fail(err, BF_E_USAGE,
			"--node has no meaning with the identifiers %03X and %03X of the profile "
			"'%s'",
			env->profile->can_tx, env->profile->can_rx, env->profile->name);
		bf_likely(err,
			  "on CAN a pack is chosen by its identifiers; only those of normal fixed "
			  "addressing (18DA..) hold an address");
		bf_do(err,
		      "name the identifiers in a profile: request-id and response-id in [can]");
		return err->rc;
	}
	return bf_fail(err, BF_E_USAGE, "--node 0x%X is not an address: 0 to 0xFF",
		       (unsigned)env->node);
}

static enum bf_rc open_bus(struct uds *u, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	bool chosen = u->proto.env.node >= 0;
	bool loader = u->at_loader && pf->loader_tx;
	struct bf_isotp_opts opts = {
		.tx_id = loader ? pf->loader_tx : pf->can_tx,
		.rx_id = loader ? pf->loader_rx : pf->can_rx,
		.ext = pf->can_ext,
		.fd = pf->can_fd,
		.brs = pf->can_brs,
		.pad = pf->can_pad,
		.block_size = pf->fc_block_size,
		.st_min = pf->fc_st_min,
		.n_cr = BF_MS(pf->n_cr_ms),
		.has_address = pf->can_addressing != BF_CAN_NORMAL,
		.tx_address = pf->can_target,
		.rx_address = pf->can_addressing == BF_CAN_MIXED ? pf->can_target : pf->can_source,
		.st_min_fixed = pf->tx_st_min >= 0,
		.tx_st_min = (uint8_t)(pf->tx_st_min < 0 ? 0 : pf->tx_st_min),
		.max_msg = UDS_MSG_MAX,
	};

	if (chosen) {
		opts.tx_id = (opts.tx_id & ~UINT32_C(0xFF00)) | node_of(u) << 8;
		opts.rx_id = (opts.rx_id & ~UINT32_C(0xFF)) | node_of(u);
	}
	return bf_isotp_open(u->proto.env.transport, &opts, &u->link, err);
}

/* Any answer at all proves a server. */
static enum bf_rc poll_server(struct uds *u, struct bf_err *err)
{
	static const uint8_t head[] = { UDS_TESTER_PRESENT, 0x00 };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.match = 1,
		.once = true,
		.patience = u->proto.env.hurry,
		.what = "say whether it is there",
	};
	enum bf_rc rc = bf_uds_ask(u, &ask, NULL, err);

	return rc && err->dev_refused ? BF_OK : rc;
}

static bool only_silence(enum bf_rc rc)
{
	return rc == BF_E_TIMEOUT || rc == BF_E_LINK;
}

/* Asks twice: the first question may wake a pack or be lost. */
static enum bf_rc seek(struct uds *u, bf_time deadline, struct bf_err *err)
{
	enum bf_rc rc = bf_uds_begin_line(u, err);

	if (!rc)
		rc = poll_server(u, err);
	if (only_silence(rc) && !u->proto.env.hurry && bf_now(uds_clock(u)) < deadline) {
		rc = bf_uds_begin_line(u, err);
		if (!rc)
			rc = poll_server(u, err);
	}
	return rc;
}

/* A bootloader that starts the application unless it hears its frame. */
static enum bf_rc seek_waking(struct uds *u, struct bf_err *err)
{
	const struct bf_wake *wake = &uds_profile(u)->wake;
	bf_time until = bf_in(uds_clock(u), BF_MS(wake->for_ms));
	enum bf_rc rc;

	if (!wake->frame[0])
		return poll_server(u, err);
	u->waking = true;
	u->next_wake = 0;
	do
		rc = poll_server(u, err);
	while (only_silence(rc) && bf_now(uds_clock(u)) < until);
	u->waking = false;
	return rc;
}

/* The bootloader may be there already, at identifiers and a rate of its own. */
static enum bf_rc seek_on_bus(struct uds *u, bf_time deadline, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	struct bf_err other;
	enum bf_rc rc = u->link ? BF_OK : open_bus(u, err);

	if (!rc)
		rc = u->proto.env.hurry ? seek_waking(u, err) : seek(u, deadline, err);
	if (!only_silence(rc) || !(pf->loader_tx || pf->wake.frame[0]))
		return rc;
	bf_err_init(&other);
	if (pf->loader_tx && (move_to(u, !u->at_loader, &other) || open_bus(u, &other)))
		return rc;
	if (!seek_waking(u, &other))
		return BF_OK;
	if (pf->loader_tx)
		(void)move_to(u, !u->at_loader, &other);
	return rc;
}

static enum bf_rc find_framing(struct uds *u, bf_time deadline, struct bf_err *err)
{
	static const enum bf_framing all[] = { BF_FRAMING_HDLC, BF_FRAMING_ISO14230 };
	enum bf_framing wanted = uds_profile(u)->framing;
	enum bf_rc rc = BF_E_TIMEOUT;

	for (size_t i = 0; i < BF_COUNT(all); i++) {
		if (wanted != BF_FRAMING_AUTO && wanted != all[i])
			continue;
		rc = open_stream(u, all[i], err);
		if (!rc)
			rc = seek(u, deadline, err);
		if (!only_silence(rc))
			return rc;
	}
	return rc;
}

static enum bf_rc nobody(struct uds *u, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	struct bf_transport *t = u->proto.env.transport;

	if (err->rc == BF_E_LINK) {
		err->rc = BF_E_NODEV;
		return err->rc;
	}
	if (t->ops->wire == BF_WIRE_BUS)
		bf_fail(err, BF_E_NODEV,
			"no UDS server answered on '%s' (request %03X, answer %03X)", t->name,
			pf->can_tx, pf->can_rx);
	else
		bf_fail(err, BF_E_NODEV, "no UDS server answered on '%s' (node %02X, %u baud)",
			t->name, node_of(u), u->rate);
	bf_likely(err, "the pack is asleep or has no power");
	bf_likely(err, t->ops->wire == BF_WIRE_BUS
			       ? "another bit rate, or other identifiers than the profile's"
			       : "another baud rate or node address than the profile's, or A and B "
				 "swapped");
	return err->rc;
}

static enum bf_rc find(struct uds *u, bf_time deadline, struct bf_err *err)
{
	enum bf_rc rc;

	if (u->proto.env.transport->ops->wire == BF_WIRE_STREAM) {
		rc = find_framing(u, deadline, err);
	} else {
		rc = seek_on_bus(u, deadline, err);
	}
	if (!rc)
		return BF_OK;
	close_links(u);
	return only_silence(rc) ? nobody(u, err) : rc;
}

enum bf_rc bf_uds_need_link(struct uds *u, struct bf_err *err)
{
	return u->link ? BF_OK : find(u, BF_NEVER, err);
}

enum bf_rc bf_uds_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct uds *u = uds_of(p);

	close_links(u);
	return find(u, deadline, err);
}

static void take_session(struct uds *u, uint8_t session, struct bf_cur *c)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	bf_time p2, p2_star;

	u->session = session;
	memset(u->accepted, 0, sizeof(u->accepted));
	/* Servers of the 2006 edition answer without the times. */
	if (!bf_uds_read_times(c, &p2, &p2_star))
		return;
	u->p2 = p2 > BF_MS(keys->p2_ms) ? p2 : BF_MS(keys->p2_ms);
	u->p2_star = p2_star > BF_MS(keys->p2_star_ms) ? p2_star : BF_MS(keys->p2_star_ms);
}

static enum bf_rc enter(struct uds *u, uint8_t session, const char *what,
			enum bf_retry_class rclass, struct bf_err *err)
{
	const uint8_t head[] = { UDS_SESSION, session };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.match = 1,
		.rclass = rclass,
		.what = what,
	};
	struct bf_cur c;
	enum bf_rc rc = bf_uds_ask(u, &ask, &c, err);

	if (!rc)
		take_session(u, session, &c);
	return rc;
}

/* Refusals and silence are no obstacle here: the step that needs the session will say what is wrong. */
static enum bf_rc enter_extended(struct uds *u, struct bf_err *err)
{
	const uint8_t head[] = { UDS_SESSION, uds_keys(u)->session_extended };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.match = 1,
		.functional = BF_FUNCTIONAL_SESSION,
		.rclass = BF_RETRY_IDEMPOTENT,
		.what = "open the extended session",
	};
	enum uds_knows knows = UDS_NOT_ASKED;
	struct bf_cur c;
	enum bf_rc rc = bf_uds_try(u, &ask, &c, &knows, err);

	if (!rc && knows == UDS_KNOWS)
		take_session(u, head[1], &c);
	return rc;
}

/* Faults and normal traffic off while programming; many loaders know neither. */
static enum bf_rc quieten(struct uds *u, struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	static const uint8_t dtc_off[] = { UDS_DTC_SETTING, 0x02 };
	const uint8_t comm_off[] = { UDS_COMM_CONTROL, 0x03, keys->communication };
	const struct {
		bool wanted;
		struct uds_ask ask;
	} rows[] = {
		{ keys->dtc_setting,
		  { .head = dtc_off,
		    .head_len = sizeof(dtc_off),
		    .match = 1,
		    .functional = BF_FUNCTIONAL_DTC,
		    .what = "stop recording faults" } },
		{ keys->communication,
		  { .head = comm_off,
		    .head_len = sizeof(comm_off),
		    .match = 1,
		    .functional = BF_FUNCTIONAL_MESSAGES,
		    .what = "stop its normal messages" } },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		enum bf_rc rc =
			rows[i].wanted ? bf_uds_try(u, &rows[i].ask, NULL, NULL, err) : BF_OK;

		if (rc)
			return rc;
	}
	return BF_OK;
}

/* Sessions on the way to the one for programming, which is the last. */
static enum bf_rc enter_before(struct uds *u, struct bf_err *err)
{
	const struct bf_codes *list = &uds_keys(u)->enter;
	enum bf_rc rc = BF_OK;

	if (!list->n)
		return enter_extended(u, err);
	for (size_t i = 0; i + 1 < list->n && !rc; i++)
		rc = list->code[i] == uds_keys(u)->session_extended
			     ? enter_extended(u, err)
			     : enter(u, list->code[i],
				     "open a session before the programming session",
				     BF_RETRY_IDEMPOTENT, err);
	return rc;
}

/* What was learned of the one that answered does not hold for the one that comes. */
static void note_restart(struct uds *u)
{
	u->restarted_at = bf_now(uds_clock(u));
	u->turnaround = 0;
	u->turnarounds = 0;
}

static uint8_t programming_session(const struct uds *u)
{
	const struct bf_codes *list = &uds_keys(u)->enter;

	return list->n ? list->code[list->n - 1] : uds_keys(u)->session_programming;
}

/* A pack with one bank may restart into its bootloader, without a word or after it has answered. */
static enum bf_rc follow_into_loader(struct uds *u, struct bf_err *err)
{
	static const char what[] = "open the programming session of its bootloader";
	const struct bf_profile *pf = uds_profile(u);
	enum bf_rc rc;

	bf_uds_alive(u, "restart into its loader");
	note_restart(u);
	u->silence_seen = true;
	u->session = UDS_SESSION_DEFAULT;
	rc = move_to(u, true, err);
	if (!rc && !u->link)
		rc = open_bus(u, err);
	u->waking = true;
	u->next_wake = 0;
	if (!rc)
		rc = bf_uds_await(&u->proto, bf_in(uds_clock(u), BF_MS(pf->restart_ms)), err);
	u->waking = false;
	if (!rc)
		rc = enter_before(u, err);
	return rc ? rc : enter(u, programming_session(u), what, BF_RETRY_IDEMPOTENT, err);
}

static enum bf_rc enter_programming(struct uds *u, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	bool moves = (pf->loader_tx || pf->loader_rate) && !u->at_loader &&
		     u->proto.env.transport->ops->wire == BF_WIRE_BUS;
	enum bf_rc rc = enter(u, programming_session(u), "open the programming session",
			      BF_RETRY_DESTRUCTIVE, err);

	if (!only_silence(rc) && !(moves && !rc))
		return rc;
	return follow_into_loader(u, err);
}

/* The maker's own requests to the application. Where they were answered before, or where nobody knows who answers, it
 * may be the bootloader, which knows none of them. */
static enum bf_rc prepare(struct uds *u, struct bf_err *err)
{
	enum bf_rc rc = bf_uds_steps(u, BF_STEP_BEFORE_PROGRAMMING, NULL, err);

	if (!rc || (u->talks == BF_TALKS_APPLICATION && !u->prepared) || !bf_uds_lacks(err))
		return rc;
	bf_err_init(err);
	return BF_OK;
}

/* All that an application wants before it is asked for the programming session. */
static enum bf_rc make_ready(struct uds *u, struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	enum bf_rc rc = enter_before(u, err);

	if (!rc)
		rc = quieten(u, err);
	if (!rc && keys->security_extended && keys->security_level)
		rc = bf_uds_unlock(u, keys->security_level, err);
	if (!rc && !u->at_loader && u->talks != BF_TALKS_LOADER)
		rc = prepare(u, err);
	return rc;
}

static enum bf_rc connect_to_write(struct uds *u, struct bf_err *err)
{
	enum bf_rc rc = make_ready(u, err);

	if (!rc)
		rc = enter_programming(u, err);
	u->prepared = u->prepared || !rc;
	return rc;
}

/* The bootloader is of another family: the request that leads into it is the last one that this server hears, whether it
 * answers or not. */
enum bf_rc bf_uds_to_loader(struct bf_proto *p, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	enum bf_rc rc = bf_uds_need_link(u, err);

	if (!rc)
		rc = make_ready(u, err);
	if (!rc) {
		rc = enter(u, programming_session(u), "go to its bootloader", BF_RETRY_DESTRUCTIVE,
			   err);
		if (only_silence(rc)) {
			bf_err_init(err);
			rc = BF_OK;
		}
	}
	if (rc)
		return bf_while(err, "asking the application for its bootloader");
	note_restart(u);
	u->silence_seen = true;
	u->session = UDS_SESSION_DEFAULT;
	u->unlocked = u->prepared = false;
	return BF_OK;
}

enum bf_rc bf_uds_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	const struct bf_uds_profile *keys = uds_keys(u);
	bool first_extended =
		!keys->enter.n || memchr(keys->enter.code, keys->session_extended, keys->enter.n);
	enum bf_rc rc = bf_uds_need_link(u, err);

	u->fingerprinted = u->unlocked = u->driver_loaded = false;
	memset(u->accepted, 0, sizeof(u->accepted));
	u->transfer = UDS_IDLE;
	u->block_len = 0;
	u->reading = entry == BF_ENTRY_READ;
	/* A K-line that was silent, or lost a message, may have to be woken again. */
	if (!rc && (u->strays || bf_now(uds_clock(u)) - u->last_heard > LINE_ASLEEP)) {
		rc = bf_uds_begin_line(u, err);
		rc = only_silence(rc) ? BF_OK : rc;
	}
	if (rc)
		return rc;
	if (entry == BF_ENTRY_WRITE)
		return connect_to_write(u, err);
	if (entry == BF_ENTRY_READ && keys->read_programming) {
		rc = connect_to_write(u, err);
		return rc ? rc : bf_uds_authenticate(p, err);
	}
	return first_extended ? enter_extended(u, err) : BF_OK;
}

enum bf_rc bf_uds_ping(struct bf_proto *p, struct bf_err *err)
{
	static const uint8_t head[] = { UDS_TESTER_PRESENT, 0x00 };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.match = 1,
		.once = true, /* a link test counts losses, it does not hide them */
		.what = "answer a link test",
	};

	return bf_uds_ask(uds_of(p), &ask, NULL, err);
}

/* P3 of the client, ISO 14229-2, for servers that are quicker than P2 allows. A task that runs in a fixed cycle answers
 * after half a cycle on average: twice the mean is a whole one. */
#define PRESENT_GAP     BF_MS(10)
#define PRESENT_GAP_MIN BF_MS(1)

static bf_time present_gap(const struct uds *u)
{
	bf_time gap = 2 * bf_uds_turnaround(u);

	if (gap == 0 || gap > PRESENT_GAP)
		return PRESENT_GAP;
	return gap > PRESENT_GAP_MIN ? gap : PRESENT_GAP_MIN;
}

/* Any request keeps the session of a server of bmsflash-uds(7); of others nobody knows. */
static bf_time last_kept(const struct uds *u)
{
	bool any_request = u->ours && !u->narrow_s3;

	return any_request && u->last_sent > u->last_present ? u->last_sent : u->last_present;
}

/* Some servers heed nothing else: 3E 80 goes out between blocks, too. */
enum bf_rc bf_uds_present(struct uds *u, struct bf_err *err)
{
	static const uint8_t head[] = { UDS_TESTER_PRESENT, UDS_SUPPRESS };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.functional = BF_FUNCTIONAL_PRESENT,
		.what = "keep the session open",
	};
	enum bf_rc rc;

	bf_uds_tick(u);
	if (!u->link || u->session == UDS_SESSION_DEFAULT || u->block_len ||
	    bf_now(uds_clock(u)) - last_kept(u) < KEEPALIVE_AFTER)
		return BF_OK;
	rc = bf_uds_send(u, &ask, err);
	/* Nobody answers: a server with one buffer must have taken it before the next request comes. */
	if (!rc && !bf_clock_until(uds_clock(u), bf_in(uds_clock(u), present_gap(u))))
		rc = bf_fail(err, BF_E_INTERRUPTED, "stopped");
	u->last_present = bf_now(uds_clock(u));
	return rc ? bf_while(err, "keeping the session open") : BF_OK;
}

enum bf_rc bf_uds_keepalive(struct bf_proto *p, struct bf_err *err)
{
	return bf_uds_present(uds_of(p), err);
}

/* Its bootloader may answer for a moment on the way: that is not asked before the application had its time. */
static enum bf_rc back_to_application(struct uds *u, struct bf_err *err)
{
	enum bf_rc rc = move_to(u, false, err);

	if (rc || u->link || u->proto.env.transport->ops->wire != BF_WIRE_BUS)
		return rc;
	return open_bus(u, err);
}

/* It did not come: does the bootloader answer, at its own identifiers? */
static bool stays_in_loader(struct uds *u)
{
	struct bf_err quiet;

	bf_err_init(&quiet);
	if (!uds_profile(u)->loader_tx || u->at_loader || move_to(u, true, &quiet) ||
	    open_bus(u, &quiet))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (!poll_server(u, &quiet))
			return true;
	}
	(void)back_to_application(u, &quiet);
	return false;
}

static enum bf_rc ask_restart(struct uds *u, struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	uint8_t head[8];
	struct bf_out o = bf_out(head, sizeof(head));
	struct uds_ask ask = {
		.head = head,
		.rclass = BF_RETRY_DESTRUCTIVE,
		.limit = RESET_PENDING,
		.what = "restart",
	};

	if (strcmp(keys->reset, "none") == 0)
		return BF_OK;
	bf_uds_fill(u, keys->reset, NULL, &o);
	ask.head_len = o.len;
	ask.match = o.len > 1 ? 1 : 0;
	if (!keys->reset_suppress)
		return bf_uds_ask(u, &ask, NULL, err);
	if (o.len > 1)
		head[1] |= UDS_SUPPRESS;
	if (bf_uds_need_link(u, err) || bf_uds_send(u, &ask, err))
		return err->rc;
	return BF_E_TIMEOUT; /* as from a server that goes without a word */
}

enum bf_rc bf_uds_restart(struct bf_proto *p, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	enum bf_rc rc = BF_OK;

	if (u->wrote && !u->after_write_ran) {
		rc = bf_uds_steps(u, BF_STEP_AFTER_WRITE, NULL, err);
		u->after_write_ran = !rc;
	}
	if (rc)
		return rc;
	rc = ask_restart(u, err);
	/* It may go before its answer is out; whether it went is for await to see. */
	if (rc && !only_silence(rc))
		return rc;
	u->silence_seen = rc != BF_OK || strcmp(uds_keys(u)->reset, "none") == 0;
	note_restart(u);
	u->session_before = u->session;
	u->unlocked = u->driver_loaded = u->prepared = false;
	u->talks = BF_TALKS_UNKNOWN;
	u->session = UDS_SESSION_DEFAULT;
	u->transfer = UDS_IDLE;
	u->block_len = 0;
	u->p2 = BF_MS(uds_keys(u)->p2_ms);
	u->p2_star = BF_MS(uds_keys(u)->p2_star_ms);
	return back_to_application(u, err);
}

/* The session falls back to the default one when the server really restarted. One that does not tell its session
 * is only asked whether it is there. */
static enum bf_rc ask_restarted(struct uds *u, bool *ret, struct bf_err *err)
{
	uint16_t did = uds_keys(u)->did_session;
	const uint8_t head[] = { UDS_READ_DID, (uint8_t)(did >> 8), (uint8_t)did };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.match = 2,
		.min_len = 4,
		.once = true,
		.what = "tell its session",
	};
	bool long_ago = bf_now(uds_clock(u)) - u->restarted_at > RESTART_SEEN;
	bool tells = did && u->session_did != UDS_SILENT;
	struct bf_cur c;
	enum bf_rc rc = tells ? bf_uds_ask(u, &ask, &c, err) : bf_uds_ping(&u->proto, err);

	*ret = u->silence_seen || long_ago;
	if (only_silence(rc) || rc == BF_E_NODEV)
		u->silence_seen = true;
	if (rc || !tells)
		return rc;
	if (bf_cur_u8(&c) != u->session_before || u->session_before == UDS_SESSION_DEFAULT)
		*ret = true;
	return BF_OK;
}

static enum bf_rc after_restart(struct uds *u, size_t n, struct bf_err *err)
{
	bool checks = uds_keys(u)->check_when == BF_CHECK_WHEN_RESTART;
	enum bf_rc rc = BF_OK;

	for (size_t i = 0; checks && !rc && i < n; i++)
		rc = bf_uds_check_segment(u, &u->written[i], err);
	if (!rc && n && checks)
		u->proto.checked |= BF_CHECKED_MEMORY;
	return rc ? rc : bf_uds_steps(u, BF_STEP_AFTER_RESTART, NULL, err);
}

/* New firmware is back: what the profile asks of it before it counts. */
static enum bf_rc came_back(struct uds *u, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	const struct bf_uds_profile *keys = uds_keys(u);
	bool asks = keys->check_when == BF_CHECK_WHEN_RESTART && u->n_written;
	size_t n = u->n_written;
	enum bf_rc rc = BF_OK;

	for (size_t i = 0; i < pf->n_steps; i++)
		asks = asks || pf->steps[i].when == BF_STEP_AFTER_RESTART;
	if (!u->wrote || !asks)
		return BF_OK;
	u->wrote = u->after_write_ran = false;
	u->n_written = 0;
	rc = enter_extended(u, err);
	if (!rc && keys->security_extended && keys->security_level)
		rc = bf_uds_unlock(u, keys->security_level, err);
	if (!rc)
		rc = after_restart(u, n, err);
	/* Some want to know again who asks. */
	if (rc && bf_uds_refused(err, UDS_NRC_SECURITY) && keys->security_level &&
	    !keys->security_extended) {
		bf_err_init(err);
		rc = bf_uds_unlock(u, keys->security_level, err);
		if (!rc)
			rc = after_restart(u, n, err);
	}
	return rc;
}

/* From one question to the next, with the frames that have to go out meanwhile. */
static enum bf_rc pause_polling(struct uds *u, bf_time asked, struct bf_err *err)
{
	bf_time until = asked + POLL_PACE;
	struct bf_err quiet;

	while (bf_now(uds_clock(u)) < until) {
		bf_time next = bf_uds_next_tick(u);

		if (!bf_clock_until(uds_clock(u), next < until ? next : until))
			return bf_fail(err, BF_E_INTERRUPTED,
				       "stopped while the pack was restarting");
		bf_uds_tick(u);
	}
	bf_err_init(&quiet);
	if (u->link)
		(void)bf_uds_begin_line(u, &quiet);
	return BF_OK;
}

enum bf_rc bf_uds_await(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	bool back;
	enum bf_rc rc = bf_uds_need_link(u, err);

	while (!rc || only_silence(rc) || rc == BF_E_NODEV) {
		bf_time asked = bf_now(uds_clock(u));

		rc = ask_restarted(u, &back, err);
		if (rc && err->dev_refused)
			rc = BF_OK; /* it has no F186; that it answers must do */
		if (!rc && back) {
			u->strays = 0;
			u->link->ops->flush(u->link);
			return came_back(u, err);
		}
		if (bf_now(uds_clock(u)) >= deadline) {
			if (rc && stays_in_loader(u))
				return BF_OK;
			bf_fail(err, BF_E_NODEV,
				rc ? "the pack did not answer again after its restart"
				   : "the pack answers, but did not restart");
			bf_likely(err,
				  "it needs longer, or stays in a loader that speaks something "
				  "else");
			return err->rc;
		}
		bf_uds_alive(u, "restart");
		if (pause_polling(u, asked, err))
			return err->rc;
	}
	return rc;
}

void bf_uds_leave(struct bf_proto *p)
{
	struct uds *u = uds_of(p);
	struct bf_err quiet;

	if (!u->link || u->session == UDS_SESSION_DEFAULT)
		return;
	bf_err_init(&quiet);
	bf_uds_abandon(p);
	bf_clock_hold(uds_clock(u));
	enter(u, UDS_SESSION_DEFAULT, "close the session", BF_RETRY_DESTRUCTIVE, &quiet);
	bf_clock_release(uds_clock(u));
	u->session = UDS_SESSION_DEFAULT;
	(void)back_to_application(u, &quiet);
}
