/* SPDX-License-Identifier: MIT */
/* SMP (mcumgr): what the files of this family share. */
#pragma once

#include "bmsflash/bytes.h"
#include "bmsflash/family.h"
#include "bmsflash/link.h"
#include "bmsflash/text.h"
#include "family/smp/smp_profile.h"
#include "smp_cbor.h"

#define SMP_HEADER     8u
#define SMP_PACKET_MAX 16384u
#define SMP_WINDOW     8u  /* chunks on the way at most */
#define SMP_ENTRIES    16u /* of a list of images */
#define SMP_IMAGES     8u  /* numbers that a profile can name */

enum smp_op { SMP_READ = 0, SMP_WRITE = 2 };
enum smp_group { SMP_GROUP_OS = 0, SMP_GROUP_IMAGE = 1 };
enum smp_os {
	SMP_OS_ECHO = 0,
	SMP_OS_RESET = 5,
	SMP_OS_PARAMS = 6,
	SMP_OS_INFO = 7,
	SMP_OS_BOOT = 8
};
enum smp_image { SMP_IMAGE_STATE = 0, SMP_IMAGE_UPLOAD = 1, SMP_IMAGE_SLOTS = 6 };

/* Codes of a refusal: "rc" as it is; {group, rc} of version 1 with the group in the upper half, plus one. */
#define SMP_CODE(group, rc) (((group) + 1u) << 16 | (rc))
enum smp_rc {
	SMP_RC_UNKNOWN = 1,
	SMP_RC_INVALID = 3,
	SMP_RC_STATE = 6,
	SMP_RC_UNSUPPORTED = 8,
	SMP_RC_BUSY = 10,
	SMP_RC_DENIED = 11,
	SMP_RC_TOO_OLD = 12,
	SMP_RC_TOO_NEW = 13,
};
enum smp_image_rc {
	SMP_IMAGE_RC_HASH_NOT_FOUND = 8,
	SMP_IMAGE_RC_NO_FREE_SLOT = 9,
	SMP_IMAGE_RC_NEWER_RUNS = 27,
	SMP_IMAGE_RC_PENDING = 28,
	SMP_IMAGE_RC_TOO_LARGE = 30,
};

struct smp_ask {
	enum smp_op op;
	unsigned group, id;
	const struct bf_out *body; /* NULL: none */
	enum bf_retry_class rclass;
	unsigned tries;   /* 0: as the class allows */
	bf_time patience; /* 0: as the profile says */
	const char *what; /* "tell its parameters" */
};

/* One line of the list of images. */
struct smp_entry {
	unsigned image, slot;
	unsigned flags; /* bits of enum bf_slot_flag */
	bool has_version;
	struct bf_version version;
	uint8_t digest[64];
	size_t digest_len;
};

struct smp_list {
	struct smp_entry entries[SMP_ENTRIES];
	size_t n;
	bool full; /* false flags, splitStatus: only an application sends these */
};

struct smp_slot {
	bool known, has_upload_id;
	uint32_t size, upload_id;
};

struct smp_hash {
	uint8_t p[64];
	size_t len; /* 0: not known */
};

/* Where one of its images lies. */
struct smp_place {
	bool told; /* by the list, or by what it says of its slots */
	struct smp_slot slots[2];
	uint32_t max_image; /* 0: not told */
};

/* One chunk on the way. */
struct smp_chunk {
	uint8_t seq;
	size_t offset, len;
	const uint8_t *data; /* borrowed from the image */
	bf_time sent;
	bool answered;
	size_t next; /* where answered: the offset that the device wants */
};

struct smp_upload {
	bool open;
	const struct bf_image *image; /* of the target */
	const uint8_t *data;
	size_t len;
	size_t wanted; /* by the device, as far as it said */
	uint8_t sha[BF_SHA256_LEN];
	bool match_false; /* the application found other contents than were sent */
	unsigned stuck;   /* answers in a row that moved nothing */
	struct smp_chunk chunks[SMP_WINDOW];
	size_t first, n; /* ring */
	unsigned window; /* how many are tried at once now */
};

struct smp {
	struct bf_proto proto;
	struct bf_link *link;
	const struct bf_smp_profile *settings;
	bool raw;
	uint8_t version; /* of the header */
	uint8_t seq;
	bool strays; /* an answer that was given up on may still come */
	uint8_t tx[SMP_PACKET_MAX], rx[SMP_PACKET_MAX], body[SMP_PACKET_MAX];
	struct smp_doc doc; /* of the last answer; points into rx */
	uint8_t answer_version;

	/* what it told last */
	enum bf_talks talks;
	enum bf_smp_mode mode;
	bool no_downgrade;
	uint32_t buf_size;
	unsigned buf_count;
	char bootloader[48], board[48];
	struct smp_place places[SMP_IMAGES]; /* by image number */
	struct smp_list list;

	struct smp_upload upload;
	unsigned image; /* number of the one that is worked on */
	unsigned
		together; /* images that are changed in one run, numbers 0 and up; 0: that one alone */
	struct smp_hash wanted[SMP_IMAGES]; /* that is to start: by check */
	bool tested; /* in recovery an image was marked for a test boot, which that cannot confirm */
	unsigned mismatches; /* uploads that arrived damaged, in a row */
	unsigned restarts;   /* asked for since its application was heard */
	bf_time restarted_at;
	uint64_t reopened; /* times that the port came back, when it was looked at last */
};

static inline struct smp *smp_of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct smp, proto);
}

static inline const struct smp_place *smp_place(const struct smp *s)
{
	return &s->places[s->image];
}

static inline struct bf_clock *smp_clock(struct smp *s)
{
	return s->proto.env.transport->clock;
}

extern const struct bf_proto_ops bf_proto_smp_ops;
extern const struct bf_refusal bf_smp_refusals[];

/* ---- smp_request.c ---- */

void bf_smp_alive(struct smp *s, const char *what);
/* The packet with this body; seq is what the answer is known by. */
enum bf_rc bf_smp_send(struct smp *s, const struct smp_ask *ask, uint8_t seq, struct bf_err *err);
/* The next packet that answers this kind of request; *ret_seq: which. Fills s->doc. BF_E_NAK and its kin for a refusal. */
enum bf_rc bf_smp_collect(struct smp *s, const struct smp_ask *ask, uint8_t *ret_seq,
			  bf_time deadline, struct bf_err *err);
/* The failure that s->doc holds, or BF_OK. */
enum bf_rc bf_smp_refused(struct smp *s, const char *what, struct bf_err *err);
/* Asks and waits, with repeats by the class. *ret: the answer's map in s->doc; may be NULL. */
enum bf_rc bf_smp_ask(struct smp *s, const struct smp_ask *ask, const struct smp_item **ret,
		      struct bf_err *err);
/* What a device may lack: *ret is NULL then. */
enum bf_rc bf_smp_try(struct smp *s, const struct smp_ask *ask, const struct smp_item **ret,
		      struct bf_err *err);
bool bf_smp_is_refusal(const struct bf_err *err, unsigned code);

/* ---- smp_state.c ---- */

enum bf_rc bf_smp_read_list(struct smp *s, struct bf_err *err);
const struct smp_entry *bf_smp_entry(const struct smp *s, unsigned slot);
enum bf_rc bf_smp_need(struct smp *s, const struct bf_image *image, struct bf_err *err);
enum bf_rc bf_smp_check(struct bf_proto *p, const struct bf_target *target, struct bf_err *err);
enum bf_rc bf_smp_state(struct bf_proto *p, struct bf_ident *update, struct bf_err *err);
enum bf_rc bf_smp_activate(struct bf_proto *p, enum bf_activate how, struct bf_err *err);
enum bf_rc bf_smp_confirm(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_smp_revert(struct bf_proto *p, struct bf_err *err);

/* ---- smp_identify.c ---- */

enum bf_rc bf_smp_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err);
/* Slots of the image that is updated, as the list has them. */
void bf_smp_fill_slots(const struct smp *s, struct bf_ident *ret);
/* A second slot takes the upload while the first keeps its image. */
bool bf_smp_two_slots(const struct smp *s);
bool bf_smp_swaps(const struct smp *s);

/* ---- smp_upload.c ---- */

/* Bytes of the image in a request that is not the first. */
uint32_t bf_smp_chunk_max(const struct smp *s);
unsigned bf_smp_window(struct smp *s);
enum bf_rc bf_smp_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			struct bf_err *err);
enum bf_rc bf_smp_block_start(struct bf_proto *p, const struct bf_block *block, struct bf_err *err);
enum bf_rc bf_smp_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err);
enum bf_rc bf_smp_finish(struct bf_proto *p, struct bf_err *err);
void bf_smp_abandon(struct bf_proto *p);

/* ---- smp_session.c ---- */

enum bf_rc bf_smp_need_link(struct smp *s, struct bf_err *err);
enum bf_rc bf_smp_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err);
enum bf_rc bf_smp_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err);
enum bf_rc bf_smp_ping(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_smp_restart(struct bf_proto *p, struct bf_err *err);
enum bf_rc bf_smp_await(struct bf_proto *p, bf_time deadline, struct bf_err *err);
