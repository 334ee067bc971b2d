/* SPDX-License-Identifier: MIT */
/*
 * The record: one line of JSON a run, appended under a lock. Each line carries the SHA-256 of the line
 * before it, so that a line cannot be changed or taken out without breaking the chain. Half a line, left by a
 * power cut, is closed by the next run and is no link of the chain: a whole line that was made half is
 * missed by the one that follows it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"
#include "bmsflash/json.h"

#include "phases.h"
#include "report.h"

#define TAIL_MAX ((size_t)4 << 20) /* of a record, read to find its last line */

static void hash_line(const char *p, size_t len, char dst[2 * BF_SHA256_LEN + 1])
{
	uint8_t sha[BF_SHA256_LEN];

	bf_sha256(sha, p, len);
	bf_hex(dst, 2 * BF_SHA256_LEN + 1, sha, sizeof(sha));
}

static bool is_whole(const char *line, size_t len)
{
	BF_AUTO(bf_json) *j = NULL;
	struct bf_err unused;

	bf_err_init(&unused);
	return bf_json_parse(line, len, &j, &unused) == BF_OK;
}

/* A regular file under its own name: no link is followed, and nothing is waited for. */
static int open_record(const char *path, struct bf_err *err)
{
	int fd =
		open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	struct stat st;

	if (fd < 0) {
		int os = errno;

		bf_fail_os(err, BF_E_FILE, os, "cannot open the record '%s'%s", path,
			   os == ELOOP ? ", a symbolic link" : "");
		bf_advise_path(err, os, path);
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	bf_fail(err, BF_E_FILE, "the record '%s' is not a regular file", path);
	return -1;
}

/* The end of the file, from the beginning of a line on where there is one; the rest is never read. */
static enum bf_rc read_end(int fd, uint8_t **ret, size_t *ret_len, bool *ret_all,
			   struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *text = malloc(TAIL_MAX);
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > (off_t)TAIL_MAX ? size - (off_t)TAIL_MAX : 0;
	size_t len = 0;

	if (!text)
		abort();
	while (len < (size_t)(size - from)) {
		ssize_t n = pread(fd, text + len, (size_t)(size - from) - len, from + (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return bf_fail_os(err, BF_E_FILE, n ? errno : EIO,
					  "cannot read the record");
		len += (size_t)n;
	}
	*ret = bf_steal(&text);
	*ret_len = len;
	*ret_all = from == 0;
	return BF_OK;
}

/* Hash of the last whole line of the file, empty when there is none. *ret_torn: half a line follows it. */
static enum bf_rc last_hash(int fd, char dst[2 * BF_SHA256_LEN + 1], bool *ret_torn,
			    struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	size_t len;
	bool all;

	dst[0] = '\0';
	if (read_end(fd, &text, &len, &all, err))
		return err->rc;
	*ret_torn = len && text[len - 1] != '\n';
	while (len) {
		const char *start, *end = (const char *)text + len;

		if (end[-1] == '\n')
			end--;
		start = memrchr(text, '\n', (size_t)(end - (const char *)text));
		if (!start && !all)
			return bf_fail(err, BF_E_FILE,
				       "the last %zu bytes of the record hold no line of "
				       "bmsflash",
				       TAIL_MAX);
		start = start ? start + 1 : (const char *)text;
		if (is_whole(start, (size_t)(end - start))) {
			hash_line(start, (size_t)(end - start), dst);
			return BF_OK;
		}
		len = (size_t)(start - (const char *)text);
	}
	return BF_OK;
}

static void add_pack(struct bf_json *j, const struct bf_run *run)
{
	struct bf_json *pack = bf_json_object();
	char text[BF_VERSION_TEXT];

	bf_json_set_str(pack, "serial", run->session.ident.serial);
	bf_json_set_str(pack, "model", run->session.ident.model);
	bf_json_set_str(pack, "hw_rev", run->session.ident.hw_rev);
	bf_json_set_str(pack, "protocol", run->session.ident.protocol);
	bf_json_set_str(pack, "version", bf_ident_version(&run->session.ident, text));
	bf_json_set_int(pack, "security_counter", run->session.ident.counter);
	bf_json_set(j, "pack", pack);
}

static struct bf_json *image_of(const struct bf_image *image, bool has_version,
				const struct bf_version *version)
{
	struct bf_json *j = bf_json_object();
	char text[BF_VERSION_TEXT];

	bf_json_set_str(j, "path", bf_image_path(image));
	bf_json_set_hex(j, "sha256", bf_image_file_sha256(image), BF_SHA256_LEN);
	bf_json_set_str(j, "version", has_version ? bf_version_text(version, text) : NULL);
	bf_json_set_str(j, "key", bf_image_key_name(image));
	return j;
}

static void add_image(struct bf_json *j, const struct bf_run *run)
{
	const struct bf_wanted *w = &run->wanted;
	struct bf_json *more;

	if (!w->image)
		return;
	bf_json_set(j, "image", image_of(w->image, w->has_version, &w->version));
	if (bf_parts(run) == 1)
		return;
	more = bf_json_array();
	for (unsigned i = 1; i < bf_parts(run); i++) {
		const struct bf_aim *aim = &w->aside[i];

		if (aim->image)
			bf_json_add(more, image_of(aim->image, aim->has_version, &aim->version));
	}
	bf_json_set(j, "more_images", more);
}

static void add_conditions(struct bf_json *j, const struct bf_run *run)
{
	struct bf_json *c = bf_json_object();
	const struct bf_measure *m = &run->conditions.before;

	if (m->has_soc)
		bf_json_set_real(c, "soc_percent", m->soc);
	if (m->has_pack)
		bf_json_set_real(c, "pack_v", m->pack_v);
	if (m->has_current)
		bf_json_set_real(c, "current_a", m->current_a);
	if (m->n_temps)
		bf_json_set_real(c, "temperature_c", m->temp_c[0]);
	bf_json_set(j, "conditions", c);
}

static void add_link(struct bf_json *j, const struct bf_run *run)
{
	struct bf_json *l = bf_json_object();
	uint64_t repeats = 0;

	for (size_t i = 0; i < BF_RETRY_CLASS_COUNT; i++)
		repeats += run->session.retry.repeats[i];
	bf_json_set_str(l, "iface", run->job->iface);
	bf_json_set_int(l, "rate", run->told.sum.line_rate);
	bf_json_set_int(l, "sent", (int64_t)run->told.sum.bytes_sent);
	bf_json_set_int(l, "skipped", (int64_t)run->told.sum.bytes_skipped);
	bf_json_set_int(l, "repeats", (int64_t)repeats);
	bf_json_set_int(l, "timeouts", (int64_t)run->session.retry.timeouts);
	bf_json_set_int(l, "line_errors", (int64_t)run->told.sum.wire.line_errors);
	bf_json_set_int(l, "duration_us", run->told.sum.total);
	bf_json_set(j, "link", l);
}

/* Its limits decided what was allowed. */
static void add_profile(struct bf_json *j, const struct bf_run *run)
{
	struct bf_json *p;

	if (!run->given.profile.sha256[0])
		return;
	p = bf_json_object();
	bf_json_set_str(p, "name", run->given.profile.name);
	bf_json_set_str(p, "sha256", run->given.profile.sha256);
	bf_json_set(j, "profile", p);
}

static struct bf_json *overrides(const struct bf_run *run)
{
	struct bf_json *list = bf_json_array();

	for (unsigned i = 0; i < BF_ALLOW_COUNT; i++) {
		if (run->told.overrides & 1u << i)
			bf_json_add_str(list, bf_allow_info((enum bf_allow)i)->name);
	}
	return list;
}

static char *compose(const struct bf_run *run, const struct bf_outcome *out, const char *prev)
{
	BF_AUTO(bf_json) *j = bf_json_object();

	bf_json_set_int(j, "v", 1);
	bf_json_set_int(j, "wall_us",
			run->time.closed_wall ? run->time.closed_wall : bf_wall(run->clock));
	if (run->job->run)
		bf_json_set_str(j, "run", run->job->run);
	bf_json_set_str(j, "user", run->job->user);
	bf_json_set_str(j, "tool", run->job->tool_version);
	bf_json_set_str(j, "job", bf_job_name(run->job->kind));
	bf_json_set_bool(j, "dry_run", run->job->dry_run);
	add_pack(j, run);
	add_image(j, run);
	add_conditions(j, run);
	bf_json_set(j, "overrides", overrides(run));
	add_profile(j, run);
	if (run->archives.way_back)
		bf_json_set_str(j, "backup", run->archives.path);
	bf_json_set_int(j, "regions_restored", run->told.sum.regions_restored);
	add_link(j, run);
	bf_json_set_str(j, "result", bf_rc_info(out->rc)->exit_name);
	bf_json_set_str(j, "state", bf_state_name(out->state));
	bf_json_set_str(j, "cause", out->rc ? out->err.cause : NULL);
	bf_json_set_str(j, "prev", prev[0] ? prev : NULL);
	return bf_json_line(j);
}

static enum bf_rc write_line(int fd, const char *p, size_t len, struct bf_err *err)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return bf_fail_os(err, BF_E_FILE, errno, "cannot write to the record");
		p += n;
		len -= (size_t)n;
	}
	if (fsync(fd) < 0 && errno != EINVAL)
		return bf_fail_os(err, BF_E_FILE, errno, "cannot bring the record to the disk");
	return BF_OK;
}

static enum bf_rc append(const struct bf_run *run, struct bf_outcome *out, struct bf_err *err)
{
	char path[PATH_MAX];
	BF_AUTO_FD int fd =
		bf_serial_path(run, run->job->record, path, err) ? -1 : open_record(path, err);
	BF_AUTO_MEM char *line = NULL;
	char prev[2 * BF_SHA256_LEN + 1], sha[2 * BF_SHA256_LEN + 1];
	bool torn = false;
	size_t len;

	if (fd < 0)
		return err->rc;
	/* Many stations of a line may share one record; each writes for a moment only. */
	if (flock(fd, LOCK_EX) < 0)
		return bf_fail_os(err, BF_E_FILE, errno, "cannot lock the record '%s'",
				  run->job->record);
	if (last_hash(fd, prev, &torn, err) || (torn && write_line(fd, "\n", 1, err)))
		return err->rc;
	line = compose(run, out, prev);
	len = strlen(line);
	hash_line(line, len, sha);
	line[len] = '\n'; /* in place of the terminator: length counts from here on */
	if (write_line(fd, line, len + 1, err))
		return err->rc;
	memcpy(out->record_digest, sha, sizeof(sha));
	return BF_OK;
}

enum bf_rc bf_record_may_write(const struct bf_run *run, struct bf_err *err)
{
	char unused[2 * BF_SHA256_LEN + 1];
	BF_AUTO_FD int fd = -1;
	bool torn;

	/* Named when the pack is known. */
	if (bf_serial_names(run, run->job->record))
		return BF_OK;
	fd = open_record(run->job->record, err);
	return fd < 0 ? err->rc : last_hash(fd, unused, &torn, err);
}

/* What was done is done; that it is not in the record is said in the last line, and by the exit of a success. */
static void not_recorded(struct bf_outcome *out, const struct bf_err *why)
{
	size_t n = strlen(out->sentence);

	snprintf(out->sentence + n, sizeof(out->sentence) - n, "%sNot recorded.", n ? " " : "");
	if (out->rc)
		return;
	out->rc = BF_E_NOT_RECORDED;
	out->err = *why;
	out->err.rc = BF_E_NOT_RECORDED;
}

void bf_record_write(struct bf_run *run, struct bf_outcome *outcome)
{
	char path[PATH_MAX];
	struct bf_err err;

	bf_err_init(&err);
	if (append(run, outcome, &err)) {
		bf_say(run, BF_EV_WARNING, "the run is not in the record: %s", err.cause);
		not_recorded(outcome, &err);
		return;
	}
	if (!bf_serial_path(run, run->job->record, path, &err))
		bf_emit(run, (struct bf_event){ .kind = BF_EV_FILE, .file = { "record", path } });
}

static bool chains(const char *line, size_t len, const char *prev)
{
	BF_AUTO(bf_json) *j = NULL;
	struct bf_err err;
	const char *named;

	bf_err_init(&err);
	if (bf_json_parse(line, len, &j, &err))
		return false;
	named = bf_json_str(j, "prev");
	return strcmp(named ? named : "", prev) == 0;
}

static enum bf_rc follow(const char *text, size_t len, const char *path, struct bf_record_chain *c,
			 struct bf_err *err)
{
	size_t lines = 0;

	for (size_t at = 0; at < len; lines++) {
		const char *line = text + at;
		const char *end = memchr(line, '\n', len - at);
		size_t n = end ? (size_t)(end - line) : len - at;

		at += n + 1;
		if (!is_whole(line, n)) {
			c->skipped++;
			continue;
		}
		if (!chains(line, n, c->head))
			return bf_fail(err, BF_E_MISMATCH,
				       "line %zu of '%s' does not follow the line before it",
				       lines + 1, path);
		hash_line(line, n, c->head);
		c->lines++;
	}
	return BF_OK;
}

enum bf_rc bf_record_chain(const char *path, struct bf_record_chain *ret, struct bf_err *err)
{
	BF_AUTO_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct bf_record_chain c = { 0 };
	struct stat st;
	char *text;
	enum bf_rc rc;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int os = errno;

		bf_fail_os(err, BF_E_IMAGE, os, "cannot open '%s'", path);
		bf_advise_path(err, os, path);
		return err->rc;
	}
	if (!S_ISREG(st.st_mode))
		return bf_fail(err, BF_E_IMAGE, "'%s' is not a regular file", path);
	/* A record grows for years: it is looked at in place. */
	text = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	if (text == MAP_FAILED)
		return bf_fail_os(err, BF_E_IMAGE, errno, "cannot read '%s'", path);
	rc = follow(text, (size_t)st.st_size, path, &c, err);
	if (text)
		munmap(text, (size_t)st.st_size);
	if (!rc)
		*ret = c;
	return rc;
}

enum bf_rc bf_record_check(const char *path, size_t *ret_lines, struct bf_err *err)
{
	struct bf_record_chain c;

	if (bf_record_chain(path, &c, err))
		return err->rc;
	*ret_lines = c.lines;
	return BF_OK;
}

bool bf_job_checks_record(const struct bf_job *job)
{
	return job->kind == BF_JOB_VERIFY && job->record && (!job->images || !job->images[0]);
}

enum bf_rc bf_ph_record(struct bf_run *run, struct bf_err *err)
{
	struct bf_record_chain c;

	if (bf_record_chain(run->job->record, &c, err)) {
		if (err->rc == BF_E_MISMATCH) { /* it is the file that is broken */
			err->rc = BF_E_IMAGE;
			bf_likely(err, "a line of the record was changed, removed or inserted");
		}
		return err->rc;
	}
	run->record_lines = c.lines;
	bf_say(run, BF_EV_NOTICE, "SHA-256 of the last entry: %s", c.lines ? c.head : "none");
	if (c.skipped)
		bf_say(run, BF_EV_WARNING, "%zu line%s skipped: not an entry of bmsflash",
		       c.skipped, c.skipped == 1 ? "" : "s");
	bf_say(run, BF_EV_NOTICE,
	       "the chain shows changed and removed entries, not a shortened or rewritten file: "
	       "compare "
	       "this hash with one that was kept elsewhere");
	return BF_OK;
}
