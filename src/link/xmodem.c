/* SPDX-License-Identifier: MIT */
#include "bmsflash/xmodem.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"

#define QUIET      BF_MS(50) /* a line without bytes for so long is quiet: adapters hold bytes back */
#define QUIET_MAX  BF_SEC(1) /* ... and so long it is waited for at most, whatever comes */
#define WRITE_WAIT BF_SEC(5)
#define EARLY_C    BF_SEC(1) /* a 'C' that comes sooner after block 1 was sent before it */
#define CANCELS    2
#define END_EACH   BF_SEC(3) /* for an answer to EOT: receivers listen a second whether it was one */

/* ---- the codec ---- */

size_t bf_xmodem_frame(const struct bf_xmodem_opts *opts, bool crc, uint8_t number,
		       const uint8_t *data, size_t len, uint8_t dst[BF_XMODEM_FRAME_MAX])
{
	size_t block = opts->block, at = 3 + block;
	uint8_t sum = 0;

	dst[0] = block == BF_XMODEM_BLOCK_MAX ? BF_XMODEM_STX : BF_XMODEM_SOH;
	dst[1] = number;
	dst[2] = (uint8_t)~number;
	memcpy(dst + 3, data, len);
	memset(dst + 3 + len, opts->pad, block - len);
	if (crc) {
		bf_put_be16(dst + at, bf_crc16(BF_CRC16_XMODEM, dst + 3, block));
		return at + 2;
	}
	for (size_t i = 0; i < block; i++)
		sum = (uint8_t)(sum + dst[3 + i]);
	dst[at] = sum;
	return at + 1;
}

/* ---- what the receiver says ---- */

enum heard {
	HEARD_NOTHING,
	HEARD_ACK,
	HEARD_NAK,
	HEARD_CANCEL,
	HEARD_C,
};

void bf_xmodem_init(struct bf_xmodem *x, const struct bf_xmodem_opts *opts,
		    struct bf_transport *wire)
{
	*x = (struct bf_xmodem){ .opts = *opts, .wire = wire, .number = 1, .until = BF_NEVER };
	x->crc = opts->check == BF_XMODEM_CRC;
}

static bool is_control(uint8_t byte)
{
	return byte == BF_XMODEM_ACK || byte == BF_XMODEM_NAK || byte == BF_XMODEM_CAN;
}

static void keep_text(struct bf_xmodem *x, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (is_control(p[i]) || !p[i])
			continue;
		if (x->text_len == sizeof(x->text) - 1) {
			memmove(x->text, x->text + 1, x->text_len - 1);
			x->text_len--;
		}
		x->text[x->text_len++] = (char)p[i];
	}
	x->text[x->text_len] = '\0';
	if (x->opts.done && x->opts.done[0] && strstr(x->text, x->opts.done))
		x->done = true;
}

static void forget_text(struct bf_xmodem *x)
{
	x->text_len = 0;
	x->text[0] = '\0';
	x->done = false;
}

static bool is_ready(const struct bf_xmodem *x, uint8_t byte)
{
	if (byte == BF_XMODEM_NAK)
		return x->opts.ready != BF_XMODEM_READY_C;
	return byte == 'C' && x->opts.ready != BF_XMODEM_READY_NAK;
}

static bool is_printable(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x7F;
}

/* The letter C inside a text is none, and neither is one behind which a text goes on. */
static bool ends_ready(const struct bf_xmodem *x, const uint8_t *burst, size_t len, uint8_t before)
{
	uint8_t byte = burst[len - 1], prior = len > 1 ? burst[len - 2] : before;

	return is_ready(x, byte) && (byte == BF_XMODEM_NAK || prior == 'C' || !is_printable(prior));
}

static enum bf_rc silence(const struct bf_xmodem *x, struct bf_err *err)
{
	bf_fail(err, BF_E_NODEV, "no XMODEM receiver asked for data on '%s'%s", x->wire->name,
		x->text_len ? "; a text was heard" : "");
	return err->rc;
}

enum bf_rc bf_xmodem_listen(struct bf_xmodem *x, bf_time deadline, struct bf_err *err)
{
	const struct bf_stream_ops *s = x->wire->ops->stream;
	struct bf_clock *clock = x->wire->clock;
	bool ready = false;
	uint8_t before = 0, last = 0;
	bf_time give_up = bf_now(clock) < deadline ? deadline : bf_now(clock);

	for (;;) {
		bf_time until = ready ? bf_in(clock, QUIET) : give_up;
		struct bf_err quiet;
		uint8_t burst[128];
		size_t n = 0;
		enum bf_rc rc;

		bf_err_init(&quiet);
		rc = s->read(x->wire, burst, sizeof(burst), &n, until, &quiet);
		if (rc == BF_E_TIMEOUT && ready)
			break;
		if (rc == BF_E_TIMEOUT)
			return silence(x, err);
		if (rc) {
			*err = quiet;
			return rc;
		}
		keep_text(x, burst, n);
		ready = ends_ready(x, burst, n, before);
		before = last = burst[n - 1];
		/* A line that is never quiet is no receiver that waits. */
		if (bf_now(clock) >= give_up && !ready)
			return silence(x, err);
		if (bf_now(clock) >= give_up + QUIET_MAX)
			break;
	}
	x->crc = x->opts.check == BF_XMODEM_AUTO ? last == 'C' : x->opts.check == BF_XMODEM_CRC;
	return BF_OK;
}

/* Drops what is under way, so that an answer to the block before does not count for this one. */
static enum bf_rc wait_quiet(struct bf_xmodem *x, struct bf_err *err)
{
	bf_time until = bf_in(x->wire->clock, QUIET_MAX);
	struct bf_err quiet;
	enum bf_rc rc = BF_OK;

	while (!rc && bf_now(x->wire->clock) < until) {
		uint8_t waste[128];
		size_t n = 0;

		bf_err_init(&quiet);
		rc = x->wire->ops->stream->read(x->wire, waste, sizeof(waste), &n,
						bf_in(x->wire->clock, QUIET), &quiet);
		if (rc)
			break;
		keep_text(x, waste, n);
		for (size_t i = 0; i < n; i++)
			x->acks += waste[i] == BF_XMODEM_ACK;
	}
	if (rc && rc != BF_E_TIMEOUT) {
		*err = quiet;
		return rc;
	}
	return BF_OK;
}

/* Takes the block out of what the receiver sends back. */
static size_t skip_echo(struct bf_xmodem *x, const uint8_t *p, size_t n)
{
	size_t skip = 0;

	while (x->opts.echo && skip < n && x->echoed < x->frame_len &&
	       p[skip] == x->frame[x->echoed]) {
		skip++;
		x->echoed++;
	}
	return skip;
}

/* Of control bytes that came together the last one counts. Behind a block with its end glued to it the first one is
 * the answer to the block, and the next to the end. */
static bool counts(const struct bf_xmodem *x, enum heard before)
{
	bool glued = x->last && x->opts.end == BF_XMODEM_END_GLUED;

	return !(glued && x->out && before != HEARD_NOTHING);
}

static enum heard judge(struct bf_xmodem *x, const uint8_t *p, size_t n)
{
	enum heard heard = HEARD_NOTHING;
	unsigned cancels = 0;

	for (size_t i = skip_echo(x, p, n); i < n; i++) {
		cancels = p[i] == BF_XMODEM_CAN ? cancels + 1 : 0;
		x->acks += p[i] == BF_XMODEM_ACK;
		if (is_control(p[i]) && !counts(x, heard))
			continue;
		if (p[i] == BF_XMODEM_ACK) {
			heard = HEARD_ACK;
		} else if (p[i] == BF_XMODEM_NAK) {
			heard = HEARD_NAK;
		} else if (p[i] == 'C' && x->blocks == 0 && n == 1) {
			heard = HEARD_C;
		}
		if (cancels >= x->opts.cancels)
			heard = HEARD_CANCEL;
	}
	return heard;
}

/* Two CANs may come in two reads: a first one alone waits for the other, for as long as a line takes to be quiet. */
static enum bf_rc hear(struct bf_xmodem *x, bf_time deadline, enum heard *ret, struct bf_err *err)
{
	uint8_t buf[128];
	size_t n = 0, more = 0;
	struct bf_err quiet;
	enum bf_rc rc;

	bf_err_init(&quiet);
	*ret = HEARD_NOTHING;
	rc = x->wire->ops->stream->read(x->wire, buf, sizeof(buf) - 1, &n, deadline, &quiet);
	if (!rc && n && buf[n - 1] == BF_XMODEM_CAN && x->opts.cancels > 1) {
		struct bf_err none;

		bf_err_init(&none);
		if (!x->wire->ops->stream->read(x->wire, buf + n, 1, &more,
						bf_in(x->wire->clock, QUIET), &none))
			n += more;
	}
	if (rc) {
		*err = quiet;
		return rc;
	}
	keep_text(x, buf, n);
	*ret = judge(x, buf, n);
	return BF_OK;
}

/* ---- blocks ---- */

void bf_xmodem_begin(struct bf_xmodem *x)
{
	x->number = 1;
	x->blocks = 0;
	x->out = x->last = false;
	x->until = x->opts.whole ? bf_in(x->wire->clock, x->opts.whole) : BF_NEVER;
	forget_text(x);
}

static enum bf_rc put(struct bf_xmodem *x, struct bf_err *err)
{
	const struct bf_stream_ops *s = x->wire->ops->stream;

	s->discard(x->wire);
	x->echoed = 0;
	x->acks = 0;
	if (s->write(x->wire, x->frame, x->frame_len, bf_in(x->wire->clock, WRITE_WAIT), err))
		return err->rc;
	x->sends++;
	x->sent = bf_now(x->wire->clock);
	return BF_OK;
}

enum bf_rc bf_xmodem_send(struct bf_xmodem *x, const uint8_t *data, size_t len, bool last,
			  struct bf_err *err)
{
	if (x->out || !len || len > x->opts.block)
		return bf_fail(err, BF_E_INTERNAL, "a block of %zu bytes", len);
	x->frame_len = bf_xmodem_frame(&x->opts, x->crc, x->number, data, len, x->frame);
	x->data_len = len;
	x->last = last;
	if (last && x->opts.end == BF_XMODEM_END_GLUED) {
		memset(x->frame + x->frame_len, BF_XMODEM_EOT, x->opts.eots);
		x->frame_len += x->opts.eots;
	}
	forget_text(x);
	x->out = true;
	x->sends = 0;
	if (put(x, err))
		return bf_while(err, "sending block %llu", (unsigned long long)x->blocks + 1);
	return BF_OK;
}

static enum bf_rc cancelled(const struct bf_xmodem *x, struct bf_err *err)
{
	return bf_fail_dev(err, BF_E_NAK, BF_XMODEM_CAN, "CAN",
			   "the receiver cancelled the transfer at block %llu",
			   (unsigned long long)x->blocks + 1);
}

static enum bf_rc exhausted(const struct bf_xmodem *x, bool asked, struct bf_err *err)
{
	unsigned long long block = (unsigned long long)x->blocks + 1;

	if (asked)
		bf_fail(err, BF_E_LINK, "the receiver asked for block %llu %u times", block,
			x->sends);
	else
		bf_fail(err, BF_E_TIMEOUT, "no answer to block %llu, which was sent %u times",
			block, x->sends);
	bf_likely(err, "bytes get lost or damaged on the line: cable, termination, another device "
		       "that talks");
	if (asked && x->blocks == 0)
		bf_likely(err, "another checksum or block size than the receiver's: 'check' and "
			       "'block' in [xmodem]");
	return err->rc;
}

static enum bf_rc again(struct bf_xmodem *x, bool asked, struct bf_err *err)
{
	enum bf_rc rc;

	if (x->sends >= x->opts.sends)
		return exhausted(x, asked, err);
	rc = wait_quiet(x, err);
	if (rc)
		return rc;
	/* The EOTs behind the last block end the transfer even where the block itself was damaged. */
	if (x->last && x->opts.end == BF_XMODEM_END_GLUED && (x->done || x->acks)) {
		bf_fail(err, BF_E_LINK,
			"the receiver ended the transfer without the last block: the firmware in "
			"it is not complete");
		return err->rc;
	}
	x->repeats++;
	x->unasked += !asked;
	return put(x, err);
}

static enum bf_rc over(const struct bf_xmodem *x, struct bf_err *err)
{
	return bf_fail(err, BF_E_TIMEOUT,
		       "the transfer takes longer than %d s: stopped at block %llu",
		       (int)(x->opts.whole / BF_SEC(1)), (unsigned long long)x->blocks + 1);
}

enum bf_rc bf_xmodem_answer(struct bf_xmodem *x, struct bf_err *err)
{
	struct bf_clock *clock = x->wire->clock;
	enum bf_rc rc = BF_OK;

	if (!x->out)
		return bf_fail(err, BF_E_INTERNAL, "no block is out");
	while (!rc) {
		bf_time deadline = x->sent + x->opts.block_wait;
		enum heard heard;
		bool late_c;

		if (bf_now(clock) >= x->until) {
			rc = over(x, err);
			break;
		}
		rc = hear(x, deadline < x->until ? deadline : x->until, &heard, err);
		if (rc == BF_E_TIMEOUT && bf_now(clock) < x->until) {
			bf_err_init(err);
			rc = again(x, false, err);
			continue;
		}
		late_c = heard == HEARD_C && bf_now(clock) - x->sent >= EARLY_C;
		if (rc == BF_E_TIMEOUT || (!rc && heard == HEARD_NOTHING))
			rc = rc ? over(x, err) : BF_OK;
		else if (!rc && heard == HEARD_ACK)
			break;
		else if (!rc && heard == HEARD_CANCEL)
			rc = cancelled(x, err);
		else if (!rc && (heard == HEARD_NAK || late_c))
			rc = again(x, true, err);
		/* bytes that mean nothing do not prolong the wait */
		if (!rc && heard == HEARD_NOTHING && bf_now(clock) >= deadline)
			rc = again(x, false, err);
	}
	x->out = false;
	if (rc)
		return bf_while(err, "waiting for the answer to block %llu",
				(unsigned long long)x->blocks + 1);
	x->number++;
	x->blocks++;
	return BF_OK;
}

/* ---- the end ---- */

static bool wants_text(const struct bf_xmodem *x)
{
	return x->opts.done && x->opts.done[0] && !x->done;
}

/* Gathers the text, and the acknowledgement of an end that went out with the last block. */
static enum bf_rc gather(struct bf_xmodem *x, bf_time deadline, struct bf_err *err)
{
	while (wants_text(x)) {
		enum heard heard;
		struct bf_err quiet;
		enum bf_rc rc;

		bf_err_init(&quiet);
		rc = hear(x, deadline, &heard, &quiet);
		if (rc == BF_E_TIMEOUT || rc == BF_E_GONE)
			return BF_OK;
		if (!rc && heard == HEARD_CANCEL)
			return cancelled(x, err);
		if (rc) {
			*err = quiet;
			return rc;
		}
		if (bf_now(x->wire->clock) >= deadline)
			return BF_OK;
	}
	return BF_OK;
}

/* Some receivers refuse the first EOT, to be sure that it is one. */
static enum bf_rc end_standard(struct bf_xmodem *x, bf_time deadline, struct bf_err *err)
{
	struct bf_clock *clock = x->wire->clock;

	x->frame[0] = BF_XMODEM_EOT;
	x->frame_len = 1;
	for (unsigned i = 0; i < x->opts.sends && bf_now(clock) < deadline; i++) {
		bf_time until = bf_in(clock, END_EACH);
		enum heard heard = HEARD_NOTHING;
		enum bf_rc rc = put(x, err);

		while (!rc && heard == HEARD_NOTHING && !x->done && bf_now(clock) < until)
			rc = hear(x, until, &heard, err);
		if (rc == BF_E_TIMEOUT) {
			bf_err_init(err);
			continue;
		}
		/* It has every block, and some go with the end: a port of the pack's own, too. */
		if (rc == BF_E_GONE) {
			bf_err_init(err);
			return BF_OK;
		}
		if (rc)
			return rc;
		if (heard == HEARD_CANCEL)
			return cancelled(x, err);
		if (heard == HEARD_ACK || x->done)
			return BF_OK;
		if (heard == HEARD_NAK && wait_quiet(x, err))
			return err->rc;
	}
	return bf_fail(err, BF_E_TIMEOUT,
		       "the receiver has all blocks and does not acknowledge the "
		       "end of the transfer");
}

enum bf_rc bf_xmodem_finish(struct bf_xmodem *x, struct bf_err *err)
{
	bf_time deadline = bf_in(x->wire->clock, x->opts.end_wait);

	if (x->out || !x->last)
		return bf_fail(err, BF_E_INTERNAL, "the transfer is not complete");
	if (x->opts.end == BF_XMODEM_END_STANDARD && end_standard(x, deadline, err))
		return bf_while(err, "ending the transfer");
	if (gather(x, deadline, err))
		return bf_while(err, "waiting for the receiver to end the transfer");
	return BF_OK;
}

void bf_xmodem_cancel(struct bf_xmodem *x)
{
	static const uint8_t cancel[CANCELS] = { BF_XMODEM_CAN, BF_XMODEM_CAN };
	struct bf_err quiet;

	x->out = false;
	if (!x->opts.may_cancel)
		return;
	bf_err_init(&quiet);
	(void)x->wire->ops->stream->write(x->wire, cancel, sizeof(cancel),
					  bf_in(x->wire->clock, WRITE_WAIT), &quiet);
}
