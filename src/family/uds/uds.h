/* SPDX-License-Identifier: MIT */
/* The UDS dialogue: shared between its files, for nobody else. */
#pragma once

#include "bmsflash/bytes.h"
#include "bmsflash/link.h"
#include "bmsflash/family.h"
#include "uds_codec.h"
#include "uds_profile.h"

#define UDS_MSG_MAX         65535
#define UDS_WRITTEN         64
#define UDS_FUNCTIONAL      0x100 /* of uds_ask.functional: whatever the profile says */
#define UDS_PIECE_HEAD      2     /* SID and block counter count in maxNumberOfBlockLength */
#define UDS_SESSION_DEFAULT 0x01
#define UDS_S3              BF_SEC(5) /* after which a server without requests ends its session */

enum uds_transfer { UDS_IDLE, UDS_DOWNLOADING };

/* Identifiers of bmsflash-uds(7): a server that has one of them, at these numbers, is such a server. */
#define UDS_DID_IDS      0xFD01
#define UDS_DID_MAP      0xFD03
#define UDS_DID_TRANSFER 0xFD06

/* Routines by what they are for; their numbers come from the profile, or from bmsflash-uds(7). */
enum uds_routine {
	UDS_R_ERASE,
	UDS_R_CHECK_DEPS,
	UDS_R_CHECK_MEMORY,
	UDS_R_STATE,
	UDS_R_ACTIVATE,
	UDS_R_CONFIRM,
	UDS_R_REVERT,
	UDS_R_HASH,
	UDS_R_SELF_TEST,
	UDS_R_BALANCE,
	UDS_R_COUNT
};

enum uds_knows { UDS_NOT_ASKED, UDS_KNOWS, UDS_REFUSES, UDS_SILENT };

struct uds {
	struct bf_proto proto;
	struct bf_link *link;       /* NULL until a framing was found */
	struct bf_link *functional; /* to all nodes; NULL until it is needed */
	uint8_t session;            /* that we believe in */
	bool unlocked;              /* ... and that it is unlocked */
	bool reentering;
	bool ours; /* it has the identifiers of bmsflash-uds(7), so its routines mean what that page says */
	bool deaf;           /* it says nothing to requests that it does not know */
	uint8_t level;       /* of security access that is being asked for, 0: the profile's */
	enum bf_talks talks; /* as last identified */
	bool app_told;       /* an application told its version to this instance */
	bool prepared;  /* the maker's steps before programming were done since the last restart */
	bool at_loader; /* the link is to the bootloader's own identifiers */
	bool waking;    /* frames of [wake] go out while it is waited for */
	bool driver_loaded, loading_driver;
	bool reading; /* entered to read memory: nothing is written, and no driver is needed */
	bool wrote;   /* something since the last restart */
	bool after_write_ran;
	bool blocks_checked; /* each segment was, after its download */
	bf_time next_tick[BF_PROFILE_PERIODICS],
		next_wake; /* when the next periodic frame is due */
	uint32_t read_max; /* bytes that one 23 asks for; 0: not tried */
	/* what was downloaded since the last restart, for checks and steps; `segment` is the one that is open */
	struct bf_template_values segment, written[UDS_WRITTEN];
	size_t n_written;
	bool no_level;              /* it has service 27, but not the level that we asked for */
	enum uds_knows session_did; /* whether it tells its session */
	uint8_t accepted[32]; /* services with a positive answer in this session, a bit each */
	bf_time p2, p2_star;
	bf_time last_sent, last_heard;
	bf_time last_present; /* last 10 or 3E: all that counts for servers with a narrow view of S3 */
	bool narrow_s3;       /* it lost a session between requests: 10 and 3E alone keep one */
	bf_time turnaround;   /* of its short answers since the last restart, a moving mean */
	unsigned turnarounds; /* so many of them */
	bf_time ask_until;    /* end of all patience with the request that is out */
	bf_time asked_at;
	unsigned pendings; /* "response pending" heard for it */
	bool gave_up;      /* it ended so */
	unsigned strays;   /* requests given up whose answer may still come */
	size_t safe_len;   /* messages up to this length get through, as far as we have seen */
	unsigned safe_runs;
	bool fingerprinted;
	uint32_t write_unit; /* largest of the regions, as last identified; 0: unknown */

	uint32_t rate, default_rate; /* bit/s: baud, or the bus's arbitration rate; 0 unknown */
	uint32_t default_dbitrate;

	bf_time restarted_at;
	bool silence_seen; /* nothing answered since the restart: it really went */
	uint8_t session_before;

	/* the transfer that is under way */
	enum uds_transfer transfer;
	uint8_t counter;
	size_t block_len;      /* of the block that is out, 0: none */
	int64_t block_saved;   /* bytes that compression kept off the wire */
	size_t block_at;       /* where it begins, from target.from */
	size_t block_end;      /* what is confirmed once it is answered, from target.from */
	enum bf_rc block_sent; /* how sending it went */
	struct bf_err block_err;
	uint32_t block_max; /* message length that the device takes, with SID and counter */

	/* a compressed one, uds_pack.c */
	uint32_t unpacked_max; /* of one block */
	struct bf_packer *packer;
	const uint8_t *plain; /* what is sent, of the target's image; NULL: not compressed */
	size_t plain_len;
	uint32_t target_addr;                     /* of the download */
	size_t packed_at, packed_len, packed_for; /* the block made ready; len 0: none */
	uint8_t packed[UDS_MSG_MAX];

	uint8_t rx[UDS_MSG_MAX];
	size_t rx_len;
	uint8_t tx[UDS_MSG_MAX];
	size_t tx_len;
};

static inline struct uds *uds_of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct uds, proto);
}
static inline const struct bf_profile *uds_profile(const struct uds *u)
{
	return u->proto.env.profile;
}
static inline const struct bf_uds_profile *uds_keys(const struct uds *u)
{
	return bf_profile_family(uds_profile(u), "uds");
}
static inline struct bf_clock *uds_clock(const struct uds *u)
{
	return u->proto.env.transport->clock;
}

/* ---- uds_request.c: everything that is sent and received goes through here ---- */

struct uds_ask {
	const uint8_t *head; /* service and what follows */
	size_t head_len;
	const uint8_t *tail; /* more of the same, borrowed */
	size_t tail_len;
	size_t match;   /* bytes after the service that the answer repeats */
	size_t min_len; /* shortest positive answer in all; 0: 1 + match */
	size_t expect;  /* likely length of the answer where that is long; 0: short */
	enum bf_retry_class rclass;
	bool once;      /* a poll: not repeated and not counted */
	unsigned tries; /* fewer than its class has; 0: as the class says */
	unsigned
		functional; /* enum bf_functional: goes to all nodes where the profile has that bit */
	bf_time patience;   /* how long to wait for the answer; 0: as the server promised (P2) */
	bf_time limit; /* for all answers to it, pending ones too; 0: the profile's for any request */
	bool secret;   /* hidden from traces */
	const char *what; /* completes "asking the pack to ..." */
};

/* Sends a request and waits for its answer. *ret starts behind the repeated bytes; it is valid until
 * the next request. ret may be NULL. */
enum bf_rc bf_uds_ask(struct uds *u, const struct uds_ask *ask, struct bf_cur *ret,
		      struct bf_err *err);
/* The two halves, for the block that is out; both work on u->tx. */
enum bf_rc bf_uds_send(struct uds *u, const struct uds_ask *ask, struct bf_err *err);
/* How long a server needs for a request that it does not answer. 0: not measured yet. */
bf_time bf_uds_turnaround(const struct uds *u);
enum bf_rc bf_uds_collect(struct uds *u, const struct uds_ask *ask, struct bf_cur *ret,
			  struct bf_err *err);
/* As bf_uds_ask without sending first: answers that fail are repeated by the ask's class. */
enum bf_rc bf_uds_finish(struct uds *u, const struct uds_ask *ask, enum bf_rc sent,
			 struct bf_cur *ret, struct bf_err *err);
/* True when the failure is the device's own refusal with this code. */
bool bf_uds_refused(const struct bf_err *err, unsigned nrc);
bool bf_uds_lacks(const struct bf_err *err);        /* refused because it does not have that */
void bf_uds_alive(struct uds *u, const char *what); /* "waiting for the pack to WHAT" */

/* Short forms. */
/* The failure of a routine that this server does not have is BF_E_UNSUPPORTED, in whatever way it said
 * so. */
enum bf_rc bf_uds_optional(enum bf_rc rc, struct bf_err *err);
enum bf_rc bf_uds_read_did(struct uds *u, uint16_t did, struct bf_cur *ret, struct bf_err *err);
/* As bf_uds_ask for what a server may well not have: a refusal, and silence of a server that answers other
 * requests, leave *ret empty and are no failure. *ret_knows may be NULL. */
enum bf_rc bf_uds_try(struct uds *u, const struct uds_ask *ask, struct bf_cur *ret,
		      enum uds_knows *ret_knows, struct bf_err *err);
enum bf_rc bf_uds_try_did(struct uds *u, uint16_t did, struct bf_cur *ret,
			  enum uds_knows *ret_knows, struct bf_err *err);
/* True when no answer means that the server does not have it: it answers other requests, and it is no server of
 * bmsflash-uds(7), which would have said so. */
bool bf_uds_silent(struct uds *u, enum bf_rc rc);
/* After a refusal: is it for want of a session that we had? Sets err->dev_forgot. */
void bf_uds_settle(struct uds *u, const struct uds_ask *ask, struct bf_err *err);
/* 3E 80, when the last 10 or 3E was long ago; whatever else was sent since does not count. */
enum bf_rc bf_uds_present(struct uds *u, struct bf_err *err);

/* The number of a routine that may be started on this server, 0: none. FF00 and FF01 are the standard's; all
 * others are only started where the profile names them or the server is one of bmsflash-uds(7). */
uint16_t bf_uds_rid(const struct uds *u, enum uds_routine which);
bool bf_uds_rid_named(const struct uds *u, enum uds_routine which); /* by the profile */
/* 31 01 rid option; *ret starts behind the rid: at the status byte, where the server gives one. */
enum bf_rc bf_uds_run_routine(struct uds *u, enum uds_routine which, const struct bf_out *option,
			      enum bf_retry_class rclass, const char *what, struct bf_cur *ret,
			      struct bf_err *err);
/* True for a status that means success, and for none at all. */
bool bf_uds_good_status(const struct uds *u, struct bf_cur *c, uint8_t *ret_status);

/* ---- uds_session.c ---- */
/* --node on this wire: obeyed, or refused; asked before anything is sent. */
enum bf_rc bf_uds_check_node(const struct bf_proto_env *env, struct bf_err *err);
enum bf_rc bf_uds_need_link(struct uds *u, struct bf_err *err);
enum bf_rc bf_uds_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err);
enum bf_rc bf_uds_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err);
enum bf_rc bf_uds_to_loader(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_uds_ping(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_uds_keepalive(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_uds_restart(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_uds_await(struct bf_proto *p, bf_time deadline, struct bf_err *err);
void bf_uds_leave(struct bf_proto *p);

/* ---- uds_steps.c: what a maker's loader wants beside the standard's requests ---- */
/* A template becomes bytes: of this segment, or NULL. */
void bf_uds_fill(const struct uds *u, const char *template, const struct bf_template_values *v,
		 struct bf_out *ret);
/* What is downloaded: where, how much, which block, its checksums. */
void bf_uds_note_segment(struct uds *u, uint32_t addr, const uint8_t *data, size_t len,
			 struct bf_template_values *ret);
enum bf_rc bf_uds_steps(struct uds *u, enum bf_step_when when, const struct bf_template_values *v,
			struct bf_err *err);
enum bf_rc bf_uds_load_driver(struct uds *u, struct bf_err *err);

/* ---- uds_wake.c: frames that go out by the clock, and the initialisation of K-lines ---- */
bf_time bf_uds_next_tick(const struct uds *u); /* when bf_uds_tick has something to do next */
void bf_uds_tick(struct uds *u);               /* sends what is due */
enum bf_rc bf_uds_begin_line(struct uds *u, struct bf_err *err);

/* ---- uds_explain.c ---- */
void bf_uds_explain(const struct bf_profile *pf, bf_explain_fn *line, void *ctx);

/* ---- uds_identify.c ---- */
enum bf_rc bf_uds_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err);
enum bf_rc bf_uds_state(struct bf_proto *p, struct bf_ident *update, struct bf_err *err);
enum bf_rc bf_uds_measure(struct bf_proto *p, struct bf_measure *ret, struct bf_err *err);

/* ---- uds_security.c, uds_authentication.c, uds_rate.c ---- */
#define UDS_KEY_MAX 1024
struct uds_key { /* to be wiped */
	uint8_t bytes[UDS_KEY_MAX];
	size_t len;
};
/* Has whoever answers challenges answer this one; the cursor's bytes may be gone afterwards. */
enum bf_rc bf_uds_make_key(struct uds *u, uint8_t service, unsigned level, struct bf_cur *seed,
			   struct uds_key *ret, struct bf_err *err);
/* A question that was refused because of a lock-out is asked again, a few times, until that is over. */
typedef enum bf_rc uds_question(struct uds *u, struct bf_cur *ret, struct bf_err *err);
enum bf_rc bf_uds_wait_lockout(struct uds *u, uds_question *question, struct bf_cur *ret,
			       struct bf_err *err);
bool bf_uds_is_locked(const struct bf_uds_profile *keys); /* by what the profile says */
enum bf_rc bf_uds_prove_ownership(struct uds *u, struct bf_err *err);
enum bf_rc bf_uds_authenticate(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_uds_wire_rate(struct uds *u, uint32_t rate, struct bf_err *err); /* our end alone */
/* One level of security access, in the session that is open. */
enum bf_rc bf_uds_unlock(struct uds *u, uint8_t level, struct bf_err *err);
enum bf_rc bf_uds_set_rate(struct bf_proto *p, uint32_t rate, struct bf_err *err);
void bf_uds_default_rate(struct bf_proto *p);
void bf_uds_note_rate(struct uds *u); /* at open: the rate that the wire has */

/* ---- uds_download.c, uds_upload.c ---- */
enum bf_rc bf_uds_erase(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			uint32_t size, struct bf_err *err);
enum bf_rc bf_uds_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			struct bf_err *err);
enum bf_rc bf_uds_block_start(struct bf_proto *p, const struct bf_block *block, struct bf_err *err);
enum bf_rc bf_uds_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err);
enum bf_rc bf_uds_end(struct bf_proto *p, struct bf_err *err);
void bf_uds_abandon(struct bf_proto *p);
/* 37 without caring for the answer: whatever transfer was under way is over. Never fails. */
void bf_uds_exit_quietly(struct uds *u);
/* True for the refusals by which servers say that a transfer is lost and may begin again. */
bool bf_uds_transfer_lost(const struct bf_err *err);
struct uds_opening {
	uint8_t sid;
	uint8_t format; /* dataFormatIdentifier */
	uint32_t addr, size;
};
/* 34 or 35; *ret: longest message of TransferData */
enum bf_rc bf_uds_open_transfer(struct uds *u, const struct uds_opening *o, uint32_t *ret,
				struct bf_err *err);
enum bf_rc bf_uds_read(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
		       uint8_t *buf, size_t len, struct bf_err *err);

/* An address or a size, in the profile's byte order. */
void bf_uds_put_number(const struct uds *u, struct bf_out *o, uint32_t v, unsigned bytes);

/* ---- uds_pack.c ---- */
enum bf_rc bf_uds_read_transfer_ways(struct uds *u, struct bf_ident *id, struct bf_err *err);
/* The dataFormatIdentifier to ask for; not 0: blocks are packed from now on. */
uint8_t bf_uds_pack_format(struct uds *u, const struct bf_target *target);
void bf_uds_pack_refused(struct uds *u); /* it promised and does not: never again */
/* Plain bytes to offer for one packed block, where plain_max fit unpacked. */
uint32_t bf_uds_unpacked_max(const struct uds *u, uint32_t plain_max);
/* Packs the next block while this one, of which len bytes were taken, is on its way. */
void bf_uds_pack_ahead(struct uds *u, const struct bf_block *block, size_t len);
/* Packs a block: its data becomes what goes over the wire, of *ret_len bytes, its len what that stands for. */
enum bf_rc bf_uds_pack_block(struct uds *u, struct bf_block *block, size_t *ret_len,
			     struct bf_err *err);

/* ---- uds_routines.c ---- */
/* check-memory of one segment. */
enum bf_rc bf_uds_check_segment(struct uds *u, const struct bf_template_values *v,
				struct bf_err *err);
/* False when the server says that it has no such routine. */
bool bf_uds_has_hash(struct uds *u, uint32_t addr, uint32_t size);
enum bf_rc bf_uds_hash(struct bf_proto *p, uint32_t addr, uint32_t size, uint8_t ret[BF_SHA256_LEN],
		       struct bf_err *err);
enum bf_rc bf_uds_hash_units(struct bf_proto *p, uint32_t addr, uint32_t size, uint32_t unit,
			     uint8_t (*ret)[8], size_t n, struct bf_err *err);
enum bf_rc bf_uds_check(struct bf_proto *p, const struct bf_target *target, struct bf_err *err);
enum bf_rc bf_uds_activate(struct bf_proto *p, enum bf_activate how, struct bf_err *err);
enum bf_rc bf_uds_confirm(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_uds_revert(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_uds_self_test(struct bf_proto *p, struct bf_self_test *ret, struct bf_err *err);
enum bf_rc bf_uds_balance(struct bf_proto *p, bool *ret_ok, struct bf_err *err);
