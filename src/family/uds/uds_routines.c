/* SPDX-License-Identifier: MIT */
/* Routines, service 31: hashes, checks, and the life of the banks. */
#include "uds.h"

#include <stdio.h>
#include <string.h>

#define BUSY_PACE  BF_MS(250)
#define UNIT_HASH  8
#define PROBE_SIZE 16
#define HASH_HEAD  7 /* 71 01 RID status count */

#define ROUTINE(member, number, standard)                                 \
	{                                                                 \
		offsetof(struct bf_uds_profile, member), number, standard \
	}

static const struct {
	size_t member; /* of the profile */
	uint16_t number;
	bool standard; /* of ISO 14229-1 (table F.1): may be started on any server */
} routines[UDS_R_COUNT] = {
	[UDS_R_ERASE] = ROUTINE(rid_erase, 0xFF00, true),
	[UDS_R_CHECK_DEPS] = ROUTINE(rid_check_deps, 0xFF01, true),
	[UDS_R_CHECK_MEMORY] = ROUTINE(rid_check_memory, 0x0202, false),
	[UDS_R_STATE] = ROUTINE(rid_state, 0xF0B0, false),
	[UDS_R_ACTIVATE] = ROUTINE(rid_activate, 0xF0B1, false),
	[UDS_R_CONFIRM] = ROUTINE(rid_confirm, 0xF0B2, false),
	[UDS_R_REVERT] = ROUTINE(rid_revert, 0xF0B3, false),
	[UDS_R_HASH] = ROUTINE(rid_hash, 0xF0B4, false),
	[UDS_R_SELF_TEST] = ROUTINE(rid_self_test, 0xF0B5, false),
	[UDS_R_BALANCE] = ROUTINE(rid_balance, 0xF0B6, false),
};

static uint16_t in_profile(const struct uds *u, enum uds_routine which)
{
	uint16_t rid;

	memcpy(&rid, (const char *)uds_keys(u) + routines[which].member, sizeof(rid));
	return rid;
}

bool bf_uds_rid_named(const struct uds *u, enum uds_routine which)
{
	return in_profile(u, which) != 0 && in_profile(u, which) != BF_AUTO_U16;
}

uint16_t bf_uds_rid(const struct uds *u, enum uds_routine which)
{
	uint16_t rid = in_profile(u, which);

	if (rid != BF_AUTO_U16)
		return rid;
	return routines[which].standard || u->ours ? routines[which].number : 0;
}

bool bf_uds_good_status(const struct uds *u, struct bf_cur *c, uint8_t *ret_status)
{
	const struct bf_codes *good = &uds_keys(u)->good_status;

	*ret_status = 0;
	if (!bf_cur_left(c))
		return true;
	*ret_status = bf_cur_u8(c);
	return memchr(good->code, *ret_status, good->n) != NULL;
}

static bf_time limit_of(const struct uds *u, enum uds_routine which)
{
	const struct bf_uds_profile *keys = uds_keys(u);

	switch (which) {
	case UDS_R_ERASE:
		return BF_SEC(keys->limit_erase_s);
	case UDS_R_CHECK_DEPS:
	case UDS_R_CHECK_MEMORY:
	case UDS_R_HASH:
	case UDS_R_SELF_TEST:
	case UDS_R_BALANCE:
	case UDS_R_ACTIVATE:
		return BF_SEC(keys->limit_check_s);
	case UDS_R_STATE:
	case UDS_R_CONFIRM:
	case UDS_R_REVERT:
	case UDS_R_COUNT:
		break;
	}
	return 0;
}

static bool is_busy(const struct uds *u, const struct bf_cur *c)
{
	const struct bf_codes *busy = &uds_keys(u)->busy_status;

	return bf_cur_left(c) && memchr(busy->code, c->p[c->pos], busy->n);
}

/* Some servers answer at once that they have begun, and want to be asked again. */
static enum bf_rc ask_until_done(struct uds *u, struct uds_ask *ask, struct bf_cur *ret,
				 struct bf_err *err)
{
	const uint8_t results[] = { UDS_ROUTINE, 0x03, ask->head[2], ask->head[3] };
	bf_time until = bf_in(uds_clock(u), ask->limit ? ask->limit : BF_SEC(uds_keys(u)->limit_s));
	struct bf_cur c;
	enum bf_rc rc;

	for (;;) {
		rc = bf_uds_ask(u, ask, &c, err);
		if (!rc && ret)
			*ret = c;
		if (rc || !is_busy(u, &c))
			return rc;
		if (bf_now(uds_clock(u)) >= until)
			return bf_fail(err, BF_E_TIMEOUT,
				       "the pack stays busy after the request to %s", ask->what);
		bf_uds_alive(u, ask->what);
		if (!bf_clock_until(uds_clock(u), bf_in(uds_clock(u), BUSY_PACE)))
			return bf_fail(err, BF_E_INTERRUPTED, "stopped while the pack was busy");
		if (uds_keys(u)->poll == BF_POLL_RESULTS) {
			ask->head = results;
			ask->tail_len = 0;
			ask->rclass = BF_RETRY_IDEMPOTENT;
		}
	}
}

enum bf_rc bf_uds_run_routine(struct uds *u, enum uds_routine which, const struct bf_out *option,
			      enum bf_retry_class rclass, const char *what, struct bf_cur *ret,
			      struct bf_err *err)
{
	uint16_t rid = bf_uds_rid(u, which);
	const uint8_t head[] = { UDS_ROUTINE, 0x01, (uint8_t)(rid >> 8), (uint8_t)rid };
	struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.tail = option ? option->p : NULL,
		.tail_len = option ? option->len : 0,
		.match = 3,
		.rclass = rclass,
		.limit = limit_of(u, which),
		.what = what,
	};

	if (!rid)
		return bf_fail(
			err, BF_E_UNSUPPORTED,
			"the pack cannot %s: neither the pack nor the profile names a routine "
			"for it",
			what);
	return ask_until_done(u, &ask, ret, err);
}

static enum bf_rc bad_status(uint8_t status, const char *name, const char *what, enum bf_rc rc,
			     const char *why, struct bf_err *err)
{
	return bf_fail_dev(err, rc, status, name, "the pack could not %s: %s (status %02X)", what,
			   why, status);
}

static enum bf_rc ask_hash(struct uds *u, uint32_t addr, uint32_t size, uint32_t unit,
			   struct bf_cur *ret, struct bf_err *err)
{
	uint8_t option[12];
	struct bf_out o = bf_out(option, sizeof(option));
	char what[64];
	uint8_t status;
	enum bf_rc rc;

	bf_out_be32(&o, addr);
	bf_out_be32(&o, size);
	bf_out_be32(&o, unit);
	snprintf(what, sizeof(what), "hash %u bytes at 0x%08X", size, addr);
	rc = bf_uds_run_routine(u, UDS_R_HASH, &o, BF_RETRY_IDEMPOTENT, what, ret, err);
	rc = bf_uds_optional(rc, err);
	if (rc)
		return rc;
	if (!bf_uds_good_status(u, ret, &status))
		return bad_status(status, "hash status", what, BF_E_NAK, "no reason given", err);
	return BF_OK;
}

bool bf_uds_has_hash(struct uds *u, uint32_t addr, uint32_t size)
{
	struct bf_err quiet;
	struct bf_cur c;

	bf_err_init(&quiet);
	return bf_uds_rid(u, UDS_R_HASH) && ask_hash(u, addr, size < PROBE_SIZE ? size : PROBE_SIZE,
						     0, &c, &quiet) != BF_E_UNSUPPORTED;
}

enum bf_rc bf_uds_hash(struct bf_proto *p, uint32_t addr, uint32_t size, uint8_t ret[BF_SHA256_LEN],
		       struct bf_err *err)
{
	struct bf_cur c;
	const uint8_t *digest;
	enum bf_rc rc = ask_hash(uds_of(p), addr, size, 0, &c, err);

	if (rc)
		return rc;
	digest = bf_cur_left(&c) == BF_SHA256_LEN ? bf_cur_bytes(&c, BF_SHA256_LEN) : NULL;
	if (!digest)
		return bf_fail(err, BF_E_LINK, "the pack's hash has %zu bytes instead of %d",
			       bf_cur_left(&c), BF_SHA256_LEN);
	memcpy(ret, digest, BF_SHA256_LEN);
	return BF_OK;
}

enum bf_rc bf_uds_hash_units(struct bf_proto *p, uint32_t addr, uint32_t size, uint32_t unit,
			     uint8_t (*ret)[8], size_t n, struct bf_err *err)
{
	size_t done = 0;

	if (unit == 0 || (size_t)((size + (uint64_t)unit - 1) / unit) != n)
		return bf_fail(err, BF_E_INTERNAL, "%zu hashes of %u bytes for %u bytes", n, unit,
			       size);
	while (done < n) {
		uint32_t skip = (uint32_t)(done * unit);
		size_t fit = (uds_of(p)->safe_len - HASH_HEAD) / UNIT_HASH;
		uint32_t part = n - done > fit ? (uint32_t)(fit * unit) : size - skip;
		const uint8_t *hashes;
		struct bf_cur c;
		size_t got;
		enum bf_rc rc = ask_hash(uds_of(p), addr + skip, part, unit, &c, err);

		if (rc)
			return rc;
		got = bf_cur_be16(&c);
		hashes = bf_cur_bytes(&c, got * UNIT_HASH);
		if (!hashes || got == 0 || got > n - done)
			return bf_fail(err, BF_E_LINK,
				       "the pack gave %zu hashes where 1 to %zu can be", got,
				       n - done);
		memcpy(ret[done], hashes, got * UNIT_HASH);
		done += got;
	}
	return BF_OK;
}

enum bf_rc bf_uds_check_segment(struct uds *u, const struct bf_template_values *v,
				struct bf_err *err)
{
	uint8_t option[128];
	struct bf_out o = bf_out(option, sizeof(option));
	struct bf_cur c;
	uint8_t status;
	enum bf_rc rc;

	bf_uds_fill(u, uds_keys(u)->check_option, v, &o);
	rc = bf_uds_run_routine(u, UDS_R_CHECK_MEMORY, &o, BF_RETRY_IDEMPOTENT,
				"compare its memory with a checksum", &c, err);
	if (rc)
		return rc;
	if (!bf_uds_good_status(u, &c, &status))
		return bf_fail_dev(err, BF_E_MISMATCH, status, "check memory status",
				   "the pack's checksum over the %u bytes at 0x%08X is not that of "
				   "the image (status %02X)",
				   v->size, v->addr, status);
	return BF_OK;
}

static enum bf_rc check_memory(struct uds *u, uint32_t addr, const uint8_t *data, size_t len,
			       struct bf_err *err)
{
	struct bf_template_values v;

	bf_uds_note_segment(u, addr, data, len, &v);
	return bf_uds_check_segment(u, &v, err);
}

/* A routine that the server does not have did not check anything; one that the profile names is there, and its
 * refusal is an answer. */
static bool not_offered(struct uds *u, enum uds_routine which, const struct bf_err *err)
{
	if (!bf_uds_rid(u, which))
		return true;
	return !bf_uds_rid_named(u, which) && bf_uds_lacks(err);
}

static enum bf_rc check_contents(struct uds *u, const struct bf_target *target, struct bf_err *err)
{
	const struct bf_segment *segments = target->segment;
	int64_t moved = (int64_t)target->addr - (int64_t)(segments->addr + target->from);
	size_t n = target->image ? bf_image_segments(target->image, &segments) : 0;
	enum bf_rc rc = BF_OK;

	if (!n)
		return check_memory(u, target->addr, target->segment->data + target->from,
				    target->len, err);
	for (size_t i = 0; !rc && i < n; i++)
		rc = check_memory(u, (uint32_t)(segments[i].addr + moved), segments[i].data,
				  segments[i].len, err);
	return rc;
}

static enum bf_rc check_deps(struct uds *u, struct bf_err *err)
{
	static const char what[] = "accept the new image";
	static const struct {
		enum bf_rc rc;
		const char *why;
	} rows[] = {
		[1] = { BF_E_SIGNATURE,
			"it is damaged, or signed by a key that the pack does not trust" },
		[2] = { BF_E_INCOMPATIBLE, "it is made for other hardware" },
		[3] = { BF_E_ROLLBACK, "its security counter is too low" },
		[4] = { BF_E_INCOMPATIBLE, "an image that it depends on is missing or too old" },
	};
	struct bf_cur c;
	uint8_t status;
	enum bf_rc rc = bf_uds_run_routine(u, UDS_R_CHECK_DEPS, NULL, BF_RETRY_IDEMPOTENT,
					   "check the new image", &c, err);

	if (rc || bf_uds_good_status(u, &c, &status))
		return rc;
	if (!u->ours)
		return bad_status(status, "check status", what, BF_E_MISMATCH,
				  "its own check failed", err);
	if (status < BF_COUNT(rows) && status)
		return bad_status(status, "check status", what, rows[status].rc, rows[status].why,
				  err);
	return bad_status(status, "check status", what, BF_E_NAK, "its own check failed", err);
}

enum bf_rc bf_uds_check(struct bf_proto *p, const struct bf_target *target, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	enum bf_check_when when = uds_keys(u)->check_when;
	enum bf_rc rc = BF_OK;

	p->checked = 0;
	u->fingerprinted = false; /* what is written after a check is another programming */
	if (u->wrote && !u->after_write_ran) {
		rc = bf_uds_steps(u, BF_STEP_AFTER_WRITE, NULL, err);
		if (rc)
			return rc;
		u->after_write_ran = true;
	}
	if (when != BF_CHECK_WHEN_END) {
		/* each was checked after its download, or will be after the restart */
		if (when == BF_CHECK_WHEN_BLOCK && u->n_written && u->blocks_checked)
			p->checked |= BF_CHECKED_MEMORY;
	} else if (target && target->segment) {
		rc = check_contents(u, target, err);
		if (!rc)
			p->checked |= BF_CHECKED_MEMORY;
		else if (!not_offered(u, UDS_R_CHECK_MEMORY, err))
			return rc;
	}
	rc = check_deps(u, err);
	if (!rc)
		p->checked |= BF_CHECKED_IMAGE;
	else if (!not_offered(u, UDS_R_CHECK_DEPS, err))
		return rc;
	if (p->checked)
		return BF_OK;
	return bf_fail(err, BF_E_UNSUPPORTED,
		       "the pack has no routine that checks what was written");
}

/* A routine of one step whose status 01 has one meaning. */
static enum bf_rc simple(struct bf_proto *p, enum uds_routine which, const struct bf_out *option,
			 const char *what, const char *why, struct bf_err *err)
{
	struct bf_cur c;
	uint8_t status;
	enum bf_rc rc =
		bf_uds_run_routine(uds_of(p), which, option, BF_RETRY_IDEMPOTENT, what, &c, err);

	if (rc || bf_uds_good_status(uds_of(p), &c, &status))
		return rc;
	return bad_status(status, "routine status", what, BF_E_NAK,
			  status == 1 ? why : "no reason given", err);
}

enum bf_rc bf_uds_activate(struct bf_proto *p, enum bf_activate how, struct bf_err *err)
{
	uint8_t option = how == BF_ACTIVATE_TRIAL ? 0x01 : 0x02;
	struct bf_out o = bf_out(&option, 1);

	o.len = 1;
	return simple(p, UDS_R_ACTIVATE, &o, "start the new image at the next restart",
		      "there is no image in the other bank that may start", err);
}

/* Repeating a confirmation that arrived answers "nothing to confirm": the caller looks at the state. */
enum bf_rc bf_uds_confirm(struct bf_proto *p, struct bf_err *err)
{
	uint64_t repeats = p->env.retry->repeats[BF_RETRY_IDEMPOTENT];
	enum bf_rc rc = simple(p, UDS_R_CONFIRM, NULL, "confirm the running image",
			       "there is nothing to confirm", err);

	if (rc == BF_E_NAK && err->dev_code == 1 &&
	    p->env.retry->repeats[BF_RETRY_IDEMPOTENT] > repeats)
		return BF_OK;
	return rc;
}

enum bf_rc bf_uds_revert(struct bf_proto *p, struct bf_err *err)
{
	return simple(p, UDS_R_REVERT, NULL, "go back to the previous image",
		      "there is no previous image that may start", err);
}

enum bf_rc bf_uds_self_test(struct bf_proto *p, struct bf_self_test *ret, struct bf_err *err)
{
	struct bf_self_test result = { 0 };
	struct bf_cur c;
	uint8_t status;
	enum bf_rc rc = bf_uds_run_routine(uds_of(p), UDS_R_SELF_TEST, NULL, BF_RETRY_IDEMPOTENT,
					   "test itself", &c, err);

	rc = bf_uds_optional(rc, err);
	if (rc)
		return rc;
	if (!bf_cur_left(&c))
		return bf_fail(err, BF_E_UNSUPPORTED, "the pack's self-test has no result");
	result.passed = bf_uds_good_status(uds_of(p), &c, &status);
	bf_uds_read_text(&c, result.detail, sizeof(result.detail));
	*ret = result;
	return BF_OK;
}

enum bf_rc bf_uds_balance(struct bf_proto *p, bool *ret_ok, struct bf_err *err)
{
	struct bf_cur c;
	uint8_t status;
	enum bf_rc rc = bf_uds_run_routine(uds_of(p), UDS_R_BALANCE, NULL, BF_RETRY_IDEMPOTENT,
					   "check its balancing switches", &c, err);

	rc = bf_uds_optional(rc, err);
	if (rc)
		return rc;
	if (!bf_cur_left(&c))
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the pack's check of its balancing switches has no result");
	*ret_ok = bf_uds_good_status(uds_of(p), &c, &status);
	return BF_OK;
}
