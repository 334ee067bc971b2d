/* SPDX-License-Identifier: MIT */
/*
 * What is to be written, and whether it may be.
 *
 * A file becomes a claim: parsed, bounds-checked, believed in nothing. A claim and a keyring become an
 * image: the only type that the code which writes flash accepts, made only by bf_image_verify() and
 * bf_image_from_backup(). Nothing is allocated by an untrusted length; files with holes stay a list of
 * segments.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/clock.h"
#include "bmsflash/crypto.h"
#include "bmsflash/err.h"

#define BF_IMAGE_FILE_MAX ((size_t)64 << 20)

enum bf_format {
	BF_FORMAT_MCUBOOT,
	BF_FORMAT_RAW,
	BF_FORMAT_IHEX,
	BF_FORMAT_SREC,
	BF_FORMAT_ELF,
	BF_FORMAT_DFU, /* DFU 1.1 suffix around something */
	BF_FORMAT_DFUSE,
	BF_FORMAT_VBF,     /* Volvo and Ford: header in text, blocks with addresses */
	BF_FORMAT_JK,      /* raw binary with the header of JK (Jikong); names no place */
	BF_FORMAT_VANMOOF, /* raw binary with the header of VanMoof; its place is part of the format */
	BF_FORMAT_COUNT
};
const char *bf_format_name(enum bf_format format);

struct bf_version {
	uint8_t major, minor;
	uint16_t revision;
	uint32_t build;
};
/* <0, 0, >0; build counts last */
int bf_version_cmp(const struct bf_version *a, const struct bf_version *b);
/* "1.5.0" or "2.1.0+42"; strict */
bool bf_version_parse(const char *text, struct bf_version *ret);
#define BF_VERSION_TEXT 32
char *bf_version_text(const struct bf_version *v, char dst[BF_VERSION_TEXT]);

/*
 * Sorted by alt and address, not overlapping. An MCUboot image is one segment of exactly its length
 * (header to last TLV, without the padding and trailer of a padded slot, which no signature covers). It
 * names no place: alt is 0 and the address is that of --addr (meta.has_addr), else 0.
 */
struct bf_segment {
	uint32_t addr;
	uint32_t alt;        /* DfuSe target's alternate setting, else 0 */
	const uint8_t *data; /* borrowed from the claim or image */
	size_t len;
};

struct bf_dependency {
	uint8_t image;
	struct bf_version min;
};
#define BF_MAX_DEPS 4

/* What an image says about itself; trusted only as part of a struct bf_image. */
struct bf_meta {
	enum bf_format format;
	bool mcuboot; /* an MCUboot image, in whatever file format */
	bool has_version, has_counter, has_vid, has_cid, has_hw;
	struct bf_version version;
	uint32_t counter;
	uint8_t vid[16], cid[16];
	char hw[48];            /* minisign: hw=NAME; or of a maker's header */
	bool major_is_hardware; /* a pack that runs another major version is another hardware */
	bool wants_newer;       /* the maker lets nobody write the version that runs */
	struct bf_dependency deps[BF_MAX_DEPS];
	size_t n_deps;
	uint8_t digest[64]; /* mcuboot: the digest TLV; else SHA-256 over the segments' bytes */
	size_t digest_len;
	uint32_t flags; /* mcuboot header flags */
	uint32_t load_addr;
	size_t padded_to; /* mcuboot: size of the padded slot the file holds, 0 if not padded */
	bool pure;        /* signature over raw bytes */
	bool legacy;      /* minisign's form "Ed", which signs the file itself and not its hash */
	char note[160];   /* what was passed over in the file, for people; empty: nothing */
	uint16_t usb_vid, usb_pid; /* signed DFU suffix; FFFF: any */
	bool has_addr; /* the user said where the segment goes: --addr, for raw binaries and MCUboot images */
	/*
	 * What an unsigned container said about the MCUboot image in it: the address of a HEX, S-record, ELF or DfuSe
	 * file, the alternate setting of a DfuSe file, the numbers of a DFU suffix. Anybody can change these without the
	 * key, so that they are restrictions only: they may refuse a place or a device, and never choose the one or prove
	 * the other.
	 */
	bool container_has_addr, container_has_alt;
	uint32_t container_addr, container_alt;
	uint16_t container_usb_vid, container_usb_pid; /* FFFF: any */
};

#define BF_VANMOOF_MODEL "VM13-147"
/* Names of one hardware, as makers write them: '-' and '_' do not count. */
bool bf_hw_same(const char *a, const char *b);

/* USB numbers that the ROM loader of every chip of a kind, or an example, shows: they name no pack. */
bool bf_usb_is_anybodys(uint16_t vid, uint16_t pid);

/* UUIDv5 (RFC 4122) as imgtool makes them: vendor name in the DNS namespace, class in the vendor's. */
void bf_uuid_vendor(const char *vendor, uint8_t ret[16]);
void bf_uuid_class(const uint8_t vid[16], const char *class_name, uint8_t ret[16]);

/* ---- claim ---- */

struct bf_claim; /* opaque, untrusted */

struct bf_claim_opts {
	bool has_addr;
	uint32_t addr;        /* --addr, for raw binaries and MCUboot images */
	const char *sig_path; /* NULL: FILE.minisig */
	const char
		*container_key; /* file with the key of an encrypted container; NULL or "": none */
	struct bf_clock *
		clock; /* real: waits for a pipe's bytes, up to the deadline; NULL: pipes are refused */
	bf_time deadline;
};

/*
 * Reads and parses; recognises the format by content, what is left is raw and needs an address.
 * BF_E_IMAGE; BF_E_USAGE for an address where the format has its own, which is signed; BF_E_SIGNATURE for a signature
 * file that is there but unreadable. An MCUboot image has its own signature: a detached one is not read.
 */
enum bf_rc bf_claim_load(const char *path, const struct bf_claim_opts *opts, struct bf_claim **ret,
			 struct bf_err *err);
/* The same from memory: what the fuzz targets drive. sig may be NULL. */
enum bf_rc bf_claim_parse(const uint8_t *file, size_t len, const char *name, const uint8_t *sig,
			  size_t sig_len, const struct bf_claim_opts *opts, struct bf_claim **ret,
			  struct bf_err *err);
struct bf_claim *bf_claim_free(struct bf_claim *claim); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_claim, bf_claim_free)
size_t bf_claim_segments(const struct bf_claim *claim, const struct bf_segment **ret);
/* The fingerprint of the key that signed it, as it says itself: the first 8 bytes in hex. NULL: it says none. */
#define BF_SIGNER_TEXT 20
const char *bf_claim_signer(const struct bf_claim *claim, char dst[BF_SIGNER_TEXT]);
const struct bf_meta *bf_claim_meta(const struct bf_claim *claim); /* as claimed, for messages */

/* ---- keys ---- */

struct bf_keyring; /* opaque */

struct bf_keyring *bf_keyring_new(void);
struct bf_keyring *bf_keyring_free(struct bf_keyring *ring);
BF_DEFINE_CLEANUP(bf_keyring, bf_keyring_free)
/* A PEM SubjectPublicKeyInfo (Ed25519) or a minisign public key, told apart by content; a folder: all
 * *.pem and *.pub files in it. BF_E_SIGNATURE when unreadable or of another kind; an unreadable file
 * in a folder is an error too. */
enum bf_rc bf_keyring_add(struct bf_keyring *ring, const char *path, struct bf_err *err);
enum bf_rc bf_keyring_add_text(struct bf_keyring *ring, const char *text, size_t len,
			       const char *name, struct bf_err *err);
size_t bf_keyring_count(const struct bf_keyring *ring);

/* ---- image ---- */

struct bf_image; /* opaque, trusted */

/*
 * Checks digest and signature. Consumes the claim whatever happens. BF_E_SIGNATURE with the reason
 * (none, another algorithm, damaged, key not trusted: which key hash); BF_E_IMAGE for what no signature
 * can mend (not bootable, encrypted payload that we cannot check).
 */
enum bf_rc bf_image_verify(struct bf_claim *take, const struct bf_keyring *ring,
			   struct bf_image **ret, struct bf_err *err);
struct bf_image *bf_image_free(struct bf_image *image);
BF_DEFINE_CLEANUP(bf_image, bf_image_free)

const struct bf_meta *bf_image_meta(const struct bf_image *image);
size_t bf_image_segments(const struct bf_image *image, const struct bf_segment **ret);
size_t bf_image_size(const struct bf_image *image); /* sum of segment lengths */
const char *bf_image_path(const struct bf_image *image);
const char *bf_image_key_name(const struct bf_image *image); /* which key verified it */
/* Its fingerprint, for people to compare; NULL: no key verified it. */
const char *bf_image_key_id(const struct bf_image *image);
/* SHA-256 over the whole file as read, for the record. */
const uint8_t *bf_image_file_sha256(const struct bf_image *image);

struct bf_backup; /* bmsflash/backup.h */
struct bf_backup_row;
/*
 * A region of a checked backup becomes writable again, at its address and alternate setting in the manifest.
 * From an archive that is neither sealed nor of this run's own making: what a key of the ring (may be NULL) has
 * signed, cut to what is signed, or, where the user accepted the archive, any bytes, as "unsigned" and without
 * hardware or counter. Else BF_E_SIGNATURE. Copies the bytes.
 */
enum bf_rc bf_image_from_backup(const struct bf_backup *b, const struct bf_backup_row *row,
				const struct bf_keyring *ring, struct bf_image **ret,
				struct bf_err *err);

/*
 * Length of the MCUboot image that starts at p (header + payload + TLVs), 0 when there is none: how
 * much of a slot is worth reading. Needs the first 32 bytes; *ret_tlv_at (may be NULL) is where the TLV
 * area starts. A result above len means: read that much and ask again, until it is not; the full length
 * is known once `len` covers the headers of both TLV areas.
 */
size_t bf_mcuboot_extent(const uint8_t *p, size_t len, size_t *ret_tlv_at);
