/* SPDX-License-Identifier: MIT */
/* Reading back: 35, 36, 37. */
#include "uds.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_HEAD 2 /* service and counter */
#define RESTARTS   5 /* transfers begun again before a range counts as unreadable */

/* One block: 76 counter data. The server fills its blocks as it likes, up to what is left. */
static enum bf_rc read_block(struct uds *u, uint8_t counter, uint32_t addr, size_t left,
			     uint32_t block_max, struct bf_cur *ret, struct bf_err *err)
{
	const uint8_t head[] = { UDS_TRANSFER, counter };
	char what[48];
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.match = 1,
		.min_len = 3,
		.expect = left < block_max - BLOCK_HEAD ? BLOCK_HEAD + left : block_max,
		.rclass = BF_RETRY_COUNTED,
		.limit = BF_SEC(uds_keys(u)->limit_block_s),
		.what = what,
	};
	enum bf_rc rc;

	if (bf_uds_present(u, err))
		return err->rc;
	snprintf(what, sizeof(what), "give its memory at 0x%08X", addr);
	rc = bf_uds_ask(u, &ask, ret, err);
	if (rc)
		return rc;
	if (bf_cur_left(ret) > left)
		return bf_fail(err, BF_E_LINK,
			       "the pack gave %zu bytes at 0x%08X where %zu were left to read",
			       bf_cur_left(ret), addr, left);
	return BF_OK;
}

#define ADDRESS_MAX   1024 /* bytes of a first read by address, fewer where the pack refuses */
#define ADDRESS_LEAST 16

/* 23: each answer is a part of memory, as long as was asked for. */
static enum bf_rc read_by_address(struct uds *u, uint32_t addr, uint8_t *buf, size_t len,
				  size_t *done, struct bf_err *err)
{
	uint8_t head[10], format = uds_keys(u)->address_format;
	size_t at = 0;

	if (!u->read_max)
		u->read_max = ADDRESS_MAX;
	while (at < len) {
		uint32_t n = (uint32_t)(len - at < u->read_max ? len - at : u->read_max);
		struct bf_out o = bf_out(head, sizeof(head));
		char what[48];
		struct uds_ask ask = {
			.head = head, .min_len = 1 + n, .expect = 1 + n, .what = what
		};
		struct bf_cur c;
		enum bf_rc rc = bf_uds_present(u, err);

		if (rc)
			return rc;
		bf_out_u8(&o, UDS_READ_MEMORY);
		bf_out_u8(&o, format);
		bf_uds_put_number(u, &o, addr + (uint32_t)at, format & 0x0F);
		bf_uds_put_number(u, &o, n, format >> 4);
		ask.head_len = o.len;
		snprintf(what, sizeof(what), "give its memory at 0x%08X", addr + (uint32_t)at);
		rc = bf_uds_ask(u, &ask, &c, err);
		if (rc && u->read_max > ADDRESS_LEAST &&
		    (bf_uds_refused(err, UDS_NRC_RANGE) || bf_uds_refused(err, UDS_NRC_TOO_LONG) ||
		     bf_uds_refused(err, UDS_NRC_LENGTH))) {
			u->read_max /= 2;
			continue;
		}
		if (rc)
			return rc;
		memcpy(buf + at, bf_cur_bytes(&c, n), n);
		at += n;
		*done += n;
	}
	return BF_OK;
}

/* One transfer of at most len bytes; *done grows with every block that arrived. */
static enum bf_rc read_transfer(struct uds *u, uint32_t addr, uint8_t *buf, size_t len,
				size_t *done, struct bf_err *err)
{
	uint8_t counter = 1;
	uint32_t block_max;
	size_t at = 0;
	const struct uds_opening opening = { UDS_UPLOAD, 0, addr, (uint32_t)len };
	enum bf_rc rc;

	if (uds_keys(u)->read_service == UDS_READ_MEMORY)
		return read_by_address(u, addr, buf, len, done, err);
	rc = bf_uds_open_transfer(u, &opening, &block_max, err);

	while (!rc && at < len) {
		size_t left = len - at;
		struct bf_cur c;
		size_t n;

		rc = read_block(u, counter, addr + (uint32_t)at, left, block_max, &c, err);
		if (rc)
			break;
		n = bf_cur_left(&c);
		memcpy(buf + at, c.p + c.pos, n);
		at += n;
		counter = counter == 0xFF ? uds_keys(u)->counter_wrap : (uint8_t)(counter + 1);
	}
	*done += at;
	bf_uds_exit_quietly(u);
	return rc;
}

static bool worth_restarting(enum bf_rc rc, const struct bf_err *err)
{
	return rc == BF_E_TIMEOUT || rc == BF_E_LINK || bf_uds_transfer_lost(err);
}

/* A pack may want to know who reads it. It is asked once, and only where there is an answer to give. */
static bool may_unlock(struct uds *u, enum bf_rc rc, const struct bf_err *err)
{
	return rc && !u->unlocked && u->proto.env.auth &&
	       (bf_uds_refused(err, UDS_NRC_SECURITY) ||
		bf_uds_refused(err, UDS_NRC_AUTHENTICATION));
}

enum bf_rc bf_uds_read(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
		       uint8_t *buf, size_t len, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	bool asked = false; /* to be let in */
	size_t done = 0;
	enum bf_rc rc = bf_uds_need_link(u, err);

	if (rc)
		return rc;
	if (len > UINT32_MAX)
		return bf_fail(err, BF_E_INTERNAL, "reading %zu bytes at once", len);
	for (unsigned i = 0; done < len; i++) {
		size_t before = done;
		size_t n = len - done;

		/* On a bad line the size of the request limits what the server sends at once. */
		if (u->safe_len < UDS_MSG_MAX && n > u->safe_len - BLOCK_HEAD)
			n = u->safe_len - BLOCK_HEAD;
		rc = read_transfer(u, addr + (uint32_t)done, buf + done, n, &done, err);
		if (!asked && may_unlock(u, rc, err)) {
			asked = true;
			bf_err_init(err);
			if (bf_uds_authenticate(p, err))
				return err->rc;
			if (u->unlocked)
				continue; /* and go on from where it stands */
		}
		if (rc && !done && bf_uds_refused(err, UDS_NRC_NO_SERVICE))
			err->rc = rc = BF_E_UNSUPPORTED;
		/* The count is of restarts without progress. */
		if (done > before)
			i = 0;
		if (!rc)
			continue;
		if (i >= RESTARTS || !worth_restarting(rc, err))
			return bf_while(err, "reading %zu bytes at 0x%08X of '%s'", len, addr,
					region ? region->name : "");
	}
	return BF_OK;
}
