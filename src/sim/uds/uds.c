/* SPDX-License-Identifier: MIT */
/* The server's core: which service, whether it may, when the answer leaves. */
#include "sim/uds/uds_model.h"

#include <string.h>

#define NEGATIVE      0x7F
#define POSITIVE_BIT  0x40
#define SUPPRESS_BIT  0x80
#define SLOW_THINKING BF_MS(40)
#define PENDING_EARLY BF_MS(10) /* response pending leaves so long before P2 is over */
#define PENDING_EVERY BF_SEC(4)

struct service {
	uint8_t sid;
	uint8_t sessions;
	bool has_sub;
	bool guarded;      /* wants security access where the pack has a lock */
	uint16_t min, max; /* whole request, bytes */
	bf_server_service *run;
};

static const struct service services[] = {
	{ 0x10, IN_ANY, true, false, 2, 2, bf_server_session_control },
	{ 0x11, IN_ANY, true, false, 2, 2, bf_server_reset },
	{ 0x22, IN_ANY, false, false, 3, BF_SERVER_MSG_MAX, bf_server_read_data },
	{ 0x23, IN_WORK, false, false, 10, 10, bf_server_read_memory },
	{ 0x27, IN_WORK, true, false, 2, 66, bf_server_security },
	{ 0x28, IN_WORK, true, false, 3, 5, bf_server_echo_sub },
	{ 0x29, IN_WORK, true, false, 2, 256, bf_server_authentication },
	{ 0x2E, IN_PROGRAMMING, false, true, 4, BF_SERVER_MSG_MAX, bf_server_write_data },
	{ 0x31, IN_WORK, true, false, 4, BF_SERVER_MSG_MAX, bf_server_routine },
	{ 0x34, IN_PROGRAMMING, false, true, 11, 11, bf_server_download },
	{ 0x35, IN_WORK, false, false, 11, 11, bf_server_upload },
	{ 0x36, IN_WORK, false, false, 2, BF_SERVER_MSG_MAX, bf_server_transfer_data },
	{ 0x37, IN_WORK, false, false, 1, 1, bf_server_transfer_exit },
	{ 0x3E, IN_ANY, true, false, 2, 2, bf_server_echo_sub },
	{ 0x85, IN_WORK, true, false, 2, 2, bf_server_echo_sub },
	{ 0x87, IN_WORK, true, false, 2, 5, bf_server_link_control },
};

/* Which of them a model has, and when, is the model's: its lengths are checked where they are read. */
static const struct service plain_services[] = {
	{ 0x04, IN_ANY, false, false, 1, 1, bf_plain_clear_dtc },
	{ 0x10, IN_ANY, true, false, 2, 2, bf_plain_session_control },
	{ 0x11, IN_ANY, true, false, 2, 2, bf_server_reset },
	{ 0x14, IN_ANY, false, false, 4, 5, bf_plain_clear_dtc },
	{ 0x22, IN_ANY, false, false, 3, BF_SERVER_MSG_MAX, bf_server_read_data },
	{ 0x23, IN_ANY, false, true, 4, 10, bf_plain_read_memory },
	{ 0x27, IN_ANY, true, false, 2, 66, bf_plain_security },
	{ 0x28, IN_ANY, true, false, 3, 5, bf_server_echo_sub },
	{ 0x2E, IN_ANY, false, true, 4, BF_SERVER_MSG_MAX, bf_plain_write_data },
	{ 0x31, IN_ANY, true, false, 4, BF_SERVER_MSG_MAX, bf_plain_routine_control },
	{ 0x34, IN_ANY, false, true, 4, 11, bf_plain_download },
	{ 0x35, IN_ANY, false, true, 5, 11, bf_plain_upload },
	{ 0x36, IN_ANY, false, false, 2, BF_SERVER_MSG_MAX, bf_server_transfer_data },
	{ 0x37, IN_ANY, false, false, 1, BF_SERVER_MSG_MAX, bf_server_transfer_exit },
	{ 0x3E, IN_ANY, true, false, 2, 2, bf_server_echo_sub },
	{ 0x81, IN_ANY, false, false, 1, 1, bf_plain_start_communication },
	{ 0x85, IN_ANY, true, false, 2, 5, bf_server_echo_sub },
};

struct bf_server *bf_server_new(struct bf_pack *pack, struct bf_server_port *port)
{
	struct bf_server *u = calloc(1, sizeof(*u));

	if (!u)
		abort();
	u->pack = pack;
	u->plain = bf_plain_model(bf_pack_opts(pack));
	u->port = port;
	u->rng.state = bf_pack_opts(pack)->seed ^ 0x27;
	u->session = BF_SERVER_DEFAULT;
	u->rate = port->default_rate;
	u->target_slot = bf_pack_slot_count(pack) - 1;
	u->s3_at = u->rate_until = u->reply_at = u->pending_at = BF_NEVER;
	return u;
}

struct bf_server *bf_server_free(struct bf_server *u)
{
	free(u);
	return NULL;
}

bool bf_server_may_write(const struct bf_server *u)
{
	if (u->plain && u->plain->seed_len)
		return !bf_plain_is_locked(u);
	return u->unlocked || !bf_pack_opts(u->pack)->auth;
}

enum bf_nrc bf_server_worked(enum bf_pack_work work)
{
	switch (work) {
	case BF_PACK_DIED:
		break;
	case BF_PACK_FAILED:
		return NRC_GENERAL_PROGRAMMING_FAILURE;
	case BF_PACK_DONE:
		return NRC_NONE;
	}
	return NRC_SILENCE;
}

static const struct service *find(const struct bf_server *u, uint8_t sid)
{
	bool noread = bf_pack_opts(u->pack)->quirks & BF_QUIRK_NOREAD;
	const struct service *rows = u->plain ? plain_services : services;
	size_t n = u->plain ? BF_COUNT(plain_services) : BF_COUNT(services);

	if (noread && (sid == 0x23 || sid == 0x35))
		return NULL;
	if (sid == 0x87 && !u->port->set_rate)
		return NULL;
	if (sid == 0x3E && (bf_pack_opts(u->pack)->quirks & BF_QUIRK_NO3E))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (rows[i].sid == sid)
			return &rows[i];
	return NULL;
}

/* The order of the checks is that of ISO 14229-1, figure "general server response behaviour". */
static enum bf_nrc serve(struct bf_server *u, const uint8_t *msg, size_t len)
{
	const struct service *s = find(u, msg[0]);
	struct bf_cur c = bf_cur(msg, len);
	uint8_t sub = 0;

	enum bf_nrc may = u->plain ? bf_plain_may(u, msg[0]) : NRC_NONE;

	if (!s)
		return NRC_SERVICE_NOT_SUPPORTED;
	if (may)
		return may;
	if (!(s->sessions & 1u << u->session))
		return NRC_SERVICE_NOT_IN_SESSION;
	if (s->guarded && !bf_server_may_write(u))
		return NRC_SECURITY_ACCESS_DENIED;
	if (len < s->min || len > s->max)
		return NRC_INCORRECT_LENGTH;
	bf_cur_u8(&c);
	if (s->has_sub) {
		sub = bf_cur_u8(&c);
		u->suppress = sub & SUPPRESS_BIT;
		sub &= (uint8_t)~SUPPRESS_BIT;
		bf_out_u8(&u->out, sub);
	}
	return s->run(u, sub, &c);
}

/* Asked to everybody, a server keeps to itself what it does not know (ISO 14229-1, 8.7). */
static bool keeps_quiet(const struct bf_server *u, enum bf_nrc nrc)
{
	bool mute = bf_pack_opts(u->pack)->quirks & BF_QUIRK_MUTE;

	if (mute && (nrc == NRC_SERVICE_NOT_SUPPORTED || nrc == NRC_SUB_FUNCTION_NOT_SUPPORTED ||
		     (nrc == NRC_REQUEST_OUT_OF_RANGE && u->sid == 0x22)))
		return true;
	return u->functional &&
	       (nrc == NRC_SERVICE_NOT_SUPPORTED || nrc == NRC_SUB_FUNCTION_NOT_SUPPORTED ||
		nrc == NRC_REQUEST_OUT_OF_RANGE || nrc == NRC_SUB_FUNCTION_NOT_IN_SESSION ||
		nrc == NRC_SERVICE_NOT_IN_SESSION);
}

static void set_negative(struct bf_server *u, enum bf_nrc nrc)
{
	u->out = bf_out(u->reply, sizeof(u->reply));
	bf_out_u8(&u->out, NEGATIVE);
	bf_out_u8(&u->out, u->sid);
	bf_out_u8(&u->out, (uint8_t)nrc);
	u->then = THEN_NOTHING;
}

static bf_time thinking(const struct bf_server *u)
{
	const struct bf_sim_opts *o = bf_pack_opts(u->pack);

	return o->quirks & BF_QUIRK_SLOW ? SLOW_THINKING : BF_US(o->turnaround_us);
}

static void schedule(struct bf_server *u, bf_time now)
{
	u->reply_at = now + thinking(u);
	if (u->done > u->reply_at)
		u->reply_at = u->done;
	u->pending_at = BF_NEVER;
	if (u->reply_at - now > BF_SERVER_P2_US)
		u->pending_at = now + BF_SERVER_P2_US - PENDING_EARLY;
}

static void touch(struct bf_server *u, bf_time now)
{
	u->s3_at = u->session == BF_SERVER_DEFAULT ? BF_NEVER : now + BF_SERVER_S3_US;
}

/* What makes the session go on: any request, or with a strict timer the two that are made for it. */
static bool keeps_alive(const struct bf_server *u, uint8_t sid)
{
	bool strict = bf_pack_opts(u->pack)->quirks & BF_QUIRK_S3STRICT;

	return !strict || sid == 0x10 || sid == 0x3E;
}

static bool never_ends(const struct bf_server *u, const uint8_t *msg, size_t len)
{
	bool forever = bf_pack_opts(u->pack)->quirks & BF_QUIRK_FOREVER;

	return forever && len > 3 && msg[0] == 0x31 && msg[2] == 0xFF && msg[3] == 0x00 &&
	       u->reply[0] == 0x71;
}

static bool is_busy_by_habit(struct bf_server *u)
{
	return (bf_pack_opts(u->pack)->quirks & BF_QUIRK_BUSY) && !u->functional &&
	       bf_rng_below(&u->rng, 8) == 0;
}

/* In the first moment after power-on some loaders look for one request, and hear no other. */
static bool stays_in_loader(const struct bf_server *u, const uint8_t *msg, size_t len)
{
	const uint8_t *wanted = u->plain ? u->plain->stays_for : NULL;

	if (!wanted || !wanted[0] || !bf_pack_in_window(u->pack))
		return true;
	return len >= 4 && memcmp(msg, wanted, 4) == 0;
}

void bf_server_request(struct bf_server *u, const uint8_t *msg, size_t len, bool functional,
		       size_t longest, bf_time now)
{
	enum bf_nrc nrc;

	bf_server_run(u, now);
	if (!stays_in_loader(u, msg, len))
		return;
	if (!len || bf_pack_mode(u->pack) < BF_PACK_LOADER || !bf_pack_message(u->pack, now))
		return;
	bf_pack_heard(u->pack, msg, len);
	u->rate_until = BF_NEVER;
	if (keeps_alive(u, msg[0]))
		touch(u, now);
	if (u->endless)
		u->reply_at = u->pending_at = BF_NEVER;
	u->endless = false;
	if (u->reply_at != BF_NEVER) /* one request at a time */
		return;
	u->now = u->done = now;
	u->functional = functional;
	u->suppress = false;
	u->longest = longest;
	u->then = THEN_NOTHING;
	u->sid = msg[0];
	u->out = bf_out(u->reply, longest < sizeof(u->reply) ? longest : sizeof(u->reply));
	bf_out_u8(&u->out, msg[0] | POSITIVE_BIT);
	nrc = is_busy_by_habit(u) ? NRC_BUSY_REPEAT_REQUEST : serve(u, msg, len);
	if (nrc == NRC_NONE && u->out.failed)
		nrc = NRC_RESPONSE_TOO_LONG;
	if (nrc == NRC_SILENCE || keeps_quiet(u, nrc))
		return;
	if (nrc != NRC_NONE) {
		u->suppress = false;
		set_negative(u, nrc);
	}
	bf_hostile_twist(u);
	schedule(u, now);
	u->endless = bf_hostile_is_endless(u) || never_ends(u, msg, len);
	if (u->endless) {
		u->reply_at = BF_NEVER - 1;
		u->pending_at = now + PENDING_EARLY;
	}
}

static void send_pending(struct bf_server *u, bf_time now)
{
	const uint8_t msg[3] = { NEGATIVE, u->sid, NRC_RESPONSE_PENDING };

	u->pending_at = now + PENDING_EVERY < u->reply_at ? now + PENDING_EVERY : BF_NEVER;
	if (u->endless)
		u->pending_at = now + bf_hostile_pending_each();
	u->suppress = false; /* whoever was told to wait gets an answer (ISO 14229-1, 8.7) */
	if (!bf_pack_reply(u->pack, now))
		return;
	u->port->send(u->port, msg, sizeof(msg), now);
	if (keeps_alive(u, u->sid))
		touch(u, now);
}

static void send_reply(struct bf_server *u, bf_time now)
{
	u->reply_at = u->pending_at = BF_NEVER;
	if (!u->suppress && !bf_pack_reply(u->pack, now))
		return;
	if (!u->suppress)
		u->port->send(u->port, u->reply, u->out.len, now);
	if (keeps_alive(u, u->sid))
		touch(u, now);
	switch (u->then) {
	case THEN_NOTHING:
		break;
	case THEN_RESTART:
		bf_pack_restart(u->pack, BF_PACK_BY_REQUEST, now);
		break;
	case THEN_NEW_RATE:
		bf_server_go_to_rate(u, u->wanted_rate, now);
		u->rate_until = now + BF_SERVER_NEW_RATE;
		u->wanted_rate = 0;
		break;
	}
	u->then = THEN_NOTHING;
}

/* The processor started anew: nothing is remembered but what is kept in flash. */
static void forget(struct bf_server *u, bf_time now)
{
	u->starts = bf_pack_starts(u->pack);
	u->reply_at = u->pending_at = BF_NEVER;
	u->wrong_keys = 0;
	u->target_slot = bf_pack_slot_count(u->pack) - 1;
	u->seed_from = 0;
	u->endless = false;
	u->refused_block = false;
	if (bf_pack_reason(u->pack) != BF_PACK_BY_REQUEST)
		u->answer_after_start = false;
	bf_server_default_session(u, now);
	bf_plain_forget(u);
	if (u->starts_programming && bf_pack_reason(u->pack) == BF_PACK_BY_REQUEST) {
		u->session = BF_SERVER_PROGRAMMING;
		touch(u, now);
	}
	u->starts_programming = false;
	u->locked_until = bf_pack_kept(u->pack)->locked_out ? now + BF_SERVER_LOCK_US : 0;
}

static void answer_after_start(struct bf_server *u, bf_time now)
{
	struct bf_out o = bf_out(u->reply, sizeof(u->reply));

	u->answer_after_start = false;
	u->session = BF_SERVER_PROGRAMMING;
	u->unlocked = u->stays_unlocked;
	u->plain_state.started = true;
	bf_out_u8(&o, 0x50);
	bf_out_u8(&o, BF_SERVER_PROGRAMMING);
	bf_server_put_session(u, &o);
	if (!bf_pack_reply(u->pack, now))
		return;
	u->port->send(u->port, u->reply, o.len, now);
	touch(u, now);
}

bf_time bf_server_next(const struct bf_server *u)
{
	bf_time at = bf_pack_next(u->pack);
	const bf_time own[] = { u->s3_at, u->rate_until, u->reply_at, u->pending_at };

	if (bf_pack_mode(u->pack) < BF_PACK_LOADER)
		return at;
	for (size_t i = 0; i < BF_COUNT(own); i++)
		if (own[i] < at)
			at = own[i];
	return at;
}

void bf_server_run(struct bf_server *u, bf_time now)
{
	bf_pack_run(u->pack, now);
	if (bf_pack_starts(u->pack) != u->starts)
		forget(u, now);
	if (bf_pack_mode(u->pack) < BF_PACK_LOADER)
		return;
	if (u->answer_after_start)
		answer_after_start(u, now);
	if (u->pending_at <= now)
		send_pending(u, now);
	if (u->reply_at <= now)
		send_reply(u, now);
	if (bf_pack_mode(u->pack) < BF_PACK_LOADER)
		return;
	if (u->s3_at <= now && u->reply_at == BF_NEVER)
		bf_server_default_session(u, now);
	if (u->rate_until <= now)
		bf_server_go_to_rate(u, u->port->default_rate, now);
}
