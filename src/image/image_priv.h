/* SPDX-License-Identifier: MIT */
/* What the files of this folder share: the claim, its segments, and one parser for each format. */
#pragma once

#include "bmsflash/image.h"

/* ---- segments ---- */

/* A run of bytes as a parser met it; first and last are its lines, 0 in binary formats. */
struct bf_run {
	struct bf_segment seg;
	size_t first, last;
};

/* Collects runs in the order of the file, gives sorted segments. Zero-initialised is empty. */
struct bf_runs {
	struct bf_run *v;
	size_t n, cap;
	bool no_memory;
};

void bf_runs_done(struct bf_runs *runs);
/* Adds bytes that outlive the runs; grows the last run where both address and bytes continue it. */
void bf_runs_add(struct bf_runs *runs, const struct bf_segment *seg, size_t line);

/* ---- MCUboot ---- */

/* Where the parts lie that the check of the signature needs; all borrowed, NULL when absent. */
struct bf_mcuboot {
	size_t signed_len; /* header, payload, protected TLVs: what the digest covers */
	size_t len;        /* the whole image with its TLVs */
	const uint8_t *key_hash, *key, *sig;
	size_t key_hash_len, key_len;
	const char *alien;     /* name of a signature of an algorithm that we do not check */
	const char *encrypted; /* name of the TLV that carries the payload's key */
};

bool bf_mcuboot_is(const uint8_t *p, size_t len);
enum bf_rc bf_mcuboot_parse(const uint8_t *p, size_t len, const char *name, struct bf_mcuboot *ret,
			    struct bf_meta *meta, struct bf_err *err);

/* ---- detached signatures ---- */

struct bf_minisig {
	bool prehashed; /* "ED": BLAKE2b-512 of the file is signed; "Ed": the file */
	uint8_t key_id[8];
	uint8_t sig[BF_ED25519_SIG_LEN];
	uint8_t global_sig[BF_ED25519_SIG_LEN]; /* over sig and the trusted comment */
	const char *comment;                    /* trusted comment, borrowed, not terminated */
	size_t comment_len;
};

enum bf_rc bf_minisig_parse(const char *text, size_t len, const char *name, struct bf_minisig *ret,
			    struct bf_err *err);
/*
 * version=, security-counter= and hw= of the trusted comment into meta. None from a comment that minisign made up
 * ("timestamp:... file:..."): it holds the file's name, which the signer did not mean as a statement.
 */
enum bf_rc bf_minisig_comment(const struct bf_minisig *sig, const char *name, struct bf_meta *meta,
			      struct bf_err *err);

/* ---- text ---- */

/* Length of the UTF-8 mark (byte order mark) that some editors put in front of a text. */
size_t bf_text_mark(const void *p, size_t len);

/* ---- claim ---- */

struct bf_claim {
	char *path;
	uint8_t *file; /* as read, terminated by one byte that does not count */
	size_t len;
	uint8_t *arena;  /* bytes decoded from text */
	uint8_t *joined; /* pieces brought together where the file has them out of order */
	struct bf_segment *segs;
	size_t n_segs;
	struct bf_meta meta;
	struct bf_mcuboot mcuboot; /* when meta.mcuboot */
	char *sig_path;            /* where the detached signature is, or would be */
	char *sig_text;            /* its text, NULL when there is none */
	size_t sig_len;
};

/* A parser reads claim->file and adds runs; it may allocate claim->arena. */
enum bf_rc bf_ihex_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err);
enum bf_rc bf_srec_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err);
enum bf_rc bf_vbf_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err);
bool bf_vbf_is(const uint8_t *p, size_t len);
enum bf_rc bf_elf_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err);
enum bf_rc bf_dfu_parse(struct bf_claim *claim, uint32_t addr, struct bf_runs *runs,
			struct bf_err *err);
enum bf_rc bf_dfuse_parse(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err);

/* ---- makers' headers and containers ---- */

bool bf_jk_is(const uint8_t *p, size_t len);
/* Of what bf_jk_is() has found to be one. */
void bf_jk_describe(const uint8_t *p, struct bf_meta *ret);
bool bf_vanmoof_is(const uint8_t *p, size_t len);
enum bf_rc bf_vanmoof_parse(const uint8_t *p, size_t len, const char *name, struct bf_meta *ret,
			    struct bf_err *err);
uint32_t bf_vanmoof_base(void);

#define BF_CONTAINER_MAX ((size_t)1 << 20) /* bytes that come out of one */
bool bf_container_is_named(const char *path);
/* *ret is freed by the caller. now_us: wall time; 0: not known, and no time limit is checked. */
enum bf_rc bf_container_open(const uint8_t *file, size_t len, const char *name,
			     const char *key_path, int64_t now_us, uint8_t **ret, size_t *ret_len,
			     struct bf_err *err);
/* The same behind the cipher. */
enum bf_rc bf_container_unpack(const uint8_t *plain, size_t len, const char *name, int64_t now_us,
			       uint8_t **ret, size_t *ret_len, struct bf_err *err);

/* A region of a backup: its bytes as they were, whatever they are; describes an MCUboot image in it. */
struct bf_claim *bf_claim_region(const uint8_t *data, size_t len, const char *name, uint32_t addr,
				 uint32_t alt);
/* key: which of the ring's verified it, NULL: none did. */
struct bf_key;
struct bf_image *bf_image_new(struct bf_claim *take_claim, const char *key_name,
			      const struct bf_key *key);

/*
 * Sorts the runs into claim->segs. Refuses overlaps, and runs that add up to more than the file: no format makes bytes
 * out of nothing.
 */
enum bf_rc bf_claim_settle(struct bf_claim *claim, struct bf_runs *runs, struct bf_err *err);

/* Whether the file ends in a DFU suffix; *ret_sound says whether its CRC holds. */
bool bf_dfu_suffix(const uint8_t *p, size_t len, bool *ret_sound);

/* ---- keys ---- */

enum bf_key_kind { BF_KEY_PEM, BF_KEY_MINISIGN };

/* A PEM key checks MCUboot images, a minisign key detached signatures: each what it was made for. */
struct bf_key {
	enum bf_key_kind kind;
	char name[64]; /* base name of its file */
	uint8_t pk[BF_ED25519_PK_LEN];
	uint8_t id[8];                 /* minisign */
	uint8_t sha256[BF_SHA256_LEN]; /* PEM: of the SubjectPublicKeyInfo in DER */
	uint8_t sha512[BF_SHA512_LEN];
};

#define BF_SPKI_LEN 44 /* RFC 8410: 12 bytes of frame, 32 of key */
bool bf_spki_parse(const uint8_t *der, size_t len, uint8_t ret_pk[BF_ED25519_PK_LEN]);
enum bf_rc bf_key_parse(const char *text, size_t len, const char *name, struct bf_key *ret,
			struct bf_err *err);

struct bf_keyring {
	struct bf_key *keys;
	size_t n;
};

#define BF_KEY_ID_TEXT 20
/* As minisign prints it: the identifier is a little-endian number, in upper-case hex. */
char *bf_minisign_id_text(const uint8_t id[8], char dst[BF_KEY_ID_TEXT]);
/* What people compare: minisign's own number, or the first 8 bytes of a PEM key's SHA-256. */
char *bf_key_id_text(const struct bf_key *key, char dst[BF_KEY_ID_TEXT]);
/* "release.pub.pem (ba9d7879..), line2.pub (...)", cut short with "..." */
char *bf_keyring_text(const struct bf_keyring *ring, enum bf_key_kind kind, char *dst, size_t cap);

/* ---- image ---- */

struct bf_image {
	struct bf_claim *claim;
	char key_name[64];
	char key_id[BF_KEY_ID_TEXT]; /* empty: no key verified it */
	uint8_t file_sha256[BF_SHA256_LEN];
	size_t size;
};

enum bf_rc bf_mcuboot_verify(const struct bf_claim *claim, const struct bf_keyring *ring,
			     const struct bf_key **ret_key, struct bf_err *err);
enum bf_rc bf_minisig_verify(struct bf_claim *claim, const struct bf_keyring *ring,
			     const struct bf_key **ret_key, struct bf_err *err);

/* ---- the rest ---- */

#define BF_SHA1_LEN 20
/* For UUIDs of version 5 alone (RFC 4122 asks for it); nothing here trusts it. */
void bf_sha1(uint8_t out[BF_SHA1_LEN], const void *p, size_t len);
