/* SPDX-License-Identifier: MIT */
/* A file as it claims to be: which format, which bytes go where, what it says about itself. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "bmsflash/shell.h"
#include "image/textrec.h"

#define SIG_FILE_MAX 16384
#define USB_ANY      0xFFFF

const char *bf_format_name(enum bf_format format)
{
	static const char *const names[] = {
		[BF_FORMAT_MCUBOOT] = "MCUboot", [BF_FORMAT_RAW] = "raw binary",
		[BF_FORMAT_IHEX] = "Intel HEX",  [BF_FORMAT_SREC] = "S-record",
		[BF_FORMAT_ELF] = "ELF",         [BF_FORMAT_DFU] = "DFU",
		[BF_FORMAT_DFUSE] = "DfuSe",     [BF_FORMAT_VBF] = "VBF",
		[BF_FORMAT_JK] = "JK image",     [BF_FORMAT_VANMOOF] = "VanMoof image",
	};
	static_assert(BF_COUNT(names) == BF_FORMAT_COUNT, "a name for every format");

	return (unsigned)format < BF_FORMAT_COUNT ? names[format] : "unknown";
}

struct bf_claim *bf_claim_free(struct bf_claim *claim)
{
	if (!claim)
		return NULL;
	free(claim->path);
	free(claim->file);
	free(claim->arena);
	free(claim->joined);
	free(claim->segs);
	free(claim->sig_path);
	free(claim->sig_text);
	free(claim);
	return NULL;
}

size_t bf_claim_segments(const struct bf_claim *claim, const struct bf_segment **ret)
{
	*ret = claim->segs;
	return claim->n_segs;
}

const struct bf_meta *bf_claim_meta(const struct bf_claim *claim)
{
	return &claim->meta;
}

static char *copy_text(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		abort();
	return copy;
}

static struct bf_claim *claim_new(const char *path, const char *sig_path)
{
	struct bf_claim *claim = calloc(1, sizeof(*claim));

	if (!claim)
		abort();
	claim->path = copy_text(path);
	if (sig_path)
		claim->sig_path = copy_text(sig_path);
	else if (asprintf(&claim->sig_path, "%s.minisig", path) < 0)
		abort();
	claim->meta.usb_vid = claim->meta.usb_pid = USB_ANY;
	claim->meta.container_usb_vid = claim->meta.container_usb_pid = USB_ANY;
	return claim;
}

/* A copy with one byte more, which keeps a pointer to the end inside the allocation. */
static uint8_t *copy_bytes(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len + 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy, p, len);
	copy[len] = 0;
	return copy;
}

static bool begins(const struct bf_claim *claim, const char *magic, size_t n)
{
	return claim->len >= n && memcmp(claim->file, magic, n) == 0;
}

/* The kind of the first line that looks like a record, behind a UTF-8 mark, blank lines and lines of text. */
static char first_record(const struct bf_claim *claim)
{
	struct bf_textrec rec = { .path = claim->path, .p = claim->file, .len = claim->len };

	while (bf_textrec_next(&rec)) {
		char kind = bf_textrec_kind(&rec);

		if (kind || !bf_textrec_printable(&rec))
			return kind;
	}
	return '\0';
}

/* Containers first: a DFU file may hold what would be recognised as something else. */
static enum bf_format recognise(const struct bf_claim *claim)
{
	bool sound = false;
	bool suffix = bf_dfu_suffix(claim->file, claim->len, &sound);

	if (begins(claim, "DfuSe", 5))
		return BF_FORMAT_DFUSE;
	if (suffix && sound)
		return BF_FORMAT_DFU;
	if (bf_mcuboot_is(claim->file, claim->len))
		return BF_FORMAT_MCUBOOT;
	if (suffix) /* refused by its parser, which says what is wrong with the CRC */
		return BF_FORMAT_DFU;
	if (begins(claim, "\177ELF", 4))
		return BF_FORMAT_ELF;
	if (bf_vbf_is(claim->file, claim->len))
		return BF_FORMAT_VBF;
	if (bf_vanmoof_is(claim->file, claim->len))
		return BF_FORMAT_VANMOOF;
	if (bf_jk_is(claim->file, claim->len))
		return BF_FORMAT_JK;
	switch (first_record(claim)) {
	case ':':
		return BF_FORMAT_IHEX;
	case 'S':
		return BF_FORMAT_SREC;
	default:
		break;
	}
	return BF_FORMAT_RAW;
}

static enum bf_rc refuse_closed(const struct bf_claim *claim, struct bf_err *err)
{
	bf_fail(err, BF_E_IMAGE,
		"'%s' looks like an encrypted container; the key of its maker is not part of "
		"bmsflash",
		claim->path);
	bf_likely(err, "name a file with the key in a profile: container-key-file in [image]");
	bf_likely(err, "or give the image from inside it, with its own signature");
	return err->rc;
}

/* From here on the image inside counts: it is what is signed. */
static enum bf_rc open_container(struct bf_claim *claim, const struct bf_claim_opts *opts,
				 struct bf_err *err)
{
	uint8_t *image = NULL;
	size_t len = 0;
	bool has_key = opts->container_key && opts->container_key[0];

	if (claim->meta.format != BF_FORMAT_RAW || !bf_container_is_named(claim->path))
		return BF_OK;
	if (!has_key)
		return refuse_closed(claim, err);
	if (bf_container_open(claim->file, claim->len, claim->path, opts->container_key,
			      opts->clock ? bf_wall(opts->clock) : 0, &image, &len, err))
		return err->rc;
	free(claim->file);
	claim->file = copy_bytes(image, len);
	claim->len = len;
	free(image);
	claim->meta.format = recognise(claim);
	if (claim->meta.format != BF_FORMAT_JK)
		return bf_fail(err, BF_E_IMAGE, "'%s': no JK firmware is inside", claim->path);
	return BF_OK;
}

static enum bf_rc refuse_raw(const struct bf_claim *claim, struct bf_err *err)
{
	char head[9];

	bf_fail(err, BF_E_IMAGE,
		"'%s' is not a firmware file that bmsflash knows (MCUboot, HEX, S-record, ELF, "
		"DFU); it "
		"begins with %s",
		claim->path,
		bf_hex(head, sizeof(head), claim->file, claim->len < 4 ? claim->len : 4));
	bf_likely(err, "a raw binary: objcopy -O binary loses the address");
	bf_likely(err, "a damaged MCUboot image, HEX, S-record or ELF file");
	bf_do(err, "if it is a raw binary, its maker names the address: --addr");
	return err->rc;
}

static void add_whole(const struct bf_claim *claim, uint32_t addr, struct bf_runs *runs)
{
	const struct bf_segment seg = { .addr = addr, .data = claim->file, .len = claim->len };

	bf_runs_add(runs, &seg, 0);
}

static enum bf_rc check_end(const struct bf_claim *claim, uint32_t addr, size_t len,
			    struct bf_err *err)
{
	if ((uint64_t)addr + len <= (uint64_t)UINT32_MAX + 1)
		return BF_OK;
	return bf_fail(err, BF_E_IMAGE,
		       "'%s' has %zu bytes, which at address 0x%08x go past the end of the "
		       "32-bit address space",
		       claim->path, len, addr);
}

static enum bf_rc parse_raw(const struct bf_claim *claim, const struct bf_claim_opts *opts,
			    struct bf_runs *runs, struct bf_err *err)
{
	if (!opts->has_addr)
		return refuse_raw(claim, err);
	if (check_end(claim, opts->addr, claim->len, err))
		return err->rc;
	add_whole(claim, opts->addr, runs);
	return BF_OK;
}

static enum bf_rc parse_maker(struct bf_claim *claim, const struct bf_claim_opts *opts,
			      struct bf_runs *runs, struct bf_err *err)
{
	uint32_t addr = opts->has_addr ? opts->addr : 0;

	if (claim->meta.format == BF_FORMAT_VANMOOF) {
		addr = bf_vanmoof_base();
		if (bf_vanmoof_parse(claim->file, claim->len, claim->path, &claim->meta, err))
			return err->rc;
	} else {
		bf_jk_describe(claim->file, &claim->meta);
	}
	if (check_end(claim, addr, claim->len, err))
		return err->rc;
	add_whole(claim, addr, runs);
	return BF_OK;
}

static enum bf_rc parse_format(struct bf_claim *claim, const struct bf_claim_opts *opts,
			       struct bf_runs *runs, struct bf_err *err)
{
	switch (claim->meta.format) {
	case BF_FORMAT_MCUBOOT:
		add_whole(claim, 0, runs);
		return BF_OK;
	case BF_FORMAT_RAW:
		return parse_raw(claim, opts, runs, err);
	case BF_FORMAT_IHEX:
		return bf_ihex_parse(claim, runs, err);
	case BF_FORMAT_SREC:
		return bf_srec_parse(claim, runs, err);
	case BF_FORMAT_ELF:
		return bf_elf_parse(claim, runs, err);
	case BF_FORMAT_VBF:
		return bf_vbf_parse(claim, runs, err);
	case BF_FORMAT_DFU:
		return bf_dfu_parse(claim, opts->has_addr ? opts->addr : 0, runs, err);
	case BF_FORMAT_DFUSE:
		return bf_dfuse_parse(claim, runs, err);
	case BF_FORMAT_JK:
	case BF_FORMAT_VANMOOF:
		return parse_maker(claim, opts, runs, err);
	case BF_FORMAT_COUNT:
		break;
	}
	return bf_fail(err, BF_E_INTERNAL, "format %d has no parser", (int)claim->meta.format);
}

/* Formats whose records carry an address. */
static const bool says_addr[BF_FORMAT_COUNT] = {
	[BF_FORMAT_IHEX] = true, [BF_FORMAT_SREC] = true,  [BF_FORMAT_ELF] = true,
	[BF_FORMAT_VBF] = true,  [BF_FORMAT_DFUSE] = true, [BF_FORMAT_VANMOOF] = true,
};

static void digest_segments(struct bf_claim *claim)
{
	struct bf_sha256_ctx ctx;

	bf_sha256_init(&ctx);
	for (size_t i = 0; i < claim->n_segs; i++)
		bf_sha256_update(&ctx, claim->segs[i].data, claim->segs[i].len);
	bf_sha256_final(&ctx, claim->meta.digest);
	claim->meta.digest_len = BF_SHA256_LEN;
}

/* No signature covers what a container says about the image in it: kept as restrictions, taken out of where it would
 * be believed. */
static void distrust_container(struct bf_claim *claim, const struct bf_claim_opts *opts)
{
	struct bf_meta *m = &claim->meta;
	struct bf_segment *seg = &claim->segs[0];

	m->container_has_addr = says_addr[m->format];
	m->container_has_alt = m->format == BF_FORMAT_DFUSE;
	m->container_addr = m->container_has_addr ? seg->addr : 0;
	m->container_alt = m->container_has_alt ? seg->alt : 0;
	m->container_usb_vid = m->usb_vid;
	m->container_usb_pid = m->usb_pid;
	m->usb_vid = m->usb_pid = USB_ANY;
	seg->addr = opts->has_addr ? opts->addr : 0;
	seg->alt = 0;
}

/* One piece that begins with the magic is an MCUboot image in whatever file. What follows it in a
 * padded slot is not signed and is not carried on: a pack writes its own trailer. */
static enum bf_rc parse_content(struct bf_claim *claim, const struct bf_claim_opts *opts,
				struct bf_err *err)
{
	struct bf_segment *seg = &claim->segs[0];

	if (claim->n_segs != 1 || !bf_mcuboot_is(seg->data, seg->len)) {
		digest_segments(claim);
		return BF_OK;
	}
	if (bf_mcuboot_parse(seg->data, seg->len, claim->path, &claim->mcuboot, &claim->meta, err))
		return err->rc;
	seg->len = claim->mcuboot.len;
	distrust_container(claim, opts);
	return check_end(claim, seg->addr, seg->len, err);
}

/* An address from the command line is for what names none that is signed. */
static enum bf_rc check_addr(const struct bf_claim *claim, const struct bf_claim_opts *opts,
			     struct bf_err *err)
{
	const struct bf_meta *m = &claim->meta;

	if (!opts->has_addr)
		return BF_OK;
	if (m->mcuboot ? !m->container_has_addr || m->container_addr == opts->addr
		       : !says_addr[m->format])
		return BF_OK;
	if (m->mcuboot)
		bf_fail(err, BF_E_USAGE, "--addr 0x%08x: '%s' (%s) says that it belongs to 0x%08x",
			opts->addr, claim->path, bf_format_name(m->format), m->container_addr);
	else
		bf_fail(err, BF_E_USAGE,
			"--addr is for raw binaries and MCUboot images; '%s' is %s, which says "
			"itself where it "
			"belongs",
			claim->path, bf_format_name(m->format));
	bf_do(err, "leave out --addr");
	return err->rc;
}

/* Most malformed files were whole where they were made. */
static enum bf_rc refuse_malformed(const struct bf_claim *claim, struct bf_err *err)
{
	if (err->rc == BF_E_IMAGE && !err->next[0] && !err->todo[0]) {
		bf_likely(err, "the file was cut short or damaged on its way here");
		bf_next_argv(err, "compare with the original; where they differ, get it again",
			     (const char *const[]){ "sha256sum", claim->path, NULL });
	}
	return err->rc;
}

static enum bf_rc parse(struct bf_claim *claim, const struct bf_claim_opts *opts,
			struct bf_err *err)
{
	struct bf_runs runs = { 0 };
	enum bf_rc rc;

	if (claim->len == 0) {
		bf_fail(err, BF_E_IMAGE, "'%s' is empty", claim->path);
		return refuse_malformed(claim, err);
	}
	claim->meta.format = recognise(claim);
	claim->meta.has_addr = opts->has_addr;
	rc = open_container(claim, opts, err);
	if (!rc)
		rc = parse_format(claim, opts, &runs, err);
	if (!rc)
		rc = bf_claim_settle(claim, &runs, err);
	bf_runs_done(&runs);
	if (!rc)
		rc = parse_content(claim, opts, err);
	if (!rc)
		rc = check_addr(claim, opts, err);
	return rc ? refuse_malformed(claim, err) : BF_OK;
}

/* Takes what the trusted comment claims; whether it is signed, and well formed, is for later. */
static void claim_comment(struct bf_claim *claim)
{
	struct bf_minisig sig;
	struct bf_err ignored;

	if (claim->sig_text &&
	    !bf_minisig_parse(claim->sig_text, claim->sig_len, claim->sig_path, &sig, &ignored))
		(void)bf_minisig_comment(&sig, claim->sig_path, &claim->meta, &ignored);
}

enum bf_rc bf_claim_parse(const uint8_t *file, size_t len, const char *name, const uint8_t *sig,
			  size_t sig_len, const struct bf_claim_opts *opts, struct bf_claim **ret,
			  struct bf_err *err)
{
	BF_AUTO(bf_claim) *claim = claim_new(name, opts->sig_path);

	claim->file = copy_bytes(file, len);
	claim->len = len;
	if (parse(claim, opts, err))
		return err->rc;
	if (sig && !claim->meta.mcuboot) {
		claim->sig_text = (char *)copy_bytes(sig, sig_len);
		claim->sig_len = sig_len;
		claim_comment(claim);
	}
	*ret = bf_steal(&claim);
	return BF_OK;
}

/* A missing file beside the image is an unsigned image, which the check refuses in its own words. */
static enum bf_rc load_sig(struct bf_claim *claim, bool named, struct bf_err *err)
{
	uint8_t *text = NULL;

	if (!named && access(claim->sig_path, F_OK) < 0 && errno == ENOENT)
		return BF_OK;
	if (bf_file_read(claim->sig_path, SIG_FILE_MAX, &text, &claim->sig_len, err)) {
		err->rc = BF_E_SIGNATURE;
		return bf_while(err, "reading the signature of '%s'", claim->path);
	}
	claim->sig_text = (char *)text;
	claim_comment(claim);
	return BF_OK;
}

static enum bf_rc read_image(struct bf_claim *claim, const struct bf_claim_opts *opts,
			     struct bf_err *err)
{
	if (opts->clock)
		return bf_file_read_any(claim->path, BF_IMAGE_FILE_MAX, opts->clock, opts->deadline,
					&claim->file, &claim->len, err);
	return bf_file_read(claim->path, BF_IMAGE_FILE_MAX, &claim->file, &claim->len, err);
}

enum bf_rc bf_claim_load(const char *path, const struct bf_claim_opts *opts, struct bf_claim **ret,
			 struct bf_err *err)
{
	BF_AUTO(bf_claim) *claim = claim_new(path, opts->sig_path);

	if (read_image(claim, opts, err) || parse(claim, opts, err))
		return err->rc;
	if (!claim->meta.mcuboot && load_sig(claim, opts->sig_path, err))
		return err->rc;
	*ret = bf_steal(&claim);
	return BF_OK;
}

struct bf_claim *bf_claim_region(const uint8_t *data, size_t len, const char *name, uint32_t addr,
				 uint32_t alt)
{
	const struct bf_segment seg = { .addr = addr, .alt = alt, .len = len };
	struct bf_claim *claim = claim_new(name, NULL);
	struct bf_err ignored;

	claim->file = copy_bytes(data, len);
	claim->len = len;
	claim->segs = malloc(sizeof(seg));
	if (!claim->segs)
		abort();
	claim->segs[0] = seg;
	claim->segs[0].data = claim->file;
	claim->n_segs = 1;
	claim->meta.format = BF_FORMAT_RAW;
	if (!bf_mcuboot_is(claim->file, len) ||
	    bf_mcuboot_parse(claim->file, len, name, &claim->mcuboot, &claim->meta, &ignored))
		digest_segments(claim);
	return claim;
}
