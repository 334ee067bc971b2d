/* SPDX-License-Identifier: MIT */
/*
 * A pack in memory behind a protocol of its own: flash that must be erased before it is written, two slots
 * or one bank, trial starts, faults by script. It stands where the real protocols and wires stand, so that
 * the engine's decisions are tested and nothing else.
 */
#pragma once

#include "../unit.h"

#include "engine/phases.h"

#define PACK_SLOT  0xC000u
#define PACK_UNIT  0x1000u
#define PACK_SLOT0 0x00010000u
#define PACK_SLOT1 0x00020000u
#define PACK_CAL   0x00030000u
#define PACK_FLASH 0x00031000u
#define PACK_KNOWN 6

enum pack_kind {
	PACK_DUAL,   /* two slots, MCUboot, every capability */
	PACK_SINGLE, /* one bank at address 0 that can be read back; no trial */
	PACK_SINK,   /* one bank behind begin, blocks, finish; nothing can be read back */
	PACK_STEERED /* two banks behind a sink that says which offset it wants */
};

/* What survives a power cut. */
struct pack_flash {
	uint8_t bytes[PACK_FLASH];
	unsigned active;
	bool trial, pending;
	uint32_t counter;
	unsigned boots, reason;
	bool in_loader;
};

struct pack_known { /* firmware that the pack's processor would recognise as itself */
	const uint8_t *bytes;
	size_t len;
	struct bf_version version;
	uint32_t counter;
	uint8_t digest[64];
	size_t digest_len;
};

struct pack_fault {
	const char *op; /* NULL: none */
	unsigned nth;   /* 1: the first call */
	enum bf_rc rc;
	bool after;  /* takes effect, only the answer is lost */
	bool forgot; /* refused for want of the session, which is gone */
};

struct pack {
	struct bf_transport transport;
	struct bf_proto proto;
	struct bf_clock *clock;
	enum pack_kind kind;
	unsigned caps;
	struct pack_flash *flash;
	struct pack_known known[PACK_KNOWN];
	size_t n_known;

	/* behaviour */
	struct bf_measure measure, after; /* after: what new firmware measures */
	bool drifts;                      /* cells move between two readings */
	bool refuses_key, self_test_fails, balance_fails, new_crashes, never_returns, silent;
	bool drops_at_high_rate, one_try; /* one_try: no revert on request is honoured */
	bool no_version;
	bool bare_slot;     /* one bank that a profile calls a slot: no bank states are told */
	const char *serial; /* NULL: "SN-0042" */
	bool wipes, wipes_always, cal_fixed; /* new firmware, at its first start or at each */
	bool another_answers;                /* after a restart: a different serial number */
	unsigned window;
	uint32_t high_rate;
	struct pack_fault faults[3];
	unsigned die_at;    /* operation number at which power goes; 0: never */
	unsigned cancel_at; /* operation number at which the user stops; 0: never */
	void (*at_op)(struct pack *pack, const char *op);

	/* session */
	unsigned ops;
	unsigned calls[32];
	bool dead, session, unlocked, opened;
	uint32_t rate, target;
	size_t received, queued_end[8];
	unsigned n_queued, in_flight_seen;
	uint8_t *sink;
	size_t sink_len, bytes_read;
};

void pack_init(struct pack *pack, enum pack_kind kind, struct pack_flash *flash);
void pack_done(struct pack *pack);
/* Puts a file of tests/data/mcuboot in a slot (or the bank), erased around it. */
void pack_load(struct pack *pack, unsigned slot, const char *name);
void pack_learn(struct pack *pack, const char *name);
/* Power comes back: volatile state is lost, the boot loader decides. */
void pack_power_up(struct pack *pack);
unsigned pack_calls(const struct pack *pack, const char *op);
const struct pack_known *pack_in_slot(const struct pack *pack, unsigned slot);

/* ---- running a job on it ---- */

struct bench {
	struct pack pack;
	struct pack_flash flash;
	struct bf_job job;
	struct bf_outcome out;
	struct bf_clock *clock;
	char folder[64];
	const char *images[3];
	char image_path[256];
	const char *keys[2];
	char key_path[256];
	/* what was seen */
	unsigned events[BF_EV_KIND_COUNT];
	unsigned next_try, most_tries; /* of the last repeat */
	char failed_check[64], allowed_check[64], unknown_checks[256], checks[2048],
		last_notice[512], notices[8192];
	char file[512];
	struct bf_plan plan;
	struct bf_summary summary;
	double percent, writing_rate; /* the highest that was told */
	bool went_back_in_percent;
	const struct bf_ports *computer; /* what keeps it awake, and its battery; NULL: nothing */
};

/* The one pack that the bench's ports lead to: bf_ports carries no context. */
extern struct pack *pack_behind_the_door;
extern struct bf_proto_ops bench_stranger; /* another protocol of the same wire; no name: none */
/* Its protocol with every capability; which one answers depends on the pack's kind. */
extern const struct bf_proto_ops pack_memory_ops;

const char *data_path(char dst[256], const char *name);
void bench_init(struct bench *b, enum pack_kind kind, const char *running, const char *image);
void bench_run(struct bench *b);
/* The same pack and folder, a new run: after a power cut or a repaired fault. */
void bench_again(struct bench *b);
void bench_done(struct bench *b);

void assert_ended(const struct bench *b, enum bf_rc rc, enum bf_state state);
