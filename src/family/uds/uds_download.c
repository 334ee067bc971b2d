/* SPDX-License-Identifier: MIT */
/* Writing: erase (31 FF00), 34, 36, 37. */
#include "uds.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/crc.h"

#define SHORTEST      8 /* bytes of data worth a block of their own */
#define FIRST_COUNTER 1
#define UNTOLD_BLOCK \
	130 /* bytes of a message where the loader says that it has no length: any takes so much */
#define ST_MIN_LONGEST 127000 /* us between two frames of ISO-TP */

void bf_uds_exit_quietly(struct uds *u)
{
	static const uint8_t head[] = { UDS_TRANSFER_EXIT };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.rclass = BF_RETRY_DESTRUCTIVE,
		.once = true,
		.what = "end a transfer",
	};
	struct bf_err quiet;

	bf_err_init(&quiet);
	u->transfer = UDS_IDLE;
	u->block_len = 0;
	bf_clock_hold(uds_clock(u));
	bf_uds_ask(u, &ask, NULL, &quiet);
	bf_clock_release(uds_clock(u));
}

bool bf_uds_transfer_lost(const struct bf_err *err)
{
	return bf_uds_refused(err, UDS_NRC_SEQUENCE) || bf_uds_refused(err, UDS_NRC_NOT_ACCEPTED) ||
	       bf_uds_refused(err, UDS_NRC_SUSPENDED) || bf_uds_refused(err, UDS_NRC_COUNTER);
}

/* Who wrote and when. A pack that keeps no such record is written all the same. */
static enum bf_rc write_fingerprint(struct uds *u, const struct bf_template_values *v,
				    struct bf_err *err)
{
	uint16_t did = uds_keys(u)->did_fingerprint;
	const uint8_t head[] = { UDS_WRITE_DID, (uint8_t)(did >> 8), (uint8_t)did };
	uint8_t record[64];
	struct bf_out o = bf_out(record, sizeof(record));
	struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.tail = record,
		.match = 2,
		.rclass = BF_RETRY_IDEMPOTENT,
		.what = "store the fingerprint of this programming",
	};
	enum bf_rc rc;

	if (!did || u->fingerprinted || u->loading_driver)
		return BF_OK;
	bf_uds_fill(u, uds_keys(u)->fingerprint_format, v, &o);
	ask.tail_len = o.len;
	rc = bf_uds_ask(u, &ask, NULL, err);
	if (rc && (!err->dev_refused || rc == BF_E_AUTH) && !bf_uds_silent(u, rc))
		return rc;
	if (rc)
		bf_err_init(err);
	u->fingerprinted = true;
	return BF_OK;
}

static enum bf_rc erase_once(struct uds *u, const struct bf_template_values *v, const char *what,
			     struct bf_err *err)
{
	uint8_t option[128];
	struct bf_out o = bf_out(option, sizeof(option));
	struct bf_cur c;
	uint8_t status;
	enum bf_rc rc;

	bf_uds_fill(u, uds_keys(u)->erase_option, v, &o);
	rc = bf_uds_run_routine(u, UDS_R_ERASE, &o, BF_RETRY_DESTRUCTIVE, what, &c, err);
	if (rc)
		return rc;
	if (!bf_uds_good_status(u, &c, &status))
		return bf_fail_dev(err, BF_E_NAK, status, "erase status",
				   "the pack could not %s: status %02X", what, status);
	return BF_OK;
}

/* A lost answer: when the server is idle, and still in the session, it may be told again. */
static bool idle_in_session(struct uds *u)
{
	uint16_t did = uds_keys(u)->did_session;
	struct bf_err quiet;
	struct bf_cur c;

	bf_err_init(&quiet);
	return did && bf_uds_read_did(u, did, &c, &quiet) == BF_OK && bf_cur_u8(&c) == u->session;
}

/*
 * The answer to the first request is lost. A refusal of the second says nothing about what became of the first: then the
 * answer stays lost.
 */
static enum bf_rc erase_again(struct uds *u, const struct bf_template_values *v, const char *what,
			      struct bf_err *err)
{
	struct bf_err second;
	enum bf_rc rc;

	bf_err_init(&second);
	u->fingerprinted = false; /* some servers want one for each erasure */
	rc = write_fingerprint(u, v, &second);
	rc = rc ? rc : erase_once(u, v, what, &second);
	if (!second.dev_refused)
		*err = second;
	return second.dev_refused ? err->rc : rc;
}

enum bf_rc bf_uds_erase(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			uint32_t size, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	struct bf_template_values v;
	char what[64];
	enum bf_rc rc;

	(void)region;
	bf_uds_note_segment(u, addr, NULL, size, &v);
	if (uds_keys(u)->fingerprint_block)
		u->fingerprinted = false;
	rc = write_fingerprint(u, &v, err);
	if (rc)
		return rc;
	snprintf(what, sizeof(what), "erase %u bytes at 0x%08X", size, addr);
	rc = erase_once(u, &v, what, err);
	if ((rc == BF_E_TIMEOUT || rc == BF_E_LINK) && !u->gave_up && idle_in_session(u))
		rc = erase_again(u, &v, what, err);
	return rc;
}

void bf_uds_put_number(const struct uds *u, struct bf_out *o, uint32_t v, unsigned bytes)
{
	bool little = uds_keys(u)->little;

	for (unsigned i = 0; i < bytes; i++)
		bf_out_u8(o, (uint8_t)(v >> 8 * (little ? i : bytes - 1 - i)));
}

static bool is_longer(uint32_t v, unsigned bytes)
{
	return bytes < 4 && v >> 8 * bytes;
}

static enum bf_rc request_transfer(struct uds *u, const struct uds_opening *opening,
				   struct bf_cur *ret, struct bf_err *err)
{
	uint8_t head[80], format = uds_keys(u)->address_format;
	const char *own = uds_keys(u)->download_option;
	struct bf_out o = bf_out(head, sizeof(head));
	char what[64];
	struct uds_ask ask = {
		.head = head,
		.rclass = BF_RETRY_DESTRUCTIVE,
		.what = what,
	};

	bf_out_u8(&o, opening->sid);
	bf_out_u8(&o, opening->format);
	if (opening->sid == UDS_DOWNLOAD && !u->loading_driver && own[0]) {
		bf_uds_fill(u, own, &u->segment, &o);
		ask.head_len = o.len;
		snprintf(what, sizeof(what), "take %u bytes at 0x%08X", opening->size,
			 opening->addr);
		return bf_uds_ask(u, &ask, ret, err);
	}
	if (is_longer(opening->addr, format & 0x0F) || is_longer(opening->size, format >> 4))
		return bf_fail(err, BF_E_INCOMPATIBLE,
			       "a transfer of %u bytes at 0x%08X does not fit address-format "
			       "0x%02X of the "
			       "profile",
			       opening->size, opening->addr, format);
	bf_out_u8(&o, format);
	bf_uds_put_number(u, &o, opening->addr, format & 0x0F);
	bf_uds_put_number(u, &o, opening->size, format >> 4);
	ask.head_len = o.len;
	snprintf(what, sizeof(what), "%s %u bytes at 0x%08X",
		 opening->sid == UDS_DOWNLOAD ? "take" : "give", opening->size, opening->addr);
	return bf_uds_ask(u, &ask, ret, err);
}

/* The answer was lost, or an older transfer is still open: it is ended, and the new one begun again. */
static bool worth_another(enum bf_rc rc, const struct bf_err *err)
{
	return rc == BF_E_TIMEOUT || rc == BF_E_LINK || bf_uds_transfer_lost(err) ||
	       bf_uds_refused(err, UDS_NRC_CONDITIONS);
}

/*
 * A message must be over long before the server's S3 is: some stop that only when it is whole. What the
 * receiver of a long message asked for last, its separation time, is told by the link.
 */
static uint32_t in_time(const struct uds *u, uint32_t len)
{
	size_t fits = bf_link_longest(u->link, len, UDS_S3 / 2);

	return fits > UDS_PIECE_HEAD + SHORTEST ? (uint32_t)fits : UDS_PIECE_HEAD + SHORTEST;
}

enum bf_rc bf_uds_open_transfer(struct uds *u, const struct uds_opening *o, uint32_t *ret,
				struct bf_err *err)
{
	uint32_t cap = (uint32_t)u->link->max_msg;
	uint32_t limit = uds_keys(u)->max_block, chunk = uds_keys(u)->chunk;
	uint32_t there = 0;
	struct bf_cur c;
	enum bf_rc rc = request_transfer(u, o, &c, err);

	if (rc && worth_another(rc, err)) {
		bf_uds_exit_quietly(u);
		rc = request_transfer(u, o, &c, err);
	}
	if (rc)
		return rc;
	if (chunk)
		there = chunk;
	else if (bf_uds_read_block_len(&c, &there) && there == 0)
		there = UNTOLD_BLOCK;
	else if (there <= UDS_PIECE_HEAD)
		return bf_fail(
			err, BF_E_LINK,
			"the pack accepts a transfer, but tells no usable block length (chunk in "
			"[uds] of a profile sets one)");
	cap = limit && limit < cap ? limit : cap;
	cap = u->safe_len < cap ? (uint32_t)u->safe_len : cap;
	cap = in_time(u, there < cap ? there : cap);
	*ret = there < cap ? there : cap;
	return BF_OK;
}

/* ---- a maker's own head and tail around the data of a block ---- */

static bool is_wrapped(const struct uds *u)
{
	return uds_keys(u)->block_head[0] || uds_keys(u)->block_tail[0];
}

static bool has_short_length(const struct uds *u)
{
	return strstr(uds_keys(u)->block_head, "{size:1}") ||
	       strstr(uds_keys(u)->block_tail, "{size:1}");
}

static size_t wrapping_of(const struct uds *u)
{
	uint8_t bytes[2 * 128];
	struct bf_out o = bf_out(bytes, sizeof(bytes));

	bf_uds_fill(u, uds_keys(u)->block_head, NULL, &o);
	bf_uds_fill(u, uds_keys(u)->block_tail, NULL, &o);
	return o.len;
}

/* The whole message without its first two bytes, into the buffer of packed blocks: such a one is never packed. */
static size_t wrap(struct uds *u, const uint8_t *data, size_t len)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	uint8_t *message = u->packed;
	struct bf_out o = bf_out(message, sizeof(u->packed));
	struct bf_template_values v = { .addr = u->target_addr + (uint32_t)u->block_at,
					.size = (uint32_t)len,
					.block = u->segment.block,
					.little = keys->little,
					.wall_us = bf_wall(uds_clock(u)) };
	const char *rest;

	bf_out_u8(&o, UDS_TRANSFER);
	bf_out_u8(&o, u->counter);
	bf_template_put(keys->block_head, &v, &o);
	bf_out_bytes(&o, data, len);
	rest = bf_template_put_to_sum(keys->block_tail, &v, &o);
	if (rest) {
		v.crc32 = bf_crc(&bf_crc32_ieee, message, o.len);
		v.crc16 = bf_crc16(keys->crc16, message, o.len);
		for (size_t i = 0; i < o.len; i++)
			v.sum += message[i];
		bf_template_put(rest, &v, &o);
	}
	return o.len - UDS_PIECE_HEAD;
}

/* Whole write units, so that a transfer may begin again after any block. */
static uint32_t block_max(const struct uds *u)
{
	uint32_t most = u->block_max - UDS_PIECE_HEAD;
	uint32_t unit = u->write_unit, wrapping = (uint32_t)wrapping_of(u);

	most = most > wrapping ? most - wrapping : 1;
	if (has_short_length(u) && most > 255)
		most = 255;
	return unit && most > unit ? most - most % unit : most;
}

/* What the profile wants before the download of a segment; also where erasing is no request of its own. */
static enum bf_rc begin_segment(struct uds *u, const struct bf_target *target, struct bf_err *err)
{
	const uint8_t *data = target->segment ? target->segment->data + target->from : NULL;
	enum bf_rc rc = BF_OK;

	bf_uds_note_segment(u, target->addr, data, target->len, &u->segment);
	if (!bf_uds_rid(u, UDS_R_ERASE))
		rc = write_fingerprint(u, &u->segment, err);
	return rc ? rc : bf_uds_steps(u, BF_STEP_BEFORE_BLOCK, &u->segment, err);
}

enum bf_rc bf_uds_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			struct bf_err *err)
{
	struct uds *u = uds_of(p);
	const struct bf_uds_profile *keys = uds_keys(u);
	struct uds_opening opening = { UDS_DOWNLOAD, 0, target->addr, (uint32_t)target->len };
	enum bf_rc rc;

	if (target->len == 0 || target->len > UINT32_MAX)
		return bf_fail(err, BF_E_INTERNAL, "a transfer of %zu bytes", target->len);
	rc = bf_uds_need_link(u, err);
	if (rc)
		return rc;
	rc = begin_segment(u, target, err);
	if (rc)
		return rc;
	if (keys->address_value == BF_ADDRESS_VALUE_BLOCK && !u->loading_driver)
		opening.addr = u->segment.block;
	u->plain = NULL;
	opening.format = keys->data_format;
	if (!opening.format && !u->loading_driver && !is_wrapped(u))
		opening.format = bf_uds_pack_format(u, target);
	rc = bf_uds_open_transfer(u, &opening, &u->block_max, err);
	if (rc && u->plain && bf_uds_refused(err, UDS_NRC_RANGE)) {
		bf_uds_pack_refused(u);
		opening.format = 0;
		rc = bf_uds_open_transfer(u, &opening, &u->block_max, err);
	}
	if (rc)
		return rc;
	u->transfer = UDS_DOWNLOADING;
	u->target_addr = target->addr;
	u->counter = FIRST_COUNTER;
	u->block_len = 0;
	*ret = (struct bf_flow){ .block_max = block_max(u) };
	if (u->plain)
		ret->block_max = bf_uds_unpacked_max(u, ret->block_max);
	return BF_OK;
}

static enum bf_rc send_block(struct uds *u, const uint8_t *data, size_t len, struct bf_err *err)
{
	const uint8_t head[] = { UDS_TRANSFER, u->counter };
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.tail = data,
		.tail_len = len,
		.limit = BF_SEC(uds_keys(u)->limit_block_s),
	};

	u->proto.env.retry->requests[BF_RETRY_COUNTED]++;
	bf_err_init(&u->block_err);
	u->block_sent = bf_uds_send(u, &ask, &u->block_err);
	if (u->block_sent && u->block_sent != BF_E_TIMEOUT && u->block_sent != BF_E_LINK) {
		*err = u->block_err;
		return u->block_sent;
	}
	return BF_OK;
}

/*
 * How much of a block the server has whole before half its S3 is over, by what it asks for between frames now. Where it
 * has asked for nothing yet, because no request had a second frame, that may be the longest time there is.
 */
static size_t soon_over(struct uds *u, size_t len)
{
	struct bf_link_pace kept = u->link->pace;
	size_t around = UDS_PIECE_HEAD + wrapping_of(u), fits;

	if (!kept.known)
		u->link->pace.st_min_us = ST_MIN_LONGEST;
	fits = bf_link_longest(u->link, around + len, UDS_S3 / 2);
	u->link->pace = kept;
	if (fits >= around + len)
		return len;
	fits = fits > around + SHORTEST ? fits - around : SHORTEST;
	if (u->write_unit && fits > u->write_unit)
		fits -= fits % u->write_unit;
	return fits < len ? fits : len;
}

/* Sending may fail as an answer may be lost: block_finish deals with both alike. */
enum bf_rc bf_uds_block_start(struct bf_proto *p, const struct bf_block *block, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	struct bf_block now = *block;
	size_t len = block->len;

	if (bf_uds_present(u, err))
		return err->rc;
	if (u->transfer != UDS_DOWNLOADING || u->block_len || block->len == 0 ||
	    (!u->plain && len > u->block_max - UDS_PIECE_HEAD))
		return bf_fail(err, BF_E_INTERNAL, "a block of %zu bytes out of turn, %u fit",
			       block->len, u->block_max - UDS_PIECE_HEAD);
	if (u->plain && bf_uds_pack_block(u, &now, &len, err))
		return err->rc;
	if (!u->plain)
		now.len = len = soon_over(u, len);
	u->block_at = block->offset;
	if (is_wrapped(u) && !u->plain) {
		len = wrap(u, now.data, len);
		now.data = u->packed + UDS_PIECE_HEAD;
	}
	if (send_block(u, now.data, len, err))
		return err->rc;
	u->block_len = now.len;
	u->block_end = now.offset + now.len;
	u->block_saved = u->plain ? (int64_t)now.len - (int64_t)len : 0;
	bf_uds_pack_ahead(u, block, now.len);
	return BF_OK;
}

/*
 * A server that knows no repetition refuses the second copy of a block and drops the transfer. The first
 * copy may be in flash: then the confirmed place is not blank, and the caller has to erase before it goes
 * on, as after any lost answer.
 */
static enum bf_rc transfer_dropped(struct uds *u, bool repeated, struct bf_err *err)
{
	unsigned nrc = err->dev_code;

	bf_uds_exit_quietly(u);
	if (repeated)
		return bf_fail(
			err, BF_E_TIMEOUT,
			"the answer to the block that ends at byte %zu was lost, and the pack "
			"does not repeat it (7F 36 %02X)",
			u->block_end, nrc);
	err->rc = BF_E_RESTART;
	return err->rc;
}

/* Some say behind the counter whether the block is in their flash. */
static enum bf_rc judge_block(struct uds *u, struct bf_cur *c, struct bf_err *err)
{
	const struct bf_codes *good = &uds_keys(u)->block_status;
	uint8_t status;

	if (!good->n)
		return BF_OK;
	if (!bf_cur_left(c))
		return bf_fail(err, BF_E_NAK,
			       "the pack answered the block that ends at byte %zu without the "
			       "status that the "
			       "profile expects",
			       u->block_end);
	status = bf_cur_u8(c);
	if (memchr(good->code, status, good->n))
		return BF_OK;
	return bf_fail_dev(err, BF_E_NAK, status, "block status",
			   "the pack did not write the block that ends at byte %zu: status %02X",
			   u->block_end, status);
}

enum bf_rc bf_uds_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	const uint8_t head[] = { UDS_TRANSFER, u->counter };
	uint64_t repeats = p->env.retry->repeats[BF_RETRY_COUNTED];
	struct bf_cur c = bf_cur(NULL, 0);
	char what[64];
	const struct uds_ask ask = {
		.head = head,
		.head_len = sizeof(head),
		.match = 1,
		.rclass = BF_RETRY_COUNTED,
		.limit = BF_SEC(uds_keys(u)->limit_block_s),
		.what = what,
	};
	enum bf_rc rc;

	if (!u->block_len)
		return bf_fail(err, BF_E_INTERNAL, "no block is under way");
	snprintf(what, sizeof(what), "write the block that ends at byte %zu", u->block_end);
	if (u->block_sent)
		*err = u->block_err;
	rc = bf_uds_finish(u, &ask, u->block_sent, &c, err);
	u->block_len = 0;
	if (!rc)
		rc = judge_block(u, &c, err);
	if (!rc) {
		u->counter =
			u->counter == 0xFF ? uds_keys(u)->counter_wrap : (uint8_t)(u->counter + 1);
		p->saved += u->block_saved;
		*ret_next = u->block_end;
		return BF_OK;
	}
	bf_uds_settle(u, &ask, err);
	if (bf_uds_transfer_lost(err))
		rc = transfer_dropped(u, p->env.retry->repeats[BF_RETRY_COUNTED] > repeats, err);
	return rc;
}

/* A checksum of what was written may come behind 77. */
static enum bf_rc compare_exit(struct uds *u, struct bf_cur *c, struct bf_err *err)
{
	enum bf_exit_answer kind = uds_keys(u)->exit_answer;
	size_t n = kind == BF_EXIT_ANSWER_CRC16 ? 2 : 4;
	uint32_t want = kind == BF_EXIT_ANSWER_CRC16 ? u->segment.crc16 : u->segment.crc32, got = 0;

	if (kind == BF_EXIT_ANSWER_NONE || u->loading_driver)
		return BF_OK;
	if (bf_cur_left(c) != n)
		return bf_fail(
			err, BF_E_NAK,
			"the pack ended the transfer without the checksum of %zu bytes that the "
			"profile expects",
			n);
	for (size_t i = 0; i < n; i++)
		got |= (uint32_t)bf_cur_u8(c) << 8 * (uds_keys(u)->little ? i : n - 1 - i);
	if (got == want)
		return BF_OK;
	return bf_fail(
		err, BF_E_MISMATCH,
		"the pack's checksum over the %u bytes at 0x%08X is %0*X, that of the image %0*X",
		u->segment.size, u->segment.addr, (int)(2 * n), got, (int)(2 * n), want);
}

static enum bf_rc end_segment(struct uds *u, struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	enum bf_rc rc;

	if (u->loading_driver)
		return BF_OK;
	u->wrote = true;
	u->after_write_ran = false;
	if (u->n_written < UDS_WRITTEN)
		u->written[u->n_written++] = u->segment;
	rc = bf_uds_steps(u, BF_STEP_AFTER_BLOCK, &u->segment, err);
	if (rc || keys->check_when != BF_CHECK_WHEN_BLOCK)
		return rc;
	rc = bf_uds_check_segment(u, &u->segment, err);
	u->blocks_checked = !rc && (u->blocks_checked || u->n_written == 1);
	return rc;
}

enum bf_rc bf_uds_end(struct bf_proto *p, struct bf_err *err)
{
	uint8_t head[1 + 64] = { UDS_TRANSFER_EXIT };
	struct bf_out o = bf_out(head + 1, sizeof(head) - 1);
	struct uds_ask ask = {
		.head = head,
		.rclass = BF_RETRY_IDEMPOTENT,
		.limit = BF_SEC(uds_keys(uds_of(p))->limit_block_s),
		.what = "end the transfer",
	};
	struct uds *u = uds_of(p);
	uint64_t repeats = p->env.retry->repeats[BF_RETRY_IDEMPOTENT];
	struct bf_cur c = bf_cur(NULL, 0);
	bool again = false;
	enum bf_rc rc;

	if (!u->loading_driver)
		bf_uds_fill(u, uds_keys(u)->exit_option, &u->segment, &o);
	ask.head_len = 1 + o.len;
	rc = bf_uds_ask(u, &ask, &c, err);
	/* "Nothing to end" after a repetition: the first one arrived, its answer did not. */
	if (rc && bf_uds_refused(err, UDS_NRC_SEQUENCE) &&
	    p->env.retry->repeats[BF_RETRY_IDEMPOTENT] > repeats) {
		rc = BF_OK;
		again = true;
	}
	if (rc)
		return rc;
	u->transfer = UDS_IDLE;
	rc = again ? BF_OK : compare_exit(u, &c, err);
	return rc ? rc : end_segment(u, err);
}

void bf_uds_abandon(struct bf_proto *p)
{
	struct uds *u = uds_of(p);

	u->block_len = 0;
	if (u->transfer != UDS_IDLE && u->link)
		bf_uds_exit_quietly(u);
}
