/* SPDX-License-Identifier: MIT */
/*
 * The archive's configuration and calibration go back where they came from: to the region of the same kind,
 * address and size, when the pack lets it be written. What is the same already is not touched, so a run that
 * was cut is ended by the same command.
 */
#include <string.h>

#include "bmsflash/json.h"
#include "run.h"

struct data {
	struct bf_run *run;
	const struct bf_json *row;
	const struct bf_archive_member *member;
	const struct bf_region *region;
	const char *name;
};

static bool is_data(const struct bf_json *row, enum bf_region_kind *ret)
{
	const char *kind = bf_json_str(row, "kind");

	*ret = kind && strcmp(kind, "config") == 0 ? BF_REGION_CONFIG : BF_REGION_CALIBRATION;
	return kind && (strcmp(kind, "config") == 0 || strcmp(kind, "calibration") == 0);
}

static const struct bf_region *home_of(const struct bf_run *run, const struct bf_json *row,
				       enum bf_region_kind kind, size_t len)
{
	for (size_t i = 0; i < run->ident.n_regions; i++) {
		const struct bf_region *r = &run->ident.regions[i];

		if (r->kind == kind && r->addr == bf_json_int(row, "addr", -1) &&
		    r->alt == bf_json_int(row, "alt", 0) && r->size == len)
			return r;
	}
	return NULL;
}

static void tell(const struct data *d, const char *result)
{
	bf_emit(d->run, (struct bf_event){
				.kind = BF_EV_REGION,
				.region = { d->name, d->region->addr, d->member->len, result } });
}

static enum bf_rc holds(const struct data *d, bool *ret_same, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *now = malloc(d->member->len + 1);

	if (!now)
		abort();
	if (bf_read_range(d->run, d->region, d->region->addr, now, d->member->len, err))
		return err->rc;
	*ret_same = memcmp(now, d->member->data, d->member->len) == 0;
	return BF_OK;
}

static enum bf_rc write_region(const struct data *d, const struct bf_image *image,
			       struct bf_err *err)
{
	const struct bf_segment *segments;
	const struct bf_region *r = d->region;
	struct bf_run *run = d->run;
	size_t bytes = run->todo.bytes, skipped = run->todo.skipped;
	struct bf_item item = { .region = r, .erase_addr = r->addr };
	enum bf_rc rc = BF_OK;

	(void)bf_image_segments(image, &segments);
	item.target = (struct bf_target){ .image = image,
					  .segment = &segments[0],
					  .addr = r->addr,
					  .len = segments[0].len,
					  .slot = r->slot,
					  .alt = r->alt };
	if (bf_run_can(run, BF_CAP_ERASE)) {
		item.erase_size = r->size;
		rc = bf_erase_range(run, r->addr, r->size, r->erase_unit, err);
	}
	run->todo.bytes = segments[0].len;
	run->todo.skipped = 0;
	if (!rc)
		rc = bf_item_move(run, &item, 0, err);
	run->todo.bytes = bytes;
	run->todo.skipped = skipped;
	return rc;
}

static enum bf_rc put_back(const struct data *d, struct bf_err *err)
{
	const char *path = d->run->job->restore_from;
	BF_AUTO(bf_image) *image = NULL;
	uint8_t sha[BF_SHA256_LEN];
	bool same = false;

	/* The archive was checked against its manifest when it was opened. */
	bf_sha256(sha, d->member->data, d->member->len);
	if (bf_image_from_backup(path, d->name, d->region->addr, d->member->data, d->member->len,
				 sha, &image, err) ||
	    write_region(d, image, err) || holds(d, &same, err))
		return err->rc;
	if (!same)
		return bf_fail(err, BF_E_MISMATCH,
			       "'%s' does not hold what was written to it, %zu bytes at %08x",
			       d->name, d->member->len, d->region->addr);
	tell(d, "restored");
	if (d->run->todo.already_running)
		bf_say(d->run, BF_EV_NOTICE, "'%s' takes effect at the pack's next restart",
		       d->name);
	return BF_OK;
}

static enum bf_rc restore_one(struct data *d, struct bf_err *err)
{
	const unsigned needs = BF_ACCESS_READ | BF_ACCESS_WRITE;
	enum bf_region_kind kind;
	bool same = false;

	if (!is_data(d->row, &kind) || !d->member)
		return BF_OK;
	d->region = home_of(d->run, d->row, kind, d->member->len);
	if (!d->region || (d->region->access & needs) != needs) {
		bf_say(d->run, BF_EV_NOTICE, "'%s' stays as the pack has it: %s", d->name,
		       d->region ? "it cannot be written" : "the pack has no such region now");
		return BF_OK;
	}
	if (holds(d, &same, err))
		return bf_while(err, "comparing '%s' with the backup", d->name);
	if (same) {
		tell(d, "identical");
		return BF_OK;
	}
	return put_back(d, err) ? bf_while(err, "restoring '%s'", d->name) : BF_OK;
}

static enum bf_rc restore_all(struct bf_run *run, const struct bf_restore *r, struct bf_err *err)
{
	const struct bf_json *rows = bf_json_get(r->manifest, "regions");

	for (size_t i = 0; rows && i < bf_json_len(rows); i++) {
		const struct bf_json *row = bf_json_at(rows, i);
		const char *file = bf_json_str(row, "file"), *name = bf_json_str(row, "name");
		struct data d = { .run = run,
				  .row = row,
				  .member = file ? bf_archive_find(&r->archive, file) : NULL,
				  .name = name ? name : "region" };

		if (restore_one(&d, err))
			return err->rc;
	}
	return BF_OK;
}

enum bf_rc bf_ph_restore_data(struct bf_run *run, struct bf_err *err)
{
	struct bf_restore r = { 0 };
	enum bf_rc rc;

	if (!bf_run_can(run, BF_CAP_READ) || !run->proto->ops->read ||
	    bf_run_can(run, BF_CAP_SINK)) {
		bf_say(run, BF_EV_NOTICE,
		       "configuration and calibration stay as the pack has them: this boot "
		       "loader cannot compare them");
		return BF_OK;
	}
	rc = bf_restore_open(run->job->restore_from, &r, err);
	if (!rc)
		rc = restore_all(run, &r, err);
	bf_restore_done(&r);
	return rc;
}
