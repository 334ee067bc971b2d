/* SPDX-License-Identifier: MIT */
/*
 * One request and its answer. This file alone knows about time-outs, "response pending", "busy",
 * repeats by class, and answers that come late or twice.
 */
#include "uds.h"

#include <stdio.h>

/* What adapters, drivers and schedulers add to a server's P2. */
#define SLACK BF_MS(50)
/* How long and how often "busy, repeat request" is obeyed. */
#define BUSY_PACE  BF_MS(100)
#define BUSY_LIMIT BF_SEC(10)

static const uint8_t tester_present[] = { UDS_TESTER_PRESENT, 0x00 };

void bf_uds_alive(struct uds *u, const char *what)
{
	const struct bf_proto_env *env = &u->proto.env;
	char text[96];

	if (!env->alive)
		return;
	snprintf(text, sizeof(text), "waiting for the pack to %s", what);
	env->alive(env->alive_ctx, text);
}

bool bf_uds_refused(const struct bf_err *err, unsigned nrc)
{
	return err->dev_refused && err->dev_code == nrc;
}

bool bf_uds_lacks(const struct bf_err *err)
{
	return err->dev_refused && bf_uds_absent(err->dev_code);
}

static enum bf_rc rc_of(uint8_t nrc)
{
	if (nrc >= UDS_NRC_CERTIFICATE && nrc <= UDS_NRC_DEAUTHENTICATE)
		return BF_E_AUTH;
	switch (nrc) {
	case UDS_NRC_NO_SERVICE:
	case UDS_NRC_NO_SUBFUNCTION:
		return BF_E_UNSUPPORTED;
	case UDS_NRC_SECURITY:
	case UDS_NRC_AUTHENTICATION:
	case UDS_NRC_INVALID_KEY:
	case UDS_NRC_ATTEMPTS:
	case UDS_NRC_DELAY:
		return BF_E_AUTH;
	}
	return BF_E_NAK;
}

/* The refusals that a server which lost our session gives; others give them for other reasons. */
static bool may_have_forgotten(const struct uds *u, uint8_t sid, unsigned nrc)
{
	if (u->session <= UDS_SESSION_DEFAULT || sid == UDS_SESSION)
		return false;
	switch (nrc) {
	case UDS_NRC_SERVICE_SESSION:
	case UDS_NRC_SUBFUNCTION_SESSION:
		return true;
	case UDS_NRC_SECURITY:
	case UDS_NRC_AUTHENTICATION:
		return u->unlocked && sid != UDS_SECURITY && sid != UDS_AUTHENTICATION;
	}
	return false;
}

static void note_accepted(struct uds *u, uint8_t sid)
{
	u->accepted[sid >> 3] |= (uint8_t)(1u << (sid & 7));
	/* An open transfer takes its blocks and its end. */
	if (sid == UDS_DOWNLOAD || sid == UDS_UPLOAD) {
		note_accepted(u, UDS_TRANSFER);
		note_accepted(u, UDS_TRANSFER_EXIT);
	}
}

static bool was_accepted(const struct uds *u, uint8_t sid)
{
	return u->accepted[sid >> 3] & 1u << (sid & 7);
}

static enum bf_rc refused(const struct uds *u, const struct uds_ask *ask, uint8_t nrc,
			  struct bf_err *err)
{
	const struct bf_refusal *row = bf_uds_refusals;

	while (row->name && row->code != nrc)
		row++;
	bf_fail_dev(err, rc_of(nrc), nrc, row->name ? row->name : "unknown",
		    "the pack refused to %s: %s (7F %02X %02X %s)", ask->what,
		    row->name ? row->text : "with a code that no standard defines", ask->head[0],
		    nrc, row->name ? row->name : "unknown");
	if (nrc == UDS_NRC_SECURITY && u->no_level)
		bf_likely(err, "the pack has service 27, but not at level 1: name its level in the "
			       "profile "
			       "(security-level in [uds])");
	if (row->name && row->next[0])
		bf_do(err, "%s", row->next);
	return err->rc;
}

/* How long a message of n bytes is on the wire at most, stuffing and framing included. */
static bf_time wire_time(const struct uds *u, size_t n)
{
	bool stream = u->proto.env.transport->ops->wire == BF_WIRE_STREAM;

	if (!u->rate)
		return 0;
	if (stream)
		return (bf_time)((2 * n + 16) * 11 * 1000000 / u->rate);
	/* ISO-TP has paced itself; what can be left is the interface's own queue. */
	return (bf_time)(16u * 160u * UINT64_C(1000000) / u->rate);
}

static enum bf_rc build(struct uds *u, const struct uds_ask *ask, struct bf_err *err)
{
	struct bf_out o = bf_out(u->tx, sizeof(u->tx));

	bf_out_bytes(&o, ask->head, ask->head_len);
	bf_out_bytes(&o, ask->tail, ask->tail_len);
	if (o.failed || o.len > u->link->max_msg)
		return bf_fail(err, BF_E_INTERNAL,
			       "a request of %zu bytes does not fit the link's %zu",
			       ask->head_len + ask->tail_len, u->link->max_msg);
	u->tx_len = o.len;
	u->asked_at = bf_now(uds_clock(u));
	u->ask_until = u->asked_at + (ask->limit ? ask->limit : BF_SEC(uds_keys(u)->limit_s));
	u->pendings = 0;
	u->gave_up = false;
	return BF_OK;
}

/* To all nodes, for the requests of which the profile says so; single frames, so that no flow control comes
 * into it. */
static struct bf_link *link_for(struct uds *u, const struct uds_ask *ask)
{
	const struct bf_profile *pf = uds_profile(u);
	const struct bf_uds_profile *keys = uds_keys(u);
	struct bf_isotp_opts opts = {
		.tx_id = pf->can_func,
		.rx_id = pf->can_rx,
		.ext = pf->can_ext,
		.fd = pf->can_fd,
		.brs = pf->can_brs,
		.pad = pf->can_pad,
		.has_address = pf->can_addressing != BF_CAN_NORMAL,
		.tx_address = pf->can_addressing == BF_CAN_MIXED ? pf->can_target : 0xDF,
		.rx_address = pf->can_source,
	};
	struct bf_err quiet;

	if (!(ask->functional & (keys->functional | UDS_FUNCTIONAL)) ||
	    u->proto.env.transport->ops->wire != BF_WIRE_BUS)
		return u->link;
	bf_err_init(&quiet);
	if (!u->functional && bf_isotp_open(u->proto.env.transport, &opts, &u->functional, &quiet))
		return u->link;
	return u->functional;
}

static bool is_functional(const struct uds *u, const struct uds_ask *ask)
{
	return u->functional && (ask->functional & (uds_keys(u)->functional | UDS_FUNCTIONAL));
}

static enum bf_rc resend(struct uds *u, const struct uds_ask *ask, struct bf_err *err)
{
	struct bf_transport *t = u->proto.env.transport;
	bf_time deadline = bf_in(t->clock, BF_SEC(1) + wire_time(u, u->tx_len));
	struct bf_link *link = link_for(u, ask);
	enum bf_rc rc;

	bf_uds_tick(u);
	if (ask->secret)
		bf_trace_mute(t, true);
	rc = link->ops->send(link, u->tx, u->tx_len, deadline, err);
	if (ask->secret)
		bf_trace_mute(t, false);
	u->last_sent = bf_now(t->clock);
	if (u->tx[0] == UDS_SESSION || u->tx[0] == UDS_TESTER_PRESENT)
		u->last_present = u->last_sent;
	return rc;
}

enum bf_rc bf_uds_send(struct uds *u, const struct uds_ask *ask, struct bf_err *err)
{
	enum bf_rc rc = build(u, ask, err);

	return rc ? rc : resend(u, ask, err);
}

#define TURNAROUNDS     8 /* the mean moves over so many */
#define TURNAROUNDS_MIN 4

/* The least that a request and its answer take on the wire: what is left of the time is the server's. */
static bf_time least_wire_time(const struct uds *u)
{
	bool stream = u->proto.env.transport->ops->wire == BF_WIRE_STREAM;
	size_t bits = stream ? 10 * (u->tx_len + u->rx_len) : 2 * 8 * (u->tx_len + u->rx_len);

	return u->rate ? (bf_time)(bits * UINT64_C(1000000) / u->rate) : 0;
}

static void note_turnaround(struct uds *u)
{
	bf_time took = bf_now(uds_clock(u)) - u->last_sent - least_wire_time(u);
	bool is_short = u->tx[0] == UDS_SESSION || u->tx[0] == UDS_READ_DID ||
			u->tx[0] == UDS_TESTER_PRESENT;

	if (!is_short || u->pendings)
		return;
	if (u->turnarounds < TURNAROUNDS)
		u->turnarounds++;
	took = took > 0 ? took : 0;
	u->turnaround += (took - u->turnaround) / (bf_time)u->turnarounds;
}

bf_time bf_uds_turnaround(const struct uds *u)
{
	return u->turnarounds < TURNAROUNDS_MIN ? 0 : u->turnaround;
}

static bf_time earlier(bf_time a, bf_time b)
{
	return a < b ? a : b;
}

/* How long a server may go on saying that it is still working is for us to say, not for it. */
static enum bf_rc pending_for_ever(struct uds *u, const struct uds_ask *ask, struct bf_err *err)
{
	u->gave_up = true;
	bf_fail(err, BF_E_TIMEOUT,
		"the pack said %u times in %.0f s that its answer to the request to %s is pending, "
		"and "
		"never gave it",
		u->pendings, (double)(bf_now(uds_clock(u)) - u->asked_at) / 1e6, ask->what);
	bf_likely(err, "the pack hangs in that operation: its flash or its supply is faulty");
	bf_likely(err, "it needs longer than the profile gives it (erase-limit-s, check-limit-s, "
		       "block-limit-s, answer-limit-s in [uds])");
	return err->rc;
}

static bf_time pending_deadline(struct uds *u, const struct uds_ask *ask)
{
	u->pendings++;
	u->proto.env.retry->pending++;
	bf_uds_alive(u, ask->what);
	return bf_in(uds_clock(u), u->p2_star + SLACK);
}

enum bf_rc bf_uds_collect(struct uds *u, const struct uds_ask *ask, struct bf_cur *ret,
			  struct bf_err *err)
{
	size_t min_len = ask->min_len ? ask->min_len : 1 + ask->match;
	bf_time patience = ask->patience ? ask->patience : u->p2 + SLACK;
	bf_time deadline = bf_in(uds_clock(u), patience + wire_time(u, u->tx_len));
	bf_time until;
	uint8_t nrc = 0;
	enum bf_rc rc;

	for (;;) {
		if (u->pendings && bf_now(uds_clock(u)) >= u->ask_until)
			return pending_for_ever(u, ask, err);
		bf_uds_tick(u);
		until = earlier(deadline, u->ask_until);
		rc = u->link->ops->recv(u->link, u->rx, sizeof(u->rx), &u->rx_len,
					earlier(until, bf_uds_next_tick(u)), err);
		if (rc == BF_E_TIMEOUT && bf_now(uds_clock(u)) < until)
			continue; /* a periodic frame is due */
		if (rc == BF_E_TIMEOUT && u->pendings && bf_now(uds_clock(u)) >= u->ask_until)
			return pending_for_ever(u, ask, err);
		if (rc)
			return rc;
		u->last_heard = bf_now(uds_clock(u));
		switch (bf_uds_classify(u->rx, u->rx_len, u->tx, ask->match, min_len, &nrc)) {
		case UDS_ANSWER_POSITIVE:
			if (ret)
				*ret = bf_cur(u->rx, u->rx_len);
			if (ret)
				bf_cur_seek(ret, 1 + ask->match);
			note_accepted(u, u->tx[0]);
			note_turnaround(u);
			return BF_OK;
		case UDS_ANSWER_OTHER:
			bf_log(u->proto.env.log, BF_LOG_DEBUG,
			       "uds: dropped an answer %02X to an earlier request", u->rx[0]);
			break;
		case UDS_ANSWER_DAMAGED:
			return bf_fail(err, BF_E_LINK,
				       "the answer to the request to %s is malformed: %zu bytes, "
				       "first %02X",
				       ask->what, u->rx_len, u->rx_len ? u->rx[0] : 0);
		case UDS_ANSWER_NEGATIVE:
			if (nrc != UDS_NRC_PENDING)
				return refused(u, ask, nrc, err);
			deadline = pending_deadline(u, ask);
			break;
		}
	}
}

/* "Busy": the server has done nothing, so that every class may be sent again. */
static bool wait_busy(struct uds *u, const struct uds_ask *ask, bf_time limit)
{
	u->proto.env.retry->busy++;
	if (bf_now(uds_clock(u)) >= limit)
		return false;
	bf_uds_alive(u, ask->what);
	return bf_clock_until(uds_clock(u), bf_in(uds_clock(u), BUSY_PACE));
}

/*
 * A message of many frames is as good as its worst one. Where long ones fail, the transfers that follow
 * are cut shorter, down to a few frames; where they get through again, longer.
 */
#define SAFE_MIN   66
#define SAFE_AFTER 16

static void note_length(struct uds *u, const struct uds_ask *ask, bool through)
{
	size_t n = u->tx_len > ask->expect ? u->tx_len : ask->expect;

	if (n < SAFE_MIN)
		return;
	if (!through) {
		u->safe_len = (n < u->safe_len ? n : u->safe_len) / 2;
		u->safe_len = u->safe_len > SAFE_MIN ? u->safe_len : SAFE_MIN;
		u->safe_runs = 0;
	} else if (n >= u->safe_len / 4 * 3 && ++u->safe_runs >= SAFE_AFTER) {
		u->safe_len = u->safe_len < UDS_MSG_MAX / 2 ? u->safe_len * 2 : UDS_MSG_MAX;
		u->safe_runs = 0;
	}
}

static bool again(struct uds *u, const struct uds_ask *ask, unsigned attempt, bf_time began,
		  enum bf_rc rc)
{
	struct bf_retry *retry = u->proto.env.retry;

	if (rc != BF_E_TIMEOUT && rc != BF_E_LINK)
		return false;
	u->strays++;
	note_length(u, ask, false);
	/* All the time that one request has is over, whatever filled it. */
	if (bf_now(uds_clock(u)) >= u->ask_until)
		u->gave_up = true;
	if (ask->once || u->gave_up || (rc == BF_E_TIMEOUT && is_functional(u, ask)))
		return false;
	if (ask->tries && attempt >= ask->tries) {
		retry->timeouts++;
		retry->lost_us += bf_now(uds_clock(u)) - began;
		return false;
	}
	if (!bf_retry_again(retry, uds_clock(u), ask->rclass, attempt, rc)) {
		retry->lost_us += bf_now(uds_clock(u)) - began;
		return false;
	}
	retry->lost_us += bf_now(uds_clock(u)) - began;
	return true;
}

enum bf_rc bf_uds_finish(struct uds *u, const struct uds_ask *ask, enum bf_rc sent,
			 struct bf_cur *ret, struct bf_err *err)
{
	bf_time began = bf_now(uds_clock(u));
	bf_time busy_limit = began + BUSY_LIMIT;
	unsigned attempt = 1;
	bool failed_once = false;
	enum bf_rc rc = sent;

	for (;;) {
		if (!rc)
			rc = bf_uds_collect(u, ask, ret, err);
		if (!rc) {
			note_length(u, ask, true);
			if (err->rc) /* of an attempt that was repeated: success leaves nothing behind */
				bf_err_init(err);
			return BF_OK;
		}
		/* Flash that could not be programmed is given one more chance. */
		if (bf_uds_refused(err, UDS_NRC_PROGRAMMING) && !failed_once) {
			failed_once = true;
		} else if (!bf_uds_refused(err, UDS_NRC_BUSY)) {
			if (!again(u, ask, attempt++, began, rc))
				break;
		} else if (!wait_busy(u, ask, busy_limit)) {
			break;
		}
		began = bf_now(uds_clock(u));
		rc = resend(u, ask, err);
	}
	if (uds_clock(u)->cancelled && !uds_clock(u)->held && rc != BF_E_INTERRUPTED)
		bf_fail(err, BF_E_INTERRUPTED, "stopped before the pack answered");
	return bf_while(err, "asking the pack to %s", ask->what);
}

/*
 * Answers that were given up on may still come, and an answer to an earlier request of the same kind
 * (the hash of another range) looks like one to this. The server answers in order: once it has answered
 * a harmless question, nothing older can follow.
 */
static void fence(struct uds *u)
{
	const struct uds_ask ask = {
		.head = tester_present,
		.head_len = sizeof(tester_present),
		.match = 1,
		.once = true,
		.what = "answer before the next request",
	};
	struct bf_err quiet;
	enum bf_rc rc;

	bf_err_init(&quiet);
	u->link->ops->flush(u->link);
	rc = bf_uds_send(u, &ask, &quiet);
	if (!rc)
		rc = bf_uds_collect(u, &ask, NULL, &quiet);
	if (!rc || quiet.dev_refused)
		u->strays = 0;
}

static enum bf_rc ask_once(struct uds *u, const struct uds_ask *ask, struct bf_cur *ret,
			   struct bf_err *err)
{
	enum bf_rc rc = build(u, ask, err);

	if (rc)
		return rc;
	if (!ask->once)
		u->proto.env.retry->requests[ask->rclass]++;
	return bf_uds_finish(u, ask, resend(u, ask, err), ret, err);
}

/* The server refused for want of our session and has done nothing: with the session back it may be asked
 * again, whatever was asked. */
static enum bf_rc reenter(struct uds *u, const struct uds_ask *ask)
{
	bool writing = u->session == uds_keys(u)->session_programming;
	bool unlocked = u->unlocked;
	struct bf_err quiet;
	enum bf_rc rc;

	bf_err_init(&quiet);
	bf_log(u->proto.env.log, BF_LOG_INFO, "uds: the pack lost the session; it is opened again");
	u->reentering = true;
	rc = bf_uds_connect(&u->proto, writing ? BF_ENTRY_WRITE : BF_ENTRY_READ, &quiet);
	if (!rc && unlocked)
		rc = bf_uds_authenticate(&u->proto, &quiet);
	u->reentering = false;
	if (rc)
		return rc;
	u->proto.env.retry->reopened++;
	bf_uds_alive(u, ask->what);
	return BF_OK;
}

/* F186: UDS_KNOWS and the session, or how it does not tell. */
static enum uds_knows active_session(struct uds *u, uint8_t *ret)
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
	struct bf_err quiet;
	struct bf_cur c;

	if (!did || u->session_did == UDS_SILENT || u->session_did == UDS_REFUSES)
		return UDS_REFUSES;
	for (int i = 0; i < 2; i++) {
		bf_err_init(&quiet);
		if (!ask_once(u, &ask, &c, &quiet)) {
			*ret = bf_cur_u8(&c);
			return UDS_KNOWS;
		}
		if (quiet.dev_refused)
			return UDS_REFUSES;
	}
	return UDS_SILENT;
}

void bf_uds_settle(struct uds *u, const struct uds_ask *ask, struct bf_err *err)
{
	uint8_t sid = ask->head[0], session = 0;
	bool before = was_accepted(u, sid);
	bool of_session =
		err->dev_code != UDS_NRC_SECURITY && err->dev_code != UDS_NRC_AUTHENTICATION;

	if (!err->dev_refused || !may_have_forgotten(u, sid, err->dev_code))
		return;
	err->dev_forgot =
		active_session(u, &session) == UDS_KNOWS && (session != u->session || of_session)
			? session != u->session
			: before;
	u->narrow_s3 = u->narrow_s3 || err->dev_forgot;
}

static enum bf_rc exchange(struct uds *u, const struct uds_ask *ask, struct bf_cur *ret,
			   struct bf_err *err)
{
	enum bf_rc rc = ask_once(u, ask, ret, err);

	/* Nobody has to answer what goes to everybody. */
	if (rc == BF_E_TIMEOUT && is_functional(u, ask)) {
		u->strays = 0;
		u->rx_len = 0;
		if (ret)
			*ret = bf_cur(NULL, 0);
		bf_err_init(err);
		return BF_OK;
	}
	if (rc)
		bf_uds_settle(u, ask, err);
	return rc;
}

enum bf_rc bf_uds_ask(struct uds *u, const struct uds_ask *ask, struct bf_cur *ret,
		      struct bf_err *err)
{
	enum bf_rc rc = bf_uds_need_link(u, err);

	if (rc)
		return rc;
	/* u->tx holds the block that is out, for its repetition. */
	if (u->block_len)
		return bf_fail(err, BF_E_INTERNAL, "asked to %s while a block is under way",
			       ask->what);
	if (u->strays && !ask->once)
		fence(u);
	rc = exchange(u, ask, ret, err);
	if (!rc || !err->dev_forgot || u->transfer != UDS_IDLE || u->reentering)
		return rc;
	return reenter(u, ask) ? rc : exchange(u, ask, ret, err);
}

/* Silence means "not there" only from a server that answers what it does have. */
static bool is_there(struct uds *u)
{
	struct bf_err quiet;

	for (int i = 0; i < 2; i++) {
		bf_err_init(&quiet);
		if (!bf_uds_ping(&u->proto, &quiet) || quiet.dev_refused)
			return true;
	}
	return false;
}

bool bf_uds_silent(struct uds *u, enum bf_rc rc)
{
	if (rc != BF_E_TIMEOUT || u->ours || u->gave_up || !is_there(u))
		return false;
	u->deaf = true;
	u->strays = 0;
	return true;
}

enum bf_rc bf_uds_try(struct uds *u, const struct uds_ask *ask, struct bf_cur *ret,
		      enum uds_knows *ret_knows, struct bf_err *err)
{
	enum uds_knows knows = UDS_KNOWS;
	struct uds_ask few = *ask;
	enum bf_rc rc;

	/* The first silence is made sure of; a server that is silent once is not asked so often again. */
	if (u->deaf && !few.tries)
		few.tries = 2;
	rc = bf_uds_ask(u, &few, ret, err);
	if (rc && err->dev_refused) {
		knows = UDS_REFUSES;
	} else if (bf_uds_silent(u, rc)) {
		knows = UDS_SILENT;
	} else if (rc) {
		return rc;
	}
	if (ret_knows)
		*ret_knows = knows;
	if (knows == UDS_KNOWS)
		return BF_OK;
	bf_log(u->proto.env.log, BF_LOG_DEBUG, "uds: the pack does not %s (%s %02X)", ask->what,
	       knows == UDS_REFUSES ? "refusal" : "silence", err->dev_code);
	if (ret)
		*ret = bf_cur(NULL, 0);
	bf_err_init(err);
	return BF_OK;
}

enum bf_rc bf_uds_optional(enum bf_rc rc, struct bf_err *err)
{
	if (rc && bf_uds_lacks(err))
		err->rc = rc = BF_E_UNSUPPORTED;
	return rc;
}

struct did_ask {
	uint8_t head[3];
	char what[48];
	struct uds_ask ask;
};

static const struct uds_ask *did_ask(struct did_ask *d, uint16_t did)
{
	d->head[0] = UDS_READ_DID;
	d->head[1] = (uint8_t)(did >> 8);
	d->head[2] = (uint8_t)did;
	snprintf(d->what, sizeof(d->what), "tell data identifier %04X", did);
	d->ask = (struct uds_ask){
		.head = d->head,
		.head_len = sizeof(d->head),
		.match = 2,
		.rclass = BF_RETRY_IDEMPOTENT,
		.what = d->what,
	};
	return &d->ask;
}

enum bf_rc bf_uds_read_did(struct uds *u, uint16_t did, struct bf_cur *ret, struct bf_err *err)
{
	struct did_ask d;

	return bf_uds_ask(u, did_ask(&d, did), ret, err);
}

enum bf_rc bf_uds_try_did(struct uds *u, uint16_t did, struct bf_cur *ret,
			  enum uds_knows *ret_knows, struct bf_err *err)
{
	struct did_ask d;

	*ret = bf_cur(NULL, 0);
	if (!did)
		return BF_OK;
	return bf_uds_try(u, did_ask(&d, did), ret, ret_knows, err);
}
