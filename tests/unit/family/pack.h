/* SPDX-License-Identifier: MIT */
/*
 * A UDS server that does what a table says, on virtual time, over HDLC, ISO 14230 or ISO-TP.
 *
 *	static const struct pack_rule rules[] = {
 *		{ "3e00", "7e00" },             answered after 5 ms
 *		{ "1002", "-", 1 },             the first time: silence
 *		{ "1002", "7f1078 @900:5002" }, afterwards: pending, and 900 ms later the answer
 *		{ "36*", "76" },                any request that begins so
 *		{ NULL },
 *	};
 *
 * In an answer "??" repeats the second byte of the request (a block counter).
 */
#pragma once

#include "bmsflash/family.h"
#include "family/uds/uds_profile.h"
#include "wire.h"

struct pack_rule {
	const char *request; /* hex; a '*' at the end: anything may follow */
	const char *answers;
	unsigned times; /* uses, 0: without end */
};

enum pack_over { PACK_HDLC, PACK_KLINE, PACK_CAN };

struct pack {
	struct wire *w;
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_proto_env env;
	struct bf_proto *p;
	enum pack_over over;
	const struct pack_rule *rules;
	unsigned used[64];
	char log[8192]; /* requests as hex, the first 16 bytes of each, each followed by a blank */
	unsigned heard, present;         /* requests, those among them that are 3E 80 */
	uint32_t frame_id, heard_id[64]; /* CAN: identifiers of the first messages heard */
	uint8_t st_min;                  /* CAN: separation time that it asks for */
	uint32_t answer_id;              /* CAN: that it answers with, 0: 7E8 */
	bool answers_above;              /* CAN: with the identifier of the request and 8 */
	uint32_t deaf_to;                /* CAN: frames with this identifier are not heard */
	unsigned alive;
	char alive_what[80];
	uint32_t works_up_to; /* baud at which the line still works, 0: any */
	uint32_t rate;        /* that the server listens at */
	struct bf_err err;
	uint8_t rx[70000];
	size_t rx_have;
};

struct pack *pack_new(enum pack_over over, const struct pack_rule *rules);
/* As pack_new, with a profile that names the routines of bmsflash-uds(7), FF01 excepted. */
struct pack *pack_named_new(enum pack_over over, const struct pack_rule *rules);
/* [uds], [routines] and [identifiers] of its profile. */
struct bf_uds_profile *pack_keys(struct pack *k);
struct pack *pack_free(struct pack *k);
BF_DEFINE_CLEANUP(pack, pack_free)
/* Other rules from now on, with a fresh log. */
void pack_rules(struct pack *k, const struct pack_rule *rules);
/* Makes it known as a server of bmsflash-uds(7), by its identifiers; the rules and the log stay as they were. */
void pack_is_ours(struct pack *k);
bf_time pack_now(const struct pack *k);
/* Fails the test, showing the record, unless rc is what is wanted. */
void pack_expect(struct pack *k, enum bf_rc rc, enum bf_rc want);
