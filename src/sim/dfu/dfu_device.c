/* SPDX-License-Identifier: MIT */
/* The DFU state machine of DFU 1.1, annex A, seen from the device. */
#include "sim/dfu/dfu_priv.h"

#include <assert.h>
#include <string.h>

#include "bmsflash/bytes.h"

enum dfu_request { /* DFU 1.1, table 3.2 */
		   DFU_DETACH,
		   DFU_DNLOAD,
		   DFU_UPLOAD,
		   DFU_GETSTATUS,
		   DFU_CLRSTATUS,
		   DFU_GETSTATE,
		   DFU_ABORT,
		   DFU_REQUEST_COUNT
};

#define CLASS_OUT 0x21
#define CLASS_IN  0xa1

#define SELF_DETACH_US BF_MS(10)
#define MAX_POLL_MS    0xffffff /* bwPollTimeout has 24 bits */
#define STUCK_POLL_MS  100

#define BIT(request) (1u << (request))
#define STATUS_ONLY  (BIT(DFU_GETSTATUS) | BIT(DFU_GETSTATE))

/* What each state takes; anything else is stalled and, in DFU mode, ends in dfuERROR (A.2). */
static const unsigned allowed[] = {
	[DFU_APP_IDLE] = STATUS_ONLY | BIT(DFU_DETACH),
	[DFU_APP_DETACH] = STATUS_ONLY,
	[DFU_IDLE] = STATUS_ONLY | BIT(DFU_DNLOAD) | BIT(DFU_UPLOAD) | BIT(DFU_ABORT),
	[DFU_DNLOAD_SYNC] = STATUS_ONLY,
	[DFU_DNBUSY] = 0,
	[DFU_DNLOAD_IDLE] = STATUS_ONLY | BIT(DFU_DNLOAD) | BIT(DFU_ABORT),
	[DFU_MANIFEST_SYNC] = STATUS_ONLY,
	[DFU_MANIFEST] = 0,
	[DFU_MANIFEST_WAIT_RESET] =
		STATUS_ONLY, /* A.2.9 answers nothing; real ones say where they are */
	[DFU_UPLOAD_IDLE] = STATUS_ONLY | BIT(DFU_UPLOAD) | BIT(DFU_ABORT),
	[DFU_ERROR] = STATUS_ONLY | BIT(DFU_CLRSTATUS),
};
static_assert(BF_COUNT(allowed) == DFU_STATE_COUNT, "a row for every state");

static int fail(struct bf_dfu_device *dev, enum dfu_status status)
{
	if (status == DFU_DIED)
		return BF_USB_GONE;
	dev->state = DFU_ERROR;
	dev->status = status;
	return BF_USB_STALL;
}

static int refuse(struct bf_dfu_device *dev)
{
	switch (dev->state) {
	case DFU_APP_IDLE:
	case DFU_MANIFEST_WAIT_RESET: /* only a reset gets it out of there */
		return BF_USB_STALL;
	case DFU_APP_DETACH:
		dev->state = DFU_APP_IDLE;
		return BF_USB_STALL;
	case DFU_IDLE:
	case DFU_DNLOAD_SYNC:
	case DFU_DNBUSY:
	case DFU_DNLOAD_IDLE:
	case DFU_MANIFEST_SYNC:
	case DFU_MANIFEST:
	case DFU_UPLOAD_IDLE:
	case DFU_ERROR:
	case DFU_STATE_COUNT:
		break;
	}
	if (bf_dfu_has(dev, DFU_KEEPS_STATE))
		return BF_USB_STALL;
	return fail(dev, dev->status ? dev->status : DFU_ERR_STALLEDPKT);
}

/* What the state takes, by the table and by the device's own habits. */
static bool takes(const struct bf_dfu_device *dev, unsigned request)
{
	unsigned mask = allowed[dev->state];

	if (dev->dfu_mode && bf_dfu_has(dev, DFU_DETACH_STARTS)) /* wherever it is */
		mask |= BIT(DFU_DETACH);
	if (dev->state == DFU_DNBUSY && dev->stuck)
		mask |= STATUS_ONLY | BIT(DFU_CLRSTATUS);
	if (dev->state == DFU_MANIFEST &&
	    (dev->m.end == DFU_END_MANIFESTS || bf_dfu_has(dev, DFU_TELLS_BEFORE)))
		mask |= STATUS_ONLY;
	if (dev->state == DFU_ERROR && bf_dfu_has(dev, DFU_ERROR_CLEARS_ONLY))
		mask = BIT(DFU_CLRSTATUS);
	return request < DFU_REQUEST_COUNT && mask & BIT(request);
}

/* ---- GETSTATUS ---- */

#define LONG_WORK_MS 20 /* from here on some devices tell too short a time */

/* Work until `done` begins now: how the device says so, and for how long. */
static uint32_t be_busy(struct bf_dfu_device *dev, enum dfu_state state, bf_time now, bf_time done)
{
	bf_time ms = (done - now + 999) / 1000;

	if (ms > MAX_POLL_MS)
		ms = MAX_POLL_MS;
	dev->state = state;
	dev->busy_at = done;
	if (bf_dfu_has(dev, DFU_STALLS_BUSY) && ms >= LONG_WORK_MS)
		ms /= 4;
	return (uint32_t)ms;
}

static int poll_download(struct bf_dfu_device *dev, bf_time now, uint32_t *ret_poll)
{
	bf_time done = now;

	if (dev->staged) {
		enum dfu_status status = dev->m.form->block(dev, now, &done);

		dev->staged = 0;
		if (status)
			return fail(dev, status);
		if (done < now + dev->m.busy_us)
			done = now + dev->m.busy_us;
	}
	if (done > now)
		*ret_poll = be_busy(dev, DFU_DNBUSY, now, done);
	else
		dev->state = DFU_DNLOAD_IDLE;
	return 0;
}

static int poll_manifest(struct bf_dfu_device *dev, bf_time now, uint32_t *ret_poll)
{
	bf_time done = now;
	enum dfu_status status;

	if (dev->again) {
		dev->again = false;
		dev->state = DFU_IDLE;
		return 0;
	}
	status = dev->m.form->finish(dev, now, &done);
	if (status)
		return fail(dev, status);
	dev->used = false;
	if (dev->m.end == DFU_END_ASKED)
		dev->state = DFU_MANIFEST_WAIT_RESET;
	else
		*ret_poll = be_busy(dev, DFU_MANIFEST, now, done);
	return 0;
}

/* Zephyr's new stack answers first and moves then; its poll time is always the same, or the work's. */
static void tell_before(struct bf_dfu_device *dev, enum dfu_state before, uint32_t *poll_ms,
			uint8_t *ret_state)
{
	*ret_state = (uint8_t)before;
	if (*poll_ms < dev->m.busy_us / 1000)
		*poll_ms = (uint32_t)(dev->m.busy_us / 1000);
	if (before == DFU_DNLOAD_SYNC && dev->state == DFU_DNBUSY) {
		dev->busy_at = BF_NEVER;
		dev->state = DFU_DNLOAD_IDLE;
	}
}

/* Status 1, poll time 3, state that it goes to 1, string 1 */
static int get_status(struct bf_dfu_device *dev, uint8_t *data, bf_time now)
{
	enum dfu_state before = dev->state;
	uint32_t poll_ms = 0;
	int rc = 0;

	if (before == DFU_DNLOAD_SYNC)
		rc = poll_download(dev, now, &poll_ms);
	else if (before == DFU_MANIFEST_SYNC)
		rc = poll_manifest(dev, now, &poll_ms);
	else if (before == DFU_DNLOAD_IDLE && bf_dfu_has(dev, DFU_ASKING_DROPS))
		dev->state = DFU_IDLE;
	else if (before == DFU_MANIFEST || (before == DFU_DNBUSY && dev->stuck))
		poll_ms = STUCK_POLL_MS;
	else if (before == DFU_MANIFEST_WAIT_RESET && dev->m.end == DFU_END_ASKED)
		dev->leave_at = now + SELF_DETACH_US;
	if (rc == BF_USB_GONE)
		return rc;
	data[4] = (uint8_t)dev->state;
	if (bf_dfu_has(dev, DFU_TELLS_BEFORE) && dev->state != DFU_ERROR)
		tell_before(dev, before, &poll_ms, &data[4]);
	bf_put_le32(data, dev->status | poll_ms << 8);
	data[5] = dev->status == DFU_ERR_VENDOR && !bf_dfu_protected(dev) ? DFU_STR_COUNTER : 0;
	return 6;
}

/* ---- the other requests ---- */

static int detach(struct bf_dfu_device *dev, uint16_t timeout_ms, bf_time now)
{
	if (dev->dfu_mode) { /* some take it there, as the wish to leave */
		dev->leave_at = now + SELF_DETACH_US;
		return 0;
	}
	dev->state = DFU_APP_DETACH;
	if (dev->habits & BF_HABIT_DEAF)
		return 0;
	if (dev->habits & BF_HABIT_STALLDETACH) {
		dev->leave_at = now + SELF_DETACH_US;
		return BF_USB_STALL;
	}
	if (dev->m.run.attributes & DFU_WILL_DETACH) {
		dev->leave_at = now + SELF_DETACH_US;
		if (bf_dfu_has(dev, DFU_DETACH_UNHEARD)) {
			bf_dfu_device_restart(dev, true, now);
			return BF_USB_GONE;
		}
	} else {
		dev->detach_by = now + BF_MS(timeout_ms);
	}
	return 0;
}

/* The empty block. Most devices wait for the question after it. */
static int end_download(struct bf_dfu_device *dev, bf_time now)
{
	bf_time done = now;
	enum dfu_status status;

	dev->state = DFU_MANIFEST_SYNC;
	if (dev->m.end != DFU_END_ON_EMPTY && dev->m.end != DFU_END_SILENT)
		return 0;
	status = dev->m.form->finish(dev, now, &done);
	if (status)
		return fail(dev, status);
	if (dev->m.end == DFU_END_SILENT) {
		dev->silent = true;
		return 0;
	}
	bf_dfu_device_restart(dev, false, now);
	return BF_USB_GONE;
}

static int download(struct bf_dfu_device *dev, uint16_t block, const uint8_t *data, size_t len,
		    bf_time now)
{
	bool first = dev->state == DFU_IDLE;

	if (len > bf_dfu_longest(dev) || dev->habits & BF_HABIT_NODOWNLOAD)
		return fail(dev, DFU_ERR_STALLEDPKT);
	if (len == 0) {
		if (first && !bf_dfu_by_address(dev) && dev->m.end != DFU_END_ASKED)
			return fail(dev, DFU_ERR_STALLEDPKT);
		return end_download(dev, now);
	}
	if (first) {
		dev->offset = 0;
		dev->expect = block;
	}
	memcpy(dev->buf, data, len);
	dev->block = block;
	dev->staged = len;
	dev->used = true;
	dev->state = DFU_DNLOAD_SYNC;
	return (int)len;
}

static int upload(struct bf_dfu_device *dev, uint16_t block, uint8_t *data, size_t len)
{
	int n;

	if (!(dev->m.loader.attributes & DFU_CAN_UPLOAD) ||
	    bf_pack_opts(dev->pack)->quirks & BF_QUIRK_NOREAD || len > bf_dfu_longest(dev))
		return fail(dev, DFU_ERR_STALLEDPKT);
	if (dev->state == DFU_IDLE)
		dev->offset = 0;
	n = dev->m.form->read(dev, block, data, len);
	if (n < 0)
		return fail(dev, (enum dfu_status)(-n));
	if ((size_t)n < len && bf_dfu_has(dev, DFU_READS_ON)) {
		/* The length of the answer is never set: what was in the buffer goes with it. */
		memset(data + n, 0, len - (size_t)n);
		n = (int)len;
	}
	dev->state = (size_t)n < len ? DFU_IDLE : DFU_UPLOAD_IDLE;
	return n;
}

static int to_idle(struct bf_dfu_device *dev)
{
	if (dev->state == DFU_DNBUSY) { /* an erase that never ends by itself */
		dev->stuck = false;
		dev->state = DFU_ERROR;
		dev->status = DFU_ERR_UNKNOWN;
		return 0;
	}
	dev->state = DFU_IDLE;
	dev->status = DFU_OK;
	dev->staged = 0;
	return 0;
}

static int get_state(struct bf_dfu_device *dev, uint8_t *data)
{
	if (dev->state == DFU_DNLOAD_IDLE && bf_dfu_has(dev, DFU_ASKING_DROPS))
		dev->state = DFU_IDLE;
	data[0] = (uint8_t)dev->state;
	return 1;
}

static int class_request(struct bf_dfu_device *dev, const uint8_t setup[8], uint8_t *data,
			 bf_time now)
{
	uint16_t value = bf_get_le16(setup + 2), len = bf_get_le16(setup + 6);
	bool in = setup[0] == CLASS_IN;

	if (!bf_dfu_device_talks(dev)) {
		dev->strays++;
		return BF_USB_STALL;
	}
	if (dev->state == DFU_DNBUSY && bf_dfu_has(dev, DFU_STALLS_BUSY) && !dev->stuck)
		return BF_USB_STALL;
	if (dev->state == DFU_MANIFEST && bf_dfu_has(dev, DFU_STALLS_BUSY))
		return BF_USB_STALL;
	if (!takes(dev, setup[1]))
		return refuse(dev);
	switch ((enum dfu_request)setup[1]) {
	case DFU_DETACH:
		return in ? refuse(dev) : detach(dev, value, now);
	case DFU_DNLOAD:
		return in ? refuse(dev) : download(dev, value, data, len, now);
	case DFU_UPLOAD:
		return in ? upload(dev, value, data, len) : refuse(dev);
	case DFU_GETSTATUS:
		return in && len >= 6 ? get_status(dev, data, now) : refuse(dev);
	case DFU_CLRSTATUS:
	case DFU_ABORT:
		return in ? refuse(dev) : to_idle(dev);
	case DFU_GETSTATE:
		return in && len ? get_state(dev, data) : refuse(dev);
	case DFU_REQUEST_COUNT:
		break;
	}
	return refuse(dev);
}

int bf_dfu_device_control(struct bf_dfu_device *dev, const uint8_t setup[8], uint8_t *data,
			  bf_time now)
{
	int n;

	bf_dfu_device_run(dev, now);
	if (!dev->present)
		return BF_USB_GONE;
	if (dev->silent)
		return BF_USB_SILENT;
	if (setup[0] != CLASS_OUT && setup[0] != CLASS_IN)
		n = bf_dfu_standard(dev, setup, data);
	else if (bf_pack_message(dev->pack, now))
		n = class_request(dev, setup, data, now);
	else
		n = BF_USB_GONE;
	if (n >= 0 && !bf_pack_reply(dev->pack, now))
		n = BF_USB_GONE;
	bf_dfu_advance(dev, now);
	return n;
}
