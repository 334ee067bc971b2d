/* SPDX-License-Identifier: MIT */
/* Authentication, ISO 14229-1:2020, 10.6: challenge and response with asymmetric cryptography, one-sided. */
#include "sim/uds/uds_priv.h"

#include <string.h>

#include "bmsflash/crypto.h"

enum { /* authenticationTask */
       DE_AUTHENTICATE = 0x00,
       REQUEST_CHALLENGE = 0x05,
       VERIFY_PROOF = 0x06,
       CONFIGURATION = 0x08,
};
enum { /* authenticationReturnParameter, table B.5 */
       REQUEST_ACCEPTED = 0x00,
       ACR_ASYMMETRIC = 0x03,
       DE_AUTHENTICATED = 0x10,
       AUTHENTICATION_COMPLETE = 0x12,
};

/* 1.3.101.112 */
static const uint8_t indicator[16] = { 0x06, 0x03, 0x2B, 0x65, 0x70 };

static bool is_ours(struct bf_cur *c)
{
	const uint8_t *p = bf_cur_bytes(c, sizeof(indicator));

	return p && memcmp(p, indicator, sizeof(indicator)) == 0;
}

static enum bf_nrc give_challenge(struct bf_server *u, struct bf_cur *c)
{
	uint8_t configuration = bf_cur_u8(c);

	if (configuration || !is_ours(c))
		return NRC_REQUEST_OUT_OF_RANGE;
	if (bf_server_is_locked(u))
		return NRC_TIME_DELAY_NOT_EXPIRED;
	for (size_t i = 0; i < sizeof(u->seed); i++)
		u->seed[i] = (uint8_t)bf_rng_next(&u->rng);
	u->seed_out = true;
	bf_out_u8(&u->out, REQUEST_ACCEPTED);
	bf_out_bytes(&u->out, indicator, sizeof(indicator));
	bf_out_be16(&u->out, sizeof(u->seed));
	bf_out_bytes(&u->out, u->seed, sizeof(u->seed));
	bf_out_be16(&u->out, 0);
	return NRC_NONE;
}

static enum bf_nrc take_proof(struct bf_server *u, struct bf_cur *c)
{
	const uint8_t *proof;
	enum bf_nrc nrc;

	if (!is_ours(c))
		return NRC_REQUEST_OUT_OF_RANGE;
	if (bf_cur_be16(c) != BF_ED25519_SIG_LEN)
		return NRC_OWNERSHIP_FAILED;
	proof = bf_cur_bytes(c, BF_ED25519_SIG_LEN);
	if (!proof || bf_cur_be16(c) || bf_cur_be16(c) || bf_cur_left(c) || c->failed)
		return NRC_INCORRECT_LENGTH;
	nrc = bf_server_judge(u, "bmsflash-uds-29", VERIFY_PROOF, proof, NRC_OWNERSHIP_FAILED);
	if (nrc)
		return nrc;
	bf_out_u8(&u->out, AUTHENTICATION_COMPLETE);
	bf_out_bytes(&u->out, indicator, sizeof(indicator));
	bf_out_be16(&u->out, 0);
	return NRC_NONE;
}

enum bf_nrc bf_server_authentication(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	if (bf_pack_opts(u->pack)->auth != 0x29)
		return NRC_SERVICE_NOT_SUPPORTED;
	switch (sub) {
	case DE_AUTHENTICATE:
		u->unlocked = u->seed_out = false;
		bf_out_u8(&u->out, DE_AUTHENTICATED);
		return NRC_NONE;
	case REQUEST_CHALLENGE:
		return give_challenge(u, c);
	case VERIFY_PROOF:
		return take_proof(u, c);
	case CONFIGURATION:
		bf_out_u8(&u->out, ACR_ASYMMETRIC);
		return NRC_NONE;
	}
	return NRC_SUB_FUNCTION_NOT_SUPPORTED;
}
