/* SPDX-License-Identifier: MIT */
/*
 * An archive back into the pack that it came from: its firmware as an image, its configuration and
 * calibration as they are.
 */
#include <stdio.h>
#include <string.h>

#include "phases.h"

/* ==== firmware ==== */
/*
 * An archive back into the pack that it came from. It is read once, into memory; what was checked is what is
 * written. Firmware in it becomes an image because a trusted key signed it, or because the archive is sealed
 * (src/image/seal.c) and of this very pack.
 */

/* The backup of a pack whose firmware cannot be read holds the rest. */
static enum bf_rc need_firmware(const struct bf_backup *b, struct bf_err *err)
{
	return bf_backup_firmware(b) ? BF_OK
				     : bf_fail(err, BF_E_IMAGE, "the backup '%s' holds no firmware",
					       bf_backup_path(b));
}

static bool is_signed(const struct bf_run *run, const struct bf_backup *b)
{
	BF_AUTO(bf_image) *image = NULL;
	struct bf_err unused;

	bf_err_init(&unused);
	return bf_image_from_backup(b, bf_backup_firmware(b), run->given.ring, &image, &unused) ==
	       BF_OK;
}

static enum bf_rc check_origin(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("archive-origin", BF_ALLOW_FOREIGN_ARCHIVE);
	bool ours = bf_backup_trusted(run->archives.from),
	     alone = bf_backup_rows(run->archives.from) == 1;
	bool good = ours || is_signed(run, run->archives.from);

	snprintf(check.limit, sizeof(check.limit), "sealed by this user on this computer");
	snprintf(check.got, sizeof(check.got), "%s",
		 ours    ? check.limit
		 : !good ? "made elsewhere, firmware signed by no trusted key"
		 : alone ? "made elsewhere, firmware signed by a trusted key"
			 : "made elsewhere, configuration is never signed");
	if (!bf_check_decide(run, &check, ours || (good && alone), BF_E_SIGNATURE, err)) {
		if (!ours && !(good && alone))
			bf_backup_accept(run->archives.from);
		return BF_OK;
	}
	bf_likely(err, "it was made on another computer, or by another user (with sudo, for one)");
	bf_likely(err, "it was changed after it was made");
	return err->rc;
}

enum bf_rc bf_ph_restore_load(struct bf_run *run, struct bf_err *err)
{
	const char *path = run->job->restore_from;

	if (bf_backup_open(path, run->job->data_folder, &run->archives.from, err) ||
	    need_firmware(run->archives.from, err) || check_origin(run, err))
		return bf_while(err, "checking the backup '%s'", path);
	return bf_load_driver(run, err);
}

static const char *serial_of(const struct bf_backup *b)
{
	const char *serial = bf_json_str(bf_backup_identity(b), "serial");

	return serial && *serial ? serial : "none";
}

static enum bf_rc of_another_pack(const struct bf_run *run, struct bf_err *err)
{
	bf_fail(err, BF_E_INCOMPATIBLE,
		"The backup is of another pack: serial number %s, this pack has %s.",
		serial_of(run->archives.from),
		run->session.ident.serial[0] ? run->session.ident.serial : "none");
	bf_likely(err, "another pack is connected, or another backup was named");
	return err->rc;
}

static enum bf_rc match(struct bf_run *run, struct bf_err *err)
{
	struct bf_check check = bf_check("archive-pack", BF_ALLOW_FOREIGN_ARCHIVE);
	enum bf_same_pack same = bf_backup_is_of(run, run->archives.from);

	if (same == BF_PACK_OTHER)
		return of_another_pack(run, err);
	snprintf(check.got, sizeof(check.got),
		 "serial number of the backup %.24s, of the pack %.24s",
		 serial_of(run->archives.from),
		 run->session.ident.serial[0] ? run->session.ident.serial : "none");
	snprintf(check.limit, sizeof(check.limit), "one serial number that no other pack has");
	if (bf_check_decide(run, &check, same == BF_PACK_SAME, BF_E_INCOMPATIBLE, err)) {
		bf_likely(err, "the pack has no serial number of its own yet, or its bootloader "
			       "tells none");
		return err->rc;
	}
	bf_wanted_own(run, bf_backup_trusted(run->archives.from) && same == BF_PACK_SAME);
	return BF_OK;
}

/* What the pack will tell once it runs this: by the image; a manifest adds to that only where it is believed. */
static void set_target(struct bf_run *run, const struct bf_backup *b)
{
	const struct bf_backup_row *row = bf_backup_firmware(b);

	struct bf_version version;

	if (!bf_backup_trusted(b))
		return;
	/* It goes where it came from, whatever verifies it. */
	bf_wanted_place(run, true, row->addr, row->alt);
	bf_wanted_told(run,
		       row->version && bf_version_parse(row->version, &version) ? &version : NULL,
		       row->digest, row->digest_len);
}

enum bf_rc bf_restore_image(struct bf_run *run, const struct bf_backup *b, struct bf_err *err)
{
	struct bf_image *image = NULL;

	if (need_firmware(b, err) ||
	    bf_image_from_backup(b, bf_backup_firmware(b), run->given.ring, &image, err))
		return err->rc;
	bf_todo_done(&run->todo);
	bf_wanted_image(run, image);
	if (b == run->archives.saved)
		bf_wanted_own(run, true);
	set_target(run, b);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_IMAGE,
					.image = { bf_backup_path(b), bf_image_key_name(image),
						   bf_image_meta(image), bf_image_size(image),
						   bf_image_key_id(image) } });
	return BF_OK;
}

enum bf_rc bf_ph_restore_match(struct bf_run *run, struct bf_err *err)
{
	return match(run, err) ? err->rc : bf_restore_image(run, run->archives.from, err);
}

/* ==== configuration and calibration ==== */
/*
 * The archive's configuration and calibration against what the pack holds: a region has its home where one of
 * the same kind, address and size is. What is the same already is not touched, so a run that was cut is ended
 * by the same command.
 */

#define UNITS_MAX 256u /* asked for by hash at once; more is read */

struct data {
	struct bf_run *run;
	const struct bf_backup *backup;
	const struct bf_backup_row *row;
	const struct bf_region *region;
};

static bool is_calibration(const struct bf_backup_row *row)
{
	return strcmp(row->kind, "calibration") == 0;
}

static const struct bf_region *home_of(const struct bf_run *run, const struct bf_backup_row *row)
{
	enum bf_region_kind kind = is_calibration(row) ? BF_REGION_CALIBRATION : BF_REGION_CONFIG;

	for (size_t i = 0; i < run->session.ident.n_regions; i++) {
		const struct bf_region *r = &run->session.ident.regions[i];

		if (r->kind == kind && r->addr == row->addr && r->alt == row->alt &&
		    r->size == row->len)
			return r;
	}
	return NULL;
}

static void tell(const struct data *d, const char *result)
{
	bf_emit(d->run, (struct bf_event){
				.kind = BF_EV_REGION,
				.region = { d->row->name, d->region->addr, d->row->len, result } });
}

/* Not BF_OK: it has to be read. */
static enum bf_rc same_by_hash(const struct data *d, bool *ret_same)
{
	uint32_t unit = d->region->erase_unit, n = unit ? d->region->size / unit : 0;
	uint8_t(*got)[8], want[BF_SHA256_LEN];
	struct bf_err unused;
	enum bf_rc rc;

	if (!bf_can_hash_units(d->run) || !n || n > UNITS_MAX || d->region->size % unit)
		return BF_E_UNSUPPORTED;
	got = calloc(n, sizeof(*got));
	if (!got)
		abort();
	bf_err_init(&unused);
	rc = bf_hash_units(d->run, d->region->addr, d->region->size, unit, got, n, &unused);
	*ret_same = true;
	for (uint32_t i = 0; !rc && i < n; i++) {
		bf_sha256(want, d->row->bytes + (size_t)i * unit, unit);
		*ret_same = *ret_same && memcmp(want, got[i], sizeof(got[i])) == 0;
	}
	free(got);
	return rc;
}

static bool is_uniform(const uint8_t *p, size_t len)
{
	return len && memcmp(p, p + 1, len - 1) == 0;
}

/* *ret_wiped: it holds one byte all over, and the archive does not. */
static enum bf_rc by_reading(const struct data *d, bool *ret_same, bool *ret_wiped,
			     struct bf_err *err)
{
	const struct bf_backup_row *m = d->row;
	BF_AUTO_MEM uint8_t *now = malloc(m->len + 1);

	if (!now)
		abort();
	if (bf_read_range(d->run, d->region, d->region->addr, now, m->len, err))
		return err->rc;
	*ret_same = memcmp(now, m->bytes, m->len) == 0;
	*ret_wiped = !*ret_same && is_uniform(now, m->len);
	return BF_OK;
}

static enum bf_rc holds(const struct data *d, bool *ret_same, bool *ret_wiped, struct bf_err *err)
{
	*ret_wiped = false;
	if (same_by_hash(d, ret_same) == BF_OK && *ret_same)
		return BF_OK;
	return by_reading(d, ret_same, ret_wiped, err);
}

/* The image as one transfer into all of the region. */
static struct bf_item all_of(const struct bf_region *r, const struct bf_image *image, bool erases)
{
	const struct bf_segment *segments;

	(void)bf_image_segments(image, &segments);
	return (struct bf_item){
		.target = { .image = image,
			    .segment = &segments[0],
			    .addr = r->addr,
			    .len = segments[0].len,
			    .slot = r->slot,
			    .alt = r->alt },
		.region = r,
		.erase_addr = r->addr,
		.erase_size = erases ? r->size : 0,
	};
}

static enum bf_rc write_region(const struct data *d, const struct bf_image *image,
			       struct bf_err *err)
{
	const struct bf_region *r = d->region;
	bool erases = bf_run_can(d->run, BF_CAP_ERASE);
	const struct bf_item item = all_of(r, image, erases);

	if (erases && bf_erase_range(d->run, r, r->addr, r->size, false, err))
		return err->rc;
	return bf_item_move(d->run, &item, 0, item.target.len, err);
}

static enum bf_rc put_back(const struct data *d, struct bf_err *err)
{
	BF_AUTO(bf_image) *image = NULL;
	bool same = false, wiped;

	if (bf_image_from_backup(d->backup, d->row, NULL, &image, err) ||
	    write_region(d, image, err) || by_reading(d, &same, &wiped, err))
		return err->rc;
	if (!same)
		return bf_fail(err, BF_E_MISMATCH,
			       "'%s' does not hold what was written to it, %zu bytes at %08x",
			       d->row->name, d->row->len, d->region->addr);
	tell(d, "restored");
	bf_sum_restored(d->run, d->row->len);
	return BF_OK;
}

static bool is_writable(const struct data *d)
{
	const unsigned needs = BF_ACCESS_READ | BF_ACCESS_WRITE;

	return (d->region->access & needs) == needs;
}

/* Each row of configuration or calibration, with its home if it has one. */
static enum bf_rc each(struct bf_run *run, const struct bf_backup *b,
		       enum bf_rc (*call)(struct data *d, void *ctx, struct bf_err *err), void *ctx,
		       struct bf_err *err)
{
	for (size_t i = 0; i < bf_backup_rows(b); i++) {
		const struct bf_backup_row *row = bf_backup_row(b, i);
		struct data d = { .run = run, .backup = b, .row = row };

		if (!row->data)
			continue;
		d.region = home_of(run, row);
		if (call(&d, ctx, err))
			return err->rc;
	}
	return BF_OK;
}

static enum bf_rc look_at(struct data *d, void *ctx, struct bf_err *err)
{
	struct bf_data_look *look = ctx;
	bool same = false, wiped = false;

	if (!d->region || !(d->region->access & BF_ACCESS_READ))
		return BF_OK;
	if (holds(d, &same, &wiped, err))
		return bf_while(err, "comparing '%s' with the backup", d->row->name);
	look->n++;
	look->same += same && !is_uniform(d->row->bytes, d->row->len);
	if (same)
		return BF_OK;
	look->differ++;
	look->wiped += wiped;
	look->alien += !wiped && is_calibration(d->row);
	look->fixed += !is_writable(d);
	snprintf(look->name, sizeof(look->name), "%s", d->row->name);
	return BF_OK;
}

size_t bf_data_count(const struct bf_backup *b)
{
	size_t n = 0;

	for (size_t i = 0; i < bf_backup_rows(b); i++)
		n += bf_backup_row(b, i)->data;
	return n;
}

bool bf_data_comparable(const struct bf_run *run)
{
	return bf_can_read(run) && !bf_run_can(run, BF_CAP_SINK);
}

enum bf_rc bf_data_look(struct bf_run *run, const struct bf_backup *b, struct bf_data_look *ret,
			struct bf_err *err)
{
	struct bf_data_look look = { 0 };

	if (each(run, b, look_at, &look, err))
		return err->rc;
	*ret = look;
	return BF_OK;
}

static const struct bf_region *app_of(const struct bf_run *run, const struct bf_backup_row *row)
{
	for (size_t i = 0; row && i < run->session.ident.n_regions; i++) {
		const struct bf_region *r = &run->session.ident.regions[i];

		if (r->kind == BF_REGION_APP && r->addr == row->addr && r->alt == row->alt &&
		    r->size >= row->len && (r->access & BF_ACCESS_READ))
			return r;
	}
	return NULL;
}

/* The new image's bytes from the front, erased behind them: what an interrupted run leaves. */
static bool is_of_new_image(const struct bf_run *run, uint32_t addr, const uint8_t *p, size_t len)
{
	const struct bf_target *whole = &run->todo.whole;
	size_t at, n, same = 0;

	if (!whole->segment || addr < whole->addr || addr - whole->addr >= whole->segment->len)
		return false;
	at = addr - whole->addr;
	n = whole->segment->len - at < len ? whole->segment->len - at : len;
	while (same < n && p[same] == whole->segment->data[at + same])
		same++;
	return same == len || is_uniform(p + same, len - same);
}

/* Flash that an interrupted run had not reached is as in the backup. One unit may be torn by the power cut. */
static enum bf_rc firmware_agrees(struct bf_run *run, const struct bf_backup *b, bool *ret,
				  struct bf_err *err)
{
	const struct bf_backup_row *row = bf_backup_firmware(b);
	const struct bf_region *r = app_of(run, row);
	size_t odd = 0, unit = 1024, len;
	uint8_t now[1024];

	*ret = true;
	for (size_t at = 0; r && at < row->len; at += unit) {
		len = row->len - at < unit ? row->len - at : unit;
		if (bf_read_range(run, r, r->addr + (uint32_t)at, now, len, err))
			return bf_while(err, "comparing the firmware with the backup");
		odd += memcmp(now, row->bytes + at, len) != 0 && !is_uniform(now, len) &&
		       !is_of_new_image(run, r->addr + (uint32_t)at, now, len);
	}
	*ret = odd <= (r && r->erase_unit > unit ? r->erase_unit / unit : 1);
	return BF_OK;
}

static enum bf_rc data_agrees(struct bf_run *run, const struct bf_backup *b, bool config_may_differ,
			      bool *ret, struct bf_err *err)
{
	struct bf_data_look l;

	if (bf_data_look(run, b, &l, err))
		return err->rc;
	if (!l.n)
		return firmware_agrees(run, b, ret, err);
	*ret = !l.alien && (l.differ == l.wiped || (config_may_differ && l.same));
	return BF_OK;
}

static enum bf_rc restore_one(struct data *d, void *ctx, struct bf_err *err)
{
	bool same = false, wiped;

	(void)ctx;
	if (!d->region || !is_writable(d)) {
		bf_say(d->run, BF_EV_NOTICE, "'%s' stays as the pack has it: %s", d->row->name,
		       d->region ? "it cannot be written" : "the pack has no such region now");
		return BF_OK;
	}
	if (holds(d, &same, &wiped, err))
		return bf_while(err, "comparing '%s' with the backup", d->row->name);
	if (same) {
		tell(d, "identical");
		return BF_OK;
	}
	return put_back(d, err) ? bf_while(err, "restoring '%s'", d->row->name) : BF_OK;
}

enum bf_rc bf_data_put_back(struct bf_run *run, const struct bf_backup *b, struct bf_err *err)
{
	return each(run, b, restore_one, NULL, err);
}

enum bf_rc bf_ph_restore_data(struct bf_run *run, struct bf_err *err)
{
	unsigned before = run->told.sum.regions_restored;

	if (!bf_data_comparable(run)) {
		bf_say(run, BF_EV_NOTICE,
		       "configuration and calibration stay as the pack has them: this boot "
		       "loader cannot compare them");
		return BF_OK;
	}
	if (bf_data_put_back(run, run->archives.from, err))
		return err->rc;
	if (run->todo.already_running && run->told.sum.regions_restored > before)
		bf_say(run, BF_EV_NOTICE,
		       "configuration and calibration take effect at the pack's next restart");
	return BF_OK;
}

/* ==== the backup of an interrupted run ==== */

/* The firmware in an archive is the one that runs now: it still tells how the pack was. */
static bool is_of_what_runs(const struct bf_run *run, const struct bf_backup *b)
{
	const struct bf_backup_row *row = bf_backup_firmware(b);
	char text[BF_VERSION_TEXT];
	const char *now = bf_ident_version(&run->session.ident, text);

	return now && row && row->version && strcmp(now, row->version) == 0;
}

static void show_backup(struct bf_run *run, const char *path, const char *why)
{
	bf_say(run, BF_EV_NOTICE, "the backup of the interrupted run is not used: %s; it is '%s'",
	       why, path);
}

/* The backup of the run that was cut, where a new one could only show what that run left behind: half a
 * bank, or what new firmware on trial made of the configuration. Opened and checked here, compared with what the
 * pack holds before it counts (bf_earlier_take). */
static void open_earlier(struct bf_run *run)
{
	const struct bf_claimed *claimed = &run->journal.claimed;
	const char *path = claimed->backup;
	BF_AUTO(bf_backup) *b = NULL;
	bool counts = run->session.ident.in_bootloader || (claimed->same_image && claimed->fresh);
	struct bf_err why;

	if (!path[0] || run->job->restore_from)
		return;
	bf_err_init(&why);
	if (bf_backup_open(path, run->job->data_folder, &b, &why))
		show_backup(run, path, why.cause);
	else if (!bf_backup_trusted(b))
		show_backup(run, path, "it is not sealed by this user on this computer");
	else if (bf_backup_is_of(run, b) != BF_PACK_SAME)
		show_backup(run, path, "no serial number proves that it is of this pack");
	else if (counts || (claimed->started && claimed->fresh && is_of_what_runs(run, b)))
		run->archives.earlier = bf_steal(&b);
}

void bf_archive_saved(struct bf_run *run, struct bf_backup *b, const char *path, bool way_back)
{
	bf_backup_free(run->archives.saved);
	run->archives.saved = b;
	run->archives.way_back = way_back;
	snprintf(run->archives.path, sizeof(run->archives.path), "%s", path ? path : "");
}

void bf_archives_done(struct bf_run *run)
{
	bf_backup_free(run->archives.from);
	bf_backup_free(run->archives.saved);
	bf_backup_free(run->archives.earlier);
}

enum bf_rc bf_earlier_take(struct bf_run *run, struct bf_err *err)
{
	struct bf_backup *b;
	bool agrees = false;

	if (!run->archives.earlier || run->archives.saved)
		return BF_OK;
	if (data_agrees(run, run->archives.earlier, run->journal.claimed.started, &agrees, err))
		return err->rc;
	if (!agrees) {
		show_backup(
			run, bf_backup_path(run->archives.earlier),
			"the pack holds another configuration or calibration, or other firmware");
		run->archives.earlier = bf_backup_free(run->archives.earlier);
		return BF_OK;
	}
	b = bf_steal(&run->archives.earlier);
	bf_archive_saved(run, b, bf_backup_path(b), bf_backup_firmware(b) != NULL);
	return BF_OK;
}

enum bf_rc bf_ph_resume(struct bf_run *run, struct bf_err *err)
{
	/* A pack that restarts while it is looked at is looked at again. */
	run->archives.earlier = bf_backup_free(run->archives.earlier);
	if (bf_journal_look(run, err))
		return err->rc;
	open_earlier(run);
	return BF_OK;
}
