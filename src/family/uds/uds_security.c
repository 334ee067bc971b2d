/* SPDX-License-Identifier: MIT */
/* Security access, service 27. Keys are never logged, and written as "**" into traces. */
#include "uds.h"

#include <string.h>

/* bmsflash-uds(7), SECURITY ACCESS: how long a server stays locked after wrong keys. */
#define LOCKOUT BF_SEC(10)

#define FIRST_LEVEL 0x01

/* The one that is being asked for. */
static uint8_t level_of(const struct uds *u)
{
	uint8_t level = u->level ? u->level : uds_keys(u)->security_level;

	return level == BF_AUTO_U8 ? FIRST_LEVEL : level;
}

static enum bf_rc ask_seed(struct uds *u, struct bf_cur *ret, struct bf_err *err)
{
	uint8_t head[2 + 16] = { UDS_SECURITY, level_of(u) };
	struct bf_out o = bf_out(head + 2, sizeof(head) - 2);
	struct uds_ask ask = {
		.head = head,
		.match = 1,
		.rclass = BF_RETRY_IDEMPOTENT,
		.what = "send a seed for the key",
	};

	bf_uds_fill(u, uds_keys(u)->security_data, NULL, &o);
	ask.head_len = 2 + o.len;
	return bf_uds_ask(u, &ask, ret, err);
}

static enum bf_rc send_key(struct uds *u, const uint8_t *key, size_t len, struct bf_err *err)
{
	const uint8_t head[] = { UDS_SECURITY, (uint8_t)(level_of(u) + 1) };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.tail = key,
		.tail_len = len,
		.match = 1,
		.rclass = BF_RETRY_DESTRUCTIVE, /* a seed is good for one key */
		.secret = true,
		.what = "accept the key",
	};
	enum bf_rc rc = bf_uds_ask(u, &ask, NULL, err);

	bf_wipe(u->tx, u->tx_len);
	if (rc && bf_uds_refused(err, UDS_NRC_INVALID_KEY)) {
		bf_likely(err, "the technician's key is not one that this pack trusts");
		bf_likely(err, "the profile names another security level or method than this "
			       "pack's");
		bf_likely(err, "the pack signs with another serial number than it tells");
	}
	return rc;
}

/* A part of a lock-out, speaking often enough that the session stays. */
static enum bf_rc wait_part(struct uds *u, bf_time until, struct bf_err *err)
{
	while (bf_now(uds_clock(u)) < until) {
		bf_time step = bf_in(uds_clock(u), BF_SEC(1));
		enum bf_rc rc = bf_uds_keepalive(&u->proto, err);

		if (rc)
			return rc;
		bf_uds_alive(u, "end its lock-out after wrong keys");
		if (!bf_clock_until(uds_clock(u), step < until ? step : until))
			return bf_fail(err, BF_E_INTERRUPTED,
				       "stopped during the pack's lock-out after wrong keys");
	}
	return BF_OK;
}

/* Most lock-outs are short, that of bmsflash-uds(7) is not; each question may begin some of them again. */
enum bf_rc bf_uds_wait_lockout(struct uds *u, uds_question *question, struct bf_cur *ret,
			       struct bf_err *err)
{
	static const bf_time parts[] = { BF_MS(1100), BF_SEC(3), LOCKOUT + BF_MS(500) };
	bf_time began = bf_now(uds_clock(u));
	enum bf_rc rc = err->rc;

	for (size_t i = 0; i < BF_COUNT(parts) && rc && bf_uds_refused(err, UDS_NRC_DELAY); i++) {
		rc = wait_part(u, began + parts[i], err);
		if (!rc)
			rc = question(u, ret, err);
	}
	return rc;
}

static enum bf_rc read_serial(struct uds *u, struct bf_auth *auth, struct bf_err *err)
{
	uint16_t did = uds_keys(u)->did_serial;
	struct bf_cur c = bf_cur(NULL, 0);
	enum bf_rc rc = did ? bf_uds_read_did(u, did, &c, err) : BF_OK;

	if (rc && !err->dev_refused)
		return rc;
	bf_uds_read_text(&c, auth->serial, sizeof(auth->serial));
	return BF_OK;
}

static bool open_already(const struct bf_cur *seed)
{
	size_t n = bf_cur_left(seed);

	return bf_trailing(seed->p + seed->pos, n, 0) == n;
}

enum bf_rc bf_uds_make_key(struct uds *u, uint8_t service, unsigned level, struct bf_cur *seed,
			   struct uds_key *ret, struct bf_err *err)
{
	struct bf_auth *auth = u->proto.env.auth;
	uint8_t copy[256]; /* asking for the serial number takes the place of the answer */
	size_t len = bf_cur_left(seed);
	enum bf_rc rc;

	if (!auth) {
		return bf_fail(err, BF_E_AUTH, "this pack is locked, and no key was given");
	}
	if (len > sizeof(copy))
		return bf_fail(err, BF_E_AUTH, "the pack's seed has %zu bytes, at most %zu can be",
			       len, sizeof(copy));
	memcpy(copy, seed->p + seed->pos, len);
	auth->service = service;
	rc = auth->serial[0] ? BF_OK : read_serial(u, auth, err);
	return rc ? rc
		  : auth->respond(auth, level, copy, len, ret->bytes, sizeof(ret->bytes), &ret->len,
				  err);
}

static enum bf_rc answer_seed(struct uds *u, struct bf_cur *seed, struct bf_err *err)
{
	struct uds_key key = { .len = 0 };
	enum bf_rc rc = bf_uds_make_key(u, UDS_SECURITY, level_of(u), seed, &key, err);

	if (!rc)
		rc = send_key(u, key.bytes, key.len, err);
	bf_wipe(&key, sizeof(key));
	return rc;
}

/* The lock is there, at another level. Where the profile names ours that is the end; else the pack may still let
 * itself be written, and if not, this is the likely cause. */
static enum bf_rc no_such_level(struct uds *u, struct bf_err *err)
{
	if (uds_keys(u)->security_level == BF_AUTO_U8) {
		u->no_level = true;
		bf_err_init(err);
		return BF_OK;
	}
	err->rc = BF_E_AUTH;
	bf_likely(err, "the profile names security level 0x%02X, and the pack has another one",
		  level_of(u));
	bf_do(err, "correct security-level in [uds] of the profile '%s'", uds_profile(u)->name);
	return err->rc;
}

static enum bf_rc unlock(struct uds *u, struct bf_err *err)
{
	struct bf_cur seed;
	enum bf_rc rc = ask_seed(u, &seed, err);

	if (rc && bf_uds_refused(err, UDS_NRC_DELAY))
		rc = bf_uds_wait_lockout(u, ask_seed, &seed, err);
	if (rc && bf_uds_refused(err, UDS_NRC_NO_SUBFUNCTION))
		return no_such_level(u, err);
	/* A pack without a lock does not know the service. */
	if (rc && (bf_uds_refused(err, UDS_NRC_NO_SERVICE) ||
		   (uds_keys(u)->security_level == BF_AUTO_U8 && bf_uds_silent(u, rc)))) {
		bf_err_init(err);
		return BF_OK;
	}
	if (rc)
		return rc;
	return open_already(&seed) ? BF_OK : answer_seed(u, &seed, err);
}

static enum bf_rc open_lock(struct uds *u, struct bf_err *err)
{
	return uds_keys(u)->auth_service == BF_AUTH_BY_AUTHENTICATION
		       ? bf_uds_prove_ownership(u, err)
		       : unlock(u, err);
}

bool bf_uds_is_locked(const struct bf_uds_profile *keys)
{
	return keys->security_level || keys->auth_service == BF_AUTH_BY_AUTHENTICATION;
}

/* The answer to the key may be lost: a new seed tells whether it was accepted. */
static enum bf_rc open_surely(struct uds *u, struct bf_err *err)
{
	enum bf_rc rc = open_lock(u, err);

	return rc == BF_E_TIMEOUT || rc == BF_E_LINK ? open_lock(u, err) : rc;
}

enum bf_rc bf_uds_unlock(struct uds *u, uint8_t level, struct bf_err *err)
{
	enum bf_rc rc;

	u->level = level == BF_AUTO_U8 ? 0 : level;
	rc = open_surely(u, err);
	u->level = 0;
	return rc ? bf_while(err, "unlocking the pack") : BF_OK;
}

static enum bf_rc unlock_here(struct uds *u, struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);

	if (!keys->security_extended)
		return bf_uds_is_locked(keys) ? bf_uds_unlock(u, keys->security_level, err) : BF_OK;
	/* On the way to the programming session the first level was opened. */
	return keys->second_level ? bf_uds_unlock(u, keys->second_level, err) : BF_OK;
}

enum bf_rc bf_uds_authenticate(struct bf_proto *p, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	enum bf_rc rc = unlock_here(u, err);

	u->unlocked = !rc;
	if (rc || u->session != uds_keys(u)->session_programming)
		return rc;
	rc = bf_uds_steps(u, BF_STEP_UNLOCKED, NULL, err);
	return rc ? rc : bf_uds_load_driver(u, err);
}
