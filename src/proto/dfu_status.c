/* SPDX-License-Identifier: MIT */
/* GETSTATUS and its kin, the ways back to dfuIDLE, and what the status codes mean for a technician. */
#include "proto/dfu_priv.h"

#include <assert.h>
#include <string.h>

#include "bmsflash/bytes.h"

#define REQUEST_OUT 0x21 /* class request to an interface */
#define REQUEST_IN  0xA1

enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT };

#define PATIENCE  BF_SEC(5)  /* for one request: ROM loaders answer late while flash is busy */
#define ALIVE     BF_MS(500) /* between two signs of life */
#define POLL_MAX  120000u    /* ms; bwPollTimeout could ask for hours */
#define TROUBLE_N 8          /* rounds of settling before the device is called stuck */

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
	  "flash again by another cable or port; the pack keeps waiting in its boot loader" },
	{ 0x08, "errADDRESS", "the address lies outside what the device lets be written",
	  "check the image's addresses against what bmsflash probe shows" },
	{ 0x09, "errNOTDONE", "the device expects more data than the image has",
	  "check that the image is whole: bmsflash verify IMAGE" },
	{ 0x0A, "errFIRMWARE", "the firmware in the pack is damaged; it stays in its boot loader",
	  "flash a good image now: bmsflash flash --if usb IMAGE" },
	{ 0x0B, "errVENDOR",
	  "a rule of the device's maker; on STM32 most often read protection (RDP)",
	  "flash without reading back (--allow no-backup), or ask the pack's maker" },
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

static enum bf_rc request(struct bf_dfu *d, uint8_t what, uint16_t value, uint8_t *data, size_t len,
			  size_t *ret_len, struct bf_err *err)
{
	const struct bf_usb_setup setup = {
		.request_type = what == UPLOAD || what == GETSTATUS || what == GETSTATE
					? REQUEST_IN
					: REQUEST_OUT,
		.request = what,
		.value = value,
		.index = d->desc.interface,
	};

	return bf_dfu_usb(d)->control(d->base.env.transport, &setup, data, len, ret_len,
				      bf_in(bf_dfu_clock(d), PATIENCE), err);
}

static enum bf_rc command(struct bf_dfu *d, uint8_t what, uint16_t value, struct bf_err *err)
{
	size_t moved;

	return request(d, what, value, NULL, 0, &moved, err);
}

/* An IN request of fixed length; what is shorter is damage. A stall of one of these is a device out of
 * step, which a repeat mends: it does not count as its refusal. */
static enum bf_rc ask(struct bf_dfu *d, uint8_t what, uint8_t *data, size_t len, struct bf_err *err)
{
	size_t moved = 0;
	enum bf_rc rc = request(d, what, 0, data, len, &moved, err);

	if (rc == BF_E_NAK)
		return bf_fail(err, BF_E_LINK, "the device stalled %s",
			       what == GETSTATUS ? "GETSTATUS" : "GETSTATE");
	if (!rc && moved < len)
		return bf_fail(err, BF_E_LINK, "%s brought %zu bytes of %zu",
			       what == GETSTATUS ? "GETSTATUS" : "GETSTATE", moved, len);
	return rc;
}

/* 00 bStatus  01 bwPollTimeout (24 bits)  04 bState  05 iString */
enum bf_rc bf_dfu_getstatus_once(struct bf_dfu *d, struct bf_dfu_status *ret, struct bf_err *err)
{
	uint8_t raw[6] = { 0 };

	if (ask(d, GETSTATUS, raw, sizeof(raw), err))
		return bf_while(err, "asking for the DFU status");
	ret->status = raw[0];
	ret->poll_ms = bf_get_le16(&raw[1]) | (uint32_t)raw[3] << 16;
	ret->state = raw[4];
	ret->string = raw[5];
	return BF_OK;
}

enum bf_rc bf_dfu_getstatus(struct bf_dfu *d, struct bf_dfu_status *ret, struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	enum bf_rc rc;

	retry->requests[BF_RETRY_IDEMPOTENT]++;
	for (unsigned attempt = 1;; attempt++) {
		rc = bf_dfu_getstatus_once(d, ret, err);
		if (!rc ||
		    !bf_retry_again(retry, bf_dfu_clock(d), BF_RETRY_IDEMPOTENT, attempt, rc))
			return rc;
	}
}

enum bf_rc bf_dfu_getstate(struct bf_dfu *d, uint8_t *ret, struct bf_err *err)
{
	struct bf_retry *retry = d->base.env.retry;
	enum bf_rc rc;

	retry->requests[BF_RETRY_IDEMPOTENT]++;
	for (unsigned attempt = 1;; attempt++) {
		rc = ask(d, GETSTATE, ret, 1, err);
		if (!rc ||
		    !bf_retry_again(retry, bf_dfu_clock(d), BF_RETRY_IDEMPOTENT, attempt, rc))
			return rc ? bf_while(err, "asking for the DFU state") : BF_OK;
	}
}

enum bf_rc bf_dfu_detach(struct bf_dfu *d, uint16_t timeout_ms, struct bf_err *err)
{
	return command(d, DETACH, timeout_ms, err);
}

/* ---- waiting and settling ---- */

enum bf_rc bf_dfu_poll(struct bf_dfu *d, uint32_t ms, const char *what, struct bf_err *err)
{
	const struct bf_proto_env *env = &d->base.env;
	bf_time until = bf_in(bf_dfu_clock(d), BF_MS(ms < POLL_MAX ? ms : POLL_MAX));
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

static enum bf_rc leave_wait_reset(struct bf_dfu *d, struct bf_err *err)
{
	bf_time deadline = bf_in(bf_dfu_clock(d), BF_MS(d->base.env.profile->restart_ms));
	enum bf_rc rc = bf_dfu_usb(d)->reset(d->base.env.transport, deadline, err);

	if (rc && rc != BF_E_GONE)
		return bf_while(err, "resetting the device after manifestation");
	return bf_dfu_back(d, deadline, err);
}

/* One step towards dfuIDLE (A.2). */
static enum bf_rc step_to_idle(struct bf_dfu *d, const struct bf_dfu_status *st, struct bf_err *err)
{
	switch (st->state) {
	case BF_DFU_ERROR:
		return command(d, CLRSTATUS, 0, err);
	case BF_DFU_DNBUSY:
	case BF_DFU_MANIFEST:
		return bf_dfu_poll(d, st->poll_ms ? st->poll_ms : 1, "waiting for the device", err);
	case BF_DFU_MANIFEST_WAIT_RESET:
		return leave_wait_reset(d, err);
	case BF_DFU_APP_IDLE:
	case BF_DFU_APP_DETACH:
		return bf_fail(err, BF_E_LINK,
			       "the device shows a boot loader, but says that it is in %s",
			       bf_dfu_state_name(st->state));
	}
	return command(d, ABORT, 0, err);
}

enum bf_rc bf_dfu_settle(struct bf_dfu *d, struct bf_err *err)
{
	struct bf_dfu_status st;
	enum bf_rc rc;

	d->read.open = d->read.follows = false;
	d->stream.open = false;
	for (unsigned i = 0; i < TROUBLE_N; i++) {
		if (bf_dfu_getstatus(d, &st, err))
			return err->rc;
		if (st.state == BF_DFU_IDLE)
			return BF_OK;
		rc = step_to_idle(d, &st, err);
		/* A stalled or lost step shows in the next status. */
		if (rc && rc != BF_E_NAK && rc != BF_E_TIMEOUT)
			return rc;
	}
	bf_fail(err, BF_E_LINK, "the device does not come to dfuIDLE; it stays in %s",
		bf_dfu_state_name(st.state));
	bf_next(err, "unplug the device, plug it in again, then repeat the command");
	return err->rc;
}

void bf_dfu_settle_quietly(struct bf_dfu *d)
{
	struct bf_err err;

	bf_err_init(&err);
	if (d->alt < 0 || d->going)
		return;
	bf_clock_hold(bf_dfu_clock(d));
	(void)bf_dfu_settle(d, &err);
	bf_clock_release(bf_dfu_clock(d));
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
		bf_next(err, "%s", row->next);
	}
	return err->rc;
}

/* ---- blocks ---- */

/* The device stalled: it is in dfuERROR now, and its status says why (6.1.1). */
static enum bf_rc why_stalled(struct bf_dfu *d, const char *what, struct bf_err *err)
{
	struct bf_dfu_status st;

	if (bf_dfu_getstatus(d, &st, err))
		return bf_while(err, "%s", what);
	if (st.status == 0) /* stalled without an error: tell the state that it was in */
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
		rc = request(d, DNLOAD, block, copy, len, &moved, err);
		if (rc == BF_E_NAK)
			return why_stalled(d, what, err);
		if (rc != BF_E_TIMEOUT && rc != BF_E_LINK)
			return rc ? bf_while(err, "%s", what) : BF_OK;
		/* No answer. GETSTATE moves nothing, so that it may be asked at any time. */
		if (bf_dfu_getstate(d, &state, err))
			return bf_while(err, "%s", what);
		if (holds_block(state))
			return BF_OK;
		if (state == BF_DFU_ERROR)
			return why_stalled(d, what, err);
		if (!bf_retry_again(retry, bf_dfu_clock(d), rclass, attempt, rc))
			return block_lost(d, block, state, what, err);
	}
}

enum bf_rc bf_dfu_upload(struct bf_dfu *d, uint16_t block, uint8_t *data, size_t len,
			 size_t *ret_len, struct bf_err *err)
{
	enum bf_rc rc = request(d, UPLOAD, block, data, len, ret_len, err);

	if (rc == BF_E_NAK)
		return why_stalled(d, "reading memory", err);
	return rc ? bf_while(err, "reading block %u", block) : BF_OK;
}
