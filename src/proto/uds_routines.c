/* SPDX-License-Identifier: MIT */
/* Routines, service 31: hashes, checks, and the life of the banks. */
#include "uds.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/crc.h"

#define FORMAT_4_4 0x44
#define UNIT_HASH  8
#define PROBE_SIZE 16
#define HASH_HEAD  7 /* 71 01 RID status count */

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
	rc = bf_uds_run_routine(u, uds_profile(u)->rid_hash, &o, BF_RETRY_IDEMPOTENT, what, ret,
				err);
	rc = bf_uds_optional(rc, err);
	if (rc)
		return rc;
	status = bf_cur_u8(ret);
	if (status)
		return bad_status(status, "hash status", what, BF_E_NAK, "no reason given", err);
	return BF_OK;
}

bool bf_uds_has_hash(struct uds *u, uint32_t addr)
{
	struct bf_err quiet;
	struct bf_cur c;

	return uds_profile(u)->rid_hash &&
	       ask_hash(u, addr, PROBE_SIZE, 0, &c, &quiet) != BF_E_UNSUPPORTED;
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

/* 0202: CRC-32 over what was written. Servers without the routine have FF01. */
static enum bf_rc check_memory(struct uds *u, const struct bf_target *target, struct bf_err *err)
{
	const uint8_t *data = target->segment->data + target->from;
	uint8_t option[13];
	struct bf_out o = bf_out(option, sizeof(option));
	struct bf_cur c;
	uint8_t status;
	enum bf_rc rc;

	if (!uds_profile(u)->rid_check_memory)
		return BF_OK;
	bf_out_u8(&o, FORMAT_4_4);
	bf_out_be32(&o, target->addr);
	bf_out_be32(&o, (uint32_t)target->len);
	bf_out_be32(&o, bf_crc(&bf_crc32_ieee, data, target->len));
	rc = bf_uds_run_routine(u, uds_profile(u)->rid_check_memory, &o, BF_RETRY_IDEMPOTENT,
				"compare its memory with a CRC-32", &c, err);
	if (rc)
		return bf_uds_lacks(err) ? BF_OK : rc;
	status = bf_cur_u8(&c);
	if (status)
		return bf_fail_dev(err, BF_E_MISMATCH, status, "check memory status",
				   "the pack's CRC-32 over the %zu bytes at 0x%08X is not that of "
				   "the image (status %02X)",
				   target->len, target->addr, status);
	return BF_OK;
}

static enum bf_rc check_deps(struct uds *u, struct bf_err *err)
{
	static const char what[] = "accept the new image";
	static const struct {
		enum bf_rc rc;
		const char *why;
	} rows[] = {
		[1] = { BF_E_SIGNATURE, "it is damaged or not signed by a key that it trusts" },
		[2] = { BF_E_INCOMPATIBLE, "it is made for other hardware" },
		[3] = { BF_E_ROLLBACK, "its security counter is too low" },
		[4] = { BF_E_INCOMPATIBLE, "an image that it depends on is missing or too old" },
	};
	struct bf_cur c;
	uint8_t status;
	enum bf_rc rc;

	if (!uds_profile(u)->rid_check_deps)
		return BF_OK;
	rc = bf_uds_run_routine(u, uds_profile(u)->rid_check_deps, NULL, BF_RETRY_IDEMPOTENT,
				"check the new image", &c, err);
	if (rc)
		return bf_uds_lacks(err) ? BF_OK : rc;
	status = bf_cur_u8(&c);
	if (status == 0)
		return BF_OK;
	if (status < BF_COUNT(rows))
		return bad_status(status, "check status", what, rows[status].rc, rows[status].why,
				  err);
	return bad_status(status, "check status", what, BF_E_NAK, "its own check failed", err);
}

enum bf_rc bf_uds_check(struct bf_proto *p, const struct bf_target *target, struct bf_err *err)
{
	enum bf_rc rc = target ? check_memory(uds_of(p), target, err) : BF_OK;

	return rc ? rc : check_deps(uds_of(p), err);
}

/* A routine of one step whose status 01 has one meaning. */
static enum bf_rc simple(struct bf_proto *p, uint16_t rid, const struct bf_out *option,
			 const char *what, const char *why, struct bf_err *err)
{
	struct bf_cur c;
	uint8_t status;
	enum bf_rc rc =
		bf_uds_run_routine(uds_of(p), rid, option, BF_RETRY_IDEMPOTENT, what, &c, err);

	if (rc)
		return rc;
	status = bf_cur_u8(&c);
	if (status == 0)
		return BF_OK;
	return bad_status(status, "routine status", what, BF_E_NAK,
			  status == 1 ? why : "no reason given", err);
}

enum bf_rc bf_uds_activate(struct bf_proto *p, enum bf_activate how, struct bf_err *err)
{
	uint8_t option = how == BF_ACTIVATE_TRIAL ? 0x01 : 0x02;
	struct bf_out o = bf_out(&option, 1);

	o.len = 1;
	return simple(p, uds_profile(uds_of(p))->rid_activate, &o,
		      "start the new image at the next restart",
		      "there is no image in the other bank that may start", err);
}

/* Repeating a confirmation that arrived answers "nothing to confirm": the caller looks at the state. */
enum bf_rc bf_uds_confirm(struct bf_proto *p, struct bf_err *err)
{
	uint64_t repeats = p->env.retry->repeats[BF_RETRY_IDEMPOTENT];
	enum bf_rc rc = simple(p, uds_profile(uds_of(p))->rid_confirm, NULL,
			       "confirm the running image", "there is nothing to confirm", err);

	if (rc == BF_E_NAK && err->dev_code == 1 &&
	    p->env.retry->repeats[BF_RETRY_IDEMPOTENT] > repeats)
		return BF_OK;
	return rc;
}

enum bf_rc bf_uds_revert(struct bf_proto *p, struct bf_err *err)
{
	return simple(p, uds_profile(uds_of(p))->rid_revert, NULL, "go back to the previous image",
		      "there is no previous image that may start", err);
}

enum bf_rc bf_uds_self_test(struct bf_proto *p, struct bf_self_test *ret, struct bf_err *err)
{
	struct bf_self_test result = { 0 };
	struct bf_cur c;
	enum bf_rc rc = bf_uds_run_routine(uds_of(p), uds_profile(uds_of(p))->rid_self_test, NULL,
					   BF_RETRY_IDEMPOTENT, "test itself", &c, err);

	rc = bf_uds_optional(rc, err);
	if (rc)
		return rc;
	result.passed = bf_cur_u8(&c) == 0;
	bf_uds_read_text(&c, result.detail, sizeof(result.detail));
	*ret = result;
	return BF_OK;
}

enum bf_rc bf_uds_balance(struct bf_proto *p, bool *ret_ok, struct bf_err *err)
{
	struct bf_cur c;
	enum bf_rc rc =
		bf_uds_run_routine(uds_of(p), uds_profile(uds_of(p))->rid_balance, NULL,
				   BF_RETRY_IDEMPOTENT, "check its balancing switches", &c, err);

	rc = bf_uds_optional(rc, err);
	if (rc)
		return rc;
	*ret_ok = bf_cur_u8(&c) == 0;
	return BF_OK;
}
