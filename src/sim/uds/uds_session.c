/* SPDX-License-Identifier: MIT */
/* Sessions, restart, security access, link control. */
#include "sim/uds/uds_model.h"

#include <string.h>

#include "bmsflash/crypto.h"

#define MAX_WRONG_KEYS 3
#define SEED_DELAY     BF_SEC(1)

/* Public half of the technician's test key (tests/data/auth/technician.pem). */
static const uint8_t technician_key[32] = { 0x91, 0xfb, 0xa9, 0x8d, 0x18, 0x2b, 0xb3, 0xb2,
					    0x1b, 0x28, 0xb4, 0xbe, 0x13, 0x47, 0xf7, 0xb1,
					    0xe2, 0x0c, 0xf9, 0x28, 0xcf, 0xda, 0x91, 0x97,
					    0xd6, 0xae, 0xcf, 0x70, 0x83, 0xe7, 0x6e, 0x03 };

void bf_server_go_to_rate(struct bf_server *u, uint32_t rate, bf_time now)
{
	u->rate_until = BF_NEVER;
	if (rate == u->rate || !u->port->set_rate)
		return;
	u->rate = rate;
	u->port->set_rate(u->port, rate, now);
}

void bf_server_default_session(struct bf_server *u, bf_time now)
{
	u->session = BF_SERVER_DEFAULT;
	u->s3_at = BF_NEVER;
	u->unlocked = u->seed_out = false;
	u->transfer.direction = TRANSFER_NONE;
	u->wanted_rate = 0;
	bf_server_go_to_rate(u, u->port->default_rate, now);
}

void bf_server_put_session(struct bf_server *u, struct bf_out *o)
{
	(void)u;
	bf_out_be16(o, (uint16_t)(BF_SERVER_P2_US / 1000));
	bf_out_be16(o, (uint16_t)(BF_SERVER_P2_STAR_US / 10000));
}

/* With one bank the loader has to run before it can overwrite the firmware: it restarts, and the loader
 * gives the answer. */
enum bf_nrc bf_server_restart_for_programming(struct bf_server *u)
{
	const uint8_t wait[3] = { 0x7F, 0x10, NRC_RESPONSE_PENDING };

	u->port->send(u->port, wait, sizeof(wait), u->now);
	bf_pack_restart_to_loader(u->pack, u->now);
	u->answer_after_start = true;
	u->stays_unlocked = u->unlocked && bf_pack_opts(u->pack)->unlock_in == BF_SERVER_EXTENDED;
	return NRC_SILENCE;
}

enum bf_nrc bf_server_enter(struct bf_server *u, uint8_t session)
{
	bool stays = u->unlocked && bf_pack_opts(u->pack)->unlock_in == BF_SERVER_EXTENDED &&
		     session == BF_SERVER_PROGRAMMING;

	if (session == BF_SERVER_DEFAULT)
		bf_server_default_session(u, u->now);
	u->transfer.direction = TRANSFER_NONE;
	if (session != u->session)
		u->unlocked = u->seed_out = false;
	u->unlocked = u->unlocked || stays;
	u->session = (enum bf_server_session)session;
	bf_server_put_session(u, &u->out);
	return NRC_NONE;
}

enum bf_nrc bf_server_session_control(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	bool single = bf_pack_opts(u->pack)->quirks & BF_QUIRK_SINGLEBANK;

	(void)c;
	if (sub < BF_SERVER_DEFAULT || sub > BF_SERVER_EXTENDED)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	if (sub == BF_SERVER_PROGRAMMING && u->session == BF_SERVER_DEFAULT)
		return NRC_SUB_FUNCTION_NOT_IN_SESSION;
	if (sub == BF_SERVER_PROGRAMMING && single && bf_pack_running(u->pack))
		return bf_server_restart_for_programming(u);
	return bf_server_enter(u, sub);
}

enum bf_nrc bf_server_reset(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	(void)c;
	if (bf_pack_opts(u->pack)->quirks & BF_QUIRK_NORESET)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	if (sub != 1 && sub != 3) /* hard, soft */
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	u->then = THEN_RESTART;
	if (bf_pack_opts(u->pack)->quirks & BF_QUIRK_QUIETRESET)
		u->suppress = true;
	return NRC_NONE;
}

/* TesterPresent, CommunicationControl, ControlDTCSetting: agreed to, nothing to do. */
enum bf_nrc bf_server_echo_sub(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	if (u->plain && bf_plain_communication(u, c))
		return NRC_REQUEST_OUT_OF_RANGE;
	if (u->sid == 0x3E && sub != 0)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	return NRC_NONE;
}

bool bf_server_is_locked(struct bf_server *u)
{
	if (u->now < u->locked_until)
		return true;
	if (u->locked_until) {
		u->locked_until = 0;
		u->wrong_keys = 0;
		bf_pack_kept(u->pack)->locked_out = false;
	}
	return false;
}

static uint8_t level(const struct bf_server *u)
{
	uint8_t given = bf_pack_opts(u->pack)->level;

	return given ? given : 1;
}

/* Some loaders hold the lock for a while after each start. */
static bool is_too_soon(struct bf_server *u)
{
	if (!(bf_pack_opts(u->pack)->quirks & BF_QUIRK_NRC37))
		return false;
	if (!u->seed_from)
		u->seed_from = u->now + SEED_DELAY;
	return u->now < u->seed_from;
}

static enum bf_nrc give_seed(struct bf_server *u, struct bf_cur *c)
{
	if (bf_cur_left(c))
		return NRC_INCORRECT_LENGTH;
	if (is_too_soon(u))
		return NRC_TIME_DELAY_NOT_EXPIRED;
	memset(u->seed, 0, sizeof(u->seed));
	if (!bf_server_may_write(u)) {
		if (bf_server_is_locked(u))
			return NRC_TIME_DELAY_NOT_EXPIRED;
		for (size_t i = 0; i < sizeof(u->seed); i++)
			u->seed[i] = (uint8_t)bf_rng_next(&u->rng);
		u->seed_out = true;
	}
	bf_out_bytes(&u->out, u->seed, sizeof(u->seed));
	return NRC_NONE;
}

/* LABEL 00 | level | length of serial | serial | seed */
static bool is_right(struct bf_server *u, const char *label, uint8_t level,
		     const uint8_t *signature)
{
	uint8_t msg[128], serial[32];
	struct bf_out o = bf_out(msg, sizeof(msg)), s = bf_out(serial, sizeof(serial));

	bf_out_bytes(&o, label, strlen(label) + 1);
	bf_out_u8(&o, level);
	bf_server_put_serial(u, &s);
	bf_out_u8(&o, (uint8_t)s.len);
	bf_out_bytes(&o, serial, s.len);
	bf_out_bytes(&o, u->seed, sizeof(u->seed));
	return !o.failed && bf_ed25519_verify(signature, msg, o.len, technician_key);
}

enum bf_nrc bf_server_judge(struct bf_server *u, const char *label, uint8_t level,
			    const uint8_t *signature, enum bf_nrc refusal)
{
	if (!u->seed_out)
		return NRC_REQUEST_SEQUENCE_ERROR;
	if (bf_server_is_locked(u))
		return NRC_TIME_DELAY_NOT_EXPIRED;
	u->seed_out = false;
	if (is_right(u, label, level, signature)) {
		u->unlocked = true;
		u->wrong_keys = 0;
		return NRC_NONE;
	}
	if (++u->wrong_keys < MAX_WRONG_KEYS)
		return refusal;
	u->locked_until = u->now + BF_SERVER_LOCK_US;
	bf_pack_kept(u->pack)->locked_out = true;
	return NRC_EXCEEDED_ATTEMPTS;
}

static enum bf_nrc take_key(struct bf_server *u, struct bf_cur *c)
{
	const uint8_t *key = bf_cur_bytes(c, BF_ED25519_SIG_LEN);

	if (!key || bf_cur_left(c))
		return NRC_INCORRECT_LENGTH;
	return bf_server_judge(u, "bmsflash-uds-27", level(u), key, NRC_INVALID_KEY);
}

enum bf_nrc bf_server_security(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	const struct bf_sim_opts *o = bf_pack_opts(u->pack);

	if (o->auth == 0x29)
		return NRC_SERVICE_NOT_SUPPORTED;
	if (o->unlock_in && o->unlock_in != (uint8_t)u->session)
		return NRC_SERVICE_NOT_IN_SESSION;
	if (sub == level(u))
		return give_seed(u, c);
	if (sub == level(u) + 1)
		return take_key(u, c);
	return NRC_SUB_FUNCTION_NOT_SUPPORTED;
}

static const struct {
	uint8_t id;
	bool can;
	uint32_t rate;
} fixed_rates[] = {
	/* ISO 14229-1, table of linkControlModeIdentifier */
	{ 0x01, false, 9600 },  { 0x02, false, 19200 },  { 0x03, false, 38400 },
	{ 0x04, false, 57600 }, { 0x05, false, 115200 }, { 0x10, true, 125000 },
	{ 0x11, true, 250000 }, { 0x12, true, 500000 },  { 0x13, true, 1000000 },
};

static uint32_t fixed_rate(const struct bf_server *u, uint8_t id)
{
	for (size_t i = 0; i < BF_COUNT(fixed_rates); i++)
		if (fixed_rates[i].id == id && fixed_rates[i].can == u->port->can)
			return fixed_rates[i].rate;
	return 0;
}

/* What the pack's transceivers and clocks can do. */
static bool rate_works(const struct bf_server *u, uint32_t rate)
{
	if (!u->port->can)
		return rate >= 9600 && rate <= 3000000;
	return rate >= 125000 && rate <= 1000000 && 8000000 % rate == 0;
}

enum bf_nrc bf_server_link_control(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	static const size_t wanted_len[] = { 0, 1, 3, 0 };
	uint32_t rate;

	if (sub < 1 || sub > 3)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	if (bf_cur_left(c) != wanted_len[sub])
		return NRC_INCORRECT_LENGTH;
	if (sub == 3) {
		if (!u->wanted_rate)
			return NRC_REQUEST_SEQUENCE_ERROR;
		u->then = THEN_NEW_RATE;
		return NRC_NONE;
	}
	rate = sub == 1 ? fixed_rate(u, bf_cur_u8(c)) : (uint32_t)bf_cur_be(c, 3);
	if (!rate_works(u, rate))
		return NRC_REQUEST_OUT_OF_RANGE;
	u->wanted_rate = rate;
	return NRC_NONE;
}
