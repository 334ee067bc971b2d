/* SPDX-License-Identifier: MIT */
/* Reads what can be read into one archive, the manifest first. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "bmsflash/json.h"

#include "phases.h"
#include "preflight.h"

#define HEAD   4096u /* enough for an MCUboot header */
#define ERASED 0xFF
#define HASH   8 /* bytes of an erase unit's hash */

struct backup {
	struct bf_run *run;
	struct bf_archive archive;
	struct bf_json *regions;
	uint64_t done, total;
	size_t bytes;   /* saved so far */
	bool firmware;  /* what runs was read */
	bool none;      /* the bootloader says that there is none */
	bool data_only; /* configuration and calibration */
	bool in_memory; /* no archive is written */
	char path[PATH_MAX];
	bool told_only; /* nothing can be read: what the pack tells of its slots */
};

#define UNIT_MAX  ((size_t)1 << 20)
#define NAMES_MAX 1000u /* tried for one second's archives of one pack */

/* As bf_read_range, counted. */
static enum bf_rc fetch(struct backup *b, const struct bf_region *r, size_t from, size_t to,
			uint8_t *buf, struct bf_err *err)
{
	for (size_t at = from; at < to;) {
		size_t step = bf_read_step(b->run), n = to - at < step ? to - at : step;

		if (bf_read_range(b->run, r, r->addr + (uint32_t)at, buf + at, n, err))
			return err->rc;
		at += n;
		b->done += n;
		bf_progress(b->run, b->done < b->total ? b->done : b->total, b->total);
	}
	return BF_OK;
}

#define UNITS_MAX 1024u

/* Which erase units are blank, by their hashes; NULL where the pack does not say. */
static bool *blank_units(struct backup *b, const struct bf_region *r, size_t *ret_n)
{
	size_t unit = r->erase_unit, n = unit ? r->size / unit : 0;
	BF_AUTO_MEM uint8_t *erased = NULL, *got = NULL;
	uint8_t want[BF_SHA256_LEN];
	struct bf_err unused;
	bool *blank;

	if (!bf_can_hash_units(b->run) || n < 2 || n > UNITS_MAX || unit > UNIT_MAX ||
	    r->size % unit)
		return NULL;
	erased = malloc(unit);
	got = calloc(n, HASH);
	blank = calloc(n, sizeof(*blank));
	if (!erased || !got || !blank)
		abort();
	memset(erased, ERASED, unit);
	bf_sha256(want, erased, unit);
	bf_err_init(&unused);
	if (bf_hash_units(b->run, r->addr, r->size, r->erase_unit, (uint8_t(*)[HASH])got, n,
			  &unused)) {
		free(blank);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		blank[i] = memcmp(got + i * HASH, want, HASH) == 0;
	*ret_n = n;
	return blank;
}

/* What is blank is known without being read. */
static enum bf_rc fetch_units(struct backup *b, const struct bf_region *r, uint8_t *buf,
			      struct bf_err *err)
{
	size_t n = 1, unit;
	BF_AUTO_MEM bool *blank = blank_units(b, r, &n);

	if (!blank)
		return fetch(b, r, 0, r->size, buf, err);
	unit = r->erase_unit;
	memset(buf, ERASED, r->size);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && blank[end] == blank[i];)
			end++;
		if (blank[i])
			b->total -= (end - i) * unit;
		else if (fetch(b, r, i * unit, end * unit, buf, err))
			return err->rc;
	}
	return BF_OK;
}

static const struct bf_slot *slot_of(const struct bf_ident *ident, const struct bf_region *r)
{
	return r->kind == BF_REGION_SLOT && r->slot < ident->n_slots ? &ident->slots[r->slot]
								     : NULL;
}

static bool is_only_slot(const struct bf_ident *ident, const struct bf_region *r)
{
	for (size_t i = 0; i < ident->n_regions; i++) {
		const struct bf_region *other = &ident->regions[i];

		if (other != r && (other->kind == BF_REGION_SLOT || other->kind == BF_REGION_APP))
			return false;
	}
	return true;
}

/* The running firmware: the active slot, or the application of a pack with one bank. A pack without bank states
 * runs what lies in its only slot. */
static bool is_firmware(const struct bf_ident *ident, const struct bf_region *r)
{
	const struct bf_slot *slot = slot_of(ident, r);

	if (r->kind == BF_REGION_SLOT)
		return slot ? (slot->flags & BF_SLOT_ACTIVE) != 0
			    : !ident->n_slots && is_only_slot(ident, r);
	return r->kind == BF_REGION_APP;
}

/* Of a slot only the image is worth the wire's time: what lies behind it is erased or old. Firmware that is no
 * MCUboot image does not say where it ends: all of the slot is read. */
static enum bf_rc fetch_region(struct backup *b, const struct bf_region *r, uint8_t *buf,
			       size_t *ret_len, struct bf_err *err)
{
	size_t have = 0, want = r->size < HEAD ? r->size : HEAD, tlv_at;

	if (r->kind != BF_REGION_SLOT) {
		*ret_len = r->size;
		return fetch_units(b, r, buf, err);
	}
	while (want > have) {
		if (fetch(b, r, have, want, buf, err))
			return err->rc;
		have = want;
		want = bf_mcuboot_extent(buf, have, &tlv_at);
		if (want > r->size || (!want && is_firmware(&b->run->session.ident, r)))
			want = r->size;
	}
	b->total -= r->size - have;
	*ret_len = want && want <= have ? want : have;
	return BF_OK;
}

/* What an interrupted run left of the only bank is saved, but it is no firmware. */
static bool is_whole_firmware(const struct bf_run *run, const struct bf_region *r)
{
	return is_firmware(&run->session.ident, r) &&
	       !(run->journal.torn && r->kind == BF_REGION_APP);
}

/* An application runs, and its place is blank: the place is another, as the second of two that are written in
 * turn, and no way back. */
static bool is_elsewhere(const struct bf_run *run, size_t len)
{
	return !len && (run->model.app == BF_APP_RUNNING || run->model.app == BF_APP_STOPPED);
}

static void describe_region(struct backup *b, const struct bf_region *r, const char *file,
			    const uint8_t *data, size_t len)
{
	const struct bf_ident *ident = &b->run->session.ident;
	const struct bf_slot *slot = slot_of(ident, r);
	struct bf_json *j = bf_json_object();
	uint8_t sha[BF_SHA256_LEN];
	char text[BF_VERSION_TEXT];

	bf_sha256(sha, data, len);
	bf_json_set_str(j, "name", r->name);
	bf_json_set_str(j, "file", file);
	bf_json_set_str(j, "kind", bf_region_kind_name(r->kind));
	bf_json_set_int(j, "slot", r->slot);
	bf_json_set_int(j, "alt", r->alt);
	bf_json_set_int(j, "addr", r->addr);
	bf_json_set_int(j, "size", r->size);
	bf_json_set_int(j, "bytes", (int64_t)len);
	bf_json_set_hex(j, "sha256", sha, sizeof(sha));
	bf_json_set_bool(j, "firmware", is_whole_firmware(b->run, r));
	if (slot && slot->has_version)
		bf_json_set_str(j, "version", bf_version_text(&slot->version, text));
	else if (is_firmware(ident, r) && ident->has_version)
		bf_json_set_str(j, "version", bf_version_text(&ident->version, text));
	if (slot && slot->digest_len)
		bf_json_set_hex(j, "digest", slot->digest, slot->digest_len);
	bf_json_add(b->regions, j);
}

static void tell(struct backup *b, const struct bf_region *r, size_t len, const char *result)
{
	if (b->in_memory)
		return;
	bf_emit(b->run, (struct bf_event){ .kind = BF_EV_REGION,
					   .region = { r->name, r->addr, len, result } });
}

/* The pack chose the region's name, so nothing of it may be a path. */
static void member_name(const struct backup *b, const struct bf_region *r, char dst[48])
{
	char name[32];

	snprintf(name, sizeof(name), "%s", r->name[0] ? r->name : "region");
	bf_file_name(name, "-");
	snprintf(dst, 48, "regions/%s.bin", name);
	if (bf_archive_find(&b->archive, dst))
		snprintf(dst, 48, "regions/%s-%zu.bin", name, b->archive.n);
}

static enum bf_rc save_region(struct backup *b, const struct bf_region *r, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *buf = NULL;
	char file[48];
	size_t len = 0;
	enum bf_rc rc;

	if (r->size > BF_IMAGE_FILE_MAX - b->bytes) {
		bf_say(b->run, BF_EV_WARNING,
		       "'%s' is not saved: %u bytes, and an archive holds at most %zu in all",
		       r->name, r->size, BF_IMAGE_FILE_MAX);
		tell(b, r, 0, "not readable");
		return BF_OK;
	}
	buf = malloc(r->size ? r->size : 1);
	if (!buf)
		return bf_fail(err, BF_E_INTERNAL, "no memory for %u bytes of '%s'", r->size,
			       r->name);
	rc = fetch_region(b, r, buf, &len, err);
	if (rc == BF_E_UNSUPPORTED || rc == BF_E_NAK) {
		bf_say(b->run, BF_EV_NOTICE, "'%s' cannot be read: %s", r->name, err->cause);
		tell(b, r, 0, "not readable");
		bf_err_init(err);
		return BF_OK;
	}
	if (rc)
		return rc;
	if (r->kind == BF_REGION_APP)
		len -= bf_trailing(buf, len, r->erases_to_zero ? 0x00 : ERASED);
	member_name(b, r, file);
	describe_region(b, r, file, buf, len);
	bf_archive_add(&b->archive, file, bf_steal(&buf), len);
	b->bytes += len;
	b->firmware = b->firmware || (is_whole_firmware(b->run, r) && !is_elsewhere(b->run, len));
	tell(b, r, len, "saved");
	return BF_OK;
}

static struct bf_json *identity(const struct bf_ident *ident)
{
	struct bf_json *j = bf_json_object();
	char text[BF_VERSION_TEXT];

	bf_json_set_str(j, "serial", ident->serial);
	if (ident->loader_serial[0])
		bf_json_set_str(j, "loader_serial", ident->loader_serial);
	bf_json_set_str(j, "manufacturer", ident->manufacturer);
	bf_json_set_str(j, "model", ident->model);
	bf_json_set_str(j, "hw_rev", ident->hw_rev);
	bf_json_set_str(j, "protocol", ident->protocol);
	bf_json_set_str(j, "loader", ident->loader);
	bf_json_set_str(j, "version", bf_ident_version(ident, text));
	bf_json_set_int(j, "security_counter", ident->counter);
	if (ident->has_vid)
		bf_json_set_hex(j, "vendor", ident->vid, sizeof(ident->vid));
	if (ident->has_cid)
		bf_json_set_hex(j, "class", ident->cid, sizeof(ident->cid));
	return j;
}

/* ISO 8601, UTC; compact for file names. */
static void time_text(int64_t wall_us, bool compact, char *dst, size_t cap)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	if (compact)
		strftime(dst, cap, "%Y%m%dT%H%M%SZ", &tm);
	else
		strftime(dst, cap, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static struct bf_json *slots_told(const struct bf_ident *ident)
{
	static const struct {
		unsigned flag;
		const char *name;
	} flags[] = {
		{ BF_SLOT_ACTIVE, "active" },   { BF_SLOT_CONFIRMED, "confirmed" },
		{ BF_SLOT_PENDING, "pending" }, { BF_SLOT_BOOTABLE, "bootable" },
		{ BF_SLOT_TRIAL, "trial" },
	};
	struct bf_json *all = bf_json_array();

	for (size_t i = 0; i < ident->n_slots; i++) {
		const struct bf_slot *slot = &ident->slots[i];
		const struct bf_region *r = bf_region_of_slot(ident, (unsigned)i);
		struct bf_json *j = bf_json_object();
		char text[BF_VERSION_TEXT];

		bf_json_set_int(j, "slot", (int64_t)i);
		if (slot->has_version)
			bf_json_set_str(j, "version", bf_version_text(&slot->version, text));
		if (slot->digest_len)
			bf_json_set_hex(j, "digest", slot->digest, slot->digest_len);
		if (r)
			bf_json_set_int(j, "size", r->size);
		for (size_t f = 0; f < BF_COUNT(flags); f++)
			bf_json_set_bool(j, flags[f].name, slot->flags & flags[f].flag);
		bf_json_add(all, j);
	}
	return all;
}

/* Manifest first: whoever lists the archive meets it before the data. */
static void put_together(struct backup *b, struct bf_archive *all, int64_t wall)
{
	struct bf_run *run = b->run;
	BF_AUTO(bf_json) *j = bf_json_object();
	struct bf_err why;
	char when[32];
	char *text;

	time_text(wall, false, when, sizeof(when));
	bf_json_set_str(j, "format", "bmsflash-backup");
	bf_json_set_int(j, "v", 1);
	bf_json_set_str(j, "time", when);
	bf_json_set_str(j, "tool", run->job->tool_version);
	bf_json_set(j, "identity", identity(&run->session.ident));
	bf_json_set(j, "regions", bf_steal(&b->regions));
	if (b->told_only)
		bf_json_set(j, "slots", slots_told(&run->session.ident));
	text = bf_json_line(j);
	bf_archive_add(all, "manifest.json", (uint8_t *)text, strlen(text));
	bf_err_init(&why);
	if (!b->in_memory &&
	    (run->job->data_folder
		     ? bf_seal_add(run->job->data_folder, all, &why)
		     : bf_fail(&why, BF_E_FILE, "there is no data folder to keep a key in")))
		bf_say(run, BF_EV_WARNING,
		       "the backup has no seal, restoring it will want --allow foreign-archive: %s",
		       why.cause);
	for (size_t i = 0; i < b->archive.n; i++) {
		struct bf_archive_member *m = &b->archive.members[i];

		bf_archive_add(all, m->name, bf_steal(&m->data), m->len);
	}
}

/* The serial number as far as it can be a file's name. */
static void name_of_pack(const struct bf_run *run, char dst[48])
{
	snprintf(dst, 48, "%s", run->session.ident.serial[0] ? run->session.ident.serial : "pack");
	bf_file_name(dst, "-");
}

static enum bf_rc backup_folder(const struct bf_run *run, char dst[PATH_MAX], struct bf_err *err)
{
	if (run->job->backup_folder)
		return bf_path(dst, err, "%s", run->job->backup_folder);
	if (!run->job->data_folder)
		return bf_fail(err, BF_E_USAGE, "there is no folder for the backup");
	return bf_path(dst, err, "%s/backup", run->job->data_folder);
}

/* A name of its own for every archive: what another run has written stays. */
static enum bf_rc write_new(struct backup *b, const struct bf_archive *all, int64_t wall,
			    struct bf_err *err)
{
	struct bf_run *run = b->run;
	char when[32], serial[48], stem[PATH_MAX], folder[PATH_MAX];

	name_of_pack(run, serial);
	time_text(wall, true, when, sizeof(when));
	if (backup_folder(run, folder, err) || bf_path(stem, err, "%s/%s-%s", folder, serial, when))
		return err->rc;
	for (unsigned i = 1; i < NAMES_MAX; i++) {
		char number[12] = "";

		if (i > 1)
			snprintf(number, sizeof(number), "-%u", i);
		bf_err_init(err);
		if (bf_path(b->path, err, "%s%s.tar", stem, number))
			return err->rc;
		if (!bf_archive_write(all, b->path, wall, err) || err->os != EEXIST)
			return err->rc;
	}
	return err->rc;
}

static enum bf_rc write_archive(struct backup *b, struct bf_archive *all, struct bf_err *err)
{
	struct bf_run *run = b->run;
	int64_t wall = bf_wall(run->clock);

	put_together(b, all, wall);
	if (b->in_memory)
		return BF_OK;
	if (!run->job->archive_out)
		return write_new(b, all, wall, err);
	if (bf_serial_path(run, run->job->archive_out, b->path, err))
		return err->rc;
	return bf_archive_write(all, b->path, wall, err);
}

/* Long work is not begun for a result that has no place. */
static enum bf_rc look_for_place(const struct bf_run *run, struct bf_err *err)
{
	char path[PATH_MAX], folder[PATH_MAX];

	if (run->job->archive_out)
		return bf_serial_path(run, run->job->archive_out, path, err)
			       ? err->rc
			       : bf_file_may_replace(path, err);
	if (backup_folder(run, folder, err) || bf_dir_make(folder, err) ||
	    bf_path(path, err, "%s/new", folder))
		return err->rc;
	return bf_file_may_replace(path, err);
}

enum bf_rc bf_backup_may_write(const struct bf_run *run, struct bf_err *err)
{
	const char *path = run->job->archive_out;

	if (run->job->kind != BF_JOB_BACKUP || !path ||
	    faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return BF_OK;
	bf_fail(err, BF_E_USAGE, "'%s' exists already, and a backup never replaces a file", path);
	bf_likely(err, "it holds an earlier backup, of this pack or of another one");
	return err->rc;
}

/* A flash saves what it may destroy or what a later repair wants; a backup saves all. */
static bool wanted(const struct backup *b, const struct bf_region *r)
{
	bool data = r->kind == BF_REGION_CONFIG || r->kind == BF_REGION_CALIBRATION;

	if (!(r->access & BF_ACCESS_READ))
		return false;
	if (b->run->job->kind == BF_JOB_BACKUP)
		return true;
	return data || (!b->data_only && is_firmware(&b->run->session.ident, r));
}

/* A bootloader that takes and gives streams may show a size only by being read; what has no end cannot be. */
static enum bf_rc learn_size(struct backup *b, size_t i, struct bf_err *err)
{
	struct bf_run *run = b->run;
	const struct bf_region *r = &run->session.ident.regions[i];
	const struct bf_proto_ops *ops = run->session.proto->ops;
	enum bf_rc rc;

	if (r->size || !ops->loader->extent || !wanted(b, r))
		return BF_OK;
	rc = bf_run_stop(run, err);
	if (!rc)
		rc = bf_region_measure(run, i, err);
	if (rc == BF_E_INTERRUPTED || rc == BF_E_GONE || r->size)
		return rc;
	b->none = b->none || (!rc && is_firmware(&run->session.ident, r));
	bf_say(run, BF_EV_NOTICE, "'%s' %s%s", r->name, rc ? "cannot be read: " : "is empty",
	       rc ? err->cause : "");
	bf_err_init(err);
	bf_region_unreadable(run, i);
	return BF_OK;
}

static enum bf_rc save_all(struct backup *b, struct bf_err *err)
{
	const struct bf_ident *ident = &b->run->session.ident;

	for (size_t i = 0; i < ident->n_regions; i++) {
		if (learn_size(b, i, err))
			return err->rc;
	}
	for (size_t i = 0; i < ident->n_regions; i++) {
		if (wanted(b, &ident->regions[i]))
			b->total += ident->regions[i].size;
	}
	for (size_t i = 0; i < ident->n_regions; i++) {
		if (wanted(b, &ident->regions[i]) && save_region(b, &ident->regions[i], err))
			return err->rc;
	}
	return BF_OK;
}

static enum bf_rc without_firmware(const struct backup *b, struct bf_err *err)
{
	struct bf_run *run = b->run;

	if (b->none || !bf_app_may_be_lost(run))
		return BF_OK; /* there is none */
	if (run->wanted.fallback) {
		bf_say(run, BF_EV_NOTICE, "the firmware cannot be read; the way back is '%s'",
		       run->job->fallback);
		return BF_OK;
	}
	if (run->journal.torn && b->archive.n)
		return BF_OK; /* what an interrupted run left of it is saved; only going on completes it */
	if (bf_model_old_is_safe(&run->model)) {
		bf_say(run, BF_EV_NOTICE,
		       "the firmware cannot be read; the old one stays in its "
		       "bank");
		return BF_OK;
	}
	bf_fail(err, BF_E_UNSUPPORTED,
		"the firmware cannot be read, so there would be no way back");
	bf_next_allowing(run, 1u << BF_ALLOW_NO_BACKUP | 1u << BF_ALLOW_SINGLE_BANK, err);
	return err->rc;
}

/* What was read stays in memory: the comparison after the update is with this, never with a file. */
static enum bf_rc keep_it(struct backup *b, struct bf_err *err)
{
	struct bf_run *run = b->run;
	bool job = run->job->kind == BF_JOB_BACKUP;
	struct bf_archive all = { 0 };
	struct bf_backup *saved = NULL;
	enum bf_rc rc = write_archive(b, &all, err);

	if (rc)
		bf_while(err, "writing the backup '%s'", b->path);
	else
		rc = bf_backup_own(&all, b->path, &saved, err);
	bf_archive_done(&all);
	if (rc)
		return rc;
	bf_archive_saved(run, saved, b->path,
			 !b->in_memory && (bf_backup_has_firmware(saved) || job));
	if (!b->in_memory)
		bf_emit(run,
			(struct bf_event){ .kind = BF_EV_FILE, .file = { "backup", b->path } });
	return BF_OK;
}

static enum bf_rc back_up(struct backup *b, struct bf_err *err)
{
	struct bf_run *run = b->run;
	bool job = run->job->kind == BF_JOB_BACKUP;

	if (!b->in_memory && look_for_place(run, err))
		return bf_while(err, "looking for a place for the backup");
	if (save_all(b, err))
		return err->rc;
	if (!b->archive.n && job)
		return bf_fail(err, BF_E_UNSUPPORTED, "nothing of this pack can be read");
	if (!b->firmware && !job && !b->data_only && without_firmware(b, err))
		return err->rc;
	return b->archive.n ? keep_it(b, err) : BF_OK;
}

/* Nothing is written without one; what is the pack's own is read all the same, as far as it can be. */
static enum bf_rc without_backup(struct backup *b, struct bf_err *err)
{
	struct bf_run *run = b->run;
	struct bf_check check = bf_check("backup", BF_ALLOW_NO_BACKUP);
	enum bf_rc rc;

	snprintf(check.got, sizeof(check.got), "none is made");
	snprintf(check.limit, sizeof(check.limit), "a backup before writing");
	if (bf_check_decide(run, &check, false, BF_E_PREFLIGHT, err))
		return err->rc;
	b->data_only = b->in_memory = true;
	if (run->archives.saved || !bf_data_comparable(run))
		return BF_OK;
	rc = back_up(b, err);
	if (!rc || rc == BF_E_INTERRUPTED || rc == BF_E_GONE)
		return rc;
	bf_say(run, BF_EV_NOTICE, "configuration and calibration cannot be read: %s", err->cause);
	bf_err_init(err);
	return BF_OK;
}

/* An archive that names this pack may still be another's: what the pack holds is looked at. */
static enum bf_rc check_contents(struct bf_run *run, bool *ret_save, struct bf_err *err)
{
	struct bf_check check = bf_check("archive-contents", BF_ALLOW_FOREIGN_ARCHIVE);
	struct bf_data_look l;

	if (!bf_data_comparable(run))
		return BF_OK;
	if (bf_data_look(run, run->archives.from, &l, err))
		return err->rc;
	*ret_save = l.differ > l.wiped || !run->wanted.own;
	if (!l.n)
		return BF_OK;
	snprintf(check.limit, sizeof(check.limit), "calibration as in this pack, or erased in it");
	snprintf(check.got, sizeof(check.got), "%s", l.alien ? "another calibration" : check.limit);
	if (bf_check_decide(run, &check, !l.alien, BF_E_INCOMPATIBLE, err))
		bf_likely(err, "the archive is of another pack with the same serial number, or "
			       "the pack was calibrated since");
	return err->rc;
}

static enum bf_rc before_restore(struct backup *b, struct bf_err *err)
{
	bool save = !b->run->wanted.own;

	if (check_contents(b->run, &save, err))
		return err->rc;
	b->data_only = b->run->wanted.own;
	return save ? back_up(b, err) : BF_OK;
}

static enum bf_rc decide(struct backup *b, struct bf_err *err)
{
	struct bf_run *run = b->run;

	if (run->job->kind == BF_JOB_BACKUP)
		return back_up(b, err);
	if (bf_data_comparable(run) && bf_earlier_take(run, err))
		return err->rc;
	if (run->job->allow[BF_ALLOW_NO_BACKUP])
		return without_backup(b, err);
	if (run->job->restore_from)
		return before_restore(b, err);
	/* What would be saved now may be half of what an interrupted run has written. */
	return run->archives.saved ? BF_OK : back_up(b, err);
}

/* No way back, and the versions and digests of what it held. */
static enum bf_rc archive_told(struct backup *b, struct bf_err *err)
{
	struct bf_run *run = b->run;
	enum bf_rc rc;

	/* Where the protocol can read and this pack does not, there is no archive to be had. */
	if (!run->session.ident.n_slots || run->session.proto->ops->loader->read)
		return bf_fail(err, BF_E_UNSUPPORTED, "this bootloader cannot read back");
	bf_say(run, BF_EV_WARNING,
	       "The contents of this pack cannot be read: the archive holds the versions and "
	       "digests that it reports, and nothing can be restored from it.");
	b->told_only = true;
	b->regions = bf_json_array();
	rc = look_for_place(run, err) ? err->rc : keep_it(b, err);
	bf_json_free(b->regions);
	return rc;
}

enum bf_rc bf_ph_backup(struct bf_run *run, struct bf_err *err)
{
	struct backup b = { .run = run };
	bf_time start = bf_now(run->clock);
	enum bf_rc rc;

	if (!bf_can_read(run)) {
		if (run->job->kind == BF_JOB_BACKUP)
			return archive_told(&b, err);
		if (run->job->allow[BF_ALLOW_NO_BACKUP])
			return without_backup(&b, err);
		bf_say(run, BF_EV_NOTICE, "no backup: this bootloader cannot read back");
		return BF_OK;
	}
	b.regions = bf_json_array();
	rc = decide(&b, err);
	bf_archive_done(&b.archive);
	bf_json_free(b.regions);
	bf_spent(run, BF_SPENT_BACKUP, start);
	return rc;
}
