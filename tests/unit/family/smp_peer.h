/* SPDX-License-Identifier: MIT */
/*
 * A device behind tests/fake's stream that answers SMP in console framing as a test asks, on virtual time. It keeps
 * what was uploaded and does what the members say; what it answers to the other questions is text in its table of
 * CBOR in hex, or a recorded dialogue.
 */
#pragma once

#include "bmsflash/family.h"
#include "fake.h"
#include "link/smp_serial_codec.h"
#include "smp/smp.h"

#define PEER_MEM 65536u

struct smp_peer {
	struct bf_clock *clock;
	struct fake *line;
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_proto *proto;
	struct smp *s;
	struct bf_err err;

	/* habits */
	const char *list, *params, *info, *slots; /* answers in hex; NULL: rc 8 */
	const char *boot, *boot_mode;             /* who it is, and its mode */
	bool knows_sha;
	size_t align;          /* bytes below are dropped; 0: none */
	bf_time erase;         /* in the answer to offset 0 */
	unsigned lose_request; /* upload number so and so (from 1) is not heard */
	unsigned lose_answer;  /* ... its answer is not */
	unsigned forget_at;    /* ... before it the device restarts */
	unsigned refuse_at;    /* ... is refused: rc 3 */
	bool match_false;

	/* what happened */
	uint8_t mem[PEER_MEM], sha[32];
	size_t len, next;
	bool has_sha;
	unsigned uploads, erases, asked; /* asked: requests of all kinds */
	size_t longest;                  /* packet */
	uint8_t state[128];              /* body of the last state that was set */
	size_t state_len;
	struct bf_smp_console in;
	uint8_t rx[20000];
	bf_time busy_until;
};

/* Opened and its link, at a profile with board and console framing. */
struct smp_peer *smp_peer_new(void);
struct smp_peer *smp_peer_free(struct smp_peer *k);
BF_DEFINE_CLEANUP(smp_peer, smp_peer_free)
/* Fails the test, showing the record, unless rc is what is wanted. */
void smp_peer_expect(struct smp_peer *k, enum bf_rc rc, enum bf_rc want);
/* Answers with the packet's header as the answer to this request and a body. */
void smp_peer_answer(struct smp_peer *k, const uint8_t *request, const uint8_t *body, size_t len,
		     bf_time after);
