/* SPDX-License-Identifier: MIT */
/*
 * Service 29 of ISO 14229-1:2020, challenge and response with asymmetric cryptography, unidirectional: the pack
 * sends a challenge, and we prove that we own a key that it trusts.
 *
 *	29 05 | 00 no session key | algorithm (16)
 *	69 05 | return value | algorithm (16) | length (2), challenge | length (2), additional parameter
 *	29 06 | algorithm (16) | length (2), proof | length (2), our challenge | length (2), additional parameter
 *	69 06 | return value | algorithm (16) | length (2), session key info
 */
#include "uds.h"

#include <string.h>

#define REQUEST_CHALLENGE 0x05 /* requestChallengeForAuthentication */
#define VERIFY_PROOF      0x06 /* verifyProofOfOwnershipUnidirectional */
#define ALGORITHM         16
#define ACCEPTED          0x00 /* RequestAccepted */
#define COMPLETE          0x12 /* OwnershipVerified, AuthenticationComplete */

/* The object identifier of Ed25519 (RFC 8410, 1.3.101.112) in BER, filled up with 00. */
static const uint8_t ed25519[ALGORITHM] = { 0x06, 0x03, 0x2B, 0x65, 0x70 };

static enum bf_rc odd_answer(const char *what, unsigned value, struct bf_err *err)
{
	return bf_fail(err, BF_E_AUTH, "the pack's answer to the %s is not understood: %s %02X",
		       what, "return value", value);
}

static enum bf_rc take_head(struct bf_cur *c, const char *what, uint8_t wanted, struct bf_err *err)
{
	uint8_t value = bf_cur_u8(c);
	const uint8_t *algorithm = bf_cur_bytes(c, ALGORITHM);

	if (value != wanted)
		return odd_answer(what, value, err);
	if (!algorithm || memcmp(algorithm, ed25519, ALGORITHM) != 0)
		return bf_fail(err, BF_E_AUTH, "the pack wants another algorithm than Ed25519");
	return BF_OK;
}

static enum bf_rc ask_challenge(struct uds *u, struct bf_cur *ret, struct bf_err *err)
{
	const uint8_t head[] = { UDS_AUTHENTICATION, REQUEST_CHALLENGE, 0x00 };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.tail = ed25519,
		.tail_len = sizeof(ed25519),
		.match = 1,
		.rclass = BF_RETRY_IDEMPOTENT,
		.what = "send a challenge",
	};
	const uint8_t *challenge;
	struct bf_cur c;
	uint16_t len;
	enum bf_rc rc = bf_uds_ask(u, &ask, &c, err);

	if (!rc)
		rc = take_head(&c, "request for a challenge", ACCEPTED, err);
	if (rc)
		return rc;
	len = bf_cur_be16(&c);
	challenge = bf_cur_bytes(&c, len);
	if (!challenge || !len)
		return bf_fail(err, BF_E_AUTH,
			       "the pack's challenge of %u bytes does not come whole", len);
	*ret = bf_cur(challenge, len);
	return BF_OK;
}

static enum bf_rc send_proof(struct uds *u, const struct uds_key *key, struct bf_err *err)
{
	static const uint8_t head[] = { UDS_AUTHENTICATION, VERIFY_PROOF };
	uint8_t body[ALGORITHM + 2 + UDS_KEY_MAX + 4];
	struct bf_out o = bf_out(body, sizeof(body));
	struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.tail = body,
		.match = 1,
		.rclass = BF_RETRY_DESTRUCTIVE, /* a challenge is good for one proof */
		.secret = true,
		.what = "accept the proof",
	};
	struct bf_cur c;
	enum bf_rc rc;

	bf_out_bytes(&o, ed25519, sizeof(ed25519));
	bf_out_be16(&o, (uint16_t)key->len);
	bf_out_bytes(&o, key->bytes, key->len);
	bf_out_be16(&o, 0); /* no challenge of ours */
	bf_out_be16(&o, 0); /* nor anything else */
	ask.tail_len = o.len;
	rc = bf_uds_ask(u, &ask, &c, err);
	bf_wipe(body, sizeof(body));
	bf_wipe(u->tx, u->tx_len);
	if (rc && bf_uds_refused(err, UDS_NRC_OWNERSHIP)) {
		bf_likely(err, "the technician's key is not one that this pack trusts");
		bf_likely(err, "the pack signs with another serial number than it tells");
	}
	return rc ? rc : take_head(&c, "proof", COMPLETE, err);
}

enum bf_rc bf_uds_prove_ownership(struct uds *u, struct bf_err *err)
{
	struct uds_key key = { .len = 0 };
	struct bf_cur challenge;
	enum bf_rc rc = ask_challenge(u, &challenge, err);

	if (rc && bf_uds_refused(err, UDS_NRC_DELAY))
		rc = bf_uds_wait_lockout(u, ask_challenge, &challenge, err);
	if (!rc)
		rc = bf_uds_make_key(u, UDS_AUTHENTICATION, VERIFY_PROOF, &challenge, &key, err);
	if (!rc)
		rc = send_proof(u, &key, err);
	bf_wipe(&key, sizeof(key));
	return rc;
}
