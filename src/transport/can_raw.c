/* SPDX-License-Identifier: MIT */
/*
 * Speaking on a raw CAN descriptor.
 *
 * Back-pressure. A frame that is sent goes to the interface's queue, 10 frames long by default
 * (txqueuelen). When that is full the kernel drops the frame and says ENOBUFS, while poll goes on
 * reporting POLLOUT: it looks at the socket's send buffer alone. So the send buffer is made as small
 * as the kernel allows: about 4.6 kB, and each frame is charged some 770 bytes until it has left the
 * wire (linux/net/core/sock.c, sock_alloc_send_pskb), so that the socket holds 6 frames at most. The
 * socket then is full before the queue is, the kernel says EAGAIN, and POLLOUT tells when half of it
 * has drained. ENOBUFS is left for a queue that other programs keep full; there is nothing to poll
 * for then, and the frame is offered again after short waits against the caller's deadline.
 */
#include "bmsflash/wire.h"
#include "can_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>

#define MAX_FILTERS 16
/* One to eight frame times at 500 kbit/s: short enough to catch a free place, long enough to idle. */
#define OFFER_FIRST_US BF_US(250)
#define OFFER_LAST_US  BF_MS(2)
/* A receive time stamp older than this means that the wall clock was set meanwhile. */
#define STAMP_MAX_AGE_US BF_SEC(10)

struct can_raw {
	struct bf_transport t;
	const struct bf_can_link_ops *link;
	int fd;
	bool may_fd;
	bool gone; /* the interface was unregistered: bind again before the next use */
	uint32_t bitrate;
	struct bf_filter filters[MAX_FILTERS];
	size_t n_filters;
	uint32_t dropped; /* the socket's own counter, as last told */
	struct bf_can_health health;
};

static struct can_raw *raw_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct can_raw, t);
}

static void set_option(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* The kernel's filter saves wake-ups; bf_can_passes() alone would do. */
static void tell_filters(const struct can_raw *c)
{
	struct can_filter k[MAX_FILTERS] = { 0 }; /* {0, 0} passes everything */
	size_t n = c->n_filters ? c->n_filters : 1;

	for (size_t i = 0; i < c->n_filters; i++) {
		k[i].can_id = c->filters[i].id | (c->filters[i].ext ? CAN_EFF_FLAG : 0);
		k[i].can_mask = c->filters[i].mask | CAN_EFF_FLAG;
	}
	(void)setsockopt(c->fd, SOL_CAN_RAW, CAN_RAW_FILTER, k, (socklen_t)(n * sizeof(*k)));
}

/* ---- trouble with the interface ---- */

static enum bf_rc went_down(struct can_raw *c, struct bf_err *err)
{
	struct bf_can_info info;

	bf_fail(err, BF_E_GONE, "interface '%s' went down while in use", c->t.name);
	bf_likely(err, "somebody set it down, or the network manager did");
	bf_likely(err, "the adapter lost power or restarted");
	if (c->link->query(c->t.name, &info))
		bf_can_next_up(err, c->t.name, &info);
	return err->rc;
}

static enum bf_rc unregistered(struct can_raw *c, struct bf_err *err)
{
	c->gone = true;
	bf_fail(err, BF_E_GONE, "interface '%s' disappeared", c->t.name);
	bf_likely(err, "the CAN adapter was unplugged, or its USB cable has a bad contact");
	bf_do(err, "plug the adapter in again");
	bf_next(err, "sudo ip link set %s up", c->t.name);
	return err->rc;
}

static enum bf_rc os_trouble(struct can_raw *c, int os, const char *what, struct bf_err *err)
{
	if (os == ENETDOWN)
		return went_down(c, err);
	if (os == ENODEV || os == ENXIO)
		return unregistered(c, err);
	return bf_fail_os(err, BF_E_IFACE, os, "%s on '%s'", what, c->t.name);
}

/* An adapter that was plugged in again has the same name and another index. */
static enum bf_rc find_again(struct can_raw *c, struct bf_err *err)
{
	struct bf_can_info info;

	if (!c->gone)
		return BF_OK;
	if (!c->link->query(c->t.name, &info))
		return unregistered(c, err);
	if (!info.up)
		return went_down(c, err);
	if (bf_can_bind(c->fd, info.index))
		return bf_fail_os(err, BF_E_GONE, errno, "binding to '%s' again", c->t.name);
	/* Losing its interface took the socket's filters away: it would hear nothing. */
	tell_filters(c);
	c->gone = false;
	c->t.stats.reopened++;
	return BF_OK;
}

/* The wire was silent until the deadline: is the line to blame, or just the other side? */
static enum bf_rc silent(struct can_raw *c, struct bf_err *err)
{
	enum bf_rc rc =
		bf_can_health_explain(&c->health, c->t.name, c->bitrate, bf_now(c->t.clock), err);
	struct bf_can_info info;

	if (rc)
		return rc;
	if (c->link->query(c->t.name, &info) && !info.up)
		return went_down(c, err);
	return bf_fail(err, BF_E_TIMEOUT, "no frame on '%s' before the deadline", c->t.name);
}

static enum bf_rc cancelled(struct can_raw *c, struct bf_err *err)
{
	return bf_fail(err, BF_E_INTERRUPTED, "stopped while using '%s'", c->t.name);
}

/* ---- sending ---- */

static enum bf_rc check_frame(const struct can_raw *c, const struct bf_frame *f, struct bf_err *err)
{
	uint32_t mask = f->flags & BF_FRAME_EXT ? CAN_EFF_MASK : CAN_SFF_MASK;
	bool fd = f->flags & BF_FRAME_FD;

	if (fd && !c->may_fd)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "CAN FD frame for '%s', which takes classic frames only", c->t.name);
	if (f->id & ~mask)
		return bf_fail(err, BF_E_INTERNAL, "CAN identifier 0x%X, allowed up to 0x%X", f->id,
			       mask);
	if (!bf_can_length(f->len, fd))
		return bf_fail(err, BF_E_INTERNAL, "CAN%s frame of %u bytes", fd ? " FD" : "",
			       f->len);
	return BF_OK;
}

static enum bf_rc queue_stuck(struct can_raw *c, const struct bf_frame *f, struct bf_err *err)
{
	struct bf_can_info info;
	bool known = c->link->query(c->t.name, &info);

	if (known && !info.up)
		return went_down(c, err);
	/* Error frames wait unread in the socket while we send; the controller's state tells. */
	if (known && info.state == BF_BUS_OFF)
		c->health.state = BF_BUS_OFF;
	if (known && info.state == BF_BUS_PASSIVE)
		c->health.tx_passive = true;
	if (bf_can_health_explain(&c->health, c->t.name, c->bitrate, bf_now(c->t.clock), err))
		return err->rc;
	bf_fail(err, BF_E_TIMEOUT,
		"frame 0x%X could not leave '%s' before the deadline: the transmit queue is full",
		f->id, c->t.name);
	bf_likely(err, "no node acknowledges: the pack is off or the line is open");
	bf_likely(err, "another program floods '%s', or nodes with higher priority do", c->t.name);
	bf_next(err, "ip -details -statistics link show %s", c->t.name);
	return err->rc;
}

/* Waits for a place in the queue after `os` told that there is none. */
static enum bf_rc await_place(struct can_raw *c, int os, bf_time *pause, const struct bf_frame *f,
			      bf_time deadline, struct bf_err *err)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLOUT };
	bf_time before = bf_now(c->t.clock);
	bool poll_tells = os != ENOBUFS;
	bf_time until = poll_tells || deadline - before < *pause ? deadline : before + *pause;
	enum bf_wait w = bf_clock_wait(c->t.clock, &pfd, poll_tells ? 1 : 0, until);

	c->t.stats.queue_full++;
	c->t.stats.waited_us += bf_now(c->t.clock) - before;
	if (w == BF_WAIT_CANCELLED)
		return cancelled(c, err);
	if (w == BF_WAIT_DEADLINE && until == deadline)
		return queue_stuck(c, f, err);
	if (*pause < OFFER_LAST_US)
		*pause *= 2;
	return BF_OK;
}

static enum bf_rc raw_send(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			   struct bf_err *err)
{
	struct can_raw *c = raw_of(t);
	bf_time pause = OFFER_FIRST_US;
	enum bf_rc rc = check_frame(c, frame, err);
	struct canfd_frame k;
	size_t size;

	if (!rc)
		rc = find_again(c, err);
	if (rc)
		return rc;
	size = bf_can_encode(frame, &k);
	for (;;) {
		if (send(c->fd, &k, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			break;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != ENOBUFS)
			return os_trouble(c, errno, "sending a frame", err);
		rc = await_place(c, errno, &pause, frame, deadline, err);
		if (rc)
			return rc;
	}
	t->stats.tx_frames++;
	t->stats.tx_bytes += frame->len;
	return BF_OK;
}

/* ---- receiving ---- */

struct heard {
	struct canfd_frame k;
	size_t size;
	bf_time at;
};

static bf_time stamp_to_clock(struct bf_clock *clock, const struct timespec *ts)
{
	int64_t stamp = (int64_t)ts->tv_sec * 1000000 + ts->tv_nsec / 1000;
	int64_t age = bf_wall(clock) - stamp;

	return bf_now(clock) - (age > 0 && age < STAMP_MAX_AGE_US ? age : 0);
}

static void read_control(struct can_raw *c, struct msghdr *msg, struct heard *ret)
{
	struct timespec ts;
	uint32_t dropped;

	ret->at = bf_now(c->t.clock);
	for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m; m = CMSG_NXTHDR(msg, m)) {
		if (m->cmsg_level != SOL_SOCKET)
			continue;
		if (m->cmsg_type == SO_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(m), sizeof(ts));
			ret->at = stamp_to_clock(c->t.clock, &ts);
		} else if (m->cmsg_type == SO_RXQ_OVFL) {
			memcpy(&dropped, CMSG_DATA(m), sizeof(dropped));
			c->t.stats.rx_dropped +=
				dropped - c->dropped; /* wraps as the kernel's does */
			c->dropped = dropped;
		}
	}
}

/* BF_E_TIMEOUT, with err untouched: nothing is there now. */
static enum bf_rc take_message(struct can_raw *c, struct heard *ret, struct bf_err *err)
{
	_Alignas(struct cmsghdr) char control[256];
	struct iovec iov = { .iov_base = &ret->k, .iov_len = sizeof(ret->k) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t got;

	memset(&ret->k, 0, sizeof(ret->k));
	do {
		got = recvmsg(c->fd, &msg, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return BF_E_TIMEOUT;
	if (got < 0)
		return os_trouble(c, errno, "receiving", err);
	if (!got)
		return unregistered(c, err);
	ret->size = (size_t)got;
	read_control(c, &msg, ret);
	return BF_OK;
}

static enum bf_rc bus_off(struct can_raw *c, struct bf_err *err)
{
	bf_can_health_explain(&c->health, c->t.name, c->bitrate, bf_now(c->t.clock), err);
	if (c->link->restart(c->t.name))
		bf_do(err, "the controller was restarted; if it goes off again, check bit rate, "
			   "wiring and termination");
	return err->rc;
}

static enum bf_rc note_error(struct can_raw *c, const struct heard *h, struct bf_err *err)
{
	enum bf_bus_state before = c->health.state;
	struct can_frame frame;
	char text[192];

	memcpy(&frame, &h->k, sizeof(frame));
	bf_log(c->t.log, BF_LOG_DEBUG, "%s: error frame: %s", c->t.name,
	       bf_can_error_text(text, sizeof(text), &frame));
	switch (bf_can_health_note(&c->health, &frame, h->at)) {
	case BF_CAN_BUS_OFF:
		c->t.stats.line_errors++;
		return bus_off(c, err);
	case BF_CAN_NO_ACK:
		c->t.stats.line_errors++;
		return bf_can_health_explain(&c->health, c->t.name, c->bitrate, h->at, err);
	case BF_CAN_NOTED:
		c->t.stats.line_errors++;
		break;
	case BF_CAN_RESTARTED:
		break;
	}
	if (c->health.state != before)
		bf_log(c->t.log, BF_LOG_WARN, "%s: controller is now %s", c->t.name,
		       bf_bus_state_text(c->health.state));
	return BF_OK;
}

/* Takes one message from the socket; *ret_done when it is a frame for the caller. */
static enum bf_rc take_one(struct can_raw *c, struct bf_frame *ret, bool *ret_done,
			   struct bf_err *err)
{
	struct heard h;
	struct bf_frame f;
	enum bf_rc rc = take_message(c, &h, err);

	if (rc)
		return rc;
	if (h.size == CAN_MTU && h.k.can_id & CAN_ERR_FLAG)
		return note_error(c, &h, err);
	if (!bf_can_decode(&h.k, h.size, &f)) {
		c->t.stats.line_errors++;
		return BF_OK;
	}
	f.at = h.at;
	bf_can_health_heard(&c->health);
	/* Here too: frames that were queued under an older filter must not pass the new one. */
	if (!bf_can_passes(c->filters, c->n_filters, &f))
		return BF_OK;
	c->t.stats.rx_frames++;
	c->t.stats.rx_bytes += f.len;
	*ret = f;
	*ret_done = true;
	return BF_OK;
}

static enum bf_rc raw_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct can_raw *c = raw_of(t);
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	enum bf_wait w = BF_WAIT_READY;
	enum bf_rc rc = find_again(c, err);
	bool done = false;

	while (!rc) {
		rc = take_one(c, ret, &done, err);
		if (done || (rc && rc != BF_E_TIMEOUT))
			return rc;
		/* A bus full of other people's frames must not carry us past the deadline. */
		if (w == BF_WAIT_DEADLINE || (!rc && bf_now(t->clock) >= deadline))
			return silent(c, err);
		if (!rc)
			continue;
		bf_time before = bf_now(t->clock);

		w = bf_clock_wait(t->clock, &pfd, 1, deadline);
		t->stats.waited_us += bf_now(t->clock) - before;
		rc = w == BF_WAIT_CANCELLED ? cancelled(c, err) : BF_OK;
	}
	return rc;
}

/* ---- the rest of the ops ---- */

static enum bf_rc raw_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err)
{
	struct can_raw *c = raw_of(t);

	if (n > MAX_FILTERS)
		return bf_fail(err, BF_E_INTERNAL, "%zu CAN filters, allowed %d", n, MAX_FILTERS);
	if (n)
		memcpy(c->filters, filters, n * sizeof(*filters));
	c->n_filters = n;
	tell_filters(c);
	return BF_OK;
}

/* What an interface going down and up again leaves in the socket is not news. */
static void forget_pending_error(struct can_raw *c)
{
	int os;
	socklen_t len = sizeof(os);

	(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &os, &len);
}

static enum bf_rc raw_set_bitrate(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
				  struct bf_err *err)
{
	struct can_raw *c = raw_of(t);
	enum bf_rc rc = bf_can_rates(c->link, t->name, bitrate, dbitrate, err);
	struct bf_can_info info;

	forget_pending_error(c);
	if (rc)
		return rc;
	c->health = (struct bf_can_health){ .state = BF_BUS_ACTIVE };
	if (c->link->query(t->name, &info)) {
		c->bitrate = info.bitrate;
		c->may_fd = info.mtu >= CANFD_MTU;
		set_option(c->fd, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, c->may_fd);
	}
	return BF_OK;
}

static void raw_report(struct bf_transport *t, struct bf_bus_report *ret)
{
	struct can_raw *c = raw_of(t);
	struct bf_bus_report r = { .state = c->health.state, .fd = c->may_fd };
	struct bf_can_info info;

	if (c->link->query(t->name, &info)) {
		r.state = info.state == BF_BUS_UNKNOWN ? c->health.state : info.state;
		r.bitrate = info.bitrate;
		r.dbitrate = info.dbitrate;
		r.tx_errors = info.tx_errors;
		r.rx_errors = info.rx_errors;
		r.txqueuelen = info.txqueuelen;
		r.heard = info.rx_packets;
		r.may_set_bitrate = info.timed && c->link->permitted();
	}
	/* Not every driver answers for its counters; error frames may have told. */
	if (!r.tx_errors && !r.rx_errors && c->health.counted) {
		r.tx_errors = c->health.tx_errors;
		r.rx_errors = c->health.rx_errors;
	}
	*ret = r;
}

static void raw_close(struct bf_transport *t)
{
	struct can_raw *c = raw_of(t);

	close(c->fd);
	free(c);
}

static const struct bf_bus_ops raw_bus = {
	.send = raw_send,
	.recv = raw_recv,
	.filter = raw_filter,
	.set_bitrate = raw_set_bitrate,
	.report = raw_report,
};

static const struct bf_transport_ops raw_ops = {
	.name = "can",
	.wire = BF_WIRE_BUS,
	.bus = &raw_bus,
	.close = raw_close,
};

struct bf_transport *bf_can_raw_new(int take_fd, bool fd, const char *name,
				    const struct bf_open_env *env,
				    const struct bf_can_link_ops *link)
{
	struct can_raw *c = calloc(1, sizeof(*c));
	struct bf_can_info info;

	if (!c)
		abort();
	c->t.ops = &raw_ops;
	c->t.clock = env->clock;
	c->t.log = env->log;
	snprintf(c->t.name, sizeof(c->t.name), "%s", name);
	c->link = link;
	c->fd = take_fd;
	c->may_fd = fd;
	if (link->query(name, &info))
		c->bitrate = info.bitrate;
	return &c->t;
}
