/* SPDX-License-Identifier: MIT */
/* verify: what a file is and says of itself, before anybody is asked whether to trust it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bmsflash/backup.h"
#include "bmsflash/text.h"
#include "backups.h"
#include "screen.h"

#define HEAD 4096

/* The first bytes of a plain file, as text. */
static void read_head(const char *path, char dst[HEAD])
{
	struct stat st;
	FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;
	size_t n = f ? fread(dst, 1, HEAD - 1, f) : 0;

	dst[n] = '\0';
	if (f)
		fclose(f);
}

static bool is_archive(const char *path, const char *head)
{
	size_t n = strlen(path);

	(void)head;
	return n > 4 && strcmp(path + n - 4, ".tar") == 0;
}

/* Both are lines of JSON, and begin with their version. */
static bool is_journal(const char *path, const char *head)
{
	(void)path;
	return strncmp(head, "{\"v\":", 5) == 0 && strstr(head, "\"reached\":");
}

static bool is_record(const char *path, const char *head)
{
	(void)path;
	return strncmp(head, "{\"v\":", 5) == 0 && strstr(head, "\"job\":");
}

static const char *hardware(const struct bf_out_text *o, const struct bf_meta *m, char *dst,
			    size_t cap)
{
	if (m->has_hw)
		return m->hw;
	if (m->has_vid && m->has_cid &&
	    bf_backups_class_name(o->folders, o->opts, m->vid, m->cid, dst, cap))
		return dst;
	if (!m->has_cid)
		return "hardware not named";
	snprintf(dst, cap, "class ");
	bf_hex(dst + 6, cap - 6, m->cid, sizeof(m->cid));
	return dst;
}

static void show_image(struct bf_out_text *o, const char *path, const struct bf_claim *claim)
{
	const struct bf_meta *m = bf_claim_meta(claim);
	char v[BF_VERSION_TEXT] = "no version", hw[48], size[32], digest[130], counter[48] = "";
	char signer[BF_SIGNER_TEXT];
	const struct bf_segment *segs;
	size_t n = bf_claim_segments(claim, &segs), all = 0;

	for (size_t i = 0; i < n; i++)
		all += segs[i].len;
	if (m->has_version)
		bf_version_text(&m->version, v);
	if (m->has_counter)
		snprintf(counter, sizeof(counter), ", security counter %u", m->counter);
	bf_screen_line(o, BF_PAINT_PLAIN, "File", false, "%s", path);
	bf_screen_line(o, BF_PAINT_PLAIN, "Format", false, "%s, %s", bf_format_name(m->format),
		       bf_text_kb(size, sizeof(size), all));
	bf_screen_line(o, BF_PAINT_PLAIN, "Firmware", false, "%s%s, %s", v, counter,
		       hardware(o, m, hw, sizeof(hw)));
	for (size_t i = 0; i < n && !m->mcuboot; i++)
		bf_screen_line(o, BF_PAINT_PLAIN, i ? "" : "Addresses", false, "0x%08x to 0x%08x",
			       segs[i].addr, (uint32_t)(segs[i].addr + segs[i].len - 1));
	if (m->digest_len)
		bf_screen_line(o, BF_PAINT_PLAIN, "Digest", false, "%s",
			       bf_hex(digest, sizeof(digest), m->digest, m->digest_len));
	if (bf_claim_signer(claim, signer))
		bf_screen_line(o, BF_PAINT_PLAIN, "Key", false, "%s", signer);
}

static void show_archive(struct bf_out_text *o, const struct bf_backup *b)
{
	const struct bf_json *id = bf_backup_identity(b);
	const char *serial = bf_json_str(id, "serial"), *model = bf_json_str(id, "model");
	char size[32];

	bf_screen_line(o, BF_PAINT_PLAIN, "File", false, "%s", bf_backup_path(b));
	bf_screen_line(o, BF_PAINT_PLAIN, "Backup", false, "of %s, serial %s%s",
		       model ? model : "an unknown model", serial ? serial : "unknown",
		       bf_backup_trusted(b) ? ", sealed on this computer"
					    : ", not sealed on this computer");
	for (size_t i = 0; i < bf_backup_rows(b); i++) {
		const struct bf_backup_row *r = bf_backup_row(b, i);

		bf_screen_line(o, BF_PAINT_PLAIN, i ? "" : "Holds", false, "%s%s%s, %s at 0x%08x",
			       r->name, r->version ? " " : "", r->version ? r->version : "",
			       bf_text_kb(size, sizeof(size), r->len), r->addr);
	}
}

static enum bf_rc archive(struct bf_out_text *o, const char *path, const char *data_folder,
			  struct bf_err *err)
{
	BF_AUTO(bf_backup) *b = NULL;

	if (bf_backup_open(path, data_folder, &b, err)) {
		if (err->rc == BF_E_MISMATCH) /* it is the file that is broken */
			err->rc = BF_E_IMAGE;
		return bf_while(err, "checking the archive '%s'", path);
	}
	if (o)
		show_archive(o, b);
	return BF_OK;
}

static enum bf_rc record(struct bf_out_text *o, const char *path, const char *data_folder,
			 struct bf_err *err)
{
	struct bf_record_chain c;

	(void)data_folder;
	if (bf_record_chain(path, &c, err)) {
		if (err->rc == BF_E_MISMATCH)
			err->rc = BF_E_IMAGE;
		return bf_while(err, "checking the record '%s'", path);
	}
	if (!o)
		return BF_OK;
	bf_screen_line(o, BF_PAINT_PLAIN, "File", false, "%s", path);
	bf_screen_line(o, BF_PAINT_PLAIN, "Record", false, "%zu entr%s, hash chain intact", c.lines,
		       c.lines == 1 ? "y" : "ies");
	if (c.skipped)
		bf_screen_line(o, BF_PAINT_WARN, "WARNING", false,
			       "%zu line%s skipped: not an entry of bmsflash", c.skipped,
			       c.skipped == 1 ? "" : "s");
	bf_screen_line(o, BF_PAINT_PLAIN, "Last", false, "%s", c.lines ? c.head : "none");
	return BF_OK;
}

static enum bf_rc journal(struct bf_out_text *o, const char *path, const char *data_folder,
			  struct bf_err *err)
{
	struct bf_journal_says j;
	char when[40];

	(void)data_folder;
	if (bf_journal_check(path, &j, err))
		return bf_while(err, "checking the journal '%s'", path);
	if (!o)
		return BF_OK;
	bf_screen_line(o, BF_PAINT_PLAIN, "File", false, "%s", path);
	bf_screen_line(o, BF_PAINT_PLAIN, "Journal", false,
		       "of a run on pack %s that was interrupted, %s",
		       j.serial[0] ? j.serial : "without a serial number",
		       bf_text_stamp(when, sizeof(when), j.wall_us));
	bf_screen_line(o, BF_PAINT_PLAIN, "Reached", false, "%s; the pack ran %s before", j.reached,
		       j.was[0] ? j.was : "unknown firmware");
	bf_screen_line(o, BF_PAINT_PLAIN, "Image", false, "%s", j.image);
	if (j.backup[0])
		bf_screen_line(o, BF_PAINT_PLAIN, "Backup", false, "%s", j.backup);
	return BF_OK;
}

/* Files of ours that are no images. */
static const struct {
	const char *name;
	bool (*is)(const char *path, const char *head);
	enum bf_rc (*check)(struct bf_out_text *o, const char *path, const char *data_folder,
			    struct bf_err *err);
} kinds[] = {
	{ "archive", is_archive, archive },
	{ "journal", is_journal, journal },
	{ "record", is_record, record },
};

static size_t kind_of(const char *path)
{
	char head[HEAD];
	size_t i = 0;

	read_head(path, head);
	while (i < BF_COUNT(kinds) && !kinds[i].is(path, head))
		i++;
	return i;
}

static void show_as_image(struct bf_out_text *o, const char *path, const struct bf_claim_opts *opts)
{
	struct bf_claim *claim = NULL;
	struct bf_err quiet;

	bf_err_init(&quiet);
	/* What comes out of a pipe can be read only once, and is needed for the verdict. */
	if (o && strcmp(path, "-") != 0 && !opts->clock &&
	    !bf_claim_load(path, opts, &claim, &quiet))
		show_image(o, path, claim);
	bf_claim_free(claim);
}

enum bf_rc bf_explain_files(struct bf_out_text *o, const char **images,
			    const struct bf_claim_opts *opts, const char *data_folder,
			    struct bf_explained *ret, struct bf_err *err)
{
	size_t left = 0;

	*ret = (struct bf_explained){ .kind = "file" };
	for (size_t i = 0; images[i]; i++) {
		size_t kind = kind_of(images[i]);

		if (kind == BF_COUNT(kinds)) {
			show_as_image(o, images[i], opts);
			images[left++] = images[i];
			continue;
		}
		if (kinds[kind].check(o, images[i], data_folder, err))
			return err->rc;
		ret->n++;
		ret->kind = kinds[kind].name;
	}
	images[left] = NULL;
	return BF_OK;
}
