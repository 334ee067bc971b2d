/* SPDX-License-Identifier: MIT */
/*
 * ST's ROM loader on a serial line (AN3155). Every command is its code and the complement, every message ends
 * with the XOR of its bytes, and each is acknowledged. The loader has no time-outs: after a lost byte it waits
 * for the rest for ever, and what is sent next is taken for that rest. So the way back to the command state
 * must not be something that, as the rest of an erase command, erases.
 */
#include "family/stm32/stm32_priv.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"

#define ANSWER      BF_MS(300)  /* to a command or an address */
#define WRITE_TIME  BF_MS(1500) /* flash of 256 bytes, the slowest */
#define SYNC_WAIT   BF_MS(120)  /* for the answer to one 7F */
#define QUIET       BF_MS(25)
#define PROBE_WAIT  BF_MS(80)
#define STRANGE_MAX 3u  /* bytes that no loader says, without one that it does */
#define STRAY_MAX   16u /* zeros before the first acknowledge */
#define PROBES      12u
#define GREETINGS   8u   /* of them, where more than that would be the data of a message */
#define FILL_AFTER  2u   /* behind those */
#define FILLER      300u /* bytes that a WRITE or an ERASE may still be waiting for, and some */
#define TEXT_ANSWER BF_SEC(2)
#define FILL_PACE   BF_MS(2) /* a loader refuses after less */
#define RESET_AGAIN                                                                              \
	"a loader that was reset takes the rate of the first byte it hears, and may have heard " \
	"another: hold BOOT0 and "                                                               \
	"press reset again"
#define BITS 11u /* of a byte with parity */

/* ---- bytes ---- */

static bf_time wire_time(const struct bf_stm32 *d, size_t n)
{
	return BF_SEC(1) * (bf_time)(n * BITS) / (bf_time)(d->uart.baud ? d->uart.baud : 9600);
}

/* To ask the system takes longer than a short message does: once where the line may be another, not for each. */
static void note_rate(struct bf_stm32 *d)
{
	struct bf_transport *t = d->base.env.transport;
	struct bf_line_report r = { 0 };

	t->ops->stream->report(t, &r);
	d->uart.baud = r.real_baud;
}

static enum bf_rc send(struct bf_stm32 *d, const uint8_t *p, size_t n, struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;

	if (n <= sizeof(d->uart.sent)) {
		memcpy(d->uart.sent, p, n);
		d->uart.n_sent = n;
	}
	return t->ops->stream->write(t, p, n, bf_stm32_in(d, ANSWER + 2 * wire_time(d, n)), err);
}

static enum bf_rc receive(struct bf_stm32 *d, uint8_t *p, size_t n, bf_time deadline,
			  struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;
	size_t at = 0, got;

	while (at < n) {
		if (t->ops->stream->read(t, p + at, n - at, &got, deadline, err))
			return err->rc;
		at += got;
	}
	return BF_OK;
}

static void listen_until_quiet(struct bf_stm32 *d)
{
	struct bf_transport *t = d->base.env.transport;
	bf_time until = bf_stm32_in(d, BF_MS(500));
	uint8_t buf[64];
	struct bf_err none;
	size_t got;

	bf_err_init(&none);
	while (bf_now(bf_stm32_clock(d)) < until &&
	       !t->ops->stream->read(t, buf, sizeof(buf), &got, bf_stm32_in(d, QUIET), &none))
		;
	t->ops->stream->discard(t);
}

/* ---- acknowledges ---- */

static enum bf_rc acknowledged(struct bf_stm32 *d, bf_time wait, struct bf_err *err)
{
	bf_time deadline = bf_stm32_in(d, wait);
	uint8_t b;

	for (unsigned stray = 0;;) {
		if (receive(d, &b, 1, deadline, err))
			return err->rc == BF_E_TIMEOUT
				       ? bf_while(err, "waiting for the acknowledge of %s",
						  bf_stm32_command_name(d->uart.command))
				       : err->rc;
		if (b == BF_STM32_ACK)
			return BF_OK;
		if (b == BF_STM32_NACK)
			return BF_E_NAK;
		/* Busy is said by loaders on other buses; a zero comes when the loader switches its pin. */
		if (b != BF_STM32_BUSY && (b != 0 || ++stray > STRAY_MAX))
			return bf_fail(err, BF_E_LINK,
				       "the bootloader answered 0x%02X to %s, which is neither an "
				       "acknowledge (0x79) nor a refusal (0x1F)",
				       b, bf_stm32_command_name(d->uart.command));
	}
}

static enum bf_rc at_stage(struct bf_stm32 *d, enum bf_stm32_stage stage, uint32_t addr,
			   bf_time wait, struct bf_err *err)
{
	enum bf_rc rc;

	d->uart.stage = stage;
	rc = acknowledged(d, wait, err);
	return rc == BF_E_NAK ? bf_stm32_refused(d, d->uart.command, stage, addr, err) : rc;
}

static enum bf_rc command(struct bf_stm32 *d, uint8_t code, struct bf_err *err)
{
	const uint8_t raw[2] = { code, (uint8_t)~code };

	d->uart.command = code;
	if (send(d, raw, sizeof(raw), err))
		return err->rc;
	return at_stage(d, BF_STM32_AT_COMMAND, 0, ANSWER, err);
}

static uint8_t xor_of(const uint8_t *p, size_t n)
{
	uint8_t x = 0;

	for (size_t i = 0; i < n; i++)
		x ^= p[i];
	return x;
}

/* A word with its check byte: an address, a length. */
static enum bf_rc word(struct bf_stm32 *d, uint32_t value, uint32_t addr, bf_time wait,
		       struct bf_err *err)
{
	uint8_t raw[5];

	bf_put_be32(raw, value);
	raw[4] = xor_of(raw, 4);
	if (send(d, raw, sizeof(raw), err))
		return err->rc;
	return at_stage(d, BF_STM32_AT_ADDRESS, addr, wait, err);
}

/* ---- the command state ---- */

/*
 * What is sent here is never a list of pages, a block or a command, in whatever state the loader waits: every byte
 * has its highest bit set, so that no two of them are a command and its complement, whatever gets lost between
 * them; as pages they are none that the chip has; and no number of them ends what arrived with a check byte that is
 * right. All bytes of a message are 0 together: those that arrived are, together, the one that was lost.
 */

/* After so much silence it is not sending: on a bus where two that talk spoil each other, garbage would be a command. */
static bf_time pace(const struct bf_stm32 *d)
{
	return FILL_PACE + wire_time(d, 3);
}

/* One byte, and what came of it: an acknowledge, a refusal, or 0. err has what else went wrong. */
static uint8_t answer_to(struct bf_stm32 *d, uint8_t byte, bf_time wait, struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;
	bf_time deadline;
	uint8_t b = 0;

	bf_err_init(err);
	d->uart.carried ^= byte;
	d->uart.mark = byte ? byte : d->uart.mark;
	if (t->ops->stream->write(t, &byte, 1, bf_stm32_in(d, ANSWER), err))
		return 0;
	deadline = bf_stm32_in(d, wait);
	do {
		if (receive(d, &b, 1, deadline, err))
			return 0;
		d->uart.strange += b && b != BF_STM32_BUSY;
	} while (b != BF_STM32_NACK && b != BF_STM32_ACK);
	d->uart.strange = 0;
	return b;
}

/* A loader that came back from a reset and took the rate of another byte than 7F refuses in garbage, and hears garbage:
 * any two bytes might be a command to it. It is not talked to any more. */
static bool hears_another_rate(const struct bf_stm32 *d)
{
	return d->uart.strange >= STRANGE_MAX;
}

static bool ends_refused(const struct bf_err *err)
{
	return err->rc && err->rc != BF_E_TIMEOUT;
}

/* Could one lost byte of the message have been this? Of a block of data only its length is looked at: it is read again
 * and compared. */
static bool may_be_lost(const struct bf_stm32 *d, uint8_t byte)
{
	size_t n = d->uart.command == BF_STM32_WRITE && d->uart.stage == BF_STM32_AT_DATA
			   ? d->uart.n_sent > 0
			   : d->uart.n_sent;

	return !byte || memchr(d->uart.sent, byte, n) != NULL;
}

/* Of zeros any number may get lost and the check byte stays as wrong as it was. It must be so without either of the two
 * bytes before them, too. In a list of pages zeros would be the first page of all. */
static bool zeros_do_it(const struct bf_stm32 *d)
{
	uint8_t whole = d->uart.carried, last = d->uart.mark;

	return d->uart.command == BF_STM32_WRITE && !may_be_lost(d, whole) &&
	       !may_be_lost(d, last) && !may_be_lost(d, whole ^ last);
}

/* The next byte at which the message does not end. */
static uint8_t next_byte(const struct bf_stm32 *d)
{
	uint8_t b = d->uart.mark;

	if (zeros_do_it(d))
		return 0;
	for (unsigned i = 0; i < 128; i++) {
		b = (uint8_t)(0x80 | (b + 13));
		if (b != d->uart.mark && !may_be_lost(d, d->uart.carried ^ b))
			break;
	}
	return b;
}

static enum bf_rc is_ready(struct bf_stm32 *d, struct bf_err *err)
{
	bf_err_init(err);
	listen_until_quiet(d);
	d->uart.stage = BF_STM32_AT_COMMAND;
	d->uart.n_sent = 0;
	d->synced = true;
	return BF_OK;
}

/* As many as a WRITE or an ERASE may be waiting for, one by one: the loader refuses what they make, and then any two
 * of them. */
static bool fill_up(struct bf_stm32 *d, struct bf_err *err)
{
	for (unsigned i = 0; i < FILLER; i++) {
		if (answer_to(d, next_byte(d), pace(d), err))
			return true;
		if (ends_refused(err) || hears_another_rate(d))
			return false;
	}
	return false;
}

/*
 * A loader that lost its power meanwhile measures the rate of the first byte that it hears, and anything but 7F
 * makes it deaf until its next reset: so that comes first, wherever it can do no harm. To a loader that waits for a
 * command the second one is a wrong complement, to one that waits for an address the fifth a wrong check byte.
 */
static bool may_greet(const struct bf_stm32 *d)
{
	return !(d->uart.command == BF_STM32_EXT_ERASE && d->uart.stage == BF_STM32_AT_COMMAND) &&
	       !may_be_lost(d, BF_STM32_SYNC);
}

/* A length that it takes for one may be up to 256, or a list of as many pages. */
static bool waits_for_many(const struct bf_stm32 *d)
{
	switch (d->uart.command) {
	case BF_STM32_WRITE:
		return d->uart.stage != BF_STM32_AT_COMMAND;
	case BF_STM32_EXT_ERASE:
		return d->uart.stage == BF_STM32_AT_DATA;
	case BF_STM32_ERASE:
		return true;
	default:
		return false;
	}
}

static enum bf_rc probe_for_command(struct bf_stm32 *d, struct bf_err *err)
{
	bool fills = waits_for_many(d);
	unsigned greetings = !may_greet(d)                       ? 0
			     : !fills                            ? PROBES
			     : d->uart.stage == BF_STM32_AT_DATA ? 1
								 : GREETINGS;

	for (unsigned i = 0; i < PROBES; i++) {
		if (answer_to(d, i < greetings ? BF_STM32_SYNC : next_byte(d),
			      PROBE_WAIT + wire_time(d, 2), err))
			return is_ready(d, err);
		if (ends_refused(err))
			return err->rc;
		if (fills && i == greetings + FILL_AFTER && fill_up(d, err))
			return is_ready(d, err);
		if (ends_refused(err))
			return err->rc;
		if (hears_another_rate(d))
			break;
	}
	d->synced = false;
	bf_fail(err, BF_E_TIMEOUT, "the bootloader does not answer any more");
	bf_likely(err, RESET_AGAIN);
	return err->rc;
}

/*
 * Where the acknowledge of an extended erase did not come, the command may have been heard: what follows would be the
 * number of its pages, and nobody sends so many as 7F would begin. Two pages with a check byte that is false end that.
 */
static enum bf_rc uart_resync(struct bf_stm32 *d, struct bf_err *err)
{
	static const uint8_t wrong[] = { 0x00, 0x01, 0xAA, 0x55, 0x8F, 0xF0, 0xA5 };
	struct bf_transport *t = d->base.env.transport;

	note_rate(d);
	d->uart.carried = d->uart.mark = 0;
	d->uart.strange = 0;
	listen_until_quiet(d);
	if (d->uart.stage == BF_STM32_AT_COMMAND && !may_greet(d) &&
	    t->ops->stream->write(t, wrong, sizeof(wrong), bf_stm32_in(d, ANSWER), err))
		return err->rc;
	listen_until_quiet(d);
	return probe_for_command(d, err);
}

/* An answer to one 7F: true when it is one of a loader. */
static bool answers_sync(struct bf_stm32 *d, bf_time wait, struct bf_err *err)
{
	const uint8_t raw = BF_STM32_SYNC;
	bf_time deadline;
	uint8_t b = 0;

	bf_err_init(err);
	d->uart.command = BF_STM32_SYNC;
	if (send(d, &raw, 1, err))
		return false;
	deadline = bf_stm32_in(d, wait);
	for (unsigned n = 0; n < STRAY_MAX; n++) {
		if (receive(d, &b, 1, deadline, err))
			return false;
		if (b == BF_STM32_ACK || b == BF_STM32_NACK)
			return true;
	}
	bf_fail(err, BF_E_TIMEOUT, "what answers is no ROM loader");
	return false;
}

/*
 * A program that died may have left the loader half-way through a command, where it takes each 7F for data; many
 * of them would even make a list of pages. Once a session: a loader that gets its power in the middle of this
 * is spoilt.
 */
static bool answers_filler(struct bf_stm32 *d, struct bf_err *err)
{
	d->uart.n_sent = 0;
	d->uart.filled = true;
	return fill_up(d, err) && is_ready(d, err) == BF_OK;
}

static enum bf_rc sync_by_byte(struct bf_stm32 *d, bool once, bf_time deadline, struct bf_err *err)
{
	bf_time left = deadline - bf_now(bf_stm32_clock(d));
	bf_time wait = once ? left : left / 3 < SYNC_WAIT ? left / 3 : SYNC_WAIT;

	d->base.env.transport->ops->stream->discard(d->base.env.transport);
	/* The first is measured, or taken for a command; the second is then no complement of it. */
	for (unsigned i = 0; i < (once ? 1u : 2u); i++) {
		if (answers_sync(d, wait, err)) {
			bf_err_init(err);
			return BF_OK;
		}
		if (ends_refused(err))
			return err->rc;
	}
	left = deadline - bf_now(bf_stm32_clock(d));
	if (!once && (!d->uart.filled || waits_for_many(d)) && left > BF_MS(100)) {
		if (answers_filler(d, err))
			return BF_OK;
		if (ends_refused(err))
			return err->rc;
	}
	bf_fail(err, BF_E_NODEV, "no ROM loader answers on '%s'", d->base.env.transport->name);
	bf_likely(err, RESET_AGAIN);
	return err->rc;
}

/* A loader of a maker's own that is greeted by text. */
static enum bf_rc sync_by_text(struct bf_stm32 *d, struct bf_err *err)
{
	const char *text = d->set->sync_text, *want = d->set->sync_answer;
	struct bf_transport *t = d->base.env.transport;
	bf_time deadline;
	char got[256] = "", line[sizeof(d->set->sync_text) + 1];
	size_t at = 0, n = (size_t)snprintf(line, sizeof(line), "%s\r", text);

	t->ops->stream->discard(t);
	if (send(d, (const uint8_t *)line, n, err))
		return err->rc;
	deadline = bf_stm32_in(d, TEXT_ANSWER);
	while (!strstr(got, want) || !want[0]) {
		if (at == sizeof(got) - 1)
			return bf_fail(err, BF_E_NODEV, "what answers is not '%s'", want);
		if (t->ops->stream->read(t, (uint8_t *)got + at, sizeof(got) - 1 - at, &n, deadline,
					 err))
			return err->rc == BF_E_TIMEOUT ? bf_fail(err, BF_E_NODEV,
								 "no bootloader answers '%s'", want)
						       : err->rc;
		for (size_t i = 0; i < n; i++)
			got[at + i] = got[at + i] ? got[at + i] : ' ';
		at += n;
		got[at] = 0;
		if (!want[0])
			break;
	}
	listen_until_quiet(d);
	return BF_OK;
}

static enum bf_rc uart_sync(struct bf_stm32 *d, bool once, bf_time deadline, struct bf_err *err)
{
	note_rate(d);
	d->uart.n_sent = 0;
	if (d->set->sync == BF_STM32_SYNC_TEXT)
		return sync_by_text(d, err);
	return sync_by_byte(d, once, deadline, err);
}

/* ---- commands ---- */

static enum bf_rc uart_get(struct bf_stm32 *d, struct bf_stm32_get *ret, struct bf_err *err)
{
	uint8_t n, raw[256];

	if (command(d, BF_STM32_GET, err))
		return err->rc;
	if (receive(d, &n, 1, bf_stm32_in(d, ANSWER), err) ||
	    receive(d, raw, (size_t)n + 1, bf_stm32_in(d, ANSWER + wire_time(d, n)), err))
		return err->rc;
	ret->version = raw[0];
	ret->n = n < sizeof(ret->codes) ? n : sizeof(ret->codes);
	memcpy(ret->codes, raw + 1, ret->n);
	return at_stage(d, BF_STM32_AT_DATA, 0, ANSWER, err);
}

static enum bf_rc uart_get_id(struct bf_stm32 *d, uint8_t *ret, size_t cap, size_t *ret_n,
			      struct bf_err *err)
{
	uint8_t n, raw[256];

	if (command(d, BF_STM32_GID, err))
		return err->rc;
	if (receive(d, &n, 1, bf_stm32_in(d, ANSWER), err))
		return err->rc;
	if (n >= 16)
		return bf_fail(err, BF_E_LINK, "an identifier of %u bytes", n + 1u);
	if (receive(d, raw, (size_t)n + 1, bf_stm32_in(d, ANSWER), err))
		return err->rc;
	*ret_n = (size_t)n + 1 < cap ? (size_t)n + 1 : cap;
	memcpy(ret, raw, *ret_n);
	return at_stage(d, BF_STM32_AT_DATA, 0, ANSWER, err);
}

/* Bytes have no check of their own on this way: one too many, and they have shifted. */
static bool nothing_left(struct bf_stm32 *d)
{
	struct bf_transport *t = d->base.env.transport;
	struct bf_err none;
	uint8_t more;
	size_t got;

	bf_err_init(&none);
	return t->ops->stream->read(t, &more, 1, &got, bf_stm32_in(d, 0), &none) != BF_OK;
}

static enum bf_rc uart_read(struct bf_stm32 *d, uint32_t addr, uint8_t *buf, size_t n,
			    struct bf_err *err)
{
	const uint8_t len[2] = { (uint8_t)(n - 1), (uint8_t) ~(n - 1) };

	if (command(d, BF_STM32_READ, err) || word(d, addr, addr, ANSWER, err) ||
	    send(d, len, sizeof(len), err) || at_stage(d, BF_STM32_AT_DATA, addr, ANSWER, err))
		return err->rc;
	if (receive(d, buf, n, bf_stm32_in(d, ANSWER + wire_time(d, n)), err))
		return err->rc;
	if (nothing_left(d))
		return BF_OK;
	return bf_fail(err, BF_E_LINK, "more than was asked for was read at 0x%08X", addr);
}

static enum bf_rc uart_write_start(struct bf_stm32 *d, uint32_t addr, const uint8_t *p, size_t n,
				   struct bf_err *err)
{
	uint8_t raw[BF_STM32_BLOCK + 2];

	if (command(d, BF_STM32_WRITE, err) || word(d, addr, addr, ANSWER, err))
		return err->rc;
	raw[0] = (uint8_t)(n - 1);
	memcpy(raw + 1, p, n);
	raw[n + 1] = xor_of(raw, n + 1);
	d->uart.stage = BF_STM32_AT_DATA;
	return send(d, raw, n + 2, err);
}

static enum bf_rc uart_write_finish(struct bf_stm32 *d, struct bf_err *err)
{
	return at_stage(d, BF_STM32_AT_DATA, d->write.block_addr,
			WRITE_TIME + wire_time(d, BF_STM32_BLOCK), err);
}

/* Under way the user hears that it lasts. */
static enum bf_rc wait_long(struct bf_stm32 *d, bf_time limit, const char *what, uint32_t addr,
			    struct bf_err *err)
{
	if (d->base.env.alive)
		d->base.env.alive(d->base.env.alive_ctx, what);
	return at_stage(d, BF_STM32_AT_DATA, addr, limit, err);
}

static enum bf_rc uart_erase(struct bf_stm32 *d, const uint16_t *pages, size_t n, bf_time limit,
			     struct bf_err *err)
{
	uint8_t raw[2 * BF_STM32_PAGES + 8];
	struct bf_out o = bf_out(raw, sizeof(raw));
	bool wide = bf_stm32_has(d, BF_STM32_EXT_ERASE);

	if (wide)
		bf_out_be16(&o, (uint16_t)(n - 1));
	else
		bf_out_u8(&o, (uint8_t)(n - 1));
	for (size_t i = 0; i < n; i++) {
		if (wide)
			bf_out_be16(&o, pages[i]);
		else
			bf_out_u8(&o, (uint8_t)pages[i]);
	}
	bf_out_u8(&o, xor_of(raw, o.len));
	if (o.failed || (!wide && (n > 255 || pages[n - 1] > 255)))
		return bf_fail(err, BF_E_INTERNAL, "%zu pages for one erase command", n);
	if (command(d, wide ? BF_STM32_EXT_ERASE : BF_STM32_ERASE, err))
		return err->rc;
	d->uart.stage = BF_STM32_AT_DATA;
	if (send(d, raw, o.len, err))
		return err->rc;
	return wait_long(d, limit + wire_time(d, o.len), "erasing", 0, err);
}

static enum bf_rc uart_erase_all(struct bf_stm32 *d, unsigned which, bf_time limit,
				 struct bf_err *err)
{
	bool wide = bf_stm32_has(d, BF_STM32_EXT_ERASE);
	const uint8_t narrow[2] = { 0xFF, 0x00 };
	uint8_t raw[3];

	if (!wide && which != BF_STM32_ALL)
		return bf_fail(err, BF_E_UNSUPPORTED, "this bootloader cannot erase one bank");
	bf_put_be16(raw, (uint16_t)which);
	raw[2] = xor_of(raw, 2);
	if (command(d, wide ? BF_STM32_EXT_ERASE : BF_STM32_ERASE, err))
		return err->rc;
	d->uart.stage = BF_STM32_AT_DATA;
	if (wide ? send(d, raw, sizeof(raw), err) : send(d, narrow, sizeof(narrow), err))
		return err->rc;
	return wait_long(d, limit, "erasing all of the flash", 0, err);
}

static enum bf_rc uart_go(struct bf_stm32 *d, uint32_t addr, struct bf_err *err)
{
	return command(d, BF_STM32_GO, err) ? err->rc : word(d, addr, addr, ANSWER, err);
}

static enum bf_rc uart_twice(struct bf_stm32 *d, uint8_t code, bf_time limit, struct bf_err *err)
{
	if (command(d, code, err))
		return err->rc;
	return wait_long(d, limit, "erasing all of the flash", 0, err);
}

/* AN3155: words, polynomial, initial value. Other loaders take bytes and nothing else. Some acknowledge once
 * more before the value. */
static enum bf_rc uart_checksum(struct bf_stm32 *d, enum bf_stm32_sum form, uint32_t addr,
				uint32_t len, uint32_t *ret, struct bf_err *err)
{
	bool full = form == BF_STM32_SUM_AN3155;
	bf_time work = ANSWER + (bf_time)(len / 1024) * BF_MS(2);
	uint8_t raw[6];
	size_t from = 0;

	if (command(d, BF_STM32_CHECKSUM, err) || word(d, addr, addr, ANSWER, err) ||
	    word(d, full ? len / 4 : len, addr, full ? ANSWER : work, err))
		return err->rc;
	if (full &&
	    (word(d, 0x04C11DB7, addr, ANSWER, err) || word(d, UINT32_MAX, addr, work, err)))
		return err->rc;
	if (receive(d, raw, 5, bf_stm32_in(d, work), err))
		return err->rc;
	if (raw[0] == BF_STM32_ACK && xor_of(raw, 4) != raw[4]) {
		if (receive(d, raw + 5, 1, bf_stm32_in(d, ANSWER), err))
			return err->rc;
		from = 1;
	}
	if (xor_of(raw + from, 5))
		return bf_fail(err, BF_E_LINK, "a checksum arrived damaged");
	*ret = bf_get_be32(raw + from);
	return BF_OK;
}

const struct bf_stm32_link bf_stm32_uart = {
	.name = "UART",
	.sync = uart_sync,
	.resync = uart_resync,
	.get = uart_get,
	.get_id = uart_get_id,
	.read = uart_read,
	.write_start = uart_write_start,
	.write_finish = uart_write_finish,
	.erase = uart_erase,
	.erase_all = uart_erase_all,
	.go = uart_go,
	.twice = uart_twice,
	.checksum = uart_checksum,
	.page_max = 0xFFF0,
};
