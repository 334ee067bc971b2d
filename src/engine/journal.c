/* SPDX-License-Identifier: MIT */
/*
 * One journal a pack: what a run had reached, so that the next one takes it up after a power cut of the
 * laptop. What it says of the flash is never believed: the pack is asked. It is believed only in what
 * the pack cannot tell any more: where the backup is, and what the cells were before it all began. For that
 * it must be whole: its last member, "check", is the SHA-256 of everything before it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "bmsflash/json.h"

#include "run.h"

#define JOURNAL_MAX ((size_t)1 << 20)
#define JOURNAL_VERSION \
	2 /* 1, of 0.1.0, names the pack by less than its serial number: only shown */
#define BACKUP_AGE BF_SEC(24 * 3600) /* a pack that worked for longer has a life of its own */

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

/* Keyed by the whole serial number and the interface: two names never meet in one file. */
static enum bf_rc key_path(struct bf_run *run, struct bf_err *err)
{
	BF_AUTO_MEM char *key = NULL;
	uint8_t sha[BF_SHA256_LEN];
	char text[33];
	int n;

	if (bf_iface_name(run, run->journal.iface, err))
		return err->rc;
	n = asprintf(&key, "%s%c%s", run->session.ident.serial, '\0', run->journal.iface);
	if (n < 0)
		abort();
	bf_sha256(sha, key, (size_t)n);
	bf_hex(text, sizeof(text), sha, 16);
	return bf_path(run->journal.path, err, "%s/journal/%s.json", run->job->data_folder, text);
}

/* As 0.1.0 named it. */
static enum bf_rc old_path(const struct bf_run *run, char dst[PATH_MAX], struct bf_err *err)
{
	char name[64];

	snprintf(name, sizeof(name), "%s",
		 run->session.ident.serial[0] ? run->session.ident.serial : run->job->iface);
	bf_file_name(name, "-");
	return bf_path(dst, err, "%s/journal/%s.json", run->job->data_folder, name);
}

/* Of several files: the hash of theirs. */
static void image_hash(const struct bf_run *run, char dst[2 * BF_SHA256_LEN + 1])
{
	uint8_t hashes[BF_PARTS_MAX][BF_SHA256_LEN], all[BF_SHA256_LEN];

	if (bf_parts(run) > 1) {
		for (unsigned i = 0; i < bf_parts(run); i++)
			memcpy(hashes[i], bf_image_file_sha256(bf_wanted_of(run, i)),
			       BF_SHA256_LEN);
		bf_sha256(all, hashes, bf_parts(run) * sizeof(hashes[0]));
		bf_hex(dst, 2 * BF_SHA256_LEN + 1, all, sizeof(all));
		return;
	}
	bf_hex(dst, 2 * BF_SHA256_LEN + 1, bf_image_file_sha256(run->wanted.image), BF_SHA256_LEN);
}

static void read_before(struct bf_run *run, const struct bf_json *j)
{
	const struct bf_json *cells = bf_json_get(j, "cells_mv");
	size_t n = cells ? bf_json_len(cells) : 0;
	double v[BF_MAX_CELLS];

	if (!n || n > BF_MAX_CELLS)
		return;
	for (size_t i = 0; i < n; i++)
		v[i] = bf_json_real(bf_json_at(cells, i), "v", 0) / 1000;
	bf_conditions_before(run, v, n);
}

/* 0 to BACKUP_AGE; what lies in the future is not fresh. */
static bool is_fresh(struct bf_run *run, const struct bf_json *j)
{
	int64_t age;

	return !__builtin_sub_overflow(bf_wall(run->clock), bf_json_int(j, "wall_us", 0), &age) &&
	       age < BACKUP_AGE;
}

/* An earlier run wrote the image, started it and did not see it start. The application tells the image's version now,
 * and told another one then, or none in its bootloader. */
static bool tells_the_new_version(const struct bf_run *run, const struct bf_json *j)
{
	const struct bf_slot *active = bf_slot_active(&run->session.ident, NULL);
	const char *was = bf_json_str(j, "was");
	struct bf_version want = run->wanted.version, now = run->session.ident.version;
	char text[BF_VERSION_TEXT];

	/* Where the pack tells digests, those decide. */
	if (active && active->digest_len)
		return false;
	if (!was || !run->wanted.has_version || !run->session.ident.has_version ||
	    run->model.talking != BF_TALKING_APP)
		return false;
	/* A number without its build may be that of what lay there and was not heard. */
	if (!was[0] && run->session.ident.version_short && want.build)
		return false;
	if (run->session.ident.version_short)
		want.build = now.build = 0;
	return bf_version_cmp(&want, &now) == 0 &&
	       strcmp(was, bf_version_text(&run->session.ident.version, text)) != 0;
}

/* Opened and looked at by restore.c. */
static void claim_backup(struct bf_run *run, const struct bf_json *j, bool same_image, bool started)
{
	const char *path = bf_json_str(j, "backup");

	run->journal.claimed = (struct bf_claimed){ .same_image = same_image,
						    .fresh = is_fresh(run, j),
						    .started = started };
	if (path && strlen(path) < sizeof(run->journal.claimed.backup))
		strcpy(run->journal.claimed.backup, path);
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
	bf_say(run, BF_EV_NOTICE, "an earlier run was interrupted (%s)%s",
	       reached ? reached : "unknown", same ? "; it is taken up" : " with another image");
	claim_backup(run, j, same, started);
	bf_wanted_place(run, bf_json_int(j, "place", -1) >= 0, (uint32_t)bf_json_int(j, "place", 0),
			(unsigned)bf_json_int(j, "place_alt", 0));
	/* Cells are compared across the restart; before it a fresh reading is the better one. */
	if (same && started)
		read_before(run, j);
	run->journal.proven_later = same && started && tells_the_new_version(run, j);
	run->journal.verified_before =
		run->journal.proven_later ? (unsigned)bf_json_int(j, "verified", 0) : 0;
}

static bool names_this_pack(const struct bf_run *run, const struct bf_json *j)
{
	const char *serial = bf_json_str(j, "serial");

	return serial && strcmp(serial, run->session.ident.serial) == 0 &&
	       bf_serial_identifies(serial);
}

/* A journal says which pack it is of; a file under the right name is not enough. */
static bool is_of_this_pack(const struct bf_run *run, const struct bf_json *j)
{
	const char *iface = bf_json_str(j, "iface");

	return bf_json_int(j, "v", 0) == JOURNAL_VERSION && iface &&
	       strcmp(iface, run->journal.iface) == 0 && names_this_pack(run, j);
}

static void show(struct bf_run *run, const char *path, const struct bf_json *j)
{
	const char *serial = bf_json_str(j, "serial"), *backup = bf_json_str(j, "backup");
	const char *reached = bf_json_str(j, "reached");

	bf_say(run, BF_EV_NOTICE,
	       "an earlier run on '%s' was interrupted (%s, serial number %s): nothing proves that "
	       "it "
	       "was this pack, so it is not taken up; journal '%s'%s%s%s",
	       run->job->iface, reached ? reached : "unknown", serial && *serial ? serial : "none",
	       path, backup ? ", backup '" : "", backup ? backup : "", backup ? "'" : "");
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

static void copy(char *dst, size_t cap, const struct bf_json *j, const char *key)
{
	const char *text = bf_json_str(j, key);

	snprintf(dst, cap, "%s", text ? text : "");
}

enum bf_rc bf_journal_check(const char *path, struct bf_journal_says *ret, struct bf_err *err)
{
	BF_AUTO(bf_json) *j = NULL;

	if (read_journal(path, &j, err)) {
		if (err->rc == BF_E_IMAGE)
			return bf_fail(err, BF_E_IMAGE, "the journal '%s' is not as it was written",
				       path);
		return err->rc;
	}
	copy(ret->serial, sizeof(ret->serial), j, "serial");
	copy(ret->image, sizeof(ret->image), j, "image");
	copy(ret->reached, sizeof(ret->reached), j, "reached");
	copy(ret->was, sizeof(ret->was), j, "was");
	copy(ret->backup, sizeof(ret->backup), j, "backup");
	ret->wall_us = bf_json_int(j, "wall_us", 0);
	return BF_OK;
}

/* True: something was begun here. */
static bool look_at(struct bf_run *run, const char *path)
{
	BF_AUTO(bf_json) *j = NULL;
	struct bf_err why;

	if (access(path, F_OK) < 0)
		return false;
	bf_err_init(&why);
	if (read_journal(path, &j, &why))
		bf_say(run, BF_EV_WARNING, "the journal '%s' is of no use: %s", path, why.cause);
	else if (is_of_this_pack(run, j))
		take_up(run, j);
	else
		show(run, path, j);
	if (j && bf_json_int(j, "v", 0) < JOURNAL_VERSION)
		run->journal.drops_old = names_this_pack(run, j);
	return true;
}

enum bf_rc bf_journal_look(struct bf_run *run, struct bf_err *err)
{
	char old[PATH_MAX];
	bool begun;

	if (!run->job->data_folder)
		return BF_OK;
	run->journal.claimed = (struct bf_claimed){ 0 };
	if (key_path(run, err) || old_path(run, old, err))
		return err->rc;
	begun = look_at(run, run->journal.path);
	begun = look_at(run, old) || begun;
	/* What the pack holds is looked at, whoever began it. */
	run->journal.resumed = run->journal.resumed || begun;
	run->journal.torn = begun && run->session.ident.in_bootloader;
	return BF_OK;
}

static struct bf_json *cells_of(const struct bf_run *run)
{
	struct bf_json *cells = bf_json_array();

	for (size_t i = 0; i < run->conditions.before.n_cells; i++) {
		struct bf_json *one = bf_json_object();

		bf_json_set_real(one, "v", run->conditions.before.cell_v[i] * 1000);
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
	char sha[2 * BF_SHA256_LEN + 1], folder[PATH_MAX], was[BF_VERSION_TEXT] = "";

	image_hash(run, sha);
	bf_json_set_int(j, "v", JOURNAL_VERSION);
	bf_json_set_int(j, "wall_us", bf_wall(run->clock));
	bf_json_set_str(j, "serial", run->session.ident.serial);
	bf_json_set_str(j, "iface", run->journal.iface);
	bf_json_set_str(j, "image", bf_image_path(run->wanted.image));
	bf_json_set_str(j, "image_sha256", sha);
	bf_json_set_str(j, "reached", stage_name(run->model.stage));
	/* Firmware that was not heard at all, because its bootloader answered, told no version: "". */
	if (bf_ident_version(&run->session.ident, was) || run->session.ident.in_bootloader)
		bf_json_set_str(j, "was", was);
	bf_json_set_int(j, "verified", run->model.verified);
	if (run->wanted.has_place) {
		bf_json_set_int(j, "place", run->wanted.place_addr);
		bf_json_set_int(j, "place_alt", run->wanted.place_alt);
	}
	bf_json_set_int(j, "bytes_sent", (int64_t)run->told.sum.bytes_sent);
	if (run->archives.path[0])
		bf_json_set_str(j, "backup", run->archives.path);
	bf_json_set(j, "cells_mv", cells_of(run));
	line = bf_json_line(j);
	text = with_check(line);
	if (bf_path(folder, err, "%s/journal", run->job->data_folder) || bf_dir_make(folder, err))
		return err->rc;
	return bf_file_replace(run->journal.path, text, strlen(text), err);
}

void bf_journal_write(struct bf_run *run)
{
	struct bf_err err;

	if (!run->journal.path[0] || run->model.went_back)
		return;
	bf_err_init(&err);
	if (!write_now(run, &err) || run->journal.told_none)
		return;
	run->journal.told_none = true;
	bf_say(run, BF_EV_WARNING, "no journal: %s", err.cause);
}

void bf_journal_drop(struct bf_run *run)
{
	char old[PATH_MAX];
	struct bf_err unused;

	if (run->journal.path[0])
		unlink(run->journal.path);
	bf_err_init(&unused);
	if (run->journal.drops_old && !old_path(run, old, &unused))
		unlink(old);
}
