/* SPDX-License-Identifier: MIT */
/*
 * One journal a pack: what a run had reached, so that the next one takes it up after a power cut of the
 * laptop. What it says of the flash is never believed: the pack is asked. It is believed only in what
 * the pack cannot tell any more: where the backup is, and what the cells were before it all began. For that
 * it must be whole: its last member, "check", is the SHA-256 of everything before it.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "bmsflash/json.h"
#include "run.h"

#define JOURNAL_MAX ((size_t)1 << 20)
#define BACKUP_AGE  BF_SEC(24 * 3600) /* a pack that worked for longer has a life of its own */

#define CHECK     ",\"check\":\"" /* then the hash and CHECK_END */
#define CHECK_END "\"}\n"

static const char *stage_name(enum bf_stage stage)
{
	static const char *const names[] = {
		[BF_STAGE_NONE] = "nothing changed", [BF_STAGE_WRITING] = "writing",
		[BF_STAGE_WRITTEN] = "written",      [BF_STAGE_MARKED] = "activated",
		[BF_STAGE_STARTED] = "started",      [BF_STAGE_CONFIRMED] = "confirmed",
	};

	return names[stage];
}

static void set_path(struct bf_run *run)
{
	const char *id = run->ident.serial[0] ? run->ident.serial : run->job->iface;
	char name[64];

	snprintf(name, sizeof(name), "%s", id);
	for (char *p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-')
			*p = '_';
	}
	snprintf(run->journal_path, sizeof(run->journal_path), "%s/journal/%s.json",
		 run->job->data_folder, name);
}

static void image_hash(const struct bf_run *run, char dst[2 * BF_SHA256_LEN + 1])
{
	bf_hex(dst, 2 * BF_SHA256_LEN + 1, bf_image_file_sha256(run->image), BF_SHA256_LEN);
}

static void read_before(struct bf_run *run, const struct bf_json *j)
{
	const struct bf_json *cells = bf_json_get(j, "cells_mv");
	size_t n = cells ? bf_json_len(cells) : 0;

	if (!n || n > BF_MAX_CELLS)
		return;
	for (size_t i = 0; i < n; i++)
		run->before.cell_v[i] = bf_json_real(bf_json_at(cells, i), "v", 0) / 1000;
	run->before.n_cells = n;
	run->has_before = true;
}

/* The firmware in an archive is the one that runs now: it still tells how the pack was. */
static bool is_of_what_runs(const struct bf_run *run, const char *path)
{
	struct bf_restore r = { 0 };
	char text[BF_VERSION_TEXT];
	const char *now = bf_ident_version(&run->ident, text), *then = NULL;
	struct bf_err unused;
	bool same;

	bf_err_init(&unused);
	if (!bf_restore_open(path, &r, &unused) && r.firmware)
		then = bf_json_str(r.firmware, "version");
	same = now && then && strcmp(now, then) == 0;
	bf_restore_done(&r);
	return same;
}

/* The backup of the run that was cut, where a new one could only show what that run left behind: half a
 * bank, or what new firmware on trial made of the configuration. */
static void take_backup(struct bf_run *run, const struct bf_json *j, bool same_image, bool started)
{
	const char *path = bf_json_str(j, "backup");
	bool fresh = bf_wall(run->clock) - bf_json_int(j, "wall_us", 0) < BACKUP_AGE;
	bool counts = run->ident.in_bootloader || (same_image && fresh);

	if (!path || access(path, R_OK) < 0)
		return;
	if (!counts && !(started && fresh && is_of_what_runs(run, path)))
		return;
	snprintf(run->backup_path, sizeof(run->backup_path), "%s", path);
	run->has_backup = bf_json_bool(j, "backup_has_firmware", true);
}

static void take_up(struct bf_run *run, const struct bf_json *j)
{
	const char *sha = bf_json_str(j, "image_sha256");
	const char *reached = bf_json_str(j, "reached");
	char mine[2 * BF_SHA256_LEN + 1];

	bool started = reached && strcmp(reached, stage_name(BF_STAGE_STARTED)) == 0;
	bool same;

	image_hash(run, mine);
	same = sha && strcmp(sha, mine) == 0;
	run->resumed = true;
	bf_say(run, BF_EV_NOTICE, "an earlier run was interrupted (%s)%s",
	       reached ? reached : "unknown", same ? "; it is taken up" : " with another image");
	take_backup(run, j, same, started);
	run->has_place = bf_json_int(j, "place", -1) >= 0;
	run->place_addr = (uint32_t)bf_json_int(j, "place", 0);
	run->place_alt = (unsigned)bf_json_int(j, "place_alt", 0);
	/* Cells are compared across the restart; before it a fresh reading is the better one. */
	if (same && started)
		read_before(run, j);
}

/* All of text but CHECK and what follows it. */
static void check_of(const char *text, size_t len, char dst[2 * BF_SHA256_LEN + 1])
{
	uint8_t sha[BF_SHA256_LEN];

	bf_sha256(sha, text, len);
	bf_hex(dst, 2 * BF_SHA256_LEN + 1, sha, sizeof(sha));
}

static bool is_whole(const char *text, size_t len)
{
	const size_t tail = strlen(CHECK) + 2 * BF_SHA256_LEN + strlen(CHECK_END);
	char end[sizeof(CHECK) + 2 * BF_SHA256_LEN + sizeof(CHECK_END)], sha[2 * BF_SHA256_LEN + 1];

	if (len < tail)
		return false;
	check_of(text, len - tail, sha);
	snprintf(end, sizeof(end), CHECK "%s" CHECK_END, sha);
	return memcmp(text + len - tail, end, tail) == 0;
}

static enum bf_rc read_journal(const char *path, struct bf_json **ret, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	size_t len;

	if (bf_file_read(path, JOURNAL_MAX, &text, &len, err))
		return err->rc;
	if (!is_whole((const char *)text, len))
		return bf_fail(err, BF_E_IMAGE, "it is not as it was written");
	return bf_json_parse((const char *)text, len, ret, err);
}

enum bf_rc bf_ph_journal(struct bf_run *run, struct bf_err *err)
{
	BF_AUTO(bf_json) *j = NULL;
	struct bf_err why;

	(void)err;
	if (!run->job->data_folder)
		return BF_OK;
	set_path(run);
	if (access(run->journal_path, F_OK) < 0)
		return BF_OK;
	bf_err_init(&why);
	if (read_journal(run->journal_path, &j, &why)) {
		bf_say(run, BF_EV_WARNING, "the journal '%s' is of no use: %s", run->journal_path,
		       why.cause);
		/* Something was begun: what the pack holds is looked at. */
		run->resumed = true;
		return BF_OK;
	}
	take_up(run, j);
	return BF_OK;
}

static struct bf_json *cells_of(const struct bf_run *run)
{
	struct bf_json *cells = bf_json_array();

	for (size_t i = 0; i < run->before.n_cells; i++) {
		struct bf_json *one = bf_json_object();

		bf_json_set_real(one, "v", run->before.cell_v[i] * 1000);
		bf_json_add(cells, one);
	}
	return cells;
}

/* The line with its check in front of the last brace; the caller frees it. */
static char *with_check(char *line)
{
	size_t len = strlen(line) - 1;
	char sha[2 * BF_SHA256_LEN + 1], *text;

	check_of(line, len, sha);
	if (asprintf(&text, "%.*s" CHECK "%s" CHECK_END, (int)len, line, sha) < 0)
		abort();
	return text;
}

static enum bf_rc write_now(struct bf_run *run, struct bf_err *err)
{
	BF_AUTO(bf_json) *j = bf_json_object();
	BF_AUTO_MEM char *line = NULL;
	BF_AUTO_MEM char *text = NULL;
	char sha[2 * BF_SHA256_LEN + 1], folder[512];

	image_hash(run, sha);
	bf_json_set_int(j, "v", 1);
	bf_json_set_int(j, "wall_us", bf_wall(run->clock));
	bf_json_set_str(j, "serial", run->ident.serial);
	bf_json_set_str(j, "image", bf_image_path(run->image));
	bf_json_set_str(j, "image_sha256", sha);
	bf_json_set_str(j, "reached", stage_name(run->model.stage));
	if (run->has_place) {
		bf_json_set_int(j, "place", run->place_addr);
		bf_json_set_int(j, "place_alt", run->place_alt);
	}
	bf_json_set_int(j, "bytes_sent", (int64_t)run->sum.bytes_sent);
	if (run->backup_path[0])
		bf_json_set_str(j, "backup", run->backup_path);
	bf_json_set_bool(j, "backup_has_firmware", run->has_backup);
	bf_json_set(j, "cells_mv", cells_of(run));
	line = bf_json_line(j);
	text = with_check(line);
	snprintf(folder, sizeof(folder), "%s/journal", run->job->data_folder);
	if (bf_dir_make(folder, err))
		return err->rc;
	return bf_file_replace(run->journal_path, text, strlen(text), err);
}

void bf_journal_write(struct bf_run *run)
{
	struct bf_err err;

	if (!run->journal_path[0] || run->model.went_back)
		return;
	bf_err_init(&err);
	if (write_now(run, &err))
		bf_say(run, BF_EV_WARNING, "no journal: %s", err.cause);
}

void bf_journal_drop(struct bf_run *run)
{
	if (run->journal_path[0])
		unlink(run->journal_path);
}
