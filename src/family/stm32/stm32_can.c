/* SPDX-License-Identifier: MIT */
/*
 * ST's ROM loader on a CAN bus. AN3154: classic frames, the identifier is the command and answers have the same
 * one, data of a WRITE goes out on identifier 04, a frame at a time, each acknowledged. AN5405: FD frames of up to
 * 64 bytes whose identifier is a base with the command in it. The loader has one node, and takes any frame with
 * such an identifier for a command: on a bus with other traffic nothing is sent unless the profile says so.
 */
#include "family/stm32/stm32_priv.h"

#include <string.h>

#include "bmsflash/bytes.h"

#define ANSWER     BF_MS(400)
#define FRAME_TIME BF_MS(1500) /* a data frame of a WRITE: flash of 8 bytes, or of all */
#define FINAL_WAIT BF_MS(600)  /* for an acknowledge that some loaders send and some do not */
#define LISTEN     BF_MS(250)
#define SWITCH     BF_SEC(2)
#define SYNC_WAIT  BF_MS(150)
#define DATA_ID    0x04u
#define SYNC_ID    0x79u
#define FRAMES_MAX 64u /* of an answer that belongs to something else */

static bool is_fd(const struct bf_stm32 *d)
{
	return d->set->can_form == BF_STM32_CAN_FD;
}

/* ---- frames ---- */

static uint8_t fd_len(size_t n)
{
	static const uint8_t steps[] = { 12, 16, 20, 24, 32, 48, 64 };

	if (n <= 8)
		return (uint8_t)n;
	for (size_t i = 0; i < BF_COUNT(steps); i++) {
		if (n <= steps[i])
			return steps[i];
	}
	return 64;
}

static size_t frame_max(const struct bf_stm32 *d)
{
	return is_fd(d) ? 64 : 8;
}

static enum bf_rc send(struct bf_stm32 *d, uint32_t id, const uint8_t *p, size_t n,
		       struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;
	struct bf_frame f = { .id = id, .len = (uint8_t)n };

	if (is_fd(d)) {
		f.id |= d->set->can_base;
		f.flags = BF_FRAME_FD | BF_FRAME_BRS;
		f.len = fd_len(n);
		memset(f.data, 0xFF, sizeof(f.data));
	}
	if (n)
		memcpy(f.data, p, n);
	return t->ops->bus->send(t, &f, bf_stm32_in(d, ANSWER), err);
}

/* The next frame of the loader; other traffic is passed over. */
static enum bf_rc receive(struct bf_stm32 *d, uint32_t id, struct bf_frame *ret, bf_time deadline,
			  struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;

	for (;;) {
		uint32_t got;

		if (t->ops->bus->recv(t, ret, deadline, err))
			return err->rc;
		got = ret->id;
		if (is_fd(d)) /* acknowledges carry the bare command, refusals what we sent */
			got &= 0xFFu;
		if (!(ret->flags & (BF_FRAME_EXT | BF_FRAME_RTR)) && got == id)
			return BF_OK;
	}
}

static enum bf_rc acknowledged(struct bf_stm32 *d, uint32_t id, bf_time wait, struct bf_err *err)
{
	bf_time deadline = bf_stm32_in(d, wait);
	struct bf_frame f;

	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		if (receive(d, id, &f, deadline, err))
			return err->rc == BF_E_TIMEOUT
				       ? bf_while(err, "waiting for the acknowledge of %s",
						  bf_stm32_command_name((uint8_t)id))
				       : err->rc;
		if (f.len && f.data[0] == BF_STM32_ACK)
			return BF_OK;
		if (f.len && f.data[0] == BF_STM32_NACK)
			return BF_E_NAK;
	}
	return bf_fail(err, BF_E_LINK, "what answers on identifier 0x%02X is no acknowledge", id);
}

static enum bf_rc at_stage(struct bf_stm32 *d, uint8_t command, enum bf_stm32_stage stage,
			   uint32_t addr, bf_time wait, struct bf_err *err)
{
	enum bf_rc rc = acknowledged(d, command, wait, err);

	return rc == BF_E_NAK ? bf_stm32_refused(d, command, stage, addr, err) : rc;
}

/* Whether the last acknowledge has a second behind it hangs on the loader: seen once, known from then on. */
static enum bf_rc final_acknowledge(struct bf_stm32 *d, uint8_t command, uint32_t addr,
				    bf_time limit, struct bf_err *err)
{
	enum bf_rc rc;

	if (d->can.final_ack < 0)
		return BF_OK;
	rc = at_stage(d, command, BF_STM32_AT_DATA, addr, d->can.final_ack ? limit : FINAL_WAIT,
		      err);
	if (!rc)
		d->can.final_ack = 1;
	if (rc != BF_E_TIMEOUT || d->can.final_ack)
		return rc;
	d->can.final_ack = -1;
	bf_err_init(err);
	return BF_OK;
}

static void listen_until_quiet(struct bf_stm32 *d)
{
	struct bf_transport *t = d->base.env.transport;
	bf_time until = bf_stm32_in(d, BF_MS(500));
	struct bf_frame f;
	struct bf_err none;

	bf_err_init(&none);
	while (bf_now(bf_stm32_clock(d)) < until &&
	       !t->ops->bus->recv(t, &f, bf_stm32_in(d, BF_MS(20)), &none))
		;
}

/* ---- who is there ---- */

static enum bf_rc see_that_it_is_alone(struct bf_stm32 *d, struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;
	struct bf_frame f;
	struct bf_err none;

	if (d->set->bus_shared || d->synced)
		return BF_OK;
	bf_err_init(&none);
	if (t->ops->bus->recv(t, &f, bf_stm32_in(d, LISTEN), &none)) {
		if (none.rc == BF_E_TIMEOUT)
			return BF_OK;
		*err = none;
		return err->rc;
	}
	bf_fail(err, BF_E_UNSUPPORTED,
		"Other nodes send on '%s' (identifier 0x%X): the ROM loader's commands would reach "
		"them.",
		t->name, f.id);
	bf_likely(err,
		  "the loader's commands have identifiers 0x00 to 0xA1, of the highest priority");
	bf_do(err, "disconnect the other nodes, or set bus-shared = yes in [stm32] of a profile");
	return err->rc;
}

static enum bf_rc take_first_rate(struct bf_stm32 *d, struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;
	struct bf_bus_report r = { 0 };

	t->ops->bus->report(t, &r);
	d->can.rate = d->can.first_rate = r.bitrate;
	if (!r.bitrate || r.bitrate == d->set->can_rate || d->synced)
		return BF_OK;
	bf_log(d->base.env.log, BF_LOG_INFO, "the ROM loader's bit rate is %u, that of '%s' %u",
	       d->set->can_rate, t->name, r.bitrate);
	if (!t->ops->bus->set_bitrate ||
	    t->ops->bus->set_bitrate(t, d->set->can_rate, is_fd(d) ? r.dbitrate : 0, err)) {
		bf_likely(err, "the ROM loader starts at %u bit/s, '%s' is set to %u",
			  d->set->can_rate, t->name, r.bitrate);
		return bf_while(err, "taking '%s' to the ROM loader's bit rate", t->name);
	}
	d->can.rate = d->can.first_rate = d->set->can_rate;
	return BF_OK;
}

static enum bf_rc filter(struct bf_stm32 *d, struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;
	const struct bf_filter own[] = { { .id = 0, .mask = 0x700 },
					 { .id = d->set->can_base, .mask = 0x700 } };

	if (d->can.filtered)
		return BF_OK;
	if (t->ops->bus->filter(t, own, is_fd(d) ? 2 : 1, err))
		return err->rc;
	d->can.filtered = true;
	return BF_OK;
}

static enum bf_rc can_sync(struct bf_stm32 *d, bool once, bf_time deadline, struct bf_err *err)
{
	bf_time left = deadline - bf_now(bf_stm32_clock(d));
	bf_time wait = once || left < SYNC_WAIT ? left : SYNC_WAIT;
	struct bf_stm32_get unused;
	enum bf_rc rc;

	if (see_that_it_is_alone(d, err) || take_first_rate(d, err) || filter(d, err))
		return err->rc;
	listen_until_quiet(d);
	/* AN5405 has no frame of its own for it: the first command is heard. */
	if (is_fd(d)) {
		rc = bf_stm32_can.get(d, &unused, err);
	} else if (send(d, SYNC_ID, NULL, 0, err)) {
		return err->rc;
	} else {
		rc = acknowledged(d, SYNC_ID, wait, err);
	}
	if (!rc || rc == BF_E_NAK) { /* refused: it is synchronised already */
		bf_err_init(err);
		return BF_OK;
	}
	return bf_stm32_lost(rc) ? bf_fail(err, BF_E_NODEV, "no ROM loader answers on '%s'",
					   d->base.env.transport->name)
				 : rc;
}

/* A WRITE that waits for data takes every frame for data, whatever its identifier. What erased flash holds already
 * ends it; the block is looked at afterwards. */
static void end_write(struct bf_stm32 *d)
{
	uint8_t blank[64];
	struct bf_err none;

	bf_err_init(&none);
	memset(blank, d->erased, sizeof(blank));
	if (!send(d, is_fd(d) ? BF_STM32_WRITE : DATA_ID, blank, frame_max(d), &none))
		(void)acknowledged(d, BF_STM32_WRITE, BF_MS(60), &none);
}

static enum bf_rc can_resync(struct bf_stm32 *d, struct bf_err *err)
{
	struct bf_stm32_get unused;

	listen_until_quiet(d);
	for (unsigned silent = 0; silent < 3;) {
		enum bf_rc rc = bf_stm32_can.get(d, &unused, err);

		if (!rc) {
			bf_err_init(err);
			d->can.writing = false;
			return BF_OK;
		}
		if (rc != BF_E_NAK && !bf_stm32_lost(rc))
			return rc;
		silent += rc == BF_E_TIMEOUT;
		for (size_t i = 0; d->can.writing && i < BF_STM32_BLOCK / frame_max(d) + 1; i++)
			end_write(d);
		listen_until_quiet(d);
		bf_err_init(err);
	}
	d->synced = false;
	return bf_fail(err, BF_E_TIMEOUT, "the bootloader does not answer any more");
}

/* ---- commands ---- */

/* AN3154: each code in a frame of its own; AN5405: as many as fit. */
static enum bf_rc can_get(struct bf_stm32 *d, struct bf_stm32_get *ret, struct bf_err *err)
{
	uint8_t raw[64];
	size_t at = 0, n = 0;

	if (send(d, BF_STM32_GET, NULL, 0, err) ||
	    at_stage(d, BF_STM32_GET, BF_STM32_AT_COMMAND, 0, ANSWER, err))
		return err->rc;
	/* number of bytes less one, version, codes */
	while (at < 1 || at < n) {
		struct bf_frame f;

		if (receive(d, BF_STM32_GET, &f, bf_stm32_in(d, ANSWER), err))
			return err->rc;
		for (size_t i = 0; i < f.len && at < sizeof(raw); i++) {
			raw[at++] = f.data[i];
			n = 2u + raw[0];
			if (at == n)
				break;
		}
		if (!f.len || n > sizeof(raw))
			return bf_fail(err, BF_E_LINK, "a list of commands of %zu bytes", n);
	}
	ret->version = raw[1];
	ret->n = n - 2 < sizeof(ret->codes) ? n - 2 : sizeof(ret->codes);
	memcpy(ret->codes, raw + 2, ret->n);
	return at_stage(d, BF_STM32_GET, BF_STM32_AT_DATA, 0, ANSWER, err);
}

static enum bf_rc can_get_id(struct bf_stm32 *d, uint8_t *ret, size_t cap, size_t *ret_n,
			     struct bf_err *err)
{
	struct bf_frame f;

	if (send(d, BF_STM32_GID, NULL, 0, err) ||
	    at_stage(d, BF_STM32_GID, BF_STM32_AT_COMMAND, 0, ANSWER, err) ||
	    receive(d, BF_STM32_GID, &f, bf_stm32_in(d, ANSWER), err))
		return err->rc;
	*ret_n = f.len < cap ? f.len : cap;
	memcpy(ret, f.data, *ret_n);
	return at_stage(d, BF_STM32_GID, BF_STM32_AT_DATA, 0, ANSWER, err);
}

static enum bf_rc address(struct bf_stm32 *d, uint8_t command, uint32_t addr, size_t n,
			  struct bf_err *err)
{
	uint8_t raw[5];

	bf_put_be32(raw, addr);
	raw[4] = (uint8_t)(n - 1);
	if (send(d, command, raw, n ? 5 : 4, err))
		return err->rc;
	return at_stage(d, command, BF_STM32_AT_ADDRESS, addr, ANSWER, err);
}

/* A frame can come twice: behind the last there is then another one of data, and what was read has shifted. */
static enum bf_rc end_of_data(struct bf_stm32 *d, uint32_t addr, struct bf_err *err)
{
	struct bf_frame f;

	if (receive(d, BF_STM32_READ, &f, bf_stm32_in(d, ANSWER), err))
		return err->rc;
	if (f.len == 1 && f.data[0] == BF_STM32_ACK)
		return BF_OK;
	if (f.len == 1 && f.data[0] == BF_STM32_NACK)
		return bf_stm32_refused(d, BF_STM32_READ, BF_STM32_AT_DATA, addr, err);
	return bf_fail(err, BF_E_LINK, "more than was asked for was read at 0x%08X", addr);
}

static enum bf_rc can_read(struct bf_stm32 *d, uint32_t addr, uint8_t *buf, size_t n,
			   struct bf_err *err)
{
	enum bf_rc rc = address(d, BF_STM32_READ, addr, n, err);

	/* With readout protection some answer nothing at all (AN5405). */
	if (rc == BF_E_TIMEOUT && is_fd(d)) {
		struct bf_stm32_get unused;
		struct bf_err none;

		bf_err_init(&none);
		if (!can_get(d, &unused, &none)) {
			bf_err_init(err);
			return bf_stm32_refused(d, BF_STM32_READ, BF_STM32_AT_COMMAND, addr, err);
		}
	}
	for (size_t at = 0; !rc && at < n;) {
		struct bf_frame f;
		size_t part;

		rc = receive(d, BF_STM32_READ, &f, bf_stm32_in(d, ANSWER), err);
		part = n - at < frame_max(d) ? n - at : frame_max(d);
		if (!rc && f.len < part)
			return bf_fail(err, BF_E_LINK, "a frame of %u bytes where %zu were due",
				       f.len, part);
		if (!rc)
			memcpy(buf + at, f.data, part);
		at += part;
	}
	return rc ? rc : end_of_data(d, addr, err);
}

/* All but the last frame are acknowledged here; write_finish waits for the last. */
static enum bf_rc can_write_start(struct bf_stm32 *d, uint32_t addr, const uint8_t *p, size_t n,
				  struct bf_err *err)
{
	enum bf_rc rc;

	d->can.writing = true;
	rc = address(d, BF_STM32_WRITE, addr, n, err);
	for (size_t at = 0, part; !rc && at < n; at += part) {
		part = n - at < frame_max(d) ? n - at : frame_max(d);
		rc = send(d, is_fd(d) ? BF_STM32_WRITE : DATA_ID, p + at, part, err);
		if (!rc && !is_fd(d) && at + part < n)
			rc = at_stage(d, BF_STM32_WRITE, BF_STM32_AT_DATA, addr, FRAME_TIME, err);
	}
	return rc;
}

static enum bf_rc can_write_finish(struct bf_stm32 *d, struct bf_err *err)
{
	uint32_t addr = d->write.block_addr;
	enum bf_rc rc = at_stage(d, BF_STM32_WRITE, BF_STM32_AT_DATA, addr, FRAME_TIME, err);

	if (!rc && !is_fd(d))
		rc = final_acknowledge(d, BF_STM32_WRITE, addr, FRAME_TIME, err);
	if (!rc)
		d->can.writing = false;
	return rc;
}

/* ---- erasing ---- */

static void tell(struct bf_stm32 *d, const char *what)
{
	if (d->base.env.alive)
		d->base.env.alive(d->base.env.alive_ctx, what);
}

static enum bf_rc page_code(struct bf_stm32 *d, uint8_t page, bf_time limit, struct bf_err *err)
{
	if (send(d, BF_STM32_ERASE, &page, 1, err) ||
	    at_stage(d, BF_STM32_ERASE, BF_STM32_AT_DATA, 0, limit, err))
		return err->rc;
	return final_acknowledge(d, BF_STM32_ERASE, 0, limit, err);
}

/*
 * A frame got lost, and the loader waits for the page or for a command. Any other frame could be taken for another
 * page: only the page that is erased anyway may go out. Taken for a number of pages, it wants so many.
 */
static enum bf_rc page_again(struct bf_stm32 *d, uint8_t page, bf_time limit, struct bf_err *err)
{
	struct bf_stm32_get unused;

	listen_until_quiet(d);
	for (unsigned i = 0; i < page + 2u; i++) {
		struct bf_err none;
		enum bf_rc rc;

		bf_err_init(&none);
		if (send(d, BF_STM32_ERASE, &page, 1, err))
			return err->rc;
		rc = acknowledged(d, BF_STM32_ERASE, limit, &none);
		if (!rc)
			rc = acknowledged(d, BF_STM32_ERASE, limit, &none);
		/* Two of them, and nothing was counted: it was the page that was waited for. */
		if (!rc && !i)
			break;
	}
	listen_until_quiet(d);
	return bf_stm32_can.get(d, &unused, err);
}

static enum bf_rc erase_one(struct bf_stm32 *d, uint8_t page, bf_time limit, struct bf_err *err)
{
	const uint8_t count = 0;
	enum bf_rc rc = send(d, BF_STM32_ERASE, &count, 1, err);

	if (!rc)
		rc = at_stage(d, BF_STM32_ERASE, BF_STM32_AT_COMMAND, 0, ANSWER, err);
	if (!rc)
		rc = page_code(d, page, limit, err);
	if (!bf_stm32_lost(rc))
		return rc;
	bf_err_init(err);
	return page_again(d, page, limit, err);
}

static enum bf_rc erase_list(struct bf_stm32 *d, const uint8_t *pages, size_t n, bf_time limit,
			     struct bf_err *err)
{
	if (send(d, BF_STM32_ERASE, pages, n, err) ||
	    at_stage(d, BF_STM32_ERASE, BF_STM32_AT_COMMAND, 0, limit, err))
		return err->rc;
	return final_acknowledge(d, BF_STM32_ERASE, 0, limit, err);
}

static enum bf_rc erase_fd(struct bf_stm32 *d, const uint16_t *pages, size_t n, bf_time limit,
			   struct bf_err *err)
{
	uint8_t raw[2 * BF_STM32_PAGES];
	struct bf_out o = bf_out(raw, sizeof(raw));
	enum bf_rc rc;

	bf_out_be16(&o, (uint16_t)(n - 1));
	rc = send(d, BF_STM32_EXT_ERASE, raw, o.len, err);
	if (!rc)
		rc = at_stage(d, BF_STM32_EXT_ERASE, BF_STM32_AT_COMMAND, 0, ANSWER, err);
	o = bf_out(raw, sizeof(raw));
	for (size_t i = 0; i < n; i++)
		bf_out_be16(&o, pages[i]);
	for (size_t at = 0; !rc && at < o.len; at += 64)
		rc = send(d, BF_STM32_EXT_ERASE, raw + at, o.len - at < 64 ? o.len - at : 64, err);
	return rc ? rc : at_stage(d, BF_STM32_EXT_ERASE, BF_STM32_AT_DATA, 0, limit, err);
}

/* FF alone erases all: page 255 is not named by any of the two forms. */
static enum bf_rc can_erase(struct bf_stm32 *d, const uint16_t *pages, size_t n, bf_time limit,
			    struct bf_err *err)
{
	enum bf_rc rc = BF_OK;

	tell(d, "erasing");
	if (is_fd(d))
		return erase_fd(d, pages, n, limit, err);
	for (size_t i = 0; !rc && i < n;) {
		uint8_t list[8];
		size_t k = 0;

		for (; k < sizeof(list) && i + k < n; k++) {
			if (pages[i + k] >= 0xFF)
				return bf_fail(err, BF_E_UNSUPPORTED,
					       "page %u cannot be named on CAN", pages[i + k]);
			list[k] = (uint8_t)pages[i + k];
		}
		switch (d->set->can_erase) {
		case BF_STM32_CAN_ERASE_LIST:
			rc = erase_list(d, list, k, limit, err);
			i += k;
			break;
		case BF_STM32_CAN_ERASE_PAGE:
			rc = erase_one(d, list[0], limit, err);
			i++;
			break;
		case BF_STM32_CAN_ERASE_UNKNOWN:
			bf_fail(err, BF_E_UNSUPPORTED,
				"How this loader erases pages over CAN is not known.");
			bf_do(err, "set can-erase = page or list in [stm32] of a profile");
			return err->rc;
		}
	}
	return rc;
}

static enum bf_rc can_erase_all(struct bf_stm32 *d, unsigned which, bf_time limit,
				struct bf_err *err)
{
	uint8_t raw[2] = { 0xFF, (uint8_t)which };
	uint8_t command = is_fd(d) ? BF_STM32_EXT_ERASE : BF_STM32_ERASE;

	if (!is_fd(d) && which != BF_STM32_ALL)
		return bf_fail(err, BF_E_UNSUPPORTED, "this bootloader cannot erase one bank");
	tell(d, "erasing all of the flash");
	if (send(d, command, raw, is_fd(d) ? 2 : 1, err) ||
	    at_stage(d, command, BF_STM32_AT_COMMAND, 0, ANSWER, err))
		return err->rc;
	return at_stage(d, command, BF_STM32_AT_DATA, 0, limit, err);
}

static enum bf_rc can_go(struct bf_stm32 *d, uint32_t addr, struct bf_err *err)
{
	return address(d, BF_STM32_GO, addr, 0, err);
}

static enum bf_rc can_twice(struct bf_stm32 *d, uint8_t code, bf_time limit, struct bf_err *err)
{
	if (send(d, code, NULL, 0, err) || at_stage(d, code, BF_STM32_AT_COMMAND, 0, ANSWER, err))
		return err->rc;
	tell(d, "erasing all of the flash");
	return at_stage(d, code, BF_STM32_AT_DATA, 0, limit, err);
}

/* ---- bit rate ---- */

static enum bf_rc retime(struct bf_stm32 *d, uint32_t rate, struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;
	struct bf_bus_report r = { 0 };

	t->ops->bus->report(t, &r);
	if (t->ops->bus->set_bitrate(t, rate, is_fd(d) ? r.dbitrate : 0, err))
		return err->rc;
	d->can.rate = rate;
	return BF_OK;
}

/* The second acknowledge comes at the new rate, and again and again until somebody hears it. The manual's text has
 * it on identifier 02 or 03. */
static enum bf_rc second_acknowledge(struct bf_stm32 *d, struct bf_err *err)
{
	bf_time deadline = bf_stm32_in(d, SWITCH);
	struct bf_transport *t = d->base.env.transport;
	struct bf_stm32_get unused;
	struct bf_frame f;

	while (!t->ops->bus->recv(t, &f, deadline, err)) {
		if ((f.id == 2 || f.id == 3) && f.len && f.data[0] == BF_STM32_ACK)
			return BF_OK;
	}
	if (err->rc != BF_E_TIMEOUT)
		return err->rc;
	bf_err_init(err); /* it may have been heard by another adapter */
	return can_get(d, &unused, err);
}

static enum bf_rc can_set_rate(struct bf_stm32 *d, uint32_t rate, struct bf_err *err)
{
	static const uint32_t rates[] = { 125000, 250000, 500000, 1000000 };
	uint32_t before = d->can.rate;
	struct bf_err none;
	uint8_t code = 0;
	enum bf_rc rc;

	for (size_t i = 0; i < BF_COUNT(rates); i++) {
		if (rates[i] == rate)
			code = (uint8_t)(i + 1);
	}
	if (!code || is_fd(d))
		return bf_fail(err, BF_E_UNSUPPORTED, "the ROM loader has no %u bit/s", rate);
	if (!d->base.env.transport->ops->bus->set_bitrate)
		return bf_fail(err, BF_E_UNSUPPORTED, "the bit rate of '%s' cannot be changed",
			       d->base.env.transport->name);
	if (send(d, BF_STM32_SPEED, &code, 1, err) ||
	    at_stage(d, BF_STM32_SPEED, BF_STM32_AT_COMMAND, 0, ANSWER, err))
		return err->rc;
	rc = retime(d, rate, err);
	if (!rc)
		rc = second_acknowledge(d, err);
	if (!rc)
		return BF_OK;
	/* A change that fails resets the chip: it is back at its first rate, if it is there at all. */
	bf_err_init(&none);
	if (!retime(d, before, &none) && bf_stm32_can.resync(d, &none) &&
	    before != d->can.first_rate && !retime(d, d->can.first_rate, &none))
		(void)bf_stm32_can.resync(d, &none);
	return bf_while(err, "changing the bit rate to %u", rate);
}

const struct bf_stm32_link bf_stm32_can = {
	.name = "CAN",
	.sync = can_sync,
	.resync = can_resync,
	.get = can_get,
	.get_id = can_get_id,
	.read = can_read,
	.write_start = can_write_start,
	.write_finish = can_write_finish,
	.erase = can_erase,
	.erase_all = can_erase_all,
	.go = can_go,
	.twice = can_twice,
	.set_rate = can_set_rate,
	.page_max = 0xFE,
	.one_refusal = true,
};
