/* SPDX-License-Identifier: MIT */
/* A USB device as a transport: transfers before a deadline, and a device that goes and comes back. */
#include "usb_priv.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"

#define MAX_POLLFDS 16
#define SETUP_SIZE  8
/* A cancelled transfer ends within one frame of the bus; this is for a controller that hangs. */
#define CANCEL_US BF_SEC(1)
/* How often the bus is looked at while a device is away: the shortest loader windows are 500 ms. */
#define RESCAN_US BF_MS(20)
/* While nothing is there yet: a loader's window may be a few hundred milliseconds. */
#define APPEAR_POLL BF_MS(10)
/* Only then a device in another port may be the one whose plug was moved. */
#define OWN_PORT_US BF_SEC(3)
/* After a reset a device that is still there after this time has come back as what it was. */
#define SETTLE_US BF_MS(500)

#define REQUEST_GET_DESCRIPTOR 0x06 /* USB 2.0, table 9-4 */
#define DESCRIPTOR_STRING      0x03
#define LANGUAGE_US_ENGLISH    0x0409

struct usb_wire {
	struct bf_transport t;
	struct bf_usb_host *host;
	struct bf_usb_seen dev; /* as it was when it was opened last */
	bool open;
	bool was_reset;
	uint8_t config[BF_USB_CONFIG_MAX];
	size_t config_len;
	struct bf_usb_seen before[BF_USB_SEEN_MAX]; /* the bus when dev was opened */
	size_t n_before;
	struct bf_usb_seen now[BF_USB_SEEN_MAX];
	size_t n_now;
};

static struct usb_wire *wire_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct usb_wire, t);
}

/* ---- one transfer ---- */

static enum bf_wait wait_once(struct usb_wire *u, bf_time deadline)
{
	struct pollfd fds[MAX_POLLFDS];
	bf_time before = bf_now(u->t.clock);
	bf_time within, until;
	size_t n = u->host->ops->pollfds(u->host, fds, MAX_POLLFDS, &within);
	enum bf_wait w;

	until = within == BF_NEVER ? BF_NEVER : before + within;
	w = bf_clock_wait(u->t.clock, fds, n, until < deadline ? until : deadline);
	u->host->ops->pump(u->host);
	u->t.stats.waited_us += bf_now(u->t.clock) - before;
	return w == BF_WAIT_DEADLINE && until < deadline ? BF_WAIT_READY : w;
}

/* Takes a transfer back. It may still have been carried out: job->end tells. */
static void call_back(struct usb_wire *u, struct bf_usb_job *job)
{
	bf_time deadline = bf_in(u->t.clock, CANCEL_US);

	u->host->ops->cancel(u->host, job);
	bf_clock_hold(u->t.clock);
	while (!job->done && wait_once(u, deadline) == BF_WAIT_READY)
		;
	bf_clock_release(u->t.clock);
}

static enum bf_rc not_in_time(struct usb_wire *u, enum bf_wait w, const char *what,
			      struct bf_err *err)
{
	if (w == BF_WAIT_CANCELLED)
		return bf_fail(err, BF_E_INTERRUPTED, "stopped during %s with 'usb@%s'", what,
			       u->dev.path);
	return bf_fail(err, BF_E_TIMEOUT, "'usb@%s' did not finish %s before the deadline",
		       u->dev.path, what);
}

/* Waits for the end of a job; on failure it is released here. */
static enum bf_rc finish(struct usb_wire *u, struct bf_usb_job *job, bf_time deadline,
			 const struct bf_usb_request *r, struct bf_err *err)
{
	enum bf_wait w = BF_WAIT_READY;
	char what[64];
	enum bf_rc rc;

	while (!job->done && w == BF_WAIT_READY)
		w = wait_once(u, deadline);
	if (!job->done)
		call_back(u, job);
	if (job->done && job->end == BF_USB_DONE)
		return BF_OK;
	if (!job->done || job->end == BF_USB_CANCELLED)
		rc = not_in_time(u, w, bf_usb_request_name(what, r), err);
	else
		rc = bf_usb_fail(err, job->end, &u->dev, bf_usb_request_name(what, r));
	u->host->ops->release(u->host, job);
	if (rc == BF_E_LINK)
		u->t.stats.line_errors++;
	return rc;
}

static enum bf_rc transfer(struct usb_wire *u, const struct bf_usb_request *r, const uint8_t *data,
			   size_t len, bf_time deadline, struct bf_usb_job **ret,
			   struct bf_err *err)
{
	struct bf_usb_job *job;
	enum bf_usb_end end = BF_USB_GONE;
	char what[64];
	enum bf_rc rc;

	if (u->open)
		end = u->host->ops->submit(u->host, r->endpoint, data, len, &job);
	if (end != BF_USB_DONE)
		return bf_usb_fail(err, end, &u->dev, bf_usb_request_name(what, r));
	rc = finish(u, job, deadline, r, err);
	if (!rc)
		*ret = job;
	return rc;
}

static void count(struct usb_wire *u, bool in, size_t n)
{
	if (in) {
		u->t.stats.rx_frames++;
		u->t.stats.rx_bytes += n;
	} else {
		u->t.stats.tx_frames++;
		u->t.stats.tx_bytes += n;
	}
}

static enum bf_rc usb_control(struct bf_transport *t, const struct bf_usb_setup *setup,
			      uint8_t *data, size_t len, size_t *ret_len, bf_time deadline,
			      struct bf_err *err)
{
	struct usb_wire *u = wire_of(t);
	bool in = setup->request_type & 0x80;
	const struct bf_usb_request r = { .setup = setup };
	BF_AUTO_MEM uint8_t *buf = NULL;
	struct bf_usb_job *job;
	size_t moved;

	if (len > UINT16_MAX)
		return bf_fail(err, BF_E_INTERNAL, "USB control request with %zu bytes of data",
			       len);
	buf = calloc(1, SETUP_SIZE + len);
	if (!buf)
		abort();
	buf[0] = setup->request_type;
	buf[1] = setup->request;
	bf_put_le16(buf + 2, setup->value);
	bf_put_le16(buf + 4, setup->index);
	bf_put_le16(buf + 6, (uint16_t)len);
	if (!in && len)
		memcpy(buf + SETUP_SIZE, data, len);
	if (transfer(u, &r, buf, SETUP_SIZE + len, deadline, &job, err))
		return err->rc;
	moved = job->moved < len ? job->moved : len;
	if (in && moved)
		memcpy(data, job->data + SETUP_SIZE, moved);
	u->host->ops->release(u->host, job);
	count(u, in, moved);
	*ret_len = moved;
	return BF_OK;
}

static enum bf_rc usb_bulk(struct bf_transport *t, uint8_t endpoint, uint8_t *data, size_t len,
			   size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	struct usb_wire *u = wire_of(t);
	const struct bf_usb_request r = { .endpoint = endpoint };
	bool in = endpoint & 0x80;
	struct bf_usb_job *job;
	size_t moved;

	if (!(endpoint & 0x0F) || len > INT32_MAX)
		return bf_fail(err, BF_E_INTERNAL, "bulk transfer of %zu bytes on endpoint 0x%02X",
			       len, endpoint);
	if (transfer(u, &r, data, len, deadline, &job, err))
		return err->rc;
	moved = job->moved < len ? job->moved : len;
	if (in && moved)
		memcpy(data, job->data, moved);
	u->host->ops->release(u->host, job);
	count(u, in, moved);
	*ret_len = moved;
	return BF_OK;
}

/* ---- descriptors ---- */

static enum bf_rc get_string(struct usb_wire *u, uint8_t index, uint16_t language, uint8_t *dst,
			     size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	const struct bf_usb_setup setup = { .request_type = 0x80,
					    .request = REQUEST_GET_DESCRIPTOR,
					    .value = (uint16_t)(DESCRIPTOR_STRING << 8 | index),
					    .index = language };

	return usb_control(&u->t, &setup, dst, UINT8_MAX, ret_len, deadline, err);
}

static enum bf_rc usb_string(struct bf_transport *t, uint8_t index, char *dst, size_t cap,
			     bf_time deadline, struct bf_err *err)
{
	struct usb_wire *u = wire_of(t);
	uint16_t language = LANGUAGE_US_ENGLISH;
	uint8_t d[UINT8_MAX];
	size_t len;
	enum bf_rc rc;

	if (!index) { /* "no string" (USB 2.0, 9.6.1) */
		dst[0] = '\0';
		return BF_OK;
	}
	/* String 0 lists the languages; a device without a list still answers in one. */
	rc = get_string(u, 0, 0, d, &len, deadline, err);
	if (!rc && len >= 4)
		language = bf_get_le16(d + 2);
	if (!rc || rc == BF_E_NAK)
		rc = get_string(u, index, language, d, &len, deadline, err);
	if (rc)
		return bf_while(err, "reading string %u of 'usb@%s'", index, u->dev.path);
	if (!bf_usb_utf8(d, len, dst, cap))
		return bf_fail(err, BF_E_LINK, "string %u of 'usb@%s' is malformed (%zu bytes)",
			       index, u->dev.path, len);
	return BF_OK;
}

static void rescan(struct usb_wire *u)
{
	u->n_now = u->host->ops->scan(u->host, u->now, BF_COUNT(u->now));
}

static enum bf_rc usb_device(struct bf_transport *t, struct bf_usb_device *ret, struct bf_err *err)
{
	struct usb_wire *u = wire_of(t);
	struct bf_usb_device d = { .vid = u->dev.vid,
				   .pid = u->dev.pid,
				   .bcd_device = u->dev.bcd_device,
				   .bus = u->dev.bus,
				   .address = u->dev.address,
				   .config = u->config,
				   .config_len = u->config_len };

	rescan(u);
	if (!u->open || !bf_usb_stays(&u->dev, u->now, u->n_now))
		return bf_usb_fail(err, BF_USB_GONE, &u->dev, "looking at it");
	snprintf(d.serial, sizeof(d.serial), "%s", u->dev.serial);
	snprintf(d.product, sizeof(d.product), "%s", u->dev.product);
	snprintf(d.manufacturer, sizeof(d.manufacturer), "%s", u->dev.manufacturer);
	snprintf(d.port_path, sizeof(d.port_path), "%s", u->dev.path);
	*ret = d;
	return BF_OK;
}

static enum bf_rc usb_claim(struct bf_transport *t, uint8_t interface, uint8_t alt,
			    struct bf_err *err)
{
	struct usb_wire *u = wire_of(t);
	char what[64];

	snprintf(what, sizeof(what), "interface %u, alternate setting %u", interface, alt);
	if (!u->open)
		return bf_usb_fail(err, BF_USB_GONE, &u->dev, what);
	return bf_usb_fail(err, u->host->ops->claim(u->host, interface, alt), &u->dev, what);
}

/* ---- going and coming back ---- */

static enum bf_usb_end open_device(struct usb_wire *u, const struct bf_usb_seen *which)
{
	enum bf_usb_end end = u->host->ops->open(u->host, which);

	if (end != BF_USB_DONE)
		return end;
	u->dev = *which;
	u->config_len = u->host->ops->config(u->host, which->path, u->config, sizeof(u->config));
	memcpy(u->before, u->now, u->n_now * sizeof(u->now[0]));
	u->n_before = u->n_now;
	u->open = true;
	u->was_reset = false;
	snprintf(u->t.name, sizeof(u->t.name), "usb@%s", which->path);
	return BF_USB_DONE;
}

/* Looks at the bus again a little later. */
static enum bf_rc look_again(struct usb_wire *u, bf_time deadline, const char *what,
			     struct bf_err *err)
{
	bf_time now = bf_now(u->t.clock);
	bf_time next = now + RESCAN_US < deadline ? now + RESCAN_US : deadline;

	if (now >= deadline)
		return not_in_time(u, BF_WAIT_DEADLINE, what, err);
	if (!bf_clock_until(u->t.clock, next))
		return not_in_time(u, BF_WAIT_CANCELLED, what, err);
	u->t.stats.waited_us += bf_now(u->t.clock) - now;
	rescan(u);
	return BF_OK;
}

/* *ret_same: a reset left it on the bus under the same address. */
static enum bf_rc until_gone(struct usb_wire *u, bf_time deadline, bool *ret_same,
			     struct bf_err *err)
{
	bf_time settled = u->was_reset ? bf_in(u->t.clock, SETTLE_US) : BF_NEVER;
	enum bf_rc rc;

	rescan(u);
	while (bf_usb_stays(&u->dev, u->now, u->n_now)) {
		if (bf_now(u->t.clock) >= settled) {
			*ret_same = true;
			return BF_OK;
		}
		rc = look_again(u, deadline, "leaving the bus", err);
		if (rc)
			return rc;
	}
	*ret_same = false;
	return BF_OK;
}

/* The kernel refuses to reset a device that is just leaving by itself: that is as good. */
static enum bf_rc reset_refused(struct usb_wire *u, enum bf_usb_end end, bf_time deadline,
				struct bf_err *err)
{
	bf_time settled = bf_in(u->t.clock, SETTLE_US);
	bool same = true;
	enum bf_rc rc = BF_E_LINK;

	if (end == BF_USB_FAILED || end == BF_USB_DAMAGED)
		rc = until_gone(u, settled < deadline ? settled : deadline, &same, err);
	if (rc == BF_E_INTERRUPTED || (!rc && !same))
		return rc;
	return bf_usb_fail(err, end, &u->dev, "a bus reset");
}

static enum bf_rc usb_reset(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct usb_wire *u = wire_of(t);
	/* The kernel's request is short and cannot be given a deadline. */
	enum bf_usb_end end = u->open ? u->host->ops->reset(u->host) : BF_USB_GONE;

	/* A device that left by itself, or came back as another one, has been reset. */
	if (end != BF_USB_DONE && end != BF_USB_GONE && reset_refused(u, end, deadline, err))
		return err->rc;
	u->was_reset = true;
	return BF_OK;
}

static enum bf_rc did_not_return(struct usb_wire *u, enum bf_usb_end last,
				 const struct bf_usb_seen *heir, struct bf_err *err)
{
	enum bf_rc rc = err->rc;

	if (rc != BF_E_TIMEOUT)
		return rc;
	/* It is there, but we may not touch it: that is the news. */
	if (last == BF_USB_DENIED || last == BF_USB_BUSY)
		return bf_usb_fail(err, last, heir, "opening it");
	bf_fail(err, rc, "'usb@%s' left the bus and did not come back before the deadline",
		u->dev.path);
	bf_likely(err, "the firmware that started has no USB, or does not start");
	bf_likely(err, "the cable was unplugged");
	bf_do(err, "unplug it and plug it in again");
	bf_next(err, "bmsflash probe --if usb@%s", u->dev.path);
	return rc;
}

/* A node that has just appeared belongs to root until udev has seen it: a refusal is not final. */
static enum bf_rc until_back(struct usb_wire *u, bf_time deadline, struct bf_err *err)
{
	bf_time own_port = bf_in(u->t.clock, OWN_PORT_US);
	struct bf_usb_seen heir = u->dev;

	for (;;) {
		size_t at = bf_usb_heir(&u->dev, u->before, u->n_before, u->now, u->n_now,
					bf_now(u->t.clock) >= own_port);
		enum bf_usb_end end = BF_USB_GONE;

		if (at < u->n_now) {
			heir = u->now[at];
			end = heir.bare ? BF_USB_GONE : open_device(u, &heir);
		}
		if (end == BF_USB_DONE)
			return BF_OK;
		if (look_again(u, deadline, "coming back", err))
			return did_not_return(u, end, &heir, err);
	}
}

static enum bf_rc usb_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct usb_wire *u = wire_of(t);
	struct bf_usb_seen old = u->dev;
	bool same;
	enum bf_rc rc = until_gone(u, deadline, &same, err);

	if (rc)
		return bf_while(err, "waiting for '%s' to restart", t->name);
	u->host->ops->shut(u->host);
	u->open = false;
	if (same)
		rc = bf_usb_fail(err, open_device(u, &old), &old, "opening it again");
	else
		rc = until_back(u, deadline, err);
	if (rc)
		return bf_while(err, "waiting for '%s' to come back", t->name);
	t->stats.reopened++;
	bf_log(t->log, BF_LOG_INFO, "%s is back as %04x:%04x, address %u", t->name, u->dev.vid,
	       u->dev.pid, u->dev.address);
	return BF_OK;
}

/* ---- open, close, list ---- */

static void usb_close(struct bf_transport *t)
{
	struct usb_wire *u = wire_of(t);

	u->host->ops->free(u->host);
	free(u);
}

static const struct bf_usb_ops usb_device_ops = {
	.control = usb_control,
	.bulk = usb_bulk,
	.claim = usb_claim,
	.string = usb_string,
	.device = usb_device,
	.reset = usb_reset,
	.reopen = usb_reopen,
};

static const struct bf_transport_ops usb_ops = {
	.name = "usb",
	.wire = BF_WIRE_USB,
	.usb = &usb_device_ops,
	.close = usb_close,
};

/* The one that is meant, as soon as it is there and may be opened: udev needs a moment to hand a new
 * device to its group, and a loader may be there for a moment only. */
static enum bf_rc open_when_there(struct usb_wire *u, const struct bf_usb_want *want,
				  const struct bf_open_env *env, struct bf_err *err)
{
	bf_time until = bf_in(u->t.clock, env->wait);
	enum bf_rc rc;
	size_t at;

	for (;;) {
		rescan(u);
		rc = bf_usb_pick(want, u->now, u->n_now, &at, err);
		if (!rc)
			rc = bf_usb_fail(err, open_device(u, &u->now[at]), &u->now[at],
					 "opening it");
		if (!rc || !env->wait || (rc != BF_E_IFACE && rc != BF_E_GONE))
			return rc;
		if (bf_now(u->t.clock) >= until)
			break;
		if (env->alive)
			env->alive(env->alive_ctx, err->cause);
		if (!bf_clock_until(u->t.clock, bf_in(u->t.clock, APPEAR_POLL)))
			return bf_fail(err, BF_E_INTERRUPTED,
				       "stopped while waiting for a USB device");
	}
	err->rc = BF_E_NODEV;
	return bf_while(err, "waiting %.0f s for it to appear", (double)env->wait / 1e6);
}

enum bf_rc bf_usb_open(struct bf_usb_host *take, const struct bf_open_env *env, const char *address,
		       struct bf_transport **ret, struct bf_err *err)
{
	struct usb_wire *u = calloc(1, sizeof(*u));
	struct bf_usb_want want;

	if (!u)
		abort();
	u->t.ops = &usb_ops;
	u->t.clock = env->clock;
	u->t.log = env->log;
	u->host = take;
	BF_AUTO(bf_transport) *t = &u->t;

	if (!bf_usb_parse(address, &want))
		return bf_fail(err, BF_E_USAGE,
			       "'%s' is no USB address; the forms are usb, usb:VID:PID, "
			       "usb:VID:PID:SERIAL and usb@BUS-PORT",
			       address);
	if (open_when_there(u, &want, env, err))
		return err->rc;
	*ret = bf_steal(&t);
	return BF_OK;
}
