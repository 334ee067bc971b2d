/* SPDX-License-Identifier: MIT */
/* GETSTATUS and its kin, the ways back to dfuIDLE, and what the status codes mean for a technician. */
#include "family/dfu/dfu_priv.h"

#include <assert.h>
#include <string.h>

#include "bmsflash/bytes.h"

#define REQUEST_OUT 0x21 /* class request to an interface */
#define REQUEST_IN  0xA1

enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT };

#define PATIENCE   BF_SEC(5)  /* for one request: ROM loaders answer late while flash is busy */
#define IMPATIENCE BF_SEC(1)  /* ... where no answer is an answer, or nobody waits for it */
#define ALIVE      BF_MS(500) /* between two signs of life */
#define POLL_MAX   120000u    /* ms; bwPollTimeout could ask for hours */
#define TROUBLE_N  8          /* rounds of settling before the device is called stuck */
#define BUSY_MAX   BF_SEC(60) /* of settling, for a device that is busy */
#define UNTOLD_MAX BF_SEC(15) /* busy, and never a poll time: it is stuck */

/* STM32L4, H7, F072 stall GETSTATUS while their flash works. */
#define STALL_PACE BF_MS(100)
#define STALL_TIME BF_SEC(5)
#define STALLS     8 /* asked so often before the stall is taken for an error that CLRSTATUS ends */

const struct bf_refusal bf_dfu_refusals[] = {
	/* code, name (A.1.1), what it means here, what to do */
	{ 0x01, "errTARGET", "the device does not take this file or address",
	  "check that the image is for this pack; bmsflash probe shows its memory" },
	{ 0x02, "errFILE", "the device checked the file and will not have it",
	  "flash an image that the pack's maker released for this hardware" },
	{ 0x03, "errWRITE", "the flash memory could not be written",
	  "flash again; if it happens at the same place, the flash is worn or write-protected" },
	{ 0x04, "errERASE", "the flash memory could not be erased",
	  "flash again; if it happens at the same place, the flash is worn or write-protected" },
	{ 0x05, "errCHECK_ERASED", "the flash memory was not blank after erasing",
	  "flash again; if it happens at the same place, the flash is worn" },
	{ 0x06, "errPROG", "a block could not be programmed",
	  "flash again with a stable supply; then check for write protection" },
	{ 0x07, "errVERIFY", "the device read back something else than was sent",
	  "flash again by another cable or port; the pack keeps waiting in its bootloader" },
	{ 0x08, "errADDRESS", "the address lies outside what the device lets be written",
	  "check the image's addresses against what bmsflash probe shows" },
	{ 0x09, "errNOTDONE", "the device expects more data than the image has",
	  "check that the image is whole: bmsflash verify IMAGE" },
	{ 0x0A, "errFIRMWARE", "the firmware in the pack is damaged; it stays in its bootloader",
	  "flash a good image now: bmsflash flash --if usb IMAGE" },
	{ 0x0B, "errVENDOR",
	  "a rule of the device's maker; on STM32 most often read protection (RDP), under which "
	  "nothing can be read or written",
	  "ask the pack's maker; bmsflash does not remove the protection, that would erase the "
	  "whole flash" },
	{ 0x0C, "errUSBR", "the device saw a USB reset that it did not expect",
	  "connect without a hub, then flash again" },
	{ 0x0D, "errPOR", "the device lost its power for a moment",
	  "see to a stable supply of the pack, then flash again" },
	{ 0x0E, "errUNKNOWN", "the device does not know what went wrong", "flash again" },
	{ 0x0F, "errSTALLEDPKT", "the device got a request that it did not expect in its state",
	  "flash again; if it happens again, send the trace (--trace FILE) to the pack's maker" },
	{ 0 },
};

static const char *const state_names[] = {
	[BF_DFU_APP_IDLE] = "appIDLE",
	[BF_DFU_APP_DETACH] = "appDETACH",
	[BF_DFU_IDLE] = "dfuIDLE",
	[BF_DFU_DNLOAD_SYNC] = "dfuDNLOAD-SYNC",
	[BF_DFU_DNBUSY] = "dfuDNBUSY",
	[BF_DFU_DNLOAD_IDLE] = "dfuDNLOAD-IDLE",
	[BF_DFU_MANIFEST_SYNC] = "dfuMANIFEST-SYNC",
	[BF_DFU_MANIFEST] = "dfuMANIFEST",
	[BF_DFU_MANIFEST_WAIT_RESET] = "dfuMANIFEST-WAIT-RESET",
	[BF_DFU_UPLOAD_IDLE] = "dfuUPLOAD-IDLE",
	[BF_DFU_ERROR] = "dfuERROR",
};
static_assert(BF_COUNT(state_names) == BF_DFU_STATE_COUNT, "a name for every state");

const char *bf_dfu_state_name(unsigned state)
{
	return state < BF_DFU_STATE_COUNT ? state_names[state] : "an unknown state";
}

/* ---- requests ---- */

static const char *const request_names[] = {
	[DETACH] = "DETACH",       [DNLOAD] = "DNLOAD",       [UPLOAD] = "UPLOAD",
	[GETSTATUS] = "GETSTATUS", [CLRSTATUS] = "CLRSTATUS", [GETSTATE] = "GETSTATE",
	[ABORT] = "ABORT",
};

/* A bus reset or a lost device in between may have brought up another one than is meant, with other rules for the
 * same numbers: it is what the last look saw, its interface is claimed, and it was not opened anew since. */
bool bf_dfu_is_at(const struct bf_dfu *d, enum bf_dfu_where where)
{
	enum bf_dfu_mode mode = where == BF_DFU_AT_LOADER ? BF_DFU_LOADER : BF_DFU_RUNTIME;

	return where != BF_DFU_GONE && d->scanned && d->desc.mode == mode && d->alt >= 0 &&
	       d->reopened == d->base.env.transport->stats.reopened;
}

/* All class requests. BF_E_GONE: the one that it is for is not there, and nothing was sent. */
static enum bf_rc request(struct bf_dfu *d, enum bf_dfu_where to, uint8_t what, uint16_t value,
			  uint8_t *data, size_t len, size_t *ret_len, struct bf_err *err)
{
	const struct bf_usb_setup setup = {
		.request_type = what == UPLOAD || what == GETSTATUS || what == GETSTATE
					? REQUEST_IN
					: REQUEST_OUT,
		.request = what,
		.value = value,
		.index = d->desc.interface,
	};

	*ret_len = 0;
	if (!bf_dfu_is_at(d, to))
		return bf_fail(err, BF_E_GONE, "%s was not sent: the %s is not there any more",
			       request_names[what],
			       to == BF_DFU_AT_LOADER ? "bootloader" : "application");
	return bf_dfu_usb(d)->control(d->base.env.transport, &setup, data, len, ret_len,
				      bf_in(bf_dfu_clock(d), d->hurried ? IMPATIENCE : PATIENCE),
				      err);
}

static enum bf_rc command(struct bf_dfu *d, uint8_t what, struct bf_err *err)
{
	size_t moved;

	return request(d, BF_DFU_AT_LOADER, what, 0, NULL, 0, &moved, err);
}

/* An IN request of fixed length; what is shorter is damage. A stall of one of these is a device out of
 * step, which a repeat mends: it does not count as its refusal. */
static enum bf_rc ask(struct bf_dfu *d, enum bf_dfu_where to, uint8_t what, uint8_t *data,
		      size_t len, struct bf_err *err)
{
	size_t moved;
	enum bf_rc rc = request(d, to, what, 0, data, len, &moved, err);

	if (rc == BF_E_NAK)
		return bf_fail(err, BF_E_LINK, "the device stalled %s", request_names[what]);
	if (!rc && moved < len)
		return bf_fail(err, BF_E_LINK, "%s brought %zu bytes of %zu", request_names[what],
			       moved, len);
	return rc;
}

/* 00 bStatus  01 bwPollTimeout (24 bits)  04 bState  05 iString */
static enum bf_rc ask_status(struct bf_dfu *d, struct bf_dfu_status *ret, struct bf_err *err)
{
	uint8_t raw[6] = { 0 };

	if (ask(d, BF_DFU_AT_LOADER, GETSTATUS, raw, sizeof(raw), err))
		return bf_while(err, "asking for the DFU status");
	ret->status = raw[0];
	ret->poll_ms = bf_get_le16(&raw[1]) | (uint32_t)raw[3] << 16;
	ret->state = raw[4];
	ret->string = raw[5];
	if (bf_dfu_has(d, BF_DFU_HABIT_POLL))
		ret->poll_ms = BF_DFU_HABIT_POLL_MS;
	return BF_OK;
}

enum bf_rc bf_dfu_getstatus_once(struct bf_dfu *d, struct bf_dfu_status *ret, struct bf_err *err)
{
	bool hurried = d->hurried;
	enum bf_rc rc;

	d->hurried = true;
	rc = ask_status(d, ret, err);
	d->hurried = hurried;
	return rc;
}

enum bf_rc bf_dfu_getstatus(struct bf_dfu *d, struct bf_dfu_status *ret, struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	enum bf_rc rc;

	retry->requests[BF_RETRY_IDEMPOTENT]++;
	for (unsigned attempt = 1;; attempt++) {
		rc = ask_status(d, ret, err);
		if (!rc || (d->hurried && rc == BF_E_TIMEOUT) ||
		    !bf_retry_again(retry, bf_dfu_clock(d), BF_RETRY_IDEMPOTENT, attempt, rc))
			return rc;
	}
}

enum bf_rc bf_dfu_getstate(struct bf_dfu *d, enum bf_dfu_where to, uint8_t *ret, struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	enum bf_rc rc;

	retry->requests[BF_RETRY_IDEMPOTENT]++;
	for (unsigned attempt = 1;; attempt++) {
		rc = ask(d, to, GETSTATE, ret, 1, err);
		if (!rc ||
		    !bf_retry_again(retry, bf_dfu_clock(d), BF_RETRY_IDEMPOTENT, attempt, rc))
			return rc ? bf_while(err, "asking for the DFU state") : BF_OK;
	}
}

enum bf_rc bf_dfu_detach(struct bf_dfu *d, enum bf_dfu_where to, uint16_t timeout_ms,
			 struct bf_err *err)
{
	size_t moved;

	return request(d, to, DETACH, timeout_ms, NULL, 0, &moved, err);
}

enum bf_rc bf_dfu_clear(struct bf_dfu *d, struct bf_err *err)
{
	return command(d, CLRSTATUS, err);
}

/* ---- waiting and settling ---- */

enum bf_rc bf_dfu_pause(struct bf_dfu *d, bf_time how_long, const char *what, struct bf_err *err)
{
	const struct bf_proto_env *env = &d->base.env;
	bf_time until = bf_in(bf_dfu_clock(d), how_long);
	bf_time slice;

	do {
		slice = bf_in(bf_dfu_clock(d), ALIVE);
		if (!bf_clock_until(bf_dfu_clock(d), slice < until ? slice : until))
			return bf_fail(err, BF_E_INTERRUPTED, "stopped while %s", what);
		if (slice < until && env->alive)
			env->alive(env->alive_ctx, what);
	} while (slice < until);
	return BF_OK;
}

enum bf_rc bf_dfu_poll(struct bf_dfu *d, const struct bf_dfu_status *st, const char *what,
		       struct bf_err *err)
{
	uint32_t ms = st->poll_ms ? st->poll_ms : 1;

	return bf_dfu_pause(d, BF_MS(ms < POLL_MAX ? ms : POLL_MAX), what, err);
}

static bool is_unclear(enum bf_rc rc)
{
	return rc == BF_E_LINK || rc == BF_E_TIMEOUT;
}

/* A device that has said that it is busy may stall until it is not. */
static enum bf_rc status_while_busy(struct bf_dfu *d, struct bf_dfu_status *st, const char *what,
				    struct bf_err *err)
{
	bf_time until = bf_in(bf_dfu_clock(d), STALL_TIME);
	struct bf_dfu_status pace = *st;
	enum bf_rc rc;

	if (pace.poll_ms < STALL_PACE / 1000)
		pace.poll_ms = STALL_PACE / 1000;
	for (;;) {
		rc = ask_status(d, st, err);
		if (!is_unclear(rc) || bf_now(bf_dfu_clock(d)) >= until)
			return rc;
		d->base.env.retry->busy++;
		if (bf_dfu_poll(d, &pace, what, err))
			return err->rc;
	}
}

/* Without having said so it may be busy, or in a dfuERROR that answers nothing but CLRSTATUS. */
static enum bf_rc status_or_clear(struct bf_dfu *d, struct bf_dfu_status *st, bool *ret_cleared,
				  const char *what, struct bf_err *err)
{
	enum bf_rc rc = bf_dfu_getstatus(d, st, err);

	*ret_cleared = false;
	for (unsigned i = 0; rc == BF_E_LINK && i < STALLS && !d->hurried; i++) {
		if (bf_dfu_pause(d, STALL_PACE, what, err))
			return err->rc;
		rc = ask_status(d, st, err);
	}
	if (rc != BF_E_LINK || bf_dfu_clear(d, err))
		return rc ? err->rc : BF_OK;
	*ret_cleared = true;
	return bf_dfu_getstatus(d, st, err);
}

/* One step towards dfuIDLE (A.2). */
static enum bf_rc step_to_idle(struct bf_dfu *d, const struct bf_dfu_status *st, struct bf_err *err)
{
	switch (st->state) {
	case BF_DFU_ERROR:
		return command(d, CLRSTATUS, err);
	case BF_DFU_DNBUSY:
	case BF_DFU_MANIFEST:
		return bf_dfu_poll(d, st, "waiting for the device", err);
	case BF_DFU_MANIFEST_WAIT_RESET:
		return bf_dfu_reset_and_see(d, err);
	case BF_DFU_APP_IDLE:
	case BF_DFU_APP_DETACH:
		return bf_fail(err, BF_E_LINK,
			       "the device shows a bootloader, but says that it is in %s",
			       bf_dfu_state_name(st->state));
	}
	return command(d, ABORT, err);
}

static bool is_busy(uint8_t state)
{
	return state == BF_DFU_DNBUSY || state == BF_DFU_MANIFEST;
}

enum bf_rc bf_dfu_settle(struct bf_dfu *d, struct bf_err *err)
{
	bf_time give_up = bf_in(bf_dfu_clock(d), d->hurried ? 2 * IMPATIENCE : BUSY_MAX);
	struct bf_dfu_status st = { 0 };
	bool cleared, aborted = false;
	enum bf_rc rc;

	d->read.open = d->read.follows = false;
	d->stream.open = false;
	d->write.pointed = false;
	for (unsigned i = 0; i < TROUBLE_N && bf_now(bf_dfu_clock(d)) < give_up;) {
		if (status_or_clear(d, &st, &cleared, "asking for the status", err))
			return err->rc;
		if (st.state == BF_DFU_IDLE) {
			d->aborts = d->aborts || aborted;
			return BF_OK;
		}
		aborted = st.state == BF_DFU_DNLOAD_IDLE || st.state == BF_DFU_UPLOAD_IDLE;
		i += !is_busy(st.state);
		rc = step_to_idle(d, &st, err);
		/* A stalled or lost step shows in the next status. */
		if (rc && rc != BF_E_NAK && rc != BF_E_TIMEOUT)
			return rc;
		if (d->desc.mode != BF_DFU_LOADER)
			return bf_fail(err, BF_E_GONE, "the device left DFU mode by a bus reset");
	}
	bf_fail(err, BF_E_LINK, "the device does not come to dfuIDLE; it stays in %s",
		bf_dfu_state_name(st.state));
	bf_likely(err, "its bootloader hangs: unplug the device and plug it in again");
	return err->rc;
}

enum bf_rc bf_dfu_abort(struct bf_dfu *d, struct bf_err *err)
{
	enum bf_rc rc;

	if (!d->aborts)
		return bf_dfu_settle(d, err);
	d->read.open = d->read.follows = false;
	d->write.pointed = false;
	rc = command(d, ABORT, err);
	return rc && rc != BF_E_INTERRUPTED && rc != BF_E_GONE ? bf_dfu_settle(d, err) : rc;
}

void bf_dfu_settle_quietly(struct bf_dfu *d)
{
	bool hurried = d->hurried;
	struct bf_err err;

	bf_err_init(&err);
	if (d->alt < 0 || d->going)
		return;
	d->hurried = true;
	bf_clock_hold(bf_dfu_clock(d));
	(void)bf_dfu_settle(d, &err);
	bf_clock_release(bf_dfu_clock(d));
	d->hurried = hurried;
}

enum bf_rc bf_dfu_refused(struct bf_dfu *d, const struct bf_dfu_status *st, const char *what,
			  struct bf_err *err)
{
	const struct bf_refusal *row = NULL;
	char words[96] = "";
	struct bf_err scratch;

	bf_err_init(&scratch);
	for (const struct bf_refusal *r = bf_dfu_refusals; r->name && !row; r++)
		row = r->code == st->status ? r : NULL;
	if (st->string)
		(void)bf_dfu_usb(d)->string(d->base.env.transport, st->string, words, sizeof(words),
					    bf_in(bf_dfu_clock(d), PATIENCE), &scratch);
	bf_dfu_settle_quietly(d);
	bf_fail_dev(err, BF_E_NAK, st->status, row ? row->name : "no status of DFU 1.1",
		    "%s: the device answered status 0x%02X in %s%s%s", what, st->status,
		    bf_dfu_state_name(st->state), words[0] ? ", in its words: " : "", words);
	if (row) {
		bf_likely(err, "%s", row->text);
		bf_do(err, "%s", row->next);
	}
	return err->rc;
}

/* ---- blocks ---- */

/* The device stalled: it is in dfuERROR now, and its status says why (6.1.1). */
static enum bf_rc why_stalled(struct bf_dfu *d, const char *what, struct bf_err *err)
{
	struct bf_dfu_status st;
	bool cleared;

	if (status_or_clear(d, &st, &cleared, what, err))
		return bf_while(err, "%s", what);
	if (cleared && st.status == 0)
		st.status = 0x0E; /* CLRSTATUS took the reason away */
	if (st.status == 0)       /* stalled without an error: tell the state that it was in */
		st.status = 0x0F;
	return bf_dfu_refused(d, &st, what, err);
}

/* A device that has got a block waits in one of these until it is asked for its status. */
static bool holds_block(uint8_t state)
{
	return state == BF_DFU_DNLOAD_SYNC || state == BF_DFU_MANIFEST_SYNC;
}

static enum bf_rc block_lost(const struct bf_dfu *d, uint16_t block, uint8_t state,
			     const char *what, struct bf_err *err)
{
	if (d->dfuse)
		return bf_fail(err, BF_E_LINK, "%s: block %u was not taken, the device is in %s",
			       what, block, bf_dfu_state_name(state));
	return bf_fail(err, BF_E_RESTART, "%s: block %u was lost on the way (%s)", what, block,
		       bf_dfu_state_name(state));
}

enum bf_rc bf_dfu_dnload(struct bf_dfu *d, uint16_t block, const uint8_t *data, size_t len,
			 const char *what, struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	enum bf_retry_class rclass = d->dfuse ? BF_RETRY_IDEMPOTENT : BF_RETRY_APPEND_ONLY;
	uint8_t copy[BF_DFU_PIECE_MAX];
	uint8_t state = BF_DFU_IDLE;
	size_t moved;
	enum bf_rc rc;

	if (len)
		memcpy(copy, data, len);
	retry->requests[rclass]++;
	for (unsigned attempt = 1;; attempt++) {
		rc = request(d, BF_DFU_AT_LOADER, DNLOAD, block, copy, len, &moved, err);
		if (rc == BF_E_NAK)
			return why_stalled(d, what, err);
		if (!is_unclear(rc))
			return rc ? bf_while(err, "%s", what) : BF_OK;
		/* No answer. GETSTATE moves nothing, so that it may be asked at any time. */
		if (bf_dfu_getstate(d, BF_DFU_AT_LOADER, &state, err))
			return bf_while(err, "%s", what);
		if (holds_block(state))
			return BF_OK;
		if (state == BF_DFU_ERROR)
			return why_stalled(d, what, err);
		/* The end of a stream that the device still waits for may be said again. */
		if (!d->dfuse && !len && state == BF_DFU_DNLOAD_IDLE && attempt == 1)
			continue;
		if (!bf_retry_again(retry, bf_dfu_clock(d), rclass, attempt, rc))
			return block_lost(d, block, state, what, err);
	}
}

struct patience {
	bf_time give_up;
	bool busy; /* it has said so */
	bool told; /* ... and for how long */
};

static enum bf_rc still_busy(const struct patience *w, bf_time limit, const char *what,
			     struct bf_err *err)
{
	bf_fail(err, BF_E_TIMEOUT, "%s: the device is still busy after %d s", what,
		(int)((w->told || limit < UNTOLD_MAX ? limit : UNTOLD_MAX) / BF_SEC(1)));
	return err->rc;
}

/* BF_OK with the status of a block that the device has done with or works at. */
static enum bf_rc status_of_block(struct bf_dfu *d, const struct patience *w,
				  struct bf_dfu_status *st, const char *what, struct bf_err *err)
{
	bool cleared = false;
	enum bf_rc rc = w->busy ? status_while_busy(d, st, what, err)
				: status_or_clear(d, st, &cleared, what, err);

	if (rc)
		return bf_while(err, "%s", what);
	if (cleared && !st->status)
		st->status = 0x0E; /* CLRSTATUS took the reason away */
	if (st->status || st->state == BF_DFU_ERROR)
		return bf_dfu_refused(d, st, what, err);
	if (st->state == BF_DFU_DNLOAD_IDLE || st->state == BF_DFU_DNBUSY ||
	    st->state == BF_DFU_DNLOAD_SYNC)
		return BF_OK;
	return bf_fail(err, BF_E_RESTART, "%s: the device fell back to %s and dropped the transfer",
		       what, bf_dfu_state_name(st->state));
}

enum bf_rc bf_dfu_done(struct bf_dfu *d, bf_time limit, const char *what, struct bf_err *err)
{
	bf_time start = bf_now(bf_dfu_clock(d));
	struct patience w = { .give_up = start + limit };
	struct bf_dfu_status st = { 0 };

	for (;;) {
		bf_time now;

		if (status_of_block(d, &w, &st, what, err))
			return err->rc;
		if (st.state == BF_DFU_DNLOAD_IDLE)
			return BF_OK;
		now = bf_now(bf_dfu_clock(d));
		w.busy = true;
		w.told = w.told || st.poll_ms;
		if (now >= w.give_up || (!w.told && now >= start + UNTOLD_MAX))
			return still_busy(&w, limit, what, err);
		d->base.env.retry->pending++;
		if (bf_dfu_poll(d, &st, what, err))
			return err->rc;
	}
}

enum bf_rc bf_dfu_upload(struct bf_dfu *d, uint16_t block, uint8_t *data, size_t len,
			 size_t *ret_len, struct bf_err *err)
{
	enum bf_rc rc = request(d, BF_DFU_AT_LOADER, UPLOAD, block, data, len, ret_len, err);

	if (rc == BF_E_NAK)
		return why_stalled(d, "reading memory", err);
	return rc ? bf_while(err, "reading block %u", block) : BF_OK;
}
